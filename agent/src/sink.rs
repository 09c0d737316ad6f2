//! Where batches go: a store in this process, or the process that owns it.

use wirewise_redact::{Batch, Open};

/// Takes what was dissected. It may be slow: an import waits for it, live capture counts what it has no room
/// for.
pub trait Sink {
    /// Takes a batch; when this returns without an error, the batch is stored for good.
    fn ship(&mut self, batch: Batch) -> Result<(), ShipError>;

    /// Replaces what is under way. Nothing is lost where it is ignored.
    fn overlay(&mut self, open: Open);
}

type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a batch was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ShipError {
    /// Not now: the same batch may be shipped again.
    #[error("the store cannot be reached")]
    Later {
        /// The batch, as it was, so that nobody need keep a copy. Boxed: errors are small.
        batch: Box<Batch>,
        /// Why.
        source: Cause,
    },
    /// Never: shipping it again would be refused again.
    #[error("the store refuses what was dissected")]
    Refused(#[source] Cause),
}
