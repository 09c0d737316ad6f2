#![allow(clippy::unwrap_used, reason = "unwrap is for tests")]

use wirewise_model::{Exchange, Ledger, Limits, Mark, PacketNumber, Side, Timestamp, TlsInfo, Transport};

use super::parse::ClientHello;
use super::{ja, stream};
use crate::{End, Out, Session, SessionStart, Stream, Switchboard};

/// Handshakes of OpenSSL 3 as client and server, heard on the wire: a line a segment.
const OPENSSL: &str = include_str!("testdata/openssl.txt");
/// 2026-11-24, when they were heard.
const HEARD: i64 = 1_795_441_269;

#[derive(Clone, Debug)]
enum Event {
    Bytes(Side, Vec<u8>),
    Gap(Side, u64),
}

/// The recorded conversations by name.
fn recorded() -> Vec<(&'static str, Vec<Event>)> {
    let mut all = Vec::new();
    for line in OPENSSL.lines() {
        if let Some(name) = line.strip_prefix("# ") {
            all.push((name, Vec::new()));
            continue;
        }
        let (side, bytes) = line.split_once(' ').unwrap();
        let side = if side == "A" { Side::A } else { Side::B };
        all.last_mut().unwrap().1.push(Event::Bytes(side, hex::decode(bytes).unwrap()));
    }
    all
}

fn conversation(name: &str) -> Vec<Event> {
    recorded().into_iter().find(|(known, _)| *known == name).unwrap().1
}

struct Heard {
    exchanges: Vec<Exchange>,
    tls: Option<Box<TlsInfo>>,
    books: String,
    protocol: Option<&'static str>,
}

/// Plays a conversation, the packet numbered 1 first, at `at` seconds and a millisecond more each.
fn play_at(events: &[Event], at: i64, start: SessionStart, why: End, cut: usize) -> Heard {
    let mut board = Switchboard::new(Limits::default());
    let (mut session, mut out) = (Session::new(start), Out::default());
    let time = |number: usize| Timestamp::from_parts(at, number as i64 * 1_000_000);
    for (index, event) in events.iter().enumerate() {
        let mark = Mark { at: time(index), packet: PacketNumber(index as u64 + 1) };
        match event {
            Event::Bytes(side, bytes) => {
                for piece in bytes.chunks(cut) {
                    session.bytes(*side, piece, mark, &mut board, &mut out);
                }
            }
            Event::Gap(side, len) => session.gap(*side, *len, &mut board, &mut out),
        }
    }
    let protocol = session.protocol().map(|protocol| protocol.name);
    let last = Mark { at: time(events.len()), packet: PacketNumber(events.len() as u64 + 1) };
    session.end(None, why, last, &mut board, &mut out);
    let mut ledger = Ledger::default();
    ledger.add(&board.books());
    ledger.check().expect("balanced books");
    let books = serde_json::to_string(&board.books()).unwrap();
    assert!(!books.contains("panicked"), "{books}");
    Heard { exchanges: out.exchanges, tls: out.tls, books, protocol }
}

const START: SessionStart = SessionStart {
    transport: Transport::Tcp,
    ports: [50_000, 443],
    opener: Some(Side::A),
    mid_stream: false,
};
const MID_STREAM: SessionStart = SessionStart { opener: None, mid_stream: true, ..START };

fn play(events: &[Event]) -> Heard {
    play_at(events, HEARD, START, End::Fin, usize::MAX)
}

/// The one exchange of a conversation.
fn one(events: &[Event]) -> Exchange {
    let mut heard = play(events);
    assert_eq!(heard.exchanges.len(), 1, "{:?}", heard.exchanges);
    heard.exchanges.remove(0)
}

