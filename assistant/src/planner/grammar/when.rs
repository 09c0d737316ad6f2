//! Times in a question: windows, moments, spans; in the words that the tools take.

use wirewise_tools::parse_duration;

use super::words::{Role, Word};

/// A time that a question names. Instants and spans are texts that the tools read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// The last so long.
    Last(String),
    /// From then on.
    Since(String),
    /// Until then.
    Before(String),
    /// Around then.
    At(String),
    /// From one to the other.
    Between(String, String),
    /// A day: `today`, `yesterday`, a date.
    Day(String),
}

impl When {
    /// The window that it names.
    pub(crate) fn window(&self) -> String {
        match self {
            Self::Last(span) => format!("last {span}"),
            Self::Since(at) => format!("since {at}"),
            Self::Before(at) => format!("before {at}"),
            Self::At(at) => format!("at {at}"),
            Self::Between(from, to) => format!("{from} to {to}"),
            Self::Day(day) => day.clone(),
        }
    }
}

/// Reads the times and marks their words.
pub(crate) fn take(words: &mut [Word]) -> Vec<When> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < words.len() {
        match read(&words[at..]) {
            Some((when, used)) => {
                words[at..at + used].iter_mut().for_each(|word| word.role = Role::Slot);
                found.push(when);
                at += used;
            }
            None => at += 1,
        }
    }
    found
}

/// A time at the very start of `words`, and how many of them it takes.
fn read(words: &[Word]) -> Option<(When, usize)> {
    let text = |at: usize| words.get(at).map_or("", |word| word.text.as_str());
    let first = text(0);
    match first {
        "last" | "past" | "previous" | "recent" => {
            if let Some((span, used)) = span(&words[1..]) {
                return Some((When::Last(span), used + 1));
            }
        }
        "since" | "after" | "from" | "starting" => {
            if let Some((from, used)) = instant(&words[1..]) {
                let next = 1 + used;
                if matches!(text(next), "to" | "until" | "till" | "-")
                    && let Some((to, more)) = instant(&words[next + 1..])
                {
                    return Some((When::Between(from, to), next + 1 + more));
                }
                return Some((When::Since(from), next));
            }
            // `since 10m` without its `ago`.
            if first == "since"
                && let Some((span, used)) = span(&words[1..])
            {
                return Some((When::Since(format!("{span} ago")), used + 1));
            }
        }
        "before" | "until" | "till" => {
            if let Some((at, used)) = instant(&words[1..]) {
                return Some((When::Before(at), used + 1));
            }
        }
        "between" => {
            let (from, used) = instant(&words[1..])?;
            if matches!(text(1 + used), "and" | "to" | "-") {
                let (to, more) = instant(&words[used + 2..])?;
                return Some((When::Between(from, to), used + 2 + more));
            }
        }
        "at" | "around" | "about" => {
            if let Some((at, used)) = instant(&words[1..]) {
                return Some((When::At(at), used + 1));
            }
        }
        "in" | "for" | "within" | "during" | "over" | "the" => {
            // `in the last hour` is read at `last`; here stands `in 5m`, `for 10 minutes`. Milliseconds are no window.
            if first != "the"
                && !words.get(1).is_some_and(|word| word.text.ends_with("ms"))
                && words
                    .get(1)
                    .is_some_and(|word| word.text.starts_with(|letter: char| letter.is_ascii_digit()))
                && let Some((span, used)) = span(&words[1..])
                && text(1 + used) != "ago"
            {
                return Some((When::Last(span), used + 1));
            }
        }
        "today" | "yesterday" => return Some((When::Day(first.to_owned()), 1)),
        _ => {}
    }
    // `14:00-14:10`, `14:00 to 14:10`, a day, a moment.
    if let Some((from, to)) = first.split_once("..").or_else(|| split_clock(first))
        && let (Some(from), Some(to)) = (one_instant(from), one_instant(to))
    {
        return Some((When::Between(from, to), 1));
    }
    if is_date(first) && instant(words).is_some_and(|(_, used)| used == 1) {
        return Some((When::Day(first.to_owned()), 1));
    }
    let (at, used) = instant(words)?;
    if matches!(text(used), "to" | "until" | "till" | "-" | "and")
        && let Some((to, more)) = instant(&words[used + 1..])
    {
        return Some((When::Between(at, to), used + 1 + more));
    }
    Some((When::At(at), used))
}

/// `14:00-14:10`.
fn split_clock(word: &str) -> Option<(&str, &str)> {
    let (from, to) = word.split_once('-').or_else(|| word.split_once('–'))?;
    (from.contains(':') && to.contains(':')).then_some((from, to))
}

/// A span at the start of `words`: `10m`, `10 minutes`, `hour`, `few minutes`, `1 hour 30 minutes`.
fn span(words: &[Word]) -> Option<(String, usize)> {
    // The longest that reads.
    (1..=words.len().min(4)).rev().find_map(|used| {
        let said: Vec<&str> = words[..used].iter().map(|word| word.text.as_str()).collect();
        let said = said.join(" ");
        let said = said.strip_prefix("the ").unwrap_or(&said);
        let said = WORDED.iter().fold(said.to_owned(), |said, (word, digit)| match said.strip_prefix(word) {
            Some(rest) if rest.starts_with(' ') => format!("{digit}{rest}"),
            _ => said,
        });
        // A bare number has no unit; a bare unit is one of it.
        let written = if parse_duration(&said).is_some() { said } else { format!("1 {said}") };
        parse_duration(&written).map(|_| (written, used))
    })
}

