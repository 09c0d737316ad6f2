//! A window on a frame: what was captured of it, and how long it was on the wire.

use wirewise_model::Reason;

use crate::reasons::{CUT_SHORT, TOO_SHORT};

/// Bytes from `at` of a buffer on. `wire` is never less than what was captured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    pub(crate) at: usize,
    pub(crate) bytes: &'a [u8],
    pub(crate) wire: usize,
}

impl<'a> View<'a> {
    pub(crate) fn new(bytes: &'a [u8], wire: usize) -> Self {
        Self { at: 0, bytes, wire: wire.max(bytes.len()) }
    }

    /// `N` bytes at `offset`, or why they are not there.
    #[inline]
    pub(crate) fn array<const N: usize>(&self, offset: usize) -> Result<[u8; N], Reason> {
        let found = self.bytes.get(offset..).and_then(|rest| rest.first_chunk::<N>());
        match found {
            Some(bytes) => Ok(*bytes),
            None => Err(self.missing(offset.saturating_add(N))),
        }
    }

    #[inline]
    pub(crate) fn u8(&self, offset: usize) -> Result<u8, Reason> {
        self.array::<1>(offset).map(|[byte]| byte)
    }

    #[inline]
    pub(crate) fn u16(&self, offset: usize) -> Result<u16, Reason> {
        self.array(offset).map(u16::from_be_bytes)
    }

    #[inline]
    pub(crate) fn u32(&self, offset: usize) -> Result<u32, Reason> {
        self.array(offset).map(u32::from_be_bytes)
    }

    /// What follows the first `count` bytes, which must have been captured.
    #[inline]
    pub(crate) fn skip(&self, count: usize) -> Result<Self, Reason> {
        match self.bytes.get(count..) {
            Some(bytes) => Ok(Self { at: self.at + count, bytes, wire: self.wire - count }),
            None => Err(self.missing(count)),
        }
    }

    /// The same, ending after `count` bytes at most.
    #[inline]
    pub(crate) fn limit(&self, count: usize) -> Self {
        Self { bytes: &self.bytes[..count.min(self.bytes.len())], wire: self.wire.min(count), ..*self }
    }

    /// Why the first `count` bytes are not all here.
    #[inline]
    fn missing(&self, count: usize) -> Reason {
        if count <= self.wire { CUT_SHORT } else { TOO_SHORT }
    }
}
