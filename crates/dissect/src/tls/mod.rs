//! TLS: RFC 8446 (1.3), RFC 5246 (1.2) and its elders down to SSL 3.0 (RFC 6101) and the hello of SSL 2.0 that
//! RFC 5246, appendix E.2 allows. What is told is the handshake; what follows it is encrypted and passed over.
//!
//! One exchange a handshake: `operation` is `handshake`, `target` and `host` are the server name. The request is
//! all that the client sent for it, the response all that the server sent, up to the last record of the
//! handshake. Where that record is encrypted it is told by its place: up to TLS 1.2 the first handshake record
//! after ChangeCipherSpec; in TLS 1.3 the server's flight ends where the client's first encrypted record begins.
//!
//! **Outcome.** `ok` once both have finished. A fatal alert ends it: `client_error` where the client sent it,
//! `server_error` where the server did. This says who refused, not whose fault it is: `unknown_ca` from a client
//! speaks of a certificate that the server showed. `status` is then the alert's name and `status_code` its
//! number, else `status` is the negotiated version. In TLS 1.3 a refusing client's alert is encrypted, but no
//! other first record is as short: `encrypted_alert`. A server that answers a hello with something else than
//! TLS is `server_error`, noted `not_tls`.
//!
//! **Gaps.** A gap inside a record is counted down, so the next header is found where it must be. After a longer
//! one each side looks for a plausible header, first at the beginning of what comes, and checks it against the
//! header after it; one that was mistaken is noticed at the next. A message with a hole is passed over.
//!
//! **Memory.** After the handshake a flow keeps two small lanes and no buffers. Before, it keeps one message a
//! side at most, up to `Limits::header_bytes`; longer ones are counted down, noted `oversized_message`.

mod certificate;
mod handshake;
mod ja;
mod messages;
mod names;
mod parse;
mod probe;
mod stream;
#[cfg(test)]
mod tests;

use wirewise_model::Redaction;

pub(crate) use self::handshake::{Ending, Handshake};
pub(crate) use self::parse::{ClientHello, ServerHello};

use crate::{Protocol, StreamEntry};

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "tls",
    title: "TLS",
    reference: "RFC 8446, RFC 5246",
    ports: &[443, 853, 993, 8443],
    redaction: Redaction::Names,
    stream: Some(StreamEntry { probe: probe::probe, open: stream::open }),
    message: None,
    refine: None,
};
