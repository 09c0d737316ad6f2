//! A record's data as a person would write it in a zone file.

use std::fmt::Write as _;
use std::net::{Ipv4Addr, Ipv6Addr};

use super::names;
use super::parse::{Record, Trouble, name_into, u16_at, u32_at};

/// Strings of TXT records are kept up to this length; a longer one ends in `...`. A DKIM key takes about 400.
const MOST_TEXT: usize = 512;

/// The address of an A or AAAA record.
pub(super) fn address(bytes: &[u8], record: &Record) -> Option<std::net::IpAddr> {
    let data = bytes.get(record.data.clone())?;
    match record.kind {
        1 => <[u8; 4]>::try_from(data).ok().map(|octets| Ipv4Addr::from(octets).into()),
        28 => <[u8; 16]>::try_from(data).ok().map(|octets| Ipv6Addr::from(octets).into()),
        _ => None,
    }
}

/// Appends the data of a record. Names in it may point anywhere before it in the message.
pub(super) fn text_into(bytes: &[u8], record: &Record, out: &mut String) -> Result<(), Trouble> {
    // What follows must not read past the record's own end, but names in it look back at all of the message.
    let whole = bytes.get(..record.data.end).ok_or(Trouble::Short)?;
    let at = record.data.start;
    let data = whole.get(at..).ok_or(Trouble::Short)?;
    match record.kind {
        1 if let Ok(octets) = <[u8; 4]>::try_from(data) => dotted(octets, out),
        1 | 28 => {
            let address = address(bytes, record).ok_or(Trouble::Malformed)?;
            put(out, format_args!("{address}"));
        }
        2 | 5 | 7 | 8 | 9 | 12 | 39 => {
            name_into(whole, at, out)?;
        }
        15 | 18 | 36 => {
            put(out, format_args!("{} ", u16_at(whole, at)?));
            name_into(whole, at + 2, out)?;
        }
        names::SOA => {
            let next = name_into(whole, at, out)?;
            out.push(' ');
            let numbers = name_into(whole, next, out)?;
            for index in 0..5 {
                put(out, format_args!(" {}", u32_at(whole, numbers + 4 * index)?));
            }
        }
        33 => {
            let [priority, weight, port] =
                [u16_at(whole, at)?, u16_at(whole, at + 2)?, u16_at(whole, at + 4)?];
            put(out, format_args!("{priority} {weight} {port} "));
            name_into(whole, at + 6, out)?;
        }
        13 | 16 | 99 => strings(data, out)?,
        35 => {
            put(out, format_args!("{} {} ", u16_at(whole, at)?, u16_at(whole, at + 2)?));
            let mut rest = data.get(4..).ok_or(Trouble::Short)?;
            for _ in 0..3 {
                rest = string(rest, out)?;
                out.push(' ');
            }
            name_into(whole, whole.len() - rest.len(), out)?;
        }
        257 => {
            let [flags, length, rest @ ..] = data else { return Err(Trouble::Short) };
            let (tag, value) = rest.split_at_checked(usize::from(*length)).ok_or(Trouble::Short)?;
            put(out, format_args!("{flags} {} ", tag.escape_ascii()));
            quote(value, out);
        }
        43 | 59 | 32769 => {
            let tag = u16_at(whole, at)?;
            let [_, _, algorithm, digest, rest @ ..] = data else { return Err(Trouble::Short) };
            put(out, format_args!("{tag} {algorithm} {digest} "));
            hex(rest, out);
        }
        48 | 60 => {
            let flags = u16_at(whole, at)?;
            let [_, _, protocol, algorithm, key @ ..] = data else { return Err(Trouble::Short) };
            put(out, format_args!("{flags} {protocol} {algorithm} ({} bytes of key)", key.len()));
        }
        46 => {
            let [_, _, algorithm, labels, ..] = data else { return Err(Trouble::Short) };
            put(out, format_args!("{} {algorithm} {labels} ", names::record_type(u16_at(whole, at)?)));
            put(out, format_args!("{} {} ", u32_at(whole, at + 4)?, u16_at(whole, at + 16)?));
            name_into(whole, at + 18, out)?;
        }
        47 => {
            name_into(whole, at, out)?;
        }
        52 | 53 => {
            let [usage, selector, matching, rest @ ..] = data else { return Err(Trouble::Short) };
            put(out, format_args!("{usage} {selector} {matching} "));
            hex(rest, out);
        }
        44 => {
            let [algorithm, kind, rest @ ..] = data else { return Err(Trouble::Short) };
            put(out, format_args!("{algorithm} {kind} "));
            hex(rest, out);
        }
        64 | 65 => service(whole, at, out)?,
        256 => {
            put(out, format_args!("{} {} ", u16_at(whole, at)?, u16_at(whole, at + 2)?));
            quote(data.get(4..).ok_or(Trouble::Short)?, out);
        }
        // RFC 3597, 5.
        _ => put(out, format_args!("\\# {}", data.len())),
    }
    Ok(())
}

