//! SQL by somebody else: what it may not do, what it may not cost, and what it is told when it errs.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::json;
use wirewise_model::Outcome;

use super::*;
use crate::MOST_SQL;

/// Longer than any refusal takes on a loaded machine, and far shorter than what is refused would.
const SOON: Duration = Duration::from_secs(10);

/// Calls of every kind that the questions below tell apart.
async fn shop() -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let mut first = batch("live", 0, 0..20);
    for (n, protocol) in [(20, "http2"), (21, "http2"), (22, "redis"), (23, "gopher")] {
        let mut call = fields(n);
        call.protocol = protocol.into();
        call.outcome = Outcome::ServerError;
        first.calls.push(record(&call));
    }
    first.flows = (0..3).map(flow).collect();
    first.losses = vec![loss(1, "gap", 7)];
    store.append(first).await.unwrap();
    store.flush().await.unwrap();
    store.append(batch("live", 1, 24..30)).await.unwrap();
    (dir, store)
}

/// The same with `n` calls in files.
async fn large(n: u64) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    store.append(batch("live", 0, 0..n)).await.unwrap();
    store.flush().await.unwrap();
    (dir, store)
}

fn files_under(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { found.extend(files_under(&path)) } else { found.extend([path]) }
    }
    found
}

/// Waits until no query computes any more.
async fn until_idle(store: &Store) {
    let start = Instant::now();
    while store.n_running() > 0 {
        assert!(start.elapsed() < SOON, "{} tasks of queries still run", store.n_running());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// The text of what is told about SQL that fails as its asker's fault, soon.
async fn told(store: &Store, sql: &str) -> String {
    let start = Instant::now();
    let error = fails(store, sql).await;
    let text = error.to_string();
    assert!(error.is_tell(), "{sql:.200}: {text}");
    assert!(start.elapsed() < SOON, "{sql:.200}: after {:?}: {text}", start.elapsed());
    text
}

#[tokio::test]
async fn what_is_not_reading_is_refused_and_changes_nothing() {
    let (dir, store) = shop().await;
    let target = dir.path().join("stolen");
    let target = target.display();
    let before = files_under(dir.path());
    for sql in [
        format!("COPY calls TO '{target}.csv'"),
        format!("COPY (SELECT * FROM calls) TO '{target}.parquet' STORED AS PARQUET"),
        format!("CREATE EXTERNAL TABLE x STORED AS CSV LOCATION '{target}'"),
        format!("EXPLAIN COPY calls TO '{target}.csv'"),
        "CREATE TABLE x AS SELECT * FROM calls".to_owned(),
        "CREATE OR REPLACE VIEW calls AS SELECT 1".to_owned(),
        "CREATE SCHEMA s".to_owned(),
        "CREATE FUNCTION f(INT) RETURNS INT RETURN $1".to_owned(),
        "DROP TABLE calls".to_owned(),
        "ALTER TABLE calls RENAME TO x".to_owned(),
        "TRUNCATE TABLE calls".to_owned(),
        "INSERT INTO calls SELECT * FROM calls".to_owned(),
        "DELETE FROM calls".to_owned(),
        "UPDATE calls SET host = 'x'".to_owned(),
        "MERGE INTO calls USING flows ON true WHEN MATCHED THEN DELETE".to_owned(),
        "SET datafusion.execution.enable_recursive_ctes = true".to_owned(),
        "RESET datafusion.execution.batch_size".to_owned(),
        "SHOW ALL".to_owned(),
        "PREPARE p AS SELECT 1".to_owned(),
        "EXECUTE p".to_owned(),
        "DEALLOCATE p".to_owned(),
        "BEGIN".to_owned(),
        "COMMIT".to_owned(),
        "SELECT 1; DROP TABLE calls".to_owned(),
        "SELECT * INTO x FROM calls".to_owned(),
        "EXPLAIN ANALYZE SELECT count(*) FROM calls".to_owned(),
        "EXPLAIN ANALYZE VERBOSE SELECT count(*) FROM calls".to_owned(),
        "WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM r) SELECT * FROM r".to_owned(),
        "SELECT * FROM (WITH RECURSIVE r AS (SELECT 1 AS n UNION ALL SELECT n FROM r) SELECT * FROM r)"
            .to_owned(),
        format!("SELECT * FROM '{target}'"),
        format!("SELECT * FROM \"file://{target}\""),
        "SELECT * FROM 'http://127.0.0.1:1/x.parquet'".to_owned(),
        "SELECT * FROM \"s3://bucket/x.parquet\"".to_owned(),
        "SELECT * FROM read_parquet('/etc/passwd')".to_owned(),
        "SELECT * FROM parquet_metadata('/etc/passwd')".to_owned(),
        "SELECT * FROM information_schema.tables".to_owned(),
        "SELECT * FROM information_schema.df_settings".to_owned(),
        "SELECT * FROM wirewise.public.calls".to_owned(),
        "TABLE calls".to_owned(),
        "SELECT (host, status) FROM calls".to_owned(),
        "SELECT {'a': host} FROM calls".to_owned(),
        "".to_owned(),
        ";;".to_owned(),
        "-- nothing".to_owned(),
        "SELEC 1".to_owned(),
        "SELECT 'open".to_owned(),
        "\0".to_owned(),
    ] {
        told(&store, &sql).await;
    }
    assert_eq!(files_under(dir.path()), before);
    assert_eq!(number(&store, "SELECT count(*) FROM calls").await, 30);
}

#[tokio::test]
async fn tables_and_columns_are_described_and_plans_explained() {
    let (_dir, store) = shop().await;
    let names =
        |rows: Vec<Vec<Value>>| -> Vec<Value> { rows.into_iter().map(|mut row| row.remove(0)).collect() };
    let tables = names(rows_of(&store, "live", "SHOW TABLES").await);
    assert_eq!(tables, [json!("calls"), json!("payloads"), json!("flows"), json!("losses")]);
    let model = store.query_rows("SHOW TABLES", &scope("live").for_model()).await.unwrap();
    assert!(model.rows.iter().all(|row| row["table_name"] != "payloads"), "{model:?}");
    for sql in ["DESCRIBE losses", "SHOW COLUMNS FROM losses", "describe LOSSES"] {
        let expect = ["at", "node", "stage", "reason", "count"].map(Value::from);
        assert_eq!(names(rows_of(&store, "live", sql).await), expect, "{sql}");
    }
    let plan = rows_of(&store, "live", "EXPLAIN SELECT count(*) FROM calls").await;
    assert!(plan[0][1].as_str().unwrap().contains("TableScan: calls"), "{plan:?}");
}

/// Texts that nest, chain or list `n` of something, as wide or deep as text of `n` pieces can be.
fn monsters(n: usize) -> Vec<(&'static str, String)> {
    let nest = |open: &str, core: &str, close: &str| format!("{}{core}{}", open.repeat(n), close.repeat(n));
    let chain = |first: &str, piece: &str| format!("{first}{}", piece.repeat(n));
    vec![
        ("parentheses", format!("SELECT {}", nest("(", "1", ")"))),
        ("NOT", format!("SELECT count(*) FROM calls WHERE {}", nest("NOT ", "failed", ""))),
        ("NOT in parentheses", format!("SELECT count(*) FROM calls WHERE {}", nest("NOT (", "failed", ")"))),
        ("OR", format!("SELECT count(*) FROM calls WHERE {}", chain("failed", " OR status_code = 1"))),
        ("AND", format!("SELECT count(*) FROM calls WHERE {}", chain("failed", " AND duration_ms > 1"))),
        ("plus", chain("SELECT 1", "+1")),
        ("plus of columns", format!("{} FROM calls", chain("SELECT status_code", "+status_code"))),
        ("minus", format!("SELECT {}1", "- ".repeat(n))),
        ("concatenation", format!("{} FROM calls", chain("SELECT host", "||host"))),
        ("functions", format!("SELECT {} FROM calls", nest("abs(", "duration_ms", ")"))),
        ("functions of two", format!("SELECT {} FROM calls", nest("coalesce(duration_ms, ", "1", ")"))),
        ("casts", format!("SELECT {}", nest("CAST(", "1", " AS BIGINT)"))),
        ("short casts", chain("SELECT 1", "::bigint")),
        ("CASE", format!("SELECT {} FROM calls", nest("CASE WHEN failed THEN ", "1", " ELSE 0 END"))),
        ("CASE in ELSE", format!("SELECT {} FROM calls", nest("CASE WHEN failed THEN 1 ELSE ", "0", " END"))),
        ("subqueries", format!("SELECT * FROM {}", nest("(SELECT * FROM ", "calls", ")"))),
        ("scalar subqueries", nest("SELECT (", "SELECT 1", ")")),
        (
            "EXISTS",
            format!("SELECT 1 FROM calls WHERE {}", nest("EXISTS (SELECT 1 FROM calls WHERE ", "true", ")")),
        ),
        (
            "IN subqueries",
            format!(
                "SELECT 1 FROM calls WHERE {}",
                nest("host IN (SELECT host FROM calls WHERE ", "true", ")")
            ),
        ),
        ("WITHs", nest("WITH a AS (", "SELECT 1", ") SELECT * FROM a")),
        ("CTEs", {
            let ctes =
                (1..=n).map(|i| format!("c{i} AS (SELECT * FROM c{} JOIN c{0} USING (call_id))", i - 1));
            let ctes: Vec<String> =
                std::iter::once("c0 AS (SELECT call_id FROM calls)".to_owned()).chain(ctes).collect();
            format!("WITH {} SELECT count(*) FROM c{n}", ctes.join(", "))
        }),
        ("unions", chain("SELECT 1", " UNION ALL SELECT 1")),
        ("distinct unions", chain("SELECT host FROM calls", " UNION SELECT host FROM calls")),
        ("excepts", chain("SELECT host FROM calls", " EXCEPT SELECT host FROM calls")),
        ("nested unions", format!("SELECT * FROM {}", nest("(SELECT 1 UNION ALL ", "SELECT 1", ")"))),
        (
            "joins",
            format!(
                "SELECT count(*) FROM calls {}",
                (0..n).map(|i| format!("JOIN calls c{i} USING (call_id) ")).collect::<String>()
            ),
        ),
        (
            "commas",
            format!(
                "SELECT count(*) FROM calls {}",
                (0..n).map(|i| format!(", calls c{i}")).collect::<String>()
            ),
        ),
        (
            "joins in parentheses",
            format!("SELECT count(*) FROM {}", nest("(calls NATURAL JOIN ", "calls", ")")),
        ),
        ("arrays", format!("SELECT {}", nest("[", "1", "]"))),
        ("array functions", format!("SELECT {}", nest("make_array(", "1", ")"))),
        ("subscripts", chain("SELECT notes", "[1]") + " FROM calls"),
        ("LIKEs", chain("SELECT count(*) FROM calls WHERE host LIKE 'a%'", " OR host LIKE '%b%'")),
        ("BETWEENs", chain("SELECT count(*) FROM calls WHERE failed", " OR status_code BETWEEN 1 AND 2")),
        ("INs", chain("SELECT count(*) FROM calls WHERE failed", " AND host NOT IN ('a', 'b')")),
        ("nested windows", format!("SELECT {} FROM calls", nest("max(", "duration_ms", ") OVER ()"))),
        (
            "structs",
            format!("SELECT * FROM {}", nest("(SELECT struct(a, a) AS a FROM ", "(SELECT 1 AS a)", ")")),
        ),
        (
            "doubled lists",
            format!(
                "SELECT * FROM {}",
                nest("(SELECT array_concat(a, a) AS a FROM ", "(SELECT make_array(1, 2) AS a)", ")")
            ),
        ),
        (
            "doubled texts",
            format!("SELECT * FROM {}", nest("(SELECT a || a AS a FROM ", "(SELECT 'xy' AS a)", ")")),
        ),
        ("intervals", chain("SELECT now()", " - interval '1 hour'")),
        ("comments", format!("SELECT 1 {}", "/*".repeat(n))),
        ("INTERVAL words", format!("SELECT {} '1 day'", "INTERVAL ".repeat(n))),
        ("EXPLAINs", format!("{} SELECT 1", "EXPLAIN ".repeat(n))),
        ("AT TIME ZONE", chain("SELECT now()", " AT TIME ZONE 'UTC'")),
        ("IS", chain("SELECT failed", " IS TRUE") + " FROM calls"),
        ("LIMIT", format!("SELECT 1 LIMIT {}", nest("(", "1", ")"))),
        ("JSON paths", chain("SELECT attributes", " -> 'a'") + " FROM calls"),
        ("bit shifts", chain("SELECT 1", " << 1")),
        ("powers", chain("SELECT 2", " ^ 2")),
        ("collations", chain("SELECT host", " COLLATE x") + " FROM calls"),
        ("lambdas", format!("SELECT {}", nest("x -> ", "x", ""))),
        (
            "ANY",
            format!("SELECT 1 FROM calls WHERE {}", nest("1 = ANY (SELECT 1 FROM calls WHERE ", "true", ")")),
        ),
        ("fetches", format!("SELECT * FROM calls {}", "QUALIFY true ".repeat(n))),
    ]
}

/// Texts that list `n` of something without nesting: long ones are ordinary.
fn lists(n: usize) -> Vec<(&'static str, String)> {
    let list = |item: &str| vec![item; n.max(1)].join(", ");
    vec![
        ("WHENs", format!("SELECT CASE {} END FROM calls", "WHEN failed THEN 1 ".repeat(n.max(1)))),
        ("IN list", format!("SELECT count(*) FROM calls WHERE status_code IN ({})", list("1"))),
        ("IN list of texts", format!("SELECT count(*) FROM calls WHERE host IN ({})", list("'x'"))),
        ("columns", format!("SELECT {} FROM calls", list("host"))),
        ("groups", format!("SELECT count(*) FROM calls GROUP BY {}", list("host"))),
        ("grouping sets", format!("SELECT count(*) FROM calls GROUP BY CUBE ({})", list("host"))),
        ("orders", format!("SELECT host FROM calls ORDER BY {}", list("host"))),
        ("VALUES", format!("SELECT * FROM (VALUES {}) AS v(x)", list("(1)"))),
        ("windows", format!("SELECT {} FROM calls", list("row_number() OVER (ORDER BY started_at)"))),
        ("arguments", format!("SELECT concat({}) FROM calls", list("host"))),
    ]
}

#[tokio::test]
async fn what_nests_two_thousand_deep_is_refused_in_time() {
    let (_dir, store) = shop().await;
    for (name, sql) in monsters(2_000) {
        writeln!(std::io::stderr(), "{name}").unwrap();
        let text = told(&store, &sql).await;
        let over = sql.len() > MOST_SQL;
        assert!(text.contains("at most") == over || !over, "{name}: {text}");
    }
    let list =
        |n: usize| format!("SELECT count(*) FROM calls WHERE status_code IN ({})", vec!["1"; n].join(","));
    assert!(told(&store, &list(100_000)).await.contains("at most 16384 bytes"));
    until_idle(&store).await;
}

/// Whatever passes the guard must be planned and run without overflowing a stack, and end in time.
#[tokio::test]
async fn what_is_not_refused_ends_in_time() {
    let (_dir, store) = shop().await;
    let mut bounded = scope("live");
    bounded.limits.time = Duration::from_secs(3);
    let mut n_answered = 0;
    for n in [1, 2, 5, 10, 12, 20, 30, 40, 47, 60, 90, 180, 390, 700] {
        for (name, sql) in monsters(n).into_iter().chain(lists(n)) {
            let start = Instant::now();
            let ended: Result<_, StoreError> =
                async { store.query(&sql, &bounded).await?.rows().await }.await;
            let took = start.elapsed();
            writeln!(
                std::io::stderr(),
                "{n} {name} {took:?} {:.90}",
                ended.as_ref().map_or_else(|e| e.to_string(), |_| "ok".into())
            )
            .unwrap();
            match ended {
                Ok(_) => n_answered += 1,
                Err(error) => assert!(error.is_tell(), "{n} {name}: {error}"),
            }
            assert!(took < SOON, "{n} {name}: {took:?}");
        }
    }
    assert!(n_answered > 300, "only {n_answered} of them were answered");
    until_idle(&store).await;
}

#[tokio::test]
async fn a_billion_rows_are_stopped_and_the_processors_with_them() {
    let (_dir, store) = large(20_000).await;
    let mut bounded = scope("live");
    bounded.limits.time = Duration::from_millis(1_500);
    bounded.limits.memory = 64 << 20;
    bounded.limits.bytes = 16 << 20;
    let series = "generate_series(1, 99999)";
    for sql in [
        format!("SELECT count(*) FROM {series} a, {series} b"),
        format!("SELECT * FROM {series} a, {series} b"),
        format!("SELECT a.value + b.value FROM {series} a CROSS JOIN {series} b ORDER BY 1"),
        format!("SELECT count(*) FROM {series} a(x), {series} b(x) WHERE a.x < b.x"),
        "SELECT count(*) FROM calls a, calls b, calls c".to_owned(),
        "SELECT count(*) FROM calls a JOIN calls b ON a.started_at < b.started_at JOIN calls c ON true".to_owned(),
        "SELECT count(*) FROM calls a JOIN calls b ON a.protocol = b.protocol JOIN calls c ON b.protocol = c.protocol"
            .to_owned(),
        "SELECT a.call_id FROM calls a JOIN calls b USING (protocol) JOIN calls c USING (protocol) ORDER BY a.call_id, b.call_id"
            .to_owned(),
        "SELECT a.call_id, count(*) FROM calls a JOIN calls b USING (protocol) JOIN calls c USING (protocol) GROUP BY a.call_id, b.call_id, c.call_id"
            .to_owned(),
        "SELECT string_agg(a.target, b.target) FROM calls a JOIN calls b USING (protocol)".to_owned(),
        "SELECT array_agg(a.target) FROM calls a JOIN calls b USING (protocol)".to_owned(),
        "SELECT DISTINCT a.target || b.target FROM calls a JOIN calls b USING (protocol)".to_owned(),
        "SELECT sum(a.duration_ms) OVER (ORDER BY b.call_id) FROM calls a JOIN calls b USING (protocol)".to_owned(),
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY a.duration_ms) FROM calls a JOIN calls b USING (protocol)"
            .to_owned(),
        "SELECT count(*) FROM calls a WHERE EXISTS (SELECT 1 FROM calls b WHERE a.started_at < b.started_at AND a.duration_ms > b.duration_ms AND b.host <> a.host)"
            .to_owned(),
        "SELECT (SELECT count(*) FROM calls b WHERE b.duration_ms > a.duration_ms) FROM calls a".to_owned(),
        format!(
            "SELECT count(*) FROM (SELECT unnest(l) FROM (SELECT array_agg(value) AS l FROM {series}) CROSS JOIN {series}) x"
        ),
        format!("SELECT array_agg(value) OVER (ORDER BY value) FROM {series}"),
        "SELECT string_agg(target, ',') OVER (ORDER BY started_at) FROM calls".to_owned(),
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY duration_ms) OVER (ORDER BY started_at ROWS 10000 PRECEDING) FROM calls".to_owned(),
    ] {
        let start = Instant::now();
        let ended: Result<_, StoreError> = async { store.query(&sql, &bounded).await?.rows().await }.await;
        let took = start.elapsed();
        assert!(took < SOON, "{sql}: {took:?}");
        match ended {
            Err(error) => assert!(matches!(error, StoreError::OverLimit(_) | StoreError::Refused(_) | StoreError::Invalid(_)), "{sql}: {error:?}"),
            // Statistics know how many pairs there are without making them.
            Ok(rows) => assert!(rows.truncated || rows.rows.len() == 1, "{sql} gave {} rows", rows.rows.len()),
        }
        until_idle(&store).await;
    }
}

