//! Every protocol that can be dissected, in the order in which flows are probed for them: the surest
//! signatures first, the loosest last.

use crate::{
    Protocol, amqp, cql, dns, http1, icmp, kafka, memcached, mongodb, mqtt, mysql, postgresql, quic, redis,
    tls,
};

/// The protocols. One word a protocol; `cargo xtask new-dissector NAME` adds it.
pub static PROTOCOLS: &[&Protocol] = &[
    &tls::PROTOCOL,
    &quic::PROTOCOL,
    &http1::PROTOCOL,
    &postgresql::PROTOCOL,
    &mysql::PROTOCOL,
    &mongodb::PROTOCOL,
    &cql::PROTOCOL,
    &amqp::PROTOCOL,
    &redis::PROTOCOL,
    &memcached::PROTOCOL,
    &mqtt::PROTOCOL,
    &icmp::PROTOCOL,
    &kafka::PROTOCOL,
    &dns::PROTOCOL,
    &dns::MDNS,
    &dns::LLMNR,
];

/// The protocol of that name.
pub fn protocol(name: &str) -> Option<&'static Protocol> {
    PROTOCOLS.iter().find(|protocol| protocol.name == name).copied()
}
