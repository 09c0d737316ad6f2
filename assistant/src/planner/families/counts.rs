//! How many: calls, failures, statuses, rates of errors; and calls one by one.

use serde_json::json;
use wirewise_tools::{Table, ToolError};

use super::overview::table;
use super::slowness::group_told;
use crate::planner::compose::{Said, cite, count, endpoint_of, listed, ms_of, name, percent};
use crate::planner::conditions::{self, SubjectIs};
use crate::planner::desk::Desk;
use crate::planner::grammar::{By, Cue, Reading, Slots};

const DEFAULT_ROWS: usize = 12;

/// Whose calls are counted: what a service made where it is the one who calls, else what it answered.
fn condition(desk: &Desk, slots: &Slots) -> String {
    conditions::calls(desk, slots, SubjectIs::Server)
}

fn dimension(reading: &Reading) -> Option<By> {
    reading.slots.by.or(match () {
        () if reading.has(Cue::Code) => Some(By::Status),
        () if reading.has(Cue::Protocol) => Some(By::Protocol),
        () if reading.has(Cue::Endpoint) => Some(By::Endpoint),
        () if reading.has(Cue::Who) || reading.has(Cue::Caller) => Some(By::Caller),
        () if reading.has(Cue::Service) && reading.slots.subject.is_none() => Some(By::Service),
        () => None,
    })
}

pub(crate) async fn run(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let mut slots = reading.slots.clone();
    if slots.outcome.is_none() && reading.has(Cue::ClientError) {
        slots.outcome = Some("client_error");
    }
    let about = conditions::told(&slots);
    let by = dimension(reading);
    let by_told = by.map(|by| format!(", by {}", by.told())).unwrap_or_default();
    let rate = reading.has(Cue::Rate);
    let what = if rate {
        "the share of calls that failed among those"
    } else {
        "how many calls there \
        were"
    };
    let mut said = Said::new(format!("{what}{about}{by_told}"));
    // A share is one of all calls, whatever status is asked for.
    let all = Slots { status: None, outcome: None, ..slots.clone() };
    let (asked, whole) = (condition(desk, &slots), condition(desk, &all));
    let counted = desk.sql(format!("SELECT {COUNTED} FROM calls WHERE {asked}")).await?;
    let narrowed = slots.status.is_some() || slots.outcome.is_some();
    let total = if narrowed {
        let found = desk.sql(format!("SELECT count(*) AS calls FROM calls WHERE {whole}")).await?;
        found.first().map_or(0, |row| row.count("calls"))
    } else {
        0
    };
    let Some(row) = counted.first() else { return Ok(said) };
    let calls = row.count("calls");
    if narrowed {
        said.line(format!(
            "{}{about}: {} of all {} there.",
            count(calls, "call"),
            percent(calls as f64, total as f64),
            count(total, "call")
        ));
    } else {
        said.line(format!(
            "{}{about}: {} failed ({}), {} ended in a client error ({}), {} went well.",
            count(calls, "call"),
            row.count("failed"),
            percent(row.count("failed") as f64, calls as f64),
            row.count("client_errors"),
            percent(row.count("client_errors") as f64, calls as f64),
            row.count("ok")
        ));
    }
    if calls == 0 {
        return Ok(said);
    }
    match by {
        Some(by) => groups(desk, &mut said, &asked, by, reading.slots.limit).await?,
        None => {
            let statuses = grouped(desk, &asked, By::Status, 8).await?;
            let told: Vec<String> = statuses
                .iter()
                .map(|row| {
                    format!(
                        "{} {}{}",
                        row.count("calls"),
                        group_told(&row, By::Status),
                        cite(row.text("example"))
                    )
                })
                .collect();
            said.line(format!("How they came out: {}.", listed(&told)));
            let asks =
                if slots.caller.is_some() && slots.callee.is_none() { By::Service } else { By::Endpoint };
            groups(desk, &mut said, &asked, asks, Some(5)).await?;
        }
    }
    Ok(said)
}

const COUNTED: &str = "count(*) AS calls, count(*) FILTER (WHERE failed) AS failed, \
                       count(*) FILTER (WHERE outcome = 'client_error') AS client_errors, count(*) FILTER \
                       (WHERE outcome = 'ok') AS ok";

