//! Frames: a length, then a header (Kafka protocol guide, "Common Request and Response Structure").

use super::apis;

/// Bytes of the length.
pub(super) const PREFIX: usize = 4;
/// Key, version, correlation id: request header version 0.
const FIXED: usize = 8;
/// Bytes of the length of a client id.
const CLIENT_ID: usize = 2;
/// A client id longer than this is none.
const LONGEST_CLIENT_ID: usize = 1024;
/// No request or response is longer: ten times what brokers take (`socket.request.max.bytes`, 100 MB).
const LONGEST_FRAME: u32 = 1 << 30;
/// Keys and versions past these are no API's, new ones included.
const KEYS: std::ops::RangeInclusive<i16> = 0..=255;
const VERSIONS: std::ops::RangeInclusive<i16> = 0..=63;

/// What the front of a request's frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RequestHead<'a> {
    /// Bytes of the whole frame behind its length.
    pub(super) length: u32,
    pub(super) key: i16,
    pub(super) version: i16,
    pub(super) correlation: i32,
    pub(super) client_id: Option<&'a [u8]>,
    /// Bytes of length and header up to and with the client id.
    pub(super) size: usize,
}

impl RequestHead<'_> {
    /// Bytes of the frame behind what was read of it.
    pub(super) fn left(&self) -> u64 {
        (u64::from(self.length) + PREFIX as u64).saturating_sub(self.size as u64)
    }
}

/// What reading a head came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed<T> {
    Head(T),
    Short,
    /// It is none.
    No,
}

/// The length of a frame.
pub(super) fn length(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk::<PREFIX>().map(|four| u32::from_be_bytes(*four))
}

/// The front of a request.
pub(super) fn request(bytes: &[u8]) -> Parsed<RequestHead<'_>> {
    let Some(length) = length(bytes) else {
        let too_long = bytes.first().is_some_and(|first| u32::from(*first) << 24 > LONGEST_FRAME);
        return if too_long { Parsed::No } else { Parsed::Short };
    };
    if length > LONGEST_FRAME || (length as usize) < FIXED {
        return Parsed::No;
    }
    let Some(fixed) = bytes.get(PREFIX..).and_then(|rest| rest.first_chunk::<FIXED>()) else {
        return Parsed::Short;
    };
    let [k0, k1, v0, v1, correlation @ ..] = *fixed;
    let (key, version) = (i16::from_be_bytes([k0, k1]), i16::from_be_bytes([v0, v1]));
    let correlation = i32::from_be_bytes(correlation);
    if !KEYS.contains(&key) || !VERSIONS.contains(&version) {
        return Parsed::No;
    }
    let (client_id, size) = match client_id(bytes, length, key, version) {
        Parsed::Head(found) => found,
        Parsed::Short => return Parsed::Short,
        Parsed::No => return Parsed::No,
    };
    Parsed::Head(RequestHead { length, key, version, correlation, client_id, size })
}

/// The client id, and where it ends.
fn client_id(bytes: &[u8], length: u32, key: i16, version: i16) -> Parsed<(Option<&[u8]>, usize)> {
    let begins = PREFIX + FIXED;
    // The one API that brokers spoke before clients had names.
    if key == apis::CONTROLLED_SHUTDOWN && version == 0 {
        return Parsed::Head((None, begins));
    }
    if (length as usize) < FIXED + CLIENT_ID {
        return Parsed::No;
    }
    let Some(two) = bytes.get(begins..).and_then(|rest| rest.first_chunk::<CLIENT_ID>()) else {
        return Parsed::Short;
    };
    let begins = begins + CLIENT_ID;
    match i16::from_be_bytes(*two) {
        -1 => Parsed::Head((None, begins)),
        long => {
            let Some(long) = usize::try_from(long).ok().filter(|long| *long <= LONGEST_CLIENT_ID) else {
                return Parsed::No;
            };
            let ends = begins + long;
            if ends > PREFIX + length as usize {
                return Parsed::No;
            }
            let heard = bytes.get(begins..ends.min(bytes.len())).unwrap_or_default();
            if std::str::from_utf8(heard).is_err_and(|error| error.error_len().is_some())
                || heard.iter().any(u8::is_ascii_control)
            {
                return Parsed::No;
            }
            if heard.len() < long {
                return Parsed::Short;
            }
            Parsed::Head((Some(heard), ends))
        }
    }
}

/// The front of a response: its length and correlation id.
pub(super) fn response(bytes: &[u8]) -> Parsed<(u32, i32)> {
    match length(bytes) {
        Some(length) if length > LONGEST_FRAME || (length as usize) < CORRELATION => Parsed::No,
        Some(length) => match bytes.get(PREFIX..).and_then(|rest| rest.first_chunk::<CORRELATION>()) {
            Some(four) => Parsed::Head((length, i32::from_be_bytes(*four))),
            None => Parsed::Short,
        },
        None => Parsed::Short,
    }
}

/// Bytes of a correlation id.
pub(super) const CORRELATION: usize = 4;
