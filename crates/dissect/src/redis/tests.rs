//! Conversations of clients and servers, as they stand on the wire.

use wirewise_model::{Coverage, Exchange, Limits, Side};

use crate::End;
use crate::rehearsal::{Ev, Flow, attribute, c, hear, is_quick, mistreat, overhear, s, texts, told};

const PORT: u16 = 6379;

/// A command as clients send it.
fn command(words: &[&str]) -> Vec<u8> {
    let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        bytes.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
    bytes
}

fn ask(line: &str) -> Ev {
    let words: Vec<&str> = line.split(' ').collect();
    c(command(&words))
}

fn check(events: &[Ev], expected: &[&str]) -> Vec<Exchange> {
    let heard = hear(PORT, events);
    assert_eq!(told(&heard), expected);
    heard
}

#[test]
fn a_command_is_a_call_with_its_key_and_without_its_value() {
    let heard = check(
        &[ask("set user:17 canary"), s("+OK\r\n"), ask("GET user:17"), s("$6\r\ncanary\r\n")],
        &["SET user:17 OK ok 1ms", "GET user:17 OK ok 1ms"],
    );
    assert_eq!(attribute(&heard[0], "db.system.name"), "redis");
    assert_eq!(attribute(&heard[0], "db.operation.name"), "SET");
    assert!(!texts(&heard).contains("canary"));
    let request = heard[0].request.as_ref().expect("asked");
    assert_eq!((request.track.bytes, request.track.frames.numbers.as_slice()[0].0), (38, 1));
}

#[test]
fn keys_are_found_where_each_command_has_them() {
    for (line, expected) in [
        ("EVAL script 2 k1 k2 a", "EVAL k1"),
        ("EVALSHA abc 0 secret", "EVALSHA"),
        ("XREAD COUNT 2 STREAMS mystream 0", "XREAD mystream"),
        ("XREADGROUP GROUP g c BLOCK 5 STREAMS s >", "XREADGROUP s"),
        ("BITOP AND dest a b", "BITOP dest"),
        ("LMPOP 2 a b LEFT", "LMPOP a"),
        ("MSET a 1 b 2", "MSET a"),
        ("OBJECT ENCODING k", "OBJECT ENCODING k"),
        ("XINFO STREAM k", "XINFO STREAM k"),
        ("CONFIG GET maxmemory", "CONFIG GET maxmemory"),
        ("SCAN 0 MATCH user:* COUNT 10", "SCAN user:*"),
        ("CLIENT SETNAME me", "CLIENT SETNAME"),
        ("JSON.SET doc $ 1", "JSON.SET doc"),
        ("MIGRATE host 6379 k 0 5000", "MIGRATE k"),
        ("NOSUCH arg", "NOSUCH"),
    ] {
        let heard = hear(PORT, &[ask("PING"), s("+PONG\r\n"), ask(line), s("+OK\r\n")]);
        let call = &heard[1];
        assert_eq!(format!("{} {}", call.operation, call.target).trim_end(), expected);
    }
}

#[test]
fn pipelined_commands_are_answered_in_order() {
    let mut asked = command(&["SET", "a", "1"]);
    asked.extend(command(&["GET", "a"]));
    asked.extend(command(&["INCR", "b"]));
    check(
        &[c(asked), s("+OK\r\n$1\r\n1\r\n"), s(":1\r\n")],
        &["SET a OK ok 1ms", "GET a OK ok 1ms", "INCR b OK ok 2ms"],
    );
}

#[test]
fn errors_say_who_is_to_blame_and_redirections_are_none() {
    let heard = check(
        &[
            ask("LPUSH k x"),
            s("-WRONGTYPE Operation against a key holding the wrong kind of value\r\n"),
            ask("GET k"),
            s("-LOADING Redis is loading the dataset in memory\r\n"),
            ask("GET k"),
            s("-MOVED 3999 127.0.0.1:6381\r\n"),
            ask("GET k"),
            s("-ASK 3999 127.0.0.1:6381\r\n"),
            ask("GET k"),
            s("!21\r\nSYNTAX invalid syntax\r\n"),
        ],
        &[
            "LPUSH k WRONGTYPE client_error 1ms",
            "GET k LOADING server_error 1ms",
            "GET k MOVED ok 1ms",
            "GET k ASK ok 1ms",
            "GET k SYNTAX client_error 1ms",
        ],
    );
    let error = heard[0].error.as_deref();
    assert_eq!(error, Some("WRONGTYPE Operation against a key holding the wrong kind of value"));
    assert_eq!(attribute(&heard[0], "db.response.status_code"), "WRONGTYPE");
    assert_eq!(heard[2].error.as_deref(), Some("MOVED 3999 127.0.0.1:6381"));
}

