//! ICMP (RFC 792, 950, 1191, 1256, 8335) and ICMPv6 (RFC 4443, neighbour discovery 4861, listeners 2710 and
//! 3810). Both are protocol `icmp`; the transport says which.
//!
//! **Echo**, and the other pairs of one identifier and sequence number (timestamp, address mask, information,
//! extended echo), are calls of kind `probe`: operation `echo`, no target (the addresses say it), status
//! `reply`, outcome `ok`, or `no_response` after `Limits::datagram_response_wait`.
//!
//! **Errors** (unreachable, time exceeded, too big, parameter problem) are messages about another flow, so
//! they are `one_way`: the flow that they speak of failed, not they. The operation is the type, status the code
//! in words (`port_unreachable`), `error` both; the target names the quoted flow, `udp 10.0.0.2:4000 ->
//! 10.0.0.1:53`, in the direction of the packet that could not go on.
//!
//! **The rest** is one way as well: neighbour and router discovery (target: the address in question), listener
//! reports (target: the groups), redirects.
//!
//! Every message stands for itself, so there are no gaps to recover from.

mod names;
mod pair;
mod parse;
#[cfg(test)]
mod tests;

use wirewise_model::{Limits, Reason, Redaction, Side};

use crate::{Datagram, MessageEntry, Messages, Probe, Protocol};

/// Not even a type and a code.
const TOO_SHORT: Reason = Reason::loss("icmp_too_short");

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "icmp",
    title: "ICMP and ICMPv6",
    reference: "RFC 792, RFC 4443",
    ports: &[],
    redaction: Redaction::Names,
    stream: None,
    message: Some(MessageEntry { probe, open }),
    refine: None,
};

fn probe(message: &Datagram<'_>) -> Probe {
    match parse::version(message.transport) {
        Some(_) => Probe::Yes { client: message.side },
        None => Probe::No,
    }
}

fn open(limits: &Limits, _: Side) -> Box<dyn Messages> {
    Box::new(pair::Hosts::new(limits))
}
