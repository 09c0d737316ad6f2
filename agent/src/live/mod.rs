//! Live capture on threads of its own: one hears, one dissects, one ships, one looks after names.
//!
//! | queue | holds | when it is full |
//! |---|---|---|
//! | hear -> dissect | `queued_chunks` chunks of frames | frames are dropped, `worker_queue_full` of capture |
//! | dissect -> ship | `queued_batches` batches | one more batch is filled, then dropped, `ship_queue_full` of calls |
//!
//! Rings are opened by [`Live::open`], as root where need be; bytes are parsed after [`Live::start`]. Between
//! the two the process becomes its caller.

mod hear;
mod names;
mod ship;
mod work;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use wirewise_capture::{InterfaceInfo, LiveSource, Netns};
use wirewise_identity::{NamesFile, ProcessWatcher};
use wirewise_model::{Books, CaptureId, Ledger, Limits, Reason, Stage, Timestamp};
use wirewise_redact::Key;

use crate::attribute::{Attributor, LocalAddresses};
use crate::batches::Batches;
use crate::{AgentError, Sink};

const WORKER_QUEUE_FULL: Reason = Reason::loss("worker_queue_full");
const STORE_REFUSED: Reason = Reason::loss("store_refused");

/// What becomes of what is captured.
#[derive(Clone, Debug)]
pub struct LiveOptions {
    /// The data set: `live`.
    pub dataset: String,
    /// The node's name.
    pub node: String,
    /// Names that the user gave.
    pub names: Option<NamesFile>,
    /// Bounds of the packet path.
    pub limits: Limits,
    /// Key of redaction's pseudonyms.
    pub key: Key,
    /// Whether owners of sockets are looked for under /proc.
    pub processes: bool,
    /// Chunks of frames, of 256 KiB and a frame at most, between hearing and dissecting.
    pub queued_chunks: usize,
    /// Batches between dissecting and shipping.
    pub queued_batches: usize,
}

impl LiveOptions {
    /// Capture into the data set `live`, with queues of 16 MiB of frames and of at least 16 seconds of batches.
    pub fn new(node: impl Into<String>, key: Key) -> Self {
        Self {
            dataset: "live".into(),
            node: node.into(),
            names: None,
            limits: Limits::default(),
            key,
            processes: true,
            queued_chunks: 64,
            queued_batches: 64,
        }
    }
}

/// Rings that are open, with nothing parsed yet.
pub struct Live {
    source: LiveSource,
    epoch: u64,
    netns: Vec<Netns>,
}

/// Opens the rings and starts.
pub fn live(
    capture: &wirewise_capture::LiveOptions,
    options: LiveOptions,
    sink: impl Sink + Send + 'static,
) -> Result<LiveHandle, AgentError> {
    Live::open(capture)?.start(options, sink)
}

/// How live capture stands.
#[derive(Clone, Debug, Default)]
pub struct LiveStatus {
    /// Interfaces that are heard.
    pub interfaces: Vec<InterfaceInfo>,
    /// The books, as of the last second.
    pub ledger: Ledger,
    /// Frames heard.
    pub frames: u64,
    /// Calls that are over.
    pub calls: u64,
    /// Flows that are over.
    pub flows: u64,
    /// Flows that are tracked.
    pub flows_tracked: usize,
    /// Rows of flows that found no room on their way to the store.
    pub flow_rows_lost: u64,
    /// How often the kernel's ring stood still.
    pub freezes: u64,
    /// When the last frame was heard.
    pub last_at: Option<Timestamp>,
    /// Protocols that panicked too often.
    pub switched_off: Vec<&'static str>,
    /// Why nothing is captured, or shipped, any more.
    pub error: Option<String>,
}

/// What the threads share. Each lock is held for a copy, never while something waits.
struct Shared {
    stop: AtomicBool,
    status: Mutex<LiveStatus>,
    /// Capture's books, written by the thread that hears.
    heard: Mutex<Books>,
    /// Calls that the store refused, or that could not be brought there.
    calls_refused: AtomicU64,
    local: LocalAddresses,
}

