//! Frames of the compressed protocol, and the packets in them.

use std::io::Read;

use flate2::read::ZlibDecoder;
use wirewise_model::Reason;

use super::parse::Fields;
use crate::Input;
use crate::inner::Inner;

/// Length, number, and length before compression.
const HEADER: usize = 7;
/// A frame longer than this is not waited for.
const LONGEST_FRAME: usize = 192 << 10;
/// Frames do not lead from one to the next.
pub(super) const OUT_OF_STEP: Reason = Reason::loss("mysql_compression_out_of_step");
/// A frame is longer, or makes more, than is held.
pub(super) const TOO_LONG: Reason = Reason::loss("mysql_compressed_frame_limit");

/// How frames are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Zlib,
    Zstd,
    /// Entered in the middle.
    Unknown,
}

/// What comes of a frame.
pub(super) enum Frame {
    /// So many bytes of the stream made packets.
    Used(usize),
    NeedMore,
    Fail(Reason),
}

/// Undoes the frame at the front of `input`, and appends its packets to those that wait. `most` bounds these.
pub(super) fn undo(inner: &mut Inner, input: Input<'_>, algorithm: Algorithm, most: usize) -> Frame {
    let Some(header) = input.bytes.get(..HEADER) else { return Frame::NeedMore };
    let mut fields = Fields(header);
    let three = |fields: &mut Fields<'_>| {
        fields.take(3).map_or(0, |bytes| u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0]) as usize)
    };
    let length = three(&mut fields);
    fields.u8();
    let before = three(&mut fields);
    if length == 0 {
        return Frame::Fail(OUT_OF_STEP);
    }
    if length > LONGEST_FRAME || before.max(length) + inner.len() > most {
        return Frame::Fail(TOO_LONG);
    }
    let used = HEADER + length;
    let Some(body) = input.bytes.get(HEADER..used) else { return Frame::NeedMore };
    let made = inner.append(input, 0..used, |bytes| {
        if before == 0 {
            bytes.extend_from_slice(body);
            return Ok(());
        }
        let begins = bytes.len();
        // One byte more than announced would be a lie.
        let most = before as u64 + 1;
        let zstd = algorithm == Algorithm::Zstd
            || (algorithm == Algorithm::Unknown && body.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]));
        let read = match zstd {
            true => zstd::stream::read::Decoder::with_buffer(body)
                .and_then(|decoder| decoder.take(most).read_to_end(bytes)),
            false => ZlibDecoder::new(body).take(most).read_to_end(bytes),
        };
        if read.is_ok() && bytes.len() - begins == before { Ok(()) } else { Err(OUT_OF_STEP) }
    });
    match made {
        Ok(()) => Frame::Used(used),
        Err(reason) => Frame::Fail(reason),
    }
}
