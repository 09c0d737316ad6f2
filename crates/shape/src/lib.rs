//! What calls have in common: the target with its ids masked, and a key that is equal for calls of one shape.
//!
//! Masks are stateless: a segment is judged by its own characters, never by what was seen before, so that a
//! row's key never changes and two nodes agree. The price is a careful rule: a word stays a word, and
//! `/users/me` never becomes `/users/{id}`. What only statistics can tell (`/users/alice`) is learnt later,
//! by a table that maps keys.

mod mask;
mod path;

use wirewise_model::stable_hash;
use wirewise_redact::RecordFields;

/// Targets that are not stable after as many masks are made to be odd.
const MOST_ROUNDS: usize = 8;

/// The target of a call, templated: the `endpoint` column. Empty where the protocol has no target. A protocol that
/// knows a better form than masking ids (a statement's normal form, a service's method) tells it, and it stays.
///
/// Masking it again gives the same.
pub fn endpoint(record: &RecordFields) -> String {
    if let Some(endpoint) = &record.endpoint {
        return endpoint.clone();
    }
    let mut masked = once(&record.protocol, &record.operation, &record.target);
    if !masked.contains(['{', '[', '%', '.', ';', ':']) {
        return masked;
    }
    // What one mask leaves may be an id in the eyes of the next; ordinary targets are done after one.
    for _ in 0..MOST_ROUNDS {
        let again = once(&record.protocol, &record.operation, &masked);
        if again == masked {
            return masked;
        }
        masked = again;
    }
    "{text}".to_owned()
}

fn once(protocol: &str, operation: &str, target: &str) -> String {
    match protocol {
        "http1" | "http2" | "http3" | "http" => path::endpoint(operation, target),
        "dns" | "mdns" | "llmnr" | "tls" => mask::name(target),
        // One address each: the workloads say who that is, the endpoint need not.
        "icmp" | "icmpv6" | "tcp" | "udp" | "sctp" => String::new(),
        _ => mask::text(target),
    }
}

/// The key of a call's shape: client and server workload, protocol, operation, endpoint, class of status and
/// the error without its particulars, hashed to 16 hexadecimal digits.
pub fn shape_key(record: &RecordFields) -> String {
    let error = record.error.as_deref().map(mask::text).unwrap_or_default();
    let workload = |name: &str| mask::name(name);
    let hash = stable_hash(&[
        workload(&record.peers.client.workload).as_bytes(),
        workload(&record.peers.server.workload).as_bytes(),
        record.protocol.as_bytes(),
        record.operation.as_bytes(),
        endpoint(record).as_bytes(),
        status_class(record).as_bytes(),
        error.as_bytes(),
    ]);
    format!("{hash:016x}")
}

/// `2xx` of HTTP; the status itself of protocols whose codes are words; else the outcome.
fn status_class(record: &RecordFields) -> String {
    match (record.protocol.as_str(), record.status_code) {
        ("http1" | "http2" | "http3" | "http", Some(code @ 100..=599)) => format!("{}xx", code / 100),
        _ => match &record.status {
            Some(status) if status.len() <= 32 => format!("{} {}", record.outcome.name(), mask::text(status)),
            Some(_) | None => record.outcome.name().to_owned(),
        },
    }
}

#[cfg(test)]
mod tests;