impl Shared {
    fn status(&self) -> MutexGuard<'_, LiveStatus> {
        lock(&self.status)
    }

    fn refused(&self, calls: u64) {
        self.calls_refused.fetch_add(calls, Ordering::Relaxed);
        // The thread that dissects may be gone by now, and nobody else tells.
        let mut status = self.status();
        if let Some(books) = status.ledger.stages.iter_mut().find(|books| books.stage == Stage::Calls) {
            books.passed_on = books.passed_on.saturating_sub(calls);
            books.drop(STORE_REFUSED, calls);
        }
    }

    fn fail(&self, what: &str, error: &dyn std::error::Error) {
        let mut text = format!("{what}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        tracing::error!(error = text, "live capture is not whole");
        self.status().error = Some(text);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp::from_nanos(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
}

impl Live {
    /// Opens the rings: all that needs privileges. See [`wirewise_capture::become_caller`].
    pub fn open(capture: &wirewise_capture::LiveOptions) -> Result<Self, AgentError> {
        let epoch = u64::try_from(now().nanos()).unwrap_or(0);
        Ok(Self { source: LiveSource::open(capture)?, epoch, netns: capture.netns.clone() })
    }

    /// Interfaces that will be heard.
    pub fn interfaces(&self) -> Vec<InterfaceInfo> {
        self.source.interfaces()
    }

    /// Starts the threads. The capture's id is `live-<node>-<epoch>`.
    pub fn start(
        self,
        options: LiveOptions,
        sink: impl Sink + Send + 'static,
    ) -> Result<LiveHandle, AgentError> {
        let Self { source, epoch, netns } = self;
        let capture = CaptureId(format!("live-{}-{epoch}", options.node));
        let local = Arc::new(Mutex::new(source.local_addresses().clone()));
        let shared = Arc::new(Shared {
            stop: AtomicBool::new(false),
            status: Mutex::new(LiveStatus { interfaces: source.interfaces(), ..LiveStatus::default() }),
            heard: Mutex::new(Books::new(Stage::Capture)),
            calls_refused: AtomicU64::new(0),
            local: Arc::clone(&local),
        });
        let (chunks, waiting_chunks) = sync_channel(options.queued_chunks.max(1));
        let (used_chunks, empty_chunks) = sync_channel(options.queued_chunks.max(1));
        let (parcels, waiting_parcels) = sync_channel(options.queued_batches.max(1));
        let (done, ended) = sync_channel::<()>(1);

        let watcher = || options.processes.then(|| watcher(&netns));
        let (mut used, scouting) = (watcher(), watcher());
        if let Some(watcher) = &mut used {
            names::look(watcher);
        }
        let (stale, waiting_stale) = sync_channel(1);
        let (fresh, waiting_fresh) = sync_channel(1);
        let attributor = Attributor::new(options.names, &options.limits, &options.key, capture.clone())
            .on_node(options.node.clone(), local, used);
        let worker = work::Worker::new(work::Setup {
            shared: Arc::clone(&shared),
            limits: options.limits,
            attributor,
            batches: Batches::new(options.dataset, capture.clone(), None, epoch),
            node: options.node,
            parcels,
            fresh: waiting_fresh,
            stale,
        });
        let threads = [
            spawn("hear", {
                let shared = Arc::clone(&shared);
                move || hear::run(source, &shared, &chunks, &empty_chunks)
            })?,
            spawn("dissect", move || worker.run(&waiting_chunks, &used_chunks))?,
            spawn("ship", {
                let shared = Arc::clone(&shared);
                move || {
                    ship::run(sink, &shared, &waiting_parcels);
                    done.send(()).ok();
                }
            })?,
            spawn("names", {
                let shared = Arc::clone(&shared);
                move || names::run(scouting, &shared, &fresh, &waiting_stale)
            })?,
        ];
        Ok(LiveHandle { capture, shared, threads: threads.into(), ended })
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, AgentError> {
    thread::Builder::new().name(format!("wirewise-{name}")).spawn(run).map_err(AgentError::Thread)
}

/// A look at owners of sockets. Where one namespace alone is heard, its loopback is meant by `127.0.0.1`.
fn watcher(netns: &[Netns]) -> ProcessWatcher {
    let mut watcher = ProcessWatcher::new("/proc");
    if let [netns] = netns {
        watcher.set_home(netns.inode().ok());
    }
    watcher
}

/// Live capture under way. Dropped, it stops without waiting.
pub struct LiveHandle {
    capture: CaptureId,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    ended: Receiver<()>,
}

/// What live capture did.
#[derive(Clone, Debug)]
pub struct LiveReport {
    /// The capture's id.
    pub capture: CaptureId,
    /// How it stood at the end.
    pub status: LiveStatus,
    /// Whether all that was heard before the stop was shipped, or counted as lost.
    pub drained: bool,
}

impl LiveHandle {
    /// The capture's id.
    pub fn capture_id(&self) -> &CaptureId {
        &self.capture
    }

    /// How it stands, as of the last second.
    pub fn status(&self) -> LiveStatus {
        self.shared.status().clone()
    }

    /// Whether it ended by itself, for the reason in the status.
    pub fn is_over(&self) -> bool {
        self.threads.iter().take(3).any(JoinHandle::is_finished)
    }

    /// Stops hearing, dissects and ships what is there, and says how it ended. Past the deadline it leaves the
    /// threads to themselves, and says that too.
    pub fn stop(mut self, deadline: Duration) -> LiveReport {
        self.shared.stop.store(true, Ordering::Relaxed);
        let drained = match self.ended.recv_timeout(deadline) {
            Ok(()) => true,
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => false,
        };
        if drained {
            for thread in self.threads.drain(..) {
                if thread.join().is_err() {
                    tracing::error!("a thread of live capture panicked");
                }
            }
        }
        LiveReport { capture: self.capture.clone(), status: self.status(), drained }
    }
}

impl Drop for LiveHandle {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
    }
}
