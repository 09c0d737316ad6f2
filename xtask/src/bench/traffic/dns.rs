//! DNS as pods ask it: each lookup from a port of its own, A and AAAA together, names of services, and names of the
//! world through the search list with its three noes.

use anyhow::Result;
use wirewise_testkit::packet::udp;

use super::dice;
use super::pcap::Pcap;

const SERVER: &str = "10.2.0.10:53";
const ZONE: &str = "cluster.local";
const A: u16 = 1;
const CNAME: u16 = 5;
const SOA: u16 = 6;
const AAAA: u16 = 28;
/// Lookups that are under way at the same time.
const AT_ONCE: u64 = 8;

/// Plays `count` queries, two a lookup.
pub(super) fn play(writer: &mut Pcap, count: u64) -> Result<()> {
    let (mut lookup, mut asked) = (0, 0);
    while asked < count {
        let mut answers = Vec::new();
        for _ in 0..AT_ONCE {
            let client = format!(
                "10.1.{}.{}:{}",
                dice(lookup) % 250,
                dice(lookup) / 250 % 200 + 1,
                32_768 + dice(!lookup) % 28_000
            );
            for kind in [A, AAAA] {
                if asked == count {
                    break;
                }
                asked += 1;
                let query = Query { lookup, kind };
                writer.frame(&udp(&client, SERVER, &query.bytes()).id(dice(asked) as u32).ethernet())?;
                answers.push((client.clone(), query));
            }
            lookup += 1;
        }
        answers.reverse();
        for (client, query) in answers {
            writer.frame(&udp(SERVER, &client, &query.answer()).id(0).ethernet())?;
        }
    }
    Ok(())
}

struct Query {
    lookup: u64,
    kind: u16,
}

/// What comes of a name.
enum Found {
    /// A service, which has an address of IPv4 alone.
    Service,
    /// An expansion of the search list.
    Nothing,
    /// A name of the world: an alias and some addresses.
    World,
}

impl Query {
    /// Of ten lookups four are of services; of the others three fail before the fourth tells.
    fn name(&self) -> (String, Found) {
        const SERVICES: [&str; 6] = ["orders", "payments", "stock", "carts", "users", "redis-master"];
        const WORLD: [&str; 4] =
            ["api.stripe.com", "s3.eu-central-1.amazonaws.com", "sentry.io", "hooks.slack.com"];
        const SEARCH: [&str; 3] = ["shop.svc.cluster.local", "svc.cluster.local", "cluster.local"];
        if self.lookup % 10 < 4 {
            let service = SERVICES[dice(self.lookup) as usize % SERVICES.len()];
            return (format!("{service}.shop.svc.{ZONE}"), Found::Service);
        }
        let name = WORLD[dice(self.lookup / 4) as usize % WORLD.len()];
        match SEARCH.get(self.lookup as usize % 4) {
            Some(suffix) => (format!("{name}.{suffix}"), Found::Nothing),
            None => (name.to_owned(), Found::World),
        }
    }

    /// Half of the resolvers say how much they take (EDNS).
    fn has_edns(&self) -> bool {
        self.lookup.is_multiple_of(2)
    }

    fn head(&self, flags: u16, counts: [u16; 3]) -> Vec<u8> {
        let id = dice(self.lookup << 8 | u64::from(self.kind)) as u16;
        let counts = [counts[0], counts[1], counts[2] + u16::from(self.has_edns())];
        let mut bytes: Vec<u8> =
            [id, flags, 1].into_iter().chain(counts).flat_map(|word: u16| word.to_be_bytes()).collect();
        labels(&mut bytes, &self.name().0);
        for word in [self.kind, 1] {
            bytes.extend(word.to_be_bytes());
        }
        bytes
    }

    fn end(&self, mut bytes: Vec<u8>) -> Vec<u8> {
        if self.has_edns() {
            // The root, OPT, 1,232 bytes, no flags, no options.
            bytes.extend([0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 0]);
        }
        bytes
    }

    fn bytes(&self) -> Vec<u8> {
        self.end(self.head(0x0100, [0; 3]))
    }

    fn answer(&self) -> Vec<u8> {
        let (name, found) = self.name();
        let mut bytes;
        match (found, self.kind) {
            (Found::Service, A) => {
                bytes = self.head(0x8580, [1, 0, 0]);
                record(&mut bytes, 12, A, 5, &[10, 96, dice(self.lookup) as u8, 7]);
            }
            (Found::Service | Found::Nothing, _) => {
                let code = if matches!(self.name().1, Found::Nothing) { 3 } else { 0 };
                bytes = self.head(0x8580 | code, [0, 1, 0]);
                // The zone's name is the end of the question's.
                let zone = 12 + name.len() - ZONE.len();
                let mut soa = Vec::new();
                for server in ["ns.dns", "hostmaster"] {
                    labels(&mut soa, server);
                    soa.pop();
                    soa.extend((0xc000 | zone as u16).to_be_bytes());
                }
                for word in [1_700_000_000u32, 7200, 1800, 86_400, 5] {
                    soa.extend(word.to_be_bytes());
                }
                record(&mut bytes, zone, SOA, 5, &soa);
            }
            (Found::World, kind) => {
                let addresses = dice(self.lookup) % 4 + 1;
                bytes = self.head(0x8180, [addresses as u16 + 1, 0, 0]);
                let alias = bytes.len() + 12;
                let mut target = Vec::new();
                labels(&mut target, "edge-eu.fastly.net");
                record(&mut bytes, 12, CNAME, 30, &target);
                for nth in 0..addresses {
                    let address = [0x2a, 0x04, 0x4e, 0x42, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, nth as u8];
                    record(&mut bytes, alias, kind, 30, if kind == A { &address[..4] } else { &address });
                }
            }
        }
        self.end(bytes)
    }
}

fn labels(bytes: &mut Vec<u8>, name: &str) {
    for label in name.split('.') {
        bytes.push(label.len() as u8);
        bytes.extend_from_slice(label.as_bytes());
    }
    bytes.push(0);
}

/// A record of class IN whose name stands at `at`.
fn record(bytes: &mut Vec<u8>, at: usize, kind: u16, ttl: u32, data: &[u8]) {
    bytes.extend((0xc000 | at as u16).to_be_bytes());
    for word in [kind, 1] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(ttl.to_be_bytes());
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend_from_slice(data);
}
