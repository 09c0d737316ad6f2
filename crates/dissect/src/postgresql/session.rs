//! Both sides of a session, message by message.

use std::sync::Arc;

use wirewise_model::{Exchange, Kind, Limits, Mark, Message, Outcome, Reason, Side, Timestamp, Track};

use super::cycle::{self, Cycle};
use super::parse::{
    self, HEADER, Header, Look, Startup, chain, fields, last_messages, parameters, startup, text,
};
use super::statements::Statements;
use crate::pending::Fifo;
use crate::statement::{self, Backslash, Dialect, Grammar, Quotes};
use crate::{End, Fed, Input, Out, Stream, Verdict};

/// Passed over in search of a message.
const OUT_OF_STEP: Reason = Reason::loss("postgresql_out_of_step");
/// The session is encrypted by GSSAPI from here on.
const GSS_ENCRYPTED: Reason = Reason::skip("gss_encrypted");
/// Bytes of a message that are looked at, but for statements; the rest is counted.
const LOOKED_AT: usize = 8 << 10;

pub(super) fn open(limits: &Limits, client: Side) -> Box<dyn Stream> {
    Box::new(Postgres {
        client,
        longest_text: u32::try_from(limits.header_bytes).unwrap_or(u32::MAX),
        asking: At::Message,
        answering: At::Message,
        fifo: Fifo::new(limits),
        memory: None,
        backslash: Backslash::Unknown,
        negotiating: None,
        begun: false,
        holed: false,
        heard: Timestamp::MIN,
    })
}

/// Where a side stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Before a message.
    Message,
    /// In one, of which so many bytes are still to come.
    Body { left: u32, then: Then },
    /// Out of step.
    Lost,
}

/// What the end of a message means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Then {
    /// Nothing more.
    Nothing,
    /// A part of the call.
    Part,
    /// Data of the call that is being answered: of a COPY, or what proves who the client is.
    Data,
    /// The request is whole.
    Asked,
}

/// What a session keeps when nothing is under way.
#[derive(Debug, Default)]
struct Memory {
    statements: Statements,
    database: Option<Box<str>>,
}

struct Postgres {
    client: Side,
    longest_text: u32,
    asking: At,
    answering: At,
    fifo: Fifo<Cycle>,
    memory: Option<Box<Memory>>,
    backslash: Backslash,
    /// The server will answer with one byte whether the session is encrypted, and how.
    negotiating: Option<Box<Exchange>>,
    /// Messages of a call have come, and not the one that closes its request.
    begun: bool,
    /// Bytes of that call were lost. Its Sync may have been among them, or not: what goes on as it did is taken for the
    /// same call, for a call too many would give every later answer to a wrong one.
    holed: bool,
    heard: Timestamp,
}

enum Step {
    Used(usize),
    Wait,
    Leave(usize, Verdict),
}

impl Postgres {
    fn memory(&mut self) -> &mut Memory {
        self.memory.get_or_insert_default()
    }

    /// One message of the client, or the beginning of one.
    fn ask(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let bytes = input.bytes;
        if bytes[0] == 0 {
            return match startup(bytes) {
                Look::Found((length, asked)) => {
                    let mut track = input.begin(0);
                    input.cover(&mut track, 0..length);
                    self.start(asked, track, out);
                    Step::Used(length)
                }
                Look::NeedMore => Step::Wait,
                Look::No => self.lose_step(true, out),
            };
        }
        let header = match parse::header(bytes, true) {
            Look::Found(header) => header,
            Look::NeedMore => return Step::Wait,
            Look::No => return self.lose_step(true, out),
        };
        let needed = match header.kind {
            b'Q' | b'P' => header.length.min(self.longest_text) as usize,
            b'B' | b'D' | b'C' | b'E' => (header.length as usize).min(LOOKED_AT),
            _ => 0,
        };
        let Some(body) = bytes.get(HEADER..HEADER + needed) else { return Step::Wait };
        let used = HEADER + body.len();
        let left = header.length - body.len() as u32;
        let then = self.request(header, body, input, used, out);
        if left > 0 {
            self.asking = At::Body { left, then };
        } else if then == Then::Asked {
            self.request_done(out);
        }
        Step::Used(used)
    }

