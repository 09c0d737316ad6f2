//! What an incident looks like, by the evidence around its first suspect. The order of the questions matters: what
//! explains more of the others comes first (lost packets make calls slow; a full disk makes no packet lost).

use serde::{Deserialize, Serialize};
use wirewise_model::Timestamp;

use super::scene::Scene;
use crate::detectors::is_database;
use crate::graph::Edge;

/// How long before the first sign a change is still thought of as its cause, and how long after it may be noticed.
const CHANGE_BEFORE_SECONDS: i64 = 900;
const CHANGE_AFTER_SECONDS: i64 = 60;
/// Share of failures from which an instance, or a workload, is thought dead.
const DEAD: f64 = 0.6;

/// Kinds of incidents.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    /// Slow, and nothing more is known.
    Latency,
    /// Failing, and nothing more is known.
    Errors,
    /// A workload that nobody reaches.
    DeadDependency,
    /// Names cannot be resolved.
    DnsFailure,
    /// It began with a new version.
    BadDeploy,
    /// Clients repeat their calls and make it worse.
    RetryStorm,
    /// A database or cache is slow.
    SlowDatabase,
    /// Handshakes fail because of a certificate.
    TlsExpiry,
    /// Packets are lost.
    PacketLoss,
    /// Some instances fail while others work.
    PartialOutage,
    /// Workloads of one node suffer while another on it is unusually busy.
    NoisyNeighbour,
    /// Traffic stopped, and nothing more is known.
    Vanished,
}

impl Kind {
    /// Every one of them.
    pub const ALL: &'static [Self] = &[
        Self::Latency,
        Self::Errors,
        Self::DeadDependency,
        Self::DnsFailure,
        Self::BadDeploy,
        Self::RetryStorm,
        Self::SlowDatabase,
        Self::TlsExpiry,
        Self::PacketLoss,
        Self::PartialOutage,
        Self::NoisyNeighbour,
        Self::Vanished,
    ];

    /// Its word.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Errors => "errors",
            Self::DeadDependency => "dead_dependency",
            Self::DnsFailure => "dns_failure",
            Self::BadDeploy => "bad_deploy",
            Self::RetryStorm => "retry_storm",
            Self::SlowDatabase => "slow_database",
            Self::TlsExpiry => "tls_expiry",
            Self::PacketLoss => "packet_loss",
            Self::PartialOutage => "partial_outage",
            Self::NoisyNeighbour => "noisy_neighbour",
            Self::Vanished => "vanished",
        }
    }
}

/// What an incident looks like whose first suspect is `suspect`, and which began at `first_sign`.
pub(crate) fn classify(scene: &Scene<'_>, suspect: u32, first_sign: Timestamp) -> Kind {
    let world = scene.world;
    let service = &world.services[suspect as usize];
    let callers: Vec<&Edge> = service.callers.iter().map(|&edge| &world.edges[edge as usize]).collect();
    let suffering: Vec<&&Edge> = callers.iter().filter(|edge| scene.edge_badness(edge) >= 0.5).collect();
    let touches = |word: &'static str| {
        scene.alarmed_edges(word).any(|edge| edge.client == suspect || edge.server == suspect)
    };
    if touches("surge") && scene.neighbours_suffer(suspect) >= 3 {
        return Kind::NoisyNeighbour;
    }
    if scene.lossy_edges().iter().any(|edge| edge.client == suspect || edge.server == suspect) {
        return Kind::PacketLoss;
    }
    let protocol_is = |wanted: fn(&str) -> bool| {
        let n = suffering.iter().filter(|edge| wanted(world.names.text(edge.protocol))).count();
        n > 0 && 2 * n >= suffering.len()
    };
    if protocol_is(|protocol| protocol == "dns") {
        return Kind::DnsFailure;
    }
    if service.refused.sum() >= 0.3 * scene.threshold {
        return Kind::TlsExpiry;
    }
    let share = |failed: u32, n: u32| f64::from(failed) / f64::from(n.max(1));
    let last = service.series.last;
    let is_dead = share(last.failed, last.n) >= DEAD && share(last.unanswered, last.failed) >= DEAD;
    // Everybody repeats calls to the dead; that is no storm.
    if !is_dead && scene.alarmed_edges("retry_storm").any(|edge| edge.server == suspect) {
        return Kind::RetryStorm;
    }
    let (mut errors, mut latency) = (service.series.errors.sum(), service.series.latency.sum());
    for edge in &suffering {
        errors = errors.max(edge.series.errors.sum());
        latency = latency.max(edge.series.latency.sum());
    }
    let seconds = |at: Timestamp| (at.nanos() - first_sign.nanos()) / 1_000_000_000;
    let is_changed = service
        .change
        .is_some_and(|change| (-CHANGE_BEFORE_SECONDS..=CHANGE_AFTER_SECONDS).contains(&seconds(change.at)));
    if errors >= scene.threshold * 0.5 && errors >= 0.5 * latency {
        if is_changed {
            return Kind::BadDeploy;
        }
        let lately = |heard: Timestamp| scene.now.since(heard).as_secs() <= 30;
        let pods = service.pods.iter().filter(|pod| lately(pod.heard) && pod.series.last.n >= 1);
        let (mut dead, mut well) = (0, 0);
        for pod in pods {
            if pod.series.errors.sum() >= 0.4 * scene.threshold {
                dead += 1;
            } else if share(pod.series.last.failed, pod.series.last.n) < 0.3 {
                well += 1;
            }
        }
        if dead > 0 && well > 0 {
            return Kind::PartialOutage;
        }
        if is_dead {
            return Kind::DeadDependency;
        }
        return Kind::Errors;
    }
    if is_changed {
        return Kind::BadDeploy;
    }
    if latency >= scene.threshold * 0.5 {
        return if protocol_is(is_database) { Kind::SlowDatabase } else { Kind::Latency };
    }
    if scene.alarmed_edges("vanished").next().is_some() { Kind::Vanished } else { Kind::Latency }
}
