//! PostgreSQL: the server of Debian, and psycopg (libpq) with simple and extended queries, COPY, pipelines.

use wirewise_model::Call;

use crate::Scenario;
use crate::ground::{Ground, Need};
use crate::witness::{Pair, Rows};

const PORT: u16 = 5432;
const USER: &str = "postgres";

pub(crate) const SCENARIO: Scenario = Scenario {
    name: "postgresql",
    protocols: &["postgres"],
    needs: &[
        Need { program: "initdb", package: "postgresql" },
        Need { program: "postgres", package: "postgresql" },
    ],
    serve,
    unasked,
    fields: &["pgsql.frontend", "pgsql.type"],
    pairs,
};

fn serve(ground: &Ground) {
    let data = ground.folder("data", Some(USER));
    let password = ground.file("password", "sesame");
    let mut init = ground.command_as(USER, "initdb");
    init.args(["-D", &data, "--no-sync", "-A", "scram-sha-256", "-U", USER, "--pwfile", &password]);
    ground.run(&mut init);
    let mut server = ground.command_as(USER, "postgres");
    server.args(["-D", &data, "-p", &PORT.to_string(), "-k", &data, "-c", "fsync=off", "-c", "jit=off"]);
    server.args(["-c", "listen_addresses=127.0.0.1"]);
    ground.start("postgres", &mut server);
    ground.wait_said("postgres", "ready to accept connections");
}

/// libpq asks for TLS first, and goes on without.
fn unasked(call: &Call) -> bool {
    matches!(&*call.exchange.operation, "ssl_request" | "terminate")
}

/// A call begins with what is no proof of who asks, and ends with the last message before the next begins: one waits
/// for the other, but in COPY.
fn pairs(rows: &Rows) -> Vec<Pair> {
    let follows = ["SASLInitialResponse message", "SASLResponse message", "Copy data", "Copy completion"];
    let begins = |kind: &String| !follows.contains(&&**kind) && kind != "Termination";
    rows.turns(PORT, |row| usize::from(row.all("pgsql.type").first().is_some_and(begins)), |_| true)
}
