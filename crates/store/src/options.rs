//! What a store and a query may use, with the defaults that it would be run with.

use std::time::Duration;

use wirewise_model::Viewer;

/// How much the tail may hold before it becomes files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TailLimits {
    /// Rows of all tables. Reached: the tail is written to files while appends go on.
    pub rows: usize,
    /// Bytes of Arrow columns. Reached: the same. At four times this, appends wait for the files; if these cannot be
    /// written, they fail.
    pub bytes: usize,
    /// Age of the oldest row. Reached: the same.
    pub age: Duration,
}

impl Default for TailLimits {
    fn default() -> Self {
        Self { rows: 400_000, bytes: 192 << 20, age: Duration::from_secs(15) }
    }
}

/// How a store runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoreOptions {
    /// Age past which whole hours of the data set `live` leave.
    pub keep_for: Duration,
    /// Bytes of files past which the oldest hours of the data set `live` leave.
    pub keep_bytes: u64,
    /// Bounds of the tail.
    pub tail: TailLimits,
    /// Queries that run at once; more wait, and their waiting counts against their time.
    pub queries: usize,
    /// Threads that run queries; 0 for one a core.
    pub threads: usize,
    /// Whether a thread flushes, merges and drops by itself. Off, only the calls that say so do.
    pub upkeep: bool,
}

impl Default for StoreOptions {
    fn default() -> Self {
        Self {
            keep_for: Duration::from_secs(24 * 3600),
            keep_bytes: 10_000_000_000,
            tail: TailLimits::default(),
            queries: 4,
            threads: 0,
            upkeep: true,
        }
    }
}

/// What one query may use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueryLimits {
    /// Rows of the result. Reached: the stream ends and says that it is truncated.
    pub rows: usize,
    /// Bytes of the result. Reached: the same.
    pub bytes: usize,
    /// Wall time, planning and waiting included. Reached: an error.
    pub time: Duration,
    /// Memory of its operators. Reached: an error; nothing spills to disk.
    pub memory: usize,
}

impl Default for QueryLimits {
    fn default() -> Self {
        Self { rows: usize::MAX, bytes: 256 << 20, time: Duration::from_secs(30), memory: 512 << 20 }
    }
}

/// On whose behalf, of which data set and within which bounds a query runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// The one data set that its tables show.
    pub dataset: String,
    /// Who asks.
    pub viewer: Viewer,
    /// Whether the SQL is a model's: then it cannot name `payloads`.
    pub model: bool,
    /// What it may use.
    pub limits: QueryLimits,
}

impl Scope {
    /// A scope with default limits, not a model's.
    pub fn new(dataset: impl Into<String>, viewer: &Viewer) -> Self {
        Self { dataset: dataset.into(), viewer: viewer.clone(), model: false, limits: QueryLimits::default() }
    }

    /// The same for SQL that a model wrote.
    pub fn for_model(self) -> Self {
        Self { model: true, ..self }
    }

    /// The same with a bound on rows.
    pub fn rows(mut self, rows: usize) -> Self {
        self.limits.rows = rows;
        self
    }

    pub(crate) fn payloads(&self) -> bool {
        self.viewer.payloads && !self.model
    }
}
