//! Finds secrets by what they look like, in any text: keys of known makers, JWTs, PEM blocks, cards,
//! passwords in URLs, `name=value` pairs, authentication schemes, base64 that wraps any of these, and runs
//! too random to be words. Ids that people search for stay: UUIDs, trace ids, hashes up to 32 hex digits.
//!
//! One glance over the bytes decides which of the searches are worth making; most texts need none.

use std::ops::Range;

use base64::Engine;
use memchr::{memchr_iter, memchr2, memchr2_iter, memmem};

use crate::kind::Kind;
use crate::names;
use crate::text::floor;

/// How deep base64 in base64 is opened.
const DEEPEST: u8 = 3;
/// Base64 shorter than this wraps nothing worth hiding.
const SHORTEST_BASE64: usize = 12;
/// More of one run is not decoded: what it is shows at its front.
const LONGEST_BASE64: usize = 64 << 10;

/// Users and passwords longer than this are not looked for.
const LONGEST_AUTHORITY: usize = 4096;

/// Keys whose makers gave them a prefix, with how many more characters they have at least.
const PREFIXES: &[(&str, usize, Kind)] = &[
    ("AKIA", 12, Kind::ApiKey),
    ("ASIA", 12, Kind::ApiKey),
    ("AIza", 30, Kind::ApiKey),
    ("ya29.", 20, Kind::Token),
    ("GOCSPX-", 20, Kind::Secret),
    ("ghp_", 20, Kind::Token),
    ("gho_", 20, Kind::Token),
    ("ghu_", 20, Kind::Token),
    ("ghs_", 20, Kind::Token),
    ("ghr_", 20, Kind::Token),
    ("github_pat_", 20, Kind::Token),
    ("glpat-", 16, Kind::Token),
    ("gldt-", 16, Kind::Token),
    ("xoxa-", 10, Kind::Token),
    ("xoxb-", 10, Kind::Token),
    ("xoxp-", 10, Kind::Token),
    ("xoxr-", 10, Kind::Token),
    ("xoxs-", 10, Kind::Token),
    ("xapp-", 10, Kind::Token),
    ("sk_live_", 10, Kind::ApiKey),
    ("sk_test_", 10, Kind::ApiKey),
    ("rk_live_", 10, Kind::ApiKey),
    ("rk_test_", 10, Kind::ApiKey),
    ("whsec_", 16, Kind::Secret),
    ("sk-", 20, Kind::ApiKey),
    ("SG.", 20, Kind::ApiKey),
    ("npm_", 30, Kind::Token),
    ("pypi-", 30, Kind::Token),
    ("hf_", 20, Kind::Token),
    ("dop_v1_", 20, Kind::Token),
    ("shpat_", 20, Kind::Token),
    ("shpss_", 20, Kind::Token),
    ("hvs.", 16, Kind::Token),
    ("hvb.", 16, Kind::Token),
    ("s.", 24, Kind::Token),
    ("AGE-SECRET-KEY-", 20, Kind::PrivateKey),
    ("eyJ", 40, Kind::Jwt),
];

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
        pem(text, &mut found);
    }
    if glance.seen & AT != 0 && glance.seen & SEPARATOR != 0 {
        userinfo(text, &mut found);
    }
    if glance.seen & SEPARATOR != 0 {
        pairs(text, &mut found);
    }
    if glance.seen & SPACE != 0 {
        schemes(text, &mut found);
    }
    if glance.seen & AT != 0 {
        emails(text, &mut found);
    }
    if glance.digits >= 9 {
        numbers(text, &mut found);
    }
    if glance.longest_run >= SHORTEST_BASE64 && glance.seen & LETTER != 0 {
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

/// Blocks of RFC 7468. Without an end they go to the end of the text.
fn pem(text: &str, found: &mut Vec<Span>) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| memmem::find(rest.as_bytes(), b"-----BEGIN ")) {
        let start = from + at;
        let end = memmem::find(&text.as_bytes()[start..], b"-----END ")
            .and_then(|at| {
                let label = start + at + "-----END ".len();
                memmem::find(&text.as_bytes()[label..], b"-----").map(|at| label + at + 5)
            })
            .unwrap_or(text.len());
        found.push(Span { range: start..end, kind: Kind::PrivateKey });
        from = end;
    }
}

