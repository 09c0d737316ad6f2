//! Where frames come from: capture files, and the kernel's AF_PACKET ring.
//!
//! Both hand over [`wirewise_model::Frame`]s that borrow from a buffer here, and keep the first page of the
//! ledger ([`wirewise_model::Stage::Capture`]): what was heard or lay in the file, against what was handed on.
//! Nothing here looks into a frame. Unsafe code stands in `sys` and `live::ring` alone, behind safe functions.

mod error;
mod extract;
mod file;
mod filter;
mod live;
mod privileges;
mod sys;
mod write;

pub use error::CaptureError;
pub use extract::{OwnedFrame, extract};
pub use file::{FileSource, MAX_FRAME_BYTES, NameRecord, capture_id};
pub use filter::{FilterError, check_filter};
pub use live::{Change, InterfaceInfo, LiveOptions, LiveSource, Netns};
pub use privileges::{Caller, Privileges, become_caller, caller};
pub use write::{write_pcapng, write_pcapng_file};

/// Something that frames can be read from, one after the other.
pub trait FrameSource {
    /// The next frame, or `None` at the end. The frame borrows from the source until the next call.
    fn next(&mut self) -> Result<Option<wirewise_model::Frame<'_>>, CaptureError>;

    /// The books so far; they balance after every call.
    fn books(&self) -> wirewise_model::Books;
}
