//! What messages tell of a call.

use wirewise_model::{Exchange, Kind, Outcome, Side};

use super::parse::Op;
use super::walk::Facts;
use crate::statement::{Quotes, scrub};

/// A call of which nothing is known but who asks.
pub(super) fn begin(client: Side) -> Exchange {
    let mut exchange = Exchange::new("mongodb", client);
    exchange.attribute("db.system.name", "mongodb");
    exchange
}

/// Whether a message is answered.
pub(super) fn is_answered(op: Op, facts: &Facts) -> bool {
    match op {
        Op::Msg => !facts.more_to_come,
        Op::Query | Op::GetMore | Op::Command => true,
        Op::Update | Op::Insert | Op::Delete | Op::KillCursors => false,
        Op::Reply | Op::CommandReply | Op::Compressed => true,
    }
}

/// What a request asks for.
pub(super) fn request(exchange: &mut Exchange, op: Op, facts: &Facts) {
    let command = facts.command.as_deref().filter(|command| is_command(command));
    exchange.operation = match (op, command) {
        (Op::Msg | Op::Command, Some(command)) => command.to_owned(),
        (Op::Query, Some(command)) if facts.collection.is_none() => command.to_owned(),
        (Op::Query, _) => "find".to_owned(),
        (Op::GetMore, _) => "getMore".to_owned(),
        (Op::Insert, _) => "insert".to_owned(),
        (Op::Update, _) => "update".to_owned(),
        (Op::Delete, _) => "delete".to_owned(),
        (Op::KillCursors, _) => "killCursors".to_owned(),
        (Op::Msg | Op::Command | Op::Reply | Op::CommandReply | Op::Compressed, _) => {
            "unknown_command".to_owned()
        }
    };
    exchange.kind = match &*exchange.operation {
        _ if facts.waits => Kind::LongPoll,
        "hello" | "isMaster" | "ismaster" | "ping" => Kind::Probe,
        "saslStart" | "saslContinue" | "authenticate" | "getnonce" | "logout" => Kind::Session,
        _ => Kind::Unary,
    };
    let collection = facts.collection.as_deref().or(match &*exchange.operation {
        // Their value names no collection.
        "getLog" | "createUser" | "updateUser" | "dropUser" | "usersInfo" | "createRole" | "updateRole"
        | "dropRole" | "grantRolesToUser" | "rolesInfo" | "renameCollection" | "configureFailPoint"
        | "authenticate" => None,
        _ => facts.subject.as_deref(),
    });
    exchange.target = match (facts.database.as_deref(), collection) {
        (Some(database), Some(collection)) => format!("{database}.{collection}"),
        (Some(name), None) | (None, Some(name)) => name.to_owned(),
        (None, None) => String::new(),
    };
    if let Some(database) = &facts.database {
        exchange.attribute("db.namespace", database.as_str());
    }
    if let Some(collection) = collection {
        exchange.attribute("db.collection.name", collection);
    }
    if facts.documents > 1 {
        exchange.attribute("db.operation.batch.size", i64::from(facts.documents));
    }
    if facts.malformed {
        exchange.note("malformed");
    }
}

fn is_command(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'-'))
}

/// How it came out.
pub(super) fn reply(exchange: &mut Exchange, facts: &Facts) {
    if facts.malformed {
        exchange.note("malformed");
    }
    let failure =
        if facts.ok == Some(false) || (facts.ok.is_none() && (facts.failed || facts.message.is_some())) {
            let message = facts.message.as_deref().unwrap_or_default();
            Some((facts.code.unwrap_or(0), facts.code_name.as_deref(), message))
        } else if let Some((code, message)) = &facts.write_error {
            Some((*code, None, message.as_slice()))
        } else {
            facts.concern_error.as_ref().map(|(code, message)| (*code, None, message.as_slice()))
        };
    let Some((code, name, message)) = failure else {
        if exchange.coverage == wirewise_model::Coverage::Partial && facts.ok.is_none() {
            // The field that tells was in the bytes that were lost.
            return;
        }
        exchange.outcome = Outcome::Ok;
        exchange.status = Some("OK".to_owned());
        if let Some(affected) = facts.affected.filter(|_| writes(&exchange.operation)) {
            exchange.attribute("db.response.affected_rows", affected);
        }
        return;
    };
    if facts.ok != Some(false) && facts.write_error.is_some() {
        exchange.note("write_errors");
    }
    let name = name.filter(|name| is_command(name)).or(known(code));
    exchange.status = Some(name.map_or_else(|| code.to_string(), str::to_owned));
    exchange.status_code = Some(code);
    exchange.attribute("db.response.status_code", code.to_string());
    exchange.outcome = outcome(code, message);
    exchange.error = Some(scrub(message, Quotes::Values)).filter(|error| !error.is_empty());
}

fn writes(operation: &str) -> bool {
    matches!(operation, "insert" | "update" | "delete")
}

/// Names that write errors have not with them (src/mongo/base/error_codes.yml).
fn known(code: i64) -> Option<&'static str> {
    Some(match code {
        2 => "BadValue",
        26 => "NamespaceNotFound",
        64 => "WriteConcernTimeout",
        91 => "ShutdownInProgress",
        112 => "WriteConflict",
        121 => "DocumentValidationFailure",
        11000 => "DuplicateKey",
        _ => return None,
    })
}

/// Whose fault it is.
fn outcome(code: i64, message: &[u8]) -> Outcome {
    match code {
        // InternalError, hosts, time-outs, locks, elections, shut-down, disk, memory.
        1 | 6 | 7 | 8 | 24 | 50 | 64 | 74 | 75 | 79 | 82 | 83 | 84 | 89 | 91 | 95 | 100 | 112 | 125 | 133
        | 134 | 146 | 175 | 189 | 202 | 225 | 234 | 236 | 262 | 279 | 290 | 317 | 358 | 365 | 384 | 390
        | 9001 | 10058 | 10107 | 11600 | 11601 | 11602 | 13388 | 13435 | 13436 | 14031 | 16755 => {
            Outcome::ServerError
        }
        // Servers of before say it in words alone.
        0 if message.starts_with(b"not master") || message.starts_with(b"node is recovering") => {
            Outcome::ServerError
        }
        _ => Outcome::ClientError,
    }
}
