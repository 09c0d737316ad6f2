//! Where questions go: to a store that this process opens, or to the process that owns the directory.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};
use futures::StreamExt;
use futures::stream::BoxStream;
use serde_json::{Value, json};
use wirewise_assistant::Assistant;
use wirewise_assistant::answer::{Answer, Question};
use wirewise_assistant::model::Model;
use wirewise_assistant::rows::{COLUMNS_HEADER, Found};
use wirewise_assistant::token::Token;
use wirewise_mcp_server::{RunningTool, ToolRunner};
use wirewise_model::Viewer;
use wirewise_redact::{Batch, CaptureInfo};
use wirewise_store::{Store, StoreError};
use wirewise_tools::{Evidence, ToolError, Toolbox};

use crate::arguments::WrongUsage;
use crate::config::Config;
use crate::output::Row;

/// How long an answer may take: a model's turn, and room.
const PATIENCE: Duration = Duration::from_secs(300);
/// How long a directory is waited for whose owner does not listen: another command, which is soon done.
const OTHERS: Duration = Duration::from_secs(5);
/// How often it is tried again meanwhile.
const AGAIN: Duration = Duration::from_millis(50);

/// Something that answers.
#[derive(Clone)]
pub(crate) enum Reach {
    /// A store that is ours for the time of the command.
    Here(Box<Here>),
    /// A process that listens.
    There(There),
}

/// What a query finds.
pub(crate) struct Queried {
    /// Names of its columns, in order.
    pub(crate) columns: Vec<String>,
    /// Its rows, as they come.
    pub(crate) rows: BoxStream<'static, Result<Row>>,
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
        let open = || Store::open_existing(&config.data, config.store_options());
        Self::open(config, open).await
    }

    /// For a command that writes: makes the directory.
    pub(crate) async fn to_write(config: &Config) -> Result<Self> {
        if let Some(url) = &config.common.url {
            return Ok(Self::There(There::at(url, &config.data)?));
        }
        Self::open(config, || Store::open(&config.data, config.store_options())).await
    }

    async fn open<Opening>(config: &Config, open: impl Fn() -> Opening) -> Result<Self>
    where
        Opening: Future<Output = Result<Store, StoreError>>,
    {
        let began = Instant::now();
        loop {
            match open().await {
                Ok(store) => return Ok(Self::Here(Box::new(Here::new(store, config)?))),
                Err(StoreError::Owned { dir, owner: Some(owner) }) => {
                    return Ok(Self::There(There::at(&owner.url, &dir)?));
                }
                Err(StoreError::Owned { owner: None, .. }) if began.elapsed() < OTHERS => {
                    tokio::time::sleep(AGAIN).await;
                }
                Err(error) => return Err(explained(error, config)),
            }
        }
    }

    /// Runs a tool for the owner of the data.
    pub(crate) async fn tool(&self, name: &str, arguments: Value) -> Result<Evidence, ToolError> {
        match self {
            Self::Here(here) => here.assistant.toolbox().run(name, arguments, &Viewer::owner()).await,
            Self::There(there) => there.tool(name, &arguments).await,
        }
    }

    /// What a query finds, its rows as they come.
    pub(crate) async fn query(&self, sql: &str, dataset: Option<&str>) -> Result<Queried> {
        match self {
            Self::Here(here) => {
                let scope = here.store.scope(dataset, &Viewer::owner())?;
                let found = Found::of(here.store.query(sql, &scope).await?);
                let blocks =
                    found.lines.map(|lines| lines.map(String::into_bytes).map_err(anyhow::Error::from));
                Ok(Queried { columns: found.columns, rows: rows(blocks.boxed()) })
            }
            Self::There(there) => there.query(sql, dataset).await,
        }
    }

    /// All rows of a query that is known to be short.
    pub(crate) async fn all(&self, sql: &str, dataset: Option<&str>) -> Result<Vec<Row>> {
        let mut queried = self.query(sql, dataset).await?;
        let mut all = Vec::new();
        while let Some(row) = queried.rows.next().await {
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
        let assistant = Assistant::new(Arc::new(Toolbox::new(Arc::clone(&store))), model)
            .allow_payloads(config.file.allow_payloads);
        Ok(Self { store, assistant })
    }
}

/// Why a directory was not opened, with the way out where another would do.
pub(crate) fn explained(error: StoreError, config: &Config) -> anyhow::Error {
    let place = matches!(error, StoreError::Io { .. });
    let error = anyhow::Error::from(error);
    if !place {
        return error;
    }
    let data = config.data.display();
    error.context(format!("use the data directory {data} (--data DIR or WIREWISE_DATA names another)"))
}

impl There {
    fn at(url: &str, data: &Path) -> Result<Self> {
        let known = reqwest::Url::parse(url).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        if known.is_none() {
            return Err(WrongUsage(format!("`{url}` is no address, as in http://127.0.0.1:8470")).into());
        }
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

    async fn query(&self, sql: &str, dataset: Option<&str>) -> Result<Queried> {
        let request = self
            .client
            .post(format!("{}/api/query", self.url))
            .json(&json!({"sql": sql, "dataset": dataset}));
        let response = self.send(request).await?;
        let columns = response.headers().get(COLUMNS_HEADER).map(|columns| columns.as_bytes());
        let columns = serde_json::from_slice(columns.unwrap_or(b"[]")).context("understand the columns")?;
        let blocks = response
            .bytes_stream()
            .map(|bytes| bytes.map(|bytes| bytes.to_vec()).map_err(anyhow::Error::from));
        Ok(Queried { columns, rows: rows(blocks.boxed()) })
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

/// Runs the tools of `wirewise mcp`. The directory is opened for each run, and given up after it: an IDE keeps this
/// process for hours, in which others import, capture and ask.
pub(crate) struct EachTime {
    config: Config,
}

impl EachTime {
    /// A runner on what the configuration means.
    pub(crate) fn new(config: &Config) -> Self {
        Self { config: config.clone() }
    }
}

impl ToolRunner for EachTime {
    fn run<'a>(&'a self, name: &'a str, mut arguments: Value) -> RunningTool<'a> {
        Box::pin(async move {
            let reach = Reach::to_read(&self.config).await;
            let reach = reach.map_err(|error| ToolError::Tell(format!("{error:#}")))?;
            if let (Some(dataset), Value::Object(fields)) = (self.config.dataset(), &mut arguments) {
                fields.entry("dataset").or_insert_with(|| Value::from(dataset));
            }
            reach.tool(name, arguments).await
        })
    }

    /// The model behind an IDE is one like any other.
    fn payloads(&self) -> bool {
        self.config.file.allow_payloads
    }
}
