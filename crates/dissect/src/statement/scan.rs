//! A text as tokens: what is a word, a name, a literal, and where each ends.

use memchr::memmem;

use super::{Backslash, Dialect, Grammar, MORE};

/// Operators of several characters, the longer first. Others stand alone, so that none is made or broken when
/// spaces are put between them.
const OPERATORS: &[&[u8]] = &[
    b"->>", b"#>>", b"<=>", b"!~*", b"->", b"#>", b"<=", b">=", b"<>", b"!=", b"||", b"&&", b"::", b":=",
    b"@>", b"<@", b"@@", b"~*", b"!~", b"<<", b">>", b"==", b"=>",
];
/// Bytes of a UUID as text.
const UUID: usize = 36;

/// A piece of a statement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// A keyword or a name without quotes.
    Word(&'a [u8]),
    /// A name with its quotes.
    Name(&'a [u8]),
    /// Any value.
    Literal,
    /// Stands for a value that comes apart: `$1`, `:name`.
    Parameter(&'a [u8]),
    /// Punctuation or an operator.
    Symbol(&'a [u8]),
}

/// Reads tokens.
pub(super) struct Scanner<'a> {
    text: &'a [u8],
    grammar: Grammar,
    utf8: bool,
    at: usize,
    stopped: bool,
    /// Whether the text says of itself that it was cut: it was read before.
    more: bool,
    /// Whether the last token was one that an operator may follow.
    operand: bool,
    /// Whether space or a comment stood before the last token.
    pub(super) spaced: bool,
    /// Trace and span id that a comment told.
    pub(super) trace: Option<(String, String)>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a [u8], grammar: Grammar) -> Self {
        let (text, more) = match text.strip_suffix(MORE.as_bytes()) {
            Some(text) if !grammar.cut => (text, true),
            Some(_) | None => (text, false),
        };
        let utf8 = match std::str::from_utf8(text) {
            Ok(_) => true,
            // A letter that was cut says nothing of the others.
            Err(error) => grammar.cut && error.error_len().is_none(),
        };
        Self { text, grammar, utf8, at: 0, stopped: false, more, operand: false, spaced: false, trace: None }
    }

    /// Whether there was more than the tokens that were given.
    pub(super) fn stopped_early(&self) -> bool {
        self.stopped
    }

    pub(super) fn next(&mut self) -> Option<Token<'a>> {
        if self.stopped {
            return None;
        }
        self.spaced = self.skip_space();
        if self.stopped {
            return None;
        }
        let begins = self.at;
        let Some(&first) = self.text.get(begins) else {
            self.stopped = self.grammar.cut || self.more;
            return None;
        };
        let token = self.token(first, begins);
        let Some(token) = token else {
            self.stopped = true;
            return None;
        };
        // A token that touches the cut may be the beginning of another.
        if self.grammar.cut && self.at >= self.text.len() && token != Token::Literal {
            self.stopped = true;
            return None;
        }
        self.operand = match token {
            Token::Word(_) | Token::Name(_) | Token::Literal | Token::Parameter(_) => true,
            Token::Symbol(symbol) => matches!(symbol, b")" | b"]" | b"}"),
        };
        Some(token)
    }

    fn peek(&self, ahead: usize) -> u8 {
        self.text.get(self.at + ahead).copied().unwrap_or(0)
    }

    /// `None` where it cannot be told where it ends.
    fn token(&mut self, first: u8, begins: usize) -> Option<Token<'a>> {
        let dialect = self.grammar.dialect;
        if dialect == Dialect::Cql && self.take_uuid() {
            return Some(Token::Literal);
        }
        match first {
            b'\'' => self.string(b'\'', self.grammar.backslash),
            b'"' if dialect == Dialect::MySql => self.string(b'"', self.grammar.backslash),
            b'"' | b'`' => self.name(first),
            // Where a value was, or will come.
            b'?' => {
                self.at += 1;
                Some(Token::Literal)
            }
            b'0'..=b'9' => Some(self.number()),
            b'.' if self.peek(1).is_ascii_digit() && (self.spaced || !self.operand) => Some(self.number()),
            b'$' if dialect != Dialect::MySql => self.dollar(),
            b':' if self.peek(1).is_ascii_alphabetic() && !self.operand => {
                self.at += 1;
                self.word();
                Some(Token::Parameter(&self.text[begins..self.at]))
            }
            first if begins_word(first, dialect) => self.word_or_prefix(begins),
            _ => {
                let rest = &self.text[begins..];
                let length =
                    OPERATORS.iter().find(|known| rest.starts_with(known)).map_or(1, |known| known.len());
                self.at += length;
                Some(Token::Symbol(&rest[..length]))
            }
        }
    }

    /// Passes over spaces and comments; says whether there were any.
    fn skip_space(&mut self) -> bool {
        let begins = self.at;
        loop {
            let rest = &self.text[self.at..];
            let dialect = self.grammar.dialect;
            match rest {
                [first, ..] if *first <= b' ' || *first == 0x7f => self.at += 1,
                // Our own mark, in a text that quotes what was read before.
                rest if rest.starts_with("…".as_bytes()) => self.at += "…".len(),
                [b'-', b'-', after @ ..]
                    if dialect != Dialect::MySql || after.first().is_some_and(|after| *after <= b' ') =>
                {
                    self.skip_line();
                }
                [b'#', ..] if dialect == Dialect::MySql => self.skip_line(),
                [b'/', b'/', ..] if dialect == Dialect::Cql => self.skip_line(),
                // Executed by servers of a version: code. What follows the mark is its number.
                [b'/', b'*', b'!', ..] if dialect == Dialect::MySql => self.skip_mark(3),
                [b'/', b'*', b'M', b'!', ..] if dialect == Dialect::MySql => self.skip_mark(4),
                [b'*', b'/', ..] if dialect == Dialect::MySql => self.at += 2,
                [b'/', b'*', ..] => self.skip_comment(),
                _ => return self.at > begins,
            }
            if self.stopped {
                return true;
            }
        }
    }

    fn skip_mark(&mut self, length: usize) {
        self.at += length;
        while self.peek(0).is_ascii_digit() {
            self.at += 1;
        }
    }

    fn skip_line(&mut self) {
        let rest = &self.text[self.at..];
        let length = memchr::memchr2(b'\n', b'\r', rest).unwrap_or(rest.len());
        self.look_for_trace(&rest[..length]);
        self.at += length;
    }

    fn skip_comment(&mut self) {
        let begins = self.at;
        let mut depth = 0_u32;
        loop {
            match &self.text[self.at..] {
                [b'/', b'*', ..] if depth == 0 || self.grammar.dialect == Dialect::Postgres => {
                    depth += 1;
                    self.at += 2;
                }
                [b'*', b'/', ..] => {
                    depth -= 1;
                    self.at += 2;
                    if depth == 0 {
                        break;
                    }
                }
                [_, rest @ ..] => {
                    self.at += 1 + memchr::memchr2(b'*', b'/', rest).unwrap_or(rest.len());
                }
                [] => {
                    self.stopped = true;
                    break;
                }
            }
        }
        self.look_for_trace(&self.text[begins..self.at]);
    }

    /// <https://google.github.io/sqlcommenter/spec/>: `/*traceparent='00-32 digits-16 digits-01'*/`.
    fn look_for_trace(&mut self, comment: &[u8]) {
        if self.trace.is_some() {
            return;
        }
        let Some(found) = memmem::find(comment, b"traceparent='") else { return };
        let Some(value) = comment[found..].get(13..13 + 55) else { return };
        let (trace, span) = (&value[3..35], &value[36..52]);
        let shaped = value[2] == b'-' && value[35] == b'-' && value[52] == b'-';
        if shaped && trace.iter().chain(span).all(u8::is_ascii_hexdigit) {
            let text = |digits: &[u8]| String::from_utf8_lossy(digits).to_ascii_lowercase();
            self.trace = Some((text(trace), text(span)));
        }
    }

    /// A string from its opening quote on.
    fn string(&mut self, quote: u8, backslash: Backslash) -> Option<Token<'a>> {
        self.at += 1;
        loop {
            let rest = &self.text[self.at..];
            let found = memchr::memchr2(quote, b'\\', rest)?;
            self.at += found;
            if rest[found] == quote {
                self.at += 1;
                if self.peek(0) != quote {
                    return Some(Token::Literal);
                }
                self.at += 1;
                continue;
            }
            if self.may_be_trail() {
                return None;
            }
            let run = rest[found..].iter().take_while(|byte| **byte == b'\\').count();
            self.at += run;
            let escapes_quote = run % 2 == 1 && self.peek(0) == quote;
            match backslash {
                Backslash::Escapes if escapes_quote => self.at += 1,
                Backslash::Unknown if escapes_quote => return None,
                Backslash::Escapes | Backslash::Plain | Backslash::Unknown => {}
            }
        }
    }

    /// A name from its opening quote on; the quote is doubled inside.
    fn name(&mut self, quote: u8) -> Option<Token<'a>> {
        let begins = self.at;
        self.at += 1;
        loop {
            self.at += memchr::memchr(quote, &self.text[self.at..])?;
            if quote == b'`' && self.may_be_trail() {
                return None;
            }
            self.at += 1;
            if self.peek(0) != quote {
                return Some(Token::Name(&self.text[begins..self.at]));
            }
            self.at += 1;
        }
    }

    /// Whether the byte here may be the second of a letter in an encoding that is not UTF-8.
    fn may_be_trail(&self) -> bool {
        !self.utf8 && self.at > 0 && self.text[self.at - 1] >= 0x80
    }

    fn number(&mut self) -> Token<'a> {
        loop {
            match self.peek(0) {
                b'0'..=b'9' | b'a'..=b'z' | b'A'..=b'Z' | b'_' | b'.' => self.at += 1,
                b'+' | b'-'
                    if matches!(self.text[self.at - 1], b'e' | b'E') && self.peek(1).is_ascii_digit() =>
                {
                    self.at += 1;
                }
                _ => return Token::Literal,
            }
        }
    }

    fn dollar(&mut self) -> Option<Token<'a>> {
        let begins = self.at;
        if self.peek(1).is_ascii_digit() {
            self.at += 1;
            while self.peek(0).is_ascii_digit() {
                self.at += 1;
            }
            return Some(Token::Parameter(&self.text[begins..self.at]));
        }
        let rest = &self.text[begins..];
        let tag = rest[1..].iter().take_while(|byte| continues_word(**byte) && **byte != b'$');
        let length = 2 + tag.count();
        match rest.get(length - 1) {
            Some(b'$') => {
                let end = memmem::find(&rest[length..], &rest[..length])?;
                self.at = begins + length + end + length;
                Some(Token::Literal)
            }
            None if self.grammar.cut => None,
            Some(_) | None => {
                self.at += 1;
                Some(Token::Symbol(&rest[..1]))
            }
        }
    }

    fn word(&mut self) {
        while continues_word(self.peek(0)) {
            self.at += 1;
        }
    }

    /// A word, or a string that begins with letters: `E''`, `N''`, `X''`, `B''`, `U&''`.
    fn word_or_prefix(&mut self, begins: usize) -> Option<Token<'a>> {
        self.at += 1;
        self.word();
        let word = &self.text[begins..self.at];
        let dialect = self.grammar.dialect;
        if dialect == Dialect::Cql && word.len() > 1 && matches!(word, [b'P' | b'p', b'0'..=b'9' | b'T', ..])
        {
            // A duration of ISO 8601.
            while matches!(self.peek(0), b'-' | b':' | b'.' | b'0'..=b'9') {
                self.at += 1;
                self.word();
            }
            return Some(Token::Literal);
        }
        match (word, self.peek(0), self.peek(1)) {
            ([b'e' | b'E'], b'\'', _) if dialect == Dialect::Postgres => {
                self.string(b'\'', Backslash::Escapes)
            }
            ([b'n' | b'N' | b'x' | b'X' | b'b' | b'B'], b'\'', _) => {
                self.string(b'\'', self.grammar.backslash)
            }
            ([b'u' | b'U'], b'&', b'\'') => {
                self.at += 1;
                self.string(b'\'', self.grammar.backslash)
            }
            _ => Some(Token::Word(word)),
        }
    }

    /// A UUID without quotes; one that the cut goes through too.
    fn take_uuid(&mut self) -> bool {
        let rest = &self.text[self.at..];
        let fits = rest.iter().take(UUID).enumerate().take_while(|(at, byte)| match at {
            8 | 13 | 18 | 23 => **byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        });
        let length = fits.count();
        let whole = length == UUID && !rest.get(UUID).is_some_and(|after| continues_word(*after));
        let cut = self.grammar.cut && length == rest.len() && length > 8;
        if whole || cut {
            self.at += length;
        }
        whole || cut
    }
}

fn begins_word(byte: u8, dialect: Dialect) -> bool {
    byte.is_ascii_alphabetic()
        || byte == b'_'
        || byte >= 0x80
        || (dialect == Dialect::MySql && matches!(byte, b'@' | b'$'))
}

fn continues_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'@') || byte >= 0x80
}
