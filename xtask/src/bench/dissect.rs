//! `bench dissect`: transactions a CPU second through the packet path alone, protocol by protocol, beside tshark
//! reading the same file in the same run; and the memory that a million idle flows take.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use super::{cpu, traffic};
use crate::place;

const COUNT: u64 = 1_000_000;
const RUNS: usize = 3;
/// Megabytes that a million idle flows may take, each after one exchange.
const IDLE_GOAL_MB: u64 = 500;

/// One protocol's race.
struct Race {
    /// As our `protocol` column says it.
    protocol: &'static str,
    generate: fn(&Path, u64) -> Result<PathBuf>,
    /// tshark's display filter and the fields that it prints.
    filter: &'static str,
    fields: &'static [&'static str],
    /// So many times tshark's speed are asked for.
    ratio: f64,
    /// Transactions a CPU second that are aimed at on a quiet core.
    absolute: f64,
}

const RACES: &[Race] = &[
    Race {
        protocol: "http1",
        generate: traffic::http1,
        filter: "http",
        fields: &["http.request.method", "http.response.code"],
        ratio: 15.0,
        absolute: 150_000.0,
    },
    Race {
        protocol: "http2",
        generate: traffic::http2,
        filter: "http2",
        fields: &["http2.headers.method", "http2.headers.status"],
        ratio: 10.0,
        absolute: 60_000.0,
    },
    Race {
        protocol: "grpc",
        generate: traffic::grpc,
        filter: "http2",
        fields: &["http2.headers.path", "http2.header.value"],
        ratio: 10.0,
        absolute: 60_000.0,
    },
    Race {
        protocol: "dns",
        generate: traffic::dns,
        filter: "dns",
        fields: &["dns.qry.name", "dns.flags.rcode"],
        ratio: 10.0,
        absolute: 300_000.0,
    },
    Race {
        protocol: "redis",
        generate: traffic::redis,
        filter: "resp",
        fields: &["resp.bulk_string.value", "resp.string"],
        ratio: 10.0,
        absolute: 300_000.0,
    },
];

pub(crate) fn dissect(count: Option<u64>) -> Result<()> {
    let count = count.unwrap_or(COUNT);
    let program = example()?;
    let tshark =
        place::find_program("tshark").context("tshark is missing: it is the peer (Debian package tshark)")?;
    let tshark = tshark.to_str().context("tshark's path is UTF-8")?;
    let directory = place::tools().join("bench");
    println!("dissect: {count} transactions a protocol, one core, no store");
    for race in RACES {
        let capture = (race.generate)(&directory, count)?;
        let capture = capture.to_str().context("the capture's path is UTF-8")?;
        let found = run(&program, capture)?;
        let heard = figure(&found, race.protocol).unwrap_or(0);
        if heard == 0 {
            println!("  {:6} is not dissected yet", race.protocol);
            continue;
        }
        ensure!(heard == count, "{heard} of {count} transactions of {} were found:\n{found}", race.protocol);
        let mut arguments = vec!["-n", "-r", capture, "-Y", race.filter, "-T", "fields"];
        arguments.extend(race.fields.iter().flat_map(|field| ["-e", field]));
        let theirs = cpu::seconds(tshark, &arguments)?;
        let path = program.to_str().context("the build's path is UTF-8")?;
        let mut ours = (0..RUNS).map(|_| cpu::seconds(path, &[capture])).collect::<Result<Vec<_>>>()?;
        ours.sort_by(f64::total_cmp);
        let median = ours[ours.len() / 2];
        println!(
            "  {:6} {:9.0} a CPU second (goal {:.0}), tshark {:7.0}; ratio {:6.1} (goal {})",
            race.protocol,
            count as f64 / median,
            race.absolute,
            count as f64 / theirs,
            theirs / median,
            race.ratio
        );
    }
    idle(&program, &directory, count)
}

/// So many connections, each open and idle after one HTTP exchange.
fn idle(program: &Path, directory: &Path, count: u64) -> Result<()> {
    let capture = traffic::idle(directory, count)?;
    let found = run(program, capture.to_str().context("the capture's path is UTF-8")?)?;
    let tracked = figure(&found, "flows_tracked").unwrap_or(0);
    ensure!(tracked == count, "{tracked} of {count} idle flows are tracked:\n{found}");
    let megabytes = figure(&found, "peak_kb").unwrap_or(0) / 1000;
    println!(
        "  {count} idle flows after one HTTP exchange: {megabytes} MB (goal {IDLE_GOAL_MB} for 1,000,000)"
    );
    Ok(())
}

fn example() -> Result<PathBuf> {
    place::show_and_run(place::cargo().args([
        "build",
        "--package",
        "wirewise-pipeline",
        "--example",
        "dissect",
    ]))?;
    Ok(place::target().join("debug/examples/dissect"))
}

fn run(program: &Path, capture: &str) -> Result<String> {
    let output =
        Command::new(program).arg(capture).output().with_context(|| format!("run {}", program.display()))?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn figure(found: &str, name: &str) -> Option<u64> {
    found.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok())
}
