//! What a node ships: redacted rows with the place of the batch in its sender's sequence.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use wirewise_model::{CaptureId, Timestamp};

use crate::{FlowRecord, Record, RecordFields};

/// What is known of a capture: one file, or one run of an agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CaptureInfo {
    /// Its id: the digest of a file, or the agent and its epoch.
    pub id: CaptureId,
    /// Where it was read from; `None` for live capture.
    pub path: Option<String>,
    /// Frames heard so far.
    pub frames: u64,
    /// First frame's time.
    pub first_at: Option<Timestamp>,
    /// Last frame's time.
    pub last_at: Option<Timestamp>,
    /// Whether all of it has been shipped. A complete capture is never shipped again.
    pub complete: bool,
}

/// Something that was not seen, or not kept: one line of the `losses` table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Loss {
    /// When it was noticed, by the capture's clock.
    pub at: Timestamp,
    /// Where.
    pub node: Option<String>,
    /// Which stage of the ledger.
    pub stage: Cow<'static, str>,
    /// Why.
    pub reason: Cow<'static, str>,
    /// How many of the stage's unit, since the last line of the same reason.
    pub count: u64,
}

/// A batch of rows. (`dataset`, `capture.id`, `epoch`, `sequence`) names it: shipped twice, it is stored once.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    /// The data set that it belongs to.
    pub dataset: String,
    /// Where it was heard.
    pub capture: CaptureInfo,
    /// Changes when the sender starts anew, or dissects in another way.
    pub epoch: u64,
    /// 0, 1, 2 ... within the epoch.
    pub sequence: u64,
    /// Calls that are over.
    pub calls: Vec<Record>,
    /// Flows that are over.
    pub flows: Vec<FlowRecord>,
    /// What was lost since the last batch.
    pub losses: Vec<Loss>,
}

/// What is under way at one moment: replaces what was said before, is never stored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Open {
    /// Calls without an end, outcome `open`.
    pub calls: Vec<Record>,
    /// Flows without an end.
    pub flows: Vec<FlowRecord>,
}

#[derive(Serialize, Deserialize)]
struct Encoded<'a> {
    dataset: Cow<'a, str>,
    capture: CaptureInfo,
    epoch: u64,
    sequence: u64,
    calls: Vec<RecordFields>,
    flows: Vec<FlowRecord>,
    losses: Vec<Loss>,
}

impl Batch {
    /// For the wire between a process that dissects and the one that owns the store.
    pub fn encode(&self) -> Vec<u8> {
        let encoded = Encoded {
            dataset: Cow::Borrowed(&self.dataset),
            capture: self.capture.clone(),
            epoch: self.epoch,
            sequence: self.sequence,
            calls: self.calls.iter().map(|call| (**call).clone()).collect(),
            flows: self.flows.clone(),
            losses: self.losses.clone(),
        };
        postcard::to_stdvec(&encoded).expect("plain data with known lengths")
    }

    /// Reads what [`Batch::encode`] wrote.
    pub fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        let encoded: Encoded<'static> = postcard::from_bytes(bytes)?;
        Ok(Self {
            dataset: encoded.dataset.into_owned(),
            capture: encoded.capture,
            epoch: encoded.epoch,
            sequence: encoded.sequence,
            calls: encoded.calls.into_iter().map(Record::seal).collect(),
            flows: encoded.flows,
            losses: encoded.losses,
        })
    }
}
