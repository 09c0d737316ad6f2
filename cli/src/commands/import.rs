//! `wirewise import`: capture files become a data set.

use std::io::IsTerminal;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail};
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use wirewise_agent::{ImportOptions, ImportReport, ShipError, Sink};
use wirewise_capture::FileSource;
use wirewise_identity::NamesFile;
use wirewise_model::{Books, Ledger, Limits, Stage};
use wirewise_redact::{Batch, Open};

use super::runtime;
use crate::arguments::{Import, WrongUsage};
use crate::config::Config;
use crate::output;
use crate::reach::Reach;

/// The data set of live capture; no import may have its name.
const LIVE: &str = "live";
/// Names longer than this are cut.
const LONGEST_NAME: usize = 64;

pub(crate) fn run(config: &Config, import: Import) -> Result<()> {
    let imported = self::import(config, &import)?;
    output::document(config.format(), &imported.document(), &imported.told())
}

/// What an import did.
pub(crate) struct Imported {
    dataset: String,
    files: Vec<File>,
    ledger: Ledger,
    seconds: f64,
}

struct File {
    path: PathBuf,
    /// `None` where it was imported before.
    report: Option<ImportReport>,
}

/// Imports the files into the store that the configuration means.
pub(crate) fn import(config: &Config, import: &Import) -> Result<Imported> {
    config.dataset().map(check_name).transpose()?;
    let names = names(import.names.as_deref().or(config.file.names.as_deref()))?;
    let key = wirewise_agent::load_key(&wirewise_agent::key_path(None)?)?;
    // Files are opened before anything is made, so that a wrong name leaves nothing behind.
    let sources = import.files.iter().map(|path| FileSource::open(path)).collect::<Result<Vec<_>, _>>()?;
    let began = Instant::now();
    let runtime = runtime()?;
    let reach = runtime.block_on(Reach::to_write(config))?;
    let first = sources.first().context("a file is named")?.capture_id();
    let dataset = runtime.block_on(dataset(&reach, config.dataset(), &import.files[0], &first.0))?;
    let known = runtime.block_on(reach.captures_if_any(&dataset))?;
    let mut imported =
        Imported { dataset: dataset.clone(), files: Vec::new(), ledger: Ledger::default(), seconds: 0.0 };
    let mut sink = StoreSink {
        reach: reach.clone(),
        runtime: runtime.handle().clone(),
        stored: Books::new(Stage::Store),
    };
    for (path, source) in import.files.iter().zip(sources) {
        let id = source.capture_id();
        if known.iter().any(|capture| capture.id == id && capture.complete) {
            imported.files.push(File { path: path.clone(), report: None });
            continue;
        }
        let options = ImportOptions {
            dataset: dataset.clone(),
            names: names.clone(),
            limits: Limits::default(),
            key: key.clone(),
        };
        let bar = progress_bar(path);
        let report = wirewise_agent::import(path, source, &options, &mut sink, |progress| {
            bar.set_length(progress.total_bytes);
            bar.set_position(progress.bytes);
        });
        bar.finish_and_clear();
        let report = report.with_context(|| format!("import {}", path.display()))?;
        for books in &report.ledger.stages {
            imported.ledger.add(books);
        }
        imported.files.push(File { path: path.clone(), report: Some(report) });
    }
    imported.ledger.add(&sink.stored);
    runtime.block_on(reach.close());
    imported.seconds = began.elapsed().as_secs_f64();
    Ok(imported)
}

/// The names that the user gave.
pub(crate) fn names(path: Option<&Path>) -> Result<Option<NamesFile>> {
    let Some(path) = path else { return Ok(None) };
    let text =
        std::fs::read_to_string(path).with_context(|| format!("read names from {}", path.display()))?;
    let names = wirewise_identity::parse_names(&text)
        .with_context(|| format!("understand the names in {}", path.display()))?;
    Ok(Some(names))
}

/// Refuses what cannot name the data set of an import.
fn check_name(named: &str) -> Result<(), WrongUsage> {
    let plain = !named.is_empty()
        && named.len() <= LONGEST_NAME
        && named.bytes().all(is_plain)
        && !named.starts_with('.');
    if !plain {
        return Err(WrongUsage(format!(
            "`{named}` cannot name a data set: letters, digits, `.`, `_` and `-`, at most {LONGEST_NAME}"
        )));
    }
    if named == LIVE {
        return Err(WrongUsage(
            "`live` is the data set of live capture: give the import another name".to_owned(),
        ));
    }
    Ok(())
}

