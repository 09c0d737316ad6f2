//! The file of `--names`: who is behind which address. Two forms are read, TOML and plain lines.
//!
//! Plain lines, as in a hosts file: an address (with a port or a prefix length, if wanted), then the name, then
//! fields as `key=value`. `#` begins a comment.
//!
//! ```text
//! 10.0.0.5            orders
//! 10.0.0.5:9090       orders-admin   namespace=shop version=1.4.2
//! 10.0.7.0/24         office
//! [2001:db8::7]:443   gateway        service=gateway
//! ```
//!
//! TOML, with the same fields:
//!
//! ```toml
//! [names]
//! "10.0.0.5" = "orders"
//!
//! [[name]]
//! address = "10.0.0.5:9090"
//! workload = "orders-admin"
//! namespace = "shop"
//! version = "1.4.2"
//! ```
//!
//! Fields: `workload namespace kind pod service container process node version`. The most specific address
//! holds: one with a port before one without, then the longest prefix; of equals the last.

use std::collections::BTreeMap;
use std::net::IpAddr;

use hashbrown::HashMap;
use serde::Deserialize;
use toml::Spanned;
use wirewise_model::{Endpoint, NameSource, Workload};

/// Larger files are refused: this is a list that people write.
const LONGEST: usize = 4 << 20;

/// A file of names that does not read as one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("names file, line {line}: {problem}")]
pub struct NamesError {
    /// Which line, from 1.
    pub line: usize,
    /// What was found there, and what was expected.
    pub problem: String,
}

/// Names by address, as the user wrote them down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NamesFile {
    sockets: HashMap<Endpoint, Workload, foldhash::fast::RandomState>,
    /// Longest prefixes first.
    networks: Vec<(Network, Workload)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Network {
    ip: IpAddr,
    prefix: u8,
}

impl Network {
    fn contains(self, ip: IpAddr) -> bool {
        let (mine, theirs, bits) = match (self.ip, ip) {
            (IpAddr::V4(mine), IpAddr::V4(ip)) => (u128::from(mine.to_bits()), u128::from(ip.to_bits()), 32),
            (IpAddr::V6(mine), IpAddr::V6(ip)) => (mine.to_bits(), ip.to_bits(), 128),
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => return false,
        };
        let differ = mine ^ theirs;
        differ.checked_shr(bits - u32::from(self.prefix)).unwrap_or(0) == 0
    }
}

impl NamesFile {
    /// The name of an endpoint, if the file has one.
    pub fn lookup(&self, end: Endpoint) -> Option<&Workload> {
        let in_networks = || self.networks.iter().find(|(network, _)| network.contains(end.ip));
        self.sockets.get(&end).or_else(|| in_networks().map(|(_, workload)| workload))
    }

