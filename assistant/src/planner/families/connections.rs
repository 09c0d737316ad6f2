//! Connections that did not go well, calls without an answer, and pings.

use wirewise_tools::ToolError;

use crate::planner::compose::{Said, cite, count, endpoint_of, ms_of, name, percent, words};
use crate::planner::conditions::{self, SubjectIs, percentile};
use crate::planner::desk::Desk;
use crate::planner::grammar::{Cue, Reading, Slots};

const MOST: usize = 8;

pub(crate) async fn run(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = Slots { endpoint: None, status: None, outcome: None, ..reading.slots.clone() };
    let about = conditions::told(&slots);
    let asked: Vec<&str> = [(Cue::Refused, "refused"), (Cue::Reset, "reset"), (Cue::Timeout, "timed_out")]
        .into_iter()
        .filter(|(cue, _)| reading.has(*cue))
        .map(|(_, state)| state)
        .collect();
    let wanted = if asked.is_empty() { vec!["refused", "reset", "timed_out"] } else { asked };
    let told: Vec<String> = wanted.iter().map(|state| state.replace('_', " ")).collect();
    let mut said = Said::new(format!(
        "TCP connections{about} that were {}, and calls left without an answer",
        told.join(" or ")
    ));
    let condition = conditions::flows(desk, &slots);
    let states = desk
        .sql(format!(
            "SELECT state, count(*) AS flows, min(flow_id) AS example FROM flows WHERE {condition} AND \
             transport = 'tcp' GROUP BY 1 ORDER BY flows DESC LIMIT 10"
        ))
        .await?;
    let flows: u64 = states.iter().map(|row| row.count("flows")).sum();
    if flows == 0 {
        said.line(format!("No TCP connection{about} was heard in this window."));
    } else {
        let told: Vec<String> = states
            .iter()
            .map(|row| {
                format!(
                    "{} {}{}",
                    row.count("flows"),
                    row.text("state").replace('_', " "),
                    cite(row.text("example"))
                )
            })
            .collect();
        said.line(format!(
            "{}{about}, by how they ended: {}.",
            count(flows, "TCP connection"),
            told.join(", ")
        ));
        let list: Vec<String> = wanted.iter().map(|state| format!("'{state}'")).collect();
        let found = desk
            .sql(format!(
                "SELECT client_workload AS client, server_workload AS server, server_ip AS address, \
                 server_port AS port, state, min(closed_by) AS closed_by, \
                 count(*) AS flows, count(*) FILTER (WHERE server_packets = 0) AS unanswered, min(flow_id) \
                 AS example FROM flows \
                 WHERE {condition} AND transport = 'tcp' AND state IN ({}) GROUP BY 1, 2, 3, 4, 5 ORDER BY \
                 flows DESC LIMIT {MOST}",
                list.join(", ")
            ))
            .await?;
        if found.is_empty() {
            said.line(format!("None was {}.", told_or(&wanted)));
        }
        for row in found.iter() {
            let mut line = format!(
                "{} to {} at {}:{}: {} {}",
                name(row.text("client")),
                name(row.text("server")),
                name(row.text("address")),
                row.count("port"),
                count(row.count("flows"), "connection"),
                row.text("state").replace('_', " ")
            );
            if row.text("state") == "reset" && !row.text("closed_by").is_empty() {
                line.push_str(&format!(" by the {}", name(row.text("closed_by"))));
            }
            if row.count("unanswered") > 0 && row.text("state") == "timed_out" {
                line.push_str(&format!(", {} without any answer", row.count("unanswered")));
            }
            line.push_str(&cite(row.text("example")));
            said.item(line);
        }
    }
    unanswered(desk, &mut said, &slots).await?;
    Ok(said)
}

fn told_or(states: &[&str]) -> String {
    states.iter().map(|state| state.replace('_', " ")).collect::<Vec<_>>().join(" or ")
}

