//! The table of flows: finds a packet's flow, opens and closes flows, lets time pass.

use wirewise_model::{
    Books, CaptureId, FlowId, FlowKey, Limits, Mark, Reason, Side, Stage, Timestamp, Transport, stable_hash,
};
use wirewise_wire::{ChunkKind, Icmp, L4, Packet, Tcp};

use crate::context::{Context, Shared};
use crate::flow::Phase;
use crate::slab::{List, Slab};
use crate::tcp::{self, TcpSide};
use crate::{EndReason, Event, Flow, FlowHandle, Listener};

/// Bytes that wait for others before them.
const BUFFERED: Reason = Reason::skip("buffered");

/// Every flow under way, each with a `T` attached.
#[derive(Debug)]
pub struct FlowTable<T> {
    slab: Slab<T>,
    shared: Shared,
    capture: CaptureId,
}

impl<T> FlowTable<T> {
    /// An empty table for one capture.
    pub fn new(limits: &Limits, capture: &CaptureId) -> Self {
        let shared = Shared {
            limits: limits.clone(),
            books: Books::new(Stage::Flow),
            buffered: 0,
            cost: 0,
            holes: Default::default(),
        };
        Self { slab: Slab::new(), shared, capture: capture.clone() }
    }

    /// Flows in the table, ended ones that are still waited on included.
    pub fn len(&self) -> usize {
        self.slab.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A flow by its handle, as long as it is in the table.
    pub fn get_mut(&mut self, handle: FlowHandle) -> Option<(&mut Flow, &mut T)> {
        self.slab.by_handle(handle).map(|slot| (&mut slot.flow, &mut slot.attached))
    }

    /// All flows, in no order.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (&mut Flow, &mut T)> {
        self.slab.iter_mut().map(|slot| (&mut slot.flow, &mut slot.attached))
    }

    /// The books of [`Stage::Flow`]: payload bytes as captured, against those told in order.
    pub fn books(&self) -> Books {
        let mut books = self.shared.books.clone();
        books.drop(BUFFERED, self.shared.buffered as u64);
        books
    }

    /// Takes one packet.
    pub fn push(&mut self, packet: &Packet<'_>, on: &mut impl Listener<T>) {
        let known = self.slab.find(&packet.key);
        let known = known.filter(|&(at, side)| {
            let flow = &self.slab.slot(at).flow;
            let anew = match &packet.l4 {
                L4::Tcp(tcp) => tcp::begins_anew(flow, side, tcp),
                L4::Sctp(sctp) => {
                    flow.phase.is_over() && sctp.chunks().any(|chunk| chunk.kind == ChunkKind::INIT)
                }
                L4::Udp(_) | L4::Icmp(_) => false,
            };
            if anew {
                self.close_replaced(at, on);
            }
            !anew
        });
        let (at, side) = known.unwrap_or_else(|| (self.open(packet, on), Side::A));
        let slot = self.slab.slot_mut(at);
        let (flow, attached) = (&mut slot.flow, &mut slot.attached);
        // Captures of several interfaces step back in time a little: the last packet is the latest.
        if packet.last.at >= flow.last_heard {
            (flow.last_packet, flow.last_heard) = (packet.last.packet, packet.last.at);
        }
        let mut context = Context { flow, attached, shared: &mut self.shared, on };
        match &packet.l4 {
            L4::Tcp(tcp) => {
                context.flow.count(side, packet.payload_len);
                context.tcp(side, packet, tcp);
            }
            L4::Sctp(sctp) => {
                let announced = context.sctp(side, packet, sctp);
                context.flow.count(side, announced);
            }
            L4::Udp(_) | L4::Icmp(_) => {
                context.flow.count(side, packet.payload_len);
                context.datagram(side, packet);
            }
        }
        let list = list_of(context.flow);
        self.slab.touch(at, list);
        if let L4::Icmp(Icmp { kind, code, quoted: Some(quoted) }) = packet.l4
            && let Some(reach) = reach(packet.key.transport, kind, code)
        {
            self.refuse(&quoted, reach, packet.last.at, (kind, code), on);
        }
    }

