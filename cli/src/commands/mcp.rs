//! `wirewise mcp`: the tools over standard input and output. Goes through the running assistant where there is
//! one, and opens the directory by itself where there is none.

use anyhow::{Context, Result};

use super::runtime;
use crate::config::Config;
use crate::reach::Reach;

pub(crate) fn run(config: &Config) -> Result<()> {
    runtime()?.block_on(async {
        let reach = Reach::to_read(config).await?;
        wirewise_mcp_server::serve_stdio(std::sync::Arc::new(reach))
            .await
            .context("serve MCP on standard input and output")
    })
}
