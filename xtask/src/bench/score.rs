//! `bench nab`, `bench incidents`, `bench score`: the scorer's evals, run as they are. The first two write what they
//! found into docs/scoring.md, whatever it is.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::place;

pub(crate) fn nab(_count: Option<u64>) -> Result<()> {
    let data = place::root().parent().map(|beside| beside.join("shared/nab")).filter(|path| path.is_dir());
    let data = data.context("the benchmark's data does not lie beside this checkout (shared/nab)")?;
    let told = eval(Command::new(program()?).arg("nab").arg(data))?;
    document("nab", &told)
}

/// `count` is the number of seeds a kind.
pub(crate) fn incidents(count: Option<u64>) -> Result<()> {
    let mut command = Command::new(program()?);
    command.arg("incidents").args(["--half", "report"]);
    if let Some(seeds) = count {
        command.args(["--seeds", &seeds.to_string()]);
    }
    let told = eval(&mut command)?;
    // Fewer seeds are a look, not a result.
    if count.is_none() { document("incidents", &told) } else { Ok(()) }
}

/// `count` is the number of records.
pub(crate) fn cost(count: Option<u64>) -> Result<()> {
    let mut command = Command::new(program()?);
    command.arg("cost");
    if let Some(records) = count {
        command.args(["--records", &records.to_string()]);
    }
    let told = eval(&mut command)?;
    if count.is_none() { document("cost", &told) } else { Ok(()) }
}

fn program() -> Result<PathBuf> {
    place::show_and_run(place::cargo().args(["build", "--package", "wirewise-evals"]))?;
    Ok(place::target().join("debug/wirewise-evals"))
}

fn eval(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    print!("{told}");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
    ensure!(output.status.success(), "the eval failed: {}", output.status);
    Ok(told)
}

/// Puts what was told between the marks of that name.
fn document(name: &str, told: &str) -> Result<()> {
    let path = place::root().join("docs/scoring.md");
    let text = fs::read_to_string(&path).with_context(|| format!("read {}", path.display()))?;
    let (begin, end) = (format!("<!-- {name} -->\n"), format!("<!-- end of {name} -->"));
    let (before, rest) =
        text.split_once(&begin).with_context(|| format!("no place for {name} in the document"))?;
    let (_, after) = rest.split_once(&end).with_context(|| format!("no end of {name} in the document"))?;
    fs::write(&path, format!("{before}{begin}```text\n{told}```\n{end}{after}"))?;
    println!("Wrote {}.", path.display());
    Ok(())
}
