//! A fuzzer's bytes as what happens on a flow: which side says what, what is lost, how it ends.
//!
//! The first byte is the [`Mode`]. The rest is what a side says, up to a [`MARK`]; the byte behind a mark tells what
//! happens there. Marks instead of lengths, because a mutation that inserts or removes a byte then leaves the rest of the
//! script as it was. Every sequence of bytes is a script, and every script has bytes.

use wirewise_dissect::End;
use wirewise_model::{Side, Transport};

/// What no text holds (0xf5 begins no character of UTF-8) and few binary protocols do.
pub const MARK: [u8; 2] = [0xf5, 0x1c];

/// What happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// A side says this.
    Say(Side, Vec<u8>),
    /// So many bytes of a side will not come.
    Lose(Side, u64),
    /// Of the next message of a side so many bytes were not captured.
    Cut(Side, usize),
    /// So many seconds pass.
    Wait(u64),
    /// A side, or the whole flow, is over.
    End(Option<Side>, End),
}

/// What may carry messages.
const CARRIERS: [Transport; 4] = [Transport::Udp, Transport::Icmp, Transport::Icmpv6, Transport::Sctp];

/// How a script is played. Two bits in its middle choose one of four: how long pieces are, or what carries messages.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mode(pub u8);

impl Mode {
    /// Straight to the protocol, whatever its probe would say.
    pub const DIRECT: u8 = 1;
    /// The flow was entered in the middle.
    pub const MID_STREAM: u8 = 2;
    /// Under limits that are soon reached.
    pub const TIGHT: u8 = 4;
    /// The side that is called B asks.
    pub const B_ASKS: u8 = 8;
    /// As messages, where a protocol has both ways.
    pub const MESSAGES: u8 = 64;
    /// On a port that says nothing.
    pub const NO_PORT: u8 = 128;

    /// Whether a bit is set.
    pub fn has(self, bit: u8) -> bool {
        self.0 & bit != 0
    }

    /// Bytes of a piece, when what a side says comes in pieces.
    pub fn piece(self) -> usize {
        [usize::MAX, 1, 7, 100][usize::from(self.0 >> 4 & 3)]
    }

    /// What carries the messages, where they are some.
    pub fn transport(self) -> Transport {
        CARRIERS[usize::from(self.0 >> 4 & 3)]
    }

    /// The bits of messages over that transport.
    pub fn over(transport: Transport) -> u8 {
        let at = CARRIERS.iter().position(|carrier| *carrier == transport).unwrap_or_default();
        Self::MESSAGES | (at as u8) << 4
    }
}

/// A whole flow.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    /// How it is played.
    pub mode: Mode,
    /// What happens, in order.
    pub steps: Vec<Step>,
}

mod op {
    pub(super) const LITERAL: u8 = 0;
    pub(super) const A: u8 = 1;
    pub(super) const B: u8 = 2;
    pub(super) const LOSE: u8 = 3;
    pub(super) const CUT: u8 = 4;
    pub(super) const WAIT: u8 = 5;
    pub(super) const END_SIDE: u8 = 6;
    pub(super) const END: u8 = 7;
}

const ENDS: [End; 5] = [End::Fin, End::Reset, End::TimedOut, End::CaptureEnded, End::Evicted];

