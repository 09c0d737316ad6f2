//! How many were asked about, and how many agreed; how many are ours, and how many the truth has not.

use std::collections::BTreeSet;

use crate::compare::Verdict;
use crate::precision::Extra;

#[derive(Default)]
pub(crate) struct Score {
    pub(crate) asked: usize,
    pub(crate) agreed: usize,
    /// Disagreements that the table of disputes settles.
    pub(crate) disputed: usize,
    /// Calls or flows of ours.
    pub(crate) ours: usize,
    /// Those that the truth has not, and that no dispute settles.
    pub(crate) extra: usize,
    /// Those that it has not, and should have.
    pub(crate) settled: usize,
    pub(crate) files: BTreeSet<String>,
    pub(crate) faults: Vec<String>,
}

impl Score {
    pub(crate) fn note(&mut self, file: &str, verdict: Verdict, disputed: bool) {
        self.asked += 1;
        self.files.insert(file.to_owned());
        match verdict.fault {
            None => self.agreed += 1,
            Some(_) if disputed => self.disputed += 1,
            Some(fault) => self.faults.push(place(file, verdict.packet, &fault)),
        }
    }

    pub(crate) fn extra(&mut self, file: &str, call: Extra, settled: bool) {
        if settled {
            self.settled += 1;
        } else {
            self.extra += 1;
            self.faults.push(place(file, Some(call.packet), &call.fault));
        }
    }

    /// Of what the truth has and is not disputed, the share that we have alike.
    pub(crate) fn recall(&self) -> f64 {
        self.agreed as f64 / (self.asked - self.disputed).max(1) as f64
    }

    /// Of what we have and is not disputed, the share that the truth has too.
    pub(crate) fn precision(&self) -> f64 {
        let ours = self.ours - self.settled;
        (ours - self.extra) as f64 / ours.max(1) as f64
    }
}

fn place(file: &str, packet: Option<u64>, fault: &str) -> String {
    match packet {
        Some(packet) => format!("{file} packet {packet}: {fault}"),
        None => format!("{file}: {fault}"),
    }
}
