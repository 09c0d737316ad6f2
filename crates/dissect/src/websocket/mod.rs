//! WebSocket, RFC 6455, with the compression of RFC 7692; begun by an exchange of HTTP/1 that agreed on it.
//!
//! One [`Talk`] reads a session: each side is frames, of which only a head and a control frame's payload ever wait.
//! `parse` reads heads, `message` keeps what is kept of a message, `describe` makes exchanges of them. Every message
//! is a call of its own, one way; a ping and the pong that gives its payload back are one call, whose client is
//! whoever asked. No content is told: it is nobody's protocol here, and a refiner would have to scrub it.
//!
//! **Entered in the middle.** A session is known by a segment of a client that is whole masked frames, a
//! readable text or a long one among them. What was compressed is not expanded then, since earlier messages are missing.
//!
//! **Finding its feet again.** A gap inside a payload costs that message its content. After any other loss a side is
//! passed over until a segment is whole frames, masked as that side has to.
//!
//! **Bounds.** `Limits::body_kept` of a message, 125 bytes of a control frame, one ping a side; expanded messages as
//! bodies of HTTP.

use std::time::Duration;

use wirewise_model::{
    Coverage, Exchange, Kind, Limits, Mark, Message as Half, Outcome, Reason, Redaction, Side, Timestamp,
    Track,
};

use crate::http::BodyBounds;
use crate::lineup::join;
use crate::{End, Fed, Heads, Input, Out, Probe, Protocol, Stream, StreamEntry, Verdict};

mod describe;
mod message;
mod parse;
#[cfg(test)]
mod tests;

use describe::{Agreed, Control};
use message::{Inflate, Message};
use parse::{Head, LONGEST_CONTROL, LONGEST_HEAD, Read, opcode};

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: describe::NAME,
    title: "WebSocket",
    reference: "RFC 6455",
    ports: &[],
    redaction: Redaction::Web,
    stream: Some(StreamEntry { probe, open: |limits, client| Box::new(Talk::new(limits, client)) }),
    message: None,
    refine: None,
};

/// Bytes that are no frame: after a loss.
const OUT_OF_STEP: Reason = Reason::loss("out_of_step");

/// Only what is entered in the middle has to be recognized: else the handshake says it.
fn probe(heads: &Heads<'_>) -> Probe {
    let asks = [Side::A, Side::B].into_iter().find(|&side| parse::speaks_for_itself(heads.of(side)));
    match asks.filter(|_| heads.mid_stream) {
        Some(client) => Probe::Yes { client },
        None => Probe::No,
    }
}

/// A frame whose payload is coming.
struct Frame {
    head: Head,
    /// Bytes of the payload that have come.
    come: u64,
    /// What is gathered of a control frame.
    control: Vec<u8>,
    track: Track,
    holed: bool,
}

/// Where a side stands.
enum At {
    /// In a head, of which so much has come.
    Head {
        bytes: [u8; LONGEST_HEAD],
        have: usize,
        track: Option<Track>,
    },
    Payload(Box<Frame>),
    /// Out of step.
    Lost,
}

impl At {
    const BETWEEN: Self = Self::Head { bytes: [0; LONGEST_HEAD], have: 0, track: None };
}

/// One side.
struct Reader {
    at: At,
    message: Option<Box<Message>>,
    inflate: Option<Box<Inflate>>,
    /// A ping of this side that waits for its pong.
    ping: Option<Box<Control>>,
    /// Its pong may have been among bytes that were lost.
    exposed: bool,
    /// Messages before were not heard, and compressed ones may refer to them.
    forgot: bool,
}

/// The dissector of one session.
struct Talk {
    bounds: BodyBounds,
    wait: Duration,
    client: Side,
    agreed: Agreed,
    readers: [Reader; 2],
}

