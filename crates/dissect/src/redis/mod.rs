//! Redis: RESP2 and RESP3, as <https://redis.io/docs/latest/develop/reference/protocol-spec/> has them; Valkey, KeyDB
//! and Dragonfly speak the same.
//!
//! **What a call is.** A command with its reply. `operation` is the command in upper case, with the second word
//! where that is part of its name (`CONFIG GET`); `target` its first key, channel or parameter, found by the
//! table in `commands.rs`, `?` escaped where it is not text; values are never kept, nor anything of a command
//! that nobody knows. `status` is the prefix of an error (`WRONGTYPE`, `NOAUTH`, `ERR`), the word of a status
//! (`QUEUED`, `PONG`), else `OK`.
//!
//! **Outcomes.** What the server's own state refuses (`LOADING`, `OOM`, `READONLY`, `CLUSTERDOWN` ...) is a
//! `server_error`, every other error a `client_error`. `MOVED` and `ASK` are `ok`: the cluster did what it is
//! for, and its client follows; the status tells them apart. Null is `ok` with no rows. An EXEC is what the first
//! error inside it is.
//!
//! **Kinds.** What may be held (BLPOP, XREAD BLOCK, WAIT) is `long_poll` and never given up; PING `probe`;
//! SUBSCRIBE, MONITOR and PSYNC `session`, over when the server has confirmed. What is published then, and every
//! push of RESP3, is a message, one way, from the server: `operation` is its first word, `target` the channel.
//! Commands after CLIENT REPLY OFF or SKIP are one-way. A replica's stream is passed over, and counted.
//!
//! **Attributes.** `db.system.name`, `db.operation.name`, `db.namespace` (after a SELECT that was heard),
//! `db.response.status_code` (of errors), `db.response.returned_rows` (elements, pairs, 0 for null),
//! `db.operation.batch.size` (of EXEC), `messaging.*` of messages.
//!
//! **Finding its feet again.** A gap inside of one string costs nothing but that string. After any other a side
//! is passed over until a segment begins as a command does, or, for replies, is as many replies as there are
//! commands sent since the server was last heard. Whose reply is found then, `lineup.rs` says.

use std::time::Duration;

use wirewise_model::{Limits, Mark, Reason, Redaction, Side, Timestamp, Track};

use crate::lineup::{Lineup, Met};
use crate::{End, Fed, Input, Out, Protocol, Stream, StreamEntry, Verdict};

mod commands;
mod errors;
mod pair;
mod parse;
mod probe;
mod reply;
mod request;
#[cfg(test)]
mod tests;

use pair::Connection;
use parse::Parsed;
use reply::{Answering, Reply};
use request::{Asked, Asking, Hole, Read};

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "redis",
    title: "Redis (RESP2, RESP3)",
    reference: "https://redis.io/docs/latest/develop/reference/protocol-spec/",
    ports: &[6379],
    redaction: Redaction::Text,
    stream: Some(StreamEntry {
        probe: probe::probe,
        open: |limits, client| Box::new(Redis::new(limits, client)),
    }),
    message: None,
    refine: None,
};

/// Bytes that are no part of a message: after a loss, or of something that is not RESP.
const OUT_OF_STEP: Reason = Reason::loss("out_of_step");
/// What a master sends to its replica.
const REPLICATION: Reason = Reason::skip("replication_stream");

/// The limits that concern Redis, in few bytes: a flow that is idle keeps nothing else.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    line: u32,
    pending_calls: u32,
    response_wait_ms: u32,
}

/// One side of the connection that is being read.
#[derive(Debug)]
struct Reader<T> {
    /// What has begun and is not whole.
    under_way: Option<Box<T>>,
    /// Bytes that it waits for and will pass over; 0 where that is not known.
    missing: u64,
    /// Out of step: looking for a beginning.
    lost: bool,
}

impl<T> Default for Reader<T> {
    fn default() -> Self {
        Self { under_way: None, missing: 0, lost: false }
    }
}

/// The dissector of one flow.
struct Redis {
    bounds: Bounds,
    connection: Connection,
    commands: Reader<Asking>,
    replies: Reader<Answering>,
    lineup: Lineup<Asked, Reply>,
}

/// What one step did.
enum Step {
    Used(usize),
    /// More is needed; so many bytes are done with.
    Wait(usize),
}

/// What a confirmation of a subscription is.
enum Confirmed {
    /// No answer to what was asked.
    Nothing,
    /// One of the answers to a command.
    Part,
    /// The last of them.
    Whole,
}

impl Redis {
    fn new(limits: &Limits, client: Side) -> Self {
        let fit = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        Self {
            bounds: Bounds {
                line: fit(limits.header_bytes),
                pending_calls: fit(limits.pending_calls),
                response_wait_ms: u32::try_from(limits.response_wait.as_millis()).unwrap_or(u32::MAX),
            },
            connection: Connection::new(client),
            commands: Reader::default(),
            replies: Reader::default(),
            lineup: Lineup::default(),
        }
    }

