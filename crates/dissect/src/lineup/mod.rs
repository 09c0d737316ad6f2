//! Requests and responses of a connection that is answered in the order in which it asks (Redis, memcached's
//! text protocol, NATS in verbose mode): who belongs to whom, also where bytes were lost.
//!
//! In step a queue is enough. A listener can be out of step: bytes of a side were lost, the capture began in the
//! middle, or one side is heard later than the other because the flow waits for a hole to be filled. Then times
//! decide, and where they cannot, the halves are told apart: a pair is never guessed. The rules are those of
//! `http1/pair.rs`, where bodies that are still on their way make them longer:
//!
//! - A response is never paired with a request that was sent after the response began.
//! - After a loss among responses, the next one that is found belongs to the only request that can have caused
//!   it; among several, to the latest where this client has always waited for its answers, else to none.
//! - After a loss among requests, a request is trusted once a response to what was lost has been heard.
//! - While neither holds the flow is adrift: halves only, until it has been silent for [`SETTLE`].
//!
//! Many clients send a batch, wait for all of its answers, and send the next. Unless a client was seen to do
//! otherwise, all that was sent before a batch has been answered when the batch begins, which is when the client
//! speaks after the server did: that ends a drift at once, and after a loss says which requests a response cannot
//! belong to. No more is believed there than where a connection is entered in the middle.

#[cfg(test)]
mod tests;

use std::collections::VecDeque;
use std::time::Duration;

use wirewise_model::{Timestamp, Track};

use crate::End;

/// Silence after which whatever was under way on a flow adrift has been answered or never will be.
const SETTLE: Duration = Duration::from_secs(1);
/// How long a response waits for a request that is still to be heard: longer than the flow waits for a hole.
const EARLY_WAIT: Duration = Duration::from_secs(5);
/// How many responses wait so. Past it the oldest goes out alone.
const MOST_EARLY: usize = 64;
/// How many times `Limits::response_wait` a request that was given up is remembered for a late response.
const REMEMBERED: u32 = 4;
/// A queue that has emptied keeps room for so many requests; a million flows may be idle.
const ROOM_KEPT: usize = 8;

/// Where a message stands on the wire.
pub(crate) trait Tracked {
    fn track(&self) -> &Track;
}

/// What became of a request, of a response, or of both.
#[derive(Debug)]
pub(crate) enum Met<Q, A> {
    /// A request with its response. `late`: the request had been given up.
    Pair { asked: Q, answer: A, late: bool },
    /// A response of which no request was heard. `lost`: because bytes were lost.
    Alone { answer: A, lost: bool },
    /// A request whose response was, or may have been, among lost bytes.
    Lost(Q),
    /// A request that no response came to.
    Unanswered { asked: Q, why: End, at: Timestamp },
}

/// A request that waits.
#[derive(Debug)]
struct Waiting<Q> {
    asked: Q,
    /// The number of its batch.
    batch: u32,
    /// When it went out as unanswered.
    given_up: Option<Timestamp>,
    /// Its response may have been among bytes that were lost.
    exposed: bool,
}

/// What is remembered of a flow while nothing is under way.
#[derive(Clone, Copy, Debug, Default)]
struct Memory {
    /// A pair was made in step.
    paired: bool,
    /// This client sends requests before earlier ones are answered.
    pipelines: bool,
    /// It does so even when answers to some of those have come.
    overlaps: bool,
    /// The number of the latest batch.
    batch: u32,
    /// When the latest request was sent, and when something was last heard of the server.
    asked_at: Timestamp,
    answered_at: Timestamp,
    /// A drift was ended by a new batch: the first request that waits is not surely the oldest that does.
    resumed: bool,
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

/// The queue of one connection.
#[derive(Debug)]
pub(crate) struct Lineup<Q, A> {
    /// Requests without a response yet, oldest first.
    queue: VecDeque<Box<Waiting<Q>>>,
    /// Responses whose requests may still be heard, with whether bytes were lost before them.
    early: VecDeque<(A, bool)>,
    memory: Memory,
}

impl<Q, A> Default for Lineup<Q, A> {
    fn default() -> Self {
        Self { queue: VecDeque::new(), early: VecDeque::new(), memory: Memory::default() }
    }
}

impl<Q: Tracked + Clone, A: Tracked> Lineup<Q, A> {
    /// Whether anything waits.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.queue.is_empty() || !self.early.is_empty()
    }

    /// The request that is answered next.
    pub(crate) fn front(&self) -> Option<&Q> {
        self.queue.front().map(|waiting| &waiting.asked)
    }

    /// The same, to note on it what came of its answer so far.
    pub(crate) fn front_mut(&mut self) -> Option<&mut Q> {
        self.queue.front_mut().map(|waiting| &mut waiting.asked)
    }

    /// The requests that wait for a response.
    pub(crate) fn pending(&self) -> impl Iterator<Item = &Q> {
        self.queue.iter().filter(|waiting| waiting.given_up.is_none()).map(|waiting| &waiting.asked)
    }

