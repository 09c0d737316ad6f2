//! `query_sql`: read-only SQL over the tables, for what no other tool asks.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use wirewise_model::Viewer;

use crate::evidence::Evidence;
use crate::get_overview::Detail;
use crate::reader::Reader;
use crate::report::Report;
use crate::tool::{Tool, ToolError, arguments, evidence_schema, schema_of};
use crate::toolbox::Toolbox;

const DEFAULT_ROWS: usize = 50;
const MOST_ROWS: usize = 500;

pub(crate) static TOOL: Tool = Tool {
    name: "query_sql",
    title: "SQL",
    description: "One read-only SELECT (DataFusion dialect) over one data set; now() is the data set's now. Filter by \
started_at yourself. Exact percentiles: percentile_cont(0.99) WITHIN GROUP (ORDER BY duration_ms). Tables:\n\
calls(call_id, capture_id, started_at, observed_until, duration_ms, ttfb_ms, protocol, carrier, kind, operation, \
target, endpoint, host, status, status_code, outcome, failed, error, client_ip, client_port, server_ip, server_port, \
{client,server}_{namespace,workload,kind,pod,service,container,process,node,version,name_source}, vantage, \
request_bytes, response_bytes, encrypted, source, principal, trace_id, span_id, parent_span_id, flow_id, node, \
redactions, notes, attributes)\n\
flows(flow_id, started_at, ended_at, transport, client_ip, client_port, server_ip, server_port, client_workload, \
server_workload, client_packets, server_packets, client_bytes, server_bytes, client_retransmissions, \
server_retransmissions, out_of_order, zero_windows, handshake_ms, rtt_p50_ms, rtt_p99_ms, state, closed_by, sni, alpn, \
tls_version, tls_cipher, ja3, ja4, certificate_subject, certificate_issuer, certificate_expires_at)\n\
losses(at, node, stage, reason, count)\n\
outcome: ok client_error server_error no_response aborted one_way open unknown; failed = server_error, no_response or \
aborted; kind: unary stream long_poll session message probe connection; protocol: http1 http2 dns tls icmp redis tcp udp \
..., 'http' means both. Latency is of kind = 'unary'. Select call_id to be able to cite.",
    input_schema: schema_of::<Arguments>,
    output_schema: evidence_schema,
    read_only: true,
    payloads: false,
    run: |toolbox, arguments, viewer| Box::pin(run(toolbox, arguments, viewer)),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// The query.
    sql: String,
    /// Data set; default `live`, else the only one.
    dataset: Option<String>,
    /// Rows at most, up to 500. Default 50.
    limit: Option<usize>,
    /// `concise` or `detailed` (more rows).
    detail: Option<Detail>,
}

async fn run(toolbox: &Toolbox, given: Value, viewer: &Viewer) -> Result<Evidence, ToolError> {
    let given: Arguments = arguments(TOOL.name, given)?;
    let reader = Reader::open(toolbox.store(), viewer, given.dataset.as_deref(), Some("all"))?;
    let most = given.limit.unwrap_or(DEFAULT_ROWS).clamp(1, MOST_ROWS);
    let (table, more) = reader.read_foreign(&given.sql, most).await?;
    let mut report = Report::new(TOOL.name);
    report.budget = given.detail.unwrap_or_default().budget();
    report.matched = table.len() as u64;
    report.counted = Some("rows");
    report.truncated = more;
    if more {
        report.note(format!(
            "the query gives more than these {most} rows: aggregate, narrow it, or raise `limit`"
        ));
    }
    if table.is_empty() {
        report.note("the query ran and gives no rows");
    }
    report.table("rows", "rows", table);
    let window = reader.whole;
    report.finish(&reader, window).await
}
