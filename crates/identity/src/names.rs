//! Every source of names together: asked strongest first, each fills what stronger ones left open.

use std::net::IpAddr;
use std::time::Duration;

use hashbrown::HashMap;
use wirewise_model::{Endpoint, Limits, NameSource, Timestamp, Transport, Workload};

use crate::dns::{self, DnsNames};
use crate::file::NamesFile;
use crate::watcher::ProcessWatcher;

/// Names of a capture file that are kept. Past it further ones are dropped.
const MOST_CAPTURE_NAMES: usize = 65_536;

/// Which end of a call is asked about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Who asked.
    Client,
    /// Who answered: the only one that Host or SNI speak about.
    Server,
}

/// Who is behind an address.
#[derive(Debug, Default)]
pub struct Names {
    file: NamesFile,
    capture: HashMap<IpAddr, String, foldhash::fast::RandomState>,
    dns: DnsNames,
    processes: Option<ProcessWatcher>,
}

impl Names {
    /// Of a file of the user's, if there is one. Nothing else is known yet.
    pub fn new(file: Option<NamesFile>, _limits: &Limits) -> Self {
        Self { file: file.unwrap_or_default(), ..Self::default() }
    }

    /// The same, with the processes of this host, which live capture asks too.
    pub fn with_processes(mut self, watcher: ProcessWatcher) -> Self {
        self.processes = Some(watcher);
        self
    }

    /// The processes, to refresh them.
    pub fn processes_mut(&mut self) -> Option<&mut ProcessWatcher> {
        self.processes.as_mut()
    }

    /// A DNS answer was seen: `name`, which was asked for, has these addresses (at the end of any CNAMEs).
    pub fn learn_dns(&mut self, name: &str, addresses: &[IpAddr], at: Timestamp, ttl: Duration) {
        self.dns.learn(name, addresses, at, ttl);
    }

    /// The capture file names an address (name resolution block of pcapng).
    pub fn learn_capture_name(&mut self, ip: IpAddr, name: &str) {
        let name = name.trim_end_matches('.');
        if dns::is_host(name) && (self.capture.len() < MOST_CAPTURE_NAMES || self.capture.contains_key(&ip)) {
            self.capture.insert(ip, name.to_owned());
        }
    }

    /// Who `end` is at time `at`. `host` is what clients called it (Host, `:authority`, SNI), where known.
    pub fn lookup(
        &self,
        end: Endpoint,
        transport: Transport,
        at: Timestamp,
        role: Role,
        host: Option<&str>,
    ) -> Workload {
        let end = Endpoint::new(end.ip.to_canonical(), end.port);
        let mut answer = Workload::default();
        if let Some(named) = self.file.lookup(end) {
            fill(&mut answer, named.clone());
        }
        if let Some(name) = self.capture.get(&end.ip) {
            fill(&mut answer, dns::workload_of(name, NameSource::Capture));
        }
        let mut candidates: [Option<Workload>; 3] = [
            self.processes
                .as_ref()
                .and_then(|watcher| watcher.lookup(end, transport))
                .map(|owner| owner.workload()),
            self.dns.lookup(end.ip, at).map(|name| dns::workload_of(name, NameSource::Dns)),
            match role {
                Role::Server => {
                    host.and_then(host_name).map(|name| dns::workload_of(&name, NameSource::Host))
                }
                Role::Client => None,
            },
        ];
        // A process may be known by its container, which is stronger than DNS, or by its name, which is weaker.
        candidates.sort_by_key(|candidate| {
            std::cmp::Reverse(
                candidate.as_ref().map_or(NameSource::Address, |candidate| candidate.name_source),
            )
        });
        for candidate in candidates.into_iter().flatten() {
            fill(&mut answer, candidate);
        }
        if answer.workload.is_empty() {
            answer.workload = end.ip.to_string();
            answer.name_source = NameSource::Address;
        }
        answer
    }
}

/// Adds what a weaker source knows. Names of where it is are taken together or not at all: the namespace of
/// one workload says nothing of another.
fn fill(answer: &mut Workload, weaker: Workload) {
    if answer.workload.is_empty() {
        *answer = weaker;
        return;
    }
    let same = answer.workload == weaker.workload || answer.service.as_ref() == Some(&weaker.workload);
    if same {
        fill_field(&mut answer.namespace, weaker.namespace);
        fill_field(&mut answer.kind, weaker.kind);
        fill_field(&mut answer.version, weaker.version);
        fill_field(&mut answer.pod, weaker.pod.clone());
    }
    fill_field(&mut answer.service, weaker.service);
    fill_field(&mut answer.pod, weaker.pod.filter(|_| weaker.container.is_some()));
    fill_field(&mut answer.container, weaker.container);
    fill_field(&mut answer.process, weaker.process);
    fill_field(&mut answer.node, weaker.node);
}

