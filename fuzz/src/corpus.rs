//! A target's corpus: one file of the repository, for thousands of small ones are a burden to everybody's checkout.
//!
//! `corpus/NAME.bin` is its inputs one behind another, each behind its length (4 bytes, little endian). Bounded by
//! [`Corpus::MOST_BYTES`]; past it a choice is kept. `cases/NAME/` holds, a file each, the inputs that once were
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
    pub fn store(self, target: &str) -> io::Result<usize> {
        let chosen = self.bounded(Self::MOST_BYTES).inputs;
        let mut packed = Vec::new();
        for input in &chosen {
            packed.extend_from_slice(&(input.len() as u32).to_le_bytes());
            packed.extend_from_slice(input);
        }
        let path = Self::path(target);
        fs::create_dir_all(path.parent().unwrap_or(Path::new("")))?;
        fs::write(path, packed)?;
        Ok(chosen.len())
    }

    /// As many inputs as fit: half of the room for the smallest, half for others of every size, since a whole handshake is
    /// long and leads further.
    fn bounded(mut self, most: usize) -> Self {
        self.inputs.sort_by(|a, b| (a.len(), a).cmp(&(b.len(), b)));
        self.inputs.dedup();
        let cost = |input: &Vec<u8>| input.len() + 4;
        let total: usize = self.inputs.iter().map(cost).sum();
        if total <= most {
            return self;
        }
        let mut room = most / 2;
        let mut n_small = 0;
        while let Some(rest) = self.inputs.get(n_small).and_then(|input| room.checked_sub(cost(input))) {
            room = rest;
            n_small += 1;
        }
        let larger = self.inputs.split_off(n_small);
        let mut room = most - self.inputs.iter().map(cost).sum::<usize>();
        let left: usize = larger.iter().map(cost).sum();
        let step = (left / room.max(1) + 1).max(1);
        for input in larger.into_iter().step_by(step) {
            if let Some(rest) = room.checked_sub(cost(&input)) {
                room = rest;
                self.inputs.push(input);
            }
        }
        self
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_corpus_past_its_bound_keeps_small_inputs_and_some_of_every_size() {
        let inputs = (1..=200).map(|length| vec![7; length]).collect();
        let kept = Corpus { inputs }.bounded(4000).inputs;
        let bytes: usize = kept.iter().map(|input| input.len() + 4).sum();
        assert!((3500..=4000).contains(&bytes), "{bytes}");
        assert_eq!(kept[..50].iter().map(Vec::len).collect::<Vec<_>>(), (1..=50).collect::<Vec<_>>());
        assert!(kept.iter().any(|input| input.len() > 150));
    }
}
