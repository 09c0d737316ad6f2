//! Segments of one side that came before those in front of them.

use std::collections::VecDeque;

use wirewise_model::{Mark, Timestamp};

/// What a segment costs beside its bytes, so that tiny ones are bounded too.
const SEGMENT_OVERHEAD: usize = 64;

/// A stretch of a stream that waits.
#[derive(Debug)]
pub(crate) struct Segment {
    pub(crate) seq: u32,
    /// How long it was on the wire; `bytes` is shorter where a snap length cut it.
    pub(crate) wire: u32,
    pub(crate) bytes: Box<[u8]>,
    pub(crate) mark: Mark,
    /// What its sender had of the other side by then: the byte that it expected next, where that is known.
    pub(crate) answers: Option<u32>,
}

/// A segment as it comes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Incoming<'a> {
    pub(crate) seq: u32,
    /// How long it was on the wire.
    pub(crate) wire: u32,
    pub(crate) bytes: &'a [u8],
    pub(crate) mark: Mark,
    /// As [`Segment::answers`].
    pub(crate) answers: Option<u32>,
}

/// A hole in a stream, and what stands behind it.
#[derive(Debug)]
pub(crate) struct Reorder {
    /// In order, without overlaps, all beyond the next byte that is due.
    segments: VecDeque<Segment>,
    bytes: usize,
    /// When the hole in front opened.
    pub(crate) since: Timestamp,
    /// Packets of the flow that were heard since.
    pub(crate) packets: u32,
    /// Up to where the other end has acknowledged.
    pub(crate) acked: Option<u32>,
    /// Where FIN stands.
    pub(crate) fin: Option<(u32, Mark)>,
}

impl Reorder {
    pub(crate) fn new(since: Timestamp) -> Self {
        Self { segments: VecDeque::new(), bytes: 0, since, packets: 0, acked: None, fin: None }
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What it costs to hold.
    pub(crate) fn cost(&self) -> usize {
        self.bytes + self.segments.len() * SEGMENT_OVERHEAD
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.segments.is_empty()
    }

    pub(crate) fn front(&self) -> Option<&Segment> {
        self.segments.front()
    }

    /// Whether a segment stands behind `seq`.
    pub(crate) fn reaches_past(&self, seq: u32) -> bool {
        self.segments.back().is_some_and(|last| last.seq.wrapping_sub(seq) as i32 > 0)
    }

    /// The segment that begins at `next`.
    pub(crate) fn pop(&mut self, next: u32) -> Option<Segment> {
        if self.segments.front()?.seq != next {
            return None;
        }
        let segment = self.segments.pop_front()?;
        self.bytes -= segment.bytes.len();
        Some(segment)
    }

    /// Keeps those parts of a segment that were not heard yet: the first bytes win. Gives how many captured
    /// bytes were kept. `next` is the byte that is due; the segment begins there or later.
    pub(crate) fn insert(&mut self, next: u32, incoming: Incoming<'_>) -> usize {
        let Incoming { seq, wire, bytes, mark, answers } = incoming;
        let place = |seq: u32| u64::from(seq.wrapping_sub(next));
        let (start, before) = (place(seq), self.bytes);
        let (mut at, end) = (start, start + u64::from(wire));
        let mut index = self.segments.partition_point(|known| place(known.seq) + u64::from(known.wire) <= at);
        let part = |from: u64, to: u64| {
            let cut = |at: u64| ((at - start) as usize).min(bytes.len());
            Segment {
                seq: next.wrapping_add(from as u32),
                wire: (to - from) as u32,
                bytes: bytes[cut(from)..cut(to)].into(),
                mark,
                answers,
            }
        };
        while at < end {
            let known = self.segments.get(index).map(|known| (place(known.seq), u64::from(known.wire)));
            let (known_start, known_end) = known.map_or((end, end), |(from, wire)| (from, from + wire));
            if at < known_start {
                let segment = part(at, known_start.min(end));
                self.bytes += segment.bytes.len();
                self.segments.insert(index, segment);
                index += 1;
            }
            if known.is_none() {
                break;
            }
            (at, index) = (at.max(known_end), index + 1);
        }
        self.bytes - before
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_bytes_win_and_wrapped_numbers_sort() {
        let mut reorder = Reorder::new(Timestamp::default());
        let next = u32::MAX - 2;
        let mark = Mark::default();
        let mut put = |offset: u32, bytes: &[u8]| {
            let seq = next.wrapping_add(offset);
            reorder.insert(next, Incoming { seq, wire: bytes.len() as u32, bytes, mark, answers: None })
        };
        assert_eq!(put(6, b"GH"), 2);
        assert_eq!(put(2, b"CD"), 2);
        assert_eq!(put(0, b"abcdefghij"), 6);
        assert_eq!(put(0, b"xxxxxxxxxx"), 0);
        let mut text = Vec::new();
        let mut at = next;
        while let Some(segment) = reorder.pop(at) {
            at = at.wrapping_add(segment.wire);
            text.extend_from_slice(&segment.bytes);
        }
        assert_eq!((text.as_slice(), reorder.bytes(), reorder.is_empty()), (&b"abCDefGHij"[..], 0, true));
    }
}
