//! Echo requests meet their replies; all else is a message of its own.
//!
//! A reply answers the oldest request of the other side with its operation, identifier and sequence number.
//! A second reply to one request (a broadcast address, a copy on the way) is a call without request, noted
//! `duplicate_reply`; one to a request that was not heard is noted `request_not_seen`.

use std::collections::VecDeque;

use wirewise_model::{
    Coverage, Exchange, Kind, Limits, Mark, Message as Said, Outcome, Side, Timestamp, Track, Transport,
};

use super::names::{self, Role, Version};
use super::parse::{Message, Quoted, version};
use crate::{Datagram, End, Messages, Out, Verdict};

/// Requests that are remembered once they were answered or given up. Past it the oldest is forgotten: its late
/// reply becomes a call of its own.
const MOST_REMEMBERED: usize = 32;
/// Groups of a listener report, and prefixes of a router's advertisement, that are named.
const MOST_NAMED: usize = 16;

/// What makes a request and a reply belong together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    client: Side,
    operation: &'static str,
    ident: u16,
    /// `None` where it was cut off.
    sequence: Option<u16>,
}

impl Identity {
    /// The same, asked by the other side. A host that pings itself is both ends of its flow, so its replies
    /// come from the side that asked.
    fn swapped(self) -> Self {
        Self { client: self.client.other(), ..self }
    }
}

#[derive(Clone, Debug)]
struct Asked {
    identity: Identity,
    kind: u8,
    track: Track,
    data_bytes: usize,
    cut: bool,
}

/// How a request that waits no longer came out.
#[derive(Clone, Debug)]
enum Past {
    Answered(Identity),
    GivenUp(Asked),
}

/// One pair of hosts.
pub(super) struct Hosts {
    wait: std::time::Duration,
    most: usize,
    asked: VecDeque<Asked>,
    past: VecDeque<Past>,
}

impl Hosts {
    pub(super) fn new(limits: &Limits) -> Self {
        Self {
            wait: limits.datagram_response_wait,
            most: limits.pending_calls.max(1),
            asked: VecDeque::new(),
            past: VecDeque::new(),
        }
    }

    fn request(&mut self, asked: Asked, out: &mut Out) {
        if self.asked.len() >= self.most
            && let Some(oldest) = self.asked.pop_front()
        {
            out.exchanges.push(oldest.unanswered(End::Evicted, asked.track.first.at));
        }
        self.asked.push_back(asked);
    }

    fn reply(&mut self, identity: Identity, reply: &Datagram<'_>, message: &Message<'_>, out: &mut Out) {
        let place = |identity| self.asked.iter().position(|asked| asked.identity == identity);
        let found = place(identity).or_else(|| place(identity.swapped()));
        if let Some(asked) = found.and_then(|at| self.asked.remove(at)) {
            self.remember(Past::Answered(identity));
            out.exchanges.push(answered(asked.exchange(), reply, message));
            return;
        }
        let known = self.past.iter().position(|past| {
            let (Past::Answered(known) | Past::GivenUp(Asked { identity: known, .. })) = past;
            *known == identity || *known == identity.swapped()
        });
        let exchange = match known.map(|at| (at, self.past[at].clone())) {
            Some((at, Past::GivenUp(asked))) => {
                self.past[at] = Past::Answered(identity);
                let mut exchange = answered(asked.exchange(), reply, message);
                exchange.revision = 1;
                exchange.note("late_response");
                exchange
            }
            other => {
                let mut exchange = identity.exchange(message.kind);
                exchange.note(if other.is_some() { "duplicate_reply" } else { "request_not_seen" });
                answered(exchange, reply, message)
            }
        };
        out.exchanges.push(exchange);
    }

    fn remember(&mut self, past: Past) {
        if self.past.len() >= MOST_REMEMBERED {
            self.past.pop_front();
        }
        self.past.push_back(past);
    }
}

impl Messages for Hosts {
    fn feed(&mut self, datagram: Datagram<'_>, out: &mut Out) -> Verdict {
        let known = version(datagram.transport).zip(Message::parse(datagram.bytes));
        let Some((version, message)) = known else {
            out.skip(super::TOO_SHORT, datagram.bytes.len() as u64);
            return Verdict::Continue;
        };
        let (operation, role) = names::kind(version, message.kind);
        let identity = |client| {
            let (ident, sequence) = message.identity()?;
            Some(Identity { client, operation, ident, sequence })
        };
        match role {
            Role::Request => {
                if let Some(identity) = identity(datagram.side) {
                    let asked = Asked {
                        identity,
                        kind: message.kind,
                        track: datagram.track(),
                        data_bytes: datagram.original_len.saturating_sub(8),
                        cut: datagram.is_cut(),
                    };
                    self.request(asked, out);
                    return Verdict::Continue;
                }
            }
            Role::Reply => {
                if let Some(identity) = identity(datagram.side.other()) {
                    self.reply(identity, &datagram, &message, out);
                    return Verdict::Continue;
                }
            }
            Role::Error | Role::Notice | Role::Message => {}
        }
        out.exchanges.push(one_way(version, operation, role, &datagram, &message));
        Verdict::Continue
    }

