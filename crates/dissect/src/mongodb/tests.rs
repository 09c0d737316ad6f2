//! Connections as drivers and servers hold them.

use std::io::Write;

use flate2::Compression;
use flate2::write::ZlibEncoder;
use wirewise_model::{Limits, Side};

use crate::End;
use crate::conversation::{Ev, Stage, attribute, c, hides, noise, s, told};

/// A value of BSON.
#[derive(Clone)]
enum V {
    S(&'static str),
    I(i32),
    L(i64),
    F(f64),
    B(bool),
    D(Vec<(&'static str, V)>),
    A(Vec<V>),
    Bin(Vec<u8>),
    Null,
    Regex,
    Oid,
}

use V::{A, B, Bin, D, F, I, L, Null, Oid, Regex, S};

fn element(name: &str, value: &V, into: &mut Vec<u8>) {
    let mut put = |kind: u8, bytes: &[u8]| {
        into.push(kind);
        into.extend(name.as_bytes());
        into.push(0);
        into.extend(bytes);
    };
    match value {
        S(text) => put(2, &[&(text.len() as u32 + 1).to_le_bytes()[..], text.as_bytes(), &[0]].concat()),
        I(number) => put(0x10, &number.to_le_bytes()),
        L(number) => put(0x12, &number.to_le_bytes()),
        F(number) => put(1, &number.to_le_bytes()),
        B(yes) => put(8, &[u8::from(*yes)]),
        D(fields) => put(3, &doc(fields)),
        A(values) => {
            let names = ["0", "1", "2", "3"];
            let fields: Vec<_> = names.into_iter().zip(values.iter().cloned()).collect();
            put(4, &doc(&fields));
        }
        Bin(bytes) => put(5, &[&(bytes.len() as u32).to_le_bytes()[..], &[0], bytes].concat()),
        Null => put(0x0a, &[]),
        Regex => put(0x0b, b"s3cr3t\0i\0"),
        Oid => put(7, &[7; 12]),
    }
}

fn doc(fields: &[(&str, V)]) -> Vec<u8> {
    let mut bytes = vec![0; 4];
    for (name, value) in fields {
        element(name, value, &mut bytes);
    }
    bytes.push(0);
    let length = bytes.len() as u32;
    bytes[..4].copy_from_slice(&length.to_le_bytes());
    bytes
}

fn message(op: u32, id: u32, answers: u32, body: &[u8]) -> Vec<u8> {
    let mut message = (body.len() as u32 + 16).to_le_bytes().to_vec();
    for number in [id, answers, op] {
        message.extend(number.to_le_bytes());
    }
    message.extend(body);
    message
}

fn body(flags: u32, fields: &[(&str, V)]) -> Vec<u8> {
    [&flags.to_le_bytes()[..], &[0], &doc(fields)].concat()
}

/// An OP_MSG with one section.
fn msg(id: u32, answers: u32, fields: &[(&str, V)]) -> Vec<u8> {
    message(2013, id, answers, &body(0, fields))
}

fn ok(id: u32, answers: u32) -> Vec<u8> {
    msg(id, answers, &[("n", I(1)), ("ok", F(1.0))])
}

fn find(id: u32) -> Vec<u8> {
    let filter = D(vec![("email", S("s3cr3t")), ("r", Regex), ("id", Oid), ("n", Null)]);
    msg(id, 0, &[("find", S("orders")), ("filter", filter), ("limit", L(5)), ("$db", S("shop"))])
}

fn stage() -> Stage {
    Stage::new(27017)
}

#[test]
fn commands_meet_their_replies_in_any_order() {
    let found = D(vec![("firstBatch", A(vec![D(vec![("email", S("s3cr3t"))])])), ("id", L(0))]);
    let exchanges = stage().check(
        &[
            c([find(1), msg(2, 0, &[("ping", I(1)), ("$db", S("admin"))])].concat()),
            s(ok(77, 2)),
            s(msg(78, 1, &[("cursor", found), ("ok", F(1.0))])),
        ],
        &["ping admin OK ok probe", "find shop.orders OK ok"],
    );
    let told = |name| attribute(&exchanges[1], name);
    assert_eq!(told("db.namespace").as_deref(), Some("shop"));
    assert_eq!(told("db.collection.name").as_deref(), Some("orders"));
    assert_eq!(exchanges[1].took().map(|took| took.as_millis()), Some(2));
    hides(&exchanges, &["s3cr3t"]);
}

#[test]
fn documents_beside_the_body_are_counted_and_not_read() {
    let documents: Vec<u8> = (0..3).flat_map(|_| doc(&[("email", S("s3cr3t"))])).collect();
    let sequence =
        [&[1][..], &(documents.len() as u32 + 14).to_le_bytes(), b"documents\0", &documents].concat();
    // A checksum ends it.
    let whole = [body(1, &[("insert", S("users")), ("$db", S("shop"))]), sequence, vec![1, 2, 3, 4]].concat();
    let exchanges = stage().check(
        &[c(message(2013, 9, 0, &whole)), s(msg(5, 9, &[("n", I(3)), ("ok", F(1.0))]))],
        &["insert shop.users OK ok"],
    );
    assert_eq!(attribute(&exchanges[0], "db.operation.batch.size").as_deref(), Some("3"));
    assert_eq!(attribute(&exchanges[0], "db.response.affected_rows").as_deref(), Some("3"));
    hides(&exchanges, &["s3cr3t"]);
}

#[test]
fn big_documents_are_passed_over_and_not_held() {
    let stage =
        Stage { limits: Limits { undissected_bytes: 20_000, ..Limits::default() }, split: 1400, ..stage() };
    let big = D(vec![("x", Bin(vec![7; 3_000_000]))]);
    let exchanges = stage.play(&[
        c(msg(1, 0, &[("insert", S("files")), ("documents", A(vec![big.clone()])), ("$db", S("shop"))])),
        s(msg(
            2,
            1,
            &[("cursor", big), ("ok", F(0.0)), ("code", I(50)), ("codeName", S("MaxTimeMSExpired"))],
        )),
    ]);
    assert_eq!(told(&exchanges), ["insert shop.files MaxTimeMSExpired server_error"]);
    assert!(exchanges[0].request.as_ref().is_some_and(|request| request.track.bytes > 3_000_000));
}

#[test]
fn errors_have_their_names_and_lose_what_they_show() {
    let fails = |fields: &[(&str, V)]| {
        let exchanges = stage().play(&[c(find(1)), s(msg(2, 1, fields))]);
        hides(&exchanges, &["s3cr3t"]);
        told(&exchanges)[0].clone()
    };
    assert_eq!(
        fails(&[
            ("ok", F(0.0)),
            ("errmsg", S("ns not found")),
            ("code", I(26)),
            ("codeName", S("NamespaceNotFound"))
        ]),
        "find shop.orders NamespaceNotFound client_error (ns not found)"
    );
    assert_eq!(
        fails(&[
            ("ok", F(0.0)),
            ("errmsg", S("not primary")),
            ("code", I(10107)),
            ("codeName", S("NotWritablePrimary"))
        ]),
        "find shop.orders NotWritablePrimary server_error (not primary)"
    );
    let duplicate = D(vec![
        ("index", I(0)),
        ("code", I(11000)),
        (
            "errmsg",
            S(
                "E11000 duplicate key error collection: shop.users index: email_1 dup key: { email: \"s3cr3t\" }",
            ),
        ),
    ]);
    assert_eq!(
        fails(&[("n", I(0)), ("writeErrors", A(vec![duplicate])), ("ok", F(1.0))]),
        "find shop.orders DuplicateKey client_error (E11000 duplicate key error collection: shop.users index: \
         email_1 dup key: ?) +write_errors"
    );
    let concern = D(vec![("code", I(64)), ("errmsg", S("waiting for replication timed out"))]);
    assert_eq!(
        fails(&[("n", I(1)), ("writeConcernError", concern), ("ok", F(1.0))]),
        "find shop.orders WriteConcernTimeout server_error (waiting for replication timed out)"
    );
    assert_eq!(
        fails(&[("ok", I(0)), ("errmsg", S("no such command: 's3cr3t'")), ("code", I(59))]),
        "find shop.orders 59 client_error (no such command: ?)"
    );
    assert_eq!(fails(&[("ok", B(false)), ("errmsg", S("bad"))]), "find shop.orders 0 client_error (bad)");
}

#[test]
fn a_stream_of_replies_is_one_call() {
    let streamed = |id: u32, answers: u32, more: bool| {
        message(
            2013,
            id,
            answers,
            &body(if more { 2 } else { 0 }, &[("isWritablePrimary", B(true)), ("ok", F(1.0))]),
        )
    };
    let exchanges = stage().check(
        &[
            c(message(
                2013,
                1,
                0,
                &body(1 << 16, &[("hello", I(1)), ("maxAwaitTimeMS", L(10_000)), ("$db", S("admin"))]),
            )),
            s(streamed(10, 1, true)),
            s(streamed(11, 10, true)),
            s(streamed(12, 11, false)),
        ],
        &["hello admin OK ok stream"],
    );
    assert_eq!(exchanges[0].took().map(|took| took.as_millis()), Some(3));
    stage().check(
        &[
            c(message(2013, 1, 0, &body(1 << 16, &[("hello", I(1)), ("$db", S("admin"))]))),
            s(streamed(10, 1, true)),
            Ev::Wait(1000),
        ],
        &["hello admin OK unknown stream +capture_ended"],
    );
}

#[test]
fn what_wants_no_reply_goes_one_way() {
    let namespace = |rest: &[u8]| [&[0; 4][..], b"shop.orders\0", rest].concat();
    stage().check(
        &[
            c(message(2013, 1, 0, &body(2, &[("insert", S("logs")), ("$db", S("shop"))]))),
            c(message(2002, 2, 0, &namespace(&doc(&[("a", S("s3cr3t"))])))),
            c(message(2006, 3, 0, &namespace(&[&[0; 4][..], &doc(&[])].concat()))),
            c(message(2007, 4, 0, &[&[0; 4][..], &1_u32.to_le_bytes(), &[7; 8]].concat())),
        ],
        &[
            "insert shop.logs - one_way message",
            "insert shop.orders - one_way message",
            "delete shop.orders - one_way message",
            "killCursors - one_way message",
        ],
    );
}

/// An OP_REPLY.
fn reply(id: u32, answers: u32, flags: u32, fields: &[(&str, V)]) -> Vec<u8> {
    let mut body = flags.to_le_bytes().to_vec();
    body.extend([0; 12]);
    body.extend(1_u32.to_le_bytes());
    body.extend(doc(fields));
    message(1, id, answers, &body)
}

fn op_query(id: u32, namespace: &str, fields: &[(&str, V)]) -> Vec<u8> {
    let body = [&[0; 4][..], namespace.as_bytes(), &[0], &[0; 8], &doc(fields)].concat();
    message(2004, id, 0, &body)
}

#[test]
fn messages_of_before_are_read() {
    stage().check(
        &[
            c(op_query(0, "admin.$cmd", &[("isMaster", I(1)), ("client", D(vec![]))])),
            s(reply(60, 0, 8, &[("ismaster", B(true)), ("ok", F(1.0))])),
            c(op_query(1, "shop.orders", &[("$query", D(vec![("email", S("s3cr3t"))]))])),
            s(reply(61, 1, 2, &[("$err", S("not master and slaveOk=false")), ("code", I(13435))])),
            c(op_query(
                2,
                "admin.$cmd",
                &[("$query", D(vec![("count", S("t"))])), ("$readPreference", D(vec![]))],
            )),
            s(reply(62, 2, 8, &[("n", I(4)), ("ok", F(1.0))])),
            c(message(2005, 3, 0, &[&[0; 4][..], b"shop.orders\0", &[0; 12]].concat())),
            s(reply(63, 3, 0, &[("email", S("s3cr3t"))])),
            c(message(2010, 4, 0, &[&b"shop\0count\0"[..], &doc(&[]), &doc(&[])].concat())),
            s(message(2011, 64, 4, &[doc(&[("m", I(1))]), doc(&[("ok", F(1.0))])].concat())),
        ],
        &[
            "isMaster admin OK ok probe",
            "find shop.orders 13435 server_error (not master and slaveOk=false)",
            "count admin.t OK ok",
            "getMore shop.orders OK ok",
            "count shop OK ok",
        ],
    );
}

#[test]
fn cursors_are_waited_for_and_proofs_are_not_kept() {
    let exchanges = stage().check(
        &[
            c(msg(
                1,
                0,
                &[
                    ("getMore", L(99)),
                    ("collection", S("events")),
                    ("maxTimeMS", I(1000)),
                    ("$db", S("shop")),
                ],
            )),
            s(ok(2, 1)),
            c(msg(
                3,
                0,
                &[("saslStart", I(1)), ("payload", Bin(b"n,,n=bob,r=s3cr3t".to_vec())), ("$db", S("admin"))],
            )),
            s(msg(4, 3, &[("conversationId", I(1)), ("payload", Bin(b"s3cr3t".to_vec())), ("ok", F(1.0))])),
            c(msg(5, 0, &[("createUser", S("s3cr3t")), ("pwd", S("s3cr3t")), ("$db", S("admin"))])),
            s(ok(6, 5)),
        ],
        &["getMore shop.events OK ok long_poll", "saslStart admin OK ok session", "createUser admin OK ok"],
    );
    hides(&exchanges, &["s3cr3t", "bob"]);
}

/// An OP_COMPRESSED around a message.
fn packed(message_: &[u8], compressor: u8) -> Vec<u8> {
    let (head, plain) = message_.split_at(16);
    let data = match compressor {
        0 => plain.to_vec(),
        1 => snap::raw::Encoder::new().compress_vec(plain).expect("it fits"),
        2 => {
            let mut encoder = ZlibEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(plain).expect("it writes to memory");
            encoder.finish().expect("it writes to memory")
        }
        _ => zstd::stream::encode_all(plain, 0).expect("it writes to memory"),
    };
    let number = |at: usize| u32::from_le_bytes(*head[at..].first_chunk().expect("a header"));
    let body = [&head[12..16], &(plain.len() as u32).to_le_bytes(), &[compressor], &data].concat();
    message(2012, number(4), number(8), &body)
}

#[test]
fn compressed_messages_are_undone_within_bounds() {
    for compressor in 0..4 {
        let exchanges = stage().check(
            &[c(packed(&find(1), compressor)), s(packed(&ok(2, 1), compressor))],
            &["find shop.orders OK ok +compressed"],
        );
        hides(&exchanges, &["s3cr3t"]);
    }
    let bomb = msg(2, 1, &[("x", Bin(vec![0; 8 << 20])), ("ok", F(1.0))]);
    for compressor in 1..4 {
        let exchanges = stage().play(&[c(find(1)), s(packed(&bomb, compressor))]);
        assert_eq!(told(&exchanges), ["find shop.orders - unknown +compressed_not_read"], "{compressor}");
    }
    let mut lie = packed(&ok(2, 1), 2);
    lie[20] ^= 1;
    assert_eq!(
        told(&stage().play(&[c(find(1)), s(lie)])),
        ["find shop.orders - unknown +compressed_not_read"]
    );
}

#[test]
fn a_connection_is_entered_in_its_middle() {
    let mid = stage().mid_stream();
    mid.check_as_sent(
        &[s(ok(7, 3)), c(find(4)), s(ok(8, 4))],
        &["find shop.orders OK ok", "? OK ok +request_not_seen"],
    );
}

#[test]
fn a_gap_costs_the_call_that_it_hit() {
    let big = msg(2, 1, &[("cursor", Bin(vec![0; 9000])), ("ok", F(1.0))]);
    stage().check_as_sent(
        &[
            c(find(1)),
            s(&big[..1000]),
            Ev::Lost(Side::B, 4000),
            s(&big[5000..]),
            c(find(3)),
            Ev::Lost(Side::B, 300),
            c(find(5)),
            s(ok(6, 5)),
            Ev::Lost(Side::A, 300),
            s(ok(8, 7)),
            c(find(9)),
            s(ok(10, 9)),
        ],
        &[
            "find shop.orders - unknown +gap",
            "find shop.orders OK ok",
            "find shop.orders OK ok",
            "? OK ok +request_not_seen",
            "find shop.orders - unknown +capture_ended +gap",
        ],
    );
}

#[test]
fn unanswered_calls_are_told_when_time_or_the_flow_is_over() {
    stage().check(
        &[c(find(1)), Ev::Wait(400), s(ok(2, 1)), c(find(3)), s(&ok(4, 3)[..20]), Ev::End(None, End::Reset)],
        &[
            "find shop.orders - no_response +timed_out",
            "find shop.orders OK ok again +late_response",
            "find shop.orders - aborted +reset",
        ],
    );
}

#[test]
fn other_protocols_are_not_claimed() {
    for bytes in [
        &b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..],
        &[0x30, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xd4, 7, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0],
        &[30, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0xdd, 7, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0],
        &[0; 64],
    ] {
        for event in [c(bytes), s(bytes)] {
            let exchanges = stage().mid_stream().play(&[event]);
            assert!(exchanges.iter().all(|exchange| exchange.protocol != "mongodb"), "{bytes:?}");
        }
    }
}

fn planted() -> Vec<Ev> {
    let update =
        D(vec![("q", D(vec![("a", S("s3cr3t"))])), ("u", D(vec![("$set", D(vec![("b", S("s3cr3t"))]))]))]);
    let error = D(vec![
        ("code", I(121)),
        ("errmsg", S("failed: \"s3cr3t\" {a: 's3cr3t'}")),
        ("errInfo", S("s3cr3t")),
    ]);
    vec![
        c(find(1)),
        s(msg(
            2,
            1,
            &[("cursor", D(vec![("firstBatch", A(vec![D(vec![("a", S("s3cr3t"))])]))])), ("ok", F(1.0))],
        )),
        c(packed(&msg(3, 0, &[("update", S("t")), ("updates", A(vec![update])), ("$db", S("shop"))]), 1)),
        s(packed(&msg(4, 3, &[("writeErrors", A(vec![error])), ("ok", F(1.0))]), 3)),
        c(op_query(5, "shop.t", &[("a", S("s3cr3t"))])),
        s(reply(6, 5, 0, &[("a", S("s3cr3t"))])),
    ]
}

#[test]
fn canaries_survive_no_cut_and_no_loss() {
    let exchanges = stage().check(
        &planted(),
        &[
            "find shop.orders OK ok",
            "update shop.t DocumentValidationFailure client_error (failed: ?) +compressed +write_errors",
            "find shop.t OK ok",
        ],
    );
    hides(&exchanges, &["s3cr3t"]);
    for stage in [stage(), stage().mid_stream()] {
        stage.harass(&planted(), |exchanges| hides(exchanges, &["s3cr3t"]));
    }
}

#[test]
fn noise_is_survived() {
    noise(&stage(), &[planted(), vec![c(find(1))]]);
    noise(&stage().mid_stream(), &[vec![c(&find(1)[..30])]]);
}
