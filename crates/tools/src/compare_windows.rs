//! `compare_windows`: what is other after a moment than before it; finds the moment where none is given.

use std::collections::BTreeMap;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;
use wirewise_model::{Timestamp, Viewer, Window};

use crate::changepoint::{Bucket, Change, What, find};
use crate::evidence::Evidence;
use crate::filter::Filter;
use crate::get_overview::Detail;
use crate::reader::Reader;
use crate::report::Report;
use crate::sql;
use crate::table::{Table, rounded};
use crate::tool::{Tool, ToolError, arguments, evidence_schema, schema_of};
use crate::toolbox::Toolbox;
use crate::window::{instant, parse_window};

/// Slices of the window in which a change is looked for.
const BUCKETS: usize = 48;

/// Series that are looked at, busiest first.
const MOST_SERIES: usize = 150;

/// Groups that are compared, busiest first.
const MOST_GROUPS: usize = 2_000;

const DEFAULT_ROWS: usize = 10;
const MOST_ROWS: usize = 50;

pub(crate) static TOOL: Tool = Tool {
    name: "compare_windows",
    title: "Compare windows",
    description: "What changed: calls, failures and latency by endpoint, service or edge before and after, ranked by how \
                  much they changed, with new and vanished ones, new statuses and versions, and example call ids. Give \
                  `moment`, or `before` and `after`; with none of them it finds the moment at which failures, latency \
                  or names changed most (`moment` in the result; null where nothing did).",
    input_schema: schema_of::<Arguments>,
    output_schema: evidence_schema,
    read_only: true,
    payloads: false,
    run: |toolbox, arguments, viewer| Box::pin(run(toolbox, arguments, viewer)),
};

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Arguments {
    /// Data set; default `live`, else the only one.
    dataset: Option<String>,
    /// In which a change is looked for, or that a moment divides. As in get_overview.
    window: Option<String>,
    /// The moment that divides it: `14:05`, RFC 3339, `10m ago`.
    moment: Option<String>,
    /// Window before, with `after`.
    before: Option<String>,
    /// Window after, with `before`.
    after: Option<String>,
    /// What is compared. Default `endpoint`.
    by: Option<By>,
    /// Only calls from or to this service.
    service: Option<String>,
    /// Rows, up to 50. Default 10.
    limit: Option<usize>,
    /// `concise` or `detailed`.
    detail: Option<Detail>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum By {
    Service,
    #[default]
    Endpoint,
    Edge,
}

impl By {
    fn columns(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Service => &[("server_workload", "service")],
            Self::Endpoint => &[
                ("server_workload", "service"),
                ("protocol", "protocol"),
                ("operation", "operation"),
                ("endpoint", "endpoint"),
            ],
            Self::Edge => {
                &[("client_workload", "client"), ("server_workload", "server"), ("protocol", "protocol")]
            }
        }
    }
}

/// The two windows and how they were found.
struct Halves {
    before: Window,
    after: Window,
    how: &'static str,
    change: Option<Found>,
}

/// A change, told.
struct Found {
    moment: Timestamp,
    subject: String,
    what: String,
    score: f64,
}

