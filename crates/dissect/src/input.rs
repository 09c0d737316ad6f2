//! Bytes of one side with the marks that say where each came from.

use std::ops::Range;

use wirewise_model::{Mark, Side, Track};

/// The bytes of one side that were not consumed yet, contiguous, oldest first.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a> {
    /// Who sent them.
    pub side: Side,
    /// Where `bytes[0]` stands in this side's stream, counted from the first byte that was heard.
    pub offset: u64,
    /// The bytes.
    pub bytes: &'a [u8],
    /// Stream offsets at which a packet's bytes begin, ascending; the first is not after `offset`.
    marks: &'a [(u64, Mark)],
}

impl<'a> Input<'a> {
    /// Bytes of which `marks` tells where they came from: pairs of a stream offset and the packet whose bytes
    /// begin there, ascending.
    ///
    /// # Panics
    /// Where `marks` is empty: no byte comes from nowhere.
    pub fn new(side: Side, offset: u64, bytes: &'a [u8], marks: &'a [(u64, Mark)]) -> Self {
        assert!(!marks.is_empty(), "bytes come with marks");
        Self { side, offset, bytes, marks }
    }

    /// Where `bytes[index]` came from; for an index past the end, where the last byte did.
    pub fn mark(&self, index: usize) -> Mark {
        self.marks[self.position(self.offset + index as u64)].1
    }

    /// Begins a track at `bytes[index]`.
    pub fn begin(&self, index: usize) -> Track {
        Track::begin(self.offset + index as u64, self.mark(index))
    }

    /// Adds `range` of `bytes` to a track: its packets, its times, its length.
    pub fn cover(&self, track: &mut Track, range: Range<usize>) {
        if range.is_empty() {
            return;
        }
        let (from, to) = (self.offset + range.start as u64, self.offset + range.end as u64);
        for index in self.position(from)..self.marks.len() {
            let (begins, mark) = self.marks[index];
            if begins >= to {
                break;
            }
            let ends = self.marks.get(index + 1).map_or(to, |next| next.0.min(to));
            track.extend(mark, ends.saturating_sub(begins.max(from)));
        }
    }

    /// Where the packets of `range` of `bytes` begin in it, for bytes that are made of these: indices, ascending.
    pub fn marks_of(&self, range: Range<usize>) -> impl Iterator<Item = (usize, Mark)> + '_ {
        let (from, to) = (self.offset + range.start as u64, self.offset + range.end as u64);
        let marks = &self.marks[self.position(from)..];
        let inside = marks.iter().take_while(move |(begins, _)| *begins < to);
        inside.map(move |(begins, mark)| (begins.saturating_sub(from) as usize, *mark))
    }

    /// The same without its first `count` bytes.
    pub fn skip(self, count: usize) -> Self {
        let count = count.min(self.bytes.len());
        Self { offset: self.offset + count as u64, bytes: &self.bytes[count..], ..self }
    }

    fn position(&self, offset: u64) -> usize {
        match self.marks {
            [_] => 0,
            marks => marks.partition_point(|(begins, _)| *begins <= offset).saturating_sub(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use wirewise_model::{PacketNumber, Timestamp};

    use super::*;

    #[test]
    fn a_track_names_just_the_packets_that_brought_its_bytes() {
        let mark = |packet: u64| Mark {
            at: Timestamp::from_nanos(packet as i64 * 10),
            packet: PacketNumber(packet),
        };
        let marks = [(100, mark(1)), (104, mark(2)), (110, mark(5))];
        let input = Input::new(Side::A, 102, b"0123456789", &marks);
        assert_eq!(input.mark(1), mark(1));
        assert_eq!(input.mark(2), mark(2));
        let mut track = input.begin(1);
        input.cover(&mut track, 1..9);
        assert_eq!((track.offset, track.first, track.last, track.bytes), (103, mark(1), mark(5), 8));
        assert_eq!(input.marks_of(1..9).collect::<Vec<_>>(), [(0, mark(1)), (1, mark(2)), (7, mark(5))]);
        let mut rest = input.skip(8).begin(0);
        input.skip(8).cover(&mut rest, 0..2);
        assert_eq!((rest.offset, rest.first, rest.bytes), (110, mark(5), 2));
    }
}
