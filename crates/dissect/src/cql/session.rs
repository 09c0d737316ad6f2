//! Both sides of a connection, message by message.

use std::sync::Arc;

use wirewise_model::{Coverage, Limits, Mark, Message, Reason, Side, Timestamp, Track};

use super::body::{self, Algorithm, LONGEST_PACKED};
use super::describe::{self, Asked, Learnt};
use super::parse::{HEADER, Header, Look, Op, begins, flag, header};
use super::segment::{self, OUT_OF_STEP as SEGMENTS_OUT_OF_STEP, Taken};
use crate::inner::Inner;
use crate::pending::{Numbered, Turn};
use crate::statement::Prepared;
use crate::{End, Fed, Input, Out, Stream, Verdict};

/// Passed over in search of a message.
const OUT_OF_STEP: Reason = Reason::loss("cql_out_of_step");

pub(super) fn open(limits: &Limits, client: Side) -> Box<dyn Stream> {
    Box::new(Cql {
        client,
        longest_text: u32::try_from(limits.header_bytes).unwrap_or(u32::MAX),
        decompressed_bytes: limits.decompressed_bytes,
        lanes: [const { At::Message }; 2],
        turns: Numbered::new(limits),
        memory: None,
        algorithm: Algorithm::Unknown,
        segments: None,
        heard: false,
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

/// A message of which what is told was read, and bytes are still to come.
#[derive(Debug)]
struct Incoming {
    header: Header,
    turn: Turn<Asked>,
    track: Track,
    left: u32,
    /// A response's id for a prepared statement, or keyspace.
    learnt: Knowledge,
}

#[derive(Debug, Default)]
enum Knowledge {
    #[default]
    Nothing,
    Prepared(Box<[u8]>),
    Keyspace(Box<str>),
}

/// What a connection keeps when nothing is under way.
#[derive(Debug, Default)]
struct Memory {
    prepared: Prepared,
    keyspace: Option<Box<str>>,
}

/// Version 5: messages in segments.
#[derive(Debug)]
struct Segments {
    packed: Option<bool>,
    /// The client's, the server's.
    inner: [Inner; 2],
    lost: [bool; 2],
}

struct Cql {
    client: Side,
    longest_text: u32,
    decompressed_bytes: usize,
    /// The client's, the server's.
    lanes: [At; 2],
    turns: Numbered<Asked>,
    memory: Option<Box<Memory>>,
    algorithm: Algorithm,
    segments: Option<Box<Segments>>,
    /// Whether anything was read yet.
    heard: bool,
}

enum Step {
    Used(usize),
    Wait,
}

impl Cql {
    fn lane(&mut self, client: bool) -> &mut At {
        &mut self.lanes[usize::from(!client)]
    }

    fn step(&mut self, input: Input<'_>, fresh: bool, out: &mut Out) -> Step {
        let client = input.side == self.client;
        match std::mem::replace(self.lane(client), At::Message) {
            At::Message => self.message(input, client, out),
            At::Body(incoming) => self.go_on(incoming, input, client, out),
            At::Lost => {
                if fresh && matches!(begins(input.bytes, !client, true), Look::Found(_)) {
                    return Step::Used(0);
                }
                *self.lane(client) = At::Lost;
                out.skip(OUT_OF_STEP, input.bytes.len() as u64);
                Step::Used(input.bytes.len())
            }
        }
    }

    /// A message, as far as it is looked at.
    fn message(&mut self, input: Input<'_>, client: bool, out: &mut Out) -> Step {
        let header = match header(input.bytes, !client) {
            Look::Found(header) => header,
            Look::NeedMore => return Step::Wait,
            Look::No => {
                self.lose_step(client);
                return Step::Used(0);
            }
        };
        let packed = header.flags & flag::COMPRESSED != 0 && header.version < 5;
        let wanted = match packed {
            true if header.length <= LONGEST_PACKED => header.length as usize,
            true => 0,
            false => body::wanted(&header, self.longest_text),
        };
        let Some(bytes) = input.bytes.get(HEADER..HEADER + wanted) else { return Step::Wait };
        let used = HEADER + wanted;
        let plain = match packed {
            true if wanted > 0 => body::undo(bytes, self.algorithm, self.decompressed_bytes),
            true => None,
            false => Some(Vec::new()),
        };
        let read = match (&plain, packed) {
            (Some(plain), true) => Some(plain.as_slice()),
            (Some(_), false) => Some(bytes),
            (None, _) => None,
        };
        let fields = read.and_then(|bytes| body::behind_flags(&header, !client, bytes));
        let mut track = input.begin(0);
        input.cover(&mut track, 0..used);
        let mut turn = describe::begin(self.client);
        if packed {
            turn.exchange.note(if read.is_some() { "compressed" } else { "compressed_not_read" });
        }
        if header.flags & flag::WARNING != 0 && !client {
            turn.exchange.note("warning");
        }
        let learnt = self.read(&mut turn, header, fields, client);
        self.heard = true;
        let left = header.length - wanted as u32;
        let incoming = Incoming { header, turn, track, left, learnt };
        if left > 0 {
            *self.lane(client) = At::Body(Box::new(incoming));
        } else {
            self.finish(incoming, client, out);
        }
        Step::Used(used)
    }

    /// What a message tells.
    fn read(
        &mut self,
        turn: &mut Turn<Asked>,
        header: Header,
        fields: Option<&[u8]>,
        client: bool,
    ) -> Knowledge {
        let body = fields.unwrap_or_default();
        if client {
            let memory = self.memory.as_deref();
            describe::request(turn, header.op, body, memory.map(|memory| &memory.prepared));
            if fields.is_none() && header.length > 0 {
                turn.exchange.coverage = Coverage::Partial;
            }
            if header.op == Op::Startup {
                let named = turn
                    .exchange
                    .attributes
                    .iter()
                    .find(|attribute| attribute.name == "cassandra.compression");
                self.algorithm = match named.map(|attribute| attribute.value.to_string().to_ascii_lowercase())
                {
                    Some(name) if name == "lz4" => Algorithm::Lz4,
                    Some(name) if name == "snappy" => Algorithm::Snappy,
                    Some(_) | None => Algorithm::Unknown,
                };
            }
            if let Some(keyspace) = memory.and_then(|memory| memory.keyspace.as_deref()) {
                turn.exchange.attribute("db.namespace", keyspace);
            }
            return Knowledge::Nothing;
        }
        if header.op == Op::Event {
            describe::event(&mut turn.exchange, body);
            return Knowledge::Nothing;
        }
        match describe::response(&mut turn.exchange, header.op, body, fields.is_some()) {
            Learnt::Nothing => Knowledge::Nothing,
            Learnt::Prepared(id) => Knowledge::Prepared(id.into()),
            Learnt::Keyspace(name) => Knowledge::Keyspace(name.into()),
        }
    }

    fn go_on(&mut self, mut incoming: Box<Incoming>, input: Input<'_>, client: bool, out: &mut Out) -> Step {
        let used = input.bytes.len().min(incoming.left as usize);
        input.cover(&mut incoming.track, 0..used);
        incoming.left -= used as u32;
        if incoming.left > 0 {
            *self.lane(client) = At::Body(incoming);
        } else {
            self.finish(*incoming, client, out);
        }
        Step::Used(used)
    }

    /// A message is whole.
    fn finish(&mut self, incoming: Incoming, client: bool, out: &mut Out) {
        let Incoming { header, mut turn, track, learnt, .. } = incoming;
        let key = u32::from(header.stream as u16);
        if client {
            turn.exchange.request = Some(Message::bare(track));
            self.turns.ask(key, turn, out);
            return;
        }
        if header.op == Op::Event {
            turn.exchange.response = Some(Message::bare(track));
            out.exchanges.push(turn.exchange);
            return;
        }
        let at = track.first.at;
        turn.exchange.response = Some(Message::bare(track));
        turn.exchange.complete = true;
        let Some(asked) = self.turns.answering(key, at) else {
            self.turns.orphan(key, turn, out);
            return;
        };
        asked.answer(turn);
        let (startup, prepares) = (asked.own.startup, asked.own.prepares.take());
        self.turns.answered(key, out);
        match (learnt, prepares) {
            (Knowledge::Prepared(id), Some(statement)) => self.prepare(&id, statement),
            (Knowledge::Keyspace(name), _) => self.memory.get_or_insert_default().keyspace = Some(name),
            _ => {}
        }
        if startup && header.version == 5 && matches!(header.op, Op::Ready | Op::Authenticate) {
            // From here on both sides speak in segments.
            self.segment();
        }
    }

    fn prepare(&mut self, id: &[u8], statement: Arc<crate::statement::Statement>) {
        self.memory.get_or_insert_default().prepared.insert(id, statement);
    }

    fn segment(&mut self) {
        self.segments =
            Some(Box::new(Segments { packed: None, inner: Default::default(), lost: [false; 2] }));
    }

    fn lose_step(&mut self, client: bool) {
        *self.lane(client) = At::Lost;
        if !client {
            self.turns.answers_lost();
        }
    }

    /// Messages from the front of `input`.
    fn messages(&mut self, input: Input<'_>, out: &mut Out) -> usize {
        let segmented = self.segments.is_some();
        let mut at = 0;
        // What begins here is looked for once: it may turn out to be nothing.
        let mut fresh = true;
        while at < input.bytes.len() && self.segments.is_some() == segmented {
            match self.step(input.skip(at), std::mem::take(&mut fresh), out) {
                Step::Used(used) => at += used,
                Step::Wait => break,
            }
        }
        at
    }

    /// Segments from the front of `input`.
    fn take_segments(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let client = input.side == self.client;
        let index = usize::from(!client);
        let mut at = 0;
        while at < input.bytes.len() {
            let rest = input.skip(at);
            let Some(segments) = &mut self.segments else { break };
            // Until a segment was met nobody knows whether they are compressed.
            let packed = segments.packed.or_else(|| segment::layout(rest.bytes));
            segments.packed = packed;
            if std::mem::take(&mut segments.lost[index])
                && !segment::is_contained(rest.bytes, packed.unwrap_or(false))
            {
                segments.lost[index] = true;
                out.skip(OUT_OF_STEP, rest.bytes.len() as u64);
                return Fed::go_on(input.bytes.len());
            }
            let Some(packed) = packed else {
                if rest.bytes.len() < 8 {
                    break;
                }
                return self.give_up(at, out);
            };
            let mut inner = std::mem::take(&mut segments.inner[index]);
            match segment::take(&mut inner, rest, packed) {
                Taken::Used(used) => at += used,
                Taken::NeedMore => {
                    segments.inner[index] = inner;
                    break;
                }
                Taken::No => return self.give_up(at, out),
            }
            if let Some(messages) = inner.input(input.side) {
                let used = self.messages(messages, out);
                out.skipped.clear();
                inner.consume(used);
            }
            if let Some(segments) = &mut self.segments {
                segments.inner[index] = inner;
            }
        }
        Fed::go_on(at)
    }

    fn give_up(&mut self, consumed: usize, out: &mut Out) -> Fed {
        self.turns.abandon("out_of_step", out);
        Fed { consumed, verdict: Verdict::GiveUp(SEGMENTS_OUT_OF_STEP) }
    }

    /// A message whose rest will not come. A request is told, a response is that of its request so far.
    fn cut_off(&mut self, client: bool, note: &'static str, out: &mut Out) {
        let At::Body(incoming) = std::mem::replace(self.lane(client), At::Message) else { return };
        let Incoming { header, mut turn, track, .. } = *incoming;
        if client {
            turn.exchange.request = Some(Message::bare(track));
            turn.exchange.coverage = Coverage::Partial;
            turn.exchange.note(note);
            out.exchanges.push(turn.exchange);
        } else if let Some(asked) = self.turns.answering(u32::from(header.stream as u16), track.first.at) {
            asked.exchange.response = Some(Message::bare(track));
        }
    }
}

impl Stream for Cql {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        if !self.heard && self.segments.is_none() && segment::begins(input.bytes).is_some() {
            // Entered in the middle.
            self.segment();
        }
        let mut consumed = 0;
        if self.segments.is_none() {
            consumed = self.messages(input, out);
        }
        if self.segments.is_some() && consumed < input.bytes.len() {
            self.heard = true;
            let fed = self.take_segments(input.skip(consumed), out);
            return Fed { consumed: consumed + fed.consumed, verdict: fed.verdict };
        }
        Fed::go_on(consumed)
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        let client = side == self.client;
        if let Some(segments) = &mut self.segments {
            let index = usize::from(!client);
            segments.lost[index] = true;
            segments.inner[index].clear();
            self.cut_off(client, "gap", out);
            if !client {
                self.turns.answers_lost();
            }
            return Verdict::Continue;
        }
        if let At::Body(incoming) = self.lane(client)
            && let Some(rest) = u64::from(incoming.left).checked_sub(len)
        {
            incoming.left = rest as u32;
            incoming.turn.holed();
            if rest == 0
                && let At::Body(incoming) = std::mem::replace(self.lane(client), At::Message)
            {
                self.finish(*incoming, client, out);
            }
            return Verdict::Continue;
        }
        self.cut_off(client, "gap", out);
        self.lose_step(client);
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        let at = last.at;
        self.cut_off(true, "request_cut", out);
        if side == Some(self.client) && why == End::Fin {
            return;
        }
        self.cut_off(false, "cut", out);
        self.turns.end(why, at, out);
        if side.is_none() {
            self.memory = None;
        }
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
