//! Records of two sides, whatever the segments that bring them; and what each means for the handshake.

use std::mem;
use std::ops::Range;
use std::time::Duration;

use wirewise_model::{Limits, Mark, Message, Reason, Side, Timestamp};

use super::handshake::{Ending, Handshake};
use super::messages::{CLIENT_HELLO, SERVER_HELLO};
use super::names::Version;
use super::parse::{
    ClientHello, HEADER, Header, HeaderCheck, LONGEST_RECORD, Search, ServerHello, check_header, find_header,
    ssl2_hello_len,
};
use crate::{End, Fed, Input, Out, Stream, Verdict};

/// Bodies of encrypted records: consumed, and there was nothing to read.
const ENCRYPTED: Reason = Reason::skip("encrypted");
/// Passed over in search of a header while a handshake was under way.
const OUT_OF_STEP: Reason = Reason::loss("tls_out_of_step");
/// No TLS, from its first byte.
const NOT_TLS: Reason = Reason::loss("not_tls");

/// Bytes that are searched for a header before a side is given up. Two of the longest records and more: where
/// there is TLS, there is a header within one.
const LONGEST_SEARCH: u32 = 3 * LONGEST_RECORD as u32;
/// Body of an encrypted record of TLS 1.3 below which it can only hold an alert: an alert is 2 bytes, with
/// content type and tag 19; EndOfEarlyData, the next longer, 21.
const LONGEST_SEALED_ALERT: u16 = 19;
/// Bodies of the encrypted Finished of TLS 1.3, with SHA-256 and with SHA-384. Tells it from early data.
const SEALED_FINISHED: [u16; 2] = [53, 69];

/// What a record's body is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Role {
    /// Handshake messages in the clear.
    Handshake,
    /// An alert in the clear.
    Alert,
    ChangeCipherSpec,
    /// An encrypted handshake message: Finished, up to TLS 1.2.
    SealedHandshake,
    /// An encrypted alert, up to TLS 1.2.
    SealedAlert,
    /// The encrypted record with which a client of TLS 1.3 finishes.
    LastFlight,
    /// The encrypted record with which it refuses.
    LastAlert,
    /// Nothing that can be read.
    Sealed,
}

/// A record of which bytes are still to come.
#[derive(Clone, Copy, Debug)]
struct Record {
    role: Role,
    /// Bytes of its body to come.
    left: u16,
    /// Whether it belongs to the handshake.
    counted: bool,
}

/// Where one side stands.
#[derive(Clone, Copy, Debug)]
enum Place {
    /// Before a header.
    Header,
    /// In a record.
    Body(Record),
    /// Out of step after a gap; so many bytes were searched.
    Lost { searched: u32 },
    /// Records are no longer told apart (SSL 2.0).
    Opaque,
}

/// One side.
#[derive(Debug)]
pub(super) struct Lane {
    place: Place,
    /// Whether a record was heard of it.
    heard: bool,
    /// Whether ChangeCipherSpec was.
    ciphered: bool,
    /// Whether its handshake records are encrypted.
    pub(super) sealed: bool,
    /// Whether its Finished was heard (up to TLS 1.2).
    finished: bool,
    /// Bytes to come of a message that is passed over.
    pub(super) passing: u32,
    /// The beginning of a message, its header included, or of an alert.
    pub(super) held: Vec<u8>,
}

impl Lane {
    const fn new() -> Self {
        Self {
            place: Place::Header,
            heard: false,
            ciphered: false,
            sealed: false,
            finished: false,
            passing: 0,
            held: Vec::new(),
        }
    }

    /// Whether the next handshake byte begins a message.
    fn at_message(&self) -> bool {
        self.passing == 0 && self.held.is_empty()
    }
}

/// TLS of one flow.
#[derive(Debug)]
pub(super) struct Tls {
    pub(super) lanes: [Lane; 2],
    pub(super) handshake: Option<Box<Handshake>>,
    /// Whether a handshake was told, or everything was encrypted when the flow was first heard.
    done: bool,
    /// Longest handshake message that is read.
    pub(super) longest_message: u32,
    patience: Duration,
}

