//! Headers of messages, and whether bytes begin with one.

use wirewise_model::Side;

use super::segment;
use crate::statement::{self, Dialect};
use crate::{Heads, Probe};

/// Version, flags, stream id, opcode, length.
pub(super) const HEADER: usize = 9;
/// Longest body (native_transport_max_frame_size).
const LONGEST: u32 = 256 << 20;

/// Flags of a header.
pub(super) mod flag {
    pub(crate) const COMPRESSED: u8 = 1;
    pub(crate) const TRACING: u8 = 2;
    pub(crate) const PAYLOAD: u8 = 4;
    pub(crate) const WARNING: u8 = 8;
}

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Error,
    Startup,
    Ready,
    Authenticate,
    Options,
    Supported,
    Query,
    Result,
    Prepare,
    Execute,
    Register,
    Event,
    Batch,
    AuthChallenge,
    AuthResponse,
    AuthSuccess,
}

impl Op {
    fn parse(code: u8, response: bool) -> Option<Self> {
        Some(match (code, response) {
            (0x00, true) => Self::Error,
            (0x01, false) => Self::Startup,
            (0x02, true) => Self::Ready,
            (0x03, true) => Self::Authenticate,
            (0x05, false) => Self::Options,
            (0x06, true) => Self::Supported,
            (0x07, false) => Self::Query,
            (0x08, true) => Self::Result,
            (0x09, false) => Self::Prepare,
            (0x0a, false) => Self::Execute,
            (0x0b, false) => Self::Register,
            (0x0c, true) => Self::Event,
            (0x0d, false) => Self::Batch,
            (0x0e, true) => Self::AuthChallenge,
            (0x0f, false) => Self::AuthResponse,
            (0x10, true) => Self::AuthSuccess,
            _ => return None,
        })
    }
}

/// The header of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) version: u8,
    pub(super) flags: u8,
    /// Negative for what a server says unasked.
    pub(super) stream: i16,
    pub(super) op: Op,
    /// Of the body.
    pub(super) length: u32,
}

/// What stands at the front of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Found(Header),
    NeedMore,
    No,
}

/// The header of a message of the server (`response`) or of the client.
pub(super) fn header(bytes: &[u8], response: bool) -> Look {
    let Some(&first) = bytes.first() else { return Look::NeedMore };
    let version = first & 0x7f;
    if (first & 0x80 != 0) != response || !(3..=5).contains(&version) {
        return Look::No;
    }
    let Some(&[_, flags, high, low, code, a, b, c, d]) = bytes.first_chunk::<HEADER>() else {
        let flags = bytes.get(1).is_none_or(|flags| *flags <= 0x1f);
        return if flags { Look::NeedMore } else { Look::No };
    };
    let (stream, length) = (i16::from_be_bytes([high, low]), u32::from_be_bytes([a, b, c, d]));
    let Some(op) = Op::parse(code, response) else { return Look::No };
    let sided = stream >= 0 || (response && op == Op::Event);
    let fits = match op {
        Op::Ready | Op::Options => length == 0 || flags & !0x10 != 0,
        Op::Supported | Op::Startup => (2..=0xffff).contains(&length),
        Op::Query | Op::Prepare | Op::Result | Op::Register | Op::Error => (4..=LONGEST).contains(&length),
        _ => length <= LONGEST,
    };
    if flags <= 0x1f && sided && fits {
        Look::Found(Header { version, flags, stream, op, length })
    } else {
        Look::No
    }
}

/// Reads fields from the front of a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk().map(|bytes| u16::from_be_bytes(*bytes))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// A text, or bytes, behind two bytes of length.
    pub(super) fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.u16()?;
        self.take(usize::from(length))
    }

    /// A text behind four bytes of length, and whether it is there to its end.
    pub(super) fn long_text(&mut self) -> Option<(&'a [u8], bool)> {
        let length = self.u32()? as usize;
        match self.take(length) {
            Some(text) => Some((text, true)),
            None => Some((std::mem::take(&mut self.0), false)),
        }
    }

    /// A value behind four bytes of length; negative ones are null, or not set.
    pub(super) fn value(&mut self) -> Option<()> {
        let length = self.u32()? as i32;
        self.take(usize::try_from(length).unwrap_or(0)).map(drop)
    }
}

/// Whether a message begins here that could hardly be anything else. `hinted`: the port speaks for it.
pub(super) fn begins(bytes: &[u8], response: bool, hinted: bool) -> Look {
    let header = match header(bytes, response) {
        Look::Found(header) => header,
        other => return other,
    };
    let body = &bytes[HEADER..];
    let body = &body[..body.len().min(header.length as usize)];
    let whole = body.len() == header.length as usize;
    let plain = header.flags & (flag::COMPRESSED | flag::PAYLOAD | flag::TRACING | flag::WARNING) == 0;
    let mut fields = Fields(body);
    let sure = match header.op {
        Op::Options | Op::Ready => header.length == 0,
        Op::Startup | Op::Supported => {
            if !whole {
                return Look::NeedMore;
            }
            memchr::memmem::find(body, b"CQL_VERSION").is_some()
        }
        Op::Query | Op::Prepare if plain => match fields.long_text() {
            Some((text, _)) => statement::begins(text, Dialect::Cql),
            None => return Look::NeedMore,
        },
        Op::Result if plain => match fields.u32() {
            Some(kind) => (1..=5).contains(&kind) && (hinted || (kind != 1 && whole)),
            None => return Look::NeedMore,
        },
        Op::Error if plain => match (fields.u32(), fields.u16()) {
            (Some(code), Some(length)) => code <= 0x2500 && u32::from(length) + 6 <= header.length,
            _ => return Look::NeedMore,
        },
        Op::Execute
        | Op::Batch
        | Op::Query
        | Op::Prepare
        | Op::Result
        | Op::Error
        | Op::Event
        | Op::Register => hinted,
        Op::Authenticate | Op::AuthChallenge | Op::AuthResponse | Op::AuthSuccess => hinted,
    };
    if sure { Look::Found(header) } else { Look::No }
}

pub(super) fn probe(heads: &Heads<'_>) -> Probe {
    let hinted = heads.ports.iter().any(|port| super::PROTOCOL.ports.contains(port));
    let mut verdict = Probe::No;
    for side in [Side::A, Side::B] {
        let bytes = heads.of(side);
        if bytes.is_empty() {
            continue;
        }
        for response in [false, true] {
            match begins(bytes, response, hinted) {
                Look::Found(header) => {
                    // A session begins with these; in its middle it may be anything.
                    let opens = matches!(header.op, Op::Options | Op::Startup | Op::Supported);
                    if opens || heads.mid_stream {
                        return Probe::Yes { client: if response { side.other() } else { side } };
                    }
                }
                Look::NeedMore if !heads.ended => verdict = Probe::NeedMore,
                Look::NeedMore | Look::No => {}
            }
        }
        if heads.mid_stream
            && let Some(response) = segment::begins(bytes)
        {
            return Probe::Yes { client: if response { side.other() } else { side } };
        }
    }
    verdict
}
