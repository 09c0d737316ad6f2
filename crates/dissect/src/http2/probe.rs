//! Do frames begin with these bytes, or somewhere in them? For detection, and for finding the next frame after a loss.

use wirewise_model::Side;

use super::hpack::Decoder;
use super::parse::{self, HEAD, Head, PREFACE, flag, kind};
use crate::{Heads, Probe};

/// Evidence that is enough to believe: one frame that says much by its fixed bytes, or several that fit together.
const ENOUGH: u32 = 2;
/// Most settings that anybody sends at once.
const MOST_SETTINGS: u32 = 32;
/// How far ahead of the newest stream a new one may be after a loss.
const AHEAD: u32 = 4096;

/// What some bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Frames; and who asks, where a header block tells: the side that sent it, or the other one.
    Yes {
        sender_asks: Option<bool>,
    },
    No,
    /// They are a beginning of frames.
    Maybe,
}

/// Whether `bytes` are the client's preface.
pub(super) fn preface(bytes: &[u8]) -> Look {
    let common = bytes.len().min(PREFACE.len());
    match (bytes[..common] == PREFACE[..common], common == PREFACE.len()) {
        (true, true) => Look::Yes { sender_asks: Some(true) },
        (true, false) => Look::Maybe,
        (false, _) => Look::No,
    }
}

/// Whether a server's preface begins here: SETTINGS that acknowledge nothing (RFC 9113, 3.4).
pub(super) fn server_preface(bytes: &[u8]) -> Look {
    let Some(head) = Head::parse(bytes) else { return Look::Maybe };
    let settings = head.kind == kind::SETTINGS && head.flags == 0 && head.is_usual();
    if !settings || head.length > MOST_SETTINGS * 6 {
        return Look::No;
    }
    match bytes.get(HEAD..HEAD + head.length as usize) {
        Some(payload) if parse::settings(payload).all(usual_setting) => {
            Look::Yes { sender_asks: Some(false) }
        }
        Some(_) => Look::No,
        None => Look::Maybe,
    }
}

/// The table's probe.
pub(super) fn probe(heads: &Heads<'_>) -> Probe {
    let mut wanting = false;
    let mut foreign = false;
    for side in [Side::A, Side::B] {
        match preface(heads.of(side)) {
            Look::Yes { .. } => return Probe::Yes { client: side },
            Look::Maybe => wanting |= !heads.of(side).is_empty(),
            Look::No => foreign |= heads.opener == Some(side) && !heads.mid_stream,
        }
    }
    // Whoever opened a flow that was heard from its beginning has to begin with the preface.
    if foreign {
        return Probe::No;
    }
    for side in [Side::A, Side::B] {
        let bytes = heads.of(side);
        if bytes.is_empty() {
            continue;
        }
        let look = if heads.mid_stream { frames(bytes) } else { server_preface(bytes) };
        match look {
            Look::Yes { sender_asks: Some(true) } => return Probe::Yes { client: side },
            Look::Yes { sender_asks: Some(false) } => return Probe::Yes { client: side.other() },
            Look::Yes { sender_asks: None } => return Probe::Yes { client: guess(heads) },
            Look::Maybe => wanting = true,
            Look::No => {}
        }
    }
    if wanting && !heads.ended { Probe::NeedMore } else { Probe::No }
}

/// Who asks, where nothing tells: servers have the lower port. A header block will correct it.
fn guess(heads: &Heads<'_>) -> Side {
    let by_port = if heads.ports[0] < heads.ports[1] { Side::B } else { Side::A };
    heads.opener.unwrap_or(by_port)
}

/// Whether `bytes`, of a connection of which nothing is known, begin with frames.
pub(super) fn frames(bytes: &[u8]) -> Look {
    let mut sender_asks = None;
    let (mut at, mut evidence) = (0, 0);
    while let Some(head) = Head::parse(&bytes[at..]) {
        if !head.is_usual() {
            return Look::No;
        }
        let from = at + HEAD;
        let Some(payload) = bytes.get(from..from + head.length as usize) else {
            return match evidence {
                ENOUGH.. => Look::Yes { sender_asks },
                // Many bytes are the head of a DATA frame: others need not wait for its end.
                0 if head.kind == kind::DATA => Look::No,
                _ => Look::Maybe,
            };
        };
        match weigh(&head, payload, &mut sender_asks) {
            Some(weight) => evidence += weight,
            None => return Look::No,
        }
        at = from + payload.len();
    }
    match evidence >= ENOUGH {
        true => Look::Yes { sender_asks },
        false if at < bytes.len() => Look::Maybe,
        false => Look::No,
    }
}

