//! A table of one snapshot: its files, ruled out by time before they are opened, and its rows in memory.

use std::collections::{BTreeSet, HashSet};
use std::sync::{Arc, LazyLock};

use arrow::array::{
    ArrayRef, BooleanArray, RecordBatch, TimestampNanosecondArray, UInt64Array, new_null_array,
};
use arrow::compute::cast;
use arrow::datatypes::SchemaRef;
use arrow::temporal_conversions::timestamp_ns_to_datetime;
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::catalog::TableProvider;
use datafusion::catalog::memory::DataSourceExec;
use datafusion::common::pruning::PruningStatistics;
use datafusion::common::stats::Precision;
use datafusion::common::{Column, ColumnStatistics, DFSchema, Result, ScalarValue, Statistics};
use datafusion::datasource::TableType;
use datafusion::datasource::listing::PartitionedFile;
use datafusion::datasource::memory::MemorySourceConfig;
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::datasource::physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource};
use datafusion::execution::object_store::ObjectStoreUrl;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown, col, lit};
use datafusion::physical_optimizer::pruning::PruningPredicateBuilder;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::empty::EmptyExec;
use datafusion::physical_plan::expressions::Column as PhysicalColumn;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;
use object_store::ObjectMeta;
use object_store::path::Path as ObjectPath;

use crate::state::{DataFile, Segment, Snapshot};
use crate::tables::{Table, UTC};

/// Rows that one batch of the tail has when it is read.
const BATCH: usize = 8192;

/// The data directory, as the engine knows it.
pub(crate) fn files_url() -> ObjectStoreUrl {
    static URL: LazyLock<ObjectStoreUrl> =
        LazyLock::new(|| ObjectStoreUrl::parse("wirewise://data").expect("a URL without a path"));
    URL.clone()
}

/// One table of one snapshot, for one reader.
#[derive(Debug)]
pub(crate) struct SnapshotTable {
    table: Table,
    snapshot: Arc<Snapshot>,
    namespaces: Option<BTreeSet<String>>,
    readers: Arc<CachedParquetFileReaderFactory>,
}

impl SnapshotTable {
    pub(crate) fn new(
        table: Table,
        snapshot: Arc<Snapshot>,
        namespaces: Option<BTreeSet<String>>,
        readers: Arc<CachedParquetFileReaderFactory>,
    ) -> Self {
        Self { table, snapshot, namespaces, readers }
    }

    /// Which rows this reader may see; `None` for all of them.
    fn bound(&self) -> Option<Expr> {
        let namespaces = self.namespaces.as_ref().filter(|_| self.table.has_namespaces())?;
        let list: Vec<Expr> = namespaces.iter().map(|namespace| lit(namespace.as_str())).collect();
        let either = col("client_namespace").in_list(list.clone(), false);
        Some(either.or(col("server_namespace").in_list(list, false)))
    }

    fn files(
        &self,
        state: &dyn Session,
        files: &[&Arc<DataFile>],
        columns: &[usize],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema = self.table.scan_schema();
        let source = ParquetSource::new(schema.clone())
            .with_table_parquet_options(state.default_table_options().parquet)
            .with_pushdown_filters(state.config_options().execution.parquet.pushdown_filters)
            .with_parquet_file_reader_factory(self.readers.clone());
        let time = schema.index_of(self.table.time())?;
        let mut all = Statistics::new_unknown(&schema);
        all.num_rows = Precision::Exact(0);
        all.total_byte_size = Precision::Inexact(0);
        let mut list = Vec::with_capacity(files.len());
        for file in files {
            let entry = &file.entry;
            let mut known = Statistics::new_unknown(&schema);
            known.num_rows = Precision::Exact(entry.rows as usize);
            known.total_byte_size = Precision::Inexact(entry.bytes as usize);
            known.column_statistics[time] = ColumnStatistics {
                null_count: Precision::Exact(0),
                min_value: Precision::Exact(time_value(entry.from)),
                max_value: Precision::Exact(time_value(entry.to)),
                ..ColumnStatistics::new_unknown()
            };
            all.num_rows = all.num_rows.add(&known.num_rows);
            all.total_byte_size = all.total_byte_size.add(&known.total_byte_size);
            let meta = ObjectMeta {
                location: ObjectPath::parse(&entry.path)
                    .map_err(|error| datafusion::common::DataFusionError::External(error.into()))?,
                last_modified: timestamp_ns_to_datetime(0).unwrap_or_default().and_utc(),
                size: entry.bytes,
                e_tag: None,
                version: None,
            };
            list.push((entry.to, PartitionedFile::new_from_meta(meta).with_statistics(Arc::new(known))));
        }
        // The newest first: those who ask for the latest few rule out the rest by what they have.
        list.sort_by_key(|(to, _)| std::cmp::Reverse(*to));
        let groups = state.config().target_partitions().clamp(1, list.len().max(1));
        let mut grouped: Vec<Vec<PartitionedFile>> = vec![Vec::new(); groups];
        for (index, (_, file)) in list.into_iter().enumerate() {
            grouped[index % groups].push(file);
        }
        let config = FileScanConfigBuilder::new(files_url(), Arc::new(source))
            .with_file_groups(grouped.into_iter().map(FileGroup::new).collect())
            .with_statistics(all)
            .with_projection_indices(Some(columns.to_vec()))?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }

