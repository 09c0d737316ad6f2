//! What calls have in common: the target with its ids masked, a key that is equal for calls of one shape, and the
//! table of shapes.
//!
//! **Masks** are stateless: a segment is judged by its own characters, never by what was seen before, so that a
//! row's key never changes and two nodes agree. The price is a careful rule: a word stays a word, and
//! `/users/me` never becomes `/users/{id}`. What only statistics can tell (`/users/alice`) is learnt later,
//! by the **table** ([`ShapeTable`]), which maps keys to shapes: where one parent has had many different words,
//! they are a parameter, `/users/{}`.
//!
//! # How it is meant to be used
//! A store writes [`Keyed::key`] and [`Keyed::endpoint`] into each row. Whoever ingests keeps one table a data set and
//! gives it each batch that the store took for the first time ([`ShapeTable::observe`]). Every few seconds
//! [`ShapeTable::take_changes`] says what to write in one transaction (rows, and which key means which shape), which
//! shapes are new and want a vector, and which are no more. After a restart [`ShapeTable::from_image`] goes on
//! from what was written. Reading `calls` joins keys by [`ShapeTable::lookup`], or by the keys that were written; a
//! join is good for one [`ShapeTable::version`]. A key that the table does not know, because it remembers only so many,
//! is resolved from its row's columns ([`ShapeTable::resolve`]); what is not found then was counted in a rest-shape.
//! A table of each node can be merged into one ([`ShapeTable::merge`]).
//!
//! Every row counts, so a late response that comes as a second revision counts beside the first.

mod error;
mod exemplar;
mod family;
mod mask;
mod parts;
mod path;
mod stats;
mod table;
mod timeline;
mod tree;

pub use exemplar::{Exemplar, Exemplars, MOST_VARIED};
pub use parts::{BadKey, Keyed, Parts, ShapeKey};
pub use stats::Stats;
pub use table::{
    BadImage, Bounds, Changes, Image, KeyRow, Learnt, Observation, Row, RowId, Shape, ShapeId, ShapeTable,
};
pub use timeline::{Bucket, MOST_BUCKETS, Timeline};

use wirewise_redact::RecordFields;

/// The endpoint of a rest-shape, where calls are counted that found no place in a bounded table.
pub const REST: &str = "{rest}";
/// Bytes of an endpoint that a protocol told.
const LONGEST_TOLD: usize = 2048;
/// Targets that are not stable after as many masks are made to be odd.
const MOST_ROUNDS: usize = 8;

/// The target of a call, templated: the `endpoint` column. Empty where the protocol has no target. A protocol that
/// knows a better form than masking ids (a statement's normal form, a service's method) tells it, and it stays.
///
/// Masking it again gives the same.
pub fn endpoint(record: &RecordFields) -> String {
    if let Some(endpoint) = &record.endpoint {
        return cut(endpoint, LONGEST_TOLD).to_owned();
    }
    let (mut masked, stable) = once(&record.protocol, &record.operation, &record.target);
    if stable || !masked.contains(['{', '[', '%', '.', ';', ':']) {
        return masked;
    }
    // What one mask leaves may be an id in the eyes of the next; ordinary targets are done after one.
    for _ in 0..MOST_ROUNDS {
        let (again, stable) = once(&record.protocol, &record.operation, &masked);
        if stable || again == masked {
            return again;
        }
        masked = again;
    }
    "{text}".to_owned()
}

/// The target masked, and whether masking it again is sure to change nothing.
fn once(protocol: &str, operation: &str, target: &str) -> (String, bool) {
    let masked = match protocol {
        protocol if family::is_http(protocol) => return path::endpoint(operation, target),
        "dns" | "mdns" | "llmnr" | "tls" => mask::name(target).into_owned(),
        // One address each: the workloads say who that is, the endpoint need not.
        "icmp" | "icmpv6" | "tcp" | "udp" | "sctp" => String::new(),
        _ => mask::text(target).replace("{}", "{text}"),
    };
    (masked, false)
}

/// The text, or as much of it as `most` bytes hold.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// The key of a call's shape: client and server workload, protocol, operation, endpoint, class of status and
/// the error without its particulars, hashed. A row's `shape_key` is its text.
pub fn shape_key(record: &RecordFields) -> ShapeKey {
    Keyed::new(record, &record.peers).key
}

#[cfg(test)]
mod tests;
