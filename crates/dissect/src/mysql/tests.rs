//! Sessions as clients and servers hold them.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use wirewise_model::{Limits, Side};

use crate::End;
use crate::conversation::{Ev, Stage, attribute, c, hides, noise, s, told};

/// A packet.
fn p(number: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut packet = (body.len() as u32).to_le_bytes()[..3].to_vec();
    packet.push(number);
    packet.extend(body);
    packet
}

/// A command.
fn command(code: u8, rest: impl AsRef<[u8]>) -> Vec<u8> {
    p(0, [&[code], rest.as_ref()].concat())
}

fn query(text: &str) -> Vec<u8> {
    command(3, text)
}

fn greeting(capabilities: u32) -> Vec<u8> {
    let low = (capabilities as u16).to_le_bytes();
    let high = ((capabilities >> 16) as u16).to_le_bytes();
    let body = [
        &b"\x0a8.0.33\0\x01\0\0\0s3cr3t12\0"[..],
        &low,
        &[0xff, 2, 0],
        &high,
        &[21],
        &[0; 10],
        b"s3cr3ts3cr3t\0mysql_native_password\0",
    ];
    p(0, body.concat())
}

const BASE: u32 = 1 << 9 | 1 << 15 | 1 << 19 | 1 << 3;

fn login(capabilities: u32) -> Vec<u8> {
    let mut body = capabilities.to_le_bytes().to_vec();
    body.extend([0; 28]);
    body.extend(b"bob\0\x06s3cr3tshop\0mysql_native_password\0");
    p(1, body)
}

fn ok(number: u8, affected: u8, status: u16) -> Vec<u8> {
    let [low, high] = status.to_le_bytes();
    p(number, [0, affected, 0, low, high, 0, 0])
}

fn eof(number: u8, status: u16) -> Vec<u8> {
    let [low, high] = status.to_le_bytes();
    p(number, [0xfe, 0, 0, low, high])
}

/// The OK that ends rows where EOF is deprecated.
fn ok_at_end(number: u8, status: u16) -> Vec<u8> {
    let [low, high] = status.to_le_bytes();
    p(number, [0xfe, 0, 0, low, high, 0, 0])
}

fn err(number: u8, code: u16, state: &str, message: &str) -> Vec<u8> {
    let [low, high] = code.to_le_bytes();
    p(number, [&[0xff, low, high, b'#'], state.as_bytes(), message.as_bytes()].concat())
}

fn column(number: u8) -> Vec<u8> {
    p(number, b"\x03def\x04shop\x01t\x01t\x01a\x01a\x0c\x3f\0\x0b\0\0\0\x03\0\0\0\0\0")
}

fn row(number: u8) -> Vec<u8> {
    p(number, b"\x06s3cr3t")
}

/// A result of one column and two rows, from that packet on.
fn result(number: u8, with_eof: bool, status: u16) -> Vec<u8> {
    if with_eof {
        return [
            p(number, [1]),
            column(number + 1),
            eof(number + 2, 2),
            row(number + 3),
            row(number + 4),
            eof(number + 5, status),
        ]
        .concat();
    }
    [p(number, [1]), column(number + 1), row(number + 2), row(number + 3), ok_at_end(number + 4, status)]
        .concat()
}

fn hello() -> Vec<Ev> {
    vec![s(greeting(0xffff_ffff)), c(login(BASE)), s(ok(2, 0, 2))]
}

fn with_hello(more: &[Ev]) -> Vec<Ev> {
    [hello(), more.to_vec()].concat()
}

fn stage() -> Stage {
    Stage::new(3306)
}

const HELLO: &str = "login shop OK ok session";

