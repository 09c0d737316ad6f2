//! Conversations played to a [`Session`] in tests, as the pipeline does it, and what came of them in lines.

use wirewise_model::{Exchange, Kind, Limits, Mark, PacketNumber, Side, Timestamp, Transport, Value};

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

pub(crate) fn c(bytes: impl AsRef<[u8]>) -> Ev {
    Ev::C(bytes.as_ref().to_vec())
}

pub(crate) fn s(bytes: impl AsRef<[u8]>) -> Ev {
    Ev::S(bytes.as_ref().to_vec())
}

/// A flow to play on.
#[derive(Clone, Debug)]
pub(crate) struct Stage {
    pub(crate) server_port: u16,
    pub(crate) mid_stream: bool,
    pub(crate) limits: Limits,
    /// Bytes of a segment; packets are cut so.
    pub(crate) split: usize,
}

impl Stage {
    pub(crate) fn new(server_port: u16) -> Self {
        Self { server_port, mid_stream: false, limits: Limits::default(), split: usize::MAX }
    }

    pub(crate) fn mid_stream(self) -> Self {
        Self { mid_stream: true, ..self }
    }

    /// Plays the events, then ends the capture. The books balance and nothing panicked, or it fails.
    #[track_caller]
    pub(crate) fn play(&self, events: &[Ev]) -> Vec<Exchange> {
        let opener = (!self.mid_stream).then_some(Side::A);
        let mut session = Session::new(SessionStart {
            transport: Transport::Tcp,
            ports: [40000, self.server_port],
            opener,
            mid_stream: self.mid_stream,
        });
        let mut board = Switchboard::new(self.limits.clone());
        let mut out = Out::default();
        let (mut now, mut packet) = (0_i64, 0);
        for event in events {
            now += 1_000_000;
            let at = Timestamp::from_nanos(now);
            match event {
                Ev::C(bytes) | Ev::S(bytes) => {
                    let side = if matches!(event, Ev::C(_)) { Side::A } else { Side::B };
                    packet += 1;
                    let mark = Mark { at, packet: PacketNumber(packet) };
                    for piece in bytes.chunks(self.split) {
                        session.bytes(side, piece, mark, &mut board, &mut out);
                    }
                }
                Ev::Lost(side, len) => session.gap(*side, *len, &mut board, &mut out),
                Ev::Wait(seconds) => {
                    now += *seconds as i64 * 1_000_000_000;
                    session.tick(Timestamp::from_nanos(now), &mut board, &mut out);
                }
                Ev::End(side, why) => {
                    session.end(*side, *why, Mark { at, packet: PacketNumber(packet) }, &mut board, &mut out)
                }
            }
        }
        let mut open = Out::default();
        session.open(&mut open);
        let last = Mark { at: Timestamp::from_nanos(now), packet: PacketNumber(packet) };
        session.end(None, End::CaptureEnded, last, &mut board, &mut out);
        assert!(!session.waiting() || session.protocol().is_none());
        let books = board.books();
        assert_eq!(books.taken_in, books.passed_on + books.reasons.values().sum::<u64>(), "{books:?}");
        assert_eq!(board.switched_off().count(), 0);
        out.exchanges
    }

    /// Plays them and compares what is told, whole and byte by byte.
    #[track_caller]
    pub(crate) fn check(&self, events: &[Ev], expect: &[&str]) -> Vec<Exchange> {
        let exchanges = self.check_as_sent(events, expect);
        let split = Self { split: 1, ..self.clone() };
        assert_eq!(told(&split.play(events)), expect, "byte by byte");
        exchanges
    }

    /// Plays them and compares what is told: where it matters what begins a segment.
    #[track_caller]
    pub(crate) fn check_as_sent(&self, events: &[Ev], expect: &[&str]) -> Vec<Exchange> {
        let exchanges = self.play(events);
        assert_eq!(told(&exchanges), expect);
        exchanges
    }

