//! Targets and what they are masked to.

use std::net::{IpAddr, Ipv4Addr};

use wirewise_model::{
    CallId, CaptureId, Coverage, Endpoint, FlowId, Frames, Kind, Outcome, Peers, Source, Timestamp,
    Transport, Vantage, Workload,
};
use wirewise_redact::{Heard, RecordFields};

use super::{endpoint, mask, shape_key};

fn record(protocol: &str, operation: &str, target: &str) -> RecordFields {
    let at = Timestamp::from_nanos(1);
    let end = Endpoint::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 1);
    RecordFields {
        id: CallId::new(at, 1),
        flow: FlowId::new(at, 1),
        heard: Heard { capture: CaptureId("x".to_owned()), node: None, vantage: Vantage::Between },
        exchange_key: 0,
        started: at,
        observed_until: at,
        duration_nanos: None,
        ttfb_nanos: None,
        protocol: protocol.to_owned(),
        carrier: "tcp".to_owned(),
        transport: Transport::Tcp,
        kind: Kind::Unary,
        operation: operation.to_owned(),
        target: target.to_owned(),
        endpoint: None,
        host: None,
        status: None,
        status_code: None,
        outcome: Outcome::Ok,
        error: None,
        client: end,
        server: end,
        peers: Peers::default(),
        request_bytes: 0,
        response_bytes: 0,
        request_frames: Frames::default(),
        response_frames: Frames::default(),
        encrypted: false,
        source: Source::Packets,
        principal: None,
        trace_id: None,
        span_id: None,
        parent_span_id: None,
        redactions: Vec::new(),
        notes: Vec::new(),
        attributes: Vec::new(),
        coverage: Coverage::Whole,
        revision: 0,
        request: None,
        response: None,
    }
}

#[track_caller]
fn check(target: &str, expect: &str) {
    let masked = endpoint(&record("http1", "GET", target));
    assert_eq!(masked, expect, "{target}");
    assert_eq!(endpoint(&record("http1", "GET", &masked)), masked, "{target} twice");
}

#[test]
fn ids_in_paths_are_masked() {
    check("/orders/17", "/orders/{id}");
    check("/orders/17/items/3?page=2#top", "/orders/{id}/items/{id}");
    check("http://shop:8080/orders/17", "/orders/{id}");
    check("/a/6fa459ea-ee8a-3ca4-894e-db77e160355e", "/a/{uuid}");
    check("/commits/4f2a9c1d", "/commits/{hash}");
    check("/commits/2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c", "/commits/{hash}");
    check("/reports/2026-11-24", "/reports/{date}");
    check("/reports/20261124/x", "/reports/{date}/x");
    check("/u/bob@example.org/x", "/u/{email}/x");
    check("/u/bob%40example.org/x", "/u/{email}/x");
    check("/u/[email:0123456789ab]/x", "/u/{email}/x");
    check("/reset/[token:0123456789ab]", "/reset/{token}");
    check("/x/01ARZ3NDEKTSV4RRFFQ69G5FAV", "/x/{ulid}");
    check("/x/dGhpc0lzQVRva2VuMTIz", "/x/{token}");
    check("/orders/ord-1234", "/orders/ord-{id}");
    check("/users/user_42/profile", "/users/user_{id}/profile");
    check("/items/SKU00017", "/items/SKU{id}");
    check("/img/4711.png", "/img/{id}.png");
    check("/static/main.4f2a9c1d.js", "/static/main.{hash}.js");
    check("/hosts/10.0.0.5", "/hosts/{ip}");
    check("/x;jsessionid=5/y", "/x/y");
}

#[test]
fn words_stay_words() {
    for path in [
        "/",
        "/users/me",
        "/api/v1/users",
        "/api/v2.1/users",
        "/apis/apps/v1beta1/deployments",
        "/oauth2/authorize",
        "/index.html",
        "/favicon.ico",
        "/img/logo.png",
        "/s3/bucket",
        "/a//b/",
        "/deadbeef",
        "/decade/facade",
        "/well-known/openid-configuration",
        "/.well-known/jwks.json",
        "/healthz",
        "*",
        "/checksums/sha256",
    ] {
        check(path, path);
    }
    check("", "");
    assert_eq!(endpoint(&record("http1", "CONNECT", "example.org:443")), "example.org");
}

#[test]
fn endpoints_are_bounded() {
    check(&"/a".repeat(100), &format!("{}/{{rest}}", "/a".repeat(16)));
    let long = format!("/{}", "x".repeat(5_000));
    check(&long, "/{text}");
    let odd = format!("/{}", "é-".repeat(5_000));
    assert!(endpoint(&record("http1", "GET", &odd)).len() <= 70);
}

