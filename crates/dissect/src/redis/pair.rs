//! Commands and replies become exchanges, and what they say of the connection is remembered.

use wirewise_model::{Coverage, Exchange, Kind, Message, Outcome, Side};

use super::commands::Habit;
use super::errors;
use super::reply::{Reply, Words};
use super::request::{Answers, Asked, Detail};
use crate::Out;
use crate::lineup::Met;
use crate::text::printable as text;

/// What is remembered of a connection.
#[derive(Clone, Copy, Debug)]
pub(super) struct Connection {
    pub(super) client: Side,
    /// The number of the database, where it was selected.
    database: Option<u32>,
    /// Channels, patterns and shard channels subscribed to.
    channels: u32,
    patterns: u32,
    shards: u32,
    /// Something was told that was not asked for: replies alone do not say who is answered.
    pub(super) pushes: bool,
    /// After MONITOR every status is what somebody else asked.
    pub(super) monitors: bool,
    /// After PSYNC the server sends its data and every command that changes it.
    pub(super) replicates: bool,
    /// CLIENT REPLY.
    silent: bool,
    skips_next: bool,
}

impl Connection {
    pub(super) fn new(client: Side) -> Self {
        Self {
            client,
            database: None,
            channels: 0,
            patterns: 0,
            shards: 0,
            pushes: false,
            monitors: false,
            replicates: false,
            silent: false,
            skips_next: false,
        }
    }

    /// Whether something may be told that was not asked for.
    pub(super) fn subscribed(&self) -> bool {
        self.channels + self.patterns + self.shards > 0
    }

    /// Whether this command will be answered.
    pub(super) fn expects_reply(&mut self, asked: &Asked) -> bool {
        match asked.detail {
            Detail::Answers(Answers::On) => {
                self.silent = false;
                self.skips_next = false;
                return true;
            }
            Detail::Answers(Answers::Off) => {
                self.silent = true;
                return false;
            }
            Detail::Answers(Answers::Skip) => {
                self.skips_next = !self.silent;
                return false;
            }
            Detail::Acknowledges => return false,
            Detail::None | Detail::Database(_) => {}
        }
        !std::mem::take(&mut self.skips_next) && !self.silent
    }

    /// A command that is not answered.
    pub(super) fn one_way(&self, asked: Asked, out: &mut Out) {
        let mut exchange = self.exchange(asked);
        exchange.outcome = Outcome::OneWay;
        exchange.complete = true;
        out.exchanges.push(exchange);
    }

    /// What became of a command or a reply.
    pub(super) fn tell(&mut self, met: Met<Asked, Reply>, out: &mut Out) {
        match met {
            Met::Pair { asked, answer, late } => {
                self.learn(&asked, &answer);
                let mut exchange = self.exchange(asked);
                self.respond(&mut exchange, answer);
                if late {
                    exchange.revision = 1;
                    exchange.note("late");
                }
                out.exchanges.push(exchange);
            }
            Met::Alone { answer, lost } => {
                let mut exchange = Exchange::new("redis", self.client);
                exchange.attribute("db.system.name", "redis");
                exchange.note(if lost { "gap" } else { "mid_stream" });
                if lost {
                    exchange.coverage = Coverage::Partial;
                }
                self.respond(&mut exchange, answer);
                out.exchanges.push(exchange);
            }
            Met::Lost(asked) => {
                let mut exchange = self.exchange(asked);
                exchange.note("gap");
                exchange.coverage = Coverage::Partial;
                out.exchanges.push(exchange);
            }
            Met::Unanswered { asked, .. } if asked.arguments == 0 && asked.confirmations.is_some() => {
                self.finish_unsubscribing(asked, out);
            }
            Met::Unanswered { asked, why, at } => {
                let mut exchange = self.exchange(asked);
                why.close(&mut exchange, at);
                out.exchanges.push(exchange);
            }
        }
    }

    /// All subscriptions of a kind were given up.
    pub(super) fn finish_unsubscribing(&mut self, asked: Asked, out: &mut Out) {
        let mut exchange = self.exchange(asked);
        exchange.status = Some("OK".to_owned());
        exchange.outcome = Outcome::Ok;
        exchange.complete = true;
        out.exchanges.push(exchange);
    }

    /// A command under way.
    pub(super) fn open(&self, asked: &Asked, out: &mut Out) {
        let mut exchange = self.exchange(asked.clone());
        exchange.outcome = Outcome::Open;
        out.exchanges.push(exchange);
    }

    /// What a subscriber is told, or whatever else the server says unasked: one message, one way.
    pub(super) fn message(&mut self, reply: Reply, out: &mut Out) {
        self.pushes = true;
        let mut exchange = Exchange::new("redis", self.client);
        exchange.kind = Kind::Message;
        exchange.outcome = Outcome::OneWay;
        exchange.complete = true;
        exchange.attribute("db.system.name", "redis");
        exchange.attribute("messaging.operation.type", "receive");
        match &reply.words {
            Some(words) => {
                exchange.operation = text(&words.word);
                exchange.target = text(if words.second.is_empty() { &words.first } else { &words.second });
                if !words.second.is_empty() {
                    exchange.attribute("messaging.destination.subscription.name", text(&words.first));
                }
            }
            // What others ask holds their values: nothing of it is kept.
            None if self.monitors => "monitor".clone_into(&mut exchange.operation),
            None => "push".clone_into(&mut exchange.operation),
        }
        holed(&mut exchange, reply.holed);
        exchange.response = Some(Message::bare(reply.track));
        out.exchanges.push(exchange);
    }

