//! A capture file read for one command: imported into a directory that goes away with it.

use std::path::Path;

use anyhow::{Context, Result};
use tempfile::TempDir;

use super::import;
use crate::arguments::Import;
use crate::config::Config;

/// The directory, and a configuration that points at it.
pub(crate) struct Scratch {
    pub(crate) config: Config,
    _directory: TempDir,
}

/// Imports `file` into a directory of its own.
pub(crate) fn import(config: &Config, file: &Path) -> Result<Scratch> {
    let directory =
        tempfile::Builder::new().prefix("wirewise-").tempdir().context("make a directory for a while")?;
    let mut config = config.clone();
    config.data = directory.path().join("data");
    config.common.url = None;
    let names = config.file.names.clone();
    import::import(&config, &Import { files: vec![file.to_owned()], names })?;
    Ok(Scratch { config, _directory: directory })
}
