//! HTTP/1.0 and 1.1, RFC 9112 and RFC 9110.
//!
//! One [`Http1`] reads a flow: each side is a header block, then a body, then the next header block; bodies are
//! taken as they come, so only an unfinished header block ever waits. `parse` reads header blocks, `framing`
//! and `body` bodies, `describe` makes columns of them, `pair` brings the halves
//! together.
//!
//! **Interim responses** (1xx but 101) are an attribute of their exchange, not its answer. After 101, and after
//! a 2xx to CONNECT, the flow is another protocol's.
//!
//! **Finding its feet again.** A gap inside a body of known length costs that body its content and nothing
//! else. After any other loss a side is passed over until a segment begins as a start line does; what remains
//! of a chunked body until then counts as that body's. Whose response is found then, `pair` says.

use std::time::Duration;

use wirewise_model::{Limits, Mark, Reason, Redaction, Side, Timestamp};

use crate::http::{self, BodyBounds};
use crate::{End, Fed, Input, Out, Protocol, Stream, StreamEntry, Verdict};

mod body;
mod describe;
mod framing;
mod pair;
mod parse;
mod probe;
#[cfg(test)]
mod tests;

use body::{BodyReader, Progress};
use describe::Incoming;
use framing::Framing;
use pair::{Memory, Pending, Work};
use parse::Line;
use probe::Look;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "http1",
    title: "HTTP/1.0 and 1.1",
    reference: "RFC 9112",
    ports: &[80, 8080],
    redaction: Redaction::Web,
    stream: Some(StreamEntry {
        probe: probe::probe,
        open: |limits, client| Box::new(Http1::new(limits, client)),
    }),
    message: None,
    refine: None,
};

/// Bytes that are no part of a message: after a loss, or of something that is not HTTP.
const OUT_OF_STEP: Reason = Reason::loss("out_of_step");
/// A header block longer than `Limits::header_bytes`.
const HEADER_LIMIT: Reason = Reason::loss("header_limit");

/// The limits that concern HTTP, in few bytes: a flow that is idle keeps nothing else.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    header_bytes: u32,
    headers: u32,
    body: BodyBounds,
    pending_calls: u32,
    response_wait_ms: u32,
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
        }
    }
}

/// Where a side stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Before a header block, or inside one.
    #[default]
    Head,
    /// In a body.
    Body,
    /// Out of step: looking for a start line.
    Lost,
    /// Behind a request that may make the flow another protocol's.
    Held,
}

#[derive(Default)]
struct Reader {
    at: At,
    /// So much of the unfinished header block was looked at.
    scanned: u32,
    body: Option<Box<BodyReader>>,
}

/// The dissector of one flow.
struct Http1 {
    bounds: Bounds,
    client: Side,
    asking: Reader,
    answering: Reader,
    memory: Memory,
    work: Option<Box<Work>>,
}

/// What one step did.
enum Step {
    Used(usize),
    /// More is needed.
    Wait,
    Leave(usize, Verdict),
}

impl Http1 {
    fn new(limits: &Limits, client: Side) -> Self {
        Self {
            bounds: Bounds::new(limits),
            client,
            asking: Reader::default(),
            answering: Reader::default(),
            memory: Memory::default(),
            work: None,
        }
    }

    /// Runs with what is under way, and frees that where nothing is left of it.
    fn with_work<T>(&mut self, run: impl FnOnce(&mut Self, &mut Work) -> T) -> T {
        let mut work = self.work.take().unwrap_or_default();
        let result = run(self, &mut work);
        if !work.is_idle() {
            self.work = Some(work);
        }
        result
    }

    fn step(&mut self, input: Input<'_>, fresh: bool, work: &mut Work, out: &mut Out) -> Step {
        let asks = input.side == self.client;
        let reader = if asks { &mut self.asking } else { &mut self.answering };
        match reader.at {
            At::Held => Step::Wait,
            At::Lost => {
                let begins = if asks { probe::begins_request } else { probe::begins_response };
                if fresh && begins(input.bytes) {
                    reader.at = At::Head;
                    reader.scanned = 0;
                    return Step::Used(0);
                }
                out.skip(OUT_OF_STEP, input.bytes.len() as u64);
                Step::Used(input.bytes.len())
            }
            At::Body if asks => self.request_body(input, fresh, work, out),
            At::Body => self.response_body(input, fresh, work, out),
            At::Head => self.head(input, asks, work, out),
        }
    }

