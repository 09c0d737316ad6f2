//! Both sides of a session, packet by packet.

use std::sync::Arc;

use wirewise_model::{Exchange, Kind, Limits, Mark, Message, Outcome, Reason, Side, Timestamp};

use super::compress::{self, Algorithm, Frame, OUT_OF_STEP as FRAMES_OUT_OF_STEP};
use super::parse::{self, CONTINUED, HEADER, Header, behind_attributes, can, chain, greeting, header, state};
use super::reply::{self, Command, Expect, Reply};
use super::{command, probe};
use crate::inner::Inner;
use crate::pending::{Fifo, Turn};
use crate::statement::{self, Backslash, Dialect, Grammar, Prepared};
use crate::{End, Fed, Input, Out, Stream, Verdict};

/// Passed over in search of a packet.
const OUT_OF_STEP: Reason = Reason::loss("mysql_out_of_step");
/// Bytes of a name that are kept.
const LONGEST_NAME: usize = 128;
/// Bytes of a command that are looked at, but for statements.
const LOOKED_AT: usize = 512;

pub(super) fn open(limits: &Limits, client: Side) -> Box<dyn Stream> {
    Box::new(MySql {
        client,
        longest_text: u32::try_from(limits.header_bytes).unwrap_or(u32::MAX),
        decompressed_bytes: limits.decompressed_bytes.min(limits.undissected_bytes * 4),
        lanes: Default::default(),
        fifo: Fifo::new(limits),
        memory: None,
        backslash: Backslash::Unknown,
        phase: Phase::Unknown,
        attributes: None,
        compression: None,
        agreed: None,
        heard: Timestamp::MIN,
    })
}

/// Where a side stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Before a packet.
    #[default]
    Packet,
    /// In one, of which so many bytes are still to come. `own` says whether they are a part of a call.
    Body { left: u32, own: bool },
    /// Out of step.
    Lost,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lane {
    at: At,
    /// The packet continues the one before, which was as long as packets can be.
    continued: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Entered in the middle, or nothing was heard yet.
    Unknown,
    /// The server has greeted; the client's first packet follows.
    Greeted {
        capabilities: u32,
    },
    Commands,
}

/// What a session keeps when nothing is under way.
#[derive(Debug, Default)]
struct Memory {
    prepared: Prepared,
    schema: Option<Box<str>>,
    version: Option<Box<str>>,
}

struct MySql {
    client: Side,
    longest_text: u32,
    decompressed_bytes: usize,
    /// The client's, the server's.
    lanes: [Lane; 2],
    fifo: Fifo<Command>,
    memory: Option<Box<Memory>>,
    backslash: Backslash,
    phase: Phase,
    /// Whether queries carry attributes; `None` where that was not heard.
    attributes: Option<bool>,
    compression: Option<Box<Compression>>,
    /// Compression that begins when the login is done.
    agreed: Option<Algorithm>,
    heard: Timestamp,
}

#[derive(Debug)]
struct Compression {
    algorithm: Algorithm,
    inner: [Inner; 2],
}

enum Step {
    Used(usize),
    Wait,
    Leave(usize, Verdict),
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(&bytes[..bytes.len().min(LONGEST_NAME)]).into_owned()
}

impl MySql {
    fn begin(client: Side) -> Turn<Command> {
        let mut exchange = Exchange::new("mysql", client);
        exchange.attribute("db.system.name", "mysql");
        Turn::new(exchange, Command::default())
    }

    fn lane(&mut self, client: bool) -> &mut Lane {
        &mut self.lanes[usize::from(!client)]
    }

    fn memory(&mut self) -> &mut Memory {
        self.memory.get_or_insert_default()
    }

