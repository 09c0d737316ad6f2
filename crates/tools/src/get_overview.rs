//! `get_overview`: what is going on, in one look.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use wirewise_model::Viewer;

use crate::evidence::Evidence;
use crate::filter::{Filter, flow_end_is};
use crate::reader::Reader;
use crate::report::Report;
use crate::sql;
use crate::table::Table;
use crate::tool::{Tool, ToolError, arguments, evidence_schema, schema_of};
use crate::toolbox::Toolbox;

pub(crate) static TOOL: Tool = Tool {
    name: "get_overview",
    title: "Overview",
    description: "What is going on: totals, calls, failures and exact latency percentiles by protocol and by service, \
                  top failing endpoints with example call ids, busiest edges, DNS failures, losses and capture \
                  state. Start here. `timed` is the n of the percentiles (unary calls only).",
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
    /// `10m`, `since 14:05`, `14:00 to 14:30`, RFC 3339 `A to B`, `all`; relative to the data set's now. Default: last hour of live, all of an import.
    window: Option<String>,
    /// Only calls from or to this service.
    service: Option<String>,
    /// `concise` (default) or `detailed` (more rows).
    detail: Option<Detail>,
}

/// How much is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Detail {
    #[default]
    Concise,
    Detailed,
}

impl Detail {
    /// Tokens that a result may take.
    pub(crate) fn budget(self) -> usize {
        match self {
            Self::Concise => crate::evidence::DEFAULT_TOKENS,
            Self::Detailed => crate::evidence::MOST_TOKENS,
        }
    }

    /// One of two, by how much is told.
    pub(crate) fn pick<T>(self, concise: T, detailed: T) -> T {
        match self {
            Self::Concise => concise,
            Self::Detailed => detailed,
        }
    }
}

