//! The words of an error without its particulars: the same for errors of one kind.
//!
//! Where the words come from: the fields of a JSON problem (RFC 9457, and what others call them), else what the
//! protocol said (gRPC's message, the database's), of which the first line counts, or the last of a Python traceback.
//! What is quoted is a particular, as are numbers, ids, addresses and the placeholders of redaction.

use std::borrow::Cow;

use serde_json::Value;
use wirewise_redact::{Payload, RecordFields};

use crate::mask;

/// Bytes of words that are looked at.
const LONGEST_LOOKED_AT: usize = 512;
/// Bytes of the masked words.
const LONGEST: usize = 200;
/// Words past this are summed up as `{rest}`.
const MOST_WORDS: usize = 24;
/// Bytes of a code or type.
const LONGEST_CODE: usize = 80;
/// Longest quotation; a longer one is taken for two stray marks.
const LONGEST_QUOTED: usize = 300;

/// The error's words, masked; empty where there was none.
pub(crate) fn words(record: &RecordFields) -> String {
    let told = record.response.as_ref().filter(|_| record.error.is_some()).and_then(told_in_body);
    let told: Cow<'_, str> = match (told, record.error.as_deref()) {
        (Some(told), _) => Cow::Owned(told),
        (None, Some(error)) if error.trim_start().starts_with('{') => {
            parse(error).map_or(Cow::Borrowed(error), Cow::Owned)
        }
        (None, Some(error)) => Cow::Borrowed(error),
        (None, None) => return String::new(),
    };
    masked(telling_line(&told))
}

fn told_in_body(response: &Payload) -> Option<String> {
    let body = response.body.as_deref().filter(|_| !response.truncated)?;
    if body.trim_start().starts_with(['{', '[']) { parse(body) } else { None }
}

fn parse(text: &str) -> Option<String> {
    let value: Value = serde_json::from_str(text).ok()?;
    problem(&value)
}

/// A code and words from a problem in JSON: RFC 9457, GraphQL, JSON:API, Google, OAuth, AWS, FastAPI, Elasticsearch
/// and the many who say `message`.
fn problem(value: &Value) -> Option<String> {
    let object = match value {
        Value::Array(all) => all.first()?,
        one => one,
    };
    let inner =
        ["error", "fault", "problem"].iter().find_map(|key| object.get(key).filter(|of| of.is_object()));
    let listed = object.get("errors").and_then(|errors| match errors {
        Value::Array(all) => all.first().filter(|first| first.is_object()),
        Value::Object(_) => None,
        _ => None,
    });
    let places: Vec<&Value> = inner.into_iter().chain(listed).chain([object]).collect();
    let text = |keys: &[&str]| {
        places.iter().find_map(|place| {
            keys.iter().find_map(|key| {
                place.get(key)?.as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned)
            })
        })
    };
    // RFC 9457, 4.2.1: `about:blank` says nothing beyond the status.
    let code = text(&["type", "__type", "code", "errorCode", "error_code", "reason", "error", "status"])
        .filter(|code| code.len() <= LONGEST_CODE && code != "about:blank");
    let detail = object.get("detail").and_then(Value::as_array).and_then(|all| {
        // FastAPI: a list of what is wrong with the input.
        all.first()?.get("msg")?.as_str().map(str::to_owned)
    });
    let title = text(&["title"]);
    let message = text(&[
        "detail",
        "message",
        "error_description",
        "msg",
        "errorMessage",
        "Message",
        "description",
        "faultstring",
        "reason",
        "error",
    ]);
    let mut parts: Vec<String> = Vec::new();
    for part in [code, title, detail.or(message)].into_iter().flatten() {
        if !parts.contains(&part) {
            parts.push(part);
        }
    }
    (!parts.is_empty()).then(|| parts.join(": "))
}

/// The first line that says something; the last of a Python traceback.
fn telling_line(text: &str) -> &str {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let first = lines.next().unwrap_or_default();
    if first.starts_with("Traceback (most recent call last)") {
        lines.next_back().unwrap_or(first)
    } else {
        first
    }
}

fn masked(line: &str) -> String {
    let looked_at = &line[..line.floor_char_boundary(LONGEST_LOOKED_AT)];
    let unquoted = without_quotations(looked_at);
    let mut out = String::with_capacity(unquoted.len().min(LONGEST));
    for (index, word) in unquoted.split_whitespace().enumerate() {
        let word = if is_email(word) { Cow::Borrowed("{email}") } else { Cow::Owned(mask::piece(word)) };
        if index == MOST_WORDS || out.len() + word.len() >= LONGEST {
            out.push_str(if out.is_empty() { "{rest}" } else { " {rest}" });
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&word);
    }
    one_for_many(out)
}

fn is_email(word: &str) -> bool {
    let word = word.trim_matches(|letter: char| !letter.is_alphanumeric());
    word.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
}

/// Lists have any length: `{id}, {id}, {id}` is `{id}`.
fn one_for_many(mut text: String) -> String {
    for between in [", ", ",", " "] {
        let mut from = 0;
        while let Some(open) = text[from..].find('{').map(|at| from + at) {
            let Some(close) = text[open..].find('}').map(|at| open + at + 1) else { break };
            let again = format!("{between}{}", &text[open..close]);
            while text[close..].starts_with(&again) {
                text.replace_range(close..close + again.len(), "");
            }
            from = close;
        }
    }
    text
}

