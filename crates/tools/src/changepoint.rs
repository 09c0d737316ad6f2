//! When did it change? Finds the moment at which failures or latency of some calls became others, in counts by
//! bucket of time. Pure arithmetic: two-proportion z-scores for failures, Welch's t on logarithms of durations,
//! and the odds of silence for what was never seen before.

/// Score above which what a series says grows no more but by its logarithm: one loud endpoint must not drown five
/// that agree, and its own moment must still be told from those beside it.
const LOUD: f64 = 30.0;

/// Score under which a series says nothing: chance makes 3 somewhere among many series.
const SILENT: f64 = 3.5;

/// Best score of a single series under which nothing changed.
const LEAST: f64 = 5.0;

/// Change of a share of failures under which it does not matter.
const LEAST_SHARE: f64 = 0.02;

/// Change of the typical duration, as a factor, under which it does not matter.
const LEAST_FACTOR: f64 = 1.3;

/// The same in milliseconds: a busy scheduler alone makes a cache of microseconds slower by that, and nobody who asks
/// what changed means it.
const LEAST_MILLIS: f64 = 1.0;

/// How much more an episode with an end must explain than a change that stays.
const EPISODE: f64 = 1.3;

/// What a recovery weighs beside a fault.
const RECOVERY: f64 = 0.3;

/// What happened in a bucket of time.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Bucket {
    /// Calls that began in it.
    pub(crate) calls: f64,
    /// Failed ones and client errors: what went wrong for somebody.
    pub(crate) bad: f64,
    /// Those with a duration.
    pub(crate) timed: f64,
    /// Sum of the logarithms of their durations.
    pub(crate) log_sum: f64,
    /// Sum of the squares of those.
    pub(crate) log_squares: f64,
}

impl Bucket {
    pub(crate) fn add(&mut self, other: &Self) {
        self.calls += other.calls;
        self.bad += other.bad;
        self.timed += other.timed;
        self.log_sum += other.log_sum;
        self.log_squares += other.log_squares;
    }

    fn less(&self, other: &Self) -> Self {
        Self {
            calls: self.calls - other.calls,
            bad: self.bad - other.bad,
            timed: self.timed - other.timed,
            log_sum: self.log_sum - other.log_sum,
            log_squares: self.log_squares - other.log_squares,
        }
    }

    fn share(&self) -> f64 {
        if self.calls > 0.0 { self.bad / self.calls } else { 0.0 }
    }

    fn log_mean(&self) -> f64 {
        self.log_sum / self.timed
    }

    fn log_variance(&self) -> f64 {
        // A floor: durations never differ by less than their clock and scheduler do.
        (self.log_squares / self.timed - self.log_mean().powi(2)).max(0.01)
    }

    /// The typical duration, in the unit of the logarithms.
    fn typical(&self) -> f64 {
        self.log_mean().exp()
    }
}

/// What became other.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum What {
    /// The share of calls that go wrong.
    Bad { before: f64, after: f64 },
    /// The typical duration, in milliseconds.
    Duration { before: f64, after: f64 },
    /// It was not there before; whether it goes wrong.
    New { bad: bool },
}

/// A change: in `from..to` things are other than outside of it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Change {
    /// First bucket of it.
    pub(crate) from: usize,
    /// First bucket after it; the number of buckets where it stays.
    pub(crate) to: usize,
    /// The series that shows it best, by its place.
    pub(crate) series: usize,
    /// What became other in that series.
    pub(crate) what: What,
    /// How strongly.
    pub(crate) score: f64,
}

fn muffled(score: f64) -> f64 {
    let strength = score.abs();
    if strength <= LOUD { score } else { (LOUD + (strength / LOUD).ln()).copysign(score) }
}

/// One series' word on a change: positive for the worse.
fn judge(before: &Bucket, after: &Bucket, buckets_before: f64, buckets_after: f64) -> Option<(f64, What)> {
    let mut best: Option<(f64, What)> = None;
    let mut offer = |score: f64, what: What| {
        let score = muffled(score);
        if best.is_none_or(|(known, _)| score.abs() > known.abs()) {
            best = Some((score, what));
        }
    };
    if before.calls >= 5.0 && after.calls >= 3.0 {
        let (p, q) = (before.share(), after.share());
        // A half call of doubt on each side keeps small numbers from shouting.
        let pooled = (before.bad + after.bad + 0.5) / (before.calls + after.calls + 1.0);
        let spread = (pooled * (1.0 - pooled) * (1.0 / before.calls + 1.0 / after.calls)).sqrt();
        if (q - p).abs() >= LEAST_SHARE && spread > 0.0 {
            offer((q - p) / spread, What::Bad { before: p, after: q });
        }
    }
    if before.timed >= 5.0 && after.timed >= 5.0 {
        let (p, q) = (before.typical(), after.typical());
        let spread = (before.log_variance() / before.timed + after.log_variance() / after.timed).sqrt();
        if (q / p >= LEAST_FACTOR || p / q >= LEAST_FACTOR) && (q - p).abs() >= LEAST_MILLIS {
            offer((after.log_mean() - before.log_mean()) / spread, What::Duration { before: p, after: q });
        }
    }
    if before.calls == 0.0 && after.calls >= 5.0 {
        let expected = after.calls / buckets_after * buckets_before;
        let bad = after.share() >= 0.5;
        offer((2.0 * expected).sqrt().min(if bad { 20.0 } else { 6.0 }), What::New { bad });
    }
    best
}

