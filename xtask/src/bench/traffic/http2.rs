//! HTTP/2 by prior knowledge, for the web's requests and for gRPC's: several streams at a time, the table of header
//! fields in use, and the frames about the connection that real ends send.

use std::marker::PhantomData;

use anyhow::Result;

use super::hpack::Encoder;
use super::pcap::Pcap;
use super::tcp::{Tcp, Who};
use super::{Talk, dice, order, trace};

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// Exchanges after which an end gives window back, and looks how long the way is.
const GIVES_BACK: u32 = 16;

/// What is said on the streams.
pub(super) trait Words {
    const PORT: u16;
    fn request(hpack: &mut Encoder, stream: u32, number: u64) -> Vec<u8>;
    fn response(hpack: &mut Encoder, stream: u32, number: u64) -> Vec<u8>;
}

/// A client's connection.
pub(super) struct Client<W> {
    tcp: Tcp,
    /// The next stream.
    stream: u32,
    asking: Encoder,
    answering: Encoder,
    /// Streams that wait, with the numbers of their questions.
    waiting: Vec<(u32, u64)>,
    words: PhantomData<W>,
}

impl<W: Words> Talk for Client<W> {
    const LIFE: u64 = 500;
    const AT_A_TIME: u64 = 3;

    fn open(writer: &mut Pcap, connection: u64) -> Result<Self> {
        let mut tcp = Tcp::open(writer, connection, W::PORT)?;
        let setting =
            |identifier: u16, value: u32| [&identifier.to_be_bytes()[..], &value.to_be_bytes()].concat();
        // No push, a window of 4 MiB a stream, header lists of 10 MiB: Go's.
        let wanted = [setting(2, 0), setting(4, 4 << 20), setting(6, 10 << 20)].concat();
        let window = (1u32 << 30).to_be_bytes();
        let hello = [
            b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            frame(SETTINGS, 0, 0, &wanted),
            frame(WINDOW_UPDATE, 0, 0, &window),
        ];
        tcp.say(writer, Who::Client, &hello.concat())?;
        let wanted = [setting(5, 1 << 20), setting(3, 250), setting(6, 1 << 20)].concat();
        let answer = [
            frame(SETTINGS, 0, 0, &wanted),
            frame(SETTINGS, ACK, 0, &[]),
            frame(WINDOW_UPDATE, 0, 0, &window),
        ];
        tcp.say(writer, Who::Server, &answer.concat())?;
        tcp.say(writer, Who::Client, &frame(SETTINGS, ACK, 0, &[]))?;
        let (asking, answering) = (Encoder::default(), Encoder::default());
        Ok(Self { tcp, stream: 1, asking, answering, waiting: Vec::new(), words: PhantomData })
    }

    fn ask(&mut self, writer: &mut Pcap, number: u64) -> Result<()> {
        let stream = self.stream;
        self.stream += 2;
        self.waiting.push((stream, number));
        let request = W::request(&mut self.asking, stream, number);
        self.tcp.say(writer, Who::Client, &request)
    }

    fn answer(&mut self, writer: &mut Pcap) -> Result<()> {
        let Some((stream, number)) = self.waiting.pop() else { return Ok(()) };
        let mut answer = W::response(&mut self.answering, stream, number);
        if (stream / 2).is_multiple_of(GIVES_BACK) {
            answer.splice(0..0, frame(PING, 0, 0, &dice(number).to_be_bytes()));
        }
        self.tcp.say(writer, Who::Server, &answer)?;
        if (stream / 2).is_multiple_of(GIVES_BACK) {
            let back = [
                frame(WINDOW_UPDATE, 0, 0, &[0, 0, 64, 0]),
                frame(PING, ACK, 0, &dice(number).to_be_bytes()),
            ];
            return self.tcp.say(writer, Who::Client, &back.concat());
        }
        self.tcp.acknowledge(writer, Who::Client)
    }

    fn close(self, writer: &mut Pcap) -> Result<()> {
        self.tcp.close(writer)
    }
}

fn frame(kind: u8, flags: u8, stream: u32, bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), bytes].concat()
}

/// Requests of the web's kind.
pub(super) struct Web;

impl Words for Web {
    const PORT: u16 = 8080;