/// An exchange in two lines: what a row shows, and the attributes.
fn show(exchange: &Exchange) -> String {
    let notes: Vec<&str> = exchange.notes.iter().map(|note| note.0.as_ref()).collect();
    let attributes: Vec<String> =
        exchange.attributes.iter().map(|field| format!("{}={}", field.name, field.value)).collect();
    let frames = |message: &Option<wirewise_model::Message>| match message {
        Some(message) => {
            let numbers: Vec<String> =
                message.track.frames.numbers.iter().map(|number| number.0.to_string()).collect();
            format!("{} bytes in {}", message.track.bytes, numbers.join(","))
        }
        None => "none".to_owned(),
    };
    let status = exchange.status.as_deref().unwrap_or("-");
    format!(
        "{:?} {status} {} [{}] {} / {}\n{}",
        exchange.target,
        exchange.outcome,
        notes.join(" "),
        frames(&exchange.request),
        frames(&exchange.response),
        attributes.join(" ")
    )
}

fn attribute(exchange: &Exchange, name: &str) -> Option<String> {
    exchange.attributes.iter().find(|field| field.name == name).map(|field| field.value.to_string())
}

fn notes(exchange: &Exchange) -> Vec<&str> {
    exchange.notes.iter().map(|note| note.0.as_ref()).collect()
}

// Bytes made by hand.

fn record(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut record = vec![kind, 3, 3];
    record.extend((body.len() as u16).to_be_bytes());
    record.extend(body);
    record
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![kind];
    message.extend(&(body.len() as u32).to_be_bytes()[1..]);
    message.extend(body);
    message
}

fn block16(body: &[u8]) -> Vec<u8> {
    [&(body.len() as u16).to_be_bytes(), body].concat()
}

fn extensions(list: &[(u16, &[u8])]) -> Vec<u8> {
    let mut all = Vec::new();
    for (kind, value) in list {
        all.extend(kind.to_be_bytes());
        all.extend(block16(value));
    }
    block16(&all)
}

fn client_hello_body(version: u16, ciphers: &[u16], list: &[(u16, &[u8])]) -> Vec<u8> {
    let ciphers: Vec<u8> = ciphers.iter().flat_map(|cipher| cipher.to_be_bytes()).collect();
    [&version.to_be_bytes()[..], &[7; 32], &[0], &block16(&ciphers), &[1, 0], &extensions(list)].concat()
}

fn client_hello(list: &[(u16, &[u8])]) -> Event {
    Event::Bytes(Side::A, record(22, &message(1, &client_hello_body(0x0303, &[0x1301, 0xc02f], list))))
}

fn server_hello(version: u16, cipher: u16, list: &[(u16, &[u8])]) -> Vec<u8> {
    let cipher = cipher.to_be_bytes();
    let body = [&version.to_be_bytes()[..], &[9; 32], &[0], &cipher, &[0], &extensions(list)].concat();
    record(22, &message(2, &body))
}

const CHOSE_1_3: (u16, &[u8]) = (43, &[3, 4]);
const SNI: (u16, &[u8]) = (0, b"\x00\x0a\x00\x00\x07a.local");

fn from_client(bytes: Vec<u8>) -> Event {
    Event::Bytes(Side::A, bytes)
}

fn from_server(bytes: Vec<u8>) -> Event {
    Event::Bytes(Side::B, bytes)
}

#[test]
fn tells_real_handshakes() {
    let told: Vec<String> =
        recorded().iter().map(|(name, events)| format!("# {name}\n{}\n", show(&one(events)))).collect();
    let expected = include_str!("testdata/openssl.expected.txt");
    assert_eq!(told.concat(), expected);
}

#[test]
fn the_flow_learns_what_the_handshake_showed() {
    let tls = play(&conversation("1.2, ALPN, certificate")).tls.unwrap();
    assert_eq!(tls.sni.as_deref(), Some("other.test"));
    assert_eq!(tls.alpn.as_deref(), Some("http/1.1"));
    assert_eq!(tls.version.as_deref(), Some("TLS1.2"));
    assert_eq!(tls.cipher.as_deref(), Some("TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384"));
    assert_eq!(tls.ja3.as_deref(), Some("22558766122974704364c9c75c5cce0a"));
    assert_eq!(tls.ja4.as_deref(), Some("t12d2808h1_d943125447b4_e7e480e5a997"));
    let certificate = tls.certificate.unwrap();
    assert_eq!((certificate.subject.as_str(), certificate.issuer.as_str()), ("CN=tls.test", "CN=tls.test"));
    assert_eq!(certificate.expires_at.unwrap().rfc3339(), "2026-12-23T13:41:08.000000000Z");
    assert_eq!(tls.client_certificate, None);
}

