//! A model that says what it is told to: an OpenAI-compatible server that plays a script and keeps what it was
//! sent. It proves plumbing, not intelligence.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::ListenerExt;
use axum::{Json, Router};
use futures::{StreamExt, stream};
use serde_json::{Value, json};

/// What the model does at one request.
pub enum Step {
    /// Says a text.
    Say(String),
    /// Says a text that it makes of the conversation so far.
    SayOf(fn(&Value) -> String),
    /// Asks for tools: names, and arguments as text, which need be no JSON.
    Call(Vec<(String, String)>),
    /// Asks for tools that it chooses by the conversation so far.
    CallOf(fn(&Value) -> Vec<(String, String)>),
    /// Answers with a status of HTTP, and perhaps Retry-After in seconds.
    Status(u16, Option<u32>),
    /// Begins to speak, and breaks off.
    Cut,
    /// Never answers.
    Hang,
    /// Answers with something that is no chat completion.
    Garbage,
}

/// The server. It ends when it is dropped.
pub struct ScriptedModel {
    address: SocketAddr,
    played: Arc<Played>,
    task: tokio::task::JoinHandle<()>,
}

struct Played {
    script: Vec<Step>,
    heard: Mutex<Vec<Heard>>,
    connections: AtomicUsize,
}

/// One request as it came.
#[derive(Clone, Debug)]
pub struct Heard {
    /// Its Authorization header.
    pub authorization: Option<String>,
    /// Its body.
    pub body: Value,
}

impl ScriptedModel {
    /// Plays `script`, a step a request; the last step goes on for ever.
    pub async fn start(script: Vec<Step>) -> std::io::Result<Self> {
        assert!(!script.is_empty(), "a script has a step");
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let played =
            Arc::new(Played { script, heard: Mutex::new(Vec::new()), connections: AtomicUsize::new(0) });
        let counted = Arc::clone(&played);
        let listener = listener.tap_io(move |_| {
            counted.connections.fetch_add(1, Ordering::Relaxed);
        });
        let router =
            Router::new().route("/v1/chat/completions", post(complete)).with_state(Arc::clone(&played));
        let task = tokio::spawn(async move {
            // Ends with the task; a broken connection is part of the play.
            let _ = axum::serve(listener, router).await;
        });
        Ok(Self { address, played, task })
    }

    /// Its base URL, with `/v1`.
    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    /// How many connections were made to it, whatever was said on them.
    pub fn n_connections(&self) -> usize {
        self.played.connections.load(Ordering::Relaxed)
    }

    /// Every request so far.
    pub fn heard(&self) -> Vec<Heard> {
        self.played.heard.lock().expect("no test panics with it").clone()
    }
}

impl Drop for ScriptedModel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn complete(
    State(played): State<Arc<Played>>,
    headers: HeaderMap,
    Json(body): Json<Value>,
) -> Response {
    let authorization =
        headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    let step = {
        let mut heard = played.heard.lock().expect("no test panics with it");
        heard.push(Heard { authorization, body: body.clone() });
        &played.script[(heard.len() - 1).min(played.script.len() - 1)]
    };
    let streamed = body["stream"] == true;
    match step {
        Step::Say(text) => message(streamed, json!({"role": "assistant", "content": text}), "stop"),
        Step::SayOf(make) => message(streamed, json!({"role": "assistant", "content": make(&body)}), "stop"),
        Step::Call(calls) => {
            message(streamed, json!({"role": "assistant", "tool_calls": tool_calls(calls)}), "tool_calls")
        }
        Step::CallOf(choose) => message(
            streamed,
            json!({"role": "assistant", "tool_calls": tool_calls(&choose(&body))}),
            "tool_calls",
        ),
        Step::Status(status, retry_after) => {
            let status = StatusCode::from_u16(*status).expect("a status of HTTP");
            let error =
                json!({"error": {"message": "not now", "type": "scripted", "param": null, "code": null}});
            let mut response = (status, Json(error)).into_response();
            if let Some(seconds) = retry_after {
                response.headers_mut().insert(header::RETRY_AFTER, (*seconds).into());
            }
            response
        }
        Step::Cut => {
            let begun = Bytes::from(format!(
                "data: {}\n\n",
                chunk(json!({"role": "assistant", "content": "The cause is"}), None)
            ));
            let parts =
                stream::iter([Ok(begun)]).chain(stream::once(async { Err(std::io::Error::other("cut")) }));
            ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(parts)).into_response()
        }
        Step::Hang => {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            StatusCode::GATEWAY_TIMEOUT.into_response()
        }
        Step::Garbage => "<html>not a model</html>".into_response(),
    }
}

fn tool_calls(calls: &[(String, String)]) -> Vec<Value> {
    let call = |(index, (name, arguments)): (usize, &(String, String))| json!({"index": index, "id": format!("call_{index}"), "type": "function", "function": {"name": name, "arguments": arguments}});
    calls.iter().enumerate().map(call).collect()
}

fn chunk(delta: Value, finish: Option<&str>) -> Value {
    json!({
        "id": "chatcmpl-scripted", "object": "chat.completion.chunk", "created": 0, "model": "scripted",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    })
}

/// A whole reply, streamed in two pieces or plain.
fn message(streamed: bool, message: Value, finish: &str) -> Response {
    if !streamed {
        return Json(json!({
            "id": "chatcmpl-scripted", "object": "chat.completion", "created": 0, "model": "scripted",
            "choices": [{"index": 0, "message": message, "finish_reason": finish}],
        }))
        .into_response();
    }
    let lines =
        [chunk(message, None).to_string(), chunk(json!({}), Some(finish)).to_string(), "[DONE]".to_owned()];
    let lines = lines.map(|line| Ok::<_, Infallible>(Bytes::from(format!("data: {line}\n\n"))));
    ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(stream::iter(lines))).into_response()
}
