//! What there is: services, endpoints, hosts, data sets.

use wirewise_tools::ToolError;

use super::slowness::group_told;
use crate::planner::compose::{Said, bytes, cite, count, listed, moment, ms_of, name, percent};
use crate::planner::conditions::{self, PLUMBING, SubjectIs, TIMED, percentile, within};
use crate::planner::desk::Desk;
use crate::planner::grammar::{By, Reading};

const MOST: usize = 25;

pub(crate) async fn services(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let limit = reading.slots.limit.unwrap_or(MOST);
    let mut said = Said::new("the services that were heard, busiest first");
    let servers = desk
        .sql(format!(
            "SELECT server_workload AS service, count(*) AS calls, count(*) FILTER (WHERE failed) AS \
             failed, min(call_id) AS example FROM calls \
             WHERE {} GROUP BY 1 ORDER BY calls DESC LIMIT 150",
            within(desk.window)
        ))
        .await?;
    let clients = desk
        .sql(format!(
            "SELECT client_workload AS service, count(*) AS calls, min(call_id) AS example FROM calls \
             WHERE {} GROUP BY 1 ORDER BY calls DESC LIMIT 150",
            within(desk.window)
        ))
        .await?;
    if servers.is_empty() {
        said.line("No calls were heard in this window.");
        return Ok(said);
    }
    let only_clients: Vec<String> = clients
        .iter()
        .filter(|row| servers.iter().all(|server| server.text("service") != row.text("service")))
        .map(|row| {
            format!(
                "{} ({}){}",
                name(row.text("service")),
                count(row.count("calls"), "call"),
                cite(row.text("example"))
            )
        })
        .collect();
    said.line(format!(
        "{} answered calls, and {} only made some.",
        count(servers.len() as u64, "service"),
        count(only_clients.len() as u64, "other")
    ));
    for row in servers.iter().take(limit) {
        said.item(format!(
            "{}: {} answered, {} failed ({}){}",
            name(row.text("service")),
            count(row.count("calls"), "call"),
            row.count("failed"),
            percent(row.count("failed") as f64, row.count("calls") as f64),
            cite(row.text("example"))
        ));
    }
    if servers.len() > limit {
        said.item(format!("and {} more", servers.len() - limit));
    }
    if !only_clients.is_empty() {
        said.line(format!("Only callers: {}.", listed(&only_clients[..only_clients.len().min(8)])));
    }
    Ok(said)
}

pub(crate) async fn endpoints(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let mut slots = reading.slots.clone();
    // `which endpoints does orders call` are those of others; `have` is its own.
    let calls_others = slots.caller.is_some();
    if slots.callee.is_none() && !calls_others {
        slots.callee = slots.subject.take();
    }
    let about = conditions::told(&slots);
    let mut said = Said::new(format!("the endpoints that were called{about}, busiest first"));
    let mut condition = conditions::calls(desk, &slots, SubjectIs::Server);
    if slots.protocol.is_none() {
        condition.push_str(&format!(" AND protocol NOT IN {PLUMBING}"));
    }
    let limit = slots.limit.unwrap_or(MOST);
    let found = desk
        .sql(format!(
            "SELECT server_workload AS service, protocol, operation, endpoint, count(*) AS calls, count(*) \
             FILTER (WHERE failed) AS failed, \
             count(*) FILTER (WHERE {TIMED}) AS n, {} AS p50_ms, {} AS p99_ms, min(call_id) AS example \
             FROM calls WHERE {condition} \
             GROUP BY 1, 2, 3, 4 ORDER BY calls DESC LIMIT {}",
            percentile("duration_ms", 0.5, TIMED),
            percentile("duration_ms", 0.99, TIMED),
            limit + 1
        ))
        .await?;
    if found.is_empty() {
        said.line(format!("No endpoint was called{about} in this window."));
        return Ok(said);
    }
    let many = if found.len() > limit {
        format!("More than {limit} endpoints")
    } else {
        count(found.len() as u64, "endpoint")
    };
    said.line(format!("{many} called{about}:"));
    for row in found.iter().take(limit) {
        said.item(format!(
            "{}: {}, {} failed, p50 {}, p99 {} (n {}){}",
            group_told(&row, By::Endpoint),
            count(row.count("calls"), "call"),
            row.count("failed"),
            ms_of(&row, "p50_ms"),
            ms_of(&row, "p99_ms"),
            row.count("n"),
            cite(row.text("example"))
        ));
    }
    Ok(said)
}

pub(crate) async fn hosts(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let about = conditions::told(slots);
    let mut said = Said::new(format!("the hosts that were asked for{about}, busiest first"));
    let condition = conditions::calls(desk, slots, SubjectIs::Either);
    let found = desk
        .sql(format!(
            "SELECT host, count(*) AS calls, count(*) FILTER (WHERE failed) AS failed, \
             min(server_workload) AS service, min(call_id) AS example FROM calls \
             WHERE {condition} AND host IS NOT NULL GROUP BY 1 ORDER BY calls DESC LIMIT {MOST}"
        ))
        .await?;
    if found.is_empty() {
        said.line(format!("No host was asked for by name{about} in this window."));
        return Ok(said);
    }
    said.line(format!("{} asked for{about}:", count(found.len() as u64, "host")));
    for row in found.iter() {
        said.item(format!(
            "{}: {} to {}, {} failed{}",
            name(row.text("host")),
            count(row.count("calls"), "call"),
            name(row.text("service")),
            row.count("failed"),
            cite(row.text("example"))
        ));
    }
    Ok(said)
}

pub(crate) async fn datasets(desk: &mut Desk, _reading: &Reading) -> Result<Said, ToolError> {
    let mut said = Said::new("the data sets that there are");
    let known = desk.datasets();
    said.line(format!("There is {}:", count(known.len() as u64, "data set")));
    for info in &known {
        let covers = match (info.first_at, info.last_at) {
            (Some(first), Some(last)) => format!("{} to {}", moment(first), moment(last)),
            (_, None) | (None, _) => "nothing yet".to_owned(),
        };
        let here = if info.name == desk.info.name { ", the one asked here" } else { "" };
        said.item(format!(
            "{}{here}: {}, {}, {}, {covers}, {} on disk",
            name(&info.name),
            count(info.calls, "call"),
            count(info.flows, "flow"),
            count(info.captures.len() as u64, "capture"),
            bytes(info.bytes)
        ));
    }
    said.line("A question reads one of them: the one named by --dataset, else live, else the only one.");
    Ok(said)
}
