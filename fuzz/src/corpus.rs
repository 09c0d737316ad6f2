//! A target's corpus: one file of the repository, for thousands of small ones are a burden to everybody's checkout.
//!
//! `corpus/NAME.bin` is its inputs one behind another, each behind its length (4 bytes, little endian). Bounded by
//! [`Corpus::MOST_BYTES`]; past it the longest inputs stay out. `cases/NAME/` holds, a file each, the inputs that once were
//! finds: those are never dropped.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// The inputs of one target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Corpus {
    /// In no order that means something.
    pub inputs: Vec<Vec<u8>>,
}

impl Corpus {
    /// Bytes that one target's corpus may take: some thirty targets stay under 2 MB together.
    pub const MOST_BYTES: usize = 64 << 10;

    /// Where it lies.
    pub fn path(target: &str) -> PathBuf {
        home().join("corpus").join(target).with_extension("bin")
    }

    /// What the repository has of a target; nothing, where it has nothing yet.
    pub fn load(target: &str) -> io::Result<Self> {
        let packed = match fs::read(Self::path(target)) {
            Ok(packed) => packed,
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(error) => return Err(error),
        };
        Self::unpack(&packed).ok_or_else(|| io::Error::other(format!("the corpus of {target} is torn")))
    }

    /// The inputs of a target that once were finds, with their names.
    pub fn cases(target: &str) -> io::Result<Vec<(String, Vec<u8>)>> {
        let folder = home().join("cases").join(target);
        if !folder.is_dir() {
            return Ok(Vec::new());
        }
        files(&folder)
    }

    /// All files of a folder.
    pub fn gather(folder: &Path) -> io::Result<Self> {
        Ok(Self { inputs: files(folder)?.into_iter().map(|(_, bytes)| bytes).collect() })
    }

    /// A file an input.
    pub fn spread(&self, folder: &Path) -> io::Result<()> {
        fs::create_dir_all(folder)?;
        for (number, input) in self.inputs.iter().enumerate() {
            fs::write(folder.join(format!("kept-{number:05}")), input)?;
        }
        Ok(())
    }

    /// Writes it to its place, within its bound; says how many inputs that were.
    pub fn store(mut self, target: &str) -> io::Result<usize> {
        self.inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        self.inputs.dedup();
        let mut packed = Vec::new();
        let mut count = 0;
        for input in &self.inputs {
            if packed.len() + input.len() + 4 > Self::MOST_BYTES {
                break;
            }
            packed.extend_from_slice(&(input.len() as u32).to_le_bytes());
            packed.extend_from_slice(input);
            count += 1;
        }
        let path = Self::path(target);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        fs::write(path, packed)?;
        Ok(count)
    }

    fn unpack(mut packed: &[u8]) -> Option<Self> {
        let mut inputs = Vec::new();
        while !packed.is_empty() {
            let (length, rest) = packed.split_first_chunk()?;
            let (input, rest) = rest.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            inputs.push(input.to_vec());
            packed = rest;
        }
        Some(Self { inputs })
    }
}

fn home() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn files(folder: &Path) -> io::Result<Vec<(String, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        files.push((entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?));
    }
    files.sort();
    Ok(files)
}
