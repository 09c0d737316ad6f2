//! WebSocket: the server and the client of `websockets`, with and without compression.

use wirewise_model::Call;

use crate::Scenario;
use crate::ground::Ground;
use crate::witness::{Pair, Rows};

const PORT: u16 = 8765;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "websocket",
    protocols: &["websocket", "http1"],
    needs: &[],
    serve,
    unasked,
    fields: &["http.request.method", "http.response.code", "websocket.opcode", "websocket.payload"],
    pairs,
};

fn serve(ground: &Ground) {
    ground.start("websockets", ground.python("servers/websocket_server.py").arg(PORT.to_string()));
    ground.wait_tcp(PORT);
}

fn unasked(_: &Call) -> bool {
    false
}

/// The exchange of HTTP that begins each session, and each ping with the next pong. Messages have no answer.
fn pairs(rows: &Rows) -> Vec<Pair> {
    let mut pairs = rows.turns(PORT, |row| usize::from(row.has("http.request.method")), |row| row.has("http.response.code"));
    let mut open = std::collections::BTreeMap::new();
    for row in &rows.rows {
        for opcode in row.all("websocket.opcode") {
            let by_client = row.to == PORT;
            match opcode.as_str() {
                "9" => {
                    open.insert((row.stream, by_client), row.begins);
                }
                "10" => {
                    let first = open.remove(&(row.stream, !by_client));
                    pairs.extend(first.map(|first| Pair { first, last: row.number }));
                }
                _ => {}
            }
        }
    }
    pairs
}
