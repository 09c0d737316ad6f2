//! The questions that can be answered: one table of tools, used by chat, MCP, planner, CLI and evals alike.
//!
//! A tool is one file: its arguments, whose doc comments become the schema, and its run. Every run gives
//! [`Evidence`]: what was read, of which window, what was lost in it, how much matched and how much of that is
//! returned; aggregates first, then rows. Knows no HTTP, no MCP and no model's vendor.

mod changepoint;
mod evidence;
mod filter;
mod names;
mod reader;
mod report;
mod sql;
mod table;
mod tool;
mod toolbox;
mod window;

mod compare_windows;
mod get_call;
mod get_call_payload;
mod get_overview;
mod get_service_map;
mod query_sql;
mod search_calls;

#[cfg(test)]
mod tests;

pub use evidence::{
    Citation, DEFAULT_TOKENS, Evidence, LossTold, MOST_DEFINITIONS, MOST_TOKENS, Span, approximate_tokens,
};
pub use names::{KnownEndpoint, Names, nearest};
pub use table::{Row, Table};
pub use tool::{Run, Running, Tool, ToolError};
pub use toolbox::{About, Toolbox};
pub use window::{WindowError, parse_duration, parse_window};

/// Every tool, in the order in which a reader would try them.
pub static TOOLS: &[&Tool] = &[
    &get_overview::TOOL,
    &query_sql::TOOL,
    &search_calls::TOOL,
    &get_call::TOOL,
    &get_call_payload::TOOL,
    &get_service_map::TOOL,
    &compare_windows::TOOL,
];

/// The tool of that name.
pub fn tool(name: &str) -> Option<&'static Tool> {
    TOOLS.iter().copied().find(|tool| tool.name == name)
}
