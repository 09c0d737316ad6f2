//! `cargo xtask test`: everything that a change must pass.

use anyhow::Result;

use crate::place::{self, show_and_run};
use crate::{install, tidy};

/// The MCP inspector's version that runs on Node 20 and can be told a token (`--header`).
const INSPECTOR: &str = "@modelcontextprotocol/inspector@0.17.2";

pub(crate) fn test(yes: bool) -> Result<()> {
    let everything = place::require_all();
    if everything {
        install::debian(&[install::BUILD, install::DEMO, install::EVERYTHING, install::LIVE], yes)?;
    } else {
        install::debian(&[install::BUILD], yes)?;
    }
    show_and_run(place::cargo().args(["fmt", "--all", "--check"]))?;
    tidy::tidy()?;
    show_and_run(place::cargo().args([
        "clippy",
        "--workspace",
        "--all-targets",
        "--quiet",
        "--",
        "--deny",
        "warnings",
    ]))?;
    // The binary first: end-to-end tests run it.
    place::wirewise()?;
    let mut tests = place::cargo();
    tests.args(["test", "--workspace", "--no-fail-fast"]);
    tests.env("WIREWISE_BIN", place::target().join("debug/wirewise"));
    if everything {
        tests.env("WIREWISE_LIVE_PYTHON", install::python_with("python-live", install::LIVE_PYTHON)?);
        tests.env("WIREWISE_MCP_INSPECTOR", install::npm_program(INSPECTOR, "mcp-inspector")?);
    }
    show_and_run(&mut tests)
}
