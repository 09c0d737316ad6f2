//! The one thread that writes the log. Appends that wait while it syncs go into the log together and share the next
//! sync; none returns before its own bytes are synced.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

use tokio::sync::{mpsc, oneshot};

use crate::error::StoreError;
use crate::keeper::Nudge;
use crate::log::{Buffers, Entry, Log};
use crate::manifest::Progress;
use crate::options::TailLimits;
use crate::state::Shared;

/// Appends that may wait; more wait with their callers.
pub(crate) const QUEUE: usize = 64;
/// Bytes that share a sync.
const GROUP: usize = 32 << 20;
/// How many times its limits the tail may be before appends wait for files.
const PATIENCE: usize = 4;

/// What the writer is asked to do.
pub(crate) enum Order {
    /// Write, sync, show. The answer says whether it was stored before.
    Append(Box<Entry>, oneshot::Sender<Result<bool, StoreError>>),
    /// End the log and freeze the tail.
    Freeze(std::sync::mpsc::Sender<FreezePoint>),
}

/// Where a freeze cut: what the files must hold, and from which log on they do not.
pub(crate) struct FreezePoint {
    pub(crate) log_from: u64,
    pub(crate) progress: BTreeMap<String, Arc<Progress>>,
}

/// The writer's own.
pub(crate) struct Writer {
    pub(crate) log: Log,
    pub(crate) shared: Arc<Shared>,
    pub(crate) orders: mpsc::Receiver<Order>,
    pub(crate) keeper: SyncSender<Nudge>,
    pub(crate) limits: TailLimits,
    pub(crate) dir: std::path::PathBuf,
    pub(crate) buffers: Arc<Buffers>,
}

type Waiting = (Box<Entry>, oneshot::Sender<Result<bool, StoreError>>);

impl Writer {
    /// Runs until nobody can give orders any more.
    pub(crate) fn run(mut self) {
        let mut kept = None;
        while let Some(order) = kept.take().or_else(|| self.orders.blocking_recv()) {
            match order {
                Order::Freeze(answer) => self.freeze(&answer),
                Order::Append(entry, answer) => {
                    let mut size = entry.bytes.len();
                    let mut group = vec![(entry, answer)];
                    while size < GROUP {
                        match self.orders.try_recv() {
                            Ok(Order::Append(entry, answer)) => {
                                size += entry.bytes.len();
                                group.push((entry, answer));
                            }
                            Ok(other) => {
                                kept = Some(other);
                                break;
                            }
                            Err(_) => break,
                        }
                    }
                    self.write(group);
                }
            }
        }
    }

    fn freeze(&mut self, answer: &std::sync::mpsc::Sender<FreezePoint>) {
        let log_from = self.log.rotate();
        let mut state = self.shared.lock();
        state.freeze();
        let progress = state.datasets.iter().map(|(name, dataset)| (name.clone(), dataset.progress.clone()));
        // Who asked is gone only when the store is being closed.
        let _ = answer.send(FreezePoint { log_from, progress: progress.collect() });
    }

    fn write(&mut self, group: Vec<Waiting>) {
        if let Err(full) = self.wait_for_room() {
            for (_, answer) in group {
                let _ = answer.send(Err(full()));
            }
            return;
        }
        let (mut new, mut old): (Vec<Waiting>, Vec<_>) = (Vec::new(), Vec::new());
        for (entry, answer) in group {
            let twin = |other: &Waiting| {
                let (header, known) = (&entry.header, &other.0.header);
                header.place.is_some()
                    && header.place == known.place
                    && header.dataset == known.dataset
                    && header.capture.id == known.capture.id
            };
            if self.shared.lock().has(&entry.header) || new.iter().any(twin) {
                old.push(answer);
            } else {
                new.push((entry, answer));
            }
        }
        let written = self.log.append(new.iter_mut().map(|(entry, _)| entry.bytes.as_mut_slice()));
        if let Err(error) = written {
            let text = error.to_string();
            tracing::error!(error = %text, "cannot write to the log");
            for answer in new.into_iter().map(|(_, answer)| answer).chain(old) {
                let _ = answer.send(Err(match &error {
                    StoreError::Full { dir } => StoreError::Full { dir: dir.clone() },
                    _ => StoreError::io(
                        "cannot write to the log in",
                        &self.dir,
                        std::io::Error::other(text.clone()),
                    ),
                }));
            }
            return;
        }
        let mut answers = Vec::with_capacity(new.len());
        let full = {
            let mut state = self.shared.lock();
            for (entry, answer) in new {
                let Entry { header, columns, bytes } = *entry;
                state.publish(&header, columns);
                self.buffers.give(bytes);
                answers.push(answer);
            }
            state.tail.rows >= self.limits.rows || state.tail.bytes >= self.limits.bytes
        };
        for answer in answers {
            let _ = answer.send(Ok(false));
        }
        for answer in old {
            let _ = answer.send(Ok(true));
        }
        if full {
            // A full queue means that it was nudged already.
            let _ = self.keeper.try_send(Nudge::Look);
        }
    }

    /// Waits until the tail has room. Where files cannot be written it has none until they can.
    fn wait_for_room(&self) -> Result<(), impl Fn() -> StoreError + use<>> {
        let dir = self.dir.clone();
        let mut state = self.shared.lock();
        loop {
            let (tail, frozen) = (state.tail, state.frozen);
            let rows = tail.rows + frozen.rows;
            let bytes = tail.bytes + frozen.bytes;
            let room = rows < self.limits.rows.saturating_mul(PATIENCE)
                && bytes < self.limits.bytes.saturating_mul(PATIENCE);
            if room || state.closed {
                return Ok(());
            }
            if state.flush_failed {
                return Err(move || StoreError::Full { dir: dir.clone() });
            }
            if frozen.rows == 0 {
                // A freeze is an order to this very thread: nobody can make room while it waits here.
                return Ok(());
            }
            state = self.shared.flushed.wait(state).unwrap_or_else(std::sync::PoisonError::into_inner);
        }
    }
}
