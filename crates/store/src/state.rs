//! What queries see, under one lock: files, segments of the tail, and the overlay of what is under way.
//!
//! A snapshot is a handful of reference counts, so that the lock is held for microseconds. Everything in it is
//! immutable; whoever changes the state puts new lists in the place of old ones.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::{Int64Type, TimestampNanosecondType};
use wirewise_redact::Open;

use crate::error::StoreError;
use crate::log::Header;
use crate::manifest::{FileEntry, Manifest, Progress};
use crate::rows::{self, Columns};
use crate::tables::Table;

/// The data set of live capture.
pub(crate) const LIVE: &str = "live";

/// A Parquet file that a snapshot may still be reading. Removed from the disk when it is done with and nobody reads.
#[derive(Debug)]
pub(crate) struct DataFile {
    pub(crate) entry: FileEntry,
    path: PathBuf,
    done_with: AtomicBool,
}

impl DataFile {
    pub(crate) fn new(dir: &Path, entry: FileEntry) -> Arc<Self> {
        Arc::new(Self { path: dir.join(&entry.path), entry, done_with: AtomicBool::new(false) })
    }

    /// The manifest no longer names it: the last reader takes it away.
    pub(crate) fn retire(&self) {
        self.done_with.store(true, Ordering::Release);
    }
}

impl Drop for DataFile {
    fn drop(&mut self) {
        if self.done_with.load(Ordering::Acquire) {
            // One that stays is an orphan, and goes at the next opening.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Rows of one table that stand in the log and in memory.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) table: Table,
    pub(crate) rows: RecordBatch,
    /// Least and greatest value of the table's time column.
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Segment {
    pub(crate) fn new(table: Table, rows: RecordBatch) -> Self {
        let times =
            rows.column_by_name(table.time()).map(|column| column.as_primitive::<TimestampNanosecondType>());
        let bounds = times.and_then(|times| Some((arrow::compute::min(times)?, arrow::compute::max(times)?)));
        let (from, to) = bounds.unwrap_or((i64::MAX, i64::MIN));
        Self { table, rows, from, to }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.rows.get_array_memory_size()
    }
}

/// What is under way: rows by table, and which of them are over since.
#[derive(Debug, Default)]
struct Overlay {
    rows: Columns,
    ids: HashMap<String, Table>,
    over: HashSet<String>,
    shown: Vec<Arc<Segment>>,
}

/// One data set in memory.
#[derive(Debug, Default)]
pub(crate) struct Dataset {
    pub(crate) files: Arc<Vec<Arc<DataFile>>>,
    /// Being written to files.
    pub(crate) frozen: Arc<Vec<Arc<Segment>>>,
    /// Not yet.
    pub(crate) tail: Arc<Vec<Arc<Segment>>>,
    pub(crate) progress: Arc<Progress>,
    overlay: Overlay,
}

/// All data sets in memory, and how large the tail is.
#[derive(Debug, Default)]
pub(crate) struct State {
    pub(crate) datasets: BTreeMap<String, Dataset>,
    pub(crate) tail: TailSize,
    pub(crate) frozen: TailSize,
    /// Why the last attempt to write files failed, if it did.
    pub(crate) flush_failed: bool,
    pub(crate) closed: bool,
}

/// How much waits for files.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TailSize {
    pub(crate) rows: usize,
    pub(crate) bytes: usize,
    pub(crate) since: Option<Instant>,
}

impl TailSize {
    fn add(&mut self, other: Self) {
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.since = match (self.since, other.since) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
    }
}

/// The state and the signal that some of the tail became files.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    state: Mutex<State>,
    pub(crate) flushed: Condvar,
}

impl Shared {
    pub(crate) fn new(state: State) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(state), flushed: Condvar::new() })
    }

    /// The lock. A panic under it left lists that are old or new, never half of one.
    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// One moment of one data set.
    pub(crate) fn snapshot(&self, dataset: &str) -> Option<Snapshot> {
        let state = self.lock();
        let known = state.datasets.get(dataset)?;
        Some(Snapshot {
            files: known.files.clone(),
            segments: [known.frozen.clone(), known.tail.clone()],
            overlay: known.overlay.shown.clone(),
            progress: known.progress.clone(),
        })
    }
}

/// One moment of one data set: complete, and unchanged by whatever happens after.
#[derive(Clone, Debug)]
pub(crate) struct Snapshot {
    files: Arc<Vec<Arc<DataFile>>>,
    segments: [Arc<Vec<Arc<Segment>>>; 2],
    overlay: Vec<Arc<Segment>>,
    pub(crate) progress: Arc<Progress>,
}

