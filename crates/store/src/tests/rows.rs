//! A row from append to files and back: whole, once, in every stage of its life.

use serde_json::json;
use wirewise_model::{Outcome, Timestamp, Viewer, Window};
use wirewise_redact::Open;

use super::*;
use crate::{Owner, to_rows};

/// Runs a check on the tail, on files, and on what the log and the files give a process that opens anew.
async fn in_every_stage(check: impl AsyncFn(&Store)) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut first = batch("live", 0, 0..10);
    first.flows = (0..3).map(flow).collect();
    first.losses = vec![loss(1, "gap", 7), loss(2, "gap", 5), loss(3, "evicted", 1)];
    store.append(first).await.unwrap();
    check(&store).await;
    drop(store);
    let store = open(dir.path()).await;
    check(&store).await;
    store.flush().await.unwrap();
    check(&store).await;
    store.close().await;
    let store = Store::open_existing(dir.path(), quiet()).await.unwrap();
    check(&store).await;
}

#[tokio::test]
async fn a_call_reads_back_whole() {
    in_every_stage(async |store| {
        let rows = store.query_rows("SELECT * FROM calls ORDER BY call_id LIMIT 1 OFFSET 3", &scope("live")).await;
        let workload = |end: &str, name: &str, namespace: &str| {
            let mut fields = serde_json::Map::new();
            for key in ["namespace", "workload", "kind", "pod", "service", "container", "process", "node", "version"] {
                fields.insert(format!("{end}_{key}"), json!(null));
            }
            fields.insert(format!("{end}_namespace"), json!(namespace));
            fields.insert(format!("{end}_workload"), json!(name));
            fields.insert(format!("{end}_name_source"), json!("address"));
            fields
        };
        let mut expect = json!({
            "call_id": fields(3).id.to_string(), "dataset": "live", "capture_id": "c0ffee",
            "started_at": "2026-11-24T04:00:03.000000000Z", "observed_until": "2026-11-24T04:00:03.005000000Z",
            "duration_ms": 5.000_003, "ttfb_ms": 1.5, "protocol": "http1", "carrier": "tcp", "kind": "unary",
            "operation": "GET", "target": "/orders/3", "endpoint": "/orders/{id}", "host": "orders",
            "status": "200", "status_code": 200, "outcome": "ok", "failed": false, "error": null,
            "client_ip": "10.0.0.1", "client_port": 40_000, "server_ip": "10.0.0.2", "server_port": 80,
            "vantage": "between", "exchange_key": "0000000000000003", "request_bytes": 100, "response_bytes": 900,
            "encrypted": false, "source": "packets", "principal": null,
            "trace_id": "00000000000000000000000000000003", "span_id": null, "parent_span_id": null,
            "flow_id": fields(3).flow.to_string(), "shape_id": null, "node": null, "recording_id": null,
            "redactions": ["bearer@authorization"], "notes": ["retransmitted"],
            "attributes": {"http.route": "/orders/{id}"}, "request_frames": [7], "response_frames": [8],
            "revision": 0,
        });
        expect.as_object_mut().unwrap().extend(workload("client", "gateway", "front"));
        expect.as_object_mut().unwrap().extend(workload("server", "orders", "shop"));
        let rows = rows.unwrap();
        assert_eq!(json!(rows.rows[0]), expect);
        let names: Vec<&str> = crate::tables::Table::Calls.columns().map(|column| column.name).collect();
        assert_eq!(rows.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), names);
    })
    .await;
}

#[tokio::test]
async fn payloads_flows_and_losses_read_back() {
    in_every_stage(async |store| {
        let id = fields(2).id.to_string();
        let sql = format!("SELECT * FROM payloads WHERE call_id = '{id}' ORDER BY side DESC");
        assert_eq!(
            rows_of(store, "live", &sql).await,
            [
                vec![
                    json!(id),
                    json!("response"),
                    json!({"content-type": "application/json"}),
                    json!("{\"order\":2}"),
                    json!(11),
                    json!(false),
                    json!("2026-11-24T04:00:02.000000000Z")
                ],
                vec![
                    json!(id),
                    json!("request"),
                    json!({"host": "orders"}),
                    json!(null),
                    json!(0),
                    json!(false),
                    json!("2026-11-24T04:00:02.000000000Z")
                ],
            ]
        );
        let sql = "SELECT server_packets, out_of_order, handshake_ms, state, closed_by, packets FROM flows ORDER BY flow_id";
        assert_eq!(
            rows_of(store, "live", sql).await[1],
            [json!(4), json!(3), json!(0.25), json!("closed"), json!(null), json!([3, 4])]
        );
        let at = |n: i64| Timestamp::from_nanos(START + n * SECOND);
        let losses = store.losses("live", Window { from: at(0), to: at(3) }).await.unwrap();
        let expect = crate::LossRow {
            node: None,
            stage: "flow".into(),
            reason: "gap".into(),
            count: 12,
            first_at: at(1),
            last_at: at(2),
        };
        assert_eq!(losses, [expect]);
        assert_eq!(store.losses("live", Window::ALL).await.unwrap().len(), 2);
        let info = store.resolve_dataset(None).unwrap();
        assert_eq!((info.calls, info.flows, info.losses), (10, 3, 13));
        assert_eq!((info.first_at, info.last_at), (Some(at(0)), Some(at(9))));
    })
    .await;
}

