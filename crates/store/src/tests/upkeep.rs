//! What happens to files after they were written: merged, dropped, read by later versions, found damaged.

use std::fs::File;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use serde_json::json;

use super::*;
use crate::TailLimits;

/// The Parquet files of a table, in order.
fn files(dir: &Path, dataset: &str, table: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let Ok(hours) = std::fs::read_dir(dir.join("files").join(dataset).join(table)) else { return found };
    for hour in hours {
        for file in std::fs::read_dir(hour.unwrap().path()).unwrap() {
            found.push(file.unwrap().path());
        }
    }
    found.sort();
    found
}

fn reader(path: &Path) -> ParquetRecordBatchReader {
    ParquetRecordBatchReaderBuilder::try_new(File::open(path).unwrap()).unwrap().build().unwrap()
}

/// A call of a moment.
fn call_at(n: u64, nanos: i64) -> Record {
    let mut call = fields(n);
    call.started = Timestamp::from_nanos(nanos);
    call.observed_until = call.started;
    call.id = CallId::new(call.started, n);
    record(&call)
}

fn clock() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_nanos() as i64
}

#[tokio::test]
async fn merging_makes_few_files_of_many_and_keeps_every_row() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    for sequence in 0..20u64 {
        // Their times interleave.
        let mut rows = batch("live", sequence, (0..30).map(|n| n * 20 + sequence));
        rows.flows = vec![flow(sequence)];
        rows.losses = vec![loss(sequence, "gap", 1)];
        store.append(rows).await.unwrap();
        store.flush().await.unwrap();
    }
    let mut late = fields(7);
    late.revision = 1;
    late.status = Some("201".into());
    let mut revised = batch("live", 20, []);
    revised.calls = vec![record(&late)];
    store.append(revised).await.unwrap();
    store.flush().await.unwrap();
    let all = async |store: &Store| {
        let mut rows = Vec::new();
        for (table, order) in [
            ("calls", "call_id"),
            ("payloads", "call_id, side, body"),
            ("flows", "flow_id"),
            ("losses", "at"),
        ] {
            rows.extend(rows_of(store, "live", &format!("SELECT * FROM {table} ORDER BY {order}")).await);
        }
        rows
    };
    let before = all(&store).await;
    let known = store.resolve_dataset(None).unwrap();
    assert_eq!((before.len(), known.calls), (600 + 1_202 + 20 + 20, 600));
    assert_eq!(files(dir.path(), "live", "calls").len(), 21);
    // A reader from before keeps its files.
    let mut old = store.query("SELECT call_id FROM calls", &scope("live")).await.unwrap();

    store.maintain().await.unwrap();
    let mut n_old = 0;
    while let Some(rows) = old.next().await {
        n_old += rows.unwrap().num_rows();
    }
    assert_eq!(n_old, 600);
    drop(old);
    assert!(all(&store).await == before, "merging changed rows");
    assert_eq!(store.resolve_dataset(None).unwrap().calls, 600);
    for table in ["calls", "payloads", "flows", "losses"] {
        // A file goes when the last query that reads it has let go of it.
        let start = Instant::now();
        while files(dir.path(), "live", table).len() >= 8 && start.elapsed() < Duration::from_secs(10) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let left = files(dir.path(), "live", table);
        assert!(left.len() < 8, "{} files of {table}", left.len());
        for path in left {
            let column = crate::tables::Table::parse(table).unwrap().time();
            let times: Vec<i64> = reader(&path)
                .flat_map(|rows| {
                    use arrow::array::AsArray;
                    let rows = rows.unwrap();
                    let times = rows.column_by_name(column).unwrap();
                    times.as_primitive::<arrow::datatypes::TimestampNanosecondType>().values().to_vec()
                })
                .collect();
            assert!(times.is_sorted(), "{}", path.display());
        }
    }
    // The superseded row went with the merge, or waits for the next one behind a file that was not merged.
    let stored: usize = files(dir.path(), "live", "calls")
        .iter()
        .flat_map(|path| reader(path).map(|rows| rows.unwrap().num_rows()))
        .sum();
    assert!((600..=601).contains(&stored), "{stored}");
    let n_files = files(dir.path(), "live", "calls").len();
    store.maintain().await.unwrap();
    assert_eq!(files(dir.path(), "live", "calls").len(), n_files);
    drop(store);
    let store = open(dir.path()).await;
    assert!(all(&store).await == before, "reopening changed rows");
}

