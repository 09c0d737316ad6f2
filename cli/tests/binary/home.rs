//! A user with an empty home, and what they run.

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use serde_json::Value;
use tempfile::TempDir;

/// Says loudly that a test did not run; fails instead where everything is required.
pub(crate) fn skipped(feature: &str, reason: &str) {
    assert!(std::env::var("WIREWISE_REQUIRE").as_deref() != Ok("all"), "{feature} is required: {reason}");
    eprintln!("SKIPPED({feature}): {reason}");
}

/// Whether a program can be run here.
pub(crate) fn has(program: &str) -> bool {
    Command::new(program).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

/// A client of HTTP.
pub(crate) fn http_client() -> reqwest::Client {
    // An error says that it was chosen before, by another test.
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::new()
}

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap()) == 0
}

/// The program under test.
pub(crate) fn program() -> PathBuf {
    std::env::var_os("WIREWISE_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_wirewise").into()).into()
}

/// A home with configuration, data and whatever else a test puts there.
pub(crate) struct Home {
    pub(crate) directory: TempDir,
}

/// What a command did.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
    label: String,
}

impl fmt::Display for Ran {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` ended {:?}\n{}\n{}", self.label, self.code, self.out, self.err)
    }
}

impl Ran {
    pub(crate) fn of(label: String, output: &Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            label,
        }
    }

    /// Its output, if it was done.
    #[track_caller]
    pub(crate) fn done(self) -> String {
        assert_eq!(self.code, Some(0), "{self}");
        self.out
    }

    /// Its output as one JSON document, if it was done.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        let text = self.done();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// That it failed, with this code, and says each of the words on standard error, in one line without a panic.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, words: &[&str]) {
        assert_eq!(self.code, Some(code), "{self}");
        for word in words {
            assert!(self.err.contains(word), "it does not say `{word}`: {self}");
        }
        assert!(!self.err.contains("panicked") && !self.err.contains("RUST_BACKTRACE"), "{self}");
        assert!(self.out.is_empty(), "what failed prints no result: {self}");
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    /// A path in it.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file in it.
    pub(crate) fn file(&self, name: &str, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// The data directory.
    pub(crate) fn data(&self) -> PathBuf {
        self.path("share/wirewise")
    }

    /// A command of this user: in this home, and with nothing else of whoever runs the test.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program());
        self.dress(&mut command);
        command.args(arguments);
        command
    }

    /// Gives a command the environment of this user.
    pub(crate) fn dress(&self, command: &mut Command) {
        command.env_clear().current_dir(self.directory.path()).stdin(Stdio::null());
        let path = std::env::var_os("PATH").unwrap_or_default();
        command.env("PATH", path).env("HOME", self.directory.path());
        command.env("XDG_CONFIG_HOME", self.path("config")).env("XDG_DATA_HOME", self.path("share"));
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let output = self.command(arguments).output().unwrap();
        Ran::of(format!("wirewise {}", arguments.join(" ")), &output)
    }

    /// Imports a capture that is made of these bytes.
    #[track_caller]
    pub(crate) fn import(&self, name: &str, capture: &[u8]) -> Value {
        self.file(name, capture);
        self.run(&["import", name, "-o", "json"]).json()
    }

    /// Rows of a query.
    #[track_caller]
    pub(crate) fn query(&self, sql: &str) -> Vec<Value> {
        let rows = self.run(&["query", sql, "-o", "json"]).json();
        rows.as_array().unwrap().clone()
    }

    /// The number that a query gives.
    #[track_caller]
    pub(crate) fn count(&self, sql: &str) -> u64 {
        let rows = self.query(sql);
        rows[0].as_object().unwrap().values().next().unwrap().as_u64().unwrap()
    }

    /// `wirewise up --no-capture` on a free port, once it serves.
    pub(crate) fn up(&self, arguments: &[&str]) -> Up {
        let mut command = self.command(&["up", "--no-capture", "--listen", "127.0.0.1:0"]);
        Up::start(command.args(arguments))
    }

    /// The token that `up` made.
    pub(crate) fn token(&self) -> String {
        std::fs::read_to_string(self.data().join("token")).unwrap().trim().to_owned()
    }
}

/// A server that runs until it is dropped.
pub(crate) struct Up {
    child: Child,
    pub(crate) url: String,
    log: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Up {
    /// Starts it and waits for the line that says where it serves.
    #[track_caller]
    pub(crate) fn start(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap());
        let log = Arc::new(Mutex::new(String::new()));
        let url = loop {
            let mut line = String::new();
            let read = lines.read_line(&mut line).unwrap();
            log.lock().unwrap().push_str(&line);
            assert!(read > 0, "it never served: {}", log.lock().unwrap());
            if let Some((_, rest)) = line.split_once("Serving on ") {
                break rest.split(' ').next().unwrap().to_owned();
            }
        };
        let kept = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            let mut line = String::new();
            while lines.read_line(&mut line).unwrap_or(0) > 0 {
                kept.lock().unwrap().push_str(&line);
                line.clear();
            }
        });
        Self { child, url, log, reader: Some(reader) }
    }

    /// Ends it as Ctrl-C would, and gives all that it said.
    #[track_caller]
    pub(crate) fn stop(mut self) -> String {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let status = self.child.wait().unwrap();
        self.reader.take().unwrap().join().unwrap();
        let mut said = self.log.lock().unwrap().clone();
        self.child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        assert!(status.success(), "{status}: {said}");
        said
    }

    /// Ends it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Up {
    fn drop(&mut self) {
        // It has ended already where the test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Every file under a directory.
pub(crate) fn files(under: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(under).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}
