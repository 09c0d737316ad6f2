//! Publishes and what the broker makes of them, deliveries and what the consumer does.
//!
//! Publishes are numbered once the channel confirms (RabbitMQ, "Publisher confirms"), deliveries carry their
//! number; `basic.ack` with `multiple` settles all up to one. Where the numbers are not known, because the
//! capture began later or publishes were lost, an ack belongs to the only publish that waits, and numbers it.
//! A publish that nothing confirms is held for a moment, since `basic.return` and `channel.close` may still
//! say what became of it.

use std::collections::VecDeque;
use std::time::Duration;

use wirewise_model::Side;

use super::channel::{Channel, Said};
use super::content::{Carried, Content};
use super::describe;
use super::parse::Args;
use super::wait::{Early, Waiting};
use crate::Out;

/// How long a publish without confirms is held, and how many of a channel.
const HELD: Duration = Duration::from_secs(1);
const MOST_HELD: usize = 16;
/// How long a delivery to a consumer of which nothing is known waits for an ack that may not be due.
const UNSURE: Duration = Duration::from_secs(10);

impl Channel {
    pub(super) fn publish(&mut self, said: Said<'_>) {
        let mut waiting = self.asked(&said);
        self.publisher = Some(said.side);
        if self.confirms {
            waiting.tag = self.next;
            self.next = self.next.map(|next| next.saturating_add(1));
        } else {
            waiting.alone_after = Some(HELD);
        }
        self.contents[said.side.index()] = Some(Content::new(Carried::Publish(waiting)));
    }

    pub(super) fn deliver(&mut self, said: Said<'_>) {
        let mut waiting = self.asked(&said);
        waiting.tag = Some(said.args.delivery_tag);
        let no_ack = match self.consumer(said.args.consumer_tag) {
            Some(consumer) => {
                describe::delivered_to(&mut waiting.exchange, &consumer.queue);
                consumer.no_ack
            }
            None => {
                waiting.alone_after = Some(UNSURE);
                false
            }
        };
        let carried = if no_ack { Carried::Told(waiting) } else { Carried::Deliver(waiting) };
        self.contents[said.side.index()] = Some(Content::new(carried));
    }

    /// A message that `side` sent is over.
    pub(super) fn content_done(&mut self, side: Side, out: &mut Out) {
        match self.contents[side.index()].take().map(|content| content.carried) {
            Some(Carried::Publish(waiting)) => self.published(waiting, out),
            Some(Carried::Deliver(waiting)) => self.delivered(waiting, out),
            Some(Carried::Told(waiting)) => waiting.tell(out),
            Some(Carried::Got(waiting)) => waiting.emit(out),
            Some(Carried::Return(waiting)) => self.returned(waiting, out),
            Some(Carried::Nothing) | None => {}
        }
    }

    /// The rest of what `side` is sending will not be heard.
    pub(super) fn cut_content(&mut self, side: Side, out: &mut Out) {
        if let Some(content) = &mut self.contents[side.index()] {
            content.holed();
            self.content_done(side, out);
        }
    }

    fn published(&mut self, mut waiting: Waiting, out: &mut Out) {
        let sender = waiting.sender;
        let alone = !self.published.iter().any(|other| other.tag.is_none());
        let last = waiting.last();
        let found = self.early.iter_mut().find(|early| {
            early.side != sender
                && early.settles()
                && early.track.first.at >= last
                && match waiting.tag {
                    Some(tag) => early.covers(tag),
                    None => alone && !early.multiple && !early.used,
                }
        });
        if let Some(early) = found {
            if waiting.tag.is_none() {
                self.confirms = true;
                self.next = Some(early.tag.saturating_add(1));
            }
            early.used = true;
            waiting.answer(early.track.clone());
            describe::settled(&mut waiting.exchange, early.method, early.requeue);
            waiting.alone_after = None;
            return waiting.emit(out);
        }
        self.published.push_back(waiting);
        if !self.confirms {
            self.tell_held(sender, MOST_HELD, out);
        }
    }

    /// Tells the oldest publishes that nothing confirms, but for so many.
    pub(super) fn tell_held(&mut self, sender: Side, but: usize, out: &mut Out) {
        while self.published.len() > but
            && self
                .published
                .front()
                .is_some_and(|waiting| waiting.alone_after.is_some() && waiting.sender == sender)
        {
            if let Some(waiting) = self.published.pop_front() {
                waiting.tell(out);
            }
        }
    }

