//! Who talks to whom: workloads, edges between them, endpoints on those, each with its series. Calls find their place
//! here; windows are closed by `scorer`, and judged by `detectors`.

use hashbrown::HashTable;
use wirewise_model::{FlowId, Outcome, Timestamp};

use crate::evidence::Evidence;
use crate::graph::{Change, Edge, Endpoint, Novel, Novelty, Pod, Service};
use crate::habits::ServiceHabits;
use crate::limits::{Counters, Limits};
use crate::names::{Name, Names};
use crate::observation::{FlowObservation, Observation, Party};
use crate::series::{Sample, Series};

/// Tellers that are remembered.
const TELLERS: usize = 4096;

/// All that is remembered of the traffic.
#[derive(Clone, Debug)]
pub(crate) struct World {
    /// Texts.
    pub(crate) names: Names,
    /// Workloads.
    pub(crate) services: Vec<Service>,
    /// Edges.
    pub(crate) edges: Vec<Edge>,
    /// Endpoints.
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) service_table: HashTable<u32>,
    pub(crate) edge_table: HashTable<u32>,
    pub(crate) endpoint_table: HashTable<u32>,
    pub(crate) shapes: hashbrown::HashSet<u64, foldhash::quality::FixedState>,
    pub(crate) flows: hashbrown::HashMap<FlowId, [u64; 4], foldhash::quality::FixedState>,
    /// Who tells, and when last.
    pub(crate) tellers: Vec<(Name, Timestamp)>,
    /// New things since the last window.
    pub(crate) novelties: Vec<Novelty>,
    /// Endpoints and edges that had a call in the window that runs.
    pub(crate) active: Vec<u32>,
}

/// Where a call belongs.
struct Place {
    client: u32,
    server: u32,
    edge: u32,
    endpoint: Option<u32>,
}

impl World {
    /// Takes a call in. What does not fit under `limits` is counted.
    pub(crate) fn push(&mut self, call: &Observation<'_>, limits: &Limits, counters: &mut Counters) {
        counters.calls += 1;
        let Some(place) = self.place(call, limits, counters) else { return };
        let failed = is_failure(call);
        let residual = place.endpoint.and_then(|endpoint| self.endpoints[endpoint as usize].take_time(call));
        let sample = Sample {
            id: call.id,
            failed,
            unanswered: failed && is_unanswered(call),
            residual: residual.filter(|_| !failed || residual.is_some_and(|(residual, _)| residual > 0.0)),
            bytes: (call.request_bytes, call.response_bytes),
        };
        if let Some(index) = place.endpoint {
            let endpoint = &mut self.endpoints[index as usize];
            if endpoint.series.tally.n == 0 {
                self.active.push(index);
            }
            endpoint.series.add(&sample);
            endpoint.heard = call.at;
        }
        let heard_by = self.teller(call.heard_by, call.at, limits, counters);
        let edge = &mut self.edges[place.edge as usize];
        edge.series.add(&sample);
        edge.heard = call.at;
        edge.heard_by = heard_by;
        edge.minute += 1;
        edge.habits.take(call);
        self.take_tls(call, place.edge, limits, counters);
        self.services[place.server as usize].series.add(&sample);
        self.services[place.client as usize].habits.take(call, failed);
        self.take_pod(place.server, &call.server, call.at, Some(&sample), limits, counters);
        self.take_pod(place.client, &call.client, call.at, None, limits, counters);
        if place.endpoint.is_some() && !self.shapes.contains(&call.shape) {
            if self.shapes.len() >= limits.shapes {
                counters.shapes_full += 1;
            } else {
                self.shapes.insert(call.shape);
                self.tell_new(Novel::Shape, &place, call, limits);
            }
        }
    }