/// `"so"`, `'so'`, `` `so` `` and the like become `{quoted}`; apostrophes stay.
fn without_quotations(text: &str) -> Cow<'_, str> {
    if !text.contains(['"', '\'', '`', '\u{201c}', '\u{2018}', '\u{ab}']) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut before = ' ';
    while let Some(letter) = rest.chars().next() {
        let after = &rest[letter.len_utf8()..];
        let quoted = match letter {
            '"' | '`' => end_of_quotation(after, letter),
            // What MySQL and others of old write: `so'.
            '\'' if !before.is_alphanumeric() => end_of_quotation(after, letter),
            '\u{201c}' => end_of_quotation(after, '\u{201d}'),
            '\u{2018}' => end_of_quotation(after, '\u{2019}'),
            '\u{ab}' => end_of_quotation(after, '\u{bb}'),
            _ => None,
        };
        match quoted {
            Some(end) => {
                out.push_str("{quoted}");
                rest = &after[end..];
                before = '}';
            }
            None => {
                out.push(letter);
                rest = after;
                before = letter;
            }
        }
    }
    Cow::Owned(out)
}

/// Where the text goes on behind the closing mark. Marks inside of a word do not close; an escaped one does not.
fn end_of_quotation(text: &str, close: char) -> Option<usize> {
    let mut escaped = false;
    for (at, letter) in text.char_indices() {
        if at > LONGEST_QUOTED {
            break;
        }
        if letter == close && !escaped {
            let end = at + letter.len_utf8();
            let inside_word = close == '\'' && text[end..].starts_with(char::is_alphanumeric);
            if !inside_word {
                return Some(end);
            }
        }
        escaped = letter == '\\' && !escaped;
    }
    // Cut inside of a quotation: the rest of it is a particular too. An apostrophe alone is none.
    (close == '"' && text.len() >= 8).then_some(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &str) {
        let told = if text.starts_with('{') || text.starts_with('[') { parse(text) } else { None };
        let told = told.unwrap_or_else(|| text.to_owned());
        let once = masked(telling_line(&told));
        assert_eq!(once, expect, "{text}");
        assert_eq!(masked(&once), once, "{text} twice");
    }

    #[test]
    fn problems_in_json_are_read() {
        check(
            r#"{"type":"https://example.net/out-of-stock","title":"Out of stock","detail":"Item 4711 is gone","status":409}"#,
            "https://example.net/out-of-stock: Out of stock: Item {id} is gone",
        );
        check(r#"{"type":"about:blank","title":"Not Found","status":404}"#, "Not Found");
        check(r#"{"detail":"Order 17 not found"}"#, "Order {id} not found");
        check(
            r#"{"detail":[{"type":"int_parsing","loc":["path","id"],"msg":"Input should be a valid integer"}]}"#,
            "Input should be a valid integer",
        );
        check(
            r#"{"error":{"code":429,"message":"Quota 'cpu' exceeded","status":"RESOURCE_EXHAUSTED"}}"#,
            "RESOURCE_EXHAUSTED: Quota {quoted} exceeded",
        );
        check(
            r#"{"errors":[{"message":"Cannot query field \"x\" on type \"Y\"."}]}"#,
            "Cannot query field {quoted} on type {quoted}.",
        );
        check(
            r#"{"error":"invalid_grant","error_description":"Code was used"}"#,
            "invalid_grant: Code was used",
        );
        check(
            r#"{"timestamp":"2026-11-24T04:00:00Z","status":500,"error":"Internal Server Error","message":"boom","path":"/x"}"#,
            "Internal Server Error: boom",
        );
        check(
            r#"{"error":{"type":"index_not_found_exception","reason":"no such index [orders-17]"}}"#,
            "index_not_found_exception: no such index [orders-{id}]",
        );
        check(r#"{"a":1}"#, "{{quoted}:{id}}");
    }

    #[test]
    fn particulars_are_masked() {
        check("relation \"orders\" does not exist", "relation {quoted} does not exist");
        check("can't open 'a file' at it's place", "can't open {quoted} at it's place");
        check("Unknown column 'it's' in 'field list'", "Unknown column {quoted} in {quoted}");
        check("no mail to bob@example.org.", "no mail to {email}");
        check("ids 1, 2, 3 are taken", "ids {id} are taken");
        check("bad value \"cut in the midd", "bad value {quoted}");
        check(
            "Traceback (most recent call last):\n  File \"x\", line 3\nKeyError: 'a'\n",
            "KeyError: {quoted}",
        );
        check("\n\n  first\nsecond", "first");
        check("", "");
    }

    #[test]
    fn anything_is_bounded() {
        for text in
            ["x".repeat(1 << 20), "a ".repeat(1 << 19), "\u{1f600}".repeat(1 << 18), "\"".repeat(1 << 20)]
        {
            let once = masked(telling_line(&text));
            assert!(once.len() <= LONGEST + " {rest}".len(), "{} bytes", once.len());
        }
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        assert_eq!(parse(&deep), None);
    }
}
