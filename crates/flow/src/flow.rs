//! One flow: who, since when, how much, and how it stands.

use std::time::Duration;

use wirewise_model::{
    ClosedBy, Endpoint, FlowId, FlowKey, FlowState, FlowSummary, Note, PacketNumber, Side, SideCounters,
    Timestamp, TlsInfo, Transport,
};

use crate::EndReason;
use crate::reorder::Reorder;
use crate::rtt::RoundTrips;
use crate::sctp::SctpSide;
use crate::slab::FlowHandle;
use crate::tcp::TcpSide;

/// Ports below this need privileges: whoever sends from one to a higher one answers.
const WELL_KNOWN: u16 = 1024;
/// Linux and others take the ports of their clients from here on (ip_local_port_range).
const EPHEMERAL: u16 = 32_768;

/// One flow. Kept small, a million may be idle: what few flows need stands behind a box.
#[derive(Debug)]
pub struct Flow {
    /// Its name in the table.
    pub handle: FlowHandle,
    /// Its id; its time is that of the first packet.
    pub id: FlowId,
    /// Its ends; `from` is [`Side::A`].
    pub key: FlowKey,
    /// Who opened it (SYN, INIT), where that was heard.
    pub opener: Option<Side>,
    /// Whether its beginning was not heard.
    pub mid_stream: bool,
    /// Calls that were made of it, counted by the listener.
    pub calls: u32,
    /// What TLS showed, set by the listener.
    pub tls: Option<Box<TlsInfo>>,
    /// First packet's number.
    pub first_packet: PacketNumber,
    /// Last packet's number.
    pub last_packet: PacketNumber,
    pub(crate) last_heard: Timestamp,
    pub(crate) client: Side,
    pub(crate) phase: Phase,
    pub(crate) closed_by: Option<Side>,
    /// The side that an ICMP error says cannot be reached. It counts while that side was never heard: who
    /// answers is not refusing, whatever a forged message says.
    pub(crate) refused_by: Option<Side>,
    pub(crate) ended: Option<EndReason>,
    /// Payload bytes that each side sent.
    pub(crate) bytes: [u64; 2],
    /// Packets that each side sent, modulo 2^32; the rest stands in [`Rare`].
    pub(crate) packets: [u32; 2],
    pub(crate) tcp: [TcpSide; 2],
    /// From SYN to the ACK that completed the handshake, in microseconds; `u32::MAX` is unknown.
    pub(crate) handshake: u32,
    /// The sender of the segment whose acknowledgement is being timed.
    pub(crate) timed: Option<Side>,
    /// The sequence number at which that segment ends.
    pub(crate) timed_end: u32,
    /// When it came, in microseconds after the flow began.
    pub(crate) timed_at: u32,
    pub(crate) more: Option<Box<More>>,
}

/// Where a flow stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Has no opening and no end.
    Datagram,
    /// SYN or INIT was heard.
    Opening,
    /// Both ends agreed, or it was picked up in mid-stream.
    Established,
    /// FIN both ways.
    Closed,
    /// RST or ABORT.
    Reset,
    /// RST or ABORT answered its opening.
    Refused,
}

impl Phase {
    pub(crate) fn is_over(self) -> bool {
        match self {
            Self::Datagram | Self::Opening | Self::Established => false,
            Self::Closed | Self::Reset | Self::Refused => true,
        }
    }
}

/// What a flow has once it was answered. Small: of the flows that wait in silence most have it.
#[derive(Debug, Default)]
pub(crate) struct More {
    pub(crate) rtt: RoundTrips,
    pub(crate) rare: Option<Box<Rare>>,
}

/// What few flows have.
#[derive(Debug, Default)]
pub(crate) struct Rare {
    pub(crate) counters: [SideCounters; 2],
    pub(crate) reorder: [Option<Box<Reorder>>; 2],
    /// The last stretch of each side that was given up: sequence numbers from, to.
    pub(crate) gap: [Option<(u32, u32)>; 2],
    pub(crate) sctp: Option<Box<[SctpSide; 2]>>,
    pub(crate) notes: Vec<Note>,
}

impl Flow {
    /// The end that asks. Where the opening was not heard this is a guess from ports, until a dissector that
    /// saw both heads says better.
    pub fn client(&self) -> Side {
        self.client
    }

    /// Says who the client is; counters and ends of the summary follow.
    pub fn set_client(&mut self, side: Side) {
        self.client = side;
    }

    /// One end.
    pub fn endpoint(&self, side: Side) -> Endpoint {
        match side {
            Side::A => self.key.from,
            Side::B => self.key.to,
        }
    }

    /// First packet.
    pub fn started(&self) -> Timestamp {
        self.id.at()
    }

    /// Last packet so far.
    pub fn last_heard(&self) -> Timestamp {
        self.last_heard
    }

