//! What a query read, for tests of what it did not have to read.

use std::sync::Arc;

use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::collect;
use datafusion::physical_plan::metrics::MetricValue;

use super::{Asked, Engine, Reading, guard, physical};
use crate::error::StoreError;
use crate::options::Scope;

/// What a query read of the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Read {
    /// Files that the plan names.
    pub(crate) files: usize,
    /// Row groups that statistics ruled out.
    pub(crate) groups_by_statistics: usize,
    /// Row groups that bloom filters ruled out.
    pub(crate) groups_by_bloom: usize,
    /// Rows that page indexes ruled out.
    pub(crate) rows_by_pages: usize,
    /// Rows that the readers' own filters ruled out.
    pub(crate) rows_by_filters: usize,
    pub(crate) bytes: usize,
    /// Rows of the result.
    pub(crate) rows: usize,
}

impl Engine {
    /// Runs a query and says what it read.
    pub(crate) async fn measure(
        &self,
        sql: &str,
        scope: &Scope,
        reading: Reading,
    ) -> Result<Read, StoreError> {
        let Asked::Query(statement) = guard::check(sql, scope)? else { panic!("{sql} is no query") };
        let session = self.session(scope, &reading)?;
        let plan = physical(statement, &session, &reading).await?;
        let batches = collect(plan.clone(), session.task_ctx()).await.unwrap();
        let rows = batches.iter().map(|batch| batch.num_rows()).sum();
        let mut read = Read { rows, ..Read::default() };
        walk(&plan, &mut read);
        Ok(read)
    }
}

fn walk(plan: &Arc<dyn ExecutionPlan>, read: &mut Read) {
    if let Some(source) = plan.downcast_ref::<DataSourceExec>()
        && let Some(config) = source.data_source().downcast_ref::<FileScanConfig>()
    {
        read.files += config.file_groups.iter().map(|group| group.len()).sum::<usize>();
        for metric in plan.metrics().unwrap_or_default().iter() {
            match (metric.value().name(), metric.value()) {
                (name, MetricValue::PruningMetrics { pruning_metrics, .. }) => match name {
                    "row_groups_pruned_statistics" => read.groups_by_statistics += pruning_metrics.pruned(),
                    "row_groups_pruned_bloom_filter" => read.groups_by_bloom += pruning_metrics.pruned(),
                    "page_index_rows_pruned" => read.rows_by_pages += pruning_metrics.pruned(),
                    _ => {}
                },
                ("bytes_scanned", value) => read.bytes += value.as_usize(),
                ("pushdown_rows_pruned", value) => read.rows_by_filters += value.as_usize(),
                _ => {}
            }
        }
    }
    for child in plan.children() {
        walk(child, read);
    }
}
