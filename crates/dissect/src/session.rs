//! One flow's conversation: finds its protocol, keeps what was not consumed, fences panics, keeps the books.

use std::panic::{AssertUnwindSafe, catch_unwind};

use wirewise_model::{Books, Exchange, Limits, Mark, Reason, Side, Stage, Timestamp, Transport};

use crate::dissector::{Datagram, End, Fed, Heads, Messages, Out, Protocol, Stream, Verdict};
use crate::probing::{self, Claim, Found};
use crate::{Input, PROTOCOLS};

#[cfg(test)]
mod tests;

/// No protocol of the table claims the flow.
const UNKNOWN: Reason = Reason::skip("unknown_protocol");
/// Shown to probes, and still undecided when the flow ended.
const UNDECIDED: Reason = Reason::skip("undecided");
/// Waited for bytes that were lost.
const BEFORE_GAP: Reason = Reason::loss("incomplete_before_gap");
/// Waited for bytes when the flow ended.
const AT_END: Reason = Reason::loss("incomplete_at_end");
/// One side held more than `Limits::undissected_bytes`.
const TOO_MUCH: Reason = Reason::loss("undissected_limit");
/// The dissector panicked on them.
const PANICKED: Reason = Reason::loss("dissector_panicked");
/// Its protocol was switched off after too many panics.
const SWITCHED_OFF: Reason = Reason::loss("protocol_switched_off");

/// How often a flow that was picked up in mid-stream is probed anew at the beginning of a segment.
const MOST_REPROBES: u16 = 4096;

/// The same for a flow whose beginning nobody knew: what follows a proxy's greeting, or a STARTTLS of a
/// protocol that is not dissected, may be known again. It must look like a beginning then.
const LATE_PROBES: u16 = 64;

/// What all sessions share: bounds, books, and which protocols still stand.
#[derive(Debug)]
pub struct Switchboard {
    limits: Limits,
    books: Books,
    buffered: u64,
    panics: Vec<u32>,
    /// Those of all protocols together.
    all_panics: u32,
}

impl Switchboard {
    /// Every protocol on, empty books.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            books: Books::new(Stage::Dissect),
            buffered: 0,
            panics: vec![0; PROTOCOLS.len()],
            all_panics: 0,
        }
    }

    /// The bounds.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// The books so far. What waits in sessions stands under `buffered`.
    pub fn books(&self) -> Books {
        let mut books = self.books.clone();
        books.drop(Reason::skip("buffered"), self.buffered);
        books
    }

    /// The protocols that panicked too often and are off.
    pub fn switched_off(&self) -> impl Iterator<Item = &'static Protocol> {
        let most = self.limits.protocol_panics;
        self.panics
            .iter()
            .zip(PROTOCOLS)
            .filter(move |(panics, _)| **panics >= most)
            .map(|(_, protocol)| *protocol)
    }

    pub(crate) fn is_off(&self, protocol: &Protocol) -> bool {
        // Asked many times a call, and next to never so.
        self.all_panics >= self.limits.protocol_panics
            && self.switched_off().any(|off| std::ptr::eq(off, protocol))
    }

    /// Runs a dissector; `None` where it panicked, which is counted against its protocol.
    fn fence<T>(&mut self, protocol: &Protocol, run: impl FnOnce() -> T) -> Option<T> {
        // What the dissector left half done is dropped with it, and `Out` holds only finished exchanges.
        match catch_unwind(AssertUnwindSafe(run)) {
            Ok(value) => Some(value),
            Err(_) => {
                if let Some(at) = PROTOCOLS.iter().position(|known| std::ptr::eq(*known, protocol)) {
                    self.panics[at] += 1;
                    self.all_panics = self.all_panics.saturating_add(1);
                }
                None
            }
        }
    }

    /// Turns an exchange into what it carries, where a protocol of the table knows it: the innermost names it.
    pub fn refine(&mut self, exchange: &mut Exchange) {
        for protocol in PROTOCOLS {
            let Some(entry) = &protocol.refine else { continue };
            if !entry.carriers.contains(&&*exchange.protocol) || self.is_off(protocol) {
                continue;
            }
            let carrier = exchange.protocol.clone();
            if self.fence(protocol, || (entry.refine)(exchange)) == Some(true) {
                exchange.carrier = Some(carrier);
                exchange.protocol = std::borrow::Cow::Borrowed(protocol.name);
                return;
            }
        }
    }

    /// Books what a dissector consumed: understood, but for what it says that it passed over.
    fn book(&mut self, consumed: u64, out: &mut Out) {
        let mut skipped = 0;
        for (reason, bytes) in out.skipped.drain(..) {
            let bytes = bytes.min(consumed - skipped);
            self.books.drop(reason, bytes);
            skipped += bytes;
        }
        self.books.pass(consumed - skipped);
    }
}

