//! Captures with packets lost, swapped and doubled: what is told must be what was told of the whole capture, or less.
//!
//! A frame keeps its number through all of this, so that calls of both runs cite the same packets. A call of the damaged
//! run is **the same** as one of the whole run where it is of that protocol (or of the one that carried it, where what
//! would tell was lost), between the same ends, and each of its messages shares packets with the same message of the
//! other; what it says of operation, target and status is equal or left open. A call that is the same as none is
//! **invented**. Where a request and its response could not be joined, both halves are told, each once.
//!
//! A call of the whole run is **asked for** where every packet that it cites is there, and **found** where the same call
//! is told with both its messages, its operation, target, status and outcome.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use wirewise_model::{Call, Coverage, Endpoint, Exchange, Kind, Message, Outcome, Transport};

use crate::corpus::{Frames, Heard};

/// Damage of one kind and measure, the same for the same seed.
pub(crate) struct Losses {
    state: u64,
    /// Of so many packets one is lost, one is swapped with its neighbour, one is doubled.
    pub(crate) one_in: u64,
    /// How many were.
    pub(crate) done: [u64; 3],
    /// The packets of the last capture that were lost, swapped with the one before, and doubled.
    pub(crate) struck: [Vec<u64>; 3],
}

impl Losses {
    pub(crate) fn new(seed: u64, one_in: u64) -> Self {
        Self { state: seed, one_in, done: [0; 3], struck: Default::default() }
    }

    /// Does that to a capture. Each packet keeps its time, as in captures of several queues, which are written out of
    /// order.
    pub(crate) fn inflict(&mut self, frames: &mut Frames) {
        self.struck = Default::default();
        let all = &mut frames.frames;
        all.retain(|frame| !self.strikes(0, frame.number));
        for at in 1..all.len() {
            if self.strikes(1, all[at].number) {
                all.swap(at - 1, at);
            }
        }
        let mut doubled = Vec::with_capacity(all.len());
        for frame in all.drain(..) {
            if self.strikes(2, frame.number) {
                doubled.push(frame.clone());
            }
            doubled.push(frame);
        }
        *all = doubled;
        frames.note_times();
    }

    fn strikes(&mut self, kind: usize, packet: u64) -> bool {
        // SplitMix64, as the other damage.
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let strikes = (mixed ^ (mixed >> 31)).is_multiple_of(self.one_in);
        if strikes {
            self.done[kind] += 1;
            self.struck[kind].push(packet);
        }
        strikes
    }
}

/// Calls of one protocol that are all there, and how many of them were found.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Found {
    pub(crate) asked: u64,
    pub(crate) found: u64,
}

/// What a damaged run told, beside the whole one.
#[derive(Default)]
pub(crate) struct Comparison {
    /// Calls that are the same as none, with their protocols.
    pub(crate) invented: Vec<(String, String)>,
    /// By protocol.
    pub(crate) found: BTreeMap<String, Found>,
    /// Calls that are all there and were not found.
    pub(crate) missed: Vec<String>,
}

