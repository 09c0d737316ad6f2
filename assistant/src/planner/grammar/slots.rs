//! What a question holds besides its cues: statistics, statuses, limits, thresholds, protocols, dimensions, ids.
//! Names are read in [`super::names`], times in [`super::when`].

use wirewise_model::PROTOCOLS;
use wirewise_tools::parse_duration;

use super::when::{self, When};
use super::words::{Role, Word};

/// A statistic of durations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Stat {
    /// A percentile: 99.0.
    Percent(f64),
    /// The mean.
    Average,
    /// The longest.
    Most,
    /// The shortest.
    Least,
}

impl Stat {
    /// As people say it: `p99`.
    pub(crate) fn told(self) -> String {
        match self {
            Self::Percent(percent) => format!("p{percent}"),
            Self::Average => "average".to_owned(),
            Self::Most => "longest".to_owned(),
            Self::Least => "shortest".to_owned(),
        }
    }
}

/// What an answer is broken down by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Caller,
    Service,
    Endpoint,
    Edge,
    Version,
    Instance,
    Status,
    Protocol,
    Host,
    Operation,
}

impl By {
    /// The columns of `calls` that make it, and what each is called.
    pub(crate) fn columns(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Caller => &[("client_workload", "client")],
            Self::Service => &[("server_workload", "service")],
            Self::Endpoint => {
                &[("server_workload", "service"), ("operation", "operation"), ("endpoint", "endpoint")]
            }
            Self::Edge => &[("client_workload", "client"), ("server_workload", "service")],
            Self::Version => &[("server_workload", "service"), ("server_version", "version")],
            Self::Instance => {
                &[("server_workload", "service"), ("server_version", "version"), ("server_ip", "address")]
            }
            Self::Status => &[("protocol", "protocol"), ("status", "status"), ("outcome", "outcome")],
            Self::Protocol => &[("protocol", "protocol")],
            Self::Host => &[("host", "host")],
            Self::Operation => &[("operation", "operation")],
        }
    }

    /// One of them, as people say it.
    pub(crate) fn told(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Service => "service",
            Self::Endpoint => "endpoint",
            Self::Edge => "edge",
            Self::Version => "version",
            Self::Instance => "instance",
            Self::Status => "status",
            Self::Protocol => "protocol",
            Self::Host => "host",
            Self::Operation => "operation",
        }
    }
}

/// An endpoint that is asked for. Of several paths each fits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct EndpointAsked {
    /// `GET`.
    pub(crate) operation: Option<String>,
    /// As the data set writes them where it knows them, else as they were asked for.
    pub(crate) paths: Vec<String>,
}

impl EndpointAsked {
    /// `GET /orders`.
    pub(crate) fn told(&self) -> String {
        let paths = self.paths.join(" or ");
        match &self.operation {
            Some(operation) if paths.is_empty() => format!("{operation} requests"),
            Some(operation) => format!("{operation} {paths}"),
            None => paths,
        }
    }
}

/// Everything that a question names.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Slots {
    /// The service that is asked about, neither as caller nor as callee.
    pub(crate) subject: Option<String>,
    /// The service that calls.
    pub(crate) caller: Option<String>,
    /// The service that is called.
    pub(crate) callee: Option<String>,
    /// Whether caller and callee may change places (`between A and B`).
    pub(crate) both_ways: bool,
    pub(crate) endpoint: Option<EndpointAsked>,
    pub(crate) host: Option<String>,
    pub(crate) protocol: Option<String>,
    /// `503`, `5xx`, `NXDOMAIN`.
    pub(crate) status: Option<String>,
    /// `server_error`, where somebody asked for that side's errors.
    pub(crate) outcome: Option<&'static str>,
    pub(crate) stats: Vec<Stat>,
    pub(crate) by: Option<By>,
    pub(crate) limit: Option<usize>,
    pub(crate) at_least_ms: Option<f64>,
    pub(crate) when: Vec<When>,
    /// Versions of the server: `v2`.
    pub(crate) versions: Vec<String>,
    /// A name that was asked for over DNS.
    pub(crate) name: Option<String>,
    /// A call's or flow's id, or how it begins.
    pub(crate) id: Option<String>,
}

const STATUSES: &[(&str, &str)] = &[
    ("nxdomain", "NXDOMAIN"),
    ("nxdomains", "NXDOMAIN"),
    ("servfail", "SERVFAIL"),
    ("servfails", "SERVFAIL"),
    ("formerr", "FORMERR"),
];

const OPERATIONS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options", "trace", "connect"];

/// Protocols whose names mean something else more often: questions about them have words of their own.
const SAID_OTHERWISE: &[&str] = &["dns", "icmp", "tls", "tcp", "udp"];

