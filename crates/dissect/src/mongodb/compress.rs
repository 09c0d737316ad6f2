//! OP_COMPRESSED: a message in another.

use std::io::Read;

use flate2::read::ZlibDecoder;

use super::parse::{Op, u32_at};

/// Undoes the body of an OP_COMPRESSED, whole: what was sent, and its body without header. `None` where it is more
/// than `most`, or not what it says it is.
pub(super) fn undo(body: &[u8], most: usize) -> Option<(Op, Vec<u8>)> {
    let op = Op::parse(u32_at(body, 0)?).filter(|op| *op != Op::Compressed)?;
    let size = u32_at(body, 4)? as usize;
    let (&compressor, packed) = body.get(8..)?.split_first()?;
    if size > most {
        return None;
    }
    let mut plain = Vec::new();
    // One byte more than announced would be a lie.
    let limit = size as u64 + 1;
    match compressor {
        0 => plain.extend_from_slice(packed),
        1 => {
            if snap::raw::decompress_len(packed).ok()? != size {
                return None;
            }
            plain = snap::raw::Decoder::new().decompress_vec(packed).ok()?;
        }
        2 => {
            ZlibDecoder::new(packed).take(limit).read_to_end(&mut plain).ok()?;
        }
        3 => {
            let decoder = zstd::stream::read::Decoder::with_buffer(packed).ok()?;
            decoder.take(limit).read_to_end(&mut plain).ok()?;
        }
        _ => return None,
    }
    (plain.len() == size).then_some((op, plain))
}