    /// Takes a flow's counters in.
    pub(crate) fn push_flow(&mut self, flow: &FlowObservation<'_>, limits: &Limits, counters: &mut Counters) {
        counters.flows += 1;
        let client = self.service(&flow.client, flow.at, limits, counters);
        let server = self.service(&flow.server, flow.at, limits, counters);
        let (Some(client), Some(server)) = (client, server) else { return };
        let Some(index) = self.find_edge(client, server) else { return };
        if self.flows.len() >= limits.flows && !self.flows.contains_key(&flow.id) {
            self.flows.clear();
            counters.flows_forgotten += 1;
        }
        let now = [flow.packets, flow.retransmissions, flow.client_bytes, flow.zero_windows];
        let before = self.flows.insert(flow.id, now).unwrap_or_default();
        let grown =
            |field: usize| u32::try_from(now[field].saturating_sub(before[field])).unwrap_or(u32::MAX);
        let edge = &mut self.edges[index as usize];
        edge.packets.0 = edge.packets.0.saturating_add(grown(0));
        edge.packets.1 = edge.packets.1.saturating_add(grown(1));
        edge.zero_windows = edge.zero_windows.saturating_add(grown(3));
        if flow.certificate_expires.is_some() {
            edge.tls.expires = flow.certificate_expires;
        }
    }

    /// Builds the tables anew, after the things themselves were read back.
    pub(crate) fn index(&mut self) {
        let (names, services, edges, endpoints) = (&self.names, &self.services, &self.edges, &self.endpoints);
        let service = |&index: &u32| Service::key(names, services[index as usize].name);
        let edge = |&index: &u32| {
            let edge = &edges[index as usize];
            Edge::key(names, edge.client, edge.server)
        };
        let endpoint = |&index: &u32| {
            let endpoint = &endpoints[index as usize];
            Endpoint::key(names, endpoint.edge, endpoint.parts())
        };
        for index in 0..services.len() as u32 {
            self.service_table.insert_unique(service(&index), index, service);
        }
        for index in 0..edges.len() as u32 {
            self.edge_table.insert_unique(edge(&index), index, edge);
        }
        for index in 0..endpoints.len() as u32 {
            self.endpoint_table.insert_unique(endpoint(&index), index, endpoint);
        }
    }

    fn place(&mut self, call: &Observation<'_>, limits: &Limits, counters: &mut Counters) -> Option<Place> {
        let client = self.service(&call.client, call.at, limits, counters)?;
        let server = self.service(&call.server, call.at, limits, counters)?;
        let (edge, is_new) = match self.find_edge(client, server) {
            Some(edge) => (edge, false),
            None => (self.new_edge(client, server, call, limits, counters)?, true),
        };
        let (endpoint, endpoint_is_new) = self.endpoint(edge, call, limits, counters);
        let place = Place { client, server, edge, endpoint };
        if is_new {
            self.tell_new(Novel::Edge, &place, call, limits);
        } else if endpoint_is_new {
            self.tell_new(Novel::Endpoint, &place, call, limits);
        }
        Some(place)
    }

    fn tell_new(&mut self, kind: Novel, place: &Place, call: &Observation<'_>, limits: &Limits) {
        if self.novelties.len() < limits.findings_a_tick {
            self.novelties.push(Novelty {
                kind,
                edge: place.edge,
                endpoint: place.endpoint,
                call: call.id,
                at: call.at,
            });
        }
    }

    fn name(&mut self, text: &str, limits: &Limits, counters: &mut Counters) -> Name {
        let mut end = text.len().min(limits.name_bytes);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        counters.names_cut += u64::from(end < text.len());
        self.names.intern(&text[..end]).unwrap_or_default()
    }