pub(crate) fn compare(whole: &Heard, damaged: &Heard, there: &There) -> Comparison {
    let mut comparison = Comparison::default();
    let packets = |message: &Option<Message>| there.packets(message);
    let mut by_packet: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
    for (at, call) in whole.calls.iter().enumerate() {
        for packet in packets(&call.exchange.request).into_iter().chain(packets(&call.exchange.response)) {
            by_packet.entry(packet).or_default().push(at);
        }
    }
    let ends: BTreeSet<[Endpoint; 2]> =
        whole.flows.iter().map(|flow| pair(flow.client, flow.server)).collect();
    // By call of the whole run: the calls of the damaged run that are the same.
    let mut met: BTreeMap<usize, Vec<&Call>> = BTreeMap::new();
    for call in &damaged.calls {
        if call.exchange.kind == Kind::Connection {
            if !ends.contains(&pair(call.client, call.server)) {
                comparison.invented.push(told_of("a connection between ends that do not speak", call));
            }
            continue;
        }
        let cited = packets(&call.exchange.request).into_iter().chain(packets(&call.exchange.response));
        let near: BTreeSet<usize> =
            cited.flat_map(|packet| by_packet.get(&packet).into_iter().flatten().copied()).collect();
        let same = near.iter().copied().filter(|&at| is_same(&whole.calls[at], call, there));
        // One packet may bring many calls that are alike (pipelines): of those, one that nobody has met yet.
        let free = |at: &usize| met.get(at).is_none_or(|others| !overlaps(others, call));
        let same: Vec<usize> = same.collect();
        match same.iter().copied().find(free) {
            Some(at) => met.entry(at).or_default().push(call),
            None if same.is_empty() => {
                let other = near.first().map(|&at| line(&whole.calls[at])).unwrap_or_default();
                let (protocol, line) = told_of("no call of the whole", call);
                comparison.invented.push((protocol, format!("{line} (near it: {other})")));
            }
            // Datagrams have no sequence: the second of two equal ones is one more, as far as anybody can tell.
            None if call.transport != Transport::Tcp && cites_any(call, &there.doubled) => {}
            None => comparison.invented.push(told_of("told once more", call)),
        }
    }
    for (at, call) in whole.calls.iter().enumerate() {
        let mut cited = packets(&call.exchange.request);
        cited.append(&mut packets(&call.exchange.response));
        let all_there = cited.iter().all(|packet| there.numbers.contains(packet));
        if call.exchange.kind == Kind::Connection || call.exchange.revision > 0 || !all_there {
            continue;
        }
        let found = comparison.found.entry(call.exchange.protocol.clone().into_owned()).or_default();
        found.asked += 1;
        if met.get(&at).is_some_and(|calls| calls.iter().any(|other| is_found(call, other))) {
            found.found += 1;
        } else {
            let instead = met.get(&at).into_iter().flatten().map(|call| line(call)).collect::<Vec<_>>();
            comparison.missed.push(format!("{}: {instead:?}", told("missed", call)));
        }
    }
    comparison
}

fn pair(one: Endpoint, other: Endpoint) -> [Endpoint; 2] {
    if (one.ip, one.port) <= (other.ip, other.port) { [one, other] } else { [other, one] }
}

fn numbers(message: &Option<Message>) -> BTreeSet<u64> {
    let track = message.as_ref().map(|message| &message.track);
    let numbers = |track: &wirewise_model::Track| {
        let ends = [track.first.packet, track.last.packet];
        track.frames.numbers.iter().copied().chain(ends).map(|packet| packet.0).collect::<Vec<_>>()
    };
    track.into_iter().flat_map(numbers).collect()
}

/// Which packets there are in a damaged capture.
pub(crate) struct There {
    /// Of equal packets of the whole capture, the first one's number: a capture may have copies of its own.
    first_alike: BTreeMap<u64, u64>,
    /// Those that are there, told by the first of their kind.
    numbers: BTreeSet<u64>,
    doubled: Vec<u64>,
}

impl There {
    pub(crate) fn new(whole: &Frames, damaged: &Frames, doubled: &[u64]) -> Self {
        let mut by_bytes: HashMap<&[u8], u64> = HashMap::new();
        let mut first_alike = BTreeMap::new();
        for frame in &whole.frames {
            let number = *by_bytes.entry(&frame.bytes).or_insert(frame.number);
            first_alike.insert(frame.number, number);
        }
        let numbers = damaged.frames.iter().map(|frame| first_alike[&frame.number]).collect();
        Self { first_alike, numbers, doubled: doubled.to_vec() }
    }

    fn packets(&self, message: &Option<Message>) -> BTreeSet<u64> {
        numbers(message)
            .into_iter()
            .map(|number| self.first_alike.get(&number).copied().unwrap_or(number))
            .collect()
    }

    fn share(&self, one: &Option<Message>, other: &Option<Message>) -> bool {
        !self.packets(one).is_disjoint(&self.packets(other))
    }
}

/// Whether a call says itself that bytes of it were lost, and names of several statements only some.
fn less(some: &Exchange, all: &Exchange) -> bool {
    let statements: Vec<&str> = all.target.split("; ").collect();
    some.coverage == Coverage::Partial && some.target.split("; ").all(|one| statements.contains(&one))
}

fn cites_any(call: &Call, any: &[u64]) -> bool {
    let both = [&call.exchange.request, &call.exchange.response];
    both.into_iter().flat_map(numbers).any(|packet| any.contains(&packet))
}

