//! Answers meet requests.

use std::time::Duration;

use wirewise_model::{Exchange, Limits, Mark, Message, Outcome, PacketNumber, Side, Track};

use super::*;

fn track(at: i64) -> Track {
    let at = Timestamp::from_nanos(at * 1_000_000);
    let mut track = Track::begin(0, Mark { at, packet: PacketNumber(0) });
    track.extend(Mark { at, packet: PacketNumber(0) }, 1);
    track
}

fn request(name: &str, at: i64) -> Turn<()> {
    let mut exchange = Exchange::new("test", Side::A);
    exchange.operation = name.to_owned();
    exchange.request = Some(Message::bare(track(at)));
    Turn::new(exchange, ())
}

fn orphan() -> Turn<()> {
    Turn::new(Exchange::new("test", Side::A), ())
}

fn told(out: &Out) -> Vec<String> {
    let line = |exchange: &Exchange| {
        let status = exchange.status.as_deref().unwrap_or("-");
        let mut line = format!("{}={status} {}", exchange.operation, exchange.outcome);
        for note in &exchange.notes {
            line += &format!(" +{}", note.0);
        }
        line
    };
    out.exchanges.iter().map(line).collect()
}

struct Play {
    fifo: Fifo<()>,
    out: Out,
}

impl Play {
    fn new(pending_calls: usize) -> Self {
        let limits = Limits { pending_calls, response_wait: Duration::from_secs(10), ..Limits::default() };
        Self { fifo: Fifo::new(&limits), out: Out::default() }
    }

    fn ask(&mut self, name: &str, at: i64) {
        self.fifo.ask(request(name, at), &mut self.out);
        self.fifo.asked(&mut self.out);
    }

    fn part(&mut self, name: &str, at: i64) {
        self.fifo.in_step(Timestamp::from_nanos(at * 1_000_000), &mut self.out);
        if let Some(turn) = self.fifo.answering(Timestamp::from_nanos(at * 1_000_000), orphan) {
            turn.exchange.status = Some(name.to_owned());
            turn.exchange.outcome = Outcome::Ok;
            turn.exchange.response.get_or_insert_with(|| Message::bare(track(at)));
        }
    }

    fn answer(&mut self, name: &str, at: i64) {
        self.part(name, at);
        self.fifo.answered(&mut self.out);
    }

    fn end(mut self) -> Vec<String> {
        self.fifo.end(End::CaptureEnded, Timestamp::from_nanos(0), &mut self.out);
        assert!(!self.fifo.is_waiting() && self.fifo.is_idle());
        told(&self.out)
    }
}

#[test]
fn answers_come_in_the_order_of_the_requests() {
    let mut play = Play::new(10);
    play.ask("a", 1);
    play.ask("b", 2);
    play.answer("a", 3);
    play.ask("c", 4);
    play.answer("b", 5);
    play.answer("c", 6);
    assert_eq!(play.end(), ["a=a ok", "b=b ok", "c=c ok"]);
}

#[test]
fn an_answer_that_is_shown_before_its_request_waits_for_it() {
    let mut play = Play::new(10);
    play.answer("lost", 2);
    play.answer("b", 12);
    play.part("c", 22);
    play.ask("b", 11);
    play.ask("c", 21);
    play.answer("c", 23);
    assert_eq!(play.end(), ["=lost ok +request_not_seen", "b=b ok", "c=c ok"]);
}

#[test]
fn an_answer_older_than_every_request_is_nobodys() {
    let mut play = Play::new(10);
    play.ask("b", 11);
    play.answer("old", 5);
    play.answer("b", 12);
    assert_eq!(play.end(), ["b=b ok", "=old ok +request_not_seen"]);
}

#[test]
fn a_lost_answer_costs_one_call_where_the_client_waits_for_each() {
    let mut play = Play::new(10);
    play.ask("a", 1);
    play.answer("a", 2);
    play.ask("b", 3);
    play.fifo.answers_lost(&mut play.out);
    play.ask("c", 5);
    play.answer("c", 6);
    assert_eq!(play.end(), ["a=a ok", "b=- unknown +gap", "c=c ok"]);
}

