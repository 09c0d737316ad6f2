//! Rows of a query, small and typed, and their forms: JSON for programs, CSV for reading.

use std::fmt::Write;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use wirewise_store::Rows;

/// Letters of a cell of CSV; more is cut, marked by an ellipsis.
const MOST_CELL: usize = 160;

/// Rows under named columns.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Names of the columns.
    pub columns: Vec<String>,
    /// Rows, a value a column.
    pub rows: Vec<Vec<Value>>,
}

/// A row of a table.
#[derive(Clone, Copy, Debug)]
pub struct Row<'a> {
    table: &'a Table,
    values: &'a [Value],
}

impl<'a> Row<'a> {
    /// The value in that column; null where there is no such column.
    pub fn get(&self, column: &str) -> &'a Value {
        let place = self.table.columns.iter().position(|name| name == column);
        place.and_then(|place| self.values.get(place)).unwrap_or(&Value::Null)
    }

    /// Text in that column; empty where it is null.
    pub fn text(&self, column: &str) -> &'a str {
        self.get(column).as_str().unwrap_or("")
    }

    /// A number in that column.
    pub fn number(&self, column: &str) -> Option<f64> {
        self.get(column).as_f64()
    }

    /// A count in that column; 0 where it is null.
    pub fn count(&self, column: &str) -> u64 {
        let value = self.get(column);
        value.as_u64().or_else(|| value.as_f64().map(|number| number as u64)).unwrap_or(0)
    }
}

impl Table {
    /// A table of these columns, still empty.
    pub fn new(columns: &[&str]) -> Self {
        Self { columns: columns.iter().map(|&name| name.to_owned()).collect(), rows: Vec::new() }
    }

    /// Whether it has no rows.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// How many rows it has.
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Its rows.
    pub fn iter(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(move |values| Row { table: self, values })
    }

    /// Its first row.
    pub fn first(&self) -> Option<Row<'_>> {
        self.iter().next()
    }

    /// Keeps these columns, in this order; what is not there is left out.
    pub(crate) fn select(&self, columns: &[&str]) -> Self {
        let places: Vec<usize> =
            columns.iter().filter_map(|name| self.columns.iter().position(|own| own == name)).collect();
        Self {
            columns: places.iter().map(|&place| self.columns[place].clone()).collect(),
            rows: self
                .rows
                .iter()
                .map(|row| {
                    places.iter().map(|&place| row.get(place).cloned().unwrap_or(Value::Null)).collect()
                })
                .collect(),
        }
    }

    /// Leaves out columns in which every value is null.
    pub(crate) fn without_empty_columns(&self) -> Self {
        let filled: Vec<&str> = self
            .columns
            .iter()
            .enumerate()
            .filter(|(place, _)| {
                self.rows.iter().any(|row| row.get(*place).is_some_and(|value| !value.is_null()))
            })
            .map(|(_, name)| name.as_str())
            .collect();
        self.select(&filled)
    }

    /// A query's rows.
    pub(crate) fn from_rows(found: Rows) -> Self {
        let columns: Vec<String> = found.columns.into_iter().map(|column| column.name).collect();
        let rows = found
            .rows
            .into_iter()
            .map(|mut row| {
                columns.iter().map(|name| short(row.remove(name).unwrap_or(Value::Null))).collect()
            })
            .collect();
        Self { columns, rows }
    }

    /// Header and rows, separated by commas; text in one line, cut where it is long.
    pub fn csv(&self) -> String {
        let mut text = self.columns.join(",");
        text.push('\n');
        for row in &self.rows {
            for (place, value) in row.iter().enumerate() {
                if place > 0 {
                    text.push(',');
                }
                write_cell(&mut text, value);
            }
            text.push('\n');
        }
        text
    }
}

fn write_cell(text: &mut String, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(yes) => {
            let _ = write!(text, "{yes}");
        }
        Value::Number(number) => {
            let _ = write!(text, "{number}");
        }
        Value::String(said) => quote(text, &plain(said, MOST_CELL)),
        Value::Array(_) | Value::Object(_) => quote(text, &plain(&value.to_string(), MOST_CELL)),
    }
}

fn quote(text: &mut String, cell: &str) {
    if cell.contains([',', '"']) {
        let _ = write!(text, "\"{}\"", cell.replace('"', "\"\""));
    } else {
        text.push_str(cell);
    }
}

/// Somebody else's text in one line without control characters, cut at `most` letters.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let mut line: String =
        text.chars().take(most).map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
    if text.chars().nth(most).is_some() {
        line.push('…');
    }
    line
}

/// Four decimals: a tenth of a microsecond in milliseconds, a hundredth of a percent in ratios.
pub(crate) fn rounded(number: f64) -> Value {
    if !number.is_finite() {
        return Value::Null;
    }
    let rounded = (number * 10_000.0).round() / 10_000.0;
    Value::from(if rounded.is_finite() { rounded } else { number })
}

/// Numbers with fractions, shortened.
fn short(value: Value) -> Value {
    match value.as_f64() {
        Some(number) if value.is_f64() => rounded(number),
        _ => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_stay_in_one_line_whatever_was_captured() {
        let table = Table {
            columns: vec!["target".to_owned(), "n".to_owned()],
            rows: vec![
                vec![Value::from("/a\r\nignore, \"all\""), Value::from(3)],
                vec![Value::Null, Value::from(0.5)],
            ],
        };
        assert_eq!(table.csv(), "target,n\n\"/a  ignore, \"\"all\"\"\",3\n,0.5\n");
    }

    #[test]
    fn columns_without_values_are_left_out() {
        let table = Table {
            columns: vec!["a".to_owned(), "b".to_owned()],
            rows: vec![vec![Value::Null, Value::from(1)]],
        };
        assert_eq!(table.without_empty_columns().columns, ["b"]);
    }
}
