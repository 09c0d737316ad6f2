//! Connections as drivers and nodes hold them.

use wirewise_model::Side;

use super::segment;
use crate::End;
use crate::conversation::{Ev, Stage, attribute, c, hides, noise, s, told};

const ERROR: u8 = 0;
const STARTUP: u8 = 1;
const READY: u8 = 2;
const AUTHENTICATE: u8 = 3;
const OPTIONS: u8 = 5;
const SUPPORTED: u8 = 6;
const QUERY: u8 = 7;
const RESULT: u8 = 8;
const PREPARE: u8 = 9;
const EXECUTE: u8 = 10;
const REGISTER: u8 = 11;
const EVENT: u8 = 12;
const BATCH: u8 = 13;
const AUTH_CHALLENGE: u8 = 14;
const AUTH_RESPONSE: u8 = 15;
const AUTH_SUCCESS: u8 = 16;

fn envelope(version: u8, flags: u8, stream: i16, code: u8, body: &[u8]) -> Vec<u8> {
    let mut message = vec![version, flags];
    message.extend(stream.to_be_bytes());
    message.push(code);
    message.extend((body.len() as u32).to_be_bytes());
    message.extend(body);
    message
}

/// A request of version 4.
fn q(stream: i16, code: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    envelope(4, 0, stream, code, body.as_ref())
}

/// A response of version 4.
fn r(stream: i16, code: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    envelope(0x84, 0, stream, code, body.as_ref())
}

fn short(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes()[..], text.as_bytes()].concat()
}

fn long(text: &str) -> Vec<u8> {
    [&(text.len() as u32).to_be_bytes()[..], text.as_bytes()].concat()
}

fn map(pairs: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = (pairs.len() as u16).to_be_bytes().to_vec();
    for (name, value) in pairs {
        bytes.extend(short(name));
        bytes.extend(short(value));
    }
    bytes
}

/// The body of a QUERY with consistency LOCAL_QUORUM.
fn query(text: &str) -> Vec<u8> {
    [long(text), vec![0, 6, 0]].concat()
}

fn error(code: u32, message: &str) -> Vec<u8> {
    [&code.to_be_bytes()[..], &short(message)].concat()
}

const VOID: [u8; 4] = [0, 0, 0, 1];

/// A result of two rows.
fn rows() -> Vec<u8> {
    [
        &[0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2][..],
        &short("ks"),
        &short("t"),
        &short("a"),
        &[0, 0x0d],
        &short("m"),
        &[0, 0x21, 0, 0x0d, 0, 0x20, 0, 0x0d],
        &[0, 0, 0, 2],
        b"\0\0\0\x06s3cr3t\xff\xff\xff\xff\0\0\0\x06s3cr3t\xff\xff\xff\xff",
    ]
    .concat()
}

fn hello() -> Vec<Ev> {
    vec![
        c(q(0, OPTIONS, "")),
        s(r(0, SUPPORTED, [&[0, 1][..], &short("CQL_VERSION"), &[0, 1], &short("3.4.5")].concat())),
        c(q(1, STARTUP, map(&[("CQL_VERSION", "3.0.0"), ("COMPRESSION", "lz4"), ("DRIVER_NAME", "py")]))),
        s(r(1, AUTHENTICATE, short("org.apache.cassandra.auth.PasswordAuthenticator"))),
        c(q(2, AUTH_RESPONSE, b"\0\0\0\x0b\0bob\0s3cr3t")),
        s(r(2, AUTH_CHALLENGE, b"\0\0\0\x06s3cr3t")),
        c(q(2, AUTH_RESPONSE, b"\0\0\0\x06s3cr3t")),
        s(r(2, AUTH_SUCCESS, b"\xff\xff\xff\xff")),
    ]
}

const HELLO: [&str; 4] = [
    "options SUPPORTED ok probe",
    "startup AUTHENTICATE ok session",
    "auth_response AUTH_CHALLENGE ok session",
    "auth_response AUTH_SUCCESS ok session",
];

fn with_hello(more: &[Ev]) -> Vec<Ev> {
    [hello(), more.to_vec()].concat()
}

fn expect<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&HELLO[..], more].concat()
}

fn stage() -> Stage {
    Stage::new(9042)
}

#[test]
fn a_session_begins_without_its_proof() {
    let exchanges = stage().check(&hello(), &HELLO);
    assert_eq!(attribute(&exchanges[1], "cassandra.authenticator").as_deref(), Some("PasswordAuthenticator"));
    assert_eq!(attribute(&exchanges[1], "cassandra.driver.name").as_deref(), Some("py"));
    hides(&exchanges, &["s3cr3t", "bob"]);
}

