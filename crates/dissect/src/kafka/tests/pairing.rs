//! Requests meet responses.

use wirewise_model::{Coverage, Limits, Outcome, Side};

use super::{PORT, answer, ask, batch, beat, beaten, c, hear, produce, produced, s};
use crate::End;
use crate::talk::{Ev, Talk, attribute, told};

#[test]
fn pairs_pipelined_requests_by_correlation_id() {
    let both = [beat(1, "g1").framed(), beat(2, "g2").framed()].concat();
    let heard = hear(&[Ev::C(both), s(beaten(2, 0)), s(beaten(1, 27))]);
    assert_eq!(
        told(&heard),
        ["Heartbeat g2 NONE ok probe 1>2", "Heartbeat g1 REBALANCE_IN_PROGRESS client_error probe 1>3"]
    );
}

#[test]
fn an_answer_takes_from_the_first_byte_asked_to_the_last_answered() {
    let (asked, answered) = (beat(1, "g").framed(), beaten(1, 0).framed());
    let heard = hear(&[
        Ev::C(asked[..9].to_vec()),
        Ev::C(asked[9..].to_vec()),
        Ev::S(answered[..3].to_vec()),
        Ev::S(answered[3..].to_vec()),
    ]);
    assert_eq!(told(&heard), ["Heartbeat g NONE ok probe 1+2>3+4"]);
    assert_eq!(heard[0].took().unwrap().as_millis(), 3);
    assert_eq!(heard[0].time_to_first_byte().unwrap().as_millis(), 2);
    let bytes = |message: &Option<wirewise_model::Message>| message.as_ref().unwrap().track.bytes;
    let said = (asked.len() as u64, answered.len() as u64);
    assert_eq!((bytes(&heard[0].request), bytes(&heard[0].response)), said);
}

#[test]
fn produce_without_acks_is_a_message() {
    let talk = Talk::new(PORT).play(&[c(produce(1, "fire", 0, &batch(3, 80)))]);
    assert_eq!(talk.heard().len(), 0);
    let talk = talk.play(&[Ev::Wait(1500)]);
    assert_eq!(told(talk.heard()), ["Produce fire - one_way message 1>-"]);
    assert_eq!(attribute(&talk.heard()[0], "messaging.batch.message_count").as_deref(), Some("3"));
    assert_eq!(talk.finish().len(), 1);
}

#[test]
fn a_broker_that_answers_all_the_same_is_heard() {
    let heard = hear(&[c(produce(1, "fire", 0, &batch(1, 80))), s(produced(1, "fire", 0, 4))]);
    assert_eq!(told(&heard), ["Produce fire NONE ok 1>2"]);
}

#[test]
fn many_produces_without_acks_do_not_pile_up() {
    let events: Vec<Ev> = (1..=40).map(|id| c(produce(id, "fire", 0, &batch(1, 80)))).collect();
    let talk = Talk::new(PORT).play(&events);
    assert_eq!(talk.heard().len(), 24);
    assert_eq!(talk.finish().len(), 40);
}

#[test]
fn a_response_without_its_request_is_passed_over_and_counted() {
    let talk = Talk::new(PORT).play(&[c(beat(1, "g")), s(beaten(1, 0)), s(beaten(77, 0))]);
    assert_eq!(talk.passed_over("response_without_request"), 10);
    assert_eq!(talk.finish().len(), 1);
}

#[test]
fn a_response_that_was_heard_before_its_request_finds_it() {
    let heard = hear(&[c(beat(1, "g")), s(beaten(1, 0)), s(beaten(2, 16)), c(beat(2, "g"))]);
    assert_eq!(told(&heard)[1..], ["Heartbeat g NOT_COORDINATOR server_error probe 4>3"]);
}

#[test]
fn what_is_never_answered_is_no_response_and_a_late_answer_revises_it() {
    let talk = Talk::new(PORT).play(&[c(beat(1, "g")), Ev::Wait(301_000)]);
    assert_eq!(told(talk.heard()), ["Heartbeat g - no_response probe 1>- +timed_out"]);
    let heard = talk.play(&[s(beaten(1, 0))]).finish();
    assert_eq!(told(&heard)[1..], ["Heartbeat g NONE ok probe 1>2 again +late"]);
}

#[test]
fn the_end_of_the_connection_leaves_requests_unanswered() {
    let heard = hear(&[c(beat(1, "g")), Ev::End(None, End::Reset)]);
    assert_eq!(told(&heard), ["Heartbeat g - no_response probe 1>- +reset"]);
    let half = beaten(1, 0).framed()[..9].to_vec();
    let heard = hear(&[c(beat(1, "g")), Ev::S(half), Ev::End(Some(Side::B), End::Fin)]);
    assert_eq!(told(&heard), ["Heartbeat g - aborted probe 1>2"]);
}

#[test]
fn a_half_closed_client_is_still_answered() {
    let heard = hear(&[c(beat(1, "g")), Ev::End(Some(Side::A), End::Fin), s(beaten(1, 0))]);
    assert_eq!(told(&heard), ["Heartbeat g NONE ok probe 1>2"]);
}

#[test]
fn an_open_request_shows_and_is_told_once() {
    let talk = Talk::new(PORT).play(&[c(beat(1, "g"))]);
    assert_eq!(told(&talk.open()), ["Heartbeat g - open probe 1>-"]);
    let talk = talk.play(&[s(beaten(1, 0))]);
    assert_eq!(talk.open().len(), 0);
    assert_eq!(talk.finish().len(), 1);
}