/// What is known of a flow when its session begins.
#[derive(Clone, Copy, Debug)]
pub struct SessionStart {
    /// What carries it.
    pub transport: Transport,
    /// By side: its port.
    pub ports: [u16; 2],
    /// Who opened it, where that was heard.
    pub opener: Option<Side>,
    /// Whether its beginning was not heard.
    pub mid_stream: bool,
}

/// What one side has said, and what of it waits.
#[derive(Debug, Default)]
struct Waiting {
    /// Stream offset of the first byte that waits, or of the next to come. Where messages are heard, each counts as one:
    /// it is the ordinal of the next.
    offset: u64,
    /// Apart, since a million flows may be idle: for most of them nothing waits.
    held: Option<Box<Held>>,
}

/// Bytes that wait, and where they came from.
#[derive(Debug, Default)]
struct Held {
    bytes: Vec<u8>,
    marks: Vec<(u64, Mark)>,
}

impl Waiting {
    fn bytes(&self) -> &[u8] {
        self.held.as_ref().map_or(&[], |held| &held.bytes)
    }

    fn marks(&self) -> &[(u64, Mark)] {
        self.held.as_ref().map_or(&[], |held| &held.marks)
    }

    fn append(&mut self, bytes: &[u8], mark: Mark) {
        let held = self.held.get_or_insert_default();
        let at = self.offset + held.bytes.len() as u64;
        held.bytes.extend_from_slice(bytes);
        if held.marks.last().is_none_or(|(_, last)| *last != mark) {
            held.marks.push((at, mark));
        }
    }

    /// Forgets the first `count` bytes. An emptied side gives its memory back.
    fn consume(&mut self, count: usize) {
        self.offset += count as u64;
        let Some(held) = &mut self.held else { return };
        if count >= held.bytes.len() {
            self.held = None;
        } else if count > 0 {
            held.bytes.drain(..count);
            let keep = held.marks.partition_point(|(begins, _)| *begins <= self.offset).saturating_sub(1);
            held.marks.drain(..keep);
        }
    }

    fn input(&self, side: Side) -> Option<Input<'_>> {
        let held = self.held.as_ref().filter(|held| !held.bytes.is_empty())?;
        Some(Input::new(side, self.offset, &held.bytes, &held.marks))
    }
}

enum State {
    /// Nobody has claimed it yet.
    Probing,
    Stream(&'static Protocol, Box<dyn Stream>),
    Messages(&'static Protocol, Box<dyn Messages>),
    /// Nobody claims it; so often it may still be probed at the beginning of a segment.
    Unknown {
        reprobes: u16,
    },
    /// Its protocol was switched off.
    Off,
}

/// The conversation of one flow.
pub struct Session {
    start: SessionStart,
    state: State,
    sides: [Waiting; 2],
}

impl std::fmt::Debug for Session {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session").field("protocol", &self.protocol().map(|protocol| protocol.name)).finish()
    }
}

impl Session {
    /// A session that has heard nothing yet.
    pub fn new(start: SessionStart) -> Self {
        Self { start, state: State::Probing, sides: Default::default() }
    }