    /// One packet of the client, or the beginning of one.
    fn ask(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let Some(packet) = header(input.bytes) else { return Step::Wait };
        let rest = &input.bytes[HEADER..];
        let first = rest.first().copied();
        if packet.length > 0 && first.is_none() {
            return Step::Wait;
        }
        if packet.number == 0 && matches!(self.phase, Phase::Greeted { .. }) {
            // The login was lost: it has the number behind the greeting's.
            self.phase = Phase::Commands;
        }
        let login = matches!(self.phase, Phase::Greeted { .. });
        let begins = packet.number == 0 && !self.lane(true).continued && !login;
        let looks = match first {
            _ if login => packet.length.min(4 * LOOKED_AT as u32),
            Some(0x03 | 0x16) if begins => packet.length.min(self.longest_text),
            Some(_) if begins => packet.length.min(LOOKED_AT as u32),
            Some(_) | None => 0,
        };
        let Some(body) = rest.get(..looks as usize) else { return Step::Wait };
        let used = HEADER + body.len();
        if login {
            return self.log_in(packet, body, input, used, out);
        }
        if begins {
            if packet.length == 0 || command::name(body[0]) == "unknown_command" {
                return self.lose_step(true, out);
            }
            self.conclude(out);
            let own = self.command(packet, body, input, used, out);
            return self.pass(true, packet, body.len(), used, own, out);
        }
        // More of what was asked: a long packet's rest, a file's lines, a proof.
        let continued = self.lane(true).continued;
        let turn = if continued { self.fifo.asking() } else { self.fifo.front() };
        let own = turn.is_some();
        if let Some(turn) = turn {
            turn.own.number = packet.number;
            if let Some(request) = &mut turn.exchange.request {
                input.cover(&mut request.track, 0..used);
            }
        } else if !continued {
            return self.lose_step(true, out);
        }
        self.pass(true, packet, body.len(), used, own, out)
    }

    /// Behind what was looked at of a packet: its rest is counted.
    fn pass(
        &mut self,
        client: bool,
        packet: Header,
        looked_at: usize,
        used: usize,
        own: bool,
        out: &mut Out,
    ) -> Step {
        let left = packet.length - looked_at as u32;
        let lane = self.lane(client);
        lane.continued = packet.length == CONTINUED;
        lane.at = if left > 0 { At::Body { left, own } } else { At::Packet };
        if client && own && left == 0 && packet.length != CONTINUED {
            self.fifo.asked(out);
        }
        Step::Used(used)
    }

    /// The client's first packet.
    fn log_in(&mut self, packet: Header, body: &[u8], input: Input<'_>, used: usize, out: &mut Out) -> Step {
        let Phase::Greeted { capabilities } = self.phase else { return Step::Used(0) };
        let Some(login) = parse::login(body) else { return self.lose_step(true, out) };
        let mut turn = Self::begin(self.client);
        let mut track = input.begin(0);
        input.cover(&mut track, 0..used);
        turn.exchange.request = Some(Message::bare(track));
        turn.exchange.kind = Kind::Session;
        if let Some(version) = self.memory.as_ref().and_then(|memory| memory.version.as_deref()) {
            turn.exchange.attribute("mysql.version", version);
        }
        if login.ssl {
            turn.exchange.operation = "ssl_request".to_owned();
            turn.exchange.outcome = Outcome::OneWay;
            turn.exchange.complete = true;
            out.exchanges.push(turn.exchange);
            return Step::Leave(used, Verdict::Upgrade(Some("tls")));
        }
        let both = capabilities & login.capabilities;
        self.phase = Phase::Commands;
        self.attributes = Some(both & can::QUERY_ATTRIBUTES != 0);
        self.agreed = match () {
            () if both & can::COMPRESS != 0 => Some(Algorithm::Zlib),
            () if both & can::ZSTD != 0 => Some(Algorithm::Zstd),
            () => None,
        };
        turn.exchange.operation = "login".to_owned();
        if !login.user.is_empty() {
            turn.exchange.attribute("user.name", text(login.user));
        }
        if let Some(plugin) = login.plugin {
            turn.exchange.attribute("mysql.client_auth_plugin", text(plugin));
            if plugin == b"mysql_clear_password" {
                turn.exchange.note("cleartext_password");
            }
        }
        if let Some(schema) = login.schema.filter(|schema| !schema.is_empty()) {
            choose(&mut turn, schema);
        }
        turn.own.expect = Expect::Login;
        turn.own.number = packet.number;
        self.fifo.ask(turn, out);
        self.pass(true, packet, body.len(), used, true, out)
    }

