//! An exchange becomes a call: its id, its ends, its key for meeting itself heard elsewhere.

use wirewise_dissect::Session;
use wirewise_flow::Flow;
use wirewise_model::{Call, CallId, CaptureId, Exchange, Side, Source, stable_hash};

/// The protocol whose bytes are ciphertext: what rides in it was encrypted on the wire.
const ENCRYPTED: &str = "tls";

/// The call that `exchange` is, heard on `flow`.
///
/// The id is a function of the bytes alone: the first message's time and its place (capture, flow, side,
/// offset). A revision has the request of the call that it revises, and so its id.
pub(crate) fn make(capture: &CaptureId, flow: &Flow, session: &Session, exchange: Exchange) -> Call {
    let asked_by_client = exchange.request.is_some();
    let side = if asked_by_client { exchange.client } else { exchange.client.other() };
    let offset = exchange.first().map_or(0, |message| message.track.offset);
    let salt = stable_hash(&[
        capture.0.as_bytes(),
        &flow.id.salt().to_le_bytes(),
        &flow.id.at().nanos().to_le_bytes(),
        &[side.index() as u8, u8::from(asked_by_client)],
        &offset.to_le_bytes(),
        exchange.protocol.as_bytes(),
    ]);
    let (client, server) = (flow.endpoint(exchange.client), flow.endpoint(exchange.client.other()));
    Call {
        id: CallId::new(exchange.started(), salt),
        flow: flow.id,
        transport: flow.key.transport,
        client,
        server,
        source: Source::Packets,
        encrypted: session.protocol().is_some_and(|protocol| protocol.name == ENCRYPTED),
        exchange_key: exchange_key(&exchange, flow, side),
        exchange,
    }
}

/// Equal for one exchange wherever its packets were heard: a function of what no hop changes. Addresses may be
/// translated on the way; the raw sequence number of its first byte, and what it says, are not.
fn exchange_key(exchange: &Exchange, flow: &Flow, side: Side) -> u64 {
    let (offset, bytes) =
        exchange.first().map_or((0, 0), |message| (message.track.offset, message.track.bytes));
    let place = match flow.first_sequence(side) {
        Some(sequence) => u64::from(sequence.wrapping_add(offset as u32)),
        None => offset,
    };
    stable_hash(&[
        exchange.protocol.as_bytes(),
        exchange.operation.as_bytes(),
        exchange.target.as_bytes(),
        &place.to_le_bytes(),
        &bytes.to_le_bytes(),
    ])
}
