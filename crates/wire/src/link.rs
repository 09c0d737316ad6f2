//! Link headers: Ethernet and its tags, Linux cooked, loopback, PPP, MPLS. They lead to IP, or to a reason.

use wirewise_model::{Direction, LinkType, Reason};

use crate::ip::{self, Found, Nest};
use crate::reasons::{
    ARP, BAD_LINK, EAPOL, LLC, LLDP, OTHER_ETHERTYPE, PPP_CONTROL, SLOW_PROTOCOLS, STP, TOO_DEEP,
    UNKNOWN_LINK,
};
use crate::tunnel;
use crate::view::View;

/// Tags, labels and control words that one frame may stack before an IP header.
const MOST_TAGS: usize = 16;

/// What a link header tells of a frame beside what it carries.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ear {
    /// Distinguishes interfaces (or directions) that share one capture interface.
    pub(crate) sub: u32,
    pub(crate) direction: Direction,
}

/// Walks a frame from its first header on.
pub(crate) fn walk(link: LinkType, view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    match link.0 {
        1 => ethernet(view, nest),
        // RAW by tcpdump's number, and by those that the BSDs (12) and OpenBSD (14) write
        12 | 14 | 101 | 228 | 229 => ip::walk(view, nest),
        0 | 108 => loopback(view, nest),
        113 => cooked(view, 2, 14, 16, nest),
        276 => cooked(view, 8, 0, 20, nest),
        9 | 50 => ppp(view, nest),
        51 => pppoe(view, nest),
        104 => {
            let ethertype = view.u16(2)?;
            self::ethertype(view.skip(4)?, ethertype, nest)
        }
        _ => Err(UNKNOWN_LINK),
    }
}

/// What a cooked header says of where and which way its frame went.
///
/// Version 2 names the interface. Version 1 does not: a forwarded packet is heard there once as received and
/// once as sent, so the direction stands for the interface (loopback's own echo is not in such captures).
pub(crate) fn ear(link: LinkType, bytes: &[u8]) -> Ear {
    let (kind, index) = match (link, bytes) {
        (LinkType::LINUX_SLL, [_, kind, ..]) => (*kind, 0),
        (LinkType::LINUX_SLL2, [_, _, _, _, a, b, c, d, _, _, kind, ..]) => {
            (*kind, u32::from_be_bytes([*a, *b, *c, *d]))
        }
        _ => return Ear::default(),
    };
    let direction = if kind == 4 { Direction::Out } else { Direction::In };
    let sub = if link == LinkType::LINUX_SLL { u32::from(kind == 4) } else { index };
    Ear { sub, direction }
}

pub(crate) fn ethernet(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    let kind = view.u16(12)?;
    ethertype(view.skip(14)?, kind, nest)
}

/// What stands behind an EtherType; tags and labels are walked in a loop.
pub(crate) fn ethertype(mut view: View<'_>, mut kind: u16, nest: Nest) -> Result<Found, Reason> {
    for _ in 0..MOST_TAGS {
        match kind {
            0x0800 | 0x86dd => return ip::walk(view, nest),
            0x8100 | 0x88a8 | 0x9100 | 0x9200 | 0x9300 => {
                kind = view.u16(2)?;
                view = view.skip(4)?;
            }
            0x8847 | 0x8848 => return mpls(view, nest),
            0x8864 => return pppoe(view, nest),
            // 802.1ah: a four-byte instance tag, then the customer's frame
            0x88e7 => {
                view = view.skip(4)?;
                kind = view.u16(12)?;
                view = view.skip(14)?;
            }
            // An Ethernet frame within (GRE, Geneve, cooked links of bridges)
            0x6558 => {
                kind = view.u16(12)?;
                view = view.skip(14)?;
            }
            // Cisco metadata: version, length, an option of four bytes, the next EtherType
            0x8909 => {
                kind = view.u16(6)?;
                view = view.skip(8)?;
            }
            0x894f => return tunnel::nsh(view, nest),
            0x88be | 0x22eb => return tunnel::erspan(view, kind, true, nest),
            0x0806 | 0x8035 => return Err(ARP),
            0x88cc => return Err(LLDP),
            0x888e => return Err(EAPOL),
            0x8809 => return Err(SLOW_PROTOCOLS),
            0x8863 => return Err(PPP_CONTROL),
            0..0x0600 => return llc(view.limit(usize::from(kind)), nest),
            _ => return Err(OTHER_ETHERTYPE),
        }
    }
    Err(TOO_DEEP)
}

