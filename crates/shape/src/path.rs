//! Paths of HTTP: without query, ids masked, bounded.

use std::borrow::Cow;

use crate::mask;

/// Segments past this are summed up as `{rest}`.
const MOST_SEGMENTS: usize = 16;
/// A longer segment in braces is none of ours.
const LONGEST_PLACEHOLDER: usize = 16;
/// A segment that stays is cut here.
const LONGEST_SEGMENT: usize = 64;

/// The templated path of a request's target in any of the forms of RFC 9112, 3.2. With it, whether masking it again
/// is sure to give the same: each segment stayed as it was, or is a placeholder.
pub(crate) fn endpoint(operation: &str, target: &str) -> (String, bool) {
    if operation.eq_ignore_ascii_case("CONNECT") {
        let host = target.rsplit_once(':').map_or(target, |(host, _)| host);
        return (mask::name(host).into_owned(), false);
    }
    let path = path_of(target);
    if path.is_empty() || path == "*" {
        return (if target.is_empty() { String::new() } else { path_or_root(path) }, false);
    }
    let mut out = String::with_capacity(path.len());
    let absolute = path.starts_with('/');
    let mut stable = absolute;
    for (index, segment) in path.strip_prefix('/').unwrap_or(path).split('/').enumerate() {
        if index > 0 || absolute {
            out.push('/');
        }
        if index == MOST_SEGMENTS {
            out.push_str("{rest}");
            break;
        }
        let masked = mask_segment(segment);
        stable &= masked == segment || (is_whole(&masked) && masked != "{}");
        out.push_str(&masked);
    }
    (out, stable)
}

/// A segment that is one placeholder.
fn is_whole(segment: &str) -> bool {
    segment.starts_with('{') && segment.ends_with('}') && segment.len() <= LONGEST_PLACEHOLDER
}

fn path_or_root(path: &str) -> String {
    if path.is_empty() { "/".to_owned() } else { path.to_owned() }
}

/// The path alone: no scheme, authority, query or fragment.
fn path_of(target: &str) -> &str {
    let end = target.find(['?', '#']).unwrap_or(target.len());
    let target = &target[..end];
    match target.find("://") {
        Some(at) if target[..at].bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+') => {
            let rest = &target[at + 3..];
            rest.find('/').map_or("", |slash| &rest[slash..])
        }
        _ => target,
    }
}

fn mask_segment(segment: &str) -> Cow<'_, str> {
    // Masked before, or a matrix parameter after the name: `a;jsessionid=..`.
    let segment = segment.split(';').next().unwrap_or("");
    if segment == "{}" {
        // What learning writes for a parameter: off the wire it is somebody's text.
        return Cow::Borrowed("{text}");
    }
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'-';
    if segment.len() <= LONGEST_SEGMENT && segment.bytes().all(plain) {
        return Cow::Borrowed(segment);
    }
    if is_whole(segment) {
        return Cow::Borrowed(segment);
    }
    if let Some(masked) = with_placeholders(segment) {
        return Cow::Owned(masked);
    }
    if is_version(segment) {
        return Cow::Borrowed(segment);
    }
    if segment.len() <= LONGEST_SEGMENT
        && !segment.contains('%')
        && let Some(masked) = mask::word(segment)
    {
        return Cow::Borrowed(masked);
    }
    Cow::Owned(mask_odd(segment))
}

/// What is neither a word nor an id as a whole.
fn mask_odd(segment: &str) -> String {
    let readable = percent_decoded(segment);
    let segment = readable.as_str();
    if is_email(segment) {
        return "{email}".to_owned();
    }
    if let Some(masked) = mask::word(segment) {
        return masked.to_owned();
    }
    if let Some((stem, extension)) = segment.rsplit_once('.')
        && is_extension(extension)
        && !stem.is_empty()
    {
        return format!("{}.{extension}", stem_mask(stem));
    }
    stem_mask(segment)
}

/// `[user:3f..]` stands for what redaction hid.
fn with_placeholders(segment: &str) -> Option<String> {
    let at = segment.find('[')?;
    let (mask, length) = mask::placeholder(&segment[at..])?;
    Some(format!("{}{mask}{}", &segment[..at], &segment[at + length..]))
}

/// A word, or a word with an id behind it: `ord-1234`, `user_42`, `item:7`, `SKU00017`.
fn stem_mask(stem: &str) -> String {
    if let Some(mask) = mask::word(stem) {
        return mask.to_owned();
    }
    // `main-4f2a9c1d`, `ord_01ARZ3NDEKTSV4RRFFQ69G5FAV`: each part by itself, but never the first alone.
    let mut out = String::with_capacity(stem.len());
    let mut masked = false;
    for (index, piece) in stem.split_inclusive(['-', '_', ':', ',', '.', '~', '@']).enumerate() {
        let bare = piece.trim_end_matches(['-', '_', ':', ',', '.', '~', '@']);
        let mask = if index == 0 && bare.len() < 3 { None } else { mask::word(bare) };
        match mask {
            Some(mask) if !is_version(bare) => {
                out.push_str(mask);
                masked = true;
            }
            Some(_) | None => out.push_str(bare),
        }
        out.push_str(&piece[bare.len()..]);
    }
    if !masked && let Some(prefix) = numbered(stem) {
        return format!("{prefix}{{id}}");
    }
    cut(out)
}

/// The letters of `SKU00017`: three digits or more behind letters count something. `oauth2`, `sha256`, `utf8`
/// and `mp3` do not.
fn numbered(stem: &str) -> Option<&str> {
    let digits = stem.bytes().rev().take_while(u8::is_ascii_digit).count();
    let prefix = &stem[..stem.len() - digits];
    let known = ["sha", "md", "utf", "base", "x", "iso", "rfc", "win", "aes", "hs", "rs", "es", "p"];
    let is_name = known.contains(&prefix.to_ascii_lowercase().as_str());
    let letters = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_alphabetic());
    (digits >= 3 && letters && !is_name).then_some(prefix)
}

/// `v1`, `v2.1`, `v1beta1`, `2.0` is left to numbers.
fn is_version(segment: &str) -> bool {
    let Some(rest) = segment.strip_prefix(['v', 'V']) else { return false };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let tail = &rest[digits..];
    (1..=3).contains(&digits)
        && (tail.is_empty()
            || tail
                .strip_prefix('.')
                .is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.'))
            || ["alpha", "beta", "rc", "p"].iter().any(|stage| {
                tail.strip_prefix(stage)
                    .is_some_and(|rest| rest.len() <= 3 && rest.bytes().all(|byte| byte.is_ascii_digit()))
            }))
}

fn is_extension(extension: &str) -> bool {
    (1..=5).contains(&extension.len())
        && extension.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && extension.bytes().any(|byte| byte.is_ascii_alphabetic())
}

fn is_email(segment: &str) -> bool {
    segment.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
}

fn percent_decoded(segment: &str) -> String {
    if !segment.contains('%') {
        return segment.to_owned();
    }
    let bytes = segment.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            // What would read as another segment, query or encoding stays encoded.
            Some(decoded)
                if byte == b'%' && decoded.is_ascii_graphic() && !b"/?#%;[]{}".contains(&decoded) =>
            {
                out.push(decoded);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out).unwrap_or_else(|_| segment.to_owned())
}

fn cut(mut text: String) -> String {
    if text.len() > LONGEST_SEGMENT {
        let mut end = LONGEST_SEGMENT;
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
    }
    text
}
