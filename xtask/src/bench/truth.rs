//! `bench truth`: the table of agreement with tshark, by protocol, and docs/protocols.md made of it and of what each
//! dissector says of itself. The comparison is a test of the pipeline.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result, ensure};

use crate::place;

const HEAD: &str = "\
# Protocols

Made by `cargo xtask bench truth` from what each dissector says of itself and from the comparison below; change those,
and make it anew.

What a flow speaks is found by its bytes; ports are a hint. Every protocol survives gaps and says how. Calls carry their
packets' numbers, so that each can be opened beside its source.

## Agreement with tshark

On real captures, outside of the folders in which several readings are right (fuzzed, truncated and malformed ones).
*Asked* is what tshark's truth asserts, *alike* what is told alike in every field that is compared, *disputed* where
the protocol's own specification says otherwise (`crates/pipeline/tests/captures/disputed.rs` has each with file,
packet and the specification's words). *Ours* are calls of ours, *extra* those that tshark does not know. Where one
call of ours is several lines of the truth, or one line several flows, nothing is counted here; a check of the
protocol's own says that no more is made than is there: packet by packet for Kafka, AMQP and the databases, by the
number of calls in a file for Redis, Memcached, MQTT and NATS, by the packets of all associations for SCTP.

Thirteen protocols are also heard live, between real servers and clients in network namespaces of their own, and held
against the clients' own logs: every call with its status, none longer than the client's own, durations equal to
tshark's within 0.1 ms (`crates/pipeline/tests/live`). And every capture is replayed with packets lost, swapped and
doubled: what was whole is still found, and what is invented is counted (`crates/pipeline/tests/captures/losses.rs`).

| protocol | asked | alike | disputed | recall % | ours | extra | disputed | precision % | files |
|---|---|---|---|---|---|---|---|---|---|
";

pub(crate) fn truth(_count: Option<u64>) -> Result<()> {
    place::captures().context("there are no real captures beside the project to compare on")?;
    let output = place::cargo()
        .args([
            "test",
            "--quiet",
            "--workspace",
            "--test",
            "captures",
            "agrees_with_tshark",
            "--",
            "--nocapture",
        ])
        .output()
        .context("run the comparison")?;
    let told = String::from_utf8_lossy(&output.stdout);
    print!("{told}");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "the comparison failed: {}", output.status);
    let path = place::root().join("docs/protocols.md");
    fs::create_dir_all(path.parent().expect("it lies in docs"))?;
    fs::write(&path, document(&told)?)?;
    println!("Wrote {}.", path.display());
    Ok(())
}

fn document(told: &str) -> Result<String> {
    let mut text = HEAD.to_owned();
    let rows = told.lines().skip_while(|line| !line.starts_with("protocol ")).skip(1);
    let mut n_rows = 0;
    for line in rows.take_while(|line| !line.starts_with("advisory")) {
        let (name, figures) = line.split_at_checked(10).context("a row has no name")?;
        let mut figures: Vec<&str> = figures.split_whitespace().filter(|word| *word != "|").collect();
        if let [_, _, _, _, ours @ "0", _, _, precision, _] = figures.as_mut_slice() {
            (*ours, *precision) = ("-", "own check");
        }
        let _ = writeln!(text, "| {} | {} |", name.trim(), figures.join(" | "));
        n_rows += 1;
    }
    ensure!(n_rows > 0, "the comparison printed no table");
    let source = place::root().join("crates/dissect/src");
    let table = fs::read_to_string(source.join("table.rs"))?;
    let mut folders: Vec<&str> = table
        .lines()
        .filter_map(|line| line.trim().strip_prefix('&')?.strip_suffix(',')?.split_once("::"))
        .map(|(folder, _)| folder)
        .collect();
    folders.sort_unstable();
    folders.dedup();
    for folder in folders {
        let module = fs::read_to_string(source.join(folder).join("mod.rs"))
            .with_context(|| format!("read what {folder} says of itself"))?;
        let _ = writeln!(text, "\n## {folder}\n");
        for line in module.lines().map_while(|line| line.strip_prefix("//!")) {
            text.push_str(&line.strip_prefix(' ').unwrap_or(line).replace("[`", "`").replace("`]", "`"));
            text.push('\n');
        }
        text.truncate(text.trim_end().len());
        text.push('\n');
    }
    Ok(text)
}