/// `scheme://user:password@host` (RFC 3986, 3.2.1), also where a password holds an unencoded `/` or `@`.
fn userinfo(text: &str, found: &mut Vec<Span>) {
    let mut done = 0;
    for at in memmem::find_iter(text.as_bytes(), b"://") {
        let start = at + 3;
        if start < done {
            continue;
        }
        let rest = &text[start..floor(text, start + LONGEST_AUTHORITY)];
        let word =
            rest.find(|c: char| c.is_whitespace() || "\"'<>`".contains(c)).map_or(rest, |end| &rest[..end]);
        let authority = word.find(['/', '?', '#', ',']).map_or(word, |end| &word[..end]);
        let end = match authority.rfind('@') {
            Some(end) => end,
            None => {
                let port = authority.split_once(':').map(|(_, port)| port);
                let is_port = port.is_none_or(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
                match word.find('@') {
                    Some(end) if !is_port => end,
                    _ => continue,
                }
            }
        };
        done = start + end;
        let (user, password) = match word[..end].find(':') {
            Some(colon) => (0..colon, Some(colon + 1..end)),
            None => (0..end, None),
        };
        let mut push = |range: Range<usize>, kind| {
            if !range.is_empty() && !is_placeholder(&rest[range.clone()]) {
                found.push(Span { range: start + range.start..start + range.end, kind });
            }
        };
        // A token often stands alone before the `@`.
        let user_kind = if password.is_none() && user.len() >= 20 { Kind::Token } else { Kind::User };
        push(user, user_kind);
        if let Some(password) = password {
            push(password, Kind::Password);
        }
    }
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

fn is_name_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_-.$%[]".contains(&byte) || byte >= 0x80
}

/// The name that ends right before `end`, past blanks, quotes and escapes.
fn name_before(text: &str, end: usize) -> &str {
    let bytes = text.as_bytes();
    let mut stop = end;
    while stop > 0 && matches!(bytes[stop - 1], b' ' | b'"' | b'\'' | b'\\' | b'`') {
        stop -= 1;
    }
    let mut start = stop;
    while start > 0 && stop - start < 128 && is_name_byte(bytes[start - 1]) {
        start -= 1;
    }
    while !text.is_char_boundary(start) {
        start += 1;
    }
    text.get(start..stop).unwrap_or("")
}

/// `name=value`, `name: value`, `"name": "value"`, `\"name\":\"value\"`, where the name tells a secret.
fn pairs(text: &str, found: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for at in memchr2_iter(b'=', b':', bytes) {
        if at < done {
            continue;
        }
        let before = at.checked_sub(1).map(|before| bytes[before]);
        if !before
            .is_some_and(|byte| is_name_byte(byte) || matches!(byte, b' ' | b'"' | b'\'' | b'\\' | b'`'))
        {
            continue;
        }
        let name = name_before(text, at);
        if !name.bytes().any(|byte| byte.is_ascii_alphabetic() || byte >= 0x80) {
            continue;
        }
        let Some(kind) = names::classify(name) else { continue };
        let mut start = at + 1;
        // `=>` of Ruby and PHP, `:=`, `==`.
        while bytes.get(start).is_some_and(|&byte| matches!(byte, b'>' | b'=' | b' ' | b'\t')) {
            start += 1;
        }
        // `[token:` of a placeholder is no name.
        let opened = at - name.len();
        let closed = text[at..].find(']').map(|end| at + end + 1);
        if name.starts_with('[')
            && closed.is_some_and(|end| text.get(opened..end).is_some_and(is_placeholder))
        {
            continue;
        }
        // A name in a URL's scheme position is none.
        if bytes[at] == b':' && bytes[at + 1..].starts_with(b"//") {
            continue;
        }
        done = push_value(text, start, kind, found);
    }
}

/// Adds the value that begins at `start`, and says where it ends.
fn push_value(text: &str, start: usize, kind: Kind, found: &mut Vec<Span>) -> usize {
    let range = value_at(text, start, kind);
    let value = &text[range.clone()];
    let says_nothing = matches!(value, "" | "null" | "true" | "false" | "none" | "None");
    // A person's name counts only where it can be one: `user: {...}` is a structure.
    let structure = kind.is_person() && value.starts_with(['{', '[', '(']);
    let end = range.end;
    if says_nothing || structure || is_placeholder(value) {
        return start;
    }
    found.push(Span { range, kind });
    end
}

/// How far a value reaches: to its closing quote; or to a delimiter, over further words as long as they do
/// not begin another pair, since passwords may hold blanks.
fn value_at(text: &str, start: usize, kind: Kind) -> Range<usize> {
    let bytes = text.as_bytes();
    let quote = start + bytes[start.min(bytes.len())..].iter().take_while(|&&byte| byte == b'\\').count();
    if let Some(&mark @ (b'"' | b'\'' | b'`')) = bytes.get(quote) {
        let escapes = quote - start;
        let inside = quote + 1;
        let mut at = inside;
        while let Some(next) = memchr::memchr(mark, &bytes[at..]).map(|next| at + next) {
            let slashes = bytes[inside..next].iter().rev().take_while(|&&byte| byte == b'\\').count();
            // A quote at the same depth of escaping closes; one that is escaped deeper does not.
            if slashes <= escapes {
                return inside..next - slashes;
            }
            at = next + 1;
        }
        return inside..text.len();
    }
    let several_words = matches!(kind, Kind::Password | Kind::Credential | Kind::Bearer | Kind::Cookie);
    let mut end = start.min(text.len());
    loop {
        let word = &text[end..];
        let length = word
            .find(|c: char| {
                c.is_whitespace() || matches!(c, '&' | ';' | ',' | '"' | '\'' | '`' | '<' | '>' | '}')
            })
            .unwrap_or(word.len());
        end += length;
        let next = &text[end..];
        let blank = next.len() - next.trim_start_matches([' ', '\t']).len();
        let following = next[blank..].split([' ', ',', ';', '&', '\n', '\r', '"']).next().unwrap_or("");
        let goes_on = several_words
            && blank > 0
            && !following.is_empty()
            && !following.contains(['=', ':'])
            && !next[blank..].starts_with(['{', '}', '(', '"']);
        if !goes_on {
            return start.min(end)..end;
        }
        end += blank;
    }
}

/// `Bearer x`, `Basic x`, `AUTH x`, `PASS x`, `IDENTIFIED BY 'x'`, `PASSWORD 'x'`.
fn schemes(text: &str, found: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let mut done = 0;
    for at in memchr_iter(b' ', bytes) {
        let start = at + 1;
        if start < done {
            continue;
        }
        let word = name_before_blank(text, at);
        let rest = &text[start..];
        let quoted = matches!(bytes.get(start), Some(b'\'' | b'"' | b'\\'));
        if !quoted && !matches!(word.len(), 4..=6) {
            continue;
        }
        let kind = match word.len() {
            6 if word.eq_ignore_ascii_case("bearer") && looks_made(first_word(rest)) => Some(Kind::Bearer),
            5 if word.eq_ignore_ascii_case("basic")
                && decode(first_word(rest)).is_some_and(|text| text.contains(':')) =>
            {
                Some(Kind::Basic)
            }
            4 if word == "AUTH" || word == "PASS" => {
                // Redis takes a user before the password: two words, on one line.
                let line = memchr2(b'\r', b'\n', &bytes[start..]).unwrap_or(rest.len());
                let end = memchr_iter(b' ', &bytes[start..start + line]).nth(1).unwrap_or(line);
                if end > 0 {
                    found.push(Span { range: start..start + end, kind: Kind::Password });
                    done = start + end;
                }
                None
            }
            2 if quoted && word.eq_ignore_ascii_case("by") => {
                let before = name_before_blank(text, at.saturating_sub(3));
                before.eq_ignore_ascii_case("identified").then_some(Kind::Password)
            }
            3.. if quoted => names::classify(word).filter(|kind| *kind == Kind::Password),
            _ => None,
        };
        match kind {
            Some(kind) if quoted => done = push_value(text, start, kind, found),
            Some(kind) => found.push(Span { range: start..start + first_word(rest).len(), kind }),
            None => {}
        }
    }
}

fn first_word(text: &str) -> &str {
    text.split([' ', '\t', '\r', '\n', ',', '"', '\'', ';']).next().unwrap_or("")
}

fn name_before_blank(text: &str, end: usize) -> &str {
    let start = text.as_bytes()[..end.min(text.len())]
        .iter()
        .rposition(|byte| !byte.is_ascii_alphanumeric() && !b"_-".contains(byte))
        .map_or(0, |before| before + 1);
    text.get(start..end).unwrap_or("")
}

/// Whether a word was made by a machine rather than written: long, with digits or marks in it.
fn looks_made(word: &str) -> bool {
    let parameter = word.ends_with('=');
    word.len() >= 8
        && word.bytes().any(|byte| !byte.is_ascii_lowercase())
        && !parameter
        && !is_placeholder(word)
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

/// Cards, social security numbers: runs of digits with single blanks or dashes between groups.
fn numbers(text: &str, found: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        let mut groups: Vec<Range<usize>> = Vec::new();
        loop {
            let from = at;
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            groups.push(from..at);
            let joined = bytes.get(at).is_some_and(|byte| matches!(byte, b' ' | b'-'))
                && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
            if !joined {
                break;
            }
            at += 1;
        }
        let glued =
            |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphabetic() || b"._".contains(byte));
        let before = start.checked_sub(1).map(|before| &bytes[before]);
        if glued(before) || bytes.get(at).is_some_and(u8::is_ascii_alphabetic) {
            continue;
        }
        number_groups(text, &groups, found);
    }
}

