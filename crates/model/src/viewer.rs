//! On whose behalf something is read. Every read of store and index takes one.

use std::collections::BTreeSet;

/// What a reader may see. Namespaces hold for both ends: a call is seen by who may see either.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Viewer {
    /// The namespaces that may be seen; `None` is all of them.
    pub namespaces: Option<BTreeSet<String>>,
    /// Whether headers and bodies may be read.
    pub payloads: bool,
}

impl Viewer {
    /// The owner of the data directory, at the command line: sees everything.
    pub fn owner() -> Self {
        Self { namespaces: None, payloads: true }
    }

    /// The same, for a model: no payloads unless the configuration allows them.
    pub fn model(allow_payloads: bool) -> Self {
        Self { namespaces: None, payloads: allow_payloads }
    }
}
