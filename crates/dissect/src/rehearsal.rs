//! For tests of protocols: conversations in, exchanges out, by way of [`crate::Session`], as the pipeline does it.

use wirewise_model::{Exchange, Kind, Limits, Mark, PacketNumber, Side, Timestamp, Transport, Value};

use crate::{Datagram, End, Out, Session, SessionStart, Switchboard};

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

/// A flow on its way to a port.
pub(crate) struct Flow {
    session: Session,
    board: Switchboard,
    pub(crate) out: Out,
    now: i64,
    packet: u64,
    transport: Transport,
    ports: [u16; 2],
}

impl Flow {
    pub(crate) fn new(limits: Limits, port: u16, mid_stream: bool) -> Self {
        Self::over(Transport::Tcp, limits, port, mid_stream)
    }

    pub(crate) fn over(transport: Transport, limits: Limits, port: u16, mid_stream: bool) -> Self {
        let opener = (!mid_stream).then_some(Side::A);
        let ports = [40_000, port];
        let start = SessionStart { transport, ports, opener, mid_stream };
        Self {
            session: Session::new(start),
            board: Switchboard::new(limits),
            out: Out::default(),
            now: 0,
            packet: 0,
            transport,
            ports,
        }
    }

    pub(crate) fn protocol(&self) -> Option<&'static str> {
        self.session.protocol().map(|protocol| protocol.name)
    }

    pub(crate) fn waiting(&self) -> bool {
        self.session.waiting()
    }

    pub(crate) fn open(&self) -> Vec<Exchange> {
        let mut out = Out::default();
        self.session.open(&mut out);
        out.exchanges
    }

    /// Plays events, each segment in pieces of `split` bytes.
    pub(crate) fn play(&mut self, events: &[Ev], split: usize) {
        for event in events {
            self.now += 1_000_000;
            let at = Timestamp::from_nanos(self.now);
            match event {
                Ev::C(bytes) => self.say(Side::A, bytes, at, split),
                Ev::S(bytes) => self.say(Side::B, bytes, at, split),
                Ev::Lost(side, len) => self.session.gap(*side, *len, &mut self.board, &mut self.out),
                Ev::Wait(seconds) => {
                    self.now += *seconds as i64 * 1_000_000_000;
                    let now = Timestamp::from_nanos(self.now);
                    self.session.tick(now, &mut self.board, &mut self.out);
                }
                Ev::End(side, why) => {
                    let last = Mark { at, packet: PacketNumber(self.packet) };
                    self.session.end(*side, *why, last, &mut self.board, &mut self.out);
                }
            }
        }
    }

    fn say(&mut self, side: Side, bytes: &[u8], at: Timestamp, split: usize) {
        self.packet += 1;
        let mark = Mark { at, packet: PacketNumber(self.packet) };
        if self.transport == Transport::Udp {
            let message = Datagram {
                side,
                bytes,
                original_len: bytes.len(),
                mark,
                last: mark,
                ordinal: 0,
                transport: self.transport,
                ports: self.ports,
            };
            return self.session.message(message, &mut self.board, &mut self.out);
        }
        for piece in bytes.chunks(split) {
            self.session.bytes(side, piece, mark, &mut self.board, &mut self.out);
        }
    }

    /// The capture ends; the books must balance and nothing may have panicked.
    pub(crate) fn finish(mut self) -> Vec<Exchange> {
        let last = Mark { at: Timestamp::from_nanos(self.now), packet: PacketNumber(self.packet) };
        self.session.end(None, End::CaptureEnded, last, &mut self.board, &mut self.out);
        let books = self.board.books();
        assert_eq!(books.taken_in, books.passed_on + books.reasons.values().sum::<u64>(), "{books:?}");
        let panicked = books.reasons.keys().any(|reason| format!("{reason:?}").contains("panicked"));
        assert!(!panicked, "{books:?}");
        self.out.exchanges
    }
}

/// What a whole conversation comes to.
pub(crate) fn hear(port: u16, events: &[Ev]) -> Vec<Exchange> {
    let mut flow = Flow::new(Limits::default(), port, false);
    flow.play(events, usize::MAX);
    flow.finish()
}

/// The same for one that was entered in the middle.
pub(crate) fn overhear(port: u16, events: &[Ev]) -> Vec<Exchange> {
    let mut flow = Flow::new(Limits::default(), port, true);
    flow.play(events, usize::MAX);
    flow.finish()
}

