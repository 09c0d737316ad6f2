//! For tests: two sides talk on a flow, and what a [`Session`] makes of it, as the pipeline does it.

use wirewise_model::{
    Exchange, Kind, Limits, Mark, Message, Outcome, PacketNumber, Side, Timestamp, Transport, Value,
};

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
    /// So many milliseconds pass.
    Wait(u64),
    /// An end.
    End(Option<Side>, End),
}

/// A flow of which the test is both sides.
pub(crate) struct Talk {
    session: Session,
    pub(crate) board: Switchboard,
    out: Out,
    now: i64,
    packet: u64,
    split: usize,
}

impl Talk {
    pub(crate) fn new(port: u16) -> Self {
        Self::with(Limits::default(), port, false)
    }

    pub(crate) fn mid_stream(port: u16) -> Self {
        Self::with(Limits::default(), port, true)
    }

    pub(crate) fn with(limits: Limits, port: u16, mid_stream: bool) -> Self {
        let opener = (!mid_stream).then_some(Side::A);
        let start = SessionStart { transport: Transport::Tcp, ports: [40000, port], opener, mid_stream };
        Self {
            session: Session::new(start),
            board: Switchboard::new(limits),
            out: Out::default(),
            now: 0,
            packet: 0,
            split: usize::MAX,
        }
    }

    /// The same, with what is sent shown in pieces of this size.
    pub(crate) fn in_pieces_of(self, split: usize) -> Self {
        Self { split, ..self }
    }

    pub(crate) fn play(mut self, events: &[Ev]) -> Self {
        let Self { session, board, out, now, packet, split } = &mut self;
        for event in events {
            *now += 1_000_000;
            let at = Timestamp::from_nanos(*now);
            match event {
                Ev::C(bytes) | Ev::S(bytes) => {
                    let side = if matches!(event, Ev::C(_)) { Side::A } else { Side::B };
                    *packet += 1;
                    let mark = Mark { at, packet: PacketNumber(*packet) };
                    for piece in bytes.chunks(*split) {
                        session.bytes(side, piece, mark, board, out);
                    }
                }
                Ev::Lost(side, len) => session.gap(*side, *len, board, out),
                Ev::Wait(millis) => {
                    *now += *millis as i64 * 1_000_000;
                    session.tick(Timestamp::from_nanos(*now), board, out);
                }
                Ev::End(side, why) => {
                    session.end(*side, *why, Mark { at, packet: PacketNumber(*packet) }, board, out)
                }
            }
        }
        self
    }

    fn next_mark(&mut self) -> Mark {
        self.now += 1_000_000;
        self.packet += 1;
        Mark { at: Timestamp::from_nanos(self.now), packet: PacketNumber(self.packet) }
    }

    /// What is over so far.
    pub(crate) fn heard(&self) -> &[Exchange] {
        &self.out.exchanges
    }

    /// What is under way.
    pub(crate) fn open(&self) -> Vec<Exchange> {
        let mut out = Out::default();
        self.session.open(&mut out);
        assert_eq!(self.session.waiting(), !out.exchanges.is_empty());
        out.exchanges
    }

    pub(crate) fn protocol(&self) -> Option<&'static str> {
        self.session.protocol().map(|protocol| protocol.name)
    }

    /// How many bytes were passed over for this reason.
    pub(crate) fn passed_over(&self, reason: &str) -> u64 {
        let books = self.board.books();
        books.reasons.iter().filter(|(known, _)| known.name == reason).map(|(_, bytes)| bytes).sum()
    }

    /// Ends the capture; the books balance and nothing panicked.
    pub(crate) fn finish(mut self) -> Vec<Exchange> {
        let last = Mark { at: Timestamp::from_nanos(self.now), packet: PacketNumber(self.packet) };
        self.session.end(None, End::CaptureEnded, last, &mut self.board, &mut self.out);
        let books = self.board.books();
        assert_eq!(books.taken_in, books.passed_on + books.reasons.values().sum::<u64>(), "{books:?}");
        assert_eq!(self.board.switched_off().count(), 0);
        self.out.exchanges
    }
}

