//! The normal form of a statement, written as its tokens come.
//!
//! Keywords in capitals, one space where one is needed, every value and parameter `?`. Lists of values are as long
//! as the data, so they are folded: `IN (?, ?, ?)` to `IN (?)`, rows of VALUES to the first, arrays likewise.

use super::scan::Token;
use super::words;

/// Brackets inside each other past this are written and not folded.
const DEEPEST: usize = 64;
/// Signs before one value.
const MOST_SIGNS: usize = 16;

/// What was written last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Last {
    Nothing,
    /// A keyword that is no operand.
    Keyword,
    /// A name, which a call's bracket follows without space.
    Name,
    Value,
    Open,
    Close,
    /// A dot or a cast.
    Joint,
    Comma,
    Operator,
}

/// A bracket that is open.
#[derive(Clone, Copy, Debug)]
struct Bracket {
    /// A list of values, which is folded.
    list: bool,
    /// A row was closed in it: the next ones say nothing new.
    row: bool,
}

pub(super) struct Normal {
    text: String,
    most: usize,
    full: bool,
    last: Last,
    /// The last keyword was IN, VALUES, ARRAY: a list follows.
    lists: bool,
    open: [Bracket; DEEPEST],
    depth: usize,
    /// Brackets past [`DEEPEST`].
    beyond: usize,
    /// In VALUES, so that rows follow each other outside of any bracket.
    rows: bool,
    /// A comma that is not written before it is known what it parts.
    comma: bool,
    /// Brackets that are open in what is passed over.
    passed: usize,
    /// Signs that may belong to a value: `-` and `+`.
    signs: String,
    /// A symbol stood before, so that NULL, TRUE or FALSE is a value and not part of IS NULL.
    last_symbol: bool,
}

