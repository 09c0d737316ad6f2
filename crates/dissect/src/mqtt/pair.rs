//! Packets meet their acknowledgements, by packet identifier, and become exchanges.

use std::collections::VecDeque;
use std::time::Duration;

use smallvec::SmallVec;
use wirewise_model::{Exchange, Limits, Message, Outcome, Side, Timestamp, Track};

use super::packet::{Packet, Said};
use super::parse::{
    CONNACK, CONNECT, PINGREQ, PINGRESP, PUBACK, PUBCOMP, PUBLISH, PUBREC, PUBREL, Properties, Publish,
    SUBACK, SUBSCRIBE, UNSUBACK, UNSUBSCRIBE,
};
use super::{describe, names};
use crate::lineup::join;
use crate::{End, Out};

/// How long an acknowledgement waits for a packet that is still to be heard: longer than the flow waits for a hole.
const EARLY_WAIT: Duration = Duration::from_secs(5);
/// How many acknowledgements wait so. Past it the oldest goes out alone.
const MOST_EARLY: usize = 64;
/// How many times `Limits::response_wait` a packet that was given up is remembered for a late acknowledgement.
const REMEMBERED: u32 = 4;
/// How many topics a side's aliases are remembered for; brokers allow 10 to a few hundred.
const MOST_ALIASES: usize = 256;

/// Which acknowledgement answers which packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Key {
    /// Who asked.
    side: Side,
    kind: u8,
    id: u16,
}

#[derive(Debug)]
struct Pending {
    key: Key,
    exchange: Box<Exchange>,
    /// Its acknowledgement may have been among bytes that were lost.
    exposed: bool,
    given_up: Option<Timestamp>,
}

/// What an acknowledgement says.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) track: Track,
    pub(super) status: &'static str,
    pub(super) code: u8,
    pub(super) outcome: Outcome,
    pub(super) properties: Properties,
    pub(super) codes: SmallVec<[u8; 8]>,
}

/// Topics by alias.
type Aliases = Vec<(u16, String)>;

/// What waits, and what is remembered of a connection.
#[derive(Debug)]
pub(super) struct Pairing {
    pub(super) client: Side,
    /// The version, once it was heard or found out.
    pub(super) version: Option<u8>,
    pending: VecDeque<Pending>,
    early: VecDeque<(Key, Answer)>,
    /// By side.
    aliases: Option<Box<[Aliases; 2]>>,
    pending_calls: u32,
    response_wait_ms: u32,
}

