//! What a body says that is worth a column.

use super::errors;
use super::schema::What;

/// More of a text is not kept.
const LONGEST: usize = 512;
/// Topic ids that are learnt from one response; more are not.
const MOST_LEARNT: usize = 32;

/// One value of a body.
#[derive(Clone, Copy, Debug)]
pub(super) enum Seen<'a> {
    Number(i64),
    Text(&'a [u8]),
    Id([u8; 16]),
}

/// A topic, by whichever of its names the version uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    Name(String),
    Id([u8; 16]),
}

/// The values of one body. Of what comes often the first is kept, and how many there were.
#[derive(Clone, Debug, Default)]
pub(super) struct Facts {
    pub(super) topic: Option<Topic>,
    pub(super) topics: u32,
    pub(super) partition: Option<i64>,
    pub(super) partitions: u32,
    pub(super) group: Option<String>,
    pub(super) groups: u32,
    pub(super) transactional_id: Option<String>,
    pub(super) key: Option<String>,
    pub(super) key_type: Option<i64>,
    pub(super) resource: Option<String>,
    pub(super) mechanism: Option<String>,
    pub(super) acks: Option<i64>,
    pub(super) max_wait: Option<i64>,
    pub(super) min_bytes: Option<i64>,
    pub(super) member_epoch: Option<i64>,
    pub(super) offset: Option<i64>,
    pub(super) high_watermark: Option<i64>,
    pub(super) throttle: i64,
    pub(super) committed: Option<bool>,
    pub(super) software: Option<String>,
    /// Records in all batches.
    pub(super) records: u64,
    /// The first error that is one, else 0 where an error code was read at all.
    pub(super) error: Option<i16>,
    /// How many errors there were.
    pub(super) errors: u32,
    pub(super) error_message: Option<String>,
    /// What the first error is about, where that was named before it.
    pub(super) error_topic: Option<Topic>,
    pub(super) error_partition: Option<i64>,
    /// Names of topics by their ids.
    pub(super) learnt: Vec<([u8; 16], String)>,
    /// Set for ApiVersions: an unsupported version is answered in version 0.
    may_fall_back: bool,
    pub(super) falls_back: bool,
    /// The last name, where it is not the first, and the last partition under it: for what follows them.
    later_topic: Option<Topic>,
    last_partition: Option<i64>,
    /// The first error is about what is named next.
    names_next: bool,
}

impl Facts {
    /// Of a body of which nothing was read; `may_fall_back` for what answers ApiVersions.
    pub(super) fn new(may_fall_back: bool) -> Self {
        Self { may_fall_back, ..Self::default() }
    }

    /// Takes one value in. Values of another kind than the field's cannot come.
    pub(super) fn take(&mut self, what: What, seen: Seen<'_>) {
        match seen {
            Seen::Number(number) => self.number(what, number),
            Seen::Text(text) => self.text(what, text),
            Seen::Id(id) => self.id(what, id),
        }
    }

    fn number(&mut self, what: What, number: i64) {
        match what {
            What::Partition => {
                self.partitions += 1;
                self.partition.get_or_insert(number);
                self.last_partition = Some(number);
                if std::mem::take(&mut self.names_next) {
                    self.error_partition = Some(number);
                }
            }
            What::Error => {
                if self.error_code(number as i16) {
                    self.error_partition = self.last_partition;
                }
            }
            What::ErrorOfNext => self.names_next |= self.error_code(number as i16),
            What::Acks => self.acks = Some(number),
            What::MaxWait => self.max_wait = Some(number),
            What::MinBytes => self.min_bytes = Some(number),
            What::MemberEpoch => self.member_epoch = Some(number),
            What::KeyType => self.key_type = Some(number),
            What::Committed => self.committed = Some(number != 0),
            What::Throttle => self.throttle = number,
            What::Offset => {
                self.offset.get_or_insert(number);
            }
            What::HighWatermark => {
                self.high_watermark.get_or_insert(number);
            }
            What::Nothing
            | What::Topic
            | What::TopicId
            | What::TopicIdOfName
            | What::Group
            | What::TransactionalId
            | What::Key
            | What::Resource
            | What::Mechanism
            | What::ErrorMessage
            | What::SoftwareName
            | What::SoftwareVersion => {}
        }
    }

    /// Whether this is the first error of all.
    fn error_code(&mut self, code: i16) -> bool {
        if code == 0 {
            self.error.get_or_insert(0);
            return false;
        }
        self.falls_back = self.may_fall_back && code == errors::UNSUPPORTED_VERSION;
        self.errors += 1;
        if self.error.is_some_and(|error| error != 0) {
            return false;
        }
        self.error = Some(code);
        self.error_topic = self.last_topic().cloned();
        true
    }

    fn last_topic(&self) -> Option<&Topic> {
        self.later_topic.as_ref().or(self.topic.as_ref())
    }

    fn named(&mut self, topic: Topic) {
        self.topics += 1;
        self.last_partition = None;
        if std::mem::take(&mut self.names_next) {
            self.error_topic = Some(topic.clone());
        }
        if self.topic.is_none() {
            self.topic = Some(topic);
        } else {
            self.later_topic = Some(topic);
        }
    }

    fn text(&mut self, what: What, text: &[u8]) {
        let kept = |text: &[u8]| {
            let mut text = String::from_utf8_lossy(text).into_owned();
            let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
            text.truncate(end.unwrap_or(0));
            text
        };
        let keep = |slot: &mut Option<String>| {
            if slot.is_none() {
                *slot = Some(kept(text));
            }
        };
        match what {
            What::Topic => self.named(Topic::Name(kept(text))),
            What::Group => {
                self.groups += 1;
                keep(&mut self.group);
            }
            What::Key => {
                self.groups += 1;
                keep(&mut self.key);
            }
            What::TransactionalId => keep(&mut self.transactional_id),
            What::Resource => {
                self.topics += 1;
                keep(&mut self.resource);
            }
            What::Mechanism => keep(&mut self.mechanism),
            What::ErrorMessage if self.errors == 1 => keep(&mut self.error_message),
            What::SoftwareName => keep(&mut self.software),
            What::SoftwareVersion => {
                if let Some(software) = &mut self.software {
                    software.push('/');
                    software.push_str(&kept(text));
                }
            }
            What::Nothing
            | What::TopicId
            | What::TopicIdOfName
            | What::Partition
            | What::KeyType
            | What::Acks
            | What::MaxWait
            | What::MinBytes
            | What::MemberEpoch
            | What::Offset
            | What::HighWatermark
            | What::Throttle
            | What::Error
            | What::ErrorOfNext
            | What::ErrorMessage
            | What::Committed => {}
        }
    }

    fn id(&mut self, what: What, id: [u8; 16]) {
        if id == [0; 16] {
            return;
        }
        if what == What::TopicId {
            self.named(Topic::Id(id));
        } else if what == What::TopicIdOfName
            && self.learnt.len() < MOST_LEARNT
            && let Some(Topic::Name(name)) = self.last_topic()
        {
            let learnt = (id, name.clone());
            self.learnt.push(learnt);
        }
    }
}
