//! The life of incidents: opened by a symptom, joined by what is near in time and along the call graph, updated when
//! what is known changes, resolved after a silence, merged when two turn out to be one, reopened when it is back.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use wirewise_model::{Timestamp, stable_hash};

use super::{Change, Entry, Incident, Keep, Kind, Scene, Severity, State, kind, rank, summary};
use crate::alarm::{Alarm, Target};
use crate::finding::{Class, Finding};
use crate::limits::{Counters, Limits};
use crate::world::World;

/// Silence of every symptom after which an incident is resolved.
const RESOLVED_AFTER: Duration = Duration::from_secs(180);
/// How long a resolved incident can be reopened.
const REOPENED_WITHIN: Duration = Duration::from_secs(1800);
/// How long after its latest sign an incident can be joined.
const JOINED_WITHIN: Duration = Duration::from_secs(300);
/// How far before the first sign packets are worth keeping.
const KEEP_BEFORE: Duration = Duration::from_secs(120);
/// How far before the first sign a change is told of.
const CHANGES_BEFORE: Duration = Duration::from_secs(1800);
/// Least time between two updates that only add detail.
const UPDATED_EVERY: Duration = Duration::from_secs(30);
/// Evidence of an edge, over the threshold, by which trouble travels between two findings.
const TRAVELS: f64 = 0.25;

/// All incidents that are open, or may be reopened.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Book {
    pub(crate) incidents: Vec<Incident>,
}

impl Book {
    /// Goes on: `raised` are fingerprints of alarms that came on since the last time.
    pub(crate) fn tick(
        &mut self,
        scene: &Scene<'_>,
        raised: &mut [Finding],
        limits: &Limits,
        counters: &mut Counters,
    ) -> Vec<(Change, Incident)> {
        let mut changed: BTreeMap<u64, Change> = BTreeMap::new();
        for finding in raised.iter_mut().filter(|finding| finding.class == Class::Symptom) {
            let Some(alarm) = scene.alarms.get(&finding.fingerprint) else { continue };
            let Some(id) = self.admit(scene, alarm, limits, counters, &mut changed) else { continue };
            finding.incident = Some(id);
            self.join(id, finding, alarm, scene, limits);
        }
        for finding in raised.iter_mut().filter(|finding| finding.class == Class::Digest) {
            let Some(alarm) = scene.alarms.get(&finding.fingerprint) else { continue };
            if let Some(id) = self.near(scene, alarm) {
                finding.incident = Some(id);
                self.join(id, finding, alarm, scene, limits);
            }
        }
        self.merge(scene, &mut changed);
        for incident in &mut self.incidents {
            if incident.state == State::Open {
                refresh(incident, scene, &mut changed);
            }
        }
        let told = self
            .incidents
            .iter_mut()
            .filter_map(|incident| {
                let change = *changed.get(&incident.id)?;
                incident.updated_at = scene.now;
                incident.told_at = scene.now;
                Some((change, incident.clone()))
            })
            .collect();
        self.incidents.retain(|incident| match incident.closed_at {
            Some(closed) => scene.now.since(closed) < REOPENED_WITHIN,
            None => true,
        });
        told
    }

    /// The incident that a symptom belongs to: one near it, one that is back, or a new one.
    fn admit(
        &mut self,
        scene: &Scene<'_>,
        alarm: &Alarm,
        limits: &Limits,
        counters: &mut Counters,
        changed: &mut BTreeMap<u64, Change>,
    ) -> Option<u64> {
        if let Some(id) = self.near(scene, alarm) {
            return Some(id);
        }
        let ends = alarm.target.services(scene.world);
        let is_back = |incident: &&mut Incident| {
            let is_its_own = incident.members.contains(&alarm.fingerprint)
                || incident
                    .suspects
                    .first()
                    .is_some_and(|_| ends.iter().all(|end| incident.services.contains(end)));
            incident.state == State::Resolved && is_its_own
        };
        if let Some(incident) = self.incidents.iter_mut().find(is_back) {
            incident.state = State::Open;
            incident.closed_at = None;
            incident.keep.to = None;
            incident.reopened += 1;
            incident.active_at = scene.now;
            note(incident, scene.now, "it is back".to_owned(), limits);
            changed.insert(incident.id, Change::Reopened);
            return Some(incident.id);
        }
        if self.incidents.len() >= limits.incidents {
            let oldest = self.incidents.iter().position(|incident| incident.state != State::Open);
            match oldest {
                Some(oldest) => drop(self.incidents.remove(oldest)),
                None => {
                    counters.incidents_full += 1;
                    return None;
                }
            }
        }
        let id = stable_hash(&[&alarm.fingerprint.to_le_bytes(), &scene.now.nanos().to_le_bytes()]);
        self.incidents.push(begin(id, alarm, scene));
        changed.insert(id, Change::Opened);
        Some(id)
    }

