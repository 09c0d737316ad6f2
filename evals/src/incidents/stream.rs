//! The shop at work, second by second: requests of the outside go down the graph, and each call becomes a record at
//! its end. Nothing here knows the scorer. What is not a fault is noisy as well: load wanders, instances pause, workloads
//! fail for some seconds now and then, deploys are frequent and a little rough, batch jobs lean on databases.

use std::collections::BTreeMap;

use wirewise_model::Outcome;
use wirewise_score::{Kind, Scorer};

use super::chance::Chance;
use super::fault::Fault;
use super::said::{self, Form, Said};
use super::shop::{self, Role, Shop};

/// Requests of the outside a second, at the busiest hour of a working day.
const PEAK: f64 = 12.0;
/// Seconds that a client waits.
const PATIENCE: f64 = 3.0;
/// Seconds for which records wait to be delivered at most.
const HORIZON: usize = 64;
/// Share of calls before which a name is resolved, and a connection is opened.
const RESOLVES: f64 = 0.02;
const CONNECTS: f64 = 0.06;
/// Deploys, hiccups of an instance, and short failures of a workload, a second.
const DEPLOYS: f64 = 6.0 / 86_400.0;
const HICCUPS: f64 = 1.0 / 3600.0;
const BLIPS: f64 = 3.0 / 86_400.0;

/// How a call went, for its caller.
#[derive(Clone, Copy)]
struct Went {
    took: f64,
    well: bool,
    affected: bool,
}

/// A deploy that goes from instance to instance.
#[derive(Clone, Debug)]
struct Rollout {
    target: usize,
    pod: usize,
    version: usize,
    at: f64,
    step: f64,
}

/// Something that lasts for a while: (workload, instance, until, factor or share).
type Spell = (usize, usize, f64, f64);

/// The shop in time.
#[derive(Clone, Debug)]
pub(crate) struct Stream {
    pub(crate) shop: Shop,
    chance: Chance,
    pub(crate) now: u64,
    fault: Option<(Fault, f64, usize)>,
    waiting: Vec<Vec<Said>>,
    load: f64,
    drifts: Vec<f64>,
    /// Logarithm of what a call to each workload usually takes, its own calls included.
    usual: Vec<f64>,
    slow: Vec<Spell>,
    failing: Vec<Spell>,
    rollouts: Vec<Rollout>,
    flows: BTreeMap<(usize, usize), (u64, u64)>,
    n_records: u64,
    /// Calls to each workload in the last minutes, and in how many seconds.
    counts: (Vec<f64>, f64),
    /// Bytes of the answer that a batch job waits for, and whether a fault makes it ask.
    bulk: Option<(f64, bool)>,
    /// When the first record arrived that the fault made other than it would have been.
    pub(crate) first_affected: Option<f64>,
}

impl Stream {
    pub(crate) fn new(seed: u64, now: u64) -> Self {
        let mut chance = Chance::new(seed);
        let shop = Shop::draw(&mut chance);
        let n = shop.workloads.len();
        Self {
            shop,
            chance,
            now,
            fault: None,
            waiting: vec![Vec::new(); HORIZON],
            load: 0.0,
            drifts: vec![0.0; n],
            usual: vec![-4.0; n],
            slow: Vec::new(),
            failing: Vec::new(),
            rollouts: Vec::new(),
            flows: BTreeMap::new(),
            n_records: 0,
            counts: (vec![0.0; n], 0.0),
            bulk: None,
            first_affected: None,
        }
    }

    /// Chance from here on of another seed.
    pub(crate) fn reseed(&mut self, seed: u64) {
        self.chance = Chance::new(seed);
    }

    pub(crate) fn chance(&mut self) -> &mut Chance {
        &mut self.chance
    }

    /// Calls a second to each workload, lately.
    pub(crate) fn rates(&self) -> Vec<f64> {
        self.counts.0.iter().map(|count| count / self.counts.1.max(1.0)).collect()
    }