#[test]
fn null_is_ok_with_no_rows_and_aggregates_tell_how_many() {
    let heard = hear(
        PORT,
        &[
            ask("GET none"),
            s("$-1\r\n"),
            ask("GET none"),
            s("_\r\n"),
            ask("LRANGE l 0 -1"),
            s("*2\r\n$1\r\na\r\n$-1\r\n"),
            ask("HGETALL h"),
            s("%2\r\n+a\r\n:1\r\n+b\r\n*2\r\n:2\r\n*0\r\n"),
            ask("GET k"),
            s("$1\r\nv\r\n"),
        ],
    );
    let rows: Vec<String> = heard.iter().map(|call| attribute(call, "db.response.returned_rows")).collect();
    assert_eq!(rows, ["0", "0", "2", "2", ""]);
}

#[test]
fn a_transaction_is_what_its_first_error_is() {
    let heard = check(
        &[
            ask("MULTI"),
            s("+OK\r\n"),
            ask("SET a 1"),
            s("+QUEUED\r\n"),
            ask("LPUSH a 1"),
            s("+QUEUED\r\n"),
            ask("EXEC"),
            s("*2\r\n+OK\r\n-WRONGTYPE Operation against 'canary'\r\n"),
            ask("EXEC"),
            s("*-1\r\n"),
        ],
        &[
            "MULTI OK ok 1ms",
            "SET a QUEUED ok 1ms",
            "LPUSH a QUEUED ok 1ms",
            "EXEC OK client_error 1ms +errors_inside",
            "EXEC OK ok 1ms +watched_key_changed",
        ],
    );
    assert_eq!(attribute(&heard[3], "db.operation.batch.size"), "2");
    assert_eq!(heard[3].error.as_deref(), Some("WRONGTYPE Operation against '?'"));
}

#[test]
fn the_selected_database_is_told_of_what_follows() {
    let heard = hear(
        PORT,
        &[
            ask("SELECT 3"),
            s("+OK\r\n"),
            ask("GET a"),
            s("_\r\n"),
            ask("SELECT 99"),
            s("-ERR DB index\r\n"),
            ask("GET b"),
            s("_\r\n"),
        ],
    );
    let databases: Vec<String> = heard.iter().map(|call| attribute(call, "db.namespace")).collect();
    assert_eq!(databases, ["3", "3", "3", "3"]);
}

#[test]
fn what_the_server_may_hold_is_a_long_poll_and_is_not_given_up() {
    check(
        &[ask("BLPOP queue 0"), Ev::Wait(4000), s("*2\r\n$5\r\nqueue\r\n$1\r\nx\r\n")],
        &["BLPOP queue OK ok long_poll 4000002ms"],
    );
    check(&[ask("XREAD BLOCK 0 STREAMS s $"), s("*-1\r\n")], &["XREAD s OK ok long_poll 1ms"]);
}

#[test]
fn what_is_never_answered_is_no_response_and_a_late_answer_is_a_revision() {
    check(
        &[ask("PING"), s("+PONG\r\n"), ask("GET a"), Ev::Wait(301), s("$1\r\nx\r\n")],
        &["PING PONG ok probe 1ms", "GET a - no_response +timed_out", "GET a OK ok 301002ms again +late"],
    );
    check(&[ask("GET a"), Ev::End(None, End::Reset)], &["GET a - no_response +reset"]);
}

#[test]
fn subscribers_hear_messages_in_both_protocols() {
    for kind in ["*", ">"] {
        let confirm = |word: &str, channel: &str, count: u8| {
            format!("{kind}3\r\n${}\r\n{word}\r\n${}\r\n{channel}\r\n:{count}\r\n", word.len(), channel.len())
        };
        let heard = check(
            &[
                ask("SUBSCRIBE news sport"),
                s(confirm("subscribe", "news", 1)),
                s(confirm("subscribe", "sport", 2)),
                ask("PSUBSCRIBE p*"),
                s(confirm("psubscribe", "p*", 3)),
                s(format!("{kind}3\r\n$7\r\nmessage\r\n$4\r\nnews\r\n$6\r\ncanary\r\n")),
                s(format!("{kind}4\r\n$8\r\npmessage\r\n$2\r\np*\r\n$2\r\np1\r\n$6\r\ncanary\r\n")),
                ask("UNSUBSCRIBE"),
                s(confirm("unsubscribe", "news", 2)),
                s(confirm("unsubscribe", "sport", 1)),
                ask("PING"),
                s("+PONG\r\n"),
            ],
            &[
                "SUBSCRIBE news OK ok session 2ms",
                "PSUBSCRIBE p* OK ok session 1ms",
                "<message news - one_way message",
                "<pmessage p1 - one_way message",
                "UNSUBSCRIBE OK ok session 2ms",
                "PING PONG ok probe 1ms",
            ],
        );
        assert_eq!(attribute(&heard[3], "messaging.destination.subscription.name"), "p*");
        assert!(!texts(&heard).contains("canary"));
        let confirmed = heard[0].response.as_ref().expect("confirmed");
        assert_eq!(confirmed.track.frames.numbers.len(), 2);
    }
}

