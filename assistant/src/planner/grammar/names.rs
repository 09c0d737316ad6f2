//! Names in a question, found among those that the data set knows; and strangers, where a name must stand and none
//! that is known does.

use std::collections::BTreeSet;
use std::net::IpAddr;

use wirewise_tools::{Names, nearest};

use super::cues::{self, Cue};
use super::slots::{EndpointAsked, Slots};
use super::words::{Role, Word};

/// A word that stands where a name must, and is none that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stranger {
    /// As it was written.
    pub(crate) name: String,
    /// The nearest known ones.
    pub(crate) near: Vec<String>,
    /// Whether the sentence makes it a name, as `to` and `of` do.
    pub(crate) in_place: bool,
}

/// What a word names.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Named {
    Service(String),
    Host(String),
    /// A name that was asked for over DNS.
    Asked(String),
    /// Paths that have it as a segment.
    Paths(Vec<String>),
}

/// Words that stand before a name.
const OPENERS: &[&str] = &[
    "of", "to", "from", "by", "for", "in", "on", "at", "with", "between", "and", "is", "are", "does", "do",
    "did", "has", "about", "why", "call", "calls", "called", "calling", "hit", "hits", "use", "uses",
    "using", "reach", "reaches", "contact", "contacts", "invoke", "invokes", "service", "host", "endpoint",
    "workload", "app", "via", "against", "versus", "vs", "query", "queries", "whether", "can", "was",
    "within", "how",
];

/// Words that may stand between an opener and its name.
const LINKS: &[&str] = &["the", "a", "an", "service", "workload", "host", "endpoint", "app", "pod", "server"];

/// Verbs by whose subject a caller is known.
const CALLING: &[&str] = &[
    "call", "calls", "calling", "make", "makes", "made", "making", "send", "sends", "sent", "use", "uses",
    "talk", "talks", "talking", "invoke", "invokes", "hit", "hits", "depend", "depends", "query", "queries",
    "ask", "asks", "contact", "contacts", "reach", "reaches", "connect", "connects", "speak", "speaks",
];

/// Verbs whose object is called. `to` follows some of them.
const CALLED: &[&str] = &[
    "call", "calls", "calling", "use", "uses", "using", "invoke", "invokes", "hit", "hits", "query",
    "queries", "contact", "contacts", "reach", "reaches", "access", "accesses",
];

/// The names of a question, as slots; the cues that their places are; the strangers.
pub(crate) fn take(
    words: &mut [Word],
    names: &Names,
    slots: &mut Slots,
    cues: &mut BTreeSet<Cue>,
) -> Vec<Stranger> {
    settle_endpoint(names, slots);
    let mut found: Vec<(usize, String)> = Vec::new();
    for at in 0..words.len() {
        if !words[at].is_free() {
            continue;
        }
        match lookup(words, at, names) {
            Some(Named::Service(service)) => {
                found.push((at, service));
                words[at].role = Role::Name;
            }
            Some(Named::Host(host)) => {
                slots.host.get_or_insert(host);
                cues.insert(Cue::Named);
                words[at].role = Role::Name;
            }
            Some(Named::Asked(asked)) => {
                slots.name.get_or_insert(asked);
                cues.insert(Cue::Dns);
                words[at].role = Role::Name;
            }
            Some(Named::Paths(paths))
                if slots.endpoint.as_ref().is_none_or(|asked| asked.paths.is_empty()) =>
            {
                let operation = slots.endpoint.take().and_then(|asked| asked.operation);
                slots.endpoint = Some(EndpointAsked { operation, paths });
                words[at].role = Role::Name;
            }
            Some(Named::Paths(_)) | None => {}
        }
    }
    let between = words.iter().any(|word| word.text == "between" && word.role != Role::Slot);
    for (place, (at, service)) in found.iter().enumerate() {
        let after_and = between && place > 0;
        give_role(words, *at, service, after_and, slots);
    }
    if slots.endpoint.is_some() || !found.is_empty() {
        cues.insert(Cue::Named);
    }
    if slots.caller.is_some() && found.iter().any(|(at, _)| is_calling(words, *at)) {
        cues.insert(Cue::Calling);
    }
    if slots.callee.is_some() {
        cues.insert(Cue::Called);
    }
    strangers(words, names)
}