#[test]
fn ja4_leaves_grease_out_and_sorts() {
    // The example of the JA4 specification.
    let ciphers = [
        0x1a1a, 0x1301, 0x1302, 0x1303, 0xc02b, 0xc02f, 0xc02c, 0xc030, 0xcca9, 0xcca8, 0xc013, 0xc014,
        0x009c, 0x009d, 0x002f, 0x0035,
    ];
    let signatures = b"\x00\x10\x04\x03\x08\x04\x04\x01\x05\x03\x08\x05\x05\x01\x08\x06\x06\x01";
    let body = client_hello_body(
        0x0303,
        &ciphers,
        &[
            (0x2a2a, b""),
            (0x001b, b""),
            SNI,
            (0x0033, b""),
            (0x0010, b"\x00\x0c\x02h2\x08http/1.1"),
            (0x4469, b""),
            (0x0017, b""),
            (0x002d, b""),
            (0x000d, signatures),
            (0x0005, b""),
            (0x0023, b""),
            (0x0012, b""),
            (0x002b, b"\x06\x3a\x3a\x03\x04\x03\x03"),
            (0xff01, b""),
            (0x000b, b""),
            (0x000a, b""),
            (0x0015, b""),
        ],
    );
    assert_eq!(ja::ja4(&ClientHello::parse(&body), 't'), "t13d1516h2_8daaf6152771_e5627efa2ab1");
}

#[test]
fn ja4_shows_odd_protocols_in_hexadecimal() {
    let alpn = |list: &[u8]| {
        let hello = ClientHello::parse(&client_hello_body(0x0303, &[0x1301], &[(16, list)]));
        ja::ja4(&hello, 't')[8..10].to_owned()
    };
    assert_eq!(alpn(b"\x00\x02\x01h"), "hh");
    assert_eq!(alpn(b"\x00\x03\x02\xab\xcd"), "ad");
    assert_eq!(alpn(b"\x00\x03\x02h-"), "6d");
    assert_eq!(alpn(b"\x00\x01\x00"), "00");
}

#[test]
fn cut_anywhere_is_the_same_as_whole() {
    for (name, events) in recorded() {
        let whole = play(&events);
        for cut in [1, 2, 3, 5, 6, 7, 11, 100, 1000] {
            let split = play_at(&events, HEARD, START, End::Fin, cut);
            assert_eq!(split.exchanges, whole.exchanges, "{name} in pieces of {cut}");
            assert_eq!(split.tls, whole.tls, "{name} in pieces of {cut}");
            assert_eq!(split.books, whole.books, "{name} in pieces of {cut}");
        }
        for (index, event) in events.iter().enumerate() {
            let Event::Bytes(side, bytes) = event else { continue };
            for at in 1..bytes.len() {
                let mut parts = events.clone();
                let pieces = [&bytes[..at], &bytes[at..]].map(|piece| Event::Bytes(*side, piece.to_vec()));
                parts.splice(index..=index, pieces);
                let split = play(&parts);
                assert_eq!(split.exchanges.len(), 1);
                assert_eq!(split.exchanges[0].attributes, whole.exchanges[0].attributes, "{name}, {at}");
            }
        }
    }
}

#[test]
fn handshake_messages_may_be_cut_into_tiny_records() {
    let (mut events, mut tiny) = (conversation("1.2, ALPN, certificate"), Vec::new());
    for event in &mut events {
        let Event::Bytes(_, bytes) = event else { continue };
        let mut rest = bytes.as_slice();
        let mut cut = Vec::new();
        // Only what is in the clear may be cut: the records before ChangeCipherSpec.
        while let [22, _, _, high, low, tail @ ..] = rest {
            let (body, after) = tail.split_at(usize::from(u16::from_be_bytes([*high, *low])));
            for piece in body.chunks(3) {
                cut.extend(record(22, piece));
            }
            rest = after;
        }
        cut.extend(rest);
        *bytes = cut;
        tiny.push(bytes.len());
    }
    let (small, whole) = (one(&events), one(&conversation("1.2, ALPN, certificate")));
    assert_eq!(small.attributes, whole.attributes);
    assert_eq!(small.outcome, whole.outcome);
}

