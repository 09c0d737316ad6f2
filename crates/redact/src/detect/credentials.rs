//! Credentials that stand beside their name: `name=value` pairs, authentication schemes, passwords in URLs.

use std::ops::Range;

use memchr::{memchr_iter, memchr2, memchr2_iter, memmem};

use super::encoded::decode;
use super::{Span, is_placeholder};
use crate::kind::Kind;
use crate::names;
use crate::text::floor;

/// Users and passwords longer than this are not looked for.
const LONGEST_AUTHORITY: usize = 4096;

/// `scheme://user:password@host` (RFC 3986, 3.2.1), also where a password holds an unencoded `/` or `@`.
pub(super) fn userinfo(text: &str, found: &mut Vec<Span>) {
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
pub(super) fn pairs(text: &str, found: &mut Vec<Span>) {
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
pub(super) fn schemes(text: &str, found: &mut Vec<Span>) {
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
