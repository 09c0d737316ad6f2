//! Both transports, driven by raw messages as clients of old and new revisions send them.

use std::sync::Arc;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::{Request, Response, StatusCode};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, ReadHalf, WriteHalf};
use tower::ServiceExt;
use wirewise_tools::{Evidence, Span, ToolError};

use crate::{RunningTool, ToolRunner, http, serve};

const HOST: &str = "127.0.0.1:8470";

struct Scripted;

impl ToolRunner for Scripted {
    fn run<'a>(&'a self, name: &'a str, arguments: Value) -> RunningTool<'a> {
        Box::pin(async move {
            if arguments.get("sql") == Some(&json!("SELECT x")) {
                return Err(ToolError::Tell("no column x; did you mean call_id?".to_owned()));
            }
            if arguments.get("sql") == Some(&json!("broken")) {
                return Err(ToolError::Fail("the disk is gone".to_owned()));
            }
            Ok(Evidence {
                tool: name.to_owned(),
                dataset: "shop".to_owned(),
                window: Span::default(),
                now: String::new(),
                now_is: "last packet".to_owned(),
                matched: 3,
                returned: 1,
                truncated: true,
                next_cursor: None,
                losses: Vec::new(),
                notes: Vec::new(),
                citations: Vec::new(),
                body: json!({"given": arguments}),
                text: "matched 3".to_owned(),
            })
        })
    }

    fn payloads(&self) -> bool {
        false
    }
}

struct Client {
    lines: tokio::io::Lines<BufReader<ReadHalf<DuplexStream>>>,
    output: WriteHalf<DuplexStream>,
}

impl Client {
    fn start() -> Self {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let (input, output) = tokio::io::split(theirs);
        tokio::spawn(serve(Arc::new(Scripted), input, output));
        let (lines, output) = tokio::io::split(ours);
        Self { lines: BufReader::new(lines).lines(), output }
    }

    async fn say(&mut self, message: Value) {
        self.output.write_all(format!("{message}\n").as_bytes()).await.expect("the server listens");
    }

    async fn ask(&mut self, message: Value) -> Value {
        self.say(message).await;
        let line = self.lines.next_line().await.expect("the server answers").expect("with a line");
        serde_json::from_str(&line).expect("of JSON")
    }

    async fn initialize(&mut self, version: &str) -> Value {
        let answer = self
            .ask(json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
                "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}}))
            .await;
        self.say(json!({"jsonrpc": "2.0", "method": "notifications/initialized"})).await;
        answer
    }
}

fn call(name: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
}

#[tokio::test]
async fn older_clients_list_and_call_over_stdio() {
    for version in ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"] {
        let mut client = Client::start();
        let hello = client.initialize(version).await;
        assert_eq!(hello["result"]["protocolVersion"], version);
        assert_eq!(hello["result"]["serverInfo"]["name"], "wirewise");
        let list = client.ask(json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"})).await;
        let names: Vec<&str> = list["result"]["tools"]
            .as_array()
            .expect("tools")
            .iter()
            .filter_map(|tool| tool["name"].as_str())
            .collect();
        assert_eq!(
            names,
            ["get_overview", "query_sql", "search_calls", "get_call", "get_service_map", "compare_windows"],
            "payloads are not offered where they may not be read"
        );
        for tool in list["result"]["tools"].as_array().expect("tools") {
            assert_eq!(tool["annotations"]["readOnlyHint"], true);
            assert_eq!(tool["inputSchema"]["type"], "object");
            assert_eq!(tool["outputSchema"]["type"], "object");
        }
        let result = client.ask(call("get_overview", json!({"window": "10m"}))).await;
        assert_eq!(result["result"]["content"][0]["text"], "matched 3");
        assert_eq!(result["result"]["structuredContent"]["body"]["given"]["window"], "10m");
        assert_eq!(result["result"]["structuredContent"]["matched"], 3);
    }
}

#[tokio::test]
async fn what_can_be_mended_is_a_result_and_what_cannot_an_error() {
    let mut client = Client::start();
    client.initialize("2025-06-18").await;
    let mendable = client.ask(call("query_sql", json!({"sql": "SELECT x"}))).await;
    assert_eq!(mendable["result"]["isError"], true);
    assert!(mendable["result"]["content"][0]["text"].as_str().is_some_and(|text| text.contains("call_id")));
    for (name, arguments) in [
        ("no_such_tool", json!({})),
        ("get_call_payload", json!({"id": "c0123"})),
        ("query_sql", json!({"sql": "broken"})),
    ] {
        let answer = client.ask(call(name, arguments)).await;
        assert!(answer["error"]["code"].is_i64(), "{name}: {answer}");
    }
    let strange = client.ask(json!({"jsonrpc": "2.0", "id": 3, "method": "no/such"})).await;
    assert_eq!(strange["error"]["code"], -32601);
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}
    })
}

