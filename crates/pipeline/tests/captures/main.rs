//! Every real capture through the whole packet path: the books balance, nothing cites what is not in the file,
//! and calls and flows agree with what tshark says of the same bytes.
//!
//! The captures lie beside the project, not in it; without them these tests are skipped, loudly, unless
//! `WIREWISE_REQUIRE=all`. `cargo xtask bench truth` prints the table.

mod amqp;
mod compare;
mod corpus;
mod kafka;
mod score;

use std::collections::BTreeMap;

use corpus::{Capture, corpus};
use score::Score;

/// Agreement asked for on every protocol of the table, outside of the advisory folders.
const AGREEMENT: f64 = 0.99;
/// What is compared. Other protocols of the truth are not dissected yet.
const PROTOCOLS: &[&str] =
    &["http1", "dns", "mdns", "icmp", "tls", "amqp", "kafka", "tcp flows", "udp flows"];

#[test]
fn books_balance_and_calls_cite_packets_of_the_file() {
    let Some(captures) = corpus() else { return };
    let mut faults = Vec::new();
    for capture in &captures {
        let heard = capture.run();
        if let Err(error) = heard.ledger.check() {
            faults.push(format!("{}: {error}", capture.name));
        }
        for call in &heard.calls {
            let exchange = &call.exchange;
            let frames = [&exchange.request, &exchange.response]
                .into_iter()
                .flatten()
                .flat_map(|message| &message.track.frames.numbers);
            for frame in frames {
                if !heard.times.contains_key(&frame.0) {
                    faults.push(format!(
                        "{}: {} cites packet {}, which is not in the file",
                        capture.name, call.id, frame.0
                    ));
                }
            }
        }
        let again = capture.run();
        let ids = |heard: &corpus::Heard| heard.calls.iter().map(|call| call.id).collect::<Vec<_>>();
        if ids(&again) != ids(&heard) {
            faults.push(format!("{}: a second run makes other ids", capture.name));
        }
        let mut unique = ids(&heard);
        unique.sort_unstable();
        unique.dedup();
        let final_calls = heard.calls.iter().filter(|call| call.exchange.revision == 0).count();
        if unique.len() < final_calls {
            faults.push(format!("{}: {} calls share ids", capture.name, final_calls - unique.len()));
        }
    }
    assert!(
        faults.is_empty(),
        "{} faults in {} captures:\n{}",
        faults.len(),
        captures.len(),
        faults.join("\n")
    );
}

#[test]
fn agrees_with_tshark() {
    let Some(captures) = corpus() else { return };
    let mut scores: BTreeMap<&str, Score> = BTreeMap::new();
    let mut advisory: BTreeMap<&str, Score> = BTreeMap::new();
    for capture in captures {
        let table = if capture.is_advisory() { &mut advisory } else { &mut scores };
        compare::compare(&capture, table);
    }
    println!("{:10} {:>7} {:>7} {:>8} {:>9}", "protocol", "asked", "agreed", "percent", "files");
    for (name, score) in &scores {
        println!(
            "{name:10} {:>7} {:>7} {:>8.2} {:>9}",
            score.asked,
            score.agreed,
            100.0 * score.ratio(),
            score.files.len()
        );
    }
    println!("advisory folders, where several readings are right:");
    for (name, score) in &advisory {
        println!("{name:10} {:>7} {:>7} {:>8.2}", score.asked, score.agreed, 100.0 * score.ratio());
    }
    for (name, score) in &scores {
        for fault in
            score.faults.iter().take(if std::env::var_os("WIREWISE_FAULTS").is_some() { 10_000 } else { 12 })
        {
            println!("{name}: {fault}");
        }
    }
    for name in PROTOCOLS {
        let ratio = scores.get(name).map_or(0.0, Score::ratio);
        assert!(
            ratio >= AGREEMENT,
            "{name}: {:.2}% agree, {:.0}% are asked for",
            100.0 * ratio,
            100.0 * AGREEMENT
        );
    }
}

/// A capture's name for faults.
fn place(capture: &Capture, frame: Option<u64>) -> String {
    match frame {
        Some(frame) => format!("{} packet {frame}", capture.name),
        None => capture.name.clone(),
    }
}
