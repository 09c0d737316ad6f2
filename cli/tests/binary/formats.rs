//! What scripts hold on to: shapes of output, exit codes, names of things, and errors that say what would be right.

use serde_json::{Value, json};

use crate::home::Home;
use crate::scene::{Scene, orders, request, response};

fn shop() -> Home {
    let home = Home::new();
    home.import("shop.pcap", &orders(20).pcap());
    home
}

#[test]
fn import_prints_its_ledger_as_one_document() {
    let home = Home::new();
    let told = home.import("shop.pcap", &orders(20).pcap());
    let fields: Vec<&str> = told.as_object().unwrap().keys().map(String::as_str).collect();
    assert_eq!(fields, ["dataset", "files", "calls", "flows", "ledger", "seconds"]);
    assert_eq!((&told["dataset"], &told["calls"], &told["flows"]), (&"shop".into(), &20.into(), &1.into()));
    assert!(told["seconds"].is_f64());
    let stages: Vec<&str> =
        told["ledger"].as_array().unwrap().iter().map(|stage| stage["stage"].as_str().unwrap()).collect();
    assert_eq!(stages, ["capture", "wire", "flow", "dissect", "calls", "store"]);
    for stage in told["ledger"].as_array().unwrap() {
        assert!(stage["in"].is_u64() && stage["out"].is_u64() && stage["reasons"].is_object(), "{stage}");
    }
    let text = home.run(&["import", "shop.pcap", "--dataset", "again"]).done();
    assert!(text.contains("20 calls") && text.contains("data set again"), "{text}");
}

#[test]
fn query_prints_rows_in_every_format() {
    let home = shop();
    let sql = "SELECT call_id, started_at, duration_ms, failed, trace_id, request_frames, attributes FROM calls ORDER BY call_id LIMIT 2";
    let rows = home.run(&["query", sql, "-o", "json"]).json();
    let row = rows[0].as_object().unwrap();
    let columns: Vec<&str> = row.keys().map(String::as_str).collect();
    assert_eq!(
        columns,
        ["call_id", "started_at", "duration_ms", "failed", "trace_id", "request_frames", "attributes"]
    );
    assert_eq!(row["started_at"], "2026-11-24T04:00:00.003000000Z");
    assert_eq!(row["duration_ms"], json!(1.0));
    assert!(row["trace_id"].is_null() && row["request_frames"].is_array() && row["attributes"].is_object());

    let lines = home.run(&["query", sql, "-o", "jsonl"]).done();
    let lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::Array(lines), rows);
    let csv = home.run(&["query", sql, "-o", "csv"]).done();
    let csv: Vec<&str> = csv.lines().collect();
    assert_eq!((csv.len(), csv[0]), (3, columns.join(",").as_str()));
    assert!(csv[1].contains(",2026-11-24T04:00:00.003000000Z,1.0,false,,"), "{}", csv[1]);
    let text = home.run(&["query", sql]).done();
    assert!(text.starts_with("call_id ") && text.lines().count() == 3, "{text}");
    // From standard input, as scripts give long ones.
    let mut command = home.command(&["query", "-", "-o", "jsonl"]);
    home.file("query.sql", "SELECT 1 AS one");
    let output = command.stdin(std::fs::File::open(home.path("query.sql")).unwrap()).output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stdout), "{\"one\":1}\n");
}

/// A script that reads a header must not fail on the day on which nothing happened.
#[test]
fn a_result_without_rows_still_has_its_columns() {
    let home = shop();
    let check = |home: &Home| {
        let sql = "SELECT call_id, status AS \"größe\" FROM calls WHERE false";
        let run = |format: &str| home.run(&["query", sql, "-o", format]).done();
        assert_eq!(run("csv"), "call_id,größe\n");
        assert_eq!(run("json"), "[]\n");
        assert_eq!(run("jsonl"), "");
        assert_eq!(run("text"), "call_id  größe\n");
    };
    check(&home);
    let up = home.up(&[]);
    check(&home);
    up.stop();
}