#[test]
fn any_beginning_is_told_and_balances() {
    for (name, events) in recorded() {
        for (index, event) in events.iter().enumerate() {
            let Event::Bytes(side, bytes) = event else { continue };
            for end in 0..bytes.len() {
                let mut head = events[..index].to_vec();
                head.push(Event::Bytes(*side, bytes[..end].to_vec()));
                let heard = play_at(&head, HEARD, START, End::CaptureEnded, usize::MAX);
                assert!(heard.exchanges.len() <= 1, "{name}");
            }
        }
    }
}

/// A small generator of numbers that are the same in each run.
struct Seeded(u64);

impl Seeded {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.0 >> 33) as usize) % bound.max(1)
    }
}

#[test]
fn survives_whatever_is_done_to_the_bytes() {
    let mut seeded = Seeded(1);
    let all = recorded();
    for round in 0..6000 {
        let mut events = all[round % all.len()].1.clone();
        for _ in 0..=seeded.below(4) {
            let index = seeded.below(events.len());
            let Event::Bytes(side, bytes) = &mut events[index] else { continue };
            let (at, side) = (seeded.below(bytes.len()), *side);
            match seeded.below(6) {
                0 => bytes.truncate(at),
                1 => drop(bytes.drain(at..(at + seeded.below(40)).min(bytes.len()))),
                2 => bytes.insert(at, seeded.below(256) as u8),
                3 => events.insert(index, Event::Gap(side, seeded.below(3000) as u64 + 1)),
                _ if bytes.is_empty() => {}
                4 => bytes[at] ^= 1 << seeded.below(8),
                _ => bytes[at] = [0, 0xff, 0x7f, 0x80][seeded.below(4)],
            }
        }
        let cut = [usize::MAX, 1, 7, 100][seeded.below(4)];
        play_at(&events, HEARD, START, End::Fin, cut);
    }
}

#[test]
fn steps_over_a_gap_of_any_length_at_any_place() {
    for (name, events) in recorded() {
        for (index, event) in events.iter().enumerate() {
            let Event::Bytes(side, bytes) = event else { continue };
            for at in (0..bytes.len()).step_by(7) {
                for len in [1, 40, bytes.len()] {
                    let mut holed = events[..index].to_vec();
                    holed.push(Event::Bytes(*side, bytes[..at].to_vec()));
                    holed.push(Event::Gap(*side, len.min(bytes.len() - at) as u64));
                    holed.push(Event::Bytes(*side, bytes[(at + len).min(bytes.len())..].to_vec()));
                    holed.extend_from_slice(&events[index + 1..]);
                    // Two messages of one side before the other has spoken make no second handshake.
                    assert!(play(&holed).exchanges.len() <= 1, "{name}");
                }
            }
        }
    }
}

#[test]
fn a_lost_certificate_leaves_the_rest() {
    let mut events = conversation("1.2, ALPN, certificate");
    let Event::Bytes(side, bytes) = events[1].clone() else { panic!("bytes") };
    let pieces = [
        Event::Bytes(side, bytes[..300].to_vec()),
        Event::Gap(side, 200),
        Event::Bytes(side, bytes[500..].to_vec()),
    ];
    events.splice(1..=1, pieces);
    let exchange = one(&events);
    assert_eq!(exchange.outcome.name(), "ok");
    assert_eq!(notes(&exchange), ["gap"]);
    assert_eq!(attribute(&exchange, "tls.next_protocol").as_deref(), Some("http/1.1"));
    assert_eq!(attribute(&exchange, "tls.server.subject"), None);
    assert_eq!(attribute(&exchange, "tls.resumed").as_deref(), Some("false"));
}

