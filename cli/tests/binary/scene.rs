//! Captures that a test writes itself: connections with whatever bytes it likes.

use wirewise_testkit::packet::{tcp, udp};

/// 2026-11-24T04:00:00Z.
const START_MICROS: u64 = 1_795_492_800_000_000;
/// Payload bytes of one segment, so that long messages are cut anywhere.
const SEGMENT: usize = 700;

/// Frames in the order in which they were heard, a millisecond apart.
#[derive(Default)]
pub(crate) struct Scene {
    frames: Vec<Vec<u8>>,
    port: u16,
}

impl Scene {
    /// One connection to `server`, in which requests and responses take turns.
    pub(crate) fn talk(&mut self, server: &str, exchanges: &[(Vec<u8>, Vec<u8>)]) {
        self.port += 1;
        let client = format!("10.0.0.1:{}", 40_000 + self.port);
        let (client, server) = (client.as_str(), server);
        let (mut asked, mut answered) = (100_u32, 500_u32);
        self.frames.push(tcp(client, server).seq(asked - 1).flags("S").ethernet());
        self.frames.push(tcp(server, client).seq(answered - 1).ack(asked).flags("S").ethernet());
        self.frames.push(tcp(client, server).seq(asked).ack(answered).ethernet());
        for (request, response) in exchanges {
            for part in request.chunks(SEGMENT) {
                self.frames
                    .push(tcp(client, server).seq(asked).ack(answered).flags("P").payload(part).ethernet());
                asked = asked.wrapping_add(part.len() as u32);
            }
            for part in response.chunks(SEGMENT) {
                self.frames
                    .push(tcp(server, client).seq(answered).ack(asked).flags("P").payload(part).ethernet());
                answered = answered.wrapping_add(part.len() as u32);
            }
        }
        self.frames.push(tcp(client, server).seq(asked).ack(answered).flags("F").ethernet());
        self.frames.push(tcp(server, client).seq(answered).ack(asked + 1).flags("F").ethernet());
        self.frames.push(tcp(client, server).seq(asked + 1).ack(answered + 1).ethernet());
    }

    /// A datagram.
    pub(crate) fn datagram(&mut self, from: &str, to: &str, payload: &[u8]) {
        self.frames.push(udp(from, to, payload).ethernet());
    }

    /// Any frame.
    pub(crate) fn frame(&mut self, frame: Vec<u8>) {
        self.frames.push(frame);
    }

    /// How many frames there are.
    pub(crate) fn len(&self) -> usize {
        self.frames.len()
    }

    /// The classic file format, in microseconds.
    pub(crate) fn pcap(&self) -> Vec<u8> {
        let mut file = pcap_header();
        for (number, frame) in (0..).zip(&self.frames) {
            let at = START_MICROS + number * 1_000;
            file.extend(((at / 1_000_000) as u32).to_le_bytes());
            file.extend(((at % 1_000_000) as u32).to_le_bytes());
            file.extend((frame.len() as u32).to_le_bytes());
            file.extend((frame.len() as u32).to_le_bytes());
            file.extend(frame);
        }
        file
    }
}

/// The head of a pcap file of Ethernet frames.
pub(crate) fn pcap_header() -> Vec<u8> {
    let mut head = 0xa1b2_c3d4_u32.to_le_bytes().to_vec();
    head.extend(2u16.to_le_bytes());
    head.extend(4u16.to_le_bytes());
    head.extend([0; 8]);
    head.extend(262_144_u32.to_le_bytes());
    head.extend(1u32.to_le_bytes());
    head
}

/// A request of HTTP/1.1, with a body where there is one.
pub(crate) fn request(line: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    message(&format!("{line} HTTP/1.1"), &[&[("Host", "orders.shop")], headers].concat(), body)
}

/// A response of HTTP/1.1.
pub(crate) fn response(status: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    message(&format!("HTTP/1.1 {status}"), headers, body)
}

fn message(first: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut bytes = format!("{first}\r\n").into_bytes();
    let mut framed = false;
    for (name, value) in headers {
        framed |= name.eq_ignore_ascii_case("transfer-encoding");
        bytes.extend(format!("{name}: {value}\r\n").bytes());
    }
    let bodiless = body.is_empty() && first.starts_with("GET");
    if !framed && !bodiless {
        bytes.extend(format!("Content-Length: {}\r\n", body.len()).bytes());
    }
    bytes.extend(b"\r\n");
    bytes.extend(body);
    bytes
}

/// A body in chunks of a few bytes, so that words are cut by their framing.
pub(crate) fn chunked(body: &[u8], trailer: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for part in body.chunks(5) {
        bytes.extend(format!("{:x};note=x\r\n", part.len()).bytes());
        bytes.extend(part);
        bytes.extend(b"\r\n");
    }
    bytes.extend(format!("0\r\n{trailer}\r\n").bytes());
    bytes
}

/// Orders, `n` of them, of which every tenth fails.
pub(crate) fn orders(n: usize) -> Scene {
    let mut scene = Scene::default();
    let numbers: Vec<usize> = (0..n).collect();
    for some in numbers.chunks(50) {
        let exchanges: Vec<(Vec<u8>, Vec<u8>)> = some
            .iter()
            .map(|number| {
                let ask = request(&format!("GET /orders/{number}?page=2"), &[("User-Agent", "shop/1")], b"");
                let status = if number % 10 == 9 { "500 Internal Server Error" } else { "200 OK" };
                let told = format!("{{\"id\": {number}, \"state\": \"open\"}}");
                (ask, response(status, &[("Content-Type", "application/json")], told.as_bytes()))
            })
            .collect();
        scene.talk("10.0.0.2:80", &exchanges);
    }
    scene
}
