//! Messages as exchanges: what stands in which column.
//!
//! Of a bind the name is told and never the password; of SASL the mechanism; of entries, modifications and
//! comparisons the names of attributes and never their values.

use wirewise_model::{Exchange, Kind, Outcome, Side};

use super::names;
use super::parse::{BOOLEAN, ENUMERATED, Element, INTEGER, Message, Op, TEXT, number};
use crate::text::printable;

pub(super) const NAME: &str = "ldap";

/// Bytes of a name that are told.
const LONGEST: usize = 512;
/// Names of attributes that are told of one message.
const MOST_NAMES: usize = 16;
/// Parts of names below which values are anybody's; the others say where in the tree.
const PLACES: &[&str] = &["dc", "o", "ou", "c", "l", "st"];

pub(super) fn begin(client: Side, op: Op) -> Exchange {
    let mut exchange = Exchange::new(NAME, client);
    op.name().clone_into(&mut exchange.operation);
    if matches!(op, Op::Bind | Op::Unbind) {
        exchange.kind = Kind::Session;
    }
    exchange
}

/// A name of an attribute or of an entry.
pub(super) fn name(bytes: &[u8]) -> String {
    printable(bytes.get(..LONGEST).unwrap_or(bytes))
}

fn target(exchange: &mut Exchange, dn: Option<Element<'_>>) {
    let dn = name(dn.map_or(&[][..], |dn| dn.value));
    exchange.endpoint = (!dn.is_empty()).then(|| masked(&dn));
    exchange.target = dn;
}

/// A distinguished name with `?` for what names a person or thing: `uid=?,ou=people,dc=example,dc=org`.
fn masked(dn: &str) -> String {
    let mut parts = Vec::new();
    for part in unescaped_parts(dn) {
        match part.split_once('=') {
            Some((kind, _)) if !PLACES.contains(&&*kind.trim().to_ascii_lowercase()) => {
                parts.push(format!("{kind}=?"));
            }
            Some(_) => parts.push(part.to_owned()),
            // Active Directory binds by account too: `user@domain`, `DOMAIN\user`.
            None => parts.push("?".to_owned()),
        }
    }
    parts.join(",")
}

/// The parts between commas that no backslash stands before (RFC 4514, 2.4).
fn unescaped_parts(dn: &str) -> Vec<&str> {
    let (mut parts, mut begin, mut escaped) = (Vec::new(), 0, false);
    for (at, letter) in dn.char_indices() {
        if letter == ',' && !escaped {
            parts.push(dn.get(begin..at).unwrap_or_default());
            begin = at + 1;
        }
        escaped = letter == '\\' && !escaped;
    }
    parts.push(dn.get(begin..).unwrap_or_default());
    parts
}

/// What a client asks.
pub(super) fn request(exchange: &mut Exchange, op: Op, message: &Message<'_>) {
    exchange.attribute("ldap.messageID", message.id);
    let mut parts = message.parts();
    match op {
        Op::Bind => {
            let version = parts.part(INTEGER).and_then(Element::number);
            let dn = parts.part(TEXT);
            target(exchange, dn);
            if let Some(version) = version {
                exchange.attribute("ldap.version", version);
            }
            let is_named = dn.is_some_and(|dn| !dn.value.is_empty());
            let Some(choice) = parts.next() else { return };
            let way = match choice.tag {
                // RFC 4513, 5.1: without a name, or with one and no password, nobody is authenticated.
                0x80 if !is_named => "anonymous",
                0x80 if choice.value.is_empty() => "unauthenticated",
                0x80 => "simple",
                0xa3 => "sasl",
                0x89..=0x8b => "sicily",
                _ => "unknown",
            };
            exchange.attribute("ldap.authentication", way);
            if let Some(mechanism) = choice.parts().part(TEXT).filter(|_| choice.tag == 0xa3) {
                exchange
                    .attribute("ldap.mechanism", name(mechanism.value.get(..20).unwrap_or(mechanism.value)));
            }
        }
        Op::Search => search(exchange, message),
        Op::Modify => {
            target(exchange, parts.part(TEXT));
            let changes = parts.next().into_iter().flat_map(Element::parts).map(|change| {
                let mut change = change.parts();
                let how = match change.part(ENUMERATED).and_then(Element::number) {
                    Some(0) => "add",
                    Some(1) => "delete",
                    Some(2) => "replace",
                    Some(3) => "increment",
                    _ => "?",
                };
                let what = change.next().and_then(|what| what.parts().next());
                format!("{how} {}", name(what.map_or(&[][..], |what| what.value)))
            });
            list(exchange, "ldap.modification", changes);
        }
        Op::Add => {
            target(exchange, parts.part(TEXT));
            let types = parts.next().into_iter().flat_map(Element::parts);
            let types = types.filter_map(|attribute| attribute.parts().part(TEXT));
            list(exchange, "ldap.attributes", types.map(|of| name(of.value)));
        }
        Op::Delete => target(exchange, Some(Element { tag: TEXT, value: message.value })),
        Op::ModifyDn => {
            target(exchange, parts.part(TEXT));
            if let Some(new) = parts.part(TEXT) {
                exchange.attribute("ldap.newrdn", name(new.value));
            }
            let _delete_old = parts.part(BOOLEAN);
            if let Some(superior) = parts.part(0x80) {
                exchange.attribute("ldap.newSuperior", name(superior.value));
            }
        }
        Op::Compare => {
            target(exchange, parts.part(TEXT));
            if let Some(what) = parts.next().and_then(|assertion| assertion.parts().part(TEXT)) {
                exchange.attribute("ldap.attributeDesc", name(what.value));
            }
        }
        Op::Abandon => {
            if let Some(id) = number(message.value) {
                exchange.attribute("ldap.abandonRequest", id);
            }
        }
        Op::Extended => extended(exchange, parts.part(0x80)),
        Op::Unbind => {}
    }
}

