//! Scripts played straight to a protocol's entry, whatever its probe would say of them.

use wirewise_dissect::{
    Datagram, End, Input, MessageEntry, Out, Protocol, RefineEntry, StreamEntry, Verdict,
};
use wirewise_model::{Body, Exchange, Limits, Mark, Message, Side, Track};

use crate::play::{Clock, limits};
use crate::script::{Mode, Script, Step};
use crate::verdict::{self, Heard};

fn asking(mode: Mode) -> Side {
    if mode.has(Mode::B_ASKS) { Side::B } else { Side::A }
}

/// One side's bytes that were not consumed, as a session keeps them.
#[derive(Default)]
struct Waiting {
    offset: u64,
    bytes: Vec<u8>,
    marks: Vec<(u64, Mark)>,
}

impl Waiting {
    fn append(&mut self, bytes: &[u8], mark: Mark) {
        self.marks.push((self.offset + self.bytes.len() as u64, mark));
        self.bytes.extend_from_slice(bytes);
    }

    fn consume(&mut self, count: usize) {
        self.offset += count as u64;
        self.bytes.drain(..count);
        let keep = self.marks.partition_point(|(begins, _)| *begins <= self.offset).saturating_sub(1);
        self.marks.drain(..keep);
        if self.bytes.is_empty() {
            self.marks.clear();
        }
    }
}

/// As a session does, without its probes.
pub(crate) fn stream(entry: &StreamEntry, script: &Script) -> Heard {
    let limits = limits(script.mode);
    let mut stream = (entry.open)(&limits, asking(script.mode));
    let mut sides = [Waiting::default(), Waiting::default()];
    let (mut clock, mut out, mut heard) = (Clock::default(), Out::default(), Heard::default());
    'script: for step in &script.steps {
        match step {
            Step::Say(side, said) => {
                let mark = clock.packet();
                let waiting = &mut sides[side.index()];
                for piece in said.chunks(script.mode.piece()) {
                    waiting.append(piece, mark);
                    let fed = stream
                        .feed(Input::new(*side, waiting.offset, &waiting.bytes, &waiting.marks), &mut out);
                    assert!(fed.consumed <= waiting.bytes.len(), "more was consumed than there was");
                    heard.understood += fed.consumed as u64;
                    waiting.consume(fed.consumed);
                    out.skipped.clear();
                    out.handed = None;
                    if fed.verdict != Verdict::Continue || waiting.bytes.len() > limits.undissected_bytes {
                        break 'script;
                    }
                }
            }
            Step::Lose(side, len) => {
                let waiting = &mut sides[side.index()];
                waiting.consume(waiting.bytes.len());
                let verdict = stream.gap(*side, *len, &mut out);
                waiting.offset += len;
                if verdict != Verdict::Continue {
                    break;
                }
            }
            Step::Cut(..) => {}
            Step::Wait(seconds) => stream.tick(clock.wait(*seconds), &mut out),
            Step::End(Some(side), why) => stream.end(Some(*side), *why, clock.last(), &mut out),
            Step::End(None, _) => break,
        }
        verdict::look(&mut out, clock.packets(), &limits, &mut heard);
    }
    let mut open = Out::default();
    stream.open(&mut open);
    verdict::look(&mut open, clock.packets(), &limits, &mut Heard::default());
    stream.end(None, End::CaptureEnded, clock.last(), &mut out);
    verdict::look(&mut out, clock.packets(), &limits, &mut heard);
    assert!(!stream.waiting(), "exchanges are left after the end");
    heard
}

