//! Frames, protocol headers and the arguments of methods (AMQP 0-9-1, 2.3 and 4.2).

use super::names::{self, Arg, Method, What};

/// Type, channel, size.
pub(super) const HEAD: usize = 7;
/// What every frame ends with.
pub(super) const END: u8 = 0xce;
/// "AMQP" and four numbers.
pub(super) const HELLO: usize = 8;
/// Frames are negotiated down to 128 KiB or so; what says more than this is none.
const LONGEST_FRAME: u32 = 64 << 20;

/// The head of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) kind: FrameKind,
    pub(super) channel: u16,
    /// Bytes between the head and the end.
    pub(super) size: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FrameKind {
    Method,
    Header,
    Body,
    Heartbeat,
}

/// What reading came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed<T> {
    Some(T),
    Short,
    /// It is none.
    No,
}

/// The head of a frame.
pub(super) fn frame(bytes: &[u8]) -> Parsed<Frame> {
    let kind = match bytes.first() {
        None => return Parsed::Short,
        Some(1) => FrameKind::Method,
        Some(2) => FrameKind::Header,
        Some(3) => FrameKind::Body,
        Some(8) => FrameKind::Heartbeat,
        Some(_) => return Parsed::No,
    };
    let Some([_, c0, c1, size @ ..]) = bytes.first_chunk::<HEAD>().copied() else { return Parsed::Short };
    let (channel, size) = (u16::from_be_bytes([c0, c1]), u32::from_be_bytes(size));
    let fits = match kind {
        FrameKind::Method => size >= 4,
        FrameKind::Header => size >= 14,
        FrameKind::Body => true,
        FrameKind::Heartbeat => size == 0 && channel == 0,
    };
    if !fits || size > LONGEST_FRAME {
        return Parsed::No;
    }
    Parsed::Some(Frame { kind, channel, size })
}

/// A protocol header: the version as it is written, and whether it is one whose frames are read here.
pub(super) fn hello(bytes: &[u8]) -> Parsed<[u8; 4]> {
    let known = bytes.len().min(4);
    if bytes[..known] != b"AMQP"[..known] {
        return Parsed::No;
    }
    match bytes.first_chunk::<HELLO>() {
        Some([_, _, _, _, version @ ..]) => Parsed::Some(*version),
        None => Parsed::Short,
    }
}

/// Whether a protocol header begins AMQP 1.0 (or its TLS and SASL layers), another protocol of the same name.
pub(super) fn is_one_zero(version: [u8; 4]) -> bool {
    matches!(version, [0 | 2 | 3, 1, 0, 0])
}

/// The version as people write it.
pub(super) fn version(version: [u8; 4]) -> String {
    match version {
        [0, major, minor, 0] if major > 0 => format!("{major}.{minor}"),
        [0, major, minor, revision] => format!("{major}-{minor}-{revision}"),
        // Class and instance of 0-8 to 0-10 are always 1; 0-8 says its numbers the other way round.
        [_, _, 8, 0] => "0-8".to_owned(),
        [_, _, major, minor] => format!("{major}-{minor}"),
    }
}

/// The arguments of a method. Texts are at most 255 bytes long; one that was not sent is empty.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Args<'a> {
    pub(super) queue: &'a [u8],
    pub(super) exchange: &'a [u8],
    pub(super) source: &'a [u8],
    pub(super) routing_key: &'a [u8],
    pub(super) consumer_tag: &'a [u8],
    pub(super) virtual_host: &'a [u8],
    pub(super) mechanism: &'a [u8],
    pub(super) exchange_type: &'a [u8],
    pub(super) reply_text: &'a [u8],
    pub(super) delivery_tag: u64,
    pub(super) reply_code: u16,
    pub(super) class_id: u16,
    pub(super) method_id: u16,
    pub(super) message_count: Option<u32>,
    pub(super) consumer_count: Option<u32>,
    pub(super) prefetch_count: Option<u16>,
    pub(super) heartbeat: Option<u16>,
    pub(super) passive: bool,
    pub(super) no_wait: bool,
    pub(super) no_ack: bool,
    pub(super) mandatory: bool,
    pub(super) multiple: bool,
    pub(super) requeue: Option<bool>,
    pub(super) redelivered: bool,
}