#[tokio::test]
async fn files_are_zstd_sorted_by_time_with_bloom_filters_for_ids() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut rows = batch("live", 0, (0..2_000).rev());
    rows.flows = (0..200).map(flow).collect();
    store.append(rows).await.unwrap();
    store.flush().await.unwrap();
    for (table, filtered) in [
        ("calls", ["call_id", "flow_id", "trace_id"].as_slice()),
        ("payloads", &["call_id"]),
        ("flows", &["flow_id"]),
    ] {
        let [path] = files(dir.path(), "live", table).try_into().unwrap();
        let file = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        for group in file.metadata().row_groups() {
            let sorted = group.sorting_columns().unwrap();
            assert_eq!(group.column(sorted[0].column_idx as usize).column_path().string(), "started_at");
            assert!(!sorted[0].descending);
            for column in group.columns() {
                assert!(matches!(column.compression(), Compression::ZSTD(_)), "{:?}", column.column_path());
                let name = column.column_path().string();
                let has = column.bloom_filter_offset().is_some();
                assert_eq!(has, filtered.contains(&name.as_str()), "{table}.{name}");
            }
        }
    }
    for entry in walk(dir.path()) {
        let mode = std::fs::metadata(&entry).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, if entry.is_dir() { 0o700 } else { 0o600 }, "{}", entry.display());
    }
}

fn walk(dir: &Path) -> Vec<PathBuf> {
    let mut found = vec![dir.to_owned()];
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(walk(&path)) } else { found.push(path) }
    }
    found
}

#[tokio::test]
async fn hours_of_live_that_are_too_old_leave_and_imports_stay() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions { keep_for: Duration::from_secs(5 * 3_600), ..quiet() })
        .await
        .unwrap();
    let now = clock();
    for name in ["live", "shop.pcap"] {
        for (sequence, hours) in [(0, 30), (1, 9), (2, 7), (3, 4), (4, 1), (5, 0)] {
            let mut rows = batch(name, sequence, []);
            rows.calls = (0..10).map(|n| call_at(sequence * 10 + n, now - hours * HOUR - n as i64)).collect();
            store.append(rows).await.unwrap();
        }
    }
    store.flush().await.unwrap();
    store.maintain().await.unwrap();
    let left = "SELECT count(*), count(*) FILTER (WHERE started_at > now() - interval '6 hours') FROM calls";
    assert_eq!(rows_of(&store, "live", left).await[0][0], json!(30));
    assert_eq!(rows_of(&store, "shop.pcap", "SELECT count(*) FROM calls").await, [[json!(60)]]);
    assert_eq!(rows_of(&store, "live", "SELECT count(*) FROM payloads").await, [[json!(60)]]);
    let on_disk = files(dir.path(), "live", "calls").len();
    assert!((3..=4).contains(&on_disk), "{on_disk}");
    assert_eq!(store.resolve_dataset(Some("live")).unwrap().calls, 30);
    drop(store);
    let store = open(dir.path()).await;
    assert_eq!(rows_of(&store, "live", "SELECT count(*) FROM calls").await, [[json!(30)]]);
}

