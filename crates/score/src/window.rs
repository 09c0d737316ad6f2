//! The end of a window: detectors judge what it brought, and baselines learn from it.

use wirewise_model::{Timestamp, stable_hash};

use crate::alarm::Target;
use crate::detectors::{Around, DETECTORS, Judge, Moment};
use crate::finding::{Subject, Verdict};
use crate::graph::{Edge, Novelty};
use crate::scorer::Scorer;
use crate::series::Series;
use crate::world::World;

/// Share of the usual calls under which a window is blind.
const BLIND: f32 = 0.2;
/// Windows before a number of calls is usual.
const LEAST_WINDOWS: u32 = 60;
/// Windows over which usual values of an edge are averaged.
const MEMORY: f32 = 240.0;
/// Share by which the memory of a long silence fades a window: half in four days.
const FADES: f32 = 1e-5;

type Verdicts = Vec<(usize, Target, Verdict)>;

impl Scorer {
    /// Judges the window that is over, and begins the next.
    pub(crate) fn judge(&mut self, begun: Timestamp, now: Timestamp) -> Verdicts {
        let seconds = self.settings.limits.window.as_secs_f64();
        let (usual, windows) = self.usual_calls;
        let calls = std::mem::take(&mut self.calls_in_window) as f32;
        let blind = windows >= LEAST_WINDOWS && calls < BLIND * usual;
        if blind {
            self.counters.blind_windows += 1;
            self.blind_at = Some(now);
        } else {
            let heard = if windows < LEAST_WINDOWS { calls } else { calls.min(3.0 * usual) };
            let step = 1.0 / (windows as f32 + 1.0).min(MEMORY);
            self.usual_calls = (usual + step * (heard - usual), windows.saturating_add(1));
        }
        let minute = minute_of(now);
        let is_minute = minute != self.minute;
        let blind = blind || (is_minute && std::mem::take(&mut self.is_partial));
        let moment = Moment { begun, now, seconds, blind, born: self.born.unwrap_or(now) };
        self.minute = minute;
        let mut found = Verdicts::new();
        self.judge_novelties(&moment, &mut found);
        self.judge_edges(&moment, is_minute, &mut found);
        self.judge_endpoints(&moment, &mut found);
        self.judge_services(&moment, is_minute, &mut found);
        found
    }

    /// Ends a window in which the clock leapt: what it brought is neither judged nor learnt.
    pub(crate) fn skip_window(&mut self, now: Timestamp) {
        self.calls_in_window = 0;
        // The minute that runs at `now` will end with a part of its calls.
        self.is_partial = true;
        self.minute = minute_of(now);
        self.world.novelties.clear();
        for index in std::mem::take(&mut self.world.active) {
            let endpoint = &mut self.world.endpoints[index as usize];
            endpoint.close(false);
            endpoint.series.close(false);
        }
        for edge in &mut self.world.edges {
            edge.series.close(false);
            (edge.packets, edge.zero_windows, edge.minute, edge.silent) = ((0, 0), 0, 0, 0);
        }
        for service in &mut self.world.services {
            service.series.close(false);
            for pod in &mut service.pods {
                pod.series.close(false);
            }
        }
    }

    fn judge_novelties(&mut self, moment: &Moment, found: &mut Verdicts) {
        for novelty in std::mem::take(&mut self.world.novelties) {
            let world = &self.world;
            let endpoint = novelty.endpoint.map_or_else(String::new, |index| world.endpoint_text(index));
            let around = around(world, &world.edges[novelty.edge as usize], &endpoint, moment);
            for (index, detector) in DETECTORS.iter().enumerate() {
                let Judge::New(judge) = detector.judge else { continue };
                if let Some(verdict) = judge(&novelty, &around, moment, &self.values[index]) {
                    found.push((index, novelty.target(), verdict));
                }
            }
        }
    }

    fn judge_edges(&mut self, moment: &Moment, is_minute: bool, found: &mut Verdicts) {
        for number in 0..self.world.edges.len() {
            let target = Target::Edge(number as u32);
            let mut edge = std::mem::replace(&mut self.world.edges[number], Edge::empty());
            judge_series(&self.values, &mut edge.series, moment, |index, verdict| {
                found.push((index, target, verdict))
            });
            let around = around(&self.world, &edge, "", moment);
            for (index, detector) in DETECTORS.iter().enumerate() {
                let judge = match detector.judge {
                    Judge::Edge(judge) => judge,
                    Judge::EdgeMinute(judge) if is_minute => judge,
                    Judge::EdgeMinute(_)
                    | Judge::Series(_)
                    | Judge::Server(_)
                    | Judge::ClientMinute(_)
                    | Judge::New(_) => {
                        continue;
                    }
                };
                if let Some(verdict) = judge(&mut edge, &around, moment, &self.values[index]) {
                    found.push((index, target, verdict));
                }
            }
            let taken = around.client_calls.0;
            edge.close(taken, is_minute, moment.blind);
            self.world.edges[number] = edge;
        }
    }