#[test]
fn a_running_server_answers_as_the_directory_itself_does() {
    let home = shop();
    let commands: &[&[&str]] = &[
        &["query", "SELECT * FROM calls ORDER BY call_id", "-o", "json"],
        &["query", "SELECT status, count(*) AS n FROM calls GROUP BY 1 ORDER BY 1", "-o", "csv"],
        &["calls", "-o", "jsonl"],
        &["calls", "--failed"],
        &["show", "c", "--dataset", "shop"],
        &["query", "SELECT endpont FROM calls"],
        &["query", "SELECT * FROM calls WHERE protocol = 'htp'"],
        &["calls", "--dataset", "shp"],
    ];
    let before: Vec<_> = commands.iter().map(|command| home.run(command)).collect();
    let up = home.up(&[]);
    for (command, before) in commands.iter().zip(before) {
        let after = home.run(command);
        assert_eq!((after.code, &after.out, &after.err), (before.code, &before.out, &before.err), "{after}");
        let by_url = home.run(&[command, &["--url", &up.url][..]].concat());
        assert_eq!((by_url.code, &by_url.out), (before.code, &before.out), "{by_url}");
    }
    up.stop();
}

#[test]
fn ask_prints_its_receipts() {
    let home = shop();
    let answer = home.run(&["ask", "what", "is", "going", "on?", "-o", "json"]).json();
    for field in ["answer", "understood", "dataset", "window", "losses", "citations", "refused", "tools"] {
        assert!(answer.get(field).is_some(), "{field} is missing: {answer}");
    }
    assert_eq!((&answer["dataset"], &answer["refused"]), (&"shop".into(), &false.into()), "{answer}");
    let citations = answer["citations"].as_array().unwrap();
    assert!(!citations.is_empty(), "{answer}");
    for citation in citations {
        assert!(matches!(citation["kind"].as_str(), Some("call" | "flow")), "{citation}");
        let shown = home.run(&["show", citation["id"].as_str().unwrap()]).done();
        assert!(shown.contains(citation["id"].as_str().unwrap()));
        assert!(answer["answer"].as_str().unwrap().contains(citation["id"].as_str().unwrap()), "{answer}");
    }
    assert!(answer["tools"][0]["name"].is_string() && answer["tools"][0]["arguments"].is_object());
    let text = home.run(&["ask", "what is going on?"]).done();
    assert!(text.contains("Understood: ") && text.contains("Answered by: planner"), "{text}");
    let refused = home.run(&["ask", "what is the weather?", "-o", "json"]).json();
    assert_eq!(
        (&refused["refused"], refused["citations"].as_array().map(Vec::len)),
        (&true.into(), Some(0)),
        "{refused}"
    );
    home.run(&["ask", "  "]).fails(1, &["the question is empty"]);
    home.run(&["ask", &"why ".repeat(3_000)]).fails(1, &["8192 bytes"]);
    home.run(&["ask", "what is going on?", "--dataset", "shp"]).fails(1, &["shop"]);
    home.run(&["ask"]).fails(2, &["<QUESTION>"]);
}

#[test]
fn a_file_is_read_for_one_command_and_nothing_is_kept() {
    let home = Home::new();
    home.file("shop.pcap", orders(20).pcap());
    let rows = home.run(&["calls", "-r", "shop.pcap", "-o", "json"]).json();
    assert_eq!(rows.as_array().map(Vec::len), Some(20));
    let failed = home.run(&["calls", "-r", "shop.pcap", "--failed", "-o", "json"]).json();
    assert_eq!(failed.as_array().map(Vec::len), Some(2));
    let answer = home.run(&["ask", "-r", "shop.pcap", "what is going on?", "-o", "json"]).json();
    assert_eq!(answer["refused"], false, "{answer}");
    assert!(!home.data().exists());
}

