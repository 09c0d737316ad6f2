//! What fails, and why: by endpoint, with the words of whoever failed, the chain of callees that failed meanwhile,
//! the instances at its end, names that do not exist; client errors stand apart.

use wirewise_tools::ToolError;

use super::dns;
use crate::planner::blame::{Cause, Causes, Place};
use crate::planner::compose::{Said, cite, count, endpoint_of, listed, name, percent, plain, quoted, words};
use crate::planner::conditions::{self, SubjectIs, end_is, text};
use crate::planner::desk::Desk;
use crate::planner::grammar::Reading;

const MOST_GROUPS: usize = 6;
const MOST_SUSPECTS: usize = 2;

pub(crate) async fn run(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let about = conditions::told(slots);
    let mut said = Said::new(format!(
        "which calls{about} failed, and what failed meanwhile at the hands of their servers"
    ));
    // Failures are those of the server that is named; what it suffers from is told as their cause.
    let asked = conditions::calls(desk, slots, SubjectIs::Server);
    let totals = desk
        .sql(format!(
            "SELECT count(*) AS calls, count(*) FILTER (WHERE failed) AS failed, \
             count(*) FILTER (WHERE outcome = 'client_error' AND protocol <> 'dns') AS client_errors FROM \
             calls WHERE {asked}"
        ))
        .await?;
    let (calls, failed, client_errors) = totals
        .first()
        .map_or((0, 0, 0), |row| (row.count("calls"), row.count("failed"), row.count("client_errors")));
    if calls == 0 {
        said.line(format!("No calls{about} were heard in this window, so none failed."));
        return Ok(said);
    }
    if failed == 0 {
        said.line(format!(
            "None of {}{about} failed: no server error, no missing response, no abort.",
            count(calls, "call")
        ));
    } else {
        said.line(format!(
            "{failed} of {}{about} failed ({}).",
            count(calls, "call"),
            percent(failed as f64, calls as f64)
        ));
        groups(desk, &mut said, &asked).await?;
    }
    apart(desk, &mut said, &asked, client_errors).await?;
    if slots.endpoint.is_none() && slots.status.is_none() && slots.outcome.is_none() {
        dns::failed_names(desk, &mut said, slots, 3).await?;
    }
    if failed == 0 && client_errors == 0 {
        let example = desk
            .sql(format!("SELECT max(call_id) AS example FROM calls WHERE {asked} AND outcome = 'ok'"))
            .await?;
        if let Some(row) = example.first().filter(|row| !row.text("example").is_empty()) {
            said.line(format!("The latest that went well is{}.", cite(row.text("example"))));
        }
    }
    Ok(said)
}

async fn groups(desk: &mut Desk, said: &mut Said, asked: &str) -> Result<(), ToolError> {
    let groups = desk
        .sql(format!(
            "SELECT server_workload AS service, protocol, operation, endpoint, status, outcome, count(*) \
             AS failed, min(error) AS error, \
             count(DISTINCT client_workload) AS callers, min(client_workload) AS caller, min(call_id) AS \
             example, max(call_id) AS latest \
             FROM calls WHERE {asked} AND failed GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY failed DESC, service, \
             endpoint LIMIT {}",
            MOST_GROUPS + 1
        ))
        .await?;
    let causes = Causes::find(desk, desk.window).await?;
    let mut roots: Vec<Place> = Vec::new();
    for row in groups.iter().take(MOST_GROUPS) {
        let place = Place::of(&row, "");
        let mut line = format!(
            "{} {}: {}",
            name(row.text("service")),
            endpoint_of(&row),
            count(row.count("failed"), "failed call")
        );
        line.push_str(&outcome_told(row.text("status"), row.text("outcome")));
        if !row.text("error").is_empty() {
            line.push_str(&format!(", {}", words(row.text("error"))));
        }
        line.push_str(&match row.count("callers") {
            0 | 1 => format!(", asked by {}", name(row.text("caller"))),
            more => format!(", asked by {more} callers"),
        });
        line.push_str(&cite(row.text("example")));
        let chain = causes.chain(&place);
        if chain.is_empty() {
            line.push_str("; no call that its server made meanwhile failed");
        } else {
            let told: Vec<String> = chain.iter().map(|cause| cause_told(cause)).collect();
            line.push_str(&format!("; meanwhile {}", told.join(", and below that ")));
        }
        said.item(line);
        // A name that does not exist has nobody behind it who could be looked into.
        let root = match chain.last() {
            Some(cause) if cause.place.protocol == "dns" => {
                chain.iter().rev().nth(1).map_or(place, |cause| cause.place.clone())
            }
            Some(cause) => cause.place.clone(),
            None => place,
        };
        if !roots.contains(&root) {
            roots.push(root);
        }
    }
    if groups.len() > MOST_GROUPS {
        said.item("and more kinds of failures, which are not shown");
    }
    for root in roots.iter().take(MOST_SUSPECTS) {
        suspect(desk, said, root, &causes).await?;
    }
    Ok(())
}