const NUMBERS: &[(&str, usize)] = &[
    ("one", 1),
    ("two", 2),
    ("three", 3),
    ("four", 4),
    ("five", 5),
    ("six", 6),
    ("seven", 7),
    ("eight", 8),
    ("nine", 9),
    ("ten", 10),
    ("twenty", 20),
];

/// Reads everything but names, and marks the words.
pub(crate) fn take(words: &mut [Word]) -> Slots {
    let mut slots = Slots::default();
    take_id(words, &mut slots);
    take_endpoint(words, &mut slots);
    slots.when = when::take(words);
    take_threshold(words, &mut slots);
    take_limit(words, &mut slots);
    take_stats(words, &mut slots);
    take_status(words, &mut slots);
    take_dimension(words, &mut slots);
    take_versions(words, &mut slots);
    for word in words.iter_mut().filter(|word| word.is_free()) {
        let text = word.text.as_str();
        if PROTOCOLS.contains(&text) && !SAID_OTHERWISE.contains(&text) && slots.protocol.is_none() {
            // Its role stays free: it may name a service too.
            slots.protocol = Some(word.text.clone());
        }
    }
    slots
}

fn text(words: &[Word], at: usize) -> &str {
    words.get(at).map_or("", |word| word.text.as_str())
}

fn take_id(words: &mut [Word], slots: &mut Slots) {
    for at in 0..words.len() {
        let word = words[at].text.as_str();
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let plain = word.starts_with(['c', 'f']) && word.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let announced = at > 0 && matches!(text(words, at - 1), "call" | "flow" | "show" | "id" | "open");
        if plain && digits >= 2 && (word.len() == 27 || (announced && (4..27).contains(&word.len()))) {
            slots.id = Some(words[at].text.clone());
            words[at].role = Role::Slot;
            return;
        }
    }
}

/// `GET /orders/{id}`, `/orders`, `POST requests`.
fn take_endpoint(words: &mut [Word], slots: &mut Slots) {
    let is_operation = |at: usize| OPERATIONS.contains(&text(words, at));
    if let Some(at) = (0..words.len())
        .find(|&at| words[at].text.starts_with('/') && words[at].text.len() > 1 || words[at].text == "/")
    {
        let operation = (at > 0 && is_operation(at - 1)).then(|| words[at - 1].text.to_uppercase());
        if operation.is_some() {
            words[at - 1].role = Role::Slot;
        }
        let path = words[at].raw.clone();
        words[at].role = Role::Slot;
        slots.endpoint = Some(EndpointAsked { operation, paths: vec![path] });
        return;
    }
    // In capitals a method is one wherever it stands; else only before `requests`.
    let found = (0..words.len()).find(|&at| {
        let shouted = words[at].raw.len() >= 3 && words[at].raw.bytes().all(|byte| byte.is_ascii_uppercase());
        is_operation(at)
            && (shouted || matches!(text(words, at + 1), "requests" | "calls"))
            && words[at].raw != "get"
    });
    if let Some(at) = found {
        slots.endpoint =
            Some(EndpointAsked { operation: Some(words[at].text.to_uppercase()), paths: Vec::new() });
        words[at].role = Role::Slot;
    }
}

/// `over 500ms`, `slower than 1 s`, `> 200 ms`.
fn take_threshold(words: &mut [Word], slots: &mut Slots) {
    for at in 0..words.len() {
        let opens = match text(words, at) {
            "over" | "above" | ">" | ">=" | "exceeding" => true,
            "than" => at > 0 && matches!(text(words, at - 1), "longer" | "slower" | "more" | "greater"),
            "least" => at > 0 && text(words, at - 1) == "at",
            _ => false,
        };
        if !opens || !words.get(at + 1).is_some_and(Word::is_free) {
            continue;
        }
        let one = parse_duration(text(words, at + 1)).map(|span| (span, 1));
        let two = || {
            parse_duration(&format!("{} {}", text(words, at + 1), text(words, at + 2))).map(|span| (span, 2))
        };
        if let Some((span, used)) = one.or_else(two) {
            slots.at_least_ms = Some(span.as_secs_f64() * 1000.0);
            words[at..=at + used].iter_mut().for_each(|word| word.role = Role::Slot);
            if text(words, at) == "than" || text(words, at) == "least" {
                words[at - 1].role = Role::Slot;
            }
            return;
        }
    }
}

