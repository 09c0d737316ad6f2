//! GraphQL over HTTP, as its specification (October 2021) and "GraphQL over HTTP" say it; batches and persisted
//! queries as Apollo's clients and servers have them.
//!
//! A refiner: an exchange of HTTP whose request holds a document, or names a persisted one, becomes a call. `parse`
//! reads documents. An error inside a 200 is an error: one without data is a request that could not be carried out
//! (7.1.2, a request error), and one beside data is the server's (a field error), unless its code says otherwise.
//!
//! Literals of a document may be secrets: what is kept of it has none, nor has the target of a GET. Variables stay in
//! the body, where `redact` goes by their names.
//!
//! **Bounds.** Of what was kept of a body; operations, fields and batches are told up to a fixed number.

use wirewise_model::{Body, Exchange, Kind, Message, Outcome, Redaction};

use crate::http::clip;
use crate::json::{Raw, holds};
use crate::{Protocol, RefineEntry};

mod parse;
#[cfg(test)]
mod tests;

use parse::{Document, Operation};

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "graphql",
    title: "GraphQL",
    reference: "GraphQL, October 2021",
    ports: &[],
    redaction: Redaction::Web,
    stream: None,
    message: None,
    refine: Some(RefineEntry { carriers: &["http1", "http2"], refine }),
};

/// Requests of a batch that are looked at.
const MOST_OF_BATCH: usize = 16;
/// Longest document that stands among the attributes.
const LONGEST_DOCUMENT: usize = 1024;
/// Longest id of a persisted document that is told.
const LONGEST_ID: usize = 128;

/// One request.
struct Asked {
    document: Option<Document>,
    /// `operationName`.
    name: Option<String>,
    /// The id of a persisted document.
    persisted: Option<String>,
}

impl Asked {
    /// The operation that is to be carried out.
    fn operation(&self) -> Option<&Operation> {
        let operations = &self.document.as_ref()?.operations;
        let named = |operation: &&Operation| self.name.is_some() && operation.name == self.name;
        operations.iter().find(named).or(operations.first())
    }

    fn kind(&self) -> &'static str {
        // Of a persisted one nobody knows; most are queries, but that would be a guess.
        self.operation().map_or("persisted", |operation| operation.kind)
    }

    fn name(&self) -> Option<&str> {
        self.name.as_deref().or_else(|| self.operation()?.name.as_deref())
    }

    /// What it is known by: its name, or what it asks for.
    fn label(&self) -> String {
        let asks = |operation: &Operation| operation.fields.join(",");
        let name = self.name().map(str::to_owned).or_else(|| self.operation().map(asks));
        name.or_else(|| self.persisted.clone()).unwrap_or_default()
    }
}

/// Turns an exchange of HTTP into a call, where it is one.
fn refine(exchange: &mut Exchange) -> bool {
    let Some((asked, is_batch)) = asked(exchange) else { return false };
    let Some(first) = asked.first() else { return false };
    let method = std::mem::take(&mut exchange.operation);
    exchange.attribute("http.request.method", method);
    if let Some(code) = exchange.status_code {
        exchange.attribute("http.response.status_code", code);
    }
    let alike = asked.iter().all(|one| one.kind() == first.kind());
    exchange.operation = if alike { first.kind() } else { "batch" }.to_owned();
    let labels: Vec<String> = asked.iter().map(Asked::label).collect();
    exchange.endpoint = Some(clip(format!("{} {}", exchange.operation, labels.join(" + "))));
    if is_batch {
        exchange.attribute("graphql.batch", asked.len() as i64);
    }
    describe(exchange, first);
    if asked.iter().any(|one| one.kind() == "subscription") {
        exchange.kind = Kind::Stream;
    }
    // A document in a URL has its literals.
    if let Some(path) = exchange.target.split_once('?').map(|(path, _)| path.to_owned()) {
        exchange.target = path;
    }
    if let Some(body) = exchange.request.as_mut().and_then(|request| request.body.as_mut()) {
        hide_literals(body, &asked, is_batch);
    }
    come_out(exchange);
    true
}

fn describe(exchange: &mut Exchange, asked: &Asked) {
    if let Some(name) = asked.name() {
        exchange.attribute("graphql.operation.name", name);
    }
    if let Some(operation) = asked.operation() {
        exchange.attribute("graphql.operation.type", operation.kind);
        if !operation.fields.is_empty() {
            exchange.attribute("graphql.root_fields", operation.fields.join(","));
        }
        if operation.fields.iter().any(|field| field == "__schema" || field == "__type") {
            exchange.note("introspection");
        }
    }
    if let Some(document) = &asked.document {
        let text: String = document.text.chars().take(LONGEST_DOCUMENT).collect();
        exchange.attribute("graphql.document", text);
    }
    if let Some(id) = &asked.persisted {
        exchange.attribute("graphql.document.id", id.as_str());
    }
}

