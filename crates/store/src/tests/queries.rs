//! Queries while everything else happens: a snapshot is one moment, whole, of one data set, for one viewer.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use wirewise_model::Outcome;
use wirewise_redact::Open;

use super::*;
use crate::TailLimits;

/// Appends, flushes, merges and counts at once: no count lies outside of what was acknowledged before it began and
/// what was sent before it ended, and no row is seen twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_snapshot_neither_hides_nor_doubles_a_row() {
    const BATCHES: u64 = 400;
    const ROWS: u64 = 50;
    let dir = tempfile::tempdir().unwrap();
    let options =
        StoreOptions { tail: TailLimits { rows: 900, ..TailLimits::default() }, upkeep: true, ..quiet() };
    let store = Arc::new(Store::open(dir.path(), options).await.unwrap());
    store.append(batch("live", 0, 0..ROWS)).await.unwrap();
    let (sent, acknowledged) = (Arc::new(AtomicU64::new(ROWS)), Arc::new(AtomicU64::new(ROWS)));
    let over = Arc::new(AtomicBool::new(false));

    let writer = {
        let (store, sent, acknowledged) = (store.clone(), sent.clone(), acknowledged.clone());
        tokio::spawn(async move {
            for sequence in 1..BATCHES {
                sent.fetch_add(ROWS, Ordering::SeqCst);
                store.append(batch("live", sequence, sequence * ROWS..(sequence + 1) * ROWS)).await.unwrap();
                acknowledged.fetch_add(ROWS, Ordering::SeqCst);
            }
        })
    };
    let keeper = {
        let (store, over) = (store.clone(), over.clone());
        tokio::spawn(async move {
            let mut rounds = 0;
            while !over.load(Ordering::SeqCst) {
                store.flush().await.unwrap();
                store.maintain().await.unwrap();
                rounds += 1;
            }
            rounds
        })
    };
    let counters = (0..2).map(|_| {
        let (store, sent, acknowledged, over) = (store.clone(), sent.clone(), acknowledged.clone(), over.clone());
        tokio::spawn(async move {
            let mut rounds = 0;
            while !over.load(Ordering::SeqCst) {
                let least = acknowledged.load(Ordering::SeqCst) as i64;
                let sql = "SELECT count(*), count(DISTINCT call_id), sum(status_code) FROM calls WHERE duration_ms > 0";
                let row = rows_of(&store, "live", sql).await.remove(0);
                let most = sent.load(Ordering::SeqCst) as i64;
                let count = row[0].as_i64().unwrap();
                assert!((least..=most).contains(&count), "{count} rows, {least} acknowledged and {most} sent");
                assert_eq!(row, [json!(count), json!(count), json!(count * 200)]);
                rounds += 1;
            }
            rounds
        })
    });
    let counters: Vec<_> = counters.collect();
    writer.await.unwrap();
    over.store(true, Ordering::SeqCst);
    let mut counts = 0;
    for counter in counters {
        counts += counter.await.unwrap();
    }
    let rounds = keeper.await.unwrap();
    assert!(counts >= 20 && rounds >= 5, "{counts} counts during {rounds} rounds of upkeep");
    assert_eq!(number(&store, "SELECT count(DISTINCT call_id) FROM calls").await as u64, BATCHES * ROWS);
}

