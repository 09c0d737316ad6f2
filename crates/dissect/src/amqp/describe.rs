//! Makes columns of methods and of the properties of messages.

use wirewise_model::{Exchange, Kind, Message, Outcome, Side, Track};

use super::names::{self, Method};
use super::parse::{self, Args};
use super::properties::{self, Properties};

/// A protocol header.
pub(super) fn hello(version: [u8; 4], side: Side, track: Track) -> Box<Exchange> {
    let mut exchange = Box::new(Exchange::new(super::PROTOCOL.name, side));
    exchange.operation = "protocol-header".to_owned();
    exchange.target = parse::version(version);
    exchange.kind = Kind::Session;
    exchange.request = Some(Message::bare(track));
    exchange.attribute("messaging.system", "rabbitmq");
    exchange
}

/// The server answered a protocol header with another.
pub(super) fn other_version(exchange: &mut Exchange, version: [u8; 4]) {
    exchange.status = Some("protocol-header".to_owned());
    exchange.error = Some(format!("the server speaks {}", parse::version(version)));
    exchange.outcome = Outcome::ClientError;
}

/// A method that asks, or tells, as far as its arguments say.
pub(super) fn asked(
    method: &Method,
    args: &Args<'_>,
    channel: u16,
    side: Side,
    track: Track,
) -> Box<Exchange> {
    let mut exchange = Box::new(Exchange::new(super::PROTOCOL.name, side));
    exchange.operation = method.name.to_owned();
    exchange.request = Some(Message::bare(track));
    exchange.kind = match (method.class, method.id()) {
        (names::CONNECTION, _) => Kind::Session,
        (_, names::PUBLISH | names::DELIVER | names::RETURN | names::ACK | names::NACK | names::REJECT) => {
            Kind::Message
        }
        _ if method.answers.is_empty() => Kind::Message,
        _ => Kind::Unary,
    };
    exchange.attribute("messaging.system", "rabbitmq");
    exchange.attribute("amqp.channel", i64::from(channel));
    if let Some(word) = operation_type(method.id()) {
        exchange.attribute("messaging.operation.type", word);
    }
    exchange.target = target(method.id(), args);
    let place = match method.id() {
        names::PUBLISH | names::DELIVER | names::GET | names::CONSUME | names::RETURN => {
            Some(exchange.target.clone())
        }
        _ => None,
    };
    text(&mut exchange, "messaging.destination.name", place.as_deref().unwrap_or_default().as_bytes());
    text(&mut exchange, "amqp.method.arguments.exchange", args.exchange);
    text(&mut exchange, "amqp.method.arguments.source", args.source);
    text(&mut exchange, "amqp.method.arguments.type", args.exchange_type);
    text(&mut exchange, "amqp.method.arguments.queue", args.queue);
    text(&mut exchange, "messaging.rabbitmq.destination.routing_key", args.routing_key);
    text(&mut exchange, "amqp.method.arguments.consumer_tag", args.consumer_tag);
    text(&mut exchange, "amqp.method.arguments.virtual_host", args.virtual_host);
    if args.delivery_tag > 0 {
        exchange.attribute("messaging.rabbitmq.message.delivery_tag", as_i64(args.delivery_tag));
    }
    if let Some(count) = args.prefetch_count {
        exchange.attribute("amqp.method.arguments.prefetch_count", i64::from(count));
    }
    flag(&mut exchange, "amqp.method.arguments.passive", args.passive);
    flag(&mut exchange, "amqp.method.arguments.mandatory", args.mandatory);
    flag(&mut exchange, "amqp.method.arguments.no_ack", args.no_ack);
    flag(&mut exchange, "amqp.method.arguments.redelivered", args.redelivered);
    if args.reply_code > 0 && args.reply_code != SUCCESS {
        refused(&mut exchange, args);
    } else if args.reply_code == 0 && !args.reply_text.is_empty() {
        // Why a connection is blocked.
        exchange.error = Some(lossy(args.reply_text));
    }
    exchange
}

/// The reply code of an orderly close.
pub(super) const SUCCESS: u16 = 200;

/// A reply code with its text is how it came out.
pub(super) fn refused(exchange: &mut Exchange, args: &Args<'_>) {
    exchange.status = Some(match names::reply(args.reply_code) {
        Some(name) => name.to_owned(),
        None => format!("reply_{}", args.reply_code),
    });
    exchange.status_code = Some(i64::from(args.reply_code));
    exchange.error = Some(lossy(args.reply_text));
    exchange.outcome = outcome(args.reply_code);
    if let Some(method) = names::method(args.class_id, args.method_id) {
        exchange.attribute("amqp.method.arguments.method_id", method.name);
    }
}

/// Whose fault a reply code tells of.
pub(super) fn outcome(code: u16) -> Outcome {
    match code {
        0 | SUCCESS => Outcome::Ok,
        // Forced by an operator, out of resources, not implemented, internal.
        320 | 506 | 540 | 541 => Outcome::ServerError,
        _ => Outcome::ClientError,
    }
}