    /// A command; says whether it is a call that waits for an answer.
    fn command(&mut self, packet: Header, body: &[u8], input: Input<'_>, used: usize, out: &mut Out) -> bool {
        self.phase = Phase::Commands;
        let (code, rest) = (body[0], &body[1..]);
        let cut = body.len() < packet.length as usize;
        let mut turn = Self::begin(self.client);
        let mut track = input.begin(0);
        input.cover(&mut track, 0..used);
        let Turn { exchange, own, .. } = &mut turn;
        exchange.request = Some(Message::bare(track));
        exchange.operation = command::name(code).to_owned();
        exchange.attribute("mysql.command", command::name(code));
        if self.compression.is_some() {
            exchange.note("compressed");
        }
        if let Some(schema) = self.memory.as_ref().and_then(|memory| memory.schema.as_deref()) {
            exchange.attribute("db.namespace", schema);
        }
        own.number = packet.number;
        match code {
            0x03 | 0x16 => {
                let query = match self.attributes {
                    Some(true) if code == 0x03 => behind_attributes(rest).unwrap_or_default(),
                    None if code == 0x03 && !statement::begins(rest, Dialect::MySql) => {
                        behind_attributes(rest).unwrap_or(rest)
                    }
                    Some(_) | None => rest,
                };
                let grammar = Grammar { dialect: Dialect::MySql, backslash: self.backslash, cut };
                let statement = Arc::new(statement::read(query, grammar));
                tell(exchange, &statement, code == 0x03);
                if cut {
                    exchange.note("statement_cut");
                }
                if statement.operation == "USE" {
                    let schema = query.trim_ascii_start().get(4..).unwrap_or_default();
                    let schema = schema
                        .trim_ascii()
                        .trim_ascii_end()
                        .strip_suffix(b";")
                        .unwrap_or(schema.trim_ascii());
                    own.schema = Some(text(schema).trim_matches('`').into());
                }
                own.statement = Some(statement);
            }
            0x17 | 0x18 | 0x19 | 0x1a | 0x1c | 0xfa => {
                let number = rest.get(..4).unwrap_or_default();
                let known = self.memory.as_ref().and_then(|memory| memory.prepared.get(number));
                let executes = matches!(code, 0x17 | 0xfa);
                match known {
                    Some(statement) => {
                        tell(exchange, statement, executes);
                        own.statement = Some(Arc::clone(statement));
                    }
                    None if executes => exchange.note("statement_not_seen"),
                    None => {}
                }
                if code == 0x19
                    && let Some(memory) = &mut self.memory
                {
                    memory.prepared.remove(number);
                }
            }
            0x02 | 0x05 | 0x06 => {
                exchange.target = text(rest);
                if code == 0x02 {
                    own.schema = Some(text(rest).into());
                }
            }
            0x04 => exchange.target = text(parse::Fields(rest).last_text()),
            0x11 => {
                exchange.kind = Kind::Session;
                if let Some((user, schema)) = parse::change_user(rest) {
                    exchange.attribute("user.name", text(user));
                    if !schema.is_empty() {
                        choose(&mut turn, schema);
                    }
                }
            }
            0x0e => exchange.kind = Kind::Probe,
            0x12 | 0x1e => exchange.kind = Kind::Stream,
            _ => {}
        }
        match command::answer(code) {
            Some(expect) => {
                turn.own.expect = expect;
                self.fifo.ask(turn, out);
                true
            }
            None => {
                let exchange = &mut turn.exchange;
                exchange.kind = Kind::Message;
                exchange.outcome = Outcome::OneWay;
                exchange.complete = true;
                out.exchanges.push(turn.exchange);
                false
            }
        }
    }