impl Snapshot {
    pub(crate) fn files(&self, table: Table) -> impl Iterator<Item = &Arc<DataFile>> {
        self.files.iter().filter(move |file| file.entry.table == table)
    }

    pub(crate) fn segments(&self, table: Table) -> impl Iterator<Item = &Arc<Segment>> {
        let stored = self.segments.iter().flat_map(|segments| segments.iter());
        stored.chain(&self.overlay).filter(move |segment| segment.table == table)
    }

    /// Closed rows of a table, overlay apart.
    pub(crate) fn count(&self, table: Table) -> u64 {
        let files: u64 = self.files(table).map(|file| file.entry.rows).sum();
        let segments = self.segments.iter().flat_map(|segments| segments.iter());
        let tail: usize =
            segments.filter(|segment| segment.table == table).map(|segment| segment.rows.num_rows()).sum();
        let superseded = if table == Table::Calls { self.progress.superseded } else { 0 };
        (files + tail as u64).saturating_sub(superseded)
    }

    /// First and last time of any call or flow.
    pub(crate) fn times(&self) -> Option<(i64, i64)> {
        let timed = |table: Table| matches!(table, Table::Calls | Table::Flows);
        let files = self.files.iter().filter(|file| timed(file.entry.table));
        let files = files.map(|file| (file.entry.from, file.entry.to));
        let segments = self.segments.iter().flat_map(|segments| segments.iter());
        let segments =
            segments.filter(|segment| timed(segment.table)).map(|segment| (segment.from, segment.to));
        files.chain(segments).reduce(|(from, to), (first, last)| (from.min(first), to.max(last)))
    }

    /// Bytes of its files.
    pub(crate) fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.entry.bytes).sum()
    }

    /// A data set without anything.
    pub(crate) fn empty() -> Self {
        Self {
            files: Arc::default(),
            segments: [Arc::default(), Arc::default()],
            overlay: Vec::new(),
            progress: Arc::default(),
        }
    }
}

impl State {
    /// What a manifest says, before the log is read.
    pub(crate) fn of(manifest: &Manifest, dir: &Path) -> Self {
        let datasets = manifest.datasets.iter().map(|(name, entry)| {
            let files = entry.files.iter().map(|file| DataFile::new(dir, file.clone())).collect();
            let progress = Arc::new(entry.progress.clone());
            (name.clone(), Dataset { files: Arc::new(files), progress, ..Dataset::default() })
        });
        Self { datasets: datasets.collect(), ..Self::default() }
    }

    /// Whether a batch is stored already.
    pub(crate) fn has(&self, header: &Header) -> bool {
        let (Some(dataset), Some((epoch, sequence))) = (self.datasets.get(&header.dataset), header.place)
        else {
            return false;
        };
        dataset.progress.has(&header.capture.id, epoch, sequence)
    }

    /// Makes a record that is in the log visible, in one step.
    pub(crate) fn publish(&mut self, header: &Header, columns: Columns) {
        let dataset = self.datasets.entry(header.dataset.clone()).or_default();
        let progress = Arc::make_mut(&mut dataset.progress);
        progress.learn(&header.capture);
        if let Some((epoch, sequence)) = header.place {
            progress.store(&header.capture.id, epoch, sequence);
        }
        let mut size = TailSize { since: Some(Instant::now()), ..TailSize::default() };
        let mut changed = false;
        for (table, rows) in columns {
            if table == Table::Calls {
                note_revisions(progress, &rows);
                note_protocols(progress, &rows);
            }
            if table == Table::Losses {
                let counts = rows.column_by_name("count").map(|column| column.as_primitive::<Int64Type>());
                let lost = counts.and_then(arrow::compute::sum).unwrap_or_default();
                progress.losses = progress.losses.saturating_add(lost.unsigned_abs());
            }
            changed |= dataset.overlay.finish(table, &rows);
            let segment = Segment::new(table, rows);
            size.rows += segment.rows.num_rows();
            size.bytes += segment.bytes();
            push(Arc::make_mut(&mut dataset.tail), segment);
        }
        if changed {
            dataset.overlay.show();
        }
        if size.rows > 0 {
            self.tail.add(size);
        }
    }

    /// Replaces what is under way.
    pub(crate) fn overlay(&mut self, name: &str, rows: Columns) {
        let dataset = self.datasets.entry(name.to_owned()).or_default();
        let mut overlay = Overlay::of(rows);
        if !overlay.ids.is_empty() {
            // What was shipped as over after `open` was made is over.
            for segment in dataset.frozen.iter().chain(dataset.tail.iter()) {
                overlay.finish(segment.table, &segment.rows);
            }
        }
        overlay.show();
        dataset.overlay = overlay;
    }

