//! What the architecture forbids, checked: arrows that point up, pure crates that know the world, licences.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cargo_metadata::{DependencyKind, MetadataCommand};

use crate::{install, place};

/// cargo-deny's version that builds with this toolchain.
const DENY: &str = "0.20.2";

/// What each of our crates may depend on: the layers of ARCHITECTURE.md, bottom up.
const LAYERS: &[(&str, &[&str])] = &[
    ("model", &[]),
    ("wire", &["model"]),
    ("dissect", &["model"]),
    ("redact", &["model"]),
    ("prompts", &["model"]),
    ("shape", &["model", "redact"]),
    ("flow", &["model", "wire"]),
    ("capture", &["model", "ebpf"]),
    ("identity", &["model"]),
    ("store", &["model", "redact", "shape"]),
    ("score", &["model", "redact", "shape"]),
    ("evals", &["model", "score"]),
    ("pipeline", &["model", "wire", "flow", "dissect"]),
    ("tools", &["model", "redact", "store", "shape"]),
    ("agent", &["model", "wire", "capture", "pipeline", "identity", "redact"]),
    ("mcp-server", &["model", "tools"]),
    ("assistant", &["model", "redact", "store", "shape", "tools", "mcp-server", "prompts"]),
    (
        "wirewise",
        &[
            "model",
            "redact",
            "store",
            "identity",
            "capture",
            "pipeline",
            "tools",
            "mcp-server",
            "agent",
            "assistant",
        ],
    ),
];

/// Crates that are pure: time is an argument, and the world comes in as bytes.
const PURE: &[&str] = &["model", "wire", "flow", "dissect", "pipeline", "redact", "shape", "score"];
/// What a pure crate must not link, however far below.
const IMPURE_CRATES: &[&str] =
    &["tokio", "mio", "async-std", "reqwest", "hyper", "socket2", "tempfile", "chrono", "jiff"];
/// What a pure crate must not say outside of its tests.
const IMPURE_WORDS: &[&str] = &[
    "std::fs",
    "std::process",
    "std::thread",
    "SystemTime",
    "Instant::now",
    "TcpStream",
    "UdpSocket",
    "std::env::",
];
/// What `tools` must not know.
const TOOLS_STRANGERS: &[&str] = &["axum", "hyper", "reqwest", "rmcp", "async-openai"];
/// What `assistant` must not know: packets.
const ASSISTANT_STRANGERS: &[&str] =
    &["wirewise-wire", "wirewise-flow", "wirewise-dissect", "wirewise-pipeline", "wirewise-capture"];

pub(crate) fn tidy() -> Result<()> {
    let mut faults = Vec::new();
    layers(&mut faults)?;
    words(&mut faults)?;
    words_of_places(&mut faults)?;
    if !faults.is_empty() {
        bail!("the tree is not tidy:\n  {}", faults.join("\n  "));
    }
    eprintln!("tidy: layers, absences and words are in order");
    deny()
}

