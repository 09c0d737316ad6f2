//! TCP, UDP, ICMP and SCTP headers.

use wirewise_model::{Endpoint, FlowKey, Reason, Transport};

use crate::ip::{self, Found, IpHead, L4Head, Located, Nest};
use crate::packet::{Icmp, Tcp, TcpFlags, Udp};
use crate::reasons::BAD_TRANSPORT;
use crate::tunnel;
use crate::view::View;

/// RFC 7323, 2.3: a larger shift is to be taken as this.
const MOST_WINDOW_SCALE: u8 = 14;

fn key(transport: Transport, ip: &IpHead, from: u16, to: u16) -> FlowKey {
    FlowKey { transport, from: Endpoint::new(ip.src, from), to: Endpoint::new(ip.dst, to), scope: 0 }
}

fn located(key: FlowKey, l4: L4Head, segment: View<'_>, payload: View<'_>, ip: IpHead, nest: Nest) -> Found {
    Found::Transport(Located {
        ip,
        key,
        l4,
        segment: (segment.at, segment.at + segment.bytes.len()),
        segment_wire: segment.wire,
        payload: (payload.at, payload.at + payload.bytes.len()),
        payload_wire: payload.wire,
        tunnelled: nest.tunnelled,
    })
}

pub(crate) fn tcp(view: View<'_>, ip: IpHead, nest: Nest) -> Result<Found, Reason> {
    let header = view.array::<20>(0)?;
    let [s0, s1, d0, d1, q0, q1, q2, q3, a0, a1, a2, a3, offset, flags, w0, w1, ..] = header;
    let length = usize::from(offset >> 4) * 4;
    if length < 20 || length > view.wire {
        return Err(BAD_TRANSPORT);
    }
    let captured = length.min(view.bytes.len());
    let mut tcp = Tcp {
        seq: u32::from_be_bytes([q0, q1, q2, q3]),
        ack: u32::from_be_bytes([a0, a1, a2, a3]),
        flags: TcpFlags(flags),
        window: u16::from_be_bytes([w0, w1]),
        ..Tcp::default()
    };
    if captured > 20 {
        tcp_options(&view.bytes[20..captured], &mut tcp);
    }
    // A snap length may have cut the options: the payload is then known by its length alone.
    let payload = View { at: view.at + captured, bytes: &view.bytes[captured..], wire: view.wire - length };
    let key = key(Transport::Tcp, &ip, u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    Ok(located(key, L4Head::Tcp(tcp), view, payload, ip, nest))
}

fn tcp_options(mut rest: &[u8], tcp: &mut Tcp) {
    loop {
        let (kind, body) = match rest {
            [] | [0, ..] => return,
            [1, after @ ..] => {
                rest = after;
                continue;
            }
            [kind, length, after @ ..] => {
                let Some((body, after)) =
                    usize::from(*length).checked_sub(2).and_then(|count| after.split_at_checked(count))
                else {
                    return;
                };
                rest = after;
                (*kind, body)
            }
            [_] => return,
        };
        let word = |bytes: &[u8; 4]| u32::from_be_bytes(*bytes);
        match (kind, body) {
            (2, &[high, low]) => tcp.mss = Some(u16::from_be_bytes([high, low])),
            (3, &[shift]) => tcp.window_scale = Some(shift.min(MOST_WINDOW_SCALE)),
            (4, []) => tcp.sack_permitted = true,
            (5 | 8, body) => {
                let pair = body.split_first_chunk::<4>().and_then(|(first, rest)| {
                    rest.first_chunk::<4>().map(|second| (word(first), word(second)))
                });
                if kind == 5 {
                    tcp.sack = pair;
                } else {
                    tcp.timestamps = pair;
                }
            }
            _ => {}
        }
    }
}

pub(crate) fn udp(view: View<'_>, ip: IpHead, nest: Nest) -> Result<Found, Reason> {
    const HEADER: usize = 8;
    let [s0, s1, d0, d1, l0, l1, _, _] = view.array::<HEADER>(0)?;
    let (from, to) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    let length = u16::from_be_bytes([l0, l1]);
    let payload = match length {
        // Jumbograms (RFC 2675, 4), and super-segments of either version that a card is still to cut (Linux BIG
        // TCP in VXLAN): the IP header or the frame tells the length.
        0 if ip.src.is_ipv6() || view.wire > usize::from(u16::MAX) => view.skip(HEADER)?,
        0..8 => return Err(BAD_TRANSPORT),
        _ => view.limit(usize::from(length)).skip(HEADER)?,
    };
    if let Some(found) = tunnel::in_udp(payload, from, to, nest) {
        return found;
    }
    // Its own length counts even where IP carries less: the first fragment alone, cut by a snap length.
    let payload = View { wire: payload.wire.max(usize::from(length).saturating_sub(HEADER)), ..payload };
    Ok(located(key(Transport::Udp, &ip, from, to), L4Head::Udp(Udp { length }), view, payload, ip, nest))
}

pub(crate) fn icmp(view: View<'_>, ip: IpHead, nest: Nest) -> Result<Found, Reason> {
    let [kind, code, _, _] = view.array::<4>(0)?;
    let six = ip.src.is_ipv6();
    let is_error = if six { (1..=4).contains(&kind) } else { matches!(kind, 3 | 4 | 5 | 11 | 12) };
    let quoted = if is_error { view.skip(8).ok().and_then(quoted_key) } else { None };
    let transport = if six { Transport::Icmpv6 } else { Transport::Icmp };
    Ok(located(key(transport, &ip, 0, 0), L4Head::Icmp(Icmp { kind, code, quoted }), view, view, ip, nest))
}

fn quoted_key(view: View<'_>) -> Option<FlowKey> {
    let (ip, from, to) = ip::quoted(view)?;
    let transport = match ip.protocol {
        6 => Transport::Tcp,
        17 => Transport::Udp,
        132 => Transport::Sctp,
        1 => Transport::Icmp,
        58 => Transport::Icmpv6,
        _ => return None,
    };
    Some(key(transport, &ip, from, to))
}

pub(crate) fn sctp(view: View<'_>, ip: IpHead, nest: Nest) -> Result<Found, Reason> {
    let [s0, s1, d0, d1, t0, t1, t2, t3, ..] = view.array::<12>(0)?;
    let (from, to) = (u16::from_be_bytes([s0, s1]), u16::from_be_bytes([d0, d1]));
    let tag = u32::from_be_bytes([t0, t1, t2, t3]);
    let chunks = view.skip(12)?;
    Ok(located(key(Transport::Sctp, &ip, from, to), L4Head::Sctp { tag }, view, chunks, ip, nest))
}
