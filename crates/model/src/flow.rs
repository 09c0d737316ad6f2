//! Who talks to whom: endpoints, flow keys, and what is told of a flow when it ends.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{FlowId, Note, PacketNumber, Timestamp};

/// An address and port. ICMP has port 0 on both sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Endpoint {
    /// IPv4 or IPv6 address.
    pub ip: IpAddr,
    /// Transport port, 0 where the transport has none.
    pub port: u16,
}

impl Endpoint {
    /// An endpoint.
    pub const fn new(ip: IpAddr, port: u16) -> Self {
        Self { ip, port }
    }
}

impl Default for Endpoint {
    fn default() -> Self {
        Self::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.ip {
            IpAddr::V4(ip) => write!(f, "{ip}:{}", self.port),
            IpAddr::V6(ip) => write!(f, "[{ip}]:{}", self.port),
        }
    }
}

/// What carries a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Transport {
    /// RFC 9293.
    Tcp,
    /// RFC 768.
    Udp,
    /// RFC 9260.
    Sctp,
    /// RFC 792.
    Icmp,
    /// RFC 4443.
    Icmpv6,
}

impl Transport {
    /// The word in the `transport` and `carrier` columns.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Tcp => "tcp",
            Self::Udp => "udp",
            Self::Sctp => "sctp",
            Self::Icmp => "icmp",
            Self::Icmpv6 => "icmpv6",
        }
    }
}

/// One of the two ends of a flow, before anybody knows which is the client. `A` is the first that was heard
/// to send, whatever its address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Side {
    /// Sent the first packet that was heard.
    A,
    /// The other end.
    B,
}

impl Side {
    /// The other end.
    pub const fn other(self) -> Self {
        match self {
            Self::A => Self::B,
            Self::B => Self::A,
        }
    }

    /// 0 for `A`, 1 for `B`.
    pub const fn index(self) -> usize {
        match self {
            Self::A => 0,
            Self::B => 1,
        }
    }
}

/// The two ends of a flow in the order of a packet: `from` sent it.
///
/// `canonical` gives the form that is equal for both directions. `scope` keeps apart equal addresses of
/// different networks: a hash of the VLAN and tunnel identifiers on the way in, 0 where there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FlowKey {
    /// What carries it.
    pub transport: Transport,
    /// Who sent this packet.
    pub from: Endpoint,
    /// Whom to.
    pub to: Endpoint,
    /// Which network.
    pub scope: u32,
}

impl FlowKey {
    /// The key with its lower endpoint first, and whether that swapped the two.
    pub fn canonical(self) -> (Self, bool) {
        if self.from <= self.to { (self, false) } else { (self.reversed(), true) }
    }

    /// The key of a packet that goes the other way.
    pub fn reversed(self) -> Self {
        Self { from: self.to, to: self.from, ..self }
    }
}

/// Where a flow's life stands, as the `state` column says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum FlowState {
    /// Still going when this was written.
    Open,
    /// Ended in order (FIN both ways, or a datagram flow that fell silent).
    Closed,
    /// Ended by RST, or SCTP ABORT, after it was established.
    Reset,
    /// Its opening was answered by RST, ABORT or an ICMP error.
    Refused,
    /// Fell silent before it was established or closed.
    TimedOut,
    /// Its opening was not heard, and nothing that ended it either.
    MidStream,
}

impl FlowState {
    /// The word in the `state` column.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Closed => "closed",
            Self::Reset => "reset",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::MidStream => "mid_stream",
        }
    }
}

/// Who ended a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ClosedBy {
    /// The client's FIN or RST came first.
    Client,
    /// The server's came first.
    Server,
    /// Nobody: it fell silent, or the capture ended.
    Nobody,
}

impl ClosedBy {
    /// The word in the `closed_by` column; none for nobody.
    pub const fn name(self) -> Option<&'static str> {
        match self {
            Self::Client => Some("client"),
            Self::Server => Some("server"),
            Self::Nobody => None,
        }
    }
}

/// What one end of a flow sent, counted from packets, retransmissions included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SideCounters {
    /// Packets.
    pub packets: u64,
    /// Payload bytes of the transport, as the headers announce them.
    pub bytes: u64,
    /// Segments whose bytes had all been sent before.
    pub retransmissions: u64,
    /// Segments that arrived after a later one.
    pub out_of_order: u64,
    /// Announcements of an empty receive window.
    pub zero_windows: u64,
    /// Bytes that the other end acknowledged, or that later bytes imply, and that were never heard.
    pub missing_bytes: u64,
}

/// What a certificate says of its owner.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CertificateInfo {
    /// Distinguished name of the subject.
    pub subject: String,
    /// Distinguished name of the issuer.
    pub issuer: String,
    /// End of validity.
    pub expires_at: Option<Timestamp>,
}

/// What a TLS handshake showed of its flow.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsInfo {
    /// Server name that the client asked for.
    pub sni: Option<String>,
    /// Protocol agreed by ALPN, else the first that the client offered.
    pub alpn: Option<String>,
    /// `TLS1.2` and the like, as negotiated; offered where no answer was seen.
    pub version: Option<String>,
    /// Name of the cipher suite that the server chose.
    pub cipher: Option<String>,
    /// MD5 of the client's hello, JA3.
    pub ja3: Option<String>,
    /// JA4 of the client's hello.
    pub ja4: Option<String>,
    /// The server's certificate, where it went in the clear.
    pub certificate: Option<CertificateInfo>,
    /// The client's certificate, where one was sent in the clear.
    pub client_certificate: Option<CertificateInfo>,
}

/// All that is told of a flow. Counters are cumulative, so a later summary of the same id replaces an earlier.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlowSummary {
    /// Its id.
    pub id: FlowId,
    /// What carries it.
    pub transport: Transport,
    /// The end that asked; where nobody knows, the one that was heard first.
    pub client: Endpoint,
    /// The end that answered.
    pub server: Endpoint,
    /// First packet.
    pub started: Timestamp,
    /// Last packet.
    pub ended: Timestamp,
    /// First packet's number in the capture.
    pub first_packet: PacketNumber,
    /// Last packet's number in the capture.
    pub last_packet: PacketNumber,
    /// What the client sent.
    pub client_sent: SideCounters,
    /// What the server sent.
    pub server_sent: SideCounters,
    /// From the first SYN to the ACK that completed the handshake.
    pub handshake: Option<Duration>,
    /// Median of the round-trip times seen by acknowledgements.
    pub rtt_p50: Option<Duration>,
    /// 99th percentile of the same.
    pub rtt_p99: Option<Duration>,
    /// Where its life stands.
    pub state: FlowState,
    /// Who ended it.
    pub closed_by: ClosedBy,
    /// Calls that were made of it.
    pub calls: u64,
    /// What TLS showed, if it was TLS.
    pub tls: Option<Box<TlsInfo>>,
    /// What was odd.
    pub notes: Vec<Note>,
}
