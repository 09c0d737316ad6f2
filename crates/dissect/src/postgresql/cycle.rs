//! One call: what was asked in it, and what each message of the answer says of it.

use std::sync::Arc;

use wirewise_model::{Exchange, Kind, Outcome, Side};

use super::parse::{fields, tag};
use crate::pending::Turn;
use crate::statement::{Quotes, Statement, scrub};

/// Bytes of the statements of one call together; more are noted `statements_omitted`.
const LONGEST_TARGET: usize = 2048;

/// What is remembered of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Cycle {
    /// It begins the session.
    pub(super) startup: bool,
    /// It speaks the extended protocol.
    pub(super) extended: bool,
    /// The server takes data of a COPY.
    pub(super) copy_in: bool,
    /// The Sync that closed it was swallowed by COPY; another follows.
    pub(super) resync: bool,
    /// Statements that were executed.
    executed: u32,
    /// The last of them, so that one that is executed many times is told once.
    last: Option<Arc<Statement>>,
    returned: Option<u64>,
    affected: Option<u64>,
}

/// A call of which nothing is known but who asks.
pub(super) fn begin(client: Side) -> Turn<Cycle> {
    let mut exchange = Exchange::new("postgres", client);
    exchange.attribute("db.system.name", "postgresql");
    Turn::new(exchange, Cycle::default())
}

/// A statement is executed.
pub(super) fn execute(turn: &mut Turn<Cycle>, statement: &Arc<Statement>) {
    let Turn { exchange, own, .. } = turn;
    let first = own.executed == 0;
    own.executed = own.executed.saturating_add(statement.statements.max(1));
    if own.last.as_ref().is_some_and(|last| Arc::ptr_eq(last, statement)) {
        return;
    }
    own.last = Some(Arc::clone(statement));
    if first {
        // What was prepared or described in it before is what is executed now.
        exchange.operation.clear();
        exchange.target.clear();
        exchange.endpoint = None;
        exchange.attributes.retain(|attribute| attribute.name != "db.collection.name");
    }
    tell(exchange, statement);
    if statement.statements == 0 {
        exchange.operation = "empty_query".to_owned();
        exchange.kind = Kind::Probe;
    }
}

/// A statement is prepared or described; that is what the call is about unless something is executed.
pub(super) fn touch(turn: &mut Turn<Cycle>, operation: &'static str, statement: Option<&Arc<Statement>>) {
    if turn.own.executed > 0 || (!turn.exchange.operation.is_empty() && turn.exchange.operation != "sync") {
        return;
    }
    if let Some(statement) = statement {
        tell(&mut turn.exchange, statement);
    }
    turn.exchange.operation = operation.to_owned();
}

/// A statement is executed that was not heard.
pub(super) fn execute_unseen(turn: &mut Turn<Cycle>) {
    turn.own.executed += 1;
    turn.exchange.note("statement_not_seen");
    if turn.exchange.operation.is_empty() || turn.own.executed == 1 {
        turn.exchange.operation = "execute".to_owned();
    }
}

fn tell(exchange: &mut Exchange, statement: &Statement) {
    let better = exchange.operation.is_empty()
        || (Statement::is_of_transaction(&exchange.operation) && !statement.operation.is_empty());
    if better {
        exchange.operation = statement.operation.clone().into_owned();
    }
    if let Some(table) = &statement.table
        && !exchange.attributes.iter().any(|attribute| attribute.name == "db.collection.name")
    {
        exchange.attribute("db.collection.name", table.as_str());
    }
    if exchange.trace.is_none() {
        exchange.trace.clone_from(&statement.trace);
    }
    if exchange.target.is_empty() {
        exchange.target.clone_from(&statement.target);
        exchange.endpoint = Some(statement.endpoint.clone());
    } else if exchange.target.len() + statement.target.len() <= LONGEST_TARGET {
        join(&mut exchange.target, &statement.target);
        if let Some(endpoint) = &mut exchange.endpoint {
            join(endpoint, &statement.endpoint);
        }
    } else {
        exchange.note("statements_omitted");
    }
}

fn join(text: &mut String, more: &str) {
    text.truncate(text.trim_end_matches([';', ' ']).len());
    text.push_str("; ");
    text.push_str(more);
}

