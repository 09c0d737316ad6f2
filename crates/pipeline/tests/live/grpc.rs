//! gRPC: grpcio's server and client, unary and the three streamings.

use wirewise_model::Call;

use crate::Scenario;
use crate::ground::Ground;
use crate::witness::{Pair, Rows, STREAMS};

const PORT: u16 = 50051;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "grpc",
    protocols: &["grpc"],
    needs: &[],
    serve,
    unasked,
    fields: &STREAMS,
    pairs,
};

fn serve(ground: &Ground) {
    ground.start("grpc", ground.python("servers/grpc_server.py").arg(PORT.to_string()));
    ground.wait_tcp(PORT);
}

fn unasked(_: &Call) -> bool {
    false
}

fn pairs(rows: &Rows) -> Vec<Pair> {
    rows.streams(PORT)
}
