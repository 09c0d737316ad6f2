//! The thread that dissects: frames in, batches and the overlay out. Never waits for the store.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError};
use std::time::{Duration, Instant};

use wirewise_identity::ProcessWatcher;
use wirewise_model::{Ledger, Limits, Stage};
use wirewise_pipeline::{NOT_SHIPPED, Output, Pipeline};
use wirewise_redact::{Batch, Open};

use super::{STORE_REFUSED, Shared, lock, now};
use crate::attribute::Attributor;
use crate::batches::Batches;
use crate::chunk::Chunk;
use crate::losses::Losses;

/// The oldest row of a batch waits this long, so that it is visible within a second.
const BATCH_EVERY: Duration = Duration::from_millis(250);
const OVERLAY_EVERY: Duration = Duration::from_secs(1);
/// What is under way for less is not shown.
const OPEN_AFTER: Duration = Duration::from_secs(1);
/// Rows of the overlay, calls and flows each; more are left out.
const MAX_OPEN: usize = 2_000;
/// How far the clock stays behind when nothing is heard: the kernel holds a block back for 10 ms, and a busy
/// machine longer.
const CLOCK_LAG: Duration = Duration::from_millis(500);
/// How long the last batches wait for room.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// What goes to the thread that ships.
pub(super) enum Parcel {
    Batch(Box<Batch>),
    Overlay(Open),
}

/// What a worker is made of.
pub(super) struct Setup {
    pub(super) shared: Arc<Shared>,
    pub(super) limits: Limits,
    pub(super) attributor: Attributor,
    pub(super) batches: Batches,
    pub(super) node: String,
    pub(super) parcels: SyncSender<Parcel>,
    /// Watchers that have just looked, and those that they replace.
    pub(super) fresh: Receiver<ProcessWatcher>,
    pub(super) stale: SyncSender<ProcessWatcher>,
}

pub(super) struct Worker {
    setup: Setup,
    pipeline: Pipeline,
    output: Output,
    losses: Losses,
    calls: u64,
    flows: u64,
    calls_lost: u64,
    flows_lost: u64,
    /// Whether the overlay that was shipped last has rows.
    overlaid: bool,
}

impl Worker {
    pub(super) fn new(setup: Setup) -> Self {
        let pipeline = Pipeline::new(setup.limits.clone(), setup.batches.info.id.clone());
        Self {
            setup,
            pipeline,
            output: Output::default(),
            losses: Losses::default(),
            calls: 0,
            flows: 0,
            calls_lost: 0,
            flows_lost: 0,
            overlaid: false,
        }
    }

