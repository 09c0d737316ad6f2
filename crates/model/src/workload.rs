//! Who an address is.

use serde::{Deserialize, Serialize};

/// How a name is known, weakest first: a weaker source never overrides a stronger.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum NameSource {
    /// Nothing but the address.
    #[default]
    Address,
    /// The name that clients asked for: Host, `:authority` or SNI.
    Host,
    /// Name of the process that owns the socket.
    Process,
    /// Script or jar that the process runs.
    Script,
    /// A DNS answer that was seen before the flow.
    Dns,
    /// systemd unit of the process.
    Unit,
    /// Container of the process.
    Container,
    /// A name resolution block of the capture file.
    Capture,
    /// The file that the user gave.
    File,
    /// The Kubernetes API.
    Kubernetes,
}

impl NameSource {
    /// The word in the `_name_source` columns.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Address => "address",
            Self::Host => "host",
            Self::Process => "process",
            Self::Script => "script",
            Self::Dns => "dns",
            Self::Unit => "unit",
            Self::Container => "container",
            Self::Capture => "capture",
            Self::File => "file",
            Self::Kubernetes => "kubernetes",
        }
    }
}

/// What is known of one end of a call. `workload` is always set: the address where nothing better is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Workload {
    /// Kubernetes namespace.
    pub namespace: Option<String>,
    /// The name that people use for it.
    pub workload: String,
    /// Deployment, StatefulSet, process, host ...
    pub kind: Option<String>,
    /// Pod.
    pub pod: Option<String>,
    /// Service by which it was called.
    pub service: Option<String>,
    /// Container.
    pub container: Option<String>,
    /// Process name.
    pub process: Option<String>,
    /// Node.
    pub node: Option<String>,
    /// Version or image tag.
    pub version: Option<String>,
    /// How the name is known.
    pub name_source: NameSource,
}

impl Workload {
    /// A workload known by its address alone.
    pub fn address(ip: std::net::IpAddr) -> Self {
        Self { workload: ip.to_string(), ..Self::default() }
    }
}

/// The two ends of a call or flow, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Peers {
    /// Who asked.
    pub client: Workload,
    /// Who answered.
    pub server: Workload,
}
