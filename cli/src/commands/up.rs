//! `wirewise up`: agent and assistant in one process. Rings first, as whoever may open them; then the user who
//! called; then everything else.

use std::net::{SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};
use tokio::runtime::Handle;
use wirewise_agent::{Live, LiveHandle, LiveOptions, LiveStatus, ShipError, Sink};
use wirewise_assistant::server::{Bound, Listen, Shared, TlsFiles};
use wirewise_assistant::token::Token;
use wirewise_capture::Netns;
use wirewise_redact::{Batch, Open};
use wirewise_store::{Store, StoreError};

use super::stop::Stop;
use super::{import, runtime};
use crate::arguments::{Up, WrongUsage};
use crate::config::Config;
use crate::reach::{self, Here};

const LIVE: &str = "live";
/// How long what was heard may take to be stored when we are told to stop.
const DRAIN: Duration = Duration::from_secs(10);

pub(crate) fn run(config: &Config, up: Up) -> Result<()> {
    if config.common.dataset.as_deref().is_some_and(|named| named != LIVE) {
        return Err(WrongUsage("live capture goes into the data set `live`".to_owned()).into());
    }
    let address = settled(up.listen.unwrap_or(config.listen))?;
    let names = import::names(up.names.as_deref().or(config.file.names.as_deref()))?;
    let live = if up.no_capture { None } else { Some(open(&up, address)?) };
    // From here on we are the user who called, and have nothing that the rings do not need.
    if let Some(caller) =
        wirewise_capture::become_caller().context("give up the privileges that the rings needed")?
    {
        eprintln!("Capturing as {}, uid {}.", caller.name.as_deref().unwrap_or("the caller"), caller.uid);
    }
    let key = wirewise_agent::load_key(&wirewise_agent::key_path(None)?)?;
    runtime()?.block_on(async {
        let listen =
            Listen { address, tls: tls(config, &up), public_hosts: config.file.public_hosts.clone() };
        let bound = Bound::bind(listen).await?;
        // Before anybody is told that it serves: whoever hears that may end it.
        let stop = Stop::listen().context("listen for signals")?;
        let store = Store::open(&config.data, config.store_options()).await;
        let store = store.map_err(|error| reach::explained(error, config))?;
        let here = Here::new(store, config)?;
        let token = Token::load_or_make(&config.data).context("make the token")?;
        let capture: Arc<Mutex<Option<LiveHandle>>> = Arc::default();
        if let Some(live) = live {
            let sink = StoreSink { store: Arc::clone(&here.store), runtime: Handle::current() };
            let options = LiveOptions { names, ..LiveOptions::new(node(), key) };
            *capture.lock().expect("nobody panics with it") = Some(live.start(options, sink)?);
        }
        here.store.set_owner(&bound.owner())?;
        greet(config, &bound, &token, &capture);
        let seen = Arc::clone(&capture);
        let shared = Shared {
            assistant: here.assistant.clone(),
            store: Arc::clone(&here.store),
            capture: Arc::new(move || {
                described(seen.lock().expect("nobody panics with it").as_ref().map(LiveHandle::status))
            }),
        };
        let served = bound.serve(shared, token, stop.heard()).await;
        let handle = capture.lock().expect("nobody panics with it").take();
        if let Some(handle) = handle {
            let report =
                tokio::task::spawn_blocking(move || handle.stop(DRAIN)).await.context("stop capturing")?;
            if !report.drained {
                eprintln!("Not all that was heard could be stored within {} s.", DRAIN.as_secs());
            }
        }
        here.store.close().await;
        Ok(served?)
    })
}

/// The address with a port of its own where any would do: the rings leave out our traffic by its number.
fn settled(address: SocketAddr) -> Result<SocketAddr> {
    if address.port() != 0 {
        return Ok(address);
    }
    let listener =
        TcpListener::bind(address).with_context(|| format!("find a free port at {}", address.ip()))?;
    Ok(listener.local_addr()?)
}

