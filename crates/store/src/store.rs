//! A data directory, opened.

use std::fs::{File, OpenOptions, TryLockError};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arrow::array::RecordBatch;
use serde::Serialize;
use tokio::sync::{mpsc, oneshot};
use wirewise_model::{Timestamp, Viewer, Window};
use wirewise_redact::{Batch, CaptureInfo, Open};

use crate::disk::Disk;
use crate::error::{Owner, StoreError};
use crate::keeper::{Keeper, Nudge};
use crate::log::{self, Buffers, Entry, Header, Log};
use crate::manifest::Manifest;
use crate::options::{Scope, StoreOptions};
use crate::query::json::{Rows, sql_text};
use crate::query::stream::QueryStream;
use crate::query::{Engine, Reading};
use crate::rows;
use crate::state::{LIVE, Shared, Snapshot, State, open_columns};
use crate::tables::Table;
use crate::writer::{Order, QUEUE, Writer};

const LOCK: &str = "lock";
const OWNER: &str = "owner.json";
/// How long another process is given to finish reading.
const READERS: Duration = Duration::from_secs(2);

/// What became of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ack {
    /// Whether it had been stored before; then nothing was added.
    pub duplicate: bool,
}

/// What is known of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct DatasetInfo {
    /// Its name.
    pub name: String,
    /// Whether it is the data set of live capture.
    pub live: bool,
    /// Its captures.
    pub captures: Vec<CaptureInfo>,
    /// Calls that are over.
    pub calls: u64,
    /// Flows that are over.
    pub flows: u64,
    /// First packet.
    pub first_at: Option<Timestamp>,
    /// Last packet.
    pub last_at: Option<Timestamp>,
    /// Sum of the counts in `losses`, of all units.
    pub losses: u64,
    /// Bytes of its files.
    pub bytes: u64,
}

impl DatasetInfo {
    /// The time that questions about it mean by "now": the clock for `live`, the last packet otherwise.
    pub fn now(&self) -> Timestamp {
        if self.live { clock() } else { self.last_at.unwrap_or_else(clock) }
    }
}

/// What was lost, by where and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LossRow {
    /// Where.
    pub node: Option<String>,
    /// Which hop of the ledger.
    pub stage: String,
    /// Why.
    pub reason: String,
    /// How many of the stage's unit.
    pub count: u64,
    /// When first noticed.
    pub first_at: Timestamp,
    /// When last noticed.
    pub last_at: Timestamp,
}

/// A data directory, opened. Cheap to share behind an `Arc`.
pub struct Store {
    dir: PathBuf,
    shared: Arc<Shared>,
    engine: Engine,
    /// `None` where it was opened for reading only, and once it is closed.
    writing: Mutex<Option<Writing>>,
    lock: Mutex<Option<File>>,
    sizes: Mutex<rows::Sizes>,
    buffers: Arc<Buffers>,
}

struct Writing {
    orders: mpsc::Sender<Order>,
    keeper: SyncSender<Nudge>,
    threads: Vec<JoinHandle<()>>,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Store").field("dir", &self.dir).finish_non_exhaustive()
    }
}

impl Store {
    /// Opens a data directory to write and read, and makes it where there is none. This process owns it until the
    /// store is closed or dropped; [`StoreError::Owned`] where another does.
    pub async fn open(dir: impl AsRef<Path>, options: StoreOptions) -> Result<Self, StoreError> {
        let dir = dir.as_ref().to_owned();
        blocking(move || Self::open_on(Disk::default(), &dir, options)).await
    }

    /// Opens what is there for reading only. Creates nothing: [`StoreError::NoData`] where there is nothing.
    pub async fn open_existing(dir: impl AsRef<Path>, options: StoreOptions) -> Result<Self, StoreError> {
        let dir = dir.as_ref().to_owned();
        blocking(move || Self::read_on(&dir, &options)).await
    }

