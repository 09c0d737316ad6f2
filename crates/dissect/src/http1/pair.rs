//! Requests meet responses.
//!
//! Responses come in the order of their requests (RFC 9112, 9.3.2), so in step a queue is enough. A listener
//! can be out of step: bytes of a side were lost, the capture began in the middle, or one side is heard later
//! than the other because the flow waits for a hole to be filled. Then times decide, and where they cannot,
//! the halves are told apart: a pair is never guessed.
//!
//! - A response is never paired with a request that was sent after the response began.
//! - After a loss among responses, the next one that is found belongs to the only request that can have caused
//!   it; among several, to the latest where this client has always waited for its answers, else to none.
//! - After a loss among requests, a request is trusted once a response to what was lost has been heard.
//! - While neither holds the flow is adrift: halves only, until it has been silent for [`SETTLE`].

use std::collections::VecDeque;
use std::time::Duration;

use wirewise_model::{Coverage, Exchange, Outcome, Side, Timestamp};

use super::describe::{Asked, conclude};
use crate::{End, Out};

/// Silence after which whatever was under way on a flow adrift has been answered or never will be.
const SETTLE: Duration = Duration::from_secs(1);
/// How long a response waits for a request that is still to be heard: longer than the flow waits for a hole.
const EARLY_WAIT: Duration = Duration::from_secs(5);
/// How many responses wait so. Past it the oldest goes out alone.
const MOST_EARLY: usize = 64;
/// How many times `Limits::response_wait` a request that was given up is remembered for a late response.
const REMEMBERED: u32 = 4;

/// An exchange that is under way.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) exchange: Exchange,
    pub(super) asked: Asked,
    /// Its request is over.
    pub(super) asked_whole: bool,
    /// Its response is over.
    pub(super) answered: bool,
    /// When it went out as unanswered.
    given_up: Option<Timestamp>,
    /// Its response may have been among bytes that were lost.
    exposed: bool,
    /// A response whose request may still be heard.
    candidate: bool,
}

impl Pending {
    pub(super) fn new(client: Side) -> Box<Self> {
        Box::new(Self {
            exchange: Exchange::new("http1", client),
            asked: Asked::default(),
            asked_whole: false,
            answered: false,
            given_up: None,
            exposed: false,
            candidate: false,
        })
    }

    fn started(&self) -> Timestamp {
        self.exchange.started()
    }

    /// Takes over the answering half of `orphan`.
    fn adopt(&mut self, orphan: Self) {
        let Exchange {
            response,
            complete,
            status,
            status_code,
            outcome,
            error,
            attributes,
            notes,
            coverage,
            ..
        } = orphan.exchange;
        let own = &mut self.exchange;
        own.response = response;
        own.complete = complete;
        own.status = status;
        own.status_code = status_code;
        own.outcome = outcome;
        own.error = error;
        own.attributes
            .extend(attributes.into_iter().filter(|attribute| attribute.name != "network.protocol.version"));
        own.notes.extend(notes);
        if coverage == Coverage::Partial {
            own.coverage = coverage;
        }
        self.answered = orphan.answered;
    }

    /// Notes that bytes of it were lost.
    pub(super) fn holed(&mut self) {
        self.exchange.note("gap");
        self.exchange.coverage = Coverage::Partial;
    }

    /// Puts it out as it stands.
    pub(super) fn emit(mut self: Box<Self>, out: &mut Out) {
        if self.given_up.is_some() {
            self.exchange.revision = 1;
            self.exchange.note("late");
        }
        if self.exchange.request.is_none() && self.exchange.coverage == Coverage::Whole {
            self.exchange.note("mid_stream");
        }
        conclude(&mut self.exchange, self.asked);
        out.exchanges.push(self.exchange);
    }

