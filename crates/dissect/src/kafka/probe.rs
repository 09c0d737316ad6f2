//! Knows Kafka by a request: a length, a key and a version that exist, a client id that is text, and a body
//! that is laid out as that version says, to its last byte where all of it is there.
//!
//! A response alone cannot be told from other things with a length in front, so a flow of which only answers
//! are heard is not claimed.

use wirewise_model::Side;

use super::apis;
use super::facts::Facts;
use super::parse::{self, Parsed, RequestHead};
use super::walk::{Walk, Way};
use crate::{Heads, Probe};

/// ApiVersions is sent in versions that the broker need not know, so newer ones than ours are met.
const NEWEST_API_VERSIONS: i16 = 15;
/// A client id must be so long to speak for a body that cannot be checked.
const TELLING_CLIENT_ID: usize = 3;
/// So much of a frame that is not whole must fit.
const ENOUGH: usize = 256;

/// What the first bytes of a side look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Request,
    No,
    NeedMore,
}

pub(super) fn probe(heads: &Heads<'_>) -> Probe {
    let sides = match heads.ports {
        // The port of brokers settles who asks, should both sides look like it.
        [9092, port] if port != 9092 => [Side::B, Side::A],
        _ => [Side::A, Side::B],
    };
    let (mut undecided, mut foreign) = (false, false);
    for side in sides {
        let bytes = heads.of(side);
        if bytes.is_empty() {
            continue;
        }
        match look(bytes, heads.ended) {
            Look::Request => return Probe::Yes { client: side },
            Look::NeedMore => undecided = true,
            // A frame of less than 16 MB begins so; what does not is no answer worth waiting for its
            // question.
            Look::No => foreign |= bytes.first() != Some(&0),
        }
    }
    if undecided && !foreign { Probe::NeedMore } else { Probe::No }
}

/// Whether a request begins here. `ended` where no more bytes can be had.
pub(super) fn look(bytes: &[u8], ended: bool) -> Look {
    let more = if ended { Look::No } else { Look::NeedMore };
    let head = match parse::request(bytes) {
        Parsed::Head(head) => head,
        Parsed::Short => return more,
        Parsed::No => return Look::No,
    };
    let Some(api) = apis::api(head.key) else { return Look::No };
    let newest = if api.key == apis::API_VERSIONS { NEWEST_API_VERSIONS } else { api.newest };
    if head.version > newest || head.correlation < 0 {
        return Look::No;
    }
    let named = head.client_id.is_some_and(|id| id.len() >= TELLING_CLIENT_ID);
    let rest = bytes.get(head.size..).unwrap_or_default();
    let whole = rest.len() as u64 >= head.left();
    let (walk, unread) = walk(&head, api, rest);
    match walk.way {
        Way::Lost => Look::No,
        Way::Enough if named => Look::Request,
        Way::Enough => Look::No,
        Way::Done if whole && unread == 0 => Look::Request,
        Way::Done => Look::No,
        Way::On if !named => more,
        Way::On if ended || bytes.len() >= ENOUGH => Look::Request,
        Way::On => Look::NeedMore,
    }
}

/// The walk over what is there of the body, and how much of the frame came after its end.
fn walk(head: &RequestHead<'_>, api: &'static apis::Api, rest: &[u8]) -> (Walk, usize) {
    let flexible = api.is_flexible(head.version);
    let mut walk = Walk::new(api.ask, head.version, flexible, flexible);
    let mut facts = Facts::default();
    let taken = walk.read_exactly(rest, head.left(), &mut facts);
    let inside = usize::try_from(head.left()).unwrap_or(usize::MAX).min(rest.len());
    (walk, inside.saturating_sub(taken))
}
