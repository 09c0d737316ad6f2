//! Queries meet their responses.
//!
//! A response answers the oldest query of the other side that has its id and its question (name without
//! regard to case, and type); one without a question answers by its id alone. So an id that is used again, or
//! by two queries at once, pairs rightly, in whatever order answers come. The same question under the same id
//! while it is unanswered is a retransmission: one call, noted `retransmitted`, whose request lists both
//! packets. A response to a call that was answered already is booked as `repeated_response`; one that answers
//! nothing heard is a call without request, noted `request_not_seen`; on a stream it waits a while, since its
//! query may stand behind a hole.

use smallvec::SmallVec;
use wirewise_model::{Coverage, Exchange, Kind, Limits, Message, Outcome, Reason, Side, Timestamp, Track};

use super::early::{self, Early};
use super::message::{Flavour, Heard, Parsed, describe_question, judge};
use super::names;
use super::parse::{Header, Question, Trouble};
use super::reading::Edns;
use super::suffix;
use crate::{End, Out};

/// Answered already: a second copy of a response, to a retransmitted query or by the network.
const REPEATED: Reason = Reason::skip("repeated_response");
/// Calls given up whose late response would still be known. Past it the oldest is forgotten, and its late
/// response becomes a call of its own.
const MOST_LATE: usize = 32;

/// A query that waits, or waited in vain.
#[derive(Clone, Debug)]
struct Asked {
    client: Side,
    flavour: Flavour,
    header: Header,
    question: Option<Question>,
    name: String,
    track: Track,
    edns: Option<Edns>,
    notes: SmallVec<[&'static str; 2]>,
    partial: bool,
    /// Counts queries of the flow: the lower, the older.
    order: u64,
    /// A transfer (AXFR, IXFR) of which some came already.
    transfer: Option<Box<Transfer>>,
}

/// How far a zone transfer has come (RFC 5936, RFC 1995).
#[derive(Clone, Debug)]
struct Transfer {
    track: Track,
    serial: u32,
    answers: u64,
}

impl Asked {
    fn key(&self) -> u32 {
        key(self.client, self.header.id)
    }

    fn hash(&self) -> Option<u64> {
        self.question.map(|question| question.hash)
    }

    /// Whether the response's question is this one. A missing one fits any.
    fn fits(&self, other: Option<Question>) -> bool {
        match (self.question, other) {
            (Some(own), Some(other)) => own.hash == other.hash && own.kind == other.kind,
            (None, _) | (_, None) => true,
        }
    }
}

fn key(client: Side, id: u16) -> u32 {
    (client.index() as u32) << 16 | u32::from(id)
}

/// A call that was answered: its key, and the lower half of its name's hash.
type Answered = (u32, u32);

/// The queries of one flow that wait, and what is remembered of those that do no longer.
#[derive(Debug)]
pub(super) struct Pairing {
    wait: std::time::Duration,
    most: usize,
    /// `asked[i].key()`, apart so that a flow with a thousand queries under way finds one fast.
    keys: Vec<u32>,
    asked: Vec<Asked>,
    late: Vec<Asked>,
    answered: [Option<Answered>; 4],
    next_answered: u8,
    order: u64,
    /// The name that was last told not to exist.
    denied: Option<Box<str>>,
    /// Responses that wait for their queries; none where messages come each by itself.
    early: Option<Early>,
}

impl Pairing {
    pub(super) fn of_stream(limits: &Limits) -> Self {
        Self { early: Some(Early::default()), ..Self::of_datagrams(limits) }
    }

    pub(super) fn of_datagrams(limits: &Limits) -> Self {
        Self {
            wait: limits.datagram_response_wait,
            most: limits.pending_calls.max(1),
            keys: Vec::new(),
            asked: Vec::new(),
            late: Vec::new(),
            answered: [None; 4],
            next_answered: 0,
            order: 0,
            denied: None,
            early: None,
        }
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.asked.is_empty() || self.early.as_ref().is_some_and(|early| !early.is_empty())
    }

    /// Whether a query of this id waits for `server`.
    pub(super) fn waits_for(&self, server: Side, id: u16) -> bool {
        self.keys.contains(&key(server.other(), id))
    }

    /// Takes one message. `None` where it has not even a header.
    pub(super) fn take(&mut self, heard: Heard<'_>, out: &mut Out) -> Option<()> {
        let message = Parsed::new(heard)?;
        let header = message.header;
        if message.heard.flavour == Flavour::Mdns {
            message.announce(out);
        } else if header.is_response() {
            self.response(message, out);
        } else {
            self.query(message, out);
        }
        Some(())
    }