/// What one value or one batch may become is bounded where the memory pool does not look.
#[tokio::test]
async fn little_does_not_become_much() {
    let (_dir, store) = large(20_000).await;
    for sql in [
        "SELECT repeat('x', 1000000000)",
        "SELECT repeat('x', 60000000) FROM calls",
        "SELECT length(repeat(target, 1000000)) FROM calls",
        "SELECT repeat(repeat(repeat('x', 8000), 8000), 8000)",
        "SELECT lpad('x', 2000000000, 'y')",
        "SELECT rpad(host, 100000) FROM calls",
        "SELECT replace(repeat('x', 8000), 'x', repeat('y', 8000)) FROM calls",
        "SELECT regexp_replace(repeat('x', 8000), 'x', repeat('y', 8000), 'g') FROM calls",
        "SELECT to_char(started_at, repeat('%Y', 20000000)) FROM calls",
        "SELECT CASE WHEN failed THEN 'a' ELSE repeat('x', 60000000) END FROM calls",
        "SELECT a.x, target FROM (SELECT string_agg(target, ',') AS x FROM calls) a CROSS JOIN calls",
        "SELECT (SELECT repeat(string_agg(target, ','), 100) FROM calls), target FROM calls",
        "SELECT generate_series(1, 1000000000)",
        "SELECT range(1000000000)",
        "SELECT array_repeat(1, 1000000000)",
        "SELECT array_resize([1], 1000000000, 1)",
        "SELECT unnest(string_to_array(repeat('a,', 30000000), ',')) FROM calls",
        "SELECT * FROM generate_series(1, 100001)",
        "SELECT * FROM range(0, 10000000, 2)",
        "SELECT * FROM generate_series(timestamp '2020-01-01', timestamp '2030-01-01', interval '1 ms')",
        "SELECT * FROM generate_series(1, 9223372036854775807)",
        "SELECT * FROM generate_series(-9223372036854775807, 9223372036854775807)",
        "SELECT * FROM generate_series(1, 10, 0)",
        "SELECT struct(1, 2)",
        "SELECT named_struct('a', 1)",
        "SELECT array_agg(target) OVER (ORDER BY started_at) FROM calls",
    ] {
        told(&store, sql).await;
    }
    assert_eq!(
        rows_of(&store, "live", "SELECT repeat('ab', 3), lpad('x', 3, '-')").await,
        [["ababab", "--x"]]
    );
    assert_eq!(number(&store, "SELECT max(length(concat(target, repeat('x', 100)))) FROM calls").await, 113);
    assert_eq!(number(&store, "SELECT count(*) FROM generate_series(1, 99999)").await, 99_999);
    until_idle(&store).await;
}

