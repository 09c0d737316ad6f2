//! BER as LDAP uses it (RFC 4511, 5.1: definite lengths alone), and a message's envelope.
//!
//! Nothing here recurses. What a message claims beyond the bytes that are there is cut.

use crate::framed::Measure;

/// More than any directory takes: Active Directory refuses above 10 MB, OpenLDAP above 4 MB.
const LONGEST: u64 = 256 << 20;

const SEQUENCE: u8 = 0x30;
pub(super) const BOOLEAN: u8 = 0x01;
pub(super) const INTEGER: u8 = 0x02;
pub(super) const TEXT: u8 = 0x04;
pub(super) const ENUMERATED: u8 = 0x0a;

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub(super) tag: u8,
    /// Its content, as far as it is there.
    pub(super) value: &'a [u8],
}

impl<'a> Element<'a> {
    pub(super) fn parts(self) -> Elements<'a> {
        Elements(self.value)
    }

    pub(super) fn number(self) -> Option<i64> {
        number(self.value)
    }
}

/// The elements of a content, front to back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Elements<'a>(&'a [u8]);

impl<'a> Elements<'a> {
    /// The next one, if it has this tag.
    pub(super) fn part(&mut self, tag: u8) -> Option<Element<'a>> {
        let mut ahead = *self;
        let element = ahead.next()?;
        if element.tag != tag {
            return None;
        }
        *self = ahead;
        Some(element)
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Element<'a>;

    fn next(&mut self) -> Option<Element<'a>> {
        let (&tag, rest) = self.0.split_first()?;
        let Length::Known { length, octets } = length(rest) else {
            self.0 = &[];
            return None;
        };
        let content = rest.get(octets..).unwrap_or_default();
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(content.len());
        let (value, rest) = content.split_at_checked(length)?;
        self.0 = rest;
        Some(Element { tag, value })
    }
}

enum Length {
    Known { length: u64, octets: usize },
    More,
    Bad,
}

/// X.690, 8.1.3, without the indefinite form.
fn length(bytes: &[u8]) -> Length {
    let Some((&first, rest)) = bytes.split_first() else { return Length::More };
    if first < 0x80 {
        return Length::Known { length: u64::from(first), octets: 1 };
    }
    let count = usize::from(first & 0x7f);
    if count == 0 || count > 8 {
        return Length::Bad;
    }
    match rest.get(..count) {
        Some(octets) => {
            let length = octets.iter().fold(0, |length, &octet| length << 8 | u64::from(octet));
            Length::Known { length, octets: 1 + count }
        }
        None => Length::More,
    }
}

/// A whole number of up to eight octets.
pub(super) fn number(octets: &[u8]) -> Option<i64> {
    let &first = octets.first()?;
    let sign = if first >= 0x80 { -1 } else { 0 };
    (octets.len() <= 8).then(|| octets.iter().fold(sign, |number, &octet| number << 8 | i64::from(octet)))
}

/// What a message says, by its tag.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    Bind,
    Unbind,
    Search,
    Modify,
    Add,
    Delete,
    ModifyDn,
    Compare,
    Abandon,
    Extended,
}

impl Op {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Bind => "bind",
            Self::Unbind => "unbind",
            Self::Search => "search",
            Self::Modify => "modify",
            Self::Add => "add",
            Self::Delete => "delete",
            Self::ModifyDn => "modifyDN",
            Self::Compare => "compare",
            Self::Abandon => "abandon",
            Self::Extended => "extended",
        }
    }
}

/// Who says it, and to what end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// A client asks.
    Ask(Op),
    /// A server's last word.
    Result(Op),
    /// An entry that was found.
    Entry,
    /// Where more may be found.
    Reference,
    /// Something in between.
    Intermediate,
}

impl Role {
    fn of(tag: u8) -> Option<Self> {
        let role = match tag {
            0x60 => Self::Ask(Op::Bind),
            0x61 => Self::Result(Op::Bind),
            0x42 => Self::Ask(Op::Unbind),
            0x63 => Self::Ask(Op::Search),
            0x64 => Self::Entry,
            0x65 => Self::Result(Op::Search),
            0x66 => Self::Ask(Op::Modify),
            0x67 => Self::Result(Op::Modify),
            0x68 => Self::Ask(Op::Add),
            0x69 => Self::Result(Op::Add),
            0x4a => Self::Ask(Op::Delete),
            0x6b => Self::Result(Op::Delete),
            0x6c => Self::Ask(Op::ModifyDn),
            0x6d => Self::Result(Op::ModifyDn),
            0x6e => Self::Ask(Op::Compare),
            0x6f => Self::Result(Op::Compare),
            0x50 => Self::Ask(Op::Abandon),
            0x73 => Self::Reference,
            0x77 => Self::Ask(Op::Extended),
            0x78 => Self::Result(Op::Extended),
            0x79 => Self::Intermediate,
            _ => return None,
        };
        Some(role)
    }

    pub(super) const fn is_ask(self) -> bool {
        matches!(self, Self::Ask(_))
    }
}

