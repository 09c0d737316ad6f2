//! Alarms: what detectors say of one subject, over time. An alarm that comes on is a finding; while it stays on, or
//! comes back before it was forgotten, nothing is told again.

use serde::{Deserialize, Serialize};
use wirewise_model::Timestamp;

use crate::detectors::DETECTORS;
use crate::finding::Class;

/// What an alarm is about, by its place in the world.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) enum Target {
    Endpoint(u32),
    Edge(u32),
    Service(u32),
    Pod(u32, u16),
    Client(u32),
}

/// A detector's word about a subject.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Alarm {
    pub(crate) fingerprint: u64,
    pub(crate) word: &'static str,
    pub(crate) class: Class,
    pub(crate) target: Target,
    pub(crate) since: Timestamp,
    /// The last window that spoke for it.
    pub(crate) active_at: Timestamp,
    pub(crate) is_on: bool,
    pub(crate) score: f64,
}

/// An alarm as it is written down: the detector by its word, for tables change.
#[derive(Serialize, Deserialize)]
pub(crate) struct AlarmState {
    fingerprint: u64,
    word: String,
    target: Target,
    since: Timestamp,
    active_at: Timestamp,
    is_on: bool,
    score: f64,
}

impl Alarm {
    pub(crate) fn state(&self) -> AlarmState {
        AlarmState {
            fingerprint: self.fingerprint,
            word: self.word.to_owned(),
            target: self.target,
            since: self.since,
            active_at: self.active_at,
            is_on: self.is_on,
            score: self.score,
        }
    }

    /// `None` of a detector that is no more.
    pub(crate) fn from_state(state: AlarmState) -> Option<Self> {
        let detector = DETECTORS.iter().find(|detector| detector.word == state.word)?;
        Some(Self {
            fingerprint: state.fingerprint,
            word: detector.word,
            class: detector.class,
            target: state.target,
            since: state.since,
            active_at: state.active_at,
            is_on: state.is_on,
            score: state.score,
        })
    }
}

impl AlarmState {
    pub(crate) fn place(&self) -> Target {
        self.target
    }
}
