//! Bytes that mean harm, or nothing.

use wirewise_model::Side;

use super::{
    Bytes, HELLO, PORT, ack, confirm, consumer, declare, declared, deliver, frame, greeting, message, method,
    publish,
};
use crate::amqp::{names, parse, probe, properties};
use crate::talk::{Ev, Talk, all_closed, noise, told};
use crate::{Heads, Probe};

fn conversation() -> Vec<Ev> {
    let mut events = greeting().to_vec();
    events.extend(confirm(1));
    events.extend(consumer(1, "q", "tag"));
    events.push(Ev::C(publish(1, "e", "k", true)));
    events.push(Ev::S([ack(1, 1, false), deliver(1, "tag", 1)].concat()));
    events.push(Ev::C([ack(1, 1, false), declare(2, "d")].concat()));
    events.push(Ev::S(declared(2, "d")));
    events
}

#[test]
fn pieces_of_any_size_tell_the_same() {
    let whole = told(&Talk::new(PORT).play(&conversation()).finish());
    assert_eq!(whole.len(), 7);
    for size in [1, 2, 3, 5, 7, 13, 64] {
        let pieces = told(&Talk::new(PORT).in_pieces_of(size).play(&conversation()).finish());
        assert_eq!(pieces, whole, "{size}");
    }
}

#[test]
fn a_conversation_cut_at_any_byte_ends_quietly() {
    let events = conversation();
    for (at, event) in events.iter().enumerate() {
        let (Ev::C(bytes) | Ev::S(bytes)) = event else { continue };
        for end in 0..bytes.len() {
            let cut = bytes[..end].to_vec();
            let cut = if matches!(event, Ev::C(_)) { Ev::C(cut) } else { Ev::S(cut) };
            all_closed(&Talk::new(PORT).play(&events[..at]).play(&[cut]).finish());
        }
    }
}

#[test]
fn a_loss_at_any_byte_is_survived() {
    let frames = [publish(1, "e", "k", false), declare(1, "a"), publish(1, "e", "l", false)].concat();
    for at in 0..frames.len() {
        for lost in [1, 2, 9, 40] {
            let rest = frames.get(at + lost..).unwrap_or_default().to_vec();
            let heard = Talk::new(PORT)
                .play(&greeting())
                .play(&[
                    Ev::C(frames[..at].to_vec()),
                    Ev::Lost(Side::A, lost as u64),
                    Ev::C(rest),
                    Ev::C(declare(3, "after")),
                    Ev::S(declared(3, "after")),
                ])
                .finish();
            all_closed(&heard);
            let lines = told(&heard);
            let found = lines.iter().any(|line| line.starts_with("queue.declare after queue.declare-ok ok"));
            assert!(found, "lost {lost} at {at}: {lines:?}");
        }
    }
}

#[test]
fn any_byte_changed_harms_nobody() {
    let frames = [publish(1, "e", "k", false), declare(1, "a"), ack(1, 4, true)].concat();
    for at in 0..frames.len() {
        for change in [0x01, 0x7f, 0x80, 0xff] {
            let mut changed = frames.clone();
            changed[at] ^= change;
            let talk = Talk::new(PORT).play(&greeting()).play(&[Ev::C(changed), Ev::S(declared(1, "a"))]);
            all_closed(&talk.finish());
        }
    }
}

#[test]
fn noise_is_not_claimed_and_breaks_nothing() {
    for seed in 1..300 {
        let talk = Talk::new(PORT).play(&[Ev::C(noise(seed, 900)), Ev::S(noise(seed + 1000, 900))]);
        assert_ne!(talk.protocol(), Some("amqp"));
        assert_eq!(talk.finish().len(), 0);
        let talk = Talk::new(PORT).play(&greeting()).play(&[
            Ev::C(noise(seed, 3000)),
            Ev::S(noise(seed + 5, 3000)),
            Ev::Lost(Side::B, 100),
            Ev::S(noise(seed + 9, 3000)),
        ]);
        all_closed(&talk.finish());
    }
}

