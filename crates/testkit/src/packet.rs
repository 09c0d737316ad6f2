//! Packets for tests, built from the inside out: a segment, its IP header, tunnels, tags, a link.
//!
//! ```
//! use wirewise_testkit::packet::tcp;
//! let frame = tcp("10.0.0.1:40000", "10.0.0.2:80").seq(1).flags("S").ip().vlan(7).ethernet();
//! assert_eq!(frame.len(), 14 + 4 + 20 + 20);
//! ```
//! Lengths are right, checksums are zero (nothing in Wirewise verifies them). Addresses are texts, and a
//! wrong one panics: this is for tests alone.

use std::net::{IpAddr, SocketAddr};

use wirewise_model::{Direction, Frame, InterfaceId, LinkType, PacketNumber, Timestamp};

/// EtherType of IPv4.
pub const IPV4: u16 = 0x0800;
/// EtherType of IPv6.
pub const IPV6: u16 = 0x86dd;

fn socket(text: &str) -> SocketAddr {
    text.parse().expect("a test's endpoint is address:port")
}

fn address(text: &str) -> IpAddr {
    text.parse().expect("a test's address is an IP address")
}

/// A frame heard on interface 0 in full.
pub fn frame(link: LinkType, bytes: &[u8], at: Timestamp, number: u64) -> Frame<'_> {
    Frame {
        at,
        interface: InterfaceId(0),
        number: PacketNumber(number),
        link,
        direction: Direction::Unknown,
        bytes,
        original_len: bytes.len() as u32,
    }
}

/// A TCP segment under construction: seq 0, no flags, window 65535.
#[derive(Clone, Debug)]
pub struct TcpSegment {
    from: SocketAddr,
    to: SocketAddr,
    seq: u32,
    ack: u32,
    flags: u8,
    window: u16,
    options: Vec<u8>,
    payload: Vec<u8>,
}

/// Begins a TCP segment.
pub fn tcp(from: &str, to: &str) -> TcpSegment {
    TcpSegment {
        from: socket(from),
        to: socket(to),
        seq: 0,
        ack: 0,
        flags: 0,
        window: 65535,
        options: Vec::new(),
        payload: Vec::new(),
    }
}

impl TcpSegment {
    /// Sets the sequence number.
    pub fn seq(self, seq: u32) -> Self {
        Self { seq, ..self }
    }

    /// Sets the acknowledgement number and the ACK flag.
    pub fn ack(self, ack: u32) -> Self {
        Self { ack, flags: self.flags | 0x10, ..self }
    }

    /// Adds flags by their letters: `F S R P A U E C`.
    pub fn flags(mut self, letters: &str) -> Self {
        for letter in letters.chars() {
            let bit = "FSRPAUEC".find(letter).expect("a flag's letter is one of FSRPAUEC");
            self.flags |= 1 << bit;
        }
        self
    }

    /// Sets the window.
    pub fn window(self, window: u16) -> Self {
        Self { window, ..self }
    }

    /// Appends raw option bytes; they are padded to a multiple of four with NOPs.
    pub fn options(mut self, bytes: &[u8]) -> Self {
        self.options.extend_from_slice(bytes);
        self
    }

    /// Appends a maximum segment size option.
    pub fn mss(self, size: u16) -> Self {
        let [high, low] = size.to_be_bytes();
        self.options(&[2, 4, high, low])
    }

    /// Appends a window scale option.
    pub fn window_scale(self, shift: u8) -> Self {
        self.options(&[3, 3, shift])
    }

    /// Sets the payload.
    pub fn payload(self, payload: &[u8]) -> Self {
        Self { payload: payload.to_vec(), ..self }
    }

    /// Puts it into an IP datagram.
    pub fn ip(mut self) -> Datagram {
        while !self.options.len().is_multiple_of(4) {
            self.options.push(1);
        }
        let mut bytes = Vec::new();
        bytes.extend(self.from.port().to_be_bytes());
        bytes.extend(self.to.port().to_be_bytes());
        bytes.extend(self.seq.to_be_bytes());
        bytes.extend(self.ack.to_be_bytes());
        bytes.push(((5 + self.options.len() / 4) as u8) << 4);
        bytes.push(self.flags);
        bytes.extend(self.window.to_be_bytes());
        bytes.extend([0; 4]);
        bytes.extend(&self.options);
        bytes.extend(&self.payload);
        Datagram::new(self.from.ip(), self.to.ip(), 6, bytes)
    }

