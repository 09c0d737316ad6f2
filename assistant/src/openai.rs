//! OpenAI's chat API, spoken by us: any chat client can ask. The last message of the user is the question.

use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Question};
use crate::server::{Shared, model_viewer};
use crate::web::Fault;

/// The name under which we answer.
const MODEL: &str = "wirewise";

pub(crate) fn routes() -> Router<Shared> {
    Router::new().route("/v1/models", get(models)).route("/v1/chat/completions", post(complete))
}

async fn models() -> Json<Value> {
    Json(
        json!({"object": "list", "data": [{"id": MODEL, "object": "model", "created": 0, "owned_by": MODEL}]}),
    )
}

/// Of a request we read the conversation and whether to stream; sampling parameters mean nothing here.
#[derive(Deserialize)]
struct Completion {
    messages: Vec<Message>,
    #[serde(default)]
    stream: bool,
    #[serde(default)]
    stream_options: Option<StreamOptions>,
}

#[derive(Deserialize)]
struct StreamOptions {
    #[serde(default)]
    include_usage: bool,
}

#[derive(Deserialize)]
struct Message {
    role: String,
    #[serde(default)]
    content: Option<Content>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Content {
    Text(String),
    Parts(Vec<Part>),
}

#[derive(Deserialize)]
struct Part {
    #[serde(default)]
    text: Option<String>,
}

impl Content {
    fn into_text(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Parts(parts) => {
                parts.into_iter().filter_map(|part| part.text).collect::<Vec<_>>().join("\n")
            }
        }
    }
}

async fn complete(
    State(shared): State<Shared>,
    request: Result<Json<Completion>, JsonRejection>,
) -> Result<Response, Fault> {
    let Json(request) = request?;
    let asked = request.messages.into_iter().rev().find(|message| message.role == "user");
    let question = asked.and_then(|message| message.content).map(Content::into_text);
    let question =
        question.ok_or_else(|| Fault::asked_wrongly("there is no message of role user with text"))?;
    let answer =
        shared.assistant.ask(&Question { question, dataset: None }, &model_viewer(&shared.assistant)).await?;
    let created = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let id = format!("chatcmpl-{created}");
    let text = written(&answer);
    if request.stream {
        let usage = request.stream_options.is_some_and(|options| options.include_usage);
        return Ok(stream_of(&id, created, &text, usage));
    }
    Ok(Json(json!({
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": MODEL,
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": usage(),
        "wirewise": answer,
    }))
    .into_response())
}

/// The answer with its coverage, since a chat client shows the text alone.
fn written(answer: &Answer) -> String {
    let mut text = answer.answer.clone();
    if !answer.refused && !answer.understood.is_empty() {
        text.push_str(&format!("\n\nUnderstood as: {}", answer.understood));
    }
    text
}

fn usage() -> Value {
    json!({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0})
}

/// Streamed in lines: the answer is whole before the first of them, since it was checked.
fn stream_of(id: &str, created: u64, text: &str, with_usage: bool) -> Response {
    let chunk = |delta: Value, finish: Value| {
        json!({
            "id": id, "object": "chat.completion.chunk", "created": created, "model": MODEL,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
        })
        .to_string()
    };
    let mut events = vec![chunk(json!({"role": "assistant", "content": ""}), Value::Null)];
    events.extend(text.split_inclusive('\n').map(|line| chunk(json!({"content": line}), Value::Null)));
    events.push(chunk(json!({}), json!("stop")));
    if with_usage {
        events.push(json!({"id": id, "object": "chat.completion.chunk", "created": created, "model": MODEL, "choices": [], "usage": usage()}).to_string());
    }
    events.push("[DONE]".to_owned());
    Sse::new(stream::iter(events.into_iter().map(|data| Ok::<_, Infallible>(Event::default().data(data)))))
        .into_response()
}
