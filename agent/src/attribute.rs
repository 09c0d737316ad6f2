//! From calls and flows to records: names for their ends, where they were heard, and redaction.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wirewise_capture::NameRecord;
use wirewise_identity::{Names, NamesFile, ProcessWatcher, Role};
use wirewise_model::{
    Call, CaptureId, Endpoint, FlowSummary, Limits, Peers, Timestamp, Transport, Value, Vantage, Workload,
};
use wirewise_redact::{Attributed, FlowRecord, Heard, Key, Record, Redactor};

/// A DNS answer without a time to live is believed as long as most resolvers keep one at least.
const DEFAULT_TTL: Duration = Duration::from_secs(60);

/// What live capture knows of the host, kept fresh by another thread.
#[derive(Debug, Default)]
pub(crate) struct Host {
    /// Addresses of the host and of the namespaces that are heard.
    pub(crate) local: BTreeSet<IpAddr>,
    /// Owners of sockets.
    pub(crate) processes: Option<ProcessWatcher>,
}

/// Names and redacts what the pipeline makes.
pub(crate) struct Attributor {
    names: Names,
    redactor: Redactor,
    capture: CaptureId,
    node: Option<String>,
    host: Option<Arc<Mutex<Host>>>,
}

/// One end's place in a call.
struct End<'a> {
    end: Endpoint,
    role: Role,
    transport: Transport,
    at: Timestamp,
    host: Option<&'a str>,
}

impl Attributor {
    pub(crate) fn new(names: Option<NamesFile>, limits: &Limits, key: &Key, capture: CaptureId) -> Self {
        Self {
            names: Names::new(names, limits),
            redactor: Redactor::new(key, limits),
            capture,
            node: None,
            host: None,
        }
    }

    /// For live capture: on which node, and what is known of it.
    pub(crate) fn on_node(mut self, node: String, host: Arc<Mutex<Host>>) -> Self {
        self.node = Some(node);
        self.host = Some(host);
        self
    }

    /// Takes in the names that a capture file carries.
    pub(crate) fn learn_names(&mut self, records: &[NameRecord]) {
        for record in records {
            self.names.learn_capture_name(record.ip, &record.name);
        }
    }

    /// Takes in what a DNS answer tells. mDNS answers are for names of one link; they count too.
    pub(crate) fn learn(&mut self, call: &Call) {
        let exchange = &call.exchange;
        if !matches!(&*exchange.protocol, "dns" | "mdns") || exchange.response.is_none() {
            return;
        }
        let text = |name: &str| {
            exchange.attributes.iter().find(|attribute| attribute.name == name).map(|attribute| &attribute.value)
        };
        let (Some(Value::Text(name)), Some(Value::Text(answers))) = (text("dns.question.name"), text("dns.answers"))
        else {
            return;
        };
        // The answers of a chain of aliases: its addresses are the asked name's.
        let addresses: Vec<IpAddr> = answers.split(',').filter_map(|answer| answer.trim().parse().ok()).collect();
        if addresses.is_empty() {
            return;
        }
        let ttl = match text("dns.ttl") {
            Some(Value::Int(seconds)) => Duration::from_secs(u64::try_from(*seconds).unwrap_or(0)),
            _ => DEFAULT_TTL,
        };
        self.names.learn_dns(name, &addresses, exchange.observed_until(), ttl);
    }

    pub(crate) fn record(&self, call: Call) -> Record {
        let exchange = &call.exchange;
        let (at, host, transport) = (exchange.started(), exchange.host.as_deref(), call.transport);
        let (client, server) = (call.client, call.server);
        let peers = self.peers(client, server, transport, at, host);
        let heard = self.heard(client, server);
        self.redactor.redact(Attributed { call, peers, heard })
    }

    pub(crate) fn flow(&self, summary: FlowSummary) -> FlowRecord {
        let (client, server) = (summary.client, summary.server);
        let host = summary.tls.as_ref().and_then(|tls| tls.sni.as_deref());
        let peers = self.peers(client, server, summary.transport, summary.started, host);
        FlowRecord { peers, heard: self.heard(client, server), summary }
    }

    fn peers(
        &self,
        client: Endpoint,
        server: Endpoint,
        transport: Transport,
        at: Timestamp,
        host: Option<&str>,
    ) -> Peers {
        Peers {
            client: self.name(&End { end: client, role: Role::Client, transport, at, host: None }),
            server: self.name(&End { end: server, role: Role::Server, transport, at, host }),
        }
    }

    /// The strongest name; where a process owns the socket, also which.
    fn name(&self, end: &End<'_>) -> Workload {
        let named = self.names.lookup(end.end, end.transport, end.at, end.role, end.host);
        let Some(host) = &self.host else { return named };
        let host = host.lock().unwrap_or_else(PoisonError::into_inner);
        let owner = host.processes.as_ref().and_then(|processes| processes.lookup(end.end, end.transport));
        match owner {
            None => named,
            Some(owner) if owner.name_source > named.name_source => owner,
            Some(owner) => Workload {
                process: named.process.clone().or(owner.process),
                container: named.container.clone().or(owner.container),
                ..named
            },
        }
    }

    fn heard(&self, client: Endpoint, server: Endpoint) -> Heard {
        let vantage = match &self.host {
            None => Vantage::Between,
            Some(host) => {
                let host = host.lock().unwrap_or_else(PoisonError::into_inner);
                let local = |end: Endpoint| end.ip.is_loopback() || host.local.contains(&end.ip);
                match (local(client), local(server)) {
                    (_, true) => Vantage::Server,
                    (true, false) => Vantage::Client,
                    (false, false) => Vantage::Between,
                }
            }
        };
        Heard { capture: self.capture.clone(), node: self.node.clone(), vantage }
    }
}