#[tokio::test]
async fn too_much_drops_the_oldest_hours_of_live_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let now = clock();
    let fill = async |store: &Store, name: &str| {
        for sequence in 0..6u64 {
            let mut rows = batch(name, sequence, []);
            let start = now - (5 - sequence as i64) * HOUR;
            rows.calls = (0..100).map(|n| call_at(sequence * 100 + n, start - n as i64)).collect();
            store.append(rows).await.unwrap();
            store.flush().await.unwrap();
        }
    };
    fill(&store, "live").await;
    fill(&store, "shop.pcap").await;
    let bytes = store.resolve_dataset(Some("live")).unwrap().bytes;
    store.close().await;
    let options = StoreOptions { keep_bytes: bytes / 2, ..quiet() };
    let store = Store::open(dir.path(), options).await.unwrap();
    store.maintain().await.unwrap();
    let left = store.resolve_dataset(Some("live")).unwrap();
    assert!(left.bytes <= bytes / 2 && left.bytes > bytes / 4, "{} of {bytes}", left.bytes);
    // What is left is the newest, in all tables alike.
    let hours = left.calls / 100;
    let sql = "SELECT count(*), min(request_frames[1]) FROM calls";
    let oldest = (6 - hours) * 100 * 2 + 1;
    assert_eq!(rows_of(&store, "live", sql).await, [[json!(left.calls), json!(oldest)]]);
    assert_eq!(rows_of(&store, "live", "SELECT count(*) FROM payloads").await, [[json!(left.calls * 2)]]);
    assert_eq!(rows_of(&store, "shop.pcap", "SELECT count(*) FROM calls").await, [[json!(600)]]);
    // What left may not come back by being sent again.
    let again = batch("live", 0, []);
    assert!(store.append(again).await.unwrap().duplicate);
}

#[tokio::test]
async fn columns_that_an_old_file_lacks_read_as_null() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    for sequence in 0..8 {
        store.append(batch("live", sequence, sequence * 10..sequence * 10 + 10)).await.unwrap();
        store.flush().await.unwrap();
    }
    store.close().await;
    // As a version without these columns would have written them.
    let manifest = dir.path().join("manifest.json");
    let mut text: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    for path in &files(dir.path(), "live", "calls")[..4] {
        let rows: Vec<_> = reader(path).map(Result::unwrap).collect();
        let schema = rows[0].schema();
        let old: Vec<usize> = (0..schema.fields().len())
            .filter(|&index| {
                !["trace_id", "ttfb_ms", "status_code"].contains(&schema.field(index).name().as_str())
            })
            .collect();
        let mut writer =
            ArrowWriter::try_new(File::create(path).unwrap(), schema.project(&old).unwrap().into(), None)
                .unwrap();
        rows.iter().for_each(|rows| writer.write(&rows.project(&old).unwrap()).unwrap());
        writer.close().unwrap();
        let name = path.strip_prefix(dir.path()).unwrap().to_str().unwrap();
        for entry in text["datasets"]["live"]["files"].as_array_mut().unwrap() {
            if entry["path"] == name {
                entry["bytes"] = json!(std::fs::metadata(path).unwrap().len());
            }
        }
    }
    std::fs::write(&manifest, serde_json::to_vec(&text).unwrap()).unwrap();
    let store = open(dir.path()).await;
    for merged in [false, true] {
        if merged {
            store.maintain().await.unwrap();
            assert_eq!(files(dir.path(), "live", "calls").len(), 1);
        }
        for (sql, expect) in [
            (
                "SELECT count(*), count(trace_id), count(ttfb_ms) FROM calls",
                vec![json!(80), json!(40), json!(40)],
            ),
            ("SELECT count(*) FROM calls WHERE status_code = 200", vec![json!(40)]),
            ("SELECT count(*) FROM calls WHERE status_code IS NULL AND trace_id IS NULL", vec![json!(40)]),
        ] {
            assert_eq!(rows_of(&store, "live", sql).await, [expect], "{sql}, merged: {merged}");
        }
        let sql = format!("SELECT ttfb_ms, target FROM calls WHERE call_id = '{}'", fields(3).id);
        assert_eq!(rows_of(&store, "live", &sql).await, [[json!(null), json!("/orders/3")]]);
    }
}

