//! Calls without end of which the true shape is known: sixty workloads whose routes, keys, topics and names fall as
//! Zipf says, ids and names in paths, and errors of two hundred kinds. A call follows from seed and number, so that
//! tests, benchmarks and their readers speak of the same ones.
//!
//! Some of it is meant to be hard: users by name beside `/me` and beside words that no list knows, country codes,
//! errors that differ by one noun, names without quotes in them, problems in JSON.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use wirewise_model::{
    CallId, CaptureId, Coverage, Endpoint, FlowId, Frames, Kind, NameSource, Outcome, Peers, Source,
    Timestamp, Transport, Vantage, Workload, stable_hash,
};
use wirewise_redact::{Heard, Payload, RecordFields};

/// 2026-11-24T04:00:00Z: the first call.
const START: Timestamp = Timestamp::from_parts(1_795_492_800, 0);
/// Calls begin so far apart.
const APART: Duration = Duration::from_micros(2_000);
/// How many people there are.
const PEOPLE: u64 = 4_000;

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
const NOUNS: [&str; 5] = ["order", "account", "shipment", "voucher", "customer"];

/// What stands in a route or an error for a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Param {
    Number,
    Uuid,
    Hash,
    Person,
    Slug,
    Country,
    Email,
    Date,
    Numbered,
    Address,
    Millis,
}

