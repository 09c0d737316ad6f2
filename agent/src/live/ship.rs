//! The thread that ships: the only one that may wait for the store.

use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::Duration;

use super::Shared;
use super::work::Parcel;
use crate::{ShipError, Sink};

/// How long to wait before a batch is shipped again.
const AGAIN_AFTER: Duration = Duration::from_millis(500);
/// How often it is tried once capture was told to stop.
const LAST_TRIES: u32 = 4;

/// Ships until the thread that dissects is gone and its queue is empty.
pub(super) fn run(mut sink: impl Sink, shared: &Shared, parcels: &Receiver<Parcel>) {
    for parcel in parcels {
        let batch = match parcel {
            Parcel::Overlay(open) => {
                sink.overlay(open);
                continue;
            }
            Parcel::Batch(batch) => *batch,
        };
        let mut next = Some(batch);
        let mut last_tries = LAST_TRIES;
        while let Some(batch) = next.take() {
            let rows = batch.calls.len();
            match sink.ship(batch) {
                Ok(()) => {}
                Err(ShipError::Later { batch, source }) if last_tries > 0 => {
                    tracing::warn!(error = %source, "the store cannot be reached, trying again");
                    if shared.stop.load(Ordering::Relaxed) {
                        last_tries -= 1;
                    }
                    next = Some(*batch);
                    std::thread::park_timeout(AGAIN_AFTER);
                }
                Err(error) => {
                    tracing::error!(calls = rows, "a batch was lost");
                    shared.refused(rows as u64);
                    shared.fail("cannot store what was dissected", &error);
                }
            }
        }
    }
}
