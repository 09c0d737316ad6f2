//! What changed, when it began, what is new: before and after a moment, which is found where none is named.

use serde_json::{Value, json};
use wirewise_tools::{Evidence, Row, ToolError};

use super::overview::table;
use crate::planner::blame::{self, Causes, Place};
use crate::planner::compose::{
    Said, cite, count, endpoint_of, moment_text, ms_of, name, percent, plain, quoted, words,
};
use crate::planner::conditions::{TIMED, end_is, text, within};
use crate::planner::desk::Desk;
use crate::planner::families::slowness;
use crate::planner::grammar::{Cue, Reading, When};

const MOST_CHANGES: u64 = 6;
const MOST_STATUSES: usize = 4;
const MOST_INSTANCES: usize = 4;

/// Compares as the question's times say.
async fn compare(desk: &mut Desk, reading: &Reading) -> Result<Evidence, ToolError> {
    let service = subject(reading);
    let mut arguments = json!({"service": service, "limit": MOST_CHANGES, "detail": "detailed"});
    match reading.slots.when.as_slice() {
        [] => arguments["window"] = Value::from(desk.window_text()),
        [before, after] => {
            // Told in either order: what lies earlier is before.
            let mut windows = [desk.parse(&before.window())?, desk.parse(&after.window())?];
            windows.sort_by_key(|window| window.from);
            arguments["before"] = Value::from(crate::planner::desk::span_text(windows[0]));
            arguments["after"] = Value::from(crate::planner::desk::span_text(windows[1]));
        }
        [when, ..] => {
            // `the last 5 minutes`: a moment in them, else they against what was before. A fault is looked for.
            let span = matches!(when, When::Last(_) | When::Day(_) | When::Between(..));
            if span && !reading.has(Cue::Compare) {
                arguments["window"] = Value::from(desk.window_text());
                let found = desk.tool("compare_windows", arguments.clone()).await?;
                if !found.body["moment"].is_null() {
                    return Ok(found);
                }
            }
            let at = desk.window.from;
            let moment = match when {
                When::At(at) | When::Since(at) | When::Before(at) => at.clone(),
                When::Last(_) | When::Between(..) | When::Day(_) => at.rfc3339(),
            };
            desk.window = desk.whole;
            arguments["window"] = Value::from(desk.window_text());
            arguments["moment"] = Value::from(moment);
        }
    }
    let found = desk.tool("compare_windows", arguments).await?;
    if let (Ok(from), Ok(to)) =
        (found.window.from.parse::<jiff::Timestamp>(), found.window.to.parse::<jiff::Timestamp>())
    {
        let nanos = |at: jiff::Timestamp| i64::try_from(at.as_nanosecond()).ok();
        if let (Some(from), Some(to)) = (nanos(from), nanos(to)) {
            desk.window.from = wirewise_model::Timestamp::from_nanos(from);
            desk.window.to = wirewise_model::Timestamp::from_nanos(to);
        }
    }
    Ok(found)
}

fn subject(reading: &Reading) -> Option<String> {
    let slots = &reading.slots;
    slots.subject.clone().or_else(|| slots.callee.clone()).or_else(|| slots.caller.clone())
}

fn about(reading: &Reading) -> String {
    subject(reading).map(|service| format!(" with {}", name(&service))).unwrap_or_default()
}

pub(crate) async fn run(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let about = about(reading);
    let evidence = compare(desk, reading).await?;
    let fact = |name: &str| evidence.body[name].as_str().unwrap_or("").to_owned();
    let moment = fact("moment");
    let mut said = Said::new(match reading.slots.when.as_slice() {
        [] => {
            format!(
                "what is other{about} after the moment at which calls changed most, which is looked \
                for"
            )
        }
        _ => format!("what is other{about} between the two spans of time"),
    });
    if !moment.is_empty() {
        said.line(format!(
            "Things changed at {}: {} shows it first ({}).",
            moment_text(&moment),
            quoted(&fact("shown_by")),
            plain(&fact("what"), 160)
        ));
    } else if reading.slots.when.is_empty() || fact("compared").starts_with("no clear") {
        said.line(
            "No clear moment of change was found: neither failures nor latency of any endpoint \
            differ beyond chance.",
        );
        said.line("So the first half of the window is compared with the second.");
    }
    let (before, after) = (span_told(&fact("before")), span_told(&fact("after")));
    said.line(format!("Before is {before}; after is {after}."));
    totals(&mut said, &evidence);
    changed(&mut said, &evidence, reading.has(Cue::New));
    statuses(&mut said, &evidence);
    instances(&mut said, &evidence);
    suspects(desk, &mut said, &evidence).await?;
    if table(&evidence, "changes").is_empty() {
        quiet(desk, &mut said, &evidence).await?;
    }
    Ok(said)
}

