//! Every bound of the packet path in one place. Each says what happens when it is reached; all of them count.

use std::time::Duration;

/// Bounds of the packet path. Defaults are those that a node would run with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Flows tracked at once. Past it the flow that was silent longest is closed, noted `evicted`.
    pub flows: usize,
    /// Bytes that one side of a TCP flow may hold out of order. Past it the gap before them is declared.
    pub reorder_bytes: usize,
    /// Bytes that all flows together may hold, waiting or undissected. Past it the flow that asks for more
    /// declares its gap at once, or its dissector gives up.
    pub buffered_bytes: usize,
    /// How long a hole in a TCP stream is waited for, in capture time, before it is declared a gap.
    pub gap_wait: Duration,
    /// How many packets of its flow a hole is waited for.
    pub gap_packets: u32,
    /// How deep tunnels may be nested before the rest is skipped as `tunnel_too_deep`.
    pub tunnels: usize,
    /// Datagrams whose fragments are waited for at once. Past it the oldest is dropped as `fragments_evicted`.
    pub fragmented: usize,
    /// How long fragments are waited for: RFC 8200, 4.5 says 60 s, RFC 791 at least 15.
    pub fragment_wait: Duration,
    /// How far back a packet is compared with those of other interfaces to count it once.
    pub duplicate_wait: Duration,
    /// Bytes of each side that detection may look at before a flow is called unknown.
    pub probe_bytes: usize,
    /// Undissected bytes that one side of a flow may hold. Past it its dissector gives up.
    pub undissected_bytes: usize,
    /// Requests that may wait for responses in one flow. Past it the oldest is closed, noted `evicted`.
    pub pending_calls: usize,
    /// How long a response is waited for before the call is `no_response`. A later one makes a revision.
    pub response_wait: Duration,
    /// The same for datagrams that are answered at once or never (DNS, ICMP echo).
    pub datagram_response_wait: Duration,
    /// Silence after which an established TCP flow is closed. RFC 5382 asks NATs for at least 2 h 4 min; a
    /// listener may be quicker, since a flow that speaks again is picked up in mid-stream.
    pub tcp_idle: Duration,
    /// Silence after which a TCP flow that was never established, or has seen both FINs, is closed.
    pub tcp_brief_idle: Duration,
    /// Silence after which a datagram flow is closed.
    pub datagram_idle: Duration,
    /// Bytes of a decoded body that are kept; more is counted, not kept.
    pub body_kept: usize,
    /// Bytes that decompressing one body may make; past it the rest is counted on the wire only, noted
    /// `decompression_limit`.
    pub decompressed_bytes: usize,
    /// How many times its compressed length a body may grow before the same happens.
    pub decompressed_ratio: usize,
    /// Bytes of a header block or start line. A longer one ends its dissection.
    pub header_bytes: usize,
    /// Header fields of one message that are kept; more are counted, noted `headers_omitted`.
    pub headers: usize,
    /// Panics of one protocol after which it is switched off.
    pub protocol_panics: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            flows: 1_000_000,
            reorder_bytes: 1 << 20,
            buffered_bytes: 256 << 20,
            gap_wait: Duration::from_secs(3),
            gap_packets: 256,
            tunnels: 8,
            fragmented: 4096,
            fragment_wait: Duration::from_secs(30),
            duplicate_wait: Duration::from_millis(100),
            probe_bytes: 2048,
            undissected_bytes: 256 << 10,
            pending_calls: 1024,
            response_wait: Duration::from_secs(300),
            datagram_response_wait: Duration::from_secs(10),
            tcp_idle: Duration::from_secs(3600),
            tcp_brief_idle: Duration::from_secs(60),
            datagram_idle: Duration::from_secs(120),
            body_kept: 16 << 10,
            decompressed_bytes: 1 << 20,
            decompressed_ratio: 100,
            header_bytes: 64 << 10,
            headers: 256,
            protocol_panics: 3,
        }
    }
}