/// A flow whose asking side has a hole: what the client sends after it is held, and released when the hole is
/// given up; what the server answers is heard at once.
pub(crate) struct Released {
    talk: Talk,
    held: Vec<(Vec<u8>, Mark)>,
}

impl Released {
    pub(crate) fn new(port: u16, before: &[Ev]) -> Self {
        Self { talk: Talk::new(port).play(before), held: Vec::new() }
    }

    /// The client sends.
    pub(crate) fn held(&mut self, bytes: Vec<u8>) {
        let mark = self.talk.next_mark();
        self.held.push((bytes, mark));
    }

    /// The server sends.
    pub(crate) fn server(&mut self, bytes: Vec<u8>) {
        let mark = self.talk.next_mark();
        let Talk { session, board, out, .. } = &mut self.talk;
        session.bytes(Side::B, &bytes, mark, board, out);
    }

    /// The hole is given up.
    pub(crate) fn release(mut self) -> Talk {
        let Talk { session, board, out, .. } = &mut self.talk;
        session.gap(Side::A, 100, board, out);
        for (bytes, mark) in self.held {
            session.bytes(Side::A, &bytes, mark, board, out);
        }
        self.talk
    }
}

/// One line an exchange: what was asked, what came of it, what was odd, which packets say so.
pub(crate) fn told(exchanges: &[Exchange]) -> Vec<String> {
    exchanges.iter().map(line).collect()
}

fn line(exchange: &Exchange) -> String {
    let frames = |message: &Option<Message>| match message {
        Some(message) => {
            let numbers = message.track.frames.numbers.iter().map(|number| number.0.to_string());
            numbers.collect::<Vec<_>>().join("+")
        }
        None => "-".to_owned(),
    };
    let mut line = exchange.operation.clone();
    if !exchange.target.is_empty() {
        line += &format!(" {}", exchange.target);
    }
    line += &format!(" {} {}", exchange.status.as_deref().unwrap_or("-"), exchange.outcome);
    if exchange.kind != Kind::Unary {
        line += &format!(" {}", exchange.kind);
    }
    line += &format!(" {}>{}", frames(&exchange.request), frames(&exchange.response));
    if exchange.client == Side::B {
        line += " by B";
    }
    if exchange.revision > 0 {
        line += " again";
    }
    for note in &exchange.notes {
        line += &format!(" +{}", note.0);
    }
    line
}

/// An attribute as text.
pub(crate) fn attribute(exchange: &Exchange, name: &str) -> Option<String> {
    let found = exchange.attributes.iter().find(|attribute| attribute.name == name);
    found.map(|attribute| attribute.value.to_string())
}

/// Every text of an exchange, for canaries.
pub(crate) fn texts(exchange: &Exchange) -> Vec<String> {
    let mut texts = vec![exchange.operation.clone(), exchange.target.clone()];
    texts.extend(
        [&exchange.endpoint, &exchange.host, &exchange.status, &exchange.error]
            .into_iter()
            .flatten()
            .cloned(),
    );
    for attribute in &exchange.attributes {
        if let Value::Text(text) = &attribute.value {
            texts.push(text.clone());
        }
    }
    for message in [&exchange.request, &exchange.response].into_iter().flatten() {
        texts.extend(message.headers.iter().flat_map(|(name, value)| [name.clone(), value.clone()]));
        if let Some(body) = &message.body {
            texts.push(String::from_utf8_lossy(&body.kept).into_owned());
        }
    }
    texts
}

/// Bytes that look like chance and are the same every time (xorshift).
pub(crate) fn noise(mut seed: u64, len: usize) -> Vec<u8> {
    (0..len)
        .map(|_| {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            (seed >> 24) as u8
        })
        .collect()
}

/// Every exchange came out as something, and none is open when all is over.
pub(crate) fn all_closed(exchanges: &[Exchange]) {
    for exchange in exchanges {
        assert_ne!(exchange.outcome, Outcome::Open, "{exchange:?}");
        assert!(exchange.request.is_some() || exchange.response.is_some());
    }
}
