//! A message of Diameter (RFC 6733, 3 and 4): twenty bytes of header, then AVPs.

use crate::framed::Measure;

const HEADER: usize = 20;
const AVP_HEADER: usize = 8;
const REQUEST: u8 = 0x80;
const AGAIN: u8 = 0x10;
const VENDOR: u8 = 0x80;

/// A message, or its beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) command: u32,
    pub(super) application: u32,
    pub(super) hop_by_hop: u32,
    pub(super) end_to_end: u32,
    flags: u8,
    avps: &'a [u8],
}

impl<'a> Message<'a> {
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_first_chunk::<HEADER>()?;
        let [_version, l1, l2, l3, flags, c1, c2, c3, a1, a2, a3, a4, h1, h2, h3, h4, e1, e2, e3, e4] = *head;
        let length = u32::from_be_bytes([0, l1, l2, l3]) as usize;
        Some(Self {
            command: u32::from_be_bytes([0, c1, c2, c3]),
            application: u32::from_be_bytes([a1, a2, a3, a4]),
            hop_by_hop: u32::from_be_bytes([h1, h2, h3, h4]),
            end_to_end: u32::from_be_bytes([e1, e2, e3, e4]),
            flags,
            avps: rest.get(..length.checked_sub(HEADER)?).unwrap_or(rest),
        })
    }

    pub(super) const fn is_request(&self) -> bool {
        self.flags & REQUEST != 0
    }

    /// Sent again after a failover, so that the server may know it already.
    pub(super) const fn may_be_again(&self) -> bool {
        self.flags & AGAIN != 0
    }

    pub(super) fn avps(&self) -> Avps<'a> {
        Avps(self.avps)
    }
}

/// An attribute with its value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avp<'a> {
    pub(super) code: u32,
    /// 0 for the standard's own.
    pub(super) vendor: u32,
    pub(super) value: &'a [u8],
}

impl<'a> Avp<'a> {
    /// The AVPs inside of a grouped one.
    pub(super) fn parts(&self) -> Avps<'a> {
        Avps(self.value)
    }

    pub(super) fn number(&self) -> Option<u32> {
        <[u8; 4]>::try_from(self.value).ok().map(u32::from_be_bytes)
    }
}

/// AVPs, until one does not fit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Avps<'a>(&'a [u8]);

impl<'a> Iterator for Avps<'a> {
    type Item = Avp<'a>;

    fn next(&mut self) -> Option<Avp<'a>> {
        let (&[c1, c2, c3, c4, flags, l1, l2, l3], rest) = self.0.split_first_chunk::<AVP_HEADER>()?;
        let length = u32::from_be_bytes([0, l1, l2, l3]) as usize;
        let (value, after) = rest.split_at_checked(length.checked_sub(AVP_HEADER)?)?;
        // Each is filled up to a multiple of four; the last one may be without.
        self.0 = after.get((4 - length % 4) % 4..).unwrap_or_default();
        let code = u32::from_be_bytes([c1, c2, c3, c4]);
        if flags & VENDOR == 0 {
            return Some(Avp { code, vendor: 0, value });
        }
        let (vendor, value) = value.split_first_chunk()?;
        Some(Avp { code, vendor: u32::from_be_bytes(*vendor), value })
    }
}

/// How long the message is that begins here, and whether it asks.
pub(super) fn front(bytes: &[u8]) -> (Measure, Option<bool>) {
    let bad = (Measure::Bad, None);
    let more = (Measure::More, None);
    match bytes.first() {
        None => return more,
        Some(1) => {}
        Some(_) => return bad,
    }
    let Some(&[_, l1, l2, l3, flags]) = bytes.first_chunk() else { return more };
    let length = u32::from_be_bytes([0, l1, l2, l3]) as usize;
    // A message has an AVP at least, and a multiple of four bytes. Half of the flags are reserved, and no request is an
    // error.
    let fits = length >= HEADER + AVP_HEADER && length.is_multiple_of(4);
    if !fits || flags & 0x0f != 0 || flags & 0xa0 == 0xa0 {
        return bad;
    }
    let Some((&[c1, c2, c3, c4, avp_flags, l1, l2, l3], _)) =
        bytes.get(HEADER..).and_then(|rest| rest.split_first_chunk::<AVP_HEADER>())
    else {
        return more;
    };
    let avp = u32::from_be_bytes([0, l1, l2, l3]) as usize;
    let known = u32::from_be_bytes([c1, c2, c3, c4]) != 0 && avp_flags & 0x1f == 0;
    if !known || !(AVP_HEADER..=length - HEADER).contains(&avp) {
        return bad;
    }
    (Measure::Whole(length as u64), Some(flags & REQUEST != 0))
}

pub(super) fn measure(bytes: &[u8]) -> Measure {
    front(bytes).0
}