#[test]
fn a_gap_inside_a_body_costs_that_body_and_nothing_else() {
    let asked = produce(1, "big", -1, &batch(5, 3000)).framed();
    let (front, rest) = asked.split_at(200);
    let (lost, back) = rest.split_at(1500);
    let heard = hear(&[
        c(beat(0, "g")),
        s(beaten(0, 0)),
        Ev::C(front.to_vec()),
        Ev::Lost(Side::A, lost.len() as u64),
        Ev::C([back.to_vec(), beat(2, "g").framed()].concat()),
        s(produced(1, "big", 0, 4)),
        s(beaten(2, 0)),
    ]);
    assert_eq!(told(&heard)[1..], ["Produce big NONE ok 3+4>5 +gap", "Heartbeat g NONE ok probe 4>6"]);
    assert_eq!(heard[1].coverage, Coverage::Partial);
}

#[test]
fn a_gap_over_unread_bytes_counts_them_too() {
    // Five bytes of the next number are waiting when the rest of the batch is lost.
    let answered = produced(1, "t", 3, -1).framed();
    let heard = hear(&[
        c(produce(1, "t", -1, &batch(1, 80))),
        Ev::S(answered[..29].to_vec()),
        Ev::Lost(Side::B, answered.len() as u64 - 29),
        c(beat(2, "g")),
        s(beaten(2, 0)),
    ]);
    assert_eq!(
        told(&heard),
        ["Produce t UNKNOWN_TOPIC_OR_PARTITION client_error 1>2 +gap", "Heartbeat g NONE ok probe 3>4"]
    );
}

#[test]
fn a_lost_response_is_unknown_and_never_another_requests() {
    let heard = hear(&[
        c(beat(1, "a")),
        Ev::Lost(Side::B, 10),
        c(beat(2, "b")),
        s(beaten(2, 0)),
        Ev::End(None, End::Fin),
    ]);
    assert_eq!(told(&heard), ["Heartbeat a - unknown probe 1>- +gap", "Heartbeat b NONE ok probe 2>3"]);
}

#[test]
fn requests_are_found_again_after_a_loss_among_them() {
    let junk = vec![0x55; 300];
    let heard = hear(&[
        c(beat(1, "a")),
        s(beaten(1, 0)),
        Ev::Lost(Side::A, 700),
        Ev::C(junk),
        c(beat(3, "c")),
        s(beaten(2, 0)),
        s(beaten(3, 0)),
    ]);
    assert_eq!(told(&heard), ["Heartbeat a NONE ok probe 1>2", "Heartbeat c NONE ok probe 4>6"]);
}

#[test]
fn entered_in_mid_stream_by_a_request() {
    let heard = Talk::mid_stream(33333)
        .play(&[
            Ev::S(vec![0x61; 900]),
            s(beaten(8, 0)),
            c(beat(9, "g")),
            Ev::S(vec![0x62; 100]),
            s(beaten(9, 0)),
            c(beat(10, "g")),
            s(beaten(10, 0)),
        ])
        .finish();
    assert_eq!(told(&heard), ["Heartbeat g NONE ok probe 3>5", "Heartbeat g NONE ok probe 6>7"]);
}

#[test]
fn more_requests_than_the_limit_close_the_oldest() {
    let limits = Limits { pending_calls: 2, ..Limits::default() };
    let talk = Talk::with(limits, PORT, false);
    let heard = talk.play(&[c(beat(1, "a")), c(beat(2, "b")), c(beat(3, "c")), s(beaten(3, 0))]).finish();
    assert_eq!(
        told(&heard)[..2],
        ["Heartbeat a - unknown probe 1>- +evicted", "Heartbeat c NONE ok probe 3>4"]
    );
}

#[test]
fn a_frame_of_a_hundred_megabytes_is_never_held() {
    let records = batch(1_000_000, 100 << 20);
    let asked = produce(1, "huge", -1, &records).framed();
    let mut talk = Talk::new(PORT);
    for piece in asked.chunks(64 << 10) {
        talk = talk.play(&[Ev::C(piece.to_vec())]);
        let waits = talk.passed_over("buffered");
        assert!(waits <= 64, "{waits} bytes wait");
    }
    let heard = talk.play(&[s(produced(1, "huge", 10, -1))]).finish();
    assert_eq!(heard[0].status.as_deref(), Some("MESSAGE_TOO_LARGE"));
    assert_eq!(attribute(&heard[0], "messaging.batch.message_count").as_deref(), Some("1000000"));
    assert_eq!(heard[0].request.as_ref().unwrap().track.bytes, asked.len() as u64);
}

#[test]
fn tokens_without_headers_follow_an_old_handshake() {
    let talk = Talk::new(PORT).play(&[
        c(ask(17, 0, 1).text("PLAIN")),
        s(answer(1).i16(0).i32(1).text("PLAIN")),
        c(super::Bytes::new().raw(b"\0alice\0hunter2-canary")),
        Ev::S(vec![0, 0, 0, 0]),
        c(beat(2, "g")),
        s(beaten(2, 0)),
    ]);
    assert_eq!(talk.passed_over("sasl_token"), 25);
    let heard = talk.finish();
    assert_eq!(told(&heard), ["SaslHandshake PLAIN NONE ok session 1>2", "Heartbeat g NONE ok probe 5>6"]);
}

#[test]
fn an_api_that_nobody_knows_yet_is_still_paired() {
    let heard = hear(&[
        c(beat(1, "g")),
        s(beaten(1, 0)),
        c(ask(140, 2, 2).raw(b"whatever")),
        s(answer(2).raw(b"who knows")),
    ]);
    assert_eq!(told(&heard)[1..], ["api_140 - unknown 3>4 +unknown_api +body_unread"]);
    assert_eq!(heard[1].outcome, Outcome::Unknown);
}
