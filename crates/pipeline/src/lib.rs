//! The glue of the packet path, still without I/O: frames and time in; calls, flows and the ledger out.
//!
//! Frame -> `wire` -> `flow` -> `dissect` -> [`Call`]. Pushing the same frames gives the same calls, with the
//! same ids, on every machine. What is under way shows through [`Pipeline::open`] and is never counted twice:
//! the final call has the id of the open one.

mod call;
mod connection;

use hashbrown::HashSet;
use wirewise_dissect::{Datagram, End, Out, Session, SessionStart, Switchboard};
use wirewise_flow::{EndReason, Event, Flow, FlowHandle, FlowTable, Listener};
use wirewise_model::{
    Books, Call, CaptureId, Exchange, FlowSummary, Frame, Ledger, Limits, Reason, Redaction, Stage,
    Timestamp, Transport,
};
use wirewise_wire::{Parsed, Parser};

/// A second: how often waiting exchanges are looked at, in packet time.
const TICK_NANOS: i64 = 1_000_000_000;

/// What came out since the caller last emptied it.
#[derive(Debug, Default)]
pub struct Output {
    /// Calls that are over.
    pub calls: Vec<Call>,
    /// Flows that are over.
    pub flows: Vec<FlowSummary>,
}

/// One worker's packet path.
#[derive(Debug)]
pub struct Pipeline {
    parser: Parser,
    flows: FlowTable<Session>,
    rest: Rest,
    next_tick: Timestamp,
}

/// What flow events are told to: everything but the tables that tell them.
#[derive(Debug)]
struct Rest {
    capture: CaptureId,
    board: Switchboard,
    /// Flows with exchanges under way: only these are ticked.
    waiting: HashSet<FlowHandle, foldhash::fast::RandomState>,
    /// Reused by every event.
    out: Out,
    calls: Books,
}

impl Pipeline {
    /// A path that has heard nothing.
    pub fn new(limits: Limits, capture: CaptureId) -> Self {
        Self {
            parser: Parser::new(&limits),
            flows: FlowTable::new(&limits, &capture),
            rest: Rest {
                capture,
                board: Switchboard::new(limits),
                waiting: HashSet::default(),
                out: Out::default(),
                calls: Books::new(Stage::Calls),
            },
            next_tick: Timestamp::MIN,
        }
    }

    /// The next frame. Frames come in the order of the capture; their times may step back a little.
    pub fn push(&mut self, frame: &Frame<'_>, output: &mut Output) {
        if frame.at >= self.next_tick {
            self.tick(frame.at, output);
        }
        if let Parsed::Packet(packet) = self.parser.parse(frame) {
            self.flows.push(&packet, &mut Heard { rest: &mut self.rest, output });
        }
    }

    /// Time passes: idle flows end, holes are stepped over, requests are given up. `push` calls it by the
    /// frames' own times; a live capture calls it too when nothing is heard.
    pub fn tick(&mut self, now: Timestamp, output: &mut Output) {
        self.next_tick = Timestamp::from_nanos(now.nanos().saturating_add(TICK_NANOS));
        self.parser.tick(now);
        self.flows.tick(now, &mut Heard { rest: &mut self.rest, output });
        let mut handles: Vec<FlowHandle> = self.rest.waiting.iter().copied().collect();
        // A set has no order, and what comes out must have one: an import made twice makes the same batches.
        handles.sort_unstable();
        for handle in handles {
            let Some((flow, session)) = self.flows.get_mut(handle) else {
                self.rest.waiting.remove(&handle);
                continue;
            };
            session.tick(now, &mut self.rest.board, &mut self.rest.out);
            if !session.waiting() {
                self.rest.waiting.remove(&handle);
            }
            self.rest.collect(flow, session, output);
        }
    }

    /// The capture is over.
    pub fn finish(&mut self, output: &mut Output) {
        self.parser.finish();
        self.flows.finish(&mut Heard { rest: &mut self.rest, output });
    }

    /// Calls and flows under way that began at least `age` before `now`: at most `most` of each, with how many
    /// more there are.
    pub fn open(&mut self, now: Timestamp, age: std::time::Duration, most: usize) -> Underway {
        let mut underway = Underway::default();
        let mut out = Out::default();
        let before = now.before(age);
        for &handle in &self.rest.waiting {
            let Some((flow, session)) = self.flows.get_mut(handle) else { continue };
            session.open(&mut out);
            for mut exchange in out.exchanges.drain(..) {
                if exchange.started() > before {
                    continue;
                }
                self.rest.board.refine(&mut exchange);
                if underway.calls.len() == most {
                    underway.more_calls += 1;
                } else {
                    underway.calls.push(call::make(&self.rest.capture, flow, session, exchange));
                }
            }
        }
        for (flow, _) in self.flows.iter_mut() {
            let summary = flow.summary();
            if summary.started > before {
                continue;
            }
            if underway.flows.len() == most {
                underway.more_flows += 1;
            } else {
                underway.flows.push(summary);
            }
        }
        underway
    }

