//! QUIC: RFC 9000, RFC 9001, version 2 of RFC 9369 and the drafts that were deployed. What is told is the handshake,
//! as of TLS over TCP; what follows it is encrypted and passed over.
//!
//! One exchange a handshake: `operation` is `handshake`, `target` and `host` are the server name. Initial packets
//! are encrypted with keys that everybody can derive from the connection id that the client chose (RFC 9001, 5.2);
//! their CRYPTO frames are put together, and the TLS hellos in them are read by `tls`. The request is every datagram
//! of the client up to the one that ends the handshake, the response every datagram of the server with a long
//! header.
//!
//! **Outcome.** `ok` once the client sends with keys of the application, a short header (RFC 9001, 4.1.1: it has
//! finished then). CONNECTION_CLOSE in an Initial packet ends it: `client_error` where the client sent it,
//! `server_error` where the server did; `status` is the alert's name or that of the transport's error. A server that
//! offers other versions and is not asked again is a `client_error`, `version_negotiation`.
//!
//! **Detection.** An Initial packet of the client that its keys open: the seal cannot fit by chance.
//!
//! **After a gap** nothing has to be found again, since a datagram stands for itself; a hello of which a part never
//! came is read as far as it goes. A connection of which the first flight was not heard is not told, since nothing of
//! it can be read.
//!
//! **Memory.** Under way, the hellos of both sides, each up to `Limits::header_bytes`; afterwards the connection ids
//! by which late packets of the handshake are known.

mod crypto;
mod parse;
mod protect;
mod session;
#[cfg(test)]
mod tests;

use wirewise_model::Redaction;

use crate::{MessageEntry, Protocol};

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "quic",
    title: "QUIC",
    reference: "RFC 9000, RFC 9001, RFC 9369",
    ports: &[443, 8443],
    redaction: Redaction::Names,
    stream: None,
    message: Some(MessageEntry { probe: session::probe, open: session::open }),
    refine: None,
};
