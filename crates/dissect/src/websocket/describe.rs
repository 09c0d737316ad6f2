//! Frames and messages as exchanges: what stands in which column.

use wirewise_model::{Coverage, Exchange, Kind, Message as Half, Outcome, Side, Track};

use super::message::Message;
use super::parse::{self, opcode};
use crate::http::clip;

pub(super) const NAME: &str = "websocket";

/// What the handshake agreed on, for every message of the session.
#[derive(Clone, Debug, Default)]
pub(super) struct Agreed {
    pub(super) target: String,
    pub(super) host: Option<String>,
    pub(super) carrier: Option<std::borrow::Cow<'static, str>>,
    pub(super) subprotocol: Option<String>,
    /// With permessage-deflate: by side, whether each of its messages stands for itself.
    pub(super) deflate: Option<[bool; 2]>,
}

impl Agreed {
    /// Reads the exchange that agreed on the session.
    pub(super) fn read(agreed: Exchange) -> Self {
        let header = |name: &str| {
            agreed.response.as_ref().and_then(|response| response.header(name)).map(str::to_owned)
        };
        let extensions = header("sec-websocket-extensions").unwrap_or_default().to_ascii_lowercase();
        let deflate = extensions.split(',').find_map(|extension| {
            let mut words = extension.split(';').map(str::trim);
            (words.next() == Some("permessage-deflate")).then(|| {
                let has = |wanted| words.clone().any(|word| word == wanted);
                let mut alone = [has("client_no_context_takeover"), has("server_no_context_takeover")];
                if agreed.client == Side::B {
                    alone.reverse();
                }
                alone
            })
        });
        let subprotocol = header("sec-websocket-protocol");
        Self {
            deflate,
            subprotocol,
            target: agreed.target,
            host: agreed.host,
            carrier: Some(agreed.protocol),
        }
    }
}

/// An exchange of the session, `side`'s.
pub(super) fn begin(agreed: &Agreed, client: Side, code: u8, length: u64) -> Exchange {
    let mut exchange = Exchange::new(NAME, client);
    exchange.carrier.clone_from(&agreed.carrier);
    exchange.target.clone_from(&agreed.target);
    exchange.host.clone_from(&agreed.host);
    exchange.kind = Kind::Message;
    operation(code).clone_into(&mut exchange.operation);
    exchange.attribute("websocket.opcode", i64::from(code));
    exchange.attribute("websocket.payload_length", i64::try_from(length).unwrap_or(i64::MAX));
    if let Some(subprotocol) = &agreed.subprotocol {
        exchange.attribute("http.response.header.sec-websocket-protocol", subprotocol.as_str());
    }
    exchange
}

/// A message, whole or as far as it was heard.
pub(super) fn message(agreed: &Agreed, client: Side, by: Side, message: Message, whole: bool) -> Exchange {
    let mut exchange = begin(agreed, client, message.opcode, message.wire());
    if message.frames > 1 {
        exchange.attribute("websocket.frames", i64::from(message.frames));
    }
    if message.compressed {
        exchange.attribute("websocket.compressed", true);
    }
    if message.holed {
        exchange.note("gap");
        exchange.coverage = Coverage::Partial;
    }
    if let Some(note) = message.note {
        exchange.note(note);
    }
    exchange.complete = whole && !message.holed;
    exchange.outcome = if whole { Outcome::OneWay } else { Outcome::Aborted };
    let mut half = Half::bare(message.track.clone());
    half.body = message.body(whole);
    place(&mut exchange, by, half);
    exchange
}

/// A control frame that stands alone.
pub(super) fn control(agreed: &Agreed, client: Side, by: Side, frame: &Control) -> Exchange {
    let mut exchange = begin(agreed, client, frame.opcode, frame.length);
    exchange.outcome = Outcome::OneWay;
    exchange.complete = true;
    if frame.opcode == opcode::CLOSE {
        close(&mut exchange, by == client, &frame.payload);
    }
    place(&mut exchange, by, Half::bare(frame.track.clone()));
    odd(&mut exchange, frame);
    exchange
}

/// What is odd about a control frame (5.5).
pub(super) fn odd(exchange: &mut Exchange, frame: &Control) {
    if frame.fragmented {
        exchange.note("fragmented_control");
    }
    if frame.length > parse::LONGEST_CONTROL as u64 {
        exchange.note("oversized_control");
    }
    if frame.holed {
        exchange.note("gap");
        exchange.coverage = Coverage::Partial;
    }
}

/// A control frame.
#[derive(Clone, Debug)]
pub(super) struct Control {
    pub(super) opcode: u8,
    pub(super) length: u64,
    /// As much as a control frame may carry.
    pub(super) payload: Vec<u8>,
    pub(super) track: Track,
    pub(super) fragmented: bool,
    pub(super) holed: bool,
}

/// What a close frame says. An error of protocol or policy is the other end's; the codes of a server in trouble are
/// its own.
fn close(exchange: &mut Exchange, by_client: bool, payload: &[u8]) {
    let Some((code, words)) = parse::close(payload) else { return };
    exchange.status = Some(code.to_string());
    exchange.status_code = Some(i64::from(code));
    exchange.attribute("websocket.payload.close.status_code", i64::from(code));
    exchange.outcome = match code {
        1002 | 1003 | 1007..=1010 if by_client => Outcome::ServerError,
        1002 | 1003 | 1007..=1010 => Outcome::ClientError,
        1011..=1014 if !by_client => Outcome::ServerError,
        _ => return,
    };
    let name = parse::close_name(code).unwrap_or_default();
    let text = if words.is_empty() { name.to_owned() } else { format!("{name}: {words}") };
    exchange.error = Some(clip(text));
}

fn place(exchange: &mut Exchange, by: Side, half: Half) {
    let place = if by == exchange.client { &mut exchange.request } else { &mut exchange.response };
    *place = Some(half);
}

fn operation(code: u8) -> &'static str {
    match code {
        opcode::TEXT => "text",
        opcode::BINARY => "binary",
        opcode::CLOSE => "close",
        opcode::PING => "ping",
        opcode::PONG => "pong",
        // A message whose first frame was not heard.
        _ => "continuation",
    }
}