#[test]
fn a_login_is_one_call_that_keeps_no_proof_however_often_it_is_switched() {
    let exchanges = stage().check(&hello(), &[HELLO]);
    let told = |name| attribute(&exchanges[0], name);
    assert_eq!(told("user.name").as_deref(), Some("bob"));
    assert_eq!(told("db.namespace").as_deref(), Some("shop"));
    assert_eq!(told("mysql.version").as_deref(), Some("8.0.33"));
    let exchanges = stage().check(
        &[
            s(greeting(0xffff_ffff)),
            c(login(BASE)),
            s(p(2, b"\xfecaching_sha2_password\0s3cr3t\0")),
            c(p(3, "s3cr3t")),
            s(p(4, [1, 4])),
            c(p(5, "s3cr3t\0")),
            s(ok(6, 0, 2)),
            c(query("SELECT 1")),
            s(err(1, 1064, "42000", "near 's3cr3t' at line 1")),
        ],
        &["login shop OK ok session +auth_switched", "SELECT SELECT ? 42000 client_error (near ? at line ?)"],
    );
    assert_eq!(exchanges[0].took().map(|took| took.as_millis()), Some(5));
    hides(&exchanges, &["s3cr3t"]);
}

#[test]
fn a_refused_login_and_a_refused_connection_are_told() {
    stage().check(
        &[
            hello()[0].clone(),
            c(login(BASE)),
            s(err(2, 1045, "28000", "Access denied for user 'bob'@'h' (using password: YES)")),
        ],
        &["login shop 28000 client_error session (Access denied for user ? (using password: YES))"],
    );
    stage().check(
        &[s(p(0, b"\xff\x10\x04Too many connections"))],
        &["? login HY000 server_error session (Too many connections)"],
    );
}

#[test]
fn encryption_begins_behind_a_request_that_nothing_answers() {
    let mut body = (BASE | 1 << 11).to_le_bytes().to_vec();
    body.extend([0; 28]);
    let exchanges = stage()
        .play(&[s(greeting(0xffff_ffff)), c([p(1, body), vec![22, 3, 1, 0, 5, 1, 0, 0, 1, 0]].concat())]);
    assert_eq!(told(&exchanges)[0], "ssl_request - one_way session");
    assert!(exchanges.iter().skip(1).all(|exchange| exchange.protocol == "tls"));
}

#[test]
fn results_are_read_with_and_without_eof() {
    for with_eof in [true, false] {
        let exchanges = stage().check(
            &with_hello(&[
                c(query("select * from orders where email = \"s3cr3t\" and id in (1,2)")),
                s(result(1, with_eof, 3)),
                c(query("update t set a = 's3cr3t'")),
                s(ok(1, 7, 2)),
            ]),
            &[
                HELLO,
                "SELECT select * from orders where email = ? and id in (?,?) OK ok",
                "UPDATE update t set a = ? OK ok",
            ],
        );
        let told = |name| attribute(&exchanges[1], name);
        assert_eq!(told("db.response.returned_rows").as_deref(), Some("2"));
        assert_eq!(told("db.collection.name").as_deref(), Some("orders"));
        assert_eq!(told("db.namespace").as_deref(), Some("shop"));
        assert_eq!(told("mysql.command").as_deref(), Some("query"));
        assert_eq!(told("mysql.stat.it").as_deref(), Some("true"));
        assert_eq!(
            exchanges[1].endpoint.as_deref(),
            Some("SELECT * FROM orders WHERE email = ? AND id IN (?)")
        );
        assert_eq!(attribute(&exchanges[2], "db.response.affected_rows").as_deref(), Some("7"));
        hides(&exchanges, &["s3cr3t"]);
    }
}

#[test]
fn several_results_are_one_call() {
    let exchanges = stage().check(
        &with_hello(&[
            c(query("select 1; update t set a = 1; select 2")),
            s([result(1, true, 10), ok(7, 3, 10), result(8, false, 2)].concat()),
            c(command(0x0e, "")),
            s(ok(1, 0, 2)),
        ]),
        &[HELLO, "SELECT select ?; update t set a = ?; select ? OK ok", "ping OK ok probe"],
    );
    let told = |name| attribute(&exchanges[1], name);
    assert_eq!(told("mysql.result_sets").as_deref(), Some("3"));
    assert_eq!(told("db.response.returned_rows").as_deref(), Some("4"));
    assert_eq!(told("db.response.affected_rows").as_deref(), Some("3"));
    assert_eq!(told("db.operation.batch.size").as_deref(), Some("3"));
}

