//! How long calls take: exact percentiles, means and extremes, by what the question names.

use wirewise_tools::{Row, ToolError};

use super::slowness::group_told;
use crate::planner::compose::{Said, cite, count, ms_of, name};
use crate::planner::conditions::{self, PLUMBING, SubjectIs, TIMED, percentile};
use crate::planner::desk::Desk;
use crate::planner::grammar::{By, Cue, Reading, Stat};

const DEFAULT_ROWS: usize = 12;

/// The statistics that are told, each with its column.
fn statistics(reading: &Reading) -> Vec<(Stat, String, String)> {
    let asked = if reading.slots.stats.is_empty() {
        vec![Stat::Percent(50.0), Stat::Percent(95.0), Stat::Percent(99.0)]
    } else {
        reading.slots.stats.clone()
    };
    asked
        .into_iter()
        .enumerate()
        .map(|(place, stat)| {
            let sql = match stat {
                Stat::Percent(percent) => percentile("duration_ms", percent / 100.0, TIMED),
                Stat::Average => "avg(duration_ms)".to_owned(),
                Stat::Most => "max(duration_ms)".to_owned(),
                Stat::Least => "min(duration_ms)".to_owned(),
            };
            (stat, sql, format!("stat{place}_ms"))
        })
        .collect()
}

fn told(row: &Row<'_>, statistics: &[(Stat, String, String)]) -> String {
    let told: Vec<String> = statistics
        .iter()
        .map(|(stat, _, column)| format!("{} {}", stat.told(), ms_of(row, column)))
        .collect();
    format!("{}, n {}", told.join(", "), row.count("n"))
}

/// What it is broken down by: as asked, else what the words point to.
fn dimension(reading: &Reading) -> Option<By> {
    let slots = &reading.slots;
    let named = slots.subject.is_some() || slots.callee.is_some() || slots.endpoint.is_some();
    slots.by.or(match () {
        () if reading.has(Cue::Caller) => Some(By::Caller),
        () if reading.has(Cue::Endpoint) => Some(By::Endpoint),
        () if reading.has(Cue::Service) && !named => Some(By::Service),
        () if slots.caller.is_some() && slots.callee.is_some() => Some(By::Endpoint),
        () if named => None,
        () => Some(By::Service),
    })
}

pub(crate) async fn run(desk: &mut Desk, reading: &Reading) -> Result<Said, ToolError> {
    let slots = &reading.slots;
    let about = conditions::told(slots);
    let statistics = statistics(reading);
    let by = dimension(reading);
    let names: Vec<String> = statistics.iter().map(|(stat, ..)| stat.told()).collect();
    let mut said = Said::new(format!(
        "{} of the duration of calls{about}{}",
        names.join(", "),
        by.map(|by| format!(", by {}", by.told())).unwrap_or_default()
    ));
    let mut condition = format!("{} AND {TIMED}", conditions::calls(desk, slots, SubjectIs::Server));
    if slots.protocol.is_none() {
        condition.push_str(&format!(" AND protocol NOT IN {PLUMBING}"));
    }
    let columns: Vec<String> =
        statistics.iter().map(|(_, sql, column)| format!("{sql} AS {column}")).collect();
    let extremes = "first_value(call_id ORDER BY duration_ms DESC) AS slowest, first_value(call_id ORDER \
        BY duration_ms ASC) AS fastest";
    let whole = desk
        .sql(format!(
            "SELECT count(*) AS n, {}, {extremes} FROM calls WHERE \
            {condition}",
            columns.join(", ")
        ))
        .await?;
    let Some(row) = whole.first().filter(|row| row.count("n") > 0) else {
        said.line(format!(
            "No answered calls{about} were heard in this window, so there is no duration to tell."
        ));
        return Ok(said);
    };
    let example = if statistics.iter().all(|(stat, ..)| *stat == Stat::Least) {
        row.text("fastest")
    } else {
        row.text("slowest")
    };
    let what =
        if about.is_empty() { "All answered calls".to_owned() } else { format!("Answered calls{about}") };
    said.line(format!("{what}: {}{}.", told(&row, &statistics), cite(example)));
    if let Some(by) = by {
        let dimensions: Vec<String> =
            by.columns().iter().map(|(column, name)| format!("{column} AS {name}")).collect();
        let places: Vec<String> = (1..=dimensions.len()).map(|place| place.to_string()).collect();
        let limit = slots.limit.unwrap_or(DEFAULT_ROWS);
        let groups = desk
            .sql(format!(
                "SELECT {}, count(*) AS n, {}, {extremes} FROM calls WHERE {condition} GROUP BY {} ORDER \
                 BY stat0_ms DESC LIMIT {}",
                dimensions.join(", "),
                columns.join(", "),
                places.join(", "),
                limit + 1
            ))
            .await?;
        said.line(format!("By {}, highest first:", by.told()));
        for row in groups.iter().take(limit) {
            said.item(format!(
                "{}: {}{}",
                group_told(&row, by),
                told(&row, &statistics),
                cite(row.text("slowest"))
            ));
        }
        if groups.len() > limit {
            said.item("and more, which are not shown");
        }
    } else if let Some(endpoint) = &slots.endpoint {
        // Several services may have it: say which, so that nobody takes one for another.
        let servers = desk
            .sql(format!(
                "SELECT server_workload AS service, count(*) AS n FROM calls WHERE {condition} \
                GROUP BY 1 ORDER BY n DESC LIMIT 5"
            ))
            .await?;
        let told: Vec<String> = servers
            .iter()
            .map(|row| format!("{} ({})", name(row.text("service")), count(row.count("n"), "call")))
            .collect();
        said.line(format!(
            "{} is answered by {}.",
            crate::planner::compose::quoted(&endpoint.told()),
            told.join(", ")
        ));
    }
    Ok(said)
}
