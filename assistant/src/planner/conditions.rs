//! What a question asks for, as conditions of SQL and in words.

use wirewise_model::Window;

use super::compose::{name, quoted};
use super::desk::Desk;
use super::grammar::{EndpointAsked, Slots};

/// Calls whose duration says how fast a server answered.
pub(crate) const TIMED: &str = "kind = 'unary' AND duration_ms IS NOT NULL";

/// Protocols of the plumbing: they answer for no service.
pub(crate) const PLUMBING: &str = "('dns', 'mdns', 'icmp', 'icmpv6', 'tcp', 'udp', 'sctp', 'tls')";

/// Which end the service is that is asked about without a direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SubjectIs {
    Server,
    Client,
    Either,
}

/// A text literal.
pub(crate) fn text(value: &str) -> String {
    let clean: String = value.chars().filter(|letter| *letter != '\0').collect();
    format!("'{}'", clean.replace('\'', "''"))
}

/// That a call began in the window.
pub(crate) fn within(window: Window) -> String {
    within_at("started_at", window)
}

/// That the time in `column` lies in the window.
pub(crate) fn within_at(column: &str, window: Window) -> String {
    format!(
        "{column} >= TIMESTAMP '{}' AND {column} < TIMESTAMP '{}'",
        window.from.rfc3339(),
        window.to.rfc3339()
    )
}

/// That a flow had any of its life in the window.
pub(crate) fn alive_within(window: Window) -> String {
    format!(
        "started_at < TIMESTAMP '{}' AND ended_at >= TIMESTAMP '{}'",
        window.to.rfc3339(),
        window.from.rfc3339()
    )
}

/// That an end of a call has that name.
pub(crate) fn end_is(side: &str, name: &str) -> String {
    let word = text(name);
    format!("({side}_workload = {word} OR {side}_service = {word} OR {side}_ip = {word})")
}

/// The same of a flow, by the same columns.
pub(crate) fn flow_end_is(side: &str, name: &str) -> String {
    let word = text(name);
    format!("({side}_workload = {word} OR {side}_ip = {word})")
}

/// An exact percentile (`0.99`) of `column` where `condition` holds.
pub(crate) fn percentile(column: &str, part: f64, condition: &str) -> String {
    format!("percentile_cont({part}) WITHIN GROUP (ORDER BY {column}) FILTER (WHERE {condition})")
}

fn endpoint_is(asked: &EndpointAsked) -> Vec<String> {
    let mut all = Vec::new();
    if let Some(operation) = &asked.operation {
        all.push(format!("operation = {}", text(operation)));
    }
    if !asked.paths.is_empty() {
        let paths: Vec<String> = asked.paths.iter().map(|path| text(&path.to_lowercase())).collect();
        let list = paths.join(", ");
        all.push(format!("(lower(endpoint) IN ({list}) OR lower(target) IN ({list}))"));
    }
    all
}

fn status_is(status: &str) -> String {
    match status.strip_suffix("xx").and_then(|class| class.parse::<u32>().ok()) {
        Some(class) => format!("(status_code >= {} AND status_code < {})", class * 100, class * 100 + 100),
        None => format!("lower(status) = {}", text(&status.to_lowercase())),
    }
}

/// The ends that are asked for, of calls or of flows by `end`.
pub(crate) fn ends(slots: &Slots, subject: SubjectIs, end: fn(&str, &str) -> String) -> Vec<String> {
    let mut all = Vec::new();
    match (&slots.caller, &slots.callee) {
        (Some(caller), Some(callee)) if slots.both_ways => all.push(format!(
            "(({} AND {}) OR ({} AND {}))",
            end("client", caller),
            end("server", callee),
            end("client", callee),
            end("server", caller)
        )),
        (caller, callee) => {
            all.extend(caller.iter().map(|caller| end("client", caller)));
            all.extend(callee.iter().map(|callee| end("server", callee)));
        }
    }
    if let Some(service) = &slots.subject {
        all.push(match subject {
            SubjectIs::Server => end("server", service),
            SubjectIs::Client => end("client", service),
            SubjectIs::Either => format!("({} OR {})", end("client", service), end("server", service)),
        });
    }
    all
}

