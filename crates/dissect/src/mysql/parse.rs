//! Packets: their headers, and the few of their fields that are told.

/// Length and number.
pub(super) const HEADER: usize = 4;
/// Length of a packet that another continues.
pub(super) const CONTINUED: u32 = 0xff_ffff;

/// What a client can do, as far as it matters here.
pub(super) mod can {
    pub(crate) const CONNECT_WITH_DB: u32 = 1 << 3;
    pub(crate) const COMPRESS: u32 = 1 << 5;
    pub(crate) const PROTOCOL_41: u32 = 1 << 9;
    pub(crate) const SSL: u32 = 1 << 11;
    pub(crate) const SECURE_CONNECTION: u32 = 1 << 15;
    pub(crate) const PLUGIN_AUTH: u32 = 1 << 19;
    pub(crate) const LENGTH_OF_AUTH: u32 = 1 << 21;
    pub(crate) const ZSTD: u32 = 1 << 26;
    pub(crate) const QUERY_ATTRIBUTES: u32 = 1 << 27;
}

/// What a server's status says, as far as it matters here.
pub(super) mod state {
    pub(crate) const IN_TRANSACTION: u16 = 1;
    pub(crate) const MORE_RESULTS: u16 = 8;
    pub(crate) const CURSOR: u16 = 0x40;
    pub(crate) const NO_BACKSLASH_ESCAPES: u16 = 0x200;
}

/// The header of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) length: u32,
    pub(super) number: u8,
}

pub(super) fn header(bytes: &[u8]) -> Option<Header> {
    let [a, b, c, number] = *bytes.first_chunk()?;
    Some(Header { length: u32::from_le_bytes([a, b, c, 0]), number })
}

/// Reads fields from the front of a packet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields<'a>(pub(super) &'a [u8]);

impl<'a> Fields<'a> {
    pub(super) fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.take(2)?.first_chunk().map(|bytes| u16::from_le_bytes(*bytes))
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.take(4)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
    }

    /// A number of one to nine bytes, of which the first tells how many. `None` also for NULL.
    pub(super) fn number(&mut self) -> Option<u64> {
        match self.u8()? {
            small @ 0..=0xfa => Some(u64::from(small)),
            0xfc => self.u16().map(u64::from),
            0xfd => {
                self.take(3).map(|bytes| u64::from(u32::from_le_bytes([bytes[0], bytes[1], bytes[2], 0])))
            }
            0xfe => self.take(8)?.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)),
            _ => None,
        }
    }

    /// Bytes behind their length.
    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number()?).ok()?;
        self.take(length)
    }

    /// Bytes up to a NUL.
    pub(super) fn text(&mut self) -> Option<&'a [u8]> {
        let end = memchr::memchr(0, self.0)?;
        let text = self.take(end)?;
        self.take(1)?;
        Some(text)
    }

    /// Bytes up to a NUL, or all that are left.
    pub(super) fn last_text(&mut self) -> &'a [u8] {
        self.text().unwrap_or_else(|| std::mem::take(&mut self.0))
    }
}

/// The server's first packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Greeting<'a> {
    pub(super) version: &'a [u8],
    pub(super) capabilities: u32,
    pub(super) status: Option<u16>,
}

pub(super) fn greeting(body: &[u8]) -> Option<Greeting<'_>> {
    let mut fields = Fields(body);
    if fields.u8()? != 10 {
        return None;
    }
    let version = fields.text()?;
    let shaped = (3..=80).contains(&version.len())
        && version[0].is_ascii_digit()
        && version.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    if !shaped {
        return None;
    }
    // The connection's number, the beginning of the salt, a zero.
    fields.take(12)?;
    if fields.u8()? != 0 {
        return None;
    }
    let mut capabilities = fields.u16().map_or(0, u32::from);
    fields.u8();
    let status = fields.u16();
    capabilities |= fields.u16().map_or(0, |upper| u32::from(upper) << 16);
    Some(Greeting { version, capabilities, status })
}

/// The client's first packet. What proves who it is is passed over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Login<'a> {
    pub(super) capabilities: u32,
    pub(super) user: &'a [u8],
    pub(super) schema: Option<&'a [u8]>,
    pub(super) plugin: Option<&'a [u8]>,
    /// It goes on encrypted instead.
    pub(super) ssl: bool,
}