/// What is open and what is over add up to the same in every snapshot, whatever becomes of the one or the other.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_final_row_replaces_the_open_one_in_one_snapshot() {
    const CALLS: u64 = 600;
    let dir = tempfile::tempdir().unwrap();
    let store = Arc::new(open(dir.path()).await);
    let open = |from: u64| Open {
        calls: (from..CALLS)
            .map(|n| {
                let mut call = fields(n);
                call.outcome = Outcome::Open;
                record(&call)
            })
            .collect(),
        flows: (from..CALLS).map(flow).collect(),
    };
    store.overlay("live", &open(0)).unwrap();
    let over = Arc::new(AtomicBool::new(false));
    let reader = {
        let (store, over) = (store.clone(), over.clone());
        tokio::spawn(async move {
            let (mut rounds, mut most_over) = (0, 0);
            while !over.load(Ordering::SeqCst) {
                let sql = "SELECT count(*), count(DISTINCT call_id), count(*) FILTER (WHERE outcome <> 'open') FROM calls";
                let row = rows_of(&store, "live", sql).await.remove(0);
                let done = row[2].as_i64().unwrap();
                assert_eq!(row[..2], [json!(CALLS), json!(CALLS)], "{done} are over");
                assert!(done >= most_over, "{done} after {most_over}");
                most_over = done;
                assert_eq!(number(&store, "SELECT count(*) FROM flows").await as u64, CALLS);
                rounds += 1;
            }
            rounds
        })
    };
    for sequence in 0..CALLS / 10 {
        let numbers = sequence * 10..sequence * 10 + 10;
        let mut done = batch("live", sequence, numbers.clone());
        done.flows = numbers.map(flow).collect();
        store.append(done).await.unwrap();
        if sequence % 7 == 0 {
            // Made when some of it was not over yet.
            store.overlay("live", &open(sequence * 10)).unwrap();
        }
        if sequence % 9 == 0 {
            store.flush().await.unwrap();
            // An agent leaves out of the next what was acknowledged.
            store.overlay("live", &open((sequence + 1) * 10)).unwrap();
        }
    }
    over.store(true, Ordering::SeqCst);
    assert!(reader.await.unwrap() >= 5);
    assert_eq!(number(&store, "SELECT count(*) FROM calls WHERE outcome = 'open'").await, 0);
}

#[tokio::test]
async fn a_row_is_visible_within_a_second_of_its_append() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions::default()).await.unwrap();
    for sequence in 0..20 {
        let start = Instant::now();
        store.append(batch("live", sequence, [sequence])).await.unwrap();
        let sql = format!("SELECT count(*) FROM calls WHERE target = '/orders/{sequence}'");
        assert_eq!(number(&store, &sql).await, 1);
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
}

#[tokio::test]
async fn data_sets_do_not_see_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    for flushed in [false, true] {
        if flushed {
            store.flush().await.unwrap();
        } else {
            // The same ids, sequences and captures in both.
            for (name, n) in [("live", 3), ("shop.pcap", 5)] {
                let mut rows = batch(name, 0, 0..n);
                rows.flows = (0..n).map(flow).collect();
                rows.losses = vec![loss(1, "gap", n)];
                assert!(!store.append(rows).await.unwrap().duplicate);
            }
            store.overlay("shop.pcap", &Open { calls: vec![call(90)], flows: Vec::new() }).unwrap();
        }
        for (name, calls, flows, payloads, lost) in [("live", 3, 3, 6, 3), ("shop.pcap", 6, 5, 12, 5)] {
            let sql = "SELECT (SELECT count(*) FROM calls) a, (SELECT count(*) FROM flows) b, (SELECT count(*) FROM payloads) c, (SELECT sum(count) FROM losses) d, (SELECT count(DISTINCT dataset) FROM calls) e, (SELECT min(dataset) FROM calls) f";
            let expect = [json!(calls), json!(flows), json!(payloads), json!(lost), json!(1), json!(name)];
            assert_eq!(rows_of(&store, name, sql).await, [expect], "{name}, flushed: {flushed}");
        }
    }
    let error = store.query("SELECT 1", &scope("shop")).await.unwrap_err().to_string();
    assert_eq!(error, "no data set is called \"shop\"; there is shop.pcap, live");
}