fn prepared(parameters: u16, columns: u16) -> Vec<u8> {
    let mut body = vec![0, 5, 0, 0, 0];
    body.extend(columns.to_le_bytes());
    body.extend(parameters.to_le_bytes());
    body.extend([0, 0, 0]);
    p(1, body)
}

#[test]
fn prepared_statements_are_remembered_by_number() {
    let run = [
        c(command(0x17, b"\x05\0\0\0\0\x01\0\0\0\0\x01\xfe\0\x06s3cr3t")),
        s(result(1, true, 2)),
        c([command(0x18, b"\x05\0\0\0\0\0s3cr3t"), command(0x1a, b"\x05\0\0\0")].concat()),
        s(ok(1, 0, 2)),
        c([command(0x19, b"\x05\0\0\0"), command(0x17, b"\x05\0\0\0\0\x01\0\0\0")].concat()),
        s(err(1, 1243, "HY000", "Unknown prepared statement handler (5) given to stmt_execute")),
        c(command(1, "")),
    ];
    for with_eof in [true, false] {
        let answer = match with_eof {
            true => [prepared(1, 1), column(2), eof(3, 2), column(4), eof(5, 2)].concat(),
            false => [prepared(1, 1), column(2), column(3)].concat(),
        };
        let events =
            [vec![c(command(0x16, "SELECT a FROM t WHERE b = ?")), s(answer)], run.to_vec()].concat();
        let exchanges = stage().check(
            &with_hello(&events),
            &[
                HELLO,
                "stmt_prepare SELECT a FROM t WHERE b = ? OK ok",
                "SELECT SELECT a FROM t WHERE b = ? OK ok",
                "stmt_send_long_data SELECT a FROM t WHERE b = ? - one_way message",
                "stmt_reset SELECT a FROM t WHERE b = ? OK ok",
                "stmt_close SELECT a FROM t WHERE b = ? - one_way message",
                "stmt_execute HY000 client_error (Unknown prepared statement handler (?) given to stmt_execute) +statement_not_seen",
                "quit - one_way message",
            ],
        );
        hides(&exchanges, &["s3cr3t"]);
    }
    stage().check(
        &with_hello(&[
            c(command(0x16, "DO 1")),
            s(prepared(0, 0)),
            c(command(0x16, "UPDATE t SET a = ?")),
            s([prepared(1, 0), column(2)].concat()),
        ]),
        &[HELLO, "stmt_prepare DO ? OK ok", "stmt_prepare UPDATE t SET a = ? OK ok"],
    );
}

#[test]
fn a_cursors_rows_come_when_they_are_fetched() {
    let exchanges = stage().check(
        &with_hello(&[
            c(command(0x17, b"\x05\0\0\0\x01\x01\0\0\0")),
            s([p(1, [1]), column(2), eof(3, 0x42)].concat()),
            c(command(0x1c, b"\x05\0\0\0\x02\0\0\0")),
            s([p(1, b"\0\0s3cr3t"), p(2, b"\0\0s3cr3t"), eof(3, 0x82)].concat()),
        ]),
        &[HELLO, "stmt_execute OK ok +statement_not_seen", "stmt_fetch OK ok"],
    );
    assert_eq!(attribute(&exchanges[2], "db.response.returned_rows").as_deref(), Some("2"));
}

