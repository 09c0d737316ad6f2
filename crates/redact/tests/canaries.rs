//! Secrets planted in every place of a call: none may be found in any form of its record.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use wirewise_model::{
    Attribute, Body, Call, CallId, CaptureId, Endpoint, Exchange, FlowId, Limits, Mark, Message, NameSource,
    PacketNumber, Peers, Redaction, Side, Source, Timestamp, Track, Transport, Value, Vantage, Workload,
};
use wirewise_redact::{Attributed, Heard, Key, Record, Redactor};

/// Policies as the table of protocols has them.
fn policy(protocol: &str) -> Option<Redaction> {
    match protocol {
        "http1" => Some(Redaction::Web),
        "dns" | "tls" | "icmp" | "tcp" | "udp" => Some(Redaction::Names),
        "redis" => Some(Redaction::Text),
        _ => None,
    }
}

fn message() -> Message {
    let mark = |at, packet| Mark { at: Timestamp::from_nanos(at), packet: PacketNumber(packet) };
    let mut track = Track::begin(0, mark(1_000, 1));
    track.extend(mark(2_000, 2), 100);
    Message::bare(track)
}

/// A plain GET of `/orders`, answered 200.
fn call() -> Attributed {
    let mut exchange = Exchange::new("http1", Side::A);
    exchange.operation = "GET".to_owned();
    exchange.target = "/orders".to_owned();
    exchange.host = Some("orders.shop".to_owned());
    exchange.status = Some("200".to_owned());
    exchange.request = Some(message());
    exchange.response = Some(message());
    exchange.complete = true;
    let at = Timestamp::from_nanos(1_000);
    let end = |last, port| Endpoint::new(IpAddr::V4(Ipv4Addr::new(10, 0, 0, last)), port);
    Attributed {
        call: Call {
            id: CallId::new(at, 1),
            flow: FlowId::new(at, 1),
            transport: Transport::Tcp,
            client: end(1, 40_000),
            server: end(2, 80),
            source: Source::Packets,
            encrypted: false,
            exchange_key: 7,
            exchange,
        },
        peers: Peers::default(),
        heard: Heard { capture: CaptureId("x".to_owned()), node: None, vantage: Vantage::Between },
    }
}

fn header(name: &str, value: String) -> Attributed {
    let mut attributed = call();
    attributed.call.exchange.request.as_mut().unwrap().headers.push((name.to_owned(), value));
    attributed
}

fn answer_header(name: &str, value: String) -> Attributed {
    let mut attributed = call();
    attributed.call.exchange.response.as_mut().unwrap().headers.push((name.to_owned(), value));
    attributed
}

fn target(target: String) -> Attributed {
    let mut attributed = call();
    attributed.call.exchange.target = target;
    attributed
}

fn body(content_type: &str, text: impl AsRef<[u8]>) -> Attributed {
    let kept = text.as_ref().to_vec();
    let mut attributed = call();
    let length = kept.len() as u64;
    for side in [&mut attributed.call.exchange.request, &mut attributed.call.exchange.response] {
        let message = side.as_mut().unwrap();
        message.headers.push(("content-type".to_owned(), content_type.to_owned()));
        message.body =
            Some(Body { kept: kept.clone(), wire_bytes: length, decoded_bytes: length, truncated: false });
    }
    attributed
}

fn cut(mut attributed: Attributed, keep: usize) -> Attributed {
    for side in [&mut attributed.call.exchange.request, &mut attributed.call.exchange.response] {
        let body = side.as_mut().unwrap().body.as_mut().unwrap();
        body.kept.truncate(keep);
        body.truncated = true;
    }
    attributed
}

fn redact(attributed: Attributed) -> Record {
    Redactor::new(&Key::from_bytes([9; 32]), &Limits::default(), policy).redact(attributed)
}

/// Every form that a record can leave in.
fn forms(record: &Record) -> String {
    let mut forms = String::from_utf8_lossy(&record.encode()).replace(char::is_control, " ");
    forms.push_str(&serde_json::to_string(&**record).unwrap());
    write!(forms, "{record:?} {:?} {:?}", record.principal, record.redactions).unwrap();
    forms
}

fn percent(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02x}")).collect()
}