    fn head(&mut self, input: Input<'_>, asks: bool, work: &mut Work, out: &mut Out) -> Step {
        let bytes = input.bytes;
        let reader = if asks { &mut self.asking } else { &mut self.answering };
        if reader.scanned == 0 {
            let blank = probe::blank_lines(bytes);
            if blank > 0 {
                return Step::Used(blank);
            }
        }
        // Once a start line was recognised it is not looked at again: a block may come byte by byte.
        if reader.scanned < 2048 {
            let look = if asks { probe::request_line(bytes) } else { probe::status_line(bytes) };
            if look == Look::No {
                self.lose_step(asks, work);
                return Step::Used(0);
            }
        }
        let reader = if asks { &mut self.asking } else { &mut self.answering };
        let end = parse::find_end(bytes, reader.scanned as usize);
        let length = end.unwrap_or(bytes.len());
        if length > self.bounds.header_bytes as usize {
            work.abandon("header_limit", out);
            return Step::Leave(0, Verdict::GiveUp(HEADER_LIMIT));
        }
        let Some(end) = end else {
            reader.scanned = length as u32;
            return Step::Wait;
        };
        reader.scanned = 0;
        let head = if asks { parse::request(&bytes[..end]) } else { parse::response(&bytes[..end]) };
        let Some(head) = head else {
            self.lose_step(asks, work);
            out.skip(OUT_OF_STEP, end as u64);
            return Step::Used(end);
        };
        let mut track = input.begin(0);
        input.cover(&mut track, 0..end);
        match head.line {
            Line::Request { .. } => {
                let mut pending = Pending::new(self.client);
                let (asked, body) = describe::request(&mut pending.exchange, &head, track, &self.bounds);
                pending.asked = asked;
                self.memory.request_begins(work, pending, self.bounds.pending_calls as usize, out);
                self.finish_answer_to_head(work, out);
                self.begin_body(true, body);
                if self.asking.at != At::Body {
                    self.request_done(work, out);
                }
                Step::Used(end)
            }
            Line::Response { code: code @ (100 | 102..=199), .. } => {
                if let Some(front) = work.front() {
                    http::interim(&mut front.exchange, code);
                }
                Step::Used(end)
            }
            Line::Response { .. } => {
                self.memory.response_begins(work, track.first.at, self.client, out);
                let Some(answer) = work.answer.as_mut() else { return Step::Used(end) };
                let body = describe::response(&mut answer.exchange, answer.asked, &head, track, &self.bounds);
                self.begin_body(false, body);
                if self.answering.at == At::Body {
                    return Step::Used(end);
                }
                self.response_done(true, work, out)
                    .map_or(Step::Used(end), |verdict| Step::Leave(end, verdict))
            }
        }
    }

    fn begin_body(&mut self, asks: bool, body: Option<Incoming>) {
        let reader = if asks { &mut self.asking } else { &mut self.answering };
        reader.body =
            body.map(|body| Box::new(BodyReader::new(body.framing, &body.codings, self.bounds.body)));
        reader.at = if reader.body.is_some() { At::Body } else { At::Head };
    }

    /// A response that was heard before its request turns out to answer HEAD: what was announced will not come.
    fn finish_answer_to_head(&mut self, work: &mut Work, out: &mut Out) {
        let untouched = self.answering.body.as_ref().is_some_and(|body| body.is_untouched());
        let head = work.answer.as_ref().is_some_and(|answer| answer.asked.head && !answer.answered);
        if untouched && head {
            self.response_done(true, work, out);
        }
    }

    fn request_body(&mut self, input: Input<'_>, fresh: bool, work: &mut Work, out: &mut Out) -> Step {
        let Some(body) = self.asking.body.as_mut() else {
            self.asking.at = At::Head;
            return Step::Used(0);
        };
        if matches!(body.framing, Framing::Lost) && fresh && probe::begins_request(input.bytes) {
            self.request_done(work, out);
            return Step::Used(0);
        }
        // RFC 9110, 10.1.1: who is refused instead of told to continue need not send the body.
        if fresh
            && body.is_untouched()
            && work.asking().is_some_and(|pending| pending.asked.expects && pending.answered)
            && probe::begins_request(input.bytes)
        {
            self.request_done(work, out);
            return Step::Used(0);
        }
        let (used, progress) = body.read(input.bytes);
        if let Some(request) = work.asking().and_then(|pending| pending.exchange.request.as_mut()) {
            input.cover(&mut request.track, 0..used);
        }
        if progress == Progress::Done {
            self.request_done(work, out);
        }
        Step::Used(used)
    }

