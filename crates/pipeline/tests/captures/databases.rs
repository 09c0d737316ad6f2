//! Databases: what a line of truth says of a call, and what is not asked of it.

use serde_json::Value;
use wirewise_model::{Call, Coverage, Limits, Outcome};

use crate::compare::{SLACK_US, attribute, call, cites, message, number, same, word};
use crate::corpus::{Heard, corpus};
use crate::kafka::made_up;

/// What is compared here.
pub(crate) const PROTOCOLS: &[&str] = &["postgres", "mysql", "mongodb", "cql"];

/// Calls that are there, and that tshark 4.0 does not know.
const UNKNOWN_TO_TSHARK: &[(&str, &str)] = &[
    // native_protocol_v5.spec, version: it is 5 in requests and 0x85 in responses; tshark reads 3 and 4.
    ("cql/ndpi__cassandra.pcap", "options  (ok)"),
    ("cql/ndpi__cassandra.pcap", "startup  (unknown)"),
    // PostgreSQL documentation, SSL Session Encryption: SSLRequest, answered by S; tshark goes by the port.
    ("postgres/ndpi__pgsql2.pcapng", "ssl_request  (ok)"),
];

/// Compares a line; `None` where it asks for nothing that the wire says.
pub(crate) fn compare(heard: &Heard, line: &Value) -> Option<(&'static str, Result<(), String>)> {
    if word(line, "k") == "msg" && line["frame"].is_null() {
        // Of a mutated capture: it is not in the file.
        return None;
    }
    match (word(line, "k"), word(line, "proto")) {
        ("call", "postgres") => postgresql(heard, line).map(|verdict| ("postgres", verdict)),
        ("msg", "postgres") => Some(("postgres", message(heard, line, "postgres"))),
        // Not a command: bytes of a password.
        ("call", "mysql") if word(&line["req"], "command").parse().is_ok_and(|code: u8| code > 32) => None,
        ("call", "mysql") => Some(("mysql", mysql(heard, line))),
        ("msg", "mysql") => Some(("mysql", message(heard, line, "mysql"))),
        ("call", "mongodb") => Some(("mongodb", call(heard, line, "mongodb", mongodb))),
        ("call", "cql") => Some(("cql", call(heard, line, "cql", cql))),
        _ => None,
    }
}

/// First byte of the request to last byte of the answer. The truth's own answer ends with its first packet.
fn took(heard: &Heard, call: &Call, line: &Value) -> Result<(), String> {
    let Some(last) = number(&line["resp"]["last_frame"]).and_then(|frame| heard.times.get(&frame)) else {
        return Ok(());
    };
    let Some(first) = line["req"]["first_time"].as_f64().or(line["req"]["time"].as_f64()) else {
        return Ok(());
    };
    let theirs = (last.nanos() as f64 / 1e9 - first) * 1e6;
    let ours = call.exchange.took().map_or(-1.0, |took| took.as_secs_f64() * 1e6);
    if (ours - theirs).abs() > SLACK_US {
        return Err(format!("took {ours:.0} us, tshark says {theirs:.0}"));
    }
    Ok(())
}

/// The calls of a protocol whose request or answer cites the line's packets.
fn find<'a>(heard: &'a Heard, line: &Value, protocol: &str) -> Vec<&'a Call> {
    let (asked, answered) = (number(&line["req"]["frame"]), number(&line["resp"]["frame"]));
    let fits = |call: &&Call| match (asked, answered) {
        (Some(frame), None) => cites(&call.exchange.request, frame),
        (Some(frame), Some(answer)) => {
            cites(&call.exchange.request, frame) && cites(&call.exchange.response, answer)
        }
        (None, Some(answer)) => cites(&call.exchange.response, answer),
        (None, None) => false,
    };
    heard.calls.iter().filter(|call| call.exchange.protocol == protocol).filter(fits).collect()
}

