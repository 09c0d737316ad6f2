//! HTTP/2, RFC 9113, with header compression of RFC 7541; prior knowledge, the upgrade of RFC 7540, 3.2, and the
//! tunnels of RFC 8441.
//!
//! One [`Http2`] reads a flow: each side is frames, of which only a head or a header block ever waits; bodies are
//! taken as they come. `parse` reads frames, `hpack` header blocks, `fields` and `describe` make columns of them,
//! `pair` brings the halves of each stream together, `reader` keeps a side's place.
//!
//! **Entered in the middle.** Frames are found by their heads (`probe`). What stood in a side's table before is not
//! known and told as unknown (`{unknown}`, noted `hpack_unknown`); entries that are made from then on are found by
//! how many came after them, so nothing is ever guessed. The static table reads always.
//!
//! **Finding its feet again.** A gap inside a DATA frame costs that body its content and nothing else; one inside
//! another frame costs that frame, and a header block among them the side's table. After any other loss a side is
//! passed over until frames of known streams are found that reach to the end of their segment.
//!
//! **Bounds.** Header blocks of `Limits::header_bytes`, longer ones are passed over and cost the table; tables of as
//! much; `Limits::pending_calls` streams; and headers and bodies of all streams together, past which they are counted
//! and not kept.

use std::time::Duration;

use wirewise_model::{Exchange, Limits, Mark, Reason, Redaction, Side, Timestamp, Track};

use crate::http::BodyBounds;
use crate::{End, Fed, Input, Out, Protocol, Stream, StreamEntry, Verdict};

mod describe;
mod fields;
mod hpack;
mod pair;
mod parse;
mod probe;
mod reader;
#[cfg(test)]
pub(crate) mod tests;

use fields::Fields;
use pair::{Block, Farewell, Piece, Streams};
use parse::{HEAD, Head, flag, kind};
use probe::{Known, Look};
use reader::{At, Data, Gathering, Pieces, Reader};

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "http2",
    title: "HTTP/2",
    reference: "RFC 9113",
    ports: &[],
    redaction: Redaction::Web,
    stream: Some(StreamEntry {
        probe: probe::probe,
        open: |limits, client| Box::new(Http2::new(limits, client)),
    }),
    message: None,
    refine: None,
};

/// Bytes that are no frame: after a loss.
const OUT_OF_STEP: Reason = Reason::loss("out_of_step");
/// A header block longer than `Limits::header_bytes`, or control frames longer than any.
const HEADER_LIMIT: Reason = Reason::loss("header_limit");
/// A connection's streams hold no more than so many bodies that are kept whole.
const BODIES_HELD: usize = 256;
/// A control frame longer than this says nothing that is told.
const LONGEST_CONTROL: u32 = 4096;
/// A header block in more frames than this is made to exhaust somebody.
const MANY_CONTINUATIONS: u32 = 64;

/// The limits that concern HTTP/2.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    header_bytes: u32,
    headers: u32,
    body: BodyBounds,
    pending_calls: u32,
    response_wait_ms: u32,
    /// Bytes of headers and bodies that all streams together may hold.
    held: usize,
}

impl Bounds {
    fn new(limits: &Limits) -> Self {
        let fit = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        Self {
            header_bytes: fit(limits.header_bytes),
            headers: fit(limits.headers),
            body: BodyBounds::new(limits),
            pending_calls: fit(limits.pending_calls.max(1)),
            response_wait_ms: u32::try_from(limits.response_wait.as_millis()).unwrap_or(u32::MAX),
            held: limits.body_kept.saturating_mul(BODIES_HELD).max(limits.header_bytes),
        }
    }
}

/// The dissector of one flow.
struct Http2 {
    bounds: Bounds,
    client: Side,
    /// Who asks is known, and not only likely.
    sure: bool,
    readers: [Reader; 2],
    streams: Streams,
    /// By which a side gave the connection up.
    farewell: Option<Box<Farewell>>,
}