    /// The whole frame on Ethernet.
    pub fn ethernet(self) -> Vec<u8> {
        self.ip().ethernet()
    }
}

/// A UDP datagram.
pub fn udp(from: &str, to: &str, payload: &[u8]) -> Datagram {
    udp_announcing(from, to, payload, 8 + payload.len() as u16)
}

/// A UDP datagram whose length field says `length`.
pub fn udp_announcing(from: &str, to: &str, payload: &[u8], length: u16) -> Datagram {
    let (from, to) = (socket(from), socket(to));
    let mut bytes = Vec::new();
    bytes.extend(from.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.extend(length.to_be_bytes());
    bytes.extend([0, 0]);
    bytes.extend(payload);
    Datagram::new(from.ip(), to.ip(), 17, bytes)
}

/// An ICMP or ICMPv6 message: `rest` is the second word of the header, `body` what follows.
pub fn icmp(from: &str, to: &str, kind: u8, code: u8, rest: [u8; 4], body: &[u8]) -> Datagram {
    let (from, to) = (address(from), address(to));
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend(rest);
    bytes.extend(body);
    Datagram::new(from, to, if from.is_ipv4() { 1 } else { 58 }, bytes)
}

/// An SCTP packet of chunks made by [`sctp_chunk`] and [`sctp_data`].
pub fn sctp(from: &str, to: &str, tag: u32, chunks: &[Vec<u8>]) -> Datagram {
    let (from, to) = (socket(from), socket(to));
    let mut bytes = Vec::new();
    bytes.extend(from.port().to_be_bytes());
    bytes.extend(to.port().to_be_bytes());
    bytes.extend(tag.to_be_bytes());
    bytes.extend([0; 4]);
    for chunk in chunks {
        bytes.extend(chunk);
    }
    Datagram::new(from.ip(), to.ip(), 132, bytes)
}

/// A chunk of SCTP, padded to four bytes.
pub fn sctp_chunk(kind: u8, flags: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, flags];
    bytes.extend((4 + body.len() as u16).to_be_bytes());
    bytes.extend(body);
    while !bytes.len().is_multiple_of(4) {
        bytes.push(0);
    }
    bytes
}

/// A DATA chunk; flags 3 is a whole message, 2 its beginning, 0 its middle, 1 its end.
pub fn sctp_data(flags: u8, tsn: u32, stream: u16, payload: &[u8]) -> Vec<u8> {
    let mut body = tsn.to_be_bytes().to_vec();
    body.extend(stream.to_be_bytes());
    body.extend([0; 6]);
    body.extend(payload);
    sctp_chunk(0, flags, &body)
}

/// An IP datagram, or what a tag or tunnel made of one: bytes and the EtherType that announces them.
#[derive(Clone, Debug)]
pub struct Datagram {
    from: IpAddr,
    to: IpAddr,
    protocol: u8,
    ttl: u8,
    id: u32,
    options: Vec<u8>,
    extensions: Vec<(u8, Vec<u8>)>,
    total_length: Option<u16>,
    payload: Vec<u8>,
}

impl Datagram {
    /// A datagram with any payload.
    pub fn new(from: IpAddr, to: IpAddr, protocol: u8, payload: Vec<u8>) -> Self {
        let (options, extensions) = (Vec::new(), Vec::new());
        Self { from, to, protocol, ttl: 64, id: 1, options, extensions, total_length: None, payload }
    }

    /// Sets TTL or hop limit.
    pub fn ttl(self, ttl: u8) -> Self {
        Self { ttl, ..self }
    }

    /// Sets the identification.
    pub fn id(self, id: u32) -> Self {
        Self { id, ..self }
    }

    /// Sets IPv4 options: a multiple of four bytes.
    pub fn options(self, options: &[u8]) -> Self {
        Self { options: options.to_vec(), ..self }
    }

    /// Appends an IPv6 extension header of this type; `body` follows its two first bytes.
    pub fn extension(mut self, kind: u8, body: &[u8]) -> Self {
        self.extensions.push((kind, body.to_vec()));
        self
    }

    /// Lies about the total (IPv4) or payload (IPv6) length.
    pub fn announcing(self, length: u16) -> Self {
        Self { total_length: Some(length), ..self }
    }

    /// The IP packet.
    pub fn bytes(&self) -> Vec<u8> {
        self.part(0, self.payload.len(), false, false)
    }

