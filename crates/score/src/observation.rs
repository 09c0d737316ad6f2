//! What the scorer is fed: the few facts of a call or a flow that baselines need, borrowed from whatever has them.
//! [`Observation::of_record`] and [`FlowObservation::of_flow`] borrow from redacted rows, so nothing unredacted can
//! get in; generators and replays fill the fields themselves. Payloads have no field here.

use std::borrow::Cow;
use std::time::Duration;

use wirewise_model::{CallId, FlowId, FlowState, Outcome, Timestamp, Value, Workload};
use wirewise_redact::{FlowRecord, Record};

/// One end of a call. Empty text where something is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Party<'a> {
    /// Kubernetes namespace.
    pub namespace: &'a str,
    /// The name that baselines are kept by.
    pub workload: &'a str,
    /// The instance of it: a pod, else the address's own name.
    pub pod: &'a str,
    /// The machine that it runs on.
    pub node: &'a str,
    /// Version or image tag.
    pub version: &'a str,
}

impl<'a> Party<'a> {
    fn of(workload: &'a Workload) -> Self {
        let text = |field: &'a Option<String>| field.as_deref().unwrap_or_default();
        Self {
            namespace: text(&workload.namespace),
            workload: &workload.workload,
            pod: text(&workload.pod),
            node: text(&workload.node),
            version: text(&workload.version),
        }
    }
}

/// A call, as far as the scorer cares.
#[derive(Clone, Debug)]
pub struct Observation<'a> {
    /// The call, for evidence.
    pub id: CallId,
    /// When it was known: its last byte.
    pub at: Timestamp,
    /// Who heard it: the node whose agent told of it. What falls silent with its teller has not vanished.
    pub heard_by: &'a str,
    /// Who asked.
    pub client: Party<'a>,
    /// Who answered.
    pub server: Party<'a>,
    /// `protocol`.
    pub protocol: &'a str,
    /// `operation`.
    pub operation: &'a str,
    /// `endpoint`: the target with its ids masked.
    pub endpoint: Cow<'a, str>,
    /// `target`, for names that are asked for.
    pub target: &'a str,
    /// A number of the call's shape.
    pub shape: u64,
    /// `outcome`.
    pub outcome: Outcome,
    /// `status`.
    pub status: &'a str,
    /// `error`.
    pub error: &'a str,
    /// First byte of the request to last of the response; `None` where no response was seen.
    pub took: Option<Duration>,
    /// `request_bytes`.
    pub request_bytes: u64,
    /// `response_bytes`.
    pub response_bytes: u64,
    /// Negotiated version of TLS, of a handshake.
    pub tls_version: &'a str,
    /// End of validity of the server's certificate, of a handshake that showed one.
    pub certificate_expires: Option<Timestamp>,
}

impl<'a> Observation<'a> {
    /// What a record tells. `endpoint` is the learnt one where the caller has it, else the masked target.
    pub fn of_record(record: &'a Record, endpoint: Option<&'a str>) -> Self {
        let text = |field: &'a Option<String>| field.as_deref().unwrap_or_default();
        let attribute = |name: &str| record.attributes.iter().find(|attribute| attribute.name == name);
        let is_handshake = record.protocol == "tls";
        let tls_version = match attribute("tls.protocol.version").filter(|_| is_handshake) {
            Some(found) => match &found.value {
                Value::Text(version) => version.as_str(),
                Value::Int(_) | Value::Float(_) | Value::Bool(_) => "",
            },
            None => "",
        };
        Self {
            id: record.id,
            at: record.observed_until,
            heard_by: text(&record.heard.node),
            client: Party::of(&record.peers.client),
            server: Party::of(&record.peers.server),
            protocol: &record.protocol,
            operation: &record.operation,
            endpoint: endpoint.map_or_else(|| Cow::Owned(wirewise_shape::endpoint(record)), Cow::Borrowed),
            target: &record.target,
            shape: wirewise_shape::shape_key(record).0,
            outcome: record.outcome,
            status: text(&record.status),
            error: text(&record.error),
            took: record.duration_nanos.map(Duration::from_nanos),
            request_bytes: record.request_bytes,
            response_bytes: record.response_bytes,
            tls_version,
            certificate_expires: None,
        }
    }
}

/// The counters of a flow so far. They are cumulative: the scorer takes the difference to what it was told before.
#[derive(Clone, Debug)]
pub struct FlowObservation<'a> {
    /// The flow.
    pub id: FlowId,
    /// Its last packet so far.
    pub at: Timestamp,
    /// Who heard it.
    pub heard_by: &'a str,
    /// Who asked.
    pub client: Party<'a>,
    /// Who answered.
    pub server: Party<'a>,
    /// Packets of both sides.
    pub packets: u64,
    /// Retransmissions of both sides.
    pub retransmissions: u64,
    /// Payload bytes that the client sent.
    pub client_bytes: u64,
    /// Payload bytes that the server sent.
    pub server_bytes: u64,
    /// Announcements of an empty receive window, of both sides.
    pub zero_windows: u64,
    /// Whether it ended by a reset.
    pub reset: bool,
    /// End of validity of the server's certificate, where TLS showed one.
    pub certificate_expires: Option<Timestamp>,
}

impl<'a> FlowObservation<'a> {
    /// What a flow's row tells.
    pub fn of_flow(flow: &'a FlowRecord) -> Self {
        let (summary, client, server) = (&flow.summary, &flow.summary.client_sent, &flow.summary.server_sent);
        let certificate = summary.tls.as_ref().and_then(|tls| tls.certificate.as_ref());
        Self {
            id: summary.id,
            at: summary.ended,
            heard_by: flow.heard.node.as_deref().unwrap_or_default(),
            client: Party::of(&flow.peers.client),
            server: Party::of(&flow.peers.server),
            packets: client.packets + server.packets,
            retransmissions: client.retransmissions + server.retransmissions,
            client_bytes: client.bytes,
            server_bytes: server.bytes,
            zero_windows: client.zero_windows + server.zero_windows,
            reset: summary.state == FlowState::Reset,
            certificate_expires: certificate.and_then(|certificate| certificate.expires_at),
        }
    }
}
