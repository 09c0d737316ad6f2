//! Frames in, packets out: links, IP, tunnels, fragments, transports.

use std::fmt::Write;
use std::time::Duration;

use wirewise_model::{Books, Frame, InterfaceId, Ledger, Limits, LinkType, PacketNumber, Timestamp};
use wirewise_testkit::packet::{
    Datagram, Layer, frame, gre, icmp, sctp, sctp_chunk, sctp_data, tcp, udp, udp_announcing,
};

use super::*;

const A: &str = "10.0.0.1:1000";
const B: &str = "10.0.0.2:80";
const A6: &str = "[fd00::1]:1000";
const B6: &str = "[fd00::2]:80";
/// What `hello` from A to B parses to.
const HELLO: &str = "udp 10.0.0.1:1000 > 10.0.0.2:80 hello";
const HELLO6: &str = "udp [fd00::1]:1000 > [fd00::2]:80 hello";

fn hello() -> Datagram {
    udp(A, B, b"hello")
}

fn hello6() -> Datagram {
    udp(A6, B6, b"hello")
}

/// One line a frame: transport, ends, payload (and its length on the wire where more), tunnelled or not.
fn describe(parsed: &Parsed<'_>) -> String {
    let packet = match parsed {
        Parsed::Packet(packet) => packet,
        Parsed::Skip(reason) => {
            return format!("{} {}", if reason.loss { "loss" } else { "skip" }, reason.name);
        }
        Parsed::Held => return "held".to_owned(),
    };
    let key = packet.key;
    let text = String::from_utf8_lossy(packet.payload);
    let mut line = format!("{} {} > {} {text}", key.transport.name(), key.from, key.to);
    if packet.payload_len != packet.payload.len() {
        write!(line, " of {}", packet.payload_len).expect("strings take everything");
    }
    if packet.tunnelled {
        line.push_str(" (tunnelled)");
    }
    line
}

/// Frames with the time in milliseconds and the interface that each was heard at.
fn run(limits: &Limits, frames: &[(i64, u32, LinkType, Vec<u8>)]) -> (Vec<String>, Books) {
    let mut parser = Parser::new(limits);
    let mut lines = Vec::new();
    for (number, (millis, interface, link, bytes)) in frames.iter().enumerate() {
        let at = Timestamp::from_nanos(millis * 1_000_000);
        let frame =
            Frame { interface: InterfaceId(*interface), ..frame(*link, bytes, at, number as u64 + 1) };
        lines.push(describe(&parser.parse(&frame)));
        balanced(&parser.books());
    }
    parser.finish();
    balanced(&parser.books());
    (lines, parser.books())
}

fn balanced(books: &Books) {
    let mut ledger = Ledger::default();
    ledger.add(books);
    assert_eq!(ledger.check(), Ok(()), "{books:?}");
}

#[track_caller]
fn check(link: u16, bytes: Vec<u8>, expect: &str) {
    let (lines, _) = run(&Limits::default(), &[(0, 0, LinkType(link), bytes)]);
    assert_eq!(lines, [expect]);
}

#[track_caller]
fn check_all(limits: &Limits, frames: &[(i64, Vec<u8>)], expect: &[&str]) -> Books {
    let frames: Vec<_> = frames.iter().map(|(at, bytes)| (*at, 0, LinkType::RAW, bytes.clone())).collect();
    let (lines, books) = run(limits, &frames);
    assert_eq!(lines, expect);
    books
}

#[track_caller]
fn count(books: &Books, name: &str, expect: u64) {
    let found = books.reasons.iter().find(|(reason, _)| reason.name == name).map_or(0, |(_, count)| *count);
    assert_eq!(found, expect, "{name} in {books:?}");
}

