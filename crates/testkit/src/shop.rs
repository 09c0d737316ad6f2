//! A small shop as the store would hold it: shoppers call a gateway, it calls orders and inventory, orders calls
//! payments. From [`FAULT`] on inventory is slow, the second version of payments fails, and orders asks for a name
//! that does not exist. Every number follows from the seconds, so that a test can say what must come out.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use wirewise_model::{
    CallId, CaptureId, ClosedBy, Coverage, Endpoint, FlowId, FlowState, FlowSummary, Frames, Kind,
    NameSource, Note, Outcome, PacketNumber, Peers, SideCounters, Source, Timestamp, Transport, Vantage,
    Workload,
};
use wirewise_redact::{Batch, CaptureInfo, FlowRecord, Heard, Loss, Payload, Record, RecordFields};

/// 2026-11-24T04:00:00Z: the first call.
pub const START: Timestamp = Timestamp::from_parts(1_795_492_800, 0);
/// How long the shop is open, in seconds; a round of calls begins at each.
pub const SECONDS: u64 = 120;
/// The second from which things go wrong.
pub const FAULT: u64 = 60;
/// Milliseconds that inventory takes before and after.
pub const INVENTORY_MS: (u64, u64) = (5, 500);
/// The second of the shop's addresses for payments: the version that fails.
pub const FAILING: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 32));

const CAPTURE: &str = "5409";

/// The shop's calls, flows and losses as one batch of that data set.
pub fn batch(dataset: &str) -> Batch {
    let mut made = Made::default();
    for second in 0..SECONDS {
        made.round(second);
    }
    let last_at = START + Duration::from_secs(SECONDS);
    Batch {
        dataset: dataset.to_owned(),
        capture: CaptureInfo {
            id: CaptureId(CAPTURE.to_owned()),
            path: None,
            frames: made.packets,
            first_at: Some(START),
            last_at: Some(last_at),
            complete: true,
        },
        epoch: 1,
        sequence: 0,
        calls: made.calls.iter().map(record).collect(),
        flows: made.flows,
        losses: vec![Loss {
            at: START + Duration::from_secs(7),
            node: None,
            stage: "flow".into(),
            reason: "gap".into(),
            count: 3,
        }],
    }
}

/// A record of these fields, as it would come over the wire.
pub fn record(fields: &RecordFields) -> Record {
    let bytes = postcard::to_stdvec(fields).expect("plain data with known lengths");
    Record::decode(&bytes).expect("what was just encoded")
}

/// Who is where.
#[derive(Clone, Copy)]
struct Stall {
    name: &'static str,
    host: u8,
    port: u16,
    version: Option<&'static str>,
}

const SHOPPERS: Stall = Stall { name: "shoppers", host: 9, port: 40_000, version: None };
const GATEWAY: Stall = Stall { name: "gateway", host: 10, port: 8080, version: None };
const ORDERS: Stall = Stall { name: "orders", host: 20, port: 8080, version: None };
const PAYMENTS: [Stall; 2] = [
    Stall { name: "payments", host: 31, port: 8080, version: Some("v1") },
    Stall { name: "payments", host: 32, port: 8080, version: Some("v2") },
];
const INVENTORY: Stall = Stall { name: "inventory", host: 40, port: 8080, version: None };
const DNS: Stall = Stall { name: "dns", host: 53, port: 53, version: None };

/// One exchange of a round: who, what, when (milliseconds into the round) and how it went.
struct Asked {
    from: Stall,
    to: Stall,
    protocol: &'static str,
    operation: &'static str,
    target: String,
    begins_ms: u64,
    takes_ms: u64,
    status: (&'static str, Option<i64>),
    outcome: Outcome,
    error: Option<&'static str>,
}

impl Asked {
    fn http(from: Stall, to: Stall, request: (&'static str, String), begins_ms: u64, takes_ms: u64) -> Self {
        Self {
            from,
            to,
            protocol: "http1",
            operation: request.0,
            target: request.1,
            begins_ms,
            takes_ms,
            status: ("200", Some(200)),
            outcome: Outcome::Ok,
            error: None,
        }
    }

    fn failing(self, status: &'static str, code: i64, error: &'static str) -> Self {
        Self { status: (status, Some(code)), outcome: Outcome::ServerError, error: Some(error), ..self }
    }
}

#[derive(Default)]
struct Made {
    calls: Vec<RecordFields>,
    flows: Vec<FlowRecord>,
    packets: u64,
}

impl Made {
    fn round(&mut self, second: u64) {
        let broken = second >= FAULT;
        let stock_ms = if broken { INVENTORY_MS.1 } else { INVENTORY_MS.0 };
        // Looking at the catalogue: shoppers, gateway, inventory.
        self.add(
            second,
            Asked::http(SHOPPERS, GATEWAY, ("GET", format!("/catalog/{}", 100 + second)), 0, stock_ms + 4),
        );
        self.add(
            second,
            Asked::http(GATEWAY, INVENTORY, ("GET", format!("/stock/{}", 100 + second)), 2, stock_ms),
        );
        // Buying: shoppers, gateway, orders, payments; both versions in turn.
        let payments = PAYMENTS[(second % 2) as usize];
        let fails = broken && payments.version == Some("v2");
        let mut buying = [
            Asked::http(SHOPPERS, GATEWAY, ("POST", "/checkout".to_owned()), 600, 36),
            Asked::http(GATEWAY, ORDERS, ("POST", "/orders".to_owned()), 602, 32),
            Asked::http(ORDERS, payments, ("POST", "/charges".to_owned()), 610, 20),
        ];
        if fails {
            buying = buying.map(|asked| match asked.to.name {
                "payments" => asked.failing("500", 500, "card processor unreachable"),
                _ => asked.failing("502", 502, "upstream payments answered 500"),
            });
        }
        for asked in buying {
            self.add(second, asked);
        }
        // Looking at orders, by two callers that differ.
        self.add(
            second,
            Asked::http(GATEWAY, ORDERS, ("GET", format!("/orders/{}", 5_000 + second)), 700, 10),
        );
        self.add(second, Asked::http(GATEWAY, ORDERS, ("GET", "/orders".to_owned()), 720, 12));
        self.add(second, Asked::http(INVENTORY, ORDERS, ("GET", "/orders".to_owned()), 740, 24));
        if broken {
            self.add(
                second,
                Asked {
                    protocol: "dns",
                    operation: "A",
                    target: "ledger.shop".to_owned(),
                    status: ("NXDOMAIN", Some(3)),
                    outcome: Outcome::ClientError,
                    ..Asked::http(ORDERS, DNS, ("A", String::new()), 800, 1)
                },
            );
        }
    }