#[test]
fn queries_meet_their_results_in_any_order() {
    let exchanges = stage().check(
        &with_hello(&[
            c([
                q(7, QUERY, query("SELECT a FROM ks.t WHERE k = 550e8400-e29b-41d4-a716-446655440000 AND b IN ('s3cr3t', 'x')")),
                q(8, QUERY, query("USE ks")),
            ]
            .concat()),
            s(r(8, RESULT, [&[0, 0, 0, 3][..], &short("ks")].concat())),
            s(r(7, RESULT, rows())),
            c(q(7, QUERY, query("INSERT INTO t (a) VALUES (1)"))),
            s(r(7, RESULT, VOID)),
        ]),
        &expect(&[
            "USE USE ks SET_KEYSPACE ok",
            "SELECT SELECT a FROM ks.t WHERE k = ? AND b IN (?, ?) ROWS ok",
            "INSERT INSERT INTO t (a) VALUES (?) VOID ok",
        ]),
    );
    let told = |at: usize, name| attribute(&exchanges[at], name);
    assert_eq!(exchanges[5].endpoint.as_deref(), Some("SELECT a FROM ks.t WHERE k = ? AND b IN (?)"));
    assert_eq!(told(5, "db.response.returned_rows").as_deref(), Some("2"));
    assert_eq!(told(5, "db.collection.name").as_deref(), Some("ks.t"));
    assert_eq!(told(5, "cassandra.consistency.level").as_deref(), Some("local_quorum"));
    assert_eq!(told(6, "db.namespace").as_deref(), Some("ks"));
    hides(&exchanges, &["s3cr3t"]);
}

#[test]
fn prepared_statements_are_remembered_by_id() {
    let id = [&[0, 16][..], &[7; 16]].concat();
    let unprepared = [error(0x2500, "Prepared query with ID 0707 not found"), id.clone()].concat();
    let exchanges = stage().check(
        &with_hello(&[
            c(q(1, PREPARE, long("UPDATE t SET a = ? WHERE k = ?"))),
            s(r(1, RESULT, [&[0, 0, 0, 4][..], &id, &[0; 20]].concat())),
            c(q(2, EXECUTE, [&id[..], &[0, 1, 1, 0, 1], b"\0\0\0\x06s3cr3t"].concat())),
            s(r(2, RESULT, VOID)),
            c(q(3, EXECUTE, [&[0, 2, 9, 9][..], &[0, 1, 0]].concat())),
            s(r(3, ERROR, unprepared)),
        ]),
        &expect(&[
            "prepare UPDATE t SET a = ? WHERE k = ? PREPARED ok",
            "UPDATE UPDATE t SET a = ? WHERE k = ? VOID ok",
            "execute UNPREPARED client_error (Prepared query with ID ? not found) +statement_not_seen",
        ]),
    );
    hides(&exchanges, &["s3cr3t"]);
}

#[test]
fn a_batch_tells_its_statements_and_their_number() {
    let batch = [
        &[0, 0, 3][..],
        &[0],
        &long("INSERT INTO t (a) VALUES ('s3cr3t')"),
        &[0, 0],
        &[0],
        &long("INSERT INTO t (a) VALUES (?)"),
        &[0, 1],
        b"\0\0\0\x06s3cr3t",
        &[1, 0, 2, 5, 5, 0, 0],
        &[0, 1, 0],
    ]
    .concat();
    let exchanges = stage().check(
        &with_hello(&[c(q(1, BATCH, batch)), s(r(1, RESULT, VOID))]),
        &expect(&["BATCH INSERT INTO t (a) VALUES (?) VOID ok +statement_not_seen"]),
    );
    assert_eq!(attribute(&exchanges[4], "db.operation.batch.size").as_deref(), Some("3"));
    hides(&exchanges, &["s3cr3t"]);
}

#[test]
fn errors_are_told_by_number_and_without_values() {
    let stage = stage().mid_stream();
    let cases = [
        (
            0x1000,
            "Cannot achieve consistency level QUORUM",
            "UNAVAILABLE server_error (Cannot achieve consistency level QUORUM)",
        ),
        (
            0x1200,
            "Operation timed out - received only 1 responses.",
            "READ_TIMEOUT server_error (Operation timed out - received only ? responses.)",
        ),
        (
            0x2000,
            "line 1:7 no viable alternative at input 's3cr3t' ([s3cr3t]...)",
            "SYNTAX_ERROR client_error (line ? no viable alternative at input ? ?)",
        ),
        (
            0x2200,
            "Invalid STRING constant (s3cr3t) for \"id\" of type int",
            "INVALID client_error (Invalid STRING constant ? for ? of type int)",
        ),
        (0x2100, "User s3cr3t has no SELECT permission", "UNAUTHORIZED client_error (unauthorized)"),
        (
            0x0100,
            "Provided username s3cr3t and/or password are incorrect",
            "BAD_CREDENTIALS client_error (bad credentials)",
        ),
    ];
    for (code, message, expect) in cases {
        assert_eq!(fails(&stage, code, message), format!("SELECT SELECT a FROM t {expect}"));
    }
}

