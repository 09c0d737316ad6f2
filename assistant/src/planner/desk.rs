//! Where a question is worked on: one data set, one window, the tools on a viewer's behalf, and all evidence that
//! came of them.

use std::time::Duration;

use serde_json::{Value, json};
use wirewise_model::{Timestamp, Viewer, Window};
use wirewise_store::{DatasetInfo, StoreError};
use wirewise_tools::{Evidence, LossTold, Names, Table, ToolError, Toolbox, parse_window};

use super::grammar::When;
use crate::answer::ToolUse;

/// What is read of a live capture where no window is named, as the tools have it.
const LIVE_WINDOW: Duration = Duration::from_secs(3600);

/// Rows of one query of ours.
const MOST_ROWS: usize = 200;

/// One question's work.
pub(crate) struct Desk {
    toolbox: Toolbox,
    viewer: Viewer,
    pub(crate) info: DatasetInfo,
    /// Every name that the data set knows.
    pub(crate) names: Names,
    pub(crate) now: Timestamp,
    /// All that the data set covers.
    pub(crate) whole: Window,
    /// What the question is about.
    pub(crate) window: Window,
    /// Whether the question named its window.
    pub(crate) window_is_named: bool,
    evidence: Vec<Evidence>,
    tools: Vec<ToolUse>,
}

/// What a store's error means to whoever asked.
fn told(error: StoreError) -> ToolError {
    if error.is_tell() { ToolError::Tell(error.to_string()) } else { ToolError::Fail(error.to_string()) }
}

impl Desk {
    /// A desk for questions of that data set, the one that is meant where none is named.
    pub(crate) async fn open(
        toolbox: &Toolbox,
        dataset: Option<&str>,
        viewer: &Viewer,
    ) -> Result<Self, ToolError> {
        let info = toolbox.store().resolve_dataset(dataset).map_err(told)?;
        let names = toolbox.names(Some(&info.name), viewer).await?;
        let now = info.now();
        let to = now.max(info.last_at.unwrap_or(now)) + Duration::from_nanos(1);
        let from = info.first_at.unwrap_or_else(|| now.before(LIVE_WINDOW)).min(now);
        let whole = Window { from, to };
        let window = if info.live { Window { from: now.before(LIVE_WINDOW).max(from), to } } else { whole };
        Ok(Self {
            toolbox: toolbox.clone(),
            viewer: viewer.clone(),
            info,
            names,
            now,
            whole,
            window,
            window_is_named: false,
            evidence: Vec::new(),
            tools: Vec::new(),
        })
    }

    /// Takes the window that the question names.
    pub(crate) fn set_window(&mut self, when: &When) -> Result<(), ToolError> {
        self.window = self.parse(&when.window())?;
        self.window_is_named = true;
        Ok(())
    }

    pub(crate) fn parse(&self, window: &str) -> Result<Window, ToolError> {
        parse_window(window, self.now, self.whole).map_err(|error| ToolError::Tell(error.to_string()))
    }

    /// What now is: `the clock` or `the last packet`.
    pub(crate) fn now_is(&self) -> &'static str {
        if self.info.live { "the clock" } else { "the last packet" }
    }

    /// Runs a tool. `arguments` is an object; nulls are left out.
    pub(crate) async fn tool(&mut self, name: &str, mut arguments: Value) -> Result<Evidence, ToolError> {
        arguments["dataset"] = Value::from(self.info.name.clone());
        if let Value::Object(fields) = &mut arguments {
            fields.retain(|_, value| !value.is_null());
        }
        let evidence = self.toolbox.run(name, arguments.clone(), &self.viewer).await?;
        self.tools.push(ToolUse { name: name.to_owned(), arguments });
        self.evidence.push(evidence.clone());
        Ok(evidence)
    }

    /// Runs a query of ours.
    pub(crate) async fn sql(&mut self, query: impl Into<String>) -> Result<Table, ToolError> {
        let arguments = json!({"sql": query.into(), "limit": MOST_ROWS, "detail": "detailed"});
        let evidence = self.tool("query_sql", arguments).await?;
        Ok(evidence.table("rows").unwrap_or_default())
    }

    /// The window of the question, in the words of the tools.
    pub(crate) fn window_text(&self) -> String {
        span_text(self.window)
    }

    /// What was lost in the window, most first.
    pub(crate) async fn losses(&self) -> Result<Vec<LossTold>, ToolError> {
        let rows = self.toolbox.store().losses(&self.info.name, self.window).await.map_err(told)?;
        let mut losses: Vec<LossTold> = Vec::new();
        for row in rows {
            match losses.iter_mut().find(|loss| loss.stage == row.stage && loss.reason == row.reason) {
                Some(loss) => loss.count += row.count,
                None => losses.push(LossTold { stage: row.stage, reason: row.reason, count: row.count }),
            }
        }
        losses.sort_by(|left, right| right.count.cmp(&left.count).then(left.reason.cmp(&right.reason)));
        Ok(losses)
    }

    /// All data sets.
    pub(crate) fn datasets(&self) -> Vec<DatasetInfo> {
        self.toolbox.store().datasets()
    }

    /// What was found so far.
    pub(crate) fn evidence(&self) -> &[Evidence] {
        &self.evidence
    }

    /// What was run.
    pub(crate) fn take_tools(&mut self) -> Vec<ToolUse> {
        std::mem::take(&mut self.tools)
    }
}

/// A window in the words of the tools.
pub(crate) fn span_text(window: Window) -> String {
    format!("{} to {}", window.from.rfc3339(), window.to.rfc3339())
}