    fn judge_endpoints(&mut self, moment: &Moment, found: &mut Verdicts) {
        for number in std::mem::take(&mut self.world.active) {
            let endpoint = &mut self.world.endpoints[number as usize];
            let target = Target::Endpoint(number);
            judge_series(&self.values, &mut endpoint.series, moment, |index, verdict| {
                found.push((index, target, verdict))
            });
            endpoint.close(true);
            endpoint.series.close(true);
        }
    }

    fn judge_services(&mut self, moment: &Moment, is_minute: bool, found: &mut Verdicts) {
        for (number, service) in self.world.services.iter_mut().enumerate() {
            let target = Target::Service(number as u32);
            judge_series(&self.values, &mut service.series, moment, |index, verdict| {
                found.push((index, target, verdict))
            });
            for (index, detector) in DETECTORS.iter().enumerate() {
                let Judge::Server(judge) = detector.judge else { continue };
                if let Some(verdict) = judge(service, moment, &self.values[index]) {
                    found.push((index, target, verdict));
                }
            }
            service.series.close(true);
            for (pod_number, pod) in service.pods.iter_mut().enumerate() {
                let target = Target::Pod(number as u32, pod_number as u16);
                judge_series(&self.values, &mut pod.series, moment, |index, verdict| {
                    found.push((index, target, verdict))
                });
                pod.series.close(true);
            }
            service.pods.retain(|pod| moment.now.since(pod.heard).as_secs() < 3600);
            if !is_minute {
                continue;
            }
            for (index, detector) in DETECTORS.iter().enumerate() {
                let Judge::ClientMinute(judge) = detector.judge else { continue };
                if let Some(verdict) = judge(&mut service.habits, moment, &self.values[index]) {
                    found.push((index, Target::Client(number as u32), verdict));
                }
            }
            service.habits.close();
        }
    }

    /// Whom a verdict is about, and the number that feedback is kept by.
    pub(crate) fn subject(&self, word: &str, target: Target, verdict: &Verdict) -> (u64, Subject) {
        let world = &self.world;
        let name = |service: u32| world.names.text(world.services[service as usize].name).to_owned();
        let mut subject = Subject::default();
        if let Some(edge) = target.edge(world) {
            let edge = &world.edges[edge as usize];
            (subject.client, subject.server) = (name(edge.client), name(edge.server));
        }
        match target {
            Target::Endpoint(endpoint) => subject.endpoint = world.endpoint_text(endpoint),
            Target::Edge(_) => {}
            Target::Service(service) => subject.server = name(service),
            Target::Pod(service, pod) => {
                subject.server = name(service);
                if let Some(pod) = world.services[service as usize].pods.get(usize::from(pod)) {
                    subject.pod = world.names.text(pod.name).to_owned();
                    subject.node = world.names.text(pod.node).to_owned();
                }
            }
            Target::Client(client) => subject.client = name(client),
        }
        // A new shape has no name but its call.
        let call = verdict.calls.first().filter(|_| word == "new_shape").map_or(0, |call| call.salt());
        let fingerprint = stable_hash(&[
            word.as_bytes(),
            subject.client.as_bytes(),
            subject.server.as_bytes(),
            subject.pod.as_bytes(),
            subject.endpoint.as_bytes(),
            &call.to_le_bytes(),
        ]);
        (fingerprint, subject)
    }
}

impl Novelty {
    fn target(&self) -> Target {
        match (self.kind, self.endpoint) {
            (crate::graph::Novel::Edge, _) | (_, None) => Target::Edge(self.edge),
            (crate::graph::Novel::Endpoint | crate::graph::Novel::Shape, Some(endpoint)) => {
                Target::Endpoint(endpoint)
            }
        }
    }
}

impl World {
    fn endpoint_text(&self, index: u32) -> String {
        let endpoint = &self.endpoints[index as usize];
        let (protocol, operation) = (self.names.text(endpoint.protocol), self.names.text(endpoint.operation));
        format!("{protocol} {operation} {}", self.names.text(endpoint.endpoint)).trim_end().to_owned()
    }
}

