//! The packets of a scenario: tcpdump writes them to a file, and the packet path reads that.

use std::fs;

use wirewise_capture::{FileSource, FrameSource};
use wirewise_model::{Call, CaptureId, Limits};
use wirewise_pipeline::{Output, Pipeline};

use crate::ground::Ground;

/// The packets up to the last that is waited for, in the scenario's directory.
pub(crate) const FILE: &str = "heard.pcap";
/// The file that is being written: what servers say to each other goes on.
const WRITTEN: &str = "hearing.pcap";
/// The last packet that is waited for.
const THE_END: &[u8] = b"wirewise: nothing more of this scenario is asked for";

/// tcpdump at work.
pub(crate) struct Hearing;

impl Hearing {
    /// Hears all of the namespace from now on.
    pub(crate) fn begin(ground: &Ground) -> Self {
        let mut tcpdump = ground.command("tcpdump");
        tcpdump.args(["-i", "lo", "-n", "-Z", "root", "--immediate-mode", "-U", "-B", "65536"]);
        tcpdump.args(["--time-stamp-precision", "nano", "-w", WRITTEN]);
        ground.start("tcpdump", &mut tcpdump);
        ground.wait_said("tcpdump", "listening on lo");
        Self
    }

    /// The calls of all that was heard until now.
    pub(crate) fn end(self, ground: &Ground) -> Vec<Call> {
        ground.datagram(THE_END);
        let (path, written) = (ground.path(FILE), ground.path(WRITTEN));
        ground.wait("the last packet", || {
            let bytes = fs::read(&written).unwrap_or_default();
            let Some(at) = bytes.windows(THE_END.len()).position(|window| window == THE_END) else {
                return false;
            };
            // A datagram's text is the end of its packet, and of what both witnesses read.
            fs::write(&path, &bytes[..at + THE_END.len()]).unwrap();
            true
        });
        let mut source = FileSource::open(&path).unwrap();
        let mut pipeline = Pipeline::new(Limits::default(), CaptureId("live".to_owned()));
        let mut output = Output::default();
        while let Some(frame) = source.next().unwrap() {
            pipeline.push(&frame, &mut output);
        }
        pipeline.finish(&mut output);
        let mut ledger = pipeline.ledger();
        ledger.add(&source.books());
        ledger.check().unwrap();
        assert_eq!(pipeline.switched_off(), Vec::<&str>::new());
        let mut calls = output.calls;
        calls.sort_by_key(|call| call.exchange.started());
        calls
    }
}
