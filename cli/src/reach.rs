//! Where questions go: to a store that this process opens, or to the process that owns the directory.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::{Value, json};
use wirewise_assistant::Assistant;
use wirewise_assistant::answer::{Answer, Question};
use wirewise_assistant::model::Model;
use wirewise_assistant::token::Token;
use wirewise_mcp_server::{RunningTool, ToolRunner};
use wirewise_model::Viewer;
use wirewise_redact::{Batch, CaptureInfo};
use wirewise_store::{Store, StoreError};
use wirewise_tools::{Evidence, ToolError, Toolbox};

use crate::config::Config;
use crate::output::Row;

/// How long an answer may take: a model's turn, and room.
const PATIENCE: Duration = Duration::from_secs(300);

/// Something that answers.
#[derive(Clone)]
pub(crate) enum Reach {
    /// A store that is ours for the time of the command.
    Here(Box<Here>),
    /// A process that listens.
    There(There),
}

/// A store of our own.
#[derive(Clone)]
pub(crate) struct Here {
    pub(crate) store: Arc<Store>,
    pub(crate) assistant: Assistant,
}

/// A process that owns a directory, reached by its API.
#[derive(Clone)]
pub(crate) struct There {
    client: reqwest::Client,
    url: String,
    token: Token,
}

impl Reach {
    /// For a command that reads: creates nothing.
    pub(crate) async fn to_read(config: &Config) -> Result<Self> {
        if let Some(url) = &config.common.url {
            return Ok(Self::There(There::at(url, &config.data)?));
        }
        match Store::open_existing(&config.data, config.store_options()).await {
            Ok(store) => Ok(Self::Here(Box::new(Here::new(store, config)?))),
            Err(StoreError::Owned { dir, owner }) => owned(&dir, owner),
            Err(error) => Err(error.into()),
        }
    }

    /// For a command that writes: makes the directory.
    pub(crate) async fn to_write(config: &Config) -> Result<Self> {
        if let Some(url) = &config.common.url {
            return Ok(Self::There(There::at(url, &config.data)?));
        }
        match Store::open(&config.data, config.store_options()).await {
            Ok(store) => Ok(Self::Here(Box::new(Here::new(store, config)?))),
            Err(StoreError::Owned { dir, owner }) => owned(&dir, owner),
            Err(error) => Err(error.into()),
        }
    }

    /// Runs a tool for the owner of the data.
    pub(crate) async fn tool(&self, name: &str, arguments: Value) -> Result<Evidence, ToolError> {
        match self {
            Self::Here(here) => here.assistant.toolbox().run(name, arguments, &Viewer::owner()).await,
            Self::There(there) => there.tool(name, &arguments).await,
        }
    }

    /// Rows of a query, as they come.
    pub(crate) async fn query(
        &self,
        sql: &str,
        dataset: Option<&str>,
    ) -> Result<BoxStream<'static, Result<Row>>> {
        match self {
            Self::Here(here) => {
                let scope = here.store.scope(dataset, &Viewer::owner())?;
                let lines = here.store.query(sql, &scope).await?.into_json_lines();
                Ok(rows(
                    lines.map(|lines| lines.map(String::into_bytes).map_err(anyhow::Error::from)).boxed(),
                ))
            }
            Self::There(there) => there.query(sql, dataset).await,
        }
    }

    /// All rows of a query that is known to be short.
    pub(crate) async fn all(&self, sql: &str, dataset: Option<&str>) -> Result<Vec<Row>> {
        let mut stream = self.query(sql, dataset).await?;
        let mut all = Vec::new();
        while let Some(row) = stream.next().await {
            all.push(row?);
        }
        Ok(all)
    }

    /// Asks a question.
    pub(crate) async fn ask(&self, question: &Question) -> Result<Answer> {
        match self {
            Self::Here(here) => Ok(here.assistant.ask(question, &Viewer::owner()).await?),
            Self::There(there) => there.post("/api/ask", &json!(question)).await,
        }
    }

    /// The data set that was named, or all of them.
    pub(crate) async fn datasets(&self, named: Option<&str>) -> Result<Vec<String>> {
        if let Some(named) = named {
            return Ok(vec![named.to_owned()]);
        }
        match self {
            Self::Here(here) => Ok(here.store.datasets().into_iter().map(|dataset| dataset.name).collect()),
            Self::There(there) => {
                let datasets: Vec<Value> = there.get("/api/datasets", &[]).await?;
                Ok(datasets
                    .iter()
                    .filter_map(|dataset| dataset["name"].as_str().map(str::to_owned))
                    .collect())
            }
        }
    }

    /// The captures of a data set.
    pub(crate) async fn captures(&self, dataset: &str) -> Result<Vec<CaptureInfo>> {
        match self {
            Self::Here(here) => Ok(here.store.captures(dataset)),
            Self::There(there) => there.get("/api/captures", &[("dataset", dataset)]).await,
        }
    }

    /// The same, where the data set need not exist.
    pub(crate) async fn captures_if_any(&self, dataset: &str) -> Result<Vec<CaptureInfo>> {
        if self.datasets(None).await?.iter().any(|known| known == dataset) {
            self.captures(dataset).await
        } else {
            Ok(Vec::new())
        }
    }

    /// Hands a batch to the store; returns when it is safe.
    pub(crate) async fn append(&self, batch: Batch) -> Result<()> {
        match self {
            Self::Here(here) => {
                here.store.append(batch).await?;
                Ok(())
            }
            Self::There(there) => there.append(&batch).await,
        }
    }

    /// What was written goes to its last place.
    pub(crate) async fn close(&self) {
        if let Self::Here(here) = self {
            here.store.close().await;
        }
    }
}

