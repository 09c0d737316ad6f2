//! The parser: walks a frame, has fragments put together, drops copies, keeps the books.

use std::hash::{BuildHasher, Hasher};

use foldhash::fast::FixedState;
use wirewise_model::{Books, Direction, Frame, Limits, Mark, Reason, Stage, Timestamp, Transport};

use crate::duplicates::{self, Duplicates};
use crate::fragments::{Dropped, Fragment, Fragments};
use crate::ip::{self, Found, FragmentAt, IpHead, L4Head, Located, Nest};
use crate::link::{self, Ear};
use crate::packet::{L4, Packet, Parsed};
use crate::reasons::{DUPLICATE, FRAGMENTS_HELD, REASSEMBLED};
use crate::sctp::Sctp;
use crate::view::View;

/// Fixed, so that the same capture always gives the same result.
const FINGERPRINT_SEED: u64 = 0x7769_7265_7769_7365;

/// Turns frames into packets of the innermost flow.
///
/// Flow keys have scope 0, whatever tags and tunnels a packet came through. A flow may be tagged in one
/// direction only (asymmetric VLANs), may be heard on a veth bare and on the uplink in VXLAN, and Cilium puts
/// the sender's security identity where Geneve has its network id, so the two directions differ: each would
/// split flows. Tenants with equal addresses *and* ports at one listener at one time are rarer than all these.
#[derive(Debug)]
pub struct Parser {
    tunnels: usize,
    fragments: Fragments,
    duplicates: Duplicates,
    hasher: FixedState,
    books: Books,
    dropped: Vec<Dropped>,
    /// The datagram that was made whole last; packets borrow from it.
    whole: Vec<u8>,
}

/// What a walk ended in, without anything borrowed.
enum Outcome {
    Packet { located: Located, fingerprint: u64, first: Mark, from_whole: bool },
    Skip(Reason),
    Held,
}

impl Parser {
    /// A parser with nothing heard yet.
    pub fn new(limits: &Limits) -> Self {
        Self {
            tunnels: limits.tunnels,
            fragments: Fragments::new(limits),
            duplicates: Duplicates::new(limits.duplicate_wait),
            hasher: FixedState::with_seed(FINGERPRINT_SEED),
            books: Books::new(Stage::Wire),
            dropped: Vec::new(),
            whole: Vec::new(),
        }
    }

    /// Parses one frame. Frames should come roughly in the order of their times.
    pub fn parse<'a>(&'a mut self, frame: &Frame<'a>) -> Parsed<'a> {
        self.books.take(1);
        let mark = Mark { at: frame.at, packet: frame.number };
        let ear = link::ear(frame.link, frame.bytes);
        let outcome = self.walk(frame, mark, ear);
        self.settle();
        match outcome {
            Outcome::Packet { located, fingerprint, first, from_whole } => {
                self.books.pass(1);
                let buffer: &'a [u8] = if from_whole { &self.whole } else { frame.bytes };
                let direction = match frame.direction {
                    Direction::Unknown => ear.direction,
                    told => told,
                };
                let payload = &buffer[located.payload.0..located.payload.1];
                Parsed::Packet(Packet {
                    mark: first,
                    last: mark,
                    interface: frame.interface,
                    direction,
                    key: located.key,
                    l4: match located.l4 {
                        L4Head::Tcp(tcp) => L4::Tcp(tcp),
                        L4Head::Udp(udp) => L4::Udp(udp),
                        L4Head::Icmp(icmp) => L4::Icmp(icmp),
                        L4Head::Sctp { tag } => L4::Sctp(Sctp { tag, bytes: payload }),
                    },
                    payload,
                    payload_len: located.payload_wire,
                    fingerprint,
                    tunnelled: located.tunnelled,
                })
            }
            Outcome::Skip(reason) => {
                self.books.drop(reason, 1);
                Parsed::Skip(reason)
            }
            Outcome::Held => Parsed::Held,
        }
    }

    /// Lets fragments time out.
    pub fn tick(&mut self, now: Timestamp) {
        self.fragments.expire(now, &mut self.dropped);
        self.settle();
    }

    /// The capture has ended: what waits will not be whole any more.
    pub fn finish(&mut self) {
        self.fragments.finish(&mut self.dropped);
        self.settle();
    }

