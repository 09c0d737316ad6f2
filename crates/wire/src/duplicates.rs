//! The same packet heard on two interfaces, counted once.
//!
//! A bridge, a veth pair, a VLAN device over its parent or a tunnel under its device show one packet two or
//! more times. Copies are known by the fingerprint of the innermost IP packet. A repeat on the *same*
//! interface is a retransmission (or a keep-alive, equal to the bit) and must pass, and its copies on the
//! others must not: so a packet passes when its interface has now heard it more often than any other had.

use wirewise_model::Timestamp;

use std::time::Duration;

/// Fingerprints remembered: 16,384 sets of 4. Past it the one heard longest ago of a set is forgotten, and
/// its copies pass.
const SETS: usize = 1 << 14;
const WAYS: usize = 4;
/// Interfaces on which one packet is told apart; on a further one it counts as heard once.
const EARS: usize = 4;

/// Where a frame was heard: interface, and what a cooked header says within it.
pub(crate) type Ear = (u32, u32);

/// What every packet looks at, apart from the rest: it lies anywhere in megabytes, so that each line of the cache that it
/// spans is waited for. It spans one.
#[derive(Clone, Copy, Debug)]
#[repr(align(64))]
struct Set {
    fingerprints: [u64; WAYS],
    /// When each passed last; `MIN` where nothing did.
    at: [Timestamp; WAYS],
}

/// Where one packet was heard, and how often.
#[derive(Clone, Copy, Debug, Default)]
struct Heard {
    passed: u16,
    n_ears: u8,
    ears: [(Ear, u16); EARS],
}

/// A bounded memory of fingerprints. Its table is made with the first packet.
#[derive(Debug, Default)]
pub(crate) struct Duplicates {
    wait: Duration,
    sets: Vec<Set>,
    heard: Vec<[Heard; WAYS]>,
}

impl Duplicates {
    pub(crate) fn new(wait: Duration) -> Self {
        Self { wait, sets: Vec::new(), heard: Vec::new() }
    }

    /// Whether this is a copy of a packet that passed on another interface a moment ago.
    pub(crate) fn is_copy(&mut self, fingerprint: u64, ear: Ear, at: Timestamp) -> bool {
        if self.wait.is_zero() {
            return false;
        }
        if self.sets.is_empty() {
            self.sets = vec![Set { fingerprints: [0; WAYS], at: [Timestamp::MIN; WAYS] }; SETS];
            self.heard = vec![[Heard::default(); WAYS]; SETS];
        }
        let place = fingerprint as usize % SETS;
        let set = &mut self.sets[place];
        let known = set.fingerprints.iter().position(|known| *known == fingerprint);
        if let Some(way) = known {
            // Clocks of two interfaces may disagree a little, either way.
            if at.since(set.at[way]).max(set.at[way].since(at)) <= self.wait {
                let heard = &mut self.heard[place][way];
                let times = heard.count(ear);
                if times <= heard.passed {
                    return true;
                }
                (heard.passed, set.at[way]) = (times, at);
                return false;
            }
        }
        let oldest = || (0..WAYS).min_by_key(|&way| set.at[way]).unwrap_or(0);
        let way = known.unwrap_or_else(oldest);
        (set.fingerprints[way], set.at[way]) = (fingerprint, at);
        let heard = &mut self.heard[place][way];
        *heard = Heard { passed: 1, ..Heard::default() };
        heard.count(ear);
        false
    }
}

impl Heard {
    /// Counts one more on `ear`, and tells how many that makes.
    fn count(&mut self, ear: Ear) -> u16 {
        let known = usize::from(self.n_ears);
        match self.ears[..known].iter_mut().find(|(other, _)| *other == ear) {
            Some((_, count)) => {
                *count = count.saturating_add(1);
                *count
            }
            None => {
                if let Some(free) = self.ears.get_mut(known) {
                    *free = (ear, 1);
                    self.n_ears += 1;
                }
                1
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(heard: &[(u32, i64)], passes: &[bool]) {
        let mut duplicates = Duplicates::new(Duration::from_millis(100));
        let got: Vec<bool> = heard
            .iter()
            .map(|&(ear, millis)| {
                !duplicates.is_copy(42, (ear, 0), Timestamp::from_nanos(millis * 1_000_000))
            })
            .collect();
        assert_eq!(got, passes, "{heard:?}");
    }

    #[test]
    fn copies_on_other_interfaces_are_dropped_and_repeats_on_one_pass() {
        check(&[(1, 0), (2, 1), (3, 2)], &[true, false, false]);
        check(&[(1, 0), (1, 1)], &[true, true]);
        check(&[(1, 0), (2, 0), (1, 5), (2, 5)], &[true, false, true, false]);
        check(&[(1, 0), (1, 1), (2, 2), (2, 3), (2, 4)], &[true, true, false, false, true]);
    }

    #[test]
    fn a_copy_that_comes_too_late_is_a_packet_of_its_own() {
        check(&[(1, 0), (2, 101)], &[true, true]);
        check(&[(1, 50), (2, 0)], &[true, false]);
    }
}
