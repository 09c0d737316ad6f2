//! What the truth says of a call of Kafka beyond pairing and times, and that no call is made up.

use serde_json::Value;
use wirewise_model::{Call, Limits};

use crate::compare::{attribute, cites, same};
use crate::corpus::{Heard, corpus};

/// Codes that exist. tshark 4.0 reads some newer versions out of step, and then tells of others.
const CODES: std::ops::RangeInclusive<i64> = -1..=133;

/// Compares what the protocol itself says.
pub(crate) fn agrees(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    let (asked, answered) = (&line["req"], &line["resp"]);
    if asked.is_object() {
        if let Some(api) = asked["api"].as_str() {
            same("api", exchange.operation.as_str(), api)?;
        }
        let number = |name| attribute(exchange, name).and_then(|number| number.parse().ok());
        same("version", number("kafka.api_version"), asked["version"].as_i64())?;
        same("correlation id", number("kafka.correlation_id"), asked["correlation_id"].as_i64())?;
        same(
            "client id",
            attribute(exchange, "messaging.client.id").as_deref(),
            asked["client_id"].as_str(),
        )?;
        if let Some(group) = asked["group"].as_str() {
            same("group", attribute(exchange, "messaging.consumer.group.name").as_deref(), Some(group))?;
        }
        if let Some(acks @ -1..=1) = asked["acks"].as_i64() {
            same("acks", number("kafka.required_acks"), Some(acks))?;
        }
        let topics: Vec<&str> = asked["topics"].as_array().map_or(Vec::new(), |topics| {
            topics.iter().filter_map(Value::as_str).filter(|topic| *topic != "[ Null ]").collect()
        });
        if !topics.is_empty() {
            let topic = attribute(exchange, "messaging.destination.name").unwrap_or_default();
            same("one of the topics", topics.contains(&topic.as_str()), true)?;
            let count = number("kafka.topic_count").unwrap_or(1);
            same("topics", count, topics.len() as i64)?;
        }
    }
    if answered.is_object() {
        let codes: Vec<i64> = answered["errors"]
            .as_array()
            .map_or(Vec::new(), |codes| codes.iter().filter_map(Value::as_i64).collect());
        if !codes.is_empty() && codes.iter().all(|code| CODES.contains(code)) {
            let error = codes.iter().find(|code| **code != 0).copied().unwrap_or(0);
            same("error", exchange.status_code, Some(error))?;
        }
    }
    Ok(())
}

/// Our calls of `protocol` of which no line of the truth cites a packet.
pub(crate) fn made_up(heard: &Heard, truth: &[Value], protocol: &str) -> Vec<String> {
    let frames: Vec<u64> = truth
        .iter()
        .filter(|line| line["proto"] == protocol)
        .flat_map(|line| {
            let asked = &line["req"];
            [&asked["frame"], &asked["sync_frame"], &line["resp"]["frame"], &line["frame"]]
        })
        .filter_map(Value::as_u64)
        .collect();
    heard
        .calls
        .iter()
        .filter(|call| call.exchange.protocol == protocol && call.exchange.revision == 0)
        .filter(|call| {
            let sides = [&call.exchange.request, &call.exchange.response];
            !frames.iter().any(|frame| sides.iter().any(|side| cites(side, *frame)))
        })
        .map(|call| {
            format!("{} {} ({})", call.exchange.operation, call.exchange.target, call.exchange.outcome)
        })
        .collect()
}

#[test]
fn no_call_of_kafka_is_made_up() {
    let Some(captures) = corpus() else { return };
    let mut found = Vec::new();
    for capture in captures.iter().filter(|capture| !capture.is_advisory()) {
        let extra = made_up(&Heard::of(&capture.frames(), &Limits::default()), &capture.truth(), "kafka");
        found.extend(extra.into_iter().map(|call| format!("{}: {call}", capture.name)));
    }
    assert!(found.is_empty(), "{} calls that tshark has not:\n{}", found.len(), found.join("\n"));
}
