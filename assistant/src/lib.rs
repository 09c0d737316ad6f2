//! The half of Wirewise that answers: it owns the store, takes batches in, and speaks over the web API, the
//! OpenAI API and MCP. It knows no packets.

pub mod answer;
pub mod ask;
pub mod door;
pub mod model;
pub mod planner;
pub mod routes;
pub mod rows;
pub mod server;
pub mod token;

mod openai;
mod web;

pub use ask::Assistant;

/// Chooses the cryptography of every TLS connection of this process, once. The libraries that open them are built
/// without a choice of their own, so that there is one.
pub fn choose_cryptography() {
    // An error says that it was chosen before.
    let _ = rustls::crypto::ring::default_provider().install_default();
}
