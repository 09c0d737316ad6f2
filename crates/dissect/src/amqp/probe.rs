//! Knows AMQP 0-9-1 by its header, and in mid-stream by the structure of its frames.

use wirewise_model::Side;

use super::names::From;
use super::parse::{self, FrameKind, Parsed};
use crate::{Heads, Probe};

/// The port of brokers without TLS.
const PORT: u16 = 5672;
/// A method's frame longer than this must be there whole to be one.
const BRIEF: u32 = 1024;

/// What bytes look like as a frame that begins with them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// A frame; who sends it, where that shows.
    Frame(Option<From>),
    No,
    NeedMore,
}

pub(super) fn probe(heads: &Heads<'_>) -> Probe {
    let mut verdict = Probe::No;
    for side in [Side::A, Side::B] {
        let bytes = heads.of(side);
        if bytes.is_empty() {
            continue;
        }
        match parse::hello(bytes) {
            // A server says it only to refuse another version, and then it speaks last.
            Parsed::Some(_) => {
                let refused = heads.opener == Some(side.other());
                return Probe::Yes { client: if refused { side.other() } else { side } };
            }
            Parsed::Short => verdict = Probe::NeedMore,
            Parsed::No => match look(bytes) {
                Look::Frame(Some(From::Client)) => return Probe::Yes { client: side },
                Look::Frame(Some(From::Server)) => return Probe::Yes { client: side.other() },
                Look::Frame(_) => return Probe::Yes { client: likely_client(heads) },
                Look::NeedMore if heads.mid_stream => verdict = Probe::NeedMore,
                Look::NeedMore | Look::No => {}
            },
        }
    }
    match verdict {
        Probe::NeedMore if heads.ended => Probe::No,
        verdict => verdict,
    }
}

/// Both sides send what was heard: the port tells, or the smaller one.
fn likely_client(heads: &Heads<'_>) -> Side {
    let [a, b] = heads.ports;
    match heads.opener {
        Some(opener) => opener,
        None if a == PORT || (b != PORT && a < b) => Side::B,
        None => Side::A,
    }
}

/// Whether a frame begins here. Of methods and headers the front is enough, unless they are long; a body must
/// be there to its end, since anything may begin as one does.
pub(super) fn look(bytes: &[u8]) -> Look {
    let frame = match parse::frame(bytes) {
        Parsed::Some(frame) => frame,
        Parsed::Short => return Look::NeedMore,
        Parsed::No => return Look::No,
    };
    let size = frame.size as usize;
    let payload = bytes.get(parse::HEAD..).unwrap_or_default();
    let end = payload.get(size).copied();
    if end.is_some_and(|end| end != parse::END) {
        return Look::No;
    }
    let from = match frame.kind {
        FrameKind::Heartbeat => None,
        FrameKind::Body => return if end.is_some() && size > 0 { Look::Frame(None) } else { Look::No },
        FrameKind::Header => {
            let mut cursor = parse::Cursor(payload);
            match (cursor.u16(), cursor.u16()) {
                (Some(class), Some(0)) if class == super::names::BASIC => None,
                (Some(_), Some(_)) => return Look::No,
                _ => return Look::NeedMore,
            }
        }
        FrameKind::Method => {
            let method = match parse::method(payload) {
                Parsed::Some(method) => method,
                Parsed::Short => return Look::NeedMore,
                Parsed::No => return Look::No,
            };
            if end.is_some() && parse::args(method, &payload[..size]).is_none_or(|(_, after)| after != 0) {
                return Look::No;
            }
            // The connection's own methods go over channel 0, all others do not.
            if (method.class == super::names::CONNECTION) != (frame.channel == 0) {
                return Look::No;
            }
            Some(method.from).filter(|from| *from != From::Both)
        }
    };
    match end {
        Some(_) => Look::Frame(from),
        None if frame.size <= BRIEF && frame.kind != FrameKind::Heartbeat => Look::Frame(from),
        None => Look::NeedMore,
    }
}
