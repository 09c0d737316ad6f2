//! Conversations of clients and servers, as they stand on the wire.

use wirewise_model::{Coverage, Exchange, Limits, Side};

use crate::End;
use crate::rehearsal::{Ev, Flow, attribute, c, hear, is_quick, mistreat, overhear, s, texts, told};

const PORT: u16 = 4222;
const INFO: &str =
    "INFO {\"server_id\":\"N1\",\"server_name\":\"n1\",\"version\":\"2.10.9\",\"nonce\":\"canary\"}\r\n";
const QUIET: &str = "CONNECT {\"verbose\":false,\"user\":\"bob\",\"pass\":\"canary\",\"auth_token\":\"canary\",\
                     \"jwt\":\"canary\",\"sig\":\"canary\",\"nkey\":\"canary\",\"name\":\"shop\",\"lang\":\"go\",\
                     \"version\":\"1.25.0\"}\r\n";
const VERBOSE: &str = "CONNECT {\"verbose\":true,\"name\":\"shop\"}\r\n";

fn check(events: &[Ev], expected: &[&str]) -> Vec<Exchange> {
    let heard = hear(PORT, events);
    assert_eq!(told(&heard), expected);
    heard
}

/// After INFO and CONNECT of a client that is not verbose.
fn converse(events: &[Ev], expected: &[&str]) -> Vec<Exchange> {
    let heard = hear(PORT, &[&[s(INFO), c(format!("{QUIET}PING\r\n")), s("PONG\r\n")], events].concat());
    assert_eq!(told(&heard)[3..], *expected);
    heard[3..].to_vec()
}

#[test]
fn a_connection_says_who_and_never_how_it_proves_it() {
    let heard = check(
        &[s(INFO), c(format!("{QUIET}PING\r\n")), s("PONG\r\n")],
        &["?INFO - one_way session", "CONNECT - one_way session", "PING PONG ok probe 1ms"],
    );
    for (name, value) in [
        ("messaging.system", "nats"),
        ("messaging.client.id", "shop"),
        ("user.name", "bob"),
        ("user_agent.original", "nats-go/1.25.0"),
    ] {
        assert_eq!(attribute(&heard[1], name), value);
    }
    assert_eq!(attribute(&heard[0], "nats.version"), "2.10.9");
    assert!(!texts(&heard).contains("canary"));
}

#[test]
fn a_connection_that_is_refused_fails() {
    let heard = check(
        &[
            s(INFO),
            c(format!("{QUIET}PING\r\n")),
            s("-ERR 'Authorization Violation'\r\n"),
            Ev::End(None, End::Fin),
        ],
        &["?INFO - one_way session", "CONNECT ERR client_error session 1ms", "PING - no_response probe"],
    );
    assert_eq!(heard[1].error.as_deref(), Some("Authorization Violation"));
    check(
        &[s(INFO), c(QUIET), s("-ERR 'maximum connections exceeded'\r\n")],
        &["?INFO - one_way session", "CONNECT ERR server_error session 1ms"],
    );
}

#[test]
fn messages_go_one_way_both_ways() {
    let heard = converse(
        &[
            c("SUB orders.* workers 1\r\nPUB orders.new 6\r\ncanary\r\n"),
            s("MSG orders.new 1 6\r\ncanary\r\n"),
            c("HPUB a.b 22 28\r\nNATS/1.0\r\nBar: Baz\r\n\r\ncanary\r\n"),
            c("UNSUB 1 5\r\n"),
            s("-ERR 'Permissions Violation for Publish to \"a.b\"'\r\n"),
        ],
        &[
            "SUB orders.* - one_way",
            "PUB orders.new - one_way message",
            "<MSG orders.new - one_way message",
            "HPUB a.b - one_way message",
            "UNSUB - one_way",
            "<-ERR ERR client_error message",
        ],
    );
    assert_eq!(attribute(&heard[0], "messaging.consumer.group.name"), "workers");
    assert_eq!(attribute(&heard[1], "messaging.operation.type"), "send");
    assert_eq!(attribute(&heard[2], "messaging.operation.type"), "receive");
    assert_eq!(
        (attribute(&heard[2], "nats.sid"), attribute(&heard[3], "messaging.message.body.size")),
        ("1".into(), "6".into())
    );
    assert!(!texts(&heard).contains("canary"));
}

