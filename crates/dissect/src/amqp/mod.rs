//! AMQP 0-9-1, the protocol of RabbitMQ (amqp0-9-1.pdf, with RabbitMQ's extensions).
//!
//! One [`Amqp`] reads a flow: each side is a protocol header, or frames. `parse` reads frames and the
//! arguments of methods, `names` knows every method, `properties` reads what names a message, `describe`
//! makes columns of it. On a `channel` questions meet their answers (`wait`), messages what becomes of them
//! (`settle`), until it is closed (`close`); `work` holds the channels. A message's `content` is counted down
//! and never kept.
//!
//! Who asks is who sends the method: the broker where it delivers, or closes. Heartbeats are no calls.
//!
//! AMQP 1.0 begins with a header of the same form and is another protocol: it is recognised and left alone,
//! its bytes counted as `amqp_1_0`.
//!
//! **Finding its feet again.** Every frame tells its length and ends with the same byte, so a gap inside a
//! body costs only what was in it. After a longer one, and in mid-stream, a side is passed over until
//! something with the structure of a frame begins with a segment or behind such an end.

use std::time::Duration;

use memchr::memchr;
use wirewise_model::{Limits, Mark, Reason, Redaction, Side, Timestamp};

use crate::{End, Fed, Input, Out, Protocol, Stream, StreamEntry, Verdict};

mod channel;
mod close;
mod content;
mod describe;
mod names;
mod parse;
mod probe;
mod properties;
mod settle;
#[cfg(test)]
mod tests;
mod wait;
mod work;

use channel::Said;
use parse::{Args, Frame, FrameKind, HEAD, Parsed};
use probe::Look;
use wait::Waiting;
use work::{NO_METHOD, Work};

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "amqp",
    title: "AMQP 0-9-1",
    reference: "AMQP 0-9-1",
    ports: &[5672],
    redaction: Redaction::Names,
    stream: Some(StreamEntry {
        probe: probe::probe,
        open: |limits, client| Box::new(Amqp::new(limits, client)),
    }),
    message: None,
    refine: None,
};

/// Bytes that are no part of a frame: after a loss, or of something that is not AMQP.
const OUT_OF_STEP: Reason = Reason::loss("out_of_step");
/// Another protocol that begins alike.
const ONE_ZERO: Reason = Reason::skip("amqp_1_0");
/// A frame of a method that nobody knows.
const UNKNOWN_METHOD: Reason = Reason::skip("unknown_method");
/// A method or header longer than `Limits::header_bytes`.
const HEADER_LIMIT: Reason = Reason::loss("header_limit");
/// A channel past [`MOST_CHANNELS`].
const CHANNEL_LIMIT: Reason = Reason::loss("channel_limit");

/// Where a side stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before a protocol header or a frame.
    Start,
    /// Before a frame.
    Frame,
    /// In the body of a message, so many bytes before the end of the frame, that included.
    Body { channel: u16, left: u32 },
    /// In a frame that is passed over.
    Passed { left: u32, reason: Reason },
    /// Out of step: looking for a frame.
    Lost,
    /// In another protocol.
    Left,
}

/// The dissector of one flow.
struct Amqp {
    client: Side,
    header_bytes: u32,
    pending_calls: u32,
    response_wait_ms: u32,
    at: [At; 2],
    /// By side: how many bytes were shown last and not taken.
    untaken: [u32; 2],
    work: Option<Box<Work>>,
}

/// What one step did.
enum Step {
    Used(usize),
    /// More is needed.
    Wait,
}

impl Amqp {
    fn new(limits: &Limits, client: Side) -> Self {
        let fit = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        Self {
            client,
            header_bytes: fit(limits.header_bytes),
            pending_calls: fit(limits.pending_calls.max(1)),
            response_wait_ms: u32::try_from(limits.response_wait.as_millis()).unwrap_or(u32::MAX),
            at: [At::Start; 2],
            untaken: [0; 2],
            work: None,
        }
    }

    fn with_work<T>(&mut self, run: impl FnOnce(&mut Self, &mut Work) -> T) -> T {
        let mut work = self.work.take().unwrap_or_default();
        let result = run(self, &mut work);
        if !work.is_idle() {
            self.work = Some(work);
        }
        result
    }

    fn step(&mut self, input: Input<'_>, fresh: bool, work: &mut Work, out: &mut Out) -> Step {
        let side = input.side;
        match self.at[side.index()] {
            At::Left => {
                out.skip(ONE_ZERO, input.bytes.len() as u64);
                Step::Used(input.bytes.len())
            }
            At::Start => match parse::hello(input.bytes) {
                Parsed::Some(version) => self.hello(input, version, work, out),
                Parsed::Short => Step::Wait,
                Parsed::No => {
                    // Entered in mid-stream, anywhere.
                    self.at[side.index()] = At::Lost;
                    self.find_feet(input, fresh, out)
                }
            },
            At::Lost => self.find_feet(input, fresh, out),
            At::Frame => self.frame(input, work, out),
            At::Body { channel, left } => self.body(input, channel, left, work, out),
            At::Passed { left, reason } => {
                let used = input.bytes.len().min(left as usize);
                out.skip(reason, used as u64);
                self.passed(side, left - used as u32, reason, &input.bytes[..used], work, out);
                Step::Used(used)
            }
        }
    }

