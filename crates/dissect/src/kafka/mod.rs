//! Apache Kafka, the wire protocol of brokers ("Kafka protocol guide", message definitions of 4.1).
//!
//! One [`Kafka`] reads a flow: each side is frames, a length in front. `parse` reads their headers, `apis`
//! knows every API by its key, `asks` and `answers` say how bodies are laid out, `walk` follows that over the
//! bytes as they come, `facts` keeps what is worth a column, `describe` makes columns of it, `pair` brings
//! the halves together. So a body of any size is read to its end and never kept. Records are counted by the
//! heads of their batches (`records`) and never decoded; what SASL exchanges is stepped over.
//!
//! **Finding its feet again.** A gap inside a frame costs that frame what was in it, and nothing else. After
//! a longer one a side is passed over until a segment begins with a frame: on the asking side one that is
//! laid out as a request of its API and version (`probe`), on the other one with a correlation id that is
//! waited for.

use std::time::Duration;

use wirewise_model::{Coverage, Exchange, Limits, Mark, Message, Reason, Redaction, Side, Timestamp, Track};

use crate::{End, Fed, Input, Out, Protocol, Stream, StreamEntry, Verdict};

mod answers;
mod apis;
mod asks;
mod describe;
mod errors;
mod facts;
mod pair;
mod parse;
mod probe;
mod records;
mod schema;
#[cfg(test)]
mod tests;
mod walk;

use apis::Api;
use facts::Facts;
use pair::{EARLY_BYTES, Early, Memory, Pending, Queue};
use parse::Parsed;
use probe::Look;
use walk::Walk;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "kafka",
    title: "Apache Kafka",
    reference: "Kafka protocol guide",
    ports: &[9092, 9093, 9094],
    redaction: Redaction::Names,
    stream: Some(StreamEntry {
        probe: probe::probe,
        open: |limits, client| Box::new(Kafka::new(limits, client)),
    }),
    message: None,
    refine: None,
};

/// Bytes that are no part of a frame: after a loss, or of something that is not Kafka.
const OUT_OF_STEP: Reason = Reason::loss("out_of_step");
/// A response to a request that was not heard. Where it is heard later after all, the response is found
/// again.
const UNASKED: Reason = Reason::skip("response_without_request");
/// After SaslHandshake version 0 tokens come without any header.
const SASL_TOKEN: Reason = Reason::skip("sasl_token");
/// Brokers take no longer token (`sasl.server.max.receive.size`).
const LONGEST_TOKEN: u32 = 512 << 10;
/// A client numbers its requests from one to the next; a step so far ahead was found in something else.
const FARTHEST: i32 = 1 << 20;
/// Requests that a hole may hold up are so many at most, where a response stands for them.
const NEAR: i32 = 16;

/// The API and how its bodies are laid out, where this version is known.
fn layout(key: i16, version: i16) -> Option<&'static Api> {
    apis::api(key).filter(|api| version <= api.newest || api.key == apis::API_VERSIONS)
}

/// A frame that is being read.
struct Reading {
    /// Bytes of it that are still to come.
    left: u64,
    walk: Walk,
    facts: Facts,
    /// Bytes inside it were lost.
    holed: bool,
    what: Frame,
}

enum Frame {
    /// A request, described as far as its header says.
    Request(Pending),
    Response(Pending),
    /// Nobody waits for it.
    Passed(Reason, Option<Early>),
}

impl Reading {
    fn track(&mut self) -> Option<&mut Track> {
        match &mut self.what {
            Frame::Request(pending) => pending.exchange.request.as_mut().map(|request| &mut request.track),
            Frame::Response(pending) => {
                pending.exchange.response.as_mut().map(|response| &mut response.track)
            }
            Frame::Passed(_, early) => early.as_mut().map(|early| &mut early.track),
        }
    }
}

/// Where a side stands.
#[derive(Default)]
enum At {
    /// Before a frame.
    #[default]
    Frame,
    /// In one.
    Inside(Box<Reading>),
    /// Out of step: looking for the beginning of one.
    Lost,
}

/// The dissector of one flow.
struct Kafka {
    client: Side,
    pending_calls: u32,
    response_wait_ms: u32,
    asking: At,
    answering: At,
    /// By side: how many bytes were shown last and not taken.
    untaken: [u32; 2],
    /// The last correlation id that was heard.
    last: Option<i32>,
    /// A SaslHandshake of version 0 was heard.
    bare_tokens: bool,
    queue: Queue,
    memory: Option<Box<Memory>>,
}