/// What one step did.
enum Step {
    Used(usize),
    /// More is needed.
    Wait,
}

impl Http2 {
    fn new(limits: &Limits, client: Side) -> Self {
        let bounds = Bounds::new(limits);
        let reader = || Reader::new(bounds.header_bytes);
        Self {
            bounds,
            client,
            sure: false,
            readers: [reader(), reader()],
            streams: Streams::new(),
            farewell: None,
        }
    }

    fn reader(&mut self, side: Side) -> &mut Reader {
        &mut self.readers[side.index()]
    }

    fn step(&mut self, input: Input<'_>, fresh: bool, out: &mut Out) -> Step {
        let side = input.side;
        match &mut self.readers[side.index()].at {
            At::Start => self.start(input),
            At::Frame => self.frame(input, out),
            At::Data(_) => self.data(input, out),
            At::Gather(_) => self.gather(input, out),
            At::Skip { left, why } => {
                let used = (*left as usize).min(input.bytes.len());
                *left -= used as u32;
                if let Some(why) = *why {
                    out.skip(why, used as u64);
                }
                if *left == 0 {
                    self.reader(side).at = At::Frame;
                }
                Step::Used(used)
            }
            At::Lost => self.search(input, fresh, out),
        }
    }

    /// The first bytes of a side.
    fn start(&mut self, input: Input<'_>) -> Step {
        let side = input.side;
        match probe::preface(input.bytes) {
            Look::Yes { .. } => {
                (self.client, self.sure) = (side, true);
                self.reader(side).begin();
                Step::Used(parse::PREFACE.len())
            }
            Look::Maybe => Step::Wait,
            Look::No if input.bytes.len() < HEAD => Step::Wait,
            Look::No => {
                let begins = Head::parse(input.bytes)
                    .is_some_and(|head| head.kind == kind::SETTINGS && head.flags == 0 && head.is_usual());
                if begins {
                    self.reader(side).begin();
                } else {
                    // Heard from the middle on.
                    self.reader(side).lose();
                }
                Step::Used(0)
            }
        }
    }

    /// After a loss: where do frames begin?
    fn search(&mut self, input: Input<'_>, fresh: bool, out: &mut Out) -> Step {
        let streams = &self.streams;
        let known = Known { is_open: &|stream| streams.is_open(stream), newest: streams.newest() };
        let length = input.bytes.len();
        let found = if fresh { probe::find(input.bytes, &known) } else { None };
        // Of a connection that is entered in the middle no stream is known yet; its frames have to speak for
        // themselves.
        let found =
            found.or_else(|| (fresh && matches!(probe::frames(input.bytes), Look::Yes { .. })).then_some(0));
        // A frame that would not be believed there is none: taken for one it would be lost again at once, for ever.
        let reader = &self.readers[input.side.index()];
        let found = found.filter(|&at| {
            let head = input.bytes.get(at..).and_then(Head::parse);
            head.is_none_or(|head| reader.could_take(&head))
        });
        let passed = found.unwrap_or(length);
        out.skip(OUT_OF_STEP, passed as u64);
        if found.is_some() {
            self.reader(input.side).found();
        }
        Step::Used(passed)
    }

