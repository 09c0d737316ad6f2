//! Every real capture through the whole packet path: the books balance, nothing cites what is not in the file,
//! calls and flows agree with what tshark says of the same bytes, and damage is survived.
//!
//! The captures lie beside the project, not in it; without them these tests are skipped, loudly, unless
//! `WIREWISE_REQUIRE=all`. `cargo xtask bench truth` prints the table.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and prints its table")]

mod access;
mod amqp;
mod beginnings;
mod books;
mod compare;
mod corpus;
mod databases;
mod disputed;
mod graphql;
mod http2;
mod kafka;
mod keys;
mod losses;
mod mutate;
mod precision;
mod score;
mod sctp;
mod websocket;

use std::collections::BTreeMap;

use beginnings::Beginnings;
use corpus::{Frames, Heard, corpus};
use disputed::Disputes;
use losses::{Found, Losses, There};
use mutate::Mutator;
use score::Score;
use wirewise_model::Limits;

/// Agreement asked for on every protocol of the table, outside of the advisory folders; and of our own calls,
/// how many the truth must know.
const AGREEMENT: f64 = 0.99;
/// Calls that are found, of those whose packets are all there, where 1% of all packets are lost.
const FOUND: f64 = 0.95;
/// Calls that losses still invent, of 106,792, by protocol: a debt. None may be added, and who mends one takes it off.
const INVENTED: &[(&str, usize)] = &[
    ("amqp", 24),
    ("dns", 12),
    ("icmp", 5),
    ("mdns", 2),
    ("mysql", 7),
    ("nats", 1),
    ("postgres", 9),
    ("quic", 1),
    ("redis", 11),
    ("tls", 6),
    ("websocket", 1),
];
/// What is compared. Other protocols of the truth are not dissected yet.
const PROTOCOLS: &[&str] = &[
    "http1",
    "http2",
    "grpc",
    "websocket",
    "graphql",
    "dns",
    "mdns",
    "icmp",
    "tls",
    "amqp",
    "kafka",
    "redis",
    "memcached",
    "mqtt",
    "nats",
    "ldap",
    "radius",
    "diameter",
    "quic",
    "sctp",
    "tcp flows",
    "udp flows",
];
/// Any start will do; a fault names the file that it met.
const SEED: u64 = 0x5eed_0000_2026;

#[test]
fn books_balance_and_calls_cite_packets_of_the_file() {
    let Some(captures) = corpus() else { return };
    let mut faults = Vec::new();
    for capture in &captures {
        let mut fault = |text: String| faults.push(format!("{}: {text}", capture.name));
        let frames = capture.frames();
        let heard = Heard::of(&frames, &Limits::default());
        heard.faults.iter().cloned().for_each(&mut fault);
        cited(&frames, &heard).into_iter().for_each(&mut fault);
        let again = Heard::of(&frames, &Limits::default());
        let ids = |heard: &Heard| heard.calls.iter().map(|call| call.id).collect::<Vec<_>>();
        if ids(&again) != ids(&heard) {
            fault("a second run makes other ids".to_owned());
        }
        let mut unique = ids(&heard);
        unique.sort_unstable();
        unique.dedup();
        let final_calls = heard.calls.iter().filter(|call| call.exchange.revision == 0).count();
        if unique.len() < final_calls {
            fault(format!("{} calls share ids", final_calls - unique.len()));
        }
    }
    report(&faults, captures.len());
}

#[test]
fn memory_stays_within_limits_that_are_tight() {
    let Some(captures) = corpus() else { return };
    let mut faults = Vec::new();
    for capture in &captures {
        let heard = Heard::of(&capture.frames(), &books::tight());
        faults.extend(heard.faults.iter().map(|fault| format!("{}: {fault}", capture.name)));
    }
    report(&faults, captures.len());
}

