//! DNS, RFC 1035.

use crate::Protocol;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "dns",
    title: "DNS",
    reference: "RFC 1035",
    ports: &[53, 5353, 5355],
    stream: None,
    message: None,
};
