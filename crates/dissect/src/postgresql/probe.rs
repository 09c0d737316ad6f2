//! Whether a flow is PostgreSQL.

use wirewise_model::Side;

use super::parse::{Look, Startup, chain, startup};
use crate::{Heads, Probe};

pub(super) fn probe(heads: &Heads<'_>) -> Probe {
    let mut verdict = Probe::No;
    for side in [Side::A, Side::B] {
        let bytes = heads.of(side);
        if bytes.is_empty() {
            continue;
        }
        match startup(bytes) {
            Look::Found((_, Startup::Session { parameters, .. }))
                if super::parse::parameters(parameters).any(|(name, _)| name == b"user") =>
            {
                return Probe::Yes { client: side };
            }
            Look::Found((_, Startup::Session { .. })) => {}
            Look::Found((_, Startup::Ssl | Startup::GssEnc | Startup::Cancel)) => {
                return Probe::Yes { client: side };
            }
            Look::NeedMore if !heads.ended => verdict = Probe::NeedMore,
            Look::NeedMore | Look::No => {}
        }
        if heads.mid_stream {
            let hinted = heads.ports.iter().any(|port| super::PROTOCOL.ports.contains(port));
            for client in [true, false] {
                if chain(bytes, client).is_some_and(|chain| chain.sure || (hinted && chain.likely)) {
                    return Probe::Yes { client: if client { side } else { side.other() } };
                }
            }
        }
    }
    verdict
}
