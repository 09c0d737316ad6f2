//! The captures with their truth, and what the pipeline hears in one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wirewise_capture::{FileSource, FrameSource};
use wirewise_model::{Call, CaptureId, FlowSummary, Ledger, Limits, Timestamp};
use wirewise_pipeline::{Output, Pipeline};

/// Folders where the truth is one reading of several.
const ADVISORY: &[&str] = &["fuzz", "truncated", "http1_evader", "http1_ugly"];

pub(crate) struct Capture {
    /// `folder/file`.
    pub(crate) name: String,
    path: PathBuf,
    truth: PathBuf,
}

/// What came out of a capture.
pub(crate) struct Heard {
    pub(crate) calls: Vec<Call>,
    pub(crate) flows: Vec<FlowSummary>,
    pub(crate) ledger: Ledger,
    /// By packet number.
    pub(crate) times: BTreeMap<u64, Timestamp>,
}

/// All captures of the manifest; `None`, said loudly, where there are none.
pub(crate) fn corpus() -> Option<Vec<Capture>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/captures");
    let Ok(manifest) = fs::read_to_string(root.join("MANIFEST.tsv")) else {
        assert!(
            std::env::var("WIREWISE_REQUIRE").as_deref() != Ok("all"),
            "the captures are required and not there"
        );
        println!("SKIPPED(captures): no folder of real captures beside the project");
        return None;
    };
    let names = manifest.lines().skip(1).filter_map(|line| line.split('\t').next());
    let capture = |name: &str| {
        let file = name.rsplit('/').next().expect("a name has a last part");
        Capture {
            name: name.to_owned(),
            path: root.join(name),
            truth: root.join("truth").join(format!("{file}.jsonl")),
        }
    };
    Some(names.map(capture).collect())
}

impl Capture {
    pub(crate) fn is_advisory(&self) -> bool {
        ADVISORY.iter().any(|folder| self.name.starts_with(&format!("{folder}/")))
    }

    /// The whole packet path over the file.
    pub(crate) fn run(&self) -> Heard {
        let mut heard =
            Heard { calls: Vec::new(), flows: Vec::new(), ledger: Ledger::default(), times: BTreeMap::new() };
        let mut source =
            FileSource::open(&self.path).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let mut pipeline = Pipeline::new(Limits::default(), CaptureId(self.name.clone()));
        let mut output = Output::default();
        while let Some(frame) = source.next().unwrap_or_else(|error| panic!("{}: {error}", self.name)) {
            heard.times.insert(frame.number.0, frame.at);
            pipeline.push(&frame, &mut output);
        }
        pipeline.finish(&mut output);
        heard.ledger = pipeline.ledger();
        heard.ledger.add(&source.books());
        heard.calls = output.calls;
        heard.flows = output.flows;
        heard
    }

    /// The lines of its truth.
    pub(crate) fn truth(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.truth)
            .unwrap_or_else(|error| panic!("{}: {error}", self.truth.display()));
        text.lines().map(|line| serde_json::from_str(line).expect("the truth is JSON")).collect()
    }
}
