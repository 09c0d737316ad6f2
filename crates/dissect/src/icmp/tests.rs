//! ICMP as a flow sees it: through [`Session`], message by message.

use std::time::Duration;

use wirewise_model::{
    Coverage, Exchange, Kind, Ledger, Limits, Mark, PacketNumber, Side, Timestamp, Transport,
};

use crate::{Datagram, End, Out, Session, SessionStart, Switchboard};

struct Wire {
    session: Session,
    board: Switchboard,
    out: Out,
    transport: Transport,
    packets: u64,
}

impl Wire {
    fn new(transport: Transport) -> Self {
        let start = SessionStart { transport, ports: [0; 2], opener: Some(Side::A), mid_stream: false };
        let board = Switchboard::new(Limits::default());
        Self { session: Session::new(start), board, out: Out::default(), transport, packets: 0 }
    }

    fn say(&mut self, seconds: i64, side: Side, bytes: &[u8]) -> &mut Self {
        self.say_cut(seconds, side, bytes, bytes.len())
    }

    fn say_cut(&mut self, seconds: i64, side: Side, bytes: &[u8], original_len: usize) -> &mut Self {
        self.packets += 1;
        let mark = Mark { at: Timestamp::from_parts(seconds, 0), packet: PacketNumber(self.packets) };
        let (transport, ports) = (self.transport, [0; 2]);
        let message = Datagram { side, bytes, original_len, mark, last: mark, ordinal: 0, transport, ports };
        self.session.message(message, &mut self.board, &mut self.out);
        self
    }

    fn tick(&mut self, seconds: i64) -> &mut Self {
        self.session.tick(Timestamp::from_parts(seconds, 0), &mut self.board, &mut self.out);
        self
    }

    fn take(&mut self) -> Vec<Exchange> {
        let mut ledger = Ledger::default();
        ledger.add(&self.board.books());
        assert_eq!(ledger.check(), Ok(()));
        assert_eq!(self.board.switched_off().count(), 0);
        std::mem::take(&mut self.out.exchanges)
    }
}

fn brief(exchange: &Exchange) -> String {
    let frames = |message: &Option<wirewise_model::Message>| match message {
        Some(message) => {
            let numbers: Vec<_> = message.track.frames.numbers.iter().map(|number| number.0).collect();
            format!("{numbers:?}")
        }
        None => "-".to_owned(),
    };
    let notes: Vec<_> = exchange.notes.iter().map(|note| note.0.as_ref()).collect();
    format!(
        "{} {} {} {}{}{} [{}]",
        exchange.operation,
        exchange.target,
        exchange.status.as_deref().unwrap_or("-"),
        exchange.outcome,
        frames(&exchange.request),
        frames(&exchange.response),
        notes.join(" "),
    )
}

fn briefs(exchanges: &[Exchange]) -> Vec<String> {
    exchanges.iter().map(brief).collect()
}

fn attributes(exchange: &Exchange) -> Vec<String> {
    exchange.attributes.iter().map(|attribute| format!("{}={}", attribute.name, attribute.value)).collect()
}

/// A message whose last four header bytes are an identifier and a sequence number.
fn message(kind: u8, code: u8, ident: u16, sequence: u16, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![kind, code, 0, 0];
    bytes.extend(ident.to_be_bytes());
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(body);
    bytes
}

/// The beginning of a UDP datagram from 10.0.0.2:4000 to 10.0.0.1:53.
fn quoted_v4() -> Vec<u8> {
    let mut bytes = vec![0x45, 0, 0, 60, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 2, 10, 0, 0, 1];
    bytes.extend([0x0F, 0xA0, 0, 53, 0, 40, 0, 0]);
    bytes
}

/// The beginning of a TCP segment from [2001:db8::2]:4000 to [2001:db8::1]:443, behind hop-by-hop options.
fn quoted_v6() -> Vec<u8> {
    let address = |last| [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, last];
    let fixed = [0x60, 0, 0, 0, 0, 28, 0, 64];
    [&fixed[..], &address(2), &address(1), &[6, 0, 1, 4, 0, 0, 0, 0], &[0x0F, 0xA0, 1, 0xBB, 0, 0, 0, 1]]
        .concat()
}

