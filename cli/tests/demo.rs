//! The demo as a newcomer runs it: live in network namespaces where that is possible, and as a replay anywhere.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::process::{Command, Output, Stdio};

/// One run of `wirewise demo --once`, with a home of its own.
fn demo(arguments: &[&str]) -> Output {
    let home = tempfile::tempdir().unwrap();
    let program = std::env::var("WIREWISE_BIN").unwrap_or_else(|_| env!("CARGO_BIN_EXE_wirewise").to_owned());
    let mut command = Command::new(program);
    command.args(["demo", "--once"]).args(arguments).stdin(Stdio::null());
    for variable in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"] {
        command.env(variable, home.path());
    }
    for variable in ["WIREWISE_MODEL", "WIREWISE_DATA", "SUDO_UID", "SUDO_GID"] {
        command.env_remove(variable);
    }
    command.output().unwrap()
}

/// Text of the answers, by question; each has a citation that is an id.
fn answers(output: &Output) -> Vec<(String, String)> {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let mut answers: Vec<(String, String)> = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("$ wirewise ask ") {
            Some(question) => answers.push((question.trim_matches('"').to_owned(), String::new())),
            None => {
                if let Some((_, answer)) = answers.last_mut() {
                    answer.push_str(line);
                    answer.push('\n');
                }
            }
        }
    }
    assert_eq!(answers.len(), 3, "{text}");
    for (question, answer) in &answers {
        let cites = answer
            .split('[')
            .any(|rest| rest.starts_with(['c', 'f']) && rest.find(']').is_some_and(|end| end >= 27));
        assert!(cites, "{question} is answered without a citation:\n{answer}");
    }
    answers
}

#[track_caller]
fn says(answers: &[(String, String)], question: &str, words: &[&str]) {
    let (_, answer) = answers.iter().find(|(asked, _)| asked == question).unwrap();
    for word in words {
        assert!(answer.contains(word), "the answer to `{question}` does not say {word}:\n{answer}");
    }
}

/// Whether the shop can be opened here. Skips loudly, and not at all where everything is required.
fn is_live(output: &Output) -> bool {
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(reason) = text.lines().find(|line| line.starts_with("No live capture")) else { return true };
    assert!(std::env::var("WIREWISE_REQUIRE").as_deref() != Ok("all"), "a live demo is required: {reason}");
    eprintln!("SKIPPED(live demo): {reason}");
    false
}

fn namespaces() -> Vec<String> {
    let listed = Command::new("ip").args(["netns", "list"]).output();
    let listed =
        listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let is_shop = |name: &&str| name.starts_with("ww") && (name.contains("-hub") || name.contains("-orders"));
    listed
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .filter(is_shop)
        .map(str::to_owned)
        .collect()
}

/// One after the other: each shop has the same addresses, and two cores for it.
#[test]
fn a_live_shop_tells_each_of_its_faults_and_leaves_nothing() {
    let before = namespaces();
    for (fault, failing, changed) in [
        ("slow", &["inventory"][..], &["inventory"][..]),
        ("errors", &["payments", "500"], &["payments", "v2"]),
        ("nxdomain", &["inventory-v2.shop", "NXDOMAIN"], &["inventory-v2.shop"]),
    ] {
        let output = demo(&["--fault", fault, "--before", "8", "--during", "9"]);
        if !is_live(&output) {
            return;
        }
        let answers = answers(&output);
        if fault != "slow" {
            says(&answers, "which calls failed and why?", failing);
        }
        says(&answers, "what changed since the fault?", changed);
    }
    assert_eq!(namespaces(), before, "namespaces of the shop are left");
}

#[test]
fn the_recorded_scene_tells_its_fault_anywhere() {
    let output = demo(&["--replay"]);
    let answers = answers(&output);
    says(&answers, "what is going on?", &["gateway", "orders", "inventory"]);
    says(&answers, "what changed since the fault?", &["inventory"]);
}
