//! What is slow, and whose time it is: services ranked, their slowest calls followed to those that they waited for.

use serde_json::json;
use wirewise_tools::{Row, Table, ToolError};

use crate::planner::blame::{self, Step};
use crate::planner::compose::{
    Said, cite, count, endpoint_of, moment_text, ms, ms_of, name, percent, plain, quoted,
};
use crate::planner::conditions::{self, PLUMBING, SubjectIs, TIMED, end_is, percentile};
use crate::planner::desk::Desk;
use crate::planner::grammar::{By, Cue, Reading, Slots};

/// Calls from which a percentile says something of a service.
const ENOUGH: u64 = 5;
const DEFAULT_ROWS: usize = 5;

/// Groups of calls by how slow they are: those with enough calls first.
async fn ranked(desk: &mut Desk, condition: &str, by: By, limit: usize) -> Result<Table, ToolError> {
    let columns: Vec<String> =
        by.columns().iter().map(|(column, name)| format!("{column} AS {name}")).collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
    desk.sql(format!(
        "SELECT {}, count(*) AS n, {} AS p50_ms, {} AS p99_ms, max(duration_ms) AS longest_ms, \
         first_value(call_id ORDER BY duration_ms DESC) AS slowest FROM calls WHERE {condition} AND \
         {TIMED} \
         GROUP BY {} ORDER BY count(*) >= {ENOUGH} DESC, p99_ms DESC LIMIT {limit}",
        columns.join(", "),
        percentile("duration_ms", 0.5, TIMED),
        percentile("duration_ms", 0.99, TIMED),
        places.join(", ")
    ))
    .await
}

/// What a row of a ranking is about.
pub(super) fn group_told(row: &Row<'_>, by: By) -> String {
    let text = |column: &str| {
        let text = row.text(column);
        if text.is_empty() { "(unknown)".to_owned() } else { name(text) }
    };
    match by {
        By::Endpoint => format!("{} {}", text("service"), endpoint_of(row)),
        By::Edge => format!("{} to {}", text("client"), text("service")),
        By::Version => format!("{} version {}", text("service"), text("version")),
        By::Instance => {
            let version = row.text("version");
            let version =
                if version.is_empty() { String::new() } else { format!(" version {}", name(version)) };
            format!("{}{version} at {}", text("service"), text("address"))
        }
        By::Status => {
            let status = if row.text("status").is_empty() {
                "no \
                status"
                    .to_owned()
            } else {
                text("status")
            };
            format!("{} {status} ({})", text("protocol"), text("outcome").replace('_', " "))
        }
        By::Caller | By::Service | By::Protocol | By::Host | By::Operation => text(by.columns()[0].1),
    }
}

/// Calls of services alone, unless a protocol of the plumbing is asked for.
fn services_only(slots: &Slots) -> String {
    if slots.protocol.is_some() { String::new() } else { format!(" AND protocol NOT IN {PLUMBING}") }
}

/// What a ranking is by where the question names no dimension.
fn dimension(reading: &Reading) -> By {
    let slots = &reading.slots;
    if let Some(by) = slots.by {
        return by;
    }
    match () {
        () if reading.has(Cue::Endpoint) => By::Endpoint,
        () if reading.has(Cue::Version) => By::Version,
        () if reading.has(Cue::Instance) => By::Instance,
        () if reading.has(Cue::Caller) => By::Caller,
        // Of one service the endpoints are ranked.
        () if slots.subject.is_some() || slots.callee.is_some() => By::Endpoint,
        () => By::Service,
    }
}

