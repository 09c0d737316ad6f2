//! Bodies: what stands before their fields, and those fields that are told.

use super::parse::{Fields, Header, Op, flag};

/// Longest body that is undone or, of one that is not compressed, looked at where no statement is in it.
pub(super) const LONGEST_PACKED: u32 = 128 << 10;
/// Types of columns inside each other.
const DEEPEST: u32 = 8;

/// How bodies are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Algorithm {
    Lz4,
    Snappy,
    Unknown,
}

/// Undoes a compressed body, within `most`.
pub(super) fn undo(body: &[u8], algorithm: Algorithm, most: usize) -> Option<Vec<u8>> {
    let lz4 = || {
        let mut fields = Fields(body);
        let length = fields.u32().map(|length| length as usize).filter(|length| *length <= most)?;
        lz4_flex::block::decompress(fields.0, length).ok().filter(|plain| plain.len() == length)
    };
    let snappy = || {
        snap::raw::decompress_len(body).ok().filter(|length| *length <= most)?;
        snap::raw::Decoder::new().decompress_vec(body).ok()
    };
    match algorithm {
        Algorithm::Lz4 => lz4(),
        Algorithm::Snappy => snappy(),
        Algorithm::Unknown => lz4().or_else(snappy),
    }
}

/// The body behind what flags put before it: a trace's id, warnings, a payload of the application.
pub(super) fn behind_flags<'a>(header: &Header, response: bool, body: &'a [u8]) -> Option<&'a [u8]> {
    let mut fields = Fields(body);
    if response && header.flags & flag::TRACING != 0 {
        fields.take(16)?;
    }
    if response && header.flags & flag::WARNING != 0 {
        for _ in 0..fields.u16()? {
            fields.short()?;
        }
    }
    if header.flags & flag::PAYLOAD != 0 {
        for _ in 0..fields.u16()? {
            fields.short()?;
            fields.value()?;
        }
    }
    Some(fields.0)
}

/// Pairs of names and values.
pub(super) fn map<'a>(fields: &mut Fields<'a>) -> Vec<(&'a [u8], &'a [u8])> {
    let mut pairs = Vec::new();
    for _ in 0..fields.u16().unwrap_or(0).min(64) {
        let (Some(name), Some(value)) = (fields.short(), fields.short()) else { break };
        pairs.push((name, value));
    }
    pairs
}

/// The consistency that a request asks for, as OpenTelemetry names it.
pub(super) fn consistency(code: u16) -> Option<&'static str> {
    Some(match code {
        0x00 => "any",
        0x01 => "one",
        0x02 => "two",
        0x03 => "three",
        0x04 => "quorum",
        0x05 => "all",
        0x06 => "local_quorum",
        0x07 => "each_quorum",
        0x08 => "serial",
        0x09 => "local_serial",
        0x0a => "local_one",
        _ => return None,
    })
}

/// One statement of a batch.
pub(super) enum Batched<'a> {
    /// Its text, and whether it is there to its end.
    Text(&'a [u8], bool),
    /// The id of a prepared one.
    Prepared(&'a [u8]),
}

/// Statements of a batch, as far as they are there, and how many it says that it has.
pub(super) fn batch(body: &[u8]) -> (u16, Vec<Batched<'_>>) {
    let mut fields = Fields(body);
    fields.u8();
    let count = fields.u16().unwrap_or(0);
    let mut statements = Vec::new();
    let mut next = || {
        let batched = match fields.u8()? {
            0 => fields.long_text().map(|(text, whole)| Batched::Text(text, whole))?,
            1 => Batched::Prepared(fields.short()?),
            _ => return None,
        };
        // The last one's values may be cut.
        let values = fields.u16().unwrap_or(0);
        let whole = (0..values).all(|_| fields.value().is_some());
        Some((batched, whole))
    };
    for _ in 0..count.min(64) {
        let Some((batched, whole)) = next() else { break };
        statements.push(batched);
        if !whole {
            break;
        }
    }
    (count, statements)
}

/// Rows of a result of that kind, behind its kind.
pub(super) fn rows(body: &[u8]) -> Option<u32> {
    let mut fields = Fields(body);
    let (flags, columns) = (fields.u32()?, fields.u32()?);
    if flags & 2 != 0 {
        fields.value()?;
    }
    if flags & 8 != 0 {
        fields.short()?;
    }
    if flags & 4 == 0 {
        let global = flags & 1 != 0;
        if global {
            fields.short()?;
            fields.short()?;
        }
        for _ in 0..columns {
            if !global {
                fields.short()?;
                fields.short()?;
            }
            fields.short()?;
            kind(&mut fields, 0)?;
        }
    }
    fields.u32()
}

/// Passes over the type of a column.
fn kind(fields: &mut Fields<'_>, depth: u32) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    match fields.u16()? {
        0x00 => drop(fields.short()?),
        0x20 | 0x22 => kind(fields, depth + 1)?,
        0x21 => {
            kind(fields, depth + 1)?;
            kind(fields, depth + 1)?;
        }
        0x30 => {
            fields.short()?;
            fields.short()?;
            for _ in 0..fields.u16()? {
                fields.short()?;
                kind(fields, depth + 1)?;
            }
        }
        0x31 => {
            for _ in 0..fields.u16()? {
                kind(fields, depth + 1)?;
            }
        }
        _ => {}
    }
    Some(())
}

/// Bytes of a body that are looked at.
pub(super) fn wanted(header: &Header, longest_text: u32) -> usize {
    let most = match header.op {
        Op::Query | Op::Prepare | Op::Batch => longest_text,
        Op::Startup | Op::Execute | Op::Error | Op::Result => 4096,
        Op::Event | Op::Register | Op::Supported => 256,
        Op::Ready | Op::Options => 0,
        Op::Authenticate => 256,
        // What proves who a client is.
        Op::AuthChallenge | Op::AuthResponse | Op::AuthSuccess => 0,
    };
    // What flags put before the fields comes first.
    let before = if header.flags & (flag::PAYLOAD | flag::WARNING | flag::TRACING) != 0 { 4096 } else { 0 };
    header.length.min(most + before) as usize
}
