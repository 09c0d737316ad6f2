//! What responses say of themselves, whole or event by event: the last word counts.

use crate::http::clip;
use crate::json::Raw;

/// Reasons to finish that are told.
const MOST_REASONS: usize = 8;

/// What a response says.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) model: Option<String>,
    pub(super) id: Option<String>,
    /// Why it finished; of several choices each other reason once.
    pub(super) finish: Option<String>,
    pub(super) input: Option<i64>,
    pub(super) output: Option<i64>,
    pub(super) cache_read: Option<i64>,
    pub(super) cache_created: Option<i64>,
    /// Its type and its words.
    pub(super) error: Option<(Option<String>, Option<String>)>,
}

impl Told {
    /// Reads a response, or an event of one.
    pub(super) fn read(&mut self, text: Raw<'_>) {
        // What Anthropic's first event holds under `message`, and OpenAI's under `response`, is a response.
        for inner in [Some(text), text.get("message"), text.get("response")].into_iter().flatten() {
            self.read_one(inner);
        }
        for place in [&["delta", "stop_reason"][..], &["messageStop", "stopReason"]] {
            self.finish(text.path(place));
        }
    }

    fn read_one(&mut self, text: Raw<'_>) {
        for name in ["model", "modelVersion"] {
            set(&mut self.model, text.get(name));
        }
        for name in ["id", "responseId"] {
            set(&mut self.id, text.get(name));
        }
        for name in ["usage", "usageMetadata"] {
            if let Some(usage) = text.get(name) {
                self.usage(usage);
            }
        }
        // Ollama's stand beside the answer.
        count(&mut self.input, text.get("prompt_eval_count"));
        count(&mut self.output, text.get("eval_count"));
        for name in ["stop_reason", "done_reason", "stopReason"] {
            self.finish(text.get(name));
        }
        for (list, name) in [("choices", "finish_reason"), ("candidates", "finishReason")] {
            for choice in text.get(list).into_iter().flat_map(Raw::elements) {
                self.finish(choice.get(name));
            }
        }
        if let Some(error) = text.get("error").filter(|error| error.is_object() || error.is_string()) {
            let kind =
                ["type", "status", "code"].iter().find_map(|name| error.get(name).and_then(Raw::string));
            let words = error.get("message").unwrap_or(error).beginning();
            self.error = Some((kind.map(clip), words.map(clip)));
        }
    }

    fn usage(&mut self, usage: Raw<'_>) {
        for name in ["prompt_tokens", "input_tokens", "promptTokenCount", "inputTokens"] {
            count(&mut self.input, usage.get(name));
        }
        for name in ["completion_tokens", "output_tokens", "candidatesTokenCount", "outputTokens"] {
            count(&mut self.output, usage.get(name));
        }
        count(&mut self.cache_read, usage.get("cache_read_input_tokens"));
        count(&mut self.cache_created, usage.get("cache_creation_input_tokens"));
    }

    fn finish(&mut self, reason: Option<Raw<'_>>) {
        let Some(reason) = reason.and_then(Raw::string).map(clip) else { return };
        match &mut self.finish {
            None => self.finish = Some(reason),
            Some(told) => {
                let n_told = told.split(',').count();
                if n_told < MOST_REASONS && told.split(',').all(|known| known != reason) {
                    told.push(',');
                    told.push_str(&reason);
                }
            }
        }
    }
}

fn set(place: &mut Option<String>, value: Option<Raw<'_>>) {
    if let Some(text) = value.and_then(Raw::string).filter(|text| !text.is_empty()) {
        *place = Some(clip(text));
    }
}

fn count(place: &mut Option<i64>, value: Option<Raw<'_>>) {
    if let Some(number) = value.and_then(Raw::integer) {
        *place = Some(number);
    }
}
