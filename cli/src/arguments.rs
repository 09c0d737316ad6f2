//! What may be typed.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

/// Ask questions of network traffic, and get answers that carry their evidence.
#[derive(Debug, Parser)]
#[command(name = "wirewise", version, max_term_width = 100)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) common: Common,
    /// Says more on standard error; twice for one flow's story. WIREWISE_LOG gives a filter of its own.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub(crate) verbose: u8,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct Common {
    /// Configuration file [default: wirewise/config.toml in the XDG configuration directory].
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Data directory [default: $WIREWISE_DATA, else wirewise in the XDG data directory].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// How results are printed.
    #[arg(short = 'o', long, global = true, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
    /// The data set to read [default: `live`, else the only one].
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) dataset: Option<String>,
    /// A running assistant to ask; its token comes from $WIREWISE_TOKEN, else from the data directory.
    #[arg(long, global = true, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Prints the configuration that would be used, secrets masked, and ends.
    #[arg(long, global = true)]
    pub(crate) print_config: bool,
}

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// One JSON document.
    Json,
    /// One JSON object a line.
    Jsonl,
    /// Comma-separated, with a header line.
    Csv,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Captures live, and serves API, MCP and page in the same process.
    Up(Up),
    /// Dissects capture files into a data set, and prints the ledger.
    Import(Import),
    /// Lists or follows calls, as one would with a log.
    Calls(Calls),
    /// Shows a call or flow by (a unique prefix of) its id; --pcap writes its packets.
    Show(Show),
    /// Runs read-only SQL over calls, payloads, flows and losses.
    Query(Query),
    /// Answers a question, with citations and what could not be seen.
    Ask(Ask),
    /// Speaks MCP over standard input and output, for an IDE.
    Mcp,
    /// Says what this machine allows, the limits in force, the model in use, and what each missing thing costs.
    Doctor,
    /// Runs a small shop of real services with a fault in it, asks about it, and leaves it running.
    Demo(Demo),
}

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Interface to hear; may be given several times [default: all].
    #[arg(short, long = "interface", value_name = "IF")]
    pub(crate) interfaces: Vec<String>,
    /// Kernel filter, as in `tcp port 80 and host 10.0.0.1`.
    #[arg(long, value_name = "BPF")]
    pub(crate) filter: Option<String>,
    /// Network namespace to hear in, by name, path or pid; may be given several times [default: this one].
    #[arg(long, value_name = "NETNS")]
    pub(crate) netns: Vec<String>,
    /// Names of addresses (see the manual's `names`).
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
    /// Where API, MCP and page listen [default: 127.0.0.1:8470].
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// TLS certificate chain, PEM; needed to listen beyond loopback.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// Its private key, PEM.
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
    /// Serves what is stored, and captures nothing.
    #[arg(long, conflicts_with_all = ["interfaces", "filter", "netns"])]
    pub(crate) no_capture: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    /// Capture files: pcap or pcapng, gzipped or not.
    #[arg(required = true, value_name = "FILE")]
    pub(crate) files: Vec<PathBuf>,
    /// Names of addresses.
    #[arg(long, value_name = "FILE")]
    pub(crate) names: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Calls {
    /// Reads this capture file instead of the data directory, and keeps nothing.
    #[arg(short = 'r', long = "read", value_name = "FILE")]
    pub(crate) read: Option<PathBuf>,
    /// How far back from the data set's now: 90s, 10m, 2h, 1d.
    #[arg(long, value_name = "SPAN")]
    pub(crate) since: Option<String>,
    /// Only calls from or to this service.
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// Only this protocol; `http` is both versions.
    #[arg(long, value_name = "NAME")]
    pub(crate) protocol: Option<String>,
    /// Only calls that failed.
    #[arg(long)]
    pub(crate) failed: bool,
    /// At most so many, the latest.
    #[arg(short = 'n', long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(crate) limit: u32,
    /// Goes on with calls as they end.
    #[arg(short, long)]
    pub(crate) follow: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Show {
    /// The id of a call or flow, or a prefix of it that no other has.
    pub(crate) id: String,
    /// Writes its packets to this file, as pcapng.
    #[arg(long, value_name = "OUT")]
    pub(crate) pcap: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Query {
    /// One SELECT; `-` reads it from standard input.
    pub(crate) sql: String,
}

#[derive(Debug, Args)]
pub(crate) struct Ask {
    /// Reads this capture file instead of the data directory, and keeps nothing.
    #[arg(short = 'r', long = "read", value_name = "FILE")]
    pub(crate) read: Option<PathBuf>,
    /// The question, quoted or not.
    #[arg(required = true, value_name = "QUESTION")]
    pub(crate) question: Vec<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// The fault to play: one is picked where none is named.
    #[arg(long, value_enum)]
    pub(crate) fault: Option<Fault>,
    /// Ends after the questions instead of leaving it running.
    #[arg(long)]
    pub(crate) once: bool,
    /// Replays the capture that the project ships, even where live capture is possible.
    #[arg(long)]
    pub(crate) replay: bool,
    /// Seconds of steady load before the fault.
    #[arg(long, default_value_t = 20, hide = true)]
    pub(crate) before: u64,
    /// Seconds of load with the fault.
    #[arg(long, default_value_t = 25, hide = true)]
    pub(crate) during: u64,
    /// Plays one part of the shop; the demo starts these itself.
    #[arg(long, hide = true, num_args = 1..)]
    pub(crate) part: Vec<String>,
}

/// What goes wrong in the demo's shop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Fault {
    /// Inventory answers slowly.
    Slow,
    /// One version of payments answers 500.
    Errors,
    /// A service asks for a name that does not exist.
    Nxdomain,
}

/// Something was typed that makes no sense; exit code 2.
#[derive(Debug)]
pub(crate) struct WrongUsage(pub(crate) String);

impl fmt::Display for WrongUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for WrongUsage {}

/// A span such as `10m`: a whole number and one of s, m, h, d. In SQL's words.
pub(crate) fn sql_interval(span: &str) -> Result<String, WrongUsage> {
    let wrong = || WrongUsage(format!("`{span}` is no span of time: a number and s, m, h or d, as in 10m"));
    let unit = match span.chars().last() {
        Some('s') => "seconds",
        Some('m') => "minutes",
        Some('h') => "hours",
        Some('d') => "days",
        _ => return Err(wrong()),
    };
    let number: u32 = span[..span.len() - 1].parse().map_err(|_| wrong())?;
    Ok(format!("INTERVAL '{number} {unit}'"))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn spans_are_a_number_and_a_unit() {
        assert_eq!(sql_interval("10m").expect("a span"), "INTERVAL '10 minutes'");
        for wrong in ["", "m", "10", "-3s", "1.5h", "10 m", "é", "10é", "9999999999d"] {
            assert!(sql_interval(wrong).is_err(), "{wrong}");
        }
    }
}
