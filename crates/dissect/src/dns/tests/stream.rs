//! DNS over TCP.

use std::time::Duration;

use wirewise_model::{Side, Transport};

use super::{ANSWER, ASKED, QUERY, Wire, attribute, briefs, framed, message, name, with};
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
fn a_response_that_is_heard_before_its_query_finds_it() {
    let ask = |id, name| framed(&message(id, QUERY, name, 1));
    let answer = |id, name| framed(&message(id, ANSWER, name, 1));
    let mut wire = Wire::tcp();
    // Bytes before the second query were lost, and so it was held back until after its response.
    wire.say(1, Side::A, &ask(1, "a.example")).say(2, Side::B, &answer(1, "a.example"));
    wire.say(4, Side::B, &answer(2, "b.example")).say(5, Side::B, &answer(3, "c.example"));
    wire.end(Some(Side::B), End::Fin);
    wire.session.gap(Side::A, 30, &mut wire.board, &mut wire.out);
    wire.say(3, Side::A, &ask(2, "b.example"));
    // What is asked after a response is not what was answered.
    wire.say(6, Side::A, &ask(3, "c.example"));
    let calls = wire.end(None, End::Fin).take();
    assert_eq!(
        briefs(&calls),
        [
            "dns query a.example NOERROR ok [1][2] [nodata]",
            "dns query b.example NOERROR ok [5][3] [nodata]",
            "dns query c.example - no_response [6]- []",
            "dns query c.example NOERROR ok -[4] [request_not_seen nodata]",
        ]
    );
    assert_eq!(calls[1].took(), Some(Duration::from_secs(1)));
    assert_eq!(attribute(&calls[1], "dns.flags.recavail").as_deref(), Some("true"));
    // One that nothing was asked for waits a while, and no longer.
    let mut wire = Wire::tcp();
    wire.say(1, Side::A, &ask(1, "a.example")).say(2, Side::B, &answer(9, "z.example"));
    assert_eq!(briefs(&wire.tick(6).take()), [""; 0]);
    assert_eq!(
        briefs(&wire.tick(7).take()),
        ["dns query z.example NOERROR ok -[2] [request_not_seen nodata]"]
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
        let calls = wire.end(None, End::Fin).take();
        let paired = calls.iter().filter(|call| call.request.is_some() && call.response.is_some());
        let paired: Vec<_> = paired.map(|call| call.outcome.name()).collect();
        assert_eq!(
            (calls.len(), paired.as_slice()),
            (2, &["ok"][..]),
            "after {before:?}: {:?}",
            briefs(&calls)
        );
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
