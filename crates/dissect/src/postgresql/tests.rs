//! Sessions as clients and servers hold them.

use wirewise_model::{Limits, Side};

use crate::End;
use crate::conversation::{Ev, Stage, attribute, c, hides, noise, s, told};

/// A message with a type.
fn m(kind: u8, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let mut message = vec![kind];
    message.extend((body.len() as u32 + 4).to_be_bytes());
    message.extend(body);
    message
}

fn startup(body: &str) -> Vec<u8> {
    let mut message = (body.len() as u32 + 8).to_be_bytes().to_vec();
    message.extend([0, 3, 0, 0]);
    message.extend(body.as_bytes());
    message
}

fn request_of(code: u32) -> Vec<u8> {
    let mut message = vec![0, 0, 0, 8];
    message.extend(code.to_be_bytes());
    message
}

fn query(text: &str) -> Vec<u8> {
    m(b'Q', format!("{text}\0"))
}

fn parse(name: &str, text: &str) -> Vec<u8> {
    m(b'P', format!("{name}\0{text}\0\0\0"))
}

fn bind(name: &str) -> Vec<u8> {
    m(b'B', format!("\0{name}\0\0\0\0\u{1}\0\0\0\u{6}s3cr3t\0\0"))
}

fn execute() -> Vec<u8> {
    m(b'E', "\0\0\0\0\0")
}

fn sync() -> Vec<u8> {
    m(b'S', "")
}

fn row() -> Vec<u8> {
    m(b'D', "\0\u{1}\0\0\0\u{6}s3cr3t")
}

fn done(tag: &str) -> Vec<u8> {
    m(b'C', format!("{tag}\0"))
}

fn ready() -> Vec<u8> {
    m(b'Z', "I")
}

fn error(code: &str, message: &str) -> Vec<u8> {
    m(b'E', format!("SERROR\0VERROR\0C{code}\0M{message}\0DKey (email)=(s3cr3t) already exists.\0\0"))
}

fn hello() -> Vec<Ev> {
    vec![
        c(startup("user\0bob\0database\0shop\0application_name\0psql\0\0")),
        s(m(b'R', "\0\0\0\n\0\0SCRAM-SHA-256\0\0")),
        c(m(b'p', "SCRAM-SHA-256\0\0\0\0\u{6}s3cr3t")),
        s(m(b'R', "\0\0\0\u{c}s3cr3t")),
        s([
            m(b'R', "\0\0\0\0"),
            m(b'S', "standard_conforming_strings\0on\0"),
            m(b'S', "server_version\u{0}15.3\0"),
            m(b'K', "\0\0\0\u{1}s3cr"),
            ready(),
        ]
        .concat()),
    ]
}

fn stage() -> Stage {
    Stage::new(5432)
}

fn with_hello(more: &[Ev]) -> Vec<Ev> {
    [hello(), more.to_vec()].concat()
}

const HELLO: &str = "startup shop - ok session";

#[test]
fn a_session_begins_with_one_call_that_keeps_no_proof() {
    let exchanges = stage().check(&hello(), &[HELLO]);
    let told = |name| attribute(&exchanges[0], name);
    assert_eq!(told("user.name").as_deref(), Some("bob"));
    assert_eq!(told("db.namespace").as_deref(), Some("shop"));
    assert_eq!(told("pgsql.authtype").as_deref(), Some("sasl"));
    assert_eq!(told("pgsql.server_version").as_deref(), Some("15.3"));
    assert_eq!(told("pgsql.status").as_deref(), Some("idle"));
    hides(&exchanges, &["s3cr"]);
    let request = exchanges[0].request.as_ref().expect("it was heard");
    assert_eq!(request.track.frames.numbers.len(), 2, "the proof is a part of it");
    assert_eq!(exchanges[0].took().map(|took| took.as_millis()), Some(4));
}

#[test]
fn a_refused_session_is_the_clients_fault() {
    let refused = m(b'E', "SFATAL\0VFATAL\0C28P01\0Mpassword authentication failed for user \"bob\"\0\0");
    stage().check(
        &[hello()[0].clone(), s(refused), Ev::End(Some(Side::B), End::Fin)],
        &["startup shop 28P01 client_error session (password authentication failed for user ?)"],
    );
}

