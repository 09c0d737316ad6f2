//! `percentile_cont`, exact: the engine's own rounds the place between two values to a millionth, so that the same rows
//! would have another percentile elsewhere. Its name, signature and types are the engine's; so are values that are not
//! double precision.

use std::collections::VecDeque;
use std::mem::size_of;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Float64Array, ListArray, RecordBatch};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Float64Type, Schema};
use datafusion::common::{DataFusionError, Result, ScalarValue, internal_err, plan_err};
use datafusion::logical_expr::function::{AccumulatorArgs, AggregateFunctionSimplification, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, ColumnarValue, EmitTo, GroupsAccumulator, Signature,
};

/// The engine's name for it.
pub(crate) const NAME: &str = "percentile_cont";

/// The aggregate, around the engine's.
#[derive(Debug, PartialEq, Eq, Hash)]
pub(crate) struct Percentile {
    pub(crate) inner: Arc<AggregateUDF>,
}

impl AggregateUDFImpl for Percentile {
    fn name(&self) -> &str {
        NAME
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

    fn state_fields(&self, args: StateFieldsArgs) -> Result<Vec<FieldRef>> {
        self.inner.state_fields(args)
    }

    fn accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn Accumulator>> {
        if !is_double(&args) {
            return self.inner.accumulator(args);
        }
        Ok(Box::new(Values { at: percentile(&args)?, distinct: args.is_distinct, values: VecDeque::new() }))
    }

    fn groups_accumulator_supported(&self, args: AccumulatorArgs) -> bool {
        self.inner.groups_accumulator_supported(args)
    }

    fn create_groups_accumulator(&self, args: AccumulatorArgs) -> Result<Box<dyn GroupsAccumulator>> {
        if !is_double(&args) {
            return self.inner.create_groups_accumulator(args);
        }
        Ok(Box::new(Groups { at: percentile(&args)?, values: Vec::new(), bytes: 0 }))
    }

    fn simplify(&self) -> Option<AggregateFunctionSimplification> {
        self.inner.simplify()
    }

    fn supports_within_group_clause(&self) -> bool {
        true
    }
}

fn is_double(args: &AccumulatorArgs) -> bool {
    args.expr_fields.first().is_some_and(|field| *field.data_type() == DataType::Float64)
}

/// Which percentile is asked for, from the least value on, in 0 to 1.
fn percentile(args: &AccumulatorArgs) -> Result<f64> {
    let Some(expr) = args.exprs.get(1) else { return plan_err!("{NAME} takes a value and a percentile") };
    let value = expr.evaluate(&RecordBatch::new_empty(Arc::new(Schema::empty())));
    let at = match value {
        Ok(ColumnarValue::Scalar(ScalarValue::Float64(Some(at)))) if (0.0..=1.0).contains(&at) => at,
        _ => return plan_err!("the percentile of {NAME} is a number from 0 to 1, such as 0.99"),
    };
    let descending = args.order_bys.first().is_some_and(|order| order.options.descending);
    Ok(if descending { 1.0 - at } else { at })
}

/// The value at `at` of 0 to 1 between the least and the greatest, on the straight line between its two neighbours.
/// Leaves the values in another order.
fn interpolate(values: &mut [f64], at: f64) -> Option<f64> {
    let last = values.len().checked_sub(1)?;
    let place = at * last as f64;
    let (below, fraction) = (place.floor() as usize, place.fract());
    let (_, lower, above) = values.select_nth_unstable_by(below.min(last), f64::total_cmp);
    let lower = *lower;
    if fraction == 0.0 {
        return Some(lower);
    }
    let upper = above.iter().copied().min_by(f64::total_cmp)?;
    Some(lower + (upper - lower) * fraction)
}

/// One group: also of a window, where values leave in the order they came.
#[derive(Debug)]
struct Values {
    at: f64,
    distinct: bool,
    values: VecDeque<f64>,
}

impl Accumulator for Values {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        let values = values[0].as_primitive::<Float64Type>();
        self.values.try_reserve(values.len()).map_err(|error| DataFusionError::External(Box::new(error)))?;
        match values.null_count() {
            0 => self.values.extend(values.values()),
            _ => self.values.extend(values.iter().flatten()),
        }
        Ok(())
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        let mut values: Vec<f64> = self.values.iter().copied().collect();
        if self.distinct {
            values.sort_unstable_by(f64::total_cmp);
            values.dedup_by_key(|value| value.to_bits());
        }
        Ok(ScalarValue::Float64(interpolate(&mut values, self.at)))
    }

    fn size(&self) -> usize {
        size_of::<Self>() + self.values.capacity() * size_of::<f64>()
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        let values = std::mem::take(&mut self.values);
        Ok(vec![ScalarValue::List(Arc::new(lists([Vec::from(values)])))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        states[0].as_list::<i32>().iter().flatten().try_for_each(|values| self.update_batch(&[values]))
    }

    fn retract_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        for value in values[0].as_primitive::<Float64Type>().iter().flatten() {
            let at = self.values.iter().position(|known| known.to_bits() == value.to_bits());
            if at.and_then(|at| self.values.remove(at)).is_none() {
                return internal_err!("{NAME} was to forget a value that it never had");
            }
        }
        Ok(())
    }

    fn supports_retract_batch(&self) -> bool {
        true
    }
}

/// Many groups.
#[derive(Debug)]
struct Groups {
    at: f64,
    values: Vec<Vec<f64>>,
    /// Of the values' memory: kept as it grows, for it is asked after every batch.
    bytes: usize,
}

impl Groups {
    fn add(&mut self, group: usize, values: &[f64]) {
        let known = &mut self.values[group];
        let before = known.capacity();
        known.extend_from_slice(values);
        self.bytes += (known.capacity() - before) * size_of::<f64>();
    }

