//! Round-trip times of one flow, kept small: a few samples, thinned out evenly once there are many.

use std::time::Duration;

/// Samples kept of one side. When they are full every second is dropped, and from then on every second,
/// fourth, eighth ... is taken: an even picture of the flow's whole life.
const KEPT: usize = 32;

/// Microseconds between a segment and its acknowledgement, of one side.
#[derive(Clone, Debug, Default)]
pub(crate) struct Samples {
    micros: Vec<u32>,
    stride_shift: u8,
    skipped: u32,
}

impl Samples {
    pub(crate) fn add(&mut self, micros: u32) {
        self.skipped += 1;
        if self.skipped < 1 << self.stride_shift {
            return;
        }
        self.skipped = 0;
        if self.micros.len() >= KEPT {
            let mut index = 0;
            self.micros.retain(|_| {
                index += 1;
                index % 2 == 0
            });
            self.stride_shift = (self.stride_shift + 1).min(30);
        }
        self.micros.push(micros);
    }

    /// Median and 99th percentile, both by nearest rank.
    pub(crate) fn percentiles(&self) -> Option<(Duration, Duration)> {
        let mut sorted = self.micros.clone();
        sorted.sort_unstable();
        let rank = |percent: usize| {
            let index = (sorted.len() * percent).div_ceil(100).checked_sub(1)?;
            sorted.get(index).map(|&micros| Duration::from_micros(u64::from(micros)))
        };
        Some((rank(50)?, rank(99)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_samples_keep_an_even_picture() {
        let mut samples = Samples::default();
        assert_eq!(samples.percentiles(), None);
        samples.add(70);
        let micros = Duration::from_micros;
        assert_eq!(samples.percentiles(), Some((micros(70), micros(70))));
        for sample in 0..10_000 {
            samples.add(sample);
        }
        let (median, p99) = samples.percentiles().expect("there are samples");
        assert!((4_000..6_000).contains(&median.as_micros()) && p99.as_micros() > 9_000);
        assert!(samples.micros.len() <= KEPT);
    }
}