/// Where nothing changed: a call of each side, so that the claim can be looked into.
async fn quiet(desk: &mut Desk, said: &mut Said, evidence: &Evidence) -> Result<(), ToolError> {
    let mut told = Vec::new();
    for side in ["before", "after"] {
        let Ok(window) = desk.parse(evidence.body[side].as_str().unwrap_or("")) else { continue };
        let found = desk
            .sql(format!(
                "SELECT call_id, duration_ms FROM calls WHERE {} AND {TIMED} \
                 ORDER BY duration_ms DESC, call_id LIMIT 1",
                within(window)
            ))
            .await?;
        if let Some(row) = found.first() {
            told.push(format!(
                "the slowest call {side} took {}{}",
                ms_of(&row, "duration_ms"),
                cite(row.text("call_id"))
            ));
        }
    }
    if !told.is_empty() {
        said.line(format!("For comparison, {}.", told.join(", and ")));
    }
    Ok(())
}

/// `A to B`, shortened.
fn span_told(span: &str) -> String {
    match span.split_once(" to ") {
        Some((from, to)) => format!("{} to {}", moment_text(from), moment_text(to)),
        None => plain(span, 80),
    }
}

fn totals(said: &mut Said, evidence: &Evidence) {
    let table = table(evidence, "totals");
    let rows: Vec<Row<'_>> = table.iter().collect();
    if let [before, after] = rows.as_slice() {
        let side = |row: &Row<'_>| {
            format!(
                "{}, {} failed, {} with client errors, p50 {}, p99 {} (n {})",
                count(row.count("calls"), "call"),
                row.count("failed"),
                row.count("client_errors"),
                ms_of(row, "p50_ms"),
                ms_of(row, "p99_ms"),
                row.count("timed")
            )
        };
        said.line(format!("All calls before: {}; after: {}.", side(before), side(after)));
    }
}

fn changed(said: &mut Said, evidence: &Evidence, only_new: bool) {
    let table = table(evidence, "changes");
    let mut rows: Vec<Row<'_>> = table.iter().collect();
    if only_new && rows.iter().any(|row| row.text("change").starts_with("new")) {
        rows.retain(|row| row.text("change").starts_with("new"));
    }
    if rows.is_empty() {
        said.line("No endpoint differs beyond chance.");
        return;
    }
    said.line("Changed most:");
    for row in rows {
        said.item(one_change(&row));
    }
}

fn one_change(row: &Row<'_>) -> String {
    let (before, after) = (row.count("calls_before"), row.count("calls_after"));
    let mut line = format!(
        "{} {}: {}",
        name(row.text("service")),
        endpoint_of(row),
        name(row.text("change")).replace('`', "")
    );
    let bad = |side: &str| row.count(&format!("failed_{side}")) + row.count(&format!("client_errors_{side}"));
    match row.text("change") {
        "slower" | "faster" => line.push_str(&format!(
            ", p50 {} before and {} after, p99 {} before and {} after (n {before} and {after})",
            ms_of(row, "p50_before_ms"),
            ms_of(row, "p50_after_ms"),
            ms_of(row, "p99_before_ms"),
            ms_of(row, "p99_after_ms")
        )),
        "more failures" | "fewer failures" => line.push_str(&format!(
            ", {} of {before} calls went wrong before, {} of {after} after ({})",
            bad("before"),
            bad("after"),
            percent(bad("after") as f64, after as f64)
        )),
        "new" | "new, failing" => line.push_str(&format!(
            ", {after} calls after and none before, {} of them went \
                wrong",
            bad("after")
        )),
        _ => line.push_str(&format!(", {before} calls before and {after} after")),
    }
    line.push_str(&cite(row.text("example")));
    line
}

fn statuses(said: &mut Said, evidence: &Evidence) {
    let table = table(evidence, "statuses");
    if table.is_empty() {
        return;
    }
    said.line("Outcomes that are new or much more frequent:");
    for row in table.iter().take(MOST_STATUSES) {
        let status = if row.text("status").is_empty() { row.text("outcome") } else { row.text("status") };
        let mut line = format!(
            "{} {}: {}, {} times before and {} after",
            name(row.text("service")),
            endpoint_of(&row),
            name(status),
            row.count("before"),
            row.count("after")
        );
        if !row.text("error").is_empty() {
            line.push_str(&format!(", {}", words(row.text("error"))));
        }
        line.push_str(&cite(row.text("example")));
        said.item(line);
    }
}

