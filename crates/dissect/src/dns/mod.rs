//! DNS (RFC 1035; 2136 updates, 1996 notifications, 6891 EDNS, 7766 over TCP), and the two protocols that
//! borrowed its format: multicast DNS (RFC 6762) and LLMNR (RFC 4795).
//!
//! **What a call is.** `operation` is `query`, `notify`, `update` ...; `target` the name asked for as it was
//! asked (RFC 4343: its case is kept, and ignored for pairing), without its final dot, odd bytes as `\DDD`;
//! `status` the name of the response code, extended ones included. NXDOMAIN, and whatever says that this
//! question or client is not served, is a `client_error`; SERVFAIL a `server_error`; an empty NOERROR is `ok`
//! with note `nodata`, or `referral`. A client that tries its search list is noted `search_suffix`
//! (`suffix.rs`). No answer within `Limits::datagram_response_wait`: `no_response`; one that comes
//! later makes revision 1.
//!
//! **Attributes.** `dns.question.name`, `dns.answers` are OpenTelemetry's (the answers' A, AAAA and CNAME,
//! joined by commas); `dns.question.type` goes with them; `dns.records` (other answers as text), `dns.ttl` (the
//! least of the answers) and `dns.soa.zone` (who said no) are our own; the rest has Wireshark's names. Flags
//! stand there when set.
//!
//! **mDNS** messages are one-way calls of protocol `mdns`: everybody hears them, nobody need answer. Port 5353
//! on both sides makes them. With it on one side, a query that asks for no recursion (RFC 6762, 18.6 wants
//! the bit clear; a stub resolver sets it) is mDNS, and a response that no query of its flow waits for; DNS
//! servers do listen there. **LLMNR** is paired as DNS; the answer usually comes from another address, so a
//! query without one is a one-way message, not a failure.
//!
//! **Detection.** On its ports a header with a known operation and a question are enough (a usual header alone
//! makes a call noted `malformed`); elsewhere every byte of the message must fit.
//!
//! **After a gap** in a TCP stream, a segment that begins with a length and a plausible message is where
//! reading goes on; what waited is `unknown` unless it is answered after all.

mod early;
mod message;
mod names;
mod pair;
mod parse;
mod rdata;
mod reading;
mod stream;
mod suffix;
#[cfg(test)]
mod tests;

use wirewise_model::{Limits, Mark, Reason, Redaction, Side, Timestamp, Transport};

use self::message::{Flavour, Heard};
use self::pair::Pairing;
use self::parse::{Header, Trust, looks_like_dns};
use crate::{Datagram, End, MessageEntry, Messages, Out, Probe, Protocol, StreamEntry, Verdict};

const DNS_PORT: u16 = 53;
const MDNS_PORT: u16 = 5353;
const LLMNR_PORT: u16 = 5355;

/// A datagram of a DNS flow that is no DNS message.
const NOT_DNS: Reason = Reason::skip("not_dns");

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "dns",
    title: "DNS",
    reference: "RFC 1035",
    ports: &[DNS_PORT],
    redaction: Redaction::Names,
    stream: Some(StreamEntry { probe: stream::probe, open: stream::open }),
    message: Some(MessageEntry { probe: probe_dns, open }),
    refine: None,
};

/// The table's entry for multicast DNS.
pub(crate) static MDNS: Protocol = Protocol {
    name: "mdns",
    title: "Multicast DNS",
    reference: "RFC 6762",
    ports: &[MDNS_PORT],
    redaction: Redaction::Names,
    stream: None,
    message: Some(MessageEntry { probe: probe_mdns, open }),
    refine: None,
};

/// The table's entry for LLMNR.
pub(crate) static LLMNR: Protocol = Protocol {
    name: "llmnr",
    title: "Link-Local Multicast Name Resolution",
    reference: "RFC 4795",
    ports: &[LLMNR_PORT],
    redaction: Redaction::Names,
    stream: None,
    message: Some(MessageEntry { probe: probe_llmnr, open }),
    refine: None,
};

fn open(limits: &Limits, _: Side) -> Box<dyn Messages> {
    Box::new(Datagrams { pairing: Pairing::of_datagrams(limits) })
}

fn probe_dns(message: &Datagram<'_>) -> Probe {
    probe_as(message, Flavour::Dns)
}

fn probe_mdns(message: &Datagram<'_>) -> Probe {
    probe_as(message, Flavour::Mdns)
}

fn probe_llmnr(message: &Datagram<'_>) -> Probe {
    probe_as(message, Flavour::Llmnr)
}

fn probe_as(message: &Datagram<'_>, flavour: Flavour) -> Probe {
    let Some(header) = Header::parse(message.bytes) else { return Probe::No };
    if message.transport != Transport::Udp || flavour_of(message.ports, header, false) != flavour {
        return Probe::No;
    }
    let known = [DNS_PORT, MDNS_PORT, LLMNR_PORT];
    let trust =
        if message.ports.iter().any(|port| known.contains(port)) { Trust::Port } else { Trust::Nothing };
    if !looks_like_dns(message.bytes, message.is_cut(), trust) {
        return Probe::No;
    }
    Probe::Yes { client: if header.is_response() { message.side.other() } else { message.side } }
}

/// Which protocol a datagram between these ports is. `awaited` says that a query of its flow waits for it.
fn flavour_of(ports: [u16; 2], header: Header, awaited: bool) -> Flavour {
    if ports.contains(&LLMNR_PORT) {
        return Flavour::Llmnr;
    }
    let of_everybody = !header.recursion_desired() && !awaited;
    let is_multicast = ports.contains(&MDNS_PORT) && !ports.contains(&DNS_PORT);
    if ports == [MDNS_PORT; 2] || (is_multicast && of_everybody) {
        return Flavour::Mdns;
    }
    Flavour::Dns
}

struct Datagrams {
    pairing: Pairing,
}

impl Messages for Datagrams {
    fn feed(&mut self, message: Datagram<'_>, out: &mut Out) -> Verdict {
        let header = Header::parse(message.bytes)
            .filter(|_| looks_like_dns(message.bytes, message.is_cut(), Trust::Port));
        let Some(header) = header else {
            if !self.pairing.is_waiting() {
                // The ports may be another protocol's now.
                return Verdict::GiveUp(NOT_DNS);
            }
            out.skip(NOT_DNS, message.bytes.len() as u64);
            return Verdict::Continue;
        };
        let awaited = header.is_response() && self.pairing.waits_for(message.side, header.id);
        let heard = Heard {
            side: message.side,
            bytes: message.bytes,
            cut: message.is_cut(),
            track: message.track(),
            flavour: flavour_of(message.ports, header, awaited),
        };
        if self.pairing.take(heard, out).is_none() {
            out.skip(NOT_DNS, message.bytes.len() as u64);
        }
        Verdict::Continue
    }

    fn end(&mut self, why: End, last: Mark, out: &mut Out) {
        self.pairing.end(None, why, last.at, None, out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        self.pairing.tick(now, out);
    }

    fn open(&self, out: &mut Out) {
        self.pairing.open(out);
    }

    fn waiting(&self) -> bool {
        self.pairing.is_waiting()
    }
}
