//! DNS over TCP: messages behind two bytes of length, many on one connection, answered in any order.

use wirewise_model::{Limits, Mark, Reason, Side, Timestamp, Track};

use super::message::{Flavour, Heard};
use super::pair::Pairing;
use super::parse::{HEADER, Header, Trouble, Trust, is_usual, looks_like_dns, question};
use super::{DNS_PORT, LLMNR_PORT, MDNS_PORT};
use crate::{End, Fed, Heads, Input, Out, Probe, Stream, Verdict};

/// Length of the length.
const PREFIX: usize = 2;
/// Bytes of a message that must fit where no port speaks for it and the message is longer than that.
const ENOUGH: usize = 512;
/// Segments at whose beginnings a message is looked for at once.
const MOST_STARTS: usize = 16;
/// Bytes after a gap, before a message begins again.
const AFTER_GAP: Reason = Reason::loss("after_gap");
/// A length that no message has, or a message that is none.
const NOT_DNS: Reason = Reason::skip("not_dns");

pub(super) fn open(limits: &Limits, _: Side) -> Box<dyn Stream> {
    Box::new(Connection {
        pairing: Pairing::of_stream(limits),
        sides: [OneSide::default(), OneSide::default()],
    })
}

/// What the head of one side says.
enum Head {
    Query,
    Response,
    No,
    NeedMore,
}

pub(super) fn probe(heads: &Heads<'_>) -> Probe {
    let hinted = heads.ports.iter().any(|port| [DNS_PORT, MDNS_PORT, LLMNR_PORT].contains(port));
    let mut verdict = Probe::No;
    for side in [Side::A, Side::B] {
        if heads.of(side).is_empty() {
            continue;
        }
        match head(heads.of(side), hinted, heads.ended) {
            Head::Query => return Probe::Yes { client: side },
            Head::Response => return Probe::Yes { client: side.other() },
            Head::No => return Probe::No,
            Head::NeedMore => verdict = Probe::NeedMore,
        }
    }
    verdict
}

fn head(bytes: &[u8], hinted: bool, ended: bool) -> Head {
    let more = if ended { Head::No } else { Head::NeedMore };
    let Some((prefix, rest)) = bytes.split_first_chunk::<PREFIX>() else { return more };
    let length = usize::from(u16::from_be_bytes(*prefix));
    if length < HEADER {
        return Head::No;
    }
    let Some(header) = Header::parse(rest) else { return more };
    let whole = rest.get(..length);
    let found = match (whole, hinted) {
        (Some(message), true) => {
            header.questions > 0
                && question(message, HEADER).is_ok()
                && looks_like_dns(message, false, Trust::Port)
        }
        (Some(message), false) => looks_like_dns(message, false, Trust::Nothing),
        (None, true) => match question(rest, HEADER) {
            Ok(_) => header.questions > 0 && looks_like_dns(rest, true, Trust::Port),
            Err(Trouble::Short) => return more,
            Err(Trouble::Malformed) => false,
        },
        // A long answer need not be whole: so much that fits is no accident.
        (None, false) if looks_like_dns(rest, true, Trust::Nothing) => {
            if rest.len() < ENOUGH {
                return more;
            }
            true
        }
        (None, false) => match question(rest, HEADER) {
            // Not even its question is there yet.
            Err(Trouble::Short) if header.questions == 1 && header.opcode() == 0 => return more,
            _ => false,
        },
    };
    match (found, header.is_response()) {
        (false, _) => Head::No,
        (true, false) => Head::Query,
        (true, true) => Head::Response,
    }
}

#[derive(Debug, Default)]
struct OneSide {
    /// Bytes were lost, and no message has been found since.
    lost: bool,
    /// How many bytes of what waits, while lost, were shown before: where the latest segment begins.
    seen: usize,
    /// Where segments begin in what waits, as far as a message may begin there. Past [`MOST_STARTS`] later
    /// ones are not looked at before the others are ruled out.
    starts: Vec<usize>,
    /// The id and the track of a message that has begun and is not whole.
    begun: Option<Box<(u16, Track)>>,
}

