//! Live truth: real servers and real clients, in namespaces that the tests make, and what the packet path says of them
//! beside what the client wrote down itself.
//!
//! Of each protocol one scenario: its file says which server runs and how, a script in `clients` talks to it and keeps a
//! log of every call that it made, what came back and when ([`log`]); tcpdump keeps the packets; tshark reads the
//! same packets ([`witness`]). [`compare`] asks for every call of the log, with its status and within its times, for
//! nothing that nobody made, and for tshark's durations.
//!
//! Without root, a server or the clients' packages a scenario says `SKIPPED(..)`, and fails under `WIREWISE_REQUIRE=all`;
//! `cargo xtask test` then installs what is missing.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and prints its table")]

mod compare;
mod ground;
mod hearing;
mod log;
mod witness;

use ground::{Ground, Need};
use hearing::Hearing;
use log::Logged;
use wirewise_model::Call;
use witness::{Pair, Rows};

/// A protocol's server and client, and what is asked of their talk.
struct Scenario {
    /// Of the client's script and of this scenario's file.
    name: &'static str,
    /// Values of the `protocol` column whose calls are compared.
    protocols: &'static [&'static str],
    /// Programs that it runs, with the Debian package of each.
    needs: &'static [Need],
    /// Starts the servers and waits until they listen.
    serve: fn(&Ground),
    /// What the client's library or the server does unasked, so that no log of calls has it.
    unasked: fn(&Call) -> bool,
    /// Fields of tshark that tell the messages of this protocol.
    fields: &'static [&'static str],
    /// First and last packet of every call, as tshark's fields tell them.
    pairs: fn(&Rows) -> Vec<Pair>,
}

macro_rules! scenarios {
    ($($name:ident)*) => {
        $(mod $name;)*

        $(#[test]
        fn $name() {
            check(&$name::SCENARIO);
        })*
    };
}

scenarios! {
    amqp diameter graphql grpc http2 ldap mqtt mysql nats postgresql radius redis websocket
}

fn check(scenario: &Scenario) {
    let Some(ground) = Ground::new(scenario.name, scenario.needs) else { return };
    (scenario.serve)(&ground);
    let hearing = Hearing::begin(&ground);
    let logged = Logged::of(&ground, scenario.name);
    let heard = hearing.end(&ground);
    let rows = Rows::of(&ground, scenario.fields);
    let told = compare::compare(scenario, &logged, &heard, &rows);
    match told {
        Ok(summary) => println!("{:10} {summary}", scenario.name),
        Err(faults) => {
            let kept =
                std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.pcap", scenario.name));
            std::fs::copy(ground.path(hearing::FILE), &kept).unwrap();
            let (n_faults, faults) = (faults.len(), faults.join("\n"));
            panic!(
                "{}: {n_faults} faults; its packets are kept in {}:\n{faults}",
                scenario.name,
                kept.display()
            );
        }
    }
}