    /// The packet as fragments of at most `size` payload bytes, a multiple of eight, in order.
    pub fn fragments(&self, size: usize) -> Vec<Vec<u8>> {
        let size = size.max(8) / 8 * 8;
        let starts = (0..self.payload.len()).step_by(size);
        starts
            .map(|from| {
                let to = (from + size).min(self.payload.len());
                self.part(from, to, to < self.payload.len(), true)
            })
            .collect()
    }

    /// One fragment with any offset and flag, of `bytes` that need not be the datagram's.
    pub fn fragment(&self, offset: usize, more: bool, bytes: &[u8]) -> Vec<u8> {
        let other = Self { payload: [vec![0; offset], bytes.to_vec()].concat(), ..self.clone() };
        other.part(offset, offset + bytes.len(), more, true)
    }

    fn part(&self, from: usize, to: usize, more: bool, fragment: bool) -> Vec<u8> {
        let payload = &self.payload[from..to];
        match (self.from, self.to) {
            (IpAddr::V4(src), IpAddr::V4(dst)) => {
                let header = 20 + self.options.len();
                let total = self.total_length.unwrap_or((header + payload.len()) as u16);
                let offset = (from / 8) as u16 | if more { 0x2000 } else { 0 };
                let mut bytes = vec![0x40 | (header / 4) as u8, 0];
                bytes.extend(total.to_be_bytes());
                bytes.extend((self.id as u16).to_be_bytes());
                bytes.extend(offset.to_be_bytes());
                bytes.extend([self.ttl, self.protocol, 0, 0]);
                bytes.extend(src.octets());
                bytes.extend(dst.octets());
                bytes.extend(&self.options);
                bytes.extend(payload);
                bytes
            }
            (IpAddr::V6(src), IpAddr::V6(dst)) => {
                let mut headers = self.extensions.clone();
                if fragment {
                    let mut body = ((from as u16) & 0xfff8 | u16::from(more)).to_be_bytes().to_vec();
                    body.extend(self.id.to_be_bytes());
                    headers.push((44, body));
                }
                let mut chain = Vec::new();
                for (index, (kind, body)) in headers.iter().enumerate() {
                    let next = headers.get(index + 1).map_or(self.protocol, |header| header.0);
                    let unit = if *kind == 51 { 4 } else { 8 };
                    let mut bytes = vec![next, 0];
                    bytes.extend(body);
                    while !bytes.len().is_multiple_of(8) {
                        bytes.push(0);
                    }
                    bytes[1] = match *kind {
                        44 => 0,
                        51 => (bytes.len() / unit - 2) as u8,
                        _ => (bytes.len() / unit - 1) as u8,
                    };
                    chain.extend(bytes);
                }
                let length = self.total_length.unwrap_or((chain.len() + payload.len()) as u16);
                let mut bytes = vec![0x60, 0, 0, 0];
                bytes.extend(length.to_be_bytes());
                bytes.push(headers.first().map_or(self.protocol, |header| header.0));
                bytes.push(self.ttl);
                bytes.extend(src.octets());
                bytes.extend(dst.octets());
                bytes.extend(chain);
                bytes.extend(payload);
                bytes
            }
            _ => panic!("both ends of a test's datagram are of one family"),
        }
    }

    fn ethertype(&self) -> u16 {
        if self.from.is_ipv4() { IPV4 } else { IPV6 }
    }

    /// As what stands behind a link header.
    pub fn layer(&self) -> Layer {
        Layer { ethertype: self.ethertype(), bytes: self.bytes() }
    }

    /// The frame on Ethernet.
    pub fn ethernet(&self) -> Vec<u8> {
        self.layer().ethernet()
    }

    /// Behind a VLAN tag.
    pub fn vlan(&self, id: u16) -> Layer {
        self.layer().tag(0x8100, id)
    }

    /// In an outer IP header: IP-in-IP, 6in4 and so on.
    pub fn ipip(&self, from: &str, to: &str) -> Self {
        let protocol = if self.from.is_ipv4() { 4 } else { 41 };
        Self::new(address(from), address(to), protocol, self.bytes())
    }

    /// In GRE; `flags` may hold 0x8000 (checksum), 0x2000 (key), 0x1000 (sequence).
    pub fn gre(&self, from: &str, to: &str, flags: u16) -> Self {
        gre(from, to, flags, self.ethertype(), &self.bytes())
    }

