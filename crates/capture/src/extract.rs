//! Some packets of an imported file again, by their numbers: the evidence behind a call.

use std::collections::BTreeSet;
use std::path::Path;

use wirewise_model::{CaptureId, Direction, Frame, InterfaceId, LinkType, PacketNumber, Timestamp};

use crate::file::{capture_id, digest_of};
use crate::{CaptureError, FileSource, FrameSource};

/// A frame that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedFrame {
    /// When it was heard.
    pub at: Timestamp,
    /// Where.
    pub interface: InterfaceId,
    /// Its number in the capture.
    pub number: PacketNumber,
    /// What its first header is.
    pub link: LinkType,
    /// Which way it went.
    pub direction: Direction,
    /// What was kept of it.
    pub bytes: Vec<u8>,
    /// How long it was on the wire.
    pub original_len: u32,
}

impl OwnedFrame {
    /// The same frame, borrowed.
    pub fn as_frame(&self) -> Frame<'_> {
        Frame {
            at: self.at,
            interface: self.interface,
            number: self.number,
            link: self.link,
            direction: self.direction,
            bytes: &self.bytes,
            original_len: self.original_len,
        }
    }
}

impl From<Frame<'_>> for OwnedFrame {
    fn from(frame: Frame<'_>) -> Self {
        Self {
            at: frame.at,
            interface: frame.interface,
            number: frame.number,
            link: frame.link,
            direction: frame.direction,
            bytes: frame.bytes.to_vec(),
            original_len: frame.original_len,
        }
    }
}

/// Reads the packets of these numbers from the file that was imported as `expected`, in file order. Fails
/// where the file is gone, or is another one by now.
pub fn extract(
    path: &Path,
    expected: &CaptureId,
    numbers: &[PacketNumber],
) -> Result<Vec<OwnedFrame>, CaptureError> {
    let found = capture_id(&digest_of(path)?);
    if found != *expected {
        return Err(CaptureError::Changed {
            path: path.to_owned(),
            expected: expected.0.clone(),
            found: found.0,
        });
    }
    let wanted: BTreeSet<PacketNumber> = numbers.iter().copied().collect();
    let Some(&last) = wanted.last() else { return Ok(Vec::new()) };
    let mut frames = Vec::with_capacity(wanted.len());
    let mut source = FileSource::open(path)?;
    while let Some(frame) = source.next()? {
        if frame.number > last {
            break;
        }
        if wanted.contains(&frame.number) {
            frames.push(OwnedFrame::from(frame));
        }
    }
    Ok(frames)
}
