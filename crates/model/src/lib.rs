//! The vocabulary that every other crate speaks: what a frame, a flow, a call and a workload are.
//!
//! Plain data and small pure functions. Nothing here knows sockets, files, clocks or threads: time is an
//! argument. A word stands here when two crates must agree on it; what only one crate needs stays there.

mod call;
mod flow;
mod frame;
mod id;
mod ledger;
mod limits;
mod protocol;
mod time;
mod viewer;
mod workload;

pub use call::{
    Attribute, Body, Call, Coverage, Exchange, Frames, Kind, Mark, Message, Note, Outcome, Redaction, Track,
    Value, Vantage,
};
pub use flow::{
    CertificateInfo, ClosedBy, Endpoint, FlowKey, FlowState, FlowSummary, Side, SideCounters, TlsInfo,
    Transport,
};
pub use frame::{Direction, Frame, InterfaceId, LinkType, PacketNumber, Source};
pub use id::{CallId, CaptureId, FlowId, IdError, stable_hash};
pub use ledger::{Books, Ledger, LedgerError, Reason, Stage, Unit};
pub use limits::Limits;
pub use protocol::PROTOCOLS;
pub use time::{Timestamp, Window};
pub use viewer::Viewer;
pub use workload::{NameSource, Peers, Workload};
