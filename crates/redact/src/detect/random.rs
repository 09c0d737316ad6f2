//! Runs too random to be words.

use std::ops::Range;

use super::Span;
use crate::kind::Kind;

/// Runs that no person and no hash function in common use would write.
pub(super) fn randomness(text: &str, run: Range<usize>, found: &mut Vec<Span>) {
    let whole = &text[run.clone()];
    let after_digest_name = ["sha256:", "sha512:", "sha384:", "sha1:", "sha256-", "sha512-", "sha384-"]
        .iter()
        .any(|name| text[..run.start].ends_with(name) || whole.starts_with(name));
    if after_digest_name {
        return;
    }
    if !whole.contains('.') && mixes_three_classes(whole) {
        found.push(Span { range: run, kind: Kind::Secret });
        return;
    }
    let mut offset = run.start;
    for part in whole.split(['/', '.', '+']) {
        if mixes_three_classes(part) {
            found.push(Span { range: offset..offset + part.len(), kind: Kind::Secret });
        } else {
            let mut at = offset;
            for piece in part.split(['-', '_']) {
                if is_long_hex(piece) || mixes_two_classes(piece) {
                    found.push(Span { range: at..at + piece.len(), kind: Kind::Secret });
                }
                at += piece.len() + 1;
            }
        }
        offset += part.len() + 1;
    }
}

/// SHA-1 and longer, or keys of that length. MD5s, UUIDs and trace ids have 32 digits and stay.
fn is_long_hex(piece: &str) -> bool {
    piece.len() >= 40
        && piece.bytes().all(|byte| byte.is_ascii_hexdigit())
        && piece.bytes().any(|byte| byte.is_ascii_digit())
        && piece.bytes().any(|byte| byte.is_ascii_alphabetic())
}

#[derive(Default)]
struct Mix {
    upper: usize,
    lower: usize,
    digit: usize,
    changes: usize,
}

impl Mix {
    fn of(text: &str) -> Self {
        let (mut mix, mut before) = (Self::default(), 0u8);
        for byte in text.bytes() {
            let class = match byte {
                b'A'..=b'Z' => {
                    mix.upper += 1;
                    1
                }
                b'a'..=b'z' => {
                    mix.lower += 1;
                    2
                }
                b'0'..=b'9' => {
                    mix.digit += 1;
                    3
                }
                _ => continue,
            };
            mix.changes += usize::from(before != 0 && before != class);
            before = class;
        }
        mix
    }

    fn length(&self) -> usize {
        self.upper + self.lower + self.digit
    }
}

/// Random base64 changes class between 64% of its letters, CamelCase words between a third.
fn mixes_three_classes(text: &str) -> bool {
    let mix = Mix::of(text);
    let all = mix.upper > 0 && mix.lower > 0 && mix.digit > 0;
    // Secret keys of AWS have 40 characters, with or without much mixture.
    let least = if text.len() == 40 { 30 } else { 42 };
    all && mix.length() >= 24 && mix.changes * 100 >= least * mix.length()
}

/// Whether a path segment was made by a machine: hexadecimal, a UUID, or letters and digits mixed.
pub(crate) fn is_made(segment: &str) -> bool {
    let mix = Mix::of(segment);
    mix.digit > 0 && mix.length() >= 12 && mix.changes * 100 >= 20 * mix.length()
}

/// Random base36 changes class between 40% of its letters. Hex is judged by its length alone.
fn mixes_two_classes(piece: &str) -> bool {
    if piece.len() < 32 || piece.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return false;
    }
    let mix = Mix::of(piece);
    mix.digit > 0 && mix.length() == piece.len() && mix.changes * 100 >= 30 * mix.length()
}
