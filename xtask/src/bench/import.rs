//! `bench import`: a capture of small HTTP/1 transactions into the store, beside tshark reading the same file.

use anyhow::{Context, Result, ensure};

use super::{cpu, traffic};
use crate::place;

const COUNT: u64 = 1_000_000;
const RUNS: usize = 3;
/// What is asked for: so many times tshark's speed.
const GOAL: f64 = 5.0;

pub(crate) fn import(count: Option<u64>) -> Result<()> {
    let count = count.unwrap_or(COUNT);
    let wirewise = place::wirewise()?;
    let wirewise = wirewise.to_str().context("the build's path is UTF-8")?;
    let tshark =
        place::find_program("tshark").context("tshark is missing: it is the peer (Debian package tshark)")?;
    let tshark = tshark.to_str().context("tshark's path is UTF-8")?;
    let directory = place::tools().join("bench");
    let capture = traffic::http1(&directory, count)?;
    let capture = capture.to_str().context("the capture's path is UTF-8")?;
    let data = directory.join(format!("data-{}", std::process::id()));
    let data_text = data.to_str().context("the data's path is UTF-8")?;
    let theirs = cpu::seconds(
        tshark,
        &[
            "-n",
            "-r",
            capture,
            "-Y",
            "http",
            "-T",
            "fields",
            "-e",
            "http.request.method",
            "-e",
            "http.response.code",
        ],
    )?;
    let mut ours = Vec::new();
    for _ in 0..RUNS {
        let _ = std::fs::remove_dir_all(&data);
        ours.push(cpu::seconds(wirewise, &["--data", data_text, "import", capture])?);
    }
    let stored = std::process::Command::new(wirewise)
        .args([
            "--data",
            data_text,
            "-o",
            "csv",
            "query",
            "SELECT count(*) AS calls FROM calls WHERE protocol = 'http1' AND status_code BETWEEN 200 AND 503",
        ])
        .output()?;
    let stored = String::from_utf8_lossy(&stored.stdout)
        .lines()
        .last()
        .and_then(|line| line.trim().parse::<u64>().ok());
    let _ = std::fs::remove_dir_all(&data);
    ensure!(stored == Some(count), "{stored:?} of {count} transactions are in the store");
    ours.sort_by(f64::total_cmp);
    let median = ours[ours.len() / 2];
    println!("import: {count} HTTP/1 transactions, capture to synced store");
    println!(
        "  wirewise  {median:8.2} CPU s   {:9.0} transactions a CPU second   (runs: {ours:.2?})",
        count as f64 / median
    );
    println!("  tshark    {theirs:8.2} CPU s   {:9.0} transactions a CPU second", count as f64 / theirs);
    println!("  ratio     {:8.2} (goal {GOAL})", theirs / median);
    Ok(())
}
