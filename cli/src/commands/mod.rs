//! One file a command.

pub(crate) mod ask;
pub(crate) mod calls;
pub(crate) mod demo;
pub(crate) mod doctor;
pub(crate) mod import;
pub(crate) mod mcp;
pub(crate) mod query;
pub(crate) mod scratch;
pub(crate) mod show;
pub(crate) mod stop;
pub(crate) mod up;

use anyhow::{Context, Result};

/// The runtime that a command waits on.
pub(crate) fn runtime() -> Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread().enable_all().build().context("start the async runtime")
}
