//! `wirewise demo`: a small shop of real services with a fault in it, captured, asked about, left running.
//!
//! Where live capture is possible the shop runs in network namespaces of its own, and `wirewise up` hears it
//! from the bridge between them; where it is not, a capture of the same scene is imported. Either way three
//! questions are asked, and `up` goes on serving. Ctrl-C takes processes, namespaces and data away.

mod dns;
mod part;
mod scene;
mod shop;

use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use wirewise_assistant::answer::Question;

use super::stop::Stop;
use super::{ask, runtime};
use crate::arguments::{Demo, Fault, Import};
use crate::config::Config;
use crate::output::say;
use crate::reach::Reach;

/// The scene that is replayed where nothing can be captured: two faults' worth of seconds at the hub's bridge.
const RECORDED: &[u8] = include_bytes!("../../../demo/shop.pcapng.gz");
/// The same scene's names.
const RECORDED_NAMES: &str = include_str!("../../../demo/shop.names");
/// How long `up` may take to listen.
const START: Duration = Duration::from_secs(20);
/// How long a call may take to be visible after it ended, and room.
const SETTLE: Duration = Duration::from_secs(3);

const QUESTIONS: [&str; 3] =
    ["what is going on?", "which calls failed and why?", "what changed since the fault?"];

pub(crate) fn run(config: &Config, demo: Demo) -> Result<()> {
    if let Some((part, arguments)) = demo.part.split_first() {
        return runtime()?.block_on(part::play(part, arguments));
    }
    let directory = tempfile::Builder::new()
        .prefix("wirewise-demo-")
        .tempdir()
        .context("make a directory for the demo")?;
    let mut config = config.clone();
    config.data = directory.path().join("data");
    config.common.url = None;
    config.common.dataset = None;
    runtime()?.block_on(async {
        tokio::select! {
            ended = play(&config, &demo, directory.path()) => ended,
            () = Stop::listen()?.heard() => {
                say("\nTaking the shop away.")?;
                Ok(())
            }
        }
    })
}

async fn play(config: &Config, demo: &Demo, directory: &Path) -> Result<()> {
    let live = if demo.replay { Err("a replay was asked for".to_owned()) } else { shop::possible() };
    let fault = demo.fault.unwrap_or_else(picked);
    let address = free_address(config.listen)?;
    // Dropped in reverse order: first the one that listens, then the shop below it.
    let shop;
    let up;
    match live {
        Ok(()) => {
            say(
                "Opening a shop in network namespaces of its own: gateway, orders, payments (two versions), inventory, dnsmasq, Redis.",
            )?;
            shop = shop::Shop::open(directory).await.context("open the shop")?;
            up = Up::start(config, address, &["--netns", shop.hub(), "--names", path(&shop.names())?])?;
            up.wait().await?;
            say(&format!("Steady load for {} s ...", demo.before))?;
            tokio::time::sleep(Duration::from_secs(demo.before)).await;
            say(&format!("A fault: {}. {} s more ...", shop::told(fault), demo.during))?;
            shop.break_it(fault)?;
            tokio::time::sleep(Duration::from_secs(demo.during)).await;
            tokio::time::sleep(SETTLE).await;
        }
        Err(why) => {
            say(&format!("No live capture: {why}."))?;
            say(&format!("Replaying a capture of the same scene instead: {}.", shop::told(Fault::Slow)))?;
            import(config, directory)?;
            up = Up::start(config, address, &["--no-capture"])?;
            up.wait().await?;
        }
    }
    let reach = Reach::to_read(config).await?;
    for question in QUESTIONS {
        say(&format!("\n$ wirewise ask \"{question}\""))?;
        let answer = reach.ask(&Question { question: question.to_owned(), dataset: None }).await?;
        say(&crate::output::printable(&ask::told(&answer)))?;
        if answer.citations.is_empty() && !answer.refused {
            bail!("the answer cites nothing");
        }
    }
    say(&format!(
        "\nServing on http://{address} (the browser asks for a password: the token in {}).",
        wirewise_assistant::token::Token::path(&config.data).display()
    ))?;
    say(&format!("Ask on: wirewise --data {} ask \"who calls payments?\"", config.data.display()))?;
    if demo.once {
        return Ok(());
    }
    say("Ctrl-C ends it and takes everything away.")?;
    up.ended().await
}

/// A fault that differs from run to run.
fn picked() -> Fault {
    match std::process::id() % 3 {
        0 => Fault::Slow,
        1 => Fault::Errors,
        _ => Fault::Nxdomain,
    }
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().with_context(|| format!("{} is no UTF-8", path.display()))
}

/// The address that was configured, or a free port beside it where that is taken.
fn free_address(configured: SocketAddr) -> Result<SocketAddr> {
    let free = |address: SocketAddr| TcpListener::bind(address).and_then(|listener| listener.local_addr());
    free(configured).or_else(|_| free(SocketAddr::new(configured.ip(), 0))).context("find a free port")
}

fn import(config: &Config, directory: &Path) -> Result<()> {
    let (capture, names) = (directory.join("shop.pcapng.gz"), directory.join("shop.names"));
    std::fs::write(&capture, RECORDED).with_context(|| format!("write {}", capture.display()))?;
    std::fs::write(&names, RECORDED_NAMES).with_context(|| format!("write {}", names.display()))?;
    super::import::import(config, &Import { files: vec![capture], names: Some(names) })?;
    Ok(())
}

/// `wirewise up` as a process of its own, so that it can give up the privileges that the shop still needs.
struct Up {
    child: Child,
    data: std::path::PathBuf,
}

impl Up {
    fn start(config: &Config, address: SocketAddr, arguments: &[&str]) -> Result<Self> {
        let program = std::env::current_exe().context("find this program")?;
        let mut command = Command::new(program);
        command
            .args(["up", "--listen", &address.to_string()])
            .arg("--data")
            .arg(&config.data)
            .args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null());
        Ok(Self { child: command.spawn().context("start `wirewise up`")?, data: config.data.clone() })
    }

    /// Waits until it says that it owns the directory.
    async fn wait(&self) -> Result<()> {
        let began = Instant::now();
        while began.elapsed() < START {
            if self.data.join("owner.json").is_file() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        bail!("`wirewise up` did not start within {} s", START.as_secs())
    }

    /// Waits until it ends by itself, which it should not.
    async fn ended(mut self) -> Result<()> {
        loop {
            if let Some(status) = self.child.try_wait()? {
                bail!("`wirewise up` ended: {status}");
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        scene::end(&mut self.child);
    }
}
