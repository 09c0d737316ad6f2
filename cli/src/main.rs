//! `wirewise`: the one binary. Each command reads as what it does; what a command needs lies in the libraries.

mod arguments;
mod commands;
mod config;
mod output;
mod reach;

use std::io::IsTerminal;
use std::process::ExitCode;

use clap::Parser;
use clap::error::ErrorKind;

use arguments::{Arguments, Command};

/// A call is some forty small texts, made on one thread and dropped on another: the system's allocator takes a fifth of
/// an import's CPU for them.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Done.
const DONE: u8 = 0;
/// It could not be done.
const FAILED: u8 = 1;
/// It was asked wrongly.
const WRONG_USAGE: u8 = 2;

fn main() -> ExitCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            let told = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
            // Help goes to a pager or a pipe that may be closed: nothing is lost then.
            let _ = error.print();
            return ExitCode::from(if told { DONE } else { WRONG_USAGE });
        }
    };
    logs(arguments.verbose);
    wirewise_assistant::choose_cryptography();
    match run(arguments) {
        Ok(()) => ExitCode::from(DONE),
        Err(error) if output::is_closed_pipe(&error) => ExitCode::from(DONE),
        Err(error) => {
            // Names of files and values are somebody else's text, too.
            eprintln!("wirewise: {}", output::printable(&format!("{error:#}")));
            let wrong = error.downcast_ref::<arguments::WrongUsage>().is_some();
            ExitCode::from(if wrong { WRONG_USAGE } else { FAILED })
        }
    }
}

fn run(arguments: Arguments) -> anyhow::Result<()> {
    let config = config::Config::resolve(&arguments.common)?;
    if arguments.common.print_config {
        return output::say(config.printed().trim_end());
    }
    match arguments.command {
        Some(Command::Up(up)) => commands::up::run(&config, up),
        Some(Command::Import(import)) => commands::import::run(&config, import),
        Some(Command::Calls(calls)) => commands::calls::run(&config, calls),
        Some(Command::Show(show)) => commands::show::run(&config, show),
        Some(Command::Query(query)) => commands::query::run(&config, query),
        Some(Command::Ask(ask)) => commands::ask::run(&config, ask),
        Some(Command::Mcp) => commands::mcp::run(&config),
        Some(Command::Doctor) => commands::doctor::run(&config),
        Some(Command::Demo(demo)) => commands::demo::run(&config, demo),
        None => Err(arguments::WrongUsage("no command: `wirewise --help` lists them".to_owned()).into()),
    }
}

/// Logs go to standard error. The model client's own are left out, whatever is asked for: they quote what was said.
fn logs(verbose: u8) {
    use tracing_subscriber::EnvFilter;
    let default = match verbose {
        0 => "warn",
        1 => "info",
        _ => "debug,hyper=info,reqwest=info,datafusion=info",
    };
    let filter = EnvFilter::try_from_env("WIREWISE_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let filter = filter.add_directive("async_openai=off".parse().expect("a constant directive"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    logs.with_ansi(std::io::stderr().is_terminal()).with_target(false).init();
}
