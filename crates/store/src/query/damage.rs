//! Which file is to blame when a query fails over what it read.

use std::path::Path;
use std::sync::Arc;

use arrow::error::ArrowError;
use datafusion::common::DataFusionError;
use datafusion::datasource::physical_plan::FileScanConfig;
use datafusion::datasource::source::DataSourceExec;
use datafusion::physical_plan::ExecutionPlan;
use tokio::time::Instant;

use crate::error::StoreError;
use crate::files;
use crate::options::QueryLimits;
use crate::query::failure;

/// The failure of a plan that ran. Where a file is damaged, the error names it: readers of the format do not.
pub(crate) fn of(
    error: DataFusionError,
    plan: &Arc<dyn ExecutionPlan>,
    dir: &Path,
    (limits, deadline): (&QueryLimits, Instant),
) -> StoreError {
    if !is_of_a_file(&error) {
        return failure::of(error, limits);
    }
    let text = error.strip_backtrace();
    let mut paths = Vec::new();
    files_of(plan, &mut paths);
    let named = paths.iter().find(|path| text.contains(path.as_str()));
    let unreadable = |path: &str, why: String| StoreError::Unreadable { path: dir.join(path), why };
    if let Some(path) = named {
        return unreadable(path, text.clone());
    }
    for path in &paths {
        if Instant::now() > deadline {
            break;
        }
        if let Err(why) = files::verify(&dir.join(path)) {
            return unreadable(path, why);
        }
    }
    StoreError::Unreadable { path: dir.join("files"), why: text }
}

fn is_of_a_file(error: &DataFusionError) -> bool {
    match error.find_root() {
        DataFusionError::ParquetError(_) | DataFusionError::ObjectStore(_) | DataFusionError::IoError(_) => {
            true
        }
        DataFusionError::ArrowError(error, _) => {
            matches!(
                **error,
                ArrowError::ParquetError(_) | ArrowError::IoError(..) | ArrowError::ExternalError(_)
            )
        }
        DataFusionError::External(error) => error.is::<parquet::errors::ParquetError>(),
        _ => false,
    }
}

fn files_of(plan: &Arc<dyn ExecutionPlan>, paths: &mut Vec<String>) {
    if let Some(source) = plan.downcast_ref::<DataSourceExec>()
        && let Some(config) = source.data_source().downcast_ref::<FileScanConfig>()
    {
        let files = config.file_groups.iter().flat_map(|group| group.iter());
        paths.extend(files.map(|file| file.object_meta.location.to_string()));
    }
    for child in plan.children() {
        files_of(child, paths);
    }
}
