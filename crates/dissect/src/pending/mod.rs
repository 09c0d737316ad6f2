//! Calls under way, for protocols that answer in order ([`Fifo`]) and for those whose answers name their request
//! ([`Keyed`]): which answer is whose, also where bytes of one side were lost or came late.
//!
//! Two rules hold for both. An answer belongs to a request that began before it: bytes of a side that waited for a
//! hole are shown late, with their own times, so an answer may be shown before its request; it is held for a
//! moment, and the request finds it. And nothing is guessed: where it cannot be told which of several requests an
//! answer belongs to, they are told as `unknown`, noted `gap`, and the answer is passed over.

mod fifo;
mod keyed;
mod numbered;
#[cfg(test)]
mod tests;

use std::time::Duration;

use wirewise_model::{Coverage, Exchange, Outcome, Timestamp};

use crate::{End, Out};

pub(crate) use self::fifo::Fifo;
pub(crate) use self::keyed::Keyed;
pub(crate) use self::numbered::Numbered;

/// Answers that are held for requests which may still be shown.
const MOST_EARLY: usize = 64;
/// How long they are held, in the capture's time: more than the flow waits for a hole (3 s).
const EARLY_WAIT: Duration = Duration::from_secs(5);

/// A call under way, with what its protocol has to remember of it.
#[derive(Clone, Debug)]
pub(crate) struct Turn<T> {
    /// As far as it is known.
    pub(crate) exchange: Exchange,
    /// The protocol's own.
    pub(crate) own: T,
    /// The request is all there.
    pub(crate) asked: bool,
    /// The answer is all there.
    answered: bool,
    /// It was told as unanswered; an answer that comes after all makes a revision.
    given_up: bool,
    /// Bytes were lost in which its answer may have been.
    exposed: bool,
}

impl<T: Clone> Turn<T> {
    /// A call of which only this is known yet.
    pub(crate) fn new(exchange: Exchange, own: T) -> Self {
        Self { exchange, own, asked: false, answered: false, given_up: false, exposed: false }
    }

    /// Bytes of it were lost.
    pub(crate) fn holed(&mut self) {
        self.exchange.note("gap");
        self.exchange.coverage = Coverage::Partial;
    }

    /// Whether bytes were lost in which its answer, or a part of it, may have been.
    pub(crate) fn is_exposed(&self) -> bool {
        self.exposed
    }

    /// Takes an answer that was read by itself: all of it but what the request tells.
    pub(crate) fn answer(&mut self, answer: Self) {
        let own = self.own.clone();
        self.adopt(answer);
        self.own = own;
    }

    fn began(&self) -> Timestamp {
        self.exchange.started()
    }

    /// Whether it waits for an answer that nobody has given up yet.
    fn is_waiting(&self) -> bool {
        !self.given_up
    }

    /// Takes the answer that was shown before the request.
    fn adopt(&mut self, early: Self) {
        let Self { exchange, answered, own, .. } = early;
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
        } = exchange;
        let mine = &mut self.exchange;
        (mine.response, mine.complete) = (response, complete);
        (mine.status, mine.status_code) = (status, status_code);
        (mine.outcome, mine.error) = (outcome, error);
        for attribute in attributes {
            if !mine.attributes.iter().any(|known| known.name == attribute.name) {
                mine.attributes.push(attribute);
            }
        }
        for note in notes {
            if !mine.notes.contains(&note) {
                mine.notes.push(note);
            }
        }
        if coverage == Coverage::Partial {
            mine.coverage = coverage;
        }
        self.answered = answered;
        self.own = own;
    }

    /// Whether a byte of it was heard. One that was begun on a guess, of a packet that turned out to be no answer, is
    /// no call: it would cite nothing and have no time.
    fn is_heard(&self) -> bool {
        self.exchange.first().is_some()
    }

    /// Tells it as it stands.
    fn tell(mut self, out: &mut Out) {
        if !self.is_heard() {
            return;
        }
        if self.given_up {
            self.exchange.revision = 1;
            self.exchange.note("late_response");
        }
        if self.exchange.request.is_none() {
            self.exchange.note("request_not_seen");
        }
        out.exchanges.push(self.exchange);
    }

    /// Tells it: no more of it will come.
    fn close(mut self, why: End, at: Timestamp, out: &mut Out) {
        if self.answered || self.exchange.complete {
            return self.tell(out);
        }
        if self.given_up && self.exchange.response.is_none() {
            return;
        }
        let exposed = self.exposed || self.exchange.coverage == Coverage::Partial;
        if self.exchange.response.is_none() || !exposed {
            why.close(&mut self.exchange, at);
        }
        if exposed {
            self.exchange.outcome = Outcome::Unknown;
            self.holed();
        }
        self.tell(out);
    }

    /// Tells it: its answer, or the rest of it, was lost.
    fn lose(mut self, out: &mut Out) {
        if self.given_up && self.exchange.response.is_none() {
            return;
        }
        self.holed();
        self.exchange.outcome = Outcome::Unknown;
        self.tell(out);
    }

    /// Tells it: the protocol cannot be read any further.
    fn abandon(mut self, note: &'static str, out: &mut Out) {
        if self.answered || self.exchange.complete {
            return self.tell(out);
        }
        if self.given_up {
            return;
        }
        self.exchange.note(note);
        self.exchange.coverage = Coverage::Partial;
        self.exchange.outcome = Outcome::Unknown;
        self.tell(out);
    }

    /// Whether its answer has been waited for long enough.
    fn is_overdue(&self, now: Timestamp, wait: Duration) -> bool {
        let last = self.exchange.observed_until();
        self.asked && !self.given_up && self.exchange.response.is_none() && now.since(last) >= wait
    }
}

impl<T: Clone> Turn<T> {
    /// Tells it as unanswered and remembers that.
    fn give_up(&mut self, now: Timestamp, out: &mut Out) {
        let copy = self.clone();
        copy.close(End::TimedOut, now, out);
        self.given_up = true;
    }

    fn copy_open(&self, out: &mut Out) {
        if self.is_waiting() && self.is_heard() {
            let mut exchange = self.exchange.clone();
            exchange.outcome = Outcome::Open;
            out.exchanges.push(exchange);
        }
    }
}
