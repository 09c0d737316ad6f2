//! Tests of the whole.

pub(crate) mod faults;

mod kill;
mod queries;
mod rows;
mod sql;
mod upkeep;

use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;

use serde_json::Value;
use wirewise_model::{
    Attribute, CallId, CaptureId, ClosedBy, Coverage, Endpoint, FlowId, FlowState, FlowSummary, Frames, Kind,
    Note, Outcome, PacketNumber, Peers, SideCounters, Source, Timestamp, Transport, Vantage, Viewer,
    Workload,
};
use wirewise_redact::{Batch, CaptureInfo, FlowRecord, Heard, Loss, Payload, Record, RecordFields};

use crate::{QueryStream, Scope, Store, StoreError, StoreOptions};

/// 2026-11-24T04:00:00Z.
pub(crate) const START: i64 = 1_795_492_800_000_000_000;
pub(crate) const SECOND: i64 = 1_000_000_000;
pub(crate) const HOUR: i64 = 3600 * SECOND;

/// Fields of an ordinary call, the `n`th of its capture, a second after the one before.
pub(crate) fn fields(n: u64) -> RecordFields {
    let started = Timestamp::from_nanos(START + n as i64 * SECOND);
    let end = |last: u8, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port);
    RecordFields {
        id: CallId::new(started, n),
        flow: FlowId::new(started, n / 10),
        heard: heard(),
        exchange_key: n,
        started,
        observed_until: Timestamp::from_nanos(started.nanos() + 5_000_000),
        duration_nanos: Some(5_000_000 + n),
        ttfb_nanos: Some(1_500_000),
        protocol: "http1".into(),
        carrier: "tcp".into(),
        transport: Transport::Tcp,
        kind: Kind::Unary,
        operation: "GET".into(),
        target: format!("/orders/{n}"),
        endpoint: None,
        host: Some("orders".into()),
        status: Some("200".into()),
        status_code: Some(200),
        outcome: Outcome::Ok,
        error: None,
        client: end(1, 40_000),
        server: end(2, 80),
        peers: Peers { client: named("gateway", "front"), server: named("orders", "shop") },
        request_bytes: 100,
        response_bytes: 900,
        request_frames: frames(&[n * 2 + 1]),
        response_frames: frames(&[n * 2 + 2]),
        encrypted: false,
        source: Source::Packets,
        principal: None,
        trace_id: Some(format!("{n:032x}")),
        span_id: None,
        parent_span_id: None,
        redactions: vec!["bearer@authorization".into()],
        notes: vec![Note::from("retransmitted")],
        attributes: vec![Attribute { name: "http.route".into(), value: "/orders/{id}".into() }],
        coverage: Coverage::Whole,
        revision: 0,
        request: Some(Payload { headers: vec![("host".into(), "orders".into())], ..Payload::default() }),
        response: Some(Payload {
            headers: vec![("content-type".into(), "application/json".into())],
            body: Some(format!("{{\"order\":{n}}}")),
            body_bytes: 11,
            truncated: false,
        }),
    }
}

pub(crate) fn record(fields: &RecordFields) -> Record {
    Record::decode(&postcard::to_stdvec(fields).unwrap()).unwrap()
}

pub(crate) fn call(n: u64) -> Record {
    record(&fields(n))
}

fn named(workload: &str, namespace: &str) -> Workload {
    Workload { workload: workload.into(), namespace: Some(namespace.into()), ..Workload::default() }
}

fn frames(numbers: &[u64]) -> Frames {
    let mut frames = Frames::default();
    numbers.iter().for_each(|&number| frames.push(PacketNumber(number)));
    frames
}

fn heard() -> Heard {
    Heard { capture: CaptureId("c0ffee".into()), node: None, vantage: Vantage::Between }
}

pub(crate) fn flow(n: u64) -> FlowRecord {
    let call = fields(n);
    FlowRecord {
        summary: FlowSummary {
            id: FlowId::new(call.started, n),
            transport: Transport::Tcp,
            client: call.client,
            server: call.server,
            started: call.started,
            ended: call.observed_until,
            first_packet: PacketNumber(n * 2 + 1),
            last_packet: PacketNumber(n * 2 + 2),
            client_sent: SideCounters { packets: 3, bytes: 100, out_of_order: 1, ..SideCounters::default() },
            server_sent: SideCounters { packets: 4, bytes: 900, out_of_order: 2, ..SideCounters::default() },
            handshake: Some(std::time::Duration::from_micros(250)),
            rtt_p50: None,
            rtt_p99: None,
            state: FlowState::Closed,
            closed_by: ClosedBy::Nobody,
            calls: 1,
            tls: None,
            notes: Vec::new(),
        },
        peers: call.peers,
        heard: heard(),
    }
}

pub(crate) fn capture(id: &str) -> CaptureInfo {
    CaptureInfo {
        id: CaptureId(id.into()),
        path: None,
        frames: 0,
        first_at: None,
        last_at: None,
        complete: false,
    }
}

/// A batch of the calls `numbers` of the data set `dataset`.
pub(crate) fn batch(dataset: &str, sequence: u64, numbers: impl IntoIterator<Item = u64>) -> Batch {
    Batch {
        dataset: dataset.into(),
        capture: capture("c0ffee"),
        epoch: 1,
        sequence,
        calls: numbers.into_iter().map(call).collect(),
        flows: Vec::new(),
        losses: Vec::new(),
    }
}

pub(crate) fn loss(n: u64, reason: &'static str, count: u64) -> Loss {
    let at = Timestamp::from_nanos(START + n as i64 * SECOND);
    Loss { at, node: None, stage: "flow".into(), reason: reason.into(), count }
}

/// No upkeep but what a test asks for.
pub(crate) fn quiet() -> StoreOptions {
    // The calls are of a fixed day: no clock of today shall make them too old.
    let keep_for = std::time::Duration::from_secs(100 * 365 * 24 * 3_600);
    StoreOptions { upkeep: false, threads: 2, keep_for, ..StoreOptions::default() }
}

pub(crate) async fn open(dir: &Path) -> Store {
    Store::open(dir, quiet()).await.unwrap()
}

pub(crate) fn scope(dataset: &str) -> Scope {
    Scope::new(dataset, &Viewer::owner())
}

/// The rows of a query over `dataset`, each as its cells.
pub(crate) async fn rows_of(store: &Store, dataset: &str, sql: &str) -> Vec<Vec<Value>> {
    let rows = store.query_rows(sql, &scope(dataset)).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    rows.rows.into_iter().map(|row| row.into_iter().map(|(_, value)| value).collect()).collect()
}

/// The single number that a query gives.
pub(crate) async fn number(store: &Store, sql: &str) -> i64 {
    rows_of(store, "live", sql).await[0][0].as_i64().unwrap()
}

pub(crate) async fn fails(store: &Store, sql: &str) -> StoreError {
    let ended: Result<_, StoreError> = async {
        let stream: QueryStream = store.query(sql, &scope("live")).await?;
        stream.rows().await
    }
    .await;
    match ended {
        Err(error) => error,
        Ok(rows) => panic!("{sql} gave {rows:?}"),
    }
}
