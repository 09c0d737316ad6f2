//! How a run puts its evidence together: facts, then tables in the order of their weight, within a budget.

use std::fmt::Write;

use serde_json::{Map, Value, json};
use wirewise_model::{CallId, FlowId, Window};

use crate::evidence::{Citation, DEFAULT_TOKENS, Evidence, MOST_TOKENS, letters, losses_line};
use crate::reader::Reader;
use crate::table::Table;
use crate::tool::ToolError;

/// Kept free for the lines that say what was read.
const HEAD_TOKENS: usize = 250;

struct Section {
    name: &'static str,
    title: String,
    table: Table,
}

/// Evidence under construction.
pub(crate) struct Report {
    tool: &'static str,
    facts: Map<String, Value>,
    sections: Vec<Section>,
    pub(crate) notes: Vec<String>,
    pub(crate) matched: u64,
    pub(crate) returned: u64,
    pub(crate) truncated: bool,
    pub(crate) next_cursor: Option<String>,
    /// Tokens that the text may take.
    pub(crate) budget: usize,
    /// The table whose rows `returned` counts.
    pub(crate) counted: Option<&'static str>,
    /// Where the next page begins after each row of that table, and whether there is one after the last.
    pub(crate) cursors: Option<(Vec<String>, bool)>,
    /// Said at the very end: a block that is marked as somebody else's words.
    pub(crate) untrusted: Option<String>,
}

impl Report {
    pub(crate) fn new(tool: &'static str) -> Self {
        Self {
            tool,
            facts: Map::new(),
            sections: Vec::new(),
            notes: Vec::new(),
            matched: 0,
            returned: 0,
            truncated: false,
            next_cursor: None,
            budget: DEFAULT_TOKENS,
            counted: None,
            cursors: None,
            untrusted: None,
        }
    }

    pub(crate) fn fact(&mut self, name: &str, value: impl Into<Value>) {
        self.facts.insert(name.to_owned(), value.into());
    }

    pub(crate) fn note(&mut self, text: impl Into<String>) {
        self.notes.push(text.into());
    }

    /// Adds a table; one without rows is in the body, not in the text.
    pub(crate) fn table(&mut self, name: &'static str, title: impl Into<String>, table: Table) {
        self.sections.push(Section { name, title: title.into(), table });
    }

    /// Rows are taken from the end of the longest tables until the whole fits its budget.
    fn shrink(&mut self) {
        let budget = letters(self.budget.min(MOST_TOKENS).saturating_sub(HEAD_TOKENS));
        let facts: usize =
            self.facts.iter().map(|(name, value)| name.len() + value.to_string().len() + 3).sum();
        let mut sizes: Vec<usize> =
            self.sections.iter().map(|section| section.table.csv().chars().count() + 60).collect();
        let mut cut = false;
        while facts + sizes.iter().sum::<usize>() > budget {
            let Some(longest) = (0..sizes.len())
                .filter(|&place| self.sections[place].table.len() > 1)
                .max_by_key(|&place| sizes[place])
            else {
                break;
            };
            let table = &mut self.sections[longest].table;
            let before = table.len();
            table.rows.truncate(before - before.div_ceil(8).min(before - 1));
            sizes[longest] = table.csv().chars().count() + 60;
            cut = true;
        }
        if cut {
            self.truncated = true;
            self.note("some tables are cut to keep this short: narrow the window or the filters, or ask with detail `detailed`");
        }
    }

    /// Says how many rows came through, and where the next begin: a table cut for its length ends early.
    fn count_returned(&mut self) {
        let Some(section) = self.sections.iter().find(|section| Some(section.name) == self.counted) else {
            return;
        };
        let shown = section.table.len();
        self.returned = shown as u64;
        if let Some((cursors, more)) = &self.cursors
            && (*more || shown < cursors.len())
        {
            self.truncated = true;
            self.next_cursor = shown.checked_sub(1).and_then(|last| cursors.get(last)).cloned();
        }
    }

    pub(crate) async fn finish(mut self, reader: &Reader<'_>, window: Window) -> Result<Evidence, ToolError> {
        let losses = reader.losses(window).await?;
        self.shrink();
        self.count_returned();
        let mut citations: Vec<Citation> = Vec::new();
        for section in &self.sections {
            for value in section.table.rows.iter().flatten() {
                cite(value, &mut citations);
            }
        }
        for value in self.facts.values() {
            cite(value, &mut citations);
        }
        let mut body = self.facts.clone();
        for section in &self.sections {
            body.insert(
                section.name.to_owned(),
                json!({"columns": section.table.columns, "rows": section.table.rows}),
            );
        }
        let text = self.text(reader, window, &losses_line(&losses));
        Ok(Evidence {
            tool: self.tool.to_owned(),
            dataset: reader.info.name.clone(),
            window: window.into(),
            now: reader.now.rfc3339(),
            now_is: reader.now_is().to_owned(),
            matched: self.matched,
            returned: self.returned,
            truncated: self.truncated,
            next_cursor: self.next_cursor,
            losses,
            notes: self.notes,
            citations,
            body: Value::Object(body),
            text,
        })
    }

    fn text(&self, reader: &Reader<'_>, window: Window, losses: &str) -> String {
        let mut text = format!(
            "data set {}; window {} to {}; now {} ({})\nmatched {}, returned {}, truncated {}",
            reader.info.name,
            window.from,
            window.to,
            reader.now,
            reader.now_is(),
            self.matched,
            self.returned,
            if self.truncated { "yes" } else { "no" },
        );
        if let Some(cursor) = &self.next_cursor {
            let _ = write!(text, ", next_cursor {cursor}");
        }
        let _ = writeln!(text, "\nlosses in this window: {losses}");
        for note in &self.notes {
            let _ = writeln!(text, "note: {note}");
        }
        for (name, value) in &self.facts {
            let _ = match value {
                Value::String(said) => writeln!(text, "{name}: {}", crate::table::plain(said, 400)),
                other => writeln!(text, "{name}: {other}"),
            };
        }
        for section in &self.sections {
            if section.table.is_empty() {
                continue;
            }
            let _ = write!(text, "\n# {}\n{}", section.title, section.table.csv());
        }
        if let Some(untrusted) = &self.untrusted {
            text.push('\n');
            text.push_str(untrusted);
        }
        cut(text)
    }
}

/// Cut at the last line that fits the hard cap.
fn cut(mut text: String) -> String {
    const SAID: &str = "\n[cut here: ask for less]\n";
    let most = letters(MOST_TOKENS);
    let Some((end, _)) = text.char_indices().nth(most) else { return text };
    let end = text[..end.saturating_sub(SAID.len())].rfind('\n').unwrap_or(0);
    text.truncate(end);
    text.push_str(SAID);
    text
}

fn cite(value: &Value, citations: &mut Vec<Citation>) {
    let Value::String(text) = value else { return };
    // Ids stand alone or in a list of ids; a longer text is somebody else's.
    if text.len() > 28 * 8 {
        return;
    }
    for word in text.split(' ') {
        let kind = if word.parse::<CallId>().is_ok() {
            "call"
        } else if word.parse::<FlowId>().is_ok() {
            "flow"
        } else {
            continue;
        };
        let citation = Citation { kind: kind.to_owned(), id: word.to_owned() };
        if !citations.contains(&citation) {
            citations.push(citation);
        }
    }
}
