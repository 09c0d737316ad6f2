//! Conversations in, exchanges out, by way of [`crate::Session`], as the pipeline does it.

mod entered;
mod hostile;
mod losses;
mod streams;
pub(crate) mod talk;
