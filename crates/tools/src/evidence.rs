//! What a tool found, with everything that an answer must say about it.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use wirewise_model::Window;

use crate::table::Table;

/// How many letters so many tokens are taken for, at 3.5 a token: tokenizers of today's models make 3.5 to 4.5 of
/// English and CSV.
pub(crate) const fn letters(tokens: usize) -> usize {
    tokens * 7 / 2
}

/// Tokens of a default result. What would be longer shows fewer rows, and says so.
pub const DEFAULT_TOKENS: usize = 2_000;

/// Tokens of any result. A longer text is cut, and says so.
pub const MOST_TOKENS: usize = 10_000;

/// Tokens of all tools' definitions together: a client pays them in every conversation. Held by a test.
pub const MOST_DEFINITIONS: usize = 4_000;

/// About how many tokens a text costs: its letters by 3.5.
pub fn approximate_tokens(text: &str) -> usize {
    (text.chars().count() * 2).div_ceil(7)
}

/// Something that can be opened: `show ID`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Citation {
    /// `call` or `flow`.
    pub kind: String,
    /// Its id.
    pub id: String,
}

/// A window, in RFC 3339; `to` is the first instant after it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Span {
    /// First instant inside.
    pub from: String,
    /// First instant after.
    pub to: String,
}

impl From<Window> for Span {
    fn from(window: Window) -> Self {
        Self { from: window.from.rfc3339(), to: window.to.rfc3339() }
    }
}

/// What was not seen in a window, by stage and reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LossTold {
    /// Stage of the ledger.
    pub stage: String,
    /// Why.
    pub reason: String,
    /// How many of the stage's unit.
    pub count: u64,
}

/// A tool's result.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Which tool.
    pub tool: String,
    /// The data set that was read.
    pub dataset: String,
    /// The window that was read.
    pub window: Span,
    /// The data set's now, in RFC 3339.
    pub now: String,
    /// What that is: `clock` for live capture, else `last packet`.
    pub now_is: String,
    /// Calls (or rows) that the question fits.
    pub matched: u64,
    /// How many of them are told one by one.
    pub returned: u64,
    /// Whether something that fits was left out.
    pub truncated: bool,
    /// Gives the next rows, where there are more.
    pub next_cursor: Option<String>,
    /// What was not seen in the window.
    pub losses: Vec<LossTold>,
    /// What the reader must know: names that are not known, corrections, cuts.
    #[serde(default)]
    pub notes: Vec<String>,
    /// The calls and flows named in it.
    pub citations: Vec<Citation>,
    /// The typed result: facts, and tables as `{columns, rows}`.
    pub body: Value,
    /// The same for reading: what was read, then aggregates, then rows as CSV.
    pub text: String,
}

impl Evidence {
    /// The table of that name in the body.
    pub fn table(&self, name: &str) -> Option<Table> {
        serde_json::from_value(self.body.get(name)?.clone()).ok()
    }

    /// The structured result, as MCP gives it: all but the text.
    pub fn structured(&self) -> Value {
        json!({
            "dataset": self.dataset,
            "window": self.window,
            "now": self.now,
            "now_is": self.now_is,
            "matched": self.matched,
            "returned": self.returned,
            "truncated": self.truncated,
            "next_cursor": self.next_cursor,
            "losses": self.losses,
            "notes": self.notes,
            "citations": self.citations,
            "body": self.body,
        })
    }

    /// The losses in one line.
    pub fn losses_line(&self) -> String {
        losses_line(&self.losses)
    }
}

/// `none`, or `capture/kernel_drops 12, ...`.
pub(crate) fn losses_line(losses: &[LossTold]) -> String {
    if losses.is_empty() {
        return "none".to_owned();
    }
    let told: Vec<String> =
        losses.iter().map(|loss| format!("{}/{} {}", loss.stage, loss.reason, loss.count)).collect();
    told.join(", ")
}
