//! HTTP/2 and gRPC against their truth.

use serde_json::Value;
use wirewise_model::{Call, Exchange, Outcome};

use crate::compare::{SLACK_US, attribute, cites, is_carried, number, same, word};
use crate::corpus::Heard;

/// The call that the line is about: streams are told apart by their numbers, since one packet may bring several.
pub(crate) fn agrees(heard: &Heard, line: &Value, name: &str) -> Result<(), String> {
    let (asked, answered) = (number(&line["req"]["frame"]), number(&line["resp"]["frame"]));
    let stream = number(&line["stream_id"]).map(|stream| stream.to_string());
    let calls = heard.calls.iter().filter(|call| {
        let exchange = &call.exchange;
        is_carried(exchange, name)
            && attribute(exchange, "http2.streamid") == stream
            && (asked.is_some_and(|frame| cites(&exchange.request, frame))
                || (asked.is_none() && answered.is_some_and(|frame| cites(&exchange.response, frame))))
    });
    let verdicts: Vec<Result<(), String>> = calls.map(|call| agree(call, line)).collect();
    match verdicts.len() {
        0 => Err(format!("no {name} call cites it ({} {})", word(&line["req"], "path"), line["why"])),
        1 => verdicts.into_iter().next().expect("there is one"),
        several => Err(format!("{several} calls are made of it")),
    }
}

/// What we say of what stood in a table that was not heard.
const UNKNOWN: &str = "{unknown}";

/// Whether fields may be unknown: the truth of a flow that is entered in the middle was made of the whole one, and a
/// header block speaks of earlier ones (RFC 7541, 2.2).
fn hidden(exchange: &Exchange, line: &Value) -> bool {
    line["clean_prefix"] == false && exchange.notes.iter().any(|note| note.0 == "hpack_unknown")
}

fn agree(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    let (asked, answered) = (&line["req"], &line["resp"]);
    same("paired", exchange.request.is_some() && exchange.response.is_some(), line["paired"] == true)?;
    let path = word(asked, if asked["h2c_upgrade"] == true { "uri" } else { "path" });
    let known = !path.is_empty();
    let method = attribute(exchange, "http.request.method");
    let path = match path.split_once('?') {
        // What GraphQL asks in a URL is told without its literals, elsewhere.
        Some((path, _)) if method.is_some() => path,
        _ => path,
    };
    let hidden = hidden(exchange, line);
    if !(hidden && exchange.target == UNKNOWN) {
        same("target", exchange.target.as_str(), if known { path } else { UNKNOWN })?;
    }
    let method = method.as_deref().unwrap_or(&exchange.operation);
    if let Some(theirs) = asked["method"]
        .as_str()
        .filter(|_| line["proto"] == "http2" && known && !(hidden && method == UNKNOWN))
    {
        same("method", method, theirs)?;
    }
    if let Some(authority) = asked["authority"].as_str().filter(|_| !(hidden && exchange.host.is_none())) {
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        same("host", exchange.host.as_deref(), Some(host))?;
    }
    same(
        "data asked",
        exchange.request.as_ref().and_then(|request| request.body.as_ref()).map_or(0, |body| body.wire_bytes),
        number(&asked["data_len"]).unwrap_or(0),
    )?;
    if answered.is_object() {
        same(
            "data answered",
            exchange
                .response
                .as_ref()
                .and_then(|response| response.body.as_ref())
                .map_or(0, |body| body.wire_bytes),
            number(&answered["data_len"]).unwrap_or(0),
        )?;
        durations(call, line)?;
        let code = match line["proto"] == "grpc" {
            true => attribute(exchange, "http.response.status_code").and_then(|code| code.parse().ok()),
            false => exchange.status_code,
        };
        same("status", code, answered["code"].as_i64())?;
    }
    let reset = line["rst"].is_object() && !answered["end_frame"].is_u64();
    if reset {
        same("outcome of a reset", exchange.outcome, Outcome::Aborted)?;
        same(
            "error",
            attribute(exchange, "http2.rst_stream.error"),
            number(&line["rst"]["error"]).map(|code| code.to_string()),
        )?;
    }
    match &line["grpc"] {
        Value::Object(_) => grpc(call, &line["grpc"]),
        _ => Ok(()),
    }
}

/// To the first and to the last byte of the response.
fn durations(call: &Call, line: &Value) -> Result<(), String> {
    let time = |side: &str, key: &str| line[side][key].as_f64();
    let Some(from) = time("req", "first_time").or(time("req", "time")) else { return Ok(()) };
    let ends = [
        (
            "first byte",
            time("resp", "first_time").or(time("resp", "time")),
            call.exchange.time_to_first_byte(),
        ),
        ("last byte", time("resp", "end_time"), call.exchange.took()),
    ];
    for (what, theirs, ours) in ends {
        let Some(theirs) = theirs.map(|to| (to - from) * 1e6) else { continue };
        let ours = ours.map_or(-1.0, |ours| ours.as_secs_f64() * 1e6);
        if (ours - theirs).abs() > SLACK_US {
            return Err(format!("{what} after {ours:.0} us, tshark says {theirs:.0}"));
        }
    }
    for (message, key) in [(&call.exchange.request, "req"), (&call.exchange.response, "resp")] {
        if let Some(frame) = number(&line[key]["end_frame"]).filter(|&frame| !cites(message, frame)) {
            return Err(format!("the {key} does not cite packet {frame}, which ends it"));
        }
    }
    Ok(())
}

fn grpc(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    same("method", exchange.operation.as_str(), word(line, "method"))?;
    same("service", attribute(exchange, "rpc.service").as_deref(), line["service"].as_str())?;
    let status = number(&line["status"]).map(|status| status.to_string());
    same("grpc-status", attribute(exchange, "rpc.grpc.status_code"), status.clone())?;
    if status.is_some() {
        same("status", exchange.status.clone(), status)?;
    }
    if let Some(message) = line["message"].as_str().filter(|message| !message.is_empty()) {
        same("grpc-message", exchange.error.as_deref(), Some(message))?;
    }
    for (key, messages, compressed) in [
        ("req", "grpc.request.messages", "grpc.request.compressed_messages"),
        ("resp", "grpc.response.messages", "grpc.response.compressed_messages"),
    ] {
        let count = |name: &str| attribute(exchange, name).unwrap_or_else(|| "0".into());
        let theirs = |name: &str| number(&line[key][name]).unwrap_or(0).to_string();
        same(messages, count(messages), theirs("messages"))?;
        same(compressed, count(compressed), theirs("compressed"))?;
    }
    Ok(())
}
