//! The official MCP inspector lists and calls every tool, over both transports.

use std::process::Command;

use serde_json::{Value, json};

use crate::home::{Home, Ran, program, skipped};
use crate::scene::orders;

/// A tool, its arguments, and a word that stands in its result.
type Asked = (&'static str, Vec<(&'static str, String)>, String);

/// What each tool is asked.
fn asked(id: &str) -> Vec<Asked> {
    let id = || ("id", id.to_owned());
    vec![
        ("get_overview", vec![], "matched 40".to_owned()),
        (
            "query_sql",
            vec![("sql", "SELECT count(*) AS n FROM calls WHERE failed".to_owned())],
            "n\n4\n".to_owned(),
        ),
        (
            "search_calls",
            vec![("failed", "true".to_owned()), ("limit", "2".to_owned())],
            "matched 4".to_owned(),
        ),
        ("get_call", vec![id()], "operation,GET".to_owned()),
        ("get_call_payload", vec![id()], "user-agent: shop/1".to_owned()),
        ("get_service_map", vec![], "orders.shop".to_owned()),
        ("compare_windows", vec![("by", "service".to_owned())], "compared: ".to_owned()),
    ]
}

/// How the inspector reaches the tools.
struct Transport {
    name: &'static str,
    target: Vec<String>,
}

fn inspect(home: &Home, inspector: &str, transport: &Transport, arguments: &[String]) -> Value {
    let mut command = Command::new(inspector);
    home.dress(&mut command);
    command.arg("--cli").args(&transport.target).args(arguments);
    let label = format!("inspector over {}: {}", transport.name, arguments.join(" "));
    Ran::of(label, &command.output().unwrap()).json()
}

#[test]
fn the_official_inspector_lists_and_calls_every_tool_over_both_transports() {
    let Ok(inspector) = std::env::var("WIREWISE_MCP_INSPECTOR") else {
        return skipped(
            "mcp-inspector",
            "WIREWISE_MCP_INSPECTOR names no program (`cargo xtask test` sets it)",
        );
    };
    let home = Home::new();
    std::fs::create_dir_all(home.path("config/wirewise")).unwrap();
    home.file("config/wirewise/config.toml", "allow_payloads = true\n");
    home.import("shop.pcap", &orders(40).pcap());
    let id = home.query("SELECT call_id FROM calls LIMIT 1")[0]["call_id"].as_str().unwrap().to_owned();
    let up = home.up(&[]);
    let http = Transport {
        name: "http",
        target: vec![
            format!("{}/mcp", up.url),
            "--transport".to_owned(),
            "http".to_owned(),
            "--header".to_owned(),
            format!("Authorization: Bearer {}", home.token()),
        ],
    };
    let stdio = Transport { name: "stdio", target: vec![program().display().to_string(), "mcp".to_owned()] };
    let run = |transport: &Transport| {
        let list = inspect(&home, &inspector, transport, &["--method".to_owned(), "tools/list".to_owned()]);
        let tools = list["tools"].as_array().unwrap();
        let listed: Vec<&str> = tools.iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        let known: Vec<&str> = asked("").iter().map(|(name, ..)| *name).collect();
        assert_eq!(listed, known, "{} lists", transport.name);
        for tool in tools {
            assert_eq!(tool["annotations"]["readOnlyHint"], json!(true));
        }
        for (name, arguments, word) in asked(&id) {
            let mut line: Vec<String> =
                ["--method", "tools/call", "--tool-name", name].map(str::to_owned).to_vec();
            for (argument, value) in arguments {
                line.extend(["--tool-arg".to_owned(), format!("{argument}={value}")]);
            }
            let result = inspect(&home, &inspector, transport, &line);
            assert_eq!(result["isError"], json!(false), "{name} over {}: {result}", transport.name);
            let text = result["content"][0]["text"].as_str().unwrap();
            assert!(text.contains(&word), "{name} over {} does not say {word}: {text}", transport.name);
            assert_eq!(result["structuredContent"]["dataset"], "shop", "{name} over {}", transport.name);
        }
    };
    std::thread::scope(|scope| {
        let over_http = scope.spawn(|| run(&http));
        run(&stdio);
        over_http.join().unwrap();
    });
}
