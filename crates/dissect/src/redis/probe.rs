//! Whether bytes are RESP, and who of the two asks.
//!
//! A command is an array of strings whose first is a name; what a server says can look the same (a list), so a
//! name that no command has waits for the other side. Inline commands are words like those of many protocols: the
//! server's answer must be RESP then.

use smallvec::SmallVec;
use wirewise_model::{Side, Track};

use super::commands::{self, LONGEST_NAME};
use super::parse::{self, Parsed, Token};
use super::reply::Answering;
use super::request::{self, Read};
use crate::{Heads, Probe};

/// The longest line that is looked at.
const LONGEST_LINE: usize = 2048;
/// Names that other protocols of lines know too (SMTP, POP3, FTP): they prove nothing.
const COMMON: &[&str] = &["AUTH", "QUIT"];

/// How much bytes look like something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Look {
    No,
    /// There are too few.
    Unclear,
    /// As much as other things.
    Maybe,
    Surely,
}

pub(super) fn probe(heads: &Heads<'_>) -> Probe {
    let mut needs_more = false;
    for client in [Side::A, Side::B] {
        if heads.opener == Some(client.other()) {
            continue;
        }
        match asked_by(heads, client) {
            Look::Surely => return Probe::Yes { client },
            Look::Unclear => needs_more = true,
            Look::Maybe | Look::No => {}
        }
    }
    if needs_more && !heads.ended { Probe::NeedMore } else { Probe::No }
}

/// How much it looks as if this side asked.
fn asked_by(heads: &Heads<'_>, client: Side) -> Look {
    let (asked, answered) = (heads.of(client), heads.of(client.other()));
    let answer = replies(answered);
    if asked.is_empty() {
        return if publishes(answered) { Look::Surely } else { answer.min(Look::Unclear) };
    }
    if !answered.is_empty() && answer == Look::No && !heads.mid_stream {
        // A server that does not answer in RESP is none of Redis, whatever it is asked.
        return Look::No;
    }
    let array = command(asked);
    match (array.max(inline(asked)), answer) {
        (Look::Surely, _) if array == Look::Surely => Look::Surely,
        (Look::Surely, Look::Maybe | Look::Surely) | (Look::Maybe, Look::Surely) => Look::Surely,
        (Look::Unclear, _) | (Look::Surely | Look::Maybe, Look::Unclear) => Look::Unclear,
        (Look::Maybe, Look::Maybe) | (Look::Surely | Look::Maybe, Look::No) | (Look::No, _) => Look::No,
    }
}

/// Whether bytes begin with what subscribers are told: then they are a server's, whatever was asked before.
pub(super) fn publishes(bytes: &[u8]) -> bool {
    [
        &b"*3\r\n$7\r\nmessage\r\n$"[..],
        b"*4\r\n$8\r\npmessage\r\n$",
        b">3\r\n$7\r\nmessage\r\n$",
        b">4\r\n$8\r\npmessage\r\n$",
    ]
    .iter()
    .any(|beginning| bytes.starts_with(beginning))
}

/// Whether bytes begin as a command does: `*2`, `$3`, a name.
fn command(bytes: &[u8]) -> Look {
    let (count, used) = match request::begin(bytes) {
        Parsed::Whole(Some(count), used) => (count, used),
        Parsed::Whole(None, _) | Parsed::Bad => return Look::No,
        Parsed::More => return unclear(bytes),
    };
    let rest = &bytes[used..];
    let (len, head) = match parse::header(b'$', rest) {
        Parsed::Whole(len, head) if (1..=LONGEST_NAME as i64).contains(&len) => (len as usize, head),
        Parsed::Whole(..) | Parsed::Bad => return Look::No,
        Parsed::More => return Look::Unclear,
    };
    let Some(name) = rest.get(head..head + len) else { return Look::Unclear };
    let known = is_known(name);
    let after = &rest[head + len..];
    let next = if count > 1 { &b"\r\n$"[..] } else { b"\r\n" };
    match after.len().min(next.len()) {
        fits if after[..fits] != next[..fits] => Look::No,
        _ if known => second_is_string(after, count),
        _ if name.iter().all(|byte| byte.is_ascii_graphic()) => Look::Maybe,
        _ => Look::No,
    }
}

