//! In which packet messages begin that came in several.
//!
//! The truth promises each message's first segment and its time, and lacks both for messages that tshark put
//! together of TCP segments or IP fragments: it gives the last packet's time twice. A call lasts from its
//! request's first byte, so what tshark itself names (`tcp.segment`, `ip.fragment`, `ipv6.fragment` of the
//! packet in which the request became whole) stands in a table, and the request must begin there. An entry
//! that the truth knows by itself, or that is about no line of the truth, fails the test.

use std::collections::{BTreeMap, BTreeSet};

/// `folder/file`, the packet that made the request whole, the packet with its first byte.
const TABLE: &str = include_str!("beginnings.tsv");

pub(crate) struct Beginnings {
    first: BTreeMap<(&'static str, u64), u64>,
    used: BTreeSet<(String, u64)>,
}

impl Beginnings {
    pub(crate) fn new() -> Self {
        let entry = |line: &'static str| {
            let mut words = line.split('\t');
            let file = words.next().expect("a line has a file");
            let mut number = || words.next().and_then(|word| word.parse().ok()).expect("two packets follow");
            ((file, number()), number())
        };
        let lines = TABLE.lines().filter(|line| !line.starts_with('#'));
        Self { first: lines.map(entry).collect(), used: BTreeSet::new() }
    }

    /// Where the request begins that became whole in this packet; `None` where the truth can be believed.
    pub(crate) fn of(&mut self, file: &str, packet: u64) -> Option<u64> {
        let (&(file, packet), &first) = self.first.get_key_value(&(file, packet))?;
        self.used.insert((file.to_owned(), packet));
        Some(first)
    }

    /// Entries that nothing asked for.
    pub(crate) fn stale(&self) -> impl Iterator<Item = String> {
        let unused = |entry: &&(&'static str, u64)| !self.used.contains(&(entry.0.to_owned(), entry.1));
        self.first.keys().filter(unused).map(|(file, packet)| format!("beginning: {file} packet {packet}"))
    }
}