pub(super) fn login(body: &[u8]) -> Option<Login<'_>> {
    let mut fields = Fields(body);
    let low = u32::from(fields.u16()?);
    if low & can::PROTOCOL_41 == 0 {
        // HandshakeResponse320.
        fields.take(3)?;
        let user = fields.last_text();
        return Some(Login {
            capabilities: low,
            user,
            ssl: low & can::SSL != 0 && user.is_empty(),
            ..Login::default()
        });
    }
    let capabilities = low | u32::from(fields.u16()?) << 16;
    // Longest packet, character set, and what is reserved.
    fields.take(28)?;
    if fields.0.is_empty() {
        return Some(Login { capabilities, ssl: capabilities & can::SSL != 0, ..Login::default() });
    }
    let user = fields.text()?;
    let mut login = Login { capabilities, user, ..Login::default() };
    // The rest is told where it is whole.
    let mut rest = || {
        if capabilities & can::LENGTH_OF_AUTH != 0 {
            fields.bytes()?;
        } else if capabilities & can::SECURE_CONNECTION != 0 {
            let length = fields.u8()?;
            fields.take(usize::from(length))?;
        } else {
            fields.text()?;
        }
        if capabilities & can::CONNECT_WITH_DB != 0 {
            login.schema = Some(fields.text()?);
        }
        if capabilities & can::PLUGIN_AUTH != 0 {
            login.plugin = Some(fields.last_text());
        }
        Some(())
    };
    rest();
    Some(login)
}

/// COM_CHANGE_USER, behind its command.
pub(super) fn change_user(body: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut fields = Fields(body);
    let user = fields.text()?;
    let length = fields.u8()?;
    fields.take(usize::from(length))?;
    Some((user, fields.text()?))
}

/// OK, or EOF.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) affected: Option<u64>,
    pub(super) status: u16,
    pub(super) warnings: u16,
}

/// OK (0x00, or 0xfe at the end of rows) or EOF (0xfe and five bytes in all).
pub(super) fn done(body: &[u8]) -> Option<Done> {
    let mut fields = Fields(body);
    let first = fields.u8()?;
    if first == 0xfe && body.len() <= 5 {
        let warnings = fields.u16().unwrap_or(0);
        return Some(Done { affected: None, status: fields.u16().unwrap_or(0), warnings });
    }
    let affected = fields.number()?;
    fields.number()?;
    let status = fields.u16()?;
    Some(Done { affected: Some(affected), status, warnings: fields.u16().unwrap_or(0) })
}

/// ERR.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Failure<'a> {
    pub(super) code: u16,
    pub(super) state: Option<&'a str>,
    pub(super) message: &'a [u8],
}

pub(super) fn failure(body: &[u8]) -> Option<Failure<'_>> {
    let mut fields = Fields(body);
    fields.u8()?;
    let code = fields.u16()?;
    let mut state = None;
    if let Some(told) = fields.0.strip_prefix(b"#").and_then(|rest| rest.get(..5)) {
        state = std::str::from_utf8(told)
            .ok()
            .filter(|state| state.bytes().all(|byte| byte.is_ascii_digit() || byte.is_ascii_uppercase()));
        fields.take(6)?;
    }
    Some(Failure { code, state, message: fields.0 })
}

/// Where the statement of a COM_QUERY begins behind its attributes (CLIENT_QUERY_ATTRIBUTES), which are values.
pub(super) fn behind_attributes(body: &[u8]) -> Option<&[u8]> {
    let mut fields = Fields(body);
    let count = usize::try_from(fields.number()?).ok()?;
    // Sets of parameters: always one.
    if fields.number()? != 1 || count > 0xffff {
        return None;
    }
    if count == 0 {
        return Some(fields.0);
    }
    let nulls = fields.take(count.div_ceil(8))?;
    if fields.u8()? != 1 {
        return None;
    }
    let mut kinds = Vec::new();
    for _ in 0..count {
        kinds.push(fields.u16()? as u8);
        fields.bytes()?;
    }
    for (at, kind) in kinds.into_iter().enumerate() {
        if nulls[at / 8] >> (at % 8) & 1 == 1 {
            continue;
        }
        match kind {
            // Types of fixed length, by include/field_types.h.
            6 => {}
            1 => drop(fields.take(1)?),
            2 | 13 => drop(fields.take(2)?),
            3 | 4 | 9 => drop(fields.take(4)?),
            5 | 8 => drop(fields.take(8)?),
            7 | 10 | 11 | 12 => {
                let length = fields.u8()?;
                fields.take(usize::from(length))?;
            }
            _ => drop(fields.bytes()?),
        }
    }
    Some(fields.0)
}

/// Packets that lead from one to the next: how many are whole, and the numbers of the first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Chain {
    pub(super) first: u8,
    pub(super) whole: usize,
    /// They end where the bytes do.
    pub(super) exact: bool,
    /// The first byte of the last whole one, and its length.
    pub(super) last: (u8, usize),
}

pub(super) fn chain(mut bytes: &[u8]) -> Option<Chain> {
    let mut chain = Chain { first: header(bytes)?.number, whole: 0, exact: false, last: (0, 0) };
    let mut number = chain.first;
    while let Some(header) = header(bytes) {
        if header.number != number {
            return None;
        }
        number = number.wrapping_add(1);
        let Some(body) = bytes.get(HEADER..HEADER + header.length as usize) else { return Some(chain) };
        chain.last = (body.first().copied().unwrap_or(0), body.len());
        chain.whole += 1;
        bytes = &bytes[HEADER + body.len()..];
    }
    chain.exact = bytes.is_empty();
    Some(chain)
}