#[test]
fn pushes_are_messages_and_answer_nothing() {
    check(
        &[
            ask("HELLO 3"),
            s("%1\r\n+proto\r\n:3\r\n"),
            ask("GET a"),
            s(">2\r\n$10\r\ninvalidate\r\n*1\r\n$1\r\nk\r\n$1\r\nx\r\n"),
        ],
        &["HELLO OK ok 1ms", "<invalidate - one_way message", "GET a OK ok 1ms"],
    );
}

#[test]
fn an_entered_subscription_is_heard_from_its_messages() {
    let heard = overhear(
        PORT,
        &[
            s("*3\r\n$7\r\nmessage\r\n$1\r\nc\r\n$1\r\nm\r\n"),
            c(command(&["UNSUBSCRIBE"])),
            s("*3\r\n$11\r\nunsubscribe\r\n$1\r\nc\r\n:2\r\n*3\r\n$11\r\nunsubscribe\r\n$1\r\nd\r\n:1\r\n"),
            c(command(&["PING"])),
            s("*2\r\n$4\r\npong\r\n$0\r\n\r\n"),
        ],
    );
    assert_eq!(
        told(&heard),
        ["<message c - one_way message", "UNSUBSCRIBE OK ok session 1ms", "PING OK ok probe 1ms"]
    );
}

#[test]
fn what_a_monitor_sees_is_counted_and_not_kept() {
    let heard = check(
        &[ask("MONITOR"), s("+OK\r\n"), s("+1339518083.1 [0 127.0.0.1:60866] \"set\" \"k\" \"canary\"\r\n")],
        &["MONITOR OK ok session 1ms", "<monitor - one_way message"],
    );
    assert!(!texts(&heard).contains("canary"));
}

#[test]
fn commands_that_shall_not_be_answered_are_one_way() {
    check(
        &[
            c("PING\r\nCLIENT REPLY OFF\r\nPING\r\nCLIENT REPLY SKIP\r\nCLIENT REPLY ON\r\n"),
            c("CLIENT REPLY SKIP\r\nGET a\r\nGET b\r\n"),
            s("+PONG\r\n+OK\r\n$-1\r\n"),
        ],
        &[
            "CLIENT REPLY - one_way",
            "PING - one_way probe",
            "CLIENT REPLY - one_way",
            "CLIENT REPLY - one_way",
            "GET a - one_way",
            "PING PONG ok probe 2ms",
            "CLIENT REPLY OK ok 2ms",
            "GET b OK ok 1ms",
        ],
    );
}

#[test]
fn attributes_and_streamed_types_are_part_of_their_reply() {
    check(
        &[
            ask("GET a"),
            s("|1\r\n+ttl\r\n:3600\r\n$1\r\nx\r\n"),
            ask("LRANGE l 0 9"),
            s("*3\r\n:1\r\n|1\r\n+ttl\r\n*2\r\n:1\r\n:2\r\n:2\r\n:3\r\n"),
            ask("GET b"),
            s("$?\r\n;4\r\nHell\r\n;1\r\no\r\n;0\r\n"),
            ask("KEYS *"),
            s("*?\r\n:1\r\n*?\r\n:2\r\n.\r\n.\r\n"),
            ask("PING"),
            s("+PONG\r\n"),
        ],
        &[
            "GET a OK ok 1ms",
            "LRANGE l OK ok 1ms",
            "GET b OK ok 1ms",
            "KEYS * OK ok 1ms",
            "PING PONG ok probe 1ms",
        ],
    );
}