    /// From now on something is wrong.
    pub(crate) fn begin(&mut self, fault: Fault) {
        let mut version = usize::MAX;
        if fault.kind == Kind::BadDeploy {
            version = self.deploy(fault.target, 8.0);
        }
        self.fault = Some((fault, self.now as f64, version));
    }

    /// A second passes: what arrived in it is pushed.
    pub(crate) fn second(&mut self, scorer: &mut Scorer) {
        self.background();
        let hour = (self.now % 86_400) as f64 / 3600.0;
        let day = (self.now / 86_400 + 4) % 7;
        let rhythm = 0.25 + 0.75 * (0.5 + 0.5 * ((hour - 15.0) / 24.0 * std::f64::consts::TAU).cos());
        let weekend = if day == 0 || day == 6 { 0.6 } else { 1.0 };
        self.load = 0.995 * self.load + 0.1 * 0.1 * self.chance.normal();
        let fronts: Vec<usize> = self.shop.fronts().collect();
        let mean = PEAK * rhythm * weekend * self.load.exp();
        for _ in 0..self.chance.poisson(mean) {
            let front = fronts[self.chance.below(fronts.len())];
            let start = self.now as f64 + self.chance.share();
            let endpoint = self.chance.below(self.shop.workloads[front].endpoints.len());
            self.request(front, endpoint, start);
        }
        self.batches();
        self.deliver(scorer);
        self.now += 1;
    }

    fn request(&mut self, front: usize, endpoint: usize, start: f64) {
        let pod = self.chance.below(self.shop.workloads[front].pods.len());
        self.serve((front, pod), endpoint, start);
    }

    /// Load, drifts, pauses, short failures and deploys that have nothing to do with a fault.
    fn background(&mut self) {
        let now = self.now as f64;
        let n = self.shop.workloads.len();
        if self.now.is_multiple_of(10) {
            for drift in &mut self.drifts {
                *drift = 0.99 * *drift + 0.02 * self.chance.normal();
            }
            self.counts.0.iter_mut().for_each(|count| *count *= 0.97);
            self.counts.1 *= 0.97;
            self.slow.retain(|spell| spell.2 > now);
            self.failing.retain(|spell| spell.2 > now);
        }
        self.counts.1 += 1.0;
        for workload in 0..n {
            if self.chance.hit(HICCUPS * 2.0) {
                let pod = self.chance.below(self.shop.workloads[workload].pods.len());
                let until = now + self.chance.between(1.0, 6.0);
                self.slow.push((workload, pod, until, self.chance.factor(2.0, 10.0)));
            }
        }
        if self.chance.hit(BLIPS) {
            let (workload, until) = (self.chance.below(n), now + self.chance.between(3.0, 12.0));
            self.failing.push((workload, usize::MAX, until, self.chance.between(0.05, 0.3)));
        }
        if self.chance.hit(DEPLOYS) {
            let workload = self.chance.below(n);
            if self.shop.workloads[workload].role == Role::Service {
                let step = self.chance.between(15.0, 40.0);
                self.deploy(workload, step);
            }
        }
        self.roll(now);
    }

    fn deploy(&mut self, target: usize, step: f64) -> usize {
        let workload = &mut self.shop.workloads[target];
        workload.versions.push(format!("1.{}", workload.versions.len()));
        let version = workload.versions.len() - 1;
        self.rollouts.push(Rollout { target, pod: 0, version, at: self.now as f64, step });
        version
    }