    fn query(&mut self, message: Parsed<'_>, out: &mut Out) {
        let Parsed { heard, header, question, .. } = &message;
        let key = key(heard.side, header.id);
        let again = (0..self.keys.len())
            .filter(|&at| self.keys[at] == key)
            .max_by_key(|&at| self.asked[at].order)
            .filter(|&at| {
                let asked = &self.asked[at];
                // One that was cut before its question may be anybody's.
                let whole = asked.question.is_some() || asked.header.questions == 0;
                whole && asked.question.map(same) == question.map(same)
            });
        if let Some(at) = again {
            let asked = &mut self.asked[at];
            let length = heard.track.bytes;
            asked.track.extend(heard.track.first, length);
            asked.track.extend(heard.track.last, 0);
            if !asked.notes.contains(&"retransmitted") {
                asked.notes.push("retransmitted");
            }
            return;
        }
        let early = self.early.as_mut();
        if let Some(response) = early.and_then(|early| early.take(key, heard.track.first.at, *question)) {
            let asked = Asked::new(message, self.order);
            self.remember(&asked);
            out.exchanges.push(early::join(asked.exchange(), response));
            return;
        }
        if self.asked.len() >= self.most
            && let Some(oldest) = (0..self.asked.len()).min_by_key(|&at| self.asked[at].order)
        {
            let asked = self.remove(oldest);
            let at = heard.track.first.at;
            out.exchanges.push(asked.unanswered(End::Evicted, at));
        }
        self.order += 1;
        let asked = Asked::new(message, self.order);
        if self.asked.is_empty() {
            // Most flows ask once; a vector's own first growth takes room for four.
            self.keys = Vec::with_capacity(1);
            self.asked = Vec::with_capacity(1);
        }
        self.keys.push(key);
        self.asked.push(asked);
    }

    fn response(&mut self, message: Parsed<'_>, out: &mut Out) {
        let client = message.heard.side.other();
        let key = key(client, message.header.id);
        let found = (0..self.keys.len())
            .filter(|&at| self.keys[at] == key && self.asked[at].fits(message.question))
            .min_by_key(|&at| self.asked[at].order);
        if let Some(at) = found {
            self.answer(at, message, out);
            return;
        }
        let late = self.late.iter().position(|asked| asked.key() == key && asked.fits(message.question));
        if let Some(at) = late {
            let asked = self.late.remove(at);
            self.remember(&asked);
            let mut exchange = self.answered_exchange(asked, message, None);
            exchange.revision = 1;
            exchange.note("late_response");
            out.exchanges.push(exchange);
            return;
        }
        let hash = message.question.map(|question| question.hash as u32);
        let repeated = self
            .answered
            .iter()
            .flatten()
            .any(|&(other, answered)| other == key && hash.is_none_or(|hash| hash == answered));
        if repeated {
            out.skip(REPEATED, message.heard.track.bytes);
            return;
        }
        let (mismatch, question) = (self.keys.contains(&key), message.question);
        let mut exchange = Exchange::new(message.heard.flavour.name(), client);
        exchange.operation = names::operation(message.header.opcode()).into_owned();
        exchange.target = message.name();
        describe_question(&mut exchange, message.header, message.question);
        // RFC 5452, 9.1: a response whose question is not the one that was asked answers nothing.
        exchange.note(if mismatch { "question_mismatch" } else { "request_not_seen" });
        self.finish(&mut exchange, message, None);
        match self.early.as_mut().filter(|_| !mismatch) {
            Some(early) => early.put(key, question, exchange, out),
            None => out.exchanges.push(exchange),
        }
    }

    fn answer(&mut self, at: usize, message: Parsed<'_>, out: &mut Out) {
        let wanted = self.asked[at].question.map(|asked| asked.kind);
        let track = match wanted {
            Some(names::AXFR | names::IXFR) if message.header.rcode() == 0 => {
                if !self.asked[at].transfer(&message) {
                    return;
                }
                self.asked[at].transfer.take().map(|transfer| transfer.track)
            }
            _ => None,
        };
        let asked = self.remove(at);
        self.remember(&asked);
        let exchange = self.answered_exchange(asked, message, track);
        out.exchanges.push(exchange);
    }

