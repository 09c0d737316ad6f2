//! Expression to classic BPF (linux/filter.h), the form that SO_ATTACH_FILTER takes.
//!
//! A program first finds where the network header is: after the Ethernet header and the VLAN tags that stand
//! in the frame, or, for interfaces without one, where the kernel says. Three words of scratch memory hold
//! it; every test reads them, so one program serves all interfaces.

use super::parse::{Family, Test, Way};
use super::{Expression, FilterError, Selection, own_traffic};

/// What is kept of a frame: more than any has, so nothing is cut.
pub(super) const KEEP_BYTES: u32 = 256 << 10;
/// `BPF_MAXINSNS`.
const MAX_INSTRUCTIONS: usize = 4096;

pub(super) const LD_W_ABS: u16 = 0x20;
pub(super) const LD_H_ABS: u16 = 0x28;
pub(super) const LD_W_IND: u16 = 0x40;
pub(super) const LD_H_IND: u16 = 0x48;
pub(super) const LD_B_IND: u16 = 0x50;
pub(super) const LD_IMM: u16 = 0x00;
pub(super) const LD_MEM: u16 = 0x60;
pub(super) const LD_LEN: u16 = 0x80;
pub(super) const LDX_MEM: u16 = 0x61;
pub(super) const ST: u16 = 0x02;
pub(super) const ADD_X: u16 = 0x0c;
pub(super) const AND: u16 = 0x54;
pub(super) const SHL: u16 = 0x64;
pub(super) const TAX: u16 = 0x07;
pub(super) const JA: u16 = 0x05;
pub(super) const JEQ: u16 = 0x15;
pub(super) const JGT: u16 = 0x25;
pub(super) const JGE: u16 = 0x35;
pub(super) const JSET: u16 = 0x45;
pub(super) const RET: u16 = 0x06;

/// `SKF_AD_OFF` with what the kernel knows beside the bytes, and `SKF_NET_OFF`.
pub(super) const ANCILLARY: u32 = 0xffff_f000;
pub(super) const PROTOCOL: u32 = ANCILLARY;
pub(super) const PACKET_TYPE: u32 = ANCILLARY + 4;
pub(super) const INTERFACE: u32 = ANCILLARY + 8;
pub(super) const HARDWARE: u32 = ANCILLARY + 28;
pub(super) const NETWORK: u32 = 0xfff0_0000;

pub(super) const ETHERNET: u32 = 1;
pub(super) const LOOPBACK: u32 = 772;
const OUTGOING: u32 = 4;

/// Scratch words: where the network header is, and the EtherType before it.
const AT: u32 = 0;
const TYPE: u32 = 1;

/// One instruction, as `sock_filter` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Instruction {
    pub(crate) code: u16,
    pub(crate) if_true: u8,
    pub(crate) if_false: u8,
    pub(crate) k: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Label(usize);

#[derive(Clone, Copy, Debug)]
enum Op {
    Plain { code: u16, k: u32 },
    Branch { code: u16, k: u32, if_true: Label, if_false: Label },
    Goto(Label),
    Here(Label),
}

/// Compiles all that is asked of the kernel into one program.
pub(crate) fn compile(selection: &Selection<'_>) -> Result<Vec<Instruction>, FilterError> {
    let mut code = Code::default();
    let (accept, reject) = (code.label(), code.label());
    code.interfaces(selection.interfaces, reject);
    code.loopback_once(reject);
    if selection.expression != Expression::All || !selection.own.is_empty() {
        code.find_network_header();
    }
    for listener in selection.own {
        let others = code.label();
        code.expression(&own_traffic(listener), reject, others);
        code.here(others);
    }
    code.expression(&selection.expression, accept, reject);
    code.here(accept);
    code.plain(RET, KEEP_BYTES);
    code.here(reject);
    code.plain(RET, 0);
    code.assemble()
}

#[derive(Default)]
struct Code {
    ops: Vec<Op>,
    labels: usize,
}

impl Code {
    fn label(&mut self) -> Label {
        self.labels += 1;
        Label(self.labels - 1)
    }

    fn here(&mut self, label: Label) {
        self.ops.push(Op::Here(label));
    }

    fn plain(&mut self, code: u16, k: u32) {
        self.ops.push(Op::Plain { code, k });
    }

    fn branch(&mut self, code: u16, k: u32, if_true: Label, if_false: Label) {
        self.ops.push(Op::Branch { code, k, if_true, if_false });
    }

    /// Goes on where the branch holds.
    fn demand(&mut self, code: u16, k: u32, otherwise: Label) {
        let on = self.label();
        self.branch(code, k, on, otherwise);
        self.here(on);
    }

    /// Goes on where the branch does not hold.
    fn refuse(&mut self, code: u16, k: u32, otherwise: Label) {
        let on = self.label();
        self.branch(code, k, otherwise, on);
        self.here(on);
    }