fn number_groups(text: &str, groups: &[Range<usize>], found: &mut Vec<Span>) {
    let mut first = 0;
    while first < groups.len() {
        let mut digits = String::new();
        let mut hit = None;
        for (last, group) in groups.iter().enumerate().skip(first) {
            digits.push_str(&text[group.clone()]);
            if digits.len() > 19 {
                break;
            }
            if is_card(&digits) {
                hit = Some((last, Kind::Card));
            }
            let lengths = groups[first..=last].iter().map(Range::len);
            if last == first + 2 && text.as_bytes()[groups[first].end] == b'-' && lengths.eq([3, 2, 4]) {
                hit = Some((last, Kind::NationalId));
            }
        }
        match hit {
            Some((last, kind)) => {
                found.push(Span { range: groups[first].start..groups[last].end, kind });
                first = last + 1;
            }
            None => first += 1,
        }
    }
}

/// ISO/IEC 7812: length and leading digits as the card schemes give them out, and the check digit.
pub(crate) fn is_card(digits: &str) -> bool {
    let length = digits.len();
    if !(13..=19).contains(&length) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let front: u32 = digits[..4].parse().unwrap_or(0);
    let known = match front {
        4000..=4999 => matches!(length, 13 | 16 | 19),
        5100..=5599 | 2221..=2720 => length == 16,
        5000..=5099 | 5600..=6999 => (13..=19).contains(&length),
        3400..=3499 | 3700..=3799 => length == 15,
        3000..=3059 | 3095 | 3600..=3699 | 3800..=3999 => (14..=19).contains(&length),
        3528..=3589 => (16..=19).contains(&length),
        _ => false,
    };
    let sum: u32 = digits
        .bytes()
        .rev()
        .enumerate()
        .map(|(place, byte)| {
            let digit = u32::from(byte - b'0');
            match place % 2 {
                0 => digit,
                _ if digit > 4 => digit * 2 - 9,
                _ => digit * 2,
            }
        })
        .sum();
    known && sum.is_multiple_of(10)
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
        if at - start < SHORTEST_BASE64 {
            continue;
        }
        let padded = at + bytes[at..].iter().take(2).take_while(|&&byte| byte == b'=').count();
        let run = &text[start..at];
        if prefixed(run, start, found) || wrapped(run, start..padded, depth, found) {
            continue;
        }
        if run.len() >= 15 {
            ibans(run, start, found);
        }
        if random == Random::Hide && run.len() >= 24 {
            randomness(text, start..at, found);
        }
    }
}

