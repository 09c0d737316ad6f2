//! Who calls whom.

use serde_json::json;
use wirewise_tools::{Row, Table, ToolError};

use super::overview::table;
use crate::planner::compose::{Said, bytes, cite, count, endpoint_of, listed, ms_of, name, percent};
use crate::planner::conditions::{self, SubjectIs, TIMED, percentile};
use crate::planner::desk::Desk;
use crate::planner::grammar::{Cue, Reading, Slots};

const MOST_EDGES: usize = 10;
const MOST_OPERATIONS: usize = 3;

/// An edge's figures, after whom it is with.
fn figures(row: &Row<'_>) -> String {
    let calls = row.count("calls");
    let mut line = format!("{} over {}", count(calls, "call"), name(row.text("protocol")));
    if row.count("failed") > 0 {
        line.push_str(&format!(
            ", {} failed ({})",
            row.count("failed"),
            percent(row.count("failed") as f64, calls as f64)
        ));
    }
    if row.count("timed") > 0 {
        line.push_str(&format!(
            ", p50 {}, p99 {} (n {})",
            ms_of(row, "p50_ms"),
            ms_of(row, "p99_ms"),
            row.count("timed")
        ));
    }
    line
}

/// An edge's calls and an example of those that failed, if any did.
fn examples(row: &Row<'_>) -> String {
    let failed = row.text("failed_example");
    let ordinary = cite(row.text("example"));
    if failed.is_empty() || failed == row.text("example") {
        ordinary
    } else {
        format!("{ordinary}, a failed one{}", cite(failed))
    }
}

/// What the edges' calls ask for, most first: two names and what is asked.
async fn operations(desk: &mut Desk, condition: &str) -> Result<Table, ToolError> {
    desk.sql(format!(
        "SELECT client_workload AS client, server_workload AS server, protocol, operation, endpoint, \
         count(*) AS calls FROM calls \
         WHERE {condition} GROUP BY 1, 2, 3, 4, 5 ORDER BY calls DESC LIMIT 60"
    ))
    .await
}

fn asks(table: &Table, client: &str, server: &str, protocol: &str) -> String {
    let rows: Vec<Row<'_>> = table
        .iter()
        .filter(|row| {
            row.text("client") == client && row.text("server") == server && row.text("protocol") == protocol
        })
        .collect();
    let told: Vec<String> = rows
        .iter()
        .take(MOST_OPERATIONS)
        .map(|row| format!("{} ({})", endpoint_of(row), row.count("calls")))
        .collect();
    match told.len() {
        0 => String::new(),
        _ if rows.len() > MOST_OPERATIONS => format!(", for {} and others", told.join(", ")),
        _ => format!(", for {}", listed(&told)),
    }
}

/// Edges by SQL, where the question is about more than two ends.
async fn edges_of(desk: &mut Desk, condition: &str) -> Result<Table, ToolError> {
    desk.sql(format!(
        "SELECT client_workload AS client, server_workload AS server, protocol, count(*) AS calls, \
         count(*) FILTER (WHERE failed) AS failed, count(*) FILTER (WHERE {TIMED}) AS timed, {} AS p50_ms, \
         {} AS p99_ms, \
         min(call_id) AS example, min(call_id) FILTER (WHERE failed) AS failed_example \
         FROM calls WHERE {condition} GROUP BY 1, 2, 3 ORDER BY calls DESC LIMIT 50",
        percentile("duration_ms", 0.5, TIMED),
        percentile("duration_ms", 0.99, TIMED)
    ))
    .await
}

/// The edges that fit: by the tool where the ends are all that is asked for.
async fn edges(
    desk: &mut Desk,
    slots: &Slots,
    callee: Option<String>,
    caller: Option<String>,
    condition: &str,
) -> Result<Table, ToolError> {
    if slots.endpoint.is_some()
        || slots.host.is_some()
        || slots.status.is_some()
        || slots.at_least_ms.is_some()
    {
        return edges_of(desk, condition).await;
    }
    let arguments = json!({
        "window": desk.window_text(), "callee": callee, "caller": caller, "protocol": slots.protocol,
        "limit": 50, "detail": "detailed",
    });
    let evidence = desk.tool("get_service_map", arguments).await?;
    Ok(table(&evidence, "edges"))
}

pub(crate) async fn callers(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    // Whoever is named without a direction is the one who is called.
    let mut slots = reading.slots.clone();
    if slots.callee.is_none() {
        slots.callee = slots.subject.take();
    }
    // `who calls orders for payments`: two names; the one who calls narrows.
    let about = conditions::told(&slots);
    let mut said = Said::new(format!("who makes calls{about}"));
    let condition = conditions::calls(desk, &slots, SubjectIs::Server);
    let table = edges(desk, &slots, slots.callee.clone(), slots.caller.clone(), &condition).await?;
    let what = slots
        .callee
        .as_deref()
        .map(name)
        .or_else(|| slots.endpoint.as_ref().map(|asked| crate::planner::compose::quoted(&asked.told())));
    let what = what.unwrap_or_else(|| "it".to_owned());
    if table.is_empty() {
        said.line(format!("Nobody called {what} in this window: 0 calls."));
        silence(desk, &mut said, &slots).await?;
        return Ok(said);
    }
    let operations = operations(desk, &condition).await?;
    let callers = distinct(&table, "client");
    let calls: u64 = table.iter().map(|row| row.count("calls")).sum();
    said.line(format!(
        "{what} is called by {}: {}, {} in all.",
        count(callers.len() as u64, "caller"),
        listed(&shown(&callers)),
        count(calls, "call")
    ));
    for row in table.iter().take(MOST_EDGES) {
        said.item(format!(
            "{}: {}{}{}",
            name(row.text("client")),
            figures(&row),
            asks(&operations, row.text("client"), row.text("server"), row.text("protocol")),
            examples(&row)
        ));
    }
    more(&mut said, table.len());
    Ok(said)
}