/// Writes the endpoint as the data set does: `/orders/:id` is `/orders/{id}`.
fn settle_endpoint(names: &Names, slots: &mut Slots) {
    let Some(asked) = &mut slots.endpoint else { return };
    for path in &mut asked.paths {
        let exact = names.endpoints.iter().find(|known| known.endpoint.eq_ignore_ascii_case(path));
        let held = || {
            let has_hole = path.split('/').any(is_hole);
            names.endpoints.iter().find(|known| has_hole && same_template(&known.endpoint, path))
        };
        if let Some(known) = exact.or_else(held) {
            *path = known.endpoint.clone();
        }
    }
}

/// `{id}`, `:id`, `<id>`, `*`.
fn is_hole(segment: &str) -> bool {
    segment.starts_with([':', '{', '<']) || segment == "*"
}

fn same_template(known: &str, asked: &str) -> bool {
    let (known, asked): (Vec<&str>, Vec<&str>) = (known.split('/').collect(), asked.split('/').collect());
    known.len() == asked.len()
        && known.iter().zip(&asked).all(|(known, asked)| {
            known.eq_ignore_ascii_case(asked) || (known.starts_with('{') && is_hole(asked))
        })
}

/// What the word names. A word that is a cue or says nothing is a name only where one must stand.
fn lookup(words: &[Word], at: usize, names: &Names) -> Option<Named> {
    let word = words[at].text.as_str();
    let ordinary = cues::cue_of(word).is_some() || cues::is_filler(word);
    if let Some(service) = names.service(word) {
        let placed = opened_by(words, at).is_some();
        // `is it the network or the server`: of such words only a strict place makes a name.
        if !ordinary
            || (placed
                && !matches!(
                    cues::cue_of(word),
                    Some(Cue::Network | Cue::Server | Cue::Service | Cue::Call | Cue::Dns)
                ))
        {
            return Some(Named::Service(service.to_owned()));
        }
    }
    if ordinary {
        return None;
    }
    if let Some(host) = names.hosts.iter().find(|known| known.eq_ignore_ascii_case(word)) {
        return Some(Named::Host(host.clone()));
    }
    let asked = names
        .endpoints
        .iter()
        .find(|known| known.protocol == "dns" && known.endpoint.eq_ignore_ascii_case(word));
    if let Some(known) = asked.filter(|_| word.contains('.')) {
        return Some(Named::Asked(known.endpoint.clone()));
    }
    let bare = word.rsplit_once(':').map_or(word, |(address, _)| address);
    if word.parse::<IpAddr>().is_ok() || bare.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4()) {
        return Some(Named::Service(if word.parse::<IpAddr>().is_ok() { word } else { bare }.to_owned()));
    }
    if let Some((_, workload)) = word.split_once('/')
        && let Some(service) = names.service(workload)
    {
        return Some(Named::Service(service.to_owned()));
    }
    near_enough(word, names)
}

/// The other number of a noun, the beginning of one longer name only, a segment of a path.
fn near_enough(word: &str, names: &Names) -> Option<Named> {
    let plural = format!("{word}s");
    for other in [plural.as_str(), word.strip_suffix('s').unwrap_or("")] {
        if other.len() >= 3
            && let Some(service) = names.service(other)
        {
            return Some(Named::Service(service.to_owned()));
        }
    }
    if word.len() >= 3 {
        let mut longer = names.services.iter().filter(|known| {
            let known = known.to_lowercase();
            known.strip_prefix(word).is_some_and(|rest| rest.starts_with(['-', '.', '_', ':', '/']))
        });
        if let (Some(only), None) = (longer.next(), longer.next()) {
            return Some(Named::Service(only.clone()));
        }
    }
    let paths: BTreeSet<&str> = names
        .endpoints
        .iter()
        .filter(|known| known.endpoint.starts_with('/'))
        .filter(|known| {
            known.endpoint.split('/').any(|segment| {
                let segment = segment.to_lowercase();
                word.len() >= 3
                    && (segment == word
                        || segment == plural
                        || segment.strip_suffix('s') == Some(word) && word.len() > 3)
            })
        })
        .map(|known| known.endpoint.as_str())
        .collect();
    (!paths.is_empty()).then(|| Named::Paths(paths.into_iter().take(8).map(str::to_owned).collect()))
}