    /// A subscription was confirmed. Says whether the command that asked for it has its last confirmation.
    pub(super) fn confirm(&mut self, words: &Words, asked: &mut Asked) -> bool {
        let now = words.number.unwrap_or(0);
        let (own, other) = match &words.word[..] {
            b"psubscribe" | b"punsubscribe" => (&mut self.patterns, self.channels),
            b"ssubscribe" | b"sunsubscribe" => (&mut self.shards, 0),
            _ => (&mut self.channels, self.patterns),
        };
        *own = now.saturating_sub(other);
        let left = *own;
        asked.confirmed += 1;
        match asked.arguments {
            // All of them, one confirmation each.
            0 => left == 0,
            channels => asked.confirmed >= channels,
        }
    }

    /// What an answer changes.
    fn learn(&mut self, asked: &Asked, reply: &Reply) {
        if reply.kind == b'-' || &reply.line[..] == b"QUEUED" {
            return;
        }
        match (asked.detail, asked.habit(), &*asked.operation) {
            (Detail::Database(database), ..) => self.database = Some(database),
            (_, Habit::Session, "MONITOR") => self.monitors = true,
            (_, Habit::Session, _) => self.replicates = true,
            (_, _, "RESET") => *self = Self::new(self.client),
            _ => {}
        }
    }

    fn exchange(&self, asked: Asked) -> Exchange {
        let mut exchange = Exchange::new("redis", self.client);
        exchange.attributes.reserve_exact(2 + usize::from(self.database.is_some()));
        exchange.attribute("db.system.name", "redis");
        exchange.attribute("db.operation.name", &*asked.operation);
        if let Some(database) = self.database {
            exchange.attribute("db.namespace", database.to_string());
        }
        exchange.kind = match asked.habit() {
            _ if asked.blocks => Kind::LongPoll,
            Habit::Plain | Habit::Blocks => Kind::Unary,
            Habit::Probe => Kind::Probe,
            Habit::Session | Habit::Subscribes => Kind::Session,
        };
        exchange.operation = asked.operation;
        exchange.target = asked.target;
        holed(&mut exchange, asked.holed);
        if asked.cut {
            exchange.note("target_cut");
        }
        exchange.request = Some(Message::bare(asked.track));
        exchange.response = asked.confirmations.map(|track| Message::bare(*track));
        exchange
    }

    fn respond(&self, exchange: &mut Exchange, reply: Reply) {
        let Reply { mut track, kind, count, line, fault, holed: is_holed, .. } = reply;
        exchange.complete = true;
        let error = match kind {
            b'-' | b'!' => Some(&line[..]),
            _ => None,
        };
        exchange.status = Some(match error {
            Some(line) => errors::prefix(line).to_owned(),
            None => status(kind, &line),
        });
        exchange.outcome = Outcome::Ok;
        if let Some(line) = error {
            exchange.outcome = errors::outcome(line);
            exchange.error = Some(errors::words(line, &exchange.operation));
            exchange.attribute("db.response.status_code", errors::prefix(line));
        }
        let rows = if kind == b'_' { Some(0) } else { count };
        if let Some(rows) = rows {
            exchange.attribute("db.response.returned_rows", i64::from(rows));
        }
        if exchange.operation == "EXEC" {
            match (kind, count) {
                (b'_', _) => exchange.note("watched_key_changed"),
                (_, Some(count)) => exchange.attribute("db.operation.batch.size", i64::from(count)),
                (_, None) => {}
            }
        }
        if let Some(fault) = fault {
            // The commands of a transaction fail one by one, and the transaction goes on.
            exchange.note("errors_inside");
            if exchange.operation == "EXEC" {
                exchange.outcome = errors::outcome(&fault);
                exchange.error = Some(errors::words(&fault, ""));
            }
        }
        holed(exchange, is_holed);
        if let Some(confirmed) = exchange.response.take() {
            let mut whole = confirmed.track;
            crate::lineup::join(&mut whole, &track);
            track = whole;
        }
        exchange.response = Some(Message::bare(track));
    }
}

/// The word of a status reply that is one; OK for every other answer that is no error.
fn status(kind: u8, line: &[u8]) -> String {
    let word = line.split(|byte| *byte == b' ').next().unwrap_or_default();
    let is_word = kind == b'+'
        && (2..=16).contains(&word.len())
        && word.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'_');
    std::str::from_utf8(word).ok().filter(|_| is_word).unwrap_or("OK").to_owned()
}

fn holed(exchange: &mut Exchange, holed: bool) {
    if holed {
        exchange.note("gap");
        exchange.coverage = Coverage::Partial;
    }
}
