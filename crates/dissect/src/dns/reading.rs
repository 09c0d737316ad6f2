//! What the records of a message say, gathered in one walk over them.

use std::fmt::Write as _;

use wirewise_model::Exchange;

use super::names;
use super::parse::{Header, Record, Records, Section, Trouble, name_into, u16_at};
use super::rdata;

/// Text of answers is kept up to about this many bytes, past it the call is noted `answers_omitted`: a
/// message over TCP may hold thousands, and what is asked of them is where a name leads.
const MOST_TEXT: usize = 2048;

/// What an OPT record says (RFC 6891).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Edns {
    pub(super) version: u8,
    pub(super) udp_size: u16,
    pub(super) extended_code: u8,
    pub(super) dnssec_ok: bool,
    /// RFC 7871. Its prefix is part of somebody's address, so only its presence is told.
    pub(super) client_subnet: bool,
}

/// The records of one message.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// Why the walk ended early.
    pub(super) trouble: Option<Trouble>,
    /// Bytes after the last record.
    pub(super) trailing: bool,
    pub(super) edns: Option<Edns>,
    /// RFC 8914: code and words.
    pub(super) extended_error: Option<(u16, String)>,
    /// Signed by TSIG or SIG(0).
    pub(super) signed: bool,
    /// A, AAAA and CNAME of the answers, joined by commas.
    answers: String,
    /// Other records of the answers: `MX 10 mail.example.com`, joined by `; `.
    records: String,
    /// Types of the answers in their order, each once.
    kinds: Vec<u16>,
    omitted: bool,
    ttl: Option<u32>,
    /// Whether an authority is an SOA: the sign of a real "no" (RFC 2308).
    pub(super) negative: bool,
    /// Whether an authority is an NS record.
    pub(super) delegates: bool,
    /// The zone that said no.
    zone: Option<String>,
    /// For transfers: how many answers, and serials of the first and the last one where it is an SOA.
    pub(super) n_answers: u64,
    pub(super) first_serial: Option<u32>,
    pub(super) last_serial: Option<u32>,
    /// The name of the first answer: what an announcement is about.
    pub(super) owner: Option<usize>,
}

impl Reading {
    /// Walks the records that begin at `at`. `texts` says whether the answers' data are wanted as text.
    pub(super) fn new(bytes: &[u8], at: usize, header: Header, texts: bool) -> Self {
        let mut reading = Self::default();
        let mut records = Records::new(bytes, at, header);
        for record in &mut records {
            let read = match record {
                Ok(record) => reading.record(bytes, &record, texts),
                Err(trouble) => Err(trouble),
            };
            if let Err(trouble) = read {
                reading.trouble.get_or_insert(trouble);
            }
        }
        reading.trailing = reading.trouble.is_none() && records.position() < bytes.len();
        reading
    }

    fn record(&mut self, bytes: &[u8], record: &Record, texts: bool) -> Result<(), Trouble> {
        match (record.section, record.kind) {
            (Section::Answer, kind) => self.answer(bytes, record, kind, texts)?,
            (Section::Authority, names::SOA) => {
                self.negative = true;
                if texts {
                    let mut zone = String::new();
                    name_into(bytes, record.name, &mut zone)?;
                    self.zone = Some(zone);
                }
            }
            (Section::Authority, 2) => self.delegates = true,
            (Section::Additional, names::OPT) => self.options(bytes, record)?,
            (Section::Additional, 250 | 24) => self.signed = true,
            (Section::Authority | Section::Additional, _) => {}
        }
        Ok(())
    }