fn fill_field(field: &mut Option<String>, weaker: Option<String>) {
    if field.is_none() {
        *field = weaker;
    }
}

/// The name of a Host header or SNI, without port. Addresses and what cannot be a name are none.
fn host_name(host: &str) -> Option<String> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    let name = name.trim_end_matches('.');
    let is_address = name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok();
    (!is_address && dns::is_host(name) && !name.eq_ignore_ascii_case("localhost"))
        .then(|| name.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse_names;

    const AT: Timestamp = Timestamp::from_nanos(0);
    const TTL: Duration = Duration::from_secs(60);

    fn end(text: &str) -> Endpoint {
        let socket: std::net::SocketAddr = text.parse().unwrap();
        Endpoint::new(socket.ip(), socket.port())
    }

    fn server(names: &Names, host: Option<&str>) -> (String, NameSource) {
        let found = names.lookup(end("10.0.0.5:80"), Transport::Tcp, AT, Role::Server, host);
        (found.workload, found.name_source)
    }

    #[test]
    fn stronger_sources_win_whatever_came_first() {
        let limits = Limits::default();
        let mut names = Names::new(None, &limits);
        let own = |name: &str, source| (name.to_owned(), source);
        assert_eq!(server(&names, None), own("10.0.0.5", NameSource::Address));
        assert_eq!(server(&names, Some("Orders:8080")), own("orders", NameSource::Host));
        assert_eq!(server(&names, Some("10.0.0.5:80")), own("10.0.0.5", NameSource::Address));
        names.learn_capture_name(end("10.0.0.5:0").ip, "captured");
        names.learn_dns("answered", &[end("10.0.0.5:0").ip], AT, TTL);
        assert_eq!(server(&names, Some("orders")), own("captured", NameSource::Capture));
        let file = parse_names("10.0.0.5 written").unwrap();
        let mut filed = Names::new(Some(file), &limits);
        filed.learn_dns("answered", &[end("10.0.0.5:0").ip], AT, TTL);
        assert_eq!(server(&filed, Some("orders")), own("written", NameSource::File));
        let mut dns = Names::new(None, &limits);
        dns.learn_dns("answered", &[end("10.0.0.5:0").ip], AT, TTL);
        assert_eq!(server(&dns, Some("orders")), own("answered", NameSource::Dns));
    }

    #[test]
    fn clients_are_not_named_by_what_they_ask_for() {
        let names = Names::new(None, &Limits::default());
        let client = names.lookup(end("10.0.0.9:40000"), Transport::Tcp, AT, Role::Client, Some("orders"));
        assert_eq!(client, Workload::address(end("10.0.0.9:0").ip));
    }

    #[test]
    fn weaker_sources_fill_what_stronger_left_open() {
        let file = parse_names("10.0.0.5 orders version=2").unwrap();
        let mut names = Names::new(Some(file), &Limits::default());
        let ip = end("10.0.0.5:0").ip;
        names.learn_dns("orders.shop.svc.cluster.local", &[ip], AT, TTL);
        let found = names.lookup(end("10.0.0.5:80"), Transport::Tcp, AT, Role::Server, None);
        assert_eq!(
            (
                found.workload.as_str(),
                found.namespace.as_deref(),
                found.service.as_deref(),
                found.version.as_deref()
            ),
            ("orders", Some("shop"), Some("orders"), Some("2"))
        );
        names.learn_dns("other.place.svc.cluster.local", &[ip], AT, TTL);
        let found = names.lookup(end("10.0.0.5:80"), Transport::Tcp, AT, Role::Server, None);
        assert_eq!((found.workload.as_str(), found.namespace), ("orders", None));
    }

    #[test]
    fn mapped_addresses_are_the_plain_ones() {
        let file = parse_names("10.0.0.5 orders").unwrap();
        let names = Names::new(Some(file), &Limits::default());
        let found = names.lookup(end("[::ffff:10.0.0.5]:80"), Transport::Tcp, AT, Role::Server, None);
        assert_eq!(found.workload, "orders");
    }
}
