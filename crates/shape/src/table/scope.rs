//! What was learnt of one server and protocol: its paths (or names, or keys), and the words of its errors.
//!
//! Only calls that came out well say which paths there are. Those that did not may have been guesses: a scanner asks
//! for a thousand paths of which the server has none, and must not turn its twenty real ones into a parameter. So
//! they are kept apart (`tried`), take over what is known, and where too many differ, only what is unknown is
//! summed up as one.

use std::collections::HashMap;

use wirewise_model::Outcome;

use crate::family::{Family, PROSE};
use crate::parts::Parts;
use crate::tree::{PARAMETER, Place};

/// Words of calls that did not come out well that are told apart at one place, as long as nobody has seen them come
/// out well. Past it they are summed up for good, whatever is learnt later.
const MOST_TRIED: usize = 512;
/// What a path of unknown places is summed up as, behind the first of them.
const REMAINDER: &str = "{rest}";

/// What was learnt of one server and protocol.
#[derive(Debug, Default)]
pub(super) struct Scope {
    known: Place,
    tried: Place,
    /// By class and number of words.
    errors: HashMap<(String, usize), Place>,
    /// Some place of `tried` has enough words to be summed up.
    summed_up: bool,
    /// The table's variants of this scope.
    pub(super) members: Vec<u32>,
}

/// What learning parts changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Effect {
    /// Parts of other variants may have changed with it.
    pub(super) unsettled: bool,
    /// Places that there are now and were not before.
    pub(super) added: usize,
}

impl Scope {
    /// Takes in the endpoint and the error of `parts`.
    pub(super) fn learn(&mut self, parts: &Parts) -> Effect {
        let mut effect = Effect::default();
        if let Some(family) = learnable(parts) {
            let words = family.split(&parts.endpoint);
            if is_known(parts.outcome) {
                let learnt = self.known.learn(family, &words);
                effect.added += learnt.added;
                effect.unsettled |= learnt.merged || (learnt.added > 0 && self.summed_up);
            } else {
                let (added, heavier) = self.attempt(family, &words);
                effect.added += added;
                effect.unsettled |= heavier;
                self.summed_up |= heavier;
            }
        }
        if !parts.error.is_empty() {
            let words = PROSE.split(&parts.error);
            let learnt =
                self.errors.entry((parts.class.clone(), words.len())).or_default().learn(&PROSE, &words);
            effect.added += learnt.added;
            effect.unsettled |= learnt.merged;
        }
        effect
    }

    /// The parts as they are kept: what was put together for good replaced.
    pub(super) fn canonical(&self, parts: &mut Parts) {
        if let Some(family) = learnable(parts) {
            let words = family.split(&parts.endpoint);
            let told = if is_known(parts.outcome) {
                self.known.template(family, &words)
            } else {
                self.walk(family, &words, |tried, word, _| {
                    tried.n_words() >= MOST_TRIED && tried.known(family, word).is_none()
                })
            };
            if told != words {
                parts.endpoint = family.join(&parts.endpoint, &told);
            }
        }
        if !parts.error.is_empty() {
            let words = PROSE.split(&parts.error);
            if let Some(place) = self.errors.get(&(parts.class.clone(), words.len())) {
                let told = place.template(&PROSE, &words);
                if told != words {
                    parts.error = PROSE.join(&parts.error, &told);
                }
            }
        }
    }

    /// The endpoint of canonical parts as it is shown, where that is another.
    pub(super) fn shown(&self, parts: &Parts) -> Option<String> {
        let family = learnable(parts).filter(|_| self.summed_up && !is_known(parts.outcome))?;
        let words = family.split(&parts.endpoint);
        let told = self.walk(family, &words, |tried, _, depth| tried.is_heavy(family, depth));
        (told != words).then(|| family.join(&parts.endpoint, &told))
    }

    /// Forgets what was tried, to take it in again where more is known now.
    pub(super) fn forget_tried(&mut self) {
        self.tried = Place::default();
        self.summed_up = false;
    }

    /// How many places there are.
    pub(super) fn n_places(&self) -> usize {
        let errors = self.errors.values().map(Place::n_places).sum::<usize>();
        self.known.n_places() + self.tried.n_places() + errors
    }

    /// Takes in words of a call that did not come out well: how many were new, and whether that made a place heavy.
    fn attempt(&mut self, family: &Family, words: &[&str]) -> (usize, bool) {
        let (mut added, mut heavier) = (0, false);
        let mut known = Some(&self.known);
        let mut tried = &mut self.tried;
        for (depth, word) in words.iter().enumerate() {
            let is_value = *word == PARAMETER || !family.is_fixed(word);
            if is_value && known.is_some_and(Place::is_merged) {
                known = known.and_then(|known| known.known(family, word));
                tried = tried.enter_merged();
                continue;
            }
            known = known.and_then(|known| known.known(family, word));
            let is_new = tried.known(family, word).is_none();
            if is_new && is_value && known.is_none() && tried.n_words() >= MOST_TRIED && *word != PARAMETER {
                break;
            }
            let was_heavy = tried.is_heavy(family, depth);
            tried.enter(family, word);
            heavier |= !was_heavy && tried.is_heavy(family, depth);
            added += usize::from(is_new);
            tried = tried.enter(family, word);
        }
        (added, heavier)
    }

    /// The words with parameters replaced. A word that is nowhere known, at a place that `is_full`, is summed up
    /// together with all that comes after it.
    fn walk<'a>(
        &self,
        family: &Family,
        words: &[&'a str],
        is_full: impl Fn(&Place, &str, usize) -> bool,
    ) -> Vec<&'a str> {
        let (mut known, mut tried) = (Some(&self.known), Some(&self.tried));
        let mut told = Vec::with_capacity(words.len());
        for (depth, word) in words.iter().enumerate() {
            let is_value = *word == PARAMETER || !family.is_fixed(word);
            if is_value && known.is_some_and(Place::is_merged) {
                told.push(PARAMETER);
                known = known.and_then(|known| known.known(family, word));
                tried = tried.and_then(|tried| tried.known(family, PARAMETER));
                continue;
            }
            known = known.and_then(|known| known.known(family, word));
            let is_unknown = is_value && known.is_none() && *word != PARAMETER;
            if is_unknown && tried.is_some_and(|tried| is_full(tried, word, depth)) {
                told.push(PARAMETER);
                if depth + 1 < words.len() {
                    told.push(REMAINDER);
                }
                return told;
            }
            told.push(word);
            tried = tried.and_then(|tried| tried.known(family, word));
        }
        told
    }
}

/// The family of the endpoint, where there is something to learn of it.
fn learnable(parts: &Parts) -> Option<&'static Family> {
    if parts.told || parts.endpoint.is_empty() { None } else { Family::of(&parts.protocol) }
}

/// Whether a call that came out so shows that there is what it asked for.
fn is_known(outcome: Outcome) -> bool {
    match outcome {
        Outcome::Ok | Outcome::OneWay => true,
        Outcome::ClientError
        | Outcome::ServerError
        | Outcome::NoResponse
        | Outcome::Aborted
        | Outcome::Open
        | Outcome::Unknown => false,
    }
}