/// What the request asks, and whether it is a batch.
fn asked(exchange: &Exchange) -> Option<(Vec<Asked>, bool)> {
    let request = exchange.request.as_ref()?;
    let (path, query) = exchange.target.split_once('?').unwrap_or((&exchange.target, ""));
    let is_graphql = path.to_ascii_lowercase().contains("graphql");
    let Some(body) = request.body.as_ref().filter(|body| !body.kept.is_empty()) else {
        let one = of_query(query, is_graphql)?;
        return Some((vec![one], false));
    };
    let media = request.header("content-type").unwrap_or_default().to_ascii_lowercase();
    // The table that hides the type of a body does not hide the body.
    let hidden = || request.headers.iter().any(|(name, _)| name == "{unknown}");
    if media.starts_with("application/graphql") && !media.contains("json") {
        let document = parse::document(&String::from_utf8_lossy(&body.kept))?;
        return Some((vec![Asked { document: Some(document), name: None, persisted: None }], false));
    }
    if !(media.contains("json") || (media.is_empty() && hidden())) {
        return None;
    }
    // Nearly all JSON has none of these keys, and reading it for each of them in turn costs more than all of HTTP/2.
    if !["\"query\"", "\"extensions\"", "\"documentId\""].iter().any(|key| holds(&body.kept, key)) {
        return None;
    }
    let raw = Raw::new(&body.kept);
    if raw.is_array() {
        let all: Option<Vec<Asked>> = raw
            .elements()
            .take(MOST_OF_BATCH)
            .filter(|element| element.whole)
            .map(|element| of_object(element, is_graphql))
            .collect();
        return all.filter(|all| !all.is_empty()).map(|all| (all, true));
    }
    let one = of_object(raw, is_graphql)?;
    Some((vec![one], false))
}

/// A request in JSON.
fn of_object(raw: Raw<'_>, is_graphql: bool) -> Option<Asked> {
    let query = raw.get("query").and_then(Raw::beginning);
    let name = raw.get("operationName").and_then(Raw::string).filter(|name| !name.is_empty());
    let hash = raw.path(&["extensions", "persistedQuery", "sha256Hash"]).and_then(Raw::string);
    let named = || raw.get("documentId").and_then(Raw::string).filter(|_| is_graphql);
    one(query.as_deref(), name, hash.or_else(named), is_graphql)
}

/// A request in the parameters of a URL.
fn of_query(query: &str, is_graphql: bool) -> Option<Asked> {
    let parameter = |wanted: &str| {
        let mut pairs = query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.find(|(key, _)| *key == wanted).map(|(_, value)| decoded(value))
    };
    let extensions = parameter("extensions");
    let hash = extensions.as_ref().and_then(|extensions| {
        Raw::new(extensions.as_bytes()).path(&["persistedQuery", "sha256Hash"]).and_then(Raw::string)
    });
    one(parameter("query").as_deref(), parameter("operationName"), hash, is_graphql)
}

fn one(
    query: Option<&str>,
    name: Option<String>,
    persisted: Option<String>,
    is_graphql: bool,
) -> Option<Asked> {
    let document = query.and_then(parse::document).filter(|document| document.asks() || is_graphql);
    let persisted = persisted.map(|id| id.chars().take(LONGEST_ID).collect());
    let asked = Asked { document, name: name.map(clip), persisted };
    (asked.document.is_some() || asked.persisted.is_some()).then_some(asked)
}

