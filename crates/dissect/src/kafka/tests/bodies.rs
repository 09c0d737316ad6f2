//! What bodies say.

use wirewise_model::Kind;

use super::{Bytes, answer, ask, ask_flexibly, batch, c, hear, s};
use crate::talk::{Ev, attribute, texts, told};

fn attributes(exchange: &wirewise_model::Exchange) -> Vec<String> {
    exchange
        .attributes
        .iter()
        .filter(|attribute| attribute.name != "messaging.system")
        .map(|attribute| format!("{}={}", attribute.name, attribute.value))
        .collect()
}

#[test]
fn produce_tells_topic_partition_records_and_offset() {
    let asked = ask_flexibly(0, 9, 3).compact(2).raw(b"tx").i16(-1).i32(1500);
    let records = [batch(3, 90), batch(4, 100)].concat();
    let asked = asked.compact(1).short("orders").compact(1).i32(5).compact(records.len()).raw(&records);
    let asked = asked.tags().tags().tags();
    let answered =
        answer(3).tags().compact(1).short("orders").compact(1).i32(5).i16(0).i64(40).i64(-1).i64(0);
    let answered = answered.compact(0).raw(&[0]).tags().tags().i32(12).tags();
    let heard = hear(&[c(asked), s(answered)]);
    assert_eq!(told(&heard), ["Produce orders NONE ok 1>2 +throttled"]);
    assert_eq!(
        attributes(&heard[0]),
        [
            "messaging.client.id=shop-1",
            "kafka.api_version=9",
            "kafka.correlation_id=3",
            "messaging.operation.type=send",
            "messaging.destination.name=orders",
            "messaging.destination.partition.id=5",
            "kafka.transactional_id=tx",
            "kafka.required_acks=-1",
            "messaging.batch.message_count=7",
            "messaging.kafka.offset=40",
            "kafka.throttle_time=12",
        ]
    );
}

#[test]
fn the_first_error_of_several_partitions_is_told_with_its_place() {
    let asked = ask(0, 3, 1).i16(-1).i16(1).i32(9).i32(1).text("t").i32(2).i32(0).i32(-1).i32(1).i32(-1);
    let answered = answer(1).i32(1).text("t").i32(2).i32(0).i16(0).i64(1).i64(-1);
    let answered = answered.i32(1).i16(6).i64(-1).i64(-1).i32(0);
    let heard = hear(&[c(asked), s(answered)]);
    assert_eq!(told(&heard), ["Produce t NOT_LEADER_OR_FOLLOWER server_error 1>2"]);
    assert_eq!(heard[0].error.as_deref(), Some("NOT_LEADER_OR_FOLLOWER (t [1])"));
    assert_eq!(heard[0].status_code, Some(6));
}

/// Metadata version 10 of one topic, which tells its id.
fn metadata(id: [u8; 16], error: i16) -> [Ev; 2] {
    let asked =
        ask_flexibly(3, 10, 1).compact(1).raw(&[0; 16]).short("orders").tags().i8(1).i8(0).i8(0).tags();
    let answered = answer(1).tags().i32(0).compact(0).raw(&[0]).i32(1);
    let answered = answered.compact(1).i16(error).short("orders").raw(&id).i8(0).compact(0).i32(0).tags();
    [c(asked), s(answered.i32(0).tags())]
}

fn fetch_by_id(correlation: i32, ids: &[[u8; 16]]) -> Bytes {
    let mut asked = ask_flexibly(1, 13, correlation).i32(-1).i32(500).i32(1).i32(1 << 20).i8(0).i32(9).i32(1);
    asked = asked.compact(ids.len());
    for id in ids {
        asked = asked.raw(id).compact(1).i32(0).i32(-1).i64(17).i32(-1).i64(-1).i32(1 << 20).tags().tags();
    }
    // One topic is forgotten, by its id.
    asked.compact(1).raw(&[9; 16]).compact(1).i32(4).tags().short("rack").tags()
}

fn fetched(correlation: i32, id: [u8; 16], error: i16, records: &[u8]) -> Bytes {
    let answered = answer(correlation).tags().i32(0).i16(0).i32(9).compact(1).raw(&id).compact(1);
    let answered = answered.i32(0).i16(error).i64(25).i64(25).i64(0).compact(0).i32(-1);
    answered.compact(records.len()).raw(records).tags().tags().tags()
}

