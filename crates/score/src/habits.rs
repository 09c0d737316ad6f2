//! What the security statistics remember of an edge and of a client: a few numbers each, and no names.

use serde::{Deserialize, Serialize};
use wirewise_model::{CallId, Timestamp};

use crate::observation::Observation;

/// Intervals over which regularity is averaged.
const REGULARITY: f32 = 16.0;
/// Bits of a sketch of distinct things (linear counting, Whang 1990): tells up to about a thousand apart.
const WORDS: usize = 4;

/// How many distinct things were seen, within a few percent, up to about a thousand.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Distinct([u64; WORDS]);

impl Distinct {
    /// Takes a thing by its hash.
    pub(crate) fn add(&mut self, hash: u64) {
        let bit = hash as usize % (64 * WORDS);
        self.0[bit / 64] |= 1 << (bit % 64);
    }

    /// About how many there were.
    pub(crate) fn count(&self) -> f64 {
        let bits = (64 * WORDS) as f64;
        let unset = self.0.iter().map(|word| word.count_zeros()).sum::<u32>().max(1);
        bits * (bits / f64::from(unset)).ln()
    }
}

/// Regularity and direction of an edge's traffic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct EdgeHabits {
    /// The latest call.
    pub(crate) latest: Timestamp,
    /// Calls so far.
    pub(crate) calls: u32,
    /// Usual seconds between two calls.
    pub(crate) interval: f32,
    /// Usual distance from that.
    pub(crate) jitter: f32,
    /// Bytes that the client sent, and the server, in the minute that runs.
    pub(crate) bytes: (f64, f64),
    /// Usual logarithm of the bytes that the client sends in a minute with traffic, and minutes of it.
    pub(crate) usual_sent: f32,
    /// Minutes with traffic.
    pub(crate) minutes: u32,
    /// The latest call, to show.
    pub(crate) example: Option<CallId>,
}

impl EdgeHabits {
    /// Takes a call.
    pub(crate) fn take(&mut self, call: &Observation<'_>) {
        self.bytes.0 += call.request_bytes as f64;
        self.bytes.1 += call.response_bytes as f64;
        self.example = Some(call.id);
        if self.calls > 0 {
            let gap = call.at.since(self.latest).as_secs_f32();
            let step = 1.0 / (self.calls as f32).min(REGULARITY);
            self.jitter += step * ((gap - self.interval).abs() - self.jitter);
            self.interval += step * (gap - self.interval);
        }
        self.latest = call.at;
        self.calls = self.calls.saturating_add(1);
    }
}

/// What a workload does as a client, in the minute that runs and usually.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ServiceHabits {
    /// Distinct servers and instances that it called.
    pub(crate) peers: Distinct,
    /// Calls of those that failed.
    pub(crate) failed: u32,
    /// Calls.
    pub(crate) calls: u32,
    /// Usual number of distinct servers a minute.
    pub(crate) usual_peers: f32,
    /// Minutes with calls.
    pub(crate) minutes: u32,
    /// Distinct names asked for whose first label is long and looks random.
    pub(crate) odd_names: Distinct,
    /// Bytes of those names.
    pub(crate) odd_bytes: u32,
    /// The latest call, to show.
    pub(crate) example: Option<CallId>,
    /// The latest call for an odd name, to show.
    pub(crate) odd_example: Option<CallId>,
}

impl ServiceHabits {
    /// Takes a call that this workload made.
    pub(crate) fn take(&mut self, call: &Observation<'_>, failed: bool) {
        let instance = if call.server.pod.is_empty() { call.server.workload } else { call.server.pod };
        self.peers.add(wirewise_model::stable_hash(&[call.server.namespace.as_bytes(), instance.as_bytes()]));
        self.calls = self.calls.saturating_add(1);
        self.failed = self.failed.saturating_add(u32::from(failed));
        self.example = Some(call.id);
        if call.protocol == "dns" {
            let label = call.target.split('.').next().unwrap_or_default();
            if label.len() >= LONG_LABEL && entropy(label) >= RANDOM_BITS {
                self.odd_names.add(wirewise_model::stable_hash(&[call.target.as_bytes()]));
                self.odd_bytes = self.odd_bytes.saturating_add(call.target.len() as u32);
                self.odd_example = Some(call.id);
            }
        }
    }
}

impl ServiceHabits {
    /// Learns from the minute that is over, and begins the next.
    pub(crate) fn close(&mut self) {
        if self.calls > 0 {
            let step = 1.0 / (self.minutes as f32 + 1.0).min(240.0);
            let found = self.peers.count() as f32;
            // A scan may not become usual within a day: a minute moves the usual by a half at most.
            let bound = if self.minutes == 0 { f32::INFINITY } else { 0.5 * self.usual_peers + 1.0 };
            self.usual_peers += step * (found - self.usual_peers).clamp(-bound, bound);
            self.minutes = self.minutes.saturating_add(1);
        }
        (self.peers, self.failed, self.calls) = (Distinct::default(), 0, 0);
        (self.odd_names, self.odd_bytes) = (Distinct::default(), 0);
    }
}

/// A label as long carries data rather than a word: names of pods and zones are shorter, or no first label.
const LONG_LABEL: usize = 24;
/// Bits a character: English text has about 4 of which repetition takes some off, base32 near 5.
const RANDOM_BITS: f64 = 3.6;

/// Shannon entropy of a text's bytes, in bits a byte.
pub(crate) fn entropy(text: &str) -> f64 {
    let mut counts = [0u32; 256];
    for byte in text.bytes() {
        counts[usize::from(byte)] += 1;
    }
    let n = text.len() as f64;
    counts.iter().filter(|&&count| count > 0).map(|&count| f64::from(count) / n).map(|p| -p * p.log2()).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distinct_things_are_counted_within_a_tenth() {
        let mut distinct = Distinct::default();
        for number in 0u64..100 {
            for _ in 0..3 {
                distinct.add(wirewise_model::stable_hash(&[&number.to_le_bytes()]));
            }
        }
        assert!((distinct.count() - 100.0).abs() < 12.0, "{}", distinct.count());
        assert_eq!(Distinct::default().count(), 0.0);
    }

    #[test]
    fn random_labels_have_more_entropy_than_words() {
        assert!(entropy("aaaaaaaaaaaaaaaaaaaaaaaa") < 0.1);
        assert!(entropy("mzxw6ytboi2dgnbvgy3tqojqmfrg") > RANDOM_BITS);
        assert!(entropy("checkout-service-checkout") < RANDOM_BITS);
    }
}
