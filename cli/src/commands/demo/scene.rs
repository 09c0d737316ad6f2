//! Processes and namespaces that go away with the value that holds them.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a process may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(5);

/// Asks a child to end, and ends it where it does not.
pub(super) fn end(child: &mut Child) {
    // By pid, of a child that we have not waited for: it cannot be another's.
    let asked = Command::new("kill").args(["-TERM", &child.id().to_string()]).stderr(Stdio::null()).status();
    let began = Instant::now();
    while asked.is_ok() && began.elapsed() < GRACE {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// Runs `ip` with these words.
pub(super) fn ip(words: &[&str]) -> Result<()> {
    let output = Command::new("ip")
        .args(words)
        .stdin(Stdio::null())
        .output()
        .context("run ip (Debian package iproute2)")?;
    if !output.status.success() {
        bail!("ip {}: {}", words.join(" "), String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

/// A network namespace of ours.
pub(super) struct Namespace {
    pub(super) name: String,
}

impl Namespace {
    pub(super) fn make(name: String) -> Result<Self> {
        ip(&["netns", "add", &name])?;
        let namespace = Self { name };
        namespace.ip(&["link", "set", "lo", "up"])?;
        // Nothing but the shop is to be heard: no router solicitations, no duplicate address detection.
        let _ = namespace
            .command(Path::new("sysctl"))
            .args(["-qw", "net.ipv6.conf.all.disable_ipv6=1"])
            .stderr(Stdio::null())
            .status();
        Ok(namespace)
    }

    /// `ip` inside.
    pub(super) fn ip(&self, words: &[&str]) -> Result<()> {
        let mut all = vec!["-n", self.name.as_str()];
        all.extend(words);
        ip(&all)
    }

    /// A program inside.
    pub(super) fn command(&self, program: &Path) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name]).arg(program);
        command
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = ip(&["netns", "del", &self.name]);
    }
}

/// A process of the shop.
pub(super) struct Actor {
    child: Child,
}

impl Actor {
    /// Starts it, its output in a file that tells what went wrong.
    pub(super) fn start(mut command: Command, log: &Path) -> Result<Self> {
        let file = std::fs::File::create(log).with_context(|| format!("write {}", log.display()))?;
        command.stdin(Stdio::null()).stdout(file.try_clone()?).stderr(file);
        Ok(Self { child: command.spawn().with_context(|| format!("start {:?}", command.get_program()))? })
    }

    /// Whether it still runs.
    pub(super) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }
}

impl Drop for Actor {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}
