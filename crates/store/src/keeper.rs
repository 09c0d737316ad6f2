//! The one thread that makes, merges and drops files, and the only one that writes the manifest.
//!
//! Every change goes the same way: new files are written and synced, the manifest that names them replaces the old
//! one, then the state is swapped under its lock, then what is not named any more is removed. A crash in between
//! leaves files that no manifest names, or logs that the manifest is past; the next opening removes them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crate::disk::Disk;
use crate::error::StoreError;
use crate::files::{Place, hour, hour_start};
use crate::log;
use crate::manifest::{FileEntry, Manifest, Progress};
use crate::options::StoreOptions;
use crate::state::{DataFile, LIVE, Shared};
use crate::tables::Table;
use crate::writer::{FreezePoint, Order};

/// What the keeper is told.
pub(crate) enum Nudge {
    /// The tail may be large enough.
    Look,
    /// Make files of the tail now.
    Flush(tokio::sync::oneshot::Sender<Result<(), StoreError>>),
    /// Merge and drop now.
    Maintain(tokio::sync::oneshot::Sender<Result<(), StoreError>>),
    /// Make files of the tail, and end.
    Stop,
    /// End.
    Quit,
}

/// How often it looks by itself.
const LOOK: Duration = Duration::from_millis(500);
/// How long after a failure it tries again by itself.
const AGAIN: Duration = Duration::from_secs(3);
/// How often old hours are looked for.
const MAINTAIN: Duration = Duration::from_secs(60);
/// Files of one size in one hour that are merged.
const MERGE: usize = 8;
/// Bytes from which on a file is merged no more.
const LARGE: u64 = 16 << 20;

/// The keeper's own.
pub(crate) struct Keeper {
    pub(crate) disk: Disk,
    pub(crate) dir: PathBuf,
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: StoreOptions,
    /// What the manifest on disk says.
    pub(crate) durable: Manifest,
    pub(crate) writer: tokio::sync::mpsc::Sender<Order>,
    pub(crate) inbox: Receiver<Nudge>,
}

impl Keeper {
    /// Runs until it is stopped, or nobody can tell it anything any more.
    pub(crate) fn run(mut self) {
        let mut failed: Option<Instant> = None;
        let mut maintained = Instant::now();
        loop {
            match self.inbox.recv_timeout(LOOK) {
                Ok(Nudge::Flush(answer)) => {
                    // Who asked may have gone.
                    let _ = answer.send(self.flush());
                }
                Ok(Nudge::Maintain(answer)) => {
                    let _ = answer.send(self.maintain());
                }
                Ok(Nudge::Stop) => break,
                Ok(Nudge::Quit) | Err(RecvTimeoutError::Disconnected) => return,
                Ok(Nudge::Look) | Err(RecvTimeoutError::Timeout) if !self.options.upkeep => {}
                Ok(Nudge::Look) | Err(RecvTimeoutError::Timeout) => {
                    let wait = failed.is_some_and(|at| at.elapsed() < AGAIN);
                    if !wait && self.is_due() {
                        failed = report(self.flush().and_then(|()| self.merge()));
                    }
                    if maintained.elapsed() > MAINTAIN {
                        maintained = Instant::now();
                        report(self.maintain());
                    }
                }
            }
        }
        // The log has what could not be written.
        report(self.flush());
    }

    fn is_due(&self) -> bool {
        let state = self.shared.lock();
        let limits = &self.options.tail;
        let tail = state.tail;
        state.frozen.rows > 0
            || tail.rows >= limits.rows
            || tail.bytes >= limits.bytes
            || tail.since.is_some_and(|since| since.elapsed() >= limits.age)
    }

    /// Makes files of the tail.
    pub(crate) fn flush(&mut self) -> Result<(), StoreError> {
        let flushed = self.try_flush();
        let mut state = self.shared.lock();
        state.flush_failed = flushed.is_err();
        drop(state);
        self.shared.flushed.notify_all();
        flushed
    }

    fn try_flush(&mut self) -> Result<(), StoreError> {
        let point = self.freeze()?;
        let frozen: Vec<_> = {
            let state = self.shared.lock();
            state.datasets.iter().map(|(name, dataset)| (name.clone(), dataset.frozen.clone())).collect()
        };
        let mut manifest = self.durable.clone();
        let mut made: BTreeMap<String, Vec<FileEntry>> = BTreeMap::new();
        for (dataset, segments) in &frozen {
            let place = Place { disk: &self.disk, dir: &self.dir, dataset };
            let files = made.entry(dataset.clone()).or_default();
            for table in Table::ALL {
                if let Err(error) = place.write(table, segments, &mut manifest.next_file, files) {
                    self.forget(made.values().flatten());
                    return Err(error);
                }
            }
        }
        manifest.log_from = point.log_from;
        for (name, progress) in &point.progress {
            let entry = manifest.datasets.entry(name.clone()).or_default();
            entry.progress = (**progress).clone();
            entry.files.extend(made.get(name).into_iter().flatten().cloned());
        }
        if manifest.log_from == self.durable.log_from && made.values().all(Vec::is_empty) {
            return Ok(());
        }
        // If this fails after the rename, the manifest on disk may be the new one. So its files stay; the next
        // attempt writes the rows to other files, and a manifest that names these.
        manifest.write(&self.disk, &self.dir)?;
        {
            let mut state = self.shared.lock();
            for (name, dataset) in &mut state.datasets {
                dataset.frozen = Arc::default();
                let new =
                    made.get(name).into_iter().flatten().map(|file| DataFile::new(&self.dir, file.clone()));
                Arc::make_mut(&mut dataset.files).extend(new);
            }
            state.frozen = Default::default();
        }
        self.durable = manifest;
        for (number, path) in log::list(&self.dir)? {
            if number < point.log_from {
                self.disk.remove(&path).map_err(|error| StoreError::io("cannot remove", &path, error))?;
            }
        }
        Ok(())
    }

