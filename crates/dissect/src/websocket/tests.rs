//! Sessions in, exchanges out, by way of [`crate::Session`], as the pipeline does it.

use std::io::Write;

use flate2::{Compress, Compression, FlushCompress};
use wirewise_model::{Coverage, Limits, Side};

use crate::End;
use crate::conversation::{Ev, Stage, attribute, c, hides, noise, s, told};

const KEY: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

fn framed(first: u8, mask: Option<[u8; 4]>, payload: &[u8]) -> Vec<u8> {
    let flag = if mask.is_some() { 0x80 } else { 0 };
    let mut bytes = vec![first];
    match payload.len() {
        length @ ..126 => bytes.push(flag | length as u8),
        length @ ..65536 => {
            bytes.push(flag | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(flag | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(mask.unwrap_or_default().iter().take(if mask.is_some() { 4 } else { 0 }));
    let mut payload = payload.to_vec();
    super::parse::unmask(&mut payload, mask.unwrap_or_default(), 0);
    bytes.extend(payload);
    bytes
}

/// The client says.
fn ask(first: u8, payload: &[u8]) -> Ev {
    c(framed(first, Some(KEY), payload))
}

/// The server says.
fn say(first: u8, payload: &[u8]) -> Ev {
    s(framed(first, None, payload))
}

fn agreed(extensions: &str) -> Vec<Ev> {
    let offer = "GET /chat?room=1 HTTP/1.1\r\nHost: shop\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let accept = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{extensions}\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
    );
    vec![c(offer), s(accept)]
}

fn session(events: &[Ev]) -> Vec<Ev> {
    [&agreed("Sec-WebSocket-Protocol: chat\r\n"), events].concat()
}

fn stage() -> Stage {
    Stage::new(8080)
}

const HANDSHAKE: &str = "GET /chat?room=1 101 ok session";

#[test]
fn messages_are_one_way_calls_of_their_session() {
    let exchanges = stage().check(
        &session(&[ask(0x81, b"hello"), say(0x82, &[0; 300]), say(0x81, &[b'x'; 70_000])]),
        &[
            HANDSHAKE,
            "text /chat?room=1 - one_way message",
            "? binary /chat?room=1 - one_way message",
            "? text /chat?room=1 - one_way message",
        ],
    );
    let [_, text, binary, long] = &exchanges[..] else { panic!("four calls") };
    assert_eq!((&*text.protocol, text.carrier.as_deref()), ("websocket", Some("http1")));
    assert_eq!((text.host.as_deref(), text.client, binary.client), (Some("shop"), Side::A, Side::A));
    let body = text.request.as_ref().unwrap().body.as_ref().unwrap();
    assert_eq!((&body.kept[..], body.wire_bytes, body.truncated), (&b"hello"[..], 5, false));
    assert_eq!(attribute(text, "http.response.header.sec-websocket-protocol").as_deref(), Some("chat"));
    assert_eq!(attribute(binary, "websocket.opcode").as_deref(), Some("2"));
    assert_eq!(attribute(long, "websocket.payload_length").as_deref(), Some("70000"));
    let body = long.response.as_ref().unwrap().body.as_ref().unwrap();
    assert_eq!((body.kept.len(), body.wire_bytes, body.truncated), (16 << 10, 70_000, true));
}

#[test]
fn fragments_are_one_message_and_control_frames_come_between_them() {
    let exchanges = stage().check(
        &session(&[
            ask(0x01, b"one "),
            ask(0x89, b"alive?"),
            say(0x8a, b"alive?"),
            ask(0x00, b"two "),
            ask(0x80, b"three"),
        ]),
        &[HANDSHAKE, "ping /chat?room=1 - ok probe", "text /chat?room=1 - one_way message"],
    );
    let message = &exchanges[2];
    assert_eq!(attribute(message, "websocket.frames").as_deref(), Some("3"));
    let request = message.request.as_ref().unwrap();
    assert_eq!(request.body.as_ref().unwrap().kept, b"one two three");
    assert_eq!(request.track.frames.numbers.iter().map(|number| number.0).collect::<Vec<_>>(), [3, 6, 7]);
    assert_eq!(exchanges[1].took().unwrap().as_millis(), 1);
}

#[test]
fn whoever_pings_is_the_client_of_that_call() {
    let exchanges = stage().check(
        &session(&[
            say(0x89, b"a"),
            say(0x89, b"b"),
            ask(0x8a, b"b"),
            ask(0x8a, b"unasked"),
            say(0x89, b"never"),
        ]),
        &[
            HANDSHAKE,
            "? ping /chat?room=1 - one_way message",
            "ping /chat?room=1 - ok probe",
            "pong /chat?room=1 - one_way message",
            "ping /chat?room=1 - unknown probe +capture_ended",
        ],
    );
    assert_eq!((exchanges[2].client, exchanges[3].client), (Side::B, Side::A));
    let silent = session(&[ask(0x89, b"alive?"), Ev::Wait(301)]);
    stage().check(&silent, &[HANDSHAKE, "ping /chat?room=1 - no_response probe +timed_out"]);
}

#[test]
fn close_codes_say_whose_fault_it_was() {
    let closed = |by: fn(u8, &[u8]) -> Ev, payload: &[u8], expect: &str| {
        stage().check(&session(&[by(0x88, payload)]), &[HANDSHAKE, expect]);
    };
    closed(ask, b"\x03\xe8bye", "close /chat?room=1 1000 one_way message");
    closed(say, b"\x03\xf3", "? close /chat?room=1 1011 server_error message (internal error)");
    closed(
        say,
        b"\x03\xf1too long",
        "? close /chat?room=1 1009 client_error message (message too big: too long)",
    );
    closed(ask, b"\x03\xea", "close /chat?room=1 1002 server_error message (protocol error)");
    closed(say, b"", "? close /chat?room=1 - one_way message");
    closed(say, b"\x0f\xa0app", "? close /chat?room=1 4000 one_way message");
    closed(say, &[0x0f; 200], "? close /chat?room=1 3855 one_way message +oversized_control");
    closed(ask, b"\x03", "close /chat?room=1 - one_way message");
}

/// Messages as one sender compresses them, each with the window of those before.
fn deflated(messages: &[&[u8]]) -> Vec<Vec<u8>> {
    let mut compress = Compress::new(Compression::best(), false);
    let coded = |message: &&[u8]| {
        let mut out = Vec::with_capacity(message.len() + 1024);
        compress.compress_vec(message, &mut out, FlushCompress::Sync).unwrap();
        out.truncate(out.len() - 4);
        out
    };
    messages.iter().map(coded).collect()
}

#[test]
fn compressed_messages_are_expanded_with_the_window_of_those_before() {
    let sent = deflated(&[b"hello hello hello", b"hello hello hello again"]);
    let deflate = "Sec-WebSocket-Extensions: permessage-deflate; server_no_context_takeover\r\n";
    let (one, two) = sent[1].split_at(3);
    let events =
        [&agreed(deflate)[..], &[ask(0xc1, &sent[0]), ask(0x41, one), ask(0x80, two), say(0xc1, &sent[0])]]
            .concat();
    let exchanges = stage().check(
        &events,
        &[
            HANDSHAKE,
            "text /chat?room=1 - one_way message",
            "text /chat?room=1 - one_way message",
            "? text /chat?room=1 - one_way message",
        ],
    );
    let kept = |at: usize| exchanges[at].first().unwrap().body.as_ref().unwrap().kept.clone();
    assert_eq!(kept(2), b"hello hello hello again");
    assert_eq!(kept(3), b"hello hello hello");
    assert_eq!(attribute(&exchanges[1], "websocket.compressed").as_deref(), Some("true"));
    // Nothing was agreed on, or what the window held was lost: nothing is guessed.
    let told = told(&stage().play(&session(&[ask(0xc1, &sent[0])])));
    assert_eq!(told[1], "text /chat?room=1 - one_way message +undecodable");
    let first = framed(0xc1, Some(KEY), &sent[0]);
    let lost = [
        &agreed(deflate)[..],
        &[c(&first[..8]), Ev::Lost(Side::A, (first.len() - 8) as u64), ask(0xc1, &sent[1])],
    ]
    .concat();
    let exchanges = stage().play(&lost);
    assert_eq!(exchanges[1].coverage, Coverage::Partial);
    assert!(exchanges[2].notes.iter().any(|note| note.0 == "undecodable"), "{exchanges:?}");
}

#[test]
fn a_bomb_is_expanded_no_further_than_its_bound() {
    let sent = deflated(&[&vec![b'a'; 8 << 20], b"after"]);
    let deflate = "Sec-WebSocket-Extensions: permessage-deflate\r\n";
    let events = [&agreed(deflate)[..], &[ask(0xc1, &sent[0]), ask(0xc1, &sent[1])]].concat();
    let exchanges = stage().check_as_sent(
        &events,
        &[
            HANDSHAKE,
            "text /chat?room=1 - one_way message +decompression_limit",
            "text /chat?room=1 - one_way message +undecodable",
        ],
    );
    let body = exchanges[1].request.as_ref().unwrap().body.as_ref().unwrap();
    assert!(body.truncated && body.kept.len() <= 16 << 10);
    assert!(body.decoded_bytes <= (Limits::default().decompressed_bytes + 4096) as u64);
}

#[test]
fn a_gap_in_a_payload_costs_that_message_alone() {
    let long = framed(0x81, None, &[b'x'; 1000]);
    let exchanges = stage().check(
        &session(&[s(&long[..200]), Ev::Lost(Side::B, 500), s(&long[700..]), say(0x81, b"next")]),
        &[HANDSHAKE, "? text /chat?room=1 - one_way message +gap", "? text /chat?room=1 - one_way message"],
    );
    assert_eq!(attribute(&exchanges[1], "websocket.payload_length").as_deref(), Some("1000"));
    assert!(exchanges[1].response.as_ref().unwrap().body.as_ref().unwrap().truncated);
}

#[test]
fn finds_its_feet_at_a_segment_of_whole_frames() {
    stage().check_as_sent(
        &session(&[
            say(0x01, b"begun"),
            Ev::Lost(Side::B, 5000),
            s([0x33; 90]),
            say(0x81, b"in step"),
            ask(0x81, b"never lost"),
        ]),
        &[
            HANDSHAKE,
            "? text /chat?room=1 - aborted message +gap",
            "? text /chat?room=1 - one_way message",
            "text /chat?room=1 - one_way message",
        ],
    );
}

#[test]
fn a_session_that_is_entered_in_the_middle_is_known_by_a_masked_text() {
    let stage = stage().mid_stream();
    stage.check_as_sent(
        &[ask(0x01, b"{\"id\":1"), ask(0x80, b"}"), say(0x81, b"known")],
        &["text - one_way message", "? text - one_way message"],
    );
    let long = [ask(0x82, &[0xfe; 200]), say(0x81, b"known")];
    stage.check_as_sent(&long, &["binary - one_way message", "? text - one_way message"]);
    for other in
        [&b"\x81\x85\x00\x00\x00\x00\xff\xfe\xfd\xfc\xfb"[..], b"\x81\x85abcd", b"\x81\x05hello", &[0; 40]]
    {
        assert_eq!(told(&stage.play(&[c(other)])), Vec::<String>::new());
    }
}

#[test]
fn what_is_cut_off_is_told_as_far_as_it_came() {
    let begun = session(&[ask(0x01, b"half")]);
    let with = |more: &[Ev]| [&begun[..], more].concat();
    let cut = "text /chat?room=1 - aborted message";
    stage().check(&with(&[Ev::End(None, End::Fin)]), &[HANDSHAKE, cut]);
    stage().check(
        &with(&[Ev::End(None, End::Reset)]),
        &[HANDSHAKE, "text /chat?room=1 - aborted message +reset"],
    );
    stage().check(&begun, &[HANDSHAKE, "text /chat?room=1 - unknown message +capture_ended"]);
    // 5.4: another message must not begin before it is over.
    stage().check(&with(&[ask(0x81, b"new")]), &[HANDSHAKE, cut, "text /chat?room=1 - one_way message"]);
}

#[test]
fn secrets_in_messages_stay_in_bodies_that_nobody_keeps() {
    let events =
        session(&[ask(0x81, br#"{"password":"hunter2x"}"#), say(0x89, b"hunter2x"), ask(0x8a, b"hunter2x")]);
    let mut exchanges = stage().play(&events);
    for exchange in &mut exchanges {
        for message in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
            // Without a content type `redact` keeps no body.
            if exchange.protocol == "websocket" {
                assert!(message.headers.is_empty());
            }
            message.body = None;
        }
    }
    hides(&exchanges, &["hunter2x"]);
}

#[test]
fn hostile_bytes_are_survived() {
    let mut gzip = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(b"hello").unwrap();
    let coded = gzip.finish().unwrap();
    let deflate = agreed("Sec-WebSocket-Extensions: permessage-deflate\r\n");
    let talk = [
        &deflate[..],
        &[
            ask(0x01, b"one"),
            ask(0x80, b"two"),
            ask(0xc1, &coded),
            say(0x89, b"p"),
            ask(0x8a, b"p"),
            say(0x88, b"\x03\xe8"),
        ],
    ]
    .concat();
    let most = talk.len();
    stage().harass(&talk, |exchanges| assert!(exchanges.len() <= 2 * most, "{exchanges:?}"));
    noise(&stage(), &[agreed(""), deflate]);
}
