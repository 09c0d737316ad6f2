//! Messages and what becomes of them.

use wirewise_model::Side;

use super::{
    Bytes, PORT, ack, after_greeting, bare, confirm, consume, consumer, deliver, frame, greeting, message,
    method, publish,
};
use crate::End;
use crate::talk::{Ev, Talk, attribute, texts, told};

#[test]
fn a_publish_without_confirms_is_a_message_of_three_frames() {
    let args = Bytes::new().u16(0).text("ex").text("a.b").u8(0);
    let frames = method(1, "basic.publish", args);
    let content = message(1, b"0123456789", 4);
    let heard = after_greeting(&[
        Ev::C(frames.clone()),
        Ev::C(content[..30].to_vec()),
        Ev::C(content[30..].to_vec()),
        Ev::Wait(1500),
    ]);
    assert_eq!(told(&heard), ["basic.publish ex:a.b - one_way message 3+4+5>-"]);
    assert_eq!(
        heard[0].request.as_ref().map(|request| request.track.bytes),
        Some((frames.len() + content.len()) as u64)
    );
    for (name, value) in [
        ("messaging.system", "rabbitmq"),
        ("messaging.operation.type", "send"),
        ("messaging.destination.name", "ex:a.b"),
        ("amqp.method.arguments.exchange", "ex"),
        ("messaging.rabbitmq.destination.routing_key", "a.b"),
        ("messaging.message.body.size", "10"),
        ("amqp.method.properties.content_type", "text/plain"),
    ] {
        assert_eq!(attribute(&heard[0], name).as_deref(), Some(value), "{name}");
    }
}

#[test]
fn the_default_exchange_publishes_to_a_queue() {
    let heard = after_greeting(&[Ev::C(publish(1, "", "orders", false)), Ev::Wait(1500)]);
    assert_eq!(told(&heard), ["basic.publish orders - one_way message 3>-"]);
}

#[test]
fn confirms_settle_publishes_by_number() {
    let [select, selected] = confirm(1);
    let nack = method(1, "basic.nack", Bytes::new().u64(4).u8(0));
    let heard = after_greeting(&[
        select,
        selected,
        Ev::C([publish(1, "e", "1", false), publish(1, "e", "2", false)].concat()),
        Ev::C(publish(1, "e", "3", false)),
        Ev::C(publish(1, "e", "4", false)),
        Ev::S(ack(1, 3, true)),
        Ev::S(nack),
    ]);
    assert_eq!(
        told(&heard)[1..],
        [
            "basic.publish e:1 basic.ack ok 5>8",
            "basic.publish e:2 basic.ack ok 5>8",
            "basic.publish e:3 basic.ack ok 6>8",
            "basic.publish e:4 basic.nack server_error 7>9",
        ]
    );
    assert_eq!(heard[1].took().map(|took| took.as_millis()), Some(3));
}

#[test]
fn an_ack_numbers_the_only_publish_where_the_capture_began_later() {
    let heard = Talk::mid_stream(PORT)
        .play(&[
            Ev::C(publish(1, "e", "a", false)),
            Ev::S(ack(1, 700, false)),
            Ev::C(publish(1, "e", "b", false)),
            Ev::C(publish(1, "e", "c", false)),
            Ev::S(ack(1, 702, false)),
            Ev::S(ack(1, 701, false)),
        ])
        .finish();
    assert_eq!(
        told(&heard),
        [
            "basic.publish e:a basic.ack ok 1>2",
            "basic.publish e:c basic.ack ok 4>5",
            "basic.publish e:b basic.ack ok 3>6",
        ]
    );
}

#[test]
fn an_ack_of_nothing_that_was_heard_is_told_alone() {
    let [select, selected] = confirm(1);
    let heard = after_greeting(&[select, selected, Ev::S(ack(1, 1, true)), Ev::Wait(6000)]);
    assert_eq!(told(&heard)[1..], ["basic.ack - one_way message 5>- by B"]);
}

#[test]
fn what_was_published_before_the_channel_confirmed_is_never_confirmed() {
    let [select, selected] = confirm(1);
    let heard = after_greeting(&[
        Ev::C(publish(1, "e", "before", false)),
        select,
        selected,
        Ev::C(publish(1, "e", "after", false)),
        Ev::S(ack(1, 1, false)),
    ]);
    assert_eq!(
        told(&heard),
        [
            "basic.publish e:before - one_way message 3>-",
            "confirm.select confirm.select-ok ok 4>5",
            "basic.publish e:after basic.ack ok 6>7",
        ]
    );
}

