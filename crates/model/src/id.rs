//! Ids that are functions of what they name, so that making one twice makes the same.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// Crockford's base32 in lower case: sorts as its numbers do, and has no i, l, o, u to misread.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const DIGITS: usize = 26;

/// Which capture something was heard in: the digest of a file, or an agent and its epoch.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct CaptureId(pub String);

/// A text that is no id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdError;

impl fmt::Display for IdError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an id is a letter (c for calls, f for flows) and 26 digits of base32")
    }
}

impl std::error::Error for IdError {}

macro_rules! id {
    ($(#[$doc:meta])* $name:ident, $letter:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(u128);

        impl $name {
            /// The letter that the text form begins with.
            pub const LETTER: char = $letter;

            /// `at` gives the upper half, so that ids sort by time; `salt` the lower.
            pub fn new(at: Timestamp, salt: u64) -> Self {
                let upper = (at.nanos() as u64) ^ (1 << 63);
                Self((u128::from(upper) << 64) | u128::from(salt))
            }

            /// The time that it was made of.
            pub fn at(self) -> Timestamp {
                Timestamp::from_nanos((((self.0 >> 64) as u64) ^ (1 << 63)) as i64)
            }

            /// The lower half.
            pub fn salt(self) -> u64 {
                self.0 as u64
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let mut text = [0u8; DIGITS + 1];
                text[0] = u8::try_from($letter).expect("a letter of ASCII");
                let mut rest = self.0;
                for digit in text[1..].iter_mut().rev() {
                    *digit = ALPHABET[(rest & 31) as usize];
                    rest >>= 5;
                }
                f.write_str(std::str::from_utf8(&text).expect("the alphabet is ASCII"))
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let digits = text.strip_prefix($letter).ok_or(IdError)?;
                if digits.len() != DIGITS {
                    return Err(IdError);
                }
                let mut number: u128 = 0;
                for byte in digits.bytes() {
                    let value = ALPHABET.iter().position(|&known| known == byte).ok_or(IdError)?;
                    number = number.checked_mul(32).ok_or(IdError)? | value as u128;
                }
                Ok(Self(number))
            }
        }
    };
}

id!(
    /// Names a call. Made of its first byte's time and a hash of capture, flow, side and stream offset.
    CallId,
    'c'
);
id!(
    /// Names a flow. Made of its first packet's time and a hash of capture and flow key.
    FlowId,
    'f'
);

/// A 64-bit hash that is the same on every machine and in every version. Not for hostile keys in a table:
/// it has no secret. FNV-1a folded over 8-byte words, finished by a multiply-shift mix.
pub fn stable_hash(parts: &[&[u8]]) -> u64 {
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for part in parts {
        let mut words = part.chunks_exact(8);
        for word in &mut words {
            let word = u64::from_le_bytes(word.try_into().expect("chunks of eight"));
            hash = mix((hash ^ word).wrapping_mul(PRIME));
        }
        for &byte in words.remainder() {
            hash = (hash ^ u64::from(byte)).wrapping_mul(PRIME);
        }
        hash = mix(hash ^ part.len() as u64);
    }
    hash
}

fn mix(mut hash: u64) -> u64 {
    hash ^= hash >> 33;
    hash = hash.wrapping_mul(0xff51_afd7_ed55_8ccd);
    hash ^ (hash >> 29)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_read_back() {
        let early = CallId::new(Timestamp::from_nanos(-5), 9);
        let late = CallId::new(Timestamp::from_nanos(1_795_494_306_000_000_000), 1);
        assert!(early < late && early.to_string() < late.to_string());
        for id in [early, late] {
            assert_eq!(id.to_string().parse(), Ok(id));
        }
        assert_eq!(late.at().nanos(), 1_795_494_306_000_000_000);
        assert_eq!("c0".parse::<CallId>(), Err(IdError));
        assert_eq!(late.to_string().replacen('c', "f", 1).parse::<CallId>(), Err(IdError));
        assert_eq!(format!("c{}", "z".repeat(26)).parse::<CallId>(), Err(IdError));
    }

    #[test]
    fn stable_hash_keeps_its_values_and_tells_splits_apart() {
        assert_eq!(stable_hash(&[b"wirewise"]), stable_hash(&[b"wirewise"]));
        assert_ne!(stable_hash(&[b"ab", b"c"]), stable_hash(&[b"a", b"bc"]));
        assert_ne!(stable_hash(&[b""]), stable_hash(&[]));
    }
}