#[tokio::test]
async fn wrong_columns_fail_with_the_nearest_known() {
    let (_dir, store) = shop().await;
    for (sql, expect) in [
        ("SELECT statuscode FROM calls", "status_code"),
        ("SELECT c.durationms FROM calls c", "duration_ms"),
        ("SELECT count(*) FROM calls WHERE serverworkload = 'x'", "server_workload"),
        ("SELECT count(*) FROM calls GROUP BY end_point", "endpoint"),
        ("SELECT host FROM calls ORDER BY start_at", "started_at"),
        ("SELECT host FROM calls GROUP BY host HAVING max(duration) > 1", "duration_ms"),
        ("SELECT 1 FROM calls c JOIN flows f ON c.flowid = f.flow_id", "flow_id"),
        ("SELECT client_packet FROM flows", "client_packets"),
        ("SELECT (SELECT max(endedat) FROM flows) FROM calls", "ended_at"),
    ] {
        let text = told(&store, sql).await;
        assert!(text.starts_with("there is no column") && text.contains(expect), "{sql}: {text}");
    }
    for (sql, expect) in
        [("SELECT * FROM cals", "calls"), ("SELECT 1 FROM flows JOIN loses ON true", "losses")]
    {
        let text = told(&store, sql).await;
        assert!(text.starts_with("there is no table") && text.contains(expect), "{sql}: {text}");
    }
    assert!(told(&store, "SELECT percentile(duration_ms) FROM calls").await.contains("percentile_cont"));
}