/// A query that fails, on a connection that is entered in its middle.
fn fails(stage: &Stage, code: u32, message: &str) -> String {
    let exchanges = stage.play(&[
        c(q(1, QUERY, query("SELECT a FROM t"))),
        s(r(1, ERROR, [error(code, message), vec![0; 8]].concat())),
    ]);
    hides(&exchanges, &["s3cr3t"]);
    told(&exchanges)[0].clone()
}

#[test]
fn events_go_one_way() {
    let event = [short("STATUS_CHANGE"), short("DOWN"), vec![4, 10, 0, 0, 1, 0, 0, 0x23, 0x52]].concat();
    stage().check(
        &with_hello(&[
            c(q(3, REGISTER, [&[0, 2][..], &short("STATUS_CHANGE"), &short("SCHEMA_CHANGE")].concat())),
            s(r(3, READY, "")),
            s(r(-1, EVENT, event)),
        ]),
        &expect(&[
            "register STATUS_CHANGE, SCHEMA_CHANGE READY ok",
            "? event STATUS_CHANGE DOWN - one_way message",
        ]),
    );
}

#[test]
fn compressed_bodies_are_undone_within_bounds() {
    let lz4 =
        |plain: &[u8]| [&(plain.len() as u32).to_be_bytes()[..], &lz4_flex::block::compress(plain)].concat();
    let snappy = |plain: &[u8]| snap::raw::Encoder::new().compress_vec(plain).expect("it fits");
    let text = query("SELECT a FROM t WHERE b = 's3cr3t' AND c = 's3cr3t' AND d = 's3cr3t'");
    let told_ = "SELECT SELECT a FROM t WHERE b = ? AND c = ? AND d = ? ROWS ok +compressed";
    let events = |pack: &dyn Fn(&[u8]) -> Vec<u8>| {
        vec![c(envelope(4, 1, 5, QUERY, &pack(&text))), s(envelope(0x84, 1, 5, RESULT, &pack(&rows())))]
    };
    let exchanges = stage().check(&with_hello(&events(&lz4)), &expect(&[told_]));
    hides(&exchanges, &["s3cr3t"]);
    for pack in [&lz4 as &dyn Fn(&[u8]) -> Vec<u8>, &snappy] {
        stage().mid_stream().check_as_sent(&events(pack), &[told_]);
    }
    let bomb = lz4(&vec![0; 8 << 20]);
    let exchanges = stage().play(&with_hello(&[c(envelope(4, 1, 5, QUERY, &bomb)), s(r(5, RESULT, VOID))]));
    assert_eq!(told(&exchanges)[4], "query VOID ok +compressed_not_read");
}

#[test]
fn version_5_speaks_in_segments_from_the_startup_on() {
    for pack in [segment::plain, segment::packed] {
        let startup = map(&[("CQL_VERSION", "3.0.0")]);
        let text = query("SELECT a FROM t WHERE b = 's3cr3t' AND c = 's3cr3t'");
        let asked = envelope(5, 0, 2, QUERY, &text);
        let events = [
            c(envelope(5, 0, 1, STARTUP, &startup)),
            s(envelope(0x85, 0, 1, READY, &[])),
            c([pack(&[asked.clone(), envelope(5, 0, 3, OPTIONS, &[])].concat())].concat()),
            s(pack(&envelope(0x85, 0, 3, SUPPORTED, &map(&[])))),
            s(pack(&envelope(0x85, 0, 2, RESULT, &rows()))),
        ];
        let exchanges = stage().check(
            &events,
            &[
                "startup READY ok session",
                "options SUPPORTED ok probe",
                "SELECT SELECT a FROM t WHERE b = ? AND c = ? ROWS ok",
            ],
        );
        assert_eq!(exchanges[2].took().map(|took| took.as_millis()), Some(2));
        hides(&exchanges, &["s3cr3t"]);
        // After a gap, and entered in the middle.
        let again = [c(pack(&asked)), s(pack(&envelope(0x85, 0, 2, RESULT, &rows())))];
        let told_ = "SELECT SELECT a FROM t WHERE b = ? AND c = ? ROWS ok";
        stage().mid_stream().check_as_sent(&again, &[told_]);
        let lossy = [&events[..4], &[Ev::Lost(Side::B, 200)], &again].concat();
        let lines = told(&stage().play(&lossy));
        assert_eq!(lines.last().map(String::as_str), Some(told_), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains("unknown +gap")), "{lines:?}");
    }
}

