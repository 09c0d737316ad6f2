//! What a protocol has to be: its entry in the table, and the two traits that take bytes and messages.

use wirewise_model::{
    Exchange, Limits, Mark, Outcome, Reason, Redaction, Side, Timestamp, TlsInfo, Transport,
};

use crate::Input;

/// One protocol, as the table lists it.
#[derive(Debug)]
pub struct Protocol {
    /// The word in the `protocol` column.
    pub name: &'static str,
    /// Its name for people.
    pub title: &'static str,
    /// The document that it follows.
    pub reference: &'static str,
    /// Ports where it is probed before others. A hint, never proof.
    pub ports: &'static [u16],
    /// How its texts are scrubbed. Nothing of a protocol is stored before this is tested.
    pub redaction: Redaction,
    /// How it is found and read in a stream, where it rides on one.
    pub stream: Option<StreamEntry>,
    /// How it is found and read in messages, where it rides on them.
    pub message: Option<MessageEntry>,
    /// How it is found in exchanges of another protocol, where it rides on them.
    pub refine: Option<RefineEntry>,
}

/// A protocol over a byte stream of two sides.
#[derive(Debug)]
pub struct StreamEntry {
    /// Looks at the first bytes of both sides.
    pub probe: fn(&Heads<'_>) -> Probe,
    /// A dissector for one flow, of which `client` asks.
    pub open: fn(limits: &Limits, client: Side) -> Box<dyn Stream>,
}

/// A protocol over datagrams, or over messages of a transport that keeps their bounds.
#[derive(Debug)]
pub struct MessageEntry {
    /// Looks at one message.
    pub probe: fn(&Datagram<'_>) -> Probe,
    /// A dissector for one flow, of which `client` asks.
    pub open: fn(limits: &Limits, client: Side) -> Box<dyn Messages>,
}

/// A protocol inside the exchanges of others: GraphQL in HTTP.
#[derive(Debug)]
pub struct RefineEntry {
    /// The protocols whose exchanges may carry it.
    pub carriers: &'static [&'static str],
    /// Turns an exchange into what it carries and says so; leaves it as it is where it carries nothing of this
    /// protocol. `carrier` is set by the caller. It sees what was kept of the bodies, cut or not.
    pub refine: fn(exchange: &mut Exchange) -> bool,
}

/// What a probe says. It must decide within `Limits::probe_bytes` of each side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probe {
    /// It is this protocol, and this side asks.
    Yes {
        /// The side that asks.
        client: Side,
    },
    /// It is not.
    No,
    /// It may be: the bytes so far are a beginning of it.
    NeedMore,
}

/// The first bytes of both sides, as far as they were heard.
#[derive(Clone, Copy, Debug)]
pub struct Heads<'a> {
    /// By side: what it said first. Empty where it has said nothing yet.
    pub bytes: [&'a [u8]; 2],
    /// By side: its port.
    pub ports: [u16; 2],
    /// Who opened the flow, where that was heard.
    pub opener: Option<Side>,
    /// Whether the flow was picked up after its beginning, so that the heads need not be the start of anything.
    pub mid_stream: bool,
    /// Whether the flow is over and no more will come.
    pub ended: bool,
}

impl<'a> Heads<'a> {
    /// What one side said first.
    pub fn of(&self, side: Side) -> &'a [u8] {
        self.bytes[side.index()]
    }
}

/// One message with what is known of where it came from.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// Who sent it.
    pub side: Side,
    /// Its bytes, as far as they were captured.
    pub bytes: &'a [u8],
    /// Its length on the wire; more than `bytes` where a snap length cut it.
    pub original_len: usize,
    /// When and in which packet it came. For one put together of fragments: its first fragment.
    pub mark: Mark,
    /// When and in which packet its last fragment came; equal to `mark` for a whole one.
    pub last: Mark,
    /// 0 for the first message of this side, and so on. Makes [`wirewise_model::Track::offset`].
    pub ordinal: u64,
    /// What carried it.
    pub transport: Transport,
    /// By side: its port.
    pub ports: [u16; 2],
}

impl Datagram<'_> {
    /// The track of a message that is this datagram.
    pub fn track(&self) -> wirewise_model::Track {
        let mut track = wirewise_model::Track::begin(self.ordinal, self.mark);
        track.extend(self.mark, self.original_len as u64);
        track.extend(self.last, 0);
        track
    }

    /// Whether a snap length cut it.
    pub fn is_cut(&self) -> bool {
        self.bytes.len() < self.original_len
    }
}

/// What became of the bytes that a dissector was fed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fed {
    /// How many of them, from the front, need not be shown again.
    pub consumed: usize,
    /// How it goes on. `Continue` with bytes left over means: more is needed before these make sense.
    pub verdict: Verdict,
}

