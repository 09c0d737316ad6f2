//! What may leave a node: hides credentials and personal data in a call, and makes the only type that the
//! rest of the house accepts. Fails closed: what was not understood is not kept.
//!
//! A value is hidden because of its name (`names`: headers, query and form fields, JSON keys), because of
//! what it looks like (`detect`: keys, JWTs, cards, passwords in URLs ...), or because it could not be read.
//! Passwords, PINs, cards and values short enough to guess become `[redacted:kind]`; others become
//! `[kind:xxxxxxxxxxxx]`, an HMAC under a key that stays outside the data directory, so that equal values
//! still join. What was hidden and where stands in `redactions` as `kind@place`.
//!
//! Bodies are kept where their type was parsed and scrubbed: JSON and its line forms, event streams with JSON
//! in them, forms and multipart forms. Plain text, XML and HTML are not: nobody can say where in them a
//! secret begins. Their type and length remain.

mod batch;
mod body;
mod clean;
mod detect;
mod header;
mod json;
mod kind;
mod names;
mod record;
mod redactor;
mod scrub;
mod text;
mod url;

pub use batch::{Batch, CaptureInfo, Loss, Open};
pub use kind::Key;
pub use record::{Attributed, FlowRecord, Heard, Payload, Record, RecordFields};
pub use redactor::{Policies, Redactor};