    fn response_body(&mut self, input: Input<'_>, fresh: bool, work: &mut Work, out: &mut Out) -> Step {
        let Some(body) = self.answering.body.as_mut() else {
            self.answering.at = At::Head;
            return Step::Used(0);
        };
        if matches!(body.framing, Framing::Lost) && fresh && probe::begins_response(input.bytes) {
            self.response_done(false, work, out);
            return Step::Used(0);
        }
        let (used, progress) = body.read(input.bytes);
        if let Some(response) = work.answer.as_mut().and_then(|answer| answer.exchange.response.as_mut()) {
            input.cover(&mut response.track, 0..used);
        }
        if progress == Progress::Done
            && let Some(verdict) = self.response_done(true, work, out)
        {
            return Step::Leave(used, verdict);
        }
        Step::Used(used)
    }

    /// The request that is being read is over.
    fn request_done(&mut self, work: &mut Work, out: &mut Out) {
        self.asking.at = At::Head;
        if let Some(pending) = work.asking() {
            if let Some(mut body) = self.asking.body.take() {
                let trailers = body.trailers();
                pending.exchange.notes.extend(body.note().map(Into::into));
                if let Some(request) = pending.exchange.request.as_mut() {
                    describe::add_trailers(request, &trailers, &self.bounds);
                    request.body = body.finish(true);
                }
            }
            if pending.asked.connect || pending.asked.upgrade.is_some() {
                self.asking.at = if pending.answered { At::Head } else { At::Held };
            }
        }
        self.asking.body = None;
        work.request_done(&self.memory, out);
    }

    /// The response that is being read is over; `whole` where its last byte was seen. Says where the flow is
    /// another protocol's from here.
    fn response_done(&mut self, whole: bool, work: &mut Work, out: &mut Out) -> Option<Verdict> {
        self.answering.at = At::Head;
        let body = self.answering.body.take();
        let answer = work.answer.as_mut()?;
        let lost = body.as_ref().is_some_and(|body| matches!(body.framing, Framing::Lost));
        answer.exchange.complete = whole && !lost;
        if let Some(mut body) = body {
            let trailers = body.trailers();
            answer.exchange.notes.extend(body.note().map(Into::into));
            if let Some(response) = answer.exchange.response.as_mut() {
                describe::add_trailers(response, &trailers, &self.bounds);
                response.body = body.finish(whole);
            }
        }
        let (code, asked) = (answer.exchange.status_code, answer.asked);
        if code == Some(101) && matches!(asked.upgrade, Some(Some(_))) {
            out.handed = Some(Box::new(answer.exchange.clone()));
        }
        // A request whose end cannot be told any more ends with its answer.
        if self.asking.body.as_ref().is_some_and(|body| matches!(body.framing, Framing::Lost)) {
            self.request_done(work, out);
            self.asking.at = At::Lost;
        }
        work.response_done(out);
        if self.asking.at == At::Held {
            self.asking.at = At::Head;
        }
        let verdict = match code {
            Some(101) => Verdict::Upgrade(asked.upgrade.flatten()),
            Some(200..=299) if asked.connect => Verdict::Upgrade(None),
            _ => return None,
        };
        work.abandon("upgraded", out);
        Some(verdict)
    }

    /// What comes is no message: something was lost, or this is not HTTP.
    fn lose_step(&mut self, asks: bool, work: &mut Work) {
        if asks {
            self.asking = Reader { at: At::Lost, ..Reader::default() };
            self.memory.requests_lost();
        } else {
            self.answering = Reader { at: At::Lost, ..Reader::default() };
            self.memory.responses_lost(work, false);
        }
    }

    fn request_gap(&mut self, len: u64, work: &mut Work, out: &mut Out) {
        self.asking.scanned = 0;
        match self.asking.at {
            At::Held => {}
            At::Head | At::Lost => self.lose_step(true, work),
            At::Body => {
                if let Some(pending) = work.asking() {
                    pending.holed();
                }
                let Some(body) = self.asking.body.as_mut() else { return };
                let beyond = body.gap(len);
                if body.is_done() {
                    self.request_done(work, out);
                }
                if beyond > 0 && self.asking.at != At::Held {
                    self.lose_step(true, work);
                }
            }
        }
    }

