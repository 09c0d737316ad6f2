//! What is fuzzed: every protocol of the table, and what reads bytes before and behind them.

use wirewise_dissect::{PROTOCOLS, Protocol};

use crate::script::Script;
use crate::verdict::Heard;
use crate::{frames, play, records};

/// One thing that reads bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The protocol's word, or what stands for the crates.
    pub name: &'static str,
    way: Way,
}

#[derive(Clone, Copy, Debug)]
enum Way {
    Protocol(&'static Protocol),
    /// Frames through wire, flow, dissect and pipeline.
    Frames,
    /// A call through redaction, and the bytes of a record back.
    Records,
}

/// All targets: the table's protocols in its order, then the rest.
pub fn targets() -> impl Iterator<Item = Target> {
    let protocols =
        PROTOCOLS.iter().map(|protocol| Target { name: protocol.name, way: Way::Protocol(protocol) });
    let rest = [("frames", Way::Frames), ("records", Way::Records)].map(|(name, way)| Target { name, way });
    protocols.chain(rest)
}

/// The target of that name.
pub fn target(name: &str) -> Option<Target> {
    targets().find(|target| target.name == name)
}

impl Target {
    /// Runs it on some bytes and says what came of them.
    ///
    /// # Panics
    /// Where something does not hold that has to hold of all bytes: that is a find.
    pub fn run(&self, bytes: &[u8]) -> Heard {
        match self.way {
            Way::Protocol(protocol) => play::play(protocol, &Script::from_bytes(bytes)),
            Way::Frames => frames::run(bytes),
            Way::Records => records::run(bytes),
        }
    }
}

/// The protocol that a script of `protocol` is spoken in: its own, or, of one that is found in the exchanges of others,
/// one of those.
pub(crate) fn ridden(protocol: &'static Protocol, script: &Script) -> &'static Protocol {
    let Some(entry) = &protocol.refine else { return protocol };
    let name = entry.carriers[usize::from(script.mode.0 >> 6) % entry.carriers.len()];
    wirewise_dissect::protocol(name).unwrap_or(protocol)
}
