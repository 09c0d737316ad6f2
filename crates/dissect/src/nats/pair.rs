//! Who answers whom: PONG to PING by order, +OK and -ERR to whatever a verbose client said, a message to the request
//! whose reply subject it has.

use std::collections::VecDeque;
use std::time::Duration;

use wirewise_model::{Exchange, Kind, Limits, Message, Outcome, Side, Timestamp, Track, stable_hash};

use super::describe;
use super::parse::{Connect, Headers, Line, Publish, Speaker};
use crate::lineup::{Lineup, Met, Tracked};
use crate::{End, Out};

/// Pings of one side that wait for their answer. Servers give up after two.
const MOST_PINGS: usize = 16;
/// Inboxes whose subscriptions are remembered. Past it the oldest is forgotten.
const MOST_INBOXES: usize = 16;
/// What asks JetStream for messages, which come on a subscription of the reply subject.
const PULLS: &str = "$JS.API.CONSUMER.MSG.NEXT.";

/// What a verbose client said, which +OK or -ERR answers.
#[derive(Clone, Debug)]
struct Asked {
    track: Track,
    /// `None` for a request: its answer is the reply, and +OK says only that it was taken.
    exchange: Option<Box<Exchange>>,
}

impl Tracked for Asked {
    fn track(&self) -> &Track {
        &self.track
    }
}

/// +OK, or -ERR with its words.
#[derive(Debug)]
struct Verdict {
    track: Track,
    error: Option<String>,
}

impl Tracked for Verdict {
    fn track(&self) -> &Track {
        &self.track
    }
}

