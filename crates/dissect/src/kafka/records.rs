//! Counts records by the heads of their batches, as the bytes come. Records are never decoded.
//!
//! Message format 2 (KIP-98) says in each batch's head how many are in it. In formats 0 and 1 each entry is
//! one message, or one compressed set of which only the set is counted.

/// Offset, length, leader epoch, magic: how much tells the format.
const MAGIC_AT: usize = 16;
/// A batch's head in format 2 up to and with the count of its records.
const HEAD: usize = 61;
const LENGTH_AT: usize = 8;
const COUNT_AT: usize = 57;
/// What the length counts of a batch without records, and of a message without key and value.
const SHORTEST_BATCH: u32 = 49;
const SHORTEST_MESSAGE: u32 = 14;
/// Offset and length, which the length does not count.
const UNCOUNTED: u64 = 12;

/// Where the counting stands in one run of batches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Records {
    /// Bytes that are still to come.
    pub(super) left: u64,
    /// So many of them belong to a batch whose head was read.
    skip: u64,
    /// Records counted in this run.
    pub(super) count: u64,
}

impl Records {
    pub(super) fn new(length: u64) -> Self {
        Self { left: length, ..Self::default() }
    }

    /// Reads what it can; returns how much. Less than all of `bytes` means that a head is not whole yet, or
    /// that the run ends.
    pub(super) fn read(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while self.left > 0 {
            let rest = bytes.get(at..).unwrap_or_default();
            let skip = self.skip.min(self.left).min(rest.len() as u64);
            if skip > 0 {
                self.skip -= skip;
                self.left -= skip;
                at += skip as usize;
                continue;
            }
            if rest.is_empty() {
                break;
            }
            if self.left <= MAGIC_AT as u64 {
                // Brokers cut the last batch where the answer is full.
                self.skip = self.left;
                continue;
            }
            let Some(&magic) = rest.get(MAGIC_AT) else { break };
            let length = int32(rest, LENGTH_AT);
            let whole = UNCOUNTED + u64::from(length);
            if magic > 2
                || length < if magic == 2 { SHORTEST_BATCH } else { SHORTEST_MESSAGE }
                || whole > self.left
            {
                // The last batch, cut, or something that is none: no consumer would read it.
                self.skip = self.left;
                continue;
            }
            if magic == 2 {
                let Some(head) = rest.get(..HEAD) else { break };
                self.count += u64::from(int32(head, COUNT_AT));
            } else {
                self.count += 1;
            }
            self.skip = whole;
        }
        at
    }
}

/// A number that cannot be negative; one that is counts as none.
fn int32(bytes: &[u8], at: usize) -> u32 {
    let four = bytes.get(at..at + 4).and_then(|four| <[u8; 4]>::try_from(four).ok());
    four.map_or(0, |four| u32::try_from(i32::from_be_bytes(four)).unwrap_or(0))
}
