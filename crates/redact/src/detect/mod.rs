//! Finds secrets by what they look like, in any text: keys of known makers, JWTs, PEM blocks, cards,
//! passwords in URLs, `name=value` pairs, authentication schemes, base64 that wraps any of these, and runs
//! too random to be words. Ids that people search for stay: UUIDs, trace ids, hashes up to 32 hex digits.
//!
//! One glance over the bytes decides which of the searches are worth making; most texts need none.

mod credentials;
mod encoded;
mod keys;
mod numbers;
mod random;
#[cfg(test)]
mod tests;

use std::ops::Range;

use memchr::memchr_iter;

use crate::kind::Kind;

pub(crate) use encoded::decode;
pub(crate) use numbers::is_card;
pub(crate) use random::is_made;

/// How deep base64 in base64 is opened.
const DEEPEST: u8 = 3;

/// Something to hide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    pub(crate) range: Range<usize>,
    pub(crate) kind: Kind,
}

/// Whether runs that merely look random count. Off where random-looking ids are at home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Random {
    Hide,
    Keep,
}

/// What one pass over the bytes shows.
#[derive(Clone, Copy, Default)]
struct Glance {
    longest_run: usize,
    digits: usize,
    seen: u8,
}

const DIGIT: u8 = 1;
const RUN: u8 = 2;
const AT: u8 = 4;
const SEPARATOR: u8 = 8;
const SPACE: u8 = 16;
const PERCENT: u8 = 32;
const LETTER: u8 = 64;
const DASH: u8 = 128;

/// Classes of bytes. `RUN` are those that keys and encodings are made of.
const CLASS: [u8; 256] = {
    let mut class = [0u8; 256];
    let mut byte = 0usize;
    while byte < 256 {
        class[byte] = match byte as u8 {
            b'0'..=b'9' => DIGIT | RUN,
            b'a'..=b'z' | b'A'..=b'Z' => LETTER | RUN,
            b'-' => DASH | RUN,
            b'_' | b'+' | b'/' | b'.' => RUN,
            b'@' => AT,
            b'=' | b':' => SEPARATOR,
            b' ' | b'\t' | b'\n' | b'\r' => SPACE,
            b'%' => PERCENT,
            _ => 0,
        };
        byte += 1;
    }
    class
};

fn glance(bytes: &[u8]) -> Glance {
    let (mut glance, mut run) = (Glance::default(), 0usize);
    for &byte in bytes {
        let class = CLASS[usize::from(byte)];
        glance.seen |= class;
        glance.digits += usize::from(class & DIGIT);
        if class & RUN != 0 {
            run += 1;
        } else {
            glance.longest_run = glance.longest_run.max(run);
            run = 0;
        }
    }
    glance.longest_run = glance.longest_run.max(run);
    glance
}

/// Everything to hide in `text`, in order, without overlaps.
pub(crate) fn spans(text: &str, random: Random) -> Vec<Span> {
    find(text, random, DEEPEST)
}

fn find(text: &str, random: Random, depth: u8) -> Vec<Span> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let glance = glance(bytes);
    if glance.seen & DASH != 0 && bytes.len() > 20 {
        keys::pem(text, &mut found);
    }
    if glance.seen & AT != 0 && glance.seen & SEPARATOR != 0 {
        credentials::userinfo(text, &mut found);
    }
    if glance.seen & SEPARATOR != 0 {
        credentials::pairs(text, &mut found);
    }
    if glance.seen & SPACE != 0 {
        credentials::schemes(text, &mut found);
    }
    if glance.seen & AT != 0 {
        emails(text, &mut found);
    }
    if glance.digits >= 9 {
        numbers::numbers(text, &mut found);
    }
    if glance.longest_run >= encoded::SHORTEST && glance.seen & LETTER != 0 {
        runs(text, random, depth, &mut found);
    }
    settle(&mut found);
    found
}

/// Whether percent-encoding may hide something from [`spans`].
pub(crate) fn is_percent_encoded(text: &str) -> bool {
    memchr::memchr(b'%', text.as_bytes()).is_some()
}

/// Orders spans; of two that overlap the earlier found kind holds, and covers both.
fn settle(found: &mut Vec<Span>) {
    if found.len() < 2 {
        return;
    }
    found.sort_by_key(|span| span.range.start);
    let mut kept: Vec<Span> = Vec::with_capacity(found.len());
    for span in found.drain(..) {
        match kept.last_mut() {
            Some(last) if span.range.start < last.range.end => {
                last.range.end = last.range.end.max(span.range.end);
            }
            _ => kept.push(span),
        }
    }
    *found = kept;
}

/// Whether redaction has been here before: `[redacted:kind]`, or `[kind:` and twelve digits of base32.
pub(crate) fn is_placeholder(value: &str) -> bool {
    let inside = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
    let Some((kind, digits)) = inside.and_then(|inside| inside.split_once(':')) else { return false };
    let word =
        |word: &str| word.len() <= 16 && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let digit = |byte: u8| byte.is_ascii_digit() || byte.is_ascii_lowercase();
    match kind {
        "redacted" | "omitted" => word(digits),
        kind => word(kind) && digits.len() == 12 && digits.bytes().all(digit),
    }
}

fn emails(text: &str, found: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    for at in memchr_iter(b'@', bytes) {
        let local = bytes[..at]
            .iter()
            .rev()
            .take_while(|&&byte| byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte) || byte >= 0x80)
            .count();
        let domain = bytes[at + 1..]
            .iter()
            .take_while(|&&byte| byte.is_ascii_alphanumeric() || b".-".contains(&byte) || byte >= 0x80)
            .count();
        let (start, mut end) = (at - local, at + 1 + domain);
        while end > at + 1 && matches!(bytes[end - 1], b'.' | b'-') {
            end -= 1;
        }
        let Some((_, top)) = text.get(at + 1..end).and_then(|domain| domain.rsplit_once('.')) else {
            continue;
        };
        if local > 0 && top.len() >= 2 && top.bytes().all(|byte| byte.is_ascii_alphabetic() || byte >= 0x80) {
            found.push(Span { range: start..end, kind: Kind::Email });
        }
    }
}

/// Runs of what keys are made of: known prefixes, IBANs, long hex, base64 that wraps something, randomness.
fn runs(text: &str, random: Random, depth: u8, found: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if CLASS[usize::from(bytes[at])] & RUN == 0 {
            at += 1;
            continue;
        }
        let start = at;
        while at < bytes.len() && CLASS[usize::from(bytes[at])] & RUN != 0 {
            at += 1;
        }
        if at - start < encoded::SHORTEST {
            continue;
        }
        let padded = at + bytes[at..].iter().take(2).take_while(|&&byte| byte == b'=').count();
        let run = &text[start..at];
        if keys::prefixed(run, start, found) || encoded::wrapped(run, start..padded, depth, found) {
            continue;
        }
        if run.len() >= 15 {
            numbers::ibans(run, start, found);
        }
        if random == Random::Hide && run.len() >= 24 {
            random::randomness(text, start..at, found);
        }
    }
}
