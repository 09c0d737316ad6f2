//! Generated captures: real frames of real conversations, written as pcap, the same for the same count.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use wirewise_testkit::packet::tcp;

/// Transactions of one connection, as keep-alive clients make them.
const A_CONNECTION: u64 = 20;
/// Time between two packets.
const STEP_NANOS: u64 = 5_000;
/// Where the clock of the capture begins.
const BEGIN_SECONDS: u64 = 1_700_000_000;

/// A capture of `count` small HTTP/1 transactions, made where it is not there yet.
pub(crate) fn http1(directory: &Path, count: u64) -> Result<PathBuf> {
    let path = directory.join(format!("http1-{count}.pcap"));
    if path.is_file() {
        return Ok(path);
    }
    std::fs::create_dir_all(directory)?;
    let fresh = path.with_extension("new");
    let mut writer = Pcap::create(&fresh)?;
    let mut done = 0;
    let mut connection = 0;
    while done < count {
        let transactions = A_CONNECTION.min(count - done);
        http1_connection(&mut writer, connection, done, transactions)?;
        done += transactions;
        connection += 1;
    }
    writer.finish()?;
    std::fs::rename(&fresh, &path).context("put the capture in its place")?;
    Ok(path)
}

fn http1_connection(writer: &mut Pcap, connection: u64, first: u64, transactions: u64) -> Result<()> {
    let client =
        format!("10.1.{}.{}:{}", connection / 200 % 250, connection % 200 + 1, 20_000 + connection / 50_000);
    let server = format!("10.2.0.{}:8080", connection % 40 + 1);
    let (mut ours, mut theirs) = (1_000u32, 5_000u32);
    writer.frame(&tcp(&client, &server).seq(ours).flags("S").ethernet())?;
    writer.frame(&tcp(&server, &client).seq(theirs).ack(ours + 1).flags("SA").ethernet())?;
    (ours, theirs) = (ours + 1, theirs + 1);
    writer.frame(&tcp(&client, &server).seq(ours).ack(theirs).flags("A").ethernet())?;
    for number in first..first + transactions {
        let request = format!(
            "GET /orders/{number}?expand=lines HTTP/1.1\r\nHost: orders.shop:8080\r\nUser-Agent: shop/1.4\r\nAccept: application/json\r\n\
             Accept-Encoding: identity\r\nX-Request-Id: {number:032x}\r\nConnection: keep-alive\r\nCache-Control: no-cache\r\n\r\n"
        );
        let body = format!("{{\"id\":{number},\"state\":\"paid\",\"total\":{}}}", number % 9_000);
        let status = if number % 50 == 0 { "404 Not Found" } else { "200 OK" };
        let response = format!(
            "HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nServer: shop\r\nDate: Tue, 14 Nov 2023 22:13:20 GMT\r\n\
             Vary: Accept\r\n\r\n{body}",
            body.len()
        );
        writer.frame(
            &tcp(&client, &server).seq(ours).ack(theirs).flags("PA").payload(request.as_bytes()).ethernet(),
        )?;
        ours += request.len() as u32;
        writer.frame(
            &tcp(&server, &client).seq(theirs).ack(ours).flags("PA").payload(response.as_bytes()).ethernet(),
        )?;
        theirs += response.len() as u32;
    }
    writer.frame(&tcp(&client, &server).seq(ours).ack(theirs).flags("FA").ethernet())?;
    writer.frame(&tcp(&server, &client).seq(theirs).ack(ours + 1).flags("FA").ethernet())?;
    writer.frame(&tcp(&client, &server).seq(ours + 1).ack(theirs + 1).flags("A").ethernet())
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