#[test]
fn simple_queries_are_told_without_their_literals() {
    let exchanges = stage().check(
        &with_hello(&[
            c(query("SELECT * FROM orders WHERE email = 's3cr3t' AND id IN (1, 2)")),
            s([m(b'T', "\0\0"), row(), row(), done("SELECT 2"), ready()].concat()),
            c(query("insert into t values (1), (2)")),
            s([done("INSERT 0 2"), ready()].concat()),
        ]),
        &[
            HELLO,
            "SELECT SELECT * FROM orders WHERE email = ? AND id IN (?, ?) SELECT ok",
            "INSERT insert into t values (?), (?) INSERT ok",
        ],
    );
    let select = &exchanges[1];
    assert_eq!(select.endpoint.as_deref(), Some("SELECT * FROM orders WHERE email = ? AND id IN (?)"));
    assert_eq!(attribute(select, "db.response.returned_rows").as_deref(), Some("2"));
    assert_eq!(attribute(select, "db.collection.name").as_deref(), Some("orders"));
    assert_eq!(attribute(select, "db.namespace").as_deref(), Some("shop"));
    assert_eq!(attribute(&exchanges[2], "db.response.affected_rows").as_deref(), Some("2"));
    hides(&exchanges, &["s3cr3t"]);
}

#[test]
fn several_statements_in_one_query_are_one_call() {
    let exchanges = stage().check(
        &with_hello(&[
            c(query("BEGIN; UPDATE t SET a = 1; COMMIT")),
            s([done("BEGIN"), done("UPDATE 3"), done("COMMIT"), ready()].concat()),
        ]),
        &[HELLO, "UPDATE BEGIN; UPDATE t SET a = ?; COMMIT UPDATE ok"],
    );
    assert_eq!(attribute(&exchanges[1], "db.operation.batch.size").as_deref(), Some("3"));
    assert_eq!(attribute(&exchanges[1], "db.response.affected_rows").as_deref(), Some("3"));
}

#[test]
fn prepared_statements_are_remembered_by_name() {
    let exchanges = stage().check(
        &with_hello(&[
            c([parse("p1", "SELECT a FROM t WHERE b = $1"), sync()].concat()),
            s([m(b'1', ""), ready()].concat()),
            c([bind("p1"), execute(), sync()].concat()),
            s([m(b'2', ""), row(), done("SELECT 1"), ready()].concat()),
            c([m(b'C', "Sp1\0"), sync()].concat()),
            s([m(b'3', ""), ready()].concat()),
            c([bind("p1"), execute(), sync()].concat()),
            s([error("26000", "prepared statement \"p1\" does not exist"), ready()].concat()),
            c([m(b'D', "Sp9\0"), sync()].concat()),
            s([m(b't', "\0\0"), m(b'n', ""), ready()].concat()),
            c(sync()),
            s(ready()),
        ]),
        &[
            HELLO,
            "parse SELECT a FROM t WHERE b = $1 - ok",
            "SELECT SELECT a FROM t WHERE b = $1 SELECT ok",
            "close - ok",
            "execute 26000 client_error (prepared statement ? does not exist) +statement_not_seen",
            "describe - ok",
            "sync - ok",
        ],
    );
    assert_eq!(exchanges[2].endpoint.as_deref(), Some("SELECT a FROM t WHERE b = ?"));
    hides(&exchanges, &["s3cr3t"]);
}

#[test]
fn a_pipeline_up_to_sync_is_one_call_with_its_size() {
    let many: Vec<u8> = (0..40).flat_map(|_| [bind(""), execute()].concat()).collect();
    let answers: Vec<u8> = (0..40).flat_map(|_| [m(b'2', ""), done("INSERT 0 1")].concat()).collect();
    let exchanges = stage().check(
        &with_hello(&[
            c([parse("", "insert into t values ($1)"), many, sync()].concat()),
            // The next is sent before the first is answered.
            c([
                m(b'H', ""),
                parse("", "begin"),
                bind(""),
                execute(),
                parse("", "select 1"),
                bind(""),
                execute(),
                sync(),
            ]
            .concat()),
            s([m(b'1', ""), answers, ready()].concat()),
            s([done("BEGIN"), done("SELECT 1"), ready()].concat()),
        ]),
        &[HELLO, "INSERT insert into t values ($1) INSERT ok", "SELECT begin; select ? SELECT ok"],
    );
    assert_eq!(attribute(&exchanges[1], "db.operation.batch.size").as_deref(), Some("40"));
    assert_eq!(attribute(&exchanges[1], "db.response.affected_rows").as_deref(), Some("40"));
    assert_eq!(exchanges[1].took().map(|took| took.as_millis()), Some(2));
    assert_eq!(attribute(&exchanges[2], "db.operation.batch.size").as_deref(), Some("2"));
}