    fn roll(&mut self, now: f64) {
        for mut rollout in std::mem::take(&mut self.rollouts) {
            if rollout.at <= now {
                let name = self.shop.workloads[rollout.target].name.clone();
                let fresh = shop::pod(&mut self.chance, &name, rollout.version);
                self.shop.workloads[rollout.target].pods[rollout.pod] = fresh;
                // Cold for a while, and the old one hangs up on some.
                let until = now + self.chance.between(5.0, 25.0);
                self.slow.push((rollout.target, rollout.pod, until, self.chance.between(1.2, 2.0)));
                self.failing.push((rollout.target, rollout.pod, now + 2.0, 0.05));
                rollout.pod += 1;
                rollout.at += rollout.step;
            }
            if rollout.pod < self.shop.workloads[rollout.target].pods.len() {
                self.rollouts.push(rollout);
            }
        }
    }

    /// Each batch job runs for some minutes of each hour, at a minute of its own.
    fn batches(&mut self) {
        for index in 0..self.shop.workloads.len() {
            if self.shop.workloads[index].role != Role::Batch {
                continue;
            }
            let minute = (self.now / 60 + index as u64 * 11) % 60;
            let noisy = self.fault_of(Kind::NoisyNeighbour).is_some_and(|(fault, _)| fault.target == index);
            let rate = if noisy {
                25.0
            } else if minute < 4 + index as u64 % 7 {
                2.0
            } else {
                continue;
            };
            let database = index % 8;
            for _ in 0..self.chance.poisson(rate) {
                let start = self.now as f64 + self.chance.share();
                let endpoint = index % self.shop.workloads[database].endpoints.len();
                let bytes = if noisy { 400_000.0 } else { 60_000.0 };
                self.bulk = Some((bytes * self.chance.factor(0.7, 1.4), noisy));
                self.ask((index, 0), database, endpoint, start);
                self.bulk = None;
            }
        }
    }

    fn fault_of(&self, kind: Kind) -> Option<(&Fault, usize)> {
        self.fault
            .as_ref()
            .filter(|(fault, ..)| fault.kind == kind)
            .map(|(fault, _, version)| (fault, *version))
    }

    /// Asks a workload, with what comes before a call: a name, a connection.
    fn ask(&mut self, client: (usize, usize), to: usize, endpoint: usize, start: f64) -> Went {
        let names = self.shop.names;
        let mut spent = 0.0;
        let dns_fault = self.fault_of(Kind::DnsFailure).map(|(fault, _)| (fault.fails, fault.other_way));
        let resolves = if dns_fault.is_some() { RESOLVES * 4.0 } else { RESOLVES };
        if to != names && self.chance.hit(resolves) {
            let server = (names, self.chance.below(self.shop.workloads[names].pods.len()));
            let said = |at, outcome, status, took, affected| Said {
                at,
                client,
                server,
                endpoint: to,
                form: Form::Lookup,
                outcome,
                status,
                took,
                bytes: (60.0, 120.0),
                affected,
            };
            if self.chance.hit(0.3) {
                self.say(said(start + 0.0006, Outcome::ClientError, "NXDOMAIN", Some(0.0006), false));
            }
            if let Some((_, silent)) = dns_fault.filter(|(fails, _)| self.chance.hit(*fails)) {
                let (outcome, status, took) = if silent {
                    (Outcome::NoResponse, "", None)
                } else {
                    (Outcome::ServerError, "SERVFAIL", Some(0.004))
                };
                spent += took.unwrap_or(2.0);
                self.say(said(start + spent, outcome, status, took, true));
                return Went { took: spent, well: false, affected: true };
            }
            let took = 0.0006 * self.lognormal(0.5);
            spent += took;
            self.say(said(start + spent, Outcome::Ok, "NOERROR", Some(took), false));
        }
        let pod = self.chance.below(self.shop.workloads[to].pods.len());
        if self.shop.workloads[to].tls && self.chance.hit(CONNECTS) {
            let expired = self.fault_of(Kind::TlsExpiry).is_some_and(|(fault, _)| fault.target == to);
            let took = 0.004 * self.lognormal(0.4);
            spent += took;
            let (outcome, status) =
                if expired { (Outcome::ServerError, "certificate_expired") } else { (Outcome::Ok, "TLS1.3") };
            let said = Said {
                at: start + spent,
                client,
                server: (to, pod),
                endpoint: 0,
                form: Form::Handshake,
                outcome,
                status,
                took: Some(took),
                bytes: (500.0, 3000.0),
                affected: expired,
            };
            self.say(said);
            if expired {
                return Went { took: spent, well: false, affected: true };
            }
        }
        let went = self.reach(client, (to, pod), endpoint, start + spent);
        Went { took: went.took + spent, ..went }
    }

