//! Mutations, the same for the same seed: of what is said, and of what happens when.

use wirewise_dissect::End;
use wirewise_model::Side;

use crate::script::{Mode, Script, Step};

/// A source of mutated inputs.
#[derive(Clone, Debug)]
pub struct Mutator {
    state: u64,
}

/// Longest script that is made.
const LONGEST: usize = 16 << 10;

/// Numbers at which parsers break, as bytes of lengths and counts.
const SHARP: [&[u8]; 12] = [
    &[0],
    &[1],
    &[0x7f],
    &[0x80],
    &[0xff],
    &[0, 0],
    &[0xff, 0xff],
    &[0x7f, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff],
    &[0x80, 0, 0, 0],
    &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
    b"-1",
];

impl Mutator {
    /// One that begins at `seed`.
    pub fn new(seed: u64) -> Self {
        Self { state: seed }
    }

    /// One of `inputs`, changed a little, sometimes with parts of another.
    pub fn mutate(&mut self, inputs: &[Vec<u8>]) -> Vec<u8> {
        let pick = |mutator: &mut Self| Script::from_bytes(&inputs[mutator.below(inputs.len())]);
        let mut script = pick(self);
        for _ in 0..=self.below(4) {
            if self.below(4) == 0 {
                let other = pick(self);
                self.shuffle(&mut script, &other);
            } else {
                self.garble(&mut script);
            }
        }
        let mut bytes = script.to_bytes();
        bytes.truncate(LONGEST);
        bytes
    }

    /// Changes what happens.
    fn shuffle(&mut self, script: &mut Script, other: &Script) {
        let steps = &mut script.steps;
        let at = self.below(steps.len() + 1);
        let side = if self.below(2) == 0 { Side::A } else { Side::B };
        match self.below(10) {
            0 if at < steps.len() => drop(steps.remove(at)),
            1 if at < steps.len() => steps.insert(at, steps[at].clone()),
            2 if at < steps.len() => {
                let to = self.below(steps.len());
                steps.swap(at, to);
            }
            3 => steps.insert(at, Step::Lose(side, 1 << self.below(20))),
            4 => steps.insert(at, Step::Wait(self.below(700) as u64)),
            5 => steps.insert(at, Step::End((self.below(2) == 0).then_some(side), End::Fin)),
            6 => script.mode = Mode(self.below(256) as u8),
            7 => script.mode = Mode(script.mode.0 ^ 1 << self.below(8)),
            8 => {
                steps.truncate(at);
                let from = self.below(other.steps.len() + 1);
                steps.extend_from_slice(&other.steps[from..]);
            }
            _ => steps.insert(at, Step::Cut(side, 1 << self.below(12))),
        }
    }

    /// Changes what is said.
    fn garble(&mut self, script: &mut Script) {
        let n_said = script.steps.iter().filter(|step| matches!(step, Step::Say(..))).count();
        let which = self.below(n_said);
        let said = script
            .steps
            .iter_mut()
            .filter_map(|step| if let Step::Say(_, said) = step { Some(said) } else { None });
        let Some(said) = said.into_iter().nth(which).filter(|said| !said.is_empty()) else { return };
        let at = self.below(said.len());
        match self.below(8) {
            0 => said[at] ^= 1 << self.below(8),
            1 => said[at] = self.below(256) as u8,
            2 => said[at] = said[at].wrapping_add_signed(self.below(9) as i8 - 4),
            3 => {
                let sharp = SHARP[self.below(SHARP.len())];
                let end = said.len().min(at + sharp.len());
                said[at..end].copy_from_slice(&sharp[..end - at]);
            }
            4 => {
                let sharp = SHARP[self.below(SHARP.len())];
                said.splice(at..at, sharp.iter().copied());
            }
            5 => {
                let end = said.len().min(at + 1 + self.below(16));
                said.drain(at..end);
            }
            6 => {
                let end = said.len().min(at + 1 + self.below(64));
                let copy = said[at..end].to_vec();
                for _ in 0..=self.below(8) {
                    said.splice(at..at, copy.iter().copied());
                }
            }
            _ => said.truncate(at),
        }
    }

    /// SplitMix64: good enough, and the same everywhere. 0 where nothing is below.
    fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound.max(1) as u64) as usize
    }
}
