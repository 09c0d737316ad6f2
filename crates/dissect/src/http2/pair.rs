//! Streams that are under way: requests and responses meet by their number.
//!
//! Nothing is guessed: a half without its other half goes out alone. What was over once is not taken up again: bytes
//! of such streams may be on their way for a while (RFC 9113, 5.1).

use std::collections::BTreeMap;
use std::time::Duration;

use smallvec::SmallVec;
use wirewise_model::{Coverage, Exchange, Message, Outcome, Side, Timestamp};

use super::Bounds;
use super::describe::{self, Asked};
use super::fields::Fields;
use crate::grpc::framing::{self, Framing, is_grpc};
use crate::http::{self, BodyBounds, Coding, Content};
use crate::{End, Out};

/// How long the answer to a stream that its client has reset may still be on its way.
const RESET_WAIT: Duration = Duration::from_secs(1);
/// How long a response waits for a request that is still to be heard: longer than the flow waits for a hole.
const EARLY_WAIT: Duration = Duration::from_secs(5);
/// How many times `Limits::response_wait` a request that was given up is remembered for a late response.
const REMEMBERED: u32 = 4;

/// One direction of a stream.
#[derive(Default)]
struct Half {
    content: Option<Box<Content>>,
    codings: SmallVec<[Coding; 2]>,
    messages: Option<Box<Framing>>,
    /// What `content-length` says.
    announced: Option<u64>,
    /// Its END_STREAM was seen.
    ended: bool,
    /// Bytes of it may be lost.
    holed: bool,
}

impl Half {
    fn open(&mut self, fields: &mut Fields, grpc: bool) {
        self.codings = std::mem::take(&mut fields.codings);
        self.announced = fields.length;
        self.messages = grpc.then(Box::default);
    }

    fn break_off(&mut self) {
        self.holed = true;
        if let Some(content) = &mut self.content {
            content.break_off();
        }
        if let Some(messages) = &mut self.messages {
            messages.break_off();
        }
    }
}

/// A stream that is under way.
pub(super) struct Pending {
    pub(super) exchange: Exchange,
    asked: Asked,
    asking: Half,
    answering: Half,
    /// Who reset it, why, and when: it goes out as soon as nothing more of it can come.
    reset: Option<(Side, u32, Timestamp)>,
    /// When it went out as unanswered.
    given_up: Option<Timestamp>,
    /// Its response may have been among bytes that were lost.
    exposed: bool,
    /// Bytes of headers and bodies that it holds.
    held: usize,
}

impl Pending {
    fn new(client: Side) -> Box<Self> {
        Box::new(Self {
            exchange: Exchange::new("http2", client),
            asked: Asked::default(),
            asking: Half::default(),
            answering: Half::default(),
            reset: None,
            given_up: None,
            exposed: false,
            held: 0,
        })
    }

    fn half(&mut self, asks: bool) -> (&mut Half, Option<&mut Message>) {
        match asks {
            true => (&mut self.asking, self.exchange.request.as_mut()),
            false => (&mut self.answering, self.exchange.response.as_mut()),
        }
    }

    fn is_done(&self) -> bool {
        self.answering.ended && (self.asking.ended || self.asking.holed)
    }

    fn partial(&mut self) {
        self.exchange.note("gap");
        self.exchange.coverage = Coverage::Partial;
    }

    /// The exchange as it stands, with what is known of its bodies so far.
    fn so_far(&self) -> Exchange {
        let mut exchange = self.exchange.clone();
        self.count_messages(&mut exchange);
        exchange.kind = describe::kind(&exchange, self.asked);
        exchange
    }

    fn count_messages(&self, exchange: &mut Exchange) {
        let halves = [(&self.asking, &framing::REQUEST), (&self.answering, &framing::RESPONSE)];
        for (half, names) in halves {
            if let Some(messages) = &half.messages {
                messages.tell(exchange, names);
            }
        }
    }

