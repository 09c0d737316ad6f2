//! Whose fault it is: what a call's server did meanwhile. A call is slow because of the calls that its server waited
//! for, and fails because of those that failed; followed downwards until somebody has only himself to blame.

use std::collections::{BTreeMap, BTreeSet};

use wirewise_model::Window;
use wirewise_tools::{Row, Table, ToolError};

use super::compose::{label, name};
use super::conditions::{TIMED, text, within, within_at};
use super::desk::Desk;

/// Calls of each step that are looked into: the slowest.
const SAMPLED: usize = 10;
/// Steps downwards.
const DEEPEST: usize = 5;
/// Share of the time that callees must take to be followed.
const MOSTLY: f64 = 0.5;
/// Failing calls whose meanwhile is looked at, the newest.
const MOST_FAILING: usize = 300;
/// Share of an endpoint's failing calls in which the same callee failed, from which it is the cause.
const USUALLY: f64 = 0.5;

/// Where calls go: a server and what it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) service: String,
    pub(crate) protocol: String,
    pub(crate) operation: String,
    pub(crate) endpoint: String,
}

impl Place {
    /// That of a row, whose columns begin with `prefix`.
    pub(crate) fn of(row: &Row<'_>, prefix: &str) -> Self {
        let text = |column: &str| row.text(&format!("{prefix}{column}")).to_owned();
        Self {
            service: text("service"),
            protocol: text("protocol"),
            operation: text("operation"),
            endpoint: text("endpoint"),
        }
    }

    /// ``orders `POST /orders` ``.
    pub(crate) fn told(&self) -> String {
        format!("{} {}", name(&self.service), label(&self.operation, &self.endpoint, &self.protocol))
    }
}

/// One step of a slow chain: calls of one server, and what became of their time.
#[derive(Clone, Debug)]
pub(crate) struct Step {
    pub(crate) service: String,
    /// How many calls were looked into.
    pub(crate) sampled: usize,
    /// Their mean duration.
    pub(crate) took_ms: f64,
    /// What of it their server had no call of its own under way.
    pub(crate) own_ms: f64,
    /// Whom it waited for most: where, how long on average, in how many of them, and an example.
    pub(crate) waited: Option<Waited>,
    /// The slowest of them.
    pub(crate) example: String,
}

/// A callee that was waited for.
#[derive(Clone, Debug)]
pub(crate) struct Waited {
    pub(crate) place: Place,
    pub(crate) ms: f64,
    pub(crate) calls: usize,
    pub(crate) example: String,
    ids: Vec<String>,
}

/// Follows the slowest calls that fit `condition` down to the server whose own time they are.
pub(crate) async fn slow_chain(desk: &mut Desk, condition: &str) -> Result<Vec<Step>, ToolError> {
    let mut chain: Vec<Step> = Vec::new();
    let mut condition = condition.to_owned();
    while chain.len() < DEEPEST {
        let Some(step) = slow_step(desk, &condition).await? else { break };
        let next = step
            .waited
            .as_ref()
            .filter(|_| step.own_ms < step.took_ms * (1.0 - MOSTLY))
            .filter(|waited| {
                chain.iter().all(|step| step.service != waited.place.service)
                    && waited.place.service != step.service
            })
            .map(|waited| waited.ids.clone());
        chain.push(step);
        let Some(ids) = next else { break };
        let ids: Vec<String> = ids.iter().map(|id| text(id)).collect();
        condition = format!("call_id IN ({})", ids.join(", "));
    }
    Ok(chain)
}

async fn slow_step(desk: &mut Desk, condition: &str) -> Result<Option<Step>, ToolError> {
    let parents = format!(
        "SELECT call_id, server_workload, started_at, observed_until, duration_ms, trace_id FROM calls \
         WHERE {condition} AND {TIMED} ORDER BY duration_ms DESC, call_id LIMIT {SAMPLED}"
    );
    let sampled = desk
        .sql(format!(
            "SELECT call_id, server_workload AS service, duration_ms FROM ({parents}) AS parents \
            ORDER BY duration_ms DESC"
        ))
        .await?;
    let Some(slowest) = sampled.first() else { return Ok(None) };
    let children = desk
        .sql(format!(
            "WITH parents AS ({parents}) \
             SELECT parents.call_id AS parent, calls.call_id AS child, calls.server_workload AS service, \
             calls.protocol AS protocol, \
             calls.operation AS operation, calls.endpoint AS endpoint, \
             CAST(calls.started_at AS BIGINT) - CAST(parents.started_at AS BIGINT) AS begins, \
             CAST(calls.observed_until AS BIGINT) - CAST(parents.started_at AS BIGINT) AS ends \
             FROM parents JOIN calls ON calls.client_workload = parents.server_workload \
             WHERE calls.started_at >= parents.started_at AND calls.observed_until <= \
             parents.observed_until \
             AND {} AND calls.kind <> 'connection' AND calls.call_id <> parents.call_id \
             AND (calls.trace_id IS NULL OR parents.trace_id IS NULL OR calls.trace_id = parents.trace_id) \
             ORDER BY ends - begins DESC LIMIT 150",
            within_at("calls.started_at", desk.whole),
        ))
        .await?;
    Ok(Some(step_of(&sampled, &children, &slowest)))
}

