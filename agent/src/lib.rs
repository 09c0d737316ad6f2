//! Capture -> pipeline -> identity -> redact -> batches: what runs on every node, and what imports a file.
//!
//! [`import`] reads a file on the calling thread and drops nothing: a slow [`Sink`] makes it wait. [`Live`]
//! runs on plain threads of its own with bounded queues between them; nothing ever makes capture wait, and
//! what a full queue loses is counted in the ledger and told as a loss.

mod attribute;
mod batches;
mod chunk;
mod error;
mod import;
mod key;
mod live;
mod losses;
mod packets;
mod sink;

pub use error::AgentError;
pub use import::{ImportOptions, ImportReport, Progress, import};
pub use key::{KeyError, key_path, load_key};
pub use live::{Live, LiveHandle, LiveOptions, LiveReport, LiveStatus, live};
pub use packets::FlowPackets;
pub use sink::{ShipError, Sink};