    fn remember(&mut self, asked: &Asked) {
        let slot = usize::from(self.next_answered) % self.answered.len();
        self.answered[slot] = Some((asked.key(), asked.hash().unwrap_or(0) as u32));
        self.next_answered = self.next_answered.wrapping_add(1);
    }

    fn answered_exchange(&mut self, asked: Asked, message: Parsed<'_>, track: Option<Track>) -> Exchange {
        let mut exchange = asked.exchange();
        self.finish(&mut exchange, message, track);
        exchange
    }

    /// Adds the response: what it says, and how the call came out.
    fn finish(&mut self, exchange: &mut Exchange, message: Parsed<'_>, track: Option<Track>) {
        let reading = message.reading(message.header.opcode() != 5);
        let Parsed { heard, header, question, trouble, .. } = message;
        let extended = reading.edns.map_or(0, |edns| u16::from(edns.extended_code) << 4);
        let code = extended | header.rcode();
        let (status, outcome) = names::response_code(code);
        exchange.status = Some(status.into_owned());
        exchange.status_code = Some(i64::from(code));
        exchange.outcome = outcome;
        exchange.complete = true;
        for (name, set) in [
            ("dns.flags.authoritative", header.authoritative()),
            ("dns.flags.recavail", header.recursion_available()),
            ("dns.flags.authenticated", header.authenticated()),
        ] {
            if set {
                exchange.attribute(name, true);
            }
        }
        if header.truncated() {
            exchange.note("truncated");
        }
        let is_query = header.opcode() == 0 && question.is_some();
        if code == 0 && is_query && header.answers == 0 && !header.truncated() {
            let refers = reading.delegates && !reading.negative && !header.authoritative();
            exchange.note(if refers { "referral" } else { "nodata" });
        }
        if code == 3 {
            if suffix::is_search(&exchange.target, self.denied.as_deref()) {
                exchange.note("search_suffix");
            }
            self.denied = Some(exchange.target.as_str().into());
        }
        if reading.signed {
            exchange.note("signed");
        }
        if reading.edns.is_some_and(|edns| edns.client_subnet) {
            exchange.note("client_subnet");
        }
        judge(exchange, trouble.or(reading.trouble), heard.cut, reading.trailing);
        reading.tell(header, exchange);
        exchange.response = Some(Message::bare(track.unwrap_or(heard.track)));
    }

    fn remove(&mut self, at: usize) -> Asked {
        self.keys.swap_remove(at);
        let asked = self.asked.swap_remove(at);
        if self.asked.is_empty() {
            // A flow that has its answers may stay for minutes beside a million others.
            self.keys = Vec::new();
            self.asked = Vec::new();
        }
        asked
    }

    /// Gives up what has waited too long.
    pub(super) fn tick(&mut self, now: Timestamp, out: &mut Out) {
        if let Some(early) = &mut self.early {
            early.release(Some(now), out);
        }
        let mut at = 0;
        while at < self.asked.len() {
            if now.since(self.asked[at].last_heard()) < self.wait {
                at += 1;
                continue;
            }
            let mut asked = self.remove(at);
            out.exchanges.push(asked.clone().unanswered(End::TimedOut, now));
            asked.transfer = None;
            if self.late.len() >= MOST_LATE {
                self.late.remove(0);
            }
            self.late.push(asked);
        }
    }

    /// What `server` says from here on was lost in part: what waits for it may have been answered.
    pub(super) fn gap(&mut self, server: Side) {
        for asked in self.asked.iter_mut().filter(|asked| asked.client != server) {
            asked.partial = true;
            if !asked.notes.contains(&"gap") {
                asked.notes.push("gap");
            }
        }
    }

    /// What waits for `server` (everything, where `None`) will not be answered. `begun` is a response that
    /// had begun: its id and its track.
    pub(super) fn end(
        &mut self,
        server: Option<Side>,
        why: End,
        at: Timestamp,
        begun: Option<(u16, Track)>,
        out: &mut Out,
    ) {
        let mut begun = begun;
        let mut over: Vec<Asked> = Vec::new();
        let mut place = 0;
        while place < self.asked.len() {
            if server.is_none_or(|server| self.asked[place].client != server) {
                over.push(self.remove(place));
            } else {
                place += 1;
            }
        }
        over.sort_by_key(|asked| asked.order);
        for mut asked in over {
            if begun.as_ref().is_some_and(|(id, _)| *id == asked.header.id) {
                asked.transfer =
                    begun.take().map(|(_, track)| Box::new(Transfer { track, serial: 0, answers: 0 }));
            }
            out.exchanges.push(asked.unanswered(why, at));
        }
    }

