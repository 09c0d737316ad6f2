//! Tunnels: GRE and ERSPAN over IP; NSH; VXLAN, Geneve, GTP-U, MPLS and Teredo over UDP.
//!
//! A UDP port promises nothing: where what stands behind it does not lead to a packet, the datagram is one of
//! its own flow. An inner frame that is whole but carries nothing for us (ARP) is told as what it is.

use wirewise_model::Reason;

use crate::ip::{self, Found, Nest};
use crate::link;
use crate::reasons::{BAD_TUNNEL, LLC, OTHER_ETHERTYPE, TOO_DEEP};
use crate::view::View;

/// RFC 7348.
const VXLAN: u16 = 4789;
/// The port that Linux took (flannel, older Docker) before VXLAN had a number.
const VXLAN_LINUX: u16 = 8472;
/// draft-ietf-nvo3-vxlan-gpe.
const VXLAN_GPE: u16 = 4790;
/// RFC 8926.
const GENEVE: u16 = 6081;
/// MPLS in UDP, RFC 7510.
const MPLS: u16 = 6635;
/// 3GPP TS 29.281; used as source and destination port alike.
const GTP_U: u16 = 2152;
/// IPv6 through NATs, RFC 4380. Hosts that found each other use ports of their own, where nothing tells it.
const TEREDO: u16 = 3544;

/// The packet in a UDP payload, if its ports are a tunnel's and it is one; none where it is not.
#[inline]
pub(crate) fn in_udp(view: View<'_>, from: u16, to: u16, nest: Nest) -> Option<Result<Found, Reason>> {
    let open: fn(View<'_>, Nest) -> Result<Found, Reason> = match (from, to) {
        (_, GENEVE) | (GENEVE, _) => geneve,
        (_, MPLS) => |view, nest| link::ethertype(view, 0x8847, nest.tunnel()?),
        (_, GTP_U) | (GTP_U, _) => gtp,
        (_, TEREDO) | (TEREDO, _) => teredo,
        (_, VXLAN | VXLAN_LINUX | VXLAN_GPE) | (VXLAN | VXLAN_LINUX | VXLAN_GPE, _) => vxlan,
        _ => return None,
    };
    match open(view, nest) {
        Ok(found) => Some(Ok(found)),
        Err(TOO_DEEP) => Some(Err(TOO_DEEP)),
        Err(reason) if reason.loss || reason == OTHER_ETHERTYPE || reason == LLC => None,
        Err(reason) => Some(Err(reason)),
    }
}

fn vxlan(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    const HAS_VNI: u8 = 0x08;
    /// Linux: a group policy stands where GPE has the protocol.
    const HAS_POLICY: u8 = 0x80;
    let [flags, _, _, protocol, ..] = view.array::<8>(0)?;
    if flags & HAS_VNI == 0 {
        return Err(BAD_TUNNEL);
    }
    let (inner, nest) = (view.skip(8)?, nest.tunnel()?);
    match protocol {
        _ if flags & HAS_POLICY != 0 => link::ethernet(inner, nest),
        0 | 3 => link::ethernet(inner, nest),
        1 | 2 => ip::walk(inner, nest),
        _ => Err(BAD_TUNNEL),
    }
}

fn geneve(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    let [version, _, p0, p1, ..] = view.array::<8>(0)?;
    if version >> 6 != 0 {
        return Err(BAD_TUNNEL);
    }
    let options = usize::from(version & 0x3f) * 4;
    link::ethertype(view.skip(8 + options)?, u16::from_be_bytes([p0, p1]), nest.tunnel()?)
}