    fn service(
        &mut self,
        party: &Party<'_>,
        at: Timestamp,
        limits: &Limits,
        counters: &mut Counters,
    ) -> Option<u32> {
        let name = if party.namespace.is_empty() {
            self.name(party.workload, limits, counters)
        } else {
            // Both are looked up as one text, so that a name means the same after a restart.
            let mut text = String::with_capacity(party.namespace.len() + party.workload.len() + 1);
            text.push_str(party.namespace);
            text.push('/');
            text.push_str(party.workload);
            self.name(&text, limits, counters)
        };
        let key = Service::key(&self.names, name);
        let (services, names) = (&self.services, &self.names);
        if let Some(&found) = self.service_table.find(key, |&index| services[index as usize].name == name) {
            return Some(found);
        }
        if services.len() >= limits.services {
            counters.services_full += 1;
            return None;
        }
        let index = services.len() as u32;
        self.service_table
            .insert_unique(key, index, |&other| Service::key(names, services[other as usize].name));
        self.services.push(Service {
            name,
            series: Series::begin(at),
            pods: Vec::new(),
            callers: Vec::new(),
            callees: Vec::new(),
            change: None,
            handshakes: (0, 0),
            refused: Evidence::default(),
            refused_example: None,
            born: at,
            habits: ServiceHabits::default(),
        });
        Some(index)
    }

    /// The edge between two workloads.
    pub(crate) fn find_edge(&self, client: u32, server: u32) -> Option<u32> {
        let key = Edge::key(&self.names, client, server);
        let edges = &self.edges;
        let is_it = |&index: &u32| {
            let edge: &Edge = &edges[index as usize];
            edge.client == client && edge.server == server
        };
        self.edge_table.find(key, is_it).copied()
    }

    fn new_edge(
        &mut self,
        client: u32,
        server: u32,
        call: &Observation<'_>,
        limits: &Limits,
        counters: &mut Counters,
    ) -> Option<u32> {
        if self.edges.len() >= limits.edges {
            counters.edges_full += 1;
            return None;
        }
        let protocol = self.name(call.protocol, limits, counters);
        let index = self.edges.len() as u32;
        let key = Edge::key(&self.names, client, server);
        let (edges, names) = (&self.edges, &self.names);
        self.edge_table.insert_unique(key, index, |&other| {
            let edge = &edges[other as usize];
            Edge::key(names, edge.client, edge.server)
        });
        self.edges.push(Edge {
            client,
            server,
            protocol,
            series: Series::begin(call.at),
            heard: call.at,
            ..Edge::empty()
        });
        self.services[client as usize].callees.push(index);
        self.services[server as usize].callers.push(index);
        Some(index)
    }

    fn endpoint(
        &mut self,
        edge: u32,
        call: &Observation<'_>,
        limits: &Limits,
        counters: &mut Counters,
    ) -> (Option<u32>, bool) {
        let parts = [
            self.name(call.protocol, limits, counters),
            self.name(call.operation, limits, counters),
            self.name(&call.endpoint, limits, counters),
        ];
        let key = Endpoint::key(&self.names, edge, parts);
        let endpoints = &self.endpoints;
        let is_it = |&index: &u32| {
            let endpoint: &Endpoint = &endpoints[index as usize];
            endpoint.edge == edge && endpoint.parts() == parts
        };
        if let Some(&found) = self.endpoint_table.find(key, is_it) {
            return (Some(found), false);
        }
        if endpoints.len() >= limits.endpoints
            || self.edges[edge as usize].n_endpoints as usize >= limits.endpoints_an_edge
        {
            counters.endpoints_full += 1;
            return (None, false);
        }
        let index = endpoints.len() as u32;
        let names = &self.names;
        self.endpoint_table.insert_unique(key, index, |&other| {
            let endpoint = &endpoints[other as usize];
            Endpoint::key(names, endpoint.edge, endpoint.parts())
        });
        self.endpoints.push(Endpoint::begin(edge, parts, call.at));
        self.edges[edge as usize].n_endpoints += 1;
        if call.protocol != "tls" {
            self.edges[edge as usize].protocol = parts[0];
        }
        (Some(index), true)
    }

