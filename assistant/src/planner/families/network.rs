//! Is it the network or the server? The time to the first byte and the failures of each edge, held against the
//! round trips, handshakes and retransmissions of its flows.

use serde_json::json;
use wirewise_tools::{Row, Table, ToolError};

use super::overview::table;
use super::slowness::{chain_line, culprit};
use crate::planner::blame::{self, Causes, Step};
use crate::planner::compose::{Said, cite, count, listed, ms, ms_of, name, percent, rate};
use crate::planner::conditions::{self, TIMED, end_is, percentile, text, within};
use crate::planner::desk::Desk;
use crate::planner::grammar::{Reading, Slots};

/// Edges that are judged one by one.
const MOST_EDGES: usize = 4;
/// A 99th percentile under this is not slow by itself, in milliseconds.
const SLOW_MS: f64 = 100.0;
/// A tail that is so many times the median is slow from here on, in milliseconds.
const TAIL_MS: f64 = 20.0;
const TAIL: f64 = 5.0;
/// Share of packets sent again from which the network is at fault, and the fewest that say anything.
const LOSSY_PCT: f64 = 1.0;
const LEAST_RESENT: u64 = 3;
/// Share of a round trip in the time to the first byte from which the network is what takes long.
const FAR: f64 = 0.5;

/// Whose fault an edge's trouble is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Server,
    Network,
    Both,
    Neither,
    Unknown,
}

/// The network's figures of an edge.
#[derive(Clone, Debug, Default, PartialEq)]
struct Wire {
    flows: u64,
    packets: u64,
    resent: u64,
    resent_pct: f64,
    rtt_ms: Option<f64>,
    handshake_ms: Option<f64>,
    refused: u64,
    reset: u64,
    timed_out: u64,
    zero_windows: u64,
}

/// What is known of an edge's calls.
#[derive(Clone, Debug, Default, PartialEq)]
struct Heard {
    calls: u64,
    failed: u64,
    timed: u64,
    p50_ms: f64,
    p99_ms: f64,
    ttfb_p99_ms: Option<f64>,
    /// Failed with an answer of the server's own.
    answered_badly: u64,
}

impl Heard {
    fn is_slow(&self) -> bool {
        self.timed > 0
            && (self.p99_ms >= SLOW_MS || (self.p99_ms >= TAIL_MS && self.p99_ms >= TAIL * self.p50_ms))
    }
}

/// Whose fault it is, with the reasons.
fn judge(heard: &Heard, wire: &Wire) -> (Verdict, Vec<String>) {
    let mut server = Vec::new();
    let mut network = Vec::new();
    if heard.answered_badly > 0 {
        server.push(format!(
            "the server itself answered {} with an error",
            count(heard.answered_badly, "call")
        ));
    }
    if wire.refused > 0 {
        server.push(format!(
            "{} refused: the host answers and nothing listens",
            count(wire.refused, "connection")
        ));
    }
    let round_trip = wire.rtt_ms.or(wire.handshake_ms);
    let lossy = wire.resent >= LEAST_RESENT && wire.resent_pct >= LOSSY_PCT;
    if heard.is_slow() {
        let first_byte = heard.ttfb_p99_ms.unwrap_or(heard.p99_ms);
        match round_trip {
            Some(trip) if trip >= FAR * first_byte => {
                network.push(format!(
                    "a round trip of {} is most of the {} to the first byte",
                    ms(trip),
                    ms(first_byte)
                ));
            }
            Some(trip) => server.push(format!(
                "p99 to the first byte is {}, a round trip only {}",
                ms(first_byte),
                ms(trip)
            )),
            None => {}
        }
    }
    if lossy {
        network.push(format!(
            "{} of {} were sent again ({}%)",
            wire.resent,
            count(wire.packets, "packet"),
            rate(wire.resent_pct)
        ));
    }
    if wire.timed_out > 0 && heard.failed > heard.answered_badly {
        network.push(format!(
            "{} fell silent: a lost packet and a dead host look the same from here",
            count(wire.timed_out, "connection")
        ));
    }
    let verdict = match (server.is_empty(), network.is_empty()) {
        (false, true) => Verdict::Server,
        (true, false) => Verdict::Network,
        (false, false) => Verdict::Both,
        (true, true) if heard.is_slow() || heard.failed > 0 => Verdict::Unknown,
        (true, true) => Verdict::Neither,
    };
    if verdict == Verdict::Unknown {
        server.push(if wire.flows == 0 {
            "no flow of this edge is known yet, so the network's share cannot be told".to_owned()
        } else if round_trip.is_none() {
            "no round trip was seen on its flows (they were under way before the capture), so the \
             network's share cannot be told"
                .to_owned()
        } else {
            format!(
                "{} without an answer, while the network shows no losses",
                count(
                    heard.failed,
                    "failed \
                call"
                )
            )
        });
    }
    server.extend(network);
    (verdict, server)
}

