//! Bytes in, exchanges out: what the two sides of a flow say to each other, by protocol.
//!
//! A dissector knows neither packets nor flows. It sees bytes of two sides (or messages), gaps and the end,
//! and marks that say when and in which packet a byte came. Each protocol is one folder and one word in
//! [`PROTOCOLS`]; probe order, lists for command line and charts, docs and the fuzz target derive from it.
//!
//! [`Session`] does for every protocol alike what none should do for itself: detection within
//! `Limits::probe_bytes`, keeping what was not consumed, fencing panics, and the books.

#[cfg(test)]
mod conversation;
mod dissector;
mod framed;
mod inner;
mod input;
mod json;
mod lineup;
mod pending;
mod probing;
#[cfg(test)]
mod rehearsal;
mod session;
mod statement;
mod table;
#[cfg(test)]
mod talk;
mod text;

mod amqp;
mod cql;
mod diameter;
mod dns;
mod genai;
mod graphql;
mod grpc;
mod http;
mod http1;
mod http2;
mod icmp;
mod kafka;
mod ldap;
mod mcp;
mod memcached;
mod mongodb;
mod mqtt;
mod mysql;
mod nats;
mod postgresql;
mod quic;
mod radius;
mod redis;
mod tls;
mod websocket;

pub use dissector::{
    Datagram, End, Fed, Heads, MessageEntry, Messages, Out, Probe, Protocol, RefineEntry, Stream,
    StreamEntry, Verdict,
};
pub use input::Input;
pub use session::{Session, SessionStart, Switchboard};
pub use table::{PROTOCOLS, protocol};
