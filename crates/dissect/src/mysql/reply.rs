//! What answers a command, packet by packet.

use std::sync::Arc;

use wirewise_model::{Kind, Outcome};

use super::errors;
use super::parse::{Done, Fields, done, failure, state};
use crate::pending::Turn;
use crate::statement::Statement;

/// MariaDB tells in the shape of an error how far a long command has come.
const PROGRESS: u16 = 0xffff;

/// What the next packet of an answer is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Expect {
    /// OK, ERR, a request for a file, or the number of columns.
    #[default]
    Result,
    /// So many definitions of columns.
    Columns(u64),
    /// EOF, or the first row: what was agreed on is told by what comes.
    BehindColumns,
    /// Rows, up to EOF, OK or ERR.
    Rows,
    /// The OK of a preparation.
    Prepared,
    /// So many definitions of parameters, then so many of columns.
    Parameters(u16, u16),
    /// EOF, or the first of so many columns.
    BehindParameters(u16),
    /// So many definitions of columns of a prepared statement.
    PreparedColumns(u16),
    /// EOF, if there is one.
    BehindPrepared,
    /// OK, EOF or ERR.
    Done,
    /// Definitions up to EOF.
    Fields,
    /// One text.
    Text,
    /// OK, ERR, or more of the proof.
    Login,
    /// Events without end.
    Events,
}

/// What is remembered of a call.
#[derive(Clone, Debug, Default)]
pub(super) struct Command {
    pub(super) expect: Expect,
    /// The number of the last packet of it, whoever sent it.
    pub(super) number: u8,
    /// The statement that it prepares or executes.
    pub(super) statement: Option<Arc<Statement>>,
    /// The schema that it chooses.
    pub(super) schema: Option<Box<str>>,
    /// The number that its statement got.
    pub(super) prepared: Option<u32>,
    /// Results so far, and rows in them.
    results: u32,
    rows: u64,
    affected: u64,
    has_rows: bool,
    warnings: u16,
}

/// What a packet means for the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// It goes on.
    More,
    /// It is whole, and the session's state is this.
    Whole(Option<u16>),
    /// It was whole before this packet, which belongs to nobody.
    Before,
    /// This cannot be a part of it.
    Wrong,
}

/// Whether so much of a packet is enough to be looked at: all of OK, ERR and EOF, the first byte of others.
pub(super) fn needed(expect: Expect, first: u8, length: u32) -> usize {
    let length = length as usize;
    match (expect, first) {
        (_, 0xff) => length.min(1024),
        (Expect::Rows | Expect::BehindColumns | Expect::Columns(_) | Expect::Fields, 0xfe) => {
            length.min(4096)
        }
        (Expect::Rows | Expect::BehindColumns | Expect::Columns(_) | Expect::Fields | Expect::Events, _) => {
            length.min(1)
        }
        _ => length.min(4096),
    }
}

