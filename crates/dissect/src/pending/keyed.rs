//! Answers that name their request: by message id, identifier, hop-by-hop id.

use std::collections::VecDeque;
use std::time::Duration;

use wirewise_model::{Kind, Limits, Timestamp};

use super::{EARLY_WAIT, MOST_EARLY, Turn};
use crate::{End, Out};

/// How many times the wait for an answer one that was given up is remembered, for a late answer.
const REMEMBERED: u32 = 4;

/// A call and the key that its answer repeats.
#[derive(Debug)]
struct Entry<K, T> {
    key: K,
    turn: Box<Turn<T>>,
}

/// The calls of a flow whose answers may come in any order.
#[derive(Debug)]
pub(crate) struct Keyed<K, T> {
    /// Requests, oldest first.
    waiting: VecDeque<Entry<K, T>>,
    /// Answers whose request was not shown yet, oldest first.
    early: VecDeque<Entry<K, T>>,
    most: usize,
    wait: Duration,
}

impl<K: Copy + PartialEq, T: Clone> Keyed<K, T> {
    /// None yet; an answer is waited for so long.
    pub(crate) fn new(limits: &Limits, wait: Duration) -> Self {
        Self { waiting: VecDeque::new(), early: VecDeque::new(), most: limits.pending_calls.max(1), wait }
    }

    /// A whole request. Its answer is told at once, where that was shown before it.
    pub(crate) fn ask(&mut self, key: K, turn: Turn<T>, out: &mut Out) {
        let mut turn = Box::new(turn);
        turn.asked = true;
        // A key that is asked with again has forgotten the call that was given up.
        self.waiting.retain(|entry| entry.key != key || !entry.turn.given_up);
        if self.waiting.len() >= self.most
            && let Some(oldest) = self.waiting.pop_front()
        {
            let last = oldest.turn.exchange.observed_until();
            oldest.turn.close(End::Evicted, last, out);
        }
        let began = turn.began();
        let early = self.early.iter().position(|early| early.key == key && early.turn.began() >= began);
        if let Some(early) = early.and_then(|at| self.early.remove(at)) {
            turn.adopt(*early.turn);
            if turn.answered {
                return turn.tell(out);
            }
        }
        self.waiting.push_back(Entry { key, turn });
    }

    /// The oldest call of that key that waits, or else the one that was given up.
    pub(crate) fn find(&mut self, key: K) -> Option<&mut Turn<T>> {
        let at = self.position(key, Timestamp::MAX)?;
        self.waiting.get_mut(at).map(|entry| &mut *entry.turn)
    }

    /// The call to which a part of an answer belongs that began `at` that time; `orphan` makes one where its request
    /// was not shown.
    pub(crate) fn answering(
        &mut self,
        key: K,
        at: Timestamp,
        orphan: impl FnOnce() -> Turn<T>,
        out: &mut Out,
    ) -> Option<&mut Turn<T>> {
        if let Some(at) = self.position(key, at) {
            return self.waiting.get_mut(at).map(|entry| &mut *entry.turn);
        }
        let at = match self.early.iter().position(|early| early.key == key && !early.turn.answered) {
            Some(at) => at,
            None => {
                if self.early.len() >= MOST_EARLY {
                    self.release(out);
                }
                let mut turn = Box::new(orphan());
                turn.asked = true;
                self.early.push_back(Entry { key, turn });
                self.early.len() - 1
            }
        };
        self.early.get_mut(at).map(|entry| &mut *entry.turn)
    }

    /// The answer that was found with [`Keyed::answering`] is whole.
    pub(crate) fn answered(&mut self, key: K, at: Timestamp, out: &mut Out) {
        if let Some(at) = self.position(key, at) {
            if let Some(mut entry) = self.waiting.remove(at) {
                entry.turn.answered = true;
                entry.turn.tell(out);
            }
            self.shrink();
        } else if let Some(entry) =
            self.early.iter_mut().find(|early| early.key == key && !early.turn.answered)
        {
            entry.turn.answered = true;
        }
    }

    /// Bytes were lost that may have been answers to calls of such keys.
    pub(crate) fn answers_lost(&mut self, of: impl Fn(K) -> bool) {
        for entry in self.waiting.iter_mut().chain(&mut self.early) {
            entry.turn.exposed |= of(entry.key);
        }
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self, why: End, at: Timestamp, out: &mut Out) {
        while !self.early.is_empty() {
            self.release(out);
        }
        for entry in self.waiting.drain(..) {
            entry.turn.close(why, at, out);
        }
        self.shrink();
    }

    pub(crate) fn tick(&mut self, now: Timestamp, out: &mut Out) {
        let due = |entry: &Entry<K, T>| now.since(entry.turn.exchange.observed_until()) >= EARLY_WAIT;
        while self.early.front().is_some_and(due) {
            self.release(out);
        }
        let forget = self.wait.saturating_mul(REMEMBERED);
        for entry in &mut self.waiting {
            // What asks to be told of changes waits for as long as it likes.
            if entry.turn.exchange.kind != Kind::Stream && entry.turn.is_overdue(now, self.wait) {
                entry.turn.give_up(now, out);
            }
        }
        self.waiting
            .retain(|entry| !entry.turn.given_up || now.since(entry.turn.exchange.observed_until()) < forget);
        self.shrink();
    }

    pub(crate) fn open(&self, out: &mut Out) {
        for entry in self.early.iter().chain(&self.waiting) {
            entry.turn.copy_open(out);
        }
    }

    /// Whether any call is under way.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.early.is_empty() || self.waiting.iter().any(|entry| entry.turn.is_waiting())
    }

    /// Those of that key began before their answer. The oldest that nobody gave up comes first.
    fn position(&self, key: K, at: Timestamp) -> Option<usize> {
        let fits = |entry: &Entry<K, T>| entry.key == key && entry.turn.began() <= at;
        let waits = |entry: &Entry<K, T>| fits(entry) && !entry.turn.given_up;
        self.waiting.iter().position(waits).or_else(|| self.waiting.iter().position(fits))
    }

    fn release(&mut self, out: &mut Out) {
        let Some(entry) = self.early.pop_front() else { return };
        if entry.turn.answered {
            entry.turn.tell(out);
        } else {
            let last = entry.turn.exchange.observed_until();
            entry.turn.close(End::CaptureEnded, last, out);
        }
    }

    /// An idle flow keeps no room: a million may be idle.
    fn shrink(&mut self) {
        if self.waiting.is_empty() && self.waiting.capacity() > 0 {
            self.waiting = VecDeque::new();
        }
        if self.early.is_empty() && self.early.capacity() > 0 {
            self.early = VecDeque::new();
        }
    }
}
