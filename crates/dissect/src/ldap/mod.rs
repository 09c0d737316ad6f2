//! LDAP version 3 (RFC 4511) and 2, over TCP and, as Active Directory's clients look for their servers, over UDP.
//!
//! **What a call is.** Every request with its result; a search with all its entries and references, of which
//! `db.response.returned_rows` and `ldap.references` tell the number. They are paired by message id, whatever the order.
//! Unbind and abandon are one-way; who abandons leaves a note on the call. `target` is the entry, or the kind of an
//! extended operation; `endpoint` the entry's place in the tree, or the operation again. A server that says it goes (message
//! id 0) is a `message`.
//! A search that stays to hear of changes is a `stream`.
//!
//! **Outcomes.** By result code; comparisons that fail, referrals and a SASL exchange under way are well.
//!
//! **What is not told.** Passwords, credentials, values of attributes, filters and comparisons.
//!
//! **What follows.** A StartTLS that succeeds leaves the flow to TLS. What a SASL layer seals is passed over.
//!
//! **Finding its feet again.** A gap inside of a long message costs that message. After any other a side is passed over
//! until a segment begins as a message does; ids say what answers what, so nothing else is lost.

use wirewise_model::{Coverage, Kind, Limits, Mark, Outcome, Reason, Redaction, Side, Timestamp};

use crate::framed::{Framed, Framer, Gap, Measure, Step};
use crate::lineup::join;
use crate::pending::{Keyed, Turn};
use crate::{
    Datagram, End, Fed, Heads, Input, MessageEntry, Messages, Out, Probe, Protocol, Stream, StreamEntry,
    Verdict,
};

mod describe;
mod filter;
mod names;
mod parse;
#[cfg(test)]
mod tests;

use parse::{Message, Op, Role};

const PORT: u16 = 389;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: describe::NAME,
    title: "LDAP",
    reference: "RFC 4511",
    ports: &[PORT, 3268],
    redaction: Redaction::Text,
    stream: Some(StreamEntry { probe, open: |limits, client| Box::new(Ldap::new(limits, client)) }),
    message: Some(MessageEntry {
        probe: probe_datagram,
        open: |limits, client| Box::new(Datagrams(Calls::new(limits, limits.datagram_response_wait, client))),
    }),
    refine: None,
};

/// What a SASL layer sealed.
const SEALED: Reason = Reason::skip("sasl_protected");
/// No message, or one that only the other side says.
const NOT_LDAP: Reason = Reason::skip("not_ldap");

fn probe(heads: &Heads<'_>) -> Probe {
    let mut more = false;
    for side in [Side::A, Side::B] {
        if heads.of(side).is_empty() {
            continue;
        }
        match parse::front(heads.of(side)) {
            (_, Some(role)) => return Probe::Yes { client: if role.is_ask() { side } else { side.other() } },
            (Measure::More, None) => more = !heads.ended,
            (Measure::Whole(_) | Measure::Bad, None) => return Probe::No,
        }
    }
    if more { Probe::NeedMore } else { Probe::No }
}

fn probe_datagram(message: &Datagram<'_>) -> Probe {
    match parse::front(message.bytes) {
        (_, Some(role)) => {
            Probe::Yes { client: if role.is_ask() { message.side } else { message.side.other() } }
        }
        (_, None) => Probe::No,
    }
}

/// What is remembered of a request beyond its exchange.
#[derive(Clone, Copy, Debug, Default)]
struct Own {
    entries: i64,
    references: i64,
    /// It asks for TLS.
    starts_tls: bool,
}

/// The calls of a flow.
#[derive(Debug)]
struct Calls {
    client: Side,
    pending: Keyed<i64, Own>,
}

impl Calls {
    fn new(limits: &Limits, wait: std::time::Duration, client: Side) -> Self {
        Self { client, pending: Keyed::new(limits, wait) }
    }

    /// Takes a message; `None` where it is none. Whether TLS begins behind it.
    fn take(&mut self, framed: &Framed<'_>, out: &mut Out) -> Option<bool> {
        let message = Message::parse(framed.head)?;
        if message.role.is_ask() != (framed.side == self.client) {
            return None;
        }
        match message.role {
            Role::Ask(op) => {
                self.ask(op, &message, framed, out);
                Some(false)
            }
            role => Some(self.answer(role, &message, framed, out)),
        }
    }

    fn ask(&mut self, op: Op, message: &Message<'_>, framed: &Framed<'_>, out: &mut Out) {
        let mut exchange = describe::begin(self.client, op);
        exchange.request = Some(wirewise_model::Message::bare(framed.track.clone()));
        describe::request(&mut exchange, op, message);
        if framed.holed {
            exchange.note("gap");
            exchange.coverage = Coverage::Partial;
        }
        if matches!(op, Op::Unbind | Op::Abandon) {
            if let Some(abandoned) = parse::number(message.value).and_then(|id| self.pending.find(id))
                && op == Op::Abandon
            {
                abandoned.exchange.note("abandoned");
            }
            exchange.outcome = Outcome::OneWay;
            exchange.complete = true;
            out.exchanges.push(exchange);
            return;
        }
        let starts_tls = exchange.target == "StartTLS" && op == Op::Extended;
        self.pending.ask(message.id, Turn::new(exchange, Own { starts_tls, ..Own::default() }), out);
    }

