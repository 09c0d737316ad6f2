//! Which process owns a socket, from `/proc`: the tables of every network namespace that a process is in, then
//! inode -> process -> what it runs and where it belongs.
//!
//! A refresh reads one set of tables a namespace, and looks through file descriptors only while an inode is
//! new; on a quiet host it costs a few files. Sockets that closed are remembered until the memory is full, so
//! that a call that is told a second later still has its process. Equal addresses in two namespaces are kept
//! apart: where it is not known which is meant, the answer is none rather than a guess.

use std::fs;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use foldhash::fast::RandomState;
use hashbrown::HashMap;
use wirewise_model::{Endpoint, NameSource, Transport, Workload};

use crate::cgroup::{self, Belongs};
use crate::{command, sockets};

/// Sockets that are remembered. Past it those that closed longest ago are forgotten.
const MOST_SOCKETS: usize = 131_072;
/// Processes that are looked at in one refresh.
const MOST_PROCESSES: usize = 65_536;
/// Descriptors that are looked at in one refresh.
const MOST_DESCRIPTORS: usize = 1 << 20;
/// Refreshes in which an inode's owner is searched before it is taken to have none that we may see.
const MOST_SEARCHES: u8 = 3;
/// Bytes that are read of a table of sockets: 150 a line, so 400,000 sockets.
const LONGEST_TABLE: u64 = 64 << 20;
/// Bytes that are read of a process's own files.
const LONGEST_FILE: u64 = 64 << 10;

/// A process that owns sockets.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owner {
    /// Process id.
    pub pid: u32,
    /// Its name as the kernel keeps it, up to 15 bytes.
    pub process: String,
    /// Script or jar that it runs.
    pub script: Option<String>,
    /// systemd unit, unless it is the one that we run in ourselves.
    pub unit: Option<String>,
    /// Container id, 64 hexadecimal digits.
    pub container: Option<String>,
    /// What the container calls itself: its host name, where that is not its id.
    pub container_name: Option<String>,
    /// Uid of its pod.
    pub pod_uid: Option<String>,
}

