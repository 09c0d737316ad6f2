//! What HTTP says in any version, RFC 9110: codings of content, bodies kept within bounds, and what fields and status
//! codes mean for an exchange. Versions bring framing and pairing, and use this.

mod coding;
mod content;
mod semantics;
mod texts;

pub(crate) use coding::Coding;
pub(crate) use content::{BodyBounds, Content};
pub(crate) use semantics::{clip, conclude_bodies, interim, kind, outcome, trace};
pub(crate) use texts::json_texts;
