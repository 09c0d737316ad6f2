//! What header blocks say of an exchange: its columns, attributes and outcome.

use wirewise_model::{Exchange, Kind, Message, Outcome, Track};

use super::fields::{Fields, UNKNOWN};
use super::parse::error_name;
use crate::http;

/// Longest words of a GOAWAY that are told.
const LONGEST_WORDS: usize = 128;

/// What the request says about how its response is to be read.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Asked {
    /// HEAD: the response has no body, whatever it says.
    pub(super) head: bool,
    pub(super) connect: bool,
}

/// Fills in the asking half of an exchange.
pub(super) fn request(exchange: &mut Exchange, stream: u32, fields: Fields, track: Track) -> Asked {
    fields.tell(exchange);
    exchange.attributes.reserve(8);
    if exchange.response.is_none() {
        version(exchange, stream);
    }
    let message = Message { track, headers: fields.headers, body: None };
    if let Some(agent) = fields.agent {
        exchange.attribute("user_agent.original", message.headers[agent].1.as_str());
    }
    if let Some(scheme) = fields.scheme {
        exchange.attribute("url.scheme", scheme);
    }
    if let Some(protocol) = fields.protocol {
        // RFC 8441: the token of HTTP's Upgrade.
        exchange.attribute("http2.headers.protocol", protocol);
    }
    if fields.trace {
        exchange.trace = http::trace(&message);
    }
    let host = fields.authority.or_else(|| fields.host.map(|at| message.headers[at].1.clone()));
    // RFC 9113, 8.3.1: no user information; where there is some, it is a secret.
    exchange.host = host.map(|host| match host.rsplit_once('@') {
        Some((_, host)) => host.to_owned(),
        None => host,
    });
    // What is unknown may be the method; a request that has none at all is malformed.
    let hidden = |known: Option<String>| {
        known.unwrap_or_else(|| if fields.unknown > 0 { UNKNOWN } else { "" }.to_owned())
    };
    exchange.operation = hidden(fields.method);
    let connect = exchange.operation == "CONNECT";
    exchange.target = match fields.path {
        None if connect => exchange.host.clone().unwrap_or_default(),
        path => hidden(path),
    };
    exchange.request = Some(message);
    Asked { head: exchange.operation == "HEAD", connect }
}

/// Fills in the answering half of an exchange.
pub(super) fn response(exchange: &mut Exchange, stream: u32, fields: Fields, track: Track) {
    fields.tell(exchange);
    if exchange.request.is_none() {
        version(exchange, stream);
    }
    let code = fields.code();
    if let Some(index) = fields.content_type {
        exchange.attribute("http.response.header.content-type", fields.headers[index].1.as_str());
    }
    exchange.response = Some(Message { track, headers: fields.headers, body: None });
    exchange.status_code = code.map(i64::from);
    exchange.status = fields.status;
    exchange.outcome = code.map_or(Outcome::Unknown, http::outcome);
}

fn version(exchange: &mut Exchange, stream: u32) {
    exchange.attribute("network.protocol.version", "2");
    exchange.attribute("http2.streamid", i64::from(stream));
}

/// Fields that come after a body go behind the headers.
pub(super) fn trailers(exchange: &mut Exchange, asks: bool, fields: Fields, most: usize) {
    fields.tell(exchange);
    let message = if asks { &mut exchange.request } else { &mut exchange.response };
    if let Some(message) = message {
        let room = most.saturating_sub(message.headers.len());
        message.headers.extend(fields.headers.into_iter().take(room));
    }
}

/// `session` for tunnels and what goes on in another protocol; else as any version of HTTP.
pub(super) fn kind(exchange: &Exchange, asked: Asked) -> Kind {
    if asked.connect && exchange.status_code.is_none_or(|code| (200..=299).contains(&code)) {
        return Kind::Session;
    }
    http::kind(exchange)
}

/// A stream that one end reset before the answer was whole.
pub(super) fn reset(exchange: &mut Exchange, by_client: bool, code: u32) {
    exchange.note("reset");
    exchange.attribute("http2.rst_stream.error", i64::from(code));
    exchange.outcome = Outcome::Aborted;
    let by = if by_client { "client" } else { "server" };
    exchange.error = Some(format!("RST_STREAM {} by {by}", named(code)));
}

/// A connection that one end gave up.
pub(super) fn goaway(exchange: &mut Exchange, code: u32, words: &str) {
    exchange.note("goaway");
    exchange.attribute("http2.goaway.error", i64::from(code));
    let colon = if words.is_empty() { "" } else { ": " };
    exchange.error = Some(format!("GOAWAY {}{colon}{words}", named(code)));
}

fn named(code: u32) -> String {
    error_name(code).map_or_else(|| format!("{code:#x}"), str::to_owned)
}

/// The words of a GOAWAY as text, as far as they are text.
pub(super) fn words(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(LONGEST_WORDS)];
    match std::str::from_utf8(bytes) {
        Ok(text) if text.chars().all(|letter| !letter.is_control()) => text.to_owned(),
        _ => String::new(),
    }
}
