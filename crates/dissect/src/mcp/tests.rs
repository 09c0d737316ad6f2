//! Messages as HTTP brings them.

use wirewise_model::{Exchange, Limits};

use crate::Switchboard;
use crate::conversation::{Stage, attribute, c, hides, s, told};

const SESSION: &str = "Mcp-Session-Id: canary-session\r\nMCP-Protocol-Version: 2025-06-18\r\n";

fn heard(headers: &str, ask: &str, media: &str, answer: &str) -> Exchange {
    let ask = format!(
        "POST /mcp HTTP/1.1\r\nHost: a\r\n{headers}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{ask}",
        ask.len()
    );
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n{answer}",
        answer.len()
    );
    let mut exchanges = Stage::new(8080).play(&[c(ask), s(answer)]);
    let mut board = Switchboard::new(Limits::default());
    board.refine(&mut exchanges[0]);
    assert_eq!(board.switched_off().count(), 0);
    exchanges.remove(0)
}

const JSON: &str = "application/json";
const CALL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"weather","arguments":{"city":"Ulm"}}}"#;

#[track_caller]
fn check(exchange: &Exchange, expect: &str, attributes: &[(&str, &str)]) {
    assert_eq!(told(std::slice::from_ref(exchange)), [expect]);
    assert_eq!((&*exchange.protocol, exchange.carrier.as_deref()), ("mcp", Some("http1")));
    for (name, value) in attributes {
        assert_eq!(attribute(exchange, name).as_deref(), Some(*value), "{name}");
    }
}

#[test]
fn a_call_of_a_tool_has_its_name() {
    let exchange =
        heard(SESSION, CALL, JSON, r#"{"jsonrpc":"2.0","id":7,"result":{"content":[],"isError":false}}"#);
    check(
        &exchange,
        "tools/call /mcp 200 ok",
        &[
            ("mcp.method.name", "tools/call"),
            ("gen_ai.tool.name", "weather"),
            ("gen_ai.operation.name", "execute_tool"),
            ("mcp.protocol.version", "2025-06-18"),
            ("jsonrpc.request.id", "7"),
            ("http.request.method", "POST"),
        ],
    );
    assert_eq!(exchange.endpoint.as_deref(), Some("tools/call weather"));
    let attributes = exchange.attributes.iter().map(|attribute| attribute.value.to_string());
    assert!(attributes.into_iter().all(|text| !text.contains("canary")));
}

#[test]
fn a_tool_that_failed_and_an_error_are_errors_inside_a_success() {
    let failed = r#"{"jsonrpc":"2.0","id":7,"result":{"isError":true,"content":[{"type":"text","text":"no such city"}]}}"#;
    check(
        &heard("", CALL, JSON, failed),
        "tools/call /mcp 200 server_error (no such city)",
        &[("error.type", "tool_error")],
    );
    let unknown = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"Unknown tool"}}"#;
    check(
        &heard("", CALL, JSON, unknown),
        "tools/call /mcp 200 client_error (Unknown tool)",
        &[("rpc.jsonrpc.error_code", "-32602")],
    );
    let internal = r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32603,"message":"oops"}}"#;
    check(&heard("", CALL, JSON, internal), "tools/call /mcp 200 server_error (oops)", &[]);
}

#[test]
fn the_answer_is_found_among_the_events_of_a_stream() {
    let events = "event: message\ndata: {\"jsonrpc\":\"2.0\",\"method\":\"notifications/progress\",\"params\":{}}\n\n\
                  event: message\ndata: {\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32000,\"message\":\"late\"}}\n\n";
    check(
        &heard("", CALL, "text/event-stream", events),
        "tools/call /mcp 200 server_error stream (late)",
        &[("rpc.jsonrpc.error_code", "-32000")],
    );
}

#[test]
fn other_methods_are_told_with_what_they_are_about() {
    let ask = r#"{"jsonrpc":"2.0","id":"a","method":"initialize","params":{"protocolVersion":"2025-03-26"}}"#;
    check(&heard("", ask, JSON, "{}"), "initialize /mcp 200 ok", &[("mcp.protocol.version", "2025-03-26")]);
    let ask =
        r#"{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///a.txt?token=canary"}}"#;
    let read = heard("", ask, JSON, "{}");
    check(&read, "resources/read /mcp 200 ok", &[("mcp.resource.uri", "file:///a.txt")]);
    let ask = r#"{"jsonrpc":"2.0","id":1,"method":"prompts/get","params":{"name":"greet"}}"#;
    check(&heard("", ask, JSON, "{}"), "prompts/get /mcp 200 ok", &[("gen_ai.prompt.name", "greet")]);
    let ask = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
    check(&heard("", ask, JSON, ""), "notifications/initialized /mcp 200 ok message", &[]);
    // A method of somebody's own, where the headers say what is spoken.
    let ask = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    check(&heard(SESSION, ask, JSON, "{}"), "ping /mcp 200 ok", &[]);
}

#[test]
fn other_json_rpc_stays_http() {
    for ask in [
        r#"{"jsonrpc":"2.0","id":1,"method":"eth_call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"rootUri":"x"}}"#,
        r#"{"id":1,"method":"tools/call"}"#,
        r#"{"jsonrpc":"2.0","id":1,"result":{}}"#,
        "[1]",
    ] {
        assert_eq!(heard("", ask, JSON, "{}").protocol, "http1", "{ask}");
    }
    for at in 0..CALL.len() {
        let exchange = heard("", &CALL[..at], JSON, &CALL[at..]);
        hides(&[exchange], &["canary"]);
    }
}
