//! A disk that loses its power after a number of operations, and with it what was not synced; or that runs full.
//!
//! What a power cut may leave of a file is anything between what was synced and what was written; of a name, the old
//! or the new until its directory is synced. Which of them is drawn from a seed.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard};

/// The faults of one disk.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// Operations until the power goes.
    left: Option<u64>,
    dead: bool,
    /// Bytes until the disk is full.
    room: Option<u64>,
    /// Files with this extension find it full at once.
    refused: Option<&'static str>,
    done: u64,
    lengths: BTreeMap<PathBuf, Lengths>,
    /// Names since the last sync of their directory, with what was there before.
    names: Vec<(PathBuf, Option<Vec<u8>>)>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Lengths {
    synced: u64,
    written: u64,
}

impl Faults {
    /// A disk that loses its power after `left` operations.
    pub(crate) fn power_cut(left: u64) -> Self {
        Self { inner: Mutex::new(Inner { left: Some(left), ..Inner::default() }) }
    }

    /// Sets how many bytes may still be written.
    pub(crate) fn set_room(&self, room: Option<u64>) {
        self.lock().room = room;
    }

    /// Files with that extension find the disk full from now on.
    pub(crate) fn refuse(&self, extension: &'static str) {
        self.lock().refused = Some(extension);
    }

    /// How many operations were done.
    pub(crate) fn done(&self) -> u64 {
        self.lock().done
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap()
    }

    /// Leaves on the real disk what a power cut may leave. Call when nothing writes any more.
    pub(crate) fn lose_what_was_not_synced(&self, seed: u64) {
        let mut random = Random(seed);
        let mut inner = self.lock();
        inner.dead = true;
        for (path, lengths) in std::mem::take(&mut inner.lengths) {
            let Ok(bytes) = std::fs::read(&path) else { continue };
            if lengths.synced >= lengths.written {
                continue;
            }
            let keep = lengths.synced + random.below(lengths.written - lengths.synced + 1);
            let mut bytes = bytes;
            bytes.truncate(keep as usize);
            // Pages come to the disk in any order: one of the lost ones may be zeros with others after it.
            if random.below(3) == 0 {
                let from = lengths.synced as usize + random.below(keep - lengths.synced + 1) as usize;
                let to = bytes.len().min(from + 4096);
                bytes[from.min(to)..to].fill(0);
            }
            std::fs::write(&path, bytes).unwrap();
        }
        for (path, before) in std::mem::take(&mut inner.names).into_iter().rev() {
            if random.below(2) == 0 {
                match before {
                    Some(bytes) => std::fs::write(&path, bytes).unwrap(),
                    None => drop(std::fs::remove_file(&path)),
                }
            } else if random.below(2) == 0 {
                // Names may last in order only up to some point; this one and all before it did.
                break;
            }
        }
    }

    pub(crate) fn step(&self) -> io::Result<()> {
        self.lock().step()
    }

    pub(crate) fn create(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.step()?;
        inner.remember(path);
        inner.lengths.insert(path.to_owned(), Lengths::default());
        Ok(())
    }

    pub(crate) fn write(&self, path: &Path, len: usize) -> io::Result<usize> {
        let mut inner = self.lock();
        inner.step()?;
        if inner.refused.is_some_and(|refused| path.extension().is_some_and(|found| found == refused)) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        match inner.room.as_mut() {
            None => Ok(len),
            Some(0) if len > 0 => Err(io::ErrorKind::StorageFull.into()),
            Some(room) => {
                let most = len.min(usize::try_from(*room).unwrap_or(usize::MAX));
                *room -= most as u64;
                Ok(most)
            }
        }
    }

    pub(crate) fn written(&self, path: &Path, len: u64) -> io::Result<()> {
        self.lock().lengths.entry(path.to_owned()).or_default().written = len;
        Ok(())
    }

    pub(crate) fn sync(&self, path: &Path, len: u64) -> io::Result<()> {
        let mut inner = self.lock();
        inner.step()?;
        let lengths = inner.lengths.entry(path.to_owned()).or_default();
        lengths.synced = len;
        lengths.written = len;
        Ok(())
    }

    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.step()?;
        inner.remember(to);
        if let Some(lengths) = inner.lengths.remove(from) {
            inner.lengths.insert(to.to_owned(), lengths);
        }
        inner.names.retain(|(path, _)| path != from);
        Ok(())
    }

    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.step()?;
        inner.remember(path);
        inner.lengths.remove(path);
        Ok(())
    }

    pub(crate) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut inner = self.lock();
        inner.step()?;
        inner.names.retain(|(name, _)| name.parent() != Some(path));
        Ok(())
    }
}

impl Inner {
    fn step(&mut self) -> io::Result<()> {
        self.done += 1;
        if let Some(left) = self.left.as_mut() {
            match left.checked_sub(1) {
                Some(less) => *left = less,
                None => self.dead = true,
            }
        }
        if self.dead { Err(io::Error::other("the power is gone")) } else { Ok(()) }
    }

    fn remember(&mut self, path: &Path) {
        self.names.push((path.to_owned(), std::fs::read(path).ok()));
    }
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % most.max(1)
    }
}