/// The kind of an extended operation, or its identifier where it has no name.
fn extended(exchange: &mut Exchange, oid: Option<Element<'_>>) {
    let Some(oid) = oid else { return };
    exchange.target = names::extended(oid.value).map_or_else(|| name(oid.value), str::to_owned);
    if is_oid(oid.value) {
        // A kind of operation, which no mask may take for an address: some look like `0.1.2.3`.
        exchange.endpoint = Some(exchange.target.clone());
    }
    exchange.attribute("ldap.requestName", name(oid.value));
    if oid.value == names::START_TLS {
        exchange.kind = Kind::Session;
    }
}

/// RFC 4512, 1.4: numbers between dots.
fn is_oid(bytes: &[u8]) -> bool {
    let mut arcs = bytes.split(|&byte| byte == b'.');
    bytes.len() <= LONGEST && arcs.all(|arc| !arc.is_empty() && arc.iter().all(u8::is_ascii_digit))
}

fn search(exchange: &mut Exchange, message: &Message<'_>) {
    let mut parts = message.parts();
    target(exchange, parts.part(TEXT));
    let scope = match parts.part(ENUMERATED).and_then(Element::number) {
        Some(0) => "base",
        Some(1) => "one",
        Some(2) => "sub",
        Some(3) => "subordinates",
        _ => "?",
    };
    exchange.attribute("ldap.scope", scope);
    let _aliases = parts.part(ENUMERATED);
    if let Some(most) = parts.part(INTEGER).and_then(Element::number).filter(|most| *most > 0) {
        exchange.attribute("ldap.sizeLimit", most);
    }
    let (_seconds, _types_only) = (parts.part(INTEGER), parts.part(BOOLEAN));
    if let Some(filter) = parts.next() {
        exchange.attribute("ldap.filter", super::filter::filter(filter));
    }
    let wanted = parts.next().into_iter().flat_map(Element::parts);
    list(exchange, "ldap.attributes", wanted.map(|wanted| name(wanted.value)));
    let mut controls = message.controls.into_iter().flatten();
    if controls.any(|control| control.parts().part(TEXT).is_some_and(|oid| names::stays(oid.value))) {
        exchange.kind = Kind::Stream;
    }
}

fn list(exchange: &mut Exchange, attribute: &'static str, names: impl Iterator<Item = String>) {
    let mut names: Vec<String> = names.take(MOST_NAMES + 1).collect();
    if names.len() > MOST_NAMES {
        names.truncate(MOST_NAMES);
        names.push("...".to_owned());
    }
    if !names.is_empty() {
        exchange.attribute(attribute, names.join(" "));
    }
}

/// How it came out (RFC 4511, 4.1.9).
pub(super) fn result(exchange: &mut Exchange, op: Op, message: &Message<'_>) {
    let mut parts = message.parts();
    let Some(code) = parts.part(ENUMERATED).and_then(Element::number) else {
        exchange.note("malformed");
        return;
    };
    let matched = parts.part(TEXT).map_or(&[][..], |matched| matched.value);
    let words = parts.part(TEXT).map_or(&[][..], |words| words.value);
    exchange.status = Some(names::code(code));
    exchange.status_code = Some(code);
    exchange.outcome = names::outcome(code);
    if exchange.outcome != Outcome::Ok {
        // Active Directory ends its words with a zero.
        let words = name(words.strip_suffix(b"\0").unwrap_or(words));
        exchange.error = Some(if words.is_empty() { names::code(code) } else { words });
        if !matched.is_empty() {
            exchange.attribute("ldap.matchedDN", name(matched));
        }
    }
    if let Some(referral) = parts.part(0xa3) {
        list(exchange, "ldap.referral", referral.parts().map(|to| name(to.value)));
    }
    if op == Op::Extended && exchange.request.is_none() {
        extended(exchange, parts.find(|part| part.tag == 0x8a));
    }
}