    fn interfaces(&mut self, interfaces: Option<&[u32]>, reject: Label) {
        let Some(interfaces) = interfaces else { return };
        let on = self.label();
        self.plain(LD_W_ABS, INTERFACE);
        for &interface in interfaces {
            self.refuse(JEQ, interface, on);
        }
        self.ops.push(Op::Goto(reject));
        self.here(on);
    }

    /// The loopback interface shows each packet twice, as it leaves and as it comes in.
    fn loopback_once(&mut self, reject: Label) {
        let on = self.label();
        self.plain(LD_W_ABS, HARDWARE);
        self.demand(JEQ, LOOPBACK, on);
        self.plain(LD_W_ABS, PACKET_TYPE);
        self.refuse(JEQ, OUTGOING, reject);
        self.here(on);
    }

    fn find_network_header(&mut self) {
        let (ethernet, found) = (self.label(), self.label());
        self.plain(LD_W_ABS, HARDWARE);
        self.refuse(JEQ, ETHERNET, ethernet);
        self.refuse(JEQ, LOOPBACK, ethernet);
        self.plain(LD_W_ABS, PROTOCOL);
        self.plain(ST, TYPE);
        self.plain(LD_IMM, NETWORK);
        self.ops.push(Op::Goto(found));
        self.here(ethernet);
        // Up to two tags that stand in the frame; those that the card took off are not in the way.
        for ether_type in [12, 16, 20] {
            let tagged = self.label();
            self.plain(LD_H_ABS, ether_type);
            if ether_type < 20 {
                for tag in [0x8100, 0x88a8] {
                    self.refuse(JEQ, tag, tagged);
                }
            }
            self.plain(ST, TYPE);
            self.plain(LD_IMM, ether_type + 2);
            self.ops.push(Op::Goto(found));
            self.here(tagged);
        }
        self.here(found);
        self.plain(ST, AT);
    }

    fn expression(&mut self, expression: &Expression, yes: Label, no: Label) {
        match expression {
            Expression::All => self.ops.push(Op::Goto(yes)),
            Expression::And(left, right) => {
                let on = self.label();
                self.expression(left, on, no);
                self.here(on);
                self.expression(right, yes, no);
            }
            Expression::Or(left, right) => {
                let on = self.label();
                self.expression(left, yes, on);
                self.here(on);
                self.expression(right, yes, no);
            }
            Expression::Not(inner) => self.expression(inner, no, yes),
            Expression::Is(test) => self.test(test, yes, no),
        }
    }

    fn test(&mut self, test: &Test, yes: Label, no: Label) {
        match *test {
            Test::EtherType(ether_type) => {
                self.plain(LD_MEM, TYPE);
                self.branch(JEQ, u32::from(ether_type), yes, no);
            }
            Test::Protocol { family, number } => self.protocol(family, number, yes, no),
            Test::Net4 { address, mask, way } => {
                self.family(Family::V4, no);
                self.ends(way, yes, no, |code, end, yes, no| {
                    code.masked(12 + 4 * end, mask);
                    code.branch(JEQ, address, yes, no);
                });
            }
            Test::Net6 { address, mask, way } => {
                self.family(Family::V6, no);
                self.ends(way, yes, no, |code, end, yes, no| {
                    for part in 0..4 {
                        let part_of = |bits: u128| (bits >> (96 - 32 * part)) as u32;
                        if part_of(mask) != 0 {
                            code.masked(8 + 16 * end + 4 * part, part_of(mask));
                            code.demand(JEQ, part_of(address), no);
                        }
                    }
                    code.ops.push(Op::Goto(yes));
                });
            }
            Test::Port { transports, way, from, to } => self.ports(transports, way, (from, to), yes, no),
            Test::Less(bytes) => {
                self.plain(LD_LEN, 0);
                self.branch(JGT, bytes, no, yes);
            }
            Test::Greater(bytes) => {
                self.plain(LD_LEN, 0);
                self.branch(JGE, bytes, yes, no);
            }
        }
    }

    fn family(&mut self, family: Family, no: Label) {
        self.plain(LD_MEM, TYPE);
        let ether_type = match family {
            Family::V4 => 0x0800,
            Family::V6 => 0x86dd,
        };
        self.demand(JEQ, ether_type, no);
    }

    /// Loads four bytes at an offset into the network header, masked.
    fn masked(&mut self, offset: u32, mask: u32) {
        self.plain(LDX_MEM, AT);
        self.plain(LD_W_IND, offset);
        if mask != u32::MAX {
            self.plain(AND, mask);
        }
    }

    /// Applies a test to the ends that are asked for: 0 is the source, 1 the destination.
    fn ends(&mut self, way: Way, yes: Label, no: Label, test: impl Fn(&mut Self, u32, Label, Label)) {
        let on = self.label();
        match way {
            Way::Source => test(self, 0, yes, no),
            Way::Destination => test(self, 1, yes, no),
            Way::Either => {
                test(self, 0, yes, on);
                self.here(on);
                test(self, 1, yes, no);
            }
            Way::Both => {
                test(self, 0, on, no);
                self.here(on);
                test(self, 1, yes, no);
            }
        }
    }

