//! Bytes to record headers, hellos and certificate lists. Pure, and bounded by what it is given: a length that
//! reaches past the end ends the reading, and what was read before it is kept.

use super::names::{Version, is_grease};

/// Length of a record's header.
pub(super) const HEADER: usize = 5;
/// Longest body of a record: 2^14 and the 2,048 by which RFC 5246, 6.2.3 lets encryption grow it.
pub(super) const LONGEST_RECORD: u16 = 16_384 + 2_048;
/// Bytes of an SSL 2.0 hello before its lists.
pub(super) const SSL2_HELLO_HEAD: usize = 11;
/// Server names are host names, at most 255 bytes (RFC 1035); a longer one is cut.
const LONGEST_NAME: usize = 255;
/// Names of application protocols, and versions, that are kept of one hello.
const MOST_OFFERS: usize = 16;

/// Reads from the front of a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(head)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    pub(super) fn u24(&mut self) -> Option<u32> {
        self.take(3).map(|bytes| u32::from_be_bytes([0, bytes[0], bytes[1], bytes[2]]))
    }

    /// A block behind its length in one byte.
    fn block8(&mut self) -> Option<Self> {
        let len = self.u8()?;
        self.take(usize::from(len)).map(Cursor)
    }

    /// A block behind its length in two bytes.
    fn block16(&mut self) -> Option<Self> {
        let len = self.u16()?;
        self.take(usize::from(len)).map(Cursor)
    }

    /// A block behind its length in three bytes.
    fn block24(&mut self) -> Option<Self> {
        let len = self.u24()?;
        self.take(len as usize).map(Cursor)
    }

    /// What is left, by twos; an odd last byte is dropped.
    fn u16s(self) -> Vec<u16> {
        self.0.chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect()
    }
}

/// A record's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: u8,
    pub(super) len: u16,
}

impl Header {
    pub(super) const CHANGE_CIPHER_SPEC: u8 = 20;
    pub(super) const ALERT: u8 = 21;
    pub(super) const HANDSHAKE: u8 = 22;
    pub(super) const APPLICATION_DATA: u8 = 23;
    pub(super) const HEARTBEAT: u8 = 24;
}

/// What the first bytes of a record say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeaderCheck {
    Whole(Header),
    /// As far as it goes it could be one.
    Short,
    Bad,
}

/// Reads a record's header, if that can be one.
pub(super) fn check_header(bytes: &[u8]) -> HeaderCheck {
    let plausible = |at: usize, good: fn(u8) -> bool| bytes.get(at).is_none_or(|byte| good(*byte));
    let good = plausible(0, |kind| (Header::CHANGE_CIPHER_SPEC..=Header::HEARTBEAT).contains(&kind))
        && plausible(1, |major| major == 3)
        && plausible(2, |minor| minor <= 4)
        && plausible(3, |high| high <= (LONGEST_RECORD >> 8) as u8);
    match *bytes {
        _ if !good => HeaderCheck::Bad,
        [kind, _, _, high, low, ..] => {
            let len = u16::from_be_bytes([high, low]);
            let fits = match kind {
                Header::CHANGE_CIPHER_SPEC => len == 1,
                Header::ALERT => (2..=512).contains(&len),
                Header::HANDSHAKE => (1..=LONGEST_RECORD).contains(&len),
                _ => len <= LONGEST_RECORD,
            };
            if fits { HeaderCheck::Whole(Header { kind, len }) } else { HeaderCheck::Bad }
        }
        _ => HeaderCheck::Short,
    }
}

/// Where, after a gap, the next record may begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Search {
    /// Here.
    Found(usize),
    /// Nowhere yet; from here on more bytes are needed to tell.
    Before(usize),
}

/// Looks for a header that another follows, as far as bytes are here to check that.
pub(super) fn find_header(bytes: &[u8]) -> Search {
    for at in 0..bytes.len() {
        match check_header(&bytes[at..]) {
            HeaderCheck::Whole(header) => {
                let next = bytes.get(at + HEADER + usize::from(header.len)..).unwrap_or_default();
                if header.len > 0 && check_header(next) != HeaderCheck::Bad {
                    return Search::Found(at);
                }
            }
            HeaderCheck::Short => return Search::Before(at),
            HeaderCheck::Bad => {}
        }
    }
    Search::Before(bytes.len())
}

