//! The bounded loop: the model asks for tools, gets marked evidence, and at last says something that holds.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use async_openai::types::chat::{
    ChatCompletionMessageToolCalls, ChatCompletionRequestAssistantMessage,
    ChatCompletionRequestAssistantMessageContent, ChatCompletionRequestMessage,
    ChatCompletionRequestSystemMessage, ChatCompletionRequestToolMessage,
    ChatCompletionRequestToolMessageContent, ChatCompletionRequestUserMessage, ChatCompletionTool,
    ChatCompletionTools, FunctionObject,
};
use serde_json::Value;
use wirewise_model::Viewer;
use wirewise_prompts::{Evidence as EvidencePrompt, Mend};
use wirewise_tools::{Evidence, TOOLS, ToolError, Toolbox};

use super::Model;
use super::wire::{NoReply, Reply};
use crate::answer::{ToolUse, check_citations, link_in, unfounded_number};

/// How much of one tool's result the model is shown, in bytes: 10,000 tokens of four.
const MOST_EVIDENCE: usize = 40_000;
/// How often an answer is sent back to be mended.
const MENDS: usize = 1;

/// A turn that came to an answer.
#[derive(Debug)]
pub struct Turned {
    /// The answer's text; every id in it was returned by a tool.
    pub text: String,
    /// What the tools returned.
    pub evidence: Vec<Evidence>,
    /// The tools that were run.
    pub tools: Vec<ToolUse>,
}

/// Why a turn came to none. The planner answers then, and says this.
#[derive(Debug, thiserror::Error)]
pub enum TurnFailed {
    /// The endpoint.
    #[error("the model did not answer: {0}")]
    Endpoint(String),
    /// One request, or the turn.
    #[error("the model took longer than {0:?}")]
    TimedOut(Duration),
    /// It never stopped asking for tools.
    #[error("the model went on asking for tools past {0} rounds")]
    Loop(usize),
    /// It said too much at once.
    #[error("the model's reply is longer than it may be")]
    TooLong,
    /// What it said does not hold.
    #[error("the model's answer does not hold: {0}")]
    Unfounded(String),
    /// A tool broke.
    #[error("a tool failed")]
    Tool(#[source] ToolError),
}

impl Model {
    /// Asks `question` after `system`, running tools for `viewer` on `dataset`.
    pub async fn turn(
        &self,
        system: String,
        question: &str,
        toolbox: &Toolbox,
        viewer: &Viewer,
        dataset: &str,
    ) -> Result<Turned, TurnFailed> {
        let whole = self.config().limits.turn;
        let turn = self.rounds(system, question, toolbox, viewer, dataset);
        tokio::time::timeout(whole, turn).await.unwrap_or(Err(TurnFailed::TimedOut(whole)))
    }

