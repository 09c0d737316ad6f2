//! Behaviour of the scorer as a whole.