/// Takes a packet of which at least [`needed`] bytes are there. `length` is the whole.
pub(super) fn take(turn: &mut Turn<Command>, body: &[u8], length: u32) -> Reply {
    let Turn { exchange, own, .. } = turn;
    let first = body.first().copied();
    if first == Some(0xff) && !matches!(own.expect, Expect::Text) {
        let Some(failure) = failure(body) else { return Reply::Wrong };
        if failure.code == PROGRESS {
            return Reply::More;
        }
        exchange.status_code = Some(i64::from(failure.code));
        exchange.status = Some(failure.state.unwrap_or("HY000").to_owned());
        exchange.attribute("db.response.status_code", failure.code.to_string());
        exchange.outcome = errors::outcome(failure.code, failure.state);
        exchange.error = Some(errors::message(failure.code, failure.message));
        return Reply::Whole(None);
    }
    let ends = first == Some(0xfe) && length < 0xff_ffff;
    match own.expect {
        Expect::Result => match first {
            Some(0) => finish(turn, body),
            Some(0xfb) => {
                exchange.note("local_infile");
                own.expect = Expect::Done;
                Reply::More
            }
            Some(_) => {
                let mut fields = Fields(body);
                let Some(columns) = fields.number().filter(|columns| (1..=4096).contains(columns)) else {
                    return Reply::Wrong;
                };
                // Metadata that the client has already is left out (MariaDB's cache, RESULTSET_METADATA_NONE).
                let known = fields.0 == [0];
                own.expect = if known { Expect::BehindColumns } else { Expect::Columns(columns) };
                own.has_rows = true;
                Reply::More
            }
            None => Reply::Wrong,
        },
        Expect::Columns(left) => {
            if ends {
                return Reply::Wrong;
            }
            own.expect = if left > 1 { Expect::Columns(left - 1) } else { Expect::BehindColumns };
            Reply::More
        }
        Expect::BehindColumns if ends && length <= 5 => {
            own.expect = Expect::Rows;
            match done(body) {
                // A cursor: rows come when they are fetched.
                Some(done) if done.status & state::CURSOR != 0 => {
                    own.has_rows = false;
                    finish(turn, body)
                }
                Some(_) | None => Reply::More,
            }
        }
        Expect::BehindColumns | Expect::Rows => {
            own.expect = Expect::Rows;
            own.has_rows = true;
            if ends {
                return finish(turn, body);
            }
            own.rows = own.rows.saturating_add(1);
            Reply::More
        }
        Expect::Fields if ends => finish(turn, body),
        Expect::Fields => Reply::More,
        Expect::Prepared => {
            let mut fields = Fields(body);
            let told = (fields.u8(), fields.u32(), fields.u16(), fields.u16());
            let (Some(0), Some(number), Some(columns), Some(parameters)) = told else { return Reply::Wrong };
            own.prepared = Some(number);
            own.expect = match (parameters, columns) {
                (0, 0) => return succeed(turn, None),
                (0, columns) => Expect::PreparedColumns(columns),
                (parameters, columns) => Expect::Parameters(parameters, columns),
            };
            Reply::More
        }
        Expect::Parameters(left, columns) => {
            own.expect = match left {
                0 | 1 => Expect::BehindParameters(columns),
                left => Expect::Parameters(left - 1, columns),
            };
            Reply::More
        }
        Expect::BehindParameters(columns) if ends => match columns {
            0 => finish(turn, body),
            columns => {
                own.expect = Expect::PreparedColumns(columns);
                Reply::More
            }
        },
        Expect::BehindParameters(0) => Reply::Before,
        Expect::BehindParameters(columns) => {
            own.expect = Expect::PreparedColumns(columns);
            take(turn, body, length)
        }
        Expect::PreparedColumns(left) => {
            own.expect = if left > 1 { Expect::PreparedColumns(left - 1) } else { Expect::BehindPrepared };
            Reply::More
        }
        Expect::BehindPrepared if ends => finish(turn, body),
        Expect::BehindPrepared => Reply::Before,
        Expect::Done => match first {
            Some(0 | 0xfe) => finish(turn, body),
            Some(_) | None => Reply::Wrong,
        },
        Expect::Text => succeed(turn, None),
        Expect::Login => match first {
            Some(0) => finish(turn, body),
            // Another plugin, or more that it asks for.
            Some(0xfe | 0x01) => {
                if first == Some(0xfe) {
                    exchange.note("auth_switched");
                }
                Reply::More
            }
            Some(_) | None => Reply::Wrong,
        },
        Expect::Events => {
            exchange.kind = Kind::Stream;
            if ends && length <= 5 {
                return finish(turn, body);
            }
            Reply::More
        }
    }
}

/// Whether the answer may be whole as it stands: only an EOF could follow, and servers that were told so leave it
/// out.
pub(super) fn may_be_whole(expect: Expect) -> bool {
    matches!(expect, Expect::BehindPrepared | Expect::BehindParameters(0))
}

/// OK or EOF at the end of a result.
fn finish(turn: &mut Turn<Command>, body: &[u8]) -> Reply {
    let Some(Done { affected, status, warnings }) = done(body) else { return succeed(turn, None) };
    let own = &mut turn.own;
    own.results += 1;
    own.affected = own.affected.saturating_add(affected.unwrap_or(0));
    own.warnings = own.warnings.max(warnings);
    if status & state::MORE_RESULTS != 0 && !matches!(own.expect, Expect::Prepared | Expect::Login) {
        own.expect = Expect::Result;
        return Reply::More;
    }
    succeed(turn, Some(status))
}

/// The answer is whole, and no error.
pub(super) fn succeed(turn: &mut Turn<Command>, status: Option<u16>) -> Reply {
    let Turn { exchange, own, .. } = turn;
    exchange.outcome = Outcome::Ok;
    exchange.status = Some("OK".to_owned());
    exchange.status_code = Some(0);
    if own.results > 1 {
        exchange.attribute("mysql.result_sets", i64::from(own.results));
    }
    let whole = |rows: u64| i64::try_from(rows).unwrap_or(i64::MAX);
    if own.has_rows {
        exchange.attribute("db.response.returned_rows", whole(own.rows));
    }
    if own.affected > 0 {
        exchange.attribute("db.response.affected_rows", whole(own.affected));
    }
    if own.warnings > 0 {
        exchange.attribute("mysql.warnings", i64::from(own.warnings));
    }
    if status.is_some_and(|status| status & state::IN_TRANSACTION != 0) {
        exchange.attribute("mysql.stat.it", true);
    }
    Reply::Whole(status)
}
