//! Handshakes of a flow, datagram by datagram.

use std::time::Duration;

use wirewise_model::{Exchange, Limits, Mark, Message, Outcome, Reason, Side, Timestamp, Track};

use super::crypto::Crypto;
use super::parse::{self, Frame, Id, Kind, Long, Packet, Version, frames};
use super::protect::{Keys, Sealer};
use crate::tls::{ClientHello, Ending, Handshake, ServerHello};
use crate::{Datagram, End, Messages, Out, Probe, Verdict};

const ENCRYPTED: Reason = Reason::skip("encrypted");
/// Ids from which the keys of one handshake may follow: the client's first, that of a Retry, those of attempts that
/// the server had no version for. Past it packets with keys of others are passed over.
const MOST_IDS: usize = 4;
/// Initial packets of one handshake that are opened. Past it they are passed over.
const MOST_OPENED: u32 = 256;
/// Codes of CONNECTION_CLOSE that hold an alert of TLS (RFC 9001, 4.8).
const ALERTS: std::ops::RangeInclusive<u64> = 0x100..=0x1ff;
// Types of handshake messages.
const CLIENT_HELLO: u8 = 1;
const SERVER_HELLO: u8 = 2;

/// Whether this is a client's first flight. What it sends ahead of its hello is known by the version and a length that
/// fits.
pub(super) fn probe(message: &Datagram<'_>) -> Probe {
    match parse::packet(message.bytes) {
        Some((Packet::Long(long), used)) if long.kind == Kind::ZeroRtt && used == message.bytes.len() => {
            Probe::Yes { client: message.side }
        }
        Some((Packet::Long(long), _))
            if long.kind == Kind::Initial
                && open_with(&long, &long.destination, Sealer::Client, None).is_some() =>
        {
            Probe::Yes { client: message.side }
        }
        _ => Probe::No,
    }
}

pub(super) fn open(limits: &Limits, client: Side) -> Box<dyn Messages> {
    Box::new(Quic {
        client,
        most: limits.header_bytes,
        wait: limits.response_wait,
        current: None,
        done: Box::default(),
        early: None,
    })
}

/// A packet's number and frames, by the keys that follow from `id`.
fn open_with(long: &Long<'_>, id: &Id, sealer: Sealer, largest: Option<u64>) -> Option<(u64, Vec<u8>)> {
    Keys::derive(long.version, id, sealer)?.open(long, largest)
}

struct Quic {
    client: Side,
    /// Bytes of one side's hellos that are held.
    most: usize,
    wait: Duration,
    current: Option<Box<Connection>>,
    /// Ids of the last handshake that is over.
    done: Box<[Id]>,
    /// Datagrams that overtook the first of their handshake.
    early: Option<Box<(Id, Track)>>,
}

/// How a handshake ended.
#[derive(Clone, Copy, Debug)]
enum Over {
    Established,
    Closed { by: Side, code: u64 },
    Cut(End, Timestamp),
}

/// A handshake under way.
#[derive(Debug)]
struct Connection {
    handshake: Handshake,
    version: Version,
    /// Those from which keys follow; the first is the client's.
    ids: Vec<Id>,
    /// The one that the server chose.
    server_id: Option<Id>,
    /// The client's, the server's.
    crypto: [Crypto; 2],
    largest: [Option<u64>; 2],
    /// What the server offered instead of what it was asked for.
    offered: Vec<Version>,
    /// The server sent more than an offer.
    answered: bool,
    opened: u32,
}

impl Connection {
    fn new(client: Side, version: Version, id: Id) -> Self {
        Self {
            handshake: Handshake::over_quic(client),
            version,
            ids: vec![id],
            server_id: None,
            crypto: Default::default(),
            largest: [None; 2],
            offered: Vec::new(),
            answered: false,
            opened: 0,
        }
    }

