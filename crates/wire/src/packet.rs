//! What a frame turned out to be.

use wirewise_model::{Direction, FlowKey, InterfaceId, Mark, Reason};

use crate::Sctp;

/// What became of a frame.
#[derive(Clone, Debug)]
pub enum Parsed<'a> {
    /// A transport packet of the innermost flow.
    Packet(Packet<'a>),
    /// Nothing for the flows, and why; the books have it already.
    Skip(Reason),
    /// A fragment that waits for the rest of its datagram.
    Held,
}

/// A packet of the innermost flow.
#[derive(Clone, Debug)]
pub struct Packet<'a> {
    /// The frame, or the first of its fragments that was heard.
    pub mark: Mark,
    /// The frame, or the fragment that made the datagram whole.
    pub last: Mark,
    /// Where it was heard.
    pub interface: InterfaceId,
    /// Which way it went; a cooked link header tells where the source does not.
    pub direction: Direction,
    /// Who sends it to whom. `scope` is always 0, see [`Parser`](crate::Parser).
    pub key: FlowKey,
    /// The transport's header.
    pub l4: L4<'a>,
    /// The transport's payload as captured; for ICMP the whole message, for SCTP all chunks.
    pub payload: &'a [u8],
    /// How long the payload was on the wire, as the headers announce it.
    pub payload_len: usize,
    /// Of the innermost IP packet, without hop limit, ECN and checksums: equal for copies of one packet on
    /// several interfaces, within one process.
    pub fingerprint: u64,
    /// Whether it came out of a tunnel.
    pub tunnelled: bool,
}

/// A transport's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum L4<'a> {
    /// RFC 9293.
    Tcp(Tcp),
    /// RFC 768.
    Udp(Udp),
    /// RFC 792, RFC 4443.
    Icmp(Icmp),
    /// RFC 9260.
    Sctp(Sctp<'a>),
}

/// The flags of a TCP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TcpFlags(pub u8);

impl TcpFlags {
    /// The sender will send no more.
    pub fn fin(self) -> bool {
        self.0 & 0x01 != 0
    }

    /// The sender opens its side.
    pub fn syn(self) -> bool {
        self.0 & 0x02 != 0
    }

    /// The connection is gone.
    pub fn rst(self) -> bool {
        self.0 & 0x04 != 0
    }

    /// The sender asks for delivery at once.
    pub fn psh(self) -> bool {
        self.0 & 0x08 != 0
    }

    /// The acknowledgement number holds.
    pub fn ack(self) -> bool {
        self.0 & 0x10 != 0
    }
}

/// A TCP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tcp {
    /// Sequence number of the first byte (or of SYN).
    pub seq: u32,
    /// The next byte that the sender expects, where ACK is set.
    pub ack: u32,
    /// Flags.
    pub flags: TcpFlags,
    /// Receive window as it stands in the header, not scaled.
    pub window: u16,
    /// Shift of the window scale option (SYN only); values over 14 count as 14 (RFC 7323, 2.3).
    pub window_scale: Option<u8>,
    /// Maximum segment size option (SYN only).
    pub mss: Option<u16>,
    /// Whether selective acknowledgements are offered (SYN only).
    pub sack_permitted: bool,
    /// First block of a selective acknowledgement.
    pub sack: Option<(u32, u32)>,
    /// Value and echo of the timestamps option.
    pub timestamps: Option<(u32, u32)>,
}

/// A UDP header.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Udp {
    /// The length field: header and payload, 0 where the sender left it out.
    pub length: u16,
}

/// An ICMP or ICMPv6 header; the transport of the packet's key tells which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Icmp {
    /// Type.
    pub kind: u8,
    /// Code.
    pub code: u8,
    /// In an error message: the flow of the packet that caused it, in that packet's order.
    pub quoted: Option<FlowKey>,
}
