//! Messages: their headers, and the few of their fields that are told.

use crate::statement::{self, Dialect};

/// Type and length.
pub(super) const HEADER: usize = 5;
/// A length that no message has: the server refuses more than 1 GB (PQ_LARGE_MESSAGE_LIMIT).
const LONGEST: u32 = 0x3fff_ffff;
/// Longest startup message that servers take (MAX_STARTUP_PACKET_LENGTH).
pub(super) const LONGEST_STARTUP: u32 = 10_000;

/// Codes that stand in the place of a version.
pub(super) const SSL_REQUEST: u32 = 80_877_103;
pub(super) const GSSENC_REQUEST: u32 = 80_877_104;
pub(super) const CANCEL_REQUEST: u32 = 80_877_102;

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    /// Bytes of the body.
    pub(super) length: u32,
}

/// A header, where one is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look<T> {
    Found(T),
    NeedMore,
    No,
}

/// The header of a message that the client (or the server) sends.
pub(super) fn header(bytes: &[u8], client: bool) -> Look<Header> {
    let Some(&kind) = bytes.first() else { return Look::NeedMore };
    let known: &[u8] = if client { b"QPBEDCSFHXdcfp" } else { b"123ACDEGHIKNRSTVWZcdnstv" };
    if !known.contains(&kind) {
        return Look::No;
    }
    let Some(length) = bytes.get(1..HEADER).and_then(|length| length.first_chunk()) else {
        return Look::NeedMore;
    };
    let length = u32::from_be_bytes(*length);
    let fits = match (client, kind) {
        (true, b'S' | b'H' | b'X' | b'c') | (false, b'1' | b'2' | b'3' | b'n' | b's' | b'I' | b'c') => {
            length == 4
        }
        (false, b'Z') => length == 5,
        (true, b'E' | b'C' | b'D' | b'Q') | (false, b'C' | b'E' | b'N') => (5..=LONGEST).contains(&length),
        (true, b'P') => (8..=LONGEST).contains(&length),
        (true, b'B') => (12..=LONGEST).contains(&length),
        (false, b'R' | b'A' | b'K') => (8..=0xffff).contains(&length),
        (false, b'S') => (6..=0xffff).contains(&length),
        (false, b'T' | b't' | b'D' | b'G' | b'H' | b'W') => (6..=LONGEST).contains(&length),
        _ => (4..=LONGEST).contains(&length),
    };
    if fits { Look::Found(Header { kind, length: length - 4 }) } else { Look::No }
}

/// The text up to a NUL, and what follows it.
pub(super) fn text(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(0, bytes)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// What a startup message (behind its length) asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Startup<'a> {
    Ssl,
    GssEnc,
    Cancel,
    /// A session, of this minor version; its parameters as they stand.
    Session {
        minor: u16,
        parameters: &'a [u8],
    },
}

/// A message without type: its whole length and what it asks for.
pub(super) fn startup(bytes: &[u8]) -> Look<(usize, Startup<'_>)> {
    let Some(length) = bytes.first_chunk().map(|length| u32::from_be_bytes(*length)) else {
        return if bytes.iter().take(2).all(|byte| *byte == 0) { Look::NeedMore } else { Look::No };
    };
    if !(8..=LONGEST_STARTUP).contains(&length) {
        return Look::No;
    }
    let Some(code) = bytes.get(4..8).and_then(|code| code.first_chunk()) else { return Look::NeedMore };
    let code = u32::from_be_bytes(*code);
    let length = length as usize;
    let startup = match code {
        SSL_REQUEST if length == 8 => Startup::Ssl,
        GSSENC_REQUEST if length == 8 => Startup::GssEnc,
        CANCEL_REQUEST if (16..=268).contains(&length) => Startup::Cancel,
        _ if code >> 16 == 3 && length > 8 => {
            let Some(parameters) = bytes.get(8..length) else {
                let begins = bytes.get(8).is_none_or(|first| first.is_ascii_lowercase() || *first == b'_');
                return if begins { Look::NeedMore } else { Look::No };
            };
            let shaped =
                parameters.ends_with(&[0]) && parameters.first().is_some_and(|first| is_name(*first));
            if !shaped {
                return Look::No;
            }
            Startup::Session { minor: (code & 0xffff) as u16, parameters }
        }
        _ => return Look::No,
    };
    if bytes.len() < length { Look::NeedMore } else { Look::Found((length, startup)) }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_'
}

/// Pairs of name and value.
pub(super) fn parameters(mut bytes: &[u8]) -> impl Iterator<Item = (&[u8], &[u8])> {
    std::iter::from_fn(move || {
        let (name, rest) = text(bytes)?;
        if name.is_empty() {
            return None;
        }
        let (value, rest) = text(rest)?;
        bytes = rest;
        Some((name, value))
    })
}

