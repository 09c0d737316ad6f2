//! Parquet files: zstd, sorted by time, bloom filters for ids, pages indexed; by hour, merged when small.

use std::collections::{BTreeSet, BinaryHeap};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{BatchCoalescer, filter_record_batch, interleave_record_batch};
use arrow::datatypes::{DataType, Int64Type, TimestampNanosecondType};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::SortingColumn;
use parquet::file::properties::{EnabledStatistics, WriterProperties};
use parquet::schema::types::ColumnPath;
use wirewise_model::Timestamp;

use crate::disk::{Disk, DiskFile};
use crate::error::StoreError;
use crate::manifest::{FileEntry, Revised};
use crate::state::{DataFile, Segment};
use crate::tables::{SCHEMA_VERSION, Table};

/// Rows of a row group: the unit that times, ids and bloom filters rule out.
const GROUP_ROWS: usize = 128 * 1024;
/// Rows that are gathered at once while sorting.
const CHUNK_ROWS: usize = 16 * 1024;
/// Rows of a batch in order that are written as they are, without gathering.
const RUN_ROWS: usize = 256;
/// Files that one flush may make of one table. Times that are spread wider share files.
const SPANS: usize = 48;
const HOUR: i64 = 3_600_000_000_000;

/// The hour, since the epoch, of a time in nanoseconds.
pub(crate) fn hour(nanos: i64) -> i64 {
    nanos.div_euclid(HOUR)
}

/// The first nanosecond of an hour.
pub(crate) fn hour_start(hour: i64) -> i64 {
    hour.saturating_mul(HOUR)
}

/// Where files are made, and of which data set.
pub(crate) struct Place<'a> {
    pub(crate) disk: &'a Disk,
    pub(crate) dir: &'a Path,
    pub(crate) dataset: &'a str,
}

