//! Through a message as it comes, holding nothing of it: from name to name at the top of its documents, over
//! everything else. What is wanted is small and taken where it is whole; what is long is counted.

use super::parse::{Op, name, u32_at};

/// Bytes of a name, or of a value that is wanted.
const LONGEST_NAME: usize = 128;
/// Bytes of a message of an error.
const LONGEST_TEXT: usize = 1024;
/// Bytes of a list of errors that are looked at: the first is told.
const LONGEST_LIST: usize = 2048;
/// Bytes that one element's head may take before it is no message.
const LONGEST_HEAD: usize = 4096;

/// What a message told.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Facts {
    /// The first name of the body: the command. And its value, where that is a text.
    pub(super) command: Option<String>,
    pub(super) subject: Option<String>,
    pub(super) database: Option<String>,
    /// Of getMore.
    pub(super) collection: Option<String>,
    /// The server shall hold its answer.
    pub(super) waits: bool,
    pub(super) ok: Option<bool>,
    pub(super) code: Option<i64>,
    pub(super) code_name: Option<String>,
    pub(super) message: Option<Vec<u8>>,
    /// Of the first write error.
    pub(super) write_error: Option<(i64, Vec<u8>)>,
    pub(super) concern_error: Option<(i64, Vec<u8>)>,
    pub(super) affected: Option<i64>,
    /// Documents in sequences beside the body.
    pub(super) documents: u32,
    /// It says that the query failed (OP_REPLY).
    pub(super) failed: bool,
    /// The next message of the same side belongs to it too (OP_MSG).
    pub(super) more_to_come: bool,
    /// What comes is no document.
    pub(super) malformed: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Before the fields in front of all documents.
    Start,
    /// Before a section.
    Section,
    /// In a sequence of documents, of which so many bytes are left.
    Sequence(u32),
    /// Before a document.
    Document,
    /// Before an element.
    Element,
    /// The rest tells nothing.
    Done,
}

/// The way through one message.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    op: Op,
    place: Place,
    /// Bytes to pass over.
    skip: u32,
    checksum: bool,
    first: bool,
    pub(super) facts: Facts,
}

enum Step {
    Used(usize),
    More,
    Malformed,
}

impl Walk {
    pub(super) fn new(op: Op) -> Self {
        let place = if op == Op::Compressed { Place::Done } else { Place::Start };
        Self { op, place, skip: 0, checksum: false, first: true, facts: Facts::default() }
    }

    /// Bytes were lost: where the next element begins is not known.
    pub(super) fn lose(&mut self) {
        self.place = Place::Done;
        self.skip = 0;
    }

    /// Takes what it can of `bytes`, of a message of which `left` are to come. Returns how many are done with.
    pub(super) fn read(&mut self, bytes: &[u8], left: u32) -> usize {
        let bytes = &bytes[..bytes.len().min(left as usize)];
        let mut at = 0;
        loop {
            let passed = (self.skip as usize).min(bytes.len() - at);
            self.skip -= passed as u32;
            at += passed;
            let rest = &bytes[at..];
            if rest.is_empty() {
                return at;
            }
            let left = left - at as u32;
            let step = match self.place {
                Place::Start => self.start(rest, left),
                Place::Section => self.section(rest, left),
                Place::Sequence(size) => self.sequence(rest, size),
                Place::Document => self.document(rest, left),
                Place::Element => self.element(rest, left),
                Place::Done => return bytes.len(),
            };
            match step {
                Step::Used(used) => at += used,
                Step::More if rest.len() < LONGEST_HEAD && (rest.len() as u32) < left => return at,
                Step::More | Step::Malformed => {
                    self.facts.malformed = true;
                    self.lose();
                    return bytes.len();
                }
            }
        }
    }

