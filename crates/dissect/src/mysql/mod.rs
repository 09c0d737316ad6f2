//! MySQL's and MariaDB's client/server protocol
//! (<https://dev.mysql.com/doc/dev/mysql-server/latest/PAGE_PROTOCOL.html>,
//! <https://mariadb.com/docs/server/reference/clientserver-protocol>).
//!
//! **What a call is.** A command with all that answers it: every result set of a query, to the last packet. A query's
//! `operation` is its verb, `target` the statement without its literals, `endpoint` its normal form
//! ([`crate::statement`]); a prepared statement that is executed is told by its text, where its preparation was heard.
//! Other commands have their own names (`stmt_prepare`, `init_db`, `ping`, which is a probe); `mysql.command` has the
//! name of all. The session's begin is `login`, from the client's first packet to the server's OK; what proves who the
//! client is, whatever the plugin and however often it is switched, is not kept. One-way are `quit`, `stmt_close`,
//! `stmt_send_long_data`, and `ssl_request`, behind which the flow is TLS.
//!
//! `status` is `OK` or the SQLSTATE, `status_code` the error's number (0 for OK). The numbers that say that the server
//! could not do its part (deadlocks and time-outs among them) make a `server_error`, the others a `client_error`; `error`
//! is the message without what it quotes, unless its number says that it quotes names.
//!
//! **Compression** (zlib and zstd) is undone, each frame within the bounds; bytes and offsets of such calls are those
//! that were compressed, noted `compressed`.
//!
//! **Detection.** The server's greeting, or the error that it sends instead. In mid-stream: a command with a statement,
//! or on its port any other whose lengths fit. Whether results end with EOF is told by themselves, never by what was
//! agreed on, so a session that is entered in its middle is read as well.
//!
//! **After a gap.** A gap inside of a packet whose length is known is stepped over. Else reading goes on with a segment
//! in which packets lead from one to the next, numbered in order: an answer's beginning has the number one, another is
//! the rest of the result that was lost, noted `gap`.

mod command;
mod compress;
mod errors;
mod parse;
mod probe;
mod reply;
mod session;
#[cfg(test)]
mod tests;

use wirewise_model::Redaction;

use crate::{Protocol, StreamEntry};

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "mysql",
    title: "MySQL",
    reference: "MySQL client/server protocol",
    ports: &[3306, 6033, 4000],
    redaction: Redaction::Text,
    stream: Some(StreamEntry { probe: probe::probe, open: session::open }),
    message: None,
    refine: None,
};