/// The calls that are asked for, whenever they were.
pub(crate) fn asked(slots: &Slots, subject: SubjectIs) -> Vec<String> {
    let mut all = ends(slots, subject, end_is);
    if let Some(endpoint) = &slots.endpoint {
        all.extend(endpoint_is(endpoint));
    }
    if let Some(host) = &slots.host {
        all.push(format!("lower(host) = {}", text(&host.to_lowercase())));
    }
    match slots.protocol.as_deref() {
        Some("http") => all.push("protocol IN ('http1', 'http2')".to_owned()),
        Some(protocol) => all.push(format!("protocol = {}", text(protocol))),
        None => {}
    }
    if let Some(status) = &slots.status {
        all.push(status_is(status));
    }
    if let Some(outcome) = slots.outcome {
        all.push(format!("outcome = {}", text(outcome)));
    }
    if !slots.versions.is_empty() {
        // `version 2` may be written `v2` where it runs.
        let written = slots
            .versions
            .iter()
            .flat_map(|version| [version.to_lowercase(), format!("v{}", version.to_lowercase())]);
        let list: Vec<String> = written.map(|version| text(&version)).collect();
        all.push(format!("lower(server_version) IN ({})", list.join(", ")));
    }
    if let Some(least) = slots.at_least_ms {
        all.push(format!("duration_ms >= {least:?}"));
    }
    all
}

/// The calls that are asked for, in the question's window.
pub(crate) fn calls(desk: &Desk, slots: &Slots, subject: SubjectIs) -> String {
    let mut all = vec![within(desk.window)];
    all.extend(asked(slots, subject));
    all.join(" AND ")
}

/// The flows between the ends that are asked for, in the question's window.
pub(crate) fn flows(desk: &Desk, slots: &Slots) -> String {
    let mut all = vec![alive_within(desk.window)];
    all.extend(ends(slots, SubjectIs::Either, flow_end_is));
    all.join(" AND ")
}

/// What narrows the question, in words: ` from gateway to orders`. Empty where nothing does.
pub(crate) fn told(slots: &Slots) -> String {
    let mut words = String::new();
    if let Some(endpoint) = &slots.endpoint {
        words.push_str(&format!(" of {}", quoted(&endpoint.told())));
    }
    if let Some(subject) = &slots.subject {
        words.push_str(&format!(" of {}", name(subject)));
    }
    match (&slots.caller, &slots.callee) {
        (Some(caller), Some(callee)) if slots.both_ways => {
            words.push_str(&format!(" between {} and {}", name(caller), name(callee)));
        }
        (caller, callee) => {
            if let Some(caller) = caller {
                words.push_str(&format!(" from {}", name(caller)));
            }
            if let Some(callee) = callee {
                words.push_str(&format!(" to {}", name(callee)));
            }
        }
    }
    if let Some(host) = &slots.host {
        words.push_str(&format!(" for host {}", name(host)));
    }
    if let Some(protocol) = &slots.protocol {
        words.push_str(&format!(" over {}", name(protocol)));
    }
    if !slots.versions.is_empty() {
        words.push_str(&format!(
            " of version {}",
            slots.versions.iter().map(|version| name(version)).collect::<Vec<_>>().join(" or ")
        ));
    }
    if let Some(status) = &slots.status {
        words.push_str(&format!(" with status {}", name(status)));
    }
    match slots.outcome {
        Some("server_error") => words.push_str(" that ended in a server error"),
        Some("client_error") => words.push_str(" that ended in a client error"),
        _ => {}
    }
    if let Some(least) = slots.at_least_ms {
        words.push_str(&format!(" lasting {least} ms or more"));
    }
    words
}
