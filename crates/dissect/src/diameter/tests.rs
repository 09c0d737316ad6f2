//! Peers that ask each other.

use wirewise_model::{Exchange, Limits, Mark, PacketNumber, Side, Timestamp, Transport};

use crate::rehearsal::{Ev, Flow, attribute, c, hear, is_quick, mistreat, overhear, s, texts, told};
use crate::{Datagram, End, Out, Session, SessionStart, Switchboard};

const PORT: u16 = 3868;
const ASK: u8 = 0x80;
const TGPP: u32 = 10_415;

fn avp(code: u32, vendor: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    let value = value.as_ref();
    let head = if vendor == 0 { 8 } else { 12 };
    let length = u32::try_from(head + value.len()).unwrap();
    let mut bytes = code.to_be_bytes().to_vec();
    bytes.push(if vendor == 0 { 0x40 } else { 0xc0 });
    bytes.extend_from_slice(&length.to_be_bytes()[1..]);
    if vendor > 0 {
        bytes.extend(vendor.to_be_bytes());
    }
    bytes.extend_from_slice(value);
    bytes.resize(bytes.len().next_multiple_of(4), 0);
    bytes
}

fn number(code: u32, value: u32) -> Vec<u8> {
    avp(code, 0, value.to_be_bytes())
}

/// A message whose end-to-end identifier is 100 more than its hop-by-hop identifier.
fn message(flags: u8, command: u32, application: u32, hop: u32, avps: &[Vec<u8>]) -> Vec<u8> {
    let body = avps.concat();
    let length = u32::try_from(20 + body.len()).unwrap();
    let mut bytes = vec![1];
    bytes.extend_from_slice(&length.to_be_bytes()[1..]);
    bytes.push(flags);
    bytes.extend_from_slice(&command.to_be_bytes()[1..]);
    for number in [application, hop, hop + 100] {
        bytes.extend(number.to_be_bytes());
    }
    bytes.extend(body);
    bytes
}

fn from(host: &str) -> Vec<u8> {
    [avp(264, 0, host), avp(296, 0, "ex.org")].concat()
}

fn answer(command: u32, application: u32, hop: u32, result: u32) -> Vec<u8> {
    message(0, command, application, hop, &[number(268, result), from("b.ex.org")])
}

fn check(events: &[Ev], expect: &[&str]) -> Vec<Exchange> {
    let heard = hear(PORT, events);
    assert_eq!(told(&heard), expect);
    assert!(!texts(&heard).contains("canary"), "{}", texts(&heard));
    mistreat(PORT, events);
    heard
}

#[test]
fn peers_meet_watch_each_other_and_part() {
    let watch = message(ASK, 280, 0, 7, &[from("b.ex.org"), number(278, 5)]);
    let heard = check(
        &[
            c(message(ASK, 257, 0, 1, &[from("a.ex.org"), avp(269, 0, "peerd"), number(258, 16_777_251)])),
            s(answer(257, 0, 1, 2001)),
            // The server asks too, and both use the same identifier.
            s(watch),
            c(message(ASK, 280, 0, 7, &[from("a.ex.org")])),
            c(message(0, 280, 0, 7, &[number(268, 2001), from("a.ex.org")])),
            s(answer(280, 0, 7, 2001)),
            c(message(ASK, 282, 0, 9, &[from("a.ex.org"), number(273, 1)])),
            s(answer(282, 0, 9, 2001)),
        ],
        &[
            "Capabilities-Exchange SUCCESS ok session 1ms",
            "Device-Watchdog SUCCESS ok probe 2ms",
            "Device-Watchdog SUCCESS ok probe 2ms",
            "Disconnect-Peer SUCCESS ok session 1ms",
        ],
    );
    assert_eq!([heard[1].client, heard[2].client], [Side::B, Side::A]);
    assert_eq!(heard[0].host.as_deref(), Some("b.ex.org"));
    for (name, value) in [
        ("diameter.Origin-Host", "a.ex.org"),
        ("diameter.Origin-Realm", "ex.org"),
        ("diameter.Product-Name", "peerd"),
        ("diameter.Auth-Application-Id", "S6a"),
        ("diameter.hopbyhopid", "1"),
        ("diameter.endtoendid", "101"),
        ("diameter.cmd.code", "257"),
    ] {
        assert_eq!(attribute(&heard[0], name), value, "{name}");
    }
    assert_eq!(attribute(&heard[3], "diameter.Disconnect-Cause"), "BUSY");
}

