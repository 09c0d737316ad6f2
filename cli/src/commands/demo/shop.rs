//! The shop's streets: a bridge in a namespace of its own, and a namespace a service on it.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use wirewise_capture::Privileges;

use super::scene::{Actor, Namespace, ip};
use crate::arguments::Fault;

/// The shop's network. Private, and reached by nobody else: the bridge has no way out.
const NETWORK: &str = "10.77.0";
/// Who answers DNS.
pub(super) const DNS: &str = "10.77.0.53";

/// A stall: its namespace and part, the last byte of its address, the name it is known by, its version.
struct Stall {
    part: &'static str,
    host: u8,
    name: &'static str,
    version: Option<&'static str>,
}

const STALLS: &[Stall] = &[
    Stall { part: "dns", host: 53, name: "dns", version: None },
    Stall { part: "redis", host: 60, name: "redis", version: None },
    Stall { part: "inventory", host: 40, name: "inventory", version: Some("v1") },
    Stall { part: "payments1", host: 30, name: "payments", version: Some("v1") },
    Stall { part: "payments2", host: 31, name: "payments", version: Some("v2") },
    Stall { part: "orders", host: 20, name: "orders", version: Some("v1") },
    Stall { part: "gateway", host: 10, name: "gateway", version: Some("v1") },
    Stall { part: "shoppers", host: 100, name: "shoppers", version: None },
];

/// What a fault is, for people.
pub(super) fn told(fault: Fault) -> &'static str {
    match fault {
        Fault::Slow => "inventory takes half a second longer",
        Fault::Errors => "version 2 of payments answers 500",
        Fault::Nxdomain => "orders asks for a name that does not exist",
    }
}

/// Whether the shop can be opened and heard here; if not, why.
pub(super) fn possible() -> Result<(), String> {
    let privileges = Privileges::probe();
    privileges.packets.map_err(|why| format!("packets cannot be heard: {why}"))?;
    privileges.namespaces.map_err(|why| format!("network namespaces cannot be made: {why}"))?;
    for program in ["ip", "dnsmasq", "redis-server"] {
        if find(program).is_none() {
            return Err(format!("{program} is not installed"));
        }
    }
    // The namespace itself is tried: containers often hold the capability and forbid the mount.
    Namespace::make(format!("ww{}-try", std::process::id())).map(drop).map_err(|error| format!("{error:#}"))
}

fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin"].map(PathBuf::from);
    std::env::split_paths(&path)
        .chain(more)
        .map(|directory| directory.join(program))
        .find(|program| program.is_file())
}

/// The shop, open until it is dropped.
pub(super) struct Shop {
    // Dropped in this order: who acts, then where.
    _actors: Vec<Actor>,
    _stalls: Vec<Namespace>,
    hub: Namespace,
    directory: PathBuf,
}

impl Shop {
    /// Opens it: namespaces, servers, services, shoppers, in the order in which they need each other.
    pub(super) async fn open(directory: &Path) -> Result<Self> {
        let prefix = format!("ww{}", std::process::id());
        let hub = Namespace::make(format!("{prefix}-hub"))?;
        hub.ip(&["link", "add", "shop0", "type", "bridge"])?;
        hub.ip(&["link", "set", "shop0", "up"])?;
        let mut stalls = Vec::new();
        for stall in STALLS {
            let namespace = Namespace::make(format!("{prefix}-{}", stall.part))?;
            let outside = stall.part;
            ip(&[
                "link",
                "add",
                "eth0",
                "netns",
                &namespace.name,
                "type",
                "veth",
                "peer",
                "name",
                outside,
                "netns",
                &hub.name,
            ])?;
            hub.ip(&["link", "set", outside, "master", "shop0", "up"])?;
            namespace.ip(&["addr", "add", &format!("{NETWORK}.{}/24", stall.host), "dev", "eth0"])?;
            namespace.ip(&["link", "set", "eth0", "up"])?;
            stalls.push(namespace);
        }
        let mut shop = Self { _actors: Vec::new(), _stalls: stalls, hub, directory: directory.to_owned() };
        std::fs::write(shop.names(), names()).context("write the shop's names")?;
        for (index, stall) in STALLS.iter().enumerate() {
            let command = shop.command(stall, &shop._stalls[index])?;
            let log = directory.join(format!("{}.log", stall.part));
            let mut actor = Actor::start(command, &log)?;
            tokio::time::sleep(Duration::from_millis(250)).await;
            if !actor.runs() {
                bail!(
                    "{} ended at once: {}",
                    stall.part,
                    std::fs::read_to_string(&log).unwrap_or_default().trim()
                );
            }
            shop._actors.push(actor);
        }
        Ok(shop)
    }

    /// The namespace in which everything can be heard.
    pub(super) fn hub(&self) -> &str {
        &self.hub.name
    }

    /// The file that names its addresses.
    pub(super) fn names(&self) -> PathBuf {
        self.directory.join("shop.names")
    }

    /// Lets the fault begin.
    pub(super) fn break_it(&self, fault: Fault) -> Result<()> {
        let word = match fault {
            Fault::Slow => "slow",
            Fault::Errors => "errors",
            Fault::Nxdomain => "nxdomain",
        };
        std::fs::write(self.directory.join("fault"), word).context("write the fault")
    }

    fn command(&self, stall: &Stall, namespace: &Namespace) -> Result<Command> {
        let address = format!("{NETWORK}.{}", stall.host);
        let program = |name: &str| find(name).with_context(|| format!("{name} is not installed"));
        Ok(match stall.part {
            "dns" => {
                let hosts = self.directory.join("hosts");
                std::fs::write(&hosts, hosts_file()).context("write the shop's hosts")?;
                let mut command = namespace.command(&program("dnsmasq")?);
                command.args([
                    "--keep-in-foreground",
                    "--no-resolv",
                    "--no-hosts",
                    "--conf-file=/dev/null",
                    "--pid-file=",
                    "--user=root",
                    "--local-ttl=2",
                    "--local=/shop/",
                ]);
                command
                    .arg(format!("--listen-address={address}"))
                    .arg("--bind-interfaces")
                    .arg(format!("--addn-hosts={}", hosts.display()));
                command
            }
            "redis" => {
                let mut command = namespace.command(&program("redis-server")?);
                command.args([
                    "--bind",
                    &address,
                    "--port",
                    "6379",
                    "--protected-mode",
                    "no",
                    "--save",
                    "",
                    "--appendonly",
                    "no",
                    "--daemonize",
                    "no",
                ]);
                command.current_dir(&self.directory);
                command
            }
            part => {
                let mut command = namespace.command(&std::env::current_exe().context("find this program")?);
                let fault = self.directory.join("fault");
                command.args(["demo", "--part", part, &address]).arg(fault);
                command
            }
        })
    }
}

/// The names of the shop's addresses, for `--names`.
fn names() -> String {
    let line = |stall: &Stall| {
        let version = stall.version.map_or_else(String::new, |version| format!(" version={version}"));
        format!("{NETWORK}.{} {}{version}\n", stall.host, stall.name)
    };
    STALLS.iter().map(line).collect()
}

/// What dnsmasq serves: `payments.shop` has two addresses.
fn hosts_file() -> String {
    STALLS.iter().map(|stall| format!("{NETWORK}.{} {}.shop\n", stall.host, stall.name)).collect()
}