    /// Nothing more will be heard of either side.
    pub(super) fn over(&mut self, out: &mut Out) {
        if let Some(early) = &mut self.early {
            early.release(None, out);
        }
    }

    /// Copies of what is under way.
    pub(super) fn open(&self, out: &mut Out) {
        for asked in &self.asked {
            let mut exchange = asked.clone().exchange();
            exchange.outcome = Outcome::Open;
            out.exchanges.push(exchange);
        }
    }
}

fn same(question: Question) -> (u64, u16, u16) {
    (question.hash, question.kind, question.class)
}

impl Asked {
    fn new(message: Parsed<'_>, order: u64) -> Self {
        let reading = message.reading(false);
        let name = message.name();
        let mut notes = SmallVec::new();
        let trouble = message.trouble.or(reading.trouble);
        if message.heard.cut {
            notes.push("cut");
        }
        if trouble.is_some_and(|trouble| !(message.heard.cut && trouble == Trouble::Short)) {
            notes.push("malformed");
        }
        if reading.trailing && !message.heard.cut {
            notes.push("trailing_bytes");
        }
        if reading.edns.is_some_and(|edns| edns.client_subnet) {
            notes.push("client_subnet");
        }
        if reading.signed {
            notes.push("signed");
        }
        Self {
            client: message.heard.side,
            flavour: message.heard.flavour,
            header: message.header,
            question: message.question,
            name,
            partial: message.heard.cut,
            track: message.heard.track,
            edns: reading.edns,
            notes,
            order,
            transfer: None,
        }
    }

    /// Takes one message of a zone transfer, and tells whether it was the last.
    fn transfer(&mut self, message: &Parsed<'_>) -> bool {
        let reading = message.reading(false);
        let piece = &message.heard.track;
        let transfer = self.transfer.get_or_insert_with(|| {
            Box::new(Transfer {
                track: Track { bytes: 0, ..piece.clone() },
                serial: reading.first_serial.unwrap_or(0),
                answers: 0,
            })
        });
        transfer.answers += reading.n_answers;
        for &packet in &piece.frames.numbers {
            transfer.track.frames.push(packet);
        }
        transfer.track.extend(piece.last, piece.bytes);
        // It ends as it began, with the zone's SOA; an IXFR of one SOA says that nothing changed.
        let changes = self.question.is_some_and(|question| question.kind == names::IXFR);
        match reading.last_serial {
            _ if reading.trouble.is_some() || message.heard.cut || message.header.truncated() => true,
            Some(serial) => serial == transfer.serial && (transfer.answers > 1 || changes),
            None => transfer.answers == 0,
        }
    }

    /// When it, or something of its answer, was last heard.
    fn last_heard(&self) -> Timestamp {
        let answered = self.transfer.as_ref().map(|transfer| transfer.track.last.at);
        answered.map_or(self.track.last.at, |at| at.max(self.track.last.at))
    }

    fn exchange(self) -> Exchange {
        let mut exchange = Exchange::new(self.flavour.name(), self.client);
        exchange.operation = names::operation(self.header.opcode()).into_owned();
        exchange.target = self.name;
        describe_question(&mut exchange, self.header, self.question);
        if let Some(edns) = self.edns {
            exchange.attribute("dns.rr.udp_payload_size", i64::from(edns.udp_size));
            if edns.version != 0 {
                exchange.attribute("dns.resp.edns0_version", i64::from(edns.version));
            }
            if edns.dnssec_ok {
                exchange.attribute("dns.resp.z.do", true);
            }
        }
        for note in self.notes {
            exchange.note(note);
        }
        if self.partial {
            exchange.coverage = Coverage::Partial;
        }
        exchange.request = Some(Message::bare(self.track));
        exchange
    }

    fn unanswered(mut self, why: End, at: Timestamp) -> Exchange {
        let begun = self.transfer.take();
        let after_gap = self.notes.contains(&"gap");
        let flavour = self.flavour;
        let mut exchange = self.exchange();
        exchange.response = begun.map(|transfer| Message::bare(transfer.track));
        why.close(&mut exchange, at);
        if after_gap {
            exchange.outcome = Outcome::Unknown;
        } else if flavour == Flavour::Llmnr && exchange.response.is_none() {
            // Who has the name answers from an address of its own, which is another flow; nobody need.
            exchange.kind = Kind::Message;
            exchange.outcome = Outcome::OneWay;
        }
        exchange
    }
}
