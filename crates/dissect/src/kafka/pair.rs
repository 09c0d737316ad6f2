//! Requests meet responses, by correlation id.
//!
//! A broker answers a connection's requests in their order, so the one that is answered is nearly always the
//! oldest; the id says so, and says it still after a loss. A request whose answer was lost is known by an
//! answer to a later one.

use std::collections::VecDeque;
use std::time::Duration;

use wirewise_model::{Coverage, Exchange, Kind, Mark, Outcome, Timestamp, Track};

use super::describe;
use super::facts::Facts;
use super::walk::{Walk, Way};
use crate::{End, Out};

/// Topic ids of which a flow remembers the names; the oldest is forgotten.
const MOST_NAMES: usize = 32;
/// Responses that wait for a request that may still be heard: what a hole in the asking side holds up.
const MOST_EARLY: usize = 4;
/// Bytes that are kept of each.
pub(super) const EARLY_BYTES: usize = 2048;
/// How long they wait: longer than the flow waits for a hole.
const EARLY_WAIT: Duration = Duration::from_secs(5);
/// How long a request that asks for no answer is held, and how many: a broker's stand-in in tests answers all
/// the same.
const ONE_WAY_WAIT: Duration = Duration::from_secs(1);
const MOST_ONE_WAY: usize = 16;
/// How many times `Limits::response_wait` a request that was given up is remembered for a late response.
const REMEMBERED: u32 = 4;

/// What pairing has to know of a request's body.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// Milliseconds that the broker may hold the answer.
    pub(super) max_wait: Option<i64>,
    /// No answer will come.
    pub(super) one_way: bool,
    /// It named a topic.
    pub(super) named: bool,
}

/// A request that waits for its response.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) exchange: Box<Exchange>,
    pub(super) key: i16,
    pub(super) version: i16,
    pub(super) correlation: i32,
    pub(super) asked: Asked,
    /// When it went out as unanswered.
    given_up: Option<Timestamp>,
    /// Its response may have been among bytes that were lost.
    exposed: bool,
}

impl Pending {
    pub(super) fn new(exchange: Box<Exchange>, key: i16, version: i16, correlation: i32) -> Self {
        Self { exchange, key, version, correlation, asked: Asked::default(), given_up: None, exposed: false }
    }

    /// Its response is over.
    pub(super) fn conclude(
        mut self,
        walk: &Walk,
        facts: Facts,
        holed: bool,
        memory: &mut Option<Box<Memory>>,
        out: &mut Out,
    ) {
        let known =
            matches!(walk.way, Way::Done | Way::Enough) && super::layout(self.key, self.version).is_some();
        describe::answered(&mut self.exchange, self.key, self.asked, facts, memory);
        if holed || !known {
            describe::unread(&mut self.exchange, holed);
        }
        self.exchange.complete = !holed;
        if self.asked.one_way {
            self.exchange.kind = Kind::Unary;
        }
        if self.given_up.is_some() {
            self.exchange.revision = 1;
            self.exchange.note("late");
        }
        out.exchanges.push(*self.exchange);
    }

    /// No more of it will come.
    pub(super) fn close(mut self, why: End, at: Timestamp, out: &mut Out) {
        if self.asked.one_way && self.exchange.response.is_none() {
            out.exchanges.push(*self.exchange);
            return;
        }
        if self.given_up.is_some() && self.exchange.response.is_none() {
            return;
        }
        if self.exposed && self.exchange.response.is_none() {
            return self.lose(out);
        }
        why.close(&mut self.exchange, at);
        out.exchanges.push(*self.exchange);
    }

    /// Its response was lost.
    fn lose(mut self, out: &mut Out) {
        if self.given_up.is_none() {
            self.exchange.outcome = Outcome::Unknown;
            self.exchange.note("gap");
            self.exchange.coverage = Coverage::Partial;
            out.exchanges.push(*self.exchange);
        }
    }
}

/// A response whose request was not heard yet.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) correlation: i32,
    pub(super) track: Track,
    /// The front of its body, and how long that is.
    pub(super) kept: Vec<u8>,
    pub(super) length: u64,
}

/// What a flow remembers beyond its requests.
#[derive(Debug, Default)]
pub(super) struct Memory {
    names: VecDeque<([u8; 16], String)>,
    /// The first topic that was fetched, for fetches of a session that name none.
    pub(super) fetched: Option<String>,
    early: VecDeque<Early>,
}

impl Memory {
    pub(super) fn learn(&mut self, id: [u8; 16], name: String) {
        if self.name(&id).is_none() {
            if self.names.len() >= MOST_NAMES {
                self.names.pop_front();
            }
            self.names.push_back((id, name));
        }
    }

    pub(super) fn name(&self, id: &[u8; 16]) -> Option<&str> {
        self.names.iter().find(|(known, _)| known == id).map(|(_, name)| name.as_str())
    }

