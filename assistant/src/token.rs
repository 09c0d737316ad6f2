//! The token that opens the door: made once a data directory, readable by its owner alone.

use std::fmt;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

const TOKEN_FILE: &str = "token";
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
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "the token file is empty: remove it to have a new one made",
            ));
        }
        Ok(Self::from_text(&text))
    }

    /// Where it lies.
    pub fn path(data: &Path) -> PathBuf {
        data.join(TOKEN_FILE)
    }
}

/// Writes a file that only its owner can read, whole or not at all.
fn write_private(path: &Path, bytes: &[u8]) -> io::Result<()> {
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
}
