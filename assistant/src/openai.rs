//! OpenAI's chat API, spoken by us: any chat client can ask. The last message of the user is the question; the
//! model `wirewise` answers it, and `wirewise/NAME` of the data set of that name.

use std::convert::Infallible;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use futures::stream;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::answer::{Answer, Question};
use crate::server::{Shared, model_viewer};
use crate::web::Fault;

/// The name under which we answer.
const MODEL: &str = "wirewise";

pub(crate) async fn models(State(shared): State<Shared>) -> Json<Value> {
    let datasets = shared.store.datasets().into_iter().map(|dataset| format!("{MODEL}/{}", dataset.name));
    let model = |id: String| json!({"id": id, "object": "model", "created": 0, "owned_by": MODEL});
    let models: Vec<Value> = std::iter::once(MODEL.to_owned()).chain(datasets).map(model).collect();
    Json(json!({"object": "list", "data": models}))
}

/// The data set that a model's name means.
fn dataset_of(model: &str) -> Result<Option<String>, Fault> {
    match model.split_once('/') {
        None if model == MODEL => Ok(None),
        Some((MODEL, dataset)) => Ok(Some(dataset.to_owned())),
        None | Some(_) => Err(Fault::not_found(
            "there is no such model: `wirewise` answers, and `wirewise/NAME` of the data set of that name",
        )),
    }
}

/// Of a request we read the model, the conversation and whether to stream; sampling parameters mean nothing here.
#[derive(Deserialize)]
pub(crate) struct Completion {
    model: String,
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

pub(crate) async fn complete(
    State(shared): State<Shared>,
    request: Result<Json<Completion>, JsonRejection>,
) -> Result<Response, Fault> {
    let Json(request) = request?;
    let dataset = dataset_of(&request.model)?;
    let asked = request.messages.into_iter().rev().find(|message| message.role == "user");
    let question = asked.and_then(|message| message.content).map(Content::into_text);
    let question =
        question.ok_or_else(|| Fault::asked_wrongly("there is no message of role user with text"))?;
    let question = Question { question, dataset };
    let answer = shared.assistant.ask(&question, &model_viewer(&shared.assistant)).await?;
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let (created, id) = (now.as_secs(), format!("chatcmpl-{:x}", now.as_nanos()));
    let text = written(&answer);
    if request.stream {
        let usage = request.stream_options.is_some_and(|options| options.include_usage);
        let of = Chunks { id: &id, created, model: &request.model };
        return Ok(of.stream(&text, usage));
    }
    Ok(Json(json!({
        "id": id,
        "object": "chat.completion",
        "created": created,
        "model": request.model,
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

/// What every chunk of one stream says.
struct Chunks<'a> {
    id: &'a str,
    created: u64,
    model: &'a str,
}

impl Chunks<'_> {
    fn chunk(&self, choices: Value) -> Value {
        json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created, "model": self.model,
            "choices": choices,
        })
    }

    fn says(&self, delta: Value, finish: Value) -> Value {
        self.chunk(json!([{"index": 0, "delta": delta, "finish_reason": finish}]))
    }

    /// Streamed in lines: the answer is whole before the first of them, since it was checked.
    fn stream(&self, text: &str, with_usage: bool) -> Response {
        let mut events = vec![self.says(json!({"role": "assistant", "content": ""}), Value::Null)];
        events
            .extend(text.split_inclusive('\n').map(|line| self.says(json!({"content": line}), Value::Null)));
        events.push(self.says(json!({}), json!("stop")));
        if with_usage {
            let mut last = self.chunk(json!([]));
            last["usage"] = usage();
            events.push(last);
        }
        let mut events: Vec<String> = events.iter().map(Value::to_string).collect();
        events.push("[DONE]".to_owned());
        let events = events.into_iter().map(|data| Ok::<_, Infallible>(Event::default().data(data)));
        Sse::new(stream::iter(events)).into_response()
    }
}
