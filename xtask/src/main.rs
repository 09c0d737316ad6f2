//! The project's chores: `cargo xtask demo`, `test`, `bench`, `fuzz`, `tidy`, `new-dissector`.

mod bench;
mod fuzz;
mod install;
mod new_dissector;
mod place;
mod run;
mod test;
mod tidy;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Builds Wirewise and runs its demo: a small shop of real services with a fault in it.
    Demo {
        /// Installs what is missing without asking.
        #[arg(long)]
        yes: bool,
        /// Passed on to `wirewise demo`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Checks formatting, lints, layers and licences, and runs every test.
    Test {
        /// Installs what is missing without asking.
        #[arg(long)]
        yes: bool,
    },
    /// Runs a benchmark against a peer in the same run, and prints the ratio.
    Bench {
        /// Which one; none lists them.
        name: Option<String>,
        /// Transactions, rows or rounds, where the benchmark takes a number.
        #[arg(long)]
        count: Option<u64>,
    },
    /// Fuzzes by coverage: every protocol of the table, frames and records; keeps corpus, totals and finds in fuzz/.
    Fuzz {
        /// One protocol (or `frames`, `records`) alone.
        #[arg(long)]
        protocol: Option<String>,
        /// Seconds for each.
        #[arg(long, default_value_t = 60)]
        seconds: u64,
    },
    /// Checks that dependencies point down, that pure crates are pure, and that licences are permissive.
    Tidy,
    /// Makes the folder of a new protocol and its word in the table.
    NewDissector {
        /// Its name in the `protocol` column, in lower case.
        name: String,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().chore {
        Chore::Demo { yes, arguments } => run::demo(yes, &arguments),
        Chore::Test { yes } => test::test(yes),
        Chore::Bench { name, count } => bench::bench(name.as_deref(), count),
        Chore::Fuzz { protocol, seconds } => fuzz::fuzz(protocol.as_deref(), seconds),
        Chore::Tidy => tidy::tidy(),
        Chore::NewDissector { name } => new_dissector::new_dissector(&name),
    }
}
