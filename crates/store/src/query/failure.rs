//! What DataFusion says went wrong, as something that who asked can act on.

use datafusion::common::{DataFusionError, SchemaError};

use crate::error::StoreError;
use crate::options::QueryLimits;

/// The query did not end within its time.
pub(crate) fn out_of_time(limits: &QueryLimits) -> StoreError {
    StoreError::OverLimit(format!(
        "the query did not end within {} s: narrow its time range, add conditions or join less",
        limits.time.as_secs_f64()
    ))
}

/// The error that stands behind a chain of contexts.
pub(crate) fn of(error: DataFusionError, limits: &QueryLimits) -> StoreError {
    match error {
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => of(*inner, limits),
        DataFusionError::Collection(mut errors) if !errors.is_empty() => of(errors.swap_remove(0), limits),
        DataFusionError::Shared(shared) => text(&shared, limits),
        DataFusionError::External(inner) => match inner.downcast::<StoreError>() {
            Ok(error) => *error,
            Err(other) => StoreError::Invalid(other.to_string()),
        },
        other => text(&other, limits),
    }
}

fn text(error: &DataFusionError, limits: &QueryLimits) -> StoreError {
    match error {
        DataFusionError::SchemaError(error, _) => schema(error),
        DataFusionError::ResourcesExhausted(_) => StoreError::OverLimit(format!(
            "the query needs more than {} MiB of memory: narrow its time range, group by fewer values or add a LIMIT",
            limits.memory >> 20
        )),
        DataFusionError::Plan(text) if text.contains("comparison operation Boolean") => StoreError::Invalid(
            "a column that is true or false is compared with something else: write failed = true, or NOT failed".into(),
        ),
        DataFusionError::SQL(error, _) => StoreError::Invalid(format!("not SQL that is understood: {error}")),
        DataFusionError::NotImplemented(text) => StoreError::Invalid(format!("not supported: {text}")),
        DataFusionError::Plan(text)
        | DataFusionError::Execution(text)
        | DataFusionError::Configuration(text) => StoreError::Invalid(text.clone()),
        DataFusionError::ArrowError(error, _) => StoreError::Invalid(error.to_string()),
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => text(inner, limits),
        DataFusionError::Shared(inner) => text(inner, limits),
        DataFusionError::External(inner) => match inner.downcast_ref::<StoreError>() {
            Some(StoreError::OverLimit(text)) => StoreError::OverLimit(text.clone()),
            Some(StoreError::Unknown { what, name, nearest }) => {
                StoreError::Unknown { what: what.clone(), name: name.clone(), nearest: nearest.clone() }
            }
            _ => StoreError::Invalid(inner.to_string()),
        },
        other => StoreError::Internal(other.strip_backtrace()),
    }
}

fn schema(error: &SchemaError) -> StoreError {
    match error {
        SchemaError::FieldNotFound { field, valid_fields } => {
            let mut known: Vec<&str> = valid_fields.iter().map(|column| column.name.as_str()).collect();
            known.sort_unstable();
            known.dedup();
            StoreError::unknown("column", &field.name, known)
        }
        SchemaError::AmbiguousReference { field } => {
            StoreError::Invalid(format!("column {} is in several tables: write TABLE.{0}", field.name))
        }
        other @ (SchemaError::DuplicateQualifiedField { .. }
        | SchemaError::DuplicateUnqualifiedField { .. }) => {
            StoreError::Invalid(format!("{other}: name one of them with AS"))
        }
    }
}