    /// Puts it out: no more of it will come.
    pub(super) fn close(mut self: Box<Self>, why: End, at: Timestamp, out: &mut Out) {
        if self.answered {
            return self.emit(out);
        }
        if self.exchange.response.is_none() {
            if self.given_up.is_some() {
                return;
            }
            why.close(&mut self.exchange, at);
            if self.exposed {
                self.exchange.outcome = Outcome::Unknown;
                self.holed();
            }
        } else if self.exchange.coverage == Coverage::Whole {
            why.close(&mut self.exchange, at);
        }
        self.emit(out);
    }

    /// Puts a request out whose response was lost.
    fn lose(mut self: Box<Self>, out: &mut Out) {
        if self.given_up.is_none() {
            self.exchange.outcome = Outcome::Unknown;
            self.holed();
            self.emit(out);
        }
    }
}

/// Which exchange the request that is being read belongs to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Asking {
    #[default]
    None,
    Back,
    Answer,
    Early,
}

/// What is under way. Freed while nothing is.
#[derive(Debug, Default)]
pub(super) struct Work {
    /// Requests without a response yet, oldest first.
    queue: VecDeque<Box<Pending>>,
    /// The exchange whose response is being read, or is over before its request.
    pub(super) answer: Option<Box<Pending>>,
    /// Responses whose requests may still be heard.
    early: VecDeque<Box<Pending>>,
    asking: Asking,
}

/// What pairing remembers of a flow while nothing is under way.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Memory {
    /// A pair was made in step.
    paired: bool,
    /// This client sends requests before earlier ones are answered.
    pipelines: bool,
    /// Bytes of responses were lost; the next response is not surely the oldest request's.
    reply_lost: bool,
    /// The response to the oldest request was surely hit.
    front_hit: bool,
    /// Bytes of requests were lost, one or more whole ones perhaps.
    request_lost: bool,
    /// A response to what was lost was heard.
    lost_answered: bool,
    adrift: bool,
    /// So many of the next responses are to requests that were put out already.
    passed_over: u32,
    /// When something was last heard while adrift.
    stirred: Timestamp,
}

