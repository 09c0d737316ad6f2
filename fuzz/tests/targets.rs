//! Every target on its corpus, on its old finds, and on a bounded number of mutations that are the same at every run.
//! `cargo xtask fuzz` goes on from here, by what the code does and not by chance.

#![allow(clippy::unwrap_used, clippy::print_stdout, reason = "a test may fail, and prints its table")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Mutex, PoisonError};

use peak_alloc::PeakAlloc;
use wirewise_fuzz::{Corpus, Mutator, Target, targets};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// Memory is counted for the whole process, so that one test runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

/// Bytes of mutated inputs for each target: a few seconds.
const MUTATED: usize = 3 << 20;
/// What one run may hold above what was held before it.
const MOST_HELD: usize = 64 << 20;
/// Any start will do; a find is written to a file.
const SEED: u64 = 0x5eed_0000_2026;

/// Runs one input; tells what was wrong with it.
fn run(target: &Target, input: &[u8]) -> Result<wirewise_fuzz::Heard, String> {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let outcome = catch_unwind(AssertUnwindSafe(|| target.run(input)));
    let held = MEMORY.peak_usage().saturating_sub(before);
    let words = |why: Box<dyn std::any::Any + Send>| {
        why.downcast_ref::<String>()
            .cloned()
            .or_else(|| why.downcast_ref::<&str>().map(|&why| why.to_owned()))
    };
    let fault = match outcome {
        Ok(heard) if held <= MOST_HELD => return Ok(heard),
        Ok(_) => format!("{} MiB were held", held >> 20),
        Err(why) => words(why).unwrap_or_default(),
    };
    let path = std::env::temp_dir().join(format!("wirewise-find-{}", target.name));
    std::fs::write(&path, input).unwrap();
    Err(format!("{}: {fault} (the input is in {})", target.name, path.display()))
}

#[test]
fn corpus_and_mutations_of_it_are_survived() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut faults = Vec::new();
    for target in targets() {
        let cases = Corpus::cases(target.name).unwrap().into_iter().map(|(_, input)| input);
        let mut inputs = Corpus::load(target.name).unwrap().inputs;
        inputs.extend(cases);
        if inputs.is_empty() {
            // A protocol that has just been added: `cargo xtask fuzz` makes its corpus.
            inputs.push(vec![0]);
        }
        faults.extend(inputs.iter().filter_map(|input| run(&target, input).err()));
        let mut mutator = Mutator::new(SEED);
        let (mut fed, mut count, mut exchanges) = (0, 0, 0);
        while fed < MUTATED {
            let input = mutator.mutate(&inputs);
            fed += input.len() + 100;
            count += 1;
            match run(&target, &input) {
                Ok(heard) => exchanges += heard.protocols.len(),
                Err(fault) => {
                    faults.push(fault);
                    break;
                }
            }
        }
        println!(
            "{:10} {:>5} inputs, {count:>6} mutations, {exchanges:>7} exchanges",
            target.name,
            inputs.len()
        );
    }
    assert!(faults.is_empty(), "{} finds:\n{}", faults.len(), faults.join("\n"));
}

/// A corpus that stops at a probe fuzzes nothing behind it.
#[test]
fn every_protocols_corpus_makes_exchanges_of_it() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let reaches = |target: &Target| {
        let corpus = Corpus::load(target.name).unwrap();
        corpus.inputs.iter().any(|input| target.run(input).protocols.iter().any(|word| word == target.name))
    };
    let protocols = targets().filter(|target| wirewise_dissect::protocol(target.name).is_some());
    let missed: Vec<&str> = protocols.filter(|target| !reaches(target)).map(|target| target.name).collect();
    assert!(missed.is_empty(), "the corpora of {missed:?} make no exchange of their protocol");
}