/// Opens a dissector. Who asks is told by the hello.
pub(super) fn open(limits: &Limits, _client: Side) -> Box<dyn Stream> {
    Box::new(Tls {
        lanes: [const { Lane::new() }; 2],
        handshake: None,
        done: false,
        longest_message: u32::try_from(limits.header_bytes).unwrap_or(u32::MAX),
        patience: limits.response_wait,
    })
}

/// What a header asks of [`Tls::feed`].
enum Step {
    /// Go on behind so many bytes.
    Take(usize),
    /// More bytes are needed.
    More,
    Stop(Verdict),
}

impl Stream for Tls {
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed {
        let index = input.side.index();
        let (mut at, mut encrypted, mut lost) = (0, 0, 0);
        let verdict = loop {
            let rest = &input.bytes[at..];
            if rest.is_empty() {
                break Verdict::Continue;
            }
            match self.lanes[index].place {
                Place::Header => match self.header(&input, at, out) {
                    Step::Take(count) => at += count,
                    Step::More => break Verdict::Continue,
                    Step::Stop(verdict) => break verdict,
                },
                Place::Body(record) => {
                    let count = usize::from(record.left).min(rest.len());
                    if matches!(record.role, Role::Sealed) {
                        encrypted += count as u64;
                    }
                    self.body(&input, at..at + count, record, out);
                    at += count;
                }
                Place::Lost { searched } => {
                    let (count, found) = match find_header(rest) {
                        Search::Found(count) => (count, true),
                        Search::Before(count) => (count, false),
                    };
                    at += count;
                    lost += count as u64;
                    let searched = searched.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
                    self.lanes[index].place = if found { Place::Header } else { Place::Lost { searched } };
                    if !found && searched > LONGEST_SEARCH {
                        self.finish(Ending::Unseen, out);
                        break Verdict::GiveUp(OUT_OF_STEP);
                    }
                    if !found {
                        break Verdict::Continue;
                    }
                }
                Place::Opaque => {
                    encrypted += rest.len() as u64;
                    at += rest.len();
                }
            }
        };
        out.skip(ENCRYPTED, encrypted);
        out.skip(if self.handshake.is_some() { OUT_OF_STEP } else { ENCRYPTED }, lost);
        if let Some(handshake) = &mut self.handshake {
            handshake.tell(out);
        }
        Fed { consumed: at, verdict }
    }

    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict {
        if let Some(handshake) = &mut self.handshake {
            handshake.gap[side.index()] = true;
        }
        let place = self.lanes[side.index()].place;
        match place {
            Place::Body(mut record) if len <= u64::from(record.left) => {
                let hole = len as u16;
                match record.role {
                    Role::Handshake if !self.pass_hole(side, hole) => record.role = Role::Sealed,
                    Role::Alert => {
                        self.lanes[side.index()].held = Vec::new();
                        record.role = Role::Sealed;
                    }
                    _ => {}
                }
                record.left -= hole;
                self.lanes[side.index()].place = Place::Body(record);
                if record.left == 0 {
                    self.record_over(side, record, out);
                }
            }
            Place::Opaque => {}
            Place::Body(_) | Place::Header | Place::Lost { .. } => {
                self.partial_hello(side);
                let lane = &mut self.lanes[side.index()];
                lane.held = Vec::new();
                lane.passing = 0;
                lane.place = Place::Lost { searched: 0 };
                if let Place::Body(Record { role: Role::LastFlight, .. }) = place {
                    self.finish(Ending::Established, out);
                }
            }
        }
        if let Some(handshake) = &mut self.handshake {
            handshake.tell(out);
        }
        Verdict::Continue
    }

    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out) {
        if side.is_some() {
            return;
        }
        if let Some(client) = self.handshake.as_ref().map(|handshake| handshake.client) {
            self.partial_hello(client);
            let place = self.lanes[client.index()].place;
            if matches!(place, Place::Body(Record { role: Role::LastFlight, .. })) {
                self.finish(Ending::Established, out);
            }
        }
        self.cut(why, last.at, out);
    }

    fn tick(&mut self, now: Timestamp, out: &mut Out) {
        let last = self.handshake.as_ref().and_then(|handshake| handshake.last());
        if last.is_some_and(|last| now.since(last) >= self.patience) {
            self.cut(End::TimedOut, now, out);
        }
    }

    fn open(&self, out: &mut Out) {
        out.exchanges.extend(self.handshake.as_ref().map(|handshake| handshake.exchange()));
    }

    fn waiting(&self) -> bool {
        self.handshake.is_some()
    }
}