    /// The books of every stage, balanced at any moment between two calls.
    pub fn ledger(&self) -> Ledger {
        let mut ledger = Ledger::default();
        ledger.add(&self.parser.books());
        ledger.add(&self.flows.books());
        ledger.add(&self.rest.board.books());
        ledger.add(&self.rest.calls);
        ledger
    }

    /// Flows that are tracked now.
    pub fn flows_tracked(&self) -> usize {
        self.flows.len()
    }

    /// Names of protocols that panicked too often and were switched off.
    pub fn switched_off(&self) -> Vec<&'static str> {
        self.rest.board.switched_off().map(|protocol| protocol.name).collect()
    }
}

/// What is under way at one moment.
#[derive(Debug, Default)]
pub struct Underway {
    /// Calls with outcome `open`.
    pub calls: Vec<Call>,
    /// Flows so far.
    pub flows: Vec<FlowSummary>,
    /// Calls past the bound.
    pub more_calls: u64,
    /// Flows past the bound.
    pub more_flows: u64,
}

impl Rest {
    /// Turns what a dissector put out into calls of its flow.
    fn collect(&mut self, flow: &mut Flow, session: &Session, output: &mut Output) {
        if let Some(tls) = self.out.tls.take() {
            flow.tls = Some(tls);
        }
        if self.out.exchanges.is_empty() {
            return;
        }
        let mut exchanges = std::mem::take(&mut self.out.exchanges);
        for exchange in exchanges.drain(..) {
            self.emit(flow, session, exchange, output);
        }
        self.out.exchanges = exchanges;
    }

    fn emit(&mut self, flow: &mut Flow, session: &Session, mut exchange: Exchange, output: &mut Output) {
        self.board.refine(&mut exchange);
        if flow.calls == 0 && flow.key.transport == Transport::Tcp && flow.opener.is_none() {
            flow.set_client(exchange.client);
        }
        flow.calls += 1;
        self.calls.take(1);
        self.calls.pass(1);
        output.calls.push(call::make(&self.capture, flow, session, exchange));
    }
}

/// How the texts of a protocol's calls are scrubbed: as its entry in the table says. Bare connections hold addresses
/// and counters.
pub fn redaction(protocol: &str) -> Option<Redaction> {
    match protocol {
        "tcp" | "udp" | "sctp" => Some(Redaction::Names),
        name => wirewise_dissect::protocol(name).map(|protocol| protocol.redaction),
    }
}

struct Heard<'a> {
    rest: &'a mut Rest,
    output: &'a mut Output,
}

impl Listener<Session> for Heard<'_> {
    fn open(&mut self, flow: &Flow) -> Session {
        Session::new(SessionStart {
            transport: flow.key.transport,
            ports: [flow.key.from.port, flow.key.to.port],
            opener: flow.opener,
            mid_stream: flow.mid_stream,
        })
    }

    fn event(&mut self, flow: &mut Flow, session: &mut Session, event: Event<'_>) {
        let Rest { board, out, .. } = &mut *self.rest;
        match event {
            Event::Bytes { side, bytes, mark } => session.bytes(side, bytes, mark, board, out),
            Event::Message { side, bytes, original_len, mark, last } => {
                let message = Datagram {
                    side,
                    bytes,
                    original_len,
                    mark,
                    last,
                    ordinal: 0,
                    transport: flow.key.transport,
                    ports: [flow.key.from.port, flow.key.to.port],
                };
                session.message(message, board, out);
            }
            Event::Gap { side, len, .. } => session.gap(side, len, board, out),
            Event::End { side, why, mark } => session.end(side, end(why), mark, board, out),
            // The flow's own state says it; its connection call will.
            Event::Refused { .. } => {}
        }
        if session.waiting() {
            self.rest.waiting.insert(flow.handle);
        }
        self.rest.collect(flow, session, self.output);
    }

    fn close(&mut self, flow: &Flow, session: Session, mut summary: FlowSummary) {
        self.rest.waiting.remove(&flow.handle);
        if let Some(exchange) = connection::of(flow, &session, &summary) {
            self.rest.calls.take(1);
            self.rest.calls.pass(1);
            summary.calls += 1;
            self.output.calls.push(call::make(&self.rest.capture, flow, &session, exchange));
        }
        self.output.flows.push(summary);
    }
}

fn end(why: EndReason) -> End {
    match why {
        EndReason::Fin => End::Fin,
        EndReason::Reset => End::Reset,
        EndReason::TimedOut => End::TimedOut,
        EndReason::CaptureEnded => End::CaptureEnded,
        EndReason::Evicted => End::Evicted,
    }
}

/// Books of the calls stage once more, for a caller that hands calls on and loses some.
pub const NOT_SHIPPED: Reason = Reason::loss("ship_queue_full");