/// Dependencies of our crates against [`LAYERS`] and the absences, from cargo's own metadata.
fn layers(faults: &mut Vec<String>) -> Result<()> {
    let metadata = MetadataCommand::new().current_dir(place::root()).exec().context("read cargo metadata")?;
    let ours: BTreeMap<&str, _> =
        metadata.workspace_packages().into_iter().map(|package| (package.name.as_str(), package)).collect();
    let allowed: BTreeMap<&str, BTreeSet<&str>> =
        LAYERS.iter().map(|(name, below)| (*name, below.iter().copied().collect())).collect();
    for (name, package) in &ours {
        let short = short(name);
        if matches!(short, "xtask" | "testkit" | "fuzz") {
            continue;
        }
        let Some(below) = allowed.get(short) else {
            faults.push(format!(
                "{name} has no place in the layers: give it one in xtask and in ARCHITECTURE.md"
            ));
            continue;
        };
        for dependency in
            package.dependencies.iter().filter(|dependency| dependency.kind == DependencyKind::Normal)
        {
            if ours.contains_key(dependency.name.as_str()) && !below.contains(self::short(&dependency.name)) {
                faults.push(format!("{name} depends on {}, which does not lie below it", dependency.name));
            }
        }
    }
    let resolve = metadata.resolve.as_ref().context("cargo metadata resolves dependencies")?;
    let names: BTreeMap<_, &str> =
        metadata.packages.iter().map(|package| (&package.id, package.name.as_str())).collect();
    let edges: BTreeMap<_, Vec<_>> = resolve
        .nodes
        .iter()
        .map(|node| {
            let normal = |dependency: &&cargo_metadata::NodeDep| {
                dependency.dep_kinds.iter().any(|kind| kind.kind == DependencyKind::Normal)
            };
            (&node.id, node.deps.iter().filter(normal).map(|dependency| &dependency.pkg).collect())
        })
        .collect();
    let reaches = |from: &str| -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut waiting: Vec<_> = ours.get(from).map(|package| &package.id).into_iter().collect();
        while let Some(id) = waiting.pop() {
            for next in edges.get(id).into_iter().flatten() {
                if seen.insert(*next) {
                    waiting.push(next);
                }
            }
        }
        seen.into_iter().filter_map(|id| names.get(id).copied()).collect()
    };
    let forbid = |name: &str, strangers: &[&str], faults: &mut Vec<String>| {
        let reached = reaches(name);
        for stranger in strangers.iter().filter(|stranger| reached.contains(**stranger)) {
            faults.push(format!("{name} reaches {stranger}, which it must not know"));
        }
    };
    for pure in PURE {
        forbid(&format!("wirewise-{pure}"), IMPURE_CRATES, faults);
    }
    forbid("wirewise-dissect", &["wirewise-wire", "wirewise-flow"], faults);
    forbid("wirewise-tools", TOOLS_STRANGERS, faults);
    forbid("wirewise-assistant", ASSISTANT_STRANGERS, faults);
    Ok(())
}

fn short(name: &str) -> &str {
    name.strip_prefix("wirewise-").unwrap_or(name)
}

/// Pure crates name nothing of the outside world outside of their tests.
fn words(faults: &mut Vec<String>) -> Result<()> {
    for pure in PURE {
        for file in sources(&place::root().join("crates").join(pure).join("src"))? {
            if file.file_name().is_some_and(|name| name == "tests.rs")
                || file.components().any(|part| part.as_os_str() == "tests")
            {
                continue;
            }
            let text = fs::read_to_string(&file)?;
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            for (number, line) in code.lines().enumerate() {
                let line_of_code = line.split("//").next().unwrap_or_default();
                for word in IMPURE_WORDS.iter().filter(|word| line_of_code.contains(**word)) {
                    faults.push(format!("{}:{}: a pure crate says {word}", relative(&file), number + 1));
                }
            }
        }
    }
    Ok(())
}

/// Unsafe code lives in `crates/capture` alone, and no crate but it has lints of its own.
fn words_of_places(faults: &mut Vec<String>) -> Result<()> {
    for folder in ["crates", "agent", "assistant", "cli", "evals", "fuzz", "mcp-server", "prompts"] {
        for file in sources(&place::root().join(folder))? {
            let name = relative(&file);
            let text = fs::read_to_string(&file)?;
            if !name.starts_with("crates/capture/") && text.contains("allow(unsafe_code)") {
                faults.push(format!("{name}: unsafe code belongs in crates/capture"));
            }
            if !text.starts_with("//!") && !text.starts_with("#!") {
                faults.push(format!("{name}: a file begins with what it is for (//!)"));
            }
        }
    }
    Ok(())
}

fn relative(path: &Path) -> String {
    path.strip_prefix(place::root()).unwrap_or(path).display().to_string()
}

/// Every Rust file below `folder`.
fn sources(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut waiting = vec![folder.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(&folder).with_context(|| format!("list {}", folder.display()))? {
            let path = entry?.path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Licences, bans and sources of everything that we link.
fn deny() -> Result<()> {
    let program = if place::require_all() {
        install::cargo_tool("cargo-deny", DENY)?
    } else if let Some(program) = place::find_program("cargo-deny")
        .or_else(|| Some(place::tools().join("cargo/bin/cargo-deny")).filter(|program| program.is_file()))
    {
        program
    } else {
        eprintln!(
            "SKIPPED(cargo-deny): not installed; `cargo install cargo-deny`, or WIREWISE_REQUIRE=all, brings it"
        );
        return Ok(());
    };
    let mut command = std::process::Command::new(program);
    command.current_dir(place::root()).args(["--offline", "check", "licenses", "bans", "sources"]);
    place::show_and_run(&mut command)
}