#[test]
fn a_lost_answer_of_several_makes_nothing_up() {
    let mut play = Play::new(10);
    play.ask("a", 1);
    play.ask("b", 2);
    play.ask("c", 3);
    play.answer("a", 4);
    play.fifo.answers_lost(&mut play.out);
    play.answer("?", 6);
    play.ask("d", 7);
    play.answer("?", 8);
    // After a silence, what is asked is answered.
    play.ask("e", 2000);
    play.answer("e", 2001);
    let expect = ["a=a ok", "b=- unknown +gap", "c=- unknown +gap", "d=- unknown +gap", "e=e ok"];
    assert_eq!(play.end(), expect);
}

#[test]
fn an_answer_after_the_wait_makes_a_revision() {
    let mut play = Play::new(10);
    play.ask("a", 1);
    play.fifo.tick(Timestamp::from_nanos(60_000_000_000), &mut play.out);
    assert!(!play.fifo.is_waiting());
    play.answer("a", 70_000);
    assert_eq!(play.out.exchanges[1].revision, 1);
    assert_eq!(play.end(), ["a=- no_response +timed_out", "a=a ok +late_response"]);
}

#[test]
fn too_many_requests_push_the_oldest_out() {
    let mut play = Play::new(2);
    for (at, name) in ["a", "b", "c"].iter().enumerate() {
        play.ask(name, at as i64);
    }
    for (at, name) in ["a", "b", "c"].iter().enumerate() {
        play.answer(name, 10 + at as i64);
    }
    assert_eq!(play.end(), ["a=- unknown +evicted", "b=b ok", "c=c ok"]);
}

#[test]
fn what_waits_when_all_is_over_is_told() {
    let mut play = Play::new(10);
    play.ask("a", 1);
    play.part("a", 2);
    play.ask("b", 3);
    assert_eq!(play.end(), ["a=a unknown +capture_ended", "b=- unknown +capture_ended"]);
}

/// Calls by key, asked and answered at given milliseconds.
struct Keys {
    keyed: Keyed<u8, ()>,
    out: Out,
}

impl Keys {
    fn new(pending_calls: usize) -> Self {
        let limits = Limits { pending_calls, ..Limits::default() };
        Self { keyed: Keyed::new(&limits, Duration::from_secs(10)), out: Out::default() }
    }

    fn ask(&mut self, key: u8, name: &str, at: i64) {
        self.keyed.ask(key, request(name, at), &mut self.out);
    }

    fn part(&mut self, key: u8, name: &str, at: i64) {
        let began = Timestamp::from_nanos(at * 1_000_000);
        let turn = self.keyed.answering(key, began, orphan, &mut self.out).expect("there is room");
        turn.exchange.status = Some(name.to_owned());
        turn.exchange.outcome = Outcome::Ok;
        turn.exchange.response.get_or_insert_with(|| Message::bare(track(at)));
    }

    fn answer(&mut self, key: u8, name: &str, at: i64) {
        self.part(key, name, at);
        self.keyed.answered(key, Timestamp::from_nanos(at * 1_000_000), &mut self.out);
    }

    fn end(mut self) -> Vec<String> {
        self.keyed.end(End::CaptureEnded, Timestamp::from_nanos(0), &mut self.out);
        assert!(!self.keyed.is_waiting());
        told(&self.out)
    }
}

#[test]
fn answers_find_their_key_in_any_order() {
    let mut keys = Keys::new(10);
    keys.ask(1, "a", 1);
    keys.ask(2, "b", 2);
    keys.ask(1, "c", 3);
    keys.answer(2, "b", 4);
    keys.answer(1, "a", 5);
    keys.answer(1, "c", 6);
    keys.answer(9, "nobody's", 7);
    assert_eq!(keys.end(), ["b=b ok", "a=a ok", "c=c ok", "=nobody's ok +request_not_seen"]);
}

