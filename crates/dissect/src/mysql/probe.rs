//! Whether a flow is MySQL.

use wirewise_model::Side;

use super::parse::{HEADER, behind_attributes, failure, greeting, header};
use crate::statement::{self, Dialect};
use crate::{Heads, Probe};

/// Length of the header of a compressed frame.
const FRAME: usize = 7;

pub(super) fn probe(heads: &Heads<'_>) -> Probe {
    let hinted = heads.ports.iter().any(|port| super::PROTOCOL.ports.contains(port));
    let mut verdict = Probe::No;
    for side in [Side::A, Side::B] {
        let bytes = heads.of(side);
        if bytes.is_empty() {
            continue;
        }
        match server(bytes) {
            Some(true) => return Probe::Yes { client: side.other() },
            Some(false) => {}
            // The server speaks first: a client that has spoken has heard a whole greeting.
            None if !heads.ended && heads.of(side.other()).is_empty() => verdict = Probe::NeedMore,
            None => {}
        }
        if heads.mid_stream && client(bytes, hinted) {
            return Probe::Yes { client: side };
        }
    }
    verdict
}

/// Whether this is the server's first packet; `None` where it may be.
fn server(bytes: &[u8]) -> Option<bool> {
    let header = match header(bytes) {
        Some(header) => header,
        // The length of a greeting has one byte, the number is 0.
        None => return if bytes.iter().skip(1).all(|byte| *byte == 0) { None } else { Some(false) },
    };
    if header.number != 0 || !(10..1024).contains(&header.length) {
        return Some(false);
    }
    match bytes.get(HEADER) {
        Some(10 | 0xff) => {}
        Some(_) => return Some(false),
        None => return None,
    }
    let body = bytes.get(HEADER..HEADER + header.length as usize)?;
    Some(greeting(body).is_some() || is_refusal(body))
}

/// ERR in the place of a greeting: too many connections, a host that may not connect.
pub(super) fn is_refusal(body: &[u8]) -> bool {
    failure(body).is_some_and(|failure| {
        (1000..5000).contains(&failure.code)
            && failure.message.len() > 4
            && std::str::from_utf8(failure.message).is_ok_and(|message| !message.contains(char::is_control))
    })
}

/// Whether this is a command.
fn client(bytes: &[u8], hinted: bool) -> bool {
    let Some(packet) = header(bytes) else { return false };
    if packet.number != 0 {
        return false;
    }
    let length = packet.length as usize;
    // A compressed frame that is not: the packet inside is as long as it says.
    if let Some([0, 0, 0]) = bytes.get(HEADER..FRAME)
        && let Some(inner) = bytes.get(FRAME..)
        && header(inner).is_some_and(|inner| inner.number == 0 && inner.length as usize + HEADER == length)
    {
        return client(inner, hinted);
    }
    let Some((&command, rest)) = bytes.get(HEADER..).and_then(<[u8]>::split_first) else { return false };
    let rest = &rest[..rest.len().min(length.saturating_sub(1))];
    let whole = bytes.len() == HEADER + length;
    match command {
        0x03 | 0x16 => {
            let begins = |text| statement::begins(text, Dialect::MySql);
            length > 1 && (begins(rest) || (command == 0x03 && behind_attributes(rest).is_some_and(begins)))
        }
        0x0e | 0x01 | 0x1f | 0x09 => hinted && whole && length == 1,
        // The number of iterations is always one.
        0x17 => hinted && whole && length >= 10 && rest.get(5..9) == Some(&[1, 0, 0, 0]),
        0x19 | 0x1a => hinted && whole && length == 5,
        _ => false,
    }
}
