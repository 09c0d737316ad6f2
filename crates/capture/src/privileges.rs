//! What this process may do, and how it gives that up: rings are opened as root, bytes are parsed as the user
//! who called.

use std::ffi::CString;
use std::io;
use std::path::PathBuf;

use crate::{CaptureError, sys};

const CAP_NET_ADMIN: u32 = 12;
const CAP_NET_RAW: u32 = 13;
const CAP_SYS_PTRACE: u32 = 19;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

/// What this host allows this process. Made by trying, without hearing or changing anything.
#[derive(Clone, Debug)]
pub struct Privileges {
    /// Effective user.
    pub uid: u32,
    /// The user who called through sudo.
    pub caller: Option<Caller>,
    /// Kernel release.
    pub kernel: String,
    /// Whether a packet socket can be opened; else what the system said.
    pub packets: Result<(), String>,
    /// Whether another network namespace can be made and entered; else what the system said.
    pub namespaces: Result<(), String>,
    /// Names of the capabilities in force that capture has a use for.
    pub capabilities: Vec<&'static str>,
    /// Where cgroup2 is mounted.
    pub cgroup2: Option<PathBuf>,
}

impl Privileges {
    /// Tries.
    pub fn probe() -> Self {
        let refused = |error: io::Error| error.to_string();
        // Protocol 0 hears nothing.
        let packets = sys::socket(libc::AF_PACKET, libc::SOCK_RAW, 0).map(drop).map_err(refused);
        // The namespace goes away with the thread.
        let namespaces = match std::thread::spawn(sys::new_netns).join() {
            Ok(result) => result.map_err(refused),
            Err(_) => Err("the thread that tried it ended".into()),
        };
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let effective = hex_field(&read("/proc/thread-self/status"), "CapEff:");
        let known = [
            (CAP_NET_ADMIN, "CAP_NET_ADMIN"),
            (CAP_NET_RAW, "CAP_NET_RAW"),
            (CAP_SYS_PTRACE, "CAP_SYS_PTRACE"),
            (CAP_SYS_ADMIN, "CAP_SYS_ADMIN"),
            (CAP_PERFMON, "CAP_PERFMON"),
            (CAP_BPF, "CAP_BPF"),
        ];
        let cgroup2 = read("/proc/self/mounts").lines().find_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let (path, kind) = (fields.next()?, fields.next()?);
            (kind == "cgroup2").then(|| PathBuf::from(path))
        });
        Self {
            uid: sys::user_ids()[1],
            caller: caller(),
            kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
            packets,
            namespaces,
            capabilities: known
                .into_iter()
                .filter(|(bit, _)| effective >> bit & 1 == 1)
                .map(|(_, name)| name)
                .collect(),
            cgroup2,
        }
    }
}

/// A user who called this program through sudo.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caller {
    /// User id, never 0.
    pub uid: u32,
    /// Group id.
    pub gid: u32,
    /// Name, where the system knows it.
    pub name: Option<String>,
    /// Home directory, where the system knows it: data and keys belong there, not in root's.
    pub home: Option<PathBuf>,
}

/// Who called through sudo; `None` where this process is not root, or root called it.
pub fn caller() -> Option<Caller> {
    if sys::user_ids()[1] != 0 {
        return None;
    }
    let number = |name| std::env::var(name).ok()?.parse::<u32>().ok();
    let uid = number("SUDO_UID").filter(|&uid| uid != 0)?;
    let gid = number("SUDO_GID").filter(|&gid| gid != 0).unwrap_or(uid);
    let account = sys::account(uid);
    let text = |text: &CString| text.to_str().ok().map(str::to_owned);
    Some(Caller {
        uid,
        gid,
        name: account.as_ref().and_then(|(name, _)| text(name)),
        home: account.as_ref().and_then(|(_, home)| text(home)).map(PathBuf::from),
    })
}

/// Becomes the user who called through sudo, in every thread and for good, and makes sure of it. Call it
/// when the rings are open and before a byte is parsed; best before other threads start, since capabilities
/// that were set on the file, and the ban on new privileges, are a thread's own.
///
/// Gives who that is; `None` where nobody called through sudo. A process of an ordinary user gives up its
/// capabilities; root that was not called by anybody else stays root.
pub fn become_caller() -> Result<Option<Caller>, CaptureError> {
    let Some(caller) = caller() else {
        if sys::user_ids()[1] != 0 {
            sys::no_new_privileges().map_err(CaptureError::system("forbid new privileges"))?;
            sys::drop_capabilities().map_err(CaptureError::system("give up capabilities"))?;
        }
        return Ok(None);
    };
    let groups = match sys::account(caller.uid) {
        Some((name, _)) => sys::groups_of(&name, caller.gid),
        None => vec![caller.gid],
    };
    sys::drop_bounding_set();
    sys::become_user(caller.uid, caller.gid, &groups)
        .map_err(CaptureError::system("become the calling user"))?;
    sys::no_new_privileges().map_err(CaptureError::system("forbid new privileges"))?;
    verify(&caller)?;
    Ok(Some(caller))
}

fn verify(caller: &Caller) -> Result<(), CaptureError> {
    let wrong = |what: String| Err(CaptureError::StillPrivileged(what));
    if sys::user_ids() != [caller.uid; 3] || sys::group_ids() != [caller.gid; 3] {
        return wrong(format!("user ids are {:?}, group ids {:?}", sys::user_ids(), sys::group_ids()));
    }
    if sys::can_become_root() {
        return wrong("the process could become root again".into());
    }
    let threads = std::fs::read_dir("/proc/self/task").map_err(CaptureError::system("list own threads"))?;
    for thread in threads.flatten() {
        // A thread that has ended since has no status.
        let Ok(status) = std::fs::read_to_string(thread.path().join("status")) else { continue };
        let users = status.lines().find_map(|line| line.strip_prefix("Uid:")).unwrap_or_default();
        if users.split_whitespace().any(|uid| uid != caller.uid.to_string()) {
            return wrong(format!("thread {} has user ids {users}", thread.file_name().display()));
        }
        if hex_field(&status, "CapEff:") != 0 || hex_field(&status, "CapPrm:") != 0 {
            return wrong(format!("thread {} has capabilities", thread.file_name().display()));
        }
    }
    Ok(())
}

fn hex_field(status: &str, name: &str) -> u64 {
    let field = status.lines().find_map(|line| line.strip_prefix(name));
    field.and_then(|digits| u64::from_str_radix(digits.trim(), 16).ok()).unwrap_or(0)
}
