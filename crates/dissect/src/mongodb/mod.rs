//! MongoDB's wire protocol
//! (<https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>): OP_MSG with its sections, checksums and
//! streamed replies, the messages of before (OP_QUERY, OP_REPLY and others), and OP_COMPRESSED around any of them.
//!
//! **What a call is.** A command with its reply, paired by request id, in any order. `operation` is the command's name,
//! `target` its namespace, `db.collection`. A reply that says that more will come makes a call of kind `stream`, which
//! takes in all replies; a message that wants none, or one of before that has none, is one-way. `hello` and `ping` are
//! probes, `long_poll` where the server is asked to hold its answer. Of documents nothing is read but the names at their
//! top and the fields that tell how it went; neither filters, values nor what proves who a client is.
//!
//! `status` is `OK` or the error's name, `status_code` its number. Elections, shut-downs, time-outs, write conflicts and
//! failed write concerns are a `server_error`, the rest a `client_error`; a reply that is OK but lists write errors is
//! the first of these. `error` is the message without the keys and values that it shows.
//!
//! **Detection.** The header's length and operation, and behind them a section, a name of a collection or a document
//! whose lengths fit.
//!
//! **After a gap.** A gap inside of a message is stepped over, and what it would have told is noted `gap`. Else reading
//! goes on with a segment that begins with a message; ids pair what comes after.

mod compress;
mod describe;
mod parse;
mod session;
#[cfg(test)]
mod tests;
mod walk;

use wirewise_model::Redaction;

use crate::{Protocol, StreamEntry};

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "mongodb",
    title: "MongoDB",
    reference: "MongoDB wire protocol",
    ports: &[27017, 27018, 27019],
    redaction: Redaction::Text,
    stream: Some(StreamEntry { probe: parse::probe, open: session::open }),
    message: None,
    refine: None,
};
