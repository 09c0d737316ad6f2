//! GraphQL over HTTP/1 and HTTP/2: strawberry behind hypercorn, asked by gql and by httpx.

use wirewise_model::Call;

use crate::Scenario;
use crate::ground::Ground;
use crate::witness::{Pair, Rows};

const PORT: u16 = 8080;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "graphql",
    protocols: &["graphql"],
    needs: &[],
    serve,
    unasked,
    fields: &["http.request_in", "http2.streamid", "http2.type", "http2.flags"],
    pairs,
};

fn serve(ground: &Ground) {
    ground.start("hypercorn", ground.python("servers/graphql_server.py").arg(PORT.to_string()));
    ground.wait_tcp(PORT);
}

fn unasked(_: &Call) -> bool {
    false
}

fn pairs(rows: &Rows) -> Vec<Pair> {
    let mut pairs = rows.answered("http.request_in");
    pairs.extend(rows.streams(PORT));
    pairs
}
