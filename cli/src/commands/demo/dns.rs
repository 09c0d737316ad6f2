//! A resolver that asks the shop's own server, so that the machine's configuration stays out of it.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::net::UdpSocket;

/// How long a query may take.
const WAIT: Duration = Duration::from_secs(2);
/// A record of an IPv4 address; the class of the Internet (RFC 1035, 3.2).
const A: u16 = 1;
const INTERNET: u16 = 1;

/// Asks one server.
pub(super) struct ShopDns {
    server: SocketAddr,
    ids: AtomicU16,
    /// How often each name was asked for.
    asked: Mutex<HashMap<String, usize>>,
}

impl ShopDns {
    pub(super) fn new(server: &str) -> Self {
        let ip: Ipv4Addr = server.parse().expect("the shop's server is an address");
        Self {
            server: SocketAddr::new(ip.into(), 53),
            ids: AtomicU16::new(std::process::id() as u16),
            asked: Mutex::default(),
        }
    }

    /// How often the name was asked for before.
    fn turn(&self, name: &str) -> usize {
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = asked.entry(name.to_owned()).or_default();
        *asked += 1;
        *asked - 1
    }
}

impl Resolve for ShopDns {
    fn resolve(&self, name: Name) -> Resolving {
        let (server, id) = (self.server, self.ids.fetch_add(1, Ordering::Relaxed));
        // A count of the name's own: an order asks for two names, and would meet one version for ever.
        let turn = self.turn(name.as_str());
        Box::pin(async move {
            let addresses = tokio::time::timeout(WAIT, ask(server, id, name.as_str()))
                .await
                .map_err(|_| "no answer from DNS")??;
            if addresses.is_empty() {
                return Err(format!("no such name: {}", name.as_str()).into());
            }
            // One after the other, whatever order the server gives them in.
            let mut addresses = addresses;
            addresses.sort_unstable();
            let turn = turn % addresses.len();
            addresses.rotate_left(turn);
            Ok(Box::new(addresses.into_iter().map(|ip| SocketAddr::new(ip.into(), 0))) as Addrs)
        })
    }
}

async fn ask(server: SocketAddr, id: u16, name: &str) -> std::io::Result<Vec<Ipv4Addr>> {
    let socket = UdpSocket::bind("0.0.0.0:0").await?;
    socket.connect(server).await?;
    let mut query = Vec::new();
    // One question, recursion desired.
    for word in [id, 0x0100, 1, 0, 0, 0] {
        query.extend_from_slice(&word.to_be_bytes());
    }
    for label in name.split('.') {
        query.push(label.len() as u8);
        query.extend_from_slice(label.as_bytes());
    }
    query.push(0);
    query.extend_from_slice(&A.to_be_bytes());
    query.extend_from_slice(&INTERNET.to_be_bytes());
    socket.send(&query).await?;
    let mut answer = [0u8; 512];
    let length = socket.recv(&mut answer).await?;
    Ok(addresses(&answer[..length], query.len()))
}

/// The addresses in an answer to a question that ends at `at`. Our server compresses every owner's name to a
/// pointer of two bytes.
fn addresses(answer: &[u8], mut at: usize) -> Vec<Ipv4Addr> {
    let mut found = Vec::new();
    while let Some(record) = answer.get(at..at + 12) {
        let (kind, length) = (
            u16::from_be_bytes([record[2], record[3]]),
            usize::from(u16::from_be_bytes([record[10], record[11]])),
        );
        if let (A, Some(&[a, b, c, d])) = (kind, answer.get(at + 12..at + 12 + length)) {
            found.push(Ipv4Addr::new(a, b, c, d));
        }
        at += 12 + length;
    }
    found
}