/// Neither rows nor what can be learnt of them by counting, smallest and greatest, joins or plans.
#[tokio::test]
async fn aggregates_tell_nothing_of_other_namespaces() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut rows = batch("live", 0, 0..4);
    for n in [100, 200] {
        let mut hidden = fields(n);
        hidden.peers.client = named("bank", "vault");
        hidden.peers.server = named("ledger", "vault");
        hidden.protocol = "redis".into();
        rows.calls.push(record(&hidden));
        let mut flow = flow(n);
        flow.peers = hidden.peers.clone();
        rows.flows.push(flow);
    }
    rows.flows.push(flow(1));
    rows.losses = vec![loss(1, "gap", 7)];
    store.append(rows).await.unwrap();
    let shop = Viewer { namespaces: Some(BTreeSet::from(["shop".to_owned()])), payloads: true };
    let shop = Scope::new("live", &shop);
    for flushed in [false, true] {
        if flushed {
            store.flush().await.unwrap();
        }
        let single = async |sql: &str| -> Vec<Value> {
            let rows = store.query_rows(sql, &shop).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
            rows.rows.into_iter().next().unwrap_or_default().into_values().collect()
        };
        let first = "2026-11-24T04:00:00.000000000Z";
        let last = "2026-11-24T04:00:03.000000000Z";
        for (sql, expect) in [
            (
                "SELECT count(*), min(started_at), max(started_at) FROM calls",
                vec![json!(4), json!(first), json!(last)],
            ),
            ("SELECT max(call_id) FROM calls", vec![json!(fields(3).id.to_string())]),
            ("SELECT count(*) FROM calls WHERE server_namespace = 'vault'", vec![json!(0)]),
            ("SELECT count(*) FROM calls WHERE client_namespace <> 'front' OR true", vec![json!(4)]),
            ("SELECT count(*) FROM calls WHERE protocol = 'redis'", vec![json!(0)]),
            ("SELECT count(DISTINCT server_workload) FROM calls", vec![json!(1)]),
            ("SELECT count(*), max(started_at) FROM payloads", vec![json!(8), json!(last)]),
            ("SELECT count(*) FROM payloads WHERE body LIKE '%100%'", vec![json!(0)]),
            ("SELECT count(*), sum(client_packets) FROM flows", vec![json!(1), json!(3)]),
            (
                "SELECT count(*) FROM calls a FULL JOIN flows f ON a.server_workload = f.server_workload",
                vec![json!(4)],
            ),
            // What was lost belongs to no namespace, and every answer has to state it.
            ("SELECT sum(count) FROM losses", vec![json!(7)]),
        ] {
            assert_eq!(single(sql).await, expect, "{sql}, flushed: {flushed}");
        }
        let sql = "SELECT call_id FROM calls ORDER BY started_at DESC LIMIT 1";
        assert_eq!(single(sql).await, [json!(fields(3).id.to_string())]);
        // Hidden columns serve this bound and cannot be asked for.
        assert!(store.query("SELECT client_namespace FROM payloads", &shop).await.is_err());
    }
}

#[tokio::test]
async fn order_and_times_keep_every_nanosecond() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    // Out of order, a nanosecond apart, over several batches, hours and both sides of the epoch.
    let nanos = [5, 3, 4, HOUR + 1, HOUR, 1, 2, -HOUR, 0];
    for (sequence, offset) in nanos.into_iter().enumerate() {
        let mut call = fields(sequence as u64);
        call.started = Timestamp::from_nanos(START + offset);
        call.id = CallId::new(call.started, sequence as u64);
        let mut rows = batch("live", sequence as u64, []);
        rows.calls = vec![record(&call)];
        store.append(rows).await.unwrap();
        if sequence % 4 == 0 {
            store.flush().await.unwrap();
        }
    }
    let expect = [
        "2026-11-24T03:00:00.000000000Z",
        "2026-11-24T04:00:00.000000000Z",
        "2026-11-24T04:00:00.000000001Z",
        "2026-11-24T04:00:00.000000002Z",
        "2026-11-24T04:00:00.000000003Z",
        "2026-11-24T04:00:00.000000004Z",
        "2026-11-24T04:00:00.000000005Z",
        "2026-11-24T05:00:00.000000000Z",
        "2026-11-24T05:00:00.000000001Z",
    ];
    for order in ["started_at", "call_id"] {
        let sql = format!("SELECT started_at FROM calls ORDER BY {order}");
        let rows: Vec<Value> = rows_of(&store, "live", &sql).await.into_iter().flatten().collect();
        assert_eq!(rows, expect, "{order}");
        let sql = format!("SELECT started_at FROM calls ORDER BY {order} DESC LIMIT 2");
        assert_eq!(rows_of(&store, "live", &sql).await, [[expect[8]], [expect[7]]], "{order}");
    }
    for (condition, expect) in [
        ("started_at = '2026-11-24T04:00:00.000000003Z'", 1),
        ("started_at > '2026-11-24T04:00:00.000000003Z'", 4),
        ("started_at >= timestamp '2026-11-24T05:00:00'", 2),
        ("started_at BETWEEN '2026-11-24T04:00:00Z' AND '2026-11-24T04:00:00.000000002Z'", 3),
    ] {
        assert_eq!(
            number(&store, &format!("SELECT count(*) FROM calls WHERE {condition}")).await,
            expect,
            "{condition}"
        );
    }
    let lines = store.query("SELECT max(started_at) AS last FROM calls", &scope("live")).await.unwrap();
    let lines: Vec<_> = futures::StreamExt::collect(lines.into_json_lines()).await;
    assert_eq!(
        lines.into_iter().collect::<Result<String, _>>().unwrap(),
        format!("{{\"last\":\"{}\"}}\n", expect[8])
    );
}