    fn request(hpack: &mut Encoder, stream: u32, number: u64) -> Vec<u8> {
        let id = trace(number);
        let parent = format!("00-{id}-{:016x}-01", dice(number));
        let posts = dice(number).is_multiple_of(5);
        let path = match posts {
            true => "/api/v1/orders".to_owned(),
            false => format!("/api/v1/orders/{number}?expand=lines"),
        };
        let mut fields = vec![
            (":method", if posts { "POST" } else { "GET" }),
            (":scheme", "http"),
            (":path", &path),
            (":authority", "orders.shop.svc.cluster.local:8080"),
            ("user-agent", "Go-http-client/2.0"),
            ("accept", "application/json"),
            ("accept-encoding", "gzip"),
            ("x-request-id", &id),
            ("x-forwarded-proto", "http"),
            ("traceparent", &parent),
            (
                "authorization",
                "Bearer eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJjaGVja291dCIsImF1ZCI6Im9yZGVycyJ9.c2lnbmF0dXJl",
            ),
        ];
        if !posts {
            let block = hpack.block(&fields);
            return frame(HEADERS, END_STREAM | END_HEADERS, stream, &block);
        }
        let body = order(number);
        let length = body.len().to_string();
        fields.extend([("content-type", "application/json"), ("content-length", &length)]);
        let block = hpack.block(&fields);
        [frame(HEADERS, END_HEADERS, stream, &block), frame(DATA, END_STREAM, stream, body.as_bytes())]
            .concat()
    }

    fn response(hpack: &mut Encoder, stream: u32, number: u64) -> Vec<u8> {
        let found = !(dice(number) >> 32).is_multiple_of(25);
        let body =
            if found { order(number) } else { "{\"title\":\"no such order\",\"status\":404}".to_owned() };
        let (length, date) =
            (body.len().to_string(), format!("Tue, 14 Nov 2023 22:13:{:02} GMT", number / 100_000 % 60));
        let id = trace(number);
        let block = hpack.block(&[
            (":status", if found { "200" } else { "404" }),
            ("content-type", if found { "application/json" } else { "application/problem+json" }),
            ("content-length", &length),
            ("date", &date),
            ("server", "istio-envoy"),
            ("x-envoy-upstream-service-time", &(dice(number) % 30).to_string()),
            ("x-request-id", &id),
            ("vary", "accept-encoding"),
        ]);
        [frame(HEADERS, END_HEADERS, stream, &block), frame(DATA, END_STREAM, stream, body.as_bytes())]
            .concat()
    }
}

/// Unary calls of gRPC.
pub(super) struct Grpc;

impl Words for Grpc {
    const PORT: u16 = 50051;

    fn request(hpack: &mut Encoder, stream: u32, number: u64) -> Vec<u8> {
        const METHODS: [&str; 4] = [
            "/shop.orders.v1.Orders/GetOrder",
            "/shop.orders.v1.Orders/ListOrders",
            "/shop.payments.v1.Payments/Charge",
            "/shop.stock.v1.Stock/Reserve",
        ];
        let parent = format!("00-{}-{:016x}-01", trace(number), dice(number));
        let block = hpack.block(&[
            (":method", "POST"),
            (":scheme", "http"),
            (":path", METHODS[dice(number) as usize % METHODS.len()]),
            (":authority", "orders.shop.svc.cluster.local:50051"),
            ("content-type", "application/grpc"),
            ("user-agent", "grpc-go/1.65.0"),
            ("te", "trailers"),
            ("grpc-timeout", &format!("{}u", 999_000 + dice(number) % 1000)),
            ("traceparent", &parent),
        ]);
        // Field 1 a number, field 2 a text.
        let text = trace(number);
        let asked = [&[0x08, 0x96, 0x01, 0x12, text.len() as u8][..], text.as_bytes()].concat();
        [frame(HEADERS, END_HEADERS, stream, &block), frame(DATA, END_STREAM, stream, &message(&asked))]
            .concat()
    }

    fn response(hpack: &mut Encoder, stream: u32, number: u64) -> Vec<u8> {
        let missing = (dice(number) >> 32).is_multiple_of(50);
        let block = hpack.block(&[(":status", "200"), ("content-type", "application/grpc")]);
        let mut frames = vec![frame(HEADERS, END_HEADERS, stream, &block)];
        if missing {
            let trailers = hpack.block(&[("grpc-status", "5"), ("grpc-message", "no such order")]);
            frames.push(frame(HEADERS, END_STREAM | END_HEADERS, stream, &trailers));
            return frames.concat();
        }
        // Field 1 a number, then field 3 again and again: the lines of an order.
        let line = |at: u64| {
            let sku = format!("SKU-{:05}", dice(number + at) % 99_999);
            [&[0x1a, sku.len() as u8 + 4, 0x0a, sku.len() as u8][..], sku.as_bytes(), &[0x10, 0x02]].concat()
        };
        let lines = (0..dice(number) % 8 + 1).flat_map(line);
        let answered: Vec<u8> = [0x08, 0x96, 0x01].into_iter().chain(lines).collect();
        frames.push(frame(DATA, 0, stream, &message(&answered)));
        let trailers = hpack.block(&[("grpc-status", "0"), ("grpc-message", "")]);
        frames.push(frame(HEADERS, END_STREAM | END_HEADERS, stream, &trailers));
        frames.concat()
    }
}

/// A message with its head: not compressed, its length.
fn message(bytes: &[u8]) -> Vec<u8> {
    [&[0][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat()
}