impl OneSide {
    /// Looks for a message at the beginning of every segment of what waits. Returns how many bytes to pass
    /// over; `lost` is false where one begins after them.
    fn find_feet(&mut self, bytes: &[u8]) -> usize {
        let seen = std::mem::replace(&mut self.seen, bytes.len());
        if self.starts.len() < MOST_STARTS {
            self.starts.push(seen);
        }
        while let Some(&start) = self.starts.first() {
            match begins(bytes, start) {
                Some(true) => {
                    *self = Self::default();
                    return start;
                }
                None if start < bytes.len() => {
                    // It may be this one, and if not, one of the later.
                    let later =
                        self.starts[1..].iter().find(|&&later| begins(bytes, later) == Some(true)).copied();
                    if let Some(later) = later {
                        *self = Self::default();
                        return later;
                    }
                    self.starts.iter_mut().for_each(|other| *other -= start);
                    self.seen -= start;
                    return start;
                }
                Some(false) | None => drop(self.starts.remove(0)),
            }
        }
        self.seen = 0;
        bytes.len()
    }
}

/// Whether a message begins here; none where more must come to tell. Where bytes were lost anything may
/// stand, so that only usual headers are believed.
fn begins(bytes: &[u8], start: usize) -> Option<bool> {
    let rest = bytes.get(start..).unwrap_or_default();
    match head(rest, true, false) {
        Head::Query | Head::Response => {
            Some(rest.get(PREFIX..).and_then(Header::parse).is_some_and(is_usual))
        }
        Head::No => Some(false),
        Head::NeedMore => None,
    }
}

struct Connection {
    pairing: Pairing,
    sides: [OneSide; 2],
}

impl Stream for Connection {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let side = &mut self.sides[input.side.index()];
        side.begun = None;
        let mut consumed = 0;
        if side.lost {
            consumed = side.find_feet(input.bytes);
            out.skip(AFTER_GAP, consumed as u64);
            if side.lost {
                return Fed::go_on(consumed);
            }
        }
        loop {
            let rest = &input.bytes[consumed..];
            let Some((prefix, rest)) = rest.split_first_chunk::<PREFIX>() else { break };
            let length = usize::from(u16::from_be_bytes(*prefix));
            let Some(message) = rest.get(..length) else {
                if let Some(header) = Header::parse(rest) {
                    let mut track = input.begin(consumed);
                    input.cover(&mut track, consumed..input.bytes.len());
                    side.begun = Some(Box::new((header.id, track)));
                }
                break;
            };
            let ends = consumed + PREFIX + length;
            if !looks_like_dns(message, false, Trust::Port) {
                // The lengths cannot be trusted any more.
                side.lost = true;
                out.skip(NOT_DNS, (input.bytes.len() - consumed) as u64);
                return Fed::go_on(input.bytes.len());
            }
            let mut track = input.begin(consumed);
            input.cover(&mut track, consumed..ends);
            let heard = Heard { side: input.side, bytes: message, cut: false, track, flavour: Flavour::Dns };
            if self.pairing.take(heard, out).is_none() {
                out.skip(NOT_DNS, (PREFIX + length) as u64);
            }
            consumed = ends;
        }
        Fed::go_on(consumed)
    }

    fn gap(&mut self, side: Side, _: u64, _: &mut Out) -> Verdict {
        self.sides[side.index()] = OneSide { lost: true, ..OneSide::default() };
        self.pairing.gap(side);
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        // A client that shuts its side still waits for answers. What the server leaves unanswered stays so.
        let servers: &[Side] = match (side, why) {
            (Some(server), End::Fin) => &[server],
            _ => &[Side::A, Side::B],
        };
        for &server in servers {
            let begun = self.sides[server.index()].begun.take().map(|begun| *begun);
            self.pairing.end(Some(server), why, last.at, begun, out);
        }
        // After one side's FIN the other's queries may still stand behind a hole.
        if side.is_none() {
            self.pairing.over(out);
        }
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
