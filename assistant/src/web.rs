//! The web API that our own commands and the page use. JSON in, JSON out; errors are
//! `{"error": {"message", "type"}}` with a status that says whose fault it was.

use axum::body::{Body, Bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use wirewise_model::{Viewer, Window};
use wirewise_redact::Batch;
use wirewise_store::StoreError;
use wirewise_tools::ToolError;

use crate::answer::Question;
use crate::ask::AskError;
use crate::server::Shared;

/// A batch of 4,096 calls with bodies of 16 KiB on both sides, and room.
const MOST_BATCH: usize = 256 << 20;
/// Everything else that is sent to us.
const MOST_REQUEST: usize = 1 << 20;

const PAGE: &str = include_str!("page.html");
/// The page is one file and talks to its own origin alone.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(page))
        .route("/api/status", get(status))
        .route("/api/datasets", get(datasets))
        .route("/api/captures", get(captures))
        .route("/api/tools/{name}", post(tool))
        .route("/api/query", post(query))
        .route("/api/ask", post(ask))
        .layer(DefaultBodyLimit::max(MOST_REQUEST))
        .merge(Router::new().route("/api/append", post(append)).layer(DefaultBodyLimit::max(MOST_BATCH)))
}

/// Why a request got no answer.
pub(crate) struct Fault {
    status: StatusCode,
    kind: &'static str,
    message: String,
}

impl Fault {
    pub(crate) fn asked_wrongly(message: impl Into<String>) -> Self {
        Self { status: StatusCode::BAD_REQUEST, kind: "bad_request", message: message.into() }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        (self.status, Json(json!({"error": {"message": self.message, "type": self.kind}}))).into_response()
    }
}

impl From<JsonRejection> for Fault {
    fn from(rejection: JsonRejection) -> Self {
        Self { status: rejection.status(), kind: "bad_request", message: rejection.body_text() }
    }
}

impl From<ToolError> for Fault {
    fn from(error: ToolError) -> Self {
        match error {
            ToolError::Tell(message) => Self::asked_wrongly(message),
            error => {
                tracing::error!(error = %error, "a tool failed");
                Self { status: StatusCode::INTERNAL_SERVER_ERROR, kind: "failed", message: error.to_string() }
            }
        }
    }
}

impl From<AskError> for Fault {
    fn from(error: AskError) -> Self {
        match error {
            AskError::Tool(error) => error.into(),
            error => Self::asked_wrongly(error.to_string()),
        }
    }
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        if error.is_tell() {
            return Self::asked_wrongly(error.to_string());
        }
        tracing::error!(error = %error, "the store failed");
        Self { status: StatusCode::INSUFFICIENT_STORAGE, kind: "failed", message: error.to_string() }
    }
}

async fn page() -> Response {
    let mut response = Html(PAGE).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    response
}

async fn status(State(shared): State<Shared>) -> Result<Json<Value>, Fault> {
    let model = shared.assistant.model().map(|model| json!({"name": model.config().name, "host": model.config().host(), "allow_payloads": model.config().allow_payloads}));
    Ok(Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "capture": (shared.capture)(),
        "model": model,
        "datasets": described(&shared).await?,
    })))
}

/// The data sets, each with its losses by reason.
async fn described(shared: &Shared) -> Result<Value, Fault> {
    let mut described = Vec::new();
    for dataset in shared.store.datasets() {
        let losses = shared.store.losses(&dataset.name, Window::ALL).await?;
        let mut value = json!(dataset);
        value["losses"] = json!(losses);
        described.push(value);
    }
    Ok(Value::Array(described))
}

async fn datasets(State(shared): State<Shared>) -> Result<Json<Value>, Fault> {
    Ok(Json(described(&shared).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct OfDataset {
    dataset: String,
}

async fn captures(State(shared): State<Shared>, Query(of): Query<OfDataset>) -> Result<Json<Value>, Fault> {
    Ok(Json(json!(shared.store.captures(&of.dataset))))
}

async fn tool(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    arguments: Result<Json<Value>, JsonRejection>,
) -> Result<Response, Fault> {
    let Json(arguments) = arguments?;
    Ok(Json(shared.assistant.toolbox().run(&name, arguments, &Viewer::owner()).await?).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SqlQuestion {
    sql: String,
    #[serde(default)]
    dataset: Option<String>,
}

/// One JSON object a line. An error after the first row ends the stream with a line `{"error": ...}`.
async fn query(
    State(shared): State<Shared>,
    question: Result<Json<SqlQuestion>, JsonRejection>,
) -> Result<Response, Fault> {
    let Json(question) = question?;
    let scope = shared.store.scope(question.dataset.as_deref(), &Viewer::owner())?;
    let rows = shared.store.query(&question.sql, &scope).await?.into_json_lines();
    let lines = rows.map(|lines| {
        Ok::<_, std::convert::Infallible>(match lines {
            Ok(lines) => Bytes::from(lines),
            Err(error) => Bytes::from(format!("{}\n", json!({"error": {"message": error.to_string()}}))),
        })
    });
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], Body::from_stream(lines)).into_response())
}

async fn ask(
    State(shared): State<Shared>,
    question: Result<Json<Question>, JsonRejection>,
) -> Result<Response, Fault> {
    let Json(question) = question?;
    Ok(Json(shared.assistant.ask(&question, &Viewer::owner()).await?).into_response())
}

/// Takes a batch from a process that dissects. Answered only when its log is synced.
async fn append(State(shared): State<Shared>, body: Bytes) -> Result<Json<Value>, Fault> {
    let batch =
        tokio::task::spawn_blocking(move || Batch::decode(&body)).await.expect("decoding does not panic");
    let batch = batch.map_err(|error| Fault::asked_wrongly(format!("the batch cannot be read: {error}")))?;
    shared.store.append(batch).await?;
    Ok(Json(json!({"acknowledged": true})))
}
