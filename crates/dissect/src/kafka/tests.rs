//! Conversations in, exchanges out.

mod bodies;
mod hostile;
mod pairing;

use crate::talk::{Ev, Talk};

const PORT: u16 = 9092;

/// Bytes of a frame, put together.
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

    fn i8(self, value: i8) -> Self {
        self.raw(&value.to_be_bytes())
    }

    fn i16(self, value: i16) -> Self {
        self.raw(&value.to_be_bytes())
    }

    fn i32(self, value: i32) -> Self {
        self.raw(&value.to_be_bytes())
    }

    fn i64(self, value: i64) -> Self {
        self.raw(&value.to_be_bytes())
    }

    fn text(self, text: &str) -> Self {
        self.i16(text.len() as i16).raw(text.as_bytes())
    }

    /// A compact length, of a text or an array.
    fn compact(mut self, length: usize) -> Self {
        let mut value = length as u32 + 1;
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.raw(&[value as u8])
    }

    fn short(self, text: &str) -> Self {
        self.compact(text.len()).raw(text.as_bytes())
    }

    /// No tagged fields.
    fn tags(self) -> Self {
        self.raw(&[0])
    }

    fn framed(self) -> Vec<u8> {
        let mut frame = (self.0.len() as u32).to_be_bytes().to_vec();
        frame.extend(self.0);
        frame
    }
}

/// The header of a request, version 1.
fn ask(key: i16, version: i16, correlation: i32) -> Bytes {
    Bytes::new().i16(key).i16(version).i32(correlation).text("shop-1")
}

/// The same, version 2.
fn ask_flexibly(key: i16, version: i16, correlation: i32) -> Bytes {
    ask(key, version, correlation).tags()
}

fn answer(correlation: i32) -> Bytes {
    Bytes::new().i32(correlation)
}

fn c(bytes: Bytes) -> Ev {
    Ev::C(bytes.framed())
}

fn s(bytes: Bytes) -> Ev {
    Ev::S(bytes.framed())
}

/// A request that is always at hand: Heartbeat version 0, of a group, and its answer.
fn beat(correlation: i32, group: &str) -> Bytes {
    ask(12, 0, correlation).text(group).i32(1).text("member")
}

fn beaten(correlation: i32, error: i16) -> Bytes {
    answer(correlation).i16(error)
}

/// One record batch of format 2 with so many records, of `size` bytes in all.
fn batch(records: i32, size: usize) -> Vec<u8> {
    let mut batch = Bytes::new().i64(0).i32(size as i32 - 12).i32(0).i8(2).raw(&[0; 40]).i32(records).0;
    batch.resize(size, b'v');
    batch
}

/// Produce version 3 of one partition.
fn produce(correlation: i32, topic: &str, acks: i16, records: &[u8]) -> Bytes {
    let body = ask(0, 3, correlation).i16(-1).i16(acks).i32(1500);
    body.i32(1).text(topic).i32(1).i32(7).i32(records.len() as i32).raw(records)
}

/// Its answer.
fn produced(correlation: i32, topic: &str, error: i16, offset: i64) -> Bytes {
    answer(correlation).i32(1).text(topic).i32(1).i32(7).i16(error).i64(offset).i64(-1).i32(0)
}

fn hear(events: &[Ev]) -> Vec<wirewise_model::Exchange> {
    Talk::new(PORT).play(events).finish()
}
