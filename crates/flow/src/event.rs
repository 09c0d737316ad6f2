//! What a listener is told.

use wirewise_model::{FlowSummary, Mark, Side, Timestamp};

use crate::Flow;

/// Something that happened on a flow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// The next bytes of one side's TCP stream, in order, each once.
    Bytes {
        /// Who sent them.
        side: Side,
        /// The bytes; never empty.
        bytes: &'a [u8],
        /// The packet that brought them.
        mark: Mark,
    },
    /// A datagram, an ICMP message (header included), or a message of SCTP.
    Message {
        /// Who sent it.
        side: Side,
        /// What was captured of it.
        bytes: &'a [u8],
        /// How long it was on the wire.
        original_len: usize,
        /// The packet that brought it, or its first part.
        mark: Mark,
        /// The packet that brought its last part.
        last: Mark,
    },
    /// Bytes of one side's stream that will not come. What follows stands behind them.
    Gap {
        /// Who sent them.
        side: Side,
        /// How many.
        len: u64,
        /// When they were given up.
        at: Timestamp,
    },
    /// One side (FIN) or the whole flow is over.
    End {
        /// Which side; none is both.
        side: Option<Side>,
        /// How.
        why: EndReason,
        /// The packet that ended it, or the last that was heard.
        mark: Mark,
    },
    /// An ICMP error says that this flow's packets did not arrive.
    Refused {
        /// When.
        at: Timestamp,
        /// The side that could not be reached.
        by: Side,
        /// ICMP or ICMPv6 type, as the flow's addresses tell which.
        kind: u8,
        /// ICMP code.
        code: u8,
    },
}

/// Why a flow, or one side of it, is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// FIN, or an orderly shutdown of SCTP.
    Fin,
    /// RST or ABORT.
    Reset,
    /// It fell silent, or its ports were taken by a new connection.
    TimedOut,
    /// The capture ended while it was open.
    CaptureEnded,
    /// The flow table was full.
    Evicted,
}

/// Whoever wants to know what happens on flows. `T` is what it attaches to each.
pub trait Listener<T> {
    /// A flow was heard for the first time; gives what is attached to it. Its first event follows.
    fn open(&mut self, flow: &Flow) -> T;
    /// Something happened on it.
    fn event(&mut self, flow: &mut Flow, attached: &mut T, event: Event<'_>);
    /// It is forgotten. Its end was told before, by an event; packets that came after the end are counted.
    fn close(&mut self, flow: &Flow, attached: T, summary: FlowSummary);
}