#[tokio::test]
async fn wrong_words_of_closed_columns_fail_wherever_they_stand() {
    let (_dir, store) = shop().await;
    for (sql, expect) in [
        ("SELECT count(*) FROM calls WHERE outcome = 'OK'", "nearest known: ok"),
        ("SELECT count(*) FROM calls WHERE outcome = 'error'", "server_error"),
        ("SELECT count(*) FROM calls WHERE 'error' = outcome", "server_error"),
        ("SELECT count(*) FROM calls WHERE outcome <> 'success'", "ok"),
        ("SELECT count(*) FROM calls WHERE outcome IS DISTINCT FROM 'success'", "ok"),
        ("SELECT count(*) FROM calls WHERE NOT outcome IN ('ok', 'failed')", "aborted"),
        ("SELECT count(*) FROM calls WHERE outcome NOT IN ('ok', 'failed', 'x')", "aborted"),
        ("SELECT count(*) FROM calls WHERE outcome = 'ok' OR (failed AND protocol = 'htp')", "http"),
        ("SELECT count(*) FROM calls WHERE protocol = 'HTTP1'", "http1"),
        ("SELECT count(*) FROM calls WHERE carrier = 'tpc'", "tcp"),
        ("SELECT count(*) FROM calls WHERE kind = 'unery'", "unary"),
        ("SELECT count(*) FROM calls WHERE vantage = 'srv'", "server"),
        ("SELECT count(*) FROM calls WHERE source = 'pcap'", "packets"),
        ("SELECT count(*) FROM calls WHERE client_name_source = 'k8s'", "kubernetes"),
        ("SELECT CASE WHEN outcome = 'bad' THEN 1 ELSE 0 END FROM calls", "outcome"),
        ("SELECT CASE outcome WHEN 'bad' THEN 1 ELSE 0 END FROM calls", "outcome"),
        ("SELECT outcome, count(*) FROM calls GROUP BY outcome HAVING outcome = 'bad'", "outcome"),
        ("SELECT count(*) FILTER (WHERE outcome = 'bad') FROM calls", "outcome"),
        ("SELECT sum(CASE WHEN outcome = 'bad' THEN 1 END) FROM calls", "outcome"),
        ("SELECT count(*) FROM calls c WHERE c.outcome = 'bad'", "outcome"),
        ("SELECT count(*) FROM (SELECT outcome AS o FROM calls) WHERE o = 'bad'", "outcome"),
        (
            "WITH x AS (SELECT outcome o, count(*) n FROM calls GROUP BY 1) SELECT n FROM x WHERE o = 'bad'",
            "outcome",
        ),
        ("SELECT a.host FROM calls a JOIN calls b ON a.call_id = b.call_id AND b.outcome = 'bad'", "outcome"),
        (
            "SELECT a.host FROM calls a LEFT JOIN flows f ON a.flow_id = f.flow_id WHERE f.state = 'shut'",
            "state",
        ),
        ("SELECT host FROM calls ORDER BY outcome = 'bad'", "outcome"),
        (
            "SELECT host FROM calls WHERE call_id IN (SELECT call_id FROM calls WHERE outcome = 'bad')",
            "outcome",
        ),
        ("SELECT host FROM calls WHERE EXISTS (SELECT 1 FROM flows WHERE state = 'bad')", "state"),
        (
            "SELECT c.host FROM calls c WHERE EXISTS (SELECT 1 FROM flows f WHERE c.outcome = 'bad')",
            "outcome",
        ),
        ("SELECT (SELECT count(*) FROM calls WHERE outcome = 'bad')", "outcome"),
        (
            "SELECT count(*) FROM calls WHERE outcome = 'ok' UNION ALL SELECT count(*) FROM calls WHERE kind = 'x'",
            "kind",
        ),
        ("SELECT count(*) OVER (PARTITION BY outcome = 'bad') FROM calls", "outcome"),
        ("SELECT count(*) FROM calls WHERE lower(outcome) = 'bad'", "outcome"),
        ("SELECT count(*) FROM calls WHERE outcome = lower('BAD')", "outcome"),
        ("SELECT count(*) FROM calls WHERE outcome = 'b' || 'ad'", "outcome"),
        ("SELECT count(*) FROM calls WHERE coalesce(outcome, 'ok') = 'bad'", "outcome"),
        ("SELECT count(*) FROM calls WHERE nullif(outcome, 'bad') IS NULL", "outcome"),
        ("SELECT count(*) FROM calls WHERE outcome = ANY(['ok', 'bad'])", "outcome"),
        ("SELECT count(*) FROM calls WHERE array_has(['ok', 'bad'], outcome)", "outcome"),
        ("SELECT count(*) FROM flows WHERE transport = 'TCP'", "nearest known: tcp"),
        ("SELECT count(*) FROM flows WHERE state = 'timeout'", "timed_out"),
        ("SELECT count(*) FROM flows WHERE closed_by = 'peer'", "server"),
        ("SELECT count(*) FROM losses WHERE stage = 'kernel'", "capture"),
        ("SELECT count(*) FROM payloads WHERE side = 'client'", "request"),
        ("EXPLAIN SELECT count(*) FROM calls WHERE outcome = 'bad'", "outcome"),
    ] {
        let text = told(&store, sql).await;
        assert!(text.starts_with("there is no") && text.contains(expect), "{sql}: {text}");
    }
    for sql in [
        "failed = 'maybe'",
        "failed = 'true'",
        "failed = 'server_error'",
        "failed IN (true, 'perhaps')",
        "failed = 7.5",
    ] {
        let text = told(&store, &format!("SELECT count(*) FROM calls WHERE {sql}")).await;
        assert!(text.contains("failed = true") || text.contains("oolean"), "{sql}: {text}");
    }
}

