//! The text protocol, with the meta commands: lines, and blocks of data of a length that their line tells.

use wirewise_model::{Kind, Outcome, Track};

use super::message::{Asked, Parsed, Reply};

/// Keys are 250 bytes at most (`KEY_MAX_LENGTH`).
const LONGEST_KEY: usize = 250;
/// No item is larger: `-I` takes up to 1 GiB.
const MOST_DATA: u64 = 1 << 30;
/// Bytes of an error that are kept.
const ERROR_KEPT: usize = 200;

/// How a command is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// Keys alone.
    Keys,
    /// An expiration time, then keys.
    TimeAndKeys,
    /// A key, three numbers (for `cas` four), then data of the length that the third tells.
    Store,
    /// A key and more.
    Key,
    /// A key, the length of data, flags; then data.
    MetaStore,
    /// A key and flags.
    Meta,
    /// Words that are no keys.
    Words,
}

const COMMANDS: &[(&str, Form)] = &[
    ("add", Form::Store),
    ("append", Form::Store),
    ("cache_memlimit", Form::Words),
    ("cas", Form::Store),
    ("decr", Form::Key),
    ("delete", Form::Key),
    ("flush_all", Form::Words),
    ("gat", Form::TimeAndKeys),
    ("gats", Form::TimeAndKeys),
    ("get", Form::Keys),
    ("gets", Form::Keys),
    ("incr", Form::Key),
    ("lru", Form::Words),
    ("lru_crawler", Form::Words),
    ("ma", Form::Meta),
    ("md", Form::Meta),
    ("me", Form::Meta),
    ("mg", Form::Meta),
    ("misbehave", Form::Words),
    ("mn", Form::Words),
    ("ms", Form::MetaStore),
    ("prepend", Form::Store),
    ("quit", Form::Words),
    ("refresh_certs", Form::Words),
    ("replace", Form::Store),
    ("set", Form::Store),
    ("shutdown", Form::Words),
    ("slabs", Form::Words),
    ("stats", Form::Words),
    ("touch", Form::Key),
    ("verbosity", Form::Words),
    ("version", Form::Words),
    ("watch", Form::Words),
];

fn form(name: &[u8]) -> Option<Form> {
    COMMANDS.iter().find(|(known, _)| known.as_bytes() == name).map(|(_, form)| *form)
}

/// A line without its end, and where the next begins. Lines end with LF; a CR before it is no part of them.
pub(super) fn line(bytes: &[u8], most: usize) -> Parsed<&[u8]> {
    let window = &bytes[..bytes.len().min(most)];
    match memchr::memchr(b'\n', window) {
        Some(at) => Parsed::Whole(window[..at].strip_suffix(b"\r").unwrap_or(&window[..at]), at + 1),
        None if window.len() < most => Parsed::More,
        None => Parsed::Bad,
    }
}

/// A command, and how many bytes of data with their CRLF follow its line. `None` where it is none.
pub(super) fn command(line: &[u8], track: Track) -> Option<(Asked, u64)> {
    let printable = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ' || *byte >= 0x80;
    if !line.iter().all(printable) {
        return None;
    }
    let mut words = line.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
    let name = words.next()?;
    let Some(form) = form(name) else {
        // Answered with ERROR. Nobody knows what it is: data perhaps, whose length was wrong.
        return Some((Asked::new("?".to_owned(), track), 0));
    };
    let mut asked = Asked::new(String::from_utf8_lossy(name).into_owned(), track);
    let last = line.rsplit(|byte| *byte == b' ').next();
    let noreply = last == Some(b"noreply");
    let mut data = 0;
    match form {
        Form::Keys | Form::TimeAndKeys => {
            if form == Form::TimeAndKeys {
                words.next();
            }
            let first = words.next();
            asked.keys = u32::from(first.is_some()) + words.count() as u32;
            asked.key(first.unwrap_or_default());
        }
        Form::Store => {
            asked.key(words.next()?);
            data = number(words.nth(2)?)? + 2;
            asked.one_way = noreply;
        }
        Form::Key => {
            asked.key(words.next().unwrap_or_default());
            asked.one_way = noreply;
        }
        Form::MetaStore => {
            asked.key(words.next()?);
            data = number(words.next()?)? + 2;
            asked.flags(words);
        }
        Form::Meta => {
            asked.key(words.next().unwrap_or_default());
            asked.flags(words);
        }
        Form::Words => {
            asked.one_way = name == b"quit" || (noreply && matches!(name, b"flush_all" | b"verbosity"));
            match name {
                b"mn" => asked.kind = Kind::Probe,
                b"watch" => asked.kind = Kind::Session,
                // `stats items`, `slabs reassign`: what the words say is the server's own.
                b"stats" | b"slabs" | b"lru" | b"lru_crawler" => {
                    if let Some(word) = words.next().filter(|word| word.iter().all(u8::is_ascii_lowercase)) {
                        asked.operation.push(' ');
                        asked.operation.push_str(&String::from_utf8_lossy(&word[..word.len().min(24)]));
                    }
                }
                _ => {}
            }
        }
    }
    Some((asked, data))
}

