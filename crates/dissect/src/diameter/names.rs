//! Commands, applications, results and the AVPs that are told, by number (RFC 6733, 8506, 4004, 4072, 4740, 7155; 3GPP TS
//! 29.061, 29.229, 29.272 and their kin). AVPs that are not listed are not told: passwords, keys, EAP and what names a
//! subscriber otherwise than `User-Name` are not among them.

use wirewise_model::Outcome;

/// The vendor number of 3GPP.
const TGPP: u32 = 10_415;

/// A command's name, for requests and answers alike.
pub(super) fn command(code: u32) -> String {
    let name = match code {
        257 => "Capabilities-Exchange",
        258 => "Re-Auth",
        260 => "AA-Mobile-Node",
        262 => "Home-Agent-MIP",
        265 => "AA",
        268 => "Diameter-EAP",
        271 => "Accounting",
        272 => "Credit-Control",
        274 => "Abort-Session",
        275 => "Session-Termination",
        280 => "Device-Watchdog",
        282 => "Disconnect-Peer",
        283 | 300 => "User-Authorization",
        284 | 301 => "Server-Assignment",
        285 | 302 => "Location-Info",
        286 | 303 => "Multimedia-Auth",
        287 | 304 => "Registration-Termination",
        288 | 305 => "Push-Profile",
        306 => "User-Data",
        307 => "Profile-Update",
        308 => "Subscribe-Notifications",
        309 => "Push-Notification",
        310 => "Bootstrapping-Info",
        311 => "Message-Process",
        316 => "Update-Location",
        317 => "Cancel-Location",
        318 => "Authentication-Information",
        319 => "Insert-Subscriber-Data",
        320 => "Delete-Subscriber-Data",
        321 => "Purge-UE",
        322 => "Reset",
        323 => "Notify",
        324 => "ME-Identity-Check",
        8_388_620 => "Provide-Location",
        8_388_621 => "Location-Report",
        8_388_622 => "LCS-Routing-Info",
        8_388_635 => "Spending-Limit",
        8_388_636 => "Spending-Status-Notification",
        8_388_637 => "TDF-Session",
        8_388_645 => "MO-Forward-Short-Message",
        8_388_646 => "MT-Forward-Short-Message",
        8_388_647 => "Send-Routing-Info-for-SM",
        8_388_648 => "Alert-Service-Centre",
        8_388_649 => "Report-SM-Delivery-Status",
        _ => return format!("command {code}"),
    };
    name.to_owned()
}

const APPLICATIONS: &[(u32, &str)] = &[
    (0, "Common Messages"),
    (1, "NASREQ"),
    (2, "Mobile IPv4"),
    (3, "Base Accounting"),
    (4, "Credit Control"),
    (5, "EAP"),
    (6, "SIP"),
    (16_777_216, "Cx"),
    (16_777_217, "Sh"),
    (16_777_219, "Re"),
    (16_777_236, "Rx"),
    (16_777_238, "Gx"),
    (16_777_250, "STa"),
    (16_777_251, "S6a"),
    (16_777_252, "S13"),
    (16_777_255, "SLg"),
    (16_777_264, "SWm"),
    (16_777_265, "SWx"),
    (16_777_267, "S9"),
    (16_777_272, "S6b"),
    (16_777_291, "SLh"),
    (16_777_302, "Sy"),
    (16_777_303, "Sd"),
    (16_777_310, "S6m"),
    (16_777_312, "S6c"),
    (16_777_313, "SGd"),
    (16_777_345, "S6t"),
    (16_777_346, "T6a"),
    (u32::MAX, "Relay"),
];

pub(super) fn application(number: u32) -> String {
    word(APPLICATIONS, number)
}

