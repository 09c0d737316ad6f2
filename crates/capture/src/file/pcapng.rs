//! The pcapng format (draft-ietf-opsawg-pcapng): sections of blocks, each with a type, a length before and
//! after, and in a section its own byte order and interfaces.
//!
//! Packets are numbered as Wireshark numbers them: custom blocks and records of the system's journal and
//! calls have a number there, though they are no packets. They, secrets (DSB) and unknown blocks are passed
//! over without being kept. Where lengths contradict each other nothing can be trusted, and reading stops.

use std::io;
use std::net::IpAddr;

use wirewise_model::{Direction, InterfaceId, LinkType, Timestamp};

use super::bytes::{Cursor, Order};
use super::pcap::normal_link;
use super::window::{Stop, WINDOW_BYTES, Window};
use super::{MAX_FRAME_BYTES, Spot, Step};

pub(super) const SECTION: u32 = 0x0a0d_0d0a;
const BYTE_ORDER: u32 = 0x1a2b_3c4d;
const INTERFACE: u32 = 1;
const OLD_PACKET: u32 = 2;
const SIMPLE_PACKET: u32 = 3;
const NAMES: u32 = 4;
const STATISTICS: u32 = 5;
const ENHANCED_PACKET: u32 = 6;
/// Custom blocks, copyable or not; systemd journal; sysdig events in their versions. tshark 4.0 numbers them.
const NUMBERED: [u32; 8] = [0x0bad, 0x4000_0bad, 9, 0x204, 0x208, 0x216, 0x221, 0x222];

/// Interfaces of one section. A hostile file could describe one in every 20 bytes.
const MAX_INTERFACES: usize = 1 << 16;
/// Names of one file; more are passed over, with a warning.
const MAX_NAMES: usize = 1 << 16;
/// RFC 1035, 2.3.4.
const MAX_NAME_BYTES: usize = 255;

/// An address's name, as a name resolution block of a capture file tells it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct NameRecord {
    /// The address.
    pub ip: IpAddr,
    /// Its name.
    pub name: String,
}

#[derive(Clone, Copy, Debug)]
struct Interface {
    link: LinkType,
    snaplen: u32,
    resolution: Resolution,
    offset_seconds: i64,
    /// What its statistics block said last that the writer's kernel and interface dropped.
    dropped: u64,
}

/// How many units a second has.
#[derive(Clone, Copy, Debug)]
enum Resolution {
    Micros,
    Nanos,
    Other(u64),
}

impl Resolution {
    /// Option `if_tsresol`: a power of ten, or of two where the highest bit is set. Resolutions finer than
    /// 2^63 or 10^19 units a second do not fit any field, and are taken for the default.
    fn parse(value: u8) -> Self {
        let power = u32::from(value & 0x7f);
        let units = if value & 0x80 == 0 { 10u64.checked_pow(power) } else { 1u64.checked_shl(power) };
        match units {
            Some(1_000_000) | None | Some(0) => Self::Micros,
            Some(1_000_000_000) => Self::Nanos,
            Some(units) => Self::Other(units),
        }
    }

    #[inline]
    fn time(self, units: u64, offset_seconds: i64) -> Timestamp {
        let (seconds, nanos) = match self {
            Self::Micros => (units / 1_000_000, units % 1_000_000 * 1_000),
            Self::Nanos => (units / 1_000_000_000, units % 1_000_000_000),
            Self::Other(a_second) => {
                let nanos = u128::from(units % a_second) * 1_000_000_000 / u128::from(a_second);
                (units / a_second, nanos as u64)
            }
        };
        let seconds = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_add(offset_seconds);
        Timestamp::from_parts(seconds, nanos as i64)
    }
}

/// The reader's place in the file.
#[derive(Debug)]
pub(super) struct Pcapng {
    order: Order,
    interfaces: Vec<Interface>,
    /// Interfaces of the sections before this one, so that ids stay apart.
    interfaces_before: u32,
    pub(super) names: Vec<NameRecord>,
    pub(super) names_omitted: u64,
    /// Frames that the writer of the file says it lost, not yet taken into the books.
    pub(super) writer_dropped: u64,
}

impl Pcapng {
    pub(super) fn new() -> Self {
        Self {
            order: Order::Little,
            interfaces: Vec::new(),
            interfaces_before: 0,
            names: Vec::new(),
            names_omitted: 0,
            writer_dropped: 0,
        }
    }