impl Pairing {
    pub(super) fn new(limits: &Limits, client: Side) -> Self {
        Self {
            client,
            version: None,
            pending: VecDeque::new(),
            early: VecDeque::new(),
            aliases: None,
            pending_calls: u32::try_from(limits.pending_calls.max(1)).unwrap_or(u32::MAX),
            response_wait_ms: u32::try_from(limits.response_wait.as_millis()).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.pending.is_empty() || !self.early.is_empty()
    }

    /// For how many filters a subscription asked, to read what answers it.
    pub(super) fn filters_of(&self, id: u16) -> Option<u32> {
        let asked = |pending: &&Pending| pending.key.id == id && pending.key.kind == SUBSCRIBE;
        let count =
            self.pending.iter().find(asked)?.exchange.attributes.iter().find_map(|attribute| {
                match (&*attribute.name, &attribute.value) {
                    ("mqtt.filter_count", wirewise_model::Value::Int(count)) => u32::try_from(*count).ok(),
                    _ => None,
                }
            });
        Some(count.unwrap_or(1))
    }

    /// Takes one packet.
    pub(super) fn take(&mut self, side: Side, packet: Packet, out: &mut Out) {
        match packet.fixed.kind {
            // Entered in the middle, who is who may have been guessed.
            CONNECT | SUBSCRIBE | UNSUBSCRIBE | PINGREQ => self.client = side,
            CONNACK | SUBACK | UNSUBACK | PINGRESP => self.client = side.other(),
            _ => {}
        }
        match packet.fixed.kind {
            CONNACK | PUBACK | PUBREC | PUBCOMP | SUBACK | UNSUBACK | PINGRESP if !packet.malformed => {
                self.acknowledged(side, packet, out);
            }
            PUBREL => self.released(side, packet),
            PUBLISH if !packet.malformed => self.published(side, packet, out),
            CONNECT | SUBSCRIBE | UNSUBSCRIBE | PINGREQ if !packet.malformed => self.asked(side, packet, out),
            _ => {
                let client = self.client;
                out.exchanges.push(describe::one_way(client, side, packet));
            }
        }
    }

    /// Something that is acknowledged, but a PUBLISH.
    fn asked(&mut self, side: Side, packet: Packet, out: &mut Out) {
        let Packet { fixed, track, said, holed, .. } = packet;
        let (mut exchange, id) = match said {
            Said::Connect(connect) => {
                self.version = Some(connect.version);
                self.aliases = None;
                (describe::connect(side, *connect), 0)
            }
            Said::Filters(filters) => {
                self.version = self.version.or(Some(filters.version));
                let id = filters.id;
                (describe::filters(side, fixed.kind, filters), id)
            }
            _ => (describe::begin(side, fixed.kind), 0),
        };
        describe::odd(&mut exchange, false, holed);
        exchange.request = Some(Message::bare(track));
        self.ask(Key { side, kind: fixed.kind, id }, exchange, out);
    }

    fn published(&mut self, side: Side, packet: Packet, out: &mut Out) {
        let Packet { fixed, track, said: Said::Publish(mut publish), payload, holed, .. } = packet else {
            return;
        };
        let odd_alias = !self.resolve(side, &mut publish);
        let (id, is_delivery) = (publish.id, side != self.client);
        // Who publishes asks for the acknowledgement, a broker too.
        let asks = if id.is_some() { side } else { self.client };
        let mut exchange = describe::publish(asks, fixed, publish, payload, is_delivery);
        describe::odd(&mut exchange, false, holed);
        if odd_alias {
            exchange.note("topic_alias_unknown");
        }
        let message = Some(Message::bare(track));
        let Some(id) = id else {
            exchange.outcome = Outcome::OneWay;
            exchange.complete = true;
            let half = if is_delivery { &mut exchange.response } else { &mut exchange.request };
            *half = message;
            out.exchanges.push(exchange);
            return;
        };
        exchange.request = message;
        let key = Key { side, kind: PUBLISH, id };
        if fixed.is_duplicate()
            && let Some(pending) = self.find(key)
        {
            describe::again(&mut pending.exchange, &exchange);
            return;
        }
        self.ask(key, exchange, out);
    }

    /// Puts the topic in that an alias stands for, or remembers it; says whether it is known.
    fn resolve(&mut self, side: Side, publish: &mut Publish) -> bool {
        let Some(alias) = publish.properties.topic_alias else { return true };
        let topics = &mut self.aliases.get_or_insert_default()[side.index()];
        let known = topics.iter().position(|(known, _)| *known == alias);
        match known {
            Some(known) if publish.topic.is_empty() => topics[known].1.clone_into(&mut publish.topic),
            Some(known) => topics[known].1.clone_from(&publish.topic),
            None if publish.topic.is_empty() => return false,
            None if topics.len() < MOST_ALIASES => topics.push((alias, publish.topic.clone())),
            None => {}
        }
        true
    }

    /// The second half of a PUBLISH of quality 2.
    fn released(&mut self, side: Side, packet: Packet) {
        let Said::Ack(id, ..) = packet.said else { return };
        let pending = self.find(Key { side, kind: PUBLISH, id });
        if let Some(request) = pending.and_then(|pending| pending.exchange.request.as_mut()) {
            join(&mut request.track, &packet.track);
        }
    }

    fn acknowledged(&mut self, side: Side, packet: Packet, out: &mut Out) {
        let Packet { fixed, track, said, .. } = packet;
        let key = |kind, id| Key { side: side.other(), kind, id };
        let (key, named, code, properties, codes) = match (fixed.kind, said) {
            (CONNACK, Said::Connack(code, properties)) => {
                let named = names::connack(code, self.version);
                (key(CONNECT, 0), named, code, properties, SmallVec::new())
            }
            (kind @ (SUBACK | UNSUBACK), Said::Codes(id, codes)) => {
                let refused = codes.iter().copied().find(|code| *code >= 0x80);
                let code = refused.or(codes.first().copied()).unwrap_or(0);
                let (of, named) = match kind {
                    SUBACK => (SUBSCRIBE, names::suback(code, self.version)),
                    _ => (UNSUBSCRIBE, names::reason(code)),
                };
                (key(of, id), named, code, Properties::default(), codes)
            }
            (PUBREC, Said::Ack(id, ..0x80, _)) => {
                if let Some(pending) = self.find(key(PUBLISH, id)) {
                    describe::received(&mut pending.exchange, track);
                }
                return;
            }
            (_, Said::Ack(id, code, properties)) => {
                (key(PUBLISH, id), names::reason(code), code, properties, SmallVec::new())
            }
            (_, _) => {
                self.pings_lost(side.other(), out);
                (key(PINGREQ, 0), names::reason(0), 0, Properties::default(), SmallVec::new())
            }
        };
        let (status, outcome) = named;
        self.answer(key, Answer { track, status, code, outcome, properties, codes }, out);
    }

    /// Something that is acknowledged was said.
    fn ask(&mut self, key: Key, exchange: Exchange, out: &mut Out) {
        let at = exchange.started();
        let early =
            self.early.iter().position(|(early, answer)| *early == key && answer.track.first.at >= at);
        if let Some((_, answer)) = early.and_then(|early| self.early.remove(early)) {
            out.exchanges.push(describe::answer(exchange, answer));
            return;
        }
        // An identifier that is used again was acknowledged.
        let again = |pending: &Pending| pending.key == key && key.kind != PINGREQ;
        if let Some(before) = self.pending.iter().position(again)
            && let Some(pending) = self.pending.remove(before)
        {
            pending.lose(out);
        }
        if self.pending.len() >= self.pending_calls as usize
            && let Some(oldest) = self.pending.pop_front()
        {
            oldest.close(End::Evicted, at, out);
        }
        self.pending.push_back(Pending { key, exchange: Box::new(exchange), exposed: false, given_up: None });
    }

    fn find(&mut self, key: Key) -> Option<&mut Pending> {
        self.pending.iter_mut().find(|pending| pending.key == key)
    }

    fn answer(&mut self, key: Key, answer: Answer, out: &mut Out) {
        let at = answer.track.first.at;
        let fits = |pending: &Pending| pending.key == key && pending.exchange.started() <= at;
        let found = self.pending.iter().position(fits);
        let Some(pending) = found.and_then(|found| self.pending.remove(found)) else {
            self.early.push_back((key, answer));
            if self.early.len() > MOST_EARLY {
                self.release_early(out);
            }
            return;
        };
        if self.pending.is_empty() {
            // A million connections may be idle.
            self.pending = VecDeque::new();
        }
        let mut exchange = describe::answer(*pending.exchange, answer);
        if pending.given_up.is_some() {
            exchange.revision = 1;
            exchange.note("late");
        }
        out.exchanges.push(exchange);
    }

    /// A ping is answered: where earlier answers may have been lost, it is the latest that is.
    fn pings_lost(&mut self, side: Side, out: &mut Out) {
        let pings = |pending: &Pending| pending.key == Key { side, kind: PINGREQ, id: 0 };
        while self.pending.iter().filter(|pending| pings(pending)).count() > 1
            && let Some(first) = self.pending.iter().position(|pending| pings(pending) && pending.exposed)
            && let Some(pending) = self.pending.remove(first)
        {
            pending.lose(out);
        }
    }

    /// An acknowledgement of something that was not heard.
    fn release_early(&mut self, out: &mut Out) {
        let Some((key, answer)) = self.early.pop_front() else { return };
        let mut exchange = describe::begin(key.side, key.kind);
        exchange.note("mid_stream");
        if key.id != 0 {
            exchange.attribute("mqtt.msgid", i64::from(key.id));
        }
        out.exchanges.push(describe::answer(exchange, answer));
    }

    /// Bytes of `side` were lost, acknowledgements perhaps.
    pub(super) fn gap(&mut self, side: Side) {
        for pending in self.pending.iter_mut().filter(|pending| pending.key.side != side) {
            pending.exposed = true;
        }
    }

    /// What waits for `server` (everything, where `None`) will not be answered.
    pub(super) fn end(&mut self, server: Option<Side>, why: End, at: Timestamp, out: &mut Out) {
        while server.is_none() && !self.early.is_empty() {
            self.release_early(out);
        }
        for pending in std::mem::take(&mut self.pending) {
            if server.is_none_or(|server| pending.key.side != server) {
                pending.close(why, at, out);
            } else {
                self.pending.push_back(pending);
            }
        }
    }

    pub(super) fn tick(&mut self, now: Timestamp, out: &mut Out) {
        while self.early.front().is_some_and(|(_, early)| now.since(early.track.last.at) >= EARLY_WAIT) {
            self.release_early(out);
        }
        let wait = Duration::from_millis(u64::from(self.response_wait_ms));
        for pending in &mut self.pending {
            let waited = now.since(pending.exchange.observed_until());
            if pending.given_up.is_none() && waited >= wait {
                pending.given_up = Some(now);
                let mut exchange = (*pending.exchange).clone();
                End::TimedOut.close(&mut exchange, now);
                if pending.exposed {
                    exchange.outcome = Outcome::Unknown;
                    describe::odd(&mut exchange, false, true);
                }
                out.exchanges.push(exchange);
            }
        }
        let forget = wait.saturating_mul(REMEMBERED);
        self.pending.retain(|pending| pending.given_up.is_none_or(|gone| now.since(gone) < forget));
    }

    pub(super) fn open(&self, out: &mut Out) {
        for pending in self.pending.iter().filter(|pending| pending.given_up.is_none()) {
            let mut exchange = (*pending.exchange).clone();
            exchange.outcome = Outcome::Open;
            out.exchanges.push(exchange);
        }
    }
}

impl Pending {
    fn close(self, why: End, at: Timestamp, out: &mut Out) {
        if self.given_up.is_some() {
            return;
        }
        if self.exposed {
            return self.lose(out);
        }
        let mut exchange = *self.exchange;
        why.close(&mut exchange, at);
        out.exchanges.push(exchange);
    }

    /// What became of it was not heard.
    fn lose(self, out: &mut Out) {
        if self.given_up.is_none() {
            let mut exchange = *self.exchange;
            exchange.outcome = Outcome::Unknown;
            describe::odd(&mut exchange, false, true);
            out.exchanges.push(exchange);
        }
    }
}