async fn grouped(desk: &mut Desk, condition: &str, by: By, limit: usize) -> Result<Table, ToolError> {
    let columns: Vec<String> =
        by.columns().iter().map(|(column, name)| format!("{column} AS {name}")).collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
    let protocol = if by == By::Endpoint { ", min(protocol) AS protocol" } else { "" };
    desk.sql(format!(
        "SELECT {}, {COUNTED}{protocol}, min(call_id) AS example, min(call_id) FILTER (WHERE failed) AS \
         failed_example FROM calls \
         WHERE {condition} GROUP BY {} ORDER BY calls DESC LIMIT {limit}",
        columns.join(", "),
        places.join(", ")
    ))
    .await
}

async fn groups(
    desk: &mut Desk,
    said: &mut Said,
    condition: &str,
    by: By,
    limit: Option<usize>,
) -> Result<(), ToolError> {
    let limit = limit.unwrap_or(DEFAULT_ROWS);
    let table = grouped(desk, condition, by, limit + 1).await?;
    said.line(format!("By {}, most first:", by.told()));
    for row in table.iter().take(limit) {
        let mut line = format!("{}: {}", group_told(&row, by), count(row.count("calls"), "call"));
        if by != By::Status {
            line.push_str(&format!(
                ", {} failed ({})",
                row.count("failed"),
                percent(row.count("failed") as f64, row.count("calls") as f64)
            ));
            if row.count("client_errors") > 0 {
                line.push_str(&format!(", {} with client errors", row.count("client_errors")));
            }
        }
        let id = if row.text("failed_example").is_empty() {
            row.text("example")
        } else {
            row.text("failed_example")
        };
        line.push_str(&cite(id));
        said.item(line);
    }
    if table.len() > limit {
        said.item("and more, which are not shown");
    }
    Ok(())
}

/// Calls one by one, newest first.
pub(crate) async fn calls(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let about = conditions::told(slots);
    let mut said = Said::new(format!("the newest calls{about}"));
    let limit = slots.limit.unwrap_or(8);
    let several_paths = slots.endpoint.as_ref().is_some_and(|asked| asked.paths.len() > 1);
    if slots.both_ways || several_paths {
        // The tool filters one direction and one path; the totals of both are asked by SQL.
        return run(desk, reading).await;
    }
    let endpoint = slots.endpoint.as_ref().filter(|asked| !asked.paths.is_empty()).map(|asked| asked.told());
    let arguments = json!({
        "window": desk.window_text(), "service": slots.subject, "caller": slots.caller,
        "callee": slots.callee, "host": slots.host, "protocol": slots.protocol, "status": slots.status,
        "outcome": slots.outcome, "min_duration_ms": slots.at_least_ms, "endpoint": endpoint, "limit": limit,
    });
    let evidence = desk.tool("search_calls", arguments).await?;
    let totals = table(&evidence, "totals");
    let Some(row) = totals.first().filter(|row| row.count("calls") > 0) else {
        said.line(format!("No calls{about} were heard in this window."));
        for note in &evidence.notes {
            said.line(crate::planner::compose::plain(note, 300));
        }
        return Ok(said);
    };
    said.line(format!(
        "{}{about}: {} failed, {} with client errors, p50 {}, p99 {} (n {}). The newest:",
        count(row.count("calls"), "call"),
        row.count("failed"),
        row.count("client_errors"),
        ms_of(&row, "p50_ms"),
        ms_of(&row, "p99_ms"),
        row.count("timed")
    ));
    for row in table(&evidence, "rows").iter() {
        let status = if row.text("status").is_empty() {
            row.text("outcome").replace('_', " ")
        } else {
            name(row.text("status"))
        };
        said.item(format!(
            "{} asked {} for {}: {status}, {}{}",
            name(row.text("client")),
            name(row.text("server")),
            endpoint_of(&row),
            ms_of(&row, "duration_ms"),
            cite(row.text("call_id"))
        ));
    }
    if evidence.matched > evidence.returned {
        said.item(format!("and {} older ones", evidence.matched - evidence.returned));
    }
    Ok(said)
}
