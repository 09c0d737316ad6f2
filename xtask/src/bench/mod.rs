//! `cargo xtask bench NAME`: ours against a peer, in the same run, in CPU seconds.

mod cpu;
mod dissect;
mod import;
mod score;
mod shapes;
mod store;
mod traffic;
mod truth;

use anyhow::{Result, bail};

/// A benchmark: its name, what it compares, and how it runs with a count of its own or the caller's.
struct Bench {
    name: &'static str,
    about: &'static str,
    run: fn(Option<u64>) -> Result<()>,
}

const BENCHES: &[Bench] = &[
    Bench {
        name: "dissect",
        about: "1,000,000 transactions a protocol through the packet path, beside tshark; memory of idle flows",
        run: dissect::dissect,
    },
    Bench {
        name: "incidents",
        about: "faults of a shop in virtual time, and 30 quiet days: what is found, how soon, how rightly",
        run: score::incidents,
    },
    Bench { name: "nab", about: "the rate detector on the Numenta Anomaly Benchmark", run: score::nab },
    Bench {
        name: "score",
        about: "records a CPU second through the scorer, and its memory, at 100,000 endpoints",
        run: score::cost,
    },
    Bench {
        name: "import",
        about: "a capture of 1,000,000 HTTP/1 transactions into the store, beside tshark",
        run: import::import,
    },
    Bench {
        name: "shapes",
        about: "10,000,000 calls through the table of shapes, and the words of errors beside Drain3; draws docs/shapes.svg",
        run: shapes::shapes,
    },
    Bench {
        name: "store",
        about: "2,000,000 calls into the synced store, and eight questions of them, beside DuckDB",
        run: store::store,
    },
    Bench { name: "truth", about: "agreement with tshark on real captures, by protocol", run: truth::truth },
];

pub(crate) fn bench(name: Option<&str>, count: Option<u64>) -> Result<()> {
    let Some(name) = name else {
        for bench in BENCHES {
            println!("{:10} {}", bench.name, bench.about);
        }
        return Ok(());
    };
    match BENCHES.iter().find(|bench| bench.name == name) {
        Some(bench) => (bench.run)(count),
        None => {
            let names: Vec<&str> = BENCHES.iter().map(|bench| bench.name).collect();
            bail!("no benchmark is called {name}; there are: {}", names.join(", "))
        }
    }
}
