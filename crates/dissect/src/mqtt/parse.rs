//! Control packets from bytes: pure and bounded. MQTT 3.1, 3.1.1 (OASIS, 2014) and 5 (OASIS, 2019).

/// Filters of one packet that are kept; more are counted.
const MOST_FILTERS: usize = 64;
/// Bytes of a topic, a filter or an identifier that are kept.
const KEPT: usize = 512;

pub(super) const CONNECT: u8 = 1;
pub(super) const CONNACK: u8 = 2;
pub(super) const PUBLISH: u8 = 3;
pub(super) const PUBACK: u8 = 4;
pub(super) const PUBREC: u8 = 5;
pub(super) const PUBREL: u8 = 6;
pub(super) const PUBCOMP: u8 = 7;
pub(super) const SUBSCRIBE: u8 = 8;
pub(super) const SUBACK: u8 = 9;
pub(super) const UNSUBSCRIBE: u8 = 10;
pub(super) const UNSUBACK: u8 = 11;
pub(super) const PINGREQ: u8 = 12;
pub(super) const PINGRESP: u8 = 13;
pub(super) const DISCONNECT: u8 = 14;
pub(super) const AUTH: u8 = 15;

/// Version 5, where properties and reason codes begin.
pub(super) const V5: u8 = 5;

/// The first bytes of every packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Fixed {
    pub(super) kind: u8,
    pub(super) flags: u8,
    /// Bytes that follow.
    pub(super) remaining: u32,
    /// How many bytes the header is.
    pub(super) head: usize,
}

impl Fixed {
    /// `None` where more is needed; `Err` where no packet begins so.
    pub(super) fn parse(bytes: &[u8]) -> Result<Option<Self>, ()> {
        let Some((&first, rest)) = bytes.split_first() else { return Ok(None) };
        let Some((remaining, used)) = varint(rest)? else { return Ok(None) };
        Ok(Some(Self { kind: first >> 4, flags: first & 15, remaining, head: 1 + used }))
    }

    pub(super) fn qos(self) -> u8 {
        self.flags >> 1 & 3
    }

    pub(super) fn is_duplicate(self) -> bool {
        self.flags & 8 != 0
    }

    pub(super) fn is_retained(self) -> bool {
        self.flags & 1 != 0
    }

    /// Whether flags and length are those of a packet of its kind.
    pub(super) fn is_plausible(self) -> bool {
        let flags = match self.kind {
            PUBLISH => self.qos() < 3 && (self.qos() > 0 || !self.is_duplicate()),
            // 3.1 let PUBREL, SUBSCRIBE and UNSUBSCRIBE be sent again, with DUP.
            PUBREL | SUBSCRIBE | UNSUBSCRIBE => self.flags & 0b0111 == 0b0010,
            _ => self.flags == 0,
        };
        let length = match self.kind {
            CONNECT => self.remaining >= 12,
            CONNACK | PUBACK | PUBREC | PUBREL | PUBCOMP | UNSUBACK => self.remaining >= 2,
            PUBLISH => self.remaining >= 2,
            SUBSCRIBE => self.remaining >= 5,
            UNSUBSCRIBE => self.remaining >= 4,
            SUBACK => self.remaining >= 3,
            PINGREQ | PINGRESP => self.remaining == 0,
            DISCONNECT | AUTH => true,
            _ => false,
        };
        flags && length
    }
}

/// Four bytes at most, seven bits each, least first.
fn varint(bytes: &[u8]) -> Result<Option<(u32, usize)>, ()> {
    let mut value = 0;
    for (index, byte) in bytes.iter().take(4).enumerate() {
        value |= u32::from(byte & 127) << (7 * index);
        if byte & 128 == 0 {
            return Ok(Some((value, index + 1)));
        }
    }
    if bytes.len() >= 4 { Err(()) } else { Ok(None) }
}

/// A cursor over a packet's bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a>(pub(super) &'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    fn u16(&mut self) -> Option<u16> {
        self.take(2).map(|bytes| u16::from_be_bytes([bytes[0], bytes[1]]))
    }

    fn bytes(&mut self) -> Option<&'a [u8]> {
        let len = self.u16()?;
        self.take(usize::from(len))
    }

    fn text(&mut self) -> Option<String> {
        self.bytes().map(|bytes| crate::text::printable(&bytes[..bytes.len().min(KEPT)]))
    }

    fn varint(&mut self) -> Option<u32> {
        let (value, used) = varint(self.0).ok().flatten()?;
        self.take(used)?;
        Some(value)
    }

    fn properties(&mut self) -> Option<Properties> {
        let len = self.varint()?;
        Properties::parse(Self(self.take(len as usize)?))
    }
}

/// What is kept of a packet's properties.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Properties {
    pub(super) topic_alias: Option<u16>,
    pub(super) reason: Option<String>,
    pub(super) response_topic: Option<String>,
    pub(super) auth_method: Option<String>,
    pub(super) client_id: Option<String>,
    pub(super) trace: Option<(String, String)>,
}

impl Properties {
    fn parse(mut from: Cursor<'_>) -> Option<Self> {
        let mut found = Self::default();
        while !from.0.is_empty() {
            match from.varint()? {
                0x01 | 0x17 | 0x19 | 0x24 | 0x25 | 0x28..=0x2a => {
                    from.u8()?;
                }
                0x13 | 0x21 | 0x22 => {
                    from.u16()?;
                }
                0x02 | 0x11 | 0x18 | 0x27 => {
                    from.take(4)?;
                }
                0x0b => {
                    from.varint()?;
                }
                0x03 | 0x09 | 0x16 | 0x1a | 0x1c => {
                    from.bytes()?;
                }
                0x08 => found.response_topic = Some(from.text()?),
                0x12 => found.client_id = Some(from.text()?),
                0x15 => found.auth_method = Some(from.text()?),
                0x1f => found.reason = Some(from.text()?),
                0x23 => found.topic_alias = Some(from.u16()?),
                0x26 => {
                    let (name, value) = (from.bytes()?, from.bytes()?);
                    if name.eq_ignore_ascii_case(b"traceparent") {
                        found.trace = crate::text::traceparent(value);
                    }
                }
                _ => return None,
            }
        }
        Some(found)
    }
}

