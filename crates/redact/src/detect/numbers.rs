//! Numbers of cards, of people and of accounts, told by their lengths and check digits.

use std::ops::Range;

use super::Span;
use crate::kind::Kind;

/// Digits of a social security number, the shortest that is looked for.
const SHORTEST: usize = 9;

/// Cards, social security numbers: runs of digits with single blanks or dashes between groups.
pub(super) fn numbers(text: &str, found: &mut Vec<Span>) {
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let start = at;
        loop {
            while bytes.get(at).is_some_and(u8::is_ascii_digit) {
                at += 1;
            }
            let joined = bytes.get(at).is_some_and(|byte| matches!(byte, b' ' | b'-'))
                && bytes.get(at + 1).is_some_and(u8::is_ascii_digit);
            if !joined {
                break;
            }
            at += 1;
        }
        // Of random hexadecimal digits most runs end here.
        if at - start < SHORTEST {
            continue;
        }
        let glued =
            |at: Option<&u8>| at.is_some_and(|byte| byte.is_ascii_alphabetic() || b"._".contains(byte));
        let before = start.checked_sub(1).map(|before| &bytes[before]);
        if glued(before) || bytes.get(at).is_some_and(u8::is_ascii_alphabetic) {
            continue;
        }
        let mut from = start;
        let groups: Vec<Range<usize>> = text[start..at]
            .split([' ', '-'])
            .map(|group| {
                let range = from..from + group.len();
                from = range.end + 1;
                range
            })
            .collect();
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

/// ISO 13616: two letters, two check digits, 11 to 30 letters and digits, remainder 1 by 97.
pub(super) fn ibans(run: &str, start: usize, found: &mut Vec<Span>) {
    // It begins with capitals: ids in lower case need no splitting.
    if !run.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return;
    }
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
