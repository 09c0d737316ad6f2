//! Messages as exchanges: what stands in which column.

use std::net::Ipv4Addr;

use wirewise_model::{Exchange, Kind, Outcome, Side};

use super::names::{self, AVPS, Form};
use super::parse::{Avp, Message};
use crate::text::printable;

pub(super) const NAME: &str = "diameter";

const USER_NAME: u32 = 1;
const ORIGIN_HOST: u32 = 264;
const VENDOR_ID: u32 = 266;
const RESULT_CODE: u32 = 268;
const ERROR_MESSAGE: u32 = 281;
const DESTINATION_REALM: u32 = 283;
const DESTINATION_HOST: u32 = 293;
const ORIGIN_REALM: u32 = 296;
const EXPERIMENTAL_RESULT: u32 = 297;
const EXPERIMENTAL_RESULT_CODE: u32 = 298;
/// Says which application a vendor's session is of, and holds no more AVPs than that takes.
const VENDOR_SPECIFIC_APPLICATION: u32 = 260;
/// AVPs that are told of one call, and that are looked at in one message.
const MOST: usize = 48;
const MOST_LOOKED_AT: usize = 512;
/// Bytes of a text that are told.
const LONGEST: usize = 512;

pub(super) fn begin(client: Side, message: &Message<'_>) -> Exchange {
    let mut exchange = Exchange::new(NAME, client);
    exchange.operation = names::command(message.command);
    exchange.kind = match message.command {
        257 | 282 => Kind::Session,
        280 => Kind::Probe,
        _ => Kind::Unary,
    };
    exchange.attribute("diameter.cmd.code", i64::from(message.command));
    exchange.attribute("diameter.applicationId", names::application(message.application));
    exchange.attribute("diameter.hopbyhopid", i64::from(message.hop_by_hop));
    exchange.attribute("diameter.endtoendid", i64::from(message.end_to_end));
    exchange
}

pub(super) fn request(exchange: &mut Exchange, message: &Message<'_>) {
    for avp in message.avps().take(MOST_LOOKED_AT) {
        match (avp.vendor, avp.code) {
            (0, DESTINATION_REALM) => exchange.target = text(&avp),
            (0, DESTINATION_HOST) => exchange.host = Some(text(&avp)),
            (0, USER_NAME) => once(exchange, "user.name", text(&avp)),
            _ => tell(exchange, &avp),
        }
    }
}

pub(super) fn response(exchange: &mut Exchange, message: &Message<'_>) {
    let mut result = None;
    let mut words = None;
    for avp in message.avps().take(MOST_LOOKED_AT) {
        match (avp.vendor, avp.code) {
            (0, RESULT_CODE) => result = avp.number().map(|code| (0, code)),
            (0, EXPERIMENTAL_RESULT) => {
                let number =
                    |wanted| avp.parts().find(|part| part.code == wanted).and_then(|part| part.number());
                let vendor = number(VENDOR_ID).unwrap_or(0);
                result = result.or(number(EXPERIMENTAL_RESULT_CODE).map(|code| (vendor, code)));
            }
            (0, ERROR_MESSAGE) => words = Some(text(&avp)),
            // What a request says of who asks, its answer says of who answers.
            (0, ORIGIN_HOST) => {
                exchange.host.get_or_insert_with(|| text(&avp));
            }
            (0, ORIGIN_REALM) => {}
            _ => tell(exchange, &avp),
        }
    }
    let Some((vendor, code)) = result else {
        exchange.note("no_result");
        return;
    };
    let name = names::result(vendor, code);
    exchange.status_code = Some(i64::from(code));
    exchange.outcome = names::outcome(code);
    if exchange.outcome != Outcome::Ok {
        exchange.error = Some(words.filter(|words| !words.is_empty()).unwrap_or_else(|| name.clone()));
    }
    exchange.status = Some(name);
}

fn text(avp: &Avp<'_>) -> String {
    printable(avp.value.get(..LONGEST).unwrap_or(avp.value))
}

/// What may be told of an AVP, each kind once.
fn tell(exchange: &mut Exchange, avp: &Avp<'_>) {
    if (avp.vendor, avp.code) == (0, VENDOR_SPECIFIC_APPLICATION) {
        for part in avp.parts().take(4).filter(|part| part.code != VENDOR_ID) {
            value(exchange, &part);
        }
        return;
    }
    value(exchange, avp);
}

fn value(exchange: &mut Exchange, avp: &Avp<'_>) {
    let known = AVPS.iter().find(|(vendor, code, ..)| (*vendor, *code) == (avp.vendor, avp.code));
    let Some((.., name, form)) = known else { return };
    let told = match form {
        Form::Text => Some(text(avp)),
        Form::Number => {
            let is_new = !exchange.attributes.iter().any(|attribute| attribute.name == *name);
            match avp.number() {
                Some(number) if is_new && exchange.attributes.len() < MOST => {
                    exchange.attribute(name, i64::from(number));
                }
                Some(_) => {}
                None => exchange.note("malformed"),
            }
            return;
        }
        Form::Application => avp.number().map(names::application),
        Form::Word(words) => avp.number().map(|number| names::word(words, number)),
        Form::Ip4 => avp.number().map(|number| Ipv4Addr::from(number).to_string()),
        Form::Network => network(avp.value),
    };
    match told {
        Some(told) => once(exchange, name, told),
        None => exchange.note("malformed"),
    }
}

fn once(exchange: &mut Exchange, name: &'static str, told: String) {
    let known = exchange.attributes.iter().any(|attribute| attribute.name == name);
    if !known && exchange.attributes.len() < MOST {
        exchange.attribute(name, told);
    }
}

/// `262-01`: country and network, of which the last digit may be missing.
fn network(octets: &[u8]) -> Option<String> {
    let &[a, b, c] = octets else { return None };
    let digits = [a & 15, a >> 4, b & 15, c & 15, c >> 4, b >> 4];
    let (last, first) = digits.split_last()?;
    if first.iter().any(|digit| *digit > 9) || (10..15).contains(last) {
        return None;
    }
    let mut told = String::new();
    for (at, digit) in digits.iter().enumerate().filter(|(_, digit)| **digit < 10) {
        if at == 3 {
            told.push('-');
        }
        told.push(char::from(b'0' + digit));
    }
    Some(told)
}
