//! Responses on a stream that are heard before their queries: the flow waits for bytes of the asking side
//! that were lost, and what stands behind them comes when it stops waiting.

use std::collections::VecDeque;
use std::time::Duration;

use wirewise_model::{Coverage, Exchange, Timestamp};

use super::parse::Question;
use crate::Out;

/// How long a response waits for its query: longer than the flow waits for a hole.
const WAIT: Duration = Duration::from_secs(5);
/// How many wait so. Past it the oldest goes out alone.
const MOST: usize = 32;

/// One response whose query may still be heard.
#[derive(Debug)]
struct Waiting {
    key: u32,
    question: Option<Question>,
    exchange: Exchange,
}

/// Those of one flow, oldest first.
#[derive(Debug, Default)]
pub(super) struct Early(VecDeque<Waiting>);

impl Early {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps the call that a response makes without its query.
    pub(super) fn put(&mut self, key: u32, question: Option<Question>, exchange: Exchange, out: &mut Out) {
        if self.0.len() >= MOST
            && let Some(oldest) = self.0.pop_front()
        {
            out.exchanges.push(oldest.exchange);
        }
        self.0.push_back(Waiting { key, question, exchange });
    }

    /// The response to a query sent at `asked`, which it cannot have come before.
    pub(super) fn take(
        &mut self,
        key: u32,
        asked: Timestamp,
        question: Option<Question>,
    ) -> Option<Exchange> {
        let fits = |waiting: &Waiting| {
            let same = match (waiting.question, question) {
                (Some(theirs), Some(ours)) => (theirs.hash, theirs.kind) == (ours.hash, ours.kind),
                (None, _) | (_, None) => true,
            };
            same && waiting.key == key && waiting.exchange.started() >= asked
        };
        let at = self.0.iter().position(fits)?;
        self.0.remove(at).map(|waiting| waiting.exchange)
    }

    /// Puts out those that have waited long enough at `now`; all, where there is none.
    pub(super) fn release(&mut self, now: Option<Timestamp>, out: &mut Out) {
        let due = |waiting: &mut Waiting| now.is_none_or(|now| now.since(waiting.exchange.started()) >= WAIT);
        while let Some(waiting) = self.0.pop_front_if(due) {
            out.exchanges.push(waiting.exchange);
        }
    }
}

/// A query's call with the answering half of `early`.
pub(super) fn join(mut asked: Exchange, early: Exchange) -> Exchange {
    let Exchange {
        response, complete, status, status_code, outcome, error, attributes, notes, coverage, ..
    } = early;
    asked.response = response;
    asked.complete = complete;
    (asked.status, asked.status_code) = (status, status_code);
    (asked.outcome, asked.error) = (outcome, error);
    for attribute in attributes {
        if asked.attributes.iter().all(|known| known.name != attribute.name) {
            asked.attributes.push(attribute);
        }
    }
    asked.notes.extend(notes.into_iter().filter(|note| note.0 != "request_not_seen"));
    if coverage == Coverage::Partial {
        asked.coverage = coverage;
    }
    asked
}