/// How much a frame speaks for itself; `None` where it cannot be one.
fn weigh(head: &Head, payload: &[u8], sender_asks: &mut Option<bool>) -> Option<u32> {
    match head.kind {
        kind::SETTINGS => parse::settings(payload).all(usual_setting).then_some(2),
        kind::PING | kind::PRIORITY => Some(2),
        kind::WINDOW_UPDATE => parse::number(payload).filter(|&step| step != 0 && step >> 31 == 0).map(|_| 2),
        kind::RST_STREAM => parse::number(payload).and_then(parse::error_name).map(|_| 2),
        kind::GOAWAY => parse::goaway(payload).and_then(|(_, code, _)| parse::error_name(code)).map(|_| 2),
        kind::HEADERS => {
            let block = parse::headers_fragment(head, payload)?;
            let (said, read) = who_sends(block);
            // A block that goes on in the next frame may end inside a field.
            if !read && head.has(flag::END_HEADERS) {
                return None;
            }
            *sender_asks = sender_asks.or(said);
            Some(if said.is_some() { 2 } else { u32::from(read) })
        }
        kind::PUSH_PROMISE => {
            let (promised, block) = parse::promise_fragment(head, payload)?;
            let (said, read) = who_sends(block);
            *sender_asks = sender_asks.or(Some(false));
            (promised.is_multiple_of(2) && read && said == Some(true)).then_some(2)
        }
        kind::DATA => parse::unpadded(payload, head.has(flag::PADDED)).map(|_| 1),
        _ => Some(0),
    }
}

/// Whether a header block is a request's, as far as its pseudo-fields are known, and whether it can be read at all.
fn who_sends(block: &[u8]) -> (Option<bool>, bool) {
    let mut said = None;
    let mut sound = true;
    let decoded = Decoder::new(0).decode(block, |name, value| match name {
        Some(b":method" | b":path" | b":scheme" | b":authority") => said = Some(true),
        Some(b":status") => {
            sound &= value.is_none_or(|value| value.len() == 3 && value.iter().all(u8::is_ascii_digit));
            said = Some(false);
        }
        Some(name) => sound &= !name.is_empty() && name.iter().all(|byte| (b' '..0x7f).contains(byte)),
        None => {}
    });
    if sound { (said, decoded.is_ok()) } else { (None, false) }
}

/// Registered settings have low numbers, and values within their bounds (RFC 9113, 6.5.2); those that are sent to
/// keep receivers tolerant may be any.
fn usual_setting((identifier, value): (u16, u32)) -> bool {
    match identifier {
        2 | 8 | 9 => value <= 1,
        4 => value >> 31 == 0,
        5 => (16_384..1 << 24).contains(&value),
        0 => false,
        _ => true,
    }
}

/// What is known of a connection, to tell its frames from bytes that look like one.
pub(super) struct Known<'a> {
    /// Whether a stream is under way.
    pub(super) is_open: &'a dyn Fn(u32) -> bool,
    /// The newest stream of the client's.
    pub(super) newest: u32,
}

impl Known<'_> {
    fn knows(&self, head: &Head) -> bool {
        match head.kind {
            kind::DATA | kind::CONTINUATION => (self.is_open)(head.stream),
            _ if head.stream == 0 || (self.is_open)(head.stream) => true,
            // A new one, or one whose end was not heard.
            _ => head.stream <= self.newest.saturating_add(AHEAD),
        }
    }
}

/// Where the first frame begins in the bytes of one segment, after a loss.
pub(super) fn find(bytes: &[u8], known: &Known<'_>) -> Option<usize> {
    (0..bytes.len().saturating_sub(HEAD - 1)).find(|&at| follows(&bytes[at..], at == 0, known))
}

/// Whether frames that belong to what is known reach from here to the end of the segment.
fn follows(bytes: &[u8], begins: bool, known: &Known<'_>) -> bool {
    let (mut at, mut evidence) = (0, 0);
    let mut ignored = None;
    while let Some(head) = Head::parse(&bytes[at..]) {
        if !head.is_usual() || !known.knows(&head) {
            return false;
        }
        let from = at + HEAD;
        let Some(payload) = bytes.get(from..from + head.length as usize) else {
            // The last one goes on in the next segment. A segment that begins with a frame of an open stream is
            // likely enough; inside of one more has to be seen.
            return evidence >= ENOUGH || (begins && head.kind == kind::DATA && (known.is_open)(head.stream));
        };
        match weigh(&head, payload, &mut ignored) {
            Some(weight) => evidence += weight,
            None => return false,
        }
        at = from + payload.len();
    }
    evidence >= if begins { 1 } else { ENOUGH }
}
