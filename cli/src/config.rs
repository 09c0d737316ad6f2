//! One configuration: defaults < file < environment < flag, resolved once. Unknown keys of the file are refused.

use std::env;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use wirewise_assistant::model::ModelConfig;

use crate::arguments::{Common, Format};

/// Where the API listens when nobody says otherwise.
const LISTEN: &str = "127.0.0.1:8470";

/// What a configuration file may say.
#[derive(Debug, Default, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct File {
    /// Data directory.
    pub(crate) data: Option<PathBuf>,
    /// Address of API, MCP and page.
    pub(crate) listen: Option<SocketAddr>,
    /// TLS certificate chain, PEM.
    pub(crate) tls_cert: Option<PathBuf>,
    /// TLS key, PEM.
    pub(crate) tls_key: Option<PathBuf>,
    /// Names besides the address by which the server may be called.
    pub(crate) public_hosts: Vec<String>,
    /// Names of addresses.
    pub(crate) names: Option<PathBuf>,
    /// How long live calls are kept, in hours. Whole hours are dropped, the oldest first.
    pub(crate) keep_hours: Option<u64>,
    /// How much is kept of live calls, in bytes.
    pub(crate) keep_bytes: Option<u64>,
    /// Whether headers and bodies may go to a model.
    pub(crate) allow_payloads: bool,
}

/// What will be used.
#[derive(Debug, Clone)]
pub(crate) struct Config {
    pub(crate) common: Common,
    pub(crate) file: File,
    pub(crate) data: PathBuf,
    pub(crate) listen: SocketAddr,
    pub(crate) model: Option<ModelConfig>,
}

impl Config {
    pub(crate) fn resolve(common: &Common) -> Result<Self> {
        let file = read(common.config.as_deref())?;
        let from_environment =
            env::var_os("WIREWISE_DATA").filter(|value| !value.is_empty()).map(PathBuf::from);
        let data = common
            .data
            .clone()
            .or(from_environment)
            .or_else(|| file.data.clone())
            .map_or_else(default_data, Ok)?;
        let listen = file.listen.unwrap_or_else(|| LISTEN.parse().expect("a constant address"));
        let model = ModelConfig::from_environment(|name| env::var(name).ok(), file.allow_payloads)?;
        Ok(Self { common: common.clone(), file, data, listen, model })
    }

    pub(crate) fn format(&self) -> Format {
        self.common.format
    }

    pub(crate) fn dataset(&self) -> Option<&str> {
        self.common.dataset.as_deref()
    }

    /// What the store keeps and for how long.
    pub(crate) fn store_options(&self) -> wirewise_store::StoreOptions {
        let mut options = wirewise_store::StoreOptions::default();
        if let Some(hours) = self.file.keep_hours {
            options.keep_for = Duration::from_secs(hours.saturating_mul(3600));
        }
        if let Some(bytes) = self.file.keep_bytes {
            options.keep_bytes = bytes;
        }
        options
    }

    /// The configuration as TOML, secrets masked.
    pub(crate) fn printed(&self) -> String {
        let mut file = self.file.clone();
        file.data = Some(self.data.clone());
        file.listen = Some(self.listen);
        let defaults = wirewise_store::StoreOptions::default();
        file.keep_hours.get_or_insert(defaults.keep_for.as_secs() / 3600);
        file.keep_bytes.get_or_insert(defaults.keep_bytes);
        let mut text = toml::to_string_pretty(&file).expect("plain data");
        match &self.model {
            None => text.push_str("# no model: WIREWISE_MODEL names none\n"),
            Some(model) => text.push_str(&format!(
                "# model {} at {}, key {}\n",
                model.name,
                model.host(),
                if model.api_key.is_some() { "***" } else { "none" }
            )),
        }
        text
    }
}

fn read(named: Option<&Path>) -> Result<File> {
    let path = match named {
        Some(path) => path.to_owned(),
        None => match config_directory() {
            Ok(directory) if directory.join("config.toml").is_file() => directory.join("config.toml"),
            _ => return Ok(File::default()),
        },
    };
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("read the configuration {}", path.display()))?;
    toml::from_str(&text).with_context(|| format!("understand the configuration {}", path.display()))
}

fn default_data() -> Result<PathBuf> {
    Ok(base("XDG_DATA_HOME", ".local/share")?.join("wirewise"))
}

fn config_directory() -> Result<PathBuf> {
    Ok(base("XDG_CONFIG_HOME", ".config")?.join("wirewise"))
}

/// An XDG base directory: absolute, else it is ignored, as the specification says.
fn base(variable: &str, below_home: &str) -> Result<PathBuf> {
    if let Some(path) = env::var_os(variable).map(PathBuf::from).filter(|path| path.is_absolute()) {
        return Ok(path);
    }
    let home = env::var_os("HOME").filter(|home| !home.is_empty());
    let home = home.with_context(|| format!("neither {variable} nor HOME is set: give --data DIR"))?;
    Ok(PathBuf::from(home).join(below_home))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_keys_are_refused() {
        assert!(toml::from_str::<File>("listen = '127.0.0.1:1'\nallow_payloads = true").is_ok());
        let error = toml::from_str::<File>("lisen = '127.0.0.1:1'").expect_err("a typo");
        assert!(error.to_string().contains("listen"), "{error}");
    }
}
