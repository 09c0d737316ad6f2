//! What exists, in one file that is replaced whole: Parquet files, captures, and how far each sender has come.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use wirewise_model::CaptureId;
use wirewise_redact::CaptureInfo;

use crate::disk::Disk;
use crate::error::StoreError;
use crate::tables::{SCHEMA_VERSION, Table};

const FILE: &str = "manifest.json";

/// What exists.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Manifest {
    /// Of the columns and of this file.
    pub(crate) schema_version: u32,
    /// The first log whose records are not in the files.
    pub(crate) log_from: u64,
    /// The number that the next Parquet file takes.
    pub(crate) next_file: u64,
    /// Its data sets.
    pub(crate) datasets: BTreeMap<String, DatasetEntry>,
}

/// What exists of one data set.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct DatasetEntry {
    /// All but the files.
    #[serde(flatten)]
    pub(crate) progress: Progress,
    /// Its files.
    pub(crate) files: Vec<FileEntry>,
}

/// How far a data set has come: what every record of the log moves on.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Progress {
    /// What is known of its captures.
    pub(crate) captures: Vec<CaptureInfo>,
    /// How far each sender has come.
    pub(crate) senders: Vec<Sender>,
    /// Calls of which a later revision exists.
    pub(crate) revised: Revised,
    /// Rows in files and tail that a revision supersedes.
    pub(crate) superseded: u64,
    /// Sum of the counts in `losses`.
    #[serde(default)]
    pub(crate) losses: u64,
    /// Words of the columns `protocol` and `carrier` that were stored.
    pub(crate) protocols: BTreeSet<String>,
}

/// Calls by when they started, with their highest revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Vec<(i64, String, i64)>", into = "Vec<(i64, String, i64)>")]
pub(crate) struct Revised(pub(crate) BTreeMap<(i64, String), i64>);

impl From<Vec<(i64, String, i64)>> for Revised {
    fn from(list: Vec<(i64, String, i64)>) -> Self {
        Self(list.into_iter().map(|(at, id, revision)| ((at, id), revision)).collect())
    }
}

impl From<Revised> for Vec<(i64, String, i64)> {
    fn from(revised: Revised) -> Self {
        revised.0.into_iter().map(|((at, id), revision)| (at, id, revision)).collect()
    }
}

/// How far one sender has come within an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Sender {
    pub(crate) capture: CaptureId,
    pub(crate) epoch: u64,
    /// All sequence numbers below it are stored.
    pub(crate) next: u64,
    /// And these above.
    pub(crate) beyond: BTreeSet<u64>,
}

/// One Parquet file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct FileEntry {
    /// Its path in the data directory, `/` between its parts.
    pub(crate) path: String,
    pub(crate) table: Table,
    /// Hours since the epoch of its first row.
    pub(crate) hour: i64,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
    /// Least value of the table's time column.
    pub(crate) from: i64,
    /// Greatest value of it.
    pub(crate) to: i64,
    pub(crate) schema_version: u32,
}

impl Progress {
    /// How many batches a sender may be ahead of one that is missing. Past it they are refused.
    const BEYOND: usize = 1024;

    /// Whether a batch is stored already.
    pub(crate) fn has(&self, capture: &CaptureId, epoch: u64, sequence: u64) -> bool {
        self.senders
            .iter()
            .find(|sender| sender.epoch == epoch && sender.capture == *capture)
            .is_some_and(|sender| sequence < sender.next || sender.beyond.contains(&sequence))
    }

    /// Whether so many batches before it are missing that it is refused.
    pub(crate) fn is_too_far(&self, capture: &CaptureId, epoch: u64, sequence: u64) -> bool {
        let known = self.senders.iter().find(|sender| sender.epoch == epoch && sender.capture == *capture);
        known.is_some_and(|sender| sequence != sender.next && sender.beyond.len() >= Self::BEYOND)
    }

    /// Remembers a batch.
    pub(crate) fn store(&mut self, capture: &CaptureId, epoch: u64, sequence: u64) {
        let known =
            self.senders.iter_mut().rposition(|sender| sender.epoch == epoch && sender.capture == *capture);
        let index = known.unwrap_or_else(|| {
            let sender = Sender { capture: capture.clone(), epoch, next: 0, beyond: BTreeSet::new() };
            self.senders.push(sender);
            self.senders.len() - 1
        });
        let sender = &mut self.senders[index];
        sender.beyond.insert(sequence);
        while sender.beyond.remove(&sender.next) {
            sender.next += 1;
        }
    }