impl Tls {
    /// Reads the header at `input.bytes[at]`.
    fn header(&mut self, input: &Input<'_>, at: usize, out: &mut Out) -> Step {
        let (side, rest) = (input.side, &input.bytes[at..]);
        let lane = &self.lanes[side.index()];
        if !lane.heard && rest[0] & 0x80 != 0 {
            return self.ssl2(input, at, out);
        }
        let header = match check_header(rest) {
            HeaderCheck::Whole(header) => header,
            HeaderCheck::Short => return Step::More,
            HeaderCheck::Bad => return self.bad_header(input, at, out),
        };
        let clear = header.kind == Header::HANDSHAKE && !lane.sealed;
        if clear && lane.at_message() {
            // The type of the message decides whether a handshake begins with this record.
            let Some(&kind) = rest.get(HEADER) else { return Step::More };
            self.begin(side, kind);
        }
        self.lanes[side.index()].heard = true;
        let (role, counted) = self.role(side, header, out);
        let counted = counted && self.handshake.is_some();
        if matches!(role, Role::Alert) {
            // No message may be interrupted (RFC 8446, 5.1); one that is will not be read.
            self.lanes[side.index()].held = Vec::new();
        }
        if counted {
            self.cover(input, at..at + HEADER);
        }
        let record = Record { role, left: header.len, counted };
        self.lanes[side.index()].place = Place::Body(record);
        if header.len == 0 {
            self.record_over(side, record, out);
        }
        Step::Take(HEADER)
    }

    /// A message of type `kind` begins on `side`: is it a handshake's first?
    fn begin(&mut self, side: Side, kind: u8) {
        if self.handshake.is_some() {
            return;
        }
        match kind {
            CLIENT_HELLO => {
                self.lanes[0].finished = false;
                self.lanes[1].finished = false;
                self.handshake = Some(Box::new(Handshake::new(side)));
            }
            SERVER_HELLO if !self.done => {
                self.handshake = Some(Box::new(Handshake::new(side.other())));
            }
            _ => {}
        }
    }

    /// What a record is, and whether it belongs to the handshake. Application data may end that first.
    fn role(&mut self, side: Side, header: Header, out: &mut Out) -> (Role, bool) {
        let lane = &self.lanes[side.index()];
        let Some(handshake) = &mut self.handshake else {
            if header.kind == Header::APPLICATION_DATA && !self.done {
                self.settle();
            }
            return match header.kind {
                Header::HANDSHAKE if !self.lanes[side.index()].sealed => (Role::Handshake, false),
                _ => (Role::Sealed, false),
            };
        };
        let agreed = handshake.agreed();
        match header.kind {
            Header::CHANGE_CIPHER_SPEC => (Role::ChangeCipherSpec, true),
            Header::ALERT if header.len == 2 => (Role::Alert, true),
            Header::ALERT => (Role::SealedAlert, true),
            Header::HANDSHAKE if lane.sealed => (Role::SealedHandshake, true),
            Header::HANDSHAKE => (Role::Handshake, true),
            Header::APPLICATION_DATA if agreed.is_some_and(|version| !version.is_13()) => {
                // Up to TLS 1.2 a client may begin before the server has finished (False Start, RFC 7918).
                if side != handshake.client || self.lanes[side.other().index()].finished {
                    self.finish(Ending::Established, out);
                }
                (Role::Sealed, false)
            }
            Header::APPLICATION_DATA if side != handshake.client => (Role::Sealed, true),
            Header::APPLICATION_DATA => {
                let answered =
                    agreed.is_some() || (handshake.response.is_some() && handshake.gap != [false; 2]);
                if !answered {
                    handshake.client_went_on |= !handshake.early_data;
                    (Role::Sealed, false)
                } else if handshake.early_data && !SEALED_FINISHED.contains(&header.len) {
                    (Role::Sealed, false)
                } else if header.len <= LONGEST_SEALED_ALERT {
                    (Role::LastAlert, true)
                } else {
                    (Role::LastFlight, true)
                }
            }
            _ => (Role::Sealed, false),
        }
    }