#[tokio::test]
async fn a_batch_sent_twice_is_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    assert!(!store.append(batch("live", 0, 0..10)).await.unwrap().duplicate);
    assert!(store.append(batch("live", 0, 0..10)).await.unwrap().duplicate);
    store.flush().await.unwrap();
    assert!(store.append(batch("live", 0, 0..10)).await.unwrap().duplicate);
    assert!(!store.append(batch("live", 1, 10..20)).await.unwrap().duplicate);
    drop(store);
    let store = open(dir.path()).await;
    let both = tokio::join!(store.append(batch("live", 1, 10..20)), store.append(batch("live", 2, 20..30)));
    assert!(both.0.unwrap().duplicate && !both.1.unwrap().duplicate);
    let mut other = batch("live", 0, 30..40);
    other.epoch = 2;
    assert!(!store.append(other).await.unwrap().duplicate);
    assert_eq!(number(&store, "SELECT count(*) FROM calls").await, 40);
    assert_eq!(number(&store, "SELECT count(DISTINCT call_id) FROM calls").await, 40);
}

#[tokio::test]
async fn appends_that_wait_together_are_all_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(open(dir.path()).await);
    let tasks = (0..100).map(|n| {
        let store = store.clone();
        tokio::spawn(async move { store.append(batch("live", n, n * 3..n * 3 + 3)).await })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert!(!task.await.unwrap().unwrap().duplicate);
    }
    assert_eq!(number(&store, "SELECT count(DISTINCT call_id) FROM calls").await, 300);
    assert_eq!(store.resolve_dataset(None).unwrap().calls, 300);
}

#[tokio::test]
async fn what_is_open_shows_until_it_is_over() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let under_way = |n: u64| {
        let mut call = fields(n);
        call.outcome = Outcome::Open;
        call.duration_nanos = None;
        record(&call)
    };
    let count = async |outcome: &str| {
        number(&store, &format!("SELECT count(*) FROM calls WHERE outcome = '{outcome}'")).await
    };
    store.overlay("live", &Open { calls: (0..4).map(under_way).collect(), flows: vec![flow(0)] }).unwrap();
    assert_eq!((count("open").await, count("ok").await), (4, 0));
    store.append(batch("live", 0, 1..3)).await.unwrap();
    assert_eq!((count("open").await, count("ok").await), (2, 2));
    // One that was made before the end was known.
    store.overlay("live", &Open { calls: (0..3).map(under_way).collect(), flows: Vec::new() }).unwrap();
    assert_eq!((count("open").await, count("ok").await), (1, 2));
    store.flush().await.unwrap();
    assert_eq!((count("open").await, count("ok").await), (1, 2));
    store.overlay("live", &Open::default()).unwrap();
    assert_eq!((count("open").await, count("ok").await), (0, 2));
    assert_eq!(store.resolve_dataset(None).unwrap().calls, 2);
    assert_eq!(number(&store, "SELECT count(*) FROM flows").await, 0);
}

#[tokio::test]
async fn queries_see_the_highest_revision() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let late = |n: u64, revision: u32| {
        let mut call = fields(n);
        call.revision = revision;
        call.status = Some(format!("20{revision}"));
        record(&call)
    };
    let mut first = batch("live", 0, 0..20);
    first.calls.push(call(4000));
    store.append(first).await.unwrap();
    let check = async |revised: i64| {
        let sql = "SELECT count(*), count(DISTINCT call_id), count(*) FILTER (WHERE revision > 0) FROM calls";
        assert_eq!(rows_of(&store, "live", sql).await, [[json!(21), json!(21), json!(revised)]]);
        assert_eq!(store.resolve_dataset(None).unwrap().calls, 21);
    };
    check(0).await;
    let mut second = batch("live", 1, []);
    second.calls = vec![late(5, 1), late(7, 1)];
    store.append(second).await.unwrap();
    check(2).await;
    store.flush().await.unwrap();
    check(2).await;
    let mut third = batch("live", 2, []);
    third.calls = vec![late(7, 2)];
    store.append(third).await.unwrap();
    check(2).await;
    store.flush().await.unwrap();
    check(2).await;
    let sql = "SELECT status FROM calls WHERE endpoint = '/orders/{id}' AND revision > 0 ORDER BY started_at";
    assert_eq!(rows_of(&store, "live", sql).await, [[json!("201")], [json!("202")]]);
}

