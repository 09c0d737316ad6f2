//! What may leave a node: hides credentials and personal data in a call, and makes the only type that the
//! rest of the house accepts. Fails closed: what was not understood is not kept.

mod batch;
mod record;

pub use batch::{Batch, CaptureInfo, Loss, Open};
pub use record::{Attributed, FlowRecord, Heard, Payload, Record, RecordFields};