    /// Moves the tail to what is being written to files.
    pub(crate) fn freeze(&mut self) {
        for dataset in self.datasets.values_mut() {
            let tail = std::mem::take(&mut dataset.tail);
            if !tail.is_empty() {
                Arc::make_mut(&mut dataset.frozen).extend(tail.iter().cloned());
            }
        }
        let tail = std::mem::take(&mut self.tail);
        self.frozen.add(tail);
    }
}

impl Overlay {
    fn of(rows: Columns) -> Self {
        let mut ids = HashMap::new();
        for (table, batch) in &rows {
            if let Some(column) = id_column(*table, batch) {
                ids.extend(column.iter().flatten().map(|id| (id.to_owned(), *table)));
            }
        }
        Self { rows, ids, ..Self::default() }
    }

    /// Hides the rows that these are the end of. Says whether there were any.
    fn finish(&mut self, table: Table, rows: &RecordBatch) -> bool {
        if self.ids.is_empty() {
            return false;
        }
        let Some(column) = id_column(table, rows) else { return false };
        let mut any = false;
        for id in column.iter().flatten() {
            if self.ids.contains_key(id) {
                any |= self.over.insert(id.to_owned());
            }
        }
        any
    }

    fn show(&mut self) {
        self.shown = self
            .rows
            .iter()
            .filter_map(|(table, rows)| {
                let keep: BooleanArray = match *table {
                    Table::Calls | Table::Flows | Table::Payloads => rows
                        .column(0)
                        .as_string_opt::<i32>()?
                        .iter()
                        .map(|id| Some(!id.is_some_and(|id| self.over.contains(id))))
                        .collect(),
                    Table::Losses => return None,
                };
                let rows = filter_record_batch(rows, &keep).ok()?;
                (rows.num_rows() > 0).then(|| Arc::new(Segment::new(*table, rows)))
            })
            .collect();
    }
}

fn id_column(table: Table, rows: &RecordBatch) -> Option<&arrow::array::StringArray> {
    match table {
        Table::Calls | Table::Flows => rows.column(0).as_string_opt::<i32>(),
        Table::Payloads | Table::Losses => None,
    }
}

/// What is under way, as columns.
pub(crate) fn open_columns(dataset: &str, open: &Open) -> Result<Columns, StoreError> {
    rows::of_open(dataset, open)
}

/// Small segments are joined, so that a tail of many small batches reads like one of few.
fn push(tail: &mut Vec<Arc<Segment>>, segment: Segment) {
    const SMALL: usize = 4096;
    const MANY: usize = 16;
    let small = |other: &&Arc<Segment>| other.table == segment.table && other.rows.num_rows() < SMALL;
    if segment.rows.num_rows() < SMALL && tail.iter().filter(small).count() >= MANY {
        let (small, mut rest): (Vec<_>, Vec<_>) =
            tail.drain(..).partition(|other| other.table == segment.table && other.rows.num_rows() < SMALL);
        let schema = segment.table.stored_schema();
        let batches = small.iter().map(|segment| &segment.rows).chain([&segment.rows]);
        if let Ok(rows) = concat_batches(&schema, batches) {
            rest.push(Arc::new(Segment::new(segment.table, rows)));
            *tail = rest;
            return;
        }
        rest.extend(small);
        *tail = rest;
    }
    tail.push(Arc::new(segment));
}

fn note_revisions(progress: &mut Progress, rows: &RecordBatch) {
    let Some(revisions) = rows.column_by_name("revision") else { return };
    let revisions = revisions.as_primitive::<Int64Type>();
    if revisions.values().iter().all(|&revision| revision == 0) {
        return;
    }
    let (Some(ids), Some(times)) = (rows.column_by_name("call_id"), rows.column_by_name("started_at")) else {
        return;
    };
    let (ids, times) = (ids.as_string::<i32>(), times.as_primitive::<TimestampNanosecondType>());
    for row in (0..rows.num_rows()).filter(|&row| revisions.value(row) > 0) {
        let highest = progress.revised.0.entry((times.value(row), ids.value(row).to_owned())).or_default();
        *highest = revisions.value(row).max(*highest);
        progress.superseded += 1;
    }
}

fn note_protocols(progress: &mut Progress, rows: &RecordBatch) {
    /// More words than any capture has protocols; past it a word is not offered in error texts.
    const MOST: usize = 256;
    for name in ["protocol", "carrier"] {
        let Some(words) = rows.column_by_name(name).and_then(|column| column.as_string_opt::<i32>()) else {
            continue;
        };
        let mut last = "";
        for row in 0..words.len() {
            let word = words.value(row);
            if word != last && !progress.protocols.contains(word) && progress.protocols.len() < MOST {
                progress.protocols.insert(word.to_owned());
            }
            last = word;
        }
    }
}
