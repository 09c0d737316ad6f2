//! Connections that are entered in the middle, and detection.

use wirewise_model::{Coverage, Limits};

use super::super::fields::UNKNOWN;
use super::super::parse::{flag, kind};
use super::talk::{
    Ev, Flow, begun, block, c, check_entered, data, frame, get, headers, kept, ok, preface, s, settings, told,
};

#[test]
fn what_the_table_hides_is_unknown_and_never_guessed() {
    // POST, http, a path from before, a new one, and a name from before with a value of its own.
    let first = [&[0x83, 0x86, 0xc5][..], &kept(&[("x-new", "1")]), &[0x7f, 9, 3][..], b"abc"].concat();
    let second = [0x82, 0x86, 0xbf, 0xbe, 0xc0];
    let answer = [0x88, 0xc1];
    let exchanges = check_entered(
        &[
            c(&[headers(101, true, &first)]),
            s(&[headers(101, true, &answer)]),
            c(&[headers(103, true, &second)]),
            s(&[headers(103, true, &answer)]),
        ],
        &["POST {unknown} 200 ok +hpack_unknown", "GET {unknown} 200 ok +hpack_unknown"],
    );
    let request = exchanges[0].request.as_ref().unwrap();
    // Under a name that is not known even a known value is not kept: it may be a secret.
    let unknown = (UNKNOWN.to_owned(), UNKNOWN.to_owned());
    assert_eq!(request.headers, [unknown.clone(), ("x-new".into(), "1".into()), unknown.clone()]);
    let request = exchanges[1].request.as_ref().unwrap();
    assert_eq!(request.headers, [("x-new".into(), "1".into()), unknown.clone(), unknown]);
    assert_eq!(exchanges[0].coverage, Coverage::Whole);
}

#[test]
fn the_static_table_reads_always() {
    check_entered(
        &[c(&[headers(7, true, &[0x82, 0x87, 0x84])]), s(&[headers(7, true, &[0x8d])])],
        &["GET / 404 client_error"],
    );
}

#[test]
fn a_response_to_what_was_not_heard_goes_out_alone() {
    check_entered(
        &[
            s(&[headers(9, false, &[0x88]), data(9, true, b"x")]),
            c(&[headers(11, true, &[0x82, 0x84])]),
            s(&[ok(11, "")]),
        ],
        &["GET / 200 ok", "? 200 ok +mid_stream"],
    );
    // Bodies and trailers without a head are no call.
    check_entered(
        &[
            s(&[data(5, false, b"x"), headers(5, true, &block(&[("grpc-status", "0")]))]),
            c(&[headers(11, true, &[0x82, 0x84])]),
            s(&[ok(11, "")]),
        ],
        &["GET / 200 ok"],
    );
}

#[test]
fn whoever_asks_is_told_by_header_blocks() {
    // From the higher port and from the lower; frames that tell nothing first.
    let window = frame(kind::WINDOW_UPDATE, 0, 0, &[0, 0, 1, 0]);
    check_entered(
        &[
            s(std::slice::from_ref(&window)),
            s(&[headers(5, true, &[0x82, 0x84])]),
            c(&[window]),
            c(&[headers(5, true, &[0x88])]),
        ],
        &["GET / 200 ok"],
    );
}

#[test]
fn a_segment_that_begins_inside_a_frame_is_passed_over() {
    let mut flow = Flow::new(Limits::default(), true);
    flow.play(
        &[
            Ev::S(vec![b'x'; 700]),
            c(&[headers(3, true, &[0x82, 0x84])]),
            Ev::S(vec![0; 600]),
            s(&[ok(3, "body")]),
        ],
        None,
    );
    assert_eq!(flow.dropped("out_of_step") + flow.dropped("unknown_protocol"), 1300);
    assert_eq!(told(&flow.finish()), ["GET / 200 ok"]);
}

#[test]
fn detection_goes_by_bytes() {
    let protocol = |events: &[Ev], mid_stream: bool| {
        let mut flow = Flow::new(Limits::default(), mid_stream);
        flow.play(events, None);
        flow.protocol()
    };
    let http2 = Some("http2");
    assert_eq!(protocol(&[c(&[preface()])], false), http2);
    assert_eq!(protocol(&[Ev::C(preface()[..9].to_vec()), Ev::C(preface()[9..].to_vec())], false), http2);
    assert_eq!(protocol(&[s(&[settings(&[(3, 100), (4, 65535)])])], false), http2);
    assert_eq!(protocol(&[c(&[frame(kind::PING, flag::ACK, 0, &[7; 8])])], true), http2);
    assert_eq!(protocol(&[c(&[data(1, false, b"one"), data(1, true, b"two")])], true), http2);
    assert_eq!(protocol(&[c(&[get(5, "/")])], true), http2);
    // What is frames in form only, or by accident, or of another protocol.
    assert_eq!(protocol(&[Ev::C(vec![0; 900])], true), None);
    assert_eq!(protocol(&[Ev::C(vec![0xff; 900])], true), None);
    assert_eq!(protocol(&[c(&[data(1, false, &[0; 100])])], true), None);
    assert_eq!(protocol(&[Ev::C(b"POST / HTTP/1.1\r\n".to_vec())], false), Some("http1"));
    assert_eq!(protocol(&[c(&[settings(&[(3, 100)])])], false), None);
    assert_eq!(protocol(&begun(&[]), false), http2);
}
