//! Memcached over UDP (`doc/protocol.txt`, "UDP protocol"): the text protocol behind a frame header of eight bytes with
//! the request's number, and of how many datagrams this is which.
//!
//! A request is one datagram; an answer may be many, and is over when all of them have come. Since addresses are easily
//! forged there, answers that nobody asked for are told of too.

use std::time::Duration;

use wirewise_model::{Limits, Mark, Reason, Side, Timestamp, Track};

use super::message::{Asked, Parsed, Reply};
use super::{PORT, pair, text};
use crate::lineup::{Met, join};
use crate::{Datagram, End, Messages, Out, Probe, Verdict};

/// A datagram of such a flow that has no frame header or no message.
const NOT_MEMCACHED: Reason = Reason::skip("not_memcached");
/// Answers of which datagrams are still to come. Past it the oldest goes out as it is.
const MOST_UNDER_WAY: usize = 64;

/// The frame header.
#[derive(Clone, Copy, Debug)]
struct Frame<'a> {
    id: u16,
    sequence: u16,
    total: u16,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (header, payload) = bytes.split_first_chunk::<8>()?;
        let [id1, id2, sequence1, sequence2, total1, total2, reserved1, reserved2] = *header;
        let number = |high, low| u16::from_be_bytes([high, low]);
        let frame = Self {
            id: number(id1, id2),
            sequence: number(sequence1, sequence2),
            total: number(total1, total2),
            payload,
        };
        let fits = frame.sequence < frame.total && number(reserved1, reserved2) == 0;
        fits.then_some(frame)
    }

    fn first_line(&self) -> Option<&'a [u8]> {
        match text::line(self.payload, self.payload.len() + 1) {
            Parsed::Whole(line, _) => Some(line),
            Parsed::More | Parsed::Bad => None,
        }
    }

    fn is_command(&self) -> bool {
        self.total == 1 && self.first_line().is_some_and(text::may_be_command)
    }

    fn is_answer(&self) -> bool {
        self.sequence > 0 || self.first_line().is_some_and(|line| text::answer_line(line) != text::Line::Bad)
    }
}

/// Its port, and a frame with a command or the first of an answer.
pub(super) fn probe(message: &Datagram<'_>) -> Probe {
    if !message.ports.contains(&PORT) {
        return Probe::No;
    }
    match Frame::parse(message.bytes) {
        Some(frame) if frame.is_command() => Probe::Yes { client: message.side },
        Some(frame) if frame.sequence == 0 && frame.is_answer() => {
            Probe::Yes { client: message.side.other() }
        }
        Some(_) | None => Probe::No,
    }
}

/// An answer of which datagrams are to come.
#[derive(Debug)]
struct UnderWay {
    id: u16,
    reply: Reply,
    heard: u16,
    total: u16,
}

/// The dissector of one flow.
pub(super) struct Datagrams {
    client: Side,
    wait: Duration,
    most: usize,
    asked: Vec<(u16, Asked)>,
    under_way: Vec<UnderWay>,
}

impl Datagrams {
    pub(super) fn new(limits: &Limits, client: Side) -> Self {
        Self {
            client,
            wait: limits.datagram_response_wait,
            most: limits.pending_calls.max(1),
            asked: Vec::new(),
            under_way: Vec::new(),
        }
    }

    fn command(&mut self, frame: Frame<'_>, track: Track, out: &mut Out) -> Option<()> {
        let (asked, _) = text::command(frame.first_line()?, track)?;
        if asked.one_way {
            pair::one_way(self.client, asked, out);
            return Some(());
        }
        if self.asked.len() >= self.most {
            let (_, asked) = self.asked.remove(0);
            let at = asked.track.last.at;
            pair::tell(self.client, Met::Unanswered { asked, why: End::Evicted, at }, out);
        }
        self.asked.push((frame.id, asked));
        Some(())
    }

