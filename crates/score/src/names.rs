//! Texts that are named by a small number, each kept once. Bounded by whoever interns: nothing here is forgotten but
//! by rebuilding.

use std::hash::{BuildHasher, Hasher};

use foldhash::quality::FixedState;
use hashbrown::HashTable;
use serde::{Deserialize, Serialize};

/// A text's number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(crate) struct Name(pub u32);

/// Texts by number and numbers by text. Number 0 is the empty text.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    texts: Vec<Box<str>>,
    table: HashTable<u32>,
    seed: FixedState,
    most: usize,
}

impl Names {
    /// At most `most` texts; `seed` is a secret, for the texts are somebody else's.
    pub(crate) fn new(seed: u64, most: usize) -> Self {
        Self::from_texts(vec!["".into()], seed, most)
    }

    /// Takes the texts of an earlier table, in their order.
    pub(crate) fn from_texts(texts: Vec<Box<str>>, seed: u64, most: usize) -> Self {
        let mut names = Self { texts, table: HashTable::new(), seed: FixedState::with_seed(seed), most };
        for number in 0..names.texts.len() {
            let hash = names.hash(&names.texts[number]);
            let (texts, seed) = (&names.texts, &names.seed);
            names
                .table
                .insert_unique(hash, number as u32, |&other| seed.hash_one(texts[other as usize].as_bytes()));
        }
        names
    }

    fn hash(&self, text: &str) -> u64 {
        self.seed.hash_one(text.as_bytes())
    }

    /// The number of a text that was seen before.
    pub(crate) fn find(&self, text: &str) -> Option<Name> {
        let hash = self.hash(text);
        self.table.find(hash, |&number| &*self.texts[number as usize] == text).map(|&number| Name(number))
    }

    /// The number of a text; `None` of a new one where the table is full.
    pub(crate) fn intern(&mut self, text: &str) -> Option<Name> {
        if let Some(name) = self.find(text) {
            return Some(name);
        }
        if self.texts.len() >= self.most {
            return None;
        }
        let number = u32::try_from(self.texts.len()).ok()?;
        let hash = self.hash(text);
        self.texts.push(text.into());
        let (texts, seed) = (&self.texts, &self.seed);
        self.table.insert_unique(hash, number, |&other| seed.hash_one(texts[other as usize].as_bytes()));
        Some(Name(number))
    }

    /// The text of a number; empty where there is none.
    pub(crate) fn text(&self, name: Name) -> &str {
        self.texts.get(name.0 as usize).map_or("", |text| text)
    }

    /// All texts, in the order of their numbers.
    pub(crate) fn texts(&self) -> &[Box<str>] {
        &self.texts
    }

    /// A keyed hash of some numbers, for tables of this crate.
    pub(crate) fn key(&self, parts: &[u64]) -> u64 {
        let mut hasher = self.seed.build_hasher();
        for part in parts {
            hasher.write_u64(*part);
        }
        hasher.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_keeps_its_number_and_a_full_table_takes_no_more() {
        let mut names = Names::new(7, 3);
        assert_eq!(names.intern(""), Some(Name(0)));
        assert_eq!(names.intern("cart"), Some(Name(1)));
        assert_eq!(names.intern("pay"), Some(Name(2)));
        assert_eq!(names.intern("mail"), None);
        assert_eq!(names.intern("cart"), Some(Name(1)));
        let again = Names::from_texts(names.texts().to_vec(), 99, 3);
        assert_eq!(
            (again.find("pay"), again.text(Name(1)), again.text(Name(9))),
            (Some(Name(2)), "cart", "")
        );
    }
}