#[test]
fn reading_commands_create_nothing() {
    let home = Home::new();
    for command in
        [&["calls"][..], &["query", "SELECT 1"], &["ask", "what is going on?"], &["show", "c0123"], &["mcp"]]
    {
        home.run(command).fails(1, &["no data at", "wirewise import FILE"]);
    }
    home.run(&["doctor"]).done();
    assert!(crate::home::files(home.directory.path()).is_empty());
    assert!(!home.data().exists());
}

#[test]
fn wrong_names_are_told_with_the_nearest() {
    let home = shop();
    for (command, words) in [
        (&["query", "SELECT endpont FROM calls"][..], &["endpoint"][..]),
        (&["query", "SELECT * FROM cals"], &["calls"]),
        (&["query", "SELECT * FROM calls WHERE outcome = 'server_eror'"], &["server_error"]),
        (&["query", "SELECT * FROM calls WHERE kind IN ('unari')"], &["unary"]),
        (&["calls", "--protocol", "htp"], &["http"]),
        (&["calls", "--dataset", "shp"], &["shop"]),
        (&["query", "SELECT nosuch(1)"], &["nosuch"]),
        (&["query", "SELEC 1"], &["SELEC"]),
        (&["query", ""], &["an empty query"]),
    ] {
        home.run(command).fails(1, words);
    }
    // A service that was never seen is no error, and no row.
    assert_eq!(home.run(&["calls", "--service", "payments", "-o", "json"]).json(), json!([]));
}

#[test]
fn sql_only_reads() {
    let home = shop();
    let before = crate::home::files(home.directory.path()).len();
    for sql in [
        "COPY calls TO 'stolen.csv'",
        "CREATE TABLE t AS SELECT 1",
        "DROP TABLE calls",
        "INSERT INTO calls SELECT * FROM calls",
        "DELETE FROM calls",
        "UPDATE calls SET status = '1'",
        "SET datafusion.execution.batch_size = 1",
        "CREATE EXTERNAL TABLE t STORED AS CSV LOCATION '/etc/passwd'",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM 'http://127.0.0.1:9/x.parquet'",
        "SELECT 1; SELECT 2",
        "EXPLAIN ANALYZE COPY calls TO 'x.csv'",
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
    ] {
        let ran = home.run(&["query", sql]);
        assert_eq!(ran.code, Some(1), "{ran}");
        assert!(!ran.err.contains("panicked") && ran.out.is_empty(), "{ran}");
    }
    let deep = format!("SELECT {}1{}", "(".repeat(2_000), ")".repeat(2_000));
    let sum = format!("SELECT {}", vec!["1"; 2_000].join("+"));
    let long = format!("SELECT '{}'", "x".repeat(20_000));
    for sql in [
        deep.as_str(),
        &sum,
        &long,
        "SELECT count(*) FROM generate_series(1, 10000000000)",
        "SELECT repeat('x', 4000000000)",
    ] {
        let ran = home.run(&["query", sql]);
        assert!(
            ran.code == Some(1) || sql == sum,
            "{}: {:?} {}",
            &sql[..60.min(sql.len())],
            ran.code,
            ran.err
        );
        assert!(!ran.err.contains("panicked"), "{}", ran.err);
    }
    assert_eq!(crate::home::files(home.directory.path()).len(), before, "SQL made a file");
    assert_eq!(home.count("SELECT count(*) FROM calls"), 20);
}

