//! TCP as heard from beside the path: RFC 9293 for the life of a connection, with patience for what is lost.
//!
//! A hole is waited for `Limits::gap_wait` of capture time or `gap_packets` packets, or until waiting costs
//! more than `reorder_bytes` or `buffered_bytes`. An acknowledgement of bytes that were not heard says that
//! they arrived there and were lost here; a few more packets are waited for even then, since the two
//! directions of a capture may be out of step. First bytes win where segments overlap.
//!
//! What a side says after it has acknowledged bytes that were not heard yet waits with them: until they are heard, or
//! their hole is stepped over. So a question is told before its answer, though the capture has them the other way round
//! (several queues of a device, several interfaces), and where the question was lost its gap is told before the answer.

use wirewise_model::{Mark, Reason, Side, Timestamp};
use wirewise_wire::{Packet, Tcp};

use crate::context::Context;
use crate::flow::Phase;
use crate::reorder::{Incoming, Reorder};
use crate::{EndReason, Event, Flow, Listener};

/// Heard before: a retransmission, a keep-alive, a probe of a closed window.
const RETRANSMITTED: Reason = Reason::skip("retransmitted");
/// The part of a segment that was heard before.
const OVERLAPPING: Reason = Reason::skip("overlapping");
/// Came after the gap that it belongs to had been declared.
const AFTER_GAP: Reason = Reason::loss("after_gap");
/// Too far ahead to belong to the connection.
const OUT_OF_WINDOW: Reason = Reason::loss("out_of_window");
/// Behind the sender's own FIN.
const AFTER_FIN: Reason = Reason::skip("after_fin");
/// After the connection had ended.
const AFTER_END: Reason = Reason::skip("after_end");
/// Padding of a short Ethernet frame that a capturing device counted into IP's length.
const PADDING: Reason = Reason::skip("padding");
/// The text that a RST may carry (RFC 9293, 3.5.3).
const IN_RESET: Reason = Reason::skip("reset_payload");

/// Packets to wait for bytes that the far end has acknowledged. Captures of two directions are seldom out of
/// step by more.
const ACKED_PACKETS: u32 = 8;
/// A longer segment is a lie: BIG TCP stops at 512 KiB.
const MOST_SEGMENT: usize = 16 << 20;
/// Windows are taken to be at least this, since segments that changed them may have been lost.
const LEAST_WINDOW: u32 = 65_535;
/// How far ahead anything may be where no window is known. RFC 7323 allows windows up to 2^30.
const MOST_WINDOW: u32 = 1 << 30;
/// The shift where the handshake was not heard.
const UNKNOWN_SCALE: u8 = 14;

/// What is kept of one side.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TcpSide {
    /// The sequence number before the first byte.
    pub(crate) isn: u32,
    /// The next byte that is due.
    pub(crate) next: u32,
    /// The highest acknowledgement that this side sent.
    acked: u32,
    window: u16,
    scale: u8,
    flags: u8,
}

/// A sequence number of this side is known.
const HEARD: u8 = 1;
/// It is known from the other side's acknowledgements only.
const GUESSED: u8 = 2;
/// Its SYN was heard.
const SYN: u8 = 4;
/// Its FIN was reached in order.
const FIN: u8 = 8;
/// It has acknowledged something.
const ACKS: u8 = 16;
/// Its SYN offered window scaling.
const SCALES: u8 = 32;
/// Its hole stands in the queue of holes.
const QUEUED: u8 = 64;

