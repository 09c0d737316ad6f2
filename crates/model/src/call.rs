//! An exchange as a protocol tells it, and a call: the exchange with its ids, ends and place on the wire.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;

use crate::{CallId, Endpoint, FlowId, PacketNumber, Side, Source, Timestamp, Transport};

/// Defines an enum of words: `name`, `parse` and `ALL` come from one list.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $name { $($(#[$variant_doc])* $variant,)+ }

        impl $name {
            /// Every one of them, for error texts and documentation.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            /// The word in the table's column.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            /// The variant that a column's word names.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    };
}

words! {
    /// How a call came out.
    Outcome {
        /// Answered, and well.
        Ok = "ok",
        /// Answered: the client asked for something it cannot have.
        ClientError = "client_error",
        /// Answered: the server could not do its part.
        ServerError = "server_error",
        /// No answer within the time-out, or before the flow ended.
        NoResponse = "no_response",
        /// Cut off by one end before the answer was whole.
        Aborted = "aborted",
        /// A message that asks for no answer.
        OneWay = "one_way",
        /// Still waiting when this was written.
        Open = "open",
        /// The part of the wire that tells was not heard.
        Unknown = "unknown",
    }
}

impl Outcome {
    /// Whether `failed` is true: client errors stand apart.
    pub const fn failed(self) -> bool {
        match self {
            Self::ServerError | Self::NoResponse | Self::Aborted => true,
            Self::Ok | Self::ClientError | Self::OneWay | Self::Open | Self::Unknown => false,
        }
    }
}

words! {
    /// The shape of an exchange in time.
    Kind {
        /// One request, one response.
        Unary = "unary",
        /// Parts keep coming in one direction or both (event streams, streamings of gRPC).
        Stream = "stream",
        /// A request that the server holds until it has something to say.
        LongPoll = "long_poll",
        /// A connection's own conversation: handshakes, upgrades, tunnels.
        Session = "session",
        /// One message, one way.
        Message = "message",
        /// Asked only to see whether the other end lives.
        Probe = "probe",
        /// A flow that made no call of its own.
        Connection = "connection",
    }
}

words! {
    /// Where along the way a call was heard.
    Vantage {
        /// On the client's host.
        Client = "client",
        /// On the server's host.
        Server = "server",
        /// On neither, or nobody knows.
        Between = "between",
    }
}

/// How a protocol's texts are scrubbed before any of them is kept: what its entry in the table of protocols
/// promises, and `redact` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Redaction {
    /// Targets are URLs; headers and bodies are those of HTTP; what looks random is hidden.
    Web,
    /// Names and fingerprints: what looks random is what one searches for, and stays.
    Names,
    /// Other text: targets, errors and attributes are searched for secrets; what looks random is hidden.
    Text,
}

/// Something odd, in one word of snake_case: `retransmitted`, `gap`, `mid_stream`, `search_suffix`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Note(pub Cow<'static, str>);

impl From<&'static str> for Note {
    fn from(word: &'static str) -> Self {
        Self(Cow::Borrowed(word))
    }
}

/// A value of a protocol's own field.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    /// Text.
    Text(String),
    /// A whole number.
    Int(i64),
    /// Another number.
    Float(f64),
    /// Yes or no.
    Bool(bool),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Int(number) => write!(f, "{number}"),
            Self::Float(number) => write!(f, "{number}"),
            Self::Bool(yes) => write!(f, "{yes}"),
        }
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Bool(yes)
    }
}

/// A protocol's own field, named as OpenTelemetry does where it has a name, else as Wireshark does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Attribute {
    /// `http.request.body.size`, `dns.question.name`, `tls.client.ja3` ...
    pub name: Cow<'static, str>,
    /// Its value.
    pub value: Value,
}

/// The packets that brought a message, in the order they came, each once. Bounded: past
/// [`Frames::MOST`] they are counted in `omitted`, and the call is noted `frames_omitted`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frames {
    /// Their numbers.
    #[serde(with = "numbers")]
    pub numbers: SmallVec<[PacketNumber; 2]>,
    /// How many more there were.
    pub omitted: u64,
}

impl Frames {
    /// A megabyte body in segments of 1,460 bytes takes 719; ten of those are named in full.
    pub const MOST: usize = 8192;

