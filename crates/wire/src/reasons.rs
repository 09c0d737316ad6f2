//! Why a frame made no packet: the closed set of names that stand in the ledger under `wire`.

use wirewise_model::Reason;

/// Same packet, heard on another interface a moment ago.
pub(crate) const DUPLICATE: Reason = Reason::skip("duplicate_interface");
/// Part of a datagram that went on as one packet with its last fragment.
pub(crate) const REASSEMBLED: Reason = Reason::skip("reassembled");
/// Waits for the rest of its datagram.
pub(crate) const FRAGMENTS_HELD: Reason = Reason::skip("fragments_held");

pub(crate) const ARP: Reason = Reason::skip("arp");
pub(crate) const LLDP: Reason = Reason::skip("lldp");
pub(crate) const STP: Reason = Reason::skip("stp");
pub(crate) const LLC: Reason = Reason::skip("llc");
pub(crate) const EAPOL: Reason = Reason::skip("eapol");
pub(crate) const SLOW_PROTOCOLS: Reason = Reason::skip("slow_protocols");
pub(crate) const PPP_CONTROL: Reason = Reason::skip("ppp_control");
/// EtherTypes that carry nothing we look at.
pub(crate) const OTHER_ETHERTYPE: Reason = Reason::skip("other_ethertype");
/// OSPF, IGMP, ESP and the like.
pub(crate) const OTHER_IP_PROTOCOL: Reason = Reason::skip("other_ip_protocol");

/// A link type that is not known here.
pub(crate) const UNKNOWN_LINK: Reason = Reason::loss("unknown_link_type");
/// Cut by the snap length before the transport's header was whole.
pub(crate) const CUT_SHORT: Reason = Reason::loss("cut_short");
/// The frame ends, on the wire, before a header does.
pub(crate) const TOO_SHORT: Reason = Reason::loss("too_short");
pub(crate) const BAD_LINK: Reason = Reason::loss("malformed_link");
pub(crate) const BAD_IP: Reason = Reason::loss("malformed_ip");
pub(crate) const BAD_TRANSPORT: Reason = Reason::loss("malformed_transport");
/// More tunnels than `Limits::tunnels`.
pub(crate) const TOO_DEEP: Reason = Reason::loss("tunnel_too_deep");
/// Encrypted or otherwise closed tunnel framing (routed GRE, unknown ERSPAN version).
pub(crate) const BAD_TUNNEL: Reason = Reason::loss("malformed_tunnel");

/// A fragment cut by the snap length: its datagram cannot be made whole.
pub(crate) const FRAGMENT_CUT: Reason = Reason::loss("fragment_cut_short");
/// Impossible offsets or lengths: past 65,535, not a multiple of eight, empty, past the end.
pub(crate) const FRAGMENT_BAD: Reason = Reason::loss("fragment_malformed");
/// Fragments that say different things about the same bytes; the datagram is dropped (RFC 5722).
pub(crate) const FRAGMENT_CONFLICT: Reason = Reason::loss("fragments_conflict");
/// Fragments whose datagram was not whole within `Limits::fragment_wait`.
pub(crate) const FRAGMENTS_TIMED_OUT: Reason = Reason::loss("fragments_timed_out");
/// Fragments that made room for others: `Limits::fragmented`, or the bytes they may hold.
pub(crate) const FRAGMENTS_EVICTED: Reason = Reason::loss("fragments_evicted");
/// Fragments whose datagram was not whole when the capture ended.
pub(crate) const FRAGMENTS_INCOMPLETE: Reason = Reason::loss("fragments_incomplete");