#[test]
fn arguments_and_properties_of_noise_are_read_without_harm() {
    for class in 0..=90 {
        for number in 0..=120 {
            let Some(method) = names::method(class, number) else { continue };
            for seed in 1..40 {
                let bytes: Vec<u8> = noise(seed, 60).iter().map(|byte| byte % 24).collect();
                for end in 0..bytes.len() {
                    let _read = parse::args(method, &bytes[..end]);
                }
            }
        }
    }
    for seed in 1..2000 {
        let mut bytes = noise(seed, 90);
        // Every property is there, and what it says is short.
        for byte in &mut bytes[14..] {
            *byte %= 12;
        }
        let _read = properties::properties(&bytes);
        assert!(properties::trace(&bytes).is_none());
    }
}

#[test]
fn a_method_longer_than_the_limit_is_passed_over() {
    let long = method(1, "queue.declare", Bytes::new().u16(0).text("q").u8(0).raw(&vec![0; 70_000]));
    let talk = Talk::new(PORT)
        .play(&greeting())
        .play(&[Ev::C([long.clone(), declare(1, "d")].concat()), Ev::S(declared(1, "d"))]);
    assert_eq!(talk.passed_over("header_limit"), long.len() as u64);
    let lines = told(&talk.finish());
    assert!(lines.contains(&"queue.declare d queue.declare-ok ok 3>4".to_owned()), "{lines:?}");
}

#[test]
fn a_header_longer_than_the_limit_still_tells_how_long_its_body_is() {
    let header = Bytes::new().u16(60).u16(0).u64(5).u16(1 << 13).u32(70_000).raw(&vec![0; 70_000]);
    let args = Bytes::new().u16(0).text("").text("q").u8(0);
    let frames = [method(1, "basic.publish", args), frame(2, 1, &header.0), frame(3, 1, b"hello")].concat();
    let heard = Talk::new(PORT).play(&greeting()).play(&[Ev::C(frames), Ev::Wait(1500)]).finish();
    let lines = told(&heard);
    assert!(lines.contains(&"basic.publish q - one_way message 3>-".to_owned()), "{lines:?}");
}

#[test]
fn a_body_longer_than_its_header_said_ends_where_its_frame_does() {
    let args = Bytes::new().u16(0).text("").text("q").u8(0);
    let frames = [method(1, "basic.publish", args), message(1, b"abc", 3), frame(3, 1, b"more")].concat();
    let talk = Talk::new(PORT)
        .play(&greeting())
        .play(&[Ev::C([frames, declare(1, "d")].concat()), Ev::S(declared(1, "d"))]);
    assert_eq!(talk.passed_over("content_without_method"), 12);
    assert_eq!(talk.finish().len(), 4);
}

#[test]
fn what_only_resembles_a_frame_is_not_claimed() {
    let claims = |bytes: &[u8], mid_stream| {
        let heads =
            Heads { bytes: [bytes, &[]], ports: [40000, PORT], opener: None, mid_stream, ended: true };
        probe::probe(&heads)
    };
    let yes = Probe::Yes { client: Side::A };
    assert_eq!(claims(HELLO, false), yes);
    assert_eq!(claims(&HELLO[..7], false), Probe::No);
    assert_eq!(claims(b"AMQ", false), Probe::No);
    assert_eq!(claims(&declare(1, "q"), true), yes);
    assert_eq!(claims(&declared(1, "q"), true), Probe::Yes { client: Side::B });
    // No end, another end, arguments too long or too short, a channel that it does not go over.
    let mut other_end = declare(1, "q");
    *other_end.last_mut().unwrap_or(&mut 0) = 0xcd;
    assert_eq!(claims(&other_end, true), Probe::No);
    assert_eq!(
        claims(&method(1, "queue.declare", Bytes::new().u16(0).text("q").u8(0).u32(0).u8(1)), true),
        Probe::No
    );
    assert_eq!(claims(&method(1, "queue.declare", Bytes::new().u16(0).text("q")), true), Probe::No);
    assert_eq!(claims(&declare(0, "q"), true), Probe::No);
    // The body of a message may be anything, so it must be there to its end.
    assert_eq!(claims(&frame(3, 1, b"hello")[..10], true), Probe::No);
}
