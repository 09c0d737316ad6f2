//! Generated captures: real frames of conversations as clusters have them, written as pcap, the same for the same
//! count. Many connections are open at a time and their packets interleave; TCP segments carry the options, the
//! bare acknowledgements and the sizes that Linux gives them.

mod dns;
mod hpack;
mod http1;
mod http2;
mod pcap;
mod redis;
mod tcp;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use pcap::Pcap;

/// Connections that are open at the same time.
const LANES: usize = 64;
/// How many of them ask before the first of them is answered.
const AT_ONCE: usize = 8;

/// One connection of a protocol: it asks, and its questions are answered.
trait Talk: Sized {
    /// Questions that are asked before it is closed.
    const LIFE: u64;
    /// Questions that it has under way at a time.
    const AT_A_TIME: u64 = 1;

    fn open(writer: &mut Pcap, connection: u64) -> Result<Self>;
    fn ask(&mut self, writer: &mut Pcap, number: u64) -> Result<()>;
    /// Answers the latest question that is not answered.
    fn answer(&mut self, writer: &mut Pcap) -> Result<()>;
    fn close(self, writer: &mut Pcap) -> Result<()>;
}

/// A capture of `count` HTTP/1 transactions.
pub(crate) fn http1(directory: &Path, count: u64) -> Result<PathBuf> {
    made(directory, "http1", count, play::<http1::Client>)
}

/// A capture of `count` connections that stay open, each after one HTTP/1 exchange.
pub(crate) fn idle(directory: &Path, count: u64) -> Result<PathBuf> {
    made(directory, "idle", count, |writer, count| {
        for number in 0..count {
            let mut client = http1::Client::open(writer, number)?;
            client.ask(writer, number)?;
            client.answer(writer)?;
        }
        Ok(())
    })
}

/// A capture of `count` requests over HTTP/2, several streams of a connection at a time.
pub(crate) fn http2(directory: &Path, count: u64) -> Result<PathBuf> {
    made(directory, "http2", count, play::<http2::Client<http2::Web>>)
}

/// A capture of `count` unary gRPC calls.
pub(crate) fn grpc(directory: &Path, count: u64) -> Result<PathBuf> {
    made(directory, "grpc", count, play::<http2::Client<http2::Grpc>>)
}

/// A capture of `count` DNS queries with their answers, over UDP.
pub(crate) fn dns(directory: &Path, count: u64) -> Result<PathBuf> {
    made(directory, "dns", count, dns::play)
}

/// A capture of `count` Redis commands with their replies.
pub(crate) fn redis(directory: &Path, count: u64) -> Result<PathBuf> {
    made(directory, "redis", count, play::<redis::Client>)
}

/// A connection that is open, and what it has left to ask.
struct Lane<T> {
    talk: T,
    left: u64,
}

/// Plays `count` questions and answers on connections that take turns.
fn play<T: Talk>(writer: &mut Pcap, count: u64) -> Result<()> {
    let mut connections = 0;
    let mut open = |writer: &mut Pcap| {
        let talk = T::open(writer, connections)?;
        // Connections are in every age from the beginning on.
        let left =
            if connections < LANES as u64 { connections * T::LIFE / LANES as u64 + 1 } else { T::LIFE };
        connections += 1;
        Ok::<_, anyhow::Error>(Lane { talk, left })
    };
    let mut lanes = (0..LANES).map(|_| open(writer)).collect::<Result<Vec<_>>>()?;
    let (mut number, mut first) = (0, 0);
    while number < count {
        let turn: Vec<usize> = (0..AT_ONCE).map(|nth| (first + nth * 5) % LANES).collect();
        first = (first + 3) % LANES;
        let mut asked = Vec::new();
        for &at in &turn {
            if lanes[at].left == 0 {
                let gone = std::mem::replace(&mut lanes[at], open(writer)?);
                gone.talk.close(writer)?;
            }
            let lane = &mut lanes[at];
            for _ in 0..T::AT_A_TIME.min(lane.left).min(count - number) {
                lane.talk.ask(writer, number)?;
                lane.left -= 1;
                number += 1;
                asked.push(at);
            }
        }
        // Whoever answers fast overtakes.
        asked.reverse();
        for at in asked {
            lanes[at].talk.answer(writer)?;
        }
    }
    lanes.into_iter().try_for_each(|lane| lane.talk.close(writer))
}

/// Makes a capture where it is not there yet.
fn made(
    directory: &Path,
    name: &str,
    count: u64,
    write: impl FnOnce(&mut Pcap, u64) -> Result<()>,
) -> Result<PathBuf> {
    // The number is that of the form of the traffic: captures of another one are not taken for it.
    let path = directory.join(format!("{name}-2-{count}.pcap"));
    if path.is_file() {
        return Ok(path);
    }
    std::fs::create_dir_all(directory)?;
    let fresh = path.with_extension("new");
    let mut writer = Pcap::create(&fresh)?;
    write(&mut writer, count)?;
    writer.finish()?;
    std::fs::rename(&fresh, &path).context("put the capture in its place")?;
    Ok(path)
}

/// Numbers that look like chance and are the same for the same number (splitmix64).
fn dice(number: u64) -> u64 {
    let mut mixed = number.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// An id as tracing and gateways write it, of 32 hexadecimal digits.
fn trace(number: u64) -> String {
    format!("{:016x}{:016x}", dice(number), dice(!number))
}

/// A body of an order in JSON; now and then a page of many.
fn order(number: u64) -> String {
    let lines = match dice(number) % 20 {
        0 => 40,
        1..=3 => 8,
        _ => 2,
    };
    let mut body = format!(
        "{{\"id\":{number},\"state\":\"paid\",\"customer\":{{\"id\":{},\"name\":\"Ada King\",\"tier\":\"gold\"}},\"currency\":\"EUR\",\"lines\":[",
        dice(number) % 90_000
    );
    for line in 0..lines {
        let comma = if line > 0 { "," } else { "" };
        body += &format!(
            "{comma}{{\"sku\":\"SKU-{:05}\",\"quantity\":{},\"cents\":{}}}",
            dice(number + line) % 99_999,
            line % 4 + 1,
            dice(number ^ line) % 20_000
        );
    }
    body + "]}"
}