async fn run(toolbox: &Toolbox, given: Value, viewer: &Viewer) -> Result<Evidence, ToolError> {
    let given: Arguments = arguments(TOOL.name, given)?;
    let detail = given.detail.unwrap_or_default();
    let limit = given.limit.unwrap_or(DEFAULT_ROWS).clamp(1, MOST_ROWS);
    let by = given.by.unwrap_or_default();
    let reader = Reader::open(toolbox.store(), viewer, given.dataset.as_deref(), given.window.as_deref())?;
    let filter = Filter { service: given.service.clone(), ..Filter::default() };
    let condition = filter.condition()?;
    let halves = halves(&reader, &given, &condition).await?;
    let mut report = Report::new(TOOL.name);
    report.budget = detail.budget();
    report.fact("compared", halves.how);
    report.fact("before", format!("{} to {}", halves.before.from, halves.before.to));
    report.fact("after", format!("{} to {}", halves.after.from, halves.after.to));
    match &halves.change {
        Some(found) => {
            report.fact("moment", found.moment.rfc3339());
            report.fact("shown_by", found.subject.clone());
            report.fact("what", found.what.clone());
            report.fact("score", rounded(found.score));
        }
        None => report.fact("moment", Value::Null),
    }
    let (rows, groups, changed) = compare(&reader, &halves, &condition, by).await?;
    report.matched = groups;
    report.truncated = changed > limit as u64;
    let mut rows = rows;
    rows.rows.truncate(limit);
    if rows.is_empty() {
        report.note("nothing differs between the two windows beyond chance");
        if groups == 0 {
            report.notes.extend(filter.strangers(&reader).await?);
        }
    }
    report.counted = Some("changes");
    report.table("totals", "all calls", totals(&reader, &halves, &condition).await?);
    report.table("changes", format!("changed most, by {}", word(by)), rows.without_empty_columns());
    report.table(
        "statuses",
        "new or much more frequent outcomes",
        statuses(&reader, &halves, &condition, detail.pick(6, 20)).await?,
    );
    report.table(
        "instances",
        "addresses and versions that fail, or are new",
        instances(&reader, &halves, &condition, detail.pick(6, 20)).await?,
    );
    let window =
        Window { from: halves.before.from.min(halves.after.from), to: halves.after.to.max(halves.before.to) };
    report.finish(&reader, window).await
}

fn word(by: By) -> &'static str {
    match by {
        By::Service => "service",
        By::Endpoint => "endpoint",
        By::Edge => "edge",
    }
}

async fn halves(reader: &Reader<'_>, given: &Arguments, condition: &str) -> Result<Halves, ToolError> {
    let told = |error: crate::window::WindowError| ToolError::Tell(error.to_string());
    let window = reader.window;
    match (&given.moment, &given.before, &given.after) {
        (None, Some(before), Some(after)) => Ok(Halves {
            before: parse_window(before, reader.now, reader.whole).map_err(told)?,
            after: parse_window(after, reader.now, reader.whole).map_err(told)?,
            how: "the two windows given",
            change: None,
        }),
        (Some(moment), None, None) => {
            let Some(at) = instant(&moment.to_lowercase(), reader.now) else {
                return Err(ToolError::tell(format!(
                    "`{}` is no moment; say `14:05`, `10m ago` or RFC 3339",
                    crate::table::plain(moment, 40)
                )));
            };
            if at <= window.from || at >= window.to {
                return Err(ToolError::tell(format!(
                    "{at} lies outside of the window {} to {}: nothing to compare on one side",
                    window.from, window.to
                )));
            }
            Ok(split(window, at, window.to, "before and after the moment given", None))
        }
        (None, None, None) => find_moment(reader, condition).await,
        _ => Err(ToolError::tell("give `moment`, or both `before` and `after`, or none of them")),
    }
}

fn split(window: Window, at: Timestamp, end: Timestamp, how: &'static str, change: Option<Found>) -> Halves {
    Halves { before: Window { from: window.from, to: at }, after: Window { from: at, to: end }, how, change }
}

/// What a series is of.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Subject {
    server: String,
    protocol: String,
    operation: String,
    endpoint: String,
}

impl Subject {
    fn condition(&self) -> String {
        let mut condition = format!(
            "server_workload = {} AND protocol = {}",
            sql::text(&self.server),
            sql::text(&self.protocol)
        );
        if !self.operation.is_empty() || !self.endpoint.is_empty() {
            condition.push_str(&format!(
                " AND operation = {} AND endpoint = {}",
                sql::text(&self.operation),
                sql::text(&self.endpoint)
            ));
        }
        condition
    }

    fn told(&self) -> String {
        let rest = format!("{} {} {}", self.protocol, self.operation, self.endpoint);
        format!("{} {}", self.server, rest.trim())
    }
}

