//! Answers that name their request by a number that may change from part to part.

use std::time::Duration;

use wirewise_model::{Limits, Timestamp};

use super::{EARLY_WAIT, MOST_EARLY, Turn};
use crate::{End, Out};

/// Calls given up whose late answers would still be known.
const MOST_LATE: usize = 32;

/// The calls of a flow, by the number that request and answer share.
#[derive(Debug)]
pub(crate) struct Numbered<T> {
    /// The numbers of `turns`, apart so that a thousand under way are searched fast. Oldest first.
    keys: Vec<u32>,
    turns: Vec<Box<Turn<T>>>,
    /// Answers whose requests may still be shown, with their numbers.
    early: Vec<(u32, Box<Turn<T>>)>,
    most: u32,
    wait: Duration,
}

impl<T: Clone> Numbered<T> {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            keys: Vec::new(),
            turns: Vec::new(),
            early: Vec::new(),
            most: u32::try_from(limits.pending_calls.max(1)).unwrap_or(u32::MAX),
            wait: limits.response_wait,
        }
    }

    /// A request, whole. One that is under way by the same number was forgotten by its client, or its answer was
    /// not heard.
    pub(crate) fn ask(&mut self, key: u32, mut turn: Turn<T>, out: &mut Out) {
        turn.asked = true;
        let at = turn.began();
        if let Some(place) =
            self.early.iter().position(|(early, answer)| *early == key && answer.began() >= at)
        {
            let (_, early) = self.early.remove(place);
            turn.adopt(*early);
            if turn.answered {
                turn.tell(out);
                return;
            }
        }
        if let Some(place) = self.find(key) {
            let turn = self.take(place);
            let last = turn.exchange.observed_until();
            if turn.exposed { turn.lose(out) } else { turn.close(End::Evicted, last, out) }
        }
        if self.turns.len() >= self.most as usize {
            let turn = self.take(0);
            let last = turn.exchange.observed_until();
            turn.close(End::Evicted, last, out);
        }
        self.keys.push(key);
        self.turns.push(Box::new(turn));
    }

    /// The call under that number, whose answer came `at` that time.
    pub(crate) fn answering(&mut self, key: u32, at: Timestamp) -> Option<&mut Turn<T>> {
        let place = self.find(key)?;
        let turn = &mut self.turns[place];
        (turn.began() <= at).then_some(&mut **turn)
    }

    /// The call's number is another from now on: the next part of its answer will name that.
    pub(crate) fn rename(&mut self, key: u32, to: u32) {
        if let Some(place) = self.find(key) {
            self.keys[place] = to;
        }
    }

    /// The answer to that number is whole.
    pub(crate) fn answered(&mut self, key: u32, out: &mut Out) {
        if let Some(place) = self.find(key) {
            let mut turn = self.take(place);
            turn.answered = true;
            turn.tell(out);
        }
    }

    /// An answer, whole, that answers nothing that was heard so far.
    pub(crate) fn orphan(&mut self, key: u32, mut turn: Turn<T>, out: &mut Out) {
        turn.answered = true;
        if self.early.len() >= MOST_EARLY {
            let (_, oldest) = self.early.remove(0);
            oldest.tell(out);
        }
        self.early.push((key, Box::new(turn)));
    }

    /// Bytes of answers were lost.
    pub(crate) fn answers_lost(&mut self) {
        for turn in &mut self.turns {
            turn.exposed = true;
            if turn.exchange.response.is_some() {
                turn.holed();
            }
        }
    }

    /// Nothing more will come.
    pub(crate) fn end(&mut self, why: End, at: Timestamp, out: &mut Out) {
        for (_, early) in std::mem::take(&mut self.early) {
            early.tell(out);
        }
        self.keys = Vec::new();
        for turn in std::mem::take(&mut self.turns) {
            turn.close(why, at, out);
        }
    }

    /// The protocol cannot be read any further.
    pub(crate) fn abandon(&mut self, note: &'static str, out: &mut Out) {
        for (_, early) in std::mem::take(&mut self.early) {
            early.tell(out);
        }
        self.keys = Vec::new();
        for turn in std::mem::take(&mut self.turns) {
            turn.abandon(note, out);
        }
    }

    pub(crate) fn tick(&mut self, now: Timestamp, out: &mut Out) {
        while self
            .early
            .first()
            .is_some_and(|(_, early)| now.since(early.exchange.observed_until()) >= EARLY_WAIT)
        {
            let (_, early) = self.early.remove(0);
            early.tell(out);
        }
        for turn in &mut self.turns {
            if turn.is_overdue(now, self.wait) {
                turn.give_up(now, out);
            }
        }
        let mut late = self.turns.iter().filter(|turn| turn.given_up).count();
        while late > MOST_LATE
            && let Some(place) = self.turns.iter().position(|turn| turn.given_up)
        {
            self.take(place);
            late -= 1;
        }
    }

    pub(crate) fn open(&self, out: &mut Out) {
        for turn in &self.turns {
            turn.copy_open(out);
        }
    }

    /// Whether any call is under way.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.early.is_empty() || self.turns.iter().any(|turn| turn.is_waiting())
    }

    fn find(&self, key: u32) -> Option<usize> {
        self.keys.iter().position(|known| *known == key)
    }

    fn take(&mut self, place: usize) -> Box<Turn<T>> {
        self.keys.remove(place);
        let turn = self.turns.remove(place);
        if self.turns.is_empty() {
            // A million flows may be idle.
            self.keys = Vec::new();
            self.turns = Vec::new();
        }
        turn
    }
}
