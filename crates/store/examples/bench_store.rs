//! One side of `cargo xtask bench store`: writes generated calls into a synced store, or runs queries over them, and
//! says in JSON what CPU it took. The other side is DuckDB over the same files.
//!
//! ```text
//! bench_store write DIR ROWS            one JSON object
//! bench_store query DIR FILE RUNS       FILE holds NAME <tab> SQL lines; one JSON object a query
//! ```

use std::io::{Error, Write};
use std::net::{IpAddr, Ipv4Addr};
use std::path::Path;
use std::time::Instant;

use serde_json::json;
use wirewise_model::{
    CallId, CaptureId, Coverage, Endpoint, FlowId, Frames, Kind, NameSource, Outcome, PacketNumber, Peers,
    Source, Timestamp, Transport, Vantage, Viewer, Workload,
};
use wirewise_redact::{Batch, CaptureInfo, Heard, Payload, Record, RecordFields};
use wirewise_store::{Scope, Store, StoreOptions};

/// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

type Outcomes<T> = Result<T, Box<dyn std::error::Error>>;

const DATASET: &str = "bench";
/// 2026-11-24T04:00:00Z.
const START: i64 = 1_795_492_800_000_000_000;
const SPAN: i64 = 6 * 3_600_000_000_000;
const WORKLOADS: u64 = 60;
const ENDPOINTS: usize = 500;
/// Rows of a batch: what an agent ships at once.
const BATCH: u64 = 1_000;

fn main() -> Outcomes<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match words.as_slice() {
        ["write", dir, rows] => runtime.block_on(write(Path::new(dir), rows.parse()?)),
        ["query", dir, file, runs] => runtime.block_on(query(Path::new(dir), Path::new(file), runs.parse()?)),
        _ => Err("bench_store write DIR ROWS | bench_store query DIR FILE RUNS".into()),
    }
}

async fn write(dir: &Path, rows: u64) -> Outcomes<()> {
    let traffic = Traffic::new(rows);
    let store = Store::open(dir, StoreOptions::default()).await?;
    let (mut bytes, mut making) = (0, 0);
    let (begun, before) = (Instant::now(), process_nanos()?);
    for sequence in 0..rows.div_ceil(BATCH) {
        // Making the rows is another's work: its time is taken off. It runs on this thread alone.
        let own = thread_nanos()?;
        let numbers = sequence * BATCH..((sequence + 1) * BATCH).min(rows);
        let mut calls = Vec::with_capacity(BATCH as usize);
        for number in numbers {
            let encoded = postcard::to_stdvec(&traffic.call(number))?;
            bytes += encoded.len();
            calls.push(Record::decode(&encoded)?);
        }
        let batch = Batch {
            dataset: DATASET.into(),
            capture: CaptureInfo {
                id: CaptureId("bench".into()),
                path: None,
                frames: 0,
                first_at: None,
                last_at: None,
                complete: false,
            },
            epoch: 0,
            sequence,
            calls,
            flows: Vec::new(),
            losses: Vec::new(),
        };
        making += thread_nanos()? - own;
        store.append(batch).await?;
    }
    store.flush().await?;
    let cpu = process_nanos()? - before - making;
    let seconds = begun.elapsed().as_secs_f64();
    store.maintain().await?;
    let merged = process_nanos()? - before - making;
    let known = store.resolve_dataset(Some(DATASET))?;
    store.close().await;
    say(&json!({
        "rows": rows, "row_bytes": bytes as f64 / rows as f64, "cpu_seconds": cpu as f64 / 1e9,
        "cpu_seconds_merged": merged as f64 / 1e9, "seconds": seconds, "stored": known.calls,
        "file_bytes": known.bytes, "trace": traffic.call(rows / 2).trace_id,
    }))
}

