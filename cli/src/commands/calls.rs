//! `wirewise calls`: lists or follows calls, one line each.

use std::collections::HashSet;
use std::time::Duration;

use anyhow::Result;
use futures::StreamExt;
use serde_json::Value;
use wirewise_store::sql_text;

use super::{runtime, scratch};
use crate::arguments::{Calls, Format, sql_interval};
use crate::config::Config;
use crate::output::{Row, Rows, printable, say};
use crate::reach::Reach;

/// How often a followed data set is looked at.
const FOLLOW: Duration = Duration::from_millis(500);

/// A call is told when it ends, and may have begun long before: how far back beginnings are looked for.
const LOOK_BACK: &str = "INTERVAL '10 minutes'";

const COLUMNS: &str = "call_id, started_at, protocol, operation, host, target, status, outcome, error, duration_ms, \
                       client_workload, client_ip, client_port, server_workload, server_ip, server_port";

pub(crate) fn run(config: &Config, calls: Calls) -> Result<()> {
    let conditions = conditions(&calls)?;
    let scratch = calls.read.as_deref().map(|file| scratch::import(config, file)).transpose()?;
    let config = scratch.as_ref().map_or(config, |scratch| &scratch.config);
    runtime()?.block_on(async {
        let mut reach = Reach::to_read(config).await?;
        let latest = format!(
            "SELECT * FROM (SELECT {COLUMNS} FROM calls WHERE {conditions} ORDER BY started_at DESC, call_id DESC LIMIT {}) ORDER BY started_at, call_id",
            calls.limit
        );
        let mut told = Told::default();
        print(&reach, config, &latest, &mut told).await?;
        if !calls.follow {
            return Ok(());
        }
        loop {
            // A directory of our own would be as it was when we opened it, and nobody else could write to it.
            let ours = matches!(reach, Reach::Here(_));
            let going_on = (!ours).then_some(reach);
            tokio::time::sleep(FOLLOW).await;
            reach = match going_on {
                Some(reach) => reach,
                None => Reach::to_read(config).await?,
            };
            let fresh = format!(
                "SELECT {COLUMNS} FROM calls WHERE {conditions} AND outcome <> 'open' AND started_at >= now() - {LOOK_BACK} ORDER BY started_at, call_id"
            );
            print(&reach, config, &fresh, &mut told).await?;
        }
    })
}

/// What was asked for, as a condition of SQL. Values go in as literals, so that a wrong word of a closed column
/// is told with the nearest known ones.
fn conditions(calls: &Calls) -> Result<String> {
    let mut conditions = vec!["true".to_owned()];
    if let Some(since) = &calls.since {
        conditions.push(format!("started_at >= now() - {}", sql_interval(since)?));
    }
    if let Some(service) = &calls.service {
        let name = sql_text(service);
        conditions.push(format!(
            "(client_workload = {name} OR server_workload = {name} OR server_service = {name})"
        ));
    }
    if let Some(protocol) = &calls.protocol {
        conditions.push(format!("protocol = {}", sql_text(protocol)));
    }
    if calls.failed {
        conditions.push("failed".to_owned());
    }
    Ok(conditions.join(" AND "))
}

/// The calls that were printed already, this time and the time before: older ones are out of sight.
#[derive(Default)]
struct Told {
    before: HashSet<String>,
    now: HashSet<String>,
}

impl Told {
    /// Whether this call is new.
    fn is_new(&mut self, id: &str) -> bool {
        self.now.insert(id.to_owned()) && !self.before.contains(id)
    }

    fn turn_over(&mut self) {
        self.before = std::mem::take(&mut self.now);
    }
}

/// Prints the rows that were not told yet.
async fn print(reach: &Reach, config: &Config, sql: &str, told: &mut Told) -> Result<()> {
    let mut rows = reach.query(sql, config.dataset()).await?.rows;
    let columns = COLUMNS.split(", ").map(str::to_owned).collect();
    let mut printed = (config.format() != Format::Text).then(|| Rows::new(config.format(), columns));
    while let Some(row) = rows.next().await {
        let row = row?;
        if !told.is_new(row.get("call_id").and_then(Value::as_str).unwrap_or_default()) {
            continue;
        }
        match &mut printed {
            Some(printed) => printed.push(row)?,
            None => say(&line(&row))?,
        }
    }
    told.turn_over();
    if let Some(printed) = printed {
        printed.finish()?;
    }
    Ok(())
}

/// One call as a log would tell it.
fn line(row: &Row) -> String {
    let text = |name: &str| row.get(name).and_then(Value::as_str).unwrap_or_default();
    let time = text("started_at").split_once('T').map_or("", |(_, time)| time.get(..12).unwrap_or(time));
    let took = row
        .get("duration_ms")
        .and_then(Value::as_f64)
        .map_or_else(|| "-".to_owned(), |took| format!("{took:.1}ms"));
    let status = if text("status").is_empty() { text("outcome") } else { text("status") };
    let error = if text("error").is_empty() { String::new() } else { format!("  {}", text("error")) };
    let line = format!(
        "{time} {:6} {:>12} {:>9}  {} -> {}  {} {}{error}  {}",
        text("protocol"),
        status,
        took,
        text("client_workload"),
        text("server_workload"),
        text("operation"),
        text("target"),
        text("call_id")
    );
    printable(&line).replace(['\n', '\t'], " ")
}