#[test]
fn errors_are_told_by_state_and_without_what_they_quote() {
    let fails = |code: &str, message: &str| {
        let events = with_hello(&[c(query("SELECT 1")), s([error(code, message), ready()].concat())]);
        let exchanges = stage().play(&events);
        hides(&exchanges, &["s3cr3t"]);
        told(&exchanges)[1].clone()
    };
    let cases = [
        (
            "23505",
            "duplicate key value violates unique constraint \"users_email\"",
            "client_error",
            "duplicate key value violates unique constraint \"users_email\"",
        ),
        ("42P01", "relation \"nope\" does not exist", "client_error", "relation \"nope\" does not exist"),
        (
            "22P02",
            "invalid input syntax for type uuid: \"s3cr3t\"",
            "client_error",
            "invalid input syntax for type uuid: ?",
        ),
        ("42601", "syntax error at or near \"s3cr3t\"", "client_error", "syntax error at or near ?"),
        ("40P01", "deadlock detected", "server_error", "deadlock detected"),
        ("40001", "could not serialize access", "server_error", "could not serialize access"),
        ("53300", "too many connections", "server_error", "too many connections"),
        (
            "57014",
            "canceling statement due to statement timeout",
            "server_error",
            "canceling statement due to statement timeout",
        ),
        (
            "57014",
            "canceling statement due to user request",
            "client_error",
            "canceling statement due to user request",
        ),
        (
            "55P03",
            "could not obtain lock on row in relation \"t\"",
            "server_error",
            "could not obtain lock on row in relation \"t\"",
        ),
        ("25P02", "current transaction is aborted", "client_error", "current transaction is aborted"),
        ("XX001", "invalid page in block 17", "server_error", "invalid page in block ?"),
    ];
    for (code, message, outcome, error) in cases {
        assert_eq!(fails(code, message), format!("SELECT SELECT ? {code} {outcome} ({error})"));
    }
}

#[test]
fn a_commit_that_rolls_back_says_so() {
    stage().check(
        &with_hello(&[c(query("COMMIT")), s([done("ROLLBACK"), ready()].concat())]),
        &[HELLO, "COMMIT COMMIT ROLLBACK ok +rolled_back"],
    );
}

#[test]
fn an_empty_query_only_asks_whether_the_server_lives() {
    stage().check(
        &with_hello(&[c(query("-- ping")), s([m(b'I', ""), ready()].concat())]),
        &[HELLO, "empty_query - ok probe"],
    );
}

#[test]
fn copy_is_a_stream_that_is_counted_and_not_held() {
    let stage = Stage { limits: Limits { undissected_bytes: 20_000, ..Limits::default() }, ..stage() };
    let big = m(b'd', vec![b'x'; 300_000]);
    let (head, tail) = big.split_at(100_000);
    let exchanges = stage.check(
        &with_hello(&[
            c(query("COPY t FROM STDIN")),
            s(m(b'G', "\0\0\u{1}\0\0")),
            c(head),
            c([tail, &m(b'd', "s3cr3t"), &m(b'c', "")].concat()),
            s([done("COPY 5"), ready()].concat()),
            c(query("COPY t TO STDOUT")),
            s(m(b'H', "\0\0\u{1}\0\0")),
            s(&big),
            s([m(b'c', ""), done("COPY 5"), ready()].concat()),
        ]),
        &[HELLO, "COPY COPY t FROM STDIN COPY ok stream", "COPY COPY t TO STDOUT COPY ok stream"],
    );
    assert!(exchanges[1].request.as_ref().is_some_and(|request| request.track.bytes > 300_000));
    assert!(exchanges[2].response.as_ref().is_some_and(|response| response.track.bytes > 300_000));
}

