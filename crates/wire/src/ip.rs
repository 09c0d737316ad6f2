//! IPv4 (RFC 791) and IPv6 (RFC 8200) headers, and the payload behind them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wirewise_model::{FlowKey, Reason};

use crate::link;
use crate::packet::{Icmp, Tcp, Udp};
use crate::reasons::{BAD_IP, BAD_TUNNEL, OTHER_IP_PROTOCOL, TOO_DEEP};
use crate::view::View;
use crate::{transport, tunnel};

/// Extension headers that one packet may chain. Real ones have three at most.
const MOST_EXTENSIONS: usize = 16;

/// How deep we are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Nest {
    /// Further headers of encapsulation that may be opened.
    pub(crate) left: usize,
    /// Whether a tunnel has been opened.
    pub(crate) tunnelled: bool,
}

impl Nest {
    /// One encapsulation further in.
    pub(crate) fn down(self) -> Result<Self, Reason> {
        let left = self.left.checked_sub(1).ok_or(TOO_DEEP)?;
        Ok(Self { left, ..self })
    }

    /// The same, through a tunnel.
    pub(crate) fn tunnel(self) -> Result<Self, Reason> {
        Ok(Self { tunnelled: true, ..self.down()? })
    }
}

/// Of an IP packet, what its payload must know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct IpHead {
    pub(crate) src: IpAddr,
    pub(crate) dst: IpAddr,
    /// Transport or tunnel behind all headers.
    pub(crate) protocol: u8,
    /// Identification (IPv4), 0 without one.
    pub(crate) id: u32,
}

/// What a walk led to, as positions in the buffer that was walked.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Found {
    Transport(Located),
    Fragment(FragmentAt),
}

/// A transport packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Located {
    pub(crate) ip: IpHead,
    pub(crate) key: FlowKey,
    pub(crate) l4: L4Head,
    /// Where the transport's header begins, and where the captured part of the packet ends.
    pub(crate) segment: (usize, usize),
    /// How long the IP payload was on the wire.
    pub(crate) segment_wire: usize,
    /// Where the payload stands.
    pub(crate) payload: (usize, usize),
    pub(crate) payload_wire: usize,
    pub(crate) tunnelled: bool,
}

/// A transport's header, without anything borrowed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum L4Head {
    Tcp(Tcp),
    Udp(Udp),
    Icmp(Icmp),
    Sctp { tag: u32 },
}

/// A fragment of an IP packet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FragmentAt {
    pub(crate) ip: IpHead,
    pub(crate) offset: usize,
    pub(crate) more: bool,
    /// Where its bytes stand.
    pub(crate) data: (usize, usize),
    /// How many there were on the wire.
    pub(crate) wire: usize,
    pub(crate) nest: Nest,
}

/// An IP packet of either version, told by its first nibble.
#[inline]
pub(crate) fn walk(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    match view.u8(0)? >> 4 {
        4 => v4(view, nest),
        6 => v6(view, nest),
        _ => Err(BAD_IP),
    }
}

fn v4(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    let header = view.array::<20>(0)?;
    let length = usize::from(header[0] & 15) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    // Segmentation offload leaves 0 there: the frame tells the length.
    let total = if total == 0 { view.wire } else { total };
    if length < 20 || total < length {
        return Err(BAD_IP);
    }
    let view = view.limit(total);
    let payload = view.skip(length)?;
    let four = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
    let ip = IpHead {
        src: IpAddr::V4(four(12)),
        dst: IpAddr::V4(four(16)),
        protocol: header[9],
        id: u32::from(u16::from_be_bytes([header[4], header[5]])),
    };
    let flags = u16::from_be_bytes([header[6], header[7]]);
    let (offset, more) = (usize::from(flags & 0x1fff) * 8, flags & 0x2000 != 0);
    if offset > 0 || more {
        return Ok(fragment(ip, offset, more, payload, total - length, nest));
    }
    self::payload(payload, ip, nest)
}

fn v6(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    const HEADER: usize = 40;
    let header = view.array::<HEADER>(0)?;
    let announced = usize::from(u16::from_be_bytes([header[4], header[5]]));
    let whole = view.skip(HEADER)?;
    // 0 is a jumbogram (RFC 2675), an offloaded super-segment, or a packet with nothing in it.
    let mut rest = if announced == 0 { whole } else { whole.limit(announced) };
    let sixteen = |at: usize| {
        let mut octets = [0; 16];
        octets.copy_from_slice(&header[at..at + 16]);
        IpAddr::V6(Ipv6Addr::from(octets))
    };
    let mut ip = IpHead { src: sixteen(8), dst: sixteen(24), protocol: header[6], id: 0 };
    for _ in 0..MOST_EXTENSIONS {
        match ip.protocol {
            // Hop-by-hop, routing, destination, mobility, HIP, shim6
            0 | 43 | 60 | 135 | 139 | 140 => {
                let [next, length] = rest.array::<2>(0)?;
                let length = (usize::from(length) + 1) * 8;
                if ip.protocol == 0
                    && announced == 0
                    && let Some(jumbo) = jumbo_length(&rest)
                {
                    rest = rest.limit(jumbo);
                }
                // Mobility and its kin may end the chain: then there is no payload to look at.
                if ip.protocol >= 135 && next == 59 {
                    return Err(OTHER_IP_PROTOCOL);
                }
                rest = rest.skip(length)?;
                ip.protocol = next;
            }
            // Authentication header, RFC 4302: in words of four, less two
            51 => {
                let [next, length] = rest.array::<2>(0)?;
                rest = rest.skip((usize::from(length) + 2) * 4)?;
                ip.protocol = next;
            }
            44 => {
                let [next, _, high, low, a, b, c, d] = rest.array::<8>(0)?;
                let word = u16::from_be_bytes([high, low]);
                let (offset, more) = (usize::from(word & 0xfff8), word & 1 != 0);
                rest = rest.skip(8)?;
                ip.protocol = next;
                // An atomic fragment (RFC 6946) is whole.
                if offset > 0 || more {
                    ip.id = u32::from_be_bytes([a, b, c, d]);
                    let wire = announced.saturating_sub(rest.at - whole.at);
                    return Ok(fragment(ip, offset, more, rest, wire, nest));
                }
            }
            _ => return payload(rest, ip, nest),
        }
    }
    Err(BAD_IP)
}

