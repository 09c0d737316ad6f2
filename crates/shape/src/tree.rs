//! Words in the order of their places, learnt: where one parent has had many different words, they are a parameter.
//!
//! What is merged follows from the set of texts alone. A place is merged once its words weigh enough; words only become
//! more, and merging puts the places below them together, where there are then more words again: so the merged
//! places are the least set that satisfies the rule, whatever order led to it, and merging at once loses nothing.

use std::collections::BTreeMap;

use crate::family::Family;

/// What stands in a template for a parameter that was learnt.
pub(crate) const PARAMETER: &str = "{}";

/// A place, and what was seen there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    /// Words that may be values of a parameter; none once it is merged.
    words: BTreeMap<Box<str>, Self>,
    /// Placeholders, punctuation and reserved words, which are none.
    fixed: BTreeMap<Box<str>, Self>,
    /// What comes after any word.
    merged: Option<Box<Self>>,
    weight: u32,
}

/// What learning a text changed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Learnt {
    /// Places became one, so that templates which were told before may have changed.
    pub(crate) merged: bool,
    /// Words that were seen at their places for the first time.
    pub(crate) added: usize,
}

impl Place {
    /// Takes in a text. [`PARAMETER`] among its words says that its place was merged elsewhere.
    pub(crate) fn learn(&mut self, family: &Family, words: &[&str]) -> Learnt {
        let mut learnt = Learnt::default();
        self.learn_from(family, words, 0, &mut learnt);
        learnt
    }

    fn learn_from(&mut self, family: &Family, words: &[&str], depth: usize, learnt: &mut Learnt) {
        let Some((word, after)) = words.split_first() else { return };
        if *word == PARAMETER {
            learnt.merged |= self.merged.is_none();
            self.merge(family, depth);
        } else if family.is_fixed(word) {
            learnt.added += usize::from(!self.fixed.contains_key(*word));
            return self.fixed.entry(Box::from(*word)).or_default().learn_from(
                family,
                after,
                depth + 1,
                learnt,
            );
        }
        if let Some(merged) = &mut self.merged {
            return merged.learn_from(family, after, depth + 1, learnt);
        }
        if !self.words.contains_key(*word) {
            learnt.added += 1;
            self.weight = self.weight.saturating_add(family.weight(word));
        }
        let next = self.words.entry(Box::from(*word)).or_default();
        next.learn_from(family, after, depth + 1, learnt);
        if self.is_heavy(family, depth) {
            learnt.merged = true;
            self.merge(family, depth);
        }
    }

