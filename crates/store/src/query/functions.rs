//! Which functions there are: those that make much of little are bounded; those that need no bound to do harm are
//! taken away; one that is not exact is replaced.

use std::sync::Arc;

use arrow::datatypes::DataType;
use datafusion::common::utils::list_ndims;
use datafusion::common::{DFSchema, Result};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{AggregateUDF, Expr, ExprSchemable, ScalarUDF};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::error::StoreError;
use crate::query::bounded::{Bounded, BoundedAggregate};
use crate::query::percentile::{self, Percentile};

/// Scalar functions that can make much of little, or double what they are given.
const BOUNDED: [&str; 19] = [
    "repeat",
    "lpad",
    "rpad",
    "replace",
    "regexp_replace",
    "concat",
    "concat_ws",
    "translate",
    "overlay",
    "make_array",
    "array_append",
    "array_prepend",
    "array_concat",
    "array_union",
    "flatten",
    "string_to_array",
    "array_to_string",
    "arrays_zip",
    "map",
];
/// Those that are not needed here and make lists of any length, types of any width, take time that is the product of
/// two lengths, or tell of files.
const GONE: [&str; 12] = [
    "generate_series",
    "range",
    "gen_series",
    "array_repeat",
    "array_resize",
    "struct",
    "named_struct",
    "levenshtein",
    "input_file_name",
    "file_row_index",
    "with_metadata",
    "arrow_metadata",
];
/// Aggregates that gather values into one.
const GATHER: [&str; 2] = ["array_agg", "string_agg"];

/// A session's functions, as they may be used here.
pub(crate) fn install(mut builder: SessionStateBuilder) -> std::result::Result<SessionState, StoreError> {
    let mut bounded = Vec::new();
    if let Some(functions) = builder.scalar_functions() {
        functions.retain(|function| !GONE.contains(&function.name()));
        for function in functions.iter_mut().filter(|function| BOUNDED.contains(&function.name())) {
            *function = Arc::new(ScalarUDF::new_from_impl(Bounded { inner: function.clone() }));
            bounded.push(function.clone());
        }
    }
    if let Some(functions) = builder.aggregate_functions() {
        for function in functions.iter_mut() {
            let inner = function.clone();
            if GATHER.contains(&inner.name()) {
                *function = Arc::new(AggregateUDF::new_from_impl(BoundedAggregate { inner }));
            } else if inner.name() == percentile::NAME {
                *function = Arc::new(AggregateUDF::new_from_impl(Percentile { inner }));
            }
        }
    }
    // Functions that take functions make of each element what they like.
    *builder.higher_order_functions() = Some(Vec::new());
    let named = |name: &str| {
        let found = bounded.iter().find(|function| function.name() == name).cloned();
        found.ok_or_else(|| StoreError::Internal(format!("the engine has no {name}")))
    };
    let planner: Arc<dyn ExprPlanner> = Arc::new(Operators {
        concat: named("concat")?,
        array_concat: named("array_concat")?,
        array_append: named("array_append")?,
        array_prepend: named("array_prepend")?,
        make_array: named("make_array")?,
    });
    match builder.expr_planners() {
        Some(planners) => planners.insert(0, planner),
        none => *none = Some(vec![planner]),
    }
    Ok(builder.build())
}

/// Operators and literals that stand for bounded functions: `a || b`, `[a, b]`.
#[derive(Debug)]
struct Operators {
    concat: Arc<ScalarUDF>,
    array_concat: Arc<ScalarUDF>,
    array_append: Arc<ScalarUDF>,
    array_prepend: Arc<ScalarUDF>,
    make_array: Arc<ScalarUDF>,
}

fn call(function: &Arc<ScalarUDF>, arguments: Vec<Expr>) -> Expr {
    Expr::ScalarFunction(ScalarFunction::new_udf(function.clone(), arguments))
}

impl ExprPlanner for Operators {
    fn plan_binary_op(&self, expr: RawBinaryExpr, schema: &DFSchema) -> Result<PlannerResult<RawBinaryExpr>> {
        if expr.op != BinaryOperator::StringConcat {
            return Ok(PlannerResult::Original(expr));
        }
        let (left, right) = (expr.left.get_type(schema)?, expr.right.get_type(schema)?);
        let text =
            |kind: &DataType| matches!(kind, DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View);
        // As the engine's own planner tells them apart.
        let function = match (list_ndims(&left), list_ndims(&right)) {
            (0, 0) if text(&left) || text(&right) => &self.concat,
            (0, 0) => return Ok(PlannerResult::Original(expr)),
            (one, other) if one == other => &self.array_concat,
            (one, other) if one > other => &self.array_append,
            _ => &self.array_prepend,
        };
        Ok(PlannerResult::Planned(call(function, vec![expr.left, expr.right])))
    }

    fn plan_array_literal(&self, items: Vec<Expr>, _schema: &DFSchema) -> Result<PlannerResult<Vec<Expr>>> {
        Ok(PlannerResult::Planned(call(&self.make_array, items)))
    }
}
