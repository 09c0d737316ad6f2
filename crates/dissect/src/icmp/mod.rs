//! ICMP and ICMPv6, RFC 792, RFC 4443.

use crate::Protocol;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "icmp",
    title: "ICMP and ICMPv6",
    reference: "RFC 792, RFC 4443",
    ports: &[],
    stream: None,
    message: None,
};