    /// A call on its way: the server may be gone, packets may be lost, the client may lose patience.
    fn reach(&mut self, client: (usize, usize), server: (usize, usize), endpoint: usize, start: f64) -> Went {
        let (is_gone, refuses, fails_here) = match &self.fault {
            Some((fault, ..)) if fault.target == server.0 => match fault.kind {
                Kind::DeadDependency => (true, fault.other_way, false),
                Kind::PartialOutage if fault.part == server.1 => (fault.other_way, true, !fault.other_way),
                _ => (false, false, false),
            },
            _ => (false, false, false),
        };
        if is_gone {
            let (outcome, status, took) = if refuses {
                (Outcome::ServerError, "refused", Some(0.001))
            } else {
                (Outcome::NoResponse, "", None)
            };
            let spent = took.unwrap_or(PATIENCE);
            let form = Form::Connection;
            self.say(Said {
                at: start + spent,
                client,
                server,
                endpoint,
                form,
                outcome,
                status,
                took,
                bytes: (60.0, 0.0),
                affected: true,
            });
            return Went { took: spent, well: false, affected: true };
        }
        let mut went = self.serve(server, endpoint, start);
        if fails_here {
            went = Went { well: false, affected: true, ..went };
        }
        let packets = 8 + (self.shop.workloads[server.0].endpoints[endpoint].bytes / 1400.0) as u64;
        let lossy = self
            .fault_of(Kind::PacketLoss)
            .filter(|(fault, _)| fault.target == server.0 || fault.target == client.0);
        let loss = lossy.map_or(0.0, |(fault, _)| fault.fails).max(0.0003);
        let again = self.chance.poisson(loss * packets as f64) as u64;
        let flow = self.flows.entry((client.0, server.0)).or_default();
        flow.0 += packets + again;
        flow.1 += again;
        if again > 0 && self.chance.hit(0.6) {
            went.took += self.chance.between(0.2, 0.45);
            went.affected |= loss > 0.001;
        }
        let tolerant = went.took <= PATIENCE;
        let workload = &self.shop.workloads[server.0];
        let (outcome, status, took) = match (tolerant, went.well) {
            (false, _) => (Outcome::Aborted, "", None),
            (true, true) => (Outcome::Ok, "200", Some(went.took)),
            (true, false) if workload.protocol == "grpc" => (Outcome::ServerError, "13", Some(went.took)),
            (true, false) => (Outcome::ServerError, "500", Some(went.took)),
        };
        let (bytes, is_noise) = self.bulk.take().unwrap_or((workload.endpoints[endpoint].bytes, false));
        let spent = went.took.min(PATIENCE);
        let affected = went.affected || is_noise;
        let form = Form::Call;
        self.say(Said {
            at: start + spent,
            client,
            server,
            endpoint,
            form,
            outcome,
            status,
            took,
            bytes: (300.0, bytes),
            affected,
        });
        Went { took: spent, well: went.well && tolerant, affected }
    }

