//! `bench store`: rows of 1 KB into the synced store, then eight questions of its files beside DuckDB over the same.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};

use crate::{install, place};

const COUNT: u64 = 2_000_000;
/// Runs of a question, of which the median counts; both engines run on one thread, files and footers warm.
const RUNS: &str = "9";
/// Rows that a CPU second shall store.
const GOAL_ROWS: f64 = 200_000.0;
/// How much of DuckDB's CPU ours may take, as geometric mean and at worst.
const GOAL_MEAN: f64 = 1.5;
const GOAL_WORST: f64 = 3.0;
/// The calls are of six hours from 04:00 on.
const QUARTER: &str = "started_at >= '2026-11-24T06:00:00Z' AND started_at < '2026-11-24T06:15:00Z'";
const SIX_HOURS: &str = "started_at >= '2026-11-24T04:00:00Z' AND started_at < '2026-11-24T10:00:00Z'";

/// What people ask, in words that both engines understand. `trace` is the id of a trace that exists.
fn questions(trace: &str) -> Vec<(&'static str, String)> {
    let p99 = |window: &str| {
        format!(
            "SELECT endpoint, count(*) AS n, percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ms) AS p99 FROM calls WHERE {window} GROUP BY endpoint ORDER BY n DESC, endpoint"
        )
    };
    let substring = |window: &str| {
        format!(
            "SELECT count(*) AS n, min(call_id) AS first FROM payloads WHERE {window} AND body LIKE '%card_declined%'"
        )
    };
    vec![
        ("p99 by endpoint, 15 min", p99(QUARTER)),
        ("p99 by endpoint, 6 h", p99(SIX_HOURS)),
        (
            "5xx by edge, 6 h",
            format!(
                "SELECT client_workload, server_workload, count(*) AS n FROM calls WHERE {SIX_HOURS} AND status_code >= 500 GROUP BY client_workload, server_workload ORDER BY n DESC, client_workload, server_workload"
            ),
        ),
        (
            "1-minute buckets, one service",
            format!(
                "SELECT date_trunc('minute', started_at) AS minute, count(*) AS n, avg(duration_ms) AS mean FROM calls WHERE {SIX_HOURS} AND server_workload = 'svc-7' GROUP BY 1 ORDER BY 1"
            ),
        ),
        (
            "distinct callers",
            format!(
                "SELECT count(DISTINCT client_workload) AS n FROM calls WHERE {SIX_HOURS} AND server_workload = 'svc-7'"
            ),
        ),
        (
            "one trace id",
            format!(
                "SELECT call_id, server_workload, endpoint FROM calls WHERE trace_id = '{trace}' ORDER BY call_id"
            ),
        ),
        ("substring in payload, 15 min", substring(QUARTER)),
        ("substring in payload, 6 h", substring(SIX_HOURS)),
    ]
}

pub(crate) fn store(count: Option<u64>) -> Result<()> {
    let count = count.unwrap_or(COUNT);
    let python = install::python_with("python", &["duckdb"])?;
    place::show_and_run(place::cargo().args([
        "build",
        "--package",
        "wirewise-store",
        "--example",
        "bench_store",
    ]))?;
    let ours = place::target().join("debug/examples/bench_store");
    let home = place::tools().join(format!("bench/store-{}", std::process::id()));
    std::fs::create_dir_all(&home)?;
    let compared = compare(&ours, &python, &home, count);
    let removed = std::fs::remove_dir_all(&home);
    compared?;
    Ok(removed?)
}

fn compare(ours: &Path, python: &Path, home: &Path, count: u64) -> Result<()> {
    let data = home.join("data");
    let written = output(Command::new(ours).arg("write").arg(&data).arg(count.to_string()))?;
    let trace = field(&written, "trace")?.trim_matches('"').to_owned();
    let number = |name: &str| -> Result<f64> { Ok(field(&written, name)?.parse()?) };
    ensure!(number("stored")? as u64 == count, "{written} is not all of {count} rows");

    let mut lines = String::new();
    for (name, sql) in questions(&trace) {
        writeln!(lines, "{name}\t{sql}")?;
    }
    let (asked, answers, script) = (home.join("questions"), home.join("answers"), home.join("store.py"));
    std::fs::write(&asked, lines)?;
    std::fs::write(&script, include_str!("store.py"))?;
    std::fs::write(&answers, output(Command::new(ours).arg("query").arg(&data).arg(&asked).arg(RUNS))?)?;
    let table = output(Command::new(python).arg(&script).arg(&data).arg(&asked).arg(&answers).arg(RUNS))?;

    let (cpu, merged) = (number("cpu_seconds")?, number("cpu_seconds_merged")?);
    println!("store: {count} calls of {:.0} bytes, two payloads each, synced", number("row_bytes")?);
    println!(
        "  append    {cpu:8.2} CPU s   {:9.0} rows a CPU second (goal {GOAL_ROWS:.0}); {:.0} with merging; {:.1} s of wall time",
        count as f64 / cpu,
        count as f64 / merged,
        number("seconds")?
    );
    println!("  on disk   {:8.1} bytes a call", number("file_bytes")? / count as f64);
    println!(
        "  {:30} {:>9} {:>9} {:>6} {:>6}",
        "CPU ms of one thread", "wirewise", "duckdb", "ratio", "rows"
    );
    let (mut logs, mut worst, mut different) = (0.0, 0.0f64, Vec::new());
    let mut n_questions = 0;
    for line in table.lines() {
        let cells: Vec<&str> = line.split('\t').collect();
        let [name, mine, theirs, rows, verdict] = cells.as_slice() else {
            bail!("not a line of a table: {line}")
        };
        let (mine, theirs): (f64, f64) = (mine.parse()?, theirs.parse()?);
        let ratio = mine / theirs;
        logs += ratio.ln();
        worst = worst.max(ratio);
        n_questions += 1;
        println!("  {name:30} {mine:9.1} {theirs:9.1} {ratio:6.2} {rows:>6}");
        if *verdict != "same" {
            different.push(format!("{name}: {verdict}"));
        }
    }
    ensure!(n_questions == questions("").len(), "only {n_questions} answers of DuckDB");
    println!(
        "  geometric mean {:.2} (goal {GOAL_MEAN}), worst {worst:.2} (goal {GOAL_WORST})",
        (logs / n_questions as f64).exp()
    );
    ensure!(different.is_empty(), "the answers differ: {}", different.join("; "));
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command.stderr(Stdio::inherit()).output().with_context(|| format!("run {command:?}"))?;
    ensure!(output.status.success(), "{command:?} failed: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

/// A field of one flat JSON object, as text.
fn field<'a>(object: &'a str, name: &str) -> Result<&'a str> {
    let (_, rest) =
        object.split_once(&format!("\"{name}\":")).with_context(|| format!("no {name} in {object}"))?;
    Ok(rest[..rest.find([',', '}']).unwrap_or(rest.len())].trim())
}
