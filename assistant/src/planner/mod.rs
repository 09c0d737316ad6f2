//! The built-in planner: answers questions without a model. A question is read into cues, slots and names
//! ([`grammar`]), matched against a table of intents ([`intent`]), answered by typed calls of the tools ([`families`],
//! one file a family), and told in plain sentences whose ids and numbers come from evidence alone.
//!
//! It never guesses. A question below the threshold, one full of words that it does not know, and one that asks for
//! doing instead of reading are refused; a name that the data set has never seen is said to be unknown.

mod blame;
mod compose;
mod conditions;
mod desk;
mod families;
mod grammar;
mod intent;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde_json::json;
use wirewise_model::{Stage, Viewer};
use wirewise_tools::{Citation, LossTold, Names, ToolError, Toolbox, nearest};

use crate::answer::{Answer, Question, check_citations, ids_in};
use compose::{Said, cite, count, listed, moment, name, quoted};
use desk::Desk;
use grammar::{Cue, Reading, Stranger, When};
use intent::{Choice, INTENTS, Intent};

/// Questions that a refusal offers.
const MOST_OFFERED: usize = 7;

/// Names that an answer about an unknown one lists.
const MOST_KNOWN: usize = 12;

/// Answers a question about the data set that it names, or the one that is meant. [`ToolError::Tell`] where no such
/// data set exists; what a question itself gets wrong is answered, as a refusal.
pub async fn answer(toolbox: &Toolbox, question: &Question, viewer: &Viewer) -> Result<Answer, ToolError> {
    let mut desk = Desk::open(toolbox, question.dataset.as_deref(), viewer).await?;
    let reading = Reading::of(&question.question, &desk.names);
    let mut said = match reply(&mut desk, &reading).await {
        Ok(said) => said,
        Err(ToolError::Tell(text)) => refusal(text, "a question that cannot be answered as it stands"),
        Err(failed @ ToolError::Fail(_)) => return Err(failed),
    };
    for (written, meant) in &reading.mended {
        said.understood.push_str(&format!("; {} read as {meant}", quoted(written)));
    }
    if !said.refused && !reading.unknown.is_empty() && reading.only_stranger().is_none() {
        let unread: Vec<String> = reading.unknown.iter().take(4).map(|word| quoted(word)).collect();
        said.understood.push_str(&format!("; {} was not understood", listed(&unread)));
    }
    sign(desk, said).await
}

async fn reply(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    if let Some(deed) = &reading.deed {
        let text = format!("I only read captured traffic: I cannot {}. {}", name(deed), offer(&[]));
        return Ok(refusal(text, "a request to do something"));
    }
    let intent = match intent::choose(reading) {
        Choice::Found(intent) => intent,
        Choice::Nothing(near) => return Ok(not_understood(desk, reading, &near)),
    };
    if let Some(stranger) = reading.only_stranger() {
        return Ok(unknown_name(desk, stranger, intent));
    }
    if !intent::is_named(intent.needs, &reading.slots) {
        let text = format!(
            "Which service? Name one, as in {}. {}",
            quoted(intent.example),
            known_services(&desk.names)
        );
        return Ok(refusal(text, format!("{}, without a name", intent.example)));
    }
    if let Some(said) = unheard_protocol(desk, reading) {
        return Ok(said);
    }
    if let Some(said) = unknown_endpoint(desk, reading).await? {
        return Ok(said);
    }
    // `expire within 30 days` speaks of days to come.
    let to_come = reading.has(Cue::Expire) && matches!(reading.slots.when.first(), Some(When::Last(_)));
    if let Some(when) = reading.slots.when.first().filter(|_| !to_come) {
        desk.set_window(when)?;
    }
    if desk.info.calls == 0 && desk.info.flows == 0 && desk.info.last_at.is_none() {
        let mut said = Said::new(intent.example);
        said.line("Nothing has been captured yet in this data set.");
        return Ok(said);
    }
    let mut said = (intent.run)(desk, reading).await?;
    if ids_in(&said.text()).is_empty() {
        vouch(desk, &mut said).await?;
    }
    Ok(said)
}

/// An answer that cites nothing says that nothing was there: a call of the window shows that somebody listened.
async fn vouch(desk: &mut Desk, said: &mut Said) -> Result<(), ToolError> {
    let latest = desk
        .sql(format!(
            "SELECT max(call_id) AS latest, count(*) AS calls FROM calls WHERE {}",
            conditions::within(desk.window)
        ))
        .await?;
    if let Some(row) = latest.first().filter(|row| row.count("calls") > 0) {
        said.line(format!(
            "{} of any kind in this window, the latest{}.",
            count(row.count("calls"), "call"),
            cite(row.text("latest"))
        ));
    }
    Ok(())
}