impl Place<'_> {
    /// Writes the rows of one table, a file an hour. `next` numbers the files.
    pub(crate) fn write(
        &self,
        table: Table,
        segments: &[Arc<Segment>],
        next: &mut u64,
        made: &mut Vec<FileEntry>,
    ) -> Result<(), StoreError> {
        let batches: Vec<&RecordBatch> =
            segments.iter().filter(|segment| segment.table == table).map(|segment| &segment.rows).collect();
        let mut order = Vec::with_capacity(batches.iter().map(|batch| batch.num_rows()).sum());
        for (index, batch) in batches.iter().enumerate() {
            let times = times(table, batch)?;
            order.extend(times.iter().enumerate().map(|(row, &at)| (at, index, row)));
        }
        // Almost sorted as a rule: a stable sort takes runs as they are.
        order.sort_by_key(|&(at, ..)| at);
        for span in spans(&order) {
            let [(from, ..), .., (to, ..)] = span else {
                let [(at, ..)] = span else { continue };
                self.write_span(table, &batches, span, (*at, *at), next, made)?;
                continue;
            };
            self.write_span(table, &batches, span, (*from, *to), next, made)?;
        }
        Ok(())
    }

    fn write_span(
        &self,
        table: Table,
        batches: &[&RecordBatch],
        order: &[(i64, usize, usize)],
        (from, to): (i64, i64),
        next: &mut u64,
        made: &mut Vec<FileEntry>,
    ) -> Result<(), StoreError> {
        let mut output = self.begin(table, hour(from), next, order.len(), Zeal::Fresh)?;
        // What comes from one agent is in order as a rule: runs of a batch go as they are, the rest is gathered.
        let mut rest = order;
        let mut mixed = 0;
        while let Some(&(_, batch, row)) = rest.get(mixed) {
            let follows = rest[mixed..].iter().zip(row..);
            let run = follows.take_while(|&(&(_, other, at), row)| other == batch && at == row).count();
            if run < RUN_ROWS {
                mixed += run;
                if mixed >= CHUNK_ROWS {
                    self.gather(batches, &rest[..mixed], &mut output)?;
                    (rest, mixed) = (&rest[mixed..], 0);
                }
                continue;
            }
            self.gather(batches, &rest[..mixed], &mut output)?;
            output.write(&batches[batch].slice(row, run))?;
            (rest, mixed) = (&rest[mixed + run..], 0);
        }
        self.gather(batches, rest, &mut output)?;
        made.push(output.finish(from, to)?);
        Ok(())
    }

    fn gather(
        &self,
        batches: &[&RecordBatch],
        order: &[(i64, usize, usize)],
        output: &mut Output,
    ) -> Result<(), StoreError> {
        if order.is_empty() {
            return Ok(());
        }
        let places: Vec<(usize, usize)> = order.iter().map(|&(_, batch, row)| (batch, row)).collect();
        output.write(&interleave_record_batch(batches, &places).map_err(|error| internal(&error))?)
    }

    /// Merges files of one table into one, without the rows that a revision supersedes. Returns how many these were.
    pub(crate) fn merge(
        &self,
        table: Table,
        inputs: &[Arc<DataFile>],
        revised: &Revised,
        next: &mut u64,
        made: &mut Vec<FileEntry>,
    ) -> Result<u64, StoreError> {
        let from = inputs.iter().map(|file| file.entry.from).min().unwrap_or_default();
        let to = inputs.iter().map(|file| file.entry.to).max().unwrap_or_default();
        let rows = inputs.iter().map(|file| file.entry.rows as usize).sum();
        let mut output = self.begin(table, hour(from), next, rows, Zeal::Merged)?;
        let mut runs = Vec::with_capacity(inputs.len());
        let mut dropped = 0;
        for file in inputs {
            let mut run = Run::open(table, &self.dir.join(&file.entry.path))?;
            run.advance(revised, &mut dropped)?;
            runs.push(run);
        }
        let mut heads: BinaryHeap<std::cmp::Reverse<(i64, usize)>> = runs
            .iter()
            .enumerate()
            .filter_map(|(index, run)| Some(std::cmp::Reverse((run.head()?, index))))
            .collect();
        let mut coalescer = BatchCoalescer::new(table.stored_schema(), CHUNK_ROWS);
        while let Some(std::cmp::Reverse((_, index))) = heads.pop() {
            let until = heads.peek().map_or(i64::MAX, |std::cmp::Reverse((at, _))| *at);
            let rows = runs[index].take(until);
            coalescer.push_batch(rows).map_err(|error| internal(&error))?;
            if runs[index].head().is_none() {
                runs[index].advance(revised, &mut dropped)?;
            }
            if let Some(at) = runs[index].head() {
                heads.push(std::cmp::Reverse((at, index)));
            }
            while let Some(rows) = coalescer.next_completed_batch() {
                output.write(&rows)?;
            }
        }
        coalescer.finish_buffered_batch().map_err(|error| internal(&error))?;
        while let Some(rows) = coalescer.next_completed_batch() {
            output.write(&rows)?;
        }
        made.push(output.finish(from, to)?);
        Ok(dropped)
    }

    fn begin(
        &self,
        table: Table,
        hour: i64,
        next: &mut u64,
        rows: usize,
        zeal: Zeal,
    ) -> Result<Output, StoreError> {
        let text = Timestamp::from_nanos(hour_start(hour)).rfc3339();
        let path =
            format!("files/{}/{}/{}/{:08}.parquet", encode(self.dataset), table.name(), &text[..13], *next);
        *next += 1;
        let full = self.dir.join(&path);
        let error = |error| StoreError::write(self.dir, "cannot make", &full, error);
        let parent = full.parent().expect("it stands in a directory");
        self.disk.create_dirs(parent).map_err(error)?;
        let file = self.disk.create(&full).map_err(error)?;
        let writer = ArrowWriter::try_new(file, table.stored_schema(), Some(properties(table, rows, zeal)))
            .map_err(|error| internal(&error))?;
        Ok(Output {
            disk: self.disk.clone(),
            dir: self.dir.to_owned(),
            table,
            hour,
            path,
            full,
            rows: 0,
            writer,
        })
    }
}

/// A file that is being written. Dropped unfinished, it is an orphan.
struct Output {
    disk: Disk,
    dir: PathBuf,
    table: Table,
    hour: i64,
    path: String,
    full: PathBuf,
    rows: u64,
    writer: ArrowWriter<DiskFile>,
}

