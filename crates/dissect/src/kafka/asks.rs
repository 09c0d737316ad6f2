//! The bodies of requests, by API (Kafka's message definitions). What is not here is not looked into.

use super::schema::What::{
    Acks, Committed, Group, Key, KeyType, MaxWait, Mechanism, MemberEpoch, MinBytes, Nothing, Offset,
    Partition, Resource, SoftwareName, SoftwareVersion, Topic, TopicId, TransactionalId,
};
use super::schema::{Field, bytes, int8, int16, int32, int64, items, list, records, rest, text, uuid};

pub(super) static PRODUCE: &[Field] = &[
    text(TransactionalId).since(3),
    int16(Acks),
    int32(Nothing),
    list(&[text(Topic).until(12), uuid(TopicId).since(13), list(&[int32(Partition), records()])]),
];

pub(super) static FETCH: &[Field] = &[
    int32(Nothing).until(14),
    int32(MaxWait),
    int32(MinBytes),
    int32(Nothing).since(3),
    int8(Nothing).since(4),
    int32(Nothing).since(7),
    int32(Nothing).since(7),
    list(&[
        text(Topic).until(12),
        uuid(TopicId).since(13),
        list(&[
            int32(Partition),
            int32(Nothing).since(9),
            int64(Offset),
            int32(Nothing).since(12),
            int64(Nothing).since(5),
            int32(Nothing),
        ]),
    ]),
    list(&[text(Nothing).until(12), uuid(Nothing).since(13), items(&[int32(Nothing)])]).since(7),
    text(Nothing).since(11),
];

pub(super) static LIST_OFFSETS: &[Field] = &[
    int32(Nothing),
    int8(Nothing).since(2),
    list(&[
        text(Topic),
        list(&[int32(Partition), int32(Nothing).since(4), int64(Nothing), int32(Nothing).until(0)]),
    ]),
    int32(Nothing).since(10),
];

pub(super) static METADATA: &[Field] = &[
    list(&[uuid(TopicId).since(10), text(Topic)]).since(9),
    items(&[text(Topic)]).until(8),
    int8(Nothing).since(4),
    int8(Nothing).since(8).until(10),
    int8(Nothing).since(8),
];

pub(super) static OFFSET_COMMIT: &[Field] = &[
    text(Group),
    int32(Nothing).since(1),
    text(Nothing).since(1),
    text(Nothing).since(7),
    int64(Nothing).since(2).until(4),
    list(&[
        text(Topic).until(9),
        uuid(TopicId).since(10),
        list(&[
            int32(Partition),
            int64(Offset),
            int32(Nothing).since(6),
            int64(Nothing).since(1).until(1),
            text(Nothing),
        ]),
    ]),
];

pub(super) static OFFSET_FETCH: &[Field] = &[
    text(Group).until(7),
    list(&[text(Topic), items(&[int32(Partition)])]).until(7),
    list(&[
        text(Group),
        text(Nothing).since(9),
        int32(Nothing).since(9),
        list(&[text(Topic).until(9), uuid(TopicId).since(10), items(&[int32(Partition)])]),
    ])
    .since(8),
    int8(Nothing).since(7),
];

pub(super) static FIND_COORDINATOR: &[Field] =
    &[text(Key).until(3), int8(KeyType).since(1), items(&[text(Key)]).since(4)];

pub(super) static JOIN_GROUP: &[Field] = &[
    text(Group),
    int32(Nothing),
    int32(Nothing).since(1),
    text(Nothing),
    text(Nothing).since(5),
    text(Nothing),
    list(&[text(Nothing), bytes()]),
    text(Nothing).since(8),
];

pub(super) static SYNC_GROUP: &[Field] = &[
    text(Group),
    int32(Nothing),
    text(Nothing),
    text(Nothing).since(3),
    text(Nothing).since(5),
    text(Nothing).since(5),
    list(&[text(Nothing), bytes()]),
];

pub(super) static HEARTBEAT: &[Field] = &[text(Group), int32(Nothing), text(Nothing), text(Nothing).since(3)];

pub(super) static LEAVE_GROUP: &[Field] = &[
    text(Group),
    text(Nothing).until(2),
    list(&[text(Nothing), text(Nothing), text(Nothing).since(5)]).since(3),
];

/// DescribeGroups, and DeleteGroups but for its flag.
pub(super) static DESCRIBE_GROUPS: &[Field] = &[items(&[text(Group)]), int8(Nothing).since(3)];

pub(super) static DELETE_GROUPS: &[Field] = &[items(&[text(Group)])];

pub(super) static GROUP_DESCRIBE: &[Field] = &[items(&[text(Group)]), int8(Nothing)];

pub(super) static LIST_GROUPS: &[Field] =
    &[items(&[text(Nothing)]).since(4), items(&[text(Nothing)]).since(5)];

pub(super) static SASL_HANDSHAKE: &[Field] = &[text(Mechanism)];

/// What is in these bytes is a password, or proves one.
pub(super) static SASL_AUTHENTICATE: &[Field] = &[bytes()];

pub(super) static API_VERSIONS: &[Field] = &[text(SoftwareName).since(3), text(SoftwareVersion).since(3)];

pub(super) static CREATE_TOPICS: &[Field] = &[
    list(&[
        text(Topic),
        int32(Nothing),
        int16(Nothing),
        list(&[int32(Nothing), items(&[int32(Nothing)])]),
        list(&[text(Nothing), text(Nothing)]),
    ]),
    int32(Nothing),
    int8(Nothing).since(1),
];

