//! `wirewise mcp`: the tools over standard input and output. Goes through the running assistant while there is one,
//! and opens the directory by itself while there is none.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::runtime;
use crate::config::Config;
use crate::reach::{EachTime, Reach};

pub(crate) fn run(config: &Config) -> Result<()> {
    runtime()?.block_on(async {
        // What is wrong from the beginning is said where a person sees it, not at the first question.
        drop(Reach::to_read(config).await?);
        wirewise_mcp_server::serve_stdio(Arc::new(EachTime::new(config)))
            .await
            .context("serve MCP on standard input and output")
    })
}
