//! What can end an import, or keep live capture from starting.

use wirewise_capture::CaptureError;

use crate::ShipError;

/// Why nothing more is captured or imported.
#[derive(Debug, thiserror::Error)]
pub enum AgentError {
    /// Frames cannot be had. The cause says what to do, so it is shown itself.
    #[error(transparent)]
    Capture(#[from] CaptureError),
    /// Rows cannot be handed on.
    #[error("cannot hand on what was dissected")]
    Ship(#[from] ShipError),
    /// A thread could not be started.
    #[error("cannot start a thread")]
    Thread(#[source] std::io::Error),
}
