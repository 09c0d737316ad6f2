//! A capture file through the whole packet path and nowhere else: what `cargo xtask bench dissect` measures.
//! Prints calls by protocol, and the most memory that the process has had.

#![allow(clippy::print_stdout, reason = "an example tells what it found")]

use std::collections::BTreeMap;
use std::path::Path;

use wirewise_capture::{FileSource, FrameSource};
use wirewise_model::Limits;
use wirewise_pipeline::{Output, Pipeline};

/// As the binary has it.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).ok_or("a capture file is needed")?;
    let mut source = FileSource::open(Path::new(&path))?;
    let mut pipeline = Pipeline::new(Limits::default(), source.capture_id());
    let mut output = Output::default();
    let mut calls: BTreeMap<String, u64> = BTreeMap::new();
    loop {
        let more = match source.next()? {
            Some(frame) => {
                pipeline.push(&frame, &mut output);
                true
            }
            None => false,
        };
        if !more {
            println!("flows_tracked {}", pipeline.flows_tracked());
            println!("peak_kb {}", peak_kb());
            pipeline.finish(&mut output);
        }
        for call in output.calls.drain(..) {
            match calls.get_mut(&*call.exchange.protocol) {
                Some(count) => *count += 1,
                None => drop(calls.insert(call.exchange.protocol.into_owned(), 1)),
            }
        }
        output.flows.clear();
        if !more {
            break;
        }
    }
    for (protocol, count) in calls {
        println!("{protocol} {count}");
    }
    pipeline.ledger().check()?;
    Ok(())
}

/// The high-water mark of this process's memory, proc(5).
fn peak_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|number| number.parse().ok()).unwrap_or(0)
}
