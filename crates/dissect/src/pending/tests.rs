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

fn keyed() -> (Keyed<()>, Out) {
    (Keyed::new(&Limits { pending_calls: 2, ..Limits::default() }), Out::default())
}

fn answer(keyed: &mut Keyed<()>, key: u32, at: i64, out: &mut Out) {
    let mark = Timestamp::from_nanos(at * 1_000_000);
    let finish = |turn: &mut Turn<()>| {
        turn.exchange.outcome = Outcome::Ok;
        turn.exchange.response = Some(Message::bare(track(at)));
    };
    match keyed.answering(key, mark) {
        Some(turn) => {
            finish(turn);
            keyed.answered(key, out);
        }
        None => {
            let mut turn = orphan();
            finish(&mut turn);
            keyed.orphan(key, turn, out);
        }
    }
}

#[test]
fn numbers_pair_in_any_order_and_early_answers_are_found() {
    let (mut keyed, mut out) = keyed();
    keyed.ask(7, request("a", 1), &mut out);
    keyed.ask(8, request("b", 2), &mut out);
    answer(&mut keyed, 8, 3, &mut out);
    answer(&mut keyed, 9, 5, &mut out);
    keyed.ask(9, request("c", 4), &mut out);
    answer(&mut keyed, 7, 6, &mut out);
    answer(&mut keyed, 1, 7, &mut out);
    keyed.end(End::CaptureEnded, Timestamp::MIN, &mut out);
    assert_eq!(told(&out), ["b=- ok", "c=- ok", "a=- ok", "=- ok +request_not_seen"]);
}

#[test]
fn a_number_that_is_used_again_or_one_too_many_ends_the_older_call() {
    let (mut keyed, mut out) = keyed();
    keyed.ask(7, request("a", 1), &mut out);
    keyed.answers_lost();
    keyed.ask(7, request("b", 2), &mut out);
    keyed.ask(8, request("c", 3), &mut out);
    keyed.ask(9, request("d", 4), &mut out);
    keyed.tick(Timestamp::from_nanos(400_000_000_000), &mut out);
    assert!(!keyed.is_waiting());
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