/// Bytes that a known prefix begins with.
const FIRST: [bool; 256] = {
    let mut first = [false; 256];
    let mut index = 0;
    while index < PREFIXES.len() {
        first[PREFIXES[index].0.as_bytes()[0] as usize] = true;
        index += 1;
    }
    first
};

fn prefixed(run: &str, start: usize, found: &mut Vec<Span>) -> bool {
    let bytes = run.as_bytes();
    let mut any = false;
    let mut at = 0;
    while at < bytes.len() {
        let at_word = FIRST[usize::from(bytes[at])] && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric());
        let rest = &run[at..];
        let hit = at_word
            .then(|| {
                PREFIXES.iter().find(|(prefix, more, _)| {
                    rest.as_bytes()[0] == prefix.as_bytes()[0]
                        && rest.starts_with(prefix)
                        && rest.len() >= prefix.len() + more
                })
            })
            .flatten()
            .and_then(|&(prefix, more, kind)| {
                let tail = &rest.as_bytes()[prefix.len()..];
                let dots = kind == Kind::Jwt || prefix == "SG." || prefix == "ya29.";
                let key = tail.iter().take_while(|&&byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || (dots && byte == b'.')
                });
                let length = key.count();
                let made =
                    tail[..length].iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
                let dotted = kind != Kind::Jwt || tail[..length].contains(&b'.');
                (length >= more && made && dotted).then_some((prefix.len() + length, kind))
            });
        match hit {
            Some((length, kind)) => {
                found.push(Span { range: start + at..start + at + length, kind });
                any = true;
                at += length;
            }
            None => at += 1,
        }
    }
    any
}

