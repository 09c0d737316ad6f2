//! What happened to a group of calls in the window that runs, what is usual for it, and the evidence that something
//! is wrong. Endpoints, edges, workloads and instances all keep one: only the grouping differs.
//!
//! Latency is kept as the logarithm of a duration less the usual of its own endpoint, so that calls of different
//! endpoints can be added up without the mix of them mattering. What is usual moves by a bounded step a window, and
//! ten times slower while there is evidence: forged traffic cannot drag it quickly.

use serde::{Deserialize, Serialize};
use wirewise_model::{CallId, Timestamp};

use crate::evidence::Evidence;

/// Windows with calls that make a baseline.
const LEAST_WINDOWS: u32 = 60;
/// Calls that make a baseline.
const LEAST_CALLS: u64 = 120;
/// Seconds since the first call that make a baseline.
const LEAST_SECONDS: u64 = 1200;
/// Windows over which a usual value is averaged once it is known: ten minutes of five seconds.
const MEMORY: f64 = 120.0;
/// How many times slower a baseline moves while there is evidence against it.
const SUSPICION: f64 = 10.0;
/// Evidence from which a baseline moves slowly.
const DOUBT: f64 = 4.0;
/// Standard deviation of window means that is assumed before it is known: more than most have, for a young baseline
/// knows little; and its floor.
const UNKNOWN_DRIFT: f32 = 0.3;
const LEAST_DRIFT: f32 = 0.1;

/// Counts of one window.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    /// Calls.
    pub(crate) n: u32,
    /// Failed ones.
    pub(crate) failed: u32,
    /// Failed ones that nobody answered, or whose connection was refused.
    pub(crate) unanswered: u32,
    /// Calls with a latency and a usual one to compare with.
    pub(crate) timed: u32,
    /// Sum of the logarithms of latency over the usual one.
    pub(crate) residual: f32,
    /// Sum of the variances that those logarithms usually have.
    pub(crate) variance: f32,
    /// Bytes that clients sent.
    pub(crate) request_bytes: f32,
    /// Bytes that servers sent.
    pub(crate) response_bytes: f32,
}

/// Calls to show.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Exemplars {
    /// The latest that failed.
    pub(crate) failed: [Option<CallId>; 2],
    /// The latest that were slow.
    pub(crate) slow: [Option<CallId>; 2],
    /// The latest that was as usual.
    pub(crate) usual: Option<CallId>,
}

/// How a call fell out, for a tally.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Sample {
    /// The call.
    pub(crate) id: CallId,
    /// Whether it failed.
    pub(crate) failed: bool,
    /// Whether nobody answered.
    pub(crate) unanswered: bool,
    /// Logarithm of its latency over the usual, and the variance that this has.
    pub(crate) residual: Option<(f32, f32)>,
    /// Bytes of the request and of the response.
    pub(crate) bytes: (u64, u64),
}

/// Counts, baseline and evidence of a group of calls.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Series {
    /// The window that runs.
    pub(crate) tally: Tally,
    /// The last closed window that had calls.
    pub(crate) last: Tally,
    /// When the first call came.
    pub(crate) born: Timestamp,
    /// Windows with calls.
    pub(crate) windows: u32,
    /// Calls.
    pub(crate) calls: u64,
    /// Usual share of failures.
    pub(crate) share: f32,
    /// Usual distance of a window's share from that, beyond chance.
    pub(crate) share_drift: f32,
    /// Usual mean residual: near 0 for endpoints.
    pub(crate) center: f32,
    /// Usual distance of a window's mean residual from that, beyond chance.
    pub(crate) drift: f32,
    /// Calls of a window, on average over windows with and without.
    pub(crate) rate: f32,
    /// Evidence of failures.
    pub(crate) errors: Evidence,
    /// Evidence of slowness.
    pub(crate) latency: Evidence,
    /// Calls to show.
    pub(crate) exemplars: Exemplars,
}

impl Series {
    /// A series whose first call comes at `at`.
    pub(crate) fn begin(at: Timestamp) -> Self {
        Self { born: at, drift: UNKNOWN_DRIFT, ..Self::default() }
    }

    /// Takes a call.
    pub(crate) fn add(&mut self, sample: &Sample) {
        let (tally, exemplars) = (&mut self.tally, &mut self.exemplars);
        tally.n += 1;
        tally.request_bytes += sample.bytes.0 as f32;
        tally.response_bytes += sample.bytes.1 as f32;
        if sample.failed {
            tally.failed += 1;
            tally.unanswered += u32::from(sample.unanswered);
            exemplars.failed = [Some(sample.id), exemplars.failed[0]];
        }
        if let Some((residual, variance)) = sample.residual {
            tally.timed += 1;
            tally.residual += residual;
            tally.variance += variance;
            if residual > 2.0 * variance.sqrt() {
                exemplars.slow = [Some(sample.id), exemplars.slow[0]];
            } else if !sample.failed {
                exemplars.usual = Some(sample.id);
            }
        }
    }

    /// Whether there is enough history to say what is usual.
    pub(crate) fn is_known(&self, now: Timestamp) -> bool {
        self.windows >= LEAST_WINDOWS
            && self.calls >= LEAST_CALLS
            && now.since(self.born).as_secs() >= LEAST_SECONDS
    }

