//! Does a message of HTTP/1 begin with these bytes? Used by detection and, after a loss, to find the next one.

use crate::{Heads, Probe};
use wirewise_model::Side;

/// How far a start line is looked through. `Limits::probe_bytes` is as long by default, and no start line that
/// has to be recognised without its end (a very long target) needs more.
const LOOK: usize = 2048;
/// Longest method that is believed; the longest registered one, UPDATEREDIRECTREF, has 17.
const LONGEST_METHOD: usize = 32;
/// Methods whose target may be long and still unfinished when a decision is due.
const COMMON: [&[u8]; 9] =
    [b"GET", b"POST", b"PUT", b"HEAD", b"DELETE", b"PATCH", b"OPTIONS", b"CONNECT", b"PROPFIND"];

/// What some bytes look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Yes,
    No,
    /// They are a beginning of it.
    Maybe,
}

/// The table's probe: whoever begins with a request line asks; whoever begins with a status line was asked.
pub(super) fn probe(heads: &Heads<'_>) -> Probe {
    let mut wanting = false;
    let mut foreign = false;
    for side in [Side::A, Side::B] {
        let bytes = after_blank_lines(heads.of(side));
        match (request_line(bytes), status_line(bytes)) {
            (Look::Yes, _) => return Probe::Yes { client: side },
            (_, Look::Yes) => return Probe::Yes { client: side.other() },
            (Look::No, Look::No) => foreign = true,
            (Look::Maybe, _) | (_, Look::Maybe) => wanting |= !heads.of(side).is_empty(),
        }
    }
    let settled = heads.ended || (foreign && !heads.mid_stream) || (heads.mid_stream && !wanting);
    if settled { Probe::No } else { Probe::NeedMore }
}

/// RFC 9112, 2.2: a server ignores an empty line before a request line.
pub(super) fn after_blank_lines(bytes: &[u8]) -> &[u8] {
    &bytes[blank_lines(bytes)..]
}

/// Length of the line ends that `bytes` begin with.
pub(super) fn blank_lines(bytes: &[u8]) -> usize {
    bytes.iter().take_while(|&&byte| byte == b'\r' || byte == b'\n').count()
}

/// `METHOD target HTTP/1.x`. Any token is a method; the version decides.
pub(super) fn request_line(bytes: &[u8]) -> Look {
    let head = &bytes[..bytes.len().min(LOOK)];
    let most = head.len().min(LONGEST_METHOD + 1);
    let Some(length) = head[..most].iter().position(|&byte| !is_token(byte)) else {
        return if head.len() > LONGEST_METHOD { Look::No } else { Look::Maybe };
    };
    if length == 0 || head[length] != b' ' {
        return Look::No;
    }
    if let Some(end) = memchr::memchr(b'\n', head) {
        let line = head[..end].trim_ascii_end();
        let Some(space) = memchr::memrchr(b' ', line) else { return Look::No };
        return if space >= length && minor_version(&line[space + 1..]).is_some() {
            Look::Yes
        } else {
            Look::No
        };
    }
    if head[length..].iter().any(|&byte| byte < b' ' && byte != b'\r' && byte != b'\t') {
        return Look::No;
    }
    if head.len() < LOOK {
        return Look::Maybe;
    }
    if COMMON.contains(&&head[..length]) && is_target_start(&head[length + 1..]) {
        Look::Yes
    } else {
        Look::No
    }
}

/// `HTTP/1.x 200 reason`; the reason and the space before it may be missing.
pub(super) fn status_line(bytes: &[u8]) -> Look {
    const NAME: &[u8] = b"HTTP/1.";
    let common = bytes.len().min(NAME.len());
    if !bytes[..common].eq_ignore_ascii_case(&NAME[..common]) {
        return Look::No;
    }
    let Some((minor, rest)) = bytes[common..].split_first().filter(|_| common == NAME.len()) else {
        return Look::Maybe;
    };
    if !minor.is_ascii_digit() {
        return Look::No;
    }
    let spaces = rest.iter().take_while(|&&byte| byte == b' ').count();
    if spaces == 0 {
        return if rest.is_empty() { Look::Maybe } else { Look::No };
    }
    let code = &rest[spaces..];
    let digits = code.iter().take(4).take_while(|byte| byte.is_ascii_digit()).count();
    match (digits, code.get(digits)) {
        (0..=3, None) => Look::Maybe,
        (3, Some(b' ' | b'\r' | b'\n' | b'\t')) => Look::Yes,
        _ => Look::No,
    }
}

/// Whether a request begins here: surely, or as surely as can be said before its line is whole.
pub(super) fn begins_request(bytes: &[u8]) -> bool {
    match request_line(bytes) {
        Look::Yes => true,
        Look::No => false,
        Look::Maybe => COMMON.iter().any(|method| {
            bytes
                .strip_prefix(*method)
                .and_then(|rest| rest.strip_prefix(b" "))
                .is_some_and(|rest| !rest.is_empty() && is_target_start(rest))
        }),
    }
}

/// Whether a response begins here, as [`begins_request`].
pub(super) fn begins_response(bytes: &[u8]) -> bool {
    match status_line(bytes) {
        Look::Yes => true,
        Look::No => false,
        Look::Maybe => bytes.len() >= b"HTTP/1.".len(),
    }
}

/// The digit after `HTTP/1.`, in any case (some clients write `http/1.1`).
pub(super) fn minor_version(word: &[u8]) -> Option<u8> {
    let (name, minor) = word.split_at_checked(7)?;
    match minor {
        [digit] if name.eq_ignore_ascii_case(b"HTTP/1.") && digit.is_ascii_digit() => Some(digit - b'0'),
        _ => None,
    }
}

fn is_target_start(target: &[u8]) -> bool {
    matches!(target.first(), Some(b'/' | b'*'))
        || target.len() >= 4 && target[..4].eq_ignore_ascii_case(b"http")
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
