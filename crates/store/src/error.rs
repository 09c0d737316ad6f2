//! What can go wrong with a store, by what the caller can do about it.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

/// The process that owns a data directory, as `owner.json` says it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its base address, `http://127.0.0.1:8470`.
    pub url: String,
    /// Its process id.
    pub pid: u32,
}

/// Every way in which the store refuses or fails. The text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing has ever been stored there.
    #[error("no data at {}: run `wirewise import FILE` or `wirewise up`", dir.display())]
    NoData {
        /// Where it was looked for.
        dir: PathBuf,
    },
    /// Another process owns the directory.
    #[error("{}", owned_text(dir, owner.as_ref()))]
    Owned {
        /// The directory.
        dir: PathBuf,
        /// Where its owner listens, if it said so.
        owner: Option<Owner>,
    },
    /// No data set has that name.
    #[error("no data set is called {name:?}; there is {}", list(known))]
    UnknownDataset {
        /// What was asked for.
        name: String,
        /// Those that exist.
        known: Vec<String>,
    },
    /// Several data sets, and none was named.
    #[error("several data sets are here: name one of {}", list(known))]
    ManyDatasets {
        /// Those that exist.
        known: Vec<String>,
    },
    /// A table, column or value that does not exist.
    #[error("there is no {what} {name:?}{}", did_you_mean(nearest))]
    Unknown {
        /// `table`, `column`, `protocol` ...
        what: String,
        /// What was asked for.
        name: String,
        /// The nearest known names, nearest first.
        nearest: Vec<String>,
    },
    /// SQL that this store never runs.
    #[error("{0}")]
    Refused(String),
    /// SQL that means nothing here.
    #[error("{0}")]
    Invalid(String),
    /// A query that needs more than it may have.
    #[error("{0}")]
    OverLimit(String),
    /// A batch that cannot be taken as it is.
    #[error("{0}")]
    BadBatch(String),
    /// The disk is full. Nothing that was acknowledged is lost.
    #[error("no space left in {}: free some, or lower what is kept; what was acknowledged is safe, and writing goes on when there is space", dir.display())]
    Full {
        /// The data directory.
        dir: PathBuf,
    },
    /// A file operation failed.
    #[error("{what} {}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On which file.
        path: PathBuf,
        /// Why it failed.
        #[source]
        source: io::Error,
    },
    /// A file of ours that cannot be read.
    #[error("{} cannot be read: {why}; move the directory away to start anew, or run the version that wrote it", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The store was opened for reading only, or is closed.
    #[error("this store takes no writes: it is closed or was opened for reading only")]
    Closed,
    /// An invariant of ours did not hold.
    #[error("internal error of the store, please report it: {0}")]
    Internal(String),
}

impl StoreError {
    /// Whether who asked can mend it: wrong names, wrong or refused SQL, too large a question.
    pub fn is_tell(&self) -> bool {
        match self {
            Self::UnknownDataset { .. }
            | Self::ManyDatasets { .. }
            | Self::Unknown { .. }
            | Self::Refused(_)
            | Self::Invalid(_)
            | Self::OverLimit(_)
            | Self::BadBatch(_) => true,
            Self::NoData { .. }
            | Self::Owned { .. }
            | Self::Full { .. }
            | Self::Io { .. }
            | Self::Unreadable { .. }
            | Self::Closed
            | Self::Internal(_) => false,
        }
    }

    pub(crate) fn io(what: &'static str, path: &Path, source: io::Error) -> Self {
        Self::Io { what, path: path.to_owned(), source }
    }

    /// The same, where a full disk is told apart.
    pub(crate) fn write(dir: &Path, what: &'static str, path: &Path, source: io::Error) -> Self {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::Full { dir: dir.to_owned() }
            }
            _ => Self::io(what, path, source),
        }
    }

    /// An unknown name among known ones.
    pub(crate) fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        Self::Unknown { what: what.to_owned(), name: name.to_owned(), nearest: nearest(name, known) }
    }
}

/// Up to five of `known`, nearest to `name` first; all of a short list.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    const MOST: usize = 5;
    const SHORT_LIST: usize = 10;
    let name = name.to_lowercase();
    let mut scored: Vec<(f64, &str)> = known.into_iter().map(|word| (likeness(&name, word), word)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(b.1)));
    let most = if scored.len() <= SHORT_LIST { SHORT_LIST } else { MOST };
    scored.into_iter().take(most).map(|(_, word)| word.to_owned()).collect()
}

fn likeness(name: &str, word: &str) -> f64 {
    let contains = word.contains(name) || (word.len() > 2 && name.contains(word));
    strsim::jaro_winkler(name, word) + if contains { 0.5 } else { 0.0 }
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}

fn did_you_mean(nearest: &[String]) -> String {
    if nearest.is_empty() { String::new() } else { format!("; the nearest known: {}", nearest.join(", ")) }
}

fn owned_text(dir: &Path, owner: Option<&Owner>) -> String {
    let dir = dir.display();
    match owner {
        Some(Owner { url, pid }) => {
            format!("{dir} is owned by process {pid}, reached at {url}: go through it, or stop it")
        }
        None => format!("{dir} is in use by another process: wait for it, or stop it"),
    }
}