    fn end(&mut self, why: End, last: Mark, out: &mut Out) {
        out.exchanges.extend(self.asked.drain(..).map(|asked| asked.unanswered(why, last.at)));
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        let wait = self.wait;
        while let Some(asked) = self.asked.pop_front_if(|asked| now.since(asked.track.last.at) >= wait) {
            out.exchanges.push(asked.clone().unanswered(End::TimedOut, now));
            self.remember(Past::GivenUp(asked));
        }
    }

    fn open(&self, out: &mut Out) {
        for asked in &self.asked {
            let mut exchange = asked.clone().exchange();
            exchange.outcome = Outcome::Open;
            out.exchanges.push(exchange);
        }
    }

    fn waiting(&self) -> bool {
        !self.asked.is_empty()
    }
}

impl Identity {
    fn exchange(self, kind: u8) -> Exchange {
        let mut exchange = Exchange::new("icmp", self.client);
        exchange.kind = Kind::Probe;
        exchange.operation = self.operation.to_owned();
        exchange.attribute("icmp.type", i64::from(kind));
        exchange.attribute("icmp.ident", i64::from(self.ident));
        if let Some(sequence) = self.sequence {
            exchange.attribute("icmp.seq", i64::from(sequence));
        }
        exchange
    }
}

impl Asked {
    fn exchange(self) -> Exchange {
        let mut exchange = self.identity.exchange(self.kind);
        exchange.attribute("icmp.data.len", i64::try_from(self.data_bytes).unwrap_or(i64::MAX));
        if self.cut {
            mark_cut(&mut exchange);
        }
        exchange.request = Some(Said::bare(self.track));
        exchange
    }

    fn unanswered(self, why: End, at: Timestamp) -> Exchange {
        let mut exchange = self.exchange();
        why.close(&mut exchange, at);
        exchange
    }
}

fn mark_cut(exchange: &mut Exchange) {
    exchange.note("cut");
    exchange.coverage = Coverage::Partial;
}

fn answered(mut exchange: Exchange, reply: &Datagram<'_>, message: &Message<'_>) -> Exchange {
    exchange.complete = true;
    // Only the extended echo (RFC 8335, 3) can say no.
    let refused = matches!(message.kind, 43 | 161) && message.code != 0;
    exchange.status = Some(if refused { "refused" } else { "reply" }.to_owned());
    exchange.status_code = refused.then_some(i64::from(message.code));
    exchange.outcome = if refused { Outcome::ClientError } else { Outcome::Ok };
    if reply.is_cut() {
        mark_cut(&mut exchange);
    }
    exchange.response = Some(Said::bare(reply.track()));
    exchange
}

fn one_way(
    version: Version,
    operation: &'static str,
    role: Role,
    datagram: &Datagram<'_>,
    message: &Message<'_>,
) -> Exchange {
    let mut exchange = Exchange::new("icmp", datagram.side);
    exchange.kind = Kind::Message;
    exchange.outcome = Outcome::OneWay;
    exchange.complete = true;
    exchange.operation = operation.to_owned();
    exchange.attribute("icmp.type", i64::from(message.kind));
    exchange.attribute("icmp.code", i64::from(message.code));
    exchange.request = Some(Said::bare(datagram.track()));
    if datagram.is_cut() {
        mark_cut(&mut exchange);
    } else if !message.is_whole() {
        exchange.note("malformed");
    }
    match role {
        Role::Error | Role::Notice => quote(&mut exchange, version, role, message),
        Role::Request | Role::Reply | Role::Message => {
            if datagram.transport == Transport::Icmpv6 {
                discovery(&mut exchange, message);
            }
        }
    }
    exchange
}