#[test]
fn reads_every_link_type() {
    let (four, six) = (hello().layer(), hello6().layer());
    check(1, four.ethernet(), HELLO);
    check(1, six.ethernet(), HELLO6);
    for link in [12, 14, 101] {
        check(link, four.bytes.clone(), HELLO);
        check(link, six.bytes.clone(), HELLO6);
    }
    check(228, four.bytes.clone(), HELLO);
    check(229, six.bytes.clone(), HELLO6);
    check(113, four.cooked(0), HELLO);
    check(276, six.cooked2(4, 3), HELLO6);
    check(0, [&2u32.to_le_bytes()[..], &four.bytes].concat(), HELLO);
    check(0, [&30u32.to_be_bytes()[..], &six.bytes].concat(), HELLO6);
    check(108, [&24u32.to_be_bytes()[..], &six.bytes].concat(), HELLO6);
    check(9, [&[0xff, 3, 0, 0x21][..], &four.bytes].concat(), HELLO);
    check(9, [&[0x57][..], &six.bytes].concat(), HELLO6);
    check(104, [&[0x0f, 0, 8, 0][..], &four.bytes].concat(), HELLO);
    check(147, four.bytes.clone(), "loss unknown_link_type");
}

#[test]
fn reads_through_tags_labels_and_sessions() {
    let layer = hello().layer();
    check(1, layer.tag(0x8100, 7).ethernet(), HELLO);
    for outer in [0x8100, 0x88a8, 0x9100] {
        check(1, layer.tag(0x8100, 7).tag(outer, 9).ethernet(), HELLO);
    }
    check(1, layer.mpls(16).ethernet(), HELLO);
    check(1, hello6().layer().pppoe().ethernet(), HELLO6);
    let snap = [&[0xaa, 0xaa, 3, 0, 0, 0, 8, 0][..], &layer.bytes].concat();
    check(1, Layer::new(snap.len() as u16, &snap).ethernet(), HELLO);
    let nsh = [&[0, 2, 1, 1, 0, 0, 1, 255][..], &layer.bytes].concat();
    check(1, Layer::new(0x894f, &nsh).ethernet(), &format!("{HELLO} (tunnelled)"));
    let metadata = [&[1, 1, 0, 1, 0, 7, 8, 0][..], &layer.bytes].concat();
    check(1, Layer::new(0x8909, &metadata).ethernet(), HELLO);
    let endless = (0..40).fold(layer, |layer, _| layer.tag(0x8100, 1));
    check(1, endless.ethernet(), "loss tunnel_too_deep");
}

#[test]
fn names_what_is_no_ip() {
    let names = |kind, expect| check(1, Layer::new(kind, &[0; 46]).ethernet(), expect);
    names(0x0806, "skip arp");
    names(0x88cc, "skip lldp");
    names(0x888e, "skip eapol");
    names(0x8809, "skip slow_protocols");
    names(0x8863, "skip ppp_control");
    names(0x88f7, "skip other_ethertype");
    names(46, "skip llc");
    let stp = Layer::new(3, &[0x42, 0x42, 3]).ethernet();
    check(1, stp, "skip stp");
    let [src, dst] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().expect("an address"));
    check(101, Datagram::new(src, dst, 89, vec![0; 20]).bytes(), "skip other_ip_protocol");
}

#[test]
fn padding_is_never_payload() {
    let padded = [tcp(A, B).seq(5).flags("A").ethernet(), vec![0xee; 6]].concat();
    check(1, padded, "tcp 10.0.0.1:1000 > 10.0.0.2:80 ");
    check(101, [hello6().bytes(), vec![0xee; 6]].concat(), HELLO6);
    check(101, udp_announcing(A, B, b"hello, padded", 13).bytes(), HELLO);
}

