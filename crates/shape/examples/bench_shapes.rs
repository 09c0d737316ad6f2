//! One side of `cargo xtask bench shapes`: generated calls through the table, in CPU seconds, as JSON lines.
//!
//! ```text
//! bench_shapes calls COUNT ROUTES      one line at each tenth of the way
//! bench_shapes lines COUNT ROUTES      COUNT failed calls as KIND <tab> SCOPE <tab> WORDS, for another's grouping
//! bench_shapes errors COUNT ROUTES     the same calls through the table: CPU and grouping accuracy
//! ```

use std::collections::{HashMap, HashSet};
use std::io::{BufWriter, Error, Write};
use std::path::Path;

use serde_json::json;
use wirewise_redact::{Record, RecordFields};
use wirewise_shape::{Bounds, Observation, ShapeKey, ShapeTable};
use wirewise_testkit::shop::record;
use wirewise_testkit::traffic::{Label, Traffic};

type Outcomes<T> = Result<T, Box<dyn std::error::Error>>;

/// Calls of a batch: what an agent ships at once.
const BATCH: u64 = 1_000;
/// Batches after which changes are taken, as if every few seconds.
const PACE: u64 = 50;
const SEED: u64 = 1;

fn main() -> Outcomes<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["calls", count, routes] => calls(count.parse()?, routes.parse()?),
        ["lines", count, routes] => lines(count.parse()?, routes.parse()?),
        ["errors", count, routes] => errors(count.parse()?, routes.parse()?),
        _ => Err("bench_shapes calls|lines|errors COUNT ROUTES".into()),
    }
}

fn calls(count: u64, routes: usize) -> Outcomes<()> {
    let traffic = Traffic::new(SEED, routes);
    let mut table = ShapeTable::new(Bounds::default());
    let (mut spent, mut embedded, mut labels) = (0, 0, HashSet::new());
    let batches = count.div_ceil(BATCH);
    for batch in 0..batches {
        let numbers = batch * BATCH..((batch + 1) * BATCH).min(count);
        let records: Vec<Record> = numbers
            .map(|number| {
                let (fields, label) = traffic.call(number);
                labels.insert(label.shape);
                record(&fields)
            })
            .collect();
        // Making the calls is another's work. All runs on this thread.
        let before = cpu_nanos()?;
        table.observe(records.iter().map(Observation::of));
        if batch % PACE == PACE - 1 || batch + 1 == batches {
            embedded += table.take_changes().created.len();
        }
        spent += cpu_nanos()? - before;
        if (batch + 1) % batches.div_ceil(10) == 0 || batch + 1 == batches {
            say(&json!({
                "calls": ((batch + 1) * BATCH).min(count), "cpu_seconds": spent as f64 / 1e9,
                "shapes": table.n_shapes(), "embeddings": embedded, "true_shapes": labels.len(),
                "keys": table.n_keys(), "rest_calls": table.rest_calls(), "routes": traffic.n_routes(),
                "kinds_of_errors": traffic.n_failures(),
            }))?;
        }
    }
    let total: u64 =
        table.ids().iter().filter_map(|id| table.shape(*id)).map(|shape| shape.stats.calls).sum();
    if total != count {
        return Err(format!("{total} calls in shapes, of {count}").into());
    }
    Ok(())
}

/// Failed calls of the world, in order.
fn failed(traffic: &Traffic, count: u64) -> impl Iterator<Item = (RecordFields, Label)> {
    (0..).map(|number| traffic.call(number)).filter(|(_, label)| label.error != 0).take(count as usize)
}

fn lines(count: u64, routes: usize) -> Outcomes<()> {
    let traffic = Traffic::new(SEED, routes);
    let mut out = BufWriter::new(std::io::stdout().lock());
    for (fields, label) in failed(&traffic, count) {
        // Who groups the words knows as much of the call as the table does.
        let kin = fields.protocol.trim_end_matches(char::is_numeric);
        let scope = format!("{} {kin} {}", fields.peers.server.workload, label.class);
        writeln!(out, "{}\t{scope}\t{}", label.error, fields.error.unwrap_or_default())?;
    }
    Ok(out.flush()?)
}

fn errors(count: u64, routes: usize) -> Outcomes<()> {
    let traffic = Traffic::new(SEED, routes);
    let made: Vec<(Record, Label)> =
        failed(&traffic, count).map(|(fields, label)| (record(&fields), label)).collect();
    let mut table = ShapeTable::new(Bounds::default());
    let before = cpu_nanos()?;
    for batch in made.chunks(BATCH as usize) {
        table.observe(batch.iter().map(|(record, _)| Observation::of(record)));
    }
    let spent = cpu_nanos()? - before;
    let mut told: HashMap<ShapeKey, (String, String, String, String)> = HashMap::new();
    let pairs: Vec<(u64, ShapeKey)> =
        made.iter().map(|(record, label)| (label.error, Observation::of(record).keyed().key)).collect();
    for (_, key) in &pairs {
        if let Some(shape) = table.lookup(*key).and_then(|learnt| table.shape(learnt.shape)) {
            let parts = shape.parts;
            let kin = parts.protocol.trim_end_matches(char::is_numeric).to_owned();
            told.insert(*key, (parts.server, kin, parts.class, parts.error));
        }
    }
    let (mut kinds, mut groups): (HashMap<_, HashSet<_>>, HashMap<_, HashSet<_>>) = Default::default();
    for (kind, key) in &pairs {
        kinds.entry(*kind).or_default().insert(&told[key]);
        groups.entry(&told[key]).or_default().insert(*kind);
    }
    let exact = pairs.iter().filter(|(kind, key)| kinds[kind].len() == 1 && groups[&told[key]].len() == 1);
    say(&json!({
        "lines": pairs.len(), "cpu_seconds": spent as f64 / 1e9, "groups": groups.len(), "kinds": kinds.len(),
        "accuracy": exact.count() as f64 / pairs.len() as f64,
    }))
}

fn say(value: &serde_json::Value) -> Outcomes<()> {
    Ok(writeln!(std::io::stdout(), "{value}")?)
}

/// CPU time of this thread: the first number of schedstat is nanoseconds on a CPU.
fn cpu_nanos() -> Result<u64, Error> {
    let text = std::fs::read_to_string(Path::new("/proc/thread-self/schedstat"))?;
    let first = text.split_whitespace().next().and_then(|word| word.parse().ok());
    first.ok_or_else(|| Error::other("no time in schedstat"))
}
