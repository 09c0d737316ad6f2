//! Reads replies as they come: of which type, how many, which error. What they hold is counted down and never
//! looked at, but for the first words of what is published.

use smallvec::SmallVec;
use wirewise_model::Track;

use super::parse::{self, Parsed, Token};
use super::request::{Hole, Read};
use crate::lineup::Tracked;

/// Replies nested deeper are no replies: clients give up at 7 to 128.
const DEEPEST: usize = 128;
/// Bytes of a status or an error that are kept.
const LINE_KEPT: usize = 256;
/// Bytes of a channel's name that are kept.
const WORD_KEPT: u64 = 512;
/// The longest word that says what is published.
const LONGEST_WORD: u64 = 24;
/// What a subscriber is told unasked, and how subscribing is confirmed.
const PUBLISHED: &[&[u8]] = &[b"message", b"pmessage", b"smessage"];
const CONFIRMED: &[&[u8]] =
    &[b"subscribe", b"psubscribe", b"ssubscribe", b"unsubscribe", b"punsubscribe", b"sunsubscribe"];

/// The first words of a push, or of an array that may be one.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// `message`, `subscribe`, `invalidate` ...
    pub(super) word: SmallVec<[u8; 16]>,
    /// Channel or pattern.
    pub(super) first: Vec<u8>,
    /// The channel that a pattern matched.
    pub(super) second: Vec<u8>,
    /// How many subscriptions there are now.
    pub(super) number: Option<u32>,
}

impl Words {
    pub(super) fn publishes(&self) -> bool {
        PUBLISHED.contains(&&self.word[..])
    }

    pub(super) fn confirms(&self) -> bool {
        CONFIRMED.contains(&&self.word[..])
    }
}

/// A reply that was heard.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) track: Track,
    /// Its first byte; `_` for null, `$` for a string in chunks.
    pub(super) kind: u8,
    /// How many replies, or pairs, it holds.
    pub(super) count: Option<u32>,
    /// The line of a status or an error, cut.
    pub(super) line: SmallVec<[u8; 24]>,
    pub(super) words: Option<Box<Words>>,
    /// The first error inside of it, cut.
    pub(super) fault: Option<Box<[u8]>>,
    /// Bytes of it were lost.
    pub(super) holed: bool,
}

impl Tracked for Reply {
    fn track(&self) -> &Track {
        &self.track
    }
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    left: u32,
    /// How many there were.
    count: u32,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum What {
    Counted,
    /// Until its end is told.
    Streamed,
    /// Chunks of a string.
    Chunks,
    /// What says something about the reply that follows.
    Attribute,
}

/// A reply that is being read.
#[derive(Debug)]
pub(super) struct Answering {
    pub(super) reply: Reply,
    stack: SmallVec<[Frame; 4]>,
    /// Bytes of the string under way, CRLF with it, that are passed over.
    skip: u64,
    /// The string under way is not the last part of its reply's element, but a chunk.
    whole: bool,
}

impl Answering {
    pub(super) fn new(track: Track) -> Self {
        let reply = Reply {
            track,
            kind: 0,
            count: None,
            line: SmallVec::new(),
            words: None,
            fault: None,
            holed: false,
        };
        Self { reply, stack: SmallVec::new(), skip: 0, whole: false }
    }

    /// Reads on; says how many bytes are done with. Lines are not longer than `most`.
    pub(super) fn read(&mut self, bytes: &[u8], most: usize) -> (usize, Read) {
        let mut at = 0;
        loop {
            let rest = &bytes[at..];
            if self.skip > 0 {
                let used = self.skip.min(rest.len() as u64);
                self.skip -= used;
                at += used as usize;
                if self.skip > 0 {
                    return (at, Read::More { missing: 0 });
                }
                if self.whole && self.element_done() {
                    return (at, Read::Whole);
                }
                continue;
            }
            let (token, head) = match parse::token(rest, most) {
                Parsed::Whole(token, head) => (token, head),
                Parsed::More => return (at, Read::More { missing: 0 }),
                Parsed::Bad => return (at, Read::Bad),
            };
            let done = match token {
                Token::Line(kind, line) => {
                    self.line(kind, line);
                    self.element_done()
                }
                Token::Null => {
                    self.begins(b'_', None);
                    self.element_done()
                }
                Token::Bulk(kind, len) => {
                    self.begins(kind, None);
                    if let Some(shown) = self.wants(kind, len) {
                        let Some(content) = rest.get(head..head + shown) else {
                            let missing = (head as u64 + len + 2).saturating_sub(rest.len() as u64);
                            return (at, Read::More { missing });
                        };
                        self.take(kind, content);
                    }
                    (self.skip, self.whole) = (len.saturating_add(2), true);
                    false
                }
                Token::Aggregate(b'|', count) => {
                    if count > 0 && !self.push(What::Attribute, count) {
                        return (at, Read::Bad);
                    }
                    false
                }
                Token::Aggregate(kind, count) => {
                    let told = if kind == b'%' { count / 2 } else { count };
                    self.begins(kind, Some(told));
                    if count > 0 && !self.push(What::Counted, count) {
                        return (at, Read::Bad);
                    }
                    count == 0 && self.element_done()
                }
                Token::Streamed(kind) => {
                    self.begins(kind, None);
                    if !self.push(What::Streamed, 0) {
                        return (at, Read::Bad);
                    }
                    false
                }
                Token::Chunks => {
                    self.begins(b'$', None);
                    if !self.push(What::Chunks, 0) {
                        return (at, Read::Bad);
                    }
                    false
                }
                Token::Chunk(len) if self.inside() == Some(What::Chunks) => {
                    if len == 0 {
                        self.stack.pop();
                        self.element_done()
                    } else {
                        (self.skip, self.whole) = (len.saturating_add(2), false);
                        false
                    }
                }
                Token::End if self.inside() == Some(What::Streamed) => {
                    self.stack.pop();
                    self.element_done()
                }
                Token::Chunk(_) | Token::End => return (at, Read::Bad),
            };
            at += head;
            if done {
                return (at, Read::Whole);
            }
        }
    }