    /// Opens an Initial packet with the keys of this handshake.
    fn open(&mut self, long: &Long<'_>, sealer: Sealer) -> Option<Vec<u8>> {
        if self.opened >= MOST_OPENED {
            return None;
        }
        self.opened += 1;
        let largest = &mut self.largest[sealer as usize];
        let (number, plain) = self.ids.iter().rev().find_map(|id| open_with(long, id, sealer, *largest))?;
        *largest = (*largest).max(Some(number));
        self.version = long.version;
        Some(plain)
    }

    /// Reads the frames of an Initial packet; says how the handshake ended, where it did.
    fn read(&mut self, plain: &[u8], sealer: Sealer, most: usize) -> Option<Over> {
        let by = match sealer {
            Sealer::Client => self.handshake.client,
            Sealer::Server => self.handshake.client.other(),
        };
        let (crypto, handshake) = (&mut self.crypto[sealer as usize], &mut self.handshake);
        let mut over = None;
        for frame in frames(plain, self.version) {
            match frame {
                Frame::Crypto { offset, data } => crypto.add(offset, data, most),
                Frame::Close { code } => over = Some(Over::Closed { by, code }),
            }
        }
        if crypto.over {
            handshake.note("oversized_message");
        }
        while let Some((kind, body)) = crypto.message() {
            match (kind, sealer) {
                (CLIENT_HELLO, Sealer::Client) => handshake.client_hello(&ClientHello::parse(body)),
                (SERVER_HELLO, Sealer::Server) => match ServerHello::parse(body) {
                    Some(hello) => handshake.server_hello(&hello),
                    None => handshake.note("malformed"),
                },
                _ => {}
            }
        }
        over
    }

    /// The datagram is a part of the handshake.
    fn cover(&mut self, message: &Datagram<'_>) {
        let side = message.side;
        let part = self.handshake.message(side);
        let track =
            &mut part.get_or_insert_with(|| Message::bare(Track::begin(message.ordinal, message.mark))).track;
        extend(track, message);
        if message.is_cut() {
            self.handshake.gap[side.index()] = true;
        }
    }

    /// The handshake as it is told when it is over.
    fn exchange(mut self, over: Over, out: &mut Out) -> Exchange {
        let client = self.handshake.client;
        if let Some((CLIENT_HELLO, part)) = self.crypto[0].part()
            && !self.handshake.offered()
        {
            self.handshake.client_hello(&ClientHello::parse(part));
            self.handshake.gap[client.index()] = true;
            self.handshake.tell(out);
        }
        if self.crypto[0].has_hole() {
            self.handshake.gap[client.index()] = true;
        }
        let refused = matches!(over, Over::Closed { .. });
        if self.answered && !self.handshake.is_answered() && !refused {
            // Its hello was lost.
            self.handshake.gap[client.other().index()] = true;
        }
        let mut exchange = match over {
            Over::Established => self.handshake.ended(Ending::Established),
            Over::Closed { by, code } if ALERTS.contains(&code) => {
                self.handshake.ended(Ending::Refused { by, alert: Some(code as u8) })
            }
            Over::Closed { by, code } => self.closed(by, code),
            Over::Cut(..) if !self.answered && !self.offered.is_empty() => self.unversed(),
            Over::Cut(why, at) => self.handshake.cut(why, at),
        };
        self.tell(&mut exchange);
        exchange
    }

    /// Ended by an error of the transport.
    fn closed(&self, by: Side, code: u64) -> Exchange {
        let mut exchange = self.handshake.exchange();
        exchange.attribute("tls.established", false);
        exchange.complete = exchange.response.is_some();
        let (who, outcome) = match by == self.handshake.client {
            true => ("client", Outcome::ClientError),
            false => ("server", Outcome::ServerError),
        };
        exchange.outcome = if code == 0 { Outcome::Aborted } else { outcome };
        let name = error(code);
        exchange.error = Some(format!("{who} closed with {name}"));
        exchange.status = Some(name);
        exchange.status_code = i64::try_from(code).ok();
        exchange
    }

