//! HTTP/2 without TLS: hypercorn, and httpx with many streams at once.

use wirewise_model::Call;

use crate::Scenario;
use crate::ground::Ground;
use crate::witness::{Pair, Rows, STREAMS};

const PORT: u16 = 8080;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "http2",
    protocols: &["http2"],
    needs: &[],
    serve,
    unasked,
    fields: &STREAMS,
    pairs,
};

fn serve(ground: &Ground) {
    ground.start("hypercorn", ground.python("servers/http2_server.py").arg(PORT.to_string()));
    ground.wait_tcp(PORT);
}

fn unasked(_: &Call) -> bool {
    false
}

fn pairs(rows: &Rows) -> Vec<Pair> {
    rows.streams(PORT)
}
