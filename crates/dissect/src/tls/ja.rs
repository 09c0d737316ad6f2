//! Fingerprints of hellos: JA3 and JA3S (github.com/salesforce/ja3) and JA4 (github.com/FoxIO-LLC/ja4, of which
//! only JA4 itself is free for all).

use std::fmt::Write;

use md5::{Digest, Md5};
use sha2::Sha256;

use super::names::{Version, is_grease};
use super::parse::{ClientHello, ServerHello, extension};

/// MD5 of version, ciphers, extensions, groups and point formats in wire order, without GREASE.
pub(super) fn ja3(hello: &ClientHello) -> String {
    let mut text = hello.version.0.to_string();
    push_numbers(&mut text, &hello.ciphers);
    push_numbers(&mut text, &hello.extensions);
    push_numbers(&mut text, &hello.groups);
    text.push(',');
    for (index, format) in hello.point_formats.iter().enumerate() {
        let dash = if index > 0 { "-" } else { "" };
        let _ = write!(text, "{dash}{format}");
    }
    hex::encode(Md5::digest(text))
}

/// MD5 of version, cipher and extensions of a server's hello.
pub(super) fn ja3s(hello: &ServerHello) -> String {
    let mut text = format!("{},{}", hello.version.0, hello.cipher);
    push_numbers(&mut text, &hello.extensions);
    hex::encode(Md5::digest(text))
}

fn push_numbers(text: &mut String, numbers: &[u16]) {
    text.push(',');
    let mut dash = "";
    for number in numbers.iter().filter(|number| !is_grease(**number)) {
        let _ = write!(text, "{dash}{number}");
        dash = "-";
    }
}

/// JA4 of a hello over TCP (`t`) or QUIC (`q`): what it offers in ten readable characters, then hashes of its sorted ciphers and of
/// its sorted extensions with the signature algorithms in wire order.
pub(super) fn ja4(hello: &ClientHello, carrier: char) -> String {
    let ungreased = |numbers: &[u16]| -> Vec<u16> {
        numbers.iter().copied().filter(|number| !is_grease(*number)).collect()
    };
    let (mut ciphers, mut extensions) = (ungreased(&hello.ciphers), ungreased(&hello.extensions));
    let version = match hello.versions.iter().max().unwrap_or(&hello.version) {
        Version(0x0304) => "13",
        Version(0x0303) => "12",
        Version(0x0302) => "11",
        Version(0x0301) => "10",
        Version(0x0300) => "s3",
        Version(0x0002) => "s2",
        _ => "00",
    };
    let name = if extensions.contains(&extension::SERVER_NAME) { 'd' } else { 'i' };
    let (n_ciphers, n_extensions) = (ciphers.len().min(99), extensions.len().min(99));
    let alpn = ja4_alpn(hello.alpn.first().map_or(&[], Vec::as_slice));

    ciphers.sort_unstable();
    extensions.retain(|kind| !matches!(*kind, extension::SERVER_NAME | extension::ALPN));
    extensions.sort_unstable();
    let mut offers = hex_list(&extensions);
    let signatures = hex_list(&ungreased(&hello.signatures));
    if !offers.is_empty() && !signatures.is_empty() {
        offers.push('_');
        offers.push_str(&signatures);
    }
    let (ciphers, offers) = (hash12(&hex_list(&ciphers)), hash12(&offers));
    format!("{carrier}{version}{name}{n_ciphers:02}{n_extensions:02}{alpn}_{ciphers}_{offers}")
}

/// First and last character of the first protocol; of its hexadecimal form where either is not alphanumeric.
fn ja4_alpn(protocol: &[u8]) -> String {
    let (Some(first), Some(last)) = (protocol.first(), protocol.last()) else { return "00".to_owned() };
    if first.is_ascii_alphanumeric() && last.is_ascii_alphanumeric() {
        return format!("{}{}", char::from(*first), char::from(*last));
    }
    format!("{:x}{:x}", first >> 4, last & 15)
}

fn hex_list(numbers: &[u16]) -> String {
    let mut text = String::with_capacity(numbers.len() * 5);
    for (index, number) in numbers.iter().enumerate() {
        let comma = if index > 0 { "," } else { "" };
        let _ = write!(text, "{comma}{number:04x}");
    }
    text
}

/// The first twelve digits of the SHA-256; zeros for nothing.
fn hash12(text: &str) -> String {
    if text.is_empty() {
        return "0".repeat(12);
    }
    hex::encode(&Sha256::digest(text)[..6])
}
