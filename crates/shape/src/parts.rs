//! What a shape is made of, as the stateless masks see it, and the key that follows from it.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use wirewise_model::{Outcome, Peers, stable_hash};
use wirewise_redact::RecordFields;

use crate::{endpoint, error, mask};

/// Bytes of the name of a protocol or an operation.
const LONGEST_NAME: usize = 128;
/// Longest status that is told as it is.
const LONGEST_STATUS: usize = 32;
/// Digits of a status: more are an id.
const MOST_STATUS_DIGITS: usize = 5;

/// The key of a stored row: 16 hexadecimal digits, a function of the row alone. A [`crate::ShapeTable`] knows which
/// shape it belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ShapeKey(pub u64);

impl fmt::Display for ShapeKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// A text that is no name of a shape or key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadKey;

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("expected 16 hexadecimal digits")
    }
}

impl std::error::Error for BadKey {}

impl FromStr for ShapeKey {
    type Err = BadKey;

    fn from_str(text: &str) -> Result<Self, BadKey> {
        if text.len() != 16 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(BadKey);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| BadKey)
    }
}

/// The seven things that make a shape, and what follows from them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Parts {
    /// Who asks; an address where nothing better is known, `{ip}` where many did.
    pub client: String,
    /// Who answers.
    pub server: String,
    /// The `protocol` column.
    pub protocol: String,
    /// The `operation` column.
    pub operation: String,
    /// The target with its ids masked.
    pub endpoint: String,
    /// `2xx` of HTTP; outcome and status of the others.
    pub class: String,
    /// The error without its particulars; empty where there was none.
    pub error: String,
    /// How its calls came out: shapes of different outcomes never become one.
    pub outcome: Outcome,
    /// The protocol itself told the endpoint, and nothing is to be learnt of it.
    pub told: bool,
}

impl Parts {
    /// Equal for equal parts, on every machine.
    pub(crate) fn hash(&self) -> u64 {
        Borrowed {
            client: &self.client,
            server: &self.server,
            protocol: &self.protocol,
            operation: &self.operation,
            endpoint: &self.endpoint,
            class: &self.class,
            error: &self.error,
        }
        .hash()
    }

    /// Where calls are counted that found no place: one of each outcome.
    pub(crate) fn rest(outcome: Outcome) -> Self {
        Self {
            client: String::new(),
            server: String::new(),
            protocol: String::new(),
            operation: String::new(),
            endpoint: crate::REST.to_owned(),
            class: outcome.name().to_owned(),
            error: String::new(),
            outcome,
            told: true,
        }
    }

    pub(crate) fn is_rest(&self) -> bool {
        self.endpoint == crate::REST && self.protocol.is_empty()
    }

    /// As a sentence: what is embedded and shown.
    pub fn text(&self) -> String {
        if self.is_rest() {
            return format!("calls that found no place in the bounded table of shapes ({})", self.class);
        }
        let mut text = format!("{} -> {} {}", self.client, self.server, self.protocol);
        for part in [&self.operation, &self.endpoint, &self.class] {
            if !part.is_empty() {
                text.push(' ');
                text.push_str(part);
            }
        }
        if !self.error.is_empty() {
            text.push_str(": ");
            text.push_str(&self.error);
        }
        text
    }
}

/// A row as the masks see it, with its key. What is not masked is borrowed.
#[derive(Clone, Debug)]
pub struct Keyed<'a> {
    /// The row's `shape_key`.
    pub key: ShapeKey,
    /// The row's `endpoint` as the masks alone make it.
    pub endpoint: String,
    client: Cow<'a, str>,
    server: Cow<'a, str>,
    protocol: &'a str,
    operation: &'a str,
    class: Cow<'static, str>,
    error: String,
    outcome: Outcome,
    told: bool,
}

impl<'a> Keyed<'a> {
    /// Of a row and who its ends are.
    pub fn new(record: &'a RecordFields, peers: &'a Peers) -> Self {
        let (client, server) = (mask::name(&peers.client.workload), mask::name(&peers.server.workload));
        let (protocol, operation) =
            (crate::cut(&record.protocol, LONGEST_NAME), crate::cut(&record.operation, LONGEST_NAME));
        let (endpoint, class, error) = (endpoint(record), status_class(record), error::words(record));
        let key = Borrowed {
            client: &client,
            server: &server,
            protocol,
            operation,
            endpoint: &endpoint,
            class: &class,
            error: &error,
        }
        .hash();
        Self {
            key: ShapeKey(key),
            client,
            server,
            protocol,
            operation,
            endpoint,
            class,
            error,
            outcome: record.outcome,
            told: record.endpoint.is_some(),
        }
    }

    /// The same, owned.
    pub fn into_parts(self) -> Parts {
        Parts {
            client: self.client.into_owned(),
            server: self.server.into_owned(),
            protocol: self.protocol.to_owned(),
            operation: self.operation.to_owned(),
            endpoint: self.endpoint,
            class: self.class.into_owned(),
            error: self.error,
            outcome: self.outcome,
            told: self.told,
        }
    }
}

struct Borrowed<'a> {
    client: &'a str,
    server: &'a str,
    protocol: &'a str,
    operation: &'a str,
    endpoint: &'a str,
    class: &'a str,
    error: &'a str,
}

impl Borrowed<'_> {
    fn hash(&self) -> u64 {
        stable_hash(&[
            self.client.as_bytes(),
            self.server.as_bytes(),
            self.protocol.as_bytes(),
            self.operation.as_bytes(),
            self.endpoint.as_bytes(),
            self.class.as_bytes(),
            self.error.as_bytes(),
        ])
    }
}

/// `2xx` of HTTP that came out as such a status does; else the outcome, and the status of protocols whose codes are
/// words or short numbers.
fn status_class(record: &RecordFields) -> Cow<'static, str> {
    const CLASSES: [(&str, Outcome); 5] = [
        ("1xx", Outcome::Ok),
        ("2xx", Outcome::Ok),
        ("3xx", Outcome::Ok),
        ("4xx", Outcome::ClientError),
        ("5xx", Outcome::ServerError),
    ];
    let outcome = record.outcome;
    if crate::family::is_http(&record.protocol)
        && let Some(code @ 100..=599) = record.status_code
    {
        let (class, usual) = CLASSES[(code / 100 - 1) as usize];
        return match outcome == usual {
            true => Cow::Borrowed(class),
            // Cut off in its body, say.
            false => Cow::Owned(format!("{outcome} {class}")),
        };
    }
    match record.status.as_deref() {
        Some(status) if is_short_number(status) => Cow::Owned(format!("{outcome} {status}")),
        Some(status) if status.len() <= LONGEST_STATUS => {
            Cow::Owned(format!("{outcome} {}", mask::text(status)))
        }
        Some(_) | None => Cow::Borrowed(outcome.name()),
    }
}

fn is_short_number(status: &str) -> bool {
    (1..=MOST_STATUS_DIGITS).contains(&status.len()) && status.bytes().all(|byte| byte.is_ascii_digit())
}
