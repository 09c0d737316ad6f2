//! One line of truth against what was heard.

use serde_json::Value;
use wirewise_model::{Call, Exchange, FlowSummary, Message, Outcome, SideCounters, Transport};

use crate::beginnings::Beginnings;
use crate::corpus::{Capture, Heard};
use crate::{access, amqp, databases, graphql, http2, kafka, keys, sctp, websocket};

/// tshark prints times as floating-point seconds: a microsecond either way.
pub(crate) const SLACK_US: f64 = 2.0;
/// Ports of tunnels: there the inner flow is reported.
const TUNNEL_PORTS: &[u64] = &[4789, 4790, 8472, 6081, 2152, 6635];

/// What came of one line of the truth.
pub(crate) struct Verdict {
    pub(crate) protocol: &'static str,
    /// The packet that names the line.
    pub(crate) packet: Option<u64>,
    /// What we have otherwise.
    pub(crate) fault: Option<String>,
}

/// Asks for every line of the truth whether we have it alike.
pub(crate) fn compare(
    capture: &Capture,
    heard: &Heard,
    truth: &[Value],
    beginnings: &mut Beginnings,
) -> Vec<Verdict> {
    let tunnelled = opens_tunnels(truth);
    let mutated = capture.name.starts_with("ugly_live/");
    let mut verdicts = Vec::new();
    for line in truth {
        // Of a mutated capture only what is whole from its stream's start, or can be entered in the middle,
        // is asked.
        if mutated && line["k"] == "call" && line["intact"] != true {
            continue;
        }
        if line["k"] == "call" && line["req"]["graphql"].is_object() && line["decrypted"] != true {
            let packet = number(&line["req"]["frame"]);
            verdicts.push(Verdict { protocol: "graphql", packet, fault: graphql::agrees(heard, line).err() });
        }
        let mut call = |protocol, own| {
            let known = number(&line["req"]["first"]).is_some();
            let whole = number(&line["req"]["frame"]).filter(|_| !known);
            let first = whole.and_then(|packet| beginnings.of(&capture.name, packet));
            compare_call(heard, &Asked { line, protocol, own, first })
        };
        let (protocol, verdict) = match (word(line, "k"), word(line, "proto")) {
            ("call", "http1") if line["decrypted"] != true => ("http1", call("http1", http)),
            ("call", "dns") => ("dns", call("dns", dns)),
            ("call", "icmp" | "icmpv6") => ("icmp", call("icmp", echo)),
            ("call", "kafka") => ("kafka", call("kafka", kafka::agrees)),
            ("call" | "msg", "amqp") if !mutated || line["intact"] == true => {
                ("amqp", amqp::agrees(heard, line))
            }
            ("call", "radius") => ("radius", call("radius", access::radius)),
            ("call", "diameter") => ("diameter", call("diameter", access::diameter)),
            ("call", "nats") => ("nats", call("nats", keys::nats)),
            (kind, proto @ ("redis" | "memcached" | "mqtt" | "nats")) => {
                match keys::compare(heard, line, kind, proto) {
                    Some(compared) => compared,
                    None => continue,
                }
            }
            ("call", "ldap" | "cldap") => ("ldap", call("ldap", access::ldap)),
            ("msg", "ldap") if line["intact"] != false => ("ldap", message(heard, line, "ldap")),
            ("call", "http2") if line["decrypted"] != true => ("http2", http2::agrees(heard, line, "http2")),
            ("call", "grpc") if line["decrypted"] != true => ("grpc", http2::agrees(heard, line, "grpc")),
            ("msg", "websocket")
                if !websocket::is_hidden(truth, line) && (!mutated || line["intact"] == true) =>
            {
                ("websocket", websocket::agrees(heard, line))
            }
            ("msg", "mdns") => ("mdns", message(heard, line, "mdns")),
            ("msg", "icmp" | "icmpv6") => ("icmp", message(heard, line, "icmp")),
            ("tls", _) if line["over"] == "tcp" && line["client_hello"].is_object() => {
                ("tls", tls(heard, line, "tls"))
            }
            ("tls", _) if line["over"] == "quic" && line["client_hello"].is_object() => {
                ("quic", tls(heard, line, "quic").and_then(|()| connection(heard, line, truth)))
            }
            ("flow", "tcp") => ("tcp flows", flow(heard, line, Transport::Tcp)),
            ("flow", "udp") if !(tunnelled && is_tunnel(line)) => {
                ("udp flows", flow(heard, line, Transport::Udp))
            }
            ("flow", "sctp") if sctp::is_asked(line) => ("sctp", sctp::agrees(heard, line, truth)),
            _ => match databases::compare(heard, line) {
                Some(verdict) => verdict,
                None => continue,
            },
        };
        let packet = number(&line["req"]["frame"])
            .or(number(&line["resp"]["frame"]))
            .or(number(&line["frame"]))
            .or(number(&line["first"]))
            .or(number(&line["client_hello"]["frame"]));
        verdicts.push(Verdict { protocol, packet, fault: verdict.err() });
    }
    verdicts
}