/// CommandComplete.
pub(super) fn complete(turn: &mut Turn<Cycle>, body: &[u8]) {
    let Some(tag) = tag(body) else { return };
    let Turn { exchange, own, .. } = turn;
    let verb = tag.words.split(' ').next().unwrap_or_default();
    if exchange.error.is_none() && exchange.status.as_deref().is_none_or(is_of_transaction) {
        exchange.status = Some(tag.words.to_owned());
    }
    if exchange.operation.is_empty() || exchange.operation == "execute" {
        exchange.operation = verb.to_owned();
    }
    if exchange.operation == "COMMIT" && verb == "ROLLBACK" {
        exchange.note("rolled_back");
    }
    if exchange.outcome == Outcome::Unknown {
        exchange.outcome = Outcome::Ok;
    }
    let count = match verb {
        "SELECT" | "FETCH" | "VALUES" | "SHOW" | "EXPLAIN" => &mut own.returned,
        "INSERT" | "UPDATE" | "DELETE" | "MERGE" | "COPY" | "MOVE" => &mut own.affected,
        _ => return,
    };
    if let Some(rows) = tag.rows {
        *count = Some(count.unwrap_or(0).saturating_add(rows));
    }
}

/// ErrorResponse.
pub(super) fn fail(exchange: &mut Exchange, body: &[u8]) {
    if exchange.error.is_some() {
        return;
    }
    let (mut code, mut severity, mut message) = (&b""[..], &b""[..], &b""[..]);
    for (name, value) in fields(body) {
        match name {
            b'C' => code = value,
            // V is S without translation.
            b'V' => severity = value,
            b'S' if severity.is_empty() => severity = value,
            b'M' => message = value,
            _ => {}
        }
    }
    let code = std::str::from_utf8(code).ok().filter(|code| is_state(code)).unwrap_or("XX000");
    exchange.status = Some(code.to_owned());
    exchange.attribute("db.response.status_code", code);
    if severity.len() <= 16 && severity.iter().all(u8::is_ascii_uppercase) {
        exchange.attribute("pgsql.severity", String::from_utf8_lossy(severity).into_owned());
    }
    exchange.outcome = outcome(code, message);
    exchange.error = Some(scrub(message, quotes(code)));
    // What may follow is ReadyForQuery, or the end.
    exchange.complete = true;
}

fn is_state(code: &str) -> bool {
    code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase())
}

/// Whose fault it is, by class (appendix A of the documentation).
fn outcome(code: &str, message: &[u8]) -> Outcome {
    match (&code[..2], code) {
        // statement_timeout, a conflict with recovery, or the client itself that cancels.
        (_, "57014") if memchr::memmem::find(message, b"user request").is_some() => Outcome::ClientError,
        ("08" | "40" | "53" | "54" | "57" | "58" | "XX" | "F0", _) | (_, "55P03") => Outcome::ServerError,
        _ => Outcome::ClientError,
    }
}

/// Errors that quote names of tables, columns, constraints and the like, and nothing else.
fn quotes(code: &str) -> Quotes {
    match code {
        "42P01" | "42703" | "42702" | "42P07" | "42701" | "42710" | "42704" | "42803" | "42501" | "3D000"
        | "3F000" | "23502" | "23503" | "23505" | "23514" | "23P01" | "42P02" | "2BP01" | "55P03"
        | "25006" => Quotes::Names,
        _ => Quotes::Values,
    }
}

/// ReadyForQuery, or the end of the session's begin: what the answer says in all.
pub(super) fn finish(turn: &mut Turn<Cycle>, state: Option<&u8>) {
    let Turn { exchange, own, .. } = turn;
    exchange.complete = true;
    if exchange.outcome == Outcome::Unknown {
        exchange.outcome = Outcome::Ok;
    }
    if exchange.operation.is_empty() {
        exchange.operation = if own.startup { "startup" } else { "query" }.to_owned();
    }
    if own.executed > 1 {
        exchange.attribute("db.operation.batch.size", i64::from(own.executed));
    }
    let whole = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    if let Some(rows) = own.returned {
        exchange.attribute("db.response.returned_rows", whole(rows));
    }
    if let Some(rows) = own.affected {
        exchange.attribute("db.response.affected_rows", whole(rows));
    }
    match state {
        Some(b'I') => exchange.attribute("pgsql.status", "idle"),
        Some(b'T') => exchange.attribute("pgsql.status", "in_transaction"),
        Some(b'E') => exchange.attribute("pgsql.status", "failed_transaction"),
        Some(_) | None => {}
    }
}

/// Whether a status is the tag of a statement that only begins or ends a transaction.
fn is_of_transaction(tag: &str) -> bool {
    Statement::is_of_transaction(tag.split(' ').next().unwrap_or_default())
}