    /// Looks at the next block, and takes in all that is no packet.
    pub(super) fn advance(&mut self, window: &mut Window) -> io::Result<Step> {
        if !window.have(12)? {
            return Ok(Step::Stop(window.stop()));
        }
        let bytes = window.bytes();
        if word(bytes, 0, Order::Big) == SECTION {
            self.order = match word(bytes, 8, Order::Big) {
                BYTE_ORDER => Order::Big,
                order if order == BYTE_ORDER.swap_bytes() => Order::Little,
                _ => return Ok(Step::Stop(Stop::Garbage("a section's byte order is unknown"))),
            };
        }
        let (kind, length) = (word(bytes, 0, self.order), word(bytes, 4, self.order));
        if length < 12 || !length.is_multiple_of(4) {
            return Ok(Step::Stop(Stop::Garbage("a block's length is impossible")));
        }
        match kind {
            SECTION | INTERFACE | OLD_PACKET | SIMPLE_PACKET | NAMES | STATISTICS | ENHANCED_PACKET => {}
            _ => {
                let step = if NUMBERED.contains(&kind) { Step::NoPacket } else { Step::Again };
                return self.pass_over(window, length, step);
            }
        }
        let total = length as usize;
        if total > WINDOW_BYTES {
            return match kind {
                OLD_PACKET | SIMPLE_PACKET | ENHANCED_PACKET => {
                    self.pass_over(window, length, Step::Oversized)
                }
                NAMES | STATISTICS => self.pass_over(window, length, Step::Again),
                _ => Ok(Step::Stop(Stop::Garbage(
                    "a section's or interface's block is longer than a megabyte",
                ))),
            };
        }
        if !window.have(total)? {
            return Ok(Step::Stop(window.stop()));
        }
        let block = &window.bytes()[..total];
        if word(block, total - 4, self.order) != length {
            return Ok(Step::Stop(Stop::Garbage("a block's two lengths differ")));
        }
        let body = &block[8..total - 4];
        let step = match kind {
            OLD_PACKET | SIMPLE_PACKET | ENHANCED_PACKET => match self.packet(kind, body, total) {
                Some(step) => return Ok(step),
                None => return Ok(Step::Stop(Stop::Garbage("a packet is longer than its block"))),
            },
            SECTION => self.section(),
            INTERFACE => self.interface(body),
            NAMES => self.take_names(body),
            STATISTICS => self.statistics(body),
            _ => Some(()),
        };
        if step.is_none() {
            return Ok(Step::Stop(Stop::Garbage("a block is shorter than its fields")));
        }
        window.consume(total);
        Ok(Step::Again)
    }

    fn pass_over(&self, window: &mut Window, length: u32, step: Step) -> io::Result<Step> {
        let body = u64::from(length) - 4;
        if !window.skip(body)? || !window.have(4)? {
            return Ok(Step::Stop(match window.stop() {
                Stop::End => Stop::Cut,
                stop => stop,
            }));
        }
        if word(window.bytes(), 0, self.order) != length {
            return Ok(Step::Stop(Stop::Garbage("a block's two lengths differ")));
        }
        window.consume(4);
        Ok(step)
    }

    fn section(&mut self) -> Option<()> {
        self.interfaces_before = self.interfaces_before.saturating_add(self.interfaces.len() as u32);
        self.interfaces.clear();
        Some(())
    }

    fn interface(&mut self, body: &[u8]) -> Option<()> {
        let mut cursor = Cursor::new(body, self.order);
        let link = normal_link(cursor.u16()?);
        cursor.u16()?;
        let snaplen = cursor.u32()?;
        if self.interfaces.len() == MAX_INTERFACES {
            return None;
        }
        let mut interface =
            Interface { link, snaplen, resolution: Resolution::Micros, offset_seconds: 0, dropped: 0 };
        while let Some((code, value)) = cursor.option() {
            match (code, value) {
                (9, &[resolution]) => interface.resolution = Resolution::parse(resolution),
                (14, value) if value.len() == 8 => {
                    interface.offset_seconds = Cursor::new(value, self.order).u64()? as i64;
                }
                _ => {}
            }
        }
        self.interfaces.push(interface);
        Some(())
    }

