//! PostgreSQL's frontend/backend protocol, version 3
//! (<https://www.postgresql.org/docs/current/protocol.html>).
//!
//! **What a call is.** What a client sends up to the point where it waits, and what the server says up to
//! `ReadyForQuery`: a simple query (of several statements, if it holds them), or the messages of the extended protocol
//! up to `Sync`. `operation` is the statement's verb, `target` the statement without its literals, `endpoint` its
//! normal form ([`crate::statement`]); several statements in one call are joined, their number is
//! `db.operation.batch.size`, and verb and table are those of the first that is not about the transaction. What is not
//! executed is `parse`, `describe`, `close`, `sync`; a session's begin is `startup` (with SASL, MD5 or whatever
//! proves who it is, none of which is kept). COPY and replication are calls of kind `stream`. One-way are `terminate`,
//! `cancel_request`, notifications, and what a server says unasked.
//!
//! `status` is the command's tag without its counts, or the SQLSTATE; what the server could not do (classes 08, 53, 54,
//! 57, 58, XX, F0; 40, because a client does right to ask again; 55P03) is a `server_error`, the rest a `client_error`.
//! `error` is the message without what it quotes, unless its code says that it quotes names; DETAIL and HINT, which hold
//! keys and rows, are not read.
//!
//! **Detection.** The client's first message: its length, the version, its first parameter. In mid-stream: messages whose
//! lengths lead from one to the next, among them one that nothing else looks like.
//!
//! **After a gap.** A gap inside of a message whose length is known is stepped over. Else reading goes on with a
//! segment that begins with such messages, or, of the server, that ends with a `ReadyForQuery`: the call that it belongs
//! to is noted `gap`.

mod cycle;
mod parse;
mod probe;
mod session;
mod statements;
#[cfg(test)]
mod tests;

use wirewise_model::Redaction;

use crate::{Protocol, StreamEntry};

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "postgres",
    title: "PostgreSQL",
    reference: "PostgreSQL documentation, chapter 55 (Frontend/Backend Protocol 3.0)",
    ports: &[5432, 6432, 26257],
    redaction: Redaction::Text,
    stream: Some(StreamEntry { probe: probe::probe, open: session::open }),
    message: None,
    refine: None,
};