async fn run(toolbox: &Toolbox, given: Value, viewer: &Viewer) -> Result<Evidence, ToolError> {
    let given: Arguments = arguments(TOOL.name, given)?;
    let detail = given.detail.unwrap_or_default();
    let reader = Reader::open(toolbox.store(), viewer, given.dataset.as_deref(), given.window.as_deref())?;
    let filter = Filter { service: given.service.clone(), ..Filter::default() };
    let calls = format!("{} AND {}", sql::within(reader.window), filter.condition()?);
    let aggregates = sql::aggregates();
    let most = detail.pick(8, 30);
    let mut report = Report::new(TOOL.name);
    report.budget = detail.budget();

    let totals = reader
        .read(&format!(
            "SELECT {aggregates}, count(*) FILTER (WHERE outcome = 'open') AS open, \
             count(DISTINCT server_workload) AS servers FROM calls WHERE {calls}"
        ))
        .await?;
    report.matched = totals.first().map_or(0, |row| row.count("calls"));
    let by_protocol = reader
        .read(&format!(
            "SELECT protocol, {aggregates} FROM calls WHERE {calls} GROUP BY 1 ORDER BY calls DESC LIMIT 12"
        ))
        .await?;
    // Handshakes, pings and bare connections say little of a service; those that speak a protocol come first.
    let by_service = reader
        .read(&format!(
            "SELECT server_workload AS service, protocol, {aggregates} FROM calls WHERE {calls} \
             GROUP BY 1, 2 ORDER BY timed > 0 DESC, failed DESC, calls DESC LIMIT {most}"
        ))
        .await?;
    let failing = reader
        .read(&format!(
            "SELECT server_workload AS service, protocol, operation, endpoint, outcome, status, count(*) AS failed, \
             min(error) AS error, min(call_id) AS example, max(call_id) AS last_example \
             FROM calls WHERE {calls} AND failed GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY failed DESC LIMIT {most}"
        ))
        .await?;
    let refused_clients = reader
        .read(&format!(
            "SELECT server_workload AS service, protocol, operation, endpoint, status, count(*) AS client_errors, \
             min(call_id) AS example FROM calls WHERE {calls} AND outcome = 'client_error' AND protocol <> 'dns' \
             GROUP BY 1, 2, 3, 4, 5 ORDER BY client_errors DESC LIMIT {}",
            detail.pick(4, 15)
        ))
        .await?;
    let edges = reader
        .read(&format!(
            "SELECT client_workload AS client, server_workload AS server, protocol, count(*) AS calls, \
             count(*) FILTER (WHERE failed) AS failed, {} AS p99_ms FROM calls WHERE {calls} \
             GROUP BY 1, 2, 3 ORDER BY calls DESC LIMIT {most}",
            sql::percentile("duration_ms", 99.0, sql::TIMED)
        ))
        .await?;
    let dns = reader
        .read(&format!(
            "SELECT target AS name, operation AS type, status, count(*) AS failures, \
             count(*) FILTER (WHERE array_has(notes, 'search_suffix')) AS by_search_suffix, \
             min(client_workload) AS client, min(call_id) AS example FROM calls \
             WHERE {calls} AND protocol = 'dns' AND outcome NOT IN ('ok', 'one_way', 'open', 'unknown') \
             GROUP BY 1, 2, 3 ORDER BY failures DESC LIMIT {}",
            detail.pick(5, 20)
        ))
        .await?;
    let slowest = reader
        .read(&format!(
            "SELECT call_id, client_workload AS client, server_workload AS server, operation, endpoint, status, duration_ms \
             FROM calls WHERE {calls} AND {} AND duration_ms IS NOT NULL ORDER BY duration_ms DESC LIMIT {}",
            sql::TIMED,
            detail.pick(3, 10)
        ))
        .await?;
    let flows = flows(&reader, given.service.as_deref()).await?;

    if report.matched == 0 {
        report.notes.extend(filter.strangers(&reader).await?);
    }
    report.counted = Some("by_service");
    report.table("totals", "totals", totals);
    report.table("by_protocol", "by protocol", by_protocol.without_empty_columns());
    report.table("by_service", "by service that answered", by_service.without_empty_columns());
    report.table("failing", "top failing endpoints", failing.without_empty_columns());
    report.table(
        "client_errors",
        "client errors (not counted as failed)",
        refused_clients.without_empty_columns(),
    );
    report.table("edges", "busiest edges", edges.without_empty_columns());
    report.table("dns_failures", "DNS failures", dns.without_empty_columns());
    report.table("slowest", "slowest calls", slowest.without_empty_columns());
    report.table("flows", "flows", flows);
    report.table("captures", "captures", captures(&reader));
    let window = reader.window;
    report.finish(&reader, window).await
}

async fn flows(reader: &Reader<'_>, service: Option<&str>) -> Result<Table, ToolError> {
    let ends = service.map_or("true".to_owned(), |name| {
        format!("({} OR {})", flow_end_is("client", name), flow_end_is("server", name))
    });
    reader
        .read(&format!(
            "SELECT transport, state, count(*) AS flows, sum(client_packets + server_packets) AS packets, \
             sum(client_bytes + server_bytes) AS bytes, \
             sum(client_retransmissions + server_retransmissions) AS retransmissions, \
             sum(zero_windows) AS zero_windows FROM flows WHERE {} AND {ends} \
             GROUP BY 1, 2 ORDER BY flows DESC LIMIT 10",
            sql::alive_within(reader.window)
        ))
        .await
}

/// Capture state: what was heard, until when, and whether more may come. Paths stay with the owner.
fn captures(reader: &Reader<'_>) -> Table {
    const SHOWN: usize = 5;
    let mut table = Table::new(&["capture_id", "frames", "first_at", "last_at", "state"]);
    for capture in reader.captures().iter().rev().take(SHOWN) {
        let at =
            |at: Option<wirewise_model::Timestamp>| at.map_or(Value::Null, |at| Value::from(at.rfc3339()));
        table.rows.push(vec![
            Value::from(capture.id.0.clone()),
            Value::from(capture.frames),
            at(capture.first_at),
            at(capture.last_at),
            Value::from(if capture.complete { "complete" } else { "under way, or stopped" }),
        ]);
    }
    table
}
