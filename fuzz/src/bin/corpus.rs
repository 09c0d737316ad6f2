//! Corpora for `cargo xtask fuzz`: `targets` lists the targets; `spread TARGET FOLDER` and `store TARGET FOLDER` take a
//! corpus out of the repository's file and put it there; `harvest FOLDER CAPTURE...` makes seeds of captures.

#![allow(clippy::print_stdout, reason = "its output is read by the chore that runs it")]

use std::path::Path;
use std::process::ExitCode;

use wirewise_fuzz::{Corpus, harvest, targets};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &[String]) -> Result<(), Box<dyn std::error::Error>> {
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["targets"] => targets().for_each(|target| println!("{}", target.name)),
        ["spread", target, folder] => {
            let mut corpus = Corpus::load(target)?;
            corpus.inputs.extend(Corpus::cases(target)?.into_iter().map(|(_, bytes)| bytes));
            corpus.spread(Path::new(folder))?;
        }
        ["store", target, folder] => println!("{}", Corpus::gather(Path::new(folder))?.store(target)?),
        ["harvest", folder, captures @ ..] => {
            for capture in captures {
                let path = Path::new(capture);
                let file = path.file_stem().unwrap_or_default().to_string_lossy();
                for (number, (target, input)) in harvest(path)?.into_iter().enumerate() {
                    let folder = Path::new(folder).join(target);
                    std::fs::create_dir_all(&folder)?;
                    std::fs::write(folder.join(format!("{file}-{number:04}")), input)?;
                }
            }
        }
        _ => {
            return Err(
                "targets | spread TARGET FOLDER | store TARGET FOLDER | harvest FOLDER CAPTURE...".into()
            );
        }
    }
    Ok(())
}
