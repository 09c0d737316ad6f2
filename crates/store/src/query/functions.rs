//! Functions that make much of little are bounded; those that need no bound to do harm are taken away.
//!
//! The memory pool counts what operators hold, not what one expression makes of one batch of rows. So whatever can
//! multiply text is asked first how much it would make.

use std::sync::Arc;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::{DataFusionError, Result};
use datafusion::execution::session_state::{SessionState, SessionStateBuilder};
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::planner::{ExprPlanner, PlannerResult, RawBinaryExpr};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature,
};
use datafusion::sql::sqlparser::ast::BinaryOperator;

use crate::error::StoreError;

/// Bytes that one function may make of one batch of rows.
const MADE: usize = 64 << 20;

/// Scalar functions that can make much of little.
const BOUNDED: [&str; 9] =
    ["repeat", "lpad", "rpad", "replace", "regexp_replace", "concat", "concat_ws", "translate", "overlay"];
/// Those that are not needed here and make lists of any length.
const GONE: [&str; 7] =
    ["generate_series", "range", "gen_series", "array_repeat", "list_repeat", "array_resize", "list_resize"];

/// A session's functions, as they may be used here.
pub(crate) fn install(mut builder: SessionStateBuilder) -> std::result::Result<SessionState, StoreError> {
    let mut concat = None;
    if let Some(functions) = builder.scalar_functions() {
        functions.retain(|function| !GONE.contains(&function.name()));
        for function in functions.iter_mut() {
            if BOUNDED.contains(&function.name()) {
                *function = Arc::new(ScalarUDF::new_from_impl(Bounded { inner: function.clone() }));
            }
            if function.name() == "concat" {
                concat = Some(function.clone());
            }
        }
    }
    let concat = concat.ok_or_else(|| StoreError::Internal("the engine has no concat".into()))?;
    let planner: Arc<dyn ExprPlanner> = Arc::new(Concatenation { concat });
    match builder.expr_planners() {
        Some(planners) => planners.insert(0, planner),
        none => *none = Some(vec![planner]),
    }
    Ok(builder.build())
}

/// `a || b` of texts is `concat(a, b)`, which is bounded.
#[derive(Debug)]
struct Concatenation {
    concat: Arc<ScalarUDF>,
}

impl ExprPlanner for Concatenation {
    fn plan_binary_op(
        &self,
        expr: RawBinaryExpr,
        schema: &datafusion::common::DFSchema,
    ) -> Result<PlannerResult<RawBinaryExpr>> {
        let text = |side: &Expr| {
            matches!(side.get_type(schema), Ok(DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View))
        };
        if expr.op == BinaryOperator::StringConcat && (text(&expr.left) || text(&expr.right)) {
            let call = ScalarFunction::new_udf(self.concat.clone(), vec![expr.left, expr.right]);
            return Ok(PlannerResult::Planned(Expr::ScalarFunction(call)));
        }
        Ok(PlannerResult::Original(expr))
    }
}

/// A function that is asked how much it would make before it makes it.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Bounded {
    inner: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Bounded {
    fn name(&self) -> &str {
        self.inner.name()
    }

    fn aliases(&self) -> &[String] {
        self.inner.aliases()
    }

    fn signature(&self) -> &Signature {
        self.inner.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.inner.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<arrow::datatypes::FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let made = estimate(self.name(), &args);
        if made > MADE {
            return Err(DataFusionError::External(Box::new(StoreError::OverLimit(format!(
                "{} would make {} MiB of text at once, and {} is the most: make less, or of fewer rows",
                self.name(),
                made >> 20,
                MADE >> 20
            )))));
        }
        self.inner.invoke_with_args(args)
    }
}

/// At most how many bytes a call makes.
fn estimate(name: &str, args: &ScalarFunctionArgs) -> usize {
    let rows = args.number_rows.max(1);
    let lengths: Vec<Lengths> = args.args.iter().map(Lengths::of).collect();
    let get = |index: usize| lengths.get(index).copied().unwrap_or_default();
    match name {
        // Length times count, row by row where both vary.
        "repeat" => get(0).most.saturating_mul(numbers(args.args.get(1))).saturating_mul(get(0).rows(rows)),
        "lpad" | "rpad" => numbers(args.args.get(1)).saturating_mul(4).saturating_mul(rows),
        // Each byte, and each gap between two, may become the replacement.
        "replace" | "regexp_replace" => {
            let each = get(2).most.saturating_add(1);
            get(0).total(rows).saturating_add(rows).saturating_mul(each)
        }
        _ => lengths.iter().map(|length| length.total(rows)).fold(0, usize::saturating_add),
    }
}

#[derive(Clone, Copy, Default)]
struct Lengths {
    sum: usize,
    most: usize,
    constant: bool,
}

impl Lengths {
    fn of(value: &ColumnarValue) -> Self {
        match value {
            ColumnarValue::Scalar(scalar) => {
                let len = scalar.try_as_str().flatten().map_or(8, str::len);
                Self { sum: len, most: len, constant: true }
            }
            ColumnarValue::Array(array) => {
                let mut lengths = Self::default();
                let mut add = |len: Option<usize>| {
                    let len = len.unwrap_or_default();
                    lengths.sum = lengths.sum.saturating_add(len);
                    lengths.most = lengths.most.max(len);
                };
                match array.data_type() {
                    DataType::Utf8 => {
                        array.as_string::<i32>().iter().for_each(|text| add(text.map(str::len)))
                    }
                    DataType::LargeUtf8 => {
                        array.as_string::<i64>().iter().for_each(|text| add(text.map(str::len)))
                    }
                    DataType::Utf8View => {
                        array.as_string_view().iter().for_each(|text| add(text.map(str::len)))
                    }
                    _ => (0..array.len()).for_each(|_| add(Some(24))),
                }
                lengths
            }
        }
    }

    fn total(self, rows: usize) -> usize {
        if self.constant { self.sum.saturating_mul(rows) } else { self.sum }
    }

    fn rows(self, rows: usize) -> usize {
        match (self.constant, self.most) {
            (false, most) if most > 0 => self.sum.div_ceil(most),
            _ => rows,
        }
    }
}

/// The greatest number of an argument.
fn numbers(value: Option<&ColumnarValue>) -> usize {
    let most = match value {
        Some(ColumnarValue::Scalar(scalar)) => match scalar.cast_to(&DataType::Int64) {
            Ok(datafusion::common::ScalarValue::Int64(number)) => number.unwrap_or(0),
            _ => i64::MAX,
        },
        Some(ColumnarValue::Array(array)) => match arrow::compute::cast(array, &DataType::Int64) {
            Ok(array) => arrow::compute::max(array.as_primitive::<Int64Type>()).unwrap_or(0),
            Err(_) => i64::MAX,
        },
        None => 0,
    };
    usize::try_from(most.max(0)).unwrap_or(usize::MAX)
}
