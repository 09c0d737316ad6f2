//! One message as far as its questions, and what every call says of it.

use wirewise_model::{Coverage, Exchange, Kind, Message, Outcome, Side, Track};

use super::names;
use super::parse::{HEADER, Header, Question, Trouble, name_into, question};
use super::reading::Reading;
use crate::Out;

/// Which of the three protocols of one format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flavour {
    Dns,
    /// RFC 6762: messages to everybody, never paired.
    Mdns,
    /// RFC 4795: asked of everybody, answered from an address of its own.
    Llmnr,
}

impl Flavour {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Mdns => "mdns",
            Self::Llmnr => "llmnr",
        }
    }
}

/// A message with where it came from.
#[derive(Debug)]
pub(super) struct Heard<'a> {
    pub(super) side: Side,
    pub(super) bytes: &'a [u8],
    /// Whether a snap length cut it.
    pub(super) cut: bool,
    pub(super) track: Track,
    pub(super) flavour: Flavour,
}

pub(super) fn describe_question(exchange: &mut Exchange, header: Header, question: Option<Question>) {
    exchange.attributes.reserve_exact(12);
    exchange.attribute("dns.id", i64::from(header.id));
    if let Some(question) = question {
        exchange.attribute("dns.question.name", exchange.target.clone());
        exchange.attribute("dns.question.type", names::record_type(question.kind).into_owned());
        if question.class & 0x7FFF != 1 || (question.class != 1 && exchange.protocol != "mdns") {
            exchange.attribute("dns.qry.class", names::class(question.class).into_owned());
        }
    }
    if header.questions != 1 {
        exchange.attribute("dns.count.queries", i64::from(header.questions));
    }
    for (name, set) in [
        ("dns.flags.recdesired", header.recursion_desired()),
        ("dns.flags.checkdisable", header.checking_disabled()),
    ] {
        if set {
            exchange.attribute(name, true);
        }
    }
}

/// Notes what is wrong with the bytes: cut by a snap length, or against the format.
pub(super) fn judge(exchange: &mut Exchange, trouble: Option<Trouble>, cut: bool, trailing: bool) {
    if cut {
        exchange.note("cut");
        exchange.coverage = Coverage::Partial;
    }
    match trouble {
        Some(Trouble::Short) if cut => {}
        Some(_) => exchange.note("malformed"),
        None => {}
    }
    if trailing && !cut {
        exchange.note("trailing_bytes");
    }
}

/// A message as far as its questions.
pub(super) struct Parsed<'a> {
    pub(super) heard: Heard<'a>,
    pub(super) header: Header,
    pub(super) question: Option<Question>,
    /// Where the records begin.
    after: usize,
    pub(super) trouble: Option<Trouble>,
}

impl<'a> Parsed<'a> {
    /// Reads header and questions. `None` where there is not even a header.
    pub(super) fn new(heard: Heard<'a>) -> Option<Self> {
        let header = Header::parse(heard.bytes)?;
        let (first, after, trouble) = match header.questions {
            0 => (None, HEADER, None),
            _ => match question(heard.bytes, HEADER) {
                Ok((first, after)) => (Some(first), after, None),
                Err(trouble) => (None, heard.bytes.len(), Some(trouble)),
            },
        };
        let mut after = after;
        let mut trouble = trouble;
        for _ in 1..header.questions {
            match question(heard.bytes, after) {
                Ok((_, next)) => after = next,
                Err(error) => {
                    trouble.get_or_insert(error);
                    break;
                }
            }
        }
        Some(Self { heard, header, question: first, after, trouble })
    }

    pub(super) fn name(&self) -> String {
        let mut name = String::new();
        if let Some(question) = self.question {
            let room = self.after.saturating_sub(question.name);
            name.reserve_exact(room.min(255));
            // It was walked before, so it can be read.
            let _ = name_into(self.heard.bytes, question.name, &mut name);
        }
        name
    }

    pub(super) fn reading(&self, texts: bool) -> Reading {
        if self.trouble.is_some() {
            return Reading::default();
        }
        Reading::new(self.heard.bytes, self.after, self.header, texts)
    }

    /// A message to everybody: a call of its own, one way.
    pub(super) fn announce(self, out: &mut Out) {
        let reading = self.reading(self.header.is_response());
        let mut exchange = Exchange::new(self.heard.flavour.name(), self.heard.side);
        exchange.kind = Kind::Message;
        exchange.outcome = Outcome::OneWay;
        exchange.complete = true;
        exchange.operation = match (self.header.is_response(), self.header.opcode()) {
            (true, 0) => "response".to_owned(),
            (_, opcode) => names::operation(opcode).into_owned(),
        };
        exchange.target = self.name();
        if let Some(owner) = reading.owner
            && exchange.target.is_empty()
        {
            let mut name = String::new();
            if name_into(self.heard.bytes, owner, &mut name).is_ok() {
                exchange.target = name;
            }
        }
        describe_question(&mut exchange, self.header, self.question);
        if self.header.truncated() {
            exchange.note("truncated");
        }
        judge(&mut exchange, self.trouble.or(reading.trouble), self.heard.cut, reading.trailing);
        reading.tell(self.header, &mut exchange);
        exchange.request = Some(Message::bare(self.heard.track));
        out.exchanges.push(exchange);
    }
}