#[test]
fn other_commands_have_their_names() {
    stage().check(
        &with_hello(&[
            c(command(2, "other")),
            s(ok(1, 0, 2)),
            c(command(9, "")),
            s(p(1, "Uptime: 6  Threads: 1")),
            c(command(4, "t\0%")),
            s([column(1), column(2), eof(3, 2)].concat()),
            c(command(0x1b, "\0\0")),
            s(eof(1, 2)),
            c(command(0x11, b"eve\0\x06s3cr3tnext\0")),
            s(ok(1, 0, 2)),
            c(query("USE `third`")),
            s(ok(1, 0, 2)),
            c(query("/* ping */")),
            s(err(1, 1065, "42000", "Query was empty")),
        ]),
        &[
            HELLO,
            "init_db other OK ok",
            "statistics OK ok",
            "field_list t OK ok",
            "set_option OK ok",
            "change_user next OK ok session",
            "USE USE `third` OK ok",
            "query 42000 client_error probe (Query was empty)",
        ],
    );
    let exchanges = stage().play(&with_hello(&[
        c(query("USE `third`;")),
        s(ok(1, 0, 2)),
        c(query("SELECT 1")),
        s(result(1, true, 2)),
    ]));
    assert_eq!(attribute(&exchanges[2], "db.namespace").as_deref(), Some("third"));
}

#[test]
fn a_file_that_the_server_asks_for_belongs_to_the_request() {
    let exchanges = stage().check(
        &with_hello(&[
            c(query("LOAD DATA LOCAL INFILE '/tmp/s3cr3t' INTO TABLE t")),
            s(p(1, b"\xfb/tmp/s3cr3t")),
            c([p(2, "s3cr3t,1\n"), p(3, "")].concat()),
            s(ok(4, 1, 2)),
        ]),
        &[HELLO, "LOAD LOAD DATA LOCAL INFILE ? INTO TABLE t OK ok +local_infile"],
    );
    assert!(exchanges[1].request.as_ref().is_some_and(|request| request.track.frames.numbers.len() == 2));
    hides(&exchanges, &["s3cr3t"]);
}

#[test]
fn packets_of_16_megabytes_are_counted_and_not_held() {
    let long = vec![b'x'; 0xff_ffff - 30];
    let start = b"\x03INSERT INTO t (a) VALUES ('123";
    let body = [&start[..], &long].concat();
    assert_eq!(body.len(), 0xff_ffff + 1);
    let stage = Stage { split: 60_000, ..stage() };
    let exchanges = stage.play(&with_hello(&[
        c(p(0, &body[..0xff_ffff])),
        c(p(1, "')")),
        s([p(2, [1]), column(3), eof(4, 2)].concat()),
        // A row as long.
        s(p(5, vec![0xfe; 0xff_ffff])),
        s([p(6, "\u{7e}rest"), eof(7, 2)].concat()),
    ]));
    assert_eq!(told(&exchanges), [HELLO, "INSERT INSERT INTO t (a) VALUES ( … OK ok +statement_cut"]);
    assert!(exchanges[1].request.as_ref().is_some_and(|request| request.track.bytes > 0xff_ffff));
    assert_eq!(attribute(&exchanges[1], "db.response.returned_rows").as_deref(), Some("1"));
}

#[test]
fn attributes_of_queries_are_passed_over() {
    let with = [s(greeting(0xffff_ffff)), c(login(BASE | 1 << 27)), s(ok(2, 0, 2))];
    let exchanges = stage().check(
        &[
            &with[..],
            &[
                c(query("\0\u{1}select 1")),
                s(result(1, true, 2)),
                c(p(
                    0,
                    b"\x03\x02\x01\0\x01\xfe\0\x02n1\x08\0\x02n2\x06s3cr3t\x01\0\0\0\0\0\0\0select now()",
                )),
                s(result(1, true, 2)),
            ],
        ]
        .concat(),
        &[HELLO, "SELECT select ? OK ok", "SELECT select now() OK ok"],
    );
    hides(&exchanges, &["s3cr3t"]);
}

