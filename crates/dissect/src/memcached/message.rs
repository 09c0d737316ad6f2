//! A command and an answer, in whichever of the two protocols they were said.

use smallvec::SmallVec;
use wirewise_model::{Kind, Outcome, Track};

use crate::lineup::Tracked;

/// What parsing the front of some bytes gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parsed<T> {
    /// This, from so many bytes.
    Whole(T, usize),
    /// The bytes are a beginning of it.
    More,
    /// It cannot be that.
    Bad,
}

/// What a client puts on a command to find it on the answer.
pub(super) type Token = SmallVec<[u8; 8]>;

/// A command.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) operation: String,
    pub(super) target: String,
    pub(super) track: Track,
    pub(super) kind: Kind,
    /// How many keys it names.
    pub(super) keys: u32,
    /// It is not answered.
    pub(super) one_way: bool,
    /// It is answered only where there is something to say.
    pub(super) quiet: bool,
    pub(super) token: Token,
    /// Opcode and opaque of the binary protocol.
    pub(super) binary: Option<(u8, u32)>,
    /// Bytes of it were lost.
    pub(super) holed: bool,
}

impl Asked {
    pub(super) fn new(operation: String, track: Track) -> Self {
        Self {
            operation,
            target: String::new(),
            track,
            kind: Kind::Unary,
            keys: 1,
            one_way: false,
            quiet: false,
            token: Token::new(),
            binary: None,
            holed: false,
        }
    }

    pub(super) fn key(&mut self, key: &[u8]) {
        self.target = crate::text::printable(&key[..key.len().min(250)]);
    }
}

impl Tracked for Asked {
    fn track(&self) -> &Track {
        &self.track
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) track: Track,
    pub(super) status: String,
    pub(super) code: Option<u16>,
    pub(super) outcome: Outcome,
    pub(super) error: Option<String>,
    /// Items that it has.
    pub(super) rows: Option<u32>,
    pub(super) token: Token,
    pub(super) binary: Option<(u8, u32)>,
    pub(super) holed: bool,
}

impl Reply {
    pub(super) fn new(track: Track) -> Self {
        Self {
            track,
            status: String::new(),
            code: None,
            outcome: Outcome::Ok,
            error: None,
            rows: None,
            token: Token::new(),
            binary: None,
            holed: false,
        }
    }
}

impl Tracked for Reply {
    fn track(&self) -> &Track {
        &self.track
    }
}