/// The data set that was named; else one after the first file, its own unless it holds that very file.
async fn dataset(reach: &Reach, named: Option<&str>, file: &Path, capture: &str) -> Result<String> {
    if let Some(named) = named {
        return Ok(named.to_owned());
    }
    let stem = stem(file);
    let known = reach.datasets(None).await?;
    for number in 1..10_000 {
        let name = if number == 1 { stem.clone() } else { format!("{stem}-{number}") };
        if name == LIVE {
            continue;
        }
        if !known.contains(&name) || reach.captures(&name).await?.iter().any(|known| known.id.0 == capture) {
            return Ok(name);
        }
    }
    bail!("there are 10,000 data sets called {stem}: give --dataset")
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-')
}

/// A file's name without its endings, in plain characters.
fn stem(file: &Path) -> String {
    let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut stem = name.as_str();
    for ending in [".gz", ".pcapng", ".pcap", ".cap"] {
        stem = stem.strip_suffix(ending).unwrap_or(stem);
    }
    let plain: String = stem
        .chars()
        .map(|char| if char.is_ascii() && is_plain(char as u8) { char } else { '_' })
        .take(LONGEST_NAME - 6)
        .collect();
    let plain = plain.trim_start_matches('.');
    if plain.is_empty() { "capture".to_owned() } else { plain.to_owned() }
}

fn progress_bar(path: &Path) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{msg} {bar:30} {bytes}/{total_bytes} {eta}")
        .expect("a constant template");
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    ProgressBar::new(0).with_style(style).with_message(output::printable(&name))
}

/// Hands batches to the store, each when it is safe.
struct StoreSink {
    reach: Reach,
    runtime: Handle,
    stored: Books,
}

impl Sink for StoreSink {
    fn ship(&mut self, batch: Batch) -> Result<(), ShipError> {
        let rows = (batch.calls.len() + batch.flows.len()) as u64;
        self.runtime.block_on(self.reach.append(batch)).map_err(|error| ShipError::Refused(error.into()))?;
        self.stored.take(rows);
        self.stored.pass(rows);
        Ok(())
    }

    fn overlay(&mut self, _open: Open) {}
}

impl Imported {
    fn reports(&self) -> impl Iterator<Item = &ImportReport> {
        self.files.iter().filter_map(|file| file.report.as_ref())
    }

    /// As `--format json` prints it.
    fn document(&self) -> Value {
        let file = |file: &File| match &file.report {
            Some(report) => json!({
                "path": file.path, "capture_id": report.capture.0, "frames": report.frames, "calls": report.calls,
                "flows": report.flows, "cut_frames": report.cut_frames, "warnings": report.warnings, "imported_before": false,
            }),
            None => json!({"path": file.path, "imported_before": true}),
        };
        json!({
            "dataset": self.dataset,
            "files": self.files.iter().map(file).collect::<Vec<_>>(),
            "calls": self.reports().map(|report| report.calls).sum::<u64>(),
            "flows": self.reports().map(|report| report.flows).sum::<u64>(),
            "ledger": self.ledger,
            "seconds": self.seconds,
        })
    }

    /// For people.
    fn told(&self) -> String {
        let mut text = String::new();
        for file in &self.files {
            let Some(report) = &file.report else {
                text.push_str(&format!("{}: imported before, nothing added\n", file.path.display()));
                continue;
            };
            text.push_str(&format!(
                "{}: {} frames, {} calls, {} flows\n",
                file.path.display(),
                report.frames,
                report.calls,
                report.flows
            ));
            for warning in &report.warnings {
                text.push_str(&format!("  warning: {warning}\n"));
            }
        }
        text.push_str(&format!("data set {}, {:.2} s\n", self.dataset, self.seconds));
        for books in &self.ledger.stages {
            text.push_str(&format!(
                "  {:8} {:>12} {} in, {:>12} out",
                books.stage.name(),
                books.taken_in,
                books.stage.unit().name(),
                books.passed_on
            ));
            for (reason, count) in &books.reasons {
                text.push_str(&format!(
                    "; {}{} {count}",
                    if reason.loss { "LOST " } else { "" },
                    reason.name
                ));
            }
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_data_set_is_called_after_its_file() {
        for (file, expect) in [
            ("/a/trace.pcap", "trace"),
            ("b.pcapng.gz", "b"),
            ("..", "capture"),
            (".pcap", "capture"),
            ("prod db (1).cap", "prod_db__1_"),
            ("h\u{f6}.pcap", "h_"),
        ] {
            assert_eq!(stem(Path::new(file)), expect, "{file}");
        }
    }
}
