//! The thread that looks at who owns the host's sockets, off the packet path.
//!
//! There are two watchers: one is asked, while the other reads /proc; then they change places. So nobody ever
//! waits for a look, and nothing is shared.

use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::thread;
use std::time::{Duration, Instant};

use wirewise_identity::ProcessWatcher;

use super::Shared;

/// The least time between two looks. A client's socket that lives for less than this may be missed.
const LEAST_PAUSE: Duration = Duration::from_millis(250);
/// A pause is so many times as long as a look: looking takes 5% of a core at most.
const PAUSES_A_LOOK: u32 = 20;
/// How often the order to stop is looked for.
const STEP: Duration = Duration::from_millis(50);

/// Looks, hands the fresh watcher over, takes the stale one back, and so on until told to stop.
pub(super) fn run(
    mut scouting: Option<ProcessWatcher>,
    shared: &Shared,
    fresh: &SyncSender<ProcessWatcher>,
    stale: &Receiver<ProcessWatcher>,
) {
    let mut next = Instant::now() + LEAST_PAUSE;
    while !shared.stop.load(Ordering::Relaxed) {
        if let Some(mut watcher) = scouting.take_if(|_| Instant::now() >= next) {
            let started = Instant::now();
            look(&mut watcher);
            next = Instant::now() + LEAST_PAUSE.max(started.elapsed() * PAUSES_A_LOOK);
            if fresh.send(watcher).is_err() {
                return;
            }
        }
        if scouting.is_some() {
            thread::park_timeout(STEP);
            continue;
        }
        match stale.recv_timeout(STEP) {
            Ok(watcher) => scouting = Some(watcher),
            Err(RecvTimeoutError::Timeout) => {}
            // Nobody asks for owners, or the thread that did is gone.
            Err(RecvTimeoutError::Disconnected) => return,
        }
    }
}

/// A look whose failure costs names, and nothing else.
pub(super) fn look(watcher: &mut ProcessWatcher) {
    if let Err(error) = watcher.refresh() {
        tracing::warn!(%error, "owners of sockets cannot be read");
    }
}
