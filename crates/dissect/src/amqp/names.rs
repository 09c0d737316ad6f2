//! Every method of AMQP 0-9-1 by class and number: what it is called, who sends it, what answers it, and how
//! its arguments are laid out (the specification's XML, with RabbitMQ's additions).

use self::Arg::{Bits, Long, Str, Table, U8, U16, U32, U64};
use self::From::{Both, Client, Server};

/// Who sends a method.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    Client,
    Server,
    Both,
}

/// What an argument says, where anybody wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Nothing,
    Queue,
    Exchange,
    /// The exchange that another one is bound to.
    Source,
    RoutingKey,
    ConsumerTag,
    DeliveryTag,
    VirtualHost,
    Mechanism,
    ExchangeType,
    ReplyCode,
    ReplyText,
    ClassId,
    MethodId,
    MessageCount,
    ConsumerCount,
    PrefetchCount,
    Heartbeat,
    Passive,
    NoWait,
    NoAck,
    Mandatory,
    Multiple,
    Requeue,
    Redelivered,
}

/// What an argument is made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Arg {
    U8,
    U16(What),
    U32(What),
    U64(What),
    /// A string of up to 255 bytes.
    Str(What),
    /// A string of any length, which nobody reads: SASL speaks in these.
    Long,
    /// Bits packed into one byte, the lowest first.
    Bits(&'static [What]),
    /// A table, which nobody reads.
    Table,
}

/// One method.
#[derive(Debug)]
pub(super) struct Method {
    pub(super) class: u16,
    pub(super) number: u16,
    pub(super) name: &'static str,
    pub(super) from: From,
    /// The methods of its class that answer it; none where nothing does.
    pub(super) answers: &'static [u16],
    pub(super) args: &'static [Arg],
}

pub(super) const CONNECTION: u16 = 10;
pub(super) const CHANNEL: u16 = 20;
pub(super) const BASIC: u16 = 60;
pub(super) const CONFIRM: u16 = 85;

pub(super) const START: (u16, u16) = (CONNECTION, 10);
pub(super) const CONNECTION_CLOSE: (u16, u16) = (CONNECTION, 50);
pub(super) const CONNECTION_CLOSE_OK: (u16, u16) = (CONNECTION, 51);
pub(super) const CHANNEL_CLOSE: (u16, u16) = (CHANNEL, 40);
pub(super) const CHANNEL_CLOSE_OK: (u16, u16) = (CHANNEL, 41);
pub(super) const CONSUME: (u16, u16) = (BASIC, 20);
pub(super) const CONSUME_OK: (u16, u16) = (BASIC, 21);
pub(super) const CANCEL: (u16, u16) = (BASIC, 30);
pub(super) const PUBLISH: (u16, u16) = (BASIC, 40);
pub(super) const RETURN: (u16, u16) = (BASIC, 50);
pub(super) const DELIVER: (u16, u16) = (BASIC, 60);
pub(super) const GET: (u16, u16) = (BASIC, 70);
pub(super) const GET_OK: (u16, u16) = (BASIC, 71);
pub(super) const ACK: (u16, u16) = (BASIC, 80);
pub(super) const REJECT: (u16, u16) = (BASIC, 90);
pub(super) const NACK: (u16, u16) = (BASIC, 120);
pub(super) const CONFIRM_SELECT: (u16, u16) = (CONFIRM, 10);

impl Method {
    pub(super) fn id(&self) -> (u16, u16) {
        (self.class, self.number)
    }

    /// The method that this one answers.
    pub(super) fn question(&self) -> Option<&'static Method> {
        METHODS.iter().find(|asked| asked.class == self.class && asked.answers.contains(&self.number))
    }
}

/// The method of that class and number.
pub(super) fn method(class: u16, number: u16) -> Option<&'static Method> {
    let at = METHODS.binary_search_by_key(&(class, number), Method::id).ok()?;
    METHODS.get(at)
}

const fn row(
    (class, number): (u16, u16),
    name: &'static str,
    from: From,
    answers: &'static [u16],
    args: &'static [Arg],
) -> Method {
    Method { class, number, name, from, answers, args }
}

const NONE: What = What::Nothing;
const CLOSE: &[Arg] = &[U16(What::ReplyCode), Str(What::ReplyText), U16(What::ClassId), U16(What::MethodId)];
const TUNE: &[Arg] = &[U16(NONE), U32(NONE), U16(What::Heartbeat)];
const BIND_EXCHANGE: &[Arg] =
    &[U16(NONE), Str(What::Exchange), Str(What::Source), Str(What::RoutingKey), Bits(&[What::NoWait]), Table];

