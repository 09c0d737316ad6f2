//! Findings that belong together in time and along the call graph are one incident: what it is, whom it hits, what is
//! suspected first, when it began, and what to keep of it. `book` is its life, `rank` the order of suspects, `kind`
//! what it looks like, `summary` its words.

mod book;
mod kind;
mod rank;
mod scene;
mod summary;

use serde::{Deserialize, Serialize};
use wirewise_model::{CallId, Timestamp};

use crate::finding::Finding;

pub(crate) use book::Book;
pub use kind::Kind;
pub(crate) use scene::{Scene, troubled};

/// Where an incident's life stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    /// Somebody suffers.
    Open,
    /// Nobody has for a while.
    Resolved,
    /// It turned out to be part of another, whose number it holds.
    Merged(u64),
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Severity {
    /// Few calls of few workloads.
    Minor,
    /// Many calls, or many workloads.
    Major,
    /// Most calls of a workload fail, or much of the graph suffers.
    Critical,
}

impl Severity {
    /// The word in the `severity` column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Minor => "minor",
            Self::Major => "major",
            Self::Critical => "critical",
        }
    }
}

/// A workload that may be the cause.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Suspect {
    /// The workload.
    pub service: String,
    /// Blame: evidence that its callers see, less what its own dependencies explain.
    pub score: f64,
    /// Why, in words.
    pub why: String,
}

/// A line of an incident's course.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When.
    pub at: Timestamp,
    /// What happened.
    pub text: String,
}

/// What belongs to an incident and should not be thrown away: whoever holds packets acts on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keep {
    /// Nodes that heard it, or on which suspects run.
    pub nodes: Vec<String>,
    /// Pairs of workloads whose flows belong to it.
    pub flows: Vec<(String, String)>,
    /// Begins before the first sign.
    pub from: Timestamp,
    /// End, once it is known.
    pub to: Option<Timestamp>,
}

/// A row of `incidents`, and all that is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Incident {
    /// Its number.
    pub id: u64,
    /// Where its life stands.
    pub state: State,
    /// What it looks like.
    pub kind: Kind,
    /// How bad it is.
    pub severity: Severity,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// When something about it changed last.
    pub updated_at: Timestamp,
    /// When it was resolved or merged.
    pub closed_at: Option<Timestamp>,
    /// The beginning of the earliest window that spoke for any of its findings.
    pub first_sign: Timestamp,
    /// Times that it was reopened.
    pub reopened: u32,
    /// One line: severity, service, symptom against baseline.
    pub title: String,
    /// Facts in a template.
    pub summary: String,
    /// Likely causes, first suspect first.
    pub suspects: Vec<Suspect>,
    /// Workloads whose calls suffer.
    pub blast_radius: Vec<String>,
    /// What changed shortly before: versions, new edges, endpoints and shapes.
    pub changes: Vec<Entry>,
    /// Its course.
    pub timeline: Vec<Entry>,
    /// Findings, worst kept; `n_findings` were there in all.
    pub findings: Vec<Finding>,
    /// How many findings there were.
    pub n_findings: u64,
    /// Calls during it.
    pub during: Vec<CallId>,
    /// Calls like them from before.
    pub before: Vec<CallId>,
    /// What could not be seen meanwhile, in words; empty where nothing is known to be missing.
    pub coverage: String,
    /// What to keep.
    pub keep: Keep,
    pub(crate) members: Vec<u64>,
    pub(crate) services: Vec<u32>,
    pub(crate) active_at: Timestamp,
    pub(crate) told_at: Timestamp,
}

impl Incident {
    /// The first suspect's name; empty where there is none.
    pub fn first_suspect(&self) -> &str {
        self.suspects.first().map_or("", |suspect| &suspect.service)
    }
}

/// What became of an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Change {
    /// It is new.
    Opened,
    /// Its suspects, kind, severity or extent became other.
    Updated,
    /// Nobody suffers any more.
    Resolved,
    /// It is part of another.
    Merged,
    /// It is back.
    Reopened,
}
