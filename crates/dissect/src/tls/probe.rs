//! Whose bytes are these? A hello is recognised by its first eleven bytes; where a flow was picked up after its
//! beginning, any record header will do.

use wirewise_model::Side;

use super::PROTOCOL;
use super::parse::{HEADER, Header, HeaderCheck, SSL2_HELLO_HEAD, check_header, ssl2_hello_len};
use crate::{Heads, Probe};

/// Record header, handshake header, version.
const HELLO_HEAD: usize = HEADER + 4 + 2;

/// What one side's first bytes look like.
enum Look {
    ClientHello,
    ServerHello,
    /// Another record.
    Record,
    Short,
    Other,
}

/// The table's probe.
pub(super) fn probe(heads: &Heads<'_>) -> Probe {
    let mut short = false;
    for side in [Side::A, Side::B] {
        match look(heads.of(side)) {
            Look::ClientHello => return Probe::Yes { client: side },
            Look::ServerHello => return Probe::Yes { client: side.other() },
            Look::Record if heads.mid_stream => return Probe::Yes { client: likely_client(heads) },
            Look::Short => short |= !heads.of(side).is_empty(),
            Look::Record | Look::Other => {}
        }
    }
    if short && !heads.ended { Probe::NeedMore } else { Probe::No }
}

fn look(bytes: &[u8]) -> Look {
    if bytes.first().is_some_and(|first| first & 0x80 != 0) {
        return match ssl2_hello_len(bytes) {
            Some(_) => Look::ClientHello,
            None if bytes.len() < SSL2_HELLO_HEAD => Look::Short,
            None => Look::Other,
        };
    }
    let header = match check_header(bytes) {
        HeaderCheck::Whole(header) => header,
        HeaderCheck::Short => return Look::Short,
        HeaderCheck::Bad => return Look::Other,
    };
    if header.kind != Header::HANDSHAKE {
        return match next_is_header(bytes, header) {
            true => Look::Record,
            false => Look::Other,
        };
    }
    // A hello may be cut into records as small as its sender likes; then its first byte has to do.
    let body = &bytes[HEADER..];
    let hello = match body.first() {
        Some(1) => Look::ClientHello,
        Some(2) => Look::ServerHello,
        Some(_) if next_is_header(bytes, header) => return Look::Record,
        Some(_) => return Look::Other,
        None => return Look::Short,
    };
    if usize::from(header.len) < HELLO_HEAD - HEADER {
        return hello;
    }
    match body {
        [_, 0 | 1, _, _, 3 | 0x7f | 0xfb, _, ..] => hello,
        _ if bytes.len() < HELLO_HEAD => Look::Short,
        _ => Look::Other,
    }
}

/// Whether what follows the record, as far as it is here, is a header again.
fn next_is_header(bytes: &[u8], header: Header) -> bool {
    let next = bytes.get(HEADER + usize::from(header.len)..).unwrap_or_default();
    !matches!(check_header(next), HeaderCheck::Bad)
}

/// Who asks, where no hello says it: who opened the flow, else who is not on a port of TLS, else the higher port.
fn likely_client(heads: &Heads<'_>) -> Side {
    let known = heads.ports.map(|port| PROTOCOL.ports.contains(&port));
    match (heads.opener, known) {
        (Some(opener), _) => opener,
        (None, [true, false]) => Side::B,
        (None, [false, true]) => Side::A,
        (None, _) if heads.ports[0] < heads.ports[1] => Side::B,
        (None, _) => Side::A,
    }
}