    fn freeze(&self) -> Result<FreezePoint, StoreError> {
        let (answer, point) = std::sync::mpsc::channel();
        self.writer.blocking_send(Order::Freeze(answer)).map_err(|_| StoreError::Closed)?;
        point.recv().map_err(|_| StoreError::Closed)
    }

    fn forget<'a>(&self, files: impl Iterator<Item = &'a FileEntry>) {
        for file in files {
            // One that stays is an orphan.
            let _ = self.disk.remove(&self.dir.join(&file.path));
        }
    }

    /// Merges small files, and drops what is too old or too much.
    pub(crate) fn maintain(&mut self) -> Result<(), StoreError> {
        self.merge()?;
        self.drop_old()
    }

    /// Merges the small files of an hour while there are many of one size.
    fn merge(&mut self) -> Result<(), StoreError> {
        while let Some((dataset, table, paths)) = self.candidates() {
            let (inputs, revised): (Vec<_>, _) = {
                let state = self.shared.lock();
                let Some(known) = state.datasets.get(&dataset) else { break };
                let inputs =
                    known.files.iter().filter(|file| paths.contains(&file.entry.path)).cloned().collect();
                (inputs, self.durable.datasets[&dataset].progress.revised.clone())
            };
            let mut manifest = self.durable.clone();
            let mut made = Vec::new();
            let place = Place { disk: &self.disk, dir: &self.dir, dataset: &dataset };
            let merged = place.merge(table, &inputs, &revised, &mut manifest.next_file, &mut made);
            let dropped = match merged {
                Ok(dropped) => dropped,
                Err(error) => {
                    self.forget(made.iter());
                    return Err(error);
                }
            };
            let Some(entry) = manifest.datasets.get_mut(&dataset) else { break };
            entry.files.retain(|file| !paths.contains(&file.path));
            entry.files.extend(made.iter().cloned());
            let change =
                |progress: &mut Progress| progress.superseded = progress.superseded.saturating_sub(dropped);
            change(&mut entry.progress);
            self.commit(manifest, &dataset, &made, &|file| paths.contains(&file.path), &change)?;
        }
        Ok(())
    }

    fn candidates(&self) -> Option<(String, Table, Vec<String>)> {
        for (name, dataset) in &self.durable.datasets {
            let mut tiers: BTreeMap<(Table, i64, u32), Vec<String>> = BTreeMap::new();
            for file in dataset.files.iter().filter(|file| file.bytes < LARGE) {
                let tier = tiers
                    .entry((file.table, file.hour, (file.bytes.max(1) >> 14).max(1).ilog(8)))
                    .or_default();
                tier.push(file.path.clone());
                if tier.len() >= MERGE {
                    return Some((name.clone(), file.table, tier.clone()));
                }
            }
        }
        None
    }

    /// Writes the manifest and takes over what it says of one data set's files.
    fn commit(
        &mut self,
        manifest: Manifest,
        dataset: &str,
        made: &[FileEntry],
        gone: &dyn Fn(&FileEntry) -> bool,
        change: &dyn Fn(&mut Progress),
    ) -> Result<(), StoreError> {
        manifest.write(&self.disk, &self.dir)?;
        // Dropped after the lock: the last to let go of a file removes it.
        let mut old = Vec::new();
        let mut state = self.shared.lock();
        if let Some(known) = state.datasets.get_mut(dataset) {
            let files = Arc::make_mut(&mut known.files);
            for file in files.iter().filter(|file| gone(&file.entry)) {
                file.retire();
                old.push(file.clone());
            }
            files.retain(|file| !gone(&file.entry));
            files.extend(made.iter().map(|file| DataFile::new(&self.dir, file.clone())));
            change(Arc::make_mut(&mut known.progress));
        }
        drop(state);
        self.durable = manifest;
        Ok(())
    }

    /// Drops whole hours of live capture that are too old, or the oldest while there is too much.
    fn drop_old(&mut self) -> Result<(), StoreError> {
        let Some(live) = self.durable.datasets.get(LIVE) else { return Ok(()) };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let oldest = i64::try_from(now.saturating_sub(self.options.keep_for.as_nanos())).unwrap_or(i64::MAX);
        let mut hours: BTreeMap<i64, u64> = BTreeMap::new();
        for file in live.files.iter().filter(|file| hour(file.to) >= hour(oldest)) {
            *hours.entry(hour(file.to)).or_default() += file.bytes;
        }
        let mut first = hour(oldest);
        let mut total: u64 = hours.values().sum();
        for (hour, bytes) in hours {
            if total <= self.options.keep_bytes {
                break;
            }
            total -= bytes;
            first = hour + 1;
        }
        let gone = |file: &FileEntry| hour(file.to) < first;
        if !live.files.iter().any(gone) {
            return Ok(());
        }
        let mut manifest = self.durable.clone();
        let change = |progress: &mut Progress| {
            let rest = progress.revised.0.split_off(&(hour_start(first), String::new()));
            progress.revised.0 = rest;
            progress.superseded = progress.superseded.min(progress.revised.0.len() as u64);
        };
        if let Some(live) = manifest.datasets.get_mut(LIVE) {
            live.files.retain(|file| !gone(file));
            change(&mut live.progress);
        }
        self.commit(manifest, LIVE, &[], &gone, &change)
    }
}

/// Logs a failure of upkeep. It is tried again; nothing is lost by it.
fn report(done: Result<(), StoreError>) -> Option<Instant> {
    let error = done.err()?;
    tracing::warn!(error = &error as &dyn std::error::Error, "cannot write files, the log keeps the rows");
    Some(Instant::now())
}
