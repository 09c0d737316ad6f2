//! Headers of packets, and the frames of Initial packets: RFC 9000, 17 and 19.

use std::fmt;

/// Longest connection id of the versions that are read (RFC 9000, 17.2).
const LONGEST_ID: usize = 20;
/// Versions that a server lists; more are passed over.
const MOST_VERSIONS: usize = 16;

/// A connection id.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Id {
    len: u8,
    bytes: [u8; LONGEST_ID],
}

impl Id {
    pub(super) fn parse(id: &[u8]) -> Option<Self> {
        let mut bytes = [0; LONGEST_ID];
        bytes.get_mut(..id.len())?.copy_from_slice(id);
        Some(Self { len: id.len() as u8, bytes })
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }
}

impl fmt::Debug for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.bytes()))
    }
}

/// A version, by its number on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Version(pub(super) u32);

impl Version {
    pub(super) const TWO: Self = Self(0x6b33_43cf);
    /// Google's last with frames of its own, and TLS in them.
    const T050: Self = Self(0x5430_3530);

    /// The salt of its Initial keys; `None` where the version is not read.
    pub(super) fn salt(self) -> Option<[u8; 20]> {
        Some(match self.0 {
            // RFC 9001, 5.2, since draft 33.
            1 | 0xff00_0021 | 0xff00_0022 => [
                0x38, 0x76, 0x2c, 0xf7, 0xf5, 0x59, 0x34, 0xb3, 0x4d, 0x17, 0x9a, 0xe6, 0xa4, 0xc8, 0x0c,
                0xad, 0xcc, 0xbb, 0x7f, 0x0a,
            ],
            // RFC 9369, 3.3.1.
            0x6b33_43cf => [
                0x0d, 0xed, 0xe3, 0xde, 0xf7, 0x00, 0xa6, 0xdb, 0x81, 0x93, 0x81, 0xbe, 0x6e, 0x26, 0x9d,
                0xcb, 0xf9, 0xbd, 0x2e, 0xd9,
            ],
            // draft-ietf-quic-tls-29 to -32.
            0xff00_001d..=0xff00_0020 => [
                0xaf, 0xbf, 0xec, 0x28, 0x99, 0x93, 0xd2, 0x4c, 0x9e, 0x97, 0x86, 0xf1, 0x9c, 0x61, 0x11,
                0xe0, 0x43, 0x90, 0xa8, 0x99,
            ],
            // draft-ietf-quic-tls-23 to -28.
            0xff00_0017..=0xff00_001c => [
                0xc3, 0xee, 0xf7, 0x12, 0xc7, 0x2e, 0xbb, 0x5a, 0x11, 0xa7, 0xd2, 0x43, 0x2b, 0xb4, 0x63,
                0x65, 0xbe, 0xf9, 0xf5, 0x02,
            ],
            // T050, as Chromium has it (quic/core/crypto/crypto_utils.cc).
            0x5430_3530 => [
                0x7f, 0xf5, 0x79, 0xe5, 0xac, 0xd0, 0x72, 0x91, 0x55, 0x80, 0x30, 0x4c, 0x43, 0xa2, 0x36,
                0x7c, 0x60, 0x48, 0x83, 0x10,
            ],
            _ => return None,
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0x5430_3530 => f.write_str("T050"),
            1 => f.write_str("1"),
            0x6b33_43cf => f.write_str("2"),
            0xff00_0001..=0xff00_00ff => write!(f, "draft-{}", self.0 & 0xff),
            other => write!(f, "{other:#010x}"),
        }
    }
}

/// Kinds of packets with a long header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Initial,
    ZeroRtt,
    Handshake,
}

/// A packet with a long header, sealed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Long<'a> {
    pub(super) version: Version,
    pub(super) kind: Kind,
    pub(super) destination: Id,
    pub(super) source: Id,
    /// All of it.
    pub(super) bytes: &'a [u8],
    /// Where its number begins.
    pub(super) number_at: usize,
}

