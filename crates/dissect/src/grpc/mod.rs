//! gRPC over HTTP/2, as its protocol document says (doc/PROTOCOL-HTTP2.md of the gRPC project).
//!
//! A refiner: an exchange of HTTP/2 whose `content-type` is gRPC's becomes a call. How it came out stands in the
//! trailers that the exchange carries among its headers; messages were counted by `framing` as the bodies came, so
//! that a stream of any length has its number. Bodies are looked at for their shape and not kept: without a
//! descriptor nobody knows which of their values is a secret.
//!
//! There is nothing to find again after a gap: HTTP/2 does that, and a count that bytes are missing from is noted
//! `gap`.

pub(crate) mod framing;
mod shape;
mod status;
#[cfg(test)]
mod tests;

use wirewise_model::{Attribute, Exchange, Kind, Message, Outcome, Redaction, Value};

use crate::http::{self, BodyBounds, Coding, Content};
use crate::{Protocol, RefineEntry};

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "grpc",
    title: "gRPC",
    reference: "gRPC over HTTP/2",
    ports: &[],
    redaction: Redaction::Web,
    stream: None,
    message: None,
    refine: Some(RefineEntry { carriers: &["http2"], refine }),
};

/// The service that is asked whether a server lives.
const HEALTH: &str = "grpc.health.v1.Health";

/// How far a compressed message is expanded to see its shape; past it nothing is told of it.
const EXPANDED: BodyBounds =
    BodyBounds { kept: 64 << 10, decompressed_bytes: 64 << 10, decompressed_ratio: 100 };

/// Turns an exchange of HTTP/2 into a call, where it is one.
fn refine(exchange: &mut Exchange) -> bool {
    let says = |message: &Option<Message>| message.as_ref()?.header("content-type").map(framing::is_grpc);
    if !says(&exchange.request).or_else(|| says(&exchange.response)).unwrap_or(false) {
        return false;
    }
    exchange.attribute("rpc.system", "grpc");
    name(exchange);
    come_out(exchange);
    deadline(exchange);
    exchange.kind = kind(exchange);
    let halves =
        [(&mut exchange.request, "grpc.request.fields"), (&mut exchange.response, "grpc.response.fields")];
    for (message, name) in halves {
        if let Some(shape) = message.as_mut().and_then(take_shape) {
            exchange.attributes.push(Attribute { name: name.into(), value: shape.into() });
        }
    }
    true
}

/// `/package.Service/Method`.
fn name(exchange: &mut Exchange) {
    let Some((service, method)) = exchange.target.strip_prefix('/').and_then(|path| path.rsplit_once('/'))
    else {
        return;
    };
    let (service, method) = (service.to_owned(), method.to_owned());
    exchange.endpoint = Some(exchange.target.clone());
    exchange.operation.clone_from(&method);
    exchange.attribute("rpc.service", service);
    exchange.attribute("rpc.method", method);
}

/// What the trailers say, or a lone header block in their place.
fn come_out(exchange: &mut Exchange) {
    let Some(response) = &exchange.response else { return };
    let trailer = |name: &str| {
        // A later one holds: a proxy may add its own.
        response.headers.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    };
    let http = exchange.status_code;
    let code = trailer("grpc-status").and_then(|status| status.trim().parse::<i64>().ok());
    let words = trailer("grpc-message").map(status::message).filter(|words| !words.is_empty());
    if let Some(http) = http {
        exchange.attribute("http.response.status_code", http);
    }
    if let Some(code) = code {
        exchange.status = Some(code.to_string());
        exchange.status_code = Some(code);
        exchange.attribute("rpc.grpc.status_code", code);
        if exchange.outcome != Outcome::Open && !is_cut(exchange) {
            exchange.outcome = status::outcome(code);
        }
        if code != 0 {
            let name = status::name(code).map_or_else(|| code.to_string(), str::to_owned);
            exchange.error = Some(words.map_or(name, http::clip));
        }
        return;
    }
    // The status of HTTP says nothing of the call while it is 200; any other speaks for a proxy.
    if http == Some(200) {
        exchange.status = None;
        exchange.status_code = None;
        let hidden = exchange.notes.iter().any(|note| note.0 == "hpack_unknown" || note.0 == "gap");
        if exchange.outcome == Outcome::Ok {
            exchange.outcome = Outcome::Unknown;
            if exchange.complete && !hidden {
                // Clients take it for UNKNOWN.
                exchange.outcome = Outcome::ServerError;
                exchange.note("no_grpc_status");
            }
        }
    }
}

/// Whether one end cut it off: then that is how it came out, whatever was said before.
fn is_cut(exchange: &Exchange) -> bool {
    matches!(exchange.outcome, Outcome::Aborted | Outcome::NoResponse)
}

fn deadline(exchange: &mut Exchange) {
    let asked = exchange.request.as_ref().and_then(|request| request.header("grpc-timeout"));
    let Some(allowed) = asked.and_then(status::timeout_ms) else { return };
    exchange.attribute("grpc.timeout_ms", Value::Float(allowed));
    if exchange.took().is_some_and(|took| took.as_secs_f64() * 1000.0 > allowed) {
        exchange.note("past_deadline");
    }
}

/// `stream` where either side sent more than one message; `probe` for a question whether the server lives.
fn kind(exchange: &Exchange) -> Kind {
    let several = |name: &str| {
        exchange
            .attributes
            .iter()
            .any(|attribute| attribute.name == name && matches!(attribute.value, Value::Int(2..)))
    };
    if several("grpc.request.messages") || several("grpc.response.messages") {
        return Kind::Stream;
    }
    let service = exchange.target.strip_prefix('/').and_then(|path| path.rsplit_once('/'));
    match service {
        Some((HEALTH, "Check")) => Kind::Probe,
        Some((HEALTH, "Watch")) => Kind::Stream,
        Some(_) | None => Kind::Unary,
    }
}

/// The shape of the first message of a body, whose bytes are given up. Nothing is told of one that is not all there.
fn take_shape(message: &mut Message) -> Option<String> {
    let body = message.body.as_mut()?;
    let kept = std::mem::take(&mut body.kept);
    body.truncated = true;
    let (&[flag, ref length @ ..], rest) = kept.split_first_chunk::<5>()?;
    let first = rest.get(..u32::from_be_bytes(*length) as usize)?;
    let expanded;
    let first = match flag {
        0 => first,
        1 => {
            let coding = message.header("grpc-encoding").and_then(Coding::parse)?;
            let mut content = Content::new(&[coding], EXPANDED);
            content.take(first);
            expanded = content.finish(true).filter(|body| !body.truncated)?.kept;
            &expanded
        }
        _ => return None,
    };
    if first.is_empty() { None } else { shape::of(first) }
}