#[tokio::test]
async fn the_newest_revision_needs_no_handshake_over_stdio() {
    let mut client = Client::start();
    let found = client
        .ask(json!({"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": meta()}}))
        .await;
    let versions = found["result"]["supportedVersions"].as_array().expect("versions");
    assert!(versions.contains(&json!("2026-07-28")), "{found}");
    let list = client
        .ask(json!({"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {"_meta": meta()}}))
        .await;
    assert_eq!(list["result"]["tools"].as_array().map(Vec::len), Some(6), "{list}");
    assert!(list["result"]["ttlMs"].is_u64());
    let result = client
        .ask(json!({"jsonrpc": "2.0", "id": 3, "method": "tools/call",
            "params": {"name": "get_overview", "arguments": {}, "_meta": meta()}}))
        .await;
    assert_eq!(result["result"]["resultType"], "complete", "{result}");
}

async fn post(body: Value, headers: &[(&str, &str)]) -> Response<Body> {
    let router = Router::new().nest_service("/mcp", http(Arc::new(Scripted), vec![HOST.to_owned()]));
    let mut request = Request::post("/mcp")
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream");
    if !headers.iter().any(|(name, _)| *name == "host") {
        request = request.header("host", HOST);
    }
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Body::from(body.to_string())).expect("a request");
    router.oneshot(request).await.expect("the service never fails")
}

async fn read(response: Response<Body>) -> Value {
    let bytes = to_bytes(response.into_body(), 1 << 20).await.expect("a body");
    let text = String::from_utf8(bytes.to_vec()).expect("of text");
    // An event stream carries the answer in its data lines.
    let json = text.lines().filter_map(|line| line.strip_prefix("data: ")).find(|data| data.starts_with('{'));
    serde_json::from_str(json.unwrap_or(&text)).unwrap_or_else(|error| panic!("{error}: {text}"))
}

const NEWEST: [(&str, &str); 2] = [("mcp-protocol-version", "2026-07-28"), ("mcp-method", "tools/list")];

fn list() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"_meta": meta()}})
}

#[tokio::test]
async fn the_newest_revision_lists_over_http() {
    let response = post(list(), &NEWEST).await;
    assert_eq!(response.status(), StatusCode::OK);
    let list = read(response).await;
    assert_eq!(list["result"]["tools"].as_array().map(Vec::len), Some(6), "{list}");
}

#[tokio::test]
async fn older_clients_begin_a_session_over_http() {
    let hello = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}});
    let response = post(hello, &[]).await;
    assert_eq!(response.status(), StatusCode::OK);
    assert!(response.headers().contains_key("mcp-session-id"));
    assert_eq!(read(response).await["result"]["protocolVersion"], "2025-06-18");
}

#[tokio::test]
async fn foreign_hosts_and_origins_stay_outside() {
    let with = |name: &'static str, value: &'static str| [NEWEST[0], NEWEST[1], (name, value)];
    assert_eq!(post(list(), &with("origin", "http://127.0.0.1:8470")).await.status(), StatusCode::OK);
    for origin in
        ["http://evil.example", "null", "http://127.0.0.1:9999", "http://127.0.0.1:8470.evil.example", "x"]
    {
        assert_eq!(post(list(), &with("origin", origin)).await.status(), StatusCode::FORBIDDEN, "{origin}");
    }
    for host in ["evil.example", "127.0.0.1:9999", "evil.example:8470"] {
        assert_eq!(post(list(), &with("host", host)).await.status(), StatusCode::FORBIDDEN, "{host}");
    }
}

#[tokio::test]
async fn bodies_that_are_too_long_or_no_json_are_refused() {
    let long =
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {"x": "y".repeat(2 << 20)}});
    assert_eq!(post(long, &NEWEST).await.status(), StatusCode::PAYLOAD_TOO_LARGE);
    assert!(post(json!("hello"), &NEWEST).await.status().is_client_error());
}
