//! Redis: redis-server, and redis-py in RESP2 and RESP3.

use wirewise_model::Call;

use crate::Scenario;
use crate::ground::{Ground, Need};
use crate::witness::{Pair, Rows};

const PORT: u16 = 6379;

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "redis",
    protocols: &["redis"],
    needs: &[Need { program: "redis-server", package: "redis-server" }],
    serve,
    unasked,
    fields: &["tcp.payload"],
    pairs,
};

fn serve(ground: &Ground) {
    let mut server = ground.command("redis-server");
    server.args(["--port", &PORT.to_string(), "--bind", "127.0.0.1", "--save", "", "--requirepass", "sesame"]);
    ground.start("redis-server", &mut server);
    ground.wait_tcp(PORT);
}

/// redis-py greets each connection with its name and version.
fn unasked(call: &Call) -> bool {
    matches!(&*call.exchange.operation, "CLIENT SETINFO" | "CLIENT MAINT_NOTIFICATIONS" | "HELLO" | "AUTH")
}

/// tshark 4.0 reads no RESP3, so commands are counted in the payloads that it gives: arrays, none of which holds another.
/// What was published answers nothing.
fn pairs(rows: &Rows) -> Vec<Pair> {
    rows.turns(
        PORT,
        |row| {
            let counts = |line: &&str| line.strip_prefix('*').is_some_and(|rest| rest.parse::<u32>().is_ok());
            row.text("tcp.payload").split("\r\n").filter(counts).count()
        },
        |row| !row.text("tcp.payload").contains("$7\r\nmessage\r\n"),
    )
}
