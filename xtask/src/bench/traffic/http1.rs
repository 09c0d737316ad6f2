//! HTTP/1.1 between services: keep-alive, a gateway's and a tracer's header fields, JSON both ways, some of it
//! chunked, some of it compressed.

use std::io::Write;

use anyhow::Result;
use flate2::Compression;
use flate2::write::GzEncoder;

use super::pcap::Pcap;
use super::tcp::{Tcp, Who};
use super::{Talk, dice, order, trace};

const AGENTS: [&str; 4] = ["Go-http-client/1.1", "python-requests/2.32.3", "okhttp/4.12.0", "axios/1.7.7"];

/// A client's connection.
pub(super) struct Client {
    tcp: Tcp,
    asked: u64,
    connection: u64,
}

impl Talk for Client {
    const LIFE: u64 = 20;

    fn open(writer: &mut Pcap, connection: u64) -> Result<Self> {
        Ok(Self { tcp: Tcp::open(writer, connection, 8080)?, asked: 0, connection })
    }

    fn ask(&mut self, writer: &mut Pcap, number: u64) -> Result<()> {
        self.asked = number;
        let request = request(number, self.connection);
        self.tcp.say(writer, Who::Client, request.as_bytes())
    }

    fn answer(&mut self, writer: &mut Pcap) -> Result<()> {
        self.tcp.say(writer, Who::Server, &response(self.asked)?)?;
        self.tcp.acknowledge(writer, Who::Client)
    }

    fn close(self, writer: &mut Pcap) -> Result<()> {
        self.tcp.close(writer)
    }
}

fn method(number: u64) -> &'static str {
    match dice(number) % 20 {
        0..15 => "GET",
        15..18 => "POST",
        18 => "PUT",
        _ => "DELETE",
    }
}

fn request(number: u64, connection: u64) -> String {
    let method = method(number);
    let target = match (method, dice(number) % 3) {
        ("POST", _) => "/api/v1/orders".to_owned(),
        ("GET", 0) => {
            format!("/api/v1/customers/{}/orders?limit=20&page={}", dice(number) % 9000, number % 7)
        }
        ("GET", 1) => format!("/api/v1/orders/{number}?expand=lines"),
        _ => format!("/api/v1/orders/{number}"),
    };
    let id = trace(number);
    let mut request = format!(
        "{method} {target} HTTP/1.1\r\nHost: orders.shop.svc.cluster.local:8080\r\nUser-Agent: {}\r\n\
         Accept: application/json\r\nAccept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\n\
         X-Request-Id: {id}\r\nX-Forwarded-For: 10.1.{}.{}\r\nX-Forwarded-Proto: http\r\n\
         traceparent: 00-{id}-{:016x}-01\r\n",
        AGENTS[connection as usize % AGENTS.len()],
        connection / 200 % 250,
        connection % 200 + 1,
        dice(number)
    );
    if connection.is_multiple_of(2) {
        request +=
            &format!("Authorization: Bearer eyJhbGciOiJSUzI1NiJ9.{}.{}\r\n", id.repeat(3), id.repeat(2));
    }
    let body = if matches!(method, "POST" | "PUT") { order(number) } else { String::new() };
    if !body.is_empty() {
        request += &format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len());
    }
    request + "\r\n" + &body
}

fn response(number: u64) -> Result<Vec<u8>> {
    const JSON: &str = "application/json; charset=utf-8";
    let (status, kind, body) = match (method(number), dice(number) >> 32) {
        ("DELETE", _) => ("204 No Content", "", String::new()),
        (_, chance) if chance % 100 == 0 => {
            ("503 Service Unavailable", "text/plain", "upstream connect error or disconnect/reset".to_owned())
        }
        (_, chance) if chance % 100 < 4 => (
            "404 Not Found",
            "application/problem+json",
            "{\"title\":\"no such order\",\"status\":404}".to_owned(),
        ),
        ("POST", _) => ("201 Created", JSON, order(number)),
        _ => ("200 OK", JSON, order(number)),
    };
    let mut head = format!(
        "HTTP/1.1 {status}\r\nDate: Tue, 14 Nov 2023 22:13:{:02} GMT\r\nServer: istio-envoy\r\n\
         X-Envoy-Upstream-Service-Time: {}\r\nCache-Control: no-cache\r\nVary: Accept-Encoding\r\n\
         X-Request-Id: {}\r\n",
        number / 100_000 % 60,
        dice(number) % 30,
        trace(number)
    );
    if body.is_empty() {
        return Ok((head + "\r\n").into_bytes());
    }
    head += &format!("Content-Type: {kind}\r\n");
    // Of long pages some are made as they are sent, and some are compressed.
    let content = match (body.len() > 1000, number % 3) {
        (true, 0) => {
            head += "Transfer-Encoding: chunked\r\n\r\n";
            let mut chunks = Vec::new();
            for chunk in body.as_bytes().chunks(1024) {
                write!(chunks, "{:x}\r\n", chunk.len())?;
                chunks.extend_from_slice(chunk);
                chunks.extend_from_slice(b"\r\n");
            }
            chunks.extend_from_slice(b"0\r\n\r\n");
            chunks
        }
        (true, 1) => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
            encoder.write_all(body.as_bytes())?;
            let coded = encoder.finish()?;
            head += &format!("Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n", coded.len());
            coded
        }
        (true | false, _) => {
            head += &format!("Content-Length: {}\r\n\r\n", body.len());
            body.into_bytes()
        }
    };
    Ok([head.into_bytes(), content].concat())
}