fn gtp(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    const G_PDU: u8 = 0xff;
    const MOST_EXTENSIONS: usize = 8;
    let [flags, kind, l0, l1, ..] = view.array::<8>(0)?;
    // Version 1, protocol type GTP
    if flags >> 4 != 3 || kind != G_PDU {
        return Err(BAD_TUNNEL);
    }
    let mut inner = view.skip(8)?.limit(usize::from(u16::from_be_bytes([l0, l1])));
    if flags & 7 != 0 {
        let mut next = if flags & 4 != 0 { inner.u8(3)? } else { 0 };
        inner = inner.skip(4)?;
        for _ in 0..MOST_EXTENSIONS {
            if next == 0 {
                break;
            }
            let length = usize::from(inner.u8(0)?) * 4;
            next = inner.u8(length.checked_sub(1).ok_or(BAD_TUNNEL)?)?;
            inner = inner.skip(length)?;
        }
    }
    ip::walk(inner, nest.tunnel()?)
}

/// RFC 4380, 5.1.1: an authentication, an indication of origin, both or neither, then IPv6.
fn teredo(mut view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    const IPV6: u8 = 6;
    if view.u16(0)? == 1 {
        // Lengths of a client's name and of its proof; a nonce of eight bytes and a confirmation follow.
        let [_, _, name, proof] = view.array::<4>(0)?;
        view = view.skip(4 + usize::from(name) + usize::from(proof) + 9)?;
    }
    if view.u16(0)? == 0 {
        view = view.skip(8)?;
    }
    if view.u8(0)? >> 4 != IPV6 {
        return Err(BAD_TUNNEL);
    }
    ip::walk(view, nest.tunnel()?)
}

/// GRE: RFC 2784 and 2890 (version 0), RFC 2637 (version 1, PPTP and others).
pub(crate) fn gre(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    const CHECKSUM: u16 = 0x8000;
    const ROUTING: u16 = 0x4000;
    const KEY: u16 = 0x2000;
    const SEQUENCE: u16 = 0x1000;
    const ACKNOWLEDGEMENT: u16 = 0x0080;
    let (flags, protocol) = (view.u16(0)?, view.u16(2)?);
    let has = |bit: u16| usize::from(flags & bit != 0) * 4;
    match flags & 7 {
        0 if flags & ROUTING != 0 => Err(BAD_TUNNEL),
        0 => {
            let body = view.skip(4 + has(CHECKSUM) + has(KEY) + has(SEQUENCE))?;
            match protocol {
                0x88be | 0x22eb => erspan(body, protocol, flags & SEQUENCE != 0, nest),
                // Cisco's WCCP puts a redirect header of four bytes before the packet in its version 2
                0x883e if body.u8(0)? >> 4 != 4 => ip::walk(body.skip(4)?, nest.tunnel()?),
                0x883e => ip::walk(body, nest.tunnel()?),
                0x880b => link::ppp(body, nest.tunnel()?),
                _ => link::ethertype(body, protocol, nest.tunnel()?),
            }
        }
        1 => {
            let body = view.skip(4 + 4 + has(SEQUENCE) + has(ACKNOWLEDGEMENT))?;
            match protocol {
                0x880b => link::ppp(body, nest.tunnel()?),
                // Tencent's clouds put IP there
                _ => link::ethertype(body, protocol, nest.tunnel()?),
            }
        }
        _ => Err(BAD_TUNNEL),
    }
}

/// Network service header, RFC 8300: its length counts words of four bytes.
pub(crate) fn nsh(view: View<'_>, nest: Nest) -> Result<Found, Reason> {
    let [_, length, _, protocol] = view.array::<4>(0)?;
    let inner = view.skip(usize::from(length & 0x3f).max(2) * 4)?;
    match protocol {
        1 | 2 => ip::walk(inner, nest.tunnel()?),
        3 => link::ethernet(inner, nest.tunnel()?),
        _ => Err(OTHER_ETHERTYPE),
    }
}

/// ERSPAN: type I has no header and no GRE sequence number, II one of 8 bytes, III one of 12 and maybe 8 more
/// (draft-foschiano-erspan).
pub(crate) fn erspan(view: View<'_>, kind: u16, sequenced: bool, nest: Nest) -> Result<Found, Reason> {
    let header = match kind {
        0x22eb => 12 + usize::from(view.u8(11)? & 1) * 8,
        _ if sequenced => 8,
        _ => 0,
    };
    link::ethernet(view.skip(header)?, nest.tunnel()?)
}