#[test]
fn every_command_has_help_and_wrong_usage_ends_with_two() {
    let home = Home::new();
    let help = home.run(&["--help"]).done();
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let commands: Vec<&str> = commands
        .lines()
        .take_while(|line| !line.is_empty())
        .filter(|line| line.starts_with("  ") && !line.starts_with("   "))
        .filter_map(|line| line.split_whitespace().next())
        .collect();
    for known in ["up", "import", "calls", "show", "query", "ask", "mcp", "doctor", "demo"] {
        assert!(commands.contains(&known), "{known} is not in {commands:?}");
    }
    for command in commands.iter().filter(|command| **command != "help") {
        let help = home.run(&[command, "--help"]).done();
        for option in
            ["--config <FILE>", "--data <DIR>", "--format <FORMAT>", "--dataset <NAME>", "--url <URL>"]
        {
            assert!(help.contains(option), "{command} does not take {option}: {help}");
        }
        home.run(&[command, "--no-such-option"]).fails(2, &["--no-such-option"]);
    }
    home.run(&["--version"]).done();
    home.run(&[]).fails(2, &["--help"]);
    home.run(&["importt"]).fails(2, &["import"]);
    home.run(&["calls", "-o", "xml"]).fails(2, &["json"]);
    home.run(&["calls", "--since", "soon"]).fails(2, &["10m"]);
    home.run(&["calls", "-n", "0"]).fails(2, &["1..=100000"]);
    home.run(&["import"]).fails(2, &["<FILE>"]);
    home.run(&["up", "--no-capture", "-i", "lo"]).fails(2, &["--no-capture"]);
    home.run(&["up", "--filter", "tcp prt 80", "-i", "lo"]).fails(2, &["--filter"]);
    home.run(&["up", "--no-capture", "--dataset", "shop"]).fails(2, &["live"]);
    home.run(&["up", "--no-capture", "--listen", "nowhere"]).fails(2, &["--listen"]);
    home.run(&["calls", "--url", "nonsense"]).fails(2, &["nonsense"]);
    home.file("shop.pcap", orders(1).pcap());
    home.run(&["import", "shop.pcap", "--dataset", "live"]).fails(2, &["live"]);
    home.run(&["import", "shop.pcap", "--dataset", "../x"]).fails(2, &["cannot name a data set"]);
    assert!(!home.data().exists());
}

#[test]
fn a_configuration_that_is_wrong_is_told() {
    let home = Home::new();
    for (text, words) in [
        ("lisen = '127.0.0.1:1'", &["config.toml", "lisen", "listen"][..]),
        ("allow_payloads = 'yes'", &["config.toml", "allow_payloads"]),
        ("listen = ", &["config.toml"]),
        ("listen = 'nowhere'", &["config.toml", "listen"]),
    ] {
        home.file("config.toml", text);
        home.run(&["--config", "config.toml", "doctor"]).fails(1, words);
    }
    home.run(&["--config", "missing.toml", "doctor"]).fails(1, &["missing.toml", "No such file"]);
    home.file("config.toml", "data = 'elsewhere'\nlisten = '127.0.0.1:9999'\nkeep_hours = 7\n");
    let told = home.run(&["--config", "config.toml", "doctor"]).done();
    assert!(told.contains("elsewhere") && told.contains("127.0.0.1:9999") && told.contains("7 h"), "{told}");
    let flag_wins = home.run(&["--config", "config.toml", "--data", "here", "doctor"]).done();
    assert!(flag_wins.contains("here: nothing yet"), "{flag_wins}");
}

#[test]
fn a_terminal_is_not_steered_by_what_was_captured() {
    let mut scene = Scene::default();
    let escape = "\u{1b}]0;owned\u{7}\u{1b}[2J";
    let ask = request(&format!("GET /x?q={escape}"), &[("X-Note", escape)], b"");
    scene.talk("10.0.0.2:80", &[(ask, response(&format!("500 {escape}"), &[], b""))]);
    let home = Home::new();
    home.import("steer.pcap", &scene.pcap());
    let id = home.query("SELECT call_id FROM calls")[0]["call_id"].as_str().unwrap().to_owned();
    for command in [
        &["calls"][..],
        &["show", &id],
        &["query", "SELECT * FROM calls"],
        &["ask", "which calls failed and why?"],
    ] {
        let ran = home.run(command);
        let steering = |text: &str| text.chars().any(|char| char.is_control() && char != '\n');
        assert!(!steering(&ran.out) && !steering(&ran.err), "{ran}");
    }
    let missing = home.run(&["import", "no\u{1b}[2Jsuch.pcap"]);
    assert!(!missing.err.contains('\u{1b}'), "{missing}");
}
