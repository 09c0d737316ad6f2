//! A child's CPU time, by the shell's own account of it.

use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// CPU seconds, user and system together, of a command and its children. Its output is thrown away.
pub(crate) fn seconds(program: &str, arguments: &[&str]) -> Result<f64> {
    let script = "TIMEFORMAT='%U %S'; time \"$@\" >/dev/null 2>/tmp/null.$$ || { cat /tmp/null.$$ >&2; rm -f /tmp/null.$$; exit 1; }; rm -f /tmp/null.$$";
    let output = Command::new("bash")
        .args(["-c", script, "bash", program])
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .context("run bash")?;
    let text = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{program} failed: {}", text.trim());
    let last = text.lines().last().unwrap_or_default();
    let parts: Vec<f64> = last.split_whitespace().filter_map(|part| part.parse().ok()).collect();
    ensure!(parts.len() == 2, "bash told no time: {}", text.trim());
    Ok(parts[0] + parts[1])
}
