//! The half of Wirewise that answers: it owns the store, takes batches in, and speaks over the web API, the
//! OpenAI API and MCP. It knows no packets.

pub mod answer;
pub mod ask;
pub mod door;
pub mod model;
pub mod planner;
pub mod server;
pub mod token;

mod openai;
mod web;

pub use ask::Assistant;