    /// A message without type: the session begins, or something before it.
    fn start(&mut self, asked: Startup<'_>, track: Track, out: &mut Out) {
        let message = |operation: &str, kind| {
            let mut exchange = cycle::begin(self.client).exchange;
            exchange.operation = operation.to_owned();
            exchange.kind = kind;
            exchange.request = Some(Message::bare(track.clone()));
            Box::new(exchange)
        };
        match asked {
            Startup::Ssl => self.negotiating = Some(message("ssl_request", Kind::Session)),
            Startup::GssEnc => self.negotiating = Some(message("gssenc_request", Kind::Session)),
            Startup::Cancel => {
                let mut exchange = message("cancel_request", Kind::Message);
                exchange.outcome = Outcome::OneWay;
                exchange.complete = true;
                out.exchanges.push(*exchange);
            }
            Startup::Session { minor, parameters: given } => {
                let mut turn = cycle::begin(self.client);
                let exchange = &mut turn.exchange;
                exchange.kind = Kind::Session;
                exchange.operation = "startup".to_owned();
                exchange.attribute("network.protocol.version", format!("3.{minor}"));
                let (mut user, mut database) = (None, None);
                for (name, value) in parameters(given) {
                    let value = || String::from_utf8_lossy(&value[..value.len().min(128)]).into_owned();
                    match name {
                        b"user" => user = Some(value()),
                        b"database" => database = Some(value()),
                        b"application_name" => exchange.attribute("pgsql.application_name", value()),
                        b"replication" => exchange.attribute("pgsql.replication", value()),
                        _ => {}
                    }
                }
                // The server takes the user's name where none is given.
                let database = database.or_else(|| user.clone());
                if let Some(user) = user {
                    exchange.attribute("user.name", user);
                }
                if let Some(database) = database {
                    exchange.target.clone_from(&database);
                    exchange.attribute("db.namespace", database.as_str());
                    self.memory().database = Some(database.into());
                }
                turn.exchange.request = Some(Message::bare(track));
                turn.own.startup = true;
                turn.asked = true;
                self.fifo.ask(turn, out);
                self.fifo.asked(out);
                self.begun = false;
            }
        }
    }

    /// A message of the client, as far as it is looked at.
    fn request(&mut self, header: Header, body: &[u8], input: Input<'_>, used: usize, out: &mut Out) -> Then {
        match header.kind {
            b'X' => {
                let mut exchange = cycle::begin(self.client).exchange;
                exchange.operation = "terminate".to_owned();
                exchange.kind = Kind::Message;
                exchange.outcome = Outcome::OneWay;
                exchange.complete = true;
                let mut track = input.begin(0);
                input.cover(&mut track, 0..used);
                exchange.request = Some(Message::bare(track));
                out.exchanges.push(exchange);
                return Then::Nothing;
            }
            // Flush asks for nothing of its own. Passwords and SASL belong to the session's begin.
            b'H' if !self.begun => return Then::Nothing,
            b'p' | b'd' | b'c' | b'f' => {
                if let Some(turn) = self.fifo.front() {
                    if let Some(request) = &mut turn.exchange.request {
                        input.cover(&mut request.track, 0..used);
                    }
                    turn.own.resync |=
                        turn.own.extended && turn.own.copy_in && matches!(header.kind, b'c' | b'f');
                }
                return Then::Data;
            }
            _ => {}
        }
        if header.kind == b'S'
            && !self.begun
            && let Some(turn) = self.fifo.front().filter(|turn| turn.own.resync)
        {
            turn.own.resync = false;
            if let Some(request) = &mut turn.exchange.request {
                input.cover(&mut request.track, 0..used);
            }
            return Then::Nothing;
        }
        if self.holed {
            let answered = self.fifo.asking().is_none_or(|turn| turn.exchange.response.is_some());
            self.begun &= header.kind != b'Q' && !answered;
        }
        if !self.begun {
            self.holed = false;
            let mut turn = cycle::begin(self.client);
            turn.exchange.request = Some(Message::bare(input.begin(0)));
            if let Some(database) = self.memory.as_ref().and_then(|memory| memory.database.as_deref()) {
                turn.exchange.attribute("db.namespace", database);
            }
            self.fifo.ask(turn, out);
            self.begun = true;
        }
        let statements = &mut self.memory.get_or_insert_default().statements;
        let Some(turn) = self.fifo.asking() else { return Then::Nothing };
        if let Some(request) = &mut turn.exchange.request {
            input.cover(&mut request.track, 0..used);
        }
        turn.own.extended |= header.kind != b'Q';
        let cut = body.len() < header.length as usize;
        let grammar = Grammar { dialect: Dialect::Postgres, backslash: self.backslash, cut };
        match header.kind {
            b'Q' => {
                let query = text(body).map_or(body, |(query, _)| query);
                cycle::execute(turn, &Arc::new(statement::read(query, grammar)));
                if cut {
                    turn.exchange.note("statement_cut");
                }
            }
            b'P' => {
                if let Some((name, rest)) = text(body) {
                    let query = text(rest).map_or(rest, |(query, _)| query);
                    let statement = Arc::new(statement::read(query, grammar));
                    cycle::touch(turn, "parse", Some(&statement));
                    statements.prepare(name, statement);
                }
            }
            b'B' => {
                if let Some((portal, rest)) = text(body)
                    && let Some((name, _)) = text(rest)
                {
                    statements.bind(portal, name);
                    cycle::touch(turn, "bind", statements.bound(portal));
                }
            }
            b'D' => {
                if let Some((b'S', rest)) = body.split_first()
                    && let Some((name, _)) = text(rest)
                {
                    cycle::touch(turn, "describe", statements.get(name));
                }
            }
            b'C' => {
                if let Some((kind, rest)) = body.split_first()
                    && let Some((name, _)) = text(rest)
                {
                    if *kind == b'S' {
                        statements.close(name)
                    } else {
                        statements.close_portal(name)
                    }
                    cycle::touch(turn, "close", None);
                }
            }
            b'E' => match text(body).and_then(|(portal, _)| statements.bound(portal)) {
                Some(statement) => cycle::execute(turn, statement),
                None => cycle::execute_unseen(turn),
            },
            b'F' => cycle::touch(turn, "function_call", None),
            b'S' => cycle::touch(turn, "sync", None),
            _ => {}
        }
        if matches!(header.kind, b'Q' | b'S' | b'F') { Then::Asked } else { Then::Part }
    }

