//! Follows a table of `schema` over a body as its bytes come.
//!
//! Nothing is kept but the place: how deep, which field, how many elements are left. So a body of any size
//! needs no more than the longest text in it that somebody wants, and one that is stepped over needs nothing.

use smallvec::SmallVec;

use super::facts::{Facts, Seen};
use super::records::Records;
use super::schema::{Field, Kind, What};

/// Texts that are wanted and longer than this are stepped over: names of topics have 249 characters at most,
/// those of groups what a client likes.
const LONGEST_TEXT: u64 = 4096;
/// A variable-length integer of 32 bits.
const LONGEST_VARINT: usize = 5;

/// How the walk stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Between fields or inside one.
    On,
    /// All fields were read.
    Done,
    /// The rest is not looked at, as the table says.
    Enough,
    /// The bytes do not fit the table.
    Lost,
}

#[derive(Clone, Debug)]
struct Level {
    fields: &'static [Field],
    next: u16,
    /// Elements of the array after this one.
    more: u32,
    /// Whether each element ends with tagged fields.
    tagged: bool,
    /// Tagged fields that are still to be stepped over, once their number was read.
    tags: Option<u32>,
}

/// One walk.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    levels: SmallVec<[Level; 5]>,
    version: i16,
    flexible: bool,
    skip: u64,
    records: Option<Records>,
    pub(super) way: Way,
}

/// What one step did.
enum Step {
    Took(usize),
    Short,
    Stop(Way),
}

impl Walk {
    /// Of a body with these fields; `header_tags` where tagged fields of the header come first.
    pub(super) fn new(
        fields: Option<&'static [Field]>,
        version: i16,
        flexible: bool,
        header_tags: bool,
    ) -> Self {
        let mut levels = SmallVec::new();
        let level = |fields, tagged| Level { fields, next: 0, more: 0, tagged, tags: None };
        if let Some(fields) = fields {
            levels.push(level(fields, flexible));
        }
        if header_tags {
            levels.push(level(&[], true));
        }
        let way = if fields.is_none() { Way::Enough } else { Way::On };
        Self { levels, version, flexible, skip: 0, records: None, way }
    }

    /// The rest is in this version, of which the layout up to here is the same.
    fn fall_back(&mut self, version: i16) {
        self.version = version;
        self.flexible = false;
        for level in &mut self.levels {
            level.tagged = false;
        }
    }

