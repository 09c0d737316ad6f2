//! Keys by the prefixes that their makers gave them, and PEM blocks.

use memchr::memmem;

use super::Span;
use crate::kind::Kind;

/// Keys whose makers gave them a prefix, with how many more characters they have at least.
const PREFIXES: &[(&str, usize, Kind)] = &[
    ("AKIA", 12, Kind::ApiKey),
    ("ASIA", 12, Kind::ApiKey),
    ("AIza", 30, Kind::ApiKey),
    ("ya29.", 20, Kind::Token),
    ("GOCSPX-", 20, Kind::Secret),
    ("ghp_", 20, Kind::Token),
    ("gho_", 20, Kind::Token),
    ("ghu_", 20, Kind::Token),
    ("ghs_", 20, Kind::Token),
    ("ghr_", 20, Kind::Token),
    ("github_pat_", 20, Kind::Token),
    ("glpat-", 16, Kind::Token),
    ("gldt-", 16, Kind::Token),
    ("xoxa-", 10, Kind::Token),
    ("xoxb-", 10, Kind::Token),
    ("xoxp-", 10, Kind::Token),
    ("xoxr-", 10, Kind::Token),
    ("xoxs-", 10, Kind::Token),
    ("xapp-", 10, Kind::Token),
    ("sk_live_", 10, Kind::ApiKey),
    ("sk_test_", 10, Kind::ApiKey),
    ("rk_live_", 10, Kind::ApiKey),
    ("rk_test_", 10, Kind::ApiKey),
    ("whsec_", 16, Kind::Secret),
    ("sk-", 20, Kind::ApiKey),
    ("SG.", 20, Kind::ApiKey),
    ("npm_", 30, Kind::Token),
    ("pypi-", 30, Kind::Token),
    ("hf_", 20, Kind::Token),
    ("dop_v1_", 20, Kind::Token),
    ("shpat_", 20, Kind::Token),
    ("shpss_", 20, Kind::Token),
    ("hvs.", 16, Kind::Token),
    ("hvb.", 16, Kind::Token),
    ("s.", 24, Kind::Token),
    ("AGE-SECRET-KEY-", 20, Kind::PrivateKey),
    ("eyJ", 40, Kind::Jwt),
];

/// Bytes that a known prefix begins with.
const FIRST: [bool; 256] = {
    let mut first = [false; 256];
    let mut index = 0;
    while index < PREFIXES.len() {
        first[PREFIXES[index].0.as_bytes()[0] as usize] = true;
        index += 1;
    }
    first
};

pub(super) fn prefixed(run: &str, start: usize, found: &mut Vec<Span>) -> bool {
    let bytes = run.as_bytes();
    let mut any = false;
    let mut at = 0;
    while at < bytes.len() {
        let at_word = FIRST[usize::from(bytes[at])] && (at == 0 || !bytes[at - 1].is_ascii_alphanumeric());
        let rest = &run[at..];
        let hit = at_word
            .then(|| {
                PREFIXES.iter().find(|(prefix, more, _)| {
                    rest.as_bytes()[0] == prefix.as_bytes()[0]
                        && rest.starts_with(prefix)
                        && rest.len() >= prefix.len() + more
                })
            })
            .flatten()
            .and_then(|&(prefix, more, kind)| {
                let tail = &rest.as_bytes()[prefix.len()..];
                let dots = kind == Kind::Jwt || prefix == "SG." || prefix == "ya29.";
                let key = tail.iter().take_while(|&&byte| {
                    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-') || (dots && byte == b'.')
                });
                let length = key.count();
                let made =
                    tail[..length].iter().any(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase());
                let dotted = kind != Kind::Jwt || tail[..length].contains(&b'.');
                (length >= more && made && dotted).then_some((prefix.len() + length, kind))
            });
        match hit {
            Some((length, kind)) => {
                found.push(Span { range: start + at..start + at + length, kind });
                any = true;
                at += length;
            }
            None => at += 1,
        }
    }
    any
}

/// Blocks of RFC 7468. Without an end they go to the end of the text.
pub(super) fn pem(text: &str, found: &mut Vec<Span>) {
    let mut from = 0;
    while let Some(at) = text.get(from..).and_then(|rest| memmem::find(rest.as_bytes(), b"-----BEGIN ")) {
        let start = from + at;
        let end = memmem::find(&text.as_bytes()[start..], b"-----END ")
            .and_then(|at| {
                let label = start + at + "-----END ".len();
                memmem::find(&text.as_bytes()[label..], b"-----").map(|at| label + at + 5)
            })
            .unwrap_or(text.len());
        found.push(Span { range: start..end, kind: Kind::PrivateKey });
        from = end;
    }
}