/// Whether tshark opened tunnels in this capture: of their flows the inner ones are asked for.
fn opens_tunnels(truth: &[Value]) -> bool {
    truth.iter().any(|line| {
        line["k"] == "summary" && line["tunnels"].as_object().is_some_and(|tunnels| !tunnels.is_empty())
    })
}

pub(crate) fn word<'a>(line: &'a Value, key: &str) -> &'a str {
    line[key].as_str().unwrap_or_default()
}

pub(crate) fn number(value: &Value) -> Option<u64> {
    value.as_u64()
}

fn is_tunnel(line: &Value) -> bool {
    ["client", "server"].iter().any(|end| {
        let port = word(line, end).rsplit(':').next().and_then(|port| port.parse::<u64>().ok());
        port.is_some_and(|port| TUNNEL_PORTS.contains(&port))
    })
}

pub(crate) fn cites(message: &Option<Message>, frame: u64) -> bool {
    message
        .as_ref()
        .is_some_and(|message| message.track.frames.numbers.iter().any(|number| number.0 == frame))
}

pub(crate) fn attribute(exchange: &Exchange, name: &str) -> Option<String> {
    exchange
        .attributes
        .iter()
        .find(|attribute| attribute.name == name)
        .map(|attribute| attribute.value.to_string())
}

pub(crate) fn same<T: PartialEq + std::fmt::Debug>(what: &str, ours: T, theirs: T) -> Result<(), String> {
    if ours == theirs { Ok(()) } else { Err(format!("{what} is {ours:?}, tshark says {theirs:?}")) }
}

/// The same for a protocol of which the truth tells where each message begins.
pub(crate) fn call(
    heard: &Heard,
    line: &Value,
    protocol: &'static str,
    own: fn(&Call, &Value) -> Result<(), String>,
) -> Result<(), String> {
    compare_call(heard, &Asked { line, protocol, own, first: None })
}

/// A call of the truth, and how it is compared.
struct Asked<'a> {
    line: &'a Value,
    protocol: &'static str,
    own: fn(&Call, &Value) -> Result<(), String>,
    /// The packet with its first byte, where the truth does not tell.
    first: Option<u64>,
}

/// A call that cites the packets of this one, with the checks that all protocols share, and its own.
fn compare_call(heard: &Heard, asked: &Asked<'_>) -> Result<(), String> {
    let line = asked.line;
    let (question, answer) = (number(&line["req"]["frame"]), number(&line["resp"]["frame"]));
    let candidates: Vec<&Call> = heard
        .calls
        .iter()
        .filter(|call| is_carried(&call.exchange, asked.protocol))
        .filter(|call| match (question, answer) {
            (Some(frame), _) => cites(&call.exchange.request, frame),
            (None, Some(frame)) => cites(&call.exchange.response, frame),
            (None, None) => false,
        })
        .collect();
    if candidates.is_empty() {
        let (protocol, method) = (asked.protocol, word(&line["req"], "method"));
        return Err(format!("no {protocol} call cites it ({method} {})", line["why"]));
    }
    let verdicts: Vec<Result<(), String>> = candidates
        .iter()
        .map(|call| shared(heard, call, asked).and_then(|()| (asked.own)(call, line)))
        .collect();
    match verdicts.iter().find(|verdict| verdict.is_ok()) {
        Some(_) => Ok(()),
        None => verdicts.into_iter().next().expect("there are candidates"),
    }
}

/// Whether it is an exchange of that protocol, whatever it was found to carry.
pub(crate) fn is_carried(exchange: &Exchange, protocol: &str) -> bool {
    exchange.protocol == protocol
        || (matches!(&*exchange.protocol, "graphql" | "genai" | "mcp")
            && exchange.carrier.as_deref() == Some(protocol))
}