/// One packet of a datagram.
#[derive(Clone, Debug)]
pub(super) enum Packet<'a> {
    Long(Long<'a>),
    Retry {
        source: Id,
    },
    Negotiation {
        versions: Vec<Version>,
    },
    /// With keys of the application.
    Short,
}

/// Reads fields from the front.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|bytes| u32::from_be_bytes(*bytes))
    }

    /// RFC 9000, 16.
    fn varint(&mut self) -> Option<u64> {
        let first = self.u8()?;
        let more = self.take((1 << (first >> 6)) - 1)?;
        let number = u64::from(first & 0x3f);
        Some(more.iter().fold(number, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn id(&mut self) -> Option<Id> {
        let len = self.u8()?;
        Id::parse(self.take(usize::from(len))?)
    }
}

/// The packet at the front of a datagram, and its length. `None` where it is none, or was cut.
pub(super) fn packet(bytes: &[u8]) -> Option<(Packet<'_>, usize)> {
    let mut fields = Fields(bytes);
    let first = fields.u8()?;
    if first & 0x80 == 0 {
        return (first & 0x40 != 0).then_some((Packet::Short, bytes.len()));
    }
    let version = Version(fields.u32()?);
    let (destination, source) = (fields.id()?, fields.id()?);
    if version.0 == 0 {
        let listed = fields.0.chunks_exact(4).filter_map(|bytes| bytes.first_chunk());
        let versions: Vec<Version> =
            listed.map(|bytes| Version(u32::from_be_bytes(*bytes))).take(MOST_VERSIONS).collect();
        return (!versions.is_empty()).then_some((Packet::Negotiation { versions }, bytes.len()));
    }
    version.salt()?;
    // Version 2 counts its types from another one (RFC 9369, 3.2).
    let turn = u8::from(version == Version::TWO);
    let kind = match ((first >> 4) & 3).wrapping_sub(turn) & 3 {
        0 => Kind::Initial,
        1 => Kind::ZeroRtt,
        2 => Kind::Handshake,
        _ => return Some((Packet::Retry { source }, bytes.len())),
    };
    if kind == Kind::Initial {
        let token = usize::try_from(fields.varint()?).ok()?;
        fields.take(token)?;
    }
    let length = usize::try_from(fields.varint()?).ok()?;
    let number_at = bytes.len() - fields.0.len();
    fields.take(length)?;
    let used = number_at + length;
    let long = Long { version, kind, destination, source, bytes: &bytes[..used], number_at };
    Some((Packet::Long(long), used))
}

/// A frame of an Initial packet that is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Frame<'a> {
    Crypto { offset: u64, data: &'a [u8] },
    Close { code: u64 },
}

/// The frames of an opened Initial packet, up to one that does not belong there (RFC 9000, 12.4).
pub(super) fn frames(plain: &[u8], version: Version) -> impl Iterator<Item = Frame<'_>> {
    let crypto = if version == Version::T050 { 8 } else { 6 };
    let mut fields = Fields(plain);
    std::iter::from_fn(move || {
        loop {
            match fields.varint()? {
                // PADDING, PING.
                0 | 1 => {}
                kind @ (2 | 3) if version != Version::T050 => {
                    ack(&mut fields, kind == 3)?;
                }
                kind if kind == crypto => {
                    let offset = fields.varint()?;
                    let length = usize::try_from(fields.varint()?).ok()?;
                    return Some(Frame::Crypto { offset, data: fields.take(length)? });
                }
                0x1c => {
                    let code = fields.varint()?;
                    fields.0 = &[];
                    return Some(Frame::Close { code });
                }
                _ => {
                    fields.0 = &[];
                    return None;
                }
            }
        }
    })
}

/// Passes over the fields of an ACK frame.
fn ack(fields: &mut Fields<'_>, with_ecn: bool) -> Option<()> {
    let (_largest, _delay, ranges, _first) =
        (fields.varint()?, fields.varint()?, fields.varint()?, fields.varint()?);
    for _ in 0..ranges {
        fields.varint()?;
        fields.varint()?;
    }
    for _ in 0..if with_ecn { 3 } else { 0 } {
        fields.varint()?;
    }
    Some(())
}