    /// An open incident near an alarm: one of its workloads, a neighbour by an edge that suffers, or a shared node.
    fn near(&self, scene: &Scene<'_>, alarm: &Alarm) -> Option<u64> {
        let ends = alarm.target.services(scene.world);
        let open = |incident: &&Incident| {
            incident.state == State::Open && scene.now.since(incident.active_at) <= JOINED_WITHIN
        };
        let shares = |incident: &&Incident| ends.iter().any(|end| incident.services.contains(end));
        if let Some(incident) = self.incidents.iter().filter(open).find(shares) {
            return Some(incident.id);
        }
        let world = scene.world;
        let touches = |incident: &&Incident| {
            ends.iter().any(|&end| {
                let service = &world.services[end as usize];
                service.callers.iter().chain(&service.callees).any(|&edge| {
                    let edge = &world.edges[edge as usize];
                    let other = if edge.client == end { edge.server } else { edge.client };
                    incident.services.contains(&other) && scene.edge_badness(edge) >= TRAVELS
                })
            })
        };
        if let Some(incident) = self.incidents.iter().filter(open).find(touches) {
            return Some(incident.id);
        }
        let neighbours: Vec<u32> = ends.iter().flat_map(|&end| scene.neighbours(end)).collect();
        let is_beside = |incident: &&Incident| {
            scene.now.since(incident.opened_at) <= JOINED_WITHIN
                && incident.services.iter().any(|service| neighbours.contains(service))
        };
        self.incidents.iter().filter(open).find(is_beside).map(|incident| incident.id)
    }

    fn join(&mut self, id: u64, finding: &Finding, alarm: &Alarm, scene: &Scene<'_>, limits: &Limits) {
        let Some(incident) = self.incidents.iter_mut().find(|incident| incident.id == id) else { return };
        incident.n_findings += 1;
        if finding.class == Class::Symptom {
            incident.first_sign = incident.first_sign.min(finding.since);
            incident.active_at = scene.now;
            for service in alarm.target.services(scene.world) {
                if !incident.services.contains(&service) {
                    incident.services.push(service);
                }
            }
        }
        if incident.members.len() < 4 * limits.findings_an_incident
            && !incident.members.contains(&finding.fingerprint)
        {
            incident.members.push(finding.fingerprint);
        }
        let mut finding = finding.clone();
        finding.incident = Some(id);
        note(
            incident,
            finding.since,
            format!("{}: {} ({})", finding.detector, finding.subject, finding.reason),
            limits,
        );
        if matches!(finding.detector.as_str(), "new_edge" | "new_endpoint" | "new_shape") {
            incident
                .changes
                .push(Entry { at: finding.since, text: format!("{} {}", finding.detector, finding.subject) });
            incident.changes.truncate(limits.findings_an_incident);
        }
        if incident.findings.len() < limits.findings_an_incident {
            incident.findings.push(finding);
        } else if let Some(least) = incident
            .findings
            .iter_mut()
            .min_by(|a, b| a.score.total_cmp(&b.score))
            .filter(|least| least.score < finding.score)
        {
            *least = finding;
        }
    }

