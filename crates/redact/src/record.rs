//! The first type that may leave a node: a call with names, without secrets. Only [`crate::Redactor`] makes
//! one, and [`Record::decode`] reads one back; everything that stores, embeds, logs, sends or shows takes it.

use std::ops::Deref;

use serde::{Deserialize, Serialize};
use wirewise_model::{
    Attribute, Call, CallId, CaptureId, Coverage, Endpoint, FlowId, FlowSummary, Frames, Kind, Note, Outcome,
    Peers, Source, Timestamp, Transport, Vantage,
};

/// A call with its names, before redaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Attributed {
    /// The call.
    pub call: Call,
    /// Who its ends are.
    pub peers: Peers,
    /// Where it was heard.
    pub heard: Heard,
}

/// Where something was heard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heard {
    /// The capture file, or the agent and its epoch.
    pub capture: CaptureId,
    /// The node, where one is known.
    pub node: Option<String>,
    /// Where along the way.
    pub vantage: Vantage,
}

/// One side's headers and body, scrubbed.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Payload {
    /// Header fields in wire order, keys in lower case.
    pub headers: Vec<(String, String)>,
    /// The body as text, where its type was understood and scrubbed; else nothing.
    pub body: Option<String>,
    /// Decoded length of the whole body.
    pub body_bytes: u64,
    /// Whether `body` is less than the whole.
    pub truncated: bool,
}

/// What the `calls` and `payloads` tables say of a call. Names are those of the columns.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordFields {
    /// `call_id`.
    pub id: CallId,
    /// `flow_id`.
    pub flow: FlowId,
    /// `capture_id`, `node`, `vantage`.
    pub heard: Heard,
    /// `exchange_key`.
    pub exchange_key: u64,
    /// `started_at`.
    pub started: Timestamp,
    /// `observed_until`.
    pub observed_until: Timestamp,
    /// `duration_ms`, in nanoseconds.
    pub duration_nanos: Option<u64>,
    /// `ttfb_ms`, in nanoseconds.
    pub ttfb_nanos: Option<u64>,
    /// `protocol`.
    pub protocol: String,
    /// `carrier`.
    pub carrier: String,
    /// The transport below it all.
    pub transport: Transport,
    /// `kind`.
    pub kind: Kind,
    /// `operation`.
    pub operation: String,
    /// `target`, scrubbed.
    pub target: String,
    /// `endpoint` where the protocol tells it, scrubbed; else it is the target with its ids masked.
    pub endpoint: Option<String>,
    /// `host`.
    pub host: Option<String>,
    /// `status`.
    pub status: Option<String>,
    /// `status_code`.
    pub status_code: Option<i64>,
    /// `outcome`.
    pub outcome: Outcome,
    /// `error`, scrubbed.
    pub error: Option<String>,
    /// `client_ip`, `client_port`.
    pub client: Endpoint,
    /// `server_ip`, `server_port`.
    pub server: Endpoint,
    /// `client_*` and `server_*` names.
    pub peers: Peers,
    /// `request_bytes`.
    pub request_bytes: u64,
    /// `response_bytes`.
    pub response_bytes: u64,
    /// `request_frames`.
    pub request_frames: Frames,
    /// `response_frames`.
    pub response_frames: Frames,
    /// `encrypted`.
    pub encrypted: bool,
    /// `source`.
    pub source: Source,
    /// `principal`: a pseudonym, never the name itself.
    pub principal: Option<String>,
    /// `trace_id`.
    pub trace_id: Option<String>,
    /// `span_id`.
    pub span_id: Option<String>,
    /// `parent_span_id`.
    pub parent_span_id: Option<String>,
    /// `redactions`: what was hidden and where, as `kind@place`.
    pub redactions: Vec<String>,
    /// `notes`.
    pub notes: Vec<Note>,
    /// `attributes`, scrubbed.
    pub attributes: Vec<Attribute>,
    /// Whether all of it was heard.
    pub coverage: Coverage,
    /// `revision`.
    pub revision: u32,
    /// The request's headers and body.
    pub request: Option<Payload>,
    /// The response's headers and body.
    pub response: Option<Payload>,
}

/// A redacted call. Read-only: its fields are reached through `Deref`, and nothing outside this crate can
/// make or change one.
#[derive(Clone, Debug, PartialEq)]
pub struct Record(RecordFields);

impl Deref for Record {
    type Target = RecordFields;

    fn deref(&self) -> &RecordFields {
        &self.0
    }
}

impl Record {
    pub(crate) fn seal(fields: RecordFields) -> Self {
        Self(fields)
    }

    /// For the wire between a process that dissects and the one that owns the store.
    pub fn encode(&self) -> Vec<u8> {
        postcard::to_stdvec(&self.0).expect("plain data with known lengths")
    }

    /// Reads what [`Record::encode`] wrote, by whoever redacted it.
    pub fn decode(bytes: &[u8]) -> Result<Self, postcard::Error> {
        postcard::from_bytes(bytes).map(Self)
    }
}

/// A flow as the `flows` table tells it. Holds nothing but counters, addresses, names and what TLS shows in
/// the clear.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowRecord {
    /// The flow.
    pub summary: FlowSummary,
    /// Who its ends are.
    pub peers: Peers,
    /// Where it was heard.
    pub heard: Heard,
}
