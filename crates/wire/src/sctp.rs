//! SCTP's common header and its chunks, RFC 9260 section 3.

/// The common header (ports stand in the packet's key) and the chunks behind it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sctp<'a> {
    /// Verification tag.
    pub tag: u32,
    /// All chunks as captured.
    pub bytes: &'a [u8],
}

impl<'a> Sctp<'a> {
    /// The chunks in order. Stops at the first that is malformed.
    pub fn chunks(&self) -> Chunks<'a> {
        Chunks { rest: self.bytes }
    }
}

/// A chunk's type. Unknown numbers are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkKind(pub u8);

impl ChunkKind {
    /// User data.
    pub const DATA: Self = Self(0);
    /// Opens an association.
    pub const INIT: Self = Self(1);
    /// Answers it.
    pub const INIT_ACK: Self = Self(2);
    /// Asks whether the peer is there.
    pub const HEARTBEAT: Self = Self(4);
    /// Closes at once.
    pub const ABORT: Self = Self(6);
    /// Begins an orderly close.
    pub const SHUTDOWN: Self = Self(7);
    /// The peer agrees.
    pub const SHUTDOWN_ACK: Self = Self(8);
    /// Something is wrong, and the association goes on.
    pub const ERROR: Self = Self(9);
    /// The close is complete.
    pub const SHUTDOWN_COMPLETE: Self = Self(14);
    /// User data with a message id, RFC 8260.
    pub const I_DATA: Self = Self(64);
}

/// One chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Chunk<'a> {
    /// Type.
    pub kind: ChunkKind,
    /// Flags, whose meaning depends on the type.
    pub flags: u8,
    /// What was captured of the value, padding not included.
    pub body: &'a [u8],
    /// How long the value is, as its header says.
    pub length: usize,
}

/// A DATA chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// Transmission sequence number.
    pub tsn: u32,
    /// Stream.
    pub stream: u16,
    /// Sequence number within the stream.
    pub sequence: u16,
    /// Payload protocol identifier.
    pub protocol: u32,
    /// First part of a message.
    pub begins: bool,
    /// Last part of a message.
    pub ends: bool,
    /// What was captured of the user data.
    pub payload: &'a [u8],
    /// How long the user data is, as its header says.
    pub length: usize,
}

impl<'a> Chunk<'a> {
    /// The code of the first cause, where this is an ABORT or ERROR that gives one (RFC 9260, 3.3.10).
    pub fn cause(&self) -> Option<u16> {
        match self.kind {
            ChunkKind::ABORT | ChunkKind::ERROR => {
                self.body.first_chunk().map(|code| u16::from_be_bytes(*code))
            }
            _ => None,
        }
    }

    /// Reads it as DATA; none where it is another chunk or its header is not whole.
    pub fn data(&self) -> Option<Data<'a>> {
        const HEADER: usize = 12;
        if self.kind != ChunkKind::DATA {
            return None;
        }
        let (head, payload) = self.body.split_first_chunk::<HEADER>()?;
        let [t0, t1, t2, t3, s0, s1, q0, q1, p0, p1, p2, p3] = *head;
        Some(Data {
            tsn: u32::from_be_bytes([t0, t1, t2, t3]),
            stream: u16::from_be_bytes([s0, s1]),
            sequence: u16::from_be_bytes([q0, q1]),
            protocol: u32::from_be_bytes([p0, p1, p2, p3]),
            begins: self.flags & 2 != 0,
            ends: self.flags & 1 != 0,
            payload,
            length: self.length.saturating_sub(HEADER),
        })
    }
}

/// Iterates over chunks.
#[derive(Clone, Debug)]
pub struct Chunks<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Chunks<'a> {
    type Item = Chunk<'a>;

    fn next(&mut self) -> Option<Chunk<'a>> {
        let (&[kind, flags, high, low], value) = self.rest.split_first_chunk::<4>()?;
        let length = usize::from(u16::from_be_bytes([high, low])).checked_sub(4)?;
        let body = &value[..length.min(value.len())];
        self.rest = value.get(length.next_multiple_of(4)..).unwrap_or(&[]);
        Some(Chunk { kind: ChunkKind(kind), flags, body, length })
    }
}