    async fn rounds(
        &self,
        system: String,
        question: &str,
        toolbox: &Toolbox,
        viewer: &Viewer,
        dataset: &str,
    ) -> Result<Turned, TurnFailed> {
        let limits = self.config().limits;
        let tools = offered(viewer);
        let asked = system.clone();
        let mut messages: Vec<ChatCompletionRequestMessage> = vec![
            ChatCompletionRequestSystemMessage { content: system.into(), name: None }.into(),
            ChatCompletionRequestUserMessage { content: question.to_owned().into(), name: None }.into(),
        ];
        let mut turned = Turned { text: String::new(), evidence: Vec::new(), tools: Vec::new() };
        let (mut mends, mut calls) = (0, 0);
        for round in 0..limits.rounds {
            // The last round offers no tools, so that a model that can stop does.
            let offered: &[ChatCompletionTools] = if round + 1 == limits.rounds { &[] } else { &tools };
            let began = Instant::now();
            let reply = tokio::time::timeout(limits.request, self.say(&messages, offered)).await;
            let reply = match reply {
                Err(_) => return Err(TurnFailed::TimedOut(limits.request)),
                Ok(Err(NoReply::Refused(why) | NoReply::Cut(why))) => return Err(TurnFailed::Endpoint(why)),
                Ok(Err(NoReply::TooLong)) => return Err(TurnFailed::TooLong),
                Ok(Ok(reply)) => reply,
            };
            tracing::debug!(
                round,
                calls = reply.calls.len(),
                took_ms = began.elapsed().as_millis() as u64,
                "model replied"
            );
            if reply.calls.is_empty() {
                match founded(&reply.text, &turned.evidence, &[&asked, question]) {
                    Ok(()) => {
                        turned.text = reply.text.trim().to_owned();
                        return Ok(turned);
                    }
                    Err(fault) if mends < MENDS => {
                        mends += 1;
                        let fault = Mend { fault: &fault }.render();
                        messages.push(said(&reply));
                        messages.push(
                            ChatCompletionRequestUserMessage { content: fault.into(), name: None }.into(),
                        );
                    }
                    Err(fault) => return Err(TurnFailed::Unfounded(fault)),
                }
                continue;
            }
            messages.push(said(&reply));
            for call in reply.calls {
                calls += 1;
                let result = if calls <= limits.tool_calls {
                    run(&call.function.name, &call.function.arguments, toolbox, viewer, dataset, &mut turned)
                        .await?
                } else {
                    format!(
                        "refused: this turn has used its {} tool calls; answer from what you have",
                        limits.tool_calls
                    )
                };
                messages.push(
                    ChatCompletionRequestToolMessage {
                        content: ChatCompletionRequestToolMessageContent::Text(result),
                        tool_call_id: call.id,
                    }
                    .into(),
                );
            }
        }
        Err(TurnFailed::Loop(limits.rounds))
    }
}

/// The tools that a model may use on this viewer's behalf, as functions.
fn offered(viewer: &Viewer) -> Vec<ChatCompletionTools> {
    let allowed = TOOLS.iter().filter(|tool| viewer.payloads || !tool.payloads);
    allowed
        .map(|tool| {
            ChatCompletionTools::Function(ChatCompletionTool {
                function: FunctionObject {
                    name: tool.name.to_owned(),
                    description: Some(tool.description.to_owned()),
                    parameters: Some((tool.input_schema)()),
                    strict: None,
                },
            })
        })
        .collect()
}

/// Runs one tool for the model; what it can mend comes back as text. All that a tool says is marked, its errors too:
/// they quote names and values of the traffic.
async fn run(
    name: &str,
    arguments: &str,
    toolbox: &Toolbox,
    viewer: &Viewer,
    dataset: &str,
    turned: &mut Turned,
) -> Result<String, TurnFailed> {
    let text = if arguments.trim().is_empty() { "{}" } else { arguments };
    let mut arguments: Value = match serde_json::from_str(text) {
        Ok(arguments @ Value::Object(_)) => arguments,
        Ok(_) => return Ok("error: the arguments must be a JSON object".to_owned()),
        Err(error) => return Ok(format!("error: the arguments are no JSON: {error}")),
    };
    // The question's data set holds for the whole turn, whatever captured text may ask for.
    if let Value::Object(fields) = &mut arguments {
        fields.insert("dataset".to_owned(), Value::from(dataset));
    }
    // An unknown name is the model's own word, and quoted back as such.
    let known = wirewise_tools::tool(name).map_or("none", |tool| tool.name);
    let used = ToolUse { name: name.to_owned(), arguments: arguments.clone() };
    match toolbox.run(name, arguments, viewer).await {
        Ok(evidence) => {
            turned.tools.push(used);
            let text = EvidencePrompt { tool: known, text: head(&evidence.text) }.render();
            turned.evidence.push(evidence);
            Ok(text)
        }
        Err(ToolError::Tell(message)) => {
            Ok(EvidencePrompt { tool: known, text: head(&format!("error: {message}")) }.render())
        }
        Err(error) => Err(TurnFailed::Tool(error)),
    }
}

/// As much of a tool's text as the model is shown. Tools keep to their own bound, which is tighter for all but
/// long letters.
fn head(text: &str) -> &str {
    let mut end = text.len().min(MOST_EVIDENCE);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// What the model said, as the next request repeats it.
fn said(reply: &Reply) -> ChatCompletionRequestMessage {
    let calls: Vec<_> = reply.calls.iter().cloned().map(ChatCompletionMessageToolCalls::Function).collect();
    ChatCompletionRequestAssistantMessage {
        content: (!reply.text.is_empty())
            .then(|| ChatCompletionRequestAssistantMessageContent::Text(reply.text.clone())),
        tool_calls: (!calls.is_empty()).then_some(calls),
        ..Default::default()
    }
    .into()
}

/// Whether an answer stands on this turn's evidence: it says something, every id in it came from a tool, where tools
/// found something it cites some of it, its numbers stand in the evidence or in what was asked, and nothing in it
/// can be followed.
fn founded(text: &str, evidence: &[Evidence], said: &[&str]) -> Result<(), String> {
    if text.trim().is_empty() {
        return Err("it is empty".to_owned());
    }
    if let Some(link) = link_in(text) {
        return Err(format!("it holds {link}: write addresses between backticks"));
    }
    let known: BTreeSet<&str> = evidence
        .iter()
        .flat_map(|evidence| evidence.citations.iter().map(|citation| citation.id.as_str()))
        .collect();
    let cited = check_citations(text, &known)?;
    if cited.is_empty() && !known.is_empty() {
        return Err("it cites nothing, though the tools returned calls that could be cited".to_owned());
    }
    match unfounded_number(text, evidence, said) {
        Some(number) => Err(format!("the number {number} stands in no tool's result")),
        None => Ok(()),
    }
}
