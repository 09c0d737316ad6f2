//! Where a scenario runs: namespaces of network, processes and mounts, and a directory, all of which go with it.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use tempfile::TempDir;
use wirewise_capture::Netns;

/// A server's longest start on a machine that builds beside it.
const DEADLINE: Duration = Duration::from_secs(120);
/// The longest that a script runs, client or server: one that hangs fails its scenario.
const SCRIPT_SECONDS: u32 = 180;
/// Of a program's words, those that are shown when its scenario fails.
const WORDS_SHOWN: usize = 3000;

/// A program that a scenario runs, and the Debian package that brings it.
pub(crate) struct Need {
    pub(crate) program: &'static str,
    pub(crate) package: &'static str,
}

/// What every scenario runs.
const ALWAYS: &[Need] = &[
    Need { program: "unshare", package: "util-linux" },
    Need { program: "nsenter", package: "util-linux" },
    Need { program: "setpriv", package: "util-linux" },
    Need { program: "ip", package: "iproute2" },
    Need { program: "tcpdump", package: "tcpdump" },
    Need { program: "tshark", package: "tshark" },
];
/// Where programs of servers lie besides PATH.
const MORE_PLACES: &[&str] = &["/usr/sbin", "/sbin"];

/// The namespaces, their first process, and what was started in them. When the first process ends, the kernel ends all
/// others; it ends when its standard input does, so even a killed test leaves nothing running.
pub(crate) struct Ground {
    first: Child,
    others: Mutex<Vec<Child>>,
    directory: TempDir,
    python: PathBuf,
}

impl Ground {
    /// `None` where something is missing here, having said so.
    pub(crate) fn new(name: &str, needs: &[Need]) -> Option<Self> {
        match Self::try_new(name, needs) {
            Ok(ground) => Some(ground),
            Err(reason) => {
                assert!(
                    std::env::var("WIREWISE_REQUIRE").as_deref() != Ok("all"),
                    "{name} is required: {reason}"
                );
                println!("SKIPPED(live {name}): {reason}");
                None
            }
        }
    }