#[test]
fn half_a_client_hello_still_tells_the_name() {
    let Event::Bytes(side, hello) = conversation("1.3").remove(0) else { panic!("bytes") };
    let heard =
        play(&[Event::Bytes(side, hello[..200].to_vec()), Event::Gap(side, hello.len() as u64 - 200)]);
    let exchange = &heard.exchanges[0];
    assert_eq!(exchange.target, "tls.test");
    assert_eq!(notes(exchange), ["malformed", "gap"]);
    assert_eq!(attribute(exchange, "tls.client.ja3"), None);
}

#[test]
fn application_data_is_passed_over_without_being_kept() {
    let mut events = conversation("1.3");
    let n_before = events.len();
    for _ in 0..50 {
        events.push(from_server(record(23, &[0xa5; 16_000])));
        events.push(from_client(record(23, &[0x5a; 40])));
    }
    // A hole inside a record, and one over many.
    events.insert(n_before + 10, from_server([23, 3, 3, 0x40, 0].to_vec()));
    events.insert(n_before + 11, Event::Gap(Side::B, 0x4000));
    events.insert(n_before + 20, Event::Gap(Side::B, 100_000));
    let heard = play(&events);
    assert_eq!(heard.exchanges.len(), 1);
    assert!(heard.books.contains("encrypted") && !heard.books.contains("out_of_step"), "{}", heard.books);
    assert!(!heard.books.contains("incomplete"), "{}", heard.books);
}

#[test]
fn a_server_refuses_by_alert() {
    let exchange = one(&[client_hello(&[SNI]), from_server(record(21, &[2, 40]))]);
    assert_eq!(exchange.outcome.name(), "server_error");
    assert_eq!(exchange.status.as_deref(), Some("handshake_failure"));
    assert_eq!(exchange.status_code, Some(40));
    assert_eq!(exchange.error.as_deref(), Some("server sent alert handshake_failure"));
    assert_eq!(exchange.target, "a.local");
    assert!(exchange.complete);
}

#[test]
fn a_client_refuses_a_certificate_by_alert() {
    let mut events = conversation("1.2, ALPN, certificate");
    events.truncate(2);
    events.push(from_client(record(21, &[2, 48])));
    let exchange = one(&events);
    assert_eq!(exchange.outcome.name(), "client_error");
    assert_eq!((exchange.status.as_deref(), exchange.status_code), (Some("unknown_ca"), Some(48)));
}

#[test]
fn an_encrypted_alert_is_told_by_its_length() {
    let mut events = conversation("1.3");
    events.truncate(2);
    events.push(from_client([record(20, &[1]), record(23, &[0; 19])].concat()));
    let exchange = one(&events);
    assert_eq!(exchange.outcome.name(), "client_error");
    assert_eq!((exchange.status.as_deref(), exchange.status_code), (Some("encrypted_alert"), None));
}

#[test]
fn a_warning_refuses_nothing() {
    let mut events = conversation("1.2, ALPN, certificate");
    events.insert(1, from_server(record(21, &[1, 112])));
    let exchange = one(&events);
    assert_eq!(exchange.outcome.name(), "ok");
    assert_eq!(notes(&exchange), ["alert_warning", "self_signed"]);
}

#[test]
fn a_server_that_speaks_something_else_is_told_and_probed_anew() {
    let heard = play(&[client_hello(&[]), from_server(b"SSH-2.0-x\r\n".to_vec())]);
    let exchange = &heard.exchanges[0];
    assert_eq!(exchange.outcome.name(), "server_error");
    assert_eq!(exchange.status.as_deref(), Some("not_tls"));
    assert_ne!(heard.protocol, Some("tls"));
}

#[test]
fn nobody_answers() {
    let heard = play_at(&[client_hello(&[SNI])], HEARD, START, End::Reset, usize::MAX);
    assert_eq!(heard.exchanges[0].outcome.name(), "no_response");
    assert_eq!(notes(&heard.exchanges[0]), ["reset"]);
    let heard = play_at(&conversation("1.3")[..2], HEARD, START, End::Reset, usize::MAX);
    assert_eq!(heard.exchanges[0].outcome.name(), "aborted");
}

