//! Rows and documents, printed for people or programs.

use std::io::{self, Write};

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::arguments::Format;

/// One row, by column.
pub(crate) type Row = Map<String, Value>;

/// Columns wider than this are cut for people.
const WIDEST: usize = 60;
/// Rows that are lined up at a time.
const MOST_LINED_UP: usize = 2_000;

/// Whether an error is that nobody reads our output any more.
pub(crate) fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.chain().any(|cause| {
        cause.downcast_ref::<io::Error>().is_some_and(|cause| cause.kind() == io::ErrorKind::BrokenPipe)
    })
}

/// Prints one line for people.
pub(crate) fn say(line: &str) -> Result<()> {
    Ok(writeln!(io::stdout().lock(), "{line}")?)
}

/// Prints a document as text or JSON.
pub(crate) fn document(format: Format, value: &Value, text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match format {
        Format::Text | Format::Csv => writeln!(out, "{}", printable(text).trim_end())?,
        Format::Json => writeln!(out, "{}", serde_json::to_string_pretty(value)?)?,
        Format::Jsonl => writeln!(out, "{value}")?,
    }
    Ok(())
}

/// Prints rows as they come.
pub(crate) struct Rows {
    format: Format,
    columns: Vec<String>,
    waiting: Vec<Row>,
    printed: u64,
    out: io::BufWriter<io::Stdout>,
}

impl Rows {
    pub(crate) fn new(format: Format, columns: Vec<String>) -> Self {
        Self { format, columns, waiting: Vec::new(), printed: 0, out: io::BufWriter::new(io::stdout()) }
    }

    pub(crate) fn push(&mut self, row: Row) -> Result<()> {
        if self.columns.is_empty() {
            self.columns = row.keys().cloned().collect();
        }
        match self.format {
            Format::Text => {
                self.waiting.push(row);
                if self.waiting.len() >= MOST_LINED_UP {
                    self.line_up()?;
                }
                return Ok(());
            }
            Format::Json => {
                self.out.write_all(if self.printed == 0 { b"[\n" } else { b",\n" })?;
                serde_json::to_writer(&mut self.out, &row)?;
            }
            Format::Jsonl => {
                serde_json::to_writer(&mut self.out, &row)?;
                self.out.write_all(b"\n")?;
            }
            Format::Csv => {
                if self.printed == 0 {
                    self.csv_header()?;
                }
                let cells: Vec<String> = self.columns.iter().map(|column| cell(row.get(column))).collect();
                self.csv(&cells)?;
            }
        }
        self.printed += 1;
        Ok(())
    }

    pub(crate) fn finish(mut self) -> Result<()> {
        match self.format {
            Format::Text => self.line_up()?,
            Format::Json => self.out.write_all(if self.printed == 0 { b"[]\n" } else { b"\n]\n" })?,
            Format::Csv if self.printed == 0 => self.csv_header()?,
            Format::Csv | Format::Jsonl => {}
        }
        self.out.flush().context("write to standard output")
    }

    fn csv_header(&mut self) -> Result<()> {
        let columns = self.columns.clone();
        self.csv(&columns)
    }

    fn csv(&mut self, cells: &[String]) -> Result<()> {
        let mut writer = csv::WriterBuilder::new().from_writer(&mut self.out);
        writer.write_record(cells)?;
        Ok(writer.flush()?)
    }

    /// Columns as wide as what they hold.
    fn line_up(&mut self) -> Result<()> {
        let rows = std::mem::take(&mut self.waiting);
        if rows.is_empty() && self.printed > 0 {
            return Ok(());
        }
        let cells: Vec<Vec<String>> = rows
            .iter()
            .map(|row| self.columns.iter().map(|column| shortened(&cell(row.get(column)))).collect())
            .collect();
        let width = |index: usize| {
            cells
                .iter()
                .map(|row| row[index].chars().count())
                .chain([self.columns[index].chars().count()])
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..self.columns.len()).map(width).collect();
        let line = |cells: &[String]| {
            let padded: Vec<String> =
                cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
            padded.join("  ").trim_end().to_owned()
        };
        if self.printed == 0 {
            writeln!(self.out, "{}", line(&self.columns))?;
        }
        for row in &cells {
            writeln!(self.out, "{}", line(row))?;
        }
        self.printed += rows.len() as u64;
        self.out.flush()?;
        Ok(())
    }
}

/// A value as one cell.
fn cell(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}

fn shortened(text: &str) -> String {
    let text = printable(text).replace('\n', " ");
    if text.chars().count() <= WIDEST {
        return text;
    }
    let mut cut: String = text.chars().take(WIDEST - 1).collect();
    cut.push('…');
    cut
}

/// Captured text must not steer a terminal: control characters other than line breaks are shown, not sent.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|char| match char {
            '\n' | '\t' => char,
            char if char.is_control() => '\u{fffd}',
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
            char => char,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn terminals_are_not_steered_by_captured_text() {
        assert_eq!(printable("a\x1b[2Jb\nc\u{202e}d\u{9b}"), "a\u{fffd}[2Jb\nc\u{fffd}d\u{fffd}");
    }

    #[test]
    fn long_cells_are_cut_at_a_character() {
        assert_eq!(shortened(&"é".repeat(WIDEST + 1)).chars().count(), WIDEST);
    }
}