/// The same for messages.
pub(crate) fn messages(entry: &MessageEntry, script: &Script) -> Heard {
    let limits = limits(script.mode);
    let mut messages = (entry.open)(&limits, asking(script.mode));
    let (mut clock, mut out, mut heard) = (Clock::default(), Out::default(), Heard::default());
    let (mut cut, mut ordinals) = ([0, 0], [0, 0]);
    for step in &script.steps {
        match step {
            Step::Say(side, said) => {
                let mark = clock.packet();
                let message = Datagram {
                    side: *side,
                    bytes: said,
                    original_len: said.len() + std::mem::take(&mut cut[side.index()]),
                    mark,
                    last: mark,
                    ordinal: ordinals[side.index()],
                    transport: script.mode.transport(),
                    ports: [40_000, 50_000],
                };
                ordinals[side.index()] += 1;
                heard.understood += said.len() as u64;
                if messages.feed(message, &mut out) != Verdict::Continue {
                    break;
                }
                out.skipped.clear();
            }
            Step::Cut(side, len) => cut[side.index()] = *len,
            Step::Lose(..) | Step::End(Some(_), _) => {}
            Step::Wait(seconds) => messages.tick(clock.wait(*seconds), &mut out),
            Step::End(None, _) => break,
        }
        verdict::look(&mut out, clock.packets(), &limits, &mut heard);
    }
    let mut open = Out::default();
    messages.open(&mut open);
    verdict::look(&mut open, clock.packets(), &limits, &mut Heard::default());
    messages.end(End::CaptureEnded, clock.last(), &mut out);
    verdict::look(&mut out, clock.packets(), &limits, &mut heard);
    assert!(!messages.waiting(), "exchanges are left after the end");
    heard
}

/// An exchange of a carrier, made of what the sides say: each says a line (target, or status), header lines, a body.
pub(crate) fn refine(protocol: &'static Protocol, entry: &RefineEntry, script: &Script) -> Heard {
    let limits = limits(script.mode);
    let carrier = entry.carriers[usize::from(script.mode.0 >> 4) % entry.carriers.len()];
    let mut exchange = Exchange::new(carrier, Side::A);
    let mut clock = Clock::default();
    let mark = clock.packet();
    let mut said: [Vec<&[u8]>; 2] = [Vec::new(), Vec::new()];
    for step in &script.steps {
        if let Step::Say(side, bytes) = step {
            said[side.index()].push(bytes);
        }
    }
    exchange.operation = if script.mode.has(Mode::B_ASKS) { "GET" } else { "POST" }.to_owned();
    exchange.target = text(&said[0], 0);
    let status = text(&said[1], 0);
    exchange.status_code = status.parse().ok();
    exchange.status = Some(status);
    exchange.complete = !script.mode.has(Mode::MID_STREAM);
    exchange.request = Some(message(&said[0], mark, &limits));
    exchange.response = (!said[1].is_empty()).then(|| message(&said[1], mark, &limits));
    let mut heard = Heard { understood: script.said() as u64, ..Heard::default() };
    if (entry.refine)(&mut exchange) {
        exchange.protocol = std::borrow::Cow::Borrowed(protocol.name);
    }
    let mut out = Out { exchanges: vec![exchange], ..Out::default() };
    verdict::look(&mut out, 1, &limits, &mut heard);
    heard
}

fn text(said: &[&[u8]], at: usize) -> String {
    said.get(at).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default()
}

fn message(said: &[&[u8]], mark: Mark, limits: &Limits) -> Message {
    let mut track = Track::begin(0, mark);
    track.extend(mark, said.iter().map(|bytes| bytes.len() as u64).sum());
    let lines = text(said, 1);
    let headers = lines.lines().filter_map(|line| line.split_once(": "));
    let headers = headers.take(limits.headers).map(|(name, value)| (name.to_lowercase(), value.to_owned()));
    let body = said.get(2).map(|bytes| Body {
        kept: bytes[..bytes.len().min(limits.body_kept)].to_vec(),
        wire_bytes: bytes.len() as u64,
        decoded_bytes: bytes.len() as u64,
        truncated: bytes.len() > limits.body_kept,
    });
    Message { track, headers: headers.collect(), body }
}

/// An exchange as a script that [`refine`] makes it of again.
pub(crate) fn script_of(exchange: &Exchange) -> Script {
    let mut steps = Vec::new();
    let line = [exchange.target.clone(), exchange.status.clone().unwrap_or_default()];
    let sides = [(Side::A, &exchange.request), (Side::B, &exchange.response)];
    for ((side, message), line) in sides.into_iter().zip(line) {
        let Some(message) = message else { continue };
        let headers = message.headers.iter().map(|(name, value)| format!("{name}: {value}\n"));
        steps.push(Step::Say(side, line.into_bytes()));
        steps.push(Step::Say(side, headers.collect::<String>().into_bytes()));
        steps.extend(message.body.as_ref().map(|body| Step::Say(side, body.kept.clone())));
    }
    let get = if exchange.operation == "GET" { Mode::B_ASKS } else { 0 };
    Script { mode: Mode(Mode::DIRECT | get), steps }
}