#[test]
fn lengths_that_lie_are_not_believed() {
    let segment = |length| tcp(A, B).payload(b"hello").ip().announcing(length).bytes();
    check(101, segment(0), "tcp 10.0.0.1:1000 > 10.0.0.2:80 hello");
    check(101, segment(9000), "tcp 10.0.0.1:1000 > 10.0.0.2:80 hello");
    check(101, segment(19), "loss malformed_ip");
    check(101, segment(30), "loss too_short");
    check(101, udp_announcing(A, B, b"hello", 7).bytes(), "loss malformed_transport");
    check(101, udp_announcing(A, B, b"hello", 0).bytes(), "loss malformed_transport");
    check(101, udp_announcing(A6, B6, b"hello", 0).bytes(), HELLO6);
    let mut offset = tcp(A, B).payload(b"hello").ip().bytes();
    offset[32] = 0xf0;
    check(101, offset, "loss malformed_transport");
    check(101, vec![0x45], "loss too_short");
    check(101, Vec::new(), "loss too_short");
    check(101, vec![0x15; 60], "loss malformed_ip");
}

#[test]
fn snap_length_leaves_the_announced_length() {
    let whole = tcp(A, B).options(&[1; 12]).payload(b"hello, world").ip().bytes();
    let mut parser = Parser::new(&Limits::default());
    let mut check = |kept: usize, expect: &str| {
        let cut = &whole[..kept];
        let frame = frame(LinkType::RAW, cut, Timestamp::default(), 1);
        let frame = Frame { original_len: whole.len() as u32, ..frame };
        assert_eq!(describe(&parser.parse(&frame)), expect);
    };
    check(57, "tcp 10.0.0.1:1000 > 10.0.0.2:80 hello of 12");
    check(45, "tcp 10.0.0.1:1000 > 10.0.0.2:80  of 12");
    check(39, "loss cut_short");
}

#[test]
fn reads_ip_options_and_extension_headers() {
    check(101, hello().options(&[1; 8]).bytes(), HELLO);
    let [src, dst] = ["10.0.0.1", "10.0.0.2"].map(|text| text.parse().expect("an address"));
    let guarded = [&[17, 4][..], &[0; 22], &hello().bytes()[20..]].concat();
    check(101, Datagram::new(src, dst, 51, guarded).bytes(), HELLO);
    for kind in [0, 43, 60, 51] {
        check(101, hello6().extension(kind, &[0; 6]).bytes(), HELLO6);
    }
    let chained = hello6().extension(0, &[0; 14]).extension(60, &[]).extension(51, &[0; 14]);
    check(101, chained.bytes(), HELLO6);
    check(101, hello6().extension(44, &[0, 0, 0, 0, 0, 9]).bytes(), HELLO6);
    let endless = (0..40).fold(hello6(), |packet, _| packet.extension(60, &[]));
    check(101, endless.bytes(), "loss malformed_ip");
}

#[test]
fn jumbograms_and_super_segments_tell_their_length_elsewhere() {
    let big = vec![b'x'; 70_000];
    let jumbo = tcp(A6, B6).payload(&big).ip().announcing(0);
    let with_option = jumbo.clone().extension(0, &[0xc2, 4, 0, 1, 0x11, 0x8c]);
    for bytes in [jumbo.bytes(), with_option.bytes()] {
        let mut parser = Parser::new(&Limits::default());
        let Parsed::Packet(packet) = parser.parse(&frame(LinkType::RAW, &bytes, Timestamp::default(), 1))
        else {
            panic!("a jumbogram is a packet");
        };
        assert_eq!((packet.payload.len(), packet.payload_len), (70_000, 70_000));
    }
    // Linux BIG TCP in VXLAN: no length of 16 bits on the way is true.
    let inner = [&[8, 0, 0, 0, 0, 0, 7, 0][..], &jumbo.ethernet()].concat();
    let tunnelled = udp_announcing("10.9.0.1:5", "10.9.0.2:4789", &inner, 0).announcing(0).bytes();
    let mut parser = Parser::new(&Limits::default());
    let parsed = parser.parse(&frame(LinkType::RAW, &tunnelled, Timestamp::default(), 1));
    let Parsed::Packet(packet) = parsed else { panic!("a super-segment in a tunnel is a packet") };
    assert_eq!((packet.key.to.to_string().as_str(), packet.payload_len), (B6, 70_000));
}

