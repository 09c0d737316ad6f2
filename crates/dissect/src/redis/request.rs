//! Reads commands as they come: what is asked of which key. Values are counted down and never looked at.

use smallvec::SmallVec;
use wirewise_model::Track;

use super::commands::{self, Command, Habit, Keys, LONGEST_NAME};
use super::parse::{self, Parsed};
use crate::lineup::Tracked;
use crate::text::printable as text;

/// Bytes of a key that are kept; a longer one is cut, noted `target_cut`.
const KEY_KEPT: usize = 512;
/// More words of an inline command are not taken apart: keys stand before.
const INLINE_WORDS: usize = 16;
/// A command with more arguments is none: Redis takes 1,048,576, modules may ask for more.
const MOST_ARGUMENTS: i64 = 1 << 24;
/// The longest argument: `proto-max-bulk-len` is 512 MiB unless somebody set it higher.
const LONGEST_ARGUMENT: i64 = 1 << 40;

/// What the client tells the server about answering.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answers {
    On,
    Off,
    Skip,
}

/// An argument that says what becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    None,
    /// SELECT: the number of the database.
    Database(u32),
    /// CLIENT REPLY.
    Answers(Answers),
    /// REPLCONF ACK, which is not answered.
    Acknowledges,
}

/// A command that was heard.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) operation: String,
    pub(super) target: String,
    pub(super) track: Track,
    pub(super) command: Option<&'static Command>,
    pub(super) detail: Detail,
    /// The server may hold it.
    pub(super) blocks: bool,
    /// Bytes of it were lost.
    pub(super) holed: bool,
    /// Its key was longer than is kept.
    pub(super) cut: bool,
    /// Arguments besides the command.
    pub(super) arguments: u32,
    /// Confirmations of channels so far, and where they came.
    pub(super) confirmed: u32,
    pub(super) confirmations: Option<Box<Track>>,
}

impl Tracked for Asked {
    fn track(&self) -> &Track {
        &self.track
    }
}

impl Asked {
    pub(super) fn habit(&self) -> Habit {
        self.command.map_or(Habit::Plain, |command| command.habit)
    }
}

/// What is looked for next.
#[derive(Clone, Copy, Debug)]
enum Seek {
    Name,
    /// The second word of the name.
    Word,
    /// The key, at this index.
    Key(u32),
    /// A number of keys, at this index; the first of them follows.
    Count(u32),
    /// This word, after which the key stands.
    After(&'static str),
    /// Something that is not the key, at this index.
    Detail(u32),
    Nothing,
}

/// How far reading came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// It is whole.
    Whole,
    /// More is needed; of an argument that is waited for so many bytes are missing, 0 where that is not known.
    More { missing: u64 },
    /// This is no command.
    Bad,
}

/// Where lost bytes leave what was being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Hole {
    /// Inside of it: reading goes on.
    Inside,
    /// At its end.
    Whole,
    /// Nobody knows where.
    Lost,
}

/// A command that is being read.
#[derive(Debug)]
pub(super) struct Asking {
    pub(super) asked: Asked,
    /// Arguments that have not begun.
    left: u32,
    /// The index of the next argument.
    index: u32,
    /// Bytes of the argument under way, CRLF with it, that are passed over.
    skip: u64,
    seek: Seek,
}

/// The beginning of a command: how many arguments it has. `None` inside for one that is empty, which Redis ignores.
pub(super) fn begin(bytes: &[u8]) -> Parsed<Option<u32>> {
    match parse::header(b'*', bytes) {
        Parsed::Whole(count, used) if count <= MOST_ARGUMENTS => {
            Parsed::Whole(u32::try_from(count).ok().filter(|count| *count > 0), used)
        }
        Parsed::Whole(..) | Parsed::Bad => Parsed::Bad,
        Parsed::More => Parsed::More,
    }
}

impl Asking {
    /// A command of so many arguments, its name with them.
    pub(super) fn new(count: u32, track: Track) -> Self {
        let asked = Asked {
            operation: String::new(),
            target: String::new(),
            track,
            command: None,
            detail: Detail::None,
            blocks: false,
            holed: false,
            cut: false,
            arguments: count.saturating_sub(1),
            confirmed: 0,
            confirmations: None,
        };
        Self { asked, left: count, index: 0, skip: 0, seek: Seek::Name }
    }

    /// An inline command: one line, without its end. `None` where it is empty.
    pub(super) fn inline(line: &[u8], track: Track) -> Option<Asked> {
        let words = parse::words(line, INLINE_WORDS);
        if words.is_empty() {
            return None;
        }
        let mut asking = Self::new(words.len() as u32, track);
        for word in &words {
            asking.take(&word[..word.len().min(KEY_KEPT)], word.len() > KEY_KEPT);
            asking.index += 1;
        }
        if asking.asked.command.is_none() {
            // Words that somebody typed, or sent to the wrong place.
            "?".clone_into(&mut asking.asked.operation);
        }
        Some(asking.asked)
    }

