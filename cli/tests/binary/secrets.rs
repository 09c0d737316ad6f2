//! No secret of a capture leaves redaction in any way: not in a file, an answer, a log, or to a model.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use wirewise_testkit::model_server::{ScriptedModel, Step};

use crate::home::{Home, Up, http_client};
use crate::mcp::{Http, Stdio};
use crate::places::{CONTROL, Places, SHARED};
use crate::scan::{Wanted, found_under};

/// Everything that was said, by whom, until it is searched.
#[derive(Default)]
struct Said(Vec<(String, String)>);

impl Said {
    fn add(&mut self, by: impl Into<String>, text: impl Into<String>) {
        self.0.push((by.into(), text.into()));
    }

    /// Runs a command that works, and keeps both of its outputs.
    #[track_caller]
    fn run(&mut self, home: &Home, arguments: &[&str]) -> String {
        let ran = home.run(&[&["-vv"], arguments].concat());
        self.add(format!("{} (stderr)", arguments.join(" ")), ran.err.clone());
        let out = ran.done();
        self.add(arguments.join(" "), out.clone());
        out
    }

    fn assert_silent_about(&self, wanted: &[Wanted]) {
        for (by, text) in &self.0 {
            for wanted in wanted {
                if let Some(form) = wanted.found_in(text.as_bytes()) {
                    panic!("{} is told as {form} by `{by}`:\n{}", wanted.word, around(text, &wanted.word));
                }
            }
        }
    }
}

/// The line in which a word stands.
fn around(text: &str, word: &str) -> String {
    let line = text.lines().find(|line| line.contains(word)).unwrap_or("(encoded)");
    line.chars().take(2_000).collect()
}

/// Imported, with the secrets that must not be found again.
fn imported() -> (Home, Said, Vec<Wanted>) {
    let (secrets, scene) = Places::all();
    let wanted: Vec<Wanted> = secrets.iter().map(|secret| Wanted::new(secret)).collect();
    let (home, mut said) = (Home::new(), Said::default());
    home.file("secrets.pcap", scene.pcap());
    std::fs::create_dir_all(home.path("config/wirewise")).unwrap();
    // The widest that a user can open: payloads go to models, too.
    home.file("config/wirewise/config.toml", "allow_payloads = true\n");
    said.run(&home, &["import", "secrets.pcap"]);
    (home, said, wanted)
}