    pub(crate) fn open_on(disk: Disk, dir: &Path, options: StoreOptions) -> Result<Self, StoreError> {
        let made = disk.create_dirs(dir).and_then(|()| {
            let private = std::fs::Permissions::from_mode(0o700);
            std::fs::set_permissions(dir, private)
        });
        made.map_err(|error| StoreError::write(dir, "cannot make", dir, error))?;
        let lock = take_lock(dir, &dir.join(LOCK))?;
        // Of an owner that did not say goodbye.
        let _ = std::fs::remove_file(dir.join(OWNER));

        let manifest = Manifest::read(dir)?.unwrap_or_else(Manifest::empty);
        remove_orphans(&disk, dir, &manifest)?;
        let (state, next_log) = recover(dir, &manifest)?;
        let shared = Shared::new(state);
        let (orders, receiver) = mpsc::channel(QUEUE);
        let buffers = Arc::new(Buffers::default());
        let (keeper, inbox) = std::sync::mpsc::sync_channel(16);
        let writer = Writer {
            log: Log::new(disk.clone(), dir, next_log),
            shared: shared.clone(),
            orders: receiver,
            keeper: keeper.clone(),
            limits: options.tail.clone(),
            dir: dir.to_owned(),
            buffers: buffers.clone(),
        };
        let keeper_self = Keeper {
            disk,
            dir: dir.to_owned(),
            shared: shared.clone(),
            options: options.clone(),
            durable: manifest,
            writer: orders.clone(),
            inbox,
        };
        let engine = Engine::new(dir, &options)?;
        let spawn = |name: &str, run: Box<dyn FnOnce() + Send>| {
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run);
            thread.map_err(|error| StoreError::io("cannot start a thread for", dir, error))
        };
        let threads = vec![
            spawn("wirewise-log", Box::new(move || writer.run()))?,
            spawn("wirewise-files", Box::new(move || keeper_self.run()))?,
        ];
        let writing = Mutex::new(Some(Writing { orders, keeper, threads }));
        let lock = Mutex::new(Some(lock));
        Ok(Self { dir: dir.to_owned(), shared, engine, writing, lock, sizes: Mutex::default(), buffers })
    }

    fn read_on(dir: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        let nothing = || StoreError::NoData { dir: dir.to_owned() };
        let path = dir.join(LOCK);
        let lock = match File::open(&path) {
            Ok(lock) => lock,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Err(nothing()),
            Err(error) => return Err(StoreError::io("cannot open", &path, error)),
        };
        match lock.try_lock_shared() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(owned(dir)),
            Err(TryLockError::Error(error)) => return Err(StoreError::io("cannot lock", &path, error)),
        }
        let manifest = match Manifest::read(dir)? {
            Some(manifest) => manifest,
            None if log::list(dir)?.is_empty() => return Err(nothing()),
            None => Manifest::empty(),
        };
        let (state, _) = recover(dir, &manifest)?;
        let engine = Engine::new(dir, options)?;
        let shared = Shared::new(state);
        Ok(Self {
            dir: dir.to_owned(),
            shared,
            engine,
            writing: Mutex::new(None),
            lock: Mutex::new(Some(lock)),
            sizes: Mutex::default(),
            buffers: Arc::default(),
        })
    }

    /// The data directory.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Says where the owner of the directory listens, so that other commands find it: `owner.json`, mode 0600.
    pub fn set_owner(&self, owner: &Owner) -> Result<(), StoreError> {
        let path = self.dir.join(OWNER);
        let bytes = serde_json::to_vec(owner).map_err(|error| StoreError::Internal(error.to_string()))?;
        let replaced = Disk::default().replace(&path, &bytes);
        replaced.map_err(|error| StoreError::write(&self.dir, "cannot write", &path, error))
    }

    /// Stores a batch. When this returns, its rows are on disk and every query sees them; stored before, nothing is
    /// added. After an error nothing of it was stored, and it may be sent again.
    pub async fn append(&self, batch: Batch) -> Result<Ack, StoreError> {
        let header = Header {
            dataset: batch.dataset.clone(),
            capture: batch.capture.clone(),
            place: Some((batch.epoch, batch.sequence)),
        };
        check(&header)?;
        {
            let state = self.shared.lock();
            if state.has(&header) {
                return Ok(Ack { duplicate: true });
            }
            let known = state.datasets.get(&header.dataset);
            if known.is_some_and(|known| {
                known.progress.is_too_far(&header.capture.id, batch.epoch, batch.sequence)
            }) {
                return Err(StoreError::BadBatch(format!(
                    "batch {} of {} is too far ahead of one that is missing: send the missing ones first",
                    batch.sequence, header.capture.id.0
                )));
            }
        }
        // Several appends at once each begin with what the last one learnt.
        let mut sizes = self.sizes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let buffers = self.buffers.clone();
        let (entry, sizes) = blocking(move || {
            let columns = rows::of_batch(&batch, &mut sizes)?;
            Ok((Entry::encode(header, columns, buffers.take())?, sizes))
        })
        .await?;
        *self.sizes.lock().unwrap_or_else(PoisonError::into_inner) = sizes;
        self.write(entry).await.map(|duplicate| Ack { duplicate })
    }

    /// Remembers what is known of a capture, `complete` above all.
    pub async fn capture_done(&self, dataset: &str, capture: CaptureInfo) -> Result<(), StoreError> {
        let header = Header { dataset: dataset.to_owned(), capture, place: None };
        check(&header)?;
        let entry = Entry::encode(header, rows::Columns::new(), self.buffers.take())?;
        self.write(entry).await.map(|_| ())
    }

    async fn write(&self, entry: Entry) -> Result<bool, StoreError> {
        let orders = self.with_writing(|writing| writing.orders.clone())?;
        let (answer, written) = oneshot::channel();
        orders.send(Order::Append(Box::new(entry), answer)).await.map_err(|_| StoreError::Closed)?;
        written.await.map_err(|_| StoreError::Closed)?
    }

    /// Replaces what is under way in a data set. Held in memory only; a row that is over hides it.
    pub fn overlay(&self, dataset: &str, open: &Open) -> Result<(), StoreError> {
        let columns = open_columns(dataset, open)?;
        self.shared.lock().overlay(dataset, columns);
        Ok(())
    }

    /// Makes files of the tail now.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.nudge(Nudge::Flush).await
    }

    /// Merges small files, and drops what is too old or too much, now.
    pub async fn maintain(&self) -> Result<(), StoreError> {
        self.nudge(Nudge::Maintain).await
    }

    async fn nudge(
        &self,
        what: impl FnOnce(oneshot::Sender<Result<(), StoreError>>) -> Nudge,
    ) -> Result<(), StoreError> {
        let keeper = self.with_writing(|writing| writing.keeper.clone())?;
        let (answer, done) = oneshot::channel();
        let nudge = what(answer);
        blocking(move || keeper.send(nudge).map_err(|_| StoreError::Closed)).await?;
        done.await.map_err(|_| StoreError::Closed)?
    }

    fn with_writing<R>(&self, act: impl FnOnce(&Writing) -> R) -> Result<R, StoreError> {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        writing.as_ref().map(act).ok_or(StoreError::Closed)
    }

    /// The data sets, `live` first.
    pub fn datasets(&self) -> Vec<DatasetInfo> {
        let names: Vec<String> = self.shared.lock().datasets.keys().cloned().collect();
        let mut found: Vec<DatasetInfo> = names.iter().filter_map(|name| self.dataset(name)).collect();
        found.sort_by_key(|dataset| !dataset.live);
        found
    }

    fn dataset(&self, name: &str) -> Option<DatasetInfo> {
        let snapshot = self.shared.snapshot(name)?;
        let progress = &snapshot.progress;
        let times = snapshot.times();
        let first = progress.captures.iter().filter_map(|capture| capture.first_at).min();
        let last = progress.captures.iter().filter_map(|capture| capture.last_at).max();
        let at = Timestamp::from_nanos;
        Some(DatasetInfo {
            name: name.to_owned(),
            live: name == LIVE,
            captures: progress.captures.clone(),
            calls: snapshot.count(Table::Calls),
            flows: snapshot.count(Table::Flows),
            first_at: first.or(times.map(|(from, _)| at(from))),
            last_at: last.or(times.map(|(_, to)| at(to))),
            losses: progress.losses,
            bytes: snapshot.bytes(),
        })
    }

    /// What is known of a data set's captures.
    pub fn captures(&self, dataset: &str) -> Vec<CaptureInfo> {
        let state = self.shared.lock();
        state.datasets.get(dataset).map(|known| known.progress.captures.clone()).unwrap_or_default()
    }

    /// The data set that a question is about: the one named, else `live`, else the only one.
    pub fn resolve_dataset(&self, named: Option<&str>) -> Result<DatasetInfo, StoreError> {
        let known: Vec<String> = self.shared.lock().datasets.keys().cloned().collect();
        let name = match (named, known.as_slice()) {
            (Some(name), _) => match self.dataset(name) {
                Some(dataset) => return Ok(dataset),
                None if known.is_empty() => return Err(StoreError::NoData { dir: self.dir.clone() }),
                None => {
                    let known = crate::error::nearest(name, known.iter().map(String::as_str));
                    return Err(StoreError::UnknownDataset { name: name.to_owned(), known });
                }
            },
            (None, []) => return Err(StoreError::NoData { dir: self.dir.clone() }),
            (None, names) if names.iter().any(|name| name == LIVE) => LIVE,
            (None, [only]) => only,
            (None, _) => return Err(StoreError::ManyDatasets { known }),
        };
        self.dataset(name).ok_or_else(|| StoreError::NoData { dir: self.dir.clone() })
    }

    /// A scope for a data set, resolved as [`Store::resolve_dataset`] does.
    pub fn scope(&self, dataset: Option<&str>, viewer: &Viewer) -> Result<Scope, StoreError> {
        Ok(Scope::new(self.resolve_dataset(dataset)?.name, viewer))
    }

    /// Runs one read-only query over the tables of one data set, as they are at this moment.
    pub async fn query(&self, sql: &str, scope: &Scope) -> Result<QueryStream, StoreError> {
        let dataset = self.resolve_dataset(Some(&scope.dataset))?;
        let snapshot = self.shared.snapshot(&scope.dataset).unwrap_or_else(Snapshot::empty);
        let reading = Reading { snapshot: Arc::new(snapshot), now: dataset.now() };
        self.engine.run(sql, scope, reading).await
    }

    /// Runs a query and says what it read.
    #[cfg(test)]
    pub(crate) async fn measure(&self, sql: &str, scope: &Scope) -> Result<crate::query::Read, StoreError> {
        let dataset = self.resolve_dataset(Some(&scope.dataset))?;
        let snapshot = self.shared.snapshot(&scope.dataset).unwrap_or_else(Snapshot::empty);
        self.engine.measure(sql, scope, Reading { snapshot: Arc::new(snapshot), now: dataset.now() }).await
    }

    /// Tasks of queries that are not over.
    #[cfg(test)]
    pub(crate) fn n_running(&self) -> usize {
        self.engine.n_running()
    }

    /// The same, with the whole result as JSON.
    pub async fn query_rows(&self, sql: &str, scope: &Scope) -> Result<Rows, StoreError> {
        self.query(sql, scope).await?.rows().await
    }

    /// The same, with the whole result as Arrow batches.
    pub async fn query_batches(&self, sql: &str, scope: &Scope) -> Result<Vec<RecordBatch>, StoreError> {
        let mut stream = self.query(sql, scope).await?;
        let mut batches = Vec::new();
        while let Some(batch) = stream.next().await {
            batches.push(batch?);
        }
        Ok(batches)
    }

    /// What was lost in a window, by node, stage and reason, the greatest first.
    pub async fn losses(&self, dataset: &str, window: Window) -> Result<Vec<LossRow>, StoreError> {
        let mut bounds = Vec::new();
        if window.from > Timestamp::MIN {
            bounds.push(format!("at >= {}", sql_text(&window.from.rfc3339())));
        }
        if window.to < Timestamp::MAX {
            bounds.push(format!("at < {}", sql_text(&window.to.rfc3339())));
        }
        let filter =
            if bounds.is_empty() { String::new() } else { format!("WHERE {}", bounds.join(" AND ")) };
        let sql = format!(
            "SELECT node, stage, reason, sum(count) AS count, min(at) AS first_at, max(at) AS last_at \
             FROM losses {filter} GROUP BY node, stage, reason ORDER BY count DESC, stage, reason, node"
        );
        let batches = self.query_batches(&sql, &Scope::new(dataset, &Viewer::owner())).await?;
        Ok(batches.iter().flat_map(loss_rows).collect())
    }

    /// Ends it: takes no more writes, makes files of the tail and gives the directory up. Queries that run go on.
    pub async fn close(&self) {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(writing) = writing else { return };
        let shared = self.shared.clone();
        let ended = tokio::task::spawn_blocking(move || end(writing, &shared, Nudge::Stop));
        if let Err(error) = ended.await {
            tracing::error!(%error, "a thread of the store panicked");
        }
        self.give_up();
    }

    fn give_up(&self) {
        let lock = self.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(lock) = lock {
            // Nothing depends on it: the lock tells.
            let _ = std::fs::remove_file(self.dir.join(OWNER));
            // Said, not left to the closing of the file: a child that another thread is starting holds a copy of it.
            let _ = lock.unlock();
        }
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writing) = writing {
            // The log keeps the tail. The lock must outlive the threads: they write to the directory.
            end(writing, &self.shared, Nudge::Quit);
            self.give_up();
        }
    }
}

