//! Memcached: the text protocol with its meta commands, and the binary one, as `doc/protocol.txt` of memcached and
//! its `protocol_binary.h` have them.
//!
//! **What a call is.** A command with its answer. `operation` is the command as it was written (`get`, `ms`; by
//! name in the binary protocol), `target` its first key; how many keys there are says
//! `db.operation.batch.size`. `status` is the word of the answer's last line (`END`, `STORED`, `EN`; `OK` where that
//! is a number, since it is the item's), or the name of the binary status with its number. Data is counted
//! down, never kept, and so is what SASL carries.
//!
//! **Outcomes.** `ERROR` and `CLIENT_ERROR` are `client_error`, `SERVER_ERROR` is `server_error`; that an item is not
//! there, was there, or has changed is `ok`: a cache is asked just that. A miss has
//! `db.response.returned_rows` 0. Commands with `noreply`, and `quit`, are `one_way`. Quiet ones are answered only
//! where there is something to say: passed over by the answer to a later one, they are `one_way`, noted `quiet`.
//!
//! **Pairing** is by order; in the binary protocol, and where a meta command has an opaque, what stands in front
//! and does not carry the answer's is passed over.
//!
//! **Over UDP** (`udp.rs`) the text protocol stands behind a frame header with a number, which pairs it.
//!
//! **Finding its feet again.** A gap inside of an item costs nothing but that item. After any other a side is
//! passed over until a segment begins as a command does, or, for answers, is as many answers as were asked for
//! since the server was last heard. Whose answer is found then, `lineup.rs` says.

use std::time::Duration;

use wirewise_model::{Kind, Limits, Mark, Reason, Redaction, Side, Timestamp};

use crate::lineup::{Lineup, Met};
use crate::{End, Fed, Input, MessageEntry, Out, Protocol, Stream, StreamEntry, Verdict};

mod binary;
mod message;
mod pair;
mod probe;
#[cfg(test)]
mod tests;
mod text;
mod udp;

use message::{Asked, Parsed, Reply};

const PORT: u16 = 11211;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: pair::NAME,
    title: "Memcached (text, meta, binary)",
    reference: "https://github.com/memcached/memcached/blob/master/doc/protocol.txt",
    ports: &[PORT],
    redaction: Redaction::Text,
    stream: Some(StreamEntry {
        probe: probe::probe,
        open: |limits, client| Box::new(Memcached::new(limits, client)),
    }),
    message: Some(MessageEntry {
        probe: udp::probe,
        open: |limits, client| Box::new(udp::Datagrams::new(limits, client)),
    }),
    refine: None,
};

/// Bytes that are no part of a message: after a loss, or of something that is not memcached's.
const OUT_OF_STEP: Reason = Reason::loss("out_of_step");
/// The log that `watch` asks for.
const WATCHED: Reason = Reason::skip("memcached_watch");

/// A message of which data is on its way.
#[derive(Debug)]
struct UnderWay<T> {
    message: T,
    /// Bytes of data to come.
    left: u64,
    /// Nothing follows the data.
    last: bool,
}

/// The dissector of one flow.
struct Memcached {
    line: u32,
    pending_calls: u32,
    response_wait_ms: u32,
    client: Side,
    /// Which of the two protocols; the first byte says it.
    is_binary: Option<bool>,
    command: Option<Box<UnderWay<Asked>>>,
    answer: Option<Box<UnderWay<Reply>>>,
    command_lost: bool,
    answer_lost: bool,
    /// `watch` was answered.
    watches: bool,
    lineup: Lineup<Asked, Reply>,
}

/// What one step did.
enum Step {
    Used(usize),
    /// More is needed.
    Wait,
}

impl Memcached {
    fn new(limits: &Limits, client: Side) -> Self {
        let fit = |limit: usize| u32::try_from(limit).unwrap_or(u32::MAX);
        Self {
            line: fit(limits.header_bytes),
            pending_calls: fit(limits.pending_calls),
            response_wait_ms: u32::try_from(limits.response_wait.as_millis()).unwrap_or(u32::MAX),
            client,
            is_binary: None,
            command: None,
            answer: None,
            command_lost: false,
            answer_lost: false,
            watches: false,
            lineup: Lineup::default(),
        }
    }

