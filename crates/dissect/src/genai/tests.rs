//! Calls of models as HTTP brings them, in each interface's form.

use wirewise_model::{Exchange, Limits};

use super::interface::Interface;
use crate::Switchboard;
use crate::conversation::{Stage, attribute, c, hides, s, told};

fn heard(path: &str, host: &str, ask: &str, media: &str, answer: &str) -> Exchange {
    let ask = format!(
        "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{ask}",
        ask.len()
    );
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {media}\r\nContent-Length: {}\r\n\r\n{answer}",
        answer.len()
    );
    let mut exchanges = Stage::new(8080).play(&[c(ask), s(answer)]);
    let mut board = Switchboard::new(Limits::default());
    board.refine(&mut exchanges[0]);
    assert_eq!(board.switched_off().count(), 0);
    exchanges.remove(0)
}

#[track_caller]
fn attributes(exchange: &Exchange, expect: &[(&str, &str)]) {
    assert_eq!((&*exchange.protocol, exchange.carrier.as_deref()), ("genai", Some("http1")));
    for (name, value) in expect {
        assert_eq!(attribute(exchange, name).as_deref(), Some(*value), "{name}");
    }
}

const JSON: &str = "application/json";
const EVENTS: &str = "text/event-stream";

#[test]
fn a_chat_has_its_model_its_parameters_and_its_tokens() {
    let exchange = heard(
        "/v1/chat/completions",
        "api.openai.com",
        r#"{"model":"gpt-4o","max_tokens":100,"temperature":0.5,"seed":7,"messages":[{"role":"user","content":"hi"}]}"#,
        JSON,
        r#"{"id":"chatcmpl-1","model":"gpt-4o-2024","choices":[{"finish_reason":"stop"},{"finish_reason":"length"}],"usage":{"prompt_tokens":9,"completion_tokens":12}}"#,
    );
    assert_eq!(told(std::slice::from_ref(&exchange)), ["chat /v1/chat/completions 200 ok"]);
    assert_eq!(exchange.endpoint.as_deref(), Some("chat gpt-4o"));
    attributes(
        &exchange,
        &[
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "gpt-4o"),
            ("gen_ai.request.max_tokens", "100"),
            ("gen_ai.request.temperature", "0.5"),
            ("gen_ai.request.seed", "7"),
            ("gen_ai.response.id", "chatcmpl-1"),
            ("gen_ai.response.model", "gpt-4o-2024"),
            ("gen_ai.response.finish_reasons", "stop,length"),
            ("gen_ai.usage.input_tokens", "9"),
            ("gen_ai.usage.output_tokens", "12"),
            ("http.request.method", "POST"),
        ],
    );
}

#[test]
fn a_streamed_answer_is_read_event_by_event() {
    let exchange = heard(
        "/v1/chat/completions",
        "llm:8000",
        r#"{"model":"m","stream":true,"messages":[]}"#,
        EVENTS,
        "data: {\"id\":\"1\",\"model\":\"m-1\",\"choices\":[{\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n\
         data: {\"choices\":[{\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}}\n\n\
         data: [DONE]\n\n",
    );
    assert_eq!(told(std::slice::from_ref(&exchange)), ["chat /v1/chat/completions 200 ok stream"]);
    attributes(
        &exchange,
        &[
            ("gen_ai.response.model", "m-1"),
            ("gen_ai.response.finish_reasons", "stop"),
            ("gen_ai.usage.output_tokens", "4"),
        ],
    );
    let exchange = heard(
        "/v1/messages",
        "api.anthropic.com",
        r#"{"model":"claude","stream":true,"max_tokens":10,"messages":[]}"#,
        EVENTS,
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"model\":\"claude-1\",\
         \"usage\":{\"input_tokens\":5,\"cache_read_input_tokens\":100,\"output_tokens\":1}}}\n\n\
         event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\
         \"usage\":{\"output_tokens\":30}}\n\n",
    );
    attributes(
        &exchange,
        &[
            ("gen_ai.provider.name", "anthropic"),
            ("gen_ai.response.id", "msg_1"),
            ("gen_ai.usage.input_tokens", "105"),
            ("gen_ai.usage.cache_read.input_tokens", "100"),
            ("gen_ai.usage.output_tokens", "30"),
            ("gen_ai.response.finish_reasons", "end_turn"),
        ],
    );
}