pub(crate) async fn slowest(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let mut slots = reading.slots.clone();
    if reading.has(Cue::Depend) && slots.caller.is_none() {
        // `which dependency of gateway is slow`.
        slots.caller = slots.subject.take();
    }
    let slots = &slots;
    let by = if reading.has(Cue::Depend) { slots.by.unwrap_or(By::Service) } else { dimension(reading) };
    let mut said = Said::new(format!(
        "which {}{} is slowest, by the 99th percentile of the calls that it answered, and whose time that \
         is",
        by.told(),
        conditions::told(slots)
    ));
    let condition = format!("{}{}", conditions::calls(desk, slots, SubjectIs::Server), services_only(slots));
    let table = ranked(desk, &condition, by, slots.limit.unwrap_or(DEFAULT_ROWS)).await?;
    let Some(first) = table.first() else {
        said.line(format!(
            "No call{} was answered in this window, so nothing can be ranked.",
            conditions::told(slots)
        ));
        return Ok(said);
    };
    let chain = blame::slow_chain(desk, &group_condition(&condition, &first, by)).await?;
    let top = group_told(&first, by);
    let culprit = culprit(&chain).filter(|_| chain.len() > 1);
    let numbers =
        format!("p99 {}, p50 {}, n {}", ms_of(&first, "p99_ms"), ms_of(&first, "p50_ms"), first.count("n"));
    match culprit {
        Some(culprit) => said.line(format!(
            "{top} is slowest as its callers see it ({numbers}){}, but it waits: slowest by its own time \
             is {}.",
            cite(first.text("slowest")),
            name(&culprit.service)
        )),
        None => said.line(format!("{top} is slowest: {numbers}{}.", cite(first.text("slowest")))),
    }
    if let Some(line) = chain_line(&chain) {
        said.line(line);
    }
    said.line(format!(
        "By p99, slowest first (unary calls only, n is their number, {ENOUGH} or more are \
        ranked before fewer):"
    ));
    for row in table.iter() {
        said.item(format!(
            "{}: p99 {}, p50 {}, longest {}, n {}{}",
            group_told(&row, by),
            ms_of(&row, "p99_ms"),
            ms_of(&row, "p50_ms"),
            ms_of(&row, "longest_ms"),
            row.count("n"),
            cite(row.text("slowest"))
        ));
    }
    Ok(said)
}

/// The calls of one row of a ranking.
fn group_condition(condition: &str, row: &Row<'_>, by: By) -> String {
    let mut all = condition.to_owned();
    for (column, alias) in by.columns() {
        let value = row.text(alias);
        if row.get(alias).is_null() {
            all.push_str(&format!(" AND {column} IS NULL"));
        } else {
            all.push_str(&format!(" AND {column} = {}", conditions::text(value)));
        }
    }
    all
}

/// Where the time of a chain of calls went; `None` for an empty one.
pub(crate) fn chain_line(chain: &[Step]) -> Option<String> {
    let first = chain.first()?;
    let mut sentences: Vec<String> =
        chain.iter().enumerate().map(|(place, step)| step_line(step, place == 0)).collect();
    if let Some(culprit) = culprit(chain).filter(|_| chain.len() > 1) {
        sentences.push(format!(
            "To blame first: {}, whose own time it is that {} waits for.",
            name(&culprit.service),
            name(&first.service)
        ));
    }
    Some(sentences.join(" "))
}

/// Whose own time the slow calls of a chain mostly are, where that can be told.
pub(crate) fn culprit(chain: &[Step]) -> Option<&Step> {
    chain.last().filter(|step| step.own_ms >= step.took_ms / 2.0)
}

fn step_line(step: &Step, is_first: bool) -> String {
    let who = name(&step.service);
    let what = match (step.sampled, is_first) {
        (1, true) => format!("The slowest call to {who} took"),
        (1, false) => format!("The call to {who} among these took"),
        (n, true) => format!("The {n} slowest calls to {who} took, on average,"),
        (n, false) => format!("The {n} calls to {who} among these took, on average,"),
    };
    let took = format!("{what} {}{}", ms(step.took_ms), cite(&step.example));
    let waits = step.own_ms < step.took_ms / 2.0;
    match &step.waited {
        Some(waited) if waits => format!(
            "{took}: {} ({}) passed while {who} waited for {} (in {} of {}){}, {} was its own time.",
            ms(waited.ms),
            percent(waited.ms, step.took_ms),
            waited.place.told(),
            waited.calls,
            step.sampled,
            cite(&waited.example),
            ms(step.own_ms)
        ),
        Some(waited) => format!(
            "{took}: {} ({}) of that was its own time, the rest mostly waiting for {}.",
            ms(step.own_ms),
            percent(step.own_ms, step.took_ms),
            waited.place.told()
        ),
        None => format!("{took}, all of it its own time: it was not heard to call anybody meanwhile."),
    }
}

