//! A header block to a start line and fields: pure and bounded by the block that it is given.
//!
//! `httparse` reads what is well formed. What it refuses (folded lines, spaces before colons, NULs, nonsense
//! lines, `http/1.1`) is read line by line, as the ends of the connection may have done, and noted.

use std::mem::MaybeUninit;

use memchr::memchr;
use smallvec::SmallVec;

use super::probe::minor_version;
use crate::text::lossy;

/// Fields that `httparse` is given room for; a longer block is read line by line.
const COMMON_FIELDS: usize = 48;

/// One header block.
pub(super) struct Head<'a> {
    pub(super) line: Line<'a>,
    pub(super) fields: SmallVec<[(&'a [u8], &'a [u8]); 16]>,
    /// It was not as RFC 9112 says, and was read all the same.
    pub(super) malformed: bool,
}

/// A start line.
#[derive(Clone, Copy)]
pub(super) enum Line<'a> {
    Request { method: &'a [u8], target: &'a [u8], minor: u8 },
    Response { code: u16, reason: &'a [u8], minor: u8 },
}

/// Where the header block that `bytes` begin with ends, past its empty line. `from` bytes were scanned before.
pub(super) fn find_end(bytes: &[u8], from: usize) -> Option<usize> {
    // The empty line may be split anywhere: its first LF is at most two bytes back.
    let mut at = from.saturating_sub(2);
    while let Some(found) = memchr(b'\n', bytes.get(at..)?) {
        at += found + 1;
        match bytes[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
    None
}

/// Reads a whole block of a request.
pub(super) fn request(block: &[u8]) -> Option<Head<'_>> {
    let mut room = [MaybeUninit::<httparse::Header<'_>>::uninit(); COMMON_FIELDS];
    let mut request = httparse::Request::new(&mut []);
    let parsed = request.parse_with_uninit_headers(block, &mut room);
    match (parsed, request.method, request.path, request.version) {
        (Ok(httparse::Status::Complete(used)), Some(method), Some(target), Some(minor))
            if used == block.len() =>
        {
            let line = Line::Request { method: method.as_bytes(), target: target.as_bytes(), minor };
            Some(Head { line, fields: fields(request.headers), malformed: false })
        }
        _ => leniently(block, |line| {
            let line = trim(line);
            let (first, last) = (memchr(b' ', line)?, memchr::memrchr(b' ', line)?);
            let minor = minor_version(&line[last + 1..])?;
            let target = trim(line.get(first + 1..last).unwrap_or_default());
            Some(Line::Request { method: &line[..first], target, minor })
        }),
    }
}

/// Reads a whole block of a response.
pub(super) fn response(block: &[u8]) -> Option<Head<'_>> {
    let mut room = [MaybeUninit::<httparse::Header<'_>>::uninit(); COMMON_FIELDS];
    let mut response = httparse::Response::new(&mut []);
    let parsed =
        httparse::ParserConfig::default().parse_response_with_uninit_headers(&mut response, block, &mut room);
    match (parsed, response.code, response.version) {
        (Ok(httparse::Status::Complete(used)), Some(code), Some(minor)) if used == block.len() => {
            let reason = response.reason.unwrap_or_default().as_bytes();
            Some(Head {
                line: Line::Response { code, reason, minor },
                fields: fields(response.headers),
                malformed: false,
            })
        }
        _ => leniently(block, |line| {
            let (version, rest) = line.split_at_checked(8)?;
            let minor = minor_version(version)?;
            let rest = trim(rest);
            let (code, reason) = rest.split_at_checked(3)?;
            let code = std::str::from_utf8(code).ok()?.parse().ok()?;
            Some(Line::Response { code, reason: trim(reason), minor })
        }),
    }
}

/// Fields of a chunked body's trailer section, which has no start line.
pub(super) fn trailers(block: &[u8]) -> SmallVec<[(&[u8], &[u8]); 16]> {
    let mut malformed = false;
    read_fields(block, &mut malformed)
}

/// RFC 9112, 5.1: optional whitespace is spaces and tabs, nothing else that may look like it.
fn trim(bytes: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r');
    let from = bytes.iter().position(|byte| !blank(byte)).unwrap_or(bytes.len());
    let to = bytes.iter().rposition(|byte| !blank(byte)).map_or(from, |last| last + 1);
    &bytes[from..to]
}

fn fields<'a>(headers: &[httparse::Header<'a>]) -> SmallVec<[(&'a [u8], &'a [u8]); 16]> {
    headers.iter().map(|header| (header.name.as_bytes(), header.value)).collect()
}

fn leniently<'a>(block: &'a [u8], start: impl FnOnce(&'a [u8]) -> Option<Line<'a>>) -> Option<Head<'a>> {
    let end = memchr(b'\n', block)?;
    let line = start(&block[..end])?;
    let mut malformed = true;
    let fields = read_fields(&block[end + 1..], &mut malformed);
    Some(Head { line, fields, malformed })
}

fn read_fields<'a>(block: &'a [u8], malformed: &mut bool) -> SmallVec<[(&'a [u8], &'a [u8]); 16]> {
    let mut fields: SmallVec<[(&'a [u8], &'a [u8]); 16]> = SmallVec::new();
    // Where the value of the last field begins: RFC 9112, 5.2, a line that begins with a blank goes on with it.
    let mut value_at = 0;
    let mut at = 0;
    while at < block.len() {
        let end = memchr(b'\n', &block[at..]).map_or(block.len(), |found| at + found);
        let line = &block[at..end];
        if matches!(line.first(), Some(b' ' | b'\t')) {
            if let Some((_, value)) = fields.last_mut() {
                *value = trim(&block[value_at..end]);
            }
        } else if let Some(colon) = memchr(b':', line) {
            value_at = at + colon + 1;
            // A blank before the colon is forbidden, and was often meant well; a CR or form feed was not.
            let name = &line[..colon];
            let name = &name
                [..name.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1)];
            if name.is_empty() {
                *malformed = true;
            } else {
                fields.push((name, trim(&block[value_at..end])));
            }
        }
        at = end + 1;
    }
    fields
}

/// A field's value as text: folds become one space, what is no UTF-8 is replaced.
pub(super) fn text(value: &[u8]) -> String {
    let text = lossy(value);
    if memchr(b'\n', value).is_some() {
        return text.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
    }
    text
}
