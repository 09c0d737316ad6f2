//! Frames, RFC 9113, 4 and 6: their heads, and what is in those that are small. Pure.

/// Bytes of a frame's head.
pub(super) const HEAD: usize = 9;
/// What a client begins with (3.4).
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// The payload that every peer has to take (4.2), and more than which it takes only where it said so.
pub(super) const USUAL_FRAME: u32 = 16_384;

/// Frame types of RFC 9113, 6; others are numbers.
pub(super) mod kind {
    pub(crate) const DATA: u8 = 0;
    pub(crate) const HEADERS: u8 = 1;
    pub(crate) const PRIORITY: u8 = 2;
    pub(crate) const RST_STREAM: u8 = 3;
    pub(crate) const SETTINGS: u8 = 4;
    pub(crate) const PUSH_PROMISE: u8 = 5;
    pub(crate) const PING: u8 = 6;
    pub(crate) const GOAWAY: u8 = 7;
    pub(crate) const WINDOW_UPDATE: u8 = 8;
    pub(crate) const CONTINUATION: u8 = 9;
    /// RFC 7838; RFC 8336; RFC 9218.
    pub(crate) const ALTSVC: u8 = 10;
    pub(crate) const ORIGIN: u8 = 12;
    pub(crate) const PRIORITY_UPDATE: u8 = 16;
}

/// Flags, by the frame types that have them.
pub(super) mod flag {
    pub(crate) const END_STREAM: u8 = 0x1;
    pub(crate) const ACK: u8 = 0x1;
    pub(crate) const END_HEADERS: u8 = 0x4;
    pub(crate) const PADDED: u8 = 0x8;
    pub(crate) const PRIORITY: u8 = 0x20;
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) length: u32,
    pub(super) kind: u8,
    pub(super) flags: u8,
    pub(super) stream: u32,
    /// The reserved bit, which senders leave unset.
    pub(super) reserved: bool,
}

impl Head {
    /// Reads it from the front of `bytes`; `None` where they are fewer.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let &[a, b, c, kind, flags, d, e, f, g] = bytes.first_chunk::<HEAD>()?;
        let stream = u32::from_be_bytes([d, e, f, g]);
        Some(Self {
            length: u32::from_be_bytes([0, a, b, c]),
            kind,
            flags,
            stream: stream & 0x7fff_ffff,
            reserved: stream >> 31 == 1,
        })
    }

    pub(super) fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// Whether it keeps the rules of its type: on a stream or on none, and of the one length that it can have.
    pub(super) fn is_lawful(&self) -> bool {
        let on_stream = self.stream != 0;
        match self.kind {
            kind::DATA | kind::HEADERS | kind::PUSH_PROMISE | kind::CONTINUATION => on_stream,
            kind::PRIORITY => on_stream && self.length == 5,
            kind::RST_STREAM => on_stream && self.length == 4,
            kind::SETTINGS => {
                !on_stream && self.length.is_multiple_of(6) && (!self.has(flag::ACK) || self.length == 0)
            }
            kind::PING => !on_stream && self.length == 8,
            kind::GOAWAY => !on_stream && self.length >= 8,
            kind::WINDOW_UPDATE => self.length == 4,
            _ => true,
        }
    }

    /// Whether it looks like what is sent in practice: the stricter rule for bytes that need not be a frame at all.
    pub(super) fn is_usual(&self) -> bool {
        let flags = match self.kind {
            kind::DATA => flag::END_STREAM | flag::PADDED,
            kind::HEADERS => flag::END_STREAM | flag::END_HEADERS | flag::PADDED | flag::PRIORITY,
            kind::PUSH_PROMISE => flag::END_HEADERS | flag::PADDED,
            kind::CONTINUATION => flag::END_HEADERS,
            kind::SETTINGS | kind::PING => flag::ACK,
            _ => 0,
        };
        let known =
            self.kind <= kind::ALTSVC || self.kind == kind::ORIGIN || self.kind == kind::PRIORITY_UPDATE;
        // Some send larger ones where their peer allows it: a megabyte is the largest that is common.
        let most = if self.kind == kind::DATA { 1 << 20 } else { USUAL_FRAME };
        known && !self.reserved && self.flags & !flags == 0 && self.length <= most && self.is_lawful()
    }
}

/// Where a payload's padding (6.1) leaves its content: `None` where there is more padding than payload.
pub(super) fn unpadded(payload: &[u8], padded: bool) -> Option<&[u8]> {
    if !padded {
        return Some(payload);
    }
    let (&padding, rest) = payload.split_first()?;
    rest.get(..rest.len().checked_sub(usize::from(padding))?)
}

/// The fragment of a header block in a HEADERS frame, without padding and priority.
pub(super) fn headers_fragment<'a>(head: &Head, payload: &'a [u8]) -> Option<&'a [u8]> {
    let content = unpadded(payload, head.has(flag::PADDED))?;
    if head.has(flag::PRIORITY) { content.get(5..) } else { Some(content) }
}

/// The promised stream and the fragment in a PUSH_PROMISE frame.
pub(super) fn promise_fragment<'a>(head: &Head, payload: &'a [u8]) -> Option<(u32, &'a [u8])> {
    let content = unpadded(payload, head.has(flag::PADDED))?;
    let (stream, fragment) = content.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*stream) & 0x7fff_ffff, fragment))
}

/// The settings of a SETTINGS frame: (identifier, value).
pub(super) fn settings(payload: &[u8]) -> impl Iterator<Item = (u16, u32)> {
    payload.chunks_exact(6).filter_map(|setting| match *setting {
        [a, b, c, d, e, f] => Some((u16::from_be_bytes([a, b]), u32::from_be_bytes([c, d, e, f]))),
        _ => None,
    })
}

/// The number in a frame of four bytes: RST_STREAM's error, WINDOW_UPDATE's increment.
pub(super) fn number(payload: &[u8]) -> Option<u32> {
    payload.first_chunk::<4>().map(|bytes| u32::from_be_bytes(*bytes))
}

/// What a GOAWAY frame says: the last stream that was or may be worked on, why, and more words.
pub(super) fn goaway(payload: &[u8]) -> Option<(u32, u32, &[u8])> {
    let (last, rest) = payload.split_first_chunk::<4>()?;
    let (code, words) = rest.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*last) & 0x7fff_ffff, u32::from_be_bytes(*code), words))
}

/// The name of an error code (7).
pub(super) fn error_name(code: u32) -> Option<&'static str> {
    const NAMES: [&str; 14] = [
        "NO_ERROR",
        "PROTOCOL_ERROR",
        "INTERNAL_ERROR",
        "FLOW_CONTROL_ERROR",
        "SETTINGS_TIMEOUT",
        "STREAM_CLOSED",
        "FRAME_SIZE_ERROR",
        "REFUSED_STREAM",
        "CANCEL",
        "COMPRESSION_ERROR",
        "CONNECT_ERROR",
        "ENHANCE_YOUR_CALM",
        "INADEQUATE_SECURITY",
        "HTTP_1_1_REQUIRED",
    ];
    NAMES.get(code as usize).copied()
}