#[tokio::test]
async fn right_words_and_open_columns_pass() {
    let (_dir, store) = shop().await;
    for (condition, expect) in [
        ("outcome = 'ok'", 26),
        ("outcome IN ('ok', 'server_error')", 30),
        ("outcome <> 'ok'", 4),
        ("outcome LIKE 'server%'", 4),
        ("outcome = 'unknown'", 0),
        ("failed", 4),
        ("failed = true", 4),
        ("NOT failed", 26),
        // Not in the list of words, but in the data.
        ("protocol = 'gopher'", 1),
        ("protocol = 'kafka'", 0),
        ("protocol = 'http'", 28),
        ("protocol <> 'http'", 2),
        ("protocol IN ('http', 'redis')", 29),
        ("protocol NOT IN ('http')", 2),
        ("'http' = protocol", 28),
        ("protocol = 'http2'", 2),
        // Any name may be asked for.
        ("server_workload = 'never-seen'", 0),
        ("endpoint = '/never/seen'", 0),
        ("host = 'never.seen'", 0),
        ("operation = 'never'", 0),
    ] {
        assert_eq!(
            number(&store, &format!("SELECT count(*) FROM calls WHERE {condition}")).await,
            expect,
            "{condition}"
        );
    }
    for (expression, expect) in [
        ("CASE WHEN protocol = 'http' THEN 'web' ELSE 'other' END", 28),
        ("CASE protocol WHEN 'http' THEN 'web' ELSE 'other' END", 28),
    ] {
        let sql = format!("SELECT {expression} AS what, count(*) FROM calls GROUP BY 1 ORDER BY 2 DESC");
        assert_eq!(rows_of(&store, "live", &sql).await[0], [json!("web"), json!(expect)], "{expression}");
    }
    let sql = "SELECT protocol = 'http' AS web, count(*) FILTER (WHERE protocol = 'http') n FROM calls GROUP BY 1 ORDER BY 1";
    assert_eq!(rows_of(&store, "live", sql).await, [[json!(false), json!(0)], [json!(true), json!(28)]]);
}