/// Calls that got no answer, or were broken off.
async fn unanswered(desk: &mut Desk, said: &mut Said, slots: &Slots) -> Result<(), ToolError> {
    let condition = conditions::calls(desk, slots, SubjectIs::Either);
    let found = desk
        .sql(format!(
            "SELECT client_workload AS client, server_workload AS server, protocol, operation, endpoint, \
             outcome, min(error) AS error, count(*) AS calls, \
             min(call_id) AS example FROM calls WHERE {condition} AND (outcome IN ('no_response', \
             'aborted') OR (kind = 'connection' AND failed)) \
             GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY calls DESC LIMIT {MOST}"
        ))
        .await?;
    if found.is_empty() {
        said.line("No call was left without an answer or broken off.");
        return Ok(());
    }
    said.line("Calls that got no proper answer:");
    for row in found.iter() {
        let why = if row.text("error").is_empty() {
            row.text("outcome").replace('_', " ")
        } else {
            words(row.text("error"))
        };
        said.item(format!(
            "{} to {} {}: {} ({why}){}",
            name(row.text("client")),
            name(row.text("server")),
            endpoint_of(&row),
            count(row.count("calls"), "call"),
            cite(row.text("example"))
        ));
    }
    Ok(())
}

pub(crate) async fn ping(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = Slots { endpoint: None, status: None, protocol: None, ..reading.slots.clone() };
    let about = conditions::told(&slots);
    let mut said = Said::new(format!("ICMP{about}: echoes, their answers, and errors"));
    let condition = format!(
        "{} AND protocol IN ('icmp', \
            'icmpv6')",
        conditions::calls(desk, &slots, SubjectIs::Either)
    );
    let found = desk
        .sql(format!(
            "SELECT client_workload AS client, server_workload AS server, operation, count(*) AS calls, \
             count(duration_ms) AS answered, \
             count(*) FILTER (WHERE outcome = 'no_response') AS unanswered, min(status) AS status, \
             min(error) AS error, {} AS p50_ms, max(duration_ms) AS longest_ms, \
             min(call_id) AS example, min(call_id) FILTER (WHERE outcome = 'no_response') AS \
             silent_example FROM calls WHERE {condition} \
             GROUP BY 1, 2, 3 ORDER BY unanswered DESC, calls DESC LIMIT 12",
            percentile("duration_ms", 0.5, "duration_ms IS NOT NULL")
        ))
        .await?;
    if found.is_empty() {
        said.line(format!("No ICMP message{about} was heard in this window."));
        return Ok(said);
    }
    let sum = |column: &str| found.iter().map(|row| row.count(column)).sum::<u64>();
    said.line(format!(
        "{}{about}: {} were answered, {} got no answer.",
        count(sum("calls"), "ICMP exchange"),
        sum("answered"),
        sum("unanswered")
    ));
    for row in found.iter() {
        let mut line = format!(
            "{} to {}, {}: {}",
            name(row.text("client")),
            name(row.text("server")),
            name(row.text("operation")),
            count(row.count("calls"), "time")
        );
        if row.count("answered") > 0 {
            line.push_str(&format!(
                ", {} answered, p50 {}, longest {}",
                row.count("answered"),
                ms_of(&row, "p50_ms"),
                ms_of(&row, "longest_ms")
            ));
        }
        if row.count("unanswered") > 0 {
            line.push_str(&format!(
                ", {} without an answer ({})",
                row.count("unanswered"),
                percent(row.count("unanswered") as f64, row.count("calls") as f64)
            ));
        }
        if !row.text("error").is_empty() {
            line.push_str(&format!(", {}", words(row.text("error"))));
        } else if row.count("answered") == 0 && !row.text("status").is_empty() {
            line.push_str(&format!(", {}", name(row.text("status"))));
        }
        let id = if row.text("silent_example").is_empty() {
            row.text("example")
        } else {
            row.text("silent_example")
        };
        line.push_str(&cite(id));
        said.item(line);
    }
    Ok(said)
}