    /// Puts it out as it stands.
    fn emit(mut self: Box<Self>, out: &mut Out) {
        self.exchange.complete = self.answering.ended && !self.answering.holed;
        if self.exposed && self.exchange.response.is_none() {
            self.partial();
        }
        for asks in [true, false] {
            let (half, message) = self.half(asks);
            let (content, announced, whole) =
                (half.content.take(), half.announced, half.ended && !half.holed);
            let Some(message) = message else { continue };
            let received = content.as_ref().map_or(0, |content| content.wire());
            let note = content.as_ref().and_then(|content| content.note);
            message.body = content.and_then(|content| content.finish(whole));
            self.exchange.notes.extend(note.map(Into::into));
            // RFC 9113, 8.1.1: such a message is malformed; but for those that are announced and not sent.
            let sent = received > 0 || !(self.asked.head || self.exchange.status_code == Some(304));
            if whole && sent && announced.is_some_and(|announced| announced != received) {
                self.exchange.note("content_length_mismatch");
            }
        }
        let mut exchange = std::mem::replace(&mut self.exchange, Exchange::new("http2", Side::A));
        self.count_messages(&mut exchange);
        if self.given_up.is_some() {
            exchange.revision = 1;
            exchange.note("late");
        }
        if exchange.request.is_none() && exchange.coverage == Coverage::Whole {
            exchange.note("mid_stream");
        }
        http::conclude_bodies(&mut exchange);
        exchange.kind = describe::kind(&exchange, self.asked);
        if let Some((by, code, _)) = self.reset {
            let by_client = by == exchange.client;
            describe::reset(&mut exchange, by_client, code);
        }
        out.exchanges.push(exchange);
    }

    /// Puts it out: no more of it will come.
    fn close(mut self: Box<Self>, why: End, at: Timestamp, out: &mut Out) {
        if self.answering.ended || self.reset.is_some() {
            return self.emit(out);
        }
        if self.given_up.is_some() && self.exchange.response.is_none() {
            return;
        }
        if self.exposed && self.exchange.response.is_none() {
            why.close(&mut self.exchange, at);
            self.exchange.outcome = Outcome::Unknown;
            self.partial();
        } else if self.exchange.response.is_none() || self.exchange.coverage == Coverage::Whole {
            why.close(&mut self.exchange, at);
        }
        self.emit(out);
    }
}

/// What a connection gave up with.
#[derive(Debug)]
pub(super) struct Farewell {
    /// The last stream that was or may be worked on.
    pub(super) last: u32,
    pub(super) code: u32,
    pub(super) words: String,
}

/// The streams of a connection.
pub(super) struct Streams {
    /// By number, so that what comes out together has an order.
    open: BTreeMap<u32, Box<Pending>>,
    /// The first and the newest stream whose request was heard.
    first: u32,
    newest: u32,
    newest_pushed: u32,
    /// Bytes of requests were lost: a response may answer one that was never heard.
    requests_lost: bool,
    /// Bytes of headers and bodies that all of them hold.
    held: usize,
}

/// A piece of a DATA frame.
#[derive(Clone, Copy)]
pub(super) struct Piece<'a> {
    pub(super) stream: u32,
    pub(super) asks: bool,
    pub(super) content: &'a [u8],
}

