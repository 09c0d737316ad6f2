//! Calls as HTTP/2 brings them: names, trailers, counts, shapes, and what is not kept.

use std::io::Write;

use wirewise_model::Exchange;

use crate::http2::tests::talk::{Ev, attribute, begun, block, c, check, data, headers, hear, reset, s, told};

fn asks(path: &str, more: &[(&str, &str)]) -> Vec<u8> {
    let mut fields = vec![
        (":method", "POST"),
        (":scheme", "http"),
        (":path", path),
        (":authority", "cart:50051"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
    ];
    fields.extend_from_slice(more);
    block(&fields)
}

fn message(flag: u8, bytes: &[u8]) -> Vec<u8> {
    [&[flag][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

fn begins() -> Vec<u8> {
    block(&[(":status", "200"), ("content-type", "application/grpc")])
}

fn ends(status: &str, words: &str) -> Vec<u8> {
    block(&[("grpc-status", status), ("grpc-message", words)])
}

fn unary(status: &str, words: &str) -> Vec<Ev> {
    begun(&[
        c(&[headers(1, false, &asks("/shop.Cart/Add", &[("grpc-timeout", "100m")]))]),
        c(&[data(1, true, &message(0, b"\x0a\x06secret\x10\x02"))]),
        s(&[headers(1, false, &begins()), data(1, false, &message(0, b"\x08\x01"))]),
        s(&[headers(1, true, &ends(status, words))]),
    ])
}

#[track_caller]
fn attributes(exchange: &Exchange, expect: &[(&str, Option<&str>)]) {
    for (name, value) in expect {
        assert_eq!(attribute(exchange, name).as_deref(), *value, "{name}");
    }
}

#[test]
fn a_call_has_service_method_and_status() {
    let exchanges = check(&unary("0", ""), &["Add /shop.Cart/Add 0 ok"]);
    let exchange = &exchanges[0];
    assert_eq!((&*exchange.protocol, exchange.carrier.as_deref()), ("grpc", Some("http2")));
    assert_eq!(exchange.endpoint.as_deref(), Some("/shop.Cart/Add"));
    attributes(
        exchange,
        &[
            ("rpc.system", Some("grpc")),
            ("rpc.service", Some("shop.Cart")),
            ("rpc.method", Some("Add")),
            ("rpc.grpc.status_code", Some("0")),
            ("http.response.status_code", Some("200")),
            ("grpc.request.messages", Some("1")),
            ("grpc.response.messages", Some("1")),
            ("grpc.request.compressed_messages", None),
            ("grpc.request.fields", Some("1:len 6, 2:varint")),
            ("grpc.response.fields", Some("1:varint")),
            ("grpc.timeout_ms", Some("100")),
        ],
    );
}

#[test]
fn no_value_of_a_message_is_kept() {
    for exchange in hear(&unary("0", "")) {
        for message in [&exchange.request, &exchange.response].into_iter().flatten() {
            assert_eq!(message.body.as_ref().map(|body| body.kept.len()), Some(0));
        }
        let texts = exchange.attributes.iter().map(|attribute| attribute.value.to_string());
        assert!(texts.into_iter().all(|text| !text.contains("secret")));
    }
}

#[test]
fn a_status_that_is_no_success_is_an_error_with_its_words() {
    check(&unary("5", "no%20such item"), &["Add /shop.Cart/Add 5 client_error (no such item)"]);
    check(&unary("14", ""), &["Add /shop.Cart/Add 14 server_error (UNAVAILABLE)"]);
    check(&unary("77", "100%zz"), &["Add /shop.Cart/Add 77 server_error (100%zz)"]);
    // A lone header block in the place of trailers.
    let only = block(&[(":status", "200"), ("content-type", "application/grpc"), ("grpc-status", "12")]);
    check(
        &begun(&[c(&[headers(1, true, &asks("/a.B/C", &[]))]), s(&[headers(1, true, &only)])]),
        &["C /a.B/C 12 server_error (UNIMPLEMENTED)"],
    );
}

#[test]
fn an_answer_without_a_status_is_the_servers_fault_and_a_proxys_status_speaks() {
    let bare = [headers(1, false, &begins()), data(1, true, &message(0, b""))];
    check(
        &begun(&[c(&[headers(1, true, &asks("/a.B/C", &[]))]), s(&bare)]),
        &["C /a.B/C - server_error +no_grpc_status"],
    );
    let proxy = block(&[(":status", "503"), ("content-type", "text/plain")]);
    check(
        &begun(&[c(&[headers(1, true, &asks("/a.B/C", &[]))]), s(&[headers(1, true, &proxy)])]),
        &["C /a.B/C 503 server_error"],
    );
}

#[test]
fn many_messages_are_a_stream_and_are_counted_over_frames() {
    let three = [message(0, b"\x08\x01"), message(0, b""), message(0, b"\x08\x02")].concat();
    let (one, rest) = three.split_at(3);
    let exchanges = check(
        &begun(&[
            c(&[headers(1, true, &asks("/a.B/Watch", &[]))]),
            s(&[headers(1, false, &begins()), data(1, false, one)]),
            s(&[data(1, false, rest), headers(1, true, &ends("0", ""))]),
        ]),
        &["Watch /a.B/Watch 0 ok stream"],
    );
    attributes(&exchanges[0], &[("grpc.response.messages", Some("3")), ("grpc.request.messages", Some("0"))]);
}

#[test]
fn compressed_messages_are_counted_and_expanded_for_their_shape() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    gzip.write_all(b"\x0a\x06secret").unwrap();
    let coded = gzip.finish().unwrap();
    let exchanges = hear(&begun(&[
        c(&[
            headers(1, false, &asks("/a.B/C", &[("grpc-encoding", "gzip")])),
            data(1, true, &message(1, &coded)),
        ]),
        s(&[headers(1, false, &begins()), headers(1, true, &ends("0", ""))]),
    ]));
    attributes(
        &exchanges[0],
        &[("grpc.request.compressed_messages", Some("1")), ("grpc.request.fields", Some("1:len 6"))],
    );
}

#[test]
fn health_checks_are_probes_and_cancelled_calls_are_aborted() {
    let exchanges = hear(&begun(&[
        c(&[
            headers(1, true, &asks("/grpc.health.v1.Health/Check", &[])),
            headers(3, true, &asks("/a.B/C", &[])),
        ]),
        s(&[headers(1, false, &begins()), headers(1, true, &ends("0", ""))]),
        c(&[reset(3, 8)]),
        Ev::Wait(2),
    ]));
    assert_eq!(
        told(&exchanges),
        [
            "Check /grpc.health.v1.Health/Check 0 ok probe",
            "C /a.B/C - aborted (RST_STREAM CANCEL by client) +reset"
        ]
    );
}

#[test]
fn what_is_not_grpc_stays_http2() {
    let ask = block(&[(":method", "POST"), (":path", "/a.B/C"), ("content-type", "application/grpcx")]);
    let exchanges =
        hear(&begun(&[c(&[headers(1, true, &ask)]), s(&[headers(1, true, &block(&[(":status", "200")]))])]));
    assert_eq!(told(&exchanges), ["POST /a.B/C 200 ok"]);
    assert_eq!(exchanges[0].protocol, "http2");
}
