//! MQTT 3.1, 3.1.1 and 5 (OASIS standards of 2014 and 2019).
//!
//! **What a call is.** A packet with what acknowledges it, by packet identifier: `operation` is the packet's name,
//! `target` the topic, or the first filter. A PUBLISH is a `message`: of quality 0 it is one-way; of 1 it is
//! answered by PUBACK, of 2 by PUBREC and PUBCOMP (PUBREL is the second half of the request). SUBSCRIBE and
//! UNSUBSCRIBE are `unary`, CONNECT a `session`, PINGREQ a `probe`; DISCONNECT and AUTH are one-way. `status` is the
//! name of the return or reason code; of several filters that of the first that was refused.
//!
//! **Directions.** `messaging.operation.type` is `send` for what the client publishes, `receive` for what the broker
//! delivers. A delivery of quality 0 is a response without a request. One that wants an acknowledgement has the
//! broker for its client: it asks, and how long the other took to answer is its duration.
//!
//! **Outcomes.** As the names of codes say: who may not, or asked wrongly, is a `client_error`; "server busy" and its
//! like are `server_error`; "use another server" is `ok`.
//!
//! **Attributes.** `messaging.system`, `messaging.client.id` (of CONNECT), `messaging.destination.name`,
//! `messaging.message.body.size`; the rest has Wireshark's names. Passwords, wills, payloads and what AUTH carries are
//! not kept; the name of a user is `mqtt.username`, which redaction turns into a pseudonym. A `traceparent` among the
//! user properties is the call's trace.
//!
//! **Finding its feet again.** A gap inside of a payload costs nothing but that payload. After any other a side is
//! passed over until a segment is whole packets of plausible flags and lengths. Identifiers say then what belongs
//! to what; one that is used again was acknowledged meanwhile. Entered in the middle, the version is found out from the
//! first packet that reads in one of them only.

use wirewise_model::{Limits, Mark, Reason, Redaction, Side, Timestamp};

use crate::{End, Fed, Heads, Input, Out, Probe, Protocol, Stream, StreamEntry, Verdict};

mod describe;
mod names;
mod packet;
mod pair;
mod parse;
#[cfg(test)]
mod tests;

use packet::{Packet, Said};
use pair::Pairing;
use parse::{CONNECT, Fixed, PUBLISH, Publish};

const PORT: u16 = 1883;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: describe::NAME,
    title: "MQTT 3.1, 3.1.1 and 5",
    reference: "https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html",
    ports: &[PORT, 8883],
    redaction: Redaction::Text,
    stream: Some(StreamEntry { probe, open: |limits, client| Box::new(Mqtt::new(limits, client)) }),
    message: None,
    refine: None,
};

/// Bytes that are no part of a packet: after a loss, or of something that is not MQTT.
const OUT_OF_STEP: Reason = Reason::loss("out_of_step");

fn probe(heads: &Heads<'_>) -> Probe {
    let mut needs_more = false;
    for client in [Side::A, Side::B] {
        match begins_with_connect(heads.of(client)) {
            Some(true) => return Probe::Yes { client },
            Some(false) => {}
            None => needs_more |= !heads.of(client).is_empty(),
        }
    }
    if heads.mid_stream {
        match found_in_the_middle(heads) {
            Probe::No => {}
            found => return found,
        }
    }
    if needs_more && !heads.ended { Probe::NeedMore } else { Probe::No }
}

/// A CONNECT names its protocol; `None` for too few bytes.
fn begins_with_connect(bytes: &[u8]) -> Option<bool> {
    if bytes.first().is_some_and(|first| *first != CONNECT << 4) {
        return Some(false);
    }
    let fixed = match Fixed::parse(bytes) {
        Ok(Some(fixed)) => fixed,
        Ok(None) => return None,
        Err(()) => return Some(false),
    };
    let rest = bytes.get(fixed.head..).unwrap_or_default();
    let begins = |name: &[u8]| rest[..rest.len().min(name.len())] == name[..rest.len().min(name.len())];
    if !fixed.is_plausible() || !(begins(b"\0\x04MQTT") || begins(b"\0\x06MQIsdp")) {
        return Some(false);
    }
    (rest.len() >= 8).then_some(true)
}

/// Both sides speak in whole packets, or one does in many bytes: single small ones prove nothing.
fn found_in_the_middle(heads: &Heads<'_>) -> Probe {
    let [a, b] = heads.bytes;
    let counts = [packet::count(a), packet::count(b)];
    let proven = match counts {
        [Some(_), Some(_)] => true,
        [Some(count), None] => b.is_empty() && publishes(a, count),
        [None, Some(count)] => a.is_empty() && publishes(b, count),
        [None, None] => false,
    };
    if !proven {
        let waits = (counts[0].is_some() && b.is_empty()) || (counts[1].is_some() && a.is_empty());
        return if waits && !heads.ended { Probe::NeedMore } else { Probe::No };
    }
    // Until a packet shows who is who: the port, or the lower one.
    let is_server = |side: Side| PROTOCOL.ports.contains(&heads.ports[side.index()]);
    let client = match heads.opener {
        Some(opener) => opener,
        None if is_server(Side::A) => Side::B,
        None if is_server(Side::B) || heads.ports[1] <= heads.ports[0] => Side::A,
        None => Side::B,
    };
    Probe::Yes { client }
}

