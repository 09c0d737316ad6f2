//! Protocol lines, and the headers of messages: pure and bounded.

use serde_json::Value;

/// Bytes of a subject that are kept.
const SUBJECT_KEPT: usize = 512;
/// Bytes of a name that are kept.
const NAME_KEPT: usize = 128;
/// No payload is larger: `max_payload` may be 64 MiB.
const MOST_PAYLOAD: u64 = 1 << 30;

/// What a line says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Line {
    Info(Info),
    Connect(Connect),
    Publish(Publish),
    Subscribe { subject: String, queue: Option<String>, sid: String },
    Unsubscribe { sid: String, max: Option<u64> },
    Ping,
    Pong,
    Ok,
    Error(String),
}

/// PUB and HPUB of a client, MSG and HMSG of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Publish {
    pub(super) operation: &'static str,
    pub(super) subject: String,
    pub(super) sid: Option<String>,
    pub(super) reply: Option<String>,
    /// Bytes of headers.
    pub(super) headers: u64,
    /// Bytes of headers and payload.
    pub(super) total: u64,
}

/// What is kept of INFO.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Info {
    pub(super) server: Option<String>,
    pub(super) version: Option<String>,
    pub(super) tls_required: bool,
}

/// What is kept of CONNECT: never a password, token, JWT or signature.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Connect {
    pub(super) verbose: bool,
    pub(super) name: Option<String>,
    pub(super) user: Option<String>,
    /// Language and version of the client's library.
    pub(super) agent: Option<String>,
}

/// Who may say a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    Client,
    Server,
    Either,
}

impl Line {
    pub(super) fn speaker(&self) -> Speaker {
        match self {
            Self::Connect(_) | Self::Subscribe { .. } | Self::Unsubscribe { .. } => Speaker::Client,
            Self::Info(_) | Self::Ok | Self::Error(_) => Speaker::Server,
            Self::Ping | Self::Pong => Speaker::Either,
            Self::Publish(publish) if publish.sid.is_some() => Speaker::Server,
            Self::Publish(_) => Speaker::Client,
        }
    }
}

/// A line without its end. `None` where it is none of this protocol.
pub(super) fn line(bytes: &[u8]) -> Option<Line> {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let end = bytes.iter().position(blank).unwrap_or(bytes.len());
    let (verb, rest) = bytes.split_at(end);
    let rest = rest.trim_ascii();
    let is = |name: &[u8]| verb.eq_ignore_ascii_case(name);
    if is(b"INFO") || is(b"CONNECT") {
        let json = rest.starts_with(b"{").then(|| serde_json::from_slice::<Value>(rest).ok());
        // What cannot be read is INFO still; its braces say so.
        let json = json?.unwrap_or_default();
        return Some(if is(b"INFO") { Line::Info(info(&json)) } else { Line::Connect(connect(&json)) });
    }
    if is(b"-ERR") {
        let words = rest.strip_prefix(b"'").and_then(|rest| rest.strip_suffix(b"'")).unwrap_or(rest);
        return Some(Line::Error(crate::text::printable(&words[..words.len().min(256)])));
    }
    let words: Vec<&[u8]> = rest.split(blank).filter(|word| !word.is_empty()).take(6).collect();
    match (words.as_slice(), ()) {
        ([], ()) if is(b"PING") => Some(Line::Ping),
        ([], ()) if is(b"PONG") => Some(Line::Pong),
        ([], ()) if is(b"+OK") => Some(Line::Ok),
        (words, ()) if is(b"PUB") => publish("PUB", words, false, false),
        (words, ()) if is(b"HPUB") => publish("HPUB", words, false, true),
        (words, ()) if is(b"MSG") => publish("MSG", words, true, false),
        (words, ()) if is(b"HMSG") => publish("HMSG", words, true, true),
        ([subject, sid], ()) if is(b"SUB") => {
            Some(Line::Subscribe { subject: kept(subject)?, queue: None, sid: kept(sid)? })
        }
        ([subject, queue, sid], ()) if is(b"SUB") => {
            Some(Line::Subscribe { subject: kept(subject)?, queue: kept(queue), sid: kept(sid)? })
        }
        ([sid], ()) if is(b"UNSUB") => Some(Line::Unsubscribe { sid: kept(sid)?, max: None }),
        ([sid, max], ()) if is(b"UNSUB") => {
            Some(Line::Unsubscribe { sid: kept(sid)?, max: Some(number(max)?) })
        }
        _ => None,
    }
}

