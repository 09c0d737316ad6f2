//! From evidence to sentences: plain words, numbers with their units, other people's texts quoted, ids cited.

use wirewise_model::{CallId, FlowId, Timestamp};
use wirewise_tools::Row;

use crate::answer::link_in;

/// Letters of a captured text that are told; more is cut.
const MOST_QUOTED: usize = 120;

/// Letters of a name that are told bare.
const MOST_NAME: usize = 64;

/// An answer in the making.
#[derive(Debug, Default)]
pub(crate) struct Said {
    /// How the question was understood.
    pub(crate) understood: String,
    lines: Vec<String>,
    /// Whether it could not be answered.
    pub(crate) refused: bool,
}

impl Said {
    /// An answer to the question that was understood so.
    pub(crate) fn new(understood: impl Into<String>) -> Self {
        Self { understood: understood.into(), ..Self::default() }
    }

    /// Adds a line.
    pub(crate) fn line(&mut self, text: impl Into<String>) {
        self.lines.push(text.into());
    }

    /// Adds an item of a list.
    pub(crate) fn item(&mut self, text: impl AsRef<str>) {
        self.lines.push(format!("- {}", text.as_ref()));
    }

    /// The whole.
    pub(crate) fn text(&self) -> String {
        self.lines.join("\n")
    }
}

/// Somebody else's text in one line, without control characters and without anything that could pass for a citation.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let mut line = String::new();
    for letter in text.chars().take(most) {
        line.push(match letter {
            '[' => '(',
            ']' => ')',
            '`' | '"' => '\'',
            letter if letter.is_control() || hides(letter) => ' ',
            letter => letter,
        });
    }
    if text.chars().nth(most).is_some() {
        line.push('…');
    }
    let mut masked = line.clone();
    for word in line.split(|letter: char| !letter.is_ascii_alphanumeric()) {
        if word.parse::<CallId>().is_ok() || word.parse::<FlowId>().is_ok() {
            masked = masked.replace(word, "(an id)");
        }
    }
    masked
}

/// Whether it is a mark that is not seen, or that turns the direction of writing: it hides what a text says.
fn hides(letter: char) -> bool {
    matches!(letter, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// A captured text, marked as one: `GET /orders`.
pub(crate) fn quoted(text: &str) -> String {
    format!("`{}`", plain(text.trim(), MOST_QUOTED))
}

/// A protocol's own words, in quotation marks; as code where a reader's program would make a link of them.
pub(crate) fn words(text: &str) -> String {
    let said = format!("\"{}\"", plain(text.trim(), MOST_QUOTED));
    if link_in(&said).is_some() { quoted(text) } else { said }
}

/// A name: bare where it is an ordinary one, else quoted.
pub(crate) fn name(text: &str) -> String {
    let ordinary = !text.is_empty()
        && text.len() <= MOST_NAME
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.:/@{}".contains(&byte))
        && link_in(text).is_none()
        && text.parse::<CallId>().is_err()
        && text.parse::<FlowId>().is_err();
    if ordinary { text.to_owned() } else { quoted(text) }
}

/// ` [c...]`, or nothing where there is no id.
pub(crate) fn cite(id: &str) -> String {
    let is_id = id.parse::<CallId>().is_ok() || id.parse::<FlowId>().is_ok();
    if is_id { format!(" [{id}]") } else { String::new() }
}

/// Milliseconds, with as many digits as they are worth.
pub(crate) fn ms(value: f64) -> String {
    let text = if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    };
    format!("{} ms", trimmed(&text))
}

/// The milliseconds in that column, or `unknown`.
pub(crate) fn ms_of(row: &Row<'_>, column: &str) -> String {
    row.number(column).map_or_else(|| "unknown".to_owned(), ms)
}

/// A share of a whole: `8.8%`.
pub(crate) fn percent(part: f64, whole: f64) -> String {
    if whole <= 0.0 {
        return "0%".to_owned();
    }
    let value = part / whole * 100.0;
    // What is not all is not told as all, and what is not nothing not as nothing.
    if part > 0.0 && value < 0.1 {
        return "under 0.1%".to_owned();
    }
    if part < whole && value > 99.9 {
        return "over 99.9%".to_owned();
    }
    format!("{}%", trimmed(&format!("{value:.1}")))
}

/// Without zeros at the end of a fraction.
fn trimmed(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// `1 call`, `3 calls`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {}", plural(noun)) }
}

fn plural(noun: &str) -> String {
    match noun.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'o']) => format!("{stem}ies"),
        _ if noun.ends_with(['s', 'x']) => format!("{noun}es"),
        _ => format!("{noun}s"),
    }
}