impl Owner {
    /// The strongest name that the process alone can give.
    pub fn workload(&self) -> Workload {
        let container = self.container.as_deref().map(|id| id.get(..12).unwrap_or(id).to_owned());
        let (workload, kind, name_source) = match (&self.container_name, &self.unit, &self.script) {
            (Some(name), _, _) => (name.clone(), "container", NameSource::Container),
            (None, Some(unit), _) => (unit.clone(), "unit", NameSource::Unit),
            (None, None, Some(script)) => (script.clone(), "process", NameSource::Script),
            (None, None, None) => (self.process.clone(), "process", NameSource::Process),
        };
        let is_pod = self.pod_uid.is_some();
        Workload {
            workload,
            kind: Some(kind.to_owned()),
            pod: self.container_name.clone().filter(|_| is_pod),
            container,
            process: Some(self.process.clone()),
            name_source,
            ..Workload::default()
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Key {
    namespace: u64,
    transport: Transport,
    end: Endpoint,
}

#[derive(Clone, Debug)]
struct Known {
    inode: u64,
    owner: Arc<Owner>,
    /// The refresh that saw it last.
    seen: u64,
    listens: bool,
}

#[derive(Debug, Default)]
struct Namespace {
    addresses: Vec<IpAddr>,
}

/// Follows the sockets of a host.
#[derive(Debug)]
pub struct ProcessWatcher {
    root: PathBuf,
    generation: u64,
    sockets: HashMap<Key, Known, RandomState>,
    namespaces: HashMap<u64, Namespace, RandomState>,
    /// Inodes whose owner was searched in vain, and how often.
    unowned: HashMap<u64, u8, RandomState>,
    /// Our own namespace, which `127.0.0.1` means where nothing else is said.
    home: Option<u64>,
    /// Where we run ourselves: a unit or container that holds us and all our neighbours names nobody.
    own: Belongs,
}

impl ProcessWatcher {
    /// Over a process file system: `/proc`, or a tree that looks like it. Reads nothing yet.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        let own = read(&root.join("self/cgroup"), LONGEST_FILE)
            .map(|text| cgroup::parse(&text))
            .unwrap_or_default();
        let home = namespace_of(&root.join("self"));
        Self {
            root,
            generation: 0,
            sockets: HashMap::default(),
            namespaces: HashMap::default(),
            unowned: HashMap::default(),
            home,
            own,
        }
    }

    /// Says which namespace (inode of `/proc/<pid>/ns/net`) is meant where an address is in several.
    pub fn set_home(&mut self, namespace: Option<u64>) {
        self.home = namespace;
    }

    /// Reads the tables anew. Fails only where the process file system itself cannot be listed; processes that
    /// end meanwhile or may not be read are passed over.
    pub fn refresh(&mut self) -> io::Result<()> {
        self.generation += 1;
        let processes = self.processes()?;
        let mut namespaces: HashMap<u64, Vec<u32>, RandomState> = HashMap::default();
        for &pid in &processes {
            if let Some(namespace) = namespace_of(&self.root.join(pid.to_string())) {
                namespaces.entry(namespace).or_default().push(pid);
            }
        }
        self.namespaces.retain(|namespace, _| namespaces.contains_key(namespace));
        let mut wanted: HashMap<u64, Vec<(Key, bool)>, RandomState> = HashMap::default();
        for (&namespace, pids) in &namespaces {
            self.read_namespace(namespace, pids, &mut wanted);
        }
        self.search(&processes, wanted);
        self.forget();
        Ok(())
    }

    /// How many sockets are known.
    pub fn len(&self) -> usize {
        self.sockets.len()
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.sockets.is_empty()
    }

    /// Who owns the socket at `end`, in whichever namespace has it; none where several do and differ.
    pub fn lookup(&self, end: Endpoint, transport: Transport) -> Option<&Owner> {
        let home = self.home.and_then(|home| self.lookup_in(home, end, transport));
        if home.is_some() {
            return home;
        }
        let mut found: Option<&Owner> = None;
        for &namespace in self.namespaces.keys() {
            let Some(owner) = self.lookup_in(namespace, end, transport) else { continue };
            match found {
                Some(other) if other != owner => return None,
                _ => found = Some(owner),
            }
        }
        found
    }

    /// Who owns the socket at `end` of one namespace: the socket bound to the address, else the one that
    /// listens on that port of every address, if the address is the namespace's own.
    pub fn lookup_in(&self, namespace: u64, end: Endpoint, transport: Transport) -> Option<&Owner> {
        let key = |end| Key { namespace, transport, end };
        if let Some(known) = self.sockets.get(&key(end)) {
            return Some(&known.owner);
        }
        let own = end.ip.is_loopback() || self.namespaces.get(&namespace)?.addresses.contains(&end.ip);
        if !own {
            return None;
        }
        let any: [IpAddr; 2] =
            [std::net::Ipv4Addr::UNSPECIFIED.into(), std::net::Ipv6Addr::UNSPECIFIED.into()];
        let same_family = |ip: &IpAddr| ip.is_ipv6() || end.ip.is_ipv4();
        any.iter()
            .filter(|ip| same_family(ip))
            .find_map(|&ip| self.sockets.get(&key(Endpoint::new(ip, end.port))))
            .filter(|known| known.listens)
            .map(|known| &*known.owner)
    }

    fn processes(&self) -> io::Result<Vec<u32>> {
        let mut processes = Vec::new();
        for entry in fs::read_dir(&self.root)? {
            let Ok(entry) = entry else { continue };
            if let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) {
                processes.push(pid);
                if processes.len() == MOST_PROCESSES {
                    break;
                }
            }
        }
        // The lowest of those that share a socket is usually the one that opened it.
        processes.sort_unstable();
        Ok(processes)
    }

    fn read_namespace(
        &mut self,
        namespace: u64,
        pids: &[u32],
        wanted: &mut HashMap<u64, Vec<(Key, bool)>, RandomState>,
    ) {
        // Any process of the namespace shows its tables; the first that still lives does.
        let Some((net, tcp)) = pids.iter().find_map(|pid| {
            let net = self.root.join(pid.to_string()).join("net");
            read(&net.join("tcp"), LONGEST_TABLE).map(|tcp| (net, tcp))
        }) else {
            return;
        };
        let mut addresses = read(&net.join("fib_trie"), LONGEST_TABLE)
            .map(|trie| sockets::local_v4(&trie))
            .unwrap_or_default();
        addresses.extend(
            read(&net.join("if_inet6"), LONGEST_FILE).iter().flat_map(|text| sockets::local_v6(text)),
        );
        self.namespaces.insert(namespace, Namespace { addresses });
        let file = |name: &str| read(&net.join(name), LONGEST_TABLE).unwrap_or_default();
        let tables = [
            (Transport::Tcp, tcp),
            (Transport::Tcp, file("tcp6")),
            (Transport::Udp, file("udp")),
            (Transport::Udp, file("udp6")),
        ];
        for (transport, table) in &tables {
            for socket in sockets::parse(table) {
                let key = Key { namespace, transport: *transport, end: socket.local };
                // Accepted connections have their listener's address and port: who listens stands for all,
                // also after it stopped. The kernel lists listeners first.
                match self.sockets.get_mut(&key) {
                    Some(known) if known.inode == socket.inode => known.seen = self.generation,
                    Some(known) if known.seen == self.generation || (known.listens && !socket.listens) => {}
                    Some(_) | None => wanted.entry(socket.inode).or_default().push((key, socket.listens)),
                }
            }
        }
    }

    /// Finds the owners of new inodes.
    fn search(&mut self, processes: &[u32], mut wanted: HashMap<u64, Vec<(Key, bool)>, RandomState>) {
        self.unowned.retain(|inode, _| wanted.contains_key(inode));
        wanted.retain(|inode, _| self.unowned.get(inode).is_none_or(|searches| *searches < MOST_SEARCHES));
        let mut descriptors = 0;
        let mut owners: HashMap<u32, Arc<Owner>, RandomState> = HashMap::default();
        for &pid in processes {
            if wanted.is_empty() || descriptors >= MOST_DESCRIPTORS {
                break;
            }
            let process = self.root.join(pid.to_string());
            let Ok(entries) = fs::read_dir(process.join("fd")) else { continue };
            for entry in entries.flatten() {
                descriptors += 1;
                let Ok(link) = fs::read_link(entry.path()) else { continue };
                let inode = link.to_str().and_then(|link| sockets::inode_of_link(link, "socket"));
                let Some(keys) = inode.and_then(|inode| wanted.remove(&inode)) else { continue };
                let owner = owners.entry(pid).or_insert_with(|| Arc::new(self.owner(pid, &process))).clone();
                let inode = inode.unwrap_or_default();
                for (key, listens) in keys {
                    let known = Known { inode, owner: owner.clone(), seen: self.generation, listens };
                    match self.sockets.get(&key) {
                        Some(other) if other.listens && other.seen == self.generation => {}
                        _ => {
                            self.sockets.insert(key, known);
                        }
                    }
                }
            }
        }
        for inode in wanted.into_keys() {
            *self.unowned.entry(inode).or_insert(0) += 1;
        }
    }

    fn owner(&self, pid: u32, process: &Path) -> Owner {
        let text = |name: &str| read(&process.join(name), LONGEST_FILE);
        let belongs = text("cgroup").map(|text| cgroup::parse(&text)).unwrap_or_default();
        let shared = belongs.container.is_some() && belongs.container == self.own.container;
        let container = belongs.container.filter(|_| !shared);
        let container_name = container.as_deref().and_then(|id| {
            let name = command::clean(&text("root/etc/hostname")?)?;
            (!id.starts_with(&name) && name != "localhost").then_some(name)
        });
        let cmdline = read_bytes(&process.join("cmdline"), LONGEST_FILE).unwrap_or_default();
        Owner {
            pid,
            process: text("comm").as_deref().and_then(command::clean).unwrap_or_else(|| format!("pid {pid}")),
            script: command::script(&cmdline),
            unit: belongs.unit.filter(|unit| self.own.unit.as_ref() != Some(unit)),
            container,
            container_name,
            pod_uid: belongs.pod_uid,
        }
    }

    /// Keeps the memory within its bound: what closed longest ago goes first.
    fn forget(&mut self) {
        let (most, generation) = (MOST_SOCKETS, self.generation);
        if self.sockets.len() <= most {
            return;
        }
        let mut seen: Vec<u64> = self.sockets.values().map(|known| known.seen).collect();
        let excess = seen.len() - most;
        let (_, &mut oldest, _) = seen.select_nth_unstable(excess);
        self.sockets.retain(|_, known| known.seen > oldest || known.seen == generation);
        if self.sockets.len() > most {
            // More open sockets than we may remember: those of the least ports, which servers have, stay.
            let mut ports: Vec<u16> = self.sockets.keys().map(|key| key.end.port).collect();
            let (_, &mut highest, _) = ports.select_nth_unstable(most);
            self.sockets.retain(|key, _| key.end.port < highest);
        }
    }
}

fn namespace_of(process: &Path) -> Option<u64> {
    let link = fs::read_link(process.join("ns/net")).ok()?;
    sockets::inode_of_link(link.to_str()?, "net")
}

fn read_bytes(path: &Path, most: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    fs::File::open(path).ok()?.take(most).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn read(path: &Path, most: u64) -> Option<String> {
    read_bytes(path, most).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
#[cfg(target_endian = "little")]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A made-up `/proc`.
    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            tree.process("self", 1, "wirewise", "wirewise", "0::/system.slice/runner.service", &[]);
            tree
        }

        fn write(&self, path: &str, text: &str) {
            let path = self.0.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }

        fn process(
            &self,
            pid: &str,
            namespace: u64,
            comm: &str,
            cmdline: &str,
            cgroup: &str,
            inodes: &[u64],
        ) {
            self.write(&format!("{pid}/comm"), &format!("{comm}\n"));
            self.write(&format!("{pid}/cmdline"), &cmdline.replace(' ', "\0"));
            self.write(&format!("{pid}/cgroup"), &format!("{cgroup}\n"));
            let at = self.0.path().join(pid);
            fs::create_dir_all(at.join("ns")).unwrap();
            fs::create_dir_all(at.join("fd")).unwrap();
            symlink(format!("net:[{namespace}]"), at.join("ns/net")).unwrap();
            for (number, inode) in inodes.iter().enumerate() {
                symlink(format!("socket:[{inode}]"), at.join(format!("fd/{number}"))).unwrap();
            }
        }

        fn tables(&self, pid: &str, own: &str, tcp: &[(&str, &str, u64)]) {
            let mut table = "head\n".to_owned();
            for (local, state, inode) in tcp {
                table.push_str(&format!("0: {local} 00000000:0000 {state} 0:0 0:0 0 0 0 {inode} 1\n"));
            }
            self.write(&format!("{pid}/net/tcp"), &table);
            self.write(&format!("{pid}/net/fib_trie"), &format!("|-- {own}\n /32 host LOCAL\n"));
        }

        fn watcher(&self) -> ProcessWatcher {
            let mut watcher = ProcessWatcher::new(self.0.path());
            watcher.refresh().unwrap();
            watcher
        }
    }