impl Edge {
    /// Learns from the window that is over. `taken` is what the client took in meanwhile.
    fn close(&mut self, taken: f64, is_minute: bool, blind: bool) {
        let calls = self.series.tally.n;
        let (usual, doubt) =
            (self.series.rate, self.series.errors.sum().max(self.series.latency.sum()) > 4.0);
        let step = 1.0 / (self.series.windows as f32 + 1.0).min(MEMORY) / if doubt { 10.0 } else { 1.0 };
        if calls == 0 {
            self.silent = if blind { self.silent } else { self.silent.saturating_add(1) };
        } else {
            self.longest_silence = self.longest_silence.max(self.silent as f32) * (1.0 - FADES);
            self.silent = 0;
            let distance = calls as f32 - usual;
            let spread = (distance * distance / usual.max(0.5)).min(25.0);
            self.dispersion += step * (spread - self.dispersion);
            let tally = &self.series.tally;
            let bytes = (tally.request_bytes + tally.response_bytes).max(1.0).ln();
            let moved = if self.series.windows == 0 {
                bytes
            } else {
                self.usual_bytes + (bytes - self.usual_bytes).clamp(-1.0, 1.0) * step
            };
            self.usual_bytes = moved;
        }
        if taken >= 3.0 {
            let found = calls as f32 / taken as f32;
            let bound = 0.5 * self.amplification + 0.05;
            let moved = if self.series.windows < 24 {
                found - self.amplification
            } else {
                (found - self.amplification).clamp(-bound, bound)
            };
            self.amplification += step * moved;
        }
        let (packets, again) = self.packets;
        if packets > 0 {
            let share = (again as f32 / packets as f32).min(self.loss_share + 0.01);
            let step = 1.0
                / (self.loss_windows as f32 + 1.0).min(MEMORY)
                / if self.loss.sum() > 4.0 { 10.0 } else { 1.0 };
            self.loss_share += step * (share - self.loss_share);
            self.loss_windows = self.loss_windows.saturating_add(1);
        }
        (self.packets, self.zero_windows) = ((0, 0), 0);
        if is_minute {
            self.minute = 0;
            let (sent, _) = std::mem::take(&mut self.habits.bytes);
            if sent > 0.0 {
                let step = 1.0 / (self.habits.minutes as f32 + 1.0).min(MEMORY);
                let distance = (sent as f32).ln() - self.habits.usual_sent;
                let bound = if self.habits.minutes == 0 { f32::INFINITY } else { 1.0 };
                self.habits.usual_sent += step * distance.clamp(-bound, bound);
                self.habits.minutes = self.habits.minutes.saturating_add(1);
            }
        }
        self.series.close(!blind || calls > 0);
    }
}

/// The number of a minute since the epoch.
fn minute_of(at: Timestamp) -> i64 {
    at.nanos().div_euclid(60_000_000_000)
}

/// Lets the detectors of series judge one.
fn judge_series(
    values: &[crate::detectors::Values],
    series: &mut Series,
    moment: &Moment,
    mut tell: impl FnMut(usize, Verdict),
) {
    if series.tally.n == 0 && series.errors.sum() == 0.0 && series.latency.sum() == 0.0 {
        return;
    }
    if series.tally.n == 0 {
        // Silence says nothing, and time passes.
        series.errors.step(0.0, 0.0, f64::MAX, moment.begun);
        series.latency.step(0.0, 0.0, f64::MAX, moment.begun);
        return;
    }
    for (index, detector) in DETECTORS.iter().enumerate() {
        let Judge::Series(judge) = detector.judge else { continue };
        if let Some(verdict) = judge(series, moment, &values[index]) {
            tell(index, verdict);
        }
    }
}

/// What stands around an edge.
fn around<'a>(world: &'a World, edge: &Edge, endpoint: &'a str, moment: &Moment) -> Around<'a> {
    let (client, server) = (&world.services[edge.client as usize], &world.services[edge.server as usize]);
    let lives = |&edge: &u32| moment.now.since(world.edges[edge as usize].heard).as_secs() < 60;
    let teller = world.tellers.binary_search_by_key(&edge.heard_by, |(name, _)| *name);
    let teller_lives = teller.map_or(true, |place| moment.now.since(world.tellers[place].1).as_secs() < 15);
    Around {
        protocol: world.names.text(edge.protocol),
        tls_version: world.names.text(edge.tls.version),
        endpoint,
        client_calls: (f64::from(client.series.tally.n), f64::from(client.series.rate)),
        client_is_called: client.callers.iter().any(lives),
        client_suffers: client.series.errors.sum().max(client.series.latency.sum()),
        client_born: client.born,
        client_lives: edge.silent > 0 && client.callees.iter().any(lives),
        teller_lives,
        server_is_outside: !world.names.text(server.name).contains('/'),
    }
}