    fn try_new(name: &str, needs: &[Need]) -> Result<Self, String> {
        for need in ALWAYS.iter().chain(needs) {
            if program(need.program).is_none() {
                return Err(format!("{} is missing (Debian package {})", need.program, need.package));
            }
        }
        let python = std::env::var_os("WIREWISE_LIVE_PYTHON").ok_or(
            "WIREWISE_LIVE_PYTHON names no Python with the clients' packages; cargo xtask test sets it",
        )?;
        let directory = tempfile::Builder::new()
            .prefix(&format!("wirewise-live-{name}-"))
            .permissions(fs::Permissions::from_mode(0o755))
            .tempdir()
            .map_err(|error| format!("no directory: {error}"))?;
        let mut first = Command::new("unshare")
            .args(["--net", "--pid", "--mount-proc", "--fork", "--kill-child", "--", "sh", "-c"])
            .arg("ip link set lo up && echo ready && read -r the_end")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("unshare: {error}"))?;
        let mut said = String::new();
        let read = BufReader::new(first.stdout.take().unwrap()).read_line(&mut said);
        if read.is_err() || said != "ready\n" {
            let output = first.wait_with_output().unwrap();
            return Err(format!("no namespaces: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        Ok(Self { first, others: Mutex::default(), directory, python: python.into() })
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A file of the scenario's directory, readable by a server that is not root. Gives its path as text.
    pub(crate) fn file(&self, name: &str, text: &str) -> String {
        let path = self.path(name);
        fs::write(&path, text).unwrap();
        text_of(&path)
    }

    /// A folder of the scenario's directory, which belongs to that user. Gives its path as text.
    pub(crate) fn folder(&self, name: &str, owner: Option<&str>) -> String {
        let path = self.path(name);
        fs::create_dir(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        if let Some(owner) = owner {
            self.run(self.command("chown").arg(owner).arg(&path));
        }
        text_of(&path)
    }

    /// A program in the namespaces, in the scenario's directory, with its home there.
    pub(crate) fn command(&self, name: &str) -> Command {
        let found = program(name).unwrap_or_else(|| panic!("{name} is not here"));
        let mut command = Command::new("nsenter");
        let id = self.first.id();
        for (flag, file) in [("--net", "net"), ("--mount", "mnt"), ("--pid", "pid_for_children")] {
            command.arg(format!("{flag}=/proc/{id}/ns/{file}"));
        }
        command.arg(format!("--wd={}", self.directory.path().display())).arg("--").arg(found);
        command.env("HOME", self.directory.path()).stdin(Stdio::null());
        command
    }

    /// The same as another user, for servers that refuse root.
    pub(crate) fn command_as(&self, user: &str, name: &str) -> Command {
        let found = program(name).unwrap_or_else(|| panic!("{name} is not here"));
        let mut command = self.command("setpriv");
        command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]).arg(found);
        command
    }

    /// The Python that has the clients' packages, with a script beside this file.
    pub(crate) fn python(&self, script: &str) -> Command {
        let mut command = self.command("timeout");
        command
            .arg(SCRIPT_SECONDS.to_string())
            .arg(&self.python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/live").join(script));
        command.env("PYTHONDONTWRITEBYTECODE", "1").env("PYTHONUNBUFFERED", "1");
        command
    }

    /// Runs to its end, and must do well. Gives what it printed.
    pub(crate) fn run(&self, command: &mut Command) -> String {
        let output = command.output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{command:?} failed: {}\n{errors}", output.status);
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    /// Starts what runs until the scenario ends. What it says is kept in `NAME.log`.
    pub(crate) fn start(&self, name: &str, command: &mut Command) {
        let log = File::create(self.path(&format!("{name}.log"))).unwrap();
        let child = command.stdout(log.try_clone().unwrap()).stderr(log).spawn().unwrap();
        self.others.lock().unwrap().push(child);
    }

    /// Waits until a socket of TCP listens, without connecting: nothing of it shall be heard.
    pub(crate) fn wait_tcp(&self, port: u16) {
        self.wait_socket(&["tcp", "tcp6"], port, Some("0A"));
    }

    /// Waits until a socket of UDP is bound.
    pub(crate) fn wait_udp(&self, port: u16) {
        self.wait_socket(&["udp", "udp6"], port, None);
    }

    fn wait_socket(&self, tables: &[&str], port: u16, state: Option<&str>) {
        let end = format!(":{port:04X}");
        self.wait(&format!("a socket on port {port}"), || {
            let table = |name: &&str| fs::read_to_string(format!("/proc/{}/net/{name}", self.first.id()));
            tables.iter().filter_map(|name| table(name).ok()).any(|text| {
                text.lines().skip(1).any(|line| {
                    let mut words = line.split_whitespace().skip(1);
                    let local = words.next().is_some_and(|local| local.ends_with(&end));
                    local && state.is_none_or(|state| words.nth(1) == Some(state))
                })
            })
        });
    }

    /// Waits until a program that was started has said something.
    pub(crate) fn wait_said(&self, name: &str, words: &str) {
        let path = self.path(&format!("{name}.log"));
        self.wait(&format!("{name} says {words:?}"), || {
            fs::read_to_string(&path).is_ok_and(|text| text.contains(words))
        });
    }

    pub(crate) fn wait(&self, what: &str, mut until: impl FnMut() -> bool) {
        let deadline = Instant::now() + DEADLINE;
        while !until() {
            assert!(Instant::now() < deadline, "{what}: waited in vain");
            for child in self.others.lock().unwrap().iter_mut() {
                if let Some(status) = child.try_wait().unwrap() {
                    assert!(status.success(), "waiting for {what}, and a program ended: {status}");
                }
            }
            std::thread::park_timeout(Duration::from_millis(10));
        }
    }

    /// Sends one datagram in the namespace, to a port where nobody listens.
    pub(crate) fn datagram(&self, text: &[u8]) {
        let netns = Netns::new(format!("/proc/{}/ns/net", self.first.id()));
        let socket = netns.within(|| UdpSocket::bind("127.0.0.1:0")).unwrap().unwrap();
        socket.send_to(text, "127.0.0.1:9").unwrap();
    }

    fn words(&self) -> String {
        let mut words = String::new();
        for entry in fs::read_dir(self.directory.path()).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.extension().is_some_and(|extension| extension == "log") {
                let text = String::from_utf8_lossy(&fs::read(&path).unwrap_or_default()).into_owned();
                let skipped = text.chars().count().saturating_sub(WORDS_SHOWN);
                let end: String = text.chars().skip(skipped).collect();
                let _ = writeln!(words, "--- {}\n{end}", path.display());
            }
        }
        words
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        if std::thread::panicking() {
            println!("{}", self.words());
        }
        self.first.kill().ok();
        self.first.wait().ok();
        for mut child in self.others.lock().unwrap_or_else(std::sync::PoisonError::into_inner).drain(..) {
            child.kill().ok();
            child.wait().ok();
        }
    }
}

pub(crate) fn text_of(path: &Path) -> String {
    path.to_str().expect("paths of tests are text").to_owned()
}

/// A program by its name, in PATH or where servers lie; PostgreSQL's lie by version. By its path, where it is one.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    if name.contains('/') {
        return Some(PathBuf::from(name)).filter(|path| path.is_file());
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(MORE_PLACES.iter().map(PathBuf::from))
        .chain(versions.map(|version| version.path().join("bin")))
        .map(|directory| directory.join(name))
        .find(|program| program.is_file())
}
