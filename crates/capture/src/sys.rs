//! The system calls that std does not have, each as a small safe function.
#![allow(unsafe_code)]

use std::ffi::{CStr, CString};
use std::io;
use std::mem::{size_of, zeroed};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

use crate::filter::Instruction;

/// Values that the kernel reads or writes as bytes.
///
/// # Safety
/// Every bit pattern must be a value, and there must be no references inside.
pub(crate) unsafe trait Plain: Copy {}

// SAFETY: integers and structs of integers.
unsafe impl Plain for i32 {}
// SAFETY: integers and structs of integers.
unsafe impl Plain for u32 {}
// SAFETY: integers and structs of integers.
unsafe impl Plain for libc::tpacket_req3 {}
// SAFETY: integers and structs of integers.
unsafe impl Plain for Statistics {}
// SAFETY: two integers.
unsafe impl Plain for libc::timeval {}

/// `tpacket_stats_v3`; the kernel sets it to zero when it is read.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statistics {
    /// Frames that the filter kept, those dropped included.
    pub(crate) packets: u32,
    /// Frames dropped because no block was free.
    pub(crate) drops: u32,
    /// How often the queue stood still.
    pub(crate) freezes: u32,
}

fn check(result: i32) -> io::Result<i32> {
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

/// A socket that is closed on exec.
pub(crate) fn socket(family: i32, kind: i32, protocol: i32) -> io::Result<OwnedFd> {
    // SAFETY: takes no pointers; what it returns is a descriptor that nobody else owns.
    let fd = check(unsafe { libc::socket(family, kind | libc::SOCK_CLOEXEC, protocol) })?;
    // SAFETY: as above.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets an option whose value is plain data.
pub(crate) fn set_option<T: Plain>(fd: BorrowedFd<'_>, level: i32, name: i32, value: &T) -> io::Result<()> {
    let size = size_of::<T>() as libc::socklen_t;
    // SAFETY: the kernel reads `size` bytes of a live, plain value.
    check(unsafe { libc::setsockopt(fd.as_raw_fd(), level, name, std::ptr::from_ref(value).cast(), size) })?;
    Ok(())
}

/// Reads what the ring counted since the last time.
pub(crate) fn ring_statistics(fd: BorrowedFd<'_>) -> io::Result<Statistics> {
    let mut value = Statistics::default();
    let mut size = size_of::<Statistics>() as libc::socklen_t;
    let pointer = std::ptr::from_mut(&mut value).cast();
    // SAFETY: the kernel writes at most `size` bytes into a live, plain value.
    check(unsafe {
        libc::getsockopt(fd.as_raw_fd(), libc::SOL_PACKET, libc::PACKET_STATISTICS, pointer, &mut size)
    })?;
    Ok(value)
}

/// Reads and clears a socket's pending error.
pub(crate) fn pending_error(fd: BorrowedFd<'_>) -> io::Result<i32> {
    let mut value = 0i32;
    let mut size = size_of::<i32>() as libc::socklen_t;
    let pointer = std::ptr::from_mut(&mut value).cast();
    // SAFETY: the kernel writes at most `size` bytes into a live integer.
    check(unsafe { libc::getsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ERROR, pointer, &mut size) })?;
    Ok(value)
}

/// Puts a classic BPF program before a socket, in place of the one that was there.
pub(crate) fn attach_filter(fd: BorrowedFd<'_>, program: &[Instruction]) -> io::Result<()> {
    let mut program: Vec<libc::sock_filter> = program
        .iter()
        .map(|op| libc::sock_filter { code: op.code, jt: op.if_true, jf: op.if_false, k: op.k })
        .collect();
    let length = u16::try_from(program.len()).map_err(io::Error::other)?;
    let value = libc::sock_fprog { len: length, filter: program.as_mut_ptr() };
    let size = size_of::<libc::sock_fprog>() as libc::socklen_t;
    let pointer = std::ptr::from_ref(&value).cast();
    // SAFETY: the kernel copies `len` instructions, all of which live until this returns.
    check(unsafe {
        libc::setsockopt(fd.as_raw_fd(), libc::SOL_SOCKET, libc::SO_ATTACH_FILTER, pointer, size)
    })?;
    Ok(())
}

/// Starts a packet socket on every protocol of every interface of its namespace.
pub(crate) fn bind_packet(fd: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: all zeroes is a valid address structure.
    let mut address: libc::sockaddr_ll = unsafe { zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = (libc::ETH_P_ALL as u16).to_be();
    let size = size_of::<libc::sockaddr_ll>() as libc::socklen_t;
    // SAFETY: the kernel reads `size` bytes of a live structure.
    check(unsafe { libc::bind(fd.as_raw_fd(), std::ptr::from_ref(&address).cast(), size) })?;
    Ok(())
}

/// Waits until one of the sockets can be read; gives what happened to each.
pub(crate) fn poll(fds: &[RawFd], timeout: Duration) -> io::Result<Vec<i16>> {
    let mut polled: Vec<libc::pollfd> =
        fds.iter().map(|&fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect();
    let millis = i32::try_from(timeout.as_millis()).unwrap_or(i32::MAX);
    // SAFETY: the array lives and has the length that is told.
    match check(unsafe { libc::poll(polled.as_mut_ptr(), polled.len() as libc::nfds_t, millis) }) {
        Ok(_) => Ok(polled.iter().map(|polled| polled.revents).collect()),
        Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(vec![0; fds.len()]),
        Err(error) => Err(error),
    }
}

/// Sends a whole message.
pub(crate) fn send(fd: BorrowedFd<'_>, message: &[u8]) -> io::Result<()> {
    // SAFETY: the kernel reads a live slice.
    let sent = unsafe { libc::send(fd.as_raw_fd(), message.as_ptr().cast(), message.len(), 0) };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// Receives one message; what does not fit is cut.
pub(crate) fn receive<'a>(fd: BorrowedFd<'_>, buffer: &'a mut [u8]) -> io::Result<&'a [u8]> {
    // SAFETY: the kernel writes at most the length of a live slice.
    let count = unsafe { libc::recv(fd.as_raw_fd(), buffer.as_mut_ptr().cast(), buffer.len(), 0) };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    Ok(&buffer[..count.min(buffer.len())])
}

/// Moves the calling thread into a network namespace.
pub(crate) fn enter_netns(namespace: impl AsFd) -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::setns(namespace.as_fd().as_raw_fd(), libc::CLONE_NEWNET) })?;
    Ok(())
}

/// Moves the calling thread into a new, empty network namespace.
pub(crate) fn new_netns() -> io::Result<()> {
    // SAFETY: takes no pointers.
    check(unsafe { libc::unshare(libc::CLONE_NEWNET) })?;
    Ok(())
}

/// Real, effective and saved user ids.
pub(crate) fn user_ids() -> [u32; 3] {
    let [mut real, mut effective, mut saved] = [0; 3];
    // SAFETY: three live integers. It cannot fail with valid pointers.
    unsafe { libc::getresuid(&mut real, &mut effective, &mut saved) };
    [real, effective, saved]
}

/// Real, effective and saved group ids.
pub(crate) fn group_ids() -> [u32; 3] {
    let [mut real, mut effective, mut saved] = [0; 3];
    // SAFETY: three live integers. It cannot fail with valid pointers.
    unsafe { libc::getresgid(&mut real, &mut effective, &mut saved) };
    [real, effective, saved]
}

/// Name and home directory of a user, where the system knows it.
pub(crate) fn account(uid: u32) -> Option<(CString, CString)> {
    let mut buffer = vec![0; 16 << 10];
    // SAFETY: all zeroes is a valid structure of pointers and integers.
    let mut entry: libc::passwd = unsafe { zeroed() };
    let mut found = std::ptr::null_mut();
    // SAFETY: the buffer lives as long as the strings that the entry points to are used.
    let code = unsafe { libc::getpwuid_r(uid, &mut entry, buffer.as_mut_ptr(), buffer.len(), &mut found) };
    if code != 0 || found.is_null() {
        return None;
    }
    // SAFETY: on success both point to strings in `buffer`.
    let (name, home) = unsafe { (CStr::from_ptr(entry.pw_name), CStr::from_ptr(entry.pw_dir)) };
    Some((name.to_owned(), home.to_owned()))
}

/// The groups that a user is in.
pub(crate) fn groups_of(name: &CStr, gid: u32) -> Vec<u32> {
    let mut groups = vec![0; 4096];
    let mut count = groups.len() as i32;
    // SAFETY: the array has the length that is told.
    let code = unsafe { libc::getgrouplist(name.as_ptr(), gid, groups.as_mut_ptr(), &mut count) };
    if code < 0 {
        return vec![gid];
    }
    groups.truncate(usize::try_from(count).unwrap_or(0));
    groups
}

/// Becomes a user for good, in every thread: libc's functions tell all threads, the bare calls would not.
pub(crate) fn become_user(uid: u32, gid: u32, groups: &[u32]) -> io::Result<()> {
    // SAFETY: the array has the length that is told.
    check(unsafe { libc::setgroups(groups.len(), groups.as_ptr()) })?;
    // SAFETY: takes no pointers.
    check(unsafe { libc::setresgid(gid, gid, gid) })?;
    // SAFETY: takes no pointers.
    check(unsafe { libc::setresuid(uid, uid, uid) })?;
    Ok(())
}

/// Whether the calling process could make itself root again.
pub(crate) fn can_become_root() -> bool {
    // SAFETY: takes no pointers.
    unsafe { libc::setresuid(0, 0, 0) == 0 }
}

/// Empties the calling thread's bounding set, so that no program it starts can gain a capability.
pub(crate) fn drop_bounding_set() {
    for capability in 0..64 as libc::c_ulong {
        // SAFETY: takes no pointers. Fails past the last capability, and without CAP_SETPCAP.
        unsafe { libc::prctl(libc::PR_CAPBSET_DROP, capability, 0, 0, 0) };
    }
}

/// Forbids the calling thread, and those it starts, to gain privileges by exec.
pub(crate) fn no_new_privileges() -> io::Result<()> {
    let (yes, unused) = (1 as libc::c_ulong, 0 as libc::c_ulong);
    // SAFETY: takes no pointers.
    check(unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, yes, unused, unused, unused) })?;
    Ok(())
}

/// Gives up the calling thread's capabilities (`capset`, version 3 of its header).
pub(crate) fn drop_capabilities() -> io::Result<()> {
    let header: [u32; 2] = [0x2008_0522, 0];
    let nothing = [0u32; 6];
    // SAFETY: a live header and the two triples of sets that version 3 has.
    let result = unsafe { libc::syscall(libc::SYS_capset, header.as_ptr(), nothing.as_ptr()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