const RESULTS: &[(u32, &str)] = &[
    (1001, "MULTI_ROUND_AUTH"),
    (2001, "SUCCESS"),
    (2002, "LIMITED_SUCCESS"),
    (3001, "COMMAND_UNSUPPORTED"),
    (3002, "UNABLE_TO_DELIVER"),
    (3003, "REALM_NOT_SERVED"),
    (3004, "TOO_BUSY"),
    (3005, "LOOP_DETECTED"),
    (3006, "REDIRECT_INDICATION"),
    (3007, "APPLICATION_UNSUPPORTED"),
    (3008, "INVALID_HDR_BITS"),
    (3009, "INVALID_AVP_BITS"),
    (3010, "UNKNOWN_PEER"),
    (4001, "AUTHENTICATION_REJECTED"),
    (4002, "OUT_OF_SPACE"),
    (4003, "ELECTION_LOST"),
    (4010, "END_USER_SERVICE_DENIED"),
    (4011, "CREDIT_CONTROL_NOT_APPLICABLE"),
    (4012, "CREDIT_LIMIT_REACHED"),
    (5001, "AVP_UNSUPPORTED"),
    (5002, "UNKNOWN_SESSION_ID"),
    (5003, "AUTHORIZATION_REJECTED"),
    (5004, "INVALID_AVP_VALUE"),
    (5005, "MISSING_AVP"),
    (5006, "RESOURCES_EXCEEDED"),
    (5007, "CONTRADICTING_AVPS"),
    (5008, "AVP_NOT_ALLOWED"),
    (5009, "AVP_OCCURS_TOO_MANY_TIMES"),
    (5010, "NO_COMMON_APPLICATION"),
    (5011, "UNSUPPORTED_VERSION"),
    (5012, "UNABLE_TO_COMPLY"),
    (5013, "INVALID_BIT_IN_HEADER"),
    (5014, "INVALID_AVP_LENGTH"),
    (5015, "INVALID_MESSAGE_LENGTH"),
    (5016, "INVALID_AVP_BIT_COMBO"),
    (5017, "NO_COMMON_SECURITY"),
    (5030, "USER_UNKNOWN"),
    (5031, "RATING_FAILED"),
];

/// Results of 3GPP's own (TS 29.272, 7.4; TS 29.229, 6.2), which stand in an Experimental-Result.
const TGPP_RESULTS: &[(u32, &str)] = &[
    (2001, "FIRST_REGISTRATION"),
    (2002, "SUBSEQUENT_REGISTRATION"),
    (4181, "AUTHENTICATION_DATA_UNAVAILABLE"),
    (5001, "USER_UNKNOWN"),
    (5002, "IDENTITIES_DONT_MATCH"),
    (5003, "IDENTITY_NOT_REGISTERED"),
    (5004, "ROAMING_NOT_ALLOWED"),
    (5065, "IP-CAN_SESSION_NOT_AVAILABLE"),
    (5420, "UNKNOWN_EPS_SUBSCRIPTION"),
    (5421, "RAT_NOT_ALLOWED"),
    (5422, "EQUIPMENT_UNKNOWN"),
    (5423, "UNKNOWN_SERVING_NODE"),
];

/// A Result-Code (`vendor` 0), or an Experimental-Result-Code.
pub(super) fn result(vendor: u32, code: u32) -> String {
    match vendor {
        0 => word(RESULTS, code),
        TGPP => word(TGPP_RESULTS, code),
        _ => code.to_string(),
    }
}

/// Whose fault a result is, if it is one.
pub(super) const fn outcome(code: u32) -> Outcome {
    match code {
        // A redirection is an answer.
        ..3000 | 3006 => Outcome::Ok,
        3002 | 3004 | 3005 | 4002 | 4181 | 5006 | 5012 | 5031 => Outcome::ServerError,
        _ => Outcome::ClientError,
    }
}

/// How an AVP's value reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Form {
    Text,
    Number,
    Application,
    Word(&'static [(u32, &'static str)]),
    /// Four bytes.
    Ip4,
    /// Country and network in binary-coded decimals (TS 23.003, 12.1).
    Network,
}

use Form::{Application, Ip4, Network, Number, Text, Word};