impl TcpSide {
    pub(crate) fn is_heard(&self) -> bool {
        self.has(HEARD)
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    fn set(&mut self, flag: u8) {
        self.flags |= flag;
    }

    fn clear(&mut self, flag: u8) {
        self.flags &= !flag;
    }

    /// Its stream begins behind `isn`, as far as is known.
    fn begin(&mut self, isn: u32, flags: u8) {
        self.clear(GUESSED);
        self.set(HEARD | flags);
        (self.isn, self.next) = (isn, isn.wrapping_add(1));
    }
}

/// `a - b` on the circle of sequence numbers.
fn distance(a: u32, b: u32) -> i32 {
    a.wrapping_sub(b) as i32
}

/// Whether a segment without data was padded by a device that then wrote the padded length into the IP header
/// (met in nDPI's heuristic_tcp_ack_payload, on handshakes too). No sender ends a write with so few zeros and
/// without PSH, and to take them for the stream would put every byte that follows in the wrong place.
fn is_padding(packet: &Packet<'_>, tcp: &Tcp) -> bool {
    /// RST, PSH, URG.
    const WITH_DATA: u8 = 0x04 | 0x08 | 0x20;
    /// The least Ethernet payload, less the headers of IPv4 and TCP.
    const MOST: usize = 46 - 40;
    (1..=MOST).contains(&packet.payload_len)
        && tcp.flags.0 & WITH_DATA == 0
        && packet.key.from.ip.is_ipv4()
        && packet.payload.iter().all(|&byte| byte == 0)
}

/// Whether a packet on this flow's ports begins another connection: a SYN with another initial sequence
/// number (a retransmitted one has the same), or a SYN-ACK of such a one after the end of this.
pub(crate) fn begins_anew(flow: &Flow, side: Side, tcp: &Tcp) -> bool {
    let known = &flow.tcp[side.index()];
    let other_isn = known.has(HEARD) && known.isn != tcp.seq;
    match (tcp.flags.syn() && !tcp.flags.rst(), tcp.flags.ack()) {
        (false, _) => false,
        (true, false) => other_isn,
        (true, true) => other_isn && flow.phase.is_over(),
    }
}

impl<T, L: Listener<T> + ?Sized> Context<'_, T, L> {
    /// Takes one segment.
    pub(crate) fn tcp(&mut self, side: Side, packet: &Packet<'_>, tcp: &Tcp) {
        let (now, flags) = (packet.last.at, tcp.flags);
        self.shared.books.take(packet.payload.len() as u64);
        self.hear_again();
        if flags.syn() {
            self.syn(side, tcp);
        }
        if tcp.window == 0 && !flags.syn() && !flags.fin() && !flags.rst() {
            self.flow.rare().counters[side.index()].zero_windows += 1;
        }
        if flags.rst() {
            self.shared.books.drop(IN_RESET, packet.payload.len() as u64);
            self.rst(side, tcp, packet.last);
            return;
        }
        let mine = &mut self.flow.tcp[side.index()];
        mine.window = tcp.window;
        if !mine.has(HEARD) {
            mine.begin(tcp.seq.wrapping_sub(1), 0);
        } else if mine.has(GUESSED) {
            // An acknowledgement of these bytes was heard before they were.
            if distance(tcp.seq, mine.next) < 0 {
                mine.begin(tcp.seq.wrapping_sub(1), 0);
            }
            mine.clear(GUESSED);
        }
        if flags.ack() {
            self.ack(side, packet, tcp);
        }
        let (mut len, mut bytes) = (packet.payload_len.min(MOST_SEGMENT), packet.payload);
        if is_padding(packet, tcp) {
            self.shared.books.drop(PADDING, bytes.len() as u64);
            (len, bytes) = (0, &[]);
        }
        if len > 0 || flags.fin() {
            let start = tcp.seq.wrapping_add(u32::from(flags.syn()));
            let (taken, beyond) = bytes.split_at(bytes.len().min(len));
            self.shared.books.drop(OUT_OF_WINDOW, beyond.len() as u64);
            let bytes = taken;
            match bytes {
                // Of one put together of IP fragments the first byte came with the first, the last with the
                // last.
                [rest @ .., _] if !rest.is_empty() && packet.mark.packet != packet.last.packet => {
                    let (most, end) = (rest.len() as u32, start.wrapping_add(rest.len() as u32));
                    self.data(side, start, most, rest, false, packet.mark);
                    self.data(side, end, len as u32 - most, &bytes[rest.len()..], flags.fin(), packet.last);
                }
                _ => self.data(side, start, len as u32, bytes, flags.fin(), packet.last),
            }
        }
        self.settle_both(side.other(), now);
    }

    /// Holes wait for packets: here is one.
    fn hear_again(&mut self) {
        if let Some(rare) = self.flow.more.as_mut().and_then(|more| more.rare.as_mut()) {
            for reorder in rare.reorder.iter_mut().flatten() {
                reorder.packets = reorder.packets.saturating_add(1);
            }
        }
    }

