//! The lexicon: which words and phrases point to what is asked, which say nothing, and which ask for what is never
//! done. Words stand between blanks, phrases between commas.

use super::cues::Cue;

/// What single words mean.
pub(super) const WORDS: &[(Cue, &str)] = &[
    (
        Cue::Overview,
        "happening happen happens happened overview summary summarize summarise status situation digest \
         report recap",
    ),
    (
        Cue::Slow,
        "slow slower slowest slowness sluggish laggy lagging delayed slowdown bottleneck bottlenecks",
    ),
    (
        Cue::Latency,
        "latency latencies duration durations performance percentile percentiles delay delays ttfb fast \
         lag",
    ),
    (
        Cue::Fail,
        "fail fails failed failing failure failures error errors erroring errored broken breaks breaking \
         broke break wrong problem problems issue issues trouble unsuccessful exception exceptions faulty \
         crash crashing failings",
    ),
    (Cue::Why, "why reason reasons cause causes caused causing blame culprit explain suspect responsible"),
    (Cue::Who, "who whom whose"),
    (Cue::Caller, "caller callers client clients consumer consumers upstream upstreams"),
    (Cue::When, "when"),
    (Cue::Start, "start started starts begin began begins begun onset"),
    (
        Cue::Call,
        "call calls called calling request requests reqs invoke invokes invoked hit hits talk talks \
         talking speak speaks contact contacts query queries use uses using used exchange exchanges \
         transaction transactions access accesses reach reaches",
    ),
    (Cue::Depend, "depend depends dependency dependencies downstream downstreams callee callees dependent"),
    (
        Cue::Service,
        "service services workload workloads microservice microservices component components application \
         applications",
    ),
    (
        Cue::Endpoint,
        "endpoint endpoints route routes path paths url urls api apis operation operations method methods",
    ),
    (Cue::Host, "host hosts hostname hostnames domain domains"),
    (Cue::Map, "map topology graph edge edges"),
    (Cue::Count, "count counts total totals"),
    (Cue::Bytes, "byte bytes volume bandwidth transferred megabytes kilobytes"),
    (Cue::Traffic, "traffic"),
    (Cue::Rate, "rate rates rps qps throughput ratio percentage share"),
    (Cue::Top, "top most busiest highest biggest largest busy heaviest"),
    (
        Cue::Change,
        "change changes changed changing different difference differences differ diff deviated regressed \
         regression regressions degraded worse anomaly anomalies unusual",
    ),
    (Cue::Compare, "compare compared comparison versus vs"),
    (Cue::New, "new newly appeared"),
    (Cue::Fault, "fault incident outage deploy deployment release rollout"),
    (Cue::Network, "network net wire networking rtt"),
    (Cue::Server, "server servers backend backends"),
    (Cue::Packet, "packet packets"),
    (Cue::Retransmit, "retransmission retransmissions retransmit retransmits retransmitted resent"),
    (Cue::Loss, "loss losses lost lose losing drop drops dropped missing missed miss"),
    (Cue::Unseen, "unseen coverage capture complete completeness invisible gaps captured blind"),
    (
        Cue::Dns,
        "dns nxdomain servfail resolve resolves resolved resolving resolution resolver lookup lookups",
    ),
    (Cue::Name, "name names"),
    (Cue::Tls, "tls ssl https handshake handshakes sni"),
    (Cue::Certificate, "cert certs certificate certificates"),
    (Cue::Expire, "expire expires expiring expired expiry expiration"),
    (Cue::Cipher, "cipher ciphers ciphersuite ciphersuites encryption encrypted unencrypted"),
    (Cue::Weak, "weak insecure outdated obsolete deprecated"),
    (Cue::Version, "version versions revision"),
    (Cue::Instance, "instance instances replica replicas pod pods address addresses"),
    (Cue::Connection, "connection connections connect flow flows"),
    (Cue::Refused, "refused refuse refuses refusing rejected refusals"),
    (Cue::Reset, "reset resets rst aborted"),
    (Cue::Timeout, "timeout timeouts unanswered hanging hangs hung"),
    (Cue::Ping, "ping pings pinged icmp echo unreachable"),
    (
        Cue::Health,
        "healthy health up down alive ok okay fine unhealthy available unavailable working work works \
         alright reachable success availability uptime",
    ),
    (Cue::List, "list show display enumerate find"),
    (Cue::Dataset, "dataset datasets captures imports"),
    (Cue::Protocol, "protocol protocols"),
    (Cue::Code, "code codes statuses outcome outcomes"),
];