#[derive(Clone, Debug)]
enum Piece {
    Word(&'static str),
    Text(String),
    Value(Param),
}

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

#[derive(Clone, Debug)]
struct Failure {
    words: Vec<Piece>,
    status: i64,
    form: Form,
}

/// How an error is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The protocol's own words.
    Words,
    /// RFC 9457 in the body, `title: detail` in the words.
    Problem,
    /// `{"error": {"code": .., "message": ..}}`, the message in the words.
    Nested,
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

/// Two hundred kinds of errors: forty of each of five nouns.
fn failures() -> Vec<Failure> {
    use Form::{Nested, Problem, Words};
    use Param::{Address, Country, Date, Email, Hash, Millis, Number, Numbered, Person, Slug, Uuid};
    use Piece::{Value, Word};
    let n = |noun| Word(noun);
    let mut made = Vec::new();
    for noun in NOUNS {
        let kinds: Vec<(i64, Form, Vec<Piece>)> = vec![
            (404, Words, vec![n(noun), Word(" "), Value(Number), Word(" not found")]),
            (404, Problem, vec![Word("Not Found: no "), n(noun), Word(" with id "), Value(Uuid)]),
            (404, Words, vec![Word("unknown "), n(noun), Word(" "), Value(Person)]),
            (404, Nested, vec![n(noun), Word(" '"), Value(Slug), Word("' does not exist")]),
            (
                409,
                Problem,
                vec![Word("Conflict: "), n(noun), Word(" "), Value(Numbered), Word(" was changed meanwhile")],
            ),
            (409, Words, vec![n(noun), Word(" already exists: "), Value(Email)]),
            (409, Words, vec![n(noun), Word(" is locked by "), Value(Person)]),
            (400, Words, vec![Word("invalid "), n(noun), Word(" id: "), Value(Hash)]),
            (400, Nested, vec![Word("missing field `"), Value(Person), Word("` in "), n(noun)]),
            (
                400,
                Words,
                vec![
                    Word("cannot parse "),
                    n(noun),
                    Word(" at line "),
                    Value(Number),
                    Word(" column "),
                    Value(Number),
                ],
            ),
            (401, Words, vec![Word("token of "), n(noun), Word(" expired at "), Value(Date)]),
            (401, Words, vec![n(noun), Word(" needs a login")]),
            (403, Problem, vec![Word("Forbidden: "), Value(Person), Word(" may not see this "), n(noun)]),
            (403, Words, vec![n(noun), Word(" is not for sale in "), Value(Country)]),
            (
                422,
                Problem,
                vec![
                    Word("Validation failed: "),
                    n(noun),
                    Word(" total "),
                    Value(Number),
                    Word(" exceeds "),
                    Value(Number),
                ],
            ),
            (422, Words, vec![Word("quantity of "), n(noun), Word(" must be positive")]),
            (422, Nested, vec![n(noun), Word(" date "), Value(Date), Word(" is in the past")]),
            (429, Words, vec![Word("quota of "), n(noun), Word(" exceeded: retry in "), Value(Millis)]),
            (
                429,
                Problem,
                vec![
                    Word("Too Many Requests: "),
                    Value(Number),
                    Word(" "),
                    n(noun),
                    Word(" requests this minute"),
                ],
            ),
            (402, Words, vec![n(noun), Word(" declined: card of "), Value(Person), Word(" has expired")]),
            (
                500,
                Words,
                vec![
                    Word("panic while saving "),
                    n(noun),
                    Word(": index out of range ["),
                    Value(Number),
                    Word("] with length "),
                    Value(Number),
                ],
            ),
            (
                500,
                Words,
                vec![
                    Word("duplicate key value violates unique constraint \""),
                    n(noun),
                    Word("_pkey\" of "),
                    n(noun),
                ],
            ),
            (500, Words, vec![Word("null reference in "), n(noun), Word(" handler at 0x"), Value(Hash)]),
            (500, Nested, vec![Word("cannot read "), n(noun), Word(" of undefined")]),
            (
                500,
                Words,
                vec![
                    Word("deadlock detected: "),
                    n(noun),
                    Word(" process "),
                    Value(Number),
                    Word(" waits for "),
                    Value(Number),
                ],
            ),
            (500, Problem, vec![Word("Internal Server Error: "), n(noun), Word(" trace "), Value(Uuid)]),
            (502, Words, vec![n(noun), Word(" upstream "), Value(Address), Word(" closed the connection")]),
            (
                502,
                Words,
                vec![
                    Word("bad gateway for "),
                    n(noun),
                    Word(": dial tcp "),
                    Value(Address),
                    Word(": connection refused"),
                ],
            ),
            (502, Words, vec![n(noun), Word(" upstream sent an invalid header")]),
            (503, Words, vec![n(noun), Word(" service is draining")]),
            (
                503,
                Problem,
                vec![
                    Word("Service Unavailable: "),
                    n(noun),
                    Word(" pool of "),
                    Value(Number),
                    Word(" is exhausted"),
                ],
            ),
            (503, Words, vec![n(noun), Word(" circuit open for "), Value(Millis)]),
            (503, Words, vec![n(noun), Word(" replica "), Value(Numbered), Word(" is behind")]),
            (504, Words, vec![n(noun), Word(" timeout after "), Value(Millis)]),
            (504, Words, vec![Word("context deadline exceeded: "), n(noun)]),
            (504, Nested, vec![Word("deadline of "), Value(Millis), Word(" passed waiting for "), n(noun)]),
            (500, Words, vec![Word("worker "), Value(Person), Word(" crashed on "), n(noun)]),
            (
                500,
                Words,
                vec![Word("disk full writing "), n(noun), Word(" to /data/"), Value(Hash), Word("/out.bin")],
            ),
            (
                500,
                Words,
                vec![Word("checksum of "), n(noun), Word(" is "), Value(Hash), Word(" not "), Value(Hash)],
            ),
            (500, Words, vec![n(noun), Word(" migration "), Value(Number), Word(" has not run")]),
        ];
        made.extend(kinds.into_iter().map(|(status, form, words)| Failure { words, status, form }));
    }
    made
}

fn filled(pieces: &[Piece], dice: &mut Dice) -> String {
    let mut out = String::with_capacity(48);
    for piece in pieces {
        match piece {
            Piece::Word(word) => out.push_str(word),
            Piece::Text(text) => out.push_str(text),
            Piece::Value(param) => value(*param, dice, &mut out),
        }
    }
    out
}

fn value(param: Param, dice: &mut Dice, out: &mut String) {
    use std::fmt::Write as _;
    // A String takes everything.
    let _ = match param {
        Param::Number => write!(out, "{}", dice.below(1_000_000)),
        Param::Uuid => {
            let (high, low) = (dice.next(), dice.next());
            write!(
                out,
                "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                high >> 32,
                high >> 16 & 0xffff,
                high & 0xfff,
                low >> 52,
                low & 0xffff_ffff_ffff
            )
        }
        Param::Hash => write!(out, "{:016x}", dice.next() | 1 << 63 | 0xa),
        Param::Person => {
            let index = dice.skewed(PEOPLE);
            out.write_str(&person(index))
        }
        Param::Slug => {
            let index = dice.skewed(PEOPLE);
            write!(out, "{}-{}-and-{}", person(index), person(index / 7), person(index / 3))
        }
        Param::Country => {
            let index = dice.skewed(200);
            write!(out, "{}{}", char::from(b'A' + (index / 26) as u8), char::from(b'A' + (index % 26) as u8))
        }
        Param::Email => {
            let index = dice.skewed(PEOPLE);
            write!(out, "{}@example.org", person(index))
        }
        Param::Date => write!(out, "2026-{:02}-{:02}", 1 + dice.below(12), 1 + dice.below(28)),
        Param::Numbered => write!(out, "ref-{}", dice.below(1_000_000)),
        Param::Address => write!(out, "10.{}.{}.{}:8080", dice.below(4), dice.below(256), dice.below(256)),
        Param::Millis => write!(out, "{}ms", 1 + dice.below(30_000)),
    };
}

/// Somebody's name: letters alone.
fn person(index: u64) -> String {
    const SYLLABLES: [&str; 20] = [
        "an", "be", "cor", "da", "el", "fi", "gus", "ha", "ir", "jo", "ka", "lu", "mar", "ni", "ol", "pe",
        "ro", "sa", "ti", "vel",
    ];
    let syllable = |at: u64| SYLLABLES[(at % 20) as usize];
    format!("{}{}{}", syllable(index), syllable(index / 20), syllable(index / 400 + 3))
}

fn body(form: Form, status: i64, words: &str) -> Option<Payload> {
    let words = words.replace('"', "\\\"");
    let text = match form {
        Form::Words => return None,
        Form::Problem => {
            let (title, detail) = words.split_once(": ")?;
            format!(r#"{{"type":"about:blank","title":"{title}","status":{status},"detail":"{detail}"}}"#)
        }
        Form::Nested => format!(r#"{{"error":{{"code":{status},"message":"{words}"}}}}"#),
    };
    Some(Payload { headers: Vec::new(), body_bytes: text.len() as u64, body: Some(text), truncated: false })
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

/// SplitMix64, begun anew for each call.
struct Dice(u64);

impl Dice {
    fn new(seed: u64, number: u64) -> Self {
        Self(seed.wrapping_mul(0xd134_2543_de82_ef95) ^ number.wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Small numbers are likelier: the first of a hundred about twenty times as likely as the last.
    fn skewed(&mut self, n: u64) -> u64 {
        let unit = self.unit();
        ((n as f64 * unit * unit) as u64).min(n.saturating_sub(1))
    }
}