/// Vendor, code, Wireshark's name, form.
pub(super) const AVPS: &[(u32, u32, &str, Form)] = &[
    (0, 8, "diameter.Framed-IP-Address", Ip4),
    (0, 30, "diameter.Called-Station-Id", Text),
    (0, 44, "diameter.Acct-Session-Id", Text),
    (0, 258, "diameter.Auth-Application-Id", Application),
    (0, 259, "diameter.Acct-Application-Id", Application),
    (0, 263, "diameter.Session-Id", Text),
    (0, 264, "diameter.Origin-Host", Text),
    (0, 266, "diameter.Vendor-Id", Number),
    (0, 267, "diameter.Firmware-Revision", Number),
    (0, 269, "diameter.Product-Name", Text),
    (0, 273, "diameter.Disconnect-Cause", Word(DISCONNECT)),
    (0, 274, "diameter.Auth-Request-Type", Word(AUTH_REQUEST)),
    (0, 277, "diameter.Auth-Session-State", Word(&[(0, "STATE_MAINTAINED"), (1, "NO_STATE_MAINTAINED")])),
    (0, 278, "diameter.Origin-State-Id", Number),
    (0, 282, "diameter.Route-Record", Text),
    (0, 285, "diameter.Re-Auth-Request-Type", Word(&[(0, "AUTHORIZE_ONLY"), (1, "AUTHORIZE_AUTHENTICATE")])),
    (0, 294, "diameter.Error-Reporting-Host", Text),
    (0, 295, "diameter.Termination-Cause", Word(TERMINATION)),
    (0, 296, "diameter.Origin-Realm", Text),
    (0, 415, "diameter.CC-Request-Number", Number),
    (0, 416, "diameter.CC-Request-Type", Word(CREDIT)),
    (0, 436, "diameter.Requested-Action", Word(ACTION)),
    (0, 461, "diameter.Service-Context-Id", Text),
    (0, 480, "diameter.Accounting-Record-Type", Word(RECORD)),
    (0, 485, "diameter.Accounting-Record-Number", Number),
    (TGPP, 602, "diameter.Server-Name", Text),
    (TGPP, 1032, "diameter.RAT-Type", Word(RAT)),
    (TGPP, 1405, "diameter.ULR-Flags", Number),
    (TGPP, 1406, "diameter.ULA-Flags", Number),
    (TGPP, 1407, "diameter.Visited-PLMN-Id", Network),
    (TGPP, 1420, "diameter.Cancellation-Type", Word(CANCELLATION)),
];

const DISCONNECT: &[(u32, &str)] = &[(0, "REBOOTING"), (1, "BUSY"), (2, "DO_NOT_WANT_TO_TALK_TO_YOU")];
const AUTH_REQUEST: &[(u32, &str)] =
    &[(1, "AUTHENTICATE_ONLY"), (2, "AUTHORIZE_ONLY"), (3, "AUTHORIZE_AUTHENTICATE")];
const TERMINATION: &[(u32, &str)] = &[
    (1, "LOGOUT"),
    (2, "SERVICE_NOT_PROVIDED"),
    (3, "BAD_ANSWER"),
    (4, "ADMINISTRATIVE"),
    (5, "LINK_BROKEN"),
    (6, "AUTH_EXPIRED"),
    (7, "USER_MOVED"),
    (8, "SESSION_TIMEOUT"),
];
const CREDIT: &[(u32, &str)] =
    &[(1, "INITIAL_REQUEST"), (2, "UPDATE_REQUEST"), (3, "TERMINATION_REQUEST"), (4, "EVENT_REQUEST")];
const ACTION: &[(u32, &str)] =
    &[(0, "DIRECT_DEBITING"), (1, "REFUND_ACCOUNT"), (2, "CHECK_BALANCE"), (3, "PRICE_ENQUIRY")];
const RECORD: &[(u32, &str)] =
    &[(1, "EVENT_RECORD"), (2, "START_RECORD"), (3, "INTERIM_RECORD"), (4, "STOP_RECORD")];
const RAT: &[(u32, &str)] = &[
    (0, "WLAN"),
    (1, "VIRTUAL"),
    (1000, "UTRAN"),
    (1001, "GERAN"),
    (1002, "GAN"),
    (1003, "HSPA_EVOLUTION"),
    (1004, "EUTRAN"),
    (1005, "EUTRAN-NB-IoT"),
    (1006, "NR"),
];
const CANCELLATION: &[(u32, &str)] = &[
    (0, "MME_UPDATE_PROCEDURE"),
    (1, "SGSN_UPDATE_PROCEDURE"),
    (2, "SUBSCRIPTION_WITHDRAWAL"),
    (3, "UPDATE_PROCEDURE_IWF"),
    (4, "INITIAL_ATTACH_PROCEDURE"),
];

/// A number's word, or the number.
pub(super) fn word(words: &[(u32, &'static str)], number: u32) -> String {
    let known = words.iter().find(|(known, _)| *known == number);
    known.map_or_else(|| number.to_string(), |(_, word)| (*word).to_owned())
}