#[test]
fn a_request_is_answered_by_the_message_to_its_reply_subject() {
    let heard = converse(
        &[
            c("SUB _INBOX.x.* 1\r\nPUB svc.a _INBOX.x.1 2\r\nhi\r\nPUB svc.b _INBOX.x.2 0\r\n\r\n"),
            s("HMSG _INBOX.x.2 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\n"),
            s("MSG _INBOX.x.1 1 2\r\nok\r\n"),
            c("PUB svc.c _INBOX.x.3 0\r\n\r\n"),
            Ev::Wait(301),
            s("MSG _INBOX.x.3 1 2\r\nok\r\n"),
        ],
        &[
            "SUB _INBOX.x.* - one_way",
            "PUB svc.b 503 server_error 1ms",
            "PUB svc.a OK ok 2ms",
            "PUB svc.c - no_response +timed_out",
            "PUB svc.c OK ok 301002ms again +late",
        ],
    );
    assert_eq!(heard[1].error.as_deref(), Some("no responders"));
    assert_eq!(attribute(&heard[2], "nats.reply_to"), "_INBOX.x.1");
    assert_eq!(heard[0].endpoint.as_deref(), Some("_INBOX.{id}"));
}

#[test]
fn a_request_whose_reply_goes_elsewhere_is_one_way() {
    converse(&[c("PUB svc.a elsewhere 2\r\nhi\r\n"), Ev::End(None, End::Fin)], &["PUB svc.a - one_way"]);
}

#[test]
fn a_pull_is_over_with_its_first_message() {
    converse(
        &[
            c("SUB _INBOX.p 3\r\nPUB $JS.API.CONSUMER.MSG.NEXT.S.dur _INBOX.p 0\r\n\r\n"),
            s("MSG js.0 3 $JS.ACK.S.dur.1.1.1.17.2 1\r\nx\r\n"),
            c("PUB $JS.ACK.S.dur.1.1.1.17.2 4\r\n+ACK\r\n"),
        ],
        &[
            "SUB _INBOX.p - one_way",
            "PUB $JS.API.CONSUMER.MSG.NEXT.S.dur OK ok long_poll +answered_by_messages",
            "<MSG js.0 - one_way message",
            "PUB $JS.ACK.S.dur.1.1.1.17.2 - one_way message",
        ],
    );
}

#[test]
fn verbose_clients_are_answered_line_by_line() {
    check(
        &[
            s(INFO),
            c(VERBOSE),
            s("+OK\r\n"),
            c("SUB a 1\r\nPUB a 1\r\nx\r\nPING\r\n"),
            s("+OK\r\n+OK\r\nMSG a 1 1\r\nx\r\nPONG\r\n"),
            c("PUB b _INBOX.q 1\r\nx\r\n"),
            s("+OK\r\n"),
            c("PUB > 1\r\nx\r\n"),
            s("-ERR 'Invalid Publish Subject'\r\n"),
        ],
        &[
            "?INFO - one_way session",
            "CONNECT OK ok session 1ms",
            "SUB a OK ok 1ms",
            "PUB a OK ok message 1ms",
            "<MSG a - one_way message",
            "PING PONG ok probe 1ms",
            "PUB > ERR client_error message 1ms",
            "PUB b - one_way",
        ],
    );
}

#[test]
fn servers_ping_too() {
    let heard = converse(&[s("PING\r\n"), c("PONG\r\n")], &["PING PONG ok probe 1ms"]);
    assert_eq!(heard[0].client, Side::B);
}

#[test]
fn headers_carry_traces() {
    let headers = "NATS/1.0\r\ntraceparent: 00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01\r\n\r\n";
    let heard = converse(
        &[c(format!("HPUB t {0} {0}\r\n{headers}\r\n", headers.len()))],
        &["HPUB t - one_way message"],
    );
    let trace = heard[0].trace.as_ref().map(|(trace, span)| (&**trace, &**span));
    assert_eq!(trace, Some(("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")));
}

#[test]
fn a_big_payload_is_counted_down_and_a_gap_inside_of_it_costs_nothing_else() {
    let mut flow = Flow::new(Limits { undissected_bytes: 4 << 10, ..Limits::default() }, PORT, false);
    flow.play(&[s(INFO), c(QUIET), c("PUB big 1000000\r\n"), c(vec![b'\r'; 400_000])], 10_000);
    flow.play(&[Ev::Lost(Side::A, 500_000), c(vec![b'x'; 100_000]), c("\r\nPUB a 0\r\n\r\n")], 10_000);
    let heard = flow.finish();
    assert_eq!(
        told(&heard)[1..],
        ["PUB big - one_way message +gap", "PUB a - one_way message", "CONNECT - one_way session"]
    );
    assert_eq!(heard[1].coverage, Coverage::Partial);
    assert_eq!(attribute(&heard[1], "messaging.message.body.size"), "1000000");
}

