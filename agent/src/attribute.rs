//! From calls and flows to records: names for their ends, where they were heard, and redaction.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use wirewise_capture::NameRecord;
use wirewise_identity::{Names, NamesFile, ProcessWatcher, Role};
use wirewise_model::{
    Call, CaptureId, Endpoint, FlowSummary, Limits, Peers, Timestamp, Transport, Value, Vantage,
};
use wirewise_redact::{Attributed, FlowRecord, Heard, Key, Record, Redactor};

/// A DNS answer without a time to live is believed as long as most resolvers keep one at least.
const DEFAULT_TTL: Duration = Duration::from_secs(60);

/// Addresses of the host and of the namespaces that are heard, kept fresh by another thread.
pub(crate) type LocalAddresses = Arc<Mutex<BTreeSet<IpAddr>>>;

/// Names and redacts what the pipeline makes.
pub(crate) struct Attributor {
    names: Names,
    redactor: Redactor,
    capture: CaptureId,
    node: Option<String>,
    local: Option<LocalAddresses>,
}

impl Attributor {
    pub(crate) fn new(names: Option<NamesFile>, limits: &Limits, key: &Key, capture: CaptureId) -> Self {
        Self {
            names: Names::new(names, limits),
            redactor: Redactor::new(key, limits, wirewise_pipeline::redaction),
            capture,
            node: None,
            local: None,
        }
    }

    /// For live capture: on which node, with which addresses, and who owns its sockets.
    pub(crate) fn on_node(
        mut self,
        node: String,
        local: LocalAddresses,
        processes: Option<ProcessWatcher>,
    ) -> Self {
        self.node = Some(node);
        self.local = Some(local);
        if let Some(processes) = processes {
            self.names = self.names.with_processes(processes);
        }
        self
    }

    /// Takes in a fresher look at the owners of sockets, and gives the older one back.
    pub(crate) fn swap_processes(&mut self, fresh: ProcessWatcher) -> ProcessWatcher {
        match self.names.processes_mut() {
            Some(processes) => std::mem::replace(processes, fresh),
            None => fresh,
        }
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
            exchange
                .attributes
                .iter()
                .find(|attribute| attribute.name == name)
                .map(|attribute| &attribute.value)
        };
        let (Some(Value::Text(name)), Some(Value::Text(answers))) =
            (text("dns.question.name"), text("dns.answers"))
        else {
            return;
        };
        // The answers of a chain of aliases: its addresses are the asked name's.
        let addresses: Vec<IpAddr> =
            answers.split(',').filter_map(|answer| answer.trim().parse().ok()).collect();
        if addresses.is_empty() {
            return;
        }
        let ttl = match text("dns.ttl") {
            Some(Value::Int(seconds)) => Duration::from_secs(u64::try_from(*seconds).unwrap_or(0)),
            _ => DEFAULT_TTL,
        };
        self.names.learn_dns(name, &addresses, exchange.observed_until(), ttl);
    }

    pub(crate) fn record(&mut self, call: Call) -> Record {
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
            client: self.names.lookup(client, transport, at, Role::Client, None),
            server: self.names.lookup(server, transport, at, Role::Server, host),
        }
    }

    fn heard(&self, client: Endpoint, server: Endpoint) -> Heard {
        let vantage = match &self.local {
            None => Vantage::Between,
            Some(local) => {
                let local = local.lock().unwrap_or_else(PoisonError::into_inner);
                let is_local = |end: Endpoint| end.ip.is_loopback() || local.contains(&end.ip);
                match (is_local(client), is_local(server)) {
                    (_, true) => Vantage::Server,
                    (true, false) => Vantage::Client,
                    (false, false) => Vantage::Between,
                }
            }
        };
        Heard { capture: self.capture.clone(), node: self.node.clone(), vantage }
    }
}
