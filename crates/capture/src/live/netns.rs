//! Network namespaces, chosen as `ip netns` would: by name, by path, or by a process that lives in one.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;

use crate::{CaptureError, sys};

/// Another network namespace.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Netns {
    name: String,
}

impl Netns {
    /// `orders` (under /run/netns), a path such as `/proc/7/ns/net`, or the number of a process.
    pub fn new(name: impl Into<String>) -> Self {
        Self { name: name.into() }
    }

    /// As it was asked for.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The namespace's inode, by which `/proc/<pid>/ns/net` tells it from others.
    pub fn inode(&self) -> io::Result<u64> {
        std::fs::metadata(self.path()).map(|metadata| metadata.ino())
    }

    fn path(&self) -> PathBuf {
        if self.name.contains('/') {
            PathBuf::from(&self.name)
        } else if !self.name.is_empty() && self.name.bytes().all(|byte| byte.is_ascii_digit()) {
            PathBuf::from(format!("/proc/{}/ns/net", self.name))
        } else {
            PathBuf::from("/run/netns").join(&self.name)
        }
    }

    /// Runs something on a thread of its own within the namespace, and waits for it. Sockets made there stay
    /// in the namespace. Needs CAP_SYS_ADMIN.
    pub fn within<T: Send>(&self, run: impl FnOnce() -> T + Send) -> Result<T, CaptureError> {
        let refused = |source: io::Error| CaptureError::Netns { name: self.name.clone(), source };
        let namespace = File::open(self.path()).map_err(refused)?;
        std::thread::scope(|scope| {
            let thread = scope.spawn(|| sys::enter_netns(&namespace).map(|()| run()));
            match thread.join() {
                Ok(result) => result.map_err(refused),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        })
    }
}
