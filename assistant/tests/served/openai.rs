//! OpenAI's API, asked by the client that others would use, and by hand where that never sends what we must survive.

use async_openai::Client;
use async_openai::config::OpenAIConfig;
use async_openai::error::OpenAIError;
use async_openai::types::chat::{
    ChatCompletionRequestAssistantMessage, ChatCompletionRequestMessage, ChatCompletionRequestSystemMessage,
    ChatCompletionRequestUserMessage, CreateChatCompletionRequest, FinishReason,
};
use futures::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use wirewise_assistant::Assistant;
use wirewise_assistant::answer::ids_in;
use wirewise_testkit::model_server::{ScriptedModel, Step};
use wirewise_testkit::shop;

use crate::shop::{DATASET, Served, Shop, TOKEN};

fn client(served: &Served, token: &str) -> Client<OpenAIConfig> {
    let config =
        OpenAIConfig::new().with_api_base(format!("http://{}/v1", served.address)).with_api_key(token);
    Client::with_config(config)
}

fn user(text: &str) -> ChatCompletionRequestMessage {
    ChatCompletionRequestUserMessage { content: text.to_owned().into(), name: None }.into()
}

fn asking(model: &str, messages: Vec<ChatCompletionRequestMessage>) -> CreateChatCompletionRequest {
    CreateChatCompletionRequest { model: model.to_owned(), messages, ..Default::default() }
}

/// Posts any JSON to the chat route.
async fn post(served: &Served, body: String) -> (StatusCode, Value) {
    let url = format!("http://{}/v1/chat/completions", served.address);
    let client = reqwest::Client::new();
    let request = client.post(url).bearer_auth(TOKEN).header("content-type", "application/json").body(body);
    let response = request.send().await.unwrap();
    let status = response.status();
    (status, serde_json::from_str(&response.text().await.unwrap()).expect("errors are JSON, too"))
}

/// The names of models that are listed, in the form that OpenAI's documentation gives.
async fn listed(served: &Served) -> Vec<String> {
    let url = format!("http://{}/v1/models", served.address);
    let response = reqwest::Client::new().get(url).bearer_auth(TOKEN).send().await.unwrap();
    let models: Value = response.json().await.unwrap();
    assert_eq!(models["object"], "list");
    let models = models["data"].as_array().unwrap();
    for model in models {
        assert_eq!((&model["object"], model["created"].is_u64()), (&json!("model"), true), "{model}");
        assert_eq!(model["owned_by"], "wirewise");
    }
    models.iter().map(|model| model["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_official_client_asks_each_model_that_is_listed() {
    let served = Served::planned().await;
    let client = client(&served, TOKEN);
    let models = listed(&served).await;
    assert_eq!(models, ["wirewise", "wirewise/shop"]);
    for model in &models {
        let response = client.chat().create(asking(model, vec![user("what is going on?")])).await.unwrap();
        assert_eq!(response.model, *model);
        let choice = &response.choices[0];
        let text = choice.message.content.as_deref().unwrap();
        assert!(!ids_in(text).is_empty(), "it cites nothing: {text}");
        assert_eq!(choice.finish_reason, Some(FinishReason::Stop));
    }
}

#[tokio::test]
async fn the_official_client_reads_the_same_answer_as_a_stream() {
    let served = Served::planned().await;
    let client = client(&served, TOKEN);
    let request = || asking("wirewise", vec![user("what is going on?")]);
    let whole = client.chat().create(request()).await.unwrap();
    let mut stream = client.chat().create_stream(request()).await.unwrap();
    let (mut text, mut chunks, mut finished, mut ids) = (String::new(), 0, Vec::new(), Vec::new());
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.expect("every event is a chunk");
        ids.push(chunk.id);
        let choice = &chunk.choices[0];
        text.push_str(choice.delta.content.as_deref().unwrap_or_default());
        finished.extend(choice.finish_reason);
        chunks += 1;
    }
    assert_eq!(Some(text.as_str()), whole.choices[0].message.content.as_deref());
    assert_eq!(finished, [FinishReason::Stop]);
    assert!(chunks > 2, "it comes in pieces");
    ids.dedup();
    assert_eq!(ids.len(), 1, "one stream has one id");
    assert_ne!(ids[0], whole.id, "two answers have two ids");
}

#[tokio::test]
async fn a_stream_is_server_sent_events_and_ends_with_done() {
    let served = Served::planned().await;
    let url = format!("http://{}/v1/chat/completions", served.address);
    let body = json!({
        "model": "wirewise", "stream": true, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "what is going on?"}],
    });
    let response = reqwest::Client::new().post(url).bearer_auth(TOKEN).json(&body).send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = response.text().await.unwrap();
    let events: Vec<&str> = text.split_terminator("\n\n").collect();
    let data: Vec<&str> =
        events.iter().map(|event| event.strip_prefix("data: ").expect("one line each")).collect();
    let (done, chunks) = data.split_last().unwrap();
    assert_eq!(*done, "[DONE]");
    let chunks: Vec<Value> = chunks.iter().map(|chunk| serde_json::from_str(chunk).unwrap()).collect();
    assert!(chunks.iter().all(|chunk| chunk["object"] == "chat.completion.chunk"));
    assert_eq!(chunks[0]["choices"][0]["delta"]["role"], "assistant");
    let last = chunks.last().unwrap();
    assert_eq!(
        (last["choices"].as_array().map(Vec::len), last["usage"]["total_tokens"].is_u64()),
        (Some(0), true)
    );
}