    /// Takes over what is newly known of a capture.
    pub(crate) fn learn(&mut self, capture: &CaptureInfo) {
        match self.captures.iter_mut().find(|known| known.id == capture.id) {
            Some(known) => {
                known.path = capture.path.clone().or(known.path.take());
                known.frames = known.frames.max(capture.frames);
                known.first_at = match (known.first_at, capture.first_at) {
                    (Some(known), Some(new)) => Some(known.min(new)),
                    (known, new) => known.or(new),
                };
                known.last_at = known.last_at.max(capture.last_at);
                known.complete |= capture.complete;
            }
            None => self.captures.push(capture.clone()),
        }
    }
}

impl Manifest {
    /// A directory without anything.
    pub(crate) fn empty() -> Self {
        Self { schema_version: SCHEMA_VERSION, ..Self::default() }
    }

    /// Reads it; `None` where there is none.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, StoreError> {
        let path = dir.join(FILE);
        let bytes = match std::fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(StoreError::io("cannot read", &path, error)),
        };
        let unreadable = |why: String| StoreError::Unreadable { path: path.clone(), why };
        let version: Version =
            serde_json::from_slice(&bytes).map_err(|error| unreadable(error.to_string()))?;
        if version.schema_version > SCHEMA_VERSION {
            return Err(unreadable(format!(
                "its schema version is {}, and this program knows versions up to {SCHEMA_VERSION}",
                version.schema_version
            )));
        }
        serde_json::from_slice(&bytes).map(Some).map_err(|error| unreadable(error.to_string()))
    }

    /// Replaces it on disk.
    pub(crate) fn write(&self, disk: &Disk, dir: &Path) -> Result<(), StoreError> {
        let path = dir.join(FILE);
        let bytes = serde_json::to_vec(self).map_err(|error| StoreError::Internal(error.to_string()))?;
        disk.replace(&path, &bytes).map_err(|error| StoreError::write(dir, "cannot replace", &path, error))
    }

    /// Every file that it names.
    pub(crate) fn paths(&self, dir: &Path) -> BTreeSet<PathBuf> {
        let files = self.datasets.values().flat_map(|dataset| &dataset.files);
        files.map(|file| dir.join(&file.path)).collect()
    }
}

#[derive(Deserialize)]
struct Version {
    schema_version: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sequences_close_up_and_are_refused_only_far_ahead() {
        let capture = CaptureId("a".into());
        let mut progress = Progress::default();
        progress.store(&capture, 1, 2);
        assert!(
            progress.has(&capture, 1, 2) && !progress.has(&capture, 1, 1) && !progress.has(&capture, 2, 2)
        );
        progress.store(&capture, 1, 0);
        progress.store(&capture, 1, 1);
        assert_eq!(
            progress.senders,
            [Sender { capture: capture.clone(), epoch: 1, next: 3, beyond: BTreeSet::new() }]
        );
        for sequence in 0..Progress::BEYOND as u64 {
            assert!(!progress.is_too_far(&capture, 1, 10 + sequence));
            progress.store(&capture, 1, 10 + sequence);
        }
        assert!(progress.is_too_far(&capture, 1, 9_999) && !progress.is_too_far(&capture, 1, 3));
    }

    #[test]
    fn reads_back_what_it_writes_and_refuses_a_newer_one() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), None);
        let mut manifest = Manifest::empty();
        let entry = manifest.datasets.entry("live".into()).or_default();
        entry.progress.revised.0.insert((5, "c1".into()), 1);
        entry.progress.store(&CaptureId("a".into()), 0, 0);
        manifest.write(&Disk::default(), dir.path()).unwrap();
        assert_eq!(Manifest::read(dir.path()).unwrap(), Some(manifest.clone()));
        manifest.schema_version = SCHEMA_VERSION + 1;
        manifest.write(&Disk::default(), dir.path()).unwrap();
        let error = Manifest::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("schema version is 2"), "{error}");
    }
}
