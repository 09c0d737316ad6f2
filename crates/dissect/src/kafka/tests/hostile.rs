//! Bytes that mean harm, or nothing.

use wirewise_model::Side;

use super::{Bytes, PORT, answer, ask, ask_flexibly, batch, beat, beaten, c, produce, produced, s};
use crate::kafka::facts::Facts;
use crate::kafka::records::Records;
use crate::kafka::walk::Walk;
use crate::kafka::{apis, probe};
use crate::talk::{Ev, Talk, all_closed, noise, told};
use crate::{Heads, Probe};

fn conversation() -> [Ev; 4] {
    [
        c(beat(1, "g")),
        s(beaten(1, 0)),
        c(produce(2, "orders", -1, &batch(4, 200))),
        s(produced(2, "orders", 0, 9)),
    ]
}

#[test]
fn pieces_of_any_size_tell_the_same() {
    let whole = told(&Talk::new(PORT).play(&conversation()).finish());
    assert_eq!(whole, ["Heartbeat g NONE ok probe 1>2", "Produce orders NONE ok 3>4"]);
    for size in [1, 2, 3, 5, 7, 13, 64] {
        assert_eq!(told(&Talk::new(PORT).in_pieces_of(size).play(&conversation()).finish()), whole, "{size}");
    }
}

#[test]
fn a_conversation_cut_at_any_byte_ends_quietly() {
    let events = conversation();
    for (at, event) in events.iter().enumerate() {
        let (Ev::C(bytes) | Ev::S(bytes)) = event else { panic!() };
        for end in 0..bytes.len() {
            let cut = match event {
                Ev::C(_) => Ev::C(bytes[..end].to_vec()),
                _ => Ev::S(bytes[..end].to_vec()),
            };
            let heard = Talk::new(PORT).play(&events[..at]).play(&[cut]).finish();
            all_closed(&heard);
            assert!(heard.len() <= 2);
        }
    }
}

#[test]
fn any_byte_changed_harms_nobody() {
    let bytes: Vec<u8> = [beat(1, "g").framed(), produce(2, "orders", -1, &batch(4, 200)).framed()].concat();
    for at in 0..bytes.len() {
        for change in [0x00, 0x01, 0x7f, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] ^= change;
            let talk =
                Talk::new(PORT).play(&[Ev::C(changed), s(beaten(1, 0)), s(produced(2, "orders", 0, 9))]);
            all_closed(&talk.finish());
        }
    }
}

#[test]
fn noise_is_not_claimed_and_breaks_nothing() {
    for seed in 1..300 {
        let talk = Talk::new(PORT).play(&[Ev::C(noise(seed, 700)), Ev::S(noise(seed + 1000, 700))]);
        assert_ne!(talk.protocol(), Some("kafka"));
        assert_eq!(talk.finish().len(), 0);
        let talk = Talk::new(PORT).play(&[
            c(beat(1, "g")),
            Ev::S(noise(seed, 3000)),
            Ev::C(noise(seed + 7, 3000)),
            Ev::Lost(Side::A, 100),
            Ev::C(noise(seed + 9, 3000)),
        ]);
        assert_eq!(talk.protocol(), Some("kafka"));
        all_closed(&talk.finish());
    }
}

#[test]
fn noise_behind_any_header_is_walked_without_harm() {
    for key in 0..=92 {
        let api = apis::api(key).unwrap_or_else(|| panic!("no api {key}"));
        for version in 0..=api.newest {
            for fields in [api.ask, api.answer].into_iter().flatten() {
                for seed in 1..6 {
                    let bytes = noise(seed * 31 + key as u64, 400);
                    // Mostly small numbers, as lengths and counts are, so that it goes deep.
                    let bytes: Vec<u8> =
                        bytes.iter().map(|byte| if byte % 4 > 0 { byte % 3 } else { *byte }).collect();
                    let mut walk = Walk::new(Some(fields), version, api.is_flexible(version), true);
                    let mut facts = Facts::default();
                    let read = walk.read(&bytes, bytes.len() as u64, &mut facts);
                    assert_eq!(read, bytes.len());
                }
            }
        }
    }
}

#[test]
fn huge_counts_and_lengths_end_the_reading_of_a_body() {
    let counts = ask(0, 3, 1).i16(-1).i16(1).i32(9).i32(i32::MAX).text("t").i32(i32::MAX);
    let lengths = ask_flexibly(12, 4, 2).raw(&[0xff, 0xff, 0xff, 0xff, 0x0f]).raw(b"g");
    let tags = ask(12, 4, 3).raw(&[0xff, 0xff, 0xff, 0xff, 0x7f]).raw(&[0xff; 40]);
    let heard = Talk::new(PORT)
        .play(&[
            c(beat(0, "g")),
            s(beaten(0, 0)),
            c(counts),
            s(answer(1).i32(i32::MAX).text("t")),
            c(lengths),
            s(answer(2).raw(&[0xff; 30])),
            c(tags),
            s(answer(3).raw(&[0x80; 30])),
        ])
        .finish();
    assert_eq!(
        told(&heard)[1..],
        [
            "Produce - unknown 3>4 +body_unread",
            "Heartbeat - unknown probe 5>6 +body_unread",
            "Heartbeat - unknown probe 7>8 +body_unread",
        ]
    );
}

#[test]
fn batches_that_lie_about_their_length_are_counted_to_their_end() {
    for length in [i32::MIN, -1, 0, 1, 48, 49, i32::MAX] {
        let mut bytes = batch(3, 300);
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        let mut records = Records::new(bytes.len() as u64);
        let read = records.read(&bytes);
        assert_eq!((read, records.left), (bytes.len(), 0), "{length}");
        assert!(records.count <= 3, "{length}");
    }
}

#[test]
fn what_only_resembles_a_request_is_not_claimed() {
    let claims = |bytes: &[u8], ended| {
        let heads = Heads {
            bytes: [bytes, &[]],
            ports: [40000, PORT],
            opener: Some(Side::A),
            mid_stream: false,
            ended,
        };
        probe::probe(&heads)
    };
    let yes = Probe::Yes { client: Side::A };
    assert_eq!(claims(&beat(1, "g").framed(), false), yes);
    // A body that is longer or shorter than the version says.
    assert_eq!(claims(&beat(1, "g").i8(0).framed(), false), Probe::No);
    assert_eq!(claims(&ask(12, 0, 1).text("g").i32(1).framed(), false), Probe::No);
    // Negative keys, versions that do not exist, ids that are no text.
    assert_eq!(claims(&ask(-1, 0, 1).framed(), false), Probe::No);
    assert_eq!(claims(&ask(12, 9, 1).framed(), false), Probe::No);
    assert_eq!(claims(&Bytes::new().i16(3).i16(1).i32(1).text("a\u{1}b").i32(0).framed(), false), Probe::No);
    // SMPP binds look like Produce version 9 without a client id; PostgreSQL's start like Metadata version 0.
    let smpp = b"\0\0\0\x2f\0\0\0\x09\0\0\0\0\0\0\0\x01SMPP3TEST\0secret08\0SUBMIT1\0\x50\x01\x01\0";
    assert_eq!(claims(smpp, true), Probe::No);
    let postgres = b"\0\0\0\x29\0\x03\0\0user\0postgres\0database\0postgres\0\0";
    assert_eq!(claims(postgres, true), Probe::No);
    // Of a request that is cut the header must be there, with the client's name.
    for end in 0..20 {
        assert_ne!(claims(&beat(1, "g").framed()[..end], true), yes);
    }
}
