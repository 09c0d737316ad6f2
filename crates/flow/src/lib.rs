//! From packets to what happens on a flow: bytes in order, messages, gaps, the end.
//!
//! [`FlowTable`] knows every flow under way, puts TCP segments in order, tells where bytes are missing, and
//! lets what falls silent time out. What a flow's bytes mean is for whoever listens: a [`Listener`] attaches a
//! value to each flow and is told its events in the order in which the flow made them.
//!
//! Follows RFC 9293 as far as a passive, lossy listener can: it never answers, hears one direction or the
//! other late, and trusts nobody. Time is that of the packets; nothing here reads a clock.

mod context;
mod event;
mod flow;
mod reorder;
mod rtt;
mod sctp;
mod slab;
mod table;
mod tcp;

pub use event::{EndReason, Event, Listener};
pub use flow::Flow;
pub use slab::FlowHandle;
pub use table::FlowTable;

#[cfg(test)]
mod tests;