fn end(writing: Writing, shared: &Shared, how: Nudge) {
    let Writing { orders, keeper, threads } = writing;
    shared.lock().closed = true;
    shared.flushed.notify_all();
    // An error means that it ended already.
    let _ = keeper.send(how);
    drop((orders, keeper));
    for thread in threads.into_iter().rev() {
        if thread.join().is_err() {
            tracing::error!("a thread of the store panicked");
        }
    }
}

fn check(header: &Header) -> Result<(), StoreError> {
    const NAME: usize = 200;
    let fits = |name: &str| !name.is_empty() && name.len() <= NAME && !name.chars().any(char::is_control);
    if !fits(&header.dataset) {
        return Err(StoreError::BadBatch(format!(
            "a data set's name is 1 to {NAME} bytes without control characters"
        )));
    }
    if !fits(&header.capture.id.0) {
        return Err(StoreError::BadBatch(format!(
            "a capture's id is 1 to {NAME} bytes without control characters"
        )));
    }
    Ok(())
}

fn take_lock(dir: &Path, path: &Path) -> Result<File, StoreError> {
    let open = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(path);
    let lock = open.map_err(|error| StoreError::write(dir, "cannot open", path, error))?;
    let start = Instant::now();
    loop {
        match lock.try_lock() {
            Ok(()) => return Ok(lock),
            // A process that only reads is soon gone; an owner is not.
            Err(TryLockError::WouldBlock) if lock.try_lock_shared().is_ok() => {
                let _ = lock.unlock();
                if start.elapsed() > READERS {
                    return Err(StoreError::Owned { dir: dir.to_owned(), owner: None });
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            Err(TryLockError::WouldBlock) => return Err(owned(dir)),
            Err(TryLockError::Error(error)) => return Err(StoreError::io("cannot lock", path, error)),
        }
    }
}

fn owned(dir: &Path) -> StoreError {
    let owner = std::fs::read(dir.join(OWNER)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    StoreError::Owned { dir: dir.to_owned(), owner }
}

/// The state that manifest and logs tell, and the number of the next log.
fn recover(dir: &Path, manifest: &Manifest) -> Result<(State, u64), StoreError> {
    let mut state = State::of(manifest, dir);
    let mut next = manifest.log_from;
    for (number, path) in log::list(dir)? {
        next = next.max(number + 1);
        if number < manifest.log_from {
            continue;
        }
        let cut = log::replay(&path, |header, columns| {
            if !state.has(&header) {
                state.publish(&header, columns);
            }
        })?;
        if cut > 0 {
            tracing::info!(
                log = number,
                bytes = cut,
                "the log ends in bytes that no acknowledgement followed"
            );
        }
    }
    Ok((state, next))
}

/// Removes what a crash left: files that no manifest names, and logs that it is past.
fn remove_orphans(disk: &Disk, dir: &Path, manifest: &Manifest) -> Result<(), StoreError> {
    let named = manifest.paths(dir);
    let mut dirs = vec![dir.join("files")];
    while let Some(inside) = dirs.pop() {
        let entries = match std::fs::read_dir(&inside) {
            Ok(entries) => entries,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(StoreError::io("cannot list", &inside, error)),
        };
        for entry in entries {
            let path = entry.map_err(|error| StoreError::io("cannot list", &inside, error))?.path();
            if path.is_dir() {
                dirs.push(path);
            } else if !named.contains(&path) {
                disk.remove(&path).map_err(|error| StoreError::io("cannot remove", &path, error))?;
            }
        }
    }
    for (number, path) in log::list(dir)? {
        if number < manifest.log_from {
            disk.remove(&path).map_err(|error| StoreError::io("cannot remove", &path, error))?;
        }
    }
    Ok(())
}

fn loss_rows(batch: &RecordBatch) -> Vec<LossRow> {
    use arrow::array::{Array, AsArray};
    use arrow::datatypes::{Int64Type, TimestampNanosecondType};
    let text = |column: usize| batch.column(column).as_string_view();
    let time = |column: usize| batch.column(column).as_primitive::<TimestampNanosecondType>();
    let (node, stage, reason) = (text(0), text(1), text(2));
    let (count, first, last) = (batch.column(3).as_primitive::<Int64Type>(), time(4), time(5));
    (0..batch.num_rows())
        .map(|row| LossRow {
            node: node.is_valid(row).then(|| node.value(row).to_owned()),
            stage: stage.value(row).to_owned(),
            reason: reason.value(row).to_owned(),
            count: u64::try_from(count.value(row)).unwrap_or(0),
            first_at: Timestamp::from_nanos(first.value(row)),
            last_at: Timestamp::from_nanos(last.value(row)),
        })
        .collect()
}

fn clock() -> Timestamp {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
}

async fn blocking<R: Send + 'static>(
    work: impl FnOnce() -> Result<R, StoreError> + Send + 'static,
) -> Result<R, StoreError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| Err(StoreError::Internal(format!("a worker panicked: {error}"))))
}
