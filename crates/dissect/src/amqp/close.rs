//! The end of a channel: in order, with an error, or with the flow.
//!
//! `channel.close` and `connection.close` answer all that waits for who closes. The error is that of the
//! method that they name, where it is known which call that was, else that of the close itself.

use wirewise_model::{Outcome, Side, Timestamp};

use super::channel::{Channel, Said};
use super::describe;
use super::names;
use super::wait::Waiting;
use crate::{End, Out};

impl Channel {
    /// A close waits for its answer like any other question. `told` where its error is told with the call
    /// that it names.
    pub(super) fn closing(&mut self, said: Said<'_>, told: bool, out: &mut Out) {
        self.cut_content(said.side, out);
        let mut waiting = self.asked(&said);
        if told {
            waiting.exchange.outcome = Outcome::Ok;
        }
        if let Some(closed) = self.answered_early(waiting) {
            if closed.method == names::CHANNEL_CLOSE {
                self.finish(closed.exchange.status_code.is_none(), out);
            }
            closed.emit(out);
        }
    }

    /// Whether `side` would answer a close of the connection.
    pub(super) fn awaits_close(&self, side: Side) -> bool {
        self.calls.iter().any(|waiting| waiting.sender != side && waiting.method == names::CONNECTION_CLOSE)
    }

    /// A close answers all that waits for who closes. Whether its error is told with one of them.
    pub(super) fn refuse(&mut self, said: &Said<'_>, out: &mut Out) -> bool {
        let orderly = said.args.reply_code == describe::SUCCESS;
        let mut told = false;
        let mut at = 0;
        while let Some(waiting) = self.calls.get(at) {
            if waiting.sender == said.side || waiting.is_given_up() {
                at += 1;
                continue;
            }
            let Some(mut waiting) = self.calls.remove(at) else { break };
            waiting.answer(said.track.clone());
            if orderly {
                waiting.exchange.status = Some(said.method.name.to_owned());
                waiting.exchange.outcome = Outcome::Aborted;
            } else {
                describe::refused(&mut waiting.exchange, &said.args);
                told = true;
            }
            waiting.emit(out);
        }
        let named = (said.args.class_id, said.args.method_id) == names::PUBLISH && !orderly;
        if let Some(at) = named.then(|| self.refused_publish(said)).flatten()
            && let Some(mut publish) = self.published.remove(at)
        {
            publish.answer(said.track.clone());
            describe::refused(&mut publish.exchange, &said.args);
            publish.emit(out);
            told = true;
        }
        told
    }

    /// The publish that a close names: the oldest to an exchange that its text quotes, else the latest.
    fn refused_publish(&self, said: &Said<'_>) -> Option<usize> {
        let text = describe::lossy(said.args.reply_text);
        let others = || self.published.iter().enumerate().filter(|(_, waiting)| waiting.sender != said.side);
        let quoted = |waiting: &Waiting| {
            let exchange = waiting.exchange.target.split(':').next().unwrap_or_default();
            !exchange.is_empty() && text.contains(&format!("'{exchange}'"))
        };
        let named = others().find(|(_, waiting)| quoted(waiting));
        named.or_else(|| others().next_back()).map(|(at, _)| at)
    }

    /// The channel is closed: what waits now waits in vain. Where it was closed in order, a message that
    /// nobody acked goes back into its queue.
    pub(super) fn finish(&mut self, orderly: bool, out: &mut Out) {
        for mut waiting in
            self.published.drain(..).chain(self.delivered.drain(..)).chain(self.calls.drain(..))
        {
            if waiting.alone_after.is_none() && waiting.exchange.status.is_none() && !waiting.is_given_up() {
                waiting.exchange.note("unsettled");
                let message = waiting.method == names::DELIVER && orderly;
                waiting.exchange.outcome = if message { Outcome::OneWay } else { Outcome::NoResponse };
                out.exchanges.push(*waiting.exchange);
            } else {
                let last = waiting.last();
                waiting.close(End::Fin, last, out);
            }
        }
        for early in self.early.drain(..) {
            early.emit(self.id, out);
        }
        *self = Self::new(self.id);
    }

    /// Bytes of `side` were lost, and whole frames perhaps.
    pub(super) fn lost(&mut self, side: Side, out: &mut Out) {
        self.cut_content(side, out);
        for waiting in self.calls.iter_mut().chain(&mut self.published).chain(&mut self.delivered) {
            waiting.exposed |= waiting.sender != side;
        }
        if self.publisher != Some(side.other()) {
            self.next = None;
        }
    }

    /// One side (`Some`) or the flow is over.
    pub(super) fn end(&mut self, side: Option<Side>, why: End, at: Timestamp, out: &mut Out) {
        for sender in [Side::A, Side::B] {
            if side.is_none_or(|side| side == sender) {
                self.cut_content(sender, out);
            }
        }
        for list in [&mut self.calls, &mut self.published, &mut self.delivered] {
            let mut place = 0;
            while let Some(waiting) = list.get(place) {
                if side.is_none_or(|side| side != waiting.sender) {
                    if let Some(waiting) = list.remove(place) {
                        waiting.close(why, at, out);
                    }
                } else {
                    place += 1;
                }
            }
        }
        if side.is_none() {
            for early in self.early.drain(..) {
                early.emit(self.id, out);
            }
        }
    }
}