/// What a method that answers says.
pub(super) fn answered(exchange: &mut Exchange, method: &Method, args: &Args<'_>) {
    // A close that told an error stays that.
    if exchange.status.is_none() {
        exchange.status = Some(method.name.to_owned());
        exchange.outcome = Outcome::Ok;
    }
    if exchange.target.is_empty() && !args.queue.is_empty() {
        // The broker named the queue.
        exchange.target = lossy(args.queue);
        text(exchange, "amqp.method.arguments.queue", args.queue);
    }
    if method.id() == names::CONSUME_OK
        && attribute_is_missing(exchange, "amqp.method.arguments.consumer_tag")
    {
        text(exchange, "amqp.method.arguments.consumer_tag", args.consumer_tag);
    }
    text(exchange, "amqp.method.arguments.mechanism", args.mechanism);
    if method.id() == names::GET_OK {
        text(exchange, "amqp.method.arguments.exchange", args.exchange);
        text(exchange, "messaging.rabbitmq.destination.routing_key", args.routing_key);
        exchange.attribute("messaging.rabbitmq.message.delivery_tag", as_i64(args.delivery_tag));
        flag(exchange, "amqp.method.arguments.redelivered", args.redelivered);
    }
    if let Some(count) = args.message_count {
        exchange.attribute("amqp.method.arguments.message_count", i64::from(count));
    }
    if let Some(count) = args.consumer_count {
        exchange.attribute("amqp.method.arguments.consumer_count", i64::from(count));
    }
    if let Some(seconds) = args.heartbeat {
        exchange.attribute("amqp.method.arguments.heartbeat", i64::from(seconds));
    }
}

/// What became of a message: its receiver took it, or not.
pub(super) fn settled(exchange: &mut Exchange, method: &Method, requeue: Option<bool>) {
    // What was returned was taken, too: what came of it is that.
    if exchange.status.is_some() {
        return;
    }
    exchange.status = Some(method.name.to_owned());
    if method.id() == names::ACK {
        exchange.outcome = Outcome::Ok;
    } else {
        exchange.outcome = Outcome::ServerError;
        exchange.error = Some(method.name.to_owned());
        if let Some(requeue) = requeue {
            exchange.attribute("amqp.method.arguments.requeue", requeue);
        }
    }
}

/// The properties and the size of a message.
pub(super) fn content(exchange: &mut Exchange, size: u64, properties: &Properties<'_>) {
    exchange.attribute("messaging.message.body.size", as_i64(size));
    let said = [
        ("amqp.method.properties.content_type", properties.content_type),
        ("messaging.message.conversation_id", properties.correlation_id),
        ("amqp.method.properties.reply_to", properties.reply_to),
        ("messaging.message.id", properties.message_id),
        ("amqp.method.properties.type", properties.kind),
        ("amqp.method.properties.app_id", properties.app_id),
    ];
    for (name, value) in said {
        text(exchange, name, value.unwrap_or_default());
    }
    if let Some(mode) = properties.delivery_mode {
        exchange.attribute("amqp.method.properties.delivery_mode", i64::from(mode));
    }
    if exchange.trace.is_none() {
        exchange.trace = properties.trace.and_then(properties::trace);
    }
}

/// The consumer's queue, once it is known whose tag that is.
pub(super) fn delivered_to(exchange: &mut Exchange, queue: &str) {
    exchange.target = queue.to_owned();
    for attribute in &mut exchange.attributes {
        if attribute.name == "messaging.destination.name" {
            attribute.value = queue.into();
        }
    }
    text(exchange, "amqp.method.arguments.queue", queue.as_bytes());
}

fn target(method: (u16, u16), args: &Args<'_>) -> String {
    match method {
        names::PUBLISH | names::DELIVER | names::RETURN => place(args.exchange, args.routing_key),
        _ => [args.queue, args.exchange, args.consumer_tag, args.virtual_host]
            .into_iter()
            .find(|text| !text.is_empty())
            .map(lossy)
            .unwrap_or_default(),
    }
}

/// Exchange and routing key as the semantic conventions write them; the default exchange has no name.
pub(super) fn place(exchange: &[u8], key: &[u8]) -> String {
    match (exchange, key) {
        ([], key) => lossy(key),
        (exchange, []) => lossy(exchange),
        (exchange, key) => format!("{}:{}", lossy(exchange), lossy(key)),
    }
}

fn operation_type(method: (u16, u16)) -> Option<&'static str> {
    match method {
        names::PUBLISH => Some("send"),
        names::DELIVER | names::GET => Some("receive"),
        names::ACK | names::NACK | names::REJECT => Some("settle"),
        _ => None,
    }
}

pub(super) fn lossy(text: &[u8]) -> String {
    String::from_utf8_lossy(text).into_owned()
}

fn text(exchange: &mut Exchange, name: &'static str, value: &[u8]) {
    if !value.is_empty() {
        exchange.attribute(name, lossy(value));
    }
}

fn flag(exchange: &mut Exchange, name: &'static str, set: bool) {
    if set {
        exchange.attribute(name, true);
    }
}

fn attribute_is_missing(exchange: &Exchange, name: &str) -> bool {
    !exchange.attributes.iter().any(|attribute| attribute.name == name)
}

fn as_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
