//! What is known of a shape's calls: how many, when, and examples.

use serde::{Deserialize, Serialize};
use wirewise_model::Timestamp;
use wirewise_redact::RecordFields;

use crate::exemplar::Exemplars;
use crate::timeline::Timeline;

/// Counts and examples. A function of the set of calls, not of their order; [`Stats::merge`] joins two sets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stats {
    /// How many calls.
    pub calls: u64,
    /// When the first began.
    pub first_seen: Timestamp,
    /// When the last began.
    pub last_seen: Timestamp,
    /// How many when.
    pub timeline: Timeline,
    /// Some of them.
    pub exemplars: Exemplars,
}

impl Default for Stats {
    /// Of no calls.
    fn default() -> Self {
        Self {
            calls: 0,
            first_seen: Timestamp::MAX,
            last_seen: Timestamp::MIN,
            timeline: Timeline::default(),
            exemplars: Exemplars::default(),
        }
    }
}

impl Stats {
    pub(crate) fn add(&mut self, record: &RecordFields) {
        self.calls = self.calls.saturating_add(1);
        self.first_seen = self.first_seen.min(record.started);
        self.last_seen = self.last_seen.max(record.started);
        self.timeline.add(record.started);
        self.exemplars.add(record);
    }

    /// The calls of `other` as well.
    pub fn merge(&mut self, other: &Self) {
        self.calls = self.calls.saturating_add(other.calls);
        self.first_seen = self.first_seen.min(other.first_seen);
        self.last_seen = self.last_seen.max(other.last_seen);
        self.timeline.merge(&other.timeline);
        self.exemplars.merge(&other.exemplars);
    }
}
