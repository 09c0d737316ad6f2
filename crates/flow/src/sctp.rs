//! SCTP as messages: RFC 9260. Chunks of user data are told as they come; ordering within streams is left
//! out, since a message is whole by itself. A retransmitted chunk is known by its number (TSN). Why an association
//! was aborted, and that a peer answers no heartbeats, are notes of the flow.

use wirewise_model::{Mark, Reason, Side};
use wirewise_wire::{ChunkKind, Data, Packet, Sctp};

use crate::context::Context;
use crate::flow::Phase;
use crate::{EndReason, Event, Listener};

const RETRANSMITTED: Reason = Reason::skip("retransmitted");
/// Parts of messages that were never whole, or too many at once.
const PARTIAL: Reason = Reason::loss("sctp_partial_message");
const AFTER_END: Reason = Reason::skip("after_end");

/// Parts of messages that one side may have waiting. Past it all are dropped, as `sctp_partial_message`.
const MOST_PARTS: usize = 256;

/// Heartbeats in a row, with nothing from the peer between them, that are noted as unanswered. One may be lost.
const HEARTBEATS_UNANSWERED: u8 = 3;

/// What is kept of one side once it has sent data or heartbeats.
#[derive(Debug, Default)]
pub(crate) struct SctpSide {
    /// The highest TSN, and which of the 64 below it were heard.
    highest: Option<u32>,
    below: u64,
    /// Sorted by TSN.
    parts: Vec<Part>,
    bytes: usize,
    /// Whether any packet of it was heard.
    heard: bool,
    /// Heartbeats since the peer was last heard.
    heartbeats: u8,
}

#[derive(Debug)]
struct Part {
    tsn: u32,
    begins: bool,
    ends: bool,
    bytes: Box<[u8]>,
    length: usize,
    mark: Mark,
}

impl SctpSide {
    /// Whether this number is new.
    fn is_new(&mut self, tsn: u32) -> bool {
        let Some(highest) = self.highest else {
            self.highest = Some(tsn);
            return true;
        };
        match tsn.wrapping_sub(highest) as i32 {
            0 => false,
            ahead @ 1.. => {
                self.below = match ahead as u32 {
                    shift @ 1..64 => self.below << shift | 1 << (shift - 1),
                    64 => 1 << 63,
                    _ => 0,
                };
                self.highest = Some(tsn);
                true
            }
            behind => {
                let bit = behind.unsigned_abs() - 1;
                let heard = bit >= 64 || self.below & 1 << bit != 0;
                if bit < 64 {
                    self.below |= 1 << bit;
                }
                !heard
            }
        }
    }

    /// The parts of the message that `tsn` belongs to, if all are here.
    fn take_message(&mut self, tsn: u32) -> Option<Vec<Part>> {
        let at = self.parts.iter().position(|part| part.tsn == tsn)?;
        let joins = |pair: &[Part]| pair[0].tsn.wrapping_add(1) == pair[1].tsn;
        let mut first = at;
        while !self.parts[first].begins {
            first = first.checked_sub(1).filter(|&first| joins(&self.parts[first..first + 2]))?;
        }
        let mut last = at;
        while !self.parts[last].ends {
            last += 1;
            if last >= self.parts.len() || !joins(&self.parts[last - 1..=last]) {
                return None;
            }
        }
        let message: Vec<Part> = self.parts.drain(first..=last).collect();
        self.bytes -= message.iter().map(|part| part.bytes.len()).sum::<usize>();
        Some(message)
    }
}

