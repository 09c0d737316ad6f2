//! What fields and status codes of RFC 9110 say of an exchange.

use std::time::Duration;

use wirewise_model::{Exchange, Kind, Message, Outcome, Value};

/// A server that says nothing for so long, asked in words of polling, was waiting for something to say. Without
/// such words it is slow: a slow dependency must not pass for a long poll.
const LONG_POLL: Duration = Duration::from_secs(10);
/// Longest piece of a protocol's own words about an error.
const LONGEST_ERROR: usize = 256;
/// Longest text of interim status codes; more are not written down.
const LONGEST_INTERIM: usize = 32;

/// How a response with that status came out.
pub(crate) fn outcome(code: u16) -> Outcome {
    match code {
        100..=399 => Outcome::Ok,
        400..=499 => Outcome::ClientError,
        // RFC 9110, 15: a code outside of 100..599 is invalid, and to be taken as if it were 5xx.
        _ => Outcome::ServerError,
    }
}

/// An interim response: it is told, but it is not the answer.
pub(crate) fn interim(exchange: &mut Exchange, code: u16) {
    const NAME: &str = "http.response.interim_status";
    match exchange.attributes.iter_mut().find(|attribute| attribute.name == NAME) {
        Some(attribute) => {
            if let Value::Text(codes) = &mut attribute.value
                && codes.len() < LONGEST_INTERIM
            {
                codes.push_str(&format!(",{code}"));
            }
        }
        None => exchange.attribute(NAME, code.to_string()),
    }
}

/// What can be said only once both bodies are there: their sizes, and an error that the response tells in JSON.
pub(crate) fn conclude_bodies(exchange: &mut Exchange) {
    if let Some(body) = exchange.request.as_ref().and_then(|request| request.body.as_ref()) {
        let size = size(body.wire_bytes);
        exchange.attribute("http.request.body.size", size);
    }
    if let Some(body) = exchange.response.as_ref().and_then(|response| response.body.as_ref()) {
        let size = size(body.wire_bytes);
        exchange.attribute("http.response.body.size", size);
    }
    if exchange.status_code.is_some_and(|code| code >= 400)
        && let Some(told) = exchange.response.as_ref().and_then(told_in_body)
    {
        exchange.error = Some(told);
    }
}

/// `stream` by media types that are made to go on, and for watches; `long_poll` only where the request says so, or
/// where it speaks of polling and waited long.
pub(crate) fn kind(exchange: &Exchange) -> Kind {
    let (path, query) = exchange.target.split_once('?').unwrap_or((&exchange.target, ""));
    let mut parameters = query.split('&').filter_map(|pair| pair.split_once('='));
    if let Some(response) = &exchange.response {
        let media = response.header("content-type").unwrap_or_default();
        let media = media.split(';').next().unwrap_or_default().trim();
        let is = |known: &str| media.eq_ignore_ascii_case(known);
        if is("text/event-stream") || is("multipart/x-mixed-replace") {
            return Kind::Stream;
        }
        let lines = is("application/x-ndjson") || is("application/jsonl") || is("application/stream+json");
        let watch = !query.is_empty()
            && parameters.clone().any(|(key, value)| key == "watch" && (value == "1" || value == "true"));
        if (lines || watch) && response.header("content-length").is_none() {
            return Kind::Stream;
        }
    }
    let Some(request) = &exchange.request else { return Kind::Unary };
    let prefers = request.header("prefer").is_some_and(|prefer| {
        prefer.split([',', ';']).any(|word| word.trim_start().to_ascii_lowercase().starts_with("wait="))
    });
    if prefers || (!query.is_empty() && parameters.clone().any(|pair| pair == ("transport", "polling"))) {
        return Kind::LongPoll;
    }
    let waited = exchange.time_to_first_byte().is_some_and(|waited| waited >= LONG_POLL);
    let mut polls = || {
        path.to_ascii_lowercase().contains("poll")
            || parameters
                .any(|(key, _)| matches!(key, "wait" | "timeout" | "timeoutSeconds" | "poll" | "longpoll"))
    };
    if waited && polls() { Kind::LongPoll } else { Kind::Unary }
}

/// W3C `traceparent`; else B3 (one header or several) or Jaeger's.
pub(crate) fn trace(message: &Message) -> Option<(String, String)> {
    let pair = |trace: &str, span: &str| Some((hex_id(trace, 32)?, hex_id(span, 16)?));
    if let Some(parent) = message.header("traceparent") {
        let mut parts = parent.trim().split('-');
        let (_version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
        if trace.len() == 32 && span.len() == 16 {
            return pair(trace, span);
        }
        return None;
    }
    if let Some(b3) = message.header("b3") {
        let mut parts = b3.trim().split('-');
        return pair(parts.next()?, parts.next()?);
    }
    if let Some(trace) = message.header("x-b3-traceid") {
        return pair(trace.trim(), message.header("x-b3-spanid")?.trim());
    }
    let mut parts = message.header("uber-trace-id")?.trim().split(':');
    pair(parts.next()?, parts.next()?)
}

fn hex_id(id: &str, width: usize) -> Option<String> {
    let hex = !id.is_empty() && id.len() <= width && id.bytes().all(|byte| byte.is_ascii_hexdigit());
    (hex && id.bytes().any(|byte| byte != b'0')).then(|| {
        let id = id.to_ascii_lowercase();
        if id.len() == width { id } else { format!("{id:0>width$}") }
    })
}

/// A piece of a protocol's own words about an error, no longer than is kept of one.
pub(crate) fn clip(mut words: String) -> String {
    if words.len() > LONGEST_ERROR {
        words.truncate(words.floor_char_boundary(LONGEST_ERROR));
    }
    words
}

/// The words of a JSON error: RFC 9457 `title` and `detail`, or what others call it.
fn told_in_body(response: &Message) -> Option<String> {
    let body = response.body.as_ref().filter(|body| !body.truncated)?;
    let media = response.header("content-type")?;
    if !media.to_ascii_lowercase().contains("json") {
        return None;
    }
    let value: serde_json::Value = serde_json::from_slice(&body.kept).ok()?;
    let word = |value: &serde_json::Value, key: &str| value.get(key)?.as_str().map(str::to_owned);
    let told = match (word(&value, "title"), word(&value, "detail")) {
        (Some(title), Some(detail)) => Some(format!("{title}: {detail}")),
        (title, detail) => title.or(detail),
    };
    let nested = || value.get("error").and_then(|error| word(error, "message"));
    told.or_else(nested)
        .or_else(|| word(&value, "error"))
        .or_else(|| word(&value, "message"))
        .filter(|told| !told.is_empty())
        .map(clip)
}

fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
