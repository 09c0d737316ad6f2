//! Questions, answers, and the checks that an answer must pass before anybody sees it.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wirewise_model::{CallId, FlowId};
use wirewise_tools::Evidence;

pub use wirewise_tools::Citation;

/// Something that was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// In the asker's words.
    pub question: String,
    /// The data set that it is about; the one that is meant where none is named.
    #[serde(default)]
    pub dataset: Option<String>,
}

/// A tool that was run for an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolUse {
    /// Its name.
    pub name: String,
    /// What it was asked.
    pub arguments: Value,
}

/// An answer with its receipts, as `ask --format json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The text, with ids in square brackets.
    pub answer: String,
    /// How the question was understood.
    pub understood: String,
    /// The data set that was read.
    pub dataset: Option<String>,
    /// The window that it is about, from and to.
    pub window: Option<Value>,
    /// What was not seen in that window.
    pub losses: Value,
    /// The calls and flows that it cites.
    pub citations: Vec<Citation>,
    /// Whether the question was refused.
    pub refused: bool,
    /// What was run.
    pub tools: Vec<ToolUse>,
    /// Who answered: `planner`, or a model and its host; and why not the model, where one was asked.
    pub answered_by: String,
}

/// The ids in a text: `c` or `f` and 26 digits of base32, standing alone.
pub fn ids_in(text: &str) -> Vec<String> {
    let words = text.split(|char: char| !char.is_ascii_alphanumeric());
    let mut ids: Vec<String> = Vec::new();
    for word in words {
        if (word.parse::<CallId>().is_ok() || word.parse::<FlowId>().is_ok())
            && !ids.iter().any(|id| id == word)
        {
            ids.push(word.to_owned());
        }
    }
    ids
}

/// What looks like a citation: text in square brackets that begins like an id.
fn bracketed(text: &str) -> impl Iterator<Item = &str> {
    text.split('[')
        .skip(1)
        .filter_map(|rest| rest.split_once(']'))
        .flat_map(|(inside, _)| inside.split([',', ' ']))
        .map(str::trim)
        .filter(|word| {
            let mut bytes = word.bytes();
            matches!(bytes.next(), Some(b'c' | b'f'))
                && word.len() >= 12
                && bytes.all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
                && word.bytes().any(|byte| byte.is_ascii_digit())
        })
}

/// The ids that `text` cites, if each of them is `known`; else what is wrong, for whoever wrote it.
pub fn check_citations(text: &str, known: &BTreeSet<&str>) -> Result<Vec<String>, String> {
    for word in bracketed(text) {
        if !known.contains(word) {
            return Err(format!("it cites {word}, which no tool returned"));
        }
    }
    let ids = ids_in(text);
    match ids.iter().find(|id| !known.contains(id.as_str())) {
        Some(id) => Err(format!("it cites {id}, which no tool returned")),
        None => Ok(ids),
    }
}

/// What an answer may be read out by: a chat client that renders it would fetch an image, and offers a link to be
/// followed. Both carry away what stands in their address, so an answer has neither; between backticks an address
/// is text.
pub fn link_in(text: &str) -> Option<&'static str> {
    let plain = without_code(text);
    let lower = plain.to_ascii_lowercase();
    let tag = lower.split('<').skip(1).any(|rest| rest.starts_with(|next: char| next.is_ascii_alphabetic()));
    [
        (lower.contains("]("), "a link or an image"),
        (lower.contains("]:"), "a link's reference"),
        (lower.contains("://"), "an address that a reader's program would make a link of"),
        (lower.contains("www."), "an address that a reader's program would make a link of"),
        (tag, "a tag of HTML"),
    ]
    .into_iter()
    .find_map(|(holds, what)| holds.then_some(what))
}

/// The text without what stands between backticks, one or several.
fn without_code(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('`') {
        plain.push_str(&rest[..start]);
        let fence = rest[start..].bytes().take_while(|&byte| byte == b'`').count();
        let (mark, inside) = rest[start..].split_at(fence);
        let Some(end) = inside.find(mark) else {
            // Never closed: it is no code.
            plain.push_str(inside);
            return plain;
        };
        rest = inside[end..].trim_start_matches('`');
    }
    plain.push_str(rest);
    plain
}

/// The first number of `text` that stands neither in the evidence nor in what was `said` before. Small whole numbers
/// (counts of list items, ordinals), parts of ids and names are let through; a number may be a known one, rounded.
pub fn unfounded_number(text: &str, evidence: &[Evidence], said: &[&str]) -> Option<String> {
    let texts = evidence.iter().map(|evidence| evidence.text.as_str()).chain(said.iter().copied());
    let known: Vec<f64> = texts.flat_map(numbers).map(|number| number.value).collect();
    numbers(&without_grouping(text))
        .into_iter()
        .find(|number| !number.holds(&known))
        .map(|number| number.written)
}

/// A number as it was written.
struct Number {
    written: String,
    value: f64,
    unit: String,
}

/// Units in which a number is compared: how many of what evidence counts are one of it. A ratio may be told as a
/// percentage, milliseconds as seconds or microseconds, bytes and counts by thousands.
fn scales(unit: &str) -> Option<&'static [f64]> {
    match unit {
        "" | "ms" | "s" | "us" | "µs" | "μs" | "ns" | "B" | "x" => Some(&[1.0, 100.0, 0.01, 0.001, 1000.0]),
        "k" | "K" | "kB" | "KB" => Some(&[1.0, 1e-3]),
        "M" | "MB" => Some(&[1.0, 1e-6]),
        "G" | "GB" => Some(&[1.0, 1e-9]),
        "KiB" => Some(&[1.0, 1.0 / 1024.0]),
        "MiB" => Some(&[1.0, 1.0 / 1_048_576.0]),
        "GiB" => Some(&[1.0, 1.0 / 1_073_741_824.0]),
        _ => None,
    }
}

