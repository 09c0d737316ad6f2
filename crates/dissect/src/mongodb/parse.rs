//! Headers of messages, and whether bytes begin with one.

use wirewise_model::Side;

use crate::{Heads, Probe};

/// Length, request id, what it answers, operation.
pub(super) const HEADER: usize = 16;
/// Longest message (maxMessageSizeBytes).
const LONGEST: u32 = 48_000_000;
/// Bytes behind the header that are looked at.
const LOOKED_AT: usize = 256;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Reply,
    Update,
    Insert,
    Query,
    GetMore,
    Delete,
    KillCursors,
    Command,
    CommandReply,
    Compressed,
    Msg,
}

impl Op {
    pub(super) fn parse(number: u32) -> Option<Self> {
        Some(match number {
            1 => Self::Reply,
            2001 => Self::Update,
            2002 => Self::Insert,
            2004 => Self::Query,
            2005 => Self::GetMore,
            2006 => Self::Delete,
            2007 => Self::KillCursors,
            2010 => Self::Command,
            2011 => Self::CommandReply,
            2012 => Self::Compressed,
            2013 => Self::Msg,
            _ => return None,
        })
    }
}

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    /// Of all of it.
    pub(super) length: u32,
    pub(super) id: u32,
    pub(super) answers: u32,
    pub(super) op: Op,
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

/// A header, where it can be one.
pub(super) fn header(bytes: &[u8]) -> Option<Header> {
    let [length, id, answers, op] = [0, 4, 8, 12].map(|at| u32_at(bytes, at));
    let header = Header { length: length?, id: id?, answers: answers?, op: Op::parse(op?)? };
    (HEADER as u32 + 4..=LONGEST).contains(&header.length).then_some(header)
}

/// The header of a message that begins here; the error says whether more bytes may show it.
pub(super) fn begins(bytes: &[u8]) -> Result<Header, More> {
    let Some(length) = u32_at(bytes, 0) else {
        // The length's last byte is small.
        return Err(if bytes.len() < 4 { More(true) } else { More(false) });
    };
    if !(HEADER as u32 + 4..=LONGEST).contains(&length) {
        return Err(More(false));
    }
    let Some(op) = u32_at(bytes, 12) else { return Err(More(true)) };
    if Op::parse(op).is_none() {
        return Err(More(false));
    }
    let header = header(bytes).ok_or(More(false))?;
    let body = &bytes[HEADER..bytes.len().min(length as usize)];
    let whole = bytes.len() >= length as usize;
    match looks(header, body) {
        Some(true) => Ok(header),
        Some(false) => Err(More(false)),
        None => Err(More(!whole && body.len() < LOOKED_AT)),
    }
}

/// Whether more bytes may make a message of what is none yet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct More(pub(super) bool);

/// Whether a body fits its header; `None` where more is needed.
fn looks(header: Header, body: &[u8]) -> Option<bool> {
    let rest = header.length - HEADER as u32;
    match header.op {
        Op::Msg => {
            let flags = u32_at(body, 0)?;
            // The lower half are bits that must be understood: checksum, more to come.
            if flags & 0xfffc != 0 || flags >> 17 != 0 {
                return Some(false);
            }
            match *body.get(4)? {
                0 => document(&body[5..], rest - 5),
                1 => {
                    let size = u32_at(body, 5)?;
                    Some(size >= 5 && size <= rest - 5 && body.get(9)?.is_ascii_alphabetic())
                }
                _ => Some(false),
            }
        }
        Op::Query => {
            let flags = u32_at(body, 0)?;
            let (name, behind) = name(body.get(4..)?)?;
            let used = (body.len() - behind.len()) as u32 + 8;
            if flags > 0xff || !is_namespace(name) || used > rest {
                return Some(false);
            }
            document(behind.get(8..)?, rest - used)
        }
        Op::Reply => {
            let (flags, count) = (u32_at(body, 0)?, u32_at(body, 16)?);
            if flags > 0xf || count > 1 << 20 || rest < 20 {
                return Some(false);
            }
            if count == 0 { Some(rest == 20) } else { document(&body[20..], rest - 20) }
        }
        Op::Insert | Op::Update | Op::Delete | Op::GetMore => {
            let (name, _) = name(body.get(4..)?)?;
            Some(is_namespace(name) && u32_at(body, 0)? <= 1)
        }
        Op::KillCursors => {
            Some(u32_at(body, 0)? == 0 && u32_at(body, 4)?.checked_mul(8) == rest.checked_sub(8))
        }
        Op::Command => {
            let (database, behind) = name(body)?;
            let (command, _) = name(behind)?;
            let shaped = |name: &[u8]| !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
            Some(shaped(database) && shaped(command))
        }
        Op::CommandReply => document(body, rest),
        Op::Compressed => {
            let (original, size) = (u32_at(body, 0)?, u32_at(body, 4)?);
            let inner = Op::parse(original).is_some_and(|op| op != Op::Compressed);
            Some(inner && size <= LONGEST && *body.get(8)? <= 3)
        }
    }
}

/// Whether a document of at most that length begins here.
fn document(bytes: &[u8], most: u32) -> Option<bool> {
    let length = u32_at(bytes, 0)?;
    if length < 5 || length > most {
        return Some(false);
    }
    let kind = *bytes.get(4)?;
    if kind == 0 {
        return Some(length == 5);
    }
    let known = (1..=0x13).contains(&kind) || matches!(kind, 0x7f | 0xff);
    let first = *bytes.get(5)?;
    Some(known && (first.is_ascii_graphic() || first >= 0x80))
}

/// A text up to a NUL, and what follows it. `None` where it does not end.
pub(super) fn name(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = memchr::memchr(0, &bytes[..bytes.len().min(LOOKED_AT)])?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

/// `database.collection`.
fn is_namespace(name: &[u8]) -> bool {
    memchr::memchr(b'.', name).is_some_and(|dot| dot > 0 && dot + 1 < name.len())
        && std::str::from_utf8(name).is_ok_and(|name| !name.contains(char::is_control))
}

pub(super) fn probe(heads: &Heads<'_>) -> Probe {
    let (mut may_be, mut is_not) = (false, false);
    for side in [Side::A, Side::B] {
        let bytes = heads.of(side);
        if bytes.is_empty() {
            continue;
        }
        match begins(bytes) {
            Ok(header) => return Probe::Yes { client: client(heads, side, header) },
            Err(More(true)) => may_be = true,
            Err(More(false)) => is_not = true,
        }
    }
    if may_be && !is_not && !heads.ended { Probe::NeedMore } else { Probe::No }
}

/// Who asks: a reply answers something; the first request may have the id 0, so that its answer does not show.
fn client(heads: &Heads<'_>, side: Side, header: Header) -> Side {
    if let Some(opener) = heads.opener {
        return opener;
    }
    match header.op {
        Op::Reply | Op::CommandReply => side.other(),
        _ if header.answers != 0 && header.answers != u32::MAX => side.other(),
        _ => side,
    }
}
