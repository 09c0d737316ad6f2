//! Conversations in both protocols, as they stand on the wire.

use wirewise_model::{Exchange, Limits, Side, Transport};

use crate::End;
use crate::rehearsal::{Ev, Flow, attribute, c, hear, is_quick, mistreat, overhear, s, texts, told};

const PORT: u16 = 11211;

fn check(events: &[Ev], expected: &[&str]) -> Vec<Exchange> {
    let heard = hear(PORT, events);
    assert_eq!(told(&heard), expected);
    heard
}

/// A binary message.
fn binary(magic: u8, opcode: u8, status: u16, opaque: u32, parts: [&str; 3]) -> Vec<u8> {
    let [extras, key, value] = parts;
    let mut bytes = vec![magic, opcode];
    bytes.extend((key.len() as u16).to_be_bytes());
    bytes.extend([extras.len() as u8, 0]);
    bytes.extend(status.to_be_bytes());
    bytes.extend(((extras.len() + key.len() + value.len()) as u32).to_be_bytes());
    bytes.extend(opaque.to_be_bytes());
    bytes.extend([0; 8]);
    for part in parts {
        bytes.extend(part.as_bytes());
    }
    bytes
}

fn asks(opcode: u8, opaque: u32, parts: [&str; 3]) -> Vec<u8> {
    binary(0x80, opcode, 0, opaque, parts)
}

fn answers(opcode: u8, status: u16, opaque: u32, parts: [&str; 3]) -> Vec<u8> {
    binary(0x81, opcode, status, opaque, parts)
}

#[test]
fn commands_of_the_text_protocol_are_calls() {
    let heard = check(
        &[
            c("set user:1 0 0 6\r\ncanary\r\n"),
            s("STORED\r\n"),
            c("get user:1 user:2\r\n"),
            s("VALUE user:1 0 6\r\ncanary\r\nEND\r\n"),
            c("get none\r\n"),
            s("END\r\n"),
            c("incr n 1\r\n"),
            s("17\r\n"),
            c("cas user:1 0 0 1 99\r\nx\r\n"),
            s("EXISTS\r\n"),
            c("delete none\r\n"),
            s("NOT_FOUND\r\n"),
            c("stats items\r\n"),
            s("STAT items:1:number 1\r\nSTAT items:1:age 5\r\nEND\r\n"),
            c("version\r\n"),
            s("VERSION 1.6.18\r\n"),
            c("quit\r\n"),
        ],
        &[
            "set user:1 STORED ok 1ms",
            "get user:1 END ok 1ms",
            "get none END ok 1ms",
            "incr n OK ok 1ms",
            "cas user:1 EXISTS ok 1ms",
            "delete none NOT_FOUND ok 1ms",
            "stats items END ok 1ms",
            "version VERSION ok 1ms",
            "quit - one_way",
        ],
    );
    let rows: Vec<String> = heard.iter().map(|call| attribute(call, "db.response.returned_rows")).collect();
    assert_eq!(rows, ["", "1", "0", "", "", "", "2", "", ""]);
    assert_eq!(attribute(&heard[1], "db.operation.batch.size"), "2");
    assert!(!texts(&heard).contains("canary"));
}

#[test]
fn errors_say_who_is_to_blame() {
    let heard = check(
        &[
            c("set k 0 0 1\r\nx\r\n"),
            s("SERVER_ERROR out of memory storing object\r\n"),
            c("incr k 1\r\n"),
            s("CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"),
            c("canary canary\r\n"),
            s("ERROR\r\n"),
        ],
        &[
            "set k SERVER_ERROR server_error 1ms",
            "incr k CLIENT_ERROR client_error 1ms",
            "? ERROR client_error 1ms",
        ],
    );
    assert_eq!(heard[0].error.as_deref(), Some("SERVER_ERROR out of memory storing object"));
    assert!(!texts(&heard).contains("canary"));
}

#[test]
fn pipelined_commands_are_answered_in_order_and_noreply_is_one_way() {
    check(
        &[
            c("set a 0 0 1\r\nx\r\nset b 0 0 1 noreply\r\nx\r\nget a\r\nget b\r\n"),
            s("STORED\r\nVALUE a 0 1\r\nx\r\nEND\r\nVALUE b 0"),
            s(" 1\r\nx\r\nEND\r\n"),
        ],
        &["set b - one_way", "set a STORED ok 1ms", "get a END ok 1ms", "get b END ok 2ms"],
    );
}

#[test]
fn meta_commands_are_calls_and_quiet_ones_are_passed_over() {
    check(
        &[
            c("mg k v\r\nms k 1 T0\r\nx\r\nmg none v\r\nmn\r\n"),
            s("VA 6\r\ncanary\r\nHD\r\nEN\r\nMN\r\n"),
            c("mg a v q O1\r\nmg b v q O2\r\nms c 1 q\r\nx\r\nmn\r\n"),
            s("VA 1 O2\r\nx\r\nMN\r\n"),
        ],
        &[
            "mg k VA ok 1ms",
            "ms k HD ok 1ms",
            "mg none EN ok 1ms",
            "mn MN ok probe 1ms",
            "mg a - one_way +quiet",
            "mg b VA ok 1ms",
            "ms c - one_way +quiet",
            "mn MN ok probe 1ms",
        ],
    );
}