impl Number {
    /// A number and perhaps its unit, and nothing else.
    fn parse(word: &str) -> Option<Self> {
        let digits =
            word.trim_end_matches(|char: char| char.is_ascii_alphabetic() || matches!(char, 'µ' | 'μ'));
        let unit = &word[digits.len()..];
        let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        scales(unit)?;
        let value = if plain { digits.parse().ok()? } else { return None };
        Some(Self { written: digits.to_owned(), value, unit: unit.to_owned() })
    }

    fn holds(&self, known: &[f64]) -> bool {
        if self.value.fract() == 0.0 && self.value <= 12.0 && !self.unit.starts_with(['k', 'K', 'M', 'G']) {
            return true;
        }
        let decimals = self.written.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let slack = 0.5 * 10f64.powi(-(i32::try_from(decimals).unwrap_or(9))) + 1e-9;
        let scales = scales(&self.unit).unwrap_or(&[1.0]);
        known.iter().any(|known| scales.iter().any(|scale| (known * scale - self.value).abs() <= slack))
    }
}

/// Numbers that stand as words of their own: not inside ids, addresses, times or names.
fn numbers(text: &str) -> Vec<Number> {
    let separator = |char: char| {
        char.is_whitespace()
            || matches!(
                char,
                ',' | ';' | '(' | ')' | '[' | ']' | '"' | '\'' | '|' | '=' | '%' | '*' | '`' | '→'
            )
    };
    let sign = |char: char| {
        matches!(
            char,
            '.' | ':' | '!' | '?' | '~' | '<' | '>' | '+' | '-' | '≈' | '±' | '≤' | '≥' | '×' | '#'
        )
    };
    let mut found = Vec::new();
    for word in text.split(separator).map(|word| word.trim_matches(sign)) {
        match word.split_once(['/', '–', '-']) {
            None => found.extend(Number::parse(word)),
            // `40/s`, `3/40`, `20-30`: but no path, date or name with digits in it.
            Some((left, right)) => {
                let (first, second) = (Number::parse(left), Number::parse(right));
                let rate = !right.is_empty() && right.bytes().all(|byte| byte.is_ascii_alphabetic());
                if first.is_some() && (second.is_some() || rate) {
                    found.extend(first);
                    found.extend(second);
                }
            }
        }
    }
    found
}

/// `1,200` is 1200. Evidence is not read so: there a comma parts two cells.
fn without_grouping(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let digit = |at: usize| letters.get(at).is_some_and(char::is_ascii_digit);
    let groups = |at: usize| {
        at > 0
            && letters[at] == ','
            && digit(at - 1)
            && (1..=3).all(|after| digit(at + after))
            && !digit(at + 4)
    };
    (0..letters.len()).filter(|&at| !groups(at)).map(|at| letters[at]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: &str = "c0123456789abcdefghjkmnpqrs";

    #[test]
    fn finds_ids_and_tells_those_that_nobody_returned() {
        assert_eq!(ids_in(&format!("slow [{CALL}], and {CALL}.")), [CALL]);
        let known = BTreeSet::from([CALL]);
        assert_eq!(check_citations(&format!("see [{CALL}]"), &known), Ok(vec![CALL.to_owned()]));
        let invented = CALL.replace("0123", "9999");
        assert!(check_citations(&format!("see [{invented}]"), &known).is_err());
        assert!(check_citations("see [c0123456789abcdef]", &known).is_err(), "half an id is no citation");
        assert_eq!(check_citations("plain [sic] words [footnote]", &known), Ok(vec![]));
    }

    #[test]
    fn numbers_are_words_of_their_own() {
        let found = |text: &str| -> Vec<String> {
            numbers(&without_grouping(text)).into_iter().map(|number| number.written).collect()
        };
        assert_eq!(
            found(
                "p99 was 812.5 ms at 10.0.0.5:80 over 2026-11-24T10:00:00Z, 37% of 1,200 calls, 5xx, inventory-v2"
            ),
            ["812.5", "37", "1200"]
        );
        assert_eq!(found("~40/s, 20-30 ms, 1.2k, /orders/42, 3/40"), ["40", "20", "30", "1.2", "3", "40"]);
    }

    #[test]
    fn a_number_may_be_rounded_and_scaled_and_nothing_else() {
        let said = ["calls,p99_ms,ratio,bytes\n1234,812.46,0.3712,5000000\n"];
        let unfounded = |text: &str| unfounded_number(text, &[], &said);
        for founded in
            ["1,234 calls", "1.2k calls", "812 ms", "0.81 s", "37.1%", "5MB", "4.8MiB", "12 of them"]
        {
            assert_eq!(unfounded(founded), None, "{founded}");
        }
        for invented in ["1,235 calls", "1.3k", "813 ms", "38%", "2,234", "6MB", "99/s", "13"] {
            assert!(unfounded(invented).is_some(), "{invented}");
        }
    }

    #[test]
    fn nothing_in_an_answer_can_be_followed_or_fetched() {
        for carrier in [
            "![x](http://evil.example/?q=1)",
            "![x](//evil.example/a)",
            "[click](/x)",
            "see https://evil.example/a",
            "[x]: /a",
            "<img src=/a>",
            "www.evil.example",
            "`a` <a href=x>",
            "``` `http://evil.example",
        ] {
            assert!(link_in(carrier).is_some(), "{carrier}");
        }
        for plain in [
            "GET `http://orders.shop/x` failed [c0123456789abcdefghjkmnpqrs], 3 < 5 calls",
            "```\nhttp://orders.shop\n``` is what it asked",
            "orders.shop answered 502 (twice)",
        ] {
            assert_eq!(link_in(plain), None, "{plain}");
        }
    }
}
