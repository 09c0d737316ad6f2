//! MCP as clients of every revision speak it, over both transports of the real program.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio as Pipe};

use serde_json::{Value, json};

use crate::home::{Home, http_client};
use crate::scene::{Scene, orders, request, response};

/// Letters that a token is taken for: no tokenizer of today's models makes fewer than 3.5 of our mix of ids, words
/// and CSV.
const LETTERS_A_TOKEN: f64 = 3.5;
const MOST_DEFINITIONS: usize = 4_000;
const MOST_DEFAULT: usize = 2_000;
const MOST: usize = 10_000;
const OLDER: [&str; 4] = ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"];
const NEWEST: &str = "2026-07-28";

fn tokens(text: &str) -> usize {
    (text.chars().count() as f64 / LETTERS_A_TOKEN).ceil() as usize
}

fn meta() -> Value {
    json!({
        "io.modelcontextprotocol/protocolVersion": NEWEST,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {}
    })
}

fn hello(version: &str) -> Value {
    json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": version, "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}})
}

/// `wirewise mcp`, spoken to line by line.
pub(crate) struct Stdio {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    asked: u64,
}

impl Stdio {
    pub(crate) fn start(home: &Home) -> Self {
        let mut command = home.command(&["-vv", "mcp"]);
        let mut child =
            command.stdin(Pipe::piped()).stdout(Pipe::piped()).stderr(Pipe::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output), asked: 0 }
    }

    fn say(&mut self, message: &Value) {
        writeln!(self.input, "{message}").unwrap();
    }

    #[track_caller]
    fn ask(&mut self, method: &str, params: Value) -> Value {
        self.asked += 1;
        self.say(&json!({"jsonrpc": "2.0", "id": self.asked, "method": method, "params": params}));
        self.read()
    }

    #[track_caller]
    fn read(&mut self) -> Value {
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        // Nothing but messages may stand on standard output.
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    #[track_caller]
    pub(crate) fn initialize(&mut self, version: &str) -> Value {
        self.say(&hello(version));
        let answer = self.read();
        self.say(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}));
        answer
    }

    #[track_caller]
    pub(crate) fn tool(&mut self, name: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": name, "arguments": arguments}))
    }

    /// Closes its input, waits for it, and gives what it logged.
    #[track_caller]
    pub(crate) fn end(self) -> String {
        let Self { mut child, input, output, .. } = self;
        drop((input, output));
        let mut log = String::new();
        child.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        let status = child.wait().unwrap();
        assert!(status.success(), "{status}: {log}");
        log
    }
}

/// `/mcp` of a running server.
pub(crate) struct Http {
    client: reqwest::Client,
    url: String,
    token: String,
}

impl Http {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        Self { client: http_client(), url: format!("{url}/mcp"), token: token.to_owned() }
    }

    async fn post(&self, message: &Value, headers: &[(&str, &str)]) -> reqwest::Response {
        let mut request = self.client.post(&self.url).bearer_auth(&self.token).body(message.to_string());
        request = request.header("content-type", "application/json");
        request = request.header("accept", "application/json, text/event-stream");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        request.send().await.unwrap()
    }

    /// A request of the newest revision: no session, everything in the one message.
    async fn ask(&self, method: &str, mut params: Value) -> Value {
        params["_meta"] = meta();
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut headers = vec![("mcp-protocol-version", NEWEST), ("mcp-method", method)];
        if let Some(name) = params["name"].as_str() {
            headers.push(("mcp-name", name));
        }
        let response = self.post(&message, &headers).await;
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{status}: {text}");
        read(&text)
    }

    pub(crate) async fn tool(&self, name: &str, arguments: Value) -> Value {
        self.ask("tools/call", json!({"name": name, "arguments": arguments})).await
    }
}

