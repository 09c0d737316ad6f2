//! Bytes that were lost: what they cost, and what they do not.

use wirewise_model::{Coverage, Limits, Side};

use super::super::parse::{flag, kind};
use super::talk::{Ev, Flow, asks, begun, block, c, data, frame, get, headers, hear, ok, s, told};

#[test]
fn a_hole_in_a_body_costs_its_content_alone() {
    let whole =
        [headers(1, false, &block(&[(":status", "200")])), data(1, true, &[b'x'; 900]), ok(3, "next")]
            .concat();
    let from = whole.len() - 700;
    let exchanges = hear(&begun(&[
        c(&[get(1, "/holed"), get(3, "/next")]),
        Ev::S(whole[..from].to_vec()),
        Ev::Lost(Side::B, 300),
        Ev::S(whole[from + 300..].to_vec()),
    ]));
    assert_eq!(told(&exchanges), ["GET /holed 200 ok +gap", "GET /next 200 ok"]);
    let body = exchanges[0].response.as_ref().unwrap().body.as_ref().unwrap();
    assert_eq!((body.wire_bytes, body.truncated), (900, true));
    assert_eq!(exchanges[0].coverage, Coverage::Partial);
    assert_eq!(exchanges[1].coverage, Coverage::Whole);
}

#[test]
fn a_lost_header_block_costs_the_table() {
    let block = asks("GET", "/lost");
    let begins = frame(kind::HEADERS, flag::END_HEADERS | flag::END_STREAM, 3, &block);
    let exchanges = hear(&begun(&[
        c(&[get(1, "/first")]),
        Ev::C(begins[..12].to_vec()),
        Ev::Lost(Side::A, (begins.len() - 12) as u64),
        c(&[headers(5, true, &[0x82, 0xbe])]),
        s(&[ok(1, ""), ok(3, ""), ok(5, "")]),
    ]));
    assert_eq!(
        told(&exchanges),
        ["GET /first 200 ok", "? 200 ok +mid_stream", "GET {unknown} 200 ok +hpack_unknown"]
    );
}

#[test]
fn finds_its_feet_after_a_loss_between_frames() {
    let exchanges = hear(&begun(&[
        c(&[get(1, "/a"), get(3, "/b")]),
        Ev::Lost(Side::B, 5000),
        Ev::S(vec![b'z'; 400]),
        s(&[ok(3, "b")]),
    ]));
    let told = told(&exchanges);
    assert!(told.contains(&"GET /b 200 ok".to_owned()), "{told:?}");
    // What was lost may have been its answer: nobody says that there was none.
    assert!(told.contains(&"GET /a - unknown +capture_ended +gap".to_owned()), "{told:?}");
}

#[test]
fn an_end_in_a_lost_segment_is_no_lie() {
    let mut flow = Flow::new(Limits::default(), false);
    flow.play(
        &begun(&[
            c(&[get(1, "/a")]),
            s(&[headers(1, false, &block(&[(":status", "200")])), data(1, false, b"some")]),
            Ev::Lost(Side::B, 13),
            Ev::Wait(400),
        ]),
        None,
    );
    let exchanges = flow.finish();
    assert_eq!(exchanges.len(), 1);
    assert!(!exchanges[0].complete);
    assert_eq!(exchanges[0].coverage, Coverage::Partial);
}
