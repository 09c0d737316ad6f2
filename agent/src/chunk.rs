//! Frames on their way from the thread that hears to the one that dissects: copied once, many at a time.

use wirewise_model::{Direction, Frame, InterfaceId, LinkType, PacketNumber, Timestamp};

/// Bytes after which a chunk is handed on. One frame more may stand in it.
const FULL_BYTES: usize = 256 << 10;
/// Frames after which it is.
const FULL_FRAMES: usize = 2048;

#[derive(Clone, Copy, Debug)]
struct Head {
    at: Timestamp,
    number: PacketNumber,
    interface: InterfaceId,
    link: LinkType,
    direction: Direction,
    original_len: u32,
    end: usize,
}

/// Some frames with their bytes.
#[derive(Debug, Default)]
pub(crate) struct Chunk {
    heads: Vec<Head>,
    bytes: Vec<u8>,
}

impl Chunk {
    pub(crate) fn push(&mut self, frame: &Frame<'_>) {
        self.bytes.extend_from_slice(frame.bytes);
        self.heads.push(Head {
            at: frame.at,
            number: frame.number,
            interface: frame.interface,
            link: frame.link,
            direction: frame.direction,
            original_len: frame.original_len,
            end: self.bytes.len(),
        });
    }

    pub(crate) fn is_full(&self) -> bool {
        self.bytes.len() >= FULL_BYTES || self.heads.len() >= FULL_FRAMES
    }

    pub(crate) fn len(&self) -> usize {
        self.heads.len()
    }

    pub(crate) fn clear(&mut self) {
        self.heads.clear();
        self.bytes.clear();
    }

    pub(crate) fn frames(&self) -> impl Iterator<Item = Frame<'_>> {
        let mut start = 0;
        self.heads.iter().map(move |head| {
            let bytes = &self.bytes[start..head.end];
            start = head.end;
            Frame {
                at: head.at,
                interface: head.interface,
                number: head.number,
                link: head.link,
                direction: head.direction,
                bytes,
                original_len: head.original_len,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_out_as_they_went_in() {
        let mut chunk = Chunk::default();
        for (n, bytes) in [&b"one"[..], b"", b"three"].into_iter().enumerate() {
            chunk.push(&Frame {
                at: Timestamp::from_nanos(n as i64),
                interface: InterfaceId(3),
                number: PacketNumber(n as u64 + 1),
                link: LinkType::ETHERNET,
                direction: Direction::Out,
                bytes,
                original_len: 9,
            });
        }
        let frames: Vec<_> = chunk.frames().map(|frame| (frame.number.0, frame.bytes)).collect();
        assert_eq!(frames, [(1, &b"one"[..]), (2, b""), (3, b"three")]);
        chunk.clear();
        assert_eq!((chunk.len(), chunk.frames().count()), (0, 0));
    }
}
