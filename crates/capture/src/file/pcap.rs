//! The classic pcap format: a header of 24 bytes, then records (draft-ietf-opsawg-pcap). Both byte orders,
//! micro- and nanoseconds, and Kuznetzov's variant with its longer record header.

use std::io;

use wirewise_model::{Direction, InterfaceId, LinkType, Timestamp};

use super::bytes::{Cursor, Order};
use super::window::{Stop, Window};
use super::{MAX_FRAME_BYTES, Spot, Step};

pub(super) const HEADER_BYTES: usize = 24;
const MICROSECONDS: u32 = 0xa1b2_c3d4;
const NANOSECONDS: u32 = 0xa1b2_3c4d;
const KUZNETZOV: u32 = 0xa1b2_cd34;
/// `PACKET_OUTGOING` of linux/if_packet.h.
const OUTGOING: u8 = 4;

/// Which of the two length fields comes first: versions before 2.3 had them the other way round, and writers
/// of 2.3 disagreed (libpcap, sf-pcap.c).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lengths {
    CapturedFirst,
    OriginalFirst,
    LowerIsCaptured,
}

/// What the file's header says.
#[derive(Debug)]
pub(super) struct Pcap {
    order: Order,
    nanos_a_unit: u32,
    link: LinkType,
    lengths: Lengths,
    kuznetzov: bool,
}

impl Pcap {
    /// Whether these four bytes begin a pcap file, and how its numbers are stored.
    pub(super) fn magic(bytes: [u8; 4]) -> Option<(u32, Order)> {
        let known = |magic: &u32| [MICROSECONDS, NANOSECONDS, KUZNETZOV].contains(magic);
        let (big, little) = (u32::from_be_bytes(bytes), u32::from_le_bytes(bytes));
        if known(&big) {
            Some((big, Order::Big))
        } else if known(&little) {
            Some((little, Order::Little))
        } else {
            None
        }
    }

    pub(super) fn parse(header: &[u8; HEADER_BYTES]) -> Option<Self> {
        let (magic, order) = Self::magic([header[0], header[1], header[2], header[3]])?;
        let mut cursor = Cursor::new(&header[4..], order);
        let (major, minor) = (cursor.u16()?, cursor.u16()?);
        cursor.take(12)?;
        let link = (cursor.u32()? & 0xffff) as u16;
        let lengths = match (major, minor) {
            (2, 0..=2) => Lengths::OriginalFirst,
            (2, 3) => Lengths::LowerIsCaptured,
            _ => Lengths::CapturedFirst,
        };
        Some(Self {
            order,
            nanos_a_unit: if magic == NANOSECONDS { 1 } else { 1_000 },
            link: normal_link(link),
            lengths,
            kuznetzov: magic == KUZNETZOV,
        })
    }

    /// Looks at the next record.
    #[inline]
    pub(super) fn advance(&self, window: &mut Window) -> io::Result<Step> {
        let header = if self.kuznetzov { 24 } else { 16 };
        if !window.have(header)? {
            return Ok(Step::Stop(window.stop()));
        }
        let Some((spot, captured)) = self.record(window.bytes(), header) else {
            return Ok(Step::Stop(Stop::Cut));
        };
        if captured > MAX_FRAME_BYTES {
            return Ok(Step::Stop(Stop::Garbage("a record says that it is longer than any frame")));
        }
        if !window.have(header + captured)? {
            return Ok(Step::Stop(window.stop()));
        }
        Ok(Step::Frame(spot))
    }

    #[inline]
    fn record(&self, bytes: &[u8], header: usize) -> Option<(Spot, usize)> {
        let mut cursor = Cursor::new(bytes, self.order);
        let (seconds, fraction) = (cursor.u32()?, cursor.u32()?);
        let (first, second) = (cursor.u32()?, cursor.u32()?);
        let (captured, original) = match self.lengths {
            Lengths::CapturedFirst => (first, second),
            Lengths::OriginalFirst => (second, first),
            Lengths::LowerIsCaptured => (first.min(second), first.max(second)),
        };
        let mut spot = Spot {
            at: Some(Timestamp::from_parts(
                i64::from(seconds),
                i64::from(fraction) * i64::from(self.nanos_a_unit),
            )),
            interface: InterfaceId(0),
            link: self.link,
            direction: Direction::Unknown,
            from: header,
            captured: captured as usize,
            original_len: original,
            total: header + captured as usize,
        };
        if self.kuznetzov {
            spot.interface = InterfaceId(cursor.u32()?);
            cursor.u16()?;
            spot.direction = if cursor.take(1)? == [OUTGOING] { Direction::Out } else { Direction::In };
        }
        Some((spot, captured as usize))
    }
}

/// Files by old writers carry their system's number for raw IP (12, OpenBSD 14) in place of 101.
pub(super) fn normal_link(link: u16) -> LinkType {
    match link {
        12 | 14 => LinkType::RAW,
        other => LinkType(other),
    }
}
