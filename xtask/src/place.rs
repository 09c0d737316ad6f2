//! Where things lie: the workspace, its build output, tools that chores install for themselves.

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The workspace's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_owned()
}

fn cache() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/tmp".into())).join(".cache");
    env::var_os("XDG_CACHE_HOME").map_or_else(home, PathBuf::from).join("wirewise")
}

/// Where cargo builds: warm between runs, and outside of the clone.
pub(crate) fn target() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| cache().join("target"), PathBuf::from)
}

/// Where chores install tools of their own (cargo-deny, npm and PyPI packages for tests and benchmarks).
pub(crate) fn tools() -> PathBuf {
    cache().join("tools")
}

/// Real captures with their truth, where this checkout has them beside it.
pub(crate) fn captures() -> Option<PathBuf> {
    let path = root().parent()?.join("shared/captures");
    path.is_dir().then_some(path)
}

/// Whether everything must run and nothing may be skipped.
pub(crate) fn require_all() -> bool {
    env::var_os("WIREWISE_REQUIRE").is_some_and(|value| value == "all")
}

/// Cargo, building where [`target`] says, as if it had been called from a shell: what `cargo run` tells this program
/// about itself would make build scripts run again that were run without it (ring's looks at `CARGO_MANIFEST_DIR`).
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in env::vars_os() {
        let told = name
            .to_str()
            .is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if told {
            command.env_remove(name);
        }
    }
    command.current_dir(root()).env("CARGO_TARGET_DIR", target());
    command
}

/// Runs a command, showing it first; fails where it does.
pub(crate) fn show_and_run(command: &mut Command) -> Result<()> {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    eprintln!("$ {}", words.join(" "));
    let status = command.status().with_context(|| format!("run {}", words[0]))?;
    ensure!(status.success(), "{} failed: {status}", words.join(" "));
    Ok(())
}

/// Builds the product and says where it lies.
pub(crate) fn wirewise() -> Result<PathBuf> {
    show_and_run(cargo().args(["build", "--package", "wirewise"]))?;
    Ok(target().join("debug/wirewise"))
}

/// The program of that name in PATH, in the directories of administrators, or among PostgreSQL's, which lie by version.
pub(crate) fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    env::split_paths(&path)
        .chain(more)
        .chain(versions.map(|version| version.path().join("bin")))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}
