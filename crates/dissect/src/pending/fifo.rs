//! Answers in the order of the requests.

use std::collections::VecDeque;
use std::time::Duration;

use wirewise_model::{Limits, Timestamp};

use super::{EARLY_WAIT, MOST_EARLY, Turn};
use crate::{End, Out};

/// Silence after which a client that had several requests under way when answers were lost is in step again: what
/// it asks then is answered next.
const SETTLE: Duration = Duration::from_secs(1);

/// The calls of a flow whose answers come in order.
#[derive(Debug)]
pub(crate) struct Fifo<T> {
    /// Requests, oldest first. The first may be in the midst of its answer, the last of its request.
    queue: VecDeque<Box<Turn<T>>>,
    /// An answer without a request that is being read.
    orphan: Option<Box<Turn<T>>>,
    /// Answers without a request that are whole.
    early: VecDeque<Box<Turn<T>>>,
    /// Answers to come whose requests were told already.
    passed_over: u32,
    most: u32,
    wait: Duration,
    /// Whether this client asks again before it was answered.
    pipelines: bool,
    /// Bytes of answers were lost: the next may be another request's than the oldest's.
    lost: bool,
    /// It cannot be told any more whose the next answer is.
    adrift: bool,
    /// When something was last heard while adrift.
    stirred: Timestamp,
}