/// Several words that mean one thing. Read before single words, the longest first.
pub(super) const PHRASES: &[(Cue, &str)] = &[
    (
        Cue::Overview,
        "going on, what is up, how are things, how is everything, how does everything look, \
         how does it look, how is it going, tell me about",
    ),
    (
        Cue::Map,
        "who calls whom, who calls who, who talks to whom, who talks to who, service map, service graph, \
         dependency graph",
    ),
    (Cue::Bytes, "how much data"),
    (Cue::Count, "how many, number of"),
    (Cue::Much, "how much"),
    (Cue::Latency, "how long, how fast, how slow, response time, response times, time to first byte"),
    (Cue::Rate, "per second, per minute"),
    (Cue::Dataset, "data set, data sets"),
    (Cue::Timeout, "timed out, time out, time outs, times out, no response, no answer"),
    (Cue::Why, "root cause, whose fault, to blame"),
    (Cue::New, "first time"),
    (Cue::ClientError, "client error, client errors, bad request, bad requests"),
    (
        Cue::Unseen,
        "not see, not seen, not hear, not heard, not capture, blind spot, blind spots, you drop, \
         you dropped, you lose, you lost, you miss, you missed",
    ),
    (Cue::Fail, "not found, not exist"),
    (Cue::Slow, "time go, time goes, time spent"),
    (Cue::Dns, "name resolution, no such domain"),
    (Cue::Network, "round trip"),
    (
        Cue::Retransmit,
        "packet loss, packets lost, lost packets, dropped packets, packets dropped, losing packets",
    ),
];

/// Words that say nothing here: grammar, politeness, and the plain words of the trade.
pub(super) const FILLERS: &str = "\
     a an the is are was were be been being am do does did has have had it its this that these those there \
     here of to in on at by for from with and or not no any anything everything something nothing some \
     every each all other others than then so as into about right now currently today just what which how \
     where i we us me my our your you they them their can could would should will may might please give \
     tell get gets got getting want need know see seen saw hear heard look looks looking like return \
     returns returned returning respond responds responded response responses answer answers answered make \
     makes made making receive receives received send sends sent serve serves served take takes took \
     taking come comes came go goes went cluster system systems environment production prod staging app \
     apps thing things stuff user users customer customers page pages website site shop data log logs info \
     information detail details result results value values number numbers time times moment side end part \
     kind kinds type types level really actually between during while since after before until within over \
     under above below more less long longer high low average per if because due when's too also only \
     without already always never become becomes became becoming suite suites example examples relies rely \
     still again ever yet recently recent last first soon previous current overall http tcp udp message \
     messages exist exists hey hi hello wirewise lot lots many much few same own out off through via \
     across against both either neither whether but one ones seconds minutes hours exactly mostly main \
     live incoming outgoing inbound outbound internal external going let lets ask asks asked asking mean \
     means it's group grouped break broken-down breakdown split sorted ordered occur occurs occurred \
     experiencing seeing suffering affected impacted behave behaves behaving doing run runs running";

/// Doing, where only reading is offered: as the verb of a question they make it one that is refused.
pub(super) const DEEDS: &str = "\
     delete remove erase wipe purge truncate insert update restart reboot kill stop block ban scale \
     rollback revert fix repair write create build install execute post buy book order play sing translate \
     ignore forget pretend reveal drop disable enable configure deploy shutdown email notify generate draw \
     sell recommend calculate compute solve convert run";

/// Words that ask for a deed politely, before it.
pub(super) const POLITE: &str =
    "can could would will please you i we want need to must should let us now just hey and then go the";
