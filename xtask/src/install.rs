//! What a machine lacks: said first, installed after a yes. Nothing is started as a service.

use std::io::{BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};

use crate::place::{self, find_program, show_and_run};

/// A program, the Debian package that brings it, and what it is for.
pub(crate) struct Need {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
    pub(crate) purpose: &'static str,
}

const CC: Need = Need { program: "cc", package: "gcc", purpose: "builds crates with C in them (zstd, ring)" };
const LIBC: Need = Need { program: "make", package: "make", purpose: "the same" };
const IP: Need =
    Need { program: "ip", package: "iproute2", purpose: "makes the network namespaces that are captured in" };
const DNSMASQ: Need = Need {
    program: "dnsmasq",
    package: "dnsmasq-base",
    purpose: "answers DNS in the demo's shop and in tests",
};
const REDIS: Need =
    Need { program: "redis-server", package: "redis-server", purpose: "keeps the stock of the demo's shop" };
const TSHARK: Need = Need { program: "tshark", package: "tshark", purpose: "the peer of benchmarks" };
const PYTHON: Need =
    Need { program: "python3", package: "python3", purpose: "runs the other side of tests and benchmarks" };
const VENV: Need = Need { program: "pip3", package: "python3-pip", purpose: "installs the same from PyPI" };
const NODE: Need = Need { program: "node", package: "nodejs", purpose: "runs the official MCP inspector" };
const NPM: Need = Need { program: "npm", package: "npm", purpose: "installs it" };
const CURL: Need = Need { program: "curl", package: "curl", purpose: "a real HTTP client for tests" };

const TCPDUMP: Need =
    Need { program: "tcpdump", package: "tcpdump", purpose: "keeps the packets of live scenarios" };

/// A server of a live scenario.
const fn server(program: &'static str, package: &'static str) -> Need {
    Need { program, package, purpose: "a real server for live scenarios" }
}

/// What builds the product.
pub(crate) const BUILD: &[Need] = &[CC, LIBC];
/// What the demo runs.
pub(crate) const DEMO: &[Need] = &[IP, DNSMASQ, REDIS];
/// What tests talk to, and benchmarks compare with, when nothing may be skipped.
pub(crate) const EVERYTHING: &[Need] = &[TSHARK, PYTHON, VENV, NODE, NPM, CURL];
/// What live scenarios run: servers, and clients that are no packages of Python.
pub(crate) const LIVE: &[Need] = &[
    TCPDUMP,
    server("rabbitmq-server", "rabbitmq-server"),
    server("freeDiameterd", "freediameterd"),
    server("openssl", "openssl"),
    server("slapd", "slapd"),
    Need { program: "ldapsearch", package: "ldap-utils", purpose: "a real client of LDAP" },
    server("mosquitto", "mosquitto"),
    server("mariadbd", "mariadb-server-core"),
    Need {
        program: "my_print_defaults",
        package: "mariadb-client-core",
        purpose: "asked by the script that makes MariaDB's tables",
    },
    server("nats-server", "nats-server"),
    server("postgres", "postgresql"),
    server("freeradius", "freeradius"),
];
/// Clients of live scenarios, and the servers that are Python's. Versions stand still, for logs depend on what a library
/// does unasked.
pub(crate) const LIVE_PYTHON: &[&str] = &[
    "redis==8.1.0",
    "pika==1.4.4",
    "psycopg[binary]==3.3.9",
    "PyMySQL==1.2.4",
    "paho-mqtt==2.2.0",
    "nats-py==2.16.0",
    "grpcio==1.85.3",
    "httpx[http2]==0.28.1",
    "hypercorn==0.18.0",
    "websockets==17.4",
    "strawberry-graphql[asgi]==0.341.2",
    "gql[httpx]==4.4.0",
    "ldap3==2.9.1",
    "pyrad==2.6.0",
    "python-diameter==0.9.0",
];

