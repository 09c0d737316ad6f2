//! A capture file into batches, on the calling thread. The same file makes the same batches, so importing it
//! twice adds nothing; nothing is dropped, a slow sink makes it wait.

use std::path::{Path, PathBuf};

use wirewise_capture::{FileSource, FrameSource};
use wirewise_identity::NamesFile;
use wirewise_model::{CaptureId, Ledger, Limits, Timestamp};
use wirewise_pipeline::{Output, Pipeline};
use wirewise_redact::Key;

use crate::attribute::Attributor;
use crate::batches::Batches;
use crate::losses::Losses;
use crate::{AgentError, Sink};

/// The epoch of imports: raised when the same file would make other rows, so that they are not taken for
/// those of before.
const DISSECTION: u64 = 1;
/// Frames between two reports of progress.
const FRAMES_A_REPORT: u64 = 16_384;

/// How to import.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The data set that the file becomes part of.
    pub dataset: String,
    /// Names that the user gave, stronger than all others.
    pub names: Option<NamesFile>,
    /// Bounds of the packet path.
    pub limits: Limits,
    /// Key of redaction's pseudonyms.
    pub key: Key,
}

/// How far an import is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// Bytes that it has.
    pub total_bytes: u64,
    /// Frames so far.
    pub frames: u64,
    /// Calls so far.
    pub calls: u64,
}

/// What an import did.
#[derive(Clone, Debug)]
pub struct ImportReport {
    /// The file, as it was told.
    pub path: PathBuf,
    /// The capture's id.
    pub capture: CaptureId,
    /// Frames that were dissected.
    pub frames: u64,
    /// Calls shipped.
    pub calls: u64,
    /// Flows shipped.
    pub flows: u64,
    /// Batches shipped.
    pub batches: u64,
    /// The books of every stage from capture to calls.
    pub ledger: Ledger,
    /// First frame's time.
    pub first_at: Option<Timestamp>,
    /// Last frame's time.
    pub last_at: Option<Timestamp>,
    /// Frames of which a snap length cut the tail.
    pub cut_frames: u64,
    /// What was wrong with the file, and which protocols were switched off.
    pub warnings: Vec<String>,
}

/// Imports a file that was opened at `path`. The last batch says that the capture is complete; an empty capture ships that one alone.
pub fn import(
    path: &Path,
    mut source: FileSource,
    options: &ImportOptions,
    sink: &mut impl Sink,
    mut progress: impl FnMut(Progress),
) -> Result<ImportReport, AgentError> {
    let capture = source.capture_id();
    let mut pipeline = Pipeline::new(options.limits.clone(), capture.clone());
    let mut attributor =
        Attributor::new(options.names.clone(), &options.limits, &options.key, capture.clone());
    attributor.learn_names(source.names());
    // The file is found again by its path, from whatever directory.
    let stored_path = path.canonicalize().unwrap_or_else(|_| path.to_owned()).to_string_lossy().into_owned();
    let mut batches = Batches::new(options.dataset.clone(), capture.clone(), Some(stored_path), DISSECTION);
    let mut losses = Losses::default();
    let mut output = Output::default();
    let (mut calls, mut flows) = (0, 0);

    loop {
        let more = match source.next()? {
            Some(frame) => {
                batches.heard(frame.at);
                pipeline.push(&frame, &mut output);
                true
            }
            None => {
                pipeline.finish(&mut output);
                false
            }
        };
        for call in output.calls.drain(..) {
            calls += 1;
            attributor.learn(&call);
            batches.call(attributor.record(call));
        }
        for flow in output.flows.drain(..) {
            flows += 1;
            batches.flow(attributor.flow(flow));
        }
        if !more {
            break;
        }
        if batches.is_full() {
            let ledger = ledger(&source, &pipeline);
            let at = batches.info.last_at.unwrap_or_default();
            batches.losses(losses.since(&ledger, at, None));
            sink.ship(batches.take())?;
        }
        if batches.info.frames.is_multiple_of(FRAMES_A_REPORT) {
            let (bytes, total_bytes) = source.progress();
            progress(Progress { bytes, total_bytes, frames: batches.info.frames, calls });
        }
    }

    let ledger = ledger(&source, &pipeline);
    let at = batches.info.last_at.unwrap_or_default();
    batches.losses(losses.since(&ledger, at, None));
    batches.info.complete = true;
    sink.ship(batches.take())?;
    let (bytes, total_bytes) = source.progress();
    progress(Progress { bytes, total_bytes, frames: batches.info.frames, calls });
    let switched_off = pipeline.switched_off();
    let switched_off =
        switched_off.iter().map(|protocol| format!("{protocol} panicked too often and was switched off"));
    Ok(ImportReport {
        path: path.to_owned(),
        capture,
        frames: batches.info.frames,
        calls,
        flows,
        batches: batches.sequence,
        ledger,
        first_at: batches.info.first_at,
        last_at: batches.info.last_at,
        cut_frames: source.cut_frames(),
        warnings: source.warnings().iter().cloned().chain(switched_off).collect(),
    })
}

fn ledger(source: &FileSource, pipeline: &Pipeline) -> Ledger {
    let mut ledger = pipeline.ledger();
    ledger.add(&source.books());
    ledger
}