/// What one step did.
enum Step {
    Used(usize),
    /// More is needed.
    Wait,
}

impl Kafka {
    fn new(limits: &Limits, client: Side) -> Self {
        Self {
            client,
            pending_calls: u32::try_from(limits.pending_calls.max(1)).unwrap_or(u32::MAX),
            response_wait_ms: u32::try_from(limits.response_wait.as_millis()).unwrap_or(u32::MAX),
            asking: At::Frame,
            // The flow may have been found by a request in mid-stream; the other side then stands anywhere.
            answering: At::Lost,
            untaken: [0; 2],
            last: None,
            bare_tokens: false,
            queue: Queue::default(),
            memory: None,
        }
    }

    fn at(&mut self, asks: bool) -> &mut At {
        if asks { &mut self.asking } else { &mut self.answering }
    }

    fn step(&mut self, input: Input<'_>, fresh: bool, out: &mut Out) -> Step {
        let asks = input.side == self.client;
        match std::mem::take(self.at(asks)) {
            // A length that was none, found in something else, ends where an answer that is waited for
            // begins.
            At::Inside(reading)
                if fresh && matches!(reading.what, Frame::Passed(UNASKED, _)) && self.is_awaited(input) =>
            {
                self.begin(input, asks, out)
            }
            At::Inside(mut reading) => {
                let used = Self::inside(&mut reading, input, out);
                if reading.left == 0 {
                    self.finish(*reading, out);
                } else {
                    *self.at(asks) = At::Inside(reading);
                }
                if used == 0 { Step::Wait } else { Step::Used(used) }
            }
            At::Lost => {
                let found = fresh && if asks { self.find_request(input) } else { self.find_response(input) };
                if found {
                    return self.begin(input, asks, out);
                }
                *self.at(asks) = At::Lost;
                if fresh && self.may_begin(input, asks) {
                    return Step::Wait;
                }
                out.skip(OUT_OF_STEP, input.bytes.len() as u64);
                Step::Used(input.bytes.len())
            }
            At::Frame => self.begin(input, asks, out),
        }
    }

    fn begin(&mut self, input: Input<'_>, asks: bool, out: &mut Out) -> Step {
        if asks { self.begin_request(input, out) } else { self.begin_response(input, out) }
    }

    /// Whether a request that follows on what was heard begins here.
    fn find_request(&self, input: Input<'_>) -> bool {
        let follows = |correlation: i32| {
            self.last.is_none_or(|last| (1..FARTHEST).contains(&correlation.wrapping_sub(last)))
        };
        matches!(parse::request(input.bytes), Parsed::Head(head) if follows(head.correlation))
            && probe::look(input.bytes, false) == Look::Request
    }

    /// Whether a response that is waited for begins here.
    fn is_awaited(&self, input: Input<'_>) -> bool {
        match parse::response(input.bytes) {
            Parsed::Head((_, correlation)) => self.queue.knows(correlation),
            Parsed::Short | Parsed::No => false,
        }
    }

    /// Whether a response that is waited for begins here, or a whole one that its request may yet follow.
    fn find_response(&self, input: Input<'_>) -> bool {
        match parse::response(input.bytes) {
            Parsed::Head((length, correlation)) => {
                let alone = length as usize + parse::PREFIX == input.bytes.len();
                self.is_awaited(input)
                    || alone
                        && self.last.is_none_or(|last| (1..NEAR).contains(&correlation.wrapping_sub(last)))
            }
            Parsed::Short | Parsed::No => false,
        }
    }

    /// Whether more bytes may show that a frame begins here.
    fn may_begin(&self, input: Input<'_>, asks: bool) -> bool {
        if asks {
            probe::look(input.bytes, false) == Look::NeedMore
        } else {
            matches!(parse::response(input.bytes), Parsed::Short)
        }
    }