impl Output {
    fn write(&mut self, rows: &RecordBatch) -> Result<(), StoreError> {
        self.rows += rows.num_rows() as u64;
        self.writer.write(rows).map_err(|error| self.error(error))
    }

    fn finish(mut self, from: i64, to: i64) -> Result<FileEntry, StoreError> {
        if let Err(error) = self.writer.finish() {
            return Err(self.error(error));
        }
        let error = |error| StoreError::write(&self.dir, "cannot sync", &self.full, error);
        let file = self.writer.inner_mut();
        file.sync().map_err(error)?;
        let bytes = file.len();
        self.disk.sync_dir(self.full.parent().expect("it stands in a directory")).map_err(error)?;
        Ok(FileEntry {
            path: self.path,
            table: self.table,
            hour: self.hour,
            rows: self.rows,
            bytes,
            from,
            to,
            schema_version: SCHEMA_VERSION,
        })
    }

    fn error(&self, error: parquet::errors::ParquetError) -> StoreError {
        let kind = self.writer.inner().failed().unwrap_or(std::io::ErrorKind::Other);
        let source = std::io::Error::new(kind, error);
        // Its name may stay: nothing refers to it. Its bytes are wanted when the disk is full.
        let _ = self.disk.remove(&self.full);
        StoreError::write(&self.dir, "cannot write", &self.full, source)
    }
}

/// One input of a merge: a batch of it in memory, sorted by time.
struct Run {
    table: Table,
    path: PathBuf,
    reader: ParquetRecordBatchReader,
    rows: Option<RecordBatch>,
}

impl Run {
    fn open(table: Table, path: &Path) -> Result<Self, StoreError> {
        let file = File::open(path).map_err(|error| StoreError::io("cannot open", path, error))?;
        let reader = ParquetRecordBatchReaderBuilder::try_new(file)
            .and_then(|builder| builder.with_batch_size(CHUNK_ROWS).build())
            .map_err(|error| unreadable(path, &error))?;
        Ok(Self { table, path: path.to_owned(), reader, rows: None })
    }

    fn advance(&mut self, revised: &Revised, dropped: &mut u64) -> Result<(), StoreError> {
        self.rows = None;
        for batch in self.reader.by_ref() {
            let batch = batch.map_err(|error| unreadable(&self.path, &error))?;
            let batch = conform(self.table, &batch)?;
            let kept = without_superseded(self.table, batch, revised, dropped)?;
            if kept.num_rows() > 0 {
                self.rows = Some(kept);
                break;
            }
        }
        Ok(())
    }

    fn head(&self) -> Option<i64> {
        let rows = self.rows.as_ref()?;
        times(self.table, rows).ok()?.first().copied()
    }

    /// The rows up to and with a time, at least one.
    fn take(&mut self, until: i64) -> RecordBatch {
        let rows = self.rows.take().expect("a run with a head has rows");
        let count =
            times(self.table, &rows).map_or(1, |times| times.partition_point(|&at| at <= until)).max(1);
        if count < rows.num_rows() {
            self.rows = Some(rows.slice(count, rows.num_rows() - count));
        }
        rows.slice(0, count)
    }
}

fn conform(table: Table, batch: &RecordBatch) -> Result<RecordBatch, StoreError> {
    let schema = table.stored_schema();
    let columns = schema
        .fields()
        .iter()
        .map(|field| {
            let found = batch.column_by_name(field.name()).cloned();
            found.unwrap_or_else(|| arrow::array::new_null_array(field.data_type(), batch.num_rows()))
        })
        .collect();
    RecordBatch::try_new(schema, columns).map_err(|error| internal(&error))
}