fn refusal(text: impl Into<String>, understood: impl Into<String>) -> Said {
    let mut said = Said::new(understood);
    said.line(text);
    said.refused = true;
    said
}

/// Questions that can be asked, the nearest first.
fn offer(near: &[&Intent]) -> String {
    const USUAL: [&str; 7] =
        ["overview", "failures", "slowest", "callers", "latency", "changes", "network_or_server"];
    let usual = USUAL.iter().filter_map(|name| INTENTS.iter().find(|intent| intent.name == *name));
    let mut examples: Vec<&str> = Vec::new();
    for intent in near.iter().copied().chain(usual) {
        if !examples.contains(&intent.example) {
            examples.push(intent.example);
        }
    }
    let told: Vec<String> =
        examples.iter().take(MOST_OFFERED).map(|example| format!("\"{example}\"")).collect();
    format!("I can answer questions about captured traffic, such as {}.", listed(&told))
}

fn not_understood(desk: &Desk, reading: &Reading, near: &[&Intent]) -> Said {
    let mut text = "I cannot answer that.".to_owned();
    let unknown: Vec<String> = reading.unknown.iter().take(4).map(|word| quoted(word)).collect();
    if !unknown.is_empty() {
        text.push_str(&format!(" I do not know what to make of {}.", listed(&unknown)));
    }
    let near_names: BTreeSet<&str> =
        reading.strangers.iter().flat_map(|stranger| &stranger.near).map(String::as_str).collect();
    if !near_names.is_empty() {
        let told: Vec<String> = near_names.into_iter().map(name).collect();
        text.push_str(&format!(" Did you mean {}?", told.join(" or ")));
    } else if reading.has(Cue::Named) && reading.strangers.is_empty() {
        text.push_str(&format!(" {}", known_services(&desk.names)));
    }
    // Of a foreign question a shared cue says nothing.
    let near = if reading.is_foreign() { &[] } else { near };
    text.push_str(&format!(" {}", offer(near)));
    refusal(text, "not understood")
}

fn known_services(names: &Names) -> String {
    let known: Vec<String> = names
        .servers
        .iter()
        .chain(names.services.iter().filter(|service| !names.servers.contains(*service)))
        .map(|service| name(service))
        .collect();
    match known.len() {
        0 => "No service is known in this data set yet.".to_owned(),
        1..=MOST_KNOWN => format!("Known are {}.", listed(&known)),
        more => format!("Known are {} and {} others.", known[..MOST_KNOWN].join(", "), more - MOST_KNOWN),
    }
}

/// A name that nobody knows: said so, with the nearest, and zero rows.
fn unknown_name(desk: &Desk, stranger: &Stranger, intent: &Intent) -> Said {
    let mut said = Said::new(format!(
        "a question like \"{}\", about {}, which is not known",
        intent.example,
        quoted(&stranger.name)
    ));
    let text = format!(
        "No service, host or endpoint {} was ever seen in this data set, so 0 calls fit.",
        quoted(&stranger.name)
    );
    if stranger.near.is_empty() {
        said.line(format!("{text} {}", known_services(&desk.names)));
        said.refused = true;
    } else {
        let near: Vec<String> = stranger.near.iter().map(|near| name(near)).collect();
        said.line(format!("{text} Did you mean {}?", near.join(" or ")));
    }
    said
}

/// A protocol that was never heard: said so, with those that were.
fn unheard_protocol(desk: &Desk, reading: &Reading) -> Option<Said> {
    let protocol = reading.slots.protocol.as_deref()?;
    if desk.names.protocols.contains(protocol) {
        return None;
    }
    let heard: Vec<String> = desk.names.protocols.iter().map(|heard| name(heard)).collect();
    let mut said = Said::new(format!("a question about {protocol}, which was not heard"));
    said.line(format!(
        "No {protocol} traffic was ever heard in this data set, nor is a service called so, so 0 calls \
         fit. Heard were {}.",
        if heard.is_empty() { "none".to_owned() } else { listed(&heard) }
    ));
    Some(said)
}