async fn find_moment(reader: &Reader<'_>, condition: &str) -> Result<Halves, ToolError> {
    // The data's own ends: an idle hour before the first call would make everything new.
    let ends = reader
        .read(&format!(
            "SELECT CAST(min(started_at) AS BIGINT) AS first, CAST(max(started_at) AS BIGINT) AS last FROM calls WHERE {} AND {condition}",
            sql::within(reader.window)
        ))
        .await?;
    let edge = |name: &str| ends.first().and_then(|row| row.get(name).as_i64());
    let (Some(first), Some(last)) = (edge("first"), edge("last")) else {
        return Ok(undivided(reader.window));
    };
    let width = (last.saturating_sub(first) / BUCKETS as i64 + 1).max(1);
    let window = Window {
        from: Timestamp::from_nanos(first),
        to: Timestamp::from_nanos(last) + Duration::from_nanos(1),
    };
    let rows = reader
        .read(&format!(
            "SELECT server_workload, protocol, operation, endpoint, (CAST(started_at AS BIGINT) - {first}) / {width} AS bucket, \
             count(*) AS calls, count(*) FILTER (WHERE {bad}) AS bad, count(duration_ms) FILTER (WHERE {timed}) AS timed, \
             sum(ln(duration_ms + 0.001)) FILTER (WHERE {timed}) AS log_sum, \
             sum(ln(duration_ms + 0.001) * ln(duration_ms + 0.001)) FILTER (WHERE {timed}) AS log_squares \
             FROM calls WHERE {within} AND {condition} AND kind <> 'connection' AND outcome <> 'open' \
             GROUP BY 1, 2, 3, 4, 5 ORDER BY calls DESC LIMIT 20000",
            bad = sql::BAD,
            timed = went_well(),
            within = sql::within(window),
        ))
        .await?;
    let mut series: BTreeMap<Subject, Vec<Bucket>> = BTreeMap::new();
    for row in rows.iter() {
        let place = (row.count("bucket") as usize).min(BUCKETS - 1);
        let bucket = Bucket {
            calls: row.count("calls") as f64,
            bad: row.count("bad") as f64,
            timed: row.count("timed") as f64,
            log_sum: row.number("log_sum").unwrap_or(0.0),
            log_squares: row.number("log_squares").unwrap_or(0.0),
        };
        let whole = Subject {
            server: row.text("server_workload").to_owned(),
            protocol: row.text("protocol").to_owned(),
            operation: String::new(),
            endpoint: String::new(),
        };
        let part = Subject {
            operation: row.text("operation").to_owned(),
            endpoint: row.text("endpoint").to_owned(),
            ..whole.clone()
        };
        for subject in [whole, part] {
            series.entry(subject).or_insert_with(|| vec![Bucket::default(); BUCKETS])[place].add(&bucket);
        }
    }
    let mut series: Vec<(Subject, Vec<Bucket>)> = series.into_iter().collect();
    let weight = |buckets: &[Bucket]| buckets.iter().map(|bucket| bucket.calls).sum::<f64>();
    series.sort_by(|left, right| weight(&right.1).total_cmp(&weight(&left.1)));
    series.truncate(MOST_SERIES);
    let (subjects, series): (Vec<Subject>, Vec<Vec<Bucket>>) = series.into_iter().unzip();
    let Some(change) = find(&series) else { return Ok(undivided(window)) };
    let subject = &subjects[change.series];
    let moment = refine(reader, subject, &change, first, width).await?;
    let at_bucket =
        |place: usize| Timestamp::from_nanos(first.saturating_add(width.saturating_mul(place as i64)));
    let end = if change.to == BUCKETS { window.to } else { at_bucket(change.to) };
    let found = Found { moment, subject: subject.told(), what: said(&change.what), score: change.score };
    Ok(split(
        window,
        moment,
        end.max(moment + Duration::from_nanos(1)),
        "before and after the moment found",
        Some(found),
    ))
}

/// Calls whose duration is looked at for a change: those that went well. A call that fails does so sooner or later
/// than it would have been answered, and a fault must not look like calls that became fast.
fn went_well() -> String {
    format!("{} AND NOT ({})", sql::TIMED, sql::BAD)
}

fn undivided(window: Window) -> Halves {
    let half = window.from + window.span() / 2;
    split(window, half, window.to, "no clear moment of change was found: first half and second half", None)
}

fn said(what: &What) -> String {
    match what {
        What::Bad { before, after } => {
            format!("share of calls that go wrong: {:.1}% to {:.1}%", before * 100.0, after * 100.0)
        }
        What::Duration { before, after } => format!("typical duration: {before:.1} ms to {after:.1} ms"),
        What::New { bad: true } => "never seen before, and it goes wrong".to_owned(),
        What::New { bad: false } => "never seen before".to_owned(),
    }
}

