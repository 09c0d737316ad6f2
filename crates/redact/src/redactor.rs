//! From a call with names to a record: which column is scrubbed how.
//!
//! Policies are by protocol, and stand in the protocol's entry of the table; each has tests with planted secrets.
//! Of a protocol without one only what has a type stays (times, ends, counters, numbers, outcome), since nobody has
//! said yet where it keeps its secrets.

use std::borrow::Cow;

use wirewise_model::{Attribute, Body, Limits, Message, NameSource, Redaction, Value, Workload};

use crate::clean::Clean;
use crate::detect::Random;
use crate::kind::{Key, Pseudonyms};
use crate::record::{Attributed, Payload, Record, RecordFields};
use crate::scrub::{Place, Scrub};
use crate::{body, header, text, url};

/// How a protocol of that name is scrubbed, as the table of protocols says; `None` for one that is in no table.
pub type Policies = fn(protocol: &str) -> Option<Redaction>;

/// An operation or status longer than this is no word of a protocol.
const LONGEST_WORD: usize = 64;

/// Hides secrets. Equal calls give equal records, whatever it redacted before.
#[derive(Clone, Debug)]
pub struct Redactor {
    pseudonyms: Pseudonyms,
    limits: Limits,
    policies: Policies,
    clean: Clean,
}

impl Redactor {
    /// Of a key, which makes pseudonyms join, of limits, of which it takes `body_kept`, and of the protocols' policies.
    pub fn new(key: &Key, limits: &Limits, policies: Policies) -> Self {
        Self { pseudonyms: Pseudonyms::new(key), limits: limits.clone(), policies, clean: Clean::new() }
    }

    /// Scrubs a call: the only way to a [`Record`] but for reading one back.
    pub fn redact(&mut self, attributed: Attributed) -> Record {
        let Attributed { call, mut peers, heard } = attributed;
        let mut exchange = call.exchange;
        let mut scrub = Scrub::new(&self.pseudonyms, &self.limits, &mut self.clean);
        let policy = (self.policies)(&exchange.protocol);

        let (started, observed_until) = (exchange.started(), exchange.observed_until());
        let nanos = |span: std::time::Duration| u64::try_from(span.as_nanos()).unwrap_or(u64::MAX);
        let duration_nanos = exchange.took().map(nanos);
        let ttfb_nanos = exchange.time_to_first_byte().map(nanos);

        let keep = policy.is_some();
        let request = exchange.request.take().map(|message| scrub.side(message, "request.", keep));
        let response = exchange.response.take().map(|message| scrub.side(message, "response.", keep));

        scrub.word(&mut exchange.operation, "operation");
        if let Some(status) = &mut exchange.status {
            scrub.word(status, "status");
        }
        if let Some(host) = &mut exchange.host {
            scrub.mend(host, Random::Keep, Place::new("", "host"));
        }
        match policy {
            Some(policy) => {
                scrub.target(&mut exchange.target, policy);
                if let Some(endpoint) = &mut exchange.endpoint {
                    scrub.target(endpoint, policy);
                }
                if let Some(error) = &mut exchange.error {
                    scrub.mend(error, Random::Hide, Place::new("", "error"));
                }
                for attribute in &mut exchange.attributes {
                    scrub.attribute(attribute, policy);
                }
            }
            None => {
                exchange.target.clear();
                exchange.endpoint = None;
                exchange.error = None;
                exchange.attributes.retain(|attribute| !matches!(attribute.value, Value::Text(_)));
            }
        }
        scrub.workload(&mut peers.client, "client");
        scrub.workload(&mut peers.server, "server");
        let (trace_id, span_id) = match exchange.trace {
            Some((trace, span)) => (hexadecimal(trace), hexadecimal(span)),
            None => (None, None),
        };

        let Parts { bytes: request_bytes, frames: request_frames, payload: request } =
            request.unwrap_or_default();
        let Parts { bytes: response_bytes, frames: response_frames, payload: response } =
            response.unwrap_or_default();
        Record::seal(RecordFields {
            id: call.id,
            flow: call.flow,
            heard,
            exchange_key: call.exchange_key,
            started,
            observed_until,
            duration_nanos,
            ttfb_nanos,
            protocol: exchange.protocol.into_owned(),
            carrier: exchange.carrier.map_or_else(|| call.transport.name().to_owned(), Cow::into_owned),
            transport: call.transport,
            kind: exchange.kind,
            operation: exchange.operation,
            target: exchange.target,
            endpoint: exchange.endpoint,
            host: exchange.host,
            status: exchange.status,
            status_code: exchange.status_code,
            outcome: exchange.outcome,
            error: exchange.error,
            client: call.client,
            server: call.server,
            peers,
            request_bytes,
            response_bytes,
            request_frames,
            response_frames,
            encrypted: call.encrypted,
            source: call.source,
            principal: scrub.principal.map(|(_, principal)| principal),
            trace_id,
            span_id,
            // The span on the wire is the caller's: this call. Who called the caller is not on this wire.
            parent_span_id: None,
            redactions: scrub.redactions,
            notes: exchange.notes,
            attributes: exchange.attributes,
            coverage: exchange.coverage,
            revision: exchange.revision,
            request,
            response,
        })
    }
}

