//! Masks for one word, for names of hosts, and for prose.

use std::borrow::Cow;

/// Words longer than this are ids or data, whatever they look like.
const LONGEST_WORD: usize = 64;
/// Prose is cut here.
const LONGEST_TEXT: usize = 200;

/// What a word without separators is, if it is an id: `{id}`, `{hash}` ...
pub(crate) fn word(word: &str) -> Option<&'static str> {
    let bytes = word.as_bytes();
    if bytes.is_empty() {
        return None;
    }
    // Most words are words: nothing in them could be an id.
    if bytes.len() <= LONGEST_WORD && bytes.iter().all(|&byte| byte.is_ascii_lowercase() || byte == b'-') {
        return None;
    }
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let letters = bytes.iter().filter(|byte| byte.is_ascii_alphabetic()).count();
    if is_uuid(bytes) {
        return Some("{uuid}");
    }
    if is_date(bytes) {
        return Some("{date}");
    }
    if digits == bytes.len() || is_decimal(bytes) {
        return Some("{id}");
    }
    if is_address(word) {
        return Some("{ip}");
    }
    if digits == 0 {
        return (bytes.len() > LONGEST_WORD).then_some("{text}");
    }
    let hex = bytes.iter().all(u8::is_ascii_hexdigit);
    // Eight hexadecimal digits with some numbers in them, or `deadbeef1`: hashes of commits and the like.
    if hex && bytes.len() >= 8 {
        return Some("{hash}");
    }
    if bytes
        .strip_prefix(b"0x")
        .is_some_and(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_hexdigit))
    {
        return Some("{hash}");
    }
    if bytes.len() == 26 && bytes.iter().all(|&byte| byte.is_ascii_alphanumeric()) && bytes[0] <= b'7' {
        // A ULID's first digit is at most 7, since it has 128 bits.
        return Some("{ulid}");
    }
    let mixed = |pair: &&[u8]| class(pair[0]) != class(pair[1]) && class(pair[0]) < 3 && class(pair[1]) < 3;
    let changes = bytes.windows(2).filter(mixed).count();
    let plain = letters + digits == bytes.len();
    if bytes.len() >= 16 && changes * 4 >= bytes.len() && (plain || bytes.iter().all(|&byte| is_base64(byte)))
    {
        return Some("{token}");
    }
    (bytes.len() > LONGEST_WORD).then_some("{text}")
}

fn class(byte: u8) -> u8 {
    match byte {
        b'0'..=b'9' => 0,
        b'a'..=b'z' => 1,
        b'A'..=b'Z' => 2,
        _ => 3,
    }
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"+/=_-".contains(&byte)
}

/// 8-4-4-4-12 hexadecimal digits, with or without braces.
fn is_uuid(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"{").and_then(|rest| rest.strip_suffix(b"}")).unwrap_or(bytes);
    bytes.len() == 36
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => *byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

/// `2026-11-24`, with a time or without, and `20261124`.
fn is_date(bytes: &[u8]) -> bool {
    let number = |from: usize, to: usize| {
        let digits = bytes.get(from..to)?;
        digits.iter().try_fold(0u32, |number, byte| {
            byte.is_ascii_digit().then(|| number * 10 + u32::from(byte - b'0'))
        })
    };
    let plausible = |year: Option<u32>, month: Option<u32>, day: Option<u32>| {
        matches!((year, month, day), (Some(1900..=2199), Some(1..=12), Some(1..=31)))
    };
    let separator = bytes.get(4).copied();
    if matches!(separator, Some(b'-' | b'.' | b'_')) && bytes.get(7).copied() == separator {
        let ends = bytes.len() == 10 || matches!(bytes.get(10), Some(b'T' | b't' | b' ' | b'_'));
        return ends && plausible(number(0, 4), number(5, 7), number(8, 10));
    }
    if separator == Some(b'-') && bytes.len() == 7 {
        return plausible(number(0, 4), number(5, 7), Some(1));
    }
    bytes.len() == 8 && plausible(number(0, 4), number(4, 6), number(6, 8))
}

/// `-17`, `3.14`.
fn is_decimal(bytes: &[u8]) -> bool {
    let bytes = bytes.strip_prefix(b"-").unwrap_or(bytes);
    let dots = bytes.iter().filter(|&&byte| byte == b'.').count();
    dots <= 1
        && bytes.iter().all(|byte| byte.is_ascii_digit() || *byte == b'.')
        && bytes.first().is_some_and(u8::is_ascii_digit)
        && bytes.last().is_some_and(u8::is_ascii_digit)
}

pub(crate) fn is_address(word: &str) -> bool {
    (word.as_bytes().first().is_some_and(u8::is_ascii_digit) && word.parse::<std::net::Ipv4Addr>().is_ok())
        || (word.contains(':') && word.parse::<std::net::Ipv6Addr>().is_ok())
}

/// What stands for a placeholder of redaction: `[user:3f...]` is `{user}`, `[redacted:pin]` is `{pin}`.
pub(crate) fn placeholder(text: &str) -> Option<(String, usize)> {
    let inside = text.strip_prefix('[')?;
    let (inside, _) = inside.split_once(']')?;
    let (kind, rest) = inside.split_once(':')?;
    let name = if kind == "redacted" { rest } else { kind };
    let word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    (word(name) && inside.len() <= 40).then(|| (format!("{{{name}}}"), inside.len() + 2))
}

