//! The web API that our own commands and the page use. JSON in, JSON out; errors are
//! `{"error": {"message", "type"}}` with a status that says whose fault it was.

use axum::Json;
use axum::body::{Body, Bytes};
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use futures::StreamExt;
use serde::Deserialize;
use serde_json::{Value, json};
use wirewise_model::{Viewer, Window};
use wirewise_redact::Batch;
use wirewise_store::StoreError;
use wirewise_tools::ToolError;

use crate::answer::Question;
use crate::ask::AskError;
use crate::rows::{COLUMNS_HEADER, Found, ascii_json};
use crate::server::Shared;

const PAGE: &str = include_str!("page.html");
/// The page is one file and talks to its own origin alone.
const PAGE_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

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

    pub(crate) fn not_found(message: impl Into<String>) -> Self {
        Self { status: StatusCode::NOT_FOUND, kind: "not_found", message: message.into() }
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

pub(crate) async fn page() -> Response {
    let mut response = Html(PAGE).into_response();
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(PAGE_POLICY));
    response
}

pub(crate) async fn status(State(shared): State<Shared>) -> Result<Json<Value>, Fault> {
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

pub(crate) async fn datasets(State(shared): State<Shared>) -> Result<Json<Value>, Fault> {
    Ok(Json(described(&shared).await?))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfDataset {
    dataset: String,
}

pub(crate) async fn captures(
    State(shared): State<Shared>,
    Query(of): Query<OfDataset>,
) -> Result<Json<Value>, Fault> {
    Ok(Json(json!(shared.store.captures(&of.dataset))))
}

pub(crate) async fn tool(
    State(shared): State<Shared>,
    Path(name): Path<String>,
    arguments: Result<Json<Value>, JsonRejection>,
) -> Result<Response, Fault> {
    let Json(arguments) = arguments?;
    Ok(Json(shared.assistant.toolbox().run(&name, arguments, &Viewer::owner()).await?).into_response())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SqlQuestion {
    sql: String,
    #[serde(default)]
    dataset: Option<String>,
}

/// One JSON object a line; the names of its columns in a header, as a JSON array, since a result may have no row.
/// An error after the first row ends the stream with a line `{"error": ...}`.
pub(crate) async fn query(
    State(shared): State<Shared>,
    question: Result<Json<SqlQuestion>, JsonRejection>,
) -> Result<Response, Fault> {
    let Json(question) = question?;
    let scope = shared.store.scope(question.dataset.as_deref(), &Viewer::owner())?;
    let found = Found::of(shared.store.query(&question.sql, &scope).await?);
    let columns = HeaderValue::from_str(&ascii_json(&found.columns)).map_err(|_| {
        Fault::asked_wrongly("a column has a name that cannot be sent: give it another by AS")
    })?;
    let lines = found.lines.map(|lines| {
        Ok::<_, std::convert::Infallible>(match lines {
            Ok(lines) => Bytes::from(lines),
            Err(error) => Bytes::from(format!("{}\n", json!({"error": {"message": error.to_string()}}))),
        })
    });
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson")),
        (HeaderName::from_static(COLUMNS_HEADER), columns),
    ];
    Ok((headers, Body::from_stream(lines)).into_response())
}

pub(crate) async fn ask(
    State(shared): State<Shared>,
    question: Result<Json<Question>, JsonRejection>,
) -> Result<Response, Fault> {
    let Json(question) = question?;
    Ok(Json(shared.assistant.ask(&question, &Viewer::owner()).await?).into_response())
}

/// Takes a batch from a process that dissects. Answered only when its log is synced.
pub(crate) async fn append(State(shared): State<Shared>, body: Bytes) -> Result<Json<Value>, Fault> {
    let batch =
        tokio::task::spawn_blocking(move || Batch::decode(&body)).await.expect("decoding does not panic");
    let batch = batch.map_err(|error| Fault::asked_wrongly(format!("the batch cannot be read: {error}")))?;
    shared.store.append(batch).await?;
    Ok(Json(json!({"acknowledged": true})))
}
