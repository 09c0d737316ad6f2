//! Tests of the whole.
pub(crate) mod faults;