    /// What cannot be a header: something else than TLS, or bytes after a gap that was not told.
    fn bad_header(&mut self, input: &Input<'_>, at: usize, out: &mut Out) -> Step {
        let side = input.side;
        let heard = self.lanes[side.index()].heard;
        match &mut self.handshake {
            Some(handshake) if !heard && side != handshake.client && !handshake.gap[side.index()] => {
                self.cover(input, at..at + 1);
                self.finish(Ending::NotTls, out);
                Step::Stop(Verdict::Upgrade(None))
            }
            None if !heard && !self.done => Step::Stop(Verdict::GiveUp(NOT_TLS)),
            _ => {
                let lane = &mut self.lanes[side.index()];
                lane.held = Vec::new();
                lane.passing = 0;
                lane.place = Place::Lost { searched: 0 };
                Step::Take(0)
            }
        }
    }

    /// First bytes in the form of SSL 2.0: a hello that offers more, or a server that has no more.
    fn ssl2(&mut self, input: &Input<'_>, at: usize, out: &mut Out) -> Step {
        let (side, rest) = (input.side, &input.bytes[at..]);
        let len = match (rest, &self.handshake) {
            ([_] | [_, _], _) => return Step::More,
            ([_, _, 1, ..], None) if rest.len() < super::parse::SSL2_HELLO_HEAD => return Step::More,
            ([_, _, 1, ..], None) => ssl2_hello_len(rest),
            ([high, low, 4, ..], Some(handshake)) if side != handshake.client => {
                Some(usize::from(u16::from_be_bytes([high & 0x7f, *low])) + 2)
            }
            _ => None,
        };
        let Some(len) = len else { return self.bad_header(input, at, out) };
        let Some(record) = rest.get(..len) else { return Step::More };
        self.lanes[side.index()].heard = true;
        if rest[2] == 1 {
            let Some(hello) = ClientHello::parse_ssl2(record) else { return self.bad_header(input, at, out) };
            let mut handshake = Box::new(Handshake::new(side));
            handshake.client_hello(&hello);
            self.handshake = Some(handshake);
            self.cover(input, at..at + len);
        } else {
            self.cover(input, at..at + len);
            if let Some(handshake) = &mut self.handshake {
                handshake.server_hello(&ServerHello { version: Version::SSL2, ..ServerHello::default() });
            }
            self.finish(Ending::Established, out);
            for lane in &mut self.lanes {
                lane.place = Place::Opaque;
            }
        }
        Step::Take(len)
    }

    /// Takes bytes of a record's body.
    fn body(&mut self, input: &Input<'_>, range: Range<usize>, mut record: Record, out: &mut Out) {
        let (side, bytes) = (input.side, &input.bytes[range.clone()]);
        if record.counted {
            self.cover(input, range);
        }
        record.left -= u16::try_from(bytes.len()).expect("no more than was left of the record");
        match record.role {
            Role::Handshake => {
                if !self.messages(side, bytes) {
                    record.role = Role::Sealed;
                }
            }
            Role::Alert => self.lanes[side.index()].held.extend_from_slice(bytes),
            Role::ChangeCipherSpec
            | Role::SealedHandshake
            | Role::SealedAlert
            | Role::LastFlight
            | Role::LastAlert
            | Role::Sealed => {}
        }
        self.lanes[side.index()].place = Place::Body(record);
        if record.left == 0 {
            self.record_over(side, record, out);
        }
    }

