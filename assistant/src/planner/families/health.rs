//! Is a service well? Its calls now against before, and the connections to it.

use serde_json::json;
use wirewise_tools::ToolError;

use super::failures;
use crate::planner::compose::{Said, cite, count, moment_text, ms_of, name, percent, plain, quoted};
use crate::planner::conditions::{self, SubjectIs, TIMED, percentile};
use crate::planner::desk::Desk;
use crate::planner::grammar::{Reading, Slots};

/// Share of failures from which a service is called unwell, in percent.
const UNWELL_PCT: f64 = 1.0;

pub(crate) async fn run(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let mut slots: Slots = reading.slots.clone();
    if slots.callee.is_none() {
        slots.callee = slots.subject.take().or_else(|| slots.caller.take());
    }
    let who = slots.callee.clone().unwrap_or_default();
    let told = if who.is_empty() { conditions::told(&slots).trim().to_owned() } else { name(&who) };
    let mut said = Said::new(format!("whether {told} answers, how well, and whether that changed"));
    let condition = conditions::calls(desk, &slots, SubjectIs::Server);
    let found = desk
        .sql(format!(
            "SELECT count(*) AS calls, count(*) FILTER (WHERE failed) AS failed, count(*) FILTER (WHERE \
             outcome = 'client_error') AS client_errors, \
             count(*) FILTER (WHERE outcome = 'ok') AS ok, count(*) FILTER (WHERE {TIMED}) AS n, {} AS \
             p50_ms, {} AS p99_ms, \
             max(call_id) FILTER (WHERE outcome = 'ok') AS latest_ok, max(call_id) FILTER (WHERE failed) \
             AS latest_failed, \
             max(started_at) FILTER (WHERE outcome = 'ok') AS ok_at FROM calls WHERE {condition}",
            percentile("duration_ms", 0.5, TIMED),
            percentile("duration_ms", 0.99, TIMED)
        ))
        .await?;
    let Some(row) = found.first().filter(|row| row.count("calls") > 0) else {
        said.line(format!(
            "It cannot be told: nobody called {told} in this window, and traffic is all that I see."
        ));
        return Ok(said);
    };
    let (calls, failed, ok) = (row.count("calls"), row.count("failed"), row.count("ok"));
    let share = failed as f64 / calls as f64 * 100.0;
    let verdict = match () {
        () if ok == 0 && failed > 0 => {
            format!("{told} looks down: none of {} went well", count(calls, "call"))
        }
        () if share >= UNWELL_PCT => format!(
            "{told} is up but not well: {failed} of {} failed ({})",
            count(calls, "call"),
            percent(failed as f64, calls as f64)
        ),
        () if failed > 0 => format!(
            "{told} is up and mostly well: {failed} of {} failed ({})",
            count(calls, "call"),
            percent(failed as f64, calls as f64)
        ),
        () => format!("{told} is up: none of {} failed", count(calls, "call")),
    };
    said.line(format!(
        "{verdict}, {} ended in a client error; p50 {}, p99 {} (n {}).",
        row.count("client_errors"),
        ms_of(&row, "p50_ms"),
        ms_of(&row, "p99_ms"),
        row.count("n")
    ));
    if !row.text("latest_ok").is_empty() {
        said.line(format!(
            "The latest call that went well began at {}{}.",
            moment_text(row.text("ok_at")),
            cite(row.text("latest_ok"))
        ));
    }
    if failed > 0 {
        said.line(format!("The latest that failed is{}.", cite(row.text("latest_failed"))));
    }
    connections(desk, &mut said, &slots).await?;
    let service = if who.is_empty() { None } else { Some(who.clone()) };
    let evidence = desk
        .tool(
            "compare_windows",
            json!({"window": desk.window_text(), "service": service, "limit": 50, "detail": "detailed"}),
        )
        .await?;
    match evidence.body["moment"].as_str() {
        Some(moment) => said.line(format!(
            "Calls from and to it changed at {}: {} ({}).",
            moment_text(moment),
            quoted(evidence.body["shown_by"].as_str().unwrap_or("")),
            plain(evidence.body["what"].as_str().unwrap_or(""), 160)
        )),
        None => said.line("No change beyond chance was found in this window."),
    }
    if failed > 0 {
        let reading = Reading::about(slots);
        let why = Box::pin(failures::run(desk, &reading)).await?;
        said.line(why.text());
    }
    Ok(said)
}

async fn connections(desk: &mut Desk, said: &mut Said, slots: &Slots) -> Result<(), ToolError> {
    let Some(callee) = &slots.callee else { return Ok(()) };
    let to = Slots { callee: Some(callee.clone()), ..Slots::default() };
    let condition = conditions::flows(desk, &to);
    let found = desk
        .sql(format!(
            "SELECT count(*) AS flows, count(*) FILTER (WHERE state = 'refused') AS refused, count(*) \
             FILTER (WHERE state = 'reset') AS reset, \
             count(*) FILTER (WHERE state = 'timed_out' AND server_packets = 0) AS silent, \
             min(flow_id) FILTER (WHERE state IN ('refused', 'reset', 'timed_out')) AS example FROM flows \
             WHERE {condition} AND transport = 'tcp'"
        ))
        .await?;
    if let Some(row) =
        found.first().filter(|row| row.count("refused") + row.count("reset") + row.count("silent") > 0)
    {
        said.line(format!(
            "Of {} to it {} were refused, {} reset and {} got no answer{}.",
            count(row.count("flows"), "connection"),
            row.count("refused"),
            row.count("reset"),
            row.count("silent"),
            cite(row.text("example"))
        ));
    }
    Ok(())
}