/// `top 5`, `5 slowest`, `last 10 calls`.
fn take_limit(words: &mut [Word], slots: &mut Slots) {
    const MOST: usize = 50;
    let number = |at: usize| -> Option<usize> {
        let word = words.get(at).filter(|word| word.is_free())?.text.as_str();
        let worded = NUMBERS.iter().find(|(name, _)| *name == word).map(|(_, number)| *number);
        worded.or_else(|| if word.len() <= 4 { word.parse().ok() } else { None }).filter(|number| *number > 0)
    };
    let found = (0..words.len()).find(|&at| {
        number(at).is_some()
            && ((at > 0
                && matches!(
                    text(words, at - 1),
                    "top" | "first" | "last" | "worst" | "slowest" | "busiest" | "newest" | "show" | "list"
                ))
                || matches!(
                    text(words, at + 1),
                    "slowest"
                        | "busiest"
                        | "most"
                        | "worst"
                        | "newest"
                        | "latest"
                        | "examples"
                        | "highest"
                        | "slow"
                        | "failed"
                ))
    });
    if let Some(at) = found {
        // `show 404s` is a status, `show 404 errors` too.
        let status = at > 0
            && matches!(text(words, at - 1), "show" | "list")
            && number(at).is_some_and(|number| number >= 100);
        if !status {
            slots.limit = number(at).map(|number| number.min(MOST));
            words[at].role = Role::Slot;
        }
    }
}

fn take_stats(words: &mut [Word], slots: &mut Slots) {
    for at in 0..words.len() {
        if !words[at].is_free() {
            continue;
        }
        let stat = match text(words, at) {
            "median" | "typical" | "typically" => Some((Stat::Percent(50.0), 1)),
            "average" | "avg" | "mean" => Some((Stat::Average, 1)),
            "max" | "maximum" | "longest" => Some((Stat::Most, 1)),
            "min" | "minimum" | "fastest" | "quickest" | "shortest" => Some((Stat::Least, 1)),
            word => percentile(word).map(|percent| (Stat::Percent(percent), 1)).or_else(|| {
                let digits = word.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
                let percent: f64 = digits.parse().ok()?;
                let named = matches!(text(words, at + 1), "percentile" | "percentiles" | "pct" | "%ile");
                (named && percent > 0.0 && percent < 100.0).then_some((Stat::Percent(percent), 2))
            }),
        };
        let Some((stat, used)) = stat else { continue };
        // `what do you mean`.
        if words[at].text == "mean" && at > 0 && matches!(text(words, at - 1), "you" | "that" | "it" | "this")
        {
            continue;
        }
        if !slots.stats.contains(&stat) {
            slots.stats.push(stat);
        }
        words[at..at + used].iter_mut().for_each(|word| word.role = Role::Slot);
    }
}

/// `p99`, `p99.9`, `p999`: the percentile in percent.
fn percentile(word: &str) -> Option<f64> {
    let digits = word.strip_prefix('p')?.trim_end_matches('s');
    let well = digits.len() >= 2
        && digits.len() <= 6
        && digits.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if !well {
        return None;
    }
    let percent: f64 = if digits.contains('.') || digits.len() == 2 {
        digits.parse().ok()?
    } else if !digits.starts_with('9') {
        return None;
    } else {
        // p999 is 99.9.
        format!("{}.{}", &digits[..2], &digits[2..]).parse().ok()?
    };
    (percent > 0.0 && percent < 100.0).then_some(percent)
}

fn take_status(words: &mut [Word], slots: &mut Slots) {
    for at in 0..words.len() {
        if !words[at].is_free() {
            continue;
        }
        let word = text(words, at);
        if let Some((_, status)) = STATUSES.iter().find(|(known, _)| *known == word) {
            // A cue of DNS as well: it stays free for the cues.
            slots.status = Some((*status).to_owned());
            continue;
        }
        let bare = word.strip_suffix('s').unwrap_or(word);
        let bytes = bare.as_bytes();
        let class = bytes.len() == 3 && (b'1'..=b'5').contains(&bytes[0]) && &bytes[1..] == b"xx";
        let code =
            bytes.len() == 3 && (b'1'..=b'5').contains(&bytes[0]) && bytes.iter().all(u8::is_ascii_digit);
        if class || code {
            slots.status = Some(bare.to_owned());
            words[at].role = Role::Slot;
        } else if matches!(text(words, at + 1), "error" | "errors" | "failure" | "failures") {
            match word {
                "server" => slots.outcome = Some("server_error"),
                "client" => slots.outcome = Some("client_error"),
                _ => continue,
            }
            words[at].role = Role::Slot;
            words[at + 1].role = Role::Free;
        }
    }
}

/// What a word is a dimension of.
fn dimension(word: &str) -> Option<By> {
    Some(match word {
        "caller" | "callers" | "client" | "clients" | "consumer" | "source" | "sources" => By::Caller,
        "service" | "services" | "workload" | "workloads" | "server" | "servers" | "callee" | "app" => {
            By::Service
        }
        "endpoint" | "endpoints" | "route" | "routes" | "path" | "paths" | "url" | "urls" | "api" => {
            By::Endpoint
        }
        "edge" | "edges" | "pair" | "pairs" => By::Edge,
        "version" | "versions" => By::Version,
        "instance" | "instances" | "replica" | "replicas" | "pod" | "pods" | "address" | "ip" => By::Instance,
        "status" | "statuses" | "code" | "codes" | "outcome" | "outcomes" => By::Status,
        "protocol" | "protocols" => By::Protocol,
        "host" | "hosts" | "hostname" => By::Host,
        "method" | "methods" | "operation" | "operations" | "verb" => By::Operation,
        _ => return None,
    })
}

