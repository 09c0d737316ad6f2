//! Rows become batches: full at a fixed number of rows or bytes, so that the same capture makes the same
//! batches, and shipping them again adds nothing.

use wirewise_model::{CaptureId, Timestamp};
use wirewise_redact::{Batch, CaptureInfo, FlowRecord, Loss, Payload, Record};

/// Rows of a batch, calls or flows.
const MAX_ROWS: usize = 4096;
/// Bytes of bodies and headers in a batch: a batch of large bodies has fewer rows.
const MAX_BYTES: usize = 8 << 20;

/// The batch that is being filled.
#[derive(Debug)]
pub(crate) struct Batches {
    dataset: String,
    epoch: u64,
    pub(crate) sequence: u64,
    pub(crate) info: CaptureInfo,
    calls: Vec<Record>,
    flows: Vec<FlowRecord>,
    losses: Vec<Loss>,
    bytes: usize,
}

impl Batches {
    pub(crate) fn new(dataset: String, id: CaptureId, path: Option<String>, epoch: u64) -> Self {
        let info = CaptureInfo { id, path, frames: 0, first_at: None, last_at: None, complete: false };
        Self {
            dataset,
            epoch,
            sequence: 0,
            info,
            calls: Vec::new(),
            flows: Vec::new(),
            losses: Vec::new(),
            bytes: 0,
        }
    }

    /// A frame of the capture went by.
    pub(crate) fn heard(&mut self, at: Timestamp) {
        self.info.frames += 1;
        self.info.first_at = Some(self.info.first_at.map_or(at, |first| first.min(at)));
        self.info.last_at = Some(self.info.last_at.map_or(at, |last| last.max(at)));
    }

    pub(crate) fn call(&mut self, record: Record) {
        self.bytes += record_bytes(&record);
        self.calls.push(record);
    }

    pub(crate) fn flow(&mut self, record: FlowRecord) {
        self.flows.push(record);
    }

    pub(crate) fn losses(&mut self, losses: Vec<Loss>) {
        self.losses.extend(losses);
    }

    pub(crate) fn is_full(&self) -> bool {
        is_full(self.calls.len(), self.flows.len(), self.bytes)
    }

    /// Whether a batch that was taken is full.
    pub(crate) fn fills(batch: &Batch) -> bool {
        is_full(batch.calls.len(), batch.flows.len(), bytes_of(&batch.calls))
    }

    /// Takes a batch back that was taken last, and goes on filling it.
    pub(crate) fn restore(&mut self, batch: Batch) {
        debug_assert!(self.is_empty(), "nothing came in since");
        self.bytes = bytes_of(&batch.calls);
        self.calls = batch.calls;
        self.flows = batch.flows;
        self.losses = batch.losses;
        self.sequence = batch.sequence;
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.calls.is_empty() && self.flows.is_empty() && self.losses.is_empty()
    }

    /// What was filled, with the next number of the sequence.
    pub(crate) fn take(&mut self) -> Batch {
        let batch = Batch {
            dataset: self.dataset.clone(),
            capture: self.info.clone(),
            epoch: self.epoch,
            sequence: self.sequence,
            calls: std::mem::take(&mut self.calls),
            flows: std::mem::take(&mut self.flows),
            losses: std::mem::take(&mut self.losses),
        };
        self.sequence += 1;
        self.bytes = 0;
        batch
    }
}

fn is_full(calls: usize, flows: usize, bytes: usize) -> bool {
    calls >= MAX_ROWS || flows >= MAX_ROWS || bytes >= MAX_BYTES
}

fn bytes_of(calls: &[Record]) -> usize {
    calls.iter().map(record_bytes).sum()
}

fn record_bytes(record: &Record) -> usize {
    payload_bytes(record.request.as_ref()) + payload_bytes(record.response.as_ref())
}

fn payload_bytes(payload: Option<&Payload>) -> usize {
    payload.map_or(0, |payload| {
        let headers: usize = payload.headers.iter().map(|(key, value)| key.len() + value.len()).sum();
        headers + payload.body.as_ref().map_or(0, String::len)
    })
}