/// An address of IPv4, digit by digit: most answers have one, and formatting it was a twentieth of what DNS costs.
fn dotted(octets: [u8; 4], out: &mut String) {
    out.reserve(15);
    for (index, octet) in octets.into_iter().enumerate() {
        if index > 0 {
            out.push('.');
        }
        if octet >= 100 {
            out.push(char::from(b'0' + octet / 100));
        }
        if octet >= 10 {
            out.push(char::from(b'0' + octet / 10 % 10));
        }
        out.push(char::from(b'0' + octet % 10));
    }
}

fn put(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("writing to a string cannot fail");
}

fn hex(bytes: &[u8], out: &mut String) {
    for byte in bytes.iter().take(MOST_TEXT / 2) {
        put(out, format_args!("{byte:02x}"));
    }
}

fn quote(text: &[u8], out: &mut String) {
    let kept = &text[..text.len().min(MOST_TEXT)];
    let more = if kept.len() < text.len() { "..." } else { "" };
    put(out, format_args!("\"{}{more}\"", kept.escape_ascii()));
}

/// One character-string (RFC 1035, 3.3), and what follows it.
fn string<'a>(bytes: &'a [u8], out: &mut String) -> Result<&'a [u8], Trouble> {
    let (length, rest) = bytes.split_first().ok_or(Trouble::Short)?;
    let (text, rest) = rest.split_at_checked(usize::from(*length)).ok_or(Trouble::Short)?;
    quote(text, out);
    Ok(rest)
}

fn strings(mut bytes: &[u8], out: &mut String) -> Result<(), Trouble> {
    let begins = out.len();
    while !bytes.is_empty() {
        if out.len() - begins > MOST_TEXT {
            out.push_str(" ...");
            return Ok(());
        }
        if out.len() > begins {
            out.push(' ');
        }
        bytes = string(bytes, out)?;
    }
    Ok(())
}

/// SVCB and HTTPS, RFC 9460: priority, target, and the parameters that say where and how to connect.
fn service(whole: &[u8], at: usize, out: &mut String) -> Result<(), Trouble> {
    put(out, format_args!("{} ", u16_at(whole, at)?));
    let mut here = name_into(whole, at + 2, out)?;
    while here < whole.len() {
        let (key, length) = (u16_at(whole, here)?, usize::from(u16_at(whole, here + 2)?));
        let value = whole.get(here + 4..here + 4 + length).ok_or(Trouble::Short)?;
        here += 4 + length;
        match key {
            1 => {
                out.push_str(" alpn=");
                let (mut rest, mut comma) = (value, "");
                while let Some((length, tail)) = rest.split_first() {
                    let (name, tail) =
                        tail.split_at_checked(usize::from(*length)).ok_or(Trouble::Malformed)?;
                    put(out, format_args!("{comma}{}", name.escape_ascii()));
                    (rest, comma) = (tail, ",");
                }
            }
            2 => out.push_str(" no-default-alpn"),
            3 => put(out, format_args!(" port={}", u16_at(value, 0)?)),
            4 => {
                for (index, octets) in value.chunks_exact(4).enumerate() {
                    out.push_str(if index == 0 { " ipv4hint=" } else { "," });
                    let octets = <[u8; 4]>::try_from(octets).expect("chunks of four");
                    put(out, format_args!("{}", Ipv4Addr::from(octets)));
                }
            }
            5 => out.push_str(" ech"),
            6 => {
                for (index, octets) in value.chunks_exact(16).enumerate() {
                    out.push_str(if index == 0 { " ipv6hint=" } else { "," });
                    let octets = <[u8; 16]>::try_from(octets).expect("chunks of sixteen");
                    put(out, format_args!("{}", Ipv6Addr::from(octets)));
                }
            }
            _ => put(out, format_args!(" key{key}")),
        }
    }
    Ok(())
}
