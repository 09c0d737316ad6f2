//! What a detector found: who it is about, how sure, the numbers beside their baseline, calls to look at, and the
//! reason in words.

use serde::{Deserialize, Serialize};
use wirewise_model::{CallId, Timestamp};

/// What a finding is about, by names that people know.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The workload that asks; empty where the finding is of all its callers.
    pub client: String,
    /// The workload that answers; empty where the finding is of a client as such.
    pub server: String,
    /// The instance, where it is of one.
    pub pod: String,
    /// The node, where it is of one.
    pub node: String,
    /// Protocol, operation and endpoint, where it is of one.
    pub endpoint: String,
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.client.is_empty(), self.server.is_empty()) {
            (false, false) => write!(f, "{} -> {}", self.client, self.server)?,
            (true, false) => f.write_str(&self.server)?,
            (false, true) => f.write_str(&self.client)?,
            (true, true) => f.write_str(&self.node)?,
        }
        if !self.pod.is_empty() {
            write!(f, " ({})", self.pod)?;
        }
        if !self.endpoint.is_empty() {
            write!(f, " {}", self.endpoint)?;
        }
        Ok(())
    }
}

/// What becomes of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Class {
    /// Somebody suffers: it can open an incident.
    Symptom,
    /// Worth knowing: it joins an incident that it explains, else it goes to the daily digest.
    Digest,
}

/// Numbers with what they are.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Verdict {
    /// Evidence over the threshold: 1 is just enough.
    pub(crate) score: f64,
    /// What was seen, in `unit`.
    pub(crate) observed: f64,
    /// What is usual, in `unit`.
    pub(crate) baseline: f64,
    /// `share`, `ms`, `calls/s`, `bytes/min`, `servers/min`, `days` ...
    pub(crate) unit: &'static str,
    /// The beginning of the first window that spoke for it.
    pub(crate) since: Timestamp,
    /// The reason in words, with numbers of its own where they help.
    pub(crate) reason: String,
    /// Calls to look at, worst first.
    pub(crate) calls: Vec<CallId>,
}

/// A row of `findings`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// Its number: the fingerprint and the time, so that telling it twice tells one.
    pub id: u64,
    /// Equal for findings of one detector about one subject; feedback is kept by it.
    pub fingerprint: u64,
    /// When it was found.
    pub at: Timestamp,
    /// When it began.
    pub since: Timestamp,
    /// The detector's word.
    pub detector: String,
    /// What becomes of it.
    pub class: Class,
    /// Whom it is about.
    pub subject: Subject,
    /// Evidence over the threshold.
    pub score: f64,
    /// What was seen.
    pub observed: f64,
    /// What is usual.
    pub baseline: f64,
    /// The unit of both.
    pub unit: String,
    /// The reason in words.
    pub reason: String,
    /// Calls to look at.
    pub evidence: Vec<CallId>,
    /// The incident that it belongs to.
    pub incident: Option<u64>,
}
