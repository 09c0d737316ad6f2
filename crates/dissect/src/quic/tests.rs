//! Handshakes as clients and servers make them.

use wirewise_model::{Exchange, Limits, Transport};

use super::parse::{Id, Version};
use super::protect::{Keys, Sealer};
use crate::End;
use crate::rehearsal::{Ev, Flow, attribute, texts, told};

const ONE: Version = Version(1);
const CLIENT: &[u8] = b"\x83\x94\xc8\xf0\x3e\x51\x57\x08";
const SERVER: &[u8] = b"server";

/// A head of a packet: type, ids and what follows them, up to the number.
struct Head<'a> {
    version: Version,
    /// 0 is Initial, 1 is 0-RTT, 2 is Handshake, 3 is Retry.
    kind: u8,
    to: &'a [u8],
    from: &'a [u8],
}

impl Head<'_> {
    fn bytes(&self) -> Vec<u8> {
        let kind = if self.version == Version::TWO { (self.kind + 1) & 3 } else { self.kind };
        let mut bytes = vec![0xc1 | kind << 4];
        bytes.extend(self.version.0.to_be_bytes());
        for id in [self.to, self.from] {
            bytes.push(id.len() as u8);
            bytes.extend(id);
        }
        bytes
    }
}

/// An Initial packet whose keys follow from `id`.
fn initial(head: &Head<'_>, id: &[u8], sealer: Sealer, number: u16, plain: &[u8]) -> Vec<u8> {
    let mut plain = plain.to_vec();
    plain.resize(plain.len().max(1100), 0);
    let mut bytes = head.bytes();
    // No token; number and seal are counted.
    bytes.push(0);
    bytes.extend((0x4000 | (plain.len() as u16 + 18)).to_be_bytes());
    bytes.extend(number.to_be_bytes());
    let keys = Keys::derive(head.version, &Id::parse(id).expect("it is short"), sealer).expect("it is read");
    keys.seal(&bytes, number, &plain)
}

/// A packet that nobody can open.
fn sealed(kind: u8, to: &[u8], from: &[u8]) -> Vec<u8> {
    let mut bytes = Head { version: ONE, kind, to, from }.bytes();
    bytes.push(60);
    bytes.extend([0xaa; 60]);
    bytes
}

fn short() -> Vec<u8> {
    vec![0x41; 60]
}

fn crypto(offset: u16, data: &[u8]) -> Vec<u8> {
    let mut frame = vec![6];
    frame.extend((0x4000 | offset).to_be_bytes());
    frame.extend((0x4000 | data.len() as u16).to_be_bytes());
    frame.extend(data);
    frame
}

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = (body.len() as u32).to_be_bytes();
    [&[kind], &length[1..], body].concat()
}

fn extension(kind: u16, value: &[u8]) -> Vec<u8> {
    [&kind.to_be_bytes()[..], &(value.len() as u16).to_be_bytes(), value].concat()
}

fn client_hello(name: &str) -> Vec<u8> {
    let name = [&[0, 0, name.len() as u8][..], name.as_bytes()].concat();
    let names = [&(name.len() as u16).to_be_bytes()[..], &name].concat();
    let extensions = [
        extension(0, &names),
        extension(16, b"\0\x03\x02h3"),
        extension(43, b"\x02\x03\x04"),
        // Transport parameters; long enough for two packets.
        extension(57, &[0x5a; 1500]),
    ]
    .concat();
    let body = [
        &[3, 3][..],
        &[7; 32],
        b"\0\0\x02\x13\x01\x01\0",
        &(extensions.len() as u16).to_be_bytes(),
        &extensions,
    ];
    message(1, &body.concat())
}

fn server_hello() -> Vec<u8> {
    let extensions = extension(43, b"\x03\x04");
    let body =
        [&[3, 3][..], &[8; 32], b"\0\x13\x01\0", &(extensions.len() as u16).to_be_bytes(), &extensions];
    message(2, &body.concat())
}