#[test]
fn copy_in_the_extended_protocol_swallows_its_first_sync() {
    stage().check(
        &with_hello(&[
            c([parse("", "COPY t FROM STDIN"), bind(""), execute(), sync()].concat()),
            s([m(b'1', ""), m(b'2', ""), m(b'G', "\0\0\0")].concat()),
            c([m(b'd', "s3cr3t"), m(b'c', ""), sync()].concat()),
            s([done("COPY 1"), ready()].concat()),
            c(query("SELECT 1")),
            s([done("SELECT 1"), ready()].concat()),
        ]),
        &[HELLO, "COPY COPY t FROM STDIN COPY ok stream", "SELECT SELECT ? SELECT ok"],
    );
}

#[test]
fn replication_goes_on_until_the_end() {
    stage().check(
        &with_hello(&[
            c(query("START_REPLICATION SLOT \"s\" LOGICAL 0/0")),
            s(m(b'W', "\0\0\0")),
            s(m(b'd', "w s3cr3t")),
            c(m(b'd', "r s3cr3t")),
            s(m(b'd', "w s3cr3t")),
            Ev::Wait(1000),
        ]),
        &[
            HELLO,
            "START_REPLICATION START_REPLICATION SLOT \"s\" LOGICAL ?/? - unknown stream +replication +capture_ended",
        ],
    );
}

#[test]
fn what_goes_one_way_is_a_message() {
    let mut cancel = vec![0, 0, 0, 16];
    cancel.extend(80_877_102_u32.to_be_bytes());
    cancel.extend(b"\0\0\0\x01s3cr");
    let exchanges = stage().check(&[c(cancel)], &["cancel_request - one_way message"]);
    hides(&exchanges, &["s3cr"]);
    let exchanges = stage().check(
        &with_hello(&[
            s(m(b'A', "\0\0\0\u{1}orders\0s3cr3t\0")),
            s(m(b'N', "SNOTICE\0C00000\0Mtable \"s3cr3t\" is odd\0\0")),
            s(m(b'E', "SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0")),
            c(m(b'X', "")),
        ]),
        &[
            HELLO,
            "? notification orders - one_way message",
            "? notice table ? is odd - one_way message",
            "? error 57P01 server_error message (terminating connection due to administrator command)",
            "terminate - one_way message",
        ],
    );
    hides(&exchanges, &["s3cr3t"]);
}

#[test]
fn encryption_is_negotiated_by_one_byte() {
    stage().check(
        &[c(request_of(80_877_104)), s("N"), c(request_of(80_877_103)), s("N"), hello()[0].clone()],
        &[
            "gssenc_request refused ok session",
            "ssl_request refused ok session",
            "startup shop - unknown session +capture_ended",
        ],
    );
    let exchanges = stage().play(&[
        c(request_of(80_877_103)),
        s("S"),
        // The beginning of a handshake: a hello that is not whole.
        c([22, 3, 1, 0, 5, 1, 0, 0, 1, 0]),
    ]);
    assert_eq!(told(&exchanges)[0], "ssl_request accepted ok session");
    assert!(exchanges.iter().skip(1).all(|exchange| exchange.protocol == "tls"), "{:?}", told(&exchanges));
}

#[test]
fn a_session_is_entered_in_its_middle() {
    let mid = stage().mid_stream();
    mid.check_as_sent(
        &[
            s([&row()[5..], &row(), &done("SELECT 2"), &ready()].concat()),
            c(query("SELECT 1")),
            s([done("SELECT 1"), ready()].concat()),
        ],
        &["SELECT SELECT ? SELECT ok"],
    );
    mid.check_as_sent(
        &[
            s([row(), done("SELECT 2"), ready()].concat()),
            c([bind("s_1"), execute(), sync()].concat()),
            s([m(b'2', ""), done("DELETE 7"), ready()].concat()),
        ],
        &["? SELECT SELECT ok +request_not_seen", "DELETE DELETE ok +statement_not_seen"],
    );
}