    /// Between frames: the head of the next one.
    fn frame(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let side = input.side;
        let asks = side == self.client;
        let Some(head) = Head::parse(input.bytes) else { return Step::Wait };
        let reader = &mut self.readers[side.index()];
        if !reader.believes(&head) {
            self.lose_step(side, out);
            return Step::Used(0);
        }
        if let Some(pieces) = reader.pieces.take_if(|pieces| !pieces.go_on_in(&head)) {
            // RFC 9113, 6.10: nothing may come between the pieces of a block.
            self.drop_block(side, pieces.subject(), pieces.ended, out);
        }
        let payload = input.bytes.get(HEAD..HEAD + head.length as usize);
        match head.kind {
            kind::DATA => {
                if let Some(message) = self.streams.message(head.stream, asks) {
                    input.cover(&mut message.track, 0..HEAD);
                }
                self.reader(side).at = At::Data(Data::new(&head));
                self.finish_data(side, out);
                Step::Used(HEAD)
            }
            kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION
                if head.length <= self.bounds.header_bytes =>
            {
                let mut track = input.begin(0);
                match payload {
                    Some(payload) => {
                        input.cover(&mut track, 0..HEAD + payload.len());
                        self.block(side, head, payload, track, out);
                        Step::Used(HEAD + payload.len())
                    }
                    None => {
                        input.cover(&mut track, 0..HEAD);
                        self.reader(side).at = At::Gather(Box::new(Gathering::new(head, track)));
                        Step::Used(HEAD)
                    }
                }
            }
            kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION => {
                out.skip(HEADER_LIMIT, HEAD as u64);
                let ended = head.kind == kind::HEADERS && head.has(flag::END_STREAM);
                self.drop_block(side, subject(&head), ended, out);
                self.reader(side).skip(head.length, Some(HEADER_LIMIT));
                Step::Used(HEAD)
            }
            kind::SETTINGS | kind::GOAWAY | kind::RST_STREAM if head.length <= LONGEST_CONTROL => {
                match payload {
                    Some(payload) => {
                        let length = HEAD + payload.len();
                        self.control(side, head, payload, input.mark(length - 1).at, out);
                        Step::Used(length)
                    }
                    None => {
                        self.reader(side).at = At::Gather(Box::new(Gathering::new(head, input.begin(0))));
                        Step::Used(HEAD)
                    }
                }
            }
            _ => {
                self.reader(side).skip(head.length, None);
                Step::Used(HEAD)
            }
        }
    }

    /// In the payload of a DATA frame.
    fn data(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let (side, asks) = (input.side, input.side == self.client);
        let At::Data(data) = &mut self.readers[side.index()].at else { return Step::Used(0) };
        let (content, used) = data.take(input.bytes);
        let stream = data.stream;
        if let Some(message) = self.streams.message(stream, asks) {
            input.cover(&mut message.track, 0..used);
            if !content.is_empty() {
                let piece = Piece { stream, asks, content: &input.bytes[content] };
                self.streams.data(piece, &self.bounds);
            }
        }
        self.finish_data(side, out);
        Step::Used(used)
    }

    /// A DATA frame may be over.
    fn finish_data(&mut self, side: Side, out: &mut Out) {
        let asks = side == self.client;
        let At::Data(data) = self.reader(side).at else { return };
        if data.left > 0 {
            return;
        }
        self.reader(side).at = At::Frame;
        if data.ended {
            self.streams.end(data.stream, asks, out);
        }
    }

    /// In the payload of a frame that has to be whole to be read.
    fn gather(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let side = input.side;
        let At::Gather(gathering) = &mut self.readers[side.index()].at else { return Step::Used(0) };
        let used = gathering.left().min(input.bytes.len());
        gathering.bytes.extend_from_slice(&input.bytes[..used]);
        input.cover(&mut gathering.track, 0..used);
        if gathering.left() > 0 {
            return Step::Used(used);
        }
        let At::Gather(gathering) = std::mem::replace(&mut self.reader(side).at, At::Frame) else {
            return Step::Used(used);
        };
        let Gathering { head, bytes, track } = *gathering;
        match head.kind {
            kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION => {
                self.block(side, head, &bytes, track, out)
            }
            _ => self.control(side, head, &bytes, track.last.at, out),
        }
        Step::Used(used)
    }

