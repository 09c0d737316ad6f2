//! Calls without end of which the true shape is known: sixty workloads whose routes, keys, topics and names fall as
//! Zipf says, ids and names in paths, and errors of two hundred kinds. A call follows from seed and number, so that
//! tests, benchmarks and their readers speak of the same ones.
//!
//! Some of it is meant to be hard: users by name beside `/me` and beside words that no list knows, country codes,
//! errors that differ by one noun, names without quotes in them, problems in JSON.

mod failures;
mod values;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use wirewise_model::{
    CallId, CaptureId, Coverage, Endpoint, FlowId, Frames, Kind, NameSource, Outcome, Peers, Source,
    Timestamp, Transport, Vantage, Workload, stable_hash,
};
use wirewise_redact::{Heard, RecordFields};

use failures::{Failure, body, failures};
use values::{Dice, Param, Piece, filled};

/// 2026-11-24T04:00:00Z: the first call.
const START: Timestamp = Timestamp::from_parts(1_795_492_800, 0);
/// Calls begin so far apart.
const APART: Duration = Duration::from_micros(2_000);
const WORKLOADS: [&str; 60] = [
    "gateway",
    "web",
    "mobile-api",
    "orders",
    "carts",
    "payments",
    "inventory",
    "catalog",
    "search",
    "users",
    "sessions",
    "auth",
    "profiles",
    "reviews",
    "ratings",
    "shipping",
    "tracking",
    "returns",
    "refunds",
    "invoices",
    "ledger",
    "billing",
    "tax",
    "currency",
    "pricing",
    "offers",
    "coupons",
    "loyalty",
    "mailer",
    "sms",
    "push",
    "notifier",
    "audit",
    "reports",
    "metrics-sink",
    "exporter",
    "importer",
    "scheduler",
    "worker",
    "resizer",
    "media",
    "uploads",
    "storage",
    "thumbs",
    "geo",
    "routing",
    "fleet",
    "drivers",
    "warehouse",
    "picking",
    "packing",
    "suppliers",
    "purchasing",
    "forecast",
    "fraud",
    "risk",
    "kyc",
    "consent",
    "features",
    "flags",
];
const RESOURCES: [&str; 40] = [
    "orders",
    "items",
    "carts",
    "users",
    "accounts",
    "payments",
    "refunds",
    "invoices",
    "products",
    "categories",
    "reviews",
    "addresses",
    "shipments",
    "returns",
    "coupons",
    "offers",
    "sessions",
    "devices",
    "messages",
    "threads",
    "files",
    "images",
    "reports",
    "jobs",
    "tasks",
    "events",
    "alerts",
    "rules",
    "policies",
    "teams",
    "projects",
    "stores",
    "suppliers",
    "contracts",
    "quotes",
    "prices",
    "stocks",
    "batches",
    "labels",
    "tags",
];
const LEAVES: [&str; 12] = [
    "cancel",
    "confirm",
    "history",
    "summary",
    "preview",
    "lines",
    "notes",
    "members",
    "settings",
    "permissions",
    "archive",
    "related",
];
#[derive(Clone, Debug)]
struct Route {
    server: usize,
    clients: Vec<usize>,
    protocol: &'static str,
    operation: &'static str,
    target: Vec<Piece>,
    /// The protocol tells the endpoint itself.
    told: Option<String>,
    failures: Vec<usize>,
}

/// The true shape of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label {
    /// Which client and server, route and kind of error: equal for calls of one true shape.
    pub shape: u64,
    /// Which server, protocol and route.
    pub route: u64,
    /// Which server, class of status and kind of error; 0 for none.
    pub error: u64,
    /// The class of status: `2xx` is 2. Never to be mixed up.
    pub class: i64,
}

/// A world of calls.
#[derive(Debug)]
pub struct Traffic {
    seed: u64,
    routes: Vec<Route>,
    failures: Vec<Failure>,
    /// Running sums of the routes' shares.
    shares: Vec<f64>,
    /// Of ten thousand calls so many fail.
    failing: u64,
}

