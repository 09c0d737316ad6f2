//! What the product is measured by. `nab DIRECTORY` scores the rate detector on the Numenta Anomaly Benchmark;
//! `incidents` runs the scorer on streams of records in virtual time; `cost` says what it takes.

mod cost;
mod incidents;
mod nab;

use std::path::PathBuf;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// What the product is measured by.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    eval: Eval,
}

#[derive(Subcommand)]
enum Eval {
    /// The rate detector on the Numenta Anomaly Benchmark.
    Nab {
        /// Where its data, labels and profiles lie.
        directory: PathBuf,
    },
    /// Faults and quiet days of a shop, in virtual time.
    Incidents {
        /// Seeds a kind.
        #[arg(long, default_value_t = 20)]
        seeds: u64,
        /// Quiet days.
        #[arg(long, default_value_t = 30)]
        days: u64,
        /// Which seeds: those that parameters are chosen on, or those that are reported.
        #[arg(long, default_value = "report")]
        half: incidents::Half,
        /// Only this kind.
        #[arg(long)]
        kind: Option<String>,
        /// Shows each incident.
        #[arg(long)]
        verbose: bool,
    },
    /// Records a CPU second, and the size of the state, at 5,000 edges of 20 endpoints.
    Cost {
        /// Records.
        #[arg(long, default_value_t = 4_000_000)]
        records: u64,
    },
}

fn main() -> Result<()> {
    match Arguments::parse().eval {
        Eval::Nab { directory } => nab::run(&directory),
        Eval::Incidents { seeds, days, half, kind, verbose } => {
            incidents::run(&incidents::Plan { seeds, days, half, kind, verbose })
        }
        Eval::Cost { records } => {
            cost::run(records);
            Ok(())
        }
    }
}