/// A message that names where its reply goes.
#[derive(Debug)]
struct Request {
    reply: String,
    exchange: Box<Exchange>,
    given_up: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Pairing {
    pub(super) client: Side,
    /// Whether the client asked for +OK; `None` where that was not heard.
    verbose: Option<bool>,
    /// A CONNECT of a client that is not verbose: only an error would answer it.
    connect: Option<Box<Exchange>>,
    /// By side: pings that wait, and whether the answer to one may have been lost.
    pings: [VecDeque<Track>; 2],
    pings_exposed: [bool; 2],
    lineup: Lineup<Asked, Verdict>,
    /// Hashes of the reply subjects of `requests`, in their order.
    replies: Vec<u64>,
    requests: Vec<Request>,
    /// Answers may have been among lost bytes.
    requests_exposed: bool,
    /// Subscriptions of inboxes: their number and subject.
    inboxes: Vec<(String, String)>,
    pending_calls: u32,
    response_wait_ms: u32,
}

impl Pairing {
    pub(super) fn new(limits: &Limits, client: Side) -> Self {
        Self {
            client,
            verbose: None,
            connect: None,
            pings: Default::default(),
            pings_exposed: [false; 2],
            lineup: Lineup::default(),
            replies: Vec::new(),
            requests: Vec::new(),
            requests_exposed: false,
            inboxes: Vec::new(),
            pending_calls: u32::try_from(limits.pending_calls.max(1)).unwrap_or(u32::MAX),
            response_wait_ms: u32::try_from(limits.response_wait.as_millis()).unwrap_or(u32::MAX),
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.lineup.is_waiting()
            || !self.requests.is_empty()
            || self.connect.is_some()
            || self.pings.iter().any(|pings| !pings.is_empty())
    }

    /// Takes what `side` said.
    pub(super) fn take(
        &mut self,
        side: Side,
        line: Line,
        headers: Headers,
        track: Track,
        is_holed: bool,
        out: &mut Out,
    ) {
        match line.speaker() {
            // Entered in the middle, who is who may have been guessed.
            Speaker::Client => self.client = side,
            Speaker::Server => self.client = side.other(),
            Speaker::Either => {}
        }
        if side != self.client && !matches!(line, Line::Error(_) | Line::Ok) {
            self.connected(out);
        }
        match line {
            Line::Info(info) => {
                out.exchanges.push(describe::one_way(describe::info(self.client, info), side, track));
            }
            Line::Connect(connect) => self.connect(connect, track, out),
            Line::Publish(publish) if side == self.client => {
                self.published(publish, headers, track, is_holed, out);
            }
            Line::Publish(publish) => self.delivered(publish, headers, track, is_holed, out),
            Line::Subscribe { subject, queue, sid } => {
                let mut exchange = describe::begin(side, "SUB", Kind::Unary);
                exchange.attribute("nats.sid", &*sid);
                if let Some(queue) = queue {
                    exchange.attribute("messaging.consumer.group.name", queue);
                }
                exchange.target.clone_from(&subject);
                exchange.endpoint = super::parse::endpoint(&subject);
                if subject.starts_with("_INBOX.") {
                    if self.inboxes.len() >= MOST_INBOXES {
                        self.inboxes.remove(0);
                    }
                    self.inboxes.push((sid, subject));
                }
                self.said(exchange, track, out);
            }
            Line::Unsubscribe { sid, max } => {
                let mut exchange = describe::begin(side, "UNSUB", Kind::Unary);
                if max.is_none() {
                    self.inboxes.retain(|(known, _)| *known != sid);
                }
                exchange.attribute("nats.sid", sid);
                self.said(exchange, track, out);
            }
            Line::Ping => self.ping(side, track, out),
            Line::Pong => self.pong(side, track, out),
            Line::Ok => self.verdict(Verdict { track, error: None }, out),
            Line::Error(words) => self.verdict(Verdict { track, error: Some(words) }, out),
        }
    }

    /// The server goes on: a CONNECT that it did not refuse was taken.
    fn connected(&mut self, out: &mut Out) {
        if let Some(exchange) = self.connect.take() {
            out.exchanges.push(*exchange);
        }
    }

    fn connect(&mut self, connect: Connect, track: Track, out: &mut Out) {
        self.verbose = Some(connect.verbose);
        let exchange = describe::connect(self.client, connect);
        if self.verbose == Some(true) {
            return self.said(exchange, track, out);
        }
        self.connected(out);
        self.connect = Some(Box::new(describe::one_way(exchange, self.client, track)));
    }

    /// The client said something that is answered if it is verbose.
    fn said(&mut self, mut exchange: Exchange, track: Track, out: &mut Out) {
        if self.verbose != Some(true) {
            out.exchanges.push(describe::one_way(exchange, self.client, track));
            return;
        }
        exchange.request = Some(Message::bare(track.clone()));
        self.line_up(Asked { track, exchange: Some(Box::new(exchange)) }, out);
    }

    fn line_up(&mut self, asked: Asked, out: &mut Out) {
        let client = self.client;
        self.lineup.ask(asked, self.pending_calls as usize, &mut |met| tell(client, met, out));
    }

    /// +OK or -ERR.
    fn verdict(&mut self, verdict: Verdict, out: &mut Out) {
        if verdict.error.is_none() {
            self.verbose = Some(true);
        } else if let Some(mut exchange) = self.connect.take() {
            describe::error(&mut exchange, verdict.error.unwrap_or_default());
            exchange.response = Some(Message::bare(verdict.track));
            out.exchanges.push(*exchange);
            return;
        } else if self.lineup.front().is_none() {
            let mut exchange = describe::begin(self.client, "-ERR", Kind::Message);
            describe::error(&mut exchange, verdict.error.unwrap_or_default());
            exchange.complete = true;
            exchange.response = Some(Message::bare(verdict.track));
            out.exchanges.push(exchange);
            return;
        }
        let client = self.client;
        self.lineup.answer(verdict, &mut |met| tell(client, met, out));
    }

    fn published(&mut self, publish: Publish, headers: Headers, track: Track, is_holed: bool, out: &mut Out) {
        let mut exchange = describe::publish(self.client, &publish, headers, false);
        if is_holed {
            describe::holed(&mut exchange);
        }
        let Some(reply) = publish.reply else { return self.said(exchange, track, out) };
        if self.verbose == Some(true) {
            self.line_up(Asked { track: track.clone(), exchange: None }, out);
        }
        exchange.kind = if exchange.target.starts_with(PULLS) { Kind::LongPoll } else { Kind::Unary };
        exchange.request = Some(Message::bare(track));
        if self.requests.len() >= self.pending_calls as usize {
            let at = exchange.started();
            self.replies.remove(0);
            let oldest = self.requests.remove(0);
            self.unanswered(oldest, End::Evicted, at, out);
        }
        self.replies.push(stable_hash(&[reply.as_bytes()]));
        self.requests.push(Request { reply, exchange: Box::new(exchange), given_up: None });
    }

    fn delivered(&mut self, publish: Publish, headers: Headers, track: Track, is_holed: bool, out: &mut Out) {
        if let Some(request) = self.find(&publish.subject) {
            let Request { mut exchange, given_up, .. } = request;
            describe::well(&mut exchange);
            if let Some((code, words)) = headers.status {
                describe::status(&mut exchange, code, words);
            }
            exchange.complete = true;
            if given_up.is_some() {
                exchange.revision = 1;
                exchange.note("late");
            }
            if is_holed {
                describe::holed(&mut exchange);
            }
            exchange.response = Some(Message::bare(track));
            out.exchanges.push(*exchange);
            return;
        }
        self.pulled(&publish, out);
        let mut exchange = describe::publish(self.client, &publish, headers, true);
        let error = exchange.error.take();
        let mut exchange = describe::one_way(exchange, self.client.other(), track);
        exchange.error = error;
        if is_holed {
            describe::holed(&mut exchange);
        }
        out.exchanges.push(exchange);
    }

    /// Takes out the request that a message to this subject answers.
    fn find(&mut self, subject: &str) -> Option<Request> {
        if self.requests.is_empty() {
            return None;
        }
        let hash = stable_hash(&[subject.as_bytes()]);
        let same = |(at, _): &(usize, &u64)| self.requests[*at].reply == subject;
        let (at, _) = self.replies.iter().enumerate().filter(|(_, reply)| **reply == hash).find(same)?;
        Some(self.remove(at))
    }

    fn remove(&mut self, at: usize) -> Request {
        self.replies.remove(at);
        let request = self.requests.remove(at);
        if self.requests.is_empty() {
            // A million connections may be idle.
            self.replies = Vec::new();
            self.requests = Vec::new();
        }
        request
    }

    /// A message came on the subscription that a pull has for its reply: the pull was answered, by many perhaps.
    fn pulled(&mut self, publish: &Publish, out: &mut Out) {
        let Some(sid) = &publish.sid else { return };
        let Some((_, inbox)) = self.inboxes.iter().find(|(known, _)| known == sid) else { return };
        let Some(at) = self.requests.iter().position(|request| request.reply == *inbox) else { return };
        let mut request = self.remove(at);
        if request.given_up.is_none() {
            describe::well(&mut request.exchange);
            request.exchange.complete = true;
            request.exchange.note("answered_by_messages");
            out.exchanges.push(*request.exchange);
        }
    }

    fn ping(&mut self, side: Side, track: Track, out: &mut Out) {
        let pings = &mut self.pings[side.index()];
        pings.push_back(track);
        if pings.len() > MOST_PINGS
            && let Some(oldest) = pings.pop_front()
        {
            let mut exchange = self.pinged(side, oldest);
            let at = exchange.observed_until();
            End::Evicted.close(&mut exchange, at);
            out.exchanges.push(exchange);
        }
    }

    fn pinged(&self, side: Side, track: Track) -> Exchange {
        let mut exchange = describe::begin(side, "PING", Kind::Probe);
        exchange.request = Some(Message::bare(track));
        exchange
    }

    fn pong(&mut self, side: Side, track: Track, out: &mut Out) {
        let asker = side.other();
        let at = track.first.at;
        let pings = &mut self.pings[asker.index()];
        let sent = pings.iter().take_while(|ping| ping.first.at <= at).count();
        // Where answers may have been lost, this one is the latest ping's.
        let lost =
            if std::mem::take(&mut self.pings_exposed[asker.index()]) { sent.saturating_sub(1) } else { 0 };
        let lost: Vec<Track> = pings.drain(..lost).collect();
        let answered = if sent > 0 { pings.pop_front() } else { None };
        for ping in lost {
            let mut exchange = self.pinged(asker, ping);
            describe::holed(&mut exchange);
            out.exchanges.push(exchange);
        }
        let mut exchange = match answered {
            Some(ping) => self.pinged(asker, ping),
            None => {
                let mut exchange = describe::begin(asker, "PING", Kind::Probe);
                exchange.note("mid_stream");
                exchange
            }
        };
        exchange.status = Some("PONG".to_owned());
        exchange.outcome = Outcome::Ok;
        exchange.complete = true;
        exchange.response = Some(Message::bare(track));
        out.exchanges.push(exchange);
    }

    /// Bytes of `side` were lost.
    pub(super) fn gap(&mut self, side: Side) {
        self.pings_exposed[side.other().index()] |= !self.pings[side.other().index()].is_empty();
        if side == self.client {
            self.lineup.requests_lost();
        } else {
            // Messages stand between verdicts: which of them was hit nobody knows.
            self.lineup.responses_lost(false);
            self.requests_exposed |= !self.requests.is_empty();
        }
    }

    /// The server was heard.
    pub(super) fn heard(&mut self, at: Timestamp) {
        self.lineup.heard(at);
    }

    pub(super) fn end(&mut self, server: Option<Side>, why: End, at: Timestamp, out: &mut Out) {
        for side in [Side::A, Side::B] {
            // Who has closed its half answers nothing more.
            if server == Some(side) {
                continue;
            }
            for ping in std::mem::take(&mut self.pings[side.index()]) {
                let mut exchange = self.pinged(side, ping);
                if self.pings_exposed[side.index()] {
                    describe::holed(&mut exchange);
                } else {
                    why.close(&mut exchange, at);
                }
                out.exchanges.push(exchange);
            }
        }
        if server == Some(self.client) {
            return;
        }
        self.connected(out);
        let client = self.client;
        self.lineup.close(why, at, &mut |met| tell(client, met, out));
        self.replies = Vec::new();
        for request in std::mem::take(&mut self.requests) {
            self.unanswered(request, why, at, out);
        }
    }

    /// A request without a reply. Unless the client listens for it here, it may go elsewhere.
    fn unanswered(&self, request: Request, why: End, at: Timestamp, out: &mut Out) {
        let Request { reply, mut exchange, given_up } = request;
        if given_up.is_some() {
            return;
        }
        if self.requests_exposed {
            describe::holed(&mut exchange);
        } else if self.inboxes.iter().any(|(_, inbox)| covers(inbox, &reply)) {
            why.close(&mut exchange, at);
        } else {
            exchange.outcome = Outcome::OneWay;
            exchange.complete = true;
        }
        out.exchanges.push(*exchange);
    }

    pub(super) fn tick(&mut self, now: Timestamp, out: &mut Out) {
        let wait = Duration::from_millis(u64::from(self.response_wait_ms));
        let client = self.client;
        self.lineup.tick(now, wait, |_| false, &mut |met| tell(client, met, out));
        for at in 0..self.requests.len() {
            let request = &self.requests[at];
            if request.given_up.is_none() && now.since(request.exchange.observed_until()) >= wait {
                let copy = Request {
                    reply: request.reply.clone(),
                    exchange: request.exchange.clone(),
                    given_up: None,
                };
                self.unanswered(copy, End::TimedOut, now, out);
                self.requests[at].given_up = Some(now);
            }
        }
        while self
            .requests
            .first()
            .and_then(|first| first.given_up)
            .is_some_and(|gone| now.since(gone) >= wait)
        {
            self.remove(0);
        }
        for side in [Side::A, Side::B] {
            while self.pings[side.index()].front().is_some_and(|ping| now.since(ping.last.at) >= wait)
                && let Some(ping) = self.pings[side.index()].pop_front()
            {
                let mut exchange = self.pinged(side, ping);
                End::TimedOut.close(&mut exchange, now);
                out.exchanges.push(exchange);
            }
        }
    }

    pub(super) fn open(&self, out: &mut Out) {
        let said = self.lineup.pending().filter_map(|asked| asked.exchange.as_deref());
        let requests = self.requests.iter().filter(|request| request.given_up.is_none());
        let mut open: Vec<Exchange> =
            said.chain(requests.map(|request| &*request.exchange)).cloned().collect();
        for side in [Side::A, Side::B] {
            open.extend(self.pings[side.index()].iter().map(|ping| self.pinged(side, ping.clone())));
        }
        out.exchanges.extend(open.into_iter().map(|mut exchange| {
            exchange.outcome = Outcome::Open;
            exchange
        }));
    }
}

/// Tells what became of what a verbose client said.
fn tell(client: Side, met: Met<Asked, Verdict>, out: &mut Out) {
    let mut exchange = match met {
        Met::Pair { asked: Asked { exchange: None, .. }, answer: Verdict { error: None, .. }, .. } => return,
        Met::Pair { asked, answer, late } => {
            // A request that was refused is heard of as a message of its own.
            let mut exchange =
                asked.exchange.unwrap_or_else(|| Box::new(describe::begin(client, "-ERR", Kind::Message)));
            conclude(&mut exchange, answer);
            if late {
                exchange.revision = 1;
                exchange.note("late");
            }
            exchange
        }
        Met::Alone { answer, lost } => {
            let mut exchange = Box::new(describe::begin(client, "", Kind::Unary));
            conclude(&mut exchange, answer);
            if lost {
                describe::holed(&mut exchange);
            } else {
                exchange.note("mid_stream");
            }
            exchange
        }
        Met::Lost(asked) => {
            let Some(mut exchange) = asked.exchange else { return };
            describe::holed(&mut exchange);
            exchange
        }
        Met::Unanswered { asked, why, at } => {
            let Some(mut exchange) = asked.exchange else { return };
            why.close(&mut exchange, at);
            exchange
        }
    };
    exchange.client = client;
    out.exchanges.push(*exchange);
}

fn conclude(exchange: &mut Exchange, verdict: Verdict) {
    match verdict.error {
        None => describe::well(exchange),
        Some(words) => describe::error(exchange, words),
    }
    exchange.complete = true;
    exchange.response = Some(Message::bare(verdict.track));
}

/// Whether a subscription hears a subject: `*` stands for one part, `>` for all that follow.
fn covers(subscription: &str, subject: &str) -> bool {
    let mut parts = subject.split('.');
    for wanted in subscription.split('.') {
        match (wanted, parts.next()) {
            (">", Some(_)) => return true,
            (_, None) => return false,
            ("*", Some(_)) => {}
            (wanted, Some(part)) if wanted == part => {}
            (_, Some(_)) => return false,
        }
    }
    parts.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::covers;

    #[test]
    fn subscriptions_cover_what_their_wildcards_say() {
        for (subscription, subject, expected) in [
            ("_INBOX.a.*", "_INBOX.a.1", true),
            ("_INBOX.a.*", "_INBOX.a.1.2", false),
            ("_INBOX.a.>", "_INBOX.a.1.2", true),
            ("_INBOX.a", "_INBOX.a", true),
            ("_INBOX.a", "_INBOX.b", false),
            ("_INBOX.a.*", "_INBOX.a", false),
        ] {
            assert_eq!(covers(subscription, subject), expected, "{subscription} {subject}");
        }
    }
}