/// Numbers in letters that stand before units.
const WORDED: &[(&str, &str)] = &[
    ("one", "1"),
    ("two", "2"),
    ("three", "3"),
    ("four", "4"),
    ("five", "5"),
    ("six", "6"),
    ("ten", "10"),
    ("fifteen", "15"),
    ("twenty", "20"),
    ("thirty", "30"),
    ("sixty", "60"),
];

/// A moment at the start of `words`: a clock time, a date with one, RFC 3339, `10 minutes ago`.
fn instant(words: &[Word]) -> Option<(String, usize)> {
    let first = words.first()?.text.as_str();
    if first == "now" {
        return None;
    }
    if let Some((span, used)) = span(words)
        && words.get(used).is_some_and(|word| word.text == "ago")
    {
        return Some((format!("{span} ago"), used + 1));
    }
    if is_date(first)
        && let Some(clock) = words.get(1).and_then(|word| clock(&word.text))
    {
        return Some((format!("{first}T{clock}Z"), 2));
    }
    let at = one_instant(first)?;
    // The zone that is meant anyway.
    let zoned = words.get(1).is_some_and(|word| matches!(word.text.as_str(), "utc" | "z" | "gmt"));
    Some((at, 1 + usize::from(zoned)))
}

/// A moment in one word.
fn one_instant(word: &str) -> Option<String> {
    if let Some(clock) = clock(word) {
        return Some(clock);
    }
    if is_date(word) {
        return Some(format!("{word}T00:00:00Z"));
    }
    let rest = word.get(10..)?;
    (is_date(word.get(..10)?) && rest.starts_with('t') && rest.len() >= 6).then(|| {
        let upper = word.to_uppercase();
        let zoned = upper.ends_with('Z') || upper[11..].contains(['+', '-']);
        if zoned { upper } else { format!("{upper}Z") }
    })
}

/// `14:05`, `14:05:30.5`, `2pm`, `noon`: as a time of day.
fn clock(word: &str) -> Option<String> {
    match word {
        "noon" => return Some("12:00".to_owned()),
        "midnight" => return Some("00:00".to_owned()),
        _ => {}
    }
    let word = word.strip_suffix('z').unwrap_or(word);
    let (digits, later) = match word.strip_suffix("pm") {
        Some(rest) => (rest, Some(true)),
        None => word.strip_suffix("am").map_or((word, None), |rest| (rest, Some(false))),
    };
    let mut fields = digits.split(':');
    let hour: u32 = number(fields.next()?)?;
    let minute = fields.next();
    if minute.is_none() && later.is_none() {
        return None;
    }
    let minute = match minute {
        Some(text) if text.len() == 2 => number(text)?,
        Some(_) => return None,
        None => 0,
    };
    let second = fields.next();
    if fields.next().is_some() || hour > 23 || minute > 59 {
        return None;
    }
    let hour = match later {
        Some(later) if (1..=12).contains(&hour) => hour % 12 + if later { 12 } else { 0 },
        Some(_) => return None,
        None => hour,
    };
    match second {
        None => Some(format!("{hour:02}:{minute:02}")),
        Some(text) => {
            let value: f64 = text.parse().ok()?;
            let whole = text.starts_with(|letter: char| letter.is_ascii_digit()) && text.len() >= 2;
            (whole && (0.0..60.0).contains(&value)).then(|| format!("{hour:02}:{minute:02}:{text}"))
        }
    }
}

fn number(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.len() <= 2 && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok()).flatten()
}

/// `2026-11-24`.
fn is_date(word: &str) -> bool {
    let bytes = word.as_bytes();
    bytes.len() == 10
        && bytes.iter().enumerate().all(|(at, byte)| match at {
            4 | 7 => *byte == b'-',
            _ => byte.is_ascii_digit(),
        })
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    fn check(question: &str, expect: &[&str]) {
        let mut read = words(question);
        let found: Vec<String> = take(&mut read).iter().map(When::window).collect();
        assert_eq!(found, expect, "{question}");
    }

    #[test]
    fn windows_are_read_in_many_words() {
        check("errors in the last 10 minutes", &["last 10 minutes"]);
        check("errors in the last hour", &["last 1 hour"]);
        check("slow calls last 5m", &["last 5m"]);
        check("past two hours please", &["last 2 hours"]);
        check("what failed since 14:05", &["since 14:05"]);
        check("since 14:05:30 UTC", &["since 14:05:30"]);
        check("since 10 minutes ago", &["since 10 minutes ago"]);
        check("between 14:00 and 14:10", &["14:00 to 14:10"]);
        check("from 14:00 to 14:10", &["14:00 to 14:10"]);
        check("14:00-14:10", &["14:00 to 14:10"]);
        check("at 2pm", &["at 14:00"]);
        check("yesterday", &["yesterday"]);
        check("on 2026-11-24", &["2026-11-24"]);
        check("since 2026-11-24T14:05:00Z", &["since 2026-11-24T14:05:00Z"]);
        check("since 2026-11-24 14:05", &["since 2026-11-24T14:05Z"]);
        check("compare 14:00-14:10 with 14:20-14:30", &["14:00 to 14:10", "14:20 to 14:30"]);
        check("what happened 5 minutes ago", &["at 5 minutes ago"]);
    }

    #[test]
    fn what_only_looks_like_a_time_is_left() {
        check("the last 10 calls", &[]);
        check("since the fault", &[]);
        check("calls from orders to payments", &[]);
        check("slower than 500 ms", &[]);
        check("10.0.0.5:80", &[]);
        check("what is going on right now", &[]);
    }
}