/// Fields of an error or notice: a letter and a text each.
pub(super) fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u8, &[u8])> {
    std::iter::from_fn(move || {
        let (&name, rest) = bytes.split_first()?;
        if name == 0 {
            return None;
        }
        // A value that was cut is no value.
        let (value, rest) = text(rest)?;
        bytes = rest;
        Some((name, value))
    })
}

/// A command's tag: its words, and the number of rows at its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tag<'a> {
    pub(super) words: &'a str,
    pub(super) rows: Option<u64>,
}

/// `INSERT 0 5`, `SELECT 12`, `CREATE TABLE`.
pub(super) fn tag(bytes: &[u8]) -> Option<Tag<'_>> {
    let (tag, _) = text(bytes)?;
    let tag = std::str::from_utf8(tag).ok()?;
    let end = tag.find(|letter: char| letter.is_ascii_digit()).unwrap_or(tag.len());
    let words = tag[..end].trim_end();
    let shaped = !words.is_empty()
        && words.len() <= 48
        && words.bytes().all(|byte| byte.is_ascii_uppercase() || matches!(byte, b' ' | b'_'));
    shaped.then(|| Tag { words, rows: tag[end..].rsplit(' ').next().and_then(|rows| rows.parse().ok()) })
}

/// How messages lead from one to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Chain {
    /// How many are whole.
    pub(super) whole: usize,
    /// Among them is one that nothing else looks like.
    pub(super) sure: bool,
    /// Among them is a query of printable text, though not one that begins as statements do.
    pub(super) likely: bool,
}

/// Follows messages from the front of `bytes`; `None` where they lead nowhere.
pub(super) fn chain(mut bytes: &[u8], client: bool) -> Option<Chain> {
    let mut chain = Chain::default();
    while !bytes.is_empty() {
        let header = match header(bytes, client) {
            Look::Found(header) => header,
            Look::NeedMore => break,
            Look::No => return None,
        };
        let Some(body) = bytes.get(HEADER..HEADER + header.length as usize) else { break };
        chain.sure |= is_sure(header.kind, body, client)?;
        chain.likely |= client && header.kind == b'Q' && std::str::from_utf8(body).is_ok_and(is_printable);
        chain.whole += 1;
        bytes = &bytes[HEADER + body.len()..];
    }
    Some(chain)
}

fn is_printable(text: &str) -> bool {
    let text = text.trim_end_matches('\0');
    !text.is_empty() && !text.contains(|letter: char| letter.is_control() && !letter.is_whitespace())
}

/// Whether a whole message could be no other protocol's; `None` where it cannot be one of this.
fn is_sure(kind: u8, body: &[u8], client: bool) -> Option<bool> {
    let ended = body.last() == Some(&0);
    let sure = match (client, kind) {
        (true, b'Q') => {
            if !ended {
                return None;
            }
            statement::begins(&body[..body.len() - 1], Dialect::Postgres)
        }
        (true, b'P') => {
            let (_, rest) = text(body)?;
            let (query, _) = text(rest)?;
            statement::begins(query, Dialect::Postgres)
        }
        (true, b'B') => {
            let (_, rest) = text(body)?;
            text(rest)?;
            false
        }
        (true, b'S') => true,
        (true, b'E' | b'D' | b'C') => {
            memchr::memchr(0, body)?;
            false
        }
        (false, b'Z') => {
            if !matches!(body, [b'I' | b'T' | b'E']) {
                return None;
            }
            true
        }
        (false, b'C') => {
            tag(body)?;
            ended
        }
        (false, b'E' | b'N') => fields(body).any(|(name, value)| name == b'C' && value.len() == 5),
        (false, b'D') => {
            if !is_row(body) {
                return None;
            }
            false
        }
        _ => false,
    };
    Some(sure)
}

/// Whether the lengths of a row's columns fill it.
fn is_row(body: &[u8]) -> bool {
    let Some((count, mut rest)) = body.split_first_chunk() else { return false };
    for _ in 0..u16::from_be_bytes(*count) {
        let Some((length, after)) = rest.split_first_chunk() else { return false };
        let length = i32::from_be_bytes(*length);
        let Some(after) = after.get(usize::try_from(length).unwrap_or(0)..) else { return false };
        rest = after;
    }
    rest.is_empty()
}

/// Where the last messages of an answer begin in a segment that ends with them: `ReadyForQuery`, and the
/// `CommandComplete` before it.
pub(super) fn last_messages(bytes: &[u8]) -> Option<usize> {
    let begins = bytes.len().checked_sub(6)?;
    if !matches!(bytes[begins..], [b'Z', 0, 0, 0, 5, b'I' | b'T' | b'E']) {
        return None;
    }
    let from = begins.saturating_sub(64);
    let complete = (from..begins).find(|at| {
        let rest = &bytes[*at..begins];
        rest[0] == b'C'
            && matches!(header(rest, false), Look::Found(header) if header.length as usize + HEADER == rest.len())
            && tag(&rest[HEADER..]).is_some()
    });
    Some(complete.unwrap_or(begins))
}