    /// Lets time pass: holes and silent flows time out. Costs what it closes.
    pub fn tick(&mut self, now: Timestamp, on: &mut impl Listener<T>) {
        let mut due = self.shared.holes.iter().take_while(|(deadline, ..)| *deadline <= now).count();
        while due > 0
            && let Some((_, handle, side)) = self.shared.holes.pop_front()
        {
            due -= 1;
            if let Some(slot) = self.slab.by_handle(handle) {
                let (flow, attached) = (&mut slot.flow, &mut slot.attached);
                Context { flow, attached, shared: &mut self.shared, on }.hole_due(side, now);
                let list = list_of(&self.slab.slot(handle.index).flow);
                if self.slab.slot(handle.index).list != list {
                    self.slab.touch(handle.index, list);
                }
            }
        }
        for list in List::ALL {
            let idle = list.idle(&self.shared.limits);
            while let Some(at) = self.slab.oldest(list) {
                if now.since(self.slab.slot(at).flow.last_heard) < idle {
                    break;
                }
                self.close(at, EndReason::TimedOut, on);
            }
        }
    }

    /// The capture has ended: all flows are closed, in the order in which they fell silent.
    pub fn finish(&mut self, on: &mut impl Listener<T>) {
        while let Some(at) = self.oldest() {
            self.close(at, EndReason::CaptureEnded, on);
        }
        self.shared.holes.clear();
    }

    fn oldest(&self) -> Option<u32> {
        let fronts = List::ALL.into_iter().filter_map(|list| self.slab.oldest(list));
        fronts.min_by_key(|&at| self.slab.slot(at).flow.last_heard)
    }

    fn open(&mut self, packet: &Packet<'_>, on: &mut impl Listener<T>) -> u32 {
        while self.slab.len() >= self.shared.limits.flows.max(1)
            && let Some(oldest) = self.oldest()
        {
            self.close(oldest, EndReason::Evicted, on);
        }
        let flow = new_flow(packet, &self.capture, self.slab.next_handle());
        let attached = on.open(&flow);
        let list = list_of(&flow);
        self.slab.insert(flow, attached, list)
    }

    /// Tells the end of a flow, if it was not told before, and forgets it.
    fn close(&mut self, at: u32, why: EndReason, on: &mut impl Listener<T>) {
        let (mut flow, mut attached) = self.slab.remove(at);
        let last = Mark { at: flow.last_heard, packet: flow.last_packet };
        if flow.ended.is_none() {
            if why == EndReason::Evicted {
                flow.note("evicted");
            }
            let (flow, attached) = (&mut flow, &mut attached);
            let mut context = Context { flow, attached, shared: &mut self.shared, on };
            context.finish_sides(last.at);
            context.drop_sctp_parts();
            context.end(None, why, last);
        }
        let summary = flow.summary();
        on.close(&flow, attached, summary);
    }

    fn close_replaced(&mut self, at: u32, on: &mut impl Listener<T>) {
        let flow = &mut self.slab.slot_mut(at).flow;
        if flow.ended.is_none() {
            flow.note("ports_reused");
        }
        self.close(at, EndReason::TimedOut, on);
    }

    /// An ICMP error says that packets of `quoted` did not arrive.
    fn refuse(
        &mut self,
        quoted: &FlowKey,
        reach: Reach,
        at: Timestamp,
        (kind, code): (u8, u8),
        on: &mut impl Listener<T>,
    ) {
        let Some((index, sender)) = self.slab.find(quoted) else { return };
        let slot = self.slab.slot_mut(index);
        let (flow, attached) = (&mut slot.flow, &mut slot.attached);
        let by = sender.other();
        match reach {
            Reach::Refused => flow.refused_by = Some(by),
            Reach::NoWay => flow.note("unreachable"),
        }
        Context { flow, attached, shared: &mut self.shared, on }.tell(Event::Refused { at, by, kind, code });
    }
}

impl<T, L: Listener<T> + ?Sized> Context<'_, T, L> {
    fn datagram(&mut self, side: Side, packet: &Packet<'_>) {
        let captured = packet.payload.len() as u64;
        self.shared.books.take(captured);
        self.shared.books.pass(captured);
        let Packet { payload: bytes, payload_len: original_len, mark, last, .. } = *packet;
        self.tell(Event::Message { side, bytes, original_len, mark, last });
    }
}

