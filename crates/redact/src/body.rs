//! Bodies: kept only where their type was parsed and scrubbed. JSON and its line forms, event streams with
//! JSON in them, forms, multipart forms. Everything else leaves its length and type, no more.
//!
//! The type is what the headers claim, checked by parsing: a body that is not what it says is not kept.

use crate::detect::Random;
use crate::json::{self, End};
use crate::kind::Kind;
use crate::scrub::{Place, Scrub, query_kind};
use crate::url;

/// Parts of a multipart body that are looked at; more are not kept.
const MOST_PARTS: usize = 256;

/// A scrubbed body.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub(crate) text: String,
    /// Whether some of it was left out.
    pub(crate) cut: bool,
}

/// Scrubs a body. `None`: not kept. `cut` says that `bytes` are only its beginning.
pub(crate) fn scrub(
    headers: &[(String, String)],
    bytes: &[u8],
    cut: bool,
    place: Place<'_>,
    state: &mut Scrub<'_>,
) -> Option<Kept> {
    let content_type = content_type(headers)?;
    let mut parts = content_type.split(';');
    let essence = parts.next().unwrap_or("").trim().to_ascii_lowercase();
    let text = readable(bytes, cut)?;
    let charset = parameter(content_type, "charset").map(|charset| charset.to_ascii_lowercase());
    match charset.as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii" | "ascii" | "iso-8859-1" | "latin1" | "windows-1252") => {}
        Some(_) => return None,
    }
    let end = if cut { End::Cut } else { End::Whole };
    match essence.as_str() {
        "application/x-ndjson"
        | "application/ndjson"
        | "application/jsonl"
        | "application/json-lines"
        | "application/x-jsonlines"
        | "application/json-seq" => lines(text, cut, place, state),
        "application/json" | "text/json" | "application/graphql-response+json" => {
            whole_json(text, end, place, state)
        }
        other if other.ends_with("+json") => whole_json(text, end, place, state),
        "text/event-stream" => events(text, cut, place, state),
        "application/x-www-form-urlencoded" => form(text, cut, place, state),
        "multipart/form-data" => multipart(text, &parameter(content_type, "boundary")?, cut, place, state),
        _ => None,
    }
}

/// The one type that the headers claim; none where they contradict each other.
fn content_type(headers: &[(String, String)]) -> Option<&str> {
    let mut claims =
        headers.iter().filter(|(name, _)| name == "content-type").map(|(_, value)| value.as_str());
    let first = claims.next()?;
    claims.all(|other| other == first).then_some(first)
}

/// A parameter of a header value, unquoted.
fn parameter(value: &str, wanted: &str) -> Option<String> {
    value.split(';').skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().trim_matches('"').to_owned())
    })
}

/// The bytes as text; of a cut body without the character that the cut went through.
fn readable(bytes: &[u8], cut: bool) -> Option<&str> {
    match std::str::from_utf8(bytes) {
        Ok(text) => Some(text),
        Err(error) if cut && error.error_len().is_none() => {
            std::str::from_utf8(&bytes[..error.valid_up_to()]).ok()
        }
        Err(_) => None,
    }
}

fn whole_json(text: &str, end: End, place: Place<'_>, state: &mut Scrub<'_>) -> Option<Kept> {
    let scrubbed = json::scrub(text, end, place, state)?;
    Some(Kept { text: scrubbed.text, cut: scrubbed.cut })
}

/// A JSON value a line; also with the record separators of RFC 7464.
fn lines(text: &str, cut: bool, place: Place<'_>, state: &mut Scrub<'_>) -> Option<Kept> {
    let mut kept = Kept { text: String::with_capacity(text.len()), cut: false };
    for line in text.split_inclusive('\n') {
        let whole = line.ends_with('\n');
        let value = line.trim_matches(['\r', '\n', '\u{1e}', ' ', '\t']);
        if !value.is_empty() {
            let end = if cut && !whole { End::Cut } else { End::Whole };
            let scrubbed = json::scrub(value, end, place, state)?;
            kept.text.push_str(&scrubbed.text);
            kept.cut |= scrubbed.cut;
        }
        if whole {
            kept.text.push('\n');
        }
    }
    Some(kept)
}