/// What is kept of a CONNECT; never its password, nor its will.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Connect {
    pub(super) version: u8,
    pub(super) client_id: String,
    pub(super) keep_alive: u16,
    pub(super) clean: bool,
    pub(super) will: bool,
    pub(super) username: Option<String>,
    pub(super) auth_method: Option<String>,
    /// Something of it could not be read.
    pub(super) malformed: bool,
}

/// A CONNECT's body. `None` where not even its protocol can be read.
pub(super) fn connect(body: &[u8]) -> Option<Connect> {
    let mut from = Cursor(body);
    let name = from.bytes()?;
    if !matches!(name, b"MQTT" | b"MQIsdp") {
        return None;
    }
    let (version, flags, keep_alive) = (from.u8()?, from.u8()?, from.u16()?);
    let mut connect = Connect {
        version: version & 0x7f,
        client_id: String::new(),
        keep_alive,
        clean: flags & 2 != 0,
        will: flags & 4 != 0,
        username: None,
        auth_method: None,
        malformed: false,
    };
    connect.malformed = connect.rest(from, flags).is_none();
    Some(connect)
}

impl Connect {
    fn rest(&mut self, mut from: Cursor<'_>, flags: u8) -> Option<()> {
        if self.version == V5 {
            self.auth_method = from.properties()?.auth_method;
        }
        self.client_id = from.text()?;
        if self.will {
            if self.version == V5 {
                from.properties()?;
            }
            from.bytes()?;
            from.bytes()?;
        }
        if flags & 0x80 != 0 {
            self.username = Some(from.text()?);
        }
        Some(())
    }
}

/// A PUBLISH before its payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Publish {
    pub(super) topic: String,
    pub(super) id: Option<u16>,
    pub(super) properties: Properties,
    /// Bytes of all this.
    pub(super) head: usize,
}

/// The beginning of a PUBLISH's body. `None` where `body` is too short for it.
pub(super) fn publish(body: &[u8], qos: u8, version: Option<u8>) -> Option<Publish> {
    let mut from = Cursor(body);
    let topic = from.text()?;
    let id = if qos > 0 { Some(from.u16()?) } else { None };
    let properties = if version == Some(V5) { from.properties()? } else { Properties::default() };
    Some(Publish { topic, id, properties, head: body.len() - from.0.len() })
}

/// PUBACK, PUBREC, PUBREL, PUBCOMP, and what version 5 may add.
pub(super) fn acknowledgement(body: &[u8]) -> Option<(u16, u8, Properties)> {
    let mut from = Cursor(body);
    let id = from.u16()?;
    let reason = from.u8().unwrap_or(0);
    Some((id, reason, from.properties().unwrap_or_default()))
}

/// CONNACK: its code and what version 5 may add.
pub(super) fn connack(body: &[u8]) -> Option<(u8, Properties)> {
    let mut from = Cursor(body);
    from.u8()?;
    let code = from.u8()?;
    Some((code, from.properties().unwrap_or_default()))
}

/// DISCONNECT or AUTH: a reason, in version 5 alone.
pub(super) fn reason(body: &[u8]) -> (Option<u8>, Properties) {
    let mut from = Cursor(body);
    let code = from.u8();
    (code, from.properties().unwrap_or_default())
}

/// SUBSCRIBE or UNSUBSCRIBE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Filters {
    pub(super) id: u16,
    /// The first of them.
    pub(super) filters: Vec<String>,
    /// How many there are.
    pub(super) count: u32,
    /// The version in which they could be read.
    pub(super) version: u8,
}

/// Reads them in the version that is known, else in the one in which they fit.
pub(super) fn filters(body: &[u8], subscribes: bool, version: Option<u8>) -> Option<Filters> {
    match version {
        Some(version) => filters_in(body, subscribes, version),
        None => filters_in(body, subscribes, 4).or_else(|| filters_in(body, subscribes, V5)),
    }
}

fn filters_in(body: &[u8], subscribes: bool, version: u8) -> Option<Filters> {
    let mut from = Cursor(body);
    let mut found = Filters { id: from.u16()?, version, ..Filters::default() };
    if version == V5 {
        from.properties()?;
    }
    while !from.0.is_empty() {
        let filter = from.bytes().filter(|filter| !filter.is_empty())?;
        // In version 5 the byte has more options than the quality of service.
        if subscribes && from.u8()? > if version == V5 { 0x2f } else { 2 } {
            return None;
        }
        if found.filters.len() < MOST_FILTERS {
            found.filters.push(crate::text::printable(&filter[..filter.len().min(KEPT)]));
        }
        found.count += 1;
    }
    (found.count > 0).then_some(found)
}

/// SUBACK or UNSUBACK: a code for each filter; UNSUBACK has them in version 5 alone.
pub(super) fn codes(body: &[u8], count: Option<u32>, version: Option<u8>) -> Option<(u16, &[u8])> {
    let mut from = Cursor(body);
    let id = from.u16()?;
    // Where the version is not known, so many codes as there were filters leave no room for properties, or do.
    let is_v5 = version.map_or_else(
        || count.is_some_and(|count| from.0.len() > count as usize && from.0.first() == Some(&0)),
        |version| version == V5,
    );
    if is_v5 && !from.0.is_empty() {
        from.properties()?;
    }
    Some((id, from.0))
}