/// A message.
#[derive(Clone, Copy, Debug)]
pub(super) struct Message<'a> {
    pub(super) id: i64,
    pub(super) role: Role,
    /// What the operation holds: for most a sequence's parts, for the others one value.
    pub(super) value: &'a [u8],
    pub(super) controls: Option<Elements<'a>>,
}

impl<'a> Message<'a> {
    pub(super) fn parts(&self) -> Elements<'a> {
        Elements(self.value)
    }

    /// Reads a message, or the beginning of one.
    pub(super) fn parse(bytes: &'a [u8]) -> Option<Self> {
        let mut parts = Elements(bytes).part(SEQUENCE)?.parts();
        let id = parts.part(INTEGER)?.number().filter(|id| *id >= 0)?;
        let operation = parts.next()?;
        let controls = parts.part(0xa0).map(Element::parts);
        Some(Self { id, role: Role::of(operation.tag)?, value: operation.value, controls })
    }
}

/// How long the message is that begins here, and who says it.
pub(super) fn front(bytes: &[u8]) -> (Measure, Option<Role>) {
    match envelope(bytes) {
        Ok((length, role)) => (Measure::Whole(length), Some(role)),
        Err(measure) => (measure, None),
    }
}

fn envelope(bytes: &[u8]) -> Result<(u64, Role), Measure> {
    let known = |length| match length {
        Length::Known { length, octets } => Ok((length, octets)),
        Length::More => Err(Measure::More),
        Length::Bad => Err(Measure::Bad),
    };
    let (&tag, rest) = bytes.split_first().ok_or(Measure::More)?;
    if tag != SEQUENCE {
        return Err(Measure::Bad);
    }
    let (length, octets) = known(length(rest))?;
    let rest = rest.get(octets..).unwrap_or_default();
    let [tag, id_length] = *rest.first_chunk().ok_or_else(|| match rest.first() {
        Some(&tag) if tag != INTEGER => Measure::Bad,
        _ => Measure::More,
    })?;
    // The largest message id has four octets (RFC 4511, 4.1.1); some write a fifth in front.
    if tag != INTEGER || !(1..=5).contains(&id_length) || !(5..=LONGEST).contains(&length) {
        return Err(Measure::Bad);
    }
    let id_length = usize::from(id_length);
    let after = rest.get(2 + id_length..).ok_or(Measure::More)?;
    let (&tag, operation) = after.split_first().ok_or(Measure::More)?;
    let role = Role::of(tag).ok_or(Measure::Bad)?;
    let (inner, inner_octets) = known(self::length(operation))?;
    let before = (2 + id_length + 1 + inner_octets) as u64;
    if before.checked_add(inner).is_none_or(|total| total > length) {
        return Err(Measure::Bad);
    }
    Ok((1 + octets as u64 + length, role))
}

/// Bytes of a wrap token's header (RFC 4121, 4.2.6.2), and of a signature of NTLM (MS-NLMP, 2.2.2.9).
const TOKEN: usize = 16;

/// A message, or what a SASL layer put around some (RFC 4422, 3.7): four bytes of length, then a token of GSS-API (RFC
/// 4121, 4.2.6: 05 04; RFC 2743, 3.1: 60) or of NTLM (a signature's version 1). Of one that signs and does not seal only
/// what stands before the messages is measured, so that they are read as any others.
pub(super) fn measure(bytes: &[u8]) -> Measure {
    if bytes.first() != Some(&0) {
        return front(bytes).0;
    }
    let Some((&[a, b, c, d], token)) = bytes.split_first_chunk() else { return Measure::More };
    let length = u64::from(u32::from_be_bytes([a, b, c, d]));
    if !(TOKEN as u64..=LONGEST).contains(&length) {
        return Measure::Bad;
    }
    let whole = Measure::Whole(4 + length);
    match *token {
        [] | [_] => Measure::More,
        [0x60, ..] => whole,
        [5, 4, ref rest @ ..] => match *rest {
            [flags, _, extra_high, extra_low, rotated_high, rotated_low, ..] if flags & 2 == 0 => {
                let extra = u16::from_be_bytes([extra_high, extra_low]);
                // Windows turns the checksum to the front; where it was not, it stands behind.
                let in_front = u16::from_be_bytes([rotated_high, rotated_low]) == extra;
                let before = TOKEN as u64 + if in_front { u64::from(extra) } else { 0 };
                if before <= length { Measure::Whole(4 + before) } else { Measure::Bad }
            }
            [_, _, _, _, _, _, ..] => whole,
            _ => Measure::More,
        },
        [1, 0, ..] => match token.get(TOKEN..) {
            None => Measure::More,
            Some(inside) => match front(inside).0 {
                Measure::Whole(_) => Measure::Whole(4 + TOKEN as u64),
                Measure::More if inside.len() < 16 && length > inside.len() as u64 + TOKEN as u64 => {
                    Measure::More
                }
                Measure::More | Measure::Bad => whole,
            },
        },
        _ => Measure::Bad,
    }
}

/// Whether a SASL layer says this, and no message.
pub(super) fn is_wrapped(head: &[u8]) -> bool {
    head.first() == Some(&0)
}
