//! What waits on a channel: questions for their answers, messages for what becomes of them, and answers for
//! what they answer.

use std::time::Duration;

use wirewise_model::{Coverage, Exchange, Kind, Message, Outcome, Side, Timestamp, Track};

use super::describe;
use super::names::{self, Method};
use super::parse::Args;
use crate::{End, Out};

/// Something that waits for the other side.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) exchange: Box<Exchange>,
    /// Who sent it.
    pub(super) sender: Side,
    /// The method that asks.
    pub(super) method: (u16, u16),
    /// The number by which it is settled: of the publish, or of the delivery.
    pub(super) tag: Option<u64>,
    /// It may be that nothing will answer it; then it is told alone after so long.
    pub(super) alone_after: Option<Duration>,
    /// When it went out as unanswered.
    given_up: Option<Timestamp>,
    /// Its answer may have been among bytes that were lost.
    pub(super) exposed: bool,
}

impl Waiting {
    pub(super) fn new(exchange: Box<Exchange>, method: &Method) -> Self {
        let sender = exchange.client;
        let method = method.id();
        Self { exchange, sender, method, tag: None, alone_after: None, given_up: None, exposed: false }
    }

    /// A protocol header, which a server answers with `connection.start`.
    pub(super) fn hello(exchange: Box<Exchange>) -> Self {
        let sender = exchange.client;
        let method = (0, 0);
        Self { exchange, sender, method, tag: None, alone_after: None, given_up: None, exposed: false }
    }

    pub(super) fn is_given_up(&self) -> bool {
        self.given_up.is_some()
    }

    /// When its last byte so far was heard.
    pub(super) fn last(&self) -> Timestamp {
        self.exchange.observed_until()
    }

    /// Its answer begins with `track`.
    pub(super) fn answer(&mut self, track: Track) {
        match &mut self.exchange.response {
            Some(response) => append(&mut response.track, &track),
            none => *none = Some(Message::bare(track)),
        }
    }

    /// Its answer is whole.
    pub(super) fn emit(mut self, out: &mut Out) {
        if self.exchange.kind == Kind::Message {
            self.exchange.kind = Kind::Unary;
        }
        self.exchange.complete = self.exchange.response.is_some();
        if self.given_up.is_some() && self.exchange.complete {
            self.exchange.revision = 1;
            self.exchange.note("late");
        }
        out.exchanges.push(*self.exchange);
    }

    /// It was told and nothing comes of it.
    pub(super) fn tell(mut self, out: &mut Out) {
        if self.exchange.outcome == Outcome::Unknown {
            self.exchange.outcome = Outcome::OneWay;
        }
        self.exchange.complete = true;
        out.exchanges.push(*self.exchange);
    }

    /// Its answer was lost.
    pub(super) fn lose(mut self, out: &mut Out) {
        if self.given_up.is_none() {
            self.exchange.outcome = Outcome::Unknown;
            self.holed();
            out.exchanges.push(*self.exchange);
        }
    }

    /// Bytes of it were lost.
    pub(super) fn holed(&mut self) {
        self.exchange.note("gap");
        self.exchange.coverage = Coverage::Partial;
    }

    /// No more of it will come.
    pub(super) fn close(mut self, why: End, at: Timestamp, out: &mut Out) {
        if self.alone_after.is_some() {
            return self.tell(out);
        }
        if self.given_up.is_some() && self.exchange.response.is_none() {
            return;
        }
        if self.exposed && self.exchange.response.is_none() {
            return self.lose(out);
        }
        // An error that came, or that it tells itself, is how it came out.
        let told = self.exchange.status.is_some().then_some(self.exchange.outcome);
        why.close(&mut self.exchange, at);
        if let Some(outcome) = told {
            self.exchange.outcome = outcome;
        }
        out.exchanges.push(*self.exchange);
    }

    /// Whether it is time to tell it alone.
    pub(super) fn is_alone(&self, now: Timestamp) -> bool {
        self.alone_after.is_some_and(|after| now.since(self.last()) >= after)
    }

    /// Gives it up where it has waited too long; it stays, since its answer may still come.
    pub(super) fn tick(&mut self, now: Timestamp, wait: Duration, out: &mut Out) {
        if self.given_up.is_some() || now.since(self.exchange.observed_until()) < wait {
            return;
        }
        let mut exchange = (*self.exchange).clone();
        if self.exposed {
            exchange.outcome = Outcome::Unknown;
            exchange.note("gap");
            exchange.coverage = Coverage::Partial;
        } else if exchange.status.is_none() {
            End::TimedOut.close(&mut exchange, now);
        }
        out.exchanges.push(exchange);
        self.given_up = Some(now);
    }

    /// A copy of what is under way.
    pub(super) fn open(&self, out: &mut Out) {
        if self.given_up.is_none() {
            let mut exchange = (*self.exchange).clone();
            exchange.outcome = Outcome::Open;
            out.exchanges.push(exchange);
        }
    }

    /// Whether it was given up so long ago that no answer is expected any more.
    pub(super) fn is_forgotten(&self, now: Timestamp, forget: Duration) -> bool {
        self.given_up.is_some_and(|gone| now.since(gone) >= forget)
    }
}

/// A method that answers or settles something that was not heard yet, because bytes of the other side are
/// held up by a hole, or never will be.
#[derive(Debug)]
pub(super) struct Early {
    pub(super) method: &'static Method,
    /// Who sent it.
    pub(super) side: Side,
    pub(super) track: Track,
    pub(super) tag: u64,
    pub(super) multiple: bool,
    pub(super) requeue: Option<bool>,
    /// It settled something, and may settle more.
    pub(super) used: bool,
}

impl Early {
    pub(super) fn new(method: &'static Method, args: &Args<'_>, side: Side, track: Track) -> Self {
        let (tag, multiple, requeue) = (args.delivery_tag, args.multiple, args.requeue);
        Self { method, side, track, tag, multiple, requeue, used: false }
    }

    /// Whether it settles messages.
    pub(super) fn settles(&self) -> bool {
        matches!(self.method.id(), names::ACK | names::NACK | names::REJECT)
    }

    /// Whether it settles the message of this tag.
    pub(super) fn covers(&self, tag: u64) -> bool {
        // Tag 0 with `multiple` is all of them.
        self.tag == tag || self.multiple && (tag <= self.tag || self.tag == 0)
    }

    /// What it answers never came: it is told alone.
    pub(super) fn emit(self, channel: u16, out: &mut Out) {
        if self.used {
            return;
        }
        let args = Args { delivery_tag: self.tag, multiple: self.multiple, ..Args::default() };
        if self.settles() {
            let mut exchange = describe::asked(self.method, &args, channel, self.side, self.track);
            exchange.outcome = Outcome::OneWay;
            exchange.complete = true;
            out.exchanges.push(*exchange);
            return;
        }
        let Some(question) = self.method.question() else { return };
        let mut exchange =
            describe::asked(question, &Args::default(), channel, self.side.other(), self.track);
        exchange.response = exchange.request.take();
        describe::answered(&mut exchange, self.method, &args);
        exchange.complete = true;
        exchange.note("mid_stream");
        out.exchanges.push(*exchange);
    }
}

/// What came after joins what came before.
fn append(track: &mut Track, more: &Track) {
    for number in &more.frames.numbers {
        track.frames.push(*number);
    }
    track.frames.omitted += more.frames.omitted;
    track.bytes += more.bytes;
    if more.last.at >= track.last.at {
        track.last = more.last;
    }
}
