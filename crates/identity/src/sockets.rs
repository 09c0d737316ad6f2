//! Reads the kernel's tables of sockets and addresses: `/proc/<pid>/net/{tcp,tcp6,udp,udp6}`, `fib_trie` and
//! `if_inet6` (Linux, Documentation/networking/proc_net_tcp.rst, net/ipv4/fib_trie.c). Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use wirewise_model::Endpoint;

/// One line of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Socket {
    pub(crate) local: Endpoint,
    /// Whether it waits for others: listening, or a datagram socket without a peer.
    pub(crate) listens: bool,
    pub(crate) inode: u64,
}

/// TCP_LISTEN of the kernel, and TCP_CLOSE, which stands for a datagram socket that is not connected.
const LISTEN: &str = "0A";
const UNCONNECTED: &str = "07";

/// The sockets of a table that have an owner; those in TIME_WAIT have none.
pub(crate) fn parse(table: &str) -> impl Iterator<Item = Socket> {
    table.lines().skip(1).filter_map(|line| {
        let mut fields = line.split_ascii_whitespace().skip(1);
        let (local, remote, state) = (fields.next()?, fields.next()?, fields.next()?);
        let inode: u64 = fields.nth(5)?.parse().ok().filter(|inode| *inode != 0)?;
        let remote = endpoint(remote)?;
        let listens = state == LISTEN || (state == UNCONNECTED && remote.port == 0);
        Some(Socket { local: endpoint(local)?, listens, inode })
    })
}

/// `0100007F:1F90`: 32-bit words in the machine's order, then the port.
fn endpoint(text: &str) -> Option<Endpoint> {
    let (address, port) = text.split_once(':')?;
    Some(Endpoint::new(address_of(address)?, u16::from_str_radix(port, 16).ok()?))
}

fn address_of(hex: &str) -> Option<IpAddr> {
    let word = |at: usize| {
        let digits = hex.get(at..at + 8)?;
        u32::from_str_radix(digits, 16).ok().map(u32::to_ne_bytes)
    };
    match hex.len() {
        8 => Some(IpAddr::V4(Ipv4Addr::from(word(0)?))),
        32 => {
            let mut octets = [0u8; 16];
            for (index, part) in octets.chunks_exact_mut(4).enumerate() {
                part.copy_from_slice(&word(index * 8)?);
            }
            // Sockets of both families speak IPv4 under mapped addresses; packets show the plain ones.
            Some(IpAddr::V6(Ipv6Addr::from(octets)).to_canonical())
        }
        _ => None,
    }
}

/// The addresses that are the host's own, from `fib_trie`: leaves that are `host LOCAL`.
pub(crate) fn local_v4(fib_trie: &str) -> Vec<IpAddr> {
    let mut found = Vec::new();
    let mut leaf: Option<Ipv4Addr> = None;
    for line in fib_trie.lines() {
        let line = line.trim_start();
        if let Some(address) = line.strip_prefix("|-- ") {
            leaf = address.trim().parse().ok();
        } else if line.starts_with("/32 host LOCAL")
            && let Some(ip) = leaf.take()
            && !found.contains(&IpAddr::V4(ip))
        {
            found.push(IpAddr::V4(ip));
        }
    }
    found
}

/// The same of IPv6, from `if_inet6`: 32 digits of address first.
pub(crate) fn local_v6(if_inet6: &str) -> Vec<IpAddr> {
    if_inet6
        .lines()
        .filter_map(|line| {
            let digits = line.get(..32)?;
            u128::from_str_radix(digits, 16).ok().map(|bits| IpAddr::V6(Ipv6Addr::from(bits)))
        })
        .collect()
}

/// The inode of `socket:[12345]`, `net:[4026531840]`.
pub(crate) fn inode_of_link(link: &str, prefix: &str) -> Option<u64> {
    link.strip_prefix(prefix)?.strip_prefix(":[")?.strip_suffix(']')?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_endian = "little")]
    fn tables_of_sockets_are_read() {
        let tcp = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n\
                   0: 00000000:07E8 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 571 1 0 100 0\n\
                   1: 0100007F:1F90 0500000A:C350 01 00000000:00000000 00:00000000 00000000     0        0 572 1 0 20 4\n\
                   2: 0100007F:1F90 0500000A:C351 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0\n\
                   garbage\n";
        let any = |ip: &str, port| Endpoint::new(ip.parse().unwrap(), port);
        assert_eq!(
            parse(tcp).collect::<Vec<_>>(),
            [
                Socket { local: any("0.0.0.0", 2024), listens: true, inode: 571 },
                Socket { local: any("127.0.0.1", 8080), listens: false, inode: 572 },
            ]
        );
        let tcp6 = "head\n 0: 0000000000000000FFFF00000500000A:0050 00000000000000000000000000000000:0000 01 0:0 0:0 0 0 0 9 1\n\
                    1: B80D0120000000000000000001000000:0050 00000000000000000000000000000000:0000 0A 0:0 0:0 0 0 0 10 1\n";
        assert_eq!(
            parse(tcp6).map(|socket| socket.local).collect::<Vec<_>>(),
            [any("10.0.0.5", 80), any("2001:db8::1", 80)]
        );
        let udp = "head\n 7: 00000000:0035 00000000:0000 07 0:0 0:0 0 0 0 11 2 0 0\n 8: 0500000A:0035 0600000A:1000 01 0:0 0:0 0 0 0 12 2 0 0\n";
        assert_eq!(parse(udp).map(|socket| socket.listens).collect::<Vec<_>>(), [true, false]);
    }

    #[test]
    fn own_addresses_are_read() {
        let trie = "Main:\n  +-- 0.0.0.0/0 3 0 5\n     |-- 0.0.0.0\n        /0 universe UNICAST\n     |-- 10.0.0.5\n        /32 host LOCAL\n     |-- 10.0.0.255\n        /32 link BROADCAST\nLocal:\n     |-- 10.0.0.5\n        /32 host LOCAL\n     |-- 127.0.0.1\n        /32 host LOCAL\n";
        let ips = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect::<Vec<IpAddr>>();
        assert_eq!(local_v4(trie), ips(&["10.0.0.5", "127.0.0.1"]));
        let inet6 = "00000000000000000000000000000001 01 80 10 80       lo\n20010db8000000000000000000000007 02 40 00 80 eth0\nx\n";
        assert_eq!(local_v6(inet6), ips(&["::1", "2001:db8::7"]));
        assert_eq!(inode_of_link("socket:[571]", "socket"), Some(571));
        assert_eq!(inode_of_link("anon_inode:[eventpoll]", "socket"), None);
    }
}
