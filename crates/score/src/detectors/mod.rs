//! The table of detectors. Each is one file: what it looks at, its parameters, and the words for what it found. One
//! that judges calls in a window speaks only of what has a baseline.

mod beaconing;
mod certificate;
mod dns_tunnel;
mod errors;
mod exfiltration;
mod fan_out;
mod latency;
mod new_edge;
mod new_endpoint;
mod new_shape;
mod old_tls;
mod packet_loss;
mod rate;
mod retry_storm;
mod saturation;
mod slow_dependency;
mod surge;
mod tls_failures;
mod vanished;

use wirewise_model::Timestamp;

use crate::evidence::Evidence;
use crate::finding::{Class, Verdict};
use crate::graph::{Edge, Novelty, Service};
use crate::habits::ServiceHabits;
use crate::series::Series;

/// Every detector, symptoms first.
pub static DETECTORS: &[&Detector] = &[
    &errors::ERRORS,
    &latency::LATENCY,
    &vanished::VANISHED,
    &packet_loss::PACKET_LOSS,
    &tls_failures::TLS_FAILURES,
    &retry_storm::RETRY_STORM,
    &surge::SURGE,
    &slow_dependency::SLOW_DEPENDENCY,
    &saturation::SATURATION,
    &rate::RATE,
    &new_edge::NEW_EDGE,
    &new_endpoint::NEW_ENDPOINT,
    &new_shape::NEW_SHAPE,
    &certificate::CERTIFICATE,
    &old_tls::OLD_TLS,
    &beaconing::BEACONING,
    &dns_tunnel::DNS_TUNNEL,
    &fan_out::FAN_OUT,
    &exfiltration::EXFILTRATION,
];

/// Parameters of one detector at most.
pub const MOST_PARAMETERS: usize = 6;

/// The values of a detector's parameters, in their order.
pub(crate) type Values = [f64; MOST_PARAMETERS];

/// A detector.
pub struct Detector {
    /// Its word in the `detector` column.
    pub word: &'static str,
    /// What it finds.
    pub about: &'static str,
    /// What becomes of its findings.
    pub class: Class,
    /// What can be set.
    pub parameters: &'static [Parameter],
    /// What it looks at, and how.
    pub(crate) judge: Judge,
}

/// Something that can be set.
pub struct Parameter {
    /// `detector.name` in the configuration.
    pub name: &'static str,
    /// As it is run.
    pub default: f64,
    /// What it means, with its unit.
    pub about: &'static str,
}

/// What a detector looks at.
pub(crate) enum Judge {
    /// Each endpoint, edge, workload and instance with calls or evidence, once a window.
    Series(fn(&mut Series, &Moment, &Values) -> Option<Verdict>),
    /// Each edge, once a window.
    Edge(fn(&mut Edge, &Around<'_>, &Moment, &Values) -> Option<Verdict>),
    /// Each edge, once a minute.
    EdgeMinute(fn(&mut Edge, &Around<'_>, &Moment, &Values) -> Option<Verdict>),
    /// Each workload as a server, once a window.
    Server(fn(&mut Service, &Moment, &Values) -> Option<Verdict>),
    /// Each workload as a client, once a minute.
    ClientMinute(fn(&mut ServiceHabits, &Moment, &Values) -> Option<Verdict>),
    /// Each new thing.
    New(fn(&Novelty, &Around<'_>, &Moment, &Values) -> Option<Verdict>),
}

/// The window that is judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// Its beginning.
    pub(crate) begun: Timestamp,
    /// Its end.
    pub(crate) now: Timestamp,
    /// Its length.
    pub(crate) seconds: f64,
    /// Whether too little was heard to say what is missing.
    pub(crate) blind: bool,
    /// When the scorer heard its first call.
    pub(crate) born: Timestamp,
}

/// What stands around an edge.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Around<'a> {
    /// The protocol's word.
    pub(crate) protocol: &'a str,
    /// The negotiated version of TLS, where one is known.
    pub(crate) tls_version: &'a str,
    /// The operation and endpoint of a new thing.
    pub(crate) endpoint: &'a str,
    /// Calls that the client took in during the window, and usually does.
    pub(crate) client_calls: (f64, f64),
    /// Whether anybody calls the client.
    pub(crate) client_is_called: bool,
    /// Evidence that calls to the client fail or are slow.
    pub(crate) client_suffers: f64,
    /// When the client was first heard.
    pub(crate) client_born: Timestamp,
    /// Whether the client called anybody else in the last minute.
    pub(crate) client_lives: bool,
    /// Whether the node that told of the edge has told of anything since the edge's latest call.
    pub(crate) teller_lives: bool,
    /// Whether the server lies outside of any namespace.
    pub(crate) server_is_outside: bool,
}

/// Whether `protocol` is a database's or a cache's.
pub(crate) fn is_database(protocol: &str) -> bool {
    matches!(protocol, "postgres" | "mysql" | "mongodb" | "redis" | "memcached" | "cql")
}

/// A verdict of evidence that has reached its threshold over enough windows.
fn ripe(evidence: &Evidence, threshold: f64, windows: f64) -> Option<f64> {
    let score = evidence.sum() / threshold;
    (score >= 1.0 && f64::from(evidence.windows()) >= windows).then_some(score)
}

/// Evidence is never kept beyond as many times its threshold, so that recovery shows within a few windows.
const MOST_EVIDENCE: f64 = 2.5;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_parameters_are_unique_and_fit() {
        for (index, detector) in DETECTORS.iter().enumerate() {
            assert!(detector.parameters.len() <= MOST_PARAMETERS, "{}", detector.word);
            assert!(!detector.about.is_empty());
            assert!(DETECTORS[..index].iter().all(|other| other.word != detector.word), "{}", detector.word);
            for (index, parameter) in detector.parameters.iter().enumerate() {
                assert!(detector.parameters[..index].iter().all(|other| other.name != parameter.name));
            }
        }
    }
}