pub(crate) async fn why(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let about = conditions::told(slots);
    let mut said =
        Said::new(format!("why calls{about} are slow: what the server of the slowest ones waited for"));
    let condition = format!("{}{}", conditions::calls(desk, slots, SubjectIs::Server), services_only(slots));
    let table = ranked(desk, &condition, By::Endpoint, 3).await?;
    let Some(first) = table.first() else {
        said.line(format!("No call{about} was answered in this window, so there is nothing to explain."));
        return Ok(said);
    };
    said.line(format!(
        "The slowest endpoint{about} is {}: p99 {}, p50 {}, n {}{}.",
        group_told(&first, By::Endpoint),
        ms_of(&first, "p99_ms"),
        ms_of(&first, "p50_ms"),
        first.count("n"),
        cite(first.text("slowest"))
    ));
    let chain = blame::slow_chain(desk, &group_condition(&condition, &first, By::Endpoint)).await?;
    said.line(
        chain_line(&chain).unwrap_or_else(|| "What its server did meanwhile was not heard.".to_owned()),
    );
    for row in table.iter().skip(1) {
        said.item(format!(
            "next: {}: p99 {}, p50 {}, n {}{}",
            group_told(&row, By::Endpoint),
            ms_of(&row, "p99_ms"),
            ms_of(&row, "p50_ms"),
            row.count("n"),
            cite(row.text("slowest"))
        ));
    }
    // Whether it was always so.
    let service = first.text("service").to_owned();
    let evidence = desk
        .tool(
            "compare_windows",
            json!({"window": desk.window_text(), "service": service, "limit": 50, "detail": "detailed"}),
        )
        .await?;
    if let Some(moment) = evidence.body["moment"].as_str() {
        let what = evidence.body["what"].as_str().unwrap_or("");
        let shown_by = evidence.body["shown_by"].as_str().unwrap_or("");
        said.line(format!(
            "It was not always so: from {} on calls around {} changed ({}; {}).",
            moment_text(moment),
            name(&service),
            quoted(shown_by),
            plain(what, 160)
        ));
    }
    Ok(said)
}

pub(crate) async fn calls(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let limit = slots.limit.unwrap_or(DEFAULT_ROWS);
    let mut said = Said::new(format!("the slowest calls{}", conditions::told(slots)));
    let condition = conditions::calls(desk, slots, SubjectIs::Either);
    let totals = desk
        .sql(format!(
            "SELECT count(*) AS n, {} AS p50_ms, {} AS p99_ms FROM calls WHERE {condition} AND {TIMED}",
            percentile("duration_ms", 0.5, TIMED),
            percentile("duration_ms", 0.99, TIMED)
        ))
        .await?;
    let rows = desk
        .sql(format!(
            "SELECT call_id, client_workload AS client, server_workload AS service, protocol, operation, \
             endpoint, status, duration_ms, ttfb_ms \
             FROM calls WHERE {condition} AND {TIMED} ORDER BY duration_ms DESC, call_id LIMIT {limit}"
        ))
        .await?;
    let n = totals.first().map_or(0, |row| row.count("n"));
    if rows.is_empty() {
        said.line(format!("No answered calls{} were heard in this window.", conditions::told(slots)));
        return Ok(said);
    }
    if let Some(row) = totals.first() {
        said.line(format!(
            "Of {}{} p50 is {} and p99 {}. The slowest {}:",
            count(n, "answered call"),
            conditions::told(slots),
            ms_of(&row, "p50_ms"),
            ms_of(&row, "p99_ms"),
            rows.len()
        ));
    }
    for row in rows.iter() {
        let status = row.text("status");
        let status = if status.is_empty() { String::new() } else { format!(", status {}", name(status)) };
        said.item(format!(
            "{}: {} asked {} for {}{status}{}",
            ms_of(&row, "duration_ms"),
            name(row.text("client")),
            name(row.text("service")),
            endpoint_of(&row),
            cite(row.text("call_id"))
        ));
    }
    if let Some(row) = rows.first() {
        let service = row.text("service").to_owned();
        let condition = format!("{condition} AND {}", end_is("server", &service));
        if let Some(line) = chain_line(&blame::slow_chain(desk, &condition).await?) {
            said.line(line);
        }
    }
    Ok(said)
}