async fn query(dir: &Path, file: &Path, runs: u32) -> Outcomes<()> {
    let options = StoreOptions { threads: 1, ..StoreOptions::default() };
    let store = Store::open_existing(dir, options).await?;
    let scope = Scope::new(DATASET, &Viewer::owner());
    for line in std::fs::read_to_string(file)?.lines() {
        let (name, sql) = line.split_once('\t').ok_or("a line is NAME <tab> SQL")?;
        let first = store.query_rows(sql, &scope).await?;
        let mut taken = Vec::new();
        for _ in 0..runs {
            let before = process_nanos()?;
            store.query_batches(sql, &scope).await?;
            taken.push(process_nanos()? - before);
        }
        taken.sort_unstable();
        let rows: Vec<Vec<_>> = first.rows.into_iter().map(|row| row.into_values().collect()).collect();
        say(&json!({ "name": name, "cpu_ms": taken[taken.len() / 2] as f64 / 1e6, "rows": rows }))?;
    }
    Ok(())
}

fn say(value: &serde_json::Value) -> Outcomes<()> {
    Ok(writeln!(std::io::stdout(), "{value}")?)
}

/// CPU time of all threads that live: those of a store and of its queries live as long as it does.
fn process_nanos() -> Result<u64, Error> {
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        // One that ended meanwhile took its account along.
        sum += on_cpu(&task?.path().join("schedstat")).unwrap_or(0);
    }
    Ok(sum)
}

fn thread_nanos() -> Result<u64, Error> {
    on_cpu(Path::new("/proc/thread-self/schedstat"))
}

/// The first number of schedstat is nanoseconds on a CPU.
fn on_cpu(path: &Path) -> Result<u64, Error> {
    let text = std::fs::read_to_string(path)?;
    let first = text.split_whitespace().next().and_then(|word| word.parse().ok());
    first.ok_or_else(|| Error::other("no time in schedstat"))
}

/// Six hours of calls between workloads, by number.
struct Traffic {
    rows: u64,
    /// Running sums of the endpoints' shares, which fall as Zipf says.
    shares: Vec<f64>,
}

impl Traffic {
    fn new(rows: u64) -> Self {
        let mut sum = 0.0;
        let shares = (1..=ENDPOINTS).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        Self { rows, shares: shares.collect() }
    }

