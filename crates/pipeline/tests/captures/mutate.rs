//! Damage, the same for the same seed: bits flipped, frames cut, lost, doubled, swapped and late.

use wirewise_model::Timestamp;

use crate::corpus::Frames;

/// One frame in so many is damaged.
const ONE_IN: u64 = 6;

pub(crate) struct Mutator {
    state: u64,
    /// How often each kind was done.
    done: [u32; 7],
}

impl Mutator {
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed, done: [0; 7] }
    }

    /// What was done.
    pub(crate) fn told(&self) -> String {
        let [flipped, written, cut, lost, doubled, swapped, late] = self.done;
        format!(
            "{flipped} flipped, {written} written over, {cut} cut, {lost} lost, {doubled} doubled, {swapped} swapped, \
             {late} at another time"
        )
    }

    /// True once in so many times.
    pub(crate) fn chance(&mut self, one_in: u64) -> bool {
        self.below(one_in) == 0
    }

    /// Damages some of them, and numbers them anew.
    pub(crate) fn damage(&mut self, frames: &mut Frames) {
        let mut at = 0;
        while at < frames.frames.len() {
            if self.chance(ONE_IN) {
                self.damage_one(frames, at);
            }
            at += 1;
        }
        frames.renumber();
    }

    fn damage_one(&mut self, frames: &mut Frames, at: usize) {
        let kind = self.below(self.done.len() as u64) as usize;
        self.done[kind] += 1;
        let all = &mut frames.frames;
        let frame = &mut all[at];
        match kind {
            0 | 1 if frame.bytes.is_empty() => {}
            // Headers stand in front, so half of the flips go there.
            0 => {
                for _ in 0..=self.below(4) {
                    let reach = if self.chance(2) { frame.bytes.len().min(64) } else { frame.bytes.len() };
                    let place = self.below(reach as u64) as usize;
                    frame.bytes[place] ^= 1 << self.below(8);
                }
            }
            1 => {
                let from = self.below(frame.bytes.len() as u64) as usize;
                let value = [0, 0xff, b'\n', b' '][self.below(4) as usize];
                let to = frame.bytes.len().min(from + 8);
                frame.bytes[from..to].fill(value);
            }
            // By the snap length, or on the wire.
            2 => {
                let keep = self.below(frame.bytes.len() as u64 + 1) as usize;
                frame.bytes.truncate(keep);
                if self.chance(2) {
                    frame.original_len = keep as u32;
                }
            }
            3 => drop(all.remove(at)),
            4 => {
                let copy = frame.clone();
                let to = (at + self.below(4) as usize).min(all.len());
                all.insert(to, copy);
            }
            5 => {
                let other = (at + 1 + self.below(3) as usize).min(all.len() - 1);
                all.swap(at, other);
            }
            _ => {
                let nanos = self.below(20_000_000_000) as i64 - 5_000_000_000;
                frame.at = Timestamp::from_nanos(frame.at.nanos().saturating_add(nanos));
            }
        }
    }

    /// SplitMix64: good enough, and the same everywhere.
    fn below(&mut self, bound: u64) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound.max(1)
    }
}