#[test]
fn other_protocols_are_masked_lightly() {
    let dns = |name: &str| endpoint(&record("dns", "A", name));
    assert_eq!(dns("5.0.0.10.in-addr.arpa"), "{ip}.in-addr.arpa");
    assert_eq!(dns("b.a.9.8.ip6.arpa."), "{ip}.ip6.arpa");
    assert_eq!(dns("orders-0.orders.shop.svc.cluster.local"), "orders-{id}.orders.shop.svc.cluster.local");
    assert_eq!(dns("orders-7d9f8b6c5-x2x9z.shop"), "orders-{hash}.shop");
    assert_eq!(dns("s3.eu-west-1.amazonaws.com"), "s3.eu-west-{id}.amazonaws.com");
    assert_eq!(dns("d41d8cd98f00b204e9800998ecf8427e.example.org"), "{hash}.example.org");
    assert_eq!(endpoint(&record("icmp", "echo", "10.0.0.1")), "");
    assert_eq!(endpoint(&record("tcp", "connect", "10.0.0.1:80")), "");
}

#[test]
fn errors_lose_their_particulars() {
    let cases = [
        (
            "dial tcp 10.0.0.5:8080: connect: connection refused",
            "dial tcp {ip}:{id}: connect: connection refused",
        ),
        ("timeout after 1500ms", "timeout after {id}ms"),
        ("order 17 not found", "order {id} not found"),
        ("user [user:0123456789ab] unknown", "user {user} unknown"),
        ("connection refused", "connection refused"),
    ];
    for (text, expect) in cases {
        assert_eq!(mask::text(text), expect);
        assert_eq!(mask::text(expect), expect);
    }
}

#[test]
fn keys_are_equal_for_one_shape_and_differ_by_each_part_of_it() {
    let mut base = record("http1", "GET", "/orders/17");
    base.peers.client.workload = "gateway".to_owned();
    base.peers.server.workload = "orders".to_owned();
    base.status_code = Some(200);
    let key = shape_key(&base);
    assert_eq!(key.to_string().parse(), Ok(key));
    let same = RecordFields {
        target: "/orders/99?x=1".to_owned(),
        status_code: Some(204),
        duration_nanos: Some(5),
        ..base.clone()
    };
    assert_eq!(shape_key(&same), key);
    let workload = |name: &str| Workload { workload: name.to_owned(), ..Workload::default() };
    let others = [
        RecordFields { target: "/users/17".to_owned(), ..base.clone() },
        RecordFields { operation: "PUT".to_owned(), ..base.clone() },
        RecordFields { status_code: Some(500), ..base.clone() },
        RecordFields { protocol: "http2".to_owned(), ..base.clone() },
        RecordFields { error: Some("boom".to_owned()), ..base.clone() },
        RecordFields { peers: Peers { client: workload("web"), server: workload("orders") }, ..base.clone() },
        RecordFields {
            peers: Peers { client: workload("gateway"), server: workload("carts") },
            ..base.clone()
        },
    ];
    for other in others {
        assert_ne!(shape_key(&other), key, "{other:?}");
    }
    // Stays as it is: rows in files carry it.
    assert_eq!(key.to_string(), "912991eec798076f");
}

/// A small generator: enough to try many odd targets, the same each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % sides
    }
}

#[test]
fn masking_twice_is_masking_once() {
    let parts = [
        "/",
        "/",
        "a",
        "7",
        "42",
        "-",
        "_",
        ".",
        "{id}",
        "[token:0123456789ab]",
        "%20",
        "%2f",
        "%zz",
        "é",
        ";x=1",
        "?q=1",
        "#",
        "v1",
        "beef",
        "2026-11-24",
        "@",
        ":",
        "http://",
        "svc",
        "x2x9z",
        "7d9f8b6c5",
        "in-addr.arpa",
        "6fa459ea-ee8a-3ca4-894e-db77e160355e",
        "ms",
        "{",
        "}",
        "[",
        "]",
        "AbC",
        "=",
        "+",
        "~",
        ",",
        "%",
        "0x",
        "ord",
    ];
    let mut dice = Dice(7);
    for _ in 0..200_000 {
        let target: String = (0..dice.roll(12)).map(|_| parts[dice.roll(parts.len())]).collect();
        for protocol in ["http1", "dns", "kafka"] {
            let once = endpoint(&record(protocol, "GET", &target));
            let twice = endpoint(&record(protocol, "GET", &once));
            assert_eq!(once, twice, "{protocol} {target}");
        }
    }
}