/// A client's hello.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientHello {
    /// `legacy_version`.
    pub(super) version: Version,
    pub(super) ciphers: Vec<u16>,
    /// Types of the extensions, in wire order.
    pub(super) extensions: Vec<u16>,
    pub(super) groups: Vec<u16>,
    pub(super) point_formats: Vec<u8>,
    pub(super) signatures: Vec<u16>,
    /// `supported_versions`, GREASE left out.
    pub(super) versions: Vec<Version>,
    pub(super) sni: Option<String>,
    pub(super) alpn: Vec<Vec<u8>>,
    /// Whether all of it was there and read; only then it has fingerprints.
    pub(super) whole: bool,
    /// Whether it came in the form of SSL 2.0.
    pub(super) ssl2: bool,
}

impl ClientHello {
    /// Reads the body of the handshake message, or what there is of it.
    pub(crate) fn parse(body: &[u8]) -> Self {
        let mut hello = Self::default();
        hello.whole = hello.read(Cursor(body)).is_some();
        hello
    }

    fn read(&mut self, mut body: Cursor<'_>) -> Option<()> {
        self.version = Version(body.u16()?);
        body.take(32)?;
        body.block8()?;
        self.ciphers = body.block16()?.u16s();
        body.block8()?;
        if body.0.is_empty() {
            return Some(());
        }
        let announced = usize::from(body.u16()?);
        let mut extensions = Cursor(body.0.get(..announced).unwrap_or(body.0));
        // Fewer bytes than an extension's head are padding by somebody who miscounted.
        while extensions.0.len() >= 4 {
            let kind = extensions.u16()?;
            let value = extensions.block16()?;
            self.extensions.push(kind);
            // An extension that is malformed inside is still named.
            let _ = self.extension(kind, value);
        }
        (announced <= body.0.len()).then_some(())
    }

    fn extension(&mut self, kind: u16, mut value: Cursor<'_>) -> Option<()> {
        match kind {
            extension::SERVER_NAME if self.sni.is_none() => {
                let mut list = value.block16()?;
                while !list.0.is_empty() {
                    let (name_type, name) = (list.u8()?, list.block16()?);
                    if name_type == 0 {
                        self.sni = Some(text(name.0));
                        break;
                    }
                }
            }
            extension::GROUPS => self.groups = value.block16()?.u16s(),
            extension::POINT_FORMATS => self.point_formats = value.block8()?.0.to_vec(),
            extension::SIGNATURES => self.signatures = value.block16()?.u16s(),
            extension::ALPN if self.alpn.is_empty() => {
                let mut list = value.block16()?;
                while !list.0.is_empty() && self.alpn.len() < MOST_OFFERS {
                    self.alpn.push(list.block8()?.0.to_vec());
                }
            }
            extension::VERSIONS => {
                let offered = value.block8()?.u16s().into_iter().filter(|version| !is_grease(*version));
                self.versions = offered.map(Version).take(MOST_OFFERS).collect();
            }
            _ => {}
        }
        Some(())
    }

    /// Reads a whole hello in the form of SSL 2.0, header included: RFC 5246, appendix E.2.
    pub(super) fn parse_ssl2(record: &[u8]) -> Option<Self> {
        let mut body = Cursor(record.get(3..)?);
        let version = Version(body.u16()?);
        let ciphers = usize::from(body.u16()?);
        body.take(4)?;
        let mut hello = Self { version, ssl2: true, ..Self::default() };
        // Kinds with a first byte of 0 are those of SSL 3.0 and later; the others only SSL 2.0 has.
        let specs = body.take(ciphers)?.chunks_exact(3);
        hello.ciphers =
            specs.filter(|spec| spec[0] == 0).map(|spec| u16::from_be_bytes([spec[1], spec[2]])).collect();
        Some(hello)
    }
}

/// The length, header included, of the SSL 2.0 hello that begins here, if one does. `None` where the bytes are
/// none, or fewer than [`SSL2_HELLO_HEAD`].
pub(super) fn ssl2_hello_len(bytes: &[u8]) -> Option<usize> {
    let head: &[u8; SSL2_HELLO_HEAD] = bytes.first_chunk()?;
    let [high, low, 1, major, minor, lists @ ..] = *head else { return None };
    let version_fits = (major == 3 && minor <= 4) || (major, minor) == (0, 2);
    let announced = usize::from(u16::from_be_bytes([high & 0x7f, low]));
    let [ciphers, session, challenge] =
        [0, 2, 4].map(|at| usize::from(u16::from_be_bytes([lists[at], lists[at + 1]])));
    let fits = ciphers > 0
        && ciphers % 3 == 0
        && ciphers <= 768
        && matches!(session, 0 | 16 | 32)
        && (16..=32).contains(&challenge)
        && announced == SSL2_HELLO_HEAD - 2 + ciphers + session + challenge;
    (high & 0x80 != 0 && version_fits && fits).then_some(announced + 2)
}