/// Installs what is missing of `needs`, by apt-get, after showing it and (on a terminal, without `yes`) asking.
/// Says what is missing and goes on where it may not install.
pub(crate) fn debian(needs: &[&[Need]], yes: bool) -> Result<()> {
    let missing: Vec<&Need> =
        needs.iter().copied().flatten().filter(|need| find_program(need.program).is_none()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("Missing on this machine:");
    for need in &missing {
        eprintln!("  {:14} {}  (Debian package {})", need.program, need.purpose, need.package);
    }
    if find_program("apt-get").is_none() {
        eprintln!("This is no Debian machine: please install them with its own package manager.");
        return Ok(());
    }
    let root = is_root();
    if !root && find_program("sudo").is_none() {
        eprintln!("Not root, and no sudo here: going on without them.");
        return Ok(());
    }
    if !yes && !agreed("Install them with apt-get?")? {
        eprintln!("Going on without them.");
        return Ok(());
    }
    let apt = |arguments: &[&str]| {
        let mut command = if root { Command::new("apt-get") } else { Command::new("sudo") };
        if !root {
            command.arg("apt-get");
        }
        command.env("DEBIAN_FRONTEND", "noninteractive").args(arguments);
        show_and_run(&mut command)
    };
    let service = policy_file();
    // Packages of servers start them when they are installed. A policy that says no keeps them still; a package
    // manager asks it by a script of that name (invoke-rc.d(8)). Ours is taken away afterwards.
    let ours = root && !service.exists() && write_policy(&service).is_ok();
    apt(&["update", "-qq"])?;
    let mut arguments = vec!["install", "-y", "-qq", "--no-install-recommends"];
    arguments.extend(missing.iter().map(|need| need.package));
    let installed = apt(&arguments);
    if ours {
        let _ = std::fs::remove_file(&service);
    }
    installed
}

fn policy_file() -> PathBuf {
    PathBuf::from("/usr/sbin/policy-rc.d")
}

fn write_policy(path: &std::path::Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, "#!/bin/sh\nexit 101\n")?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755))
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").expect("/proc is mounted")) == 0
}

/// Asks on a terminal. Without one, `--yes` or `CI` has to say it.
fn agreed(question: &str) -> Result<bool> {
    if place::require_all() || std::env::var_os("CI").is_some() {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    eprint!("{question} [Y/n] ");
    std::io::stderr().flush()?;
    let mut line = String::new();
    std::io::stdin().lock().read_line(&mut line)?;
    Ok(matches!(line.trim(), "" | "y" | "Y" | "yes"))
}

/// A cargo tool from the crate registry, kept in [`place::tools`].
pub(crate) fn cargo_tool(name: &str, version: &str) -> Result<PathBuf> {
    if let Some(program) = find_program(name) {
        return Ok(program);
    }
    let home = place::tools().join("cargo");
    let program = home.join("bin").join(name);
    if !program.is_file() {
        let mut install = place::cargo();
        install.args(["install", "--locked", "--debug", "--version", version, name, "--root"]).arg(&home);
        // Its own build output: it shares no profile with ours, and is not needed again.
        install.env("CARGO_TARGET_DIR", place::tools().join("build"));
        show_and_run(&mut install)?;
        let _ = std::fs::remove_dir_all(place::tools().join("build"));
    }
    Ok(program)
}

/// Python with packages of PyPI, in an environment of its own by that name.
pub(crate) fn python_with(name: &str, packages: &[&str]) -> Result<PathBuf> {
    let home = place::tools().join(name);
    let marker = home.join("installed");
    let wanted = packages.join("\n");
    let python = home.join("bin/python3");
    if std::fs::read_to_string(&marker).ok().as_deref() == Some(&wanted) && python.is_file() {
        return Ok(python);
    }
    let base = find_program("python3");
    ensure!(base.is_some(), "python3 is missing");
    let system = base.expect("checked just now");
    show_and_run(Command::new(&system).args(["-m", "venv"]).arg(&home))?;
    show_and_run(Command::new(&python).args(["-m", "pip", "install", "--quiet"]).args(packages))?;
    std::fs::write(marker, wanted)?;
    Ok(python)
}

/// A package of npm, in a folder of its own; gives the program that it brings.
pub(crate) fn npm_program(package: &str, program: &str) -> Result<PathBuf> {
    let home = place::tools().join("npm");
    let path = home.join("node_modules/.bin").join(program);
    if !path.exists() {
        ensure!(find_program("npm").is_some(), "npm is missing");
        std::fs::create_dir_all(&home)?;
        show_and_run(
            Command::new("npm")
                .args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"])
                .arg(&home)
                .arg(package),
        )?;
    }
    Ok(path)
}