    /// In VXLAN over UDP; `from` and `to` are endpoints, 4789 the port to go to.
    pub fn vxlan(&self, from: &str, to: &str, vni: u32) -> Self {
        let mut bytes = vec![8, 0, 0, 0];
        bytes.extend((vni << 8).to_be_bytes());
        bytes.extend(self.ethernet());
        udp(from, to, &bytes)
    }

    /// In Geneve over UDP, with `options` of a multiple of four bytes.
    pub fn geneve(&self, from: &str, to: &str, vni: u32, options: &[u8]) -> Self {
        let mut bytes = vec![(options.len() / 4) as u8, 0, 0x65, 0x58];
        bytes.extend((vni << 8).to_be_bytes());
        bytes.extend(options);
        bytes.extend(self.ethernet());
        udp(from, to, &bytes)
    }

    /// In a GTP-U G-PDU over UDP.
    pub fn gtp(&self, from: &str, to: &str, tunnel: u32) -> Self {
        let inner = self.bytes();
        let mut bytes = vec![0x30, 0xff];
        bytes.extend((inner.len() as u16).to_be_bytes());
        bytes.extend(tunnel.to_be_bytes());
        bytes.extend(inner);
        udp(from, to, &bytes)
    }
}

/// Any GRE payload: `protocol` is its EtherType.
pub fn gre(from: &str, to: &str, flags: u16, protocol: u16, inner: &[u8]) -> Datagram {
    let mut bytes = flags.to_be_bytes().to_vec();
    bytes.extend(protocol.to_be_bytes());
    for bit in [0x8000, 0x2000, 0x1000] {
        if flags & bit != 0 {
            bytes.extend([0, 0, 0, 9]);
        }
    }
    bytes.extend(inner);
    Datagram::new(address(from), address(to), 47, bytes)
}

/// Bytes and the EtherType that announces them.
#[derive(Clone, Debug)]
pub struct Layer {
    /// What announces them.
    pub ethertype: u16,
    /// The bytes behind the announcement.
    pub bytes: Vec<u8>,
}

impl Layer {
    /// Any bytes.
    pub fn new(ethertype: u16, bytes: &[u8]) -> Self {
        Self { ethertype, bytes: bytes.to_vec() }
    }

    /// Behind a tag with this TPID: 0x8100, 0x88a8, 0x9100.
    pub fn tag(&self, tpid: u16, id: u16) -> Self {
        let head = [id.to_be_bytes(), self.ethertype.to_be_bytes()].concat();
        Self { ethertype: tpid, bytes: [head, self.bytes.clone()].concat() }
    }

    /// Behind an MPLS label stack of one.
    pub fn mpls(&self, label: u32) -> Self {
        let head = (label << 12 | 0x1ff).to_be_bytes().to_vec();
        Self { ethertype: 0x8847, bytes: [head, self.bytes.clone()].concat() }
    }

    /// In a PPPoE session.
    pub fn pppoe(&self) -> Self {
        let protocol: u16 = if self.ethertype == IPV4 { 0x0021 } else { 0x0057 };
        let mut bytes = vec![0x11, 0, 0, 1];
        bytes.extend((self.bytes.len() as u16 + 2).to_be_bytes());
        bytes.extend(protocol.to_be_bytes());
        bytes.extend(&self.bytes);
        Self { ethertype: 0x8864, bytes }
    }

    /// The Ethernet frame.
    pub fn ethernet(&self) -> Vec<u8> {
        let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
        bytes.extend(self.ethertype.to_be_bytes());
        bytes.extend(&self.bytes);
        bytes
    }

    /// The frame of a Linux cooked capture, version 1; `kind` 0 was received, 4 sent.
    pub fn cooked(&self, kind: u16) -> Vec<u8> {
        let mut bytes = kind.to_be_bytes().to_vec();
        bytes.extend([0, 1, 0, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
        bytes.extend(self.ethertype.to_be_bytes());
        bytes.extend(&self.bytes);
        bytes
    }

    /// The frame of a Linux cooked capture, version 2.
    pub fn cooked2(&self, kind: u8, interface: u32) -> Vec<u8> {
        let mut bytes = self.ethertype.to_be_bytes().to_vec();
        bytes.extend([0, 0]);
        bytes.extend(interface.to_be_bytes());
        bytes.extend([0, 1, kind, 6, 2, 0, 0, 0, 0, 1, 0, 0]);
        bytes.extend(&self.bytes);
        bytes
    }
}