    /// What an instance does with a call: its own work, then the calls that it makes, one after the other.
    fn serve(&mut self, server: (usize, usize), number: usize, start: f64) -> Went {
        let (index, pod) = server;
        let workload = &self.shop.workloads[index];
        let (endpoint, node) = (workload.endpoints[number].clone(), workload.pods[pod].node);
        let version = workload.pods[pod].version;
        let mut factor = self.drifts[index].exp() * self.lognormal(endpoint.own.1);
        let mut fails = endpoint.fails;
        let own =
            |spell: &&Spell| spell.0 == index && (spell.1 == pod || spell.1 == usize::MAX) && spell.2 > start;
        self.slow.iter().filter(own).for_each(|spell| factor *= spell.3);
        self.failing.iter().filter(own).for_each(|spell| fails += spell.3);
        let (mut affected, mut delay) = (false, 0.0);
        if let Some((fault, _, bad)) = &self.fault {
            let hits = match fault.kind {
                Kind::NoisyNeighbour => node == fault.part && index != fault.target,
                Kind::BadDeploy => index == fault.target && version == *bad,
                Kind::Latency | Kind::Errors | Kind::SlowDatabase | Kind::RetryStorm => index == fault.target,
                _ => false,
            };
            if hits {
                // Who waits for a lock or a full pool waits in proportion to all that goes on, not to its own work.
                match fault.kind {
                    Kind::Latency | Kind::BadDeploy | Kind::RetryStorm => {
                        delay = self.usual[index].exp() * (fault.slow - 1.0);
                    }
                    _ => factor *= fault.slow,
                }
                fails += fault.fails;
                affected = fault.slow > 1.0 || self.chance.hit(fault.fails);
            }
        }
        if delay > 0.0 {
            delay *= self.lognormal(0.3);
        }
        let mut took = endpoint.own.0 * factor + delay;
        if self.chance.hit(fails) {
            return Went { took: took * self.chance.between(0.3, 1.0), well: false, affected };
        }
        for call in &endpoint.calls {
            if !self.chance.hit(call.probability) {
                continue;
            }
            let storm = self.fault_of(Kind::RetryStorm);
            let storms = storm.is_some_and(|(fault, _)| fault.part == index && fault.target == call.to);
            let retries = if storms { 6 } else { call.retries };
            let mut went = self.ask(server, call.to, call.endpoint, start + took);
            for _ in 0..retries {
                took += went.took;
                affected |= went.affected;
                if went.well || took > 2.0 * PATIENCE {
                    went.took = 0.0;
                    break;
                }
                took += if storms { 0.01 } else { 0.05 };
                went = self.ask(server, call.to, call.endpoint, start + took);
            }
            took += went.took;
            affected |= went.affected;
            if !went.well && !call.optional {
                return Went { took, well: false, affected };
            }
        }
        if self.fault.is_none() {
            self.usual[index] += 0.01 * (took.ln() - self.usual[index]);
        }
        Went { took, well: true, affected }
    }

    fn lognormal(&mut self, deviation: f64) -> f64 {
        (deviation * self.chance.normal()).exp()
    }

    fn slot(at: f64) -> usize {
        at.max(0.0) as usize % HORIZON
    }

    fn say(&mut self, mut said: Said) {
        // Agents ship batches about once a second.
        said.at = (said.at + self.chance.between(0.1, 1.2)).min(self.now as f64 + HORIZON as f64 - 2.0);
        if said.form == Form::Call || said.form == Form::Connection {
            self.counts.0[said.server.0] += 1.0;
        }
        let slot = Self::slot(said.at);
        self.waiting[slot].push(said);
    }

    fn deliver(&mut self, scorer: &mut Scorer) {
        let arrived = std::mem::take(&mut self.waiting[Self::slot(self.now as f64)]);
        for said in &arrived {
            if said.affected && self.fault.is_some() && self.first_affected.is_none() {
                self.first_affected = Some(said.at);
            }
            self.n_records += 1;
            scorer.push(&said::observation(&self.shop, said, self.n_records, self.fault.as_ref()));
        }
        if self.now.is_multiple_of(5) {
            for (&(client, server), &(packets, again)) in &self.flows {
                scorer.push_flow(&said::flow(&self.shop, (client, server), (packets, again), self.now));
            }
        }
    }
}