#[test]
fn reads_tcp_headers_with_their_options() {
    let bytes = tcp(A, B)
        .seq(7)
        .ack(9)
        .flags("S")
        .window(512)
        .mss(1460)
        .window_scale(20)
        .options(&[4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 5, 10, 0, 0, 0, 3, 0, 0, 0, 4])
        .ip()
        .bytes();
    let mut parser = Parser::new(&Limits::default());
    let Parsed::Packet(packet) = parser.parse(&frame(LinkType::RAW, &bytes, Timestamp::default(), 1)) else {
        panic!("a segment is a packet");
    };
    let expect = Tcp {
        seq: 7,
        ack: 9,
        flags: TcpFlags(0x12),
        window: 512,
        window_scale: Some(14),
        mss: Some(1460),
        sack_permitted: true,
        sack: Some((3, 4)),
        timestamps: Some((1, 2)),
    };
    assert_eq!(packet.l4, L4::Tcp(expect));
}

#[test]
fn icmp_errors_name_the_flow_that_they_quote() {
    let quoted = |bytes: Vec<u8>| {
        let mut parser = Parser::new(&Limits::default());
        let Parsed::Packet(packet) = parser.parse(&frame(LinkType::RAW, &bytes, Timestamp::default(), 1))
        else {
            panic!("an error is a packet");
        };
        assert_eq!(packet.payload_len, packet.payload.len());
        let L4::Icmp(icmp) = packet.l4 else { panic!("it is ICMP") };
        (
            icmp.kind,
            icmp.code,
            icmp.quoted.map(|key| format!("{} {} > {}", key.transport.name(), key.from, key.to)),
        )
    };
    let inner = tcp(A, B).payload(b"hello").ip().bytes();
    let error = icmp("10.0.0.2", "10.0.0.1", 3, 3, [0; 4], &inner[..28]).bytes();
    assert_eq!(quoted(error), (3, 3, Some("tcp 10.0.0.1:1000 > 10.0.0.2:80".to_owned())));
    let inner = hello6().extension(60, &[]).bytes();
    let error = icmp("fd00::9", "fd00::1", 1, 4, [0; 4], &inner).bytes();
    assert_eq!(quoted(error), (1, 4, Some("udp [fd00::1]:1000 > [fd00::2]:80".to_owned())));
    let second = &hello().fragment(8, true, &[0; 8]);
    let error = icmp("10.0.0.2", "10.0.0.1", 11, 1, [0; 4], second).bytes();
    assert_eq!(quoted(error), (11, 1, None));
    let echo = icmp("10.0.0.1", "10.0.0.2", 8, 0, [0, 7, 0, 1], b"ping").bytes();
    assert_eq!(quoted(echo), (8, 0, None));
}

#[test]
fn iterates_over_chunks_until_one_is_malformed() {
    let chunks = [sctp_chunk(1, 0, &[0; 16]), sctp_data(3, 7, 2, b"hello"), vec![9, 0, 0, 3]];
    let bytes = sctp(A, B, 42, &chunks).bytes();
    let mut parser = Parser::new(&Limits::default());
    let Parsed::Packet(packet) = parser.parse(&frame(LinkType::RAW, &bytes, Timestamp::default(), 1)) else {
        panic!("SCTP is a packet");
    };
    let L4::Sctp(sctp) = packet.l4 else { panic!("it is SCTP") };
    let kinds: Vec<u8> = sctp.chunks().map(|chunk| chunk.kind.0).collect();
    let data = sctp.chunks().find_map(|chunk| chunk.data()).expect("there is data");
    assert_eq!((sctp.tag, kinds), (42, vec![1, 0]));
    assert_eq!(
        (data.tsn, data.stream, data.payload, data.begins, data.ends),
        (7, 2, &b"hello"[..], true, true)
    );
}