    /// The books of [`Stage::Wire`]; fragments that wait stand under `fragments_held`.
    pub fn books(&self) -> Books {
        let mut books = self.books.clone();
        books.drop(FRAGMENTS_HELD, self.fragments.held());
        books
    }

    fn settle(&mut self) {
        for (reason, frames) in self.dropped.drain(..) {
            self.books.drop(reason, frames);
        }
    }

    fn walk(&mut self, frame: &Frame<'_>, mark: Mark, ear: Ear) -> Outcome {
        let ear: duplicates::Ear = (frame.interface.0, ear.sub);
        let nest = Nest { left: self.tunnels.saturating_add(1), tunnelled: false };
        let wire = usize::try_from(frame.original_len).unwrap_or(usize::MAX);
        let mut found = link::walk(frame.link, View::new(frame.bytes, wire), nest);
        let (mut first, mut from_whole) = (mark, false);
        // Each round goes one level down, or ends.
        loop {
            let buffer: &[u8] = if from_whole { &self.whole } else { frame.bytes };
            let fragment = match found {
                Ok(Found::Transport(located)) => {
                    let fingerprint = fingerprint(&self.hasher, &located, buffer);
                    if self.duplicates.is_copy(fingerprint, ear, frame.at) {
                        return Outcome::Skip(DUPLICATE);
                    }
                    return Outcome::Packet { located, fingerprint, first, from_whole };
                }
                Ok(Found::Fragment(fragment)) => fragment,
                Err(reason) => return Outcome::Skip(reason),
            };
            let fingerprint = fragment_fingerprint(&self.hasher, &fragment, buffer);
            if self.duplicates.is_copy(fingerprint, ear, frame.at) {
                return Outcome::Skip(DUPLICATE);
            }
            let FragmentAt { ip, offset, more, data, wire, nest } = fragment;
            let bytes = &buffer[data.0..data.1];
            if bytes.len() < wire && offset == 0 {
                // Its datagram cannot be made whole any more, but its first part tells the flow.
                let view = View { at: data.0, bytes, wire };
                found = nest.down().and_then(|nest| ip::payload(view, ip, nest));
                continue;
            }
            let fragment = Fragment { ip, offset, more, bytes, wire, nest, mark: first };
            let Some(whole) = self.fragments.push(fragment, &mut self.dropped) else {
                // Held, or already booked as lost.
                return Outcome::Held;
            };
            self.books.drop(REASSEMBLED, whole.frames - 1);
            (self.whole, first, from_whole) = (whole.bytes, whole.first, true);
            // A copy that was heard in one piece has no identification in IPv6.
            let ip = if whole.ip.src.is_ipv6() { IpHead { id: 0, ..whole.ip } } else { whole.ip };
            let view = View::new(&self.whole, self.whole.len());
            found = whole.nest.down().and_then(|nest| ip::payload(view, ip, nest));
        }
    }
}

/// Hash of what stays the same along the way.
fn fingerprint(state: &FixedState, located: &Located, buffer: &[u8]) -> u64 {
    let segment = &buffer[located.segment.0..located.segment.1];
    let (sum, length) = match located.key.transport {
        Transport::Tcp => (16, 2),
        Transport::Udp => (6, 2),
        Transport::Icmp | Transport::Icmpv6 => (2, 2),
        Transport::Sctp => (8, 4),
    };
    let (head, rest) = segment.split_at(sum.min(segment.len()));
    let tail = &rest[length.min(rest.len())..];
    hash(state, &located.ip, located.segment_wire, head, tail)
}

fn fragment_fingerprint(state: &FixedState, fragment: &FragmentAt, buffer: &[u8]) -> u64 {
    let data = &buffer[fragment.data.0..fragment.data.1];
    let place = (fragment.offset as u64) << 1 | u64::from(fragment.more);
    hash(state, &fragment.ip, fragment.wire, &place.to_le_bytes(), data)
}

fn hash(state: &FixedState, ip: &IpHead, wire: usize, head: &[u8], tail: &[u8]) -> u64 {
    use std::hash::Hash;
    let mut hasher = state.build_hasher();
    ip.hash(&mut hasher);
    hasher.write_usize(wire);
    hasher.write(head);
    hasher.write(tail);
    hasher.finish()
}
