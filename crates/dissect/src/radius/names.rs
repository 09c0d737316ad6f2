//! Attributes that are told, by number (RFC 2865, 2866, 2868, 2869, 3162, 5176, 6911). What holds a password, a key, a
//! challenge or another protocol's secrets is not among them, nor is what nobody has looked at: types that are not
//! listed are not told.

/// How an attribute's value reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Text,
    Number,
    Word(&'static [(u32, &'static str)]),
    Ip4,
    Ip6,
    /// A text behind a tag (RFC 2868, 3.1).
    TaggedText,
    /// A word behind a tag.
    TaggedWord(&'static [(u32, &'static str)]),
}

use Form::{Ip4, Ip6, Number, TaggedText, TaggedWord, Text, Word};

/// Type, Wireshark's name, form.
pub(super) const ATTRIBUTES: &[(u8, &str, Form)] = &[
    (4, "radius.NAS_IP_Address", Ip4),
    (5, "radius.NAS_Port", Number),
    (6, "radius.Service_Type", Word(SERVICE)),
    (7, "radius.Framed_Protocol", Word(FRAMED)),
    (8, "radius.Framed_IP_Address", Ip4),
    (9, "radius.Framed_IP_Netmask", Ip4),
    (11, "radius.Filter_Id", Text),
    (12, "radius.Framed_MTU", Number),
    (14, "radius.Login_IP_Host", Ip4),
    (16, "radius.Login_TCP_Port", Number),
    (27, "radius.Session_Timeout", Number),
    (28, "radius.Idle_Timeout", Number),
    (29, "radius.Termination_Action", Word(&[(0, "Default"), (1, "RADIUS-Request")])),
    (30, "radius.Called_Station_Id", Text),
    (31, "radius.Calling_Station_Id", Text),
    (32, "radius.NAS_Identifier", Text),
    (40, "radius.Acct_Status_Type", Word(STATUS)),
    (41, "radius.Acct_Delay_Time", Number),
    (42, "radius.Acct_Input_Octets", Number),
    (43, "radius.Acct_Output_Octets", Number),
    (44, "radius.Acct_Session_Id", Text),
    (45, "radius.Acct_Authentic", Word(&[(1, "RADIUS"), (2, "Local"), (3, "Remote"), (4, "Diameter")])),
    (46, "radius.Acct_Session_Time", Number),
    (47, "radius.Acct_Input_Packets", Number),
    (48, "radius.Acct_Output_Packets", Number),
    (49, "radius.Acct_Terminate_Cause", Word(CAUSE)),
    (50, "radius.Acct_Multi_Session_Id", Text),
    (51, "radius.Acct_Link_Count", Number),
    (52, "radius.Acct_Input_Gigawords", Number),
    (53, "radius.Acct_Output_Gigawords", Number),
    (55, "radius.Event_Timestamp", Number),
    (61, "radius.NAS_Port_Type", Word(PORT)),
    (62, "radius.Port_Limit", Number),
    (64, "radius.Tunnel_Type", TaggedWord(TUNNEL)),
    (65, "radius.Tunnel_Medium_Type", TaggedWord(&[(1, "IPv4"), (2, "IPv6"), (6, "IEEE-802")])),
    (77, "radius.Connect_Info", Text),
    (81, "radius.Tunnel_Private_Group_Id", TaggedText),
    (85, "radius.Acct_Interim_Interval", Number),
    (87, "radius.NAS_Port_Id", Text),
    (95, "radius.NAS_IPv6_Address", Ip6),
    (101, "radius.Error_Cause", Word(ERROR)),
    (168, "radius.Framed_IPv6_Address", Ip6),
];

const SERVICE: &[(u32, &str)] = &[
    (1, "Login"),
    (2, "Framed"),
    (3, "Callback-Login"),
    (4, "Callback-Framed"),
    (5, "Outbound"),
    (6, "Administrative"),
    (7, "NAS-Prompt"),
    (8, "Authenticate-Only"),
    (9, "Callback-NAS-Prompt"),
    (10, "Call-Check"),
    (11, "Callback-Administrative"),
    (17, "Authorize-Only"),
];