fn shared(heard: &Heard, call: &Call, asked: &Asked<'_>) -> Result<(), String> {
    let (exchange, line) = (&call.exchange, asked.line);
    same("paired", exchange.request.is_some() && exchange.response.is_some(), line["paired"] == true)?;
    if line["paired"] != true {
        return Ok(());
    }
    if let Some(frame) = number(&line["resp"]["frame"])
        && !cites(&exchange.response, frame)
    {
        return Err(format!("the response does not cite packet {frame}"));
    }
    let time = |side: &str, key: &str| line[side][key].as_f64();
    let mut began = time("req", "first_time").or(time("req", "time"));
    if let Some(first) = asked.first {
        let ours = exchange.request.as_ref().map(|request| request.track.first.packet.0);
        same("first packet", ours, Some(first))?;
        began = heard.times.get(&first).map(|at| at.nanos() as f64 / 1e9);
    }
    let (Some(first), Some(last)) = (began, time("resp", "time")) else { return Ok(()) };
    let theirs = (last - first) * 1e6;
    let ours = exchange.took().map_or(-1.0, |took| took.as_secs_f64() * 1e6);
    if (ours - theirs).abs() > SLACK_US {
        return Err(format!("took {ours:.0} us, tshark says {theirs:.0}"));
    }
    Ok(())
}

fn http(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    if line["req"].is_object() {
        let carried = attribute(exchange, "http.request.method").filter(|_| exchange.protocol != "http1");
        let method = carried.as_deref().unwrap_or(&exchange.operation);
        same("method", method, word(&line["req"], "method"))?;
        let mut uri = word(&line["req"], "uri");
        if carried.is_some() {
            // What GraphQL asks in a URL is told without its literals, elsewhere.
            uri = uri.split_once('?').map_or(uri, |(path, _)| path);
        }
        if uri.is_ascii() && !uri.contains(['\\', '\u{fffd}']) && uri.len() < 400 {
            same("target", asked_for(exchange).as_str(), uri)?;
        }
        body("request body", &exchange.request, &line["req"])?;
    }
    if line["resp"].is_object() {
        same("status", exchange.status_code, line["resp"]["code"].as_i64())?;
        body("body", &exchange.response, &line["resp"])?;
    }
    Ok(())
}

/// Length of the decoded body. What was cut or reached a limit is not asked.
fn body(what: &str, message: &Option<Message>, line: &Value) -> Result<(), String> {
    let Some(theirs) = number(&line["body_len"]) else { return Ok(()) };
    let body = message.as_ref().and_then(|message| message.body.as_ref());
    let (ours, truncated) = body.map_or((0, false), |body| (body.decoded_bytes, body.truncated));
    if truncated && ours < theirs { Ok(()) } else { same(what, ours, theirs) }
}

/// The target as it stood in the request line: of absolute-form (RFC 9112, 3.2.2) scheme and authority are
/// told apart.
fn asked_for(exchange: &Exchange) -> String {
    match (attribute(exchange, "url.scheme"), &exchange.host) {
        (Some(scheme), Some(host)) => format!("{scheme}://{host}{}", exchange.target),
        _ => exchange.target.clone(),
    }
}

fn dns(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    if let Some(code) = line["resp"]["rcode"].as_i64() {
        // Extended codes add EDNS bits; the header's four are compared.
        same("rcode", exchange.status_code.map(|code| code & 15), Some(code))?;
    }
    let asked = word(if line["req"].is_object() { &line["req"] } else { &line["resp"] }, "qname");
    let plain = !asked.is_empty()
        && asked.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_'));
    if plain {
        same(
            "name",
            exchange.target.trim_end_matches('.').to_ascii_lowercase(),
            asked.trim_end_matches('.').to_ascii_lowercase(),
        )?;
    }
    Ok(())
}

fn echo(call: &Call, line: &Value) -> Result<(), String> {
    let answered = line["paired"] == true;
    same("outcome", call.exchange.outcome == Outcome::Ok, answered || call.exchange.outcome == Outcome::Ok)
}

/// A one-way message in this packet.
pub(crate) fn message(heard: &Heard, line: &Value, protocol: &str) -> Result<(), String> {
    let frame = number(&line["frame"]).ok_or("the truth names no packet")?;
    let found = heard.calls.iter().any(|call| {
        call.exchange.protocol == protocol
            && (cites(&call.exchange.request, frame) || cites(&call.exchange.response, frame))
    });
    if found {
        Ok(())
    } else {
        Err(format!("no {protocol} message cites it (type {} code {})", line["type"], line["code"]))
    }
}