    /// Raw TCP sequence number of the first byte of a side's stream, where it is known.
    pub fn first_sequence(&self, side: Side) -> Option<u32> {
        let known = self.key.transport == Transport::Tcp && self.tcp[side.index()].is_heard();
        known.then(|| self.tcp[side.index()].isn.wrapping_add(1))
    }

    /// Adds a note, once.
    pub fn note(&mut self, note: impl Into<Note>) {
        let (note, notes) = (note.into(), &mut self.rare().notes);
        if !notes.contains(&note) {
            notes.push(note);
        }
    }

    /// All that is known of it now. Counters are cumulative.
    pub fn summary(&self) -> FlowSummary {
        let (client, server) = (self.client, self.client.other());
        let handshake = (self.handshake != u32::MAX).then(|| Duration::from_micros(self.handshake.into()));
        let rtt = self.rtt().or(handshake.map(|span| (span, span)));
        FlowSummary {
            id: self.id,
            transport: self.key.transport,
            client: self.endpoint(client),
            server: self.endpoint(server),
            started: self.started(),
            ended: self.last_heard,
            first_packet: self.first_packet,
            last_packet: self.last_packet,
            client_sent: self.counters(client),
            server_sent: self.counters(server),
            handshake,
            rtt_p50: rtt.map(|(median, _)| median),
            rtt_p99: rtt.map(|(_, p99)| p99),
            state: self.state(),
            closed_by: match self.closed_by.or(self.refusing_side()) {
                Some(side) if side == client => ClosedBy::Client,
                Some(_) => ClosedBy::Server,
                None => ClosedBy::Nobody,
            },
            calls: u64::from(self.calls),
            tls: self.tls.clone(),
            notes: self.known_rare().map(|rare| rare.notes.clone()).unwrap_or_default(),
        }
    }

    /// What one side sent so far.
    pub fn counters(&self, side: Side) -> SideCounters {
        let index = side.index();
        let more = self.known_rare().map(|rare| rare.counters[index]).unwrap_or_default();
        SideCounters {
            bytes: self.bytes[index],
            packets: more.packets + u64::from(self.packets[index]),
            ..more
        }
    }

    /// Where its life stands.
    pub fn state(&self) -> FlowState {
        let silent = self.ended == Some(EndReason::TimedOut);
        match self.phase {
            Phase::Opening | Phase::Datagram if self.refusing_side().is_some() => FlowState::Refused,
            Phase::Closed => FlowState::Closed,
            Phase::Reset => FlowState::Reset,
            Phase::Refused => FlowState::Refused,
            Phase::Datagram if silent => FlowState::Closed,
            Phase::Established if self.mid_stream => FlowState::MidStream,
            Phase::Opening | Phase::Established if silent => FlowState::TimedOut,
            Phase::Datagram | Phase::Opening | Phase::Established => FlowState::Open,
        }
    }

    fn refusing_side(&self) -> Option<Side> {
        self.refused_by.filter(|side| self.counters(*side).packets == 0)
    }

    /// Of the two directions the one with the longer median: a listener beside one end sees nearly nothing of
    /// that end's own share, and the whole way in the other direction.
    fn rtt(&self) -> Option<(Duration, Duration)> {
        self.more.as_ref()?.rtt.percentiles()
    }

    pub(crate) fn rare(&mut self) -> &mut Rare {
        self.more.get_or_insert_default().rare.get_or_insert_default()
    }

    /// What few flows have, where this one has it.
    pub(crate) fn known_rare(&self) -> Option<&Rare> {
        self.more.as_ref()?.rare.as_deref()
    }

    pub(crate) fn count(&mut self, side: Side, bytes: usize) {
        let index = side.index();
        self.bytes[index] = self.bytes[index].saturating_add(bytes as u64);
        self.packets[index] = self.packets[index].wrapping_add(1);
        if self.packets[index] == 0 {
            self.rare().counters[index].packets += 1 << 32;
        }
    }

    /// Microseconds since its first packet, modulo 2^32: 71 minutes.
    pub(crate) fn micros_since_start(&self, at: Timestamp) -> u32 {
        at.since(self.started()).as_micros() as u32
    }

    /// Who asks, by ports alone, for a packet whose flow's opening was not heard: whoever talks to the more
    /// server-like port. Of two alike the one that was heard first.
    pub(crate) fn guess_client(key: &FlowKey) -> Side {
        let rank = |port: u16| match port {
            0..WELL_KNOWN => 2,
            WELL_KNOWN..EPHEMERAL => 1,
            _ => 0,
        };
        let (from, to) = (rank(key.from.port), rank(key.to.port));
        match key.transport {
            Transport::Tcp | Transport::Sctp if from > to => Side::B,
            Transport::Udp if from == 2 && to < 2 => Side::B,
            _ => Side::A,
        }
    }
}
