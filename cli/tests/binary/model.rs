//! Models, and what is sent to them: nothing, where none was named.

use serde_json::Value;
use wirewise_testkit::model_server::{ScriptedModel, Step};

use crate::home::{Home, Ran};
use crate::scene::orders;

fn first_id(conversation: &Value) -> String {
    let text = conversation.to_string();
    let words = text.split(|char: char| !char.is_ascii_alphanumeric());
    // The system prompt shows how an id looks; tools give the rest.
    let mut ids = words
        .filter(|word| word.len() == 27 && word.starts_with('c') && *word != "c0123456789abcdefghjkmnpqrs");
    ids.next().expect("a tool gave an id").to_owned()
}

fn cites(conversation: &Value) -> String {
    format!("Orders fails [{}].", first_id(conversation))
}

/// Runs `ask` with these variables while the model listens.
async fn ask(model: &ScriptedModel, variables: &[(&str, &str)]) -> Ran {
    let variables: Vec<(String, String)> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    let url = model.url();
    let asked = tokio::task::spawn_blocking(move || {
        let home = Home::new();
        home.import("shop.pcap", &orders(20).pcap());
        let mut command = home.command(&["ask", "what is going on?", "-o", "json"]);
        command.env("OPENAI_BASE_URL", url).envs(variables);
        Ran::of("wirewise ask".to_owned(), &command.output().unwrap())
    });
    asked.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_alone_sends_nothing() {
    let model = ScriptedModel::start(vec![Step::Say("me".to_owned())]).await.unwrap();
    for variables in
        [&[("OPENAI_API_KEY", "sk-x")][..], &[("OPENAI_API_KEY", "sk-x"), ("WIREWISE_MODEL", " ")]]
    {
        let answer = ask(&model, variables).await.json();
        assert_eq!(answer["answered_by"], "planner", "{answer}");
    }
    assert_eq!((model.n_connections(), model.heard().len()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_named_model_answers_and_its_host_is_told() {
    let overview = Step::Call(vec![("search_calls".to_owned(), r#"{"failed": true}"#.to_owned())]);
    let model = ScriptedModel::start(vec![overview, Step::SayOf(cites)]).await.unwrap();
    let answer = ask(&model, &[("OPENAI_API_KEY", "sk-x"), ("WIREWISE_MODEL", "scripted")]).await.json();
    let host = model.url().trim_start_matches("http://").trim_end_matches("/v1").to_owned();
    assert_eq!(answer["answered_by"], format!("scripted at {host}"));
    assert_eq!(model.heard().len(), 2);
    assert_eq!(model.heard()[0].authorization.as_deref(), Some("Bearer sk-x"));
    assert_eq!(answer["citations"][0]["kind"], "call", "{answer}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_model_that_fails_leaves_the_question_to_the_planner() {
    let model = ScriptedModel::start(vec![Step::Status(401, None)]).await.unwrap();
    let answer = ask(&model, &[("WIREWISE_MODEL", "scripted")]).await.json();
    let by = answer["answered_by"].as_str().unwrap();
    assert!(by.starts_with("planner (the model did not answer: it answered 401"), "{by}");
}

#[test]
fn a_model_without_an_endpoint_is_wrongly_configured() {
    let home = Home::new();
    let mut command = home.command(&["doctor"]);
    command.env("WIREWISE_MODEL", "m");
    Ran::of("doctor".to_owned(), &command.output().unwrap()).fails(1, &["OPENAI_BASE_URL"]);
    let mut command = home.command(&["doctor"]);
    command
        .env("WIREWISE_MODEL", "m")
        .env("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        .env("OPENAI_API_KEY", "sk-hidden");
    let told = Ran::of("doctor".to_owned(), &command.output().unwrap());
    assert!(told.out.contains("m at 127.0.0.1:9") && !told.out.contains("sk-hidden"), "{told}");
    let mut command = home.command(&["--print-config", "doctor"]);
    command
        .env("WIREWISE_MODEL", "m")
        .env("OPENAI_BASE_URL", "http://127.0.0.1:9/v1")
        .env("OPENAI_API_KEY", "sk-hidden");
    let printed = Ran::of("--print-config".to_owned(), &command.output().unwrap()).done();
    assert!(printed.contains("key ***") && !printed.contains("sk-hidden"), "{printed}");
}