    fn add(&mut self, second: u64, asked: Asked) {
        let ordinal = self.calls.len() as u64;
        let started = START + Duration::from_millis(second * 1000 + asked.begins_ms);
        let took = Duration::from_millis(asked.takes_ms);
        let ended = started + took;
        let (client, server) = (end(asked.from, 40_000 + second as u16), end(asked.to, asked.to.port));
        let peers = Peers { client: named(asked.from), server: named(asked.to) };
        let flow = FlowId::new(started, ordinal);
        let udp = asked.protocol == "dns";
        let transport = if udp { Transport::Udp } else { Transport::Tcp };
        let numbers = [self.packets + 1, self.packets + 2];
        self.packets += 2;
        let nanos = u64::try_from(took.as_nanos()).expect("a second at most");
        self.calls.push(RecordFields {
            id: CallId::new(started, ordinal),
            flow,
            heard: heard(),
            exchange_key: ordinal,
            started,
            observed_until: ended,
            duration_nanos: Some(nanos),
            ttfb_nanos: Some(nanos - nanos / 10),
            protocol: asked.protocol.to_owned(),
            carrier: if udp { "udp" } else { "tcp" }.to_owned(),
            transport,
            kind: Kind::Unary,
            operation: asked.operation.to_owned(),
            target: asked.target,
            endpoint: None,
            host: (!udp).then(|| format!("{}.shop", asked.to.name)),
            status: Some(asked.status.0.to_owned()),
            status_code: asked.status.1,
            outcome: asked.outcome,
            error: asked.error.map(str::to_owned),
            client,
            server,
            peers: peers.clone(),
            request_bytes: 150,
            response_bytes: 400,
            request_frames: frames(numbers[0]),
            response_frames: frames(numbers[1]),
            encrypted: false,
            source: Source::Packets,
            principal: None,
            trace_id: None,
            span_id: None,
            parent_span_id: None,
            redactions: Vec::new(),
            notes: Vec::<Note>::new(),
            attributes: Vec::new(),
            coverage: Coverage::Whole,
            revision: 0,
            request: Some(Payload {
                headers: vec![("host".to_owned(), asked.to.name.to_owned())],
                ..Payload::default()
            }),
            response: None,
        });
        self.flows.push(FlowRecord {
            summary: FlowSummary {
                id: flow,
                transport,
                client,
                server,
                started,
                ended,
                first_packet: PacketNumber(numbers[0]),
                last_packet: PacketNumber(numbers[1]),
                client_sent: SideCounters { packets: 1, bytes: 150, ..SideCounters::default() },
                server_sent: SideCounters { packets: 1, bytes: 400, ..SideCounters::default() },
                handshake: (!udp).then_some(Duration::from_micros(200)),
                rtt_p50: (!udp).then_some(Duration::from_micros(150)),
                rtt_p99: (!udp).then_some(Duration::from_micros(300)),
                state: FlowState::Closed,
                closed_by: ClosedBy::Nobody,
                calls: 1,
                tls: None,
                notes: Vec::new(),
            },
            peers,
            heard: heard(),
        });
    }
}

fn end(stall: Stall, port: u16) -> Endpoint {
    Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, stall.host)), port)
}

fn named(stall: Stall) -> Workload {
    Workload {
        workload: stall.name.to_owned(),
        version: stall.version.map(str::to_owned),
        name_source: NameSource::File,
        ..Workload::default()
    }
}

fn frames(number: u64) -> Frames {
    let mut frames = Frames::default();
    frames.push(PacketNumber(number));
    frames
}

fn heard() -> Heard {
    Heard { capture: CaptureId(CAPTURE.to_owned()), node: None, vantage: Vantage::Between }
}