    fn response_gap(&mut self, len: u64, work: &mut Work, out: &mut Out) -> Verdict {
        self.answering.scanned = 0;
        match self.answering.at {
            At::Held => {}
            At::Head | At::Lost => {
                let message = self.answering.at == At::Head;
                self.answering = Reader { at: At::Lost, ..Reader::default() };
                self.memory.responses_lost(work, message);
            }
            At::Body => {
                if let Some(answer) = work.answer.as_mut() {
                    answer.holed();
                }
                let Some(body) = self.answering.body.as_mut() else { return Verdict::Continue };
                let beyond = body.gap(len);
                if matches!(body.framing, Framing::Lost) {
                    self.memory.responses_lost(work, false);
                } else if body.is_done() {
                    let verdict = self.response_done(false, work, out);
                    if beyond > 0 {
                        self.answering.at = At::Lost;
                        self.memory.responses_lost(work, true);
                    }
                    return verdict.unwrap_or(Verdict::Continue);
                }
            }
        }
        Verdict::Continue
    }

    /// The server says no more.
    fn server_over(&mut self, why: End, last: Mark, work: &mut Work, out: &mut Out) {
        let framing = self.answering.body.as_ref().map(|body| &body.framing);
        if why == End::Fin && matches!(framing, Some(Framing::Close | Framing::Lost)) {
            // RFC 9112, 6.3: such a body ends with the connection, so FIN is its end, and its packet a part
            // of it.
            if let Some(response) = work.answer.as_mut().and_then(|answer| answer.exchange.response.as_mut())
            {
                response.track.extend(last, 0);
            }
            self.response_done(true, work, out);
        }
        self.cut_bodies(work);
        work.close(why, last.at, out);
        self.asking.body = None;
        if self.asking.at != At::Lost {
            self.asking.at = if self.asking.at == At::Body { At::Lost } else { At::Head };
        }
    }

    /// What was heard of bodies that will not be whole.
    fn cut_bodies(&mut self, work: &mut Work) {
        if let Some(body) = self.answering.body.take()
            && let Some(response) = work.answer.as_mut().and_then(|answer| answer.exchange.response.as_mut())
        {
            response.body = body.finish(false);
        }
        if let Some(body) = self.asking.body.take()
            && let Some(pending) = work.asking()
            && let Some(request) = pending.exchange.request.as_mut()
        {
            request.body = body.finish(false);
            pending.exchange.note("request_cut");
        }
        if self.answering.at == At::Body {
            self.answering.at = At::Head;
        }
    }
}

impl Stream for Http1 {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        self.with_work(|this, work| {
            let mut at = 0;
            while at < input.bytes.len() {
                match this.step(input.skip(at), at == 0, work, out) {
                    Step::Used(used) => at += used,
                    Step::Wait => break,
                    Step::Leave(used, verdict) => return Fed { consumed: at + used, verdict },
                }
            }
            Fed::go_on(at)
        })
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        self.with_work(|this, work| {
            if side == this.client {
                this.request_gap(len, work, out);
                Verdict::Continue
            } else {
                this.response_gap(len, work, out)
            }
        })
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        self.with_work(|this, work| {
            if side != Some(this.client) || why != End::Fin {
                this.server_over(why, last, work, out);
            } else if let Some(body) = this.asking.body.take() {
                // Half-closed inside a request: what came is all of it, and it may be answered.
                if let Some(pending) = work.asking() {
                    pending.exchange.note("request_cut");
                    if let Some(request) = pending.exchange.request.as_mut() {
                        request.body = body.finish(false);
                    }
                }
                this.asking.at = At::Lost;
                work.request_done(&this.memory, out);
            }
        });
        if side.is_none() {
            self.work = None;
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        let wait = Duration::from_millis(u64::from(self.bounds.response_wait_ms));
        self.with_work(|this, work| work.tick(&mut this.memory, now, wait, out));
    }

    fn open(&self, out: &mut Out) {
        if let Some(work) = &self.work {
            work.open(out);
        }
    }

    fn waiting(&self) -> bool {
        self.work.is_some()
    }
}
