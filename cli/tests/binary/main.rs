//! The program itself, as users, scripts and IDEs run it.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

mod bad_files;
mod formats;
mod home;
mod inspector;
mod live;
mod mcp;
mod model;
mod owners;
mod packets;
mod places;
mod scan;
mod scene;
mod secrets;
