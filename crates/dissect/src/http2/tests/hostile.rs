//! What is sent to exhaust or to confuse: bounded, counted, survived.

use std::io::Write;

use wirewise_model::{Exchange, Limits, Side};

use super::super::parse::{flag, kind};
use super::talk::{
    Ev, Flow, asks, begun, block, c, data, frame, get, headers, hear, ok, preface, s, settings, told,
};

fn tight() -> Limits {
    Limits { header_bytes: 4096, body_kept: 1024, pending_calls: 16, ..Limits::default() }
}

fn talk() -> Vec<Ev> {
    let promise = [&2_u32.to_be_bytes()[..], &asks("GET", "/pushed")].concat();
    let (one, two) = (asks("POST", "/grpc.Service/Do"), block(&[("grpc-status", "0")]));
    begun(&[
        c(&[headers(1, false, &one), data(1, true, b"\0\0\0\0\x02\x08\x01"), get(3, "/")]),
        s(&[frame(kind::PUSH_PROMISE, flag::END_HEADERS, 3, &promise)]),
        s(&[headers(1, false, &block(&[(":status", "200"), ("content-type", "application/grpc")]))]),
        s(&[data(1, false, b"\0\0\0\0\0"), headers(1, true, &two), ok(3, "body"), ok(2, "pushed")]),
        c(&[frame(kind::GOAWAY, 0, 0, &[0; 8])]),
    ])
}

fn every_byte(change: impl Fn(&mut Vec<u8>, usize) -> Option<u64>) -> Vec<Vec<Exchange>> {
    let events = talk();
    let mut heard = Vec::new();
    for (index, event) in events.iter().enumerate() {
        let (Ev::C(bytes) | Ev::S(bytes)) = event else { continue };
        let asks = matches!(event, Ev::C(_));
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            let lost = change(&mut changed, at);
            let mut events = events.clone();
            events[index] = if asks { Ev::C(changed) } else { Ev::S(changed) };
            if let Some(lost) = lost {
                events.insert(index + 1, Ev::Lost(if asks { Side::A } else { Side::B }, lost));
            }
            // `finish` asks that the books balance and that nothing panicked.
            heard.push(hear(&events));
        }
    }
    heard
}

#[test]
fn flipped_bytes_and_holes_anywhere_are_survived() {
    let most = told(&hear(&talk())).len();
    let flipped = every_byte(|bytes, at| {
        bytes[at] ^= 0x81;
        None
    });
    let holed = every_byte(|bytes, at| {
        let lost = bytes.len() - at;
        bytes.truncate(at);
        Some(lost as u64)
    });
    // A hole makes no calls: at most both halves of one stand alone.
    assert!(holed.iter().all(|exchanges| exchanges.len() <= 2 * most));
    assert!(flipped.iter().all(|exchanges| exchanges.len() <= 4 * most));
}

#[test]
fn header_blocks_without_end_are_passed_over() {
    let mut flow = Flow::new(tight(), false);
    flow.play(&begun(&[c(&[frame(kind::HEADERS, flag::END_STREAM, 1, &asks("GET", "/"))])]), None);
    for _ in 0..1000 {
        flow.play(&[c(&[frame(kind::CONTINUATION, 0, 1, &[0; 1000])])], None);
    }
    assert!(flow.dropped("header_limit") > 900_000);
    flow.play(
        &[c(&[frame(kind::CONTINUATION, flag::END_HEADERS, 1, &[]), get(3, "/next")]), s(&[ok(3, "")])],
        None,
    );
    assert_eq!(told(&flow.finish()), ["GET /next 200 ok"]);
}

#[test]
fn many_small_continuations_are_noted() {
    let ask = asks("GET", "/flood");
    let mut frames = vec![frame(kind::HEADERS, flag::END_STREAM, 1, &ask)];
    frames.extend((0..100).map(|_| frame(kind::CONTINUATION, 0, 1, &[])));
    frames.push(frame(kind::CONTINUATION, flag::END_HEADERS, 1, &[]));
    let exchanges = hear(&begun(&[c(&frames), s(&[ok(1, "")])]));
    assert_eq!(told(&exchanges), ["GET /flood 200 ok +continuation_flood"]);
}

#[test]
fn streams_past_the_bound_push_out_the_oldest() {
    let mut flow = Flow::new(tight(), false);
    flow.play(&begun(&[]), None);
    for stream in 0..1000 {
        flow.play(&[c(&[get(2 * stream + 1, "/")])], None);
    }
    assert_eq!(flow.open().len(), 16);
    let exchanges = flow.finish();
    assert_eq!(exchanges.len(), 1000);
    let evicted = exchanges.iter().filter(|exchange| exchange.notes.iter().any(|note| note.0 == "evicted"));
    assert_eq!(evicted.count(), 984);
}

#[test]
fn rapid_resets_hold_nothing() {
    let mut flow = Flow::new(tight(), false);
    flow.play(&begun(&[]), None);
    for stream in 0..500 {
        flow.play(&[c(&[get(2 * stream + 1, "/"), super::talk::reset(2 * stream + 1, 8)])], None);
    }
    flow.play(&[Ev::Wait(2)], None);
    assert!(!flow.is_waiting());
    assert_eq!(flow.finish().len(), 500);
}

#[test]
fn a_bomb_is_expanded_no_further_than_its_bound() {
    let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    gzip.write_all(&vec![0; 20 << 20]).unwrap();
    let coded = gzip.finish().unwrap();
    let answer = block(&[(":status", "200"), ("content-encoding", "gzip")]);
    let mut frames = vec![headers(1, false, &answer)];
    frames.extend(coded.chunks(16_000).map(|piece| data(1, false, piece)));
    frames.push(data(1, true, &[]));
    let exchanges = hear(&begun(&[c(&[get(1, "/")]), s(&frames)]));
    assert_eq!(told(&exchanges), ["GET / 200 ok +decompression_limit"]);
    let body = exchanges[0].response.as_ref().unwrap().body.as_ref().unwrap();
    assert!(body.truncated && body.decoded_bytes <= Limits::default().decompressed_bytes as u64);
}

#[test]
fn noise_behind_a_beginning_is_survived() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut next = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    for _ in 0..300 {
        let mut flow = Flow::new(tight(), false);
        flow.play(&[c(&[preface()]), s(&[settings(&[(1, 1 << 20), (5, 0xff_ffff)])])], None);
        for _ in 0..8 {
            let payload: Vec<u8> = (0..next() % 60).map(|_| (next() >> 32) as u8).collect();
            let framed = frame((next() % 11) as u8, (next() >> 20) as u8, (next() % 8) as u32, &payload);
            flow.play(&[if next() % 2 == 0 { Ev::C(framed) } else { Ev::S(framed) }], None);
        }
        for exchange in flow.finish() {
            assert!(exchange.request.is_some() || exchange.response.is_some());
        }
    }
}
