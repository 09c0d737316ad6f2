//! The words for a window of time: `10m`, `since 14:05`, `from ... to ...`, always relative to the now of the
//! data set that is asked. Clock times without an offset are UTC, as all times are told.

use std::str::FromStr;
use std::time::Duration;

use jiff::civil;
use jiff::tz::TimeZone;
use wirewise_model::{Timestamp, Window};

const DAY: Duration = Duration::from_secs(86_400);
const MINUTE: Duration = Duration::from_secs(60);

/// A text that names no window.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct WindowError(String);

fn wrong(text: &str) -> WindowError {
    WindowError(format!(
        "`{}` is no window; say `10m`, `last 2 hours`, `since 14:05`, `14:00 to 14:30`, \
         `2026-01-31T14:00:00Z to 2026-01-31T15:00:00Z` or `all`",
        crate::table::plain(text, 60)
    ))
}

/// The window that `text` names. `whole` is all that the data set covers, its end just after `now`.
pub fn parse_window(text: &str, now: Timestamp, whole: Window) -> Result<Window, WindowError> {
    let lower = text.trim().to_lowercase();
    let words = lower.strip_prefix("the ").unwrap_or(&lower).trim();
    if matches!(words, "" | "all" | "everything" | "whole" | "all time" | "any") {
        return Ok(whole);
    }
    let window = read(words, now, whole).ok_or_else(|| wrong(text))?;
    if window.from >= window.to {
        return Err(WindowError(format!(
            "`{}` ends before it begins; now is {now} in this data set",
            crate::table::plain(text, 60)
        )));
    }
    Ok(window)
}

fn read(words: &str, now: Timestamp, whole: Window) -> Option<Window> {
    let end = whole.to.max(now + Duration::from_nanos(1));
    for prefix in ["in the last ", "the last ", "last ", "in the past ", "past ", "previous "] {
        if let Some(rest) = words.strip_prefix(prefix) {
            let span = parse_duration(rest).or_else(|| parse_duration(&format!("1 {rest}")))?;
            return Some(Window { from: now.before(span), to: end });
        }
    }
    if let Some(span) = parse_duration(words) {
        return Some(Window { from: now.before(span), to: end });
    }
    for (prefix, middle) in
        [("from ", " to "), ("from ", " until "), ("between ", " and "), ("", " to "), ("", "..")]
    {
        if let Some((from, to)) = words.strip_prefix(prefix).and_then(|rest| rest.split_once(middle)) {
            return Some(Window { from: instant(from, now)?, to: instant(to, now)? });
        }
    }
    if let Some((from, to)) = words.split_once('/') {
        return Some(Window { from: instant(from, now)?, to: instant(to, now)? });
    }
    for prefix in ["since ", "after ", "from ", "starting "] {
        if let Some(rest) = words.strip_prefix(prefix) {
            let from = instant(rest, now).or_else(|| parse_duration(rest).map(|span| now.before(span)))?;
            return Some(Window { from, to: end });
        }
    }
    for prefix in ["until ", "before ", "up to "] {
        if let Some(rest) = words.strip_prefix(prefix) {
            return Some(Window { from: whole.from, to: instant(rest, now)? });
        }
    }
    for prefix in ["at ", "around ", "about "] {
        if let Some(rest) = words.strip_prefix(prefix) {
            let middle = instant(rest, now)?;
            return Some(Window { from: middle.before(MINUTE), to: middle + MINUTE });
        }
    }
    let midnight = midnight_of(now)?;
    match words {
        "today" => return Some(Window { from: midnight, to: end }),
        "yesterday" => return Some(Window { from: midnight.before(DAY), to: midnight }),
        _ => {}
    }
    let date = civil::Date::from_str(words).ok()?;
    let from = at_utc(date.to_datetime(civil::Time::midnight()))?;
    Some(Window { from, to: from + DAY })
}

/// A moment: RFC 3339, a date with or without a time of day, a time of day (the latest one that is not after
/// now), `10m ago`, `now`.
pub(crate) fn instant(words: &str, now: Timestamp) -> Option<Timestamp> {
    let words = words.trim();
    if words == "now" {
        return Some(now);
    }
    if let Some(rest) = words.strip_suffix(" ago") {
        return parse_duration(rest).map(|span| now.before(span));
    }
    let upper = words.to_uppercase();
    if let Ok(at) = jiff::Timestamp::from_str(&upper) {
        return i64::try_from(at.as_nanosecond()).ok().map(Timestamp::from_nanos);
    }
    if let Ok(time) = civil::Time::from_str(&upper) {
        let today = midnight_of(now)?;
        let since_midnight = time.duration_since(civil::Time::midnight()).unsigned_abs();
        let at = today + since_midnight;
        return Some(if at > now { at.before(DAY) } else { at });
    }
    if let Ok(at) = civil::DateTime::from_str(&upper) {
        return at_utc(at);
    }
    None
}

