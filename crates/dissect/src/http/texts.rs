//! The JSON texts of a body: one, or one an event, or one a line, as its media type says.

use wirewise_model::Message;

use crate::json::Raw;

/// What was kept of a body's JSON texts, the last of them perhaps cut. None where its type is another.
pub(crate) fn json_texts(message: &Message) -> Vec<Raw<'_>> {
    let Some(body) = &message.body else { return Vec::new() };
    let media = message.header("content-type").unwrap_or_default().to_ascii_lowercase();
    let lines = || body.kept.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
    let texts: Vec<Raw<'_>> = if media.starts_with("text/event-stream") {
        let data = lines().filter_map(|line| line.strip_prefix(b"data:"));
        data.map(Raw::new).collect()
    } else if media.contains("ndjson") || media.contains("jsonl") || media.contains("json-seq") {
        lines().map(Raw::new).collect()
    } else if media.contains("json") {
        vec![Raw::new(&body.kept)]
    } else {
        Vec::new()
    };
    texts.into_iter().filter(Raw::is_object).collect()
}