#[test]
fn applications_tell_what_they_are_about_and_no_secret() {
    let to = [avp(283, 0, "home.org"), avp(293, 0, "hss.home.org")].concat();
    let session = avp(263, 0, "s;1;2");
    let secret = [
        avp(2, 0, "canary"),
        avp(462, 0, "canary"),
        avp(443, 0, avp(444, 0, "canary")),
        avp(1413, TGPP, avp(1447, TGPP, "canary")),
        avp(701, TGPP, "canary"),
        avp(999_999, 0, "canary"),
    ]
    .concat();
    let update = [
        session.clone(),
        from("mme"),
        to.clone(),
        avp(1, 0, "262011234567890"),
        avp(1032, TGPP, 1004_u32.to_be_bytes()),
        avp(1407, TGPP, [0x62, 0xf2, 0x10]),
        avp(260, 0, [number(266, TGPP), number(258, 16_777_251)].concat()),
        secret,
    ];
    let unknown = avp(297, 0, [number(266, TGPP), number(298, 5001)].concat());
    let credit =
        [session.clone(), from("gw"), to, number(416, 2), number(415, 3), avp(461, 0, "32251@3gpp.org")];
    let account = [session, from("nas"), number(480, 4), number(485, 9)];
    let heard = check(
        &[
            c(message(0xc0, 316, 16_777_251, 1, &update)),
            s(message(0x40, 316, 16_777_251, 1, &[unknown, from("hss")])),
            c(message(0xc0, 272, 4, 2, &credit)),
            s(message(0x20, 272, 4, 2, &[number(268, 3002), from("dra"), avp(281, 0, "no peer")])),
            c(message(0xd0, 271, 3, 3, &account)),
            s(answer(271, 3, 3, 5012)),
            c(message(ASK, 999, 77, 4, &[from("a")])),
            s(answer(999, 77, 4, 3001)),
        ],
        &[
            "Update-Location home.org USER_UNKNOWN client_error 1ms",
            "Credit-Control home.org UNABLE_TO_DELIVER server_error 1ms",
            "Accounting UNABLE_TO_COMPLY server_error 1ms +retransmitted",
            "command 999 COMMAND_UNSUPPORTED client_error 1ms",
        ],
    );
    for (at, name, value) in [
        (0, "diameter.applicationId", "S6a"),
        (0, "diameter.Session-Id", "s;1;2"),
        (0, "user.name", "262011234567890"),
        (0, "diameter.RAT-Type", "EUTRAN"),
        (0, "diameter.Visited-PLMN-Id", "262-01"),
        (0, "diameter.Auth-Application-Id", "S6a"),
        (1, "diameter.CC-Request-Type", "UPDATE_REQUEST"),
        (1, "diameter.CC-Request-Number", "3"),
        (1, "diameter.Service-Context-Id", "32251@3gpp.org"),
        (2, "diameter.Accounting-Record-Type", "STOP_RECORD"),
        (3, "diameter.applicationId", "77"),
    ] {
        assert_eq!(attribute(&heard[at], name), value, "{name}");
    }
    assert_eq!(heard[0].status_code, Some(5001));
    assert_eq!(heard[0].host.as_deref(), Some("hss.home.org"));
    let errors: Vec<Option<&str>> = heard.iter().map(|call| call.error.as_deref()).collect();
    assert_eq!(
        errors,
        [Some("USER_UNKNOWN"), Some("no peer"), Some("UNABLE_TO_COMPLY"), Some("COMMAND_UNSUPPORTED")]
    );
}

#[test]
fn networks_read_with_two_digits_and_with_three() {
    for (octets, expect) in [
        (&[0x62, 0xf2, 0x10][..], "262-01"),
        (&[0x13, 0x00, 0x14], "310-410"),
        (&[0xff, 0xff, 0xff], ""),
        (&[0x62, 0xf2], ""),
    ] {
        let heard = hear(PORT, &[c(message(ASK, 316, 0, 1, &[avp(1407, TGPP, octets)]))]);
        assert_eq!(attribute(&heard[0], "diameter.Visited-PLMN-Id"), expect, "{octets:x?}");
    }
}