    /// The last byte of a record was heard.
    fn record_over(&mut self, side: Side, record: Record, out: &mut Out) {
        let lane = &mut self.lanes[side.index()];
        lane.place = Place::Header;
        let Some(handshake) = &mut self.handshake else { return };
        let by_client = side == handshake.client;
        match record.role {
            Role::Handshake => {
                let unanswered_13 =
                    handshake.request.is_none() && handshake.agreed().is_some_and(Version::is_13);
                if unanswered_13 && !by_client {
                    // Without its client nothing shows where the server's flight ends.
                    self.finish(Ending::Unseen, out);
                }
            }
            Role::Alert => {
                if let [level, number] = *mem::take(&mut lane.held) {
                    self.alert(side, level, number, out);
                }
            }
            Role::ChangeCipherSpec => {
                lane.ciphered = true;
                if handshake.agreed().is_some_and(|version| !version.is_13()) {
                    lane.sealed = true;
                }
                if by_client {
                    handshake.client_went_on |= !handshake.early_data;
                } else {
                    handshake.server_ciphered = true;
                }
            }
            Role::SealedHandshake => {
                lane.finished = true;
                let both = self.lanes.iter().all(|lane| lane.finished);
                if both || (handshake.request.is_none() && !by_client) {
                    self.finish(Ending::Established, out);
                }
            }
            Role::SealedAlert => {
                // After its sender's Finished it is more likely the end of a connection that was established.
                let ending = match lane.finished {
                    true if handshake.gap == [false; 2] => Ending::Closed { by: side },
                    true => Ending::Established,
                    // Its Finished may be among what was lost, or was not known for one: then this may be any alert.
                    false if handshake.gap != [false; 2] => Ending::Unseen,
                    false => Ending::Refused { by: side, alert: None },
                };
                self.finish(ending, out);
            }
            Role::LastFlight => self.finish(Ending::Established, out),
            Role::LastAlert => self.finish(Ending::Refused { by: side, alert: None }, out),
            Role::Sealed => {}
        }
    }

    fn alert(&mut self, side: Side, level: u8, number: u8, out: &mut Out) {
        const CLOSE_NOTIFY: u8 = 0;
        const USER_CANCELED: u8 = 90;
        const FATAL: u8 = 2;
        let Some(handshake) = &mut self.handshake else { return };
        // In TLS 1.3 the level says nothing: RFC 8446, 6.
        let fatal = level == FATAL || handshake.agreed().is_some_and(Version::is_13);
        match number {
            CLOSE_NOTIFY => self.finish(Ending::Closed { by: side }, out),
            USER_CANCELED => handshake.note("user_canceled"),
            _ if fatal => self.finish(Ending::Refused { by: side, alert: Some(number) }, out),
            _ => handshake.note("alert_warning"),
        }
    }

    /// Adds bytes to the message that their sender is sending.
    fn cover(&mut self, input: &Input<'_>, range: Range<usize>) {
        let Some(handshake) = &mut self.handshake else { return };
        let message = handshake.message(input.side);
        let message = message.get_or_insert_with(|| Message::bare(input.begin(range.start)));
        input.cover(&mut message.track, range);
    }

    /// Tells the handshake that has ended.
    fn finish(&mut self, ending: Ending, out: &mut Out) {
        let Some(mut handshake) = self.handshake.take() else { return };
        handshake.tell(out);
        out.exchanges.push(handshake.ended(ending));
        match ending {
            Ending::Established | Ending::Unseen => self.settle(),
            Ending::Refused { .. } | Ending::Closed { .. } | Ending::NotTls => self.done = true,
        }
    }

    /// The handshake ended because nothing more comes.
    fn cut(&mut self, why: End, at: Timestamp, out: &mut Out) {
        let Some(mut handshake) = self.handshake.take() else { return };
        handshake.tell(out);
        out.exchanges.push(handshake.cut(why, at));
        self.settle();
    }

    /// From here on all is encrypted.
    fn settle(&mut self) {
        self.done = true;
        for lane in &mut self.lanes {
            lane.sealed = true;
            lane.passing = 0;
            lane.held = Vec::new();
        }
    }
}