impl<T: Clone> Fifo<T> {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            queue: VecDeque::new(),
            orphan: None,
            early: VecDeque::new(),
            passed_over: 0,
            most: u32::try_from(limits.pending_calls.max(1)).unwrap_or(u32::MAX),
            wait: limits.response_wait,
            pipelines: false,
            lost: false,
            adrift: false,
            stirred: Timestamp::MIN,
        }
    }

    /// A request begins.
    pub(crate) fn ask(&mut self, turn: Turn<T>, out: &mut Out) {
        let mut turn = Box::new(turn);
        let at = turn.began();
        if self.adrift {
            if at.since(self.stirred) >= SETTLE {
                (self.adrift, self.lost) = (false, false);
            }
            self.stirred = self.stirred.max(at);
        }
        while self.early.front().is_some_and(|early| early.began() < at) {
            self.release(out);
        }
        if self.queue.len() >= self.most as usize
            && let Some(oldest) = self.queue.pop_front()
        {
            let last = oldest.exchange.observed_until();
            // One that is in the midst of its answer leaves the rest of it to nobody.
            self.passed_over = self.passed_over.saturating_add(1);
            oldest.close(End::Evicted, last, out);
        }
        if self.queue.is_empty() && !self.adrift {
            if let Some(early) = self.early.pop_front() {
                turn.adopt(*early);
            } else if let Some(orphan) = self.orphan.take_if(|orphan| orphan.began() >= at) {
                turn.adopt(*orphan);
            }
        }
        if self.adrift {
            turn.exposed = true;
        }
        self.queue.push_back(turn);
    }

    /// The request that is being read, or was read last.
    pub(crate) fn asking(&mut self) -> Option<&mut Turn<T>> {
        self.queue.back_mut().map(|turn| &mut **turn)
    }

    /// The oldest request, which is or will be answered next.
    pub(crate) fn front(&mut self) -> Option<&mut Turn<T>> {
        self.queue.front_mut().map(|turn| &mut **turn)
    }

    /// The request that is being read is whole.
    pub(crate) fn asked(&mut self, out: &mut Out) {
        let Some(turn) = self.queue.back_mut() else { return };
        turn.asked = true;
        if turn.answered || self.adrift {
            if let Some(turn) = self.queue.pop_back() {
                if turn.answered { turn.tell(out) } else { turn.lose(out) }
            }
            self.shrink();
        }
    }

    /// Whose the answer is of which a part came `at` that time. `orphan` makes a call for one whose request was not
    /// heard. `None` where it cannot be told: then it is to be passed over.
    pub(crate) fn answering(
        &mut self,
        at: Timestamp,
        orphan: impl FnOnce() -> Turn<T>,
    ) -> Option<&mut Turn<T>> {
        if self.adrift {
            self.stirred = self.stirred.max(at);
            return None;
        }
        if self.passed_over > 0 {
            return None;
        }
        if self.orphan.is_some() {
            return self.orphan.as_deref_mut();
        }
        let goes_on =
            self.queue.front().is_some_and(|front| front.exchange.response.is_some() && !front.answered);
        if goes_on {
            return self.front();
        }
        // Answers that are whole wait at the front only for the end of their requests.
        let waiting = self.queue.front().is_some_and(|front| !front.answered && front.began() <= at);
        if !waiting {
            let mut turn = Box::new(orphan());
            turn.asked = true;
            return Some(self.orphan.insert(turn));
        }
        if let Some(second) = self.queue.get(1) {
            self.pipelines |= second.began() <= at;
        }
        self.front()
    }

    /// An answer begins for the first time since bytes of answers were lost: whose? To be asked before
    /// [`Fifo::answering`], where the protocol is in step again.
    pub(crate) fn in_step(&mut self, at: Timestamp, out: &mut Out) {
        if !std::mem::take(&mut self.lost) || self.adrift {
            return;
        }
        let sent = self.queue.iter().take_while(|turn| turn.began() <= at).count();
        if sent > 1 && self.pipelines {
            self.adrift = true;
            self.stirred = at;
            for turn in self.queue.drain(..) {
                turn.lose(out);
            }
            return;
        }
        for _ in 1..sent {
            if let Some(turn) = self.queue.pop_front() {
                turn.lose(out);
            }
        }
        if let Some(front) = self.queue.front_mut().filter(|front| front.exchange.response.is_some()) {
            front.holed();
        }
    }

    /// The answer is whole.
    pub(crate) fn answered(&mut self, out: &mut Out) {
        if self.adrift {
            return;
        }
        if self.passed_over > 0 {
            self.passed_over -= 1;
            return;
        }
        if let Some(mut orphan) = self.orphan.take() {
            orphan.answered = true;
            self.early.push_back(orphan);
            if self.early.len() > MOST_EARLY {
                self.release(out);
            }
            return;
        }
        let Some(front) = self.queue.front_mut() else { return };
        front.answered = true;
        if front.asked
            && let Some(front) = self.queue.pop_front()
        {
            front.tell(out);
        }
        self.shrink();
    }

    /// Bytes of requests were lost.
    pub(crate) fn requests_lost(&mut self, at: Timestamp, out: &mut Out) {
        if let Some(turn) = self.queue.back_mut().filter(|turn| !turn.asked) {
            turn.holed();
            turn.asked = true;
        }
        if self.pipelines && !self.queue.is_empty() {
            self.adrift = true;
            self.stirred = at;
            for turn in self.queue.drain(..) {
                turn.lose(out);
            }
        }
    }

    /// Bytes of answers were lost.
    pub(crate) fn answers_lost(&mut self, out: &mut Out) {
        self.lost = true;
        if let Some(mut orphan) = self.orphan.take() {
            orphan.holed();
            orphan.lose(out);
        }
        for turn in &mut self.queue {
            turn.exposed = true;
        }
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self, why: End, at: Timestamp, out: &mut Out) {
        while !self.early.is_empty() {
            self.release(out);
        }
        for turn in self.orphan.take().into_iter().chain(self.queue.drain(..)) {
            turn.close(why, at, out);
        }
        self.shrink();
    }

    /// The protocol cannot be read any further.
    pub(crate) fn abandon(&mut self, note: &'static str, out: &mut Out) {
        while !self.early.is_empty() {
            self.release(out);
        }
        for turn in self.orphan.take().into_iter().chain(self.queue.drain(..)) {
            turn.abandon(note, out);
        }
    }

    pub(crate) fn tick(&mut self, now: Timestamp, out: &mut Out) {
        while self.early.front().is_some_and(|early| now.since(early.exchange.observed_until()) >= EARLY_WAIT)
        {
            self.release(out);
        }
        for turn in &mut self.queue {
            if turn.is_overdue(now, self.wait) {
                turn.give_up(now, out);
            }
        }
        self.shrink();
    }

    pub(crate) fn open(&self, out: &mut Out) {
        for turn in self.orphan.iter().chain(&self.queue) {
            turn.copy_open(out);
        }
    }

    /// Whether any call is under way.
    pub(crate) fn is_waiting(&self) -> bool {
        self.orphan.is_some() || !self.early.is_empty() || self.queue.iter().any(|turn| turn.is_waiting())
    }

    /// Whether nobody waits for an answer, so that what a server says now it says by itself.
    pub(crate) fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.orphan.is_none()
    }

    fn release(&mut self, out: &mut Out) {
        if let Some(early) = self.early.pop_front() {
            early.tell(out);
        }
    }

    /// An idle flow keeps no room: a million may be idle.
    fn shrink(&mut self) {
        if self.queue.is_empty() && self.queue.capacity() > 0 {
            self.queue = VecDeque::new();
        }
        if self.early.is_empty() && self.early.capacity() > 0 {
            self.early = VecDeque::new();
        }
    }
}
