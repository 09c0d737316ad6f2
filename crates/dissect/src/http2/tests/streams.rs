//! Streams as they should be: many at once, bodies, trailers, pushes, resets, upgrades, tunnels.

use std::io::Write;

use wirewise_model::{Coverage, Limits, Outcome, Side};

use super::super::parse::{flag, kind};
use super::talk::{
    Ev, Flow, asks, attribute, begun, block, c, check, data, frame, get, headers, hear, kept, ok, preface,
    reset, s, settings, told,
};
use crate::End;

#[test]
fn tells_a_request_with_its_response() {
    let ask = block(&[
        (":method", "POST"),
        (":scheme", "https"),
        (":path", "/orders?x=1"),
        (":authority", "user:secret@shop"),
        ("user-agent", "curl/8"),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("content-type", "application/json"),
    ]);
    let answer = block(&[(":status", "404"), ("content-type", "application/json")]);
    let exchanges = check(
        &begun(&[
            c(&[headers(1, false, &ask), data(1, true, b"{}")]),
            s(&[headers(1, false, &answer)]),
            s(&[data(1, true, br#"{"message":"no such order"}"#)]),
        ]),
        &["POST /orders?x=1 404 client_error (no such order)"],
    );
    let exchange = &exchanges[0];
    // Whoever writes a password into the authority does not find it again.
    assert_eq!(exchange.host.as_deref(), Some("shop"));
    assert_eq!(exchange.trace.as_ref().map(|(trace, _)| trace.len()), Some(32));
    assert_eq!(attribute(exchange, "user_agent.original").as_deref(), Some("curl/8"));
    assert_eq!(attribute(exchange, "url.scheme").as_deref(), Some("https"));
    assert_eq!(attribute(exchange, "network.protocol.version").as_deref(), Some("2"));
    assert_eq!(attribute(exchange, "http2.streamid").as_deref(), Some("1"));
    assert_eq!(attribute(exchange, "http.request.body.size").as_deref(), Some("2"));
    let (request, response) = (exchange.request.as_ref().unwrap(), exchange.response.as_ref().unwrap());
    assert!(request.headers.iter().all(|(name, _)| !name.starts_with(':')));
    let packets = |track: &wirewise_model::Track| {
        track.frames.numbers.iter().map(|number| number.0).collect::<Vec<_>>()
    };
    assert_eq!((packets(&request.track), packets(&response.track)), (vec![3], vec![4, 5]));
    assert_eq!(request.track.bytes as usize, 9 + ask.len() + 9 + 2);
    assert_eq!(exchange.took().unwrap().as_millis(), 2);
    assert_eq!(exchange.time_to_first_byte().unwrap().as_millis(), 1);
    assert!(exchange.complete);
}

#[test]
fn pairs_streams_that_are_interleaved() {
    let both =
        [headers(1, false, &block(&[(":status", "200")])), headers(3, false, &block(&[(":status", "503")]))];
    let exchanges = check(
        &begun(&[
            c(&[get(1, "/a"), get(3, "/b"), get(5, "/c")]),
            s(&[both.concat(), data(3, false, b"b1")]),
            s(&[ok(5, "ccc"), data(1, false, b"a1"), data(3, true, b"b2")]),
            s(&[data(1, true, b"a2")]),
        ]),
        &["GET /c 200 ok", "GET /b 503 server_error", "GET /a 200 ok"],
    );
    let body = |at: usize| exchanges[at].response.as_ref().unwrap().body.as_ref().unwrap().kept.clone();
    assert_eq!((body(0), body(1), body(2)), (b"ccc".to_vec(), b"b1b2".to_vec(), b"a1a2".to_vec()));
}

#[test]
fn tables_carry_fields_from_block_to_block() {
    let first = [&[0x82, 0x86][..], &kept(&[(":path", "/a"), ("x-trace", "abc")])].concat();
    let second = [0x83, 0x86, 0xbf, 0xbe];
    let exchanges = check(
        &begun(&[c(&[headers(1, true, &first), headers(3, true, &second)]), s(&[ok(1, ""), ok(3, "")])]),
        &["GET /a 200 ok", "POST /a 200 ok"],
    );
    assert_eq!(exchanges[1].request.as_ref().unwrap().header("x-trace"), Some("abc"));
}

#[test]
fn blocks_go_on_in_continuations_and_padding_is_no_content() {
    let ask = asks("POST", "/padded");
    let (one, rest) = ask.split_at(5);
    let (two, three) = rest.split_at(7);
    let padded = [&[4, 0x80, 0, 0, 7, 200][..], one, &[0; 4]].concat();
    let body = [&[3][..], b"body", &[0; 3]].concat();
    let exchanges = check(
        &begun(&[
            c(&[
                frame(kind::HEADERS, flag::PADDED | flag::PRIORITY, 1, &padded),
                frame(kind::CONTINUATION, 0, 1, two),
            ]),
            c(&[
                frame(kind::CONTINUATION, flag::END_HEADERS, 1, three),
                frame(kind::DATA, flag::PADDED | flag::END_STREAM, 1, &body),
            ]),
            s(&[ok(1, "")]),
        ]),
        &["POST /padded 200 ok"],
    );
    let request = exchanges[0].request.as_ref().unwrap();
    assert_eq!(request.body.as_ref().unwrap().kept, b"body");
    assert_eq!(request.track.frames.numbers.len(), 2);
}

#[test]
fn trailers_and_interim_responses_are_told_with_their_exchange() {
    let exchanges = check(
        &begun(&[
            c(&[headers(1, false, &asks("POST", "/")), data(1, false, b"x")]),
            c(&[headers(1, true, &block(&[("x-sum", "1")]))]),
            s(&[
                headers(1, false, &block(&[(":status", "103")])),
                headers(1, false, &block(&[(":status", "200")])),
            ]),
            s(&[data(1, false, b"y"), headers(1, true, &block(&[("x-took", "5")]))]),
        ]),
        &["POST / 200 ok"],
    );
    let exchange = &exchanges[0];
    assert_eq!(exchange.request.as_ref().unwrap().header("x-sum"), Some("1"));
    assert_eq!(exchange.response.as_ref().unwrap().header("x-took"), Some("5"));
    assert_eq!(attribute(exchange, "http.response.interim_status").as_deref(), Some("103"));
}

#[test]
fn pushed_responses_are_calls_of_their_own() {
    let promise = [&2_u32.to_be_bytes()[..], &asks("GET", "/style.css")].concat();
    check(
        &begun(&[
            c(&[get(1, "/")]),
            s(&[frame(kind::PUSH_PROMISE, flag::END_HEADERS, 1, &promise), ok(1, "html"), ok(2, "css")]),
        ]),
        &["GET / 200 ok", "GET /style.css 200 ok +pushed"],
    );
}

#[test]
fn a_reset_stream_is_aborted_and_its_answer_may_still_come() {
    let events = begun(&[
        c(&[get(1, "/late"), get(3, "/never"), get(5, "/refused")]),
        s(&[reset(5, 7)]),
        c(&[reset(1, 8), reset(3, 8)]),
        s(&[ok(1, "too late")]),
        Ev::Wait(2),
        c(&[get(7, "/next")]),
        s(&[ok(3, "far too late"), ok(7, "")]),
    ]);
    let exchanges = check(
        &events,
        &[
            "GET /refused - aborted (RST_STREAM REFUSED_STREAM by server) +reset",
            "GET /late 200 aborted (RST_STREAM CANCEL by client) +reset",
            "GET /never - aborted (RST_STREAM CANCEL by client) +reset",
            "GET /next 200 ok",
        ],
    );
    assert_eq!(attribute(&exchanges[0], "http2.rst_stream.error").as_deref(), Some("7"));
}

#[test]
fn a_server_may_answer_early_and_ask_to_be_spared_the_rest() {
    check(
        &begun(&[
            c(&[headers(1, false, &asks("POST", "/big")), data(1, false, b"some")]),
            s(&[headers(1, true, &block(&[(":status", "413")])), reset(1, 0)]),
            c(&[data(1, false, b"more")]),
        ]),
        &["POST /big 413 client_error"],
    );
}

#[test]
fn streams_past_the_last_of_a_goaway_are_aborted() {
    let goaway = [&1_u32.to_be_bytes()[..], &11_u32.to_be_bytes(), b"too_many_pings"].concat();
    check(
        &begun(&[
            c(&[get(1, "/a"), get(3, "/b")]),
            s(&[frame(kind::GOAWAY, 0, 0, &goaway)]),
            Ev::End(Some(Side::B), End::Fin),
        ]),
        &[
            "GET /b - aborted (GOAWAY ENHANCE_YOUR_CALM: too_many_pings) +goaway",
            "GET /a - no_response (GOAWAY ENHANCE_YOUR_CALM: too_many_pings) +goaway",
        ],
    );
    let orderly = [&0x7fff_ffff_u32.to_be_bytes()[..], &0_u32.to_be_bytes()].concat();
    check(
        &begun(&[c(&[get(1, "/a")]), s(&[frame(kind::GOAWAY, 0, 0, &orderly), ok(1, "")])]),
        &["GET /a 200 ok"],
    );
}

#[test]
fn an_upgraded_request_is_stream_one() {
    let upgrade =
        b"GET /a?b HTTP/1.1\r\nHost: shop\r\nUser-Agent: x\r\nConnection: Upgrade, HTTP2-Settings\r\n\
                    Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n";
    let agreed = b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
    let exchanges = check(
        &[
            Ev::C(upgrade.to_vec()),
            s(&[agreed.to_vec(), settings(&[]), ok(1, "hi")]),
            c(&[preface(), get(3, "/next")]),
            s(&[ok(3, "there")]),
        ],
        &["GET /a?b 101 ok session", "GET /a?b 200 ok +h2c_upgrade", "GET /next 200 ok"],
    );
    assert_eq!((&*exchanges[0].protocol, &*exchanges[1].protocol), ("http1", "http2"));
    assert_eq!(exchanges[1].host.as_deref(), Some("shop"));
    assert_eq!(exchanges[1].request.as_ref().unwrap().track.frames.numbers[0].0, 1);
    assert_eq!(exchanges[1].took().unwrap().as_millis(), 1);
}

#[test]
fn tunnels_are_sessions() {
    let connect = block(&[(":method", "CONNECT"), (":authority", "db:5432")]);
    let websocket = block(&[
        (":method", "CONNECT"),
        (":protocol", "websocket"),
        (":scheme", "https"),
        (":path", "/chat"),
        (":authority", "shop"),
    ]);
    let agreed = |stream| headers(stream, false, &block(&[(":status", "200")]));
    let exchanges = check(
        &begun(&[
            c(&[headers(1, false, &connect), headers(3, false, &websocket)]),
            s(&[agreed(1), agreed(3)]),
            c(&[data(1, true, b"startup"), data(3, true, b"\x81\x80mask")]),
            s(&[data(1, true, b"auth"), data(3, true, b"\x88\x00")]),
        ]),
        &["CONNECT db:5432 200 ok session", "CONNECT /chat 200 ok session"],
    );
    assert_eq!(attribute(&exchanges[1], "http2.headers.protocol").as_deref(), Some("websocket"));
}

#[test]
fn content_is_decoded() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(&[b'z'; 5000]).unwrap();
    let coded = gzip.finish().unwrap();
    let answer = block(&[(":status", "200"), ("content-encoding", "gzip")]);
    let exchanges = check(
        &begun(&[c(&[get(1, "/")]), s(&[headers(1, false, &answer), data(1, true, &coded)])]),
        &["GET / 200 ok"],
    );
    let body = exchanges[0].response.as_ref().unwrap().body.as_ref().unwrap();
    assert_eq!((body.kept.len(), body.wire_bytes as usize, body.decoded_bytes), (5000, coded.len(), 5000));
}

#[test]
fn what_is_odd_is_noted() {
    let odd = block(&[(":method", "GET"), ("X-Upper", "1"), (":path", "/"), ("connection", "close")]);
    let short = block(&[(":status", "200"), ("content-length", "10")]);
    check(
        &begun(&[
            c(&[headers(1, true, &odd), headers(3, true, &asks("HEAD", "/head"))]),
            s(&[headers(1, false, &short), data(1, true, b"12345"), headers(3, true, &short)]),
        ]),
        &["GET / 200 ok +malformed_header +content_length_mismatch", "HEAD /head 200 ok"],
    );
    // A table larger than allowed, and a block that is none.
    let oversized = [&[0x3f, 0xe1, 0xff, 0x03][..], &asks("GET", "/")].concat();
    let broken = [&asks("GET", "/cut")[..], &[0x40, 5]].concat();
    check(
        &begun(&[c(&[headers(1, true, &oversized), headers(3, true, &broken)]), s(&[ok(1, ""), ok(3, "")])]),
        &["GET / 200 ok +hpack_table_oversized", "GET /cut 200 ok +hpack_error"],
    );
}

#[test]
fn requests_without_an_answer_are_told_as_the_end_says() {
    let ask = begun(&[c(&[get(1, "/")])]);
    let with = |more: &[Ev]| [&ask[..], more].concat();
    check(&with(&[Ev::End(Some(Side::B), End::Fin)]), &["GET / - no_response"]);
    check(&with(&[Ev::End(None, End::Reset)]), &["GET / - no_response +reset"]);
    check(&with(&[]), &["GET / - unknown +capture_ended"]);
    check(&with(&[Ev::Wait(6)]), &["GET / - no_response +capture_ended"]);
    check(&with(&[Ev::Wait(301)]), &["GET / - no_response +timed_out"]);
    check(
        &with(&[Ev::Wait(301), s(&[ok(1, "")])]),
        &["GET / - no_response +timed_out", "GET / 200 ok again +late"],
    );
    check(&with(&[Ev::Wait(301), Ev::Wait(1300), s(&[ok(1, "")])]), &["GET / - no_response +timed_out"]);
    let half = s(&[headers(1, false, &block(&[(":status", "200")])), data(1, false, b"par")]);
    check(&with(&[half.clone(), Ev::End(None, End::Fin)]), &["GET / 200 aborted"]);
    let exchanges = hear(&with(&[half]));
    assert!(exchanges[0].response.as_ref().unwrap().body.as_ref().unwrap().truncated);
    assert_eq!((exchanges[0].complete, exchanges[0].coverage), (false, Coverage::Whole));
}

#[test]
fn what_is_under_way_is_open() {
    let mut flow = Flow::new(Limits::default(), false);
    flow.play(&begun(&[c(&[get(1, "/a"), get(3, "/b")]), s(&[ok(1, "")])]), None);
    assert_eq!(told(&flow.open()), ["GET /b - open"]);
    assert!(flow.is_waiting());
    flow.play(&[s(&[ok(3, "")])], None);
    assert!(!flow.is_waiting());
    assert_eq!(flow.finish().iter().map(|exchange| exchange.outcome).collect::<Vec<_>>(), [Outcome::Ok; 2]);
}

#[test]
fn a_response_that_is_heard_before_its_request_waits_for_it() {
    // The client's side waits for a hole to be filled; what fills it is told afterwards.
    check(
        &[
            c(&[preface()]),
            s(&[settings(&[]), ok(1, "a")]),
            c(&[get(1, "/a")]),
            s(&[ok(3, "b")]),
            Ev::Wait(6),
        ],
        &["GET /a 200 ok", "? 200 ok +mid_stream"],
    );
}