#[test]
fn one_deaf_ear_makes_no_failure() {
    let events = conversation("1.2, ALPN, certificate");
    let only = |wanted: Side| -> Vec<Event> {
        let of = |event: &&Event| matches!(event, Event::Bytes(side, _) if *side == wanted);
        events.iter().filter(of).cloned().collect()
    };
    let exchange = one(&only(Side::A));
    assert_eq!((exchange.outcome.name(), notes(&exchange)), ("unknown", vec!["response_not_heard"]));
    let exchange = one(&only(Side::B));
    assert_eq!(exchange.client, Side::A);
    assert_eq!(exchange.outcome.name(), "ok");
    assert_eq!(notes(&exchange), ["request_not_heard", "self_signed"]);
}

#[test]
fn notes_weak_versions_and_ciphers() {
    let exchange = one(&[client_hello(&[]), from_server(server_hello(0x0301, 0x0004, &[]))]);
    assert_eq!(exchange.status.as_deref(), Some("TLS1.0"));
    assert_eq!(attribute(&exchange, "tls.cipher").as_deref(), Some("TLS_RSA_WITH_RC4_128_MD5"));
    assert_eq!(notes(&exchange), ["weak_version", "weak_cipher"]);
    let weak = |id| super::names::is_weak_cipher(&super::names::cipher(id));
    for id in [0x0000, 0x0002, 0x0003, 0x0005, 0x0009, 0x000a, 0x0017, 0x0018, 0xc011, 0xc012, 0xc018] {
        assert!(weak(id), "{id:#06x}");
    }
    for id in [0x002f, 0x009c, 0x1301, 0x1303, 0xc02f, 0xcca8] {
        assert!(!weak(id), "{id:#06x}");
    }
}

#[test]
fn notes_certificates_out_of_their_time() {
    let events = conversation("1.2, ALPN, certificate");
    let year = 365 * 86_400;
    let late = play_at(&events, HEARD + year, START, End::Fin, usize::MAX).exchanges.remove(0);
    assert_eq!(notes(&late), ["self_signed", "certificate_expired"]);
    let early = play_at(&events, HEARD - year, START, End::Fin, usize::MAX).exchanges.remove(0);
    assert_eq!(notes(&early), ["self_signed", "certificate_not_yet_valid"]);
}

#[test]
fn early_data_is_not_taken_for_the_end_of_the_handshake() {
    let finished = record(23, &[0; 53]);
    let exchange = one(&[
        client_hello(&[SNI, (41, b"\x00"), (42, b""), (43, b"\x02\x03\x04")]),
        from_client([record(20, &[1]), record(23, &[1; 500])].concat()),
        from_server(
            [server_hello(0x0303, 0x1301, &[CHOSE_1_3, (41, b"\x00\x00")]), record(23, &[0; 60])].concat(),
        ),
        from_client(record(23, &[1; 300])),
        from_server(record(23, &[0; 70])),
        from_client([record(23, &[0; 21]), finished].concat()),
        from_server(record(23, &[0; 900])),
    ]);
    assert_eq!(exchange.outcome.name(), "ok");
    assert_eq!(notes(&exchange), ["early_data", "resumed"]);
    let response = exchange.response.unwrap().track;
    assert_eq!(response.last.packet, PacketNumber(5));
    assert_eq!(exchange.request.unwrap().track.last.packet, PacketNumber(6));
}

#[test]
fn notes_an_encrypted_hello() {
    let exchange = one(&[client_hello(&[SNI, (0xfe0d, b"\x00")]), from_server(record(21, &[2, 121]))]);
    assert_eq!(notes(&exchange), ["encrypted_client_hello"]);
    assert_eq!(exchange.status.as_deref(), Some("ech_required"));
}

#[test]
fn a_handshake_with_a_false_start_ends_with_the_server() {
    let mut events = conversation("1.2, ALPN, certificate");
    events.insert(3, from_client(record(23, &[0; 100])));
    let exchange = one(&events);
    assert_eq!(exchange.outcome.name(), "ok");
    assert_eq!(exchange.response.unwrap().track.last.packet, PacketNumber(5));
}