    /// `None` where the block contradicts itself.
    #[inline]
    fn packet(&self, kind: u32, body: &[u8], total: usize) -> Option<Step> {
        let mut cursor = Cursor::new(body, self.order);
        if kind == SIMPLE_PACKET {
            let original_len = cursor.u32()?;
            let Some(interface) = self.interfaces.first() else { return Some(Step::UnknownInterface(total)) };
            let most = if interface.snaplen == 0 { u32::MAX } else { interface.snaplen };
            let captured = original_len.min(most) as usize;
            cursor.take(captured)?;
            return Some(self.spot(
                0,
                interface,
                None,
                Direction::Unknown,
                (12, captured),
                original_len,
                total,
            ));
        }
        let id = if kind == OLD_PACKET {
            let id = u32::from(cursor.u16()?);
            cursor.u16()?;
            id
        } else {
            cursor.u32()?
        };
        let units = (u64::from(cursor.u32()?) << 32) | u64::from(cursor.u32()?);
        let (captured, original_len) = (cursor.u32()? as usize, cursor.u32()?);
        cursor.take(captured)?;
        let Some(interface) = self.interfaces.get(id as usize) else {
            return Some(Step::UnknownInterface(total));
        };
        let mut direction = Direction::Unknown;
        if cursor.take(captured.next_multiple_of(4) - captured).is_some() {
            while let Some((code, value)) = cursor.option() {
                if code == 2 && value.len() == 4 {
                    direction = match word(value, 0, self.order) & 3 {
                        1 => Direction::In,
                        2 => Direction::Out,
                        _ => Direction::Unknown,
                    };
                }
            }
        }
        let at = interface.resolution.time(units, interface.offset_seconds);
        Some(self.spot(id, interface, Some(at), direction, (28, captured), original_len, total))
    }

    #[inline]
    #[expect(clippy::too_many_arguments, reason = "fields of one block, assembled in one place")]
    fn spot(
        &self,
        id: u32,
        interface: &Interface,
        at: Option<Timestamp>,
        direction: Direction,
        (from, captured): (usize, usize),
        original_len: u32,
        total: usize,
    ) -> Step {
        if captured > MAX_FRAME_BYTES {
            return Step::TooLong(total);
        }
        Step::Frame(Spot {
            at,
            interface: InterfaceId(self.interfaces_before.saturating_add(id)),
            link: interface.link,
            direction,
            from,
            captured,
            original_len,
            total,
        })
    }

    fn take_names(&mut self, body: &[u8]) -> Option<()> {
        let mut cursor = Cursor::new(body, self.order);
        while let Some((kind, value)) = cursor.option() {
            let (ip, names) = match kind {
                1 => {
                    let (ip, names) = value.split_first_chunk::<4>()?;
                    (IpAddr::from(*ip), names)
                }
                2 => {
                    let (ip, names) = value.split_first_chunk::<16>()?;
                    (IpAddr::from(*ip), names)
                }
                _ => continue,
            };
            for name in names.split(|&byte| byte == 0) {
                let Ok(name) = std::str::from_utf8(name) else { continue };
                if name.is_empty() || name.len() > MAX_NAME_BYTES {
                    continue;
                }
                if self.names.len() == MAX_NAMES {
                    self.names_omitted += 1;
                } else {
                    self.names.push(NameRecord { ip, name: name.to_owned() });
                }
            }
        }
        Some(())
    }

    /// Options 5 (`isb_ifdrop`) and 7 (`isb_osdrop`) count from the start of the capture.
    fn statistics(&mut self, body: &[u8]) -> Option<()> {
        let mut cursor = Cursor::new(body, self.order);
        let id = cursor.u32()? as usize;
        cursor.u64()?;
        let mut dropped = 0u64;
        while let Some((code, value)) = cursor.option() {
            if matches!(code, 5 | 7) && value.len() == 8 {
                dropped = dropped.saturating_add(Cursor::new(value, self.order).u64()?);
            }
        }
        if let Some(interface) = self.interfaces.get_mut(id) {
            let more = dropped.saturating_sub(interface.dropped);
            self.writer_dropped = self.writer_dropped.saturating_add(more);
            interface.dropped = interface.dropped.max(dropped);
        }
        Some(())
    }
}

fn word(bytes: &[u8], at: usize, order: Order) -> u32 {
    bytes.get(at..).and_then(|rest| Cursor::new(rest, order).u32()).unwrap_or(0)
}
