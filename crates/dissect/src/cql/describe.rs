//! What messages tell of a call.

use std::sync::Arc;

use wirewise_model::{Exchange, Kind, Outcome, Side};

use super::body::{Batched, batch, consistency, map, rows};
use super::parse::{Fields, Op};
use crate::pending::Turn;
use crate::statement::{self, Backslash, Dialect, Grammar, Prepared, Quotes, Statement, scrub};

/// Bytes of the statements of a batch together.
const LONGEST_TARGET: usize = 2048;
/// Bytes of a name.
const LONGEST_NAME: usize = 128;

/// What is remembered of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Asked {
    /// The statement that it prepares.
    pub(super) prepares: Option<Arc<Statement>>,
    /// It begins the session.
    pub(super) startup: bool,
}

/// A call of which nothing is known but who asks.
pub(super) fn begin(client: Side) -> Turn<Asked> {
    let mut exchange = Exchange::new("cql", client);
    exchange.attribute("db.system.name", "cassandra");
    Turn::new(exchange, Asked::default())
}

pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST_NAME)]).into_owned()
}

fn read(text: &[u8], whole: bool) -> Statement {
    statement::read(text, Grammar { dialect: Dialect::Cql, backslash: Backslash::Plain, cut: !whole })
}

/// What a request asks for. `body` may be cut, and is empty where it could not be read.
pub(super) fn request(turn: &mut Turn<Asked>, op: Op, body: &[u8], prepared: Option<&Prepared>) {
    let Turn { exchange, own, .. } = turn;
    let mut fields = Fields(body);
    exchange.operation = match op {
        Op::Startup => "startup",
        Op::Options => "options",
        Op::Query => "query",
        Op::Prepare => "prepare",
        Op::Execute => "execute",
        Op::Register => "register",
        Op::Batch => "BATCH",
        _ => "auth_response",
    }
    .to_owned();
    match op {
        Op::Startup => {
            exchange.kind = Kind::Session;
            own.startup = true;
            for (name, value) in map(&mut fields) {
                match name {
                    b"DRIVER_NAME" => exchange.attribute("cassandra.driver.name", text(value)),
                    b"COMPRESSION" => exchange.attribute("cassandra.compression", text(value)),
                    _ => {}
                }
            }
        }
        Op::Options => exchange.kind = Kind::Probe,
        Op::Query | Op::Prepare => {
            let Some((query, whole)) = fields.long_text() else { return };
            let statement = read(query, whole);
            if op == Op::Query && !statement.operation.is_empty() {
                exchange.operation = statement.operation.clone().into_owned();
            }
            tell(exchange, &statement);
            if !whole {
                exchange.note("statement_cut");
            }
            if op == Op::Prepare {
                own.prepares = Some(Arc::new(statement));
            } else {
                asks_for(exchange, fields.u16());
            }
        }
        Op::Execute => {
            let known = fields.short().and_then(|id| prepared?.get(id));
            match known {
                Some(statement) => {
                    exchange.operation = statement.operation.clone().into_owned();
                    tell(exchange, statement);
                }
                None => exchange.note("statement_not_seen"),
            }
        }
        Op::Batch => {
            let (count, statements) = batch(body);
            for batched in statements {
                match batched {
                    Batched::Text(query, whole) => tell(exchange, &read(query, whole)),
                    Batched::Prepared(id) => match prepared.and_then(|prepared| prepared.get(id)) {
                        Some(statement) => tell(exchange, statement),
                        None => exchange.note("statement_not_seen"),
                    },
                }
            }
            exchange.attribute("db.operation.batch.size", i64::from(count));
        }
        Op::Register => {
            let names: Vec<String> =
                (0..fields.u16().unwrap_or(0).min(8)).map_while(|_| fields.short().map(text)).collect();
            exchange.target = names.join(", ");
        }
        _ => exchange.kind = Kind::Session,
    }
}

fn asks_for(exchange: &mut Exchange, code: Option<u16>) {
    if let Some(level) = code.and_then(consistency) {
        exchange.attribute("cassandra.consistency.level", level);
    }
}

/// A statement of the call. One that is repeated, as in a batch, is told once.
fn tell(exchange: &mut Exchange, statement: &Statement) {
    if let Some(table) = &statement.table
        && !exchange.attributes.iter().any(|attribute| attribute.name == "db.collection.name")
    {
        exchange.attribute("db.collection.name", table.as_str());
    }
    let Some(endpoint) = &mut exchange.endpoint else {
        exchange.target.clone_from(&statement.target);
        exchange.endpoint = Some(statement.endpoint.clone());
        exchange.trace.clone_from(&statement.trace);
        return;
    };
    if exchange.target.len() + statement.target.len() > LONGEST_TARGET {
        return exchange.note("statements_omitted");
    }
    if !endpoint.ends_with(&statement.endpoint) {
        endpoint.push_str("; ");
        endpoint.push_str(&statement.endpoint);
        exchange.target.push_str("; ");
        exchange.target.push_str(&statement.target);
    }
}

/// What a response tells besides: an id for the statement that was prepared, the session's keyspace.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Learnt<'a> {
    Nothing,
    Prepared(&'a [u8]),
    Keyspace(String),
}

