//! Generated captures: real frames of real conversations, written as pcap, the same for the same count.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wirewise_testkit::packet::{tcp, udp};

/// Transactions of one connection, as keep-alive clients make them.
const A_CONNECTION: u64 = 20;
/// The same for protocols whose clients keep a connection.
const A_LONG_CONNECTION: u64 = 200;
/// Time between two packets.
const STEP_NANOS: u64 = 5_000;
/// Where the clock of the capture begins.
const BEGIN_SECONDS: u64 = 1_700_000_000;

/// A capture of `count` small HTTP/1 transactions, made where it is not there yet.
pub(crate) fn http1(directory: &Path, count: u64) -> Result<PathBuf> {
    made(directory, "http1", count, |writer| {
        for first in (0..count).step_by(A_CONNECTION as usize) {
            let mut flow = Flow::open(writer, first / A_CONNECTION, 8080)?;
            for number in first..count.min(first + A_CONNECTION) {
                let (request, response) = http1_exchange(number);
                flow.say(writer, Who::Client, request.as_bytes())?;
                flow.say(writer, Who::Server, response.as_bytes())?;
            }
            flow.close(writer)?;
        }
        Ok(())
    })
}

/// A capture of `count` connections that stay open, each after one HTTP/1 exchange.
pub(crate) fn idle(directory: &Path, count: u64) -> Result<PathBuf> {
    made(directory, "idle", count, |writer| {
        for number in 0..count {
            let (request, response) = http1_exchange(number);
            let mut flow = Flow::open(writer, number, 8080)?;
            flow.say(writer, Who::Client, request.as_bytes())?;
            flow.say(writer, Who::Server, response.as_bytes())?;
        }
        Ok(())
    })
}

fn http1_exchange(number: u64) -> (String, String) {
    let request = format!(
        "GET /orders/{number}?expand=lines HTTP/1.1\r\nHost: orders.shop:8080\r\nUser-Agent: shop/1.4\r\nAccept: application/json\r\n\
         Accept-Encoding: identity\r\nX-Request-Id: {number:032x}\r\nConnection: keep-alive\r\nCache-Control: no-cache\r\n\r\n"
    );
    let body = format!("{{\"id\":{number},\"state\":\"paid\",\"total\":{}}}", number % 9_000);
    let status = if number.is_multiple_of(50) { "404 Not Found" } else { "200 OK" };
    let response = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nServer: shop\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n\
         Vary: Accept\r\n\r\n{body}",
        body.len()
    );
    (request, response)
}

/// A capture of `count` DNS queries with their answers, over UDP.
pub(crate) fn dns(directory: &Path, count: u64) -> Result<PathBuf> {
    made(directory, "dns", count, |writer| {
        for number in 0..count {
            let client =
                format!("10.1.{}.{}:{}", number % 200, number / 200 % 200 + 1, 20_000 + number % 30_011);
            let name = format!("\u{9}orders-{:02}\u{4}shop\u{7}cluster\u{5}local\0", number % 90 + 10);
            let header = |flags: u16, answers: u16| {
                [number as u16, flags, 1, answers, 0, 0]
                    .iter()
                    .flat_map(|word| word.to_be_bytes())
                    .collect::<Vec<u8>>()
            };
            // Type A, class IN; the answer's name is a pointer to the question's.
            let question = [name.as_bytes(), &[0, 1, 0, 1]].concat();
            let answer = [&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 2, 0][..], &[number as u8]].concat();
            writer.frame(
                &udp(&client, "10.2.0.53:53", &[header(0x0100, 0), question.clone()].concat()).ethernet(),
            )?;
            let answered = [header(0x8180, 1), question, answer].concat();
            writer.frame(&udp("10.2.0.53:53", &client, &answered).ethernet())?;
        }
        Ok(())
    })
}

