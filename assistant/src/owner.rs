//! How the commands of one user find each other: the token, and where the process that owns a directory listens.

use std::fmt;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

const TOKEN_FILE: &str = "token";
const OWNER_FILE: &str = "owner.json";
const TOKEN_BYTES: usize = 32;

/// The secret that opens the door. Prints as `***`.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Token {
    /// A token given as text.
    pub fn from_text(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text itself, for an Authorization header.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The token of a data directory; made, with mode 0600, where there is none.
    pub fn load_or_make(data: &Path) -> io::Result<Self> {
        match Self::load(data) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let mut bytes = [0u8; TOKEN_BYTES];
                getrandom::fill(&mut bytes).map_err(io::Error::other)?;
                let token = Self(hex::encode(bytes));
                write_private(&data.join(TOKEN_FILE), token.0.as_bytes())?;
                Ok(token)
            }
            loaded => loaded,
        }
    }

    /// The token of a data directory, if it has one.
    pub fn load(data: &Path) -> io::Result<Self> {
        let text = std::fs::read_to_string(data.join(TOKEN_FILE))?;
        if text.trim().is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the token file is empty: remove it to have a new one made"));
        }
        Ok(Self::from_text(&text))
    }

    /// Where it lies.
    pub fn path(data: &Path) -> PathBuf {
        data.join(TOKEN_FILE)
    }
}

/// The process that owns a data directory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Owner {
    /// Its base address, `http://127.0.0.1:8470`.
    pub url: String,
    /// Its process id.
    pub pid: u32,
}

impl Owner {
    /// This process, listening on `address`.
    pub fn this(address: SocketAddr, tls: bool) -> Self {
        let reachable = if address.ip().is_unspecified() {
            SocketAddr::new(if address.is_ipv4() { [127, 0, 0, 1].into() } else { [0u16, 0, 0, 0, 0, 0, 0, 1].into() }, address.port())
        } else {
            address
        };
        let scheme = if tls { "https" } else { "http" };
        Self { url: format!("{scheme}://{reachable}"), pid: std::process::id() }
    }

    /// Writes it into the directory, so that other commands find it.
    pub fn announce(&self, data: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self).expect("plain data");
        write_private(&data.join(OWNER_FILE), &text)
    }

    /// Who said last that it owns the directory. It may be gone: the lock tells.
    pub fn find(data: &Path) -> Option<Self> {
        serde_json::from_slice(&std::fs::read(data.join(OWNER_FILE)).ok()?).ok()
    }

    /// Takes the announcement away.
    pub fn retire(data: &Path) {
        // Nothing depends on it: a stale file is told by the lock that nobody holds.
        let _ = std::fs::remove_file(data.join(OWNER_FILE));
    }
}

/// Writes a file that only its owner can read, whole or not at all.
pub fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let fresh = path.with_extension("new");
    let _ = std::fs::remove_file(&fresh);
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&fresh)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    std::fs::rename(&fresh, path)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_token_is_made_once_and_only_its_owner_reads_it() {
        let data = tempfile::tempdir().expect("a directory");
        let made = Token::load_or_make(data.path()).expect("made");
        assert_eq!(Token::load_or_make(data.path()).expect("loaded"), made);
        assert_eq!(made.reveal().len(), 2 * TOKEN_BYTES);
        let mode = std::fs::metadata(Token::path(data.path())).expect("there").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(format!("{made:?}"), "***");
    }

    #[test]
    fn an_owner_is_found_until_it_retires() {
        let data = tempfile::tempdir().expect("a directory");
        let owner = Owner::this("0.0.0.0:8470".parse().expect("an address"), false);
        assert_eq!(owner.url, "http://127.0.0.1:8470");
        owner.announce(data.path()).expect("announced");
        assert_eq!(Owner::find(data.path()), Some(owner));
        Owner::retire(data.path());
        assert_eq!(Owner::find(data.path()), None);
    }
}