#[test]
fn credentials_are_nowhere() {
    let secrets = [
        "AUTH canary",
        "AUTH user canary",
        "HELLO 3 AUTH user canary SETNAME x",
        "ACL SETUSER bob on >canary ~* +@all",
        "CONFIG SET requirepass canary",
        "MIGRATE h 6379 k 0 5000 AUTH canary KEYS k",
        "MIGRATE h 6379 k 0 5000 AUTH2 KEYS canary",
        "EVAL canary 0 canary",
        "FUNCTION LOAD canary",
        "REPLICAOF canary 6379",
        "SENTINEL SET m auth-pass canary",
        "canary canary",
        "NOSUCH canary",
        "SETEX k 10 canary",
        "PUBLISH c canary",
    ];
    for line in secrets {
        if line.starts_with("canary") {
            continue;
        }
        for reply in [
            "+OK\r\n",
            "-ERR unknown command 'x', with args beginning with: 'canary' \r\n",
            "-ERR Error in ACL SETUSER modifier '>canary': Syntax error\r\n",
            "-WRONGPASS invalid username-password pair\r\n",
            "$6\r\ncanary\r\n",
            "*2\r\n$6\r\ncanary\r\n-ERR near 'canary'\r\n",
        ] {
            let heard = hear(PORT, &[ask("PING"), s("+PONG\r\n"), ask(line), s(reply)]);
            assert_eq!(heard.len(), 2);
            assert!(!texts(&heard).contains("canary"), "{line} {reply}: {heard:?}");
        }
    }
}

#[test]
fn a_big_value_is_counted_down_and_not_kept_waiting() {
    let mut flow = Flow::new(Limits { undissected_bytes: 8 << 10, ..Limits::default() }, PORT, false);
    flow.play(&[c("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$4000000\r\n")], usize::MAX);
    for _ in 0..4000 {
        flow.play(&[c(vec![b'x'; 1000])], usize::MAX);
    }
    flow.play(&[c("\r\n"), s("+OK\r\n"), c(command(&["GET", "big"])), s("$4000000\r\n")], usize::MAX);
    assert_eq!(flow.open().len(), 1);
    flow.play(&[s(vec![b'\r'; 4_000_000]), s("\r\n")], 60_000);
    let heard = flow.finish();
    assert_eq!(told(&heard), ["SET big OK ok 4002ms", "GET big OK ok 3ms"]);
    let bytes =
        |message: &Option<wirewise_model::Message>| message.as_ref().map(|message| message.track.bytes);
    assert_eq!((bytes(&heard[0].request), bytes(&heard[1].response)), (Some(4_000_034), Some(4_000_012)));
}

#[test]
fn a_gap_inside_of_a_value_costs_that_value_alone() {
    let heard = check(
        &[
            c("*3\r\n$3\r\nSET\r\n$3\r\nbig\r\n$2000\r\nxxxx"),
            Ev::Lost(Side::A, 1996),
            c("\r\n"),
            s("+OK\r\n"),
            ask("GET big"),
            s("$2000\r\nxx"),
            Ev::Lost(Side::B, 2000),
            ask("GET a"),
            s("$1\r\nx\r\n"),
        ],
        &["SET big OK ok 3ms +gap", "GET big OK ok 1ms +gap", "GET a OK ok 1ms"],
    );
    assert_eq!(heard[0].coverage, Coverage::Partial);
}

#[test]
fn after_lost_replies_only_what_is_sure_is_paired() {
    check(
        &[ask("GET a"), s("$1\r\nx\r\n"), ask("GET b"), Ev::Lost(Side::B, 7), ask("GET c"), s("$1\r\nz\r\n")],
        &["GET a OK ok 1ms", "GET b - unknown +gap", "GET c OK ok 1ms"],
    );
}

#[test]
fn the_middle_of_a_long_reply_is_not_taken_for_replies() {
    check(
        &[
            ask("GET a"),
            s("$1\r\nx\r\n"),
            ask("LRANGE l 0 99"),
            Ev::Lost(Side::B, 1448),
            s("$3\r\nfoo\r\n$3\r\nbar\r\n"),
            s("$3\r\nfoo\r\n"),
            ask("GET c"),
            s("$1\r\nz\r\n"),
        ],
        &["GET a OK ok 1ms", "LRANGE l - unknown +gap", "GET c OK ok 1ms"],
    );
}

#[test]
fn after_lost_commands_a_client_is_found_again() {
    check(
        &[
            ask("GET a"),
            s("$1\r\nx\r\n"),
            c("*2\r\n$3\r\nGET\r\n$1"),
            Ev::Lost(Side::A, 5),
            s("$1\r\ny\r\n"),
            ask("GET c"),
            s("$1\r\nz\r\n"),
        ],
        &["GET a OK ok 1ms", "GET - unknown +gap", "? OK ok +gap", "GET c OK ok 1ms"],
    );
}