#[test]
fn echoes_pair_by_identifier_and_sequence_number() {
    for (transport, asks, replies) in [(Transport::Icmp, 8, 0), (Transport::Icmpv6, 128, 129)] {
        let calls = Wire::new(transport)
            .say(1, Side::A, &message(asks, 0, 7, 1, &[0; 56]))
            .say(2, Side::A, &message(asks, 0, 7, 2, &[0; 56]))
            .say(2, Side::B, &message(asks, 0, 7, 1, &[]))
            .say(3, Side::B, &message(replies, 0, 7, 2, &[0; 56]))
            .say(4, Side::A, &message(replies, 0, 7, 1, &[]))
            .say(5, Side::B, &message(replies, 0, 7, 1, &[0; 56]))
            .take();
        assert_eq!(
            briefs(&calls),
            ["echo  reply ok[2][4] []", "echo  reply ok[3][5] []", "echo  reply ok[1][6] []"]
        );
        assert_eq!((calls[0].kind, calls[0].protocol.as_ref()), (Kind::Probe, "icmp"));
        assert_eq!((calls[1].client, calls[2].took()), (Side::B, Some(Duration::from_secs(4))));
        let expect = [
            format!("icmp.type={asks}"),
            "icmp.ident=7".into(),
            "icmp.seq=2".into(),
            "icmp.data.len=56".into(),
        ];
        assert_eq!(attributes(&calls[0]), expect);
    }
}

#[test]
fn a_host_that_pings_itself_is_answered() {
    let calls = Wire::new(Transport::Icmp)
        .say(1, Side::A, &message(8, 0, 7, 1, &[]))
        .say(2, Side::A, &message(0, 0, 7, 1, &[]))
        .take();
    assert_eq!(briefs(&calls), ["echo  reply ok[1][2] []"]);
}

#[test]
fn second_replies_and_replies_to_nothing_are_told_apart() {
    let calls = Wire::new(Transport::Icmp)
        .say(1, Side::A, &message(8, 0, 7, 1, &[]))
        .say(1, Side::B, &message(0, 0, 7, 1, &[]))
        .say(1, Side::B, &message(0, 0, 7, 1, &[]))
        .say(1, Side::B, &message(0, 0, 7, 9, &[]))
        .take();
    assert_eq!(
        briefs(&calls),
        [
            "echo  reply ok[1][2] []",
            "echo  reply ok-[3] [duplicate_reply]",
            "echo  reply ok-[4] [request_not_seen]",
        ]
    );
}

#[test]
fn a_request_without_reply_is_no_response_and_a_late_one_revises_it() {
    let mut wire = Wire::new(Transport::Icmp);
    wire.say(1, Side::A, &message(8, 0, 7, 1, &[])).say(5, Side::A, &message(8, 0, 7, 2, &[])).tick(12);
    assert_eq!(briefs(&wire.take()), ["echo  - no_response[1]- [timed_out]"]);
    assert!(wire.session.waiting());
    let calls = wire.say(13, Side::B, &message(0, 0, 7, 1, &[])).take();
    assert_eq!(briefs(&calls), ["echo  reply ok[1][3] [late_response]"]);
    assert_eq!(calls[0].revision, 1);
    wire.session.open(&mut wire.out);
    let last = Mark { at: Timestamp::from_parts(14, 0), packet: PacketNumber(4) };
    wire.session.end(None, End::TimedOut, last, &mut wire.board, &mut wire.out);
    assert_eq!(briefs(&wire.take()), ["echo  - open[2]- []", "echo  - no_response[2]- [timed_out]"]);
}

#[test]
fn too_many_requests_at_once_evict_the_oldest() {
    let mut wire = Wire::new(Transport::Icmp);
    wire.board = Switchboard::new(Limits { pending_calls: 1, ..Limits::default() });
    wire.say(1, Side::A, &message(8, 0, 7, 1, &[])).say(1, Side::A, &message(8, 0, 7, 2, &[]));
    assert_eq!(briefs(&wire.take()), ["echo  - unknown[1]- [evicted]"]);
}

#[test]
fn an_error_names_the_flow_that_it_quotes() {
    let calls = Wire::new(Transport::Icmp)
        .say(1, Side::B, &message(3, 3, 0, 0, &quoted_v4()))
        .say(1, Side::B, &message(3, 4, 0, 1400, &quoted_v4()[..20]))
        .say(1, Side::B, &message(11, 0, 0, 0, b"?"))
        .take();
    assert_eq!(
        briefs(&calls),
        [
            "destination_unreachable udp 10.0.0.2:4000 -> 10.0.0.1:53 port_unreachable one_way[1]- []",
            "destination_unreachable udp 10.0.0.2 -> 10.0.0.1 fragmentation_needed one_way[2]- []",
            "time_exceeded  ttl_exceeded one_way[3]- [nothing_quoted]",
        ]
    );
    assert_eq!(calls[0].error.as_deref(), Some("destination unreachable: port unreachable"));
    assert_eq!((calls[0].kind, calls[0].status_code, calls[0].client), (Kind::Message, Some(3), Side::B));
    assert_eq!(
        attributes(&calls[0])[2..],
        [
            "icmp.quoted.transport=udp",
            "icmp.quoted.source.address=10.0.0.2",
            "icmp.quoted.destination.address=10.0.0.1",
            "icmp.quoted.source.port=4000",
            "icmp.quoted.destination.port=53",
        ]
    );
    assert_eq!(attributes(&calls[1])[2], "icmp.mtu=1400");
}