    fn request_done(&mut self, out: &mut Out) {
        self.begun = false;
        self.fifo.asked(out);
    }

    /// One message of the server, or the beginning of one.
    fn answer(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let bytes = input.bytes;
        if self.negotiating.is_some() && bytes[0] != b'E' {
            return self.negotiated(input, out);
        }
        let header = match parse::header(bytes, false) {
            Look::Found(header) => header,
            Look::NeedMore => return Step::Wait,
            Look::No => return self.lose_step(false, out),
        };
        let needed = match header.kind {
            b'C' | b'E' | b'N' | b'A' | b'S' | b'Z' => (header.length as usize).min(LOOKED_AT),
            b'R' => 4,
            _ => 0,
        };
        let Some(body) = bytes.get(HEADER..HEADER + needed) else { return Step::Wait };
        let used = HEADER + body.len();
        let left = header.length - body.len() as u32;
        let then = self.response(header, body, input, used, out);
        if left > 0 {
            self.answering = At::Body { left, then };
        }
        Step::Used(used)
    }

    /// The byte that says whether the session will be encrypted.
    fn negotiated(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let Some(mut exchange) = self.negotiating.take() else { return Step::Used(0) };
        let mut track = input.begin(0);
        input.cover(&mut track, 0..1);
        exchange.response = Some(Message::bare(track));
        exchange.complete = true;
        exchange.outcome = Outcome::Ok;
        let verdict = match (input.bytes[0], &*exchange.operation) {
            (b'S', "ssl_request") => Verdict::Upgrade(Some("tls")),
            (b'G', "gssenc_request") => Verdict::GiveUp(GSS_ENCRYPTED),
            (b'N', _) => Verdict::Continue,
            _ => {
                exchange.note("malformed");
                Verdict::GiveUp(OUT_OF_STEP)
            }
        };
        exchange.status = Some(match input.bytes[0] {
            b'S' | b'G' => "accepted".to_owned(),
            _ => "refused".to_owned(),
        });
        out.exchanges.push(*exchange);
        match verdict {
            Verdict::Continue => Step::Used(1),
            Verdict::Upgrade(_) | Verdict::GiveUp(_) => Step::Leave(1, verdict),
        }
    }

