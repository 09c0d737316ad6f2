//! Numbers of TLS and their names: versions, alerts, cipher suites, groups. Unknown ones show as numbers.

use std::borrow::Cow;
use std::fmt;

use tls_parser::TlsCipherSuite;

/// A protocol version as it stands on the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Version(pub(super) u16);

impl Version {
    pub(super) const SSL2: Self = Self(0x0002);
    pub(super) const TLS1_2: Self = Self(0x0303);

    /// Whether the handshake is that of TLS 1.3, its drafts (RFC 8446 drafts, 0x7fNN; Facebook's, 0xfbNN)
    /// included.
    pub(super) fn is_13(self) -> bool {
        self.0 == 0x0304 || matches!(self.0 >> 8, 0x7f | 0xfb)
    }

    /// Older than TLS 1.2: RFC 8996 forbids them.
    pub(super) fn is_weak(self) -> bool {
        self < Self::TLS1_2
    }

    /// OpenTelemetry's `tls.protocol.name` and `tls.protocol.version`.
    pub(super) fn parts(self) -> (&'static str, Cow<'static, str>) {
        match self.0 {
            0x0002 => ("ssl", "2.0".into()),
            0x0300 => ("ssl", "3.0".into()),
            0x0301 => ("tls", "1.0".into()),
            0x0302 => ("tls", "1.1".into()),
            0x0303 => ("tls", "1.2".into()),
            0x0304 => ("tls", "1.3".into()),
            draft if draft >> 8 == 0x7f => ("tls", format!("1.3-draft{}", draft & 0xff).into()),
            draft if draft >> 8 == 0xfb => ("tls", format!("1.3-fb{}", draft & 0xff).into()),
            other => ("tls", format!("0x{other:04x}").into()),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, number) = self.parts();
        write!(f, "{}{number}", if name == "ssl" { "SSL" } else { "TLS" })
    }
}

/// Values that mean nothing and are there to keep receivers tolerant: RFC 8701.
pub(super) fn is_grease(value: u16) -> bool {
    value & 0x0f0f == 0x0a0a && value >> 8 == value & 0xff
}

/// A cipher suite's name at IANA.
pub(super) fn cipher(id: u16) -> Cow<'static, str> {
    TlsCipherSuite::from_id(id).map_or_else(|| format!("0x{id:04x}").into(), |suite| suite.name.into())
}

/// Whether a suite of that name protects less than it seems to: no encryption or one that is broken (RFC 7465,
/// RFC 8758, RFC 9155), export grade, or a peer that nobody authenticates.
pub(super) fn is_weak_cipher(name: &str) -> bool {
    const WEAK: [&str; 7] = ["_NULL", "_EXPORT", "_RC4_", "_RC2_", "_DES", "_3DES", "_anon_"];
    WEAK.iter().any(|part| name.contains(part)) || name.ends_with("_MD5")
}

/// A group's name at IANA.
pub(super) fn group(id: u16) -> Cow<'static, str> {
    match id {
        0x0017 => "secp256r1".into(),
        0x0018 => "secp384r1".into(),
        0x0019 => "secp521r1".into(),
        0x001d => "x25519".into(),
        0x001e => "x448".into(),
        0x0100 => "ffdhe2048".into(),
        0x0101 => "ffdhe3072".into(),
        0x0102 => "ffdhe4096".into(),
        0x11eb => "SecP256r1MLKEM768".into(),
        0x11ec => "X25519MLKEM768".into(),
        0x11ed => "SecP384r1MLKEM1024".into(),
        0x6399 => "X25519Kyber768Draft00".into(),
        other => format!("0x{other:04x}").into(),
    }
}

/// An alert's description, as RFC 8446, 6 and its elders name it.
pub(super) fn alert(number: u8) -> Cow<'static, str> {
    let name = match number {
        0 => "close_notify",
        10 => "unexpected_message",
        20 => "bad_record_mac",
        21 => "decryption_failed",
        22 => "record_overflow",
        30 => "decompression_failure",
        40 => "handshake_failure",
        41 => "no_certificate",
        42 => "bad_certificate",
        43 => "unsupported_certificate",
        44 => "certificate_revoked",
        45 => "certificate_expired",
        46 => "certificate_unknown",
        47 => "illegal_parameter",
        48 => "unknown_ca",
        49 => "access_denied",
        50 => "decode_error",
        51 => "decrypt_error",
        52 => "too_many_cids_requested",
        60 => "export_restriction",
        70 => "protocol_version",
        71 => "insufficient_security",
        80 => "internal_error",
        86 => "inappropriate_fallback",
        90 => "user_canceled",
        100 => "no_renegotiation",
        109 => "missing_extension",
        110 => "unsupported_extension",
        111 => "certificate_unobtainable",
        112 => "unrecognized_name",
        113 => "bad_certificate_status_response",
        114 => "bad_certificate_hash_value",
        115 => "unknown_psk_identity",
        116 => "certificate_required",
        120 => "no_application_protocol",
        121 => "ech_required",
        other => return format!("alert_{other}").into(),
    };
    name.into()
}
