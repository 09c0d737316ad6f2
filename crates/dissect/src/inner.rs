//! A stream inside of another: bytes that were made of a side's bytes (decompressed, taken out of frames), and where
//! each of them came from.

use std::ops::Range;

use wirewise_model::{Mark, Side};

use crate::Input;

/// One side's inner bytes that wait to be read.
#[derive(Debug, Default)]
pub(crate) struct Inner {
    /// Where `bytes[0]` stands in the inner stream.
    offset: u64,
    bytes: Vec<u8>,
    marks: Vec<(u64, Mark)>,
}

impl Inner {
    /// Bytes that wait.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Appends what `make` makes of `used` bytes of `input`, which it adds to the vector that it is given; where it
    /// fails nothing is kept. Which packet brought which byte is lost in the making: in proportion is near enough, the
    /// first and the last are exact.
    pub(crate) fn append<E>(
        &mut self,
        input: Input<'_>,
        used: Range<usize>,
        make: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.bytes.is_empty() && self.offset == 0 {
            self.offset = input.offset;
        }
        let begins = self.bytes.len();
        if let Err(error) = make(&mut self.bytes) {
            self.bytes.truncate(begins);
            return Err(error);
        }
        let made = self.bytes.len() - begins;
        if made == 0 {
            return Ok(());
        }
        let place = |at: usize| self.offset + (begins + at.min(made - 1)) as u64;
        let length = used.len().max(1);
        let mut last = None;
        let mut marks = Vec::new();
        for (at, mark) in input.marks_of(used) {
            marks.push((place(at * made / length), mark));
            last = Some(mark);
        }
        marks.extend(last.map(|last| (place(made - 1), last)));
        self.marks.extend(marks);
        Ok(())
    }

    /// What waits, as a dissector reads it.
    pub(crate) fn input(&self, side: Side) -> Option<Input<'_>> {
        (!self.bytes.is_empty()).then(|| Input::new(side, self.offset, &self.bytes, &self.marks))
    }

    /// So many bytes were read. An emptied one gives its memory back.
    pub(crate) fn consume(&mut self, count: usize) {
        let count = count.min(self.bytes.len());
        self.offset += count as u64;
        if count == self.bytes.len() {
            self.bytes = Vec::new();
            self.marks = Vec::new();
        } else {
            self.bytes.drain(..count);
            let keep = self.marks.partition_point(|(begins, _)| *begins <= self.offset).saturating_sub(1);
            self.marks.drain(..keep);
        }
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self) {
        self.consume(self.bytes.len());
    }
}

#[cfg(test)]
mod tests {
    use wirewise_model::{PacketNumber, Timestamp};

    use super::*;

    #[test]
    fn inner_bytes_come_from_the_packets_of_the_outer() {
        let mark = |packet| Mark { at: Timestamp::from_nanos(packet as i64), packet: PacketNumber(packet) };
        let marks = [(50, mark(1)), (54, mark(2)), (58, mark(3))];
        let outer = Input::new(Side::A, 50, b"0123456789", &marks);
        let mut inner = Inner::default();
        let grow = |bytes: &mut Vec<u8>| {
            bytes.extend([b'x'; 100]);
            Ok::<_, ()>(())
        };
        assert_eq!(inner.append(outer, 0..10, grow), Ok(()));
        assert_eq!(inner.append(outer, 8..10, |_| Err(())), Err(()));
        let input = inner.input(Side::A).expect("bytes wait");
        let mut track = input.begin(0);
        input.cover(&mut track, 0..100);
        assert_eq!((track.offset, track.bytes, track.first, track.last), (50, 100, mark(1), mark(3)));
        assert_eq!(track.frames.numbers.len(), 3);
        inner.consume(60);
        assert_eq!((inner.len(), inner.input(Side::A).map(|input| input.mark(0))), (40, Some(mark(2))));
        inner.consume(40);
        assert!(inner.input(Side::A).is_none());
    }
}