/// The client's first flight: its hello in two datagrams, whose keys follow from `id`.
fn asks(version: Version, id: &[u8], name: &str) -> [Vec<u8>; 2] {
    let head = Head { version, kind: 0, to: id, from: b"client" };
    let hello = client_hello(name);
    let (first, second) = hello.split_at(1000);
    [
        initial(&head, id, Sealer::Client, 0, &crypto(0, first)),
        initial(&head, id, Sealer::Client, 1, &crypto(1000, second)),
    ]
}

/// The server's, behind an acknowledgement, with a Handshake packet in the same datagram.
fn answers(version: Version, id: &[u8]) -> Vec<u8> {
    let head = Head { version, kind: 0, to: b"client", from: SERVER };
    let plain = [&[2, 1, 0, 0, 1][..], &crypto(0, &server_hello())].concat();
    let mut bytes = initial(&head, id, Sealer::Server, 0, &plain);
    bytes.extend(sealed(2, b"client", SERVER));
    bytes
}

fn hear_at(port: u16, events: &[Ev]) -> Vec<Exchange> {
    let mut flow = Flow::over(Transport::Udp, Limits::default(), port, false);
    flow.play(events, usize::MAX);
    flow.finish()
}

fn hear(events: &[Ev]) -> Vec<Exchange> {
    hear_at(443, events)
}

/// A handshake from the first packet to the first of the application.
fn whole(version: Version) -> Vec<Ev> {
    let [first, second] = asks(version, CLIENT, "q.test");
    vec![
        Ev::C(first),
        Ev::C(second),
        Ev::S(answers(version, CLIENT)),
        Ev::C([sealed(2, SERVER, b"client"), short()].concat()),
        Ev::S(short()),
        Ev::C(short()),
    ]
}

#[test]
fn a_handshake_is_told_by_its_hellos() {
    for (version, name) in [
        (ONE, "1"),
        (Version::TWO, "2"),
        (Version(0xff00_001d), "draft-29"),
        (Version(0xff00_001b), "draft-27"),
        (Version(0xff00_0022), "draft-34"),
    ] {
        // Its port is a hint, no more.
        for port in [443, 5000] {
            let exchanges = hear_at(port, &whole(version));
            assert_eq!(told(&exchanges), ["handshake q.test TLS1.3 ok session 2ms"]);
            let exchange = &exchanges[0];
            assert_eq!((&*exchange.protocol, exchange.host.as_deref()), ("quic", Some("q.test")));
            for (key, value) in [
                ("quic.version", name),
                ("quic.dcid", "8394c8f03e515708"),
                ("quic.scid", "736572766572"),
                ("tls.client.supported_protocols", "h3"),
                ("tls.cipher", "TLS_AES_128_GCM_SHA256"),
                ("tls.established", "true"),
            ] {
                assert_eq!(attribute(exchange, key), value, "{key}");
            }
            assert!(attribute(exchange, "tls.client.ja4").starts_with("q13d0104h3_"));
            let parts = [&exchange.request, &exchange.response].map(|part| {
                part.as_ref().map(|part| part.track.frames.numbers.iter().map(|number| number.0).collect())
            });
            assert_eq!(parts, [Some(vec![1, 2, 4]), Some(vec![3])]);
        }
    }
}

#[test]
fn pieces_of_a_hello_come_in_any_order_and_from_other_ids() {
    let mut events = whole(ONE);
    events.swap(0, 1);
    assert_eq!(told(&hear(&events)), ["handshake q.test TLS1.3 ok session 2ms"]);
    events.swap(0, 1);
    let head = Head { version: ONE, kind: 0, to: b"otherone", from: b"client" };
    let rest = crypto(1000, &client_hello("q.test")[1000..]);
    events[1] = Ev::C(initial(&head, b"otherone", Sealer::Client, 1, &rest));
    assert_eq!(told(&hear(&events)), ["handshake q.test TLS1.3 ok session 2ms"]);
}

