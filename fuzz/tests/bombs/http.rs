//! HTTP/2 (RFC 9113, RFC 7541) and HTTP/1.

use wirewise_model::Transport::Tcp;

use crate::Alone;

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;
/// `:method: GET`, `:scheme: http`, `:path: /`, all of the static table.
const GET: [u8; 3] = [0x82, 0x86, 0x84];

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let mut frame = (payload.len() as u32).to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

fn open() -> Vec<u8> {
    [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat()
}

/// An integer of HPACK in a prefix of seven bits.
fn length(mut value: usize) -> Vec<u8> {
    if value < 127 {
        return vec![value as u8];
    }
    let mut bytes = vec![127];
    value -= 127;
    while value >= 128 {
        bytes.push(value as u8 | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
    bytes
}

/// One large field goes into the dynamic table; then each byte of thousands of requests names it.
#[test]
fn hpack_references_to_one_large_field() {
    let alone = Alone::wait();
    alone.bomb("hpack", (Tcp, 80), &["headers_omitted"], |it| {
        it.client(open());
        let value = vec![b'a'; 4000];
        let mut block = GET.to_vec();
        block.extend([0x40, 1, b'x']);
        block.extend(length(value.len()));
        block.extend(value);
        it.client(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block));
        for stream in 1..1000 {
            let mut block = GET.to_vec();
            // Index 62: the newest of the dynamic table.
            block.extend([0x80 | 62; 16_000]);
            it.client(frame(HEADERS, END_HEADERS | END_STREAM, 2 * stream + 1, &block));
        }
    });
}

/// A header block that never ends.
#[test]
fn continuation_flood() {
    let alone = Alone::wait();
    alone.bomb("continuation", (Tcp, 80), &["header_limit"], |it| {
        it.client(open());
        it.client(frame(HEADERS, END_STREAM, 1, &GET));
        let mut block = vec![0, 1, b'x'];
        block.extend(length(1000));
        block.extend([b'b'; 1000]);
        let more = frame(CONTINUATION, 0, 1, &block);
        for _ in 0..100_000 {
            it.client(&more);
        }
    });
}

/// Streams that are opened and never closed.
#[test]
fn a_million_streams() {
    let alone = Alone::wait();
    alone.bomb("streams", (Tcp, 80), &["evicted"], |it| {
        it.client(open());
        for stream in 0..1_000_000 {
            it.client(frame(HEADERS, END_HEADERS, 2 * stream + 1, &GET));
        }
    });
}

/// Streams that are reset as soon as they are opened (CVE-2023-44487): nothing is left of each, and each is a call.
#[test]
fn rapid_reset() {
    let alone = Alone::wait();
    alone.bomb("rapid reset", (Tcp, 80), &["reset"], |it| {
        it.client(open());
        for stream in 0..200_000 {
            it.client(frame(HEADERS, END_HEADERS | END_STREAM, 2 * stream + 1, &GET));
            it.client(frame(RST_STREAM, 0, 2 * stream + 1, &[0, 0, 0, 8]));
        }
    });
}

#[test]
fn headers_of_http1_that_never_end() {
    let alone = Alone::wait();
    alone.bomb("endless headers", (Tcp, 80), &["header_limit"], |it| {
        it.client("GET / HTTP/1.1\r\nHost: a\r\n");
        for number in 0..1_000_000 {
            it.client(format!("X-{number}: {number}\r\n"));
        }
    });
}

/// A line that never ends, chunks of one byte, and pipelined requests that nobody answers.
#[test]
fn small_parts_without_an_end() {
    let alone = Alone::wait();
    alone.bomb("endless target", (Tcp, 80), &["header_limit"], |it| {
        it.client("GET /");
        (0..20_000).for_each(|_| it.client([b'a'; 1400]));
    });
    alone.bomb("tiny chunks", (Tcp, 80), &[], |it| {
        it.client("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
        (0..500_000).for_each(|_| it.client("1\r\na\r\n"));
    });
    alone.bomb("pipelines", (Tcp, 80), &["evicted"], |it| {
        (0..300_000).for_each(|_| it.client("GET / HTTP/1.1\r\nHost: a\r\n\r\n"));
    });
}
