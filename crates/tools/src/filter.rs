//! Which calls are asked for, as SQL; and what to say of names that nobody knows.

use std::fmt::Write;

use wirewise_model::{Outcome, PROTOCOLS};

use crate::names::{Names, did_you_mean};
use crate::reader::Reader;
use crate::sql;
use crate::tool::ToolError;

/// Which calls; everything that is `None` lets all through.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Filter {
    pub(crate) service: Option<String>,
    pub(crate) caller: Option<String>,
    pub(crate) callee: Option<String>,
    pub(crate) protocol: Option<String>,
    pub(crate) endpoint: Option<String>,
    pub(crate) host: Option<String>,
    pub(crate) outcome: Option<String>,
    pub(crate) failed: Option<bool>,
    pub(crate) status: Option<String>,
    pub(crate) min_duration_ms: Option<f64>,
    pub(crate) text: Option<String>,
}

/// That an end of a call has that name: workload, `namespace/workload`, service, pod, process or address.
pub(crate) fn end_is(side: &str, name: &str) -> String {
    let word = sql::text(&name.to_lowercase());
    let mut condition = format!(
        "(lower({side}_workload) = {word} OR lower({side}_service) = {word} OR lower({side}_pod) = {word} \
         OR {side}_ip = {word}"
    );
    if let Some((namespace, workload)) = name.split_once('/') {
        let _ = write!(
            condition,
            " OR (lower({side}_namespace) = {} AND lower({side}_workload) = {})",
            sql::text(&namespace.to_lowercase()),
            sql::text(&workload.to_lowercase())
        );
    }
    condition.push(')');
    condition
}

/// The same for a flow, which knows fewer names.
pub(crate) fn flow_end_is(side: &str, name: &str) -> String {
    let word = sql::text(&name.to_lowercase());
    format!("(lower({side}_workload) = {word} OR {side}_ip = {word})")
}

/// `GET /orders` apart: operation and endpoint. `*` at the end stands for anything.
pub(crate) fn split_endpoint(endpoint: &str) -> (Option<&str>, &str) {
    match endpoint.trim().split_once(' ') {
        Some((operation, rest))
            if operation.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '.') =>
        {
            (Some(operation), rest.trim())
        }
        _ => (None, endpoint.trim()),
    }
}

pub(crate) fn endpoint_is(endpoint: &str) -> String {
    let (operation, path) = split_endpoint(endpoint);
    let matches = match path.strip_suffix('*') {
        Some(prefix) => {
            let prefix = sql::text(&prefix.to_lowercase());
            format!("(starts_with(lower(endpoint), {prefix}) OR starts_with(lower(target), {prefix}))")
        }
        None => {
            let word = sql::text(&path.to_lowercase());
            format!("(lower(endpoint) = {word} OR lower(target) = {word})")
        }
    };
    match operation {
        Some(operation) => {
            format!("({matches} AND lower(operation) = {})", sql::text(&operation.to_lowercase()))
        }
        None => matches,
    }
}

/// `503`, `5xx`, `NXDOMAIN`.
fn status_is(status: &str) -> Result<String, ToolError> {
    let status = status.trim().to_lowercase();
    if let Some(class) = status.strip_suffix("xx") {
        return match class.parse::<u32>() {
            Ok(class @ 1..=5) => {
                Ok(format!("(status_code >= {} AND status_code < {})", class * 100, (class + 1) * 100))
            }
            Ok(_) | Err(_) => Err(ToolError::tell(format!(
                "`{}` is no class of statuses: they are 1xx to 5xx",
                crate::table::plain(&status, 20)
            ))),
        };
    }
    Ok(format!("lower(status) = {}", sql::text(&status)))
}

/// Fails where `word` is none of a closed column's, with the nearest.
pub(crate) fn known_word(column: &str, word: &str, known: &[&str]) -> Result<(), ToolError> {
    if known.contains(&word) {
        return Ok(());
    }
    Err(ToolError::tell(format!(
        "`{}` is no {column}{}; known are {}",
        crate::table::plain(word, 40),
        did_you_mean(word, known.iter().copied()),
        known.join(", ")
    )))
}

pub(crate) fn protocol_is(protocol: &str) -> Result<String, ToolError> {
    let protocol = protocol.trim().to_lowercase();
    if protocol == "http" {
        return Ok("protocol IN ('http1', 'http2')".to_owned());
    }
    known_word("protocol", &protocol, PROTOCOLS)?;
    Ok(format!("protocol = {}", sql::text(&protocol)))
}

pub(crate) fn outcome_is(outcome: &str) -> Result<String, ToolError> {
    let outcome = outcome.trim().to_lowercase();
    let known: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.name()).collect();
    known_word("outcome", &outcome, &known)?;
    Ok(format!("outcome = {}", sql::text(&outcome)))
}