#[test]
fn after_a_loss_subjects_and_pings_find_each_other() {
    converse(
        &[
            c("SUB _INBOX.x.* 1\r\nPUB a _INBOX.x.1 0\r\n\r\nPUB b _INBOX.x.2 0\r\n\r\nPING\r\n"),
            Ev::Lost(Side::B, 40),
            s("MSG _INBOX.x.2 1 2\r\nok\r\n"),
            c("PING\r\n"),
            s("PONG\r\n"),
            Ev::Lost(Side::A, 10),
            c("lost words\r\n"),
            c("PUB c 0\r\n\r\n"),
            Ev::End(None, End::Fin),
        ],
        &[
            "SUB _INBOX.x.* - one_way",
            "PUB b OK ok 2ms",
            "PING - unknown probe +gap",
            "PING PONG ok probe 1ms",
            "PUB c - one_way message",
            "PUB a - unknown +gap",
        ],
    );
}

#[test]
fn past_the_bounds_the_oldest_is_put_out() {
    let mut flow = Flow::new(Limits { pending_calls: 2, ..Limits::default() }, PORT, false);
    flow.play(&[s(INFO), c(QUIET), s("PING\r\n"), c("SUB r.* 1\r\n")], usize::MAX);
    for id in 0..3 {
        flow.play(&[c(format!("PUB a _INBOX.{id} 0\r\n\r\n"))], usize::MAX);
    }
    let told_so_far = told(&flow.out.exchanges);
    assert_eq!(told_so_far.last().map(String::as_str), Some("PUB a - one_way"));
    assert_eq!(flow.open().len(), 3);
    let mut events = vec![s(INFO)];
    events.extend((0..20).map(|_| c("PING\r\n")));
    let evicted = told(&hear(PORT, &events)).iter().filter(|told| told.contains("evicted")).count();
    assert_eq!(evicted, 4);
}

#[test]
fn tls_after_info_is_left_to_tls() {
    let mut flow = Flow::new(Limits::default(), PORT, false);
    flow.play(&[s("INFO {\"tls_required\":true}\r\n"), c([0x16, 3, 1, 2, 0, 1, 0, 1])], usize::MAX);
    assert_eq!(flow.protocol(), Some("tls"));
    assert_eq!(told(&flow.finish())[0], "?INFO - one_way session");
}

#[test]
fn it_is_entered_in_the_middle_and_other_lines_are_left_alone() {
    let heard = overhear(40_001, &[s("MSG a 1 2\r\nhi\r\n"), c("PUB b 1\r\nx\r\n"), s("+OK\r\n")]);
    assert_eq!(told(&heard), ["<MSG a - one_way message", "PUB b - one_way message", "? OK ok +mid_stream"]);
    let heard = overhear(40_001, &[c("PING\r\n"), s("PONG\r\n"), c("SUB a 1\r\n")]);
    assert_eq!(told(&heard), ["PING PONG ok probe 1ms", "SUB a - one_way"]);
    let others: &[&[Ev]] = &[
        &[c("PING\r\n"), s("+PONG\r\n")],
        &[c("CONNECT host:443 HTTP/1.1\r\nHost: host\r\n\r\n"), s("HTTP/1.1 200 OK\r\n\r\n")],
        &[s("+OK POP3\r\n"), c("USER x\r\n"), s("+OK\r\n")],
        &[c("PING :irc\r\n"), s(":server PONG server :irc\r\n")],
        &[c("SUBJECT\r\n"), s("INFORMATION\r\n")],
    ];
    for events in others {
        for heard in [hear(PORT, events), overhear(PORT, events)] {
            assert!(heard.iter().all(|call| call.protocol != "nats"), "{events:?}: {:?}", told(&heard));
        }
    }
}

#[test]
fn endless_lines_and_huge_lengths_end_in_bounds() {
    is_quick(|| {
        converse(
            &[c(vec![b'x'; 300_000]), c("PUB a 99999999999999999999\r\n"), c("PING\r\n")],
            &["PING - unknown probe +capture_ended"],
        );
        converse(&[c("HPUB a 10 5\r\nxxxxx\r\n"), c("PUB a b c d 5\r\n")], &[]);
        let json = format!("CONNECT {}{}\r\n", "{\"a\":".repeat(10_000), "}".repeat(10_000));
        check(&[s(INFO), c(json)], &["?INFO - one_way session", "CONNECT - unknown session +capture_ended"]);
    });
}

#[test]
fn rude_conversations_end_in_balance() {
    for greeting in [QUIET, VERBOSE] {
        mistreat(
            PORT,
            &[
                s(INFO),
                c(format!("{greeting}PING\r\n")),
                s("+OK\r\nPONG\r\n"),
                c("SUB _INBOX.x.* q 1\r\nPUB svc _INBOX.x.1 2\r\nhi\r\n"),
                s("HMSG _INBOX.x.1 1 12 14\r\nNATS/1.0\r\n\r\nok\r\nPING\r\n"),
                c("PONG\r\nHPUB a 12 14\r\nNATS/1.0\r\n\r\nhi\r\nUNSUB 1\r\n"),
                s("-ERR 'Stale Connection'\r\n"),
            ],
        );
    }
}
