//! The properties of a message (AMQP 0-9-1, 4.2.6.1): those that name it and its kind.
//!
//! Of the table of headers only a W3C trace context is read, and only in its exact form; everything else in
//! it may be anything, and is stepped over.

use super::parse::Cursor;

/// What a content header says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Properties<'a> {
    pub(super) content_type: Option<&'a [u8]>,
    pub(super) delivery_mode: Option<u8>,
    pub(super) correlation_id: Option<&'a [u8]>,
    pub(super) reply_to: Option<&'a [u8]>,
    pub(super) message_id: Option<&'a [u8]>,
    pub(super) kind: Option<&'a [u8]>,
    pub(super) app_id: Option<&'a [u8]>,
    /// `traceparent`, as it was sent.
    pub(super) trace: Option<&'a [u8]>,
}

/// Bytes of class, weight and body size.
const FIXED: usize = 12;
/// Bytes of a `traceparent` of version 00.
const TRACE: usize = 55;
/// Entries of a header table that are looked at.
const MOST_ENTRIES: usize = 128;

/// The length of the body, which stands before the properties.
pub(super) fn body_size(payload: &[u8]) -> Option<u64> {
    let mut cursor = Cursor(payload);
    cursor.take(FIXED - 8)?;
    cursor.u64()
}

/// The properties, as far as they can be read.
pub(super) fn properties(payload: &[u8]) -> Properties<'_> {
    let mut found = Properties::default();
    // What was read before the end came stays.
    let _cut = read(payload, &mut found);
    found
}

fn read<'a>(payload: &'a [u8], found: &mut Properties<'a>) -> Option<()> {
    let mut cursor = Cursor(payload);
    cursor.take(FIXED)?;
    let flags = cursor.u16()?;
    // The lowest bit says that more flags follow; none are defined.
    let mut more = flags;
    while more & 1 == 1 {
        more = cursor.u16()?;
    }
    let has = |bit: u32| flags >> bit & 1 == 1;
    if has(15) {
        found.content_type = Some(cursor.short()?);
    }
    if has(14) {
        cursor.short()?;
    }
    if has(13) {
        found.trace = traceparent(cursor.long()?);
    }
    if has(12) {
        found.delivery_mode = Some(cursor.u8()?);
    }
    if has(11) {
        cursor.u8()?;
    }
    if has(10) {
        found.correlation_id = Some(cursor.short()?);
    }
    if has(9) {
        found.reply_to = Some(cursor.short()?);
    }
    if has(8) {
        cursor.short()?;
    }
    if has(7) {
        found.message_id = Some(cursor.short()?);
    }
    if has(6) {
        cursor.u64()?;
    }
    if has(5) {
        found.kind = Some(cursor.short()?);
    }
    if has(4) {
        // The user id: a login name.
        cursor.short()?;
    }
    if has(3) {
        found.app_id = Some(cursor.short()?);
    }
    Some(())
}

/// The value of `traceparent` in a table, where it has the form of one.
fn traceparent(table: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor(table);
    for _ in 0..MOST_ENTRIES {
        let name = cursor.short()?;
        let value = value(&mut cursor)?;
        if name.eq_ignore_ascii_case(b"traceparent") {
            return (value.len() == TRACE).then_some(value);
        }
    }
    None
}

/// Steps over one value of a table, as RabbitMQ and the specification's errata write them; a string's bytes.
fn value<'a>(cursor: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let fixed = match cursor.u8()? {
        b'S' | b'x' => return cursor.long(),
        b'A' | b'F' => {
            cursor.long()?;
            return Some(&[]);
        }
        b't' | b'b' | b'B' => 1,
        b's' | b'u' => 2,
        b'I' | b'i' | b'f' => 4,
        b'D' => 5,
        b'l' | b'L' | b'd' | b'T' => 8,
        b'V' => 0,
        _ => return None,
    };
    cursor.take(fixed)?;
    Some(&[])
}

/// Trace id and span id of a `traceparent` (W3C Trace Context, 3.2.2).
pub(super) fn trace(value: &[u8]) -> Option<(String, String)> {
    let text = std::str::from_utf8(value).ok()?;
    let mut parts = text.split('-');
    let (_, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_id = |id: &str, length: usize| {
        id.len() == length
            && id.bytes().all(|byte| byte.is_ascii_hexdigit())
            && id.bytes().any(|byte| byte != b'0')
    };
    (is_id(trace, 32) && is_id(span, 16)).then(|| (trace.to_ascii_lowercase(), span.to_ascii_lowercase()))
}
