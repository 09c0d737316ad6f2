//! NAME: say what it is, which document it follows, and how it finds its feet again after a gap.

use wirewise_model::Redaction;

use crate::{Heads, Probe, Protocol};

/// The table's entry. A protocol that claims nothing yet: fill in `stream`, `message` or `refine`.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "NAME",
    title: "NAME",
    reference: "",
    ports: &[],
    redaction: Redaction::Text,
    stream: None,
    message: None,
    refine: None,
};

/// Whether a flow is this protocol, by its first bytes.
#[expect(dead_code, reason = "goes away when the table's entry uses it")]
fn probe(_heads: &Heads<'_>) -> Probe {
    Probe::No
}
