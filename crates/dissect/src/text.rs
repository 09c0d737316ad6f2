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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_shown_is_escaped() {
        assert_eq!(printable(b"user:17"), "user:17");
        assert_eq!(printable("schl\u{fc}ssel".as_bytes()), "schl\u{fc}ssel");
        assert_eq!(printable(b"a\0\xff\n"), "a\\x00\\xff\\x0a");
    }
}
