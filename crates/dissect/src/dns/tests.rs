//! DNS as a flow sees it: through [`Session`], message by message.

mod hostile;
mod stream;

use std::time::Duration;

use wirewise_model::{
    Coverage, Exchange, Kind, Ledger, Limits, Mark, PacketNumber, Side, Timestamp, Transport, Value,
};

use super::parse::{Header, Trouble, name_into, question};
use super::suffix::is_search;
use crate::{Datagram, End, Out, Session, SessionStart, Switchboard};

const QUERY: u16 = 0x0100;
const ANSWER: u16 = 0x8180;

fn mark(seconds: i64, packet: u64) -> Mark {
    Mark { at: Timestamp::from_parts(seconds, 0), packet: PacketNumber(packet) }
}

fn name(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for label in text.split('.').filter(|label| !label.is_empty()) {
        bytes.push(label.len() as u8);
        bytes.extend(label.as_bytes());
    }
    bytes.push(0);
    bytes
}

fn message(id: u16, flags: u16, asked: &str, kind: u16) -> Vec<u8> {
    let mut bytes = Vec::new();
    for word in [id, flags, 1, 0, 0, 0] {
        bytes.extend(word.to_be_bytes());
    }
    bytes.extend(name(asked));
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes
}

/// Adds a record to a message: `section` is 0 for an answer, 1 for an authority, 2 for an additional.
fn with(mut bytes: Vec<u8>, section: usize, owner: &[u8], kind: u16, ttl: u32, data: &[u8]) -> Vec<u8> {
    bytes[7 + 2 * section] += 1;
    bytes.extend(owner);
    bytes.extend(kind.to_be_bytes());
    bytes.extend([0, 1]);
    bytes.extend(ttl.to_be_bytes());
    bytes.extend((data.len() as u16).to_be_bytes());
    bytes.extend(data);
    bytes
}

/// The question's name, by a pointer.
const ASKED: &[u8] = &[0xC0, 12];

fn framed(message: &[u8]) -> Vec<u8> {
    let mut bytes = (message.len() as u16).to_be_bytes().to_vec();
    bytes.extend(message);
    bytes
}

struct Wire {
    session: Session,
    board: Switchboard,
    out: Out,
    transport: Transport,
    ports: [u16; 2],
    packets: u64,
}

impl Wire {
    fn new(transport: Transport, ports: [u16; 2]) -> Self {
        let start = SessionStart { transport, ports, opener: Some(Side::A), mid_stream: false };
        let board = Switchboard::new(Limits::default());
        Self { session: Session::new(start), board, out: Out::default(), transport, ports, packets: 0 }
    }

    fn udp() -> Self {
        Self::new(Transport::Udp, [40_000, 53])
    }

    fn tcp() -> Self {
        Self::new(Transport::Tcp, [40_000, 53])
    }

    fn say(&mut self, seconds: i64, side: Side, bytes: &[u8]) -> &mut Self {
        self.say_cut(seconds, side, bytes, bytes.len())
    }

    fn say_cut(&mut self, seconds: i64, side: Side, bytes: &[u8], original_len: usize) -> &mut Self {
        self.packets += 1;
        let mark = mark(seconds, self.packets);
        if self.transport == Transport::Tcp {
            self.session.bytes(side, bytes, mark, &mut self.board, &mut self.out);
            return self;
        }
        let (transport, ports) = (self.transport, self.ports);
        let message = Datagram { side, bytes, original_len, mark, last: mark, ordinal: 0, transport, ports };
        self.session.message(message, &mut self.board, &mut self.out);
        self
    }

    fn tick(&mut self, seconds: i64) -> &mut Self {
        self.session.tick(Timestamp::from_parts(seconds, 0), &mut self.board, &mut self.out);
        self
    }