/// The jumbo payload option of a hop-by-hop header; counts from behind the IPv6 header.
fn jumbo_length(options: &View<'_>) -> Option<usize> {
    let [kind, length] = options.array::<2>(2).ok()?;
    let jumbo = options.u32(4).ok()?;
    (kind == 0xc2 && length == 4).then(|| usize::try_from(jumbo).unwrap_or(usize::MAX))
}

/// `announced` is its length by its header: a frame that claims to be whole and is shorter was cut as well.
fn fragment(ip: IpHead, offset: usize, more: bool, data: View<'_>, announced: usize, nest: Nest) -> Found {
    let (end, wire) = (data.at + data.bytes.len(), data.wire.max(announced));
    Found::Fragment(FragmentAt { ip, offset, more, data: (data.at, end), wire, nest })
}

/// The payload of an IP packet that is whole: a transport, or another tunnel.
pub(crate) fn payload(view: View<'_>, ip: IpHead, nest: Nest) -> Result<Found, Reason> {
    match ip.protocol {
        6 => transport::tcp(view, ip, nest),
        17 => transport::udp(view, ip, nest),
        1 if ip.src.is_ipv4() => transport::icmp(view, ip, nest),
        58 if ip.src.is_ipv6() => transport::icmp(view, ip, nest),
        132 => transport::sctp(view, ip, nest),
        4 | 41 => walk(view, nest.tunnel()?),
        47 => tunnel::gre(view, nest),
        // EtherIP, RFC 3378
        97 if view.u16(0)? == 0x3000 => link::ethernet(view.skip(2)?, nest.tunnel()?),
        97 => Err(BAD_TUNNEL),
        137 => link::ethertype(view, 0x8847, nest.tunnel()?),
        // Extension headers that a reassembled IPv6 datagram begins with; AH in IPv4
        43 | 60 if ip.src.is_ipv6() => {
            let [next, length] = view.array::<2>(0)?;
            let rest = view.skip((usize::from(length) + 1) * 8)?;
            payload(rest, IpHead { protocol: next, ..ip }, nest.down()?)
        }
        51 => {
            let [next, length] = view.array::<2>(0)?;
            let rest = view.skip((usize::from(length) + 2) * 4)?;
            payload(rest, IpHead { protocol: next, ..ip }, nest.down()?)
        }
        _ => Err(OTHER_IP_PROTOCOL),
    }
}

/// Source, destination, transport and ports of a packet that an ICMP error quotes, which is mostly cut.
pub(crate) fn quoted(view: View<'_>) -> Option<(IpHead, u16, u16)> {
    let (ip, at) = match view.u8(0).ok()? >> 4 {
        4 => {
            let header = view.array::<20>(0).ok()?;
            if u16::from_be_bytes([header[6], header[7]]) & 0x1fff != 0 {
                return None;
            }
            // Only the head matters: walk it with the length that is here.
            let four = |at: usize| Ipv4Addr::new(header[at], header[at + 1], header[at + 2], header[at + 3]);
            let (src, dst) = (IpAddr::V4(four(12)), IpAddr::V4(four(16)));
            (IpHead { src, dst, protocol: header[9], id: 0 }, usize::from(header[0] & 15) * 4)
        }
        6 => quoted_v6(view)?,
        _ => return None,
    };
    match ip.protocol {
        6 | 17 | 132 => Some((ip, view.u16(at).ok()?, view.u16(at + 2).ok()?)),
        1 | 58 => Some((ip, 0, 0)),
        _ => None,
    }
}

fn quoted_v6(view: View<'_>) -> Option<(IpHead, usize)> {
    let header = view.array::<40>(0).ok()?;
    let mut src = [0; 16];
    src.copy_from_slice(&header[8..24]);
    let mut dst = [0; 16];
    dst.copy_from_slice(&header[24..40]);
    let (mut protocol, mut at) = (header[6], 40);
    for _ in 0..MOST_EXTENSIONS {
        let [next, length] = match protocol {
            0 | 43 | 60 | 51 | 44 => view.array::<2>(at).ok()?,
            _ => {
                let (src, dst) = (IpAddr::V6(Ipv6Addr::from(src)), IpAddr::V6(Ipv6Addr::from(dst)));
                return Some((IpHead { src, dst, protocol, id: 0 }, at));
            }
        };
        if protocol == 44 && view.u16(at + 2).ok()? & 0xfff8 != 0 {
            return None;
        }
        at += match protocol {
            44 => 8,
            51 => (usize::from(length) + 2) * 4,
            _ => (usize::from(length) + 1) * 8,
        };
        protocol = next;
    }
    None
}