    fn response(
        &mut self,
        header: Header,
        body: &[u8],
        input: Input<'_>,
        used: usize,
        out: &mut Out,
    ) -> Then {
        if let Some(mut exchange) = self.negotiating.take() {
            // A server of before encryption: it takes the request for an unknown version.
            let mut track = input.begin(0);
            input.cover(&mut track, 0..used);
            exchange.response = Some(Message::bare(track));
            cycle::fail(&mut exchange, body);
            out.exchanges.push(*exchange);
            return Then::Nothing;
        }
        if header.kind == b'S' {
            self.learn(body);
        }
        let unasked =
            matches!(header.kind, b'A') || (self.fifo.is_idle() && matches!(header.kind, b'N' | b'S' | b'E'));
        if unasked {
            self.unasked(header.kind, body, input, used, out);
            return Then::Nothing;
        }
        let at = input.mark(0).at;
        self.fifo.in_step(at, out);
        let client = self.client;
        let turn = self.fifo.answering(at, || cycle::begin(client));
        let Some(turn) = turn else {
            if header.kind == b'Z' {
                self.fifo.answered(out);
            }
            return Then::Nothing;
        };
        let response = turn.exchange.response.get_or_insert_with(|| Message::bare(input.begin(0)));
        input.cover(&mut response.track, 0..used);
        match header.kind {
            b'C' => cycle::complete(turn, body),
            b'E' => cycle::fail(&mut turn.exchange, body),
            b'Z' => {
                cycle::finish(turn, body.first());
                self.fifo.answered(out);
            }
            b'N' => turn.exchange.note("notice"),
            b'I' if turn.exchange.outcome == Outcome::Unknown => turn.exchange.outcome = Outcome::Ok,
            b's' => turn.exchange.note("portal_suspended"),
            b'G' => {
                turn.own.copy_in = true;
                turn.exchange.kind = Kind::Stream;
            }
            b'H' => turn.exchange.kind = Kind::Stream,
            b'W' => {
                turn.exchange.kind = Kind::Stream;
                turn.exchange.note("replication");
            }
            b'R' => authentication(&mut turn.exchange, body),
            b'S' if turn.own.startup => {
                if let Some((b"server_version", rest)) = text(body)
                    && let Some((version, _)) = text(rest)
                {
                    turn.exchange
                        .attribute("pgsql.server_version", String::from_utf8_lossy(version).into_owned());
                }
            }
            _ => {}
        }
        Then::Part
    }

    /// What the server says of the session.
    fn learn(&mut self, body: &[u8]) {
        if let Some((b"standard_conforming_strings", rest)) = text(body) {
            self.backslash = match text(rest) {
                Some((b"on", _)) => Backslash::Plain,
                Some((b"off", _)) => Backslash::Escapes,
                Some(_) | None => Backslash::Unknown,
            };
        }
    }

    /// What the server says unasked: a call of one message.
    fn unasked(&mut self, kind: u8, body: &[u8], input: Input<'_>, used: usize, out: &mut Out) {
        let mut exchange = cycle::begin(self.client).exchange;
        exchange.kind = Kind::Message;
        exchange.outcome = Outcome::OneWay;
        exchange.complete = true;
        let mut track = input.begin(0);
        input.cover(&mut track, 0..used);
        exchange.response = Some(Message::bare(track));
        match kind {
            b'A' => {
                exchange.operation = "notification".to_owned();
                let channel = body.get(4..).and_then(text).map(|(channel, _)| channel);
                exchange.target =
                    channel.map(|channel| String::from_utf8_lossy(channel).into_owned()).unwrap_or_default();
            }
            b'N' => {
                exchange.operation = "notice".to_owned();
                let message = fields(body).find(|(name, _)| *name == b'M');
                exchange.target =
                    message.map(|(_, message)| statement::scrub(message, Quotes::Values)).unwrap_or_default();
            }
            b'S' => {
                exchange.operation = "parameter_status".to_owned();
                let name = text(body).map(|(name, _)| String::from_utf8_lossy(name).into_owned());
                exchange.target = name.unwrap_or_default();
            }
            _ => {
                // The server ends the session: it is shut down, or tired of waiting.
                exchange.operation = "error".to_owned();
                cycle::fail(&mut exchange, body);
            }
        }
        if let Some(database) = self.memory.as_ref().and_then(|memory| memory.database.as_deref()) {
            exchange.attribute("db.namespace", database);
        }
        out.exchanges.push(exchange);
    }

    /// What comes is no message.
    fn lose_step(&mut self, client: bool, out: &mut Out) -> Step {
        if client {
            self.asking = At::Lost;
            self.begun &= self.fifo.asking().is_some_and(|turn| turn.own.extended);
            self.holed = self.begun;
            self.fifo.requests_lost(self.heard, out);
        } else {
            self.answering = At::Lost;
            self.fifo.answers_lost(out);
        }
        Step::Used(0)
    }

    /// Out of step: a segment that begins with messages, or of the server ends with the end of an answer.
    fn find_feet(&mut self, input: Input<'_>, fresh: bool, client: bool, out: &mut Out) -> Step {
        let bytes = input.bytes;
        let begins = |chain: parse::Chain| chain.sure || chain.whole >= 2;
        let place = match chain(bytes, client) {
            Some(chain) if fresh && begins(chain) => Some(0),
            Some(_) | None if client => None,
            Some(_) | None => last_messages(bytes),
        };
        let skipped = place.unwrap_or(bytes.len());
        out.skip(OUT_OF_STEP, skipped as u64);
        if place.is_some() {
            *(if client { &mut self.asking } else { &mut self.answering }) = At::Message;
        }
        Step::Used(skipped)
    }

