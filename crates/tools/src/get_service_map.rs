//! `get_service_map`: who calls whom, how it goes, and how the network between them does.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use wirewise_model::Viewer;

use crate::evidence::Evidence;
use crate::filter::{Filter, flow_end_is};
use crate::get_overview::Detail;
use crate::reader::Reader;
use crate::report::Report;
use crate::sql;
use crate::tool::{Tool, ToolError, arguments, evidence_schema, schema_of};
use crate::toolbox::Toolbox;

const DEFAULT_EDGES: usize = 15;
const MOST_EDGES: usize = 200;

pub(crate) static TOOL: Tool = Tool {
    name: "get_service_map",
    title: "Service map",
    description: "Who calls whom: edges client -> server by protocol with calls, failures, latency (p50, p99, time to \
                  first byte), bytes, an example; and per pair of ends the network's own figures from the flows: \
                  retransmissions, handshake and round-trip times, refusals, resets, unanswered SYNs, zero windows. \
                  For network-or-server questions compare ttfb with round-trip times.",
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
    /// As in get_overview.
    window: Option<String>,
    /// Only edges from or to this service.
    service: Option<String>,
    /// Only edges from it.
    caller: Option<String>,
    /// Only edges to it.
    callee: Option<String>,
    /// Only this protocol; `http` for both versions.
    protocol: Option<String>,
    /// Edges, up to 200. Default 15.
    limit: Option<usize>,
    /// `concise` or `detailed`.
    detail: Option<Detail>,
}

async fn run(toolbox: &Toolbox, given: Value, viewer: &Viewer) -> Result<Evidence, ToolError> {
    let given: Arguments = arguments(TOOL.name, given)?;
    let detail = given.detail.unwrap_or_default();
    let limit = given.limit.unwrap_or(DEFAULT_EDGES).clamp(1, MOST_EDGES);
    let reader = Reader::open(toolbox.store(), viewer, given.dataset.as_deref(), given.window.as_deref())?;
    let filter = Filter {
        service: given.service,
        caller: given.caller,
        callee: given.callee,
        protocol: given.protocol,
        ..Filter::default()
    };
    let calls = format!("{} AND {}", sql::within(reader.window), filter.condition()?);
    let n_edges = reader
        .count(&format!(
            "SELECT count(*) AS n FROM (SELECT DISTINCT client_workload, server_workload, protocol FROM calls WHERE {calls}) AS edges"
        ))
        .await?;
    let edges = reader
        .read(&format!(
            "SELECT client_workload AS client, server_workload AS server, protocol, count(*) AS calls, \
             count(*) FILTER (WHERE failed) AS failed, count(*) FILTER (WHERE outcome = 'client_error') AS client_errors, \
             count(duration_ms) FILTER (WHERE {timed}) AS timed, {p50} AS p50_ms, {p99} AS p99_ms, \
             {ttfb50} AS ttfb_p50_ms, {ttfb99} AS ttfb_p99_ms, sum(request_bytes + response_bytes) AS bytes, \
             min(call_id) AS example, min(call_id) FILTER (WHERE failed) AS failed_example, \
             first_value(call_id ORDER BY duration_ms DESC NULLS LAST) FILTER (WHERE {timed} AND duration_ms IS NOT NULL) AS slow_example \
             FROM calls WHERE {calls} GROUP BY 1, 2, 3 ORDER BY calls DESC LIMIT {limit}",
            timed = sql::TIMED,
            p50 = sql::percentile("duration_ms", 50.0, sql::TIMED),
            p99 = sql::percentile("duration_ms", 99.0, sql::TIMED),
            ttfb50 = sql::percentile("ttfb_ms", 50.0, sql::TIMED),
            ttfb99 = sql::percentile("ttfb_ms", 99.0, sql::TIMED),
        ))
        .await?;
    let mut ends = vec![sql::alive_within(reader.window)];
    if let Some(name) = &filter.service {
        ends.push(format!("({} OR {})", flow_end_is("client", name), flow_end_is("server", name)));
    }
    if let Some(name) = &filter.caller {
        ends.push(flow_end_is("client", name));
    }
    if let Some(name) = &filter.callee {
        ends.push(flow_end_is("server", name));
    }
    let network = reader
        .read(&format!(
            "SELECT client_workload AS client, server_workload AS server, transport, count(*) AS flows, \
             sum(client_packets + server_packets) AS packets, sum(client_bytes + server_bytes) AS bytes, \
             sum(client_retransmissions + server_retransmissions) AS retransmissions, \
             100.0 * CAST(sum(client_retransmissions + server_retransmissions) AS DOUBLE) / \
             CAST(nullif(sum(client_packets + server_packets), 0) AS DOUBLE) AS retransmitted_pct, \
             sum(out_of_order) AS out_of_order, sum(zero_windows) AS zero_windows, \
             count(handshake_ms) AS handshakes, {h50} AS handshake_p50_ms, {h99} AS handshake_p99_ms, \
             {r50} AS rtt_p50_ms, max(rtt_p99_ms) AS rtt_max_p99_ms, \
             count(*) FILTER (WHERE state = 'refused') AS refused, count(*) FILTER (WHERE state = 'reset') AS reset, \
             count(*) FILTER (WHERE state = 'timed_out') AS timed_out, \
             first_value(flow_id ORDER BY client_retransmissions + server_retransmissions DESC) AS example \
             FROM flows WHERE {ends} GROUP BY 1, 2, 3 ORDER BY packets DESC LIMIT {limit}",
            h50 = sql::percentile("handshake_ms", 50.0, "handshake_ms IS NOT NULL"),
            h99 = sql::percentile("handshake_ms", 99.0, "handshake_ms IS NOT NULL"),
            r50 = sql::percentile("rtt_p50_ms", 50.0, "rtt_p50_ms IS NOT NULL"),
            ends = ends.join(" AND "),
        ))
        .await?;
    let mut report = Report::new(TOOL.name);
    report.budget = detail.budget();
    report.matched = n_edges;
    report.truncated = n_edges > edges.len() as u64;
    if n_edges == 0 {
        report.notes.extend(filter.strangers(&reader).await?);
        if report.notes.is_empty() {
            report.note("no call fits these filters in this window");
        }
    }
    report.counted = Some("edges");
    report.table("edges", "edges", edges.without_empty_columns());
    report.table("network", "network between them", network.without_empty_columns());
    let window = reader.window;
    report.finish(&reader, window).await
}