/// What a record keeps of a message.
#[derive(Default)]
struct Parts {
    bytes: u64,
    frames: wirewise_model::Frames,
    payload: Option<Payload>,
}

impl Scrub<'_> {
    fn side(&mut self, message: Message, side: &'static str, keep: bool) -> Parts {
        let Message { track, mut headers, body } = message;
        if !keep {
            headers.clear();
        }
        // The body's type is read before the header that tells it is scrubbed.
        let (kept, body_bytes, truncated) = match body {
            Some(body) => self.body(body, &headers, side, keep),
            None => (None, 0, false),
        };
        for (name, value) in &mut headers {
            header::scrub(name, value, side, self);
        }
        let payload = (!headers.is_empty() || body_bytes > 0 || kept.is_some()).then_some(Payload {
            headers,
            body: kept,
            body_bytes,
            truncated,
        });
        Parts { bytes: track.bytes, frames: track.frames, payload }
    }

    fn body(
        &mut self,
        body: Body,
        headers: &[(String, String)],
        side: &'static str,
        keep: bool,
    ) -> (Option<String>, u64, bool) {
        let length = if body.decoded_bytes > 0 { body.decoded_bytes } else { body.wire_bytes };
        let place = Place::new(side, "body");
        let cut = body.truncated || (body.kept.len() as u64) < length;
        let kept = match keep && !body.kept.is_empty() {
            true => body::scrub(headers, &body.kept, cut, place, self),
            false => None,
        };
        match kept {
            Some(mut kept) => {
                // Redacted first, then cut.
                let shortened = text::cut(&mut kept.text, self.limits.body_kept);
                (Some(kept.text), length, cut || kept.cut || shortened)
            }
            None => (None, length, length > 0),
        }
    }

    /// Operations and status texts: short words of a protocol.
    fn word(&mut self, word: &mut String, part: &'static str) {
        self.mend(word, Random::Hide, Place::new("", part));
        text::cut(word, LONGEST_WORD);
    }

    fn target(&mut self, target: &mut String, policy: Redaction) {
        let place = Place::new("request.", "target");
        let scrubbed = match policy {
            Redaction::Web => url::scrub(target, place, self),
            Redaction::Names | Redaction::Text => self.text(target, random(policy), place),
        };
        if let Some(scrubbed) = scrubbed {
            *target = scrubbed;
        }
    }

    fn attribute(&mut self, attribute: &mut Attribute, policy: Redaction) {
        let Value::Text(value) = &mut attribute.value else { return };
        let place = Place::new("", "attribute").at(&attribute.name);
        let kind = match attribute.name.starts_with("tls.") || attribute.name.starts_with("dns.") {
            // `tls.resumed_session` and the like are the protocol's words.
            true => None,
            false => self.classify(&attribute.name),
        };
        let scrubbed = match kind {
            Some(_) => self.named(kind, value, place),
            None => match random(policy) {
                Random::Hide => self.value(value, place),
                Random::Keep => self.text(value, Random::Keep, place),
            },
        };
        if let Some(scrubbed) = scrubbed {
            *value = scrubbed;
        }
    }

    /// Names that came over the wire are texts like any other.
    fn workload(&mut self, workload: &mut Workload, part: &'static str) {
        let from_wire = match workload.name_source {
            NameSource::Host | NameSource::Dns | NameSource::Capture => true,
            NameSource::Address
            | NameSource::Process
            | NameSource::Script
            | NameSource::Unit
            | NameSource::Container
            | NameSource::File
            | NameSource::Kubernetes => false,
        };
        if from_wire {
            self.mend(&mut workload.workload, Random::Keep, Place::new("", part));
            if let Some(service) = &mut workload.service {
                self.mend(service, Random::Keep, Place::new("", part));
            }
        }
    }
}

/// Whether random-looking texts in target and attributes are hidden.
fn random(policy: Redaction) -> Random {
    match policy {
        Redaction::Web | Redaction::Text => Random::Hide,
        Redaction::Names => Random::Keep,
    }
}

/// Trace and span ids are hexadecimal, up to 32 digits; whatever else claims to be one is dropped.
fn hexadecimal(id: String) -> Option<String> {
    (id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(id)
}
