//! Plays a script to a protocol: as the pipeline would, by way of a session that probes for it, or straight to it.

use wirewise_dissect::{Datagram, End, Out, Protocol, Session, SessionStart, Switchboard};
use wirewise_model::{Limits, Mark, PacketNumber, Side, Timestamp, Transport};

use crate::script::{Mode, Script, Step};
use crate::verdict::{self, Heard};
use crate::{direct, target};

/// Plays `script` to `protocol`.
///
/// # Panics
/// Where something does not hold: that is a find.
pub(crate) fn play(protocol: &'static Protocol, script: &Script) -> Heard {
    let direct = script.mode.has(Mode::DIRECT);
    if let (true, Some(entry)) = (direct, &protocol.refine) {
        return direct::refine(protocol, entry, script);
    }
    let as_messages = script.mode.has(Mode::MESSAGES);
    match (&protocol.stream, &protocol.message) {
        (stream, Some(entry)) if direct && (as_messages || stream.is_none()) => {
            direct::messages(entry, script)
        }
        (Some(entry), _) if direct => direct::stream(entry, script),
        (stream, message) => {
            let is_message = message.is_some() && (as_messages || stream.is_none());
            session(protocol, script, is_message)
        }
    }
}

/// Limits of a mode.
pub(crate) fn limits(mode: Mode) -> Limits {
    if !mode.has(Mode::TIGHT) {
        return Limits { protocol_panics: 1, ..Limits::default() };
    }
    Limits {
        protocol_panics: 1,
        buffered_bytes: 4000,
        probe_bytes: 64,
        undissected_bytes: 1500,
        pending_calls: 2,
        response_wait: std::time::Duration::from_secs(1),
        datagram_response_wait: std::time::Duration::from_secs(1),
        body_kept: 100,
        decompressed_bytes: 200,
        header_bytes: 400,
        headers: 4,
        ..Limits::default()
    }
}

/// A clock and a counter of packets: each step is a packet of its own, a millisecond after the one before.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    nanos: i64,
    packets: u64,
}

impl Clock {
    pub(crate) fn packet(&mut self) -> Mark {
        self.nanos += 1_000_000;
        self.packets += 1;
        self.last()
    }

    pub(crate) fn wait(&mut self, seconds: u64) -> Timestamp {
        self.nanos += seconds as i64 * 1_000_000_000;
        Timestamp::from_nanos(self.nanos)
    }

    /// The last packet; the first, before there is one.
    pub(crate) fn last(&self) -> Mark {
        Mark { at: Timestamp::from_nanos(self.nanos), packet: PacketNumber(self.packets.max(1)) }
    }

    pub(crate) fn packets(&self) -> u64 {
        self.packets.max(1)
    }
}

fn session(protocol: &'static Protocol, script: &Script, is_message: bool) -> Heard {
    let mode = script.mode;
    let ridden = target::ridden(protocol, script);
    let hinted = ridden.ports.first().copied().filter(|_| !mode.has(Mode::NO_PORT)).unwrap_or(50_000);
    let asks = if mode.has(Mode::B_ASKS) { Side::B } else { Side::A };
    let mut ports = [40_000, hinted];
    if asks == Side::B {
        ports.reverse();
    }
    let transport = if is_message { mode.transport() } else { Transport::Tcp };
    let mid_stream = mode.has(Mode::MID_STREAM);
    let opener = (!mid_stream).then_some(asks);
    let mut session = Session::new(SessionStart { transport, ports, opener, mid_stream });
    let limits = limits(mode);
    let mut board = Switchboard::new(limits.clone());
    let (mut clock, mut out, mut heard) = (Clock::default(), Out::default(), Heard::default());
    let mut cut = [0, 0];
    for step in &script.steps {
        match step {
            Step::Say(side, said) => {
                let mark = clock.packet();
                if is_message {
                    let original_len = said.len() + std::mem::take(&mut cut[side.index()]);
                    let bytes = said.as_slice();
                    let message = Datagram {
                        side: *side,
                        bytes,
                        original_len,
                        mark,
                        last: mark,
                        ordinal: 0,
                        transport,
                        ports,
                    };
                    session.message(message, &mut board, &mut out);
                } else {
                    for piece in said.chunks(mode.piece()) {
                        session.bytes(*side, piece, mark, &mut board, &mut out);
                    }
                }
            }
            Step::Lose(side, len) if !is_message => session.gap(*side, *len, &mut board, &mut out),
            Step::Lose(..) => {}
            Step::Cut(side, len) => cut[side.index()] = *len,
            Step::Wait(seconds) => session.tick(clock.wait(*seconds), &mut board, &mut out),
            Step::End(Some(side), why) => session.end(Some(*side), *why, clock.last(), &mut board, &mut out),
            Step::End(None, _) => break,
        }
        out.exchanges.iter_mut().for_each(|exchange| board.refine(exchange));
        verdict::look(&mut out, clock.packets(), &limits, &mut heard);
    }
    let mut open = Out::default();
    session.open(&mut open);
    open.exchanges.iter_mut().for_each(|exchange| board.refine(exchange));
    verdict::look(&mut open, clock.packets(), &limits, &mut Heard::default());
    let why =
        script.steps.iter().find_map(|step| if let Step::End(None, why) = step { Some(*why) } else { None });
    session.end(None, why.unwrap_or(End::CaptureEnded), clock.last(), &mut board, &mut out);
    out.exchanges.iter_mut().for_each(|exchange| board.refine(exchange));
    verdict::look(&mut out, clock.packets(), &limits, &mut heard);
    assert!(!session.waiting() || session.protocol().is_none(), "exchanges are left after the end");
    let panicked: Vec<&str> = board.switched_off().map(|protocol| protocol.name).collect();
    assert!(panicked.is_empty(), "{panicked:?} panicked");
    let books = board.books();
    let dropped: u64 = books.reasons.values().sum();
    assert_eq!(books.taken_in, books.passed_on + dropped, "the books do not balance: {books:?}");
    heard.understood = books.passed_on;
    heard
}