    /// Dissects until the thread that hears is gone, then finishes.
    pub(super) fn run(mut self, chunks: &Receiver<Chunk>, used: &SyncSender<Chunk>) {
        let (mut next_batch, mut next_overlay) =
            (Instant::now() + BATCH_EVERY, Instant::now() + OVERLAY_EVERY);
        loop {
            match chunks.recv_timeout(BATCH_EVERY.min(next_batch.saturating_duration_since(Instant::now()))) {
                Ok(mut chunk) => {
                    for frame in chunk.frames() {
                        self.setup.batches.heard(frame.at);
                        self.pipeline.push(&frame, &mut self.output);
                    }
                    chunk.clear();
                    used.try_send(chunk).ok();
                }
                Err(RecvTimeoutError::Timeout) => {
                    self.pipeline.tick(now().before(CLOCK_LAG), &mut self.output)
                }
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if let Ok(fresh) = self.setup.fresh.try_recv() {
                self.setup.stale.try_send(self.setup.attributor.swap_processes(fresh)).ok();
            }
            self.collect();
            let clock = Instant::now();
            if clock >= next_overlay {
                next_overlay = clock + OVERLAY_EVERY;
                self.tell();
                self.overlay();
            }
            if clock >= next_batch {
                next_batch = clock + BATCH_EVERY;
                self.ship_batch();
            }
        }
        self.finish();
    }

    /// Names and redacts what came out, and ships what is full.
    fn collect(&mut self) {
        let mut output = std::mem::take(&mut self.output);
        for call in output.calls.drain(..) {
            self.calls += 1;
            self.setup.attributor.learn(&call);
            let record = self.setup.attributor.record(call);
            self.setup.batches.call(record);
            if self.setup.batches.is_full() {
                self.ship_batch();
            }
        }
        for flow in output.flows.drain(..) {
            self.flows += 1;
            let record = self.setup.attributor.flow(flow);
            self.setup.batches.flow(record);
            if self.setup.batches.is_full() {
                self.ship_batch();
            }
        }
        self.output = output;
    }

    /// Ships what there is. Where there is no room, a batch goes on being filled until it is full.
    fn ship_batch(&mut self) {
        if self.setup.batches.is_empty() {
            return;
        }
        let batch = self.setup.batches.take();
        match self.setup.parcels.try_send(Parcel::Batch(Box::new(batch))) {
            Ok(()) => {}
            Err(TrySendError::Full(Parcel::Batch(batch))) if !Batches::fills(&batch) => {
                self.setup.batches.restore(*batch);
            }
            Err(TrySendError::Full(parcel) | TrySendError::Disconnected(parcel)) => self.lost(parcel),
        }
    }

    /// No room: the rows are counted, what was told of losses is told again, the number is used again.
    fn lost(&mut self, parcel: Parcel) {
        let Parcel::Batch(batch) = parcel else { return };
        self.calls_lost += batch.calls.len() as u64;
        self.flows_lost += batch.flows.len() as u64;
        self.setup.batches.losses(batch.losses);
        self.setup.batches.sequence = batch.sequence;
    }

    /// Books and status, once a second; what was lost since becomes rows.
    fn tell(&mut self) {
        let ledger = self.ledger();
        let losses = self.losses.since(&ledger, now(), Some(&self.setup.node));
        self.setup.batches.losses(losses);
        let mut status = self.setup.shared.status();
        status.ledger = ledger;
        status.frames = self.setup.batches.info.frames;
        status.calls = self.calls;
        status.flows = self.flows;
        status.flows_tracked = self.pipeline.flows_tracked();
        status.flow_rows_lost = self.flows_lost;
        status.last_at = self.setup.batches.info.last_at;
        status.switched_off = self.pipeline.switched_off();
    }

    fn ledger(&self) -> Ledger {
        let mut ledger = self.pipeline.ledger();
        if let Some(calls) = ledger.stages.iter_mut().find(|books| books.stage == Stage::Calls) {
            let refused = self.setup.shared.calls_refused.load(Ordering::Relaxed);
            calls.passed_on = calls.passed_on.saturating_sub(self.calls_lost + refused);
            calls.drop(NOT_SHIPPED, self.calls_lost);
            calls.drop(STORE_REFUSED, refused);
        }
        ledger.add(&lock(&self.setup.shared.heard));
        ledger
    }

    fn overlay(&mut self) {
        let underway = self.pipeline.open(now(), OPEN_AFTER, MAX_OPEN);
        let attributor = &mut self.setup.attributor;
        let open = Open {
            calls: underway.calls.into_iter().map(|call| attributor.record(call)).collect(),
            flows: underway.flows.into_iter().map(|flow| attributor.flow(flow)).collect(),
        };
        let has_rows = !open.calls.is_empty() || !open.flows.is_empty();
        if !has_rows && !self.overlaid {
            return;
        }
        // Where there is no room the next one, a second later, replaces it anyway.
        if self.setup.parcels.try_send(Parcel::Overlay(open)).is_ok() {
            self.overlaid = has_rows;
        }
    }

    fn finish(mut self) {
        self.pipeline.finish(&mut self.output);
        self.collect();
        self.tell();
        let mut parcels = vec![Parcel::Overlay(Open::default())];
        self.setup.batches.info.complete = true;
        parcels.push(Parcel::Batch(Box::new(self.setup.batches.take())));
        let deadline = Instant::now() + LAST_WAIT;
        for parcel in parcels {
            let mut waiting = Some(parcel);
            while let Some(parcel) = waiting.take() {
                match self.setup.parcels.try_send(parcel) {
                    Ok(()) => {}
                    Err(TrySendError::Full(parcel)) if Instant::now() < deadline => {
                        waiting = Some(parcel);
                        std::thread::park_timeout(Duration::from_millis(20));
                    }
                    Err(TrySendError::Full(parcel) | TrySendError::Disconnected(parcel)) => self.lost(parcel),
                }
            }
        }
        self.tell();
    }
}
