//! The table of what can be asked: an intent is one entry. Cues choose among them; below a threshold none is chosen.

use std::future::Future;
use std::pin::Pin;

use wirewise_tools::ToolError;

use super::compose::Said;
use super::desk::Desk;
use super::families::{
    changes, connections, counts, coverage, dns, failures, health, latency, lists, network, one_call,
    overview, rankings, slowness, tls, topology, volume,
};
use super::grammar::{Cue, Reading, Slots};

/// A run under way.
pub(crate) type Running<'a> = Pin<Box<dyn Future<Output = Result<Said, ToolError>> + Send + 'a>>;

/// How an intent is answered.
pub(crate) type Run = for<'a> fn(&'a mut Desk, &'a Reading) -> Running<'a>;

/// What must be named.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    /// Nothing.
    Nothing,
    /// A service, a host, an endpoint or a protocol.
    Name,
}

/// One thing that can be asked.
pub(crate) struct Intent {
    /// Its name, for tests and logs.
    pub(crate) name: &'static str,
    /// A question that asks it.
    pub(crate) example: &'static str,
    /// Ways of asking: the cues of one of them must all stand in the question.
    pub(crate) ways: &'static [&'static [Cue]],
    /// Cues that it takes into account where they stand.
    pub(crate) takes: &'static [Cue],
    /// What must be named.
    pub(crate) needs: Need,
    /// Answers it.
    pub(crate) run: Run,
}

/// What a cue of the chosen way counts.
const WAY: f64 = 1.0;
/// What a cue that is taken into account counts.
const TAKEN: f64 = 0.3;
/// What a cue that is not costs.
const UNHEARD: f64 = 0.7;
/// What it costs that a name is needed and none stands there: what needs none goes first.
const UNNAMED: f64 = 0.8;
/// Score from which an intent is understood.
const LEAST: f64 = 0.7;

use Cue as C;

