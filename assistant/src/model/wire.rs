//! One request to the model and its reply, streamed, put together into a message.

use async_openai::error::OpenAIError;
use async_openai::types::chat::{
    ChatCompletionMessageToolCall, ChatCompletionMessageToolCalls, ChatCompletionRequestMessage,
    ChatCompletionTools, CreateChatCompletionRequest, CreateChatCompletionResponse, FinishReason,
    FunctionCall,
};
use futures::StreamExt;

use super::Model;

/// What a reply may hold at most; a model that says more is cut off.
const MOST_TEXT: usize = 64 << 10;
const MOST_CALLS: usize = 32;

/// What the model said.
#[derive(Debug, Default)]
pub(super) struct Reply {
    pub(super) text: String,
    pub(super) calls: Vec<ChatCompletionMessageToolCall>,
}

/// Why there is no reply.
#[derive(Debug)]
pub(super) enum NoReply {
    /// The endpoint refused or could not be reached.
    Refused(String),
    /// The reply broke off.
    Cut(String),
    /// It said more than it may.
    TooLong,
}

impl Model {
    /// Sends the conversation, streamed. An endpoint that answers without a stream is asked once more without.
    pub(super) async fn say(
        &self,
        messages: &[ChatCompletionRequestMessage],
        tools: &[ChatCompletionTools],
    ) -> Result<Reply, NoReply> {
        let request = CreateChatCompletionRequest {
            model: self.config().name.clone(),
            messages: messages.to_vec(),
            tools: (!tools.is_empty()).then(|| tools.to_vec()),
            ..Default::default()
        };
        let mut stream = self.client.chat().create_stream(request.clone()).await.map_err(refused)?;
        let mut reply = Reply::default();
        let mut finished = None;
        let mut heard = false;
        while let Some(chunk) = stream.next().await {
            let chunk = match chunk {
                Ok(chunk) => chunk,
                Err(_) if !heard => return self.say_plainly(request).await,
                Err(error) => return Err(NoReply::Cut(brief(&error))),
            };
            heard = true;
            let Some(choice) = chunk.choices.into_iter().next() else { continue };
            if let Some(text) = choice.delta.content {
                reply.text.push_str(&text);
            }
            for part in choice.delta.tool_calls.unwrap_or_default() {
                reply.add(part)?;
            }
            if reply.text.len() > MOST_TEXT {
                return Err(NoReply::TooLong);
            }
            finished = choice.finish_reason.or(finished);
        }
        if !heard {
            return self.say_plainly(request).await;
        }
        match finished {
            None => Err(NoReply::Cut("the stream ended without a finish reason".to_owned())),
            Some(FinishReason::Length) if reply.calls.is_empty() => Err(NoReply::TooLong),
            Some(_) => Ok(reply),
        }
    }

    async fn say_plainly(&self, request: CreateChatCompletionRequest) -> Result<Reply, NoReply> {
        let response: CreateChatCompletionResponse =
            self.client.chat().create(request).await.map_err(refused)?;
        let Some(choice) = response.choices.into_iter().next() else {
            return Err(NoReply::Cut("the reply has no choices".to_owned()));
        };
        let calls = choice.message.tool_calls.unwrap_or_default().into_iter().filter_map(|call| match call {
            ChatCompletionMessageToolCalls::Function(call) => Some(call),
            ChatCompletionMessageToolCalls::Custom(_) => None,
        });
        let reply = Reply {
            text: choice.message.content.unwrap_or_default(),
            calls: calls.take(MOST_CALLS).collect(),
        };
        if reply.text.len() > MOST_TEXT { Err(NoReply::TooLong) } else { Ok(reply) }
    }
}

impl Reply {
    /// Adds a piece of a tool call to the call that it belongs to.
    fn add(
        &mut self,
        part: async_openai::types::chat::ChatCompletionMessageToolCallChunk,
    ) -> Result<(), NoReply> {
        let at = part.index as usize;
        if at >= MOST_CALLS {
            return Err(NoReply::TooLong);
        }
        while self.calls.len() <= at {
            let empty = FunctionCall { name: String::new(), arguments: String::new() };
            self.calls.push(ChatCompletionMessageToolCall {
                id: format!("call_{}", self.calls.len()),
                function: empty,
            });
        }
        let call = &mut self.calls[at];
        if let Some(id) = part.id.filter(|id| !id.is_empty()) {
            call.id = id;
        }
        if let Some(function) = part.function {
            call.function.name.push_str(&function.name.unwrap_or_default());
            call.function.arguments.push_str(&function.arguments.unwrap_or_default());
        }
        if call.function.arguments.len() + call.function.name.len() > MOST_TEXT {
            Err(NoReply::TooLong)
        } else {
            Ok(())
        }
    }
}

fn refused(error: OpenAIError) -> NoReply {
    NoReply::Refused(brief(&error))
}

/// An endpoint's error in one line, without what it may quote of the conversation.
fn brief(error: &OpenAIError) -> String {
    match error {
        OpenAIError::ApiError(error) => format!("it answered {}", error.status_code),
        OpenAIError::Reqwest(error) if error.is_connect() => "it cannot be reached".to_owned(),
        OpenAIError::Reqwest(error) if error.is_timeout() => "it did not answer in time".to_owned(),
        OpenAIError::Reqwest(_) => "the connection broke".to_owned(),
        OpenAIError::JSONDeserialize(..) => "its reply is no chat completion".to_owned(),
        OpenAIError::StreamError(_) => "its stream broke off".to_owned(),
        _ => "its reply cannot be read".to_owned(),
    }
}