/// The word that makes a name of the one at `at`: past articles and the like.
fn opened_by(words: &[Word], at: usize) -> Option<&str> {
    let mut before = at;
    while before > 0 {
        before -= 1;
        let word = words[before].text.as_str();
        // `why is orders slow`, but not `which service is best`: there it is what is said of the service.
        let complement = matches!(word, "is" | "are" | "was")
            && before > 0
            && !matches!(
                words[before - 1].text.as_str(),
                "why" | "how" | "whether" | "when" | "and" | "or" | "if" | "what" | "where"
            );
        if complement {
            return None;
        }
        if OPENERS.contains(&word)
            && !(LINKS.contains(&word) && before > 0 && OPENERS.contains(&words[before - 1].text.as_str()))
        {
            return Some(word);
        }
        if !LINKS.contains(&word) {
            return None;
        }
    }
    None
}

fn after(words: &[Word], at: usize) -> &str {
    let next = words[at + 1..]
        .iter()
        .find(|word| !matches!(word.text.as_str(), "service" | "now" | "just" | "also" | "not" | "really"));
    next.map_or("", |word| word.text.as_str())
}

/// Whether the name there is the subject of a verb of calling.
fn is_calling(words: &[Word], at: usize) -> bool {
    CALLING.contains(&after(words, at))
}

fn give_role(words: &[Word], at: usize, service: &str, after_and: bool, slots: &mut Slots) {
    let opener = opened_by(words, at).unwrap_or("");
    let before_that = |opener: &str| {
        let place = words[..at].iter().rposition(|word| word.text == opener)?;
        place.checked_sub(1).map(|place| words[place].text.as_str())
    };
    let mut fill = |slot: fn(&mut Slots) -> &mut Option<String>| {
        let slot = slot(slots);
        if slot.is_none() {
            *slot = Some(service.to_owned());
        }
    };
    match opener {
        "between" => fill(|slots| &mut slots.caller),
        "and" if after_and => {
            fill(|slots| &mut slots.callee);
            slots.both_ways = true;
        }
        "from" => fill(|slots| &mut slots.caller),
        // `called by orders`, `requests made by gateway`; but `errors caused by orders`.
        "by" if matches!(
            before_that("by"),
            Some("called" | "made" | "sent" | "used" | "calls" | "requests" | "invoked" | "hit" | "issued")
        ) =>
        {
            fill(|slots| &mut slots.caller);
        }
        _ if is_calling(words, at) && !matches!(opener, "to") => fill(|slots| &mut slots.caller),
        // `connections to payments`, but `what happened to payments`.
        "to" if !matches!(before_that("to"), Some("happened" | "happening" | "happens" | "wrong" | "up")) => {
            fill(|slots| &mut slots.callee)
        }
        "on" if matches!(before_that("on"), Some("depend" | "depends" | "dependent" | "rely" | "relies")) => {
            fill(|slots| &mut slots.callee)
        }
        opener if CALLED.contains(&opener) => fill(|slots| &mut slots.callee),
        // `latency of gateway to orders`.
        _ if after(words, at) == "to" => fill(|slots| &mut slots.caller),
        // `which services does payments get called by`, `calls did payments receive`.
        _ if matches!(
            after(words, at),
            "receive" | "received" | "serve" | "served" | "get" | "got" | "handle" | "handled"
        ) =>
        {
            fill(|slots| &mut slots.callee);
        }
        _ => fill(|slots| &mut slots.subject),
    }
}

/// Words that nothing reads, and that stand where a name must or are like one.
fn strangers(words: &[Word], names: &Names) -> Vec<Stranger> {
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate().filter(|(_, word)| word.is_free()) {
        let text = word.text.as_str();
        if cues::cue_of(text).is_some() || cues::is_filler(text) {
            continue;
        }
        let mut near = nearest(text, names.services.iter().map(String::as_str));
        if near.is_empty() {
            near = nearest(text, names.hosts.iter().map(String::as_str));
        }
        let near: Vec<String> = near.into_iter().map(str::to_owned).collect();
        // `my`, `your`: somebody's, and none of the data set's.
        let somebodys = at > 0
            && matches!(words[at - 1].text.as_str(), "my" | "your" | "our" | "his" | "her" | "their" | "me");
        let shaped = text.len() > 3 && text.contains(['-', '.', '_', '/']) && !text.contains("://");
        let placed = opened_by(words, at).is_some() || is_calling(words, at);
        if !near.is_empty() || ((placed || shaped) && !somebodys) {
            found.push(Stranger { name: word.raw.clone(), near, in_place: placed || shaped });
        }
    }
    found
}
