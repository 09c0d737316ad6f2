//! The words of DNS: record types, classes, operations and response codes, as IANA lists them.

use std::borrow::Cow;

use wirewise_model::Outcome;

/// Record types of transfers, which many messages answer.
pub(super) const IXFR: u16 = 251;
/// A whole zone.
pub(super) const AXFR: u16 = 252;
/// Start of authority.
pub(super) const SOA: u16 = 6;
/// EDNS, RFC 6891.
pub(super) const OPT: u16 = 41;

/// The name of a record type: `AAAA`, or `TYPE1234` for one that has none here (RFC 3597).
pub(super) fn record_type(kind: u16) -> Cow<'static, str> {
    Cow::Borrowed(match kind {
        1 => "A",
        2 => "NS",
        5 => "CNAME",
        6 => "SOA",
        7 => "MB",
        8 => "MG",
        9 => "MR",
        10 => "NULL",
        11 => "WKS",
        12 => "PTR",
        13 => "HINFO",
        14 => "MINFO",
        15 => "MX",
        16 => "TXT",
        17 => "RP",
        18 => "AFSDB",
        24 => "SIG",
        25 => "KEY",
        28 => "AAAA",
        29 => "LOC",
        33 => "SRV",
        35 => "NAPTR",
        36 => "KX",
        37 => "CERT",
        39 => "DNAME",
        41 => "OPT",
        42 => "APL",
        43 => "DS",
        44 => "SSHFP",
        45 => "IPSECKEY",
        46 => "RRSIG",
        47 => "NSEC",
        48 => "DNSKEY",
        49 => "DHCID",
        50 => "NSEC3",
        51 => "NSEC3PARAM",
        52 => "TLSA",
        53 => "SMIMEA",
        55 => "HIP",
        59 => "CDS",
        60 => "CDNSKEY",
        61 => "OPENPGPKEY",
        62 => "CSYNC",
        63 => "ZONEMD",
        64 => "SVCB",
        65 => "HTTPS",
        99 => "SPF",
        108 => "EUI48",
        109 => "EUI64",
        249 => "TKEY",
        250 => "TSIG",
        251 => "IXFR",
        252 => "AXFR",
        255 => "ANY",
        256 => "URI",
        257 => "CAA",
        32769 => "DLV",
        _ => return Cow::Owned(format!("TYPE{kind}")),
    })
}

/// The name of a class: `CH`, or `CLASS42`.
pub(super) fn class(class: u16) -> Cow<'static, str> {
    Cow::Borrowed(match class {
        1 => "IN",
        3 => "CH",
        4 => "HS",
        254 => "NONE",
        255 => "ANY",
        _ => return Cow::Owned(format!("CLASS{class}")),
    })
}

/// The `operation` of a message.
pub(super) fn operation(opcode: u8) -> Cow<'static, str> {
    Cow::Borrowed(match opcode {
        0 => "query",
        1 => "iquery",
        2 => "status",
        4 => "notify",
        5 => "update",
        6 => "stateful",
        _ => return Cow::Owned(format!("opcode{opcode}")),
    })
}

/// The name of a response code, extended ones included, and how it makes a call come out.
///
/// A client error is the server's word that the question, or the one who asks, is not served: the name does
/// not exist, the message is wrong, not allowed or not supported. SERVFAIL, and what nobody has assigned, is
/// the server's own failure.
pub(super) fn response_code(code: u16) -> (Cow<'static, str>, Outcome) {
    let (name, outcome) = match code {
        0 => ("NOERROR", Outcome::Ok),
        1 => ("FORMERR", Outcome::ClientError),
        2 => ("SERVFAIL", Outcome::ServerError),
        3 => ("NXDOMAIN", Outcome::ClientError),
        4 => ("NOTIMP", Outcome::ClientError),
        5 => ("REFUSED", Outcome::ClientError),
        6 => ("YXDOMAIN", Outcome::ClientError),
        7 => ("YXRRSET", Outcome::ClientError),
        8 => ("NXRRSET", Outcome::ClientError),
        9 => ("NOTAUTH", Outcome::ClientError),
        10 => ("NOTZONE", Outcome::ClientError),
        11 => ("DSOTYPENI", Outcome::ClientError),
        // In EDNS; the same number in a TSIG record is BADSIG.
        16 => ("BADVERS", Outcome::ClientError),
        17 => ("BADKEY", Outcome::ClientError),
        18 => ("BADTIME", Outcome::ClientError),
        19 => ("BADMODE", Outcome::ClientError),
        20 => ("BADNAME", Outcome::ClientError),
        21 => ("BADALG", Outcome::ClientError),
        22 => ("BADTRUNC", Outcome::ClientError),
        23 => ("BADCOOKIE", Outcome::ClientError),
        _ => return (Cow::Owned(format!("RCODE{code}")), Outcome::ServerError),
    };
    (Cow::Borrowed(name), outcome)
}

/// The words of an extended DNS error (RFC 8914, 4), for codes that have some.
pub(super) fn extended_error(code: u16) -> Option<&'static str> {
    const WORDS: [&str; 30] = [
        "Other Error",
        "Unsupported DNSKEY Algorithm",
        "Unsupported DS Digest Type",
        "Stale Answer",
        "Forged Answer",
        "DNSSEC Indeterminate",
        "DNSSEC Bogus",
        "Signature Expired",
        "Signature Not Yet Valid",
        "DNSKEY Missing",
        "RRSIGs Missing",
        "No Zone Key Bit Set",
        "NSEC Missing",
        "Cached Error",
        "Not Ready",
        "Blocked",
        "Censored",
        "Filtered",
        "Prohibited",
        "Stale NXDOMAIN Answer",
        "Not Authoritative",
        "Not Supported",
        "No Reachable Authority",
        "Network Error",
        "Invalid Data",
        "Signature Expired before Valid",
        "Too Early",
        "Unsupported NSEC3 Iterations Value",
        "Unable to conform to policy",
        "Synthesized",
    ];
    WORDS.get(usize::from(code)).copied()
}
