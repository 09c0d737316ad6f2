//! GraphQL against its truth, which is a part of the line of the HTTP exchange that carries it.

use serde_json::Value;
use wirewise_model::Call;

use crate::compare::{attribute, cites, number, same};
use crate::corpus::Heard;

/// The call that the line's exchange of HTTP carries.
pub(crate) fn agrees(heard: &Heard, line: &Value) -> Result<(), String> {
    let frame = number(&line["req"]["frame"]).ok_or("the truth names no packet")?;
    let stream = number(&line["stream_id"]).map(|stream| stream.to_string());
    let call = heard.calls.iter().find(|call| {
        call.exchange.protocol == "graphql"
            && cites(&call.exchange.request, frame)
            && attribute(&call.exchange, "http2.streamid") == stream
    });
    agree(call.ok_or("no graphql call cites it")?, line)
}

fn agree(call: &Call, line: &Value) -> Result<(), String> {
    let (exchange, theirs) = (&call.exchange, &line["req"]["graphql"]);
    let text = |name: &str| attribute(exchange, name);
    let first = match theirs["batch"].as_array() {
        Some(batch) => {
            same("batch", text("graphql.batch"), Some(batch.len().to_string()))?;
            batch.first().unwrap_or(&Value::Null)
        }
        None => theirs,
    };
    same("type", text("graphql.operation.type").as_deref(), first["type"].as_str())?;
    same("name", text("graphql.operation.name").as_deref(), first["name"].as_str())?;
    if let Some(errors) = number(&line["graphql_errors"]) {
        let ours = text("graphql.errors").and_then(|errors| errors.parse().ok()).unwrap_or(0);
        same("errors", ours, errors)?;
        same("outcome", exchange.outcome.name() == "ok", errors == 0)?;
    }
    Ok(())
}
