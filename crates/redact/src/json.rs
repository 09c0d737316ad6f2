//! JSON (RFC 8259), scrubbed token by token: the text is copied as it stands, but for values whose name or
//! looks tell a secret. Strict, so that what another parser might read differently is not kept at all.
//!
//! A text that was cut off by a limit is kept up to its last whole token: half a string is half a secret.
//!
//! Two shapes put the name of a secret beside its value, and are known: `{"name": "password", "value": ..}`
//! (environments, HAR, forms) and Kubernetes' `Secret` with its `data`.

use std::borrow::Cow;
use std::ops::Range;

use crate::clean::Search;
use crate::detect::{self, Random};
use crate::kind::Kind;
use crate::names;
use crate::scrub::{Place, Scrub, may_wrap, says_nothing};

/// Deeper nesting is not kept.
const DEEPEST: usize = 128;

/// How a text may end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It must be a whole value.
    Whole,
    /// It may end anywhere, since it was cut there.
    Cut,
}

/// What came of a text that is JSON.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Scrubbed {
    pub(crate) text: String,
    pub(crate) changed: bool,
    /// Whether it ended before the value did.
    pub(crate) cut: bool,
}

/// Scrubs a text. `None` where it is no JSON.
pub(crate) fn scrub(text: &str, end: End, place: Place<'_>, scrub: &mut Scrub<'_>) -> Option<Scrubbed> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let out = String::with_capacity(text.len() + 32);
    let mut json = Json { text, at: 0, out, end, place, scrub, depth: 0, changed: false };
    let result = json.value(None, "").and_then(|_| json.blanks().or(Ok(())));
    match result {
        Ok(()) if json.at == text.len() => {
            Some(Scrubbed { text: json.out, changed: json.changed, cut: false })
        }
        Ok(()) | Err(Stop::Bad) => None,
        Err(Stop::Cut) => Some(Scrubbed { text: json.out, changed: json.changed, cut: true }),
    }
}

/// Why reading stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stop {
    Bad,
    Cut,
}

/// What a value was, as far as its neighbours care.
enum Seen {
    /// A string that is the name of a secret.
    Names(Kind),
    /// The string `Secret` or `SecretList`.
    SecretObject,
    Other,
}

struct Json<'t, 's, 'a> {
    text: &'t str,
    at: usize,
    out: String,
    end: End,
    place: Place<'t>,
    scrub: &'s mut Scrub<'a>,
    depth: usize,
    changed: bool,
}

impl<'t> Json<'t, '_, '_> {
    fn peek(&self) -> Result<u8, Stop> {
        self.text.as_bytes().get(self.at).copied().ok_or(self.ended())
    }

    fn ended(&self) -> Stop {
        match self.end {
            End::Whole => Stop::Bad,
            End::Cut => Stop::Cut,
        }
    }

    /// Copies blanks. Fails at the end of the text.
    fn blanks(&mut self) -> Result<(), Stop> {
        let from = self.at;
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.text.as_bytes().get(self.at) {
            self.at += 1;
        }
        self.out.push_str(&self.text[from..self.at]);
        self.peek().map(|_| ())
    }

    fn copy(&mut self, mark: u8) -> Result<(), Stop> {
        if self.peek()? != mark {
            return Err(Stop::Bad);
        }
        self.out.push(char::from(mark));
        self.at += 1;
        Ok(())
    }

    fn value(&mut self, kind: Option<Kind>, name: &str) -> Result<Seen, Stop> {
        self.blanks()?;
        match self.peek()? {
            b'{' => self.nest(|json| json.object(kind)).map(|()| Seen::Other),
            b'[' => self.nest(|json| json.array(kind, name)).map(|()| Seen::Other),
            b'"' => self.string(kind, name),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            b'-' | b'0'..=b'9' => self.number(kind, name).map(|()| Seen::Other),
            _ => Err(Stop::Bad),
        }
    }

    fn nest(&mut self, inside: impl FnOnce(&mut Self) -> Result<(), Stop>) -> Result<(), Stop> {
        self.depth += 1;
        let result = if self.depth > DEEPEST { Err(Stop::Bad) } else { inside(self) };
        self.depth -= 1;
        result
    }