    /// The server knows none of the client's versions, and was not asked again.
    fn unversed(&self) -> Exchange {
        let mut exchange = self.handshake.exchange();
        exchange.attribute("tls.established", false);
        exchange.complete = true;
        exchange.outcome = Outcome::ClientError;
        exchange.status = Some("version_negotiation".to_owned());
        exchange.error = Some(format!("server does not speak version {}", self.version));
        exchange
    }

    /// What QUIC itself adds.
    fn tell(&self, exchange: &mut Exchange) {
        exchange.attribute("quic.version", self.version.to_string());
        if let Some(id) = self.ids.first() {
            exchange.attribute("quic.dcid", hex::encode(id.bytes()));
        }
        if let Some(id) = self.server_id {
            exchange.attribute("quic.scid", hex::encode(id.bytes()));
        }
        if !self.offered.is_empty() {
            let offered: Vec<String> = self.offered.iter().map(Version::to_string).collect();
            exchange.attribute("quic.supported_versions", offered.join(","));
        }
    }
}

fn extend(track: &mut Track, message: &Datagram<'_>) {
    track.extend(message.mark, message.original_len as u64);
    track.extend(message.last, 0);
}

/// Names of the transport's errors (RFC 9000, 20.1).
fn error(code: u64) -> String {
    let name = match code {
        0x00 => "no_error",
        0x01 => "internal_error",
        0x02 => "connection_refused",
        0x03 => "flow_control_error",
        0x04 => "stream_limit_error",
        0x05 => "stream_state_error",
        0x06 => "final_size_error",
        0x07 => "frame_encoding_error",
        0x08 => "transport_parameter_error",
        0x09 => "connection_id_limit_error",
        0x0a => "protocol_violation",
        0x0b => "invalid_token",
        0x0c => "application_error",
        0x0d => "crypto_buffer_exceeded",
        0x0e => "key_update_error",
        0x0f => "aead_limit_reached",
        0x10 => "no_viable_path",
        0x11 => "version_negotiation_error",
        _ => return format!("{code:#x}"),
    };
    name.to_owned()
}

impl Quic {
    /// One packet of a datagram: whether it belongs to the handshake, and how that ended.
    fn packet(&mut self, packet: &Packet<'_>, message: &Datagram<'_>, out: &mut Out) -> (bool, Option<Over>) {
        let by_client = message.side == self.client;
        if by_client
            && let Packet::Long(long) = packet
            && long.kind == Kind::Initial
        {
            return self.asked(long, message.mark.at, out);
        }
        let Some(connection) = &mut self.current else { return (false, None) };
        match packet {
            Packet::Short if by_client && connection.answered => (false, Some(Over::Established)),
            Packet::Short => (false, None),
            Packet::Long(long) if long.kind == Kind::Initial => {
                let Some(plain) = connection.open(long, Sealer::Server) else { return (false, None) };
                connection.answered = true;
                connection.server_id = Some(long.source);
                let over = connection.read(&plain, Sealer::Server, self.most);
                connection.handshake.tell(out);
                (true, over)
            }
            Packet::Long(long) => {
                connection.answered |= !by_client && long.kind == Kind::Handshake;
                (true, None)
            }
            Packet::Retry { source } if !by_client && !connection.answered => {
                connection.handshake.note("retry");
                connection.learn(*source);
                (true, None)
            }
            Packet::Negotiation { versions } if !by_client && !connection.answered => {
                connection.handshake.note("version_negotiation");
                connection.offered.clone_from(versions);
                (true, None)
            }
            Packet::Retry { .. } | Packet::Negotiation { .. } => (false, None),
        }
    }

