//! Looks for words in whatever form they may have been kept: as they are, encoded, and inside of compressed blocks.

use std::io::Read;
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use flate2::read::{GzDecoder, ZlibDecoder};

use crate::home::files;

/// The beginning of a Zstandard frame (RFC 8878), of a gzip member (RFC 1952).
const ZSTD: &[u8] = &[0x28, 0xb5, 0x2f, 0xfd];
const GZIP: &[u8] = &[0x1f, 0x8b, 0x08];
/// Bytes that one block may become; longer ones are cut, and searched so far.
const MOST_INFLATED: u64 = 64 << 20;

/// A word in all the forms in which it could be found.
pub(crate) struct Wanted {
    pub(crate) word: String,
    forms: Vec<(&'static str, Vec<u8>)>,
}

impl Wanted {
    pub(crate) fn new(word: &str) -> Self {
        let bytes = word.as_bytes();
        let mut forms = vec![
            ("plain", bytes.to_vec()),
            ("lower case", word.to_lowercase().into_bytes()),
            ("upper case", word.to_uppercase().into_bytes()),
            ("reversed", bytes.iter().rev().copied().collect()),
            ("hex", hex::encode(bytes).into_bytes()),
            ("upper hex", hex::encode_upper(bytes).into_bytes()),
            ("percent", bytes.iter().flat_map(|byte| format!("%{byte:02x}").into_bytes()).collect()),
            ("UTF-16", word.encode_utf16().flat_map(u16::to_le_bytes).collect()),
            ("JSON", serde_json::to_string(word).unwrap().trim_matches('"').as_bytes().to_vec()),
        ];
        // Base64 depends on where in its input the word begins: its inner letters are searched at all three places.
        for skipped in 0..3 {
            let padded = [&b"\0\0\0"[..skipped], bytes].concat();
            for encoded in [STANDARD_NO_PAD.encode(&padded), URL_SAFE_NO_PAD.encode(&padded)] {
                let inner =
                    &encoded.as_bytes()[if skipped == 0 { 0 } else { skipped + 1 }..encoded.len() - 1];
                if inner.len() >= 8 {
                    forms.push(("base64", inner.to_vec()));
                }
            }
        }
        Self { word: word.to_owned(), forms }
    }

    /// The form in which it stands in these bytes, if it does.
    pub(crate) fn found_in(&self, bytes: &[u8]) -> Option<&'static str> {
        self.forms.iter().find(|(_, form)| contains(bytes, form)).map(|(name, _)| *name)
    }
}

pub(crate) fn contains(bytes: &[u8], part: &[u8]) -> bool {
    places(bytes, part).next().is_some()
}

fn places<'a>(bytes: &'a [u8], part: &'a [u8]) -> impl Iterator<Item = usize> + 'a {
    let first = part[0];
    let ends = bytes.len().saturating_sub(part.len() - 1);
    (0..ends).filter(move |&at| bytes[at] == first && bytes[at..].starts_with(part))
}

/// What stands in a file: its bytes, and those of every compressed block that begins in it.
pub(crate) fn contents(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).unwrap();
    let mut all = Vec::new();
    for at in places(&bytes, ZSTD) {
        if let Ok(frame) = zstd::stream::read::Decoder::with_buffer(&bytes[at..]) {
            all.push(inflated(frame.single_frame()));
        }
    }
    for at in places(&bytes, GZIP) {
        all.push(inflated(GzDecoder::new(&bytes[at..])));
    }
    for head in [&[0x78, 0x01][..], &[0x78, 0x9c], &[0x78, 0xda]] {
        for at in places(&bytes, head) {
            all.push(inflated(ZlibDecoder::new(&bytes[at..])));
        }
    }
    all.push(bytes);
    all
}

/// As much as can be read: bytes that only look like a block end early.
fn inflated(block: impl Read) -> Vec<u8> {
    let mut read = Vec::new();
    let _ = block.take(MOST_INFLATED).read_to_end(&mut read);
    read
}

/// Where each word is found under a directory, and in which form.
pub(crate) fn found_under(directory: &Path, wanted: &[Wanted]) -> Vec<String> {
    let mut found = Vec::new();
    for path in files(directory) {
        for content in contents(&path) {
            for wanted in wanted {
                if let Some(form) = wanted.found_in(&content) {
                    found.push(format!("{} as {form} in {}", wanted.word, path.display()));
                }
            }
        }
    }
    found
}

#[test]
fn the_scan_finds_what_it_should() {
    let wanted = Wanted::new("canary-Word+17");
    for bytes in [
        b"x canary-Word+17 y".to_vec(),
        STANDARD_NO_PAD.encode("user:canary-Word+17").into_bytes(),
        STANDARD_NO_PAD.encode("us:canary-Word+17,").into_bytes(),
        STANDARD_NO_PAD.encode("u:canary-Word+17,").into_bytes(),
        hex::encode("canary-Word+17").into_bytes(),
        b"%63%61%6e%61%72%79%2d%57%6f%72%64%2b%31%37".to_vec(),
    ] {
        assert!(wanted.found_in(&bytes).is_some(), "{}", String::from_utf8_lossy(&bytes));
    }
    assert!(wanted.found_in(b"canary-Word 17").is_none());
    let directory = tempfile::tempdir().unwrap();
    let text = "some canary-Word+17 more, as somebody once said ".repeat(9);
    let packed = zstd::encode_all(text.as_bytes(), 9).unwrap();
    std::fs::write(directory.path().join("a"), [b"head", packed.as_slice(), b"tail"].concat()).unwrap();
    assert!(!found_under(directory.path(), &[wanted]).is_empty());
}
