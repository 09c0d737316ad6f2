//! The Model Context Protocol over streamable HTTP (revision 2025-06-18). Columns after OpenTelemetry's conventions.
//!
//! A refiner: a POST that holds a message of JSON-RPC with a method of the protocol's becomes a call; its answer is a
//! JSON text, or an event of a stream among others. An error of JSON-RPC, and a tool's result that says `isError`, are
//! errors whatever HTTP's status says. Arguments and results stay in the bodies, where `redact` goes by their names.
//! The id of a session is as good as a password, and is told nowhere.

use wirewise_model::{Exchange, Kind, Message, Outcome, Redaction};

use crate::http::{clip, json_texts};
use crate::json::{Raw, holds};
use crate::{Protocol, RefineEntry};

#[cfg(test)]
mod tests;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "mcp",
    title: "Model Context Protocol",
    reference: "Model Context Protocol, 2025-06-18",
    ports: &[],
    redaction: Redaction::Web,
    stream: None,
    message: None,
    refine: Some(RefineEntry { carriers: &["http1", "http2"], refine }),
};

/// Methods that no other protocol over JSON-RPC has.
const METHODS: [&str; 16] = [
    "tools/list",
    "tools/call",
    "resources/list",
    "resources/read",
    "resources/templates/list",
    "resources/subscribe",
    "resources/unsubscribe",
    "prompts/list",
    "prompts/get",
    "completion/complete",
    "logging/setLevel",
    "sampling/createMessage",
    "elicitation/create",
    "roots/list",
    "notifications/initialized",
    "notifications/cancelled",
];

/// Turns an exchange of HTTP into a call, where it is one.
fn refine(exchange: &mut Exchange) -> bool {
    let Some(request) = &exchange.request else { return false };
    // As most JSON is: it need not be read to know.
    if !request.body.as_ref().is_some_and(|body| holds(&body.kept, "\"jsonrpc\"")) {
        return false;
    }
    let texts = json_texts(request);
    let Some(asked) = texts.first().copied() else { return false };
    let Some(method) = method(exchange, asked) else { return false };
    let parameter = |name: &str| asked.path(&["params", name]).and_then(Raw::string).map(clip);
    let id = asked.get("id").filter(|id| id.whole && !id.is_null()).map(|id| id.text.to_vec());
    let version = request.header("mcp-protocol-version").map(str::to_owned);
    let version = version.or_else(|| parameter("protocolVersion"));
    let (subject, subject_name) = match method.as_str() {
        "tools/call" => (parameter("name"), "gen_ai.tool.name"),
        "prompts/get" => (parameter("name"), "gen_ai.prompt.name"),
        _ if method.starts_with("resources/") => (parameter("uri").map(without_query), "mcp.resource.uri"),
        _ => (None, ""),
    };
    let answer = exchange.response.as_ref().and_then(|response| answer(response, id.as_deref()));

    exchange.endpoint =
        Some(subject.as_ref().map_or_else(|| method.clone(), |subject| format!("{method} {subject}")));
    let verb = std::mem::replace(&mut exchange.operation, method.clone());
    exchange.attribute("http.request.method", verb);
    if let Some(code) = exchange.status_code {
        exchange.attribute("http.response.status_code", code);
    }
    exchange.attribute("jsonrpc.protocol.version", "2.0");
    if let Some(id) = &id {
        exchange
            .attribute("jsonrpc.request.id", clip(String::from_utf8_lossy(id).trim_matches('"').to_owned()));
    } else {
        exchange.kind = Kind::Message;
    }
    if method == "tools/call" {
        exchange.attribute("gen_ai.operation.name", "execute_tool");
    }
    exchange.attribute("mcp.method.name", method);
    if let Some(version) = version {
        exchange.attribute("mcp.protocol.version", version);
    }
    if let Some(subject) = subject {
        exchange.attribute(subject_name, subject);
    }
    if let Some(answer) = answer {
        come_out(exchange, answer);
    }
    true
}

/// The method, where the message is one of the protocol's.
fn method(exchange: &Exchange, asked: Raw<'_>) -> Option<String> {
    asked.get("jsonrpc").and_then(Raw::string).filter(|version| version == "2.0")?;
    let method = asked.get("method").and_then(Raw::string).map(clip)?;
    let header = |message: &Option<Message>| {
        message.as_ref().is_some_and(|message| {
            ["mcp-session-id", "mcp-protocol-version"].iter().any(|name| message.header(name).is_some())
        })
    };
    let begins = method == "initialize" && asked.path(&["params", "protocolVersion"]).is_some();
    let known = begins || METHODS.contains(&method.as_str());
    (known || header(&exchange.request) || header(&exchange.response)).then_some(method)
}

/// An error, or a tool that failed.
enum Answer {
    Error { code: Option<i64>, words: Option<String> },
    Failed { words: Option<String> },
}

/// What the answer to `id` says of errors: other messages may come before it in a stream.
fn answer(response: &Message, id: Option<&[u8]>) -> Option<Answer> {
    let texts = json_texts(response);
    let answers = |text: &&Raw<'_>| {
        text.get("method").is_none()
            && (text.get("id").map(|id| id.text) == id || text.get("id").is_none_or(|id| id.is_null()))
    };
    let answer = texts.iter().find(answers)?;
    if let Some(error) = answer.get("error").filter(Raw::is_object) {
        let words = error.get("message").and_then(Raw::beginning).map(clip);
        return Some(Answer::Error { code: error.get("code").and_then(Raw::integer), words });
    }
    let result = answer.get("result")?;
    if !result.get("isError").is_some_and(|failed| failed.is_true()) {
        return None;
    }
    let first = result.get("content").and_then(|content| content.elements().next());
    let words = first.and_then(|first| first.get("text")).and_then(Raw::beginning).map(clip);
    Some(Answer::Failed { words })
}

fn come_out(exchange: &mut Exchange, answer: Answer) {
    let (outcome, words) = match answer {
        Answer::Error { code, words } => {
            if let Some(code) = code {
                exchange.attribute("rpc.jsonrpc.error_code", code);
            }
            // JSON-RPC 2.0, 5.1: what could not be read, is not there or has wrong parameters; a resource that is
            // not there.
            let outcome = match code {
                Some(-32700 | -32602..=-32600 | -32002) => Outcome::ClientError,
                _ => Outcome::ServerError,
            };
            (outcome, words)
        }
        Answer::Failed { words } => {
            exchange.attribute("error.type", "tool_error");
            (Outcome::ServerError, words)
        }
    };
    if exchange.outcome == Outcome::Ok {
        exchange.outcome = outcome;
    }
    if words.is_some() {
        exchange.error = words;
    }
}

fn without_query(uri: String) -> String {
    match uri.split_once('?') {
        Some((uri, _)) => uri.to_owned(),
        None => uri,
    }
}