    fn call(&self, n: u64) -> RecordFields {
        let mut random = Random(n);
        let place = random.unit() * self.shares[ENDPOINTS - 1];
        let endpoint = self.shares.partition_point(|&share| share < place).min(ENDPOINTS - 1) as u64;
        let server = endpoint * 7 % WORKLOADS;
        let client = (server + 1 + random.below(5)) % WORKLOADS;
        let started = START + (SPAN as i128 * i128::from(n) / i128::from(self.rows)) as i64;
        let duration = (2e6 * (1.0 + (endpoint % 17) as f64) / (1.0 - random.unit()).sqrt()) as u64;
        let (status, outcome) = match random.below(100) {
            0 => (503, Outcome::ServerError),
            1 => (500, Outcome::ServerError),
            2..5 => (404, Outcome::ClientError),
            _ => (200, Outcome::Ok),
        };
        let order = random.below(1_000_000);
        let item = random.below(100_000);
        let trace = Random(n / 3);
        let post = endpoint.is_multiple_of(4);
        let at = Timestamp::from_nanos(started);
        let flow = n % 997 + n / 20_000 * 1_000;
        let note = if n.is_multiple_of(1_009) { "card_declined by issuer" } else { "accepted" };
        RecordFields {
            id: CallId::new(at, n),
            flow: FlowId::new(Timestamp::from_nanos(started / 60_000_000_000 * 60_000_000_000), flow),
            heard: Heard {
                capture: CaptureId("bench".into()),
                node: Some(format!("node-{}", server % 8)),
                vantage: Vantage::Server,
            },
            exchange_key: Random(n ^ 0x55).next(),
            started: at,
            observed_until: Timestamp::from_nanos(started + duration as i64),
            duration_nanos: Some(duration),
            ttfb_nanos: Some(duration / 2),
            protocol: if server.is_multiple_of(3) { "http2" } else { "http1" }.into(),
            carrier: "tcp".into(),
            transport: Transport::Tcp,
            kind: Kind::Unary,
            operation: if post { "POST" } else { "GET" }.into(),
            target: format!("/v1/{}/{order}?expand=lines", name(endpoint)),
            endpoint: None,
            host: Some(format!("svc-{server}.shop.svc.cluster.local:8080")),
            status: Some(status.to_string()),
            status_code: Some(status),
            outcome,
            error: None,
            client: end(client, 30_000 + (flow % 20_000) as u16),
            server: end(server, 8_080),
            peers: Peers { client: workload(client), server: workload(server) },
            request_bytes: 420 + item % 100,
            response_bytes: 510 + item % 300,
            request_frames: frame(2 * n + 1),
            response_frames: frame(2 * n + 2),
            encrypted: false,
            source: Source::Packets,
            principal: None,
            trace_id: Some(format!("{:016x}{:016x}", trace.again(1), trace.again(2))),
            span_id: Some(format!("{:016x}", random.next())),
            parent_span_id: None,
            redactions: vec!["bearer@header.authorization".into()],
            notes: Vec::new(),
            attributes: Vec::new(),
            coverage: Coverage::Whole,
            revision: 0,
            request: Some(Payload {
                headers: headers(&[
                    ("host", &format!("svc-{server}.shop.svc.cluster.local:8080")),
                    ("user-agent", "shop-client/1.4 (linux; amd64)"),
                    ("accept", "application/json"),
                    ("accept-encoding", "gzip, deflate"),
                    ("authorization", "[redacted:bearer]"),
                    ("x-request-id", &format!("{:016x}", random.next())),
                ]),
                body: post
                    .then(|| format!("{{\"order\":{order},\"item\":{item},\"quantity\":{}}}", item % 9)),
                body_bytes: if post { 48 } else { 0 },
                truncated: false,
            }),
            response: Some(Payload {
                headers: headers(&[
                    ("content-type", "application/json; charset=utf-8"),
                    ("cache-control", "no-store"),
                    ("server", "envoy"),
                    ("x-envoy-upstream-service-time", &(duration / 1_000_000).to_string()),
                ]),
                body: Some(format!(
                    "{{\"id\":{order},\"customer\":{{\"name\":\"customer-{item}\",\"tier\":\"gold\"}},\"lines\":[{{\"sku\":\"sku-{item}\",\"quantity\":{},\"price\":{}}}],\"state\":\"paid\",\"note\":\"{note}\"}}",
                    item % 9,
                    order % 9_999
                )),
                body_bytes: 160,
                truncated: false,
            }),
        }
    }
}

fn end(workload: u64, port: u16) -> Endpoint {
    Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 1, 0, workload as u8 + 1)), port)
}

fn workload(number: u64) -> Workload {
    Workload {
        namespace: Some("shop".into()),
        workload: format!("svc-{number}"),
        kind: Some("Deployment".into()),
        pod: Some(format!("svc-{number}-5d8f7c9b6-x{}z", number % 10)),
        service: Some(format!("svc-{number}")),
        container: Some("app".into()),
        node: Some(format!("node-{}", number % 8)),
        version: Some("1.4.2".into()),
        name_source: NameSource::Kubernetes,
        ..Workload::default()
    }
}

/// Words without digits: with them it would be an id.
fn name(endpoint: u64) -> String {
    let letter = |number: u64| char::from(b'a' + (number % 26) as u8);
    format!("res{}{}", letter(endpoint / 26), letter(endpoint))
}

fn frame(number: u64) -> Frames {
    let mut frames = Frames::default();
    frames.push(PacketNumber(number));
    frames
}

fn headers(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// SplitMix64.
#[derive(Clone, Copy)]
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn again(self, times: u32) -> u64 {
        let mut random = self;
        (0..times).map(|_| random.next()).last().unwrap_or_default()
    }

    fn below(&mut self, most: u64) -> u64 {
        self.next() % most
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}