/// Puts calls and what their servers did meanwhile together.
fn step_of(sampled: &Table, children: &Table, slowest: &Row<'_>) -> Step {
    let n = sampled.len().max(1) as f64;
    let took_ms = sampled.iter().filter_map(|row| row.number("duration_ms")).sum::<f64>() / n;
    let mut waited_ms = 0.0;
    let mut by_place: BTreeMap<Place, (f64, usize, Vec<String>)> = BTreeMap::new();
    for parent in sampled.iter() {
        let own: Vec<Row<'_>> =
            children.iter().filter(|row| row.text("parent") == parent.text("call_id")).collect();
        waited_ms += union(own.iter()).min(parent.number("duration_ms").unwrap_or(0.0));
        let places: BTreeSet<Place> = own.iter().map(|row| Place::of(row, "")).collect();
        for place in places {
            let there = || own.iter().filter(|row| Place::of(row, "") == place);
            let entry = by_place.entry(place.clone()).or_default();
            entry.0 += union(there());
            entry.1 += 1;
            // The longest of each, in the order of the query.
            entry.2.extend(there().next().map(|row| row.text("child").to_owned()));
        }
    }
    let waited = by_place.into_iter().max_by(|left, right| left.1.0.total_cmp(&right.1.0)).map(
        |(place, (ms, calls, ids))| Waited {
            place,
            ms: ms / n,
            calls,
            example: ids.first().cloned().unwrap_or_default(),
            ids,
        },
    );
    Step {
        service: slowest.text("service").to_owned(),
        sampled: sampled.len(),
        took_ms,
        own_ms: (took_ms - waited_ms / n).max(0.0),
        waited,
        example: slowest.text("call_id").to_owned(),
    }
}

/// Milliseconds in which at least one of the calls was under way.
fn union<'a, 'r: 'a>(calls: impl Iterator<Item = &'a Row<'r>>) -> f64 {
    let mut spans: Vec<(f64, f64)> =
        calls.map(|row| (row.number("begins").unwrap_or(0.0), row.number("ends").unwrap_or(0.0))).collect();
    spans.sort_by(|left, right| left.0.total_cmp(&right.0));
    let (mut total, mut until) = (0.0, f64::MIN);
    for (begins, ends) in spans {
        total += (ends - begins.max(until)).max(0.0);
        until = until.max(ends);
    }
    total / 1e6
}

/// What failed while a call that failed was under way, by place.
#[derive(Clone, Debug)]
pub(crate) struct Cause {
    /// Whose call it was: the server of the calls that failed.
    pub(crate) asker: String,
    /// Who failed meanwhile.
    pub(crate) place: Place,
    pub(crate) status: String,
    pub(crate) error: String,
    /// The name that was asked for, where it was a name.
    pub(crate) target: String,
    /// In how many of the failing calls.
    pub(crate) calls: u64,
    /// Of so many.
    pub(crate) of: u64,
    pub(crate) example: String,
}

/// Who failed because of whom, in a window.
#[derive(Clone, Debug, Default)]
pub(crate) struct Causes {
    by_place: BTreeMap<Place, Cause>,
}