#[test]
fn what_flags_put_before_the_fields_is_passed_over() {
    let payload = [&[0, 1][..], &short("k"), b"\0\0\0\x06s3cr3t"].concat();
    let warnings = [&[0, 1][..], &short("s3cr3t")].concat();
    let exchanges = stage().check(
        &with_hello(&[
            c(envelope(4, 6, 1, QUERY, &[payload.clone(), query("SELECT a FROM t")].concat())),
            s(envelope(0x84, 14, 1, RESULT, &[vec![9; 16], warnings, payload, rows()].concat())),
        ]),
        &expect(&["SELECT SELECT a FROM t ROWS ok +warning"]),
    );
    assert_eq!(attribute(&exchanges[4], "db.response.returned_rows").as_deref(), Some("2"));
    hides(&exchanges, &["s3cr3t"]);
}

#[test]
fn long_results_are_counted_and_gaps_in_them_stepped_over() {
    let big = r(1, RESULT, [rows(), vec![b'x'; 300_000]].concat());
    let ask = c(q(1, QUERY, query("SELECT a FROM t")));
    let exchanges = stage().play(&with_hello(&[
        ask.clone(),
        s(&big[..100_000]),
        Ev::Lost(Side::B, 100_000),
        s(&big[200_000..]),
        ask.clone(),
        Ev::Lost(Side::B, 50),
        c(q(2, QUERY, query("SELECT b FROM t"))),
        s(r(2, RESULT, VOID)),
    ]));
    let expect = expect(&[
        "SELECT SELECT a FROM t ROWS ok +gap",
        "SELECT SELECT b FROM t VOID ok",
        "SELECT SELECT a FROM t - unknown +capture_ended +gap",
    ]);
    assert_eq!(told(&exchanges), expect);
}

#[test]
fn unanswered_calls_are_told_when_time_or_the_flow_is_over() {
    stage().check(
        &with_hello(&[
            c(q(1, QUERY, query("SELECT a FROM t"))),
            Ev::Wait(400),
            s(r(1, RESULT, VOID)),
            c(q(2, QUERY, query("SELECT b FROM t"))),
            Ev::End(None, End::Fin),
        ]),
        &expect(&[
            "SELECT SELECT a FROM t - no_response +timed_out",
            "SELECT SELECT a FROM t VOID ok again +late_response",
            "SELECT SELECT b FROM t - no_response",
        ]),
    );
}

#[test]
fn other_protocols_are_not_claimed() {
    for bytes in [
        &b"\x04\x01\0\x50\x0a\0\0\x01user\0"[..],
        b"\x03\0\0\x13\x0e\xe0\0\0\0\0\0\x01\0\x08\0\x03\0\0\0",
        b"\x05\x01\0",
        b"GET / HTTP/1.1\r\n\r\n",
        &[3; 40],
    ] {
        for stage in [Stage::new(1080), Stage::new(1080).mid_stream()] {
            let exchanges = stage.play(&[c(bytes)]);
            assert!(exchanges.iter().all(|exchange| exchange.protocol != "cql"), "{bytes:?}");
        }
    }
}

fn planted() -> Vec<Ev> {
    with_hello(&[
        c(q(1, QUERY, query("INSERT INTO t (a, b) VALUES ('s3cr3t', $$s3cr3t$$) // s3cr3t"))),
        s(r(1, RESULT, rows())),
        c(q(2, QUERY, query("CREATE ROLE x WITH PASSWORD = 's3cr3t'"))),
        s(r(2, ERROR, error(0x2200, "bad (s3cr3t) 's3cr3t'"))),
    ])
}

#[test]
fn canaries_survive_no_cut_and_no_loss() {
    stage().check(
        &planted(),
        &expect(&[
            "INSERT INSERT INTO t (a, b) VALUES (?, ?) ROWS ok",
            "CREATE CREATE ROLE x WITH PASSWORD = ? INVALID client_error (bad ? ?)",
        ]),
    );
    for stage in [stage(), stage().mid_stream()] {
        stage.harass(&planted(), |exchanges| hides(exchanges, &["s3cr3t"]));
    }
}

#[test]
fn noise_is_survived() {
    let segmented = vec![
        c(envelope(5, 0, 1, STARTUP, &map(&[("CQL_VERSION", "3.0.0")]))),
        s(envelope(0x85, 0, 1, READY, &[])),
        c(segment::plain(&envelope(5, 0, 3, OPTIONS, &[]))),
    ];
    noise(&stage(), &[hello(), planted(), segmented]);
    noise(&stage().mid_stream(), &[vec![c(q(0, OPTIONS, ""))]]);
}