    fn command_step(&mut self, input: Input<'_>, fresh: bool, out: &mut Out) -> Step {
        let bytes = input.bytes;
        let is_binary = *self.is_binary.get_or_insert(bytes[0] == binary::ASKS);
        if self.command_lost {
            if !fresh || !probe::begins_command(bytes, is_binary) {
                out.skip(OUT_OF_STEP, bytes.len() as u64);
                return Step::Used(bytes.len());
            }
            self.command_lost = false;
        }
        if let Some(under_way) = &mut self.command {
            let used = under_way.left.min(bytes.len() as u64) as usize;
            under_way.left -= used as u64;
            input.cover(&mut under_way.message.track, 0..used);
            if under_way.left == 0
                && let Some(under_way) = self.command.take()
            {
                self.asked(under_way.message, out);
            }
            return Step::Used(used);
        }
        let (mut asked, used, left) = if is_binary {
            match binary::head(bytes, binary::ASKS) {
                Parsed::Whole(head, used) => {
                    let left = (head.body + binary::HEADER - used) as u64;
                    (Asked::binary(&head, input.begin(0)), used, left)
                }
                Parsed::More => return Step::Wait,
                Parsed::Bad => return self.lose_command(),
            }
        } else {
            match text::line(bytes, self.line as usize) {
                Parsed::Whole([], used) => return Step::Used(used),
                Parsed::Whole(line, used) => match text::command(line, input.begin(0)) {
                    Some((asked, left)) => (asked, used, left),
                    None => return self.lose_command(),
                },
                Parsed::More => return Step::Wait,
                Parsed::Bad => return self.lose_command(),
            }
        };
        input.cover(&mut asked.track, 0..used);
        if left > 0 {
            self.command = Some(Box::new(UnderWay { message: asked, left, last: true }));
        } else {
            self.asked(asked, out);
        }
        Step::Used(used)
    }

    fn lose_command(&mut self) -> Step {
        self.command_lost = true;
        self.lineup.requests_lost();
        Step::Used(0)
    }

    fn asked(&mut self, asked: Asked, out: &mut Out) {
        let client = self.client;
        if asked.one_way {
            return pair::one_way(client, asked, out);
        }
        self.lineup.ask(asked, self.pending_calls as usize, &mut |met| pair::tell(client, met, out));
    }

    fn answer_step(&mut self, input: Input<'_>, fresh: bool, out: &mut Out) -> Step {
        let bytes = input.bytes;
        let is_binary = *self.is_binary.get_or_insert(bytes[0] == binary::ANSWERS);
        if self.watches {
            out.skip(WATCHED, bytes.len() as u64);
            return Step::Used(bytes.len());
        }
        if self.answer_lost {
            if !fresh || !self.finds_answers(input, is_binary) {
                out.skip(OUT_OF_STEP, bytes.len() as u64);
                return Step::Used(bytes.len());
            }
            self.answer_lost = false;
        }
        if let Some(under_way) = self.answer.as_mut().filter(|under_way| under_way.left > 0) {
            let used = under_way.left.min(bytes.len() as u64) as usize;
            under_way.left -= used as u64;
            input.cover(&mut under_way.message.track, 0..used);
            self.finish_answer(out);
            return Step::Used(used);
        }
        if is_binary { self.binary_answer(input, out) } else { self.text_answer(input, out) }
    }

    fn text_answer(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let (line, used) = match text::line(input.bytes, self.line as usize) {
            Parsed::Whole(line, used) => (line, used),
            Parsed::More => return Step::Wait,
            Parsed::Bad => return self.lose_answer(),
        };
        let (left, last) = match text::answer_line(line) {
            text::Line::Value(left) => (left, false),
            text::Line::Data(left) => (left, true),
            text::Line::Item => (0, false),
            text::Line::Last => (0, true),
            text::Line::Bad => return self.lose_answer(),
        };
        let under_way = self.answer.get_or_insert_with(|| {
            Box::new(UnderWay { message: Reply::new(input.begin(0)), left: 0, last: false })
        });
        input.cover(&mut under_way.message.track, 0..used);
        (under_way.left, under_way.last) = (left, last);
        if last {
            under_way.message.conclude(line);
        } else {
            under_way.message.rows = Some(under_way.message.rows.unwrap_or(0).saturating_add(1));
        }
        self.finish_answer(out);
        Step::Used(used)
    }

    fn binary_answer(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let (head, used) = match binary::head(input.bytes, binary::ANSWERS) {
            Parsed::Whole(head, used) => (head, used),
            Parsed::More => return Step::Wait,
            Parsed::Bad => return self.lose_answer(),
        };
        let reply = Reply::binary(&head, input.begin(0));
        let mut under_way = match self.answer.take() {
            // Statistics are as many answers as there are, and one without a key.
            Some(under_way) if under_way.message.binary == reply.binary => under_way,
            Some(_) | None => Box::new(UnderWay { message: reply, left: 0, last: false }),
        };
        input.cover(&mut under_way.message.track, 0..used);
        under_way.left = (head.body + binary::HEADER - used) as u64;
        under_way.last = head.opcode != binary::STAT || head.key.is_empty() || head.status != 0;
        if !under_way.last {
            under_way.message.rows = Some(under_way.message.rows.unwrap_or(0).saturating_add(1));
        }
        self.answer = Some(under_way);
        self.finish_answer(out);
        Step::Used(used)
    }