    fn syn(&mut self, side: Side, tcp: &Tcp) {
        let [mine, other] = self.sides(side);
        if mine.has(SYN) && mine.isn == tcp.seq {
            self.flow.rare().counters[side.index()].retransmissions += 1;
            return;
        }
        // A server that answers with another number before anything followed has forgotten the first.
        if !mine.has(HEARD) || mine.has(GUESSED) || mine.next == mine.isn.wrapping_add(1) {
            mine.begin(tcp.seq, SYN);
        }
        mine.set(SYN);
        if let Some(shift) = tcp.window_scale {
            mine.scale = shift;
            mine.set(SCALES);
        }
        let both = other.has(SYN);
        if both && !tcp.flags.ack() && self.flow.phase == Phase::Opening {
            self.flow.note("simultaneous_open");
        }
    }

    fn sides(&mut self, side: Side) -> [&mut TcpSide; 2] {
        let [a, b] = &mut self.flow.tcp;
        match side {
            Side::A => [a, b],
            Side::B => [b, a],
        }
    }

    fn ack(&mut self, side: Side, packet: &Packet<'_>, tcp: &Tcp) {
        let [mine, other] = self.sides(side);
        if !mine.has(ACKS) || distance(tcp.ack, mine.acked) > 0 {
            mine.acked = tcp.ack;
            mine.set(ACKS);
        }
        if !other.has(HEARD) {
            other.begin(tcp.ack.wrapping_sub(1), GUESSED);
            other.set(GUESSED);
        }
        let ahead = distance(tcp.ack, other.next);
        let answers = distance(tcp.ack, other.isn) > 0;
        let both = mine.has(SYN) && other.has(SYN);
        let now = packet.last.at;
        if self.flow.phase == Phase::Opening && !tcp.flags.syn() && answers {
            self.flow.phase = Phase::Established;
            if both && Some(side) == self.flow.opener {
                self.flow.handshake = self.flow.micros_since_start(now).min(u32::MAX - 1);
            }
        }
        if ahead > 0 && !self.flow.phase.is_over() {
            self.hole(side.other(), now, |reorder| {
                if reorder.acked.is_none_or(|acked| distance(tcp.ack, acked) > 0) {
                    reorder.acked = Some(tcp.ack);
                }
            });
        }
        self.time_ack(side, tcp, packet);
    }

    /// Takes a round-trip time. An acknowledgement that rides on data waited for the application, so only
    /// bare ones are taken; those that the far end delays (RFC 1122, 4.2.3.2) cannot be told apart.
    fn time_ack(&mut self, side: Side, tcp: &Tcp, packet: &Packet<'_>) {
        let Some(sender) = self.flow.timed else { return };
        if sender == side || distance(tcp.ack, self.flow.timed_end) < 0 {
            return;
        }
        self.flow.timed = None;
        if packet.payload_len == 0 && !tcp.flags.fin() {
            let micros = self.flow.micros_since_start(packet.last.at).wrapping_sub(self.flow.timed_at);
            self.flow.more.get_or_insert_default().rtt.add(sender, micros);
        }
    }

    /// Whether RST fits the connection. RFC 5961 wants the exact number; what a listener believes to be due
    /// may lag, so anything that the peer could take for its window fits.
    fn rst_fits(&self, side: Side, tcp: &Tcp) -> bool {
        let (mine, other) = (&self.flow.tcp[side.index()], &self.flow.tcp[side.other().index()]);
        if !mine.has(HEARD) || mine.has(GUESSED) {
            return !tcp.flags.ack() || !other.has(HEARD) || distance(tcp.ack, other.isn) > 0;
        }
        let low =
            if other.has(ACKS) && distance(other.acked, mine.next) < 0 { other.acked } else { mine.next };
        let room = self.window(other).saturating_add(mine.next.wrapping_sub(low));
        tcp.seq.wrapping_sub(low) <= room || tcp.seq == mine.isn.wrapping_add(1)
    }

