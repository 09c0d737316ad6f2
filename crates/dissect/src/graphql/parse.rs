//! A document, as far as a listener needs it: its operations, what they ask for first, and its text without literals.
//! GraphQL specification (October 2021), 2. Pure.

/// Operations of a document that are told.
const MOST_OPERATIONS: usize = 16;
/// Fields that an operation asks for first, and that are told.
const MOST_FIELDS: usize = 16;
/// Longest name that is told.
const LONGEST_NAME: usize = 64;

/// One operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Operation {
    /// query, mutation, subscription.
    pub(super) kind: &'static str,
    pub(super) name: Option<String>,
    pub(super) fields: Vec<String>,
}

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Document {
    pub(super) operations: Vec<Operation>,
    /// Its text, literals and comments left out.
    pub(super) text: String,
}

impl Document {
    /// Whether it asks for anything: a brace alone says nothing.
    pub(super) fn asks(&self) -> bool {
        self.operations.iter().any(|operation| !operation.fields.is_empty())
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    Mark(char),
    Spread,
    /// A string or a number.
    Literal(&'static str),
}

/// Reads a document; `None` where it is none. One that is cut, or wrong in its end, is read as far as it goes.
pub(super) fn document(source: &str) -> Option<Document> {
    let mut document = Document { operations: Vec::new(), text: String::new() };
    let mut head: Vec<&str> = Vec::new();
    let mut reader = Selection::default();
    // Braces of selections, and what is open inside of arguments.
    let (mut depth, mut nested) = (0_u32, 0_u32);
    let mut before = None;
    let mut rest = source;
    while let Some(token) = token(&mut rest) {
        write(&mut document.text, token, before);
        match token {
            Token::Mark('(' | '[') => nested += 1,
            Token::Mark('{') if nested > 0 => nested += 1,
            Token::Mark(')' | ']' | '}') if nested > 0 => nested -= 1,
            _ if nested > 0 => {}
            Token::Mark('{') => {
                if depth == 0 {
                    begin(&head, &mut document)?;
                    reader = Selection { tells: head.first() != Some(&"fragment"), ..Selection::default() };
                    head.clear();
                }
                depth += 1;
            }
            Token::Mark('}') => depth = depth.checked_sub(1)?,
            Token::Name(name) if depth == 0 => {
                if before != Some(Token::Mark('@')) {
                    head.push(name);
                }
                // `fragment Name on Type`, and no more before a brace.
                if head.len() > 4 {
                    return None;
                }
            }
            Token::Mark('@') if depth == 0 => {}
            _ if depth == 0 => return None,
            // In a selection are names, aliases, directives and spreads: with anything else it is another language.
            Token::Literal(_) => return None,
            Token::Mark(mark) if !matches!(mark, ':' | '@') => return None,
            _ if depth == 1 => reader.take(token, before, &mut document),
            _ => {}
        }
        before = Some(token);
    }
    (!document.operations.is_empty()).then_some(document)
}

/// An operation begins, or a fragment does.
fn begin(head: &[&str], document: &mut Document) -> Option<()> {
    let (kind, name) = match *head {
        [] => ("query", None),
        ["query", ref name @ ..] => ("query", name.first()),
        ["mutation", ref name @ ..] => ("mutation", name.first()),
        ["subscription", ref name @ ..] => ("subscription", name.first()),
        ["fragment", ..] => return Some(()),
        _ => return None,
    };
    if document.operations.len() < MOST_OPERATIONS {
        let name = name.map(|name| clip(name));
        document.operations.push(Operation { kind, name, fields: Vec::new() });
    }
    Some(())
}

/// The outermost selection of an operation.
#[derive(Default)]
struct Selection {
    /// It is an operation's, and not a fragment's.
    tells: bool,
    /// What comes is a type's name.
    typed: bool,
}

impl Selection {
    fn take(&mut self, token: Token<'_>, before: Option<Token<'_>>, document: &mut Document) {
        let Token::Name(name) = token else { return };
        let typed = std::mem::take(&mut self.typed);
        let Some(operation) = document.operations.last_mut().filter(|_| self.tells) else { return };
        match before {
            _ if typed => {}
            Some(Token::Mark('@')) => {}
            Some(Token::Spread) => self.typed = name == "on",
            // The name before was an alias.
            Some(Token::Mark(':')) => {
                operation.fields.pop();
                operation.fields.push(clip(name));
            }
            _ if operation.fields.len() < MOST_FIELDS => operation.fields.push(clip(name)),
            _ => {}
        }
    }
}

fn clip(name: &str) -> String {
    name.chars().take(LONGEST_NAME).collect()
}

/// The next token of a text, whose insignificant beginning is passed over.
fn token<'a>(rest: &mut &'a str) -> Option<Token<'a>> {
    loop {
        *rest = rest
            .trim_start_matches(|letter: char| letter.is_whitespace() || matches!(letter, ',' | '\u{feff}'));
        match rest.strip_prefix('#') {
            Some(comment) => *rest = comment.find(['\n', '\r']).map_or("", |end| &comment[end..]),
            None => break,
        }
    }
    let first = rest.chars().next()?;
    if let Some(behind) = rest.strip_prefix("...") {
        *rest = behind;
        return Some(Token::Spread);
    }
    let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    if first.is_ascii_digit() || first == '-' {
        let number = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '+' | '-');
        *rest = rest.trim_start_matches(number);
        return Some(Token::Literal("?"));
    }
    if is_name(first) {
        let end = rest.find(|letter| !is_name(letter)).unwrap_or(rest.len());
        let (name, behind) = rest.split_at(end);
        *rest = behind;
        return Some(Token::Name(name));
    }
    if let Some(block) = rest.strip_prefix("\"\"\"") {
        *rest = block.find("\"\"\"").and_then(|end| block.get(end + 3..)).unwrap_or("");
        return Some(Token::Literal("\"?\""));
    }
    if let Some(string) = rest.strip_prefix('"') {
        *rest = end_of_string(string);
        return Some(Token::Literal("\"?\""));
    }
    *rest = rest.get(first.len_utf8()..).unwrap_or("");
    Some(Token::Mark(first))
}

fn end_of_string(string: &str) -> &str {
    let mut letters = string.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '\\' => {
                letters.next();
            }
            '"' | '\n' => return string.get(at + 1..).unwrap_or(""),
            _ => {}
        }
    }
    ""
}

/// Adds a token to the text without literals.
fn write(text: &mut String, token: Token<'_>, before: Option<Token<'_>>) {
    let is_tight = |mark: Token<'_>| matches!(mark, Token::Mark('(' | '[' | '$' | '@') | Token::Spread);
    let closes = matches!(token, Token::Mark(')' | ']' | ':' | '!' | '('));
    if before.is_some_and(|before| !is_tight(before)) && !closes {
        text.push(' ');
    }
    match token {
        Token::Name(name) => text.push_str(name),
        Token::Mark(mark) => text.push(mark),
        Token::Spread => text.push_str("..."),
        Token::Literal(stand_in) => text.push_str(stand_in),
    }
}