#[test]
fn an_error_of_version_6_passes_extension_headers() {
    let calls = Wire::new(Transport::Icmpv6)
        .say(1, Side::A, &message(1, 4, 0, 0, &quoted_v6()))
        .say(1, Side::A, &message(2, 0, 0, 1280, &quoted_v6()))
        .take();
    let flow = "tcp [2001:db8::2]:4000 -> [2001:db8::1]:443";
    assert_eq!(
        briefs(&calls),
        [
            format!("destination_unreachable {flow} port_unreachable one_way[1]- []"),
            format!("packet_too_big {flow} packet_too_big one_way[2]- []"),
        ]
    );
    assert_eq!(calls[1].error.as_deref(), Some("packet too big"));
}

#[test]
fn discovery_says_whom_it_is_about() {
    let target = [0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5];
    let link = [1, 1, 2, 0, 0, 0, 0, 9];
    let solicitation = message(135, 0, 0, 0, &[&target[..], &link].concat());
    let prefix = [&[3, 4, 64, 0xC0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0][..], &target].concat();
    let router = message(134, 0, 0x4000, 1800, &[&[0; 8][..], &prefix, &[5, 1, 0, 0, 0, 0, 5, 220]].concat());
    let group = [0xFF, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFB];
    let report = message(143, 0, 0, 2, &[&[4, 0, 0, 0][..], &group, &[3, 0, 0, 0], &target].concat());
    let calls = Wire::new(Transport::Icmpv6)
        .say(1, Side::A, &solicitation)
        .say(1, Side::A, &router)
        .say(1, Side::A, &report)
        .say(1, Side::A, &message(130, 0, 0, 0, &group))
        .take();
    assert_eq!(
        briefs(&calls),
        [
            "neighbor_solicitation 2001:db8::5 - one_way[1]- []",
            "router_advertisement  - one_way[2]- []",
            "multicast_listener_report ff02::fb,2001:db8::5 - one_way[3]- []",
            "multicast_listener_query ff02::fb - one_way[4]- []",
        ]
    );
    assert_eq!(attributes(&calls[0])[2..], ["icmpv6.opt.linkaddr=02:00:00:00:00:09"]);
    assert_eq!(
        attributes(&calls[1])[2..],
        [
            "icmpv6.nd.ra.cur_hop_limit=64",
            "icmpv6.nd.ra.router_lifetime=1800",
            "icmpv6.opt.mtu=1500",
            "icmpv6.opt.prefix=2001:db8::5/64",
        ]
    );
}

#[test]
fn a_cut_message_is_partial_and_a_short_one_malformed() {
    let calls = Wire::new(Transport::Icmp)
        .say_cut(1, Side::A, &message(8, 0, 7, 1, &[]), 64)
        .say(1, Side::B, &message(0, 0, 7, 1, &[]))
        .say(1, Side::A, &[8, 0, 0, 0])
        .say(1, Side::A, &[8])
        .take();
    assert_eq!(briefs(&calls), ["echo  reply ok[1][2] [cut]", "echo  - one_way[3]- [malformed]"]);
    assert_eq!(calls[0].coverage, Coverage::Partial);
}

#[test]
fn no_truncation_panics() {
    let neighbour =
        message(136, 0, 0, 0, &[&[1; 16][..], &[2, 1, 2, 3, 4, 5, 6, 7, 3, 4], &[9; 30]].concat());
    let samples = [
        message(8, 0, 7, 1, &[0; 8]),
        message(42, 0, 7, 1, &[0; 8]),
        message(3, 3, 0, 0, &quoted_v4()),
        message(5, 1, 0, 0, &quoted_v4()),
        message(4, 1, 0, 0, &quoted_v6()),
        message(143, 0, 0, 0xFFFF, &[0xFF; 60]),
        neighbour,
    ];
    for sample in samples {
        for kind in 0..=255 {
            for length in 0..=sample.len() {
                let mut bytes = sample.clone();
                bytes[0] = kind;
                for transport in [Transport::Icmp, Transport::Icmpv6] {
                    Wire::new(transport).say_cut(1, Side::A, &bytes[..length], sample.len()).take();
                }
            }
        }
    }
}