    fn rst(&mut self, side: Side, tcp: &Tcp, mark: Mark) {
        if self.flow.phase.is_over() {
            return;
        }
        if !self.rst_fits(side, tcp) {
            self.flow.note("reset_out_of_window");
            return;
        }
        let refused = self.flow.phase == Phase::Opening && self.flow.opener != Some(side);
        self.finish_sides(mark.at);
        self.flow.phase = if refused { Phase::Refused } else { Phase::Reset };
        self.end(None, EndReason::Reset, mark);
        self.flow.closed_by.get_or_insert(side);
    }

    /// How much `receiver` is willing to take.
    fn window(&self, receiver: &TcpSide) -> u32 {
        let [a, b] = &self.flow.tcp;
        let scale = match (a.has(SYN) && b.has(SYN), a.has(SCALES) && b.has(SCALES)) {
            (true, true) => receiver.scale,
            (true, false) => 0,
            (false, _) => UNKNOWN_SCALE,
        };
        (u32::from(receiver.window) << scale).max(LEAST_WINDOW).saturating_mul(2).min(MOST_WINDOW)
    }

    fn data(&mut self, side: Side, start: u32, len: u32, bytes: &[u8], fin: bool, mark: Mark) {
        let (index, captured) = (side.index(), bytes.len() as u64);
        let mine = self.flow.tcp[index];
        let ahead = i64::from(distance(start, mine.next));
        let (end, behind) = (start.wrapping_add(len), (-ahead).max(0));
        if len > 0 && ahead + i64::from(len) <= 0 {
            self.flow.timed = None;
            let rare = self.flow.rare();
            let late = rare.gap[index]
                .is_some_and(|(from, to)| distance(start, from) >= 0 && distance(end, to) <= 0);
            if late {
                rare.counters[index].out_of_order += 1;
            } else {
                rare.counters[index].retransmissions += 1;
            }
            self.shared.books.drop(if late { AFTER_GAP } else { RETRANSMITTED }, captured);
        } else if self.flow.phase.is_over() {
            self.shared.books.drop(AFTER_END, captured);
        } else if mine.has(FIN) {
            self.shared.books.drop(AFTER_FIN, captured);
        } else if len > 0 {
            let window = self.window(&self.flow.tcp[side.other().index()]);
            let other = &self.flow.tcp[side.other().index()];
            let low =
                if other.has(ACKS) && distance(other.acked, mine.next) > 0 { other.acked } else { mine.next };
            if i64::from(distance(start, low)) > i64::from(window) {
                self.shared.books.drop(OUT_OF_WINDOW, captured);
                return;
            }
            let old = behind as usize;
            let overlap = old.min(bytes.len());
            self.shared.books.drop(OVERLAPPING, overlap as u64);
            let (start, len, bytes) = (start.wrapping_add(old as u32), len - old as u32, &bytes[overlap..]);
            self.fresh(side, start, len, bytes, mark);
        }
        if fin {
            self.heard_fin(side, end, mark);
        }
    }

    /// Bytes of which at least one is new, beginning with the one that is due or later.
    fn fresh(&mut self, side: Side, start: u32, len: u32, bytes: &[u8], mark: Mark) {
        let index = side.index();
        let next = self.flow.tcp[index].next;
        let reorder = self.flow.known_rare().and_then(|rare| rare.reorder[index].as_ref());
        let in_front = reorder.is_some_and(|reorder| reorder.reaches_past(start));
        let holds = reorder.is_some_and(|reorder| !reorder.is_empty());
        if in_front {
            self.flow.rare().counters[index].out_of_order += 1;
        }
        let answers = self.answers(side);
        let held = answers.is_some_and(|answers| self.is_unheard(side.other(), answers));
        if start == next && !holds && !held {
            if self.flow.timed.is_none() {
                self.flow.timed = Some(side);
                self.flow.timed_end = start.wrapping_add(len);
                self.flow.timed_at = self.flow.micros_since_start(mark.at);
            }
            self.deliver(side, bytes, len, mark);
            return;
        }
        let mut kept = 0;
        let mut cost = 0;
        self.hole(side, mark.at, |reorder| {
            let before = reorder.cost();
            kept = reorder.insert(next, Incoming { seq: start, wire: len, bytes, mark, answers });
            cost = reorder.cost() - before;
        });
        self.shared.buffered += kept;
        self.shared.cost += cost;
        if cost == 0 {
            self.flow.rare().counters[index].retransmissions += 1;
        }
        let again = if cost == 0 { RETRANSMITTED } else { OVERLAPPING };
        self.shared.books.drop(again, (bytes.len() - kept) as u64);
    }