    fn answer(&mut self, frame: Frame<'_>, track: Track, out: &mut Out) -> Option<()> {
        if !frame.is_answer() {
            return None;
        }
        let same = |under_way: &UnderWay| under_way.id == frame.id && under_way.total == frame.total;
        let at = match self.under_way.iter().position(same) {
            Some(at) => {
                join(&mut self.under_way[at].reply.track, &track);
                at
            }
            None => {
                if self.under_way.len() >= MOST_UNDER_WAY {
                    self.finish(0, out);
                }
                let reply = Reply::new(track);
                self.under_way.push(UnderWay { id: frame.id, reply, heard: 0, total: frame.total });
                self.under_way.len() - 1
            }
        };
        let under_way = &mut self.under_way[at];
        under_way.heard += 1;
        count(&mut under_way.reply, frame);
        if under_way.heard >= under_way.total {
            self.finish(at, out);
        }
        Some(())
    }

    /// An answer is over, or as much of it as will come.
    fn finish(&mut self, at: usize, out: &mut Out) {
        let UnderWay { id, mut reply, heard, total } = self.under_way.swap_remove(at);
        reply.holed = heard < total;
        if reply.status.is_empty() {
            "OK".clone_into(&mut reply.status);
        }
        let client = self.client;
        match self.asked.iter().position(|(asked, _)| *asked == id) {
            Some(at) => {
                let (_, asked) = self.asked.remove(at);
                pair::tell(client, Met::Pair { asked, answer: reply, late: false }, out);
            }
            None => pair::tell(client, Met::Alone { answer: reply, lost: false }, out),
        }
    }
}

/// Reads the lines of an answer. Data may go on in the next datagram, which then begins with no line.
fn count(reply: &mut Reply, frame: Frame<'_>) {
    let mut rest = if frame.sequence == 0 { frame.payload } else { &[] };
    while let Parsed::Whole(line, used) = text::line(rest, rest.len() + 1) {
        rest = &rest[used..];
        match text::answer_line(line) {
            text::Line::Value(bytes) => {
                rest = rest.get(bytes as usize..).unwrap_or_default();
                reply.rows = Some(reply.rows.unwrap_or(0).saturating_add(1));
            }
            text::Line::Item => reply.rows = Some(reply.rows.unwrap_or(0).saturating_add(1)),
            text::Line::Data(_) | text::Line::Last => return reply.conclude(line),
            text::Line::Bad => break,
        }
    }
    // The last line of the last datagram says how it came out; how many there were is not counted there.
    if frame.sequence > 0 && frame.sequence + 1 == frame.total {
        let text = frame.payload.trim_ascii_end();
        let line = text.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        if text::answer_line(line) == text::Line::Last {
            reply.conclude(line);
            reply.rows = None;
        }
    }
}

impl Messages for Datagrams {
    fn feed(&mut self, message: Datagram<'_>, out: &mut Out) -> Verdict {
        let track = message.track();
        let taken = Frame::parse(message.bytes).and_then(|frame| match message.side == self.client {
            true => self.command(frame, track, out),
            false => self.answer(frame, track, out),
        });
        if taken.is_none() {
            out.skip(NOT_MEMCACHED, message.bytes.len() as u64);
        }
        Verdict::Continue
    }

    fn end(&mut self, why: End, last: Mark, out: &mut Out) {
        let at = last.at;
        while !self.under_way.is_empty() {
            self.finish(0, out);
        }
        for (_, asked) in std::mem::take(&mut self.asked) {
            pair::tell(self.client, Met::Unanswered { asked, why, at }, out);
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        let wait = self.wait;
        let late = |track: &Track| now.since(track.last.at) >= wait;
        while let Some(at) = self.under_way.iter().position(|under_way| late(&under_way.reply.track)) {
            self.finish(at, out);
        }
        while self.asked.first().is_some_and(|(_, asked)| late(&asked.track)) {
            let (_, asked) = self.asked.remove(0);
            pair::tell(self.client, Met::Unanswered { asked, why: End::TimedOut, at: now }, out);
        }
    }

    fn open(&self, out: &mut Out) {
        for (_, asked) in &self.asked {
            pair::open(self.client, asked, out);
        }
    }

    fn waiting(&self) -> bool {
        !self.asked.is_empty() || !self.under_way.is_empty()
    }
}