/// A frame of the compressed protocol.
fn frame(number: u8, packets: &[u8], compress: bool) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(packets).expect("it writes to memory");
    let packed = encoder.finish().expect("it writes to memory");
    let (body, before) = if compress { (packed, packets.len()) } else { (packets.to_vec(), 0) };
    let mut frame = (body.len() as u32).to_le_bytes()[..3].to_vec();
    frame.push(number);
    frame.extend(&(before as u32).to_le_bytes()[..3]);
    frame.extend(body);
    frame
}

#[test]
fn compressed_frames_are_undone() {
    let answer = result(1, true, 2);
    let (head, tail) = answer.split_at(20);
    let events = [
        s(greeting(0xffff_ffff)),
        c(login(BASE | 1 << 5)),
        s(ok(2, 0, 2)),
        c(frame(0, &query("select 's3cr3t'"), false)),
        s([frame(1, head, false), frame(2, tail, true)].concat()),
        c(frame(0, &command(0x0e, ""), false)),
        s(frame(1, &ok(1, 0, 2), false)),
    ];
    let exchanges =
        stage().check(&events, &[HELLO, "SELECT select ? OK ok +compressed", "ping OK ok probe +compressed"]);
    assert_eq!(exchanges[1].took().map(|took| took.as_millis()), Some(1));
    hides(&exchanges, &["s3cr3t"]);
    // A frame is known where it begins a segment.
    stage()
        .mid_stream()
        .check_as_sent(&events[3..], &["SELECT select ? OK ok +compressed", "ping OK ok probe +compressed"]);
}

#[test]
fn frames_that_lie_about_their_length_end_the_reading() {
    let mut lie = frame(1, &vec![0; 100_000], true);
    lie[4..7].copy_from_slice(&[0xff, 0, 0]);
    let events = [
        s(greeting(0xffff_ffff)),
        c(login(BASE | 1 << 5)),
        s(ok(2, 0, 2)),
        c(frame(0, &query("select 1"), false)),
        s(lie),
    ];
    assert_eq!(
        told(&stage().play(&events)),
        [HELLO, "SELECT select ? - unknown +compressed +compression_lost"]
    );
    let bomb = frame(1, &vec![0; 8 << 20], true);
    let events = [&events[..4], &[s(bomb)]].concat();
    assert_eq!(
        told(&stage().play(&events)),
        [HELLO, "SELECT select ? - unknown +compressed +compression_lost"]
    );
}

#[test]
fn a_session_is_entered_in_its_middle() {
    stage().mid_stream().check_as_sent(
        &[
            s([row(9), eof(10, 2)].concat()),
            c(query("select 1")),
            s(result(1, false, 2)),
            c(command(0x16, "SELECT a FROM t WHERE b = ?")),
            s([prepared(1, 1), column(2), column(3)].concat()),
            c(command(0x17, b"\x05\0\0\0\0\x01\0\0\0")),
            s(result(1, false, 2)),
        ],
        &[
            "SELECT select ? OK ok",
            "stmt_prepare SELECT a FROM t WHERE b = ? OK ok",
            "SELECT SELECT a FROM t WHERE b = ? OK ok",
        ],
    );
}

#[test]
fn a_gap_costs_the_call_that_it_hit() {
    let lost = |len| Ev::Lost(Side::B, len);
    stage().check_as_sent(
        &with_hello(&[
            c(query("select 1")),
            s([p(1, [1]), column(2), eof(3, 2)].concat()),
            lost(5000),
            s([row(90), row(91), eof(92, 2)].concat()),
            c(query("select a")),
            lost(100),
            c(query("select b")),
            s(result(1, true, 2)),
            Ev::Lost(Side::A, 40),
            s(ok(1, 3, 2)),
            c(query("select c")),
            s(result(1, true, 2)),
        ]),
        &[
            HELLO,
            "SELECT select ? OK ok +gap",
            "SELECT select a - unknown +gap",
            "SELECT select b OK ok",
            "? OK ok +request_not_seen",
            "SELECT select c OK ok",
        ],
    );
    let long = p(4, vec![b'x'; 9000]);
    stage().check_as_sent(
        &with_hello(&[
            c(query("select 1")),
            s([&p(1, [1]), &column(2), &eof(3, 2), &long[..1000]].concat()),
            lost(4000),
            s([&long[5000..], &eof(5, 2)].concat()),
        ]),
        &[HELLO, "SELECT select ? OK ok +gap"],
    );
}