impl Talk {
    fn new(limits: &Limits, client: Side) -> Self {
        let reader = || Reader {
            at: At::Lost,
            message: None,
            inflate: None,
            ping: None,
            exposed: false,
            forgot: true,
        };
        Self {
            bounds: BodyBounds::new(limits),
            wait: limits.response_wait,
            client,
            agreed: Agreed::default(),
            readers: [reader(), reader()],
        }
    }

    fn reader(&mut self, side: Side) -> &mut Reader {
        &mut self.readers[side.index()]
    }

    /// Takes something from the front of `input`, and says how much.
    fn step(&mut self, input: Input<'_>, fresh: bool, out: &mut Out) -> usize {
        let masked = input.side == self.client;
        match &mut self.reader(input.side).at {
            At::Head { .. } => self.head(input, out),
            At::Payload(_) => self.payload(input, out),
            at @ At::Lost => {
                if fresh && parse::are_frames(input.bytes, masked) {
                    *at = At::BETWEEN;
                    return 0;
                }
                out.skip(OUT_OF_STEP, input.bytes.len() as u64);
                input.bytes.len()
            }
        }
    }

    /// In the head of a frame.
    fn head(&mut self, input: Input<'_>, out: &mut Out) -> usize {
        let side = input.side;
        let At::Head { bytes, have, track } = &mut self.readers[side.index()].at else { return 0 };
        let track = track.get_or_insert_with(|| input.begin(0));
        let mut used = 0;
        loop {
            match parse::head(bytes.get(..*have).unwrap_or_default()) {
                Read::Need(whole) => {
                    let Some(&next) = input.bytes.get(used) else { break };
                    let Some(place) = bytes.get_mut(*have).filter(|_| *have < whole) else { break };
                    *place = next;
                    *have += 1;
                    used += 1;
                }
                Read::Head(head, _) => {
                    input.cover(track, 0..used);
                    let track = track.clone();
                    self.begin_frame(side, head, track, out);
                    return used;
                }
                Read::Bad => {
                    out.skip(OUT_OF_STEP, used as u64);
                    self.lose_step(side, out);
                    return used;
                }
            }
        }
        input.cover(track, 0..used);
        used
    }

    fn begin_frame(&mut self, side: Side, head: Head, track: Track, out: &mut Out) {
        if !head.is_control() {
            self.begin_part(side, &head, &track, out);
        }
        let frame = Frame { head, come: 0, control: Vec::new(), track, holed: false };
        self.reader(side).at = At::Payload(Box::new(frame));
        if head.length == 0 {
            self.end_frame(side, out);
        }
    }

    /// A frame of a message: its first, or one more.
    fn begin_part(&mut self, side: Side, head: &Head, track: &Track, out: &mut Out) {
        if head.opcode != opcode::CONTINUATION || self.reader(side).message.is_none() {
            // 5.4: a message that goes on in none of its frames was cut off.
            self.cut_message(side, out);
            let mut message = Message::new(head, track.clone());
            message.holed = head.opcode == opcode::CONTINUATION;
            self.begin_inflate(side, &message);
            self.reader(side).message = Some(Box::new(message));
        }
        if let Some(message) = &mut self.reader(side).message {
            message.frames = message.frames.saturating_add(1);
            if message.frames > 1 {
                join(&mut message.track, track);
            }
        }
    }

    /// A compressed message needs its side's decoder, where there can be one.
    fn begin_inflate(&mut self, side: Side, message: &Message) {
        let Some(alone) = self.agreed.deflate.filter(|_| message.compressed) else { return };
        let reader = self.reader(side);
        if alone[side.index()] {
            reader.inflate.get_or_insert_with(|| Box::new(Inflate::new())).reset();
        } else if reader.inflate.is_none() && !reader.forgot {
            reader.inflate = Some(Box::new(Inflate::new()));
        }
    }