#[test]
fn answers_that_a_hole_let_pass_first_find_what_they_answer() {
    // The client's packets of before are released when its hole is given up.
    let mut flow = crate::talk::Released::new(PORT, &greeting());
    let [Ev::C(select), Ev::S(selected)] = confirm(1) else { panic!() };
    flow.held(select);
    flow.server(selected);
    flow.held(publish(1, "e", "k", false));
    flow.server(ack(1, 1, true));
    flow.held(super::declare(1, "q"));
    flow.server(super::declared(1, "q"));
    flow.held(super::close(1, 200, "bye", (0, 0)));
    flow.server(bare(1, "channel.close-ok"));
    let heard = flow.release().finish();
    let lines = told(&heard);
    for line in [
        "confirm.select confirm.select-ok ok 3>4",
        "basic.publish e:k basic.ack ok 5>6",
        "queue.declare q queue.declare-ok ok 7>8",
        "channel.close channel.close-ok ok 9>10",
    ] {
        assert!(lines.contains(&line.to_owned()), "{line} is not in {lines:?}");
    }
}

#[test]
fn a_returned_message_is_the_error_of_its_publish() {
    let returned = |code: u16, text: &str| {
        let args = Bytes::new().u16(code).text(text).text("ex").text("nowhere");
        [method(1, "basic.return", args), message(1, b"hello", 100)].concat()
    };
    let heard = after_greeting(&[Ev::C(publish(1, "ex", "nowhere", true)), Ev::S(returned(312, "NO_ROUTE"))]);
    assert_eq!(told(&heard), ["basic.publish ex:nowhere NO_ROUTE client_error 3>4"]);
    assert_eq!((heard[0].status_code, heard[0].error.as_deref()), (Some(312), Some("NO_ROUTE")));
    assert_eq!(attribute(&heard[0], "amqp.method.arguments.mandatory").as_deref(), Some("true"));

    // With confirms it is acked as well, and that is when it is over.
    let [select, selected] = confirm(1);
    let heard = after_greeting(&[
        select,
        selected,
        Ev::C(publish(1, "ex", "nowhere", true)),
        Ev::S(returned(312, "NO_ROUTE")),
        Ev::S(ack(1, 1, false)),
    ]);
    assert_eq!(told(&heard)[1..], ["basic.publish ex:nowhere NO_ROUTE client_error 5>6+7"]);

    let heard = after_greeting(&[Ev::S(returned(313, "NO_CONSUMERS"))]);
    assert_eq!(told(&heard), ["basic.return ex:nowhere NO_CONSUMERS client_error message 3>- by B"]);
}

#[test]
fn a_delivery_meets_what_the_consumer_makes_of_it() {
    let [asked, answered] = consumer(1, "orders", "tag");
    let reject = method(1, "basic.reject", Bytes::new().u64(4).u8(1));
    let heard = after_greeting(&[
        asked,
        answered,
        Ev::S([deliver(1, "tag", 1), deliver(1, "tag", 2)].concat()),
        Ev::S(deliver(1, "tag", 3)),
        Ev::S(deliver(1, "tag", 4)),
        Ev::C(ack(1, 2, true)),
        Ev::C(ack(1, 3, false)),
        Ev::C(reject),
    ]);
    assert_eq!(
        told(&heard)[1..],
        [
            "basic.deliver orders basic.ack ok 5>8 by B",
            "basic.deliver orders basic.ack ok 5>8 by B",
            "basic.deliver orders basic.ack ok 6>9 by B",
            "basic.deliver orders basic.reject server_error 7>10 by B",
        ]
    );
    assert_eq!(attribute(&heard[4], "amqp.method.arguments.requeue").as_deref(), Some("true"));
    assert_eq!(attribute(&heard[4], "messaging.rabbitmq.message.delivery_tag").as_deref(), Some("4"));
    assert_eq!(attribute(&heard[4], "messaging.destination.name").as_deref(), Some("orders"));
}

#[test]
fn a_delivery_that_needs_no_ack_is_a_message() {
    let heard = after_greeting(&[
        Ev::C(consume(1, "q", "tag", true)),
        Ev::S(method(1, "basic.consume-ok", Bytes::new().text("tag"))),
        Ev::S(deliver(1, "tag", 1)),
    ]);
    assert_eq!(told(&heard)[1..], ["basic.deliver q - one_way message 5>- by B"]);
}