/// What an ICMP error says of the end that a packet did not reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// Nobody is there to take it, or somebody on the way forbids it.
    Refused,
    /// No way leads there just now. RFC 1122, 4.2.3.9 and RFC 9293, 3.9.2.2 call such errors soft: whoever gets
    /// one must go on, since ways come back.
    NoWay,
}

/// Hard errors are those of RFC 1122, 4.2.3.9 (protocol, port) and of RFC 5461 for ICMPv6, and those by which
/// firewalls refuse ("prohibited": RFC 1812, 5.2.7.1 and RFC 4443, 3.1). "Fragmentation needed" says nothing of
/// who is there.
fn reach(transport: Transport, kind: u8, code: u8) -> Option<Reach> {
    match (transport, kind, code) {
        (Transport::Icmp, 3, 4) => None,
        (Transport::Icmp, 3, 2 | 3 | 9 | 10 | 13) | (Transport::Icmpv6, 1, 1 | 4 | 5 | 6) => {
            Some(Reach::Refused)
        }
        (Transport::Icmp, 3, _) | (Transport::Icmpv6, 1, _) => Some(Reach::NoWay),
        _ => None,
    }
}

fn list_of(flow: &Flow) -> List {
    match (flow.key.transport, flow.phase) {
        (Transport::Tcp | Transport::Sctp, Phase::Established) => List::Established,
        (Transport::Tcp, _)
        | (Transport::Sctp, Phase::Opening | Phase::Closed | Phase::Reset | Phase::Refused) => List::Brief,
        _ => List::Datagram,
    }
}

/// How a flow that begins with this packet begins: who opened it, its phase, whether its start was missed.
fn beginning(packet: &Packet<'_>) -> (Option<Side>, Phase, bool) {
    match &packet.l4 {
        L4::Tcp(Tcp { flags, .. }) if flags.syn() && !flags.rst() => {
            let opener = if flags.ack() { Side::B } else { Side::A };
            (Some(opener), Phase::Opening, false)
        }
        L4::Tcp(_) => (None, Phase::Established, true),
        L4::Sctp(sctp) => match sctp.chunks().next().map(|chunk| chunk.kind) {
            Some(ChunkKind::INIT) => (Some(Side::A), Phase::Opening, false),
            Some(ChunkKind::INIT_ACK) => (Some(Side::B), Phase::Opening, false),
            _ => (None, Phase::Established, true),
        },
        L4::Udp(_) => {
            let answered_first = Flow::guess_client(&packet.key) == Side::B;
            (None, Phase::Datagram, answered_first)
        }
        L4::Icmp(_) => (None, Phase::Datagram, false),
    }
}

fn new_flow(packet: &Packet<'_>, capture: &CaptureId, handle: FlowHandle) -> Flow {
    let (opener, phase, mid_stream) = beginning(packet);
    Flow {
        handle,
        id: flow_id(packet, capture),
        key: packet.key,
        opener,
        mid_stream,
        calls: 0,
        tls: None,
        first_packet: packet.mark.packet,
        last_packet: packet.last.packet,
        last_heard: packet.last.at,
        client: opener.unwrap_or_else(|| Flow::guess_client(&packet.key)),
        phase,
        closed_by: None,
        refused_by: None,
        ended: None,
        bytes: [0; 2],
        packets: [0; 2],
        tcp: [TcpSide::default(); 2],
        handshake: u32::MAX,
        timed: None,
        timed_end: 0,
        timed_at: 0,
        more: None,
    }
}

/// The first packet's number is in it: of one key, no two flows begin with the same packet.
fn flow_id(packet: &Packet<'_>, capture: &CaptureId) -> FlowId {
    let key = packet.key.canonical().0;
    let mut bytes = Vec::with_capacity(48);
    bytes.push(key.transport as u8);
    bytes.extend(key.scope.to_le_bytes());
    for end in [key.from, key.to] {
        match end.ip {
            std::net::IpAddr::V4(ip) => bytes.extend(ip.octets()),
            std::net::IpAddr::V6(ip) => bytes.extend(ip.octets()),
        }
        bytes.extend(end.port.to_le_bytes());
    }
    let number = packet.mark.packet.0.to_le_bytes();
    FlowId::new(packet.mark.at, stable_hash(&[capture.0.as_bytes(), &bytes, &number]))
}
