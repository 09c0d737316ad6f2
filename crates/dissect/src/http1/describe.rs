//! What a message says of itself: headers to the columns, attributes and framing of an exchange.

use smallvec::SmallVec;
use wirewise_model::{Exchange, Kind, Message, Track};

use super::Bounds;
use super::framing::{Chunked, Framing};
use super::parse::{Head, Line, text};
use crate::http::{self, Coding, clip};
use crate::text::lossy;

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
    exchange.trace = traits.trace.and_then(|_| http::trace(&message));
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
    exchange.outcome = http::outcome(code);
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

/// The last touches: what can be said only once both halves are there.
pub(super) fn conclude(exchange: &mut Exchange, asked: Asked) {
    http::conclude_bodies(exchange);
    exchange.kind = kind(exchange, asked);
}

/// `session` for what became a tunnel or another protocol; else as any version of HTTP.
pub(super) fn kind(exchange: &Exchange, asked: Asked) -> Kind {
    let code = exchange.status_code.unwrap_or_default();
    if code == 101 || (asked.connect && matches!(code, 200..=299)) {
        return Kind::Session;
    }
    http::kind(exchange)
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
        let mut name = lossy(name);
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

fn version(minor: u8) -> &'static str {
    match minor {
        0 => "1.0",
        1 => "1.1",
        _ => "1.x",
    }
}