    fn delivered(&mut self, mut waiting: Waiting, out: &mut Out) {
        let (sender, tag, last) = (waiting.sender, waiting.tag.unwrap_or_default(), waiting.last());
        let found = self.early.iter_mut().find(|early| {
            early.side != sender && early.settles() && early.track.first.at >= last && early.covers(tag)
        });
        if let Some(early) = found {
            early.used = true;
            waiting.answer(early.track.clone());
            describe::settled(&mut waiting.exchange, early.method, early.requeue);
            return waiting.emit(out);
        }
        self.delivered.push_back(waiting);
    }

    /// A message came back: that is what became of its publish.
    fn returned(&mut self, returned: Waiting, out: &mut Out) {
        let at = self.published.iter().position(|waiting| {
            waiting.sender != returned.sender
                && waiting.exchange.response.is_none()
                && waiting.exchange.target == returned.exchange.target
        });
        let Some(at) = at else {
            let mut returned = returned;
            returned.exchange.complete = true;
            out.exchanges.push(*returned.exchange);
            return;
        };
        let Some(publish) = self.published.get_mut(at) else { return };
        let own = &mut publish.exchange;
        let told = *returned.exchange;
        (own.status, own.status_code, own.error, own.outcome) =
            (told.status, told.status_code, told.error, told.outcome);
        if let Some(message) = told.request {
            publish.answer(message.track);
        }
        if !self.confirms
            && let Some(publish) = self.published.remove(at)
        {
            publish.emit(out);
        }
    }

    /// An ack, nack or reject meets what it settles. It is given back where that was not heard.
    pub(super) fn settle(&mut self, mut early: Early, out: &mut Out) -> Option<Early> {
        let from = early.side;
        let published = settle_all(&mut self.published, &early, out);
        let delivered = settle_all(&mut self.delivered, &early, out);
        if published + delivered > 0 {
            self.got.retain(|(tag, sender, _)| *sender == from || !early.covers(*tag));
            // Others that it settles may be held up by a hole.
            early.used = true;
            return early.multiple.then_some(early);
        }
        if let Some(at) = self.got.iter().position(|(tag, sender, _)| *sender != from && early.covers(*tag)) {
            let (_, _, place) = self.got.remove(at)?;
            self.got.retain(|(tag, sender, _)| *sender == from || !early.covers(*tag));
            let args = Args { delivery_tag: early.tag, multiple: early.multiple, ..Args::default() };
            let mut exchange = describe::asked(early.method, &args, self.id, from, early.track);
            exchange.target = place;
            Waiting::new(exchange, early.method).tell(out);
            return None;
        }
        let mut unnumbered = self.published.iter().enumerate().filter(|(_, waiting)| {
            waiting.tag.is_none() && waiting.sender != from && waiting.last() <= early.track.last.at
        });
        match (unnumbered.next().map(|(at, _)| at), unnumbered.next()) {
            (Some(at), None) if !early.multiple => {
                let mut waiting = self.published.remove(at)?;
                self.confirms = true;
                // What is being sent now was sent after it.
                let sending = self.contents[from.other().index()].as_mut().and_then(Content::publish);
                let mut next = early.tag.saturating_add(1);
                if let Some(sending) = sending.filter(|sending| sending.tag.is_none()) {
                    sending.tag = Some(next);
                    sending.alone_after = None;
                    next = next.saturating_add(1);
                }
                self.next = Some(next);
                waiting.alone_after = None;
                waiting.answer(early.track);
                describe::settled(&mut waiting.exchange, early.method, early.requeue);
                waiting.emit(out);
                None
            }
            _ => Some(early),
        }
    }
}

/// Settles all of a list that the other side sent and that `early` covers; returns how many.
fn settle_all(list: &mut VecDeque<Waiting>, early: &Early, out: &mut Out) -> usize {
    let (mut settled, mut at) = (0, 0);
    while let Some(waiting) = list.get(at) {
        if waiting.sender == early.side || !waiting.tag.is_some_and(|tag| early.covers(tag)) {
            at += 1;
            continue;
        }
        let Some(mut waiting) = list.remove(at) else { break };
        waiting.answer(early.track.clone());
        waiting.alone_after = None;
        describe::settled(&mut waiting.exchange, early.method, early.requeue);
        waiting.emit(out);
        settled += 1;
        if !early.multiple {
            break;
        }
    }
    settled
}
