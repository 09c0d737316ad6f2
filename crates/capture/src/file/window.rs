//! A bounded window onto a stream of bytes: what is parsed next lies in one piece, the rest is not in memory.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use sha2::{Digest, Sha256};

/// What the window holds at rest, and the most that one block may take. Large reads keep system calls rare.
pub(super) const WINDOW_BYTES: usize = 1 << 20;

/// Why a stream gave no more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// It ended.
    End,
    /// It ended within something (also: a gzip member without its end).
    Cut,
    /// What follows is not what the format says.
    Garbage(&'static str),
}

/// The file's own bytes: counted for progress, bounded to what was there at first, hashed in the first pass.
pub(super) struct Raw {
    file: File,
    left: u64,
    done: Arc<AtomicU64>,
    hash: Option<Sha256>,
}

impl Raw {
    pub(super) fn new(file: File, length: u64, done: Arc<AtomicU64>, hashed: bool) -> Self {
        Self { file, left: length, done, hash: hashed.then(Sha256::new) }
    }

    /// Reads what is left, and gives the digest in hexadecimal.
    pub(super) fn into_digest(mut self) -> io::Result<String> {
        let mut buffer = vec![0; WINDOW_BYTES];
        while self.read(&mut buffer)? > 0 {}
        Ok(hex::encode(self.hash.unwrap_or_default().finalize()))
    }
}

impl Read for Raw {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left).unwrap_or(usize::MAX).min(buffer.len());
        let count = self.file.read(&mut buffer[..most])?;
        self.left -= count as u64;
        self.done.fetch_add(count as u64, Ordering::Relaxed);
        if let Some(hash) = &mut self.hash {
            hash.update(&buffer[..count]);
        }
        Ok(count)
    }
}

/// The bytes of a capture, after decompression.
pub(super) enum Input {
    Plain(Raw),
    /// Boxed: a decoder is 300 bytes of state beside 64 KiB of window.
    Gzip(Box<flate2::bufread::MultiGzDecoder<io::BufReader<Raw>>>),
}

impl Input {
    pub(super) fn gzip(raw: Raw) -> Self {
        let buffered = io::BufReader::with_capacity(256 << 10, raw);
        Self::Gzip(Box::new(flate2::bufread::MultiGzDecoder::new(buffered)))
    }

    pub(super) fn into_raw(self) -> Raw {
        match self {
            Self::Plain(raw) => raw,
            Self::Gzip(decoder) => decoder.into_inner().into_inner(),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Plain(raw) => raw.read(buffer),
            Self::Gzip(decoder) => decoder.read(buffer),
        }
    }
}

/// The window. Bytes are looked at with [`Window::have`] and [`Window::bytes`], then consumed.
pub(super) struct Window {
    input: Input,
    buffer: Vec<u8>,
    start: usize,
    end: usize,
    /// Bytes consumed before `start`, of the decompressed stream.
    offset: u64,
    stopped: Option<Stop>,
}

impl Window {
    pub(super) fn new(input: Input) -> Self {
        Self { input, buffer: vec![0; WINDOW_BYTES], start: 0, end: 0, offset: 0, stopped: None }
    }

    pub(super) fn into_input(self) -> Input {
        self.input
    }

    /// Where `bytes()` begins in the decompressed stream.
    pub(super) fn offset(&self) -> u64 {
        self.offset
    }

    /// Whether nothing at all is left.
    pub(super) fn is_empty(&self) -> bool {
        self.start == self.end
    }

    /// What is there to be looked at.
    #[inline]
    pub(super) fn bytes(&self) -> &[u8] {
        &self.buffer[self.start..self.end]
    }

    /// Why there is no more, once [`Window::have`] said no.
    pub(super) fn stop(&self) -> Stop {
        match self.stopped {
            Some(Stop::Garbage(why)) => Stop::Garbage(why),
            Some(Stop::Cut) => Stop::Cut,
            Some(Stop::End) | None if self.is_empty() => Stop::End,
            Some(Stop::End) | None => Stop::Cut,
        }
    }

    /// Makes `count` bytes available (at most [`WINDOW_BYTES`]); false where the stream has fewer.
    #[inline]
    pub(super) fn have(&mut self, count: usize) -> io::Result<bool> {
        if self.end - self.start >= count {
            return Ok(true);
        }
        self.fill(count)
    }

    #[cold]
    fn fill(&mut self, count: usize) -> io::Result<bool> {
        debug_assert!(count <= WINDOW_BYTES, "callers bound what they ask for");
        if self.start + count > self.buffer.len() || self.is_empty() {
            self.buffer.copy_within(self.start..self.end, 0);
            self.end -= self.start;
            self.start = 0;
        }
        while self.end - self.start < count && self.stopped.is_none() {
            match self.input.read(&mut self.buffer[self.end..]) {
                Ok(0) => self.stopped = Some(Stop::End),
                Ok(count) => self.end += count,
                Err(error) => self.stopped = Some(stop_of(error)?),
            }
        }
        Ok(self.end - self.start >= count)
    }

    /// Consumes bytes that [`Window::have`] made available.
    #[inline]
    pub(super) fn consume(&mut self, count: usize) {
        debug_assert!(self.end - self.start >= count, "only what was looked at is consumed");
        self.start += count;
        self.offset += count as u64;
    }

    /// Passes over any number of bytes without keeping them; false where the stream has fewer.
    pub(super) fn skip(&mut self, mut count: u64) -> io::Result<bool> {
        while count > 0 {
            if !self.have(1)? {
                return Ok(false);
            }
            let step = usize::try_from(count).unwrap_or(usize::MAX).min(self.end - self.start);
            self.consume(step);
            count -= step as u64;
        }
        Ok(true)
    }
}

/// A decoder's complaint ends the capture where it stands; only a failing disk is an error.
fn stop_of(error: io::Error) -> io::Result<Stop> {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Ok(Stop::Cut),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => Ok(Stop::Garbage("gzip data is damaged")),
        _ => Err(error),
    }
}