    /// Plays them cut at every byte, with that byte lost, and with it changed: nothing may panic, and `look` sees
    /// what comes of each.
    #[track_caller]
    pub(crate) fn harass(&self, events: &[Ev], look: impl Fn(&[Exchange])) {
        for (index, event) in events.iter().enumerate() {
            let (Ev::C(bytes) | Ev::S(bytes)) = event else { continue };
            let side = if matches!(event, Ev::C(_)) { Side::A } else { Side::B };
            let same = |bytes: &[u8]| match side {
                Side::A => c(bytes),
                Side::B => s(bytes),
            };
            let step = (bytes.len() / 256).max(1);
            for at in (0..bytes.len()).step_by(step) {
                let mut cut = events[..index].to_vec();
                cut.push(same(&bytes[..at]));
                look(&self.play(&cut));
                cut.push(Ev::Lost(side, (bytes.len() - at) as u64));
                cut.extend_from_slice(&events[index + 1..]);
                look(&self.play(&cut));
                let mut changed = events.to_vec();
                let mut other = bytes.clone();
                other[at] = other[at].wrapping_add(0x81);
                changed[index] = same(&other);
                self.play(&changed);
            }
        }
    }
}

/// One line an exchange: what was asked, what came of it, what was odd.
pub(crate) fn told(exchanges: &[Exchange]) -> Vec<String> {
    let line = |exchange: &Exchange| {
        let mut line = format!("{} {}", exchange.operation, exchange.target).trim().to_owned();
        if exchange.request.is_none() {
            line = format!("? {line}").trim().to_owned();
        }
        line += &format!(" {} {}", exchange.status.as_deref().unwrap_or("-"), exchange.outcome);
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

/// The value of an attribute as text.
pub(crate) fn attribute(exchange: &Exchange, name: &str) -> Option<String> {
    exchange
        .attributes
        .iter()
        .find(|attribute| attribute.name == name)
        .map(|attribute| attribute.value.to_string())
}

/// Every text of an exchange, to be searched for what should not be there.
pub(crate) fn texts(exchange: &Exchange) -> Vec<String> {
    let mut texts = vec![exchange.operation.clone(), exchange.target.clone()];
    let optional = [&exchange.endpoint, &exchange.host, &exchange.status, &exchange.error];
    texts.extend(optional.into_iter().flatten().cloned());
    if let Some((trace, span)) = &exchange.trace {
        texts.extend([trace.clone(), span.clone()]);
    }
    for attribute in &exchange.attributes {
        if let Value::Text(text) = &attribute.value {
            texts.push(text.clone());
        }
    }
    for message in [&exchange.request, &exchange.response].into_iter().flatten() {
        texts.extend(message.headers.iter().flat_map(|(name, value)| [name.clone(), value.clone()]));
        texts.extend(message.body.iter().map(|body| String::from_utf8_lossy(&body.kept).into_owned()));
    }
    texts
}

/// Fails where any text of any exchange holds one of `canaries`.
#[track_caller]
pub(crate) fn hides(exchanges: &[Exchange], canaries: &[&str]) {
    for text in exchanges.iter().flat_map(texts) {
        for canary in canaries {
            assert!(!text.contains(canary), "{canary} is told in {text:?}");
        }
    }
}

/// Plays random bytes from both sides, some behind a beginning that the protocol knows.
pub(crate) fn noise(stage: &Stage, beginnings: &[Vec<Ev>]) {
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for round in 0..400 {
        let mut events = beginnings.get(round % (beginnings.len() + 1)).cloned().unwrap_or_default();
        for _ in 0..next() % 6 {
            let length = next() % 300;
            // Small numbers are lengths and tags more often than others.
            let bytes: Vec<u8> = (0..length)
                .map(|_| {
                    let byte = next();
                    if byte % 3 == 0 { (byte >> 8) as u8 & 7 } else { (byte >> 8) as u8 }
                })
                .collect();
            events.push(match next() % 5 {
                0 | 1 => c(bytes),
                2 | 3 => s(bytes),
                _ => Ev::Lost(if next() % 2 == 0 { Side::A } else { Side::B }, next() % 5000),
            });
        }
        stage.play(&events);
    }
}
