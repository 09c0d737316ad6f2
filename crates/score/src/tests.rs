//! Behaviour of the scorer as a whole: a small world of calls, and what is told of it.

use std::borrow::Cow;
use std::time::Duration;

use wirewise_model::{CallId, Outcome, Timestamp};

use crate::{Change, Event, Feedback, Kind, Limits, Observation, Party, Scorer, Settings, State};

const BEGIN: i64 = 1_795_392_000;

/// Calls of `web` to `cart` and of `cart` to `db`, ten a second each.
struct World {
    scorer: Scorer,
    second: i64,
    n_calls: u64,
    incidents: Vec<(Change, crate::Incident)>,
    findings: Vec<crate::Finding>,
}

/// How calls to one workload go.
#[derive(Clone, Copy)]
enum Way {
    Usual,
    Failing,
    Slow,
    Silent,
}

impl World {
    fn new() -> Self {
        Self::with(Settings::new(Limits::default(), 1))
    }

    fn with(settings: Settings) -> Self {
        Self {
            scorer: Scorer::new(settings),
            second: BEGIN,
            n_calls: 0,
            incidents: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn settled() -> Self {
        let mut world = Self::new();
        world.run(3 * 3600, Way::Usual);
        assert_eq!(world.incidents, []);
        world
    }

    fn call(&mut self, client: &str, server: &str, way: Way) {
        self.n_calls += 1;
        let nanos = (self.n_calls * 7919 % 1000) as i64 * 1_000_000;
        let at = Timestamp::from_parts(self.second, nanos);
        let noise = 0.8 + 0.4 * (self.n_calls * 104_729 % 97) as f64 / 97.0;
        let seconds = match way {
            Way::Usual | Way::Failing | Way::Silent => 0.02 * noise,
            Way::Slow => 0.2 * noise,
        };
        let party =
            |workload: &'static str| Party { namespace: "shop", workload, pod: "", node: "n1", version: "1" };
        let name = |name: &str| ["web", "cart", "db"].into_iter().find(|known| *known == name).unwrap();
        self.scorer.push(&Observation {
            id: CallId::new(at, self.n_calls),
            at,
            heard_by: "n1",
            client: party(name(client)),
            server: party(name(server)),
            protocol: if server == "db" { "postgres" } else { "http1" },
            operation: "GET",
            endpoint: Cow::Borrowed("/things/{id}"),
            target: "/things/7",
            shape: 1,
            outcome: if matches!(way, Way::Failing) { Outcome::ServerError } else { Outcome::Ok },
            status: "200",
            error: "",
            took: Some(Duration::from_secs_f64(seconds)),
            request_bytes: 100,
            response_bytes: 1000,
            tls_version: "",
            certificate_expires: None,
        });
    }

    fn tick(&mut self) {
        let now = Timestamp::from_parts(self.second + 1, 0);
        for event in self.scorer.tick(now) {
            match event {
                Event::Finding(finding) => self.findings.push(*finding),
                Event::Incident(change, incident) => self.incidents.push((change, *incident)),
            }
        }
        self.second += 1;
    }

    /// `db` goes `way` for some seconds, and `cart` suffers from it.
    fn run(&mut self, seconds: i64, way: Way) {
        for _ in 0..seconds {
            if !matches!(way, Way::Silent) {
                for _ in 0..10 {
                    self.call("cart", "db", way);
                    self.call("web", "cart", way);
                }
            }
            self.tick();
        }
    }

    fn changes(&self) -> Vec<Change> {
        self.incidents.iter().map(|(change, _)| *change).filter(|change| *change != Change::Updated).collect()
    }
}

#[test]
fn a_slow_database_is_one_incident_that_suspects_it_and_is_resolved() {
    let mut world = World::settled();
    let begun = world.second;
    world.run(120, Way::Slow);
    let (_, opened) = &world.incidents[0];
    assert!(opened.opened_at.since(Timestamp::from_parts(begun, 0)) <= Duration::from_secs(30));
    let incident = &world.scorer.incidents()[0];
    assert_eq!((incident.first_suspect(), incident.kind), ("shop/db", Kind::SlowDatabase));
    assert!(incident.blast_radius.contains(&"shop/web".to_owned()), "{:?}", incident.blast_radius);
    assert!(incident.keep.from < incident.first_sign && incident.keep.to.is_none());
    assert_eq!(incident.keep.nodes, ["n1"]);
    assert!(!incident.during.is_empty() && !incident.before.is_empty());
    world.run(600, Way::Usual);
    assert_eq!(world.changes(), [Change::Opened, Change::Resolved]);
    let (_, resolved) = world.incidents.last().unwrap();
    assert!(resolved.keep.to.is_some() && resolved.summary.ends_with("It is over."), "{}", resolved.summary);
}

#[test]
fn without_a_baseline_nothing_is_told() {
    let mut world = World::new();
    world.run(600, Way::Usual);
    world.run(300, Way::Failing);
    assert_eq!((world.incidents.len(), world.findings.len()), (0, 0));
}

#[test]
fn flapping_is_one_incident() {
    let mut world = World::settled();
    for _ in 0..10 {
        world.run(40, Way::Failing);
        world.run(40, Way::Usual);
    }
    assert_eq!(world.changes(), [Change::Opened]);
    world.run(600, Way::Usual);
    world.run(60, Way::Failing);
    assert_eq!(world.changes(), [Change::Opened, Change::Resolved, Change::Reopened]);
    assert_eq!(world.scorer.incidents().len(), 1);
}

#[test]
fn silence_of_everything_is_blindness_and_not_a_vanished_service() {
    let mut world = World::settled();
    world.run(300, Way::Silent);
    world.run(300, Way::Usual);
    assert_eq!((world.incidents.len(), world.findings.len()), (0, 0));
    assert!(world.scorer.counters().blind_windows >= 50);
}

#[test]
fn clocks_may_leap_and_go_back() {
    let mut world = World::settled();
    world.second += 86_400;
    world.run(60, Way::Usual);
    world.second -= 30;
    world.run(60, Way::Usual);
    world.second -= 40_000;
    world.run(300, Way::Usual);
    assert_eq!(world.findings, []);
    assert_eq!(world.incidents, []);
    let counters = world.scorer.counters();
    assert!(counters.clock_leaps == 1 && counters.clock_back > 0, "{counters:?}");
    world.run(60, Way::Failing);
    assert_eq!(world.changes(), [Change::Opened]);
}

#[test]
fn a_restart_forgets_nothing_and_tells_nothing_twice() {
    let mut world = World::settled();
    world.run(60, Way::Failing);
    assert_eq!(world.changes(), [Change::Opened]);
    let written = world.scorer.snapshot();
    world.scorer = Scorer::restore(Settings::new(Limits::default(), 99), &written).unwrap();
    assert_eq!(world.scorer.snapshot(), written);
    let n_findings = world.findings.len();
    world.run(60, Way::Failing);
    assert_eq!((world.changes(), world.findings.len()), (vec![Change::Opened], n_findings));
    world.run(600, Way::Usual);
    assert_eq!(world.changes(), [Change::Opened, Change::Resolved]);
    assert_eq!(world.scorer.incidents()[0].state, State::Resolved);
}

#[test]
fn torn_or_foreign_state_is_refused() {
    let written = World::settled().scorer.snapshot();
    let restore = |bytes: &[u8]| Scorer::restore(Settings::default(), bytes).is_ok();
    assert!(restore(&written));
    for cut in [0, 1, written.len() / 2, written.len() - 1] {
        assert!(!restore(&written[..cut]), "{cut}");
    }
    let mut other = written;
    other[0] = 77;
    assert!(!restore(&other));
}

#[test]
fn noise_silences_a_fingerprint_and_useful_does_not() {
    let mut world = World::settled();
    world.run(60, Way::Failing);
    let fingerprints: Vec<u64> = world.findings.iter().map(|finding| finding.fingerprint).collect();
    assert!(!fingerprints.is_empty());
    let mut quiet = World::settled();
    for fingerprint in &fingerprints {
        for _ in 0..5 {
            quiet.scorer.feedback(*fingerprint, Feedback::Noise);
        }
    }
    quiet.run(60, Way::Failing);
    assert!(!quiet.findings.iter().any(|finding| fingerprints.contains(&finding.fingerprint)));
    assert_eq!(quiet.incidents, []);
    let mut useful = World::settled();
    useful.scorer.feedback(fingerprints[0], Feedback::Useful);
    useful.run(60, Way::Failing);
    assert_eq!(useful.changes(), [Change::Opened]);
}

#[test]
fn bounds_hold_and_are_counted() {
    let limits =
        Limits { services: 3, edges: 2, endpoints: 2, alarms: 1, findings_a_tick: 1, ..Limits::default() };
    let mut world = World::with(Settings::new(limits, 1));
    world.run(3 * 3600, Way::Usual);
    // A third edge, and thousands of new names, fit nowhere.
    let at = Timestamp::from_parts(world.second, 0);
    for number in 0..5000u64 {
        let (workload, path) = (format!("w{number}"), format!("/{number}"));
        let call = |client, endpoint| Observation {
            id: CallId::new(at, number),
            at,
            heard_by: "n1",
            client: Party { namespace: "shop", workload: client, ..Party::default() },
            server: Party { namespace: "shop", workload: "db", ..Party::default() },
            protocol: "http1",
            operation: "GET",
            endpoint: Cow::Owned(endpoint),
            target: "",
            shape: number,
            outcome: Outcome::Ok,
            status: "",
            error: "",
            took: None,
            request_bytes: 0,
            response_bytes: 0,
            tls_version: "",
            certificate_expires: None,
        };
        world.scorer.push(&call(&workload, String::new()));
        world.scorer.push(&call("cart", path.clone()));
        world.scorer.push(&call("web", path));
    }
    assert_eq!(world.scorer.sizes(), (3, 2, 2));
    let counters = world.scorer.counters().clone();
    assert_eq!((counters.services_full, counters.edges_full, counters.endpoints_full), (5000, 5000, 5000));
    world.run(60, Way::Failing);
    assert_eq!(world.findings.len(), 1);
    assert!(world.scorer.counters().alarms_full > 0);
    assert_eq!(world.changes(), [Change::Opened]);
}

#[test]
fn settings_have_names() {
    let mut settings = Settings::default();
    assert_eq!(settings.set("errors.threshold", 40.0), Ok(()));
    assert!(settings.set("errors.treshold", 1.0).is_err() && settings.set("nothing", 1.0).is_err());
    for detector in crate::DETECTORS {
        for parameter in detector.parameters {
            assert_eq!(
                settings.set(&format!("{}.{}", detector.word, parameter.name), parameter.default),
                Ok(())
            );
        }
    }
}