    /// The protocol, once it is known.
    pub fn protocol(&self) -> Option<&'static Protocol> {
        match &self.state {
            State::Stream(protocol, _) | State::Messages(protocol, _) => Some(protocol),
            State::Probing | State::Unknown { .. } | State::Off => None,
        }
    }

    /// Whether an exchange is under way, so that `tick` and `open` have something to say.
    pub fn waiting(&self) -> bool {
        match &self.state {
            State::Stream(_, stream) => stream.waiting(),
            State::Messages(_, messages) => messages.waiting(),
            State::Probing | State::Unknown { .. } | State::Off => false,
        }
    }

    /// The next bytes of one side.
    pub fn bytes(&mut self, side: Side, bytes: &[u8], mark: Mark, board: &mut Switchboard, out: &mut Out) {
        if bytes.is_empty() {
            return;
        }
        board.books.take(bytes.len() as u64);
        let waiting = &mut self.sides[side.index()];
        match &mut self.state {
            State::Unknown { reprobes: 0 } => {
                board.books.drop(UNKNOWN, bytes.len() as u64);
                waiting.offset += bytes.len() as u64;
            }
            State::Off => {
                board.books.drop(SWITCHED_OFF, bytes.len() as u64);
                waiting.offset += bytes.len() as u64;
            }
            // The common case: nothing waits, so the packet's own bytes are shown and not copied.
            State::Stream(protocol, stream) if waiting.bytes().is_empty() => {
                let marks = [(waiting.offset, mark)];
                let input = Input::new(side, waiting.offset, bytes, &marks);
                let fed = board.fence(protocol, || stream.feed(input, out));
                let consumed = fed.map_or(0, |fed| fed.consumed.min(bytes.len()));
                board.book(consumed as u64, out);
                waiting.offset += consumed as u64;
                if consumed < bytes.len() {
                    waiting.append(&bytes[consumed..], mark);
                    board.buffered += (bytes.len() - consumed) as u64;
                }
                self.follow(side, fed, board, out);
            }
            State::Probing | State::Stream(..) => {
                waiting.append(bytes, mark);
                board.buffered += bytes.len() as u64;
                self.drive(side, board, out);
            }
            State::Unknown { reprobes } => {
                *reprobes -= 1;
                waiting.append(bytes, mark);
                board.buffered += bytes.len() as u64;
                self.reprobe(side, board, out);
            }
            State::Messages(..) => {
                board.books.drop(UNKNOWN, bytes.len() as u64);
                waiting.offset += bytes.len() as u64;
            }
        }
    }

    /// One message; its side and bounds are in it, its ordinal is set here.
    pub fn message(&mut self, mut message: Datagram<'_>, board: &mut Switchboard, out: &mut Out) {
        if self.is_stream_in(&message, board) {
            return self.message_of_stream(&message, board, out);
        }
        let captured = message.bytes.len() as u64;
        board.books.take(captured);
        let side = &mut self.sides[message.side.index()];
        message.ordinal = side.offset;
        side.offset += 1;
        // A datagram flow may change its mind (a port is used again), so an unclaimed message does not settle
        // what the next one is.
        if matches!(self.state, State::Probing | State::Unknown { .. }) {
            self.state = match probing::message(&message, board) {
                Some(Claim { protocol, entry, client }) => {
                    State::Messages(protocol, (entry.open)(&board.limits, client))
                }
                None => State::Unknown { reprobes: 0 },
            };
        }
        match &mut self.state {
            State::Messages(protocol, messages) => {
                match board.fence(protocol, || messages.feed(message, out)) {
                    Some(Verdict::Continue) => board.book(captured, out),
                    Some(Verdict::Upgrade(_)) => {
                        board.book(captured, out);
                        self.state = State::Probing;
                    }
                    Some(Verdict::GiveUp(reason)) => {
                        out.skipped.clear();
                        board.books.drop(reason, captured);
                        self.state = State::Unknown { reprobes: 0 };
                    }
                    None => {
                        out.skipped.clear();
                        board.books.drop(PANICKED, captured);
                        self.state = State::Off;
                    }
                }
            }
            State::Off => board.books.drop(SWITCHED_OFF, captured),
            State::Probing | State::Unknown { .. } | State::Stream(..) => board.books.drop(UNKNOWN, captured),
        }
    }