#[test]
fn opens_tunnels() {
    let opens = |packet: Datagram| {
        let expect = format!("{HELLO} (tunnelled)");
        check(101, packet.bytes(), &expect);
    };
    let (from, to) = ("192.168.0.1", "192.168.0.2");
    let ends = |port: u16| ("192.168.0.1:40000".to_owned(), format!("192.168.0.2:{port}"));
    for port in [4789, 8472] {
        let (from, to) = ends(port);
        opens(hello().vxlan(&from, &to, 77));
    }
    let (from_port, to_port) = ends(6081);
    opens(hello().geneve(&from_port, &to_port, 77, &[]));
    opens(hello().geneve(&from_port, &to_port, 77, &[0, 1, 2, 1, 0, 0, 0, 5]));
    let (from_port, to_port) = ends(2152);
    opens(hello().gtp(&from_port, &to_port, 9));
    let teredo = |prefix: &[u8]| {
        let packet = udp("192.168.0.1:3797", "192.168.0.2:3544", &[prefix, &hello6().bytes()].concat());
        check(101, packet.bytes(), &format!("{HELLO6} (tunnelled)"));
    };
    let (proof, origin) = ([&[0, 1, 1, 2][..], &[7; 12]].concat(), [0, 0, 1, 2, 3, 4, 5, 6]);
    for prefix in [&[][..], &proof, &origin, &[&proof[..], &origin].concat()] {
        teredo(prefix);
    }
    let stack = hello().layer().mpls(7).bytes;
    opens(udp("192.168.0.1:40000", "192.168.0.2:6635", &stack));
    for flags in [0, 0x8000, 0x2000, 0xb000] {
        opens(hello().gre(from, to, flags));
    }
    opens(gre(from, to, 0, 0x6558, &hello().ethernet()));
    opens(gre(from, to, 0, 0x88be, &hello().ethernet()));
    opens(gre(from, to, 0x1000, 0x88be, &[vec![0x10; 8], hello().ethernet()].concat()));
    opens(gre(from, to, 0x1000, 0x22eb, &[vec![0x20; 12], hello().ethernet()].concat()));
    opens(hello().ipip(from, to));
    opens(hello().ipip("fd00::a", "fd00::b"));
    let nested =
        hello().vxlan("10.9.0.1:5", "10.9.0.2:4789", 1).gre(from, to, 0x2000).ipip("fd00::a", "fd00::b");
    opens(nested);
    check(101, hello6().ipip(from, to).bytes(), &format!("{HELLO6} (tunnelled)"));
}

#[test]
fn tunnels_may_be_so_deep_and_no_deeper() {
    let nested = |depth| (0..depth).fold(hello(), |packet, _| packet.ipip("10.9.0.1", "10.9.0.2")).bytes();
    check(101, nested(8), &format!("{HELLO} (tunnelled)"));
    check(101, nested(12), "loss tunnel_too_deep");
}

#[test]
fn what_is_no_tunnel_on_its_port_is_a_flow_of_its_own() {
    let stays_outside = |port: u16, payload: &[u8]| {
        let bytes = udp("10.0.0.1:1000", &format!("10.0.0.2:{port}"), payload).bytes();
        let (lines, _) = run(&Limits::default(), &[(0, 0, LinkType::RAW, bytes)]);
        assert!(lines[0].starts_with("udp 10.0.0.1:1000 > 10.0.0.2:"), "{lines:?}");
    };
    for port in [4789, 8472, 6081, 2152, 6635] {
        stays_outside(port, b"");
        stays_outside(port, b"just some text that means nothing");
        stays_outside(port, &[8, 0, 0, 0, 0, 0, 1, 0, 1, 2, 3]);
    }
    let whole = hello().vxlan("10.9.0.1:5", "10.9.0.2:4789", 1).bytes();
    stays_outside(4789, &whole[28..whole.len() - 15]);
    let arp = [&[8, 0, 0, 0, 0, 0, 1, 0][..], &Layer::new(0x0806, &[0; 28]).ethernet()].concat();
    check(101, udp("10.9.0.1:5", "10.9.0.2:4789", &arp).bytes(), "skip arp");
}

