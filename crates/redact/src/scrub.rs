//! Scrubs texts: replaces what detection finds by placeholders, and remembers what was hidden and where.

use wirewise_model::Limits;

use crate::clean::{Clean, Search};
use crate::detect::{self, Random, Span};
use crate::kind::{Kind, Pseudonyms};
use crate::{json, names, text, url};

/// More places than this are not listed one by one.
const MOST_PLACES: usize = 64;
/// A place's name is cut here.
const LONGEST_NAME: usize = 40;
/// How deep texts in texts (JSON in strings, URLs in queries) are opened.
pub(crate) const DEEPEST: u8 = 4;

/// Where a text stands: `request.` `header.` `authorization`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place<'a> {
    pub(crate) side: &'static str,
    pub(crate) part: &'static str,
    pub(crate) name: &'a str,
}

impl<'a> Place<'a> {
    pub(crate) const fn new(side: &'static str, part: &'static str) -> Self {
        Self { side, part, name: "" }
    }

    /// The same part at another name.
    pub(crate) fn at<'b>(self, name: &'b str) -> Place<'b> {
        Place { side: self.side, part: self.part, name }
    }
}

/// One call's redaction under way.
pub(crate) struct Scrub<'a> {
    pub(crate) pseudonyms: &'a Pseudonyms,
    pub(crate) limits: &'a Limits,
    pub(crate) clean: &'a mut Clean,
    /// `kind@place`, each once.
    pub(crate) redactions: Vec<String>,
    /// How the call's user is known best so far: lower ranks are better.
    pub(crate) principal: Option<(u8, String)>,
    /// How many more levels may be opened.
    pub(crate) depth: u8,
}

impl<'a> Scrub<'a> {
    pub(crate) fn new(pseudonyms: &'a Pseudonyms, limits: &'a Limits, clean: &'a mut Clean) -> Self {
        Self { pseudonyms, limits, clean, redactions: Vec::new(), principal: None, depth: DEEPEST }
    }

    /// Hides a whole value.
    pub(crate) fn hide(&mut self, kind: Kind, value: &str, place: Place<'_>) -> String {
        self.remember(kind, place);
        self.pseudonyms.placeholder(kind, value)
    }

    /// Notes that something of this kind was hidden there.
    pub(crate) fn remember(&mut self, kind: Kind, place: Place<'_>) {
        if self.redactions.len() >= MOST_PLACES {
            return;
        }
        if self.redactions.iter().rev().any(|entry| is_entry(entry, kind, place)) {
            return;
        }
        let mut entry = format!("{}@{}{}", kind.name(), place.side, place.part);
        // Names come from the wire too: a secret in the place of a name must not be listed.
        let name = &place.name[..text::floor(place.name, LONGEST_NAME)];
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
        if !name.is_empty() && name.bytes().all(plain) && detect::spans(place.name, Random::Hide).is_empty() {
            entry.push('.');
            entry.push_str(name);
        }
        if !self.redactions.contains(&entry) {
            self.redactions.push(entry);
        }
    }

    /// Says who asked, unless that is known better already.
    pub(crate) fn identify(&mut self, rank: u8, family: &str, kind: Kind, value: &str) {
        if value.is_empty() || self.principal.as_ref().is_some_and(|(known, _)| *known <= rank) {
            return;
        }
        // Short tokens could be guessed from their digits; short user names keep theirs.
        if !kind.is_person() && crate::kind::is_weak(value) {
            return;
        }
        self.principal = Some((rank, format!("{family}:{}", self.pseudonyms.digits(kind, value))));
    }

    /// Scrubs prose, a path or whatever text: `None` where nothing had to be hidden.
    pub(crate) fn text(&mut self, text: &str, random: Random, place: Place<'_>) -> Option<String> {
        let spans = detect::spans(text, random);
        let raw = (!spans.is_empty()).then(|| self.replace(text, &spans, place));
        if !detect::is_percent_encoded(text) {
            return raw;
        }
        // What is hidden behind percent-encoding shows only decoded; then that form is kept.
        let decoded = text::percent_decode(raw.as_deref().unwrap_or(text));
        let Some(decoded) = decoded else { return raw };
        let spans = detect::spans(&decoded, random);
        if spans.is_empty() { raw } else { Some(self.replace(&decoded, &spans, place)) }
    }