    /// SCTP keeps the bounds of messages, and protocols that were made for streams ride on it all the same
    /// (HTTP, SIP; TLS by RFC 3436): its messages are a stream where no protocol of messages claims them.
    fn is_stream_in(&self, message: &Datagram<'_>, board: &Switchboard) -> bool {
        let unclaimed = || probing::message(message, board).is_none();
        match self.state {
            State::Stream(..) => true,
            State::Probing | State::Unknown { .. } => message.transport == Transport::Sctp && unclaimed(),
            State::Messages(..) | State::Off => false,
        }
    }

    /// One message as the next bytes of its side, in the order of arrival, whichever of an association's
    /// streams it came on.
    fn message_of_stream(&mut self, message: &Datagram<'_>, board: &mut Switchboard, out: &mut Out) {
        let Datagram { side, bytes, original_len, mark, last, .. } = *message;
        // Of a message in several packets the first and the last are known.
        let first_part = if last.packet == mark.packet { bytes.len() } else { bytes.len().saturating_sub(1) };
        self.bytes(side, &bytes[..first_part], mark, board, out);
        self.bytes(side, &bytes[first_part..], last, board, out);
        if message.is_cut() {
            self.gap(side, (original_len - bytes.len()) as u64, board, out);
        }
    }

    /// The next `len` bytes of `side` will never come.
    pub fn gap(&mut self, side: Side, len: u64, board: &mut Switchboard, out: &mut Out) {
        self.discard(side, BEFORE_GAP, board);
        let verdict = match &mut self.state {
            State::Stream(protocol, stream) => board.fence(protocol, || stream.gap(side, len, out)),
            State::Probing | State::Unknown { .. } => {
                self.start.mid_stream = true;
                self.state = State::Unknown { reprobes: MOST_REPROBES };
                self.discard(side.other(), BEFORE_GAP, board);
                Some(Verdict::Continue)
            }
            State::Messages(..) | State::Off => Some(Verdict::Continue),
        };
        out.skipped.clear();
        self.sides[side.index()].offset += len;
        if verdict != Some(Verdict::Continue) {
            self.start.mid_stream = true;
            self.follow(side, verdict.map(|verdict| Fed { consumed: 0, verdict }), board, out);
        }
    }

    /// One side (`Some`) or the whole flow (`None`) is over; `last` is the packet that ended it, or the last
    /// heard.
    pub fn end(&mut self, side: Option<Side>, why: End, last: Mark, board: &mut Switchboard, out: &mut Out) {
        if side.is_none() && matches!(self.state, State::Probing) {
            // Last chance for a probe that waits for more.
            self.claim(true, board);
            self.pump(board, out);
        }
        let stood = match &mut self.state {
            State::Stream(protocol, stream) => board.fence(protocol, || stream.end(side, why, last, out)),
            State::Messages(protocol, messages) if side.is_none() => {
                board.fence(protocol, || messages.end(why, last, out))
            }
            State::Messages(..) | State::Probing | State::Unknown { .. } | State::Off => Some(()),
        };
        out.skipped.clear();
        if stood.is_none() {
            self.state = State::Off;
        }
        if side.is_none() {
            let reason = if matches!(self.state, State::Probing) { UNDECIDED } else { AT_END };
            self.discard(Side::A, reason, board);
            self.discard(Side::B, reason, board);
        }
    }

