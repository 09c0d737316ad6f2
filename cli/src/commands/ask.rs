//! `wirewise ask`: an answer with its receipts.

use anyhow::Result;
use serde_json::json;
use wirewise_assistant::answer::{Answer, Question};

use super::{runtime, scratch};
use crate::arguments::Ask;
use crate::config::Config;
use crate::output;
use crate::reach::Reach;

pub(crate) fn run(config: &Config, ask: Ask) -> Result<()> {
    let scratch = ask.read.as_deref().map(|file| scratch::import(config, file)).transpose()?;
    let config = scratch.as_ref().map_or(config, |scratch| &scratch.config);
    runtime()?.block_on(async {
        let reach = Reach::to_read(config).await?;
        let question =
            Question { question: ask.question.join(" "), dataset: config.dataset().map(str::to_owned) };
        let answer = reach.ask(&question).await?;
        output::document(config.format(), &json!(answer), &told(&answer))
    })
}

/// The answer as people read it.
pub(crate) fn told(answer: &Answer) -> String {
    let mut text = answer.answer.trim_end().to_owned();
    if !answer.refused {
        text.push_str(&format!("\n\nUnderstood: {}\nAnswered by: {}", answer.understood, answer.answered_by));
    }
    text
}
