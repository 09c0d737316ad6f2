//! Segments of version 5: a header with its own checksum, one or more messages or a part of a long one, a checksum.

use wirewise_model::Reason;

use super::parse::{Look, begins as message_begins};
use crate::Input;
use crate::inner::Inner;

/// Header and checksum of an uncompressed segment, and of one that may be compressed.
const PLAIN_HEADER: usize = 6;
const PACKED_HEADER: usize = 8;
/// The checksum behind the payload.
const TRAILER: usize = 4;
/// A message that is not whole after so many bytes is given up.
const LONGEST_WAIT: usize = 512 << 10;
/// What comes is no segment.
pub(super) const OUT_OF_STEP: Reason = Reason::loss("cql_segment_out_of_step");

/// A segment's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Header {
    /// Of all of it before the payload.
    length: usize,
    payload: usize,
    /// Before compression; 0 where it is not compressed.
    before: usize,
    /// It holds whole messages.
    contained: bool,
}

/// What comes of a segment.
pub(super) enum Taken {
    Used(usize),
    NeedMore,
    No,
}

/// CRC-24 as org.apache.cassandra.net.Crc makes it.
fn crc24(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0x0087_5060, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte) << 16, |crc, _| {
            let crc = crc << 1;
            if crc & 0x0100_0000 != 0 { crc ^ 0x0197_4f0b } else { crc }
        })
    })
}

fn header(bytes: &[u8], packed: bool) -> Option<Header> {
    let length = if packed { PACKED_HEADER } else { PLAIN_HEADER };
    let head = bytes.get(..length)?;
    let (fields, checksum) = head.split_at(length - 3);
    let mut number = [0; 8];
    number[..fields.len()].copy_from_slice(fields);
    let number = u64::from_le_bytes(number);
    let checksum = u32::from_le_bytes([checksum[0], checksum[1], checksum[2], 0]);
    if crc24(fields) & 0x00ff_ffff != checksum {
        return None;
    }
    let low = |shift: u32| (number >> shift & 0x1_ffff) as usize;
    Some(match packed {
        true => Header { length, payload: low(0), before: low(17), contained: number >> 34 & 1 == 1 },
        false => Header { length, payload: low(0), before: 0, contained: number >> 17 & 1 == 1 },
    })
}

/// Whether a segment of whole messages begins here, and whether the server sent it.
pub(super) fn begins(bytes: &[u8]) -> Option<bool> {
    let packed = layout(bytes)?;
    let head = header(bytes, packed).filter(|head| head.contained)?;
    let payload = bytes.get(head.length..)?;
    if head.before > 0 {
        let first = first_literal(payload)?;
        return (3..=5).contains(&(first & 0x7f)).then_some(first & 0x80 != 0);
    }
    [false, true]
        .into_iter()
        .find(|response| matches!(message_begins(payload, *response, true), Look::Found(_)))
}

/// The first byte that an LZ4 block makes: behind its token, and what continues the count of literals in it.
fn first_literal(block: &[u8]) -> Option<u8> {
    let (token, mut rest) = block.split_first()?;
    if token >> 4 == 15 {
        let counted = rest.iter().position(|byte| *byte != 255)?;
        rest = &rest[counted + 1..];
    }
    rest.first().copied()
}

/// Whether segments are compressed, told by the checksum of the first.
pub(super) fn layout(bytes: &[u8]) -> Option<bool> {
    [false, true].into_iter().find(|packed| header(bytes, *packed).is_some())
}

/// Whether a segment of whole messages begins here.
pub(super) fn is_contained(bytes: &[u8], packed: bool) -> bool {
    header(bytes, packed).is_some_and(|header| header.contained)
}

/// Takes the segment at the front of `input`: its messages are appended to those that wait.
pub(super) fn take(inner: &mut Inner, input: Input<'_>, packed: bool) -> Taken {
    let length = if packed { PACKED_HEADER } else { PLAIN_HEADER };
    if input.bytes.len() < length {
        return Taken::NeedMore;
    }
    let Some(header) = header(input.bytes, packed) else { return Taken::No };
    let used = header.length + header.payload + TRAILER;
    let Some(payload) = input.bytes.get(header.length..header.length + header.payload) else {
        return Taken::NeedMore;
    };
    if input.bytes.len() < used {
        return Taken::NeedMore;
    }
    if inner.len() + header.before.max(header.payload) > LONGEST_WAIT {
        return Taken::No;
    }
    let made = inner.append(input, 0..used, |bytes| {
        if header.before == 0 {
            bytes.extend_from_slice(payload);
            return Ok(());
        }
        let begins = bytes.len();
        bytes.resize(begins + header.before, 0);
        match lz4_flex::block::decompress_into(payload, &mut bytes[begins..]) {
            Ok(made) if made == header.before => Ok(()),
            Ok(_) | Err(_) => Err(()),
        }
    });
    if made.is_ok() { Taken::Used(used) } else { Taken::No }
}

#[cfg(test)]
pub(super) fn plain(payload: &[u8]) -> Vec<u8> {
    let number = (payload.len() as u32 | 1 << 17).to_le_bytes();
    let crc = crc24(&number[..3]).to_le_bytes();
    [&number[..3], &crc[..3], payload, &[0; 4]].concat()
}

#[cfg(test)]
pub(super) fn packed(payload: &[u8]) -> Vec<u8> {
    let block = lz4_flex::block::compress(payload);
    let number = (block.len() as u64 | (payload.len() as u64) << 17 | 1 << 34).to_le_bytes();
    let crc = crc24(&number[..5]).to_le_bytes();
    [&number[..5], &crc[..3], &block, &[0; 4]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_is_cassandras() {
        // A segment of Cassandra 4: self-contained, 12 bytes, and its checksum as the Python driver makes it.
        let head = plain(&[0; 12]);
        assert_eq!(header(&head, false).map(|header| (header.payload, header.contained)), Some((12, true)));
        let mut other = head.clone();
        other[0] ^= 1;
        assert_eq!(header(&other, false), None);
        assert_eq!(layout(&packed(&[7; 100])), Some(true));
    }
}
