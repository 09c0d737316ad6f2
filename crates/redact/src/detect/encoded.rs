//! Base64 that wraps something to hide.

use std::ops::Range;

use base64::Engine;

use super::{Random, Span, find};
use crate::kind::Kind;

/// Base64 shorter than this wraps nothing worth hiding.
pub(super) const SHORTEST: usize = 12;
/// More of one run is not decoded: what it is shows at its front.
const LONGEST: usize = 64 << 10;

/// Base64 of a text that holds something to hide, or of `user:password`.
pub(super) fn wrapped(run: &str, range: Range<usize>, depth: u8, found: &mut Vec<Span>) -> bool {
    if depth == 0 || run.len() > LONGEST {
        return false;
    }
    // A path is tried piece by piece, a whole run as one.
    let mut offset = 0;
    let mut any = false;
    if let Some(kind) = kind_of_wrapped(run, depth) {
        found.push(Span { range, kind });
        return true;
    }
    if !run.contains(['/', '.']) {
        return false;
    }
    for piece in run.split(['/', '.']) {
        if piece.len() >= SHORTEST
            && piece.len() < run.len()
            && let Some(kind) = kind_of_wrapped(piece, depth)
        {
            let start = range.start + offset;
            found.push(Span { range: start..start + piece.len(), kind });
            any = true;
        }
        offset += piece.len() + 1;
    }
    any
}

fn kind_of_wrapped(run: &str, depth: u8) -> Option<Kind> {
    let text = decode(run)?;
    if let Some(span) = find(&text, Random::Keep, depth - 1).into_iter().next() {
        return Some(span.kind);
    }
    let (user, password) = text.split_once(':')?;
    let plain = |part: &str| !part.is_empty() && !part.contains(['{', '"', '\n', '/']) && part.len() <= 128;
    (plain(user) && plain(password) && !user.contains(' ')).then_some(Kind::Basic)
}

/// The text that base64 of either alphabet stands for, where it is one that could be read aloud.
pub(crate) fn decode(run: &str) -> Option<String> {
    let run = run.trim_end_matches('=');
    // A few characters tell most runs apart, without allocation.
    if run.len() < 4 || run.len() % 4 == 1 || !begins_readable(run.as_bytes()) {
        return None;
    }
    if run.bytes().any(|byte| !byte.is_ascii_alphanumeric() && !b"+/-_".contains(&byte)) {
        return None;
    }
    let standard: String = run
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            c => c,
        })
        .collect();
    let bytes = LENIENT.decode(&standard).ok()?;
    let text = String::from_utf8(bytes).ok()?;
    text.bytes().all(is_readable).then_some(text)
}

/// Whether the first six bytes that base64 stands for could be read: words of English rarely can.
fn begins_readable(run: &[u8]) -> bool {
    let value = |byte: u8| match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' | b'-' => 62,
        _ => 63,
    };
    run.chunks_exact(4).take(2).all(|four| {
        let [a, b, c, d] = [value(four[0]), value(four[1]), value(four[2]), value(four[3])];
        [a << 2 | b >> 4, b << 4 | c >> 2, c << 6 | d].iter().all(|&byte| is_readable(byte))
    })
}

/// Without padding, and not strict about the bits that are left over.
const LENIENT: base64::engine::GeneralPurpose = base64::engine::GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    base64::engine::general_purpose::NO_PAD_INDIFFERENT.with_decode_allow_trailing_bits(true),
);

fn is_readable(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..)
}