/// Base64 of a text that holds something to hide, or of `user:password`.
fn wrapped(run: &str, range: Range<usize>, depth: u8, found: &mut Vec<Span>) -> bool {
    if depth == 0 || run.len() > LONGEST_BASE64 {
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
        if piece.len() >= SHORTEST_BASE64
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
    if run.len() < 4
        || run.len() % 4 == 1
        || run.bytes().any(|byte| !byte.is_ascii_alphanumeric() && !b"+/-_".contains(&byte))
    {
        return None;
    }
    // A few characters tell most runs apart, without allocation.
    if !begins_readable(run.as_bytes()) {
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
    let bytes = lenient().decode(&standard).ok()?;
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

fn lenient() -> base64::engine::GeneralPurpose {
    use base64::engine::general_purpose::NO_PAD_INDIFFERENT;
    base64::engine::GeneralPurpose::new(
        &base64::alphabet::STANDARD,
        NO_PAD_INDIFFERENT.with_decode_allow_trailing_bits(true),
    )
}

fn is_readable(byte: u8) -> bool {
    matches!(byte, b'\t' | b'\n' | b'\r' | 0x20..=0x7e | 0x80..)
}

/// ISO 13616: two letters, two check digits, 11 to 30 letters and digits, remainder 1 by 97.
fn ibans(run: &str, start: usize, found: &mut Vec<Span>) {
    let mut offset = 0;
    for piece in run.split(|c: char| !c.is_ascii_alphanumeric()) {
        if is_iban(piece) {
            found.push(Span { range: start + offset..start + offset + piece.len(), kind: Kind::Iban });
        }
        offset += piece.len() + 1;
    }
}

fn is_iban(text: &str) -> bool {
    let bytes = text.as_bytes();
    if !(15..=34).contains(&bytes.len())
        || !bytes[..2].iter().all(u8::is_ascii_uppercase)
        || !bytes[2..4].iter().all(u8::is_ascii_digit)
        || !bytes[4..].iter().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
    {
        return false;
    }
    let remainder = bytes[4..].iter().chain(&bytes[..4]).fold(0u32, |rest, &byte| match byte {
        b'0'..=b'9' => (rest * 10 + u32::from(byte - b'0')) % 97,
        _ => (rest * 100 + u32::from(byte - b'A') + 10) % 97,
    });
    remainder == 1
}

/// Runs that no person and no hash function in common use would write.
fn randomness(text: &str, run: Range<usize>, found: &mut Vec<Span>) {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> Vec<(&str, Kind)> {
        spans(text, Random::Hide).into_iter().map(|span| (&text[span.range], span.kind)).collect()
    }

    #[test]
    fn finds_secrets_by_what_they_look_like() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9";
        let cases: &[(&str, &str, Kind)] = &[
            (jwt, jwt, Kind::Jwt),
            ("key AKIAIOSFODNN7EXAMPLE here", "AKIAIOSFODNN7EXAMPLE", Kind::ApiKey),
            (
                "see ghp_16C7e42F292c6912E7710c838347Ae178B4a!",
                "ghp_16C7e42F292c6912E7710c838347Ae178B4a",
                Kind::Token,
            ),
            (
                "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
                "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
                Kind::Token,
            ),
            ("pay with 4111 1111 1111 1111 now", "4111 1111 1111 1111", Kind::Card),
            ("card=5500-0000-0000-0004", "5500-0000-0000-0004", Kind::Card),
            ("ssn 078-05-1120.", "078-05-1120", Kind::NationalId),
            ("to DE89370400440532013000 today", "DE89370400440532013000", Kind::Iban),
            ("password=hunter2&x=1", "hunter2", Kind::Password),
            ("password: correct horse battery; next", "correct horse battery", Kind::Password),
            ("host=db password=a b user_id=5", "a b", Kind::Password),
            (r#"{"password": "x y"}"#, "x y", Kind::Password),
            (r#"{\"token\":\"abc\"}"#, "abc", Kind::Token),
            ("AUTH hunter2", "hunter2", Kind::Password),
            ("AUTH default hunter2\r\nGET x", "default hunter2", Kind::Password),
            ("CREATE USER x IDENTIFIED BY 'pa ss'", "pa ss", Kind::Password),
            ("ALTER ROLE x PASSWORD 'pa ss'", "pa ss", Kind::Password),
            ("sent Bearer abc123def456 to", "abc123def456", Kind::Bearer),
            ("Basic dXNlcjpodW50ZXIy", "dXNlcjpodW50ZXIy", Kind::Basic),
            ("mail bob@example.org.", "bob@example.org", Kind::Email),
            ("data cGFzc3dvcmQ9aHVudGVyMg== end", "cGFzc3dvcmQ9aHVudGVyMg==", Kind::Password),
            (
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
                Kind::Secret,
            ),
            (
                "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY----- tail",
                "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----",
                Kind::PrivateKey,
            ),
        ];
        for (text, secret, kind) in cases {
            assert_eq!(hidden(text), vec![(*secret, *kind)], "{text}");
        }
    }

    #[test]
    fn passwords_in_urls_are_found_with_their_users() {
        let user_and_password = |text| {
            let found = hidden(text);
            assert_eq!(found.iter().map(|found| found.1).collect::<Vec<_>>(), [Kind::User, Kind::Password]);
            (found[0].0, found[1].0)
        };
        assert_eq!(user_and_password("postgres://bob:hunter2@db:5432/shop"), ("bob", "hunter2"));
        assert_eq!(user_and_password("cannot reach amqp://bob:p@ss@mq/ now"), ("bob", "p@ss"));
        assert_eq!(user_and_password("redis://bob:a/b@cache:6379"), ("bob", "a/b"));
        assert_eq!(hidden("http://host:8080/users/@me"), vec![]);
    }

    #[test]
    fn ids_and_prose_stay() {
        for text in [
            "6fa459ea-ee8a-3ca4-894e-db77e160355e",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "d41d8cd98f00b204e9800998ecf8427e",
            "orders-7d9f8b6c5-x2x9z",
            "payment-gateway-service-7d9f8b6c5-x2x9z.shop.svc.cluster.local",
            "01ARZ3NDEKTSV4RRFFQ69G5FAV",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
            "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,*/*;q=0.8",
            "Tue, 24 Nov 2026 04:29:48 GMT",
            "1795494306000000000",
            "t13d1516h2_8daaf6152771_b0da82dd1658",
            "sha256:2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824",
            "/api/v1/namespaces/kube-system/pods/coredns-5d78c9869d-abcde/log",
            "io.k8s.api.core.v1.PersistentVolumeClaimCondition2",
            "authentication failed for user",
            "basic authentication required",
            "max-age=31536000; includeSubDomains",
            "2026-11-24T04:29:48.123456789Z",
            "10.0.0.5:8080",
            "[2001:db8::1]:443",
            "[token:abcdefabcdef]",
            "password=[redacted:password]",
            "upstream connect error or disconnect/reset before headers",
        ] {
            assert_eq!(hidden(text), vec![], "{text}");
        }
    }
}