    /// One packet of the server, or the beginning of one.
    fn answer(&mut self, input: Input<'_>, out: &mut Out) -> Step {
        let Some(packet) = header(input.bytes) else { return Step::Wait };
        let rest = &input.bytes[HEADER..];
        if packet.length > 0 && rest.is_empty() {
            return Step::Wait;
        }
        let first = rest.first().copied().unwrap_or(0);
        if self.phase == Phase::Unknown && packet.number == 0 && self.fifo.is_idle() {
            return self.greet(packet, input, out);
        }
        let at = input.mark(0).at;
        if self.lane(false).continued {
            if let Some(turn) = self.current(at) {
                turn.own.number = packet.number;
                cover(turn, input, HEADER);
            }
            return self.pass(false, packet, 0, HEADER, true, out);
        }
        self.fifo.in_step(at, out);
        let fresh =
            packet.number == 1 && self.fifo.front().is_some_and(|front| front.exchange.response.is_some());
        if fresh && self.fifo.front().is_some_and(|front| reply::may_be_whole(front.own.expect)) {
            self.conclude(out);
        }
        let client = self.client;
        let turn = self.fifo.answering(at, || {
            let mut turn = Self::begin(client);
            turn.own.number = packet.number.wrapping_sub(1);
            turn
        });
        let Some(turn) = turn else {
            // Whose it is cannot be told; where it ends neither.
            return self.pass(false, packet, 0, HEADER, false, out);
        };
        if packet.number != turn.own.number.wrapping_add(1) {
            return self.lose_step(false, out);
        }
        let looks = reply::needed(turn.own.expect, first, packet.length);
        let Some(body) = rest.get(..looks) else { return Step::Wait };
        let used = HEADER + body.len();
        let reply = reply::take(turn, body, packet.length);
        match reply {
            Reply::Wrong => return self.lose_step(false, out),
            Reply::Before => {
                reply::succeed(turn, None);
                self.learn(None);
                self.fifo.answered(out);
                return Step::Used(0);
            }
            Reply::More | Reply::Whole(_) => {
                turn.own.number = packet.number;
                cover(turn, input, used);
            }
        }
        if let Reply::Whole(status) = reply {
            self.learn(status);
            // The rest of it, which is no more than session state, is not waited for.
            self.fifo.answered(out);
            let step = self.pass(false, packet, body.len(), used, false, out);
            if let Some(algorithm) = self.agreed.take() {
                self.compression = Some(Box::new(Compression { algorithm, inner: Default::default() }));
            }
            return step;
        }
        self.pass(false, packet, body.len(), used, true, out)
    }

    /// The server's first packet: a greeting, or an error in its place.
    fn greet(&mut self, packet: Header, input: Input<'_>, out: &mut Out) -> Step {
        let rest = &input.bytes[HEADER..];
        if !(10..4096).contains(&packet.length) {
            return self.lose_step(false, out);
        }
        let Some(body) = rest.get(..packet.length as usize) else { return Step::Wait };
        let used = HEADER + body.len();
        if let Some(greeting) = greeting(body) {
            self.phase = Phase::Greeted { capabilities: greeting.capabilities };
            self.memory().version = Some(text(greeting.version).into());
            self.learn(greeting.status);
            return Step::Used(used);
        }
        if !probe::is_refusal(body) {
            return self.lose_step(false, out);
        }
        let mut turn = Self::begin(self.client);
        turn.exchange.operation = "login".to_owned();
        turn.exchange.kind = Kind::Session;
        turn.exchange.complete = true;
        cover(&mut turn, input, used);
        turn.own.expect = Expect::Login;
        reply::take(&mut turn, body, packet.length);
        out.exchanges.push(turn.exchange);
        Step::Used(used)
    }

    /// What the end of an answer says of the session. Called before the call is told.
    fn learn(&mut self, status: Option<u16>) {
        if let Some(status) = status {
            self.backslash = match status & state::NO_BACKSLASH_ESCAPES {
                0 => Backslash::Escapes,
                _ => Backslash::Plain,
            };
        }
        let Some(front) = self.fifo.front() else { return };
        if front.exchange.outcome != Outcome::Ok || front.exchange.response.is_none() {
            return;
        }
        front.exchange.complete = true;
        let (schema, prepared, statement) =
            (front.own.schema.take(), front.own.prepared, front.own.statement.clone());
        if let Some(schema) = schema {
            self.memory().schema = Some(schema);
        }
        if let (Some(number), Some(statement)) = (prepared, statement) {
            self.memory().prepared.insert(&number.to_le_bytes(), statement);
        }
    }

    /// The oldest call's answer is whole, should only an EOF be missing that not every server sends.
    fn conclude(&mut self, out: &mut Out) {
        let Some(front) = self.fifo.front().filter(|front| reply::may_be_whole(front.own.expect)) else {
            return;
        };
        reply::succeed(front, None);
        self.learn(None);
        self.fifo.answered(out);
    }

    fn current(&mut self, at: Timestamp) -> Option<&mut Turn<Command>> {
        let client = self.client;
        self.fifo.answering(at, || Self::begin(client))
    }

    fn lose_step(&mut self, client: bool, out: &mut Out) -> Step {
        *self.lane(client) = Lane { at: At::Lost, continued: false };
        if client {
            self.fifo.requests_lost(self.heard, out);
        } else {
            self.fifo.answers_lost(out);
        }
        Step::Used(0)
    }

