//! Counts over time in a bounded number of buckets, whatever the span: when the span outgrows them the buckets
//! double their width.
//!
//! Buckets are aligned to the epoch and the width is the least that fits first and last, so the same calls give the
//! same counts in whatever order they come, and two timelines add up to that of all their calls.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use wirewise_model::Timestamp;

/// Most buckets of one timeline. Past it the width doubles, and counts of two buckets become one.
pub const MOST_BUCKETS: usize = 64;
/// The narrowest bucket: a minute, in nanoseconds.
const NARROWEST: i64 = 60_000_000_000;

/// How often something happened, by time.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Timeline {
    /// How often the width was doubled.
    doublings: u8,
    /// Number of the first bucket, counted from the epoch in widths.
    first: i64,
    /// None are empty at the ends.
    counts: Vec<u64>,
}

/// A span of time and how often it happened then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its first instant.
    pub from: Timestamp,
    /// How long it is.
    pub width: Duration,
    /// How often.
    pub count: u64,
}

impl Timeline {
    /// One more at `at`.
    pub fn add(&mut self, at: Timestamp) {
        // The common case: a bucket that is there.
        let index = self.number(at).wrapping_sub(self.first);
        if let Some(count) = usize::try_from(index).ok().and_then(|index| self.counts.get_mut(index)) {
            *count = count.saturating_add(1);
            return;
        }
        self.add_many(at, 1);
    }

    /// All that `other` counted as well.
    pub fn merge(&mut self, other: &Self) {
        while self.doublings < other.doublings {
            self.double();
        }
        for (index, count) in other.counts.iter().enumerate().filter(|(_, count)| **count > 0) {
            let number = other.first.saturating_add(i64::try_from(index).unwrap_or(i64::MAX));
            self.add_many(Timestamp::from_nanos(number.saturating_mul(other.width())), *count);
        }
    }

    /// The buckets from the first that counted something to the last, in order of time.
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        let width = self.width();
        self.counts.iter().zip(self.first..).map(move |(count, number)| Bucket {
            from: Timestamp::from_nanos(number.saturating_mul(width)),
            width: Duration::from_nanos(width.unsigned_abs()),
            count: *count,
        })
    }

    fn add_many(&mut self, at: Timestamp, n: u64) {
        loop {
            let number = self.number(at);
            if self.counts.is_empty() {
                self.first = number;
            }
            let last = self.first + self.counts.len() as i64 - 1;
            let (from, to) = (number.min(self.first), number.max(last));
            if to - from >= MOST_BUCKETS as i64 {
                self.double();
                continue;
            }
            let before = (self.first - from) as usize;
            self.counts.splice(0..0, std::iter::repeat_n(0, before));
            self.first = from;
            self.counts.resize((to - from) as usize + 1, 0);
            let count = &mut self.counts[(number - from) as usize];
            *count = count.saturating_add(n);
            return;
        }
    }

    fn number(&self, at: Timestamp) -> i64 {
        at.nanos().div_euclid(self.width())
    }

    /// At 27 doublings four buckets hold all of time, so that no more are ever asked for.
    fn width(&self) -> i64 {
        NARROWEST.saturating_mul(1 << self.doublings.min(27))
    }

    fn double(&mut self) {
        let mut wide: Vec<u64> = Vec::with_capacity(self.counts.len() / 2 + 1);
        let first = self.first.div_euclid(2);
        for (count, number) in self.counts.iter().zip(self.first..) {
            let index = (number.div_euclid(2) - first) as usize;
            match wide.get_mut(index) {
                Some(place) => *place = place.saturating_add(*count),
                None => wide.push(*count),
            }
        }
        (self.first, self.counts) = (first, wide);
        self.doublings += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> Timestamp {
        Timestamp::from_nanos(minute * NARROWEST + 1)
    }

    fn of(minutes: &[i64]) -> Timeline {
        let mut timeline = Timeline::default();
        minutes.iter().for_each(|minute| timeline.add(at(*minute)));
        timeline
    }

    #[test]
    fn buckets_widen_until_all_fit_and_lose_no_count() {
        let timeline = of(&[0, 1, 1, 63]);
        assert_eq!(timeline.buckets().count(), 64);
        let timeline = of(&[0, 1, 1, 64]);
        let buckets: Vec<Bucket> = timeline.buckets().filter(|bucket| bucket.count > 0).collect();
        let width = Duration::from_secs(120);
        assert_eq!(
            buckets,
            [
                Bucket { from: Timestamp::from_nanos(0), width, count: 3 },
                Bucket { from: Timestamp::from_nanos(64 * NARROWEST), width, count: 1 },
            ]
        );
    }

    #[test]
    fn order_and_parts_do_not_matter() {
        let minutes = [500_000, -7, 0, 3, 3, 90, 10_000, 128, 129, 64];
        let whole = of(&minutes);
        let mut backwards = minutes;
        backwards.reverse();
        assert_eq!(of(&backwards), whole);
        for split in 0..minutes.len() {
            let (left, right) = minutes.split_at(split);
            let (left, right) = (of(left), of(right));
            let mut merged = left.clone();
            merged.merge(&right);
            assert_eq!(merged, whole, "split at {split}");
            let mut merged = right;
            merged.merge(&left);
            assert_eq!(merged, whole, "split at {split}, the other way round");
        }
    }

    #[test]
    fn all_of_time_fits() {
        let mut timeline = Timeline::default();
        for at in [Timestamp::MAX, Timestamp::MIN, Timestamp::from_nanos(0)] {
            timeline.add(at);
        }
        assert_eq!(timeline.buckets().map(|bucket| bucket.count).sum::<u64>(), 3);
        assert!(timeline.buckets().count() <= MOST_BUCKETS);
    }
}
