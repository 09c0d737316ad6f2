//! Functions that can make much of little, bounded.
//!
//! The memory pool counts what operators hold, not what one expression makes of one batch of rows. So these are asked
//! first how much they would make of a batch, and afterwards how long their longest value is: a join or a constant
//! repeats a value for each row of a batch.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{DataType, FieldRef, Int64Type};
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, ReturnFieldArgs, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature,
};

use crate::error::StoreError;

/// Bytes that one function may make of one batch of rows.
const MADE: usize = 64 << 20;
/// Bytes of one value.
const VALUE: usize = 64 << 10;
/// Rows of a batch, for each of which a constant may be written out.
const ROWS: usize = 8192;
/// What an element of a list takes besides its text.
const ELEMENT: usize = 16;

/// A function that is asked how much it would make before it makes it.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Bounded {
    pub(crate) inner: Arc<ScalarUDF>,
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

    fn return_field_from_args(&self, args: ReturnFieldArgs) -> Result<FieldRef> {
        self.inner.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.coerce_types(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let constant = args.args.iter().all(|value| matches!(value, ColumnarValue::Scalar(_)));
        let rows = if constant { ROWS } else { args.number_rows.max(1) };
        let made = estimate(self.name(), &args.args, rows);
        if made > MADE {
            return Err(too_much(self.name(), "would make of a batch of rows", made, MADE));
        }
        let value = self.inner.invoke_with_args(args)?;
        let longest = Lengths::of(&value).most;
        if longest > VALUE {
            return Err(too_much(self.name(), "made one value of", longest, VALUE));
        }
        Ok(value)
    }
}

fn too_much(name: &str, what: &str, made: usize, most: usize) -> DataFusionError {
    DataFusionError::External(Box::new(StoreError::OverLimit(format!(
        "{name} {what} {} KiB, and {} KiB is the most: make less, or of fewer rows",
        made >> 10,
        most >> 10
    ))))
}

/// At most how many bytes a call makes.
fn estimate(name: &str, args: &[ColumnarValue], rows: usize) -> usize {
    let lengths: Vec<Lengths> = args.iter().map(Lengths::of).collect();
    let get = |index: usize| lengths.get(index).copied().unwrap_or_default();
    match name {
        // Length times count, row by row where both vary.
        "repeat" => get(0).most.saturating_mul(numbers(args.get(1))).saturating_mul(get(0).rows(rows)),
        "lpad" | "rpad" => numbers(args.get(1)).saturating_mul(4).saturating_mul(rows),
        // Each byte, and each gap between two, may become the replacement.
        "replace" | "regexp_replace" => {
            let each = get(2).most.saturating_add(1);
            get(0).total(rows).saturating_add(rows).saturating_mul(each)
        }
        // Each byte may become an element.
        "string_to_array" => get(0).total(rows).saturating_mul(ELEMENT),
        // Each element brings a delimiter, and what stands for null.
        "array_to_string" => {
            let between = get(1).most.saturating_add(get(2).most).saturating_add(1);
            get(0).total(rows).saturating_mul(between.div_ceil(ELEMENT).saturating_add(1))
        }
        _ => lengths.iter().map(|length| length.total(rows)).fold(0, usize::saturating_add),
    }
}

/// Bytes of the values of an argument or a result.
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
                let len = length(scalar);
                Self { sum: len, most: len, constant: true }
            }
            ColumnarValue::Array(array) => Self::of_array(array),
        }
    }

    fn of_array(array: &ArrayRef) -> Self {
        let mut lengths = Self::default();
        let mut add = |len: usize| {
            lengths.sum = lengths.sum.saturating_add(len);
            lengths.most = lengths.most.max(len);
        };
        match array.data_type() {
            DataType::Utf8 => array.as_string::<i32>().offsets().lengths().for_each(add),
            DataType::LargeUtf8 => array.as_string::<i64>().offsets().lengths().for_each(add),
            DataType::Utf8View => array.as_string_view().lengths().for_each(|len| add(len as usize)),
            DataType::List(_) => {
                let list = array.as_list::<i32>();
                let each = width(list.values());
                list.offsets().lengths().for_each(|n_items| add(n_items.saturating_mul(each)));
            }
            DataType::LargeList(_) => {
                let list = array.as_list::<i64>();
                let each = width(list.values());
                list.offsets().lengths().for_each(|n_items| add(n_items.saturating_mul(each)));
            }
            DataType::Map(..) => {
                let map = array.as_map();
                let each = width(map.keys()).saturating_add(width(map.values()));
                map.offsets().lengths().for_each(|n_items| add(n_items.saturating_mul(each)));
            }
            _ => (0..array.len()).for_each(|_| add(ELEMENT)),
        }
        lengths
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

/// Bytes that an element of a list takes on the average.
fn width(items: &ArrayRef) -> usize {
    let lengths = Lengths::of_array(items);
    (lengths.sum / items.len().max(1)).saturating_add(ELEMENT)
}

fn length(scalar: &ScalarValue) -> usize {
    match scalar.try_as_str() {
        Some(text) => text.map_or(0, str::len),
        None if scalar.data_type().is_nested() => {
            scalar.to_array().map_or(usize::MAX, |array| Lengths::of_array(&array).most)
        }
        None => ELEMENT,
    }
}

/// The greatest number of an argument.
fn numbers(value: Option<&ColumnarValue>) -> usize {
    let most = match value {
        Some(ColumnarValue::Scalar(scalar)) => match scalar.cast_to(&DataType::Int64) {
            Ok(ScalarValue::Int64(number)) => number.unwrap_or(0),
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

/// An aggregate that gathers values into one, which is bounded.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct BoundedAggregate {
    pub(crate) inner: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for BoundedAggregate {
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

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        let name = self.inner.name().to_owned();
        Ok(Box::new(BoundedAccumulator { name, inner: self.inner.inner().accumulator(args)? }))
    }

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner.inner().state_fields(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.inner.inner().coerce_types(types)
    }

    fn supports_null_handling_clause(&self) -> bool {
        self.inner.inner().supports_null_handling_clause()
    }
}

#[derive(Debug)]
struct BoundedAccumulator {
    name: String,
    inner: Box<dyn Accumulator>,
}

impl Accumulator for BoundedAccumulator {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.update_batch(values)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let value = self.inner.evaluate()?;
        match length(&value) {
            long if long > VALUE => Err(too_much(&self.name, "made one value of", long, VALUE)),
            _ => Ok(value),
        }
    }

    fn size(&self) -> usize {
        self.inner.size()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.state()
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.inner.merge_batch(states)
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.inner.retract_batch(values)
    }

    fn supports_retract_batch(&self) -> bool {
        self.inner.supports_retract_batch()
    }
}