/// `subject [sid] [reply] [headers] total`.
fn publish(operation: &'static str, words: &[&[u8]], has_sid: bool, has_headers: bool) -> Option<Line> {
    let (subject, words) = words.split_first()?;
    let (sid, words) = match has_sid {
        true => words.split_first().map(|(sid, words)| (kept(sid), words))?,
        false => (None, words),
    };
    let (total, words) = words.split_last()?;
    let (headers, words) = match has_headers {
        true => words.split_last().map(|(headers, words)| (number(headers), words))?,
        false => (Some(0), words),
    };
    let reply = match words {
        [] => None,
        [reply] => Some(kept(reply)?),
        _ => return None,
    };
    let (headers, total) = (headers?, number(total)?);
    (headers <= total && has_sid == sid.is_some()).then_some(Line::Publish(Publish {
        operation,
        subject: kept(subject)?,
        sid,
        reply,
        headers,
        total,
    }))
}

/// A subject, a queue, a subscription: printable, as it must be. `None` where it is not.
fn kept(word: &[u8]) -> Option<String> {
    let usual = word.iter().all(|byte| *byte > b' ' && *byte != 0x7f);
    usual.then(|| crate::text::printable(&word[..word.len().min(SUBJECT_KEPT)]))
}

fn number(word: &[u8]) -> Option<u64> {
    std::str::from_utf8(word).ok()?.parse().ok().filter(|number| *number <= MOST_PAYLOAD)
}

fn text(json: &Value, key: &str) -> Option<String> {
    let text = json[key].as_str().filter(|text| !text.is_empty())?;
    Some(crate::text::printable(&text.as_bytes()[..text.floor_char_boundary(NAME_KEPT)]))
}

fn info(json: &Value) -> Info {
    Info {
        server: text(json, "server_name"),
        version: text(json, "version"),
        tls_required: json["tls_required"] == true,
    }
}

fn connect(json: &Value) -> Connect {
    let agent = text(json, "lang").map(|lang| match text(json, "version") {
        Some(version) => format!("nats-{lang}/{version}"),
        None => format!("nats-{lang}"),
    });
    // The server's default is verbose, and all libraries say what they want.
    let verbose = json["verbose"].as_bool().unwrap_or(true);
    Connect { verbose, name: text(json, "name"), user: text(json, "user"), agent }
}

/// What is kept of the headers of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Headers {
    /// `NATS/1.0 503`, and what follows on that line.
    pub(super) status: Option<(u16, String)>,
    pub(super) trace: Option<(String, String)>,
}

/// The headers of HPUB and HMSG.
pub(super) fn headers(bytes: &[u8]) -> Headers {
    let mut lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let mut found = Headers::default();
    let version = lines.next().and_then(|line| line.strip_prefix(b"NATS/1.0"));
    if let Some(status) = version.and_then(|rest| std::str::from_utf8(rest).ok()) {
        let (code, words) = status.trim().split_once(' ').unwrap_or((status.trim(), ""));
        found.status = code.parse().ok().map(|code| {
            (code, crate::text::printable(&words.as_bytes()[..words.floor_char_boundary(NAME_KEPT)]))
        });
    }
    for line in lines {
        if let Some((name, value)) = line.split_at_checked(11)
            && name.eq_ignore_ascii_case(b"traceparent")
            && let Some(value) = value.strip_prefix(b":")
        {
            found.trace = crate::text::traceparent(value);
        }
    }
    found
}

/// The normal form of a subject that names one request or one acknowledgement; `None` of any other.
pub(super) fn endpoint(subject: &str) -> Option<String> {
    if subject.starts_with("_INBOX.") {
        return Some("_INBOX.{id}".to_owned());
    }
    let rest = subject.strip_prefix("$JS.ACK.")?;
    let mut parts = rest.split('.');
    Some(format!("$JS.ACK.{}.{}.{{id}}", parts.next()?, parts.next()?))
}
