//! Frames, header blocks and the flows that bring them.

use wirewise_model::{Exchange, Kind, Limits, Mark, PacketNumber, Side, Timestamp, Transport};

use super::super::hpack::huffman_encode;
use super::super::parse::{PREFACE, flag, kind};
use crate::{End, Out, Session, SessionStart, Switchboard};

/// One event on a flow. Each takes place a millisecond after the one before, in a packet of its own.
#[derive(Clone, Debug)]
pub(crate) enum Ev {
    /// The client (A) sends.
    C(Vec<u8>),
    /// The server (B) sends.
    S(Vec<u8>),
    /// Bytes of a side are lost.
    Lost(Side, u64),
    /// So many seconds pass.
    Wait(u64),
    /// An end.
    End(Option<Side>, End),
}

pub(crate) fn c(frames: &[Vec<u8>]) -> Ev {
    Ev::C(frames.concat())
}

pub(crate) fn s(frames: &[Vec<u8>]) -> Ev {
    Ev::S(frames.concat())
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

pub(crate) fn settings(settings: &[(u16, u32)]) -> Vec<u8> {
    let payload: Vec<u8> = settings
        .iter()
        .flat_map(|(identifier, value)| [&identifier.to_be_bytes()[..], &value.to_be_bytes()].concat())
        .collect();
    frame(kind::SETTINGS, 0, 0, &payload)
}

pub(crate) fn preface() -> Vec<u8> {
    [PREFACE.to_vec(), settings(&[(3, 100)])].concat()
}

/// A header block that changes no table.
pub(crate) fn block(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(0, name, value)).collect()
}

/// A header block that adds each of its fields to the table.
pub(crate) fn kept(fields: &[(&str, &str)]) -> Vec<u8> {
    fields.iter().flat_map(|(name, value)| literal(0x40, name, value)).collect()
}

fn literal(first: u8, name: &str, value: &str) -> Vec<u8> {
    let value = huffman_encode(value.as_bytes());
    let mut bytes = vec![first, name.len() as u8];
    bytes.extend(name.as_bytes());
    match u8::try_from(value.len()) {
        Ok(length @ ..127) => bytes.push(0x80 | length),
        _ => {
            bytes.push(0xff);
            let mut rest = value.len() - 127;
            while rest > 127 {
                bytes.push(0x80 | (rest & 0x7f) as u8);
                rest >>= 7;
            }
            bytes.push(rest as u8);
        }
    }
    bytes.extend(value);
    bytes
}

pub(crate) fn headers(stream: u32, ended: bool, block: &[u8]) -> Vec<u8> {
    let end = if ended { flag::END_STREAM } else { 0 };
    frame(kind::HEADERS, flag::END_HEADERS | end, stream, block)
}

pub(crate) fn data(stream: u32, ended: bool, body: &[u8]) -> Vec<u8> {
    frame(kind::DATA, u8::from(ended), stream, body)
}

pub(crate) fn reset(stream: u32, code: u32) -> Vec<u8> {
    frame(kind::RST_STREAM, 0, stream, &code.to_be_bytes())
}

pub(crate) fn get(stream: u32, path: &str) -> Vec<u8> {
    headers(stream, true, &asks("GET", path))
}

pub(crate) fn asks(method: &str, path: &str) -> Vec<u8> {
    block(&[(":method", method), (":scheme", "http"), (":path", path), (":authority", "shop")])
}

pub(crate) fn ok(stream: u32, body: &str) -> Vec<u8> {
    [headers(stream, false, &block(&[(":status", "200")])), data(stream, true, body.as_bytes())].concat()
}

/// Both sides have begun.
pub(crate) fn begun(events: &[Ev]) -> Vec<Ev> {
    let mut all = vec![c(&[preface()]), s(&[settings(&[(3, 100)])])];
    all.extend_from_slice(events);
    all
}

pub(crate) struct Flow {
    session: Session,
    board: Switchboard,
    pub(crate) out: Out,
    now: i64,
    packet: u64,
}

impl Flow {
    pub(crate) fn new(limits: Limits, mid_stream: bool) -> Self {
        let opener = (!mid_stream).then_some(Side::A);
        let start = SessionStart { transport: Transport::Tcp, ports: [40000, 8080], opener, mid_stream };
        Self {
            session: Session::new(start),
            board: Switchboard::new(limits),
            out: Out::default(),
            now: 0,
            packet: 0,
        }
    }

