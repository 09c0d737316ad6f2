//! Who is told to belong to whom, by what was heard when.

use wirewise_model::{Mark, PacketNumber};

use super::*;

#[derive(Clone, Debug)]
struct Said(&'static str, Track);

impl Tracked for Said {
    fn track(&self) -> &Track {
        &self.1
    }
}

fn said(what: &'static str, at: i64) -> Said {
    let mark = Mark { at: Timestamp::from_nanos(at * 1_000_000), packet: PacketNumber(at as u64) };
    let mut track = Track::begin(0, mark);
    track.extend(mark, 1);
    Said(what, track)
}

enum Ev {
    Ask(&'static str, i64),
    Answer(&'static str, i64),
    AnswersLost(bool),
    AsksLost,
    Tick(i64),
    Close,
}
use Ev::{Answer, AnswersLost, Ask, AsksLost, Close, Tick};

fn play(events: Vec<Ev>) -> Vec<String> {
    let mut told = Vec::new();
    let mut lineup: Lineup<Said, Said> = Lineup::default();
    let mut sink = |met: Met<Said, Said>| {
        told.push(match met {
            Met::Pair { asked, answer, late } => {
                format!("{}={}{}", asked.0, answer.0, if late { " late" } else { "" })
            }
            Met::Alone { answer, lost } => {
                format!("?={}{}", answer.0, if lost { " lost" } else { "" })
            }
            Met::Lost(asked) => format!("{}=lost", asked.0),
            Met::Unanswered { asked, why, .. } => format!("{}={why:?}", asked.0),
        });
    };
    for event in events {
        match event {
            Ask(what, at) => lineup.ask(said(what, at), 4, &mut sink),
            Answer(what, at) => lineup.answer(said(what, at), &mut sink),
            AnswersLost(message) => lineup.responses_lost(message),
            AsksLost => lineup.requests_lost(),
            Tick(at) => lineup.tick(
                Timestamp::from_nanos(at * 1_000_000),
                Duration::from_secs(300),
                |asked| asked.0 == "patient",
                &mut sink,
            ),
            Close => lineup.close(End::Fin, Timestamp::from_nanos(0), &mut sink),
        }
    }
    told
}

#[test]
fn pipelined_requests_are_paired_in_order() {
    let told = play(vec![Ask("a", 1), Ask("b", 1), Answer("x", 2), Ask("c", 3), Answer("y", 4), Close]);
    assert_eq!(told, ["a=x", "b=y", "c=Fin"]);
}

#[test]
fn a_response_that_is_heard_first_waits_for_its_request() {
    assert_eq!(play(vec![Answer("x", 2), Ask("a", 1), Close]), ["a=x"]);
    assert_eq!(play(vec![Answer("x", 1), Ask("a", 2), Answer("y", 3), Close]), ["?=x", "a=y"]);
}

#[test]
fn a_response_that_began_before_the_request_is_not_its() {
    assert_eq!(play(vec![Ask("a", 5), Answer("x", 2), Close]), ["?=x", "a=Fin"]);
}

#[test]
fn after_lost_responses_one_client_that_waits_is_paired_again_and_one_that_does_not_is_not() {
    let waits = vec![
        Ask("a", 1),
        Answer("x", 2),
        Ask("b", 3),
        AnswersLost(false),
        Ask("c", 5),
        Answer("z", 6),
        Close,
    ];
    assert_eq!(play(waits), ["a=x", "b=lost", "c=z"]);
    let pipelines =
        vec![Ask("a", 1), Ask("b", 1), AnswersLost(false), Answer("y", 3), Ask("c", 1500), Answer("z", 1501)];
    assert_eq!(play(pipelines), ["a=lost", "b=lost", "?=y lost", "c=z"]);
}

#[test]
fn a_client_that_sends_batch_by_batch_ends_a_drift_with_its_next_batch() {
    let rounds = |then: Vec<Ev>| {
        let mut events = vec![];
        for at in [1, 3, 5, 7] {
            events.extend([Ask("a", at), Ask("b", at), Answer("x", at + 1), Answer("y", at + 1)]);
        }
        events.extend(then);
        play(events).split_off(8)
    };
    let replies_lost = vec![
        Ask("c", 9),
        Ask("d", 9),
        AnswersLost(false),
        Answer("?", 10),
        Ask("e", 11),
        Ask("f", 11),
        Answer("u", 12),
        Answer("v", 12),
    ];
    assert_eq!(rounds(replies_lost), ["c=lost", "d=lost", "?=? lost", "e=u", "f=v"]);
    let requests_lost = vec![
        Ask("c", 9),
        Answer("x", 10),
        AsksLost,
        Ask("d", 11),
        Answer("?", 12),
        Answer("?", 12),
        Ask("e", 13),
        Answer("u", 14),
    ];
    assert_eq!(rounds(requests_lost), ["c=x", "d=lost", "?=? lost", "?=? lost", "e=u"]);
}

#[test]
fn a_client_that_overlaps_its_batches_stays_adrift() {
    let mut events = vec![Ask("a", 1), Answer("x", 2), Ask("b", 3), Answer("x", 4), Ask("c", 5)];
    events.extend([Answer("x", 6), Ask("d", 7), Ask("e", 7), Answer("x", 8), Ask("f", 9)]);
    events.extend([AnswersLost(false), Answer("?", 10), Ask("g", 11), Answer("?", 12)]);
    assert_eq!(play(events).split_off(4), ["e=lost", "f=lost", "?=? lost", "g=lost", "?=? lost"]);
}

#[test]
fn after_lost_requests_a_pair_is_made_once_the_lost_one_was_answered() {
    let told = play(vec![
        Ask("a", 1),
        Ask("b", 1),
        Answer("x", 2),
        Answer("y", 2),
        AsksLost,
        Answer("l", 4),
        Ask("c", 5),
        Answer("z", 6),
        Close,
    ]);
    assert_eq!(told, ["a=x", "b=y", "?=l lost", "c=z"]);
}

#[test]
fn what_waits_too_long_is_given_up_and_may_be_answered_late_unless_the_server_may_hold_it() {
    let told = play(vec![Ask("a", 0), Tick(300_000), Answer("x", 300_500), Close]);
    assert_eq!(told, ["a=TimedOut", "a=x late"]);
    assert_eq!(play(vec![Ask("patient", 0), Tick(900_000), Answer("x", 900_001)]), ["patient=x"]);
}

#[test]
fn past_the_bound_the_oldest_is_put_out_and_the_rest_stays_in_step() {
    let mut events: Vec<Ev> = ["a", "b", "c", "d", "e"].into_iter().map(|what| Ask(what, 1)).collect();
    events.extend([Answer("1", 2), Answer("2", 2), Answer("3", 2), Answer("4", 2), Answer("5", 2)]);
    assert_eq!(play(events), ["a=Evicted", "?=1", "b=2", "c=3", "d=4", "e=5"]);
}