fn at_utc(at: civil::DateTime) -> Option<Timestamp> {
    let zoned = at.to_zoned(TimeZone::UTC).ok()?;
    i64::try_from(zoned.timestamp().as_nanosecond()).ok().map(Timestamp::from_nanos)
}

fn midnight_of(now: Timestamp) -> Option<Timestamp> {
    let day = i64::try_from(DAY.as_nanos()).ok()?;
    now.nanos().div_euclid(day).checked_mul(day).map(Timestamp::from_nanos)
}

/// A span: `10m`, `1h30m`, `90 seconds`, `2 hours`, `half an hour`.
pub fn parse_duration(text: &str) -> Option<Duration> {
    let text = text.trim().to_lowercase();
    match text.as_str() {
        "half an hour" | "half hour" => return Some(Duration::from_secs(1800)),
        "an hour" => return Some(Duration::from_secs(3600)),
        "a minute" => return Some(MINUTE),
        "a day" => return Some(DAY),
        "few minutes" | "a few minutes" | "couple of minutes" => return Some(MINUTE * 5),
        _ => {}
    }
    let mut rest = text.as_str();
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let digits = rest.len()
            - rest.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.').len();
        if digits == 0 {
            return None;
        }
        let (number, after) = rest.split_at(digits);
        let number: f64 = number.parse().ok()?;
        let after = after.trim_start();
        let letters = after.len() - after.trim_start_matches(|letter: char| letter.is_alphabetic()).len();
        let (unit, after) = after.split_at(letters);
        let seconds = match unit {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "secs" | "second" | "seconds" => 1.0,
            "m" | "min" | "mins" | "minute" | "minutes" => 60.0,
            "h" | "hr" | "hrs" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            "w" | "week" | "weeks" => 604_800.0,
            _ => return None,
        };
        total = total.checked_add(Duration::try_from_secs_f64(number * seconds).ok()?)?;
        rest = after.trim_start().trim_start_matches("and ").trim_start();
    }
    (total > Duration::ZERO).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2026-11-24T14:20:00Z.
    const NOW: Timestamp = Timestamp::from_parts(1_795_530_000, 0);

    fn check(text: &str, from: &str, to: &str) {
        let whole = Window { from: NOW.before(Duration::from_secs(7200)), to: NOW + Duration::from_nanos(1) };
        let window = parse_window(text, NOW, whole).unwrap_or_else(|error| panic!("{error}"));
        let short = |at: Timestamp| at.rfc3339().replace(".000000000Z", "").replace("2026-11-", "");
        assert_eq!((short(window.from).as_str(), short(window.to).as_str()), (from, to), "{text}");
    }

    #[test]
    fn windows_are_relative_to_the_data_sets_now() {
        let end = "24T14:20:00.000000001Z";
        check("10m", "24T14:10:00", end);
        check("last hour", "24T13:20:00", end);
        check("the last 2 hours", "24T12:20:00", end);
        check("1h30m", "24T12:50:00", end);
        check("since 14:05", "24T14:05:00", end);
        check("since 14:05:30", "24T14:05:30", end);
        check("since 23:00", "23T23:00:00", end);
        check("since 10m ago", "24T14:10:00", end);
        check("all", "24T12:20:00", end);
        check("today", "24T00:00:00", end);
        check("yesterday", "23T00:00:00", "24T00:00:00");
        check("14:00 to 14:10", "24T14:00:00", "24T14:10:00");
        check("between 14:00 and 14:10", "24T14:00:00", "24T14:10:00");
        check("from 2026-11-24T15:00:00+02:00 to 2026-11-24T13:30:00Z", "24T13:00:00", "24T13:30:00");
        check("2026-11-24T13:00:00Z/2026-11-24T13:30:00Z", "24T13:00:00", "24T13:30:00");
        check("2026-11-23", "23T00:00:00", "24T00:00:00");
        check("before 14:05", "24T12:20:00", "24T14:05:00");
    }

    #[test]
    fn what_is_no_window_is_told() {
        let whole = Window { from: Timestamp::from_nanos(0), to: NOW };
        for text in
            ["soon", "since", "14:10 to 14:00", "10 parsecs", "-5m", "99999999999999999999d", "from to"]
        {
            assert!(parse_window(text, NOW, whole).is_err(), "{text}");
        }
    }
}
