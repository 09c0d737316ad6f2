//! Bytes of the wire as text.

use std::fmt::Write;

/// Bytes as text that can be shown: what is not printable, or no UTF-8, as `\xHH`.
pub(crate) fn printable(bytes: &[u8]) -> String {
    let plain = |byte: &u8| (b' '..0x7f).contains(byte);
    if bytes.iter().all(plain) {
        return String::from_utf8_lossy(bytes).into_owned();
    }
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for letter in chunk.valid().chars() {
            if letter.is_control() {
                push_escaped(&mut text, letter as u32);
            } else {
                text.push(letter);
            }
        }
        for &byte in chunk.invalid() {
            push_escaped(&mut text, u32::from(byte));
        }
    }
    text
}

fn push_escaped(text: &mut String, code: u32) {
    // Writing to a string cannot fail.
    let _ = write!(text, "\\x{code:02x}");
}

/// Bytes as text, what is no UTF-8 replaced. Nearly all are UTF-8, and that is told by words of eight bytes;
/// `from_utf8_lossy` goes byte by byte, which was a tenth of all that HTTP costs.
pub(crate) fn lossy(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.to_owned(),
        Err(_) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Trace and span of a `traceparent` (W3C Trace Context, 3.2).
pub(crate) fn traceparent(value: &[u8]) -> Option<(String, String)> {
    let mut parts = std::str::from_utf8(value).ok()?.trim().split('-');
    let (_version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let id = |id: &str, width: usize| {
        let fits = id.len() == width && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        (fits && id.bytes().any(|byte| byte != b'0')).then(|| id.to_ascii_lowercase())
    };
    Some((id(trace, 32)?, id(span, 16)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_trace_is_read_where_it_is_one() {
        let trace = "4bf92f3577b34da6a3ce929d0e0e4736";
        let check = |value: String, found: bool| assert_eq!(traceparent(value.as_bytes()).is_some(), found);
        check(format!("00-{trace}-00f067aa0ba902b7-01"), true);
        check(format!("00-{trace}-0000000000000000-01"), false);
        check("canary".to_owned(), false);
        check(format!("00-{trace}"), false);
    }

    #[test]
    fn what_cannot_be_shown_is_escaped() {
        assert_eq!(printable(b"user:17"), "user:17");
        assert_eq!(printable("schl\u{fc}ssel".as_bytes()), "schl\u{fc}ssel");
        assert_eq!(printable(b"a\0\xff\n"), "a\\x00\\xff\\x0a");
    }
}
