//! RADIUS over UDP: authentication (RFC 2865), accounting (RFC 2866), change of authorization and disconnection (RFC
//! 5176), and status (RFC 5997).
//!
//! **What a call is.** A request with its answer, which repeats its identifier. A request that comes again with its
//! authenticator is the same call, noted `retransmitted`; an answer that comes again is passed over. An
//! Access-Challenge is an answer; what the client says to it is a call of its own. `target` is the realm.
//!
//! **Outcomes.** A reject is a `client_error`. So is a NAK, unless its Error-Cause says that the server could not (5xx).
//!
//! **What is not told.** Passwords, challenges, states, classes, keys, EAP beyond its method, vendors' attributes
//! beyond whose they are; of a reply's words only what a refusal says.

use std::collections::VecDeque;
use std::time::Duration;

use wirewise_model::{Coverage, Exchange, Limits, Mark, Message, Reason, Redaction, Side, Timestamp};

use crate::pending::{Keyed, Turn};
use crate::{Datagram, End, MessageEntry, Messages, Out, Probe, Protocol, Verdict};

mod describe;
mod names;
mod parse;
#[cfg(test)]
mod tests;

use parse::{HEADER, Packet};

const PORTS: &[u16] = &[1812, 1813, 1645, 1646, 1700, 3799];

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: describe::NAME,
    title: "RADIUS",
    reference: "RFC 2865",
    ports: PORTS,
    redaction: Redaction::Text,
    stream: None,
    message: Some(MessageEntry { probe, open: |limits, client| Box::new(Radius::new(limits, client)) }),
    refine: None,
};

/// A datagram of such a flow that is no packet.
const NOT_RADIUS: Reason = Reason::skip("not_radius");
/// An answered request, or its answer, once more.
const REPEATED: Reason = Reason::skip("repeated");
/// Calls that are remembered, so that their repetitions are known, and for how long: servers keep an answer for 5 to 30
/// seconds (RFC 5080, 2.2.2).
const MOST_DONE: usize = 32;
const REMEMBERED: Duration = Duration::from_secs(30);

/// On its port a packet; elsewhere one that its attributes fill to the last byte.
fn probe(message: &Datagram<'_>) -> Probe {
    let Some(packet) = Packet::parse(message.bytes) else { return Probe::No };
    let known = message.ports.iter().any(|port| PORTS.contains(port));
    let exact = packet.is_exact() && packet.length > HEADER && packet.length == message.original_len;
    if !known && !exact {
        return Probe::No;
    }
    Probe::Yes { client: if packet.code.is_request() { message.side } else { message.side.other() } }
}

/// Who asks, and the identifier.
type Key = (Side, u8);

/// What is remembered of a request beyond its exchange.
#[derive(Clone, Copy, Debug)]
struct Own {
    authenticator: [u8; 16],
}

/// An answered call.
#[derive(Clone, Copy, Debug)]
struct Done {
    key: Key,
    asked: Option<[u8; 16]>,
    answered: [u8; 16],
    at: Timestamp,
}

struct Radius {
    pending: Keyed<Key, Own>,
    done: VecDeque<Done>,
}

impl Radius {
    fn new(limits: &Limits, _client: Side) -> Self {
        Self { pending: Keyed::new(limits, limits.datagram_response_wait), done: VecDeque::new() }
    }

    fn request(&mut self, packet: &Packet<'_>, message: &Datagram<'_>, out: &mut Out) {
        let key = (message.side, packet.id);
        let Packet { authenticator, .. } = *packet;
        let at = message.mark.at;
        let again = |done: &Done| done.key == key && done.asked == Some(authenticator) && done.is_fresh(at);
        if self.done.iter().any(again) {
            return out.skip(REPEATED, message.bytes.len() as u64);
        }
        if let Some(turn) = self.pending.find(key)
            && turn.own.authenticator == authenticator
        {
            turn.exchange.note("retransmitted");
            if let Some(request) = &mut turn.exchange.request {
                request.track.frames.push(message.mark.packet);
            }
            return;
        }
        let mut exchange = describe::begin(message.side, packet.code, packet.id);
        exchange.request = Some(Message::bare(message.track()));
        describe::request(&mut exchange, packet);
        odd(&mut exchange, packet, message);
        self.pending.ask(key, Turn::new(exchange, Own { authenticator }), out);
    }

    fn response(&mut self, packet: &Packet<'_>, message: &Datagram<'_>, out: &mut Out) {
        let asker = message.side.other();
        let key = (asker, packet.id);
        let at = message.mark.at;
        let Packet { authenticator, .. } = *packet;
        let again = |done: &Done| done.key == key && done.answered == authenticator && done.is_fresh(at);
        if self.done.iter().any(again) {
            return out.skip(REPEATED, message.bytes.len() as u64);
        }
        let orphan = || {
            let exchange = describe::begin(asker, packet.code.answers(), packet.id);
            Turn::new(exchange, Own { authenticator: [0; 16] })
        };
        let Some(turn) = self.pending.answering(key, at, orphan, out) else { return };
        turn.exchange.response = Some(Message::bare(message.track()));
        describe::response(&mut turn.exchange, packet);
        odd(&mut turn.exchange, packet, message);
        turn.exchange.complete = true;
        let asked = turn.exchange.request.is_some().then_some(turn.own.authenticator);
        self.pending.answered(key, at, out);
        if self.done.len() >= MOST_DONE {
            self.done.pop_front();
        }
        self.done.push_back(Done { key, asked, answered: authenticator, at });
    }
}

impl Done {
    fn is_fresh(&self, now: Timestamp) -> bool {
        now.since(self.at) < REMEMBERED
    }
}

/// Notes what a packet should not be.
fn odd(exchange: &mut Exchange, packet: &Packet<'_>, message: &Datagram<'_>) {
    if message.is_cut() {
        exchange.note("cut");
        exchange.coverage = Coverage::Partial;
    } else if !packet.is_exact() {
        exchange.note("malformed");
    }
}

impl Messages for Radius {
    fn feed(&mut self, message: Datagram<'_>, out: &mut Out) -> Verdict {
        match Packet::parse(message.bytes) {
            None if !self.pending.is_waiting() => return Verdict::GiveUp(NOT_RADIUS),
            None => out.skip(NOT_RADIUS, message.bytes.len() as u64),
            Some(packet) if packet.code.is_request() => self.request(&packet, &message, out),
            Some(packet) => self.response(&packet, &message, out),
        }
        Verdict::Continue
    }

    fn end(&mut self, why: End, last: Mark, out: &mut Out) {
        self.pending.end(why, last.at, out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        self.pending.tick(now, out);
        while self.done.front().is_some_and(|done| !done.is_fresh(now)) {
            self.done.pop_front();
        }
    }

    fn open(&self, out: &mut Out) {
        self.pending.open(out);
    }

    fn waiting(&self) -> bool {
        self.pending.is_waiting()
    }
}
