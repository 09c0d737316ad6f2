//! The captures with their truth, and what the pipeline hears in one.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;
use wirewise_capture::{FileSource, FrameSource};
use wirewise_model::{
    Books, Call, CaptureId, Direction, FlowSummary, Frame, InterfaceId, Limits, LinkType, PacketNumber,
    Timestamp,
};
use wirewise_pipeline::{Output, Pipeline};

use crate::books;

/// Folders where the truth is one reading of several; malformed fragments beside them, wherever they lie.
const ADVISORY: &[&str] = &["fuzz/", "truncated/", "http1_evader/", "http1_ugly/"];
const ADVISORY_NAME: &str = "malformed-fragments";

pub(crate) struct Capture {
    /// `folder/file`.
    pub(crate) name: String,
    path: PathBuf,
    truth: PathBuf,
}

/// A frame that owns its bytes, so that it can be damaged.
#[derive(Clone)]
pub(crate) struct Owned {
    pub(crate) at: Timestamp,
    pub(crate) interface: InterfaceId,
    pub(crate) number: u64,
    pub(crate) link: LinkType,
    pub(crate) direction: Direction,
    pub(crate) bytes: Vec<u8>,
    pub(crate) original_len: u32,
}

impl Owned {
    pub(crate) fn frame(&self) -> Frame<'_> {
        Frame {
            at: self.at,
            interface: self.interface,
            number: PacketNumber(self.number),
            link: self.link,
            direction: self.direction,
            bytes: &self.bytes,
            original_len: self.original_len,
        }
    }
}

/// All frames of a capture, and what its source says of them.
pub(crate) struct Frames {
    pub(crate) name: String,
    pub(crate) frames: Vec<Owned>,
    pub(crate) source: Books,
    times: BTreeMap<u64, Timestamp>,
}

impl Frames {
    pub(crate) fn contains(&self, packet: u64) -> bool {
        self.times.contains_key(&packet)
    }

    pub(crate) fn time(&self, packet: u64) -> Option<Timestamp> {
        self.times.get(&packet).copied()
    }

    /// Numbers them anew, in the order in which they stand.
    pub(crate) fn renumber(&mut self) {
        for (number, frame) in (1..).zip(&mut self.frames) {
            frame.number = number;
        }
        self.note_times();
    }

    /// Looks anew which packets there are, and when they were heard.
    pub(crate) fn note_times(&mut self) {
        self.times = self.frames.iter().map(|frame| (frame.number, frame.at)).collect();
    }
}

/// What came out of a capture.
pub(crate) struct Heard {
    pub(crate) calls: Vec<Call>,
    pub(crate) flows: Vec<FlowSummary>,
    /// What the books got wrong on the way.
    pub(crate) faults: Vec<String>,
    /// By packet number.
    pub(crate) times: BTreeMap<u64, Timestamp>,
}

impl Heard {
    /// The whole packet path, audited at every step.
    pub(crate) fn of(frames: &Frames, limits: &Limits) -> Self {
        let mut pipeline = Pipeline::new(limits.clone(), CaptureId(frames.name.clone()));
        let mut output = Output::default();
        let mut audit = books::Audit::new(limits);
        for frame in &frames.frames {
            pipeline.push(&frame.frame(), &mut output);
            audit.pushed(&frame.frame(), &pipeline, &output);
        }
        pipeline.finish(&mut output);
        let faults = audit.finished(&pipeline, &output, &frames.source);
        let Output { calls, flows } = output;
        Self { calls, flows, faults, times: frames.times.clone() }
    }
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
        ADVISORY.iter().any(|folder| self.name.starts_with(folder)) || self.name.contains(ADVISORY_NAME)
    }

    pub(crate) fn frames(&self) -> Frames {
        let mut source =
            FileSource::open(&self.path).unwrap_or_else(|error| panic!("{}: {error}", self.name));
        let mut frames = Vec::new();
        while let Some(frame) = source.next().unwrap_or_else(|error| panic!("{}: {error}", self.name)) {
            frames.push(Owned {
                at: frame.at,
                interface: frame.interface,
                number: frame.number.0,
                link: frame.link,
                direction: frame.direction,
                bytes: frame.bytes.to_vec(),
                original_len: frame.original_len,
            });
        }
        let times = frames.iter().map(|frame| (frame.number, frame.at)).collect();
        Frames { name: self.name.clone(), frames, source: source.books(), times }
    }

    /// The lines of its truth.
    pub(crate) fn truth(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.truth)
            .unwrap_or_else(|error| panic!("{}: {error}", self.truth.display()));
        text.lines().map(|line| serde_json::from_str(line).expect("the truth is JSON")).collect()
    }
}
