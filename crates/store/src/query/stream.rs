//! A result while it comes in.

use std::collections::VecDeque;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use futures::Stream;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};

use crate::error::StoreError;
use crate::options::QueryLimits;
use crate::query::failure;
use crate::query::json::{self, Column, Rows};

/// What a running query says.
#[derive(Debug)]
pub(crate) enum Event {
    /// It is planned, and these are its columns.
    Planned(SchemaRef),
    /// Some rows.
    Batch(RecordBatch),
    /// It ended badly.
    Failed(StoreError),
    /// It ended.
    Done,
}

/// A query that stops when nobody reads it any more.
#[derive(Debug)]
pub(crate) struct Task(pub(crate) JoinHandle<()>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A result while it comes in. Dropping it stops the query.
#[derive(Debug)]
pub struct QueryStream {
    schema: SchemaRef,
    ready: VecDeque<RecordBatch>,
    running: Option<(Receiver<Event>, Task)>,
    until: Instant,
    limits: QueryLimits,
    rows: usize,
    bytes: usize,
    truncated: bool,
}

impl QueryStream {
    /// A result that is there already.
    pub(crate) fn of(batch: RecordBatch) -> Self {
        Self {
            schema: batch.schema(),
            ready: VecDeque::from([batch]),
            running: None,
            until: Instant::now(),
            limits: QueryLimits::default(),
            rows: 0,
            bytes: 0,
            truncated: false,
        }
    }

    pub(crate) fn running(
        schema: SchemaRef,
        events: Receiver<Event>,
        task: Task,
        until: Instant,
        limits: QueryLimits,
    ) -> Self {
        let running = Some((events, task));
        Self { schema, ready: VecDeque::new(), running, until, limits, rows: 0, bytes: 0, truncated: false }
    }

    /// The result's columns, as Arrow has them.
    pub fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// The result's columns.
    pub fn columns(&self) -> Vec<Column> {
        json::columns(&self.schema)
    }

    /// The next rows; `None` at the end. After an error nothing comes any more.
    pub async fn next(&mut self) -> Option<Result<RecordBatch, StoreError>> {
        if let Some(batch) = self.ready.pop_front() {
            return self.bounded(batch).map(Ok);
        }
        let (events, _) = self.running.as_mut()?;
        let event = timeout_at(self.until, events.recv()).await;
        match event {
            Ok(Some(Event::Batch(batch))) => self.bounded(batch).map(Ok),
            Ok(Some(Event::Failed(error))) => {
                self.running = None;
                Some(Err(error))
            }
            Ok(Some(Event::Done | Event::Planned(_))) => {
                self.running = None;
                None
            }
            Ok(None) | Err(_) => {
                self.running = None;
                Some(Err(failure::out_of_time(&self.limits)))
            }
        }
    }

    fn bounded(&mut self, batch: RecordBatch) -> Option<RecordBatch> {
        let room = self.limits.rows - self.rows;
        let bytes = batch
            .columns()
            .iter()
            .map(|column| column.to_data().get_slice_memory_size().unwrap_or(0))
            .sum::<usize>();
        let rest = self.limits.bytes.saturating_sub(self.bytes);
        let fits = if bytes <= rest {
            batch.num_rows()
        } else {
            (batch.num_rows() as u128 * rest as u128 / bytes.max(1) as u128) as usize
        };
        let take = room.min(fits);
        self.bytes = self.bytes.saturating_add(bytes);
        self.rows += take.min(batch.num_rows());
        if take >= batch.num_rows() {
            return Some(batch);
        }
        self.truncated = true;
        self.running = None;
        self.ready.clear();
        (take > 0).then(|| batch.slice(0, take))
    }

    /// Whether a bound on rows or bytes cut the result. True at the end only.
    pub fn truncated(&self) -> bool {
        self.truncated
    }

    /// All of it, as JSON.
    pub async fn rows(mut self) -> Result<Rows, StoreError> {
        let columns = self.columns();
        let mut rows = Vec::new();
        while let Some(batch) = self.next().await {
            rows.extend(json::to_rows(&batch?));
        }
        Ok(Rows { columns, rows, truncated: self.truncated })
    }

    /// Whole lines of JSON, one object a line, many lines an item.
    pub fn into_json_lines(self) -> impl Stream<Item = Result<String, StoreError>> + Send + 'static {
        futures::stream::unfold(self, |mut stream| async move {
            let lines = match stream.next().await? {
                Err(error) => Err(error),
                Ok(batch) => {
                    let mut lines = String::new();
                    for row in json::to_rows(&batch) {
                        lines.push_str(&serde_json::Value::Object(row).to_string());
                        lines.push('\n');
                    }
                    Ok(lines)
                }
            };
            Some((lines, stream))
        })
    }
}