    fn end(&mut self, side: Option<Side>, why: End) -> &mut Self {
        self.session.end(side, why, mark(1_000, self.packets), &mut self.board, &mut self.out);
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

/// An exchange in one line: what most cases are about.
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
        "{} {} {} {} {} {}{} [{}]",
        exchange.protocol,
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

fn attribute(exchange: &Exchange, name: &str) -> Option<String> {
    let found = exchange.attributes.iter().find(|attribute| attribute.name == name);
    found.map(|attribute| attribute.value.to_string())
}

#[test]
fn a_query_and_its_answer_are_one_call() {
    let answer = with(message(7, ANSWER, "www.Example.com", 1), 0, ASKED, 5, 60, &name("web.example.net"));
    let answer = with(answer, 0, &name("web.example.net"), 1, 30, &[192, 0, 2, 1]);
    let answer = with(answer, 0, &name("web.example.net"), 1, 90, &[192, 0, 2, 2]);
    let calls =
        Wire::udp().say(1, Side::A, &message(7, QUERY, "www.Example.com", 1)).say(2, Side::B, &answer).take();
    assert_eq!(briefs(&calls), ["dns query www.Example.com NOERROR ok [1][2] []"]);
    let call = &calls[0];
    assert_eq!((call.client, call.complete, call.kind), (Side::A, true, Kind::Unary));
    assert_eq!((call.status_code, call.took()), (Some(0), Some(Duration::from_secs(1))));
    let attributes: Vec<_> =
        call.attributes.iter().map(|attribute| format!("{}={}", attribute.name, attribute.value)).collect();
    assert_eq!(
        attributes,
        [
            "dns.id=7",
            "dns.question.name=www.Example.com",
            "dns.question.type=A",
            "dns.flags.recdesired=true",
            "dns.flags.recavail=true",
            "dns.count.answers=3",
            "dns.answers=web.example.net,192.0.2.1,192.0.2.2",
            "dns.resp.type=CNAME,A",
            "dns.ttl=30",
        ]
    );
}

#[test]
fn pairs_by_id_and_question_whatever_the_order_and_case() {
    let calls = Wire::udp()
        .say(1, Side::A, &message(7, QUERY, "a.example", 1))
        .say(1, Side::A, &message(7, QUERY, "b.example", 1))
        .say(1, Side::A, &message(7, QUERY, "b.example", 28))
        .say(1, Side::A, &message(8, QUERY, "c.example", 1))
        .say(2, Side::B, &message(8, ANSWER, "C.eXample", 1))
        .say(2, Side::B, &message(7, ANSWER, "b.example", 28))
        .say(2, Side::B, &message(7, ANSWER, "a.example", 1))
        .say(2, Side::B, &message(7, ANSWER, "b.example", 1))
        // The id is used again once its call is over.
        .say(3, Side::A, &message(7, QUERY, "d.example", 1))
        .say(3, Side::B, &message(7, ANSWER, "d.example", 1))
        .take();
    assert_eq!(
        briefs(&calls),
        [
            "dns query c.example NOERROR ok [4][5] [nodata]",
            "dns query b.example NOERROR ok [3][6] [nodata]",
            "dns query a.example NOERROR ok [1][7] [nodata]",
            "dns query b.example NOERROR ok [2][8] [nodata]",
            "dns query d.example NOERROR ok [9][10] [nodata]",
        ]
    );
}

#[test]
fn a_query_sent_twice_is_one_call_and_a_second_answer_is_passed_over() {
    let query = message(7, QUERY, "a.example", 1);
    let answer = message(7, 0x8183, "a.example", 1);
    let mut wire = Wire::udp();
    let calls = wire
        .say(1, Side::A, &query)
        .say(6, Side::A, &query)
        .say(7, Side::B, &answer)
        .say(7, Side::B, &answer)
        .take();
    assert_eq!(briefs(&calls), ["dns query a.example NXDOMAIN client_error [1, 2][3] [retransmitted]"]);
    assert_eq!(calls[0].took(), Some(Duration::from_secs(6)));
    let books = format!("{:?}", wire.board.books());
    assert!(books.contains("repeated_response"), "{books}");
    let header = [&[0, 7, 1, 0][..], &[0; 8]].concat();
    let calls = Wire::udp().say(1, Side::A, &header).say(2, Side::A, &header).end(None, End::TimedOut).take();
    assert_eq!(briefs(&calls), ["dns query  - no_response [1, 2]- [retransmitted timed_out]"]);
}

#[test]
fn an_answer_to_nothing_heard_stands_alone() {
    let calls = Wire::udp()
        .say(1, Side::B, &message(7, 0x8182, "a.example", 1))
        .say(2, Side::A, &message(9, QUERY, "b.example", 1))
        .say(2, Side::B, &message(9, ANSWER, "evil.example", 1))
        .take();
    assert_eq!(
        briefs(&calls),
        [
            "dns query a.example SERVFAIL server_error -[1] [request_not_seen]",
            "dns query evil.example NOERROR ok -[3] [question_mismatch nodata]",
        ]
    );
    assert_eq!((calls[0].client, calls[0].took()), (Side::A, None));
}

#[test]
fn no_answer_in_time_is_no_response_and_a_late_one_revises_it() {
    let mut wire = Wire::udp();
    wire.say(1, Side::A, &message(7, QUERY, "a.example", 1)).tick(10);
    assert!(wire.session.waiting());
    wire.session.open(&mut wire.out);
    assert_eq!(briefs(&wire.take()), ["dns query a.example - open [1]- []"]);
    let calls = wire.tick(11).take();
    assert!(!wire.session.waiting());
    assert_eq!(briefs(&calls), ["dns query a.example - no_response [1]- [timed_out]"]);
    let calls = wire.say(14, Side::B, &message(7, ANSWER, "a.example", 1)).take();
    assert_eq!(briefs(&calls), ["dns query a.example NOERROR ok [1][2] [nodata late_response]"]);
    assert_eq!((calls[0].revision, calls[0].took()), (1, Some(Duration::from_secs(13))));
}

#[test]
fn the_end_of_the_flow_closes_what_waits() {
    let query = message(7, QUERY, "a.example", 1);
    let calls = Wire::udp().say(1, Side::A, &query).end(None, End::CaptureEnded).take();
    assert_eq!(briefs(&calls), ["dns query a.example - no_response [1]- [capture_ended]"]);
    let calls = Wire::udp().say(999, Side::A, &query).end(None, End::CaptureEnded).take();
    assert_eq!(briefs(&calls), ["dns query a.example - unknown [1]- [capture_ended]"]);
}

#[test]
fn too_many_queries_at_once_evict_the_oldest() {
    let limits = Limits { pending_calls: 2, ..Limits::default() };
    let mut wire = Wire::udp();
    wire.board = Switchboard::new(limits);
    for id in 1..=3 {
        wire.say(1, Side::A, &message(id, QUERY, "a.example", 1));
    }
    assert_eq!(briefs(&wire.take()), ["dns query a.example - unknown [1]- [evicted]"]);
}

#[test]
fn response_codes_say_whose_fault_it_was() {
    let check = |flags: u16, expect: &str| {
        let calls = Wire::udp()
            .say(1, Side::A, &message(7, QUERY, "a.example", 1))
            .say(1, Side::B, &message(7, flags, "a.example", 1))
            .take();
        assert_eq!(format!("{} {}", calls[0].status.as_deref().unwrap_or("-"), calls[0].outcome), expect);
    };
    check(0x8180, "NOERROR ok");
    check(0x8181, "FORMERR client_error");
    check(0x8182, "SERVFAIL server_error");
    check(0x8183, "NXDOMAIN client_error");
    check(0x8184, "NOTIMP client_error");
    check(0x8185, "REFUSED client_error");
    check(0x8189, "NOTAUTH client_error");
    check(0x818F, "RCODE15 server_error");
}

#[test]
fn edns_is_read_on_both_sides() {
    // Size 1232, DO; a client subnet.
    let query =
        with(message(7, QUERY, "a.example", 1), 2, &[0], 41, 0x8000, &[0, 8, 0, 7, 0, 1, 24, 0, 192, 0, 2]);
    let mut query = query;
    let class = query.len() - 19;
    query[class..class + 2].copy_from_slice(&1232_u16.to_be_bytes());
    // Extended rcode 1 makes BADVERS (16); extended error 18 with words.
    let answer =
        with(message(7, ANSWER, "a.example", 1), 2, &[0], 41, 0x0100_0000, b"\0\x0f\0\x06\0\x12nope");
    let calls = Wire::udp().say(1, Side::A, &query).say(1, Side::B, &answer).take();
    assert_eq!(briefs(&calls), ["dns query a.example BADVERS client_error [1][2] [client_subnet]"]);
    let call = &calls[0];
    assert_eq!(call.status_code, Some(16));
    assert_eq!(call.error.as_deref(), Some("Prohibited: nope"));
    assert_eq!(attribute(call, "dns.rr.udp_payload_size").as_deref(), Some("1232"));
    assert_eq!(attribute(call, "dns.resp.z.do").as_deref(), Some("true"));
    assert!(call.attributes.iter().all(|attribute| !attribute.value.to_string().contains("192.0.2")));
}

#[test]
fn records_read_as_in_a_zone_file() {
    let check = |kind: u16, data: &[u8], expect: &str| {
        let answer = with(message(7, ANSWER, "a.example", kind), 0, ASKED, kind, 5, data);
        let calls = Wire::udp()
            .say(1, Side::A, &message(7, QUERY, "a.example", kind))
            .say(1, Side::B, &answer)
            .take();
        let call = &calls[0];
        assert!(call.notes.is_empty(), "{:?}", call.notes);
        let text = attribute(call, "dns.records").or(attribute(call, "dns.answers"));
        assert_eq!(text.as_deref(), Some(expect));
    };
    let joined = |head: &[u8], tail: &str| [head, &name(tail)].concat();
    check(28, &[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], "2001:db8::1");
    check(2, &name("ns.example"), "NS ns.example");
    check(12, &name("host.example"), "PTR host.example");
    check(15, &joined(&[0, 10], "mail.example"), "MX 10 mail.example");
    check(16, b"\x06v=spf1\x01\"", "TXT \"v=spf1\" \"\\\"\"");
    check(33, &joined(&[0, 1, 0, 2, 0x1F, 0x90], "web.example"), "SRV 1 2 8080 web.example");
    let soa =
        [name("ns.example"), name("root.example"), (1..=5_u32).flat_map(u32::to_be_bytes).collect()].concat();
    check(6, &soa, "SOA ns.example root.example 1 2 3 4 5");
    check(257, b"\x00\x05issueca.example", "CAA 0 issue \"ca.example\"");
    check(
        35,
        &joined(b"\0\x01\0\x02\x01s\x03SIP\0", "sip.example"),
        "NAPTR 1 2 \"s\" \"SIP\" \"\" sip.example",
    );
    check(43, &[0, 9, 8, 2, 0xAB, 0xCD], "DS 9 8 2 abcd");
    check(48, &[1, 1, 3, 13, 1, 2, 3], "DNSKEY 257 3 13 (3 bytes of key)");
    let signature = [&[0, 1, 13, 2][..], &[0; 12], &[0, 7], &name("example"), &[1; 8]].concat();
    check(46, &signature, "RRSIG A 13 2 0 7 example");
    check(52, &[3, 1, 1, 0xFE], "TLSA 3 1 1 fe");
    check(
        65,
        &[
            &[0, 1, 0][..],
            b"\0\x01\0\x06\x02h2\x02h3",
            b"\0\x03\0\x02\x01\xbb",
            b"\0\x04\0\x04\xc0\0\x02\x01",
        ]
        .concat(),
        "HTTPS 1 . alpn=h2,h3 port=443 ipv4hint=192.0.2.1",
    );
    check(4242, &[1, 2, 3], "TYPE4242 \\# 3");
}

#[test]
fn operations_other_than_queries_are_named() {
    let calls = Wire::udp()
        .say(1, Side::A, &message(7, 0x2400, "zone.example", 6))
        .say(1, Side::B, &message(7, 0xA400, "zone.example", 6))
        .say(1, Side::A, &with(message(8, 0x2800, "zone.example", 6), 1, ASKED, 1, 5, &[192, 0, 2, 1]))
        .say(1, Side::B, &message(8, 0xA809, "zone.example", 6))
        .take();
    assert_eq!(
        briefs(&calls),
        [
            "dns notify zone.example NOERROR ok [1][2] []",
            "dns update zone.example NOTAUTH client_error [3][4] []",
        ]
    );
}

#[test]
fn an_empty_answer_a_referral_and_a_truncated_one_are_noted() {
    let query = message(7, QUERY, "a.example", 1);
    let soa = [name("ns.example"), name("root.example"), vec![0; 20]].concat();
    let nodata = with(message(7, ANSWER, "a.example", 1), 1, &name("example"), 6, 60, &soa);
    let referral = with(message(7, 0x8000, "a.example", 1), 1, &name("example"), 2, 60, &name("ns.example"));
    let truncated = message(7, ANSWER | 0x0200, "a.example", 1);
    let check = |answer: &[u8], expect: &str| {
        let calls = Wire::udp().say(1, Side::A, &query).say(1, Side::B, answer).take();
        assert_eq!(briefs(&calls), [format!("dns query a.example NOERROR ok [1][2] [{expect}]")]);
    };
    check(&nodata, "nodata");
    check(&referral, "referral");
    check(&truncated, "truncated");
}

#[test]
fn names_of_a_search_list_are_told_from_faults() {
    for name in [
        "api.example.com.shop.svc.cluster.local",
        "example.com.svc.cluster.local",
        "api.example.com.cluster.local",
        "orders.shop.web.svc.cluster.local",
        "orders.svc.cluster.local",
        "orders.cluster.local",
        "orders.shop.svc.cluster.local.web.svc.cluster.local",
        "www.example.com.lan",
        "api.example.com.eu-west-1.compute.internal",
    ] {
        assert!(is_search(name, None), "{name}");
    }
    for name in [
        "payments.shop.svc.cluster.local",
        "mysql-0.mysql.shop.svc.cluster.local",
        "_http._tcp.web.shop.svc.cluster.local",
        "10-0-0-7.shop.pod.cluster.local",
        "www.example.com",
        "example.com.dbl.example.org",
        "printer.lan",
        "1.0.0.10.in-addr.arpa",
        "cluster.local",
        "",
        ".",
    ] {
        assert!(!is_search(name, None), "{name}");
    }
    assert!(is_search("db.corp.example", Some("db")));
    assert!(is_search("a.svc.corp.example", Some("a.shop.svc.corp.example")));
    assert!(!is_search("b.corp.example", Some("a.corp.example")));
    assert!(!is_search("a.corp.example", Some("A.corp.example")));
}

#[test]
fn a_denied_search_is_noted_on_the_call() {
    let asked = "api.example.com.shop.svc.cluster.local";
    let calls = Wire::udp()
        .say(1, Side::A, &message(7, QUERY, asked, 1))
        .say(1, Side::B, &message(7, 0x8183, asked, 1))
        .take();
    assert_eq!(briefs(&calls), [format!("dns query {asked} NXDOMAIN client_error [1][2] [search_suffix]")]);
}

#[test]
fn multicast_messages_go_one_way() {
    let mut wire = Wire::new(Transport::Udp, [5353, 5353]);
    let answer =
        [&[0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0][..], &name("My Host.local"), &[0, 1, 0x80, 1]].concat();
    let answer = [&answer[..], &[0, 0, 0, 120, 0, 4, 192, 0, 2, 9]].concat();
    let calls = wire
        .say(1, Side::A, &message(0, 0, "_ipp._tcp.local", 12))
        .say(1, Side::A, &answer)
        .end(None, End::TimedOut)
        .take();
    assert_eq!(
        briefs(&calls),
        ["mdns query _ipp._tcp.local - one_way [1]- []", "mdns response My\\032Host.local - one_way [2]- []",]
    );
    assert_eq!((calls[1].kind, calls[1].client), (Kind::Message, Side::A));
    assert_eq!(attribute(&calls[1], "dns.answers").as_deref(), Some("192.0.2.9"));
    assert_eq!(attribute(&calls[1], "dns.ttl").as_deref(), Some("120"));
}

#[test]
fn a_dns_server_on_the_multicast_port_is_dns() {
    let calls = Wire::new(Transport::Udp, [40_000, 5353])
        .say(1, Side::A, &message(7, QUERY, "a.example", 1))
        .say(1, Side::B, &message(7, ANSWER, "a.example", 1))
        .take();
    assert_eq!(briefs(&calls), ["dns query a.example NOERROR ok [1][2] [nodata]"]);
    let calls =
        Wire::new(Transport::Udp, [40_000, 5353]).say(1, Side::A, &message(7, 0, "a.local", 1)).take();
    assert_eq!(briefs(&calls), ["mdns query a.local - one_way [1]- []"]);
}

#[test]
fn an_unanswered_link_local_query_is_no_failure() {
    let mut wire = Wire::new(Transport::Udp, [40_000, 5355]);
    let query = message(7, 0, "wpad", 1);
    let calls = wire.say(1, Side::A, &query).say(1, Side::A, &query).tick(20).take();
    assert_eq!(briefs(&calls), ["llmnr query wpad - one_way [1, 2]- [retransmitted timed_out]"]);
}

#[test]
fn is_found_on_any_port_by_its_bytes_alone() {
    let protocol = |ports, bytes: &[u8]| {
        let mut wire = Wire::new(Transport::Udp, ports);
        wire.say(1, Side::A, bytes);
        wire.take();
        wire.session.protocol().map(|protocol| protocol.name)
    };
    let query = message(7, QUERY, "a.example", 1);
    assert_eq!(protocol([40_000, 1053], &query), Some("dns"));
    assert_eq!(protocol([40_000, 1053], &query[..query.len() - 1]), None);
    assert_eq!(protocol([40_000, 1053], &[&query[..], b"x"].concat()), None);
    // A NetBIOS name service query (RFC 1002, 4.2.12) has the same form.
    let net_bios = message(7, 0x0110, "CKAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", 33);
    assert_eq!(protocol([137, 137], &net_bios), None);
    assert_eq!(protocol([40_000, 53], b"not a message at all"), None);
    // A header alone, where a port speaks for it.
    assert_eq!(protocol([40_000, 53], b"\0\x09\x01\0\0\x01\0\0\0\0\0\0"), Some("dns"));
    // A resolver that asks from the multicast port.
    assert_eq!(protocol([5353, 53], &message(7, 0, "a.example", 1)), Some("dns"));
}

#[test]
fn what_a_snap_length_cut_is_told_as_far_as_it_goes() {
    let answer = with(message(7, ANSWER, "a.example", 1), 0, ASKED, 1, 60, &[192, 0, 2, 1]);
    let answer = with(answer, 0, ASKED, 1, 60, &[192, 0, 2, 2]);
    let calls = Wire::udp()
        .say(1, Side::A, &message(7, QUERY, "a.example", 1))
        .say_cut(1, Side::B, &answer[..answer.len() - 5], answer.len())
        .take();
    assert_eq!(briefs(&calls), ["dns query a.example NOERROR ok [1][2] [cut]"]);
    assert_eq!(calls[0].coverage, Coverage::Partial);
    assert_eq!(attribute(&calls[0], "dns.answers").as_deref(), Some("192.0.2.1"));
}

#[test]
fn names_are_bounded_and_escaped() {
    let text = |bytes: &[u8], at: usize| {
        let mut out = String::new();
        name_into(bytes, at, &mut out).map(|end| (out, end))
    };
    assert_eq!(text(&[0], 0), Ok((".".to_owned(), 1)));
    assert_eq!(text(b"\x04a.\\\xff\0", 0), Ok(("a\\046\\092\\255".to_owned(), 6)));
    assert_eq!(text(b"\x01a\0\x01b\xC0\x00", 3), Ok(("b.a".to_owned(), 7)));
    assert_eq!(text(&[0xC0, 0], 0), Err(Trouble::Malformed));
    assert_eq!(text(&[0xC0, 9], 0), Err(Trouble::Malformed));
    assert_eq!(text(&[0xC0], 0), Err(Trouble::Short));
    assert_eq!(text(&[0x41, 0], 0), Err(Trouble::Malformed));
    assert_eq!(text(b"\x05abc", 0), Err(Trouble::Short));
    // 127 labels of one letter are the most that 255 bytes hold.
    let labels = |count: usize| [b"\x01a".repeat(count), vec![0]].concat();
    assert_eq!(text(&labels(127), 0).map(|(name, end)| (name.len(), end)), Ok((253, 255)));
    assert_eq!(text(&labels(128), 0), Err(Trouble::Malformed));
    // Pointers to pointers, each before the last.
    let chain: Vec<u8> =
        [0_u8, 0].into_iter().chain((0..200_u16).flat_map(|at| (0xC000 | (2 * at)).to_be_bytes())).collect();
    assert_eq!(text(&chain, 400), Err(Trouble::Malformed));
}

#[test]
fn headers_and_questions_read_their_fields() {
    let bytes = message(0xABCD, 0x8793, "a.example", 28);
    let header = Header::parse(&bytes).expect("twelve bytes");
    assert_eq!((header.id, header.rcode(), header.opcode(), header.questions), (0xABCD, 3, 0, 1));
    assert!(
        header.is_response() && header.authoritative() && header.truncated() && header.recursion_desired()
    );
    assert!(header.recursion_available() && header.checking_disabled() && !header.authenticated());
    let (first, end) = question(&bytes, 12).expect("whole");
    assert_eq!((first.kind, first.class, end), (28, 1, bytes.len()));
    assert_eq!(Value::from(true), Value::Bool(true));
}