/// A parameter of a URL, percent-decoded.
fn decoded(value: &str) -> String {
    let mut bytes = Vec::with_capacity(value.len());
    let mut rest = value.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        let escaped = tail.first_chunk::<2>().filter(|_| first == b'%').and_then(|pair| {
            let digit = |byte: u8| char::from(byte).to_digit(16);
            u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()
        });
        bytes.push(escaped.unwrap_or(if first == b'+' { b' ' } else { first }));
        rest = if escaped.is_some() { tail.get(2..).unwrap_or_default() } else { tail };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Puts documents without literals into what is kept of the request's body.
fn hide_literals(body: &mut Body, asked: &[Asked], is_batch: bool) {
    let kept = std::mem::take(&mut body.kept);
    let raw = Raw::new(&kept);
    let text = |one: &Asked| one.document.as_ref().map_or_else(String::new, |document| document.text.clone());
    let whole = if is_batch {
        let parts: Vec<Raw<'_>> = raw.elements().filter(|element| element.whole).collect();
        let told: Vec<String> =
            parts.iter().zip(asked).map(|(part, one)| without(*part, &text(one))).collect();
        body.truncated |= !raw.whole || parts.len() > asked.len();
        format!("[{}]", told.join(","))
    } else if raw.is_object() && raw.get("query").is_some_and(|query| query.is_string()) {
        body.truncated |= !raw.whole;
        without(raw, &asked.first().map(text).unwrap_or_default())
    } else if raw.is_object() && asked.iter().all(|one| one.document.is_none()) {
        body.kept = kept;
        return;
    } else {
        asked.first().map(text).unwrap_or_default()
    };
    body.kept = whole.into_bytes();
}

/// An object of which `query` is replaced, and what is cut is left out.
fn without(raw: Raw<'_>, document: &str) -> String {
    let members = raw.members().filter(|(key, value)| value.whole || *key == b"query").map(|(key, value)| {
        let value = match key {
            b"query" => serde_json::Value::from(document).to_string(),
            _ => String::from_utf8_lossy(value.text).into_owned(),
        };
        format!("\"{}\":{value}", String::from_utf8_lossy(key))
    });
    format!("{{{}}}", members.collect::<Vec<_>>().join(","))
}

/// Errors that the response tells, whatever HTTP's status says.
fn come_out(exchange: &mut Exchange) {
    let Some(told) = exchange.response.as_ref().and_then(errors) else { return };
    exchange.attribute("graphql.errors", i64::try_from(told.count).unwrap_or(i64::MAX));
    if let Some(code) = &told.code {
        exchange.attribute("graphql.error.code", code.as_str());
    }
    if told.has_data {
        exchange.note("partial_data");
    }
    if exchange.outcome == Outcome::Ok {
        let client = told.code.as_deref().map_or(!told.in_field, is_clients);
        exchange.outcome = if client { Outcome::ClientError } else { Outcome::ServerError };
    }
    if !told.words.is_empty() {
        exchange.error = Some(clip(told.words));
    }
}

/// What a response says of errors; those of a batch together.
struct Errors {
    count: usize,
    words: String,
    code: Option<String>,
    /// Beside data that is not null.
    has_data: bool,
    /// It came up while a field was worked out.
    in_field: bool,
}

fn errors(response: &Message) -> Option<Errors> {
    let body = response.body.as_ref()?;
    let media = response.header("content-type").unwrap_or("json").to_ascii_lowercase();
    if !media.contains("json") {
        return None;
    }
    let raw = Raw::new(&body.kept);
    let parts: Vec<Raw<'_>> =
        if raw.is_array() { raw.elements().take(MOST_OF_BATCH).collect() } else { vec![raw] };
    let mut told = Errors { count: 0, words: String::new(), code: None, has_data: false, in_field: false };
    for part in parts {
        let errors: Vec<Raw<'_>> = part
            .get("errors")
            .filter(Raw::is_array)
            .map(|errors| errors.elements().collect())
            .unwrap_or_default();
        let Some(first) = errors.first().filter(|error| error.is_object()) else { continue };
        let data = part.get("data");
        if told.count == 0 {
            told.words = first.get("message").and_then(Raw::beginning).unwrap_or_default();
            told.code = first.path(&["extensions", "code"]).and_then(Raw::string).map(clip);
        }
        told.in_field |= data.is_some() && first.get("path").is_some();
        told.has_data |= data.is_some_and(|data| !data.is_null());
        told.count += errors.len();
    }
    (told.count > 0).then_some(told)
}

/// Whether a code of Apollo's servers, which many others use, blames the client.
fn is_clients(code: &str) -> bool {
    matches!(
        code,
        "GRAPHQL_PARSE_FAILED"
            | "GRAPHQL_VALIDATION_FAILED"
            | "BAD_USER_INPUT"
            | "BAD_REQUEST"
            | "UNAUTHENTICATED"
            | "FORBIDDEN"
            | "NOT_FOUND"
            | "PERSISTED_QUERY_NOT_FOUND"
            | "PERSISTED_QUERY_NOT_SUPPORTED"
            | "OPERATION_RESOLUTION_FAILURE"
    )
}
