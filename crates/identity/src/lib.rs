//! Who an address or a socket is, and since when. Answers with what is known best; what is unknown stays the
//! address.
//!
//! Strongest first: the file that the user gave ([`parse_names`]), names in the capture, the container, the
//! systemd unit, DNS answers that were seen, the script or jar of the process that owns the socket, the
//! process, the Host or SNI that clients asked for (of servers only), the address. A weaker source never
//! overrides a stronger one; it fills what the stronger left open, such as the process behind a name.
//!
//! The Kubernetes API comes later and stands above them all.

mod cgroup;
mod command;
mod dns;
mod file;
mod names;
mod sockets;
mod watcher;

pub use file::{NamesError, NamesFile, parse_names};
pub use names::{Names, Role};
pub use watcher::{Owner, ProcessWatcher};
