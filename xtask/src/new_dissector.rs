//! `cargo xtask new-dissector NAME`: a protocol is one folder, one word in the table and one in the vocabulary.

use std::fs;

use anyhow::{Context, Result, ensure};

use crate::place;

pub(crate) fn new_dissector(name: &str) -> Result<()> {
    let good = name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_');
    ensure!(good, "a protocol's name is lower-case letters, digits and _, as in `amqp`");
    let source = place::root().join("crates/dissect/src");
    let folder = source.join(name);
    ensure!(!folder.exists(), "{name} is there already");
    fs::create_dir(&folder).with_context(|| format!("make {}", folder.display()))?;
    let template = fs::read_to_string(place::root().join("xtask/templates/dissector.rs"))
        .context("read the template")?;
    fs::write(folder.join("mod.rs"), template.replace("NAME", name))?;
    edit(&source.join("lib.rs"), "mod dns;\n", &format!("mod dns;\nmod {name};\n"))?;
    let table = source.join("table.rs");
    edit(&table, "Protocol, ", &format!("Protocol, {name}, "))?;
    edit(&table, "&dns::PROTOCOL", &format!("&dns::PROTOCOL, &{name}::PROTOCOL"))?;
    add_word(name)?;
    place::show_and_run(place::cargo().args(["fmt", "--package", "wirewise-dissect"]))?;
    println!(
        "Made {}. Put it in its place in PROTOCOLS: probe order is the table's order.",
        folder.display()
    );
    Ok(())
}

/// Adds the word to the vocabulary, in its place of the alphabet.
fn add_word(name: &str) -> Result<()> {
    let path = place::root().join("crates/model/src/protocol.rs");
    let text = fs::read_to_string(&path)?;
    let word = format!("    \"{name}\",");
    let after = text
        .lines()
        .find(|line| line.starts_with("    \"") && *line > word.as_str())
        .or_else(|| text.lines().find(|line| *line == "];"))
        .with_context(|| format!("{} holds no list", path.display()))?;
    edit(&path, &format!("{after}\n"), &format!("{word}\n{after}\n"))
}

fn edit(path: &std::path::Path, what: &str, with: &str) -> Result<()> {
    let text = fs::read_to_string(path)?;
    ensure!(text.contains(what), "{} no longer holds `{}`", path.display(), what.trim());
    fs::write(path, text.replacen(what, with, 1))?;
    Ok(())
}