/// A capture of `count` Redis commands with their replies.
pub(crate) fn redis(directory: &Path, count: u64) -> Result<PathBuf> {
    made(directory, "redis", count, |writer| {
        for first in (0..count).step_by(A_LONG_CONNECTION as usize) {
            let mut flow = Flow::open(writer, first / A_LONG_CONNECTION, 6379)?;
            for number in first..count.min(first + A_LONG_CONNECTION) {
                let key = format!("session:{}", number % 10_000);
                let (command, reply) = match number % 4 {
                    0 => (bulk(&["SET", &key, "0123456789abcdef0123456789abcdef"]), "+OK\r\n".to_owned()),
                    1 => (bulk(&["INCR", &key]), format!(":{number}\r\n")),
                    _ => (bulk(&["GET", &key]), "$32\r\n0123456789abcdef0123456789abcdef\r\n".to_owned()),
                };
                flow.say(writer, Who::Client, command.as_bytes())?;
                flow.say(writer, Who::Server, reply.as_bytes())?;
            }
            flow.close(writer)?;
        }
        Ok(())
    })
}

fn bulk(words: &[&str]) -> String {
    let words: String = words.iter().map(|word| format!("${}\r\n{word}\r\n", word.len())).collect();
    format!("*{}\r\n{words}", words.matches('$').count())
}

/// A capture of `count` requests over HTTP/2, a few streams of a connection at a time. Header fields are indexed as
/// clients do it, and not Huffman-coded.
pub(crate) fn http2(directory: &Path, count: u64) -> Result<PathBuf> {
    made(directory, "http2", count, |writer| {
        for first in (0..count).step_by(A_LONG_CONNECTION as usize) {
            let mut talk = Http2::open(writer, first / A_LONG_CONNECTION)?;
            for number in first..count.min(first + A_LONG_CONNECTION) {
                let path = format!("/orders/{number}?expand=lines");
                let request = talk.client.block(&[
                    (":method", "GET"),
                    (":scheme", "http"),
                    (":path", &path),
                    (":authority", "orders.shop:8080"),
                    ("user-agent", "shop/1.4"),
                    ("accept", "application/json"),
                ]);
                let body = format!("{{\"id\":{number},\"state\":\"paid\",\"total\":{}}}", number % 9_000);
                let length = body.len().to_string();
                let response = talk.server.block(&[
                    (":status", "200"),
                    ("content-type", "application/json"),
                    ("content-length", &length),
                    ("server", "shop"),
                ]);
                talk.exchange(
                    writer,
                    &[(HEADERS, END_STREAM | END_HEADERS, &request)],
                    &[(HEADERS, END_HEADERS, &response), (DATA, END_STREAM, body.as_bytes())],
                )?;
            }
            talk.flow.close(writer)?;
        }
        Ok(())
    })
}

/// A capture of `count` unary gRPC calls.
pub(crate) fn grpc(directory: &Path, count: u64) -> Result<PathBuf> {
    made(directory, "grpc", count, |writer| {
        for first in (0..count).step_by(A_LONG_CONNECTION as usize) {
            let mut talk = Http2::open(writer, first / A_LONG_CONNECTION)?;
            for number in first..count.min(first + A_LONG_CONNECTION) {
                let path =
                    ["/shop.Orders/Get", "/shop.Orders/List", "/shop.Payments/Charge"][(number % 3) as usize];
                let request = talk.client.block(&[
                    (":method", "POST"),
                    (":scheme", "http"),
                    (":path", path),
                    (":authority", "orders.shop:8080"),
                    ("te", "trailers"),
                    ("content-type", "application/grpc"),
                    ("user-agent", "grpc-rust/1.4"),
                    ("grpc-timeout", "1S"),
                ]);
                let response = talk.server.block(&[(":status", "200"), ("content-type", "application/grpc")]);
                let trailers =
                    talk.server.block(&[("grpc-status", if number.is_multiple_of(50) { "5" } else { "0" })]);
                let asked = message(&[&[0x0a, 8][..], &number.to_be_bytes()].concat());
                let answered = message(&[&[0x0a, 24][..], &[7; 24]].concat());
                talk.exchange(
                    writer,
                    &[(HEADERS, END_HEADERS, &request), (DATA, END_STREAM, &asked)],
                    &[
                        (HEADERS, END_HEADERS, &response),
                        (DATA, 0, &answered),
                        (HEADERS, END_STREAM | END_HEADERS, &trailers),
                    ],
                )?;
            }
            talk.flow.close(writer)?;
        }
        Ok(())
    })
}

