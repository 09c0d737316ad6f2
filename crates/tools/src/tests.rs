//! The tools over a shop whose every number is known.

use serde_json::{Value, json};
use wirewise_model::{Outcome, Viewer};
use wirewise_redact::{Batch, RecordFields};
use wirewise_store::{Store, StoreOptions};
use wirewise_testkit::shop;

use crate::{Evidence, MOST_DEFINITIONS, TOOLS, Table, ToolError, Toolbox, approximate_tokens};

/// A store that holds the shop, and the directory that goes with it.
struct Shop {
    toolbox: Toolbox,
    _directory: tempfile::TempDir,
}

impl Shop {
    async fn open() -> Self {
        Self::of(shop::batch("shop")).await
    }

    async fn of(batch: Batch) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = StoreOptions { upkeep: false, threads: 1, ..StoreOptions::default() };
        let store = Store::open(directory.path(), options).await.unwrap();
        store.append(batch).await.unwrap();
        Self { toolbox: Toolbox::new(store.into()), _directory: directory }
    }

    async fn run(&self, tool: &str, arguments: Value) -> Evidence {
        let ran = self.toolbox.run(tool, arguments.clone(), &Viewer::owner()).await;
        ran.unwrap_or_else(|error| panic!("{tool} {arguments}: {error}"))
    }

    async fn told(&self, tool: &str, arguments: Value) -> String {
        match self.toolbox.run(tool, arguments, &Viewer::owner()).await {
            Err(ToolError::Tell(text)) => text,
            other => panic!("{tool} gave {other:?}"),
        }
    }
}

fn table(evidence: &Evidence, name: &str) -> Table {
    evidence.table(name).unwrap_or_else(|| panic!("{} has no table {name}: {}", evidence.tool, evidence.text))
}

#[test]
fn definitions_are_few_words_under_plain_names() {
    let mut tokens = 0;
    for tool in TOOLS {
        assert!(
            tool.name.chars().all(|letter| letter.is_ascii_lowercase() || letter == '_'),
            "{}",
            tool.name
        );
        let definition = json!({
            "name": tool.name, "title": tool.title, "description": tool.description,
            "inputSchema": (tool.input_schema)(), "outputSchema": (tool.output_schema)(),
        });
        tokens += approximate_tokens(&definition.to_string());
    }
    assert!(tokens <= MOST_DEFINITIONS, "definitions take {tokens} tokens");
}

#[tokio::test]
async fn the_overview_counts_every_call_and_names_what_fails() {
    let shop = Shop::open().await;
    let evidence = shop.run("get_overview", json!({})).await;
    let rounds = shop::SECONDS;
    let broken = shop::SECONDS - shop::FAULT;
    assert_eq!(evidence.matched, rounds * 8 + broken);
    assert_eq!(evidence.now_is, "last packet");
    assert_eq!(evidence.losses.iter().map(|loss| loss.count).sum::<u64>(), 3);
    let failing = table(&evidence, "failing");
    // A broken round in two fails, at payments, orders and the gateway.
    let failed: u64 = failing.iter().map(|row| row.count("failed")).sum();
    assert_eq!(failed, broken / 2 * 3, "{}", evidence.text);
    let dns = table(&evidence, "dns_failures");
    let row = dns.first().expect("a name that does not exist");
    assert_eq!(
        (row.text("name"), row.text("status"), row.count("failures")),
        ("ledger.shop", "NXDOMAIN", broken)
    );
}

#[tokio::test]
async fn percentiles_by_caller_are_exact() {
    let shop = Shop::open().await;
    let arguments = json!({"endpoint": "GET /orders"});
    let groups = table(&shop.run("search_calls", arguments).await, "groups");
    let mut found: Vec<(String, u64, f64)> = groups
        .iter()
        .map(|row| (row.text("client").to_owned(), row.count("calls"), row.number("p99_ms").unwrap()))
        .collect();
    found.sort_by(|left, right| left.0.cmp(&right.0));
    let rounds = shop::SECONDS;
    assert_eq!(found, [("gateway".to_owned(), rounds, 12.0), ("inventory".to_owned(), rounds, 24.0)]);
}

#[tokio::test]
async fn the_moment_of_the_fault_is_found_to_the_second() {
    let shop = Shop::open().await;
    let evidence = shop.run("compare_windows", json!({})).await;
    let moment: jiff::Timestamp = evidence.body["moment"].as_str().expect("a moment").parse().unwrap();
    let fault = shop::START.nanos() as i128 + i128::from(shop::FAULT) * 1_000_000_000;
    let off = (moment.as_nanosecond() - fault).abs();
    assert!(off <= 1_500_000_000, "{moment} is {off} ns off\n{}", evidence.text);
    let instances = table(&evidence, "instances");
    let failing = instances.iter().find(|row| row.text("service") == "payments").expect("payments fails");
    assert_eq!(failing.text("address"), shop::FAILING.to_string());
    assert_eq!(failing.text("version"), "v2");
}