    /// Scrubs in place what often repeats.
    pub(crate) fn mend(&mut self, text: &mut String, random: Random, place: Place<'_>) {
        let search = match random {
            Random::Hide => Search::Hide,
            Random::Keep => Search::Keep,
        };
        if self.clean.knows(search, text, "") {
            return;
        }
        match self.text(text, random, place) {
            Some(scrubbed) => *text = scrubbed,
            None => self.clean.learn(search, text, ""),
        }
    }

    /// What a value under this name is.
    pub(crate) fn classify(&mut self, name: &str) -> Option<Kind> {
        if self.clean.knows(Search::Name, name, "") {
            return None;
        }
        let kind = names::classify(name);
        if kind.is_none() {
            self.clean.learn(Search::Name, name, "");
        }
        kind
    }

    fn replace(&mut self, text: &str, spans: &[Span], place: Place<'_>) -> String {
        let mut out = String::with_capacity(text.len());
        let mut from = 0;
        for span in spans {
            out.push_str(&text[from..span.range.start]);
            out.push_str(&self.hide(span.kind, &text[span.range.clone()], place));
            from = span.range.end;
        }
        out.push_str(&text[from..]);
        out
    }

    /// Scrubs one decoded value of a query, form or JSON string, opening what it wraps. `None`: unchanged.
    pub(crate) fn value(&mut self, value: &str, place: Place<'_>) -> Option<String> {
        let trimmed = value.trim_start();
        if trimmed.starts_with(['{', '[']) && trimmed.len() > 2 && !detect::is_placeholder(trimmed) {
            if self.depth == 0 {
                return Some(self.hide(Kind::Nested, value, place));
            }
            self.depth -= 1;
            let parsed = json::scrub(value, json::End::Whole, place, self);
            self.depth += 1;
            if let Some(parsed) = parsed {
                return parsed.changed.then_some(parsed.text);
            }
        }
        if value.contains("://") || value.starts_with('/') || value.starts_with('?') {
            if self.depth == 0 {
                return Some(self.hide(Kind::Nested, value, place));
            }
            self.depth -= 1;
            let scrubbed = url::scrub(value, place, self);
            self.depth += 1;
            return scrubbed;
        }
        self.text(value, Random::Hide, place)
    }

    /// Scrubs a value whose name is known: hides all of it where the name says so.
    pub(crate) fn named(&mut self, kind: Option<Kind>, value: &str, place: Place<'_>) -> Option<String> {
        match kind {
            Some(kind) if !says_nothing(kind, value) => {
                (!detect::is_placeholder(value)).then(|| self.hide(kind, value, place))
            }
            Some(_) => None,
            None => self.value(value, place),
        }
    }
}

/// Whether `kind@place` is this entry, without making it.
fn is_entry(entry: &str, kind: Kind, place: Place<'_>) -> bool {
    let rest = entry.strip_prefix(kind.name()).and_then(|rest| rest.strip_prefix('@'));
    let rest = rest.and_then(|rest| rest.strip_prefix(place.side)?.strip_prefix(place.part));
    match rest {
        Some("") => place.name.is_empty(),
        Some(name) => name.strip_prefix('.') == Some(place.name),
        None => false,
    }
}

/// Whether a value may wrap another: JSON, or a URL with a query. What becomes of it depends on how deep it lies.
pub(crate) fn may_wrap(value: &str) -> bool {
    value.trim_start().starts_with(['{', '[']) || value.starts_with(['/', '?']) || value.contains("://")
}

/// Whether a value is so common that hiding it hides nothing.
pub(crate) fn says_nothing(kind: Kind, value: &str) -> bool {
    value.is_empty() || (kind != Kind::Password && matches!(value, "true" | "false" | "null"))
}

/// What a name means where values are scalars of a form or query.
pub(crate) fn query_kind(name: &str, value: &str) -> Option<Kind> {
    let kind = names::classify_query(name)?;
    // `?key=de` and `?code=404` select something; credentials are longer.
    let credential = !matches!(kind, Kind::Code | Kind::ApiKey) || value.len() >= 8;
    let counted =
        kind == Kind::Token && names::counts(name) && value.bytes().all(|byte| byte.is_ascii_digit());
    (credential && !counted).then_some(kind)
}