impl Script {
    /// The script that these bytes are.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        let Some((&mode, mut rest)) = bytes.split_first() else { return Self::default() };
        let mut script = Self { mode: Mode(mode), steps: Vec::new() };
        let (mut side, mut said) = (Side::A, Vec::new());
        loop {
            let at = rest.windows(2).position(|pair| pair == MARK).unwrap_or(rest.len());
            said.extend_from_slice(&rest[..at]);
            let Some((&code, after)) = rest.get(at + 2..).and_then(<[u8]>::split_first) else { break };
            rest = after;
            let (what, number) = (code & 7, u64::from(code >> 3));
            if what == op::LITERAL {
                said.extend_from_slice(&MARK);
                continue;
            }
            if !said.is_empty() {
                script.steps.push(Step::Say(side, std::mem::take(&mut said)));
            }
            match what {
                op::A => side = Side::A,
                op::B => side = Side::B,
                op::LOSE => script.steps.push(Step::Lose(side, 1 << number)),
                op::CUT => script.steps.push(Step::Cut(side, 1 << (number % 16))),
                op::WAIT => script.steps.push(Step::Wait(number * number)),
                _ => {
                    let whose = (what == op::END_SIDE).then_some(side);
                    script.steps.push(Step::End(whose, ENDS[number as usize % ENDS.len()]));
                }
            }
        }
        if !said.is_empty() {
            script.steps.push(Step::Say(side, said));
        }
        script
    }

    /// The bytes that are this script; where a number has no byte, the nearest one that has.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![self.mode.0];
        let mut speaker = Side::A;
        let mark = |bytes: &mut Vec<u8>, code: u8, number: u64| {
            bytes.extend_from_slice(&MARK);
            bytes.push(code | (number.min(31) as u8) << 3);
        };
        let turn = |side: Side| if side == Side::A { op::A } else { op::B };
        for step in &self.steps {
            match step {
                Step::Say(side, said) => {
                    mark(&mut bytes, turn(*side), 0);
                    let mut rest = said.as_slice();
                    while let Some(at) = rest.windows(2).position(|pair| pair == MARK) {
                        bytes.extend_from_slice(&rest[..at]);
                        mark(&mut bytes, op::LITERAL, 0);
                        rest = &rest[at + 2..];
                    }
                    bytes.extend_from_slice(rest);
                    speaker = *side;
                    continue;
                }
                Step::Lose(side, _) | Step::Cut(side, _) | Step::End(Some(side), _) if *side != speaker => {
                    mark(&mut bytes, turn(*side), 0);
                    speaker = *side;
                }
                Step::Lose(..) | Step::Cut(..) | Step::End(..) | Step::Wait(..) => {}
            }
            match step {
                Step::Say(..) => {}
                Step::Lose(_, len) => mark(&mut bytes, op::LOSE, u64::from(len.max(&1).ilog2())),
                Step::Cut(_, len) => mark(&mut bytes, op::CUT, u64::from(len.max(&1).ilog2())),
                Step::Wait(seconds) => mark(&mut bytes, op::WAIT, seconds.isqrt()),
                Step::End(side, why) => {
                    let number = ENDS.iter().position(|end| end == why).unwrap_or_default();
                    mark(&mut bytes, if side.is_some() { op::END_SIDE } else { op::END }, number as u64);
                }
            }
        }
        bytes
    }

    /// What both sides say, in bytes.
    pub fn said(&self) -> usize {
        let length = |step: &Step| if let Step::Say(_, said) = step { said.len() } else { 0 };
        self.steps.iter().map(length).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_is_its_bytes() {
        let script = Script {
            mode: Mode(Mode::MID_STREAM),
            steps: vec![
                Step::Say(Side::B, b"220 hello\r\n".to_vec()),
                Step::Say(Side::A, [b"x".as_slice(), &MARK, &MARK, b"y", &MARK].concat()),
                Step::Lose(Side::A, 1024),
                Step::Cut(Side::B, 8),
                Step::Wait(9),
                Step::End(Some(Side::A), End::Reset),
                Step::End(None, End::CaptureEnded),
            ],
        };
        assert_eq!(Script::from_bytes(&script.to_bytes()), script);
    }

    #[test]
    fn any_bytes_are_a_script() {
        for bytes in
            [&[][..], &[3], &[0, 0xf5], &[0, 0xf5, 0x1c], b"\0\xf5\x1c\xffGET", b"\0GET / \xf5\x1c\x02HTTP"]
        {
            let script = Script::from_bytes(bytes);
            assert_eq!(Script::from_bytes(&script.to_bytes()), script, "{bytes:?}");
        }
    }
}