#[tokio::test]
async fn a_model_and_the_blind_cannot_name_payloads() {
    let (_dir, store) = shop().await;
    let blind = Scope::new("live", &Viewer { namespaces: None, payloads: false });
    for scope in [scope("live").for_model(), blind] {
        for sql in [
            "SELECT body FROM payloads",
            "SELECT body FROM \"payloads\"",
            "SELECT body FROM PayLoads",
            "SELECT count(*) FROM calls JOIN payloads USING (call_id)",
            "SELECT (SELECT max(body) FROM payloads)",
            "SELECT 1 WHERE EXISTS (SELECT 1 FROM payloads)",
            "WITH p AS (SELECT * FROM payloads) SELECT * FROM p",
            "SELECT host FROM calls UNION ALL SELECT body FROM payloads",
            "EXPLAIN SELECT * FROM payloads",
            "DESCRIBE payloads",
            "WITH payloads AS (SELECT * FROM payloads) SELECT * FROM payloads",
        ] {
            let ended: Result<_, StoreError> = async { store.query(sql, &scope).await?.rows().await }.await;
            let error = ended.expect_err(sql);
            assert!(error.is_tell() && error.to_string().contains("payloads"), "{sql}: {error}");
        }
        for sql in ["SELECT * FROM public.payloads", "SELECT * FROM wirewise.public.payloads"] {
            assert!(store.query(sql, &scope).await.is_err(), "{sql}");
        }
    }
    assert_eq!(number(&store, "SELECT count(body) FROM payloads").await, 30);
}