impl Work {
    pub(super) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.answer.is_none() && self.early.is_empty()
    }

    /// The exchange whose request is being read.
    pub(super) fn asking(&mut self) -> Option<&mut Pending> {
        match self.asking {
            Asking::None => None,
            Asking::Back => self.queue.back_mut().map(|pending| &mut **pending),
            Asking::Answer => self.answer.as_deref_mut(),
            Asking::Early => self.early.front_mut().map(|pending| &mut **pending),
        }
    }

    /// The exchange that an interim response is about.
    pub(super) fn front(&mut self) -> Option<&mut Pending> {
        self.queue.front_mut().map(|pending| &mut **pending)
    }

    /// The request that is being read is over.
    pub(super) fn request_done(&mut self, memory: &Memory, out: &mut Out) {
        if let Some(pending) = self.asking() {
            pending.asked_whole = true;
        }
        match std::mem::take(&mut self.asking) {
            Asking::None => {}
            Asking::Back if memory.adrift => {
                if let Some(pending) = self.queue.pop_back() {
                    pending.lose(out);
                }
            }
            Asking::Back => {}
            Asking::Answer => {
                if self.answer.as_ref().is_some_and(|answer| answer.answered)
                    && let Some(answer) = self.answer.take()
                {
                    answer.emit(out);
                }
            }
            Asking::Early => {
                if let Some(pending) = self.early.pop_front() {
                    pending.emit(out);
                }
            }
        }
    }

    /// The response that is being read is over.
    pub(super) fn response_done(&mut self, out: &mut Out) {
        let Some(mut pending) = self.answer.take() else { return };
        pending.answered = true;
        if pending.exchange.request.is_none() && pending.candidate {
            self.early.push_back(pending);
            if self.early.len() > MOST_EARLY && self.asking != Asking::Early {
                self.release_early(out);
            }
        } else if pending.asked_whole || pending.exchange.request.is_none() {
            pending.emit(out);
        } else {
            self.answer = Some(pending);
        }
    }

    /// A response begins while the last one's request is still being sent: that one is over, then.
    pub(super) fn make_room(&mut self, out: &mut Out) {
        if let Some(mut pending) = self.answer.take() {
            if self.asking == Asking::Answer {
                self.asking = Asking::None;
                pending.exchange.note("request_cut");
            }
            pending.emit(out);
        }
    }

    /// Closes everything.
    pub(super) fn close(&mut self, why: End, at: Timestamp, out: &mut Out) {
        self.asking = Asking::None;
        for pending in self.early.drain(..).chain(self.answer.take()).chain(self.queue.drain(..)) {
            pending.close(why, at, out);
        }
    }

    /// Puts everything out as it stands, because the flow cannot be read any further.
    pub(super) fn abandon(&mut self, note: &'static str, out: &mut Out) {
        self.asking = Asking::None;
        for mut pending in self.early.drain(..).chain(self.answer.take()).chain(self.queue.drain(..)) {
            if pending.answered {
                pending.emit(out);
            } else if pending.given_up.is_none() {
                pending.exchange.note(note);
                pending.exchange.coverage = Coverage::Partial;
                pending.emit(out);
            }
        }
    }

    /// Copies of what is under way.
    pub(super) fn open(&self, out: &mut Out) {
        for pending in self.answer.iter().chain(&self.queue) {
            if pending.given_up.is_none() {
                let mut exchange = pending.exchange.clone();
                exchange.outcome = Outcome::Open;
                exchange.kind = super::describe::kind(&exchange, pending.asked);
                out.exchanges.push(exchange);
            }
        }
    }

    /// Gives up what has waited too long; it stays in the queue, since its response may still come.
    pub(super) fn tick(&mut self, memory: &mut Memory, now: Timestamp, wait: Duration, out: &mut Out) {
        while self.asking != Asking::Early
            && self
                .early
                .front()
                .is_some_and(|early| now.since(early.exchange.observed_until()) >= EARLY_WAIT)
        {
            self.release_early(out);
        }
        for pending in &mut self.queue {
            let asked = pending.exchange.observed_until();
            if pending.given_up.is_none() && pending.asked_whole && now.since(asked) >= wait {
                let mut exchange = pending.exchange.clone();
                End::TimedOut.close(&mut exchange, now);
                if pending.exposed {
                    exchange.outcome = Outcome::Unknown;
                    exchange.note("gap");
                    exchange.coverage = Coverage::Partial;
                }
                conclude(&mut exchange, pending.asked);
                out.exchanges.push(exchange);
                pending.given_up = Some(now);
                // Its headers and body are told; for the revision they are kept, bounded as they are.
            }
        }
        let forget = wait.saturating_mul(REMEMBERED);
        while self
            .queue
            .front()
            .and_then(|front| front.given_up)
            .is_some_and(|gone| now.since(gone) >= forget)
        {
            self.queue.pop_front();
            memory.passed_over = memory.passed_over.saturating_add(1);
        }
    }

    fn release_early(&mut self, out: &mut Out) {
        if let Some(pending) = self.early.pop_front() {
            pending.emit(out);
        }
    }
}

