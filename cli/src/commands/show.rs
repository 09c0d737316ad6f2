//! `wirewise show`: one call or flow by its id, and its packets.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use wirewise_agent::FlowPackets;
use wirewise_capture::{extract, write_pcapng_file};
use wirewise_model::{Endpoint, PacketNumber};
use wirewise_redact::CaptureInfo;
use wirewise_store::sql_text;
use wirewise_tools::ToolError;

use super::runtime;
use crate::arguments::{Show, WrongUsage};
use crate::config::Config;
use crate::output::{self, Row};
use crate::reach::Reach;

pub(crate) fn run(config: &Config, show: Show) -> Result<()> {
    let prefix = show.id.trim();
    if prefix.len() < 2 || !prefix.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(WrongUsage(format!(
            "`{prefix}` is no id: they begin with c (calls) or f (flows), as in c01k..."
        ))
        .into());
    }
    runtime()?.block_on(async {
        let reach = Reach::to_read(config).await?;
        let found = find(&reach, config, prefix).await?;
        if let Some(out) = &show.pcap {
            return packets(&reach, &found, out).await;
        }
        match found.kind {
            "call" => show_call(&reach, config, &found).await,
            _ => output::document(config.format(), &json!(found.row), &listed(&found.row)),
        }
    })
}

struct Found {
    kind: &'static str,
    id: String,
    dataset: String,
    row: Row,
}

/// The one call or flow whose id begins so, in the data set that was named, else in any.
async fn find(reach: &Reach, config: &Config, prefix: &str) -> Result<Found> {
    let (kind, table, column) = match prefix.as_bytes()[0] {
        b'c' => ("call", "calls", "call_id"),
        b'f' => ("flow", "flows", "flow_id"),
        _ => {
            return Err(
                WrongUsage(format!("`{prefix}` is no id: they begin with c (calls) or f (flows)")).into()
            );
        }
    };
    let low = sql_text(prefix);
    // Ids are digits and lower-case letters: `{` sorts after all of them.
    let high = sql_text(&format!("{prefix}{{"));
    let sql = format!(
        "SELECT * FROM {table} WHERE {column} >= {low} AND {column} < {high} ORDER BY {column} LIMIT 6"
    );
    let mut found = Vec::new();
    for dataset in reach.datasets(config.dataset()).await? {
        for row in reach.all(&sql, Some(&dataset)).await? {
            found.push((dataset.clone(), row));
        }
    }
    let id = |row: &Row| row.get(column).and_then(Value::as_str).unwrap_or_default().to_owned();
    match found.len() {
        0 => bail!("no {kind} has an id that begins with {prefix}"),
        1 => {
            let (dataset, row) = found.remove(0);
            Ok(Found { kind, id: id(&row), dataset, row })
        }
        _ => {
            let ids: Vec<String> = found.iter().map(|(_, row)| id(row)).collect();
            bail!("several {kind}s have an id that begins with {prefix}: {}", ids.join(", "))
        }
    }
}

async fn show_call(reach: &Reach, config: &Config, found: &Found) -> Result<()> {
    let arguments = json!({"id": found.id, "dataset": found.dataset});
    let call = reach.tool("get_call", arguments.clone()).await?;
    let payload = match reach.tool("get_call_payload", arguments).await {
        Ok(payload) => Some(payload),
        Err(ToolError::Tell(_)) => None,
        Err(error) => return Err(error.into()),
    };
    let mut text = call.text.clone();
    if let Some(payload) = &payload {
        text.push_str(&format!("\n\n{}", payload.text));
    }
    let mut value = json!(found.row);
    value["evidence"] = call.structured();
    value["payload"] = payload.map_or(Value::Null, |payload| payload.structured());
    output::document(config.format(), &value, &text)
}

fn listed(row: &Row) -> String {
    let shown = row.iter().filter(|(_, value)| !value.is_null());
    let width = shown.clone().map(|(name, _)| name.len()).max().unwrap_or(0);
    let line = |(name, value): (&String, &Value)| match value {
        Value::String(text) => format!("{name:width$}  {text}"),
        other => format!("{name:width$}  {other}"),
    };
    shown.map(line).collect::<Vec<_>>().join("\n")
}

/// Writes the packets of a call or flow, read again from the file that it came from.
async fn packets(reach: &Reach, found: &Found, out: &Path) -> Result<()> {
    let capture_id = found.row.get("capture_id").and_then(Value::as_str).unwrap_or_default();
    let captures = reach.captures(&found.dataset).await?;
    let capture = captures.iter().find(|capture| capture.id.0 == capture_id);
    let capture = capture.with_context(|| {
        format!("the data set {} no longer knows the capture {capture_id}", found.dataset)
    })?;
    let Some(path) = &capture.path else {
        bail!(
            "{} was heard live, and packets of live capture are not kept: import a capture file to have them",
            found.id
        );
    };
    if let (Ok(out), Ok(path)) = (out.canonicalize(), Path::new(path).canonicalize())
        && out == path
    {
        return Err(
            WrongUsage(format!("{} is the capture itself: write to another file", out.display())).into()
        );
    }
    let numbers = if found.kind == "call" {
        numbers_of_call(&found.row)
    } else {
        numbers_of_flow(&found.row, Path::new(path))?
    };
    if numbers.is_empty() {
        bail!("{} names no packets", found.id);
    }
    let frames = extracted(capture, Path::new(path), &numbers)?;
    write_pcapng_file(out, frames.iter().map(wirewise_capture::OwnedFrame::as_frame))
        .with_context(|| format!("write {}", out.display()))?;
    output::say(&format!("{} packets of {} written to {}", frames.len(), found.id, out.display()))?;
    Ok(())
}

fn extracted(
    capture: &CaptureInfo,
    path: &Path,
    numbers: &BTreeSet<PacketNumber>,
) -> Result<Vec<wirewise_capture::OwnedFrame>> {
    let numbers: Vec<PacketNumber> = numbers.iter().copied().collect();
    extract(path, &capture.id, &numbers).with_context(|| format!("read the packets from {}", path.display()))
}

fn numbers_of_call(row: &Row) -> BTreeSet<PacketNumber> {
    let lists =
        ["request_frames", "response_frames"].into_iter().filter_map(|column| row.get(column)?.as_array());
    lists.flatten().filter_map(Value::as_u64).map(PacketNumber).collect()
}

/// The packets of a flow, found again in the file that it was heard in.
fn numbers_of_flow(row: &Row, path: &Path) -> Result<BTreeSet<PacketNumber>> {
    let text = |column: &str| row.get(column).and_then(Value::as_str).unwrap_or_default().to_owned();
    let end = |side: &str| -> Result<Endpoint> {
        let ip = text(&format!("{side}_ip"));
        let ip = ip.parse().with_context(|| format!("understand {side}_ip"))?;
        let port = row.get(&format!("{side}_port")).and_then(Value::as_u64);
        Ok(Endpoint::new(ip, port.and_then(|port| u16::try_from(port).ok()).unwrap_or(0)))
    };
    let flow = FlowPackets {
        transport: text("transport"),
        ends: [end("client")?, end("server")?],
        span: [text("started_at"), text("ended_at")],
    };
    flow.find(path).with_context(|| format!("look for the packets in {}", path.display()))
}
