//! Makes columns of what bodies said.

use std::time::Duration;

use wirewise_model::{Coverage, Exchange, Kind, Outcome};

use super::apis::{self, Api};
use super::errors;
use super::facts::{Facts, Topic};
use super::pair::{Asked, Memory};
use super::parse::RequestHead;

/// A fetch that took at least this part of the time that it was told to wait has waited.
const WAITED: u32 = 10;

/// The request's columns. `facts` is what its body said, as far as it was heard.
pub(super) fn request(exchange: &mut Exchange, head: &RequestHead<'_>, api: Option<&'static Api>) {
    exchange.operation = match api {
        Some(api) => api.name.to_owned(),
        None => format!("api_{}", head.key),
    };
    exchange.attribute("messaging.system", "kafka");
    if let Some(id) = head.client_id.filter(|id| !id.is_empty()) {
        exchange.attribute("messaging.client.id", String::from_utf8_lossy(id).into_owned());
    }
    exchange.attribute("kafka.api_version", i64::from(head.version));
    exchange.attribute("kafka.correlation_id", i64::from(head.correlation));
    match api {
        None => exchange.note("unknown_api"),
        Some(api) if head.version > api.newest && api.key != apis::API_VERSIONS => {
            exchange.note("unknown_version");
        }
        Some(_) => {}
    }
}

/// What the request's body said, once that is over.
pub(super) fn asked(
    exchange: &mut Exchange,
    key: i16,
    facts: Facts,
    memory: &mut Option<Box<Memory>>,
) -> Asked {
    exchange.kind = kind(key, &facts);
    let operation_type = match key {
        apis::PRODUCE => Some("send"),
        apis::FETCH | apis::SHARE_FETCH => Some("receive"),
        apis::OFFSET_COMMIT | apis::TXN_OFFSET_COMMIT | apis::SHARE_ACKNOWLEDGE => Some("settle"),
        _ => None,
    };
    if let Some(word) = operation_type {
        exchange.attribute("messaging.operation.type", word);
    }
    let mut topic = facts.topic.as_ref().map(|topic| name(topic, memory));
    if key == apis::FETCH {
        // In a fetch session (KIP-227) only what changed is named again.
        match &topic {
            Some(topic) => memory.get_or_insert_default().fetched = Some(topic.clone()),
            None => topic = memory.as_ref().and_then(|memory| memory.fetched.clone()),
        }
    }
    if let Some(topic) = &topic {
        exchange.attribute("messaging.destination.name", topic.clone());
    }
    if let Some(Topic::Id(id)) = &facts.topic {
        exchange.attribute("kafka.topic_id", uuid(id));
    }
    counted(exchange, "kafka.topic_count", facts.topics);
    if let Some(partition) = facts.partition {
        exchange.attribute("messaging.destination.partition.id", partition.to_string());
    }
    counted(exchange, "kafka.partition_count", facts.partitions);
    let (group, transaction) = match facts.key_type {
        Some(1) => (None, facts.key),
        Some(0) | None => (facts.key, None),
        // A share coordinator's key is group, topic id and partition.
        Some(_) => (facts.key, None),
    };
    let group = facts.group.or(group);
    let transaction = facts.transactional_id.or(transaction);
    if let Some(group) = &group {
        exchange.attribute("messaging.consumer.group.name", group.clone());
    }
    counted(exchange, "kafka.group_count", facts.groups);
    if let Some(id) = &transaction {
        exchange.attribute("kafka.transactional_id", id.clone());
    }
    if let Some(acks) = facts.acks {
        exchange.attribute("kafka.required_acks", acks);
    }
    if let Some(wait) = facts.max_wait {
        exchange.attribute("kafka.max_wait_time", wait);
    }
    if let Some(committed) = facts.committed {
        exchange.attribute("kafka.transaction_result", if committed { "COMMIT" } else { "ABORT" });
    }
    if let Some(mechanism) = &facts.mechanism {
        exchange.attribute("kafka.sasl_mechanism", mechanism.clone());
    }
    if let Some(software) = &facts.software {
        exchange.attribute("kafka.client_software", software.clone());
    }
    if facts.records > 0 {
        exchange.attribute("messaging.batch.message_count", as_i64(facts.records));
    }
    if let Some(offset) = facts.offset {
        exchange.attribute("messaging.kafka.offset", offset);
    }
    let about_members = is_member_heartbeat(key);
    let first = if about_members { group.clone() } else { topic.clone() };
    exchange.target = first
        .or(facts.resource)
        .or(topic)
        .or(group)
        .or(transaction)
        .or(facts.mechanism)
        .or(facts.software)
        .unwrap_or_default();
    Asked {
        max_wait: facts.max_wait.filter(|_| facts.min_bytes != Some(0)),
        one_way: key == apis::PRODUCE && facts.acks == Some(0),
        named: facts.topics > 0,
    }
}

