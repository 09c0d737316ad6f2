//! TLS, RFC 8446.

use crate::Protocol;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "tls",
    title: "TLS",
    reference: "RFC 8446",
    ports: &[443, 8443],
    stream: None,
    message: None,
};