/// Everything that can be asked, the more special first: of equals the first is chosen. Left as it is written, since
/// a table is read by its rows.
#[rustfmt::skip]
pub(crate) static INTENTS: &[Intent] = &[
    Intent {
        name: "one_call",
        example: "show call ID",
        ways: &[&[C::Id]],
        takes: &[C::Call, C::List, C::Why, C::Fail, C::Slow, C::Connection, C::Overview, C::Named],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(one_call::run(desk, reading)),
    },
    Intent {
        name: "network_or_server",
        example: "is it the network or the server?",
        ways: &[
            &[C::Network, C::Server], &[C::Network], &[C::Network, C::Fail], &[C::Network, C::Slow],
            &[C::Network, C::Fault], &[C::Network, C::Service], &[C::Network, C::Health],
        ],
        takes: &[
            C::Why, C::Slow, C::Latency, C::Fail, C::Fault, C::Call, C::Named, C::Called, C::Calling,
            C::Health, C::Service, C::Packet, C::Connection, C::Overview,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(network::run(desk, reading)),
    },
    Intent {
        name: "started",
        example: "when did it start?",
        ways: &[
            &[C::When, C::Start], &[C::When, C::Fail], &[C::When, C::Slow], &[C::When, C::Start, C::Fail],
            &[C::When, C::Start, C::Slow], &[C::Fault, C::Start], &[C::When, C::Fault],
            &[C::When, C::Change],
        ],
        takes: &[
            C::Fail, C::Slow, C::Fault, C::Call, C::Named, C::Called, C::Latency, C::Overview, C::Service,
            C::Top, C::Calling,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(changes::started(desk, reading)),
    },
    Intent {
        name: "changes",
        example: "what changed since the fault?",
        ways: &[
            &[C::Change], &[C::Compare], &[C::New], &[C::Change, C::Fault], &[C::New, C::Fault],
            &[C::Compare, C::Fault], &[C::Overview, C::Fault],
        ],
        takes: &[
            C::Fault, C::When, C::Named, C::Called, C::Service, C::Endpoint, C::Call, C::Fail, C::Latency,
            C::Slow, C::Version, C::Map, C::Start, C::Traffic, C::List, C::Calling, C::Instance,
            C::Overview, C::Why, C::Top,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(changes::run(desk, reading)),
    },
    Intent {
        name: "why_slow",
        example: "why is checkout slow?",
        ways: &[&[C::Why, C::Slow], &[C::Why, C::Latency], &[C::Why, C::Slow, C::Latency]],
        takes: &[
            C::Named, C::Called, C::Calling, C::Service, C::Endpoint, C::Call, C::Stat, C::Top, C::Latency,
            C::Who,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(slowness::why(desk, reading)),
    },
    Intent {
        name: "slow_calls",
        example: "slow calls in the last 5 minutes",
        ways: &[&[C::Slow, C::Call], &[C::Slow, C::Call, C::List]],
        takes: &[C::Named, C::Called, C::Calling, C::List, C::Stat, C::Top, C::Latency],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(slowness::calls(desk, reading)),
    },
    Intent {
        name: "slowest",
        example: "which service is slowest?",
        ways: &[
            &[C::Slow], &[C::Slow, C::Service], &[C::Slow, C::Endpoint], &[C::Slow, C::Server],
            &[C::Top, C::Latency, C::Service], &[C::Slow, C::Health], &[C::Slow, C::Caller],
            &[C::Slow, C::Version], &[C::Slow, C::Instance], &[C::Slow, C::Depend],
        ],
        takes: &[
            C::Top, C::Latency, C::Named, C::Called, C::List, C::Service, C::Who, C::Stat, C::Calling,
            C::Fail, C::Caller,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(slowness::slowest(desk, reading)),
    },
    Intent {
        name: "connections",
        example: "which connections were refused, reset or timed out?",
        ways: &[
            &[C::Refused], &[C::Reset], &[C::Timeout], &[C::Connection], &[C::Connection, C::Refused],
            &[C::Connection, C::Reset], &[C::Connection, C::Timeout], &[C::Connection, C::Fail],
            &[C::Connection, C::Fail, C::Why], &[C::Refused, C::Reset, C::Timeout],
        ],
        takes: &[
            C::Fail, C::Call, C::Named, C::Called, C::Calling, C::Who, C::Why, C::Count, C::Service,
            C::List, C::Refused, C::Reset, C::Timeout, C::Connection, C::Caller,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(connections::run(desk, reading)),
    },
    Intent {
        name: "retransmissions",
        example: "retransmissions between gateway and orders",
        ways: &[
            &[C::Retransmit], &[C::Packet, C::Loss], &[C::Network, C::Loss], &[C::Network, C::Retransmit],
            &[C::Loss, C::Called], &[C::Packet], &[C::Loss, C::Rate],
        ],
        takes: &[
            C::Packet, C::Count, C::Named, C::Called, C::Calling, C::Loss, C::Network, C::Rate, C::Call,
            C::Service, C::Who, C::List, C::Why, C::Map, C::Connection, C::Top,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(network::retransmissions(desk, reading)),
    },
    Intent {
        name: "tls",
        example: "which TLS versions are used, and which certificates expire soon?",
        ways: &[
            &[C::Tls], &[C::Certificate], &[C::Expire], &[C::Cipher], &[C::Tls, C::Version],
            &[C::Tls, C::Fail], &[C::Tls, C::Weak], &[C::Tls, C::Cipher], &[C::Certificate, C::Expire],
            &[C::Cipher, C::Weak], &[C::Weak, C::Version],
        ],
        takes: &[
            C::Version, C::Named, C::Called, C::Calling, C::Call, C::Service, C::Weak, C::Cipher,
            C::Certificate, C::Expire, C::Who, C::List, C::Count, C::Host, C::Connection, C::When, C::Tls,
            C::Server, C::Protocol, C::Why, C::Fail, C::Traffic, C::Caller,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(tls::run(desk, reading)),
    },
    Intent {
        name: "dns",
        example: "which DNS names failed?",
        ways: &[
            &[C::Dns], &[C::Dns, C::Fail], &[C::Dns, C::Slow], &[C::Dns, C::Name], &[C::Name, C::Fail],
            &[C::Dns, C::Name, C::Fail], &[C::Dns, C::Call], &[C::Dns, C::Status],
            &[C::Name, C::Dns, C::Status],
        ],
        takes: &[
            C::Name, C::Host, C::Fail, C::Who, C::Count, C::Slow, C::Latency, C::Why, C::Call, C::Named,
            C::Called, C::Calling, C::List, C::Status, C::Top, C::Service, C::Caller, C::Health, C::Server,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(dns::run(desk, reading)),
    },
    Intent {
        name: "ping",
        example: "which pings got no answer?",
        ways: &[&[C::Ping], &[C::Ping, C::Fail], &[C::Ping, C::Timeout], &[C::Ping, C::Latency]],
        takes: &[
            C::Named, C::Called, C::Calling, C::Count, C::Who, C::Call, C::Host, C::Fail, C::Timeout,
            C::List, C::Latency, C::Loss, C::Network,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(connections::ping(desk, reading)),
    },
    Intent {
        name: "versions",
        example: "which version fails?",
        ways: &[
            &[C::Version], &[C::Version, C::Fail], &[C::Instance], &[C::Instance, C::Fail],
            &[C::Version, C::Instance], &[C::Version, C::Instance, C::Fail], &[C::Version, C::Service],
            &[C::Compare, C::Version], &[C::Version, C::Latency], &[C::Version, C::Slow],
        ],
        takes: &[
            C::Named, C::Called, C::Calling, C::Service, C::Call, C::List, C::Health, C::Count, C::Compare,
            C::Server, C::Why, C::Status, C::Who,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(rankings::versions(desk, reading)),
    },
    Intent {
        name: "failures",
        example: "which calls failed and why?",
        ways: &[
            &[C::Fail], &[C::Fail, C::Call], &[C::Fail, C::Why], &[C::Fail, C::Call, C::Why],
            &[C::ClientError], &[C::ClientError, C::Why], &[C::Status, C::Why],
            &[C::Status, C::Call, C::Why], &[C::Why, C::Health],
        ],
        takes: &[
            C::Call, C::Why, C::Named, C::Called, C::Calling, C::Service, C::Endpoint, C::List, C::Who,
            C::Status, C::Server, C::Overview, C::ClientError, C::Health, C::Code, C::Caller,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(failures::run(desk, reading)),
    },
    Intent {
        name: "counts",
        example: "what is the error rate of orders?",
        ways: &[
            &[C::Count, C::Call], &[C::Count, C::Fail], &[C::Count, C::Status], &[C::Count, C::ClientError],
            &[C::Count, C::Call, C::Fail], &[C::Count, C::Call, C::Status], &[C::Status],
            &[C::Status, C::Fail], &[C::Fail, C::Rate], &[C::ClientError, C::Rate], &[C::Status, C::Rate],
            &[C::Code], &[C::Code, C::Overview], &[C::Protocol], &[C::Health, C::Rate],
        ],
        takes: &[
            C::Call, C::Fail, C::Named, C::Called, C::Calling, C::Service, C::Endpoint, C::Status, C::Code,
            C::List, C::Rate, C::Count, C::Who, C::Traffic, C::Overview, C::Caller, C::Server, C::Protocol,
            C::ClientError,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(counts::run(desk, reading)),
    },
    Intent {
        name: "rate",
        example: "how many requests per second does orders get?",
        ways: &[
            &[C::Rate], &[C::Rate, C::Call], &[C::Rate, C::Count], &[C::Rate, C::Count, C::Call],
            &[C::Rate, C::Traffic],
        ],
        takes: &[
            C::Named, C::Called, C::Calling, C::Service, C::Call, C::Count, C::Traffic, C::List, C::Top,
            C::Endpoint,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(volume::rate(desk, reading)),
    },
    Intent {
        name: "volume",
        example: "how many bytes went to each service?",
        ways: &[
            &[C::Bytes], &[C::Much, C::Traffic], &[C::Bytes, C::Traffic], &[C::Much, C::Bytes],
            &[C::Bytes, C::Count], &[C::Top, C::Bytes], &[C::Top, C::Bytes, C::Traffic],
        ],
        takes: &[
            C::Named, C::Called, C::Calling, C::Service, C::Top, C::Count, C::Much, C::Traffic, C::Endpoint,
            C::Call, C::Who, C::List, C::Network, C::Caller,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(volume::bytes(desk, reading)),
    },
    Intent {
        name: "top",
        example: "top 5 endpoints by calls",
        ways: &[
            &[C::Top, C::Endpoint], &[C::Top, C::Service], &[C::Top, C::Call], &[C::Top, C::Fail],
            &[C::Top, C::Latency], &[C::Top, C::Caller], &[C::Top, C::Who], &[C::Top, C::Host],
            &[C::Top, C::Traffic], &[C::Top, C::Service, C::Call], &[C::Top, C::Service, C::Fail],
            &[C::Top, C::Service, C::Traffic], &[C::Top, C::Endpoint, C::Call],
            &[C::Top, C::Endpoint, C::Latency], &[C::Top, C::Endpoint, C::Fail],
            &[C::Top, C::Endpoint, C::Traffic], &[C::Top, C::Who, C::Call], &[C::Top, C::Stat],
        ],
        takes: &[
            C::Named, C::Called, C::Calling, C::Call, C::Fail, C::Latency, C::Traffic, C::Stat, C::List,
            C::Who, C::Service, C::Rate, C::Status, C::Slow, C::Server,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(rankings::top(desk, reading)),
    },
    Intent {
        name: "callers",
        example: "who calls payments?",
        ways: &[
            &[C::Who, C::Call], &[C::Who, C::Connection, C::Called], &[C::Caller], &[C::Caller, C::Named],
            &[C::Service, C::Call, C::Called], &[C::Who, C::Call, C::Called], &[C::Who, C::Depend],
            &[C::Depend, C::Called], &[C::Service, C::Depend, C::Called], &[C::Who, C::Traffic],
        ],
        takes: &[
            C::Named, C::Called, C::Service, C::Endpoint, C::Count, C::List, C::Call, C::Who, C::Caller,
            C::Traffic, C::Connection, C::Server, C::Dns,
        ],
        needs: Need::Name,
        run: |desk, reading| Box::pin(topology::callers(desk, reading)),
    },
    Intent {
        name: "callees",
        example: "what does orders call?",
        ways: &[
            &[C::Depend], &[C::Depend, C::Named], &[C::Depend, C::Calling], &[C::Call, C::Calling],
            &[C::Who, C::Call, C::Calling], &[C::Call, C::Calling, C::Service],
            &[C::Connection, C::Calling], &[C::Who, C::Connection, C::Calling],
        ],
        takes: &[
            C::Named, C::Called, C::Service, C::Endpoint, C::List, C::Call, C::Calling, C::Depend,
            C::Server, C::Map,
        ],
        needs: Need::Name,
        run: |desk, reading| Box::pin(topology::callees(desk, reading)),
    },
    Intent {
        name: "map",
        example: "who calls whom?",
        ways: &[
            &[C::Map], &[C::Map, C::Service], &[C::Map, C::Depend], &[C::Depend],
            &[C::Who, C::Call, C::Service],
        ],
        takes: &[C::List, C::Service, C::Call, C::Named, C::Network, C::Traffic, C::Depend, C::Who],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(topology::map(desk, reading)),
    },
    Intent {
        name: "latency",
        example: "p99 of GET /orders by caller",
        ways: &[&[C::Latency], &[C::Stat], &[C::Latency, C::Stat], &[C::Stat, C::Call]],
        takes: &[
            C::Named, C::Called, C::Calling, C::Call, C::Service, C::Endpoint, C::List, C::Stat, C::Caller,
            C::Overview, C::Server,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(latency::run(desk, reading)),
    },
    Intent {
        name: "health",
        example: "is payments healthy?",
        ways: &[&[C::Health, C::Named], &[C::Overview, C::Named], &[C::Health, C::Service]],
        takes: &[C::Service, C::Overview, C::Endpoint, C::Called, C::Server, C::Health, C::Host],
        needs: Need::Name,
        run: |desk, reading| Box::pin(health::run(desk, reading)),
    },
    Intent {
        name: "coverage",
        example: "what did you not see?",
        ways: &[
            &[C::Unseen], &[C::Loss], &[C::Unseen, C::Loss], &[C::Loss, C::Call], &[C::Unseen, C::Traffic],
        ],
        takes: &[
            C::Call, C::Traffic, C::Packet, C::List, C::Much, C::Count, C::Overview, C::Named, C::Unseen,
            C::Loss,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(coverage::run(desk, reading)),
    },
    Intent {
        name: "datasets",
        example: "list data sets",
        ways: &[&[C::Dataset], &[C::Dataset, C::List]],
        takes: &[C::List, C::Count, C::Unseen],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(lists::datasets(desk, reading)),
    },
    Intent {
        name: "endpoints",
        example: "which endpoints does orders have?",
        ways: &[
            &[C::Endpoint], &[C::Endpoint, C::Service], &[C::Endpoint, C::Count], &[C::Endpoint, C::Called],
        ],
        takes: &[C::List, C::Named, C::Service, C::Call, C::Calling, C::Called, C::Count],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(lists::endpoints(desk, reading)),
    },
    Intent {
        name: "services",
        example: "list services",
        ways: &[
            &[C::Service], &[C::Service, C::List], &[C::Service, C::Count], &[C::Server],
            &[C::Server, C::List], &[C::Service, C::Name],
        ],
        takes: &[C::List, C::Count, C::Name, C::Host, C::Unseen],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(lists::services(desk, reading)),
    },
    Intent {
        name: "hosts",
        example: "list hosts",
        ways: &[&[C::Host], &[C::Host, C::List]],
        takes: &[C::List, C::Count, C::Name, C::Call, C::Named, C::Calling, C::Called],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(lists::hosts(desk, reading)),
    },
    Intent {
        name: "calls",
        example: "show calls from gateway to orders",
        ways: &[
            &[C::Call, C::List], &[C::Call, C::Called], &[C::Call, C::Named],
            &[C::Call, C::Called, C::List], &[C::Call, C::Named, C::List],
        ],
        takes: &[C::Named, C::Called, C::Endpoint, C::Traffic, C::Status],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(counts::calls(desk, reading)),
    },
    Intent {
        name: "overview",
        example: "what is going on?",
        ways: &[
            &[C::Overview], &[C::Overview, C::Traffic], &[C::Traffic], &[C::Health],
            &[C::Overview, C::Service], &[C::Overview, C::Health], &[C::Health, C::Service],
        ],
        takes: &[
            C::List, C::Call, C::Fail, C::Named, C::Service, C::Traffic, C::Network, C::Fault, C::Health,
            C::Called,
        ],
        needs: Need::Nothing,
        run: |desk, reading| Box::pin(overview::run(desk, reading)),
    },
];

/// What came of choosing.
pub(crate) enum Choice {
    /// This is asked.
    Found(&'static Intent),
    /// Nothing that can be answered; these are nearest, best first.
    Nothing(Vec<&'static Intent>),
}

/// How well the question fits: by the way of asking that leaves least unheard.
fn score(intent: &Intent, reading: &Reading) -> Option<f64> {
    let fits = |way: &&&[Cue]| way.iter().all(|cue| reading.has(*cue));
    let worth = |way: &&[Cue]| {
        let rest = reading.cues.iter().filter(|cue| !way.contains(cue));
        let rest: f64 = rest
            .map(|cue| match cue {
                cue if intent.takes.contains(cue) => TAKEN,
                // Names narrow whatever is asked.
                Cue::Named => -TAKEN,
                _ => -UNHEARD,
            })
            .sum();
        WAY * way.len() as f64 + rest
    };
    let named = is_named(intent.needs, &reading.slots) || reading.only_stranger().is_some();
    let cost = if named { 0.0 } else { UNNAMED };
    intent.ways.iter().filter(fits).map(worth).max_by(f64::total_cmp).map(|worth| worth - cost)
}

/// Chooses the intent that the question fits best.
pub(crate) fn choose(reading: &Reading) -> Choice {
    let mut fits: Vec<(f64, &'static Intent)> =
        INTENTS.iter().filter_map(|intent| score(intent, reading).map(|score| (score, intent))).collect();
    // Stable: of equals the first in the table stays first.
    fits.sort_by(|left, right| right.0.total_cmp(&left.0));
    match fits.first() {
        Some((score, intent)) if *score >= LEAST && !reading.is_foreign() => Choice::Found(intent),
        _ => Choice::Nothing(fits.into_iter().map(|(_, intent)| intent).take(2).collect()),
    }
}

/// Whether what the intent needs is named.
pub(crate) fn is_named(need: Need, slots: &Slots) -> bool {
    match need {
        Need::Nothing => true,
        Need::Name => {
            slots.subject.is_some()
                || slots.caller.is_some()
                || slots.callee.is_some()
                || slots.endpoint.is_some()
                || slots.host.is_some()
                || slots.protocol.is_some()
        }
    }
}