fn verdict_told(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Server => "the server, not the network",
        Verdict::Network => "the network, not the server",
        Verdict::Both => "both the server and the network",
        Verdict::Neither => "neither",
        Verdict::Unknown => "cannot be told",
    }
}

struct Edge<'a> {
    row: Row<'a>,
    wire_row: Option<Row<'a>>,
    heard: Heard,
    wire: Wire,
}

fn edge<'a>(row: Row<'a>, network: &'a Table, answered: &Table) -> Edge<'a> {
    let is_same =
        |other: &Row<'_>| ["client", "server", "protocol"].iter().all(|end| other.text(end) == row.text(end));
    let wire_row = network.iter().find(is_same);
    let number = |name: &str| row.number(name);
    let heard = Heard {
        calls: row.count("calls"),
        failed: row.count("failed"),
        timed: row.count("timed"),
        p50_ms: number("p50_ms").unwrap_or(0.0),
        p99_ms: number("p99_ms").unwrap_or(0.0),
        ttfb_p99_ms: number("ttfb_p99_ms"),
        answered_badly: answered.iter().filter(is_same).map(|other| other.count("calls")).sum(),
    };
    let wire = wire_row.map_or_else(Wire::default, |other| Wire {
        flows: other.count("flows"),
        packets: other.count("packets"),
        resent: other.count("retransmissions"),
        resent_pct: other.number("retransmitted_pct").unwrap_or(0.0),
        rtt_ms: other.number("rtt_p50_ms"),
        handshake_ms: other.number("handshake_p50_ms"),
        refused: other.count("refused"),
        reset: other.count("reset"),
        timed_out: other.count("timed_out"),
        zero_windows: other.count("zero_windows"),
    });
    Edge { row, wire_row, heard, wire }
}

pub(crate) async fn run(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let about = conditions::told(slots);
    let mut said = Said::new(format!(
        "whether slow and failing calls{about} are the network's or the server's doing: time to first byte \
         and failures against round trips and retransmissions"
    ));
    let arguments = json!({
        "window": desk.window_text(), "service": slots.subject, "caller": slots.caller, "callee": slots.callee,
        "limit": 60, "detail": "detailed",
    });
    let evidence = desk.tool("get_service_map", arguments).await?;
    let (edges, network) = (table(&evidence, "edges"), table(&evidence, "network"));
    let answered = desk
        .sql(format!(
            "SELECT client_workload AS client, server_workload AS server, protocol, count(*) AS calls FROM \
             calls \
             WHERE {} AND outcome = 'server_error' AND kind <> 'connection' GROUP BY 1, 2, 3 ORDER BY \
             calls DESC LIMIT 100",
            within(desk.window)
        ))
        .await?;
    let carriers = carriers(desk).await?;
    let mut judged: Vec<Edge<'_>> = edges
        .iter()
        .filter(|row| row.text("protocol") != "dns")
        .map(|row| edge(row, &carriers, &answered))
        .collect();
    if judged.is_empty() {
        said.line(format!("No calls{about} were heard in this window, so there is nothing to judge."));
        return Ok(said);
    }
    let weight = |edge: &Edge<'_>| {
        edge.heard.p99_ms * (edge.heard.timed as f64).sqrt() + 1000.0 * (edge.heard.failed as f64).sqrt()
    };
    judged.sort_by(|left, right| weight(right).total_cmp(&weight(left)));
    let sick: Vec<&Edge<'_>> =
        judged.iter().filter(|edge| edge.heard.is_slow() || edge.heard.failed > 0).collect();
    if sick.is_empty() {
        said.line("Neither: no edge is slow or failing in this window.");
        for edge in judged.iter().take(3) {
            tell(&mut said, edge, None);
        }
        return Ok(said);
    }
    let verdicts: Vec<(Verdict, Vec<String>)> =
        sick.iter().map(|edge| judge(&edge.heard, &edge.wire)).collect();
    // Of a server that waits for another the other is to blame.
    let mut chain: Vec<Step> = Vec::new();
    if let Some(edge) = sick.iter().find(|edge| edge.heard.is_slow()) {
        let condition = format!(
            "{} AND {} AND {} AND protocol = {} AND {TIMED}",
            within(desk.window),
            end_is("client", edge.row.text("client")),
            end_is("server", edge.row.text("server")),
            text(edge.row.text("protocol"))
        );
        chain = blame::slow_chain(desk, &condition).await?;
    }
    let to_blame = culprit(&chain).map(|step| step.service.clone());
    said.line(headline(&verdicts, judged.len(), to_blame.as_deref()));
    for (edge, verdict) in sick.iter().zip(&verdicts).take(MOST_EDGES) {
        let server = edge.row.text("server");
        let waits = chain.iter().any(|step| step.service == server) && to_blame.as_deref() != Some(server);
        let waits_for = to_blame.as_deref().filter(|_| waits);
        tell(&mut said, edge, Some(Judged { verdict, waits_for }));
    }
    if sick.len() > MOST_EDGES {
        said.item(format!("and {} more that are slow or failing", sick.len() - MOST_EDGES));
    }
    if let Some(line) = chain_line(&chain) {
        said.line(line);
    }
    if sick.iter().any(|edge| edge.heard.failed > 0) {
        let causes = Causes::find(desk, desk.window).await?;
        let roots: Vec<String> =
            causes.roots().into_iter().take(2).map(super::failures::cause_told).collect();
        if !roots.is_empty() {
            said.line(format!("Behind the calls that failed: {}.", roots.join("; ")));
        }
    }
    overall(&mut said, &network);
    Ok(said)
}

