//! What goes wrong, how badly, and to whom: drawn from a seed. Each says whom a person would have to look at.

use wirewise_score::Kind;

use super::chance::Chance;
use super::shop::{Role, Shop};

/// Kinds that are tried, in the words of the incidents' kinds.
pub(crate) const KINDS: &[Kind] = &[
    Kind::Latency,
    Kind::Errors,
    Kind::DeadDependency,
    Kind::DnsFailure,
    Kind::BadDeploy,
    Kind::RetryStorm,
    Kind::SlowDatabase,
    Kind::TlsExpiry,
    Kind::PacketLoss,
    Kind::PartialOutage,
    Kind::NoisyNeighbour,
];

/// A fault while it lasts.
#[derive(Clone, Debug)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    /// The workload that is to blame.
    pub(crate) target: usize,
    /// The instance, the node, or the client that storms.
    pub(crate) part: usize,
    /// Factor of slowness.
    pub(crate) slow: f64,
    /// Share of failures.
    pub(crate) fails: f64,
    /// A second way to fail: refused instead of silent, silent instead of an error.
    pub(crate) other_way: bool,
}

impl Fault {
    /// A fault on a workload that takes at least a call a second now, by `rates`.
    pub(crate) fn draw(kind: Kind, shop: &Shop, rates: &[f64], chance: &mut Chance) -> Option<Self> {
        let fits = |index: &usize| {
            let workload = &shop.workloads[*index];
            let is_busy = rates[*index] >= 1.0;
            match kind {
                Kind::DnsFailure => *index == shop.names,
                Kind::SlowDatabase => is_busy && matches!(workload.role, Role::Database(_)),
                Kind::TlsExpiry => is_busy && workload.tls,
                Kind::PartialOutage => is_busy && workload.role == Role::Service && workload.pods.len() >= 2,
                Kind::NoisyNeighbour => workload.role == Role::Batch,
                Kind::DeadDependency => is_busy && matches!(workload.role, Role::Service | Role::Database(_)),
                Kind::Latency
                | Kind::Errors
                | Kind::BadDeploy
                | Kind::RetryStorm
                | Kind::PacketLoss
                | Kind::Vanished => is_busy && workload.role == Role::Service,
            }
        };
        let candidates: Vec<usize> = (0..shop.workloads.len()).filter(fits).collect();
        let target = *chance.pick(&candidates)?;
        let workload = &shop.workloads[target];
        let part = match kind {
            Kind::NoisyNeighbour => workload.pods[0].node,
            Kind::RetryStorm => {
                let calls_it = |index: &usize| {
                    rates[*index] > 0.2
                        && shop.workloads[*index]
                            .endpoints
                            .iter()
                            .any(|endpoint| endpoint.calls.iter().any(|call| call.to == target))
                };
                let clients: Vec<usize> = (0..shop.workloads.len()).filter(calls_it).collect();
                *chance.pick(&clients)?
            }
            _ => chance.below(workload.pods.len()),
        };
        let (slow, fails) = match kind {
            Kind::Latency => (chance.factor(3.0, 12.0), 0.0),
            Kind::SlowDatabase => (chance.factor(5.0, 30.0), 0.0),
            Kind::Errors => (1.0, chance.between(0.2, 0.9)),
            Kind::DnsFailure => (1.0, chance.between(0.5, 1.0)),
            Kind::BadDeploy if chance.hit(0.5) => (chance.factor(3.0, 8.0), 0.0),
            Kind::BadDeploy => (1.0, chance.between(0.2, 0.7)),
            Kind::RetryStorm => (chance.factor(1.5, 4.0), chance.between(0.4, 0.8)),
            Kind::PacketLoss => (1.0, chance.between(0.04, 0.15)),
            Kind::NoisyNeighbour => (chance.factor(3.0, 8.0), 0.0),
            Kind::DeadDependency | Kind::TlsExpiry | Kind::PartialOutage | Kind::Vanished => (1.0, 1.0),
        };
        Some(Self { kind, target, part, slow, fails, other_way: chance.hit(0.5) })
    }
}