fn publishes(bytes: &[u8], count: usize) -> bool {
    count > 0 && bytes.len() >= 12 && bytes[0] >> 4 == PUBLISH
}

/// One side that is being read.
#[derive(Debug, Default)]
struct Reader {
    /// The packet of which bytes are to come.
    under_way: Option<Box<Packet>>,
    /// How many they are.
    left: u64,
    /// Out of step: looking for a packet.
    lost: bool,
}

/// The dissector of one flow.
struct Mqtt {
    /// Bytes of a packet, without payload, that are looked at.
    most: u32,
    readers: [Reader; 2],
    pairing: Pairing,
}

/// What one step did.
enum Step {
    Used(usize),
    /// More is needed.
    Wait,
}

impl Mqtt {
    fn new(limits: &Limits, client: Side) -> Self {
        Self {
            most: u32::try_from(limits.header_bytes).unwrap_or(u32::MAX),
            readers: Default::default(),
            pairing: Pairing::new(limits, client),
        }
    }

    fn step(&mut self, input: Input<'_>, fresh: bool, out: &mut Out) -> Step {
        let bytes = input.bytes;
        let reader = &mut self.readers[input.side.index()];
        if reader.lost {
            if !fresh || packet::count(bytes).is_none() {
                out.skip(OUT_OF_STEP, bytes.len() as u64);
                return Step::Used(bytes.len());
            }
            reader.lost = false;
        }
        if let Some(packet) = &mut reader.under_way {
            let used = reader.left.min(bytes.len() as u64) as usize;
            reader.left -= used as u64;
            input.cover(&mut packet.track, 0..used);
            self.finish(input.side, out);
            return Step::Used(used);
        }
        let fixed = match Fixed::parse(bytes) {
            Ok(Some(fixed)) => fixed,
            Ok(None) => return Step::Wait,
            Err(()) => return self.lose(input.side),
        };
        let body = &bytes[fixed.head..];
        let needed = fixed.remaining.min(self.most) as usize;
        let (said, malformed, head) = match self.read(fixed, &body[..body.len().min(needed)], needed) {
            Some(read) => read,
            None => return Step::Wait,
        };
        let used = fixed.head + head;
        let mut packet = Packet {
            fixed,
            track: input.begin(0),
            payload: (fixed.remaining as usize - head) as u64,
            said,
            malformed,
            holed: false,
        };
        input.cover(&mut packet.track, 0..used);
        if fixed.kind == 0 {
            self.pairing.take(input.side, packet, out);
            self.lose(input.side);
            return Step::Used(used);
        }
        if packet.payload == 0 {
            self.pairing.take(input.side, packet, out);
        } else {
            let reader = &mut self.readers[input.side.index()];
            reader.left = packet.payload;
            reader.under_way = Some(Box::new(packet));
        }
        Step::Used(used)
    }

    /// Reads a packet's body of `needed` bytes, of which `body` is there: what it says, whether it is malformed, how
    /// many bytes of it that took. `None` where more is needed.
    fn read(&self, fixed: Fixed, body: &[u8], needed: usize) -> Option<(Said, bool, usize)> {
        let whole = body.len() == needed;
        if fixed.kind != PUBLISH && !whole {
            return None;
        }
        let said = packet::read(fixed, body, self.pairing.version, |id| self.pairing.filters_of(id));
        match said {
            Some(Said::Publish(Publish { head, .. })) => said.map(|said| (said, false, head)),
            Some(said) => Some((said, false, body.len())),
            None if whole => Some((Said::Nothing, true, body.len())),
            None => None,
        }
    }

    /// Tells of the packet under way, where it is whole.
    fn finish(&mut self, side: Side, out: &mut Out) {
        let reader = &mut self.readers[side.index()];
        if reader.left == 0
            && let Some(packet) = reader.under_way.take()
        {
            self.pairing.take(side, *packet, out);
        }
    }

    fn lose(&mut self, side: Side) -> Step {
        self.readers[side.index()] = Reader { lost: true, ..Reader::default() };
        self.pairing.gap(side);
        Step::Used(0)
    }
}

impl Stream for Mqtt {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let (mut at, mut fresh) = (0, true);
        while at < input.bytes.len() {
            match self.step(input.skip(at), fresh, out) {
                Step::Used(used) => at += used,
                Step::Wait => break,
            }
            // Only once: what looks like a beginning and is none must not be looked at for ever.
            fresh = false;
        }
        Fed::go_on(at)
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        let reader = &mut self.readers[side.index()];
        match &mut reader.under_way {
            Some(packet) if reader.left >= len => {
                reader.left -= len;
                packet.holed = true;
                self.finish(side, out);
            }
            _ => {
                if let Some(mut packet) = reader.under_way.take() {
                    // What was heard of it is told; its acknowledgement says the rest.
                    packet.holed = true;
                    self.pairing.take(side, *packet, out);
                }
                self.lose(side);
            }
        }
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        let at = last.at;
        // Who has closed its half answers nothing more.
        self.pairing.end(side, why, at, out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        self.pairing.tick(now, out);
    }

    fn open(&self, out: &mut Out) {
        self.pairing.open(out);
    }

    fn waiting(&self) -> bool {
        self.pairing.is_waiting()
    }
}
