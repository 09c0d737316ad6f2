//! How much: bytes between ends, and calls a second.

use wirewise_tools::ToolError;

use super::slowness::group_told;
use crate::planner::compose::{Said, bytes as told_bytes, cite, count, moment_text, name, rate as told_rate};
use crate::planner::conditions::{self, PLUMBING, SubjectIs};
use crate::planner::desk::Desk;
use crate::planner::grammar::{By, Cue, Reading};

const DEFAULT_ROWS: usize = 8;

pub(crate) async fn bytes(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let about = conditions::told(slots);
    let narrow = slots.endpoint.is_some()
        || slots.protocol.is_some()
        || slots.host.is_some()
        || slots.status.is_some();
    let by = slots.by.unwrap_or(match () {
        () if reading.has(Cue::Endpoint) => By::Endpoint,
        () if reading.has(Cue::Caller) || reading.has(Cue::Who) => By::Caller,
        () if slots.caller.is_some() || slots.callee.is_some() || slots.subject.is_some() => By::Edge,
        () => By::Service,
    });
    let of_calls = narrow || !matches!(by, By::Service | By::Caller | By::Edge);
    let limit = slots.limit.unwrap_or(DEFAULT_ROWS);
    let what = if of_calls { "payload bytes of calls" } else { "payload bytes of flows" };
    let mut said = Said::new(format!("{what}{about}, by {}", by.told()));
    let columns: Vec<String> =
        by.columns().iter().map(|(column, name)| format!("{column} AS {name}")).collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
    let (columns, places) = (columns.join(", "), places.join(", "));
    let (table, condition, noun) = if of_calls {
        (CALLS, conditions::calls(desk, slots, SubjectIs::Either), "call")
    } else {
        (FLOWS, conditions::flows(desk, slots), "flow")
    };
    let totals = desk.sql(format!("SELECT {} WHERE {condition}", table)).await?;
    let found = desk
        .sql(format!(
            "SELECT {columns}, {table} WHERE {condition} GROUP BY {places} ORDER BY bytes DESC \
            NULLS LAST LIMIT {}",
            limit + 1
        ))
        .await?;
    let Some(row) = totals.first().filter(|row| row.count("n") > 0) else {
        said.line(format!("Nothing{about} was heard in this window: 0 bytes."));
        return Ok(said);
    };
    said.line(format!(
        "{} in {}{about}: {} sent by clients, {} by servers.",
        told_bytes(row.count("bytes")),
        count(row.count("n"), noun),
        told_bytes(row.count("asked")),
        told_bytes(row.count("answered"))
    ));
    if !of_calls {
        said.line(format!(
            "Flows are counted whole where any of their life lies in the window; these had {}.",
            count(row.count("packets"), "packet")
        ));
    }
    said.line(format!("By {}, most first:", by.told()));
    for row in found.iter().take(limit) {
        said.item(format!(
            "{}: {} in {}{}",
            group_told(&row, by),
            told_bytes(row.count("bytes")),
            count(row.count("n"), noun),
            cite(row.text("example"))
        ));
    }
    if found.len() > limit {
        said.item("and more, which are not shown");
    }
    Ok(said)
}

const CALLS: &str = "count(*) AS n, sum(request_bytes + response_bytes) AS bytes, sum(request_bytes) AS \
    asked, sum(response_bytes) AS answered, \
                     min(protocol) AS protocol, first_value(call_id ORDER BY request_bytes + \
                     response_bytes DESC) AS example FROM calls";
const FLOWS: &str = "count(*) AS n, sum(client_bytes + server_bytes) AS bytes, sum(client_bytes) AS asked, \
    sum(server_bytes) AS answered, \
                     sum(client_packets + server_packets) AS packets, \
                     first_value(flow_id ORDER BY client_bytes + server_bytes DESC) AS example FROM flows";

pub(crate) async fn rate(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let about = conditions::told(slots);
    let mut said = Said::new(format!("calls per second{about}"));
    let mut condition = conditions::calls(desk, slots, SubjectIs::Server);
    let named = slots.protocol.is_some() || slots.endpoint.is_some();
    if !named {
        condition.push_str(&format!(" AND protocol NOT IN {PLUMBING}"));
    }
    let seconds = desk.window.span().as_secs_f64().max(0.001);
    let totals = desk
        .sql(format!(
            "SELECT count(*) AS calls, CAST(count(*) AS DOUBLE) / {seconds:?} AS per_second, \
             min(started_at) AS first_at, max(started_at) AS last_at, \
             CAST(max(started_at) AS BIGINT) - CAST(min(started_at) AS BIGINT) AS span, max(call_id) AS \
             latest FROM calls WHERE {condition}"
        ))
        .await?;
    let Some(row) = totals.first().filter(|row| row.count("calls") > 0) else {
        said.line(format!("No calls{about} were heard in this window: 0 per second."));
        return Ok(said);
    };
    said.line(format!(
        "{}{about} in {} s: {} per second on average; the latest is{}.",
        count(row.count("calls"), "call"),
        told_rate(seconds),
        row.number("per_second").map_or_else(|| "unknown".to_owned(), told_rate),
        cite(row.text("latest"))
    ));
    if row.count("span") > 0 && !desk.window_is_named {
        said.line(format!(
            "They began between {} and {}.",
            moment_text(row.text("first_at")),
            moment_text(row.text("last_at"))
        ));
    }
    let busiest = desk
        .sql(format!(
            "SELECT date_trunc('second', started_at) AS second, count(*) AS calls, min(call_id) AS example \
             FROM calls WHERE {condition} \
             GROUP BY 1 ORDER BY calls DESC, second LIMIT 1"
        ))
        .await?;
    if let Some(row) = busiest.first() {
        said.line(format!(
            "The busiest second had {}, at {}{}.",
            count(row.count("calls"), "call"),
            moment_text(row.text("second")),
            cite(row.text("example"))
        ));
    }
    let by = slots.by.unwrap_or(
        if reading.has(Cue::Endpoint) || slots.subject.is_some() || slots.callee.is_some() {
            By::Endpoint
        } else {
            By::Service
        },
    );
    let columns: Vec<String> =
        by.columns().iter().map(|(column, name)| format!("{column} AS {name}")).collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
    let groups = desk
        .sql(format!(
            "SELECT {}, min(protocol) AS first_protocol, count(*) AS calls, CAST(count(*) AS DOUBLE) / \
             {seconds:?} AS per_second, min(call_id) AS example \
             FROM calls WHERE {condition} GROUP BY {} ORDER BY calls DESC LIMIT {}",
            columns.join(", "),
            places.join(", "),
            slots.limit.unwrap_or(DEFAULT_ROWS)
        ))
        .await?;
    said.line(format!("By {}:", by.told()));
    for row in groups.iter() {
        said.item(format!(
            "{}: {} per second ({}){}",
            group_told(&row, by),
            row.number("per_second").map_or_else(|| name("unknown"), told_rate),
            count(row.count("calls"), "call"),
            cite(row.text("example"))
        ));
    }
    Ok(said)
}
