//! A question becomes an answer: by the model where one is configured, else, and whenever it fails, by the
//! planner.

use std::sync::Arc;

use wirewise_model::Viewer;
use wirewise_prompts::System;
use wirewise_tools::{ToolError, Toolbox};

use crate::answer::{Answer, Question};
use crate::model::{Model, TurnFailed, Turned};
use crate::planner;

/// What a question may be long, in bytes.
pub const MOST_QUESTION: usize = 8 << 10;

/// Answers questions.
#[derive(Clone)]
pub struct Assistant {
    toolbox: Arc<Toolbox>,
    model: Option<Model>,
    payloads: bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The question is too long.
    #[error("a question may be {MOST_QUESTION} bytes long at most")]
    TooLong,
    /// There is no question.
    #[error("the question is empty")]
    Empty,
    /// A tool failed, or what was named does not exist.
    #[error(transparent)]
    Tool(#[from] ToolError),
}

impl Assistant {
    /// An assistant over these tools.
    pub fn new(toolbox: Arc<Toolbox>, model: Option<Model>) -> Self {
        let payloads = model.as_ref().is_some_and(|model| model.config().allow_payloads);
        Self { toolbox, model, payloads }
    }

    /// Whether headers and bodies may go to whoever asks through MCP or the OpenAI API: a model, though none that
    /// we were told of.
    pub fn allow_payloads(self, payloads: bool) -> Self {
        Self { payloads, ..self }
    }

    /// Whether they may.
    pub fn allows_payloads(&self) -> bool {
        self.payloads
    }

    /// The tools.
    pub fn toolbox(&self) -> &Arc<Toolbox> {
        &self.toolbox
    }

    /// The model, where one is configured.
    pub fn model(&self) -> Option<&Model> {
        self.model.as_ref()
    }

    /// Answers for `viewer`.
    pub async fn ask(&self, question: &Question, viewer: &Viewer) -> Result<Answer, AskError> {
        let text = question.question.trim();
        if text.is_empty() {
            return Err(AskError::Empty);
        }
        if text.len() > MOST_QUESTION {
            return Err(AskError::TooLong);
        }
        let Some(model) = &self.model else {
            return Ok(self.plan(question, viewer, "planner".to_owned()).await?);
        };
        let host = model.config().host();
        match self.ask_model(model, question, viewer).await? {
            Ok(answer) => Ok(answer),
            Err(failed) => {
                tracing::warn!(host, reason = %failed, "the model's turn failed; the planner answers");
                Ok(self.plan(question, viewer, format!("planner ({failed}; model at {host})")).await?)
            }
        }
    }

    async fn plan(
        &self,
        question: &Question,
        viewer: &Viewer,
        answered_by: String,
    ) -> Result<Answer, ToolError> {
        let mut answer = planner::answer(&self.toolbox, question, viewer).await?;
        answer.answered_by = answered_by;
        Ok(answer)
    }

    async fn ask_model(
        &self,
        model: &Model,
        question: &Question,
        viewer: &Viewer,
    ) -> Result<Result<Answer, TurnFailed>, ToolError> {
        let config = model.config();
        let viewer = Viewer { payloads: viewer.payloads && config.allow_payloads, ..viewer.clone() };
        let about = self.toolbox.about(question.dataset.as_deref()).await?;
        let system =
            System { dataset: &about.dataset, now: &about.now, now_is: &about.now_is, covers: &about.covers };
        let turned = match model
            .turn(system.render(), question.question.trim(), &self.toolbox, &viewer, &about.dataset)
            .await
        {
            Ok(turned) => turned,
            Err(failed) => return Ok(Err(failed)),
        };
        Ok(Ok(sign(turned, &about.dataset, format!("{} at {}", config.name, config.host()))))
    }
}

/// Puts the receipts to what the model said.
fn sign(turned: Turned, dataset: &str, answered_by: String) -> Answer {
    let cited = crate::answer::ids_in(&turned.text);
    let mut citations = Vec::new();
    for citation in turned.evidence.iter().flat_map(|evidence| &evidence.citations) {
        if cited.contains(&citation.id) && !citations.contains(citation) {
            citations.push(citation.clone());
        }
    }
    let last = turned.evidence.last();
    let names: Vec<&str> = turned.tools.iter().map(|tool| tool.name.as_str()).collect();
    let understood = if names.is_empty() {
        "answered without a tool".to_owned()
    } else {
        format!("asked {}", names.join(", "))
    };
    Answer {
        answer: turned.text,
        understood,
        dataset: Some(dataset.to_owned()),
        window: last.map(|evidence| serde_json::json!(evidence.window)),
        losses: last.map_or(serde_json::json!([]), |evidence| serde_json::json!(evidence.losses)),
        citations,
        refused: turned.tools.is_empty(),
        tools: turned.tools,
        answered_by,
    }
}