    /// Opens a hole before the next byte, or changes the one that is there.
    fn hole(&mut self, side: Side, now: Timestamp, change: impl FnOnce(&mut Reorder)) {
        let index = side.index();
        let reorder = self.flow.rare().reorder[index].get_or_insert_with(|| Box::new(Reorder::new(now)));
        change(reorder);
        let deadline = reorder.since + self.shared.limits.gap_wait;
        if !self.flow.tcp[index].has(QUEUED) {
            self.flow.tcp[index].set(QUEUED);
            self.shared.holes.push_back((deadline, self.flow.handle, side));
        }
    }

    /// The queue of holes came to this side: its hole is filled, stepped over, or queued anew.
    pub(crate) fn hole_due(&mut self, side: Side, now: Timestamp) {
        self.flow.tcp[side.index()].clear(QUEUED);
        self.settle_both(side, now);
        // Each waits for the other: their acknowledgements contradict each other.
        let waits = self.flow.known_rare().and_then(|rare| rare.reorder[side.index()].as_ref());
        if waits.is_some_and(|waits| now.since(waits.since) >= self.shared.limits.gap_wait)
            && self.is_held(side)
        {
            self.give_up_waiting(side, now);
            self.settle_both(side, now);
        }
        if self.flow.known_rare().is_some_and(|rare| rare.reorder[side.index()].is_some()) {
            self.hole(side, now, |_| {});
        }
    }

    fn heard_fin(&mut self, side: Side, at: u32, mark: Mark) {
        let mine = &self.flow.tcp[side.index()];
        let ahead = distance(at, mine.next);
        if mine.has(FIN) || self.flow.phase.is_over() || ahead < 0 {
            return;
        }
        if ahead == 0 {
            self.fin(side, mark);
        } else if ahead < MOST_WINDOW as i32 {
            self.hole(side, mark.at, |reorder| {
                reorder.fin.get_or_insert((at, mark));
            });
        }
    }

    /// FIN, with all bytes before it told.
    fn fin(&mut self, side: Side, mark: Mark) {
        let mine = &mut self.flow.tcp[side.index()];
        mine.set(FIN);
        mine.next = mine.next.wrapping_add(1);
        self.drop_waiting(side);
        self.flow.closed_by.get_or_insert(side);
        self.end(Some(side), EndReason::Fin, mark);
        if self.flow.tcp[side.other().index()].has(FIN) {
            self.flow.phase = Phase::Closed;
            self.drop_waiting(side.other());
            self.end(None, EndReason::Fin, mark);
        }
    }

    /// Forgets what stands behind FIN.
    fn drop_waiting(&mut self, side: Side) {
        let waiting = self
            .flow
            .more
            .as_mut()
            .and_then(|more| more.rare.as_mut())
            .and_then(|rare| rare.reorder[side.index()].take());
        if let Some(reorder) = waiting {
            self.shared.books.drop(AFTER_FIN, reorder.bytes() as u64);
            self.shared.buffered -= reorder.bytes();
            self.shared.cost -= reorder.cost();
        }
    }

    fn deliver(&mut self, side: Side, bytes: &[u8], wire: u32, mark: Mark) {
        let mine = &mut self.flow.tcp[side.index()];
        mine.next = mine.next.wrapping_add(bytes.len() as u32);
        if !bytes.is_empty() {
            self.shared.books.pass(bytes.len() as u64);
            self.tell(Event::Bytes { side, bytes, mark });
        }
        let cut = wire.saturating_sub(bytes.len() as u32);
        if cut > 0 {
            self.gap(side, cut, mark.at);
        }
    }

    /// Steps over the next `len` bytes.
    fn gap(&mut self, side: Side, len: u32, at: Timestamp) {
        let index = side.index();
        let from = self.flow.tcp[index].next;
        let to = from.wrapping_add(len);
        self.flow.tcp[index].next = to;
        let rare = self.flow.rare();
        rare.counters[index].missing_bytes += u64::from(len);
        rare.gap[index] = Some((from, to));
        self.flow.note("gap");
        self.tell(Event::Gap { side, len: u64::from(len), at });
    }