    fn command_step(&mut self, input: Input<'_>, fresh: bool, out: &mut Out) -> Step {
        let bytes = input.bytes;
        if self.commands.lost {
            if !fresh || !probe::begins_command(bytes) {
                out.skip(OUT_OF_STEP, bytes.len() as u64);
                return Step::Used(bytes.len());
            }
            self.commands.lost = false;
        }
        if let Some(mut asking) = self.commands.under_way.take() {
            let (used, read) = asking.read(bytes);
            input.cover(&mut asking.asked.track, 0..used);
            return match read {
                Read::Whole => {
                    self.asked(asking.asked, out);
                    Step::Used(used)
                }
                Read::More { missing } => {
                    self.commands = Reader { under_way: Some(asking), missing, lost: false };
                    Step::Wait(used)
                }
                Read::Bad => self.lose_command(used),
            };
        }
        match bytes[0] {
            b'*' => {}
            b'\r' | b'\n' | b' ' => return Step::Used(1),
            byte if byte.is_ascii_alphabetic() => return self.inline(input, out),
            _ => return self.lose_command(0),
        }
        match request::begin(bytes) {
            Parsed::Whole(Some(count), head) => {
                let mut asking = Asking::new(count, input.begin(0));
                let (used, read) = asking.read(&bytes[head..]);
                let used = head + used;
                input.cover(&mut asking.asked.track, 0..used);
                match read {
                    Read::Whole => {
                        self.asked(asking.asked, out);
                        Step::Used(used)
                    }
                    Read::More { missing } => {
                        self.commands = Reader { under_way: Some(Box::new(asking)), missing, lost: false };
                        Step::Wait(used)
                    }
                    Read::Bad => self.lose_command(0),
                }
            }
            // Redis ignores an empty one.
            Parsed::Whole(None, used) => Step::Used(used),
            Parsed::More => Step::Wait(0),
            Parsed::Bad => self.lose_command(0),
        }
    }

    fn inline(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let window = &input.bytes[..input.bytes.len().min(self.bounds.line as usize)];
        let Some(end) = memchr::memchr(b'\n', window) else {
            return if window.len() < self.bounds.line as usize {
                Step::Wait(0)
            } else {
                self.lose_command(0)
            };
        };
        let line = window[..end].trim_ascii();
        if line.iter().any(|byte| byte.is_ascii_control() && *byte != b'\t') {
            return self.lose_command(0);
        }
        let mut track = input.begin(0);
        input.cover(&mut track, 0..end + 1);
        if let Some(asked) = Asking::inline(line, track) {
            self.asked(asked, out);
        }
        Step::Used(end + 1)
    }

    /// What comes is no command: something was lost, or this is not RESP.
    fn lose_command(&mut self, used: usize) -> Step {
        self.commands = Reader { lost: true, ..Reader::default() };
        self.lineup.requests_lost();
        Step::Used(used)
    }

    fn asked(&mut self, asked: Asked, out: &mut Out) {
        if !self.connection.expects_reply(&asked) {
            return self.connection.one_way(asked, out);
        }
        let (connection, most) = (&mut self.connection, self.bounds.pending_calls as usize);
        self.lineup.ask(asked, most, &mut |met| connection.tell(met, out));
    }

    fn reply_step(&mut self, input: Input<'_>, fresh: bool, out: &mut Out) -> Step {
        let bytes = input.bytes;
        if self.connection.replicates {
            out.skip(REPLICATION, bytes.len() as u64);
            return Step::Used(bytes.len());
        }
        if self.replies.lost {
            if !fresh || !self.finds_replies(input) {
                out.skip(OUT_OF_STEP, bytes.len() as u64);
                return Step::Used(bytes.len());
            }
            self.replies.lost = false;
        }
        let most = self.bounds.line as usize;
        if let Some(mut answering) = self.replies.under_way.take() {
            let (used, read) = answering.read(bytes, most);
            input.cover(&mut answering.reply.track, 0..used);
            return match read {
                Read::Whole => {
                    self.replied(answering.reply, out);
                    Step::Used(used)
                }
                Read::More { missing } => {
                    self.replies = Reader { under_way: Some(answering), missing, lost: false };
                    Step::Wait(used)
                }
                Read::Bad => self.lose_reply(used),
            };
        }
        let mut answering = Answering::new(input.begin(0));
        let (used, read) = answering.read(bytes, most);
        input.cover(&mut answering.reply.track, 0..used);
        match read {
            Read::Whole => {
                self.replied(answering.reply, out);
                Step::Used(used)
            }
            Read::More { .. } if used == 0 => Step::Wait(0),
            Read::More { missing } => {
                self.replies = Reader { under_way: Some(Box::new(answering)), missing, lost: false };
                Step::Wait(used)
            }
            Read::Bad => self.lose_reply(0),
        }
    }

    /// Whether a segment is replies to what was sent since the server was last heard. In the middle of a long
    /// reply a segment can begin like one too; then there are more of them than anybody asked for.
    fn finds_replies(&self, input: Input<'_>) -> bool {
        if probe::publishes(input.bytes) {
            return true;
        }
        let at = input.mark(0).at;
        let sent = self.lineup.sent_between(Timestamp::MIN, at);
        self.lineup.sent_between(self.lineup.heard_at(), at) > 0
            && probe::count_replies(input.bytes, sent).is_some()
    }