/// A message, plain or as an event.
fn read(text: &str) -> Value {
    let data = text.lines().filter_map(|line| line.strip_prefix("data: ")).find(|data| data.starts_with('{'));
    serde_json::from_str(data.unwrap_or(text)).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// A busy shop: long names, many endpoints, many callers, some of them failing.
fn busy(n_calls: usize) -> Vec<u8> {
    let mut scene = Scene::default();
    let numbers: Vec<usize> = (0..n_calls).collect();
    for (connection, some) in numbers.chunks(100).enumerate() {
        let exchanges: Vec<(Vec<u8>, Vec<u8>)> = some
            .iter()
            .map(|number| {
                let area = ["catalogue", "checkout", "recommendations", "fulfilment"][number % 4];
                let line =
                    format!("GET /api/v2/{area}/of-the-shop-{}/items/{number}/details?page=2", number % 37);
                let host = format!("{area}-service-{}.shop-production.svc.cluster.local", number % 23);
                let ask = request(&line, &[("X-Forwarded-Host", &host)], b"");
                let ask = String::from_utf8(ask).unwrap().replace("orders.shop", &host).into_bytes();
                let status = if number % 7 == 3 { "503 Service Unavailable" } else { "200 OK" };
                (ask, response(status, &[("Content-Type", "application/json")], b"{\"error\": \"none\"}"))
            })
            .collect();
        scene.talk(&format!("10.0.{}.{}:80", connection % 5, 2 + connection % 11), &exchanges);
    }
    scene.pcap()
}

/// Each tool with the least that it needs, `id` being a call's.
fn least(id: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("get_overview", json!({})),
        ("query_sql", json!({"sql": "SELECT * FROM calls"})),
        ("search_calls", json!({})),
        ("get_call", json!({"id": id})),
        ("get_call_payload", json!({"id": id})),
        ("get_service_map", json!({})),
        ("compare_windows", json!({})),
    ]
}

/// Each tool with the most that it can be asked for.
fn most(id: &str) -> Vec<(&'static str, Value)> {
    vec![
        ("get_overview", json!({"detail": "detailed"})),
        ("query_sql", json!({"sql": "SELECT * FROM calls", "limit": 500, "detail": "detailed"})),
        (
            "query_sql",
            json!({"sql": "SELECT target, host, call_id FROM calls", "limit": 500, "detail": "detailed"}),
        ),
        ("search_calls", json!({"limit": 100, "detail": "detailed"})),
        ("get_call", json!({"id": id})),
        ("get_call_payload", json!({"id": id, "letters": 12000})),
        ("get_service_map", json!({"detail": "detailed"})),
        ("compare_windows", json!({"limit": 50, "detail": "detailed"})),
    ]
}

/// Whether a value is of this schema, by the words of JSON Schema that ours use.
fn check(schema: &Value, value: &Value, at: &str) {
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(some) => some.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    let is = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    assert!(types.is_empty() || types.contains(&is), "{at} is {is}, not {types:?}: {value}");
    for required in schema["required"].as_array().into_iter().flatten() {
        assert!(value.get(required.as_str().unwrap()).is_some(), "{at} has no {required}: {value}");
    }
    if let (Some(properties), Some(fields)) = (schema["properties"].as_object(), value.as_object()) {
        for (name, field) in fields {
            let known = properties.get(name).unwrap_or_else(|| panic!("{at}.{name} is not in the schema"));
            check(known, field, &format!("{at}.{name}"));
        }
    }
    if let (Some(items), Some(values)) = (schema.get("items"), value.as_array()) {
        values.iter().for_each(|value| check(items, value, &format!("{at}[]")));
    }
}

/// No format that makes clients warn, no dots in names, read-only, and objects on both sides.
fn check_definitions(tools: &Value) {
    let tools = tools.as_array().unwrap();
    assert_eq!(tools.len(), 7, "payloads are allowed here");
    for tool in tools {
        let name = tool["name"].as_str().unwrap();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
        assert_eq!(tool["annotations"]["readOnlyHint"], true, "{name}");
        assert_eq!(tool["annotations"]["destructiveHint"], false, "{name}");
        assert_eq!(tool["inputSchema"]["additionalProperties"], false, "{name}");
        for schema in ["inputSchema", "outputSchema"] {
            assert_eq!(tool[schema]["type"], "object", "{name}");
            assert!(!tool[schema].to_string().contains("\"format\""), "{name}");
        }
    }
}

