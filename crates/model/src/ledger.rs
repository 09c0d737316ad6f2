//! The books: what came in, what went on, and for what reason the rest did not. They balance, or a test fails.

use std::collections::BTreeMap;
use std::fmt;

use serde::ser::{SerializeMap, SerializeStruct};
use serde::{Serialize, Serializer};

/// A hop that keeps books.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// Frames: heard by the kernel or lying in a file, against those handed to `wire`.
    Capture,
    /// Frames in, transport packets out.
    Wire,
    /// Payload bytes of the transport in, bytes delivered in order out.
    Flow,
    /// Bytes delivered in, bytes that a protocol understood out.
    Dissect,
    /// Calls made, against those handed on redacted.
    Calls,
    /// Rows offered, against rows stored.
    Store,
}

impl Stage {
    /// The word in reports and in the `losses` table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Capture => "capture",
            Self::Wire => "wire",
            Self::Flow => "flow",
            Self::Dissect => "dissect",
            Self::Calls => "calls",
            Self::Store => "store",
        }
    }

    /// What it counts.
    pub const fn unit(self) -> Unit {
        match self {
            Self::Capture | Self::Wire => Unit::Frames,
            Self::Flow | Self::Dissect => Unit::Bytes,
            Self::Calls | Self::Store => Unit::Rows,
        }
    }
}

/// What a stage counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Frames.
    Frames,
    /// Payload bytes.
    Bytes,
    /// Calls.
    Rows,
}

impl Unit {
    /// The plural noun.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::Bytes => "bytes",
            Self::Rows => "rows",
        }
    }
}

/// Why something did not go on. `loss` tells what we failed to see from what there was no need to see (a
/// retransmitted byte, an ARP frame): only losses are named in answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Reason {
    /// A word for reports, labels and the `losses` table.
    pub name: &'static str,
    /// Whether something may be missing from the calls because of it.
    pub loss: bool,
}

impl Reason {
    /// Something may be missing because of it.
    pub const fn loss(name: &'static str) -> Self {
        Self { name, loss: true }
    }

    /// Nothing is missing because of it.
    pub const fn skip(name: &'static str) -> Self {
        Self { name, loss: false }
    }
}

/// One stage's books: `taken_in == passed_on + sum(reasons)`, at every quiet moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    /// Whose.
    pub stage: Stage,
    /// What came in.
    pub taken_in: u64,
    /// What went on.
    pub passed_on: u64,
    /// What did not, and why. What still waits stands here too, under a reason that says so.
    pub reasons: BTreeMap<Reason, u64>,
}

impl Books {
    /// Empty books.
    pub fn new(stage: Stage) -> Self {
        Self { stage, taken_in: 0, passed_on: 0, reasons: BTreeMap::new() }
    }

    /// `count` came in.
    #[inline]
    pub fn take(&mut self, count: u64) {
        self.taken_in += count;
    }

    /// `count` went on.
    #[inline]
    pub fn pass(&mut self, count: u64) {
        self.passed_on += count;
    }

    /// `count` did not go on.
    pub fn drop(&mut self, reason: Reason, count: u64) {
        if count > 0 {
            *self.reasons.entry(reason).or_default() += count;
        }
    }

    /// How much stands under reasons that are losses.
    pub fn lost(&self) -> u64 {
        self.reasons.iter().filter(|(reason, _)| reason.loss).map(|(_, count)| count).sum()
    }

    /// Adds another's figures of the same stage.
    pub fn merge(&mut self, other: &Self) {
        self.taken_in += other.taken_in;
        self.passed_on += other.passed_on;
        for (&reason, &count) in &other.reasons {
            self.drop(reason, count);
        }
    }

    fn accounted(&self) -> u64 {
        self.passed_on + self.reasons.values().sum::<u64>()
    }
}

impl Serialize for Books {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        struct Reasons<'a>(&'a BTreeMap<Reason, u64>);
        impl Serialize for Reasons<'_> {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                let mut map = serializer.serialize_map(Some(self.0.len()))?;
                for (reason, count) in self.0 {
                    map.serialize_entry(reason.name, count)?;
                }
                map.end()
            }
        }
        let mut books = serializer.serialize_struct("Books", 5)?;
        books.serialize_field("stage", self.stage.name())?;
        books.serialize_field("unit", self.stage.unit().name())?;
        books.serialize_field("in", &self.taken_in)?;
        books.serialize_field("out", &self.passed_on)?;
        books.serialize_field("reasons", &Reasons(&self.reasons))?;
        books.end()
    }
}

/// The books of all stages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct Ledger {
    /// One entry a stage, in the order that data takes.
    pub stages: Vec<Books>,
}

/// Books that do not balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerError {
    /// Whose books.
    pub stage: Stage,
    /// What came in.
    pub taken_in: u64,
    /// What is accounted for.
    pub accounted: u64,
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, taken_in, accounted } = self;
        write!(f, "{}: {taken_in} in, but {accounted} accounted for", stage.name())
    }
}

impl std::error::Error for LedgerError {}

impl Ledger {
    /// Adds books, into those of the same stage where there are some.
    pub fn add(&mut self, books: &Books) {
        match self.stages.iter_mut().find(|known| known.stage == books.stage) {
            Some(known) => known.merge(books),
            None => {
                self.stages.push(books.clone());
                self.stages.sort_by_key(|books| books.stage);
            }
        }
    }

    /// One stage's books.
    pub fn stage(&self, stage: Stage) -> Option<&Books> {
        self.stages.iter().find(|books| books.stage == stage)
    }

    /// Whether every stage accounts for what it took in.
    pub fn check(&self) -> Result<(), LedgerError> {
        for books in &self.stages {
            let (taken_in, accounted) = (books.taken_in, books.accounted());
            if taken_in != accounted {
                return Err(LedgerError { stage: books.stage, taken_in, accounted });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARP: Reason = Reason::skip("arp");
    const SHORT: Reason = Reason::loss("cut_short");

    #[test]
    fn unbalanced_books_are_named() {
        let mut wire = Books::new(Stage::Wire);
        wire.take(10);
        wire.pass(7);
        wire.drop(ARP, 1);
        wire.drop(SHORT, 2);
        let mut ledger = Ledger::default();
        ledger.add(&wire);
        assert_eq!(ledger.check(), Ok(()));
        assert_eq!(wire.lost(), 2);
        wire.take(1);
        ledger.add(&wire);
        let error = ledger.check().expect_err("one frame is missing");
        assert_eq!(error.to_string(), "wire: 21 in, but 20 accounted for");
    }

    #[test]
    fn serialises_as_the_interface_says() {
        let mut wire = Books::new(Stage::Wire);
        wire.take(1);
        wire.drop(ARP, 1);
        let text = serde_json::to_string(&wire).expect("plain data");
        assert_eq!(text, r#"{"stage":"wire","unit":"frames","in":1,"out":0,"reasons":{"arp":1}}"#);
    }
}
