//! Packets as exchanges: what stands in which column.

use std::net::{Ipv4Addr, Ipv6Addr};

use wirewise_model::{Exchange, Kind, Outcome, Side};

use super::names::{self, ATTRIBUTES, Form};
use super::parse::{Code, Packet};
use crate::text::printable;

pub(super) const NAME: &str = "radius";

const USER_NAME: u8 = 1;
const REPLY_MESSAGE: u8 = 18;
const VENDOR_SPECIFIC: u8 = 26;
const EAP_MESSAGE: u8 = 79;
const ERROR_CAUSE: u8 = 101;
/// Attributes that are told of one packet.
const MOST: usize = 48;

pub(super) fn begin(client: Side, code: Code, id: u8) -> Exchange {
    let mut exchange = Exchange::new(NAME, client);
    code.name().clone_into(&mut exchange.operation);
    exchange.kind = match code {
        Code::StatusServer | Code::StatusClient => Kind::Probe,
        _ => Kind::Unary,
    };
    exchange.attribute("radius.id", i64::from(id));
    exchange
}

pub(super) fn request(exchange: &mut Exchange, packet: &Packet<'_>) {
    let user = packet.attributes().find(|(kind, _)| *kind == USER_NAME);
    if let Some((_, user)) = user {
        let user = printable(user);
        // Of a name only its realm says where the question goes (RFC 7542, 2.2).
        if let Some((_, realm)) = user.rsplit_once('@') {
            realm.clone_into(&mut exchange.target);
        }
        exchange.attribute("user.name", user);
    }
    attributes(exchange, packet);
}

pub(super) fn response(exchange: &mut Exchange, packet: &Packet<'_>) {
    exchange.status = Some(packet.code.name().to_owned());
    exchange.status_code = Some(i64::from(packet.number));
    let value = |wanted| packet.attributes().find(|(kind, _)| *kind == wanted).map(|(_, value)| value);
    let cause = value(ERROR_CAUSE).and_then(number);
    let refused = matches!(packet.code, Code::AccessReject | Code::DisconnectNak | Code::CoaNak);
    exchange.outcome = match cause {
        _ if !refused => Outcome::Ok,
        Some(500..) => Outcome::ServerError,
        Some(_) | None => Outcome::ClientError,
    };
    attributes(exchange, packet);
    if refused {
        // Words for the user are told where they say why; in a challenge they may be a part of the secret.
        let words = value(REPLY_MESSAGE).filter(|words| !words.is_empty()).map(printable);
        let cause = attribute(exchange, "radius.Error_Cause");
        exchange.error = words.or(cause).or_else(|| exchange.status.clone());
    }
}

fn attribute(exchange: &Exchange, name: &str) -> Option<String> {
    let found = exchange.attributes.iter().find(|attribute| attribute.name == name);
    found.map(|attribute| attribute.value.to_string())
}

/// The attributes that may be told, each type once.
fn attributes(exchange: &mut Exchange, packet: &Packet<'_>) {
    let mut vendors: Vec<String> = Vec::new();
    let mut method = None;
    for (kind, value) in packet.attributes() {
        match kind {
            VENDOR_SPECIFIC => {
                let vendor = value.first_chunk().map(|bytes| u32::from_be_bytes(*bytes).to_string());
                vendors.extend(vendor.filter(|vendor| vendors.len() < 8 && !vendors.contains(vendor)));
            }
            // Code, identifier, length, and the method in requests and responses (RFC 3748, 4).
            EAP_MESSAGE if method.is_none() => {
                method = match value {
                    [1 | 2, _, _, _, method, ..] => Some(names::eap(*method)),
                    _ => None,
                };
            }
            _ => tell(exchange, kind, value),
        }
    }
    if !vendors.is_empty() {
        once(exchange, "radius.avp.vendor_id", vendors.join(" "));
    }
    if let Some(method) = method {
        once(exchange, "eap.type", method);
    }
}

fn tell(exchange: &mut Exchange, kind: u8, value: &[u8]) {
    let Some((_, name, form)) = ATTRIBUTES.iter().find(|(known, ..)| *known == kind) else { return };
    let text = match form {
        Form::Text => Some(printable(value)),
        Form::Number => {
            if let Some(number) = number(value)
                && exchange.attributes.len() < MOST
                && !exchange.attributes.iter().any(|attribute| attribute.name == *name)
            {
                exchange.attribute(name, i64::from(number));
            }
            return;
        }
        Form::Word(words) => number(value).map(|number| names::word(words, number)),
        Form::TaggedWord(words) => number(value).map(|number| names::word(words, number & 0x00ff_ffff)),
        Form::TaggedText => match value {
            [0..=0x1f, rest @ ..] => Some(printable(rest)),
            _ => Some(printable(value)),
        },
        Form::Ip4 => <[u8; 4]>::try_from(value).ok().map(|ip| Ipv4Addr::from(ip).to_string()),
        Form::Ip6 => <[u8; 16]>::try_from(value).ok().map(|ip| Ipv6Addr::from(ip).to_string()),
    };
    match text {
        Some(text) => once(exchange, name, text),
        None => exchange.note("malformed"),
    }
}

fn once(exchange: &mut Exchange, name: &'static str, text: String) {
    let known = exchange.attributes.iter().any(|attribute| attribute.name == name);
    if !known && exchange.attributes.len() < MOST {
        exchange.attribute(name, text);
    }
}

fn number(value: &[u8]) -> Option<u32> {
    <[u8; 4]>::try_from(value).ok().map(u32::from_be_bytes)
}