    /// A side says which version it speaks.
    fn hello(&mut self, input: Input<'_>, version: [u8; 4], work: &mut Work, out: &mut Out) -> Step {
        let side = input.side;
        if parse::is_one_zero(version) {
            self.at = [At::Left; 2];
            out.skip(ONE_ZERO, parse::HELLO as u64);
            return Step::Used(parse::HELLO);
        }
        let mut track = input.begin(0);
        input.cover(&mut track, 0..parse::HELLO);
        self.at[side.index()] = At::Frame;
        if let Some(mut asked) = work.hello.take_if(|asked| asked.sender != side) {
            // The server names the version that it speaks, and hangs up (4.2.2).
            asked.answer(track);
            describe::other_version(&mut asked.exchange, version);
            asked.emit(out);
            return Step::Used(parse::HELLO);
        }
        let waiting = Waiting::hello(describe::hello(version, side, track));
        if side == self.client {
            work.hello = Some(waiting)
        } else {
            waiting.tell(out)
        }
        Step::Used(parse::HELLO)
    }

    /// Looks for a frame at the beginning of a segment, or behind the end of another.
    fn find_feet(&mut self, input: Input<'_>, fresh: bool, out: &mut Out) -> Step {
        let bytes = input.bytes;
        let mut start = if fresh { Some(0) } else { behind_end(bytes, 0) };
        while let Some(at) = start {
            match probe::look(&bytes[at..]) {
                Look::Frame(_) => {
                    out.skip(OUT_OF_STEP, at as u64);
                    self.at[input.side.index()] = At::Frame;
                    return Step::Used(at);
                }
                // A front of one at the very end of what was heard.
                Look::NeedMore if bytes.len() - at < HEAD + 4 => {
                    out.skip(OUT_OF_STEP, at as u64);
                    return if at == 0 { Step::Wait } else { Step::Used(at) };
                }
                Look::NeedMore | Look::No => start = behind_end(bytes, at),
            }
        }
        out.skip(OUT_OF_STEP, bytes.len() as u64);
        Step::Used(bytes.len())
    }

    fn frame(&mut self, input: Input<'_>, work: &mut Work, out: &mut Out) -> Step {
        let frame = match parse::frame(input.bytes) {
            Parsed::Some(frame) => frame,
            Parsed::Short => return Step::Wait,
            Parsed::No => {
                self.lose_step(input.side, work, out);
                return Step::Used(0);
            }
        };
        if frame.kind == FrameKind::Body {
            return self.body_begins(input, frame, work, out);
        }
        let whole = HEAD + frame.size as usize + 1;
        if frame.size > self.header_bytes {
            return self.long_frame(input, frame, work, out);
        }
        let Some(bytes) = input.bytes.get(..whole) else { return Step::Wait };
        if bytes.last() != Some(&parse::END) {
            self.lose_step(input.side, work, out);
            return Step::Used(0);
        }
        let payload = &bytes[HEAD..whole - 1];
        match frame.kind {
            FrameKind::Method => self.method(input, frame.channel, payload, work, out),
            FrameKind::Header => {
                if let Some(size) = properties::body_size(payload) {
                    work.header(input, frame.channel, whole, size, payload, out);
                }
            }
            FrameKind::Heartbeat | FrameKind::Body => {}
        }
        Step::Used(whole)
    }

    /// A header whose properties nobody needs to hold, or a method that cannot be read.
    fn long_frame(&mut self, input: Input<'_>, frame: Frame, work: &mut Work, out: &mut Out) -> Step {
        /// Class, weight, body size, flags.
        const FRONT: usize = 14;
        let Some(front) = input.bytes.get(HEAD..HEAD + FRONT) else { return Step::Wait };
        let size = (frame.kind == FrameKind::Header).then(|| properties::body_size(front)).flatten();
        let used = HEAD + FRONT;
        out.skip(HEADER_LIMIT, used as u64);
        if let Some(size) = size {
            work.header(input, frame.channel, used, size, &[], out);
        }
        let left = frame.size + 1 - FRONT as u32;
        self.at[input.side.index()] = At::Passed { left, reason: HEADER_LIMIT };
        Step::Used(used)
    }