#[test]
fn unanswered_calls_are_told_when_time_or_the_flow_is_over() {
    stage().check(
        &with_hello(&[
            c(query("select sleep(1000)")),
            Ev::Wait(400),
            s(result(1, true, 2)),
            c(query("select 2")),
            Ev::End(None, End::Fin),
        ]),
        &[
            HELLO,
            "SELECT select sleep(?) - no_response +timed_out",
            "SELECT select sleep(?) OK ok again +late_response",
            "SELECT select ? - no_response",
        ],
    );
}

#[test]
fn statements_longer_than_the_bound_are_cut() {
    let stage = Stage { limits: Limits { header_bytes: 60, ..Limits::default() }, ..stage() };
    let long = format!("INSERT INTO t VALUES ({}'s3cr3t')", "'x',".repeat(1000));
    let exchanges = stage.check(
        &with_hello(&[c(query(&long)), s(ok(1, 1, 2))]),
        &[HELLO, "INSERT INSERT INTO t VALUES (?,?,?,?,?,?,?,?,?, … OK ok +statement_cut"],
    );
    hides(&exchanges, &["s3cr3t"]);
}

#[test]
fn other_protocols_are_not_claimed() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x00\x00\x00\x08\x04\xd2\x16\x2f",
        b"\x1e\x00\x00\x00\x0aabc",
        b"220 ftp ready\r\n",
    ] {
        for stage in [stage(), stage().mid_stream()] {
            for event in [c(bytes), s(bytes)] {
                let exchanges = stage.play(&[event]);
                assert!(exchanges.iter().all(|exchange| exchange.protocol != "mysql"), "{bytes:?}");
            }
        }
    }
}

fn planted() -> Vec<Ev> {
    with_hello(&[
        c(query(r#"SELECT 's3cr3t', "x\"s3cr3t" FROM t # s3cr3t"#)),
        s(result(1, true, 2)),
        c(command(0x16, "UPDATE t SET a = 's3cr3t' WHERE b = ?")),
        s([prepared(1, 0), column(2), eof(3, 2)].concat()),
        c(command(0x17, b"\x05\0\0\0\0\x01\0\0\0\0\x01\xfe\0\x06s3cr3t")),
        s(err(1, 1062, "23000", "Duplicate entry 's3cr3t' for key 't.a'")),
        c(query("CREATE USER x IDENTIFIED BY 's3cr3t'")),
        s(ok(1, 0, 2)),
    ])
}

#[test]
fn canaries_survive_no_cut_and_no_loss() {
    stage().check(
        &planted(),
        &[
            HELLO,
            "SELECT SELECT ?, ? FROM t OK ok",
            "stmt_prepare UPDATE t SET a = ? WHERE b = ? OK ok",
            "UPDATE UPDATE t SET a = ? WHERE b = ? 23000 client_error (Duplicate entry ? for key 't.a')",
            "CREATE CREATE USER x IDENTIFIED BY ? OK ok",
        ],
    );
    for stage in [stage(), stage().mid_stream()] {
        stage.harass(&planted(), |exchanges| hides(exchanges, &["s3cr3t"]));
    }
}

#[test]
fn noise_is_survived() {
    let compressed = vec![s(greeting(0xffff_ffff)), c(login(BASE | 1 << 5)), s(ok(2, 0, 2))];
    noise(&stage(), &[hello(), planted(), compressed, hello()[..1].to_vec()]);
    noise(&stage().mid_stream(), &[vec![c(query("SELECT 1"))]]);
}
