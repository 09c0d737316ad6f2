//! One packet as it was heard, and whether bytes are packets at all.

use smallvec::SmallVec;
use wirewise_model::Track;

use super::parse::{
    self, AUTH, CONNACK, CONNECT, Connect, DISCONNECT, Filters, Fixed, PINGREQ, PINGRESP, PUBACK, PUBCOMP,
    PUBLISH, PUBREC, PUBREL, Properties, Publish, SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE,
};

/// Codes of one SUBACK that are kept.
const MOST_CODES: usize = 64;

/// What a packet says.
#[derive(Debug)]
pub(super) enum Said {
    Connect(Box<Connect>),
    Connack(u8, Properties),
    Publish(Publish),
    /// Identifier and reason.
    Ack(u16, u8, Properties),
    Filters(Filters),
    Codes(u16, SmallVec<[u8; 8]>),
    Reason(Option<u8>, Properties),
    Nothing,
}

/// A packet.
#[derive(Debug)]
pub(super) struct Packet {
    pub(super) fixed: Fixed,
    pub(super) track: Track,
    pub(super) said: Said,
    /// Bytes of payload.
    pub(super) payload: u64,
    /// It could not be read.
    pub(super) malformed: bool,
    /// Bytes of it were lost.
    pub(super) holed: bool,
}

/// Reads a packet's body, or as much of it as there is. `None` where it cannot be read, or where that is too little.
/// `filters` tells for how many filters a subscription asked.
pub(super) fn read(
    fixed: Fixed,
    body: &[u8],
    version: Option<u8>,
    filters: impl Fn(u16) -> Option<u32>,
) -> Option<Said> {
    Some(match fixed.kind {
        CONNECT => Said::Connect(Box::new(parse::connect(body)?)),
        CONNACK => {
            let (code, properties) = parse::connack(body)?;
            Said::Connack(code, properties)
        }
        PUBLISH => Said::Publish(parse::publish(body, fixed.qos(), version)?),
        PUBACK | PUBREC | PUBREL | PUBCOMP => {
            let (id, code, properties) = parse::acknowledgement(body)?;
            Said::Ack(id, code, properties)
        }
        SUBSCRIBE | UNSUBSCRIBE => Said::Filters(parse::filters(body, fixed.kind == SUBSCRIBE, version)?),
        SUBACK | UNSUBACK => {
            let id = body.first_chunk::<2>().map(|id| u16::from_be_bytes(*id))?;
            let count = if fixed.kind == SUBACK { filters(id) } else { None };
            let (id, codes) = parse::codes(body, count, version)?;
            Said::Codes(id, codes.iter().copied().take(MOST_CODES).collect())
        }
        PINGREQ | PINGRESP => Said::Nothing,
        DISCONNECT | AUTH => {
            let (code, properties) = parse::reason(body);
            Said::Reason(code, properties)
        }
        _ => return None,
    })
}

/// How many packets a segment is, each as it must be; the last may be a PUBLISH that is not whole. `None` where it is
/// anything else.
pub(super) fn count(bytes: &[u8]) -> Option<usize> {
    let (mut at, mut found) = (0, 0);
    while at < bytes.len() {
        let fixed = Fixed::parse(&bytes[at..]).ok()??;
        let body = &bytes[at + fixed.head..];
        let whole = body.len() >= fixed.remaining as usize;
        if !fixed.is_plausible() || (!whole && fixed.kind != PUBLISH) {
            return None;
        }
        let body = &body[..body.len().min(fixed.remaining as usize)];
        let reads = match fixed.kind {
            PUBLISH => has_topic(body),
            CONNECT => parse::connect(body).is_some(),
            _ => true,
        };
        if !reads {
            return None;
        }
        at += fixed.head + body.len();
        found += 1;
    }
    (found > 0).then_some(found)
}

/// Whether a PUBLISH begins with a topic as they are: printable, without wildcards.
fn has_topic(body: &[u8]) -> bool {
    let Some((len, rest)) = body.split_first_chunk::<2>() else { return false };
    let Some(topic) = rest.get(..usize::from(u16::from_be_bytes(*len))) else { return false };
    !topic.is_empty() && topic.iter().all(|byte| *byte >= b' ' && !matches!(byte, b'+' | b'#' | 0x7f))
}
