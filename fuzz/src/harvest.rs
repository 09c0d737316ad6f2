//! Seeds of captures: each flow as a script of its protocol, each exchange that a refiner knows as one of its own, and
//! runs of frames.

use std::path::Path;

use wirewise_capture::{CaptureError, FileSource, FrameSource};
use wirewise_dissect::{Datagram, End, Out, PROTOCOLS, Session, SessionStart, Switchboard};
use wirewise_flow::{EndReason, Event, Flow, FlowTable, Listener};
use wirewise_model::{CaptureId, FlowSummary, Limits, Side, Transport};
use wirewise_wire::{Parsed, Parser};

use crate::script::{Mode, Script, Step};
use crate::{direct, frames};

/// Longest script that is made: a fuzzer is slow with long ones.
const LONGEST: usize = 6000;
/// Frames of a script of frames.
const FRAMES: usize = 12;

/// The seeds that are in a capture: a target's name and an input of it, each.
pub fn harvest(capture: &Path) -> Result<Vec<(&'static str, Vec<u8>)>, CaptureError> {
    let mut source = FileSource::open(capture)?;
    let limits = Limits::default();
    let mut parser = Parser::new(&limits);
    let mut flows = FlowTable::new(&limits, &CaptureId("seeds".to_owned()));
    let mut reaper = Reaper { board: Switchboard::new(limits), seeds: Vec::new() };
    let mut run = Script::default();
    while let Some(frame) = source.next()? {
        if let Some(mode) = frames::mode(frame.link).filter(|_| frame.bytes.len() < LONGEST) {
            run.mode = mode;
            run.steps.push(Step::Say(Side::A, frame.bytes.to_vec()));
        }
        if run.steps.len() >= FRAMES {
            reaper.seeds.push(("frames", std::mem::take(&mut run).to_bytes()));
        }
        if let Parsed::Packet(packet) = parser.parse(&frame) {
            flows.push(&packet, &mut reaper);
        }
    }
    reaper.seeds.push(("frames", run.to_bytes()));
    flows.finish(&mut reaper);
    Ok(reaper.seeds)
}

struct Reaper {
    board: Switchboard,
    seeds: Vec<(&'static str, Vec<u8>)>,
}

/// What is heard of one flow.
struct Ear {
    session: Session,
    protocol: Option<&'static str>,
    script: Script,
    out: Out,
}

impl Reaper {
    fn refined(&mut self, ear: &mut Ear) {
        for exchange in ear.out.exchanges.drain(..) {
            for protocol in PROTOCOLS {
                let Some(entry) = &protocol.refine else { continue };
                if entry.carriers.contains(&&*exchange.protocol) && (entry.refine)(&mut exchange.clone()) {
                    self.seeds.push((protocol.name, direct::script_of(&exchange).to_bytes()));
                    ear.protocol = Some(protocol.name);
                }
            }
        }
    }
}

impl Listener<Ear> for Reaper {
    fn open(&mut self, flow: &Flow) -> Ear {
        let transport = flow.key.transport;
        let mut mode = match transport {
            Transport::Tcp => 0,
            Transport::Udp | Transport::Sctp | Transport::Icmp | Transport::Icmpv6 => Mode::over(transport),
        };
        mode |= if flow.mid_stream { Mode::MID_STREAM } else { 0 };
        mode |= if flow.opener == Some(Side::B) { Mode::B_ASKS } else { 0 };
        let session = Session::new(SessionStart {
            transport,
            ports: [flow.key.from.port, flow.key.to.port],
            opener: flow.opener,
            mid_stream: flow.mid_stream,
        });
        Ear {
            session,
            protocol: None,
            script: Script { mode: Mode(mode), steps: Vec::new() },
            out: Out::default(),
        }
    }

    fn event(&mut self, flow: &mut Flow, ear: &mut Ear, event: Event<'_>) {
        let board = &mut self.board;
        let room = ear.script.said() < LONGEST;
        match event {
            Event::Bytes { side, bytes, mark } => {
                ear.session.bytes(side, bytes, mark, board, &mut ear.out);
                if room {
                    ear.script.steps.push(Step::Say(side, bytes[..bytes.len().min(LONGEST)].to_vec()));
                }
            }
            Event::Message { side, bytes, original_len, mark, last } => {
                let transport = flow.key.transport;
                let ports = [flow.key.from.port, flow.key.to.port];
                let message =
                    Datagram { side, bytes, original_len, mark, last, ordinal: 0, transport, ports };
                ear.session.message(message, board, &mut ear.out);
                if room {
                    if original_len > bytes.len() {
                        ear.script.steps.push(Step::Cut(side, original_len - bytes.len()));
                    }
                    ear.script.steps.push(Step::Say(side, bytes[..bytes.len().min(LONGEST)].to_vec()));
                }
            }
            Event::Gap { side, len, .. } => {
                ear.session.gap(side, len, board, &mut ear.out);
                ear.script.steps.push(Step::Lose(side, len));
            }
            Event::End { side, why, mark } => {
                let why = match why {
                    EndReason::Fin => End::Fin,
                    EndReason::Reset => End::Reset,
                    EndReason::TimedOut => End::TimedOut,
                    EndReason::CaptureEnded => End::CaptureEnded,
                    EndReason::Evicted => End::Evicted,
                };
                ear.session.end(side, why, mark, board, &mut ear.out);
                ear.script.steps.push(Step::End(side, why));
            }
            Event::Refused { .. } => {}
        }
        self.refined(ear);
        ear.protocol = ear.session.protocol().map(|protocol| protocol.name).or(ear.protocol);
    }

    fn close(&mut self, _flow: &Flow, ear: Ear, _summary: FlowSummary) {
        if let Some(name) = ear.protocol {
            self.seeds.push((name, ear.script.to_bytes()));
        }
    }
}
