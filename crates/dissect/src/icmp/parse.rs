//! Bytes to ICMP messages: the header, what is quoted of another packet, and the addresses that neighbour
//! discovery and listener reports speak of.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::names::Version;

/// Extension headers of a quoted IPv6 packet that are passed before its ports are given up.
const MOST_EXTENSIONS: usize = 8;

/// An ICMP message. Fields after `code` may be missing where it was cut.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) kind: u8,
    pub(super) code: u8,
    bytes: &'a [u8],
}

impl<'a> Message<'a> {
    /// `None` where there is not even a type and a code.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let [kind, code, ..] = *bytes else { return None };
        Some(Self { kind, code, bytes })
    }

    /// Whether the fixed eight bytes, which every type has, are there.
    pub(super) fn is_whole(&self) -> bool {
        self.bytes.len() >= 8
    }

    /// Identifier and sequence number of requests and replies. Extended echo (RFC 8335) has a sequence number
    /// of one byte. A message may be cut before the latter.
    pub(super) fn identity(&self) -> Option<(u16, Option<u16>)> {
        let [high, low, sequence @ ..] = self.bytes.get(4..)? else { return None };
        let sequence = match (self.kind, sequence) {
            (42 | 43 | 160 | 161, [first, ..]) => Some(u16::from(*first)),
            (_, [first, second, ..]) => Some(u16::from_be_bytes([*first, *second])),
            _ => None,
        };
        Some((u16::from_be_bytes([*high, *low]), sequence))
    }

    /// The four bytes after the checksum, as a number.
    pub(super) fn rest_of_header(&self) -> Option<u32> {
        Some(u32::from_be_bytes(*self.word(4)?))
    }

    /// Those bytes as an address: the better gateway of an IPv4 redirect.
    pub(super) fn gateway(&self) -> Option<Ipv4Addr> {
        Some(Ipv4Addr::from(*self.word(4)?))
    }

    /// What follows the fixed eight bytes.
    pub(super) fn body(&self) -> &'a [u8] {
        self.bytes.get(8..).unwrap_or_default()
    }

    /// An IPv6 address at `at`.
    pub(super) fn address(&self, at: usize) -> Option<Ipv6Addr> {
        let octets: &[u8; 16] = self.bytes.get(at..)?.first_chunk()?;
        Some(Ipv6Addr::from(*octets))
    }

    /// Groups of a listener report of version 2 (RFC 3810, 5.2), bounded by `most`.
    pub(super) fn groups(&self, most: usize) -> Vec<Ipv6Addr> {
        let announced = self.rest_of_header().unwrap_or(0) & 0xFFFF;
        let mut groups = Vec::new();
        let mut at = 8_usize;
        for _ in 0..announced.min(most as u32) {
            let (Some(&[_, words, high, low]), Some(group)) = (self.word(at), self.address(at + 4)) else {
                break;
            };
            groups.push(group);
            at += 20 + 16 * usize::from(u16::from_be_bytes([high, low])) + 4 * usize::from(words);
        }
        groups
    }

    /// The data of each option of neighbour discovery (RFC 4861, 4.6) with its type; options begin at `at`.
    pub(super) fn options(&self, at: usize) -> Options<'a> {
        Options { rest: self.bytes.get(at..).unwrap_or_default() }
    }

    fn word(&self, at: usize) -> Option<&'a [u8; 4]> {
        self.bytes.get(at..)?.first_chunk()
    }
}

/// Options of neighbour discovery, one after the other.
pub(super) struct Options<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Options<'a> {
    type Item = (u8, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let [kind, eights, ..] = *self.rest else { return None };
        // A length of zero would never end; RFC 4861, 4.6 has such packets discarded.
        let length = 8 * usize::from(eights);
        if length == 0 {
            return None;
        }
        let (option, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some((kind, &option[2..]))
    }
}