fn without_superseded(
    table: Table,
    batch: RecordBatch,
    revised: &Revised,
    dropped: &mut u64,
) -> Result<RecordBatch, StoreError> {
    if table != Table::Calls || revised.0.is_empty() {
        return Ok(batch);
    }
    let times = times(table, &batch)?;
    let (Some(first), Some(last)) = (times.first(), times.last()) else { return Ok(batch) };
    let range = (*first, String::new())..(last.saturating_add(1), String::new());
    if revised.0.range(range).next().is_none() {
        return Ok(batch);
    }
    let ids = batch.column(0).as_string::<i32>();
    let revisions = batch.column(batch.num_columns() - 1).as_primitive::<Int64Type>();
    let keep: BooleanArray = (0..batch.num_rows())
        .map(|row| {
            let highest = revised.0.get(&(times[row], ids.value(row).to_owned()));
            Some(highest.is_none_or(|&highest| revisions.value(row) >= highest))
        })
        .collect();
    *dropped += keep.false_count() as u64;
    filter_record_batch(&batch, &keep).map_err(|error| internal(&error))
}

fn times(table: Table, batch: &RecordBatch) -> Result<&[i64], StoreError> {
    let column = batch
        .column_by_name(table.time())
        .and_then(|column| column.as_primitive_opt::<TimestampNanosecondType>());
    column
        .map(|column| &**column.values())
        .ok_or_else(|| StoreError::Internal(format!("{} without times", table.name())))
}

/// Cuts rows in order of time into hours; into days or months where that would make too many.
fn spans(order: &[(i64, usize, usize)]) -> impl Iterator<Item = &[(i64, usize, usize)]> {
    let width = [HOUR, 24 * HOUR, 30 * 24 * HOUR]
        .into_iter()
        .find(|width| {
            let mut seen = BTreeSet::new();
            order.iter().all(|(at, ..)| {
                seen.insert(at.div_euclid(*width));
                seen.len() <= SPANS
            })
        })
        .unwrap_or(i64::MAX);
    order.chunk_by(move |(one, ..), (other, ..)| one.div_euclid(width) == other.div_euclid(width))
}

/// Reads a file to its end, and says why it cannot be.
pub(crate) fn verify(path: &Path) -> Result<(), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).and_then(|builder| builder.build());
    let mut reader = reader.map_err(|error| error.to_string())?;
    reader.try_for_each(|rows| rows.map(|_| ())).map_err(|error| error.to_string())
}

/// A data set's name as the name of a directory.
pub(crate) fn encode(dataset: &str) -> String {
    let mut text = String::new();
    for byte in dataset.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => text.push(char::from(byte)),
            b'.' if !text.is_empty() => text.push('.'),
            other => text.push_str(&format!("={other:02X}")),
        }
    }
    text
}

/// How hard a file is compressed.
#[derive(Clone, Copy)]
enum Zeal {
    /// It is soon merged with others.
    Fresh,
    /// It stays.
    Merged,
}

impl Zeal {
    /// The level of zstd.
    const fn level(self) -> i32 {
        match self {
            Self::Fresh => 1,
            Self::Merged => 3,
        }
    }
}

/// How columns are written that are not written like most: with a dictionary and without statistics.
struct Columns {
    /// Ids that are asked for: a bloom filter, and no dictionary.
    filtered: &'static [&'static str],
    /// Values that hardly repeat, for which a dictionary would be built and thrown away; and headers, which are read
    /// with their call alone, and whose repeats zstd finds for less than a dictionary costs.
    plain: &'static [&'static str],
    /// Columns by whose least and greatest values groups and pages can be ruled out. Of workloads, endpoints and the
    /// like every group holds nearly all, and finding the least of texts costs as much as writing them.
    ranged: &'static [&'static str],
}