    /// Out of step: a segment in which packets lead from one to the next.
    fn find_feet(&mut self, input: Input<'_>, fresh: bool, client: bool, out: &mut Out) -> Step {
        let chain = chain(input.bytes).filter(|_| fresh);
        let found = chain.is_some_and(|chain| match (client, chain.last) {
            (true, _) => {
                let known =
                    input.bytes.get(HEADER).is_some_and(|code| command::name(*code) != "unknown_command");
                chain.first == 0 && known && (chain.exact || chain.whole == 0)
            }
            // The end of rows, OK or ERR, alone.
            (false, (0xfe, ..=16) | (0 | 0xff, 7..=1024)) if chain.exact && chain.whole == 1 => true,
            (false, _) => chain.whole >= 2,
        });
        if !found {
            out.skip(OUT_OF_STEP, input.bytes.len() as u64);
            return Step::Used(input.bytes.len());
        }
        *self.lane(client) = Lane::default();
        let first = chain.map_or(0, |chain| chain.first);
        if !client {
            let at = input.mark(0).at;
            self.fifo.in_step(at, out);
            let client = self.client;
            let turn = self.fifo.answering(at, || Self::begin(client));
            if let Some(turn) = turn {
                // Not its beginning: the rest of a result.
                let begins = first == turn.own.number.wrapping_add(1) && turn.exchange.response.is_none();
                if !begins && turn.own.expect != Expect::Login {
                    turn.holed();
                    turn.own.expect = match turn.own.expect {
                        Expect::Done | Expect::Fields | Expect::Prepared | Expect::Text => Expect::Fields,
                        _ => Expect::Rows,
                    };
                }
                turn.own.number = first.wrapping_sub(1);
            }
        }
        Step::Used(0)
    }

    fn body(&mut self, input: Input<'_>, client: bool, left: u32, own: bool, out: &mut Out) -> Step {
        let used = input.bytes.len().min(left as usize);
        if own {
            let turn = if client { self.fifo.asking() } else { self.current(input.mark(0).at) };
            if let Some(turn) = turn {
                let message = if client { &mut turn.exchange.request } else { &mut turn.exchange.response };
                if let Some(message) = message {
                    input.cover(&mut message.track, 0..used);
                }
            }
        }
        let left = left - used as u32;
        let lane = self.lane(client);
        lane.at = if left > 0 { At::Body { left, own } } else { At::Packet };
        if client && own && left == 0 && !lane.continued {
            self.fifo.asked(out);
        }
        Step::Used(used)
    }

    /// Packets from the front of `input`, compressed or not.
    fn packets(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let client = input.side == self.client;
        let compressed = self.compression.is_some();
        let mut at = 0;
        // What begins here is looked for once: it may turn out to be nothing.
        let mut fresh = true;
        while at < input.bytes.len() {
            if self.compression.is_some() != compressed {
                // It begins here.
                break;
            }
            let rest = input.skip(at);
            let step = match self.lane(client).at {
                At::Packet if client => self.ask(rest, out),
                At::Packet => self.answer(rest, out),
                At::Body { left, own } => self.body(rest, client, left, own, out),
                At::Lost => self.find_feet(rest, std::mem::take(&mut fresh) && at == 0, client, out),
            };
            match step {
                Step::Used(used) => at += used,
                Step::Wait => break,
                Step::Leave(used, verdict) => return Fed { consumed: at + used, verdict },
            }
        }
        Fed::go_on(at)
    }

    /// Frames from the front of `input`.
    fn frames(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let index = usize::from(input.side != self.client);
        let mut at = 0;
        while at < input.bytes.len() {
            let Some(compression) = &mut self.compression else { break };
            let algorithm = compression.algorithm;
            let inner = &mut compression.inner[index];
            match compress::undo(inner, input.skip(at), algorithm, self.decompressed_bytes) {
                Frame::NeedMore => break,
                Frame::Fail(reason) => {
                    self.fifo.abandon("compression_lost", out);
                    return Fed { consumed: at, verdict: Verdict::GiveUp(reason) };
                }
                Frame::Used(used) => at += used,
            }
            let mut inner = std::mem::take(inner);
            let Some(packets) = inner.input(input.side) else { continue };
            let fed = self.packets(packets, out);
            // What packets passed over are not bytes of the wire.
            out.skipped.clear();
            inner.consume(fed.consumed);
            if let Some(compression) = &mut self.compression {
                compression.inner[index] = inner;
            }
            if fed.verdict != Verdict::Continue {
                return Fed { consumed: at, verdict: fed.verdict };
            }
        }
        Fed::go_on(at)
    }

