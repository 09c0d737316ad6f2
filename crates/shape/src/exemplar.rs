//! Examples of a shape: the latest, the slowest, and some that differ from each other.
//!
//! The differing ones are those whose facet (target, error, the server's pod) has the least hashes: a sample of what
//! there is rather than of how often it is, the same whatever came first, and mergeable.

use serde::{Deserialize, Serialize};
use wirewise_model::{CallId, Timestamp, stable_hash};
use wirewise_redact::RecordFields;

/// Examples kept for being different.
pub const MOST_VARIED: usize = 4;
/// Bytes that are kept of a text; the call itself has the rest.
const LONGEST: usize = 200;

/// A call that a shape can be shown by.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemplar {
    /// Which call.
    pub call: CallId,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in nanoseconds.
    pub duration_nanos: Option<u64>,
    /// Its target, redacted, cut to 200 bytes.
    pub target: String,
    /// Its error, redacted, cut to 200 bytes.
    pub error: Option<String>,
}

impl Exemplar {
    fn of(record: &RecordFields) -> Self {
        Self {
            call: record.id,
            started: record.started,
            duration_nanos: record.duration_nanos,
            target: cut(&record.target).to_owned(),
            error: record.error.as_deref().map(|error| cut(error).to_owned()),
        }
    }

    /// As [`Exemplar::of`], into the memory that is there.
    fn replace(&mut self, record: &RecordFields) {
        (self.call, self.started, self.duration_nanos) = (record.id, record.started, record.duration_nanos);
        self.target.clear();
        self.target.push_str(cut(&record.target));
        match (&mut self.error, record.error.as_deref()) {
            (Some(mine), Some(error)) => {
                mine.clear();
                mine.push_str(cut(error));
            }
            (mine, error) => *mine = error.map(|error| cut(error).to_owned()),
        }
    }
}

/// The examples of one shape.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemplars {
    latest: Option<Exemplar>,
    slowest: Option<Exemplar>,
    /// By facet, ascending, each facet once.
    varied: Vec<(u64, Exemplar)>,
}

impl Exemplars {
    /// The call that began last.
    pub fn latest(&self) -> Option<&Exemplar> {
        self.latest.as_ref()
    }

    /// The call that took longest.
    pub fn slowest(&self) -> Option<&Exemplar> {
        self.slowest.as_ref()
    }

    /// Calls that differ in target, error or the server's pod.
    pub fn varied(&self) -> impl Iterator<Item = &Exemplar> {
        self.varied.iter().map(|(_, exemplar)| exemplar)
    }

    /// Every example once, the latest first.
    pub fn all(&self) -> Vec<&Exemplar> {
        let mut all: Vec<&Exemplar> = Vec::new();
        for exemplar in self.latest.iter().chain(&self.slowest).chain(self.varied()) {
            if !all.iter().any(|other| other.call == exemplar.call) {
                all.push(exemplar);
            }
        }
        all
    }

    pub(crate) fn add(&mut self, record: &RecordFields) {
        match &mut self.latest {
            Some(latest) if (latest.started, latest.call) < (record.started, record.id) => {
                latest.replace(record);
            }
            Some(_) => {}
            None => self.latest = Some(Exemplar::of(record)),
        }
        if record.duration_nanos.is_some() {
            match &mut self.slowest {
                Some(slowest)
                    if slowness(slowest.duration_nanos, slowest.call)
                        < slowness(record.duration_nanos, record.id) =>
                {
                    slowest.replace(record);
                }
                Some(_) => {}
                None => self.slowest = Some(Exemplar::of(record)),
            }
        }
        let facet = facet(record);
        match self.varied.binary_search_by_key(&facet, |(facet, _)| *facet) {
            Ok(at) if record.id < self.varied[at].1.call => self.varied[at].1.replace(record),
            Err(at) if at < MOST_VARIED => {
                self.varied.insert(at, (facet, Exemplar::of(record)));
                self.varied.truncate(MOST_VARIED);
            }
            Ok(_) | Err(_) => {}
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        if let Some(theirs) = &other.latest
            && self
                .latest
                .as_ref()
                .is_none_or(|mine| (mine.started, mine.call) < (theirs.started, theirs.call))
        {
            self.latest = Some(theirs.clone());
        }
        if let Some(theirs) = &other.slowest
            && self.slowest.as_ref().is_none_or(|mine| {
                slowness(mine.duration_nanos, mine.call) < slowness(theirs.duration_nanos, theirs.call)
            })
        {
            self.slowest = Some(theirs.clone());
        }
        for (facet, theirs) in &other.varied {
            match self.varied.binary_search_by_key(facet, |(facet, _)| *facet) {
                Ok(at) if theirs.call < self.varied[at].1.call => self.varied[at].1 = theirs.clone(),
                Err(at) if at < MOST_VARIED => {
                    self.varied.insert(at, (*facet, theirs.clone()));
                    self.varied.truncate(MOST_VARIED);
                }
                Ok(_) | Err(_) => {}
            }
        }
    }
}

/// Of two that took equally long the earlier id is kept.
fn slowness(nanos: Option<u64>, call: CallId) -> (Option<u64>, std::cmp::Reverse<CallId>) {
    (nanos, std::cmp::Reverse(call))
}

fn facet(record: &RecordFields) -> u64 {
    let text = |text: &Option<String>| text.as_deref().map_or(0, |text| stable_hash(&[text.as_bytes()]));
    let server = &record.peers.server;
    stable_hash(&[
        record.target.as_bytes(),
        &text(&record.error).to_le_bytes(),
        &text(&server.pod).to_le_bytes(),
    ])
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(LONGEST)]
}