/// Opens the rings, or says what is missing for it.
fn open(up: &Up, own: SocketAddr) -> Result<Live> {
    if let Some(filter) = &up.filter {
        wirewise_capture::check_filter(filter).map_err(|error| WrongUsage(format!("--filter: {error}")))?;
    }
    let options = wirewise_capture::LiveOptions {
        interfaces: up.interfaces.clone(),
        netns: up.netns.iter().map(Netns::new).collect(),
        filter: up.filter.clone(),
        own: vec![own],
        ..Default::default()
    };
    let live = Live::open(&options)
        .context("capture live (`--no-capture` serves without, `wirewise import` reads files)")?;
    if live.interfaces().is_empty() {
        bail!("there is no interface to hear");
    }
    Ok(live)
}

fn tls(config: &Config, up: &Up) -> Option<TlsFiles> {
    let certificate = up.tls_cert.clone().or_else(|| config.file.tls_cert.clone())?;
    let key = up.tls_key.clone().or_else(|| config.file.tls_key.clone())?;
    Some(TlsFiles { certificate, key })
}

/// The name of this machine.
fn node() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    if name.trim().is_empty() { "localhost".to_owned() } else { name.trim().to_owned() }
}

fn greet(config: &Config, bound: &Bound, token: &Token, capture: &Mutex<Option<LiveHandle>>) {
    let owner = bound.owner();
    // The token itself is not printed: a log of this would hold it.
    let _ = token;
    eprintln!("Serving on {} (token in {}).", owner.url, Token::path(&config.data).display());
    match capture.lock().expect("nobody panics with it").as_ref() {
        None => eprintln!("Not capturing."),
        Some(handle) => {
            let names: Vec<String> =
                handle.status().interfaces.iter().map(|interface| interface.name.clone()).collect();
            eprintln!("Hearing {}.", names.join(", "));
        }
    }
    match &config.model {
        None => eprintln!("No model: the built-in planner answers."),
        Some(model) => eprintln!("Questions go to the model {} at {}.", model.name, model.host()),
    }
}

/// The state of capture as the page and `/api/status` tell it.
fn described(status: Option<LiveStatus>) -> Value {
    let Some(status) = status else {
        return json!({"running": false, "summary": "Not capturing."});
    };
    let names: Vec<&str> = status.interfaces.iter().map(|interface| interface.name.as_str()).collect();
    let lost: u64 = status.ledger.stages.iter().map(wirewise_model::Books::lost).sum();
    json!({
        "running": status.error.is_none(),
        "summary": match &status.error {
            None => format!("Capturing on {}: {} frames, {} calls, {} flows under way, {lost} lost.", names.join(", "), status.frames, status.calls, status.flows_tracked),
            Some(error) => format!("Capture ended: {error}."),
        },
        "interfaces": names,
        "frames": status.frames,
        "calls": status.calls,
        "flows": status.flows,
        "flows_tracked": status.flows_tracked,
        "last_at": status.last_at.map(wirewise_model::Timestamp::rfc3339),
        "ledger": status.ledger,
        "switched_off": status.switched_off,
        "error": status.error,
    })
}

/// Hands batches to the store of this process.
struct StoreSink {
    store: Arc<Store>,
    runtime: Handle,
}

impl Sink for StoreSink {
    fn ship(&mut self, batch: Batch) -> Result<(), ShipError> {
        match self.runtime.block_on(self.store.append(batch.clone())) {
            Ok(_) => Ok(()),
            Err(error @ (StoreError::Full { .. } | StoreError::Io { .. })) => {
                Err(ShipError::Later { batch: Box::new(batch), source: error.into() })
            }
            Err(error) => Err(ShipError::Refused(error.into())),
        }
    }

    fn overlay(&mut self, open: Open) {
        if let Err(error) = self.store.overlay(LIVE, &open) {
            tracing::debug!(%error, "what is under way cannot be shown");
        }
    }
}