/// An edge's verdict with its reasons, and whom its server waits for where it is another's time.
struct Judged<'a> {
    verdict: &'a (Verdict, Vec<String>),
    waits_for: Option<&'a str>,
}

/// The flows that carried each edge's calls. By the flows' ids: a flow has the name of its address alone, a call also
/// one by the host that it asked for.
async fn carriers(desk: &mut Desk) -> Result<Table, ToolError> {
    desk.sql(format!(
        "SELECT edge.client AS client, edge.server AS server, edge.protocol AS protocol, count(*) AS \
         flows, \
         sum(client_packets + server_packets) AS packets, \
         sum(client_retransmissions + server_retransmissions) AS retransmissions, \
         100.0 * CAST(sum(client_retransmissions + server_retransmissions) AS DOUBLE) / \
         CAST(nullif(sum(client_packets + server_packets), 0) AS DOUBLE) AS retransmitted_pct, \
         sum(zero_windows) AS zero_windows, {} AS handshake_p50_ms, {} AS rtt_p50_ms, \
         count(*) FILTER (WHERE state = 'refused') AS refused, count(*) FILTER (WHERE state = 'reset') AS \
         reset, \
         count(*) FILTER (WHERE state = 'timed_out') AS timed_out, \
         first_value(flows.flow_id ORDER BY client_retransmissions + server_retransmissions DESC) AS \
         example \
         FROM (SELECT DISTINCT client_workload AS client, server_workload AS server, protocol, flow_id \
         FROM calls \
         WHERE {}) AS edge JOIN flows ON flows.flow_id = edge.flow_id \
         GROUP BY 1, 2, 3 ORDER BY packets DESC LIMIT 150",
        percentile("handshake_ms", 0.5, "handshake_ms IS NOT NULL"),
        percentile("rtt_p50_ms", 0.5, "rtt_p50_ms IS NOT NULL"),
        within(desk.window)
    ))
    .await
}