    fn end(text: &str) -> Endpoint {
        let socket: std::net::SocketAddr = text.parse().unwrap();
        Endpoint::new(socket.ip(), socket.port())
    }

    fn name(watcher: &ProcessWatcher, text: &str) -> Option<String> {
        watcher.lookup(end(text), Transport::Tcp).map(|owner| owner.workload().workload)
    }

    #[test]
    fn sockets_are_found_in_every_namespace() {
        let tree = Tree::new();
        tree.process("10", 1, "python3", "python3 orders.py", "0::/user.slice/x.scope", &[5, 100]);
        tree.tables("10", "10.0.0.5", &[("00000000:1F90", "0A", 100), ("0500000A:C350", "01", 101)]);
        tree.process("11", 1, "curl", "curl x", "0::/", &[101]);
        tree.process("20", 2, "nginx", "nginx: master", "0::/system.slice/nginx.service", &[200]);
        tree.tables("20", "10.0.0.6", &[("00000000:1F90", "0A", 200)]);
        let watcher = tree.watcher();
        assert_eq!(name(&watcher, "10.0.0.5:8080").as_deref(), Some("orders"));
        assert_eq!(name(&watcher, "10.0.0.6:8080").as_deref(), Some("nginx"));
        assert_eq!(name(&watcher, "10.0.0.5:50000").as_deref(), Some("curl"));
        // A listener on every address is not one on everybody's.
        assert_eq!(name(&watcher, "192.0.2.1:8080"), None);
        // Loopback means our own namespace.
        assert_eq!(name(&watcher, "127.0.0.1:8080").as_deref(), Some("orders"));
        let other = watcher.lookup_in(2, end("127.0.0.1:8080"), Transport::Tcp).unwrap();
        assert_eq!((other.process.as_str(), other.unit.as_deref()), ("nginx", Some("nginx")));
        assert_eq!(watcher.lookup(end("10.0.0.5:8080"), Transport::Udp), None);
    }

