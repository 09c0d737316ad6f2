//! WebSocket against its truth, which tells frame by frame what we tell message by message.

use serde_json::Value;
use wirewise_model::{Call, Message};

use crate::compare::{attribute, cites, number, same, word};
use crate::corpus::Heard;

/// Whether the frames of that line's flow are inside TLS, where they are not heard.
pub(crate) fn is_hidden(truth: &[Value], line: &Value) -> bool {
    truth.iter().any(|other| other["k"] == "tls" && other["stream"] == line["stream"])
}

/// A call that cites the frame's packet and says the same of it.
pub(crate) fn agrees(heard: &Heard, line: &Value) -> Result<(), String> {
    let frame = number(&line["frame"]).ok_or("the truth names no packet")?;
    let from = word(line, "src");
    let calls = heard.calls.iter().filter(|call| call.exchange.protocol == "websocket");
    let sent = |message: &Option<Message>, by: String| by == from && cites(message, frame);
    let text = |end: wirewise_model::Endpoint| format!("{}:{}", end.ip, end.port);
    let verdicts: Vec<Result<(), String>> = calls
        .filter_map(|call| {
            let asked = sent(&call.exchange.request, text(call.client));
            let answered = sent(&call.exchange.response, text(call.server));
            (asked || answered).then(|| agree(call, line))
        })
        .collect();
    match verdicts.iter().any(Result::is_ok) {
        true => Ok(()),
        false => verdicts
            .into_iter()
            .next()
            .unwrap_or_else(|| Err(format!("no websocket call cites it (opcode {})", line["opcode"]))),
    }
}

fn agree(call: &Call, line: &Value) -> Result<(), String> {
    let exchange = &call.exchange;
    let text = |name: &str| attribute(exchange, name);
    let frames: u64 = text("websocket.frames").and_then(|frames| frames.parse().ok()).unwrap_or(1);
    let (code, fin) = (number(&line["opcode"]).unwrap_or(0), number(&line["fin"]) == Some(1));
    let is_control = code >= 8;
    let ours = match (code, exchange.operation.as_str()) {
        // A pong is the answer of its ping.
        (10, "ping") if exchange.response.is_some() => Some("10".to_owned()),
        // The message's first frame says what it is.
        (0, _) if frames > 1 => Some("0".to_owned()),
        _ => text("websocket.opcode"),
    };
    same("opcode", ours, Some(code.to_string()))?;
    let theirs = number(&line["length"]).unwrap_or(0);
    let length = text("websocket.payload_length").and_then(|length| length.parse().ok()).unwrap_or(0);
    if is_control || frames == 1 {
        same("length", length, theirs)?;
        same("whole", fin, true)?;
    } else {
        same("length within the message's", theirs <= length, true)?;
    }
    if !is_control && code != 0 {
        same("compressed", text("websocket.compressed").is_some(), number(&line["rsv"]) == Some(4))?;
    }
    same(
        "close code",
        text("websocket.payload.close.status_code"),
        number(&line["close_code"]).map(|code| code.to_string()),
    )
}