/// The moment within its bucket: the first call that shows the change.
async fn refine(
    reader: &Reader<'_>,
    subject: &Subject,
    change: &Change,
    first: i64,
    width: i64,
) -> Result<Timestamp, ToolError> {
    let at = |place: usize| Timestamp::from_nanos(first.saturating_add(width.saturating_mul(place as i64)));
    let begins = at(change.from);
    let around = Window { from: at(change.from - 1), to: at(change.from + 1) };
    let shows = match change.what {
        What::Bad { before, after } if after > before && before < 0.005 => sql::BAD.to_owned(),
        What::Duration { before, after } if after > before => {
            format!("{} AND duration_ms > {:?}", went_well(), (before * after).sqrt())
        }
        What::New { .. } => "true".to_owned(),
        What::Bad { .. } | What::Duration { .. } => return Ok(begins),
    };
    // Of the bucket before only its end can hold the change: else it would have been found there.
    let table = reader
        .read(&format!(
            "SELECT CAST(started_at AS BIGINT) AS at FROM calls WHERE {} AND {} AND {shows} ORDER BY at LIMIT 1",
            sql::within(Window { from: begins.before(around.span() / 4), to: around.to }),
            subject.condition(),
        ))
        .await?;
    let found = table.first().and_then(|row| row.get("at").as_i64()).map(Timestamp::from_nanos);
    Ok(found.filter(|found| found.nanos() > first).unwrap_or(begins))
}

fn side(halves: &Halves) -> (String, String, String) {
    let (before, after) = (sql::within(halves.before), sql::within(halves.after));
    let either = format!("(({before}) OR ({after}))");
    (before, after, either)
}

async fn totals(reader: &Reader<'_>, halves: &Halves, condition: &str) -> Result<Table, ToolError> {
    let mut table =
        Table::new(&["window", "seconds", "calls", "failed", "client_errors", "timed", "p50_ms", "p99_ms"]);
    for (name, window) in [("before", halves.before), ("after", halves.after)] {
        let found = reader
            .read(&format!(
                "SELECT {} FROM calls WHERE {} AND {condition}",
                sql::aggregates(),
                sql::within(window)
            ))
            .await?;
        let Some(row) = found.first() else { continue };
        let mut values = vec![Value::from(name), rounded(window.span().as_secs_f64())];
        for column in ["calls", "failed", "client_errors", "timed", "p50_ms", "p99_ms"] {
            values.push(row.get(column).clone());
        }
        table.rows.push(values);
    }
    Ok(table)
}