#[test]
fn binary_commands_are_paired_by_opaque_and_quiet_ones_are_passed_over() {
    let mut quiet = asks(0x09, 3, ["", "miss", ""]);
    quiet.extend(asks(0x0d, 4, ["", "hit", ""]));
    quiet.extend(asks(0x0a, 5, ["", "", ""]));
    let mut answered = answers(0x0d, 0, 4, ["\0\0\0\0", "hit", "canary"]);
    answered.extend(answers(0x0a, 0, 5, ["", "", ""]));
    let heard = check(
        &[
            c(asks(0x01, 1, ["12345678", "k", "canary"])),
            s(answers(0x01, 0, 1, ["", "", ""])),
            c(asks(0x00, 2, ["", "none", ""])),
            s(answers(0x00, 1, 2, ["", "", "Not found"])),
            c(quiet),
            s(answered),
            c(asks(0x10, 6, ["", "", ""])),
            s(answers(0x10, 0, 6, ["", "pid", "1"])),
            s(answers(0x10, 0, 6, ["", "", ""])),
            c(asks(0x21, 7, ["", "PLAIN", "\0user\0canary"])),
            s(answers(0x21, 0x20, 7, ["", "", "Auth failure"])),
        ],
        &[
            "set k OK ok 1ms",
            "get none KEY_ENOENT ok 1ms",
            "getq miss - one_way +quiet",
            "getkq hit OK ok 1ms",
            "noop OK ok probe 1ms",
            "stat OK ok 2ms",
            "sasl_auth PLAIN AUTH_ERROR client_error 1ms",
        ],
    );
    assert_eq!(heard[1].status_code, Some(1));
    assert_eq!(attribute(&heard[1], "db.response.returned_rows"), "0");
    assert!(!texts(&heard).contains("canary"));
}

#[test]
fn data_is_counted_down_and_a_gap_inside_of_it_costs_nothing_else() {
    let mut flow = Flow::new(Limits { undissected_bytes: 4 << 10, ..Limits::default() }, PORT, false);
    flow.play(&[c("set big 0 0 1000000\r\n"), c(vec![b'\r'; 400_000])], 10_000);
    flow.play(&[Ev::Lost(Side::A, 500_000), c(vec![b'x'; 100_000]), c("\r\n"), s("STORED\r\n")], 10_000);
    flow.play(&[c("get big\r\n"), s("VALUE big 0 1000000\r\n"), Ev::Lost(Side::B, 1_000_002)], usize::MAX);
    flow.play(&[s("END\r\n"), c("get a\r\n"), s("END\r\n")], usize::MAX);
    let heard = flow.finish();
    assert_eq!(told(&heard), ["set big STORED ok 5ms +gap", "get big END ok 3ms +gap", "get a END ok 1ms"]);
    assert_eq!(heard[0].request.as_ref().map(|request| request.track.bytes), Some(500_023));
}

#[test]
fn after_a_loss_only_what_is_sure_is_paired() {
    check(
        &[
            c("get a\r\n"),
            s("END\r\n"),
            c("get b\r\n"),
            Ev::Lost(Side::B, 5),
            c("get c\r\n"),
            s("END\r\n"),
            c("set d 0 0 5\r\n"),
            Ev::Lost(Side::A, 500),
            c("get e\r\n"),
            s("END\r\n"),
            c("get f\r\n"),
            s("END\r\n"),
        ],
        &[
            "get a END ok 1ms",
            "get b - unknown +gap",
            "get c END ok 1ms",
            "set d - unknown +gap",
            "get e END ok 1ms",
            "get f END ok 1ms",
        ],
    );
}

#[test]
fn what_is_never_answered_is_no_response_and_a_late_answer_is_a_revision() {
    check(
        &[c("set a 0 0 1\r\nx\r\n"), Ev::Wait(301), s("STORED\r\n")],
        &["set a - no_response +timed_out", "set a STORED ok 301002ms again +late"],
    );
    check(&[c("set a 0 0 1\r\nx\r\n"), Ev::End(None, End::Reset)], &["set a - no_response +reset"]);
    let mut flow = Flow::new(Limits { pending_calls: 1, ..Limits::default() }, PORT, false);
    flow.play(&[c("set a 0 0 1\r\nx\r\nget b\r\n")], usize::MAX);
    assert_eq!(told(&flow.open()), ["get b - open"]);
    assert_eq!(told(&flow.finish()), ["set a - unknown +evicted", "get b - unknown +capture_ended"]);
}

