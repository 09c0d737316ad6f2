//! Frames through the whole packet path, and what comes out through redaction: the script's pieces are the frames.

use wirewise_model::{
    CaptureId, Direction, Frame, InterfaceId, LinkType, PacketNumber, Peers, Timestamp, Vantage,
};
use wirewise_pipeline::{Output, Pipeline};
use wirewise_redact::{Attributed, Key, Record, Redactor};

use crate::play::limits;
use crate::script::{Mode, Script, Step};
use crate::verdict::Heard;

/// What the first header of all frames may be, by the script's mode.
const LINKS: [LinkType; 8] = [
    LinkType::ETHERNET,
    LinkType::RAW,
    LinkType::LINUX_SLL,
    LinkType::LINUX_SLL2,
    LinkType::NULL,
    LinkType::LOOP,
    LinkType::IPV4,
    LinkType::IPV6,
];

/// The mode of frames with that first header, where one has it.
pub(crate) fn mode(link: LinkType) -> Option<Mode> {
    let at = LINKS.iter().position(|known| *known == link)?;
    Some(Mode((at as u8) << 5))
}

pub(crate) fn run(bytes: &[u8]) -> Heard {
    let script = Script::from_bytes(bytes);
    let limits = limits(script.mode);
    let link = LINKS[usize::from(script.mode.0 >> 5)];
    let capture = CaptureId("fuzz".to_owned());
    let mut pipeline = Pipeline::new(limits.clone(), capture.clone());
    let mut redactor = Redactor::new(&Key::from_bytes([7; 32]), &limits, wirewise_pipeline::redaction);
    let (mut output, mut heard) = (Output::default(), Heard::default());
    let (mut now, mut number, mut cut) = (0_i64, 0, 0);
    let mut told = |output: &mut Output, number: u64, heard: &mut Heard| {
        for call in output.calls.drain(..) {
            heard.protocols.push(call.exchange.protocol.clone().into_owned());
            for message in [&call.exchange.request, &call.exchange.response].into_iter().flatten() {
                let track = &message.track;
                let cited = track.frames.numbers.iter().chain([&track.first.packet, &track.last.packet]);
                cited.for_each(|packet| {
                    assert!((1..=number).contains(&packet.0), "{call:?} cites {packet:?}")
                });
            }
            let heard =
                wirewise_redact::Heard { capture: capture.clone(), node: None, vantage: Vantage::Between };
            let record = redactor.redact(Attributed { call, peers: Peers::default(), heard });
            assert_eq!(
                Record::decode(&record.encode()).ok().as_ref(),
                Some(&record),
                "a record is its bytes"
            );
        }
    };
    for step in &script.steps {
        match step {
            Step::Say(_, bytes) => {
                now += 1_000_000;
                number += 1;
                let frame = Frame {
                    at: Timestamp::from_nanos(now),
                    interface: InterfaceId(0),
                    number: PacketNumber(number),
                    link,
                    direction: Direction::Unknown,
                    bytes,
                    original_len: (bytes.len() + std::mem::take(&mut cut)) as u32,
                };
                pipeline.push(&frame, &mut output);
            }
            Step::Cut(_, len) => cut = *len,
            Step::Wait(seconds) => {
                now += *seconds as i64 * 1_000_000_000;
                pipeline.tick(Timestamp::from_nanos(now), &mut output);
            }
            Step::Lose(..) | Step::End(..) => {}
        }
        told(&mut output, number, &mut heard);
    }
    pipeline.open(Timestamp::from_nanos(now), std::time::Duration::ZERO, 100);
    pipeline.finish(&mut output);
    told(&mut output, number, &mut heard);
    let panicked = pipeline.switched_off();
    assert!(panicked.is_empty(), "{panicked:?} panicked");
    let ledger = pipeline.ledger();
    ledger.check().expect("the books balance");
    assert_eq!(pipeline.flows_tracked(), 0, "flows are left after the end");
    heard.understood = ledger.stage(wirewise_model::Stage::Dissect).map_or(0, |books| books.passed_on);
    heard
}
