//! The tools over MCP: streamable HTTP to be mounted in the assistant's router, and stdio for an IDE. Speaks the
//! newest revision (2026-07-28, stateless) and the older ones, as `rmcp` does.
//!
//! Where the tools run is behind [`ToolRunner`]: in this process on a store, or in a running assistant that the
//! command line reaches over HTTP. Tokens are the door's; Host and Origin are checked here once more, since
//! `rmcp` lets any Origin in unless it is told not to.

mod runner;
mod server;

#[cfg(test)]
mod tests;

use std::io;
use std::sync::Arc;

use rmcp::ServiceExt;
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};
use tokio::io::{AsyncRead, AsyncWrite};
use wirewise_model::Viewer;
use wirewise_tools::Toolbox;

pub use runner::{Local, RunningTool, ToolRunner};
pub use server::Server;

/// Bytes of a request: arguments of tools are short.
const MOST_REQUEST: usize = 1 << 20;

/// The HTTP service, to be mounted at `/mcp`. `hosts` are the values that Host may have, as `name:port`; pages
/// of these hosts alone may call it.
pub fn service(
    toolbox: Arc<Toolbox>,
    viewer: Viewer,
    hosts: Vec<String>,
) -> StreamableHttpService<Server, LocalSessionManager> {
    http(Arc::new(Local::new(toolbox, viewer)), hosts)
}

/// The same, with the tools run wherever `runner` runs them.
pub fn http(
    runner: Arc<dyn ToolRunner>,
    hosts: Vec<String>,
) -> StreamableHttpService<Server, LocalSessionManager> {
    let origins: Vec<String> = hosts.iter().flat_map(|host| origins_of(host)).collect();
    let config = StreamableHttpServerConfig::default()
        .with_allowed_hosts(hosts)
        .with_allowed_origins(origins)
        .enforce_origin_validation()
        .with_json_response(true)
        .with_max_request_body_bytes(MOST_REQUEST);
    StreamableHttpService::new(move || Ok(Server::new(Arc::clone(&runner))), Arc::default(), config)
}

/// The origins of pages that `host` serves. One without a port has the default of its scheme.
fn origins_of(host: &str) -> [String; 2] {
    let after_address = host.rsplit_once(']').map_or(host, |(_, rest)| rest);
    if after_address.contains(':') {
        [format!("http://{host}"), format!("https://{host}")]
    } else {
        [format!("http://{host}:80"), format!("https://{host}:443")]
    }
}

/// Serves on this process's standard input and output until the client closes them.
pub async fn serve_stdio(runner: Arc<dyn ToolRunner>) -> io::Result<()> {
    let (input, output) = rmcp::transport::stdio();
    serve(runner, input, output).await
}

/// Serves on any two streams, one JSON message a line, until the client closes its end.
pub async fn serve(
    runner: Arc<dyn ToolRunner>,
    input: impl AsyncRead + Send + Unpin + 'static,
    output: impl AsyncWrite + Send + Unpin + 'static,
) -> io::Result<()> {
    let running = match Server::new(runner).serve((input, output)).await {
        Ok(running) => running,
        // A client that goes before it has said anything is no failure of ours.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => return Ok(()),
        Err(error) => return Err(io::Error::other(error)),
    };
    running.waiting().await.map_err(io::Error::other)?;
    Ok(())
}
