//! SQL over one snapshot: read only, bounded in text, depth, memory, time and result.
//!
//! A query passes the [`guard`] on its text and tree, is planned over tables that are one snapshot of one data set,
//! has its words checked against the closed sets ([`names`]), and runs on threads of its own, so that one that only
//! computes cannot hold up who asked. Its result is streamed.

mod bounded;
mod damage;
mod failure;
mod functions;
mod guard;
pub(crate) mod json;
#[cfg(test)]
mod measure;
mod names;
mod percentile;
pub(crate) mod stream;
mod table;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use arrow::array::{BooleanArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::temporal_conversions::timestamp_ns_to_datetime;
use datafusion::catalog::{
    CatalogProvider, MemoryCatalogProvider, MemoryCatalogProviderList, MemorySchemaProvider,
};
use datafusion::catalog::{CatalogProviderList, SchemaProvider};
use datafusion::datasource::physical_plan::parquet::CachedParquetFileReaderFactory;
use datafusion::execution::context::SQLOptions;
use datafusion::execution::disk_manager::{DiskManagerBuilder, DiskManagerMode};
use datafusion::execution::memory_pool::{GreedyMemoryPool, TrackConsumersPool};
use datafusion::execution::runtime_env::{RuntimeEnv, RuntimeEnvBuilder};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::physical_plan::{ExecutionPlan, execute_stream};
use datafusion::prelude::{SessionConfig, SessionContext};
use futures::StreamExt;
use object_store::local::LocalFileSystem;
use tokio::runtime::Runtime;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
use wirewise_model::Timestamp;

use crate::error::StoreError;
use crate::options::{Scope, StoreOptions};
use crate::query::guard::Asked;
#[cfg(test)]
pub(crate) use crate::query::measure::Read;
use crate::query::stream::{Event, QueryStream};
use crate::query::table::SnapshotTable;
use crate::state::Snapshot;
use crate::tables::Table;

/// Bytes of a query's text; a longer one is refused.
pub const MOST_SQL: usize = guard::TEXT;
/// Deep expressions are planned by recursion: DataFusion's guard switches stacks, this is for the rest.
const STACK: usize = 32 << 20;
/// Footers and page indexes of files that were read, kept in memory.
const FOOTERS: usize = 64 << 20;
/// Batches that wait for a slow reader.
const WAITING: usize = 2;
/// How long after its time a query that does not stop by itself is waited for.
const GRACE: Duration = Duration::from_millis(500);

/// The query engine of one store.
#[derive(Debug)]
pub(crate) struct Engine {
    runtime: Option<Runtime>,
    base: SessionState,
    environment: Arc<RuntimeEnv>,
    readers: Arc<CachedParquetFileReaderFactory>,
    permits: Arc<Semaphore>,
    dir: PathBuf,
}

/// What a query reads: one moment of one data set, and that data set's now.
#[derive(Debug)]
pub(crate) struct Reading {
    pub(crate) snapshot: Arc<Snapshot>,
    pub(crate) now: Timestamp,
}

impl Engine {
    pub(crate) fn new(dir: &Path, options: &StoreOptions) -> Result<Self, StoreError> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let threads = if options.threads == 0 { cores } else { options.threads };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(threads)
            .thread_stack_size(STACK)
            .thread_name("wirewise-query")
            .enable_time()
            .build()
            .map_err(|error| StoreError::io("cannot start query threads for", dir, error))?;
        let internal = |error: &dyn std::fmt::Display| StoreError::Internal(format!("query engine: {error}"));
        let environment = RuntimeEnvBuilder::new()
            .with_disk_manager_builder(DiskManagerBuilder::default().with_mode(DiskManagerMode::Disabled))
            .with_metadata_cache_limit(FOOTERS)
            .build_arc()
            .map_err(|error| internal(&error))?;
        let files = LocalFileSystem::new_with_prefix(dir).map_err(|error| internal(&error))?;
        environment.register_object_store(table::files_url().as_ref(), Arc::new(files));
        let files = environment.object_store(table::files_url()).map_err(|error| internal(&error))?;
        let cache = environment.cache_manager.get_file_metadata_cache();
        let readers = Arc::new(CachedParquetFileReaderFactory::new(files, cache));
        let base = functions::install(
            SessionStateBuilder::new()
                .with_config(config(threads))
                .with_runtime_env(environment.clone())
                .with_default_features(),
        )?;
        let permits = Arc::new(Semaphore::new(options.queries.max(1)));
        let dir = dir.to_owned();
        Ok(Self { runtime: Some(runtime), base, environment, readers, permits, dir })
    }

