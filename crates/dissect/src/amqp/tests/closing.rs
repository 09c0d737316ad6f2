//! Channels and connections that are closed, and whose error that is.

use super::{Bytes, after_greeting, bare, close, confirm, declare, greeting, hear, method, publish};
use crate::End;
use crate::talk::{Ev, attribute, told};

#[test]
fn a_channel_closed_with_an_error_answers_the_method_that_it_names() {
    let heard = after_greeting(&[
        Ev::C(declare(5, "nope")),
        Ev::S(close(5, 404, "NOT_FOUND - no queue 'nope' in vhost '/'", (50, 10))),
        Ev::C(bare(5, "channel.close-ok")),
    ]);
    assert_eq!(
        told(&heard),
        ["queue.declare nope NOT_FOUND client_error 3>4", "channel.close NOT_FOUND ok 4>5 by B"]
    );
    assert_eq!(heard[0].status_code, Some(404));
    assert_eq!(heard[0].error.as_deref(), Some("NOT_FOUND - no queue 'nope' in vhost '/'"));
    assert_eq!(attribute(&heard[1], "amqp.method.arguments.method_id").as_deref(), Some("queue.declare"));
}

#[test]
fn a_publish_to_an_exchange_that_is_not_there_is_refused_by_the_close() {
    let heard = after_greeting(&[
        Ev::C([publish(1, "gone", "k", false), publish(1, "", "q", false)].concat()),
        Ev::S(close(1, 404, "NOT_FOUND - no exchange 'gone' in vhost '/'", (60, 40))),
        Ev::C(bare(1, "channel.close-ok")),
    ]);
    assert_eq!(
        told(&heard),
        [
            "basic.publish gone:k NOT_FOUND client_error 3>4",
            "basic.publish q - one_way message 3>-",
            "channel.close NOT_FOUND ok 4>5 by B",
        ]
    );
}

#[test]
fn unconfirmed_publishes_of_a_closed_channel_were_not_answered() {
    let [select, selected] = confirm(1);
    let heard = after_greeting(&[
        select,
        selected,
        Ev::C(publish(1, "e", "k", false)),
        Ev::S(close(1, 541, "INTERNAL_ERROR", (0, 0))),
        Ev::C(bare(1, "channel.close-ok")),
    ]);
    assert_eq!(
        told(&heard)[1..],
        [
            "basic.publish e:k - no_response message 5>- +unsettled",
            "channel.close INTERNAL_ERROR server_error 6>7 by B",
        ]
    );
}

#[test]
fn a_connection_closed_with_an_error_answers_all_channels() {
    let heard = after_greeting(&[
        Ev::C([declare(1, "a"), declare(2, "b")].concat()),
        Ev::S(close(0, 320, "CONNECTION_FORCED - broker forced connection closure", (0, 0))),
        Ev::C(bare(0, "connection.close-ok")),
    ]);
    assert_eq!(
        told(&heard),
        [
            "queue.declare a CONNECTION_FORCED server_error 3>4",
            "queue.declare b CONNECTION_FORCED server_error 3>4",
            "connection.close CONNECTION_FORCED ok session 4>5 by B",
        ]
    );
}

#[test]
fn a_login_that_is_refused_is_the_close_itself() {
    let [hello, start] = greeting();
    let ok = Bytes::new().u32(0).text("PLAIN").long("\0guest\0wrong").text("en_US");
    let heard = hear(&[
        hello,
        start,
        Ev::C(method(0, "connection.start-ok", ok)),
        Ev::S(close(0, 403, "ACCESS_REFUSED - Login was refused", (0, 0))),
        Ev::End(None, End::Fin),
    ]);
    assert_eq!(told(&heard)[2..], ["connection.close ACCESS_REFUSED client_error session 4>- by B"]);
    assert_eq!(heard[2].status_code, Some(403));
}

#[test]
fn an_orderly_close_is_a_question_like_any_other() {
    let heard = after_greeting(&[
        Ev::C(close(1, 200, "Normal shutdown", (0, 0))),
        Ev::S(bare(1, "channel.close-ok")),
        Ev::C(close(0, 200, "Normal shutdown", (0, 0))),
        Ev::S(bare(0, "connection.close-ok")),
    ]);
    assert_eq!(
        told(&heard),
        ["channel.close channel.close-ok ok 3>4", "connection.close connection.close-ok ok session 5>6"]
    );
}

#[test]
fn a_channel_number_that_is_opened_again_knows_nothing_of_before() {
    let [select, selected] = confirm(1);
    let heard = after_greeting(&[
        select,
        selected,
        Ev::C(close(1, 200, "bye", (0, 0))),
        Ev::S(bare(1, "channel.close-ok")),
        Ev::C(method(1, "channel.open", Bytes::new().text(""))),
        Ev::S(method(1, "channel.open-ok", Bytes::new().long(""))),
        Ev::C(publish(1, "e", "k", false)),
        Ev::Wait(1500),
    ]);
    assert_eq!(told(&heard)[3..], ["basic.publish e:k - one_way message 9>-"]);
}
