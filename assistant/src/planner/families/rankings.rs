//! The most of something: endpoints, services or callers by calls, failures or latency; and versions side by side.

use wirewise_tools::ToolError;

use super::slowness::group_told;
use super::volume;
use crate::planner::compose::{Said, cite, count, ms_of, percent};
use crate::planner::conditions::{self, PLUMBING, SubjectIs, TIMED, percentile};
use crate::planner::desk::Desk;
use crate::planner::grammar::{By, Cue, Reading, Stat};

const DEFAULT_ROWS: usize = 5;

/// What is ranked by.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Metric {
    Calls,
    Failures,
    Latency(Stat),
}

pub(crate) async fn top(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    if reading.has(Cue::Bytes) {
        return volume::bytes(desk, reading).await;
    }
    let metric = match () {
        () if reading.has(Cue::Fail) || slots.status.is_some() => Metric::Failures,
        () if reading.has(Cue::Latency) || reading.has(Cue::Slow) || reading.has(Cue::Stat) => {
            Metric::Latency(slots.stats.first().copied().unwrap_or(Stat::Percent(99.0)))
        }
        () => Metric::Calls,
    };
    // `top 5 endpoints by latency`: the dimension is what stands before `by`.
    let by = match () {
        () if reading.has(Cue::Endpoint) => By::Endpoint,
        () if reading.has(Cue::Caller) || reading.has(Cue::Who) => By::Caller,
        () if reading.has(Cue::Host) => By::Host,
        () if reading.has(Cue::Version) => By::Version,
        () => slots.by.unwrap_or(
            if reading.has(Cue::Service) || slots.subject.is_none() && slots.callee.is_none() {
                By::Service
            } else {
                By::Endpoint
            },
        ),
    };
    let (order, told) = match metric {
        Metric::Calls => ("calls DESC", "calls".to_owned()),
        Metric::Failures => ("failed DESC, calls DESC", "failed calls".to_owned()),
        Metric::Latency(stat) => ("latency_ms DESC NULLS LAST", format!("{} latency", stat.told())),
    };
    let latency = match metric {
        Metric::Latency(Stat::Percent(part)) => percentile("duration_ms", part / 100.0, TIMED),
        Metric::Latency(Stat::Average) => format!("avg(duration_ms) FILTER (WHERE {TIMED})"),
        Metric::Latency(Stat::Most) => format!("max(duration_ms) FILTER (WHERE {TIMED})"),
        Metric::Latency(Stat::Least) => format!("min(duration_ms) FILTER (WHERE {TIMED})"),
        Metric::Calls | Metric::Failures => percentile("duration_ms", 0.99, TIMED),
    };
    let latency_told = match metric {
        Metric::Latency(stat) => stat.told(),
        Metric::Calls | Metric::Failures => "p99".to_owned(),
    };
    let limit = slots.limit.unwrap_or(DEFAULT_ROWS);
    let mut said =
        Said::new(format!("the {limit} {}s{} with most by {told}", by.told(), conditions::told(slots)));
    let mut condition = conditions::calls(desk, slots, SubjectIs::Server);
    if slots.protocol.is_none() {
        condition.push_str(&format!(" AND protocol NOT IN {PLUMBING}"));
    }
    let columns: Vec<String> =
        by.columns().iter().map(|(column, name)| format!("{column} AS {name}")).collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
    let found = desk
        .sql(format!(
            "SELECT {}, min(protocol) AS first_protocol, count(*) AS calls, count(*) FILTER (WHERE failed) \
             AS failed, \
             count(*) FILTER (WHERE {TIMED}) AS n, {latency} AS latency_ms, min(call_id) AS example, \
             min(call_id) FILTER (WHERE failed) AS failed_example, \
             first_value(call_id ORDER BY duration_ms DESC NULLS LAST) AS slowest \
             FROM calls WHERE {condition} GROUP BY {} ORDER BY {order} LIMIT {limit}",
            columns.join(", "),
            places.join(", ")
        ))
        .await?;
    if found.is_empty() {
        said.line("No calls that fit were heard in this window.");
        return Ok(said);
    }
    said.line(format!("By {told}, most first:"));
    for row in found.iter() {
        let id = match metric {
            Metric::Calls => row.text("example"),
            Metric::Failures if row.text("failed_example").is_empty() => row.text("example"),
            Metric::Failures => row.text("failed_example"),
            Metric::Latency(_) => row.text("slowest"),
        };
        said.item(format!(
            "{}: {}, {} failed ({}), {latency_told} {} (n {}){}",
            group_told(&row, by),
            count(row.count("calls"), "call"),
            row.count("failed"),
            percent(row.count("failed") as f64, row.count("calls") as f64),
            ms_of(&row, "latency_ms"),
            row.count("n"),
            cite(id)
        ));
    }
    Ok(said)
}

/// Versions or instances side by side: who of them fails, and who is slow.
pub(crate) async fn versions(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let by = if reading.has(Cue::Instance) { By::Instance } else { By::Version };
    let mut said =
        Said::new(format!("the {}s of servers{} side by side", by.told(), conditions::told(slots)));
    let mut condition = conditions::calls(desk, slots, SubjectIs::Server);
    if slots.protocol.is_none() {
        condition.push_str(&format!(" AND protocol NOT IN {PLUMBING}"));
    }
    if by == By::Version {
        condition.push_str(" AND server_version IS NOT NULL");
    }
    let columns: Vec<String> =
        by.columns().iter().map(|(column, name)| format!("{column} AS {name}")).collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
    let found = desk
        .sql(format!(
            "SELECT {}, count(*) AS calls, count(*) FILTER (WHERE failed) AS failed, count(*) FILTER \
             (WHERE {TIMED}) AS n, {} AS p50_ms, {} AS p99_ms, \
             min(call_id) AS example, min(call_id) FILTER (WHERE failed) AS failed_example, \
             CAST(count(*) FILTER (WHERE failed) AS DOUBLE) / CAST(count(*) AS DOUBLE) AS share \
             FROM calls WHERE {condition} GROUP BY {} ORDER BY share DESC, calls DESC LIMIT {}",
            columns.join(", "),
            percentile("duration_ms", 0.5, TIMED),
            percentile("duration_ms", 0.99, TIMED),
            places.join(", "),
            slots.limit.unwrap_or(10)
        ))
        .await?;
    let Some(first) = found.first() else {
        said.line(match by {
            By::Version => {
                "No version of any server that fits is known in this window: name them with \
                --names, or by labels."
            }
            _ => "No calls that fit were heard in this window.",
        });
        return Ok(said);
    };
    if first.count("failed") > 0 {
        said.line(format!(
            "{} fails most: {} of {} ({}){}.",
            group_told(&first, by),
            first.count("failed"),
            count(first.count("calls"), "call"),
            percent(first.count("failed") as f64, first.count("calls") as f64),
            cite(first.text("failed_example"))
        ));
    } else {
        said.line(format!("None of these {}s failed.", by.told()));
    }
    for row in found.iter() {
        said.item(format!(
            "{}: {}, {} failed ({}), p50 {}, p99 {} (n {}){}",
            group_told(&row, by),
            count(row.count("calls"), "call"),
            row.count("failed"),
            percent(row.count("failed") as f64, row.count("calls") as f64),
            ms_of(&row, "p50_ms"),
            ms_of(&row, "p99_ms"),
            row.count("n"),
            cite(row.text("example"))
        ));
    }
    Ok(said)
}