    /// Starts a query. Returns when it is planned, or with the reason why not.
    pub(crate) async fn run(
        &self,
        sql: &str,
        scope: &Scope,
        reading: Reading,
    ) -> Result<QueryStream, StoreError> {
        let deadline = Instant::now() + scope.limits.time;
        let runtime = self.runtime.as_ref().ok_or(StoreError::Closed)?;
        // Parsing recurses: it needs the stack of a query's thread.
        let checked = {
            let (sql, scope) = (sql.to_owned(), scope.clone());
            runtime.spawn(async move { guard::check(&sql, &scope) })
        };
        let asked = match timeout_at(deadline + GRACE, checked).await {
            Ok(Ok(asked)) => asked?,
            Err(_) => return Err(failure::out_of_time(&scope.limits)),
            Ok(Err(error)) => return Err(StoreError::Internal(format!("a query cannot be parsed: {error}"))),
        };
        let asked = match asked {
            Asked::Tables => return Ok(QueryStream::of(tables(scope)?)),
            Asked::Columns(table) => return Ok(QueryStream::of(columns(table)?)),
            Asked::Query(statement) => statement,
        };
        let session = self.session(scope, &reading)?;
        let (sender, mut events) = mpsc::channel(WAITING);
        let permits = self.permits.clone();
        let limits = scope.limits.clone();
        let dir = self.dir.clone();
        let work = async move {
            let _permit = permits.acquire_owned().await;
            let started = physical(asked, &session, &reading).await.and_then(|plan| {
                let stream = execute_stream(plan.clone(), session.task_ctx());
                Ok((stream.map_err(|error| failure::of(error, &limits))?, plan))
            });
            let (mut stream, plan) = match started {
                Ok(started) => started,
                Err(error) => {
                    // Who asked may have gone.
                    let _ = sender.send(Event::Failed(error)).await;
                    return;
                }
            };
            if sender.send(Event::Planned(stream.schema())).await.is_err() {
                return;
            }
            while let Some(batch) = stream.next().await {
                let event = match batch {
                    Ok(batch) => Event::Batch(batch),
                    Err(error) => Event::Failed(damage::of(error, &plan, &dir, (&limits, deadline))),
                };
                let failed = matches!(event, Event::Failed(_));
                if sender.send(event).await.is_err() || failed {
                    return;
                }
            }
            let _ = sender.send(Event::Done).await;
        };
        let task = runtime.spawn(async move {
            // Whoever waits notices the time by itself; this frees the threads.
            let _ = timeout_at(deadline, work).await;
        });
        let guard = stream::Task(task);
        match timeout_at(deadline + GRACE, events.recv()).await {
            Ok(Some(Event::Planned(schema))) => {
                Ok(QueryStream::running(schema, events, guard, deadline + GRACE, scope.limits.clone()))
            }
            Ok(Some(Event::Failed(error))) => Err(error),
            Ok(Some(Event::Batch(_) | Event::Done)) => {
                Err(StoreError::Internal("a result before its plan".into()))
            }
            Ok(None) if Instant::now() < deadline => {
                Err(StoreError::Internal("the query ended without a word".into()))
            }
            Ok(None) | Err(_) => Err(failure::out_of_time(&scope.limits)),
        }
    }

    /// Tasks of queries that are not over.
    #[cfg(test)]
    pub(crate) fn n_running(&self) -> usize {
        self.runtime.as_ref().map_or(0, |runtime| runtime.metrics().num_alive_tasks())
    }