impl Here {
    pub(crate) fn new(store: Store, config: &Config) -> Result<Self> {
        let store = Arc::new(store);
        let model = config.model.clone().map(Model::new).transpose().context("prepare the model's client")?;
        let assistant = Assistant::new(Arc::new(Toolbox::new(Arc::clone(&store))), model);
        Ok(Self { store, assistant })
    }
}

fn owned(dir: &Path, owner: Option<wirewise_store::Owner>) -> Result<Reach> {
    let Some(owner) = owner else {
        bail!(
            "another process owns {} and does not say where it listens: wait for it to finish, or stop it",
            dir.display()
        );
    };
    Ok(Reach::There(There::at(&owner.url, dir)?))
}

impl There {
    fn at(url: &str, data: &Path) -> Result<Self> {
        let token = match std::env::var("WIREWISE_TOKEN") {
            Ok(token) if !token.trim().is_empty() => Token::from_text(&token),
            _ => Token::load(data).with_context(|| {
                format!("read the token {}: give it in WIREWISE_TOKEN", Token::path(data).display())
            })?,
        };
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .no_proxy()
            .build()?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned(), token })
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response> {
        let response = request.bearer_auth(self.token.reveal()).send().await;
        let response = response.with_context(|| format!("reach the assistant at {}", self.url))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let text = response.text().await.unwrap_or_default();
        let told = serde_json::from_str::<Value>(&text)
            .ok()
            .and_then(|value| value["error"]["message"].as_str().map(str::to_owned));
        Err(anyhow!(told.unwrap_or_else(|| format!("{} answered {status}", self.url))))
    }

    async fn get<T: serde::de::DeserializeOwned>(&self, path: &str, query: &[(&str, &str)]) -> Result<T> {
        let mut url = reqwest::Url::parse(&format!("{}{path}", self.url))
            .with_context(|| format!("{} is no address", self.url))?;
        url.query_pairs_mut().extend_pairs(query);
        Ok(self.send(self.client.get(url)).await?.json().await?)
    }

    async fn post<T: serde::de::DeserializeOwned>(&self, path: &str, body: &Value) -> Result<T> {
        Ok(self.send(self.client.post(format!("{}{path}", self.url)).json(body)).await?.json().await?)
    }

    async fn tool(&self, name: &str, arguments: &Value) -> Result<Evidence, ToolError> {
        self.post(&format!("/api/tools/{name}"), arguments)
            .await
            .map_err(|error| ToolError::Tell(format!("{error:#}")))
    }

    async fn query(&self, sql: &str, dataset: Option<&str>) -> Result<BoxStream<'static, Result<Row>>> {
        let request = self
            .client
            .post(format!("{}/api/query", self.url))
            .json(&json!({"sql": sql, "dataset": dataset}));
        let bytes = self.send(request).await?.bytes_stream();
        Ok(rows(bytes.map(|bytes| bytes.map(|bytes| bytes.to_vec()).map_err(anyhow::Error::from)).boxed()))
    }

    async fn append(&self, batch: &Batch) -> Result<()> {
        let request = self.client.post(format!("{}/api/append", self.url)).body(batch.encode());
        self.send(request).await?;
        Ok(())
    }
}

/// Lines of JSON, cut wherever the network cut them, into rows. A line `{"error": {...}}` alone ends them.
fn rows(blocks: BoxStream<'static, Result<Vec<u8>>>) -> BoxStream<'static, Result<Row>> {
    let start = (blocks, Vec::<u8>::new(), std::collections::VecDeque::<Result<Row>>::new(), false);
    futures::stream::unfold(start, |(mut blocks, mut rest, mut ready, mut over)| async move {
        loop {
            if let Some(row) = ready.pop_front() {
                return Some((row, (blocks, rest, ready, over)));
            }
            if over {
                return None;
            }
            match blocks.next().await {
                Some(Ok(block)) => {
                    rest.extend_from_slice(&block);
                    if let Some(end) = rest.iter().rposition(|&byte| byte == b'\n') {
                        let whole: Vec<u8> = rest.drain(..=end).collect();
                        ready.extend(
                            whole.split(|&byte| byte == b'\n').filter(|line| !line.is_empty()).map(row),
                        );
                    }
                }
                Some(Err(error)) => {
                    over = true;
                    ready.push_back(Err(error));
                }
                None => {
                    over = true;
                    if !rest.is_empty() {
                        ready.push_back(row(&rest));
                    }
                }
            }
        }
    })
    .boxed()
}

fn row(line: &[u8]) -> Result<Row> {
    let row: Row = serde_json::from_slice(line).context("understand a row")?;
    match row.get("error").and_then(|error| error.get("message")).and_then(Value::as_str) {
        Some(message) if row.len() == 1 => Err(anyhow!("{message}")),
        _ => Ok(row),
    }
}

impl ToolRunner for Reach {
    fn run<'a>(&'a self, name: &'a str, arguments: Value) -> RunningTool<'a> {
        Box::pin(self.tool(name, arguments))
    }

    /// The reader is the owner's own IDE, whose model is not ours to know: payloads stay here.
    fn payloads(&self) -> bool {
        false
    }
}