impl Traffic {
    /// Of a seed, with about so many routes, of which 3 in a hundred calls fail.
    pub fn new(seed: u64, routes: usize) -> Self {
        let mut dice = Dice::new(seed, u64::MAX);
        let failures = failures();
        let mut made = Vec::with_capacity(routes);
        while made.len() < routes {
            let server = 3 + dice.below(WORKLOADS.len() as u64 - 3) as usize;
            resource(&mut dice, server, failures.len(), &mut made);
        }
        made.truncate(routes);
        // Which is how popular has nothing to do with when it was made.
        for index in (1..made.len()).rev() {
            made.swap(index, dice.below(index as u64 + 1) as usize);
        }
        let mut sum = 0.0;
        let shares = (1..=made.len()).map(|rank| {
            sum += 1.0 / rank as f64;
            sum
        });
        Self { seed, shares: shares.collect(), routes: made, failures, failing: 300 }
    }

    /// The call of that number, and its true shape.
    pub fn call(&self, number: u64) -> (RecordFields, Label) {
        let mut dice = Dice::new(self.seed, number);
        let point = dice.unit() * self.shares.last().copied().unwrap_or_default();
        let at = self.shares.partition_point(|share| *share <= point).min(self.routes.len() - 1);
        let route = &self.routes[at];
        let client = route.clients[dice.below(route.clients.len() as u64) as usize];
        let fails = dice.below(10_000) < self.failing;
        let failure = fails.then(|| route.failures[dice.skewed(route.failures.len() as u64) as usize]);
        let mut record = blank(START + APART * u32::try_from(number).unwrap_or(u32::MAX), number);
        record.protocol = route.protocol.to_owned();
        record.operation = route.operation.to_owned();
        record.target = filled(&route.target, &mut dice);
        record.endpoint.clone_from(&route.told);
        record.peers = Peers { client: workload(client), server: workload(route.server) };
        record.duration_nanos = Some(500_000 + dice.below(200_000_000));
        let is_http = route.protocol.starts_with("http");
        (record.status, record.status_code, record.outcome) = if is_http {
            (Some("200".to_owned()), Some(200), Outcome::Ok)
        } else {
            (Some("OK".to_owned()), None, Outcome::Ok)
        };
        let mut class = 2;
        if let Some(kind) = failure {
            let failure = &self.failures[kind];
            let words = filled(&failure.words, &mut dice);
            class = failure.status / 100;
            record.outcome = if class == 4 { Outcome::ClientError } else { Outcome::ServerError };
            record.status = Some(if is_http { failure.status.to_string() } else { "ERR".to_owned() });
            record.status_code = is_http.then_some(failure.status);
            record.error = Some(words.clone());
            if is_http {
                record.response = body(failure.form, failure.status, &words);
            }
        }
        let numbers = |parts: &[u64]| {
            let bytes: Vec<[u8; 8]> = parts.iter().map(|part| part.to_le_bytes()).collect();
            stable_hash(&bytes.iter().map(|bytes| &bytes[..]).collect::<Vec<_>>())
        };
        // Two routes of one server with one text are one.
        let text = stable_hash(&[format!("{:?}{:?}", route.target, route.told).as_bytes()]);
        let (server, kind) = (route.server as u64, failure.map_or(0, |kind| kind as u64 + 1));
        let kin = stable_hash(&[route.protocol.trim_end_matches(char::is_numeric).as_bytes()]);
        let protocol = stable_hash(&[route.protocol.as_bytes(), route.operation.as_bytes()]);
        let label = Label {
            shape: numbers(&[client as u64, server, protocol, text, class as u64, kind]),
            route: numbers(&[server, kin, text]),
            error: if kind == 0 { 0 } else { numbers(&[server, kin, class as u64, kind]) },
            class,
        };
        (record, label)
    }

    /// How many routes there are.
    pub fn n_routes(&self) -> usize {
        self.routes.len()
    }

    /// How many kinds of errors there are.
    pub fn n_failures(&self) -> usize {
        self.failures.len()
    }
}

