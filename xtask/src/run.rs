//! `cargo xtask demo`: installs what it shows, builds, and hands over to `wirewise demo`.

use std::os::unix::process::CommandExt;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{install, place};

pub(crate) fn demo(yes: bool, arguments: &[String]) -> Result<()> {
    install::debian(&[install::BUILD, install::DEMO], yes)?;
    let wirewise = place::wirewise()?;
    let error = Command::new(&wirewise).arg("demo").args(arguments).current_dir(place::root()).exec();
    Err(error).with_context(|| format!("run {}", wirewise.display()))
}