    /// What comes is no reply.
    fn lose_reply(&mut self, used: usize) -> Step {
        let begun = !self.replies.lost && !self.connection.pushes;
        self.replies = Reader { lost: true, ..Reader::default() };
        self.lineup.responses_lost(begun);
        Step::Used(used)
    }

    fn replied(&mut self, reply: Reply, out: &mut Out) {
        self.finish_unsubscribing(&reply, out);
        let unasked = reply.kind == b'>' || (reply.kind == b'+' && self.connection.monitors);
        if let Some(words) = reply.words.as_deref() {
            if words.confirms() {
                match self.confirmed(&reply.track, words) {
                    Confirmed::Nothing => {}
                    Confirmed::Part => return,
                    Confirmed::Whole => return self.answered(reply, out),
                }
            }
            let subscribed = self.connection.subscribed() || !self.lineup.is_waiting();
            if words.publishes() && (unasked || subscribed) {
                return self.connection.message(reply, out);
            }
        }
        if unasked && (reply.kind == b'>' || self.lineup.front().is_none()) {
            return self.connection.message(reply, out);
        }
        self.answered(reply, out);
    }

    fn answered(&mut self, reply: Reply, out: &mut Out) {
        let connection = &mut self.connection;
        self.lineup.answer(reply, &mut |met| connection.tell(met, out));
    }

    /// Who gives up all subscriptions is told so once for each, and how many those are may not have been heard: it is
    /// over when something else is said.
    fn finish_unsubscribing(&mut self, reply: &Reply, out: &mut Out) {
        let all = |asked: &&Asked| asked.arguments == 0 && asked.confirmations.is_some();
        if reply.words.as_deref().is_none_or(|words| !words.confirms() && !words.publishes())
            && self.lineup.front().filter(all).is_some()
            && let Some(asked) = self.lineup.finish_front()
        {
            self.connection.finish_unsubscribing(asked, out);
        }
    }

    /// Whether this confirms a subscription that the oldest command asked for.
    fn confirmed(&mut self, track: &Track, words: &reply::Words) -> Confirmed {
        let Some(asked) = self.lineup.front_mut() else { return Confirmed::Nothing };
        if !asked.operation.as_bytes().eq_ignore_ascii_case(&words.word) {
            return Confirmed::Nothing;
        }
        if self.connection.confirm(words, asked) {
            return Confirmed::Whole;
        }
        match &mut asked.confirmations {
            Some(confirmed) => crate::lineup::join(confirmed, track),
            None => asked.confirmations = Some(Box::new(track.clone())),
        }
        Confirmed::Part
    }
}

impl Stream for Redis {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let asks = input.side == self.connection.client;
        let (mut at, mut fresh) = (0, true);
        while at < input.bytes.len() {
            let rest = input.skip(at);
            let step =
                if asks { self.command_step(rest, fresh, out) } else { self.reply_step(rest, fresh, out) };
            // Only once: what looks like a beginning and is none must not be looked at for ever.
            fresh = false;
            match step {
                Step::Used(used) => at += used,
                Step::Wait(used) => {
                    at += used;
                    break;
                }
            }
        }
        if !asks {
            self.lineup.heard(input.mark(input.bytes.len() - 1).at);
        }
        Fed::go_on(at)
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        if side == self.connection.client {
            let missing = self.commands.missing;
            match self.commands.under_way.as_mut().map_or(Hole::Lost, |asking| asking.gap(len, missing)) {
                Hole::Inside => {}
                Hole::Whole => {
                    if let Some(asking) = self.commands.under_way.take() {
                        self.asked(asking.asked, out);
                    }
                }
                Hole::Lost => {
                    if let Some(asking) = self.commands.under_way.take() {
                        // What was heard of it is told; what became of it is not known.
                        self.connection.tell(Met::Lost(asking.asked), out);
                    }
                    self.lose_command(0);
                }
            }
        } else {
            let missing = self.replies.missing;
            match self.replies.under_way.as_mut().map_or(Hole::Lost, |reply| reply.gap(len, missing)) {
                Hole::Inside => {}
                Hole::Whole => {
                    if let Some(answering) = self.replies.under_way.take() {
                        self.replied(answering.reply, out);
                    }
                }
                Hole::Lost => {
                    self.lose_reply(0);
                }
            }
        }
        self.commands.missing = 0;
        self.replies.missing = 0;
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        let at = last.at;
        if side == Some(self.connection.client) && why == End::Fin {
            // Half-closed: what was asked may still be answered.
            return;
        }
        let connection = &mut self.connection;
        self.lineup.close(why, at, &mut |met| connection.tell(met, out));
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        let wait = Duration::from_millis(u64::from(self.bounds.response_wait_ms));
        let connection = &mut self.connection;
        self.lineup.tick(now, wait, |asked| asked.blocks, &mut |met| connection.tell(met, out));
    }

    fn open(&self, out: &mut Out) {
        for asked in self.lineup.pending() {
            self.connection.open(asked, out);
        }
    }

    fn waiting(&self) -> bool {
        self.lineup.is_waiting()
    }
}
