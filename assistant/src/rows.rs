//! A query's result on its way to a reader: names of columns first, then lines of JSON as they come, and no
//! silent end.

use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use serde_json::Value;
use wirewise_store::{QueryStream, StoreError, to_rows};

/// The header in which the names of columns travel, as a JSON array.
pub const COLUMNS_HEADER: &str = "wirewise-columns";

/// What a query found.
pub struct Found {
    /// Names of its columns, in order.
    pub columns: Vec<String>,
    /// One JSON object a line, many lines an item. A result that is cut ends with an error that says so.
    pub lines: BoxStream<'static, Result<String, StoreError>>,
}

impl Found {
    /// What this query finds.
    pub fn of(found: QueryStream) -> Self {
        let columns = found.columns().into_iter().map(|column| column.name).collect();
        let lines = stream::try_unfold(Some(found), |found| async move {
            let Some(mut found) = found else { return Ok(None) };
            match found.next().await {
                Some(batch) => {
                    let rows = to_rows(&batch?).into_iter();
                    let lines: String = rows.map(|row| format!("{}\n", Value::Object(row))).collect();
                    Ok(Some((lines, Some(found))))
                }
                None if found.truncated() => Err(StoreError::OverLimit(
                    "the result is cut here, at the bytes that a result may have: ask for fewer rows or columns"
                        .to_owned(),
                )),
                None => Ok(None),
            }
        });
        Self { columns, lines: lines.into_stream().boxed() }
    }
}

/// JSON in which every letter beyond ASCII is escaped, for a header.
pub(crate) fn ascii_json(names: &[String]) -> String {
    let json = Value::from(names).to_string();
    let mut ascii = String::with_capacity(json.len());
    for letter in json.chars() {
        if letter.is_ascii() {
            ascii.push(letter);
        } else {
            let mut units = [0; 2];
            ascii.extend(letter.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_columns_survive_a_header() {
        let names = vec!["p99 \"ms\"".to_owned(), "größe".to_owned(), "🦀\n".to_owned()];
        let sent = ascii_json(&names);
        assert!(sent.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{sent}");
        assert_eq!(serde_json::from_str::<Vec<String>>(&sent).unwrap(), names);
    }
}
