//! Stateless masks.
