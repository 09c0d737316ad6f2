//! How surprising is the next value of a series? The model behind the rate detector: a few kilobytes, one pass, no
//! training. Four residuals, each over the spread of all history: distance from the median, jump since the last
//! value, a short mean against a long one, and how far the value lies below what this hour of the day usually brings.
//! Of each residual the largest hundredth of its own history makes a tail, fitted by its mean excess; a value's
//! surprise is the logarithm of how far out in the tails it lies, summed. A surprise is told once: after it, only a
//! greater one is, until the memory of it has faded.
//!
//! What was tried on the Numenta Anomaly Benchmark and did not help: tails that begin at the largest twentieth, the
//! greatest surprise instead of the sum, roughness and quietness as residuals of their own.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use wirewise_model::Timestamp;

/// Values over which the short and the long mean run.
const SHORT: f64 = 4.0;
const LONG: f64 = 200.0;
/// Spreads by which one value may move a mean at most: forged values drag slowly.
const MOST_STEP: f64 = 3.0;
/// Values kept of all history; when full, every second of the sorted is dropped and only every second is taken on.
const KEPT: usize = 512;
/// Values before a spread is known.
const LEAST_KEPT: usize = 20;
/// Bins of a day.
const BINS: usize = 24;
/// Least weight of a new value in its bin.
const LEAST_GAIN: f64 = 0.02;
/// Values before a bin is known.
const LEAST_BIN: f32 = 2.0;
/// Share of a residual's history that is its tail, and the least number of it.
const TAIL: f64 = 0.01;
const LEAST_TAIL: f64 = 3.0;
/// Shape of the tail (a generalised Pareto's), and the least scale of it over its beginning.
const SHAPE: f64 = 0.1;
const LEAST_SCALE: f64 = 0.1;
/// Values over which a told surprise fades, and by how much a new one must exceed it.
const FADES: f64 = 100.0;
const EXCEEDS: f64 = 1.3;
/// Values before anything is told.
const LEAST_VALUES: u32 = 50;
/// Buckets of a residual's histogram: from a ten-thousandth of the spread upwards.
const BUCKETS: usize = 200;
const LEAST: f64 = 1e-4;
const GROWTH: f64 = 1.1;

/// A residual's history.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Tail {
    counts: Vec<u16>,
    total: u32,
}

impl Tail {
    fn new() -> Self {
        Self { counts: vec![0; BUCKETS], total: 0 }
    }

    fn middle(bucket: usize) -> f64 {
        LEAST * GROWTH.powi(bucket as i32) * 0.95
    }

    /// How far out `x` lies: 0 within the usual, else the logarithm of how much rarer it is.
    fn surprise(&self, x: f64) -> f64 {
        if self.total < LEAST_KEPT as u32 {
            return 0.0;
        }
        let wanted = (f64::from(self.total) * TAIL).max(LEAST_TAIL);
        let (mut n, mut sum, mut begin) = (0.0, 0.0, 0);
        for (bucket, &count) in self.counts.iter().enumerate().rev() {
            n += f64::from(count);
            sum += f64::from(count) * Self::middle(bucket);
            begin = bucket;
            if n >= wanted {
                break;
            }
        }
        let begin = Self::middle(begin);
        let scale = (sum / n - begin).max(LEAST_SCALE * begin);
        if x <= begin { 0.0 } else { (1.0 + SHAPE * (x - begin) / scale).ln() / SHAPE }
    }

    fn add(&mut self, x: f64) {
        let bucket = if x <= LEAST { 0 } else { ((x / LEAST).ln() / GROWTH.ln()).ceil() as usize };
        self.counts[bucket.min(BUCKETS - 1)] += 1;
        self.total += 1;
        if self.total >= u32::from(u16::MAX) {
            self.total = 0;
            for count in &mut self.counts {
                *count /= 2;
                self.total += u32::from(*count);
            }
        }
    }
}

/// The model of one series.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RateModel {
    /// A sorted sample of all history.
    kept: Vec<f32>,
    stride: u32,
    n: u32,
    short: f64,
    long: f64,
    previous: f64,
    day: [(f32, f32); BINS],
    tails: [Tail; 4],
    held: f64,
}

/// What a value was, against what is usual.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Surprise {
    /// How surprising, in nats of rarity; 0 where it is usual, or was told already.
    pub score: f64,
    /// The median of the history.
    pub median: f64,
    /// What this hour usually brings, where that is known; else the median.
    pub usual: f64,
}

impl Default for RateModel {
    fn default() -> Self {
        Self {
            kept: Vec::new(),
            stride: 1,
            n: 0,
            short: 0.0,
            long: 0.0,
            previous: 0.0,
            day: [(0.0, 0.0); BINS],
            tails: std::array::from_fn(|_| Tail::new()),
            held: 0.0,
        }
    }
}