/// What a call says where it does not know, and says that too.
const UNKNOWN: &str = "{unknown}";
/// Notes of calls whose operation is told in a coarser word, for what would tell the finer one was lost.
const COARSER: &[&str] = &[HIDDEN, "statement_not_seen"];
/// The note of a call whose header fields lean on others that were lost.
const HIDDEN: &str = "hpack_unknown";

/// Whether `call` says nothing that `whole` does not.
fn is_same(whole: &Call, call: &Call, there: &There) -> bool {
    let (all, some) = (&whole.exchange, &call.exchange);
    if pair(whole.client, whole.server) != pair(call.client, call.server) {
        return false;
    }
    // The question was lost: its answer is told alone, by its own name.
    let asked_is_lost = there.packets(&all.request).iter().any(|packet| !there.numbers.contains(packet));
    let alone = [&some.request, &some.response].into_iter().flatten().count() == 1;
    if asked_is_lost && alone && all.protocol == some.protocol {
        let answer = if some.request.is_some() { &some.request } else { &some.response };
        if there.share(answer, &all.response) {
            return true;
        }
    }
    let in_step = (some.request.is_none() || there.share(&some.request, &all.request))
        && (some.response.is_none() || there.share(&some.response, &all.response));
    if Some(&some.protocol) == all.carrier.as_ref() && some.protocol != all.protocol {
        // What the carrier says of it is another matter than what was carried.
        return in_step;
    }
    // Kafka names a topic by its id where its name was not heard.
    let is_id = |text: &str| text.len() == 36 && text.split('-').map(str::len).eq([8, 4, 4, 4, 12]);
    let left_open = |some: &str, all: &str| {
        some.is_empty() || some == UNKNOWN || some == all || (is_id(some) && !is_id(all))
    };
    let coarser = some.notes.iter().any(|note| COARSER.contains(&&*note.0));
    let status = some.status.as_ref().is_none_or(|status| all.status.as_ref() == Some(status));
    let answered = some.response.is_some() || all.response.is_none();
    let unanswered = !matches!(some.outcome, Outcome::Ok | Outcome::ClientError | Outcome::ServerError);
    all.protocol == some.protocol
        && in_step
        && (coarser || left_open(&some.operation, &all.operation))
        && (left_open(&some.target, &all.target) || less(some, all))
        && status
        && (answered || unanswered)
}

/// Whether one of them has a message that `call` has too, so that both cannot be halves of one. A late answer makes a
/// call anew, and says so.
fn overlaps(others: &[&Call], call: &Call) -> bool {
    others.iter().any(|other| {
        let both = |one: &Option<Message>, other: &Option<Message>| one.is_some() && other.is_some();
        other.exchange.revision == call.exchange.revision
            && (both(&other.exchange.request, &call.exchange.request)
                || both(&other.exchange.response, &call.exchange.response))
    })
}

/// Whether it is told with both its messages, and as before; what a header compression hides whose state was lost is
/// marked, and found all the same.
fn is_found(whole: &Call, call: &Call) -> bool {
    let (all, some) = (&whole.exchange, &call.exchange);
    let hidden = some.notes.iter().any(|note| note.0 == HIDDEN);
    let protocol = all.protocol == some.protocol || (hidden && all.carrier.as_ref() == Some(&some.protocol));
    protocol
        && all.request.is_some() == some.request.is_some()
        && all.response.is_some() == some.response.is_some()
        && (hidden
            || (all.operation == some.operation
                && all.target == some.target
                && all.status == some.status
                && all.outcome == some.outcome))
}

fn line(call: &Call) -> String {
    let exchange = &call.exchange;
    let notes: Vec<&str> = exchange.notes.iter().map(|note| &*note.0).collect();
    let target: String = exchange.target.chars().take(40).collect();
    format!(
        "{} {} {target} {} {} {:?}/{:?} {notes:?}",
        exchange.protocol,
        exchange.operation,
        exchange.status.as_deref().unwrap_or("-"),
        exchange.outcome,
        numbers(&exchange.request).iter().take(4).collect::<Vec<_>>(),
        numbers(&exchange.response).iter().take(4).collect::<Vec<_>>(),
    )
}

fn told_of(what: &str, call: &Call) -> (String, String) {
    (call.exchange.protocol.clone().into_owned(), told(what, call))
}

fn told(what: &str, call: &Call) -> String {
    format!("{what}: {}", line(call))
}