    /// A frame with a header block, or with a piece of one.
    fn block(&mut self, side: Side, head: Head, payload: &[u8], track: Track, out: &mut Out) {
        let most = self.bounds.header_bytes as usize;
        let reader = &mut self.readers[side.index()];
        if head.kind == kind::CONTINUATION {
            // One without its beginning, which was lost, is passed over; the table was given up then.
            let Some(pieces) = reader.pieces.as_mut() else { return };
            join(&mut pieces.track, track);
            pieces.frames += 1;
            if pieces.bytes.len() + payload.len() > most {
                out.skip(HEADER_LIMIT, payload.len() as u64);
                pieces.over = true;
            } else if !pieces.over {
                pieces.bytes.extend_from_slice(payload);
            }
            if !head.has(flag::END_HEADERS) {
                return;
            }
            let Some(pieces) = reader.pieces.take() else { return };
            if pieces.over {
                return self.drop_block(side, pieces.subject(), pieces.ended, out);
            }
            let stream = pieces.subject();
            let Pieces { promised, bytes, track, ended, frames, .. } = *pieces;
            let block = Block { stream, client: self.client, track, ended };
            return self.whole_block(side, block, promised.is_some(), &bytes, frames, out);
        }
        let (promised, fragment) = match head.kind {
            kind::PUSH_PROMISE => match parse::promise_fragment(&head, payload) {
                Some((promised, fragment)) => (Some(promised), Some(fragment)),
                None => (None, None),
            },
            _ => (None, parse::headers_fragment(&head, payload)),
        };
        let ended = head.kind == kind::HEADERS && head.has(flag::END_STREAM);
        let Some(fragment) = fragment else {
            return self.drop_block(side, subject(&head), ended, out);
        };
        if head.has(flag::END_HEADERS) {
            let block = Block { stream: promised.unwrap_or(head.stream), client: self.client, track, ended };
            return self.whole_block(side, block, promised.is_some(), fragment, 0, out);
        }
        reader.pieces = Some(Box::new(Pieces {
            stream: head.stream,
            promised,
            bytes: fragment.to_vec(),
            track,
            ended,
            frames: 0,
            over: false,
        }));
    }

    fn whole_block(
        &mut self,
        side: Side,
        mut block: Block,
        promise: bool,
        bytes: &[u8],
        continuations: u32,
        out: &mut Out,
    ) {
        let room = self.streams.room(&self.bounds);
        let mut fields = Fields::read(&mut self.readers[side.index()].hpack, bytes, &self.bounds, room);
        fields.flooded = continuations > MANY_CONTINUATIONS;
        if !self.sure && !promise && (fields.asks() || fields.answers()) {
            self.client = if fields.asks() { side } else { side.other() };
            self.sure = true;
        }
        if !self.sure {
            // Whose it is cannot be told yet.
            return;
        }
        block.client = self.client;
        match (side == self.client, promise) {
            (true, _) => self.streams.asked(block, fields, &self.bounds, out),
            (false, true) => self.streams.promised(block, fields, &self.bounds, out),
            (false, false) => self.streams.answered(block, fields, &self.bounds, out),
        }
    }

    /// A header block that cannot be read: its side's table is out of step from there on.
    fn drop_block(&mut self, side: Side, stream: u32, ended: bool, out: &mut Out) {
        self.reader(side).hpack.forget();
        self.streams.block_lost(stream, side == self.client, ended, out);
    }

    fn control(&mut self, side: Side, head: Head, payload: &[u8], at: Timestamp, out: &mut Out) {
        match head.kind {
            kind::SETTINGS if !head.has(flag::ACK) => {
                let whole = self.readers[side.index()].whole;
                let sender = &mut self.readers[side.other().index()];
                if whole {
                    sender.allow_frame(parse::USUAL_FRAME);
                    sender.hpack.allow(hpack::DEFAULT_TABLE);
                }
                for (identifier, value) in parse::settings(payload) {
                    match identifier {
                        1 if whole => sender.hpack.allow(value),
                        5 if whole => sender.allow_frame(value),
                        _ => {}
                    }
                }
            }
            kind::RST_STREAM => {
                if let Some(code) = parse::number(payload) {
                    self.streams.reset(head.stream, side, code, at, out);
                }
            }
            kind::GOAWAY => {
                let Some((last, code, words)) = parse::goaway(payload) else { return };
                let farewell = Farewell { last, code, words: describe::words(words) };
                self.streams.goaway(&farewell, side == self.client, out);
                // The first that names an error is the reason; an orderly one may come in two.
                if self.farewell.as_ref().is_none_or(|before| before.code == 0) {
                    self.farewell = Some(Box::new(farewell));
                }
            }
            _ => {}
        }
    }

