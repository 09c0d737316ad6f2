//! One body as it comes: framed, decoded, its head kept and the rest counted.

use std::io::Write;

use wirewise_model::Body;

use super::Bounds;
use super::decode::{Coding, Sink, Stage, chain};
use super::framing::{Chunked, Framing, Piece};

/// A body that is being read.
pub(super) struct BodyReader {
    pub(super) framing: Framing,
    content: Content,
    /// Bytes on the wire, chunks joined.
    wire: u64,
    ratio: u64,
    most: u64,
    /// What a body may grow to whatever its ratio: no more than is kept of any other. A few bytes that stand for
    /// a few thousand are no bomb.
    harmless: u64,
    /// Some of it will not be seen.
    holed: bool,
    /// What to note on the call.
    pub(super) note: Option<&'static str>,
}

enum Content {
    /// As it stands.
    Plain(Sink),
    /// Coded.
    Coded(Box<dyn Stage>),
    /// What was decoded before that became impossible.
    Broken(Sink),
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Done,
}

impl BodyReader {
    /// A body of that framing, to which `codings` were applied in this order.
    pub(super) fn new(framing: Framing, codings: &[Coding], bounds: &Bounds) -> Self {
        let sink = Sink { keep_most: bounds.body_kept as usize, allowed: u64::MAX, ..Sink::default() };
        let mut note = None;
        let content = if codings.is_empty() {
            Content::Plain(sink)
        } else {
            chain(codings, sink).map_or_else(
                |sink| {
                    // Often no coding at all but a character set or "none": the bytes are kept as they are.
                    note = Some("unknown_coding");
                    Content::Plain(sink)
                },
                Content::Coded,
            )
        };
        let (ratio, most) = (u64::from(bounds.decompressed_ratio), u64::from(bounds.decompressed_bytes));
        let harmless = u64::from(bounds.body_kept);
        Self { framing, content, wire: 0, ratio, most, harmless, holed: false, note }
    }

    /// Whether no byte of it was seen yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.wire == 0 && matches!(self.framing, Framing::Length(_) | Framing::Close)
    }

    /// Takes what belongs to it from the front of `bytes`.
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, Progress) {
        let mut at = 0;
        while at < bytes.len() {
            let rest = &bytes[at..];
            match &mut self.framing {
                Framing::Length(left) => {
                    let take = rest.len().min(usize::try_from(*left).unwrap_or(usize::MAX));
                    *left -= take as u64;
                    let done = *left == 0;
                    self.take(&rest[..take]);
                    at += take;
                    if done {
                        return (at, Progress::Done);
                    }
                }
                Framing::Chunked(chunked) => match chunked.next(rest) {
                    Piece::Framing(length) => at += length,
                    Piece::Data(length) => {
                        self.take(&rest[..length]);
                        at += length;
                    }
                    Piece::End(length) => return (at + length, Progress::Done),
                    Piece::Bad => {
                        self.framing = Framing::Lost;
                        self.note = self.note.or(Some("bad_chunk"));
                        self.break_off();
                    }
                },
                Framing::Close => {
                    self.take(rest);
                    at = bytes.len();
                }
                Framing::Lost => {
                    self.wire += rest.len() as u64;
                    let last = rest.ends_with(b"\r\n0\r\n\r\n") || rest == b"0\r\n\r\n";
                    return (bytes.len(), if last { Progress::Done } else { Progress::More });
                }
            }
        }
        (at, Progress::More)
    }

    /// `len` bytes of the stream were lost. Returns how many of them were beyond its end.
    pub(super) fn gap(&mut self, len: u64) -> u64 {
        self.break_off();
        match &mut self.framing {
            Framing::Length(left) => {
                let inside = len.min(*left);
                *left -= inside;
                self.wire += inside;
                len - inside
            }
            Framing::Close => {
                self.wire += len;
                0
            }
            Framing::Chunked(_) | Framing::Lost => {
                self.framing = Framing::Lost;
                0
            }
        }
    }

    /// Whether its framing says that it is over.
    pub(super) fn is_done(&self) -> bool {
        matches!(self.framing, Framing::Length(0))
    }

    /// What was kept. `None` for an empty one.
    pub(super) fn finish(mut self, whole: bool) -> Option<Body> {
        if self.wire == 0 && !self.holed {
            return None;
        }
        let sink = match &mut self.content {
            Content::Plain(sink) | Content::Broken(sink) => std::mem::take(sink),
            Content::Coded(stage) => std::mem::take(stage.sink()),
        };
        let broken = matches!(self.content, Content::Broken(_));
        let truncated = self.holed || broken || !whole || (sink.kept.len() as u64) < sink.decoded;
        Some(Body { kept: sink.kept, wire_bytes: self.wire, decoded_bytes: sink.decoded, truncated })
    }

    /// The trailer section of a chunked one.
    pub(super) fn trailers(&mut self) -> Vec<u8> {
        match &mut self.framing {
            Framing::Chunked(Chunked { trailers, .. }) => std::mem::take(trailers),
            Framing::Length(_) | Framing::Close | Framing::Lost => Vec::new(),
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        self.wire += bytes.len() as u64;
        match &mut self.content {
            Content::Plain(sink) => {
                sink.decoded += bytes.len() as u64;
                let keep = bytes.len().min(sink.keep_most.saturating_sub(sink.kept.len()));
                sink.kept.extend_from_slice(&bytes[..keep]);
            }
            Content::Coded(stage) => {
                let grown = self.wire.saturating_mul(self.ratio).max(self.harmless);
                stage.sink().allowed = self.most.min(grown);
                // Decoders hold output back until flushed.
                if stage.write_all(bytes).and_then(|()| stage.flush()).is_err() {
                    let sink = std::mem::take(stage.sink());
                    let note = if sink.over { "decompression_limit" } else { "undecodable" };
                    self.note = self.note.or(Some(note));
                    self.content = Content::Broken(sink);
                }
            }
            Content::Broken(_) => {}
        }
    }

    /// What follows does not join on to what was kept.
    fn break_off(&mut self) {
        self.holed = true;
        let sink = match &mut self.content {
            Content::Plain(sink) | Content::Broken(sink) => std::mem::take(sink),
            Content::Coded(stage) => std::mem::take(stage.sink()),
        };
        self.content = Content::Broken(sink);
    }
}