    fn teller(&mut self, text: &str, at: Timestamp, limits: &Limits, counters: &mut Counters) -> Name {
        let name = self.name(text, limits, counters);
        match self.tellers.binary_search_by_key(&name, |(known, _)| *known) {
            Ok(place) => self.tellers[place].1 = self.tellers[place].1.max(at),
            Err(place) if self.tellers.len() < TELLERS => self.tellers.insert(place, (name, at)),
            Err(_) => {}
        }
        name
    }

    fn take_tls(&mut self, call: &Observation<'_>, edge: u32, limits: &Limits, counters: &mut Counters) {
        if call.protocol != "tls" {
            return;
        }
        let version = self.name(call.tls_version, limits, counters);
        let server = self.edges[edge as usize].server;
        self.services[server as usize].handshakes.0 += 1;
        let tls = &mut self.edges[edge as usize].tls;
        if version != Name::default() {
            tls.version = version;
            tls.example = Some(call.id);
        }
        if call.certificate_expires.is_some() {
            tls.expires = call.certificate_expires;
            tls.example = Some(call.id);
        }
        let speaks_of = |text: &str| text.contains("certificate_expired");
        if call.outcome != Outcome::Ok && (speaks_of(call.status) || speaks_of(call.error)) {
            tls.refused_certificate = Some(call.at);
            tls.example = Some(call.id);
            self.services[server as usize].handshakes.1 += 1;
            self.services[server as usize].refused_example = Some(call.id);
        }
    }

    fn take_pod(
        &mut self,
        service: u32,
        party: &Party<'_>,
        at: Timestamp,
        sample: Option<&Sample>,
        limits: &Limits,
        counters: &mut Counters,
    ) {
        if party.pod.is_empty() {
            return;
        }
        let name = self.name(party.pod, limits, counters);
        let (node, version) =
            (self.name(party.node, limits, counters), self.name(party.version, limits, counters));
        let service = &mut self.services[service as usize];
        let known = service.pods.iter().position(|pod| pod.name == name);
        let index = match known {
            Some(index) => index,
            None if service.pods.len() < limits.pods => {
                // A known version on another instance is a scaling, not a change.
                let latest = service.pods.iter().max_by_key(|pod| pod.heard).map(|pod| pod.version);
                let is_known_version = service.pods.iter().any(|pod| pod.version == version);
                if let Some(from) = latest.filter(|_| !is_known_version && version != Name::default()) {
                    service.change = Some(Change { at, from, to: version });
                }
                service.pods.push(Pod { name, node, version, series: Series::begin(at), heard: at });
                service.pods.len() - 1
            }
            None => {
                counters.pods_full += 1;
                return;
            }
        };
        let pod = &mut service.pods[index];
        pod.heard = at;
        if pod.version != version && version != Name::default() {
            service.change = Some(Change { at, from: pod.version, to: version });
            pod.version = version;
        }
        if node != Name::default() {
            pod.node = node;
        }
        if let Some(sample) = sample {
            pod.series.add(sample);
        }
    }
}

/// Whether a call counts as failed. Of names that were asked for, those that do not exist count too: their usual share
/// is the baseline's matter.
fn is_failure(call: &Observation<'_>) -> bool {
    let is_refused_handshake = call.protocol == "tls" && call.outcome == Outcome::ClientError;
    let is_unknown_name = call.protocol == "dns" && call.status == "NXDOMAIN";
    call.outcome.failed() || is_refused_handshake || is_unknown_name
}

/// Whether nobody was there to answer: a connection that was refused, or silence.
fn is_unanswered(call: &Observation<'_>) -> bool {
    match call.outcome {
        Outcome::NoResponse => true,
        Outcome::ServerError => matches!(call.protocol, "tcp" | "sctp" | "udp"),
        Outcome::Aborted => call.took.is_none(),
        Outcome::Ok | Outcome::ClientError | Outcome::OneWay | Outcome::Open | Outcome::Unknown => false,
    }
}