    /// A part of an answer, or all of it. Whether TLS begins behind it.
    fn answer(&mut self, role: Role, message: &Message<'_>, framed: &Framed<'_>, out: &mut Out) -> bool {
        let first = framed.track.first;
        if message.id == 0
            && let Role::Result(op) = role
        {
            self.unsolicited(op, message, framed, out);
            return false;
        }
        let client = self.client;
        let orphan = || {
            let op = if let Role::Result(op) = role { op } else { Op::Search };
            let mut exchange = describe::begin(client, op);
            exchange.attribute("ldap.messageID", message.id);
            Turn::new(exchange, Own::default())
        };
        let Some(turn) = self.pending.answering(message.id, first.at, orphan, out) else { return false };
        match &mut turn.exchange.response {
            Some(response) => join(&mut response.track, &framed.track),
            none => *none = Some(wirewise_model::Message::bare(framed.track.clone())),
        }
        if framed.holed {
            turn.holed();
        }
        match role {
            Role::Entry => turn.own.entries += 1,
            Role::Reference => turn.own.references += 1,
            Role::Intermediate | Role::Ask(_) => {}
            Role::Result(op) => {
                describe::result(&mut turn.exchange, op, message);
                turn.exchange.complete = true;
                if op == Op::Search {
                    if turn.is_exposed() {
                        turn.holed();
                    }
                    turn.exchange.attribute("db.response.returned_rows", turn.own.entries);
                    if turn.own.references > 0 {
                        turn.exchange.attribute("ldap.references", turn.own.references);
                    }
                }
                let begins = turn.own.starts_tls && turn.exchange.status_code == Some(0);
                self.pending.answered(message.id, first.at, out);
                return begins;
            }
        }
        false
    }

    /// A server speaks up by itself (RFC 4511, 4.4).
    fn unsolicited(&self, op: Op, message: &Message<'_>, framed: &Framed<'_>, out: &mut Out) {
        let mut exchange = describe::begin(self.client, op);
        exchange.kind = Kind::Message;
        exchange.response = Some(wirewise_model::Message::bare(framed.track.clone()));
        describe::result(&mut exchange, op, message);
        exchange.outcome = Outcome::OneWay;
        exchange.complete = true;
        out.exchanges.push(exchange);
    }
}

/// The dissector of one stream.
struct Ldap {
    calls: Calls,
    framer: Framer,
}

impl Ldap {
    fn new(limits: &Limits, client: Side) -> Self {
        Self {
            calls: Calls::new(limits, limits.response_wait, client),
            framer: Framer::new(limits, parse::measure),
        }
    }
}

impl Stream for Ldap {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let mut consumed = 0;
        loop {
            let mut rest = Vec::new();
            let framed = match self.framer.next(input.skip(consumed), &mut rest, out) {
                Step::Wait(taken) => return Fed::go_on(consumed + taken),
                Step::Message(framed, taken) => {
                    consumed += taken;
                    framed
                }
            };
            if parse::is_wrapped(framed.head) {
                out.skip(SEALED, framed.track.bytes.min(consumed as u64));
                continue;
            }
            match self.calls.take(&framed, out) {
                None => out.skip(NOT_LDAP, framed.track.bytes.min(consumed as u64)),
                Some(true) => return Fed { consumed, verdict: Verdict::Upgrade(Some("tls")) },
                Some(false) => {}
            }
        }
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        if let Gap::OutOfStep(unfinished) = self.framer.gap(side, len) {
            if let Some(unfinished) = unfinished {
                self.calls.take(&unfinished.framed(), out);
            }
            if side != self.calls.client {
                self.calls.pending.answers_lost(|_| true);
            }
        }
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        for unfinished in self.framer.end(side) {
            self.calls.take(&unfinished.framed(), out);
        }
        if side == Some(self.calls.client) && why == End::Fin {
            // Half-closed: what was asked may still be answered.
            return;
        }
        self.calls.pending.end(why, last.at, out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        self.calls.pending.tick(now, out);
    }

    fn open(&self, out: &mut Out) {
        self.calls.pending.open(out);
    }

    fn waiting(&self) -> bool {
        self.calls.pending.is_waiting()
    }
}

/// The dissector of one flow of datagrams: each holds whole messages.
struct Datagrams(Calls);

impl Messages for Datagrams {
    fn feed(&mut self, message: Datagram<'_>, out: &mut Out) -> Verdict {
        let mut rest = message.bytes;
        while !rest.is_empty() {
            let Measure::Whole(length) = parse::front(rest).0 else { break };
            let taken = usize::try_from(length).unwrap_or(usize::MAX).min(rest.len());
            let (head, after) = rest.split_at(taken);
            let cut = (taken as u64) < length;
            let track = message.track();
            let framed = Framed { side: message.side, head, holed: cut, track };
            if self.0.take(&framed, out).is_none() {
                break;
            }
            rest = after;
        }
        out.skip(NOT_LDAP, rest.len() as u64);
        Verdict::Continue
    }

    fn end(&mut self, why: End, last: Mark, out: &mut Out) {
        self.0.pending.end(why, last.at, out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        self.0.pending.tick(now, out);
    }

    fn open(&self, out: &mut Out) {
        self.0.pending.open(out);
    }

    fn waiting(&self) -> bool {
        self.0.pending.is_waiting()
    }
}