#[test]
fn identifiers_find_each_other_behind_a_gap() {
    let ask = |hop| message(ASK, 272, 4, hop, &[from("a")]);
    let events = [
        c(ask(1)),
        c(ask(2)),
        s(message(ASK, 280, 0, 5, &[from("b")])),
        Ev::Lost(Side::B, 40),
        s([&b"rest of an answer"[..], &answer(272, 4, 1, 2001)].concat()),
        s(answer(272, 4, 2, 2001)),
        c(&ask(3)[..20]),
        Ev::Lost(Side::A, 60),
        s(answer(272, 4, 3, 2001)),
        Ev::End(None, End::Reset),
    ];
    let heard = hear(PORT, &events);
    assert_eq!(
        told(&heard),
        [
            "Credit-Control SUCCESS ok 4ms",
            "?Credit-Control SUCCESS ok +request_not_seen",
            "Credit-Control - unknown +reset +gap",
            "Device-Watchdog - unknown probe +reset +gap",
        ]
    );
}

#[test]
fn it_is_entered_in_the_middle_and_other_bytes_are_left_alone() {
    let heard = overhear(40_001, &[s(answer(272, 4, 1, 2001)), c(message(ASK, 280, 0, 2, &[from("a")]))]);
    assert_eq!(
        told(&heard),
        ["?Credit-Control SUCCESS ok +request_not_seen", "Device-Watchdog - unknown probe +capture_ended"]
    );
    let good = message(ASK, 280, 0, 2, &[from("a")]);
    // Version, a length that is too short, one that is odd, reserved flags, a request that is an error, no AVP's flags.
    for (at, value) in [(0, 2), (3, 20), (3, 61), (4, 0x8f), (4, 0xa0), (24, 0x01), (27, 3)] {
        let mut other = good.clone();
        other[at] = value;
        let mut flow = Flow::new(Limits::default(), PORT, false);
        flow.play(&[c(&other)], usize::MAX);
        assert_eq!(flow.protocol(), None, "{at} {value}");
    }
}

#[test]
fn a_message_of_sctp_is_a_message() {
    let start = SessionStart {
        transport: Transport::Sctp,
        ports: [40_000, PORT],
        opener: Some(Side::A),
        mid_stream: false,
    };
    let (mut session, mut board) = (Session::new(start), Switchboard::new(Limits::default()));
    let mut out = Out::default();
    let said = [
        (Side::A, message(ASK, 257, 0, 1, &[from("a")])),
        (Side::B, answer(257, 0, 1, 2001)),
        (Side::A, b"noise".to_vec()),
        (Side::B, message(ASK, 280, 0, 2, &[from("b")])),
    ];
    let mut last = Mark::default();
    for (packet, (side, bytes)) in (1..).zip(&said) {
        last = Mark { at: Timestamp::from_nanos(packet * 1_000_000), packet: PacketNumber(packet as u64) };
        let datagram = Datagram {
            side: *side,
            bytes,
            original_len: bytes.len(),
            mark: last,
            last,
            ordinal: 0,
            transport: Transport::Sctp,
            ports: [40_000, PORT],
        };
        session.message(datagram, &mut board, &mut out);
    }
    session.end(None, End::Fin, last, &mut board, &mut out);
    assert_eq!(
        told(&out.exchanges),
        ["Capabilities-Exchange SUCCESS ok session 1ms", "Device-Watchdog - no_response probe"]
    );
    let books = board.books();
    assert_eq!(books.taken_in, books.passed_on + books.reasons.values().sum::<u64>(), "{books:?}");
}

#[test]
fn claims_of_length_are_counted_down_and_calls_are_bounded() {
    is_quick(|| {
        let big = message(ASK, 272, 4, 1, &[from("a"), avp(461, 0, vec![b'x'; 200_000])]);
        let mut flow = Flow::new(Limits { undissected_bytes: 4 << 10, ..Limits::default() }, PORT, false);
        flow.play(&[c(&big[..90_000]), Ev::Lost(Side::A, 50_000), c(&big[140_000..])], 1400);
        flow.play(&[s(answer(272, 4, 1, 2001))], 1400);
        assert_eq!(told(&flow.finish()), ["Credit-Control SUCCESS ok 3ms +gap"]);
        let many: Vec<Ev> = (0..300).map(|hop| c(message(ASK, 280, 0, hop, &[from("a")]))).collect();
        let mut flow = Flow::new(Limits { pending_calls: 4, ..Limits::default() }, PORT, false);
        flow.play(&many, usize::MAX);
        assert_eq!(flow.open().len(), 4);
        assert_eq!(flow.finish().len(), 300);
        let small = number(278, 1).repeat(5000);
        let heard = hear(PORT, &[c(message(ASK, 280, 0, 1, &[small]))]);
        assert_eq!(told(&heard), ["Device-Watchdog - unknown probe +capture_ended"]);
    });
}