#[test]
fn a_delivery_of_a_consumer_that_was_not_heard_may_need_no_ack() {
    let talk = Talk::mid_stream(PORT).play(&[Ev::S(deliver(1, "tag", 8)), Ev::Wait(11_000)]);
    assert_eq!(told(talk.heard()), ["basic.deliver ex:key - one_way message 1>- by B"]);
    let talk = talk.play(&[Ev::S(deliver(1, "tag", 9)), Ev::C(ack(1, 9, false))]);
    assert_eq!(told(&talk.finish())[1..], ["basic.deliver ex:key basic.ack ok 2>3 by B"]);
}

#[test]
fn messages_that_nobody_acked_go_back_when_all_is_closed_in_order() {
    let [asked, answered] = consumer(1, "q", "tag");
    let heard = after_greeting(&[
        asked.clone(),
        answered.clone(),
        Ev::S(deliver(1, "tag", 1)),
        Ev::C(super::close(1, 200, "bye", (0, 0))),
        Ev::S(bare(1, "channel.close-ok")),
    ]);
    assert_eq!(
        told(&heard)[1..],
        ["basic.deliver q - one_way message 5>- by B +unsettled", "channel.close channel.close-ok ok 6>7"]
    );
    let heard = after_greeting(&[asked, answered, Ev::S(deliver(1, "tag", 1)), Ev::End(None, End::Reset)]);
    assert_eq!(told(&heard)[1..], ["basic.deliver q - no_response message 5>- by B +reset"]);
}

#[test]
fn get_is_answered_with_a_message_or_without() {
    let get = || method(1, "basic.get", Bytes::new().u16(0).text("q").u8(0));
    let ok = Bytes::new().u64(5).u8(0).text("ex").text("key").u32(2);
    let heard = after_greeting(&[
        Ev::C(get()),
        Ev::S(method(1, "basic.get-ok", ok)),
        Ev::S(message(1, b"hello", 2)),
        Ev::C(ack(1, 5, false)),
        Ev::C(get()),
        Ev::S(method(1, "basic.get-empty", Bytes::new().text(""))),
    ]);
    assert_eq!(
        told(&heard),
        [
            "basic.get q basic.get-ok ok 3>4+5",
            "basic.ack q - one_way message 6>-",
            "basic.get q basic.get-empty ok 7>8",
        ]
    );
}

#[test]
fn messages_of_two_channels_interleave() {
    let [one, two] = [1, 2].map(|channel| {
        let args = Bytes::new().u16(0).text("").text(&format!("q{channel}")).u8(0);
        (method(channel, "basic.publish", args), message(channel, &[b'x'; 300], 100))
    });
    let mut frames = [one.0, two.0].concat();
    let head = message(1, b"", 1).len();
    frames.extend([&one.1[..head], &two.1[..head]].concat());
    for piece in 0..3 {
        let at = head + piece * 108;
        frames.extend([&one.1[at..at + 108], &two.1[at..at + 108]].concat());
    }
    let heard = after_greeting(&[Ev::C(frames), Ev::Wait(1500)]);
    assert_eq!(
        told(&heard),
        ["basic.publish q1 - one_way message 3>-", "basic.publish q2 - one_way message 3>-"]
    );
}

#[test]
fn a_body_of_any_size_is_never_held() {
    let body = vec![b'z'; 40 << 20];
    let args = Bytes::new().u16(0).text("").text("big").u8(0);
    let frames = [method(1, "basic.publish", args), message(1, &body, 1 << 20)].concat();
    let mut talk = Talk::new(PORT).play(&greeting());
    for piece in frames.chunks(60_000) {
        talk = talk.play(&[Ev::C(piece.to_vec())]);
        assert!(talk.passed_over("buffered") < 64);
    }
    let heard = talk.play(&[Ev::Wait(1500)]).finish();
    let publish = heard.iter().find(|exchange| exchange.operation == "basic.publish").map(|publish| {
        (
            publish.request.as_ref().map(|request| request.track.bytes),
            attribute(publish, "messaging.message.body.size"),
        )
    });
    assert_eq!(publish, Some((Some(frames.len() as u64), Some((40 << 20).to_string()))));
}

#[test]
fn a_gap_inside_a_body_costs_only_that_body() {
    let args = Bytes::new().u16(0).text("").text("q").u8(0);
    let frames = [method(1, "basic.publish", args), message(1, &[b'x'; 3000], 3000)].concat();
    let (front, rest) = frames.split_at(1000);
    let heard = after_greeting(&[
        Ev::C(front.to_vec()),
        Ev::Lost(Side::A, 1500),
        Ev::C([&rest[1500..], &super::declare(1, "d")].concat()),
        Ev::S(super::declared(1, "d")),
    ]);
    assert_eq!(
        told(&heard),
        ["basic.publish q - one_way message 3+4>- +gap", "queue.declare d queue.declare-ok ok 4>5"]
    );
}

