//! The names of packets and reasons, and who is to blame.

use wirewise_model::Outcome;

use super::parse::V5;

/// By type.
const PACKETS: [&str; 16] = [
    "RESERVED",
    "CONNECT",
    "CONNACK",
    "PUBLISH",
    "PUBACK",
    "PUBREC",
    "PUBREL",
    "PUBCOMP",
    "SUBSCRIBE",
    "SUBACK",
    "UNSUBSCRIBE",
    "UNSUBACK",
    "PINGREQ",
    "PINGRESP",
    "DISCONNECT",
    "AUTH",
];

pub(super) fn packet(kind: u8) -> &'static str {
    PACKETS[usize::from(kind & 15)]
}

/// Return codes of CONNACK before version 5 (3.1.1, table 3.1).
const REFUSALS: [(&str, Outcome); 6] = [
    ("Connection accepted", Outcome::Ok),
    ("Unacceptable protocol version", Outcome::ClientError),
    ("Identifier rejected", Outcome::ClientError),
    ("Server unavailable", Outcome::ServerError),
    ("Bad user name or password", Outcome::ClientError),
    ("Not authorized", Outcome::ClientError),
];

/// Reason codes of version 5 (table 2-6). Those that send a client elsewhere are no errors.
const REASONS: &[(u8, &str, Outcome)] = &[
    (0x00, "Success", Outcome::Ok),
    (0x01, "Granted QoS 1", Outcome::Ok),
    (0x02, "Granted QoS 2", Outcome::Ok),
    (0x04, "Disconnect with will message", Outcome::Ok),
    (0x10, "No matching subscribers", Outcome::Ok),
    (0x11, "No subscription existed", Outcome::Ok),
    (0x18, "Continue authentication", Outcome::Ok),
    (0x19, "Re-authenticate", Outcome::Ok),
    (0x80, "Unspecified error", Outcome::ServerError),
    (0x81, "Malformed packet", Outcome::ClientError),
    (0x82, "Protocol error", Outcome::ClientError),
    (0x83, "Implementation specific error", Outcome::ServerError),
    (0x84, "Unsupported protocol version", Outcome::ClientError),
    (0x85, "Client identifier not valid", Outcome::ClientError),
    (0x86, "Bad user name or password", Outcome::ClientError),
    (0x87, "Not authorized", Outcome::ClientError),
    (0x88, "Server unavailable", Outcome::ServerError),
    (0x89, "Server busy", Outcome::ServerError),
    (0x8a, "Banned", Outcome::ClientError),
    (0x8b, "Server shutting down", Outcome::ServerError),
    (0x8c, "Bad authentication method", Outcome::ClientError),
    (0x8d, "Keep alive timeout", Outcome::ClientError),
    (0x8e, "Session taken over", Outcome::ClientError),
    (0x8f, "Topic filter invalid", Outcome::ClientError),
    (0x90, "Topic name invalid", Outcome::ClientError),
    (0x91, "Packet identifier in use", Outcome::ClientError),
    (0x92, "Packet identifier not found", Outcome::ClientError),
    (0x93, "Receive maximum exceeded", Outcome::ClientError),
    (0x94, "Topic alias invalid", Outcome::ClientError),
    (0x95, "Packet too large", Outcome::ClientError),
    (0x96, "Message rate too high", Outcome::ClientError),
    (0x97, "Quota exceeded", Outcome::ClientError),
    (0x98, "Administrative action", Outcome::ServerError),
    (0x99, "Payload format invalid", Outcome::ClientError),
    (0x9a, "Retain not supported", Outcome::ClientError),
    (0x9b, "QoS not supported", Outcome::ClientError),
    (0x9c, "Use another server", Outcome::Ok),
    (0x9d, "Server moved", Outcome::Ok),
    (0x9e, "Shared subscriptions not supported", Outcome::ClientError),
    (0x9f, "Connection rate exceeded", Outcome::ClientError),
    (0xa0, "Maximum connect time", Outcome::ClientError),
    (0xa1, "Subscription identifiers not supported", Outcome::ClientError),
    (0xa2, "Wildcard subscriptions not supported", Outcome::ClientError),
];

/// The name of a reason, and who is to blame for it.
pub(super) fn reason(code: u8) -> (&'static str, Outcome) {
    let found = REASONS.iter().find(|reason| reason.0 == code);
    found.map_or(
        ("Unknown reason", if code < 0x80 { Outcome::Ok } else { Outcome::ServerError }),
        |(_, name, outcome)| (name, *outcome),
    )
}

/// The same of a CONNACK.
pub(super) fn connack(code: u8, version: Option<u8>) -> (&'static str, Outcome) {
    let is_old = version.map_or(code < 0x80, |version| version != V5);
    match REFUSALS.get(usize::from(code)) {
        Some(refusal) if is_old => *refusal,
        Some(_) | None => reason(code),
    }
}

/// The same of a code in a SUBACK: before version 5, 0x80 says no more than that it failed.
pub(super) fn suback(code: u8, version: Option<u8>) -> (&'static str, Outcome) {
    match code {
        0 => ("Granted QoS 0", Outcome::Ok),
        0x80 if version != Some(V5) => ("Failure", Outcome::ClientError),
        code => reason(code),
    }
}
