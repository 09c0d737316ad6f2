//! What a message says of itself: headers to the columns, attributes and framing of an exchange.

use smallvec::SmallVec;
use wirewise_model::{Exchange, Kind, Message, Outcome, Track, Value};

use super::Bounds;
use super::decode::Coding;
use super::framing::{Chunked, Framing};
use super::parse::{Head, Line, text};

/// A server that says nothing for so long, asked in words of polling, was waiting for something to say. Without
/// such words it is slow: a slow dependency must not pass for a long poll.
const LONG_POLL: std::time::Duration = std::time::Duration::from_secs(10);
/// Longest piece of a protocol's own words about an error.
const LONGEST_ERROR: usize = 256;
/// Longest text of interim status codes; more are not written down.
const LONGEST_INTERIM: usize = 32;

/// What the request says about how its response is to be read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// HEAD: the response has no body, whatever it says.
    pub(super) head: bool,
    pub(super) connect: bool,
    /// It offers to go on in another protocol, by the name in our table where that is known.
    pub(super) upgrade: Option<Option<&'static str>>,
    /// It waits for 100 before its body.
    pub(super) expects: bool,
}

/// What the fields say that framing and pairing need.
#[derive(Default)]
struct Traits {
    length: Length,
    chunked: bool,
    /// A transfer coding other than chunked comes last.
    uncertain_end: bool,
    /// In the order in which they were applied.
    codings: SmallVec<[Coding; 2]>,
    upgrade: Option<Option<&'static str>>,
    expects: bool,
    host: Option<usize>,
    agent: Option<usize>,
    content_type: Option<usize>,
    trace: Option<usize>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Length {
    #[default]
    Absent,
    Known(u64),
    Bad,
}

/// A body to come.
pub(super) struct Incoming {
    pub(super) framing: Framing,
    pub(super) codings: SmallVec<[Coding; 2]>,
}

/// Fills in the asking half of an exchange.
pub(super) fn request(
    exchange: &mut Exchange,
    head: &Head<'_>,
    track: Track,
    bounds: &Bounds,
) -> (Asked, Option<Incoming>) {
    let Line::Request { method, target, minor } = head.line else { return (Asked::default(), None) };
    let (message, traits) = message(exchange, head, track, bounds);
    exchange.attributes.reserve(6);
    let asked = Asked {
        head: method == b"HEAD",
        connect: method == b"CONNECT",
        upgrade: traits.upgrade,
        expects: traits.expects,
    };
    exchange.operation = text(method);
    let value = |index: usize| message.headers[index].1.as_str();
    exchange.host = traits.host.map(|index| value(index).to_owned());
    set_target(exchange, text(target), asked.connect);
    exchange.attribute("network.protocol.version", version(minor));
    if let Some(agent) = traits.agent {
        exchange.attribute("user_agent.original", value(agent));
    }
    exchange.trace = traits.trace.and_then(|_| trace(&message));
    exchange.request = Some(message);
    let framing = if traits.chunked {
        Some(Framing::Chunked(Chunked::new(bounds.header_bytes as usize)))
    } else {
        if traits.uncertain_end {
            exchange.note("bad_transfer_encoding");
        }
        match traits.length {
            Length::Known(length) if length > 0 => Some(Framing::Length(length)),
            Length::Absent | Length::Bad | Length::Known(_) => None,
        }
    };
    (asked, framing.map(|framing| Incoming { framing, codings: traits.codings }))
}

/// Fills in the answering half of an exchange.
pub(super) fn response(
    exchange: &mut Exchange,
    asked: Asked,
    head: &Head<'_>,
    track: Track,
    bounds: &Bounds,
) -> Option<Incoming> {
    let Line::Response { code, reason, minor } = head.line else { return None };
    let (message, traits) = message(exchange, head, track, bounds);
    if exchange.request.is_none() {
        exchange.attribute("network.protocol.version", version(minor));
    }
    if let Some(index) = traits.content_type {
        exchange.attribute("http.response.header.content-type", message.headers[index].1.as_str());
    }
    exchange.response = Some(message);
    exchange.status = Some(code.to_string());
    exchange.status_code = Some(i64::from(code));
    exchange.outcome = match code {
        100..=399 => Outcome::Ok,
        400..=499 => Outcome::ClientError,
        // RFC 9110, 15: a code outside of 100..599 is invalid, and to be taken as if it were 5xx.
        _ => Outcome::ServerError,
    };
    if code >= 400 && !reason.is_empty() {
        exchange.error = Some(clip(text(reason)));
    }
    let bodiless =
        asked.head || matches!(code, 100..=199 | 204 | 304) || (asked.connect && matches!(code, 200..=299));
    let framing = if bodiless {
        return None;
    } else if traits.chunked {
        Framing::Chunked(Chunked::new(bounds.header_bytes as usize))
    } else {
        match traits.length {
            Length::Known(0) if !traits.uncertain_end => return None,
            Length::Known(length) if !traits.uncertain_end => Framing::Length(length),
            Length::Absent | Length::Bad | Length::Known(_) => Framing::Close,
        }
    };
    Some(Incoming { framing, codings: traits.codings })
}

/// An interim response: it is told, but it is not the answer.
pub(super) fn interim(exchange: &mut Exchange, code: u16) {
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

/// The last touches: what can be said only once both halves are there.
pub(super) fn conclude(exchange: &mut Exchange, asked: Asked) {
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
    exchange.kind = kind(exchange, asked);
}

/// `session` for what became a tunnel or another protocol; `stream` by media types that are made to go on, and
/// for watches; `long_poll` only where the request says so, or where it speaks of polling and waited long.
pub(super) fn kind(exchange: &Exchange, asked: Asked) -> Kind {
    let code = exchange.status_code.unwrap_or_default();
    if code == 101 || (asked.connect && matches!(code, 200..=299)) {
        return Kind::Session;
    }
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

/// Fields of a chunked body's trailer section go behind the headers.
pub(super) fn add_trailers(message: &mut Message, block: &[u8], bounds: &Bounds) {
    for (name, value) in super::parse::trailers(block) {
        if message.headers.len() >= bounds.headers as usize {
            break;
        }
        message.headers.push((text(name).to_ascii_lowercase(), text(value)));
    }
}

fn message(exchange: &mut Exchange, head: &Head<'_>, track: Track, bounds: &Bounds) -> (Message, Traits) {
    if head.malformed {
        exchange.note("malformed_header");
    }
    let kept = head.fields.len().min(bounds.headers as usize);
    if kept < head.fields.len() {
        exchange.note("headers_omitted");
    }
    let mut headers = Vec::with_capacity(kept);
    let mut traits = Traits::default();
    let mut transfer: SmallVec<[Coding; 2]> = SmallVec::new();
    for (index, (name, value)) in head.fields.iter().enumerate() {
        let mut name = text(name);
        name.make_ascii_lowercase();
        let value = text(value);
        let at = (index < kept).then_some(index);
        match name.as_str() {
            "host" => traits.host = traits.host.or(at),
            "user-agent" => traits.agent = traits.agent.or(at),
            "content-type" => traits.content_type = traits.content_type.or(at),
            "traceparent" | "b3" | "x-b3-traceid" | "uber-trace-id" => traits.trace = at.or(traits.trace),
            "content-length" => read_length(&mut traits.length, &value, exchange),
            "content-encoding" => {
                traits.codings.extend(value.split(',').filter_map(|word| Coding::parse(word.trim())))
            }
            "transfer-encoding" => {
                for word in value.split(',').map(str::trim) {
                    if word.eq_ignore_ascii_case("chunked") {
                        traits.chunked = true;
                    } else if let Some(coding) = Coding::parse(word) {
                        transfer.push(coding);
                    }
                }
            }
            "upgrade" => traits.upgrade = traits.upgrade.or(Some(upgrade(&value))),
            "expect" => traits.expects |= value.eq_ignore_ascii_case("100-continue"),
            _ => {}
        }
        if index < kept {
            headers.push((name, value));
        }
    }
    traits.uncertain_end = !transfer.is_empty() && !traits.chunked;
    traits.codings.extend(transfer);
    // RFC 9112, 6.3: chunked wins, and "ought to be handled as an error": it is how requests are smuggled.
    if traits.chunked && traits.length != Length::Absent {
        exchange.note("chunked_with_length");
    }
    (Message { track, headers, body: None }, traits)
}

/// RFC 9110, 8.6: digits; a list of equal values is one value.
fn read_length(length: &mut Length, value: &str, exchange: &mut Exchange) {
    for word in value.split(',').map(str::trim) {
        let digits = !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_digit());
        let read = if digits { word.parse().map_or(Length::Bad, Length::Known) } else { Length::Bad };
        if read == Length::Bad {
            exchange.note("bad_content_length");
        }
        match *length {
            Length::Absent => *length = read,
            Length::Known(_) | Length::Bad if read != *length => exchange.note("content_length_conflict"),
            Length::Known(_) | Length::Bad => {}
        }
    }
}

fn upgrade(value: &str) -> Option<&'static str> {
    let mut offered = value.split(',').map(str::trim);
    let first = offered.next().unwrap_or_default();
    if first.eq_ignore_ascii_case("websocket") {
        Some("websocket")
    } else if first.eq_ignore_ascii_case("h2c") {
        Some("http2")
    } else {
        None
    }
}

/// RFC 9112, 3.2: origin-form stays; of absolute-form the authority is the host, whatever Host says.
fn set_target(exchange: &mut Exchange, target: String, connect: bool) {
    if connect {
        exchange.host = exchange.host.take().or_else(|| Some(target.clone()));
    } else if !target.starts_with('/')
        && let Some((scheme, rest)) = target.split_once("://")
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric())
    {
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        exchange.attribute("url.scheme", scheme.to_ascii_lowercase());
        if !host.is_empty() {
            exchange.host = Some(host.to_owned());
        }
        exchange.target = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        return;
    }
    exchange.target = target;
}

/// W3C `traceparent`; else B3 (one header or several) or Jaeger's.
fn trace(message: &Message) -> Option<(String, String)> {
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
    (hex && id.bytes().any(|byte| byte != b'0')).then(|| format!("{:0>width$}", id.to_ascii_lowercase()))
}

fn version(minor: u8) -> &'static str {
    match minor {
        0 => "1.0",
        1 => "1.1",
        _ => "1.x",
    }
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

fn clip(mut words: String) -> String {
    if words.len() > LONGEST_ERROR {
        words.truncate(words.floor_char_boundary(LONGEST_ERROR));
    }
    words
}

fn size(bytes: u64) -> i64 {
    i64::try_from(bytes).unwrap_or(i64::MAX)
}