    fn start(&mut self, rest: &[u8], left: u32) -> Step {
        let mut namespace = |behind: usize| {
            let (name, _) = name(rest.get(behind..)?)?;
            let text = String::from_utf8_lossy(&name[..name.len().min(2 * LONGEST_NAME)]).into_owned();
            let (database, collection) = text.split_once('.').unwrap_or((&text, ""));
            self.facts.database = Some(database.to_owned());
            if collection != "$cmd" {
                self.facts.collection = Some(collection.to_owned());
            }
            Some(behind + name.len() + 1)
        };
        let used = match self.op {
            Op::Msg => {
                let Some(flags) = u32_at(rest, 0) else { return Step::More };
                self.checksum = flags & 1 != 0;
                self.facts.more_to_come = flags & 2 != 0;
                self.place = Place::Section;
                return Step::Used(4);
            }
            Op::Reply => {
                let (Some(flags), Some(_)) = (u32_at(rest, 0), u32_at(rest, 16)) else { return Step::More };
                self.facts.failed = flags & 3 != 0;
                self.place = if left > 20 { Place::Document } else { Place::Done };
                return Step::Used(20);
            }
            Op::Query => namespace(4).map(|used| used + 8),
            Op::Update | Op::Insert | Op::Delete | Op::GetMore => namespace(4),
            Op::Command => {
                let Some((database, behind)) = name(rest) else { return Step::More };
                let Some((command, behind)) = name(behind) else { return Step::More };
                self.facts.database = Some(short(database));
                self.facts.command = Some(short(command));
                Some(rest.len() - behind.len())
            }
            Op::CommandReply => {
                // Metadata comes first.
                match u32_at(rest, 0) {
                    Some(length) if length < left => self.skip = length,
                    Some(_) => return Step::Malformed,
                    None => return Step::More,
                }
                self.place = Place::Document;
                return Step::Used(0);
            }
            Op::KillCursors | Op::Compressed => Some(rest.len()),
        };
        let Some(used) = used else { return Step::More };
        if used > rest.len() {
            return Step::More;
        }
        let commands = self.op == Op::Query && self.facts.collection.is_none();
        self.place = if commands || self.op == Op::Command { Place::Document } else { Place::Done };
        Step::Used(used)
    }

    fn section(&mut self, rest: &[u8], left: u32) -> Step {
        if left == 4 && self.checksum {
            self.place = Place::Done;
            return Step::Used(0);
        }
        match rest[0] {
            0 => {
                self.place = Place::Document;
                Step::Used(1)
            }
            1 => {
                let Some(size) = u32_at(rest, 1) else { return Step::More };
                let Some((name, _)) = name(&rest[5..]) else { return Step::More };
                let head = name.len() as u32 + 5;
                if size < head || size >= left {
                    return Step::Malformed;
                }
                self.place = Place::Sequence(size - head);
                Step::Used(1 + head as usize)
            }
            _ => Step::Malformed,
        }
    }

    fn sequence(&mut self, rest: &[u8], size: u32) -> Step {
        if size == 0 {
            self.place = Place::Section;
            return Step::Used(0);
        }
        let Some(length) = u32_at(rest, 0) else { return Step::More };
        if length < 5 || length > size {
            return Step::Malformed;
        }
        self.facts.documents = self.facts.documents.saturating_add(1);
        self.skip = length;
        self.place = Place::Sequence(size - length);
        Step::Used(0)
    }

    fn document(&mut self, rest: &[u8], left: u32) -> Step {
        match u32_at(rest, 0) {
            Some(length) if (5..=left).contains(&length) => {
                self.place = Place::Element;
                Step::Used(4)
            }
            Some(_) => Step::Malformed,
            None => Step::More,
        }
    }

    fn element(&mut self, rest: &[u8], left: u32) -> Step {
        let kind = rest[0];
        if kind == 0 {
            self.place = if self.op == Op::Msg { Place::Section } else { Place::Done };
            return Step::Used(1);
        }
        let Some((name, value)) = name(&rest[1..]) else { return Step::More };
        let head = rest.len() - value.len();
        let size = match size(kind, value) {
            Size::Known(size) if size <= left - head as u32 => size,
            Size::Known(_) | Size::Malformed => return Step::Malformed,
            Size::More => return Step::More,
        };
        let first = self.first;
        if first && matches!(name, b"$query" | b"query") && kind == 3 {
            // A command in the envelope of an older driver.
            return Step::Used(head + 4);
        }
        let wanted = match name {
            _ if first => 4 + LONGEST_NAME,
            b"$db" | b"collection" | b"codeName" => 4 + LONGEST_NAME,
            b"ok" | b"code" | b"n" | b"maxTimeMS" | b"maxAwaitTimeMS" => 8,
            b"errmsg" | b"$err" => 4 + LONGEST_TEXT,
            b"writeErrors" | b"writeConcernError" => LONGEST_LIST,
            _ => 0,
        };
        let wanted = wanted.min(size as usize);
        let Some(value) = value.get(..wanted) else { return Step::More };
        self.first = false;
        self.take(first, kind, name, value);
        self.skip = size - wanted as u32;
        Step::Used(head + wanted)
    }