    fn finish_answer(&mut self, out: &mut Out) {
        if self.answer.as_ref().is_some_and(|under_way| under_way.left == 0 && under_way.last)
            && let Some(under_way) = self.answer.take()
        {
            self.answered(under_way.message, out);
        }
    }

    fn answered(&mut self, reply: Reply, out: &mut Out) {
        let client = self.client;
        self.pass_over(&reply, out);
        self.watches =
            self.lineup.front().is_some_and(|asked| asked.kind == Kind::Session) && reply.status == "OK";
        self.lineup.answer(reply, &mut |met| pair::tell(client, met, out));
    }

    /// Puts out what stands before the command that `reply` is the answer to.
    fn pass_over(&mut self, reply: &Reply, out: &mut Out) {
        let client = self.client;
        let named = |asked: &Asked| match (asked.binary, reply.binary) {
            (Some(asked), Some(answered)) => Some(asked == answered),
            _ if asked.operation == "mn" || reply.status == "MN" => {
                Some((asked.operation == "mn") == (reply.status == "MN"))
            }
            _ if asked.token.is_empty() || reply.token.is_empty() => None,
            _ => Some(asked.token == reply.token),
        };
        let is_its = |asked: &Asked| named(asked) != Some(false);
        while self.lineup.front().is_some_and(|front| {
            // Only a quiet one, or one of another opaque where the right one waits, is passed over.
            !is_its(front) && (front.quiet || self.lineup.pending().any(is_its))
        }) {
            let Some(asked) = self.lineup.finish_front() else { return };
            if asked.quiet {
                pair::one_way(client, asked, out);
            } else {
                pair::tell(client, Met::Lost(asked), out);
            }
        }
    }

    fn finds_answers(&self, input: Input<'_>, is_binary: bool) -> bool {
        let at = input.mark(0).at;
        self.lineup.sent_between(self.lineup.heard_at(), at) > 0
            && probe::are_answers(input.bytes, is_binary, self.lineup.sent_between(Timestamp::MIN, at))
    }

    fn lose_answer(&mut self) -> Step {
        let begun = !self.answer_lost;
        self.answer_lost = true;
        self.answer = None;
        self.lineup.responses_lost(begun);
        Step::Used(0)
    }
}

impl Stream for Memcached {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let asks = input.side == self.client;
        let (mut at, mut fresh) = (0, true);
        while at < input.bytes.len() {
            let rest = input.skip(at);
            let step =
                if asks { self.command_step(rest, fresh, out) } else { self.answer_step(rest, fresh, out) };
            // Only once: what looks like a beginning and is none must not be looked at for ever.
            fresh = false;
            match step {
                Step::Used(used) => at += used,
                Step::Wait => break,
            }
        }
        if !asks {
            self.lineup.heard(input.mark(input.bytes.len() - 1).at);
        }
        Fed::go_on(at)
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        if side == self.client {
            match &mut self.command {
                Some(under_way) if under_way.left >= len => {
                    under_way.left -= len;
                    under_way.message.holed = true;
                    if under_way.left == 0
                        && let Some(under_way) = self.command.take()
                    {
                        self.asked(under_way.message, out);
                    }
                }
                _ => {
                    if let Some(under_way) = self.command.take() {
                        pair::tell(self.client, Met::Lost(under_way.message), out);
                    }
                    self.lose_command();
                }
            }
        } else {
            match &mut self.answer {
                Some(under_way) if under_way.left >= len => {
                    under_way.left -= len;
                    under_way.message.holed = true;
                    self.finish_answer(out);
                }
                _ => {
                    self.lose_answer();
                }
            }
        }
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        let at = last.at;
        let client = self.client;
        if side == Some(client) && why == End::Fin {
            // Half-closed: what was asked may still be answered.
            return;
        }
        self.lineup.close(why, at, &mut |met| pair::tell(client, met, out));
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        let (client, wait) = (self.client, Duration::from_millis(u64::from(self.response_wait_ms)));
        self.lineup.tick(now, wait, |_| false, &mut |met| pair::tell(client, met, out));
    }

    fn open(&self, out: &mut Out) {
        for asked in self.lineup.pending() {
            pair::open(self.client, asked, out);
        }
    }

    fn waiting(&self) -> bool {
        self.lineup.is_waiting()
    }
}
