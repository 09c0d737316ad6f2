//! What can be hidden, and as what: a plain mark for what could be guessed, a keyed pseudonym for the rest.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Digits of a pseudonym, five bits each: 60 bits, so a million values collide with a chance of one in a
/// million.
const DIGITS: usize = 12;
/// Crockford's base32, as ids use it.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
/// Shorter values could be tried one after the other by who can send traffic and read answers.
const GUESSABLE_BYTES: usize = 12;
/// As many digits are less than 64 bits.
const GUESSABLE_DIGITS: usize = 20;

/// The key of the pseudonyms. Lives outside the data directory and is never exported or printed.
#[derive(Clone)]
pub struct Key([u8; 32]);

impl Key {
    /// Of 32 random bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(***)")
    }
}

/// What a hidden value was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Password,
    Pin,
    OneTimeCode,
    Card,
    CardCode,
    NationalId,
    Iban,
    PrivateKey,
    Basic,
    Digest,
    Bearer,
    Credential,
    Token,
    ApiKey,
    Jwt,
    Session,
    Cookie,
    Csrf,
    Secret,
    Signature,
    Code,
    User,
    Email,
    /// Nested deeper than we look.
    Nested,
    /// Text without a type of its own, where one was expected.
    Text,
}

impl Kind {
    /// The word in placeholders and in `redactions`.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Pin => "pin",
            Self::OneTimeCode => "otp",
            Self::Card => "card",
            Self::CardCode => "cvv",
            Self::NationalId => "national_id",
            Self::Iban => "iban",
            Self::PrivateKey => "private_key",
            Self::Basic => "basic",
            Self::Digest => "digest",
            Self::Bearer => "bearer",
            Self::Credential => "credential",
            Self::Token => "token",
            Self::ApiKey => "api_key",
            Self::Jwt => "jwt",
            Self::Session => "session",
            Self::Cookie => "cookie",
            Self::Csrf => "csrf",
            Self::Secret => "secret",
            Self::Signature => "signature",
            Self::Code => "code",
            Self::User => "user",
            Self::Email => "email",
            Self::Nested => "nested",
            Self::Text => "text",
        }
    }

    /// Whether values of this kind come from a set that is small enough to try.
    const fn guessable(self) -> bool {
        match self {
            Self::Password
            | Self::Pin
            | Self::OneTimeCode
            | Self::Card
            | Self::CardCode
            | Self::NationalId
            | Self::Iban
            | Self::Basic
            | Self::Digest
            | Self::Nested
            | Self::Text => true,
            Self::PrivateKey
            | Self::Bearer
            | Self::Credential
            | Self::Token
            | Self::ApiKey
            | Self::Jwt
            | Self::Session
            | Self::Cookie
            | Self::Csrf
            | Self::Secret
            | Self::Signature
            | Self::Code
            | Self::User
            | Self::Email => false,
        }
    }

    /// Whether it names a person. Those keep their pseudonyms however short they are: the `principal` column
    /// exists to tell users apart, and a name is no credential.
    pub(crate) const fn is_person(self) -> bool {
        matches!(self, Self::User | Self::Email)
    }
}

/// Makes placeholders. Kinds of one family share their pseudonyms, so that the token of a login's answer and
/// the bearer of the calls after it have equal digits.
#[derive(Clone)]
pub(crate) struct Pseudonyms(Hmac<Sha256>);

impl Pseudonyms {
    pub(crate) fn new(key: &Key) -> Self {
        Self(Hmac::new_from_slice(&key.0).expect("an HMAC takes keys of any length"))
    }

    /// Digits that are equal for equal values of a family.
    pub(crate) fn digits(&self, kind: Kind, value: &str) -> String {
        let mut mac = self.0.clone();
        if kind.is_person() {
            mac.update(b"person\0");
            mac.update(value.trim().to_lowercase().as_bytes());
        } else {
            mac.update(b"token\0");
            mac.update(value.trim().as_bytes());
        }
        let hash = mac.finalize().into_bytes();
        let mut bits = u64::from_be_bytes(hash[..8].try_into().expect("a hash has 32 bytes"));
        let mut digits = String::with_capacity(DIGITS);
        for _ in 0..DIGITS {
            digits.push(char::from(ALPHABET[(bits >> 59) as usize]));
            bits <<= 5;
        }
        digits
    }

    /// What stands in the place of `value`.
    pub(crate) fn placeholder(&self, kind: Kind, value: &str) -> String {
        if kind.guessable() || (!kind.is_person() && is_weak(value)) {
            format!("[redacted:{}]", kind.name())
        } else {
            format!("[{}:{}]", kind.name(), self.digits(kind, value))
        }
    }
}

impl fmt::Debug for Pseudonyms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pseudonyms(***)")
    }
}

/// Whether a value could be found by trying.
pub(crate) fn is_weak(value: &str) -> bool {
    let value = value.trim();
    if value.len() < GUESSABLE_BYTES {
        return true;
    }
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let mut seen = [0u64; 4];
    for byte in value.bytes() {
        seen[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }
    let distinct: u32 = seen.iter().map(|word| word.count_ones()).sum();
    (digits == value.len() && digits < GUESSABLE_DIGITS) || distinct < 5
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pseudonyms(byte: u8) -> Pseudonyms {
        Pseudonyms::new(&Key::from_bytes([byte; 32]))
    }

    #[test]
    fn guessable_values_leave_nothing_to_try() {
        let p = pseudonyms(1);
        assert_eq!(p.placeholder(Kind::Password, "correct horse battery staple"), "[redacted:password]");
        assert_eq!(p.placeholder(Kind::Token, "123456"), "[redacted:token]");
        assert_eq!(p.placeholder(Kind::Token, "1234567890123456"), "[redacted:token]");
        assert_eq!(p.placeholder(Kind::Session, "aaaaaaaaaaaaaaaaaaaaaa"), "[redacted:session]");
    }

    #[test]
    fn equal_values_join_within_a_family_and_a_key_only() {
        let (p, q) = (pseudonyms(1), pseudonyms(2));
        let value = "b7d1c2a9-long-enough";
        assert_eq!(p.digits(Kind::Bearer, value), p.digits(Kind::Token, value));
        assert_ne!(p.digits(Kind::Bearer, value), q.digits(Kind::Bearer, value));
        assert_ne!(p.digits(Kind::Bearer, value), p.digits(Kind::User, value));
        assert_eq!(p.digits(Kind::User, "Alice@Example.org"), p.digits(Kind::Email, "alice@example.org"));
        assert_eq!(p.digits(Kind::User, "alice").len(), DIGITS);
    }

    #[test]
    fn a_key_is_not_printed() {
        assert_eq!(format!("{:?} {:?}", Key::from_bytes([7; 32]), pseudonyms(7)), "Key(***) Pseudonyms(***)");
    }
}