    #[test]
    fn an_address_in_two_other_namespaces_is_nobodys() {
        let tree = Tree::new();
        for (pid, namespace) in [("10", 7), ("20", 8)] {
            tree.process(pid, namespace, &format!("p{pid}"), "x", "0::/", &[namespace * 100]);
            tree.tables(pid, "10.0.0.5", &[("00000000:1F90", "0A", namespace * 100)]);
        }
        let mut watcher = tree.watcher();
        assert_eq!(name(&watcher, "127.0.0.1:8080"), None);
        watcher.set_home(Some(8));
        assert_eq!(name(&watcher, "127.0.0.1:8080").as_deref(), Some("p20"));
    }

    #[test]
    fn the_unit_that_we_run_in_ourselves_names_nobody() {
        let tree = Tree::new();
        tree.process("10", 1, "node", "node gateway.js", "0::/system.slice/runner.service", &[100]);
        tree.tables("10", "10.0.0.5", &[("0500000A:1F90", "0A", 100)]);
        assert_eq!(name(&tree.watcher(), "10.0.0.5:8080").as_deref(), Some("gateway"));
    }

    #[test]
    fn containers_go_by_the_name_that_they_give_themselves() {
        let id = "4f2a9c1d0e114f2a9c1d0e114f2a9c1d0e114f2a9c1d0e114f2a9c1d0e11abcd";
        let tree = Tree::new();
        for pid in ["10", "11"] {
            let inode = pid.parse().unwrap();
            tree.process(pid, 2, "java", "java -jar pay-1.0.jar", &format!("0::/docker/{id}"), &[inode]);
        }
        tree.tables("10", "10.0.0.5", &[("0500000A:1F90", "0A", 10), ("0500000A:1F91", "0A", 11)]);
        tree.write("10/root/etc/hostname", "payments-1\n");
        tree.write("11/root/etc/hostname", "4f2a9c1d0e11\n");
        let watcher = tree.watcher();
        let named = watcher.lookup(end("10.0.0.5:8080"), Transport::Tcp).unwrap().workload();
        assert_eq!((named.workload.as_str(), named.name_source), ("payments-1", NameSource::Container));
        assert_eq!(
            (named.container.as_deref(), named.process.as_deref()),
            (Some("4f2a9c1d0e11"), Some("java"))
        );
        let unnamed = watcher.lookup(end("10.0.0.5:8081"), Transport::Tcp).unwrap().workload();
        assert_eq!((unnamed.workload.as_str(), unnamed.name_source), ("pay", NameSource::Script));
    }

