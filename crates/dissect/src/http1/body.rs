//! One body as it comes: framed, its content handed on.

use wirewise_model::Body;

use super::framing::{Chunked, Framing, Piece};
use crate::http::{BodyBounds, Coding, Content};

/// A body that is being read.
pub(super) struct BodyReader {
    pub(super) framing: Framing,
    content: Content,
}

/// How far a body has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Progress {
    More,
    Done,
}

impl BodyReader {
    /// A body of that framing, to which `codings` were applied in this order.
    pub(super) fn new(framing: Framing, codings: &[Coding], bounds: BodyBounds) -> Self {
        Self { framing, content: Content::new(codings, bounds) }
    }

    /// What to note on the call.
    pub(super) fn note(&self) -> Option<&'static str> {
        self.content.note
    }

    /// Whether no byte of it was seen yet.
    pub(super) fn is_untouched(&self) -> bool {
        self.content.wire() == 0 && matches!(self.framing, Framing::Length(_) | Framing::Close)
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
                    self.content.take(&rest[..take]);
                    at += take;
                    if done {
                        return (at, Progress::Done);
                    }
                }
                Framing::Chunked(chunked) => match chunked.next(rest) {
                    Piece::Framing(length) => at += length,
                    Piece::Data(length) => {
                        self.content.take(&rest[..length]);
                        at += length;
                    }
                    Piece::End(length) => return (at + length, Progress::Done),
                    Piece::Bad => {
                        self.framing = Framing::Lost;
                        self.content.note = self.content.note.or(Some("bad_chunk"));
                        self.content.break_off();
                    }
                },
                Framing::Close => {
                    self.content.take(rest);
                    at = bytes.len();
                }
                Framing::Lost => {
                    self.content.count(rest.len() as u64);
                    let last = rest.ends_with(b"\r\n0\r\n\r\n") || rest == b"0\r\n\r\n";
                    return (bytes.len(), if last { Progress::Done } else { Progress::More });
                }
            }
        }
        (at, Progress::More)
    }

    /// `len` bytes of the stream were lost. Returns how many of them were beyond its end.
    pub(super) fn gap(&mut self, len: u64) -> u64 {
        self.content.break_off();
        match &mut self.framing {
            Framing::Length(left) => {
                let inside = len.min(*left);
                *left -= inside;
                self.content.count(inside);
                len - inside
            }
            Framing::Close => {
                self.content.count(len);
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
    pub(super) fn finish(self, whole: bool) -> Option<Body> {
        self.content.finish(whole)
    }

    /// The trailer section of a chunked one.
    pub(super) fn trailers(&mut self) -> Vec<u8> {
        match &mut self.framing {
            Framing::Chunked(Chunked { trailers, .. }) => std::mem::take(trailers),
            Framing::Length(_) | Framing::Close | Framing::Lost => Vec::new(),
        }
    }
}