    pub(crate) fn play(&mut self, events: &[Ev], split: Option<usize>) {
        let Self { session, board, out, .. } = self;
        for event in events {
            self.now += 1_000_000;
            let at = Timestamp::from_nanos(self.now);
            match event {
                Ev::C(bytes) | Ev::S(bytes) => {
                    let side = if matches!(event, Ev::C(_)) { Side::A } else { Side::B };
                    self.packet += 1;
                    let mark = Mark { at, packet: PacketNumber(self.packet) };
                    for piece in bytes.chunks(split.unwrap_or(usize::MAX)) {
                        session.bytes(side, piece, mark, board, out);
                    }
                }
                Ev::Lost(side, len) => session.gap(*side, *len, board, out),
                Ev::Wait(seconds) => {
                    self.now += *seconds as i64 * 1_000_000_000;
                    session.tick(Timestamp::from_nanos(self.now), board, out);
                }
                Ev::End(side, why) => {
                    let last = Mark { at, packet: PacketNumber(self.packet) };
                    session.end(*side, *why, last, board, out);
                }
            }
        }
    }

    pub(crate) fn open(&self) -> Vec<Exchange> {
        let mut out = Out::default();
        self.session.open(&mut out);
        out.exchanges
    }

    pub(crate) fn is_waiting(&self) -> bool {
        self.session.waiting()
    }

    pub(crate) fn protocol(&self) -> Option<&'static str> {
        self.session.protocol().map(|protocol| protocol.name)
    }

    /// The reasons for which bytes were passed over.
    pub(crate) fn dropped(&self, reason: &str) -> u64 {
        let books = self.board.books();
        books.reasons.iter().filter(|(known, _)| known.name == reason).map(|(_, bytes)| bytes).sum()
    }

    pub(crate) fn finish(mut self) -> Vec<Exchange> {
        let last = Mark { at: Timestamp::from_nanos(self.now), packet: PacketNumber(self.packet) };
        self.session.end(None, End::CaptureEnded, last, &mut self.board, &mut self.out);
        let books = self.board.books();
        assert_eq!(books.taken_in, books.passed_on + books.reasons.values().sum::<u64>(), "{books:?}");
        assert_eq!(self.board.switched_off().count(), 0);
        let mut exchanges = self.out.exchanges;
        for exchange in &mut exchanges {
            self.board.refine(exchange);
        }
        exchanges
    }
}

pub(crate) fn hear(events: &[Ev]) -> Vec<Exchange> {
    let mut flow = Flow::new(Limits::default(), false);
    flow.play(events, None);
    flow.finish()
}

/// One line an exchange: what was asked, what came of it, what was odd.
pub(crate) fn told(exchanges: &[Exchange]) -> Vec<String> {
    let line = |exchange: &Exchange| {
        let asked = match &exchange.request {
            Some(_) => format!("{} {}", exchange.operation, exchange.target),
            None => "?".to_owned(),
        };
        let status = exchange.status.as_deref().unwrap_or("-");
        let mut line = format!("{asked} {status} {}", exchange.outcome);
        if exchange.kind != Kind::Unary {
            line += &format!(" {}", exchange.kind);
        }
        if let Some(error) = &exchange.error {
            line += &format!(" ({error})");
        }
        if exchange.revision > 0 {
            line += " again";
        }
        for note in &exchange.notes {
            line += &format!(" +{}", note.0);
        }
        line
    };
    exchanges.iter().map(line).collect()
}

/// Plays the events as they were sent and byte by byte, and compares what is told.
#[track_caller]
pub(crate) fn check(events: &[Ev], expect: &[&str]) -> Vec<Exchange> {
    let exchanges = hear(events);
    assert_eq!(told(&exchanges), expect);
    for split in [1, 7] {
        let mut flow = Flow::new(Limits::default(), false);
        flow.play(events, Some(split));
        assert_eq!(told(&flow.finish()), expect, "in pieces of {split}");
    }
    exchanges
}

/// As `check`, of a flow that is entered in the middle, where it matters what begins a segment.
#[track_caller]
pub(crate) fn check_entered(events: &[Ev], expect: &[&str]) -> Vec<Exchange> {
    let mut flow = Flow::new(Limits::default(), true);
    flow.play(events, None);
    let exchanges = flow.finish();
    assert_eq!(told(&exchanges), expect);
    exchanges
}

pub(crate) fn attribute(exchange: &Exchange, name: &str) -> Option<String> {
    exchange
        .attributes
        .iter()
        .find(|attribute| attribute.name == name)
        .map(|attribute| attribute.value.to_string())
}