#[tokio::test]
async fn a_text_over_16_kib_is_refused() {
    let (_dir, store) = shop().await;
    let text = |len: usize| format!("SELECT length('{}')", "x".repeat(len - "SELECT length('')".len()));
    assert_eq!(number(&store, &text(MOST_SQL)).await as usize, MOST_SQL - 17);
    let told = told(&store, &text(MOST_SQL + 1)).await;
    assert_eq!(told, "a query is at most 16384 bytes long, this one is 16385");
}

#[tokio::test]
async fn results_are_streamed_and_stop_when_nobody_reads() {
    let (_dir, store) = large(60_000).await;
    let sql = "SELECT a.* FROM calls a, generate_series(1, 3000) b";
    let mut stream = store.query(sql, &scope("live")).await.unwrap();
    let first = stream.next().await.unwrap().unwrap();
    assert!(first.num_rows() > 0 && first.num_rows() <= 8_192, "{}", first.num_rows());
    drop(stream);
    until_idle(&store).await;
    let mut bounded = scope("live").rows(10_000);
    let rows = store.query_rows(sql, &bounded).await.unwrap();
    assert_eq!((rows.rows.len(), rows.truncated), (10_000, true));
    bounded.limits.rows = usize::MAX;
    bounded.limits.bytes = 1 << 20;
    let rows = store.query_rows(sql, &bounded).await.unwrap();
    assert!(rows.truncated && !rows.rows.is_empty() && rows.rows.len() < 10_000, "{}", rows.rows.len());
    let rows = store.query_rows("SELECT call_id FROM calls", &scope("live")).await.unwrap();
    assert_eq!((rows.rows.len(), rows.truncated), (60_000, false));
    until_idle(&store).await;
}

