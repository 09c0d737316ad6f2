//! How a body is laid out, said in tables: fields in wire order, with the versions that have them.
//!
//! `asks` and `answers` hold the tables; `walk` follows one over bytes as they come. Only what is named by a
//! [`What`] is looked at, everything else is stepped over.

/// The last version there can be.
const EVER: i16 = i16::MAX;

/// What a field says, where anybody wants to know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    Nothing,
    Topic,
    TopicId,
    /// A topic that is told of a topic id: what comes before it is its name.
    TopicIdOfName,
    Partition,
    Group,
    TransactionalId,
    /// A key of which the type says what it is: a group, a transactional id.
    Key,
    KeyType,
    Resource,
    Mechanism,
    Acks,
    MaxWait,
    MinBytes,
    MemberEpoch,
    /// An offset: asked for, committed, written at.
    Offset,
    HighWatermark,
    Throttle,
    Error,
    /// An error about what is named after it.
    ErrorOfNext,
    ErrorMessage,
    /// Whether a transaction is committed.
    Committed,
    SoftwareName,
    SoftwareVersion,
}

/// What a field is made of.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// So many bytes: a big-endian integer where it is at most eight.
    Fixed(u8),
    /// A string, null or not, compact in flexible versions.
    Text,
    /// Bytes that nobody reads.
    Bytes,
    /// Batches of records, of which only the heads are read.
    Records,
    /// Structures of these fields, each with tags in flexible versions.
    List(&'static [Field]),
    /// Values of this one kind, without tags.
    Items(&'static [Field]),
    /// What follows is not looked at.
    Rest,
}

/// One field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    pub(super) what: What,
    pub(super) kind: Kind,
    since: i16,
    until: i16,
}

impl Field {
    const fn new(what: What, kind: Kind) -> Self {
        Self { what, kind, since: 0, until: EVER }
    }

    /// The same, in versions from this on.
    pub(super) const fn since(self, version: i16) -> Self {
        Self { since: version, ..self }
    }

    /// The same, in versions up to this.
    pub(super) const fn until(self, version: i16) -> Self {
        Self { until: version, ..self }
    }

    /// Whether this version has it.
    pub(super) const fn is_in(&self, version: i16) -> bool {
        self.since <= version && version <= self.until
    }
}

pub(super) const fn int8(what: What) -> Field {
    Field::new(what, Kind::Fixed(1))
}

pub(super) const fn int16(what: What) -> Field {
    Field::new(what, Kind::Fixed(2))
}

pub(super) const fn int32(what: What) -> Field {
    Field::new(what, Kind::Fixed(4))
}

pub(super) const fn int64(what: What) -> Field {
    Field::new(what, Kind::Fixed(8))
}

pub(super) const fn uuid(what: What) -> Field {
    Field::new(what, Kind::Fixed(16))
}

pub(super) const fn text(what: What) -> Field {
    Field::new(what, Kind::Text)
}

pub(super) const fn bytes() -> Field {
    Field::new(What::Nothing, Kind::Bytes)
}

pub(super) const fn records() -> Field {
    Field::new(What::Nothing, Kind::Records)
}

pub(super) const fn list(fields: &'static [Field]) -> Field {
    Field::new(What::Nothing, Kind::List(fields))
}

pub(super) const fn items(field: &'static [Field; 1]) -> Field {
    Field::new(What::Nothing, Kind::Items(field))
}

pub(super) const fn rest() -> Field {
    Field::new(What::Nothing, Kind::Rest)
}
