//! What DNS answers that were seen say of addresses: which name an address had, and from when to when.
//!
//! The name that was asked for wins over those that CNAMEs led to: callers give it with the addresses at the
//! end of the chain. Where several names have one address, the one that was answered last holds: somebody
//! asked for it just before connecting. Answers hold past their TTL, since clients keep connections and
//! runtimes keep answers, but not for ever, since addresses are given out anew.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;
use wirewise_model::{NameSource, Timestamp, Workload};

/// Addresses that are remembered. Past it those that were learnt longest ago are forgotten, half at a time.
const MOST_ADDRESSES: usize = 65_536;
/// Answers that are remembered of one address.
const MOST_ANSWERS: usize = 8;
/// How long an answer holds at least.
const SHORTEST: Duration = Duration::from_secs(300);
/// How long it holds at most, whatever its TTL claims.
const LONGEST: Duration = Duration::from_secs(86_400);
/// RFC 1035, 2.3.4.
const LONGEST_NAME: usize = 255;

#[derive(Clone, Debug, PartialEq, Eq)]
struct Answer {
    from: Timestamp,
    to: Timestamp,
    name: Box<str>,
}

type ByAddress = HashMap<IpAddr, VecDeque<Answer>, foldhash::fast::RandomState>;

/// Names by address and time.
#[derive(Debug, Default)]
pub(crate) struct DnsNames {
    young: ByAddress,
    old: ByAddress,
}

impl DnsNames {
    pub(crate) fn learn(&mut self, name: &str, addresses: &[IpAddr], at: Timestamp, ttl: Duration) {
        let name = name.trim_end_matches('.');
        if !is_host(name) || name.eq_ignore_ascii_case("localhost") {
            return;
        }
        let name = name.to_ascii_lowercase();
        for &ip in addresses {
            if ip.is_unspecified() || ip.is_loopback() {
                continue;
            }
            if self.young.len() >= MOST_ADDRESSES / 2 && !self.young.contains_key(&ip) {
                self.old = std::mem::take(&mut self.young);
            }
            let answers = self.young.entry(ip).or_insert_with(|| self.old.remove(&ip).unwrap_or_default());
            let to = at + ttl.clamp(SHORTEST, LONGEST);
            match answers.iter_mut().find(|answer| *answer.name == name) {
                Some(answer) => {
                    // Answers may be learnt out of order; a pause between two is bridged.
                    answer.from = answer.from.min(at);
                    answer.to = answer.to.max(to);
                    let answer = answer.clone();
                    answers.retain(|other| other.name != answer.name);
                    answers.push_back(answer);
                }
                None => {
                    if answers.len() == MOST_ANSWERS {
                        answers.pop_front();
                    }
                    answers.push_back(Answer { from: at, to, name: name.as_str().into() });
                }
            }
        }
    }

    /// The name that an address had at a time: the one answered last among those valid then.
    pub(crate) fn lookup(&self, ip: IpAddr, at: Timestamp) -> Option<&str> {
        let answers = self.young.get(&ip).or_else(|| self.old.get(&ip))?;
        answers.iter().rev().find(|answer| answer.from <= at && at < answer.to).map(|answer| &*answer.name)
    }
}

/// Whether a text can be a host's name: it came from the wire and will be shown.
pub(crate) fn is_host(name: &str) -> bool {
    (1..=LONGEST_NAME).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
        && name.bytes().any(|byte| byte.is_ascii_alphabetic())
}

/// A workload of a host's name. Of a cluster's names (`orders.shop.svc.cluster.local`) the service is the
/// workload; others keep their whole name.
pub(crate) fn workload_of(name: &str, source: NameSource) -> Workload {
    let labels: Vec<&str> = name.split('.').collect();
    let some = |text: &str| Some(text.to_owned());
    match labels.as_slice() {
        [service, namespace, "svc", ..] => Workload {
            workload: (*service).to_owned(),
            namespace: some(namespace),
            service: some(service),
            kind: some("Service"),
            name_source: source,
            ..Workload::default()
        },
        // A pod of a headless service: `orders-0.orders.shop.svc.cluster.local`.
        [pod, service, namespace, "svc", ..] => Workload {
            workload: (*service).to_owned(),
            namespace: some(namespace),
            service: some(service),
            pod: some(pod),
            kind: some("Service"),
            name_source: source,
            ..Workload::default()
        },
        _ => Workload {
            workload: name.to_owned(),
            kind: some("host"),
            name_source: source,
            ..Workload::default()
        },
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn ip(last: u8) -> IpAddr {
        IpAddr::V4(Ipv4Addr::new(10, 0, 0, last))
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_parts(seconds, 0)
    }

    #[test]
    fn an_address_has_the_name_it_had_then() {
        let mut names = DnsNames::default();
        names.learn("Old.Shop.", &[ip(5)], at(100), Duration::from_secs(30));
        names.learn("new.shop", &[ip(5), ip(6)], at(1_000), Duration::from_secs(600));
        assert_eq!(names.lookup(ip(5), at(99)), None);
        assert_eq!(names.lookup(ip(5), at(399)), Some("old.shop"));
        assert_eq!(names.lookup(ip(5), at(400)), None);
        assert_eq!(names.lookup(ip(5), at(1_000)), Some("new.shop"));
        assert_eq!(names.lookup(ip(6), at(1_599)), Some("new.shop"));
        assert_eq!(names.lookup(ip(6), at(1_600)), None);
        names.learn("old.shop", &[ip(5)], at(1_100), Duration::from_secs(30));
        assert_eq!(names.lookup(ip(5), at(1_200)), Some("old.shop"));
    }

    #[test]
    fn what_cannot_be_a_host_is_not_learnt() {
        let mut names = DnsNames::default();
        for name in ["", "a b", "<script>", "10.0.0.1", "localhost", &"a".repeat(300)] {
            names.learn(name, &[ip(5)], at(0), SHORTEST);
        }
        names.learn("here", &[IpAddr::V4(Ipv4Addr::LOCALHOST)], at(0), SHORTEST);
        assert!(names.young.is_empty());
    }

    #[test]
    fn memory_is_bounded() {
        let mut names = DnsNames::default();
        for number in 0..200_000u32 {
            let address = IpAddr::V4(Ipv4Addr::from(number + (10 << 24)));
            names.learn(&format!("h{number}"), &[address, ip(5)], at(0), SHORTEST);
        }
        assert!(names.young.len() + names.old.len() <= MOST_ADDRESSES);
        assert_eq!(names.lookup(ip(5), at(1)), Some("h199999"));
        assert_eq!(names.lookup(IpAddr::V4(Ipv4Addr::from(199_998 + (10 << 24))), at(1)), Some("h199998"));
    }

    #[test]
    fn names_of_a_cluster_tell_service_and_namespace() {
        let orders = workload_of("orders.shop.svc.cluster.local", NameSource::Dns);
        assert_eq!(
            (
                orders.workload.as_str(),
                orders.namespace.as_deref(),
                orders.service.as_deref(),
                orders.pod.as_deref()
            ),
            ("orders", Some("shop"), Some("orders"), None)
        );
        let pod = workload_of("db-0.db.shop.svc.cluster.local", NameSource::Dns);
        assert_eq!((pod.workload.as_str(), pod.pod.as_deref()), ("db", Some("db-0")));
        assert_eq!(workload_of("api.example.org", NameSource::Dns).workload, "api.example.org");
        assert_eq!(workload_of("orders", NameSource::Host).workload, "orders");
    }
}