#[test]
fn other_interfaces_have_other_words() {
    let exchange = heard(
        "/api/chat",
        "ollama:11434",
        r#"{"model":"llama3","options":{"num_predict":5},"messages":[]}"#,
        "application/x-ndjson",
        "{\"model\":\"llama3\",\"done\":false}\n{\"model\":\"llama3\",\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":26,\"eval_count\":298}\n",
    );
    attributes(
        &exchange,
        &[
            ("gen_ai.provider.name", "ollama"),
            ("gen_ai.request.max_tokens", "5"),
            ("gen_ai.usage.input_tokens", "26"),
            ("gen_ai.usage.output_tokens", "298"),
        ],
    );
    let exchange = heard(
        "/v1beta/models/gemini-2.0-flash:streamGenerateContent?alt=sse",
        "generativelanguage.googleapis.com",
        r#"{"contents":[],"generationConfig":{"maxOutputTokens":9}}"#,
        EVENTS,
        "data: {\"candidates\":[{\"finishReason\":\"STOP\"}],\"usageMetadata\":{\"promptTokenCount\":4,\"candidatesTokenCount\":6},\"modelVersion\":\"g\"}\n\n",
    );
    attributes(
        &exchange,
        &[
            ("gen_ai.operation.name", "generate_content"),
            ("gen_ai.request.model", "gemini-2.0-flash"),
            ("gen_ai.request.max_tokens", "9"),
            ("gen_ai.usage.input_tokens", "4"),
            ("gen_ai.usage.output_tokens", "6"),
        ],
    );
    let of =
        |path: &str, host: &str| Interface::of(path, host).map(|known| (known.operation, known.provider));
    assert_eq!(of("/model/a.b-v1/converse", "x"), Some(("chat", "aws.bedrock")));
    assert_eq!(
        of("/openai/deployments/d/chat/completions", "r.openai.azure.com"),
        Some(("chat", "azure.ai.openai"))
    );
    assert_eq!(of("/api/embeddings", "x:11434"), Some(("embeddings", "ollama")));
    assert_eq!(of("/v1/embeddings", "api.mistral.ai:443"), Some(("embeddings", "mistral_ai")));
    for other in ["/", "/v1/models", "/a:generateContent", "/model/converse", "", "/chat"] {
        assert_eq!(of(other, "x"), None, "{other}");
    }
}

#[test]
fn an_error_inside_a_success_is_an_error() {
    let exchange = heard(
        "/v1/messages",
        "a",
        r#"{"model":"m","messages":[]}"#,
        EVENTS,
        "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
    );
    assert_eq!(
        told(std::slice::from_ref(&exchange)),
        ["chat /v1/messages 200 server_error stream (Overloaded)"]
    );
    attributes(&exchange, &[("error.type", "overloaded_error")]);
}

#[test]
fn the_end_of_a_long_stream_is_missed_and_said_to_be() {
    let event =
        "data: {\"model\":\"m\",\"choices\":[{\"delta\":{\"content\":\"aaaaaaaaaaaaaaaaaaaaaaaa\"}}]}\n\n";
    let exchange =
        heard("/v1/chat/completions", "a", r#"{"model":"m","messages":[]}"#, EVENTS, &event.repeat(1000));
    assert!(exchange.notes.iter().any(|note| note.0 == "usage_not_heard"));
    attributes(&exchange, &[("gen_ai.response.model", "m")]);
}

#[test]
fn nothing_that_was_said_is_kept() {
    let exchange = heard(
        "/v1/chat/completions",
        "a",
        r#"{"model":"m","user":"canary-1","messages":[{"role":"user","content":"canary-2"}]}"#,
        JSON,
        r#"{"model":"m","choices":[{"message":{"content":"canary-3"}}],"usage":{"prompt_tokens":1}}"#,
    );
    attributes(&exchange, &[("gen_ai.usage.input_tokens", "1")]);
    hides(&[exchange], &["canary"]);
}

#[test]
fn what_asks_no_model_stays_http() {
    for (path, ask) in [
        ("/v1/messages", r#"{"text":"hello"}"#),
        ("/api/chat", r#"{"messages":[]}"#),
        ("/embeddings", r#"["model"]"#),
        ("/orders", r#"{"model":"m","messages":[]}"#),
        ("/v1/chat/completions", "{"),
    ] {
        assert_eq!(heard(path, "a", ask, JSON, "{}").protocol, "http1", "{path} {ask}");
    }
    let ask = r#"{"model":"m","messages":[{"content":"a \" b"}],"n":2}"#;
    for at in 0..ask.len() {
        heard("/v1/chat/completions", "a", &ask[..at], JSON, &ask[at..]);
        heard("/v1/chat/completions", "a", ask, EVENTS, &format!("data: {}", &ask[at..]));
    }
}
