//! What the scorer costs: records a CPU second, and the size of the state, at 5,000 edges of 20 endpoints.

use std::borrow::Cow;
use std::time::Duration;

use wirewise_model::{CallId, Outcome, Timestamp};
use wirewise_score::{Observation, Party, Scorer, Settings};

const EDGES: u64 = 5000;
const SERVICES: u64 = 500;
const ENDPOINTS: u64 = 20;
/// Records of a window of five seconds.
const A_WINDOW: u64 = 200_000;
const GOAL_RECORDS: f64 = 200_000.0;
const GOAL_MB: f64 = 200.0;

pub(crate) fn run(records: u64) {
    let names: Vec<String> = (0..SERVICES).map(|number| format!("service-{number}")).collect();
    let pods: Vec<String> =
        (0..SERVICES * 4).map(|number| format!("service-{}-{:08x}", number / 4, number * 7919)).collect();
    let nodes: Vec<String> = (0..100).map(|number| format!("node-{number}")).collect();
    let paths: Vec<String> = (0..ENDPOINTS).map(|number| format!("/api/v1/things/{number}/{{id}}")).collect();
    let mut scorer = Scorer::new(Settings::default());
    let before = resident_mb();
    let mut state = 1u64;
    let begun = cpu_seconds();
    let mut events = 0;
    for number in 0..records {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (edge, endpoint) = ((state >> 33) % EDGES, (state >> 20) % ENDPOINTS);
        let (client, server) = (edge % SERVICES, (edge % SERVICES + 1 + edge / SERVICES) % SERVICES);
        let at = Timestamp::from_nanos(number as i64 * 5_000_000_000 / A_WINDOW as i64);
        let party = |service: u64, pod: u64| Party {
            namespace: "shop",
            workload: &names[service as usize],
            pod: &pods[(service * 4 + pod % 4) as usize],
            node: &nodes[(service * 4 + pod % 4) as usize % 100],
            version: "1.0",
        };
        let took = Duration::from_micros(2000 + (state >> 40) % 9000);
        scorer.push(&Observation {
            id: CallId::new(at, number),
            at,
            heard_by: &nodes[server as usize % 100],
            client: party(client, state >> 50),
            server: party(server, state >> 52),
            protocol: "http1",
            operation: "GET",
            endpoint: Cow::Borrowed(&paths[endpoint as usize]),
            target: "/api/v1/things",
            shape: edge * ENDPOINTS + endpoint,
            outcome: if state.is_multiple_of(997) { Outcome::ServerError } else { Outcome::Ok },
            status: "200",
            error: "",
            took: Some(took),
            request_bytes: 300,
            response_bytes: 2000,
            tls_version: "",
            certificate_expires: None,
        });
        if number.is_multiple_of(A_WINDOW / 5) {
            events += scorer.tick(at).len();
        }
    }
    let spent = cpu_seconds() - begun;
    let (services, edges, endpoints) = scorer.sizes();
    println!(
        "cost: {records} records, {services} workloads, {edges} edges, {endpoints} endpoints, {events} events"
    );
    println!("  {:9.0} records a CPU second (goal {GOAL_RECORDS:.0})", records as f64 / spent);
    println!("  {:9.1} MB resident for the state (goal {GOAL_MB:.0})", resident_mb() - before);
    let begun = cpu_seconds();
    let written = scorer.snapshot();
    let wrote = cpu_seconds() - begun;
    println!("  {:9.1} MB written in {wrote:.2} CPU s", written.len() as f64 / 1e6);
}

/// User and system time of this process, from the kernel's own account in ticks of a hundredth.
fn cpu_seconds() -> f64 {
    let text = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let after = text.rsplit(')').next().unwrap_or_default();
    let fields: Vec<f64> = after.split_whitespace().map(|field| field.parse().unwrap_or(0.0)).collect();
    fields.get(11).zip(fields.get(12)).map_or(0.0, |(user, system)| (user + system) / 100.0)
}

fn resident_mb() -> f64 {
    let text = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok())
        .map_or(0.0, |kilobytes| kilobytes / 1000.0)
}