    /// Time passes.
    pub fn tick(&mut self, now: Timestamp, board: &mut Switchboard, out: &mut Out) {
        let stood = match &mut self.state {
            State::Stream(protocol, stream) => board.fence(protocol, || stream.tick(now, out)),
            State::Messages(protocol, messages) => board.fence(protocol, || messages.tick(now, out)),
            State::Probing | State::Unknown { .. } | State::Off => Some(()),
        };
        out.skipped.clear();
        if stood.is_none() {
            self.state = State::Off;
        }
    }

    /// Copies of what is under way.
    pub fn open(&self, out: &mut Out) {
        match &self.state {
            State::Stream(_, stream) => stream.open(out),
            State::Messages(_, messages) => messages.open(out),
            State::Probing | State::Unknown { .. } | State::Off => {}
        }
    }

    /// Shows what waits on `side`, and then, as long as something moves, on the other.
    fn drive(&mut self, side: Side, board: &mut Switchboard, out: &mut Out) {
        match self.state {
            State::Probing => {
                self.claim(false, board);
                self.retry_last_segment(side, board, out);
                self.pump(board, out);
            }
            State::Stream(..) => {
                self.show(side, board, out);
            }
            State::Messages(..) | State::Unknown { .. } | State::Off => {
                self.discard(side, UNKNOWN, board);
            }
        }
    }

    /// Nobody claims what has come, because it began as something that nobody knows (a proxy's greeting): the
    /// segment that settled this may be the beginning of what follows.
    fn retry_last_segment(&mut self, side: Side, board: &mut Switchboard, out: &mut Out) {
        let waiting = &self.sides[side.index()];
        let (State::Unknown { reprobes: 1.. }, [_, .., (begins, _)]) = (&self.state, waiting.marks()) else {
            return;
        };
        let before = begins.saturating_sub(waiting.offset).min(waiting.bytes().len() as u64);
        board.buffered -= before;
        board.books.drop(UNKNOWN, before);
        self.sides[side.index()].consume(before as usize);
        self.discard(side.other(), UNKNOWN, board);
        self.reprobe(side, board, out);
    }

    /// Shows the waiting bytes of both sides to the dissector that has just been found, asking side first.
    fn pump(&mut self, board: &mut Switchboard, out: &mut Out) {
        match self.state {
            State::Stream(..) => {
                let first = match (self.sides[0].marks().first(), self.sides[1].marks().first()) {
                    (Some((_, a)), Some((_, b))) if b.packet < a.packet => Side::B,
                    (None, _) => Side::B,
                    _ => Side::A,
                };
                self.show(first, board, out);
                self.show(first.other(), board, out);
            }
            State::Unknown { .. } => {
                self.discard(Side::A, UNKNOWN, board);
                self.discard(Side::B, UNKNOWN, board);
            }
            State::Probing | State::Messages(..) | State::Off => {}
        }
    }

    /// Shows `side`'s waiting bytes once.
    fn show(&mut self, side: Side, board: &mut Switchboard, out: &mut Out) {
        let waiting = &mut self.sides[side.index()];
        let State::Stream(protocol, stream) = &mut self.state else { return };
        let Some(input) = waiting.input(side) else { return };
        let fed = board.fence(protocol, || stream.feed(input, out));
        let consumed = fed.map_or(0, |fed| fed.consumed.min(waiting.bytes().len()));
        board.book(consumed as u64, out);
        board.buffered -= consumed as u64;
        waiting.consume(consumed);
        self.follow(side, fed, board, out);
    }