    /// In the payload of a frame.
    fn payload(&mut self, input: Input<'_>, out: &mut Out) -> usize {
        let (side, bounds) = (input.side, self.bounds);
        let Reader { at: At::Payload(frame), message, inflate, .. } = &mut self.readers[side.index()] else {
            return 0;
        };
        let left = usize::try_from(frame.head.length - frame.come).unwrap_or(usize::MAX);
        let used = left.min(input.bytes.len());
        let mut piece = input.bytes.get(..used).unwrap_or_default().to_vec();
        if let Some(key) = frame.head.mask {
            parse::unmask(&mut piece, key, frame.come);
        }
        frame.come += used as u64;
        if frame.head.is_control() {
            input.cover(&mut frame.track, 0..used);
            let room = LONGEST_CONTROL.saturating_sub(frame.control.len());
            frame.control.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        } else if let Some(message) = message {
            input.cover(&mut message.track, 0..used);
            message.take(&piece, inflate.as_deref_mut().filter(|inflate| inflate.stands()), &bounds);
        }
        if used == left {
            self.end_frame(side, out);
        }
        used
    }

    /// The last byte of a frame has come.
    fn end_frame(&mut self, side: Side, out: &mut Out) {
        let reader = self.reader(side);
        let At::Payload(frame) = std::mem::replace(&mut reader.at, At::BETWEEN) else { return };
        let Frame { head, control: payload, track, holed, .. } = *frame;
        if !head.is_control() {
            if head.fin {
                self.end_message(side, true, out);
            }
            return;
        }
        let frame = Control {
            opcode: head.opcode,
            length: head.length,
            payload,
            track,
            fragmented: !head.fin,
            holed,
        };
        match head.opcode {
            opcode::PING => {
                self.reader(side).exposed = false;
                if let Some(before) = self.reader(side).ping.replace(Box::new(frame)) {
                    // 5.5.3: whoever is asked twice may answer the last alone.
                    out.exchanges.push(describe::control(&self.agreed, self.client, side, &before));
                }
            }
            opcode::PONG => self.pong(side, &frame, out),
            _ => out.exchanges.push(describe::control(&self.agreed, self.client, side, &frame)),
        }
    }

    /// A pong answers the ping of the other side with the same payload; else it is a sign of life.
    fn pong(&mut self, side: Side, pong: &Control, out: &mut Out) {
        let asked = self.reader(side.other()).ping.take_if(|ping| ping.payload == pong.payload);
        let Some(ping) = asked else {
            return out.exchanges.push(describe::control(&self.agreed, self.client, side, pong));
        };
        let mut exchange = self.asking(side.other(), &ping);
        exchange.response = Some(Half::bare(pong.track.clone()));
        exchange.outcome = Outcome::Ok;
        exchange.complete = true;
        describe::odd(&mut exchange, pong);
        out.exchanges.push(exchange);
    }

    /// A ping as a question.
    fn asking(&self, by: Side, ping: &Control) -> Exchange {
        let mut exchange = describe::begin(&self.agreed, by, opcode::PING, ping.length);
        exchange.kind = Kind::Probe;
        exchange.request = Some(Half::bare(ping.track.clone()));
        describe::odd(&mut exchange, ping);
        exchange
    }

    fn end_message(&mut self, side: Side, whole: bool, out: &mut Out) {
        let (client, bounds) = (self.client, self.bounds);
        let reader = &mut self.readers[side.index()];
        let Some(mut message) = reader.message.take() else { return };
        if whole {
            let inflate = reader.inflate.as_deref_mut().filter(|inflate| inflate.stands());
            message.finish(inflate, &bounds);
        }
        if let Some(inflate) =
            reader.inflate.as_mut().filter(|_| message.compressed && (message.holed || !whole))
        {
            inflate.give_up();
        }
        out.exchanges.push(describe::message(&self.agreed, client, side, *message, whole));
    }

    /// What was heard of a message that does not go on.
    fn cut_message(&mut self, side: Side, out: &mut Out) {
        self.end_message(side, false, out);
    }