fn with_payloads(capture: &[u8]) -> Home {
    let home = Home::new();
    std::fs::create_dir_all(home.path("config/wirewise")).unwrap();
    home.file("config/wirewise/config.toml", "allow_payloads = true\n");
    home.import("shop.pcap", capture);
    home
}

fn text_of(result: &Value) -> &str {
    result["result"]["content"][0]["text"].as_str().unwrap_or_else(|| panic!("no text: {result}"))
}

#[test]
fn definitions_and_results_keep_to_their_tokens_on_twenty_thousand_calls() {
    let home = with_payloads(&busy(20_000));
    let mut client = Stdio::start(&home);
    client.initialize("2025-06-18");
    let list = client.ask("tools/list", json!({}));
    let tools = &list["result"]["tools"];
    check_definitions(tools);
    let definitions = tokens(&tools.to_string());
    println!("definitions: {definitions} tokens");
    assert!(definitions <= MOST_DEFINITIONS, "definitions take {definitions} tokens");
    let schema = |name: &str| {
        let tool = tools.as_array().unwrap().iter().find(|tool| tool["name"] == name);
        tool.expect("it is listed")["outputSchema"].clone()
    };
    let id = home.query("SELECT call_id FROM calls WHERE failed LIMIT 1")[0]["call_id"]
        .as_str()
        .unwrap()
        .to_owned();
    for (bound, asked) in [(MOST_DEFAULT, least(&id)), (MOST, most(&id))] {
        for (name, arguments) in asked {
            let answer = client.tool(name, arguments.clone());
            let result = &answer["result"];
            assert_eq!(result["isError"], false, "{name} {arguments}: {answer}");
            let (text, structured) = (text_of(&answer), &result["structuredContent"]);
            let (said, typed) = (tokens(text), tokens(&structured.to_string()));
            println!("{name} {arguments}: {said} tokens, {typed} typed");
            assert!(said <= bound, "{name} {arguments} takes {said} tokens");
            check(&schema(name), structured, name);
            // A reader knows what it did not get.
            assert!(
                text.contains("matched ") && text.contains("truncated ") && text.contains("losses "),
                "{text}"
            );
            assert_eq!(structured["dataset"], "shop");
        }
    }
    client.end();
}

#[test]
fn older_and_newest_clients_are_served_over_stdio() {
    let home = with_payloads(&orders(20).pcap());
    for version in OLDER {
        let mut client = Stdio::start(&home);
        let hello = client.initialize(version);
        assert_eq!(hello["result"]["protocolVersion"], version, "{hello}");
        check_definitions(&client.ask("tools/list", json!({}))["result"]["tools"]);
        let overview = client.tool("get_overview", json!({}));
        assert_eq!(overview["result"]["structuredContent"]["matched"], 20, "{version}: {overview}");
        let wrong = client.tool("query_sql", json!({"sql": "SELECT endpont FROM calls"}));
        assert!(wrong["result"]["isError"] == true && text_of(&wrong).contains("endpoint"), "{wrong}");
        assert!(client.tool("no_such_tool", json!({}))["error"]["code"].is_i64());
        client.end();
    }
    let mut client = Stdio::start(&home);
    let found = client.ask("server/discover", json!({"_meta": meta()}));
    assert!(found["result"]["supportedVersions"].as_array().unwrap().contains(&json!(NEWEST)), "{found}");
    check_definitions(&client.ask("tools/list", json!({"_meta": meta()}))["result"]["tools"]);
    let overview =
        client.ask("tools/call", json!({"name": "get_overview", "arguments": {}, "_meta": meta()}));
    assert_eq!(overview["result"]["resultType"], "complete", "{overview}");
    assert_eq!(overview["result"]["structuredContent"]["matched"], 20, "{overview}");
    client.end();
}