#[test]
fn it_is_known_by_its_bytes_and_entered_in_the_middle() {
    for port in [PORT, 40_001] {
        let heard = overhear(port, &[s("END\r\n"), c("get a\r\n"), s("END\r\n")]);
        assert_eq!(told(&heard), ["? END ok +mid_stream", "get a END ok 1ms"]);
    }
    let others: &[&[Ev]] = &[
        &[c("get k\r\n"), s("$1\r\nx\r\n")],
        &[c("GET / HTTP/1.1\r\n\r\n"), s("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")],
        &[s("220 ftp\r\n"), c("USER x\r\n"), s("331 go on\r\n")],
        &[c("quit me\r\n"), s("bye\r\n")],
        &[c([0x80, 0x2e, 1, 3, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), s("x")],
    ];
    for events in others {
        let heard = hear(PORT, events);
        assert!(heard.iter().all(|call| call.protocol != "memcached"), "{events:?}");
    }
}

#[test]
fn endless_lines_and_huge_lengths_end_in_bounds() {
    is_quick(|| {
        check(
            &[c("get a\r\n"), s("END\r\n"), c("get b\r\n"), s(vec![b'x'; 300_000])],
            &["get a END ok 1ms", "get b - unknown +gap"],
        );
        check(
            &[c("get a\r\n"), s("END\r\n"), c("get b\r\n"), s("VALUE b 0 99999999999999999999\r\n")],
            &["get a END ok 1ms", "get b - unknown +gap"],
        );
        let many = "STAT a 1\r\n".repeat(100_000);
        check(&[c("stats\r\n"), s(many), s("END\r\n")], &["stats END ok 2ms"]);
    });
}

#[test]
fn rude_conversations_end_in_balance() {
    mistreat(
        PORT,
        &[
            c("set a 0 0 3\r\nabc\r\nget a b\r\n"),
            s("STORED\r\nVALUE a 0 3\r\nabc\r\nEND\r\n"),
            c("ms k 2 q O7\r\nhi\r\nmg k v\r\nmn\r\n"),
            s("VA 2\r\nhi\r\nMN\r\n"),
            c("stats\r\n"),
            s("STAT a 1\r\nEND\r\n"),
            c("incr a 1\r\n"),
        ],
    );
    mistreat(
        PORT,
        &[
            c(asks(0x01, 1, ["12345678", "k", "value"])),
            s(answers(0x01, 0, 1, ["", "", ""])),
            c([asks(0x09, 2, ["", "k", ""]), asks(0x0a, 3, ["", "", ""])].concat()),
            s([answers(0x09, 0, 2, ["1234", "", "value"]), answers(0x0a, 0, 3, ["", "", ""])].concat()),
        ],
    );
}

/// A datagram: number, which of how many, and what it holds.
fn frame(id: u16, sequence: u16, total: u16, payload: &str) -> Vec<u8> {
    let numbers = [id, sequence, total, 0].map(u16::to_be_bytes).concat();
    [&numbers, payload.as_bytes()].concat()
}

#[test]
fn datagrams_are_paired_by_their_number() {
    let mut flow = Flow::over(Transport::Udp, Limits::default(), PORT, false);
    flow.play(
        &[
            c(frame(1, 0, 1, "get a b\r\n")),
            c(frame(2, 0, 1, "set k 0 0 6\r\ncanary\r\n")),
            s(frame(2, 0, 1, "STORED\r\n")),
            s(frame(1, 0, 1, "VALUE a 0 6\r\ncanary\r\nEND\r\n")),
            c(frame(3, 0, 1, "get big\r\n")),
            s(frame(3, 1, 2, "yyy\r\nEND\r\n")),
            s(frame(3, 0, 2, "VALUE big 0 6\r\nxxx")),
            c(frame(4, 0, 1, "set k 0 0 1 noreply\r\nx\r\n")),
            c(frame(5, 0, 1, "get none\r\n")),
            Ev::Wait(11),
            s(b"no frame"),
            s(frame(9, 0, 1, "STAT pid 1\r\nEND\r\n")),
        ],
        usize::MAX,
    );
    let heard = flow.finish();
    assert_eq!(
        told(&heard),
        [
            "set k STORED ok 1ms",
            "get a END ok 3ms",
            "get big END ok 2ms",
            "set k - one_way",
            "get none - no_response +timed_out",
            "? END ok +mid_stream",
        ]
    );
    assert_eq!(attribute(&heard[1], "db.response.returned_rows"), "1");
    assert_eq!(heard[2].response.as_ref().map(|response| response.track.frames.numbers.len()), Some(2));
    assert!(!texts(&heard).contains("canary"));
}

#[test]
fn other_datagrams_are_left_alone() {
    for (port, datagram) in [
        (PORT, b"\0\x01\0\0\0\x01\0\0hello\r\n".to_vec()),
        (PORT, b"\0\x01\0\x01\0\x01\0\0get a\r\n".to_vec()),
        (PORT, b"get a\r\n".to_vec()),
        (53, frame(1, 0, 1, "get a\r\n")),
    ] {
        let mut flow = Flow::over(Transport::Udp, Limits::default(), port, false);
        flow.play(&[c(&datagram)], usize::MAX);
        assert_ne!(flow.protocol(), Some("memcached"), "{datagram:?}");
    }
}
