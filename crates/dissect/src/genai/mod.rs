//! Calls of language models over HTTP, by the interfaces that most servers have: OpenAI's, Anthropic's, Ollama's,
//! Gemini's and Bedrock's. Columns after OpenTelemetry's conventions for generative AI.
//!
//! A refiner: an exchange whose path is one of theirs and whose request is of their form becomes a call. Its numbers
//! come from the response, or from the events of a streamed one. What was said to a model and what it said are
//! nobody's business here: no text of a body is kept.
//!
//! **Bounds.** Of what was kept of a body. Of a stream that was longer the last events are missing, and with them what
//! they count: that is noted `usage_not_heard`.

use wirewise_model::{Exchange, Kind, Message, Outcome, Redaction, Value};

use crate::http::{clip, json_texts};
use crate::json::Raw;
use crate::{Protocol, RefineEntry};

mod interface;
#[cfg(test)]
mod tests;
mod told;

use interface::Interface;
use told::Told;

/// The table's entry.
pub(crate) static PROTOCOL: Protocol = Protocol {
    name: "genai",
    title: "Language models",
    reference: "OpenTelemetry semantic conventions for generative AI",
    ports: &[],
    redaction: Redaction::Web,
    stream: None,
    message: None,
    refine: Some(RefineEntry { carriers: &["http1", "http2"], refine }),
};

/// Turns an exchange of HTTP into a call of a model, where it is one.
fn refine(exchange: &mut Exchange) -> bool {
    let (path, _) = exchange.target.split_once('?').unwrap_or((&exchange.target, ""));
    let Some(interface) = Interface::of(path, exchange.host.as_deref().unwrap_or_default()) else {
        return false;
    };
    let Some(request) = &exchange.request else { return false };
    let texts = json_texts(request);
    let Some(asked) = texts.first().copied() else { return false };
    let mut told = Told::default();
    for text in exchange.response.iter().flat_map(json_texts) {
        told.read(text);
    }
    let model = interface.model.clone().or_else(|| asked.get("model").and_then(Raw::string).map(clip));
    let asks = ["messages", "prompt", "input", "contents", "content", "requests", "inputText"];
    let asks = asked.members().any(|(key, _)| asks.iter().any(|known| known.as_bytes() == key));
    if !asks || (model.is_none() && told.model.is_none()) {
        return false;
    }
    let streams = asked.get("stream").is_some_and(|stream| stream.is_true());
    let parameters = parameters(asked);
    let method = std::mem::replace(&mut exchange.operation, interface.operation.to_owned());
    exchange.attribute("http.request.method", method);
    if let Some(code) = exchange.status_code {
        exchange.attribute("http.response.status_code", code);
    }
    exchange.attribute("gen_ai.operation.name", interface.operation);
    exchange.attribute("gen_ai.provider.name", interface.provider);
    let label = model.as_deref().or(told.model.as_deref()).unwrap_or_default();
    exchange.endpoint = Some(format!("{} {label}", interface.operation));
    if let Some(model) = model {
        exchange.attribute("gen_ai.request.model", model);
    }
    for (name, value) in parameters {
        exchange.attribute(name, value);
    }
    if streams || interface.streams {
        exchange.kind = Kind::Stream;
    }
    come_out(exchange, told);
    for message in [&mut exchange.request, &mut exchange.response].into_iter().flatten() {
        forget(message);
    }
    true
}

/// What a request asks for besides its text.
fn parameters(asked: Raw<'_>) -> Vec<(&'static str, Value)> {
    const WHOLE: [(&str, &[&[&str]]); 4] = [
        (
            "gen_ai.request.max_tokens",
            &[
                &["max_tokens"],
                &["max_completion_tokens"],
                &["max_output_tokens"],
                &["options", "num_predict"],
                &["generationConfig", "maxOutputTokens"],
                &["inferenceConfig", "maxTokens"],
            ],
        ),
        ("gen_ai.request.choice.count", &[&["n"], &["generationConfig", "candidateCount"]]),
        ("gen_ai.request.seed", &[&["seed"], &["options", "seed"], &["generationConfig", "seed"]]),
        ("gen_ai.request.top_k", &[&["top_k"], &["options", "top_k"], &["generationConfig", "topK"]]),
    ];
    const FLOAT: [(&str, &[&[&str]]); 4] = [
        (
            "gen_ai.request.temperature",
            &[
                &["temperature"],
                &["options", "temperature"],
                &["generationConfig", "temperature"],
                &["inferenceConfig", "temperature"],
            ],
        ),
        (
            "gen_ai.request.top_p",
            &[&["top_p"], &["options", "top_p"], &["generationConfig", "topP"], &["inferenceConfig", "topP"]],
        ),
        ("gen_ai.request.frequency_penalty", &[&["frequency_penalty"]]),
        ("gen_ai.request.presence_penalty", &[&["presence_penalty"]]),
    ];
    let whole = WHOLE.iter().filter_map(|(name, places)| {
        let found = places.iter().find_map(|place| asked.path(place).and_then(Raw::integer));
        found.map(|number| (*name, Value::Int(number)))
    });
    let float = FLOAT.iter().filter_map(|(name, places)| {
        let found = places.iter().find_map(|place| asked.path(place).and_then(Raw::float));
        found.map(|number| (*name, Value::Float(number)))
    });
    whole.chain(float).collect()
}

/// What the response says.
fn come_out(exchange: &mut Exchange, told: Told) {
    let Told { model, id, finish, input, output, cache_read, cache_created, error } = told;
    let texts = [
        ("gen_ai.response.model", model),
        ("gen_ai.response.id", id),
        ("gen_ai.response.finish_reasons", finish),
    ];
    for (name, text) in texts {
        if let Some(text) = text {
            exchange.attribute(name, text);
        }
    }
    // Anthropic counts what it found in its cache apart; the conventions want the sum.
    let input = input.map(|input| {
        input.saturating_add(cache_read.unwrap_or(0)).saturating_add(cache_created.unwrap_or(0))
    });
    let numbers = [
        ("gen_ai.usage.input_tokens", input),
        ("gen_ai.usage.output_tokens", output),
        ("gen_ai.usage.cache_read.input_tokens", cache_read),
        ("gen_ai.usage.cache_creation.input_tokens", cache_created),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            exchange.attribute(name, number);
        }
    }
    let cut = exchange
        .response
        .as_ref()
        .and_then(|response| response.body.as_ref())
        .is_some_and(|body| body.truncated);
    if cut && output.is_none() {
        exchange.note("usage_not_heard");
    }
    let Some((kind, words)) = error else { return };
    if let Some(kind) = kind {
        exchange.attribute("error.type", kind);
    }
    // An error in the midst of a stream that HTTP has called a success.
    if exchange.outcome == Outcome::Ok {
        exchange.outcome = Outcome::ServerError;
    }
    if let Some(words) = words {
        exchange.error = Some(words);
    }
}

/// What was said is counted and not kept.
fn forget(message: &mut Message) {
    if let Some(body) = &mut message.body {
        body.kept.clear();
        body.truncated = true;
    }
}
