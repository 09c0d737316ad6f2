//! Redis, Memcached, MQTT and NATS against their truth.

use serde_json::Value;
use wirewise_model::{Call, Limits, Outcome};

use crate::compare::{SLACK_US, attribute, call, cites, number, same, word};
use crate::corpus::{Heard, corpus};

type Compared = Option<(&'static str, Result<(), String>)>;

pub(crate) fn compare(heard: &Heard, line: &Value, kind: &str, proto: &str) -> Compared {
    match (kind, proto) {
        ("call", "redis") => Some(("redis", call(heard, line, "redis", redis))),
        ("call", "memcached") => Some(("memcached", call(heard, line, "memcached", memcached))),
        // Of a mutated capture the truth keeps messages whose packets are gone.
        ("msg", _) if line["intact"] == false => None,
        ("call", "mqtt") => Some(("mqtt", mqtt(heard, line))),
        ("msg", "nats") => Some(("nats", message(heard, line, "nats", nats_message))),
        ("msg", "mqtt") => Some(("mqtt", message(heard, line, "mqtt", mqtt_message))),
        ("msg", "redis") => Some(("redis", message(heard, line, "redis", published))),
        _ => None,
    }
}

/// A one-way message in this packet of which `own` holds.
fn message(
    heard: &Heard,
    line: &Value,
    protocol: &str,
    own: fn(&Call, &Value) -> Result<(), String>,
) -> Result<(), String> {
    let frame = number(&line["frame"]).ok_or("the truth names no packet")?;
    let cites = |call: &&Call| {
        call.exchange.protocol == protocol
            && (cites(&call.exchange.request, frame) || cites(&call.exchange.response, frame))
    };
    let mut verdicts: Vec<Result<(), String>> =
        heard.calls.iter().filter(cites).map(|call| own(call, line)).collect();
    if verdicts.iter().any(Result::is_ok) {
        return Ok(());
    }
    verdicts.pop().unwrap_or_else(|| Err(format!("no {protocol} message cites it: {line}")))
}

/// What `make_truth.py` cut at so many letters, or wrote with escapes of its own, is compared no further.
fn is_plain(text: &str) -> bool {
    text.len() < 120 && text.bytes().all(|byte| (b' '..0x7f).contains(&byte) && byte != b'\\')
}

fn redis(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    let (asked, answered) = (&line["req"], &line["resp"]);
    if asked.is_object() {
        let name = exchange.operation.split(' ').next().unwrap_or_default();
        // What is typed and no command is not kept.
        if name != "?" || !word(asked, "command").starts_with("FAKE") {
            same("command", name, word(asked, "command"))?;
        }
        let first = asked["args"][0].as_str().unwrap_or_default();
        let has_key = !exchange.operation.contains(' ')
            && !matches!(name, "AUTH" | "HELLO" | "PING" | "DEBUG" | "EVAL" | "CLIENT" | "NOSUCH" | "?");
        // The truth parts inline commands at every blank, Redis at those that are not quoted.
        if has_key && is_plain(first) && !(asked["inline"] == true && first.contains(['"', '\''])) {
            same("target", &*exchange.target, first)?;
        }
        if name == "EVAL" {
            same("target", Some(&*exchange.target), asked["args"][2].as_str())?;
        }
    }
    if !answered.is_object() {
        let silent = word(line, "why").starts_with("reply ");
        return same("one way", exchange.outcome == Outcome::OneWay, silent);
    }
    let value = word(answered, "value");
    match word(answered, "type") {
        "err" => {
            let prefix = value.split(' ').next().unwrap_or_default();
            same("status", exchange.status.as_deref(), Some(prefix))?;
            same("an error", matches!(exchange.outcome, Outcome::ClientError | Outcome::ServerError), true)?;
            same("error", exchange.error.is_some(), true)?;
        }
        kind => {
            same("outcome", exchange.outcome, Outcome::Ok)?;
            let status = if kind == "str" && value.bytes().all(|byte| byte.is_ascii_uppercase()) {
                value
            } else {
                "OK"
            };
            same("status", exchange.status.as_deref(), Some(status))?;
            let rows = match kind {
                "null" => Some(0),
                _ => answered["items"].as_i64(),
            };
            if let Some(rows) = rows.filter(|_| !exchange.operation.ends_with("SUBSCRIBE")) {
                let ours = attribute(exchange, "db.response.returned_rows");
                same("rows", ours, Some(rows.to_string()))?;
            }
        }
    }
    // A subscription is answered by several replies, of which the truth counts the last.
    if !exchange.operation.ends_with("SUBSCRIBE") {
        let bytes = exchange.response.as_ref().map(|response| response.track.bytes);
        same("bytes", bytes, number(&answered["len"]))?;
    }
    Ok(())
}

fn memcached(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    let (asked, answered) = (&line["req"], &line["resp"]);
    let bytes =
        |message: &Option<wirewise_model::Message>| message.as_ref().map(|message| message.track.bytes);
    let binary = line["binary"] == true;
    if binary {
        for name in ["opcode", "opaque"] {
            let ours = attribute(exchange, &format!("memcache.{name}"));
            same(name, ours, number(&asked[name]).map(|number| number.to_string()))?;
        }
        same("target", &*exchange.target, word(asked, "key"))?;
        same("bytes asked", bytes(&exchange.request), number(&asked["len"]))?;
    } else {
        let command = word(asked, "command");
        let name = exchange.operation.split(' ').next().unwrap_or_default();
        // What is no command is not kept.
        if name != "?" || command != "bogus" {
            same("command", name, command)?;
        }
        let keys = asked["keys"].as_array().map_or(0, Vec::len);
        let has_key = !matches!(command, "stats" | "version" | "quit" | "mn" | "flush_all" | "bogus");
        if let Some(key) = asked["keys"][0].as_str().filter(|key| has_key && is_plain(key)) {
            same("target", &*exchange.target, key)?;
        }
        if keys > 1 {
            same("keys", attribute(exchange, "db.operation.batch.size"), Some(keys.to_string()))?;
        }
    }
    if !answered.is_object() {
        let silent = matches!(word(line, "why"), "noreply" | "quit" | "quiet");
        return same("one way", exchange.outcome == Outcome::OneWay, silent);
    }
    if binary {
        return same("status", exchange.status_code, answered["status"].as_i64());
    }
    same("bytes answered", bytes(&exchange.response), number(&answered["len"]))?;
    let status = word(line, "status");
    let is_number = status.bytes().all(|byte| byte.is_ascii_digit());
    same("status", exchange.status.as_deref(), Some(if is_number { "OK" } else { status }))?;
    same("an error", exchange.error.is_some(), status.ends_with("ERROR"))?;
    if status == "END" {
        let rows = attribute(exchange, "db.response.returned_rows");
        same("rows", rows, number(&answered["hits"]).map(|hits| hits.to_string()))?;
    }
    Ok(())
}

/// A call that cites the packets of this one. tshark's truth has the packet in which a PUBLISH is whole for its first
/// too, so not the duration is compared but where it ends, and that it does not begin later.
fn mqtt(heard: &Heard, line: &Value) -> Result<(), String> {
    let (asked, answered) = (number(&line["req"]["frame"]), number(&line["resp"]["frame"]));
    let is_it = |call: &&Call| match (asked, answered) {
        (Some(frame), _) => cites(&call.exchange.request, frame),
        (None, Some(frame)) => cites(&call.exchange.response, frame),
        (None, None) => false,
    };
    let ours = heard.calls.iter().filter(|call| call.exchange.protocol == "mqtt").filter(is_it);
    let mut verdicts: Vec<Result<(), String>> = ours.map(|call| mqtt_call(call, line)).collect();
    if verdicts.iter().any(Result::is_ok) {
        return Ok(());
    }
    verdicts.pop().unwrap_or_else(|| Err(format!("no mqtt call cites it ({})", word(&line["req"], "type"))))
}

fn mqtt_call(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    let (asked, answered) = (&line["req"], &line["resp"]);
    if asked.is_object() {
        packet(exchange, asked)?;
        for (key, name) in [("msgid", "mqtt.msgid"), ("version", "mqtt.ver")] {
            if let Some(theirs) = number(&asked[key]) {
                same(key, attribute(exchange, name), Some(theirs.to_string()))?;
            }
        }
        if let Some(client) = asked["client_id"].as_str().filter(|client| !client.is_empty()) {
            same("client", attribute(exchange, "messaging.client.id").as_deref(), Some(client))?;
        }
    }
    same("paired", exchange.request.is_some() && exchange.response.is_some(), line["paired"] == true)?;
    if !answered.is_object() {
        return same("answered", exchange.complete, false);
    }
    // tshark 4.0 tells no reason codes of version 5.
    if let Some(code) = answered["code"].as_i64() {
        same("code", exchange.status_code, Some(code))?;
        same("an error", exchange.error.is_some(), code > 2)?;
    }
    same("answered", exchange.complete && exchange.status.is_some(), true)?;
    let micros = |mark: wirewise_model::Mark| mark.at.nanos() as f64 / 1e3;
    if let (Some(response), Some(theirs)) = (&exchange.response, answered["time"].as_f64()) {
        let ours = micros(response.track.last);
        same("end of the answer", (ours - theirs * 1e6).abs() <= SLACK_US, true)?;
    }
    if let (Some(request), Some(theirs)) = (&exchange.request, asked["time"].as_f64()) {
        same("begin", micros(request.track.first) <= theirs * 1e6 + SLACK_US, true)?;
        if number(&asked["qos"]) != Some(2) {
            let ours = micros(request.track.last);
            same("end of the packet", (ours - theirs * 1e6).abs() <= SLACK_US, true)?;
        }
    }
    Ok(())
}

/// What one packet says, in calls and messages alike.
fn packet(exchange: &wirewise_model::Exchange, said: &Value) -> Result<(), String> {
    let kind = if said["type"] == "0" { "RESERVED" } else { word(said, "type") };
    same("packet", &*exchange.operation, kind)?;
    if let Some(topic) = said["topic"].as_str().filter(|topic| is_plain(topic)) {
        same("topic", &*exchange.target, topic)?;
    }
    if kind == "PUBLISH" {
        same("qos", attribute(exchange, "mqtt.qos"), number(&said["qos"]).map(|qos| qos.to_string()))?;
    }
    Ok(())
}

fn mqtt_message(call: &Call, line: &Value) -> Result<(), String> {
    packet(&call.exchange, line)?;
    let bytes = [&call.exchange.request, &call.exchange.response].into_iter().flatten();
    let bytes: u64 = bytes.map(|message| message.track.bytes).sum();
    let Some(len) = number(&line["len"]) else { return Ok(()) };
    // The fixed header has 2 to 5 bytes.
    same("length", (len + 2..=len + 5).contains(&bytes), true)
}

pub(crate) fn nats(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    let (asked, answered) = (&line["req"], &line["resp"]);
    nats_line(exchange, asked)?;
    if !answered.is_object() {
        return same("answered", exchange.response.is_some(), false);
    }
    let code = answered["status"].as_str().and_then(|status| status.parse::<i64>().ok());
    same("code", exchange.status_code, code)?;
    same("outcome", exchange.outcome == Outcome::Ok, code.is_none_or(|code| code < 400))
}

/// What one line says, in calls and messages alike.
fn nats_line(exchange: &wirewise_model::Exchange, said: &Value) -> Result<(), String> {
    let op = word(said, "op");
    // +OK and -ERR answer what a verbose client said.
    if !matches!(op, "+OK" | "-ERR") {
        same("operation", &*exchange.operation, op)?;
    }
    if let Some(subject) = said["subject"].as_str().filter(|subject| is_plain(subject)) {
        same("subject", &*exchange.target, subject)?;
    }
    for (key, name) in [("reply", "nats.reply_to"), ("sid", "nats.sid")] {
        if let Some(theirs) = said[key].as_str() {
            same(key, attribute(exchange, name).as_deref(), Some(theirs))?;
        }
    }
    if let (Some(size), Some(ours)) =
        (number(&said["size"]), attribute(exchange, "messaging.message.body.size"))
    {
        let headers = number(&said["hdr"]).unwrap_or(0);
        same("size", ours, (size - headers).to_string())?;
    }
    Ok(())
}

fn nats_message(call: &Call, line: &Value) -> Result<(), String> {
    if line["op"] == "-ERR" {
        let theirs = word(line, "error").trim_matches('\'');
        same("error", call.exchange.error.as_deref(), Some(theirs))?;
    }
    nats_line(&call.exchange, line)
}

fn published(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    same("outcome", exchange.outcome, Outcome::OneWay)?;
    same("operation", &*exchange.operation, word(line, "push"))?;
    let channel = match attribute(exchange, "messaging.destination.subscription.name") {
        Some(pattern) => pattern,
        None => exchange.target.clone(),
    };
    same("channel", &*channel, word(line, "channel"))
}

/// The protocols of this file.
const OURS: &[&str] = &["redis", "memcached", "mqtt", "nats"];

/// MQTT on a port that tshark was not told of, and behind packets that were not captured, where it says nothing.
const NOT_DECODED: &[&str] = &["mqtt/ndpi__coap_mqtt.pcap", "mqtt/df__mqtt__mqtt_roundtrip.pcap"];

/// What we make of these protocols beyond what the truth has of a capture. It is silent on what it could not read:
/// behind a gap, or after a `note`, more is not wrong.
#[test]
fn no_calls_are_made_that_the_truth_lacks() {
    let Some(captures) = corpus() else { return };
    let mut faults = Vec::new();
    for capture in captures {
        let truth = capture.truth();
        let heard = Heard::of(&capture.frames(), &Limits::default());
        for protocol in OURS {
            let known = truth.iter().filter(|line| line["proto"] == *protocol);
            let (known, noted) = known.fold((0, false), |(known, noted), line| match word(line, "k") {
                "note" => (known, true),
                _ => (known + 1, noted),
            });
            let made = heard.calls.iter().filter(|call| call.exchange.protocol == *protocol);
            let made = made.filter(|call| call.exchange.revision == 0).count();
            if made > known && !noted && !NOT_DECODED.contains(&&*capture.name) {
                faults.push(format!("{}: {made} {protocol} calls, tshark has {known}", capture.name));
            }
        }
    }
    assert!(faults.is_empty(), "calls that the truth lacks:\n{}", faults.join("\n"));
}
