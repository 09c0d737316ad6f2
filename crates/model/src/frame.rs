//! What capture hands over: one frame as it was heard, not yet understood.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// A number that names a packet within its capture, 1-based, counted over all interfaces in file order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PacketNumber(pub u64);

/// An interface within one capture: a pcapng interface id, or the kernel's index of a live one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct InterfaceId(pub u32);

/// The tcpdump LINKTYPE number of a frame's first header. Unknown numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LinkType(pub u16);

impl LinkType {
    /// BSD loopback: a 4-byte protocol family in the byte order of the capturing host.
    pub const NULL: Self = Self(0);
    /// Ethernet.
    pub const ETHERNET: Self = Self(1);
    /// Raw IP, version told by the first nibble.
    pub const RAW: Self = Self(101);
    /// OpenBSD loopback: as NULL, in network byte order.
    pub const LOOP: Self = Self(108);
    /// Linux cooked capture, version 1.
    pub const LINUX_SLL: Self = Self(113);
    /// Raw IPv4.
    pub const IPV4: Self = Self(228);
    /// Raw IPv6.
    pub const IPV6: Self = Self(229);
    /// Linux cooked capture, version 2.
    pub const LINUX_SLL2: Self = Self(276);
}

/// Which way a frame went on its interface, where the source says so.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Direction {
    /// The source does not say.
    #[default]
    Unknown,
    /// Received by the capturing host.
    In,
    /// Sent by it.
    Out,
}

/// What kind of ear heard a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Source {
    /// Packets on a link.
    #[default]
    Packets,
    /// Plaintext taken at a TLS library's call.
    TlsProbe,
}

impl Source {
    /// The word in the `source` column.
    pub fn name(self) -> &'static str {
        match self {
            Self::Packets => "packets",
            Self::TlsProbe => "tls_probe",
        }
    }
}

/// One captured frame. `bytes` may be shorter than `original_len`: then the tail was cut by a snap length.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// When the kernel or the file says it was heard.
    pub at: Timestamp,
    /// Where it was heard.
    pub interface: InterfaceId,
    /// Its number in the capture.
    pub number: PacketNumber,
    /// What its first header is.
    pub link: LinkType,
    /// Which way it went.
    pub direction: Direction,
    /// What was kept of it.
    pub bytes: &'a [u8],
    /// How long it was on the wire.
    pub original_len: u32,
}
