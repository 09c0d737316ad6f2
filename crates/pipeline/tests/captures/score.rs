//! How many were asked about, and how many agreed.

use std::collections::BTreeSet;

#[derive(Default)]
pub(crate) struct Score {
    pub(crate) asked: usize,
    pub(crate) agreed: usize,
    pub(crate) files: BTreeSet<String>,
    pub(crate) faults: Vec<String>,
}

impl Score {
    pub(crate) fn note(&mut self, file: &str, verdict: Result<(), String>) {
        self.asked += 1;
        self.files.insert(file.to_owned());
        match verdict {
            Ok(()) => self.agreed += 1,
            Err(fault) => self.faults.push(fault),
        }
    }

    pub(crate) fn ratio(&self) -> f64 {
        self.agreed as f64 / self.asked.max(1) as f64
    }
}