#[test]
fn past_the_bound_of_pending_calls_the_oldest_is_put_out() {
    let mut flow = Flow::new(Limits { pending_calls: 2, ..Limits::default() }, PORT, false);
    flow.play(&[ask("GET a"), ask("GET b"), ask("GET c")], usize::MAX);
    assert_eq!(told(&flow.out.exchanges), ["GET a - unknown +evicted"]);
    flow.play(&[s("_\r\n_\r\n_\r\n")], usize::MAX);
    assert_eq!(told(&flow.finish())[2..], ["GET b OK ok 2ms", "GET c OK ok 1ms"]);
}

#[test]
fn endless_lines_deep_nesting_and_huge_lengths_end_in_bounds() {
    is_quick(|| {
        let deep = "*1\r\n".repeat(100_000);
        check(
            &[ask("GET a"), s(deep), ask("GET b"), s("_\r\n")],
            &["GET a - unknown +gap", "GET b OK ok 1ms"],
        );
        let endless = vec![b'+'; 300_000];
        check(&[ask("GET a"), s(endless)], &["GET a - unknown +gap"]);
        check(
            &[ask("GET a"), s("*4294967295\r\n"), s(":1\r\n".repeat(10_000))],
            &["GET a - unknown +capture_ended"],
        );
        check(&[ask("GET a"), s("$99999999999999999999\r\n")], &["GET a - unknown +gap"]);
        let many = format!("*16000000\r\n$3\r\nSET\r\n{}", "$1\r\na\r\n".repeat(50_000));
        check(&[ask("PING"), s("+PONG\r\n"), c(many)], &["PING PONG ok probe 1ms"]);
    });
}

#[test]
fn other_protocols_are_not_claimed() {
    let cases: &[&[Ev]] = &[
        &[s("+OK POP3 ready\r\n"), c("USER bob\r\n"), s("+OK\r\n"), c("PASS x\r\n"), s("+OK\r\n")],
        &[s("220 smtp\r\n"), c("HELO x\r\n"), s("250 ok\r\n"), c("QUIT\r\n"), s("221 bye\r\n")],
        &[c("get k\r\n"), s("VALUE k 0 1\r\nx\r\nEND\r\n"), c("get l\r\n"), s("END\r\n")],
        &[s("INFO {}\r\n"), c("CONNECT {}\r\nPING\r\n"), s("PONG\r\n")],
        &[s("* OK IMAP4rev1\r\n"), c("a LOGIN x y\r\n"), s("a OK done\r\n")],
        &[c([0u8; 64]), s([1u8; 64])],
    ];
    for port in [PORT, 9999] {
        for events in cases {
            let heard = hear(port, events);
            assert!(heard.iter().all(|call| call.protocol != "redis"), "{events:?}: {:?}", told(&heard));
        }
    }
}

#[test]
fn it_is_known_by_its_bytes_on_any_port() {
    for first in ["*1\r\n$4\r\nPING\r\n", "PING\r\n"] {
        let mut flow = Flow::new(Limits::default(), 40_001, false);
        flow.play(&[c(first), s("+PONG\r\n")], usize::MAX);
        assert_eq!(flow.protocol(), Some("redis"));
    }
    let heard = overhear(40_001, &[s("+OK\r\n"), ask("GET a"), s("_\r\n")]);
    assert_eq!(told(&heard), ["? OK ok +mid_stream", "GET a OK ok 1ms"]);
}

#[test]
fn rude_conversations_end_in_balance() {
    mistreat(
        PORT,
        &[
            ask("HELLO 3"),
            s("%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n+proto\r\n:3\r\n"),
            c("SET inline \"a b\"\r\n*2\r\n$3\r\nGET\r\n$6\r\ninline\r\n"),
            s("+OK\r\n|1\r\n+ttl\r\n:1\r\n$3\r\na b\r\n"),
            ask("SUBSCRIBE a b"),
            s(">3\r\n$9\r\nsubscribe\r\n$1\r\na\r\n:1\r\n>3\r\n$9\r\nsubscribe\r\n$1\r\nb\r\n:2\r\n"),
            s(">3\r\n$7\r\nmessage\r\n$1\r\na\r\n$2\r\nhi\r\n"),
            ask("MULTI"),
            ask("EXEC"),
            s("+OK\r\n*2\r\n-ERR x\r\n$?\r\n;2\r\nab\r\n;0\r\n"),
            ask("BLPOP q 0"),
        ],
    );
}

#[test]
fn an_idle_flow_is_small() {
    assert!(size_of::<super::Redis>() <= 256, "{}", size_of::<super::Redis>());
    let mut flow = Flow::new(Limits::default(), PORT, false);
    flow.play(&[ask("GET a"), s("_\r\n")], usize::MAX);
    assert!(!flow.waiting());
}
