//! Whose are these bytes? Asks the table's probes in their order.

use wirewise_model::Side;

use crate::dissector::{Datagram, Heads, MessageEntry, Probe, Protocol, StreamEntry};
use crate::{PROTOCOLS, Switchboard};

/// A protocol that claims a flow, and the side that asks there.
pub(crate) struct Claim<Entry: 'static> {
    pub(crate) protocol: &'static Protocol,
    pub(crate) entry: &'static Entry,
    pub(crate) client: Side,
}

/// Whose a stream is.
pub(crate) enum Found {
    Yes(Claim<StreamEntry>),
    NeedMore,
    No,
}

/// The table in probe order: protocols whose port it is first.
fn in_order(ports: [u16; 2]) -> impl Iterator<Item = &'static Protocol> {
    let hinted = move |protocol: &Protocol| ports.iter().any(|port| protocol.ports.contains(port));
    let first = PROTOCOLS.iter().copied().filter(move |protocol| hinted(protocol));
    first.chain(PROTOCOLS.iter().copied().filter(move |protocol| !hinted(protocol)))
}

/// Asks the table whose stream this is.
pub(crate) fn stream(heads: &Heads<'_>, board: &Switchboard) -> Found {
    let mut found = Found::No;
    for protocol in in_order(heads.ports) {
        let Some(entry) = &protocol.stream else { continue };
        if board.is_off(protocol) {
            continue;
        }
        match (entry.probe)(heads) {
            Probe::Yes { client } => return Found::Yes(Claim { protocol, entry, client }),
            Probe::NeedMore => found = Found::NeedMore,
            Probe::No => {}
        }
    }
    found
}

/// Asks the table whose message this is.
pub(crate) fn message(message: &Datagram<'_>, board: &Switchboard) -> Option<Claim<MessageEntry>> {
    for protocol in in_order(message.ports) {
        let Some(entry) = &protocol.message else { continue };
        if board.is_off(protocol) {
            continue;
        }
        if let Probe::Yes { client } = (entry.probe)(message) {
            return Some(Claim { protocol, entry, client });
        }
    }
    None
}
