//! The channels of a connection, and its greeting.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::time::Duration;

use wirewise_model::{Reason, Side, Timestamp};

use super::channel::{Channel, Said};
use super::content::Content;
use super::parse::Args;
use super::wait::Waiting;
use super::{describe, names, properties};
use crate::{End, Input, Out};

/// Headers and bodies of messages of which the method was not heard.
pub(super) const NO_METHOD: Reason = Reason::skip("content_without_method");
/// Channels of a connection that are followed at once.
const MOST_CHANNELS: usize = 1024;
/// A channel on which fewer exchanges wait is never asked to give one up.
const BRIEF_QUEUE: usize = 8;

/// What is under way, or has to be remembered. Freed while nothing is.
#[derive(Debug, Default)]
pub(super) struct Work {
    channels: BTreeMap<u16, Channel>,
    /// The protocol header, until it is answered.
    pub(super) hello: Option<Waiting>,
}

impl Work {
    /// A method was heard. Whether its channel is followed.
    pub(super) fn method(&mut self, id: u16, said: Said<'_>, most: usize, out: &mut Out) -> bool {
        if said.method.id() == names::START
            && let Some(mut asked) = self.hello.take_if(|asked| asked.sender != said.side)
        {
            asked.answer(said.track.clone());
            describe::answered(&mut asked.exchange, said.method, &Args::default());
            asked.emit(out);
        }
        let closes = said.method.id() == names::CONNECTION_CLOSE;
        let told = closes
            && self.channels.values_mut().fold(false, |told, channel| channel.refuse(&said, out) | told);
        let closed = said.method.id() == names::CONNECTION_CLOSE_OK
            && self.channels.get(&id).is_some_and(|channel| channel.awaits_close(said.side));
        if closed {
            for channel in self.channels.values_mut().filter(|channel| !channel.is_control()) {
                channel.finish(true, out);
            }
            self.channels.retain(|_, channel| !channel.is_idle());
        }
        let full = self.channels.len() >= MOST_CHANNELS;
        let channel = match self.channels.entry(id) {
            Entry::Vacant(_) if full => return false,
            Entry::Vacant(vacant) => vacant.insert(Channel::new(id)),
            Entry::Occupied(occupied) => occupied.into_mut(),
        };
        if closes {
            channel.closing(said, told, out);
        } else {
            channel.method(said, out);
        }
        let waiting = channel.waiting();
        if channel.is_idle() {
            self.channels.remove(&id);
        } else if waiting > BRIEF_QUEUE
            && self.channels.values().map(Channel::waiting).sum::<usize>() > most
            && let Some(channel) = self.channels.get_mut(&id)
        {
            channel.evict(out);
        }
        true
    }

    pub(super) fn content(&mut self, channel: u16, side: Side) -> Option<&mut Content> {
        self.channels.get_mut(&channel)?.contents[side.index()].as_mut()
    }

    /// A message's header was heard, of which `used` bytes of `input` are.
    pub(super) fn header(
        &mut self,
        input: Input<'_>,
        id: u16,
        used: usize,
        size: u64,
        payload: &[u8],
        out: &mut Out,
    ) {
        let Some(content) = self.content(id, input.side) else {
            return out.skip(NO_METHOD, used as u64);
        };
        if let Some(track) = content.track() {
            input.cover(track, 0..used);
        }
        if content.header(size, &properties::properties(payload)) {
            self.content_done(id, input.side, out);
        }
    }

    pub(super) fn content_done(&mut self, id: u16, side: Side, out: &mut Out) {
        if let Some(channel) = self.channels.get_mut(&id) {
            channel.content_done(side, out);
            if channel.is_idle() {
                self.channels.remove(&id);
            }
        }
    }

    pub(super) fn lost(&mut self, side: Side, out: &mut Out) {
        for channel in self.channels.values_mut() {
            channel.lost(side, out);
        }
        if let Some(hello) = self.hello.as_mut().filter(|hello| hello.sender != side) {
            hello.exposed = true;
        }
    }

    /// Whether nothing is left of it.
    pub(super) fn is_idle(&self) -> bool {
        self.hello.is_none() && self.channels.is_empty()
    }

    /// Whether anything is under way that time or the end will tell of.
    pub(super) fn is_busy(&self) -> bool {
        self.hello.is_some() || self.channels.values().any(Channel::is_busy)
    }

    /// One side (`Some`) sends no more, or the flow is over.
    pub(super) fn end(&mut self, side: Option<Side>, why: End, at: Timestamp, out: &mut Out) {
        for channel in self.channels.values_mut() {
            channel.end(side, why, at, out);
        }
        if let Some(hello) = self.hello.take_if(|hello| side != Some(hello.sender)) {
            hello.close(why, at, out);
        }
        if side.is_none() {
            self.channels.clear();
        }
    }

    pub(super) fn tick(&mut self, now: Timestamp, wait: Duration, out: &mut Out) {
        for channel in self.channels.values_mut() {
            channel.tick(now, wait, out);
        }
        if let Some(hello) = &mut self.hello {
            hello.tick(now, wait, out);
        }
        self.channels.retain(|_, channel| !channel.is_idle());
    }

    /// Copies of what is under way.
    pub(super) fn open(&self, out: &mut Out) {
        if let Some(hello) = &self.hello {
            hello.open(out);
        }
        for channel in self.channels.values() {
            channel.open(out);
        }
    }
}