/// The change that explains most, over `series` of equally many buckets; `None` where nothing changed.
pub(crate) fn find(series: &[Vec<Bucket>]) -> Option<Change> {
    let buckets = series.first()?.len();
    let sums: Vec<Vec<Bucket>> = series
        .iter()
        .map(|series| {
            let mut sums = vec![Bucket::default()];
            for bucket in series {
                let mut sum = *sums.last().expect("begins with one");
                sum.add(bucket);
                sums.push(sum);
            }
            sums
        })
        .collect();
    let mut best: Option<(f64, Change)> = None;
    for from in 1..buckets {
        for to in (from + 1)..=buckets {
            let stays = to == buckets;
            let mut total = 0.0;
            let mut loudest: Option<(f64, usize, What)> = None;
            for (place, sums) in sums.iter().enumerate() {
                let inside = sums[to].less(&sums[from]);
                let outside = sums[buckets].less(&inside);
                let (n_inside, n_outside) = ((to - from) as f64, (buckets - (to - from)) as f64);
                let Some((score, what)) = judge(&outside, &inside, n_outside, n_inside) else { continue };
                let weight = if score > 0.0 {
                    1.0
                } else if stays {
                    RECOVERY
                } else {
                    0.0
                };
                let said = (score.abs() - SILENT).max(0.0) * weight;
                if said <= 0.0 {
                    continue;
                }
                total += said;
                if loudest.is_none_or(|(known, _, _)| said > known) {
                    loudest = Some((said, place, what));
                }
            }
            let Some((said, place, what)) = loudest else { continue };
            if said + SILENT < LEAST {
                continue;
            }
            let total = if stays { total * EPISODE } else { total };
            if best.as_ref().is_none_or(|(known, _)| total > *known) {
                best = Some((total, Change { from, to, series: place, what, score: said + SILENT }));
            }
        }
    }
    best.map(|(_, change)| change)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(calls: u32, bad: u32, millis: f64) -> Bucket {
        // Durations spread by a fifth around `millis`.
        let (low, high) = ((millis * 0.8).ln(), (millis * 1.2).ln());
        let half = f64::from(calls) / 2.0;
        Bucket {
            calls: f64::from(calls),
            bad: f64::from(bad),
            timed: f64::from(calls),
            log_sum: half * (low + high),
            log_squares: half * (low * low + high * high),
        }
    }

    fn made(of: impl Fn(usize) -> Bucket) -> Vec<Bucket> {
        (0..40).map(of).collect()
    }

    #[test]
    fn steady_traffic_has_no_change() {
        let steady = made(|at| bucket(20, u32::from(at % 7 == 0), 10.0 + (at % 3) as f64));
        assert_eq!(find(&[steady]), None);
        assert_eq!(find(&[]), None);
        assert_eq!(find(&[made(|_| Bucket::default())]), None);
    }

    #[test]
    fn a_slow_dependency_is_found_at_its_bucket() {
        let steady = made(|_| bucket(20, 0, 10.0));
        let slow = made(|at| bucket(20, 0, if at >= 25 { 300.0 } else { 12.0 }));
        let change = find(&[steady, slow]).expect("it became slow");
        assert_eq!((change.from, change.to, change.series), (25, 40, 1));
        assert!(matches!(change.what, What::Duration { .. }));
    }

    #[test]
    fn a_cache_that_stutters_is_no_change_beside_failures() {
        let cache = made(|at| bucket(5, 0, if (15..18).contains(&at) { 0.6 } else { 0.2 }));
        let failing = made(|at| bucket(2, u32::from(at >= 20), 10.0));
        assert_eq!(find(std::slice::from_ref(&cache)), None);
        let change = find(&[cache, failing]).expect("half of them fail");
        assert_eq!((change.from, change.to, change.series), (20, 40, 1));
        assert!(matches!(change.what, What::Bad { .. }));
    }

    #[test]
    fn failures_that_end_again_are_an_episode() {
        let failing = made(|at| bucket(20, if (10..20).contains(&at) { 12 } else { 0 }, 10.0));
        let change = find(&[failing]).expect("it failed for a while");
        assert_eq!((change.from, change.to), (10, 20));
        assert!(matches!(change.what, What::Bad { .. }));
    }

    #[test]
    fn names_never_asked_before_are_a_change_where_they_fail() {
        let steady = made(|_| bucket(20, 0, 10.0));
        let new = made(|at| if at >= 30 { bucket(5, 5, 2.0) } else { Bucket::default() });
        let change = find(&[steady, new]).expect("it is new and fails");
        assert_eq!((change.from, change.series, change.what), (30, 1, What::New { bad: true }));
    }
}
