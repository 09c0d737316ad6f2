//! Every change of the data directory goes through here, so that tests can pull the plug between any two of them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The disk under a data directory.
#[derive(Clone, Debug, Default)]
pub(crate) struct Disk {
    #[cfg(test)]
    pub(crate) faults: Option<std::sync::Arc<crate::tests::faults::Faults>>,
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct DiskFile {
    #[cfg(test)]
    disk: Disk,
    path: PathBuf,
    file: File,
    len: u64,
    failed: Option<io::ErrorKind>,
}

impl Disk {
    /// Makes a new, empty file that only we can read.
    pub(crate) fn create(&self, path: &Path) -> io::Result<DiskFile> {
        #[cfg(test)]
        self.fault(|faults| faults.create(path))?;
        let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(DiskFile {
            #[cfg(test)]
            disk: self.clone(),
            path: path.to_owned(),
            file,
            len: 0,
            failed: None,
        })
    }

    /// Makes a directory that only we can enter, with those above it. New ones are synced into their parents.
    pub(crate) fn create_dirs(&self, path: &Path) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent() {
            self.create_dirs(parent)?;
        }
        #[cfg(test)]
        self.fault(|faults| faults.step())?;
        match fs::DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            made => made?,
        }
        match path.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => File::open(parent)?.sync_all(),
            _ => Ok(()),
        }
    }

    /// Puts `from` in the place of `to`.
    pub(crate) fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        #[cfg(test)]
        self.fault(|faults| faults.rename(from, to))?;
        fs::rename(from, to)
    }

    /// Removes a file; one that is not there is no error.
    pub(crate) fn remove(&self, path: &Path) -> io::Result<()> {
        #[cfg(test)]
        self.fault(|faults| faults.remove(path))?;
        match fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            removed => removed,
        }
    }

    /// Makes names in a directory last.
    pub(crate) fn sync_dir(&self, path: &Path) -> io::Result<()> {
        #[cfg(test)]
        if self.faults.is_some() {
            return self.fault(|faults| faults.sync_dir(path));
        }
        File::open(path)?.sync_all()
    }

    /// Replaces a file whole, or not at all.
    pub(crate) fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let fresh = path.with_extension("new");
        let mut file = self.create(&fresh)?;
        file.write_all(bytes)?;
        file.sync()?;
        self.rename(&fresh, path)?;
        self.sync_dir(path.parent().unwrap_or(Path::new(".")))
    }

    #[cfg(test)]
    fn fault<R: Default>(
        &self,
        act: impl FnOnce(&crate::tests::faults::Faults) -> io::Result<R>,
    ) -> io::Result<R> {
        self.faults.as_ref().map_or(Ok(R::default()), |faults| act(faults))
    }
}

impl DiskFile {
    /// Makes all that was written last.
    pub(crate) fn sync(&mut self) -> io::Result<()> {
        #[cfg(test)]
        if self.disk.faults.is_some() {
            // The test's power cut forgets what this would keep; the real disk need not be asked.
            return self.disk.fault(|faults| faults.sync(&self.path, self.len));
        }
        self.file.sync_data()
    }

    /// Cuts the file back.
    pub(crate) fn cut(&mut self, len: u64) -> io::Result<()> {
        #[cfg(test)]
        self.disk.fault(|faults| faults.step())?;
        self.file.set_len(len)?;
        io::Seek::seek(&mut self.file, io::SeekFrom::Start(len))?;
        self.len = len;
        Ok(())
    }

    /// How much was written.
    pub(crate) fn len(&self) -> u64 {
        self.len
    }

    /// Why a write failed, if one did: those who write through others do not get to see it.
    pub(crate) fn failed(&self) -> Option<io::ErrorKind> {
        self.failed
    }

    /// Where it lies.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl DiskFile {
    fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(test)]
        let bytes = {
            let most = self.disk.fault(|faults| faults.write(&self.path, bytes.len()).map(Some))?;
            &bytes[..most.unwrap_or(bytes.len())]
        };
        let written = self.file.write(bytes)?;
        self.len += written as u64;
        #[cfg(test)]
        self.disk.fault(|faults| faults.written(&self.path, self.len))?;
        Ok(written)
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.try_write(bytes).inspect_err(|error| self.failed = Some(error.kind()))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