#[test]
fn a_keyed_answer_that_is_shown_before_its_request_waits_for_it() {
    let mut keys = Keys::new(10);
    keys.answer(1, "a", 12);
    keys.part(2, "b", 14);
    keys.answer(3, "old", 5);
    keys.ask(1, "a", 11);
    keys.ask(2, "b", 13);
    keys.ask(3, "c", 15);
    keys.answer(2, "b", 16);
    assert_eq!(keys.end(), ["a=a ok", "b=b ok", "=old ok +request_not_seen", "c=- unknown +capture_ended"]);
}

#[test]
fn keyed_calls_are_bounded_given_up_and_revised() {
    let mut keys = Keys::new(2);
    for (key, name) in [(1, "a"), (2, "b"), (3, "c")] {
        keys.ask(key, name, i64::from(key));
    }
    keys.keyed.tick(Timestamp::from_nanos(20_000_000_000), &mut keys.out);
    assert!(!keys.keyed.is_waiting());
    keys.answer(2, "b", 21_000);
    // Whoever asks anew has forgotten the one before.
    keys.ask(3, "d", 22_000);
    keys.answer(3, "d", 23_000);
    assert_eq!(
        keys.end(),
        [
            "a=- unknown +evicted",
            "b=- no_response +timed_out",
            "c=- no_response +timed_out",
            "b=b ok +late_response",
            "d=d ok"
        ]
    );
    let mut keys = Keys::new(2);
    (0..200).for_each(|key| keys.answer(key, "early", 5));
    assert!(keys.out.exchanges.len() >= 200 - MOST_EARLY);
}

#[test]
fn a_keyed_call_whose_answer_may_be_lost_is_unknown() {
    let mut keys = Keys::new(10);
    keys.ask(1, "a", 1);
    keys.ask(3, "c", 1);
    keys.keyed.answers_lost(|key| key == 1);
    keys.ask(2, "b", 2);
    assert_eq!(
        keys.end(),
        ["a=- unknown +capture_ended +gap", "c=- unknown +capture_ended", "b=- unknown +capture_ended"]
    );
}

fn numbered() -> (Numbered<()>, Out) {
    (Numbered::new(&Limits { pending_calls: 2, ..Limits::default() }), Out::default())
}

fn answer_number(numbered: &mut Numbered<()>, key: u32, at: i64, out: &mut Out) {
    let mark = Timestamp::from_nanos(at * 1_000_000);
    let finish = |turn: &mut Turn<()>| {
        turn.exchange.outcome = Outcome::Ok;
        turn.exchange.response = Some(Message::bare(track(at)));
    };
    match numbered.answering(key, mark) {
        Some(turn) => {
            finish(turn);
            numbered.answered(key, out);
        }
        None => {
            let mut turn = orphan();
            finish(&mut turn);
            numbered.orphan(key, turn, out);
        }
    }
}

#[test]
fn numbers_pair_in_any_order_and_early_answers_are_found() {
    let (mut numbered, mut out) = numbered();
    numbered.ask(7, request("a", 1), &mut out);
    numbered.ask(8, request("b", 2), &mut out);
    answer_number(&mut numbered, 8, 3, &mut out);
    answer_number(&mut numbered, 9, 5, &mut out);
    numbered.ask(9, request("c", 4), &mut out);
    answer_number(&mut numbered, 7, 6, &mut out);
    answer_number(&mut numbered, 1, 7, &mut out);
    numbered.end(End::CaptureEnded, Timestamp::MIN, &mut out);
    assert_eq!(told(&out), ["b=- ok", "c=- ok", "a=- ok", "=- ok +request_not_seen"]);
}

#[test]
fn a_number_that_is_used_again_or_one_too_many_ends_the_older_call() {
    let (mut numbered, mut out) = numbered();
    numbered.ask(7, request("a", 1), &mut out);
    numbered.answers_lost();
    numbered.ask(7, request("b", 2), &mut out);
    numbered.ask(8, request("c", 3), &mut out);
    numbered.ask(9, request("d", 4), &mut out);
    numbered.tick(Timestamp::from_nanos(400_000_000_000), &mut out);
    assert!(!numbered.is_waiting());
    assert_eq!(
        told(&out),
        [
            "a=- unknown +gap",
            "b=- unknown +evicted",
            "c=- no_response +timed_out",
            "d=- no_response +timed_out"
        ]
    );
}
