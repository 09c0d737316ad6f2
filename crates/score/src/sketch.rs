//! DDSketch (Masson, Rim, Lee, VLDB 2019): quantiles of durations with a bounded relative error, in one fixed array.
//! Buckets grow by [`GROWTH`], so a quantile is right within 5%. Counts are halved when they reach a bound, so the
//! sketch follows its traffic and never overflows; what lies outside of the range counts in the outermost buckets.

use serde::{Deserialize, Serialize};

/// A bucket's upper end over its lower: (1 + 0.05) / (1 - 0.05).
const GROWTH: f64 = 1.05 / 0.95;
/// Lower end of the first bucket: ten microseconds, in seconds.
const LEAST: f64 = 1e-5;
/// Up to 300 seconds.
const BUCKETS: usize = 172;
/// Samples after which all counts are halved.
const MOST: u32 = 4096;

/// Durations in seconds, counted by their logarithm.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sketch {
    counts: Vec<u16>,
    total: u32,
}

impl Default for Sketch {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }
}

impl Sketch {
    /// Adds a duration in seconds.
    pub fn add(&mut self, seconds: f64) {
        if let Some(count) = self.counts.get_mut(bucket(seconds)) {
            *count += 1;
            self.total += 1;
        }
        if self.total >= MOST {
            self.total = 0;
            for count in &mut self.counts {
                *count /= 2;
                self.total += u32::from(*count);
            }
        }
    }

    /// Samples that it stands for.
    pub fn len(&self) -> u32 {
        self.total
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.total == 0
    }

    /// The duration in seconds below which `share` of the samples lie; `None` of an empty sketch.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        if self.total == 0 {
            return None;
        }
        let rank = share.clamp(0.0, 1.0) * f64::from(self.total - 1);
        let mut below = 0.0;
        for (index, &count) in self.counts.iter().enumerate() {
            below += f64::from(count);
            if below > rank {
                return Some(middle(index));
            }
        }
        Some(middle(BUCKETS - 1))
    }
}

fn bucket(seconds: f64) -> usize {
    if seconds.is_nan() || seconds <= LEAST {
        return 0;
    }
    (((seconds / LEAST).ln() / GROWTH.ln()) as usize).min(BUCKETS - 1)
}

/// The value whose relative distance to both ends of a bucket is the same.
fn middle(index: usize) -> f64 {
    LEAST * GROWTH.powi(i32::try_from(index).unwrap_or(i32::MAX)) * 2.0 * GROWTH / (1.0 + GROWTH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_right_within_five_percent() {
        let mut sketch = Sketch::default();
        for number in 1..=2000 {
            sketch.add(f64::from(number) / 1000.0);
        }
        for share in [0.01, 0.5, 0.95, 0.99] {
            let (found, truth) = (sketch.quantile(share).unwrap(), share * 2.0);
            assert!((found / truth - 1.0).abs() < 0.055, "{share}: {found} for {truth}");
        }
    }

    #[test]
    fn counts_stay_bounded_and_extremes_are_kept_in_the_outermost_buckets() {
        let mut sketch = Sketch::default();
        assert_eq!(sketch.quantile(0.5), None);
        for _ in 0..100_000 {
            sketch.add(0.02);
        }
        assert!(sketch.len() < MOST);
        for odd in [f64::NAN, -1.0, 0.0, 1e9, f64::INFINITY] {
            sketch.add(odd);
        }
        assert!(sketch.quantile(1.0).unwrap() > 250.0);
        assert!((sketch.quantile(0.5).unwrap() / 0.02 - 1.0).abs() < 0.055);
    }
}
