//! What a certificate (X.509, RFC 5280) says of its owner. Extensions are not looked at: subject, issuer and
//! validity stand before them, and one odd extension should not hide them.

use wirewise_model::{CertificateInfo, Timestamp};
use x509_parser::certificate::X509CertificateParser;
use x509_parser::nom::Parser;
use x509_parser::time::ASN1Time;
use x509_parser::x509::X509Name;

/// Characters of a distinguished name that are kept.
const LONGEST_NAME: usize = 1024;

/// A certificate, as far as it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Certificate {
    pub(super) info: CertificateInfo,
    /// Beginning of validity.
    pub(super) not_before: Option<Timestamp>,
    /// Whether subject and issuer are the same.
    pub(super) self_issued: bool,
}

/// Reads a certificate in DER; `None` where it is none.
pub(super) fn parse(der: &[u8]) -> Option<Certificate> {
    let mut parser = X509CertificateParser::new().with_deep_parse_extensions(false);
    let (_, certificate) = parser.parse(der).ok()?;
    let validity = certificate.validity();
    Some(Certificate {
        info: CertificateInfo {
            subject: name(certificate.subject()),
            issuer: name(certificate.issuer()),
            expires_at: Some(time(validity.not_after)),
        },
        not_before: Some(time(validity.not_before)),
        self_issued: certificate.subject().as_raw() == certificate.issuer().as_raw(),
    })
}

/// In wire order, as `openssl x509 -subject` shows it: `C=US, O=Example, CN=example.com`.
fn name(name: &X509Name<'_>) -> String {
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    name.to_string().chars().take(LONGEST_NAME).map(shown).collect()
}

fn time(time: ASN1Time) -> Timestamp {
    Timestamp::from_parts(time.timestamp(), 0)
}