    /// The oldest request has its answers already, of which the last could not be told from the others.
    pub(crate) fn finish_front(&mut self) -> Option<Q> {
        self.queue.pop_front().map(|waiting| waiting.asked)
    }

    /// How many requests wait that were sent after `after` and not after `until`.
    pub(crate) fn sent_between(&self, after: Timestamp, until: Timestamp) -> usize {
        let sent = self.queue.iter().map(|waiting| waiting.asked.track().first.at);
        sent.filter(|at| *at > after && *at <= until).count()
    }

    /// A request was heard: it finds its response where that was heard first, else it waits.
    pub(crate) fn ask(&mut self, asked: Q, most: usize, sink: &mut impl FnMut(Met<Q, A>)) {
        let at = asked.track().first.at;
        let memory = &mut self.memory;
        let begins_batch = at > memory.answered_at && memory.answered_at > memory.asked_at;
        if memory.adrift {
            let settled = at.since(memory.stirred) >= SETTLE;
            if settled || (begins_batch && !memory.overlaps && !memory.request_lost) {
                (memory.adrift, memory.reply_lost, memory.front_hit, memory.request_lost) =
                    (false, false, false, false);
                memory.resumed = true;
                for waiting in self.queue.drain(..) {
                    waiting.lose(sink);
                }
            }
            memory.stirred = at;
        }
        if let Some(before) = self.queue.back() {
            // Sent together, so surely without waiting.
            memory.pipelines |= asked.track().first == before.asked.track().last;
        }
        if begins_batch || (memory.paired && !memory.pipelines) {
            memory.batch = memory.batch.wrapping_add(1);
        }
        if begins_batch && !memory.is_out_of_step() && !self.queue.is_empty() {
            memory.overlaps = true;
        }
        memory.asked_at = memory.asked_at.max(asked.track().last.at);
        while self.early.front().is_some_and(|(early, _)| early.track().first.at < at) {
            release_early(&mut self.early, sink);
            memory.lost_answered = true;
        }
        if memory.request_lost {
            if memory.lost_answered && (!memory.pipelines || (begins_batch && !memory.overlaps)) {
                memory.request_lost = false;
            } else if (memory.paired && !memory.pipelines) || (self.queue.is_empty() && memory.reply_lost) {
                memory.request_lost = false;
                memory.reply_lost |= !self.queue.is_empty();
            } else {
                memory.go_adrift(at);
                // From the next batch on nothing that was lost stands before what is heard.
                memory.request_lost = false;
            }
        }
        memory.lost_answered = false;
        if self.queue.len() >= most.max(1)
            && let Some(oldest) = self.queue.pop_front()
        {
            let last = oldest.asked.track().last.at;
            oldest.close(End::Evicted, last, sink);
            memory.passed_over = memory.passed_over.saturating_add(1);
        }
        if memory.adrift {
            // Which response is whose cannot be told before it has been silent.
            return sink(Met::Lost(asked));
        }
        if let Some((answer, _)) = self.early.pop_front() {
            return sink(Met::Pair { asked, answer, late: false });
        }
        let batch = memory.batch;
        self.queue.push_back(Box::new(Waiting { asked, batch, given_up: None, exposed: false }));
    }

    /// A response was heard.
    pub(crate) fn answer(&mut self, answer: A, sink: &mut impl FnMut(Met<Q, A>)) {
        let at = answer.track().first.at;
        self.heard(answer.track().last.at);
        let was_lost = self.memory.is_out_of_step();
        match self.pick(at, sink) {
            Some(waiting) => {
                let late = waiting.given_up.is_some();
                sink(Met::Pair { asked: waiting.asked, answer, late });
                if self.queue.is_empty() && self.queue.capacity() > ROOM_KEPT {
                    self.queue = VecDeque::new();
                }
            }
            None => {
                let lost = was_lost || self.memory.is_out_of_step();
                if self.queue.is_empty() {
                    self.memory.lost_answered |= self.memory.request_lost;
                }
                if self.queue.is_empty() && !self.memory.adrift {
                    self.early.push_back((answer, lost));
                    if self.early.len() > MOST_EARLY {
                        release_early(&mut self.early, sink);
                    }
                } else {
                    sink(Met::Alone { answer, lost });
                }
            }
        }
        self.memory.reply_lost &= self.memory.adrift;
    }

    /// The server said something, understood or not.
    pub(crate) fn heard(&mut self, at: Timestamp) {
        self.memory.answered_at = self.memory.answered_at.max(at);
    }

    /// When the server was last heard.
    pub(crate) fn heard_at(&self) -> Timestamp {
        self.memory.answered_at
    }

