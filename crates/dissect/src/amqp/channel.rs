//! One channel: questions meet their answers. `settle` brings together messages and what becomes of them,
//! `close` ends it all.
//!
//! A method that is answered waits for its answer from the other side, the oldest first; clients wait for
//! each before they ask the next, so after a loss it is the latest. An answer may be heard before its
//! question, where the other side's bytes are held up by a hole; then it waits for a moment.

use std::collections::VecDeque;
use std::time::Duration;

use wirewise_model::{Side, Timestamp, Track};

use super::content::{Carried, Content};
use super::describe;
use super::names::{self, Method};
use super::parse::Args;
use super::wait::{Early, Waiting};
use crate::{End, Out};

/// Answers that wait for what they answer, as many as a hole is waited for in packets, and how long: longer
/// than it is waited for.
const MOST_EARLY: usize = 256;
const EARLY_WAIT: Duration = Duration::from_secs(5);
/// Consumers of a channel whose queues are remembered; the oldest is forgotten.
const MOST_CONSUMERS: usize = 256;
/// Messages that were fetched and may be acked, whose queues are remembered.
const MOST_GOT: usize = 64;
/// How many times as long as an answer a consumer's ack is waited for: 30 minutes by default, as RabbitMQ's
/// own `consumer_timeout`.
const WORKING: u32 = 6;
/// How many times its wait something that was given up is remembered for a late answer.
const REMEMBERED: u32 = 4;

/// A method that was heard.
#[derive(Clone, Debug)]
pub(super) struct Said<'a> {
    pub(super) side: Side,
    pub(super) method: &'static Method,
    pub(super) args: Args<'a>,
    pub(super) track: Track,
}

#[derive(Debug)]
pub(super) struct Consumer {
    tag: Vec<u8>,
    pub(super) queue: String,
    pub(super) no_ack: bool,
}

/// One channel of a connection.
#[derive(Debug, Default)]
pub(super) struct Channel {
    pub(super) id: u16,
    pub(super) calls: VecDeque<Waiting>,
    pub(super) published: VecDeque<Waiting>,
    pub(super) delivered: VecDeque<Waiting>,
    /// By side: the message that it is sending.
    pub(super) contents: [Option<Content>; 2],
    pub(super) consumers: VecDeque<Consumer>,
    /// Messages that `basic.get` fetched: tag, who sent them, where they were.
    pub(super) got: VecDeque<(u64, Side, String)>,
    pub(super) early: VecDeque<Early>,
    /// The broker confirms what is published.
    pub(super) confirms: bool,
    /// The number of the next publish, where it is known.
    pub(super) next: Option<u64>,
    /// Who publishes.
    pub(super) publisher: Option<Side>,
}

impl Channel {
    pub(super) fn new(id: u16) -> Self {
        Self { id, ..Self::default() }
    }

    /// How many exchanges wait.
    pub(super) fn waiting(&self) -> usize {
        self.calls.len() + self.published.len() + self.delivered.len()
    }

    /// Whether it is the one that the connection itself is spoken about on.
    pub(super) fn is_control(&self) -> bool {
        self.id == 0
    }

    /// Whether anything is under way that time or the end will tell of.
    pub(super) fn is_busy(&self) -> bool {
        self.waiting() > 0 || !self.early.is_empty() || self.contents.iter().any(Option::is_some)
    }