#[test]
fn a_gap_costs_the_call_that_it_hit() {
    let lost = |len| Ev::Lost(Side::B, len);
    stage().check_as_sent(
        &with_hello(&[
            c(query("SELECT 1")),
            s(m(b'T', "\0\0")),
            lost(5000),
            s([&row()[7..], &done("SELECT 20"), &ready()].concat()),
            c(query("SELECT a")),
            lost(100),
            c(query("SELECT b")),
            s([done("SELECT 1"), ready()].concat()),
        ]),
        &[
            HELLO,
            "SELECT SELECT ? SELECT ok +gap",
            "SELECT SELECT a - unknown +gap",
            "SELECT SELECT b SELECT ok",
        ],
    );
    let big = m(b'D', vec![0; 9000]);
    stage().check_as_sent(
        &with_hello(&[
            c(query("SELECT 1")),
            s(&big[..1000]),
            lost(4000),
            s([&big[5000..], &done("SELECT 1"), &ready()].concat()),
        ]),
        &[HELLO, "SELECT SELECT ? SELECT ok +gap"],
    );
    stage().check_as_sent(
        &with_hello(&[
            Ev::Lost(Side::A, 30),
            s([done("SELECT 9"), ready()].concat()),
            c(query("SELECT b")),
            s([done("SELECT 1"), ready()].concat()),
        ]),
        &[HELLO, "? SELECT SELECT ok +request_not_seen", "SELECT SELECT b SELECT ok"],
    );
}

#[test]
fn unanswered_calls_are_told_when_time_or_the_flow_is_over() {
    stage().check(
        &with_hello(&[
            c(query("SELECT pg_sleep(1000)")),
            Ev::Wait(400),
            s([done("SELECT 1"), ready()].concat()),
            c(query("SELECT 2")),
            Ev::End(None, End::Reset),
        ]),
        &[
            HELLO,
            "SELECT SELECT pg_sleep(?) - no_response +timed_out",
            "SELECT SELECT pg_sleep(?) SELECT ok again +late_response",
            "SELECT SELECT ? - no_response +reset",
        ],
    );
}

#[test]
fn statements_longer_than_the_bound_are_cut_and_counted() {
    let stage = Stage { limits: Limits { header_bytes: 100, ..Limits::default() }, ..stage() };
    let long = format!("INSERT INTO t VALUES ({}'s3cr3t')", "'x', ".repeat(1000));
    let exchanges = stage.check(
        &with_hello(&[c(query(&long)), s([done("INSERT 0 1"), ready()].concat())]),
        &[HELLO, &format!("INSERT INSERT INTO t VALUES ({}? … INSERT ok +statement_cut", "?, ".repeat(15))],
    );
    assert!(exchanges[1].request.as_ref().is_some_and(|request| request.track.bytes > 5000));
}

#[test]
fn other_protocols_are_not_claimed() {
    for bytes in [
        &b"GET / HTTP/1.1\r\n"[..],
        b"\x00\x00\x00\x15\x00\x03\x00\x00\x00\x00\x00\x01\x00\x04abcd\x00\x00\x00",
        b"*1\r\n$4\r\nPING\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc",
        b"\x51\x00\x00\x00\x03SELECT 1",
    ] {
        for stage in [stage(), stage().mid_stream()] {
            let exchanges = stage.play(&[c(bytes)]);
            assert!(exchanges.iter().all(|exchange| exchange.protocol != "postgres"), "{bytes:?}");
        }
    }
}

fn planted() -> Vec<Ev> {
    with_hello(&[
        c(query("SELECT 's3cr3t', E'\\'s3cr3t', $$s3cr3t$$ FROM t -- s3cr3t")),
        s([m(b'T', "\0\u{1}s3cr3t"), row(), done("SELECT 1"), ready()].concat()),
        c([parse("p", "UPDATE t SET a = 's3cr3t'"), bind("p"), execute(), sync()].concat()),
        s([error("22P02", "bad value: \"s3cr3t\""), ready()].concat()),
        c(query("ALTER ROLE x PASSWORD 's3cr3t'")),
        s([done("ALTER ROLE"), ready()].concat()),
    ])
}

#[test]
fn canaries_survive_no_cut_and_no_loss() {
    stage().check(
        &planted(),
        &[
            HELLO,
            "SELECT SELECT ?, ?, ? FROM t SELECT ok",
            "UPDATE UPDATE t SET a = ? 22P02 client_error (bad value: ?)",
            "ALTER ALTER ROLE x PASSWORD ? ALTER ROLE ok",
        ],
    );
    for stage in [stage(), stage().mid_stream()] {
        stage.harass(&planted(), |exchanges| hides(exchanges, &["s3cr3t"]));
    }
}

#[test]
fn noise_is_survived() {
    noise(&stage(), &[hello(), planted()]);
    noise(&stage().mid_stream(), &[vec![c(query("SELECT 1"))]]);
}
