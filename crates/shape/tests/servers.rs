//! Errors that real servers said when they were provoked (`testdata/errors/provoke.py` says how), grouped: calls whose
//! group holds exactly the errors of their kind.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;
use wirewise_model::{Outcome, Timestamp};
use wirewise_redact::{Payload, RecordFields};
use wirewise_shape::{Bounds, Observation, ShapeTable};
use wirewise_testkit::shop::record;
use wirewise_testkit::traffic::blank;

const MESSAGES: &str = include_str!("../testdata/errors/messages.jsonl");
const GOAL: f64 = 0.95;

/// Server and kind, and the call.
fn read(number: u64, line: &str) -> ((String, String), RecordFields) {
    let row: Value = serde_json::from_str(line).expect("a line is an object");
    let text = |name: &str| row[name].as_str().map(str::to_owned);
    let must = |name: &str| text(name).expect("every line has it");
    let mut call = blank(Timestamp::from_nanos(number as i64), number);
    call.protocol = must("protocol");
    call.operation = "query".to_owned();
    call.endpoint = Some("the same for all".to_owned());
    call.peers.server.workload = must("server");
    call.status = text("status");
    call.status_code = row["status_code"].as_i64();
    call.outcome = Outcome::parse(&must("outcome")).expect("a word of the column");
    call.error = text("error");
    call.response = text("body").map(|body| Payload {
        body_bytes: body.len() as u64,
        body: Some(body),
        ..Payload::default()
    });
    ((must("server"), must("label")), call)
}

#[test]
fn errors_of_real_servers_are_grouped_by_kind() {
    let calls: Vec<_> = (0..).zip(MESSAGES.lines()).map(|(number, line)| read(number, line)).collect();
    let mut table = ShapeTable::new(Bounds::default());
    let records: Vec<_> = calls.iter().map(|(_, call)| record(call)).collect();
    table.observe(records.iter().map(Observation::of));

    let (mut kinds, mut groups): (BTreeMap<_, BTreeSet<_>>, BTreeMap<_, BTreeSet<_>>) = Default::default();
    let mut classes: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    let mut pairs = Vec::new();
    for ((kind, call), record) in calls.iter().zip(&records) {
        let learnt = table.lookup(Observation::of(record).keyed().key).expect("observed");
        kinds.entry(kind).or_default().insert(learnt.shape);
        groups.entry(learnt.shape).or_default().insert(kind);
        classes.entry(learnt.shape).or_default().insert((call.outcome, &call.status));
        pairs.push((kind, learnt.shape));
    }
    let is_exact =
        |(kind, shape): &(&(String, String), _)| kinds[kind].len() == 1 && groups[shape].len() == 1;
    let mut wrong = String::new();
    for (kind, shapes) in kinds.iter().filter(|(_, shapes)| shapes.len() > 1) {
        let told = |id| table.shape(id).expect("it is there").parts.error;
        let some: Vec<String> = shapes.iter().take(4).map(|id| told(*id)).collect();
        wrong.push_str(&format!("{kind:?} has {} groups, such as {some:?}\n", shapes.len()));
    }
    for (shape, kinds) in groups.iter().filter(|(_, kinds)| kinds.len() > 1) {
        let told = table.shape(*shape).expect("it is there").parts.error;
        wrong.push_str(&format!("one group of {kinds:?}: {told}\n"));
    }
    let servers: BTreeSet<&str> = kinds.keys().map(|(server, _)| server.as_str()).collect();
    let accuracy = pairs.iter().filter(|pair| is_exact(pair)).count() as f64 / pairs.len() as f64;
    assert!(servers.len() >= 5 && pairs.len() >= 1_500, "{servers:?}");
    assert!(classes.values().all(|classes| classes.len() == 1), "a shape of two statuses");
    assert!(accuracy >= GOAL, "{accuracy}\n{wrong}");
}
