//! Every protocol that can be dissected, in the order in which flows are probed for them: the surest
//! signatures first, the loosest last.

use crate::{
    Protocol, amqp, cql, diameter, dns, genai, graphql, grpc, http1, http2, icmp, kafka, ldap, mcp,
    memcached, mongodb, mqtt, mysql, nats, postgresql, quic, radius, redis, tls, websocket,
};

/// The protocols. One word a protocol; `cargo xtask new-dissector NAME` adds it.
pub static PROTOCOLS: &[&Protocol] = &[
    &tls::PROTOCOL,
    &http2::PROTOCOL,
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
    &nats::PROTOCOL,
    &ldap::PROTOCOL,
    &diameter::PROTOCOL,
    &icmp::PROTOCOL,
    &kafka::PROTOCOL,
    &radius::PROTOCOL,
    &dns::PROTOCOL,
    &dns::MDNS,
    &dns::LLMNR,
    &websocket::PROTOCOL,
    &grpc::PROTOCOL,
    &mcp::PROTOCOL,
    &genai::PROTOCOL,
    &graphql::PROTOCOL,
];

/// The protocol of that name.
pub fn protocol(name: &str) -> Option<&'static Protocol> {
    PROTOCOLS.iter().find(|protocol| protocol.name == name).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_protocol_is_a_word_of_its_column_and_stands_once() {
        for (place, protocol) in PROTOCOLS.iter().enumerate() {
            assert!(wirewise_model::PROTOCOLS.contains(&protocol.name), "{} is no word", protocol.name);
            assert!(PROTOCOLS[..place].iter().all(|other| other.name != protocol.name), "{}", protocol.name);
        }
        for word in wirewise_model::PROTOCOLS {
            let is_transport = ["tcp", "udp", "sctp", "icmpv6"].contains(word);
            assert!(is_transport || protocol(word).is_some(), "nothing dissects {word}");
        }
    }
}
