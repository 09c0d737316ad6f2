//! What can go wrong before frames flow, by what the caller can do about it.

use std::io;
use std::path::PathBuf;

use crate::filter::FilterError;

/// Why frames cannot be had. What is wrong *inside* a capture is a warning and a line in the books instead.
#[derive(Debug, thiserror::Error)]
pub enum CaptureError {
    /// The file is not there, or may not be read.
    #[error("cannot open {}: expected a readable capture file", path.display())]
    Open {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A directory, pipe, socket or device.
    #[error("{} is {found}: expected a regular file, since it is read twice (its digest names the capture)", path.display())]
    NotAFile {
        /// Which.
        path: PathBuf,
        /// What it is.
        found: &'static str,
    },
    /// A file without a byte.
    #[error("{} is empty: expected a pcap or pcapng file, plain or gzipped", path.display())]
    Empty {
        /// Which.
        path: PathBuf,
    },
    /// A file of another kind.
    #[error("{} is not a capture: expected pcap or pcapng, plain or gzipped, but {found}", path.display())]
    NotACapture {
        /// Which.
        path: PathBuf,
        /// How it begins.
        found: String,
    },
    /// The disk failed while the file was read.
    #[error("cannot read {} at byte {offset}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// How far it went.
        offset: u64,
        /// What the system said.
        source: io::Error,
    },
    /// The file is another one by now, so packet numbers mean nothing in it.
    #[error("{} changed since it was imported: its digest is {found}, expected {expected}", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
        /// Of the import.
        expected: String,
        /// Of today.
        found: String,
    },
    /// The capture could not be written.
    #[error("cannot write the capture file")]
    Write(#[source] io::Error),
    /// No interface of that name.
    #[error("no interface {name}: expected one of {known}")]
    NoInterface {
        /// What was asked for.
        name: String,
        /// Those that exist, separated by commas.
        known: String,
    },
    /// No such network namespace, or it may not be entered.
    #[error(
        "cannot enter network namespace {name}: expected a name under /run/netns, a path or a process id, and the capability CAP_SYS_ADMIN (run under sudo)"
    )]
    Netns {
        /// What was asked for.
        name: String,
        /// What the system said.
        source: io::Error,
    },
    /// This process may not listen.
    #[error(
        "not permitted to {what}: run under sudo, or give the program the capability once with `sudo setcap cap_net_raw+ep {program}`"
    )]
    NotPermitted {
        /// What was tried.
        what: &'static str,
        /// The program that would need the capability.
        program: String,
        /// What the system said.
        source: io::Error,
    },
    /// The filter expression cannot be used.
    #[error("cannot use the capture filter")]
    Filter(#[from] FilterError),
    /// A system call failed that should not.
    #[error("{call} failed")]
    System {
        /// Which.
        call: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Root was to be given up, and was not.
    #[error("still privileged after becoming the caller: {0}")]
    StillPrivileged(String),
}

impl CaptureError {
    /// A failed system call; refusals for want of privilege say what to do.
    pub(crate) fn system(call: &'static str) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.raw_os_error() {
            Some(libc::EPERM | libc::EACCES) => {
                let program = std::env::current_exe()
                    .map_or_else(|_| "wirewise".into(), |path| path.display().to_string());
                Self::NotPermitted { what: call, program, source }
            }
            _ => Self::System { call, source },
        }
    }
}