    fn session(&self, scope: &Scope, reading: &Reading) -> Result<SessionState, StoreError> {
        let internal = |error: &dyn std::fmt::Display| StoreError::Internal(format!("session: {error}"));
        let schema = MemorySchemaProvider::new();
        for table in guard::readable(scope) {
            let provider = SnapshotTable::new(
                table,
                reading.snapshot.clone(),
                scope.viewer.namespaces.clone(),
                self.readers.clone(),
            );
            schema
                .register_table(table.name().to_owned(), Arc::new(provider))
                .map_err(|error| internal(&error))?;
        }
        let catalog = MemoryCatalogProvider::new();
        catalog.register_schema(SCHEMA, Arc::new(schema)).map_err(|error| internal(&error))?;
        let catalogs = MemoryCatalogProviderList::new();
        catalogs.register_catalog(CATALOG.to_owned(), Arc::new(catalog));
        let pool = TrackConsumersPool::new(
            GreedyMemoryPool::new(scope.limits.memory),
            std::num::NonZeroUsize::new(3).expect("three is not zero"),
        );
        let environment = RuntimeEnvBuilder::from_runtime_env(&self.environment)
            .with_memory_pool(Arc::new(pool))
            .build_arc()
            .map_err(|error| internal(&error))?;
        let state = SessionStateBuilder::new_from_existing(self.base.clone())
            .with_catalog_list(Arc::new(catalogs))
            .with_runtime_env(environment)
            .build();
        let mut state = SessionContext::new_with_state(state).state();
        // `now()` is the data set's: an import asked about its last quarter of an hour shall answer.
        state.execution_props_mut().query_execution_start_time =
            timestamp_ns_to_datetime(reading.now.nanos()).map(|now| now.and_utc());
        Ok(state)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

const CATALOG: &str = "wirewise";
const SCHEMA: &str = "public";

fn config(threads: usize) -> SessionConfig {
    let mut config = SessionConfig::new()
        .with_target_partitions(threads)
        .with_default_catalog_and_schema(CATALOG, SCHEMA)
        .with_create_default_catalog_and_schema(false)
        .with_information_schema(false)
        .with_parquet_pruning(true)
        .with_parquet_bloom_filter_pruning(true)
        .with_parquet_page_index_pruning(true);
    let options = config.options_mut();
    options.execution.enable_recursive_ctes = false;
    options.execution.parquet.pushdown_filters = true;
    options.execution.parquet.reorder_filters = true;
    options.explain.logical_plan_only = true;
    config
}

async fn physical(
    statement: datafusion::sql::parser::Statement,
    session: &SessionState,
    reading: &Reading,
) -> Result<Arc<dyn ExecutionPlan>, StoreError> {
    let limits = crate::options::QueryLimits::default();
    let told = |error| failure::of(error, &limits);
    let plan = session.statement_to_plan(statement).await.map_err(told)?;
    // The second wall: the first looked at the tree of the text, this one at what it came to mean.
    SQLOptions::new()
        .with_allow_ddl(false)
        .with_allow_dml(false)
        .with_allow_statements(false)
        .verify_plan(&plan)
        .map_err(told)?;
    let seen = &reading.snapshot.progress.protocols;
    let plan = names::check(plan, seen)?;
    // Once more when constants are folded and subqueries are joins: `lower('OK')` is a word then.
    let plan = names::check(session.optimize(&plan).map_err(told)?, seen)?;
    let physical = session.query_planner().create_physical_plan(&plan, session).await.map_err(told)?;
    guard::check_joins(&physical)?;
    Ok(physical)
}

fn tables(scope: &Scope) -> Result<RecordBatch, StoreError> {
    let tables: Vec<Table> = guard::readable(scope).collect();
    let names = StringArray::from_iter_values(tables.iter().map(|table| table.name()));
    let docs = StringArray::from_iter_values(tables.iter().map(|table| table.doc()));
    batch(vec![("table_name", Arc::new(names)), ("meaning", Arc::new(docs))])
}

fn columns(table: Table) -> Result<RecordBatch, StoreError> {
    let names = StringArray::from_iter_values(table.columns().map(|column| column.name));
    let types = StringArray::from_iter_values(table.columns().map(|column| column.kind.name()));
    let nullable: BooleanArray = table.columns().map(|column| Some(column.nullable)).collect();
    let docs = StringArray::from_iter_values(table.columns().map(|column| column.doc));
    batch(vec![
        ("column_name", Arc::new(names)),
        ("data_type", Arc::new(types)),
        ("is_nullable", Arc::new(nullable)),
        ("meaning", Arc::new(docs)),
    ])
}

fn batch(columns: Vec<(&str, arrow::array::ArrayRef)>) -> Result<RecordBatch, StoreError> {
    let fields: Vec<Field> =
        columns.iter().map(|(name, column)| Field::new(*name, column.data_type().clone(), false)).collect();
    debug_assert!(fields.iter().all(|field| *field.data_type() != DataType::Null));
    RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns.into_iter().map(|(_, column)| column).collect(),
    )
    .map_err(|error| StoreError::Internal(format!("description: {error}")))
}