    /// Reads on; says how many bytes are done with.
    pub(super) fn read(&mut self, bytes: &[u8]) -> (usize, Read) {
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
                continue;
            }
            if self.left == 0 {
                return (at, Read::Whole);
            }
            let (len, head) = match parse::header(b'$', rest) {
                Parsed::Whole(len @ 0..=LONGEST_ARGUMENT, head) => (len as u64, head),
                Parsed::Whole(..) | Parsed::Bad => return (at, Read::Bad),
                Parsed::More => return (at, Read::More { missing: 0 }),
            };
            let whole = head as u64 + len + 2;
            if self.wants() {
                let shown = len.min(KEY_KEPT as u64) as usize;
                let Some(argument) = rest.get(head..head + shown) else {
                    return (at, Read::More { missing: whole - rest.len() as u64 });
                };
                self.take(argument, len > shown as u64);
            }
            self.next();
            self.skip = whole - head as u64;
            at += head;
        }
    }

    /// `len` bytes are lost. The command can be followed where they were all of one argument, of which `missing`
    /// is what [`Read::More`] told last.
    pub(super) fn gap(&mut self, len: u64, missing: u64) -> Hole {
        self.asked.holed = true;
        if self.skip >= len {
            self.skip -= len;
        } else if self.skip == 0 && missing >= len && !matches!(self.seek, Seek::Name) {
            // What was looked for is among the lost bytes.
            self.seek = Seek::Nothing;
            self.next();
            self.skip = missing - len;
        } else {
            return Hole::Lost;
        }
        if self.skip == 0 && self.left == 0 { Hole::Whole } else { Hole::Inside }
    }

    fn next(&mut self) {
        self.left -= 1;
        self.index += 1;
    }

    /// Whether the argument that begins is looked at.
    fn wants(&self) -> bool {
        match self.seek {
            Seek::Name => self.index == 0,
            Seek::Word => self.index == 1,
            Seek::Key(at) | Seek::Count(at) | Seek::Detail(at) => self.index == at,
            Seek::After(_) => true,
            Seek::Nothing => false,
        }
    }

    fn take(&mut self, argument: &[u8], cut: bool) {
        if !self.wants() {
            return;
        }
        match self.seek {
            Seek::Name => self.name(argument),
            Seek::Word => self.word(argument),
            Seek::Key(_) => {
                self.asked.target = text(argument);
                self.asked.cut = cut;
                self.seek = Seek::Nothing;
            }
            Seek::Count(at) => {
                self.seek = match integer(argument) {
                    Some(1..) => Seek::Key(at + 1),
                    Some(0) | None => Seek::Nothing,
                };
            }
            Seek::After(word) => {
                if argument.eq_ignore_ascii_case(word.as_bytes()) {
                    self.seek = Seek::Key(self.index + 1);
                } else if self.index > 0 && argument.eq_ignore_ascii_case(b"BLOCK") {
                    self.asked.blocks = true;
                }
            }
            Seek::Detail(_) => {
                self.asked.detail = match (&*self.asked.operation, integer(argument)) {
                    ("SELECT", Some(database)) => Detail::Database(database),
                    _ if argument.eq_ignore_ascii_case(b"ON") => Detail::Answers(Answers::On),
                    _ if argument.eq_ignore_ascii_case(b"OFF") => Detail::Answers(Answers::Off),
                    _ if argument.eq_ignore_ascii_case(b"SKIP") => Detail::Answers(Answers::Skip),
                    _ => Detail::None,
                };
                self.seek = Seek::Nothing;
            }
            Seek::Nothing => {}
        }
    }

    fn name(&mut self, argument: &[u8]) {
        let Some(name) = upper(argument) else {
            // Whatever this is, it may be a secret that was typed in the wrong place.
            "?".clone_into(&mut self.asked.operation);
            self.seek = Seek::Nothing;
            return;
        };
        let command = commands::find(&name);
        self.asked.command = command;
        self.asked.blocks = self.asked.habit() == Habit::Blocks;
        self.seek = match command.map_or(Keys::None, |command| command.keys) {
            Keys::None if &*name == "SELECT" => Seek::Detail(1),
            Keys::None => Seek::Nothing,
            Keys::At(at) => Seek::Key(u32::from(at)),
            Keys::Counted(at) => Seek::Count(u32::from(at)),
            Keys::After(word) => Seek::After(word),
            Keys::Word | Keys::WordThenKey => Seek::Word,
        };
        self.asked.operation.push_str(&name);
    }

    fn word(&mut self, argument: &[u8]) {
        let keys = self.asked.command.map_or(Keys::None, |command| command.keys);
        self.seek = if keys == Keys::WordThenKey { Seek::Key(2) } else { Seek::Nothing };
        let Some(word) = upper(argument) else { return };
        if &*self.asked.operation == "CLIENT" && &*word == "REPLY" {
            self.seek = Seek::Detail(2);
        }
        if &*self.asked.operation == "DEBUG" && &*word == "OBJECT" {
            self.seek = Seek::Key(2);
        }
        if &*self.asked.operation == "REPLCONF" && &*word == "ACK" {
            self.asked.detail = Detail::Acknowledges;
        }
        self.asked.operation.reserve_exact(1 + word.len());
        self.asked.operation.push(' ');
        self.asked.operation.push_str(&word);
    }
}

/// A name in upper case; `None` for what is no name of a command.
fn upper(name: &[u8]) -> Option<Name> {
    let usual = |byte: &u8| byte.is_ascii_alphanumeric() || b"_-.|".contains(byte);
    let fits = (1..=LONGEST_NAME).contains(&name.len())
        && name.first().is_some_and(u8::is_ascii_alphabetic)
        && name.iter().all(usual);
    fits.then(|| Name(name.iter().map(u8::to_ascii_uppercase).collect()))
}

/// A name of ASCII letters.
struct Name(SmallVec<[u8; LONGEST_NAME]>);

impl std::ops::Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).unwrap_or_default()
    }
}

fn integer(argument: &[u8]) -> Option<u32> {
    std::str::from_utf8(argument).ok()?.parse().ok()
}