#[tokio::test]
async fn a_damaged_file_is_named_and_the_rest_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    for hour in 0..3u64 {
        let mut rows = batch("live", hour, hour * 3_600..hour * 3_600 + 100);
        rows.flows = vec![flow(hour * 3_600)];
        store.append(rows).await.unwrap();
        store.flush().await.unwrap();
    }
    drop(store);
    let damaged = &files(dir.path(), "live", "calls")[1];
    let name = damaged.file_name().unwrap().to_str().unwrap();
    let whole = std::fs::read(damaged).unwrap();
    let damages: [(&str, Option<Vec<u8>>); 5] = [
        ("cut", Some(whole[..whole.len() / 2].to_vec())),
        ("empty", Some(Vec::new())),
        ("overwritten", Some(whole.iter().map(|byte| byte ^ 0x5a).collect())),
        (
            "damaged within",
            Some({
                let mut bytes = whole.clone();
                let middle = bytes.len() / 2;
                bytes[4..middle].fill(0xff);
                bytes
            }),
        ),
        ("missing", None),
    ];
    for (how, bytes) in damages {
        match bytes {
            Some(bytes) => std::fs::write(damaged, bytes).unwrap(),
            None => std::fs::remove_file(damaged).unwrap(),
        }
        let store = open(dir.path()).await;
        let error = fails(&store, "SELECT * FROM calls ORDER BY call_id").await;
        let text = error.to_string();
        assert!(text.contains(name) && matches!(error, StoreError::Unreadable { .. }), "{how}: {error:?}");
        // What does not need it is answered.
        assert_eq!(number(&store, "SELECT count(*) FROM flows").await, 3, "{how}");
        let sql = "SELECT count(target) FROM calls WHERE started_at > '2026-11-24T06:00:00Z'";
        assert_eq!(number(&store, sql).await, 99, "{how}");
        let mut more = batch("live", 100, []);
        more.epoch = 7;
        store.append(more).await.unwrap();
    }
}

#[tokio::test]
async fn upkeep_runs_by_itself() {
    let dir = tempfile::tempdir().unwrap();
    let tail = TailLimits { age: Duration::from_millis(50), ..TailLimits::default() };
    let store = Store::open(dir.path(), StoreOptions { upkeep: true, tail, ..quiet() }).await.unwrap();
    store.append(batch("live", 0, 0..10)).await.unwrap();
    let start = Instant::now();
    while files(dir.path(), "live", "calls").is_empty() {
        assert!(start.elapsed() < Duration::from_secs(20), "the tail did not become a file by its age");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(number(&store, "SELECT count(*) FROM calls").await, 10);
}

#[tokio::test]
async fn reading_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("data");
    let store = open(&data).await;
    store.append(batch("live", 0, 0..10)).await.unwrap();
    drop(store);
    let before: Vec<_> =
        walk(&data).into_iter().map(|path| (std::fs::metadata(&path).unwrap().len(), path)).collect();
    let store = Store::open_existing(&data, StoreOptions::default()).await.unwrap();
    assert_eq!(number(&store, "SELECT count(*) FROM calls").await, 10);
    assert!(matches!(store.flush().await, Err(StoreError::Closed)));
    assert!(matches!(store.maintain().await, Err(StoreError::Closed)));
    store.close().await;
    drop(store);
    let after: Vec<_> =
        walk(&data).into_iter().map(|path| (std::fs::metadata(&path).unwrap().len(), path)).collect();
    assert_eq!(after, before);
    // A directory that is no data directory stays as it is.
    let other = dir.path().join("other");
    std::fs::create_dir(&other).unwrap();
    assert!(matches!(Store::open_existing(&other, quiet()).await, Err(StoreError::NoData { .. })));
    assert_eq!(walk(&other), [other]);
}