    /// The byte of the other side that `side` expects next, where that is known.
    fn answers(&self, side: Side) -> Option<u32> {
        let mine = &self.flow.tcp[side.index()];
        mine.has(ACKS).then_some(mine.acked)
    }

    /// Whether bytes of `side` before `end` are waited for: not those of a side of which nothing was heard at all, for
    /// then only one direction is captured.
    fn is_unheard(&self, side: Side, end: u32) -> bool {
        let waits = self.flow.known_rare().is_some_and(|rare| rare.reorder[side.index()].is_some());
        let theirs = &self.flow.tcp[side.index()];
        waits && !theirs.has(GUESSED) && distance(end, theirs.next) > 0
    }

    /// Whether the next bytes of `side` are there, and wait for bytes of the other side that they answer.
    pub(crate) fn is_held(&self, side: Side) -> bool {
        let next = self.flow.tcp[side.index()].next;
        let front = self.flow.known_rare().and_then(|rare| rare.reorder[side.index()].as_ref()?.front());
        let front = front.filter(|front| front.seq == next);
        front.and_then(|front| front.answers).is_some_and(|answers| self.is_unheard(side.other(), answers))
    }

    /// Settles both sides, as long as what one says is what the other waits for.
    pub(crate) fn settle_both(&mut self, first: Side, now: Timestamp) {
        while self.settle(first, now) | self.settle(first.other(), now) {}
    }

    /// Nothing more will come that `side` could wait for.
    pub(crate) fn give_up_waiting(&mut self, side: Side, now: Timestamp) {
        if let Some(reorder) = self
            .flow
            .more
            .as_mut()
            .and_then(|more| more.rare.as_mut())
            .and_then(|rare| rare.reorder[side.index()].as_mut())
        {
            reorder.packets = u32::MAX;
        }
        self.settle(side, now);
    }

    /// Delivers what is in order, and steps over holes that have been waited for long enough. Says whether anything
    /// was told.
    fn settle(&mut self, side: Side, now: Timestamp) -> bool {
        let index = side.index();
        let mut told = false;
        loop {
            let next = self.flow.tcp[index].next;
            let held = self.is_held(side);
            let Some(rare) = self.flow.more.as_mut().and_then(|more| more.rare.as_mut()) else { return told };
            let Some(reorder) = &mut rare.reorder[index] else { return told };
            let cost = reorder.cost();
            let limits = &self.shared.limits;
            let full = reorder.packets >= limits.gap_packets
                || cost > limits.reorder_bytes
                || self.shared.cost > limits.buffered_bytes;
            if held && !full {
                return told;
            }
            let due = full || now.since(reorder.since) >= limits.gap_wait;
            if let Some(segment) = reorder.pop(next) {
                self.shared.buffered -= segment.bytes.len();
                self.shared.cost -= cost - reorder.cost();
                self.deliver(side, &segment.bytes, segment.wire, segment.mark);
                told = true;
                continue;
            }
            let ahead = |seq: u32| distance(seq, next) > 0;
            if let Some((at, mark)) = reorder.fin
                && !ahead(at)
            {
                reorder.fin = None;
                if at == next {
                    self.fin(side, mark);
                    return true;
                }
                continue;
            }
            let heard = reorder.front().map(|front| front.seq).or(reorder.fin.map(|(at, _)| at));
            let acked = reorder.acked.filter(|&acked| ahead(acked));
            let Some(furthest) = heard.or(acked) else {
                rare.reorder[index] = None;
                return told;
            };
            let to = match acked {
                _ if due => furthest,
                Some(acked) if reorder.packets >= ACKED_PACKETS => {
                    if distance(acked, furthest) < 0 {
                        acked
                    } else {
                        furthest
                    }
                }
                _ => return told,
            };
            // The next hole was opened by whatever stands in front of it.
            reorder.since = reorder.front().map_or(now, |front| front.mark.at);
            reorder.packets = 0;
            self.gap(side, to.wrapping_sub(next), now);
            told = true;
        }
    }
}
