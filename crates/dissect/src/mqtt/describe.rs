//! Packets as exchanges: what stands in which column.

use wirewise_model::{Coverage, Exchange, Kind, Message, Outcome, Side, Track};

use super::names;
use super::packet::{Packet, Said};
use super::pair::Answer;
use super::parse::{AUTH, CONNECT, Connect, DISCONNECT, Filters, Fixed, PINGREQ, PUBLISH, Publish};
use crate::lineup::join;

pub(super) const NAME: &str = "mqtt";
/// Bytes of all filters of one packet together that are kept.
const FILTERS_KEPT: usize = 512;

/// An exchange about a packet of that kind.
pub(super) fn begin(client: Side, kind: u8) -> Exchange {
    let mut exchange = Exchange::new(NAME, client);
    names::packet(kind).clone_into(&mut exchange.operation);
    exchange.kind = match kind {
        PUBLISH => Kind::Message,
        PINGREQ => Kind::Probe,
        CONNECT | DISCONNECT | AUTH => Kind::Session,
        _ => Kind::Unary,
    };
    exchange.attribute("messaging.system", NAME);
    exchange
}

pub(super) fn connect(client: Side, connect: Connect) -> Exchange {
    let mut exchange = begin(client, CONNECT);
    exchange.attribute("mqtt.ver", i64::from(connect.version));
    if !connect.client_id.is_empty() {
        exchange.attribute("messaging.client.id", connect.client_id);
    }
    exchange.attribute("mqtt.kalive", i64::from(connect.keep_alive));
    exchange.attribute("mqtt.conflag.cleansess", connect.clean);
    if connect.will {
        exchange.attribute("mqtt.conflag.willflag", true);
    }
    if let Some(username) = connect.username {
        exchange.attribute("mqtt.username", username);
    }
    if let Some(method) = connect.auth_method {
        exchange.attribute("mqtt.prop_auth_method", method);
    }
    odd(&mut exchange, connect.malformed, false);
    exchange
}

pub(super) fn filters(client: Side, kind: u8, filters: Filters) -> Exchange {
    let mut exchange = begin(client, kind);
    if filters.count > 1 {
        let mut joined = filters.filters.join(", ");
        while joined.len() > FILTERS_KEPT {
            joined.pop();
        }
        exchange.attribute("mqtt.filter_count", i64::from(filters.count));
        exchange.attribute("mqtt.topic", joined);
    }
    exchange.attribute("mqtt.msgid", i64::from(filters.id));
    exchange.target = filters.filters.into_iter().next().unwrap_or_default();
    exchange
}

pub(super) fn publish(
    client: Side,
    fixed: Fixed,
    publish: Publish,
    payload: u64,
    is_delivery: bool,
) -> Exchange {
    let Publish { topic, id, properties, .. } = publish;
    let mut exchange = begin(client, PUBLISH);
    exchange.attribute("messaging.operation.type", if is_delivery { "receive" } else { "send" });
    exchange.attribute("messaging.destination.name", &*topic);
    exchange.attribute("messaging.message.body.size", i64::try_from(payload).unwrap_or(i64::MAX));
    exchange.attribute("mqtt.qos", i64::from(fixed.qos()));
    if let Some(id) = id {
        exchange.attribute("mqtt.msgid", i64::from(id));
    }
    if fixed.is_retained() {
        exchange.attribute("mqtt.retain", true);
    }
    if let Some(alias) = properties.topic_alias {
        exchange.attribute("mqtt.prop_topic_alias", i64::from(alias));
    }
    if let Some(topic) = properties.response_topic {
        exchange.attribute("mqtt.prop_response_topic", topic);
    }
    exchange.target = topic;
    exchange.trace = properties.trace;
    exchange
}

/// DISCONNECT, AUTH, and what cannot be read.
pub(super) fn one_way(client: Side, side: Side, packet: Packet) -> Exchange {
    let mut exchange = begin(client, packet.fixed.kind);
    exchange.outcome = Outcome::OneWay;
    exchange.complete = true;
    if let Said::Reason(code, properties) = packet.said {
        if let Some(code) = code {
            let (name, outcome) = names::reason(code);
            exchange.status = Some(name.to_owned());
            exchange.status_code = Some(i64::from(code));
            if outcome != Outcome::Ok {
                exchange.outcome = outcome;
                exchange.error = Some(properties.reason.unwrap_or_else(|| name.to_owned()));
            }
        }
        if let Some(method) = properties.auth_method {
            exchange.attribute("mqtt.prop_auth_method", method);
        }
    }
    odd(&mut exchange, packet.malformed, packet.holed);
    let half = if side == client { &mut exchange.request } else { &mut exchange.response };
    *half = Some(Message::bare(packet.track));
    exchange
}

/// A packet was sent once more.
pub(super) fn again(exchange: &mut Exchange, repeated: &Exchange) {
    if let (Some(request), Some(repeated)) = (&mut exchange.request, &repeated.request) {
        join(&mut request.track, &repeated.track);
    }
    exchange.note("retransmitted");
}

/// Adds a part of an answer.
pub(super) fn received(exchange: &mut Exchange, track: Track) {
    match &mut exchange.response {
        Some(response) => join(&mut response.track, &track),
        None => exchange.response = Some(Message::bare(track)),
    }
}

/// Adds what acknowledges it.
pub(super) fn answer(mut exchange: Exchange, answer: Answer) -> Exchange {
    received(&mut exchange, answer.track);
    exchange.complete = true;
    exchange.status = Some(answer.status.to_owned());
    exchange.status_code = Some(i64::from(answer.code));
    exchange.outcome = answer.outcome;
    if answer.outcome != Outcome::Ok {
        exchange.error = Some(answer.properties.reason.unwrap_or_else(|| answer.status.to_owned()));
    }
    if let Some(client_id) = answer.properties.client_id {
        exchange.attribute("messaging.client.id", client_id);
    }
    if answer.codes.len() > 1 {
        let codes: Vec<String> = answer.codes.iter().map(u8::to_string).collect();
        exchange.attribute("mqtt.suback.qos", codes.join(","));
    }
    exchange
}

/// Notes what was odd.
pub(super) fn odd(exchange: &mut Exchange, malformed: bool, holed: bool) {
    if malformed {
        exchange.note("malformed");
    }
    if holed {
        exchange.note("gap");
        exchange.coverage = Coverage::Partial;
    }
}
