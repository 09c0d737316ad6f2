//! An encoder of header blocks (RFC 7541) that chooses as nghttp2 and most clients after it do: strings in Huffman's
//! code, what may come again in the table, paths and lengths outside of it, credentials never in any.

use std::collections::VecDeque;

/// Appendix A.
#[rustfmt::skip]
const STATIC: [(&str, &str); 61] = [
    (":authority", ""), (":method", "GET"), (":method", "POST"), (":path", "/"), (":path", "/index.html"),
    (":scheme", "http"), (":scheme", "https"), (":status", "200"), (":status", "204"), (":status", "206"),
    (":status", "304"), (":status", "400"), (":status", "404"), (":status", "500"), ("accept-charset", ""),
    ("accept-encoding", "gzip, deflate"), ("accept-language", ""), ("accept-ranges", ""), ("accept", ""),
    ("access-control-allow-origin", ""), ("age", ""), ("allow", ""), ("authorization", ""), ("cache-control", ""),
    ("content-disposition", ""), ("content-encoding", ""), ("content-language", ""), ("content-length", ""),
    ("content-location", ""), ("content-range", ""), ("content-type", ""), ("cookie", ""), ("date", ""),
    ("etag", ""), ("expect", ""), ("expires", ""), ("from", ""), ("host", ""), ("if-match", ""),
    ("if-modified-since", ""), ("if-none-match", ""), ("if-range", ""), ("if-unmodified-since", ""),
    ("last-modified", ""), ("link", ""), ("location", ""), ("max-forwards", ""), ("proxy-authenticate", ""),
    ("proxy-authorization", ""), ("range", ""), ("referer", ""), ("refresh", ""), ("retry-after", ""),
    ("server", ""), ("set-cookie", ""), ("strict-transport-security", ""), ("transfer-encoding", ""),
    ("user-agent", ""), ("vary", ""), ("via", ""), ("www-authenticate", ""),
];

/// Appendix B: bits of the codes of printable ASCII, from the space on. What has more than 15 is not said here.
#[rustfmt::skip]
const LENGTHS: [u8; 95] = [
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13,
];
const LONGEST: u8 = 15;

/// SETTINGS_HEADER_TABLE_SIZE, unless said otherwise, and what an entry costs beside its bytes.
const TABLE: usize = 4096;
const OVERHEAD: usize = 32;

/// One side's encoder.
#[derive(Default)]
pub(super) struct Encoder {
    /// Newest first.
    table: VecDeque<(String, String)>,
    size: usize,
}

impl Encoder {
    pub(super) fn block(&mut self, fields: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        for &(name, value) in fields {
            self.field(&mut block, name, value);
        }
        block
    }

    fn field(&mut self, block: &mut Vec<u8>, name: &str, value: &str) {
        let entries = || {
            let dynamic = self.table.iter().map(|(name, value)| (name.as_str(), value.as_str()));
            STATIC.iter().copied().chain(dynamic).zip(1..)
        };
        if let Some((_, index)) = entries().find(|(known, _)| *known == (name, value)) {
            return integer(block, 0x80, 7, index);
        }
        let index = entries().find(|((known, _), _)| *known == name).map_or(0, |(_, index)| index);
        let (pattern, bits) = match name {
            ":path" | "content-length" | "etag" | "location" => (0x00, 4),
            "authorization" => (0x10, 4),
            _ => (0x40, 6),
        };
        integer(block, pattern, bits, index);
        if index == 0 {
            string(block, name);
        }
        string(block, value);
        if pattern == 0x40 {
            self.insert(name, value);
        }
    }

    fn insert(&mut self, name: &str, value: &str) {
        let size = |(name, value): &(String, String)| name.len() + value.len() + OVERHEAD;
        let entry = (name.to_owned(), value.to_owned());
        self.size += size(&entry);
        self.table.push_front(entry);
        while self.size > TABLE
            && let Some(oldest) = self.table.pop_back()
        {
            self.size -= size(&oldest);
        }
    }
}

/// 5.1: an integer with a prefix of `bits`.
fn integer(block: &mut Vec<u8>, pattern: u8, bits: u32, value: usize) {
    let most = (1usize << bits) - 1;
    if value < most {
        return block.push(pattern | value as u8);
    }
    block.push(pattern | most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 0x80);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// 5.2: a string, in Huffman's code where that is shorter.
fn string(block: &mut Vec<u8>, text: &str) {
    let bits: usize = text.bytes().map(|byte| usize::from(LENGTHS[usize::from(byte - b' ')])).sum();
    if bits.div_ceil(8) >= text.len() {
        integer(block, 0, 7, text.len());
        return block.extend_from_slice(text.as_bytes());
    }
    integer(block, 0x80, 7, bits.div_ceil(8));
    let (mut room, mut held) = (0u64, 0);
    for byte in text.bytes() {
        let (code, length) = CODE[usize::from(byte)];
        room = room << length | u64::from(code);
        held += length;
        while held >= 8 {
            held -= 8;
            block.push((room >> held) as u8);
        }
    }
    if held > 0 {
        // The end is filled up with ones.
        block.push((room << (8 - held)) as u8 | (0xff >> held));
    }
}

/// By byte: its code and how many bits that has.
const CODE: [(u16, u8); 127] = code();

/// The code is canonical: codes of one length follow each other in the order of their symbols.
const fn code() -> [(u16, u8); 127] {
    let mut made = [(0, 0); 127];
    let (mut next, mut length) = (0, 1);
    while length <= LONGEST {
        let mut symbol = 0;
        while symbol < made.len() {
            // Of what is not printable only NUL has a code as short.
            let own = if symbol == 0 {
                13
            } else if symbol >= b' ' as usize {
                LENGTHS[symbol - b' ' as usize]
            } else {
                u8::MAX
            };
            if own == length {
                made[symbol] = (next, length);
                next += 1;
            }
            symbol += 1;
        }
        next <<= 1;
        length += 1;
    }
    made
}
