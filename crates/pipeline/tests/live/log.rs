//! The client's own log: a line of JSON for each call, written by the script in `clients` (and `wire_log.py` there).

use std::time::Duration;

use serde_json::Value;
use wirewise_model::{Exchange, Timestamp};

use crate::ground::Ground;

/// What one call was, in the words of the `calls` table. Where a client cannot know a word, it is not asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) protocol: String,
    pub(crate) operation: String,
    pub(crate) target: String,
    pub(crate) status: Option<String>,
    pub(crate) outcome: String,
}

impl Told {
    pub(crate) fn of(exchange: &Exchange) -> Self {
        Self {
            protocol: exchange.protocol.to_string(),
            operation: exchange.operation.clone(),
            target: exchange.target.clone(),
            status: exchange.status.clone(),
            outcome: exchange.outcome.name().to_owned(),
        }
    }
}

/// A call as the client logged it.
#[derive(Clone, Debug)]
pub(crate) struct Logged {
    pub(crate) told: Told,
    /// When the client was about to ask. `None` for what came to it.
    pub(crate) from: Option<Timestamp>,
    /// When it had the answer. `None` for what has none.
    pub(crate) until: Option<Timestamp>,
}

impl Logged {
    /// Runs the client, and reads its log.
    pub(crate) fn of(ground: &Ground, name: &str) -> Vec<Self> {
        let script = format!("clients/{name}_client.py");
        let mut client = ground.python(&script);
        let text = ground.run(&mut client);
        let logged: Vec<Self> = text.lines().map(Self::parse).collect();
        assert!(!logged.is_empty(), "{script} logged no call");
        logged
    }

    fn parse(line: &str) -> Self {
        let line: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        let text = |key: &str| line[key].as_str().map(str::to_owned);
        let word = |key: &str| text(key).unwrap_or_else(|| panic!("no {key} in {line}"));
        let time = |key: &str| line[key].as_i64().map(Timestamp::from_nanos);
        Self {
            told: Told {
                protocol: word("protocol"),
                operation: word("operation"),
                target: word("target"),
                status: text("status"),
                outcome: word("outcome"),
            },
            from: time("from"),
            until: time("until"),
        }
    }

    /// How long the client took.
    pub(crate) fn took(&self) -> Option<Duration> {
        Some(self.until?.since(self.from?))
    }
}
