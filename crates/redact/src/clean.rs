//! What was searched before and hid nothing. Traffic repeats itself: most header fields, names and keys of JSON were
//! searched a moment ago, and to compare a text with itself costs less than to search it.
//!
//! Holds texts as they are, compared byte by byte: nothing passes because it merely hashes alike. Bounded: each text has
//! one place, and a later one with the same place takes it. Lives in the memory of the one that redacts and nowhere
//! else, like the traffic itself.

use std::hash::{BuildHasher, Hasher};

/// Places. With 128 bytes each they fit a core's second cache.
const PLACES: usize = 2048;
/// Longer texts are searched each time: they hardly repeat.
const LONGEST: usize = 118;

/// As what a text was searched: what is clean as one need not be as the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Search {
    /// A header field, name and value.
    Header = 1,
    /// A text in which random runs are hidden.
    Hide,
    /// A text in which random runs stay.
    Keep,
    /// The name of a value.
    Name,
    /// A key of a JSON object.
    Key,
    /// A string in JSON whose key says nothing.
    Member,
}

#[derive(Clone, Debug)]
struct Place {
    search: u8,
    /// Of the first of the two texts.
    first: u8,
    len: u8,
    bytes: [u8; LONGEST],
}

impl Place {
    const EMPTY: Self = Self { search: 0, first: 0, len: 0, bytes: [0; LONGEST] };
}

/// The texts that are known to hide nothing.
#[derive(Clone, Debug)]
pub(crate) struct Clean {
    places: Box<[Place]>,
    hasher: foldhash::fast::RandomState,
}

impl Clean {
    pub(crate) fn new() -> Self {
        Self { places: vec![Place::EMPTY; PLACES].into(), hasher: foldhash::fast::RandomState::default() }
    }

    /// Whether the two texts together (the second may be empty) were searched so and hid nothing.
    pub(crate) fn knows(&self, search: Search, first: &str, second: &str) -> bool {
        let Some(at) = self.place(search, first, second) else { return false };
        let place = &self.places[at];
        place.search == search as u8
            && usize::from(place.first) == first.len()
            && usize::from(place.len) == first.len() + second.len()
            && place.bytes[..first.len()] == *first.as_bytes()
            && place.bytes[first.len()..first.len() + second.len()] == *second.as_bytes()
    }

    /// Remembers that they hid nothing.
    pub(crate) fn learn(&mut self, search: Search, first: &str, second: &str) {
        let Some(at) = self.place(search, first, second) else { return };
        let place = &mut self.places[at];
        let len = first.len() + second.len();
        (place.search, place.first, place.len) = (search as u8, first.len() as u8, len as u8);
        place.bytes[..first.len()].copy_from_slice(first.as_bytes());
        place.bytes[first.len()..len].copy_from_slice(second.as_bytes());
    }

    fn place(&self, search: Search, first: &str, second: &str) -> Option<usize> {
        if first.len() + second.len() > LONGEST {
            return None;
        }
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u8(search as u8);
        hasher.write(first.as_bytes());
        hasher.write(second.as_bytes());
        Some(hasher.finish() as usize % PLACES)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_was_learnt_is_known() {
        let mut clean = Clean::new();
        clean.learn(Search::Header, "accept", "text/plain");
        assert!(clean.knows(Search::Header, "accept", "text/plain"));
        assert!(
            !clean.knows(Search::Header, "accep", "ttext/plain"),
            "where one ends and the other begins counts"
        );
        assert!(!clean.knows(Search::Header, "accept", "text/plain2"));
        assert!(!clean.knows(Search::Hide, "accept", "text/plain"), "another search");
    }

    #[test]
    fn places_are_bounded_and_the_latest_holds() {
        let mut clean = Clean::new();
        let long = "x".repeat(LONGEST + 1);
        clean.learn(Search::Hide, &long, "");
        assert!(!clean.knows(Search::Hide, &long, ""));
        for number in 0..10 * PLACES {
            let text = number.to_string();
            clean.learn(Search::Hide, &text, "");
            assert!(clean.knows(Search::Hide, &text, ""));
        }
        let known = (0..10 * PLACES).filter(|number| clean.knows(Search::Hide, &number.to_string(), ""));
        assert!(known.count() <= PLACES);
    }
}