pub(super) fn outcome_told(status: &str, outcome: &str) -> String {
    match (status, outcome) {
        ("", "no_response") => ", no response".to_owned(),
        ("", "aborted") => ", aborted".to_owned(),
        ("", outcome) => format!(", {}", name(outcome)),
        (status, "no_response" | "aborted") => {
            format!(", {} ({})", name(&outcome.replace('_', "-")), name(status))
        }
        (status, _) => format!(", status {}", name(status)),
    }
}

/// A cause in words, without a full stop.
pub(super) fn cause_told(cause: &Cause) -> String {
    let mut told = if cause.place.protocol == "dns" {
        let status = if cause.status.is_empty() { "no answer" } else { &cause.status };
        format!(
            "{} asked DNS for {} and got {}",
            name(&cause.asker),
            quoted(&cause.target),
            plain(status, 40)
        )
    } else {
        let mut told = format!("{} failed", cause.place.told());
        if !cause.status.is_empty() {
            told.push_str(&format!(" with {}", name(&cause.status)));
        }
        if !cause.error.is_empty() {
            told.push_str(&format!(" {}", words(&cause.error)));
        }
        told
    };
    told.push_str(&format!(
        " in {} of {} of these looked \
        at{}",
        cause.calls,
        cause.of,
        cite(&cause.example)
    ));
    told
}

/// Names the first suspect and tells its instances apart.
async fn suspect(desk: &mut Desk, said: &mut Said, root: &Place, causes: &Causes) -> Result<(), ToolError> {
    let by_name = causes
        .chain(root)
        .last()
        .filter(|cause| cause.place.protocol == "dns")
        .map(|cause| quoted(&cause.target));
    let mut line = match by_name {
        Some(target) => {
            format!("First suspect: the DNS name {target}, which {} asks for in vain.", root.told())
        }
        None => format!("First suspect: {}, which failed without a failing call of its own.", root.told()),
    };
    let instances = desk
        .sql(format!(
            "SELECT server_version AS version, server_ip AS address, count(*) AS calls, count(*) FILTER \
             (WHERE failed) AS failed, \
             min(call_id) FILTER (WHERE failed) AS example FROM calls WHERE {} AND {} AND protocol = {} \
             AND operation = {} AND endpoint = {} \
             GROUP BY 1, 2 ORDER BY failed DESC, calls DESC LIMIT 6",
            conditions::within(desk.window),
            end_is("server", &root.service),
            text(&root.protocol),
            text(&root.operation),
            text(&root.endpoint)
        ))
        .await?;
    if instances.len() > 1 {
        let told: Vec<String> = instances
            .iter()
            .map(|row| {
                let version = if row.text("version").is_empty() {
                    String::new()
                } else {
                    format!("version {} ", name(row.text("version")))
                };
                format!(
                    "{version}at {} failed {} of {}{}",
                    name(row.text("address")),
                    row.count("failed"),
                    row.count("calls"),
                    cite(row.text("example"))
                )
            })
            .collect();
        line.push_str(&format!(" By instance: {}.", listed(&told)));
    } else if let Some(row) = instances.first() {
        let version = if row.text("version").is_empty() {
            String::new()
        } else {
            format!(" version {}", name(row.text("version")))
        };
        line.push_str(&format!(
            " The only instance of {}{version} at {} failed {} of {}.",
            name(&root.service),
            name(row.text("address")),
            row.count("failed"),
            count(row.count("calls"), "call")
        ));
    }
    said.line(line);
    Ok(())
}

/// Client errors, which are not failures of the server.
async fn apart(desk: &mut Desk, said: &mut Said, asked: &str, client_errors: u64) -> Result<(), ToolError> {
    if client_errors == 0 {
        return Ok(());
    }
    let groups = desk
        .sql(format!(
            "SELECT server_workload AS service, protocol, operation, endpoint, status, count(*) AS calls, \
             min(client_workload) AS caller, \
             min(call_id) AS example FROM calls WHERE {asked} AND outcome = 'client_error' AND protocol <> \
             'dns' \
             GROUP BY 1, 2, 3, 4, 5 ORDER BY calls DESC LIMIT 4"
        ))
        .await?;
    said.line(format!(
        "Apart from these, {} ended in a client error, which is the caller's doing:",
        count(client_errors, "call")
    ));
    for row in groups.iter() {
        said.item(format!(
            "{} {}: {} times{}, asked by {}{}",
            name(row.text("service")),
            endpoint_of(&row),
            row.count("calls"),
            outcome_told(row.text("status"), "client_error"),
            name(row.text("caller")),
            cite(row.text("example"))
        ));
    }
    Ok(())
}
