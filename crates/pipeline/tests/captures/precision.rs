//! Of what we made, what the truth has not.
//!
//! Each call of ours must meet a line of the truth of its own protocol that shares packets with it, and each
//! line is met once, by whoever shares most. The truth of mutated captures is made of calls alone: there no
//! flow and no handshake is asked for. Calls that say themselves that bytes of them were lost are not asked
//! (nothing is asserted past a gap); nor is a revision, which is its call once more.

use serde_json::Value;
use wirewise_model::{Call, Coverage, Transport};

use crate::compare::{cites, number, word};
use crate::corpus::Heard;

/// A call or flow that the truth has not.
pub(crate) struct Extra {
    pub(crate) packet: u64,
    pub(crate) fault: String,
}

/// By protocol: how many the truth knows, and those that it does not.
pub(crate) fn of(heard: &Heard, truth: &[Value]) -> Vec<(&'static str, usize, Vec<Extra>)> {
    let has_flows = truth.iter().any(|line| line["k"] == "flow");
    let calls = [
        "http1",
        "http2",
        "grpc",
        "websocket",
        "dns",
        "mdns",
        "icmp",
        "tls",
        "ldap",
        "radius",
        "diameter",
        "quic",
        "graphql",
    ]
    .map(|protocol| calls(heard, truth, protocol));
    let flows = [("tcp flows", Transport::Tcp), ("udp flows", Transport::Udp)]
        .map(|(name, transport)| flows(heard, truth, name, transport));
    let all = calls.into_iter().chain(flows);
    let asked = |name: &str| has_flows || !(name == "tls" || name == "quic" || name.ends_with("flows"));
    all.filter(|(name, known, extra)| asked(name) && *known + extra.len() > 0).collect()
}

fn calls(heard: &Heard, truth: &[Value], protocol: &'static str) -> (&'static str, usize, Vec<Extra>) {
    let mut lines: Vec<Vec<u64>> = truth.iter().filter(|line| is_of(line, protocol)).map(packets).collect();
    let mut extra = Vec::new();
    let mut known = 0;
    for call in &heard.calls {
        let exchange = &call.exchange;
        if exchange.protocol != protocol || exchange.revision > 0 || exchange.coverage == Coverage::Partial {
            continue;
        }
        let cited = |packet: u64| cites(&exchange.request, packet) || cites(&exchange.response, packet);
        let shared = |packets: &Vec<u64>| packets.iter().filter(|&&packet| cited(packet)).count();
        // The first of those that share most.
        let best = lines.iter().enumerate().rev().max_by_key(|(_, packets)| shared(packets));
        match best.filter(|(_, packets)| shared(packets) > 0).map(|(at, _)| at) {
            Some(at) => {
                lines.remove(at);
                known += 1;
            }
            None => extra.push(told(call)),
        }
    }
    (protocol, known, extra)
}

fn is_of(line: &Value, protocol: &str) -> bool {
    match (word(line, "k"), word(line, "proto")) {
        ("call", _) if protocol == "graphql" => line["req"]["graphql"].is_object(),
        ("call" | "msg", "icmpv6") => protocol == "icmp",
        ("call" | "msg", "cldap") => protocol == "ldap",
        ("call" | "msg", proto) => proto == protocol && line["decrypted"] != true,
        ("tls", _) if line["over"] == "quic" => protocol == "quic",
        ("tls", _) => protocol == "tls" && line["over"] == "tcp",
        _ => false,
    }
}

/// The packets that a line names.
fn packets(line: &Value) -> Vec<u64> {
    let ends = [&line["req"], &line["resp"], &line["client_hello"], &line["server_hello"]];
    let named = ends.into_iter().flat_map(|end| {
        let again = end["retrans_frames"].as_array().into_iter().flatten();
        [&end["frame"], &end["first"]].into_iter().chain(again)
    });
    named.chain([&line["frame"]]).filter_map(number).collect()
}

fn told(call: &Call) -> Extra {
    let exchange = &call.exchange;
    let packet = exchange.first().map_or(0, |message| message.track.first.packet.0);
    let (operation, target) = (&exchange.operation, exchange.target.chars().take(60).collect::<String>());
    let status = exchange.status.as_deref().unwrap_or("-");
    Extra { packet, fault: format!("not in the truth: {operation} {target} {status}") }
}

fn flows(
    heard: &Heard,
    truth: &[Value],
    name: &'static str,
    transport: Transport,
) -> (&'static str, usize, Vec<Extra>) {
    let proto = transport.name();
    let lines = truth.iter().filter(|line| line["k"] == "flow" && line["proto"] == proto);
    let known: Vec<[&str; 2]> = lines.map(|line| [word(line, "client"), word(line, "server")]).collect();
    let ours = heard.flows.iter().filter(|flow| flow.transport == transport);
    let (mut count, mut extra) = (0, Vec::new());
    for flow in ours {
        let ends = [flow.client, flow.server].map(|end| format!("{}:{}", end.ip, end.port));
        let is_known = known.iter().any(|[a, b]| ends == [*a, *b] || ends == [*b, *a]);
        if is_known {
            count += 1;
        } else {
            let fault = format!("not in the truth: {} -> {}", ends[0], ends[1]);
            extra.push(Extra { packet: flow.first_packet.0, fault });
        }
    }
    (name, count, extra)
}