    fn body(&mut self, input: Input<'_>, client: bool, left: u32, then: Then, out: &mut Out) -> Step {
        let used = input.bytes.len().min(left as usize);
        let turn = match (client, then) {
            (_, Then::Nothing) => None,
            (true, Then::Part | Then::Asked) => self.fifo.asking(),
            (true, Then::Data) => self.fifo.front(),
            (false, Then::Part | Then::Asked | Then::Data) => {
                let client = self.client;
                self.fifo.answering(input.mark(0).at, || cycle::begin(client))
            }
        };
        if let Some(turn) = turn {
            let message = if client { &mut turn.exchange.request } else { &mut turn.exchange.response };
            let message = message.get_or_insert_with(|| Message::bare(input.begin(0)));
            input.cover(&mut message.track, 0..used);
        }
        let left = left - used as u32;
        let at = if left > 0 { At::Body { left, then } } else { At::Message };
        if client {
            self.asking = at;
            if left == 0 && then == Then::Asked {
                self.request_done(out);
            }
        } else {
            self.answering = at;
        }
        Step::Used(used)
    }
}

/// How a client has to prove who it is.
fn authentication(exchange: &mut Exchange, body: &[u8]) {
    let Some(kind) = body.first_chunk().map(|kind| u32::from_be_bytes(*kind)) else { return };
    let kind = match kind {
        2 => "kerberos",
        3 => "cleartext",
        5 => "md5",
        6 => "scm",
        7 => "gss",
        9 => "sspi",
        10 => "sasl",
        _ => return,
    };
    exchange.attribute("pgsql.authtype", kind);
    if kind == "cleartext" {
        exchange.note("cleartext_password");
    }
}

impl Stream for Postgres {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let client = input.side == self.client;
        self.heard = self.heard.max(input.mark(0).at);
        let mut at = 0;
        while at < input.bytes.len() {
            let rest = input.skip(at);
            let place = if client { self.asking } else { self.answering };
            let step = match place {
                At::Message if client => self.ask(rest, out),
                At::Message => self.answer(rest, out),
                At::Body { left, then } => self.body(rest, client, left, then, out),
                At::Lost => self.find_feet(rest, at == 0, client, out),
            };
            match step {
                Step::Used(used) => at += used,
                Step::Wait => break,
                Step::Leave(used, verdict) => return Fed { consumed: at + used, verdict },
            }
        }
        Fed::go_on(at)
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        let client = side == self.client;
        let place = if client { &mut self.asking } else { &mut self.answering };
        if let At::Body { left, then } = place
            && let Some(rest) = u64::from(*left).checked_sub(len)
        {
            let then = *then;
            *place = if rest > 0 { At::Body { left: rest as u32, then } } else { At::Message };
            if then != Then::Nothing {
                let last = client && then != Then::Data;
                let turn = if last { self.fifo.asking() } else { self.fifo.front() };
                if let Some(turn) = turn {
                    turn.holed();
                }
            }
            if client && rest == 0 && then == Then::Asked {
                self.request_done(out);
            }
            return Verdict::Continue;
        }
        if !client && let Some(mut exchange) = self.negotiating.take() {
            // Whether what follows is encrypted is shown by what follows.
            exchange.note("gap");
            out.exchanges.push(*exchange);
            self.fifo.abandon("gap", out);
            return Verdict::Upgrade(None);
        }
        self.lose_step(client, out);
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        let at = last.at;
        if side == Some(self.client) && why == End::Fin {
            return;
        }
        if let Some(mut exchange) = self.negotiating.take() {
            why.close(&mut exchange, at);
            out.exchanges.push(*exchange);
        }
        self.fifo.end(why, at, out);
        self.begun = false;
        if side.is_none() {
            self.memory = None;
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        self.fifo.tick(now, out);
    }

    fn open(&self, out: &mut Out) {
        if let Some(exchange) = &self.negotiating {
            let mut exchange = (**exchange).clone();
            exchange.outcome = Outcome::Open;
            out.exchanges.push(exchange);
        }
        self.fifo.open(out);
    }

    fn waiting(&self) -> bool {
        self.negotiating.is_some() || self.fifo.is_waiting()
    }
}