#[tokio::test]
async fn queries_wait_for_each_other_within_their_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path(), StoreOptions { queries: 1, ..quiet() }).await.unwrap();
    store.append(batch("live", 0, 0..20_000)).await.unwrap();
    let mut long = scope("live");
    long.limits.time = Duration::from_secs(2);
    let mut short = scope("live");
    short.limits.time = Duration::from_millis(300);
    let endless = "SELECT count(*) FROM calls a JOIN calls b USING (protocol) JOIN calls c USING (protocol)";
    let (first, second) = tokio::join!(store.query_rows(endless, &long), async {
        // Once the first has the one place.
        while store.n_running() < 2 {
            tokio::task::yield_now().await;
        }
        store.query_rows("SELECT count(*) FROM calls", &short).await
    });
    assert!(matches!(first, Err(StoreError::OverLimit(_))), "{first:?}");
    let told = second.unwrap_err().to_string();
    assert!(told.starts_with("the query did not end within 0.3 s"), "{told}");
    until_idle(&store).await;
    assert_eq!(number(&store, "SELECT count(*) FROM calls").await, 20_000);
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_queries_do_not_hold_up_appends() {
    let dir = tempfile::tempdir().unwrap();
    let store = std::sync::Arc::new(open(dir.path()).await);
    store.append(batch("live", 0, 0..2_000)).await.unwrap();
    let hostile = [
        "SELECT count(*) FROM calls a JOIN calls b USING (protocol) JOIN calls c USING (protocol)",
        "SELECT a.target || b.target FROM calls a JOIN calls b USING (protocol) ORDER BY 1",
        "SELECT count(*) FROM generate_series(1, 99999) a, generate_series(1, 99999) b",
        "COPY calls TO 'x.csv'",
    ];
    let askers = hostile.map(|sql| {
        let store = store.clone();
        let mut scope = scope("live");
        scope.limits.time = Duration::from_secs(1);
        tokio::spawn(async move { store.query_rows(sql, &scope).await.map(|rows| rows.rows.len()) })
    });
    let mut slowest = Duration::ZERO;
    for sequence in 1..60 {
        let start = Instant::now();
        store.append(batch("live", sequence, sequence * 2_000..sequence * 2_000 + 50)).await.unwrap();
        slowest = slowest.max(start.elapsed());
    }
    assert!(slowest < SOON, "an append took {slowest:?}");
    for asker in askers {
        let ended = asker.await.unwrap();
        assert!(matches!(ended, Err(StoreError::OverLimit(_) | StoreError::Refused(_))), "{ended:?}");
    }
    assert_eq!(number(&store, "SELECT count(*) FROM calls").await, 2_000 + 59 * 50);
}