    fn word(&mut self, word: &str) -> Result<Seen, Stop> {
        let rest = &self.text[self.at..];
        if rest.starts_with(word) {
            self.out.push_str(word);
            self.at += word.len();
            return Ok(Seen::Other);
        }
        Err(if word.starts_with(rest) { self.ended() } else { Stop::Bad })
    }

    fn object(&mut self, inherited: Option<Kind>) -> Result<(), Stop> {
        self.copy(b'{')?;
        let mut siblings = Siblings::default();
        let result = self.members(inherited, &mut siblings);
        if result != Err(Stop::Bad) {
            self.settle(siblings, result == Err(Stop::Cut));
        }
        result
    }

    fn members(&mut self, inherited: Option<Kind>, siblings: &mut Siblings) -> Result<(), Stop> {
        self.blanks()?;
        if self.peek()? == b'}' {
            return self.copy(b'}');
        }
        loop {
            self.blanks()?;
            let (raw, key) = self.read_string()?;
            let kind = self.key(raw, &key).or(inherited);
            self.blanks()?;
            self.copy(b':')?;
            let start = self.out.len();
            let result = self.value(kind, &key);
            siblings.saw(&key, start..self.out.len(), &result);
            result?;
            self.blanks()?;
            match self.peek()? {
                b',' => self.copy(b',')?,
                b'}' => return self.copy(b'}'),
                _ => return Err(Stop::Bad),
            }
        }
    }

    /// Writes a key, and says what a value under it is.
    fn key(&mut self, raw: &str, key: &str) -> Option<Kind> {
        if self.scrub.clean.knows(Search::Key, key, "") {
            self.out.push_str(raw);
            return None;
        }
        let kind = names::classify(key);
        // A key may itself be the secret: maps by token or by card.
        match self.scrub.text(key, Random::Hide, self.place) {
            Some(scrubbed) => self.write_string(&scrubbed),
            None => {
                self.out.push_str(raw);
                if kind.is_none() {
                    self.scrub.clean.learn(Search::Key, key, "");
                }
            }
        }
        kind
    }

    /// Hides members whose siblings say what they are; where the siblings were cut off, to be safe.
    fn settle(&mut self, siblings: Siblings, cut: bool) {
        for (range, role) in siblings.members.into_iter().rev() {
            let kind = match role {
                Role::Value => siblings.named.or((cut && !siblings.has_name).then_some(Kind::Secret)),
                Role::Data => {
                    let secret = siblings.is_secret || (cut && siblings.has_version && !siblings.has_kind);
                    secret.then_some(Kind::Secret)
                }
            };
            let Some(kind) = kind else { continue };
            let written = self.out[range.clone()].trim();
            if matches!(written, "" | "null" | "true" | "false") || written.starts_with("\"[") {
                continue;
            }
            self.scrub.remember(kind, self.place);
            self.out.replace_range(range, &format!("\"[redacted:{}]\"", kind.name()));
            self.changed = true;
        }
    }

    fn array(&mut self, kind: Option<Kind>, name: &str) -> Result<(), Stop> {
        self.copy(b'[')?;
        self.blanks()?;
        if self.peek()? == b']' {
            return self.copy(b']');
        }
        let mut next = kind;
        loop {
            // `["password", "x"]` and `["AUTH", "x"]` put the name before the value.
            next = match self.value(next, name)? {
                Seen::Names(named) => Some(named),
                Seen::SecretObject | Seen::Other => kind,
            };
            self.blanks()?;
            match self.peek()? {
                b',' => self.copy(b',')?,
                b']' => return self.copy(b']'),
                _ => return Err(Stop::Bad),
            }
        }
    }

    fn string(&mut self, kind: Option<Kind>, name: &str) -> Result<Seen, Stop> {
        let (raw, value) = self.read_string()?;
        let repeats = kind.is_none() && !may_wrap(&value);
        if repeats && self.scrub.clean.knows(Search::Member, &value, "") {
            self.out.push_str(raw);
            return Ok(Seen::Other);
        }
        let place = if name.is_empty() { self.place } else { self.place.at(name) };
        let whole = kind.filter(|kind| !says_nothing(*kind, &value));
        let scrubbed = self.scrub.named(whole, &value, place);
        match &scrubbed {
            Some(scrubbed) => self.write_string(scrubbed),
            None => self.out.push_str(raw),
        }
        let seen = match value.as_ref() {
            "Secret" | "SecretList" => Seen::SecretObject,
            "AUTH" => Seen::Names(Kind::Password),
            name if name.len() <= 64 && !name.contains(' ') => match names::classify(name) {
                Some(kind) if !kind.is_person() => Seen::Names(kind),
                _ => Seen::Other,
            },
            _ => Seen::Other,
        };
        if repeats && scrubbed.is_none() && matches!(seen, Seen::Other) {
            self.scrub.clean.learn(Search::Member, &value, "");
        }
        Ok(seen)
    }

