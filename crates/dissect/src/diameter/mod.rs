//! Diameter (RFC 6733) over TCP and SCTP: the base protocol, and the applications whose commands are known by name.
//!
//! **What a call is.** A request with its answer, which repeats its hop-by-hop identifier. Both ends of a connection ask,
//! so a call's client may be either. Capabilities and disconnection are `session`, watchdogs a `probe`. `target` is the
//! realm that it is for, `host` the host.
//!
//! **Outcomes.** By Result-Code or Experimental-Result: below 3000, and a redirection, is well. What a server could not do
//! is a `server_error`, all else a `client_error`.
//!
//! **What is not told.** AVPs that `names.rs` does not list: passwords, keys, EAP, a subscriber's numbers.
//!
//! **Finding its feet again.** A gap inside of a long message costs that message. After any other a side is passed over
//! until a segment begins as a message does; identifiers say what answers what, so nothing else is lost.

use wirewise_model::{Coverage, Limits, Mark, Reason, Redaction, Side, Timestamp, Transport};

use crate::framed::{Framed, Framer, Gap, Measure, Step};
use crate::pending::{Keyed, Turn};
use crate::{
    Datagram, End, Fed, Heads, Input, MessageEntry, Messages, Out, Probe, Protocol, Stream, StreamEntry,
    Verdict,
};

mod describe;
mod names;
mod parse;
#[cfg(test)]
mod tests;

use parse::Message;

const PORT: u16 = 3868;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: describe::NAME,
    title: "Diameter",
    reference: "RFC 6733",
    ports: &[PORT],
    redaction: Redaction::Text,
    stream: Some(StreamEntry { probe, open: |limits, client| Box::new(Diameter::new(limits, client)) }),
    message: Some(MessageEntry {
        probe: probe_message,
        open: |limits, client| Box::new(Association(Calls::new(limits, client))),
    }),
    refine: None,
};

/// A message of such an association that is none of Diameter.
const NOT_DIAMETER: Reason = Reason::skip("not_diameter");

fn probe(heads: &Heads<'_>) -> Probe {
    let mut more = false;
    for side in [Side::A, Side::B] {
        if heads.of(side).is_empty() {
            continue;
        }
        match parse::front(heads.of(side)) {
            // Whoever asks first is the client: who opened the connection says who it is (RFC 6733, 5.3).
            (_, Some(asks)) => return Probe::Yes { client: if asks { side } else { side.other() } },
            (Measure::More, None) => more = !heads.ended,
            (Measure::Whole(_) | Measure::Bad, None) => return Probe::No,
        }
    }
    if more { Probe::NeedMore } else { Probe::No }
}

fn probe_message(message: &Datagram<'_>) -> Probe {
    match parse::front(message.bytes) {
        (_, Some(asks)) if message.transport == Transport::Sctp => {
            Probe::Yes { client: if asks { message.side } else { message.side.other() } }
        }
        _ => Probe::No,
    }
}

/// The calls of a connection: who asks, and the hop-by-hop identifier.
#[derive(Debug)]
struct Calls {
    client: Side,
    pending: Keyed<(Side, u32), u32>,
}

impl Calls {
    fn new(limits: &Limits, client: Side) -> Self {
        Self { client, pending: Keyed::new(limits, limits.response_wait) }
    }

    fn take(&mut self, framed: &Framed<'_>, out: &mut Out) {
        let Some(message) = Message::parse(framed.head) else { return };
        if message.is_request() {
            self.ask(&message, framed, out);
        } else {
            self.answer(&message, framed, out);
        }
    }

    fn ask(&mut self, message: &Message<'_>, framed: &Framed<'_>, out: &mut Out) {
        let key = (framed.side, message.hop_by_hop);
        let mut exchange = describe::begin(framed.side, message);
        exchange.request = Some(wirewise_model::Message::bare(framed.track.clone()));
        describe::request(&mut exchange, message);
        if message.may_be_again() {
            exchange.note("retransmitted");
        }
        if framed.holed {
            exchange.note("gap");
            exchange.coverage = Coverage::Partial;
        }
        self.pending.ask(key, Turn::new(exchange, message.end_to_end), out);
    }

    fn answer(&mut self, message: &Message<'_>, framed: &Framed<'_>, out: &mut Out) {
        let asker = framed.side.other();
        let key = (asker, message.hop_by_hop);
        let at = framed.track.first.at;
        let orphan = || Turn::new(describe::begin(asker, message), message.end_to_end);
        let Some(turn) = self.pending.answering(key, at, orphan, out) else { return };
        turn.exchange.response = Some(wirewise_model::Message::bare(framed.track.clone()));
        describe::response(&mut turn.exchange, message);
        if framed.holed {
            turn.holed();
        }
        // RFC 6733, 6.2: an answer carries its request's end-to-end identifier too.
        if turn.own != message.end_to_end {
            turn.exchange.note("other_end_to_end_id");
        }
        turn.exchange.complete = true;
        self.pending.answered(key, at, out);
    }
}

/// The dissector of one stream.
struct Diameter {
    calls: Calls,
    framer: Framer,
}

impl Diameter {
    fn new(limits: &Limits, client: Side) -> Self {
        Self { calls: Calls::new(limits, client), framer: Framer::new(limits, parse::measure) }
    }
}

impl Stream for Diameter {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let mut consumed = 0;
        loop {
            let mut rest = Vec::new();
            match self.framer.next(input.skip(consumed), &mut rest, out) {
                Step::Wait(taken) => return Fed::go_on(consumed + taken),
                Step::Message(framed, taken) => {
                    consumed += taken;
                    self.calls.take(&framed, out);
                }
            }
        }
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        if let Gap::OutOfStep(unfinished) = self.framer.gap(side, len) {
            if let Some(unfinished) = unfinished {
                self.calls.take(&unfinished.framed(), out);
            }
            self.calls.pending.answers_lost(|(asker, _)| asker != side);
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

/// The dissector of one association: a message of it is one of Diameter (RFC 6733, 2.1).
struct Association(Calls);

impl Messages for Association {
    fn feed(&mut self, message: Datagram<'_>, out: &mut Out) -> Verdict {
        if parse::front(message.bytes).1.is_none() {
            out.skip(NOT_DIAMETER, message.bytes.len() as u64);
            return Verdict::Continue;
        }
        let track = message.track();
        let framed = Framed { side: message.side, head: message.bytes, holed: message.is_cut(), track };
        self.0.take(&framed, out);
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
