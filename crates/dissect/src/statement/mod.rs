//! Texts of SQL and CQL without what is in them: the statement with its literals gone, its normal form, its
//! verb and its table. And the same for the messages in which servers quote statements back.
//!
//! One pass, lossy and bounded, that never needs the text to be right: a statement that was cut, or that no
//! server would accept, is read as far as it can be told what is a literal and what is not, and where that is no
//! longer sure the rest is dropped (`…`), never shown. What is dropped: strings in every spelling, numbers, bit and
//! byte strings, comments (they hold secrets and noise), the words after PASSWORD and IDENTIFIED BY, the values that
//! SET sets, and whole texts that do not begin with a verb that is known. What stays: keywords, names, operators.
//!
//! Where strings end is the danger. Whether a backslash escapes depends on a setting of the session, which servers
//! tell ([`Backslash`]); as long as it is not known, a backslash before a quote ends the reading. So does, in a
//! text that is not UTF-8, a backslash or backtick that may be the second byte of a letter (GBK, Shift JIS).
//!
//! Both forms are fixed points: reading a target or an endpoint again gives the same.

mod message;
mod normal;
mod prepared;
mod scan;
#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;

use self::normal::Normal;
use self::scan::{Scanner, Token};

pub(crate) use self::message::{Quotes, scrub};
pub(crate) use self::prepared::Prepared;

/// Bytes of a target. What a statement has past it is dropped.
const LONGEST_TARGET: usize = 2048;
/// Bytes of an endpoint.
const LONGEST_ENDPOINT: usize = 1024;
/// Bytes of a table's name with its schema.
const LONGEST_TABLE: usize = 128;
/// Stands for what was dropped at the end.
const MORE: &str = " …";

/// Whose SQL it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Dollar quotes, `E''`, nested comments; double quotes make names.
    Postgres,
    /// Double quotes make strings, backticks make names; `#` comments, comments that are executed.
    MySql,
    /// UUIDs, blobs and durations stand without quotes; `//` comments.
    Cql,
}

/// Whether a backslash in an ordinary string escapes what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Backslash {
    /// It does.
    Escapes,
    /// It is a character like any other.
    Plain,
    /// Nobody has told.
    #[default]
    Unknown,
}

/// How a text is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grammar {
    pub(crate) dialect: Dialect,
    pub(crate) backslash: Backslash,
    /// Whether the text goes on past what is shown.
    pub(crate) cut: bool,
}

/// A statement, or several in one text, without its literals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Its verb in upper case: of `WITH ... SELECT` it is SELECT; of several statements that of the first that is not
    /// about the transaction. Empty where it begins with none that is known.
    pub(crate) operation: Cow<'static, str>,
    /// As it was written, on one line.
    pub(crate) target: String,
    /// Its normal form: equal for statements that differ only in values, how many there are, and layout.
    pub(crate) endpoint: String,
    /// The table that it is about, where it says so plainly.
    pub(crate) table: Option<String>,
    /// How many statements the text holds.
    pub(crate) statements: u32,
    /// W3C trace context that a comment carries (sqlcommenter): trace id and span id.
    pub(crate) trace: Option<(String, String)>,
}

impl Statement {
    /// Whether a verb only begins or ends a transaction or sets something, so that what is done besides is what a
    /// call is about.
    pub(crate) fn is_of_transaction(verb: &str) -> bool {
        words::is_transaction(verb)
    }

    /// Bytes that it takes, for whoever remembers it.
    pub(crate) fn weight(&self) -> usize {
        size_of::<Self>()
            + self.target.len()
            + self.endpoint.len()
            + self.table.as_ref().map_or(0, String::len)
    }
}

/// Whether a text begins as a statement does: the cheap look that probes take.
pub(crate) fn begins(text: &[u8], dialect: Dialect) -> bool {
    let grammar = Grammar { dialect, backslash: Backslash::Unknown, cut: true };
    let mut scanner = Scanner::new(text, grammar);
    loop {
        match scanner.next() {
            Some(Token::Word(word)) => return words::verb(word).is_some(),
            Some(Token::Symbol(b"(" | b";")) => {}
            Some(Token::Name(_) | Token::Literal | Token::Parameter(_) | Token::Symbol(_)) | None => {
                return false;
            }
        }
    }
}

/// Reads a text.
pub(crate) fn read(text: &[u8], grammar: Grammar) -> Statement {
    let mut scanner = Scanner::new(text, grammar);
    let mut reading = Reading::new(grammar.dialect);
    while let Some(token) = scanner.next() {
        if !reading.take(token, scanner.spaced) {
            break;
        }
    }
    let mut statement = reading.finish(scanner.stopped_early());
    statement.trace = scanner.trace.take();
    statement
}

/// What a word is about to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Next {
    Anything,
    /// A password, should it stand without quotes.
    Secret,
    /// The value of a setting.
    Setting,
}