    /// Whether the flow, entered in its middle, is compressed: a frame around a packet that is not.
    fn sniff(&mut self, input: Input<'_>) {
        let framed = input.side == self.client
            && self.phase == Phase::Unknown
            && input.bytes.get(HEADER..HEADER + 3) == Some(&[0, 0, 0])
            && header(input.bytes).is_some_and(|frame| {
                input.bytes.get(7..).and_then(header).is_some_and(|inner| {
                    frame.number == 0 && inner.number == 0 && inner.length + HEADER as u32 == frame.length
                })
            });
        if framed {
            self.compression =
                Some(Box::new(Compression { algorithm: Algorithm::Unknown, inner: Default::default() }));
        }
    }
}

/// The statement that a command carries, or executes.
fn tell(exchange: &mut Exchange, statement: &statement::Statement, executes: bool) {
    if executes && !statement.operation.is_empty() {
        exchange.operation = statement.operation.clone().into_owned();
    }
    if executes && statement.statements == 0 {
        exchange.kind = Kind::Probe;
    }
    exchange.target.clone_from(&statement.target);
    exchange.endpoint = Some(statement.endpoint.clone());
    exchange.trace.clone_from(&statement.trace);
    if let Some(table) = &statement.table {
        exchange.attribute("db.collection.name", table.as_str());
    }
    if statement.statements > 1 {
        exchange.attribute("db.operation.batch.size", i64::from(statement.statements));
    }
}

/// The session's schema, should the server agree.
fn choose(turn: &mut Turn<Command>, schema: &[u8]) {
    turn.exchange.target = text(schema);
    turn.exchange.attributes.retain(|attribute| attribute.name != "db.namespace");
    turn.exchange.attribute("db.namespace", text(schema));
    turn.own.schema = Some(text(schema).into());
}

/// The packet is a part of the answer.
fn cover(turn: &mut Turn<Command>, input: Input<'_>, used: usize) {
    let response = turn.exchange.response.get_or_insert_with(|| Message::bare(input.begin(0)));
    input.cover(&mut response.track, 0..used);
}

impl Stream for MySql {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        self.heard = self.heard.max(input.mark(0).at);
        if self.compression.is_none() {
            self.sniff(input);
        }
        let mut fed = Fed::go_on(0);
        if self.compression.is_none() {
            fed = self.packets(input, out);
        }
        if self.compression.is_some() && fed.verdict == Verdict::Continue {
            let more = self.frames(input.skip(fed.consumed), out);
            fed = Fed { consumed: fed.consumed + more.consumed, verdict: more.verdict };
        }
        fed
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        let client = side == self.client;
        if self.compression.is_some() {
            self.fifo.abandon("gap", out);
            return Verdict::GiveUp(FRAMES_OUT_OF_STEP);
        }
        if let At::Body { left, own } = self.lane(client).at
            && let Some(rest) = u64::from(left).checked_sub(len)
        {
            self.lane(client).at = if rest > 0 { At::Body { left: rest as u32, own } } else { At::Packet };
            if own {
                let turn = if client { self.fifo.asking() } else { self.fifo.front() };
                if let Some(turn) = turn {
                    turn.holed();
                }
                if client && rest == 0 && !self.lane(true).continued {
                    self.fifo.asked(out);
                }
            }
            return Verdict::Continue;
        }
        if client && matches!(self.phase, Phase::Greeted { .. }) {
            // The login, or a part of it.
            self.phase = Phase::Commands;
        }
        self.lose_step(client, out);
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        let at = last.at;
        if side == Some(self.client) && why == End::Fin {
            return;
        }
        self.conclude(out);
        self.fifo.end(why, at, out);
        if side.is_none() {
            self.memory = None;
        }
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        self.fifo.tick(now, out);
    }

    fn open(&self, out: &mut Out) {
        self.fifo.open(out);
    }

    fn waiting(&self) -> bool {
        self.fifo.is_waiting()
    }
}
