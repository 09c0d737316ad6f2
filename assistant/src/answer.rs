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

/// The first number of `text` that no evidence holds. Small whole numbers (counts of list items, ordinals),
/// parts of ids and names are let through; a number may be the evidence's, rounded.
pub fn unfounded_number(text: &str, evidence: &[Evidence]) -> Option<String> {
    let known: Vec<f64> =
        evidence.iter().flat_map(|evidence| numbers(&evidence.text)).map(|(_, value)| value).collect();
    for (written, value) in numbers(text) {
        let small = value.fract() == 0.0 && value.abs() <= 12.0;
        let decimals = written.split_once('.').map_or(0, |(_, decimals)| decimals.len());
        let slack = 0.5 * 10f64.powi(-(i32::try_from(decimals).unwrap_or(9))) + 1e-9;
        // A ratio may be told as a percentage, milliseconds as seconds, bytes as kilobytes.
        let holds = known.iter().any(|known| {
            [1.0, 100.0, 0.01, 0.001, 1000.0].iter().any(|scale| (known * scale - value).abs() <= slack)
        });
        if !small && !holds {
            return Some(written);
        }
    }
    None
}

/// Numbers that stand as words of their own: not inside ids, addresses, times or names.
fn numbers(text: &str) -> Vec<(String, f64)> {
    let separator = |char: char| {
        char.is_whitespace()
            || matches!(char, ',' | ';' | '(' | ')' | '[' | ']' | '"' | '\'' | '|' | '=' | '%' | '*' | '`')
    };
    text.split(separator)
        .filter_map(|word| {
            let word =
                word.trim_matches(|char: char| matches!(char, '.' | ':' | '!' | '?' | '~' | '<' | '>' | '+'));
            let digits =
                word.trim_end_matches(|char: char| char.is_ascii_alphabetic() || char == 'µ' || char == 'μ');
            let unit = &word[digits.len()..];
            let plain =
                !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
            let known_unit = matches!(
                unit,
                "" | "ms" | "s" | "us" | "µs" | "μs" | "ns" | "B" | "KB" | "MB" | "KiB" | "MiB" | "x"
            );
            if plain && known_unit {
                digits.parse().ok().map(|value| (digits.to_owned(), value))
            } else {
                None
            }
        })
        .collect()
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
        let found: Vec<String> =
            numbers("p99 was 812.5 ms at 10.0.0.5:80 over 2026-11-24T10:00:00Z, 37% of 1200 calls, 5xx")
                .into_iter()
                .map(|(text, _)| text)
                .collect();
        assert_eq!(found, ["812.5", "37", "1200"]);
    }
}