    fn protocol(&mut self, family: Option<Family>, number: u8, yes: Label, no: Label) {
        let not_v4 = self.label();
        if family != Some(Family::V6) {
            self.family(Family::V4, not_v4);
            self.plain(LDX_MEM, AT);
            self.plain(LD_B_IND, 9);
            self.branch(JEQ, u32::from(number), yes, no);
        }
        self.here(not_v4);
        if family == Some(Family::V4) {
            self.ops.push(Op::Goto(no));
            return;
        }
        self.family(Family::V6, no);
        self.plain(LDX_MEM, AT);
        self.plain(LD_B_IND, 6);
        self.branch(JEQ, u32::from(number), yes, no);
    }

    /// Ports stand in first fragments alone. IPv6 extension headers are not followed, as in libpcap.
    fn ports(&mut self, transports: &[u8], way: Way, (from, to): (u16, u16), yes: Label, no: Label) {
        let not_v4 = self.label();
        self.family(Family::V4, not_v4);
        self.plain(LDX_MEM, AT);
        self.plain(LD_B_IND, 9);
        self.one_of(transports, no);
        self.plain(LDX_MEM, AT);
        self.plain(LD_H_IND, 6);
        self.refuse(JSET, 0x1fff, no);
        self.ends(way, yes, no, |code, end, yes, no| {
            code.plain(LDX_MEM, AT);
            code.plain(LD_B_IND, 0);
            code.plain(AND, 0x0f);
            code.plain(SHL, 2);
            code.plain(ADD_X, 0);
            code.plain(TAX, 0);
            code.plain(LD_H_IND, 2 * end);
            code.range((from, to), yes, no);
        });
        self.here(not_v4);
        self.family(Family::V6, no);
        self.plain(LDX_MEM, AT);
        self.plain(LD_B_IND, 6);
        self.one_of(transports, no);
        self.ends(way, yes, no, |code, end, yes, no| {
            code.plain(LDX_MEM, AT);
            code.plain(LD_H_IND, 40 + 2 * end);
            code.range((from, to), yes, no);
        });
    }

    fn one_of(&mut self, values: &[u8], no: Label) {
        let on = self.label();
        for &value in values {
            self.refuse(JEQ, u32::from(value), on);
        }
        self.ops.push(Op::Goto(no));
        self.here(on);
    }

    fn range(&mut self, (from, to): (u16, u16), yes: Label, no: Label) {
        if from == to {
            return self.branch(JEQ, u32::from(from), yes, no);
        }
        self.demand(JGE, u32::from(from), no);
        self.branch(JGT, u32::from(to), no, yes);
    }

    /// Lays the operations out. A conditional jump reaches 255 instructions; a farther one goes over two
    /// unconditional ones behind it. Making one longer may push another out of reach, hence the loop.
    fn assemble(&self) -> Result<Vec<Instruction>, FilterError> {
        let mut long = vec![false; self.ops.len()];
        loop {
            let (places, total) = self.places(&long);
            if total > MAX_INSTRUCTIONS {
                let message =
                    format!("the filter takes {total} instructions: the kernel allows {MAX_INSTRUCTIONS}");
                return Err(FilterError { at: 1, message });
            }
            let mut program = Vec::with_capacity(total);
            let mut changed = false;
            for (index, op) in self.ops.iter().enumerate() {
                let next = program.len() + 1;
                let jump = |label: Label, from: usize| Instruction {
                    code: JA,
                    if_true: 0,
                    if_false: 0,
                    k: (places[label.0] - from) as u32,
                };
                match *op {
                    Op::Plain { code, k } => program.push(Instruction { code, if_true: 0, if_false: 0, k }),
                    Op::Here(_) => {}
                    Op::Goto(label) => program.push(jump(label, next)),
                    Op::Branch { code, k, if_true, if_false } if long[index] => {
                        program.push(Instruction { code, if_true: 0, if_false: 1, k });
                        program.push(jump(if_true, next + 1));
                        program.push(jump(if_false, next + 2));
                    }
                    Op::Branch { code, k, if_true, if_false } => {
                        let reach = |label: Label| u8::try_from(places[label.0] - next);
                        match (reach(if_true), reach(if_false)) {
                            (Ok(if_true), Ok(if_false)) => {
                                program.push(Instruction { code, if_true, if_false, k })
                            }
                            _ => {
                                long[index] = true;
                                changed = true;
                                program.push(Instruction { code, if_true: 0, if_false: 0, k });
                            }
                        }
                    }
                }
            }
            if !changed {
                return Ok(program);
            }
        }
    }

    /// Where each label lies, and how long the program is. Labels lie behind every jump to them.
    fn places(&self, long: &[bool]) -> (Vec<usize>, usize) {
        let mut places = vec![0; self.labels];
        let mut at = 0;
        for (op, long) in self.ops.iter().zip(long) {
            match op {
                Op::Here(label) => places[label.0] = at,
                Op::Branch { .. } if *long => at += 3,
                Op::Plain { .. } | Op::Branch { .. } | Op::Goto(_) => at += 1,
            }
        }
        (places, at)
    }
}
