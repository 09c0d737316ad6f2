//! From a frame to the transport packet in it: link, tags, IP, fragments, tunnels, transport headers.
//!
//! [`Parser::parse`] takes one [`Frame`](wirewise_model::Frame) and says what became of it: a [`Packet`] of
//! the innermost flow, a reason why there is none, or that it waits with other fragments. Payloads are
//! borrowed from the frame; only fragments are copied. Nothing here reorders a stream or knows a protocol
//! above the transport: that is for `flow` and `dissect`.
//!
//! The parser believes lengths in headers only as far as the frame reaches, so padding is never payload, and
//! a lie never reads past an end. `payload` is what was captured, `payload_len` what was on the wire.

mod duplicates;
mod fragments;
mod ip;
mod link;
mod packet;
mod parser;
mod reasons;
mod sctp;
mod transport;
mod tunnel;
mod view;

pub use packet::{Icmp, L4, Packet, Parsed, Tcp, TcpFlags, Udp};
pub use parser::Parser;
pub use sctp::{Chunk, ChunkKind, Chunks, Data, Sctp};

#[cfg(test)]
mod tests;