#[test]
fn damaged_captures_are_survived_and_accounted_for() {
    let Some(captures) = corpus() else { return };
    let mut faults = Vec::new();
    let mut mutator = Mutator::new(SEED);
    for capture in &captures {
        let mut frames = capture.frames();
        mutator.damage(&mut frames);
        let limits = if mutator.chance(2) { books::tight() } else { Limits::default() };
        // A dissector that panics once is switched off, so that one panic is enough to be seen.
        let heard = Heard::of(&frames, &Limits { protocol_panics: 1, ..limits });
        let told = heard.faults.iter().cloned().chain(cited(&frames, &heard));
        faults.extend(told.map(|fault| format!("{} (damaged): {fault}", capture.name)));
    }
    println!("{} damaged captures: {}", captures.len(), mutator.told());
    report(&faults, captures.len());
}

/// Of 1,000 packets 1, 10 and 50 are lost, as many swapped and as many doubled. What is told then was told before, and
/// calls whose packets are all there are told as before.
#[test]
fn losses_invent_no_calls_and_hide_no_others() {
    let Some(captures) = corpus() else { return };
    let mut faults = Vec::new();
    let mut tables: Vec<BTreeMap<String, Found>> = Vec::new();
    let (mut invented, mut n_calls): (BTreeMap<String, usize>, usize) = (BTreeMap::new(), 0);
    for (one_in, rounds) in [(1000, 4), (100, 4), (20, 2)] {
        let mut losses = Losses::new(SEED, one_in);
        let mut table: BTreeMap<String, Found> = BTreeMap::new();
        for capture in &captures {
            let whole = capture.frames();
            let expected = Heard::of(&whole, &Limits::default());
            for _ in 0..rounds {
                let mut frames = capture.frames();
                losses.inflict(&mut frames);
                let heard = Heard::of(&frames, &Limits { protocol_panics: 1, ..Limits::default() });
                let comparison =
                    losses::compare(&expected, &heard, &There::new(&whole, &frames, &losses.struck[2]));
                let [lost, swapped, _] = &losses.struck;
                let place = format!("{} (1 in {one_in}; {lost:?} lost, {swapped:?} swapped)", capture.name);
                let broken = heard.faults.iter().cloned().chain(cited(&frames, &heard));
                faults.extend(broken.map(|fault| format!("{place}: {fault}")));
                n_calls += heard.calls.len();
                for (protocol, line) in comparison.invented {
                    println!("{place}: {line}");
                    *invented.entry(protocol).or_default() += 1;
                }
                for (protocol, Found { asked, found }) in comparison.found {
                    let all = table.entry(protocol).or_default();
                    all.asked += asked;
                    all.found += found;
                }
                if std::env::var_os("WIREWISE_MISSED").is_some() {
                    comparison
                        .missed
                        .iter()
                        .for_each(|fault| println!("{} (1 in {one_in}): {fault}", capture.name));
                }
            }
        }
        let [lost, swapped, doubled] = losses.done;
        println!("1 in {one_in}: {lost} packets lost, {swapped} swapped, {doubled} doubled");
        tables.push(table);
    }
    println!("{:10} {:>20} {:>20} {:>20}", "calls", "0.1%", "1%", "5%");
    for protocol in tables[1].keys() {
        let figure = |table: &BTreeMap<String, Found>| {
            let Found { asked, found } = table.get(protocol).copied().unwrap_or_default();
            format!("{found}/{asked} {:6.2}%", 100.0 * found as f64 / asked.max(1) as f64)
        };
        println!(
            "{protocol:10} {:>20} {:>20} {:>20}",
            figure(&tables[0]),
            figure(&tables[1]),
            figure(&tables[2])
        );
    }
    report(&faults, captures.len());
    println!("of {n_calls} calls invented: {invented:?}");
    let known: BTreeMap<String, usize> =
        INVENTED.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect();
    assert_eq!(invented, known, "invented calls by protocol (left), beside what is known of (right)");
    for (protocol, Found { asked, found }) in &tables[1] {
        assert!(
            *found as f64 >= FOUND * *asked as f64,
            "{protocol}: {found} of {asked} calls whose packets are all there are found where 1% is lost"
        );
    }
}