/// A host's name, or a workload's: labels that are ids masked, words kept. Reverse lookups become
/// `{ip}.in-addr.arpa`.
pub(crate) fn name(name: &str) -> Cow<'_, str> {
    let name = name.trim_end_matches('.');
    // Most names of workloads: nothing in them could be an id.
    let plain = |byte: u8| byte.is_ascii_alphabetic() || byte == b'-';
    if is_address(name) || (name.len() <= LONGEST_WORD && name.bytes().all(plain)) {
        return Cow::Borrowed(name);
    }
    for zone in ["in-addr.arpa", "ip6.arpa"] {
        let prefix = name.len().checked_sub(zone.len()).and_then(|at| name.get(..at).zip(name.get(at..)));
        if let Some((prefix, end)) = prefix
            && end.eq_ignore_ascii_case(zone)
            && prefix.ends_with('.')
        {
            return Cow::Owned(format!("{{ip}}.{zone}"));
        }
    }
    let labels: Vec<String> = name.split('.').take(16).map(label).collect();
    Cow::Owned(labels.join("."))
}

/// One label: numbered replicas (`orders-0`), pods (`orders-7d9f8b6c5-x2x9z`) and hashes lose what counts them.
fn label(label: &str) -> String {
    if label.len() > LONGEST_WORD {
        return "{text}".to_owned();
    }
    if label.starts_with('{') || label.len() < 2 {
        return label.to_owned();
    }
    // Words with dashes in them are judged by their parts.
    if let Some(mask) = word(label).filter(|mask| !label.contains('-') || *mask == "{uuid}") {
        return mask.to_owned();
    }
    let mut parts: Vec<&str> = label.split('-').collect();
    if parts.len() < 2 {
        return label.to_owned();
    }
    // Suffixes that Kubernetes makes use 27 letters and digits without vowels: `bcdfghjklmnpqrstvwxz2456789`.
    let made = |part: &str| part.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz0123456789".contains(&byte));
    let counted = |part: &str| part.bytes().any(|byte| byte.is_ascii_digit());
    let last = parts[parts.len() - 1];
    let before = parts[parts.len() - 2];
    let pod =
        last.len() == 5 && made(last) && parts.len() > 2 && (8..=10).contains(&before.len()) && made(before);
    if pod && counted(before) {
        parts.truncate(parts.len() - 2);
        return format!("{}-{{hash}}", parts.join("-"));
    }
    let masked: Vec<&str> = parts
        .iter()
        .enumerate()
        .map(|(index, part)| match word(part) {
            Some(mask) if index > 0 => mask,
            Some(_) | None => part,
        })
        .collect();
    masked.join("-")
}

/// Whatever has no grammar: numbers, ids, addresses and placeholders of redaction masked.
pub(crate) fn text(text: &str) -> String {
    let mut end = text.len().min(LONGEST_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let mut out = String::with_capacity(end);
    let mut rest = &text[..end];
    while let Some(first) = rest.chars().next() {
        if let Some((mask, length)) = placeholder(rest) {
            out.push_str(&mask);
            rest = &rest[length..];
            continue;
        }
        let length = rest.find(|c: char| !is_word_char(c)).unwrap_or(rest.len());
        if length == 0 {
            out.push(first);
            rest = &rest[first.len_utf8()..];
            continue;
        }
        let (token, after) = rest.split_at(length);
        let trimmed = token.trim_end_matches(['.', ':', '-', '/']);
        out.push_str(&token_mask(trimmed));
        out.push_str(&token[trimmed.len()..]);
        rest = after;
    }
    out
}

fn is_word_char(letter: char) -> bool {
    letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.' | ':' | '/')
}

/// One word of an error: as [`text`], with everything that is neither letter nor digit kept.
pub(crate) fn piece(word: &str) -> String {
    if word.bytes().all(|byte| byte.is_ascii_alphabetic()) && word.len() <= LONGEST_WORD {
        return word.to_owned();
    }
    text(word)
}

fn token_mask(token: &str) -> String {
    if let Some(mask) = word(token) {
        return mask.to_owned();
    }
    // `10.0.0.5:8080`, `/orders/17`, `took:12ms`, `orders-17`.
    let mut out = String::with_capacity(token.len());
    let pieces = token.split_inclusive([':', '/', '_', '-']);
    for piece in pieces {
        let bare = piece.trim_end_matches([':', '/', '_', '-']);
        match word(bare) {
            Some(mask) => out.push_str(mask),
            None => out.push_str(&measured(bare)),
        }
        out.push_str(&piece[bare.len()..]);
    }
    out
}

/// `12ms`, `3.5s`, `1024KB`: the number goes, the unit stays. Other words stay as they are.
fn measured(word: &str) -> String {
    let number = word.bytes().take_while(|byte| byte.is_ascii_digit() || *byte == b'.').count();
    let unit = &word[number..];
    let is_unit =
        number > 0 && (1..=3).contains(&unit.len()) && unit.bytes().all(|byte| byte.is_ascii_alphabetic());
    if is_unit { format!("{{id}}{unit}") } else { word.to_owned() }
}
