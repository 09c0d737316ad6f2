//! Names asked for: which failed, who asks for them, how long it takes.

use wirewise_tools::ToolError;

use crate::planner::compose::{Said, cite, count, listed, ms_of, name, percent, quoted};
use crate::planner::conditions::{self, SubjectIs, percentile, within};
use crate::planner::desk::Desk;
use crate::planner::grammar::{Cue, Reading, Slots};

/// Names that failed.
const BAD: &str = "outcome NOT IN ('ok', 'one_way', 'open', 'unknown')";
const DEFAULT_ROWS: usize = 6;

fn asked(desk: &Desk, slots: &Slots) -> String {
    // A service named here is whoever asks; a status is looked at below.
    let mut all = vec![within(desk.window), "protocol IN ('dns', 'mdns')".to_owned()];
    let who = Slots { subject: slots.subject.clone(), caller: slots.caller.clone(), ..Slots::default() };
    all.extend(conditions::asked(&who, SubjectIs::Either));
    if let Some(name) = &slots.name {
        all.push(format!("lower(target) = {}", conditions::text(&name.to_lowercase())));
    }
    all.join(" AND ")
}

pub(crate) async fn run(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let who = slots
        .caller
        .as_ref()
        .or(slots.subject.as_ref())
        .map(|who| format!(" that {} asked for", name(who)))
        .unwrap_or_default();
    let which = slots.name.as_ref().map(|asked| format!(" like {}", quoted(asked))).unwrap_or_default();
    let only_failures = reading.has(Cue::Fail) || reading.has(Cue::Status);
    let what = if only_failures { "DNS names that failed" } else { "DNS names" };
    let mut said = Said::new(format!("{what}{which}{who}, how often, and how they were answered"));
    let condition = asked(desk, slots);
    let totals = desk
        .sql(format!(
            "SELECT count(*) AS calls, count(*) FILTER (WHERE {BAD}) AS bad, count(*) FILTER (WHERE status \
             = 'NXDOMAIN') AS nxdomain, \
             count(*) FILTER (WHERE outcome = 'no_response') AS unanswered, count(DISTINCT target) AS \
             names, count(duration_ms) AS timed, \
             {} AS p50_ms, {} AS p99_ms, first_value(call_id ORDER BY duration_ms DESC NULLS LAST) AS \
             slowest FROM calls WHERE {condition}",
            percentile("duration_ms", 0.5, "duration_ms IS NOT NULL"),
            percentile("duration_ms", 0.99, "duration_ms IS NOT NULL")
        ))
        .await?;
    let Some(row) = totals.first().filter(|row| row.count("calls") > 0) else {
        said.line("No DNS query was heard in this window.");
        return Ok(said);
    };
    let calls = row.count("calls");
    said.line(format!(
        "{} for {}: {} failed ({}), of which {} with NXDOMAIN and {} without an answer.",
        count(calls, "DNS query"),
        count(row.count("names"), "name"),
        row.count("bad"),
        percent(row.count("bad") as f64, calls as f64),
        row.count("nxdomain"),
        row.count("unanswered")
    ));
    if row.count("timed") > 0 {
        said.line(format!(
            "Answers took p50 {} and p99 {} (n {}); the slowest is{}.",
            ms_of(&row, "p50_ms"),
            ms_of(&row, "p99_ms"),
            row.count("timed"),
            cite(row.text("slowest"))
        ));
    }
    if row.count("bad") > 0 {
        failed_names(desk, &mut said, slots, slots.limit.unwrap_or(DEFAULT_ROWS)).await?;
    } else if only_failures {
        said.line("No name failed.");
    }
    if !only_failures {
        let names = desk
            .sql(format!(
                "SELECT target AS name, count(*) AS calls, count(DISTINCT client_workload) AS askers, \
                 min(client_workload) AS client, \
                 {} AS p99_ms, min(call_id) AS example FROM calls WHERE {condition} GROUP BY 1 ORDER BY \
                 calls DESC, name LIMIT {}",
                percentile("duration_ms", 0.99, "duration_ms IS NOT NULL"),
                slots.limit.unwrap_or(DEFAULT_ROWS)
            ))
            .await?;
        said.line("Names asked for most:");
        for row in names.iter() {
            let by = match row.count("askers") {
                1 => name(row.text("client")),
                more => format!("{more} clients"),
            };
            said.item(format!(
                "{}: {} by {by}, p99 {}{}",
                quoted(row.text("name")),
                count(row.count("calls"), "query"),
                ms_of(&row, "p99_ms"),
                cite(row.text("example"))
            ));
        }
    }
    Ok(said)
}

/// Names that failed, with who asks for them; what search lists add by themselves is told apart.
pub(super) async fn failed_names(
    desk: &mut Desk,
    said: &mut Said,
    slots: &Slots,
    limit: usize,
) -> Result<(), ToolError> {
    let condition = asked(desk, slots);
    let found = desk
        .sql(format!(
            "SELECT target AS name, status, outcome, count(*) AS failures, count(DISTINCT client_workload) \
             AS askers, \
             min(client_workload) AS client, min(call_id) AS example, max(call_id) AS latest, \
             count(*) FILTER (WHERE array_has(notes, 'search_suffix')) AS by_suffix \
             FROM calls WHERE {condition} AND {BAD} GROUP BY 1, 2, 3 ORDER BY failures - by_suffix DESC, \
             failures DESC LIMIT 60"
        ))
        .await?;
    if found.is_empty() {
        return Ok(());
    }
    let real: Vec<_> = found.iter().filter(|row| row.count("failures") > row.count("by_suffix")).collect();
    let by_suffix: u64 = found.iter().map(|row| row.count("by_suffix")).sum();
    if !real.is_empty() {
        said.line("DNS names that failed:");
    }
    for row in real.iter().take(limit) {
        let status = if row.text("status").is_empty() {
            row.text("outcome").replace('_', " ")
        } else {
            name(row.text("status"))
        };
        let by = match row.count("askers") {
            1 => name(row.text("client")),
            more => format!("{more} clients"),
        };
        said.item(format!(
            "{}: {status} {} asked by {by}{}",
            quoted(row.text("name")),
            count(row.count("failures"), "time"),
            cite(row.text("example"))
        ));
    }
    if real.len() > limit {
        let more: Vec<String> = real[limit..].iter().take(5).map(|row| quoted(row.text("name"))).collect();
        said.item(format!("and {}: {}", count((real.len() - limit) as u64, "other name"), listed(&more)));
    }
    if by_suffix > 0 {
        said.line(format!(
            "{} were tries with a search suffix, which are harmless and not counted above as \
            names of their own.",
            count(by_suffix, "failed query")
        ));
    }
    Ok(())
}
