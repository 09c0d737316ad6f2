//! `search_calls`: calls by what is known of them; what all of them come to first, then the rows.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use wirewise_model::{CallId, Viewer};

use crate::evidence::Evidence;
use crate::filter::Filter;
use crate::get_overview::Detail;
use crate::reader::Reader;
use crate::report::Report;
use crate::sql;
use crate::table::Row;
use crate::tool::{Tool, ToolError, arguments, evidence_schema, schema_of};
use crate::toolbox::Toolbox;

const DEFAULT_ROWS: usize = 15;
const MOST_ROWS: usize = 100;

pub(crate) static TOOL: Tool = Tool {
    name: "search_calls",
    title: "Search calls",
    description: "Calls that fit the filters: first how many, how they came out and how long they took (exact \
                  percentiles), by edge and endpoint, then rows with call ids. Unknown services, endpoints and hosts \
                  give zero rows and the nearest known names.",
    input_schema: schema_of::<Arguments>,
    output_schema: evidence_schema,
    read_only: true,
    payloads: false,
    run: |toolbox, arguments, viewer| Box::pin(run(toolbox, arguments, viewer)),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Data set; default `live`, else the only one.
    dataset: Option<String>,
    /// As in get_overview: `10m`, `since 14:05`, `A to B`, `all`.
    window: Option<String>,
    /// Workload, service, pod or address at either end.
    service: Option<String>,
    /// The same at the client's end.
    caller: Option<String>,
    /// The same at the server's end.
    callee: Option<String>,
    /// `http` (both versions), `dns`, `tls`, `redis`, `icmp`, `tcp` ...
    protocol: Option<String>,
    /// `/orders/{id}`, `GET /orders`, `/orders*`; also an exact target.
    endpoint: Option<String>,
    /// Host, `:authority` or SNI.
    host: Option<String>,
    /// `ok client_error server_error no_response aborted one_way open unknown`.
    outcome: Option<String>,
    /// Only failed ones (server_error, no_response, aborted), or only the others.
    failed: Option<bool>,
    /// `503`, `5xx`, `NXDOMAIN` ...
    status: Option<String>,
    /// Lasting at least so long.
    min_duration_ms: Option<f64>,
    /// Text in operation, target, endpoint, host, status or error.
    text: Option<String>,
    /// Default `newest`.
    order: Option<Order>,
    /// Rows, up to 100. Default 15.
    limit: Option<usize>,
    /// `next_cursor` of the page before, with the same filters.
    cursor: Option<String>,
    /// `detailed` has more columns.
    detail: Option<Detail>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Order {
    #[default]
    Newest,
    Oldest,
    Slowest,
}

/// Where a page begins: after this call, and in order of duration after that too.
#[derive(Clone, Debug, PartialEq)]
enum Cursor {
    After(Order, CallId),
    Slower(f64, CallId),
}

impl Cursor {
    fn parse(text: &str) -> Option<Self> {
        let (letter, rest) = text.split_once(':')?;
        match letter {
            "n" => Some(Self::After(Order::Newest, rest.parse().ok()?)),
            "o" => Some(Self::After(Order::Oldest, rest.parse().ok()?)),
            "s" => {
                let (duration, id) = rest.split_once(':')?;
                let duration: f64 = duration.parse().ok()?;
                duration.is_finite().then_some(Self::Slower(duration, id.parse().ok()?))
            }
            _ => None,
        }
    }

    fn order(&self) -> Order {
        match self {
            Self::After(order, _) => *order,
            Self::Slower(..) => Order::Slowest,
        }
    }

    fn condition(&self) -> String {
        match self {
            Self::After(Order::Oldest, id) => format!("call_id > '{id}'"),
            Self::After(Order::Newest | Order::Slowest, id) => format!("call_id < '{id}'"),
            Self::Slower(duration, id) => {
                format!("(duration_ms < {duration:?} OR (duration_ms = {duration:?} AND call_id < '{id}'))")
            }
        }
    }
}

async fn run(toolbox: &Toolbox, given: Value, viewer: &Viewer) -> Result<Evidence, ToolError> {
    let given: Arguments = arguments(TOOL.name, given)?;
    let detail = given.detail.unwrap_or_default();
    let limit = given.limit.unwrap_or(DEFAULT_ROWS).clamp(1, MOST_ROWS);
    let cursor = match given.cursor.as_deref() {
        None => None,
        Some(text) => Some(Cursor::parse(text).ok_or_else(|| {
            ToolError::tell("`cursor` must be the next_cursor of a search with the same filters")
        })?),
    };
    let order = given.order.or(cursor.as_ref().map(Cursor::order)).unwrap_or_default();
    if cursor.as_ref().is_some_and(|cursor| cursor.order() != order) {
        return Err(ToolError::tell("`cursor` belongs to a search in another order"));
    }
    let reader = Reader::open(toolbox.store(), viewer, given.dataset.as_deref(), given.window.as_deref())?;
    let filter = Filter {
        service: given.service,
        caller: given.caller,
        callee: given.callee,
        protocol: given.protocol,
        endpoint: given.endpoint,
        host: given.host,
        outcome: given.outcome,
        failed: given.failed,
        status: given.status,
        min_duration_ms: given.min_duration_ms,
        text: given.text,
    };
    let calls = format!("{} AND {}", sql::within(reader.window), filter.condition()?);

    let totals = reader.read(&format!("SELECT {} FROM calls WHERE {calls}", sql::aggregates())).await?;
    let outcomes = reader
        .read(&format!(
            "SELECT outcome, status, count(*) AS calls, min(call_id) AS example FROM calls WHERE {calls} \
             GROUP BY 1, 2 ORDER BY calls DESC LIMIT {}",
            detail.pick(8, 20)
        ))
        .await?;
    let groups = reader
        .read(&format!(
            "SELECT client_workload AS client, server_workload AS server, protocol, operation, endpoint, \
             count(*) AS calls, count(*) FILTER (WHERE failed) AS failed, {} AS p50_ms, {} AS p99_ms \
             FROM calls WHERE {calls} GROUP BY 1, 2, 3, 4, 5 ORDER BY calls DESC LIMIT {}",
            sql::percentile("duration_ms", 50.0, sql::TIMED),
            sql::percentile("duration_ms", 99.0, sql::TIMED),
            detail.pick(8, 20)
        ))
        .await?;
    let page = cursor.as_ref().map_or("true".to_owned(), Cursor::condition);
    let (timed, by) = match order {
        Order::Newest => ("true".to_owned(), "call_id DESC"),
        Order::Oldest => ("true".to_owned(), "call_id ASC"),
        Order::Slowest => {
            (format!("duration_ms IS NOT NULL AND {}", sql::TIMED), "duration_ms DESC, call_id DESC")
        }
    };
    let mut rows = reader
        .read(&format!(
            "SELECT call_id, started_at, client_workload AS client, server_workload AS server, protocol, operation, \
             endpoint, status, outcome, duration_ms, ttfb_ms, error, kind, target, host, request_bytes, response_bytes, \
             flow_id, client_ip, server_ip, server_port, server_version, trace_id, notes, CAST(duration_ms AS TEXT) AS exact \
             FROM calls WHERE {calls} AND {timed} AND {page} ORDER BY {by} LIMIT {}",
            limit + 1
        ))
        .await?;

    let mut report = Report::new(TOOL.name);
    report.budget = detail.budget();
    report.matched = totals.first().map_or(0, |row| row.count("calls"));
    let more = rows.len() > limit;
    rows.rows.truncate(limit);
    let cursors = rows.iter().map(|row| cursor_after(order, &row)).collect();
    report.counted = Some("rows");
    report.cursors = Some((cursors, more));
    if report.matched == 0 {
        report.notes.extend(filter.strangers(&reader).await?);
        if report.notes.is_empty() {
            report.note("no call fits these filters in this window");
        }
    }
    let columns: &[&str] = match detail {
        Detail::Concise => &[
            "call_id",
            "started_at",
            "client",
            "server",
            "operation",
            "endpoint",
            "status",
            "outcome",
            "duration_ms",
            "error",
        ],
        Detail::Detailed => &[
            "call_id",
            "started_at",
            "client",
            "server",
            "protocol",
            "kind",
            "operation",
            "endpoint",
            "target",
            "host",
            "status",
            "outcome",
            "duration_ms",
            "ttfb_ms",
            "error",
            "request_bytes",
            "response_bytes",
            "flow_id",
            "client_ip",
            "server_ip",
            "server_port",
            "server_version",
            "trace_id",
            "notes",
        ],
    };
    report.table("totals", "all that fit", totals);
    report.table("outcomes", "how they came out", outcomes.without_empty_columns());
    report.table("groups", "by edge and endpoint", groups.without_empty_columns());
    report.table("rows", "calls", rows.select(columns).without_empty_columns());
    let window = reader.window;
    report.finish(&reader, window).await
}

fn cursor_after(order: Order, row: &Row<'_>) -> String {
    let id = row.text("call_id");
    match order {
        Order::Newest => format!("n:{id}"),
        Order::Oldest => format!("o:{id}"),
        Order::Slowest => format!("s:{}:{id}", row.text("exact")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_read_back_and_strangers_do_not() {
        let id = "c0123456789abcdefghjkmnpqrs";
        assert!(matches!(Cursor::parse(&format!("n:{id}")), Some(Cursor::After(Order::Newest, _))));
        assert!(matches!(Cursor::parse(&format!("s:12.5:{id}")), Some(Cursor::Slower(..))));
        for text in ["", "n:", "x:c", "s:nan:c0123456789abcdefghjkmnpqrs", "n:' OR 1=1"] {
            assert_eq!(Cursor::parse(text), None, "{text}");
        }
    }
}
