//! A language model behind an OpenAI-compatible endpoint, and only when one was named.
//!
//! `WIREWISE_MODEL` names it; a key that happens to stand in the environment sends nothing. Whatever goes wrong
//! with it (time-out, 429, a stream that is cut, arguments that are no JSON, a loop without end), the turn ends
//! within its bounds with a reason, and the built-in planner answers.

mod turn;
mod wire;

use std::time::Duration;

use async_openai::Client;
use async_openai::config::{Config as _, OpenAIConfig};

pub use turn::{TurnFailed, Turned};

/// Bounds of one turn.
#[derive(Clone, Copy, Debug)]
pub struct TurnLimits {
    /// Requests to the model. Past it the turn fails as a loop.
    pub rounds: usize,
    /// Tool calls in all. Past it further ones are answered with a refusal.
    pub tool_calls: usize,
    /// How long one request may take, its retries included.
    pub request: Duration,
    /// How long the whole turn may take.
    pub turn: Duration,
}

impl Default for TurnLimits {
    fn default() -> Self {
        Self { rounds: 10, tool_calls: 20, request: Duration::from_secs(60), turn: Duration::from_secs(180) }
    }
}

/// What is configured of a model.
#[derive(Clone, Debug)]
pub struct ModelConfig {
    /// Its name at the endpoint.
    pub name: String,
    /// The endpoint, `https://host/v1`.
    pub base_url: String,
    /// The key, if it wants one.
    pub api_key: Option<crate::token::Token>,
    /// Whether headers and bodies may go to it.
    pub allow_payloads: bool,
    /// Bounds of a turn.
    pub limits: TurnLimits,
}

/// Why a model's configuration cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ModelConfigError {
    /// A model was named, and no endpoint.
    #[error(
        "WIREWISE_MODEL names a model, but OPENAI_BASE_URL names no endpoint: set it, e.g. to http://127.0.0.1:11434/v1"
    )]
    NoEndpoint,
    /// The endpoint is no address.
    #[error("OPENAI_BASE_URL is no http or https address: {0}")]
    BadEndpoint(String),
}

impl ModelConfig {
    /// Reads `WIREWISE_MODEL`, `OPENAI_BASE_URL`, `OPENAI_API_KEY` through `variable`. `None` where no model is
    /// named, whatever else is set.
    pub fn from_environment(
        variable: impl Fn(&str) -> Option<String>,
        allow_payloads: bool,
    ) -> Result<Option<Self>, ModelConfigError> {
        let set = |name: &str| {
            variable(name).map(|value| value.trim().to_owned()).filter(|value| !value.is_empty())
        };
        let Some(name) = set("WIREWISE_MODEL") else { return Ok(None) };
        let base_url = set("OPENAI_BASE_URL").ok_or(ModelConfigError::NoEndpoint)?;
        if !reqwest::Url::parse(&base_url)
            .is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        {
            return Err(ModelConfigError::BadEndpoint(base_url));
        }
        let api_key = set("OPENAI_API_KEY").map(|key| crate::token::Token::from_text(&key));
        Ok(Some(Self { name, base_url, api_key, allow_payloads, limits: TurnLimits::default() }))
    }

    /// The endpoint's host, for people: where questions go.
    pub fn host(&self) -> String {
        let url = reqwest::Url::parse(&self.base_url).ok();
        let host = url.as_ref().and_then(|url| url.host_str().map(str::to_owned));
        match (host, url.and_then(|url| url.port())) {
            (Some(host), Some(port)) => format!("{host}:{port}"),
            (Some(host), None) => host,
            (None, _) => self.base_url.clone(),
        }
    }
}

/// A model that can be asked.
#[derive(Clone, Debug)]
pub struct Model {
    config: ModelConfig,
    client: Client<OpenAIConfig>,
}

impl Model {
    /// A client of the configured endpoint. Nothing is sent until a question is asked.
    pub fn new(config: ModelConfig) -> Result<Self, reqwest::Error> {
        crate::choose_cryptography();
        // A redirect would carry the key, and captured text, to a host that nobody named.
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(Duration::from_secs(10))
            .build()?;
        let key = config.api_key.as_ref().map_or("", |key| key.reveal());
        let openai =
            OpenAIConfig::new().with_api_base(config.base_url.trim_end_matches('/')).with_api_key(key);
        debug_assert_eq!(openai.api_base(), config.base_url.trim_end_matches('/'));
        Ok(Self { client: Client::build(http, openai), config })
    }

    /// Its configuration.
    pub fn config(&self) -> &ModelConfig {
        &self.config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Option<ModelConfig>, ModelConfigError> {
        let find =
            |name: &str| pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        ModelConfig::from_environment(find, false)
    }

    #[test]
    fn a_key_alone_configures_nothing() {
        assert!(
            read(&[("OPENAI_API_KEY", "sk-x"), ("OPENAI_BASE_URL", "http://h/v1")]).expect("fine").is_none()
        );
        assert!(read(&[("OPENAI_API_KEY", "sk-x"), ("WIREWISE_MODEL", " ")]).expect("fine").is_none());
    }

    #[test]
    fn a_named_model_wants_an_endpoint_and_tells_its_host() {
        assert!(matches!(read(&[("WIREWISE_MODEL", "m")]), Err(ModelConfigError::NoEndpoint)));
        let bad = [("WIREWISE_MODEL", "m"), ("OPENAI_BASE_URL", "file:///etc/passwd")];
        assert!(matches!(read(&bad), Err(ModelConfigError::BadEndpoint(_))));
        let good = [
            ("WIREWISE_MODEL", "m"),
            ("OPENAI_BASE_URL", "http://127.0.0.1:11434/v1"),
            ("OPENAI_API_KEY", "sk-x"),
        ];
        let config = read(&good).expect("fine").expect("configured");
        assert_eq!(config.host(), "127.0.0.1:11434");
        assert!(!format!("{config:?}").contains("sk-x"));
    }
}
