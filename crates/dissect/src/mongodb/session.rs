//! Both sides of a connection, message by message.

use wirewise_model::{
    Coverage, Exchange, Kind, Limits, Mark, Message, Outcome, Reason, Side, Timestamp, Track,
};

use super::compress;
use super::describe;
use super::parse::{HEADER, Header, Op, begins, header};
use super::walk::{Facts, Walk};
use crate::pending::{Numbered, Turn};
use crate::{End, Fed, Input, Out, Stream, Verdict};

/// Passed over in search of a message.
const OUT_OF_STEP: Reason = Reason::loss("mongodb_out_of_step");
/// A compressed message longer than this is not waited for: it is paired, and not read.
const LONGEST_COMPRESSED: u32 = 128 << 10;

pub(super) fn open(limits: &Limits, client: Side) -> Box<dyn Stream> {
    Box::new(MongoDb {
        client,
        decompressed_bytes: limits.decompressed_bytes,
        lanes: [const { At::Message }; 2],
        turns: Numbered::new(limits),
    })
}

/// Where a side stands.
#[derive(Debug)]
enum At {
    /// Before a message.
    Message,
    /// In one.
    Body(Box<Incoming>),
    /// Out of step.
    Lost,
}

/// A message that is being read.
#[derive(Debug)]
struct Incoming {
    header: Header,
    track: Track,
    /// Bytes to come.
    left: u32,
    walk: Walk,
    holed: bool,
    note: Option<&'static str>,
}

struct MongoDb {
    client: Side,
    decompressed_bytes: usize,
    /// The client's, the server's.
    lanes: [At; 2],
    turns: Numbered<()>,
}

enum Step {
    Used(usize),
    Wait,
}

impl MongoDb {
    fn lane(&mut self, client: bool) -> &mut At {
        &mut self.lanes[usize::from(!client)]
    }

    fn step(&mut self, input: Input<'_>, fresh: bool, out: &mut Out) -> Step {
        let client = input.side == self.client;
        match std::mem::replace(self.lane(client), At::Lost) {
            At::Message => self.begin(input, client),
            At::Body(incoming) => self.go_on(incoming, input, client, out),
            At::Lost => {
                if fresh && begins(input.bytes).is_ok() {
                    *self.lane(client) = At::Message;
                    return Step::Used(0);
                }
                out.skip(OUT_OF_STEP, input.bytes.len() as u64);
                Step::Used(input.bytes.len())
            }
        }
    }

    /// A header.
    fn begin(&mut self, input: Input<'_>, client: bool) -> Step {
        let Some(head) = input.bytes.get(..HEADER) else {
            *self.lane(client) = At::Message;
            return Step::Wait;
        };
        let Some(header) = header(head) else {
            self.lose_step(client);
            return Step::Used(0);
        };
        let mut track = input.begin(0);
        input.cover(&mut track, 0..HEADER);
        let left = header.length - HEADER as u32;
        let walk = Walk::new(header.op);
        *self.lane(client) =
            At::Body(Box::new(Incoming { header, track, left, walk, holed: false, note: None }));
        Step::Used(HEADER)
    }

    /// More of a message.
    fn go_on(&mut self, mut incoming: Box<Incoming>, input: Input<'_>, client: bool, out: &mut Out) -> Step {
        let bytes = &input.bytes[..input.bytes.len().min(incoming.left as usize)];
        let packed = incoming.header.op == Op::Compressed && incoming.note.is_none() && !incoming.holed;
        let used = if packed {
            match self.unpack(&mut incoming, bytes) {
                Some(used) => used,
                None => {
                    *self.lane(client) = At::Body(incoming);
                    return Step::Wait;
                }
            }
        } else {
            incoming.walk.read(bytes, incoming.left)
        };
        input.cover(&mut incoming.track, 0..used);
        incoming.left -= used as u32;
        if incoming.left == 0 {
            *self.lane(client) = At::Message;
            self.message(*incoming, client, out);
            return Step::Used(used);
        }
        *self.lane(client) = At::Body(incoming);
        if used == 0 { Step::Wait } else { Step::Used(used) }
    }

    /// A compressed message, once it is whole. `None`: wait.
    fn unpack(&mut self, incoming: &mut Incoming, bytes: &[u8]) -> Option<usize> {
        if incoming.left > LONGEST_COMPRESSED {
            incoming.note = Some("compressed_not_read");
            return Some(bytes.len());
        }
        if bytes.len() < incoming.left as usize {
            return None;
        }
        match compress::undo(bytes, self.decompressed_bytes) {
            Some((op, plain)) => {
                incoming.header.op = op;
                incoming.walk = Walk::new(op);
                incoming.walk.read(&plain, plain.len() as u32);
                incoming.note = Some("compressed");
            }
            None => incoming.note = Some("compressed_not_read"),
        }
        Some(bytes.len())
    }

    fn message(&mut self, incoming: Incoming, client: bool, out: &mut Out) {
        if client { self.request(incoming, out) } else { self.reply(incoming, out) }
    }

