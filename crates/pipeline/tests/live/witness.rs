//! What tshark says of the same packets: its fields a packet, and which packets are a call's first and last.
//!
//! tshark reassembles; a message of several segments is told with the packet that ends it, and `tcp.segment` names those
//! that brought the rest.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use wirewise_model::Timestamp;

use crate::ground::Ground;
use crate::hearing::FILE;

const FIXED: &[&str] = &[
    "frame.number",
    "frame.time_epoch",
    "tcp.stream",
    "tcp.srcport",
    "tcp.dstport",
    "tcp.len",
    "tcp.segment",
];
/// Fields of the frames of HTTP/2.
pub(crate) const STREAMS: [&str; 3] = ["http2.streamid", "http2.type", "http2.flags"];
/// Ports that tshark does not know, in its own words.
const DECODE_AS: &[&str] = &["tcp.port==50051,http2"];
/// Between several values of one field. No field that is asked for holds it.
const BETWEEN: char = '\u{1f}';

/// First and last packet of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Pair {
    pub(crate) first: u64,
    pub(crate) last: u64,
}

/// A packet, with the values of the fields that a scenario asked for.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) number: u64,
    /// `None` outside of TCP.
    pub(crate) stream: Option<u64>,
    pub(crate) from: u16,
    pub(crate) to: u16,
    /// Bytes of TCP's payload.
    pub(crate) len: u64,
    /// The first packet of the message that ends here.
    pub(crate) begins: u64,
    fields: HashMap<&'static str, Vec<String>>,
}

impl Row {
    /// All values of a field, in the packet's order.
    pub(crate) fn all(&self, field: &str) -> &[String] {
        self.fields.get(field).unwrap_or_else(|| panic!("{field} was not asked for"))
    }

    pub(crate) fn has(&self, field: &str) -> bool {
        !self.all(field).is_empty()
    }

    pub(crate) fn value(&self, field: &str) -> Option<&str> {
        self.all(field).first().map(String::as_str)
    }

    /// Bytes, which tshark gives in hexadecimal, as far as they are text.
    pub(crate) fn text(&self, field: &str) -> String {
        let bytes = self.value(field).and_then(|digits| hex::decode(digits).ok()).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    pub(crate) fn number_of(&self, field: &str) -> Option<u64> {
        self.value(field)?.parse().ok()
    }
}

/// All packets of a scenario.
pub(crate) struct Rows {
    pub(crate) rows: Vec<Row>,
    times: BTreeMap<u64, Timestamp>,
}

impl Rows {
    /// Asks tshark.
    pub(crate) fn of(ground: &Ground, fields: &'static [&'static str]) -> Self {
        let mut tshark = ground.command("tshark");
        tshark.args(["-n", "-2", "-r", FILE, "-T", "fields", "-E", "occurrence=a", "-E", "separator=/t"]);
        for rule in DECODE_AS {
            tshark.args(["-d", rule]);
        }
        tshark.arg("-E").arg(format!("aggregator={BETWEEN}"));
        for field in FIXED.iter().chain(fields) {
            tshark.args(["-e", field]);
        }
        let text = ground.run(&mut tshark);
        let mut times = BTreeMap::new();
        let mut rows = Vec::new();
        for line in text.lines() {
            let mut columns = line.split('\t').map(values);
            let mut next = || columns.next().unwrap_or_default();
            let [number, at, stream, from, to, len, segments] = std::array::from_fn(|_| next());
            let whole = |values: &[String]| values.first().and_then(|value| value.parse::<u64>().ok());
            let number = whole(&number).unwrap();
            times.insert(number, nanos(&at[0]));
            rows.push(Row {
                number,
                stream: whole(&stream),
                from: whole(&from).unwrap_or(0) as u16,
                to: whole(&to).unwrap_or(0) as u16,
                len: whole(&len).unwrap_or(0),
                begins: segments.iter().filter_map(|number| number.parse().ok()).min().unwrap_or(number),
                fields: fields.iter().map(|field| (*field, next())).collect(),
            });
        }
        Self { rows, times }
    }