impl<T, L: Listener<T> + ?Sized> Context<'_, T, L> {
    /// Takes one SCTP packet; gives how much user data it announced.
    pub(crate) fn sctp(&mut self, side: Side, packet: &Packet<'_>, sctp: &Sctp<'_>) -> usize {
        let mut announced = 0;
        self.sctp_hears(side);
        for chunk in sctp.chunks() {
            match chunk.kind {
                ChunkKind::DATA => {
                    if let Some(data) = chunk.data() {
                        announced += data.length;
                        self.sctp_data(side, packet, &data);
                    }
                }
                ChunkKind::INIT | ChunkKind::INIT_ACK if self.flow.phase == Phase::Datagram => {
                    self.flow.phase = Phase::Opening;
                }
                // COOKIE-ACK ends the handshake.
                ChunkKind(11) if self.flow.phase == Phase::Opening => self.flow.phase = Phase::Established,
                ChunkKind::HEARTBEAT => self.sctp_heartbeat(side),
                ChunkKind::ERROR => self.sctp_cause(chunk.cause()),
                ChunkKind::ABORT => {
                    self.sctp_cause(chunk.cause());
                    self.sctp_over(side, packet.last, EndReason::Reset);
                }
                ChunkKind::SHUTDOWN => {
                    self.flow.closed_by.get_or_insert(side);
                }
                ChunkKind::SHUTDOWN_COMPLETE => self.sctp_over(side, packet.last, EndReason::Fin),
                _ => {}
            }
        }
        announced
    }

    /// A packet of `side`: what its peer asked of it is answered.
    fn sctp_hears(&mut self, side: Side) {
        let known =
            self.flow.more.as_mut().and_then(|more| more.rare.as_mut()).and_then(|rare| rare.sctp.as_mut());
        if let Some(known) = known {
            known[side.index()].heard = true;
            known[side.other().index()].heartbeats = 0;
        }
    }

    fn sctp_heartbeat(&mut self, side: Side) {
        let known = self.flow.rare().sctp.get_or_insert_default();
        known[side.index()].heard = true;
        // A peer that was never heard may be out of earshot.
        let peer_was_heard = known[side.other().index()].heard;
        let heartbeats = &mut known[side.index()].heartbeats;
        *heartbeats = heartbeats.saturating_add(1);
        if peer_was_heard && *heartbeats == HEARTBEATS_UNANSWERED {
            self.flow.note("heartbeats_unanswered");
        }
    }

    /// Why an association was aborted, or what is wrong with it.
    fn sctp_cause(&mut self, code: Option<u16>) {
        if let Some(cause) = code.and_then(cause) {
            self.flow.note(cause);
        }
    }

    fn sctp_over(&mut self, side: Side, mark: Mark, why: EndReason) {
        if self.flow.phase.is_over() {
            return;
        }
        let refused = self.flow.phase == Phase::Opening && self.flow.opener != Some(side);
        self.flow.phase = match why {
            EndReason::Fin => Phase::Closed,
            _ if refused => Phase::Refused,
            _ => Phase::Reset,
        };
        self.flow.closed_by.get_or_insert(side);
        self.drop_sctp_parts();
        self.end(None, why, mark);
    }

    fn sctp_data(&mut self, side: Side, packet: &Packet<'_>, data: &Data<'_>) {
        let captured = data.payload.len() as u64;
        self.shared.books.take(captured);
        if self.flow.phase.is_over() {
            self.shared.books.drop(AFTER_END, captured);
            return;
        }
        let known = &mut self.flow.rare().sctp.get_or_insert_default()[side.index()];
        if !known.is_new(data.tsn) {
            self.shared.books.drop(RETRANSMITTED, captured);
            self.flow.rare().counters[side.index()].retransmissions += 1;
            return;
        }
        if data.begins && data.ends {
            self.shared.books.pass(captured);
            let (mark, last) = (packet.mark, packet.last);
            let (bytes, original_len) = (data.payload, data.length);
            self.tell(Event::Message { side, bytes, original_len, mark, last });
            return;
        }
        let room = self.shared.limits.reorder_bytes;
        if known.parts.len() >= MOST_PARTS || known.bytes + data.payload.len() > room {
            let dropped = std::mem::take(&mut known.bytes);
            known.parts.clear();
            self.shared.books.drop(PARTIAL, dropped as u64);
            self.shared.buffered -= dropped;
            self.shared.cost -= dropped;
        }
        let known = &mut self.flow.rare().sctp.get_or_insert_default()[side.index()];
        let at = known.parts.partition_point(|part| (part.tsn.wrapping_sub(data.tsn) as i32) < 0);
        let part = Part {
            tsn: data.tsn,
            begins: data.begins,
            ends: data.ends,
            bytes: data.payload.into(),
            length: data.length,
            mark: packet.mark,
        };
        known.parts.insert(at, part);
        known.bytes += data.payload.len();
        let message = known.take_message(data.tsn);
        self.shared.buffered += data.payload.len();
        self.shared.cost += data.payload.len();
        let Some(message) = message else { return };
        let bytes: Vec<u8> = message.iter().flat_map(|part| part.bytes.iter().copied()).collect();
        self.shared.buffered -= bytes.len();
        self.shared.cost -= bytes.len();
        self.shared.books.pass(bytes.len() as u64);
        let original_len = message.iter().map(|part| part.length).sum();
        let mark = message.first().map_or(packet.mark, |part| part.mark);
        self.tell(Event::Message { side, bytes: &bytes, original_len, mark, last: packet.last });
    }

    /// Gives up messages that will not be whole any more.
    pub(crate) fn drop_sctp_parts(&mut self) {
        let sides =
            self.flow.more.as_mut().and_then(|more| more.rare.as_mut()).and_then(|rare| rare.sctp.as_mut());
        for side in sides.into_iter().flat_map(|sides| sides.iter_mut()) {
            let dropped = std::mem::take(&mut side.bytes);
            side.parts.clear();
            self.shared.books.drop(PARTIAL, dropped as u64);
            self.shared.buffered -= dropped;
            self.shared.cost -= dropped;
        }
    }
}

/// The words for causes of errors (RFC 9260, 3.3.10).
fn cause(code: u16) -> Option<&'static str> {
    Some(match code {
        1 => "sctp_invalid_stream",
        2 => "sctp_missing_parameter",
        3 => "sctp_stale_cookie",
        4 => "sctp_out_of_resource",
        5 => "sctp_unresolvable_address",
        6 => "sctp_unrecognized_chunk",
        7 => "sctp_invalid_parameter",
        8 => "sctp_unrecognized_parameters",
        9 => "sctp_no_user_data",
        10 => "sctp_cookie_while_shutting_down",
        11 => "sctp_restart_with_new_addresses",
        12 => "sctp_user_initiated_abort",
        13 => "sctp_protocol_violation",
        _ => return None,
    })
}