/// Rows that changed, most first; how many groups there are, and how many of them changed.
async fn compare(
    reader: &Reader<'_>,
    halves: &Halves,
    condition: &str,
    by: By,
) -> Result<(Table, u64, u64), ToolError> {
    let (before, after, either) = side(halves);
    let columns = by.columns();
    let named: Vec<String> = columns.iter().map(|(column, name)| format!("{column} AS {name}")).collect();
    let places: Vec<String> = (1..=columns.len()).map(|place| place.to_string()).collect();
    let timed = sql::TIMED;
    let groups = reader
        .read(&format!(
            "SELECT {named}, count(*) FILTER (WHERE {before}) AS calls_before, count(*) FILTER (WHERE {after}) AS calls_after, \
             count(*) FILTER (WHERE {before} AND failed) AS failed_before, count(*) FILTER (WHERE {after} AND failed) AS failed_after, \
             count(*) FILTER (WHERE {before} AND outcome = 'client_error') AS client_errors_before, \
             count(*) FILTER (WHERE {after} AND outcome = 'client_error') AS client_errors_after, \
             count(duration_ms) FILTER (WHERE {before} AND {timed}) AS timed_before, \
             count(duration_ms) FILTER (WHERE {after} AND {timed}) AS timed_after, \
             {p50b} AS p50_before_ms, {p50a} AS p50_after_ms, {p99b} AS p99_before_ms, {p99a} AS p99_after_ms, \
             min(call_id) FILTER (WHERE {after} AND {bad}) AS bad_example, \
             first_value(call_id ORDER BY duration_ms DESC) FILTER (WHERE {after} AND {timed} AND duration_ms IS NOT NULL) AS slow_example, \
             min(call_id) FILTER (WHERE {after}) AS any_example, min(call_id) FILTER (WHERE {before}) AS before_example \
             FROM calls WHERE {either} AND {condition} AND kind <> 'connection' AND outcome <> 'open' \
             GROUP BY {places} ORDER BY calls_before + calls_after DESC LIMIT {MOST_GROUPS}",
            named = named.join(", "),
            places = places.join(", "),
            bad = sql::BAD,
            p50b = sql::percentile("duration_ms", 50.0, &format!("{before} AND {timed}")),
            p50a = sql::percentile("duration_ms", 50.0, &format!("{after} AND {timed}")),
            p99b = sql::percentile("duration_ms", 99.0, &format!("{before} AND {timed}")),
            p99a = sql::percentile("duration_ms", 99.0, &format!("{after} AND {timed}")),
        ))
        .await?;
    let (seconds_before, seconds_after) =
        (halves.before.span().as_secs_f64(), halves.after.span().as_secs_f64());
    let mut ranked: Vec<(f64, Vec<Value>)> = Vec::new();
    for row in groups.iter() {
        let Some(change) = weigh(&row, seconds_before, seconds_after) else { continue };
        let mut values: Vec<Value> = columns.iter().map(|(_, name)| row.get(name).clone()).collect();
        values.push(Value::from(change.word));
        for column in [
            "calls_before",
            "calls_after",
            "failed_before",
            "failed_after",
            "client_errors_before",
            "client_errors_after",
            "p50_before_ms",
            "p50_after_ms",
            "p99_before_ms",
            "p99_after_ms",
        ] {
            values.push(row.get(column).clone());
        }
        let example = change.examples.iter().map(|name| row.get(name)).find(|value| !value.is_null());
        values.push(example.cloned().unwrap_or(Value::Null));
        ranked.push((change.score, values));
    }
    ranked.sort_by(|left, right| right.0.total_cmp(&left.0));
    let mut names: Vec<&str> = columns.iter().map(|(_, name)| *name).collect();
    names.extend([
        "change",
        "calls_before",
        "calls_after",
        "failed_before",
        "failed_after",
        "client_errors_before",
        "client_errors_after",
        "p50_before_ms",
        "p50_after_ms",
        "p99_before_ms",
        "p99_after_ms",
        "example",
    ]);
    let mut table = Table::new(&names);
    let changed = ranked.len() as u64;
    table.rows = ranked.into_iter().map(|(_, values)| values).collect();
    Ok((table, groups.len() as u64, changed))
}

struct Weighed {
    score: f64,
    word: &'static str,
    examples: &'static [&'static str],
}