#[test]
fn a_part_of_a_hello_is_read_as_far_as_it_goes() {
    let mut events = whole(ONE);
    events.remove(1);
    assert_eq!(told(&hear(&events)), ["handshake q.test TLS1.3 ok session 1ms +malformed +gap"]);
}

#[test]
fn what_overtakes_the_hello_belongs_to_it() {
    let mut events = whole(ONE);
    events.insert(0, Ev::C(sealed(1, CLIENT, b"client")));
    let exchanges = hear(&events);
    assert_eq!(told(&exchanges), ["handshake q.test TLS1.3 ok session 3ms"]);
    // Without a hello it is nothing.
    assert!(hear(&events[..1]).is_empty());
}

#[test]
fn a_retry_changes_the_keys() {
    let [first, second] = asks(ONE, CLIENT, "q.test");
    let retry =
        [Head { version: ONE, kind: 3, to: b"client", from: b"retried" }.bytes(), vec![9; 40]].concat();
    let [again, rest] = asks(ONE, b"retried", "q.test");
    let events = [
        Ev::C(first),
        Ev::C(second),
        Ev::S(retry),
        Ev::C(again),
        Ev::C(rest),
        Ev::S(answers(ONE, b"retried")),
        Ev::C(short()),
    ];
    let exchanges = hear(&events);
    assert_eq!(told(&exchanges), ["handshake q.test TLS1.3 ok session 5ms +retry"]);
    assert_eq!(attribute(&exchanges[0], "quic.dcid"), "8394c8f03e515708");
}

#[test]
fn a_server_may_offer_other_versions() {
    let offer = [&[0x80, 0, 0, 0, 0, 6][..], b"client", &[8], CLIENT, &[0, 0, 0, 1]].concat();
    let [first, second] = asks(Version(0xff00_001d), CLIENT, "q.test");
    let refused = [Ev::C(first), Ev::C(second), Ev::S(offer)];
    let exchanges = hear(&refused);
    assert_eq!(
        told(&exchanges),
        ["handshake q.test version_negotiation client_error session 2ms +version_negotiation"]
    );
    assert_eq!(attribute(&exchanges[0], "quic.supported_versions"), "1");
    let [first, second] = asks(ONE, b"anew", "q.test");
    let goes_on = [Ev::C(first), Ev::C(second), Ev::S(answers(ONE, b"anew")), Ev::C(short())];
    let exchanges = hear(&[&refused[..], &goes_on].concat());
    assert_eq!(told(&exchanges), ["handshake q.test TLS1.3 ok session 5ms +version_negotiation"]);
    assert_eq!(attribute(&exchanges[0], "quic.version"), "1");
}

#[test]
fn either_side_may_refuse() {
    let close = |code: u16| [&[0x1c][..], &(0x4000 | code).to_be_bytes(), b"\x06\x06s3cr3t"].concat();
    let server = Head { version: ONE, kind: 0, to: b"client", from: SERVER };
    let client = Head { version: ONE, kind: 0, to: SERVER, from: b"client" };
    let [first, second] = asks(ONE, CLIENT, "q.test");
    let asked = [Ev::C(first), Ev::C(second)];
    let cases = [
        (Sealer::Server, 0x128, "handshake q.test handshake_failure server_error session 2ms"),
        (Sealer::Server, 2, "handshake q.test connection_refused server_error session 2ms"),
        (Sealer::Server, 0x3fff, "handshake q.test 0x3fff server_error session 2ms"),
    ];
    for (sealer, code, expect) in cases {
        let refusal = initial(&server, CLIENT, sealer, 0, &close(code));
        let exchanges = hear(&[&asked[..], &[Ev::S(refusal)]].concat());
        assert_eq!(told(&exchanges), [expect]);
        assert!(!texts(&exchanges).contains("s3cr3t"));
    }
    let refusal = initial(&client, CLIENT, Sealer::Client, 2, &close(0x12a));
    let events = [&asked[..], &[Ev::S(answers(ONE, CLIENT)), Ev::C(refusal)]].concat();
    assert_eq!(told(&hear(&events)), ["handshake q.test bad_certificate client_error session 2ms"]);
}

