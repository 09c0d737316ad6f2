//! Questions and their answers.

use wirewise_model::{Kind, Limits, Side};

use super::{Bytes, HELLO, PORT, after_greeting, bare, consume, declare, declared, greeting, hear, method};
use crate::End;
use crate::talk::{Ev, Talk, attribute, told};

#[test]
fn a_connection_is_greeted_and_tuned_by_the_broker() {
    let [hello, start] = greeting();
    let ok = Bytes::new().u32(0).text("PLAIN").long("\0guest\0guest").text("en_US");
    let tune = || Bytes::new().u16(2047).u32(131_072).u16(60);
    let heard = hear(&[
        hello,
        start,
        Ev::C(method(0, "connection.start-ok", ok)),
        Ev::S(method(0, "connection.tune", tune())),
        Ev::C(method(0, "connection.tune-ok", tune())),
        Ev::C(method(0, "connection.open", Bytes::new().text("/shop").text("").u8(0))),
        Ev::S(method(0, "connection.open-ok", Bytes::new().text(""))),
    ]);
    assert_eq!(
        told(&heard),
        [
            "protocol-header 0-9-1 connection.start ok session 1>2",
            "connection.start connection.start-ok ok session 2>3 by B",
            "connection.tune connection.tune-ok ok session 4>5 by B",
            "connection.open /shop connection.open-ok ok session 6>7",
        ]
    );
    assert_eq!(attribute(&heard[1], "amqp.method.arguments.mechanism").as_deref(), Some("PLAIN"));
}

#[test]
fn questions_meet_answers_by_channel() {
    let heard = after_greeting(&[
        Ev::C([declare(1, "a"), declare(2, "b")].concat()),
        Ev::S(declared(2, "b")),
        Ev::S(declared(1, "a")),
    ]);
    assert_eq!(
        told(&heard),
        ["queue.declare b queue.declare-ok ok 3>4", "queue.declare a queue.declare-ok ok 3>5"]
    );
    assert_eq!(attribute(&heard[0], "amqp.method.arguments.message_count").as_deref(), Some("3"));
}

#[test]
fn a_queue_that_the_broker_names_is_the_target() {
    let heard = after_greeting(&[Ev::C(declare(1, "")), Ev::S(declared(1, "amq.gen-x"))]);
    assert_eq!(told(&heard), ["queue.declare amq.gen-x queue.declare-ok ok 3>4"]);
}

#[test]
fn what_asks_for_no_answer_is_one_way() {
    let args = Bytes::new().u16(0).text("q").u8(1 << 4).u32(0);
    let heard = after_greeting(&[Ev::C(method(1, "queue.declare", args))]);
    assert_eq!(told(&heard), ["queue.declare q - one_way 3>-"]);
}

#[test]
fn exchange_unbind_is_answered_by_a_number_of_its_own() {
    let args = Bytes::new().u16(0).text("to").text("from").text("k").u8(0).u32(0);
    let heard =
        after_greeting(&[Ev::C(method(1, "exchange.unbind", args)), Ev::S(bare(1, "exchange.unbind-ok"))]);
    assert_eq!(told(&heard), ["exchange.unbind to exchange.unbind-ok ok 3>4"]);
    assert_eq!(attribute(&heard[0], "amqp.method.arguments.source").as_deref(), Some("from"));
}

#[test]
fn a_server_that_speaks_another_version_says_so() {
    let heard =
        hear(&[Ev::C(b"AMQP\x01\x01\0\x0a".to_vec()), Ev::S(HELLO.to_vec()), Ev::End(None, End::Fin)]);
    assert_eq!(told(&heard), ["protocol-header 0-10 protocol-header client_error session 1>2"]);
    assert_eq!(heard[0].error.as_deref(), Some("the server speaks 0-9-1"));
}

#[test]
fn amqp_1_0_is_recognised_and_left() {
    for header in [b"AMQP\0\x01\0\0", b"AMQP\x03\x01\0\0", b"AMQP\x02\x01\0\0"] {
        let talk = Talk::new(PORT).play(&[
            Ev::C(header.to_vec()),
            Ev::S(header.to_vec()),
            Ev::C(vec![0, 0, 0, 0x10, 2, 0, 0, 0, 0, 0x53, 0x10, 0xc0, 3, 1, 0xa1, 0]),
        ]);
        assert_eq!(talk.passed_over("amqp_1_0"), 32);
        assert_eq!(talk.finish().len(), 0);
    }
}

#[test]
fn heartbeats_are_no_calls() {
    let beat = super::frame(8, 0, &[]);
    let heard =
        after_greeting(&[Ev::C(beat.clone()), Ev::S(beat.clone()), Ev::C([beat.clone(), beat].concat())]);
    assert_eq!(told(&heard), [] as [&str; 0]);
}