fn tls(heard: &Heard, line: &Value, protocol: &str) -> Result<(), String> {
    let hello = &line["client_hello"];
    let frame = number(&hello["frame"]).ok_or("the truth names no packet")?;
    let call = heard
        .calls
        .iter()
        .find(|call| call.exchange.protocol == protocol && cites(&call.exchange.request, frame));
    let call = call.ok_or("no handshake cites it")?;
    let exchange = &call.exchange;
    same("server name", exchange.host.as_deref(), hello["sni"].as_str())?;
    for (name, key) in [("tls.client.ja3", "ja3"), ("tls.client.ja4", "ja4")] {
        if let Some(theirs) = hello[key].as_str() {
            same(key, attribute(exchange, name).as_deref(), Some(theirs))?;
        }
    }
    let answered = &line["server_hello"];
    same("answered", exchange.response.is_some(), answered.is_object() || exchange.response.is_some())?;
    if let Some(theirs) = answered["ja3s"].as_str() {
        same("ja3s", attribute(exchange, "tls.server.ja3s").as_deref(), Some(theirs))?;
    }
    Ok(())
}

/// What the truth says of the connection of QUIC around this handshake.
fn connection(heard: &Heard, line: &Value, truth: &[Value]) -> Result<(), String> {
    let around = |other: &&Value| other["k"] == "quic" && other["stream"] == line["stream"];
    let Some(theirs) = truth.iter().find(around) else { return Ok(()) };
    let frame = number(&line["client_hello"]["frame"]).ok_or("the truth names no packet")?;
    let call = heard
        .calls
        .iter()
        .find(|call| call.exchange.protocol == "quic" && cites(&call.exchange.request, frame));
    let exchange = &call.ok_or("no handshake cites it")?.exchange;
    let id = attribute(exchange, "quic.dcid");
    same("connection id", id.as_deref(), theirs["dcid"].as_str())?;
    same("first packet", exchange.first().map(|first| first.track.first.packet.0), number(&theirs["first"]))
}

fn flow(heard: &Heard, line: &Value, transport: Transport) -> Result<(), String> {
    let first = number(&line["first"]).ok_or("the truth names no packet")?;
    let (client, server) = (word(line, "client"), word(line, "server"));
    let text = |flow: &FlowSummary, client: bool| {
        let end = if client { flow.client } else { flow.server };
        format!("{}:{}", end.ip, end.port)
    };
    let ends = |flow: &&FlowSummary| {
        let (a, b) = (text(flow, true), text(flow, false));
        flow.transport == transport && ((a == client && b == server) || (a == server && b == client))
    };
    let candidates: Vec<&FlowSummary> = heard.flows.iter().filter(ends).collect();
    let found = candidates.iter().find(|flow| flow.first_packet.0 == first).or(candidates.first());
    let flow = found.ok_or_else(|| format!("no flow {client} -> {server}"))?;
    let oriented = text(flow, true) == client;
    let opened = line["syn"] == true || line["synack"] == true;
    if opened && transport == Transport::Tcp && !oriented {
        return Err("client and server are swapped".to_owned());
    }
    let theirs = |key: &str, side: usize| number(&line[key][side]).unwrap_or(0);
    // tshark never lets a datagram flow end, so ours between the same ends are taken together.
    let parts: Vec<&FlowSummary> = if transport == Transport::Tcp { vec![flow] } else { candidates.clone() };
    let sent = |by_client: bool, count: fn(&SideCounters) -> u64| -> u64 {
        let by = |flow: &&FlowSummary| {
            count(if (text(flow, true) == client) == by_client {
                &flow.client_sent
            } else {
                &flow.server_sent
            })
        };
        parts.iter().map(by).sum()
    };
    let packets = |sent: &SideCounters| sent.packets;
    let bytes = |sent: &SideCounters| sent.bytes;
    same("packets", (sent(true, packets), sent(false, packets)), (theirs("pkts", 0), theirs("pkts", 1)))?;
    same("bytes", (sent(true, bytes), sent(false, bytes)), (theirs("bytes", 0), theirs("bytes", 1)))?;
    if transport == Transport::Tcp {
        ended(flow, line)?;
    }
    Ok(())
}

/// How it ended: tshark counts FIN and RST segments.
fn ended(flow: &FlowSummary, line: &Value) -> Result<(), String> {
    use wirewise_model::FlowState::{Closed, MidStream, Open, Refused, Reset, TimedOut};
    let (fin, rst) = (number(&line["fin"]).unwrap_or(0), number(&line["rst"]).unwrap_or(0));
    let right = match flow.state {
        Closed => fin > 0,
        Reset | Refused => rst > 0,
        Open | TimedOut | MidStream => rst == 0 && fin < 2,
    };
    if right {
        Ok(())
    } else {
        Err(format!("ended as {}, tshark saw {fin} FIN and {rst} RST", flow.state.name()))
    }
}
