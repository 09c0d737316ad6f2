//! Result codes (RFC 4511, 4.1.9 and A.2; IANA's list) and object identifiers by name.

use wirewise_model::Outcome;

const CODES: &[(i64, &str)] = &[
    (0, "success"),
    (1, "operationsError"),
    (2, "protocolError"),
    (3, "timeLimitExceeded"),
    (4, "sizeLimitExceeded"),
    (5, "compareFalse"),
    (6, "compareTrue"),
    (7, "authMethodNotSupported"),
    (8, "strongerAuthRequired"),
    (10, "referral"),
    (11, "adminLimitExceeded"),
    (12, "unavailableCriticalExtension"),
    (13, "confidentialityRequired"),
    (14, "saslBindInProgress"),
    (16, "noSuchAttribute"),
    (17, "undefinedAttributeType"),
    (18, "inappropriateMatching"),
    (19, "constraintViolation"),
    (20, "attributeOrValueExists"),
    (21, "invalidAttributeSyntax"),
    (32, "noSuchObject"),
    (33, "aliasProblem"),
    (34, "invalidDNSyntax"),
    (36, "aliasDereferencingProblem"),
    (48, "inappropriateAuthentication"),
    (49, "invalidCredentials"),
    (50, "insufficientAccessRights"),
    (51, "busy"),
    (52, "unavailable"),
    (53, "unwillingToPerform"),
    (54, "loopDetect"),
    (64, "namingViolation"),
    (65, "objectClassViolation"),
    (66, "notAllowedOnNonLeaf"),
    (67, "notAllowedOnRDN"),
    (68, "entryAlreadyExists"),
    (69, "objectClassModsProhibited"),
    (71, "affectsMultipleDSAs"),
    (80, "other"),
    (118, "canceled"),
    (119, "noSuchOperation"),
    (120, "tooLate"),
    (121, "cannotCancel"),
    (122, "assertionFailed"),
    (123, "authorizationDenied"),
    (4096, "e-syncRefreshRequired"),
];

/// A result code in the standard's word.
pub(super) fn code(code: i64) -> String {
    let known = CODES.iter().find(|(number, _)| *number == code);
    known.map_or_else(|| code.to_string(), |(_, name)| (*name).to_owned())
}

/// Whose fault a result is, if it is one.
pub(super) const fn outcome(code: i64) -> Outcome {
    match code {
        // A referral is an answer, and a comparison's two results are both.
        0 | 5 | 6 | 10 | 14 => Outcome::Ok,
        1 | 3 | 11 | 36 | 51..=54 | 71 | 80 => Outcome::ServerError,
        _ => Outcome::ClientError,
    }
}

pub(super) const START_TLS: &[u8] = b"1.3.6.1.4.1.1466.20037";
/// A server that says it goes (RFC 4511, 4.4.1).
pub(super) const DISCONNECTION: &[u8] = b"1.3.6.1.4.1.1466.20036";

const EXTENDED: &[(&[u8], &str)] = &[
    (START_TLS, "StartTLS"),
    (DISCONNECTION, "NoticeOfDisconnection"),
    (b"1.3.6.1.4.1.4203.1.11.1", "PasswordModify"),
    (b"1.3.6.1.4.1.4203.1.11.3", "WhoAmI"),
    (b"1.3.6.1.1.8", "Cancel"),
    (b"1.3.6.1.1.21.1", "StartTransaction"),
    (b"1.3.6.1.1.21.3", "EndTransaction"),
    (b"1.2.840.113556.1.4.1781", "FastBind"),
    (b"1.3.6.1.4.1.1466.101.119.1", "DynamicRefresh"),
];

/// An extended operation's name, where it is known.
pub(super) fn extended(oid: &[u8]) -> Option<&'static str> {
    EXTENDED.iter().find(|(known, _)| *known == oid).map(|(_, name)| *name)
}

/// Controls that make a search stay: persistent search, content synchronisation (which may also only refresh), change
/// notification of Active Directory.
pub(super) fn stays(oid: &[u8]) -> bool {
    matches!(oid, b"2.16.840.1.113730.3.4.3" | b"1.3.6.1.4.1.4203.1.9.1.1" | b"1.2.840.113556.1.4.528")
}