/// In order of class and number.
static METHODS: &[Method] = &[
    row(START, "connection.start", Server, &[11], &[U8, U8, Table, Long, Long]),
    // The response is the password, or proves it.
    row((10, 11), "connection.start-ok", Client, &[], &[Table, Str(What::Mechanism), Long, Str(NONE)]),
    row((10, 20), "connection.secure", Server, &[21], &[Long]),
    row((10, 21), "connection.secure-ok", Client, &[], &[Long]),
    row((10, 30), "connection.tune", Server, &[31], TUNE),
    row((10, 31), "connection.tune-ok", Client, &[], TUNE),
    row((10, 40), "connection.open", Client, &[41], &[Str(What::VirtualHost), Str(NONE), Bits(&[NONE])]),
    row((10, 41), "connection.open-ok", Server, &[], &[Str(NONE)]),
    row(CONNECTION_CLOSE, "connection.close", Both, &[51], CLOSE),
    row(CONNECTION_CLOSE_OK, "connection.close-ok", Both, &[], &[]),
    row((10, 60), "connection.blocked", Server, &[], &[Str(What::ReplyText)]),
    row((10, 61), "connection.unblocked", Server, &[], &[]),
    row((10, 70), "connection.update-secret", Client, &[71], &[Long, Str(NONE)]),
    row((10, 71), "connection.update-secret-ok", Server, &[], &[]),
    row((20, 10), "channel.open", Client, &[11], &[Str(NONE)]),
    row((20, 11), "channel.open-ok", Server, &[], &[Long]),
    row((20, 20), "channel.flow", Both, &[21], &[Bits(&[NONE])]),
    row((20, 21), "channel.flow-ok", Both, &[], &[Bits(&[NONE])]),
    row(CHANNEL_CLOSE, "channel.close", Both, &[41], CLOSE),
    row(CHANNEL_CLOSE_OK, "channel.close-ok", Both, &[], &[]),
    row((30, 10), "access.request", Client, &[11], &[Str(NONE), Bits(&[NONE])]),
    row((30, 11), "access.request-ok", Server, &[], &[U16(NONE)]),
    row(
        (40, 10),
        "exchange.declare",
        Client,
        &[11],
        &[
            U16(NONE),
            Str(What::Exchange),
            Str(What::ExchangeType),
            Bits(&[What::Passive, NONE, NONE, NONE, What::NoWait]),
            Table,
        ],
    ),
    row((40, 11), "exchange.declare-ok", Server, &[], &[]),
    row(
        (40, 20),
        "exchange.delete",
        Client,
        &[21],
        &[U16(NONE), Str(What::Exchange), Bits(&[NONE, What::NoWait])],
    ),
    row((40, 21), "exchange.delete-ok", Server, &[], &[]),
    row((40, 30), "exchange.bind", Client, &[31], BIND_EXCHANGE),
    row((40, 31), "exchange.bind-ok", Server, &[], &[]),
    // The one whose answer does not follow it in number.
    row((40, 40), "exchange.unbind", Client, &[51], BIND_EXCHANGE),
    row((40, 51), "exchange.unbind-ok", Server, &[], &[]),
    row(
        (50, 10),
        "queue.declare",
        Client,
        &[11],
        &[U16(NONE), Str(What::Queue), Bits(&[What::Passive, NONE, NONE, NONE, What::NoWait]), Table],
    ),
    row(
        (50, 11),
        "queue.declare-ok",
        Server,
        &[],
        &[Str(What::Queue), U32(What::MessageCount), U32(What::ConsumerCount)],
    ),
    row(
        (50, 20),
        "queue.bind",
        Client,
        &[21],
        &[
            U16(NONE),
            Str(What::Queue),
            Str(What::Exchange),
            Str(What::RoutingKey),
            Bits(&[What::NoWait]),
            Table,
        ],
    ),
    row((50, 21), "queue.bind-ok", Server, &[], &[]),
    row((50, 30), "queue.purge", Client, &[31], &[U16(NONE), Str(What::Queue), Bits(&[What::NoWait])]),
    row((50, 31), "queue.purge-ok", Server, &[], &[U32(What::MessageCount)]),
    row(
        (50, 40),
        "queue.delete",
        Client,
        &[41],
        &[U16(NONE), Str(What::Queue), Bits(&[NONE, NONE, What::NoWait])],
    ),
    row((50, 41), "queue.delete-ok", Server, &[], &[U32(What::MessageCount)]),
    row(
        (50, 50),
        "queue.unbind",
        Client,
        &[51],
        &[U16(NONE), Str(What::Queue), Str(What::Exchange), Str(What::RoutingKey), Table],
    ),
    row((50, 51), "queue.unbind-ok", Server, &[], &[]),
    row((60, 10), "basic.qos", Client, &[11], &[U32(NONE), U16(What::PrefetchCount), Bits(&[NONE])]),
    row((60, 11), "basic.qos-ok", Server, &[], &[]),
    row(
        CONSUME,
        "basic.consume",
        Client,
        &[21],
        &[
            U16(NONE),
            Str(What::Queue),
            Str(What::ConsumerTag),
            Bits(&[NONE, What::NoAck, NONE, What::NoWait]),
            Table,
        ],
    ),
    row(CONSUME_OK, "basic.consume-ok", Server, &[], &[Str(What::ConsumerTag)]),
    // RabbitMQ's brokers cancel too, where a queue goes away.
    row(CANCEL, "basic.cancel", Both, &[31], &[Str(What::ConsumerTag), Bits(&[What::NoWait])]),
    row((60, 31), "basic.cancel-ok", Both, &[], &[Str(What::ConsumerTag)]),
    row(
        PUBLISH,
        "basic.publish",
        Client,
        &[],
        &[U16(NONE), Str(What::Exchange), Str(What::RoutingKey), Bits(&[What::Mandatory, NONE])],
    ),
    row(
        RETURN,
        "basic.return",
        Server,
        &[],
        &[U16(What::ReplyCode), Str(What::ReplyText), Str(What::Exchange), Str(What::RoutingKey)],
    ),
    row(
        DELIVER,
        "basic.deliver",
        Server,
        &[],
        &[
            Str(What::ConsumerTag),
            U64(What::DeliveryTag),
            Bits(&[What::Redelivered]),
            Str(What::Exchange),
            Str(What::RoutingKey),
        ],
    ),
    row(GET, "basic.get", Client, &[71, 72], &[U16(NONE), Str(What::Queue), Bits(&[What::NoAck])]),
    row(
        GET_OK,
        "basic.get-ok",
        Server,
        &[],
        &[
            U64(What::DeliveryTag),
            Bits(&[What::Redelivered]),
            Str(What::Exchange),
            Str(What::RoutingKey),
            U32(What::MessageCount),
        ],
    ),
    row((60, 72), "basic.get-empty", Server, &[], &[Str(NONE)]),
    row(ACK, "basic.ack", Both, &[], &[U64(What::DeliveryTag), Bits(&[What::Multiple])]),
    row(REJECT, "basic.reject", Client, &[], &[U64(What::DeliveryTag), Bits(&[What::Requeue])]),
    row((60, 100), "basic.recover-async", Client, &[], &[Bits(&[What::Requeue])]),
    row((60, 110), "basic.recover", Client, &[111], &[Bits(&[What::Requeue])]),
    row((60, 111), "basic.recover-ok", Server, &[], &[]),
    row(NACK, "basic.nack", Both, &[], &[U64(What::DeliveryTag), Bits(&[What::Multiple, What::Requeue])]),
    row(CONFIRM_SELECT, "confirm.select", Client, &[11], &[Bits(&[What::NoWait])]),
    row((85, 11), "confirm.select-ok", Server, &[], &[]),
    row((90, 10), "tx.select", Client, &[11], &[]),
    row((90, 11), "tx.select-ok", Server, &[], &[]),
    row((90, 20), "tx.commit", Client, &[21], &[]),
    row((90, 21), "tx.commit-ok", Server, &[], &[]),
    row((90, 30), "tx.rollback", Client, &[31], &[]),
    row((90, 31), "tx.rollback-ok", Server, &[], &[]),
];