    /// How far the window's mean residual departs from the usual, and the variance that this has by chance and drift.
    pub(crate) fn departure(&self) -> Option<(f64, f64)> {
        let tally = &self.tally;
        if tally.timed == 0 {
            return None;
        }
        let timed = f64::from(tally.timed);
        let departure = f64::from(tally.residual) / timed - f64::from(self.center);
        let chance = f64::from(tally.variance) / timed / timed;
        Some((departure, chance + f64::from(self.drift.max(LEAST_DRIFT)).powi(2)))
    }

    /// Learns from the window and begins the next. Call it after the detectors have judged; `learn` is false in a
    /// window that says nothing (a leap of the clock).
    pub(crate) fn close(&mut self, learn: bool) {
        let tally = std::mem::take(&mut self.tally);
        if !learn {
            return;
        }
        let step = |windows: u32| 1.0 / (f64::from(windows) + 1.0).min(MEMORY);
        let mut rate_step = step(self.windows);
        if self.errors.sum().max(self.latency.sum()) > DOUBT {
            rate_step /= SUSPICION;
        }
        let rate = f64::from(self.rate);
        // A window may not count as more than thrice the usual.
        let heard = if self.windows < LEAST_WINDOWS {
            f64::from(tally.n)
        } else {
            f64::from(tally.n).min(3.0 * rate + 3.0)
        };
        self.rate = (rate + rate_step * (heard - rate)) as f32;
        if tally.n == 0 {
            return;
        }
        self.learn_share(&tally, step(self.windows));
        self.learn_center(&tally, step(self.windows));
        self.windows = self.windows.saturating_add(1);
        self.calls += u64::from(tally.n);
        self.last = tally;
    }

    fn learn_share(&mut self, tally: &Tally, mut step: f64) {
        if self.errors.sum() > DOUBT {
            step /= SUSPICION;
        }
        let n = f64::from(tally.n);
        let (usual, found) = (f64::from(self.share), f64::from(tally.failed) / n);
        // One failure among few calls is a large share and no news: the bound leaves room for it, or the usual would be
        // learnt too low.
        let bound = if self.windows < LEAST_WINDOWS {
            1.0
        } else {
            0.02 + 3.0 * f64::from(self.share_drift) + 1.5 / n
        };
        let step = step * (n / 10.0).min(1.0);
        let departure = (found - usual).clamp(-bound, bound);
        self.share = (usual + step * departure).clamp(0.0, 1.0) as f32;
        let chance = (usual.max(0.005) * (1.0 - usual.min(0.995)) / n).sqrt();
        let drift = f64::from(self.share_drift);
        let excess = (departure.abs() - 1.5 * chance).max(0.0);
        self.share_drift = (drift + step * (excess - drift)).clamp(0.0, 0.5) as f32;
    }

    fn learn_center(&mut self, tally: &Tally, mut step: f64) {
        let timed = f64::from(tally.timed);
        if timed == 0.0 {
            return;
        }
        if self.latency.sum() > DOUBT {
            step /= SUSPICION;
        }
        let (center, drift) = (f64::from(self.center), f64::from(self.drift));
        let departure = (f64::from(tally.residual) / timed - center).clamp(-1.0, 1.0);
        let chance = f64::from(tally.variance) / timed / timed;
        self.center =
            (center + step * departure.clamp(-3.0 * drift - 0.1, 3.0 * drift + 0.1)).clamp(-3.0, 3.0) as f32;
        let beyond = (departure.powi(2) - chance).max(0.0).min((4.0 * drift).powi(2) + 0.01).sqrt();
        // Slower than the mean itself, so that a young baseline stays cautious.
        let step = step.min(0.02);
        self.drift = (drift + step * (beyond - drift)).clamp(f64::from(LEAST_DRIFT), 0.6) as f32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(failed: bool, residual: f32) -> Sample {
        Sample {
            id: CallId::new(Timestamp::MIN, 1),
            failed,
            unanswered: false,
            residual: Some((residual, 0.09)),
            bytes: (100, 1000),
        }
    }

    fn settled() -> Series {
        let mut series = Series::begin(Timestamp::from_parts(0, 0));
        for window in 0..500 {
            for number in 0..20 {
                series.add(&sample(
                    (window * 20 + number) % 100 == 0,
                    if number % 2 == 0 { 0.3 } else { -0.3 },
                ));
            }
            series.close(true);
        }
        series
    }

    #[test]
    fn what_is_usual_is_learnt_and_needs_history() {
        let series = settled();
        assert!((series.share - 0.01).abs() < 0.004, "{}", series.share);
        assert!(series.center.abs() < 0.02 && (series.rate - 20.0).abs() < 0.5, "{series:?}");
        assert!(series.is_known(Timestamp::from_parts(2500, 0)));
        assert!(!series.is_known(Timestamp::from_parts(599, 0)));
        assert!(!Series::begin(Timestamp::from_parts(0, 0)).is_known(Timestamp::from_parts(9999, 0)));
    }

    #[test]
    fn forged_windows_drag_a_baseline_only_slowly() {
        let mut series = settled();
        // A minute of traffic that only fails, is a hundred times slower, and comes a thousand times as often.
        for _ in 0..12 {
            for _ in 0..20_000 {
                series.add(&sample(true, 4.6));
            }
            series.close(true);
        }
        assert!(series.share < 0.05, "{}", series.share);
        assert!(series.center < 0.15, "{}", series.center);
        assert!(series.rate < 35.0, "{}", series.rate);
    }
}
