//! Results as JSON: times in RFC 3339 with nanoseconds, lists as arrays, maps as objects.

use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{
    DataType, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type, Schema, TimeUnit,
    TimestampMicrosecondType, TimestampMillisecondType, TimestampNanosecondType, TimestampSecondType,
    UInt8Type, UInt16Type, UInt32Type, UInt64Type,
};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use serde::Serialize;
use serde_json::{Map, Number, Value};
use wirewise_model::Timestamp;

/// A column of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// `text`, `int`, `float`, `bool`, `time`, `list`, `map` or the engine's own word.
    pub kind: String,
}

/// A whole result.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Rows {
    /// Its columns, in order.
    pub columns: Vec<Column>,
    /// Its rows.
    pub rows: Vec<Map<String, Value>>,
    /// Whether a bound on rows or bytes cut it.
    pub truncated: bool,
}

/// The columns of a schema.
pub(crate) fn columns(schema: &Schema) -> Vec<Column> {
    let kind = |kind: &DataType| match kind {
        DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => "text".to_owned(),
        kind if kind.is_integer() => "int".to_owned(),
        kind if kind.is_floating() => "float".to_owned(),
        DataType::Boolean => "bool".to_owned(),
        DataType::Timestamp(..) => "time".to_owned(),
        DataType::List(_) | DataType::LargeList(_) | DataType::FixedSizeList(..) => "list".to_owned(),
        DataType::Map(..) | DataType::Struct(_) => "map".to_owned(),
        other => other.to_string().to_lowercase(),
    };
    schema
        .fields()
        .iter()
        .map(|field| Column { name: field.name().clone(), kind: kind(field.data_type()) })
        .collect()
}

/// The rows of a batch as objects.
pub fn to_rows(batch: &RecordBatch) -> Vec<Map<String, Value>> {
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    (0..batch.num_rows())
        .map(|row| {
            let cells = names.iter().zip(batch.columns());
            cells.map(|(name, column)| ((*name).to_owned(), value(column, row))).collect()
        })
        .collect()
}

/// A text as a literal of SQL, quotes included.
pub fn sql_text(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn value(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    let float = |number: f64| Number::from_f64(number).map_or(Value::Null, Value::Number);
    let time = |nanos: Option<i64>| nanos.map(|nanos| Value::from(Timestamp::from_nanos(nanos).rfc3339()));
    match array.data_type() {
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::LargeUtf8 => array.as_string::<i64>().value(row).into(),
        DataType::Utf8View => array.as_string_view().value(row).into(),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::UInt8 => array.as_primitive::<UInt8Type>().value(row).into(),
        DataType::UInt16 => array.as_primitive::<UInt16Type>().value(row).into(),
        DataType::UInt32 => array.as_primitive::<UInt32Type>().value(row).into(),
        DataType::UInt64 => array.as_primitive::<UInt64Type>().value(row).into(),
        DataType::Float32 => float(f64::from(array.as_primitive::<Float32Type>().value(row))),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Decimal128(..) | DataType::Decimal256(..) => {
            let text = display(array, row);
            text.parse::<f64>().ok().map_or(Value::String(text), float)
        }
        DataType::Timestamp(TimeUnit::Nanosecond, _) => {
            time(Some(array.as_primitive::<TimestampNanosecondType>().value(row))).unwrap_or_default()
        }
        DataType::Timestamp(TimeUnit::Microsecond, _) => {
            time(array.as_primitive::<TimestampMicrosecondType>().value(row).checked_mul(1_000))
                .unwrap_or_default()
        }
        DataType::Timestamp(TimeUnit::Millisecond, _) => {
            time(array.as_primitive::<TimestampMillisecondType>().value(row).checked_mul(1_000_000))
                .unwrap_or_default()
        }
        DataType::Timestamp(TimeUnit::Second, _) => {
            time(array.as_primitive::<TimestampSecondType>().value(row).checked_mul(1_000_000_000))
                .unwrap_or_default()
        }
        DataType::List(_) => list(&array.as_list::<i32>().value(row)),
        DataType::LargeList(_) => list(&array.as_list::<i64>().value(row)),
        DataType::FixedSizeList(..) => list(&array.as_fixed_size_list().value(row)),
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let (keys, values) = (entries.column(0), entries.column(1));
            let mut map = Map::new();
            for entry in 0..entries.len() {
                let key = display(keys, entry);
                let new = value(values, entry);
                match map.get_mut(&key) {
                    // A header field that came several times.
                    Some(Value::String(known)) => {
                        known.push_str(", ");
                        known.push_str(new.as_str().unwrap_or_default());
                    }
                    _ => {
                        map.insert(key, new);
                    }
                }
            }
            Value::Object(map)
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            fields
                .iter()
                .zip(columns)
                .map(|(field, column)| (field.name().clone(), value(column, row)))
                .collect()
        }
        DataType::Dictionary(..) => match arrow::compute::cast(array, &DataType::Utf8) {
            Ok(plain) => value(&plain, row),
            Err(_) => Value::String(display(array, row)),
        },
        _ => Value::String(display(array, row)),
    }
}

fn list(values: &ArrayRef) -> Value {
    (0..values.len()).map(|row| value(values, row)).collect()
}

fn display(array: &ArrayRef, row: usize) -> String {
    let options = FormatOptions::default();
    ArrayFormatter::try_new(array, &options)
        .map(|formatter| formatter.value(row).to_string())
        .unwrap_or_default()
}