impl Asked {
    /// What the flags of a meta command say of its answer.
    fn flags<'a>(&mut self, flags: impl Iterator<Item = &'a [u8]>) {
        for flag in flags {
            match flag {
                b"q" => self.quiet = true,
                [b'O', opaque @ ..] => self.token = opaque.iter().copied().take(32).collect(),
                _ => {}
            }
        }
    }
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok().filter(|number| *number <= MOST_DATA)
}

/// Whether a line is surely a command of this protocol: one that stores, as it must be written.
pub(super) fn is_surely_command(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    let name = words.next().unwrap_or_default();
    if form(name) != Some(Form::Store) {
        return false;
    }
    let key = words.next().unwrap_or_default();
    let rest: Vec<&[u8]> = words.take(6).collect();
    let rest = rest.strip_suffix(&[&b"noreply"[..]]).unwrap_or(&rest);
    let numbers = if name == b"cas" { 4 } else { 3 };
    let signed = |word: &&[u8]| number(word.strip_prefix(b"-").unwrap_or(word)).is_some() || word.len() > 10;
    is_key(key)
        && rest.len() == numbers
        && rest.iter().all(|word| !word.is_empty() && signed(word))
        && number(rest[2]).is_some()
}

/// Whether a line begins with the name of a command, and with a key where it must.
pub(super) fn may_be_command(line: &[u8]) -> bool {
    let mut words = line.split(|byte| *byte == b' ');
    let Some(form) = form(words.next().unwrap_or_default()) else { return false };
    match form {
        Form::Words => line.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' '),
        _ => words.next().is_some_and(is_key),
    }
}

fn is_key(word: &[u8]) -> bool {
    (1..=LONGEST_KEY).contains(&word.len()) && word.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
}

/// A line of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line {
    /// So many bytes of data with their CRLF follow, and more lines then.
    Value(u64),
    /// So many bytes of data follow, and that is all.
    Data(u64),
    /// One of several lines.
    Item,
    /// The last line.
    Last,
    /// This is no answer.
    Bad,
}

/// What a line of an answer is.
pub(super) fn answer_line(line: &[u8]) -> Line {
    let mut words = line.split(|byte| *byte == b' ');
    let bytes = |word: Option<&[u8]>| word.and_then(number).map(|bytes| bytes + 2);
    match words.next().unwrap_or_default() {
        b"VALUE" => bytes(words.nth(2)).map_or(Line::Bad, Line::Value),
        b"VA" => bytes(words.next()).map_or(Line::Bad, Line::Data),
        b"STAT" | b"ITEM" => Line::Item,
        word if word.starts_with(b"key=") => Line::Item,
        b"END" | b"STORED" | b"NOT_STORED" | b"EXISTS" | b"NOT_FOUND" | b"DELETED" | b"TOUCHED" | b"OK"
        | b"ERROR" | b"CLIENT_ERROR" | b"SERVER_ERROR" | b"VERSION" | b"RESET" | b"HD" | b"EN" | b"NF"
        | b"NS" | b"EX" | b"MN" | b"ME" | b"BUSY" | b"BADCLASS" | b"NOSPARE" | b"NOTFULL" | b"UNSAFE"
        | b"SAME" => Line::Last,
        // The answer to `incr`; `decr` pads with blanks.
        word if !word.is_empty() && word.iter().all(u8::is_ascii_digit) => Line::Last,
        _ => Line::Bad,
    }
}

impl Reply {
    /// Takes the line that says how it came out.
    pub(super) fn conclude(&mut self, line: &[u8]) {
        let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
        let is_number = word.iter().all(u8::is_ascii_digit);
        // A number is the item's value.
        self.status = if is_number { "OK".to_owned() } else { String::from_utf8_lossy(word).into_owned() };
        self.outcome = match word {
            b"ERROR" | b"CLIENT_ERROR" | b"BADCLASS" => Outcome::ClientError,
            b"SERVER_ERROR" | b"BUSY" | b"NOSPARE" | b"NOTFULL" | b"UNSAFE" => Outcome::ServerError,
            _ => Outcome::Ok,
        };
        if self.outcome != Outcome::Ok {
            self.error = Some(String::from_utf8_lossy(&line[..line.len().min(ERROR_KEPT)]).into_owned());
        }
        for flag in line.split(|byte| *byte == b' ').skip(1) {
            if let Some(opaque) = flag.strip_prefix(b"O") {
                self.token = opaque.iter().copied().take(32).collect();
            }
        }
        self.rows = match word {
            b"END" => Some(self.rows.unwrap_or(0)),
            b"VA" | b"HD" | b"ME" => None,
            b"EN" => Some(0),
            _ => self.rows,
        };
    }
}