    fn request(&mut self, incoming: Incoming, out: &mut Out) {
        let Incoming { header, track, walk, holed, note, .. } = incoming;
        let mut exchange = describe::begin(self.client);
        describe::request(&mut exchange, header.op, &walk.facts);
        exchange.request = Some(Message::bare(track));
        mark(&mut exchange, holed, note);
        if describe::is_answered(header.op, &walk.facts) {
            self.turns.ask(header.id, Turn::new(exchange, ()), out);
            return;
        }
        exchange.kind = Kind::Message;
        exchange.outcome = Outcome::OneWay;
        exchange.complete = true;
        out.exchanges.push(exchange);
    }

    fn reply(&mut self, incoming: Incoming, out: &mut Out) {
        let Incoming { header, track, walk, holed, note, .. } = incoming;
        let facts = walk.facts;
        let key = header.answers;
        let Some(turn) = self.turns.answering(key, track.first.at) else {
            let mut exchange = describe::begin(self.client);
            answer(&mut exchange, track, &facts, holed, note);
            exchange.complete = true;
            self.turns.orphan(key, Turn::new(exchange, ()), out);
            return;
        };
        answer(&mut turn.exchange, track, &facts, holed, note);
        if facts.more_to_come {
            turn.exchange.kind = Kind::Stream;
            self.turns.rename(key, header.id);
            return;
        }
        turn.exchange.complete = true;
        self.turns.answered(key, out);
    }

    fn lose_step(&mut self, client: bool) {
        *self.lane(client) = At::Lost;
        if !client {
            self.turns.answers_lost();
        }
    }

    /// A message whose rest will not come. A request is told, a reply is that of its request so far.
    fn cut_off(&mut self, client: bool, note: &'static str, out: &mut Out) {
        let At::Body(incoming) = std::mem::replace(self.lane(client), At::Lost) else { return };
        let Incoming { header, track, walk, .. } = *incoming;
        if client {
            let mut exchange = describe::begin(self.client);
            describe::request(&mut exchange, header.op, &Facts { malformed: false, ..walk.facts });
            exchange.request = Some(Message::bare(track));
            exchange.coverage = Coverage::Partial;
            exchange.note(note);
            out.exchanges.push(exchange);
        } else if let Some(turn) = self.turns.answering(header.answers, track.first.at) {
            let response = turn.exchange.response.take().map(|response| response.track);
            turn.exchange.response = Some(Message::bare(join(response, track)));
        }
    }
}

fn mark(exchange: &mut Exchange, holed: bool, note: Option<&'static str>) {
    if holed {
        exchange.note("gap");
        exchange.coverage = Coverage::Partial;
    }
    if let Some(note) = note {
        exchange.note(note);
        if note == "compressed_not_read" {
            exchange.coverage = Coverage::Partial;
        }
    }
}

/// A reply, or one more of a stream.
fn answer(exchange: &mut Exchange, track: Track, facts: &Facts, holed: bool, note: Option<&'static str>) {
    let before = exchange.response.take().map(|response| response.track);
    let first = before.is_none();
    exchange.response = Some(Message::bare(join(before, track)));
    mark(exchange, holed, note);
    if first || exchange.outcome == Outcome::Ok {
        exchange.outcome = Outcome::Unknown;
        describe::reply(exchange, facts);
    }
}

fn join(before: Option<Track>, track: Track) -> Track {
    let Some(mut joined) = before else { return track };
    for &packet in &track.frames.numbers {
        joined.frames.push(packet);
    }
    joined.frames.omitted += track.frames.omitted;
    joined.extend(track.last, track.bytes);
    joined
}

impl Stream for MongoDb {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let mut at = 0;
        while at < input.bytes.len() {
            match self.step(input.skip(at), at == 0, out) {
                Step::Used(used) => at += used,
                Step::Wait => break,
            }
        }
        Fed::go_on(at)
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        let client = side == self.client;
        if let At::Body(incoming) = self.lane(client)
            && let Some(rest) = u64::from(incoming.left).checked_sub(len)
        {
            incoming.left = rest as u32;
            incoming.walk.lose();
            incoming.holed = true;
            if rest == 0
                && let At::Body(incoming) = std::mem::replace(self.lane(client), At::Message)
            {
                self.message(*incoming, client, out);
            }
            return Verdict::Continue;
        }
        self.cut_off(client, "gap", out);
        self.lose_step(client);
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        let at = last.at;
        if side == Some(self.client) && why == End::Fin {
            self.cut_off(true, "request_cut", out);
            return;
        }
        self.cut_off(true, "request_cut", out);
        self.cut_off(false, "cut", out);
        self.turns.end(why, at, out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        self.turns.tick(now, out);
    }

    fn open(&self, out: &mut Out) {
        self.turns.open(out);
    }

    fn waiting(&self) -> bool {
        self.turns.is_waiting()
    }
}

#[cfg(test)]
mod tests {
    use super::super::parse::More;
    use super::*;

    #[test]
    fn what_begins_like_a_message_and_is_none_is_not_waited_for() {
        assert_eq!(begins(b"GET / HTTP/1.1\r\n\r\n"), Err(More(false)));
        assert_eq!(begins(&[30, 0, 0]), Err(More(true)));
    }
}
