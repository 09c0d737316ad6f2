//! Bytes to DNS messages: header, names, questions and records, borrowed from the datagram.
//!
//! Nothing recurses. A compression pointer must point before the name (or the jump) that it stands in, as
//! RFC 1035, 4.1.4 has it ("a prior occurrence"), so every walk ends; 255 bytes a name bound it besides.

use std::ops::Range;

/// Length of the header.
pub(super) const HEADER: usize = 12;
/// RFC 1035, 2.3.4: the most bytes that a name takes, its root label included.
const MOST_NAME: usize = 255;
/// A name has at most 127 labels, so more jumps than that are mischief (pointers to pointers).
const MOST_JUMPS: usize = 127;

/// Why something could not be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// The bytes ended before it did.
    Short,
    /// It breaks a rule of the format.
    Malformed,
}

/// The fixed header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) id: u16,
    flags: u16,
    pub(super) questions: u16,
    pub(super) answers: u16,
    pub(super) authorities: u16,
    pub(super) additionals: u16,
}

impl Header {
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let head: &[u8; HEADER] = bytes.first_chunk()?;
        let word = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
        Some(Self {
            id: word(0),
            flags: word(2),
            questions: word(4),
            answers: word(6),
            authorities: word(8),
            additionals: word(10),
        })
    }

    pub(super) fn is_response(self) -> bool {
        self.flags & 0x8000 != 0
    }

    pub(super) fn opcode(self) -> u8 {
        (self.flags >> 11) as u8 & 15
    }

    pub(super) fn authoritative(self) -> bool {
        self.flags & 0x0400 != 0
    }

    pub(super) fn truncated(self) -> bool {
        self.flags & 0x0200 != 0
    }

    pub(super) fn recursion_desired(self) -> bool {
        self.flags & 0x0100 != 0
    }

    pub(super) fn recursion_available(self) -> bool {
        self.flags & 0x0080 != 0
    }

    pub(super) fn authenticated(self) -> bool {
        self.flags & 0x0020 != 0
    }

    pub(super) fn checking_disabled(self) -> bool {
        self.flags & 0x0010 != 0
    }

    /// The low four bits of the response code; EDNS may add eight more.
    pub(super) fn rcode(self) -> u16 {
        self.flags & 15
    }
}

/// A question; its name stands at `name` in the message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) name: usize,
    pub(super) kind: u16,
    /// The class; in mDNS its top bit asks for a unicast answer.
    pub(super) class: u16,
    /// The name without regard to case (RFC 4343), for pairing.
    pub(super) hash: u64,
}

/// Where a record stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Section {
    Answer,
    Authority,
    Additional,
}

/// A resource record; its name stands at `name`, its data at `data`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) section: Section,
    pub(super) name: usize,
    pub(super) kind: u16,
    pub(super) class: u16,
    pub(super) ttl: u32,
    pub(super) data: Range<usize>,
}

/// A big-endian number of two bytes.
pub(super) fn u16_at(bytes: &[u8], at: usize) -> Result<u16, Trouble> {
    let chunk = bytes.get(at..).and_then(|rest| rest.first_chunk::<2>()).ok_or(Trouble::Short)?;
    Ok(u16::from_be_bytes(*chunk))
}

/// A big-endian number of four bytes.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> Result<u32, Trouble> {
    let chunk = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()).ok_or(Trouble::Short)?;
    Ok(u32::from_be_bytes(*chunk))
}

/// Shows every label of the name at `at` and tells where the bytes after it begin.
fn walk<'a>(bytes: &'a [u8], at: usize, mut label: impl FnMut(&'a [u8])) -> Result<usize, Trouble> {
    let (mut here, mut fence, mut after, mut total, mut jumps) = (at, at, None, 1, 0);
    loop {
        let length = *bytes.get(here).ok_or(Trouble::Short)?;
        match length >> 6 {
            0 if length == 0 => return Ok(after.unwrap_or(here + 1)),
            0 => {
                let ends = here + 1 + usize::from(length);
                let text = bytes.get(here + 1..ends).ok_or(Trouble::Short)?;
                total += 1 + usize::from(length);
                if total > MOST_NAME {
                    return Err(Trouble::Malformed);
                }
                label(text);
                here = ends;
            }
            3 => {
                let target = usize::from(u16_at(bytes, here)? & 0x3FFF);
                jumps += 1;
                if target >= fence || jumps > MOST_JUMPS {
                    return Err(Trouble::Malformed);
                }
                after.get_or_insert(here + 2);
                (here, fence) = (target, target);
            }
            _ => return Err(Trouble::Malformed),
        }
    }
}

/// Whether a byte stands for itself in a name's text. Dots and backslashes inside a label, spaces and what is
/// not printable ASCII are written `\DDD` (RFC 1035, 5.1).
fn is_plain(byte: u8) -> bool {
    byte.is_ascii_graphic() && byte != b'.' && byte != b'\\'
}

/// Appends the name at `at` as text, without a final dot; the root is `.`. Tells where it ends.
pub(super) fn name_into(bytes: &[u8], at: usize, out: &mut String) -> Result<usize, Trouble> {
    let begins = out.len();
    let end = walk(bytes, at, |label| {
        if out.len() > begins {
            out.push('.');
        }
        match std::str::from_utf8(label) {
            Ok(text) if label.iter().all(|&byte| is_plain(byte)) => out.push_str(text),
            _ => escape_into(label, out),
        }
    })?;
    if out.len() == begins {
        out.push('.');
    }
    Ok(end)
}