    fn pick(&mut self, at: Timestamp, sink: &mut impl FnMut(Met<Q, A>)) -> Option<Box<Waiting<Q>>> {
        let memory = &mut self.memory;
        if memory.passed_over > 0 {
            memory.passed_over -= 1;
            return None;
        }
        if memory.adrift {
            memory.stirred = memory.stirred.max(at);
            return None;
        }
        if !memory.reply_lost {
            memory.resumed = false;
            if self.queue.front()?.asked.track().first.at > at {
                // Sent after this response began: the request of this one was not heard.
                return None;
            }
            let front = self.queue.pop_front()?;
            match self.queue.front() {
                Some(next) if next.asked.track().first.at <= at => memory.pipelines = true,
                Some(_) | None => memory.paired = true,
            }
            return Some(front);
        }
        let mut sent = self.queue.iter().take_while(|waiting| waiting.asked.track().first.at <= at).count();
        if std::mem::take(&mut memory.front_hit) && sent > 0 {
            sent -= 1;
            self.queue.pop_front()?.lose(sink);
        }
        if !memory.overlaps && sent > 0 {
            // What was sent before the latest batch was answered before it.
            let latest = self.queue[sent - 1].batch;
            while sent > 1 && self.queue.front().is_some_and(|front| front.batch != latest) {
                sent -= 1;
                self.queue.pop_front()?.lose(sink);
            }
        }
        let known = sent <= 1 || (memory.paired && !memory.pipelines);
        let lost = if known { sent.saturating_sub(1) } else { sent };
        for waiting in self.queue.drain(..lost) {
            waiting.lose(sink);
        }
        if !known {
            memory.go_adrift(at);
        }
        if known && sent > 0 { self.queue.pop_front() } else { None }
    }

    /// Bytes of responses were lost. `message`: a response had begun, which is the oldest request's.
    pub(crate) fn responses_lost(&mut self, message: bool) {
        self.memory.reply_lost = true;
        self.memory.front_hit |= message && !self.memory.resumed && !self.queue.is_empty();
        for waiting in &mut self.queue {
            waiting.exposed = true;
        }
    }

    /// Bytes of requests were lost, the beginning of one among them.
    pub(crate) fn requests_lost(&mut self) {
        self.memory.request_lost = true;
        self.memory.lost_answered = false;
    }

    /// Gives up what has waited too long, unless `patient` says that the server may hold it; it stays in the queue,
    /// since its response may still come.
    pub(crate) fn tick(
        &mut self,
        now: Timestamp,
        wait: Duration,
        patient: fn(&Q) -> bool,
        sink: &mut impl FnMut(Met<Q, A>),
    ) {
        while self.early.front().is_some_and(|(early, _)| now.since(early.track().last.at) >= EARLY_WAIT) {
            release_early(&mut self.early, sink);
        }
        for waiting in &mut self.queue {
            let asked = waiting.asked.track().last.at;
            if now.since(asked) < wait {
                // The rest was sent later.
                break;
            }
            if waiting.given_up.is_none() && !patient(&waiting.asked) {
                waiting.given_up = Some(now);
                let asked = waiting.asked.clone();
                sink(match waiting.exposed {
                    true => Met::Lost(asked),
                    false => Met::Unanswered { asked, why: End::TimedOut, at: now },
                });
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
            self.memory.passed_over = self.memory.passed_over.saturating_add(1);
        }
    }

    /// No more responses will come.
    pub(crate) fn close(&mut self, why: End, at: Timestamp, sink: &mut impl FnMut(Met<Q, A>)) {
        while !self.early.is_empty() {
            release_early(&mut self.early, sink);
        }
        for waiting in std::mem::take(&mut self.queue) {
            waiting.close(why, at, sink);
        }
    }
}

fn release_early<Q, A>(early: &mut VecDeque<(A, bool)>, sink: &mut impl FnMut(Met<Q, A>)) {
    if let Some((answer, lost)) = early.pop_front() {
        sink(Met::Alone { answer, lost });
    }
    if early.is_empty() {
        *early = VecDeque::new();
    }
}

impl<Q> Waiting<Q> {
    fn close<A>(self, why: End, at: Timestamp, sink: &mut impl FnMut(Met<Q, A>)) {
        if self.given_up.is_some() {
            return;
        }
        let Self { asked, exposed, .. } = self;
        sink(if exposed { Met::Lost(asked) } else { Met::Unanswered { asked, why, at } });
    }

    fn lose<A>(self, sink: &mut impl FnMut(Met<Q, A>)) {
        if self.given_up.is_none() {
            sink(Met::Lost(self.asked));
        }
    }
}

impl Memory {
    fn is_out_of_step(&self) -> bool {
        self.adrift || self.reply_lost || self.request_lost
    }

    fn go_adrift(&mut self, at: Timestamp) {
        self.adrift = true;
        self.stirred = at;
    }
}

/// Adds the packets of `more` to a track.
pub(crate) fn join(track: &mut Track, more: &Track) {
    for &packet in &more.frames.numbers {
        track.frames.push(packet);
    }
    track.frames.omitted += more.frames.omitted;
    track.bytes += more.bytes;
    if more.last.at >= track.last.at {
        track.last = more.last;
    }
}