#[test]
fn publishes_after_a_loss_of_some_are_confirmed_again() {
    let [select, selected] = confirm(1);
    let heard = after_greeting(&[
        select,
        selected,
        Ev::C(publish(1, "e", "1", false)),
        Ev::S(ack(1, 1, false)),
        Ev::Lost(Side::A, 900),
        Ev::C(publish(1, "e", "9", false)),
        Ev::S(ack(1, 9, false)),
        Ev::C(publish(1, "e", "10", false)),
        Ev::S(ack(1, 10, false)),
    ]);
    assert_eq!(
        told(&heard)[1..],
        [
            "basic.publish e:1 basic.ack ok 5>6",
            "basic.publish e:9 basic.ack ok 7>8",
            "basic.publish e:10 basic.ack ok 9>10"
        ]
    );
}

#[test]
fn properties_name_the_message_and_a_trace_is_followed() {
    let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let table = Bytes::new().text("x-n").raw(b"I").u32(5).text("traceparent").raw(b"S").long(trace);
    let table = table.text("x-after").raw(b"V");
    let flags = 1 << 15 | 1 << 13 | 1 << 12 | 1 << 10 | 1 << 9 | 1 << 7 | 1 << 5 | 1 << 4 | 1 << 3;
    let header =
        Bytes::new().u16(60).u16(0).u64(0).u16(flags).text("application/json").u32(table.0.len() as u32);
    let header = header.raw(&table.0).u8(2).text("corr-1").text("replies").text("m-1").text("Order");
    let header = header.text("user-canary").text("shop");
    let args = Bytes::new().u16(0).text("").text("q").u8(0);
    let heard = after_greeting(&[
        Ev::C([method(1, "basic.publish", args), frame(2, 1, &header.0)].concat()),
        Ev::Wait(1500),
    ]);
    assert_eq!(told(&heard), ["basic.publish q - one_way message 3>-"]);
    for (name, value) in [
        ("messaging.message.conversation_id", "corr-1"),
        ("messaging.message.id", "m-1"),
        ("amqp.method.properties.reply_to", "replies"),
        ("amqp.method.properties.type", "Order"),
        ("amqp.method.properties.app_id", "shop"),
        ("amqp.method.properties.delivery_mode", "2"),
        ("messaging.message.body.size", "0"),
    ] {
        assert_eq!(attribute(&heard[0], name).as_deref(), Some(value), "{name}");
    }
    let ids = ("4bf92f3577b34da6a3ce929d0e0e4736".to_owned(), "00f067aa0ba902b7".to_owned());
    assert_eq!(heard[0].trace, Some(ids));
    assert!(heard.iter().flat_map(texts).all(|text| !text.contains("canary")));
}

#[test]
fn secrets_are_nowhere_in_what_is_told() {
    let canary = "canary-51c0";
    let secret =
        |name: &str| Bytes::new().u32(0).text(name).long(&format!("\0{canary}\0{canary}")).text("en_US");
    let table = Bytes::new().text("authorization").raw(b"S").long(canary);
    let header = Bytes::new().u16(60).u16(0).u64(canary.len() as u64).u16(1 << 13).u32(table.0.len() as u32);
    let publish = method(1, "basic.publish", Bytes::new().u16(0).text("").text("q").u8(0));
    let content = [frame(2, 1, &header.raw(&table.0).0), frame(3, 1, canary.as_bytes())].concat();
    let arguments = Bytes::new().text("x-password").raw(b"S").long(canary);
    let declare = Bytes::new().u16(0).text("q").u8(0).u32(arguments.0.len() as u32).raw(&arguments.0);
    let [hello, start] = greeting();
    let heard = super::hear(&[
        hello,
        start,
        Ev::C(method(0, "connection.start-ok", secret("PLAIN"))),
        Ev::S(method(0, "connection.secure", Bytes::new().long(canary))),
        Ev::C(method(0, "connection.secure-ok", Bytes::new().long(canary))),
        Ev::C(method(0, "connection.update-secret", Bytes::new().long(canary).text("expired"))),
        Ev::S(bare(0, "connection.update-secret-ok")),
        Ev::C(method(1, "queue.declare", declare)),
        Ev::S(super::declared(1, "q")),
        Ev::C([publish, content].concat()),
        Ev::Wait(1500),
    ]);
    assert_eq!(heard.len(), 6);
    for text in heard.iter().flat_map(texts) {
        assert!(!text.contains(canary), "{text}");
    }
}
