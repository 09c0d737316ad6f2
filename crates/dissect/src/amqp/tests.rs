//! Conversations in, exchanges out.

mod closing;
mod hostile;
mod messages;
mod pairing;

use wirewise_model::Exchange;

use super::names::{self, Method};
use crate::talk::{Ev, Talk};

const PORT: u16 = 5672;

/// Arguments of a method, put together.
#[derive(Clone, Debug, Default)]
struct Bytes(Vec<u8>);

impl Bytes {
    fn new() -> Self {
        Self::default()
    }

    fn raw(mut self, bytes: &[u8]) -> Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn u8(self, value: u8) -> Self {
        self.raw(&[value])
    }

    fn u16(self, value: u16) -> Self {
        self.raw(&value.to_be_bytes())
    }

    fn u32(self, value: u32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    fn u64(self, value: u64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    fn text(self, text: &str) -> Self {
        self.u8(text.len() as u8).raw(text.as_bytes())
    }

    fn long(self, text: &str) -> Self {
        self.u32(text.len() as u32).raw(text.as_bytes())
    }
}

fn frame(kind: u8, channel: u16, payload: &[u8]) -> Vec<u8> {
    let head = Bytes::new().u8(kind).u16(channel).u32(payload.len() as u32);
    head.raw(payload).u8(0xce).0
}

fn named(name: &str) -> &'static Method {
    let mut ids = (0..=90).flat_map(|class| (0..=120).map(move |number| (class, number)));
    let found =
        ids.find_map(|(class, number)| names::method(class, number).filter(|method| method.name == name));
    found.unwrap_or_else(|| panic!("no method {name}"))
}

/// A method's frame.
fn method(channel: u16, name: &str, args: Bytes) -> Vec<u8> {
    let (class, number) = named(name).id();
    frame(1, channel, &Bytes::new().u16(class).u16(number).raw(&args.0).0)
}

/// The frames of a message's header and body; the body in frames of up to `piece` bytes.
fn message(channel: u16, body: &[u8], piece: usize) -> Vec<u8> {
    let header = Bytes::new().u16(60).u16(0).u64(body.len() as u64).u16(1 << 15).text("text/plain");
    let mut frames = frame(2, channel, &header.0);
    for piece in body.chunks(piece.max(1)) {
        frames.extend(frame(3, channel, piece));
    }
    frames
}

fn publish(channel: u16, exchange: &str, key: &str, mandatory: bool) -> Vec<u8> {
    let args = Bytes::new().u16(0).text(exchange).text(key).u8(mandatory.into());
    [method(channel, "basic.publish", args), message(channel, b"hello", 100)].concat()
}

fn deliver(channel: u16, consumer: &str, tag: u64) -> Vec<u8> {
    let args = Bytes::new().text(consumer).u64(tag).u8(0).text("ex").text("key");
    [method(channel, "basic.deliver", args), message(channel, b"hello", 100)].concat()
}

fn ack(channel: u16, tag: u64, multiple: bool) -> Vec<u8> {
    method(channel, "basic.ack", Bytes::new().u64(tag).u8(multiple.into()))
}

fn consume(channel: u16, queue: &str, consumer: &str, no_ack: bool) -> Vec<u8> {
    let bits = u8::from(no_ack) << 1;
    method(channel, "basic.consume", Bytes::new().u16(0).text(queue).text(consumer).u8(bits).u32(0))
}

fn close(channel: u16, code: u16, text: &str, (class, number): (u16, u16)) -> Vec<u8> {
    let name = if channel == 0 { "connection.close" } else { "channel.close" };
    method(channel, name, Bytes::new().u16(code).text(text).u16(class).u16(number))
}

fn declare(channel: u16, queue: &str) -> Vec<u8> {
    method(channel, "queue.declare", Bytes::new().u16(0).text(queue).u8(0).u32(0))
}

fn declared(channel: u16, queue: &str) -> Vec<u8> {
    method(channel, "queue.declare-ok", Bytes::new().text(queue).u32(3).u32(1))
}

/// A method without arguments.
fn bare(channel: u16, name: &str) -> Vec<u8> {
    method(channel, name, Bytes::new())
}

/// The channel confirms from now on.
fn confirm(channel: u16) -> [Ev; 2] {
    [Ev::C(method(channel, "confirm.select", Bytes::new().u8(0))), Ev::S(bare(channel, "confirm.select-ok"))]
}

/// A consumer that acks.
fn consumer(channel: u16, queue: &str, tag: &str) -> [Ev; 2] {
    [
        Ev::C(consume(channel, queue, tag, false)),
        Ev::S(method(channel, "basic.consume-ok", Bytes::new().text(tag))),
    ]
}

const HELLO: &[u8] = b"AMQP\0\0\x09\x01";

/// The beginning of every connection.
fn greeting() -> [Ev; 2] {
    let start = Bytes::new().u8(0).u8(9).u32(0).long("PLAIN AMQPLAIN").long("en_US");
    [Ev::C(HELLO.to_vec()), Ev::S(method(0, "connection.start", start))]
}

fn hear(events: &[Ev]) -> Vec<Exchange> {
    Talk::new(PORT).play(events).finish()
}

/// What comes after a greeting, without what the greeting tells itself.
fn after_greeting(events: &[Ev]) -> Vec<Exchange> {
    let heard = Talk::new(PORT).play(&greeting()).play(events).finish();
    let own = |exchange: &Exchange| !matches!(&*exchange.operation, "protocol-header" | "connection.start");
    heard.into_iter().filter(own).collect()
}