    fn number(&mut self, kind: Option<Kind>, name: &str) -> Result<(), Stop> {
        let rest = &self.text[self.at..];
        let length = rest
            .bytes()
            .position(|byte| !matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
            .unwrap_or(rest.len());
        // A number at the very end may go on.
        if length == rest.len() && self.end == End::Cut {
            return Err(Stop::Cut);
        }
        let number = &rest[..length];
        if !is_number(number) {
            return Err(Stop::Bad);
        }
        self.at += length;
        let counted = || names::counts(name) && number.len() <= 12;
        // A number is never a person's name, nor a count of tokens a token.
        let kind = kind.filter(|kind| !kind.is_person() && (*kind != Kind::Token || !counted()));
        let kind = kind.or_else(|| detect::is_card(number).then_some(Kind::Card));
        match kind {
            Some(kind) => {
                let place = if name.is_empty() { self.place } else { self.place.at(name) };
                let hidden = self.scrub.hide(kind, number, place);
                self.write_string(&hidden);
            }
            None => self.out.push_str(number),
        }
        Ok(())
    }

    /// The string that begins here, as it stands and as it reads.
    fn read_string(&mut self) -> Result<(&'t str, Cow<'t, str>), Stop> {
        if self.peek()? != b'"' {
            return Err(Stop::Bad);
        }
        let text: &'t str = self.text;
        let bytes = text.as_bytes();
        let (start, mut at, mut escaped) = (self.at, self.at + 1, false);
        loop {
            match bytes.get(at) {
                None => return Err(self.ended()),
                Some(b'"') => break,
                Some(b'\\') => {
                    escaped = true;
                    at += 2;
                }
                Some(0..=0x1f) => return Err(Stop::Bad),
                Some(_) => at += 1,
            }
        }
        let inside = &text[start + 1..at];
        self.at = at + 1;
        let read = match escaped {
            true => Cow::Owned(unescape(inside).ok_or(Stop::Bad)?),
            false => Cow::Borrowed(inside),
        };
        Ok((&text[start..=at], read))
    }

    fn write_string(&mut self, value: &str) {
        self.changed = true;
        self.out.push('"');
        for letter in value.chars() {
            match letter {
                '"' => self.out.push_str("\\\""),
                '\\' => self.out.push_str("\\\\"),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                '\u{0}'..='\u{1f}' => self.out.push_str(&format!("\\u{:04x}", u32::from(letter))),
                other => self.out.push(other),
            }
        }
        self.out.push('"');
    }
}

/// Members of one object that a sibling may turn out to speak about.
#[derive(Default)]
struct Siblings {
    members: Vec<(Range<usize>, Role)>,
    named: Option<Kind>,
    has_name: bool,
    is_secret: bool,
    has_kind: bool,
    has_version: bool,
}

#[derive(Clone, Copy)]
enum Role {
    Value,
    Data,
}

impl Siblings {
    fn saw(&mut self, key: &str, written: Range<usize>, result: &Result<Seen, Stop>) {
        match key {
            "value" | "Value" | "val" => self.members.push((written, Role::Value)),
            "data" | "stringData" | "items" => self.members.push((written, Role::Data)),
            "apiVersion" => self.has_version = true,
            "kind" => {
                self.has_kind |= result.is_ok();
                self.is_secret |= matches!(result, Ok(Seen::SecretObject));
            }
            "name" | "Name" | "key" | "Key" | "field" | "header" | "param" | "parameter" | "variable" => {
                self.has_name |= result.is_ok();
                if let Ok(Seen::Names(kind)) = result {
                    self.named = Some(*kind);
                }
            }
            _ => {}
        }
    }
}

fn is_number(text: &str) -> bool {
    let bytes = text.strip_prefix('-').unwrap_or(text).as_bytes();
    let digits = |bytes: &[u8]| bytes.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let whole = digits(bytes);
    if whole == 0 || (whole > 1 && bytes[0] == b'0') {
        return false;
    }
    let mut rest = &bytes[whole..];
    if let [b'.', fraction @ ..] = rest {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let [b'e' | b'E', exponent @ ..] = rest {
        let exponent = match exponent {
            [b'+' | b'-', digits @ ..] => digits,
            plain => plain,
        };
        let length = digits(exponent);
        if length == 0 {
            return false;
        }
        rest = &exponent[length..];
    }
    rest.is_empty()
}

/// Undoes escapes. Lone surrogates become U+FFFD. `None` for what is no escape.
fn unescape(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(slash) = rest.find('\\') {
        out.push_str(&rest[..slash]);
        let mut after = rest[slash + 1..].chars();
        let escape = after.next()?;
        rest = after.as_str();
        match escape {
            '"' | '\\' | '/' => out.push(escape),
            'b' => out.push('\u{8}'),
            'f' => out.push('\u{c}'),
            'n' => out.push('\n'),
            'r' => out.push('\r'),
            't' => out.push('\t'),
            'u' => {
                let high = hex4(rest)?;
                rest = &rest[4..];
                let low = rest.strip_prefix("\\u").and_then(hex4);
                let pair = match (high, low) {
                    (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                        rest = &rest[6..];
                        char::from_u32(0x10000 + ((high - 0xd800) << 10) + (low - 0xdc00))
                    }
                    _ => char::from_u32(high),
                };
                out.push(pair.unwrap_or(char::REPLACEMENT_CHARACTER));
            }
            _ => return None,
        }
    }
    out.push_str(rest);
    Some(out)
}

fn hex4(text: &str) -> Option<u32> {
    let digits = text.get(..4)?;
    digits.bytes().all(|byte| byte.is_ascii_hexdigit()).then(|| u32::from_str_radix(digits, 16).ok())?
}

#[cfg(test)]
mod tests {
    use wirewise_model::Limits;

    use super::*;
    use crate::clean::Clean;
    use crate::kind::{Key, Pseudonyms};

    fn run(text: &str, end: End) -> Option<Scrubbed> {
        let pseudonyms = Pseudonyms::new(&Key::from_bytes([1; 32]));
        let limits = Limits::default();
        scrub(
            text,
            end,
            Place::new("request.", "body"),
            &mut Scrub::new(&pseudonyms, &limits, &mut Clean::new()),
        )
    }

    fn check(text: &str, expect: &str) {
        assert_eq!(run(text, End::Whole).map(|scrubbed| scrubbed.text).as_deref(), Some(expect), "{text}");
    }

    #[test]
    fn hides_by_name_at_any_depth_and_keeps_the_rest_as_it_stands() {
        check(
            r#"{ "a" : [1, 2.5e3, {"password": "x"}] , "b":null}"#,
            r#"{ "a" : [1, 2.5e3, {"password": "[redacted:password]"}] , "b":null}"#,
        );
        check(r#"{"pin":1234,"cvv":"123"}"#, r#"{"pin":"[redacted:pin]","cvv":"[redacted:cvv]"}"#);
        check(r#"{"pass\u0077ord":"x"}"#, r#"{"pass\u0077ord":"[redacted:password]"}"#);
        check(
            r#"{"credentials":{"a":"x","b":[1,"y"]}}"#,
            r#"{"credentials":{"a":"[redacted:credential]","b":["[redacted:credential]","[redacted:credential]"]}}"#,
        );
        check(
            r#"{"usage":{"total_tokens":350},"max_tokens":64}"#,
            r#"{"usage":{"total_tokens":350},"max_tokens":64}"#,
        );
        check(r#"{"token_type":"bearer","expires_in":3600}"#, r#"{"token_type":"bearer","expires_in":3600}"#);
    }

    #[test]
    fn hides_by_value_in_values_keys_and_numbers() {
        check(r#"{"n":4111111111111111}"#, r#"{"n":"[redacted:card]"}"#);
        check(r#"["see 4111-1111-1111-1111"]"#, r#"["see [redacted:card]"]"#);
        check(r#"{"4111 1111 1111 1111":1}"#, r#"{"[redacted:card]":1}"#);
        check(r#"{"dsn":"mysql://:pw@db/x"}"#, r#"{"dsn":"mysql://:[redacted:password]@db/x"}"#);
    }

    #[test]
    fn opens_json_in_strings() {
        check(r#"{"m":"{\"a\":{\"pin\":1234}}"}"#, r#"{"m":"{\"a\":{\"pin\":\"[redacted:pin]\"}}"}"#);
        check(
            r#""{\"m\":\"{\\\"pin\\\":\\\"1\\\"}\"}""#,
            r#""{\"m\":\"{\\\"pin\\\":\\\"[redacted:pin]\\\"}\"}""#,
        );
        check(r#"{"m":"{\"pin\":\"1234\", cut"}"#, r#"{"m":"{\"pin\":\"[redacted:pin]\", cut"}"#);
    }

    #[test]
    fn names_beside_values_count() {
        check(
            r#"[{"name":"DB_PASSWORD","value":"x"}]"#,
            r#"[{"name":"DB_PASSWORD","value":"[redacted:password]"}]"#,
        );
        check(
            r#"[{"value":"x","name":"DB_PASSWORD"}]"#,
            r#"[{"value":"[redacted:password]","name":"DB_PASSWORD"}]"#,
        );
        check(r#"{"name":"color","value":"red"}"#, r#"{"name":"color","value":"red"}"#);
        check(r#"["AUTH","x"]"#, r#"["AUTH","[redacted:password]"]"#);
        check(
            r#"{"apiVersion":"v1","data":{"k":"aHVudGVyMg=="},"kind":"Secret"}"#,
            r#"{"apiVersion":"v1","data":"[redacted:secret]","kind":"Secret"}"#,
        );
    }

    #[test]
    fn what_was_cut_ends_with_its_last_whole_token() {
        let cut = |text: &str| run(text, End::Cut).map(|scrubbed| (scrubbed.text, scrubbed.cut));
        assert_eq!(cut(r#"{"a":"b","c":"hal"#), Some((r#"{"a":"b","c":"#.to_owned(), true)));
        assert_eq!(cut(r#"{"a":411111111"#), Some((r#"{"a":"#.to_owned(), true)));
        assert_eq!(cut(r#"{"a":tr"#), Some((r#"{"a":"#.to_owned(), true)));
        assert_eq!(cut(r#"{"a":1}"#), Some((r#"{"a":1}"#.to_owned(), false)));
        assert_eq!(cut(r#"[{"value":"x","#), Some((r#"[{"value":"[redacted:secret]","#.to_owned(), true)));
        assert_eq!(cut(r#"{"a":"b\"#), Some((r#"{"a":"#.to_owned(), true)));
    }

    #[test]
    fn what_is_no_json_is_refused() {
        for text in [
            "",
            "{",
            "{]",
            "{'a':1}",
            "{\"a\":1,}",
            "[1 2]",
            "01",
            "nul",
            "{\"a\":\"b\nc\"}",
            "\"\\x\"",
            "{} x",
            "<html>",
            "\"\\u12\"",
            "\"\\u{é}é\"",
        ] {
            assert_eq!(run(text, End::Whole), None, "{text}");
        }
        let deep = "[".repeat(200_000);
        assert_eq!(run(&deep, End::Cut), None);
    }

    /// Texts in texts are hidden past a depth, however often they were seen to be clean above it.
    #[test]
    fn what_was_redacted_before_changes_nothing() {
        let pseudonyms = Pseudonyms::new(&Key::from_bytes([1; 32]));
        let limits = Limits::default();
        let mut clean = Clean::new();
        let mut nested = r#"{"a":"b"}"#.to_owned();
        for _ in 0..6 {
            let place = Place::new("request.", "body");
            let with = |clean: &mut Clean| {
                scrub(&nested, End::Whole, place, &mut Scrub::new(&pseudonyms, &limits, clean))
            };
            assert_eq!(with(&mut clean), with(&mut Clean::new()), "{nested}");
            nested = serde_json::json!({ "a": nested }).to_string();
        }
    }
}