#[test]
fn what_is_never_answered_is_no_response_and_a_late_answer_revises_it() {
    let talk = Talk::new(PORT).play(&greeting()).play(&[Ev::C(declare(1, "q")), Ev::Wait(301_000)]);
    let lines = told(talk.heard());
    assert!(lines.contains(&"queue.declare q - no_response 3>- +timed_out".to_owned()), "{lines:?}");
    let heard = talk.play(&[Ev::S(declared(1, "q"))]).finish();
    let lines = told(&heard);
    assert!(lines.contains(&"queue.declare q queue.declare-ok ok 3>4 again +late".to_owned()), "{lines:?}");
}

#[test]
fn an_answer_without_its_question_is_told_alone() {
    let heard = after_greeting(&[Ev::S(declared(1, "q")), Ev::Wait(6000)]);
    assert_eq!(told(&heard), ["queue.declare queue.declare-ok ok ->3 +mid_stream"]);
}

#[test]
fn an_open_question_shows() {
    let [hello, _] = greeting();
    let talk = Talk::new(PORT).play(&[hello]);
    assert_eq!(told(&talk.open()), ["protocol-header 0-9-1 - open session 1>-"]);
    assert_eq!(talk.finish().len(), 1);
}

#[test]
fn entered_in_mid_stream_by_the_structure_of_frames() {
    // The rest of a body, in which an end of a frame stands by chance, then its end, then a method.
    let mut rest = vec![0x20; 500];
    rest[100] = 0xce;
    rest.push(0xce);
    let heard = Talk::mid_stream(33333)
        .play(&[
            Ev::S([rest, declared(9, "lost")].concat()),
            Ev::C(declare(1, "q")),
            Ev::S(declared(1, "q")),
            Ev::C(consume(1, "q", "tag", false)),
        ])
        .finish();
    assert_eq!(told(&heard)[0], "queue.declare q queue.declare-ok ok 2>3");
    assert_eq!(heard.len(), 2);
}

#[test]
fn who_is_the_client_shows_in_what_it_says() {
    let client_is = |events: &[Ev]| {
        let heard = Talk::mid_stream(33333).play(events).finish();
        heard.first().map(|exchange| exchange.client)
    };
    assert_eq!(client_is(&[Ev::C(declare(1, "q"))]), Some(Side::A));
    assert_eq!(client_is(&[Ev::S(declare(1, "q"))]), Some(Side::B));
}

#[test]
fn a_lost_answer_is_unknown_and_never_another_questions() {
    let heard = after_greeting(&[
        Ev::C(declare(1, "a")),
        Ev::Lost(Side::B, 30),
        Ev::C(declare(1, "b")),
        Ev::S(declared(1, "b")),
    ]);
    assert_eq!(
        told(&heard),
        ["queue.declare a - unknown 3>- +gap", "queue.declare b queue.declare-ok ok 4>5"]
    );
}

#[test]
fn frames_are_found_again_after_a_loss() {
    let heard = after_greeting(&[
        Ev::C(declare(1, "a")),
        Ev::S(declared(1, "a")),
        Ev::Lost(Side::A, 3000),
        // The rest of a frame, and behind its end a question.
        Ev::C([vec![0x41; 200], vec![0xce], declare(1, "c")].concat()),
        Ev::S(declared(1, "c")),
    ]);
    assert_eq!(
        told(&heard),
        ["queue.declare a queue.declare-ok ok 3>4", "queue.declare c queue.declare-ok ok 5>6"]
    );
}

#[test]
fn more_that_waits_than_the_limit_closes_the_oldest() {
    let limits = Limits { pending_calls: 10, ..Limits::default() };
    let asked: Vec<Ev> = (0..14).map(|at| Ev::C(declare(1, &format!("q{at}")))).collect();
    let talk = Talk::with(limits, PORT, false).play(&greeting()).play(&asked);
    let evicted = told(talk.heard()).iter().filter(|line| line.contains("+evicted")).count();
    // The broker's own question, for the login, waits as well.
    assert_eq!(evicted, 5);
    assert_eq!(talk.finish().len(), 16);
}

#[test]
fn more_channels_than_the_limit_are_counted() {
    let mut talk = Talk::new(PORT).play(&greeting());
    for channel in 1..=1100 {
        talk = talk.play(&[Ev::C(declare(channel, "q"))]);
    }
    assert!(talk.passed_over("channel_limit") > 0);
    let limit = declare(1, "q").len() as u64;
    assert_eq!(talk.passed_over("channel_limit") % limit, 0);
    talk.finish();
}

#[test]
fn a_blocked_connection_says_why() {
    let heard = after_greeting(&[
        Ev::S(method(0, "connection.blocked", Bytes::new().text("low on memory"))),
        Ev::S(bare(0, "connection.unblocked")),
    ]);
    assert_eq!(
        told(&heard),
        ["connection.blocked - one_way session 3>- by B", "connection.unblocked - one_way session 4>- by B"]
    );
    assert_eq!(heard[0].error.as_deref(), Some("low on memory"));
    assert_eq!(heard[0].kind, Kind::Session);
}