    /// How many entries it has.
    pub fn len(&self) -> usize {
        self.sockets.len() + self.networks.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn add(&mut self, address: &str, mut workload: Workload) -> Result<(), String> {
        workload.name_source = NameSource::File;
        match parse_address(address)? {
            Address::Socket(end) => {
                self.sockets.insert(end, workload);
            }
            Address::Network(network) => {
                self.networks.retain(|(known, _)| *known != network);
                let at = self.networks.partition_point(|(known, _)| known.prefix > network.prefix);
                self.networks.insert(at, (network, workload));
            }
        }
        Ok(())
    }
}

enum Address {
    Socket(Endpoint),
    Network(Network),
}

fn parse_address(text: &str) -> Result<Address, String> {
    let expected = || {
        format!(
            "`{text}` is no address; expected one like 10.0.0.5, 10.0.0.5:8080, 10.0.0.0/24 or [2001:db8::7]:443"
        )
    };
    if let Some((ip, prefix)) = text.split_once('/') {
        let ip: IpAddr = ip.parse().map_err(|_| expected())?;
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let prefix: u8 =
            prefix.parse().ok().filter(|prefix| *prefix <= most).ok_or_else(|| {
                format!("`/{prefix}` is no prefix length; expected a number from 0 to {most}")
            })?;
        return Ok(Address::Network(Network { ip, prefix }));
    }
    if let Ok(ip) = text.trim_matches(['[', ']']).parse::<IpAddr>() {
        return Ok(Address::Network(Network { ip, prefix: if ip.is_ipv4() { 32 } else { 128 } }));
    }
    let socket: std::net::SocketAddr = text.parse().map_err(|_| expected())?;
    Ok(Address::Socket(Endpoint::new(socket.ip(), socket.port())))
}

/// Reads a file of names in either form.
pub fn parse_names(text: &str) -> Result<NamesFile, NamesError> {
    if text.len() > LONGEST {
        let problem = format!("the file is longer than {LONGEST} bytes");
        return Err(NamesError { line: 1, problem });
    }
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if is_toml(text) { parse_toml(text) } else { parse_lines(text) }
}

/// The first line that says anything tells: `[names]`, `[[name]]` and `"10.0.0.5" = "orders"` are TOML.
fn is_toml(text: &str) -> bool {
    let first =
        text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#')).unwrap_or("");
    first.starts_with("[[") || first.starts_with("[name") || first.starts_with(['"', '\''])
}

fn parse_lines(text: &str) -> Result<NamesFile, NamesError> {
    let mut file = NamesFile::default();
    for (index, line) in text.lines().enumerate() {
        let line = line.split('#').next().unwrap_or("").trim();
        if !line.is_empty() {
            parse_line(line, &mut file).map_err(|problem| NamesError { line: index + 1, problem })?;
        }
    }
    Ok(file)
}

fn parse_line(line: &str, file: &mut NamesFile) -> Result<(), String> {
    let mut words = line.split_whitespace();
    let address = words.next().unwrap_or("");
    let mut workload = Workload::default();
    for word in words {
        match word.split_once('=') {
            Some((key, value)) => set(&mut workload, key, value)?,
            None if workload.workload.is_empty() => workload.workload = word.to_owned(),
            None => {
                return Err(format!(
                    "`{word}` is a second name; expected fields as key=value after the name"
                ));
            }
        }
    }
    if workload.workload.is_empty() {
        parse_address(address)?;
        return Err(format!("`{address}` has no name; expected an address and a name, like 10.0.0.5 orders"));
    }
    file.add(address, workload)
}

fn set(workload: &mut Workload, key: &str, value: &str) -> Result<(), String> {
    let value = value.trim_matches(['"', '\'']);
    if value.is_empty() {
        return Err(format!("`{key}` has no value"));
    }
    let field = match key {
        "workload" | "name" => {
            workload.workload = value.to_owned();
            return Ok(());
        }
        "namespace" => &mut workload.namespace,
        "kind" => &mut workload.kind,
        "pod" => &mut workload.pod,
        "service" => &mut workload.service,
        "container" => &mut workload.container,
        "process" => &mut workload.process,
        "node" => &mut workload.node,
        "version" => &mut workload.version,
        _ => {
            return Err(format!(
                "`{key}` is no field; expected one of \
                 workload namespace kind pod service container process node version"
            ));
        }
    };
    *field = Some(value.to_owned());
    Ok(())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Toml {
    #[serde(default)]
    names: BTreeMap<Spanned<String>, String>,
    #[serde(default)]
    name: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    address: Spanned<String>,
    workload: String,
    namespace: Option<String>,
    kind: Option<String>,
    pod: Option<String>,
    service: Option<String>,
    container: Option<String>,
    process: Option<String>,
    node: Option<String>,
    version: Option<String>,
}

fn parse_toml(text: &str) -> Result<NamesFile, NamesError> {
    let line_at = |at: usize| 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
    // A bare list of pairs is the table of names without its head.
    let headless = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'));
    let headless = headless.is_some_and(|line| line.starts_with(['"', '\'']));
    let whole = if headless { format!("[names]\n{text}") } else { text.to_owned() };
    let shift = if headless { "[names]\n".len() } else { 0 };
    let line_of = |at: usize| line_at(at.saturating_sub(shift));

    let toml: Toml = toml::from_str(&whole).map_err(|error| NamesError {
        line: error.span().map_or(1, |span| line_of(span.start)),
        problem: error.message().to_owned(),
    })?;
    let mut file = NamesFile::default();
    for (address, workload) in toml.names {
        let named = Workload { workload, ..Workload::default() };
        let line = line_of(address.span().start);
        add_checked(&mut file, address.get_ref(), named).map_err(|problem| NamesError { line, problem })?;
    }
    for entry in toml.name {
        let line = line_of(entry.address.span().start);
        let workload = Workload {
            namespace: entry.namespace,
            workload: entry.workload,
            kind: entry.kind,
            pod: entry.pod,
            service: entry.service,
            container: entry.container,
            process: entry.process,
            node: entry.node,
            version: entry.version,
            name_source: NameSource::File,
        };
        add_checked(&mut file, entry.address.get_ref(), workload)
            .map_err(|problem| NamesError { line, problem })?;
    }
    Ok(file)
}

fn add_checked(file: &mut NamesFile, address: &str, workload: Workload) -> Result<(), String> {
    if workload.workload.trim().is_empty() {
        return Err(format!("`{address}` has no name; expected a workload"));
    }
    file.add(address, workload)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn end(text: &str) -> Endpoint {
        let socket: std::net::SocketAddr = text.parse().unwrap();
        Endpoint::new(socket.ip(), socket.port())
    }

    fn name(file: &NamesFile, text: &str) -> Option<String> {
        file.lookup(end(text)).map(|workload| workload.workload.clone())
    }

    #[test]
    fn the_most_specific_line_holds() {
        let file = parse_names(
            "# shop\n10.0.0.0/8 office\n10.0.0.5 orders namespace=shop\n\n10.0.0.5:9090 admin # ops\n[2001:db8::7]:443 gw\n2001:db8::/32 v6",
        )
        .unwrap();
        assert_eq!(file.len(), 5);
        assert_eq!(name(&file, "10.0.0.5:9090").as_deref(), Some("admin"));
        assert_eq!(name(&file, "10.0.0.5:80").as_deref(), Some("orders"));
        assert_eq!(name(&file, "10.9.9.9:80").as_deref(), Some("office"));
        assert_eq!(name(&file, "[2001:db8::7]:443").as_deref(), Some("gw"));
        assert_eq!(name(&file, "[2001:db8::7]:80").as_deref(), Some("v6"));
        assert_eq!(name(&file, "192.0.2.1:80"), None);
        assert_eq!(file.lookup(end("10.0.0.5:80")).unwrap().namespace.as_deref(), Some("shop"));
        let all = parse_names("0.0.0.0/0 world").unwrap();
        assert_eq!(name(&all, "192.0.2.1:80").as_deref(), Some("world"));
    }

    #[test]
    fn toml_says_the_same() {
        let file = parse_names(
            "[names]\n\"10.0.0.5\" = \"orders\"\n[[name]]\naddress = \"10.0.0.6:80\"\nworkload = \"pay\"\nversion = \"2\"\n",
        )
        .unwrap();
        assert_eq!(name(&file, "10.0.0.5:1").as_deref(), Some("orders"));
        assert_eq!(file.lookup(end("10.0.0.6:80")).unwrap().version.as_deref(), Some("2"));
        let bare = parse_names("\"10.0.0.5\" = \"orders\"\n").unwrap();
        assert_eq!(name(&bare, "10.0.0.5:1").as_deref(), Some("orders"));
    }

    #[test]
    fn errors_name_the_line_and_what_was_expected() {
        let problem = |text: &str| parse_names(text).unwrap_err().to_string();
        assert_eq!(
            problem("10.0.0.5 orders\n10.0.0.300 pay"),
            "names file, line 2: `10.0.0.300` is no address; \
             expected one like 10.0.0.5, 10.0.0.5:8080, 10.0.0.0/24 or [2001:db8::7]:443"
        );
        assert_eq!(
            problem("\n10.0.0.5"),
            "names file, line 2: `10.0.0.5` has no name; expected an address and a name, like 10.0.0.5 orders"
        );
        assert_eq!(
            problem("10.0.0.0/33 x"),
            "names file, line 1: `/33` is no prefix length; expected a number from 0 to 32"
        );
        assert!(problem("10.0.0.5 x colour=red").starts_with("names file, line 1: `colour` is no field"));
        assert!(problem("10.0.0.5 x y").contains("second name"));
        assert!(problem("[names]\n\"10.0.0.5\" = 7\n").starts_with("names file, line 2: "));
        assert!(
            problem("[[name]]\naddress = \"nowhere\"\nworkload = \"x\"")
                .starts_with("names file, line 2: `nowhere`")
        );
        assert!(
            problem("\"10.0.0.5\" = \"a\"\n\"nope\" = \"b\"\n").starts_with("names file, line 2: `nope`")
        );
        assert!(
            problem("[[name]]\naddress = \"10.0.0.5\"\nworkload = \"x\"\ncolour = 1")
                .starts_with("names file, line 4: ")
        );
    }
}
