//! NATS: nats-server, and nats-py: publications, requests with their replies, deliveries.

use std::collections::HashMap;

use wirewise_model::Call;

use crate::Scenario;
use crate::ground::{Ground, Need};
use crate::witness::{Pair, Rows};

const PORT: u16 = 4222;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "nats",
    protocols: &["nats"],
    needs: &[Need { program: "nats-server", package: "nats-server" }],
    serve,
    unasked,
    fields: &["tcp.payload"],
    pairs,
};

fn serve(ground: &Ground) {
    let mut server = ground.command("nats-server");
    server.args(["-a", "127.0.0.1", "-p", &PORT.to_string(), "--user", "shop", "--pass", "sesame"]);
    ground.start("nats-server", &mut server);
    ground.wait_tcp(PORT);
}

/// The server's greeting, and what nats-py subscribes to for its replies. Inboxes have random names: the requests in the
/// log are those to subjects.
fn unasked(call: &Call) -> bool {
    let exchange = &call.exchange;
    matches!(&*exchange.operation, "INFO" | "UNSUB" | "PONG")
        || exchange.target.starts_with("_INBOX.")
}

/// tshark 4.0 reads no NATS, so lines are read in the payloads that it gives: a request and the message that comes to its
/// inbox, a PING and its PONG, a CONNECT and its refusal.
fn pairs(rows: &Rows) -> Vec<Pair> {
    let mut requests: HashMap<String, u64> = HashMap::new();
    let mut pings: HashMap<(Option<u64>, bool), u64> = HashMap::new();
    let mut greetings: HashMap<Option<u64>, u64> = HashMap::new();
    let mut pairs = Vec::new();
    for row in rows.rows.iter().filter(|row| row.len > 0) {
        for line in row.text("tcp.payload").split("\r\n") {
            let words: Vec<&str> = line.split(' ').collect();
            let by_client = row.to == PORT;
            let pair = match (by_client, words.as_slice()) {
                (true, ["PUB", _, inbox, _] | ["HPUB", _, inbox, _, _]) => {
                    requests.insert((*inbox).to_owned(), row.number);
                    None
                }
                (false, ["MSG" | "HMSG", inbox, ..]) => requests.remove(*inbox),
                (true, ["CONNECT", ..]) => {
                    greetings.insert(row.stream, row.number);
                    None
                }
                (false, ["-ERR", ..]) => greetings.remove(&row.stream),
                (_, ["PING"]) => {
                    pings.insert((row.stream, by_client), row.number);
                    None
                }
                (_, ["PONG"]) => pings.remove(&(row.stream, !by_client)),
                _ => None,
            };
            pairs.extend(pair.map(|first| Pair { first, last: row.number }));
        }
    }
    pairs
}
