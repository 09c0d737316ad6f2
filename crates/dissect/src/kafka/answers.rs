//! The bodies of responses, by API (Kafka's message definitions): as far as errors, offsets and counts are in
//! them.

use super::schema::What::{
    Error, ErrorMessage, ErrorOfNext, HighWatermark, Nothing, Offset, Partition, Throttle, Topic, TopicId,
    TopicIdOfName,
};
use super::schema::{Field, bytes, int8, int16, int32, int64, items, list, records, rest, text, uuid};

pub(super) static PRODUCE: &[Field] = &[
    list(&[
        text(Topic).until(12),
        uuid(TopicId).since(13),
        list(&[
            int32(Partition),
            int16(Error),
            int64(Offset),
            int64(Nothing).since(2),
            int64(Nothing).since(5),
            list(&[int32(Nothing), text(Nothing)]).since(8),
            text(ErrorMessage).since(8),
        ]),
    ]),
    int32(Throttle).since(1),
];

pub(super) static FETCH: &[Field] = &[
    int32(Throttle).since(1),
    int16(Error).since(7),
    int32(Nothing).since(7),
    list(&[
        text(Topic).until(12),
        uuid(TopicId).since(13),
        list(&[
            int32(Partition),
            int16(Error),
            int64(HighWatermark),
            int64(Nothing).since(4),
            int64(Nothing).since(5),
            list(&[int64(Nothing), int64(Nothing)]).since(4),
            int32(Nothing).since(11),
            records(),
        ]),
    ]),
];

pub(super) static LIST_OFFSETS: &[Field] = &[
    int32(Throttle).since(2),
    list(&[
        text(Topic),
        list(&[
            int32(Partition),
            int16(Error),
            items(&[int64(Offset)]).until(0),
            int64(Nothing).since(1),
            int64(Offset).since(1),
            int32(Nothing).since(4),
        ]),
    ]),
];

pub(super) static METADATA: &[Field] = &[
    int32(Throttle).since(3),
    list(&[int32(Nothing), text(Nothing), int32(Nothing), text(Nothing).since(1)]),
    text(Nothing).since(2),
    int32(Nothing).since(1),
    list(&[
        int16(ErrorOfNext),
        text(Topic),
        uuid(TopicIdOfName).since(10),
        int8(Nothing).since(1),
        list(&[
            int16(ErrorOfNext),
            int32(Partition),
            int32(Nothing),
            int32(Nothing).since(7),
            items(&[int32(Nothing)]),
            items(&[int32(Nothing)]),
            items(&[int32(Nothing)]).since(5),
        ]),
        int32(Nothing).since(8),
    ]),
    int32(Nothing).since(8).until(10),
    int16(Error).since(13),
];

pub(super) static OFFSET_COMMIT: &[Field] = &[
    int32(Throttle).since(3),
    list(&[text(Topic).until(9), uuid(TopicId).since(10), list(&[int32(Partition), int16(Error)])]),
];

pub(super) static OFFSET_FETCH: &[Field] = &[
    int32(Throttle).since(3),
    list(&[
        text(Topic),
        list(&[int32(Partition), int64(Offset), int32(Nothing).since(5), text(Nothing), int16(Error)]),
    ])
    .until(7),
    int16(Error).since(2).until(7),
    list(&[
        text(Nothing),
        list(&[
            text(Topic).until(9),
            uuid(TopicId).since(10),
            list(&[int32(Partition), int64(Offset), int32(Nothing), text(Nothing), int16(Error)]),
        ]),
        int16(Error),
    ])
    .since(8),
];

pub(super) static FIND_COORDINATOR: &[Field] = &[
    int32(Throttle).since(1),
    int16(Error).until(3),
    text(ErrorMessage).since(1).until(3),
    int32(Nothing).until(3),
    text(Nothing).until(3),
    int32(Nothing).until(3),
    list(&[text(Nothing), int32(Nothing), text(Nothing), int32(Nothing), int16(Error), text(ErrorMessage)])
        .since(4),
];

