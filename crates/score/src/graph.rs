//! Workloads, their instances, the edges between them and the endpoints on those: what is remembered of each.

use serde::{Deserialize, Serialize};
use wirewise_model::{CallId, Timestamp};

use crate::evidence::Evidence;
use crate::habits::{EdgeHabits, ServiceHabits};
use crate::names::{Name, Names};
use crate::observation::Observation;
use crate::rate::RateModel;
use crate::series::Series;
use crate::sketch::Sketch;

/// Durations of a window that each endpoint keeps for its sketch: what one window can weigh in a quantile.
const SAMPLES: usize = 4;
/// Calls with a duration that make an endpoint's usual latency.
pub(crate) const LEAST_TIMED: u32 = 20;
/// Steps over which the usual logarithm of an endpoint's latency is averaged.
const LATENCY_MEMORY: f32 = 400.0;
/// Least variance of the logarithm of a latency.
const LEAST_VARIANCE: f32 = 0.06;

/// A workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Service {
    /// `namespace/workload`, or the workload where there is no namespace.
    pub(crate) name: Name,
    /// Calls to it.
    pub(crate) series: Series,
    /// Its instances.
    pub(crate) pods: Vec<Pod>,
    /// Edges that end here.
    pub(crate) callers: Vec<u32>,
    /// Edges that begin here.
    pub(crate) callees: Vec<u32>,
    /// The last time that its version, or an instance of it, was replaced.
    pub(crate) change: Option<Change>,
    /// Its first call, as client or server.
    pub(crate) born: Timestamp,
    /// Handshakes with it in the window that runs, and those that failed because of a certificate.
    pub(crate) handshakes: (u32, u32),
    /// Evidence that its certificate is refused.
    pub(crate) refused: Evidence,
    /// The latest handshake that failed because of a certificate.
    pub(crate) refused_example: Option<CallId>,
    /// What it does as a client, for the security statistics.
    pub(crate) habits: ServiceHabits,
}

/// Something about a workload became other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    /// When it was first noticed.
    pub(crate) at: Timestamp,
    /// The version before.
    pub(crate) from: Name,
    /// The version since.
    pub(crate) to: Name,
}

/// An instance of a workload.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Pod {
    /// Its name.
    pub(crate) name: Name,
    /// Where it runs.
    pub(crate) node: Name,
    /// What it runs.
    pub(crate) version: Name,
    /// Calls to it.
    pub(crate) series: Series,
    /// Its latest call.
    pub(crate) heard: Timestamp,
}

/// A pair of workloads, of which one calls the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Edge {
    /// Who asks.
    pub(crate) client: u32,
    /// Who answers.
    pub(crate) server: u32,
    /// What is spoken, other than handshakes.
    pub(crate) protocol: Name,
    /// All its calls.
    pub(crate) series: Series,
    /// The latest call.
    pub(crate) heard: Timestamp,
    /// Who told of it last.
    pub(crate) heard_by: Name,
    /// Endpoints on it.
    pub(crate) n_endpoints: u32,
    /// Windows in a row without a call.
    pub(crate) silent: u32,
    /// The longest such silence that ended, fading over days.
    pub(crate) longest_silence: f32,
    /// Spread of the counts of windows over that of chance.
    pub(crate) dispersion: f32,
    /// Usual calls of this edge for each call that its client takes in.
    pub(crate) amplification: f32,
    /// Packets and retransmissions of the window that runs.
    pub(crate) packets: (u32, u32),
    /// Announcements of a full receiver in the window that runs.
    pub(crate) zero_windows: u32,
    /// Usual share of retransmissions.
    pub(crate) loss_share: f32,
    /// Windows with packets.
    pub(crate) loss_windows: u32,
    /// Evidence of lost packets.
    pub(crate) loss: Evidence,
    /// Evidence of retries.
    pub(crate) storm: Evidence,
    /// Evidence of more traffic, in bytes, than is usual.
    pub(crate) surge: Evidence,
    /// Usual logarithm of bytes a window.
    pub(crate) usual_bytes: f32,
    /// Counts by minute, for spikes and drops.
    pub(crate) rate: Option<Box<RateModel>>,
    /// Calls of the minute that runs.
    pub(crate) minute: u32,
    /// What the security statistics remember.
    pub(crate) habits: EdgeHabits,
    /// The reasons of failed handshakes, and the server's certificate.
    pub(crate) tls: Tls,
}

/// What handshakes on an edge showed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tls {
    /// End of validity of the server's certificate.
    pub(crate) expires: Option<Timestamp>,
    /// The latest handshake that failed because of a certificate.
    pub(crate) refused_certificate: Option<Timestamp>,
    /// The handshake that showed it.
    pub(crate) example: Option<CallId>,
    /// The negotiated version.
    pub(crate) version: Name,
}