#[test]
fn an_ide_that_stays_open_keeps_nobody_from_the_data() {
    let home = with_payloads(&orders(20).pcap());
    let mut client = Stdio::start(&home);
    client.initialize("2025-06-18");
    let matched = |client: &mut Stdio| {
        client.tool("get_overview", json!({"dataset": "shop"}))["result"]["structuredContent"]["matched"]
            .clone()
    };
    assert_eq!(matched(&mut client), 20);
    // Another IDE, an import, a server, and the end of that server: the tools go on.
    let mut other = Stdio::start(&home);
    other.initialize("2025-06-18");
    assert_eq!(matched(&mut other), 20);
    home.import("more.pcap", &orders(30).pcap());
    let more = client.tool("get_overview", json!({"dataset": "more"}));
    assert_eq!(more["result"]["structuredContent"]["matched"], 30, "{more}");
    let up = home.up(&[]);
    assert_eq!(matched(&mut client), 20);
    up.stop();
    assert_eq!(matched(&mut client), 20);
    let up = home.up(&[]);
    up.kill();
    assert_eq!(matched(&mut other), 20);
    client.end();
    other.end();
}

#[test]
fn payloads_are_offered_only_where_they_are_allowed() {
    let home = Home::new();
    home.import("shop.pcap", &orders(20).pcap());
    let id = home.query("SELECT call_id FROM calls LIMIT 1")[0]["call_id"].as_str().unwrap().to_owned();
    let mut client = Stdio::start(&home);
    client.initialize("2025-06-18");
    let list = client.ask("tools/list", json!({}));
    assert!(!list.to_string().contains("get_call_payload"), "{list}");
    assert!(client.tool("get_call_payload", json!({"id": id}))["error"]["code"].is_i64());
    let sneaked = client.tool("query_sql", json!({"sql": "SELECT * FROM payloads"}));
    assert_eq!(sneaked["result"]["isError"], true, "{sneaked}");
    client.end();
}

#[tokio::test(flavor = "multi_thread")]
async fn older_and_newest_clients_are_served_over_http() {
    let started = tokio::task::spawn_blocking(|| {
        let home = with_payloads(&orders(20).pcap());
        (home.up(&[]), home)
    });
    let (up, home) = started.await.unwrap();
    let http = Http::new(&up.url, &home.token());
    for version in OLDER {
        let response = http.post(&hello(version), &[]).await;
        let session = response.headers()["mcp-session-id"].to_str().unwrap().to_owned();
        assert_eq!(read(&response.text().await.unwrap())["result"]["protocolVersion"], version);
        let headers = [("mcp-session-id", session.as_str()), ("mcp-protocol-version", version)];
        http.post(&json!({"jsonrpc": "2.0", "method": "notifications/initialized"}), &headers).await;
        let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
        let list = read(&http.post(&list, &headers).await.text().await.unwrap());
        check_definitions(&list["result"]["tools"]);
        let call = json!({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "get_overview", "arguments": {}}});
        let call = read(&http.post(&call, &headers).await.text().await.unwrap());
        assert_eq!(call["result"]["structuredContent"]["matched"], 20, "{version}: {call}");
    }
    let found = http.ask("server/discover", json!({})).await;
    assert!(found["result"]["supportedVersions"].as_array().unwrap().contains(&json!(NEWEST)), "{found}");
    let list = http.ask("tools/list", json!({})).await;
    check_definitions(&list["result"]["tools"]);
    assert!(list["result"]["ttlMs"].is_u64(), "{list}");
    let overview = http.tool("get_overview", json!({})).await;
    assert_eq!(overview["result"]["structuredContent"]["matched"], 20, "{overview}");
    tokio::task::spawn_blocking(move || up.stop()).await.unwrap();
}