/// Where the name of the table stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    /// Not met yet.
    Unseen,
    /// The next name.
    Next,
    /// A name was read; a dot may follow.
    Name,
    /// After the dot.
    Dot,
    Done,
}

struct Reading {
    dialect: Dialect,
    target: String,
    target_full: bool,
    normal: Normal,
    operation: Option<&'static str>,
    /// The verb of the statement that is being read.
    verb: Option<&'static str>,
    /// WITH, and the verb that it leads to has not come.
    with: bool,
    begun: bool,
    statements: u32,
    depth: u32,
    table: Table,
    table_name: String,
    next: Next,
    /// It is about a user or a role.
    account: bool,
    identified: bool,
    /// Words of the statement so far, up to a few.
    words: u8,
    last_word: [u8; 8],
}

impl Reading {
    fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            target: String::new(),
            target_full: false,
            normal: Normal::new(LONGEST_ENDPOINT - MORE.len()),
            operation: None,
            verb: None,
            with: false,
            begun: false,
            statements: 0,
            depth: 0,
            table: Table::Unseen,
            table_name: String::new(),
            next: Next::Anything,
            account: false,
            identified: false,
            words: 0,
            last_word: [0; 8],
        }
    }

    /// Takes a token; false where no more are wanted.
    fn take(&mut self, token: Token<'_>, spaced: bool) -> bool {
        if !self.begun {
            match token {
                Token::Symbol(b";") => {}
                Token::Symbol(b"(") => {}
                Token::Word(word) => {
                    let Some(verb) = words::verb(word) else { return self.refuse() };
                    self.begin(verb);
                }
                Token::Name(_) | Token::Literal | Token::Parameter(_) | Token::Symbol(_) => {
                    return self.refuse();
                }
            }
        }
        let token = self.hide(token);
        self.subject(token);
        self.show(token, spaced);
        self.normal.take(token);
        match token {
            Token::Symbol(b"(") => self.depth += 1,
            Token::Symbol(b")") => self.depth = self.depth.saturating_sub(1),
            Token::Symbol(b";") if self.depth == 0 => self.begun = false,
            Token::Word(_) | Token::Name(_) | Token::Literal | Token::Parameter(_) | Token::Symbol(_) => {}
        }
        // Past both bounds only the number of statements would be learnt.
        !(self.target_full && self.normal.is_full())
    }

    fn begin(&mut self, verb: &'static str) {
        self.begun = true;
        self.verb = Some(verb);
        self.with = verb == "WITH";
        self.statements += 1;
        (self.account, self.identified, self.words) = (verb == "GRANT", false, 0);
        self.next = Next::Anything;
        if self.table != Table::Done {
            self.table = Table::Unseen;
            self.table_name.clear();
        }
        self.lead(verb);
    }

    /// A verb of a statement, or of what WITH leads to.
    fn lead(&mut self, verb: &'static str) {
        let better = |known| words::is_transaction(known) && !words::is_transaction(verb);
        if self.operation.is_none_or(better) {
            self.operation = Some(verb);
        }
        let names_next = matches!(verb, "UPDATE" | "COPY" | "TRUNCATE" | "DESCRIBE" | "DESC");
        if names_next && self.table == Table::Unseen {
            self.table = Table::Next;
        }
    }

    /// It does not begin as statements do: none of it is shown.
    fn refuse(&mut self) -> bool {
        let token = Token::Literal;
        self.show(token, true);
        self.normal.take(token);
        self.statements += 1;
        false
    }

    /// Puts a literal in the place of words that are as secret.
    fn hide<'a>(&mut self, token: Token<'a>) -> Token<'a> {
        let word = match token {
            Token::Word(word) => word,
            Token::Name(_) if self.next != Next::Anything => {
                self.settle();
                return Token::Literal;
            }
            Token::Symbol(b"=" | b":=") if self.verb == Some("SET") => {
                self.next = if self.account { Next::Secret } else { Next::Setting };
                return token;
            }
            Token::Symbol(b"," | b";") => {
                let listed = self.next == Next::Setting
                    && self.dialect == Dialect::Postgres
                    && token == Token::Symbol(b",");
                if !listed {
                    self.next = Next::Anything;
                }
                return token;
            }
            Token::Literal | Token::Parameter(_) => {
                self.settle();
                return token;
            }
            Token::Name(_) | Token::Symbol(_) => return token,
        };
        let is = |other: &str| word.eq_ignore_ascii_case(other.as_bytes());
        if self.next == Next::Secret && !words::follows_password(word) {
            self.settle();
            return Token::Literal;
        }
        if self.next == Next::Setting {
            self.settle();
            return Token::Literal;
        }
        let set = self.verb == Some("SET");
        self.words = self.words.saturating_add(1);
        // CREATE USER, CREATE OR REPLACE USER; not CREATE TABLE user.
        let second = self.words == 2 || (self.words == 4 && self.after(b"REPLACE\0"));
        self.account |= second
            && match self.verb {
                Some("CREATE" | "ALTER") => {
                    ["USER", "ROLE", "LOGIN", "GROUP"].iter().any(|account| is(account))
                }
                Some("SET") => is("PASSWORD"),
                Some(_) | None => false,
            };
        self.identified |= is("IDENTIFIED");
        self.next = match () {
            () if self.account && is("PASSWORD") && !set => Next::Secret,
            () if self.identified && (is("BY") || is("AS") || is("USING")) => Next::Secret,
            () if set && (is("TO") || is("ROLE") || is("AUTHORIZATION")) => Next::Setting,
            () => Next::Anything,
        };
        token
    }

    /// The value came. In PostgreSQL a setting may have several.
    fn settle(&mut self) {
        if !(self.next == Next::Setting && self.dialect == Dialect::Postgres) {
            self.next = Next::Anything;
        }
    }

    /// Looks for the verb behind WITH and for the table's name.
    fn subject(&mut self, token: Token<'_>) {
        match token {
            Token::Word(word) => {
                let keyword = words::keyword(word);
                if self.with
                    && self.depth == 0
                    && let Some(
                        verb @ ("SELECT" | "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "VALUES" | "TABLE"),
                    ) = keyword
                {
                    self.with = false;
                    if self.operation == Some("WITH") {
                        self.operation = None;
                    }
                    self.lead(verb);
                    return;
                }
                match (self.table, keyword) {
                    (Table::Unseen, Some("FROM")) if self.depth == 0 && !self.after(b"DISTINCT") => {
                        self.table = Table::Next;
                    }
                    (Table::Unseen, Some("INTO" | "TABLE")) if self.depth == 0 => self.table = Table::Next,
                    (
                        Table::Next,
                        Some("TABLE" | "INTO" | "ONLY" | "IF" | "NOT" | "EXISTS" | "IGNORE" | "LATERAL"),
                    ) => {}
                    (Table::Next, None) if words::is_modifier(word) => {}
                    // The verb itself.
                    (Table::Next, Some(keyword)) if Some(keyword) == self.verb => {}
                    (Table::Next, Some("SELECT" | "SET" | "VALUES" | "WHERE")) => self.table = Table::Unseen,
                    (Table::Next, _) if word.starts_with(b"@") => self.table = Table::Unseen,
                    (Table::Next | Table::Dot, _) => self.name(word),
                    (Table::Name, _) => self.table = Table::Done,
                    (Table::Unseen | Table::Done, _) => {}
                }
                let kept = word.len().min(self.last_word.len());
                self.last_word = [0; 8];
                self.last_word[..kept].copy_from_slice(&word[..kept]);
            }
            Token::Name(name) => match self.table {
                Table::Next | Table::Dot => self.name(&name[1..name.len() - 1]),
                Table::Name => self.table = Table::Done,
                Table::Unseen | Table::Done => {}
            },
            Token::Symbol(b".") if self.table == Table::Name => {
                self.table_name.push('.');
                self.table = Table::Dot;
            }
            Token::Literal | Token::Parameter(_) | Token::Symbol(_) => match self.table {
                Table::Next => self.table = Table::Unseen,
                Table::Name | Table::Dot => self.table = Table::Done,
                Table::Unseen | Table::Done => {}
            },
        }
    }

    fn name(&mut self, name: &[u8]) {
        self.table = Table::Name;
        self.table_name.push_str(&String::from_utf8_lossy(name));
    }

    fn after(&self, word: &[u8; 8]) -> bool {
        self.last_word.eq_ignore_ascii_case(word)
    }

    /// Writes it as it was written.
    fn show(&mut self, token: Token<'_>, spaced: bool) {
        if self.target_full {
            return;
        }
        let before = self.target.len();
        // A space would make a comment of two signs.
        let signs = self.dialect == Dialect::MySql && self.target.ends_with("--");
        if spaced && !self.target.is_empty() && !signs {
            self.target.push(' ');
        }
        match token {
            Token::Literal => self.target.push('?'),
            Token::Word(text) | Token::Name(text) | Token::Parameter(text) | Token::Symbol(text) => {
                self.target.push_str(&String::from_utf8_lossy(text));
            }
        }
        if self.target.len() > LONGEST_TARGET - MORE.len() {
            self.target.truncate(before);
            self.target_full = true;
        }
    }

    fn finish(self, stopped_early: bool) -> Statement {
        let Self { mut target, table_name, table, .. } = self;
        if stopped_early || self.target_full {
            target.push_str(MORE);
        }
        let (mut endpoint, endpoint_full) = self.normal.finish();
        if stopped_early || endpoint_full {
            endpoint.push_str(MORE);
        }
        let named = matches!(table, Table::Name | Table::Done)
            && !table_name.is_empty()
            && table_name.len() <= LONGEST_TABLE
            && self.operation != Some("SHOW");
        Statement {
            operation: self.operation.map_or(Cow::Borrowed(""), Cow::Borrowed),
            target,
            endpoint,
            table: named.then_some(table_name),
            statements: self.statements,
            trace: None,
        }
    }
}
