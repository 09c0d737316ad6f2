//! A flow that made no call of its own is one: nothing on the wire is invisible.

use wirewise_dissect::Session;
use wirewise_flow::Flow;
use wirewise_model::{
    ClosedBy, Exchange, FlowState, FlowSummary, Frames, Kind, Mark, Message, Outcome, SideCounters, Track,
    Transport,
};

/// The call that stands for a flow, where nothing else does.
pub(crate) fn of(flow: &Flow, session: &Session, summary: &FlowSummary) -> Option<Exchange> {
    if flow.calls > 0 || matches!(flow.key.transport, Transport::Icmp | Transport::Icmpv6) {
        return None;
    }
    let client = flow.client();
    let mut exchange = Exchange::new(summary.transport.name(), client);
    exchange.kind = Kind::Connection;
    exchange.operation = "connect".to_owned();
    exchange.target = summary.server.to_string();
    exchange.status = Some(summary.state.name().to_owned());
    exchange.outcome = outcome(summary);
    exchange.error = match summary.state {
        FlowState::Refused => Some("connection refused".to_owned()),
        FlowState::TimedOut if summary.server_sent.packets == 0 => Some("no answer to SYN".to_owned()),
        FlowState::Reset => Some("connection reset".to_owned()),
        FlowState::Open | FlowState::Closed | FlowState::TimedOut | FlowState::MidStream => None,
    };
    exchange.complete = matches!(summary.state, FlowState::Closed);
    let opened = Mark { at: summary.started, packet: summary.first_packet };
    let ended = Mark { at: summary.ended, packet: summary.last_packet };
    exchange.request = Some(message(&summary.client_sent, opened, opened));
    let answered = summary.server_sent.packets > 0;
    exchange.response = answered.then(|| message(&summary.server_sent, ended, ended));
    if let Some(protocol) = session.protocol() {
        exchange.attribute("network.protocol.name", protocol.name);
    }
    if let Some(handshake) = summary.handshake {
        exchange.attribute("tcp.handshake_us", i64::try_from(handshake.as_micros()).unwrap_or(i64::MAX));
    }
    exchange.notes.extend(summary.notes.iter().cloned());
    Some(exchange)
}

fn outcome(summary: &FlowSummary) -> Outcome {
    let answered = summary.server_sent.packets > 0;
    match (summary.transport, summary.state) {
        (_, FlowState::Refused) => Outcome::ServerError,
        // Nobody promises an answer to a datagram whose protocol is not known.
        (Transport::Udp, _) if !answered => Outcome::OneWay,
        (_, FlowState::Reset) if summary.closed_by == ClosedBy::Server => Outcome::Aborted,
        (_, FlowState::Reset | FlowState::Closed) => Outcome::Ok,
        (Transport::Tcp | Transport::Sctp, FlowState::TimedOut) if !answered => Outcome::NoResponse,
        (_, FlowState::TimedOut) => Outcome::Ok,
        (_, FlowState::MidStream | FlowState::Open) => Outcome::Unknown,
    }
}

/// One side's share of a flow: of its packets only the one at the flow's end is named.
fn message(sent: &SideCounters, first: Mark, last: Mark) -> Message {
    let mut frames = Frames::default();
    frames.push(first.packet);
    Message::bare(Track { offset: 0, first, last, frames, bytes: sent.bytes })
}