    /// The template's words: those of a merged place replaced.
    pub(crate) fn template<'a>(&self, family: &Family, words: &[&'a str]) -> Vec<&'a str> {
        let mut place = Some(self);
        words
            .iter()
            .map(|word| {
                let (told, next) = match place {
                    Some(place) => place.next(family, word),
                    None => (*word, None),
                };
                place = next;
                told
            })
            .collect()
    }

    /// What stands for a word here, and the place after it, where the word is known.
    fn next<'a, 'w>(&'a self, family: &Family, word: &'w str) -> (&'w str, Option<&'a Self>) {
        if word != PARAMETER && family.is_fixed(word) {
            return (word, self.fixed.get(word));
        }
        match &self.merged {
            Some(merged) => (PARAMETER, Some(merged)),
            None if word == PARAMETER => (word, self.fixed.get(word)),
            None => (word, self.words.get(word)),
        }
    }

    /// The same for a word that must be known, or its place merged: `None` where it is neither.
    pub(crate) fn known<'a>(&'a self, family: &Family, word: &str) -> Option<&'a Self> {
        self.next(family, word).1
    }

    /// Whether words are a parameter here.
    pub(crate) fn is_merged(&self) -> bool {
        self.merged.is_some()
    }

    /// Whether the words at `depth` weigh enough to be a parameter.
    pub(crate) fn is_heavy(&self, family: &Family, depth: usize) -> bool {
        self.weight >= if depth == 0 { family.first } else { family.later }
    }

    /// How many different words are here.
    pub(crate) fn n_words(&self) -> usize {
        self.words.len()
    }

    /// How many places there are in all.
    pub(crate) fn n_places(&self) -> usize {
        let below = self.words.values().chain(self.fixed.values()).chain(self.merged.as_deref());
        1 + below.map(Self::n_places).sum::<usize>()
    }

    /// Takes in one word without merging, and goes to the place after it.
    pub(crate) fn enter(&mut self, family: &Family, word: &str) -> &mut Self {
        if family.is_fixed(word) || word == PARAMETER {
            return self.fixed.entry(Box::from(word)).or_default();
        }
        if !self.words.contains_key(word) {
            self.weight = self.weight.saturating_add(family.weight(word));
        }
        self.words.entry(Box::from(word)).or_default()
    }

    /// Takes in a word at a place that is a parameter, and goes to the place after it.
    pub(crate) fn enter_merged(&mut self) -> &mut Self {
        self.merged.get_or_insert_default()
    }

    fn merge(&mut self, family: &Family, depth: usize) {
        let words = std::mem::take(&mut self.words);
        self.weight = 0;
        let merged = self.merged.get_or_insert_default();
        for below in words.into_values() {
            merged.absorb(below, family, depth + 1);
        }
    }

    /// Everything that was seen at `other` was seen here.
    fn absorb(&mut self, other: Self, family: &Family, depth: usize) {
        let Self { words, fixed, merged, weight: _ } = other;
        for (word, below) in fixed {
            self.fixed.entry(word).or_default().absorb(below, family, depth + 1);
        }
        if let Some(merged) = merged {
            self.merge(family, depth);
            self.enter_merged().absorb(*merged, family, depth + 1);
        }
        for (word, below) in words {
            if let Some(merged) = &mut self.merged {
                merged.absorb(below, family, depth + 1);
                continue;
            }
            if !self.words.contains_key(&word) {
                self.weight = self.weight.saturating_add(family.weight(&word));
            }
            self.words.entry(word).or_default().absorb(below, family, depth + 1);
            if self.is_heavy(family, depth) {
                self.merge(family, depth);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::family::PATH;

    fn tree(paths: &[String]) -> Place {
        let mut tree = Place::default();
        for path in paths {
            tree.learn(&PATH, &PATH.split(path));
        }
        tree
    }

    fn told(tree: &Place, path: &str) -> String {
        PATH.join(path, &tree.template(&PATH, &PATH.split(path)))
    }

    #[test]
    fn many_words_below_one_parent_are_a_parameter() {
        let mut paths: Vec<String> = (0..63).map(|n| format!("/users/{}", name(n))).collect();
        paths.push("/users/me".to_owned());
        paths.push("/users/{id}".to_owned());
        paths.push("/orders/alice".to_owned());
        assert_eq!(told(&tree(&paths), "/users/bb"), "/users/bb");
        paths.push(format!("/users/{}", name(63)));
        let tree = tree(&paths);
        for (path, template) in [
            ("/users/aa", "/users/{}"),
            ("/users/never-seen", "/users/{}"),
            ("/users/me", "/users/me"),
            ("/users/{id}", "/users/{id}"),
            ("/orders/alice", "/orders/alice"),
            ("/users/aa/more", "/users/{}/more"),
        ] {
            assert_eq!(told(&tree, path), template);
        }
    }

    #[test]
    fn places_below_a_parameter_are_put_together_and_judged_again() {
        // Eight words below each of 64: none is a parameter until those above are one.
        let paths: Vec<String> = (0..64)
            .flat_map(|user| (0..8).map(move |item| format!("/u/{}/{}", name(user), name(user * 8 + item))))
            .collect();
        assert_eq!(told(&tree(&paths[..paths.len() - 8]), "/u/aa/aa"), "/u/aa/aa");
        assert_eq!(told(&tree(&paths), "/u/aa/aa"), "/u/{}/{}");
    }

    #[test]
    fn order_does_not_matter() {
        let mut paths: Vec<String> = Vec::new();
        for n in 0..90 {
            paths.push(format!("/u/{}/{}/x", name(n), name(n % 7)));
            paths.push(format!("/v/{}/{}", name(n % 9), name(n)));
            paths.push(format!("/{}/{{id}}/{}", name(n % 40), name(n * 3)));
        }
        let forwards = tree(&paths);
        paths.reverse();
        assert_eq!(tree(&paths), forwards);
        paths.sort_by_key(|path| wirewise_model::stable_hash(&[path.as_bytes()]));
        assert_eq!(tree(&paths), forwards);
        // Templates are texts too: learning them again adds nothing.
        let templates: Vec<String> = paths.iter().map(|path| told(&forwards, path)).collect();
        assert_eq!(tree(&templates), forwards);
    }

    /// A word of two letters or more, without digits.
    fn name(mut n: usize) -> String {
        let mut out = String::new();
        loop {
            out.push(char::from(b'a' + (n % 26) as u8));
            n /= 26;
            if n == 0 && out.len() > 1 {
                return out;
            }
        }
    }
}