    fn begin_request(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let head = match parse::request(input.bytes) {
            Parsed::Head(head) => head,
            Parsed::Short => return Step::Wait,
            Parsed::No => {
                let token = parse::length(input.bytes)
                    .filter(|length| self.bare_tokens && (1..=LONGEST_TOKEN).contains(length));
                let Some(length) = token else {
                    self.asking = At::Lost;
                    return Step::Used(0);
                };
                out.skip(SASL_TOKEN, parse::PREFIX as u64);
                self.asking = At::Inside(passed(u64::from(length), SASL_TOKEN, None));
                return Step::Used(parse::PREFIX);
            }
        };
        let mut track = input.begin(0);
        input.cover(&mut track, 0..head.size);
        let mut exchange = Box::new(Exchange::new(PROTOCOL.name, self.client));
        exchange.request = Some(Message::bare(track));
        describe::request(&mut exchange, &head, apis::api(head.key));
        let api = layout(head.key, head.version);
        let flexible = api.is_some_and(|api| api.is_flexible(head.version));
        self.last = Some(head.correlation);
        self.asking = At::Inside(Box::new(Reading {
            left: head.left(),
            walk: Walk::new(api.and_then(|api| api.ask), head.version, flexible, flexible),
            facts: Facts::default(),
            holed: false,
            what: Frame::Request(Pending::new(exchange, head.key, head.version, head.correlation)),
        }));
        let size = head.size;
        // One without a body is over here.
        self.settle(true, out);
        Step::Used(size)
    }

    fn begin_response(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let (length, correlation) = match parse::response(input.bytes) {
            Parsed::Head(head) => head,
            Parsed::Short => return Step::Wait,
            Parsed::No => {
                self.answering = At::Lost;
                self.queue.expose();
                return Step::Used(0);
            }
        };
        let size = parse::PREFIX + parse::CORRELATION;
        let left = u64::from(length) - parse::CORRELATION as u64;
        let mut track = input.begin(0);
        input.cover(&mut track, 0..size);
        let reading = match self.queue.take(correlation, out) {
            Some(mut pending) => {
                pending.exchange.response = Some(Message::bare(track));
                let (walk, facts) = answer(pending.key, pending.version);
                Box::new(Reading { left, walk, facts, holed: false, what: Frame::Response(pending) })
            }
            None => {
                out.skip(UNASKED, size as u64);
                let early = Early { correlation, track, kept: Vec::new(), length: left };
                passed(left, UNASKED, Some(early))
            }
        };
        self.answering = At::Inside(reading);
        self.settle(false, out);
        Step::Used(size)
    }

    /// Reads on in a frame; returns how many bytes of it were taken.
    fn inside(reading: &mut Reading, input: Input<'_>, out: &mut Out) -> usize {
        let used = match &mut reading.what {
            Frame::Request(_) | Frame::Response(_) => {
                reading.walk.read(input.bytes, reading.left, &mut reading.facts)
            }
            Frame::Passed(reason, early) => {
                let used = usize::try_from(reading.left).unwrap_or(usize::MAX).min(input.bytes.len());
                out.skip(*reason, used as u64);
                if let Some(early) = early {
                    let room = EARLY_BYTES.saturating_sub(early.kept.len()).min(used);
                    early.kept.extend_from_slice(&input.bytes[..room]);
                }
                used
            }
        };
        reading.left -= used as u64;
        if let Some(track) = reading.track() {
            input.cover(track, 0..used);
        }
        used
    }

    /// Finishes a frame of which nothing is left.
    fn settle(&mut self, asks: bool, out: &mut Out) {
        match std::mem::take(self.at(asks)) {
            At::Inside(reading) if reading.left == 0 => self.finish(*reading, out),
            other => *self.at(asks) = other,
        }
    }

    /// A frame is over, whole or with a hole.
    fn finish(&mut self, reading: Reading, out: &mut Out) {
        let Reading { walk, facts, holed, what, .. } = reading;
        match what {
            Frame::Request(mut pending) => {
                if holed {
                    pending.exchange.note("gap");
                    pending.exchange.coverage = Coverage::Partial;
                }
                self.bare_tokens |= pending.key == apis::SASL_HANDSHAKE && pending.version == 0;
                pending.asked = describe::asked(&mut pending.exchange, pending.key, facts, &mut self.memory);
                let (correlation, asked) = (pending.correlation, pending.exchange.request.as_ref());
                let early = match (&mut self.memory, asked) {
                    (Some(memory), Some(asked)) => memory.early(correlation, asked.track.last),
                    _ => None,
                };
                match early {
                    Some(early) => self.answered_early(pending, early, out),
                    None => self.queue.push(pending, self.pending_calls as usize, out),
                }
            }
            Frame::Response(pending) => pending.conclude(&walk, facts, holed, &mut self.memory, out),
            Frame::Passed(_, Some(early)) if !holed => match self.queue.take(early.correlation, out) {
                Some(pending) => self.answered_early(pending, early, out),
                None => self.memory.get_or_insert_default().keep(early),
            },
            Frame::Passed(..) => {}
        }
    }