/// The flow that an error is about, as far as it is quoted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quoted {
    pub(super) from: IpAddr,
    pub(super) to: IpAddr,
    /// IP protocol number.
    pub(super) protocol: u8,
    /// Source and destination, where the protocol has ports and they are quoted.
    pub(super) ports: Option<(u16, u16)>,
    /// Identifier and sequence number of a quoted ICMP message.
    pub(super) echo: Option<(u16, u16)>,
}

impl Quoted {
    /// Reads the quoted packet's headers. `None` where not even its addresses are there.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        match bytes.first()? >> 4 {
            4 => Self::v4(bytes),
            6 => Self::v6(bytes),
            _ => None,
        }
    }

    fn v4(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; 20] = bytes.first_chunk()?;
        let address = |at: usize| IpAddr::from([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let is_first = u16::from_be_bytes([head[6], head[7]]) & 0x1FFF == 0;
        let payload = bytes.get(4 * usize::from(head[0] & 15)..).filter(|_| is_first && head[0] & 15 >= 5);
        Some(Self::new(address(12), address(16), head[9], payload.unwrap_or_default()))
    }

    fn v6(bytes: &[u8]) -> Option<Self> {
        let (head, mut rest) = bytes.split_first_chunk::<40>()?;
        let address = |at: usize| {
            let octets = head[at..].first_chunk::<16>().expect("a fixed header holds both addresses");
            IpAddr::from(*octets)
        };
        let mut protocol = head[6];
        for _ in 0..MOST_EXTENSIONS {
            let length = match (protocol, rest) {
                (0 | 43 | 60 | 135, [_, eights, ..]) => 8 + 8 * usize::from(*eights),
                (51, [_, fours, ..]) => 8 + 4 * usize::from(*fours),
                // Only a first fragment has the ports.
                (44, [_, _, high, low, ..]) if u16::from_be_bytes([*high, *low]) >> 3 == 0 => 8,
                (0 | 43 | 44 | 51 | 60 | 135, _) => {
                    rest = &[];
                    break;
                }
                _ => break,
            };
            protocol = rest[0];
            rest = rest.get(length..).unwrap_or_default();
        }
        Some(Self::new(address(8), address(24), protocol, rest))
    }

    fn new(from: IpAddr, to: IpAddr, protocol: u8, payload: &[u8]) -> Self {
        let words = |at: usize| {
            let [a, b, c, d] = *payload.get(at..)?.first_chunk::<4>()?;
            Some((u16::from_be_bytes([a, b]), u16::from_be_bytes([c, d])))
        };
        let ports = if matches!(protocol, 6 | 17 | 33 | 132 | 136) { words(0) } else { None };
        let echo = if matches!(protocol, 1 | 58) { words(4) } else { None };
        Self { from, to, protocol, ports, echo }
    }

    /// The quoted protocol: `udp`, or `ip47`.
    pub(super) fn transport(&self) -> std::borrow::Cow<'static, str> {
        std::borrow::Cow::Borrowed(match self.protocol {
            1 => "icmp",
            2 => "igmp",
            6 => "tcp",
            17 => "udp",
            33 => "dccp",
            47 => "gre",
            50 => "esp",
            58 => "icmpv6",
            132 => "sctp",
            136 => "udplite",
            other => return format!("ip{other}").into(),
        })
    }
}

/// `udp 10.0.0.2:4000 -> 10.0.0.1:53`, in the direction of the packet that is quoted.
impl fmt::Display for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.transport())?;
        match self.ports {
            Some((from, to)) => {
                let end = wirewise_model::Endpoint::new;
                write!(f, "{} -> {}", end(self.from, from), end(self.to, to))
            }
            None => write!(f, "{} -> {}", self.from, self.to),
        }
    }
}

/// The version that a transport speaks.
pub(super) fn version(transport: wirewise_model::Transport) -> Option<Version> {
    use wirewise_model::Transport;
    match transport {
        Transport::Icmp => Some(Version::V4),
        Transport::Icmpv6 => Some(Version::V6),
        Transport::Tcp | Transport::Udp | Transport::Sctp => None,
    }
}