fn instances(said: &mut Said, evidence: &Evidence) {
    let table = table(evidence, "instances");
    if table.is_empty() {
        return;
    }
    said.line("Instances that fail after it, or are new:");
    for row in table.iter().take(MOST_INSTANCES) {
        let version = row.text("version");
        let version = if version.is_empty() {
            String::new()
        } else {
            format!(
                " version \
            {}",
                name(version)
            )
        };
        let id = if row.text("failed_example").is_empty() {
            row.text("example")
        } else {
            row.text("failed_example")
        };
        let how = if row.count("calls_before") == 0 && row.count("failed_after") == 0 {
            format!("new, none of its {} after it failed", count(row.count("calls_after"), "call"))
        } else {
            format!(
                "{} of {} calls failed after, {} of {} before",
                row.count("failed_after"),
                row.count("calls_after"),
                row.count("failed_before"),
                row.count("calls_before")
            )
        };
        said.item(format!(
            "{}{version} at {}:{}: {how}{}",
            name(row.text("service")),
            name(row.text("address")),
            row.count("port"),
            cite(id)
        ));
    }
}

/// Who is behind it: the end of the chain of what became slower, and of what began to fail.
async fn suspects(desk: &mut Desk, said: &mut Said, evidence: &Evidence) -> Result<(), ToolError> {
    let after = evidence.body["after"].as_str().unwrap_or("").to_owned();
    let Ok(after) = desk.parse(&after) else { return Ok(()) };
    let table = table(evidence, "changes");
    if let Some(row) = table.iter().find(|row| row.text("change") == "slower") {
        let condition = format!(
            "{} AND {} AND operation = {} AND endpoint = {}",
            within(after),
            end_is("server", row.text("service")),
            text(row.text("operation")),
            text(row.text("endpoint"))
        );
        let chain = blame::slow_chain(desk, &condition).await?;
        if let Some(line) = slowness::chain_line(&chain) {
            said.line(format!("Why it is slower: {line}"));
        }
    }
    let failing = table.iter().find(|row| {
        matches!(row.text("change"), "more failures" | "new, failing") && row.text("protocol") != "dns"
    });
    if let Some(row) = failing {
        let causes = Causes::find(desk, after).await?;
        let place = Place::of(&row, "");
        if let Some(last) = causes.chain(&place).last() {
            said.line(format!("Why it fails: meanwhile {}.", super::failures::cause_told(last)));
        }
    }
    Ok(())
}

pub(crate) async fn started(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let about = about(reading);
    let mut said = Said::new(format!("the moment at which calls{about} changed most"));
    let service = subject(reading);
    let evidence = desk
        .tool(
            "compare_windows",
            json!({
                "window": desk.window_text(), "service": service, "limit": MOST_CHANGES, "detail": "detailed",
            }),
        )
        .await?;
    let fact = |name: &str| evidence.body[name].as_str().unwrap_or("").to_owned();
    if fact("moment").is_empty() {
        said.line(format!(
            "No moment was found at which failures or latency{about} changed beyond \
            chance."
        ));
        changed(&mut said, &evidence, false);
        return Ok(said);
    }
    said.line(format!("It began at {}.", moment_text(&fact("moment"))));
    said.line(format!("{} shows it first: {}.", quoted(&fact("shown_by")), plain(&fact("what"), 160)));
    if let Some(span) = fact("after").split_once(" to ").map(|(_, to)| to.to_owned())
        && desk
            .parse(&fact("after"))
            .is_ok_and(|after| after.to < desk.window.to.before(std::time::Duration::from_secs(1)))
    {
        said.line(format!("It ended about {}.", moment_text(&span)));
    }
    changed(&mut said, &evidence, false);
    Ok(said)
}

/// The moment of change in one sentence, where there is one.
pub(crate) async fn moment_line(desk: &mut Desk, service: Option<&str>) -> Result<Option<String>, ToolError> {
    let evidence = desk
        .tool(
            "compare_windows",
            json!({"window": desk.window_text(), "service": service, "limit": 50, "detail": "detailed"}),
        )
        .await?;
    let fact = |name: &str| evidence.body[name].as_str().unwrap_or("");
    if fact("moment").is_empty() {
        return Ok(None);
    }
    Ok(Some(format!(
        "Things changed at {}: {} shows it first ({}).",
        moment_text(fact("moment")),
        quoted(fact("shown_by")),
        plain(fact("what"), 160)
    )))
}