    /// Reads what it can of `bytes`, of a body of which `left` bytes are still to come; returns how much.
    /// Once the way is anything but `On` it takes all there is.
    pub(super) fn read(&mut self, bytes: &[u8], left: u64, facts: &mut Facts) -> usize {
        let read = self.read_exactly(bytes, left, facts);
        match self.way {
            Way::On => read,
            Way::Done | Way::Enough | Way::Lost => {
                usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len())
            }
        }
    }

    /// The same, but takes no more than the table says.
    pub(super) fn read_exactly(&mut self, bytes: &[u8], left: u64, facts: &mut Facts) -> usize {
        let bytes = bytes.get(..usize::try_from(left).unwrap_or(usize::MAX)).unwrap_or(bytes);
        let mut at = 0;
        while self.way == Way::On {
            match self.step(&bytes[at..], left - at as u64, facts) {
                Step::Took(took) => at += took,
                Step::Short if bytes.len() as u64 == left => self.way = Way::Lost,
                Step::Short => break,
                Step::Stop(way) => self.way = way,
            }
        }
        at
    }

    /// Gives the walk up: bytes of the body are missing.
    pub(super) fn lose(&mut self) {
        if self.way == Way::On {
            self.way = Way::Lost;
        }
    }

    fn step(&mut self, bytes: &[u8], left: u64, facts: &mut Facts) -> Step {
        if self.skip > 0 {
            let skip = self.skip.min(bytes.len() as u64);
            self.skip -= skip;
            return if skip == 0 { Step::Short } else { Step::Took(skip as usize) };
        }
        if let Some(records) = &mut self.records {
            let took = records.read(bytes);
            if records.left == 0 {
                facts.records += records.count;
                self.records = None;
            } else if took == 0 {
                return Step::Short;
            }
            return Step::Took(took);
        }
        let Some(level) = self.levels.last_mut() else { return Step::Stop(Way::Done) };
        match level.fields.get(usize::from(level.next)) {
            None => self.end_of_struct(bytes, left),
            Some(field) => {
                if !field.is_in(self.version) {
                    level.next += 1;
                    return Step::Took(0);
                }
                self.field(field, bytes, left, facts)
            }
        }
    }

    /// All fields of a structure were read: its tagged fields, then the next element.
    fn end_of_struct(&mut self, bytes: &[u8], left: u64) -> Step {
        let Some(level) = self.levels.last_mut() else { return Step::Stop(Way::Done) };
        if level.tagged {
            match level.tags {
                None => {
                    let Some((count, took)) = varint(bytes) else { return short(bytes) };
                    if u64::from(count) > left {
                        return Step::Stop(Way::Lost);
                    }
                    level.tags = Some(count);
                    return Step::Took(took);
                }
                Some(0) => {}
                Some(count) => {
                    let Some((_, tag)) = varint(bytes) else { return short(bytes) };
                    let Some((size, took)) = varint(&bytes[tag..]) else { return short(&bytes[tag..]) };
                    if u64::from(size) > left {
                        return Step::Stop(Way::Lost);
                    }
                    level.tags = Some(count - 1);
                    self.skip = u64::from(size);
                    return Step::Took(tag + took);
                }
            }
        }
        level.tags = None;
        if level.more > 0 {
            level.more -= 1;
            level.next = 0;
        } else {
            self.levels.pop();
        }
        Step::Took(0)
    }

    fn field(&mut self, field: &'static Field, bytes: &[u8], left: u64, facts: &mut Facts) -> Step {
        match field.kind {
            Kind::Rest => Step::Stop(Way::Enough),
            Kind::Fixed(length) => {
                let Some(value) = bytes.get(..usize::from(length)) else { return Step::Short };
                let seen = match <[u8; 16]>::try_from(value) {
                    Ok(id) => Seen::Id(id),
                    Err(_) => Seen::Number(number(value)),
                };
                facts.take(field.what, seen);
                if field.what == What::Error && facts.falls_back {
                    self.fall_back(0);
                }
                self.done(usize::from(length))
            }
            Kind::Text => {
                let prefix = if self.flexible { varint(bytes) } else { int16(bytes) };
                let Some((length, took)) = prefix else { return short(bytes) };
                let Some(length) = present(length, self.flexible, i16::MAX.unsigned_abs().into()) else {
                    return self.done(took);
                };
                if length > left {
                    return Step::Stop(Way::Lost);
                }
                if field.what == What::Nothing || length > LONGEST_TEXT {
                    self.skip = length;
                    return self.done(took);
                }
                let Some(value) = bytes.get(took..took + length as usize) else { return Step::Short };
                facts.take(field.what, Seen::Text(value));
                self.done(took + value.len())
            }
            Kind::Bytes | Kind::Records => {
                let prefix = if self.flexible { varint(bytes) } else { int32(bytes) };
                let Some((length, took)) = prefix else { return short(bytes) };
                let length = present(length, self.flexible, i32::MAX.unsigned_abs()).unwrap_or(0);
                if length > left {
                    return Step::Stop(Way::Lost);
                }
                if matches!(field.kind, Kind::Records) && length > 0 {
                    self.records = Some(Records::new(length));
                } else {
                    self.skip = length;
                }
                self.done(took)
            }
            Kind::List(fields) | Kind::Items(fields) => {
                let prefix = if self.flexible { varint(bytes) } else { int32(bytes) };
                let Some((count, took)) = prefix else { return short(bytes) };
                let count = present(count, self.flexible, i32::MAX.unsigned_abs()).unwrap_or(0);
                // Every element takes a byte at least.
                if count > left {
                    return Step::Stop(Way::Lost);
                }
                let step = self.done(took);
                if let Some(more) = u32::try_from(count).ok().and_then(|count| count.checked_sub(1)) {
                    let tagged = self.flexible && matches!(field.kind, Kind::List(_));
                    self.levels.push(Level { fields, next: 0, more, tagged, tags: None });
                }
                step
            }
        }
    }

    /// The field at hand was read.
    fn done(&mut self, took: usize) -> Step {
        if let Some(level) = self.levels.last_mut() {
            level.next += 1;
        }
        Step::Took(took)
    }
}

/// More bytes are needed for a prefix, unless it is none.
fn short(bytes: &[u8]) -> Step {
    if bytes.len() >= LONGEST_VARINT { Step::Stop(Way::Lost) } else { Step::Short }
}

/// The length that a prefix says: `None` for null. Compact ones count from 1; others are negative for null.
fn present(raw: u32, compact: bool, most: u32) -> Option<u64> {
    if compact { raw.checked_sub(1).map(u64::from) } else { (raw <= most).then_some(u64::from(raw)) }
}

fn varint(bytes: &[u8]) -> Option<(u32, usize)> {
    let mut value = 0u32;
    for (at, byte) in bytes.iter().take(LONGEST_VARINT).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * at as u32);
        if byte & 0x80 == 0 {
            return Some((value, at + 1));
        }
    }
    None
}

fn int16(bytes: &[u8]) -> Option<(u32, usize)> {
    bytes.first_chunk::<2>().map(|two| (u32::from(u16::from_be_bytes(*two)), 2))
}

fn int32(bytes: &[u8]) -> Option<(u32, usize)> {
    bytes.first_chunk::<4>().map(|four| (u32::from_be_bytes(*four), 4))
}

/// A big-endian number of up to eight bytes, signed.
fn number(bytes: &[u8]) -> i64 {
    let negative = bytes.first().is_some_and(|first| first & 0x80 != 0);
    let start = if negative { -1 } else { 0 };
    bytes.iter().fold(start, |value, byte| value << 8 | i64::from(*byte))
}