fn json_string(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn multipart(name: &str, value: &str) -> Attributed {
    body(
        "multipart/form-data; boundary=XX",
        format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n--XX--\r\n"),
    )
}

#[track_caller]
fn assert_hidden(place: &str, secret: &str, attributed: Attributed) {
    let record = redact(attributed);
    let forms = forms(&record);
    for shape in [
        secret.to_owned(),
        secret.to_lowercase(),
        percent(secret),
        STANDARD.encode(secret).trim_end_matches('=').to_owned(),
        serde_json::to_string(secret).unwrap().trim_matches('"').to_owned(),
    ] {
        assert!(!forms.contains(&shape), "{place}: {shape} is in {forms}");
    }
    assert!(!record.redactions.is_empty(), "{place}: nothing is said of what was hidden");
}

/// Places whose name alone hides the value, however harmless that looks.
#[test]
fn what_stands_under_a_secret_name_is_hidden() {
    let secrets = ["hunter2x", "Zq9-canary.value_17", "0000-1111-zz", "correct horse battery staple"];
    for secret in secrets {
        let basic = STANDARD.encode(format!("bob:{secret}"));
        let basic_user = STANDARD.encode(format!("{secret}:x"));
        let nested =
            json_string(&json_string(&format!("{{\"a\":[{{\"password\":{}}}]}}", json_string(secret))));
        let form = secret.replace(' ', "+");
        let cases: Vec<(&str, Attributed)> = vec![
            ("bearer", header("authorization", format!("Bearer {secret}"))),
            ("basic", header("authorization", format!("Basic {basic}"))),
            ("basic user", header("authorization", format!("basic {basic_user}"))),
            ("basic, not base64", header("authorization", format!("Basic {secret}"))),
            (
                "digest",
                header("authorization", format!("Digest username=\"{secret}\", response=\"{secret}\"")),
            ),
            ("unknown scheme", header("authorization", format!("Custom {secret}"))),
            ("no scheme", header("authorization", secret.to_owned())),
            ("aws", header("authorization", format!("AWS4-HMAC-SHA256 Credential=x/y, Signature={secret}"))),
            ("proxy", header("proxy-authorization", format!("Basic {basic}"))),
            ("forwarded", header("x-forwarded-authorization", format!("Bearer {secret}"))),
            ("cookie", header("cookie", format!("theme=dark; sid={secret}; b={secret}"))),
            ("bare cookie", header("cookie", secret.to_owned())),
            ("set-cookie", answer_header("set-cookie", format!("sid={secret}; Path=/; HttpOnly"))),
            ("set-cookie, odd", answer_header("set-cookie", format!("a=b; sid={secret}"))),
            ("x-api-key", header("x-api-key", secret.to_owned())),
            ("x-auth-token", header("x-auth-token", secret.to_owned())),
            ("x-csrf-token", header("x-csrf-token", secret.to_owned())),
            ("client-secret", header("client-secret", secret.to_owned())),
            ("session", header("x-session-id", secret.to_owned())),
            ("functions key", header("x-functions-key", secret.to_owned())),
            ("forwarded user", header("x-forwarded-user", secret.to_owned())),
            ("query", target(format!("/x?a=1&password={form}&b=2"))),
            ("query, encoded name", target(format!("/x?pass%77ord={form}"))),
            ("query, doubly encoded name", target(format!("/x?pass%2577ord={form}"))),
            ("query, encoded value", target(format!("/x?token={}", percent(secret)))),
            ("query, doubly encoded value", target(format!("/x?token={}", percent(&percent(secret))))),
            ("fragment", target(format!("/x#access_token={form}"))),
            ("matrix", target(format!("/x;jsessionid={}", percent(secret)))),
            ("userinfo", target(format!("http://bob:{}@h/x", percent(secret)))),
            ("userinfo's user", target(format!("http://{}:x@h/x", percent(secret)))),
            ("location", answer_header("location", format!("https://h/cb?access_token={form}"))),
            (
                "location in location",
                answer_header("location", format!("/l?next={}", percent(&format!("/a?pin={form}")))),
            ),
            ("referer", header("referer", format!("https://h/x?a=1&session_id={form}#z"))),
            ("referer's userinfo", header("referer", format!("https://u:{}@h/x", percent(secret)))),
            ("x-original-url", header("x-original-url", format!("/x?api_key={form}"))),
            ("json", body("application/json", format!("{{\"password\":{}}}", json_string(secret)))),
            (
                "json, escaped name",
                body("application/json", format!("{{\"p\\u0061ssword\":{}}}", json_string(secret))),
            ),
            (
                "json, array",
                body("application/json", format!("[[{{\"tokens\":[1,{}]}}]]", json_string(secret))),
            ),
            (
                "json, inherited",
                body(
                    "application/json",
                    format!("{{\"credentials\":{{\"x\":{{\"y\":{}}}}}}}", json_string(secret)),
                ),
            ),
            ("json in json in json", body("application/json", format!("{{\"m\":{nested}}}"))),
            (
                "json, sibling",
                body(
                    "application/json",
                    format!("[{{\"value\":{},\"name\":\"API_KEY\"}}]", json_string(secret)),
                ),
            ),
            (
                "problem json",
                body(
                    "application/problem+json; charset=utf-8",
                    format!("{{\"pin\":{}}}", json_string(secret)),
                ),
            ),
            (
                "graphql",
                body(
                    "application/json",
                    format!(
                        "{{\"query\":\"mutation($p:String){{login(p:$p)}}\",\"variables\":{{\"password\":{}}}}}",
                        json_string(secret)
                    ),
                ),
            ),
            (
                "ndjson",
                body(
                    "application/x-ndjson",
                    format!("{{\"a\":1}}\n{{\"secret\":{}}}\n", json_string(secret)),
                ),
            ),
            (
                "events",
                body(
                    "text/event-stream",
                    format!("event: x\ndata: {{\"token\":{}}}\n\n", json_string(secret)),
                ),
            ),
            ("events, text", body("text/event-stream", format!("data: password {secret}\n\n"))),
            ("form", body("application/x-www-form-urlencoded", format!("a=1&user%5Bpassword%5D={form}"))),
            (
                "form, encoded",
                body("application/x-www-form-urlencoded", format!("client_secret={}", percent(secret))),
            ),
            (
                "json as form",
                body(
                    "application/x-www-form-urlencoded",
                    format!("{{\"password\":{}}}", json_string(secret)),
                ),
            ),
            ("multipart", multipart("password", secret)),
            ("error", {
                let mut attributed = call();
                attributed.call.exchange.error = Some(format!("cannot log in with password='{secret}'"));
                attributed
            }),
            ("attribute", {
                let mut attributed = call();
                let value = Value::Text(secret.to_owned());
                attributed.call.exchange.attributes.push(Attribute { name: "db.password".into(), value });
                attributed
            }),
        ];
        for (place, attributed) in cases {
            assert_hidden(place, secret, attributed);
        }
    }
}

/// Values that are hidden wherever they stand.
fn recognizable() -> Vec<(&'static str, String)> {
    let claims = URL_SAFE_NO_PAD.encode(br#"{"sub":"canary-subject"}"#);
    vec![
        ("jwt", format!("eyJhbGciOiJIUzI1NiJ9.{claims}.c2lnbmF0dXJlLWNhbmFyeQ")),
        ("aws key id", "AKIACANARY7EXAMPLE12".to_owned()),
        ("google key", "AIzaSyD4canaryCANARY0123456789abcdefghi".to_owned()),
        ("github token", "ghp_CanaryCanary0123456789abcdefghijkl".to_owned()),
        ("slack token", "xoxb-123456789012-canaryCANARY".to_owned()),
        ("stripe key", "sk_live_canaryCANARY0123456789".to_owned()),
        ("openai key", "sk-proj-canaryCANARY0123456789".to_owned()),
        ("card", "4111111111111111".to_owned()),
        ("iban", "DE89370400440532013000".to_owned()),
        ("email", "canary.person@example.org".to_owned()),
        ("aws secret", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
        ("long hex", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08".to_owned()),
        ("wrapped pair", STANDARD.encode("password=canary-in-base64")),
        ("wrapped json", STANDARD.encode(r#"{"a":{"secret":"canary-in-base64"}}"#)),
        ("wrapped user", STANDARD.encode("canary:in-base64")),
        ("wrapped twice", STANDARD.encode(STANDARD.encode("token=canary-in-base64"))),
    ]
}

#[test]
fn what_looks_like_a_secret_is_hidden_in_every_place() {
    for (kind, secret) in recognizable() {
        let s = secret.as_str();
        let e = percent(s);
        let mut cases: Vec<(&str, Attributed)> = vec![
            ("header", header("x-note", format!("see {s} there"))),
            ("user agent", header("user-agent", format!("curl/8 {s}"))),
            ("header, encoded", header("x-note", format!("a%20{e}"))),
            ("response header", answer_header("x-debug", s.to_owned())),
            ("query", target(format!("/x?q={e}"))),
            ("query, doubly encoded", target(format!("/x?q={}", percent(&e)))),
            ("query without value", target(format!("/x?{e}"))),
            ("query in query", target(format!("/x?u={}", percent(&format!("https://h/y?q={e}"))))),
            ("fragment", target(format!("/x#{e}"))),
            ("path, encoded", target(format!("/x/{e}/y"))),
            ("location", answer_header("location", format!("https://h/x?q={e}"))),
            ("referer", header("referer", format!("https://h/x/{e}"))),
            ("json", body("application/json", format!("{{\"a\":[{{\"b\":\"{s}\"}}]}}"))),
            ("json, in prose", body("application/json", format!("\"see {s} there\""))),
            ("json, as key", body("application/json", format!("{{\"{s}\":1}}"))),
            ("json, encoded", body("application/json", format!("{{\"a\":\"{e}\"}}"))),
            (
                "json in json",
                body("application/json", format!("{{\"m\":{}}}", json_string(&format!("{{\"a\":\"{s}\"}}")))),
            ),
            ("ndjson", body("application/x-ndjson", format!("[1]\n[\"{s}\"]"))),
            ("events", body("text/event-stream", format!("id: {s}\ndata: [\"{s}\"]\n\n"))),
            ("form", body("application/x-www-form-urlencoded", format!("a=1&b={e}"))),
            ("multipart", multipart("note", &format!("see {s}"))),
            ("multipart's name", multipart(s, "x")),
            ("attribute", {
                let mut attributed = call();
                let value = Value::Text(format!("x {s}"));
                attributed.call.exchange.attributes.push(Attribute { name: "http.note".into(), value });
                attributed
            }),
            ("error", {
                let mut attributed = call();
                attributed.call.exchange.error = Some(format!("cannot use {s}"));
                attributed
            }),
        ];
        // Ids that merely look random stay in names of hosts.
        if !matches!(kind, "long hex" | "aws secret") {
            cases.push(("host", {
                let mut attributed = call();
                attributed.call.exchange.host = Some(s.to_owned());
                attributed
            }));
            cases.push(("server's name", {
                let mut attributed = call();
                let workload =
                    Workload { workload: s.to_owned(), name_source: NameSource::Host, ..Workload::default() };
                attributed.peers.server = workload;
                attributed
            }));
            cases.push(("etag", answer_header("etag", format!("\"{s}\""))));
        }
        for (place, attributed) in cases {
            assert_hidden(&format!("{kind} in {place}"), s, attributed);
        }
    }
}

#[test]
fn private_keys_are_hidden_whole() {
    let pem = "-----BEGIN PRIVATE KEY-----\nMIIcanary\nMIIcanary2\n-----END PRIVATE KEY-----";
    for attributed in [
        body("application/json", format!("{{\"a\":{}}}", json_string(pem))),
        body("application/json", format!("{{\"a\":{}}}", json_string(&pem[..50]))),
        multipart("file", pem),
        header("x-client", percent(pem)),
    ] {
        assert_hidden("pem", "MIIcanary", attributed);
    }
}

#[test]
fn passwords_of_connection_strings_are_hidden() {
    for dsn in [
        "postgres://shop:canary@db:5432/x",
        "mongodb+srv://shop:can%61ry@db/x",
        "redis://:canary@cache",
        "Server=db;User Id=shop;Password=canary;",
        "host=db user=shop password=canary dbname=x",
        "jdbc:mysql://db/x?user=shop&password=canary",
        "amqp://shop:canary@mq/",
    ] {
        assert_hidden(dsn, "canary", body("application/json", format!("{{\"dsn\":\"{dsn}\"}}")));
        assert_hidden(dsn, "canary", header("x-note", dsn.to_owned()));
    }
}

#[test]
fn bodies_of_types_that_are_not_parsed_are_not_kept() {
    let cases: &[(&str, &[u8])] = &[
        ("text/plain", b"canary"),
        ("text/html", b"<p>canary</p>"),
        ("application/xml", b"<a>canary</a>"),
        ("application/octet-stream", b"canary"),
        ("application/json", b"{\"a\":canary}"),
        ("application/json", b"canary"),
        ("application/json", b"{\"a\":\"canary"),
        ("application/json", b"{\"a\":\"canary\"}\xff"),
        ("application/json; charset=utf-16", b"{\"a\":\"canary\"}"),
        ("application/x-www-form-urlencoded", b"canary"),
        ("application/x-www-form-urlencoded", b"a=<canary> b"),
        ("multipart/form-data", b"--x\r\n\r\ncanary\r\n--x--"),
        ("multipart/form-data; boundary=x", b"canary"),
        ("multipart/form-data; boundary=x", b"--x\r\ncanary\r\n--x--"),
        ("application/x-ndjson", b"{}\ncanary\n"),
        ("", b"canary"),
    ];
    for (content_type, bytes) in cases {
        let record = redact(body(content_type, bytes));
        let payload = record.request.as_ref().unwrap();
        assert_eq!(
            (payload.body.as_deref(), payload.body_bytes, payload.truncated),
            (None, bytes.len() as u64, true)
        );
        assert!(!forms(&record).contains("canary"), "{content_type}");
    }
    // Types that contradict each other are none.
    let mut attributed = body("application/json", "{\"a\":\"canary\"}");
    let request = attributed.call.exchange.request.as_mut().unwrap();
    request.headers.push(("content-type".to_owned(), "text/plain".to_owned()));
    assert_eq!(redact(attributed).request.as_ref().unwrap().body, None);
}

#[test]
fn a_body_cut_at_any_byte_shows_no_half_of_a_secret() {
    let secret = "canaryCANARY0123456789";
    let jwt = &recognizable()[0].1;
    let texts = [
        (
            "application/json",
            format!("{{\"é\":[1,\"sk_live_{secret}\",{{\"t\":\"{jwt}\"}}],\"password\":\"{secret}\"}}"),
        ),
        ("application/json", format!("{{\"m\":{}}}", json_string(&format!("{{\"password\":\"{secret}\"}}")))),
        ("application/json", format!("[{{\"value\":\"{secret}\",\"x\":1,\"name\":\"password\"}}]")),
        ("application/x-ndjson", format!("{{}}\n{{\"password\":\"{secret}\"}}\n[\"{jwt}\"]\n")),
        ("text/event-stream", format!("id: sk_live_{secret}\ndata: {{\"password\":\"{secret}\"}}\n\n")),
        ("application/x-www-form-urlencoded", format!("a=sk_live_{secret}&password={secret}&b=1")),
        (
            "multipart/form-data; boundary=XX",
            format!(
                "--XX\r\nContent-Disposition: form-data; name=\"password\"\r\n\r\n{secret}\r\n--XX--\r\n"
            ),
        ),
    ];
    for (content_type, text) in &texts {
        for keep in 0..text.len() {
            let record = redact(cut(body(content_type, text), keep));
            let forms = forms(&record);
            for part in ["canary", "CANARY", "c2lnbmF0"] {
                assert!(!forms.contains(part), "{content_type} cut at {keep}: {forms}");
            }
        }
    }
}

#[test]
fn equal_tokens_join_and_tell_who_asked() {
    let token = "Zx8-opaque-token-4711";
    let asked = redact(header("authorization", format!("Bearer {token}")));
    let login = redact(body("application/json", format!("{{\"access_token\":\"{token}\"}}")));
    let digits = asked.principal.as_deref().and_then(|principal| principal.strip_prefix("token:")).unwrap();
    assert_eq!(asked.request.as_ref().unwrap().headers[0].1, format!("Bearer [bearer:{digits}]"));
    assert_eq!(
        login.response.as_ref().unwrap().body.as_deref(),
        Some(format!("{{\"access_token\":\"[token:{digits}]\"}}").as_str())
    );
    assert_eq!(asked.redactions, ["bearer@request.header.authorization"]);
    assert_eq!(login.redactions, ["token@request.body.access_token", "token@response.body.access_token"]);

    let basic = redact(header("authorization", format!("Basic {}", STANDARD.encode("bob@example.org:x"))));
    let form = redact(body("application/x-www-form-urlencoded", "username=Bob%40example.org&password=x"));
    let user = basic.principal.as_deref().and_then(|principal| principal.strip_prefix("user:")).unwrap();
    assert_eq!(
        form.request.as_ref().unwrap().body.as_deref(),
        Some(format!("username=[user:{user}]&password=[redacted:password]").as_str())
    );
    let jwt = redact(header("authorization", format!("Bearer {}", recognizable()[0].1)));
    assert!(jwt.principal.as_deref().is_some_and(|principal| principal.starts_with("user:")));
    let cookie = redact(header("cookie", "theme=dark; JSESSIONID=0123456789ABCDEF".to_owned()));
    assert!(cookie.principal.as_deref().is_some_and(|principal| principal.starts_with("token:")));
    let short = redact(header("cookie", "sid=42".to_owned()));
    assert_eq!(
        (short.principal.as_deref(), short.request.as_ref().unwrap().headers[0].1.as_str()),
        (None, "sid=[redacted:cookie]")
    );
    assert_eq!(redact(call()).principal, None);
}

#[test]
fn what_holds_no_secret_is_not_touched() {
    let mut attributed = body(
        "application/json; charset=utf-8",
        r#"{ "id": 17, "name": "lamp", "at": "2026-11-24T04:29:48Z", "trace": "4bf92f3577b34da6a3ce929d0e0e4736", "price": 12.50, "when": 1795494306000, "uuid": "6fa459ea-ee8a-3ca4-894e-db77e160355e" }"#,
    );
    let request = attributed.call.exchange.request.as_mut().unwrap();
    let headers = [
        ("host", "orders.shop:8080"),
        (
            "user-agent",
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36",
        ),
        ("accept", "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"),
        ("if-none-match", "\"33a64df551425fcc55e4d42a148795d9f25f89d4\""),
        ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ("x-request-id", "6fa459ea-ee8a-3ca4-894e-db77e160355e"),
        ("x-forwarded-for", "10.0.0.1, 192.168.1.77"),
        ("x-ratelimit-remaining-tokens", "149984"),
        ("referer", "https://shop.example/cart?page=2&sort=price"),
        ("cache-control", "max-age=0"),
    ];
    request.headers.extend(headers.map(|(name, value)| (name.to_owned(), value.to_owned())));
    attributed.call.exchange.target = "/orders/17/items?page=2&size=50&q=desk%20lamp".to_owned();
    let before = attributed.clone();
    let record = redact(attributed);
    assert_eq!(record.redactions, Vec::<String>::new());
    assert_eq!(record.target, before.call.exchange.target);
    let payload = record.request.as_ref().unwrap();
    assert_eq!(payload.headers, before.call.exchange.request.as_ref().unwrap().headers);
    assert_eq!(
        payload.body.as_deref().unwrap().as_bytes(),
        before.call.exchange.request.unwrap().body.unwrap().kept
    );
    assert!(!payload.truncated);
    assert_eq!((record.duration_nanos, record.ttfb_nanos, record.request_bytes), (Some(1_000), Some(0), 100));
    assert_eq!(Record::decode(&record.encode()).unwrap(), record);
}

#[test]
fn protocols_without_a_policy_keep_only_what_has_a_type() {
    let mut attributed = body("application/json", r#"{"a":"canary"}"#);
    let exchange = &mut attributed.call.exchange;
    exchange.protocol = "carrierpigeon".into();
    exchange.target = "canary".to_owned();
    exchange.error = Some("canary".to_owned());
    exchange.attributes.push(Attribute { name: "a".into(), value: Value::Text("canary".to_owned()) });
    exchange.attributes.push(Attribute { name: "b".into(), value: Value::Int(5) });
    exchange.request.as_mut().unwrap().headers.push(("x".to_owned(), "canary".to_owned()));
    let record = redact(attributed);
    assert!(!forms(&record).contains("canary"));
    assert_eq!(record.attributes.len(), 1);
    assert_eq!(record.request.as_ref().unwrap().body_bytes, 14);
}

#[test]
fn names_and_fingerprints_of_dns_and_tls_stay() {
    for (protocol, target) in [
        ("dns", "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08.example.org"),
        ("tls", "orders.shop.svc.cluster.local"),
        ("icmp", "10.0.0.1"),
    ] {
        let mut attributed = call();
        attributed.call.exchange.protocol = protocol.into();
        attributed.call.exchange.target = target.to_owned();
        attributed.call.exchange.attribute("tls.client.ja4", "t13d1516h2_8daaf6152771_b0da82dd1658");
        let record = redact(attributed);
        assert_eq!((record.target.as_str(), record.redactions.len()), (target, 0));
    }
}

#[test]
fn hostile_shapes_end_in_bounded_time() {
    let deep = "{\"a\":".repeat(20_000);
    let quotes = "\\\"password\\\":".repeat(20_000);
    let colons = "password=".repeat(20_000);
    let dashes = "1-".repeat(40_000);
    let at = "a@".repeat(40_000);
    let base64 = "QUJD".repeat(40_000);
    let slashes = "a/".repeat(40_000);
    let schemes = "x://".repeat(20_000);
    let pem = "-----BEGIN ".repeat(10_000);
    let spaces = "AUTH ".repeat(20_000);
    for text in [deep, quotes, colons, dashes, at, base64, slashes, schemes, pem, spaces] {
        redact(body("application/json", format!("[\"{text}\"]")));
        redact(body("application/json", &text));
        redact(target(format!("/{text}?{text}={text}")));
        redact(header("x-note", text));
    }
}
