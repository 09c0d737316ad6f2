//! A message while its frames come: its head is kept and the rest counted; compressed ones are expanded, RFC 7692.

use flate2::{Decompress, FlushDecompress, Status};
use wirewise_model::{Body, Track};

use super::parse::Head;
use crate::http::BodyBounds;

/// Bytes expanded at a time.
const STEP: usize = 4096;
/// What a sender leaves off the end of each compressed message (7.2.2).
const TAIL: [u8; 4] = [0, 0, 0xff, 0xff];

/// A message that is being read.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) opcode: u8,
    pub(super) compressed: bool,
    pub(super) frames: u32,
    pub(super) track: Track,
    /// Bytes of it were lost, or its beginning was not heard.
    pub(super) holed: bool,
    pub(super) note: Option<&'static str>,
    wire: u64,
    decoded: u64,
    kept: Vec<u8>,
}

impl Message {
    pub(super) fn new(head: &Head, track: Track) -> Self {
        Self {
            opcode: head.opcode,
            compressed: head.compressed,
            frames: 0,
            track,
            holed: false,
            note: None,
            wire: 0,
            decoded: 0,
            kept: Vec::new(),
        }
    }

    /// Payload on the wire so far.
    pub(super) fn wire(&self) -> u64 {
        self.wire
    }

    /// `count` bytes of it will never be seen.
    pub(super) fn lose(&mut self, count: u64) {
        self.wire = self.wire.saturating_add(count);
        self.holed = true;
    }

    /// The next bytes, unmasked.
    pub(super) fn take(&mut self, bytes: &[u8], inflate: Option<&mut Inflate>, bounds: &BodyBounds) {
        self.wire = self.wire.saturating_add(bytes.len() as u64);
        match inflate {
            _ if self.holed || self.note.is_some() => {}
            Some(inflate) if self.compressed => self.expand(bytes, inflate, bounds),
            None | Some(_) if self.compressed => self.note = Some("undecodable"),
            None | Some(_) => self.keep(bytes, bounds),
        }
    }

    /// Its last frame has come.
    pub(super) fn finish(&mut self, inflate: Option<&mut Inflate>, bounds: &BodyBounds) {
        if let Some(inflate) = inflate.filter(|_| self.compressed && !self.holed && self.note.is_none()) {
            self.expand(&TAIL, inflate, bounds);
        }
    }

    /// What was kept of it.
    pub(super) fn body(self, whole: bool) -> Option<Body> {
        if self.wire == 0 {
            return None;
        }
        let truncated =
            self.holed || self.note.is_some() || !whole || (self.kept.len() as u64) < self.decoded;
        Some(Body { kept: self.kept, wire_bytes: self.wire, decoded_bytes: self.decoded, truncated })
    }

    fn keep(&mut self, bytes: &[u8], bounds: &BodyBounds) {
        self.decoded += bytes.len() as u64;
        let room = (bounds.kept as usize).saturating_sub(self.kept.len());
        self.kept.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
    }

    fn expand(&mut self, mut bytes: &[u8], inflate: &mut Inflate, bounds: &BodyBounds) {
        let grown =
            self.wire.saturating_mul(u64::from(bounds.decompressed_ratio)).max(u64::from(bounds.kept));
        let allowed = grown.min(u64::from(bounds.decompressed_bytes));
        let mut room = [0; STEP];
        loop {
            let (taken, made) = (inflate.state.total_in(), inflate.state.total_out());
            let Ok(status) = inflate.state.decompress(bytes, &mut room, FlushDecompress::Sync) else {
                self.note = Some("undecodable");
                break;
            };
            let taken = (inflate.state.total_in() - taken) as usize;
            let made = (inflate.state.total_out() - made) as usize;
            self.keep(room.get(..made).unwrap_or_default(), bounds);
            bytes = bytes.get(taken..).unwrap_or_default();
            if self.decoded > allowed {
                self.note = Some("decompression_limit");
                break;
            }
            if status == Status::StreamEnd || (taken == 0 && made == 0) || (bytes.is_empty() && made < STEP) {
                return;
            }
        }
        // The next message may refer to what was not expanded.
        inflate.broken = true;
    }
}

/// The decoder of one side. It is kept from message to message, since they refer to one another (7.1.1).
#[derive(Debug)]
pub(super) struct Inflate {
    state: Decompress,
    broken: bool,
}

impl Inflate {
    pub(super) fn new() -> Self {
        Self { state: Decompress::new(false), broken: false }
    }

    /// Whether what is still to come can be expanded.
    pub(super) fn stands(&self) -> bool {
        !self.broken
    }

    /// Bytes of a message were lost.
    pub(super) fn give_up(&mut self) {
        self.broken = true;
    }

    /// Every message stands for itself.
    pub(super) fn reset(&mut self) {
        self.state.reset(false);
        self.broken = false;
    }
}