const LONG: &[u8] = b"a datagram that is long enough to be cut into several fragments";
const LONG_LINE: &str =
    "udp 10.0.0.1:1000 > 10.0.0.2:80 a datagram that is long enough to be cut into several fragments";

#[test]
fn fragments_are_joined_in_any_order_and_counted() {
    let mut parts: Vec<_> = udp(A, B, LONG).fragments(24).into_iter().map(|bytes| (0, bytes)).collect();
    assert_eq!(parts.len(), 3);
    let books = check_all(&Limits::default(), &parts, &["held", "held", LONG_LINE]);
    count(&books, "reassembled", 2);
    parts.rotate_left(1);
    check_all(&Limits::default(), &parts, &["held", "held", LONG_LINE]);
    parts.insert(1, parts[0].clone());
    let books = check_all(&Limits::default(), &parts, &["held", "held", "held", LONG_LINE]);
    count(&books, "reassembled", 3);
    let parts: Vec<_> = udp(A6, B6, LONG).extension(60, &[]).fragments(24);
    let parts: Vec<_> = parts.into_iter().map(|bytes| (0, bytes)).collect();
    check_all(
        &Limits::default(),
        &parts,
        &["held", "held", &LONG_LINE.replace("10.0.0.1", "[fd00::1]").replace("10.0.0.2", "[fd00::2]")],
    );
}

#[test]
fn a_reassembled_packet_names_its_first_and_last_frame() {
    let parts = udp(A, B, LONG).fragments(24);
    let mut parser = Parser::new(&Limits::default());
    for (number, bytes) in (1..).zip(&parts) {
        let at = Timestamp::from_nanos(number as i64 * 10);
        if let Parsed::Packet(packet) = parser.parse(&frame(LinkType::RAW, bytes, at, number)) {
            let marks = [packet.mark, packet.last].map(|mark| (mark.packet, mark.at.nanos()));
            assert_eq!(marks, [(PacketNumber(1), 10), (PacketNumber(3), 30)]);
            return;
        }
    }
    panic!("the fragments made no packet");
}

#[test]
fn a_tunnel_in_fragments_is_opened() {
    let parts = udp(A, B, LONG).gre("10.9.0.1", "10.9.0.2", 0).fragments(40);
    let parts: Vec<_> = parts.into_iter().map(|bytes| (0, bytes)).collect();
    check_all(&Limits::default(), &parts, &["held", "held", &format!("{LONG_LINE} (tunnelled)")]);
    let inner = udp(A, B, LONG).fragments(24);
    let outer: Vec<_> =
        inner.iter().map(|bytes| (0, gre("10.9.0.1", "10.9.0.2", 0, 0x0800, bytes).bytes())).collect();
    check_all(&Limits::default(), &outer, &["held", "held", &format!("{LONG_LINE} (tunnelled)")]);
}

#[test]
fn fragments_that_cannot_be_true_are_counted() {
    let packet = hello();
    let check = |parts: &[(usize, bool, &[u8])], reason: &str, frames: u64| {
        let parts: Vec<_> =
            parts.iter().map(|(offset, more, bytes)| (0, packet.fragment(*offset, *more, bytes))).collect();
        let expect = vec!["held"; parts.len()];
        let books = check_all(&Limits::default(), &parts, &expect);
        count(&books, reason, frames);
    };
    // Teardrop: the second lies within the first, and says something else
    check(&[(0, true, &[1; 40]), (24, false, &[2; 8])], "fragments_conflict", 2);
    // An overlap that agrees is tolerated, but bytes are missing
    check(&[(0, true, &[1; 16]), (8, true, &[1; 16])], "fragments_incomplete", 2);
    // Ping of death
    check(&[(65_528, false, &[1; 100])], "fragment_malformed", 1);
    check(&[(0, true, &[1; 9])], "fragment_malformed", 1);
    check(&[(8, true, &[])], "fragment_malformed", 1);
    // Two ends that disagree; a piece behind the end
    check(&[(16, false, &[1; 8]), (32, false, &[1; 8])], "fragments_conflict", 2);
    check(&[(16, false, &[1; 8]), (64, true, &[1; 8])], "fragments_conflict", 2);
    // No first piece
    check(&[(8, false, &[1; 8])], "fragments_incomplete", 1);
}