/// What the response's body said, once that is over.
pub(super) fn answered(
    exchange: &mut Exchange,
    key: i16,
    asked: Asked,
    facts: Facts,
    memory: &mut Option<Box<Memory>>,
) {
    if let Some(topic) = &facts.topic {
        // A request that names none, or by an id: the answer may name it.
        let topic = name(topic, memory);
        if exchange.target.is_empty() && !asked.named && key != apis::METADATA {
            exchange.attribute("messaging.destination.name", topic.clone());
            exchange.target = topic;
        }
    }
    if facts.records > 0 {
        exchange.attribute("messaging.batch.message_count", as_i64(facts.records));
    }
    if key == apis::PRODUCE
        && let Some(offset) = facts.offset.filter(|offset| *offset >= 0)
    {
        exchange.attribute("messaging.kafka.offset", offset);
    }
    if let Some(mark) = facts.high_watermark.filter(|mark| *mark >= 0) {
        exchange.attribute("kafka.high_watermark", mark);
    }
    if facts.throttle > 0 {
        exchange.attribute("kafka.throttle_time", facts.throttle);
        exchange.note("throttled");
    }
    exchange.outcome = match facts.error {
        Some(code) => {
            exchange.status = Some(errors::name(code).map_or_else(|| format!("error_{code}"), str::to_owned));
            exchange.status_code = Some(i64::from(code));
            errors::outcome(code)
        }
        None => Outcome::Ok,
    };
    if facts.errors > 0 {
        exchange.error = Some(said(exchange, &facts, memory));
        counted(exchange, "kafka.error_count", facts.errors);
    }
    if let Some(took) = exchange.took()
        && let Some(wait) = asked.max_wait.and_then(|wait| u64::try_from(wait).ok()).filter(|wait| *wait > 0)
    {
        // The broker answers an empty fetch only when its time is up; one with records may have waited for
        // them.
        let waited = took * WAITED >= Duration::from_millis(wait);
        let empty = facts.records == 0 && facts.errors == 0;
        exchange.kind = if waited || empty { Kind::LongPoll } else { Kind::Unary };
    }
    for (id, topic) in facts.learnt {
        memory.get_or_insert_default().learn(id, topic);
    }
}

/// Nothing can be said of how it came out: the body was not heard whole, or is of a version not known here.
pub(super) fn unread(exchange: &mut Exchange, holed: bool) {
    // An error that was read before that stands.
    let told = exchange.status_code.is_some_and(|code| code != 0);
    if !told {
        exchange.outcome = Outcome::Unknown;
        exchange.status = None;
        exchange.status_code = None;
    }
    if holed {
        exchange.note("gap");
        exchange.coverage = Coverage::Partial;
    } else if !told {
        exchange.note("body_unread");
    }
}

fn said(exchange: &Exchange, facts: &Facts, memory: &Option<Box<Memory>>) -> String {
    let mut text = match (&facts.error_message, &exchange.status) {
        (Some(message), _) if !message.is_empty() => message.clone(),
        (_, Some(name)) => name.clone(),
        (_, None) => String::new(),
    };
    if let Some(topic) = &facts.error_topic
        && facts.topics.max(facts.partitions) > 1
    {
        text += " (";
        text += &name(topic, memory);
        if let Some(partition) = facts.error_partition {
            text += &format!(" [{partition}]");
        }
        text += ")";
    }
    text
}

/// The heartbeats by which members also join and leave (KIP-848 and its kin).
fn is_member_heartbeat(key: i16) -> bool {
    matches!(
        key,
        apis::CONSUMER_GROUP_HEARTBEAT | apis::SHARE_GROUP_HEARTBEAT | apis::STREAMS_GROUP_HEARTBEAT
    )
}

fn kind(key: i16, facts: &Facts) -> Kind {
    match key {
        apis::FETCH | apis::SHARE_FETCH if facts.max_wait.is_some_and(|wait| wait > 0) => Kind::LongPoll,
        // The coordinator holds these until all members have come, and until the leader has decided.
        apis::JOIN_GROUP | apis::SYNC_GROUP => Kind::LongPoll,
        apis::HEARTBEAT => Kind::Probe,
        _ if is_member_heartbeat(key) && facts.member_epoch.is_some_and(|epoch| epoch > 0) => Kind::Probe,
        apis::API_VERSIONS | apis::SASL_HANDSHAKE | apis::SASL_AUTHENTICATE => Kind::Session,
        _ => Kind::Unary,
    }
}

fn counted(exchange: &mut Exchange, name: &'static str, count: u32) {
    if count > 1 {
        exchange.attribute(name, i64::from(count));
    }
}

fn as_i64(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A topic's name, or its id as Kafka writes it where the name was not heard.
fn name(topic: &Topic, memory: &Option<Box<Memory>>) -> String {
    match topic {
        Topic::Name(name) => name.clone(),
        Topic::Id(id) => {
            let known = memory.as_ref().and_then(|memory| memory.name(id));
            known.map_or_else(|| uuid(id), str::to_owned)
        }
    }
}

/// As UUIDs are written. Kafka's own tools write base64, in which every id looks like a secret.
fn uuid(id: &[u8; 16]) -> String {
    let hex = hex::encode(id);
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}