#[test]
fn a_topic_id_is_told_by_the_name_that_metadata_gave_it() {
    let id = [0xab; 16];
    let [asked, answered] = metadata(id, 0);
    let heard = hear(&[
        asked,
        answered,
        c(fetch_by_id(2, &[id])),
        s(fetched(2, id, 0, &batch(6, 80))),
        c(fetch_by_id(3, &[[0xcd; 16]])),
        s(fetched(3, [0xcd; 16], 100, &[])),
    ]);
    assert_eq!(
        told(&heard),
        [
            "Metadata orders NONE ok 1>2",
            "Fetch orders NONE ok 3>4",
            "Fetch cdcdcdcd-cdcd-cdcd-cdcd-cdcdcdcdcdcd UNKNOWN_TOPIC_ID client_error 5>6",
        ]
    );
    assert_eq!(attribute(&heard[1], "messaging.batch.message_count").as_deref(), Some("6"));
    assert_eq!(attribute(&heard[1], "messaging.kafka.offset").as_deref(), Some("17"));
    assert_eq!(attribute(&heard[1], "kafka.high_watermark").as_deref(), Some("25"));
    assert_eq!(
        attribute(&heard[1], "kafka.topic_id").as_deref(),
        Some("abababab-abab-abab-abab-abababababab")
    );
}

#[test]
fn a_fetch_that_names_nothing_is_about_what_its_session_fetches() {
    let id = [0xab; 16];
    let [asked, answered] = metadata(id, 0);
    let empty = |id| answer(id).tags().i32(0).i16(0).i32(9).compact(0).tags();
    let heard = hear(&[
        asked,
        answered,
        c(fetch_by_id(2, &[id])),
        s(empty(2)),
        c(fetch_by_id(3, &[])),
        Ev::Wait(500),
        s(empty(3)),
    ]);
    assert_eq!(
        told(&heard)[1..],
        ["Fetch orders NONE ok long_poll 3>4", "Fetch orders NONE ok long_poll 5>6"]
    );
}

#[test]
fn a_fetch_is_a_long_poll_where_it_waited() {
    let id = [0xab; 16];
    let heard = hear(&[
        c(fetch_by_id(1, &[id])),
        s(fetched(1, id, 0, &batch(1, 80))),
        c(fetch_by_id(2, &[id])),
        Ev::Wait(300),
        s(fetched(2, id, 0, &batch(1, 80))),
    ]);
    assert_eq!(heard.iter().map(|exchange| exchange.kind).collect::<Vec<_>>(), [Kind::Unary, Kind::LongPoll]);
}

#[test]
fn an_error_that_stands_before_its_topic_is_told_of_that_topic() {
    let asked = ask(3, 1, 1).i32(2).text("good").text("bad");
    let answered = answer(1).i32(0).i32(1).i32(2);
    let answered = answered.i16(0).text("good").i8(0).i32(0).i16(5).text("bad").i8(0).i32(0);
    let heard = hear(&[c(asked), s(answered)]);
    assert_eq!(told(&heard), ["Metadata good LEADER_NOT_AVAILABLE server_error 1>2"]);
    assert_eq!(heard[0].error.as_deref(), Some("LEADER_NOT_AVAILABLE (bad)"));
    assert_eq!(attribute(&heard[0], "kafka.topic_count").as_deref(), Some("2"));
}

#[test]
fn an_unsupported_version_of_api_versions_is_answered_in_version_0() {
    let asked = ask_flexibly(18, 4, 1).short("apache-kafka-java").short("4.1.0").tags();
    let refused = answer(1).i16(35).i32(1).i16(18).i16(0).i16(3);
    let again = ask_flexibly(18, 3, 2).short("apache-kafka-java").short("4.1.0").tags();
    // Its header has no tags, though its body is flexible.
    let answered = answer(2).i16(0).compact(1).i16(0).i16(0).i16(9).tags().i32(0).tags();
    let heard = hear(&[c(asked), s(refused), c(again), s(answered)]);
    assert_eq!(
        told(&heard),
        [
            "ApiVersions apache-kafka-java/4.1.0 UNSUPPORTED_VERSION client_error session 1>2",
            "ApiVersions apache-kafka-java/4.1.0 NONE ok session 3>4",
        ]
    );
}

#[test]
fn groups_are_the_target_of_what_is_asked_of_their_coordinator() {
    let join = ask(11, 5, 1).text("billing").i32(1).i32(2).text("").i16(-1).text("consumer");
    let join = join.i32(1).text("range").i32(3).raw(b"abc");
    let joined = answer(1).i32(0).i16(79).i32(-1).text("").text("").text("member-1").i32(0);
    let find = ask_flexibly(10, 4, 2).i8(0).compact(2).short("billing").short("other").tags();
    let found = answer(2).tags().i32(0).compact(1).short("billing").i32(1).short("b").i32(9092).i16(15);
    let found = found.short("no coordinator").tags().tags();
    let leave = ask(13, 1, 3).text("billing").text("member-1");
    let left = answer(3).i32(0).i16(25);
    let heard = hear(&[c(join), s(joined), c(find), s(found), c(leave), s(left)]);
    assert_eq!(
        told(&heard),
        [
            "JoinGroup billing MEMBER_ID_REQUIRED client_error long_poll 1>2",
            "FindCoordinator billing COORDINATOR_NOT_AVAILABLE server_error 3>4",
            "LeaveGroup billing UNKNOWN_MEMBER_ID client_error 5>6",
        ]
    );
    assert_eq!(heard[1].error.as_deref(), Some("no coordinator"));
    assert_eq!(attribute(&heard[1], "kafka.group_count").as_deref(), Some("2"));
}