#[test]
fn a_hello_may_come_in_the_form_of_ssl_2() {
    let specs = [0, 0, 0x35, 0, 0, 0x2f, 1, 0, 0x80];
    let lengths = [3, 1, 0, specs.len() as u8, 0, 0, 0, 16];
    let mut hello = vec![0x80, (1 + lengths.len() + specs.len() + 16) as u8, 1];
    hello.extend(lengths);
    hello.extend(specs);
    hello.extend([6; 16]);
    let exchange = one(&[from_client(hello), from_server(server_hello(0x0300, 0x0035, &[]))]);
    assert_eq!(exchange.status.as_deref(), Some("SSL3.0"));
    assert_eq!(notes(&exchange), ["ssl2_hello", "weak_version"]);
    assert_eq!(attribute(&exchange, "tls.client.supported_versions").as_deref(), Some("TLS1.0"));
}

#[test]
fn a_flow_is_picked_up_in_its_middle_and_makes_no_handshake() {
    let events = [from_server(record(23, &[0x11; 600])), from_client(record(23, &[0x22; 30]))];
    let heard = play_at(&events, HEARD, MID_STREAM, End::Fin, usize::MAX);
    assert_eq!(heard.protocol, Some("tls"));
    assert!(heard.exchanges.is_empty() && heard.tls.is_none());
    let fresh = play(&events);
    assert_eq!(fresh.protocol, None);
}

#[test]
fn tls_may_follow_a_greeting_that_nobody_knows() {
    let mut events = conversation("1.3");
    events.insert(0, from_client(b"\x00\x00\x00\x08\x04\xd2\x11\x2f".to_vec()));
    events.insert(1, from_server(b"S".to_vec()));
    let exchange = one(&events);
    assert_eq!((exchange.target.as_str(), exchange.outcome.name()), ("tls.test", "ok"));
}

#[test]
fn a_claim_of_sixteen_megabytes_is_counted_down_and_not_kept() {
    let mut board = Switchboard::new(Limits::default());
    let (mut session, mut out) = (Session::new(START), Out::default());
    let mark = Mark::default();
    let Event::Bytes(_, hello) = client_hello(&[SNI]) else { panic!("bytes") };
    session.bytes(Side::A, &hello, mark, &mut board, &mut out);
    session.bytes(Side::B, &server_hello(0x0303, 0x002f, &[]), mark, &mut board, &mut out);
    let mut claim = vec![11, 0xff, 0xff, 0xff];
    for _ in 0..1000 {
        claim.resize(16_384, 0xaa);
        session.bytes(Side::B, &record(22, &claim), mark, &mut board, &mut out);
        claim.clear();
    }
    session.open(&mut out);
    assert_eq!(notes(&out.exchanges[0]), ["oversized_message"]);
    let books = serde_json::to_string(&board.books()).unwrap();
    assert!(!books.contains("buffered"), "{books}");
}

#[test]
fn a_silent_handshake_is_given_up() {
    let mut board = Switchboard::new(Limits::default());
    let (mut session, mut out) = (Session::new(START), Out::default());
    let Event::Bytes(_, hello) = client_hello(&[SNI]) else { panic!("bytes") };
    session.bytes(Side::A, &hello, Mark::default(), &mut board, &mut out);
    assert!(session.waiting());
    session.tick(Timestamp::from_parts(299, 0), &mut board, &mut out);
    assert!(out.exchanges.is_empty());
    session.tick(Timestamp::from_parts(300, 0), &mut board, &mut out);
    assert!(!session.waiting());
    assert_eq!(out.exchanges[0].outcome.name(), "no_response");
    session.bytes(Side::B, &server_hello(0x0303, 0x002f, &[]), Mark::default(), &mut board, &mut out);
    session.end(None, End::Fin, Mark { at: Timestamp::MAX, ..Mark::default() }, &mut board, &mut out);
    assert_eq!(out.exchanges.len(), 1);
}

#[test]
fn an_idle_flow_is_small() {
    assert!(size_of::<stream::Tls>() <= 160, "{}", size_of::<stream::Tls>());
    let opened = stream::open(&Limits::default(), Side::A);
    assert!(!Stream::waiting(opened.as_ref()));
}
