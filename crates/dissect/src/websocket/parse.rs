//! Heads of frames, RFC 6455, 5.2. Pure.

/// The longest head: two bytes, a length of eight, a key of four.
pub(super) const LONGEST_HEAD: usize = 14;
/// What a control frame may carry (5.5).
pub(super) const LONGEST_CONTROL: usize = 125;

/// Opcodes of RFC 6455, 11.8.
pub(super) mod opcode {
    pub(crate) const CONTINUATION: u8 = 0;
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const BINARY: u8 = 2;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PING: u8 = 9;
    pub(crate) const PONG: u8 = 10;
}

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head {
    pub(super) fin: bool,
    /// RSV1: with permessage-deflate, that the message is compressed (RFC 7692, 6).
    pub(super) compressed: bool,
    pub(super) opcode: u8,
    pub(super) mask: Option<[u8; 4]>,
    pub(super) length: u64,
}

/// What the first bytes of a frame are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// A head of so many bytes.
    Head(Head, usize),
    /// The head takes so many bytes, and there are fewer.
    Need(usize),
    /// No frame.
    Bad,
}

impl Head {
    /// Whether it may come between the frames of a message.
    pub(super) fn is_control(&self) -> bool {
        self.opcode & 8 != 0
    }
}

/// Reads a head from the front of `bytes`.
pub(super) fn head(bytes: &[u8]) -> Read {
    let &[first, second, ..] = bytes else { return Read::Need(2) };
    let (extended, key) = match second & 0x7f {
        126 => (2, 4),
        127 => (8, 10),
        _ => (0, 2),
    };
    let masked = second & 0x80 != 0;
    let whole = 2 + extended + if masked { 4 } else { 0 };
    let opcode = first & 0x0f;
    let known = matches!(opcode, opcode::CONTINUATION..=opcode::BINARY | opcode::CLOSE..=opcode::PONG);
    if !known || first & 0x30 != 0 {
        return Read::Bad;
    }
    let Some(head) = bytes.get(..whole) else { return Read::Need(whole) };
    let written = head.get(2..key).unwrap_or_default();
    let length = match written {
        [] => u64::from(second & 0x7f),
        written => written.iter().fold(0, |length, &byte| length << 8 | u64::from(byte)),
    };
    // 5.2: the most significant bit must be 0.
    if length >> 63 == 1 {
        return Read::Bad;
    }
    let mask = if masked { head.get(key..).and_then(|key| key.first_chunk().copied()) } else { None };
    Read::Head(Head { fin: first & 0x80 != 0, compressed: first & 0x40 != 0, opcode, mask, length }, whole)
}

/// Undoes the masking (5.3) of bytes that stand `at` bytes behind their head.
pub(super) fn unmask(bytes: &mut [u8], key: [u8; 4], at: u64) {
    for (nth, byte) in (at..).zip(bytes) {
        *byte ^= key[(nth & 3) as usize];
    }
}

/// The payload of a close frame: its code and its words (5.5.1). `None` where there is no code.
pub(super) fn close(payload: &[u8]) -> Option<(u16, String)> {
    let (&code, words) = payload.split_first_chunk::<2>()?;
    Some((u16::from_be_bytes(code), String::from_utf8_lossy(words).into_owned()))
}

/// What a close code is called (7.4.1, and the registry).
pub(super) fn close_name(code: u16) -> Option<&'static str> {
    Some(match code {
        1000 => "normal closure",
        1001 => "going away",
        1002 => "protocol error",
        1003 => "unsupported data",
        1005 => "no status received",
        1007 => "invalid payload data",
        1008 => "policy violation",
        1009 => "message too big",
        1010 => "mandatory extension",
        1011 => "internal error",
        1012 => "service restart",
        1013 => "try again later",
        1014 => "bad gateway",
        _ => return None,
    })
}

/// Whether a segment is nothing but whole masked frames, and one among them is no chance: a readable text, or one whose
/// long length fits. So a session is known that is entered in the middle.
pub(super) fn speaks_for_itself(mut bytes: &[u8]) -> bool {
    let mut evidence = 0;
    while !bytes.is_empty() {
        let Read::Head(head, begins) = head(bytes) else { return false };
        let (Some(key), Ok(length)) = (head.mask, usize::try_from(head.length)) else { return false };
        let Some(payload) = begins.checked_add(length).and_then(|ends| bytes.get(begins..ends)) else {
            return false;
        };
        let lawful = !head.is_control() || (head.fin && length <= LONGEST_CONTROL);
        if !lawful {
            return false;
        }
        // Sixteen bits of length that fit, behind a first byte that is one of few.
        evidence += u32::from(length > LONGEST_CONTROL);
        if head.opcode == opcode::TEXT && !head.compressed && length >= SHORTEST_TEXT {
            let mut payload = payload.to_vec();
            unmask(&mut payload, key, 0);
            let readable = std::str::from_utf8(&payload)
                .is_ok_and(|text| !text.chars().any(|letter| letter.is_control() && !letter.is_whitespace()));
            if !readable {
                return false;
            }
            evidence += 1;
        }
        bytes = bytes.get(begins + length..).unwrap_or_default();
    }
    evidence > 0
}

/// A text that is shorter may be readable by chance.
const SHORTEST_TEXT: usize = 4;

/// Whether `bytes` are whole frames to their end, masked as that side has to.
pub(super) fn are_frames(mut bytes: &[u8], masked: bool) -> bool {
    while !bytes.is_empty() {
        let Read::Head(head, begins) = head(bytes) else { return false };
        let lawful = !head.is_control() || (head.fin && head.length <= LONGEST_CONTROL as u64);
        let ends = usize::try_from(head.length).ok().and_then(|length| begins.checked_add(length));
        match ends.and_then(|ends| bytes.get(ends..)) {
            Some(rest) if lawful && head.mask.is_some() == masked => bytes = rest,
            _ => return false,
        }
    }
    true
}
