//! Interfaces and addresses of a network namespace, by rtnetlink (RFC 3549, linux/rtnetlink.h).
//!
//! A socket stays in the namespace that it was made in. So this can still ask after its thread has left, and
//! after the process has given up the privilege to enter.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, OwnedFd};

use crate::sys;

const GET_LINK: u16 = 18;
const NEW_LINK: u16 = 16;
const GET_ADDRESS: u16 = 22;
const NEW_ADDRESS: u16 = 20;
const DONE: u16 = 3;
const ERROR: u16 = 2;
/// NLM_F_REQUEST | NLM_F_DUMP.
const DUMP: u16 = 0x301;
const UP: u32 = 1;
/// The kernel sends at most 32 KiB at once.
const BUFFER_BYTES: usize = 64 << 10;

/// An interface as the kernel describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    pub(super) up: bool,
}

/// A socket to ask on.
pub(super) struct Netlink {
    socket: OwnedFd,
}

impl Netlink {
    pub(super) fn open() -> io::Result<Self> {
        let socket = sys::socket(libc::AF_NETLINK, libc::SOCK_RAW, libc::NETLINK_ROUTE)?;
        let second = libc::timeval { tv_sec: 1, tv_usec: 0 };
        sys::set_option(socket.as_fd(), libc::SOL_SOCKET, libc::SO_RCVTIMEO, &second)?;
        Ok(Self { socket })
    }

    pub(super) fn links(&self) -> io::Result<Vec<Link>> {
        let mut links = Vec::new();
        self.dump(GET_LINK, |kind, body| {
            if kind != NEW_LINK {
                return;
            }
            let Some((header, attributes)) = body.split_first_chunk::<16>() else { return };
            let word =
                |at: usize| u32::from_ne_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
            for (kind, value) in (Attributes { rest: attributes }) {
                if kind == libc::IFLA_IFNAME {
                    let name = value.split(|&byte| byte == 0).next().unwrap_or_default();
                    let name = String::from_utf8_lossy(name).into_owned();
                    links.push(Link { index: word(4), name, up: word(8) & UP != 0 });
                }
            }
        })?;
        Ok(links)
    }

    pub(super) fn addresses(&self) -> io::Result<Vec<IpAddr>> {
        let mut addresses = Vec::new();
        self.dump(GET_ADDRESS, |kind, body| {
            let Some((_, attributes)) = body.split_first_chunk::<8>() else { return };
            if kind != NEW_ADDRESS {
                return;
            }
            // On a point-to-point link IFA_ADDRESS is the other end's, and IFA_LOCAL ours.
            let (mut address, mut local) = (None, None);
            for (kind, value) in (Attributes { rest: attributes }) {
                match kind {
                    libc::IFA_LOCAL => local = ip(value),
                    libc::IFA_ADDRESS => address = ip(value),
                    _ => {}
                }
            }
            addresses.extend(local.or(address));
        })?;
        Ok(addresses)
    }

    fn dump(&self, request: u16, mut on: impl FnMut(u16, &[u8])) -> io::Result<()> {
        let mut message = Vec::with_capacity(20);
        message.extend(20u32.to_ne_bytes());
        message.extend(request.to_ne_bytes());
        message.extend(DUMP.to_ne_bytes());
        message.extend([0; 12]);
        sys::send(self.socket.as_fd(), &message)?;
        let mut buffer = vec![0; BUFFER_BYTES];
        loop {
            let mut rest = sys::receive(self.socket.as_fd(), &mut buffer)?;
            if rest.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            while let Some((header, _)) = rest.split_first_chunk::<16>() {
                let length = u32::from_ne_bytes([header[0], header[1], header[2], header[3]]) as usize;
                let kind = u16::from_ne_bytes([header[4], header[5]]);
                let Some(body) = rest.get(16..length) else { return Err(io::ErrorKind::InvalidData.into()) };
                match kind {
                    DONE => return Ok(()),
                    ERROR => {
                        let code = body.first_chunk().map_or(0, |code| i32::from_ne_bytes(*code));
                        return Err(io::Error::from_raw_os_error(code.saturating_neg()));
                    }
                    kind => on(kind, body),
                }
                rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
            }
        }
    }
}

fn ip(value: &[u8]) -> Option<IpAddr> {
    match value.len() {
        4 => value.first_chunk::<4>().map(|bytes| IpAddr::from(*bytes)),
        16 => value.first_chunk::<16>().map(|bytes| IpAddr::from(*bytes)),
        _ => None,
    }
}

/// `rtattr`s: length with header, type, value, padding to four bytes.
struct Attributes<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let header = self.rest.first_chunk::<4>()?;
        let length = usize::from(u16::from_ne_bytes([header[0], header[1]]));
        let kind = u16::from_ne_bytes([header[2], header[3]]);
        let value = self.rest.get(4..length)?;
        self.rest = self.rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        Some((kind, value))
    }
}
