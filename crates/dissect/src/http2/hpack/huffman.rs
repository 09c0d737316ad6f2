//! The Huffman code of RFC 7541, Appendix B.
//!
//! It is canonical: codes of one length follow each other in the order of their symbols. So the lengths are enough,
//! and everything else is made of them when this is compiled.

/// Bits of the code of each symbol; the last is the end of string, which must not occur.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28,
    28, 28, 28, 28, 28, 28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10, 13, 6, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7,
    7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22, 23, 23, 21,
    23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24,
    21, 21, 26, 26, 28, 27, 27, 27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26, 30,
];

/// Bits of the longest code, and of the shortest.
const LONGEST: usize = 30;
const SHORTEST: u32 = 5;
/// The symbol that ends strings.
const END: u16 = 256;

/// What was made of the lengths.
struct Code {
    /// By a code's first eight bits: its symbol and length, where it has no more; else a length of 0.
    short: [(u8, u8); 256],
    /// By length: the first code that is longer, its bits at the top of a word.
    limit: [u32; LONGEST + 1],
    /// By length: the first code, its bits at the bottom of a word.
    first: [u32; LONGEST + 1],
    /// By length: where its symbols begin in `symbols`.
    begins: [u16; LONGEST + 1],
    /// By length of the code, then by value.
    symbols: [u16; 257],
}

static CODE: Code = code();

const fn code() -> Code {
    let mut made = Code {
        short: [(0, 0); 256],
        limit: [0; LONGEST + 1],
        first: [0; LONGEST + 1],
        begins: [0; LONGEST + 1],
        symbols: [0; 257],
    };
    let (mut next, mut placed, mut length) = (0_u32, 0_usize, 1_usize);
    while length <= LONGEST {
        next <<= 1;
        made.first[length] = next;
        made.begins[length] = placed as u16;
        let mut symbol = 0;
        while symbol < LENGTHS.len() {
            if LENGTHS[symbol] as usize == length {
                made.symbols[placed] = symbol as u16;
                if length <= 8 {
                    let mut rest = 0;
                    while rest < 1 << (8 - length) {
                        made.short[((next as usize) << (8 - length)) + rest] = (symbol as u8, length as u8);
                        rest += 1;
                    }
                }
                placed += 1;
                next += 1;
            }
            symbol += 1;
        }
        made.limit[length] = if length < LONGEST { next << (32 - length) } else { u32::MAX };
        length += 1;
    }
    made
}

/// Appends the string that `bytes` stand for. `false` where they stand for none: the end of string inside, or padding
/// that is not the beginning of its code, or a byte or more of it.
pub(super) fn decode(bytes: &[u8], out: &mut Vec<u8>) -> bool {
    out.reserve(bytes.len() * 8 / 5 + 1);
    // The bits that were not used yet, at the bottom of a word.
    let (mut bits, mut have) = (0_u64, 0_u32);
    for &byte in bytes {
        bits = bits << 8 | u64::from(byte);
        have += 8;
        while have >= SHORTEST {
            // The next bits at the top of a word, zeros behind them: no code that has all its bits looks shorter.
            let window = ((bits << (64 - have)) >> 32) as u32;
            let (symbol, length) = CODE.short[(window >> 24) as usize];
            let (symbol, length) = match length {
                0 => long(window),
                length => (u16::from(symbol), u32::from(length)),
            };
            if length > have {
                break;
            }
            if symbol == END {
                return false;
            }
            out.push(symbol as u8);
            have -= length;
        }
    }
    have < 8 && bits & ((1 << have) - 1) == (1 << have) - 1
}

/// The symbol, and the length of its code, of more than eight bits, that `window` begins with.
fn long(window: u32) -> (u16, u32) {
    let length = (9..LONGEST).find(|&length| window < CODE.limit[length]).unwrap_or(LONGEST);
    let code = window >> (32 - length);
    let nth = code.wrapping_sub(CODE.first[length]) as usize;
    let symbol = CODE.symbols.get(usize::from(CODE.begins[length]) + nth).copied().unwrap_or(END);
    (symbol, length as u32)
}

/// The code of a string, for tests of other modules too.
#[cfg(test)]
pub(crate) fn encode(text: &[u8]) -> Vec<u8> {
    let mut codes = [0_u64; 257];
    for length in 1..=LONGEST {
        let symbols = (0..257).filter(|&symbol| usize::from(LENGTHS[symbol]) == length);
        for (nth, symbol) in symbols.enumerate() {
            codes[symbol] = u64::from(CODE.first[length]) + nth as u64;
        }
    }
    let mut out = Vec::new();
    let (mut bits, mut have) = (0_u64, 0);
    for &byte in text {
        bits = bits << LENGTHS[usize::from(byte)] | codes[usize::from(byte)];
        have += u32::from(LENGTHS[usize::from(byte)]);
        while have >= 8 {
            have -= 8;
            out.push((bits >> have) as u8);
        }
    }
    if have > 0 {
        out.push((bits << (8 - have)) as u8 | ((1 << (8 - have)) - 1) as u8);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(hex: &str) -> Option<String> {
        let bytes = hex::decode(hex).unwrap();
        let mut out = Vec::new();
        decode(&bytes, &mut out).then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn strings_of_the_document_are_read() {
        for (coded, text) in [
            ("f1e3c2e5f23a6ba0ab90f4ff", "www.example.com"),
            ("a8eb10649cbf", "no-cache"),
            ("25a849e95ba97d7f", "custom-key"),
            ("25a849e95bb8e8b4bf", "custom-value"),
            ("6402", "302"),
            ("aec3771a4b", "private"),
            ("d07abe941054d444a8200595040b8166e082a62d1bff", "Mon, 21 Oct 2013 20:13:21 GMT"),
            ("9d29ad171863c78f0b97c8e9ae82ae43d3", "https://www.example.com"),
            (
                "94e7821dd7f2e6c7b335dfdfcd5b3960d5af27087f3672c1ab270fb5291f9587316065c003ed4ee5b1063d5007",
                "foo=ASDJKHQKBZXOQWEOPIUAXQWEOIU; max-age=3600; version=1",
            ),
        ] {
            assert_eq!(read(coded).as_deref(), Some(text));
            assert_eq!(hex::encode(encode(text.as_bytes())), coded);
        }
    }

    #[test]
    fn every_byte_is_read_back() {
        let all: Vec<u8> = (0..=255).collect();
        let mut out = Vec::new();
        assert!(decode(&encode(&all), &mut out));
        assert_eq!(out, all);
        for byte in 0..=255_u8 {
            let mut out = Vec::new();
            assert!(decode(&encode(&[byte; 3]), &mut out));
            assert_eq!(out, [byte; 3]);
        }
    }

    #[test]
    fn what_is_no_string_is_refused() {
        // Padding that is not all ones; padding of a whole byte; the end of string spelt out; a code cut in the middle.
        for bad in ["f1e3c2e5f23a6ba0ab90f4fe", "f1e3c2e5f23a6ba0ab90f4ffff", "fffffffc", "fffffe"] {
            assert_eq!(read(bad), None, "{bad}");
        }
        assert_eq!(read("").as_deref(), Some(""));
    }
}