    /// What comes is no frame: something was lost.
    fn lose_step(&mut self, side: Side, out: &mut Out) {
        self.reader(side).lose();
        self.reader(side.other()).allow_any_frame();
        self.streams.side_lost(side == self.client, out);
    }

    /// `len` bytes of the frame that is being read were lost; what is beyond it is returned.
    fn lose_in_frame(&mut self, side: Side, len: u64, out: &mut Out) -> u64 {
        let asks = side == self.client;
        let inside = |left: u32| u32::try_from(len).unwrap_or(u32::MAX).min(left);
        match &mut self.reader(side).at {
            At::Data(data) => {
                let lost = inside(data.left);
                data.lose(lost);
                let stream = data.stream;
                self.streams.data_lost(stream, asks, u64::from(lost));
                self.finish_data(side, out);
                len - u64::from(lost)
            }
            At::Gather(gathering) => {
                let head = gathering.head;
                let left = gathering.left() as u32;
                let lost = inside(left);
                self.reader(side).skip(left - lost, None);
                if matches!(head.kind, kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION) {
                    let begun = self.reader(side).pieces.take();
                    let ended = head.kind == kind::HEADERS && head.has(flag::END_STREAM);
                    let (stream, ended) =
                        begun.map_or((subject(&head), ended), |pieces| (pieces.subject(), pieces.ended));
                    self.drop_block(side, stream, ended, out);
                }
                len - u64::from(lost)
            }
            At::Skip { left, why } => {
                let (lost, why) = (inside(*left), *why);
                let left = *left - lost;
                self.reader(side).skip(left, why);
                len - u64::from(lost)
            }
            At::Start | At::Frame | At::Lost => len,
        }
    }
}

/// The stream that a lost header block was about; a promised one cannot be told any more.
fn subject(head: &Head) -> u32 {
    if head.kind == kind::PUSH_PROMISE { 0 } else { head.stream }
}

/// Adds what came later to a track.
fn join(track: &mut Track, later: Track) {
    for number in later.frames.numbers {
        track.frames.push(number);
    }
    track.frames.omitted += later.frames.omitted;
    track.bytes += later.bytes;
    if later.last.at >= track.last.at {
        track.last = later.last;
    }
}

impl Stream for Http2 {
    fn inherit(&mut self, agreed: Exchange) {
        (self.client, self.sure) = (agreed.client, true);
        self.streams.inherit(agreed);
    }

    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let mut at = 0;
        while at < input.bytes.len() {
            match self.step(input.skip(at), at == 0, out) {
                Step::Used(used) => at += used,
                Step::Wait => break,
            }
        }
        self.reader(input.side).waiting = input.bytes.len() > at;
        Fed::go_on(at)
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        let waited = std::mem::take(&mut self.reader(side).waiting);
        let beyond = self.lose_in_frame(side, len, out);
        // A head of which a part was lost; or bytes between frames.
        if (waited || beyond > 0) && !matches!(self.reader(side).at, At::Lost) {
            self.lose_step(side, out);
        }
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        // A client that has said all may still be answered.
        if side != Some(self.client) || why != End::Fin {
            self.streams.close(why, last.at, self.farewell.as_deref(), out);
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        let wait = Duration::from_millis(u64::from(self.bounds.response_wait_ms));
        self.streams.tick(now, wait, out);
    }

    fn open(&self, out: &mut Out) {
        self.streams.tell_open(out);
    }

    fn waiting(&self) -> bool {
        !self.streams.is_idle()
    }
}