/// A gRPC message: not compressed, its length, its bytes.
fn message(bytes: &[u8]) -> Vec<u8> {
    [&[0][..], &(bytes.len() as u32).to_be_bytes(), bytes].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// One HTTP/2 connection.
struct Http2 {
    flow: Flow,
    stream: u32,
    client: Hpack,
    server: Hpack,
}

impl Http2 {
    fn open(writer: &mut Pcap, connection: u64) -> Result<Self> {
        let mut flow = Flow::open(writer, connection, 8080)?;
        let settings = http2_frame(SETTINGS, 0, 0, &[]);
        flow.say(writer, Who::Client, &[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", settings.as_slice()].concat())?;
        flow.say(writer, Who::Server, &settings)?;
        Ok(Self { flow, stream: 1, client: Hpack::default(), server: Hpack::default() })
    }

    fn exchange(
        &mut self,
        writer: &mut Pcap,
        asked: &[(u8, u8, &[u8])],
        answered: &[(u8, u8, &[u8])],
    ) -> Result<()> {
        let stream = self.stream;
        self.stream += 2;
        let frames = |frames: &[(u8, u8, &[u8])]| -> Vec<u8> {
            frames.iter().flat_map(|(kind, flags, bytes)| http2_frame(*kind, *flags, stream, bytes)).collect()
        };
        self.flow.say(writer, Who::Client, &frames(asked))?;
        self.flow.say(writer, Who::Server, &frames(answered))
    }
}

fn http2_frame(kind: u8, flags: u8, stream: u32, bytes: &[u8]) -> Vec<u8> {
    let length = (bytes.len() as u32).to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), bytes].concat()
}

/// An encoder of header blocks (RFC 7541): what was said before is an index, what is new is added to the table, but
/// for paths and lengths, which are new each time.
#[derive(Default)]
struct Hpack {
    /// Newest first.
    table: Vec<(String, String)>,
}

/// Entries of the static table, RFC 7541 appendix A.
const STATIC_ENTRIES: usize = 61;
/// Entries that stay far below the table's 4,096 bytes.
const MOST_ENTRIES: usize = 40;

impl Hpack {
    fn block(&mut self, fields: &[(&str, &str)]) -> Vec<u8> {
        let mut block = Vec::new();
        for (name, value) in fields {
            let known = self.table.iter().position(|known| known.0 == *name && known.1 == *value);
            if let Some(at) = known {
                integer(&mut block, 0x80, 7, STATIC_ENTRIES + 1 + at);
                continue;
            }
            let passing = matches!(*name, ":path" | "content-length") && !value.contains("shop.");
            block.push(if passing { 0x00 } else { 0x40 });
            for text in [name, value] {
                integer(&mut block, 0, 7, text.len());
                block.extend_from_slice(text.as_bytes());
            }
            if !passing {
                self.table.insert(0, ((*name).to_owned(), (*value).to_owned()));
                assert!(self.table.len() <= MOST_ENTRIES, "the table holds everything that is said");
            }
        }
        block
    }
}

/// An integer with a prefix of `bits`, RFC 7541, 5.1.
fn integer(block: &mut Vec<u8>, pattern: u8, bits: u32, value: usize) {
    let most = (1usize << bits) - 1;
    if value < most {
        block.push(pattern | value as u8);
        return;
    }
    block.push(pattern | most as u8);
    let mut rest = value - most;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 0x80);
        rest /= 128;
    }
    block.push(rest as u8);
}

