//! Faults and quiet days of a shop in virtual time, and how the scorer does on them. `shop` is who there is, `stream`
//! what they say, `fault` what goes wrong; `table` adds up.

mod chance;
mod fault;
mod said;
mod shop;
mod stream;
mod table;

use anyhow::Result;
use wirewise_model::Timestamp;
use wirewise_score::{Change, Event, Incident, Kind, Limits, Scorer, Settings};

use chance::Chance;
use fault::{Fault, KINDS};
use stream::Stream;

/// A Monday, 2026-11-23.
const BEGIN: u64 = 1_795_392_000;
/// Seconds of traffic before the first fault of a seed.
const WARM_UP: u64 = 9000;
/// Seconds that a fault lasts, and the traffic of its own that goes before it.
const LASTS: u64 = 300;
const BEFORE: u64 = 60;

/// Which seeds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Half {
    /// Even seeds: parameters are chosen on them.
    Choose,
    /// Odd seeds: results are reported on them.
    Report,
}

/// What to run.
pub(crate) struct Plan {
    pub(crate) seeds: u64,
    pub(crate) days: u64,
    pub(crate) half: Half,
    pub(crate) kind: Option<String>,
    pub(crate) verbose: bool,
}

/// How one fault went.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Outcome {
    /// Seconds from the arrival of the first affected record to the incident's opening.
    pub(crate) delay: Option<f64>,
    pub(crate) right_service: bool,
    pub(crate) right_kind: bool,
    /// The same at the moment of opening.
    pub(crate) service_at_once: bool,
}

pub(crate) fn run(plan: &Plan) -> Result<()> {
    let kinds: Vec<Kind> = KINDS
        .iter()
        .copied()
        .filter(|kind| plan.kind.as_ref().is_none_or(|name| name == kind.name()))
        .collect();
    let mut rows = vec![Vec::new(); kinds.len()];
    for number in 0..plan.seeds {
        let seed = 2 * number + u64::from(plan.half == Half::Report);
        let (stream, state) = warm_up(seed);
        for (row, &kind) in rows.iter_mut().zip(&kinds) {
            row.extend(fault_run(seed, kind, &stream, &state, plan.verbose));
        }
    }
    table::print_faults(&kinds, &rows);
    if plan.days > 0 {
        let n_false = quiet(plan);
        table::print_quiet(&n_false);
    }
    Ok(())
}

fn settings() -> Settings {
    Settings::new(Limits::default(), 7)
}

fn at(second: u64) -> Timestamp {
    Timestamp::from_parts(second as i64, 0)
}

/// Hours of ordinary traffic that begin at an hour of the seed's own.
fn warm_up(seed: u64) -> (Stream, Vec<u8>) {
    let mut chance = Chance::new(seed ^ 0x5eed);
    let begin = BEGIN + chance.below(7 * 24) as u64 * 3600;
    let (mut stream, mut scorer) = (Stream::new(seed, begin), Scorer::new(settings()));
    for second in begin..begin + WARM_UP {
        stream.second(&mut scorer);
        scorer.tick(at(second + 1));
    }
    (stream, scorer.snapshot())
}

fn fault_run(seed: u64, kind: Kind, stream: &Stream, state: &[u8], verbose: bool) -> Option<Outcome> {
    let mut stream = stream.clone();
    let mut scorer = Scorer::restore(settings(), state).expect("it was written a moment ago");
    stream.reseed(seed << 8 | kind as u64);
    let begin = stream.now;
    let mut outcome = Outcome::default();
    let mut latest: Option<Incident> = None;
    let mut target = String::new();
    for second in begin..begin + BEFORE + LASTS {
        if second == begin + BEFORE {
            let (shop, rates) = (stream.shop.clone(), stream.rates());
            let fault = Fault::draw(kind, &shop, &rates, stream.chance());
            let Some(fault) = fault else {
                if verbose {
                    println!("  {} seed {seed}: nobody in this shop is busy enough", kind.name());
                }
                return None;
            };
            target = full_name(&shop.workloads[fault.target]);
            if verbose {
                println!(
                    "  {} seed {seed}: {target} ({:.1} calls/s) slow {:.1} fails {:.2}",
                    kind.name(),
                    rates[fault.target],
                    fault.slow,
                    fault.fails
                );
            }
            stream.begin(fault);
        }
        stream.second(&mut scorer);
        for event in scorer.tick(at(second + 1)) {
            let Event::Incident(change, incident) = event else { continue };
            let Some(first) = stream.first_affected else { continue };
            let is_new = matches!(change, Change::Opened | Change::Reopened) && second >= begin + BEFORE;
            if is_new && outcome.delay.is_none() {
                outcome.delay = Some((second + 1) as f64 - first);
                outcome.service_at_once = incident.first_suspect() == target;
                latest = Some((*incident).clone());
            } else if latest.as_ref().is_some_and(|latest| latest.id == incident.id) {
                latest = Some(*incident);
            }
        }
    }
    if let Some(incident) = &latest {
        let now = scorer.incidents().iter().find(|now| now.id == incident.id).unwrap_or(incident);
        outcome.right_service = now.first_suspect() == target;
        outcome.right_kind = now.kind == kind;
        if verbose {
            println!("    {:.0} s; {} {}", outcome.delay.unwrap_or_default(), now.kind.name(), now.summary);
            if !outcome.right_service {
                for suspect in &now.suspects {
                    println!("      {:.2} {} {}", suspect.score, suspect.service, suspect.why);
                }
            }
        }
    } else if verbose {
        println!(
            "    nothing found; first affected {:?}",
            stream.first_affected.map(|first| first - (begin + BEFORE) as f64)
        );
    }
    Some(outcome)
}

fn full_name(workload: &shop::Workload) -> String {
    match workload.role {
        shop::Role::Outside => workload.name.clone(),
        _ => format!("shop/{}", workload.name),
    }
}

/// Incidents of each quiet day. The first day is learnt from, and not counted.
fn quiet(plan: &Plan) -> Vec<u64> {
    let seed = 1000 + u64::from(plan.half == Half::Report);
    let (mut stream, mut scorer) = (Stream::new(seed, BEGIN), Scorer::new(settings()));
    let mut n_false = vec![0; plan.days as usize + 1];
    for second in 0..(plan.days + 1) * 86_400 {
        stream.second(&mut scorer);
        for event in scorer.tick(at(BEGIN + second + 1)) {
            if let Event::Incident(Change::Opened | Change::Reopened, incident) = event {
                n_false[(second / 86_400) as usize] += 1;
                if plan.verbose {
                    println!(
                        "  quiet day {}: {} {}",
                        second / 86_400,
                        incident.kind.name(),
                        incident.summary
                    );
                    for finding in &incident.findings {
                        println!(
                            "      {} {} {:.1}: {}",
                            finding.detector, finding.subject, finding.score, finding.reason
                        );
                    }
                }
            }
        }
    }
    n_false.remove(0);
    n_false
}
