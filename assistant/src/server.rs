//! Listening: the router with its one door, over plain HTTP on loopback, over TLS anywhere else.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum_server::Handle;
use axum_server::tls_rustls::RustlsConfig;
use wirewise_store::{Owner, Store};

use crate::door::{Door, guard};
use crate::token::Token;
use crate::{Assistant, routes};

/// How long connections may go on when the process is told to stop.
const GRACE: Duration = Duration::from_secs(3);

/// Certificate and key, PEM.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Certificate chain.
    pub certificate: PathBuf,
    /// Private key.
    pub key: PathBuf,
}

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct Listen {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// Needed beyond loopback.
    pub tls: Option<TlsFiles>,
    /// Names besides the address by which browsers and clients may call us.
    pub public_hosts: Vec<String>,
}

/// Why nothing listens.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// Beyond loopback, and in the clear.
    #[error(
        "{0} is reached from other machines, and tokens must not travel in the clear: give --tls-cert and --tls-key, or listen on 127.0.0.1"
    )]
    NeedsTls(SocketAddr),
    /// The address is taken, or not ours.
    #[error("cannot listen on {0} (--listen ADDR:PORT names another address)")]
    Bind(SocketAddr, #[source] std::io::Error),
    /// The certificate or key cannot be used.
    #[error("cannot use the TLS certificate {}, or its key", .0.display())]
    Certificate(PathBuf, #[source] std::io::Error),
    /// Serving broke off.
    #[error("the server stopped")]
    Serve(#[source] std::io::Error),
}

/// What the web API reads about capture. Whoever captures says it.
pub type CaptureStatus = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// All that routes share.
#[derive(Clone)]
pub struct Shared {
    /// Answers questions.
    pub assistant: Assistant,
    /// Takes batches.
    pub store: Arc<Store>,
    /// Tells the state of capture.
    pub capture: CaptureStatus,
}

/// Every route, behind the door.
pub fn router(shared: Shared, door: Door) -> Router {
    let mcp = wirewise_mcp_server::service(
        Arc::clone(shared.assistant.toolbox()),
        model_viewer(&shared.assistant),
        door.hosts().map(str::to_owned).collect(),
    );
    routes::router()
        .with_state(shared)
        .nest_service(routes::MCP, mcp)
        .layer(axum::middleware::from_fn_with_state(door, guard))
}

/// What a model may see through MCP and the OpenAI API: payloads only where the configuration allows it.
pub fn model_viewer(assistant: &Assistant) -> wirewise_model::Viewer {
    wirewise_model::Viewer::model(assistant.allows_payloads())
}

/// A server that has its address and does not answer yet.
#[derive(Debug)]
pub struct Bound {
    listener: std::net::TcpListener,
    address: SocketAddr,
    tls: Option<RustlsConfig>,
    public_hosts: Vec<String>,
}

impl Bound {
    /// Takes the address.
    pub async fn bind(listen: Listen) -> Result<Self, ServeError> {
        crate::choose_cryptography();
        if !listen.address.ip().is_loopback() && listen.tls.is_none() {
            return Err(ServeError::NeedsTls(listen.address));
        }
        let tls = match listen.tls {
            None => None,
            Some(files) => {
                let config = RustlsConfig::from_pem_file(&files.certificate, &files.key).await;
                Some(config.map_err(|error| ServeError::Certificate(files.certificate, error))?)
            }
        };
        let bind = |error| ServeError::Bind(listen.address, error);
        let listener = std::net::TcpListener::bind(listen.address).map_err(bind)?;
        listener.set_nonblocking(true).map_err(bind)?;
        let address = listener.local_addr().map_err(bind)?;
        Ok(Self { listener, address, tls, public_hosts: listen.public_hosts })
    }

    /// The address that was taken.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// How other commands of this user reach it.
    pub fn owner(&self) -> Owner {
        // Other commands of this user run on this machine: an address that stands for all is reached by loopback.
        let mut reached = self.address;
        if reached.ip().is_unspecified() {
            reached.set_ip(if reached.is_ipv4() {
                Ipv4Addr::LOCALHOST.into()
            } else {
                Ipv6Addr::LOCALHOST.into()
            });
        }
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Owner { url: format!("{scheme}://{reached}"), pid: std::process::id() }
    }

    /// Answers until `stop`; then lets what is under way finish for a few seconds.
    pub async fn serve(
        self,
        shared: Shared,
        token: Token,
        stop: impl Future<Output = ()> + Send + 'static,
    ) -> Result<(), ServeError> {
        let door = Door::new(token, self.address, &self.public_hosts);
        let service = router(shared, door).into_make_service();
        let handle = Handle::new();
        let stopper = handle.clone();
        let watch = tokio::spawn(async move {
            stop.await;
            stopper.graceful_shutdown(Some(GRACE));
        });
        let served = match self.tls {
            None => {
                axum_server::from_tcp(self.listener)
                    .map_err(ServeError::Serve)?
                    .handle(handle)
                    .serve(service)
                    .await
            }
            Some(tls) => {
                axum_server::from_tcp_rustls(self.listener, tls)
                    .map_err(ServeError::Serve)?
                    .handle(handle)
                    .serve(service)
                    .await
            }
        };
        watch.abort();
        served.map_err(ServeError::Serve)
    }
}
