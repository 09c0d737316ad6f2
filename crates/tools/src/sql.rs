//! Pieces of SQL that the tools share: literals, conditions, aggregates.

use wirewise_model::{Timestamp, Window};

/// Calls whose duration says how fast a server answered: not streams, polls, handshakes or connections.
pub(crate) const TIMED: &str = "kind = 'unary'";

/// Calls that went wrong for somebody, whoever's fault it was.
pub(crate) const BAD: &str = "outcome IN ('client_error', 'server_error', 'no_response', 'aborted')";

/// A text literal.
pub(crate) fn text(value: &str) -> String {
    let clean: String = value.chars().filter(|letter| *letter != '\0').collect();
    format!("'{}'", clean.replace('\'', "''"))
}

/// A time literal.
pub(crate) fn time(at: Timestamp) -> String {
    format!("TIMESTAMP '{}'", at.rfc3339())
}

/// That a call began in the window.
pub(crate) fn within(window: Window) -> String {
    format!("started_at >= {} AND started_at < {}", time(window.from), time(window.to))
}

/// That a flow had any of its life in the window.
pub(crate) fn alive_within(window: Window) -> String {
    format!("started_at < {} AND ended_at >= {}", time(window.to), time(window.from))
}

/// An exact percentile of the durations, in milliseconds.
pub(crate) fn percentile(column: &str, percent: f64, condition: &str) -> String {
    format!(
        "percentile_cont({}) WITHIN GROUP (ORDER BY {column}) FILTER (WHERE {condition})",
        percent / 100.0
    )
}

/// The aggregates of a group of calls, each named. `timed` is the n of the percentiles.
pub(crate) fn aggregates() -> String {
    format!(
        "count(*) AS calls, count(*) FILTER (WHERE failed) AS failed, \
         count(*) FILTER (WHERE outcome = 'client_error') AS client_errors, \
         CAST(count(*) FILTER (WHERE failed) AS DOUBLE) / CAST(count(*) AS DOUBLE) AS error_ratio, \
         count(duration_ms) FILTER (WHERE {TIMED}) AS timed, \
         {} AS p50_ms, {} AS p95_ms, {} AS p99_ms",
        percentile("duration_ms", 50.0, TIMED),
        percentile("duration_ms", 95.0, TIMED),
        percentile("duration_ms", 99.0, TIMED),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_leave_its_quotes() {
        assert_eq!(text("x' OR '1'='1\0"), "'x'' OR ''1''=''1'");
    }
}