impl Fed {
    /// `consumed` bytes are done with; go on.
    pub fn go_on(consumed: usize) -> Self {
        Self { consumed, verdict: Verdict::Continue }
    }
}

/// How a dissector goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As before.
    Continue,
    /// What follows on this flow, from the first byte that was not consumed, is another protocol: the one of
    /// that name, or whatever a fresh probe finds.
    Upgrade(Option<&'static str>),
    /// This cannot be read any further. The flow may be probed anew.
    GiveUp(Reason),
}

/// Why a flow, or one side of it, is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// FIN, or an orderly shutdown.
    Fin,
    /// RST or ABORT.
    Reset,
    /// It fell silent.
    TimedOut,
    /// The capture ended while it was open.
    CaptureEnded,
    /// The flow table was full.
    Evicted,
}

/// How long an unanswered request must have waited when the capture ends to be called `no_response`: as long
/// as resolvers wait by default (resolv.conf(5), 5 s). Sooner, nobody can say what would have come.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(5);

impl End {
    /// Closes an exchange whose response never came, or never came whole: sets outcome and notes.
    pub fn close(self, exchange: &mut Exchange, at: Timestamp) {
        let asked = exchange.request.as_ref().map(|request| request.track.last.at);
        exchange.outcome = match (self, &exchange.response) {
            (_, Some(_)) if exchange.complete => exchange.outcome,
            (Self::Fin | Self::Reset, Some(_)) => Outcome::Aborted,
            (Self::Fin | Self::Reset | Self::TimedOut, None) => Outcome::NoResponse,
            (Self::TimedOut, Some(_)) => Outcome::Aborted,
            (Self::CaptureEnded, None) if asked.is_some_and(|asked| at.since(asked) >= PATIENCE) => {
                Outcome::NoResponse
            }
            (Self::CaptureEnded | Self::Evicted, _) => Outcome::Unknown,
        };
        match self {
            Self::Fin => {}
            Self::Reset => exchange.note("reset"),
            Self::TimedOut => exchange.note("timed_out"),
            Self::CaptureEnded => exchange.note("capture_ended"),
            Self::Evicted => exchange.note("evicted"),
        }
    }
}

/// Where dissectors put what they find.
#[derive(Debug, Default)]
pub struct Out {
    /// Exchanges that are over.
    pub exchanges: Vec<Exchange>,
    /// What a TLS handshake showed of the flow; the latest holds.
    pub tls: Option<Box<TlsInfo>>,
    /// Consumed bytes that carried no meaning, and why: out of step, after a gap.
    pub skipped: Vec<(Reason, u64)>,
    /// With [`Verdict::Upgrade`]: the exchange that agreed on it, for the protocol that goes on.
    pub handed: Option<Box<Exchange>>,
}

impl Out {
    /// `bytes` of those consumed were passed over.
    pub fn skip(&mut self, reason: Reason, bytes: u64) {
        if bytes > 0 {
            self.skipped.push((reason, bytes));
        }
    }
}

/// Reads a byte stream of two sides. State is bounded by `Limits`; an idle one should be small, since a
/// million of them may wait.
pub trait Stream: Send {
    /// The flow was another protocol's, and this exchange of it agreed to go on in this one. Called once, before
    /// any bytes.
    fn inherit(&mut self, _agreed: Exchange) {}

    /// Takes what it can from the front of `input`.
    fn feed(&mut self, input: Input<'_>, out: &mut Out) -> Fed;

    /// The next `len` bytes of `side` will never come. What was fed and not consumed before them is gone.
    fn gap(&mut self, side: Side, len: u64, out: &mut Out) -> Verdict;

    /// One side is over (`Some`), or the whole flow is (`None`): nothing more will come. `last` is the packet
    /// that ended it, or the last that was heard.
    fn end(&mut self, side: Option<Side>, why: End, last: Mark, out: &mut Out);

    /// Time passes: gives up what has waited too long. Called about once a second while [`Stream::waiting`].
    fn tick(&mut self, now: Timestamp, out: &mut Out);

    /// Copies of the exchanges that are under way, with outcome `open`.
    fn open(&self, out: &mut Out);

    /// Whether any exchange is under way.
    fn waiting(&self) -> bool;
}

/// Reads messages of two sides. As [`Stream`], but every message is whole or cut, never split.
pub trait Messages: Send {
    /// Takes one message.
    fn feed(&mut self, message: Datagram<'_>, out: &mut Out) -> Verdict;

    /// The flow is over; `last` was its last packet.
    fn end(&mut self, why: End, last: Mark, out: &mut Out);

    /// Time passes.
    fn tick(&mut self, now: Timestamp, out: &mut Out);

    /// Copies of the exchanges that are under way, with outcome `open`.
    fn open(&self, out: &mut Out);

    /// Whether any exchange is under way.
    fn waiting(&self) -> bool;
}
