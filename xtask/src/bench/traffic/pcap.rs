//! The file: pcap with nanoseconds.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use anyhow::Result;

/// Time between two packets.
const STEP_NANOS: u64 = 5_000;
/// Where the clock of the capture begins.
const BEGIN_SECONDS: u64 = 1_700_000_000;

/// A capture that is being written.
pub(super) struct Pcap {
    file: BufWriter<File>,
    at: u64,
}

impl Pcap {
    pub(super) fn create(path: &Path) -> Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        // Magic of nanosecond resolution, version 2.4, no zone, snap length, Ethernet.
        for word in [0xa1b2_3c4du32, 0x0004_0002, 0, 0, 262_144, 1] {
            file.write_all(&word.to_le_bytes())?;
        }
        Ok(Self { file, at: 0 })
    }

    /// Milliseconds since the capture began, as the timestamps of TCP count them.
    pub(super) fn millis(&self) -> u32 {
        (self.at / 1_000_000) as u32
    }

    pub(super) fn frame(&mut self, bytes: &[u8]) -> Result<()> {
        self.at += STEP_NANOS;
        let (seconds, nanos) = (BEGIN_SECONDS + self.at / 1_000_000_000, self.at % 1_000_000_000);
        for word in [seconds as u32, nanos as u32, bytes.len() as u32, bytes.len() as u32] {
            self.file.write_all(&word.to_le_bytes())?;
        }
        Ok(self.file.write_all(bytes)?)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        Ok(self.file.flush()?)
    }
}
