//! CQL's native protocol, versions 3 to 5, of Cassandra and ScyllaDB
//! (<https://cassandra.apache.org/doc/latest/cassandra/reference/native-protocol.html>).
//!
//! **What a call is.** A request with its response, paired by stream id, in any order. Of QUERY and EXECUTE `operation`
//! is the statement's verb, `target` the statement without its literals, `endpoint` its normal form
//! ([`crate::statement`]); a prepared statement is told by its text where its preparation was heard. A BATCH tells all of
//! its statements, and how many. Other requests have their own names; OPTIONS, which drivers send as a heartbeat, is a
//! probe. STARTUP and what proves who a client is are of kind `session`, and none of the proof is kept. Events are
//! one-way.
//!
//! `status` is the kind of the result or the error's name, `status_code` the error's number. What nodes could not do in
//! time or number (UNAVAILABLE, time-outs, failures, OVERLOADED ...) is a `server_error`.
//!
//! **Compression.** Bodies (LZ4, Snappy) and the segments of version 5 (LZ4) are undone within the bounds; a longer body
//! is paired and not read, noted `compressed_not_read`.
//!
//! **Detection.** A header whose opcode fits its direction, and behind it what that opcode needs: nothing, a map with
//! CQL_VERSION, a statement. In mid-stream a segment of version 5 shows by its checksum.
//!
//! **After a gap.** A gap inside of a body is stepped over. Else reading goes on with a segment of TCP that begins with
//! a message (in version 5, with a segment that holds whole messages); ids pair what comes after.

mod body;
mod describe;
mod parse;
mod segment;
mod session;
#[cfg(test)]
mod tests;

use wirewise_model::Redaction;

use crate::{Protocol, StreamEntry};

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "cql",
    title: "Cassandra CQL",
    reference: "CQL native protocol v5",
    ports: &[9042, 9142],
    redaction: Redaction::Text,
    stream: Some(StreamEntry { probe: parse::probe, open: session::open }),
    message: None,
    refine: None,
};
