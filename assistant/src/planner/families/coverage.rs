//! What was not seen: losses by stage, captures, flows that began before or were cut short.

use serde_json::json;
use wirewise_tools::ToolError;

use super::overview::table;
use crate::planner::compose::{Said, bytes, cite, count, listed, moment_text, name};
use crate::planner::conditions::{alive_within, within};
use crate::planner::desk::Desk;
use crate::planner::grammar::Reading;

pub(crate) async fn run(desk: &mut Desk, _reading: &Reading) -> Result<Said, ToolError> {
    let mut said =
        Said::new("what was not seen: losses by stage, and what of the traffic was heard only in part");
    let losses = desk.losses().await?;
    let evidence =
        desk.tool("get_overview", json!({"window": desk.window_text(), "detail": "detailed"})).await?;
    if losses.is_empty() {
        said.line("Nothing is known to be lost in this window: no packet, no byte, no row.");
    } else {
        said.line(format!("{} of losses in this window, by stage:", count(losses.len() as u64, "kind")));
        for loss in &losses {
            said.item(format!(
                "{}, {}: {}",
                name(&loss.stage),
                name(&loss.reason).replace('_', " "),
                loss.count
            ));
        }
    }
    let flows = desk
        .sql(format!(
            "SELECT count(*) AS flows, count(*) FILTER (WHERE state = 'mid_stream') AS mid_stream, \
             sum(missing_bytes) AS missing, \
             count(*) FILTER (WHERE missing_bytes > 0) AS with_gaps, min(flow_id) FILTER (WHERE state = \
             'mid_stream') AS mid_example, \
             min(flow_id) FILTER (WHERE missing_bytes > 0) AS gap_example FROM flows WHERE {}",
            alive_within(desk.window)
        ))
        .await?;
    if let Some(row) = flows.first() {
        said.line(format!(
            "Of {}, {} were under way before they were first heard{}, and {} have gaps{}, {} in all.",
            count(row.count("flows"), "flow"),
            row.count("mid_stream"),
            cite(row.text("mid_example")),
            row.count("with_gaps"),
            cite(row.text("gap_example")),
            bytes(row.count("missing"))
        ));
    }
    let calls = desk
        .sql(format!(
            "SELECT count(*) AS calls, count(*) FILTER (WHERE encrypted AND protocol IN ('tls', 'tcp')) AS \
             opaque, \
             count(*) FILTER (WHERE array_has(notes, 'gap')) AS with_gaps, \
             count(*) FILTER (WHERE array_has(notes, 'mid_stream')) AS mid_stream, \
             count(*) FILTER (WHERE kind = 'connection') AS unread, \
             min(call_id) FILTER (WHERE array_has(notes, 'gap')) AS gap_example, \
             min(call_id) FILTER (WHERE kind = 'connection') AS unread_example FROM calls WHERE {}",
            within(desk.window)
        ))
        .await?;
    if let Some(row) = calls.first() {
        said.line(format!(
            "Of {}, {} have gaps{}; {} are connections whose content was not understood or that carried \
             none{}; {} are TLS whose content cannot be read.",
            count(row.count("calls"), "call"),
            row.count("with_gaps"),
            cite(row.text("gap_example")),
            row.count("unread"),
            cite(row.text("unread_example")),
            row.count("opaque")
        ));
    }
    let captures = table(&evidence, "captures");
    let told: Vec<String> = captures
        .iter()
        .map(|row| {
            let at = |column: &str| {
                if row.text(column).is_empty() { "nothing".to_owned() } else { moment_text(row.text(column)) }
            };
            format!(
                "{} from {} to {} ({})",
                count(row.count("frames"), "frame"),
                at("first_at"),
                at("last_at"),
                name(row.text("state")).replace('`', "")
            )
        })
        .collect();
    if !told.is_empty() {
        said.line(format!("Captured: {}.", listed(&told)));
    }
    Ok(said)
}