#[test]
fn agrees_with_tshark() {
    let Some(captures) = corpus() else { return };
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    let mut advisory: BTreeMap<&str, Score> = BTreeMap::new();
    let (mut disputes, mut beginnings) = (Disputes::new(), Beginnings::new());
    for capture in captures {
        let heard = Heard::of(&capture.frames(), &Limits::default());
        let truth = capture.truth();
        let table = if capture.is_advisory() { &mut advisory } else { &mut scores };
        for verdict in compare::compare(&capture, &heard, &truth, &mut beginnings) {
            let disputed = verdict.fault.as_ref().is_some_and(|fault| {
                !capture.is_advisory() && disputes.settles(&capture.name, verdict.packet, fault)
            });
            table.entry(verdict.protocol).or_default().note(&capture.name, verdict, disputed);
        }
        for (protocol, known, extra) in precision::of(&heard, &truth) {
            let score = table.entry(protocol).or_default();
            score.ours += known + extra.len();
            for call in extra {
                let settled = disputes.settles(&capture.name, Some(call.packet), &call.fault);
                score.extra(&capture.name, call, settled);
            }
        }
    }
    print(&scores, &advisory);
    let stale: Vec<String> = disputes.stale().chain(beginnings.stale()).collect();
    assert!(stale.is_empty(), "entries of the tables that nothing needs any more:\n{}", stale.join("\n"));
    for name in PROTOCOLS.iter().chain(databases::PROTOCOLS) {
        let score = &scores[name];
        // Where one call of ours is several lines of the truth, a test of the protocol's own says that none is made up.
        let precision = if score.ours == 0 { 1.0 } else { score.precision() };
        for (what, ratio) in [("agree", score.recall()), ("are known to tshark", precision)] {
            assert!(
                ratio >= AGREEMENT,
                "{name}: {:.2}% {what}, {:.0}% are asked for",
                100.0 * ratio,
                100.0 * AGREEMENT
            );
        }
    }
}

fn print(scores: &BTreeMap<&str, Score>, advisory: &BTreeMap<&str, Score>) {
    println!(
        "{:10} {:>6} {:>6} {:>8} {:>7} | {:>6} {:>6} {:>8} {:>9} | {:>5}",
        "protocol", "asked", "alike", "disputed", "recall", "ours", "extra", "disputed", "precision", "files"
    );
    let line = |name: &str, score: &Score| {
        println!(
            "{name:10} {:>6} {:>6} {:>8} {:>7.2} | {:>6} {:>6} {:>8} {:>9.2} | {:>5}",
            score.asked,
            score.agreed,
            score.disputed,
            100.0 * score.recall(),
            score.ours,
            score.extra,
            score.settled,
            100.0 * score.precision(),
            score.files.len()
        );
    };
    scores.iter().for_each(|(name, score)| line(name, score));
    println!("advisory folders, where several readings are right:");
    advisory.iter().for_each(|(name, score)| line(name, score));
    for (name, score) in scores {
        for fault in &score.faults {
            println!("{name}: {fault}");
        }
    }
}

/// Calls that cite packets which are not there.
fn cited(frames: &Frames, heard: &Heard) -> Vec<String> {
    let mut faults = Vec::new();
    for call in &heard.calls {
        let exchange = &call.exchange;
        for message in [&exchange.request, &exchange.response].into_iter().flatten() {
            let track = &message.track;
            let ends = [track.first, track.last];
            let numbers = track.frames.numbers.iter().copied().chain(ends.map(|mark| mark.packet));
            let missing = numbers.filter(|number| !frames.contains(number.0)).map(|number| {
                format!(
                    "{} {} cites packet {}, which is not in the file",
                    exchange.protocol, call.id, number.0
                )
            });
            faults.extend(missing);
            let untrue =
                ends.iter().filter(|mark| frames.time(mark.packet.0).is_some_and(|at| at != mark.at));
            faults.extend(untrue.map(|mark| {
                format!("{} {} has another time of packet {}", exchange.protocol, call.id, mark.packet.0)
            }));
        }
    }
    faults
}

#[track_caller]
fn report(faults: &[String], captures: usize) {
    assert!(faults.is_empty(), "{} faults in {captures} captures:\n{}", faults.len(), faults.join("\n"));
}