pub(super) static JOIN_GROUP: &[Field] = &[
    int32(Throttle).since(2),
    int16(Error),
    int32(Nothing),
    text(Nothing).since(7),
    text(Nothing),
    text(Nothing),
    int8(Nothing).since(9),
    text(Nothing),
    list(&[text(Nothing), text(Nothing).since(5), bytes()]),
];

pub(super) static SYNC_GROUP: &[Field] =
    &[int32(Throttle).since(1), int16(Error), text(Nothing).since(5), text(Nothing).since(5), bytes()];

pub(super) static HEARTBEAT: &[Field] = &[int32(Throttle).since(1), int16(Error)];

pub(super) static LEAVE_GROUP: &[Field] =
    &[int32(Throttle).since(1), int16(Error), list(&[text(Nothing), text(Nothing), int16(Error)]).since(3)];

pub(super) static DESCRIBE_GROUPS: &[Field] = &[
    int32(Throttle).since(1),
    list(&[
        int16(Error),
        text(ErrorMessage).since(6),
        text(Nothing),
        text(Nothing),
        text(Nothing),
        text(Nothing),
        list(&[text(Nothing), text(Nothing).since(4), text(Nothing), text(Nothing), bytes(), bytes()]),
        int32(Nothing).since(3),
    ]),
];

pub(super) static LIST_GROUPS: &[Field] = &[
    int32(Throttle).since(1),
    int16(Error),
    list(&[text(Nothing), text(Nothing), text(Nothing).since(4), text(Nothing).since(5)]),
];

pub(super) static SASL_HANDSHAKE: &[Field] = &[int16(Error), items(&[text(Nothing)])];

/// The bytes of a challenge are stepped over.
pub(super) static SASL_AUTHENTICATE: &[Field] =
    &[int16(Error), text(ErrorMessage), bytes(), int64(Nothing).since(1)];

pub(super) static API_VERSIONS: &[Field] =
    &[int16(Error), list(&[int16(Nothing), int16(Nothing), int16(Nothing)]), int32(Throttle).since(1)];

pub(super) static CREATE_TOPICS: &[Field] = &[
    int32(Throttle).since(2),
    list(&[
        text(Topic),
        uuid(TopicIdOfName).since(7),
        int16(Error),
        text(ErrorMessage).since(1),
        int32(Nothing).since(5),
        int16(Nothing).since(5),
        list(&[text(Nothing), text(Nothing), int8(Nothing), int8(Nothing), int8(Nothing)]).since(5),
    ]),
];

pub(super) static DELETE_TOPICS: &[Field] = &[
    int32(Throttle).since(1),
    list(&[text(Topic), uuid(TopicIdOfName).since(6), int16(Error), text(ErrorMessage).since(5)]),
];

pub(super) static DELETE_RECORDS: &[Field] =
    &[int32(Throttle), list(&[text(Topic), list(&[int32(Partition), int64(Offset), int16(Error)])])];

pub(super) static CREATE_PARTITIONS: &[Field] =
    &[int32(Throttle), list(&[text(Topic), int16(Error), text(ErrorMessage)])];

pub(super) static LEADER_EPOCH: &[Field] = &[
    int32(Throttle).since(2),
    list(&[
        text(Topic),
        list(&[int16(ErrorOfNext), int32(Partition), int32(Nothing).since(1), int64(Nothing)]),
    ]),
];

pub(super) static ADD_PARTITIONS: &[Field] = &[
    int32(Throttle),
    int16(Error).since(4),
    list(&[text(Nothing), list(&[text(Topic), list(&[int32(Partition), int16(Error)])])]).since(4),
    list(&[text(Topic), list(&[int32(Partition), int16(Error)])]).until(3),
];

/// Topics, partitions and their errors: TxnOffsetCommit and others.
pub(super) static BY_PARTITION: &[Field] =
    &[int32(Throttle), list(&[text(Topic), list(&[int32(Partition), int16(Error)])])];