    /// Does what the dissector's verdict says.
    fn follow(&mut self, side: Side, fed: Option<Fed>, board: &mut Switchboard, out: &mut Out) {
        match fed.map(|fed| fed.verdict) {
            None => {
                self.state = State::Off;
                self.discard(Side::A, PANICKED, board);
                self.discard(Side::B, PANICKED, board);
            }
            Some(Verdict::Continue) => {
                let over = self.sides[side.index()].bytes().len() > board.limits.undissected_bytes
                    || board.buffered > board.limits.buffered_bytes as u64;
                if over {
                    self.give_up(TOO_MUCH, board);
                }
            }
            Some(Verdict::Upgrade(name)) => {
                self.start.mid_stream = false;
                let named = name.and_then(crate::protocol).and_then(|protocol| {
                    protocol
                        .stream
                        .as_ref()
                        .filter(|_| !board.is_off(protocol))
                        .map(|entry| (protocol, entry))
                });
                match named {
                    Some((protocol, entry)) => {
                        let agreed = out.handed.take();
                        let asked = agreed.as_ref().map(|agreed| agreed.client);
                        let client = asked.or(self.start.opener).unwrap_or(Side::A);
                        let mut stream = (entry.open)(&board.limits, client);
                        let stood = agreed
                            .is_none_or(|agreed| board.fence(protocol, || stream.inherit(*agreed)).is_some());
                        self.state = if stood { State::Stream(protocol, stream) } else { State::Off };
                        self.pump(board, out);
                    }
                    None => {
                        out.handed = None;
                        self.state = State::Probing;
                        if self.sides.iter().any(|waiting| !waiting.bytes().is_empty()) {
                            self.claim(false, board);
                            self.pump(board, out);
                        }
                    }
                }
            }
            Some(Verdict::GiveUp(reason)) => self.give_up(reason, board),
        }
    }

    /// Drops what waits; the flow may be claimed anew at the beginning of a later segment.
    fn give_up(&mut self, reason: Reason, board: &mut Switchboard) {
        self.start.mid_stream = true;
        self.state = State::Unknown { reprobes: MOST_REPROBES };
        self.discard(Side::A, reason, board);
        self.discard(Side::B, reason, board);
    }

    fn discard(&mut self, side: Side, reason: Reason, board: &mut Switchboard) {
        let waiting = &mut self.sides[side.index()];
        let count = waiting.bytes().len();
        board.buffered -= count as u64;
        board.books.drop(reason, count as u64);
        waiting.consume(count);
    }

    /// Asks the table whose flow this is. Stays `Probing` where somebody needs more and may have it.
    fn claim(&mut self, ended: bool, board: &Switchboard) {
        let heads = Heads {
            bytes: [self.sides[0].bytes(), self.sides[1].bytes()],
            ports: self.start.ports,
            opener: self.start.opener,
            mid_stream: self.start.mid_stream,
            ended,
        };
        match probing::stream(&heads, board) {
            Found::Yes(Claim { protocol, entry, client }) => {
                self.state = State::Stream(protocol, (entry.open)(&board.limits, client));
            }
            Found::NeedMore
                if !ended
                    && self.sides.iter().all(|waiting| waiting.bytes().len() < board.limits.probe_bytes) => {}
            Found::NeedMore | Found::No => {
                let reprobes = if self.start.mid_stream { MOST_REPROBES } else { LATE_PROBES };
                self.state = State::Unknown { reprobes };
            }
        }
    }

    /// A flow that nobody has claimed: does something known begin with this segment?
    fn reprobe(&mut self, side: Side, board: &mut Switchboard, out: &mut Out) {
        let mut bytes: [&[u8]; 2] = [&[], &[]];
        bytes[side.index()] = self.sides[side.index()].bytes();
        let heads = Heads {
            bytes,
            ports: self.start.ports,
            opener: self.start.opener,
            mid_stream: self.start.mid_stream,
            ended: true,
        };
        if let Found::Yes(Claim { protocol, entry, client }) = probing::stream(&heads, board) {
            self.state = State::Stream(protocol, (entry.open)(&board.limits, client));
            self.show(side, board, out);
        } else {
            self.discard(side, UNKNOWN, board);
        }
    }
}
