//! Requests as HTTP brings them, and documents.

use wirewise_model::{Exchange, Kind, Limits};

use super::parse::document;
use crate::Switchboard;
use crate::conversation::{Stage, attribute, c, hides, s, told};

fn heard(ask: &str, answer: &str) -> Vec<Exchange> {
    let mut exchanges = Stage::new(8080).play(&[c(ask), s(answer)]);
    let mut board = Switchboard::new(Limits::default());
    for exchange in &mut exchanges {
        board.refine(exchange);
    }
    assert_eq!(board.switched_off().count(), 0);
    exchanges
}

fn post(path: &str, media: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {path} HTTP/1.1\r\nHost: a\r\nContent-Type: {media}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

fn answer(code: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {code} X\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
}

#[track_caller]
fn check(body: &str, response: &str, expect: &str) -> Exchange {
    let mut exchanges = heard(&post("/graphql", "application/json", body), &answer(200, response));
    assert_eq!(told(&exchanges), [expect]);
    assert_eq!((&*exchanges[0].protocol, exchanges[0].carrier.as_deref()), ("graphql", Some("http1")));
    exchanges.remove(0)
}

#[track_caller]
fn read(source: &str, expect: &[&str]) {
    let operations = document(source).map(|document| document.operations).unwrap_or_default();
    let line = |operation: &super::Operation| {
        format!(
            "{} {} {}",
            operation.kind,
            operation.name.as_deref().unwrap_or("-"),
            operation.fields.join(",")
        )
    };
    assert_eq!(operations.iter().map(line).collect::<Vec<_>>(), expect, "{source}");
}

#[test]
fn documents_tell_their_operations_and_what_they_ask_for_first() {
    read("{ user(id: 1) { name } }", &["query - user"]);
    read(
        "query Q($a: Int = 3, $b: [In!]! = {x: \"}\"}) @live { a: user(w: {x: [1]}) { id } b }",
        &["query Q user,b"],
    );
    read("mutation Add { add(text: \"\"\"a \" } b\"\"\") { id } } # { no }", &["mutation Add add"]);
    read("subscription S{ticks(n:3)}", &["subscription S ticks"]);
    read(
        "fragment F on User { name } query A { ...F ... on Query { deep } u @include(if: $x) { id } }",
        &["query A u"],
    );
    read("query A { a } query B { b }", &["query A a", "query B b"]);
    read("query A { a, b", &["query A a,b"]);
    read("{", &["query - "]);
}

#[test]
fn other_languages_are_no_documents() {
    for other in [
        "SELECT { a }",
        "{app=\"x\"} |= \"error\"",
        "sum(rate(http_requests{job=\"a\"}[5m]))",
        "{\"match\": {\"a\": 1}}",
        "{a: 1}",
        "status:500 AND host:a",
        "}",
        "",
        "query",
        "one two three four five {a}",
    ] {
        assert_eq!(document(other), None, "{other}");
    }
}

#[test]
fn an_operation_has_name_type_and_root_fields() {
    let body = r#"{"query":"query GetU($id: Int!) { user(id: $id) { name } me: viewer { id } }","operationName":"GetU","variables":{"id":3}}"#;
    let exchange = check(body, r#"{"data":{"user":{"name":"x"}}}"#, "query /graphql 200 ok");
    assert_eq!(exchange.endpoint.as_deref(), Some("query GetU"));
    for (name, value) in [
        ("graphql.operation.name", "GetU"),
        ("graphql.operation.type", "query"),
        ("graphql.root_fields", "user,viewer"),
        ("graphql.document", "query GetU($id: Int!) { user(id: $id) { name } me: viewer { id } }"),
        ("http.request.method", "POST"),
        ("http.response.status_code", "200"),
    ] {
        assert_eq!(attribute(&exchange, name).as_deref(), Some(value), "{name}");
    }
    let nameless = check(r#"{"query":"{ users { id } }"}"#, r#"{"data":{}}"#, "query /graphql 200 ok");
    assert_eq!(nameless.endpoint.as_deref(), Some("query users"));
    let second = r#"{"query":"query A { a } mutation B { b }","operationName":"B"}"#;
    check(second, r#"{"data":{}}"#, "mutation /graphql 200 ok");
    let live = check(r#"{"query":"subscription { ticks }"}"#, "{}", "subscription /graphql 200 ok stream");
    assert_eq!(live.kind, Kind::Stream);
}

#[test]
fn errors_inside_a_success_are_errors_and_say_whose() {
    let ask = r#"{"query":"{ user { id } }"}"#;
    check(
        ask,
        r#"{"errors":[{"message":"Syntax Error"},{"message":"more"}]}"#,
        "query /graphql 200 client_error (Syntax Error)",
    );
    check(
        ask,
        r#"{"data":null,"errors":[{"message":"no database","path":["user"]}]}"#,
        "query /graphql 200 server_error (no database)",
    );
    let partial = check(
        ask,
        r#"{"errors":[{"message":"late","path":["user"],"extensions":{"code":"TIMEOUT"}}],"data":{"user":null,"a":1}}"#,
        "query /graphql 200 server_error (late) +partial_data",
    );
    assert_eq!(attribute(&partial, "graphql.errors").as_deref(), Some("1"));
    assert_eq!(attribute(&partial, "graphql.error.code").as_deref(), Some("TIMEOUT"));
    check(
        ask,
        r#"{"data":null,"errors":[{"message":"who?","path":["user"],"extensions":{"code":"UNAUTHENTICATED"}}]}"#,
        "query /graphql 200 client_error (who?)",
    );
    check(ask, r#"{"data":{"user":1},"errors":[]}"#, "query /graphql 200 ok");
}

#[test]
fn batches_are_one_call_with_all_their_names() {
    let body = r#"[{"query":"query A { a }"},{"query":"mutation B { b }"}]"#;
    let answer = r#"[{"data":{"a":1}},{"data":null,"errors":[{"message":"no","path":["b"]}]}]"#;
    let exchange = check(body, answer, "batch /graphql 200 server_error (no)");
    assert_eq!(exchange.endpoint.as_deref(), Some("batch A + B"));
    assert_eq!(attribute(&exchange, "graphql.batch").as_deref(), Some("2"));
}

#[test]
fn persisted_queries_have_their_id() {
    let body =
        r#"{"operationName":"Get","extensions":{"persistedQuery":{"version":1,"sha256Hash":"ecf4edb4"}}}"#;
    let missing = r#"{"errors":[{"message":"PersistedQueryNotFound","extensions":{"code":"PERSISTED_QUERY_NOT_FOUND"}}]}"#;
    let exchange = check(body, missing, "persisted /graphql 200 client_error (PersistedQueryNotFound)");
    assert_eq!(exchange.endpoint.as_deref(), Some("persisted Get"));
    assert_eq!(attribute(&exchange, "graphql.document.id").as_deref(), Some("ecf4edb4"));
    assert_eq!(attribute(&exchange, "graphql.operation.type"), None);
}

#[test]
fn a_get_and_a_bare_document_are_requests_too() {
    let get = "GET /graphql?query=query+G%7Buser%28id%3A3%29%7Bname%7D%7D&operationName=G HTTP/1.1\r\nHost: a\r\n\r\n";
    let exchanges = heard(get, &answer(200, r#"{"data":{}}"#));
    assert_eq!(told(&exchanges), ["query /graphql 200 ok"]);
    assert_eq!(exchanges[0].endpoint.as_deref(), Some("query G"));
    assert_eq!(
        attribute(&exchanges[0], "graphql.document").as_deref(),
        Some("query G { user(id: ?) { name } }")
    );
    let exchanges = heard(&post("/api", "application/graphql", "mutation { go }"), &answer(400, "{}"));
    assert_eq!(told(&exchanges), ["mutation /api 400 client_error (X)"]);
}

#[test]
fn what_is_no_graphql_stays_http() {
    for (path, media, body) in [
        ("/search", "application/json", r#"{"query":{"match_all":{}}}"#),
        ("/search", "application/json", r#"{"query":"status:500"}"#),
        ("/graphql", "application/json", r#"{"q":1}"#),
        ("/graphql", "text/plain", r#"{"query":"{ a }"}"#),
        ("/rpc", "application/json", r#"[{"jsonrpc":"2.0"}]"#),
        ("/graphql", "application/json", "["),
    ] {
        let exchanges = heard(&post(path, media, body), &answer(200, "{}"));
        assert_eq!(exchanges[0].protocol, "http1", "{body}");
    }
    let exchanges =
        heard("GET /loki?query=%7Bapp%3D%22x%22%7D HTTP/1.1\r\nHost: a\r\n\r\n", &answer(200, "{}"));
    assert_eq!(exchanges[0].protocol, "http1");
}

#[test]
fn literals_are_told_nowhere() {
    let body = r#"{"variables":{"limit":3},"query":"mutation { login(password: \"hunter2x\", pin: 4711) { token } }"}"#;
    let mut exchanges = heard(&post("/graphql", "application/json", body), &answer(200, r#"{"data":{}}"#));
    let get = "GET /graphql?query=%7Blogin(password:%22hunter2x%22,pin:4711)%7Btoken%7D%7D HTTP/1.1\r\nHost: a\r\n\r\n";
    exchanges.extend(heard(get, &answer(200, "{}")));
    let batch = r#"[{"query":"{ a(x: \"hunter2x\", y: 4711) }"}]"#;
    exchanges.extend(heard(&post("/graphql", "application/json", batch), &answer(200, "[]")));
    let bare = post("/graphql", "application/graphql", "{ a(x: \"hunter2x\", y: 4711) # hunter2x\n }");
    exchanges.extend(heard(&bare, &answer(200, "{}")));
    assert!(exchanges.iter().all(|exchange| exchange.protocol == "graphql"));
    hides(&exchanges, &["hunter2x", "4711"]);
    let kept = &exchanges[0].request.as_ref().unwrap().body.as_ref().unwrap().kept;
    assert_eq!(
        String::from_utf8_lossy(kept),
        r#"{"variables":{"limit":3},"query":"mutation { login(password: \"?\" pin: ?) { token } }"}"#
    );
}

#[test]
fn a_body_that_is_cut_tells_what_came_of_it() {
    let long = format!(r#"{{"query":"query Long {{ users {{ id }} }} {}""#, " ".repeat(20_000));
    let exchanges = heard(&post("/graphql", "application/json", &long), &answer(200, r#"{"data":{}}"#));
    assert_eq!(told(&exchanges), ["query /graphql 200 ok"]);
    assert!(exchanges[0].request.as_ref().unwrap().body.as_ref().unwrap().truncated);
    let whole =
        r#"[{"query":"query A($x: I = {y: [1]}) { a: b(c: \"\"\"d\"\"\") @e { ...f } }","extensions":{}}]"#;
    for at in 0..whole.len() {
        heard(&post("/graphql", "application/json", &whole[..at]), &answer(200, &whole[at..]));
    }
}
