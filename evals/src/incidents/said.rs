//! What the shop says, as the scorer is told it.

use std::borrow::Cow;
use std::time::Duration;

use wirewise_model::{CallId, FlowId, Outcome, Timestamp, stable_hash};
use wirewise_score::{FlowObservation, Kind, Observation, Party};

use super::fault::Fault;
use super::shop::{Role, Shop};

/// The form of what was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Call,
    Connection,
    Lookup,
    Handshake,
}

/// A record to be.
#[derive(Clone, Debug)]
pub(super) struct Said {
    pub(super) at: f64,
    pub(super) client: (usize, usize),
    pub(super) server: (usize, usize),
    pub(super) endpoint: usize,
    pub(super) form: Form,
    pub(super) outcome: Outcome,
    pub(super) status: &'static str,
    pub(super) took: Option<f64>,
    pub(super) bytes: (f64, f64),
    pub(super) affected: bool,
}

fn party(shop: &Shop, (workload, pod): (usize, usize)) -> Party<'_> {
    let workload = &shop.workloads[workload];
    // An instance that was replaced since is told by the one in its place.
    let pod = &workload.pods[pod.min(workload.pods.len() - 1)];
    if workload.role == Role::Outside {
        return Party { workload: &workload.name, ..Party::default() };
    }
    Party {
        namespace: "shop",
        workload: &workload.name,
        pod: &pod.name,
        node: &shop.nodes[pod.node],
        version: &workload.versions[pod.version],
    }
}

fn time(seconds: f64) -> Timestamp {
    Timestamp::from_nanos((seconds * 1e9) as i64)
}

pub(super) fn observation<'a>(
    shop: &'a Shop,
    said: &Said,
    number: u64,
    fault: Option<&(Fault, f64, usize)>,
) -> Observation<'a> {
    let server = &shop.workloads[said.server.0];
    let endpoint = server.endpoints.get(said.endpoint);
    let (protocol, operation, path): (&str, &str, &str) = match said.form {
        Form::Call => {
            (server.protocol, endpoint.map_or("", |e| e.operation), endpoint.map_or("", |e| &e.path))
        }
        Form::Connection => ("tcp", "connect", ""),
        Form::Lookup => ("dns", "A", &shop.workloads[said.endpoint].name),
        Form::Handshake => ("tls", "handshake", &server.name),
    };
    let expired = fault.filter(|(fault, ..)| fault.kind == Kind::TlsExpiry && fault.target == said.server.0);
    let expires = expired.map_or(said.at + 60.0 * 86_400.0, |(_, begun, _)| *begun);
    let shape = [
        &[said.server.0 as u8, said.client.0 as u8, said.endpoint as u8][..],
        said.status.as_bytes(),
        protocol.as_bytes(),
    ];
    Observation {
        id: CallId::new(time(said.at), number),
        at: time(said.at),
        heard_by: party(shop, said.server).node,
        client: party(shop, said.client),
        server: party(shop, said.server),
        protocol,
        operation,
        endpoint: Cow::Borrowed(path),
        target: path,
        shape: stable_hash(&shape),
        outcome: said.outcome,
        status: said.status,
        error: "",
        took: said.took.map(Duration::from_secs_f64),
        request_bytes: said.bytes.0 as u64,
        response_bytes: said.bytes.1 as u64,
        tls_version: if said.form == Form::Handshake && said.outcome == Outcome::Ok { "TLS1.3" } else { "" },
        certificate_expires: (said.form == Form::Handshake).then(|| time(expires)),
    }
}

pub(super) fn flow(shop: &Shop, ends: (usize, usize), counts: (u64, u64), now: u64) -> FlowObservation<'_> {
    FlowObservation {
        id: FlowId::new(Timestamp::MIN, (ends.0 as u64) << 32 | ends.1 as u64),
        at: Timestamp::from_parts(now as i64, 0),
        heard_by: party(shop, (ends.1, 0)).node,
        client: party(shop, (ends.0, 0)),
        server: party(shop, (ends.1, 0)),
        packets: counts.0,
        retransmissions: counts.1,
        client_bytes: 0,
        server_bytes: 0,
        zero_windows: 0,
        reset: false,
        certificate_expires: None,
    }
}
