//! HTTP/1.0 and 1.1, RFC 9112.

use crate::Protocol;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "http1",
    title: "HTTP/1.0 and 1.1",
    reference: "RFC 9112",
    ports: &[80, 8080],
    stream: None,
    message: None,
};