/// Servers confirm a subscription as it was asked for, with a number where a channel would be.
fn second_is_string(after: &[u8], count: u32) -> Look {
    let [b'\r', b'\n', rest @ ..] = after else { return Look::Surely };
    if count != 3 {
        return Look::Surely;
    }
    let Parsed::Whole(len, head) = parse::header(b'$', rest) else { return Look::Surely };
    let third = usize::try_from(len).ok().and_then(|len| rest.get(head + len + 2));
    if third == Some(&b':') { Look::No } else { Look::Surely }
}

fn is_known(name: &[u8]) -> bool {
    let upper: SmallVec<[u8; LONGEST_NAME]> = name.iter().map(u8::to_ascii_uppercase).collect();
    std::str::from_utf8(&upper).is_ok_and(|name| commands::find(name).is_some())
}

/// Whether bytes are lines of words that begin with names of commands.
fn inline(bytes: &[u8]) -> Look {
    if !bytes.first().is_some_and(u8::is_ascii_alphabetic) {
        return Look::No;
    }
    let mut look = Look::Unclear;
    for line in bytes.split_inclusive(|byte| *byte == b'\n').take(16) {
        let Some(line) = line.strip_suffix(b"\n") else { break };
        let line = line.trim_ascii();
        let end = line.iter().position(u8::is_ascii_whitespace).unwrap_or(line.len());
        let name = &line[..end];
        let printable = line.iter().all(|byte| byte.is_ascii_graphic() || matches!(byte, b' ' | b'\t'));
        if line.is_empty() || name.len() > LONGEST_NAME || !printable {
            return Look::No;
        }
        let common = COMMON.iter().any(|common| name.eq_ignore_ascii_case(common.as_bytes()));
        let this = if is_known(name) && !common { Look::Surely } else { Look::Maybe };
        look = if look == Look::Unclear { this } else { look.max(this) };
    }
    look
}

/// Whether bytes begin as replies do. A line is what many protocols have; a length or a number of replies is not.
fn replies(bytes: &[u8]) -> Look {
    match parse::token(bytes, LONGEST_LINE) {
        Parsed::Bad => Look::No,
        Parsed::More => unclear(bytes),
        Parsed::Whole(Token::End | Token::Chunk(_), _) => Look::No,
        Parsed::Whole(Token::Line(b'+' | b'-', line), _) => {
            if line.iter().all(|byte| (b' '..0x7f).contains(byte)) { Look::Maybe } else { Look::No }
        }
        Parsed::Whole(Token::Line(..), _) => Look::Maybe,
        Parsed::Whole(..) => Look::Surely,
    }
}

fn unclear(bytes: &[u8]) -> Look {
    if bytes.len() < LONGEST_LINE { Look::Unclear } else { Look::No }
}

/// Whether a segment begins with a command: where a client that was lost is found again.
pub(super) fn begins_command(bytes: &[u8]) -> bool {
    command(bytes) == Look::Surely || (bytes.ends_with(b"\n") && inline(bytes) == Look::Surely)
}

/// How many replies a segment is, the last one perhaps not whole; `None` where it is not that. `most` bounds the count.
pub(super) fn count_replies(bytes: &[u8], most: usize) -> Option<usize> {
    let (mut at, mut count) = (0, 0);
    while at < bytes.len() {
        if count == most {
            return None;
        }
        let mut answering = Answering::new(Track::begin(0, Default::default()));
        let (used, read) = answering.read(&bytes[at..], LONGEST_LINE);
        match read {
            Read::Whole => at += used,
            // A beginning that is no more than that proves nothing.
            Read::More { .. } if used == 0 && count == 0 => return None,
            Read::More { .. } => at = bytes.len(),
            Read::Bad => return None,
        }
        count += 1;
    }
    Some(count)
}