    fn take(&mut self, first: bool, kind: u8, name: &[u8], value: &[u8]) {
        let facts = &mut self.facts;
        if first {
            facts.command = Some(short(name));
            facts.subject = text(kind, value).map(short);
        }
        match name {
            b"$db" => facts.database = text(kind, value).map(short),
            b"collection" => facts.collection = text(kind, value).map(short),
            b"maxAwaitTimeMS" => facts.waits = true,
            b"maxTimeMS" => facts.waits = facts.command.as_deref() == Some("getMore"),
            b"ok" => facts.ok = number(kind, value).map(|ok| ok != 0),
            b"code" => facts.code = number(kind, value),
            b"codeName" => facts.code_name = text(kind, value).map(short),
            b"n" => facts.affected = number(kind, value),
            b"errmsg" | b"$err" => facts.message = text(kind, value).map(<[u8]>::to_vec),
            b"writeErrors" if kind == 4 => {
                facts.write_error =
                    elements(value).find(|element| element.kind == 3).map(|first| failure(first.value));
            }
            b"writeConcernError" if kind == 3 => facts.concern_error = Some(failure(value)),
            _ => {}
        }
    }
}

fn short(name: &[u8]) -> String {
    String::from_utf8_lossy(&name[..name.len().min(LONGEST_NAME)]).into_owned()
}

enum Size {
    Known(u32),
    More,
    Malformed,
}

/// Bytes of an element's value (<https://bsonspec.org/spec.html>).
fn size(kind: u8, value: &[u8]) -> Size {
    let behind = |more: u32| match u32_at(value, 0) {
        Some(length) if length <= i32::MAX as u32 - more => Size::Known(length + more),
        Some(_) => Size::Malformed,
        None => Size::More,
    };
    match kind {
        0x01 | 0x09 | 0x11 | 0x12 => Size::Known(8),
        0x02 | 0x0d | 0x0e => behind(4),
        0x03 | 0x04 | 0x0f => match behind(0) {
            Size::Known(..5) => Size::Malformed,
            size => size,
        },
        0x05 => behind(5),
        0x06 | 0x0a | 0x7f | 0xff => Size::Known(0),
        0x07 => Size::Known(12),
        0x08 => Size::Known(1),
        0x0b => {
            let ends = name(value).and_then(|(_, options)| name(options));
            ends.map_or(Size::More, |(_, rest)| Size::Known((value.len() - rest.len()) as u32))
        }
        0x0c => behind(16),
        0x10 => Size::Known(4),
        0x13 => Size::Known(16),
        _ => Size::Malformed,
    }
}

/// The text that a value is, as far as it is there.
fn text(kind: u8, value: &[u8]) -> Option<&[u8]> {
    if !matches!(kind, 0x02 | 0x0e) {
        return None;
    }
    let text = value.get(4..)?;
    Some(text.strip_suffix(&[0]).unwrap_or(text))
}

/// The whole number that a value is.
fn number(kind: u8, value: &[u8]) -> Option<i64> {
    match kind {
        0x01 => value.first_chunk().map(|bytes| f64::from_le_bytes(*bytes) as i64),
        0x08 => value.first().map(|byte| i64::from(*byte)),
        0x10 => value.first_chunk().map(|bytes| i64::from(i32::from_le_bytes(*bytes))),
        0x12 => value.first_chunk().map(|bytes| i64::from_le_bytes(*bytes)),
        _ => None,
    }
}

struct Element<'a> {
    kind: u8,
    name: &'a [u8],
    value: &'a [u8],
}

/// Elements of a document that is held, or of its beginning.
fn elements(document: &[u8]) -> impl Iterator<Item = Element<'_>> {
    let mut rest = document.get(4..).unwrap_or_default();
    std::iter::from_fn(move || {
        let (&kind, behind) = rest.split_first()?;
        if kind == 0 {
            return None;
        }
        let (name, value) = name(behind)?;
        let Size::Known(size) = size(kind, value) else { return None };
        let held = value.len().min(size as usize);
        rest = &value[held..];
        Some(Element { kind, name, value: &value[..held] })
    })
}

/// Number and message of an error.
fn failure(document: &[u8]) -> (i64, Vec<u8>) {
    let (mut code, mut message) = (0, Vec::new());
    for element in elements(document) {
        match element.name {
            b"code" => code = number(element.kind, element.value).unwrap_or(0),
            b"errmsg" => {
                message = text(element.kind, element.value).map(<[u8]>::to_vec).unwrap_or_default();
            }
            _ => {}
        }
    }
    (code, message)
}