fn headline(verdicts: &[(Verdict, Vec<String>)], all: usize, to_blame: Option<&str>) -> String {
    let sick = verdicts.len();
    let n = |wanted: Verdict| verdicts.iter().filter(|(verdict, _)| *verdict == wanted).count();
    let (server, network, both, unknown) =
        (n(Verdict::Server), n(Verdict::Network), n(Verdict::Both), n(Verdict::Unknown));
    let verdict = match (server, network, both, unknown) {
        (_, 0, 0, 0) => "It is the server, not the network",
        (0, _, 0, 0) => "It is the network, not the server",
        (0, 0, 0, _) => "It cannot be told",
        (_, 0, 0, _) => "It is the server as far as can be told",
        (0, _, 0, _) => "It is the network as far as can be told",
        _ => "It is both",
    };
    let mut parts = Vec::new();
    for (number, word) in
        [(server, "the server's"), (network, "the network's"), (both, "both's"), (unknown, "undecided")]
    {
        if number > 0 && number < sick {
            parts.push(format!("{number} {word}"));
        }
    }
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", listed(&parts)) };
    let to_blame =
        to_blame.map(|service| format!(" The slowest wait for {}.", name(service))).unwrap_or_default();
    format!(
        "{verdict}: of {}, {sick} {} slow or failing{parts}.{to_blame}",
        count(all as u64, "edge"),
        if sick == 1 { "is" } else { "are" }
    )
}

/// An edge, its verdict and the numbers of both sides.
fn tell(said: &mut Said, edge: &Edge<'_>, judged: Option<Judged<'_>>) {
    let (row, heard, wire) = (&edge.row, &edge.heard, &edge.wire);
    let mut line = format!(
        "{} to {} ({}): ",
        name(row.text("client")),
        name(row.text("server")),
        name(row.text("protocol"))
    );
    if let Some(Judged { verdict: (verdict, why), waits_for }) = judged {
        line.push_str(&format!("{}, since {}", verdict_told(*verdict), listed(why)));
        if let Some(other) = waits_for {
            line.push_str(&format!(", and it waits for {} in turn", name(other)));
        }
        line.push_str(". ");
    }
    line.push_str(&format!(
        "{}, {} failed ({})",
        count(heard.calls, "call"),
        heard.failed,
        percent(heard.failed as f64, heard.calls as f64)
    ));
    if heard.timed > 0 {
        line.push_str(&format!(
            ", p50 {}, p99 {}, p99 to the first byte {} (n {})",
            ms(heard.p50_ms),
            ms(heard.p99_ms),
            ms_of(row, "ttfb_p99_ms"),
            heard.timed
        ));
    }
    let example = if heard.is_slow() { row.text("slow_example") } else { "" };
    let example = if example.is_empty() { row.text("failed_example") } else { example };
    line.push_str(&cite(if example.is_empty() { row.text("example") } else { example }));
    line.push_str(&wire_told(wire));
    if let Some(other) = &edge.wire_row {
        line.push_str(&cite(other.text("example")));
    }
    said.item(line);
}

fn wire_told(wire: &Wire) -> String {
    if wire.flows == 0 {
        return "; none of its flows is known".to_owned();
    }
    let mut parts = Vec::new();
    if let Some(trip) = wire.rtt_ms {
        parts.push(format!("round trip p50 {}", ms(trip)));
    }
    if let Some(handshake) = wire.handshake_ms {
        parts.push(format!("handshake p50 {}", ms(handshake)));
    }
    parts.push(format!(
        "{} among {} ({}%)",
        count(wire.resent, "retransmission"),
        count(wire.packets, "packet"),
        rate(wire.resent_pct)
    ));
    for (number, word) in [
        (wire.refused, "refused"),
        (wire.reset, "reset"),
        (
            wire.timed_out,
            "timed \
        out",
        ),
    ] {
        if number > 0 {
            parts.push(format!("{number} {word}"));
        }
    }
    if wire.zero_windows > 0 {
        parts.push(format!("{} (the receiver was full)", count(wire.zero_windows, "zero window")));
    }
    format!("; {}: {}", count(wire.flows, "flow"), listed(&parts))
}

/// The network as a whole, so that a clean one is said to be clean.
fn overall(said: &mut Said, network: &Table) {
    let (packets, resent) = network.iter().fold((0, 0), |(packets, resent), row| {
        (packets + row.count("packets"), resent + row.count("retransmissions"))
    });
    said.line(format!(
        "All these flows together: {} among {} ({}).",
        count(resent, "retransmission"),
        count(packets, "packet"),
        percent(resent as f64, packets as f64)
    ));
}