impl Memory {
    /// A request begins: it finds its response where that was heard first, else it waits.
    pub(super) fn request_begins(
        &mut self,
        work: &mut Work,
        mut pending: Box<Pending>,
        most: usize,
        out: &mut Out,
    ) {
        let at = pending.started();
        if self.adrift {
            if work.answer.is_none() && at.since(self.stirred) >= SETTLE {
                (self.adrift, self.reply_lost, self.front_hit, self.request_lost) =
                    (false, false, false, false);
            }
            self.stirred = at;
        }
        while work.early.front().is_some_and(|early| early.started() < at) {
            work.release_early(out);
            self.lost_answered = true;
        }
        if let Some(answer) = work.answer.as_mut().filter(|answer| answer.candidate && answer.started() < at)
        {
            answer.candidate = false;
            self.lost_answered = true;
        }
        if self.request_lost {
            if self.lost_answered {
                self.request_lost = false;
            } else if (self.paired && !self.pipelines) || (work.queue.is_empty() && self.reply_lost) {
                self.request_lost = false;
                self.reply_lost |= !work.queue.is_empty();
            } else {
                self.go_adrift(at);
            }
        }
        self.lost_answered = false;
        if work.queue.len() >= most
            && let Some(oldest) = work.queue.pop_front()
        {
            let last = oldest.exchange.observed_until();
            oldest.close(End::Evicted, last, out);
            self.passed_over = self.passed_over.saturating_add(1);
        }
        if !self.adrift {
            if let Some(early) = work.early.pop_front() {
                pending.adopt(*early);
                work.early.push_front(pending);
                work.asking = Asking::Early;
                return;
            }
            if let Some(answer) = work.answer.take_if(|answer| answer.candidate) {
                pending.adopt(*answer);
                work.answer = Some(pending);
                work.asking = Asking::Answer;
                return;
            }
        }
        if let Some(before) = work.queue.back().and_then(|before| before.exchange.request.as_ref()) {
            // Sent together, so surely without waiting.
            self.pipelines |= pending
                .exchange
                .request
                .as_ref()
                .is_some_and(|request| request.track.first == before.track.last);
        }
        work.queue.push_back(pending);
        work.asking = Asking::Back;
    }

    /// A response begins: the exchange that it belongs to becomes `work.answer`.
    pub(super) fn response_begins(&mut self, work: &mut Work, at: Timestamp, client: Side, out: &mut Out) {
        work.make_room(out);
        let picked = self.pick(work, at, out);
        if work.asking == Asking::Back && work.queue.is_empty() {
            work.asking = if picked.is_some() { Asking::Answer } else { Asking::None };
        }
        work.answer = Some(picked.unwrap_or_else(|| {
            let mut orphan = Pending::new(client);
            orphan.asked_whole = true;
            let lost = self.adrift || self.request_lost || self.reply_lost;
            orphan.candidate = work.queue.is_empty() && !self.adrift;
            if lost {
                orphan.holed();
            }
            orphan
        }));
        if work.queue.is_empty()
            && work.answer.as_ref().is_some_and(|answer| answer.exchange.request.is_none())
        {
            self.lost_answered |= self.request_lost;
        }
        self.reply_lost &= self.adrift;
    }

    fn pick(&mut self, work: &mut Work, at: Timestamp, out: &mut Out) -> Option<Box<Pending>> {
        if self.passed_over > 0 {
            self.passed_over -= 1;
            return None;
        }
        if self.adrift {
            self.stirred = self.stirred.max(at);
            return None;
        }
        if !self.reply_lost {
            let front = work.queue.pop_front()?;
            match work.queue.front() {
                Some(next) if next.started() <= at => self.pipelines = true,
                Some(_) | None => self.paired = true,
            }
            return Some(front);
        }
        let mut sent = work.queue.iter().take_while(|pending| pending.started() <= at).count();
        if std::mem::take(&mut self.front_hit) && sent > 0 {
            sent -= 1;
            work.queue.pop_front()?.lose(out);
        }
        let known = sent <= 1 || (self.paired && !self.pipelines);
        let lost = if known { sent.saturating_sub(1) } else { sent };
        for pending in work.queue.drain(..lost) {
            pending.lose(out);
        }
        if !known {
            self.go_adrift(at);
        }
        if known && sent > 0 { work.queue.pop_front() } else { None }
    }

    /// Bytes of responses were lost. `message`: those of the next one's beginning.
    pub(super) fn responses_lost(&mut self, work: &mut Work, message: bool) {
        let expects = work.front().is_some_and(|front| front.asked.expects);
        self.reply_lost = true;
        // What was hit may have been 100 Continue alone.
        self.front_hit |= message && !expects && !work.queue.is_empty();
        for pending in &mut work.queue {
            pending.exposed = true;
        }
    }

    /// Bytes of requests were lost, the beginning of one among them.
    pub(super) fn requests_lost(&mut self) {
        self.request_lost = true;
        self.lost_answered = false;
    }

    fn go_adrift(&mut self, at: Timestamp) {
        self.adrift = true;
        self.stirred = at;
    }
}