    /// `len` bytes are lost. The reply can be followed where they were all of one string, of which `missing` is
    /// what [`Read::More`] told last.
    pub(super) fn gap(&mut self, len: u64, missing: u64) -> Hole {
        self.reply.holed = true;
        if self.skip >= len {
            self.skip -= len;
        } else if self.skip == 0 && missing >= len {
            (self.skip, self.whole) = (missing - len, true);
        } else {
            return Hole::Lost;
        }
        if self.skip == 0 && self.whole && self.element_done() { Hole::Whole } else { Hole::Inside }
    }

    fn inside(&self) -> Option<What> {
        self.stack.last().map(|frame| frame.what)
    }

    fn push(&mut self, what: What, count: u32) -> bool {
        if self.stack.len() >= DEEPEST {
            return false;
        }
        self.stack.push(Frame { left: count, count, what });
        true
    }

    /// An element begins; the outermost makes the reply's type.
    fn begins(&mut self, kind: u8, count: Option<u32>) {
        if self.stack.is_empty() {
            self.reply.kind = kind;
            self.reply.count = count;
        }
    }

    /// An element is over. Says whether the reply is.
    fn element_done(&mut self) -> bool {
        while let Some(frame) = self.stack.last_mut() {
            if matches!(frame.what, What::Streamed | What::Chunks) {
                return false;
            }
            frame.left -= 1;
            if frame.left > 0 {
                return false;
            }
            let what = frame.what;
            self.stack.pop();
            if what == What::Attribute {
                return false;
            }
        }
        true
    }

    fn line(&mut self, kind: u8, line: &[u8]) {
        let kept = &line[..line.len().min(LINE_KEPT)];
        if self.stack.is_empty() {
            self.reply.kind = kind;
            if matches!(kind, b'+' | b'-') {
                self.reply.line.extend_from_slice(kept);
            }
            return;
        }
        if kind == b'-' && self.reply.fault.is_none() && self.inside() != Some(What::Attribute) {
            self.reply.fault = Some(kept.into());
        }
        match self.position() {
            Some(0) if kind == b'+' && self.reply.kind == b'>' => self.take(kind, kept),
            Some(1) if kind == b'+' && self.reply.words.is_some() => self.take(kind, kept),
            Some(2) if kind == b':' => {
                if let Some(words) = &mut self.reply.words {
                    words.number = std::str::from_utf8(kept).ok().and_then(|number| number.parse().ok());
                }
            }
            Some(_) | None => {}
        }
    }

    /// Which of the words of what is published comes next; `None` anywhere else.
    fn position(&self) -> Option<u32> {
        let [Frame { left, count, what: What::Counted }] = self.stack.as_slice() else { return None };
        let published = self.reply.kind == b'>' || (self.reply.kind == b'*' && (3..=4).contains(count));
        published.then(|| count - left)
    }

    /// How much of a string is looked at.
    fn wants(&self, kind: u8, len: u64) -> Option<usize> {
        if kind == b'!' && (self.stack.is_empty() || self.reply.fault.is_none()) {
            return Some(len.min(LINE_KEPT as u64) as usize);
        }
        let words = self.reply.words.as_deref();
        let pattern = |words: &Words| &words.word[..] == b"pmessage";
        let wanted = match self.position()? {
            0 => len <= LONGEST_WORD,
            1 => words.is_some(),
            2 => words.is_some_and(pattern),
            _ => false,
        };
        wanted.then_some(len.min(WORD_KEPT) as usize)
    }

    fn take(&mut self, kind: u8, content: &[u8]) {
        if kind == b'!' {
            if self.stack.is_empty() {
                self.reply.line.extend_from_slice(content);
            } else {
                self.reply.fault = Some(content.into());
            }
            return;
        }
        let position = self.position();
        match (position, &mut self.reply.words) {
            (Some(0), words) => {
                let mut word = SmallVec::from_slice(content);
                word.make_ascii_lowercase();
                let found = Words { word, ..Words::default() };
                if self.reply.kind == b'>' || found.publishes() || found.confirms() {
                    *words = Some(Box::new(found));
                }
            }
            (Some(1), Some(words)) => words.first = content.to_vec(),
            (Some(2), Some(words)) => words.second = content.to_vec(),
            (_, _) => {}
        }
    }
}