/// How it came out. `body` as for [`request`]; `read` tells whether it could be read.
pub(super) fn response<'a>(exchange: &mut Exchange, op: Op, body: &'a [u8], readable: bool) -> Learnt<'a> {
    let mut fields = Fields(body);
    exchange.outcome = Outcome::Ok;
    let status = match op {
        Op::Error => {
            fail(exchange, fields, readable);
            return Learnt::Nothing;
        }
        Op::Ready => "READY",
        Op::Supported => "SUPPORTED",
        Op::AuthChallenge => "AUTH_CHALLENGE",
        Op::AuthSuccess => "AUTH_SUCCESS",
        Op::Authenticate => {
            if let Some(class) = fields.short() {
                let class = text(class);
                exchange.attribute("cassandra.authenticator", class.rsplit('.').next().unwrap_or_default());
            }
            "AUTHENTICATE"
        }
        _ => match fields.u32() {
            Some(1) => "VOID",
            Some(2) => {
                if let Some(rows) = rows(fields.0) {
                    exchange.attribute("db.response.returned_rows", i64::from(rows));
                }
                "ROWS"
            }
            Some(3) => {
                exchange.status = Some("SET_KEYSPACE".to_owned());
                return fields.short().map_or(Learnt::Nothing, |name| Learnt::Keyspace(text(name)));
            }
            Some(4) => {
                exchange.status = Some("PREPARED".to_owned());
                return fields.short().map_or(Learnt::Nothing, Learnt::Prepared);
            }
            Some(5) => "SCHEMA_CHANGE",
            Some(_) | None => "RESULT",
        },
    };
    exchange.status = Some(status.to_owned());
    Learnt::Nothing
}

fn fail(exchange: &mut Exchange, mut fields: Fields<'_>, readable: bool) {
    let Some(code) = fields.u32() else {
        exchange.status = Some("ERROR".to_owned());
        exchange.outcome = if readable { Outcome::ServerError } else { Outcome::Unknown };
        return;
    };
    let (name, outcome) = error(code);
    exchange.status = Some(name.to_owned());
    exchange.status_code = Some(i64::from(code));
    exchange.attribute("db.response.status_code", format!("0x{code:04x}"));
    exchange.outcome = outcome;
    // A message that was cut is read as far as it goes.
    let mut rest = fields;
    let message = fields.short().or_else(|| rest.u16().map(|_| rest.0)).unwrap_or_default();
    exchange.error = Some(message_of(code, message)).filter(|message| !message.is_empty());
}

/// A message without what it shows of values, and without the names of users.
fn message_of(code: u32, message: &[u8]) -> String {
    match code {
        // `Provided username bob and/or password are incorrect`, `User bob has no SELECT permission on ...`.
        0x0100 => return "bad credentials".to_owned(),
        0x2100 => return "unauthorized".to_owned(),
        _ => {}
    }
    // `Invalid STRING constant (abc) for "id" of type int`: values stand in brackets too.
    let from = memchr::memchr(b'(', message);
    let to = memchr::memrchr(b')', message);
    let without = match (from, to) {
        (Some(from), Some(to)) if from < to => [&message[..from], b"?", &message[to + 1..]].concat(),
        (Some(from), _) => [&message[..from], b"?"].concat(),
        (None, _) => message.to_vec(),
    };
    scrub(&without, Quotes::Values)
}

/// Names and faults of errors (section 8 of the specification).
fn error(code: u32) -> (&'static str, Outcome) {
    use Outcome::{ClientError, ServerError};
    match code {
        0x0000 => ("SERVER_ERROR", ServerError),
        0x000a => ("PROTOCOL_ERROR", ClientError),
        0x0100 => ("BAD_CREDENTIALS", ClientError),
        0x1000 => ("UNAVAILABLE", ServerError),
        0x1001 => ("OVERLOADED", ServerError),
        0x1002 => ("IS_BOOTSTRAPPING", ServerError),
        0x1003 => ("TRUNCATE_ERROR", ServerError),
        0x1100 => ("WRITE_TIMEOUT", ServerError),
        0x1200 => ("READ_TIMEOUT", ServerError),
        0x1300 => ("READ_FAILURE", ServerError),
        0x1400 => ("FUNCTION_FAILURE", ClientError),
        0x1500 => ("WRITE_FAILURE", ServerError),
        0x1600 => ("CDC_WRITE_FAILURE", ServerError),
        0x1700 => ("CAS_WRITE_UNKNOWN", ServerError),
        0x2000 => ("SYNTAX_ERROR", ClientError),
        0x2100 => ("UNAUTHORIZED", ClientError),
        0x2200 => ("INVALID", ClientError),
        0x2300 => ("CONFIG_ERROR", ClientError),
        0x2400 => ("ALREADY_EXISTS", ClientError),
        0x2500 => ("UNPREPARED", ClientError),
        _ => ("UNKNOWN_ERROR", ServerError),
    }
}

/// An event: what happened, not to whom.
pub(super) fn event(exchange: &mut Exchange, body: &[u8]) {
    let mut fields = Fields(body);
    exchange.kind = Kind::Message;
    exchange.operation = "event".to_owned();
    exchange.outcome = Outcome::OneWay;
    exchange.complete = true;
    let words: Vec<String> = (0..2).map_while(|_| fields.short().map(text)).collect();
    exchange.target = words.join(" ");
}