#[test]
fn transactions_tell_their_id() {
    let init = ask_flexibly(22, 4, 1).short("pay").i32(60000).i64(-1).i16(-1).tags();
    let inited = answer(1).tags().i32(0).i16(0).i64(5).i16(0).tags();
    let end = ask(26, 1, 2).text("pay").i64(5).i16(0).i8(0);
    let ended = answer(2).i32(0).i16(51);
    let find = ask(10, 2, 3).text("pay").i8(1);
    let found = answer(3).i32(0).i16(0).i16(-1).i32(1).text("b").i32(9092);
    let heard = hear(&[c(init), s(inited), c(end), s(ended), c(find), s(found)]);
    assert_eq!(
        told(&heard),
        [
            "InitProducerId pay NONE ok 1>2",
            "EndTxn pay CONCURRENT_TRANSACTIONS client_error 3>4",
            "FindCoordinator pay NONE ok 5>6",
        ]
    );
    assert_eq!(attribute(&heard[1], "kafka.transaction_result").as_deref(), Some("ABORT"));
    assert_eq!(attribute(&heard[2], "kafka.transactional_id").as_deref(), Some("pay"));
}

#[test]
fn a_members_heartbeat_is_a_probe_and_its_joining_is_not() {
    let beat = |correlation, epoch| {
        let asked = ask_flexibly(68, 0, correlation).short("g").short("m").i32(epoch).raw(&[0, 0]).i32(-1);
        asked.compact(1).short("orders").raw(&[0]).compact(0).tags()
    };
    let beaten = |correlation| {
        answer(correlation).tags().i32(0).i16(0).raw(&[0]).short("m").i32(1).i32(5).i8(-1).tags()
    };
    let heard = hear(&[c(beat(1, 0)), s(beaten(1)), c(beat(2, 1)), s(beaten(2))]);
    assert_eq!(
        told(&heard),
        ["ConsumerGroupHeartbeat g NONE ok 1>2", "ConsumerGroupHeartbeat g NONE ok probe 3>4"]
    );
}

#[test]
fn tagged_fields_are_stepped_over() {
    // A producer's header and body with tags of 3 and of 200 bytes.
    let asked = ask(12, 4, 1).raw(&[2, 0, 3]).raw(b"abc").raw(&[9, 0xc8, 1]).raw(&[7; 200]);
    let asked = asked.short("g").i32(1).short("m").raw(&[0]).raw(&[1, 5, 2]).raw(b"xy");
    let answered = answer(1).raw(&[1, 0, 1, 0xff]).i32(0).i16(0).tags();
    assert_eq!(told(&hear(&[c(asked), s(answered)])), ["Heartbeat g NONE ok probe 1>2"]);
}

#[test]
fn secrets_are_nowhere_in_what_is_told() {
    let canary = "canary-7f3a";
    let first = Ev::C(ask(17, 1, 1).text("SCRAM-SHA-256").framed());
    let scram = ask_flexibly(36, 2, 2).short(&format!("n,,n=alice,r={canary}")).tags();
    let challenge = answer(2).tags().i16(0).raw(&[0]).short(&format!("r={canary},s=x,i=4096")).i64(0).tags();
    let refused = ask_flexibly(36, 2, 3).short(&format!("c=biws,p={canary}")).tags();
    let no = answer(3).tags().i16(58).short("Authentication failed").short(canary).i64(0).tags();
    let mut record = batch(1, 61);
    record.extend_from_slice(canary.as_bytes());
    record[8..12].copy_from_slice(&(61 - 12 + canary.len() as i32).to_be_bytes());
    let config = ask(33, 0, 5).i32(1).i8(2).text("orders").i32(1).text("ssl.key.password").text(canary).i8(0);
    let heard = hear(&[
        first,
        s(answer(1).i16(0).i32(0)),
        c(scram),
        s(challenge),
        c(refused),
        s(no),
        c(super::produce(4, "t", 1, &record)),
        s(super::produced(4, "t", 0, 1)),
        c(config),
        s(answer(5).i32(0).i32(1).i16(0).i16(-1).i8(2).text("orders")),
    ]);
    assert_eq!(
        told(&heard),
        [
            "SaslHandshake SCRAM-SHA-256 NONE ok session 1>2",
            "SaslAuthenticate NONE ok session 3>4",
            "SaslAuthenticate SASL_AUTHENTICATION_FAILED client_error session 5>6",
            "Produce t NONE ok 7>8",
            "AlterConfigs orders NONE ok 9>10",
        ]
    );
    for text in heard.iter().flat_map(texts) {
        assert!(!text.contains(canary), "{text}");
        assert!(!text.contains("alice"), "{text}");
    }
}