#[test]
fn silence_and_the_end_are_told() {
    let events = whole(ONE);
    assert_eq!(
        told(&hear(&[&events[..2], &[Ev::Wait(600)]].concat())),
        ["handshake q.test - no_response session +timed_out"]
    );
    assert_eq!(
        told(&hear(&[&events[..2], &[Ev::End(None, End::TimedOut)]].concat())),
        ["handshake q.test - no_response session +timed_out"]
    );
    assert_eq!(told(&hear(&events[..3])), ["handshake q.test TLS1.3 unknown session 2ms +capture_ended"]);
    let mut flow = Flow::over(Transport::Udp, Limits::default(), 443, false);
    flow.play(&events[..2], usize::MAX);
    assert!(flow.waiting());
    assert_eq!(told(&flow.open()), ["handshake q.test - open session"]);
}

#[test]
fn ports_are_used_again() {
    let again = [
        // Late packets of the first are nothing new.
        &whole(ONE)[..2],
        &asks(ONE, b"second", "other.test").map(Ev::C)[..],
        &[Ev::S(answers(ONE, b"second")), Ev::C(short())],
    ]
    .concat();
    let exchanges = hear(&[whole(ONE), again].concat());
    assert_eq!(
        told(&exchanges),
        ["handshake q.test TLS1.3 ok session 2ms", "handshake other.test TLS1.3 ok session 2ms"]
    );
}

#[test]
fn a_hello_that_is_too_long_is_not_held() {
    let limits = Limits { header_bytes: 1200, ..Limits::default() };
    let mut flow = Flow::over(Transport::Udp, limits, 443, false);
    flow.play(&whole(ONE), usize::MAX);
    let exchanges = flow.finish();
    assert_eq!(
        told(&exchanges),
        ["handshake q.test TLS1.3 ok session 2ms +oversized_message +malformed +gap"]
    );
}

#[test]
fn what_is_not_quic_is_not_claimed() {
    let mut forged = asks(ONE, CLIENT, "q.test")[0].clone();
    forged[600] ^= 1;
    for bytes in [forged, vec![0xc0; 1200], short(), sealed(2, CLIENT, SERVER), b"\x80\0\0\0\0\0\0".to_vec()]
    {
        let mut flow = Flow::over(Transport::Udp, Limits::default(), 443, false);
        flow.play(&[Ev::C(bytes)], usize::MAX);
        assert_eq!(flow.protocol(), None);
    }
}

#[test]
fn datagrams_that_are_cut_or_changed_are_survived() {
    let events = whole(ONE);
    for (index, event) in events.iter().enumerate() {
        let (Ev::C(bytes) | Ev::S(bytes)) = event else { continue };
        let same: fn(Vec<u8>) -> Ev = if matches!(event, Ev::C(_)) { Ev::C } else { Ev::S };
        for at in (0..bytes.len()).step_by(1 + bytes.len() / 30).chain(0..bytes.len().min(40)) {
            let (mut cut, mut changed) = (events.clone(), events.clone());
            cut[index] = same(bytes[..at].to_vec());
            let mut other = bytes.clone();
            other[at] = other[at].wrapping_add(0x41);
            changed[index] = same(other);
            for told in [told(&hear(&cut)), told(&hear(&changed))] {
                assert!(told.iter().all(|line| line.starts_with("handshake")), "{told:?}");
            }
        }
    }
    // Frames that nobody but the two should make.
    let head = Head { version: ONE, kind: 0, to: CLIENT, from: b"client" };
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..300 {
        let plain: Vec<u8> = (0..60)
            .map(|_| {
                state ^= state << 13;
                state ^= state >> 7;
                state ^= state << 17;
                if state.is_multiple_of(3) { (state >> 8) as u8 & 7 } else { (state >> 8) as u8 }
            })
            .collect();
        let packet = initial(&head, CLIENT, Sealer::Client, 0, &plain);
        assert_eq!(hear(&[Ev::C(packet)]).len(), 1);
    }
}
