//! What the truth says of associations of SCTP.
//!
//! tshark 4.0 numbers no association that it picks up in its middle, so that all of a file that it did not number are
//! one line of the truth: the ends are those of the first, the packets those of all. Ours are told apart by addresses
//! and ports.

use serde_json::Value;
use wirewise_model::Transport;

use crate::compare::{number, same, word};
use crate::corpus::Heard;

/// Whether a line names an association: of chunks inside of other packets it gives no ports.
pub(crate) fn is_asked(line: &Value) -> bool {
    ["client", "server"].iter().all(|end| !word(line, end).ends_with(":None"))
}

/// The association that begins the line, and the packets of all.
pub(crate) fn agrees(heard: &Heard, line: &Value, truth: &[Value]) -> Result<(), String> {
    let ours = || heard.flows.iter().filter(|flow| flow.transport == Transport::Sctp);
    let (client, server) = (word(line, "client"), word(line, "server"));
    let first = number(&line["first"]);
    let begins = |side: &str, other: &str| {
        ours().any(|flow| {
            let [a, b] = [flow.client, flow.server].map(|end| format!("{}:{}", end.ip, end.port));
            a == side && b == other && Some(flow.first_packet.0) == first
        })
    };
    if !begins(client, server) && !begins(server, client) {
        return Err(format!("no association {client} -> {server} begins there"));
    }
    let theirs = truth.iter().filter(|line| line["k"] == "flow" && line["proto"] == "sctp" && is_asked(line));
    let theirs: u64 = theirs.filter_map(|line| number(&line["pkts"])).sum();
    let ours: u64 = ours().map(|flow| flow.client_sent.packets + flow.server_sent.packets).sum();
    same("packets of all associations", ours, theirs)
}