/// Ids of all calls.
fn ids(home: &Home) -> Vec<String> {
    let rows = home.query("SELECT call_id FROM calls ORDER BY call_id");
    rows.iter().map(|row| row["call_id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn nothing_that_is_stored_or_printed_holds_a_secret() {
    let (home, mut said, wanted) = imported();
    let n_calls = home.count("SELECT count(*) FROM calls");
    assert!(n_calls > 80, "the capture is read: {n_calls} calls");
    for table in ["calls", "payloads", "flows", "losses"] {
        said.run(&home, &["query", &format!("SELECT * FROM {table}"), "-o", "json"]);
        said.run(&home, &["query", &format!("SELECT * FROM {table}"), "-o", "csv"]);
    }
    said.run(&home, &["calls", "-n", "10000"]);
    for id in ids(&home).iter().step_by(4) {
        said.run(&home, &["show", id]);
    }
    for question in ["what is going on?", "which calls failed and why?", "who calls 10.0.0.2?"] {
        said.run(&home, &["ask", question, "-o", "json"]);
    }
    said.run(&home, &["doctor"]);
    said.assert_silent_about(&wanted);

    // The search reads what is stored: what is no secret is found, in words and in compressed pages.
    let all: String = said.0.iter().map(|(_, text)| text.as_str()).collect();
    assert!(
        all.contains(CONTROL) && all.contains("[redacted:"),
        "payloads are kept, and say what was hidden"
    );
    let control = Wanted::new(CONTROL);
    assert!(!found_under(&home.data(), &[control]).is_empty(), "the scan cannot read the files");
    let found = found_under(&home.data(), &wanted);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn equal_secrets_join_and_guessable_ones_do_not() {
    let (home, _, _) = imported();
    let shared = home.query("SELECT principal FROM calls WHERE target = '/shared'");
    assert_eq!(shared.len(), 2);
    let principal = shared[0]["principal"].as_str().expect("who asked is known by a pseudonym");
    assert_eq!(shared[1]["principal"], principal);
    let digits = principal.rsplit(':').next().unwrap();
    assert!(digits.len() >= 8 && !SHARED.contains(digits), "{principal}");
    let rows = home.query("SELECT headers, body FROM payloads");
    let all = serde_json::to_string(&rows).unwrap();
    let (bearers, tokens) = (format!("Bearer [bearer:{digits}]"), format!("[token:{digits}]"));
    assert_eq!((all.matches(&bearers).count(), all.matches(&tokens).count()), (2, 1), "{all}");
    assert!(all.contains("[redacted:password]") && all.contains("[redacted:pin]"), "{all}");
    let redactions = home.query("SELECT redactions FROM calls WHERE target = '/shared' LIMIT 1");
    assert_eq!(redactions[0]["redactions"], json!(["bearer@request.header.authorization"]));
}

#[test]
fn the_key_lies_outside_of_the_data_for_its_owner_alone() {
    let (home, _, _) = imported();
    let path = home.path("config/wirewise/redaction.key");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(std::fs::metadata(home.data()).unwrap().permissions().mode() & 0o777, 0o700);
    let key = std::fs::read_to_string(&path).unwrap();
    let bytes = hex::decode(key.trim()).unwrap();
    let found = found_under(&home.data(), &[Wanted::new(key.trim())]);
    assert!(found.is_empty(), "{found:?}");
    for file in crate::home::files(&home.data()) {
        assert!(!crate::scan::contains(&std::fs::read(&file).unwrap(), &bytes), "{}", file.display());
    }
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    home.run(&["import", "secrets.pcap", "--dataset", "again"]).fails(1, &["redaction.key", "600"]);
}

/// Asks for all that a model can ask for.
fn everything(conversation: &Value) -> Vec<(String, String)> {
    let call = |tool: &str, arguments: Value| (tool.to_owned(), arguments.to_string());
    let mut calls = vec![
        call("get_overview", json!({"detail": "detailed"})),
        call("query_sql", json!({"sql": "SELECT * FROM calls", "limit": 500, "detail": "detailed"})),
        call(
            "query_sql",
            json!({"sql": "SELECT target, host, error, attributes, redactions FROM calls", "limit": 500}),
        ),
        call("query_sql", json!({"sql": "SELECT * FROM flows", "limit": 500})),
        call("search_calls", json!({"limit": 100, "detail": "detailed"})),
        call("get_service_map", json!({})),
        call("compare_windows", json!({})),
    ];
    let text = conversation.to_string();
    let words = text.split(|char: char| !char.is_ascii_alphanumeric());
    let ids = words.filter(|word| word.len() == 27 && word.starts_with('c'));
    for id in ids.take(12) {
        calls.push(call("get_call", json!({"id": id})));
        calls.push(call("get_call_payload", json!({"id": id, "letters": 12000})));
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn no_model_is_sent_a_secret() {
    let (home, mut said, wanted) = imported();
    let listed =
        || Step::Call(vec![("search_calls".to_owned(), r#"{"limit": 100, "order": "oldest"}"#.to_owned())]);
    let script = vec![listed(), Step::CallOf(everything), Step::Say("I cannot tell.".to_owned())];
    let model = ScriptedModel::start(script).await.unwrap();
    let url = model.url();
    let asked = tokio::task::spawn_blocking(move || {
        let mut command = home.command(&["-vv", "ask", "what is going on?", "-o", "json"]);
        command
            .env("WIREWISE_MODEL", "scripted")
            .env("OPENAI_BASE_URL", url)
            .env("OPENAI_API_KEY", "sk-canary-of-the-key");
        command.env("WIREWISE_LOG", "trace");
        (command.output().unwrap(), home)
    });
    let (output, home) = asked.await.unwrap();
    said.add("ask", String::from_utf8_lossy(&output.stdout));
    said.add("ask (stderr at trace)", String::from_utf8_lossy(&output.stderr));
    let heard = model.heard();
    assert!(heard.len() >= 3, "the model was asked {} times", heard.len());
    for (number, heard) in heard.iter().enumerate() {
        said.add(format!("request {number} to the model"), heard.body.to_string());
    }
    said.assert_silent_about(&wanted);
    let sent = heard[2].body.to_string();
    assert!(sent.contains("untrusted captured text") && sent.contains("[redacted:"), "payloads were sent");
    let key = Wanted::new("sk-canary-of-the-key");
    said.assert_silent_about(&[key]);
    drop(home);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_door_of_a_running_server_tells_a_secret() {
    let (home, mut said, wanted) = imported();
    let up = tokio::task::spawn_blocking(move || {
        let mut command = home.command(&["-vv", "up", "--no-capture", "--listen", "127.0.0.1:0"]);
        (Up::start(&mut command), home)
    });
    let (up, home) = up.await.unwrap();
    let token = home.token();
    let client = http_client();
    let get = |path: &str| client.get(format!("{}{path}", up.url)).bearer_auth(&token);
    let post =
        |path: &str, body: Value| client.post(format!("{}{path}", up.url)).bearer_auth(&token).json(&body);
    let mut requests = vec![
        ("/api/status".to_owned(), get("/api/status")),
        ("/api/captures".to_owned(), get("/api/captures?dataset=secrets")),
        ("/api/ask".to_owned(), post("/api/ask", json!({"question": "which calls failed and why?"}))),
        (
            "/v1/chat/completions".to_owned(),
            post(
                "/v1/chat/completions",
                json!({"model": "wirewise", "messages": [{"role": "user", "content": "what is going on?"}]}),
            ),
        ),
    ];
    for table in ["calls", "payloads", "flows"] {
        requests.push((
            format!("/api/query {table}"),
            post("/api/query", json!({"sql": format!("SELECT * FROM {table}")})),
        ));
    }
    for (tool, arguments) in everything(&json!("")) {
        let arguments: Value = serde_json::from_str(&arguments).unwrap();
        requests.push((format!("/api/tools/{tool}"), post(&format!("/api/tools/{tool}"), arguments)));
    }
    for (path, request) in requests {
        let response = request.send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(status.is_success(), "{path}: {status}: {text}");
        said.add(path, text);
    }
    let http = Http::new(&up.url, &token);
    let (said, log) = tokio::task::spawn_blocking(move || {
        let mut stdio = Stdio::start(&home);
        stdio.initialize("2025-06-18");
        let listed = stdio.tool("search_calls", json!({"limit": 100}));
        for (tool, arguments) in everything(&listed) {
            let arguments: Value = serde_json::from_str(&arguments).unwrap();
            said.add(format!("{tool} over stdio"), stdio.tool(&tool, arguments).to_string());
        }
        said.add("stderr of mcp", stdio.end());
        (said, (up, home))
    })
    .await
    .unwrap();
    let mut said = said;
    let (up, _home) = log;
    let payload = http.tool("search_calls", json!({"limit": 3})).await;
    said.add("/mcp", payload.to_string());
    said.add("log of up", tokio::task::spawn_blocking(move || up.stop()).await.unwrap());
    said.assert_silent_about(&wanted);
    assert!(!said.0.iter().any(|(_, text)| text.contains(&token)), "the token is told");
}