/// What an error or a redirect says, and about which packet.
fn quote(exchange: &mut Exchange, version: Version, role: Role, message: &Message<'_>) {
    let words = names::code(version, message.kind, message.code);
    exchange.status = Some(words.map_or_else(|| format!("code_{}", message.code), str::to_owned));
    exchange.status_code = Some(i64::from(message.code));
    if role == Role::Error {
        let code = words.map_or_else(|| format!("code {}", message.code), |words| words.replace('_', " "));
        let operation = exchange.operation.replace('_', " ");
        exchange.error = Some(if operation == code { code } else { format!("{operation}: {code}") });
    }
    match (version, message.kind, message.code) {
        // RFC 1191: zero where the router does not know.
        (Version::V4, 3, 4) => {
            if let Some(mtu) = message.rest_of_header().map(|word| word & 0xFFFF).filter(|mtu| *mtu > 0) {
                exchange.attribute("icmp.mtu", i64::from(mtu));
            }
        }
        (Version::V6, 2, _) => {
            if let Some(mtu) = message.rest_of_header() {
                exchange.attribute("icmp.mtu", i64::from(mtu));
            }
        }
        (Version::V4, 5, _) => {
            if let Some(gateway) = message.gateway() {
                exchange.attribute("icmp.redir_gw", gateway.to_string());
            }
        }
        (Version::V4, 12, _) => {
            if let Some(word) = message.rest_of_header() {
                exchange.attribute("icmp.pointer", i64::from(word >> 24));
            }
        }
        (Version::V6, 4, _) => {
            if let Some(word) = message.rest_of_header() {
                exchange.attribute("icmp.pointer", i64::from(word));
            }
        }
        _ => {}
    }
    let Some(quoted) = Quoted::parse(message.body()) else {
        exchange.note("nothing_quoted");
        return;
    };
    exchange.target = quoted.to_string();
    exchange.attribute("icmp.quoted.transport", quoted.transport().into_owned());
    exchange.attribute("icmp.quoted.source.address", quoted.from.to_string());
    exchange.attribute("icmp.quoted.destination.address", quoted.to.to_string());
    if let Some((from, to)) = quoted.ports {
        exchange.attribute("icmp.quoted.source.port", i64::from(from));
        exchange.attribute("icmp.quoted.destination.port", i64::from(to));
    }
    if let Some((ident, sequence)) = quoted.echo {
        exchange.attribute("icmp.quoted.ident", i64::from(ident));
        exchange.attribute("icmp.quoted.seq", i64::from(sequence));
    }
}

/// The address that a message of neighbour discovery (RFC 4861) or listener discovery (RFC 2710, 3810) is
/// about, and what it says of it.
fn discovery(exchange: &mut Exchange, message: &Message<'_>) {
    let options_at = match message.kind {
        133 => 8,
        134 => {
            if let Some(word) = message.rest_of_header() {
                exchange.attribute("icmpv6.nd.ra.cur_hop_limit", i64::from(word >> 24));
                exchange.attribute("icmpv6.nd.ra.router_lifetime", i64::from(word & 0xFFFF));
            }
            16
        }
        135 | 136 => 24,
        137 => 40,
        143 => {
            let groups: Vec<String> = message.groups(MOST_NAMED).iter().map(ToString::to_string).collect();
            exchange.target = groups.join(",");
            return;
        }
        130..=132 => {
            exchange.target = message.address(8).map(|group| group.to_string()).unwrap_or_default();
            return;
        }
        _ => return,
    };
    match (message.kind, message.address(8)) {
        (135 | 136, Some(target)) => exchange.target = target.to_string(),
        (137, Some(target)) => {
            exchange.attribute("icmp.redir_gw", target.to_string());
            exchange.target = message.address(24).map(|address| address.to_string()).unwrap_or_default();
        }
        _ => {}
    }
    let mut prefixes = Vec::new();
    for (kind, data) in message.options(options_at) {
        match (kind, data) {
            (1 | 2, [a, b, c, d, e, f, ..]) => {
                let address = format!("{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{f:02x}");
                exchange.attribute("icmpv6.opt.linkaddr", address);
            }
            (3, [length, ..]) => {
                if let Some(prefix) = data.get(14..).and_then(|rest| rest.first_chunk::<16>())
                    && prefixes.len() < MOST_NAMED
                {
                    prefixes.push(format!("{}/{length}", std::net::Ipv6Addr::from(*prefix)));
                }
            }
            (5, [_, _, mtu @ ..]) => {
                if let Some(mtu) = mtu.first_chunk::<4>() {
                    exchange.attribute("icmpv6.opt.mtu", i64::from(u32::from_be_bytes(*mtu)));
                }
            }
            _ => {}
        }
        if exchange.attributes.len() > MOST_NAMED {
            break;
        }
    }
    if !prefixes.is_empty() {
        exchange.attribute("icmpv6.opt.prefix", prefixes.join(","));
    }
}