impl Filter {
    /// The condition, `true` where everything is asked for.
    pub(crate) fn condition(&self) -> Result<String, ToolError> {
        let mut all: Vec<String> = Vec::new();
        if let Some(name) = &self.service {
            all.push(format!("({} OR {})", end_is("client", name), end_is("server", name)));
        }
        if let Some(name) = &self.caller {
            all.push(end_is("client", name));
        }
        if let Some(name) = &self.callee {
            all.push(end_is("server", name));
        }
        if let Some(protocol) = &self.protocol {
            all.push(protocol_is(protocol)?);
        }
        if let Some(endpoint) = &self.endpoint {
            all.push(endpoint_is(endpoint));
        }
        if let Some(host) = &self.host {
            all.push(format!("lower(host) = {}", sql::text(&host.to_lowercase())));
        }
        if let Some(outcome) = &self.outcome {
            all.push(outcome_is(outcome)?);
        }
        match self.failed {
            Some(true) => all.push("failed".to_owned()),
            Some(false) => all.push("NOT failed".to_owned()),
            None => {}
        }
        if let Some(status) = &self.status {
            all.push(status_is(status)?);
        }
        if let Some(least) = self.min_duration_ms {
            if !least.is_finite() || least < 0.0 {
                return Err(ToolError::tell("min_duration_ms must be a number of milliseconds, 0 or more"));
            }
            all.push(format!("duration_ms >= {least:?}"));
        }
        if let Some(text) = &self.text {
            let word = sql::text(&text.to_lowercase());
            let columns = ["operation", "target", "endpoint", "host", "status", "error"];
            let any: Vec<String> =
                columns.iter().map(|column| format!("strpos(lower({column}), {word}) > 0")).collect();
            all.push(format!("({})", any.join(" OR ")));
        }
        Ok(if all.is_empty() { "true".to_owned() } else { all.join(" AND ") })
    }

    /// Lines about names in this filter that the data set has never seen. Asked where nothing matched.
    pub(crate) async fn strangers(&self, reader: &Reader<'_>) -> Result<Vec<String>, ToolError> {
        let mut lines = Vec::new();
        let named = [&self.service, &self.caller, &self.callee];
        if named.iter().all(|name| name.is_none()) && self.endpoint.is_none() && self.host.is_none() {
            return Ok(lines);
        }
        let names = reader.names().await?;
        for name in named.into_iter().flatten() {
            if reader
                .count(&format!(
                    "SELECT count(*) AS n FROM calls WHERE {} OR {}",
                    end_is("client", name),
                    end_is("server", name)
                ))
                .await?
                == 0
            {
                lines.push(unknown("service", name, names.services.iter().map(String::as_str)));
            }
        }
        if let Some(endpoint) = &self.endpoint
            && reader
                .count(&format!("SELECT count(*) AS n FROM calls WHERE {}", endpoint_is(endpoint)))
                .await?
                == 0
        {
            let known = known_endpoints(&names, endpoint);
            lines.push(unknown("endpoint", endpoint, known.iter().map(String::as_str)));
        }
        if let Some(host) = &self.host
            && !names.hosts.iter().any(|known| known.eq_ignore_ascii_case(host))
        {
            lines.push(unknown("host", host, names.hosts.iter().map(String::as_str)));
        }
        Ok(lines)
    }
}

/// Endpoints in the form in which one was asked for: with or without the operation.
fn known_endpoints(names: &Names, asked: &str) -> Vec<String> {
    let with_operation = split_endpoint(asked).0.is_some();
    names
        .endpoints
        .iter()
        .map(|known| {
            if with_operation {
                format!("{} {}", known.operation, known.endpoint)
            } else {
                known.endpoint.clone()
            }
        })
        .collect()
}

pub(crate) fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a str> + Clone) -> String {
    let near = did_you_mean(name, known.clone());
    let name = crate::table::plain(name, 60);
    if !near.is_empty() {
        return format!("no {what} `{name}` was ever seen in this data set{near}");
    }
    let some: Vec<&str> = known.take(8).collect();
    if some.is_empty() {
        return format!("no {what} `{name}` was ever seen in this data set");
    }
    format!("no {what} `{name}` was ever seen in this data set; known are {}", some.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closed_words_fail_with_the_nearest() {
        let filter = Filter { outcome: Some("server_eror".to_owned()), ..Filter::default() };
        let error = filter.condition().expect_err("no such outcome").to_string();
        assert!(error.contains("did you mean server_error"), "{error}");
        let filter = Filter { protocol: Some("htp".to_owned()), ..Filter::default() };
        assert!(filter.condition().expect_err("no such protocol").to_string().contains("http"));
    }

    #[test]
    fn endpoints_may_carry_their_operation() {
        assert_eq!(split_endpoint("GET /orders/{id}"), (Some("GET"), "/orders/{id}"));
        assert_eq!(split_endpoint("/orders"), (None, "/orders"));
        assert_eq!(split_endpoint("select * from x"), (Some("select"), "* from x"));
    }

    #[test]
    fn statuses_come_alone_or_by_class() {
        assert_eq!(status_is("5xx"), Ok("(status_code >= 500 AND status_code < 600)".to_owned()));
        assert_eq!(status_is("NXDOMAIN"), Ok("lower(status) = 'nxdomain'".to_owned()));
        assert!(status_is("9xx").is_err());
    }
}