    /// An Initial packet of the client.
    fn asked(&mut self, long: &Long<'_>, at: Timestamp, out: &mut Out) -> (bool, Option<Over>) {
        let id = long.destination;
        if let Some(connection) = &mut self.current {
            if let Some(plain) = connection.open(long, Sealer::Client) {
                let over = connection.read(&plain, Sealer::Client, self.most);
                connection.handshake.tell(out);
                return (true, over);
            }
            if connection.ids.contains(&id) || connection.server_id == Some(id) {
                return (true, None);
            }
        } else if self.done.contains(&id) {
            return (false, None);
        }
        let Some((number, plain)) = open_with(long, &id, Sealer::Client, None) else { return (false, None) };
        let goes_on = self.current.as_ref().is_some_and(|connection| {
            !connection.handshake.offered() || (!connection.offered.is_empty() && !connection.answered)
        });
        if !goes_on {
            self.finish(Over::Cut(End::TimedOut, at), out);
        }
        let client = self.client;
        let early = self.early.take().filter(|early| early.0 == id);
        let connection = self.current.get_or_insert_with(|| {
            let mut connection = Connection::new(client, long.version, id);
            connection.handshake.request = early.map(|early| Message::bare(early.1));
            Box::new(connection)
        });
        connection.learn(id);
        connection.version = long.version;
        connection.largest[Sealer::Client as usize] = Some(number);
        let over = connection.read(&plain, Sealer::Client, self.most);
        connection.handshake.tell(out);
        (true, over)
    }

    /// Keeps the track of what a client sends ahead of its hello.
    fn is_early(&mut self, message: &Datagram<'_>) -> bool {
        let Some((Packet::Long(long), _)) = parse::packet(message.bytes) else { return false };
        let id = long.destination;
        if message.side != self.client || long.kind != Kind::ZeroRtt || self.done.contains(&id) {
            return false;
        }
        let early = match &mut self.early {
            Some(early) if early.0 == id => early,
            other => other.insert(Box::new((id, Track::begin(message.ordinal, message.mark)))),
        };
        extend(&mut early.1, message);
        true
    }

    fn finish(&mut self, over: Over, out: &mut Out) {
        let Some(connection) = self.current.take() else { return };
        self.done = connection.ids.iter().copied().chain(connection.server_id).collect();
        let exchange = connection.exchange(over, out);
        out.exchanges.push(exchange);
    }
}

impl Connection {
    /// Keys may follow from this id.
    fn learn(&mut self, id: Id) {
        if self.ids.len() < MOST_IDS && !self.ids.contains(&id) {
            self.ids.push(id);
            self.largest = [None; 2];
        }
    }
}

impl Messages for Quic {
    fn feed(&mut self, message: Datagram<'_>, out: &mut Out) -> Verdict {
        let mut rest = message.bytes;
        let (mut belongs, mut over) = (false, None);
        while over.is_none()
            && let Some((packet, used)) = parse::packet(rest)
        {
            rest = &rest[used..];
            let (is_part, ended) = self.packet(&packet, &message, out);
            belongs |= is_part;
            over = ended;
        }
        if let Some(connection) = &mut self.current {
            let long = message.bytes.first().is_some_and(|first| first & 0x80 != 0);
            belongs |= long && message.is_cut();
            if belongs {
                connection.cover(&message);
            }
        } else {
            belongs = self.is_early(&message);
        }
        if !belongs {
            out.skip(ENCRYPTED, message.bytes.len() as u64);
        }
        if let Some(over) = over {
            self.finish(over, out);
        }
        Verdict::Continue
    }

    fn end(&mut self, why: End, last: Mark, out: &mut Out) {
        self.finish(Over::Cut(why, last.at), out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        let last = self.current.as_ref().and_then(|connection| connection.handshake.last());
        if last.is_some_and(|last| now.since(last) >= self.wait) {
            self.finish(Over::Cut(End::TimedOut, now), out);
        }
    }

    fn open(&self, out: &mut Out) {
        if let Some(connection) = &self.current {
            let mut exchange = connection.handshake.exchange();
            connection.tell(&mut exchange);
            out.exchanges.push(exchange);
        }
    }

    fn waiting(&self) -> bool {
        self.current.is_some()
    }
}