pub(super) static DELETE_TOPICS: &[Field] =
    &[list(&[text(Topic), uuid(TopicId)]).since(6), items(&[text(Topic)]).until(5), int32(Nothing)];

pub(super) static DELETE_RECORDS: &[Field] =
    &[list(&[text(Topic), list(&[int32(Partition), int64(Offset)])]), int32(Nothing)];

pub(super) static CREATE_PARTITIONS: &[Field] =
    &[list(&[text(Topic), int32(Nothing), list(&[items(&[int32(Nothing)])])]), int32(Nothing), int8(Nothing)];

pub(super) static INIT_PRODUCER_ID: &[Field] = &[
    text(TransactionalId),
    int32(Nothing),
    int64(Nothing).since(3),
    int16(Nothing).since(3),
    int8(Nothing).since(6),
    int8(Nothing).since(6),
];

pub(super) static LEADER_EPOCH: &[Field] = &[
    int32(Nothing).since(3),
    list(&[text(Topic), list(&[int32(Partition), int32(Nothing).since(2), int32(Nothing)])]),
];

pub(super) static ADD_PARTITIONS: &[Field] = &[
    list(&[
        text(TransactionalId),
        int64(Nothing),
        int16(Nothing),
        int8(Nothing),
        list(&[text(Topic), items(&[int32(Partition)])]),
    ])
    .since(4),
    text(TransactionalId).until(3),
    int64(Nothing).until(3),
    int16(Nothing).until(3),
    list(&[text(Topic), items(&[int32(Partition)])]).until(3),
];

pub(super) static ADD_OFFSETS: &[Field] =
    &[text(TransactionalId), int64(Nothing), int16(Nothing), text(Group)];

pub(super) static END_TXN: &[Field] =
    &[text(TransactionalId), int64(Nothing), int16(Nothing), int8(Committed)];

pub(super) static TXN_OFFSET_COMMIT: &[Field] = &[
    text(TransactionalId),
    text(Group),
    int64(Nothing),
    int16(Nothing),
    int32(Nothing).since(3),
    text(Nothing).since(3),
    text(Nothing).since(3),
    list(&[text(Topic), list(&[int32(Partition), int64(Offset), int32(Nothing).since(2), text(Nothing)])]),
];

pub(super) static DESCRIBE_CONFIGS: &[Field] = &[
    list(&[int8(Nothing), text(Resource), items(&[text(Nothing)])]),
    int8(Nothing).since(1),
    int8(Nothing).since(3),
];

/// The values of a configuration may be passwords, and are stepped over.
pub(super) static ALTER_CONFIGS: &[Field] =
    &[list(&[int8(Nothing), text(Resource), list(&[text(Nothing), text(Nothing)])]), int8(Nothing)];

pub(super) static INCREMENTAL_ALTER_CONFIGS: &[Field] = &[
    list(&[int8(Nothing), text(Resource), list(&[text(Nothing), int8(Nothing), text(Nothing)])]),
    int8(Nothing),
];

pub(super) static OFFSET_DELETE: &[Field] = &[text(Group), list(&[text(Topic), list(&[int32(Partition)])])];

pub(super) static DESCRIBE_CLUSTER: &[Field] =
    &[int8(Nothing), int8(Nothing).since(1), int8(Nothing).since(2)];

pub(super) static DESCRIBE_PRODUCERS: &[Field] = &[list(&[text(Topic), items(&[int32(Partition)])])];

pub(super) static DESCRIBE_TRANSACTIONS: &[Field] = &[items(&[text(TransactionalId)])];

pub(super) static CONSUMER_GROUP_HEARTBEAT: &[Field] = &[
    text(Group),
    text(Nothing),
    int32(MemberEpoch),
    text(Nothing),
    text(Nothing),
    int32(Nothing),
    items(&[text(Topic)]),
    text(Nothing).since(1),
    text(Nothing),
    list(&[uuid(Nothing), items(&[int32(Nothing)])]),
];

pub(super) static SHARE_GROUP_HEARTBEAT: &[Field] =
    &[text(Group), text(Nothing), int32(MemberEpoch), text(Nothing), items(&[text(Topic)])];

pub(super) static STREAMS_GROUP_HEARTBEAT: &[Field] =
    &[text(Group), text(Nothing), int32(MemberEpoch), rest()];

pub(super) static TELEMETRY_SUBSCRIPTIONS: &[Field] = &[uuid(Nothing)];

pub(super) static PUSH_TELEMETRY: &[Field] =
    &[uuid(Nothing), int32(Nothing), int8(Nothing), int8(Nothing), bytes()];

pub(super) static TOPIC_PARTITIONS: &[Field] = &[list(&[text(Topic)]), int32(Nothing), rest()];

pub(super) static SHARE_FETCH: &[Field] = &[
    text(Group),
    text(Nothing),
    int32(Nothing),
    int32(MaxWait),
    int32(MinBytes),
    int32(Nothing),
    int32(Nothing),
    int32(Nothing),
    list(&[
        uuid(TopicId),
        list(&[int32(Partition), list(&[int64(Nothing), int64(Nothing), items(&[int8(Nothing)])])]),
    ]),
    list(&[uuid(Nothing), items(&[int32(Nothing)])]),
];

pub(super) static SHARE_ACKNOWLEDGE: &[Field] =
    &[text(Group), text(Nothing), int32(Nothing), list(&[uuid(TopicId), list(&[int32(Partition), rest()])])];