#[test]
fn the_first_fragment_alone_tells_the_flow_when_it_was_cut() {
    let parts = udp(A, B, LONG).fragments(48);
    let mut parser = Parser::new(&Limits::default());
    let cut = frame(LinkType::RAW, &parts[0][..33], Timestamp::default(), 1);
    let cut = Frame { original_len: parts[0].len() as u32, ..cut };
    assert_eq!(describe(&parser.parse(&cut)), "udp 10.0.0.1:1000 > 10.0.0.2:80 a dat of 63");
    balanced(&parser.books());
}

#[test]
fn fragments_time_out_and_are_bounded() {
    let parts = |id| udp(A, B, LONG).id(id).fragments(40);
    let limits = Limits { fragment_wait: Duration::from_secs(1), fragmented: 2, ..Limits::default() };
    let late = [(0, parts(1)[0].clone()), (1_500, parts(1)[1].clone())];
    let books = check_all(&limits, &late, &["held", "held"]);
    count(&books, "fragments_timed_out", 1);
    count(&books, "fragments_incomplete", 1);
    let many: Vec<_> = (1..=5).map(|id| (0, parts(id)[0].clone())).collect();
    let books = check_all(&limits, &many, &["held"; 5]);
    count(&books, "fragments_evicted", 3);
    let tight = Limits { buffered_bytes: 1000, ..Limits::default() };
    let books = check_all(&tight, &many, &["held"; 5]);
    count(&books, "fragments_evicted", 3);
}

#[test]
fn a_packet_on_two_interfaces_is_counted_once() {
    let check = |frames: &[(u32, LinkType, Vec<u8>)], expect: &[&str]| {
        let frames: Vec<_> = (0..)
            .zip(frames)
            .map(|(at, (interface, link, bytes))| (at, *interface, *link, bytes.clone()))
            .collect();
        assert_eq!(run(&Limits::default(), &frames).0, expect);
    };
    let (raw, eth, copy) = (LinkType::RAW, LinkType::ETHERNET, "skip duplicate_interface");
    let routed = hello().ttl(63).bytes();
    check(&[(0, raw, hello().bytes()), (1, raw, routed.clone())], &[HELLO, copy]);
    check(&[(0, raw, hello().bytes()), (0, raw, hello().bytes())], &[HELLO, HELLO]);
    check(&[(0, raw, hello().bytes()), (1, raw, hello().id(2).bytes())], &[HELLO, HELLO]);
    let tunnelled = hello().vxlan("10.9.0.1:5", "10.9.0.2:4789", 1).ethernet();
    check(&[(0, raw, hello().bytes()), (1, eth, tunnelled.clone())], &[HELLO, copy]);
    check(&[(0, eth, hello().vlan(7).ethernet()), (1, eth, tunnelled)], &[HELLO, copy]);
    // Cooked captures of all interfaces say in their header which one it was
    let (v1, v2) = (LinkType::LINUX_SLL, LinkType::LINUX_SLL2);
    let layer = hello().layer();
    check(&[(0, v2, layer.cooked2(0, 1)), (0, v2, layer.cooked2(4, 2))], &[HELLO, copy]);
    check(&[(0, v2, layer.cooked2(0, 1)), (0, v2, layer.cooked2(0, 1))], &[HELLO, HELLO]);
    check(&[(0, v1, layer.cooked(0)), (0, v1, layer.cooked(4))], &[HELLO, copy]);
    let parts = udp(A, B, LONG).fragments(40);
    let [first, second] = [0, 1].map(|index| parts[index].clone());
    check(
        &[(0, raw, first.clone()), (1, raw, first), (0, raw, second.clone()), (1, raw, second)],
        &["held", copy, LONG_LINE, copy],
    );
}