impl Causes {
    /// Looks at the failing calls of a window and at what failed meanwhile at their servers' hands.
    pub(crate) async fn find(desk: &mut Desk, window: Window) -> Result<Self, ToolError> {
        let parents = format!(
            "SELECT call_id, server_workload, protocol, operation, endpoint, started_at, observed_until, \
             trace_id FROM calls \
             WHERE {} AND failed AND kind <> 'connection' ORDER BY call_id DESC LIMIT {MOST_FAILING}",
            within(window)
        );
        let totals = desk
            .sql(format!(
                "SELECT server_workload AS service, protocol, operation, endpoint, count(*) AS calls FROM \
                 ({parents}) AS parents GROUP BY 1, 2, 3, 4"
            ))
            .await?;
        if totals.is_empty() {
            return Ok(Self::default());
        }
        let totals: BTreeMap<Place, u64> =
            totals.iter().map(|row| (Place::of(&row, ""), row.count("calls"))).collect();
        let found = desk
            .sql(format!(
                "WITH parents AS ({parents}) \
                 SELECT parents.server_workload AS service, parents.protocol AS protocol, \
                 parents.operation AS operation, \
                 parents.endpoint AS endpoint, calls.server_workload AS to_service, calls.protocol AS \
                 to_protocol, \
                 calls.operation AS to_operation, calls.endpoint AS to_endpoint, calls.status AS status, \
                 min(calls.error) AS error, \
                 min(calls.target) AS target, count(DISTINCT parents.call_id) AS calls, min(calls.call_id) \
                 AS example \
                 FROM parents JOIN calls ON calls.client_workload = parents.server_workload \
                 WHERE calls.started_at >= parents.started_at AND calls.started_at <= \
                 parents.observed_until AND {} \
                 AND (calls.failed OR (calls.protocol = 'dns' AND calls.outcome = 'client_error' AND NOT \
                 array_has(calls.notes, 'search_suffix'))) \
                 AND calls.call_id <> parents.call_id \
                 AND (calls.trace_id IS NULL OR parents.trace_id IS NULL OR calls.trace_id = \
                 parents.trace_id) \
                 GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9 ORDER BY calls DESC LIMIT 100",
                within_at("calls.started_at", window),
            ))
            .await?;
        let mut by_place: BTreeMap<Place, Cause> = BTreeMap::new();
        for row in found.iter() {
            let failing = Place::of(&row, "");
            let cause = Cause {
                asker: failing.service.clone(),
                place: Place::of(&row, "to_"),
                status: row.text("status").to_owned(),
                error: row.text("error").to_owned(),
                target: row.text("target").to_owned(),
                calls: row.count("calls"),
                of: totals.get(&failing).copied().unwrap_or(0),
                example: row.text("example").to_owned(),
            };
            let usual = cause.of > 0 && cause.calls as f64 >= USUALLY * cause.of as f64;
            if usual && cause.place != failing {
                // The most frequent comes first; of equals a failing call says more than a failing name.
                by_place.entry(failing).or_insert(cause);
            }
        }
        Ok(Self { by_place })
    }

    /// The ends of all chains, the most frequent first.
    pub(crate) fn roots(&self) -> Vec<&Cause> {
        let mut roots: Vec<&Cause> = Vec::new();
        for place in self.by_place.keys() {
            if let Some(last) = self.chain(place).last()
                && roots.iter().all(|known| known.place != last.place)
            {
                roots.push(last);
            }
        }
        roots.sort_by_key(|cause| std::cmp::Reverse(cause.calls));
        roots
    }

    /// The chain of causes below a place, nearest first; empty where it failed by itself.
    pub(crate) fn chain(&self, place: &Place) -> Vec<&Cause> {
        let mut chain: Vec<&Cause> = Vec::new();
        let mut at = place;
        while let Some(cause) = self.by_place.get(at) {
            let seen = cause.place == *place || chain.iter().any(|known| known.place == cause.place);
            if seen || chain.len() >= DEEPEST {
                break;
            }
            chain.push(cause);
            at = &cause.place;
        }
        chain
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn table(columns: &[&str], rows: &[serde_json::Value]) -> Table {
        let mut table = Table::new(columns);
        table.rows = rows.iter().map(|row| row.as_array().unwrap().clone()).collect();
        table
    }

    #[test]
    fn time_that_callees_shared_is_waited_for_once() {
        let sampled = table(&["call_id", "service", "duration_ms"], &[json!(["p", "gateway", 100.0])]);
        let columns = ["parent", "child", "service", "protocol", "operation", "endpoint", "begins", "ends"];
        let children = table(
            &columns,
            &[
                json!(["p", "a", "inventory", "http1", "GET", "/stock", 10_000_000, 80_000_000]),
                json!(["p", "b", "orders", "http1", "GET", "/orders", 20_000_000, 90_000_000]),
                json!(["other", "c", "orders", "http1", "GET", "/orders", 0, 90_000_000]),
            ],
        );
        let step = step_of(&sampled, &children, &sampled.first().unwrap());
        assert_eq!((step.took_ms, step.own_ms), (100.0, 20.0));
        assert_eq!(step.waited.map(|waited| waited.ms), Some(70.0));
    }
}