impl Normal {
    pub(super) fn new(most: usize) -> Self {
        Self {
            text: String::new(),
            most,
            full: false,
            last: Last::Nothing,
            lists: false,
            open: [Bracket { list: false, row: false }; DEEPEST],
            depth: 0,
            beyond: 0,
            rows: false,
            comma: false,
            passed: 0,
            signs: String::new(),
            last_symbol: false,
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.full
    }

    pub(super) fn finish(mut self) -> (String, bool) {
        self.flush_comma();
        self.flush_signs();
        let end = self.text.trim_end_matches([';', ' ']).len();
        self.text.truncate(end);
        (self.text, self.full)
    }

    pub(super) fn take(&mut self, token: Token<'_>) {
        if self.full {
            return;
        }
        if self.passed > 0 {
            match token {
                Token::Symbol(b"(" | b"[" | b"{") => self.passed += 1,
                Token::Symbol(b")" | b"]" | b"}") => self.passed -= 1,
                Token::Symbol(_) | Token::Word(_) | Token::Name(_) | Token::Literal | Token::Parameter(_) => {
                }
            }
            return;
        }
        match token {
            Token::Literal | Token::Parameter(_) => self.value(),
            Token::Word(word) => self.word(word),
            Token::Name(name) => {
                self.flush();
                self.put(&String::from_utf8_lossy(name), Last::Name);
            }
            Token::Symbol(symbol) => self.symbol(symbol),
        }
    }

    fn word(&mut self, word: &[u8]) {
        let keyword = words::keyword(word);
        if matches!(keyword, Some("NULL" | "TRUE" | "FALSE")) && self.last_symbol {
            return self.value();
        }
        if self.comma && self.in_rows() && word.eq_ignore_ascii_case(b"ROW") {
            // MySQL's VALUES ROW(..), ROW(..): the bracket follows.
            return;
        }
        self.flush();
        match keyword {
            // A name that a dot parts from another is no keyword.
            Some(keyword) if self.last != Last::Joint => {
                self.rows &= self.depth > 0;
                let lists = matches!(keyword, "IN" | "VALUES" | "ARRAY" | "ANY" | "ALL");
                self.put(keyword, Last::Keyword);
                self.lists = lists;
                self.rows |= keyword == "VALUES" && self.depth == 0;
            }
            Some(_) | None => {
                self.put(&String::from_utf8_lossy(word), Last::Name);
            }
        }
    }

    fn value(&mut self) {
        if self.in_list() && self.comma && self.last == Last::Value {
            // One more of many.
            self.comma = false;
            self.signs.clear();
            return;
        }
        self.flush_comma();
        if matches!(self.last, Last::Value | Last::Name | Last::Close) {
            // The first is an operator, the others are the value's.
            self.signs.truncate(1);
            self.flush_signs();
        }
        self.signs.clear();
        self.put("?", Last::Value);
    }

    fn symbol(&mut self, symbol: &[u8]) {
        match symbol {
            b"(" | b"[" | b"{" => self.opens(symbol),
            b")" | b"]" | b"}" => self.closes(symbol),
            b"," => {
                self.flush();
                self.comma = true;
                self.last_symbol = true;
            }
            b";" => {
                self.flush();
                (self.rows, self.lists) = (false, false);
                if !matches!(self.last, Last::Nothing) && !self.text.ends_with(';') {
                    self.put(";", Last::Comma);
                }
            }
            b"-" | b"+" => {
                // In a list it may be the sign of one more value, which is not written.
                if !(self.in_list() && self.last == Last::Value) {
                    self.flush_comma();
                }
                if self.signs.len() >= MOST_SIGNS {
                    self.flush();
                }
                self.signs.push(char::from(symbol[0]));
            }
            b"." | b"::" => {
                self.flush();
                self.put(&String::from_utf8_lossy(symbol), Last::Joint);
            }
            _ => {
                self.flush();
                self.put(&String::from_utf8_lossy(symbol), Last::Operator);
            }
        }
    }

    fn opens(&mut self, symbol: &[u8]) {
        if self.comma && self.in_rows() {
            // Another row.
            self.comma = false;
            self.signs.clear();
            self.passed = 1;
            return;
        }
        let listed = self.lists || symbol != b"(" || self.in_list();
        self.flush();
        self.put(&String::from_utf8_lossy(symbol), Last::Open);
        if self.depth < DEEPEST {
            self.open[self.depth] = Bracket { list: listed, row: false };
            self.depth += 1;
        } else {
            self.beyond += 1;
        }
    }

    fn closes(&mut self, symbol: &[u8]) {
        self.flush();
        self.put(&String::from_utf8_lossy(symbol), Last::Close);
        if self.beyond > 0 {
            self.beyond -= 1;
            return;
        }
        self.depth = self.depth.saturating_sub(1);
        if let Some(outer) = self.depth.checked_sub(1).and_then(|outer| self.open.get_mut(outer)) {
            outer.row = true;
        }
    }

    fn bracket(&self) -> Option<Bracket> {
        if self.beyond > 0 {
            return None;
        }
        self.depth.checked_sub(1).and_then(|at| self.open.get(at)).copied()
    }

    fn in_list(&self) -> bool {
        self.bracket().is_some_and(|bracket| bracket.list)
    }

    /// Whether a row was closed where the next may follow.
    fn in_rows(&self) -> bool {
        match self.bracket() {
            Some(bracket) => bracket.list && bracket.row && self.last == Last::Close,
            None => self.beyond == 0 && self.rows && self.last == Last::Close,
        }
    }

    fn flush(&mut self) {
        self.flush_comma();
        self.flush_signs();
    }

    fn flush_comma(&mut self) {
        if std::mem::take(&mut self.comma) {
            self.write(",", Last::Comma);
        }
    }

    fn flush_signs(&mut self) {
        for sign in std::mem::take(&mut self.signs).chars() {
            self.write(if sign == '-' { "-" } else { "+" }, Last::Operator);
        }
    }

    fn put(&mut self, text: &str, kind: Last) {
        self.lists = false;
        self.write(text, kind);
        self.last_symbol = matches!(kind, Last::Comma | Last::Operator | Last::Open);
    }

    fn write(&mut self, text: &str, kind: Last) {
        if self.full {
            return;
        }
        let space = match (self.last, kind) {
            (Last::Nothing | Last::Open | Last::Joint, _) => false,
            (_, Last::Close | Last::Comma) => false,
            // Behind an operator it would be read as a part of it.
            (last, Last::Joint) => !matches!(last, Last::Name | Last::Value | Last::Close),
            // A call's bracket; an array's.
            (Last::Name | Last::Close, Last::Open) => false,
            (Last::Keyword, Last::Open) => text == "(",
            _ => true,
        };
        if self.text.len() + text.len() + usize::from(space) > self.most {
            self.full = true;
            return;
        }
        if space {
            self.text.push(' ');
        }
        self.text.push_str(text);
        self.last = kind;
    }
}