/// An operation on a target, on one edge.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Endpoint {
    /// Where.
    pub(crate) edge: u32,
    /// In which protocol.
    pub(crate) protocol: Name,
    /// What is done.
    pub(crate) operation: Name,
    /// To what.
    pub(crate) endpoint: Name,
    /// Its calls.
    pub(crate) series: Series,
    /// Calls with a duration so far.
    pub(crate) timed: u32,
    /// Usual logarithm of the duration in seconds.
    pub(crate) usual: f32,
    /// Usual square of the distance from that.
    pub(crate) variance: f32,
    /// Durations over the last hours.
    pub(crate) sketch: Sketch,
    /// Durations of the window that runs, in seconds: the first few.
    pub(crate) samples: [f32; SAMPLES],
    pub(crate) n_samples: u8,
    /// Its latest call.
    pub(crate) heard: Timestamp,
}

/// Something that was never seen before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Novelty {
    /// What kind of thing.
    pub(crate) kind: Novel,
    /// On which edge.
    pub(crate) edge: u32,
    /// On which endpoint.
    pub(crate) endpoint: Option<u32>,
    /// The first call of it.
    pub(crate) call: CallId,
    /// When.
    pub(crate) at: Timestamp,
}

/// Kinds of new things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Novel {
    /// A pair of workloads.
    Edge,
    /// An endpoint of a known pair.
    Endpoint,
    /// A shape of a known endpoint.
    Shape,
}

impl Edge {
    /// An edge between nobody: what stands in for one that is being judged.
    pub(crate) fn empty() -> Self {
        Self {
            client: 0,
            server: 0,
            protocol: Name::default(),
            series: Series::default(),
            heard: Timestamp::default(),
            heard_by: Name::default(),
            n_endpoints: 0,
            silent: 0,
            longest_silence: 0.0,
            dispersion: 1.0,
            amplification: 0.0,
            packets: (0, 0),
            zero_windows: 0,
            loss_share: 0.0,
            loss_windows: 0,
            loss: Evidence::default(),
            storm: Evidence::default(),
            surge: Evidence::default(),
            usual_bytes: 0.0,
            rate: None,
            minute: 0,
            habits: EdgeHabits::default(),
            tls: Tls::default(),
        }
    }

    pub(crate) fn key(names: &Names, client: u32, server: u32) -> u64 {
        names.key(&[2, u64::from(client), u64::from(server)])
    }
}

impl Service {
    pub(crate) fn key(names: &Names, name: Name) -> u64 {
        names.key(&[1, u64::from(name.0)])
    }
}

impl Endpoint {
    /// An endpoint whose first call comes at `at`: protocol, operation and endpoint are its parts.
    pub(crate) fn begin(edge: u32, parts: [Name; 3], at: Timestamp) -> Self {
        let [protocol, operation, endpoint] = parts;
        Self {
            edge,
            protocol,
            operation,
            endpoint,
            series: Series::begin(at),
            timed: 0,
            usual: 0.0,
            variance: 0.0,
            sketch: Sketch::default(),
            samples: [0.0; SAMPLES],
            n_samples: 0,
            heard: at,
        }
    }

    pub(crate) fn key(names: &Names, edge: u32, parts: [Name; 3]) -> u64 {
        let [protocol, operation, endpoint] = parts.map(|name| u64::from(name.0));
        names.key(&[u64::from(edge) << 2 | 3, protocol << 32 | operation, endpoint])
    }

    pub(crate) fn parts(&self) -> [Name; 3] {
        [self.protocol, self.operation, self.endpoint]
    }

    /// Takes the duration of a call; returns its logarithm over the usual, and the variance of that, once the usual
    /// is known.
    pub(crate) fn take_time(&mut self, call: &Observation<'_>) -> Option<(f32, f32)> {
        let seconds = call.took?.as_secs_f32().max(1e-6);
        if usize::from(self.n_samples) < SAMPLES {
            self.samples[usize::from(self.n_samples)] = seconds;
            self.n_samples += 1;
        }
        let logarithm = seconds.ln();
        if self.timed < LEAST_TIMED {
            self.timed += 1;
            let step = 1.0 / self.timed as f32;
            let distance = logarithm - self.usual;
            self.usual += step * distance;
            self.variance += step * (distance * distance - self.variance);
            return None;
        }
        Some((logarithm - self.usual, self.variance.max(LEAST_VARIANCE)))
    }

    /// Learns from the samples of the window: each moves the usual by a bounded step.
    pub(crate) fn close(&mut self, learn: bool) {
        let samples = self.samples;
        let n_samples = std::mem::take(&mut self.n_samples);
        if !learn || self.timed < LEAST_TIMED {
            return;
        }
        let doubt = self.series.latency.sum() > 4.0 || self.series.errors.sum() > 4.0;
        for &seconds in &samples[..usize::from(n_samples)] {
            self.timed = self.timed.saturating_add(1);
            let mut step = 1.0 / (self.timed as f32).min(LATENCY_MEMORY);
            if doubt {
                step /= 10.0;
            } else {
                self.sketch.add(f64::from(seconds));
            }
            // Wide enough for endpoints that are slow now and then, or their usual spread would be learnt too small.
            let bound = 5.0 * self.variance.max(LEAST_VARIANCE).sqrt();
            let distance = (seconds.ln() - self.usual).clamp(-bound, bound);
            self.usual += step * distance.clamp(-0.6 * bound, 0.6 * bound);
            self.variance += step * (distance * distance - self.variance);
        }
    }
}