/// The first verdict that is right, else the first.
fn best(candidates: &[&Call], judge: impl Fn(&Call) -> Result<(), String>) -> Result<(), String> {
    let mut verdicts = candidates.iter().map(|call| judge(call));
    let first = verdicts.next().unwrap_or_else(|| Err("no call cites it".to_owned()));
    if first.is_ok() || verdicts.any(|verdict| verdict.is_ok()) { Ok(()) } else { first }
}

fn postgresql(heard: &Heard, line: &Value) -> Option<Result<(), String>> {
    let types: Vec<&str> = line["req"]["types"].as_array()?.iter().filter_map(Value::as_str).collect();
    // Flush asks for no answer and begins nothing ("Flush ... does not cause any specific output to be generated",
    // documentation, 55.2.3); that to encrypt by GSSAPI is answered by one byte, which tshark does not show; what it
    // calls unknown is unknown. The data of a COPY belongs to it, and not to the query behind it (55.2.6).
    let ahead = |kind: &&str| {
        ["Flush", "Copy data", "Copy completion", "GSS encrypt request", "Unknown"].contains(kind)
    };
    if types.iter().all(ahead) {
        return None;
    }
    let mut line = line.clone();
    let led = types.first().is_some_and(ahead);
    if led {
        // The call begins later; only its end is known.
        line["req"]["frame"] = line["req"]["sync_frame"].clone();
    }
    // Of a mutated capture: its last packet is not in the file.
    let cut = line["resp"].get("last_frame").is_some_and(Value::is_null);
    let candidates = find(heard, &line, "postgres");
    Some(best(&candidates, |call| {
        let exchange = &call.exchange;
        let paired = line["paired"] == true;
        same("paired", exchange.request.is_some() && exchange.response.is_some(), paired)?;
        if !paired {
            return Ok(());
        }
        if cut {
            return Ok(());
        }
        if let Some(last) = number(&line["resp"]["last_frame"])
            && !cites(&exchange.response, last)
        {
            return Err(format!("the answer does not cite packet {last}"));
        }
        if !led {
            took(heard, call, &line)?;
        }
        if line["req"]["startup"] == true {
            same("operation", exchange.operation.as_str(), "startup")?;
        }
        let queries: Vec<&str> =
            line["req"]["queries"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        if let [query] = queries[..] {
            let verb = query.split(|letter: char| !letter.is_alphabetic()).next().unwrap_or_default();
            let theirs = verb.to_uppercase();
            let executed = types.iter().any(|kind| ["Execute", "Simple query"].contains(kind));
            let understood = line["resp"]["errors"][0] != "42601";
            if executed && understood && !theirs.is_empty() && theirs != "WITH" && !query.contains(';') {
                same("operation", exchange.operation.as_str(), theirs.as_str())?;
            }
        }
        let errors: Vec<&str> =
            line["resp"]["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        match errors.first() {
            Some(code) => {
                same("SQLSTATE", exchange.status.as_deref(), Some(*code))?;
                let failed = matches!(exchange.outcome, Outcome::ClientError | Outcome::ServerError);
                same("failed", failed, true)?;
            }
            // Cut off before the server was ready.
            None if line["resp"]["types"]["Ready for query"].is_null() => {}
            None => same("outcome", exchange.outcome, Outcome::Ok)?,
        }
        let rows = number(&line["resp"]["rows"]).unwrap_or(0);
        let tags = line["resp"]["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
        let selected = tags.filter(|tag| tag.starts_with("SELECT ")).count();
        if selected > 0 {
            same("rows", attribute(exchange, "db.response.returned_rows"), Some(rows.to_string()))?;
        }
        Ok(())
    }))
}

fn mysql(heard: &Heard, line: &Value) -> Result<(), String> {
    let command = word(&line["req"], "command");
    let candidates = find(heard, line, "mysql");
    let cut = line["resp"].get("last_frame").is_some_and(Value::is_null);
    best(&candidates, |call| {
        let exchange = &call.exchange;
        let paired = line["paired"] == true;
        // Of the full exchange of caching_sha2_password tshark takes the encrypted password for a command, and has
        // no answer for the login ("sha256_password and caching_sha2_password", Protocol::AuthMoreData).
        let encrypted =
            attribute(exchange, "mysql.client_auth_plugin").as_deref() == Some("caching_sha2_password");
        if !(command == "login" && encrypted && !paired) {
            same("paired", exchange.request.is_some() && exchange.response.is_some(), paired)?;
        }
        match command {
            // Not a login: the client asks to go on encrypted.
            "login" if exchange.operation == "ssl_request" => same("answered", paired, false)?,
            "login" => {
                same("operation", exchange.operation.as_str(), "login")?;
                same(
                    "schema",
                    attribute(exchange, "db.namespace").as_deref(),
                    line["req"]["schema"].as_str().filter(|schema| !schema.is_empty()),
                )?;
            }
            // Of a compressed frame tshark takes the wrong byte.
            "0" => {}
            command => {
                same("command", attribute(exchange, "mysql.command").as_deref(), Some(command))?;
                let verb = word(&line["req"], "query").split(|letter: char| !letter.is_alphabetic()).next();
                if command == "query" && verb.is_some_and(|verb| !verb.is_empty()) {
                    let theirs = verb.map(str::to_uppercase);
                    // What is no statement has no verb.
                    if line["resp"]["error_code"] != 1064 {
                        same("operation", Some(exchange.operation.clone()), theirs)?;
                    }
                }
            }
        }
        if !paired || cut {
            return Ok(());
        }
        if let Some(last) = number(&line["resp"]["last_frame"])
            && !cites(&exchange.response, last)
        {
            return Err(format!("the answer does not cite packet {last}"));
        }
        // Of a command over several segments the truth has only the last ("14 reassembled segments: #161 ...").
        let long = exchange.request.as_ref().is_some_and(|request| request.track.frames.numbers.len() > 1);
        if !(long && line["req"]["first"].is_null()) {
            took(heard, call, line)?;
        }
        match line["resp"]["error_code"].as_i64() {
            Some(code) => {
                same("error code", exchange.status_code, Some(code))?;
                let failed = matches!(exchange.outcome, Outcome::ClientError | Outcome::ServerError);
                same("failed", failed, true)?;
            }
            // Its end, which tells, was cut off by a snap length.
            None if exchange.coverage == Coverage::Partial => {}
            None => same("outcome", exchange.outcome, Outcome::Ok)?,
        }
        Ok(())
    })
}

fn mongodb(call: &Call, line: &Value) -> Result<(), String> {
    // Of a command in an OP_QUERY tshark names the first field of the document as well.
    same("command", call.exchange.operation.as_str(), word(&line["req"], "command"))?;
    if word(&line["resp"], "command") != "ok" {
        // A reply that begins with `ok` may be an error; the others are what was asked for.
        same("outcome", call.exchange.outcome, Outcome::Ok)?;
    }
    Ok(())
}

fn cql(call: &Call, line: &Value) -> Result<(), String> {
    let operation = match number(&line["req"]["opcode"]) {
        Some(1) => "startup",
        Some(5) => "options",
        opcode => return Err(format!("opcode {opcode:?} has no name here")),
    };
    same("operation", call.exchange.operation.as_str(), operation)?;
    if line["paired"] == true {
        same("outcome", call.exchange.outcome, Outcome::Ok)?;
    }
    Ok(())
}

#[test]
fn no_call_of_a_database_is_made_up() {
    let Some(captures) = corpus() else { return };
    let mut found = Vec::new();
    for capture in captures.iter().filter(|capture| !capture.is_advisory()) {
        let (heard, truth) = (Heard::of(&capture.frames(), &Limits::default()), capture.truth());
        for protocol in PROTOCOLS {
            let mut extra = made_up(&heard, &truth, protocol);
            extra.retain(|call| !UNKNOWN_TO_TSHARK.contains(&(&capture.name, call)));
            found.extend(extra.into_iter().map(|call| format!("{}: {protocol} {call}", capture.name)));
        }
    }
    assert!(found.is_empty(), "{} calls that tshark has not:\n{}", found.len(), found.join("\n"));
}
