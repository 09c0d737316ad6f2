//! The key of redaction's pseudonyms: made once, kept outside the data directory, readable by its owner alone.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use wirewise_capture::Caller;
use wirewise_redact::Key;

const KEY_BYTES: usize = 32;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// It cannot be read or made.
    #[error("cannot use redaction key {}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// Others may read it, or it is somebody else's.
    #[error("redaction key {} has mode {mode:o}: expected 600, so that nobody else can read it", path.display())]
    Exposed {
        /// Where.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// It is not a key.
    #[error("redaction key {} is damaged: expected 64 hexadecimal digits", path.display())]
    Damaged {
        /// Where.
        path: PathBuf,
    },
    /// There is no place for it.
    #[error("no place for the redaction key: expected HOME or XDG_CONFIG_HOME to be set")]
    Homeless,
}

/// Where the key is: `wirewise/redaction.key` under `$XDG_CONFIG_HOME` or `~/.config`, of the user who called
/// through sudo where there is one.
pub fn key_path(caller: Option<&Caller>) -> Result<PathBuf, KeyError> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = match caller.and_then(|caller| caller.home.clone()) {
        Some(home) => Some(home.join(".config")),
        None => absolute("XDG_CONFIG_HOME").or_else(|| Some(absolute("HOME")?.join(".config"))),
    };
    Ok(folder.ok_or(KeyError::Homeless)?.join("wirewise").join("redaction.key"))
}

/// Reads the key; makes one where there is none. Two processes that start at once get the same.
pub fn load_key(path: &Path) -> Result<Key, KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    match File::open(path) {
        Ok(file) => read(path, file),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            make(path).map_err(io)?;
            read(path, File::open(path).map_err(io)?)
        }
        Err(error) => Err(io(error)),
    }
}

fn read(path: &Path, file: File) -> Result<Key, KeyError> {
    let io = |source| KeyError::Io { path: path.to_owned(), source };
    let mode = file.metadata().map_err(io)?.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(KeyError::Exposed { path: path.to_owned(), mode });
    }
    let mut text = String::new();
    Read::take(&file, 1024).read_to_string(&mut text).map_err(io)?;
    let mut bytes = [0; KEY_BYTES];
    hex::decode_to_slice(text.trim(), &mut bytes).map_err(|_| KeyError::Damaged { path: path.to_owned() })?;
    Ok(Key::from_bytes(bytes))
}

/// Written beside its place and linked into it, so that nobody ever reads half a key, and the first wins.
fn make(path: &Path) -> io::Result<()> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let mut bytes = [0; KEY_BYTES];
    getrandom::fill(&mut bytes).map_err(io::Error::other)?;
    let beside = folder.join(format!("redaction.key.{}", std::process::id()));
    let mut file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
    writeln!(file, "{}", hex::encode(bytes))?;
    file.sync_all()?;
    let linked = fs::hard_link(&beside, path);
    fs::remove_file(&beside)?;
    match linked {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a/wirewise/redaction.key");
        load_key(&path).expect("made");
        let first = fs::read(&path).expect("written");
        load_key(&path).expect("read");
        assert_eq!(fs::read(&path).expect("kept"), first);
        let mode = |path: &Path| fs::metadata(path).expect("there").mode() & 0o777;
        let folder = path.parent().expect("a folder");
        assert_eq!((mode(&path), mode(folder)), (0o600, 0o700));
        assert_eq!(fs::read_dir(folder).expect("a folder").count(), 1);

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
        assert!(matches!(load_key(&path), Err(KeyError::Exposed { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("ours");
        fs::write(&path, "not a key").expect("ours");
        assert!(matches!(load_key(&path), Err(KeyError::Damaged { .. })));
    }
}