    fn memory(
        &self,
        state: &dyn Session,
        segments: &[&Arc<Segment>],
        columns: &[usize],
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let schema: SchemaRef = Arc::new(self.table.scan_schema().project(columns)?);
        let count = state.config().target_partitions().max(1);
        let mut partitions: Vec<Vec<RecordBatch>> = vec![Vec::new(); count];
        let mut next = 0;
        for segment in segments {
            let rows = segment.rows.num_rows();
            let arrays = schema.fields().iter().map(|field| -> Result<ArrayRef> {
                Ok(match segment.rows.column_by_name(field.name()) {
                    Some(column) => cast(column, field.data_type())?,
                    None => new_null_array(field.data_type(), rows),
                })
            });
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(rows));
            let batch =
                RecordBatch::try_new_with_options(schema.clone(), arrays.collect::<Result<_>>()?, &options)?;
            for from in (0..rows).step_by(BATCH) {
                partitions[next % count].push(batch.slice(from, BATCH.min(rows - from)));
                next += 1;
            }
        }
        partitions.retain(|partition| !partition.is_empty());
        Ok(MemorySourceConfig::try_new_exec(&partitions, schema, None)?)
    }
}

#[async_trait]
impl TableProvider for SnapshotTable {
    fn schema(&self) -> SchemaRef {
        self.table.visible_schema()
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        // Used to rule out files here; the engine's own filter above is then pushed into the files' readers.
        Ok(vec![TableProviderFilterPushDown::Inexact; filters.len()])
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let scan_schema = self.table.scan_schema();
        let visible = self.table.visible_schema().fields().len();
        let wanted: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..visible).collect());

        let times: Vec<(i64, i64)> =
            self.snapshot.files(self.table).map(|file| (file.entry.from, file.entry.to)).collect();
        let keep = self.prune(state, filters, &times)?;
        let files: Vec<&Arc<DataFile>> = self
            .snapshot
            .files(self.table)
            .zip(&keep)
            .filter(|(_, keep)| **keep)
            .map(|(file, _)| file)
            .collect();
        let times: Vec<(i64, i64)> =
            self.snapshot.segments(self.table).map(|segment| (segment.from, segment.to)).collect();
        let keep = self.prune(state, filters, &times)?;
        let segments: Vec<&Arc<Segment>> = self
            .snapshot
            .segments(self.table)
            .zip(&keep)
            .filter(|(_, keep)| **keep)
            .map(|(segment, _)| segment)
            .collect();

        // Only files and segments that may hold a superseded row are searched for one.
        let view = CallsView { table: self.table, snapshot: &self.snapshot };
        let (checked, plain): (Vec<_>, Vec<_>) =
            files.into_iter().partition(|file| view.concerns(file.entry.from, file.entry.to));
        let (checked_rows, plain_rows): (Vec<_>, Vec<_>) =
            segments.into_iter().partition(|segment| view.concerns(segment.from, segment.to));
        let hide = view.filter(
            checked
                .iter()
                .map(|file| (file.entry.from, file.entry.to))
                .chain(checked_rows.iter().map(|segment| (segment.from, segment.to))),
        );

        let bound = self.bound();
        let mut inputs = Vec::new();
        for (files, rows, hide) in [(plain, plain_rows, None), (checked, checked_rows, hide)] {
            let filter = conjunction(bound.clone().into_iter().chain(hide));
            let mut columns = wanted.clone();
            if let Some(filter) = &filter {
                for column in filter.column_refs() {
                    let index = scan_schema.index_of(&column.name)?;
                    if !columns.contains(&index) {
                        columns.push(index);
                    }
                }
            }
            let mut sources = Vec::new();
            if !files.is_empty() {
                sources.push(self.files(state, &files, &columns)?);
            }
            if !rows.is_empty() {
                sources.push(self.memory(state, &rows, &columns)?);
            }
            for source in sources {
                inputs.push(match &filter {
                    Some(filter) => filtered(state, source, filter, wanted.len())?,
                    None => source,
                });
            }
        }
        Ok(match inputs.len() {
            0 => Arc::new(EmptyExec::new(Arc::new(scan_schema.project(&wanted)?))),
            1 => inputs.remove(0),
            _ => UnionExec::try_new(inputs)?,
        })
    }
}