/// Server-sent events: `data` that is JSON is scrubbed, other data hidden.
fn events(text: &str, cut: bool, place: Place<'_>, state: &mut Scrub<'_>) -> Option<Kept> {
    let mut kept = Kept { text: String::with_capacity(text.len()), cut: false };
    for line in text.split_inclusive(['\n', '\r']) {
        let content = line.trim_end_matches(['\r', '\n']);
        let whole = content.len() < line.len();
        if !whole && cut {
            // Half a line may be half a secret.
            kept.cut = true;
            break;
        }
        let (field, value) = content.split_once(':').unwrap_or((content, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "" | "event" | "id" | "retry" if value.is_empty() => kept.text.push_str(content),
            "event" | "id" | "retry" => {
                kept.text.push_str(field);
                kept.text.push_str(": ");
                kept.text.push_str(state.text(value, Random::Hide, place).as_deref().unwrap_or(value));
            }
            "data" => {
                kept.text.push_str("data: ");
                match json::scrub(value, End::Whole, place, state) {
                    Some(scrubbed) => kept.text.push_str(&scrubbed.text),
                    None if value.is_empty() || value == "[DONE]" => kept.text.push_str(value),
                    None => {
                        kept.text.push_str(&state.hide(Kind::Text, value, place));
                        kept.cut = true;
                    }
                }
            }
            // Comments keep a connection alive and say nothing; other fields have no meaning.
            "" => kept.text.push(':'),
            _ => return None,
        }
        kept.text.push_str(&line[content.len()..]);
    }
    Some(kept)
}

fn form(text: &str, cut: bool, place: Place<'_>, state: &mut Scrub<'_>) -> Option<Kept> {
    // Clients that send JSON without saying so claim to send a form.
    if text.trim_start().starts_with(['{', '[']) {
        return whole_json(text, if cut { End::Cut } else { End::Whole }, place, state);
    }
    let text = text.trim_end_matches(['\r', '\n']);
    let is_form =
        |byte: u8| matches!(byte, 0x21..=0x7e) && !matches!(byte, b'"' | b'<' | b'>' | b'\\' | b'{' | b'}');
    if !text.contains('=') || !text.bytes().all(is_form) {
        return None;
    }
    let whole = match cut {
        true => &text[..text.rfind('&').unwrap_or(0)],
        false => text,
    };
    let scrubbed = url::pairs(whole, place, state);
    Some(Kept { text: scrubbed.unwrap_or_else(|| whole.to_owned()), cut: whole.len() < text.len() })
}

/// RFC 7578. Text fields are scrubbed by name and value, files leave their length. What is kept is written
/// anew, with `part` as its boundary.
fn multipart(text: &str, boundary: &str, cut: bool, place: Place<'_>, state: &mut Scrub<'_>) -> Option<Kept> {
    if boundary.is_empty() || boundary.len() > 200 {
        return None;
    }
    let delimiter = format!("--{boundary}");
    let mut kept = Kept { text: String::new(), cut: false };
    let mut sections = text.split(delimiter.as_str());
    // What stands before the first boundary and after the last has no meaning.
    sections.next()?;
    let mut sections = sections.peekable();
    let (mut count, mut closed) = (0, false);
    while let Some(section) = sections.next() {
        if section.starts_with("--") {
            closed = true;
            break;
        }
        if sections.peek().is_none() || count == MOST_PARTS {
            // Without a boundary after it a part is not whole.
            kept.cut = true;
            break;
        }
        let section = section.strip_prefix("\r\n").or_else(|| section.strip_prefix('\n'))?;
        part(section, &mut kept, place, state)?;
        count += 1;
    }
    if !closed && !cut && !kept.cut {
        return None;
    }
    if count == 0 && !closed {
        return None;
    }
    kept.text.push_str(if closed { "--part--\r\n" } else { "" });
    Some(kept)
}

fn part(section: &str, kept: &mut Kept, place: Place<'_>, state: &mut Scrub<'_>) -> Option<()> {
    let (head, body) = section
        .split_once("\r\n\r\n")
        .or_else(|| section.split_once("\n\n"))
        .or_else(|| section.strip_prefix("\r\n").map(|body| ("", body)))?;
    let body = body.strip_suffix("\r\n").or_else(|| body.strip_suffix('\n')).unwrap_or(body);
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let field = |wanted: &str| {
        unfolded.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.trim().eq_ignore_ascii_case(wanted).then(|| value.trim().to_owned())
        })
    };
    let disposition = field("content-disposition")?;
    let name = parameter(&disposition, "name")?;
    let content_type = field("content-type").unwrap_or_else(|| "text/plain".to_owned());
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    let is_file = disposition.to_ascii_lowercase().contains("filename");
    let plainly_encoded = field("content-transfer-encoding")
        .is_none_or(|encoding| matches!(encoding.to_ascii_lowercase().as_str(), "7bit" | "8bit" | "binary"));

    let shown_name = state.text(&name, Random::Hide, place).unwrap_or_else(|| name.clone());
    let named = query_kind(&name, body);
    let here = place.at(&name);
    let value = match named {
        Some(kind) => Some(state.hide(kind, body, here)),
        None if is_file || !plainly_encoded => None,
        None if essence == "application/json" || essence.ends_with("+json") => {
            json::scrub(body, End::Whole, here, state).map(|scrubbed| scrubbed.text)
        }
        None if essence == "text/plain" => Some(state.value(body, here).unwrap_or_else(|| body.to_owned())),
        None => None,
    };
    kept.text.push_str("--part\r\ncontent-disposition: form-data; name=\"");
    kept.text.push_str(&shown_name);
    kept.text.push_str("\"\r\n\r\n");
    match value {
        Some(value) => kept.text.push_str(&value),
        None => {
            kept.text.push_str(&format!("[omitted:{} bytes]", body.len()));
            kept.cut = true;
        }
    }
    kept.text.push_str("\r\n");
    Some(())
}