/// Makes a capture where it is not there yet.
fn made(
    directory: &Path,
    name: &str,
    count: u64,
    write: impl FnOnce(&mut Pcap) -> Result<()>,
) -> Result<PathBuf> {
    let path = directory.join(format!("{name}-{count}.pcap"));
    if path.is_file() {
        return Ok(path);
    }
    std::fs::create_dir_all(directory)?;
    let fresh = path.with_extension("new");
    let mut writer = Pcap::create(&fresh)?;
    write(&mut writer)?;
    writer.finish()?;
    std::fs::rename(&fresh, &path).context("put the capture in its place")?;
    Ok(path)
}

/// Who speaks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    Client,
    Server,
}

/// One TCP connection.
struct Flow {
    client: String,
    server: String,
    ours: u32,
    theirs: u32,
}

impl Flow {
    /// The handshake of the connection of that number.
    fn open(writer: &mut Pcap, connection: u64, port: u16) -> Result<Self> {
        let client = format!(
            "10.1.{}.{}:{}",
            connection / 200 % 250,
            connection % 200 + 1,
            20_000 + connection / 50_000
        );
        let server = format!("10.2.0.{}:{port}", connection % 40 + 1);
        let (ours, theirs) = (1_000u32, 5_000u32);
        writer.frame(&tcp(&client, &server).seq(ours).flags("S").ethernet())?;
        writer.frame(&tcp(&server, &client).seq(theirs).ack(ours + 1).flags("SA").ethernet())?;
        writer.frame(&tcp(&client, &server).seq(ours + 1).ack(theirs + 1).flags("A").ethernet())?;
        Ok(Self { client, server, ours: ours + 1, theirs: theirs + 1 })
    }

    fn say(&mut self, writer: &mut Pcap, who: Who, bytes: &[u8]) -> Result<()> {
        let length = bytes.len() as u32;
        match who {
            Who::Client => {
                let segment = tcp(&self.client, &self.server).seq(self.ours).ack(self.theirs);
                writer.frame(&segment.flags("PA").payload(bytes).ethernet())?;
                self.ours = self.ours.wrapping_add(length);
            }
            Who::Server => {
                let segment = tcp(&self.server, &self.client).seq(self.theirs).ack(self.ours);
                writer.frame(&segment.flags("PA").payload(bytes).ethernet())?;
                self.theirs = self.theirs.wrapping_add(length);
            }
        }
        Ok(())
    }

    fn close(self, writer: &mut Pcap) -> Result<()> {
        let Self { client, server, ours, theirs } = self;
        writer.frame(&tcp(&client, &server).seq(ours).ack(theirs).flags("FA").ethernet())?;
        writer.frame(&tcp(&server, &client).seq(theirs).ack(ours + 1).flags("FA").ethernet())?;
        writer.frame(&tcp(&client, &server).seq(ours + 1).ack(theirs + 1).flags("A").ethernet())
    }
}

/// A pcap file with nanoseconds.
struct Pcap {
    file: BufWriter<File>,
    at: u64,
}

impl Pcap {
    fn create(path: &Path) -> Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
        // Magic of nanosecond resolution, version 2.4, no zone, snap length, Ethernet.
        for word in [0xa1b2_3c4du32, 0x0004_0002, 0, 0, 262_144, 1] {
            file.write_all(&word.to_le_bytes())?;
        }
        Ok(Self { file, at: 0 })
    }

    fn frame(&mut self, bytes: &[u8]) -> Result<()> {
        self.at += STEP_NANOS;
        let (seconds, nanos) = (BEGIN_SECONDS + self.at / 1_000_000_000, self.at % 1_000_000_000);
        for word in [seconds as u32, nanos as u32, bytes.len() as u32, bytes.len() as u32] {
            self.file.write_all(&word.to_le_bytes())?;
        }
        Ok(self.file.write_all(bytes)?)
    }

    fn finish(mut self) -> Result<()> {
        Ok(self.file.flush()?)
    }
}