/// `by caller`, `per endpoint`, `for each version`.
fn take_dimension(words: &mut [Word], slots: &mut Slots) {
    for at in 1..words.len() {
        let Some(by) = dimension(text(words, at)) else { continue };
        let before = text(words, at - 1);
        let opens = matches!(before, "by" | "per" | "each" | "every")
            || (matches!(before, "the" | "a" | "status")
                && at > 1
                && matches!(text(words, at - 2), "by" | "per"));
        if opens && words[at].is_free() {
            slots.by.get_or_insert(by);
            words[at - 1].role = Role::Filler;
            words[at].role = Role::Slot;
            // `by status code`.
            if by == By::Status && matches!(text(words, at + 1), "code" | "codes") {
                words[at + 1].role = Role::Slot;
            }
        }
    }
}

/// `v2`, `version 2.1`; and `1.2` after TLS, which is the protocol's.
fn take_versions(words: &mut [Word], slots: &mut Slots) {
    let is_number = |text: &str| {
        text.starts_with(|letter: char| letter.is_ascii_digit())
            && text.len() <= 16
            && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
    };
    for at in 0..words.len() {
        if !words[at].is_free() {
            continue;
        }
        let word = text(words, at).to_owned();
        let before = if at > 0 { text(words, at - 1) } else { "" };
        if matches!(before, "tls" | "ssl" | "tlsv" | "sslv") && is_number(&word) {
            words[at].role = Role::Slot;
        } else if word.strip_prefix('v').is_some_and(is_number)
            || (matches!(before, "version" | "versions") && is_number(&word))
        {
            slots.versions.push(words[at].raw.clone());
            words[at].role = Role::Slot;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::words::words;
    use super::*;

    fn read(question: &str) -> Slots {
        take(&mut words(question))
    }

    #[test]
    fn percentiles_and_their_like() {
        let check = |question, expect: &[Stat]| assert_eq!(read(question).stats, expect, "{question}");
        check("p99 of orders", &[Stat::Percent(99.0)]);
        check("p50, p99.9 and p999", &[Stat::Percent(50.0), Stat::Percent(99.9)]);
        check("the 95th percentile", &[Stat::Percent(95.0)]);
        check("median latency", &[Stat::Percent(50.0)]);
        check("average and max", &[Stat::Average, Stat::Most]);
        check("what do you mean", &[]);
        check("p0 p100 p1000000", &[]);
    }

    #[test]
    fn statuses_limits_and_thresholds() {
        assert_eq!(read("how many 404s").status.as_deref(), Some("404"));
        assert_eq!(read("5xx by service").status.as_deref(), Some("5xx"));
        assert_eq!(read("5xx by service").by, Some(By::Service));
        assert_eq!(read("NXDOMAIN").status.as_deref(), Some("NXDOMAIN"));
        assert_eq!(read("show 500 errors").status.as_deref(), Some("500"));
        assert_eq!(read("show 500 errors").limit, None);
        assert_eq!(read("top 5 endpoints").limit, Some(5));
        assert_eq!(read("five slowest calls").limit, Some(5));
        assert_eq!(read("last 10 calls").limit, Some(10));
        assert_eq!(read("calls over 500ms").at_least_ms, Some(500.0));
        assert_eq!(read("slower than 1.5 s").at_least_ms, Some(1500.0));
        assert_eq!(read("errors over the last 10 minutes").at_least_ms, None);
        assert_eq!(read("server errors of orders").outcome, Some("server_error"));
    }

    #[test]
    fn endpoints_and_ids() {
        let endpoint = read("p99 of GET /orders/{id} by caller").endpoint.unwrap();
        assert_eq!(
            (endpoint.operation.as_deref(), endpoint.paths.as_slice()),
            (Some("GET"), &["/orders/{id}".to_owned()][..])
        );
        assert_eq!(read("how many POST requests").endpoint.unwrap().operation.as_deref(), Some("POST"));
        assert_eq!(read("get the slowest calls").endpoint, None);
        assert_eq!(read("show call c01abc").id.as_deref(), Some("c01abc"));
        assert_eq!(
            read("what is c0123456789abcdefghjkmnpqrs").id.as_deref(),
            Some("c0123456789abcdefghjkmnpqrs")
        );
        assert_eq!(read("show calls from checkout2").id, None);
    }
}
