//! planner

use wirewise_model::Viewer;
use wirewise_tools::{ToolError, Toolbox};

use crate::answer::{Answer, Question};

/// Answers.
pub async fn answer(_toolbox: &Toolbox, _question: &Question, _viewer: &Viewer) -> Result<Answer, ToolError> {
    Err(ToolError::Fail("no planner yet".to_owned()))
}