    /// How long that pair took, by tshark's times.
    pub(crate) fn took(&self, pair: Pair) -> Option<Duration> {
        Some(self.times.get(&pair.last)?.since(*self.times.get(&pair.first)?))
    }

    /// Calls of a connection where one waits for the other: a call begins with each packet to `port` that `begins`
    /// says so of, as often as it says, and is over with the last payload from there, that `answers`, before the next
    /// begins.
    pub(crate) fn turns(
        &self,
        port: u16,
        begins: impl Fn(&Row) -> usize,
        answers: impl Fn(&Row) -> bool,
    ) -> Vec<Pair> {
        let mut open: BTreeMap<u64, (u64, usize, Option<u64>)> = BTreeMap::new();
        let mut pairs = Vec::new();
        let mut close = |(first, count, last): (u64, usize, Option<u64>)| {
            pairs
                .extend(last.map(|last| Pair { first, last }).into_iter().flat_map(|pair| vec![pair; count]));
        };
        for row in self.rows.iter().filter(|row| row.len > 0) {
            let Some(stream) = row.stream else { continue };
            if row.to == port {
                let count = begins(row);
                if count > 0
                    && let Some(before) = open.insert(stream, (row.begins, count, None))
                {
                    close(before);
                }
            } else if row.from == port
                && answers(row)
                && let Some((_, _, last)) = open.get_mut(&stream)
            {
                *last = Some(row.number);
            }
        }
        open.into_values().for_each(close);
        pairs
    }

    /// Calls of which tshark itself names the request's packet in the response's: the last such packet of a request
    /// ends it.
    pub(crate) fn answered(&self, request_in: &str) -> Vec<Pair> {
        let mut pairs: BTreeMap<u64, u64> = BTreeMap::new();
        for row in &self.rows {
            if let Some(request) = row.number_of(request_in) {
                pairs.insert(request, row.number);
            }
        }
        pairs.into_iter().map(|(first, last)| Pair { first: self.begins(first), last }).collect()
    }

    /// Streams of HTTP/2 ([`STREAMS`]): from the client's first HEADERS to the server's END_STREAM.
    pub(crate) fn streams(&self, port: u16) -> Vec<Pair> {
        let mut open: BTreeMap<(Option<u64>, String), u64> = BTreeMap::new();
        let mut pairs = Vec::new();
        for row in &self.rows {
            let [ids, kinds, flags] = STREAMS.map(|field| row.all(field));
            for ((id, kind), flags) in ids.iter().zip(kinds).zip(flags) {
                let key = (row.stream, id.clone());
                let ends = u8::from_str_radix(flags.trim_start_matches("0x"), 16).unwrap() & 1 == 1;
                if row.to == port && kind == "1" {
                    open.entry(key).or_insert(row.begins);
                } else if row.from == port
                    && matches!(kind.as_str(), "0" | "1")
                    && ends
                    && let Some(first) = open.remove(&key)
                {
                    pairs.push(Pair { first, last: row.number });
                }
            }
        }
        pairs
    }

    /// The first packet of the message that ends with this one.
    pub(crate) fn begins(&self, number: u64) -> u64 {
        self.rows.iter().find(|row| row.number == number).map_or(number, |row| row.begins)
    }
}

fn values(column: &str) -> Vec<String> {
    if column.is_empty() { Vec::new() } else { column.split(BETWEEN).map(str::to_owned).collect() }
}

/// Seconds and nine digits of a fraction.
fn nanos(epoch: &str) -> Timestamp {
    let (seconds, fraction) = epoch.split_once('.').unwrap_or((epoch, "0"));
    let fraction = format!("{fraction:0<9}");
    Timestamp::from_nanos(
        seconds.parse::<i64>().unwrap() * 1_000_000_000 + fraction[..9].parse::<i64>().unwrap(),
    )
}