#[tokio::test]
async fn calls_that_fail_at_once_are_a_fault_and_no_calls_that_became_fast() {
    let mut batch = shop::batch("shop");
    batch
        .calls
        .retain(|call| matches!(call.peers.server.workload.as_str(), "gateway" | "orders" | "payments"));
    batch.calls.retain(|call| call.operation == "POST");
    batch.calls = batch
        .calls
        .iter()
        .map(|call| {
            let mut fields: RecordFields = (**call).clone();
            if fields.started.nanos() >= shop::START.nanos() + shop::FAULT as i64 * 1_000_000_000 {
                fields.outcome = Outcome::ServerError;
                fields.duration_nanos = Some(300_000);
            }
            shop::record(&fields)
        })
        .collect();
    let shop = Shop::of(batch).await;
    let evidence = shop.run("compare_windows", json!({})).await;
    let moment: jiff::Timestamp = evidence.body["moment"].as_str().expect("a moment").parse().unwrap();
    let fault = shop::START.nanos() as i128 + i128::from(shop::FAULT) * 1_000_000_000;
    let off = (moment.as_nanosecond() - fault).abs();
    assert!(off <= 1_500_000_000, "{moment} is {off} ns off\n{}", evidence.text);
    assert!(evidence.body["what"].as_str().unwrap().contains("go wrong"), "{}", evidence.text);
}

#[tokio::test]
async fn the_map_has_every_edge_once_with_its_network() {
    let shop = Shop::open().await;
    let evidence = shop.run("get_service_map", json!({"callee": "payments"})).await;
    let edges = table(&evidence, "edges");
    assert_eq!(edges.len(), 1);
    let edge = edges.first().unwrap();
    assert_eq!((edge.text("client"), edge.count("calls")), ("orders", shop::SECONDS));
    let network = table(&evidence, "network");
    assert_eq!(network.first().unwrap().number("rtt_p50_ms"), Some(0.15));
}

#[tokio::test]
async fn a_call_is_shown_with_what_its_server_did_meanwhile() {
    let shop = Shop::open().await;
    let search = json!({"callee": "orders", "endpoint": "POST /orders", "failed": true, "limit": 1});
    let found = table(&shop.run("search_calls", search).await, "rows");
    let id = found.first().expect("a failed order").text("call_id").to_owned();
    let evidence = shop.run("get_call", json!({"id": id})).await;
    let meanwhile = table(&evidence, "meanwhile");
    let callee = meanwhile.first().expect("orders called payments");
    assert_eq!((callee.text("server"), callee.text("status")), ("payments", "500"));
    assert!(evidence.citations.iter().any(|citation| citation.id == id));
}

#[tokio::test]
async fn pages_go_through_every_call_once() {
    let shop = Shop::open().await;
    let mut seen = Vec::new();
    let mut arguments = json!({"callee": "inventory", "limit": 50});
    loop {
        let evidence = shop.run("search_calls", arguments.clone()).await;
        let rows = table(&evidence, "rows");
        seen.extend(rows.iter().map(|row| row.text("call_id").to_owned()));
        let Some(cursor) = evidence.next_cursor else { break };
        assert!(!rows.is_empty(), "a cursor that goes nowhere");
        arguments["cursor"] = Value::from(cursor);
    }
    let n_seen = seen.len() as u64;
    seen.sort();
    seen.dedup();
    assert_eq!((n_seen, seen.len() as u64), (shop::SECONDS, shop::SECONDS));
}

#[tokio::test]
async fn names_that_nobody_knows_are_told_with_the_nearest() {
    let shop = Shop::open().await;
    let evidence = shop.run("search_calls", json!({"service": "paymnts"})).await;
    assert_eq!(evidence.matched, 0);
    assert!(evidence.notes.iter().any(|note| note.contains("payments")), "{:?}", evidence.notes);
    assert!(shop.told("search_calls", json!({"outcome": "server_eror"})).await.contains("server_error"));
    assert!(shop.told("search_calls", json!({"servce": "orders"})).await.contains("service"));
    assert!(shop.told("get_overveiw", json!({})).await.contains("get_overview"));
    assert!(shop.told("get_overview", json!({"dataset": "shp"})).await.contains("shop"));
    assert!(shop.told("query_sql", json!({"sql": "SELECT endpont FROM calls"})).await.contains("endpoint"));
    assert!(shop.told("get_call", json!({"id": "c0000000"})).await.contains("no"));
}

#[tokio::test]
async fn payloads_are_for_those_who_may_read_them() {
    let shop = Shop::open().await;
    let found = table(&shop.run("search_calls", json!({"limit": 1})).await, "rows");
    let id = found.first().unwrap().text("call_id").to_owned();
    let owner = shop.run("get_call_payload", json!({"id": id})).await;
    assert!(owner.text.contains("host"), "{}", owner.text);
    let refused = shop.toolbox.run("get_call_payload", json!({"id": id}), &Viewer::model(false)).await;
    assert!(matches!(refused, Err(ToolError::Tell(_))), "{refused:?}");
    let sneaked = json!({"sql": "SELECT * FROM payloads"});
    assert!(shop.toolbox.run("query_sql", sneaked, &Viewer::model(false)).await.is_err());
}

#[tokio::test]
async fn results_keep_to_their_budget_and_cite_only_what_they_show() {
    let shop = Shop::open().await;
    for (tool, arguments) in [
        ("get_overview", json!({})),
        ("get_service_map", json!({})),
        ("compare_windows", json!({})),
        ("search_calls", json!({"limit": 100})),
        ("query_sql", json!({"sql": "SELECT * FROM calls", "limit": 500})),
    ] {
        let evidence = shop.run(tool, arguments).await;
        let tokens = approximate_tokens(&evidence.text);
        assert!(tokens <= crate::evidence::DEFAULT_TOKENS + 50, "{tool} takes {tokens} tokens");
        for citation in &evidence.citations {
            assert!(
                evidence.text.contains(&citation.id),
                "{tool} cites {} and does not show it",
                citation.id
            );
        }
    }
}