    fn answer(&mut self, bytes: &[u8], record: &Record, kind: u16, texts: bool) -> Result<(), Trouble> {
        self.n_answers += 1;
        if self.n_answers == 1 {
            self.owner = Some(record.name);
        }
        self.last_serial = (kind == names::SOA).then(|| serial(bytes, record)).flatten();
        if self.n_answers == 1 {
            self.first_serial = self.last_serial;
        }
        // Some servers put the OPT record where it does not belong; its "TTL" is none.
        if !texts || kind == names::OPT {
            return Ok(());
        }
        self.ttl = Some(self.ttl.map_or(record.ttl, |ttl| ttl.min(record.ttl)));
        if !self.kinds.contains(&kind) && self.kinds.len() < 16 {
            self.kinds.push(kind);
        }
        if self.answers.len() + self.records.len() > MOST_TEXT {
            self.omitted = true;
            return Ok(());
        }
        if matches!(kind, 1 | 5 | 28) {
            separate(&mut self.answers, ",");
            return rdata::text_into(bytes, record, &mut self.answers);
        }
        separate(&mut self.records, "; ");
        write!(self.records, "{} ", names::record_type(kind)).expect("writing to a string cannot fail");
        let read = rdata::text_into(bytes, record, &mut self.records);
        if self.records.len() > 2 * MOST_TEXT {
            self.omitted = true;
            let end = (0..=MOST_TEXT).rev().find(|&at| self.records.is_char_boundary(at)).unwrap_or(0);
            self.records.truncate(end);
        }
        read
    }

    fn options(&mut self, bytes: &[u8], record: &Record) -> Result<(), Trouble> {
        let [extended_code, version, flags, _] = record.ttl.to_be_bytes();
        let mut edns = Edns {
            version,
            udp_size: record.class,
            extended_code,
            dnssec_ok: flags & 0x80 != 0,
            client_subnet: false,
        };
        let mut rest = bytes.get(record.data.clone()).ok_or(Trouble::Short)?;
        while !rest.is_empty() {
            let (code, length) = (u16_at(rest, 0)?, usize::from(u16_at(rest, 2)?));
            let (option, tail) =
                rest.get(4..).and_then(|rest| rest.split_at_checked(length)).ok_or(Trouble::Malformed)?;
            match code {
                8 => edns.client_subnet = true,
                15 => {
                    let words = option.get(2..).unwrap_or_default();
                    let words = String::from_utf8_lossy(&words[..words.len().min(256)]).into_owned();
                    self.extended_error = Some((u16_at(option, 0)?, words));
                }
                _ => {}
            }
            rest = tail;
        }
        self.edns = Some(edns);
        Ok(())
    }

    /// Puts down what the answers say.
    pub(super) fn tell(self, header: Header, exchange: &mut Exchange) {
        if self.n_answers > 0 {
            exchange.attribute("dns.count.answers", i64::try_from(self.n_answers).unwrap_or(i64::MAX));
        }
        if !self.answers.is_empty() {
            exchange.attribute("dns.answers", self.answers);
        }
        if !self.records.is_empty() {
            exchange.attribute("dns.records", self.records);
        }
        if let [only] = self.kinds[..] {
            exchange.attribute("dns.resp.type", names::record_type(only).into_owned());
        } else if !self.kinds.is_empty() {
            let kinds: Vec<_> = self.kinds.iter().map(|&kind| names::record_type(kind)).collect();
            exchange.attribute("dns.resp.type", kinds.join(","));
        }
        if let Some(ttl) = self.ttl {
            exchange.attribute("dns.ttl", i64::from(ttl));
        }
        if let Some(zone) = self.zone {
            exchange.attribute("dns.soa.zone", zone);
        }
        for (name, count) in
            [("dns.count.auth_rr", header.authorities), ("dns.count.add_rr", header.additionals)]
        {
            if count > 0 {
                exchange.attribute(name, i64::from(count));
            }
        }
        if self.omitted {
            exchange.note("answers_omitted");
        }
        if let Some((code, words)) = self.extended_error {
            exchange.attribute("dns.opt.ext_err.info_code", i64::from(code));
            let name = names::extended_error(code).map_or_else(|| format!("EDE {code}"), str::to_owned);
            exchange.error = Some(if words.is_empty() { name } else { format!("{name}: {words}") });
        }
    }
}

/// The serial of an SOA record: the first of its last five numbers.
fn serial(bytes: &[u8], record: &Record) -> Option<u32> {
    let data = bytes.get(record.data.clone())?;
    super::parse::u32_at(data, data.len().checked_sub(20)?).ok()
}

fn separate(text: &mut String, by: &str) {
    if !text.is_empty() {
        text.push_str(by);
    }
}