    /// Whether nothing needs to be remembered of it.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_busy() && self.consumers.is_empty() && self.got.is_empty() && !self.confirms
    }

    /// Closes the oldest that waits, because there are too many.
    pub(super) fn evict(&mut self, out: &mut Out) {
        let longest = [&mut self.delivered, &mut self.published, &mut self.calls]
            .into_iter()
            .max_by_key(|waiting| waiting.len());
        if let Some(oldest) = longest.and_then(VecDeque::pop_front) {
            let last = oldest.last();
            oldest.close(End::Evicted, last, out);
        }
    }

    /// A method was heard whole.
    pub(super) fn method(&mut self, said: Said<'_>, out: &mut Out) {
        // A side that says something else before its message was whole has broken off.
        self.cut_content(said.side, out);
        let id = said.method.id();
        match id {
            names::PUBLISH => self.publish(said),
            names::DELIVER => self.deliver(said),
            names::RETURN => {
                let waiting = self.asked(&said);
                self.contents[said.side.index()] = Some(Content::new(Carried::Return(waiting)));
            }
            names::ACK | names::NACK | names::REJECT => {
                let early = Early::new(said.method, &said.args, said.side, said.track);
                if let Some(early) = self.settle(early, out) {
                    self.keep(early, out);
                }
            }
            names::CHANNEL_CLOSE => {
                let told = self.refuse(&said, out);
                self.closing(said, told, out);
            }
            _ if said.method.question().is_some() => self.answer(said, out),
            _ => self.ask(said, out),
        }
    }

    pub(super) fn asked(&self, said: &Said<'_>) -> Waiting {
        let exchange = describe::asked(said.method, &said.args, self.id, said.side, said.track.clone());
        Waiting::new(exchange, said.method)
    }

    fn ask(&mut self, said: Said<'_>, out: &mut Out) {
        let mut waiting = self.asked(&said);
        match waiting.method {
            names::CONFIRM_SELECT => {
                // What was published before is never confirmed.
                self.tell_held(said.side, 0, out);
                self.confirms = true;
                self.next = Some(1);
                self.publisher = Some(said.side);
            }
            names::CONSUME if !said.args.consumer_tag.is_empty() => {
                self.consumes(said.args.consumer_tag, &waiting.exchange.target.clone(), said.args.no_ack);
            }
            names::CANCEL => {
                if let Some(consumer) = self.consumer(said.args.consumer_tag) {
                    waiting.exchange.target = consumer.queue.clone();
                }
            }
            _ => {}
        }
        if said.method.answers.is_empty() || said.args.no_wait {
            return waiting.tell(out);
        }
        self.lose_exposed(waiting.sender, out);
        if let Some(answered) = self.answered_early(waiting) {
            answered.emit(out);
        }
    }

    /// A question whose answer was heard first is given back answered; another waits.
    pub(super) fn answered_early(&mut self, mut waiting: Waiting) -> Option<Waiting> {
        let asked = waiting.exchange.started();
        let at = self.early.iter().position(|early| {
            early.side != waiting.sender
                && early.track.first.at >= asked
                && early.method.question().is_some_and(|question| question.id() == waiting.method)
        });
        match at.and_then(|at| self.early.remove(at)) {
            Some(early) => {
                waiting.answer(early.track);
                describe::answered(&mut waiting.exchange, early.method, &Args::default());
                Some(waiting)
            }
            None => {
                self.calls.push_back(waiting);
                None
            }
        }
    }

    /// Who asks anew on a channel has its last answer, heard or not.
    fn lose_exposed(&mut self, sender: Side, out: &mut Out) {
        let mut at = 0;
        while let Some(waiting) = self.calls.get(at) {
            if waiting.sender == sender && waiting.exposed {
                if let Some(waiting) = self.calls.remove(at) {
                    waiting.lose(out);
                }
            } else {
                at += 1;
            }
        }
    }

    fn answer(&mut self, said: Said<'_>, out: &mut Out) {
        let Some(question) = said.method.question() else { return };
        let fits = |waiting: &Waiting| waiting.sender != said.side && waiting.method == question.id();
        let exposed = self.calls.iter().rposition(|waiting| fits(waiting) && waiting.exposed);
        let at = exposed.or_else(|| self.calls.iter().position(fits));
        let Some(mut waiting) = at.and_then(|at| self.calls.remove(at)) else {
            let early = Early::new(said.method, &said.args, said.side, said.track);
            if said.method.id() == names::GET_OK {
                self.contents[said.side.index()] = Some(Content::new(Carried::Nothing));
            }
            return self.keep(early, out);
        };
        // What was published before was taken, or the broker would have said so by now.
        if !self.confirms {
            self.tell_held(said.side.other(), 0, out);
        }
        describe::answered(&mut waiting.exchange, said.method, &said.args);
        waiting.answer(said.track);
        match said.method.id() {
            names::GET_OK => {
                let no_ack = asks_no_ack(&waiting);
                if !no_ack {
                    if self.got.len() >= MOST_GOT {
                        self.got.pop_front();
                    }
                    let got = (said.args.delivery_tag, said.side, waiting.exchange.target.clone());
                    self.got.push_back(got);
                }
                self.contents[said.side.index()] = Some(Content::new(Carried::Got(waiting)));
                return;
            }
            names::CONSUME_OK if self.consumer(said.args.consumer_tag).is_none() => {
                // The broker named the consumer.
                let no_ack = asks_no_ack(&waiting);
                self.consumes(said.args.consumer_tag, &waiting.exchange.target.clone(), no_ack);
            }
            names::CHANNEL_CLOSE_OK => self.finish(waiting.exchange.status_code.is_none(), out),
            _ => {}
        }
        waiting.emit(out);
    }

    fn consumes(&mut self, tag: &[u8], queue: &str, no_ack: bool) {
        if self.consumers.len() >= MOST_CONSUMERS {
            self.consumers.pop_front();
        }
        self.consumers.push_back(Consumer { tag: tag.to_vec(), queue: queue.to_owned(), no_ack });
    }

    pub(super) fn consumer(&self, tag: &[u8]) -> Option<&Consumer> {
        self.consumers.iter().find(|consumer| consumer.tag == tag)
    }

    pub(super) fn keep(&mut self, early: Early, out: &mut Out) {
        if self.early.len() >= MOST_EARLY
            && let Some(oldest) = self.early.pop_front()
        {
            oldest.emit(self.id, out);
        }
        self.early.push_back(early);
    }

    pub(super) fn tick(&mut self, now: Timestamp, wait: Duration, out: &mut Out) {
        let working = wait.saturating_mul(WORKING);
        let lists = [(&mut self.calls, wait), (&mut self.published, wait), (&mut self.delivered, working)];
        for (list, wait) in lists {
            let mut at = 0;
            while let Some(waiting) = list.get_mut(at) {
                if waiting.is_alone(now) {
                    if let Some(waiting) = list.remove(at) {
                        waiting.tell(out);
                    }
                    continue;
                }
                if waiting.is_forgotten(now, wait.saturating_mul(REMEMBERED)) {
                    list.remove(at);
                    continue;
                }
                if waiting.alone_after.is_none() {
                    waiting.tick(now, wait, out);
                }
                at += 1;
            }
        }
        while self.early.front().is_some_and(|early| now.since(early.track.last.at) >= EARLY_WAIT) {
            if let Some(early) = self.early.pop_front() {
                early.emit(self.id, out);
            }
        }
    }

    /// Copies of what is under way.
    pub(super) fn open(&self, out: &mut Out) {
        let sending = self.contents.iter().flatten().filter_map(Content::waiting);
        let waiting = self.calls.iter().chain(&self.published).chain(&self.delivered);
        for waiting in waiting.chain(sending) {
            waiting.open(out);
        }
    }
}

fn asks_no_ack(waiting: &Waiting) -> bool {
    waiting.exchange.attributes.iter().any(|attribute| attribute.name == "amqp.method.arguments.no_ack")
}
