//! `cargo xtask fuzz`: libFuzzer on every target of `fuzz/`, with the corpus and the totals kept in the repository.
//!
//! Our own crates are compiled with coverage by the compiler's stable options (`fuzz/instrument`), with debug assertions and
//! overflow checks as in every build of this workspace. A find is written to `fuzz/cases/`, where it is a test from then on.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::place::{self, show_and_run};

/// Longest input.
const LONGEST: &str = "-max_len=16384";
/// What one allocation and the whole process may take, and how long one input may, in MiB and seconds.
const BOUNDS: [&str; 3] = ["-malloc_limit_mb=64", "-rss_limit_mb=1024", "-timeout=20"];

/// What was done for a target, in all.
#[derive(Clone, Copy, Debug, Default)]
struct Total {
    executions: u64,
    cpu_seconds: f64,
    edges: u64,
    inputs: u64,
    finds: u64,
}

const HEAD: &str = "target\texecutions\tcpu_minutes\tedges\tcorpus\tfinds";

pub(crate) fn fuzz(only: Option<&str>, seconds: u64) -> Result<()> {
    show_and_run(place::cargo().args(["build", "--package", "wirewise-fuzz", "--bin", "corpus"]))?;
    let instrument = place::root().join("fuzz/instrument");
    show_and_run(place::cargo().env("RUSTC_WORKSPACE_WRAPPER", instrument).args([
        "build",
        "--package",
        "wirewise-fuzz",
        "--bin",
        "guided",
        "--features",
        "libfuzzer",
    ]))?;
    let mut found = Vec::new();
    for target in targets()?.iter().filter(|target| only.is_none_or(|only| only == *target)) {
        let run = Run { target, work: place::target().join("fuzz").join(target) };
        let total = run.guided(seconds)?;
        if total.finds > 0 {
            found.push(target.clone());
        }
        add(target, total)?;
    }
    ensure!(found.is_empty(), "finds in {found:?}: they lie in fuzz/cases, where the tests replay them");
    Ok(())
}

fn tool() -> Command {
    Command::new(place::target().join("debug/corpus"))
}

fn targets() -> Result<Vec<String>> {
    let output = tool().arg("targets").output().context("list the targets")?;
    Ok(String::from_utf8(output.stdout)?.lines().map(str::to_owned).collect())
}

struct Run<'a> {
    target: &'a str,
    /// Where it works: outside of the repository.
    work: PathBuf,
}

impl Run<'_> {
    /// Spreads the corpus, lets libFuzzer go on with it, and keeps the smallest inputs that reach what it reached.
    fn guided(&self, seconds: u64) -> Result<Total> {
        let [corpus, merged, finds] = ["corpus", "merged", "finds"].map(|name| self.work.join(name));
        for folder in [&merged, &finds] {
            let _ = fs::remove_dir_all(folder);
            fs::create_dir_all(folder)?;
        }
        show_and_run(tool().args(["spread", self.target]).arg(&corpus))?;
        let limit = format!("-max_total_time={seconds}");
        let artifacts = format!("-artifact_prefix={}/", finds.display());
        let (said, cpu_seconds) =
            self.libfuzzer(&[&limit, "-print_final_stats=1", &artifacts], &[&corpus])?;
        let number = |before: &str| number_after(&said, before);
        let mut total = Total {
            executions: number("stat::number_of_executed_units:").unwrap_or_default(),
            cpu_seconds,
            edges: number("cov:").unwrap_or_default(),
            ..Total::default()
        };
        self.libfuzzer(&["-merge=1"], &[&merged, &corpus])?;
        let stored = tool().args(["store", self.target]).arg(&merged).output()?;
        total.inputs = String::from_utf8_lossy(&stored.stdout).trim().parse().context("store the corpus")?;
        let cases = place::root().join("fuzz/cases").join(self.target);
        for find in fs::read_dir(&finds)? {
            let find = find?;
            fs::create_dir_all(&cases)?;
            fs::copy(find.path(), cases.join(find.file_name()))?;
            total.finds += 1;
        }
        Ok(total)
    }

    /// What libFuzzer said, and the CPU seconds that it took. A find makes it fail; that is told by the file it wrote.
    fn libfuzzer(&self, options: &[&str], folders: &[&Path]) -> Result<(String, f64)> {
        let script = "TIMEFORMAT='cpu %U %S'; time \"$@\" 2>&1; true";
        let mut command = Command::new("bash");
        command.args(["-c", script, "bash"]).arg(place::target().join("debug/guided"));
        command.env("WIREWISE_FUZZ", self.target).arg(LONGEST).args(BOUNDS).args(options).args(folders);
        eprintln!("$ guided {} {}", self.target, options.join(" "));
        let output = command.stdin(Stdio::null()).output().context("run bash")?;
        let times = String::from_utf8_lossy(&output.stderr).into_owned();
        let line =
            times.lines().rev().find_map(|line| line.strip_prefix("cpu ")).context("bash told no time")?;
        let cpu = line.split_whitespace().filter_map(|part| part.parse::<f64>().ok()).sum();
        Ok((String::from_utf8_lossy(&output.stdout).into_owned(), cpu))
    }
}

/// The last number that stands behind these words.
fn number_after(text: &str, words: &str) -> Option<u64> {
    let rest = &text[text.rfind(words)? + words.len()..];
    let digits: String = rest.trim_start().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

fn totals_path() -> PathBuf {
    place::root().join("fuzz/totals.tsv")
}

/// Adds a run to the totals: executions, time and finds are sums, edges and corpus are those of the last.
fn add(target: &str, run: Total) -> Result<()> {
    let text = fs::read_to_string(totals_path()).unwrap_or_default();
    let mut totals: BTreeMap<String, Total> = text.lines().skip(1).filter_map(parse).collect();
    let total = totals.entry(target.to_owned()).or_default();
    total.executions += run.executions;
    total.cpu_seconds += run.cpu_seconds;
    total.finds += run.finds;
    (total.edges, total.inputs) = (run.edges.max(total.edges), run.inputs);
    let lines = totals.iter().map(|(target, total)| {
        let Total { executions, cpu_seconds, edges, inputs, finds } = total;
        format!("{target}\t{executions}\t{:.2}\t{edges}\t{inputs}\t{finds}\n", cpu_seconds / 60.0)
    });
    fs::write(totals_path(), format!("{HEAD}\n{}", lines.collect::<String>())).context("write the totals")
}

fn parse(line: &str) -> Option<(String, Total)> {
    let mut parts = line.split('\t');
    let target = parts.next()?.to_owned();
    let executions = parts.next()?.parse().ok()?;
    let cpu_seconds = parts.next()?.parse::<f64>().ok()? * 60.0;
    let mut rest = parts.filter_map(|part| part.parse().ok());
    let (edges, inputs, finds) = (rest.next()?, rest.next()?, rest.next()?);
    Some((target, Total { executions, cpu_seconds, edges, inputs, finds }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_figures_of_libfuzzer_are_read() {
        let said =
            "#2 INITED cov: 10 ft: 3\n#99 DONE cov: 1203 ft: 9\nstat::number_of_executed_units: 4711\n";
        assert_eq!(number_after(said, "cov:"), Some(1203));
        assert_eq!(number_after(said, "stat::number_of_executed_units:"), Some(4711));
        assert_eq!(number_after(said, "nothing:"), None);
    }
}
