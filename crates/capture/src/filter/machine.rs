//! A classic BPF machine for tests: runs a program over a frame as net/core/filter.c would.

use super::compile::*;

/// A frame with what the kernel knows beside its bytes.
pub(super) struct Seen<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) network_at: usize,
    pub(super) protocol: u32,
    pub(super) hardware: u32,
    pub(super) interface: u32,
    pub(super) packet_type: u32,
}

impl Seen<'_> {
    fn load(&self, offset: u32, size: usize) -> Option<u32> {
        if offset >= ANCILLARY {
            return Some(match offset {
                PROTOCOL => self.protocol,
                PACKET_TYPE => self.packet_type,
                INTERFACE => self.interface,
                HARDWARE => self.hardware,
                other => panic!("ancillary {other:#x} is not used"),
            });
        }
        let at =
            if offset >= NETWORK { (offset - NETWORK) as usize + self.network_at } else { offset as usize };
        let bytes = self.bytes.get(at..at + size)?;
        Some(bytes.iter().fold(0, |value, &byte| (value << 8) | u32::from(byte)))
    }
}

/// How many bytes the program keeps; a load past the end keeps none.
pub(super) fn run(program: &[Instruction], seen: &Seen<'_>) -> u32 {
    let (mut a, mut x, mut memory, mut at) = (0u32, 0u32, [None::<u32>; 16], 0usize);
    loop {
        let Instruction { code, if_true, if_false, k } = program[at];
        at += 1;
        let mut branch = |holds: bool| at += usize::from(if holds { if_true } else { if_false });
        let loaded = match code {
            LD_W_ABS => Some(seen.load(k, 4)),
            LD_H_ABS => Some(seen.load(k, 2)),
            LD_W_IND => Some(seen.load(x.wrapping_add(k), 4)),
            LD_H_IND => Some(seen.load(x.wrapping_add(k), 2)),
            LD_B_IND => Some(seen.load(x.wrapping_add(k), 1)),
            _ => None,
        };
        match (loaded, code) {
            (Some(Some(value)), _) => a = value,
            (Some(None), _) => return 0,
            (None, LD_IMM) => a = k,
            (None, LD_MEM) => a = memory[k as usize].expect("written before it is read"),
            (None, LDX_MEM) => x = memory[k as usize].expect("written before it is read"),
            (None, LD_LEN) => a = seen.bytes.len() as u32,
            (None, ST) => memory[k as usize] = Some(a),
            (None, ADD_X) => a = a.wrapping_add(x),
            (None, AND) => a &= k,
            (None, SHL) => a <<= k,
            (None, TAX) => x = a,
            (None, JA) => at += k as usize,
            (None, JEQ) => branch(a == k),
            (None, JGT) => branch(a > k),
            (None, JGE) => branch(a >= k),
            (None, JSET) => branch(a & k != 0),
            (None, RET) => return k,
            (None, other) => panic!("code {other:#x} is not used"),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail")]
    use std::net::{IpAddr, SocketAddr};

    use super::*;
    use crate::filter::{Expression, Selection, check_filter};

    /// `transport` 6 or 17, ports behind the shortest IP header.
    fn ip_packet(from: &str, to: &str, transport: u8, ports: (u16, u16)) -> (u16, Vec<u8>) {
        let (from, to): (IpAddr, IpAddr) = (from.parse().unwrap(), to.parse().unwrap());
        let mut packet = Vec::new();
        let ether_type = match (from, to) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                packet.extend([0x46, 0, 0, 48, 0, 0, 0x40, 0, 64, transport, 0, 0]);
                packet.extend(from.octets());
                packet.extend(to.octets());
                packet.extend([1, 1, 1, 0]);
                0x0800
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                packet.extend([0x60, 0, 0, 0, 0, 20, transport, 64]);
                packet.extend(from.octets());
                packet.extend(to.octets());
                0x86dd
            }
            _ => unreachable!("ends of one version"),
        };
        packet.extend(ports.0.to_be_bytes());
        packet.extend(ports.1.to_be_bytes());
        packet.extend([0; 16]);
        (ether_type, packet)
    }

    fn ethernet(tags: &[u16], (ether_type, packet): (u16, Vec<u8>)) -> Vec<u8> {
        let mut frame = vec![2; 12];
        for tag in tags {
            frame.extend(tag.to_be_bytes());
            frame.extend([0, 7]);
        }
        frame.extend(ether_type.to_be_bytes());
        frame.extend(packet);
        frame
    }

    fn heard(filter: &str, bytes: &[u8]) -> bool {
        let expression = Expression::parse(filter).unwrap();
        let program = compile(&Selection { expression, own: &[], interfaces: None }).unwrap();
        let seen =
            Seen { bytes, network_at: 14, protocol: 0, hardware: ETHERNET, interface: 2, packet_type: 0 };
        run(&program, &seen) > 0
    }

    fn check(packet: (&str, &str, u8, (u16, u16)), yes: &[&str], no: &[&str]) {
        let (from, to, transport, ports) = packet;
        for tags in [&[][..], &[0x8100], &[0x88a8, 0x8100]] {
            let frame = ethernet(tags, ip_packet(from, to, transport, ports));
            for filter in yes {
                assert!(heard(filter, &frame), "{filter} should hear {packet:?} under tags {tags:x?}");
                assert!(
                    !heard(&format!("not ({filter})"), &frame),
                    "not ({filter}) should not hear {packet:?}"
                );
            }
            for filter in no {
                assert!(!heard(filter, &frame), "{filter} should not hear {packet:?} under tags {tags:x?}");
                assert!(heard(&format!("! ( {filter} )"), &frame), "not ({filter}) should hear {packet:?}");
            }
        }
    }

    #[test]
    fn tells_hosts_nets_and_ports_of_ipv4() {
        check(
            ("10.1.2.3", "192.168.0.9", 6, (40_000, 80)),
            &[
                "ip",
                "tcp",
                "host 10.1.2.3",
                "10.1.2.3",
                "src host 10.1.2.3",
                "src 10.1.2.3 and dst 192.168.0.9",
                "net 10.0.0.0/8",
                "net 10.1",
                "src net 10.1.0.0 mask 255.255.0.0",
                "net 0.0.0.0/0",
                "port 80",
                "tcp port 80",
                "tcp dst port 80",
                "ip port 80",
                "port 443 or 80",
                "src or dst port 80",
                "portrange 79-81",
                "portrange 81-79",
                "tcp portrange 40000-40001",
                "tcp host 10.1.2.3",
                "greater 50",
                "(port 80 or port 443) and net 192.168.0.0/16",
                "port 80&&host 10.1.2.3||arp",
                // Equal precedence, to the left: (tcp or udp) and port 80.
                "tcp or udp and port 80",
            ],
            &[
                "ip6",
                "udp",
                "arp",
                "icmp",
                "icmp6",
                "host 10.1.2.4",
                "dst host 10.1.2.3",
                "src and dst host 10.1.2.3",
                "net 10.2",
                "udp port 80",
                "src port 80",
                "src and dst port 80",
                "portrange 81-39999",
                "less 40",
                "host ::1",
                "ip6 port 80",
                "tcp or udp and port 81",
            ],
        );
    }

    #[test]
    fn tells_hosts_nets_and_ports_of_ipv6() {
        check(
            ("fd00:1::5", "2001:db8::1", 17, (5353, 53)),
            &[
                "ip6",
                "udp",
                "host fd00:1::5",
                "net fd00::/8",
                "ip6 net fd00:1::/32",
                "dst net 2001:db8::/32",
                "net ::/0",
                "udp port 53",
                "src portrange 5000-6000",
            ],
            &[
                "ip",
                "tcp",
                "icmp6",
                "src net 2001:db8::/32",
                "host fd00:1::6",
                "tcp port 53",
                "dst port 5353",
            ],
        );
    }

    #[test]
    fn no_filter_hears_all() {
        assert!(heard("", &[]) && heard(" ", &ethernet(&[], (0x0806, vec![0; 28]))));
    }

    #[test]
    fn later_fragments_have_no_ports() {
        let (ether_type, mut packet) = ip_packet("10.0.0.1", "10.0.0.2", 17, (53, 53));
        packet[6..8].copy_from_slice(&[0, 5]);
        let frame = ethernet(&[], (ether_type, packet));
        assert!(heard("udp", &frame) && !heard("udp port 53", &frame));
    }

    #[test]
    fn short_frames_are_refused_not_misread() {
        for length in 0..40 {
            let frame = ethernet(&[], ip_packet("10.0.0.1", "10.0.0.2", 6, (80, 80)));
            assert!(!heard("port 80", &frame[..length]));
        }
    }

    #[test]
    fn interfaces_without_a_link_header_are_read_where_the_kernel_says() {
        let (_, packet) = ip_packet("10.0.0.1", "10.0.0.2", 6, (1, 80));
        let expression = Expression::parse("host 10.0.0.1 and port 80").unwrap();
        let program = compile(&Selection { expression, own: &[], interfaces: None }).unwrap();
        let seen = Seen {
            bytes: &packet,
            network_at: 0,
            protocol: 0x0800,
            hardware: 0xfffe,
            interface: 2,
            packet_type: 0,
        };
        assert_eq!(run(&program, &seen), KEEP_BYTES);
    }

    #[test]
    fn own_traffic_other_interfaces_and_loopback_echoes_are_left_out() {
        let own: [SocketAddr; 2] = ["127.0.0.1:8470".parse().unwrap(), "[::]:9000".parse().unwrap()];
        let selection = Selection { expression: Expression::All, own: &own, interfaces: Some(&[1, 3]) };
        let program = compile(&selection).unwrap();
        let hear = |ends: (&str, &str), ports, interface, packet_type| {
            let bytes = ethernet(&[], ip_packet(ends.0, ends.1, 6, ports));
            let seen = Seen {
                bytes: &bytes,
                network_at: 14,
                protocol: 0,
                hardware: LOOPBACK,
                interface,
                packet_type,
            };
            run(&program, &seen) > 0
        };
        let local = ("127.0.0.1", "127.0.0.1");
        assert!(hear(local, (40_000, 80), 1, 0));
        assert!(!hear(local, (40_000, 80), 2, 0), "not an interface that was chosen");
        assert!(!hear(local, (40_000, 80), 1, OUTGOING_TYPE), "the packet is heard again as it comes in");
        assert!(!hear(local, (40_000, 8470), 3, 0) && !hear(local, (8470, 40_000), 3, 0));
        assert!(hear(("10.0.0.1", "10.0.0.2"), (40_000, 8470), 3, 0), "somebody else's port of that number");
        assert!(!hear(("10.0.0.1", "10.0.0.2"), (9000, 40_000), 3, 0));
        assert!(!hear(("::1", "::1"), (40_000, 9000), 3, 0));
    }
    const OUTGOING_TYPE: u32 = 4;

    #[test]
    fn long_filters_jump_far() {
        let hosts: Vec<String> = (0..60).map(|n| format!("host 10.9.{n}.1")).collect();
        let filter = format!("tcp and ({})", hosts.join(" or "));
        let frame = |last| ethernet(&[], ip_packet(last, "192.168.0.9", 6, (1, 2)));
        assert!(heard(&filter, &frame("10.9.59.1")) && !heard(&filter, &frame("10.9.60.1")));
        let error = check_filter(&vec!["host fd00::1"; 900].join(" or ")).unwrap_err();
        assert!(error.message.contains("the kernel allows 4096"), "{error}");
    }

    #[test]
    fn errors_say_where_and_what_was_expected() {
        let check = |filter: &str, at: usize, words: &str| {
            let error = check_filter(filter).expect_err(filter);
            assert_eq!(error.at, at, "{filter}: {error}");
            assert!(error.message.contains(words), "{filter}: {error}");
        };
        check("host example.com", 6, "names are not looked up");
        check("port http", 6, "expected a port number");
        check("port 70000", 6, "expected a port number");
        check("tcp[13] & 2 != 0", 1, "not supported");
        check("vlan 5", 1, "not supported");
        check("tcp port 80 udp", 13, "expected `and` or `or`");
        check("tcp and", 8, "the filter ends");
        check("(tcp", 5, "expected `)`");
        check("tcp & udp", 5, "expected `and` or `or`");
        check("net 10.1.2.3/8", 5, "bits beyond its prefix");
        check("net 10.0.0.0/33", 5, "0 to 32");
        check("ip6 host 10.0.0.1", 10, "other version");
        check("arp port 5", 10, "no ports");
        check("port", 5, "the filter ends");
        check("src", 4, "the filter ends");
        check("gateway 10.0.0.1", 1, "not supported");
        check(&"(".repeat(100), 65, "nested too deep");
        check("é", 1, "not supported");
    }
}
