//! Whether the books are true: each stage's balance, what one stage passes on is what the next takes in, and
//! both are counted again here, from the frames.

use std::time::Duration;

use wirewise_model::{Books, Frame, Ledger, Limits, Stage};
use wirewise_pipeline::{Output, Pipeline};
use wirewise_wire::{ChunkKind, L4, Parsed, Parser};

/// Losses that only a fault of ours can make.
const OURS: &[&str] = &["dissector_panicked", "protocol_switched_off"];
/// What stands in the books only while something waits.
const WAITING: &[&str] = &["buffered", "fragments_held"];

/// Limits that nearly every capture reaches.
pub(crate) fn tight() -> Limits {
    Limits {
        flows: 4,
        reorder_bytes: 2000,
        buffered_bytes: 4000,
        gap_packets: 4,
        fragmented: 2,
        tunnels: 2,
        probe_bytes: 64,
        undissected_bytes: 1500,
        pending_calls: 2,
        response_wait: Duration::from_millis(5),
        datagram_response_wait: Duration::from_millis(5),
        body_kept: 100,
        decompressed_bytes: 200,
        header_bytes: 400,
        headers: 4,
        ..Limits::default()
    }
}

/// Counts beside the pipeline.
pub(crate) struct Audit {
    limits: Limits,
    parser: Parser,
    frames: u64,
    packets: u64,
    payload: u64,
    largest: u64,
    faults: Vec<String>,
}

impl Audit {
    pub(crate) fn new(limits: &Limits) -> Self {
        Self {
            limits: limits.clone(),
            parser: Parser::new(limits),
            frames: 0,
            packets: 0,
            payload: 0,
            largest: 0,
            faults: Vec::new(),
        }
    }

    /// After a frame.
    pub(crate) fn pushed(&mut self, frame: &Frame<'_>, pipeline: &Pipeline, output: &Output) {
        self.frames += 1;
        if let Parsed::Packet(packet) = self.parser.parse(frame) {
            self.packets += 1;
            let payload = match &packet.l4 {
                L4::Tcp(_) | L4::Udp(_) | L4::Icmp(_) => packet.payload.len() as u64,
                L4::Sctp(sctp) => {
                    let data = sctp.chunks().filter(|chunk| chunk.kind == ChunkKind::DATA);
                    data.filter_map(|chunk| Some(chunk.data()?.payload.len() as u64)).sum()
                }
            };
            self.payload += payload;
            self.largest = self.largest.max(payload);
        }
        // Every stage at every moment would take longer than the rest of the test together.
        if self.frames.is_power_of_two() || self.frames.is_multiple_of(61) {
            let ledger = pipeline.ledger();
            self.balances(&ledger, output);
            self.bounded(&ledger, pipeline);
        }
    }

    /// After the last: nothing may wait any more.
    pub(crate) fn finished(mut self, pipeline: &Pipeline, output: &Output, source: &Books) -> Vec<String> {
        let mut ledger = pipeline.ledger();
        self.balances(&ledger, output);
        for books in &ledger.stages {
            let waits = books.reasons.iter().filter(|(reason, _)| WAITING.contains(&reason.name));
            let told = waits.map(|(reason, count)| format!("{count} still {} at the end", reason.name));
            self.faults.extend(told);
        }
        let heard: u64 =
            output.flows.iter().map(|flow| flow.client_sent.packets + flow.server_sent.packets).sum();
        self.same("packets of all flows", heard, self.packets);
        let told: u64 = output.flows.iter().map(|flow| flow.calls).sum();
        self.same("calls of all flows", told, output.calls.len() as u64);
        self.faults.extend(pipeline.switched_off().iter().map(|name| format!("{name} panicked")));
        self.same("flows left", pipeline.flows_tracked() as u64, 0);
        ledger.add(source);
        if let Err(error) = ledger.check() {
            self.faults.push(error.to_string());
        }
        self.faults
    }

    fn same(&mut self, what: &str, ours: u64, counted: u64) {
        if ours != counted {
            self.faults.push(format!("{what}: {ours}, but {counted} were counted (frame {})", self.frames));
        }
    }

    fn balances(&mut self, ledger: &Ledger, output: &Output) {
        if let Err(error) = ledger.check() {
            self.faults.push(format!("{error} (frame {})", self.frames));
        }
        let stages =
            [Stage::Wire, Stage::Flow, Stage::Dissect, Stage::Calls].map(|stage| ledger.stage(stage));
        let [Some(wire), Some(flow), Some(dissect), Some(calls)] = stages else {
            self.faults.push("a stage keeps no books".to_owned());
            return;
        };
        self.same("wire in", wire.taken_in, self.frames);
        self.same("wire out", wire.passed_on, self.packets);
        self.same("flow in", flow.taken_in, self.payload);
        self.same("dissect in", dissect.taken_in, flow.passed_on);
        self.same("calls out", calls.passed_on, output.calls.len() as u64);
        for (reason, count) in &dissect.reasons {
            if OURS.contains(&reason.name) {
                self.faults.push(format!("{count} {}", reason.name));
            }
        }
    }

    fn bounded(&mut self, ledger: &Ledger, pipeline: &Pipeline) {
        let mut over = |what: &str, held: u64, most: u64| {
            if held > most {
                self.faults.push(format!("{held} {what}, {most} are allowed (frame {})", self.frames));
            }
        };
        over("flows", pipeline.flows_tracked() as u64, self.limits.flows as u64);
        // The packet that reaches a bound is still taken whole.
        let most = self.limits.buffered_bytes as u64 + self.largest;
        for stage in [Stage::Flow, Stage::Dissect] {
            let books = ledger.stage(stage).map(|books| &books.reasons);
            let held = books.into_iter().flatten().filter(|(reason, _)| WAITING.contains(&reason.name));
            over("bytes buffered", held.map(|(_, count)| *count).sum(), most);
        }
    }
}