    #[test]
    fn closed_sockets_are_remembered_until_their_port_is_anothers() {
        let tree = Tree::new();
        tree.process("10", 1, "first", "first", "0::/", &[100]);
        tree.process("11", 1, "second", "second", "0::/", &[101]);
        tree.tables("10", "10.0.0.5", &[("0500000A:C350", "01", 100)]);
        let mut watcher = tree.watcher();
        tree.tables("10", "10.0.0.5", &[]);
        watcher.refresh().unwrap();
        assert_eq!(name(&watcher, "10.0.0.5:50000").as_deref(), Some("first"));
        tree.tables("10", "10.0.0.5", &[("0500000A:C350", "01", 101)]);
        watcher.refresh().unwrap();
        assert_eq!(name(&watcher, "10.0.0.5:50000").as_deref(), Some("second"));
        assert_eq!(watcher.len(), 1);
    }

    #[test]
    fn accepted_connections_belong_to_who_listens() {
        let tree = Tree::new();
        tree.process("10", 1, "master", "master", "0::/", &[100]);
        tree.process("11", 1, "worker", "worker", "0::/", &[100, 101]);
        tree.tables("10", "10.0.0.5", &[("0500000A:1F90", "0A", 100), ("0500000A:1F90", "01", 101)]);
        let mut watcher = tree.watcher();
        assert_eq!(name(&watcher, "10.0.0.5:8080").as_deref(), Some("master"));
        watcher.refresh().unwrap();
        assert_eq!(name(&watcher, "10.0.0.5:8080").as_deref(), Some("master"));
    }

    #[test]
    fn the_real_process_file_system_shows_our_own_listener() {
        let root = Path::new("/proc");
        if !root.join("self/net/tcp").exists() {
            assert_ne!(std::env::var("WIREWISE_REQUIRE").as_deref(), Ok("all"), "no /proc");
            eprintln!("SKIPPED(proc): this host has no /proc/self/net/tcp");
            return;
        }
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let mut watcher = ProcessWatcher::new(root);
        watcher.refresh().unwrap();
        let owner = watcher.lookup(Endpoint::new(address.ip(), address.port()), Transport::Tcp);
        assert_eq!(owner.map(|owner| owner.pid), Some(std::process::id()));
    }
}
