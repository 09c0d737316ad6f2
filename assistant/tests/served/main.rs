//! The assistant over a shop whose numbers are known: asked by models, by chat clients, and by strangers at its door.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod door;
mod model;
mod openai;
mod orders;
mod shop;
