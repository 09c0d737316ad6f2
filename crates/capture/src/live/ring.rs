//! A TPACKET_V3 ring: blocks of frames in memory shared with the kernel
//! (Documentation/networking/packet_mmap.rst).
//!
//! The kernel fills a block and hands it over by its status word; a [`Block`] gives it back when it is
//! dropped. While a block is ours the kernel does not write to it, so it can be read as a plain slice.
#![allow(unsafe_code)]

use std::io;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::filter::Instruction;
use crate::sys;

/// Where `block_status` stands in `tpacket_block_desc`.
const STATUS_AT: usize = 8;
const OWNED_BY_USER: u32 = 1;
/// The kernel checks that it divides the block size; version 3 has no frames of fixed size.
const FRAME_BYTES: u32 = 2048;

/// How large a ring is, and how long a block may wait to be full.
#[derive(Clone, Copy, Debug)]
pub(super) struct Geometry {
    pub(super) blocks: u32,
    pub(super) block_bytes: u32,
    pub(super) retire_millis: u32,
}

/// A packet socket with its ring. It hears nothing until [`Ring::start`].
pub(super) struct Ring {
    socket: OwnedFd,
    memory: NonNull<u8>,
    geometry: Geometry,
    next: u32,
}

// SAFETY: the mapping belongs to this value alone, and is not bound to a thread.
unsafe impl Send for Ring {}

impl Ring {
    pub(super) fn new(geometry: Geometry) -> io::Result<Self> {
        // Protocol 0: not a frame is taken before the filter stands.
        let socket = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0)?;
        let version = libc::tpacket_versions::TPACKET_V3 as i32;
        sys::set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_VERSION, &version)?;
        let request = libc::tpacket_req3 {
            tp_block_size: geometry.block_bytes,
            tp_block_nr: geometry.blocks,
            tp_frame_size: FRAME_BYTES,
            tp_frame_nr: geometry.block_bytes / FRAME_BYTES * geometry.blocks,
            tp_retire_blk_tov: geometry.retire_millis,
            tp_sizeof_priv: 0,
            tp_feature_req_word: 0,
        };
        sys::set_option(socket.as_fd(), libc::SOL_PACKET, libc::PACKET_RX_RING, &request)?;
        let length = geometry.block_bytes as usize * geometry.blocks as usize;
        let (protection, flags) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED);
        // SAFETY: a new mapping of the socket's ring, whose length is that of the request.
        let memory =
            unsafe { libc::mmap(std::ptr::null_mut(), length, protection, flags, socket.as_raw_fd(), 0) };
        if memory == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let memory =
            NonNull::new(memory.cast()).ok_or_else(|| io::Error::other("the ring was mapped nowhere"))?;
        Ok(Self { socket, memory, geometry, next: 0 })
    }

    /// Sets or replaces the filter.
    pub(super) fn filter(&self, program: &[Instruction]) -> io::Result<()> {
        sys::attach_filter(self.socket.as_fd(), program)
    }

    /// From here on frames come.
    pub(super) fn start(&self) -> io::Result<()> {
        sys::bind_packet(self.socket.as_fd())
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// The next block, if the kernel has handed it over.
    pub(super) fn block(&mut self) -> Option<Block<'_>> {
        let length = self.geometry.block_bytes as usize;
        // SAFETY: `next` is below the number of blocks, so this lies within the mapping.
        let start = unsafe { self.memory.add(self.next as usize * length) };
        // SAFETY: the status word is aligned (blocks are pages) and shared with the kernel: hence atomic.
        let status = unsafe { AtomicU32::from_ptr(start.add(STATUS_AT).cast().as_ptr()) };
        if status.load(Ordering::Acquire) & OWNED_BY_USER == 0 {
            return None;
        }
        self.next = (self.next + 1) % self.geometry.blocks;
        // SAFETY: ours until the status word is given back, which `Block` does when it is dropped; it borrows
        // the ring mutably, so there is one block at a time. The status word itself is outside the slice.
        let bytes = unsafe { std::slice::from_raw_parts(start.as_ptr(), length) };
        let (_, bytes) = bytes.split_at(STATUS_AT + 4);
        Some(Block { bytes, status })
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        let length = self.geometry.block_bytes as usize * self.geometry.blocks as usize;
        // SAFETY: the mapping made in `new`, with its length; no block can be borrowed any more.
        unsafe { libc::munmap(self.memory.as_ptr().cast(), length) };
    }
}

/// A block that the kernel handed over, without its first twelve bytes.
pub(super) struct Block<'a> {
    bytes: &'a [u8],
    status: &'a AtomicU32,
}

impl Block<'_> {
    /// The bytes at an offset from the block's start.
    pub(super) fn from(&self, offset: usize) -> Option<&[u8]> {
        self.bytes.get(offset.checked_sub(STATUS_AT + 4)?..)
    }
}

impl Drop for Block<'_> {
    fn drop(&mut self) {
        self.status.store(0, Ordering::Release);
    }
}
