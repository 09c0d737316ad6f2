//! Evidence that grows: a sequential test over windows (Page's CUSUM on log-likelihood ratios). Each window says how
//! much likelier its numbers are under "something is wrong" than under the baseline; what speaks against is taken
//! off again. A window's say is clipped, so that no single one, however wild, is enough: that is persistence.

use serde::{Deserialize, Serialize};
use wirewise_model::Timestamp;

/// A sum of evidence, in nats.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Evidence {
    sum: f32,
    windows: u16,
    since: Timestamp,
    at: Timestamp,
}

/// Seconds in which evidence fades to a third: what happened once an hour shall not add up over a day.
const FADES_SECONDS: f64 = 120.0;
/// Evidence that is none.
const FORGOTTEN: f32 = 0.05;

impl Evidence {
    /// Takes a window's log-likelihood ratio, clipped to `clip` both ways. `begun` is the window's beginning. The sum
    /// never exceeds `most`, so that recovery shows soon.
    pub(crate) fn step(&mut self, ratio: f64, clip: f64, most: f64, begun: Timestamp) {
        let ratio = if ratio.is_nan() { 0.0 } else { ratio.clamp(-clip, clip) };
        let faded = (-begun.since(self.at).as_secs_f64() / FADES_SECONDS).exp();
        self.at = begun;
        self.sum = if self.sum > 0.0 { (f64::from(self.sum) * faded) as f32 } else { 0.0 };
        if self.sum < FORGOTTEN {
            self.sum = 0.0;
            self.windows = 0;
            self.since = begun;
        }
        self.sum = (f64::from(self.sum) + ratio).clamp(0.0, most) as f32;
        if ratio > 0.0 {
            self.windows = self.windows.saturating_add(1);
        }
    }

    /// How much there is.
    pub(crate) fn sum(&self) -> f64 {
        f64::from(self.sum)
    }

    /// Windows that spoke for it since it began.
    pub(crate) fn windows(&self) -> u16 {
        self.windows
    }

    /// When it began to grow.
    pub(crate) fn since(&self) -> Timestamp {
        self.since
    }
}

/// Log-likelihood ratio of `hits` among `n`, under a share of `wrong` against one of `usual`.
pub(crate) fn binomial(n: u32, hits: u32, usual: f64, wrong: f64) -> f64 {
    let (n, hits) = (f64::from(n), f64::from(hits));
    hits * (wrong / usual).ln() + (n - hits) * ((1.0 - wrong) / (1.0 - usual)).ln()
}

/// Log-likelihood ratio of a departure `x` from the expected mean whose variance is `variance`, under a shift of
/// `shift` against none.
pub(crate) fn normal(x: f64, variance: f64, shift: f64) -> f64 {
    shift / variance * (x - shift / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_window_is_not_enough_and_recovery_is_quick() {
        let mut evidence = Evidence::default();
        let at = |seconds| Timestamp::from_parts(seconds, 0);
        evidence.step(1000.0, 8.0, 30.0, at(5));
        assert_eq!((evidence.sum(), evidence.windows(), evidence.since()), (8.0, 1, at(5)));
        for window in 2..20 {
            evidence.step(1000.0, 8.0, 30.0, at(5 * window));
        }
        assert_eq!((evidence.sum(), evidence.since()), (30.0, at(5)));
        for window in 20..24 {
            evidence.step(-1000.0, 8.0, 30.0, at(5 * window));
        }
        assert_eq!(evidence.sum(), 0.0);
        evidence.step(f64::NAN, 8.0, 30.0, at(200));
        assert_eq!(evidence.sum(), 0.0);
    }

    #[test]
    fn ratios_speak_for_what_is_likelier() {
        assert!(binomial(20, 0, 0.01, 0.1) < 0.0 && binomial(20, 5, 0.01, 0.1) > 0.0);
        assert!(normal(0.0, 0.04, 0.5) < 0.0 && normal(0.5, 0.04, 0.5) > 0.0);
    }
}