/// 802.2 behind an 802.3 length, RFC 1042.
fn llc(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    match view.array::<3>(0)? {
        [0xaa, 0xaa, 3] if view.array::<3>(3)? == [0, 0, 0] => match view.u16(6)? {
            0..0x0600 => Err(LLC),
            kind => ethertype_once(view.skip(8)?, kind, nest),
        },
        [0x42, 0x42, _] => Err(STP),
        [6, 6, 3] => ip::walk(view.skip(3)?, nest),
        _ => Err(LLC),
    }
}

/// As [`ethertype`], one level down.
fn ethertype_once(view: View<'_>, kind: u16, nest: Nest) -> Result<Found, Reason> {
    ethertype(view, kind, nest.down()?)
}

fn loopback(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    // The capturing host's byte order is not told: families are small, so the order that makes one is right.
    let family = view.u32(0)?;
    let family = if family > 0xffff { family.swap_bytes() } else { family };
    match family {
        // AF_INET; AF_INET6 of NetBSD, FreeBSD, Darwin and Linux
        2 | 24 | 28 | 30 | 10 => ip::walk(view.skip(4)?, nest),
        // Some writers put an EtherType there
        0x0800 | 0x86dd => ip::walk(view.skip(4)?, nest),
        _ => Err(OTHER_ETHERTYPE),
    }
}

/// Linux cooked: `hardware` and `protocol` say where those fields stand.
fn cooked(
    view: View<'_>,
    hardware: usize,
    protocol: usize,
    header: usize,
    nest: Nest,
) -> Result<Found, Reason> {
    /// ARPHRD_NETLINK: not a packet of a network.
    const NETLINK: u16 = 824;
    /// ARPHRD_IPGRE: the protocol is GRE's.
    const GRE: u16 = 778;
    let (hardware, protocol) = (view.u16(hardware)?, view.u16(protocol)?);
    let body = view.skip(header)?;
    match (hardware, protocol) {
        (NETLINK, _) => Err(OTHER_ETHERTYPE),
        (GRE, _) | (_, 0x0600..) => ethertype(body, protocol, nest),
        (_, 4) => llc(body, nest),
        _ => Err(LLC),
    }
}

/// Labels until the bottom of the stack, RFC 3032; then IP by its first nibble, or a pseudowire's Ethernet.
fn mpls(mut view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    for _ in 0..MOST_TAGS {
        let label = view.u32(0)?;
        view = view.skip(4)?;
        if label & 0x100 == 0 {
            continue;
        }
        return match view.u8(0)? >> 4 {
            4 | 6 => ip::walk(view, nest),
            // RFC 4385: a control word begins with a zero nibble. A frame without one may begin so as well
            // (its address does): whichever leads to something known is right.
            0 => ethernet(view.skip(4)?, nest.down()?).or_else(|_| ethernet(view, nest.down()?)),
            _ => ethernet(view, nest.down()?),
        };
    }
    Err(TOO_DEEP)
}

/// RFC 2516.
fn pppoe(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    let [version, code, _, _, high, low] = view.array::<6>(0)?;
    if version != 0x11 {
        return Err(BAD_LINK);
    }
    if code != 0 {
        return Err(PPP_CONTROL);
    }
    ppp(view.skip(6)?.limit(usize::from(u16::from_be_bytes([high, low]))), nest)
}

/// PPP with or without its HDLC address, and with a protocol field of one or two bytes (RFC 1661, 2).
pub(crate) fn ppp(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    let [first, second] = view.array::<2>(0)?;
    let view = if matches!((first, second), (0xff, 0x03)) { view.skip(2)? } else { view };
    let first = view.u8(0)?;
    let (protocol, header) = if first & 1 == 1 { (u16::from(first), 1) } else { (view.u16(0)?, 2) };
    let body = view.skip(header)?;
    match protocol {
        0x0021 | 0x0057 => ip::walk(body, nest),
        0x0281 | 0x0283 => mpls(body, nest),
        _ => Err(PPP_CONTROL),
    }
}