#[cold]
fn escape_into(label: &[u8], out: &mut String) {
    for &byte in label {
        if is_plain(byte) {
            out.push(char::from(byte));
        } else {
            out.push('\\');
            for digit in [byte / 100, byte / 10 % 10, byte % 10] {
                out.push(char::from(b'0' + digit));
            }
        }
    }
}

/// Where the name at `at` ends, and a hash of it without regard to case (FNV-1a, label by label).
fn name_hash(bytes: &[u8], at: usize) -> Result<(usize, u64), Trouble> {
    let mut hash = 0xCBF2_9CE4_8422_2325_u64;
    let mut mix = |byte: u8| hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3);
    let end = walk(bytes, at, |label| {
        mix(label.len() as u8);
        label.iter().for_each(|byte| mix(byte.to_ascii_lowercase()));
    })?;
    Ok((end, hash))
}

/// The question at `at`, and where it ends.
pub(super) fn question(bytes: &[u8], at: usize) -> Result<(Question, usize), Trouble> {
    let (end, hash) = name_hash(bytes, at)?;
    let question = Question { name: at, kind: u16_at(bytes, end)?, class: u16_at(bytes, end + 2)?, hash };
    Ok((question, end + 4))
}

/// The records of a message, one after the other. Ends after the first that cannot be read.
#[derive(Debug)]
pub(super) struct Records<'a> {
    bytes: &'a [u8],
    at: usize,
    left: [u16; 3],
}

impl<'a> Records<'a> {
    /// The records that begin at `at`, as many as the header announces.
    pub(super) fn new(bytes: &'a [u8], at: usize, header: Header) -> Self {
        Self { bytes, at, left: [header.answers, header.authorities, header.additionals] }
    }

    /// Where the next record begins: after the last, where the message ends.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    fn read(&mut self, section: Section) -> Result<Record, Trouble> {
        let name = self.at;
        let fixed = walk(self.bytes, name, |_| {})?;
        let from = fixed + 10;
        let to = from + usize::from(u16_at(self.bytes, fixed + 8)?);
        self.bytes.get(from..to).ok_or(Trouble::Short)?;
        self.at = to;
        Ok(Record {
            section,
            name,
            kind: u16_at(self.bytes, fixed)?,
            class: u16_at(self.bytes, fixed + 2)?,
            ttl: u32_at(self.bytes, fixed + 4)?,
            data: from..to,
        })
    }
}

impl Iterator for Records<'_> {
    type Item = Result<Record, Trouble>;

    fn next(&mut self) -> Option<Self::Item> {
        let place = self.left.iter().position(|left| *left > 0)?;
        self.left[place] -= 1;
        let section = [Section::Answer, Section::Authority, Section::Additional][place];
        let record = self.read(section);
        if record.is_err() {
            self.left = [0; 3];
        }
        Some(record)
    }
}

/// How much a probe may take on trust.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trust {
    /// It came on a port of the protocol: a header and a question are enough, or a usual header alone.
    Port,
    /// Nothing speaks for it but its bytes: every one of them must fit.
    Nothing,
}

/// Whether these bytes are a DNS message. `cut` says that they are its beginning only.
pub(super) fn looks_like_dns(bytes: &[u8], cut: bool, trust: Trust) -> bool {
    let Some(header) = Header::parse(bytes) else { return false };
    // QUERY, IQUERY, STATUS, NOTIFY, UPDATE, and DNS stateful operations (RFC 8490).
    if !matches!(header.opcode(), 0..=2 | 4..=6) {
        return false;
    }
    match trust {
        Trust::Port => match question(bytes, HEADER) {
            _ if header.questions == 0 => true,
            Ok(_) => true,
            Err(Trouble::Short) if cut => true,
            // Whose name is broken, or missing, is a message still, and wants to be seen.
            Err(Trouble::Short | Trouble::Malformed) => is_usual(header),
        },
        Trust::Nothing => strictly(bytes, header, cut),
    }
}

/// Whether this is how nearly all headers look: one question, and no answers but in a response.
pub(super) fn is_usual(header: Header) -> bool {
    let is_response = header.is_response();
    header.opcode() == 0
        && header.questions == 1
        && (is_response || header.rcode() == 0 && header.answers == 0)
}

/// Whether every byte of the message fits what its header announces, and what it announces is usual.
fn strictly(bytes: &[u8], header: Header, cut: bool) -> bool {
    let is_query = !header.is_response();
    let announces_too_much = match header.opcode() {
        0 => is_query && (header.answers > 0 || header.additionals > 2),
        4 | 5 => false,
        _ => true,
    };
    if header.questions != 1 || announces_too_much {
        return false;
    }
    let Ok((asked, end)) = question(bytes, HEADER) else { return false };
    // NetBIOS names (RFC 1002, 4.1) share the format: one label of 32 letters from A to P.
    let net_bios = bytes.get(HEADER) == Some(&32)
        && bytes[HEADER + 1..].iter().take(32).all(|byte| matches!(byte, b'A'..=b'P'));
    if net_bios || asked.kind == 0 || !matches!(asked.class, 1 | 3 | 4 | 254 | 255) {
        return false;
    }
    let mut records = Records::new(bytes, end, header);
    for record in &mut records {
        match record {
            Ok(_) => {}
            Err(Trouble::Short) => return cut,
            Err(Trouble::Malformed) => return false,
        }
    }
    records.position() == bytes.len()
}