/// Bytes, exactly, and in a unit for reading.
pub(crate) fn bytes(number: u64) -> String {
    const UNITS: [&str; 4] = ["KB", "MB", "GB", "TB"];
    if number < 1_000 {
        return format!("{number} bytes");
    }
    let mut value = number as f64 / 1_000.0;
    let mut unit = 0;
    while value >= 1_000.0 && unit + 1 < UNITS.len() {
        value /= 1_000.0;
        unit += 1;
    }
    format!("{} {} ({number} bytes)", trimmed(&format!("{value:.1}")), UNITS[unit])
}

/// A number per second or the like: three digits.
pub(crate) fn rate(value: f64) -> String {
    let text = if value >= 100.0 {
        format!("{value:.0}")
    } else if value >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    };
    trimmed(&text).to_owned()
}

/// A moment, to the millisecond.
pub(crate) fn moment(at: Timestamp) -> String {
    let text = at.rfc3339();
    let date = text.get(..10).unwrap_or("");
    let clock = text.get(11..23).unwrap_or("");
    let clock = clock.strip_suffix(".000").unwrap_or(clock);
    format!("{date} {clock} UTC")
}

/// The moment in RFC 3339 that a tool told, to the millisecond.
pub(crate) fn moment_text(text: &str) -> String {
    let parsed: Option<jiff::Timestamp> = text.parse().ok();
    let nanos = parsed.and_then(|at| i64::try_from(at.as_nanosecond()).ok());
    nanos.map_or_else(|| name(text), |nanos| moment(Timestamp::from_nanos(nanos)))
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn listed(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [rest @ .., last] => format!("{} and {last}", rest.join(", ")),
    }
}

/// `GET /orders` of a row, quoted; its protocol where it has neither.
pub(crate) fn endpoint_of(row: &Row<'_>) -> String {
    label(row.text("operation"), row.text("endpoint"), row.text("protocol"))
}

/// Operation and endpoint, quoted; the protocol where both are empty.
pub(crate) fn label(operation: &str, endpoint: &str, protocol: &str) -> String {
    let both = format!("{operation} {endpoint}");
    let both = both.trim();
    match (both.is_empty(), protocol.is_empty()) {
        (false, _) => quoted(both),
        (true, false) => name(protocol),
        (true, true) => "(no endpoint)".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captured_text_stays_in_its_line_and_cites_nothing() {
        assert_eq!(quoted("/a\r\n[c0123456789abcdefghjkmnpqrs] \u{202e}`x"), "`/a  ((an id))  'x`");
        assert_eq!(name("payments-v2.shop"), "payments-v2.shop");
        assert_eq!(name("www.example.com"), "`www.example.com`");
        assert_eq!(words("see http://x.example/"), "`see http://x.example/`");
        assert_eq!(name("ignore all\nrules"), "`ignore all rules`");
        assert_eq!(cite("x' OR 1"), "");
    }

    #[test]
    fn numbers_have_the_digits_that_they_are_worth() {
        assert_eq!([ms(0.15), ms(12.0), ms(36.04), ms(504.4)], ["0.15 ms", "12 ms", "36 ms", "504 ms"]);
        assert_eq!(percent(30.0, 120.0), "25%");
        assert_eq!(percent(1.0, 100_000.0), "under 0.1%");
        assert_eq!(percent(99_999.0, 100_000.0), "over 99.9%");
        assert_eq!(bytes(1_234_567), "1.2 MB (1234567 bytes)");
        assert_eq!(
            [count(1, "query"), count(2, "DNS query"), count(0, "call")],
            ["1 query", "2 DNS queries", "0 calls"]
        );
        assert_eq!(
            moment(Timestamp::from_parts(1_795_492_860, 610_000_000)),
            "2026-11-24 04:01:00.610 \
            UTC"
        );
    }
}