/// The routes of one resource of a server.
fn resource(dice: &mut Dice, server: usize, n_failures: usize, routes: &mut Vec<Route>) {
    let clients: Vec<usize> = (0..1 + dice.below(3)).map(|_| dice.below(12) as usize).collect();
    let mut add = |dice: &mut Dice, protocol, operation, target: Vec<Piece>, told: Option<String>| {
        let failures = (0..2 + dice.below(4)).map(|_| dice.below(n_failures as u64) as usize).collect();
        let clients = clients.clone();
        routes.push(Route { server, clients, protocol, operation, target, told, failures });
    };
    let name = RESOURCES[dice.below(RESOURCES.len() as u64) as usize];
    let leaf = LEAVES[dice.below(LEAVES.len() as u64) as usize];
    match dice.below(20) {
        0 => {
            let key = [
                Piece::Word(name),
                Piece::Word(":"),
                Piece::Value(Param::Person),
                Piece::Word(":"),
                Piece::Word(leaf),
            ];
            add(dice, "redis", "GET", key.to_vec(), None);
            let key = [Piece::Word("session"), Piece::Word(":"), Piece::Value(Param::Hash)];
            add(dice, "redis", "SET", key.to_vec(), None);
        }
        1 => {
            add(dice, "kafka", "Produce", vec![Piece::Text(format!("{name}.{leaf}"))], None);
        }
        2 => {
            let told = format!("SELECT {leaf} FROM {name} WHERE id = ?");
            add(dice, "postgresql", "SELECT", vec![Piece::Text(told.clone())], Some(told));
        }
        3 => {
            let told = format!("/shop.{name}/{leaf}");
            add(dice, "grpc", "POST", vec![Piece::Text(told.clone())], Some(told));
        }
        4 => {
            let host = [Piece::Value(Param::Hash), Piece::Text(format!(".{name}.example.org"))];
            add(dice, "dns", "A", host.to_vec(), None);
        }
        _ => {
            let protocol = if dice.below(2) == 0 { "http1" } else { "http2" };
            let param = [
                Param::Number,
                Param::Number,
                Param::Number,
                Param::Uuid,
                Param::Uuid,
                Param::Hash,
                Param::Person,
                Param::Person,
                Param::Slug,
                Param::Country,
                Param::Email,
                Param::Date,
                Param::Numbered,
            ][dice.below(13) as usize];
            let base = [Piece::Word("/api/v1/"), Piece::Word(name)];
            let with = |more: &[Piece]| base.iter().chain(more).cloned().collect::<Vec<_>>();
            let value = [Piece::Word("/"), Piece::Value(param)];
            add(dice, protocol, "GET", with(&[]), None);
            add(dice, protocol, "GET", with(&value), None);
            add(dice, protocol, "POST", with(&[]), None);
            let below = [&value[..], &[Piece::Word("/"), Piece::Word(leaf)]].concat();
            add(dice, protocol, "POST", with(&below), None);
            if dice.below(3) == 0 {
                add(dice, protocol, "GET", with(&[Piece::Word("/me")]), None);
            }
            if dice.below(3) == 0 {
                let second = [Piece::Word("/"), Piece::Value(Param::Person)];
                add(dice, protocol, "GET", with(&[&below[..], &second].concat()), None);
            }
            // A word beside names that no list knows.
            if param == Param::Person && dice.below(12) == 0 {
                add(dice, protocol, "GET", with(&[Piece::Word("/overdue")]), None);
            }
        }
    }
}

fn workload(index: usize) -> Workload {
    let name = WORKLOADS[index].to_owned();
    Workload { workload: name, name_source: NameSource::Kubernetes, ..Workload::default() }
}

/// A record of which nothing is known but when and which.
pub fn blank(at: Timestamp, number: u64) -> RecordFields {
    let end = Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
    RecordFields {
        id: CallId::new(at, number),
        flow: FlowId::new(at, number),
        heard: Heard { capture: CaptureId("traffic".to_owned()), node: None, vantage: Vantage::Between },
        exchange_key: 0,
        started: at,
        observed_until: at,
        duration_nanos: None,
        ttfb_nanos: None,
        protocol: String::new(),
        carrier: "tcp".to_owned(),
        transport: Transport::Tcp,
        kind: Kind::Unary,
        operation: String::new(),
        target: String::new(),
        endpoint: None,
        host: None,
        status: None,
        status_code: None,
        outcome: Outcome::Ok,
        error: None,
        client: end,
        server: end,
        peers: Peers::default(),
        request_bytes: 0,
        response_bytes: 0,
        request_frames: Frames::default(),
        response_frames: Frames::default(),
        encrypted: false,
        source: Source::Packets,
        principal: None,
        trace_id: None,
        span_id: None,
        parent_span_id: None,
        redactions: Vec::new(),
        notes: Vec::new(),
        attributes: Vec::new(),
        coverage: Coverage::Whole,
        revision: 0,
        request: None,
        response: None,
    }
}