    fn emit(&mut self, emit_to: EmitTo) -> Vec<Vec<f64>> {
        let emitted = emit_to.take_needed(&mut self.values);
        self.bytes -= emitted.iter().map(|values| values.capacity() * size_of::<f64>()).sum::<usize>();
        emitted
    }
}

impl GroupsAccumulator for Groups {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        groups: &[usize],
        filter: Option<&BooleanArray>,
        total: usize,
    ) -> Result<()> {
        self.values.resize_with(total, Vec::new);
        let values = values[0].as_primitive::<Float64Type>();
        if values.null_count() == 0 && filter.is_none() {
            for (&group, &value) in groups.iter().zip(values.values()) {
                self.add(group, &[value]);
            }
            return Ok(());
        }
        for (row, &group) in groups.iter().enumerate() {
            if let Some(value) = wanted(values, filter, row) {
                self.add(group, &[value]);
            }
        }
        Ok(())
    }

    fn convert_to_state(&self, values: &[ArrayRef], filter: Option<&BooleanArray>) -> Result<Vec<ArrayRef>> {
        let values = values[0].as_primitive::<Float64Type>();
        let each = (0..values.len()).map(|row| wanted(values, filter, row));
        Ok(vec![Arc::new(lists(each))])
    }

    fn merge_batch(&mut self, states: &[ArrayRef], groups: &[usize], total: usize) -> Result<()> {
        self.values.resize_with(total, Vec::new);
        for (&group, values) in groups.iter().zip(states[0].as_list::<i32>().iter()) {
            if let Some(values) = values {
                self.add(group, values.as_primitive::<Float64Type>().values());
            }
        }
        Ok(())
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let emitted = self.emit(emit_to);
        Ok(vec![Arc::new(lists(emitted))])
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let emitted = self.emit(emit_to);
        let found = emitted.into_iter().map(|mut values| interpolate(&mut values, self.at));
        Ok(Arc::new(Float64Array::from_iter(found)))
    }

    fn size(&self) -> usize {
        self.bytes + self.values.capacity() * size_of::<Vec<f64>>()
    }
}

/// The value of a row, where there is one and the filter takes it.
fn wanted(values: &Float64Array, filter: Option<&BooleanArray>, row: usize) -> Option<f64> {
    let taken = filter.is_none_or(|filter| filter.is_valid(row) && filter.value(row));
    (taken && values.is_valid(row)).then(|| values.value(row))
}

/// Values of groups as they go from one stage to the next.
fn lists<G: IntoIterator<Item = f64>>(groups: impl IntoIterator<Item = G>) -> ListArray {
    let (mut offsets, mut all) = (vec![0_i32], Vec::new());
    for values in groups {
        all.extend(values);
        // A stage's batch of over two thousand million values would not have fitted its memory.
        offsets.push(i32::try_from(all.len()).unwrap_or(i32::MAX));
    }
    let field = Arc::new(Field::new_list_field(DataType::Float64, true));
    let offsets = OffsetBuffer::new(ScalarBuffer::from(offsets));
    ListArray::new(field, offsets, Arc::new(Float64Array::from(all)), None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_lie_on_the_line_between_their_neighbours() {
        let mut values = [40.0, 10.0, 30.0, 20.0];
        for (at, expect) in
            [(0.0, 10.0), (1.0, 40.0), (0.5, 25.0), (1.0 / 3.0, 20.0), (0.123_456_789, 13.703_703_67)]
        {
            let found = interpolate(&mut values, at).unwrap();
            assert!((found - expect).abs() < 1e-12, "{at}: {found}, not {expect}");
        }
        assert_eq!(interpolate(&mut [], 0.5), None);
        assert_eq!(interpolate(&mut [7.0], 0.99), Some(7.0));
    }

    #[test]
    fn a_window_forgets_what_left_it() {
        let mut values = Values { at: 0.5, distinct: false, values: VecDeque::new() };
        let array = |values: Vec<Option<f64>>| -> ArrayRef { Arc::new(Float64Array::from(values)) };
        values.update_batch(&[array(vec![Some(1.0), None, Some(9.0), Some(3.0)])]).unwrap();
        assert_eq!(values.evaluate().unwrap(), ScalarValue::Float64(Some(3.0)));
        values.retract_batch(&[array(vec![Some(1.0), None])]).unwrap();
        assert_eq!(values.evaluate().unwrap(), ScalarValue::Float64(Some(6.0)));
        assert!(values.retract_batch(&[array(vec![Some(5.0)])]).is_err());
    }

    #[test]
    fn memory_is_counted_as_it_is_held() {
        let mut groups = Groups { at: 0.5, values: Vec::new(), bytes: 0 };
        let rows: ArrayRef = Arc::new(Float64Array::from_iter_values((0..1000).map(f64::from)));
        let of: Vec<usize> = (0..1000).map(|row| row % 3).collect();
        groups.update_batch(&[rows], &of, None, 3).unwrap();
        let held: usize = groups.values.iter().map(|values| values.capacity() * 8).sum();
        assert_eq!(groups.bytes, held);
        let found = groups.evaluate(EmitTo::All).unwrap();
        let found: Vec<f64> = found.as_primitive::<Float64Type>().values().to_vec();
        assert_eq!(found, [499.5, 499.0, 500.0]);
        assert_eq!(groups.bytes, 0);
    }
}