/// How a group changed, if it did beyond chance. A fault weighs more than a recovery, both more than traffic.
fn weigh(row: &crate::table::Row<'_>, seconds_before: f64, seconds_after: f64) -> Option<Weighed> {
    let number = |name: &str| row.number(name).unwrap_or(0.0);
    let (before, after) = (number("calls_before"), number("calls_after"));
    let (bad_before, bad_after) = (
        number("failed_before") + number("client_errors_before"),
        number("failed_after") + number("client_errors_after"),
    );
    if before == 0.0 {
        let score = after.sqrt() + if bad_after > 0.0 { 10.0 + bad_after.sqrt() } else { 0.0 };
        let word = if bad_after * 2.0 >= after { "new, failing" } else { "new" };
        return Some(Weighed { score, word, examples: &["bad_example", "any_example"] });
    }
    if after == 0.0 {
        let expected = before / seconds_before.max(1e-9) * seconds_after;
        return (expected >= 3.0).then(|| Weighed {
            score: expected.sqrt(),
            word: "vanished",
            examples: &["before_example"],
        });
    }
    let mut best: Option<Weighed> = None;
    let mut offer = |weighed: Weighed| {
        if best.as_ref().is_none_or(|known| weighed.score > known.score) {
            best = Some(weighed);
        }
    };
    let (p, q) = (bad_before / before, bad_after / after);
    let pooled = (bad_before + bad_after + 0.5) / (before + after + 1.0);
    let z = (q - p) / (pooled * (1.0 - pooled) * (1.0 / before + 1.0 / after)).sqrt().max(1e-9);
    if z > 2.5 {
        offer(Weighed { score: 2.0 * z, word: "more failures", examples: &["bad_example"] });
    } else if z < -2.5 {
        offer(Weighed { score: -z, word: "fewer failures", examples: &["any_example"] });
    }
    let enough = number("timed_before") >= 5.0 && number("timed_after") >= 5.0;
    if let (Some(p50_before), Some(p50_after), Some(p99_before), Some(p99_after), true) = (
        row.number("p50_before_ms"),
        row.number("p50_after_ms"),
        row.number("p99_before_ms"),
        row.number("p99_after_ms"),
        enough,
    ) {
        let factor = |before: f64, after: f64| (after.max(0.05) / before.max(0.05)).ln();
        let n = number("timed_after").min(number("timed_before")).sqrt().min(20.0);
        let shift = factor(p50_before, p50_after);
        let tail = factor(p99_before, p99_after);
        if shift > 0.3 || (tail > 0.7 && n >= 4.0) {
            offer(Weighed { score: n * shift.max(tail / 2.0), word: "slower", examples: &["slow_example"] });
        } else if shift < -0.3 {
            offer(Weighed { score: -n * shift * 0.5, word: "faster", examples: &["any_example"] });
        }
    }
    let expected = before / seconds_before.max(1e-9) * seconds_after;
    let rate = (after - expected) / (after + expected).max(1.0).sqrt();
    if rate.abs() > 5.0 && !(0.67..1.5).contains(&(after / expected.max(1e-9))) {
        let word = if rate > 0.0 { "more calls" } else { "fewer calls" };
        offer(Weighed { score: rate.abs() * 0.3, word, examples: &["any_example"] });
    }
    best
}

async fn statuses(
    reader: &Reader<'_>,
    halves: &Halves,
    condition: &str,
    limit: usize,
) -> Result<Table, ToolError> {
    let (before, after, either) = side(halves);
    let found = reader
        .read(&format!(
            "SELECT server_workload AS service, operation, endpoint, status, outcome, \
             count(*) FILTER (WHERE {before}) AS before, count(*) FILTER (WHERE {after}) AS after, min(error) AS error, \
             min(call_id) FILTER (WHERE {after}) AS example FROM calls WHERE {either} AND {condition} AND {bad} \
             GROUP BY 1, 2, 3, 4, 5 ORDER BY after DESC, before LIMIT 200",
            bad = sql::BAD
        ))
        .await?;
    let (seconds_before, seconds_after) =
        (halves.before.span().as_secs_f64(), halves.after.span().as_secs_f64());
    let mut table = Table { columns: found.columns.clone(), rows: Vec::new() };
    for (place, row) in found.iter().enumerate() {
        let (before, after) = (row.count("before") as f64, row.count("after") as f64);
        let expected = before / seconds_before.max(1e-9) * seconds_after;
        if after >= 1.0 && after > 2.0 * expected {
            table.rows.push(found.rows[place].clone());
        }
    }
    table.rows.truncate(limit);
    Ok(table.without_empty_columns())
}

async fn instances(
    reader: &Reader<'_>,
    halves: &Halves,
    condition: &str,
    limit: usize,
) -> Result<Table, ToolError> {
    let (before, after, either) = side(halves);
    let found = reader
        .read(&format!(
            "SELECT server_workload AS service, server_version AS version, server_ip AS address, server_port AS port, \
             count(*) FILTER (WHERE {before}) AS calls_before, count(*) FILTER (WHERE {after}) AS calls_after, \
             count(*) FILTER (WHERE {before} AND failed) AS failed_before, \
             count(*) FILTER (WHERE {after} AND failed) AS failed_after, \
             min(call_id) FILTER (WHERE {after} AND failed) AS failed_example, \
             min(call_id) FILTER (WHERE {after}) AS example \
             FROM calls WHERE {either} AND {condition} AND protocol NOT IN ('dns', 'icmp', 'icmpv6', 'udp') \
             GROUP BY 1, 2, 3, 4 \
             HAVING count(*) FILTER (WHERE {after} AND failed) > 0 OR count(*) FILTER (WHERE {before}) = 0 \
             ORDER BY failed_after DESC, calls_after DESC LIMIT {limit}",
        ))
        .await?;
    Ok(found.without_empty_columns())
}