    fn method(&mut self, input: Input<'_>, channel: u16, payload: &[u8], work: &mut Work, out: &mut Out) {
        let whole = HEAD + payload.len() + 1;
        let Parsed::Some(method) = parse::method(payload) else {
            return out.skip(UNKNOWN_METHOD, whole as u64);
        };
        let mut track = input.begin(0);
        input.cover(&mut track, 0..whole);
        let args = parse::args(method, payload).map_or_else(Args::default, |(args, _)| args);
        let said = Said { side: input.side, method, args, track };
        if !work.method(channel, said, self.pending_calls as usize, out) {
            out.skip(CHANNEL_LIMIT, whole as u64);
        }
    }

    fn body_begins(&mut self, input: Input<'_>, frame: Frame, work: &mut Work, out: &mut Out) -> Step {
        // A frame without its end can be as long as it says, so only in step is it believed.
        if let Some(track) = work.content(frame.channel, input.side).and_then(|content| content.track()) {
            input.cover(track, 0..HEAD);
        } else {
            out.skip(NO_METHOD, HEAD as u64);
        }
        self.at[input.side.index()] = At::Body { channel: frame.channel, left: frame.size + 1 };
        Step::Used(HEAD)
    }

    fn body(&mut self, input: Input<'_>, channel: u16, left: u32, work: &mut Work, out: &mut Out) -> Step {
        let side = input.side;
        let used = input.bytes.len().min(left as usize);
        let ends = used == left as usize;
        if ends && input.bytes.get(used - 1) != Some(&parse::END) {
            self.lose_step(side, work, out);
            return Step::Used(0);
        }
        match work.content(channel, side) {
            Some(content) => {
                content.body(used as u64 - u64::from(ends));
                if let Some(track) = content.track() {
                    input.cover(track, 0..used);
                }
                if ends && content.is_whole() {
                    work.content_done(channel, side, out);
                }
            }
            None => out.skip(NO_METHOD, used as u64),
        }
        self.at[side.index()] = if ends { At::Frame } else { At::Body { channel, left: left - used as u32 } };
        Step::Used(used)
    }

    /// Reads on in a frame that is passed over; its end must be one.
    fn passed(
        &mut self,
        side: Side,
        left: u32,
        reason: Reason,
        bytes: &[u8],
        work: &mut Work,
        out: &mut Out,
    ) {
        if left > 0 {
            self.at[side.index()] = At::Passed { left, reason };
        } else if bytes.last() == Some(&parse::END) {
            self.at[side.index()] = At::Frame;
        } else {
            self.lose_step(side, work, out);
        }
    }

    /// What comes is no frame: something was lost, or this is not AMQP.
    fn lose_step(&mut self, side: Side, work: &mut Work, out: &mut Out) {
        self.at[side.index()] = At::Lost;
        work.lost(side, out);
    }
}

/// The place behind the next end of a frame, from `from` on.
fn behind_end(bytes: &[u8], from: usize) -> Option<usize> {
    let at = memchr(parse::END, bytes.get(from..)?)?;
    Some(from + at + 1).filter(|behind| *behind < bytes.len())
}

impl Stream for Amqp {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let at = self.with_work(|this, work| {
            let mut at = 0;
            while at < input.bytes.len() {
                match this.step(input.skip(at), at == 0, work, out) {
                    Step::Used(used) => at += used,
                    Step::Wait => break,
                }
            }
            at
        });
        self.untaken[input.side.index()] = u32::try_from(input.bytes.len() - at).unwrap_or(u32::MAX);
        Fed::go_on(at)
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        let lost = len.saturating_add(u64::from(std::mem::take(&mut self.untaken[side.index()])));
        self.with_work(|this, work| match this.at[side.index()] {
            At::Left => {}
            At::Passed { left, reason } if lost < u64::from(left) => {
                this.at[side.index()] = At::Passed { left: left - lost as u32, reason };
            }
            At::Body { channel, left } if lost < u64::from(left) => {
                if let Some(content) = work.content(channel, side) {
                    content.holed();
                    content.body(lost);
                }
                this.at[side.index()] = At::Body { channel, left: left - lost as u32 };
            }
            At::Start | At::Frame | At::Body { .. } | At::Passed { .. } | At::Lost => {
                this.lose_step(side, work, out);
            }
        });
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        let at = last.at;
        // A side that sends no more answers no more; a reset ends both.
        let side = side.filter(|_| why == End::Fin);
        self.with_work(|_, work| work.end(side, why, at, out));
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        let wait = Duration::from_millis(u64::from(self.response_wait_ms));
        self.with_work(|_, work| work.tick(now, wait, out));
    }

    fn open(&self, out: &mut Out) {
        if let Some(work) = &self.work {
            work.open(out);
        }
    }

    fn waiting(&self) -> bool {
        self.work.as_ref().is_some_and(|work| work.is_busy())
    }
}