    /// Adds a packet, unless it was the last one added.
    pub fn push(&mut self, packet: PacketNumber) {
        if self.numbers.last() == Some(&packet) {
            return;
        }
        if self.numbers.len() < Self::MOST {
            self.numbers.push(packet);
        } else {
            self.omitted += 1;
        }
    }
}

/// A list of numbers to serde, whatever holds them.
mod numbers {
    use super::{PacketNumber, SmallVec};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(
        numbers: &SmallVec<[PacketNumber; 2]>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        numbers.as_slice().serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<SmallVec<[PacketNumber; 2]>, D::Error> {
        Vec::deserialize(deserializer).map(SmallVec::from_vec)
    }
}

/// Where a byte came from: when, and in which packet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// When that packet was heard.
    pub at: Timestamp,
    /// Its number.
    pub packet: PacketNumber,
}

/// The trace that a message left on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Track {
    /// Where its first byte stands in its side's stream; for messages, the ordinal of the datagram. Together
    /// with flow and side it makes the call's id.
    pub offset: u64,
    /// Its first byte.
    pub first: Mark,
    /// Its last byte so far.
    pub last: Mark,
    /// Every packet that brought a part of it.
    pub frames: Frames,
    /// Payload bytes of the transport that it took.
    pub bytes: u64,
}

impl Track {
    /// A track of a message that begins at `offset`, with nothing of it covered yet.
    pub fn begin(offset: u64, first: Mark) -> Self {
        Self { offset, first, last: first, frames: Frames::default(), bytes: 0 }
    }

    /// `bytes` more came in `mark`.
    pub fn extend(&mut self, mark: Mark, bytes: u64) {
        self.frames.push(mark.packet);
        self.bytes += bytes;
        if mark.at >= self.last.at {
            self.last = mark;
        }
    }
}

/// What was kept of a body, decoded (chunks joined, decompressed) and bounded, and how much there was.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Body {
    /// The head of the decoded body, up to `Limits::body_kept`.
    pub kept: Vec<u8>,
    /// Length on the wire, after chunks were joined and before decompression.
    pub wire_bytes: u64,
    /// Length after decompression, as far as it was decoded.
    pub decoded_bytes: u64,
    /// Whether `kept` is less than all of it.
    pub truncated: bool,
}

/// One direction of an exchange: its trace and what it said. Headers have lower-case keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The packets, times and bytes.
    pub track: Track,
    /// Header fields in wire order, keys in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, where there is one.
    pub body: Option<Body>,
}

impl Message {
    /// A message without headers or body.
    pub fn bare(track: Track) -> Self {
        Self { track, headers: Vec::new(), body: None }
    }

    /// The first header of that name (in lower case).
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// How sure the dissector is that it saw the whole of an exchange.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Coverage {
    /// Every byte of it was heard.
    #[default]
    Whole,
    /// Bytes inside it were lost, cut or not heard; its notes say what.
    Partial,
}

/// A request with its response, as the protocol understands them. Where a side was not seen it is `None`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Exchange {
    /// The innermost protocol: `http1`, `dns`, `tls` ...
    pub protocol: Cow<'static, str>,
    /// What it rode on, where that is not the transport itself.
    pub carrier: Option<Cow<'static, str>>,
    /// Its shape in time.
    pub kind: Kind,
    /// The side that asked.
    pub client: Side,
    /// The question.
    pub request: Option<Message>,
    /// The answer.
    pub response: Option<Message>,
    /// Whether the last byte of the answer was seen.
    pub complete: bool,
    /// GET, query, handshake ...
    pub operation: String,
    /// Path, topic, name asked for ...
    pub target: String,
    /// The target's normal form, where the protocol knows a better one than masking the target's ids: a statement
    /// without its literals, a method of a service.
    pub endpoint: Option<String>,
    /// Host, `:authority`, SNI.
    pub host: Option<String>,
    /// As the protocol says it.
    pub status: Option<String>,
    /// Its number.
    pub status_code: Option<i64>,
    /// How it came out.
    pub outcome: Outcome,
    /// The protocol's own words about an error.
    pub error: Option<String>,
    /// W3C trace context: trace id, span id (the caller's), in hexadecimal.
    pub trace: Option<(String, String)>,
    /// The protocol's own fields.
    pub attributes: Vec<Attribute>,
    /// What was odd.
    pub notes: Vec<Note>,
    /// Whether all of it was heard.
    pub coverage: Coverage,
    /// 0, or 1 for a response that came after the exchange had been given up.
    pub revision: u32,
}

