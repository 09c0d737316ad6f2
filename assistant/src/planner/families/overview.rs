//! What is going on: totals, services, what fails, names that do not exist, and since when.

use serde_json::json;
use wirewise_tools::{Evidence, Table, ToolError};

use crate::planner::compose::{Said, cite, count, endpoint_of, listed, ms_of, name, percent, words};
use crate::planner::desk::Desk;
use crate::planner::families::changes;
use crate::planner::grammar::Reading;

const MOST_SERVICES: usize = 6;
const MOST_FAILING: usize = 5;
const MOST_NAMES: usize = 3;

pub(crate) async fn run(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let service = slots.subject.clone().or_else(|| slots.callee.clone()).or_else(|| slots.caller.clone());
    let about = service.as_deref().map(|service| format!(" with {}", name(service))).unwrap_or_default();
    let mut said = Said::new(format!("an overview of what is going on{about}"));
    let evidence = desk
        .tool("get_overview", json!({"window": desk.window_text(), "service": service, "detail": "detailed"}))
        .await?;
    let totals = table(&evidence, "totals");
    let Some(row) = totals.first().filter(|row| row.count("calls") > 0) else {
        said.line(format!("No calls{about} were heard in this window."));
        flows(&mut said, &evidence);
        return Ok(said);
    };
    let calls = row.count("calls");
    let mut line = format!(
        "{} {} heard{about}: {} ({}) failed, {} ended in a client error",
        count(calls, "call"),
        if calls == 1 { "was" } else { "were" },
        row.count("failed"),
        percent(row.count("failed") as f64, calls as f64),
        row.count("client_errors"),
    );
    if row.count("open") > 0 {
        line.push_str(&format!(", {} are still open", row.count("open")));
    }
    line.push('.');
    if row.count("timed") > 0 {
        line.push_str(&format!(
            " Of the {} with one response p50 is {} and p99 {}.",
            row.count("timed"),
            ms_of(&row, "p50_ms"),
            ms_of(&row, "p99_ms")
        ));
    }
    said.line(line);
    services(&mut said, &evidence);
    failing(&mut said, &evidence);
    names_that_failed(&mut said, &evidence);
    flows(&mut said, &evidence);
    slowest(&mut said, &evidence);
    if let Some(line) = changes::moment_line(desk, service.as_deref()).await? {
        said.line(line);
    }
    Ok(said)
}

pub(crate) fn table(evidence: &Evidence, name: &str) -> Table {
    evidence.table(name).unwrap_or_default()
}

fn services(said: &mut Said, evidence: &Evidence) {
    let table = table(evidence, "by_service");
    if table.is_empty() {
        return;
    }
    said.line("Services that answered:");
    for row in table.iter().take(MOST_SERVICES) {
        let mut line = format!(
            "{} ({}): {}",
            name(row.text("service")),
            name(row.text("protocol")),
            count(row.count("calls"), "call")
        );
        if row.count("failed") > 0 {
            line.push_str(&format!(
                ", {} failed ({})",
                row.count("failed"),
                percent(row.count("failed") as f64, row.count("calls") as f64)
            ));
        }
        if row.count("timed") > 0 {
            line.push_str(&format!(", p50 {}, p99 {}", ms_of(&row, "p50_ms"), ms_of(&row, "p99_ms")));
        }
        said.item(line);
    }
    if table.len() > MOST_SERVICES {
        said.item(format!("and {} more", table.len() - MOST_SERVICES));
    }
}

fn failing(said: &mut Said, evidence: &Evidence) {
    let table = table(evidence, "failing");
    if table.is_empty() {
        said.line("No call failed.");
        return;
    }
    said.line("What fails:");
    for row in table.iter().take(MOST_FAILING) {
        let mut line = format!(
            "{} {}: {}",
            name(row.text("service")),
            endpoint_of(&row),
            count(row.count("failed"), "failed call")
        );
        let status = row.text("status");
        line.push_str(&format!(
            ", {}",
            if status.is_empty() { name(row.text("outcome")) } else { format!("status {}", name(status)) }
        ));
        if !row.text("error").is_empty() {
            line.push_str(&format!(", {}", words(row.text("error"))));
        }
        line.push_str(&cite(row.text("example")));
        said.item(line);
    }
}

fn names_that_failed(said: &mut Said, evidence: &Evidence) {
    let table = table(evidence, "dns_failures");
    let mut told = Vec::new();
    for row in
        table.iter().filter(|row| row.count("failures") > row.count("by_search_suffix")).take(MOST_NAMES)
    {
        told.push(format!(
            "{} ({}, {} asked by {}){}",
            name(row.text("name")),
            name(if row.text("status").is_empty() { "no answer" } else { row.text("status") }),
            count(row.count("failures"), "time"),
            name(row.text("client")),
            cite(row.text("example"))
        ));
    }
    if !told.is_empty() {
        said.line(format!("DNS names that failed: {}.", listed(&told)));
    }
}

fn flows(said: &mut Said, evidence: &Evidence) {
    let table = table(evidence, "flows");
    let mut odd = Vec::new();
    for row in table.iter() {
        if matches!(row.text("state"), "refused" | "reset" | "timed_out") && row.text("transport") == "tcp" {
            odd.push(format!("{} {}", row.count("flows"), row.text("state").replace('_', " ")));
        }
    }
    let retransmitted: u64 = table.iter().map(|row| row.count("retransmissions")).sum();
    let packets: u64 = table.iter().map(|row| row.count("packets")).sum();
    if !odd.is_empty() {
        said.line(format!("TCP connections that did not end well: {}.", listed(&odd)));
    }
    if retransmitted > 0 {
        said.line(format!(
            "{} among {} ({}).",
            count(retransmitted, "retransmission"),
            count(packets, "packet"),
            percent(retransmitted as f64, packets as f64)
        ));
    }
}

fn slowest(said: &mut Said, evidence: &Evidence) {
    if let Some(row) = table(evidence, "slowest").first() {
        said.line(format!(
            "The slowest call took {}: {} asked {} for {}{}.",
            ms_of(&row, "duration_ms"),
            name(row.text("client")),
            name(row.text("server")),
            endpoint_of(&row),
            cite(row.text("call_id"))
        ));
    }
}