const FRAMED: &[(u32, &str)] = &[
    (1, "PPP"),
    (2, "SLIP"),
    (3, "ARAP"),
    (4, "Gandalf"),
    (5, "Xylogics"),
    (6, "X.75"),
    (7, "GPRS-PDP-Context"),
];

const STATUS: &[(u32, &str)] = &[
    (1, "Start"),
    (2, "Stop"),
    (3, "Interim-Update"),
    (7, "Accounting-On"),
    (8, "Accounting-Off"),
    (9, "Tunnel-Start"),
    (10, "Tunnel-Stop"),
    (11, "Tunnel-Reject"),
    (12, "Tunnel-Link-Start"),
    (13, "Tunnel-Link-Stop"),
    (14, "Tunnel-Link-Reject"),
    (15, "Failed"),
];

const CAUSE: &[(u32, &str)] = &[
    (1, "User-Request"),
    (2, "Lost-Carrier"),
    (3, "Lost-Service"),
    (4, "Idle-Timeout"),
    (5, "Session-Timeout"),
    (6, "Admin-Reset"),
    (7, "Admin-Reboot"),
    (8, "Port-Error"),
    (9, "NAS-Error"),
    (10, "NAS-Request"),
    (11, "NAS-Reboot"),
    (12, "Port-Unneeded"),
    (13, "Port-Preempted"),
    (14, "Port-Suspended"),
    (15, "Service-Unavailable"),
    (16, "Callback"),
    (17, "User-Error"),
    (18, "Host-Request"),
];

const PORT: &[(u32, &str)] = &[
    (0, "Async"),
    (1, "Sync"),
    (2, "ISDN-Sync"),
    (5, "Virtual"),
    (15, "Ethernet"),
    (16, "xDSL"),
    (17, "Cable"),
    (18, "Wireless-Other"),
    (19, "Wireless-802.11"),
    (33, "PPPoEoE"),
    (34, "PPPoEoVLAN"),
];

const TUNNEL: &[(u32, &str)] =
    &[(1, "PPTP"), (2, "L2F"), (3, "L2TP"), (9, "ESP"), (10, "GRE"), (12, "IP-in-IP"), (13, "VLAN")];

const ERROR: &[(u32, &str)] = &[
    (201, "Residual-Session-Context-Removed"),
    (202, "Invalid-EAP-Packet"),
    (401, "Unsupported-Attribute"),
    (402, "Missing-Attribute"),
    (403, "NAS-Identification-Mismatch"),
    (404, "Invalid-Request"),
    (405, "Unsupported-Service"),
    (406, "Unsupported-Extension"),
    (407, "Invalid-Attribute-Value"),
    (501, "Administratively-Prohibited"),
    (502, "Request-Not-Routable"),
    (503, "Session-Context-Not-Found"),
    (504, "Session-Context-Not-Removable"),
    (505, "Other-Proxy-Processing-Error"),
    (506, "Resources-Unavailable"),
    (507, "Request-Initiated"),
    (508, "Multiple-Session-Selection-Unsupported"),
];

/// A number's word, or the number.
pub(super) fn word(words: &[(u32, &'static str)], number: u32) -> String {
    let known = words.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| number.to_string(), |(_, word)| (*word).to_owned())
}

/// Methods of EAP (RFC 3748, 5; IANA's list).
pub(super) fn eap(method: u8) -> String {
    let name = match method {
        1 => "Identity",
        2 => "Notification",
        3 => "Nak",
        4 => "MD5-Challenge",
        5 => "OTP",
        6 => "GTC",
        13 => "TLS",
        18 => "SIM",
        21 => "TTLS",
        23 => "AKA",
        25 => "PEAP",
        26 => "MSCHAPv2",
        43 => "FAST",
        50 => "AKA'",
        52 => "PWD",
        55 => "TEAP",
        _ => return method.to_string(),
    };
    name.to_owned()
}