pub(crate) async fn retransmissions(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let mut slots: Slots = reading.slots.clone();
    // On the wire a loss between two is one in either direction.
    slots.both_ways = slots.caller.is_some() && slots.callee.is_some();
    let about = conditions::told(&Slots { endpoint: None, status: None, ..slots.clone() });
    let mut said = Said::new(format!("packets that were sent again{about}, by pair of ends"));
    let condition = conditions::flows(desk, &slots);
    let found = desk
        .sql(format!(
            "SELECT client_workload AS client, server_workload AS server, transport, count(*) AS flows, \
             sum(client_packets + server_packets) AS packets, sum(client_retransmissions) AS by_client, \
             sum(server_retransmissions) AS by_server, sum(client_retransmissions + \
             server_retransmissions) AS resent, \
             sum(out_of_order) AS out_of_order, sum(zero_windows) AS zero_windows, max(rtt_p99_ms) AS \
             rtt_p99_ms, \
             first_value(flow_id ORDER BY client_retransmissions + server_retransmissions DESC) AS example \
             FROM flows WHERE {condition} AND transport IN ('tcp', 'sctp') GROUP BY 1, 2, 3 ORDER BY \
             resent DESC, packets DESC LIMIT 50"
        ))
        .await?;
    if found.is_empty() {
        said.line(format!("No TCP flow{about} was heard in this window."));
        return Ok(said);
    }
    let sum = |column: &str| found.iter().map(|row| row.count(column)).sum::<u64>();
    let (packets, resent) = (sum("packets"), sum("resent"));
    said.line(format!(
        "{} among {} of {}{about} ({}); {} came out of order.",
        count(resent, "retransmission"),
        count(packets, "packet"),
        count(sum("flows"), "flow"),
        percent(resent as f64, packets as f64),
        count(sum("out_of_order"), "segment")
    ));
    if resent == 0 {
        said.line("So no packet loss shows between these ends in this window.");
    }
    for row in
        found.iter().take(slots.limit.unwrap_or(6)).filter(|row| resent == 0 || row.count("resent") > 0)
    {
        said.item(format!(
            "{} to {}: {} among {} ({}), {} by the client and {} by the server, {} flows, highest round \
             trip p99 {}{}",
            name(row.text("client")),
            name(row.text("server")),
            count(row.count("resent"), "retransmission"),
            count(row.count("packets"), "packet"),
            percent(row.count("resent") as f64, row.count("packets") as f64),
            row.count("by_client"),
            row.count("by_server"),
            row.count("flows"),
            ms_of(&row, "rtt_p99_ms"),
            cite(row.text("example"))
        ));
    }
    said.line(
        "A retransmission says that a packet or its acknowledgement was lost, or was late; packets \
        that this capture itself missed are told as losses below.",
    );
    Ok(said)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clean() -> Wire {
        Wire { flows: 10, packets: 1000, rtt_ms: Some(0.2), handshake_ms: Some(0.3), ..Wire::default() }
    }

    fn slow() -> Heard {
        Heard {
            calls: 100,
            timed: 100,
            p50_ms: 20.0,
            p99_ms: 500.0,
            ttfb_p99_ms: Some(490.0),
            ..Heard::default()
        }
    }

    #[test]
    fn a_late_first_byte_over_a_quick_wire_is_the_servers() {
        assert_eq!(judge(&slow(), &clean()).0, Verdict::Server);
        let failing = Heard { calls: 100, failed: 30, answered_badly: 30, ..Heard::default() };
        assert_eq!(judge(&failing, &clean()).0, Verdict::Server);
    }

    #[test]
    fn long_round_trips_and_losses_are_the_networks() {
        let far = Wire { rtt_ms: Some(400.0), ..clean() };
        assert_eq!(judge(&slow(), &far).0, Verdict::Network);
        let lossy = Wire { resent: 50, resent_pct: 5.0, ..clean() };
        assert_eq!(judge(&slow(), &lossy).0, Verdict::Both);
        let silent = Heard { calls: 10, failed: 10, ..Heard::default() };
        assert_eq!(judge(&silent, &Wire { timed_out: 10, ..clean() }).0, Verdict::Network);
    }

    #[test]
    fn without_flows_nothing_is_said_of_the_network() {
        assert_eq!(judge(&slow(), &Wire::default()).0, Verdict::Unknown);
        assert_eq!(
            judge(&Heard { calls: 9, timed: 9, p50_ms: 1.0, p99_ms: 2.0, ..Heard::default() }, &clean()).0,
            Verdict::Neither
        );
    }
}