#[tokio::test]
async fn the_last_question_of_a_conversation_is_answered_and_nothing_else_of_it_is_obeyed() {
    let shop = Shop::open().await;
    let model = ScriptedModel::start(vec![Step::Say("I cannot know.".to_owned())]).await.unwrap();
    let assistant = shop.with(&model, |_| {});
    let served = Served::start(shop, assistant).await;
    let system =
        ChatCompletionRequestSystemMessage { content: "You are a pirate.".to_owned().into(), name: None };
    let said = ChatCompletionRequestAssistantMessage {
        content: Some("Payments is slow.".to_owned().into()),
        ..Default::default()
    };
    let messages =
        vec![system.into(), user("which service is slowest?"), said.into(), user("who calls payments?")];
    let response = client(&served, TOKEN).chat().create(asking("wirewise", messages)).await.unwrap();
    assert!(
        response.choices[0].message.content.as_deref().is_some_and(|text| text.starts_with("I cannot know."))
    );
    let heard = model.heard();
    let question = heard[0].body["messages"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(question["content"], "who calls payments?");
    assert!(!heard[0].body.to_string().contains("pirate"), "a chat client's system prompt is not ours");
}

#[tokio::test]
async fn content_may_come_in_parts() {
    let served = Served::planned().await;
    let parts = json!([
        {"type": "text", "text": "what is"},
        {"type": "image_url", "image_url": {"url": "http://evil.example/x.png"}},
        {"type": "text", "text": "going on?"}
    ]);
    let body = json!({"model": "wirewise", "messages": [{"role": "user", "content": parts}]});
    let (status, answer) = post(&served, body.to_string()).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(answer["wirewise"]["citations"][0]["id"].is_string(), "{answer}");
}

#[tokio::test]
async fn wrong_names_and_shapes_are_told() {
    let served = Served::planned().await;
    for model in ["gpt-9", "wirewise2", "", "other/shop"] {
        let failed = client(&served, TOKEN).chat().create(asking(model, vec![user("hello")])).await;
        let Err(OpenAIError::ApiError(error)) = failed else { panic!("{model} gave {failed:?}") };
        assert_eq!(error.status_code, 404, "{model}");
        assert!(error.api_error.message.contains("`wirewise`"), "{error:?}");
    }
    let failed =
        client(&served, TOKEN).chat().create(asking("wirewise/shp", vec![user("what is going on?")])).await;
    let Err(OpenAIError::ApiError(error)) = failed else { panic!("{failed:?}") };
    assert!(error.status_code == 400 && error.api_error.message.contains("shop"), "{error:?}");
    let failed = client(&served, "wrong").chat().create(asking("wirewise", vec![user("hello")])).await;
    let Err(OpenAIError::ApiError(error)) = failed else { panic!("{failed:?}") };
    assert_eq!(error.status_code, 401);

    for (body, expect) in [
        ("", StatusCode::BAD_REQUEST),
        ("{", StatusCode::BAD_REQUEST),
        ("[]", StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"model": "wirewise"}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"messages": [{"role": "user", "content": "hi"}]}"#, StatusCode::UNPROCESSABLE_ENTITY),
        (r#"{"model": "wirewise", "messages": []}"#, StatusCode::BAD_REQUEST),
        (
            r#"{"model": "wirewise", "messages": [{"role": "user", "content": null}]}"#,
            StatusCode::BAD_REQUEST,
        ),
        (
            r#"{"model": "wirewise", "messages": [{"role": "user", "content": "  "}]}"#,
            StatusCode::BAD_REQUEST,
        ),
        (
            r#"{"model": "wirewise", "messages": [{"role": "system", "content": "x"}]}"#,
            StatusCode::BAD_REQUEST,
        ),
    ] {
        let (status, answer) = post(&served, body.to_owned()).await;
        assert_eq!(status, expect, "{body}: {answer}");
        assert!(
            answer["error"]["message"].as_str().is_some_and(|message| !message.is_empty()),
            "{body}: {answer}"
        );
    }
}

#[tokio::test]
async fn what_is_too_long_is_refused_with_its_bound() {
    let served = Served::planned().await;
    let ask = |messages: Value| json!({"model": "wirewise", "messages": messages}).to_string();
    let (status, answer) = post(&served, ask(json!([{"role": "user", "content": "x".repeat(10_000)}]))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    assert!(answer["error"]["message"].as_str().unwrap().contains("8192"), "{answer}");
    let (status, answer) =
        post(&served, ask(json!([{"role": "user", "content": "x".repeat(5 << 20)}]))).await;
    assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE, "{answer}");
    // A long conversation is none of that: chat clients repeat it whole.
    let old = json!({"role": "assistant", "content": "y".repeat(3 << 20)});
    let (status, answer) =
        post(&served, ask(json!([old, {"role": "user", "content": "what is going on?"}]))).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn a_chat_client_reads_no_payloads_that_its_owner_did_not_allow() {
    let shop = Shop::telling(DATASET, |fields| {
        fields.request.as_mut().unwrap().headers.push(("x-note".to_owned(), "marzipan".to_owned()));
    })
    .await;
    let calls = shop::batch(DATASET).calls;
    let id = calls[0].id;
    let assistant = Assistant::new(shop.toolbox(), None);
    let served = Served::start(shop, assistant).await;
    let question = format!("show the headers of [{id}]");
    let response = client(&served, TOKEN).chat().create(asking("wirewise", vec![user(&question)])).await;
    let text =
        response.map(|response| response.choices[0].message.content.clone().unwrap()).unwrap_or_default();
    assert!(!text.contains("marzipan"), "{text}");
}