/// The constants of the specification that replies carry, by name.
pub(super) fn reply(code: u16) -> Option<&'static str> {
    Some(match code {
        200 => "REPLY_SUCCESS",
        311 => "CONTENT_TOO_LARGE",
        312 => "NO_ROUTE",
        313 => "NO_CONSUMERS",
        320 => "CONNECTION_FORCED",
        402 => "INVALID_PATH",
        403 => "ACCESS_REFUSED",
        404 => "NOT_FOUND",
        405 => "RESOURCE_LOCKED",
        406 => "PRECONDITION_FAILED",
        501 => "FRAME_ERROR",
        502 => "SYNTAX_ERROR",
        503 => "COMMAND_INVALID",
        504 => "CHANNEL_ERROR",
        505 => "UNEXPECTED_FRAME",
        506 => "RESOURCE_ERROR",
        530 => "NOT_ALLOWED",
        540 => "NOT_IMPLEMENTED",
        541 => "INTERNAL_ERROR",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_stand_in_order_and_every_answer_exists() {
        assert!(METHODS.is_sorted_by_key(Method::id));
        for asked in METHODS {
            assert!(method(asked.class, asked.number).is_some_and(|found| found.name == asked.name));
            for number in asked.answers {
                let answer = method(asked.class, *number).unwrap_or_else(|| panic!("{}", asked.name));
                assert!(answer.question().is_some_and(|question| question.name == asked.name));
                assert!(answer.from == Both || answer.from != asked.from, "{}", answer.name);
            }
        }
    }
}