/// A server's hello, or its request to hello again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ServerHello {
    /// `legacy_version`.
    pub(super) version: Version,
    /// What `supported_versions` chose.
    pub(super) selected: Option<Version>,
    pub(super) cipher: u16,
    pub(super) extensions: Vec<u16>,
    pub(super) alpn: Option<Vec<u8>>,
    pub(super) group: Option<u16>,
    pub(super) retry: bool,
}

/// The random value that makes a hello a HelloRetryRequest: SHA-256 of those words, RFC 8446, 4.1.3.
const RETRY: [u8; 32] = [
    0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c, 0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2,
    0xa2, 0x11, 0x16, 0x7a, 0xbb, 0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
];

impl ServerHello {
    /// Reads the body of the handshake message. `None` where it ends before the cipher.
    pub(crate) fn parse(body: &[u8]) -> Option<Self> {
        let mut body = Cursor(body);
        let version = Version(body.u16()?);
        let random = body.take(32)?;
        // Drafts of 1.3 before the 22nd had neither session id nor compression here.
        let early_draft = (0x7f00..0x7f16).contains(&version.0);
        if !early_draft {
            body.block8()?;
        }
        let mut hello = Self { version, cipher: body.u16()?, retry: random == RETRY, ..Self::default() };
        if !early_draft {
            body.u8();
        }
        hello.read_extensions(body);
        Some(hello)
    }

    /// The message of its own that drafts of 1.3 before the 22nd had.
    pub(super) fn parse_draft_retry(body: &[u8]) -> Option<Self> {
        let mut body = Cursor(body);
        let mut hello = Self { version: Version(body.u16()?), retry: true, ..Self::default() };
        // The cipher came with draft 19.
        if hello.version.0 >= 0x7f13 {
            hello.cipher = body.u16()?;
        }
        hello.read_extensions(body);
        Some(hello)
    }

    fn read_extensions(&mut self, mut body: Cursor<'_>) -> Option<()> {
        let announced = usize::from(body.u16()?);
        let mut extensions = Cursor(body.0.get(..announced).unwrap_or(body.0));
        while !extensions.0.is_empty() {
            let kind = extensions.u16()?;
            let mut value = extensions.block16()?;
            self.extensions.push(kind);
            match kind {
                extension::ALPN => {
                    self.alpn =
                        value.block16().and_then(|mut list| list.block8()).map(|name| name.0.to_vec());
                }
                extension::VERSIONS => self.selected = value.u16().map(Version),
                extension::KEY_SHARE => self.group = value.u16(),
                _ => {}
            }
        }
        Some(())
    }

    /// The version that was agreed.
    pub(super) fn agreed(&self) -> Version {
        self.selected.unwrap_or(self.version)
    }
}

/// The first certificate of the message (up to TLS 1.2), and how many there are.
pub(super) fn certificates(body: &[u8]) -> Option<(Option<&[u8]>, u32)> {
    let mut list = Cursor(body).block24()?;
    let (mut first, mut count) = (None, 0);
    while let Some(certificate) = list.block24() {
        first = first.or(Some(certificate.0));
        count += 1;
    }
    Some((first, count))
}

/// What somebody else's bytes say, fit for a column: UTF-8, bounded, no control characters.
pub(super) fn text(bytes: &[u8]) -> String {
    let bytes = &bytes[..bytes.len().min(LONGEST_NAME)];
    let shown = |c: char| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c };
    String::from_utf8_lossy(bytes).chars().map(shown).collect()
}

/// Numbers of extensions that are looked at.
pub(super) mod extension {
    pub(in super::super) const SERVER_NAME: u16 = 0;
    pub(in super::super) const GROUPS: u16 = 10;
    pub(in super::super) const POINT_FORMATS: u16 = 11;
    pub(in super::super) const SIGNATURES: u16 = 13;
    pub(in super::super) const ALPN: u16 = 16;
    pub(in super::super) const PRE_SHARED_KEY: u16 = 41;
    pub(in super::super) const EARLY_DATA: u16 = 42;
    pub(in super::super) const VERSIONS: u16 = 43;
    pub(in super::super) const KEY_SHARE: u16 = 51;
    pub(in super::super) const ENCRYPTED_CLIENT_HELLO: u16 = 0xfe0d;
    pub(in super::super) const ENCRYPTED_SNI: u16 = 0xffce;
}
