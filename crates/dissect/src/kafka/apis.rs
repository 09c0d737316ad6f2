//! Every API of Kafka by its key: what it is called, its versions, and how its bodies are laid out.

use super::schema::Field;
use super::{answers, asks};

/// For APIs that never got compact types.
const NEVER: i16 = i16::MAX;

/// One API.
#[derive(Debug)]
pub(super) struct Api {
    pub(super) key: i16,
    pub(super) name: &'static str,
    /// The newest version whose layout is known here.
    pub(super) newest: i16,
    /// The first version with compact types and tagged fields (KIP-482).
    flexible: i16,
    /// Its request's body, where that is looked into.
    pub(super) ask: Option<&'static [Field]>,
    /// Its response's body, where that is looked into.
    pub(super) answer: Option<&'static [Field]>,
}

impl Api {
    /// Whether this version has compact types, and so tags in the header.
    pub(super) fn is_flexible(&self, version: i16) -> bool {
        version >= self.flexible
    }

    /// Whether the header of its response has tags. ApiVersions' never has: who asks does not know yet what
    /// the broker speaks (KIP-511).
    pub(super) fn answers_with_tags(&self, version: i16) -> bool {
        self.is_flexible(version) && self.key != API_VERSIONS
    }
}

pub(super) const PRODUCE: i16 = 0;
pub(super) const FETCH: i16 = 1;
pub(super) const METADATA: i16 = 3;
pub(super) const CONTROLLED_SHUTDOWN: i16 = 7;
pub(super) const OFFSET_COMMIT: i16 = 8;
pub(super) const JOIN_GROUP: i16 = 11;
pub(super) const HEARTBEAT: i16 = 12;
pub(super) const SYNC_GROUP: i16 = 14;
pub(super) const SASL_HANDSHAKE: i16 = 17;
pub(super) const API_VERSIONS: i16 = 18;
pub(super) const TXN_OFFSET_COMMIT: i16 = 28;
pub(super) const SASL_AUTHENTICATE: i16 = 36;
pub(super) const CONSUMER_GROUP_HEARTBEAT: i16 = 68;
pub(super) const SHARE_GROUP_HEARTBEAT: i16 = 76;
pub(super) const SHARE_FETCH: i16 = 78;
pub(super) const SHARE_ACKNOWLEDGE: i16 = 79;
pub(super) const STREAMS_GROUP_HEARTBEAT: i16 = 88;

/// The API of that key, where it is known.
pub(super) fn api(key: i16) -> Option<&'static Api> {
    let near = APIS.get(usize::try_from(key).ok()?)?;
    // The table has no holes, so the key is the place.
    (near.key == key).then_some(near)
}

const fn row(
    key: i16,
    name: &'static str,
    (newest, flexible): (i16, i16),
    ask: &'static [Field],
    answer: &'static [Field],
) -> Api {
    Api { key, name, newest, flexible, ask: Some(ask), answer: Some(answer) }
}

/// Of which only the response is looked into.
const fn told(key: i16, name: &'static str, (newest, flexible): (i16, i16), answer: &'static [Field]) -> Api {
    Api { key, name, newest, flexible, ask: None, answer: Some(answer) }
}

