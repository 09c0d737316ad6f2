//! What has to hold of everything that a dissector tells, whatever it was told. What does not, panics: that is a find.

use wirewise_dissect::Out;
use wirewise_model::{Exchange, Limits};

/// What came of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heard {
    /// The protocols of the exchanges, one word each.
    pub protocols: Vec<String>,
    /// Bytes that were understood.
    pub understood: u64,
}

/// Longest text of one field. Nothing on the wire that becomes a text is allowed to be longer than a header block or a
/// body; several of them may be joined.
const LONGEST_TEXT: usize = 1 << 20;

/// Looks at exchanges that were told on a flow of `packets` packets.
pub(crate) fn look(out: &mut Out, packets: u64, limits: &Limits, heard: &mut Heard) {
    for exchange in out.exchanges.drain(..) {
        one(&exchange, packets, limits);
        heard.protocols.push(exchange.protocol.into_owned());
    }
    out.tls = None;
}

fn one(exchange: &Exchange, packets: u64, limits: &Limits) {
    let protocol = &exchange.protocol;
    assert!(wirewise_model::PROTOCOLS.contains(&&**protocol), "{protocol} is no word of the column");
    assert!(exchange.first().is_some(), "{protocol}: an exchange of no message");
    for message in [&exchange.request, &exchange.response].into_iter().flatten() {
        let track = &message.track;
        let ends = [track.first.packet, track.last.packet];
        for number in track.frames.numbers.iter().chain(&ends) {
            assert!((1..=packets).contains(&number.0), "{protocol} cites packet {} of {packets}", number.0);
        }
        assert!(track.first.at <= track.last.at, "{protocol}: a message ends before it begins");
        assert!(message.headers.len() <= limits.headers, "{protocol}: {} headers", message.headers.len());
        if let Some(body) = &message.body {
            assert!(body.kept.len() <= limits.body_kept, "{protocol}: {} bytes of a body", body.kept.len());
        }
    }
    let told = [&exchange.endpoint, &exchange.host, &exchange.status, &exchange.error];
    let told = told.into_iter().flatten().chain([&exchange.operation, &exchange.target]);
    for text in told {
        assert!(text.len() <= LONGEST_TEXT, "{protocol}: a text of {} bytes", text.len());
    }
    assert!(exchange.attributes.len() <= 1024, "{protocol}: {} attributes", exchange.attributes.len());
    assert!(exchange.notes.len() <= 256, "{protocol}: {} notes", exchange.notes.len());
}