impl Columns {
    const fn of(table: Table) -> Self {
        match table {
            Table::Calls => Self {
                filtered: &["call_id", "flow_id", "trace_id"],
                plain: &[
                    "exchange_key",
                    "span_id",
                    "parent_span_id",
                    "duration_ms",
                    "ttfb_ms",
                    "observed_until",
                    "started_at",
                    "target",
                    "client_port",
                    "request_frames.list.item",
                    "response_frames.list.item",
                ],
                ranged: &[
                    "call_id",
                    "flow_id",
                    "trace_id",
                    "started_at",
                    "observed_until",
                    "duration_ms",
                    "ttfb_ms",
                    "status_code",
                    "failed",
                    "protocol",
                    "outcome",
                    "error",
                    "request_bytes",
                    "response_bytes",
                    "revision",
                ],
            },
            Table::Payloads => Self {
                filtered: &["call_id"],
                plain: &["body", "started_at", "headers.entries.key", "headers.entries.value"],
                ranged: &["call_id", "started_at", "body_bytes"],
            },
            Table::Flows => Self {
                filtered: &["flow_id"],
                plain: &["started_at", "ended_at", "client_port", "packets.list.item"],
                ranged: &[
                    "flow_id",
                    "started_at",
                    "ended_at",
                    "client_retransmissions",
                    "server_retransmissions",
                ],
            },
            Table::Losses => Self { filtered: &[], plain: &[], ranged: &["at"] },
        }
    }
}

fn path_of(name: &str) -> ColumnPath {
    ColumnPath::new(name.split('.').map(str::to_owned).collect())
}

fn properties(table: Table, rows: usize, zeal: Zeal) -> WriterProperties {
    /// 1% at 9.6 bits a row.
    const FALSE_POSITIVES: f64 = 0.01;
    let group = rows.clamp(1, GROUP_ROWS);
    let schema = table.stored_schema();
    // The index is of leaves, of which a map has two.
    let before = schema.fields().iter().take_while(|field| field.name() != table.time());
    let time = before.map(|field| if matches!(field.data_type(), DataType::Map(..)) { 2 } else { 1 }).sum();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(zeal.level()).expect("a level of zstd")))
        .set_max_row_group_row_count(Some(GROUP_ROWS))
        .set_sorting_columns(Some(vec![SortingColumn {
            column_idx: time,
            descending: false,
            nulls_first: false,
        }]))
        .set_statistics_enabled(EnabledStatistics::None)
        .set_created_by("wirewise".to_owned());
    let Columns { filtered, plain, ranged } = Columns::of(table);
    for name in filtered {
        let column = ColumnPath::from(*name);
        properties = properties
            .set_column_bloom_filter_enabled(column.clone(), true)
            .set_column_bloom_filter_fpp(column.clone(), FALSE_POSITIVES)
            .set_column_bloom_filter_max_ndv(column, group as u64);
    }
    for name in filtered.iter().chain(plain) {
        properties = properties.set_column_dictionary_enabled(path_of(name), false);
    }
    for name in ranged {
        properties = properties.set_column_statistics_enabled(path_of(name), EnabledStatistics::Page);
    }
    properties.build()
}

fn internal(error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Internal(format!("columns: {error}"))
}

fn unreadable(path: &Path, error: &dyn std::fmt::Display) -> StoreError {
    StoreError::Unreadable { path: path.to_owned(), why: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_data_sets_are_names_of_one_directory() {
        for (name, expect) in
            [("live", "live"), ("../x", "=2E.=2Fx"), (".hidden", "=2Ehidden"), ("a b.pcap", "a=20b.pcap")]
        {
            assert_eq!(encode(name), expect);
        }
    }

    #[test]
    fn what_is_written_in_a_special_way_exists() {
        for table in Table::ALL {
            let schema = parquet::arrow::ArrowSchemaConverter::new().convert(&table.stored_schema()).unwrap();
            let leaves: BTreeSet<String> = schema.columns().iter().map(|leaf| leaf.path().string()).collect();
            let Columns { filtered, plain, ranged } = Columns::of(table);
            for name in filtered.iter().chain(plain).chain(ranged) {
                assert!(leaves.contains(*name), "{}.{name} is none of {leaves:?}", table.name());
            }
        }
    }

    #[test]
    fn times_that_are_spread_wide_share_files() {
        let rows = |step: i64| -> Vec<(i64, usize, usize)> {
            (0..100).map(|row| (row * step, 0, row as usize)).collect()
        };
        assert_eq!(spans(&rows(HOUR / 10)).count(), 10);
        assert_eq!(spans(&rows(HOUR)).count(), 5);
        assert_eq!(spans(&rows(400 * 24 * HOUR)).count(), 1);
    }
}
