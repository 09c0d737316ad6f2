//! The shape of a message of which no descriptor is known: its field numbers, their wire types and lengths, and
//! never a value.
//!
//! A decoder that is given descriptors has its door here: it would replace [`of`], and its values would have to be
//! scrubbed before any of them is kept.

use std::fmt::Write;

/// Fields of a message that are told.
const MOST_FIELDS: usize = 16;

/// The fields of a message: `1:len 5, 2:varint`. `None` where it does not read as one.
pub(super) fn of(message: &[u8]) -> Option<String> {
    let mut told = String::new();
    let mut rest = message;
    let mut fields = 0;
    while !rest.is_empty() {
        let tag = varint(&mut rest)?;
        let number = tag >> 3;
        if number == 0 || number > 0x1fff_ffff {
            return None;
        }
        let (kind, length) = match tag & 7 {
            0 => {
                varint(&mut rest)?;
                ("varint", None)
            }
            1 => {
                rest = rest.get(8..)?;
                ("fixed64", None)
            }
            2 => {
                let length = varint(&mut rest)?;
                rest = rest.get(usize::try_from(length).ok()?..)?;
                ("len", Some(length))
            }
            5 => {
                rest = rest.get(4..)?;
                ("fixed32", None)
            }
            _ => return None,
        };
        fields += 1;
        if fields > MOST_FIELDS {
            continue;
        }
        let comma = if told.is_empty() { "" } else { ", " };
        // Writing to a string cannot fail.
        let _ = write!(told, "{comma}{number}:{kind}");
        if let Some(length) = length {
            let _ = write!(told, " {length}");
        }
    }
    if fields > MOST_FIELDS {
        let _ = write!(told, ", {} more", fields - MOST_FIELDS);
    }
    Some(told)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for nth in 0..10 {
        let (&byte, tail) = rest.split_first()?;
        *rest = tail;
        number |= u64::from(byte & 0x7f) << (7 * nth);
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