    /// Keeps a response that came before its request.
    pub(super) fn keep(&mut self, early: Early) {
        if self.early.len() >= MOST_EARLY {
            self.early.pop_front();
        }
        self.early.push_back(early);
    }

    /// The response to a request that has just been heard.
    pub(super) fn early(&mut self, correlation: i32, asked: Mark) -> Option<Early> {
        self.early.retain(|early| asked.at.since(early.track.last.at) < EARLY_WAIT);
        let at = self.early.iter().position(|early| early.correlation == correlation)?;
        self.early.remove(at)
    }
}

/// Requests that wait, oldest first.
#[derive(Debug, Default)]
pub(super) struct Queue {
    waiting: VecDeque<Pending>,
    /// How many of them ask for no answer.
    one_way: usize,
}

impl Queue {
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub(super) fn knows(&self, correlation: i32) -> bool {
        self.waiting.iter().any(|pending| pending.correlation == correlation)
    }

    /// A request was heard whole. Past `most` the oldest is closed.
    pub(super) fn push(&mut self, mut pending: Pending, most: usize, out: &mut Out) {
        if pending.asked.one_way {
            pending.exchange.kind = Kind::Message;
            pending.exchange.outcome = Outcome::OneWay;
            pending.exchange.complete = true;
            self.one_way += 1;
            if self.one_way > MOST_ONE_WAY {
                self.release(None, out);
            }
        }
        if self.waiting.len() >= most
            && let Some(oldest) = self.remove(0)
        {
            let last = oldest.exchange.observed_until();
            oldest.close(End::Evicted, last, out);
        }
        self.waiting.push_back(pending);
    }

    /// The request that a response answers. What waits before it and may have been answered among lost bytes
    /// was.
    pub(super) fn take(&mut self, correlation: i32, out: &mut Out) -> Option<Pending> {
        let at = self.waiting.iter().position(|pending| pending.correlation == correlation)?;
        let mut kept = 0;
        for _ in 0..at {
            let over = self.waiting.get(kept).is_some_and(|pending| pending.exposed || pending.asked.one_way);
            match over.then(|| self.remove(kept)).flatten() {
                Some(pending) if pending.asked.one_way => out.exchanges.push(*pending.exchange),
                Some(pending) => pending.lose(out),
                None => kept += 1,
            }
        }
        self.remove(kept)
    }

    fn remove(&mut self, at: usize) -> Option<Pending> {
        let pending = self.waiting.remove(at)?;
        self.one_way -= usize::from(pending.asked.one_way);
        Some(pending)
    }

    /// Puts out the oldest request that asks for no answer, or all that were sent before `now` by enough.
    fn release(&mut self, now: Option<Timestamp>, out: &mut Out) {
        let mut at = 0;
        while let Some(pending) = self.waiting.get(at) {
            let due = now.is_none_or(|now| now.since(pending.exchange.observed_until()) >= ONE_WAY_WAIT);
            if pending.asked.one_way && due {
                if let Some(pending) = self.remove(at) {
                    out.exchanges.push(*pending.exchange);
                }
                if now.is_none() {
                    return;
                }
            } else {
                at += 1;
            }
        }
    }

    /// Bytes of responses were lost.
    pub(super) fn expose(&mut self) {
        for pending in &mut self.waiting {
            pending.exposed = true;
        }
    }

    pub(super) fn close(&mut self, why: End, at: Timestamp, out: &mut Out) {
        self.one_way = 0;
        for pending in self.waiting.drain(..) {
            pending.close(why, at, out);
        }
    }

    /// Gives up what has waited too long; it stays, since its response may still come.
    pub(super) fn tick(&mut self, now: Timestamp, wait: Duration, out: &mut Out) {
        if self.one_way > 0 {
            self.release(Some(now), out);
        }
        for pending in &mut self.waiting {
            if pending.given_up.is_some() || now.since(pending.exchange.observed_until()) < wait {
                continue;
            }
            let mut exchange = (*pending.exchange).clone();
            if pending.exposed {
                exchange.outcome = Outcome::Unknown;
                exchange.note("gap");
                exchange.coverage = Coverage::Partial;
            } else {
                End::TimedOut.close(&mut exchange, now);
            }
            out.exchanges.push(exchange);
            pending.given_up = Some(now);
        }
        let forget = wait.saturating_mul(REMEMBERED);
        while self
            .waiting
            .front()
            .and_then(|front| front.given_up)
            .is_some_and(|gone| now.since(gone) >= forget)
        {
            self.remove(0);
        }
    }

    pub(super) fn open(&self, out: &mut Out) {
        for pending in self.waiting.iter().filter(|pending| pending.given_up.is_none()) {
            open(&pending.exchange, out);
        }
    }
}

/// A copy of what is under way.
pub(super) fn open(exchange: &Exchange, out: &mut Out) {
    let mut exchange = exchange.clone();
    exchange.outcome = Outcome::Open;
    out.exchanges.push(exchange);
}