pub(super) static DESCRIBE_CONFIGS: &[Field] =
    &[int32(Throttle), list(&[int16(Error), text(ErrorMessage), int8(Nothing), text(Nothing), rest()])];

pub(super) static ALTER_CONFIGS: &[Field] =
    &[int32(Throttle), list(&[int16(Error), text(ErrorMessage), int8(Nothing), text(Nothing)])];

pub(super) static CREATE_ACLS: &[Field] = &[int32(Throttle), list(&[int16(Error), text(ErrorMessage)])];

pub(super) static DELETE_ACLS: &[Field] =
    &[int32(Throttle), list(&[int16(Error), text(ErrorMessage), rest()])];

pub(super) static OFFSET_DELETE: &[Field] =
    &[int16(Error), int32(Throttle), list(&[text(Topic), list(&[int32(Partition), int16(Error)])])];

pub(super) static WRITE_TXN_MARKERS: &[Field] =
    &[list(&[int64(Nothing), list(&[text(Topic), list(&[int32(Partition), int16(Error)])])])];

pub(super) static USERS: &[Field] =
    &[int32(Throttle), list(&[text(Nothing), int16(Error), text(ErrorMessage)])];

pub(super) static ELECT_LEADERS: &[Field] = &[
    int32(Throttle),
    int16(Error).since(1),
    list(&[text(Topic), list(&[int32(Partition), int16(Error), text(ErrorMessage)])]),
];

pub(super) static DELETE_GROUPS: &[Field] = &[int32(Throttle), list(&[text(Nothing), int16(Error)])];

/// Only the throttle time: its errors lie deeper than anybody has asked for.
pub(super) static THROTTLED: &[Field] = &[int32(Throttle), rest()];

pub(super) static LOG_DIRS: &[Field] = &[int32(Throttle), int16(Error).since(3), rest()];

pub(super) static REASSIGNMENTS: &[Field] =
    &[int32(Throttle), int8(Nothing).since(1), int16(Error), text(ErrorMessage), rest()];

pub(super) static ENVELOPE: &[Field] = &[bytes(), int16(Error)];

pub(super) static DESCRIBE_PRODUCERS: &[Field] = &[
    int32(Throttle),
    list(&[text(Topic), list(&[int32(Partition), int16(Error), text(ErrorMessage), rest()])]),
];

/// Groups, or transactions, each with an error in front.
pub(super) static DESCRIBED: &[Field] = &[int32(Throttle), list(&[int16(Error), rest()])];

pub(super) static DESCRIBED_GROUPS: &[Field] =
    &[int32(Throttle), list(&[int16(Error), text(ErrorMessage), rest()])];

pub(super) static TOPIC_PARTITIONS: &[Field] =
    &[int32(Throttle), list(&[int16(ErrorOfNext), text(Topic), uuid(TopicIdOfName), rest()])];

pub(super) static SHARE_FETCH: &[Field] = &[
    int32(Throttle),
    int16(Error),
    text(ErrorMessage),
    int32(Nothing),
    list(&[
        uuid(TopicId),
        list(&[
            int32(Partition),
            int16(Error),
            text(ErrorMessage),
            int16(Error),
            text(ErrorMessage),
            // The leader, a structure of two numbers and its tags.
            int32(Nothing),
            int32(Nothing),
            int8(Nothing),
            records(),
            list(&[int64(Nothing), int64(Nothing), int16(Nothing)]),
        ]),
    ]),
    rest(),
];

pub(super) static SHARE_STATE: &[Field] =
    &[list(&[uuid(TopicId), list(&[int32(Partition), int16(Error), text(ErrorMessage), rest()])])];

/// A throttle time and an error, as most begin.
pub(super) static PLAIN: &[Field] = &[int32(Throttle), int16(Error), rest()];

/// The same with the error's own words.
pub(super) static SAID: &[Field] = &[int32(Throttle), int16(Error), text(ErrorMessage), rest()];

/// An error in front: what brokers and controllers say to each other.
pub(super) static BARE: &[Field] = &[int16(Error), rest()];
