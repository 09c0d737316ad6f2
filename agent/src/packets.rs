//! The packets of a flow, found again in the capture file that it was heard in.

use std::collections::BTreeSet;
use std::path::Path;

use wirewise_capture::{FileSource, FrameSource};
use wirewise_model::{Endpoint, Limits, PacketNumber, Timestamp, Transport};
use wirewise_wire::{Parsed, Parser};

use crate::AgentError;

/// Packets of one flow that are told at most; a longer flow is told from its beginning.
const MOST_PACKETS: usize = 1_000_000;

/// Which packets: those between two ends, from a first to a last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FlowPackets {
    /// What carries it, as the `transport` column says it.
    pub transport: String,
    /// Its two ends, in any order.
    pub ends: [Endpoint; 2],
    /// First and last packet, RFC 3339 in UTC with nine decimals as the tables tell it.
    pub span: [String; 2],
}

impl FlowPackets {
    /// Their numbers in the file, inner packets of tunnels and every fragment's last included.
    pub fn find(&self, path: &Path) -> Result<BTreeSet<PacketNumber>, AgentError> {
        let mut parser = Parser::new(&Limits::default());
        let mut source = FileSource::open(path)?;
        let mut numbers = BTreeSet::new();
        while let Some(frame) = source.next()? {
            let Parsed::Packet(packet) = parser.parse(&frame) else { continue };
            if self.holds(packet.key.transport, [packet.key.from, packet.key.to], packet.mark.at) {
                numbers.insert(packet.mark.packet);
                numbers.insert(packet.last.packet);
            }
            if numbers.len() >= MOST_PACKETS {
                break;
            }
        }
        Ok(numbers)
    }

    fn holds(&self, transport: Transport, ends: [Endpoint; 2], at: Timestamp) -> bool {
        // RFC 3339 in UTC with nine decimals sorts as time does.
        let at = at.rfc3339();
        let [first, last] = &self.span;
        let same = ends == self.ends || [ends[1], ends[0]] == self.ends;
        same && transport.name() == self.transport && *first <= at && at <= *last
    }
}