/// One line an exchange: what was asked, what came of it, what was odd.
pub(crate) fn told(exchanges: &[Exchange]) -> Vec<String> {
    exchanges.iter().map(line).collect()
}

fn line(exchange: &Exchange) -> String {
    let mut line = exchange.operation.clone();
    if !exchange.target.is_empty() {
        line += &format!(" {}", exchange.target);
    }
    if exchange.request.is_none() {
        line.insert_str(0, if exchange.kind == Kind::Message { "<" } else { "?" });
    }
    line += &format!(" {} {}", exchange.status.as_deref().unwrap_or("-"), exchange.outcome);
    if exchange.kind != Kind::Unary {
        line += &format!(" {}", exchange.kind);
    }
    if let (Some(_), Some(took)) = (&exchange.response, exchange.took()) {
        line += &format!(" {}ms", took.as_millis());
    }
    if exchange.revision > 0 {
        line += " again";
    }
    for note in &exchange.notes {
        line += &format!(" +{}", note.0);
    }
    line
}

/// An attribute as text; empty where there is none.
pub(crate) fn attribute(exchange: &Exchange, name: &str) -> String {
    let found = exchange.attributes.iter().find(|attribute| attribute.name == name);
    found.map(|attribute| attribute.value.to_string()).unwrap_or_default()
}

/// Every text of an exchange that may leave: none of it may hold a secret, before redaction already.
pub(crate) fn texts(exchanges: &[Exchange]) -> String {
    let mut all = String::new();
    let mut add = |text: &str| {
        all.push_str(text);
        all.push('\n');
    };
    for exchange in exchanges {
        add(&exchange.operation);
        add(&exchange.target);
        for text in
            [&exchange.endpoint, &exchange.host, &exchange.status, &exchange.error].into_iter().flatten()
        {
            add(text);
        }
        for attribute in &exchange.attributes {
            add(&attribute.name);
            if let Value::Text(text) = &attribute.value {
                add(text);
            }
        }
        for message in [&exchange.request, &exchange.response].into_iter().flatten() {
            for (name, value) in &message.headers {
                add(name);
                add(value);
            }
            if let Some(body) = &message.body {
                add(&String::from_utf8_lossy(&body.kept));
            }
        }
    }
    all
}

/// A conversation in every way that is rude: byte by byte it must come to the same; cut at every byte, with bytes of
/// it lost, changed or made up, it must end, in balance and without a panic.
pub(crate) fn mistreat(port: u16, events: &[Ev]) {
    let whole = told(&hear(port, events));
    for split in [1, 2, 3, 7] {
        let mut flow = Flow::new(Limits::default(), port, false);
        flow.play(events, split);
        assert_eq!(told(&flow.finish()), whole, "in pieces of {split}");
    }
    for (index, event) in events.iter().enumerate() {
        let (Ev::C(bytes) | Ev::S(bytes)) = event else { continue };
        let (side, remake): (Side, fn(Vec<u8>) -> Ev) =
            if matches!(event, Ev::C(_)) { (Side::A, Ev::C) } else { (Side::B, Ev::S) };
        for cut in 0..bytes.len().min(400) {
            let mut ended = events[..index].to_vec();
            ended.push(remake(bytes[..cut].to_vec()));
            hear(port, &ended);
            let mut holed = ended.clone();
            holed.push(Ev::Lost(side, (bytes.len() - cut) as u64));
            holed.extend_from_slice(&events[index + 1..]);
            hear(port, &holed);
            holed.insert(index + 1, remake(bytes[cut..].to_vec()));
            overhear(port, &holed);
        }
    }
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for round in 0..300 {
        let mut changed = events.to_vec();
        for event in &mut changed {
            let (Ev::C(bytes) | Ev::S(bytes)) = event else { continue };
            if bytes.is_empty() {
                continue;
            }
            for _ in 0..dice.below(4) {
                let at = dice.below(bytes.len());
                bytes[at] = dice.below(256) as u8;
            }
            if round % 10 == 0 {
                bytes.iter_mut().for_each(|byte| *byte = dice.below(256) as u8);
            }
        }
        let mut flow = Flow::new(Limits::default(), port, round % 2 == 0);
        flow.play(&changed, 1 + dice.below(64));
        flow.play(&[Ev::Wait(600)], 1);
        flow.finish();
    }
}

/// Numbers that are the same at every run (Marsaglia's xorshift).
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % most as u64) as usize
    }
}

/// Runs what would not end if its work grew faster than its input.
pub(crate) fn is_quick(run: impl FnOnce()) {
    run();
}