    /// Two open incidents that share a workload are one: the younger becomes part of the older.
    fn merge(&mut self, scene: &Scene<'_>, changed: &mut BTreeMap<u64, Change>) {
        for later in (1..self.incidents.len()).rev() {
            let (older, younger) = self.incidents.split_at_mut(later);
            let younger = &mut younger[0];
            if younger.state != State::Open {
                continue;
            }
            let shares = |older: &&mut Incident| {
                older.state == State::Open
                    && older.services.iter().any(|service| younger.services.contains(service))
            };
            let Some(older) = older.iter_mut().find(shares) else { continue };
            younger.state = State::Merged(older.id);
            younger.closed_at = Some(scene.now);
            changed.insert(younger.id, Change::Merged);
            changed.entry(older.id).or_insert(Change::Updated);
            older.first_sign = older.first_sign.min(younger.first_sign);
            older.active_at = older.active_at.max(younger.active_at);
            older.n_findings += younger.n_findings;
            older.members.extend(&younger.members);
            for service in &younger.services {
                if !older.services.contains(service) {
                    older.services.push(*service);
                }
            }
            older.findings.extend(younger.findings.iter().cloned());
            older.findings.sort_by(|a, b| b.score.total_cmp(&a.score));
            older.findings.truncate(64);
        }
    }
}

fn begin(id: u64, alarm: &Alarm, scene: &Scene<'_>) -> Incident {
    Incident {
        id,
        state: State::Open,
        kind: Kind::Latency,
        severity: Severity::Minor,
        opened_at: scene.now,
        updated_at: scene.now,
        closed_at: None,
        first_sign: alarm.since,
        reopened: 0,
        title: String::new(),
        summary: String::new(),
        suspects: Vec::new(),
        blast_radius: Vec::new(),
        changes: Vec::new(),
        timeline: Vec::new(),
        findings: Vec::new(),
        n_findings: 0,
        during: Vec::new(),
        before: Vec::new(),
        coverage: String::new(),
        keep: Keep::default(),
        members: Vec::new(),
        services: alarm.target.services(scene.world),
        active_at: scene.now,
        told_at: scene.now,
    }
}

fn note(incident: &mut Incident, at: Timestamp, text: String, limits: &Limits) {
    if incident.timeline.len() < limits.findings_an_incident {
        incident.timeline.push(Entry { at, text });
    }
}

/// Judges an open incident anew, and resolves it after a silence.
fn refresh(incident: &mut Incident, scene: &Scene<'_>, changed: &mut BTreeMap<u64, Change>) {
    let is_on = |fingerprint: &u64| {
        scene.alarms.get(fingerprint).is_some_and(|alarm| alarm.is_on && alarm.class == Class::Symptom)
    };
    if incident.members.iter().any(is_on) {
        incident.active_at = scene.now;
    } else if scene.now.since(incident.active_at) >= RESOLVED_AFTER {
        incident.state = State::Resolved;
        incident.closed_at = Some(scene.now);
        incident.keep.to = Some(incident.active_at + KEEP_BEFORE);
        incident.timeline.push(Entry { at: scene.now, text: "nobody suffers any more".to_owned() });
        incident.summary = summary::summary(incident);
        changed.insert(incident.id, Change::Resolved);
        return;
    } else {
        // What stands was said while it suffered; its fading evidence says nothing better.
        return;
    }
    let before =
        (incident.kind, incident.severity, incident.first_suspect().to_owned(), incident.blast_radius.len());
    let services = scope(incident, scene);
    let ranked = rank::rank(scene, &services);
    if let Some((first, _)) = ranked.first() {
        incident.kind = kind::classify(scene, *first, incident.first_sign);
        tell_change(incident, scene, *first);
    }
    if !ranked.is_empty() {
        incident.suspects = ranked.into_iter().map(|(_, suspect)| suspect).collect();
    }
    describe(incident, scene);
    let after =
        (incident.kind, incident.severity, incident.first_suspect().to_owned(), incident.blast_radius.len());
    let is_weighty = before.0 != after.0 || before.1 != after.1 || before.2 != after.2;
    let is_due = scene.now.since(incident.told_at) >= UPDATED_EVERY && before.3 != after.3;
    if is_weighty || is_due {
        changed.entry(incident.id).or_insert(Change::Updated);
    }
}