    /// What comes is no frame: something was lost.
    fn lose_step(&mut self, side: Side, out: &mut Out) {
        let reader = self.reader(side);
        reader.at = At::Lost;
        reader.forgot = true;
        if let Some(inflate) = &mut reader.inflate {
            inflate.give_up();
        }
        if let Some(message) = &mut reader.message {
            message.holed = true;
        }
        self.cut_message(side, out);
    }

    /// Closes what `side` has under way.
    fn close(&mut self, side: Side, why: End, at: Timestamp, out: &mut Out) {
        let before = out.exchanges.len();
        self.cut_message(side, out);
        for exchange in out.exchanges.iter_mut().skip(before) {
            match why {
                End::Fin => {}
                End::Reset => exchange.note("reset"),
                End::TimedOut => exchange.note("timed_out"),
                End::CaptureEnded | End::Evicted => {
                    // It may have gone on.
                    exchange.outcome = Outcome::Unknown;
                    exchange.note(if why == End::Evicted { "evicted" } else { "capture_ended" });
                }
            }
        }
        self.reader(side).at = At::BETWEEN;
        if let Some(ping) = self.reader(side).ping.take() {
            self.unanswered(side, &ping, why, at, out);
        }
    }

    /// A ping whose pong was not heard.
    fn unanswered(&mut self, side: Side, ping: &Control, why: End, at: Timestamp, out: &mut Out) {
        let mut exchange = self.asking(side, ping);
        why.close(&mut exchange, at);
        if self.reader(side).exposed {
            exchange.outcome = Outcome::Unknown;
            exchange.note("gap");
            exchange.coverage = Coverage::Partial;
        }
        out.exchanges.push(exchange);
    }
}

impl Stream for Talk {
    fn inherit(&mut self, agreed: Exchange) {
        self.client = agreed.client;
        self.agreed = Agreed::read(agreed);
        for reader in &mut self.readers {
            reader.at = At::BETWEEN;
            reader.forgot = false;
        }
    }

    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let mut at = 0;
        while at < input.bytes.len() {
            at += self.step(input.skip(at), at == 0, out);
        }
        Fed::go_on(at)
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        // A pong may have been among them.
        self.reader(side.other()).exposed = true;
        let Reader { at: At::Payload(frame), message, .. } = self.reader(side) else {
            self.lose_step(side, out);
            return Verdict::Continue;
        };
        let lost = len.min(frame.head.length - frame.come);
        frame.come += lost;
        frame.holed = true;
        let over = frame.come == frame.head.length;
        if let Some(message) = message.as_mut().filter(|_| !frame.head.is_control()) {
            message.lose(lost);
        }
        if over {
            self.end_frame(side, out);
        }
        if len > lost {
            self.lose_step(side, out);
        }
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        for each in [Side::A, Side::B] {
            if side.is_none_or(|side| side == each) {
                self.close(each, why, last.at, out);
            }
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        for side in [Side::A, Side::B] {
            let wait = self.wait;
            let late = |ping: &mut Box<Control>| now.since(ping.track.last.at) >= wait;
            if let Some(ping) = self.reader(side).ping.take_if(late) {
                self.unanswered(side, &ping, End::TimedOut, now, out);
            }
        }
    }

    fn open(&self, out: &mut Out) {
        for side in [Side::A, Side::B] {
            let reader = &self.readers[side.index()];
            if let Some(message) = &reader.message {
                let mut exchange =
                    describe::message(&self.agreed, self.client, side, (**message).clone(), false);
                exchange.outcome = Outcome::Open;
                out.exchanges.push(exchange);
            }
            if let Some(ping) = &reader.ping {
                let mut exchange = self.asking(side, ping);
                exchange.outcome = Outcome::Open;
                out.exchanges.push(exchange);
            }
        }
    }

    fn waiting(&self) -> bool {
        self.readers.iter().any(|reader| reader.message.is_some() || reader.ping.is_some())
    }
}
