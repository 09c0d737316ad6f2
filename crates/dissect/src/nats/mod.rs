//! NATS: the client protocol, as <https://docs.nats.io/reference/reference-protocols/nats-protocol> has it.
//!
//! **What a call is.** PUB and HPUB are messages, one way, and so are the MSG and HMSG that the server delivers;
//! `target` is the subject. A PUB with a reply subject is a request: the message that comes to that subject answers it,
//! its status ("503", no responders) is the call's. A pull of JetStream is `long_poll` and over with the first message
//! on its inbox. PING is a `probe`, whoever asks. INFO and CONNECT are `session`, SUB and UNSUB `unary`: one-way, but for
//! a verbose client, whose every line +OK or -ERR answers. An -ERR after a CONNECT is its answer; one that answers
//! nothing is a message of its own.
//!
//! **Directions.** `messaging.operation.type` is `send` or `receive`. What is delivered is a response without a request.
//!
//! **Outcomes.** 4xx is a `client_error`, 5xx a `server_error`, as the numbers are HTTP's; an -ERR is the client's, but
//! for what a server's own state refuses. A request without a reply is `no_response` where the client listens for the
//! reply on this connection; where not, it is `one_way`, since the reply may go elsewhere.
//!
//! **Attributes.** `messaging.system`, `messaging.destination.name`, `messaging.message.body.size`,
//! `messaging.client.id` (a CONNECT's name), `messaging.consumer.group.name` (a queue), `user.name` (which redaction turns
//! into a pseudonym); `nats.sid` and `nats.reply_to` as Wireshark has them. Passwords, tokens, JWTs, signatures, headers
//! and payloads are not kept; a `traceparent` among the headers is the call's trace.
//!
//! **Finding its feet again.** A gap inside of a payload costs nothing but that payload. After any other a side is
//! passed over until a segment begins as a line of the protocol does. Subjects say then what answers what; of pings
//! the latest is answered, and of +OK what `lineup.rs` says.

use wirewise_model::{Limits, Mark, Reason, Redaction, Side, Timestamp};

use crate::{End, Fed, Heads, Input, Out, Probe, Protocol, Stream, StreamEntry, Verdict};

mod describe;
mod pair;
mod parse;
#[cfg(test)]
mod tests;

use pair::Pairing;
use parse::{Headers, Line, Speaker};

const PORT: u16 = 4222;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: describe::NAME,
    title: "NATS",
    reference: "https://docs.nats.io/reference/reference-protocols/nats-protocol",
    ports: &[PORT],
    redaction: Redaction::Text,
    stream: Some(StreamEntry { probe, open: |limits, client| Box::new(Nats::new(limits, client)) }),
    message: None,
    refine: None,
};

/// Bytes that are no part of a message: after a loss, or of something that is not NATS.
const OUT_OF_STEP: Reason = Reason::loss("out_of_step");
/// The longest line that a probe looks at.
const LONGEST_LINE: usize = 2048;

fn probe(heads: &Heads<'_>) -> Probe {
    let mut needs_more = false;
    for side in [Side::A, Side::B] {
        let bytes = heads.of(side);
        if bytes.is_empty() {
            continue;
        }
        // Both are long, and say enough with their first bytes.
        for (greeting, client) in [(&b"INFO {"[..], side.other()), (b"CONNECT {", side)] {
            let fits = bytes.len().min(greeting.len());
            if bytes[..fits].eq_ignore_ascii_case(&greeting[..fits]) {
                if fits == greeting.len() {
                    return Probe::Yes { client };
                }
                needs_more = true;
            }
        }
        match first_line(bytes).map(|line| line.speaker()) {
            Some(Speaker::Client) if heads.mid_stream => return Probe::Yes { client: side },
            Some(Speaker::Server)
                if heads.mid_stream && !bytes.starts_with(b"+") && !bytes.starts_with(b"-") =>
            {
                return Probe::Yes { client: side.other() };
            }
            Some(Speaker::Either) if heads.mid_stream => needs_more = true,
            _ => {}
        }
    }
    let pinged = heads.bytes.map(first_line);
    if let [Some(Line::Ping), Some(Line::Pong)] | [Some(Line::Pong), Some(Line::Ping)] = pinged {
        // Until a line shows who is who: the port, or the lower one.
        let server = if heads.ports.contains(&PORT) { PORT } else { heads.ports[0].min(heads.ports[1]) };
        let client = if heads.ports[1] == server { Side::A } else { Side::B };
        return Probe::Yes { client: heads.opener.unwrap_or(client) };
    }
    if needs_more && !heads.ended { Probe::NeedMore } else { Probe::No }
}