impl Streams {
    pub(super) fn new() -> Self {
        Self {
            open: BTreeMap::new(),
            first: u32::MAX,
            newest: 0,
            newest_pushed: 0,
            requests_lost: false,
            held: 0,
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn is_open(&self, stream: u32) -> bool {
        self.open.contains_key(&stream)
    }

    pub(super) fn newest(&self) -> u32 {
        self.newest
    }

    /// How many bytes of headers may still be kept.
    pub(super) fn room(&self, bounds: &Bounds) -> usize {
        bounds.held.saturating_sub(self.held)
    }

    /// The message of a stream that bytes of a side belong to.
    pub(super) fn message(&mut self, stream: u32, asks: bool) -> Option<&mut Message> {
        self.open.get_mut(&stream).and_then(|pending| pending.half(asks).1)
    }

    /// The request that agreed to go on in HTTP/2 is stream 1 (RFC 7540, 3.2), and over.
    pub(super) fn inherit(&mut self, mut agreed: Exchange) {
        let mut pending = Pending::new(agreed.client);
        let exchange = &mut pending.exchange;
        exchange.operation = agreed.operation;
        exchange.target = agreed.target;
        exchange.host = agreed.host;
        exchange.trace = agreed.trace;
        agreed
            .attributes
            .retain(|attribute| matches!(&*attribute.name, "user_agent.original" | "url.scheme"));
        exchange.attributes = agreed.attributes;
        exchange.attribute("network.protocol.version", "2");
        exchange.attribute("http2.streamid", 1);
        exchange.note("h2c_upgrade");
        exchange.request = agreed.request;
        pending.asked.head = pending.exchange.operation == "HEAD";
        pending.asking.ended = true;
        (self.first, self.newest) = (1, 1);
        self.open.insert(1, pending);
    }

    /// A header block of the client's: a request, or what comes behind one's body.
    pub(super) fn asked(&mut self, block: Block, mut fields: Fields, bounds: &Bounds, out: &mut Out) {
        let Block { stream, client, track, ended } = block;
        let heard = self.open.get(&stream).is_some_and(|pending| pending.exchange.request.is_some());
        if heard {
            let Some(pending) = self.open.get_mut(&stream) else { return };
            if let Some(request) = &mut pending.exchange.request {
                super::join(&mut request.track, track);
            }
            describe::trailers(&mut pending.exchange, true, fields, bounds.headers as usize);
        } else {
            // Trailers, or the end of a stream that is over.
            if !fields.asks() && (fields.unknown == 0 || stream <= self.newest) {
                return;
            }
            let over = stream <= self.newest && stream >= self.first && !self.requests_lost;
            if over || stream.is_multiple_of(2) {
                return;
            }
            if !self.open.contains_key(&stream) {
                self.make_room(bounds, track.first.at, out);
            }
            let pending = self.open.entry(stream).or_insert_with(|| Pending::new(client));
            let grpc = fields.content_type.is_some_and(|at| is_grpc(&fields.headers[at].1));
            pending.asking.open(&mut fields, grpc);
            if grpc && pending.answering.messages.is_none() && !pending.answering.holed {
                pending.answering.messages = Some(Box::default());
            }
            let size = fields.bytes;
            pending.asked = describe::request(&mut pending.exchange, stream, fields, track);
            pending.held += size;
            self.held += size;
            self.newest = self.newest.max(stream);
            self.first = self.first.min(stream);
        }
        if ended {
            self.end(stream, true, out);
        }
    }

    /// A request that the server makes up, to answer it on `stream`.
    pub(super) fn promised(&mut self, block: Block, fields: Fields, bounds: &Bounds, out: &mut Out) {
        let Block { stream, client, track, .. } = block;
        if stream <= self.newest_pushed || !stream.is_multiple_of(2) {
            return;
        }
        self.make_room(bounds, track.first.at, out);
        self.newest_pushed = stream;
        let pending = self.open.entry(stream).or_insert_with(|| Pending::new(client));
        let size = fields.bytes;
        pending.asked = describe::request(&mut pending.exchange, stream, fields, track);
        pending.exchange.note("pushed");
        pending.asking.ended = true;
        pending.held += size;
        self.held += size;
    }

    /// A header block of the server's: an interim response, a response, or what comes behind its body.
    pub(super) fn answered(&mut self, block: Block, mut fields: Fields, bounds: &Bounds, out: &mut Out) {
        let Block { stream, client, track, ended } = block;
        // An interim response to nothing that was heard is no call yet; the response that follows it will be.
        let interim = matches!(fields.code(), Some(100..=199));
        if !self.open.contains_key(&stream) && (interim || !self.is_orphan(stream, ended, &fields)) {
            return;
        }
        if !self.open.contains_key(&stream) {
            self.make_room(bounds, track.first.at, out);
        }
        let pending = self.open.entry(stream).or_insert_with(|| Pending::new(client));
        if let Some(response) = &mut pending.exchange.response {
            super::join(&mut response.track, track);
            describe::trailers(&mut pending.exchange, false, fields, bounds.headers as usize);
        } else if let Some(code @ 100..=199) = fields.code() {
            http::interim(&mut pending.exchange, code);
            return;
        } else {
            let grpc = fields.content_type.is_some_and(|at| is_grpc(&fields.headers[at].1));
            let holed = pending.answering.holed;
            let counted = pending.answering.messages.is_some();
            pending.answering.open(&mut fields, grpc || counted);
            if holed {
                pending.answering.break_off();
            }
            if pending.exposed && !fields.answers() {
                // What was lost was its beginning; these may be its trailers.
                pending.partial();
            }
            let size = fields.bytes;
            describe::response(&mut pending.exchange, stream, fields, track);
            pending.held += size;
            self.held += size;
        }
        if ended {
            self.end(stream, false, out);
        }
    }

    /// Whether a header block of the server's on a stream that is not under way begins a response to a request that
    /// was not heard, or not yet.
    fn is_orphan(&self, stream: u32, ended: bool, fields: &Fields) -> bool {
        let begins = fields.answers() || (fields.unknown > 0 && !ended);
        let over = match stream.is_multiple_of(2) {
            true => stream <= self.newest_pushed,
            false => stream <= self.newest && stream >= self.first && !self.requests_lost,
        };
        begins && !over
    }

    /// The next bytes of a body. The caller covers them.
    pub(super) fn data(&mut self, piece: Piece<'_>, bounds: &Bounds) {
        let Some(pending) = self.open.get_mut(&piece.stream) else { return };
        let full = self.held >= bounds.held;
        let (half, message) = pending.half(piece.asks);
        if message.is_none() {
            return;
        }
        let mut grown = 0;
        let content = match &mut half.content {
            Some(content) => content,
            // Past the bound of a connection bodies are counted only.
            none if full => {
                let bounds = BodyBounds { kept: 0, ..bounds.body };
                let mut content = Content::new(&[], bounds);
                content.note = Some("body_not_kept");
                none.insert(Box::new(content))
            }
            none => {
                let content = none.insert(Box::new(Content::new(&half.codings, bounds.body)));
                grown = content.held();
                content
            }
        };
        if half.holed {
            content.break_off();
        }
        let before = content.held();
        content.take(piece.content);
        grown += content.held().saturating_sub(before);
        if let Some(messages) = &mut half.messages {
            messages.take(piece.content);
        }
        pending.held += grown;
        self.held += grown;
    }

    /// `count` bytes of a body were lost.
    pub(super) fn data_lost(&mut self, stream: u32, asks: bool, count: u64) {
        let Some(pending) = self.open.get_mut(&stream) else { return };
        let (half, message) = pending.half(asks);
        half.break_off();
        if let (Some(content), Some(_)) = (&mut half.content, &message) {
            content.count(count);
        }
        if message.is_some() {
            pending.partial();
        }
    }

    /// A side has said all that it will say on a stream.
    pub(super) fn end(&mut self, stream: u32, asks: bool, out: &mut Out) {
        let Some(pending) = self.open.get_mut(&stream) else { return };
        if !asks && pending.exchange.response.is_none() && !pending.exposed {
            // A body without a head is no answer.
            return;
        }
        pending.half(asks).0.ended = true;
        // Heard in step, the request of a stream that is older than the newest will not come any more.
        let missing = pending.exchange.request.is_none() && stream < self.newest;
        if pending.is_done() || (missing && pending.answering.ended) {
            self.put_out(stream, out);
        }
    }

    /// A stream was reset.
    pub(super) fn reset(&mut self, stream: u32, by: Side, code: u32, at: Timestamp, out: &mut Out) {
        let Some(pending) = self.open.get_mut(&stream) else { return };
        if pending.answering.ended {
            // RFC 9113, 8.1: a server that has answered may ask to be spared the rest of the request.
            return self.put_out(stream, out);
        }
        if pending.reset.is_none() {
            pending.reset = Some((by, code, at));
        }
        pending.asking.ended = true;
        if by != pending.exchange.client || pending.given_up.is_some() {
            self.put_out(stream, out);
        }
    }

    /// A side gives the connection up: streams of the other side's past the last one will not be answered. `pushed`
    /// where the other side is the server.
    pub(super) fn goaway(&mut self, farewell: &Farewell, pushed: bool, out: &mut Out) {
        let past = self.open.range_mut(farewell.last.saturating_add(1)..);
        let refused = past.filter(|(stream, pending)| {
            (stream.is_multiple_of(2) == pushed)
                && pending.exchange.response.is_none()
                && pending.reset.is_none()
        });
        let mut over: SmallVec<[u32; 8]> = SmallVec::new();
        for (&stream, pending) in refused {
            pending.exchange.outcome = Outcome::Aborted;
            describe::goaway(&mut pending.exchange, farewell.code, &farewell.words);
            over.push(stream);
        }
        for stream in over {
            self.put_out(stream, out);
        }
    }

    /// The header block that begins or ends a message was lost.
    pub(super) fn block_lost(&mut self, stream: u32, asks: bool, ended: bool, out: &mut Out) {
        self.requests_lost |= asks;
        let Some(pending) = self.open.get_mut(&stream) else { return };
        pending.exposed |= !asks;
        pending.half(asks).0.holed = true;
        pending.partial();
        if ended {
            self.end(stream, asks, out);
        }
    }

    /// Bytes of a side were lost, and frames of any stream may have been among them.
    pub(super) fn side_lost(&mut self, asks: bool, out: &mut Out) {
        self.requests_lost |= asks;
        let mut over: SmallVec<[u32; 8]> = SmallVec::new();
        for (&stream, pending) in &mut self.open {
            if pending.half(asks).0.ended {
                continue;
            }
            let (half, message) = pending.half(asks);
            half.break_off();
            let begun = message.is_some();
            pending.exposed |= !asks && !begun;
            if begun {
                pending.partial();
            }
            if pending.is_done() {
                over.push(stream);
            }
        }
        for stream in over {
            self.put_out(stream, out);
        }
    }

    /// Closes everything.
    pub(super) fn close(&mut self, why: End, at: Timestamp, farewell: Option<&Farewell>, out: &mut Out) {
        for (_, mut pending) in std::mem::take(&mut self.open) {
            let cut = !pending.answering.ended && pending.reset.is_none();
            if let Some(farewell) = farewell.filter(|farewell| cut && farewell.code != 0) {
                describe::goaway(&mut pending.exchange, farewell.code, &farewell.words);
            }
            pending.close(why, at, out);
        }
        self.held = 0;
    }

    /// Copies of what is under way.
    pub(super) fn tell_open(&self, out: &mut Out) {
        for pending in self.open.values() {
            if pending.given_up.is_none() && pending.reset.is_none() {
                let mut exchange = pending.so_far();
                exchange.outcome = Outcome::Open;
                out.exchanges.push(exchange);
            }
        }
    }

    /// Gives up what has waited too long. What was unanswered stays, since its response may still come.
    pub(super) fn tick(&mut self, now: Timestamp, wait: Duration, out: &mut Out) {
        let mut over: SmallVec<[u32; 8]> = SmallVec::new();
        for (&stream, pending) in &mut self.open {
            let silent = now.since(pending.exchange.observed_until());
            if pending.reset.is_some_and(|(_, _, at)| now.since(at) >= RESET_WAIT) {
                over.push(stream);
            } else if pending.exchange.request.is_none() {
                if pending.answering.ended && silent >= EARLY_WAIT {
                    over.push(stream);
                }
            } else if pending.exchange.response.is_none() {
                match pending.given_up {
                    None if pending.asking.ended && silent >= wait => {
                        let mut exchange = pending.so_far();
                        End::TimedOut.close(&mut exchange, now);
                        if pending.exposed {
                            exchange.outcome = Outcome::Unknown;
                            exchange.note("gap");
                            exchange.coverage = Coverage::Partial;
                        }
                        http::conclude_bodies(&mut exchange);
                        out.exchanges.push(exchange);
                        pending.given_up = Some(now);
                    }
                    Some(gone) if now.since(gone) >= wait.saturating_mul(REMEMBERED) => over.push(stream),
                    None | Some(_) => {}
                }
            } else if pending.answering.holed && silent >= wait {
                // Its end was lost, most likely.
                over.push(stream);
            }
        }
        for stream in over {
            let forgotten = self.open.get(&stream).is_some_and(|pending| {
                pending.given_up.is_some() && pending.exchange.response.is_none() && pending.reset.is_none()
            });
            if forgotten {
                self.take(stream);
            } else {
                self.put_out(stream, out);
            }
        }
    }

    /// Makes room for one more stream: what was reset goes first, then the oldest.
    fn make_room(&mut self, bounds: &Bounds, at: Timestamp, out: &mut Out) {
        if self.open.len() < bounds.pending_calls as usize {
            return;
        }
        let reset = self.open.iter().find(|(_, pending)| pending.reset.is_some());
        let Some((&stream, _)) = reset.or_else(|| self.open.first_key_value()) else { return };
        if let Some(pending) = self.take(stream) {
            pending.close(End::Evicted, at, out);
        }
    }

    fn take(&mut self, stream: u32) -> Option<Box<Pending>> {
        let pending = self.open.remove(&stream)?;
        self.held = self.held.saturating_sub(pending.held);
        Some(pending)
    }

    fn put_out(&mut self, stream: u32, out: &mut Out) {
        if let Some(pending) = self.take(stream) {
            pending.emit(out);
        }
    }
}

/// Where a header block came from.
pub(super) struct Block {
    pub(super) stream: u32,
    pub(super) client: Side,
    pub(super) track: wirewise_model::Track,
    /// It is the last of its side on this stream.
    pub(super) ended: bool,
}