    /// A response came before its request.
    fn answered_early(&mut self, mut pending: Pending, early: Early, out: &mut Out) {
        let (mut walk, mut facts) = answer(pending.key, pending.version);
        walk.read(&early.kept, early.length, &mut facts);
        walk.lose();
        pending.exchange.response = Some(Message::bare(early.track));
        pending.conclude(&walk, facts, false, &mut self.memory, out);
    }

    /// What was being read on a side will not be whole.
    fn cut(&mut self, asks: bool, why: End, at: Timestamp, out: &mut Out) {
        if let At::Inside(reading) = std::mem::replace(self.at(asks), At::Lost) {
            match reading.what {
                Frame::Request(mut pending) => {
                    pending.asked =
                        describe::asked(&mut pending.exchange, pending.key, reading.facts, &mut self.memory);
                    pending.exchange.note("request_cut");
                    pending.close(why, at, out);
                }
                Frame::Response(pending) => pending.close(why, at, out),
                Frame::Passed(..) => {}
            }
        }
    }
}

/// The walk over a response's body, from behind its correlation id.
fn answer(key: i16, version: i16) -> (Walk, Facts) {
    let api = layout(key, version);
    let flexible = api.is_some_and(|api| api.is_flexible(version));
    let tags = api.is_some_and(|api| api.answers_with_tags(version));
    let facts = Facts::new(key == apis::API_VERSIONS);
    (Walk::new(api.and_then(|api| api.answer), version, flexible, tags), facts)
}

/// A frame that nobody waits for.
fn passed(left: u64, reason: Reason, early: Option<Early>) -> Box<Reading> {
    let walk = Walk::new(None, 0, false, false);
    Box::new(Reading {
        left,
        walk,
        facts: Facts::default(),
        holed: false,
        what: Frame::Passed(reason, early),
    })
}

impl Stream for Kafka {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let mut at = 0;
        while at < input.bytes.len() {
            match self.step(input.skip(at), at == 0, out) {
                Step::Used(used) => at += used,
                Step::Wait => break,
            }
        }
        self.untaken[input.side.index()] = u32::try_from(input.bytes.len() - at).unwrap_or(u32::MAX);
        Fed::go_on(at)
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        let asks = side == self.client;
        let lost = len.saturating_add(u64::from(std::mem::take(&mut self.untaken[side.index()])));
        match std::mem::replace(self.at(asks), At::Lost) {
            At::Inside(mut reading) => {
                reading.holed = true;
                reading.walk.lose();
                let inside = lost.min(reading.left);
                reading.left -= inside;
                if inside == lost {
                    *self.at(asks) = At::Inside(reading);
                    self.settle(asks, out);
                } else {
                    self.finish(*reading, out);
                    *self.at(asks) = At::Lost;
                    if !asks {
                        self.queue.expose();
                    }
                }
            }
            At::Frame | At::Lost if !asks => self.queue.expose(),
            At::Frame | At::Lost => {}
        }
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        let at = last.at;
        if side == Some(self.client) && why == End::Fin {
            // Half-closed: what was asked may still be answered.
            return self.cut(true, why, at, out);
        }
        self.cut(false, why, at, out);
        self.cut(true, why, at, out);
        self.queue.close(why, at, out);
        if side.is_none() {
            self.memory = None;
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        self.queue.tick(now, Duration::from_millis(u64::from(self.response_wait_ms)), out);
    }

    fn open(&self, out: &mut Out) {
        for at in [&self.answering, &self.asking] {
            if let At::Inside(reading) = at
                && let Frame::Request(pending) | Frame::Response(pending) = &reading.what
            {
                pair::open(&pending.exchange, out);
            }
        }
        self.queue.open(out);
    }

    fn waiting(&self) -> bool {
        let reads = |at: &At| matches!(at, At::Inside(reading) if !matches!(reading.what, Frame::Passed(..)));
        !self.queue.is_empty() || reads(&self.answering) || reads(&self.asking)
    }
}