/// A cursor that never reads past its end.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn fixed<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N).and_then(|taken| taken.try_into().ok())
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.fixed::<1>().map(|[byte]| byte)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.fixed().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.fixed().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.fixed().map(u64::from_be_bytes)
    }

    /// A string behind one byte of length.
    pub(super) fn short(&mut self) -> Option<&'a [u8]> {
        let length = self.u8()?;
        self.take(usize::from(length))
    }

    /// A string, or a table, behind four bytes of length.
    pub(super) fn long(&mut self) -> Option<&'a [u8]> {
        let length = self.u32()?;
        self.take(usize::try_from(length).ok()?)
    }
}

/// Class and number of a method frame's payload.
pub(super) fn method(payload: &[u8]) -> Parsed<&'static Method> {
    let mut cursor = Cursor(payload);
    match (cursor.u16(), cursor.u16()) {
        (Some(class), Some(number)) => names::method(class, number).map_or(Parsed::No, Parsed::Some),
        _ => Parsed::Short,
    }
}

/// The arguments behind class and number, and how many bytes came after them. `None` where they are cut
/// short.
pub(super) fn args<'a>(method: &Method, payload: &'a [u8]) -> Option<(Args<'a>, usize)> {
    let mut cursor = Cursor(payload.get(4..)?);
    let mut args = Args::default();
    for arg in method.args {
        match arg {
            Arg::U8 => {
                cursor.u8()?;
            }
            Arg::U16(what) => args.set(*what, u64::from(cursor.u16()?), &[]),
            Arg::U32(what) => args.set(*what, u64::from(cursor.u32()?), &[]),
            Arg::U64(what) => args.set(*what, cursor.u64()?, &[]),
            Arg::Str(what) => args.set(*what, 0, cursor.short()?),
            Arg::Long | Arg::Table => {
                cursor.long()?;
            }
            Arg::Bits(bits) => {
                let byte = cursor.u8()?;
                for (at, what) in bits.iter().enumerate() {
                    args.set(*what, u64::from(byte >> at & 1), &[]);
                }
            }
        }
    }
    Some((args, cursor.0.len()))
}

impl<'a> Args<'a> {
    /// Takes one argument in: a number, a text or a bit, as the method's row says.
    fn set(&mut self, what: What, number: u64, text: &'a [u8]) {
        let bit = number == 1;
        match what {
            What::Nothing => {}
            What::Queue => self.queue = text,
            What::Exchange => self.exchange = text,
            What::Source => self.source = text,
            What::RoutingKey => self.routing_key = text,
            What::ConsumerTag => self.consumer_tag = text,
            What::VirtualHost => self.virtual_host = text,
            What::Mechanism => self.mechanism = text,
            What::ExchangeType => self.exchange_type = text,
            What::ReplyText => self.reply_text = text,
            What::DeliveryTag => self.delivery_tag = number,
            What::ReplyCode => self.reply_code = number as u16,
            What::ClassId => self.class_id = number as u16,
            What::MethodId => self.method_id = number as u16,
            What::MessageCount => self.message_count = Some(number as u32),
            What::ConsumerCount => self.consumer_count = Some(number as u32),
            What::PrefetchCount => self.prefetch_count = Some(number as u16),
            What::Heartbeat => self.heartbeat = Some(number as u16),
            What::Passive => self.passive = bit,
            What::NoWait => self.no_wait = bit,
            What::NoAck => self.no_ack = bit,
            What::Mandatory => self.mandatory = bit,
            What::Multiple => self.multiple = bit,
            What::Requeue => self.requeue = Some(bit),
            What::Redelivered => self.redelivered = bit,
        }
    }
}