#[tokio::test]
async fn one_process_owns_a_directory() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let error = Store::open_existing(&data, quiet()).await.unwrap_err();
    assert!(matches!(error, StoreError::NoData { .. }) && error.to_string().contains("wirewise import FILE"));
    assert!(!data.exists());
    let store = open(&data).await;
    use std::os::unix::fs::PermissionsExt;
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&data), 0o700);
    let owner = Owner { url: "http://127.0.0.1:8470".into(), pid: 7 };
    store.set_owner(&owner).unwrap();
    assert_eq!(mode(&data.join("owner.json")), 0o600);
    for error in [Store::open(&data, quiet()).await, Store::open_existing(&data, quiet()).await] {
        let error = error.unwrap_err();
        assert!(error.to_string().contains("http://127.0.0.1:8470"), "{error}");
        assert!(matches!(error, StoreError::Owned { owner: Some(found), .. } if found == owner));
    }
    store.append(batch("live", 0, 0..1)).await.unwrap();
    store.close().await;
    assert!(!data.join("owner.json").exists());
    assert!(matches!(store.append(batch("live", 1, 1..2)).await, Err(StoreError::Closed)));
    let one = Store::open_existing(&data, quiet()).await.unwrap();
    let two = Store::open_existing(&data, quiet()).await.unwrap();
    assert!(matches!(one.append(batch("live", 1, 1..2)).await, Err(StoreError::Closed)));
    assert_eq!(number(&two, "SELECT count(*) FROM calls").await, 1);
    drop((one, two));
    open(&data).await;
}

#[tokio::test]
async fn a_question_reads_the_named_data_set_else_live_else_the_only_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    assert!(matches!(store.resolve_dataset(None), Err(StoreError::NoData { .. })));
    store.append(batch("shop.pcap", 0, 0..2)).await.unwrap();
    assert_eq!(store.resolve_dataset(None).unwrap().name, "shop.pcap");
    store.append(batch("other.pcap", 0, 0..3)).await.unwrap();
    let error = store.resolve_dataset(None).unwrap_err().to_string();
    assert_eq!(error, "several data sets are here: name one of other.pcap, shop.pcap");
    let error = store.resolve_dataset(Some("shop")).unwrap_err().to_string();
    assert_eq!(error, "no data set is called \"shop\"; there is shop.pcap, other.pcap");
    store.append(batch("live", 0, 0..4)).await.unwrap();
    assert_eq!(store.resolve_dataset(None).unwrap().name, "live");
    let names: Vec<String> = store.datasets().into_iter().map(|dataset| dataset.name).collect();
    assert_eq!(names, ["live", "other.pcap", "shop.pcap"]);
    for (dataset, calls) in [("shop.pcap", 2), ("other.pcap", 3), ("live", 4)] {
        assert_eq!(rows_of(&store, dataset, "SELECT count(*) FROM calls").await, [[json!(calls)]]);
    }
    // The clock of an import is its last packet.
    let sql = "SELECT count(*) FROM calls WHERE started_at > now() - interval '1500 milliseconds'";
    assert_eq!(rows_of(&store, "other.pcap", sql).await, [[json!(2)]]);
    assert_eq!(rows_of(&store, "live", sql).await, [[json!(0)]]);
}

#[tokio::test]
async fn captures_are_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut known = capture("c0ffee");
    known.path = Some("shop.pcap".into());
    known.frames = 9;
    known.first_at = Some(Timestamp::from_nanos(START - 5));
    known.last_at = Some(Timestamp::from_nanos(START + HOUR));
    known.complete = true;
    store.append(batch("shop", 0, 0..2)).await.unwrap();
    store.capture_done("shop", known.clone()).await.unwrap();
    drop(store);
    let store = open(dir.path()).await;
    assert_eq!(store.captures("shop"), [known.clone()]);
    store.flush().await.unwrap();
    drop(store);
    let store = open(dir.path()).await;
    let info = store.resolve_dataset(Some("shop")).unwrap();
    assert_eq!(info.captures, [known.clone()]);
    assert_eq!((info.now(), info.first_at), (known.last_at.unwrap(), known.first_at));
}

#[tokio::test]
async fn a_viewer_sees_the_rows_of_its_namespaces_alone() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut calls = batch("live", 0, 0..4);
    let mut other = fields(9);
    other.peers.client = named("bank", "vault");
    other.peers.server = named("ledger", "vault");
    calls.calls.push(record(&other));
    calls.flows = vec![flow(0)];
    store.append(calls).await.unwrap();
    for flushed in [false, true] {
        if flushed {
            store.flush().await.unwrap();
        }
        let count = async |sql: &str, namespaces: &[&str]| {
            let namespaces = Some(namespaces.iter().map(|name| (*name).to_owned()).collect());
            let viewer = Viewer { namespaces, payloads: true };
            let batches = store.query_batches(sql, &Scope::new("live", &viewer)).await.unwrap();
            let rows: Vec<_> = batches.iter().flat_map(to_rows).collect();
            rows[0].values().next().unwrap().as_i64().unwrap()
        };
        assert_eq!(count("SELECT count(*) FROM calls", &["shop"]).await, 4);
        assert_eq!(count("SELECT count(*) FROM calls", &["front", "vault"]).await, 5);
        assert_eq!(count("SELECT count(*) FROM calls", &[]).await, 0);
        assert_eq!(count("SELECT count(*) FROM payloads", &["vault"]).await, 2);
        assert_eq!(count("SELECT count(*) FROM flows", &["vault"]).await, 0);
        assert_eq!(
            count("SELECT count(DISTINCT server_workload) FROM calls WHERE failed = false", &["shop"]).await,
            1
        );
    }
}
