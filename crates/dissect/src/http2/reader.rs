//! Where a side stands in its frames.

use std::ops::Range;

use wirewise_model::{Reason, Track};

use super::hpack::Decoder;
use super::parse::{Head, USUAL_FRAME, flag, kind};

/// After a loss, so many frames have to look as frames do in practice.
const PROBATION: u8 = 8;

/// Where a side stands.
pub(super) enum At {
    /// Nothing was heard yet.
    Start,
    /// Between frames.
    Frame,
    /// In the payload of a DATA frame.
    Data(Data),
    /// In the payload of a frame that has to be whole to be read.
    Gather(Box<Gathering>),
    /// In a payload that is passed over.
    Skip { left: u32, why: Option<Reason> },
    /// Out of step: looking for a frame.
    Lost,
}

/// A DATA frame that is being read.
#[derive(Clone, Copy)]
pub(super) struct Data {
    pub(super) stream: u32,
    /// Bytes of the payload to come.
    pub(super) left: u32,
    /// How many of them, at the end, are padding.
    padding: u32,
    /// The first byte will say how much padding there is.
    padded: bool,
    pub(super) ended: bool,
}

impl Data {
    pub(super) fn new(head: &Head) -> Self {
        Self {
            stream: head.stream,
            left: head.length,
            padding: 0,
            padded: head.has(flag::PADDED),
            ended: head.has(flag::END_STREAM),
        }
    }

    /// Takes what belongs to the frame from the front of `bytes`: which of them are content, and how many it took.
    pub(super) fn take(&mut self, bytes: &[u8]) -> (Range<usize>, usize) {
        let used = (self.left as usize).min(bytes.len());
        let mut from = 0;
        if self.padded && used > 0 {
            self.padded = false;
            self.padding = u32::from(bytes[0]);
            self.left -= 1;
            from = 1;
        }
        let content = (self.left.saturating_sub(self.padding) as usize).min(used - from);
        self.left -= (used - from) as u32;
        (from..from + content, used)
    }

    /// `lost` bytes of it will not come.
    pub(super) fn lose(&mut self, lost: u32) {
        self.left -= lost.min(self.left);
        self.padded &= lost == 0;
    }
}

/// A frame that is being gathered.
pub(super) struct Gathering {
    pub(super) head: Head,
    pub(super) bytes: Vec<u8>,
    pub(super) track: Track,
}

impl Gathering {
    pub(super) fn new(head: Head, track: Track) -> Self {
        Self { head, bytes: Vec::new(), track }
    }

    /// Bytes of the payload to come.
    pub(super) fn left(&self) -> usize {
        (self.head.length as usize).saturating_sub(self.bytes.len())
    }
}

/// A header block that goes on in CONTINUATION frames.
pub(super) struct Pieces {
    pub(super) stream: u32,
    pub(super) promised: Option<u32>,
    pub(super) bytes: Vec<u8>,
    pub(super) track: Track,
    pub(super) ended: bool,
    pub(super) frames: u32,
    /// It grew past its bound, and is passed over.
    pub(super) over: bool,
}

impl Pieces {
    /// The stream that the block is about.
    pub(super) fn subject(&self) -> u32 {
        self.promised.unwrap_or(self.stream)
    }

    /// Whether the frame of that head is its next piece.
    pub(super) fn go_on_in(&self, head: &Head) -> bool {
        head.kind == kind::CONTINUATION && head.stream == self.stream
    }
}

/// One side.
pub(super) struct Reader {
    pub(super) at: At,
    pub(super) hpack: Decoder,
    pub(super) pieces: Option<Box<Pieces>>,
    /// Bytes of a frame's head wait for the rest of it.
    pub(super) waiting: bool,
    /// The longest payload that the other side takes, where all of its settings were heard.
    frame_most: Option<u32>,
    /// The side was heard from its beginning, without a loss.
    pub(super) whole: bool,
    /// So many frames have to look as frames do in practice.
    probation: u8,
}

impl Reader {
    pub(super) fn new(header_bytes: u32) -> Self {
        Self {
            at: At::Start,
            hpack: Decoder::new(header_bytes),
            pieces: None,
            waiting: false,
            frame_most: None,
            whole: false,
            probation: 0,
        }
    }

    /// The side is heard from its beginning.
    pub(super) fn begin(&mut self) {
        self.at = At::Frame;
        self.whole = true;
    }

    /// It is out of step.
    pub(super) fn lose(&mut self) {
        self.at = At::Lost;
        self.whole = false;
        self.pieces = None;
        self.hpack.forget();
    }

    /// It is in step again.
    pub(super) fn found(&mut self) {
        self.at = At::Frame;
        self.probation = PROBATION;
    }

    /// Passes over `left` bytes; `why` where they would have meant something.
    pub(super) fn skip(&mut self, left: u32, why: Option<Reason>) {
        self.at = if left == 0 { At::Frame } else { At::Skip { left, why } };
    }

    /// The other side takes payloads of `most`. One that it took before may still be on its way.
    pub(super) fn allow_frame(&mut self, most: u32) {
        self.frame_most = Some(self.frame_most.unwrap_or(USUAL_FRAME).max(most));
    }

    /// What the other side takes may have been among bytes that were lost.
    pub(super) fn allow_any_frame(&mut self) {
        self.frame_most = None;
    }

    /// Whether a side that was out of step may go on with a frame of that head.
    pub(super) fn could_take(&self, head: &Head) -> bool {
        head.is_usual() && self.frame_most.is_none_or(|most| head.length <= most)
    }

    /// Whether a frame may have that head.
    pub(super) fn believes(&mut self, head: &Head) -> bool {
        let usual = head.is_usual();
        let on_probation = self.probation > 0;
        self.probation = self.probation.saturating_sub(1);
        head.is_lawful() && self.frame_most.is_none_or(|most| head.length <= most) && (usual || !on_probation)
    }
}
