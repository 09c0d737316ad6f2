//! `get_call`: one call (or flow) in full, but for its payload, with its flow and its neighbours.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use wirewise_model::Viewer;

use crate::evidence::{Evidence, MOST_TOKENS};
use crate::reader::Reader;
use crate::report::Report;
use crate::sql;
use crate::table::Table;
use crate::tool::{Tool, ToolError, arguments, evidence_schema, schema_of};
use crate::toolbox::Toolbox;

/// Calls beside the one asked for.
const NEIGHBOURS: usize = 20;

const COLUMNS: &str = "call_id, started_at, client_workload AS client, server_workload AS server, protocol, operation, \
                       endpoint, status, outcome, duration_ms";

pub(crate) static TOOL: Tool = Tool {
    name: "get_call",
    title: "One call",
    description: "All that is known of one call but its payload: times, ends, outcome, error, its flow (retransmissions, \
                  handshake, TLS), and its neighbours: the same trace, else the calls that its server made meanwhile \
                  and those beside it on the flow. Takes a call id or flow id, or a prefix that only one has.",
    input_schema: schema_of::<Arguments>,
    output_schema: evidence_schema,
    read_only: true,
    payloads: false,
    run: |toolbox, arguments, viewer| Box::pin(run(toolbox, arguments, viewer)),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// `c...` of a call or `f...` of a flow.
    id: String,
    /// Data set; default `live`, else the only one.
    dataset: Option<String>,
}

/// What an id begins like, checked before it becomes SQL.
pub(crate) fn prefix(id: &str) -> Result<String, ToolError> {
    let id = id.trim().trim_matches(['[', ']']).to_lowercase();
    let known = id.starts_with(['c', 'f']) && id.len() >= 4 && id.len() <= 27;
    if known && id.chars().all(|letter| letter.is_ascii_alphanumeric()) {
        return Ok(id);
    }
    Err(ToolError::tell(format!(
        "`{}` is no id: a call's is `c` and 26 letters or digits, a flow's `f` and 26; a prefix of 4 or more will do",
        crate::table::plain(&id, 40)
    )))
}

/// The rows of `table` whose `column` begins so: exactly one, or what is wrong.
pub(crate) async fn only_one(
    reader: &Reader<'_>,
    table: &str,
    column: &str,
    id: &str,
) -> Result<Table, ToolError> {
    let condition = if id.len() == 27 {
        format!("{column} = {}", sql::text(id))
    } else {
        format!("starts_with({column}, {})", sql::text(id))
    };
    let found =
        reader.read(&format!("SELECT * FROM {table} WHERE {condition} ORDER BY {column} LIMIT 6")).await?;
    match found.len() {
        1 => Ok(found),
        0 => Err(ToolError::tell(format!(
            "nothing in data set {} has an id that begins with {id}; ids come from search_calls, query_sql and the \
             other tools",
            reader.info.name
        ))),
        _ => {
            let ids: Vec<&str> = found.iter().map(|row| row.text(column)).collect();
            Err(ToolError::tell(format!("{id} is not one id: {}", ids.join(", "))))
        }
    }
}

async fn run(toolbox: &Toolbox, given: Value, viewer: &Viewer) -> Result<Evidence, ToolError> {
    let given: Arguments = arguments(TOOL.name, given)?;
    let id = prefix(&given.id)?;
    let reader = Reader::open(toolbox.store(), viewer, given.dataset.as_deref(), Some("all"))?;
    let mut report = Report::new(TOOL.name);
    report.budget = MOST_TOKENS / 2;
    report.matched = 1;
    report.returned = 1;
    if id.starts_with('f') {
        let flow = only_one(&reader, "flows", "flow_id", &id).await?;
        let flow_id = flow.first().map(|row| row.text("flow_id").to_owned()).unwrap_or_default();
        let calls = reader
            .read(&format!(
                "SELECT {COLUMNS} FROM calls WHERE flow_id = {} ORDER BY call_id LIMIT {NEIGHBOURS}",
                sql::text(&flow_id)
            ))
            .await?;
        report.table("flow", "flow", upright(&flow));
        report.table("calls", "its calls", calls.without_empty_columns());
        let window = reader.whole;
        return report.finish(&reader, window).await;
    }
    let call = only_one(&reader, "calls", "call_id", &id).await?;
    let Some(row) = call.first() else {
        return Err(ToolError::Fail("a row that was found is gone".to_owned()));
    };
    let (call_id, flow_id, trace) = (row.text("call_id"), row.text("flow_id"), row.text("trace_id"));
    report.fact("call_id", call_id);
    let flow =
        reader.read(&format!("SELECT * FROM flows WHERE flow_id = {} LIMIT 1", sql::text(flow_id))).await?;
    report.table("call", "call", upright(&call));
    if flow.is_empty() {
        report.note("its flow is not in the flows table yet: it is still open, or its end was not heard");
    }
    report.table("flow", "its flow", upright(&flow));
    if !trace.is_empty() {
        let neighbours = reader
            .read(&format!(
                "SELECT {COLUMNS}, span_id, parent_span_id FROM calls WHERE trace_id = {} AND call_id <> {} \
                 ORDER BY call_id LIMIT {NEIGHBOURS}",
                sql::text(trace),
                sql::text(call_id)
            ))
            .await?;
        report.table("trace", "other calls of its trace", neighbours.without_empty_columns());
    }
    let meanwhile = reader
        .read(&format!(
            "SELECT {COLUMNS} FROM calls WHERE client_workload = {} AND started_at >= TIMESTAMP '{}' \
             AND started_at <= TIMESTAMP '{}' AND call_id <> {} ORDER BY duration_ms DESC NULLS LAST LIMIT {}",
            sql::text(row.text("server_workload")),
            row.text("started_at"),
            row.text("observed_until"),
            sql::text(call_id),
            NEIGHBOURS / 2,
        ))
        .await?;
    report.table(
        "meanwhile",
        "calls that its server made while it lasted, longest first",
        meanwhile.without_empty_columns(),
    );
    let beside = reader
        .read(&format!(
            "SELECT {COLUMNS} FROM calls WHERE flow_id = {} AND call_id <> {} ORDER BY call_id LIMIT {}",
            sql::text(flow_id),
            sql::text(call_id),
            NEIGHBOURS / 2,
        ))
        .await?;
    report.table("beside", "other calls on its flow", beside.without_empty_columns());
    let window = reader.whole;
    report.finish(&reader, window).await
}

/// One row as two columns, without what is null or empty.
pub(crate) fn upright(table: &Table) -> Table {
    let mut upright = Table::new(&["field", "value"]);
    let Some(row) = table.rows.first() else { return upright };
    for (name, value) in table.columns.iter().zip(row) {
        let empty = match value {
            Value::Null => true,
            Value::Array(values) => values.is_empty(),
            Value::Object(fields) => fields.is_empty(),
            Value::Bool(_) | Value::Number(_) | Value::String(_) => false,
        };
        if !empty {
            upright.rows.push(vec![Value::from(name.clone()), value.clone()]);
        }
    }
    upright
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_checked_before_they_become_sql() {
        assert_eq!(prefix(" [C01abc] "), Ok("c01abc".to_owned()));
        for text in ["", "c", "x0123", "c01'; DROP", "c0123456789abcdefghjkmnpqrsXX"] {
            assert!(prefix(text).is_err(), "{text}");
        }
    }
}