#[tokio::test]
async fn files_and_row_groups_that_cannot_match_are_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    // A file an hour, six hours; 1,000 calls in each.
    for hour in 0..6u64 {
        store.append(batch("live", hour, hour * 3_600..hour * 3_600 + 1_000)).await.unwrap();
        store.flush().await.unwrap();
    }
    let read = async |condition: &str| {
        store.measure(&format!("SELECT endpoint FROM calls WHERE {condition}"), &scope("live")).await.unwrap()
    };
    let all = read("duration_ms > 0").await;
    assert_eq!((all.files, all.rows), (6, 6_000));
    let hour = read("started_at >= '2026-11-24T06:00:00Z' AND started_at < '2026-11-24T07:00:00Z'").await;
    assert_eq!((hour.files, hour.rows), (1, 1_000));
    let last = read("started_at > '2026-11-24T08:30:00Z'").await;
    assert_eq!((last.files, last.rows), (1, 1_000));
    assert_eq!(read("started_at > '2026-11-24T10:00:00Z'").await.files, 0);
    assert_eq!(read("started_at > now() - interval '1 hour'").await.files, 0);
    for condition in [
        format!("trace_id = '{:032x}'", 3_605),
        format!("call_id = '{}'", fields(3_605).id),
        format!("call_id IN ('{}', 'cx')", fields(3_605).id),
        format!("trace_id = '{:032x}' AND duration_ms > 0 AND protocol = 'http'", 3_605),
    ] {
        let one = read(&condition).await;
        let ruled_out = one.groups_by_bloom + one.groups_by_statistics;
        assert_eq!((one.rows, one.files, ruled_out), (1, 6, 5), "{condition}: {one:?}");
    }
    let flow = read(&format!("flow_id = '{}'", fields(3_605).flow)).await;
    assert!(flow.groups_by_bloom + flow.groups_by_statistics == 5, "{flow:?}");
    // Ids that lie between others: statistics cannot tell, bloom filters can.
    let none = read("trace_id = '00000000000000000000000000000e1x'").await;
    assert_eq!(
        (none.rows, none.groups_by_bloom > 0, none.groups_by_bloom + none.groups_by_statistics),
        (0, true, 6),
        "{none:?}"
    );
    // The readers drop rows themselves.
    let filtered = read("duration_ms > 5.0041").await;
    assert!(filtered.rows_by_filters > 0 && filtered.rows < 6_000, "{filtered:?}");
}

/// Whatever way the engine gathers values: all together, by group, over a window.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn percentiles_are_exact() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.append(batch("live", 0, 0..10)).await.unwrap();
    // Values are 0, 1,000 ... 9,000, so that a place between two of them that is rounded to a millionth shows.
    let value = "(duration_ms - 5) * 1e9";
    let ask = |how: &str| {
        format!("SELECT percentile_cont(0.123456789) WITHIN GROUP (ORDER BY {value}{how}) AS p FROM calls")
    };
    let place = 0.123_456_789 * 9_000.0;
    for (sql, expect) in [
        (ask(""), place),
        (ask(" DESC"), 9_000.0 - place),
        (ask("") + " GROUP BY protocol", place),
        (
            format!(
                "SELECT percentile_cont({value}, 0.123456789) OVER (ORDER BY started_at ROWS 9 PRECEDING) FROM calls ORDER BY started_at DESC LIMIT 1"
            ),
            place,
        ),
        (format!("SELECT percentile_cont({value}, 0.123456789) FROM calls"), place),
        (format!("SELECT quantile_cont(DISTINCT {value}, 0.123456789) FROM calls"), place),
    ] {
        let found = rows_of(&store, "live", &sql).await[0][0].as_f64().unwrap();
        assert!((found - expect).abs() < 1e-6, "{sql}: {found}, not {expect}");
    }
    assert!(
        fails(&store, "SELECT percentile_cont(2) WITHIN GROUP (ORDER BY duration_ms) FROM calls")
            .await
            .to_string()
            .contains("from 0 to 1")
    );
}
