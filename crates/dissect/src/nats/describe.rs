//! Lines as exchanges: what stands in which column.

use wirewise_model::{Coverage, Exchange, Kind, Message, Outcome, Side, Track};

use super::parse::{Connect, Headers, Info, Publish, endpoint};

pub(super) const NAME: &str = "nats";

/// Errors of the server's own state; every other is what a client did, or may not.
const OF_SERVER: &[&str] = &[
    "maximum connections exceeded",
    "maximum account active connections exceeded",
    "server shutdown",
    "slow consumer",
    "stale connection",
    "connection throttling",
    "authentication timeout",
];

pub(super) fn begin(client: Side, operation: &str, kind: Kind) -> Exchange {
    let mut exchange = Exchange::new(NAME, client);
    operation.clone_into(&mut exchange.operation);
    exchange.kind = kind;
    exchange.attribute("messaging.system", NAME);
    exchange
}

/// What `side` said, which nobody need answer.
pub(super) fn one_way(mut exchange: Exchange, side: Side, track: Track) -> Exchange {
    exchange.outcome = Outcome::OneWay;
    exchange.complete = true;
    // What the server says unasked stands where its answers do.
    let half = if side == exchange.client { &mut exchange.request } else { &mut exchange.response };
    *half = Some(Message::bare(track));
    exchange
}

pub(super) fn info(client: Side, info: Info) -> Exchange {
    let mut exchange = begin(client, "INFO", Kind::Session);
    if let Some(server) = info.server {
        exchange.attribute("nats.server_name", server);
    }
    if let Some(version) = info.version {
        exchange.attribute("nats.version", version);
    }
    exchange
}

pub(super) fn connect(client: Side, connect: Connect) -> Exchange {
    let mut exchange = begin(client, "CONNECT", Kind::Session);
    if let Some(name) = connect.name {
        exchange.attribute("messaging.client.id", name);
    }
    if let Some(user) = connect.user {
        exchange.attribute("user.name", user);
    }
    if let Some(agent) = connect.agent {
        exchange.attribute("user_agent.original", agent);
    }
    exchange.attribute("nats.verbose", connect.verbose);
    exchange
}

pub(super) fn publish(client: Side, publish: &Publish, headers: Headers, is_delivery: bool) -> Exchange {
    let mut exchange = begin(client, publish.operation, Kind::Message);
    exchange.target.clone_from(&publish.subject);
    exchange.endpoint = endpoint(&publish.subject);
    exchange.attribute("messaging.operation.type", if is_delivery { "receive" } else { "send" });
    exchange.attribute("messaging.destination.name", &*publish.subject);
    let payload = publish.total - publish.headers;
    exchange.attribute("messaging.message.body.size", i64::try_from(payload).unwrap_or(i64::MAX));
    if let Some(sid) = &publish.sid {
        exchange.attribute("nats.sid", &**sid);
    }
    if let Some(reply) = &publish.reply {
        exchange.attribute("nats.reply_to", &**reply);
    }
    if let Some((code, words)) = headers.status {
        status(&mut exchange, code, words);
    }
    exchange.trace = headers.trace;
    exchange
}

/// The status of a message: HTTP's numbers, of which JetStream and "no responders" make use.
pub(super) fn status(exchange: &mut Exchange, code: u16, words: String) {
    exchange.status = Some(code.to_string());
    exchange.status_code = Some(i64::from(code));
    exchange.outcome = match code {
        400..=499 => Outcome::ClientError,
        500.. => Outcome::ServerError,
        _ => Outcome::Ok,
    };
    if code >= 400 {
        let words = if words.is_empty() && code == 503 { "no responders".to_owned() } else { words };
        exchange.error = Some(words);
    }
}

/// An answer that says no more than that all is well.
pub(super) fn well(exchange: &mut Exchange) {
    exchange.status = Some("OK".to_owned());
    exchange.outcome = Outcome::Ok;
}

/// What an error says, and who is to blame.
pub(super) fn error(exchange: &mut Exchange, words: String) {
    let lower = words.to_ascii_lowercase();
    let of_server = OF_SERVER.iter().any(|beginning| lower.starts_with(beginning));
    exchange.status = Some("ERR".to_owned());
    exchange.outcome = if of_server { Outcome::ServerError } else { Outcome::ClientError };
    exchange.error = Some(words);
}

/// Notes that bytes of it were lost.
pub(super) fn holed(exchange: &mut Exchange) {
    exchange.note("gap");
    exchange.coverage = Coverage::Partial;
}
