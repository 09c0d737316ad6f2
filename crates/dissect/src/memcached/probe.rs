//! Whether bytes are memcached's, and who of the two asks.

use wirewise_model::Side;

use super::message::Parsed;
use super::{binary, text};
use crate::{Heads, Probe};

/// The longest line that is looked at.
const LONGEST_LINE: usize = 2048;

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

fn asked_by(heads: &Heads<'_>, client: Side) -> Look {
    let (asked, answered) = (heads.of(client), heads.of(client.other()));
    let answer = answers(answered);
    if asked.is_empty() {
        // Names of answers are words of many protocols: they prove nothing alone.
        return if heads.mid_stream { answer.min(Look::Unclear) } else { Look::No };
    }
    if !answered.is_empty() && answer == Look::No && !heads.mid_stream {
        return Look::No;
    }
    match (asks(asked), answer) {
        (Look::Surely, _) | (Look::Maybe, Look::Maybe | Look::Surely) => Look::Surely,
        (Look::Unclear, _) | (Look::Maybe, Look::Unclear) => Look::Unclear,
        (Look::No, _) | (Look::Maybe, Look::No) => Look::No,
    }
}

fn asks(bytes: &[u8]) -> Look {
    if bytes.first() == Some(&binary::ASKS) {
        return strict(binary::looks_like(bytes, binary::ASKS));
    }
    match text::line(bytes, LONGEST_LINE) {
        Parsed::Whole(line, _) if text::is_surely_command(line) => Look::Surely,
        Parsed::Whole(line, _) if text::may_be_command(line) => Look::Maybe,
        Parsed::Whole(..) | Parsed::Bad => Look::No,
        Parsed::More => beginning(bytes, |byte| byte.is_ascii_lowercase() || byte == b'_'),
    }
}

fn answers(bytes: &[u8]) -> Look {
    if bytes.first() == Some(&binary::ANSWERS) {
        return strict(binary::looks_like(bytes, binary::ANSWERS));
    }
    match text::line(bytes, LONGEST_LINE) {
        Parsed::Whole(line, _) if text::answer_line(line) != text::Line::Bad => Look::Maybe,
        Parsed::Whole(..) | Parsed::Bad => Look::No,
        Parsed::More => beginning(bytes, |byte| byte.is_ascii_uppercase() || byte.is_ascii_digit()),
    }
}

fn strict(looks: Option<bool>) -> Look {
    match looks {
        Some(true) => Look::Surely,
        Some(false) => Look::No,
        None => Look::Unclear,
    }
}

fn beginning(bytes: &[u8], is_name: fn(u8) -> bool) -> Look {
    let fits = bytes.first().is_none_or(|byte| is_name(*byte));
    if fits && bytes.iter().all(|byte| !byte.is_ascii_control()) { Look::Unclear } else { Look::No }
}

/// Whether a segment begins with a command: where a client that was lost is found again.
pub(super) fn begins_command(bytes: &[u8], is_binary: bool) -> bool {
    if is_binary {
        return binary::looks_like(bytes, binary::ASKS) == Some(true);
    }
    matches!(text::line(bytes, LONGEST_LINE), Parsed::Whole(line, _) if text::may_be_command(line))
}

/// Whether a segment is answers, the last one perhaps not whole, of which there are not more than `most`.
pub(super) fn are_answers(bytes: &[u8], is_binary: bool, most: usize) -> bool {
    if is_binary {
        return most > 0 && binary::looks_like(bytes, binary::ANSWERS) == Some(true);
    }
    let (mut at, mut count) = (0, 0);
    while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
        let Parsed::Whole(line, used) = text::line(rest, LONGEST_LINE) else { return count > 0 };
        at += used;
        match text::answer_line(line) {
            text::Line::Value(bytes) => at = at.saturating_add(bytes as usize),
            text::Line::Data(bytes) => {
                at = at.saturating_add(bytes as usize);
                count += 1;
            }
            text::Line::Item => {}
            text::Line::Last => count += 1,
            text::Line::Bad => return false,
        }
        if count > most {
            return false;
        }
    }
    true
}