fn first_line(bytes: &[u8]) -> Option<Line> {
    let window = &bytes[..bytes.len().min(LONGEST_LINE)];
    let end = memchr::memchr(b'\n', window)?;
    parse::line(window[..end].strip_suffix(b"\r")?)
}

/// A message of which payload is on its way.
#[derive(Debug)]
struct UnderWay {
    line: Line,
    headers: Headers,
    track: wirewise_model::Track,
    /// Bytes to come.
    left: u64,
    holed: bool,
}

/// One side that is being read.
#[derive(Debug, Default)]
struct Reader {
    under_way: Option<Box<UnderWay>>,
    /// Out of step: looking for a line.
    lost: bool,
    spoken: bool,
}

/// The dissector of one flow.
struct Nats {
    /// Bytes of a line, or of headers, that are looked at.
    most: u32,
    readers: [Reader; 2],
    pairing: Pairing,
}

/// What one step did.
enum Step {
    Used(usize),
    /// More is needed.
    Wait,
    Leave(Verdict),
}

impl Nats {
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
            if !fresh || first_line(bytes).is_none() {
                out.skip(OUT_OF_STEP, bytes.len() as u64);
                return Step::Used(bytes.len());
            }
            reader.lost = false;
        }
        if let Some(under_way) = &mut reader.under_way {
            let used = under_way.left.min(bytes.len() as u64) as usize;
            under_way.left -= used as u64;
            input.cover(&mut under_way.track, 0..used);
            self.finish(input.side, out);
            return Step::Used(used);
        }
        // Where the server's INFO asks for TLS, what follows on the client's side is its hello.
        if !reader.spoken && bytes.starts_with(&[0x16, 3]) {
            return Step::Leave(Verdict::Upgrade(Some("tls")));
        }
        let most = self.most as usize;
        let window = &bytes[..bytes.len().min(most)];
        let Some(end) = memchr::memchr(b'\n', window) else {
            return if window.len() < most { Step::Wait } else { self.lose(input.side) };
        };
        let text = window[..end].strip_suffix(b"\r").unwrap_or(&window[..end]);
        if text.is_empty() {
            return Step::Used(end + 1);
        }
        let Some(line) = parse::line(text) else { return self.lose(input.side) };
        reader.spoken = true;
        let mut used = end + 1;
        let (mut left, mut headers) = (0, Headers::default());
        if let Line::Publish(publish) = &line {
            let shown = publish.headers.min(u64::from(self.most)) as usize;
            let Some(block) = bytes.get(used..used + shown) else { return Step::Wait };
            headers = parse::headers(block);
            used += shown;
            left = publish.total + 2 - shown as u64;
        }
        let mut track = input.begin(0);
        input.cover(&mut track, 0..used);
        if left == 0 {
            self.pairing.take(input.side, line, headers, track, false, out);
        } else {
            reader.under_way = Some(Box::new(UnderWay { line, headers, track, left, holed: false }));
        }
        Step::Used(used)
    }

    /// Tells of the message under way, where it is whole.
    fn finish(&mut self, side: Side, out: &mut Out) {
        let reader = &mut self.readers[side.index()];
        if reader.under_way.as_ref().is_some_and(|under_way| under_way.left == 0) {
            self.tell(side, out);
        }
    }

    fn tell(&mut self, side: Side, out: &mut Out) {
        if let Some(under_way) = self.readers[side.index()].under_way.take() {
            let UnderWay { line, headers, track, holed, .. } = *under_way;
            self.pairing.take(side, line, headers, track, holed, out);
        }
    }

    fn lose(&mut self, side: Side) -> Step {
        let reader = &mut self.readers[side.index()];
        *reader = Reader { lost: true, spoken: true, ..Reader::default() };
        self.pairing.gap(side);
        Step::Used(0)
    }
}

impl Stream for Nats {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let (mut at, mut fresh) = (0, true);
        while at < input.bytes.len() {
            match self.step(input.skip(at), fresh, out) {
                Step::Used(used) => at += used,
                Step::Wait => break,
                Step::Leave(verdict) => {
                    self.pairing.end(None, End::Fin, input.mark(at).at, out);
                    return Fed { consumed: at, verdict };
                }
            }
            // Only once: what looks like a beginning and is none must not be looked at for ever.
            fresh = false;
        }
        if input.side != self.pairing.client {
            self.pairing.heard(input.mark(input.bytes.len() - 1).at);
        }
        Fed::go_on(at)
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        match &mut self.readers[side.index()].under_way {
            Some(under_way) if under_way.left >= len => {
                under_way.left -= len;
                under_way.holed = true;
                self.finish(side, out);
            }
            Some(under_way) => {
                // What was heard of it is told.
                under_way.holed = true;
                self.tell(side, out);
                self.lose(side);
            }
            None => {
                self.lose(side);
            }
        }
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        let at = last.at;
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