impl Exchange {
    /// An exchange of which nothing but the protocol and the asking side is known.
    pub fn new(protocol: &'static str, client: Side) -> Self {
        Self {
            protocol: Cow::Borrowed(protocol),
            carrier: None,
            kind: Kind::Unary,
            client,
            request: None,
            response: None,
            complete: false,
            operation: String::new(),
            target: String::new(),
            endpoint: None,
            host: None,
            status: None,
            status_code: None,
            outcome: Outcome::Unknown,
            error: None,
            trace: None,
            attributes: Vec::new(),
            notes: Vec::new(),
            coverage: Coverage::Whole,
            revision: 0,
        }
    }

    /// Adds a field.
    pub fn attribute(&mut self, name: &'static str, value: impl Into<Value>) {
        self.attributes.push(Attribute { name: Cow::Borrowed(name), value: value.into() });
    }

    /// Adds a note, once.
    pub fn note(&mut self, word: &'static str) {
        if !self.notes.iter().any(|note| note.0 == word) {
            self.notes.push(Note::from(word));
        }
    }

    /// The message that makes the id: the request, or the response where no request was seen.
    pub fn first(&self) -> Option<&Message> {
        self.request.as_ref().or(self.response.as_ref())
    }

    /// First byte of the request: when the exchange began.
    pub fn started(&self) -> Timestamp {
        self.first().map_or(Timestamp::MIN, |message| message.track.first.at)
    }

    /// The last byte seen of either side.
    pub fn observed_until(&self) -> Timestamp {
        let end = |message: &Option<Message>| message.as_ref().map(|message| message.track.last.at);
        end(&self.request).max(end(&self.response)).unwrap_or(Timestamp::MIN)
    }

    /// First byte of the request to last byte of the response. `None` where either was not seen.
    pub fn took(&self) -> Option<Duration> {
        let (request, response) = (self.request.as_ref()?, self.response.as_ref()?);
        Some(response.track.last.at.since(request.track.first.at))
    }

    /// First byte of the request to first byte of the response. `None` where either was not seen.
    pub fn time_to_first_byte(&self) -> Option<Duration> {
        let (request, response) = (self.request.as_ref()?, self.response.as_ref()?);
        Some(response.track.first.at.since(request.track.first.at))
    }
}

/// An exchange with its place on the wire: what the pipeline makes, before names and redaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// Its id.
    pub id: CallId,
    /// The flow that carried it.
    pub flow: FlowId,
    /// What carried that.
    pub transport: Transport,
    /// Who asked.
    pub client: Endpoint,
    /// Who answered.
    pub server: Endpoint,
    /// How it was heard.
    pub source: Source,
    /// Whether it was TLS on the wire.
    pub encrypted: bool,
    /// Equal for one exchange heard at two places.
    pub exchange_key: u64,
    /// What was said.
    pub exchange: Exchange,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for &outcome in Outcome::ALL {
            assert_eq!(Outcome::parse(outcome.name()), Some(outcome));
        }
        for &kind in Kind::ALL {
            assert_eq!(Kind::parse(kind.name()), Some(kind));
        }
        assert_eq!(Outcome::parse("succes"), None);
    }

    #[test]
    fn tracks_keep_every_packet_once_and_the_latest_time() {
        let mark = |at, packet| Mark { at: Timestamp::from_nanos(at), packet: PacketNumber(packet) };
        let mut track = Track::begin(7, mark(10, 1));
        track.extend(mark(10, 1), 4);
        track.extend(mark(10, 1), 4);
        track.extend(mark(30, 5), 1);
        track.extend(mark(20, 3), 1);
        let numbers: Vec<u64> = track.frames.numbers.iter().map(|number| number.0).collect();
        assert_eq!((numbers, track.bytes, track.last), (vec![1, 5, 3], 10, mark(30, 5)));
    }

    #[test]
    fn frames_past_the_bound_are_counted() {
        let mut frames = Frames::default();
        for number in 0..Frames::MOST as u64 + 3 {
            frames.push(PacketNumber(number));
        }
        assert_eq!((frames.numbers.len(), frames.omitted), (Frames::MOST, 3));
    }
}
