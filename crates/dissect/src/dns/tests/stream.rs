//! DNS over TCP.

use std::time::Duration;

use wirewise_model::{Side, Transport};

use super::{ANSWER, ASKED, QUERY, Wire, briefs, framed, message, name, with};
use crate::End;

#[test]
fn pipelined_messages_of_a_connection_are_answered_in_any_order() {
    let queries = [message(1, QUERY, "a.example", 1), message(2, QUERY, "b.example", 1)];
    let sent = [framed(&queries[0]), framed(&queries[1])].concat();
    let answers =
        [framed(&message(2, ANSWER, "b.example", 1)), framed(&message(1, ANSWER, "a.example", 1))].concat();
    for cut in 1..answers.len() {
        let mut wire = Wire::tcp();
        wire.say(1, Side::A, &sent[..cut.min(sent.len() - 1)]).say(
            2,
            Side::A,
            &sent[cut.min(sent.len() - 1)..],
        );
        wire.say(3, Side::B, &answers[..cut]).say(4, Side::B, &answers[cut..]).end(None, End::Fin);
        let calls = wire.take();
        let told: Vec<_> = calls.iter().map(|call| format!("{} {}", call.target, call.outcome)).collect();
        assert_eq!(told, ["b.example ok", "a.example ok"], "cut at {cut}");
        let bytes: Vec<_> =
            calls.iter().map(|call| call.request.as_ref().expect("it was heard").track.bytes).collect();
        assert_eq!(bytes, [queries[1].len() as u64 + 2, queries[0].len() as u64 + 2]);
    }
}

#[test]
fn a_connection_on_another_port_is_found_by_strict_reading() {
    let query = framed(&message(1, QUERY, "a.example", 1));
    let mut wire = Wire::new(Transport::Tcp, [40_000, 8853]);
    wire.say(1, Side::A, &query[..9]).say(1, Side::A, &query[9..]);
    assert_eq!(wire.session.protocol().map(|protocol| protocol.name), Some("dns"));
    let calls = wire.say(2, Side::B, &framed(&message(1, ANSWER, "a.example", 1))).take();
    assert_eq!(briefs(&calls), ["dns query a.example NOERROR ok [1, 2][3] [nodata]"]);
}

#[test]
fn reads_on_after_a_gap() {
    let answer = |id| framed(&message(id, ANSWER, "a.example", id));
    let mut wire = Wire::tcp();
    wire.say(
        1,
        Side::A,
        &[framed(&message(1, QUERY, "a.example", 1)), framed(&message(2, QUERY, "a.example", 2))].concat(),
    );
    wire.say(2, Side::B, &answer(1)[..20]);
    wire.session.gap(Side::B, 100, &mut wire.board, &mut wire.out);
    wire.say(3, Side::B, b"the end of something").say(4, Side::B, &answer(2)).end(None, End::Fin);
    assert_eq!(
        briefs(&wire.take()),
        ["dns query a.example NOERROR ok [1][4] [gap nodata]", "dns query a.example - unknown [1]- [gap]",]
    );
}

#[test]
fn finds_its_feet_in_a_message_that_comes_in_pieces() {
    let query = framed(&message(2, QUERY, "a.example", 1));
    for before in [&b""[..], b"tail"] {
        let mut wire = Wire::tcp();
        wire.say(1, Side::A, &framed(&message(1, QUERY, "a.example", 1))).say(1, Side::A, &query[..3]);
        wire.session.gap(Side::A, 100, &mut wire.board, &mut wire.out);
        if !before.is_empty() {
            wire.say(2, Side::A, before);
        }
        for piece in query.chunks(9) {
            wire.say(3, Side::A, piece);
        }
        wire.say(4, Side::B, &framed(&message(2, ANSWER, "a.example", 1)));
        let told: Vec<_> =
            wire.take().iter().map(|call| format!("{} {}", call.outcome, call.complete)).collect();
        assert_eq!(told, ["ok true"], "after {before:?}");
    }
}

#[test]
fn a_connection_that_ends_in_an_answer_aborts_its_call() {
    let queries =
        [framed(&message(1, QUERY, "a.example", 1)), framed(&message(2, QUERY, "b.example", 1))].concat();
    let answer = framed(&message(1, ANSWER, "a.example", 1));
    let calls = Wire::tcp()
        .say(1, Side::A, &queries)
        .say(2, Side::B, &answer[..20])
        .end(Some(Side::B), End::Fin)
        .take();
    assert_eq!(
        briefs(&calls),
        ["dns query a.example - aborted [1][2] []", "dns query b.example - no_response [1]- []"]
    );
    let calls = Wire::tcp().say(1, Side::A, &queries).end(Some(Side::A), End::Fin).take();
    assert_eq!(briefs(&calls), [""; 0]);
}

#[test]
fn a_zone_transfer_is_one_call_of_many_messages() {
    let soa = [name("ns.example"), name("root.example"), 9_u32.to_be_bytes().to_vec(), vec![0; 16]].concat();
    let first = with(message(1, 0x8400, "example", 252), 0, ASKED, 6, 60, &soa);
    let second = with(message(1, 0x8400, "example", 252), 0, &name("a.example"), 1, 60, &[192, 0, 2, 1]);
    let last = with(message(1, 0x8400, "example", 252), 0, ASKED, 6, 60, &soa);
    let calls = Wire::tcp()
        .say(1, Side::A, &framed(&message(1, 0, "example", 252)))
        .say(2, Side::B, &framed(&first))
        .say(3, Side::B, &framed(&second))
        .say(4, Side::B, &framed(&last))
        .take();
    assert_eq!(briefs(&calls), ["dns query example NOERROR ok [1][2, 3, 4] []"]);
    assert_eq!(calls[0].took(), Some(Duration::from_secs(3)));
}
