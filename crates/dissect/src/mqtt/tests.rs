//! Conversations in the three versions, as they stand on the wire.

use wirewise_model::{Coverage, Exchange, Limits, Side};

use crate::End;
use crate::rehearsal::{Ev, Flow, attribute, c, hear, is_quick, mistreat, overhear, s, texts, told};

const PORT: u16 = 1883;

/// A packet: its first byte, and what follows.
fn packet(first: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let mut bytes = vec![first];
    let mut left = body.len();
    loop {
        let more = left > 127;
        bytes.push((left & 127) as u8 | if more { 128 } else { 0 });
        left >>= 7;
        if !more {
            break;
        }
    }
    bytes.extend(body);
    bytes
}

/// A string with its length.
fn text(text: &str) -> Vec<u8> {
    [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat()
}

fn connect(version: u8) -> Vec<u8> {
    let (name, properties): (_, &[u8]) = match version {
        3 => ("MQIsdp", &[]),
        4 => ("MQTT", &[]),
        _ => ("MQTT", &[0]),
    };
    let rest =
        [text("device-1"), properties.to_vec(), text("will/t"), text("canary"), text("bob"), text("canary")];
    packet(0x10, &[&text(name), &[version, 0xc6, 0, 60], properties, &rest.concat()])
}

fn publish(flags: u8, topic: &str, id: Option<u16>, properties: &[u8], payload: &[u8]) -> Vec<u8> {
    let id = id.map(|id| id.to_be_bytes().to_vec()).unwrap_or_default();
    packet(0x30 | flags, &[&text(topic), &id, properties, payload])
}

fn ack(first: u8, id: u16) -> Vec<u8> {
    packet(first, &[&id.to_be_bytes()])
}

fn check(events: &[Ev], expected: &[&str]) -> Vec<Exchange> {
    let heard = hear(PORT, events);
    assert_eq!(told(&heard), expected);
    heard
}

fn connected(version: u8) -> [Ev; 2] {
    let accepted: &[u8] = if version == 5 { &[0, 0, 0] } else { &[0, 0] };
    [c(connect(version)), s(packet(0x20, &[accepted]))]
}

/// After a handshake in that version.
fn converse(version: u8, events: &[Ev], expected: &[&str]) -> Vec<Exchange> {
    let heard = hear(PORT, &[&connected(version), events].concat());
    assert_eq!(told(&heard)[1..], *expected);
    heard[1..].to_vec()
}

#[test]
fn a_connection_says_who_and_never_the_password() {
    for version in [3, 4, 5] {
        let status = if version == 5 { "Success" } else { "Connection accepted" };
        let heard = check(&connected(version), &[&format!("CONNECT {status} ok session 1ms")]);
        for (name, value) in [
            ("messaging.system", "mqtt"),
            ("messaging.client.id", "device-1"),
            ("mqtt.username", "bob"),
            ("mqtt.kalive", "60"),
            ("mqtt.conflag.willflag", "true"),
        ] {
            assert_eq!(attribute(&heard[0], name), value);
        }
        assert!(!texts(&heard).contains("canary"));
    }
}

#[test]
fn refusals_say_who_is_to_blame() {
    for (version, code, expected) in [
        (4, 5, "CONNECT Not authorized client_error session 1ms"),
        (4, 3, "CONNECT Server unavailable server_error session 1ms"),
        (5, 0x86, "CONNECT Bad user name or password client_error session 1ms"),
        (5, 0x89, "CONNECT Server busy server_error session 1ms"),
        (5, 0x9c, "CONNECT Use another server ok session 1ms"),
    ] {
        let body: &[u8] = if version == 5 { &[0, code, 0] } else { &[0, code] };
        let heard = check(&[c(connect(version)), s(packet(0x20, &[body]))], &[expected]);
        assert_eq!(heard[0].status_code, Some(i64::from(code)));
    }
}

#[test]
fn publishing_is_answered_as_its_quality_asks() {
    let heard = converse(
        4,
        &[
            c(publish(0, "t/0", None, &[], b"canary")),
            c(publish(0x03, "t/1", Some(7), &[], b"canary")),
            c(publish(0x04, "t/2", Some(8), &[], b"canary")),
            s([ack(0x50, 8), ack(0x40, 7)].concat()),
            c(ack(0x62, 8)),
            s(ack(0x70, 8)),
        ],
        &[
            "PUBLISH t/0 - one_way message",
            "PUBLISH t/1 Success ok message 2ms",
            "PUBLISH t/2 Success ok message 3ms",
        ],
    );
    assert_eq!(attribute(&heard[1], "messaging.operation.type"), "send");
    assert_eq!(attribute(&heard[1], "messaging.message.body.size"), "6");
    assert_eq!(attribute(&heard[1], "mqtt.retain"), "true");
    assert_eq!(
        (attribute(&heard[2], "mqtt.qos"), attribute(&heard[2], "mqtt.msgid")),
        ("2".into(), "8".into())
    );
    let halves =
        [&heard[2].request, &heard[2].response].map(|half| half.as_ref().map(|half| half.track.bytes));
    assert_eq!(halves, [Some(19), Some(8)]);
    assert!(!texts(&heard).contains("canary"));
}

#[test]
fn deliveries_are_messages_of_the_broker() {
    let heard = converse(
        4,
        &[s(publish(0, "t/0", None, &[], b"x")), s(publish(2, "t/1", Some(1), &[], b"x")), c(ack(0x40, 1))],
        &["<PUBLISH t/0 - one_way message", "PUBLISH t/1 Success ok message 1ms"],
    );
    assert_eq!((heard[0].client, heard[1].client), (Side::A, Side::B));
    assert_eq!(attribute(&heard[0], "messaging.operation.type"), "receive");
    assert_eq!(attribute(&heard[1], "messaging.operation.type"), "receive");
}

#[test]
fn the_same_identifier_both_ways_is_two_messages() {
    converse(
        4,
        &[
            c(publish(2, "up", Some(1), &[], b"")),
            s(publish(2, "down", Some(1), &[], b"")),
            c(ack(0x40, 1)),
            s(ack(0x40, 1)),
        ],
        &["PUBLISH down Success ok message 1ms", "PUBLISH up Success ok message 3ms"],
    );
}

#[test]
fn subscriptions_tell_each_filter_and_the_first_refusal() {
    let filters = [text("a/#"), vec![1], text("b/+"), vec![2]].concat();
    for version in [4u8, 5] {
        let properties: &[u8] = if version == 5 { &[0] } else { &[] };
        let heard = converse(
            version,
            &[
                c(packet(0x82, &[&[0, 9], properties, &filters])),
                s(packet(0x90, &[&[0, 9], properties, &[1, 0x80]])),
                c(packet(0xa2, &[&[0, 10], properties, &text("a/#")])),
                s(packet(0xb0, &[&[0, 10], properties, if version == 5 { &[0x11] } else { &[] }])),
            ],
            &[
                if version == 5 {
                    "SUBSCRIBE a/# Unspecified error server_error 1ms"
                } else {
                    "SUBSCRIBE a/# Failure client_error 1ms"
                },
                if version == 5 {
                    "UNSUBSCRIBE a/# No subscription existed ok 1ms"
                } else {
                    "UNSUBSCRIBE a/# Success ok 1ms"
                },
            ],
        );
        assert_eq!(attribute(&heard[0], "mqtt.topic"), "a/#, b/+");
        assert_eq!(attribute(&heard[0], "mqtt.suback.qos"), "1,128");
    }
}

#[test]
fn pings_are_probes_and_goodbyes_one_way() {
    converse(
        5,
        &[c([0xc0, 0]), s([0xd0, 0]), s(packet(0xe0, &[&[0x8b, 0]])), c([0xe0, 0])],
        &[
            "PINGREQ Success ok probe 1ms",
            "?DISCONNECT Server shutting down server_error session",
            "DISCONNECT - one_way session",
        ],
    );
}

#[test]
fn topic_aliases_stand_for_their_topics() {
    let heard = converse(
        5,
        &[
            c(publish(0, "long/topic", None, &[3, 0x23, 0, 5], b"1")),
            c(publish(0, "", None, &[3, 0x23, 0, 5], b"2")),
            c(publish(0, "", None, &[3, 0x23, 0, 6], b"3")),
            s(publish(0, "", None, &[3, 0x23, 0, 5], b"4")),
        ],
        &[
            "PUBLISH long/topic - one_way message",
            "PUBLISH long/topic - one_way message",
            "PUBLISH - one_way message +topic_alias_unknown",
            "<PUBLISH - one_way message +topic_alias_unknown",
        ],
    );
    assert_eq!(attribute(&heard[1], "mqtt.prop_topic_alias"), "5");
}

#[test]
fn properties_carry_reasons_and_traces_and_never_what_authenticates() {
    let traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    let user = [&[0x26][..], &text("traceparent"), &text(traceparent), &[0x26], &text("k"), &text("canary")]
        .concat();
    let properties = [&[user.len() as u8][..], &user].concat();
    let reason = [&[0x1f][..], &text("quota of bob")].concat();
    let auth = [&[0x15][..], &text("SCRAM"), &[0x16], &text("canary")].concat();
    let heard = converse(
        5,
        &[
            c(publish(2, "t", Some(1), &properties, b"x")),
            s(packet(0x40, &[&[0, 1, 0x97, reason.len() as u8], &reason])),
            c(packet(0xf0, &[&[0x19, auth.len() as u8], &auth])),
        ],
        &["PUBLISH t Quota exceeded client_error message 1ms", "AUTH Re-authenticate one_way session"],
    );
    assert_eq!(heard[0].error.as_deref(), Some("quota of bob"));
    let trace = heard[0].trace.as_ref().map(|(trace, span)| (&**trace, &**span));
    assert_eq!(trace, Some(("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7")));
    assert_eq!(attribute(&heard[1], "mqtt.prop_auth_method"), "SCRAM");
    assert!(!texts(&heard).contains("canary"));
}

#[test]
fn a_big_payload_is_counted_down_and_a_gap_inside_of_it_costs_nothing_else() {
    let mut flow = Flow::new(Limits { undissected_bytes: 4 << 10, ..Limits::default() }, PORT, false);
    flow.play(&connected(4), usize::MAX);
    let big = publish(2, "big", Some(1), &[], &[b'x'; 1_000_000]);
    flow.play(&[c(&big[..400_000]), Ev::Lost(Side::A, 500_000), c(&big[900_000..])], 10_000);
    flow.play(&[s(ack(0x40, 1)), c([0xc0, 0]), s([0xd0, 0])], usize::MAX);
    let heard = flow.finish();
    assert_eq!(
        told(&heard)[1..],
        ["PUBLISH big Success ok message 3ms +gap", "PINGREQ Success ok probe 1ms"]
    );
    assert_eq!(heard[1].coverage, Coverage::Partial);
}

#[test]
fn identifiers_find_each_other_after_a_loss() {
    converse(
        4,
        &[
            c(publish(2, "a", Some(1), &[], b"x")),
            c(publish(2, "b", Some(2), &[], b"x")),
            Ev::Lost(Side::B, 4),
            s(ack(0x40, 2)),
            c(publish(2, "c", Some(1), &[], b"x")),
            s(ack(0x40, 1)),
            Ev::Lost(Side::A, 9),
            c([0xff; 20]),
            c(publish(2, "d", Some(3), &[], b"x")),
            s(ack(0x40, 3)),
        ],
        &[
            "PUBLISH b Success ok message 2ms",
            "PUBLISH a - unknown message +gap",
            "PUBLISH c Success ok message 1ms",
            "PUBLISH d Success ok message 1ms",
        ],
    );
}

#[test]
fn what_is_never_acknowledged_is_no_response_and_a_late_one_is_a_revision() {
    converse(
        4,
        &[c(publish(2, "a", Some(1), &[], b"x")), Ev::Wait(301), s(ack(0x40, 1))],
        &["PUBLISH a - no_response message +timed_out", "PUBLISH a Success ok message 301002ms again +late"],
    );
    converse(
        4,
        &[c(publish(2, "a", Some(1), &[], b"x")), Ev::End(None, End::Reset)],
        &["PUBLISH a - no_response message +reset"],
    );
    converse(
        4,
        &[c(publish(2, "a", Some(1), &[], b"x")), c(publish(0x0a, "a", Some(1), &[], b"x")), s(ack(0x40, 1))],
        &["PUBLISH a Success ok message 2ms +retransmitted"],
    );
}

#[test]
fn an_acknowledgement_that_is_heard_first_finds_its_packet() {
    let mut flow = Flow::new(Limits::default(), PORT, false);
    flow.play(&connected(4), usize::MAX);
    flow.play(&[s(ack(0x40, 9)), c(publish(2, "a", Some(9), &[], b"x")), Ev::Wait(6)], usize::MAX);
    // It began before the packet, so it is not that packet's.
    assert_eq!(
        told(&flow.finish())[1..],
        ["<PUBLISH Success ok message +mid_stream", "PUBLISH a - no_response message +capture_ended"]
    );
}

#[test]
fn past_the_bound_of_pending_calls_the_oldest_is_put_out() {
    let mut flow = Flow::new(Limits { pending_calls: 2, ..Limits::default() }, PORT, false);
    flow.play(&connected(4), usize::MAX);
    for id in 1..=3 {
        flow.play(&[c(publish(2, "a", Some(id), &[], b"x"))], usize::MAX);
    }
    assert_eq!(told(&flow.out.exchanges)[1..], ["PUBLISH a - unknown message +evicted"]);
    assert_eq!(flow.open().len(), 2);
    let mut events = connected(5).to_vec();
    events.extend((0..1000u16).map(|alias| {
        let [high, low] = alias.to_be_bytes();
        c(publish(0, "t", None, &[3, 0x23, high, low], b""))
    }));
    assert_eq!(hear(PORT, &events).len(), 1001);
}

#[test]
fn it_is_entered_in_the_middle() {
    let heard = overhear(
        40_001,
        &[
            c(publish(2, "sensors/1", Some(1), &[], b"12345")),
            s(ack(0x40, 1)),
            c(packet(0x82, &[&[0, 2, 0], &text("v5/#"), &[1]])),
            s(packet(0x90, &[&[0, 2, 0, 1]])),
            c(publish(0, "t", None, &[0], b"x")),
        ],
    );
    assert_eq!(
        told(&heard),
        [
            "PUBLISH sensors/1 Success ok message 1ms",
            "SUBSCRIBE v5/# Granted QoS 1 ok 1ms",
            "PUBLISH t - one_way message"
        ]
    );
    assert_eq!(attribute(&heard[2], "messaging.message.body.size"), "1");
    let heard = overhear(40_001, &[s(ack(0x70, 5)), c([0xc0, 0]), s([0xd0, 0])]);
    assert_eq!(told(&heard), ["PINGREQ Success ok probe 1ms", "<PUBLISH Success ok message +mid_stream"]);
}

#[test]
fn what_is_not_mqtt_is_left_alone() {
    let others: &[&[Ev]] = &[
        &[c(b"\x10\x20something else entirely, of 32 b"), s(b"\x20\x02\0\0")],
        &[c("0 1 2 3\r\n"), s("0 ok\r\n")],
        &[c(vec![0; 100]), s(vec![0; 100])],
        &[c("*1\r\n$4\r\nPING\r\n"), s("+PONG\r\n")],
    ];
    for events in others {
        for heard in [hear(PORT, events), overhear(PORT, events)] {
            assert!(heard.iter().all(|call| call.protocol != "mqtt"), "{events:?}: {:?}", told(&heard));
        }
    }
}

#[test]
fn malformed_packets_are_noted_and_huge_lengths_end_in_bounds() {
    is_quick(|| {
        let short = packet(0x82, &[&[0, 1, 0, 200], b"x"]);
        converse(4, &[c(short)], &["SUBSCRIBE - one_way +malformed"]);
        let reserved = packet(0x00, &[b"x"]);
        converse(
            4,
            &[c(reserved), c([0xe0, 0])],
            &["RESERVED - one_way +malformed", "DISCONNECT - one_way session"],
        );
        let topic = packet(0x30, &[&[0xff, 0xff], &[b'a'; 70_000]]);
        converse(
            4,
            &[c(topic), c([0xc0, 0])],
            &["PUBLISH - one_way message +malformed", "PINGREQ - unknown probe +capture_ended"],
        );
        converse(4, &[c([0x30, 0xff, 0xff, 0xff, 0xff, 0xff])], &[]);
        let many = [vec![0, 1], [text("a"), vec![0]].concat().repeat(10_000)].concat();
        let heard = converse(4, &[c(packet(0x82, &[&many]))], &["SUBSCRIBE a - unknown +capture_ended"]);
        assert!(texts(&heard).len() < 2000);
    });
}

#[test]
fn rude_conversations_end_in_balance() {
    for version in [4u8, 5] {
        let properties: &[u8] = if version == 5 { &[0] } else { &[] };
        let mut events = connected(version).to_vec();
        events.extend([
            c(packet(0x82, &[&[0, 1], properties, &text("a/#"), &[1]])),
            s(packet(0x90, &[&[0, 1], properties, &[1]])),
            c([publish(4, "a/1", Some(2), properties, b"hello"), vec![0xc0, 0]].concat()),
            s([ack(0x50, 2), vec![0xd0, 0], publish(2, "a/1", Some(1), properties, b"hello")].concat()),
            c([ack(0x62, 2), ack(0x40, 1)].concat()),
            s(ack(0x70, 2)),
            c([0xe0, 0]),
        ]);
        mistreat(PORT, &events);
    }
}
