//! Bodies that grow when they are decoded.

use std::io::Write;

use flate2::Compression;
use flate2::write::{GzEncoder, ZlibEncoder};
use wirewise_model::Transport::Tcp;

use crate::Alone;

/// A gigabyte of nothing takes a second to compress and a megabyte to send; a quarter of it says the same.
const PLAIN: usize = 256 << 20;

fn zeros(mut to: impl Write) {
    let zeros = [0; 1 << 16];
    (0..PLAIN / zeros.len()).for_each(|_| to.write_all(&zeros).unwrap());
}

fn gzip() -> Vec<u8> {
    let mut coder = GzEncoder::new(Vec::new(), Compression::fast());
    zeros(&mut coder);
    coder.finish().unwrap()
}

fn answered(alone: &Alone, name: &str, coding: &str, body: &[u8], words: &[&str]) {
    alone.bomb(name, (Tcp, 80), words, |it| {
        it.client("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
        let length = body.len();
        it.server(format!(
            "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"
        ));
        it.server(body);
    });
}

#[test]
fn gzip_that_grows_a_thousandfold() {
    let alone = Alone::wait();
    answered(&alone, "gzip", "gzip", &gzip(), &["decompression_limit"]);
}

#[test]
fn gzip_inside_of_gzip() {
    let alone = Alone::wait();
    let mut outer = GzEncoder::new(Vec::new(), Compression::fast());
    outer.write_all(&gzip()).unwrap();
    answered(&alone, "gzip twice", "gzip, gzip", &outer.finish().unwrap(), &["decompression_limit"]);
    answered(&alone, "nine codings", &["gzip"; 9].join(", "), &gzip(), &["unknown_coding"]);
}

#[test]
fn deflate_that_grows_a_thousandfold() {
    let alone = Alone::wait();
    let mut coder = ZlibEncoder::new(Vec::new(), Compression::fast());
    zeros(&mut coder);
    answered(&alone, "deflate", "deflate", &coder.finish().unwrap(), &["decompression_limit"]);
}

/// Brotli (RFC 7932): 256 MiB of zeros in 203 bytes, as its own encoder writes them (quality 9, a window of 16 MiB).
#[test]
fn brotli_that_grows_a_millionfold() {
    let alone = Alone::wait();
    answered(&alone, "brotli", "br", include_bytes!("zeros.br"), &["decompression_limit"]);
}

/// Zstandard (RFC 8878): a frame that asks for a window of two gigabytes, and one of blocks that repeat one byte.
#[test]
fn zstandard_windows_and_repeats() {
    let alone = Alone::wait();
    let magic = [0x28, 0xb5, 0x2f, 0xfd];
    // Window_Descriptor: exponent 21, so 2^31 bytes.
    let wide = [&magic[..], &[0x00, 21 << 3, 0x03, 0, 0x10, b'a']].concat();
    answered(&alone, "zstd window", "zstd", &wide, &["undecodable"]);
    // Exponent 13, so 8 MiB; each block is 128 KiB of one byte, in four.
    let mut repeats = [&magic[..], &[0x00, 13 << 3]].concat();
    for _ in 0..20_000 {
        let header = (128_u32 << 10) << 3 | 1 << 1;
        repeats.extend(&header.to_le_bytes()[..3]);
        repeats.push(b'a');
    }
    answered(&alone, "zstd repeats", "zstd", &repeats, &["decompression_limit"]);
}

/// A thousand streams of HTTP/1 flows are a thousand decoders; here one flow asks for many, one behind another.
#[test]
fn many_coded_bodies_one_behind_another() {
    let alone = Alone::wait();
    let body = gzip();
    let body = &body[..body.len().min(20_000)];
    alone.bomb("many gzips", (Tcp, 80), &["decompression_limit"], |it| {
        for _ in 0..200 {
            it.client("GET /a HTTP/1.1\r\nHost: a\r\n\r\n");
            let length = body.len();
            it.server(format!(
                "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: {length}\r\n\r\n"
            ));
            it.server(body);
        }
    });
}