impl SnapshotTable {
    /// Which spans of time may hold rows that pass the filters.
    fn prune(&self, state: &dyn Session, filters: &[Expr], times: &[(i64, i64)]) -> Result<Vec<bool>> {
        let schema = self.table.visible_schema();
        let Some(filter) = conjunction(filters.iter().cloned()) else { return Ok(vec![true; times.len()]) };
        let predicate = state.create_physical_expr(filter, &DFSchema::try_from(schema.as_ref().clone())?)?;
        let predicate = PruningPredicateBuilder::new().with_file_schema(schema).try_build(predicate)?;
        predicate.prune(&Spans { column: self.table.time(), times })
    }
}

fn filtered(
    state: &dyn Session,
    source: Arc<dyn ExecutionPlan>,
    filter: &Expr,
    wanted: usize,
) -> Result<Arc<dyn ExecutionPlan>> {
    let schema = source.schema();
    let predicate =
        state.create_physical_expr(filter.clone(), &DFSchema::try_from(schema.as_ref().clone())?)?;
    let kept: Arc<dyn ExecutionPlan> = Arc::new(FilterExec::try_new(predicate, source)?);
    if wanted == schema.fields().len() {
        return Ok(kept);
    }
    let columns: Vec<(Arc<dyn datafusion::physical_plan::PhysicalExpr>, String)> = schema
        .fields()
        .iter()
        .take(wanted)
        .enumerate()
        .map(|(index, field)| {
            let column: Arc<dyn datafusion::physical_plan::PhysicalExpr> =
                Arc::new(PhysicalColumn::new(field.name(), index));
            (column, field.name().clone())
        })
        .collect();
    Ok(Arc::new(ProjectionExec::try_new(columns, kept)?))
}

/// Which stored rows `calls` shows: of each call the highest revision.
///
/// The door for one exchange heard twice: rows that stand behind a better vantage would be hidden here as well.
struct CallsView<'a> {
    table: Table,
    snapshot: &'a Snapshot,
}

impl CallsView<'_> {
    /// Whether rows of that span of time may be superseded.
    fn concerns(&self, from: i64, to: i64) -> bool {
        self.table == Table::Calls && self.revised(from, to).next().is_some()
    }

    fn revised(&self, from: i64, to: i64) -> impl Iterator<Item = (&str, i64)> {
        let range = (from, String::new())..=(to.max(from), "\u{10ffff}".to_owned());
        self.snapshot.progress.revised.0.range(range).map(|((_, id), revision)| (id.as_str(), *revision))
    }

    /// Hides the superseded rows of those spans.
    fn filter(&self, spans: impl Iterator<Item = (i64, i64)>) -> Option<Expr> {
        let (from, to) = spans.reduce(|(from, to), (first, last)| (from.min(first), to.max(last)))?;
        let mut by_revision: std::collections::BTreeMap<i64, Vec<Expr>> = std::collections::BTreeMap::new();
        for (id, revision) in self.revised(from, to) {
            by_revision.entry(revision).or_default().push(lit(id));
        }
        let hidden = by_revision
            .into_iter()
            .map(|(revision, ids)| col("call_id").in_list(ids, false).and(col("revision").lt(lit(revision))));
        hidden.reduce(Expr::or).map(|hidden| !hidden)
    }
}

fn time_value(nanos: i64) -> ScalarValue {
    ScalarValue::TimestampNanosecond(Some(nanos), Some(UTC.into()))
}

/// The least and greatest times of files or segments, to rule them out by.
struct Spans<'a> {
    column: &'static str,
    times: &'a [(i64, i64)],
}

impl Spans<'_> {
    fn values(&self, column: &Column, pick: impl Fn(&(i64, i64)) -> i64) -> Option<ArrayRef> {
        (column.name == self.column).then(|| -> ArrayRef {
            Arc::new(
                TimestampNanosecondArray::from_iter_values(self.times.iter().map(pick)).with_timezone(UTC),
            )
        })
    }
}

impl PruningStatistics for Spans<'_> {
    fn min_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |times| times.0)
    }

    fn max_values(&self, column: &Column) -> Option<ArrayRef> {
        self.values(column, |times| times.1)
    }

    fn num_containers(&self) -> usize {
        self.times.len()
    }

    fn null_counts(&self, column: &Column) -> Option<ArrayRef> {
        (column.name == self.column)
            .then(|| -> ArrayRef { Arc::new(UInt64Array::from(vec![0; self.times.len()])) })
    }

    fn row_counts(&self) -> Option<ArrayRef> {
        None
    }

    fn contained(&self, _column: &Column, _values: &HashSet<ScalarValue>) -> Option<BooleanArray> {
        None
    }
}