/// A generator of numbers that is the same everywhere: xorshift.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % below as u64) as usize
    }
}

#[test]
fn mutated_frames_never_panic_and_the_books_balance() {
    let stacked = hello6().vxlan("10.9.0.1:5", "10.9.0.2:4789", 1).gre("10.8.0.1", "10.8.0.2", 0xb000);
    let mut seeds = vec![
        hello().layer().tag(0x8100, 5).tag(0x88a8, 6).ethernet(),
        stacked.layer().mpls(5).ethernet(),
        hello6().extension(0, &[0xc2, 4, 0, 0, 0, 99]).extension(51, &[0; 14]).extension(43, &[]).ethernet(),
        tcp(A, B).mss(9).window_scale(3).options(&[5, 10, 0, 0, 0, 0, 0, 0, 0, 0]).payload(LONG).ethernet(),
        icmp("10.0.0.2", "10.0.0.1", 3, 3, [0; 4], &hello().bytes()).ethernet(),
        icmp("fd00::2", "fd00::1", 1, 3, [0; 4], &hello6().extension(44, &[0; 6]).bytes()).ethernet(),
        sctp(A, B, 42, &[sctp_chunk(1, 0, &[0; 16]), sctp_data(3, 7, 2, b"hello")]).ethernet(),
        hello().gtp("10.9.0.1:2152", "10.9.0.2:2152", 1).layer().pppoe().ethernet(),
        hello().geneve("10.9.0.1:9", "10.9.0.2:6081", 1, &[0; 8]).ethernet(),
        gre("10.9.0.1", "10.9.0.2", 0x1000, 0x22eb, &[vec![0x21; 20], hello().ethernet()].concat())
            .ethernet(),
    ];
    for packet in [udp(A, B, LONG), udp(A6, B6, LONG)] {
        let layer = packet.layer();
        seeds.extend(packet.fragments(16).iter().map(|bytes| Layer::new(layer.ethertype, bytes).ethernet()));
    }
    let links = [0, 1, 9, 12, 50, 51, 101, 104, 108, 113, 228, 229, 276];
    let mut dice = Dice(0x5eed_7e57);
    let limits = Limits { fragmented: 4, buffered_bytes: 1 << 12, ..Limits::default() };
    let mut parser = Parser::new(&limits);
    for number in 0..60_000 {
        let mut bytes = seeds[dice.roll(seeds.len())].clone();
        for _ in 0..dice.roll(4) {
            let at = dice.roll(bytes.len());
            bytes[at] = dice.roll(256) as u8;
        }
        if dice.roll(4) == 0 {
            bytes.truncate(dice.roll(bytes.len()));
        }
        let at = Timestamp::from_nanos(number * 1_000_000 + dice.roll(50_000_000) as i64);
        let link = if dice.roll(16) == 0 { links[dice.roll(links.len())] } else { 1 };
        let mut frame = frame(LinkType(link), &bytes, at, number as u64 + 1);
        frame.interface = InterfaceId(dice.roll(2) as u32);
        if dice.roll(16) == 0 {
            frame.original_len = dice.roll(1 << 32) as u32;
        }
        if let Parsed::Packet(packet) = parser.parse(&frame) {
            assert!(packet.payload.len() <= packet.payload_len);
            if let L4::Sctp(sctp) = packet.l4 {
                assert!(sctp.chunks().count() <= packet.payload.len());
            }
        }
        if number % 1000 == 0 {
            parser.tick(at);
            balanced(&parser.books());
        }
    }
    parser.finish();
    balanced(&parser.books());
    count(&parser.books(), "fragments_held", 0);
}
