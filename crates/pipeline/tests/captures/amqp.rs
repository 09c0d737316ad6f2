//! What the truth says of methods of AMQP 0-9-1 and of messages, and that no call is made up.

use serde_json::Value;
use wirewise_model::{Call, Exchange, Limits, Message};

use crate::compare::{SLACK_US, attribute, call, cites, same};
use crate::corpus::{Heard, corpus};
use crate::kafka::made_up;

/// Arguments of the truth by the attributes that hold them.
const ARGUMENTS: &[(&str, &str)] = &[
    ("queue", "amqp.method.arguments.queue"),
    ("exchange", "amqp.method.arguments.exchange"),
    ("routing_key", "messaging.rabbitmq.destination.routing_key"),
    ("consumer_tag", "amqp.method.arguments.consumer_tag"),
    ("delivery_tag", "messaging.rabbitmq.message.delivery_tag"),
    ("virtual_host", "amqp.method.arguments.virtual_host"),
    ("message_count", "amqp.method.arguments.message_count"),
    ("consumer_count", "amqp.method.arguments.consumer_count"),
    ("mechanism", "amqp.method.arguments.mechanism"),
    ("content_type", "amqp.method.properties.content_type"),
    ("correlation_id", "messaging.message.conversation_id"),
    ("reply_to", "amqp.method.properties.reply_to"),
];

/// Compares a question with its answer, or a message with what became of it.
pub(crate) fn agrees(heard: &Heard, line: &Value) -> Result<(), String> {
    if line["k"] == "call" {
        return call(heard, line, "amqp", asked);
    }
    let name = line["name"].as_str().unwrap_or_default();
    let frame = line["frame"].as_u64().ok_or("the truth names no packet")?;
    let of_ours =
        || heard.calls.iter().map(|call| &call.exchange).filter(|exchange| exchange.protocol == "amqp");
    let found = match name {
        "basic.publish" | "basic.deliver" => {
            let verdicts: Vec<_> = of_ours()
                .filter(|exchange| exchange.operation == name && cites(&exchange.request, frame))
                .map(|exchange| message(exchange, line))
                .collect();
            match verdicts.iter().find(|verdict| verdict.is_ok()) {
                Some(_) => return Ok(()),
                None => verdicts.into_iter().next(),
            }
        }
        // They settle something that was heard, or are told alone.
        "basic.ack" | "basic.nack" | "basic.reject" | "basic.return" | "protocol-header" => of_ours()
            .find(|exchange| {
                cites(&exchange.response, frame)
                    || exchange.operation == name && cites(&exchange.request, frame)
            })
            .map(|_| Ok(())),
        _ => of_ours()
            .find(|exchange| exchange.operation == name && cites(&exchange.request, frame))
            .map(|_| Ok(())),
    };
    found.unwrap_or_else(|| Err(format!("no amqp call cites it ({name})")))
}

fn asked(call: &Call, line: &Value) -> Result<(), String> {
    let (exchange, asked, answered) = (&call.exchange, &line["req"], &line["resp"]);
    if asked.is_object() {
        same("method", exchange.operation.as_str(), asked["name"].as_str().unwrap_or_default())?;
        arguments(exchange, asked)?;
    }
    if let Some(code) = asked["reply_code"].as_str().or(answered["reply_code"].as_str())
        && code != "200"
    {
        let ours = exchange.status_code.map(|code| code.to_string());
        same("reply code", ours.as_deref(), Some(code))?;
        let text = asked["reply_text"].as_str().or(answered["reply_text"].as_str());
        return same("reply text", exchange.error.as_deref(), text);
    }
    if answered.is_object() {
        same("answer", exchange.status.as_deref(), answered["name"].as_str())?;
        arguments(exchange, answered)?;
        size(exchange, answered)?;
    }
    Ok(())
}

fn message(exchange: &Exchange, line: &Value) -> Result<(), String> {
    arguments(exchange, line)?;
    size(exchange, line)?;
    if let Some(last) = line["body_frame"].as_u64() {
        same("body's last packet", last_packet(&exchange.request), Some(last))?;
    }
    let settled = line["settled"].as_str();
    same("settled", exchange.response.is_some(), settled.is_some() || returned(exchange))?;
    if let (Some(settled), Some(frame)) = (settled, line["settle_frame"].as_u64()) {
        if !cites(&exchange.response, frame) {
            return Err(format!("the response does not cite packet {frame}"));
        }
        if !returned(exchange) {
            same("how", exchange.status.as_deref(), Some(settled))?;
        }
    }
    if let (Some(theirs), Some(_)) = (line["settle_us"].as_f64(), line["time"].as_f64()) {
        let ours = exchange.took().map_or(-1.0, |took| took.as_secs_f64() * 1e6);
        if (ours - theirs).abs() > SLACK_US {
            return Err(format!("took {ours:.0} us, tshark says {theirs:.0}"));
        }
    }
    Ok(())
}

fn returned(exchange: &Exchange) -> bool {
    exchange.status.as_deref() == Some("NO_ROUTE")
}

fn arguments(exchange: &Exchange, line: &Value) -> Result<(), String> {
    for (theirs, ours) in ARGUMENTS {
        if let Some(value) = line[*theirs].as_str().filter(|value| !value.is_empty()) {
            same(theirs, attribute(exchange, ours).as_deref(), Some(value))?;
        }
    }
    Ok(())
}

fn size(exchange: &Exchange, line: &Value) -> Result<(), String> {
    match line["body_size"].as_u64() {
        Some(size) => {
            same("body", attribute(exchange, "messaging.message.body.size"), Some(size.to_string()))
        }
        None => Ok(()),
    }
}

fn last_packet(message: &Option<Message>) -> Option<u64> {
    message.as_ref().and_then(|message| message.track.frames.numbers.last()).map(|number| number.0)
}

#[test]
fn no_call_of_amqp_is_made_up() {
    let Some(captures) = corpus() else { return };
    let mut found = Vec::new();
    for capture in captures.iter().filter(|capture| !capture.is_advisory()) {
        let extra = made_up(&Heard::of(&capture.frames(), &Limits::default()), &capture.truth(), "amqp");
        found.extend(extra.into_iter().map(|call| format!("{}: {call}", capture.name)));
    }
    assert!(found.is_empty(), "{} calls that tshark has not:\n{}", found.len(), found.join("\n"));
}
