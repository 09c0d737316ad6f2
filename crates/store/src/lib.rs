//! Calls, kept: a synced log, an Arrow tail that queries see at once, Parquet files by the hour, and SQL over all
//! three in one snapshot.
//!
//! # The life of a row
//! [`Store::append`] turns a batch into Arrow columns, writes them to the log and returns once the log is synced;
//! appends that wait together share one sync. From then on the rows are in the *tail*, and every query sees them.
//! When the tail is large or old enough it becomes Parquet files, the manifest is replaced, and the log before it is
//! removed. Small files of an hour are merged; whole hours leave when the data set `live` is too old or too large.
//! What is still under way ([`Store::overlay`]) is held in memory only, and a row that is over hides it.
//!
//! # The directory (mode 0700)
//! ```text
//! lock             held (flock) by the process that owns the directory, shared by processes that only read
//! owner.json       where that process listens, mode 0600
//! manifest.json    what exists: files with their times and rows, captures, sequences; replaced whole
//! log/N.log        records that no file holds yet; those before the manifest's `log_from` are done with
//! files/DATASET/TABLE/HOUR/N.parquet
//! ```
//! A file that the manifest does not name does not exist: it is removed at the next opening. There is no repair.
//!
//! # What is left to others
//! One exchange heard at two places has one `exchange_key`; on one node `wire` already counts such packets once. The
//! door for many nodes is `query::table::CallsView`: it decides which rows of the files `calls` shows, and hides
//! superseded revisions in the same way. `shape_id` and `recording_id` are read as null until something writes them.

#![cfg_attr(test, recursion_limit = "256")]

mod disk;
mod error;
mod files;
mod keeper;
mod log;
mod manifest;
mod options;
mod query;
mod rows;
mod state;
mod store;
pub mod tables;
mod writer;

#[cfg(test)]
mod tests;

pub use error::{Owner, StoreError};
pub use options::{QueryLimits, Scope, StoreOptions, TailLimits};
pub use query::MOST_SQL;
pub use query::json::{Column, Rows, sql_text, to_rows};
pub use query::stream::QueryStream;
pub use store::{Ack, DatasetInfo, LossRow, Store};
