//! Redis between a service and its cache: RESP3, a client that says who it is, and the commands of caches, sessions
//! and counters.

use anyhow::Result;

use super::pcap::Pcap;
use super::tcp::{Tcp, Who};
use super::{Talk, dice, order, trace};

/// A client's connection.
pub(super) struct Client {
    tcp: Tcp,
    asked: u64,
    number: u64,
}

impl Talk for Client {
    const LIFE: u64 = 1000;

    fn open(writer: &mut Pcap, connection: u64) -> Result<Self> {
        Ok(Self { tcp: Tcp::open(writer, connection, 6379)?, asked: 0, number: 0 })
    }

    fn ask(&mut self, writer: &mut Pcap, number: u64) -> Result<()> {
        (self.asked, self.number) = (self.asked + 1, number);
        let (command, _) = words(self.asked, number);
        self.tcp.say(writer, Who::Client, command.as_bytes())
    }

    fn answer(&mut self, writer: &mut Pcap) -> Result<()> {
        let (_, reply) = words(self.asked, self.number);
        self.tcp.say(writer, Who::Server, reply.as_bytes())?;
        self.tcp.acknowledge(writer, Who::Client)
    }

    fn close(self, writer: &mut Pcap) -> Result<()> {
        self.tcp.close(writer)
    }
}

/// The `nth` command of a connection with its reply.
fn words(nth: u64, number: u64) -> (String, String) {
    let ok = || "+OK\r\n".to_owned();
    match nth {
        1 => {
            let hello = "%7\r\n$6\r\nserver\r\n$5\r\nredis\r\n$7\r\nversion\r\n$5\r\n7.2.5\r\n$5\r\nproto\r\n:3\r\n$2\r\nid\r\n:21\r\n\
                         $4\r\nmode\r\n$10\r\nstandalone\r\n$4\r\nrole\r\n$6\r\nmaster\r\n$7\r\nmodules\r\n*0\r\n";
            return (command(&["HELLO", "3"]), hello.to_owned());
        }
        2 => return (command(&["CLIENT", "SETINFO", "LIB-NAME", "go-redis(,go1.22.5)"]), ok()),
        3 => return (command(&["CLIENT", "SETINFO", "LIB-VER", "9.6.1"]), ok()),
        _ => {}
    }
    let session = format!("session:{}", trace(dice(number) % 10_000));
    let cart = format!("cart:{}", dice(number) % 50_000);
    match dice(number) >> 32 & 15 {
        0..6 => (command(&["GET", &session]), bulk(&order(number))),
        6 => (command(&["GET", &cart]), "_\r\n".to_owned()),
        7 | 8 => (command(&["SET", &session, &order(number), "EX", "3600"]), ok()),
        9 | 10 => (command(&["INCRBY", &format!("rate:{cart}"), "1"]), format!(":{}\r\n", number % 900)),
        11 => (command(&["EXPIRE", &session, "3600"]), ":1\r\n".to_owned()),
        12 | 13 => {
            let fields = ["total", "1999", "currency", "EUR", "lines", "3"].map(bulk).concat();
            (command(&["HGETALL", &cart]), format!("%3\r\n{fields}"))
        }
        14 => {
            let values = [bulk(&trace(number)), "_\r\n".to_owned(), bulk("1")].concat();
            (command(&["MGET", &cart, &session, "flags:checkout"]), format!("*3\r\n{values}"))
        }
        _ => (command(&["ZADD", "top:orders", &(number % 900).to_string(), &cart]), ":0\r\n".to_owned()),
    }
}

fn command(words: &[&str]) -> String {
    let list: String = words.iter().copied().map(bulk).collect();
    format!("*{}\r\n{list}", words.len())
}

fn bulk(word: &str) -> String {
    format!("${}\r\n{word}\r\n", word.len())
}