static APIS: &[Api] = &[
    row(PRODUCE, "Produce", (13, 9), asks::PRODUCE, answers::PRODUCE),
    row(FETCH, "Fetch", (18, 12), asks::FETCH, answers::FETCH),
    row(2, "ListOffsets", (10, 6), asks::LIST_OFFSETS, answers::LIST_OFFSETS),
    row(METADATA, "Metadata", (13, 9), asks::METADATA, answers::METADATA),
    told(4, "LeaderAndIsr", (7, 4), answers::BARE),
    told(5, "StopReplica", (4, 2), answers::BARE),
    told(6, "UpdateMetadata", (8, 6), answers::BARE),
    told(CONTROLLED_SHUTDOWN, "ControlledShutdown", (3, 3), answers::BARE),
    row(OFFSET_COMMIT, "OffsetCommit", (10, 8), asks::OFFSET_COMMIT, answers::OFFSET_COMMIT),
    row(9, "OffsetFetch", (10, 6), asks::OFFSET_FETCH, answers::OFFSET_FETCH),
    row(10, "FindCoordinator", (6, 3), asks::FIND_COORDINATOR, answers::FIND_COORDINATOR),
    row(JOIN_GROUP, "JoinGroup", (9, 6), asks::JOIN_GROUP, answers::JOIN_GROUP),
    row(HEARTBEAT, "Heartbeat", (4, 4), asks::HEARTBEAT, answers::HEARTBEAT),
    row(13, "LeaveGroup", (5, 4), asks::LEAVE_GROUP, answers::LEAVE_GROUP),
    row(SYNC_GROUP, "SyncGroup", (5, 4), asks::SYNC_GROUP, answers::SYNC_GROUP),
    row(15, "DescribeGroups", (6, 5), asks::DESCRIBE_GROUPS, answers::DESCRIBE_GROUPS),
    row(16, "ListGroups", (5, 3), asks::LIST_GROUPS, answers::LIST_GROUPS),
    row(SASL_HANDSHAKE, "SaslHandshake", (1, NEVER), asks::SASL_HANDSHAKE, answers::SASL_HANDSHAKE),
    row(API_VERSIONS, "ApiVersions", (4, 3), asks::API_VERSIONS, answers::API_VERSIONS),
    row(19, "CreateTopics", (7, 5), asks::CREATE_TOPICS, answers::CREATE_TOPICS),
    row(20, "DeleteTopics", (6, 4), asks::DELETE_TOPICS, answers::DELETE_TOPICS),
    row(21, "DeleteRecords", (2, 2), asks::DELETE_RECORDS, answers::DELETE_RECORDS),
    row(22, "InitProducerId", (6, 2), asks::INIT_PRODUCER_ID, answers::PLAIN),
    row(23, "OffsetForLeaderEpoch", (4, 4), asks::LEADER_EPOCH, answers::LEADER_EPOCH),
    row(24, "AddPartitionsToTxn", (5, 3), asks::ADD_PARTITIONS, answers::ADD_PARTITIONS),
    row(25, "AddOffsetsToTxn", (4, 3), asks::ADD_OFFSETS, answers::PLAIN),
    row(26, "EndTxn", (5, 3), asks::END_TXN, answers::PLAIN),
    told(27, "WriteTxnMarkers", (1, 1), answers::WRITE_TXN_MARKERS),
    row(TXN_OFFSET_COMMIT, "TxnOffsetCommit", (5, 3), asks::TXN_OFFSET_COMMIT, answers::BY_PARTITION),
    told(29, "DescribeAcls", (3, 2), answers::SAID),
    told(30, "CreateAcls", (3, 2), answers::CREATE_ACLS),
    told(31, "DeleteAcls", (3, 2), answers::DELETE_ACLS),
    row(32, "DescribeConfigs", (4, 4), asks::DESCRIBE_CONFIGS, answers::DESCRIBE_CONFIGS),
    row(33, "AlterConfigs", (2, 2), asks::ALTER_CONFIGS, answers::ALTER_CONFIGS),
    told(34, "AlterReplicaLogDirs", (2, 2), answers::BY_PARTITION),
    told(35, "DescribeLogDirs", (4, 2), answers::LOG_DIRS),
    row(SASL_AUTHENTICATE, "SaslAuthenticate", (2, 2), asks::SASL_AUTHENTICATE, answers::SASL_AUTHENTICATE),
    row(37, "CreatePartitions", (3, 2), asks::CREATE_PARTITIONS, answers::CREATE_PARTITIONS),
    told(38, "CreateDelegationToken", (3, 2), answers::BARE),
    told(39, "RenewDelegationToken", (2, 2), answers::BARE),
    told(40, "ExpireDelegationToken", (2, 2), answers::BARE),
    told(41, "DescribeDelegationToken", (3, 2), answers::BARE),
    row(42, "DeleteGroups", (2, 2), asks::DELETE_GROUPS, answers::DELETE_GROUPS),
    told(43, "ElectLeaders", (2, 2), answers::ELECT_LEADERS),
    row(44, "IncrementalAlterConfigs", (1, 1), asks::INCREMENTAL_ALTER_CONFIGS, answers::ALTER_CONFIGS),
    told(45, "AlterPartitionReassignments", (1, 0), answers::REASSIGNMENTS),
    told(46, "ListPartitionReassignments", (0, 0), answers::SAID),
    row(47, "OffsetDelete", (0, NEVER), asks::OFFSET_DELETE, answers::OFFSET_DELETE),
    told(48, "DescribeClientQuotas", (1, 1), answers::SAID),
    told(49, "AlterClientQuotas", (1, 1), answers::DELETE_ACLS),
    told(50, "DescribeUserScramCredentials", (0, 0), answers::SAID),
    told(51, "AlterUserScramCredentials", (0, 0), answers::USERS),
    told(52, "Vote", (2, 0), answers::BARE),
    told(53, "BeginQuorumEpoch", (1, 1), answers::BARE),
    told(54, "EndQuorumEpoch", (1, 1), answers::BARE),
    told(55, "DescribeQuorum", (2, 0), answers::BARE),
    told(56, "AlterPartition", (3, 0), answers::PLAIN),
    told(57, "UpdateFeatures", (2, 0), answers::SAID),
    told(58, "Envelope", (0, 0), answers::ENVELOPE),
    told(59, "FetchSnapshot", (1, 0), answers::PLAIN),
    row(60, "DescribeCluster", (2, 0), asks::DESCRIBE_CLUSTER, answers::SAID),
    row(61, "DescribeProducers", (0, 0), asks::DESCRIBE_PRODUCERS, answers::DESCRIBE_PRODUCERS),
    told(62, "BrokerRegistration", (4, 0), answers::PLAIN),
    told(63, "BrokerHeartbeat", (1, 0), answers::PLAIN),
    told(64, "UnregisterBroker", (0, 0), answers::SAID),
    row(65, "DescribeTransactions", (0, 0), asks::DESCRIBE_TRANSACTIONS, answers::DESCRIBED),
    told(66, "ListTransactions", (2, 0), answers::PLAIN),
    told(67, "AllocateProducerIds", (0, 0), answers::PLAIN),
    row(
        CONSUMER_GROUP_HEARTBEAT,
        "ConsumerGroupHeartbeat",
        (1, 0),
        asks::CONSUMER_GROUP_HEARTBEAT,
        answers::SAID,
    ),
    row(69, "ConsumerGroupDescribe", (1, 0), asks::GROUP_DESCRIBE, answers::DESCRIBED_GROUPS),
    told(70, "ControllerRegistration", (0, 0), answers::SAID),
    row(71, "GetTelemetrySubscriptions", (0, 0), asks::TELEMETRY_SUBSCRIPTIONS, answers::PLAIN),
    row(72, "PushTelemetry", (0, 0), asks::PUSH_TELEMETRY, answers::PLAIN),
    told(73, "AssignReplicasToDirs", (0, 0), answers::PLAIN),
    told(74, "ListConfigResources", (1, 0), answers::PLAIN),
    row(75, "DescribeTopicPartitions", (0, 0), asks::TOPIC_PARTITIONS, answers::TOPIC_PARTITIONS),
    row(SHARE_GROUP_HEARTBEAT, "ShareGroupHeartbeat", (1, 0), asks::SHARE_GROUP_HEARTBEAT, answers::SAID),
    row(77, "ShareGroupDescribe", (1, 0), asks::GROUP_DESCRIBE, answers::DESCRIBED_GROUPS),
    row(SHARE_FETCH, "ShareFetch", (1, 0), asks::SHARE_FETCH, answers::SHARE_FETCH),
    row(SHARE_ACKNOWLEDGE, "ShareAcknowledge", (1, 0), asks::SHARE_ACKNOWLEDGE, answers::SAID),
    told(80, "AddRaftVoter", (0, 0), answers::SAID),
    told(81, "RemoveRaftVoter", (0, 0), answers::SAID),
    told(82, "UpdateRaftVoter", (0, 0), answers::PLAIN),
    told(83, "InitializeShareGroupState", (0, 0), answers::SHARE_STATE),
    told(84, "ReadShareGroupState", (0, 0), answers::SHARE_STATE),
    told(85, "WriteShareGroupState", (0, 0), answers::SHARE_STATE),
    told(86, "DeleteShareGroupState", (0, 0), answers::SHARE_STATE),
    told(87, "ReadShareGroupStateSummary", (0, 0), answers::SHARE_STATE),
    row(
        STREAMS_GROUP_HEARTBEAT,
        "StreamsGroupHeartbeat",
        (0, 0),
        asks::STREAMS_GROUP_HEARTBEAT,
        answers::SAID,
    ),
    row(89, "StreamsGroupDescribe", (0, 0), asks::GROUP_DESCRIBE, answers::DESCRIBED_GROUPS),
    told(90, "DescribeShareGroupOffsets", (0, 0), answers::THROTTLED),
    told(91, "AlterShareGroupOffsets", (0, 0), answers::SAID),
    told(92, "DeleteShareGroupOffsets", (0, 0), answers::SAID),
];