pub(crate) async fn callees(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let mut slots = reading.slots.clone();
    if slots.caller.is_none() {
        // `dependencies of orders`, and `who depends on orders` asked without its `who`.
        slots.caller = slots.subject.take();
    }
    if slots.caller.is_none() {
        return callers(desk, reading).await;
    }
    let about = conditions::told(&slots);
    let mut said = Said::new(format!("what is called{about}"));
    let condition = conditions::calls(desk, &slots, SubjectIs::Client);
    let table = edges(desk, &slots, slots.callee.clone(), slots.caller.clone(), &condition).await?;
    let who = slots.caller.as_deref().map(name).unwrap_or_default();
    if table.is_empty() {
        match &slots.callee {
            Some(callee) => said.line(format!(
                "No: {who} made 0 calls to {} in this \
                window.",
                name(callee)
            )),
            None => said.line(format!("{who} was not heard to call anybody in this window: 0 calls.")),
        }
        silence(desk, &mut said, &slots).await?;
        return Ok(said);
    }
    let operations = operations(desk, &condition).await?;
    let callees = distinct(&table, "server");
    let calls: u64 = table.iter().map(|row| row.count("calls")).sum();
    said.line(format!(
        "{who} calls {}: {}, {} in all.",
        count(callees.len() as u64, "service"),
        listed(&shown(&callees)),
        count(calls, "call")
    ));
    for row in table.iter().take(MOST_EDGES) {
        said.item(format!(
            "{}: {}{}{}",
            name(row.text("server")),
            figures(&row),
            asks(&operations, row.text("client"), row.text("server"), row.text("protocol")),
            examples(&row)
        ));
    }
    more(&mut said, table.len());
    Ok(said)
}

pub(crate) async fn map(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let service = slots.subject.clone().or_else(|| slots.callee.clone()).or_else(|| slots.caller.clone());
    let mut said = Said::new(match &service {
        Some(service) => format!("who calls whom around {}", name(service)),
        None => "who calls whom".to_owned(),
    });
    let limit = slots.limit.unwrap_or(if reading.has(Cue::List) { 30 } else { 20 });
    let arguments = json!({
        "window": desk.window_text(), "service": service, "protocol": slots.protocol, "limit": limit,
        "detail": "detailed",
    });
    let evidence = desk.tool("get_service_map", arguments).await?;
    let table = table(&evidence, "edges");
    if table.is_empty() {
        said.line("No calls were heard in this window.");
        return Ok(said);
    }
    said.line(format!("{} between services, busiest first:", count(evidence.matched, "edge")));
    for row in table.iter() {
        said.item(format!(
            "{} to {}: {}, {}{}",
            name(row.text("client")),
            name(row.text("server")),
            figures(&row),
            bytes(row.count("bytes")),
            cite(row.text("example"))
        ));
    }
    if evidence.matched > table.len() as u64 {
        said.item(format!("and {} more", evidence.matched - table.len() as u64));
    }
    Ok(said)
}

/// Where there was nothing in the window: whether there was outside of it.
async fn silence(desk: &mut Desk, said: &mut Said, slots: &Slots) -> Result<(), ToolError> {
    let ever = conditions::asked(slots, SubjectIs::Server);
    let condition = if ever.is_empty() { "true".to_owned() } else { ever.join(" AND ") };
    let found = desk
        .sql(format!("SELECT count(*) AS calls, max(call_id) AS latest FROM calls WHERE {condition}"))
        .await?;
    if let Some(row) = found.first().filter(|row| row.count("calls") > 0) {
        said.line(format!(
            "Outside of it there are {}; the latest is{}.",
            count(row.count("calls"), "such call"),
            cite(row.text("latest"))
        ));
    }
    Ok(())
}

fn distinct(table: &Table, column: &str) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for row in table.iter() {
        let named = name(row.text(column));
        if !names.contains(&named) {
            names.push(named);
        }
    }
    names
}

fn shown(names: &[String]) -> Vec<String> {
    let mut shown: Vec<String> = names.iter().take(MOST_EDGES).cloned().collect();
    if names.len() > MOST_EDGES {
        shown.push(format!("{} others", names.len() - MOST_EDGES));
    }
    shown
}

fn more(said: &mut Said, edges: usize) {
    if edges > MOST_EDGES {
        said.item(format!("and {} more", edges - MOST_EDGES));
    }
}