impl RateModel {
    /// Takes the next value, and says how surprising it is.
    pub fn push(&mut self, at: Timestamp, value: f64) -> Surprise {
        if self.n == 0 {
            (self.short, self.long, self.previous) = (value, value, value);
        }
        let kept = &self.kept;
        let median = kept.get(kept.len() / 2).map_or(value, |&median| f64::from(median));
        let spread = (kept.len() > LEAST_KEPT).then(|| {
            let range = f64::from(kept[kept.len() * 9 / 10]) - f64::from(kept[kept.len() / 10]);
            range.max(1e-3 * median.abs()).max(1e-9)
        });
        let bin =
            (at.nanos().div_euclid(1_000_000_000).rem_euclid(86_400) as usize * BINS / 86_400).min(BINS - 1);
        let (usual, bin_n) = self.day[bin];
        let usual = f64::from(usual);
        let mut surprise = 0.0;
        if let Some(spread) = spread {
            let below = if bin_n > LEAST_BIN { (usual - value).max(0.0) } else { 0.0 };
            let residuals = [
                (value - median).abs(),
                (value - self.previous).abs(),
                (self.short - self.long).abs(),
                below,
            ];
            for (tail, residual) in self.tails.iter_mut().zip(residuals) {
                if self.n >= LEAST_VALUES {
                    surprise += tail.surprise(residual / spread);
                }
                tail.add(residual / spread);
            }
        }
        let score = if surprise > EXCEEDS * self.held { surprise } else { 0.0 };
        self.held = (self.held * (1.0 - 1.0 / FADES)).max(surprise);
        self.learn(value, bin, spread.map_or(f64::INFINITY, |spread| MOST_STEP * spread));
        Surprise { score, median, usual: if bin_n > LEAST_BIN { usual } else { median } }
    }

    fn learn(&mut self, value: f64, bin: usize, most: f64) {
        self.short += (value - self.short).clamp(-most, most) / SHORT;
        self.long += (value - self.long).clamp(-most, most) / LONG;
        self.previous = value;
        let (usual, n) = self.day[bin];
        let gain = (1.0 / (f64::from(n) + 1.0)).max(LEAST_GAIN);
        let moved = f64::from(usual) + (value - f64::from(usual)).clamp(-most, most) * gain;
        self.day[bin] = (moved as f32, n + 1.0);
        if self.n.is_multiple_of(self.stride) {
            let value = value as f32;
            let place = self.kept.partition_point(|&other| other < value);
            self.kept.insert(place, value);
            if self.kept.len() >= KEPT {
                self.kept = self.kept.iter().copied().step_by(2).collect();
                self.stride = self.stride.saturating_mul(2);
            }
        }
        self.n = self.n.saturating_add(1);
    }
}

/// The rate that a windowed Gaussian would call improbable: the benchmark's reference, kept to check the scorer by.
/// It holds up to 6400 values and slides by 100, as the published one does.
#[derive(Clone, Debug, Default)]
pub struct WindowedGaussian {
    window: VecDeque<f64>,
    waiting: Vec<f64>,
    mean: f64,
    deviation: f64,
}

impl WindowedGaussian {
    const WINDOW: usize = 6400;
    const STEP: usize = 100;

    /// Takes the next value; returns how many standard deviations it lies from the mean, `None` of the first.
    pub fn push(&mut self, value: f64) -> Option<f64> {
        let z = (!self.window.is_empty()).then(|| (value - self.mean).abs() / self.deviation);
        if self.window.len() < Self::WINDOW {
            self.window.push_back(value);
            self.settle();
        } else {
            self.waiting.push(value);
            if self.waiting.len() == Self::STEP {
                self.window.drain(..Self::STEP);
                self.window.extend(self.waiting.drain(..));
                self.settle();
            }
        }
        z
    }

    fn settle(&mut self) {
        let n = self.window.len() as f64;
        self.mean = self.window.iter().sum::<f64>() / n;
        self.deviation =
            (self.window.iter().map(|value| (value - self.mean).powi(2)).sum::<f64>() / n).sqrt();
        if self.deviation == 0.0 {
            self.deviation = 1e-6;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn minute(number: i64) -> Timestamp {
        Timestamp::from_parts(number * 60, 0)
    }

    /// A day's rhythm with a little noise.
    fn rhythm(number: i64) -> f64 {
        let phase = number as f64 / 1440.0 * std::f64::consts::TAU;
        100.0 + 50.0 * phase.sin() + (number * 7919 % 13) as f64
    }

    #[test]
    fn a_rhythm_is_usual_and_a_spike_in_it_is_told_once() {
        let mut model = RateModel::default();
        let quiet: f64 =
            (0..7200).map(|number| model.push(minute(number), rhythm(number)).score).fold(0.0, f64::max);
        let spike = model.push(minute(7200), 900.0);
        assert!(spike.score > 2.0 * quiet && spike.score > 10.0, "{spike:?} after {quiet}");
        assert_eq!(model.push(minute(7201), 900.0).score, 0.0);
    }

    #[test]
    fn memory_is_bounded() {
        let mut model = RateModel::default();
        for number in 0..100_000 {
            model.push(minute(number), rhythm(number));
        }
        assert!(model.kept.len() < KEPT && model.tails[0].total < u32::from(u16::MAX));
    }
}
