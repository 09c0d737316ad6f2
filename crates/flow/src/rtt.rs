//! Round-trip times of one flow, kept small: a few samples, thinned out evenly once there are many.

use std::time::Duration;

use wirewise_model::Side;

/// Samples kept of one side. When they are full every second is dropped, and from then on every second,
/// fourth, eighth ... is taken: an even picture of the flow's whole life.
const KEPT: usize = 32;

/// No sample: as long a round trip nobody waits for.
const NONE: u32 = u32::MAX;

/// Microseconds between a segment and its acknowledgement, of both sides. A flow that asks once and falls silent has one
/// sample a side: these stand apart from those of a busy one.
#[derive(Debug)]
pub(crate) struct RoundTrips {
    first: [u32; 2],
    all: Option<Box<[Samples; 2]>>,
}

impl Default for RoundTrips {
    fn default() -> Self {
        Self { first: [NONE; 2], all: None }
    }
}

impl RoundTrips {
    /// `sender` was acknowledged.
    pub(crate) fn add(&mut self, sender: Side, micros: u32) {
        let index = sender.index();
        let first = &mut self.first[index];
        if *first == NONE {
            *first = micros.min(NONE - 1);
            return;
        }
        let first = *first;
        let samples = &mut self.all.get_or_insert_default()[index];
        if samples.micros.is_empty() {
            samples.add(first);
        }
        samples.add(micros);
    }

    /// Median and 99th percentile, both by nearest rank, of the side whose median is longer.
    pub(crate) fn percentiles(&self) -> Option<(Duration, Duration)> {
        let side = |index: usize| {
            let many = self.all.as_ref().and_then(|all| all[index].percentiles());
            let one = Duration::from_micros(u64::from(self.first[index]));
            many.or((self.first[index] != NONE).then_some((one, one)))
        };
        side(0).max(side(1))
    }
}

/// Samples of one side.
#[derive(Clone, Debug, Default)]
struct Samples {
    micros: Vec<u32>,
    stride_shift: u8,
    skipped: u32,
}

impl Samples {
    fn add(&mut self, micros: u32) {
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

    fn percentiles(&self) -> Option<(Duration, Duration)> {
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
        let mut trips = RoundTrips::default();
        assert_eq!(trips.percentiles(), None);
        trips.add(Side::A, 70);
        let micros = Duration::from_micros;
        assert_eq!(trips.percentiles(), Some((micros(70), micros(70))));
        assert!(trips.all.is_none(), "one sample takes no memory of its own");
        for sample in 0..10_000 {
            trips.add(Side::A, sample);
        }
        let (median, p99) = trips.percentiles().expect("there are samples");
        assert!((4_000..6_000).contains(&median.as_micros()) && p99.as_micros() > 9_000);
        assert!(trips.all.is_some_and(|all| all[0].micros.len() <= KEPT));
    }

    #[test]
    fn the_longer_way_is_told() {
        let mut trips = RoundTrips::default();
        trips.add(Side::A, 70);
        trips.add(Side::B, 900);
        let micros = Duration::from_micros;
        assert_eq!(trips.percentiles(), Some((micros(900), micros(900))));
        trips.add(Side::A, 5_000);
        trips.add(Side::A, 6_000);
        assert_eq!(trips.percentiles(), Some((micros(5_000), micros(6_000))));
    }
}
