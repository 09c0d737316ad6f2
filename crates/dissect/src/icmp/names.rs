//! The words of ICMP (RFC 792 and its successors) and ICMPv6 (RFC 4443 and its), as IANA lists them.

/// Which of the two.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V4,
    V6,
}

/// What a type is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Asks for a reply with the same identifier and sequence number.
    Request,
    /// Is one.
    Reply,
    /// Tells of another packet, whose beginning it quotes.
    Error,
    /// Tells something, and quotes a packet where that says about what (redirects).
    Notice,
    /// Says something to whoever hears it.
    Message,
}

/// The `operation` and role of a type. A request and its reply have one operation.
pub(super) fn kind(version: Version, kind: u8) -> (&'static str, Role) {
    use Role::{Error, Message, Notice, Reply, Request};
    match version {
        Version::V4 => match kind {
            0 => ("echo", Reply),
            3 => ("destination_unreachable", Error),
            4 => ("source_quench", Error),
            5 => ("redirect", Notice),
            8 => ("echo", Request),
            9 => ("router_advertisement", Message),
            10 => ("router_solicitation", Message),
            11 => ("time_exceeded", Error),
            12 => ("parameter_problem", Error),
            13 => ("timestamp", Request),
            14 => ("timestamp", Reply),
            15 => ("information", Request),
            16 => ("information", Reply),
            17 => ("address_mask", Request),
            18 => ("address_mask", Reply),
            30 => ("traceroute", Message),
            40 => ("photuris", Message),
            42 => ("extended_echo", Request),
            43 => ("extended_echo", Reply),
            _ => ("unassigned", Message),
        },
        Version::V6 => match kind {
            1 => ("destination_unreachable", Error),
            2 => ("packet_too_big", Error),
            3 => ("time_exceeded", Error),
            4 => ("parameter_problem", Error),
            128 => ("echo", Request),
            129 => ("echo", Reply),
            130 => ("multicast_listener_query", Message),
            131 | 143 => ("multicast_listener_report", Message),
            132 => ("multicast_listener_done", Message),
            133 => ("router_solicitation", Message),
            134 => ("router_advertisement", Message),
            135 => ("neighbor_solicitation", Message),
            136 => ("neighbor_advertisement", Message),
            137 => ("redirect", Message),
            138 => ("router_renumbering", Message),
            139 => ("node_information_query", Message),
            140 => ("node_information_response", Message),
            141 => ("inverse_neighbor_solicitation", Message),
            142 => ("inverse_neighbor_advertisement", Message),
            144..=147 => ("mobile_ipv6", Message),
            148 => ("certification_path_solicitation", Message),
            149 => ("certification_path_advertisement", Message),
            151 => ("multicast_router_advertisement", Message),
            152 => ("multicast_router_solicitation", Message),
            153 => ("multicast_router_termination", Message),
            155 => ("rpl", Message),
            157 => ("duplicate_address_request", Message),
            158 => ("duplicate_address_confirmation", Message),
            160 => ("extended_echo", Request),
            161 => ("extended_echo", Reply),
            // RFC 4443, 2.1: types below 128 are errors, known or not.
            0..=127 => ("unassigned", Error),
            _ => ("unassigned", Message),
        },
    }
}

/// The `status` of an error: its code in words, where the code has some.
pub(super) fn code(version: Version, kind: u8, code: u8) -> Option<&'static str> {
    let words: &[&str] = match (version, kind) {
        (Version::V4, 3) => &[
            "net_unreachable",
            "host_unreachable",
            "protocol_unreachable",
            "port_unreachable",
            "fragmentation_needed",
            "source_route_failed",
            "net_unknown",
            "host_unknown",
            "source_host_isolated",
            "net_prohibited",
            "host_prohibited",
            "net_unreachable_for_service",
            "host_unreachable_for_service",
            "communication_prohibited",
            "host_precedence_violation",
            "precedence_cutoff",
        ],
        (Version::V4, 4) => &["source_quench"],
        (Version::V4, 5) => &[
            "redirect_for_net",
            "redirect_for_host",
            "redirect_for_net_and_service",
            "redirect_for_host_and_service",
        ],
        (Version::V4, 11) => &["ttl_exceeded", "reassembly_time_exceeded"],
        (Version::V4, 12) => &["pointer_indicates_error", "required_option_missing", "bad_length"],
        (Version::V6, 1) => &[
            "no_route",
            "communication_prohibited",
            "beyond_scope",
            "address_unreachable",
            "port_unreachable",
            "source_address_failed_policy",
            "route_rejected",
            "source_routing_header_error",
            "headers_too_long",
        ],
        (Version::V6, 2) => &["packet_too_big"],
        (Version::V6, 3) => &["hop_limit_exceeded", "reassembly_time_exceeded"],
        (Version::V6, 4) => &[
            "erroneous_header_field",
            "unrecognized_next_header",
            "unrecognized_option",
            "incomplete_header_chain",
        ],
        _ => &[],
    };
    words.get(usize::from(code)).copied()
}
