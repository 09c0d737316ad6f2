//! Capture filters: a useful part of the pcap-filter language, compiled for the kernel without libpcap.
//!
//! Understood: `host`, `net` (with a prefix length, `mask`, or fewer than four parts), `port`, `portrange`,
//! `src` and `dst` before them, the protocols `ip ip6 arp tcp udp sctp icmp icmp6`, `less` and `greater`,
//! `and or not` (`&& || !`) and parentheses. As in libpcap, `and` and `or` bind equally and to the left, and
//! a bare value repeats the qualifiers before it: `port 80 or 443`. Unlike libpcap's, a filter looks through
//! VLAN tags, and through every link type of the host's interfaces. Other words are refused, with a reason.

mod compile;
#[cfg(test)]
mod machine;
mod parse;

use std::net::SocketAddr;

pub(crate) use compile::{Instruction, compile};
use parse::{Test, Way};

/// A filter expression that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at character {at} of the filter: {message}")]
pub struct FilterError {
    /// Where, 1-based.
    pub at: usize,
    /// What was found, and what was expected.
    pub message: String,
}

/// Whether a filter expression can be used; says so before anything is opened.
pub fn check_filter(expression: &str) -> Result<(), FilterError> {
    let expression = parse::parse(expression)?;
    compile(&Selection { expression, own: &[], interfaces: None }).map(drop)
}

/// A condition on a frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Expression {
    /// Every frame.
    All,
    /// Both.
    And(Box<Expression>, Box<Expression>),
    /// One of the two, or both.
    Or(Box<Expression>, Box<Expression>),
    /// Not this.
    Not(Box<Expression>),
    /// A test of the frame.
    Is(Test),
}

impl Expression {
    pub(crate) fn parse(text: &str) -> Result<Self, FilterError> {
        parse::parse(text)
    }

    fn and(self, other: Self) -> Self {
        Self::And(Box::new(self), Box::new(other))
    }

    fn or(self, other: Self) -> Self {
        Self::Or(Box::new(self), Box::new(other))
    }
}

/// All that the kernel is asked to choose by.
pub(crate) struct Selection<'a> {
    /// What the user asked for.
    pub(crate) expression: Expression,
    /// Where this product itself listens: TCP to and from there is left out.
    pub(crate) own: &'a [SocketAddr],
    /// Indices of the interfaces to hear; `None` is all.
    pub(crate) interfaces: Option<&'a [u32]>,
}

/// Traffic of a TCP listener. One that listens on every address is told by its port alone.
fn own_traffic(listener: &SocketAddr) -> Expression {
    let port = |way| {
        Expression::Is(Test::Port { transports: &[6], way, from: listener.port(), to: listener.port() })
    };
    if listener.ip().is_unspecified() {
        return port(Way::Source).or(port(Way::Destination));
    }
    let host = |way| Expression::Is(Test::host(listener.ip(), way));
    let end = |way| host(way).and(port(way));
    end(Way::Source).or(end(Way::Destination))
}