/// An endpoint that was never called: said so, with those that are like it.
async fn unknown_endpoint(desk: &mut Desk, reading: &Reading) -> Result<Option<Said>, ToolError> {
    let Some(asked) = &reading.slots.endpoint else { return Ok(None) };
    let fits = |known: &wirewise_tools::KnownEndpoint| {
        let path = asked.paths.is_empty()
            || asked.paths.iter().any(|path| known.endpoint.eq_ignore_ascii_case(path));
        path && asked
            .operation
            .as_ref()
            .is_none_or(|operation| known.operation.eq_ignore_ascii_case(operation))
    };
    if desk.names.endpoints.iter().any(fits) {
        return Ok(None);
    }
    let slots = grammar::Slots { endpoint: Some(asked.clone()), ..grammar::Slots::default() };
    let condition = conditions::asked(&slots, conditions::SubjectIs::Either).join(" AND ");
    let found = desk.sql(format!("SELECT count(*) AS calls FROM calls WHERE {condition}")).await?;
    if found.first().is_some_and(|row| row.count("calls") > 0) {
        return Ok(None);
    }
    let told = asked.told();
    let path = asked.paths.first().map_or("", String::as_str).to_lowercase();
    let mut near: Vec<String> = Vec::new();
    let mut offer = |known: &wirewise_tools::KnownEndpoint| {
        let known = format!("{} {}", known.operation, known.endpoint);
        if near.len() < 4 && !near.contains(&known) {
            near.push(known);
        }
    };
    if !path.is_empty() {
        // The same path by another method, then those below it, then slips.
        let endpoints = &desk.names.endpoints;
        endpoints.iter().filter(|known| known.endpoint.eq_ignore_ascii_case(&path)).for_each(&mut offer);
        let below = format!("{}/", path.trim_end_matches('/'));
        endpoints
            .iter()
            .filter(|known| known.endpoint.to_lowercase().starts_with(&below))
            .for_each(&mut offer);
        let alike = nearest(&path, endpoints.iter().map(|known| known.endpoint.as_str()));
        endpoints.iter().filter(|known| alike.contains(&known.endpoint.as_str())).for_each(&mut offer);
    }
    let mut said = Said::new(format!(
        "a question about the endpoint {}, which is not \
        known",
        quoted(&told)
    ));
    let mut text = format!("No call of {} was ever seen in this data set, so 0 calls fit.", quoted(&told));
    if !near.is_empty() {
        let near: Vec<String> = near.iter().map(|near| quoted(near)).collect();
        text.push_str(&format!(" Did you mean {}?", near.join(" or ")));
    }
    said.line(text);
    Ok(Some(said))
}

/// Puts the receipts to what was said.
async fn sign(mut desk: Desk, said: Said) -> Result<Answer, ToolError> {
    let tools = desk.take_tools();
    let mut text = said.text();
    let losses = if said.refused { Vec::new() } else { desk.losses().await? };
    if !said.refused {
        text.push_str(&format!("\n\n{}", receipts(&desk, &losses)));
    }
    let evidence = desk.evidence();
    let known: BTreeSet<&str> = evidence
        .iter()
        .flat_map(|evidence| &evidence.citations)
        .map(|citation| citation.id.as_str())
        .collect();
    let cited = check_citations(&text, &known)
        .map_err(|why| ToolError::Fail(format!("the answer is withheld: {why}")))?;
    let mut citations: Vec<Citation> = Vec::new();
    for id in &cited {
        let found =
            evidence.iter().flat_map(|evidence| &evidence.citations).find(|citation| citation.id == *id);
        citations.extend(found.cloned());
    }
    let window =
        (!said.refused).then(|| json!({"from": desk.window.from.rfc3339(), "to": desk.window.to.rfc3339()}));
    Ok(Answer {
        answer: text,
        understood: said.understood,
        dataset: Some(desk.info.name.clone()),
        window,
        losses: json!(losses),
        citations,
        refused: said.refused,
        tools,
        answered_by: "planner".to_owned(),
    })
}

/// Data set, window, now and losses, in one paragraph.
fn receipts(desk: &Desk, losses: &[LossTold]) -> String {
    let mut text = format!(
        "Data set {}; window {} to {}; now is {} ({}).",
        name(&desk.info.name),
        moment(desk.window.from),
        moment(desk.window.to),
        desk.now_is(),
        moment(desk.now)
    );
    text.push(' ');
    text.push_str(&losses_told(losses));
    if desk.evidence().iter().any(|evidence| evidence.truncated) {
        text.push_str(" Some tables were cut short: narrow the window or name a service to see all rows.");
    }
    text
}

/// What was lost, in a sentence.
fn losses_told(losses: &[LossTold]) -> String {
    const SHOWN: usize = 4;
    if losses.is_empty() {
        return "Nothing was lost in this window.".to_owned();
    }
    let mut told: Vec<String> = losses
        .iter()
        .take(SHOWN)
        .map(|loss| {
            let unit = [Stage::Capture, Stage::Wire, Stage::Flow, Stage::Dissect, Stage::Calls, Stage::Store]
                .into_iter()
                .find(|stage| stage.name() == loss.stage)
                .map_or("", |stage| stage.unit().name());
            format!("{} {unit} ({}: {})", loss.count, name(&loss.stage), name(&loss.reason))
        })
        .collect();
    if losses.len() > SHOWN {
        told.push(format!("{} further reasons", losses.len() - SHOWN));
    }
    format!("Lost in this window: {}; what it held is not in this answer.", listed(&told))
}