/// The incident's workloads, and those that they call over suffering edges: the cause may not have an alarm yet.
fn scope(incident: &Incident, scene: &Scene<'_>) -> Vec<u32> {
    let mut services = incident.services.clone();
    let mut next = 0;
    while next < services.len() {
        for &edge in &scene.world.services[services[next] as usize].callees {
            let edge = &scene.world.edges[edge as usize];
            if scene.edge_badness(edge) >= TRAVELS && !services.contains(&edge.server) {
                services.push(edge.server);
            }
        }
        next += 1;
    }
    services
}

fn tell_change(incident: &mut Incident, scene: &Scene<'_>, suspect: u32) {
    let names = &scene.world.names;
    let service = &scene.world.services[suspect as usize];
    let Some(change) = service.change else { return };
    let is_near = change.at >= incident.first_sign.before(CHANGES_BEFORE) && incident.changes.len() < 64;
    if is_near && !incident.changes.iter().any(|entry| entry.at == change.at) {
        let (from, to) = (names.text(change.from), names.text(change.to));
        incident.changes.push(Entry {
            at: change.at,
            text: format!("{} went from {from} to {to}", names.text(service.name)),
        });
    }
}

/// Whom it hits, what to look at, what to keep, and the words.
fn describe(incident: &mut Incident, scene: &Scene<'_>) {
    let world = scene.world;
    let text = |name| world.names.text(name).to_owned();
    let mut nodes: Vec<String> = Vec::new();
    let (mut during, mut before) = (Vec::new(), Vec::new());
    let mut add_node = |node: String| {
        if !node.is_empty() && !nodes.contains(&node) {
            nodes.push(node);
        }
    };
    for fingerprint in &incident.members {
        let Some(alarm) = scene.alarms.get(fingerprint) else { continue };
        let Some(edge) = alarm.target.edge(world) else { continue };
        let edge = &world.edges[edge as usize];
        let (client, server) = (&world.services[edge.client as usize], &world.services[edge.server as usize]);
        let pair = (text(client.name), text(server.name));
        if !incident.keep.flows.contains(&pair) && incident.keep.flows.len() < 64 {
            incident.keep.flows.push(pair);
        }
        if alarm.class == Class::Symptom && alarm.is_on && incident.blast_radius.len() < 256 {
            let client = text(client.name);
            if !incident.blast_radius.contains(&client) {
                incident.blast_radius.push(client);
            }
        }
        add_node(text(edge.heard_by));
        server.pods.iter().for_each(|pod| add_node(text(pod.node)));
        let exemplars = edge.series.exemplars;
        during.extend(exemplars.failed.into_iter().chain(exemplars.slow).flatten());
        before.extend(exemplars.usual);
    }
    nodes.truncate(64);
    during.truncate(10);
    before.truncate(10);
    incident.keep.nodes = nodes;
    incident.keep.from = incident.first_sign.before(KEEP_BEFORE);
    incident.during = during;
    if incident.before.is_empty() {
        incident.before = before;
    }
    incident.coverage = scene.coverage.to_owned();
    incident.severity = incident.severity.max(summary::severity(incident, scene));
    incident.title = summary::title(incident);
    incident.summary = summary::summary(incident);
}

impl Target {
    /// The edge that it is on; none of a workload or instance as such.
    pub(crate) fn edge(self, world: &World) -> Option<u32> {
        match self {
            Self::Endpoint(endpoint) => Some(world.endpoints[endpoint as usize].edge),
            Self::Edge(edge) => Some(edge),
            Self::Service(_) | Self::Pod(..) | Self::Client(_) => None,
        }
    }

    /// The workloads that it is about.
    pub(crate) fn services(self, world: &World) -> Vec<u32> {
        match self {
            Self::Endpoint(_) | Self::Edge(_) => {
                let edge = self.edge(world).map(|edge| &world.edges[edge as usize]);
                edge.map_or_else(Vec::new, |edge| vec![edge.client, edge.server])
            }
            Self::Service(service) | Self::Pod(service, _) | Self::Client(service) => vec![service],
        }
    }
}
